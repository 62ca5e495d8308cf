"""Small matrices in native code: factors, solutions, inverses and determinants of whole batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.passes.cuts import on_host


def matrices(n: int, batch: tuple[int, ...], dtype: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n)
    a = rng.normal(size=(*batch, n, n)) + 0.5 * np.eye(n)
    return (a.astype(dtype), (a @ np.swapaxes(a, -1, -2) + np.eye(n)).astype(dtype),
            rng.normal(size=(*batch, n, 3)).astype(dtype))  # fmt: skip


@pytest.mark.parametrize(
    ("n", "dtype"), [(1, "float32"), (2, "float64"), (5, "float32"), (8, "float32"), (9, "float64")]
)
def test_values(n: int, dtype: Any) -> None:
    found: list[Any] = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            a, p, b = (tf.placeholder(dtype, [None, n, m]) for m in (n, n, 3))
            y = [
                tf.linalg.inv(a), tf.linalg.inv(a, adjoint=True), tf.linalg.solve(a, b),
                tf.linalg.solve(a, b, adjoint=True), tf.linalg.det(a), *tf.linalg.slogdet(a),
                tf.linalg.cholesky(p),
            ]  # fmt: skip
            assert (on_host(y[0].op), on_host(y[-1].op)) == (n > 5, n > 8)
            for batch in (0, 1, 17, 130):
                given = matrices(n, (batch,), dtype)
                got = sess.run(y, dict(zip((a, p, b), given, strict=True)))
                found.append(got)
                x, q, c = (v.astype(np.float64) for v in given)
                back = np.swapaxes(x, -1, -2)
                want = [
                    np.linalg.inv(x), np.linalg.inv(back), np.linalg.solve(x, c),
                    np.linalg.solve(back, c), np.linalg.det(x), *np.linalg.slogdet(x),
                    np.linalg.cholesky(q),
                ]  # fmt: skip
                worst = np.linalg.cond(x).max(initial=1) * np.finfo(dtype).eps * 16
                for v, w in zip(got, want, strict=True):
                    assert v.dtype == dtype
                    np.testing.assert_allclose(v, w, rtol=worst, atol=worst * abs(w).max(initial=1))
    for one, two in zip(found[:4], found[4:], strict=True):
        for v, w in zip(one, two, strict=True):
            np.testing.assert_array_equal(v, w)


def test_singular() -> None:
    bad = np.stack([np.eye(3), np.ones((3, 3))]).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float32, [None, 3, 3])
        det, (sign, logs) = tf.linalg.det(a), tf.linalg.slogdet(a)
        np.testing.assert_array_equal(sess.run(det, {a: bad}), [1, 0])
        np.testing.assert_array_equal(sess.run(sign, {a: bad}), [1, 0])
        np.testing.assert_array_equal(sess.run(logs, {a: bad}), [0, -np.inf])
        for f, words in ((tf.linalg.inv, "not invertible"), (tf.linalg.cholesky, "not successful"),
                         (lambda v: tf.linalg.solve(v, v), "not invertible")):  # fmt: skip
            with pytest.raises(tf.errors.InvalidArgumentError, match=words):
                sess.run(f(a), {a: bad})
        odd = bad.copy()
        odd[1, 0, 0] = np.nan
        assert np.isnan(sess.run(tf.linalg.inv(a), {a: odd})[1]).all()
        with pytest.raises(tf.errors.InvalidArgumentError, match="not successful"):
            sess.run(tf.linalg.cholesky(a), {a: odd})
        low = np.array([[[4, np.nan], [2, 5]]], np.float32)  # only the lower triangle is read
        b = tf.placeholder(tf.float32, [None, 2, 2])
        np.testing.assert_array_equal(
            sess.run(tf.linalg.cholesky(b), {b: low})[0], [[2, 0], [1, 2]]
        )
