"""Numbers of bfloat16, which numpy has no type for: the upper halves of float32 numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["bits_of", "from_bits", "rounded"]

Array = np.ndarray[Any, Any]


def bits_of(a: Any) -> Array:
    """The 16 bits of each number, rounded to nearest, ties to even; NaN is 0x7FC0."""
    # numpy 1 computes with arrays of rank 0 in other types: a vector for all ranks
    flat = np.ascontiguousarray(a, np.float32).reshape(-1)
    u = flat.view(np.uint32)
    r = (u + (((u >> 16) & 1) + np.uint32(0x7FFF))) >> 16
    kept = np.where(np.isnan(flat), np.uint16(0x7FC0), r.astype(np.uint16))
    out: Array = kept.reshape(np.shape(a))
    return out


def from_bits(bits: Array) -> Array:
    """The numbers of such bits, as float32."""
    wide: Array = bits.reshape(-1).astype(np.uint32) << np.uint32(16)
    out: Array = wide.view(np.float32).reshape(bits.shape)
    return out


def rounded(a: Any) -> Array:
    """Float32 numbers rounded to the nearest bfloat16; NaN stays NaN."""
    return from_bits(bits_of(a))
