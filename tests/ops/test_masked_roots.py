"""Gradients of roots and reciprocals are 0 where none arrives, as in TensorFlow 1.15's kernels."""

import numpy as np
import pytest

import graphc as tf

#: At 0, -1, inf and NaN, of which nothing is asked; and what an upstream gradient of 2 gives at 4.
AT_4 = {"sqrt": 0.5, "rsqrt": -0.125, "reciprocal": -0.125}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("name", sorted(AT_4))
def test_nothing_arrives(name, dtype):
    x = tf.placeholder(dtype, [None])
    up = tf.placeholder(dtype, [None])
    g = tf.gradients(getattr(tf.math, name)(x), x, grad_ys=up)[0]
    with tf.Session() as sess:
        got = sess.run(g, {x: [0.0, -1.0, np.inf, np.nan, 4.0], up: [0.0, 0.0, 0.0, 0.0, 2.0]})
    np.testing.assert_allclose(got, [0, 0, 0, 0, AT_4[name]], rtol=1e-3)


def test_root_behind_a_mask():
    x = tf.placeholder(tf.float32, [3])
    y = tf.where(x > 0, tf.sqrt(x), tf.zeros_like(x))
    g = tf.gradients(tf.reduce_sum(y), x)[0]
    with tf.Session() as sess:
        assert sess.run(g, {x: [0.0, 4.0, -1.0]}).tolist() == [0.0, 0.25, 0.0]


def test_second_derivative_by_what_arrives():
    """A gradient that is 0 is still linear: what it would be multiplied by is its derivative."""
    x = tf.placeholder(tf.float32, [2])
    up = tf.placeholder(tf.float32, [2])
    g = tf.gradients(tf.sqrt(x), x, grad_ys=up)[0]
    by_up = tf.gradients(g, up)[0]
    with tf.Session() as sess:
        assert sess.run(by_up, {x: [1.0, 4.0], up: [0.0, 1.0]}).tolist() == [0.5, 0.25]


def test_clip_by_average_norm_at_zero():
    x = tf.placeholder(tf.float32, [2])
    y = tf.clip_by_average_norm(x, 1.0)
    with tf.Session() as sess:
        y, g = sess.run([y, tf.gradients(y, x)[0]], {x: [0.0, 0.0]})
    assert y.tolist() == [0.0, 0.0]
    assert g.tolist() == [1.0, 1.0]


#: The value at (1+2j, 2) and (0, 1j), and gradients by both operands with upstream 1+1j: TensorFlow
#: conjugates nothing in the gradients of these three.
COMPLEX = {
    "multiply_no_nan": ([2 + 4j, 0], [2 + 2j, -1 + 1j], [-1 + 3j, 0]),
    "xlogy": ([np.log(2) * (1 + 2j), 0], [np.log(2) * (1 + 1j), 0], [-0.5 + 1.5j, 0]),
    "xdivy": ([0.5 + 1j, 0], [0.5 + 0.5j, 0], [0.25 - 0.75j, 0]),
}


@pytest.mark.parametrize("name", sorted(COMPLEX))
def test_complex_numbers(name):
    x, y = (tf.placeholder(tf.complex64, [2]) for _ in range(2))
    z = getattr(tf.math, name)(x, y)
    outs = [z, *tf.gradients(z, [x, y], grad_ys=tf.constant([1 + 1j] * 2, tf.complex64))]
    with tf.Session() as sess:
        got = sess.run(outs, {x: [1 + 2j, 0], y: [2, 1j]})
    for a, b in zip(got, COMPLEX[name], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
