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


def pieces(dtype=tf.float32):
    """Steps that differ in where their piece of a tensor begins, on one axis or on two."""
    count = 3 * MANY
    x = tf.placeholder(dtype, [count, 4, 2 * count], name="x")
    h = tf.zeros([4, 2], dtype)
    for i, part in enumerate(tf.split(x, count, axis=2)):
        h = tf.cumsum(h) + part[i] * 3 - x[count - 1 - i, :, i : i + 2]
    return x, h


@pytest.mark.parametrize("dtype", [tf.float32, tf.int32])
def test_pieces_of_a_tensor_become_one(dtype):
    x, h = pieces(dtype)
    shape = x.shape.as_list()
    assert len(kernels(h)) < MANY
    data = np.random.RandomState(0).randint(-9, 9, shape).astype(dtype.as_numpy_dtype)
    want = np.zeros([4, 2], dtype.as_numpy_dtype)
    for i in range(shape[0]):
        want = np.cumsum(want, axis=0, dtype=want.dtype) + data[i, :, 2 * i : 2 * i + 2] * 3
        want = want - data[shape[0] - 1 - i, :, i : i + 2]
    for off in ("", "share"):
        with tf.Session(config=tf.ConfigProto(graphc_passes_off=[off] if off else [])) as sess:
            np.testing.assert_array_equal(sess.run(h, {x: data}), want)


def test_gradients_of_pieces_are_compared_by_the_check():
    x, h = pieces()
    grad = tf.gradients(tf.reduce_sum(h * h), x)[0]
    data = np.random.RandomState(1).randn(*x.shape.as_list()).astype("f") * 1e-6
    values = []
    for config in (tf.ConfigProto(graphc_check=True), tf.ConfigProto(graphc_passes_off=["share"])):
        with tf.Session(config=config) as sess:
            values.append(sess.run([h, grad], {x: data}))
    for a, b in zip(*values, strict=True):
        np.testing.assert_array_equal(a, b)


def test_equal_steps_of_a_two_layer_net_are_compiled_once():
    """As many kernels for 40 steps of two cells as for 20."""
    counts = []
    for steps_ in (20, 40):
        tf.reset_default_graph()
        cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.BasicLSTMCell(8) for _ in range(2)])
        x = tf.placeholder(tf.float32, [4, steps_, 8])
        inputs = [tf.squeeze(p, [1]) for p in tf.split(x, steps_, 1)]
        outs, _ = tf.nn.static_rnn(cell, inputs, dtype=tf.float32)
        loss = tf.reduce_sum(tf.square(tf.concat(outs, 1)))
        grads = tf.gradients(loss, tf.trainable_variables())
        g = tf.optimize(tf.get_default_graph(), grads)
        counts.append(len({body_key(n.attrs["body"]) for n in g.nodes() if n.op.name == "fused"}))
    assert counts[0] == counts[1]
