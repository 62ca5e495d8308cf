"""Formulas written by hand: their values and the gradients recorded beside them stay finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

BIG = [-200.0, -50.0, -1.0, 0.0, 1.0, 50.0, 200.0]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def with_gradient(f: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [None] * np.ndim(at))
    y = f(x)
    (dx,) = tf.gradients(y, x)
    with tf.Session() as s:
        return s.run([y, dx], {x: np.float32(at)})  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("f", "value", "slope"),
    [
        (lambda x: tf.log(1.0 + tf.exp(x)), lambda x: np.logaddexp(0, x), sigmoid),
        (lambda x: tf.log(tf.sigmoid(x)), lambda x: -np.logaddexp(0, -x), lambda x: sigmoid(-x)),
        (
            lambda x: tf.log(1.0 - tf.sigmoid(x)),
            lambda x: -np.logaddexp(0, x),
            lambda x: -sigmoid(x),
        ),
        (lambda x: 1.0 / (1.0 + tf.exp(-x)), sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    ],
    ids=["softplus", "log_sigmoid", "log_one_minus_sigmoid", "sigmoid"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_elementwise(f: Any, value: Any, slope: Any) -> None:
    at = np.array(BIG)
    y, dx = with_gradient(f, at)
    np.testing.assert_allclose(y, value(at), rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(dx, slope(at), rtol=1e-5, atol=1e-30)


def test_cross_entropy_by_hand() -> None:
    """-sum(t * log(softmax(x))) with a probability of 0: TF1 gives inf and NaN."""
    t = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    at = np.array([[300.0, 0.0, -5.0], [1.0, 2.0, 3.0]])
    y, dx = with_gradient(lambda x: -tf.reduce_sum(t * tf.log(tf.nn.softmax(x))), at)
    z = at - at.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    want = -(t * (z - np.log(np.exp(z).sum(1, keepdims=True)))).sum()
    np.testing.assert_allclose(y, want, rtol=1e-6)
    np.testing.assert_allclose(dx, p - t, atol=1e-6)


@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_by_hand(keepdims: bool) -> None:
    at = np.array([[300.0, 299.0, -5.0], [1.0, 2.0, 3.0]])
    y, dx = with_gradient(lambda x: tf.log(tf.reduce_sum(tf.exp(x), axis=1, keepdims=keepdims)), at)
    z = at - at.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    want = at.max(1) + np.log(np.exp(z).sum(1))
    np.testing.assert_allclose(y.reshape(-1), want, rtol=1e-6)
    np.testing.assert_allclose(dx, p, atol=1e-6)


def test_softmax_by_hand() -> None:
    at = np.array([[300.0, 299.0, -5.0], [1.0, 2.0, 3.0]])
    x = tf.placeholder(tf.float32, [None, 3])
    e = tf.exp(x)
    with tf.Session() as s:
        y = s.run(e / tf.reduce_sum(e, axis=1, keepdims=True), {x: at})
    z = at - at.max(1, keepdims=True)
    np.testing.assert_allclose(y, np.exp(z) / np.exp(z).sum(1, keepdims=True), atol=1e-6)


GELU = {
    "half_x": lambda x, t: 0.5 * x * (1.0 + t),
    "cdf": lambda x, t: x * (0.5 * (1.0 + t)),
    "last": lambda x, t: x * (t + 1.0) * 0.5,
}


@pytest.mark.parametrize("form", GELU)
def test_gelu_and_its_gradient(form: str) -> None:
    """The tanh of a gelu is a sigmoid in its gradient too; far below zero no digits are lost."""
    at = np.linspace(-6, 6, 1001)
    c, d = 0.7978845608, 0.044715

    def f(x: Any) -> Any:
        return GELU[form](x, tf.tanh(c * (x + d * x * x * x)))

    y, dx = with_gradient(f, at)
    u = c * (at + d * at**3)
    s = 1 / (1 + np.exp(-2 * u))
    slope = s + at * 2 * s * (1 - s) * c * (1 + 3 * d * at**2)
    np.testing.assert_allclose(y, at * s, rtol=1e-5)
    np.testing.assert_allclose(dx, slope, rtol=2e-5, atol=1e-6)
    below = at < -0.1
    np.testing.assert_allclose(dx[below], slope[below], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("fetched", [False, True])
def test_a_tanh_that_is_read_elsewhere_stays(fetched: bool) -> None:
    g = tf.Graph()
    with g.as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        t = tf.tanh(x)
        y = 1.0 + t
        (dx,) = tf.gradients(y, x)
        z = [y, dx, t] if fetched else [y, dx]
        text = tf.dump(z, stage="stabilize")
    assert ("tanh" in text.lower().replace("%tanh", "").replace("/tanh", "")) is fetched
    assert ("= sigmoid" in text) is not fetched
