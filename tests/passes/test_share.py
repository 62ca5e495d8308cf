"""Kernels that differ in their numbers only are one kernel, with the same bits as before."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.passes.share import MANY, body_key


def steps(count, dtype):
    """Bodies of several ops; each has a number of its own and one that all share."""
    x = tf.placeholder(dtype, [None], name="x")
    h = x
    for i in range(count):
        h = tf.cumsum(h) * (20 + i) - 10
        h = h * h + (i % 3 + 1)
    return x, h


def kernels(h):
    g = tf.optimize(tf.get_default_graph(), [h])
    return {body_key(n.attrs["body"]) for n in g.nodes() if n.op.name == "fused"}


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.int32, tf.int64])
def test_many_bodies_become_one(dtype):
    x, h = steps(3 * MANY, dtype)
    assert len(kernels(h)) == 1
    feed = {x: np.arange(1, 6).astype(dtype.as_numpy_dtype)}
    values = []
    for off in ("", "share"):
        config = tf.ConfigProto(graphc_passes_off=[off] if off else [])
        with tf.Session(config=config) as sess:
            values.append(sess.run(h, feed))
    np.testing.assert_array_equal(*values)


def test_few_bodies_keep_their_literals():
    _, h = steps(MANY - 2, tf.float32)
    assert len(kernels(h)) >= MANY - 2


def test_matrix_products_keep_theirs():
    w = tf.constant(np.eye(4, dtype=np.float32))
    h = x = tf.placeholder(tf.float32, [4, 4])
    for i in range(2 * MANY):
        h = tf.matmul(h, w) * (1.0 + i)
    with tf.Session() as sess:
        got = sess.run(h, {x: np.eye(4)})
    want = np.prod([np.float32(1.0 + i) for i in range(2 * MANY)])
    np.testing.assert_allclose(got, want * np.eye(4), rtol=1e-6)
