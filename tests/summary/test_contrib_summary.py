"""``tf.contrib.summary``: what the files hold (as recorded from TensorFlow 1.15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphc as tf

pytest.importorskip("tensorboard")
S: Any = tf.contrib.summary


def read(folder: Path) -> list[tuple[int, str, str]]:
    found = []
    for f in sorted(folder.iterdir()):
        for e in tf.train.summary_iterator(str(f)):
            found += [(e.step, v.tag, v.WhichOneof("value")) for v in e.summary.value]
    return found


def test_summaries_write_themselves(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        writer = S.create_file_writer(str(tmp_path))
        with writer.as_default(), S.always_record_summaries():
            with tf.name_scope("sc"):
                S.scalar("x", tf.constant(2.0))
            S.histogram("h", tf.constant([1.0, 2.0]))
            S.generic("g", tf.constant([1, 2]))
            S.image("im", tf.zeros([1, 3, 3, 3]))
            S.scalar("own", 1.0, step=7)
        assert S.should_record_summaries() is False
        assert S.scalar("not", 1.0).type == "NoOp"
        with writer.as_default():
            S.initialize(graph, session)
        session.run(tf.global_variables_initializer())
        session.run(tf.assign_add(step, 3))
        assert all(session.run(S.all_summary_ops()))
        session.run([S.flush(writer), writer.close()])
    wanted = [
        (3, "g", "tensor"), (3, "h", "histo"), (3, "im/image/0", "image"),
        (3, "sc/x", "simple_value"), (7, "own", "simple_value"),
    ]  # fmt: skip
    assert sorted(read(tmp_path)) == wanted


def test_every_few_steps(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        writer = S.create_file_writer(str(tmp_path))
        with writer.as_default(), S.record_summaries_every_n_global_steps(2):
            S.scalar("x", tf.cast(step, tf.float32) * 2.0)
        with S.never_record_summaries():
            assert S.scalar("not", 1.0).type == "NoOp"
        session.run([tf.global_variables_initializer(), *S.summary_writer_initializer_op()])
        more = tf.assign_add(step, 1)
        for _ in range(5):
            session.run(S.all_summary_ops())
            session.run(more)
        session.run(writer.flush())
    assert read(tmp_path) == [(k, "x", "simple_value") for k in (0, 2, 4)]


def test_refusals() -> None:
    with tf.Graph().as_default():
        with pytest.raises(RuntimeError, match="No default"):
            S.initialize()
        with S.create_file_writer(None).as_default(), pytest.raises(ValueError, match="session"):
            S.initialize()
        with pytest.raises(TypeError, match="GraphDef"):
            S.graph(tf.get_default_graph())
