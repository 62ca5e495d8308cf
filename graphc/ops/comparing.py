"""Comparison and logic, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops.record import apply, elementwise

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "is_finite",
    "is_inf",
    "is_nan",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
]


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
