"""Evaluation of checkpoints: tf.contrib.training and slim.evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

tf_slim: Any = tf.contrib.slim
training: Any = tf.contrib.training


@pytest.fixture(autouse=True)
def fresh() -> None:
    tf.reset_default_graph()


def trained(folder: Path, value: float) -> str:
    """A checkpoint with one variable and a step of 3."""
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.Variable(value, name="w")
        step = tf.train.get_or_create_global_step()
        sess.run(tf.global_variables_initializer())
        sess.run(step.assign(3))
        path: str = tf.train.Saver().save(sess, str(folder / "model"), global_step=3)
        return path


def metric() -> Any:
    w = tf.Variable(0.0, name="w")
    tf.train.get_or_create_global_step()
    data = tf.data.Dataset.range(10).repeat().make_one_shot_iterator().get_next()
    return tf.metrics.mean(tf.cast(data, tf.float32) * w)


def test_once(tmp_path: Path) -> None:
    path = trained(tmp_path, 2.0)
    value, update = metric()
    runs = training.StopAfterNEvalsHook(4)
    found = training.evaluate_once(path, eval_ops=update, final_ops=value, hooks=[runs])
    assert found == pytest.approx(2.0 * np.mean([0, 1, 2, 3]))
    assert tf.get_collection(tf.GraphKeys.EVAL_STEP)[0].name == "eval_step:0"


def test_until_the_data_ends(tmp_path: Path) -> None:
    path = trained(tmp_path, 1.0)
    w = tf.Variable(0.0, name="w")
    tf.train.get_or_create_global_step()
    data = tf.data.Dataset.range(5).make_one_shot_iterator().get_next()
    total, update = tf.metrics.mean(tf.cast(data, tf.float32) * w)
    got = training.evaluate_once(path, eval_ops={"u": update}, final_ops={"total": total})
    assert got == {"total": pytest.approx(2.0)}


def test_repeatedly_and_summaries(tmp_path: Path) -> None:
    trained(tmp_path, 3.0)
    value, update = metric()
    tf.summary.scalar("mean", value)
    hooks = [training.StopAfterNEvalsHook(2), training.SummaryAtEndHook(str(tmp_path / "log"))]
    got = training.evaluate_repeatedly(
        str(tmp_path), eval_ops=[update], final_ops=value, hooks=hooks, eval_interval_secs=0,
        max_number_of_evaluations=1,
    )  # fmt: skip
    assert got == pytest.approx(1.5)
    (events,) = (tmp_path / "log").iterdir()
    scalars = [
        (e.step, v.tag, v.simple_value)
        for e in tf.train.summary_iterator(str(events))
        for v in e.summary.value
    ]
    assert scalars == [(3, "mean_1", pytest.approx(1.5))]
    with pytest.raises(ValueError, match="should not both be None"):
        training.SummaryAtEndHook()


def test_slim(tmp_path: Path) -> None:
    path = trained(tmp_path, 2.0)
    value, update = metric()
    got = tf_slim.evaluation.evaluate_once(
        "", path, str(tmp_path / "log"), num_evals=3, eval_op=update, final_op=value,
        variables_to_restore=tf_slim.get_variables_to_restore(),
    )  # fmt: skip
    assert got == pytest.approx(2.0)
    tf.reset_default_graph()  # the first evaluation made the graph final
    value, update = metric()
    last = tf_slim.evaluation.evaluation_loop(
        "", str(tmp_path), str(tmp_path / "log"), num_evals=1, eval_op=update, final_op=value,
        eval_interval_secs=0, max_number_of_evaluations=1, summary_op=None,
    )  # fmt: skip
    assert last == pytest.approx(0.0)


def test_waiting(tmp_path: Path) -> None:
    assert training.wait_for_new_checkpoint(str(tmp_path), timeout=0.05) is None
    path = trained(tmp_path, 1.0)
    assert training.wait_for_new_checkpoint(str(tmp_path)) == path
    assert training.wait_for_new_checkpoint(str(tmp_path), path, timeout=0.05) is None


def test_train(tmp_path: Path) -> None:
    w = tf.Variable(5.0)
    loss = tf.square(w)
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(
        [tf.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)]
    ):
        op = tf.identity(loss)
    hooks = [tf.train.StopAtStepHook(last_step=5)]
    last = training.train(op, str(tmp_path), hooks=hooks, save_summaries_steps=None)
    assert float(last) == pytest.approx(25.0 * 0.64**4, rel=0.4)
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("-5")
    with pytest.raises(ValueError, match="logdir"):
        training.train(op, None)
