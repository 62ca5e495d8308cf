"""Nets in bfloat16: products by the CPU's instruction where it has one, rounded where TF rounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm.cpu import host

Array = np.ndarray[Any, Any]


def rounded(x: Any) -> Array:
    """The nearest numbers of bfloat16, halves to even."""
    u = np.asarray(x, np.float32).view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def near(got: Array, want: Array, roundings: int = 1, scale: Any = 0.0) -> None:
    """Equal but for so many roundings to bfloat16 of numbers of the size of `scale`."""
    bound = roundings * 2.0**-8 * np.maximum(np.abs(want), scale) + 1e-6
    np.testing.assert_array_less(np.abs(got - want), bound)


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_products_of_unknown_sizes(ta: bool, tb: bool) -> None:
    a = tf.placeholder(tf.bfloat16, [None, None])
    b = tf.placeholder(tf.bfloat16, [None, None])
    product = tf.matmul(a, b, transpose_a=ta, transpose_b=tb)
    outs = [product, tf.cast(product, tf.float32)]
    found = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            for m, k, n in ((1, 70, 40), (3, 2, 1), (40, 129, 65), (300, 600, 200)):
                rng = np.random.default_rng(m)
                x, y = (rounded(rng.normal(size=s)) for s in ((m, k), (k, n)))
                feed = {a: x.T if ta else x, b: y.T if tb else y}
                got, wide = sess.run(outs, feed)
                near(got, x.astype(np.float64) @ y, 1, np.abs(x) @ np.abs(y) * 2.0**-12)
                np.testing.assert_array_equal(got, rounded(got))
                np.testing.assert_array_equal(got, wide)  # the cast is of what TF's product gives
                found.append(got.tobytes())
    assert found[: len(found) // 2] == found[len(found) // 2 :]


def test_a_dense_layer_and_its_gradients() -> None:
    rng = np.random.default_rng(2)
    x, w, b = (rounded(rng.normal(size=s)) for s in ((33, 47), (47, 20), (20,)))
    at = tf.placeholder(tf.bfloat16, [None, 47])
    weights, bias = (tf.Variable(tf.cast(v, tf.bfloat16)) for v in (w, b))
    y = tf.nn.relu(tf.matmul(at, weights) + bias)
    grads = tf.gradients(y, [weights, at])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got, dw, dx = sess.run([y, *grads], {at: x})
    before = rounded(rounded(x.astype(np.float64) @ w) + b)
    near(got, np.maximum(before, 0), 2, np.abs(x) @ np.abs(w) * 2.0**-4)
    mask = (got > 0).astype(np.float64)
    near(dw, x.T @ mask, 1)
    near(dx, mask @ w.T, 1, np.abs(w).sum(1) * 2.0**-4)


@pytest.mark.parametrize(("channels", "strides"), [(3, 1), (8, 2), (7, 1)])
def test_a_convolution_and_its_gradients(channels: int, strides: int) -> None:
    """Beside the same in float64, of operands that are bfloat16."""
    rng = np.random.default_rng(3)
    x = rounded(rng.normal(size=(9, 7, 8, channels)))
    w = rounded(rng.normal(size=(3, 3, channels, 18)))
    made = (9, -(-7 // strides), -(-8 // strides), 18)
    up = np.sign(rng.normal(size=made))
    results = []
    for dtype in (tf.bfloat16, tf.float64):
        image, kernel = tf.constant(x, tf.float32), tf.constant(w, tf.float32)
        image, kernel = tf.cast(image, dtype), tf.cast(kernel, dtype)
        y = tf.nn.conv2d(image, kernel, [1, strides, strides, 1], "SAME")
        grads = tf.gradients(y, [image, kernel], tf.cast(tf.constant(up), dtype))
        with tf.Session() as sess:
            results.append(sess.run([y, *grads]))
    for got, want in zip(*results, strict=True):
        near(got, want, 1, np.abs(want).max() * 2.0**-10)


@pytest.mark.skipif(not host().has_bf16, reason="the CPU has no products of bfloat16")
def test_sessions_use_the_instruction() -> None:
    """In products, convolutions and both gradients; what is too small for Winograd's products."""
    rng = np.random.default_rng(4)
    x = tf.placeholder(tf.bfloat16, [None, 9, 9, 8])
    w, m = (tf.Variable(tf.cast(tf.ones(s), tf.bfloat16)) for s in ((3, 3, 8, 16), (16, 40)))
    made = tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID")
    product = tf.matmul(tf.reshape(made, [-1, 16]), m)
    feed = {x: rng.normal(size=(4, 9, 9, 8))}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for fetch in (made, product, *tf.gradients(made, [w, x])):
            assert "vdpbf16ps" in str(tf.dump(fetch, feed, sess, stage="asm"))
