"""Elements of bfloat16 two by two: one instruction multiplies two and adds them to a float32.

A pair is an int32 whose lower half is the first element. The instruction (`vdpbf16ps`) adds the
products of the second elements, then those of the first, each by a fused multiplication and
addition; it takes and makes 0 where a number is denormal.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V, llvm_type

__all__ = ["across", "along", "mul_add"]

_INSTRUCTION = "llvm.x86.avx512bf16.dpbf16ps.512"
_LANES = 16


class _BFloat(ir.Type):  # type: ignore[misc]
    """The type that the instruction's operands have."""

    def _to_string(self) -> str:
        return "bfloat"


_OPERAND = ir.VectorType(_BFloat(), 2 * _LANES)


def mul_add(fn: Fn, x: V, y: V, z: V) -> V:
    """Sums `z` and the products of pairs."""
    operands = [z.ll, *(fn.b.bitcast(v.ll, _OPERAND) for v in (x, y))]
    return V(fn, fn.call_intrinsic(_INSTRUCTION, [], z.ll.type, operands), z.dtype, z.lanes)


def along(fn: Fn, base: Any, at: V | int, lanes: int = 1, mask: V | None = None) -> V:
    """Pairs that lie one after another, from element `at`; `mask` says which elements exist."""
    if mask is None:
        p = fn.element_ptr(base, at, dtypes.bfloat16)
        return fn.load(p, 0, dtypes.int32, lanes, align=2)
    return _pairs(fn, fn.load(base, at, dtypes.uint16, 2 * lanes, mask))


def across(fn: Fn, base: Any, at: V | int, lanes: int, mask: V | None, more: V | None) -> V:
    """Pairs of the elements from `at` and those that lie `more` behind; without it of zeros."""
    low = fn.load(base, at, dtypes.uint16, lanes, mask)
    if more is None or lanes == 1:
        pair = fn.cast(low, dtypes.uint32)
        if more is not None:
            high = fn.load(base, more + at, dtypes.uint16)
            pair = pair | fn.shl(fn.cast(high, dtypes.uint32), 16)
        return fn.cast(pair, dtypes.int32)
    high = fn.load(base, more + at, dtypes.uint16, lanes, mask)
    both = fn.shuffle(low, high, [i + part * lanes for i in range(lanes) for part in (0, 1)])
    return _pairs(fn, both)


def _pairs(fn: Fn, x: V) -> V:
    lanes = x.lanes // 2
    return V(fn, fn.b.bitcast(x.ll, llvm_type(dtypes.int32, lanes)), dtypes.int32, lanes)
