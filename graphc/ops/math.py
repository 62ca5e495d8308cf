"""Arithmetic, comparison, logic and the elementary functions, element by element.

Gradients are written in the user's own operators, so they can be differentiated again; the
pass that uses them sums over broadcast axes. Where TensorFlow 1 has a convention (ties of
`maximum`, `abs` at 0, `pow` at 0) it is followed, and said where it is not obvious.
"""

from __future__ import annotations

import functools
import math as _math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops.record import (
    OPS,
    Attrs,
    Op,
    Types,
    apply,
    as_value,
    broadcast,
    elementwise,
    merge,
    no_grad,
    op,
    shape_error,
)  # fmt: skip

__all__ = [
    "abs", "accumulate_n", "acos", "acosh", "add", "add_n", "asin", "asinh", "atan", "atan2",
    "atanh", "bitcast", "bitwise_and", "bitwise_or", "bitwise_xor", "cast", "ceil", "clip_by_value",
    "cos", "cosh", "digamma", "div", "div_no_nan", "divide", "equal", "erf",
    "erfc", "exp", "expm1", "floor", "floor_div", "floordiv", "floormod", "greater",
    "greater_equal", "invert", "is_finite", "is_inf", "is_nan", "left_shift", "less", "less_equal",
    "lgamma", "log", "log1p", "log_sigmoid", "logical_and", "logical_not", "logical_or",
    "logical_xor", "maximum", "minimum", "mod", "multiply", "multiply_no_nan", "negative",
    "nextafter", "not_equal", "pow", "realdiv", "reciprocal", "right_shift", "rint", "round",
    "rsqrt", "saturate_cast", "scalar_mul", "select", "sigmoid", "sign", "sin", "sinh", "sqrt",
    "square", "squared_difference", "subtract", "tan", "tanh", "to_bfloat16", "to_double",
    "to_float", "to_int32", "to_int64", "trigamma", "truediv", "truncatediv", "truncatemod",
    "where", "xdivy", "xlogy",
]  # fmt: skip

# ------------------------------------------------------------------------- arithmetic

add = elementwise(
    "add", "Add", "Returns x + y element-wise; integers wrap, strings are joined.",
    numpy=np.add, types="fiusc", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy, dy),
    scalar=lambda k, x, y: x + y,
    dims=lambda a, b: a + b,
)  # fmt: skip

subtract = elementwise(
    "subtract", "Sub", "Returns x - y element-wise; integers wrap.",
    numpy=np.subtract, types="fiuc", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy, -dy),
    scalar=lambda k, x, y: x - y,
    dims=lambda a, b: a - b,
)  # fmt: skip

multiply = elementwise(
    "multiply", "Mul", "Returns x * y element-wise; integers wrap.",
    numpy=np.multiply, types="fiuc", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy * b, dy * a),
    scalar=lambda k, x, y: x * y,
    dims=lambda a, b: a * b,
)  # fmt: skip

realdiv = elementwise(
    "realdiv", "RealDiv", "Returns x / y element-wise, for floats.",
    types="fc", numpy=np.divide, args=("x", "y"), sample=(0.5, 2.0),
    grad=lambda y, dy, a, b: (dy / b, dy * (-a / b / b)),
    scalar=lambda k, x, y: x / y,
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
)  # fmt: skip

abs = elementwise(
    "abs", "Abs", "The absolute value; that of the lowest integer is itself.",
    numpy=np.absolute, types="fi",
    grad=lambda y, dy, x: dy * sign(x),
    scalar=lambda k, x: k.abs(x),
)  # fmt: skip

_real_abs = abs.call


def _abs_call(x: Any, name: str | None = None) -> Value:
    assert _real_abs is not None
    if isinstance(x, Value) and x.dtype.kind == "c":
        from graphc.ops.complex import abs_op  # few programs have complex numbers

        return build(abs_op, (x,), {}, name).outputs[0]
    return _real_abs(x, name)  # type: ignore[no-any-return]


_abs_call.__doc__ = abs.doc
abs.call = _abs_call

sign: Op = elementwise(
    "sign", "Sign", "-1, 0 or 1 by the sign of x; NaN for NaN.",
    numpy=np.sign, types="fi",
    grad=lambda y, dy, x: ops.fills.zeros_like(x),
    scalar=lambda k, x: k.sign(x),
)  # fmt: skip

square = elementwise(
    "square", "Square", "Returns x * x element-wise.",
    numpy=np.square, types="fiuc",
    grad=lambda y, dy, x: dy * (x * 2.0),
    scalar=lambda k, x: x * x,
    dims=lambda a: a * a,
)  # fmt: skip


def _squared_difference_scalar(k: Any, x: Any, y: Any) -> Any:
    d = x - y
    return d * d


def _squared_difference_grad(y: Any, dy: Any, a: Any, b: Any) -> Any:
    g = dy * ((a - b) * 2.0)
    return g, -g


squared_difference = elementwise(
    "squared_difference", "SquaredDifference", "Returns (x - y) * (x - y) element-wise.",
    numpy=lambda x, y: np.square(x - y), types="fiu", args=("x", "y"),
    grad=_squared_difference_grad,
    scalar=_squared_difference_scalar,
)  # fmt: skip

reciprocal = elementwise(
    "reciprocal", "Reciprocal", "Returns 1 / x element-wise.",
    types="fc", numpy=lambda x: np.divide(x.dtype.type(1), x), sample=(0.5, 2.0),
    grad=lambda y, dy, x: multiply(-dy, y * y, name="ReciprocalGrad"),
    scalar=lambda k, x: k.reciprocal(x),
)  # fmt: skip


_NEGATIVE_POWER = "Integers to negative integer powers are not allowed"


def _power(x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu" and np.size(x) and np.any(y < 0):
        raise InvalidArgumentError(None, None, _NEGATIVE_POWER)
    return np.power(x, y)


def _pow_grad(z: Any, dz: Any, x: Any, y: Any) -> Any:
    # log(x) only where x > 0: below, the derivative by y is not real and TF gives 0
    safe = select(not_equal(x, 0.0) if x.dtype.kind == "c" else x > 0.0, x, 1.0)
    return dz * y * pow(x, y - 1.0), dz * z * log(safe)


pow = elementwise(
    "pow", "Pow", "Returns x to the power of y element-wise.",
    numpy=_power, types="fiuc", args=("x", "y"), sample=(0.5, 2.0),
    grad=_pow_grad, fails=True,
    facts={"check": {"operand": 1, "must": "nonnegative", "types": "i",
                     "message": _NEGATIVE_POWER}},
    scalar=lambda k, x, y: k.pow(x, y),
)  # fmt: skip

maximum = elementwise(
    "maximum", "Maximum", "The larger of x and y; NaN where either is NaN.",
    numpy=np.maximum, types="fiu", args=("x", "y"),
    grad=lambda y, dy, a, b: _to_winner(a >= b, dy),
    scalar=lambda k, x, y: k.maximum(x, y),
    dims=D.maximum,
)  # fmt: skip

minimum = elementwise(
    "minimum", "Minimum", "The smaller of x and y; NaN where either is NaN.",
    numpy=np.minimum, types="fiu", args=("x", "y"),
    grad=lambda y, dy, a, b: _to_winner(a <= b, dy),
    scalar=lambda k, x, y: k.minimum(x, y),
    dims=D.minimum,
)  # fmt: skip


def _to_winner(first: Any, dy: Any) -> Any:
    return select(first, dy, 0.0), select(first, 0.0, dy)


def _named(record: str, x: Any, y: Any, name: str | None) -> Value:
    """A node that TF1 names after its Python function, not after its op type."""
    return apply(OPS[record], (x, y), None, name or record).outputs[0]


div_no_nan: Op = elementwise(
    "div_no_nan", "DivNoNan", "Returns x / y, and 0 where y is 0.",
    call=lambda x, y, name=None: _named("div_no_nan", x, y, name),
    numpy=lambda x, y: np.where(y == 0, x.dtype.type(0), x / y), args=("x", "y"), sample=(0.5, 2.0),
    grad=lambda y, dy, a, b: (div_no_nan(dy, b), dy * div_no_nan(div_no_nan(-a, b), b)),
    scalar=lambda k, x, y: k.select(y.eq(0), k.like(0, x), x / y),
)  # fmt: skip

multiply_no_nan: Op = elementwise(
    "multiply_no_nan", "MulNoNan", "Returns x * y, and 0 where y is 0, even for infinite or NaN x.",
    call=lambda x, y, name=None: _named("multiply_no_nan", x, y, name),
    numpy=lambda x, y: np.where(y == 0, x.dtype.type(0), x * y), args=("x", "y"),
    grad=lambda y, dy, a, b: (multiply_no_nan(dy, b), multiply_no_nan(a, dy)),
    scalar=lambda k, x, y: k.select(y.eq(0), k.like(0, x), x * y),
)  # fmt: skip

xlogy: Op = elementwise(
    "xlogy", "Xlogy", "Returns x * log(y), and 0 where x is 0.",
    numpy=lambda x, y: np.where(x == 0, x.dtype.type(0), x * np.log(y)),
    args=("x", "y"), sample=(0.5, 2.0),
    grad=lambda z, dz, x, y: (dz * xlogy(_is_nonzero(x), y), dz * xdivy(x, y)),
    scalar=lambda k, x, y: k.select(x.eq(0), k.like(0, x), x * k.log(y)),
)  # fmt: skip

xdivy: Op = elementwise(
    "xdivy", "Xdivy", "Returns x / y, and 0 where x is 0.",
    numpy=lambda x, y: np.where(x == 0, x.dtype.type(0), x / y), args=("x", "y"), sample=(0.5, 2.0),
    grad=lambda z, dz, x, y: (dz * xdivy(_is_nonzero(x), y), dz * xdivy(-x, square(y))),
    scalar=lambda k, x, y: k.select(x.eq(0), k.like(0, x), x / y),
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


def convert_gradient(g: Any) -> Value:
    """A gradient as a tensor: `IndexedSlices` are added up."""
    return as_value(g)


# ------------------------------------------------------------------------- comparison and logic

equal = elementwise(
    "equal", "Equal", "Returns the truth value of x == y element-wise.",
    numpy=np.equal, types="fiubsc", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x.eq(y),
)  # fmt: skip

not_equal = elementwise(
    "not_equal", "NotEqual", "Returns the truth value of x != y element-wise.",
    numpy=np.not_equal, types="fiubsc", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x.ne(y),
)  # fmt: skip

less = elementwise(
    "less", "Less", "Returns the truth value of x < y element-wise.",
    numpy=np.less, types="fiu", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x < y,
)  # fmt: skip

less_equal = elementwise(
    "less_equal", "LessEqual", "Returns the truth value of x <= y element-wise.",
    numpy=np.less_equal, types="fiu", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x <= y,
)  # fmt: skip

greater = elementwise(
    "greater", "Greater", "Returns the truth value of x > y element-wise.",
    numpy=np.greater, types="fiu", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x > y,
)  # fmt: skip

greater_equal = elementwise(
    "greater_equal", "GreaterEqual", "Returns the truth value of x >= y element-wise.",
    numpy=np.greater_equal, types="fiu", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x >= y,
)  # fmt: skip

logical_and = elementwise(
    "logical_and", "LogicalAnd", "Returns the truth value of x AND y element-wise.",
    numpy=np.logical_and, types="b", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x & y,
)  # fmt: skip

logical_or = elementwise(
    "logical_or", "LogicalOr", "Returns the truth value of x OR y element-wise.",
    numpy=np.logical_or, types="b", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x | y,
)  # fmt: skip

logical_not = elementwise(
    "logical_not", "LogicalNot", "Returns the truth value of NOT x element-wise.",
    numpy=np.logical_not, types="b", out="bool",
    scalar=lambda k, x: ~x,
)  # fmt: skip


def _logical_xor_call(x: Any, y: Any, name: str | None = "LogicalXor") -> Value:
    current().reserve("LogicalOr", "LogicalAnd", "LogicalNot")  # TF1 builds it of these
    return apply(logical_xor, (x, y), None, name).outputs[0]


logical_xor = elementwise(
    "logical_xor", "LogicalXor", "Returns the truth value of x XOR y element-wise.",
    numpy=np.logical_xor, types="b", out="bool", args=("x", "y"), call=_logical_xor_call,
    scalar=lambda k, x, y: x ^ y,
)  # fmt: skip

is_nan = elementwise(
    "is_nan", "IsNan", "Whether each element is NaN.",
    numpy=np.isnan, out="bool",
    scalar=lambda k, x: k.isnan(x),
)  # fmt: skip

is_inf = elementwise(
    "is_inf", "IsInf", "Whether each element is infinite.",
    numpy=np.isinf, out="bool",
    scalar=lambda k, x: k.isinf(x),
)  # fmt: skip

is_finite = elementwise(
    "is_finite", "IsFinite", "Whether each element is neither infinite nor NaN.",
    numpy=np.isfinite, out="bool",
    scalar=lambda k, x: k.isfinite(x),
)  # fmt: skip

# ------------------------------------------------------------------------- rounding

floor = elementwise(
    "floor", "Floor", "The largest integer not above x.",
    numpy=np.floor, grad=no_grad,
    scalar=lambda k, x: k.floor(x),
)  # fmt: skip

ceil = elementwise(
    "ceil", "Ceil", "The smallest integer not below x.",
    numpy=np.ceil, grad=no_grad,
    scalar=lambda k, x: k.ceil(x),
)  # fmt: skip

rint = elementwise(
    "rint", "Rint", "The nearest integer, halves to even.",
    numpy=np.rint, grad=no_grad,
    scalar=lambda k, x: k.rint(x),
)  # fmt: skip


def _round_call(x: Any, name: str | None = None) -> Value:
    x = as_value(x, name="x")
    return x if x.dtype.is_integer else apply(round, (x,), None, name).outputs[0]


round = elementwise(
    "round", "Round", "The nearest integer, halves to even; integers are returned as they are.",
    numpy=np.rint, grad=no_grad, call=_round_call,
    scalar=lambda k, x: k.rint(x),
)  # fmt: skip

# ------------------------------------------------------------------------- exponential and powers

exp: Op = elementwise(
    "exp", "Exp", "The exponential of x.",
    types="fc", numpy=np.exp,
    grad=lambda y, dy, x: dy * y,
    scalar=lambda k, x: k.exp(x),
)  # fmt: skip

expm1 = elementwise(
    "expm1", "Expm1", "exp(x) - 1, exact near 0.",
    types="fc", numpy=np.expm1,
    grad=lambda y, dy, x: dy * exp(x),
    scalar=lambda k, x: k.expm1(x),
)  # fmt: skip

log = elementwise(
    "log", "Log", "The natural logarithm of x.",
    types="fc", numpy=np.log, sample=(0.25, 4.0),
    grad=lambda y, dy, x: dy / x,
    scalar=lambda k, x: k.log(x),
)  # fmt: skip

log1p = elementwise(
    "log1p", "Log1p", "log(1 + x), exact near 0.",
    types="fc", numpy=np.log1p, sample=(-0.75, 4.0),
    grad=lambda y, dy, x: dy / (x + 1.0),
    scalar=lambda k, x: k.log1p(x),
)  # fmt: skip

sqrt = elementwise(
    "sqrt", "Sqrt", "The square root of x.",
    types="fc", numpy=np.sqrt, sample=(0.25, 4.0),
    grad=lambda y, dy, x: realdiv(dy * 0.5, y, name="SqrtGrad"),
    scalar=lambda k, x: k.sqrt(x),
)  # fmt: skip

rsqrt = elementwise(
    "rsqrt", "Rsqrt", "1 / sqrt(x).",
    types="fc", numpy=lambda x: np.divide(x.dtype.type(1), np.sqrt(x)), sample=(0.25, 4.0),
    grad=lambda y, dy, x: multiply(dy * -0.5, y * y * y, name="RsqrtGrad"),
    scalar=lambda k, x: k.rsqrt(x),
)  # fmt: skip

# ------------------------------------------------------------------------- trigonometry

sin = elementwise(
    "sin", "Sin", "The sine of x.",
    types="fc", numpy=np.sin, sample=(-4, 4),
    grad=lambda y, dy, x: dy * cos(x),
    scalar=lambda k, x: k.sin(x),
)  # fmt: skip

cos: Op = elementwise(
    "cos", "Cos", "The cosine of x.",
    types="fc", numpy=np.cos, sample=(-4, 4),
    grad=lambda y, dy, x: -dy * sin(x),
    scalar=lambda k, x: k.cos(x),
)  # fmt: skip

tan = elementwise(
    "tan", "Tan", "The tangent of x.",
    types="fc", numpy=np.tan, sample=(-1.2, 1.2),
    grad=lambda y, dy, x: dy * (y * y + 1.0),
    scalar=lambda k, x: k.tan(x),
)  # fmt: skip

asin = elementwise(
    "asin", "Asin", "The angle in [-pi/2, pi/2] whose sine is x.",
    types="fc", numpy=np.arcsin, sample=(-0.9, 0.9),
    grad=lambda y, dy, x: dy / sqrt(1.0 - x * x),
    scalar=lambda k, x: k.asin(x),
)  # fmt: skip

acos = elementwise(
    "acos", "Acos", "The angle in [0, pi] whose cosine is x.",
    types="fc", numpy=np.arccos, sample=(-0.9, 0.9),
    grad=lambda y, dy, x: -dy / sqrt(1.0 - x * x),
    scalar=lambda k, x: k.acos(x),
)  # fmt: skip

atan = elementwise(
    "atan", "Atan", "The angle in [-pi/2, pi/2] whose tangent is x.",
    types="fc", numpy=np.arctan, sample=(-4, 4),
    grad=lambda y, dy, x: dy / (x * x + 1.0),
    scalar=lambda k, x: k.atan(x),
)  # fmt: skip


def _atan2_grad(z: Any, dz: Any, y: Any, x: Any) -> Any:
    g = dz / (x * x + y * y)
    return x * g, -y * g


atan2 = elementwise(
    "atan2", "Atan2", "The angle of the point (x, y), from -pi to pi.",
    numpy=np.arctan2, args=("y", "x"), sample=(0.5, 2.0),
    grad=_atan2_grad,
    scalar=lambda k, y, x: k.atan2(y, x),
)  # fmt: skip

sinh = elementwise(
    "sinh", "Sinh", "The hyperbolic sine of x.",
    types="fc", numpy=np.sinh,
    grad=lambda y, dy, x: dy * cosh(x),
    scalar=lambda k, x: k.sinh(x),
)  # fmt: skip

cosh: Op = elementwise(
    "cosh", "Cosh", "The hyperbolic cosine of x.",
    types="fc", numpy=np.cosh,
    grad=lambda y, dy, x: dy * sinh(x),
    scalar=lambda k, x: k.cosh(x),
)  # fmt: skip

tanh = elementwise(
    "tanh", "Tanh", "The hyperbolic tangent of x.",
    types="fc", numpy=np.tanh, sample=(-4, 4),
    grad=lambda y, dy, x: multiply(dy, 1.0 - y * y, name="TanhGrad"),
    scalar=lambda k, x: k.tanh(x),
)  # fmt: skip

asinh = elementwise(
    "asinh", "Asinh", "The number whose hyperbolic sine is x.",
    types="fc", numpy=np.arcsinh, sample=(-4, 4),
    grad=lambda y, dy, x: dy / cosh(y),
    scalar=lambda k, x: k.asinh(x),
)  # fmt: skip

acosh = elementwise(
    "acosh", "Acosh", "The number not below 0 whose hyperbolic cosine is x.",
    types="fc", numpy=np.arccosh, sample=(1.25, 4.0),
    grad=lambda y, dy, x: dy / sinh(y),
    scalar=lambda k, x: k.acosh(x),
)  # fmt: skip

atanh = elementwise(
    "atanh", "Atanh", "The number whose hyperbolic tangent is x.",
    types="fc", numpy=np.arctanh, sample=(-0.9, 0.9),
    grad=lambda y, dy, x: dy / (1.0 - x * x),
    scalar=lambda k, x: k.atanh(x),
)  # fmt: skip


def _sigmoid(x: Any) -> Any:
    # exp of a negative number only: neither overflows nor flushes the tail (RELIABILITY section 5)
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    e = np.exp(-np.absolute(x))
    return np.where(x >= 0, 1, e).astype(x.dtype) / (1 + e)


sigmoid = elementwise(
    "sigmoid", "Sigmoid", "1 / (1 + exp(-x)).",
    types="fc", numpy=_sigmoid, sample=(-4, 4),
    grad=lambda y, dy, x: multiply(dy, y * (1.0 - y), name="SigmoidGrad"),
    scalar=lambda k, x: k.sigmoid(x),
)  # fmt: skip

log_sigmoid = elementwise(
    "log_sigmoid", "LogSigmoid", "log(sigmoid(x)), without overflow.",
    numpy=lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.absolute(x))), sample=(-4, 4),
    grad=lambda y, dy, x: dy * sigmoid(-x),
    scalar=lambda k, x: -k.softplus(-x),
)  # fmt: skip


def _log_sigmoid_call(x: Any, name: str | None = None) -> Value:
    with current().scope(name, "LogSigmoid") as scope:  # in TF1 -softplus(-x)
        v = as_value(x, name="x")
        current().reserve("Neg", "Softplus")
        return build(log_sigmoid, (v,), {}, scope or name).outputs[0]


_log_sigmoid_call.__name__ = _log_sigmoid_call.__qualname__ = "log_sigmoid"
_log_sigmoid_call.__doc__ = log_sigmoid.doc
log_sigmoid.call = _log_sigmoid_call

# ------------------------------------------------------------------------- erf and gamma


def _each(f: Callable[[float], float]) -> Callable[[Any], Any]:
    """A function of Python floats on arrays, computed in float64."""
    return lambda x: np.asarray(np.frompyfunc(f, 1, 1)(np.asarray(x, np.float64))).astype(x.dtype)


def _lgamma(x: float) -> float:
    if _math.isinf(x) or (x <= 0 and x == _math.floor(x)):
        return _math.inf
    try:
        return _math.lgamma(x)
    except OverflowError:
        return _math.inf


def _digamma(x: float) -> float:
    """psi(x): reflection below 0, recurrence up to 10, then the asymptotic series.

    M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 6.3.7, 6.3.5, 6.3.18.
    The poles 0, -1, -2, ... give +inf, as TensorFlow.
    """
    if x != x or x == _math.inf:
        return x
    if x <= 0:
        r = x - _math.floor(x + 0.5) if x > -1e300 else 0.0
        return _math.inf if r == 0 else _digamma(1 - x) - _math.pi / _math.tan(_math.pi * r)
    total = 0.0
    while x < 10:
        total -= 1 / x
        x += 1
    z = 1 / (x * x)
    tail = 1 / 252 - z * (1 / 240 - z * (1 / 132 - z * 691 / 32760))
    series = z * (1 / 12 - z * (1 / 120 - z * tail))
    return total + _math.log(x) - 0.5 / x - series


def _trigamma(x: float) -> float:
    """psi'(x), by the derivatives of the same formulas (6.4.7, 6.4.6, 6.4.12)."""
    if x != x:
        return x
    if x <= 0:
        r = x - _math.floor(x + 0.5) if x > -1e300 else 0.0
        return _math.inf if r == 0 else (_math.pi / _math.sin(_math.pi * r)) ** 2 - _trigamma(1 - x)
    total = 0.0
    while x < 10:
        total += 1 / (x * x) if x > 1e-150 else _math.inf
        x += 1
    z = 1 / (x * x)
    series = 1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * (5 / 66 - z * 691 / 2730))))
    return total + (1 + 0.5 / x + z * series) / x


def _digamma_scalar(k: Any, x: Any) -> Any:
    pole = (x <= 0) & k.floor(x).eq(x)
    return k.select(pole, k.like(_math.inf, x), k.digamma(x))


_TWO_OVER_SQRT_PI = 2 / _math.sqrt(_math.pi)

erf = elementwise(
    "erf", "Erf", "The Gauss error function of x.",
    numpy=_each(_math.erf),
    grad=lambda y, dy, x: dy * (exp(-x * x) * _TWO_OVER_SQRT_PI),
    scalar=lambda k, x: k.erf(x),
)  # fmt: skip

erfc = elementwise(
    "erfc", "Erfc", "1 - erf(x), exact for large x.",
    numpy=_each(_math.erfc),
    grad=lambda y, dy, x: dy * (exp(-x * x) * -_TWO_OVER_SQRT_PI),
    scalar=lambda k, x: k.erfc(x),
)  # fmt: skip

lgamma = elementwise(
    "lgamma", "Lgamma", "The logarithm of the absolute value of the gamma function of x.",
    numpy=_each(_lgamma), sample=(0.5, 4.0),
    grad=lambda y, dy, x: dy * digamma(x),
    scalar=lambda k, x: k.lgamma(x),
)  # fmt: skip

digamma: Op = elementwise(
    "digamma", "Digamma", "The derivative of lgamma.",
    numpy=_each(_digamma), sample=(0.5, 4.0),
    grad=lambda y, dy, x: dy * trigamma(x),
    scalar=_digamma_scalar,
)  # fmt: skip

trigamma: Op = elementwise(
    "trigamma", "Trigamma", "The second derivative of lgamma (TensorFlow's polygamma(1, x)).",
    numpy=_each(_trigamma), sample=(0.5, 4.0), facts={"no_gradient_error": True},
    scalar=lambda k, x: k.trigamma(x),
)  # fmt: skip

# ------------------------------------------------------------------------- bits

bitwise_and = elementwise(
    "bitwise_and", "BitwiseAnd", "The bits set in both x and y.",
    numpy=np.bitwise_and, types="iu", args=("x", "y"), grad=no_grad,
    scalar=lambda k, x, y: x & y,
)  # fmt: skip

bitwise_or = elementwise(
    "bitwise_or", "BitwiseOr", "The bits set in x or y.",
    numpy=np.bitwise_or, types="iu", args=("x", "y"), grad=no_grad,
    scalar=lambda k, x, y: x | y,
)  # fmt: skip

bitwise_xor = elementwise(
    "bitwise_xor", "BitwiseXor", "The bits set in one of x and y.",
    numpy=np.bitwise_xor, types="iu", args=("x", "y"), grad=no_grad,
    scalar=lambda k, x, y: x ^ y,
)  # fmt: skip

invert = elementwise(
    "invert", "Invert", "The bits of x flipped.",
    numpy=np.invert, types="iu", grad=no_grad,
    scalar=lambda k, x: ~x,
)  # fmt: skip


def _shift(f: Callable[..., Any], fill: Callable[[Any], Any]) -> Callable[..., Any]:
    def shifted(x: Any, y: Any) -> Any:
        ok = (y >= 0) & (y < x.dtype.itemsize * 8)
        return np.where(ok, f(x, np.where(ok, y, 0).astype(x.dtype)), fill(x))

    return shifted


left_shift = elementwise(
    "left_shift", "LeftShift", "x shifted left by y bits; 0 for y outside [0, width).",
    numpy=_shift(np.left_shift, np.zeros_like), types="iu", args=("x", "y"), grad=no_grad,
    scalar=lambda k, x, y: k.shl(x, y),
)  # fmt: skip

right_shift = elementwise(
    "right_shift", "RightShift", "x shifted right by y bits; the sign for y outside [0, width).",
    numpy=_shift(np.right_shift, lambda x: np.where(x < 0, -1, 0).astype(x.dtype)),
    types="iu", args=("x", "y"), grad=no_grad,
    scalar=lambda k, x, y: k.shr(x, y),
)  # fmt: skip

# ------------------------------------------------------------------------- conversion


def _saturated(x: Any, t: Any) -> Any:
    """Floats as integers: toward zero, NaN to 0, out of range to the nearest end (rule C3)."""
    info = np.iinfo(t)
    whole = np.trunc(np.asarray(x, np.float64))
    inside = (whole >= float(info.min)) & (whole < float(info.max) + 1)
    out = np.where(inside, whole, 0).astype(t)
    out = np.where(whole >= float(info.max) + 1, t.type(info.max), out)
    return np.where(whole < float(info.min), t.type(info.min), out)


def _cast(x: Any, *, dtype: DType) -> Any:
    if dtype.kind == "b":
        return x != 0
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    if x.dtype.kind == "f" and dtype.kind in "iu":
        return _saturated(x, dtype.np)
    return np.asarray(x).astype(dtype.np)


def _cast_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dtype = inputs[0], attrs["dtype"]
    if "s" in (x.dtype.kind, dtype.kind):
        raise shape_error(f"Cast {x.dtype.name} to {dtype.name} is not supported")
    return [(dtype, x.static_shape)]


def _cast_grad(y: Value, dy: Value, x: Value, dtype: DType) -> Value | None:
    return cast(dy, x.dtype) if x.dtype.kind in "fc" and dtype.kind in "fc" else None


def _cast_call(x: Any, dtype: Any, name: str | None = None) -> Value:
    to = as_dtype(dtype).base_dtype
    if isinstance(x, Value):
        return x if x.dtype is to else build(cast, (x,), {"dtype": to}, name).outputs[0]
    if hasattr(x, "dense_shape") and isinstance(x.values, Value):  # sparse: its values
        values = _cast_call(x.values, to, name)
        made: Any = type(x)(indices=x.indices, values=values, dense_shape=x.dense_shape)
        return made  # type: ignore[no-any-return]
    with current().scope(name, "Cast") as scope:
        v = as_value(x, name="x")
        return v if v.dtype is to else build(cast, (v,), {"dtype": to}, scope or name).outputs[0]


cast = elementwise(
    "cast", "Cast", "x converted to `dtype`; a tensor that has it already is returned as it is.",
    numpy=_cast, types="fiubc", infer=_cast_infer, grad=_cast_grad, call=_cast_call,
    scalar=lambda k, x, dtype: k.cast(x, dtype),
    dims=lambda a, dtype: a,
)  # fmt: skip


def _to(dtype: DType, default: str) -> Callable[..., Value]:
    def to(x: Any, name: str | None = default) -> Value:
        return _cast_call(x, dtype, name)

    to.__doc__ = f"`x` cast to {dtype.name}."
    to.__name__ = to.__qualname__ = f"to_{'float' if dtype.code == 'f32' else dtype.name}"
    return to


to_float = _to(dtypes.float32, "ToFloat")
to_double = _to(dtypes.float64, "ToDouble")
to_int32 = _to(dtypes.int32, "ToInt32")
to_int64 = _to(dtypes.int64, "ToInt64")
to_bfloat16 = _to(dtypes.bfloat16, "ToBFloat16")


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Value:
    """`value` cast to `dtype`, values outside its range becoming the nearest end."""
    to = as_dtype(dtype).base_dtype
    with current().scope(name, "saturate_cast") as scope:
        value = as_value(value, name="value")
        if value.dtype.min < to.min:
            value = maximum(value, as_value(value.dtype.as_numpy_dtype(to.min), value.dtype, "min"))
        if value.dtype.max > to.max:
            value = minimum(value, as_value(value.dtype.as_numpy_dtype(to.max), value.dtype, "max"))
        return _cast_call(value, to, scope or name)


def _bitcast_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dtype = inputs[0], attrs["type"]
    odd = dtypes.bfloat16 in (x.dtype, dtype) or "b" in (x.dtype.kind, dtype.kind)
    if x.dtype.size != dtype.size or odd:
        raise shape_error(
            f"Cannot bitcast from {x.dtype.name} to {dtype.name}: graphc takes types of one size, "
            "without bool and bfloat16"
        )
    return [(dtype, x.static_shape)]


def _bitcast(x: Any, *, type: DType) -> Any:
    return np.ascontiguousarray(x).view(type.np).reshape(np.shape(x))


def _bitcast_call(input: Any, type: Any, name: str | None = None) -> Value:
    to = as_dtype(type).base_dtype
    given = as_value(input, name="input")
    if given.dtype.size != to.size and not {"b", "s"} & {given.dtype.kind, to.kind}:
        from graphc.ops.bits import as_other_size

        return as_other_size(given, to, name)
    return apply(bitcast, (input,), {"type": to}, name).outputs[0]


bitcast = elementwise(
    "bitcast", "Bitcast", "The same bits as another type of the same size.",
    numpy=_bitcast, types="fiu", args=("input",), infer=_bitcast_infer, grad=no_grad,
    call=_bitcast_call,
    scalar=lambda k, x, type: k.bitcast(x, type),
)  # fmt: skip

# ------------------------------------------------------------------------- choice


def _select_operands(record: Op, values: Sequence[Any]) -> list[Value]:
    """The condition is bool; the first of the other two fixes the type of both."""
    c, x, y = values
    cond = as_value(c, dtypes.bool_, "condition")
    if isinstance(y, Value) and not isinstance(x, Value):
        b = y
        a = as_value(x, b.dtype, "t")
    else:
        a = as_value(x, name="t")
        b = as_value(y, None if isinstance(y, Value) else a.dtype, "e")
    if a.dtype is not b.dtype:
        raise TypeError(
            f"Input 'e' of 'Select' Op has type {b.dtype.name} that does not match type "
            f"{a.dtype.name} of argument 't'."
        )
    return [cond, a, b]


def _select_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    c, x, y = inputs
    if c.dtype.kind != "b":
        raise shape_error(f"the condition has type {c.dtype.name}, not bool")
    shape = broadcast(c.static_shape, broadcast(x.static_shape, y.static_shape))
    return [(x.dtype, shape)]


def _select_call(condition: Any, x: Any, y: Any, name: str | None = None) -> Value:
    return apply(select, (condition, x, y), None, name, _select_operands).outputs[0]


select: Op = elementwise(
    "select", "Select", "x where the condition holds, else y; all three broadcast.",
    numpy=lambda c, x, y: np.where(c, x, y), types="fiubsc", args=("condition", "t", "e"),
    infer=_select_infer, call=_select_call,
    grad=lambda z, dz, c, x, y: (None, select(c, dz, 0.0), select(c, 0.0, dz)),
    scalar=lambda k, c, x, y: k.select(c, x, y),
)  # fmt: skip


def _rows_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    c, x, y = inputs
    shape = merge(x.static_shape, y.static_shape)
    if shape is not None and c.static_shape is not None and len(c.static_shape):
        if len(c.static_shape) == len(shape):
            shape = merge(c.static_shape, shape)
        elif len(c.static_shape) != 1:
            rank = len(c.static_shape)
            raise shape_error(f"Shape must be rank 0, 1 or {len(shape)} but is rank {rank}")
        elif not shape or D.same(c.static_shape[0], shape[0]) is False:
            facts = D.facts()
            show = str if facts is None else facts.value
            raise shape_error(
                "Number of batches of 'then' must match size of 'cond', "
                f"but saw: {show(shape[0] if shape else 1)} vs. {show(c.static_shape[0])}"
            )
    return [(x.dtype, shape)]


def _rows(c: Any, x: Any, y: Any) -> Any:
    if np.ndim(c) == 1 and np.ndim(x) > 1:
        c = np.reshape(c, c.shape + (1,) * (x.ndim - 1))
    return np.where(c, x, y)


def _rows_expand(c: Value, x: Value, y: Value) -> Value:
    if c.rank == 1 and x.rank is not None:
        for _ in range(x.rank - 1):
            c = ops.shapes.expand_dims(c, -1)
    return _select_call(c, x, y)


def _rows_grad(z: Value, dz: Value, c: Value, x: Value, y: Value) -> Any:
    zero = ops.fills.zeros_like(dz)
    return None, where(c, dz, zero), where(c, zero, dz)


select_rows = op(
    "select_rows", "Select", "composite",
    doc="x or y, by a condition of their shape, a scalar, or one for each row (TF1's tf.where).",
    args=("condition", "t", "e"), types="fiubsc", numpy=_rows, infer=_rows_infer,
    expand=_rows_expand, grad=_rows_grad,
)  # fmt: skip


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Value:
    """Elements of `x` where `condition` holds, else of `y`; without them, where it holds.

    Parameters
    ----------
    condition : bool tensor
        Of the shape of `x`, a scalar, or a vector that chooses rows.
    x, y : tensors of one shape, optional
        Without them the result has one row of indices for each true element.

    Raises
    ------
    ValueError
        When only one of `x` and `y` is given, or shapes do not fit.
    """
    if x is None and y is None:
        return ops.arrays.where_indices(condition, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    with current().scope(name, "Select") as scope:
        c, a, b = _select_operands(select, (condition, x, y))
        # TF1's select does not broadcast: where a run may find sizes that differ, it must look
        _rows_infer((c, a, b), {})
        shape = a.static_shape
        alike = shape is not None and D.is_known(shape) and shape == b.static_shape
        plain = alike and (c.rank == 0 or c.static_shape == shape)
        return build(select if plain else select_rows, (c, a, b), None, scope or name).outputs[0]


def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Value:
    """`t` with values below the minimum or above the maximum replaced by them.

    Raises
    ------
    ValueError
        When the limits broadcast to a larger shape than that of `t`.
    """
    from graphc.ops.indexed import IndexedSlices

    if isinstance(t, IndexedSlices):
        values = clip_by_value(t.values, clip_value_min, clip_value_max, name)
        return IndexedSlices(values, t.indices, t.dense_shape)  # type: ignore[return-value]
    with current().scope(name, "clip_by_value") as scope:
        v = as_value(t, name="t")
        low = minimum(v, clip_value_max)
        merge(v.static_shape, low.static_shape)
        high: Value = maximum(low, clip_value_min, name=scope or name)
        merge(v.static_shape, high.static_shape)
        return high


# ------------------------------------------------------------------------- division by TF1's rules

#: The float type in which ``/`` divides: integers of up to 16 bits in float32, wider in float64.
_TRUEDIV = {
    dtypes.uint8: dtypes.float32, dtypes.int8: dtypes.float32, dtypes.uint16: dtypes.float32,
    dtypes.int16: dtypes.float32, dtypes.int32: dtypes.float64, dtypes.int64: dtypes.float64,
    dtypes.bfloat16: None, dtypes.float16: None, dtypes.float32: None, dtypes.float64: None,
    dtypes.complex64: None, dtypes.complex128: None,
}  # fmt: skip


def _both(x: Any, y: Any) -> tuple[Value, Value]:
    """`x` and `y` as tensors; a mismatch is reported as the binary operators do."""
    a = as_value(x, name="x")
    return a, y if isinstance(y, Value) else as_value(y, a.dtype.base_dtype, "y")


def truediv(x: Any, y: Any, name: str | None = None) -> Value:
    """x / y element-wise as Python 3 divides: integers give floats."""
    with current().scope(name, "truediv") as scope:
        a, b = _both(x, y)
        if a.dtype is not b.dtype:
            raise TypeError(f"x and y must have the same dtype, got {a.dtype!r} != {b.dtype!r}")
        if a.dtype not in _TRUEDIV:
            raise TypeError(f"Invalid dtype {a.dtype!r} in __truediv__.")
        to = _TRUEDIV[a.dtype]
        if to is not None:
            a, b = cast(a, to), cast(b, to)
        return apply(realdiv, (a, b), None, scope or name).outputs[0]


def div(x: Any, y: Any, name: str | None = None) -> Value:
    """x / y element-wise as Python 2 divides: integers give the floor."""
    with current().scope(name, "div") as scope:
        a, b = _both(x, y)
        if a.dtype is not b.dtype:
            raise TypeError(f"x and y must have the same dtype, got {a.dtype!r} != {b.dtype!r}")
        record = realdiv if a.dtype.is_floating else floordiv_op
        return apply(record, (a, b), None, scope or name).outputs[0]


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y as Python 3 divides; two Python numbers give a Python number."""
    return truediv(x, y, name) if name is not None else x / y


def floordiv(x: Any, y: Any, name: str | None = None) -> Value:
    """floor(x / y) element-wise."""
    with current().scope(name, "floordiv") as scope:
        return apply(floordiv_op, _both(x, y), None, scope or name).outputs[0]


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Value:
    """`x` times a scalar.

    Raises
    ------
    ValueError
        When `scalar` is not a scalar.
    """
    s = as_value(scalar, None if isinstance(scalar, Value) else as_value(x).dtype, "scalar")
    if s.rank != 0:
        raise ValueError(f"Only scalar multiply works, got shape {s.static_shape}")
    return multiply(s, x, name)  # type: ignore[no-any-return]
