"""Rows of sorted segments: values, gradients, gaps, and the same bits for one and two threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

KINDS = {"sum": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply}
EMPTY = {"sum": 0, "max": 0, "min": 0, "prod": 1, "mean": 0}


def data(rows: int, segments: int, tail: tuple[int, ...], dtype: str) -> tuple[Any, Any]:
    rng = np.random.default_rng(rows + segments)
    ids = np.sort(rng.integers(0, segments, rows)).astype(np.int32)
    return rng.integers(-3, 4, (rows, *tail)).astype(dtype), ids


def expected(kind: str, x: Any, ids: Any) -> Any:
    out = np.full((int(ids.max(initial=-1)) + 1, *x.shape[1:]), EMPTY[kind], x.dtype)
    for i in np.unique(ids):
        part = x[ids == i]
        if kind != "mean":
            out[i] = KINDS[kind].reduce(part)
        else:
            out[i] = part.mean(0) if x.dtype.kind == "f" else np.trunc(part.sum(0) / len(part))
    return out


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_values(kind: str, dtype: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        for tail in ((), (1,), (5,), (16, 2)):
            x = tf.placeholder(dtype, [None, *tail])
            ids = tf.placeholder(tf.int32, [None])
            y = getattr(tf, f"segment_{kind}")(x, ids)
            for rows, segments in ((23, 4), (9, 40), (3000, 2), (1, 1)):
                a, i = data(rows, segments, tail, dtype)
                got = sess.run(y, {x: a, ids: i})
                np.testing.assert_allclose(got, expected(kind, a, i), rtol=1e-6)


@pytest.mark.parametrize("kind", EMPTY)
def test_gradients(kind: str) -> None:
    rng = np.random.default_rng(5)
    a, ids = rng.normal(size=(7, 3)), np.array([0, 0, 2, 2, 2, 3, 5])
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float64, [None, 3])
        y = tf.reduce_sum(tf.sin(getattr(tf, f"segment_{kind}")(x, ids)))
        got = sess.run(tf.gradients(y, x)[0], {x: a})
        step = 1e-6
        for at in np.ndindex(a.shape):
            d = np.zeros_like(a)
            d[at] = step
            slope = (sess.run(y, {x: a + d}) - sess.run(y, {x: a - d})) / (2 * step)
            assert got[at] == pytest.approx(slope, abs=1e-7)


def test_threads_change_no_bit() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=(30000, 20)).astype(np.float32)
    ids = np.sort(rng.integers(0, 300, 30000))
    made = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            x = tf.placeholder(tf.float32, [None, 20])
            y = tf.segment_sum(x, ids)
            made.append([sess.run(y, {x: a}) for _ in range(3)])
    assert np.array_equal(*made)
    np.testing.assert_allclose(made[0][0], expected("sum", a.astype(np.float64), ids), atol=1e-4)


@pytest.mark.parametrize("op", ["sum", "max", "min", "prod"])
@pytest.mark.parametrize("segments", [1, 2, 7, 100])
def test_single_numbers_are_combined_in_their_order(op: str, segments: int) -> None:
    """Segments that repeat, that are left out, and that come back."""
    rng = np.random.default_rng(segments)
    meaning = KINDS[op]
    for rows in (0, 1, 5, 300):
        ids = rng.integers(-1, segments, rows).astype(np.int32)
        for at in (ids, np.sort(ids), np.repeat(ids[: rows // 4], 4)):
            x = rng.standard_normal(len(at)).astype(np.float32)
            x[3::50] = np.nan
            first = {"sum": 0, "prod": 1, "max": np.finfo("f").min, "min": np.finfo("f").max}[op]
            want = np.full(segments, first, np.float32)
            for i, v in zip(at.tolist(), x, strict=True):
                if i >= 0:
                    want[i] = meaning(want[i], v)
            with tf.Graph().as_default(), tf.Session() as s:
                p, q = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
                y = getattr(tf, f"unsorted_segment_{op}")(p, q, segments)
                got = s.run(y, {p: x, q: at})
                if segments * 128 < len(at):  # so many have tables of their own
                    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
                else:
                    np.testing.assert_array_equal(got, want)
                if len(at):
                    at = at.copy()
                    at[-1] = segments
                    with pytest.raises(tf.errors.InvalidArgumentError, match="segment_ids"):
                        s.run(y, {p: x, q: at})
