"""Parts of contrib: decoupled decay, SciPy's optimizers, preprocessing, HParams, TPUEstimator."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.mark.parametrize("only", [False, True])
def test_decay_comes_before_the_update(only: bool) -> None:
    """In TensorFlow decay and gradient race; here the gradient is that of the start."""
    with tf.Graph().as_default(), tf.Session() as s:
        v = tf.get_variable("v", initializer=np.array([1.0, -2.0], np.float32))
        w = tf.get_variable("w", initializer=np.float32(3.0))
        loss = tf.reduce_sum(tf.square(v)) + tf.square(w)
        kind = tf.contrib.opt.extend_with_decoupled_weight_decay(tf.train.GradientDescentOptimizer)
        opt = kind(0.1, learning_rate=0.05)
        train = opt.minimize(loss, decay_var_list=[v] if only else None)
        s.run(tf.global_variables_initializer())
        s.run(train)
        np.testing.assert_allclose(s.run(v), np.array([1.0, -2.0]) * (0.9 - 0.1), rtol=1e-6)
        np.testing.assert_allclose(s.run(w), 3.0 * ((1.0 if only else 0.9) - 0.1), rtol=1e-6)


@pytest.mark.parametrize("kind", ["AdamW", "MomentumW"])
def test_decay_with_other_optimizers(kind: str) -> None:
    values = []
    for decay in (None, 0.25):
        with tf.Graph().as_default(), tf.Session() as s:
            v = tf.get_variable("v", initializer=np.array([1.0, -2.0], np.float32))
            loss = tf.reduce_sum(tf.square(v))
            if kind == "AdamW":
                plain: Any = tf.train.AdamOptimizer(0.1)
                opt = plain if decay is None else tf.contrib.opt.AdamWOptimizer(decay, 0.1)
            else:
                plain = tf.train.MomentumOptimizer(0.1, 0.9)
                opt = plain if decay is None else tf.contrib.opt.MomentumWOptimizer(decay, 0.1, 0.9)
            train = opt.minimize(loss)
            s.run(tf.global_variables_initializer())
            s.run(train)
            values.append(s.run(v))
    np.testing.assert_allclose(values[1], values[0] - 0.25 * np.array([1.0, -2.0]), rtol=1e-5)


def test_scipy_interface() -> None:
    pytest.importorskip("scipy")
    with tf.Graph().as_default(), tf.Session() as s:
        v = tf.get_variable("v", initializer=np.array([7.0, 7.0], np.float32))
        loss = tf.reduce_sum(tf.square(v))
        low = tf.contrib.opt.ScipyOptimizerInterface(loss, options={"maxiter": 100})
        seen: list[Any] = []
        s.run(tf.global_variables_initializer())
        low.minimize(s, fetches=[loss], loss_callback=seen.append)
        np.testing.assert_allclose(s.run(v), 0.0, atol=1e-4)
        assert seen[0] == 98.0
        bound = tf.contrib.opt.ScipyOptimizerInterface(loss, var_to_bounds={v: ([1, 2], np.inf)})
        bound.minimize(s)
        np.testing.assert_allclose(s.run(v), [1.0, 2.0], atol=1e-5)
        kept = tf.contrib.opt.ScipyOptimizerInterface(
            loss, equalities=[v[0] - 3.0], inequalities=[v[1] - 0.5], method="SLSQP"
        )
        kept.minimize(s)
        np.testing.assert_allclose(s.run(v), [3.0, 0.5], atol=1e-4)


def test_vocabulary_processor(tmp_path: pathlib.Path) -> None:
    """Ids as TensorFlow 1.15 gave them for these texts."""
    learn = tf.contrib.learn.preprocessing
    texts = ["I'm the best, don't you know?", "The the best of the BEST", "know-how"]
    p = learn.VocabularyProcessor(5)
    got = np.array(list(p.fit_transform(texts)))
    assert got.tolist() == [[1, 2, 3, 4, 5], [7, 2, 3, 8, 2], [10, 0, 0, 0, 0]]
    assert len(p.vocabulary_) == 11
    assert list(p.reverse(got[:1])) == ["I'm the best don't you"]
    assert np.array(list(p.transform(["nobody the"]))).tolist() == [[0, 2, 0, 0, 0]]
    p.save(str(tmp_path / "v"))
    again = learn.VocabularyProcessor.restore(str(tmp_path / "v"))
    assert np.array(list(again.transform(texts))).tolist() == got.tolist()
    rare = learn.VocabularyProcessor(4, min_frequency=1)
    assert np.array(list(rare.fit_transform(texts)))[1].tolist() == [0, 1, 2, 0]
    (tmp_path / "x").write_bytes(b"\x80\x03pickle")
    with pytest.raises(ValueError, match="fit the processor again"):
        learn.VocabularyProcessor.restore(str(tmp_path / "x"))


def test_hparams() -> None:
    h = tf.contrib.training.HParams(rate=0.1, layers=[1, 2], name="a", deep=False, n=3)
    h.parse("rate=1,layers=[3, 4],name=b,deep=true")
    assert h.values() == {"rate": 1.0, "layers": [3, 4], "name": "b", "deep": True, "n": 3}
    h.parse("layers[1]=9").set_hparam("n", 4)
    assert (h.layers, h.n, h.get("none", 5), "n" in h) == ([3, 9], 4, 5, True)
    assert tf.contrib.training.HParams(a=1).parse_json('{"a": 2}').a == 2
    for bad in ("n=1.5", "none=1", "n==", "n=[1,2]"):
        with pytest.raises(ValueError, match=r"parse|Unknown|Malformed|Must not pass"):
            h.parse(bad)
    with pytest.raises(ValueError, match="Could not cast"):
        h.set_hparam("n", "text")
    with pytest.raises(ValueError, match="reserved"):
        h.add_hparam("n", 1)


def test_tpu_estimator_without_a_tpu(tmp_path: pathlib.Path) -> None:
    tpu = tf.contrib.tpu

    def model_fn(features: Any, labels: Any, mode: Any, params: Any) -> Any:
        w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
        loss = tf.reduce_mean(tf.square(features - w))
        train = tf.train.GradientDescentOptimizer(0.5).minimize(
            loss, global_step=tf.train.get_global_step()
        )

        def metrics(x: Any) -> Any:
            return {"mean": tf.metrics.mean(x)}

        return tpu.TPUEstimatorSpec(
            mode, loss=loss, train_op=train, eval_metrics=(metrics, [features]),
            predictions={"x": features},
        )  # fmt: skip

    def input_fn(params: Any) -> Any:
        x = np.arange(8, dtype=np.float32)
        return tf.data.Dataset.from_tensor_slices(x).batch(params["batch_size"])

    config = tpu.RunConfig(model_dir=str(tmp_path), tpu_config=tpu.TPUConfig(iterations_per_loop=5))
    e = tpu.TPUEstimator(
        model_fn, config=config, use_tpu=False, train_batch_size=8, eval_batch_size=4,
        predict_batch_size=2,
    )  # fmt: skip
    e.train(input_fn)
    assert e.get_variable_value("w") == 3.5
    result = e.evaluate(input_fn)
    assert (result["mean"], result["global_step"]) == (3.5, 1)
    assert [p["x"] for p in e.predict(input_fn)] == list(range(8))
    with pytest.raises(tf.errors.UnimplementedError, match="use_tpu=False"):
        tpu.TPUEstimator(model_fn)


def test_tpu_estimator_counts_steps_in_a_resource_variable() -> None:
    """What TF 1.15 draws for a variable depends on the operations that its step is made of."""
    tpu = tf.estimator.tpu
    assert tpu.TPUEstimator is tf.compat.v1.estimator.tpu.TPUEstimator
    counts = {}

    def model_fn(features: Any, labels: Any, mode: Any, params: Any) -> Any:
        counts[mode] = tf.get_default_graph()._last_id
        step = tf.train.get_global_step()
        assert step.dtype is tf.int64  # of a reference it is int64_ref
        w = tf.get_variable("w", [3], initializer=tf.random_normal_initializer())
        loss = tf.reduce_sum(w * w * features)
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, step)
        counts[mode] = counts[mode], tf.get_default_graph()._last_id
        return tpu.TPUEstimatorSpec(mode, loss=loss, train_op=train)

    e = tpu.TPUEstimator(
        model_fn, use_tpu=False, train_batch_size=2, eval_batch_size=2,
        config=tpu.RunConfig(tf_random_seed=3),
    )  # fmt: skip
    e.train(lambda params: tf.data.Dataset.from_tensors(tf.ones([3])).repeat(), steps=2)
    e.evaluate(lambda params: tf.data.Dataset.from_tensors(tf.ones([3])).repeat(), steps=2)
    assert counts == {"train": (28, 64), "eval": (16, 52)}
    np.testing.assert_allclose(
        e.get_variable_value("w"), [0.40398312, -0.4549548, 0.42882675], rtol=1e-6
    )


def test_estimators_make_their_step_by_a_method() -> None:
    class Mine(tf.estimator.Estimator):
        def _create_global_step(self, graph: Any) -> Any:
            with graph.as_default():
                v = tf.get_variable(
                    "mine", [], tf.int64, tf.zeros_initializer(), trainable=False,
                    collections=[tf.GraphKeys.GLOBAL_STEP, tf.GraphKeys.GLOBAL_VARIABLES],
                )  # fmt: skip
            return v

    def model_fn(features: Any, labels: Any, mode: Any) -> Any:
        step = tf.train.get_global_step()
        assert step.op.name == "mine"
        return tf.estimator.EstimatorSpec(mode, loss=features, train_op=tf.assign_add(step, 1))

    e = Mine(model_fn)
    e.train(lambda: tf.data.Dataset.from_tensors(1.0).repeat(), steps=3)
    assert e.get_variable_names() == ["mine"]
    assert e.get_variable_value("mine") == 3


def test_prefetch_of_none_is_chosen_by_itself() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        item = tf.data.Dataset.range(2).prefetch(None).make_one_shot_iterator().get_next()
        assert [s.run(item), s.run(item)] == [0, 1]
