"""Counts, many numbers in few segments, and places in sorted rows, beside numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

KINDS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_many_numbers_in_few_segments(kind: str, dtype: str) -> None:
    rng = np.random.default_rng(1)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, ids = tf.placeholder(dtype, [None]), tf.placeholder(tf.int32, [None])
        count = tf.placeholder(tf.int32, [])
        y = getattr(tf, f"unsorted_segment_{kind}")(x, ids, count)
        for rows, segments in ((1000, 1), (9001, 7), (5, 3), (20000, 30)):
            a = rng.integers(-2, 3, rows).astype(dtype)
            i = rng.integers(-1, segments, rows)
            if kind == "prod":
                a[a == 0] = 1
                a[np.abs(a) == 2] = -1
            info: Any = np.finfo(dtype) if dtype[0] == "f" else np.iinfo(dtype)
            want = np.full(segments, {"sum": 0, "prod": 1, "max": info.min, "min": info.max}[kind])
            want = want.astype(dtype)
            KINDS[kind].at(want, i[i >= 0], a[i >= 0])
            np.testing.assert_array_equal(sess.run(y, {x: a, ids: i, count: segments}), want)
        i[777] = segments
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"out of range \[0, 30\)"):
            sess.run(y, {x: a, ids: i, count: segments})


def test_threads_change_no_bit() -> None:
    rng = np.random.default_rng(2)
    a, i = rng.normal(size=50000).astype(np.float32), rng.integers(0, 20, 50000)
    made = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            x = tf.placeholder(tf.float32, [None])
            y = tf.unsorted_segment_sum(x, i, 20)
            made.append([sess.run(y, {x: a}) for _ in range(3)])
    assert np.array_equal(*made)
    np.testing.assert_allclose(made[0][0], np.bincount(i, a), rtol=1e-4, atol=1e-3)


def test_counts() -> None:
    rng = np.random.default_rng(3)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.int32, [None, None])
        w = tf.placeholder(tf.float64, [None, None])
        fetches = [
            tf.bincount(x), tf.bincount(x, minlength=40), tf.bincount(x, maxlength=9),
            tf.bincount(x, w), tf.bincount(x, dtype=tf.int64),
        ]  # fmt: skip
        for shape in ((3, 5), (200, 100), (0, 4)):
            a, weights = rng.integers(0, 30, shape).astype(np.int32), rng.normal(size=shape)
            plain = np.bincount(a.ravel())
            want = [
                plain, np.bincount(a.ravel(), minlength=40), plain[:9],
                np.bincount(a.ravel(), weights.ravel()), plain,
            ]  # fmt: skip
            for got, right in zip(sess.run(fetches, {x: a, w: weights}), want, strict=True):
                np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_places_in_sorted_rows(dtype: str, side: str) -> None:
    rng = np.random.default_rng(4)
    with tf.Graph().as_default(), tf.Session() as sess:
        rows, values = (tf.placeholder(dtype, [None, None]) for _ in range(2))
        y = tf.searchsorted(rows, values, side)
        for n in (0, 1, 2, 3, 15, 16, 17, 400):
            a = np.sort(rng.integers(-50, 50, (3, n)).astype(dtype))
            v = rng.integers(-60, 60, (3, 37)).astype(dtype)
            want = [np.searchsorted(r, e, side) for r, e in zip(a, v, strict=True)]
            np.testing.assert_array_equal(sess.run(y, {rows: a, values: v}), want)
        with pytest.raises(tf.errors.InvalidArgumentError, match="Leading dim_size"):
            sess.run(y, {rows: np.ones((2, 3)), values: np.ones((3, 3))})
