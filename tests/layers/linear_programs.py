"""Programs of tf.linalg.LinearOperator; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def spd(np, n, *batch):
    a = data(*batch, n, n)
    return (a @ np.swapaxes(a, -1, -2) + 2 * np.eye(n)).astype(np.float32)


def everything(tf, op, x, square=True):
    """What an operator can do, at x."""
    out = [op.matmul(x), op.to_dense(), op.diag_part(), op.trace(), op.shape_tensor()]
    out += [op.matvec(x[..., 0]), op.batch_shape_tensor(), op.add_to_tensor(op.to_dense())]
    if square:
        out += [op.matmul(x, adjoint=True), op.determinant(), op.log_abs_determinant()]
    said = [str(op.shape), str(op.batch_shape), str(op.tensor_rank), str(op.is_non_singular)]
    said += [str(op.is_self_adjoint), str(op.is_positive_definite), str(op.is_square)]
    if square and op.is_non_singular is not False:
        out += [op.solve(x), op.solve(x, adjoint=True), op.solvevec(x[..., 0])]
        out += [op.inverse().matmul(x)]
        out += [op.H.to_dense()]
        said += [type(op.inverse()).__name__, type(op.H).__name__]
    if op.is_positive_definite and op.is_self_adjoint:
        out += [op.cholesky().to_dense()]
        said += [type(op.cholesky()).__name__]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": said}


@program
def identity(tf, np):
    return everything(tf, tf.linalg.LinearOperatorIdentity(3, batch_shape=[2]), data(2, 3, 2))


@program
def identity_of_one(tf, np):
    return everything(tf, tf.linalg.LinearOperatorIdentity(3), data(3, 2))


@program
def scaled_identity(tf, np):
    op = tf.linalg.LinearOperatorScaledIdentity(
        3, [0.5, 2.0], is_positive_definite=True, is_non_singular=True
    )
    return everything(tf, op, data(2, 3, 2))


@program
def zeros(tf, np):
    op = tf.linalg.LinearOperatorZeros(2, 3, is_square=False, is_self_adjoint=False)
    return everything(tf, op, data(3, 2), square=False)


@program
def diagonal(tf, np):
    op = tf.linalg.LinearOperatorDiag([[0.5, 2.0, 1.5]], is_positive_definite=True)
    return everything(tf, op, data(1, 3, 2))


@program
def triangle(tf, np):
    op = tf.linalg.LinearOperatorLowerTriangular(spd(np, 3, 2))
    return everything(tf, op, data(2, 3, 2))


@program
def full(tf, np):
    op = tf.linalg.LinearOperatorFullMatrix(
        spd(np, 3), is_positive_definite=True, is_self_adjoint=True
    )
    return everything(tf, op, data(3, 2))


@program
def rectangle(tf, np):
    return everything(tf, tf.linalg.LinearOperatorFullMatrix(data(2, 3)), data(3, 2), False)


@program
def householder(tf, np):
    return everything(tf, tf.linalg.LinearOperatorHouseholder([1.0, 2.0, -1.0]), data(3, 2))


@program
def toeplitz(tf, np):
    op = tf.linalg.LinearOperatorToeplitz([4.0, 1.0, 0.5], [4.0, -1.0, 2.0])
    return everything(tf, op, data(3, 2))


@program
def circulant(tf, np):
    op = tf.linalg.LinearOperatorCirculant([6.0, 4.0, 3.0, 4.0], input_output_dtype=tf.float32)
    x = data(4, 2)
    out = [op.matmul(x), op.matmul(x, adjoint=True), op.solve(x), op.to_dense(), op.trace()]
    out += [op.diag_part(), op.determinant(), op.log_abs_determinant(), op.convolution_kernel()]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": [str(op.shape)]}


@program
def circulant_2d(tf, np):
    s = np.fft.fft2(np.array([[5.0, 1.0], [0.5, 0.25], [0.5, 0.125]]))
    op = tf.linalg.LinearOperatorCirculant2D(s.astype(np.complex64), input_output_dtype=tf.float32)
    out = [op.matmul(data(6, 2)), op.solve(data(6, 2)), op.to_dense(), op.trace()]
    said = [str(op.shape), str(op.block_shape), str(op.block_depth)]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": said}


@program
def low_rank(tf, np):
    base = tf.linalg.LinearOperatorDiag([1.0, 2.0, 3.0], is_positive_definite=True)
    op = tf.linalg.LinearOperatorLowRankUpdate(
        base, data(3, 2), [0.5, 2.0], is_diag_update_positive=True
    )
    return everything(tf, op, data(3, 2) + 1)


@program
def low_rank_of_two(tf, np):
    base = tf.linalg.LinearOperatorDiag([1.0, 2.0, 3.0])
    op = tf.linalg.LinearOperatorLowRankUpdate(base, data(3, 2), None, data(3, 2) * 0.5)
    return everything(tf, op, data(3, 2) + 1)


@program
def composition(tf, np):
    a = tf.linalg.LinearOperatorFullMatrix(spd(np, 3))
    b = tf.linalg.LinearOperatorLowerTriangular(spd(np, 3, 2))
    return everything(tf, tf.linalg.LinearOperatorComposition([a, b]), data(2, 3, 2))


@program
def blocks(tf, np):
    a = tf.linalg.LinearOperatorFullMatrix(
        spd(np, 2), is_positive_definite=True, is_self_adjoint=True
    )
    b = tf.linalg.LinearOperatorDiag([2.0, 3.0, 5.0], is_positive_definite=True)
    return everything(tf, tf.linalg.LinearOperatorBlockDiag([a, b]), data(5, 2))


@program
def kronecker(tf, np):
    a = tf.linalg.LinearOperatorFullMatrix(
        spd(np, 2), is_positive_definite=True, is_self_adjoint=True
    )
    b = tf.linalg.LinearOperatorLowerTriangular(spd(np, 3))
    return everything(tf, tf.linalg.LinearOperatorKronecker([a, b]), data(6, 2))


@program
def products(tf, np):
    L = tf.linalg
    d, t = L.LinearOperatorDiag([1.0, 2.0]), L.LinearOperatorLowerTriangular(spd(np, 2))
    f, e = L.LinearOperatorFullMatrix(data(2, 2)), L.LinearOperatorIdentity(2)
    made = [a.matmul(b) for a in (d, t, f, e) for b in (d, t, f, e)]
    return {
        "fetch": [tf.identity(m.to_dense(), name="v") for m in made],
        "said": [type(m).__name__ for m in made],
    }


@program
def gradients(tf, np):
    d = tf.constant([1.0, 2.0, 3.0])
    u = tf.constant(data(3, 2))
    op = tf.linalg.LinearOperatorLowRankUpdate(
        tf.linalg.LinearOperatorDiag(d, is_positive_definite=True), u
    )
    y = tf.reduce_sum(op.solve(data(3, 1))) + op.log_abs_determinant()
    return {"fetch": tf.gradients(y, [d, u])}


@program
def checked(tf, np):
    op = tf.linalg.LinearOperatorFullMatrix(spd(np, 3))
    checks = [op.assert_non_singular(), op.assert_self_adjoint()]
    with tf.control_dependencies(checks):
        return {"fetch": [tf.identity(op.trace(), name="v")]}
