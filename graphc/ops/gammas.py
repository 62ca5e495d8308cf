"""Error functions and functions of the gamma family, element by element."""

from __future__ import annotations

import math as _math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ops.elementary import exp
from graphc.ops.record import Op, elementwise

__all__ = ["digamma", "erf", "erfc", "lgamma", "trigamma"]


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
