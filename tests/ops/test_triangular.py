"""Triangular systems: beside numpy, batches and many right sides, errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

SHAPES = [
    ((), 1, 1), ((), 33, 70), ((3,), 5, 4), ((2, 2), 7, 130), ((0,), 3, 2), ((2,), 8, 3),
    ((), 60, 33), ((), 24, 1), ((3,), 41, 1),
]  # fmt: skip


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(lower: bool, adjoint: bool, dtype: str) -> None:
    rng = np.random.default_rng(1)
    for lead, n, columns in SHAPES:
        a = (rng.normal(size=(*lead, n, n)) / n + 2 * np.eye(n)).astype(dtype)
        b = rng.normal(size=(*lead, n, columns)).astype(dtype)
        half = np.tril(a) if lower else np.triu(a)
        half = np.swapaxes(half, -1, -2) if adjoint else half
        want = np.linalg.solve(half.astype(float), b.astype(float))
        with tf.Graph().as_default(), tf.Session() as sess:
            p = tf.placeholder(dtype, [None] * a.ndim)
            q = tf.placeholder(dtype, [None] * b.ndim)
            got = sess.run(tf.matrix_triangular_solve(p, q, lower, adjoint), {p: a, q: b})
        np.testing.assert_allclose(got, want, rtol=2e-4 if dtype == "float32" else 1e-10)


def test_what_does_not_fit() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        a, b = (tf.placeholder(tf.float32, None) for _ in range(2))
        y = tf.matrix_triangular_solve(a, b)
        one = np.ones((2, 3, 3))
        for wrong in (np.ones((3, 3, 1)), np.ones((3, 1)), np.ones((2, 4, 1))):
            with pytest.raises(tf.errors.InvalidArgumentError):
                sess.run(y, {a: one, b: wrong})
        for size, at in ((3, 2), (20, 3), (20, 18)):  # in a block of rows, and in a row left over
            singular = np.tril(np.ones((2, size, size)))
            singular[1, at, at] = 0
            with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
                sess.run(y, {a: singular, b: np.ones((2, size, 1))})
