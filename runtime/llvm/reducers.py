"""What reductions keep and how they combine it, lane by lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dtypes import DType, int64
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V

__all__ = [
    "LARGEST", "SLOTS", "SUM_BLOCK", "SUM_LANES", "SUM_RUN", "Reducer", "State", "flattened",
    "shaped",
]  # fmt: skip

SLOTS = 8  # vectors of 16 lanes that a vector reduction keeps apart
SUM_LANES = 16
SUM_BLOCK = 4096  # elements summed in slots before the compensated sum takes them
SUM_RUN = 16  # elements summed in order before the compensated sum takes them
#: No index: every other is less.
LARGEST = (1 << 63) - 1

State = list[tuple[V, ...]]
"""Accumulators of one reduction: slots, each of one vector (two for argmax and argmin)."""


class Reducer:
    """One reduction: its identity, how it combines, and what it keeps."""

    def __init__(self, k: Fn, kind: str, dtype: DType) -> None:
        self.k = k
        self.kind = kind
        self.dtype = dtype
        self.at = kind.startswith("arg")
        self.ordered = dtype.kind == "f" and not self.at
        self.compensated = kind == "sum" and dtype.kind == "f"

    def identity(self, lanes: int) -> tuple[V, ...]:
        k, t = self.k, self.dtype
        end = self.kind[-3:]
        if end in ("max", "min"):
            inf = float("inf")
            x: Any = (-inf if end == "max" else inf) if t.kind == "f" else None
            if x is None:
                x = t.min if end == "max" else t.max
        else:
            x = self.kind in ("prod", "all")
        one = k.const(x, t, lanes)
        return (one, k.const(LARGEST, int64, lanes)) if self.at else (one,)

    def start(self, lanes: int, slots: int) -> State:
        return [self.identity(lanes)] * slots

    def lift(self, x: V, index: V, mask: V | None) -> tuple[V, ...]:
        """One element (or vector) as an accumulator; lanes that are off hold the identity."""
        own = (x, index) if self.at else (x,)
        if mask is None:
            return own
        k = self.k
        return tuple(k.select(mask, v, i) for v, i in zip(own, self.identity(x.lanes), strict=True))

    def combine(self, a: tuple[V, ...], b: tuple[V, ...]) -> tuple[V, ...]:
        if self.at:
            return self.first_of(a, b)
        x, y = a[0], b[0]
        return (_COMBINE[self.kind](self.k, x, y),)

    def first_of(self, a: tuple[V, ...], b: tuple[V, ...]) -> tuple[V, ...]:
        """The better of two (value, index): NaN first, then the value, then the lower index."""
        k = self.k
        (x, i), (y, j) = a, b
        better = y > x if self.kind == "argmax" else y < x
        tie = y.eq(x)
        if self.dtype.kind == "f":
            nan_x, nan_y = x.ne(x), y.ne(y)
            better = better | (nan_y & ~nan_x)
            tie = tie | (nan_y & nan_x)
        take = better | (tie & (j < i))
        return k.select(take, y, x), k.select(take, j, i)

    def rotate(self, state: State, by: int) -> State:
        """Slots in the order in which the next elements meet them."""
        by %= len(state)
        return [*state[by:], *state[:by]] if self.ordered else state

    def total(self, state: State) -> tuple[V, ...]:
        """All slots combined by a tree that does not depend on the rotation."""
        while len(state) > 1:
            half = len(state) // 2
            state = [self.combine(a, b) for a, b in zip(state[:half], state[half:], strict=True)]
        return state[0]

    def across(self, t: tuple[V, ...]) -> tuple[V, ...]:
        """The lanes combined by a tree."""
        while t[0].lanes > 1:
            half = t[0].lanes // 2
            low = tuple(self.k.shuffle(v, None, range(half)) for v in t)
            high = tuple(self.k.shuffle(v, None, range(half, 2 * half)) for v in t)
            if half == 1:
                low = tuple(self.k.wrap(self.k.extract(v, 0).ll, v.dtype) for v in t)
                high = tuple(self.k.wrap(self.k.extract(v, 1).ll, v.dtype) for v in t)
            t = self.combine(low, high)
        return t

    def opened(self, state: State) -> State:
        """What is kept from block to block: for a compensated sum the sum and its error."""
        if not self.compensated:
            return state
        zero = self.k.const(0, self.dtype, state[0][0].lanes)
        return [(zero, zero)]

    def flush(self, kept: State, block: State) -> State:
        """A block's state into what is kept (Knuth's two-sum)."""
        if not self.compensated:
            return block
        (s, c), x = kept[0], self.total(block)[0]
        t = s + x
        back = t - s
        return [(t, c + ((s - (t - back)) + (x - back)))]

    def closed(self, kept: State) -> tuple[V, ...]:
        if not self.compensated:
            return self.total(kept)
        s, c = kept[0]  # the error of an infinite sum is NaN
        return (self.k.select(c.eq(c), s + c, s),)

    def result(self, t: tuple[V, ...]) -> V:
        if not self.at:
            return t[0]
        return self.k.select(t[1].eq(LARGEST), self.k.like(0, t[1]), t[1])


_COMBINE: dict[str, Callable[[Fn, V, V], V]] = {
    "sum": lambda k, x, y: x + y,
    "prod": lambda k, x, y: x * y,
    "max": lambda k, x, y: k.maximum(y, x),  # what is there already comes second: it waits less
    "min": lambda k, x, y: k.minimum(y, x),
    "any": lambda k, x, y: x | y,
    "all": lambda k, x, y: x & y,
}


def flattened(states: Sequence[State]) -> list[V]:
    return [v for state in states for slot in state for v in slot]


def shaped(values: Sequence[V], like: Sequence[State]) -> list[State]:
    it = iter(values)
    return [[tuple(next(it) for _ in slot) for slot in state] for state in like]
