"""Linear algebra of complex numbers, with TensorFlow 1.15's values and gradients.

Its gradients are conjugated: what goes back through ``y = f(x)`` is ``conj(f'(x)) * dy``.
"""

import numpy as np
import pytest

import graphc as tf

R = np.random.RandomState(0)
A, B, W = (R.randn(2, 3, n) + 1j * R.randn(2, 3, n) for n in (3, 2, 3))


def h(x):
    return np.conj(np.swapaxes(x, -1, -2))


P = A @ h(A) + 3 * np.eye(3)
T = A + 3 * np.eye(3)


def run(f, arrays, up=None, unknown=False):
    """The value of `f` and, with an upstream gradient, the gradients by its operands."""
    with tf.Graph().as_default():
        xs = [tf.placeholder(tf.complex128, None if unknown else a.shape) for a in arrays]
        y = f(*xs)
        gs = [] if up is None else tf.gradients(y, xs, grad_ys=tf.constant(up))
        with tf.Session() as sess:
            return sess.run([y, *gs], dict(zip(xs, arrays, strict=True)))


def close(got, *want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("unknown", [False, True])
def test_inverse_and_determinant(unknown):
    y = np.linalg.inv(A)
    close(run(tf.linalg.inv, [A], W, unknown), y, -h(y) @ W @ h(y))
    close(run(lambda x: tf.linalg.inv(x, adjoint=True), [A]), h(y))
    d, up = np.linalg.det(A), W[:, 0, 0]
    # TensorFlow does not conjugate the determinant
    close(run(tf.linalg.det, [A], up, unknown), d, (up * d)[:, None, None] * h(y))


@pytest.mark.parametrize("adjoint", [False, True])
def test_solutions(adjoint):
    m = h(A) if adjoint else A
    y = np.linalg.solve(m, B)
    db = np.linalg.solve(h(m), W[:, :, :2])
    da = -db @ h(y)
    got = run(lambda a, b: tf.linalg.solve(a, b, adjoint=adjoint), [A, B], W[:, :, :2])
    close(got, y, h(da) if adjoint else da, db)


@pytest.mark.parametrize(("lower", "adjoint"), [(True, False), (True, True), (False, False)])
def test_triangular_solutions(lower, adjoint):
    half = np.tril if lower else np.triu
    m = h(half(T)) if adjoint else half(T)
    y, db = np.linalg.solve(m, B), np.linalg.solve(h(m), W[:, :, :2])
    da = -db @ h(y)

    def f(a, b):
        return tf.linalg.triangular_solve(a, b, lower=lower, adjoint=adjoint)

    close(run(f, [T, B], W[:, :, :2]), y, half(h(da) if adjoint else da), db)


def test_cholesky():
    y, by_p = run(tf.cholesky, [P], np.tril(W))
    close([y], np.linalg.cholesky(P))
    close([by_p], h(by_p))  # a gradient of what is its own adjoint is so too
    e = 1e-6 * (W + h(W))
    moved = (np.linalg.cholesky(P + e) - np.linalg.cholesky(P - e)) / 2
    np.testing.assert_allclose(
        np.sum(np.conj(by_p) * e).real, np.sum(np.conj(np.tril(W)) * moved).real, rtol=1e-5
    )
    close(run(tf.cholesky_solve, [y, B])[:1], np.linalg.solve(P, B))


def test_singular():
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        run(tf.linalg.inv, [np.zeros([1, 2, 2], np.complex128)])


@pytest.mark.parametrize("adjoint_a", [False, True])
@pytest.mark.parametrize("adjoint_b", [False, True])
def test_products_of_sparse_matrices(adjoint_a, adjoint_b):
    values, dense = A[0, 0], B[0] if not adjoint_a else B[0, :2]
    whole = np.zeros([2, 3], np.complex128)
    whole[[0, 1, 1], [0, 1, 2]] = values

    def f(v, d):
        s = tf.SparseTensor([[0, 0], [1, 1], [1, 2]], v, [2, 3])
        y = tf.sparse.sparse_dense_matmul(s, d, adjoint_a=adjoint_a, adjoint_b=adjoint_b)
        assert y.shape.ndims == 2
        return y

    want = (h(whole) if adjoint_a else whole) @ dense
    close(run(f, [values, h(dense) if adjoint_b else dense], unknown=True), want)


def test_quotients():
    close(run(tf.div, [A, W]), A / W)


def test_sums_of_truth_values():
    """Of two updates of one place, one that is true is enough (they were added modulo 2)."""
    u = tf.placeholder(tf.bool, [2, 40])
    with tf.Session() as sess:
        got = sess.run(tf.scatter_nd([[1], [1]], u, [3, 40]), {u: [[True, False] * 20] * 2})
    assert got.tolist() == [[False] * 40, [True, False] * 20, [False] * 40]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32"])
def test_dilation_of_integers(dtype):
    """Outside of the picture is nothing: the least integer and some of the filter is not least."""
    x = tf.placeholder(dtype, [1, 1, 2, 1])
    y = tf.nn.dilation2d(x, tf.constant([[[9], [1]]], dtype), [1] * 4, [1] * 4, "SAME")
    with tf.Session() as sess:
        assert sess.run(y, {x: [[[[20], [3]]]]}).ravel().tolist() == [29, 12]


def test_standardization_of_integers():
    """They are shares of the largest one: so small a deviation is taken for 1 / sqrt(pixels)."""
    x = tf.placeholder(tf.int8, [1, 2, 3])
    y = tf.image.per_image_standardization(x)
    with tf.Session() as sess:
        got = sess.run(y, {x: [[[1, 2, 3], [2, 0, 1]]]})
    assert got.ravel().tolist() == [-1, 1, 3, 1, -3, -1]


@pytest.mark.parametrize("kind", ["sum", "mean", "prod", "max", "min"])
def test_types_of_segments(kind):
    """Truth values are refused (a kernel for them could not be made), and the order of complex."""
    f = getattr(tf.math, f"segment_{kind}")
    refused = [tf.bool, tf.string, *([tf.complex64] if kind[0] == "m" and kind != "mean" else [])]
    for dtype in refused:
        with pytest.raises(TypeError, match="Value passed to parameter 'data' has DataType"):
            f(tf.placeholder(dtype, [2, 3]), [0, 0])
    if kind == "mean":
        close(run(lambda x: f(x, [0, 0, 1]), [A[0]]), [A[0, :2].mean(0), A[0, 2]])
