"""Products that share their right operand pack it once, and compute what they did."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.see.profile import profile_run

STEPS = 5


def phases(sess: tf.Session, fetches: object, feed: dict) -> list[str]:
    return [s.phase for s in profile_run(sess, fetches, feed, runs=1, warmup=1) if s.phase]


def recurrent(batch: int, inputs: int, hidden: int) -> tuple:
    """The gradients of an unrolled net, and the same net's in float64 by numpy."""
    rng = np.random.default_rng(batch * 1000 + hidden)
    w0 = (rng.standard_normal((inputs + hidden, hidden)) / np.sqrt(hidden)).astype(np.float32)
    xs = rng.standard_normal((STEPS, batch, inputs)).astype(np.float32)
    x = tf.placeholder(tf.float32, xs.shape)
    w = tf.Variable(w0)
    h = tf.zeros([batch, hidden])
    for t in range(STEPS):
        h = tf.tanh(tf.matmul(tf.concat([x[t], h], 1), w))
    loss = tf.reduce_sum(h * h)
    (grad,) = tf.gradients(loss, [w])

    cells, h64 = [], np.zeros((batch, hidden))
    for t in range(STEPS):
        z = np.concatenate([xs[t], h64], 1)
        h64 = np.tanh(z @ w0.astype(np.float64))
        cells.append((z, h64))
    dh, want = 2 * h64, np.zeros(w0.shape)
    for z, y in reversed(cells):
        d = dh * (1 - y * y)
        want += z.T @ d
        dh = (d @ w0.T.astype(np.float64))[:, inputs:]
    return loss, grad, w, {x: xs}, (h64**2).sum(), want


@pytest.mark.parametrize(
    ("batch", "inputs", "hidden"),
    [(16, 3, 48), (17, 30, 47), (40, 8, 97), (3, 8, 50), (32, 20, 300), (16, 9, 300)],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_of_an_unrolled_net(batch: int, inputs: int, hidden: int, threads: int) -> None:
    loss, grad, w, feed, value, want = recurrent(batch, inputs, hidden)
    got = []
    for passes_off in ([], ["narrow"]):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, graphc_passes_off=passes_off)
        with tf.Session(config=config) as sess:
            sess.run(w.initializer)
            got.append(sess.run([loss, grad], feed))
            found = phases(sess, grad, feed)
            if batch > 12:  # fewer rows need no panels
                assert found.count("pack_b") == 2
                assert found.count("packed") == 2 * STEPS - 1
                assert "dot" not in found
    np.testing.assert_allclose(got[0][0], value, rtol=1e-5)
    np.testing.assert_allclose(got[0][1], want, rtol=1e-4, atol=1e-5 * np.abs(want).max())
    np.testing.assert_array_equal(got[0][1], got[1][1])  # narrower products add the same terms


def test_new_batch_size() -> None:
    x = tf.placeholder(tf.float32, [None, 40])
    w = tf.Variable(np.random.default_rng(1).standard_normal((40, 40)).astype(np.float32) / 8)
    h = x
    for _ in range(3):
        h = tf.sin(tf.matmul(h, w, transpose_b=True))
    with tf.Session() as sess:
        sess.run(w.initializer)
        matrix = sess.run(w).astype(np.float64)
        for rows in (64, 13, 200, 5, 1):
            a = np.random.default_rng(rows).standard_normal((rows, 40)).astype(np.float32)
            want = a.astype(np.float64)
            for _ in range(3):
                want = np.sin(want @ matrix.T)
            np.testing.assert_allclose(sess.run(h, {x: a}), want, rtol=2e-5, atol=2e-5)


def test_an_operand_that_is_written_between() -> None:
    """Products of a variable before and after an assignment have panels of their own."""
    rng = np.random.default_rng(2)
    a, first, second = (rng.standard_normal((32, 32)).astype(np.float32) for _ in range(3))
    x = tf.placeholder(tf.float32, [32, 32])
    w = tf.Variable(first)
    y = tf.matmul(tf.matmul(x, w, transpose_b=True), w, transpose_b=True)
    with tf.control_dependencies([y]), tf.control_dependencies([w.assign(second)]):
        now = w.read_value()
        z = tf.matmul(tf.matmul(y, now, transpose_b=True), now, transpose_b=True)
    with tf.Session() as sess:
        sess.run(w.initializer)
        got = sess.run([y, z], {x: a})
    want = a.astype(np.float64) @ first.T @ first.T
    np.testing.assert_allclose(got[0], want, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got[1], want @ second.T @ second.T, rtol=1e-4, atol=5e-2)


@pytest.mark.parametrize("taken", [True, False])
def test_products_in_a_branch_pack_for_themselves(taken: bool) -> None:
    rng = np.random.default_rng(3)
    a, m = (rng.standard_normal((32, 32)).astype(np.float32) / 4 for _ in range(2))
    x = tf.placeholder(tf.float32, [32, 32])
    p = tf.placeholder(tf.bool, [])
    w = tf.Variable(m)

    def twice(v: tf.Tensor) -> tf.Tensor:
        return tf.matmul(tf.matmul(v, w, transpose_b=True), w, transpose_b=True)

    y = tf.cond(p, lambda: twice(x), lambda: x * 2.0)
    z = twice(y)
    with tf.Session() as sess:
        sess.run(w.initializer)
        got = sess.run(z, {x: a, p: taken})
    m64 = m.T.astype(np.float64)
    want = (a @ m64 @ m64 if taken else 2.0 * a) @ m64 @ m64
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_with_a_limit_of_memory() -> None:
    _loss, grad, w, feed, _, want = recurrent(32, 8, 64)
    config = tf.ConfigProto(graphc_memory_limit=1 << 17)
    with tf.Session(config=config) as sess:
        sess.run(w.initializer)
        got = sess.run(grad, feed)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


def test_weights_of_a_loop_are_packed_before_it() -> None:
    """So are the rows of them that the gradient reads, though few rows are multiplied by them."""
    steps, width = 9, 72
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, steps, width])
        _, end = tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicRNNCell(width), x, dtype=tf.float32)
        grads = tf.gradients(tf.reduce_sum(end), tf.trainable_variables())
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            feed = {x: np.ones((20, steps, width), np.float32)}
            ran = profile_run(sess, grads, feed, runs=1, warmup=1)
    calls = [(s.phase, s.calls) for s in ran if s.phase in ("pack_b", "packed")]
    assert calls.count(("pack_b", 1)) == 2
    assert calls.count(("packed", steps)) == 2
    assert not [s for s in ran if "slice" in s.kernel and s.calls > 1]
