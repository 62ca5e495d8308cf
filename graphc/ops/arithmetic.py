"""Arithmetic, comparison, logic and the elementary functions, element by element.

Gradients are written in the user's own operators, so they can be differentiated again; the
pass that uses them sums over broadcast axes. Where TensorFlow 1 has a convention (ties of
`maximum`, `abs` at 0, `pow` at 0) it is followed, and said where it is not obvious.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import intervals
from graphc.ops.casting import cast
from graphc.ops.comparing import not_equal
from graphc.ops.record import (
    OPS,
    Attrs,
    Op,
    Types,
    apply,
    as_value,
    elementwise,
    merge,
    no_grad,
)  # fmt: skip

__all__ = [
    "abs",
    "accumulate_n",
    "add",
    "add_n",
    "div_no_nan",
    "floor_div",
    "floormod",
    "mod",
    "multiply",
    "multiply_no_nan",
    "negative",
    "nextafter",
    "realdiv",
    "reciprocal",
    "sign",
    "square",
    "squared_difference",
    "subtract",
    "truncatediv",
    "truncatemod",
]


# ------------------------------------------------------------------------- arithmetic

add = elementwise(
    "add", "Add", "Returns x + y element-wise; integers wrap, strings are joined.",
    numpy=np.add, types="fiusc", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy, dy),
    scalar=lambda k, x, y: x + y,
    dims=lambda a, b: a + b,
    interval=intervals.add,
)  # fmt: skip

subtract = elementwise(
    "subtract", "Sub", "Returns x - y element-wise; integers wrap.",
    numpy=np.subtract, types="fiuc", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy, -dy),
    scalar=lambda k, x, y: x - y,
    dims=lambda a, b: a - b,
    interval=intervals.subtract,
)  # fmt: skip

multiply = elementwise(
    "multiply", "Mul", "Returns x * y element-wise; integers wrap.",
    numpy=np.multiply, types="fiuc", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy * b, dy * a),
    scalar=lambda k, x, y: x * y,
    dims=lambda a, b: a * b,
    interval=intervals.product,
)  # fmt: skip

realdiv = elementwise(
    "realdiv", "RealDiv", "Returns x / y element-wise, for floats.",
    types="fc", numpy=np.divide, args=("x", "y"), sample=(0.5, 2.0),
    grad=lambda y, dy, a, b: (dy / b, dy * (-a / b / b)),
    scalar=lambda k, x, y: x / y,
    interval=intervals.quotient,
)  # fmt: skip


def _nonzero(f: Callable[..., Any]) -> Callable[..., Any]:
    """A meaning that raises for a zero divisor among integers."""

    def checked(x: Any, y: Any) -> Any:
        if y.dtype.kind in "iu" and np.size(x) and not np.all(y):
            raise InvalidArgumentError(None, None, "Integer division by zero")
        return f(x, y)

    return checked


#: What native code must check before it divides integers: operand 1 is nowhere zero.
_DIVISOR = {"operand": 1, "must": "nonzero", "types": "iu", "message": "Integer division by zero"}


def _trunc_quotient(x: Any, y: Any) -> Any:
    if x.dtype.kind == "f":
        return x / y
    q = np.floor_divide(x, y)  # one too low where signs differ and it is inexact
    return q + ((np.fmod(x, y) != 0) & ((x < 0) != (y < 0))).astype(q.dtype)


def _floor_remainder(x: Any, y: Any) -> Any:
    """The remainder with the sign of the divisor, as TF computes it (a zero keeps x's sign)."""
    m = np.fmod(x, y)
    return np.where((m != 0) & ((m < 0) != (y < 0)), m + y, m)


floordiv_op = elementwise(
    "floordiv", "FloorDiv", "Returns floor(x / y) element-wise.",
    numpy=_nonzero(lambda x, y: np.floor(x / y) if x.dtype.kind == "f" else np.floor_divide(x, y)),
    types="fiu", args=("x", "y"), sample=(0.5, 2.0), fails=True, facts={"check": _DIVISOR},
    grad=no_grad,
    scalar=lambda k, x, y: k.floordiv(x, y),
    dims=lambda a, b: None if D.same(b, 0) else a // b,
)  # fmt: skip
floor_div = floordiv_op

floormod = elementwise(
    "floormod", "FloorMod", "The remainder of x / y, with the sign of y.",
    numpy=_nonzero(_floor_remainder),
    types="fiu", args=("x", "y"), sample=(0.5, 2.0), fails=True, facts={"check": _DIVISOR},
    grad=lambda y, dy, a, b: (dy, dy * -floordiv_op(a, b)),
    scalar=lambda k, x, y: k.floormod(x, y),
    dims=lambda a, b: None if D.same(b, 0) else a % b,
)  # fmt: skip
mod = floormod

truncatediv = elementwise(
    "truncatediv", "TruncateDiv",
    "Returns x / y, which is rounded toward zero for integers only (as in TF1).",
    numpy=_nonzero(_trunc_quotient),
    types="fiu", args=("x", "y"), sample=(0.5, 2.0), fails=True, facts={"check": _DIVISOR},
    grad=no_grad,
    scalar=lambda k, x, y: x / y if x.dtype.kind == "f" else k.idiv(x, y, floor=False),
)  # fmt: skip

truncatemod = elementwise(
    "truncatemod", "TruncateMod", "The remainder of x / y, with the sign of x (C's fmod and %).",
    numpy=_nonzero(np.fmod),
    types="fiu", args=("x", "y"), sample=(0.5, 2.0), fails=True,
    facts={"check": _DIVISOR, "no_gradient_error": True},
    scalar=lambda k, x, y: k.fmod(x, y) if x.dtype.kind == "f" else k.imod(x, y, floor=False),
)  # fmt: skip

negative = elementwise(
    "negative", "Neg", "Returns -x element-wise.",
    numpy=np.negative, types="fic",
    grad=lambda y, dy, x: -dy,
    scalar=lambda k, x: -x,
    dims=lambda a: -1 * a,
    interval=intervals.negative,
)  # fmt: skip

abs = elementwise(
    "abs", "Abs", "The absolute value; that of the lowest integer is itself.",
    numpy=np.absolute, types="fi",
    grad=lambda y, dy, x: dy * sign(x),
    scalar=lambda k, x: k.abs(x),
    interval=intervals.magnitude,
)  # fmt: skip

_real_abs = abs.call


def _is_complex(x: Any) -> bool:
    """Whether a tensor, a variable, an array, a number or a list of them is complex."""
    if isinstance(x, list | tuple):
        return any(map(_is_complex, x))
    dtype = getattr(x, "dtype", None)
    return isinstance(x, complex) if dtype is None else getattr(dtype, "kind", "") == "c"


def _abs_call(x: Any, name: str | None = None) -> Value:
    assert _real_abs is not None
    if _is_complex(x):
        from graphc.ops.complex import abs_op  # few programs have complex numbers

        with current().scope(name, "Abs") as scope:
            return build(abs_op, (as_value(x, None, "x"),), {}, scope or name).outputs[0]
    return _real_abs(x, name)  # type: ignore[no-any-return]


_abs_call.__doc__ = abs.doc
abs.call = _abs_call


def _sign(x: Any) -> Any:
    if x.dtype.kind != "c":
        return np.sign(x)
    return np.where(x == 0, x, x / np.where(x == 0, 1, np.abs(x))).astype(x.dtype)


sign: Op = elementwise(
    "sign", "Sign", "-1, 0 or 1 by the sign of x, of complex numbers x / |x|; NaN for NaN.",
    numpy=_sign, types="fic",
    grad=lambda y, dy, x: ops.fills.zeros_like(x),
    scalar=lambda k, x: k.sign(x),
    interval=lambda x: (-1.0, 1.0),
)  # fmt: skip

square = elementwise(
    "square", "Square", "Returns x * x element-wise.",
    numpy=np.square, types="fiuc",
    grad=lambda y, dy, x: dy * (x * 2.0),
    scalar=lambda k, x: x * x,
    dims=lambda a: a * a,
    interval=intervals.square,
)  # fmt: skip


def _squared_difference_scalar(k: Any, x: Any, y: Any) -> Any:
    d = x - y
    return d * d


def _squared_difference_grad(y: Any, dy: Any, a: Any, b: Any) -> Any:
    g = dy * ((a - b) * 2.0)
    return g, -g


squared_difference = elementwise(
    "squared_difference", "SquaredDifference", "Returns (x - y) * (x - y) element-wise.",
    numpy=lambda x, y: (x - y) * np.conj(x - y), types="fiuc", args=("x", "y"),
    grad=_squared_difference_grad,
    scalar=_squared_difference_scalar,
    interval=intervals.squared_difference, facts={"own_conjugate": True},
)  # fmt: skip

reciprocal = elementwise(
    "reciprocal", "Reciprocal", "Returns 1 / x element-wise.",
    types="fc", numpy=lambda x: np.divide(x.dtype.type(1), x), sample=(0.5, 2.0),
    grad=lambda y, dy, x: multiply_no_nan(-(y * y), dy, name="ReciprocalGrad"),
    scalar=lambda k, x: k.reciprocal(x),
    interval=intervals.reciprocal,
)  # fmt: skip


def _named(record: str, x: Any, y: Any, name: str | None) -> Value:
    """A node that TF1 names after its Python function, not after its op type."""
    return apply(OPS[record], (x, y), None, name or record).outputs[0]


div_no_nan: Op = elementwise(
    "div_no_nan", "DivNoNan", "Returns x / y, and 0 where y is 0.",
    call=lambda x, y, name=None: _named("div_no_nan", x, y, name), types="fc",
    numpy=lambda x, y: np.where(y == 0, x.dtype.type(0), x / y), args=("x", "y"), sample=(0.5, 2.0),
    grad=lambda y, dy, a, b: (div_no_nan(dy, b), dy * div_no_nan(div_no_nan(-a, b), b)),
    scalar=lambda k, x, y: k.select(y.eq(0), k.like(0, x), x / y),
)  # fmt: skip

multiply_no_nan: Op = elementwise(
    "multiply_no_nan", "MulNoNan", "Returns x * y, and 0 where y is 0, even for infinite or NaN x.",
    call=lambda x, y, name=None: _named("multiply_no_nan", x, y, name), types="fc",
    numpy=lambda x, y: np.where(y == 0, x.dtype.type(0), x * y), args=("x", "y"),
    grad=lambda y, dy, a, b: (multiply_no_nan(dy, b), multiply_no_nan(a, dy)),
    facts={"own_conjugate": True},
    scalar=lambda k, x, y: k.select(y.eq(0), k.like(0, x), x * y),
)  # fmt: skip


def _is_nonzero(x: Value) -> Any:
    return cast(not_equal(x, 0.0), x.dtype)


def _nextafter_scalar(k: Any, x1: Any, x2: Any) -> Any:
    if x1.dtype is dtypes.bfloat16:
        x1, x2 = (k.cast(x, dtypes.float32) for x in (x1, x2))
        return k.cast(_nextafter_scalar(k, x1, x2), dtypes.bfloat16)
    # floats of one sign are ordered as the integers of their bits
    bits = {2: dtypes.int16, 4: dtypes.int32, 8: dtypes.int64}[x1.dtype.size]
    i = k.bitcast(x1, bits)
    near = k.bitcast(k.select((x2 > x1) ^ (x1 < 0), i + 1, i - 1), x1.dtype)
    least = k.copysign(k.bitcast(k.like(1, i), x1.dtype), x2)
    there = k.select(x1.eq(x2), x2, k.select(x1.eq(0), least, near))
    return k.select(k.isnan(x1) | k.isnan(x2), x1 + x2, there)


nextafter = elementwise(
    "nextafter", "NextAfter", "The float next to x1 in the direction of x2.",
    numpy=lambda x, y: np.where(x == y, y, np.nextafter(x, y)), args=("x1", "x2"),
    grad=lambda y, dy, x1, x2: (dy, dy * 0.0),
    scalar=_nextafter_scalar,
)  # fmt: skip


# ------------------------------------------------------------------------- sums of many


def _add_n_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape = inputs[0].static_shape
    for v in inputs[1:]:
        shape = merge(shape, v.static_shape)
    return [(inputs[0].dtype, shape)]


def _fold(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *xs: functools.reduce(f, xs)


add_n_op = elementwise(
    "add_n", "AddN", "The sum of tensors of one shape.",
    numpy=_fold(np.add), types="fiuc", args=("*inputs",), infer=_add_n_infer,
    grad=lambda y, dy, *xs: (dy,) * len(xs),
    scalar=lambda k, *xs: functools.reduce(lambda a, b: a + b, xs),
    # a chain of sums joins the kernels that make its terms, however many they are
    expand=lambda *xs: functools.reduce(add, xs),
    interval=intervals.add_n,
)  # fmt: skip


def _tensors(inputs: Any, what: str) -> list[Value]:
    message = f"{what} must be a list of at least one Tensor/IndexedSlices with the same dtype"
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(f"{message} and shape")
    out = [as_value(x, name="inputs") for x in inputs]
    if any(x.dtype is not out[0].dtype for x in out):
        raise TypeError(f"{message}, got {', '.join(sorted({x.dtype.name for x in out}))}")
    return out


def add_n(inputs: Any, name: str | None = None) -> Value:
    """Add all tensors of a list.

    Raises
    ------
    ValueError
        When the list is empty or the shapes differ.
    """
    xs = _tensors(inputs, "inputs")
    if len(xs) == 1:
        return xs[0] if name is None else ops.state.identity(xs[0], name=name)
    return build(add_n_op, xs, None, name).outputs[0]


add_n_op.call = add_n


def accumulate_n(
    inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None
) -> Value:
    """Add all tensors of a list, as `add_n`; `shape` and `tensor_dtype` only check."""
    xs = _tensors(inputs, "inputs")
    if tensor_dtype is not None and as_dtype(tensor_dtype) is not xs[0].dtype:
        want = as_dtype(tensor_dtype).name
        raise TypeError(f"tensor_dtype is {want}, but input is of type {xs[0].dtype.name}")
    if len(xs) == 1 and name is None:
        return xs[0]
    return add_n(xs, name=name or "AccumulateNV2")
