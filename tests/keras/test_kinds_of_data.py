"""Dictionaries and tensors as data of models; the numbers are TensorFlow 1.15's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

R = np.random.RandomState(0)
X = {"z": R.rand(6, 2).astype("f"), "a": R.rand(6, 3).astype("f")}
Y = R.rand(6, 1).astype("f")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    tf.keras.backend.clear_session()
    yield
    tf.keras.backend.clear_session()


class Named(tf.keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.a = tf.keras.layers.Dense(1, kernel_initializer="ones")
        self.b = tf.keras.layers.Dense(1, kernel_initializer="zeros")

    def call(self, inputs: Any) -> Any:
        return self.a(inputs["z"]) + self.b(inputs["a"])


@pytest.mark.parametrize("as_dataset", [False, True])
def test_a_subclass_gets_the_dictionary_it_is_trained_on(as_dataset: bool) -> None:
    m = Named()
    m.compile("sgd", "mse", metrics=[["mae"]])  # one list for the one output
    if as_dataset:
        data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(3)
        h = m.fit(data, epochs=2, verbose=0)
    else:
        h = m.fit(X, Y, epochs=2, verbose=0, shuffle=False, batch_size=3)
    assert m.input_names == ["a", "z"]
    np.testing.assert_allclose(h.history["loss"], [0.681529, 0.525802], rtol=1e-5)
    np.testing.assert_allclose(h.history["mean_absolute_error"], [0.771684, 0.662436], rtol=1e-5)
    np.testing.assert_allclose(m.evaluate(X, Y, verbose=0), [0.43456444, 0.585851], rtol=1e-5)
    np.testing.assert_allclose(m.predict(X)[:2, 0], [1.0508821, 0.96749836], rtol=1e-5)
    with pytest.raises(ValueError, match=r'No data provided for "a"\. Need data for each key in'):
        m.predict({"z": X["z"]})


def test_data_tensors() -> None:
    dense = tf.keras.layers.Dense(1, input_shape=(2,), kernel_initializer="ones")
    m = tf.keras.Sequential([dense])
    x, y = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.0], [2.0]])
    assert m.predict(x, steps=2).ravel().tolist() == [3.0, 7.0, 3.0, 7.0]
    with pytest.raises(ValueError, match="specify the `steps` argument"):
        m.predict(x)
    m.compile("sgd", "mse")
    with pytest.raises(ValueError, match="specify the `steps_per_epoch` argument"):
        m.fit(x, y)
    h = m.fit(x, y, steps_per_epoch=2, epochs=2, verbose=0)
    np.testing.assert_allclose(
        h.history["loss"], [10.652499198913574, 2.365509033203125], rtol=1e-5
    )
    np.testing.assert_allclose(m.evaluate(x, y, steps=2, verbose=0), 0.7372663, rtol=1e-4)


def test_reductions() -> None:
    kinds = tf.compat.v2.losses.Reduction
    assert kinds.all() == ("auto", "none", "sum", "sum_over_batch_size")
    x, y = tf.constant([[1.0, 2.0], [3.0, 5.0]]), tf.zeros([2, 2])
    with tf.Session() as s:
        each, total = (tf.keras.losses.MeanSquaredError(k)(x, y) for k in (kinds.NONE, kinds.SUM))
        assert s.run(each).tolist() == [2.5, 17.0]
        assert s.run(total) == 19.5
    with pytest.raises(ValueError, match=r"Invalid Reduction Key weighted_mean\."):
        tf.keras.losses.MeanSquaredError(reduction=tf.losses.Reduction.MEAN)


class Summing(tf.keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        self.add_metric(tf.reduce_sum(x, 1), aggregation="mean", name="sums")
        self.add_loss(tf.reduce_mean(x) * 0.5)
        return x


class Phased(tf.keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.dense = tf.keras.layers.Dense(1, kernel_initializer="ones")
        self.summing = Summing()

    def call(self, x: Any, training: Any = False) -> Any:
        y = self.dense(self.summing(x, training=training))  # which does not ask for it
        phase = tf.cond(training, lambda: tf.constant(3.0), lambda: tf.constant(1.0))
        self.add_metric(phase, name="phase", aggregation="mean")
        self.add_loss(phase)
        return y


def test_subclasses_are_told_the_phase_and_report_metrics() -> None:
    x = np.arange(10, dtype="f").reshape(5, 2) / 10
    m = Phased()
    m.compile("sgd", "mse", metrics=["mae"])
    h = m.fit(x, x[:, :1], epochs=2, batch_size=2, verbose=0, shuffle=False)
    expected = {
        "loss": [3.542439, 3.487215], "mean_absolute_error": [0.492278, 0.439698],
        "phase": [3.0, 3.0], "sums": [0.9, 0.9],
    }  # fmt: skip
    assert sorted(h.history) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(h.history[name], values, rtol=1e-5)
    found = dict(
        zip(m.metrics_names, m.evaluate(x, x[:, :1], batch_size=2, verbose=0), strict=True)
    )
    np.testing.assert_allclose(found["loss"], 1.450168, rtol=1e-5)
    assert found["phase"] == 1.0


class Asking(tf.keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.norm = tf.keras.layers.BatchNormalization(momentum=0.5)
        self.dense = tf.keras.layers.Dense(1, kernel_initializer="ones")

    def call(self, x: Any, training: Any = None) -> Any:
        x = self.norm(x, training=training)
        if training:
            x = x * 2.0
        return self.dense(x)


def test_a_subclass_may_ask_for_the_phase() -> None:
    x = np.arange(10, dtype="f").reshape(5, 2) / 10
    m = Asking()
    m.compile(tf.train.GradientDescentOptimizer(0.0), "mse")
    h = m.fit(x, x[:, :1], epochs=2, batch_size=5, verbose=0, shuffle=False)
    np.testing.assert_allclose(h.history["loss"], [13.793737, 13.793737], rtol=1e-5)
    np.testing.assert_allclose(m.evaluate(x, x[:, :1], verbose=0), 0.535138726, rtol=1e-5)
    np.testing.assert_allclose(m.norm.get_weights()[2], [0.3, 0.375], rtol=1e-5)
    assert len(m.updates) == 2
