"""Powers, and products with logarithms, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ops.arithmetic import _is_nonzero, square
from graphc.ops.comparing import not_equal
from graphc.ops.elementary import log
from graphc.ops.record import Op, elementwise
from graphc.ops.selecting import select

__all__ = ["pow", "xdivy", "xlogy"]


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

xlogy: Op = elementwise(
    "xlogy", "Xlogy", "Returns x * log(y), and 0 where x is 0.",
    numpy=lambda x, y: np.where(x == 0, x.dtype.type(0), x * np.log(y)),
    args=("x", "y"), sample=(0.5, 2.0), types="fc", facts={"own_conjugate": True},
    grad=lambda z, dz, x, y: (dz * xlogy(_is_nonzero(x), y), dz * xdivy(x, y)),
    scalar=lambda k, x, y: k.select(x.eq(0), k.like(0, x), x * k.log(y)),
)  # fmt: skip

xdivy: Op = elementwise(
    "xdivy", "Xdivy", "Returns x / y, and 0 where x is 0.",
    numpy=lambda x, y: np.where(x == 0, x.dtype.type(0), x / y), args=("x", "y"), sample=(0.5, 2.0),
    types="fc", facts={"own_conjugate": True},
    grad=lambda z, dz, x, y: (dz * xdivy(_is_nonzero(x), y), dz * xdivy(-x, square(y))),
    scalar=lambda k, x, y: k.select(x.eq(0), k.like(0, x), x / y),
)  # fmt: skip
