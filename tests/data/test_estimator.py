"""`train_and_evaluate` and how estimators call the functions they are given.

Numbers are those of TensorFlow 1.15.
"""

from __future__ import annotations

import functools
import pathlib
import types
from typing import Any

import pytest

import graphc as tf


def model_fn(features: Any, labels: Any, mode: str, params: Any) -> Any:
    params.setdefault("modes", []).append(mode)
    w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
    loss = tf.reduce_mean(tf.square(w * features - labels))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(
        loss, global_step=tf.train.get_global_step()
    )
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def numbers(count: int) -> Any:
    x = tf.data.Dataset.range(count).map(lambda i: tf.cast(i, tf.float32))
    return x.map(lambda v: (v, 2.0 * v)).batch(1)


def steps_of(folder: pathlib.Path) -> int:
    return int(tf.train.load_variable(str(folder), "global_step"))


@pytest.mark.parametrize(("throttle", "evaluations"), [(0, 3), (600, 2)])
def test_training_goes_on_behind_an_evaluation(
    tmp_path: pathlib.Path, throttle: int, evaluations: int
) -> None:
    """The data is read once: it does not begin again behind an evaluation."""
    seen: list[int] = []

    def evaluated() -> Any:
        seen.append(1)
        return numbers(2)

    config = tf.estimator.RunConfig(save_checkpoints_steps=4, tf_random_seed=1)
    e = tf.estimator.Estimator(model_fn, str(tmp_path), config, {})
    result = tf.estimator.train_and_evaluate(
        e,
        tf.estimator.TrainSpec(lambda: numbers(9), max_steps=100),
        tf.estimator.EvalSpec(evaluated, steps=None, throttle_secs=throttle),
    )
    assert steps_of(tmp_path) == 9
    assert len(seen) == evaluations
    assert result[0]["global_step"] == 9
    assert result[1] == []


def test_nothing_to_train(tmp_path: pathlib.Path) -> None:
    e = tf.estimator.Estimator(model_fn, str(tmp_path), params={})
    e.train(lambda: numbers(3))
    specs = (
        tf.estimator.TrainSpec(lambda: numbers(3), max_steps=3),
        tf.estimator.EvalSpec(lambda: numbers(3)),
    )
    assert tf.estimator.train_and_evaluate(e, *specs) == (None, None)


def test_what_a_partial_has_bound_stays(tmp_path: pathlib.Path) -> None:
    seen: list[Any] = []

    def input_fn(mode: Any, params: Any) -> Any:
        seen.append((mode, params["n"]))
        return numbers(params["n"])

    e = tf.estimator.Estimator(model_fn, str(tmp_path), params={"n": 5})
    e.train(functools.partial(input_fn, params={"n": 2}))
    e.train(functools.partial(input_fn, "mine"))
    assert seen == [("train", 2), ("mine", 5)]


def test_evaluation_of_no_data(tmp_path: pathlib.Path) -> None:
    e = tf.estimator.Estimator(model_fn, str(tmp_path), params={})
    e.train(lambda: numbers(3))
    assert e.evaluate(lambda: numbers(0)) == {"loss": 0.0, "global_step": 3}


def test_a_model_of_one_tensor_is_exported(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tensorboard")

    def doubled(features: Any, labels: Any, mode: str) -> Any:
        w = tf.get_variable("w", [], initializer=tf.constant_initializer(2.0))
        y = w * features
        if mode == tf.estimator.ModeKeys.PREDICT:
            out = tf.estimator.export.PredictOutput({"out": y})
            return tf.estimator.EstimatorSpec(
                mode, predictions=y, export_outputs={"serving_default": out}
            )
        loss = tf.reduce_mean(y)
        train = tf.assign_add(tf.train.get_global_step(), 1).op
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)

    def receiver() -> Any:
        x = tf.placeholder(tf.float32, [None])
        return tf.estimator.export.TensorServingInputReceiver(x, x)

    e = tf.estimator.Estimator(doubled, str(tmp_path / "model"))
    e.train(lambda: numbers(1))
    path = e.export_savedmodel(str(tmp_path / "served"), receiver)
    with tf.Graph().as_default(), tf.Session() as sess:
        made = tf.saved_model.loader.load(sess, ["serve"], path.decode())
        signature = made.signature_def["serving_default"]
        x, y = signature.inputs["input"].name, signature.outputs["out"].name
        assert sess.run(y, {x: [3.0]}).tolist() == [6.0]


@pytest.mark.parametrize(
    "given", [tf.contrib.training.HParams(rate=0.5), types.SimpleNamespace(rate=0.5)]
)
def test_parameters_may_be_an_object(given: Any, tmp_path: pathlib.Path) -> None:
    seen = []

    def model(features: Any, labels: Any, mode: str, params: Any) -> Any:
        seen.append(params)
        w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
        loss = tf.square(w - labels)
        train = tf.train.GradientDescentOptimizer(params.rate).minimize(
            loss, tf.train.get_global_step()
        )
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)

    made = tf.estimator.Estimator(model, str(tmp_path), params=given)
    made.train(lambda: ({}, tf.constant(3.0)), steps=1)
    assert made.get_variable_value("w") == 3.0
    assert type(seen[0]) is type(given)
    assert seen[0] is not given
    seen[0].rate = 7.0
    assert made.params.rate == 0.5
