"""Where results lie when operands lie in intervals: the fact `interval` of records.

Rounding is not counted; who asks leaves room for it (`graphc.runtime.bounds`).
"""

from __future__ import annotations

import math

__all__ = [
    "Interval", "Unknown", "add", "add_n", "first", "gated", "hull", "inverse_root", "magnitude",
    "maximum", "minimum", "negative", "product", "quotient", "reciprocal", "root", "square",
    "squared_difference", "subtract",
]  # fmt: skip

Interval = tuple[float, float]


class Unknown(Exception):
    """Nothing can be said."""


def hull(*xs: Interval) -> Interval:
    """The least interval that has all of these in it."""
    return min(x[0] for x in xs), max(x[1] for x in xs)


def first(x: Interval, *others: Interval) -> Interval:
    """Elements of the first operand."""
    return x


def gated(x: Interval, *others: Interval) -> Interval:
    """Elements of the first operand, or zeros."""
    return hull(x, (0.0, 0.0))


def add(x: Interval, y: Interval) -> Interval:
    return x[0] + y[0], x[1] + y[1]


def add_n(*xs: Interval) -> Interval:
    return sum(x[0] for x in xs), sum(x[1] for x in xs)


def subtract(x: Interval, y: Interval) -> Interval:
    return x[0] - y[1], x[1] - y[0]


def negative(x: Interval) -> Interval:
    return -x[1], -x[0]


def product(x: Interval, y: Interval) -> Interval:
    ends = [a * b for a in x for b in y]
    return min(ends), max(ends)


def quotient(x: Interval, y: Interval) -> Interval:
    if y[0] <= 0.0 <= y[1] or min(abs(y[0]), abs(y[1])) < 2.0**-100:
        raise Unknown
    return product(x, (1.0 / y[1], 1.0 / y[0]))


def reciprocal(x: Interval) -> Interval:
    return quotient((1.0, 1.0), x)


def square(x: Interval) -> Interval:
    most = max(x[0] * x[0], x[1] * x[1])
    return (0.0 if x[0] <= 0.0 <= x[1] else min(x[0] * x[0], x[1] * x[1])), most


def squared_difference(x: Interval, y: Interval) -> Interval:
    return square(subtract(x, y))


def magnitude(x: Interval) -> Interval:
    return (0.0 if x[0] <= 0.0 <= x[1] else min(abs(x[0]), abs(x[1]))), max(abs(x[0]), abs(x[1]))


def root(x: Interval) -> Interval:
    if x[0] < 0.0:
        raise Unknown
    return math.sqrt(x[0]), math.sqrt(x[1])


def inverse_root(x: Interval) -> Interval:
    return reciprocal(root(x))


def maximum(x: Interval, y: Interval) -> Interval:
    return max(x[0], y[0]), max(x[1], y[1])


def minimum(x: Interval, y: Interval) -> Interval:
    return min(x[0], y[0]), min(x[1], y[1])
