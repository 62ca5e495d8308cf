"""Factorisations of matrices and linear systems; those without a lowering are LAPACK's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.node import Node, Value
from graphc.ops import arrays, diagonal, fills, linalg, math, reduce, shapes, transposing
from graphc.ops.counting import as_many, made
from graphc.ops.elimination import (
    lower_cholesky,
    lower_determinant,
    lower_inverse,
    lower_slogdet,
    lower_solve,
    small,
)
from graphc.ops.factor_loops import (
    factor_cholesky,
    invert,
    log_determinant,
    lower_triangular,
    solve_lu,
)
from graphc.ops.lowering import Site
from graphc.ops.orthogonal_loops import factor_qr
from graphc.ops.record import Attrs, InferError, Op, Types, as_value, op, operands, shape_error
from graphc.ops.symmetric_loops import factor_symmetric

__all__ = [
    "adjoint", "cholesky", "cholesky_solve", "eigh", "eigvalsh", "expm", "logdet",
    "matrix_determinant", "matrix_inverse", "matrix_rank", "matrix_solve", "matrix_solve_ls",
    "matrix_square_root", "matrix_triangular_solve", "pinv", "qr", "self_adjoint_eig",
    "self_adjoint_eigvals", "slogdet", "svd",
]  # fmt: skip

Array = np.ndarray[Any, Any]

# ------------------------------------------------------------------------- shapes


def _matrix(v: Value, square: bool = False) -> tuple[Shape, Dim, Dim] | None:
    """Batch sizes, rows and columns; None where the rank is unknown."""
    s = v.static_shape
    if s is None:
        return None
    if len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    if square and D.same(s[-2], s[-1]) is False:
        if D.facts() is not None:
            raise InferError("Input matrix must be square.")
        raise shape_error(f"Dimensions must be equal, but are {s[-2]} and {s[-1]}")
    return s[:-2], s[-2], s[-1]


def _same_square(inputs: Sequence[Value], attrs: Attrs) -> Types:
    _matrix(inputs[0], square=True)
    return [(inputs[0].dtype, inputs[0].static_shape)]


def _of_batch(count: int) -> Callable[[Sequence[Value], Attrs], Types]:
    def infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
        m = _matrix(inputs[0], square=True)
        return [(inputs[0].dtype, None if m is None else m[0])] * count

    return infer


def _solved(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = _matrix(inputs[0], square=not attrs.get("tall")), _matrix(inputs[1])
    if a is None or b is None:
        return [(inputs[0].dtype, None)]
    if D.same(a[1], b[1]) is False:
        raise shape_error(f"Dimensions must be equal, but are {a[1]} and {b[1]}")
    return [(inputs[0].dtype, (*a[0], a[2], b[2]))]


def _least(m: Dim, n: Dim) -> Dim:
    if type(m) is int and type(n) is int:
        return min(m, n)
    return D.fresh() if D.facts() is None else D.minimum(m, n)


# ------------------------------------------------------------------------- the host's part


def _host(
    name: str, tf: str, doc: str, f: Callable[..., Any], infer: Any, grad: Any,
    args: tuple[str, ...] = ("input",), words: str = "Input is not invertible.",
    lower: Callable[[Node, Site], None] | None = None, types: str = "f",
) -> Op:  # fmt: skip
    """A record for a function of numpy's that raises LinAlgError; `lower` makes it native.

    With complex numbers among its `types` the gradient is TF1's: no derivative of a function.
    """

    def meaning(*arrays: Array, **attrs: Any) -> Any:
        for a in arrays[:1]:
            if a.ndim < 2:
                raise InvalidArgumentError(
                    None, None, f"Input tensor must have rank >= 2, got {a.ndim}"
                )
        try:
            with np.errstate(all="ignore"):
                return f(*arrays, **attrs)
        except np.linalg.LinAlgError as e:
            text = "Input matrix must be square." if "square" in str(e) else words
            raise InvalidArgumentError(None, None, text) from None

    return op(
        name, tf, "structured" if lower else "host", doc=doc, args=args, types=types,
        numpy=meaning, infer=infer, grad=grad, lower=lower, fails=lower is not None,
        facts={"own_conjugate": True} if "c" in types else {},
    )  # fmt: skip


def _sized(
    written_out: Callable[[Node, Site], None], loops: Callable[[Node, Site], None]
) -> Callable[[Node, Site], None]:
    """Small matrices are eliminated with no loop inside, a vector of them at a time."""
    return lambda n, s: (written_out if small(n) else loops)(n, s)


def _call(record: Op, values: Sequence[Any], attrs: Attrs | None = None, name: Any = None) -> Any:
    given = operands(record, values)
    if given[0].dtype.code in ("f16", "bf16"):
        raise TypeError(f"Value passed to parameter 'input' has DataType {given[0].dtype.name} "
                        "not in list of allowed values: float64, float32")  # fmt: skip
    return build(record, given, attrs or {}, name)


def _t(x: Any) -> Value:
    """The matrices turned over, of complex numbers the adjoint ones."""
    return transposing.matrix_transpose(x, conjugate=as_value(x).dtype.kind == "c")


def _mm(a: Any, b: Any, ta: bool = False, tb: bool = False) -> Value:
    """A product, the first or second operand turned over as `_t` does."""
    if a.dtype.kind == "c":
        return linalg.matmul(a, b, adjoint_a=ta, adjoint_b=tb)
    return linalg.matmul(a, b, transpose_a=ta, transpose_b=tb)


def _flip(x: Array, yes: bool) -> Array:
    return np.conj(np.swapaxes(x, -1, -2)) if yes else x


# ------------------------------------------------------------------------- inverse, determinant


def _begun(a: Array) -> Array:
    """`a`, unless its first element is NaN: others go on, as in TensorFlow."""
    if a.size and np.isnan(a[..., 0, 0]).any():
        raise np.linalg.LinAlgError
    return a


def _inverse_grad(y: Value, dy: Value, x: Value, *, adjoint: bool) -> Value:
    """d(A^-1) = -A^-1 dA A^-1."""
    if adjoint:
        return -_mm(y, _mm(dy, y, ta=True))
    return -_mm(y, _mm(dy, y, tb=True), ta=True)


inverse_op = _host(
    "matrix_inverse", "MatrixInverse", "Inverses of square matrices.",
    lambda x, *, adjoint: _flip(np.linalg.inv(_begun(x)), adjoint), _same_square, _inverse_grad,
    lower=_sized(lower_inverse, invert), types="fc",
)  # fmt: skip


def matrix_inverse(input: Any, adjoint: bool = False, name: str | None = None) -> Value:
    """Inverses of the matrices in the last two axes.

    Parameters
    ----------
    adjoint : bool
        Whether to turn the inverses over.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run, for a singular matrix.
    """
    return _call(inverse_op, (input,), {"adjoint": adjoint}, name).outputs[0]  # type: ignore[no-any-return]


def _over(dy: Value) -> Value:
    """A number for each matrix, as a matrix."""
    return shapes.expand_dims(shapes.expand_dims(dy, -1), -1)


def _slogdet(x: Array) -> tuple[Array, Array]:
    """Without end, or of no numbers, they are what TensorFlow 1.15 has."""
    sign, logs = np.linalg.slogdet(x)
    usual, odd = np.isfinite(logs), np.where(logs > 0, logs, -np.inf).astype(x.dtype)
    return np.where(usual, sign, 0).astype(x.dtype), np.where(usual, logs, odd)


def _det(x: Array) -> Array:
    logs = _slogdet(x)[1]
    odd = np.where(logs > 0, np.nan, 0).astype(x.dtype)
    return np.asarray(np.where(np.isfinite(logs), np.linalg.det(x), odd))


determinant_op = _host(
    "matrix_determinant", "MatrixDeterminant", "Determinants of square matrices.", _det,
    _of_batch(1), lambda y, dy, x: _over(dy * y) * matrix_inverse(x, adjoint=True),
    lower=_sized(lower_determinant, log_determinant), types="fc",
)  # fmt: skip


def matrix_determinant(input: Any, name: str | None = None) -> Value:
    """Determinants of the matrices in the last two axes; d det(A) = det(A) tr(A^-1 dA)."""
    return _call(determinant_op, (input,), None, name).outputs[0]  # type: ignore[no-any-return]


slogdet_op = _host(
    "slogdet", "LogMatrixDeterminant", "Signs and logarithms of determinants.",
    _slogdet, _of_batch(2),
    lambda y, dy, x: _over(dy[1]) * matrix_inverse(x, adjoint=True),
    lower=_sized(lower_slogdet, log_determinant),
)  # fmt: skip


class LogMatrixDeterminant(NamedTuple):
    """What `slogdet` gives."""

    sign: Value
    log_abs_determinant: Value


def slogdet(input: Any, name: str | None = None) -> LogMatrixDeterminant:
    """Sign of the determinant, and the logarithm of its absolute value."""
    return LogMatrixDeterminant(*_call(slogdet_op, (input,), None, name).outputs)


def logdet(matrix: Any, name: str | None = None) -> Value:
    """Logarithms of the determinants of positive definite matrices, by their Cholesky factors."""
    with current().scope(name, "logdet"):
        roots = diagonal.matrix_diag_part(cholesky(matrix))
        return 2.0 * reduce.reduce_sum(math.log(roots), axis=[-1])  # type: ignore[no-any-return]


# ------------------------------------------------------------------------- triangular factors


def _tril(x: Value, half: bool = False) -> Value:
    low = linalg.matrix_band_part(x, -1, 0)
    if not half:
        return low
    return diagonal.matrix_set_diag(low, 0.5 * diagonal.matrix_diag_part(low))


def _cholesky_grad(y: Value, dy: Value, x: Value) -> Value:
    """Ā = sym(L^-T tril'(Lᵀ L̄) L^-1), the diagonal halved (Murray 2016)."""
    middle = _tril(_mm(y, dy, ta=True), half=True)
    left = matrix_triangular_solve(y, middle, lower=True, adjoint=True)
    s = _t(matrix_triangular_solve(y, _t(left), lower=True, adjoint=True))
    return 0.5 * (s + _t(s))


cholesky_op = _host(
    "cholesky", "Cholesky", "Lower triangular factors of positive definite matrices.",
    np.linalg.cholesky, _same_square, _cholesky_grad,
    words="Cholesky decomposition was not successful. The input might not be valid.",
    lower=_sized(lower_cholesky, factor_cholesky), types="fc",
)  # fmt: skip


def cholesky(input: Any, name: str | None = None) -> Value:
    """Lower triangular L with ``L Lᵀ`` the matrix; only its lower triangle is read.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run, for a matrix that is not positive definite.
    """
    return _call(cholesky_op, (input,), None, name).outputs[0]  # type: ignore[no-any-return]


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Value:
    """Solutions x of ``L Lᵀ x = rhs`` for lower triangular L."""
    with current().scope(name, "cholesky_solve"):
        factor = as_value(chol, None, "chol")
        y = matrix_triangular_solve(factor, rhs, adjoint=False, lower=True)
        return matrix_triangular_solve(factor, y, adjoint=True, lower=True)


def _solve_grad(y: Value, dy: Value, a: Value, b: Value, *, adjoint: bool) -> Any:
    """b̄ = A^-T x̄ and Ā = -b̄ xᵀ."""
    db = matrix_solve(a, dy, adjoint=not adjoint)
    da = -_mm(y, db, tb=True) if adjoint else -_mm(db, y, tb=True)
    return da, db


def _fits(a: Array, b: Array) -> None:
    if a.shape[:-1] != b.shape[:-1]:
        raise InvalidArgumentError(
            None, None,
            f"Input matrix and rhs are incompatible: {list(a.shape)} and {list(b.shape)}",
        )  # fmt: skip


def _solve(a: Array, b: Array, *, adjoint: bool) -> Array:
    _fits(a, b)
    return np.linalg.solve(_flip(_begun(a), adjoint), b)


def _batches_solved(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = (v.static_shape for v in inputs)
    made = _solved(inputs, attrs)
    if a is not None and b is not None:
        batches = zip(a[:-2], b[:-2], strict=False)
        if len(a) != len(b) or any(D.same(m, n) is False for m, n in batches):
            raise shape_error(f"Batches of matrices must be equal, but are {a[:-2]} and {b[:-2]}")
    return made


solve_op = _host(
    "matrix_solve", "MatrixSolve", "Solutions of systems of linear equations.", _solve,
    _batches_solved, _solve_grad, ("matrix", "rhs"), "Input matrix is not invertible.",
    _sized(lower_solve, solve_lu), "fc",
)  # fmt: skip


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Value:
    """Solutions x of ``matrix x = rhs`` (of ``matrixᵀ x = rhs`` with `adjoint`)."""
    return _call(solve_op, (matrix, rhs), {"adjoint": adjoint}, name).outputs[0]  # type: ignore[no-any-return]


def _triangular(a: Array, b: Array, *, lower: bool, adjoint: bool) -> Array:
    _fits(a, b)
    half = np.tril(_begun(a)) if lower else np.triu(_begun(a))
    return np.linalg.solve(_flip(half, adjoint), b)


def _triangular_grad(
    y: Value, dy: Value, a: Value, b: Value, *, lower: bool, adjoint: bool
) -> tuple[Value, Value]:
    """As of `matrix_solve`; the half that is not read has no gradient."""
    db = matrix_triangular_solve(a, dy, lower=lower, adjoint=not adjoint)
    da = -_mm(y, db, tb=True) if adjoint else -_mm(db, y, tb=True)
    return linalg.matrix_band_part(da, *((-1, 0) if lower else (0, -1))), db


triangular_op = _host(
    "matrix_triangular_solve", "MatrixTriangularSolve",
    "Solutions of triangular systems of linear equations.", _triangular, _batches_solved,
    _triangular_grad, ("matrix", "rhs"), "Input matrix is not invertible.", lower_triangular, "fc",
)  # fmt: skip


def matrix_triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Value:
    """Solutions x of ``matrix x = rhs``, where only one triangle of the matrix is read."""
    attrs = {"lower": lower, "adjoint": adjoint}
    return _call(triangular_op, (matrix, rhs), attrs, name).outputs[0]  # type: ignore[no-any-return]


# ------------------------------------------------------------------------- least squares


lstsq_op = _host(
    "matrix_solve_ls", "MatrixSolveLs", "Least squares solutions by orthogonal factors.",
    lambda a, b, *, tall: np.linalg.pinv(a) @ b, _solved, None, ("matrix", "rhs"),
)  # fmt: skip


def matrix_solve_ls(
    matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: str | None = None
) -> Value:
    """Least squares solutions x of ``matrix x = rhs``.

    Parameters
    ----------
    l2_regularizer : float
        The penalty on the squares of x, for `fast` only.
    fast : bool
        By normal equations (squares the condition number); else by orthogonal factors, which has
        no gradient.

    Raises
    ------
    ValueError
        For `fast` with matrices of unknown rank or unknown numbers of rows and columns.
    """
    if not fast:
        made(1)  # the penalty, which TF1's op does not read
        return _call(lstsq_op, (matrix, rhs), {"tall": True}, name).outputs[0]  # type: ignore[no-any-return]
    with current().scope(name, "matrix_solve_ls"):
        a, b = operands(lstsq_op, (matrix, rhs))
        s = _matrix(a)
        if s is None or type(s[1]) is not int or type(s[2]) is not int:
            raise ValueError("matrix_solve_ls needs to know the numbers of rows and columns")
        if s[1] >= s[2]:
            return cholesky_solve(_gramian(a, l2_regularizer, True), _mm(a, b, ta=True))
        return _mm(a, cholesky_solve(_gramian(a, l2_regularizer, False), b), ta=True)


def _gramian(a: Value, l2: float, first: bool) -> Value:
    g = _mm(a, a, ta=True) if first else _mm(a, a, tb=True)
    if l2:
        g = diagonal.matrix_set_diag(g, diagonal.matrix_diag_part(g) + l2)
    return cholesky(g)


# ------------------------------------------------------------------------- orthogonal factors


def _qr_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, s = inputs[0], _matrix(inputs[0])
    if s is None:
        return [(x.dtype, None)] * 2
    batch, m, n = s
    k = m if attrs["full"] else _least(m, n)
    return [(x.dtype, (*batch, m, k)), (x.dtype, (*batch, k, n))]


def _qr_grad(y: Any, dy: Any, x: Value, *, full: bool) -> Any:
    """Q̄ and R̄ to Ā for full column rank (Walter, Lehmann and Lamour 2012)."""
    s = _matrix(x)
    if full or s is None or type(s[1]) is not int or type(s[2]) is not int or s[1] < s[2]:
        raise NotImplementedError(
            "QrGrad needs full_matrices=False and known numbers of rows and columns, no fewer "
            "rows than columns"
        )
    q, r = y
    dq, dr = (fills.zeros_like(v) if g is None else g for g, v in zip(dy, y, strict=True))

    def over_r(z: Value) -> Value:
        return _t(matrix_triangular_solve(r, _t(z), lower=False))

    qdq, rdr = _mm(q, dq, ta=True), _mm(r, dr, tb=True)
    low = _tril((qdq - _t(qdq)) + (rdr - _t(rdr)))
    return _mm(q, dr + over_r(low)) + over_r(dq - _mm(q, qdq))


qr_op = _host(
    "qr", "Qr", "Orthogonal and upper triangular factors.",
    lambda x, *, full: tuple(np.linalg.qr(x, "complete" if full else "reduced")), _qr_infer,
    _qr_grad, lower=factor_qr,
)  # fmt: skip
qr_op.facts["partial_gradients"] = True


class Qr(NamedTuple):
    """What `qr` gives."""

    q: Value
    r: Value


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> Qr:
    """Q with orthonormal columns and upper triangular R whose product is the matrix."""
    return Qr(*_call(qr_op, (input,), {"full": full_matrices}, name).outputs)


def _svd_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, s = inputs[0], _matrix(inputs[0])
    count = 3 if attrs["uv"] else 1
    if s is None:
        return [(x.dtype, None)] * count
    batch, m, n = s
    k = _least(m, n)
    a, b = (m, n) if attrs["full"] else (k, k)
    types = [(x.dtype, (*batch, k)), (x.dtype, (*batch, m, a)), (x.dtype, (*batch, n, b))]
    return types[:count]


def _svd(x: Array, *, full: bool, uv: bool) -> Any:
    if not uv:
        return np.linalg.svd(x, compute_uv=False)
    u, s, vh = np.linalg.svd(x, full_matrices=full)
    return s, u, np.swapaxes(vh, -1, -2)


def _gaps(squares: Value) -> Value:
    """1 / (s_j - s_i), and 0 on the diagonal."""
    d = shapes.expand_dims(squares, -2) - shapes.expand_dims(squares, -1)
    zero = fills.zeros_like(squares)
    return diagonal.matrix_set_diag(
        1.0 / diagonal.matrix_set_diag(d, fills.ones_like(squares)), zero
    )  # fmt: skip


def _svd_grad(y: Any, dy: Any, x: Value, *, full: bool, uv: bool) -> Any:
    """Ā = U [diag(s̄) + 2 sym(F∘UᵀŪ) S + 2 S sym(F∘VᵀV̄)] Vᵀ and what lies outside (Giles 2008)."""
    if not uv:
        s, u, v = svd(x)
        return _mm(_mm(u, diagonal.matrix_diag(dy)), v, tb=True)
    m = _matrix(x)
    if m is None or (full and D.same(m[1], m[2]) is not True):
        raise NotImplementedError("SvdGrad needs a known rank, and full_matrices=False")
    s, u, v = y
    ds, du, dv = (fills.zeros_like(a) if g is None else g for g, a in zip(dy, y, strict=True))
    f, sm = _gaps(s * s), diagonal.matrix_diag(s)
    j, k = f * _mm(u, du, ta=True), f * _mm(v, dv, ta=True)
    inner = diagonal.matrix_diag(ds) + _mm(j + _t(j), sm) + _mm(sm, k + _t(k))
    back = diagonal.matrix_diag(1.0 / s)
    out_u = du - _mm(u, _mm(u, du, ta=True))
    out_v = dv - _mm(v, _mm(v, dv, ta=True))
    return (
        _mm(_mm(u, inner), v, tb=True)
        + _mm(_mm(out_u, back), v, tb=True)
        + _mm(_mm(u, back), out_v, tb=True)
    )


svd_op = _host("svd", "Svd", "Singular values and vectors.", _svd, _svd_infer, _svd_grad)
svd_op.facts["partial_gradients"] = True


def svd(
    tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None
) -> Any:
    """Singular values, largest first, and the left and right singular vectors.

    Parameters
    ----------
    full_matrices : bool
        Whether to complete the vectors to bases.
    compute_uv : bool
        Whether to give (s, u, v) or s alone. Vectors have the signs of LAPACK.
    """
    node = _call(svd_op, (tensor,), {"full": full_matrices, "uv": compute_uv}, name)
    return tuple(node.outputs) if compute_uv else node.outputs[0]


# ------------------------------------------------------------------------- eigenvalues


def _eigh_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, s = inputs[0], _matrix(inputs[0], square=True)
    values = (x.dtype, None if s is None else (*s[0], s[1]))
    return [values, (x.dtype, x.static_shape)] if attrs["vectors"] else [values]


def _eigh_grad(y: Any, dy: Any, x: Value, *, vectors: bool) -> Value:
    """Ā = V [diag(ē) + F∘VᵀV̄] Vᵀ, gathered in the lower triangle, which alone is read."""
    if not vectors:
        e, v = self_adjoint_eig(x)
        inner = diagonal.matrix_diag(dy)
    else:
        e, v = y
        de, dv = (fills.zeros_like(a) if g is None else g for g, a in zip(dy, y, strict=True))
        inner = diagonal.matrix_diag(de) + _gaps(e) * _mm(v, dv, ta=True)
    whole = _mm(v, _mm(inner, v, tb=True))
    return _tril(whole + _t(whole), half=True)


eigh_op = _host(
    "self_adjoint_eig", "SelfAdjointEigV2", "Eigenvalues and -vectors of symmetric matrices.",
    lambda x, *, vectors: tuple(np.linalg.eigh(x)) if vectors else np.linalg.eigvalsh(x),
    _eigh_infer, _eigh_grad, lower=factor_symmetric,
    words="Self-adjoint eigen decomposition was not successful. The input might not be valid.",
)  # fmt: skip
eigh_op.facts["partial_gradients"] = True


def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Value, Value]:
    """Eigenvalues in ascending order, and the eigenvectors as columns; reads the lower triangle."""
    return tuple(_call(eigh_op, (tensor,), {"vectors": True}, name).outputs)


def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Value:
    """Eigenvalues of symmetric matrices, in ascending order."""
    return _call(eigh_op, (tensor,), {"vectors": False}, name).outputs[0]  # type: ignore[no-any-return]


eigh, eigvalsh = self_adjoint_eig, self_adjoint_eigvals


# ------------------------------------------------------------------------- functions of matrices


def _sqrtm(x: Array) -> Array:
    values, vectors = np.linalg.eig(x.astype(np.float64))
    root = (vectors * np.sqrt(values.astype(complex))[..., None, :]) @ np.linalg.inv(vectors)
    made: Array = root.real.astype(x.dtype)
    return made


sqrtm_op = _host(
    "matrix_square_root", "MatrixSquareRoot", "Square roots of matrices.", _sqrtm, _same_square,
    None,
)  # fmt: skip


def matrix_square_root(input: Any, name: str | None = None) -> Value:
    """Matrices whose squares are the given ones (which are diagonalisable)."""
    return _call(sqrtm_op, (input,), None, name).outputs[0]  # type: ignore[no-any-return]


_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


def _expm(x: Array) -> Array:
    """Scaling, a Padé quotient of degree 13, and squaring (Higham 2005)."""
    a = x.astype(np.float64)
    norm = np.abs(a).sum(-2).max(initial=0.0)
    squarings = max(0, int(np.ceil(np.log2(norm / 5.37)))) if norm > 5.37 and norm < np.inf else 0
    a = a / 2.0**squarings
    b, eye, a2 = _PADE, np.eye(x.shape[-1]), a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    high = b[13] * a6 + b[11] * a4 + b[9] * a2, b[12] * a6 + b[10] * a4 + b[8] * a2
    u = a @ (a6 @ high[0] + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * eye)
    v = a6 @ high[1] + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * eye
    out = np.linalg.solve(v - u, v + u)
    for _ in range(squarings):
        out = out @ out
    made: Array = out.astype(x.dtype)
    return made


def _expm_grad(y: Value, dy: Value, x: Value) -> Value:
    """The derivative is a block of the exponential of [[Aᵀ, Ȳ], [0, Aᵀ]]."""
    a = _t(x)
    top = arrays.concat([a, dy], -1)
    bottom = arrays.concat([fills.zeros_like(a), a], -1)
    n = shapes.shape(x)[-1]
    return expm(arrays.concat([top, bottom], -2))[..., :n, n:]


expm_op = _host(
    "matrix_exponential", "MatrixExponential", "Exponentials of matrices.", _expm, _same_square,
    _expm_grad,
)  # fmt: skip


def _series(input: Any, name: str | None = None) -> int:
    """How many operations TF1 makes for `expm`: rational functions up to what a type needs."""
    x = as_value(input)
    s = x.static_shape
    count = 298 if x.dtype.code == "f64" else 177
    if s is None:
        return count + 14
    if all(type(d) is int for d in s):
        return count
    return count + (7 if all(type(d) is int for d in s[:-2]) else 11)


@as_many(_series)
def expm(input: Any, name: str | None = None) -> Value:
    """Exponentials of the matrices in the last two axes."""
    return _call(expm_op, (input,), None, name or "matrix_exponential").outputs[0]  # type: ignore[no-any-return]


def adjoint(matrix: Any, name: str | None = None) -> Value:
    """The matrices turned over and conjugated."""
    return transposing.matrix_transpose(matrix, name=name or "adjoint", conjugate=True)


def _tolerance(a: Value, s: Value) -> Value:
    """Below this a singular value counts as zero: the largest, times size and precision."""
    size = math.cast(reduce.reduce_max(shapes.shape(a)[-2:]), a.dtype)
    eps = float(np.finfo(a.dtype.np).eps)
    return reduce.reduce_max(s, axis=-1, keepdims=True) * size * eps  # type: ignore[no-any-return]


def matrix_rank(
    a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None
) -> Value:
    """How many singular values are above `tol`."""
    with current().scope(name, "matrix_rank"):
        x = as_value(a)
        s = svd(x, compute_uv=False)
        limit = _tolerance(x, s) if tol is None else tol
        return reduce.reduce_sum(math.cast(s > limit, dtypes.int32), axis=-1)  # type: ignore[no-any-return]


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Value:
    """Pseudo-inverses; singular values below `rcond` times the largest count as zero."""
    with current().scope(name, "pinv"):
        x = as_value(a)
        s, u, v = svd(x)
        largest = reduce.reduce_max(s, axis=-1, keepdims=True)
        if rcond is None:
            limit = 10.0 * _tolerance(x, s)
        else:
            limit = as_value(rcond, x.dtype)[..., None] * largest
        back = math.select(s > limit, 1.0 / s, fills.zeros_like(s))
        return _mm(v * shapes.expand_dims(back, -2), u, tb=True)
