"""Small matrices in native code: factors, solutions, inverses and determinants of whole batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf
from graphc.passes.cuts import on_host


def matrices(n: int, batch: tuple[int, ...], dtype: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n)
    a = rng.normal(size=(*batch, n, n)) + 0.5 * np.eye(n)
    return (a.astype(dtype), (a @ np.swapaxes(a, -1, -2) + np.eye(n)).astype(dtype),
            rng.normal(size=(*batch, n, 3)).astype(dtype))  # fmt: skip


@pytest.mark.parametrize(
    ("n", "dtype"),
    thinned(
        [(1, "float32"), (2, "float64"), (5, "float32"), (8, "float32"), (41, "float64")],
        lambda n, dtype: n != 8,
    ),
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
            assert not any(on_host(v.op) for v in y)
            for batch in (0, 1, 17, 130) if n < 9 else (0, 1, 2, 3):
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
        with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
            sess.run(tf.linalg.inv(a), {a: odd})
        np.testing.assert_array_equal(
            np.isnan(sess.run(tf.linalg.cholesky(a), {a: odd})[1]), np.tri(3, dtype=bool)
        )  # as TensorFlow 1.15
        low = np.array([[[4, np.nan], [2, 5]]], np.float32)  # only the lower triangle is read
        b = tf.placeholder(tf.float32, [None, 2, 2])
        np.testing.assert_array_equal(
            sess.run(tf.linalg.cholesky(b), {b: low})[0], [[2, 0], [1, 2]]
        )


def error_of(n: int, dtype: Any) -> dict[str, float]:
    """Residuals in units of n times the type's precision and the size of what they are of."""
    a, p, b = matrices(n, (2,), dtype)
    with tf.Graph().as_default(), tf.Session() as sess:
        low, x, inverse = sess.run([tf.linalg.cholesky(p), tf.linalg.solve(a, b), tf.linalg.inv(a)])
    one = n * np.finfo(dtype).eps
    size = np.linalg.norm
    low, x, inverse, a, p, b = (v.astype(float) for v in (low, x, inverse, a, p, b))
    return {
        "cholesky": max(size(q - w @ w.T) / size(q) for q, w in zip(p, low, strict=True)) / one,
        "solve": max(
            size(c - m @ v) / (size(m) * size(v)) for m, v, c in zip(a, x, b, strict=True)
        ) / one,
        "inverse": max(
            size(m @ v - np.eye(n)) / (size(m) * size(v)) for m, v in zip(a, inverse, strict=True)
        ) / one,
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [9, 130])
def test_residuals(n: int, dtype: str) -> None:
    assert max(error_of(n, dtype).values()) < 1


@pytest.mark.parametrize("n", [3, 20])
def test_refusals_of_all_sizes(n: int) -> None:
    """Singular and indefinite matrices, and what NaN and empty batches give: TensorFlow 1.15's."""
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float64, [None, None, None])
        ops = {
            "inv": tf.linalg.inv(a), "solve": tf.linalg.solve(a, a), "chol": tf.linalg.cholesky(a),
            "det": tf.linalg.det(a), "logs": tf.linalg.slogdet(a)[1],
            "sign": tf.linalg.slogdet(a)[0],
        }  # fmt: skip
        good = np.eye(n) * 2
        singular = np.stack([good, np.ones((n, n))])
        for name, words in (("inv", "Input is not invertible"), ("chol", "was not successful"),
                            ("solve", "Input matrix is not invertible")):  # fmt: skip
            with pytest.raises(tf.errors.InvalidArgumentError, match=words):
                sess.run(ops[name], {a: singular})
        zero = np.stack([good, np.zeros((n, n))])
        assert sess.run(ops["det"], {a: zero}).tolist() == [2.0**n, 0]
        assert sess.run(ops["logs"], {a: zero})[1] == -np.inf
        assert sess.run(ops["sign"], {a: zero}).tolist() == [1, 0]
        far = np.diag([1e-200, 1e-150, 1e200] + [1e50] * 3 + [1.0] * (n - 6)) if n > 6 else good
        np.testing.assert_allclose(sess.run(ops["det"], {a: far[None]}), np.linalg.det(far), 1e-12)
        nan = good.copy()
        nan[1, 1] = np.nan
        got = sess.run(ops["chol"], {a: nan[None]})[0]
        assert got[0, 0] == np.sqrt(2)
        assert np.isnan(got[1:, 1]).all()
        for shape in ((0, n, n), (2, 0, 0), (0, 0, 0)):
            made = sess.run(ops, {a: np.zeros(shape)})
            assert made["inv"].shape == made["chol"].shape == made["solve"].shape == shape
            np.testing.assert_array_equal(made["det"], np.ones(shape[0]))
            np.testing.assert_array_equal(made["logs"], np.zeros(shape[0]))


def odd_matrix(side: int, at: tuple[int, int], value: float) -> Any:
    x = np.eye(side) + 0.125 * np.tri(side, k=-1).T
    x[at] = value
    return x


#: The determinant, its sign and its logarithm in TensorFlow 1.15, for any size.
ODD = [
    ((0, 0), np.nan, (0, 0, -np.inf)),
    ((1, 2), np.nan, (0, 0, -np.inf)),
    ((2, 2), np.nan, (0, 0, -np.inf)),
    ((0, 0), np.inf, (np.nan, 0, np.inf)),
    ((2, 2), -np.inf, (np.nan, 0, np.inf)),
    ((2, 2), 0.0, (0, 0, -np.inf)),
]


@pytest.mark.parametrize("side", [3, 12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_without_numbers(side: int, dtype: Any) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(dtype, [None, side, side])
        odd = np.array([odd_matrix(side, at, v) for at, v, _ in ODD], dtype)
        want = np.array([w for _, _, w in ODD]).T
        asked = [tf.linalg.det(x), *tf.linalg.slogdet(x)]
        kept = tf.constant(odd)
        for got in (sess.run(asked, {x: odd}),
                    sess.run([tf.linalg.det(kept), *tf.linalg.slogdet(kept)])):  # fmt: skip
            np.testing.assert_array_equal(got, want)
        b = tf.ones_like(x)
        ops = [tf.matrix_inverse(x), tf.linalg.solve(x, b), tf.linalg.triangular_solve(x, b)]
        for y in ops:
            with pytest.raises(tf.errors.InvalidArgumentError, match="is not invertible"):
                sess.run(y, {x: odd[:1]})
            assert np.isnan(sess.run(y, {x: odd[2:3]})).any()
