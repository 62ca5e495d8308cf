"""Files that cannot be written: TensorFlow's errors, and nothing that was there is lost.

What TensorFlow 1.15 raises was asked with a file system of one megabyte and a limit of file sizes.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import graphc as tf

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs limits")
TOO_LARGE = tf.errors.OutOfRangeError


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Files end at 4 kB, as under a quota."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # Python would cut modules short
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        sys.dont_write_bytecode = kept


@pytest.fixture
def small_files() -> Iterator[None]:
    with limited():
        yield


@pytest.mark.parametrize("step", [1, 2])
def test_a_save_that_fails_leaves_the_older_checkpoint(tmp_path, step, request):
    v = tf.Variable(np.ones(2000, "f"))
    prefix = str(tmp_path / "m")
    saver = tf.train.Saver()
    with tf.Session() as s:
        s.run(v.initializer)
        older = saver.save(s, prefix, 1)
        v.load(np.zeros(2000, "f"), s)
        files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        request.getfixturevalue("small_files")
        with pytest.raises(TOO_LARGE, match=r"data-.*; File too large"):
            saver.save(s, prefix, step)
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == files
        assert tf.train.latest_checkpoint(str(tmp_path)) == older
        assert saver.last_checkpoints == [older]
        assert s.run(v)[0] == 0  # the session goes on
        saver.restore(s, older)
        assert s.run(v).tolist() == [1] * 2000


def test_other_files(tmp_path, small_files):
    x = tf.placeholder(tf.string, [])
    for i in range(40):
        tf.constant(np.arange(9) * i)
    made = [
        lambda: tf.train.write_graph(tf.get_default_graph(), str(tmp_path), "g.pbtxt"),
        lambda: tf.train.export_meta_graph(str(tmp_path / "g.meta")),
        lambda: s.run(tf.write_file(str(tmp_path / "w"), x), {x: b"a" * 5000}),
        lambda: tf.gfile.GFile(str(tmp_path / "f"), "w").write("a" * 10000),
    ]
    with tf.Session() as s:
        for f in made:
            with pytest.raises(TOO_LARGE, match=f"{tmp_path}/.*; File too large"):
                f()
    assert not [n for n in os.listdir(tmp_path) if n not in ("w", "f")]


def test_records_wait_for_room(tmp_path):
    path = str(tmp_path / "r")
    records = [bytes([i]) * 3000 for i in range(6)]
    with tf.python_io.TFRecordWriter(path) as w:
        with limited():
            for data in records[:5]:
                with contextlib.suppress(TOO_LARGE):
                    w.write(data)
            assert os.path.getsize(path) == 4096
            with pytest.raises(TOO_LARGE, match=f"{path}; File too large"):
                w.flush()
        w.write(records[5])
    assert list(tf.python_io.tf_record_iterator(path)) == records


@pytest.mark.parametrize("kind", ["", "GZIP", "ZLIB"])
def test_closing_on_a_full_disk_says_so_and_closes(kind):
    w = tf.python_io.TFRecordWriter("/dev/full", kind)
    w.write(b"a")
    with pytest.raises(tf.errors.ResourceExhaustedError, match="/dev/full; No space left"):
        w.close()
    w.close()
    with pytest.raises(tf.errors.FailedPreconditionError):
        w.write(b"b")


def test_events_end_no_training(tmp_path, small_files, caplog):
    pytest.importorskip("tensorboard")
    w = tf.summary.FileWriter(str(tmp_path))
    for i in range(400):
        w.add_summary(tf.Summary(value=[tf.Summary.Value(tag="a" * 30, simple_value=i)]), i)
    w.flush()
    w.flush()
    w.close()
    said = [r for r in caplog.records if "Events could not be written" in r.getMessage()]
    assert len(said) == 1
    assert "File too large" in said[0].getMessage()
    (path,) = tmp_path.iterdir()
    steps = []
    with contextlib.suppress(tf.errors.DataLossError):  # the last one is cut short
        for e in tf.train.summary_iterator(str(path)):
            steps += [e.step] if e.WhichOneof("what") == "summary" else []
    assert steps == list(range(len(steps)))
    assert len(steps) > 50


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda d: tf.train.write_graph(tf.Graph(), "/proc/x", "y"), "NotFound"),
        (lambda d: tf.summary.FileWriter("/proc/x/y"), "NotFound"),
        (lambda d: tf.train.update_checkpoint_state(d + "/no", d + "/x"), "NotFound"),
        (lambda d: tf.python_io.TFRecordWriter(d), "FailedPrecondition"),
        (lambda d: tf.python_io.TFRecordWriter(d + "/no/x"), "NotFound"),
        (lambda d: list(tf.python_io.tf_record_iterator(d)), "FailedPrecondition"),
        (lambda d: tf.gfile.GFile(d + "/" + "x" * 300, "w").write("a"), "InvalidArgument"),
        (lambda d: (os.symlink("l", d + "/l"), tf.gfile.GFile(d + "/l").read()), "Unknown"),
    ],
)
def test_what_the_system_says_has_tensorflows_type(tmp_path, make, error):
    with pytest.raises(tf.errors.OpError) as e:
        make(str(tmp_path))
    assert type(e.value).__name__ == f"{error}Error"
