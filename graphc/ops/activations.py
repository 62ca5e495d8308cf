"""Activations: relu and its relatives, selu, softplus, leaky_relu, swish."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import intervals, math
from graphc.ops.math import sigmoid
from graphc.ops.record import (
    Op,
    as_value,
    check_kind,
    elementwise,
)  # fmt: skip

__all__ = [
    "crelu", "elu", "leaky_relu", "relu", "relu6", "relu_grad", "selu", "softplus", "softsign",
    "swish",
]  # fmt: skip


relu = elementwise(
    "relu", "Relu", "max(x, 0); NaN stays NaN.",
    numpy=lambda x: np.where(x < 0, x.dtype.type(0), x), types="fiu", args=("features",),
    grad=lambda y, dy, x: relu_grad(dy, y),
    scalar=lambda k, x: k.relu(x),
    interval=lambda x: intervals.maximum(x, (0.0, 0.0)),
)  # fmt: skip

# Records of their own because their second derivative is a tensor of zeros in TF, not none.
relu_grad: Op = elementwise(
    "relu_grad", "ReluGrad", "The gradient where the result of relu is positive, else 0.",
    numpy=lambda dy, y: np.where(y > 0, dy, dy.dtype.type(0)), args=("gradients", "features"),
    grad=lambda z, dz, dy, y: (relu_grad(dz, y), ops.fills.zeros_like(y)),
    scalar=lambda k, dy, y: k.select(y > 0, dy, k.like(0, dy)),
    interval=intervals.gated,
)  # fmt: skip

relu6 = elementwise(
    "relu6", "Relu6", "min(max(x, 0), 6).",
    numpy=lambda x: np.where(x > 6, x.dtype.type(6), np.where(x < 0, x.dtype.type(0), x)),
    types="fiu", args=("features",), sample=(-2.0, 8.0),
    grad=lambda y, dy, x: relu6_grad(dy, y),
    scalar=lambda k, x: k.relu6(x),
)  # fmt: skip

relu6_grad: Op = elementwise(
    "relu6_grad", "Relu6Grad", "The gradient where the result of relu6 is inside (0, 6), else 0.",
    numpy=lambda dy, y: np.where((y > 0) & (y < 6), dy, dy.dtype.type(0)),
    args=("gradients", "features"),
    grad=lambda z, dz, dy, y: (relu6_grad(dz, y), ops.fills.zeros_like(y)),
    scalar=lambda k, dy, y: k.select((y > 0) & (y < 6), dy, k.like(0, dy)),
)  # fmt: skip

elu = elementwise(
    "elu", "Elu", "x where it is not negative, else exp(x) - 1.",
    numpy=lambda x: np.where(x < 0, np.expm1(x), x), args=("features",),
    grad=lambda y, dy, x: math.select(y < 0.0, dy * (y + 1.0), dy, name="EluGrad"),
    scalar=lambda k, x: k.elu(x),
)  # fmt: skip

# G. Klambauer and others, Self-Normalizing Neural Networks, NIPS 2017
_SELU_SCALE = 1.0507009873554805
_SELU_SCALE_ALPHA = 1.7580993408473768


def _selu(x: Any) -> Any:
    t = x.dtype.type
    return np.where(x < 0, t(_SELU_SCALE_ALPHA) * np.expm1(x), t(_SELU_SCALE) * x)


selu = elementwise(
    "selu", "Selu", "Scaled exponential linear unit: 1.0507 x, or 1.7581 (exp(x) - 1) below 0.",
    numpy=_selu, args=("features",),
    grad=lambda y, dy, x: math.multiply(
        dy, math.select(y < 0.0, y + _SELU_SCALE_ALPHA, _SELU_SCALE), name="SeluGrad"
    ),
    scalar=lambda k, x: k.selu(x),
)  # fmt: skip

softplus = elementwise(
    "softplus", "Softplus", "log(1 + exp(x)), without overflow.",
    numpy=lambda x: np.maximum(x, x.dtype.type(0)) + np.log1p(np.exp(-np.absolute(x))),
    args=("features",), sample=(-4, 4),
    grad=lambda y, dy, x: dy * sigmoid(x),
    scalar=lambda k, x: k.softplus(x),
)  # fmt: skip

softsign = elementwise(
    "softsign", "Softsign", "x / (1 + |x|).",
    numpy=lambda x: x / (np.absolute(x) + x.dtype.type(1)), args=("features",), sample=(-4, 4),
    grad=lambda y, dy, x: math.realdiv(dy, math.square(math.abs(x) + 1.0), name="SoftsignGrad"),
    scalar=lambda k, x: k.softsign(x),
)  # fmt: skip


def _leaky_call(features: Any, alpha: Any = 0.2, name: str | None = None) -> Value:
    with current().scope(name, "LeakyRelu") as scope:
        x = as_value(features, name="features")
        if x.dtype.is_integer:
            x = math.cast(x, dtypes.float32)
        check_kind(leaky_relu, "features", x.dtype, "f")
        if isinstance(alpha, Value):
            return math.select(x > 0.0, x, x * alpha, name=scope or name)  # type: ignore[no-any-return]
        # TF keeps the slope as a float32 attribute, for float64 tensors too
        attrs = {"alpha": float(np.float32(alpha))}
        return build(leaky_relu, (x,), attrs, scope or name).outputs[0]


def _leaky_back(dy: Value, x: Value, alpha: float) -> Value:
    return build(leaky_relu_grad, (dy, x), {"alpha": alpha}).outputs[0]


leaky_relu = elementwise(
    "leaky_relu", "LeakyRelu", "x where it is positive, else alpha * x.",
    numpy=lambda x, *, alpha: np.where(x > 0, x, x.dtype.type(alpha) * x), args=("features",),
    grad=lambda y, dy, x, alpha: _leaky_back(dy, x, alpha),
    call=_leaky_call,
    scalar=lambda k, x, alpha: k.select(x > 0, x, x * alpha),
)  # fmt: skip

leaky_relu_grad: Op = elementwise(
    "leaky_relu_grad", "LeakyReluGrad", "The gradient where x is positive, else alpha times it.",
    numpy=lambda dy, x, *, alpha: np.where(x > 0, dy, dy.dtype.type(alpha) * dy),
    args=("gradients", "features"),
    grad=lambda z, dz, dy, x, alpha: (_leaky_back(dz, x, alpha), ops.fills.zeros_like(x)),
    scalar=lambda k, dy, x, alpha: k.select(x > 0, dy, dy * alpha),
)  # fmt: skip


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Value:
    """`relu` of x and of -x, side by side along `axis`."""
    with current().scope(name, "CRelu") as scope:
        x = as_value(features, name="features")
        both = ops.arrays.concat([x, -x], axis, name=scope or name)
        return relu(both)  # type: ignore[no-any-return]


def swish(features: Any) -> Value:
    """x * sigmoid(x)."""
    x = as_value(features, name="features")
    y: Value = x * sigmoid(x)
    current().reserve("Identity")  # TF1 makes it a function with a gradient of its own
    return ops.state.identity(y, name="IdentityN")
