"""What attributes in a text may be: kinds that no op's inference looks at closely."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.ir.dims import Expr

__all__ = ["ill"]

_BOOLS = frozenset("keepdims transpose_a transpose_b exclusive reverse sorted".split())
#: Integers, or lists of them: places among axes and elements, and sizes.
_WHOLE = frozenset(
    "axis begin dims dilations index k ksize num perm rates repeats shape size strides".split()
)


def ill(key: str, value: Any) -> str:
    """What is wrong with the value of an attribute; "" if nothing is."""
    if key in _BOOLS and type(value) is not bool:
        return f"{key} is true or false, not {value!r}"
    for x in _leaves(value):
        if type(x) is int and not -(2**63) <= x < 2**64:
            return f"{key} holds a number that no integer of 64 bits is"
        if key in _WHOLE and x is not None and not (type(x) is int or isinstance(x, Expr)):
            return f"{key} takes integers, not {x!r}"
    if key == "index" and not (type(value) is int and 0 <= value < 2**31):
        return f"an input's index is an integer from 0, not {value!r}"
    return ""


def _leaves(x: Any) -> Iterator[Any]:
    stack = [x]
    while stack:
        y = stack.pop()
        if isinstance(y, tuple):
            stack += y
        else:
            yield y
