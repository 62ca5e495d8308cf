"""Bessel functions, polynomials, running sums of exponentials, and more of matrices."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import arrays, diagonal, fills, linalg, math, reduce, shapes, transposing
from graphc.ops.record import Attrs, Types, as_value, no_grad, op, shape_error

__all__ = [
    "bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "cumulative_logsumexp", "logm", "lu",
    "normalize", "polyval", "tridiagonal_matmul", "tridiagonal_solve",
]  # fmt: skip

Array = np.ndarray[Any, Any]

# ------------------------------------------------------------------------- Bessel functions


def _scaled_bessel(order: int, x: Array) -> Array:
    """``exp(-x) I(x)`` for x >= 0, by its integral, of which the trapezoids are exact soon."""
    angle = (np.arange(512) + 0.5) * (np.pi / 512)
    kernel = np.exp(x[:, None] * (np.cos(angle) - 1.0)) * np.cos(order * angle)
    out: Array = kernel.mean(1)
    return out


@functools.cache
def _chebyshev(order: int, far: bool) -> tuple[float, ...]:
    """Coefficients of ``exp(-x) I(x)`` for x up to 8, or times ``sqrt(x)`` in 16 / x - 1 beyond."""
    n = 32
    y = np.cos((np.arange(n) + 0.5) * (np.pi / n))
    if far:
        x = np.minimum(16.0 / (y + 1.0), 5000.0)
        values = _scaled_bessel(order, x) * np.sqrt(x)
    else:
        x = (y + 1.0) * 4.0
        values = _scaled_bessel(order, x) / (x if order else 1.0)
    terms = np.cos(np.outer(np.arange(n), np.arccos(y)))
    found = 2.0 / n * (terms @ values)
    found[0] /= 2.0
    kept = np.abs(found) > 1e-17
    return tuple(found[: int(np.nonzero(kept)[0][-1]) + 1].tolist())


def _clenshaw(y: Any, coefficients: Sequence[float]) -> Any:
    """The sum of Chebyshev polynomials."""
    b1 = b2 = fills.zeros_like(y)
    for c in coefficients[:0:-1]:
        b1, b2 = 2.0 * y * b1 - b2 + c, b1
    return y * b1 - b2 + coefficients[0]


def _bessel(order: int, x: Any) -> Any:
    size = math.abs(x)
    near = _clenshaw(math.minimum(size, 8.0) * 0.25 - 1.0, _chebyshev(order, False))
    large = math.maximum(size, 8.0)
    far = _clenshaw(16.0 / large - 1.0, _chebyshev(order, True)) * math.rsqrt(large)
    if order:
        return math.select(size <= 8.0, near * x, far * math.sign(x))
    return math.select(size <= 8.0, near, far)


def _function(name: str, order: int, scaled: bool, doc: str) -> Any:
    def call(x: Any, name: str | None = None) -> Any:
        with current().scope(name, fname):
            v = as_value(x, None, "x")
            if not v.dtype.is_floating:
                raise TypeError(f"x must be a float tensor, not {v.dtype.name}")
            with current().counts_as(1 if scaled else 4):
                out = _bessel(order, v)
                return out if scaled else math.exp(math.abs(v)) * out

    fname = name
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return call


bessel_i0 = _function("bessel_i0", 0, False, "The modified Bessel function of order 0.")
bessel_i0e = _function("bessel_i0e", 0, True, "``exp(-|x|) bessel_i0(x)``.")
bessel_i1 = _function("bessel_i1", 1, False, "The modified Bessel function of order 1.")
bessel_i1e = _function("bessel_i1e", 1, True, "``exp(-|x|) bessel_i1(x)``.")


# ------------------------------------------------------------------------- sums


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Any:
    """The polynomial of a list of coefficients, highest power first, at `x`."""
    with current().scope(name, "polyval"):
        v = as_value(x, None, "x")
        if len(coeffs) < 1:
            return fills.zeros_like(v)
        terms = [as_value(c, v.dtype, f"coeff_{i}") for i, c in enumerate(coeffs)]
        return functools.reduce(lambda p, c: c + p * v, terms)


def cumulative_logsumexp(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """Running ``log(sum(exp(x)))`` along an axis whose size is known."""
    with current().scope(name, "CumulativeLogsumexp"):
        v = as_value(x, None, "x")
        s = v.static_shape
        if s is None or type(s[int(axis)]) is not int:
            raise ValueError("cumulative_logsumexp needs to know the size of the axis")
        axis = int(axis) % len(s)
        n: Any = s[axis]
        if reverse:
            v = arrays.reverse(v, [axis])
        out = _shifted(v, axis, n, 1) if exclusive else v
        step = 1
        while step < n:
            other = _shifted(out, axis, n, step)
            top = math.maximum(out, other)
            least = math.minimum(out, other)
            gap = math.select(math.is_inf(least), fills.zeros_like(top) - np.inf, least - top)
            out = math.select(math.is_inf(top), top, top + math.log1p(math.exp(gap)))
            step *= 2
        return arrays.reverse(out, [axis]) if reverse else out


def _shifted(x: Any, axis: int, n: int, by: int) -> Any:
    """`x` moved along an axis; what comes in is the logarithm of 0."""
    rank = len(x.static_shape)
    size = [slice(None)] * rank
    size[axis] = slice(0, n - by)
    pads = [[0, 0]] * rank
    pads[axis] = [by, 0]
    low = float(np.finfo(x.dtype.np).min)
    return arrays.pad(x[tuple(size)], pads, constant_values=low)


def normalize(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None
) -> tuple[Any, Any]:
    """A tensor divided by its norm, and the norm."""
    with current().scope(name, "normalize"):
        v = as_value(tensor, None, "tensor")
        size = linalg.norm(v, ord, axis, keepdims=True)
        return v / size, size


# ------------------------------------------------------------------------- factors


def _lu(x: Array, *, index: Any) -> tuple[Array, Array]:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise InvalidArgumentError(None, None, "Input matrix must be square.")
    flat = x.reshape(-1, *x.shape[-2:]).copy()
    n = x.shape[-1]
    rows = np.tile(np.arange(n), (len(flat), 1))
    for a, order in zip(flat, rows, strict=True):
        for k in range(n):
            p = k + int(np.argmax(np.abs(a[k:, k])))
            if a[p, k] == 0:
                raise InvalidArgumentError(None, None, "Input is not invertible.")
            if p != k:
                a[[k, p]], order[[k, p]] = a[[p, k]], order[[p, k]]
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return flat.reshape(x.shape), rows.reshape(x.shape[:-1]).astype(index.np)


def _lu_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    return [(inputs[0].dtype, s), (attrs["index"], None if s is None else s[:-1])]


lu_op = op(
    "lu", "Lu", "host", args=("input",), types="fc", numpy=_lu, infer=_lu_infer, grad=no_grad,
    doc="Lower and upper triangular factors with exchanged rows.",
)  # fmt: skip


class Lu(NamedTuple):
    """What `lu` gives."""

    lu: Any
    p: Any


def lu(input: Any, output_idx_type: Any = dtypes.int32, name: str | None = None) -> Lu:
    """Both triangular factors in one matrix, and the order of the rows."""
    v = as_value(input, None, "input")
    return Lu(*build(lu_op, (v,), {"index": as_dtype(output_idx_type)}, name).outputs)


def _logm_one(a: Array) -> Array:
    """Inverse scaling and squaring: roots until the matrix is near 1, then Gauss's quadrature."""
    n, roots = len(a), 0
    eye = np.eye(n)
    while np.abs(a - eye).sum(0).max() > 0.25 and roots < 60:
        y, z = a, eye.astype(a.dtype)
        for _ in range(30):  # of Denman and Beavers
            new = 0.5 * (y + np.linalg.inv(z))
            z = 0.5 * (z + np.linalg.inv(y))
            done = np.abs(new - y).max() < 1e-15 * max(1.0, np.abs(new).max())
            y = new
            if done:
                break
        a, roots = y, roots + 1
    nodes, weights = np.polynomial.legendre.leggauss(12)
    out = np.zeros_like(a)
    for t, w in zip(0.5 * (nodes + 1.0), 0.5 * weights, strict=True):
        out = out + w * np.linalg.solve(eye + t * (a - eye), a - eye)
    made: Array = out * 2.0**roots
    return made


def _logm(x: Array) -> Array:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise InvalidArgumentError(None, None, "Input matrix must be square.")
    flat = x.reshape(-1, *x.shape[-2:]).astype(np.complex128)
    out: Array = np.array([_logm_one(a) for a in flat]).reshape(x.shape).astype(x.dtype)
    return out


logm_op = op(
    "matrix_logarithm", "MatrixLogarithm", "host", args=("input",), types="c", numpy=_logm,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)], grad=no_grad,
    doc="Logarithms of complex matrices.",
)  # fmt: skip


def logm(input: Any, name: str | None = None) -> Any:
    """The principal logarithms of complex matrices."""
    v = as_value(input, None, "input")
    if not v.dtype.is_complex:
        raise TypeError(
            f"Value passed to parameter 'input' has DataType {v.dtype.name} not in list of allowed "
            "values: complex64, complex128"
        )
    return build(logm_op, (v,), {}, name).outputs[0]


# ------------------------------------------------------------------------- three diagonals


def _tridiagonal(diagonals: Array, rhs: Array) -> Array:
    """Elimination with exchanges of neighbouring rows, for all systems at once."""
    up, main, low = (diagonals[..., i, :].copy() for i in range(3))
    b = rhs.copy()
    n = main.shape[-1]
    up2 = np.zeros_like(up)
    low = np.concatenate([low[..., 1:], low[..., :1]], -1)  # of the row below each
    for k in range(n - 1):
        swap = np.abs(low[..., k]) > np.abs(main[..., k])
        pivot = np.where(swap, low[..., k], main[..., k])
        if np.any(pivot == 0):
            raise InvalidArgumentError(None, None, "Input matrix is not invertible.")
        other = np.where(swap, main[..., k], low[..., k]) / pivot
        next_main, next_up = main[..., k + 1].copy(), up[..., k + 1].copy()
        this_up = up[..., k].copy()
        main[..., k] = pivot
        up[..., k] = np.where(swap, next_main, this_up)
        up2[..., k] = np.where(swap, next_up, 0) if k + 2 <= n - 1 else 0
        main[..., k + 1] = np.where(swap, this_up, next_main) - other * up[..., k]
        up[..., k + 1] = np.where(swap, 0, next_up) - other * up2[..., k]
        first, second = b[..., k, :].copy(), b[..., k + 1, :].copy()
        s = swap[..., None]
        b[..., k, :] = np.where(s, second, first)
        b[..., k + 1, :] = np.where(s, first, second) - other[..., None] * b[..., k, :]
    if np.any(main[..., -1] == 0):
        raise InvalidArgumentError(None, None, "Input matrix is not invertible.")
    for k in range(n - 1, -1, -1):
        if k + 1 < n:
            b[..., k, :] -= up[..., k, None] * b[..., k + 1, :]
        if k + 2 < n:
            b[..., k, :] -= up2[..., k, None] * b[..., k + 2, :]
        b[..., k, :] /= main[..., k, None]
    out: Array = b
    return out


def _turned(diagonals: Any) -> Any:
    """The diagonals of the transposed matrices."""
    up, main, low = (diagonals[..., i, :] for i in range(3))
    zero = fills.zeros_like(up[..., :1])
    new_up = arrays.concat([low[..., 1:], zero], -1)
    new_low = arrays.concat([zero, up[..., :-1]], -1)
    return arrays.stack([new_up, main, new_low], -2)


def _tridiagonal_grad(y: Any, dy: Any, diagonals: Any, rhs: Any) -> Any:
    """As of `matrix_solve`: of the matrix's gradient only three diagonals."""
    db = build(tridiagonal_op, (_turned(diagonals), dy), {}, None).outputs[0]
    n = y[..., :1, :]
    below = arrays.concat([y[..., 1:, :], fills.zeros_like(n)], -2)
    above = arrays.concat([fills.zeros_like(n), y[..., :-1, :]], -2)
    parts = [-reduce.reduce_sum(db * z, -1) for z in (below, y, above)]
    return arrays.stack(parts, -2), db


tridiagonal_op = op(
    "tridiagonal_solve", "TridiagonalSolve", "host", args=("diagonals", "rhs"), types="f",
    numpy=_tridiagonal, grad=_tridiagonal_grad,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1].static_shape)],
    doc="Solutions of systems whose matrices have three diagonals.",
)  # fmt: skip


def _three(diagonals: Any, how: str) -> Any:
    """The diagonals above, of and below the matrices as rows of one tensor."""
    if how == "compact":
        return as_value(diagonals, None, "diagonals")
    if how == "sequence":
        above, main, below = (as_value(d, None, "diagonal") for d in diagonals)
        n = main.static_shape[-1] if main.static_shape else None
        zero = fills.zeros_like(main[..., :1])
        if type(n) is int:
            if above.static_shape and above.static_shape[-1] == n - 1:
                above = arrays.concat([above, zero], -1)
            if below.static_shape and below.static_shape[-1] == n - 1:
                below = arrays.concat([zero, below], -1)
        return arrays.stack([above, main, below], -2)
    if how == "matrix":
        m = as_value(diagonals, None, "diagonals")
        main = diagonal.matrix_diag_part(m)
        zero = fills.zeros_like(main[..., :1])
        above = arrays.concat([diagonal.matrix_diag_part(m[..., :-1, 1:]), zero], -1)
        below = arrays.concat([zero, diagonal.matrix_diag_part(m[..., 1:, :-1])], -1)
        return arrays.stack([above, main, below], -2)
    raise ValueError(f"Unrecognized diagonals_format: {how}")


def tridiagonal_solve(
    diagonals: Any, rhs: Any, diagonals_format: str = "compact", transpose_rhs: bool = False,
    conjugate_rhs: bool = False, name: str | None = None, partial_pivoting: bool = True,
) -> Any:  # fmt: skip
    """Solutions of systems whose matrices have three diagonals.

    Parameters
    ----------
    diagonals : tensor or list of tensors
        "compact": rows with the diagonals above, of and below, the first ending and the last
        beginning with an element that is not read; "sequence": these three; "matrix": matrices.
    rhs : tensor
        Matrices, or vectors.
    partial_pivoting : bool
        Accepted: rows are always exchanged where that is safer.
    """
    with current().scope(name, "tridiagonal_solve"):
        d = _three(diagonals, diagonals_format)
        b = as_value(rhs, d.dtype, "rhs")
        vector = b.rank == d.rank - 1
        if vector:
            b = shapes.expand_dims(b, -1)
        if transpose_rhs:
            b = transposing.matrix_transpose(b)
        del conjugate_rhs  # of real numbers
        out = build(tridiagonal_op, (d, b), {}, None).outputs[0]
        return shapes.squeeze(out, [-1]) if vector else out


def tridiagonal_matmul(
    diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None
) -> Any:
    """The product of matrices with three diagonals and matrices."""
    with current().scope(name, "tridiagonal_matmul"):
        d = _three(diagonals, diagonals_format)
        b = as_value(rhs, d.dtype, "rhs")
        up, main, low = (d[..., i, :, None] for i in range(3))
        zero = fills.zeros_like(b[..., :1, :])
        below = arrays.concat([b[..., 1:, :], zero], -2)
        above = arrays.concat([zero, b[..., :-1, :]], -2)
        return up * below + main * b + low * above
