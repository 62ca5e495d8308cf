"""What a closed session and closed writers let go of."""

from __future__ import annotations

import gc
import pathlib
from typing import Any

import pytest

import graphc as tf
from graphc.data import files, readers


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every file that datasets and readers open."""
    out: list[Any] = []
    real = files.open_file

    def watched(*args: Any) -> Any:
        out.append(real(*args))
        return out[-1]

    monkeypatch.setattr(files, "open_file", watched)
    monkeypatch.setattr(readers, "open_file", watched)
    return out


@pytest.mark.parametrize("kind", ["dataset", "reader"])
def test_a_closed_session_has_no_files_open(
    tmp_path: pathlib.Path, opened: list[Any], kind: str
) -> None:
    path = tmp_path / "lines"
    path.write_text("a\nb\nc\n")
    with tf.Graph().as_default():
        if kind == "dataset":
            lines = tf.data.TextLineDataset(str(path)).map(lambda x: x + "!").prefetch(1)
            line = lines.make_one_shot_iterator().get_next()
        else:
            names = tf.FIFOQueue(1, tf.string, [[]])
            put = names.enqueue(str(path))
            line = tf.TextLineReader().read(names).value
        with tf.Session() as sess:
            if kind == "reader":
                sess.run(put)
            assert sess.run(line).startswith(b"a")
            assert not opened[0].closed
    assert opened[0].closed


@pytest.mark.parametrize("options", [None, "GZIP", "ZLIB"])
def test_a_writer_that_nobody_closes(tmp_path: pathlib.Path, options: Any) -> None:
    """In a circle of objects the collector would meet the file first, and warn."""
    path = str(tmp_path / "r")
    w: Any = tf.python_io.TFRecordWriter(path, options)
    w.write(b"kept")
    w.circle = w
    del w
    gc.collect()
    assert list(tf.python_io.tf_record_iterator(path, tf.python_io.TFRecordOptions(options))) == [
        b"kept"
    ]


def test_a_shared_writer_is_opened_again(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tensorboard")
    with tf.Graph().as_default():
        w = tf.summary.FileWriterCache.get(str(tmp_path))
        w.close()
        again = tf.summary.FileWriterCache.get(str(tmp_path))
        assert again is w
        again.add_summary(tf.Summary(value=[tf.Summary.Value(tag="a", simple_value=1.0)]), 1)
        tf.summary.FileWriterCache.clear()


def test_a_supervisor_is_used_twice(tmp_path: pathlib.Path) -> None:
    """The writer that its first session closed is opened again for the second."""
    pytest.importorskip("tensorboard")
    with tf.Graph().as_default():
        v = tf.train.get_or_create_global_step()
        tf.summary.scalar("v", v)
        merged = tf.summary.merge_all()
        sv = tf.train.Supervisor(logdir=str(tmp_path), summary_op=None, save_model_secs=0)
        for step in (1, 2):
            with sv.managed_session() as sess:
                sv.summary_computed(sess, sess.run(merged), step)
    found = [
        e.step
        for path in tmp_path.glob("events*")
        for e in tf.train.summary_iterator(str(path))
        if [v.tag for v in e.summary.value] == ["v"]
    ]
    assert sorted(found) == [1, 2]
