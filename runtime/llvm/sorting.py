"""Rows put in order by their digits.

The template ``sort_rows`` gives the largest elements of a row first, the first of equals first:
least digits first, one byte at a time, each pass keeping the order of the one before. A digit that
all keys share needs no pass. NaN counts as the lowest value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Template
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

#: Values of a digit.
DIGITS = 256


class _Sort:
    """One row.

    Buffers: elements, values, indices; then, of a worker, the elements' keys and places, twice the
    row, and counts of digits. Keys of four bytes have their places beside them in a word of eight.
    Sizes: the row, rows, elements and results of one.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        self.walk, self.fn = w, w.k
        self.row, _, self.length, self.want = (w.uniform(d) for d in s.sizes)
        self.buffers = [w.buffers[b] for b in s.buffers]
        self.pointers = [w.pointers[b] for b in s.buffers]
        self.dtype: DType = self.buffers[0].dtype
        self.counts = self.pointers[-1]
        self.packed = self.dtype.size < 8
        self.columns = list(zip(self.pointers[3:-1], self.buffers[3:-1], strict=True))

    def run(self) -> None:
        fn, n = self.fn, self.length
        passes = 4 if self.packed else 8
        with fn.loop(0, passes * DIGITS) as c:
            fn.store(self.counts, c.i, fn.index(0))
        with fn.loop(0, n) as i:
            key = self.key(fn.load(self.pointers[0], self.row * n + i.i, self.dtype))
            place = fn.cast(i.i, dtypes.uint64 if self.packed else dtypes.int32)
            if self.packed:
                self.put(i.i, [fn.shl(fn.cast(key, dtypes.uint64), 32) | place])
            else:
                self.put(i.i, [key, place])
            for p in range(passes):
                at = fn.cast(fn.shr(key, 8 * p) & (DIGITS - 1), dtypes.int64) + p * DIGITS
                fn.store(self.counts, at, fn.load(self.counts, at, dtypes.int64) + 1)
        with fn.loop(0, passes, carry=[fn.index(0)]) as turn:
            side = turn.carry[0]
            other = n - side
            at, shift = turn.i * DIGITS, turn.i * 8 + (32 if self.packed else 0)
            digit = self.digit(self.get(side)[0], shift)
            shared = fn.load(self.counts, at + digit, dtypes.int64).eq(n)
            with fn.if_(~shared):
                self.starts(at)
                with fn.loop(0, n) as i:
                    x = self.get(side + i.i)
                    bin_ = at + self.digit(x[0], shift)
                    to = fn.load(self.counts, bin_, dtypes.int64)
                    fn.store(self.counts, bin_, to + 1)
                    self.put(other + to, x)
            turn.next([fn.select(shared, side, other)])
        with fn.loop(0, self.want) as q:
            self.result(q.i, self.get(turn.results[0] + q.i))

    def key(self, x: V) -> V:
        """A number without a sign that is smaller where the element is larger."""
        fn = self.fn
        bits = dtypes.uint32 if self.packed else dtypes.uint64
        top = 1 << (8 * bits.size - 1)
        if x.dtype.kind == "f":
            x = fn.cast(x, dtypes.float32) if self.packed else x
            x = fn.select(x.eq(x), x + 0.0, fn.const(float("-inf"), x.dtype))  # -0.0 is 0.0
            u = fn.bitcast(x, bits)
            return fn.select(u < top, u ^ (top - 1), u)
        u = fn.cast(x, bits)
        return u ^ (2 * top - 1 if x.dtype.kind == "u" else top - 1)

    def digit(self, word: V, shift: V) -> V:
        fn = self.fn
        return fn.cast(fn.shr(word, fn.cast(shift, word.dtype)) & (DIGITS - 1), dtypes.int64)

    def starts(self, at: V) -> None:
        """Counts of digits become the places where their elements begin."""
        fn = self.fn
        with fn.loop(0, DIGITS, carry=[fn.index(0)]) as d:
            count = fn.load(self.counts, at + d.i, dtypes.int64)
            fn.store(self.counts, at + d.i, d.carry[0])
            d.next([d.carry[0] + count])

    def get(self, at: V) -> list[V]:
        return [self.fn.load(p, at, b.dtype) for p, b in self.columns]

    def put(self, at: V, x: list[V]) -> None:
        for (p, _), v in zip(self.columns, x, strict=True):
            self.fn.store(p, at, v)

    def result(self, q: V, x: list[V]) -> None:
        fn = self.fn
        place = fn.cast(x[-1] & 0xFFFFFFFF if self.packed else x[-1], dtypes.int64)
        v = fn.load(self.pointers[0], self.row * self.length + place, self.dtype)
        name = self.buffers[1].name
        if name in self.walk.watch:
            fn.look(v, None, name in self.walk.watch.small)
        fn.store(self.pointers[1], self.row * self.want + q, v)
        fn.store(self.pointers[2], self.row * self.want + q, fn.cast(place, dtypes.int32))


def _sort_rows(w: Walk, s: Template) -> None:
    _Sort(w, s).run()


TEMPLATES: dict[str, Callable[[Walk, Template], Any]] = {"sort_rows": _sort_rows}
