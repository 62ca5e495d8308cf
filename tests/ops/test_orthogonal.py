"""QR and symmetric eigenvalues in native code: residuals, orthogonality, signs, odd matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf
from graphc.passes.cuts import on_host

SHAPES = [(1, 1), (16, 17), (2, 33, 20), (5, 2), (100, 40), (0, 3), (3, 0), (0, 2, 2)]


def factors(a: Any, full: bool, threads: int = 1) -> Any:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        x = tf.placeholder(a.dtype, [None] * a.ndim)
        made = tf.linalg.qr(x, full)
        assert not on_host(made.q.op)
        return sess.run([made.q, made.r], {x: a})


@pytest.mark.parametrize(
    ("dtype", "full"),
    thinned(
        [(dtype, full) for dtype in ("float32", "float64") for full in (False, True)],
        lambda dtype, full: full == (dtype == "float64"),
    ),
)
def test_factors(dtype: str, full: bool) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES if dtype == "float32" else SHAPES[1:3]:
        a = rng.normal(size=shape).astype(dtype)
        q, r = factors(a, full)
        want = np.linalg.qr(a.astype(float), "complete" if full else "reduced")
        assert (q.shape, r.shape) == tuple(w.shape for w in want)
        one = max(*shape[-2:], 1) * np.finfo(dtype).eps
        size = np.linalg.norm
        back = np.swapaxes(q, -1, -2).astype(float) @ q
        assert size(q.astype(float) @ r - a) <= one * size(a)
        assert size(back - np.eye(q.shape[-1])) <= 2 * one
        np.testing.assert_allclose(r, want[1], atol=20 * one * max(size(a), 1))
        np.testing.assert_array_equal(np.tril(r, -1), 0 * r)


def test_threads_change_no_bit() -> None:
    a = np.random.default_rng(1).normal(size=(40, 20, 12)).astype(np.float32)
    for one, two in zip(factors(a, False), factors(a, False, 2), strict=True):
        np.testing.assert_array_equal(one, two)


def test_odd_matrices() -> None:
    """As TensorFlow 1.15 has them: nothing below the diagonal is no reflection."""
    q, r = factors(np.diag([3.0, -2.0, 0.0]), False)
    np.testing.assert_array_equal(q, np.eye(3))
    np.testing.assert_array_equal(r, np.diag([3.0, -2.0, 0.0]))
    a = np.array([[1, 2, 3], [4, np.inf, 6], [7, 8, 10.0]])
    q, r = factors(a, False)
    assert r[0, 1] == -np.inf
    assert np.isnan(r[1:, 1:][np.triu_indices(2)]).all()
    assert np.isnan(factors(np.full((3, 3), np.nan), False)[0]).all()


# ------------------------------------------------------------------------- eigenvalues


def eigen(a: Any, threads: int = 1) -> Any:
    """Eigenvalues, vectors, and eigenvalues asked for alone; the upper triangle is not read."""
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    odd = np.where(np.tri(a.shape[-1], dtype=bool), a, np.nan).astype(a.dtype)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        x = tf.placeholder(a.dtype, [None] * a.ndim)
        made = [*tf.linalg.eigh(x), tf.linalg.eigvalsh(x)]
        assert not on_host(made[0].op)
        return sess.run(made, {x: odd})


def symmetric(*shape: int) -> Any:
    a = np.random.default_rng(sum(shape)).normal(size=shape)
    return a + np.swapaxes(a, -1, -2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eigenvalues(dtype: str) -> None:
    for shape in [(1, 1), (2, 2), (16, 16), (2, 33, 33), (100, 100), (0, 0), (0, 3, 3)]:
        a = symmetric(*shape).astype(dtype)
        e, v, alone = eigen(a)
        assert (e.shape, v.shape) == (shape[:-1], shape)
        if not a.size:
            continue
        one = shape[-1] * np.finfo(dtype).eps
        size = np.linalg.norm
        wide = v.astype(float)
        assert size(a.astype(float) @ v - wide * e[..., None, :]) <= 2 * one * size(a)
        assert size(np.swapaxes(wide, -1, -2) @ wide - np.eye(shape[-1])) <= 4 * one
        want = np.linalg.eigvalsh(a.astype(float))
        for got in (e, alone):
            np.testing.assert_allclose(got, want, atol=one * abs(want).max())


def test_odd_eigenvalues() -> None:
    """Equal ones, zeros, very large and small ones; what is not finite is refused."""
    np.testing.assert_array_equal(eigen(np.diag([3.0, 1, 2]))[0], [1, 2, 3])
    np.testing.assert_array_equal(eigen(np.zeros((3, 3)))[0], [0, 0, 0])
    for scale in (1.0, 1e200, 1e-200):
        e, v, _ = eigen(np.ones((4, 4)) * scale)
        np.testing.assert_allclose(e / scale, [0, 0, 0, 4], atol=1e-14)
        np.testing.assert_allclose(v.T @ v, np.eye(4), atol=1e-14)
    for bad in (np.inf, np.nan):
        a = symmetric(5, 5)
        a[3, 1] = bad
        with pytest.raises(tf.errors.InvalidArgumentError, match="was not successful"):
            eigen(a)
    a = symmetric(30, 9, 9)
    for one, two in zip(eigen(a), eigen(a, 2), strict=True):
        np.testing.assert_array_equal(one, two)
