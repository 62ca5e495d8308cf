"""Bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ops.record import elementwise, no_grad

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]


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
