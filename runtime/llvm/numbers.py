"""Arithmetic of addresses, sizes and conditions, in as few instructions as it takes.

What is known when code is made takes none, and what a block has computed is not computed again.
LLVM finds both as well, but an instruction costs 30 us of its time, and 10 us to be written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType

if TYPE_CHECKING:
    from graphc.runtime.llvm.emit import Fn
    from graphc.runtime.llvm.values import V

__all__ = ["Numbers", "known"]

#: Numbers of 64 bits wrap here.
_HALF = 1 << 63

_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and_": lambda a, b: a & b,
    "or_": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "ashr": lambda a, b: a >> b,
}
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def known(x: V) -> int | None:
    """The number that a constant is (of conditions 0 or 1); None for values of a run."""
    if not isinstance(x.ll, ir.Constant):
        return None
    number = x.ll.constant
    return number if type(number) is int else None


class Numbers:
    """Scalars of 64 bits and conditions of one function; `holds` says which values these are."""

    def __init__(self, fn: Fn) -> None:
        self.fn = fn
        self._block: Any = None
        self._made: dict[tuple[Any, ...], V] = {}

    @staticmethod
    def holds(x: V) -> bool:
        return x.lanes == 1 and (x.dtype is dtypes.int64 or x.dtype is dtypes.bool_)

    def arithmetic(self, op: str, x: V, y: V) -> V:
        """`op` of llvmlite's builder on two numbers or two conditions."""
        a, b = known(x), known(y)
        if a is not None and b is not None:
            made = _ARITHMETIC[op](a, b)
            if x.dtype is dtypes.int64:
                made = (made + _HALF) % (2 * _HALF) - _HALF
            return self.fn.const(made, x.dtype)
        return self._neutral(op, x, y, a, b) or self._once(op, x, y, dtype=x.dtype)

    def _neutral(self, op: str, x: V, y: V, a: int | None, b: int | None) -> V | None:
        """The operand that is the result."""
        if op == "mul":
            return y if a == 1 or b == 0 else x if b == 1 or a == 0 else None
        if op == "and_":
            every = 1 if x.dtype is dtypes.bool_ else -1
            return y if a == every or b == 0 else x if b == every or a == 0 else None
        return x if b == 0 else y if a == 0 and op in ("add", "or_", "xor") else None

    def compare(self, op: str, x: V, y: V) -> V:
        a, b = known(x), known(y)
        if a is not None and b is not None and x.dtype is dtypes.int64:
            return self.fn.const(_COMPARISONS[op](a, b), dtypes.bool_)
        return self._once(op, x, y, dtype=dtypes.bool_)

    def select(self, c: V, x: V, y: V) -> V:
        chosen = known(c)
        if chosen is not None:
            return x if chosen else y
        return x if x.ll is y.ll else self._once("select", c, x, y, dtype=x.dtype)

    def _once(self, op: str, *operands: V, dtype: DType) -> V:
        builder = self.fn.b
        if self._block is not builder.block:
            self._block = builder.block
            self._made.clear()
        key = op, *[x.ll if (n := known(x)) is None else n for x in operands]
        made = self._made.get(key)
        if made is None:
            lls = [x.ll for x in operands]
            if op in _COMPARISONS:
                signed = operands[0].dtype is dtypes.int64
                ll = (builder.icmp_signed if signed else builder.icmp_unsigned)(op, *lls)
            else:
                ll = getattr(builder, op)(*lls)
            made = self._made[key] = self.fn.wrap(ll, dtype)
        return made
