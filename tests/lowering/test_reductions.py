"""Reductions of every layout against numpy in float64, at sizes around the edges of blocks."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

EPS = np.finfo(np.float32).eps
NUMPY = {"sum": np.sum, "max": np.max, "min": np.min, "mean": np.mean}
REDUCE = {
    "sum": tf.reduce_sum, "max": tf.reduce_max, "min": tf.reduce_min, "mean": tf.reduce_mean,
}  # fmt: skip


def run(build, *arrays, threads=2, static=True):
    with tf.Graph().as_default():
        xs = [tf.placeholder(a.dtype, a.shape if static else [None] * a.ndim) for a in arrays]
        ys = build(*xs)
        many = isinstance(ys, (list, tuple))
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as s:
            return s.run(list(ys) if many else ys, dict(zip(xs, arrays, strict=True)))


def close(got, want, terms, n):
    """Within (4 + 2 log2 n) eps of the sum of absolute terms (RELIABILITY.md section 4)."""
    bound = (4 + 2 * np.log2(max(n, 2))) * EPS * terms
    assert (np.abs(got - want) <= bound).all()


@pytest.mark.parametrize("kind", ["sum", "max", "mean"])
@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(
    "shape", [(1, 3), (63, 5), (128, 1024), (513, 7), (1030, 70), (2051, 17), (520, 4100), (600, 1)]
)
def test_columns(shape, static, kind):
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    got = [run(lambda v: REDUCE[kind](v, 0), x, threads=t, static=static) for t in (1, 2)]
    assert np.array_equal(*got)
    want = NUMPY[kind](x.astype(np.float64), 0)
    if kind == "max":
        assert np.array_equal(got[0], want.astype(np.float32))
    else:
        terms = np.abs(x).astype(np.float64).sum(0) / (shape[0] if kind == "mean" else 1)
        close(got[0], want, terms, shape[0])


@pytest.mark.parametrize("shape", [(3, 5), (700, 96), (1000, 130), (66000, 3)])
@pytest.mark.parametrize("static", [True, False])
def test_column_sum_beside_a_full_result(shape, static):
    """The gradient of a layer before its activation is written once and summed meanwhile."""
    r = np.random.default_rng(2)
    x, y = r.standard_normal(shape, np.float32), r.standard_normal(shape, np.float32)

    def build(a, b):
        g = tf.where(a > 0, b, tf.zeros_like(b))
        return [g, tf.reduce_sum(g, 0), tf.reduce_max(g, 0)]

    got = run(build, x, y, static=static)
    g = np.where(x > 0, y, 0)
    assert np.array_equal(got[0], g)
    assert np.array_equal(got[2], g.max(0))
    close(got[1], g.astype(np.float64).sum(0), np.abs(g).sum(0), shape[0])


@pytest.mark.parametrize("shape", [(1, 1), (9, 33), (500, 200), (3, 70001), (40000, 2)])
@pytest.mark.parametrize("static", [True, False])
def test_whole_sum_of_a_broadcast(shape, static):
    """A row and a column meet in the full shape, all of which is summed in parallel."""
    r = np.random.default_rng(3)
    x, u = r.standard_normal(shape, np.float32), r.standard_normal((shape[0], 1), np.float32)
    v = r.standard_normal((shape[1],), np.float32)
    got = [
        run(lambda a, b, c: tf.reduce_sum(a * b + c), x, u, v, threads=t, static=static)
        for t in (1, 2)
    ]
    assert got[0] == got[1]
    terms = (x * u + v).astype(np.float64)
    close(got[0], terms.sum(), 3 * np.abs(terms).sum(), x.size)


@pytest.mark.parametrize("shape", [(1, 4), (5, 1000), (300, 129)])
def test_rows_with_results_of_every_stage(shape):
    x = np.random.default_rng(4).standard_normal(shape, np.float32)

    def build(a):
        e = tf.exp(a - tf.reduce_max(a, 1, keepdims=True))
        s = tf.reduce_sum(e, 1, keepdims=True)
        return [a * 2.0, e, s, e / s]

    two, e, s, p = run(build, x)
    w = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    assert np.array_equal(two, x * 2)
    np.testing.assert_allclose(e, w, rtol=4e-6)
    np.testing.assert_allclose(s, w.sum(1, keepdims=True), rtol=4e-6)
    np.testing.assert_allclose(p, w / w.sum(1, keepdims=True), rtol=4e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32])
@pytest.mark.parametrize("rows", [512, 1031])
def test_the_largest_of_many_rows_is_not_a_number_where_one_is_not(dtype, rows):
    """Columns with infinities, without any number, with NaN of both signs in any row."""
    data = (np.random.RandomState(0).randn(rows, 37) * 100).astype(dtype)
    if dtype != np.int32:
        data[3, 1], data[4, 2], data[:, 3] = np.inf, -np.inf, -np.inf
        for column, row in enumerate((0, 1, 7, 8, 63, 64, rows - 1), 8):
            data[row, column] = np.nan if column % 2 else -np.nan
    x = tf.placeholder(dtype, [None, 37])
    with tf.Session() as sess:
        least, largest = sess.run([tf.reduce_min(x, 0), tf.reduce_max(x, 0)], {x: data})
    np.testing.assert_array_equal(least, data.min(0))
    np.testing.assert_array_equal(largest, data.max(0))
