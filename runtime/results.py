"""Arrays for fetched values."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from graphc.runtime import aligned

__all__ = ["Empty"]


class Empty:
    """Makes arrays for a fetched value that nobody else holds.

    A large array costs a page fault for every 4 kB, often more than the kernel that fills it.
    So the last two are remembered, and one that the user has let go of (no reference but
    ours, views included, since they hold their base) is handed out again.
    """

    __slots__ = ("dtype", "large", "last", "turn")

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.large = dtype.itemsize * int(np.prod(shape, dtype=np.int64)) >= REUSE
        self.last: list[Any] = [None, None]
        self.turn = 0

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if not self.large:
            return np.empty(shape, self.dtype)
        last = self.last
        for i in (0, 1):
            a = last[i]
            if a is None or sys.getrefcount(a) > _OURS or _views(a) > _ONLY:
                continue
            if a.flags.writeable:
                return a  # type: ignore[no-any-return]
        a = aligned.empty(shape, self.dtype)
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


#: References to a remembered array that are ours, counted as `Empty` does; those to its bytes.
_OURS = _count_ours([np.empty(1), None])
_ONLY = _views(aligned.empty((1,), np.dtype(np.uint8)))
