"""Arrays that begin with a line of the cache, which those that numpy allocates seldom do.

Each is a view of the bytes that it is made of (its ``base``), to which views of it refer too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LINE", "Words", "empty", "words", "zeros"]

Words = npt.NDArray[np.int64]

#: Bytes: two lines, which processors fetch together.
LINE = 128


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array of any numbers; `MemoryError` where there is no memory for it."""
    if dtype.hasobject:
        return np.empty(shape, dtype)
    return _within(np.empty(_bytes(shape, dtype), np.uint8), shape, dtype)


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array of zeros, whose pages come from the system when they are first written."""
    if dtype.hasobject:
        return np.zeros(shape, dtype)
    return _within(np.zeros(_bytes(shape, dtype), np.uint8), shape, dtype)


def words(count: int) -> Words:
    """Zeroed words of 8 bytes."""
    return zeros((count,), np.dtype(np.int64))


def _bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize + LINE


def _within(
    raw: np.ndarray[Any, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    skip = -raw.__array_interface__["data"][0] % LINE
    made: np.ndarray[Any, Any] = np.ndarray(shape, dtype, raw.data, skip)
    return made
