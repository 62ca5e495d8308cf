"""Factorisations: values against numpy, gradients against finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


def general(*shape: int) -> Any:
    return RNG.normal(size=shape)


def definite(*shape: int) -> Any:
    a = general(*shape)
    return a @ np.swapaxes(a, -1, -2) + 2.0 * np.eye(shape[-1])


def symmetric(x: Any) -> Any:
    return 0.5 * (x + tf.matrix_transpose(x))


def fixed(shape: Any, seed: int = 0) -> Any:
    """A constant that makes a number of a tensor without losing any direction."""
    return np.random.default_rng(seed).normal(size=shape)


def weigh(*ys: Any) -> Any:
    return tf.add_n([
        tf.reduce_sum(y * fixed(y.shape.as_list(), i)) for i, y in enumerate(ys)
    ])  # fmt: skip


def signless(*ys: Any) -> Any:
    """A number of vectors that does not change with their sign."""
    return weigh(
        *[tf.matmul(y, y * fixed(y.shape.as_list()[-1:], 7), transpose_b=True) for y in ys]
    )


# name → (operands, function of them)
GRADIENTS: dict[str, tuple[list[Any], Callable[..., Any]]] = {
    "inverse": ([definite(2, 3, 3)], lambda a: weigh(tf.matrix_inverse(a))),
    "inverse adjoint": ([definite(3, 3)], lambda a: weigh(tf.matrix_inverse(a, adjoint=True))),
    "determinant": ([definite(2, 3, 3)], lambda a: weigh(tf.matrix_determinant(a))),
    "slogdet": ([general(3, 3)], lambda a: tf.linalg.slogdet(a)[1]),
    "logdet": ([definite(2, 3, 3)], lambda a: weigh(tf.linalg.logdet(symmetric(a)))),
    "cholesky": ([definite(2, 4, 4)], lambda a: weigh(tf.cholesky(symmetric(a)))),
    "cholesky_solve": (
        [definite(3, 3), general(3, 2)],
        lambda a, b: weigh(tf.cholesky_solve(tf.cholesky(symmetric(a)), b)),
    ),
    "solve": ([general(2, 3, 3), general(2, 3, 2)], lambda a, b: weigh(tf.matrix_solve(a, b))),
    "solve adjoint": (
        [general(3, 3), general(3, 2)], lambda a, b: weigh(tf.matrix_solve(a, b, adjoint=True)),
    ),
    "triangular": (
        [definite(3, 3), general(3, 2)],
        lambda a, b: weigh(tf.matrix_triangular_solve(a, b, lower=False)),
    ),
    "triangular adjoint": (
        [definite(2, 3, 3), general(2, 3, 2)],
        lambda a, b: weigh(tf.matrix_triangular_solve(a, b, adjoint=True)),
    ),
    "lstsq tall": (
        [general(4, 2), general(4, 1)],
        lambda a, b: weigh(tf.matrix_solve_ls(a, b, l2_regularizer=0.1)),
    ),
    "lstsq wide": ([general(2, 4), general(2, 1)], lambda a, b: weigh(tf.matrix_solve_ls(a, b))),
    "qr": ([general(2, 4, 3)], lambda a: weigh(*tf.qr(a))),
    "qr r": ([general(3, 3)], lambda a: weigh(tf.qr(a).r)),
    "svd values": ([general(2, 4, 3)], lambda a: weigh(tf.svd(a, compute_uv=False))),
    "svd tall": ([general(4, 3)], lambda a: weigh(tf.svd(a)[0]) + signless(*tf.svd(a)[1:])),
    "svd wide": ([general(2, 3)], lambda a: signless(*tf.svd(a)[1:])),
    "eigh": (
        [definite(2, 3, 3)],
        lambda a: weigh(tf.self_adjoint_eig(symmetric(a))[0])
        + signless(tf.self_adjoint_eig(symmetric(a))[1]),
    ),
    "eigvalsh": ([definite(3, 3)], lambda a: weigh(tf.self_adjoint_eigvals(symmetric(a)))),
    "expm": ([general(2, 3, 3)], lambda a: weigh(tf.linalg.expm(a))),
    "pinv": ([general(4, 2)], lambda a: weigh(tf.linalg.pinv(a))),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(sess: Any, name: str) -> None:
    arrays, f = GRADIENTS[name]
    xs = [tf.placeholder(tf.float64, a.shape) for a in arrays]
    y = f(*xs)
    gs = tf.gradients(y, xs)
    feed = dict(zip(xs, arrays, strict=True))
    got = sess.run(gs, feed)
    h = 1e-6
    for x, a, g in zip(xs, arrays, got, strict=True):
        want = np.zeros_like(a)
        for i in np.ndindex(a.shape):
            ends = []
            for d in (h, -h):
                moved = a.copy()
                moved[i] += d
                ends.append(sess.run(y, {**feed, x: moved}))
            want[i] = (ends[0] - ends[1]) / (2 * h)
        np.testing.assert_allclose(g, want, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["inverse", "cholesky", "slogdet", "expm"])
def test_second_derivatives(sess: Any, name: str) -> None:
    (a,), f = GRADIENTS[name]
    x = tf.placeholder(tf.float64, a.shape)
    w = fixed(a.shape, 5)
    slope = tf.reduce_sum(tf.gradients(f(x), x)[0] * w)
    got = sess.run(tf.gradients(slope, x)[0], {x: a})
    h, direction = 1e-5, fixed(a.shape, 6)
    ends = [sess.run(slope, {x: a + d * direction}) for d in (h, -h)]
    np.testing.assert_allclose(np.sum(got * direction), (ends[0] - ends[1]) / (2 * h), rtol=1e-5)


def rebuilt(sess: Any, x: Any, *parts: Any) -> None:
    np.testing.assert_allclose(np.linalg.multi_dot(sess.run(parts)), x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3), (3, 0)])
@pytest.mark.parametrize("full", [False, True])
def test_svd_and_qr_rebuild_the_matrix(sess: Any, shape: tuple[int, int], full: bool) -> None:
    x = general(*shape).astype(np.float32)
    s, u, v = tf.svd(x, full_matrices=full)
    k = min(shape)
    assert s.shape.as_list() == [k]
    if 0 in shape:
        return
    rebuilt(sess, x, u[:, :k], tf.diag(s), tf.transpose(v[:, :k]))
    q, r = tf.qr(x, full_matrices=full)
    assert q.shape.as_list() == [shape[0], shape[0] if full else k]
    rebuilt(sess, x, q, r)


def test_values(sess: Any) -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    got = sess.run([
        tf.linalg.expm(a), tf.linalg.sqrtm([[4.0, 1.0], [1.0, 3.0]]),
        tf.matrix_solve_ls([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[1.0], [2.0], [3.0]], 0.5),
        tf.matrix_solve_ls([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]], [[1.0], [2.0]], fast=False),
        tf.matrix_solve_ls([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[1.0], [2.0], [4.0]], 0.5, False),
        tf.linalg.matrix_rank([[1.0, 1.0], [1.0, 1.0]]), tf.linalg.adjoint(a),
        tf.linalg.pinv(a), tf.linalg.det([a, a]),
    ])  # fmt: skip
    want = [  # by TF 1.15
        [[51.970737, 74.739174], [112.10874, 164.0795]],
        [[1.981578, 0.2708323], [0.27083224, 1.7107457]],
        [[0.15770634], [0.37275967]],
        [[-0.22857188], [0.14285727], [0.31428587]],
        [[0.66666667], [0.08333333]],  # without the penalty, which only `fast` has
        1, a.T, np.linalg.inv(a), [-2.0, -2.0],
    ]  # fmt: skip
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)
    assert got[5].dtype == np.int32


def test_unknown_sizes_and_batches(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [None, None, None])
    y = tf.matrix_inverse(x)
    for n in (1, 2, 3):
        a = definite(n, 2, n, n)[0].astype(np.float32) if n == 1 else definite(2, n, n)
        np.testing.assert_allclose(sess.run(y, {x: a}), np.linalg.inv(a), rtol=1e-3, atol=1e-4)
    assert y.shape.as_list() == [None, None, None]


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "singular inverse": (
        lambda: tf.matrix_inverse([[1.0, 1.0], [1.0, 1.0]]),
        tf.errors.InvalidArgumentError, "Input is not invertible",
    ),
    "singular system": (
        lambda: tf.matrix_solve([[1.0, 1.0], [1.0, 1.0]], [[1.0], [2.0]]),
        tf.errors.InvalidArgumentError, "Input matrix is not invertible",
    ),
    "singular triangle": (
        lambda: tf.matrix_triangular_solve([[0.0, 1.0], [1.0, 1.0]], [[1.0], [2.0]]),
        tf.errors.InvalidArgumentError, "Input matrix is not invertible",
    ),
    "indefinite": (
        lambda: tf.cholesky([[1.0, 2.0], [2.0, 1.0]]),
        tf.errors.InvalidArgumentError, "Cholesky decomposition was not successful",
    ),
    "fed rectangle": (
        lambda: tf.matrix_inverse(
            tf.placeholder_with_default(np.ones((2, 3), np.float32), [None, None])
        ),
        tf.errors.InvalidArgumentError, "Input matrix must be square",
    ),
    "rectangle": (
        lambda: tf.matrix_inverse([[1.0, 1.0, 2.0], [1.0, 1.0, 3.0]]), ValueError,
        "Dimensions must be equal, but are 2 and 3",
    ),
    "right side": (
        lambda: tf.matrix_solve(np.eye(2), np.ones((3, 1))), ValueError,
        "Dimensions must be equal, but are 2 and 3",
    ),
    "vector": (lambda: tf.matrix_inverse([1.0]), ValueError, "at least rank 2 but is rank 1"),
    "integers": (lambda: tf.matrix_inverse([[1]]), TypeError, "not in list of allowed values"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(sess: Any, name: str) -> None:
    make, error, words = ERRORS[name]
    with pytest.raises(error, match=words):
        sess.run(make())


def test_names(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [2, 2])
    made = [tf.matrix_inverse(x), tf.cholesky(x), tf.svd(x)[1], tf.qr(x).r, tf.linalg.logdet(x)]
    assert [t.name for t in made] == [
        "MatrixInverse:0", "Cholesky:0", "Svd:1", "Qr:1", "logdet/mul:0",
    ]  # fmt: skip
