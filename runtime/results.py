"""Arrays for fetched values."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from graphc.runtime import aligned

__all__ = ["Maker", "maker"]

Maker = Callable[[], "np.ndarray[Any, Any]"]


def maker(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Maker:
    """What makes arrays for a fetched value that nobody else holds."""
    if dtype.itemsize * math.prod(shape) >= REUSE:
        return _Large(dtype, shape)
    return partial(np.empty, shape, dtype)


class _Large:
    """Makes large arrays.

    A large array costs a page fault for every 4 kB, often more than the kernel that fills it.
    So the last two are remembered, and one that the user has let go of (no reference but
    ours, views included, since they hold their base) is handed out again.
    """

    __slots__ = ("dtype", "last", "shape", "turn")

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape
        self.last: list[Any] = [None, None]
        self.turn = 0

    def __call__(self) -> np.ndarray[Any, Any]:
        last = self.last
        for i in (0, 1):
            a = last[i]
            if a is None or sys.getrefcount(a) > _OURS or _views(a) > _ONLY:
                continue
            if a.flags.writeable:
                return a  # type: ignore[no-any-return]
        a = aligned.empty(self.shape, self.dtype)
        self.turn ^= 1
        last[self.turn] = a
        return a


#: Bytes from which an array that was let go of is used again.
REUSE = 1 << 16


def _views(a: np.ndarray[Any, Any]) -> int:
    """References to the bytes that an array is made of: its own, and those of views of it."""
    return sys.getrefcount(a.base)


def _count_ours(last: list[Any]) -> int:
    for i in (0, 1):
        a = last[i]
        if a is not None:
            return sys.getrefcount(a)
    return 0


#: References to a remembered array that are ours, counted as `_Large` does; those to its bytes.
_OURS = _count_ours([np.empty(1), None])
_ONLY = _views(aligned.empty((1,), np.dtype(np.uint8)))
