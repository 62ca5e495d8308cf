"""Arithmetic, comparison, logic and the elementary functions, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np
from graphc.ops.record import elementwise

__all__ = ["add", "less", "multiply", "tanh"]


def _wrap(f: Any) -> Any:
    """A numpy function without its warnings: overflow and NaN are values here."""

    def g(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return f(*args, **kwargs)

    return g


add = elementwise(
    "add", "Add", "Returns x + y element-wise; integers wrap.",
    numpy=_wrap(np.add), types="fiu", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy, dy),
    scalar=lambda k, x, y: x + y,
    dims=lambda a, b: a + b,
)  # fmt: skip

multiply = elementwise(
    "multiply", "Mul", "Returns x * y element-wise; integers wrap.",
    numpy=_wrap(np.multiply), types="fiu", args=("x", "y"),
    grad=lambda y, dy, a, b: (dy * b, dy * a),
    scalar=lambda k, x, y: x * y,
    dims=lambda a, b: a * b,
)  # fmt: skip

less = elementwise(
    "less", "Less", "Returns the truth value of x < y element-wise.",
    numpy=np.less, types="fiu", out="bool", args=("x", "y"),
    scalar=lambda k, x, y: x < y,
)  # fmt: skip

tanh = elementwise(
    "tanh", "Tanh", "Hyperbolic tangent.",
    numpy=np.tanh, sample=(-4, 4),
    grad=lambda y, dy, x: dy * (1 - y * y),
    scalar=lambda k, x: k.tanh(x),
)  # fmt: skip
