"""slim's loop, its operations and its words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf

slim = tf.contrib.slim


def model() -> tuple[object, object]:
    x = tf.constant(np.cos(np.arange(12.0)).reshape(4, 3).astype(np.float32))
    h = slim.fully_connected(x, 4, scope="a", outputs_collections="ends")
    y = slim.fully_connected(h, 1, activation_fn=None, scope="b", outputs_collections="ends")
    return y, tf.losses.mean_squared_error(tf.ones([4, 1]), y)


def test_create_train_op_takes_a_step() -> None:
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        _, loss = model()
        with tf.control_dependencies(None):
            seen = tf.Variable(0.0, trainable=False)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_add(seen, 1.0))
        op = slim.learning.create_train_op(
            loss, tf.train.GradientDescentOptimizer(0.1), clip_gradient_norm=0.5,
            gradient_multipliers={"a/weights": 2.0}, summarize_gradients=True,
        )  # fmt: skip
        assert op.name == "train_op/Identity:0"
        assert tf.get_collection(tf.GraphKeys.TRAIN_OP)[-1] is op
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            losses = [float(sess.run(op)) for _ in range(30)]
            assert losses[-1] < 0.5 * losses[0]
            assert sess.run(seen) == 30.0
            assert sess.run(tf.train.get_global_step()) == 30
        assert list(slim.utils.convert_collection_to_dict("ends")) == ["a", "b"]


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    with tf.Graph().as_default():
        v = tf.Variable(0.0)
        op = slim.learning.create_train_op(tf.log(v), tf.train.GradientDescentOptimizer(0.1))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            with pytest.raises(tf.errors.InvalidArgumentError, match="LossTensor is inf or nan"):
                sess.run(op)


def test_train_stops_saves_and_goes_on(tmp_path: Path) -> None:
    final = []
    for steps in (5, 9):
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            _, loss = model()
            op = slim.learning.create_train_op(loss, tf.train.GradientDescentOptimizer(0.05))
            here = str(tmp_path)
            loss = slim.learning.train(
                op, here, number_of_steps=steps, log_every_n_steps=0, summary_writer=None
            )
            final.append(loss)
            assert tf.train.latest_checkpoint(here) == str(tmp_path / f"model.ckpt-{steps}")
    assert final[1] < final[0]


def test_model_analyzer(capsys: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default():
        model()
        assert slim.model_analyzer.analyze_vars(slim.get_model_variables(), True) == (21, 84)
    said = capsys.readouterr().out
    assert "a/weights:0 (float32_ref 3x4) [12, bytes: 48]" in said
    assert "Total bytes of variables: 84" in said


def test_names() -> None:
    assert slim.xavier_initializer is tf.contrib.layers.xavier_initializer
    assert slim.initializers.xavier_initializer is slim.xavier_initializer
    assert slim.losses.softmax_cross_entropy is tf.contrib.losses.softmax_cross_entropy
    assert slim.arg_scope is tf.contrib.framework.arg_scope
    assert slim.layers.conv2d is slim.conv2d
    with pytest.raises(ValueError, match="is not decorated with @add_arg_scope"):
        with slim.arg_scope([print], x=1):
            pass
    with pytest.raises(TypeError, match="list_ops_or_scope must either be"):
        with slim.arg_scope(slim.conv2d, x=1):
            pass
    with pytest.raises(ValueError, match="kwargs must be empty"):
        with slim.arg_scope({}, x=1):
            pass
