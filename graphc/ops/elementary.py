"""Rounding, exponentials, logarithms, roots and trigonometry, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import intervals
from graphc.ops.arithmetic import multiply, multiply_no_nan
from graphc.ops.record import Op, apply, as_value, elementwise, no_grad

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "exp",
    "expm1",
    "floor",
    "log",
    "log1p",
    "log_sigmoid",
    "rint",
    "round",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]


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

# TF1's gradients of roots and reciprocals are 0 where nothing arrives, whatever the root is: what
# is masked behind a root at 0 adds no NaN.
sqrt = elementwise(
    "sqrt", "Sqrt", "The square root of x.",
    types="fc", numpy=np.sqrt, sample=(0.25, 4.0),
    grad=lambda y, dy, x: multiply_no_nan(0.5 / y, dy, name="SqrtGrad"),
    scalar=lambda k, x: k.sqrt(x),
    interval=intervals.root,
)  # fmt: skip

rsqrt = elementwise(
    "rsqrt", "Rsqrt", "1 / sqrt(x).",
    types="fc", numpy=lambda x: np.divide(x.dtype.type(1), np.sqrt(x)), sample=(0.25, 4.0),
    grad=lambda y, dy, x: multiply_no_nan(y * y * y * -0.5, dy, name="RsqrtGrad"),
    scalar=lambda k, x: k.rsqrt(x),
    interval=intervals.inverse_root,
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
    interval=lambda x: (-1.0, 1.0),
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
    interval=lambda x: (0.0, 1.0),
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
