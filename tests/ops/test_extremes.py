"""The largest and smallest of rows, columns and all, with NaN, infinities and zeros anywhere."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest

import graphc as tf

SHAPES = [(1, 1), (3, 17), (8, 64), (9, 129), (65, 33), (130, 300), (1, 5000), (700, 3)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("threads", [1, 2])
def test_reductions(dtype: type, threads: int) -> None:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        x = tf.placeholder(dtype, [None, None])
        all_of = [
            [f(x, axis=a) for a in (None, 0, 1)] for f in (tf.reduce_max, tf.reduce_min)
        ]  # fmt: skip
        for k, shape in enumerate(SHAPES):
            rng = np.random.default_rng(k)
            a = rng.standard_normal(shape).astype(dtype)
            flat = a.reshape(-1)
            for odd in ((), (np.inf,), (-np.inf, 0.0, -0.0), (np.nan,), (np.nan, np.inf, np.nan)):
                for v in odd:
                    flat[rng.integers(flat.size)] = v
                got = sess.run(all_of, {x: a})
                with np.errstate(invalid="ignore"):
                    want = [[f(a, axis=i) for i in (None, 0, 1)] for f in (np.max, np.min)]
                for g, w in zip(
                    functools.reduce(operator.iadd, got, []),
                    functools.reduce(operator.iadd, want, []),
                    strict=True,
                ):
                    np.testing.assert_array_equal(g, w, err_msg=f"{shape} {odd}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs(dtype: type) -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 5e-324, 3.0], dtype)
    a, b = (m.reshape(-1) for m in np.meshgrid(odd, odd))
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.placeholder(dtype, [None]), tf.placeholder(dtype, [None])
        both = [tf.maximum(x, y), tf.minimum(x, y)]
        for n in (a.size, 17, 3):
            got = sess.run(both, {x: a[:n], y: b[:n]})
            with np.errstate(invalid="ignore"):
                np.testing.assert_array_equal(got[0], np.maximum(a[:n], b[:n]))
                np.testing.assert_array_equal(got[1], np.minimum(a[:n], b[:n]))
