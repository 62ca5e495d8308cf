"""Sums of products that loops add up: the same numbers, whether multiplied once or each time."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ir.build import build
from graphc.ops.linalg import matmul_sum_op
from graphc.see.profile import profile_run

# Matrices, rows of each, and the sum's sizes: chains below and beyond a line of 16 terms and the
# 256 that are one chain, several slabs, rests of tiles, and nothing at all.
SIZES = [
    (3, 5, 20, 40), (1, 1, 16, 16), (35, 20, 100, 200), (40, 1, 64, 48), (4, 16, 33, 47),
    (9, 17, 48, 96), (2, 256, 16, 480), (3, 300, 24, 64), (60, 100, 16, 300), (0, 4, 16, 32),
    (5, 0, 16, 32),
]  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sums_of_products(sizes: tuple[int, int, int, int], kind: type) -> None:
    times, terms, rows, cols = sizes
    rng = np.random.default_rng(terms)
    a = rng.standard_normal((times, terms, rows)).astype(kind)
    b = rng.standard_normal((times, terms, cols)).astype(kind)
    got, fewer = [], []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            x = tf.placeholder(kind, [None, None, rows])
            y = tf.placeholder(kind, [None, None, cols])
            n = tf.placeholder(tf.int32, [])
            total = build(matmul_sum_op, (x, y, n), {}).outputs[0]
            got.append(sess.run(total, {x: a, y: b, n: times}))
            fewer.append(sess.run(total * 2.0, {x: a, y: b, n: times - 1}))
            p, q = tf.placeholder(kind, [None, rows]), tf.placeholder(kind, [None, cols])
            s = tf.placeholder(kind, [rows, cols])
            add = sess.make_callable(s + tf.matmul(p, q, transpose_a=True), [p, q, s])
            one_by_one = np.zeros((rows, cols), kind)
            before = one_by_one
            for u, v in zip(a, b, strict=True):
                before, one_by_one = one_by_one, add(u, v, one_by_one)
    assert np.array_equal(got[0], got[1])
    assert np.array_equal(fewer[0], fewer[1])
    if terms <= 256:
        assert np.array_equal(got[0], one_by_one)
        assert np.array_equal(fewer[0], 2.0 * before)
    wide = a.astype(np.float64), b.astype(np.float64)
    want, size = np.einsum("tki,tkj->ij", *wide), np.einsum("tki,tkj->ij", *map(np.abs, wide))
    assert np.all(np.abs(got[0] - want) <= 30 * np.finfo(kind).eps * size)


@pytest.mark.parametrize("batch", [1, 7, 20, 300])
@pytest.mark.parametrize("cell", ["BasicRNNCell", "LSTMCell", "GRUCell"])
def test_gradients_of_recurrent_nets(batch: int, cell: str) -> None:
    """The same bits with and without the pass, for lengths that only a run knows too."""
    width = 24
    data = np.random.default_rng(batch).standard_normal((batch, 6, 18)).astype(np.float32)
    lengths = np.arange(batch) % 7
    got, kernels = [], []
    for off in ([], ["accumulate"]):
        config = tf.ConfigProto(graphc_passes_off=off, intra_op_parallelism_threads=2)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            tf.set_random_seed(1)
            x = tf.placeholder(tf.float32, [None, None, 18])
            n = tf.placeholder(tf.int32, [None])
            made = getattr(tf.nn.rnn_cell, cell)(width)
            out, _ = tf.nn.dynamic_rnn(made, x, n, dtype=tf.float32)
            grads = tf.gradients(tf.reduce_sum(tf.square(out)), tf.trainable_variables())
            sess.run(tf.global_variables_initializer())
            feed = {x: data, n: lengths}
            got.append(sess.run(grads, feed))
            got.append(sess.run(grads, {x: data[:, :4], n: lengths // 2}))
            kernels.append([s.kernel for s in profile_run(sess, grads, feed, runs=1, warmup=0)])
    for some, others in zip(got[:2], got[2:], strict=True):
        for u, v in zip(some, others, strict=True):
            assert np.array_equal(u, v)
    found = [sum("matmul_sum" in k for k in ks) for ks in kernels]
    most = {"GRUCell": 2}.get(cell, 1) if batch <= 20 else 0
    assert found == [most, 0]


def test_second_gradients() -> None:
    """Of an energy whose gradient sums products: finite differences in float64."""
    rng = np.random.default_rng(3)
    x = tf.constant(rng.standard_normal((4, 3, 16)))
    w = tf.placeholder(tf.float64, [16, 16])
    end = tf.foldl(lambda h, e: tf.tanh(tf.matmul(h + e, w)), x, tf.zeros([3, 16], tf.float64))
    (g,) = tf.gradients(tf.reduce_sum(end**2), w)
    (gg,) = tf.gradients(tf.reduce_sum(g**2), w)
    at = rng.standard_normal((16, 16)) / 8
    way = rng.standard_normal((16, 16))
    with tf.Session() as sess:
        found = np.sum(sess.run(gg, {w: at}) * way)
        energy = [sess.run(tf.reduce_sum(g**2), {w: at + s * way}) for s in (1e-5, -1e-5)]
    np.testing.assert_allclose(found, (energy[0] - energy[1]) / 2e-5, rtol=1e-6)


def test_loops_that_end_early() -> None:
    """Factors of iterations that were not made count for nothing."""
    stop = tf.placeholder(tf.float32, [])
    w = tf.get_variable("w", [16, 16], initializer=tf.initializers.identity())
    h = tf.ones([4, 16])
    loop = tf.while_loop(
        lambda i, h: tf.logical_and(i < 9, tf.reduce_max(h) < stop),
        lambda i, h: (i + 1, tf.matmul(h, w) * 2.0),
        [0, h],
    )
    (g,) = tf.gradients(loop[1], w)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for limit, turns in ((1.5, 1), (100.0, 7), (1e9, 9)):
            np.testing.assert_allclose(sess.run(g, {stop: limit}), 4.0 * turns * 2.0**turns)


def test_loops_whose_length_is_in_what_they_compute() -> None:
    """No array has room for factors of as many iterations as nobody knows: each is added."""
    x, stop = tf.placeholder(tf.float32, [6, 4, 16]), tf.placeholder(tf.float32, [])
    turns, _, total = tf.while_loop(
        lambda i, s, t: s < stop,
        lambda i, s, t: (
            i + 1, s + tf.reduce_max(x[i]), t + tf.matmul(x[i], x[i], transpose_a=True)
        ),
        [0, 0.0, tf.zeros([16, 16])],
    )  # fmt: skip
    a = np.random.default_rng(0).uniform(0.5, 1.0, (6, 4, 16)).astype(np.float32)
    most = np.cumsum(a.max((1, 2)))
    with tf.Session() as sess:
        for n in (1, 4, 6):
            made, sums = sess.run([turns, total], {x: a, stop: most[n - 1] - 0.25})
            assert made == n
            np.testing.assert_allclose(sums, np.einsum("tki,tkj->ij", a[:n], a[:n]), rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 20, 300])
def test_gradients_of_unrolled_nets(batch: int) -> None:
    """The same bits with and without the pass; a sum that is read on its way stays."""
    data = np.random.default_rng(batch).standard_normal((batch, 6, 18)).astype(np.float32)
    got, kernels = [], []
    for off in ([], ["accumulate"]):
        config = tf.ConfigProto(graphc_passes_off=off, intra_op_parallelism_threads=2)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            tf.set_random_seed(1)
            x = tf.placeholder(tf.float32, [None, 6, 18])
            cell = tf.nn.rnn_cell.LSTMCell(24)
            out, _ = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
            grads = tf.gradients(tf.reduce_sum(tf.square(tf.stack(out))), tf.trainable_variables())
            sess.run(tf.global_variables_initializer())
            got += sess.run(grads, {x: data})
            ran = profile_run(sess, grads, {x: data}, runs=1, warmup=0)
            kernels.append(sum("matmul_sum" in s.kernel for s in ran))
    for u, v in zip(got[:2], got[2:], strict=True):
        assert np.array_equal(u, v)
    assert kernels == [1 if batch <= 20 else 0, 0]
