"""Special functions, random numbers of distributions, and small rest: values of TF 1.15."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


NAN, INF = np.nan, np.inf
VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "zeta": (lambda: tf.zeta([2.0, 3.5], [1.0, 2.5]), [1.644934, 0.06517126]),
    "zeta poles": (lambda: tf.zeta([1.0, 0.5, 2.0], [1.0, 1.0, -1.0]), [INF, NAN, INF]),
    "polygamma": (
        lambda: tf.polygamma([1.0, 2.0, 0.0], [1.5, 2.0, 3.0]),
        [0.93480223, -0.40411383, 0.9227842],
    ),
    "igamma": (
        lambda: tf.igamma([0.5, 2.0, 5.0], [0.3, 3.0, 4.0]), [0.56142205, 0.8008517, 0.37116304],
    ),
    "igamma edges": (lambda: tf.igamma([0.0, 1.0, -1.0], [1.0, 0.0, 1.0]), [NAN, 0, NAN]),
    "igammac": (
        lambda: tf.igammac([0.5, 2.0, 5.0], [0.3, 3.0, 4.0]), [0.43857795, 0.19914828, 0.628837],
    ),
    "betainc": (
        lambda: tf.betainc([0.5, 2.0, 5.0], [1.0, 3.0, 0.7], [0.3, 0.5, 0.9]),
        [0.5477226, 0.6875, 0.4358757],
    ),
    "betainc edges": (lambda: tf.betainc([1.0, 0.0], [1.0, 1.0], [1.5, 0.5]), [NAN, NAN]),
    "lbeta": (lambda: tf.lbeta([[1.0, 2.0], [3.0, 0.5]]), [-0.6931472, 0.06453848]),
    "reciprocal_no_nan": (lambda: tf.math.reciprocal_no_nan([2.0, 0.0]), [0.5, 0]),
    "gather_nd": (
        lambda: tf.gather_nd(
            np.arange(12).reshape(2, 2, 3), [[[1], [0]], [[0], [1]]], batch_dims=1
        ),
        [[[3, 4, 5], [0, 1, 2]], [[6, 7, 8], [9, 10, 11]]],
    ),
    "sparse_matmul": (
        lambda: tf.sparse_matmul([[1.0, 0.0]], [[2.0], [3.0]], a_is_sparse=True), [[2]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(sess: Any, name: str) -> None:
    make, want = VALUES[name]
    np.testing.assert_allclose(sess.run(make()), want, rtol=2e-6)


GRADIENTS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "igamma": (lambda x: tf.igamma(np.float64(2.0), x), 1.7),
    "igammac": (lambda x: tf.igammac(np.float64(0.5), x), 0.4),
    "betainc": (lambda x: tf.betainc(np.float64(2.0), np.float64(3.0), x), 0.3),
    "zeta": (lambda q: tf.zeta(np.float64(2.5), q), 1.2),
    "polygamma": (lambda x: tf.polygamma(np.float64(1.0), x), 2.2),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(sess: Any, name: str) -> None:
    f, at = GRADIENTS[name]
    x = tf.placeholder(tf.float64, [2])
    y = f(x)
    point = np.array([at, at + 0.2])
    h = 1e-5
    slope = (sess.run(y, {x: point + h}) - sess.run(y, {x: point - h})) / (2 * h)
    np.testing.assert_allclose(sess.run(tf.gradients(y, x)[0], {x: point}), slope, rtol=1e-6)


def test_distributions(sess: Any) -> None:
    tf.set_random_seed(1)
    g = tf.random_gamma([20000], [1.0, 4.0], beta=[1.0, 2.0], seed=2)
    p = tf.random_poisson([0.5, 6.0], [20000], seed=3)
    assert (g.shape.as_list(), p.shape.as_list()) == ([20000, 2], [20000, 2])
    a, b = sess.run([g, p])
    assert a.dtype == b.dtype == np.float32
    np.testing.assert_allclose(a.mean(0), [1.0, 2.0], atol=0.05)
    np.testing.assert_allclose(a.var(0), [1.0, 1.0], atol=0.08)
    np.testing.assert_allclose(b.mean(0), [0.5, 6.0], atol=0.1)
    np.testing.assert_allclose(b.var(0), [0.5, 6.0], atol=0.3)
    assert not np.array_equal(sess.run(g), a)
    with tf.Session() as again:
        np.testing.assert_array_equal(again.run(g), a)
        assert again.run(tf.random.poisson(3.0, [2], dtype=tf.int64)).dtype == np.int64


def test_count_up_to(sess: Any) -> None:
    v = tf.Variable(0)
    sess.run(v.initializer)
    count = tf.count_up_to(v, 2)
    assert [sess.run(count), sess.run(v.count_up_to(2))] == [0, 1]
    with pytest.raises(tf.errors.OutOfRangeError, match="Reached limit of 2"):
        sess.run(count)
    assert sess.run(v) == 2


def test_static_broadcast() -> None:
    assert tf.broadcast_static_shape(tf.TensorShape([1, 3]), tf.TensorShape([5, 3])) == [5, 3]
    assert tf.broadcast_static_shape([None, 1], [4]).as_list() == [None, 4]
    with pytest.raises(ValueError, match=r"Incompatible shapes for broadcasting: \(2, 3\) and"):
        tf.broadcast_static_shape([2, 3], [5, 3])
