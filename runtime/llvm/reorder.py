"""Axes in another order: squares of vectors that are turned in registers.

The template ``reorder`` has two axes of the result: `i`, along which the operand lies together, and
`j`, along which the result does. All others are `outer`. A unit is a block of i and j for one place
of the outer axes. Where one of the two axes is short and the elements of both lie together, it
takes whole vectors of them apart instead, or puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.ir.kernel import Template
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.squares import transposed
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

_BITS = {1: dtypes.uint8, 2: dtypes.uint16, 4: dtypes.uint32, 8: dtypes.uint64}


class _Reorder:
    """One block of elements.

    Buffers: operand and result. Sizes: the unit; i and j; elements of the operand from one j to the
    next, and of the result from one i to the next; then for each outer axis its size and the
    elements of operand and result from one place to the next.

    Attributes
    ----------
    block : of two ints
        Places of i and j in a unit.
    short : "i", "j" or ""
        The axis that is short, its size given by `block`, and lies together with the other.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        a = dict(s.attrs)
        self.walk, self.fn = w, w.k
        self.size = [w.uniform(d) for d in s.sizes]
        self.pointers = [w.pointers[b] for b in s.buffers]
        self.buffer = w.buffers[s.buffers[1]]
        bits = self.buffer.dtype.size
        self.looks = self.buffer.dtype.code in ("f32", "f64") and self.buffer.name in w.watch
        self.dtype = self.buffer.dtype if self.looks else _BITS[bits]
        self.lanes = min(16, host().vector_bytes // bits)
        self.block: tuple[int, int] = a["block"]
        self.short: str = a["short"]

    def run(self) -> None:
        fn = self.fn
        unit, i_size, j_size, self.apart, self.pitch = self.size[:5]
        blocks = [
            fn.udiv_index(n + (b - 1), fn.index(b))
            for n, b in zip((i_size, j_size), self.block, strict=True)
        ]
        rest, j = self.split(unit, blocks[1])
        rest, i = self.split(rest, blocks[0])
        source, to = self.begin(), fn.index(0)
        outer = [self.size[at : at + 3] for at in range(5, len(self.size), 3)]
        for n, step, made in reversed(outer):
            rest, at = self.split(rest, n)
            source, to = source + at * step, to + at * made
        first = [i * self.block[0], j * self.block[1]]
        last = [
            fn.minimum(f + b, n)
            for f, b, n in zip(first, self.block, (i_size, j_size), strict=True)
        ]
        self.source = fn.element_ptr(self.pointers[0], source, self.dtype)
        self.to = fn.element_ptr(self.pointers[1], to, self.dtype)
        {"": self.squares, "i": self.take_apart, "j": self.put_together}[self.short](first, last)

    def begin(self) -> V:
        """The first element of the operand."""
        return self.fn.index(0)

    def split(self, x: V, n: V) -> tuple[V, V]:
        """Quotient and rest."""
        q = self.fn.udiv_index(x, n)
        return q, x - q * n

    def store(self, at: V, x: V, mask: V | None = None) -> None:
        if self.looks:
            self.fn.look(x, mask, self.buffer.name in self.walk.watch.small)
        self.fn.store(self.to, at, x, mask)

    # ------------------------------------------------------------- long axes

    def squares(self, first: Sequence[V], last: Sequence[V]) -> None:
        fn, n = self.fn, self.lanes
        whole = [
            f + fn.udiv_index(e - f, fn.index(n)) * n for f, e in zip(first, last, strict=True)
        ]
        with fn.loop(first[1], whole[1], n) as j:
            with fn.loop(first[0], whole[0], n) as i:
                self.square(i.i, j.i)
        with fn.loop(first[1], last[1], n) as j:
            beyond = fn.select(j.i < whole[1], whole[0], first[0])
            with fn.loop(beyond, last[0], n) as i:
                self.part(i.i, j.i, last)

    def square(self, i: V, j: V) -> None:
        fn, n = self.fn, self.lanes
        rows = [fn.load(self.source, (j + r) * self.apart + i, self.dtype, n) for r in range(n)]
        for c, x in enumerate(transposed(fn, rows)):
            self.store((i + c) * self.pitch + j, x)

    def part(self, i: V, j: V, last: Sequence[V]) -> None:
        """A square that reaches beyond the block."""
        fn, n = self.fn, self.lanes
        inside = [self.below(e - at) for e, at in zip(last, (i, j), strict=True)]
        rows = [
            fn.load(self.source, fn.minimum(j + r, last[1] - 1) * self.apart + i, self.dtype, n,
                    inside[0])
            for r in range(n)
        ]  # fmt: skip
        none = fn.const(False, dtypes.bool_, n)
        for c, x in enumerate(transposed(fn, rows)):
            mask = fn.select(fn.splat(i + c < last[0], n), inside[1], none)
            self.store(fn.minimum(i + c, last[0] - 1) * self.pitch + j, x, mask)

    def below(self, left: V) -> V:
        """Lanes below `left`."""
        fn, n = self.fn, self.lanes
        top = fn.cast(fn.minimum(left, n), dtypes.int32)
        return fn.lane_ids(n, dtypes.int32) < fn.splat(top, n)

    # ------------------------------------------------------------- a short axis

    def take_apart(self, first: Sequence[V], last: Sequence[V]) -> None:
        """Rows of `few` elements that lie together: a vector of each element of the rows."""
        fn, n, few = self.fn, self.lanes, self.block[0]
        whole = first[1] + fn.udiv_index(last[1] - first[1], fn.index(n)) * n
        with fn.loop(first[1], whole, n) as j:
            given = [fn.load(self.source, j.i * few + v * n, self.dtype, n) for v in range(few)]
            for at in range(few):
                x = _chosen(fn, given, [lane * few + at for lane in range(n)])
                self.store(self.pitch * at + j.i, x)
        with fn.loop(whole, last[1]) as j, fn.loop(0, few) as i:
            x = fn.load(self.source, j.i * few + i.i, self.dtype)
            self.store(i.i * self.pitch + j.i, x)

    def put_together(self, first: Sequence[V], last: Sequence[V]) -> None:
        """The other way round."""
        fn, n, few = self.fn, self.lanes, self.block[1]
        whole = first[0] + fn.udiv_index(last[0] - first[0], fn.index(n)) * n
        with fn.loop(first[0], whole, n) as i:
            given = [
                fn.load(self.source, self.apart * at + i.i, self.dtype, n) for at in range(few)
            ]
            for v in range(few):
                places = [divmod(v * n + lane, few) for lane in range(n)]
                x = _chosen(fn, given, [at * n + row for row, at in places])
                self.store(i.i * few + v * n, x)
        with fn.loop(whole, last[0]) as i, fn.loop(0, few) as j:
            x = fn.load(self.source, j.i * self.apart + i.i, self.dtype)
            self.store(i.i * few + j.i, x)


def _chosen(fn: Fn, vectors: Sequence[V], places: Sequence[int]) -> V:
    """A vector of the elements at `places` of several vectors one after another."""
    n = len(places)
    x = fn.shuffle(vectors[0], vectors[1], [p if p < 2 * n else 0 for p in places])
    for v, y in enumerate(vectors[2:], 2):
        if any(p // n == v for p in places):
            lanes = [n + p % n if p // n == v else lane for lane, p in enumerate(places)]
            x = fn.shuffle(x, y, lanes)
    return x


class _Turn(_Reorder):
    """The same from an element on, which stands before the outer axes among the sizes.

    So a filter ``[taps, columns, channels]`` becomes ``[taps, channels, columns]``, its taps the
    other way round (their steps are below 0), or some of them.
    """

    def begin(self) -> V:
        return self.size.pop(5)


def _turn(w: Walk, s: Template) -> None:
    _Turn(w, s).run()


def _reorder(w: Walk, s: Template) -> None:
    _Reorder(w, s).run()


TEMPLATES: dict[str, Callable[[Walk, Template], Any]] = {
    "conv_turn": _turn, "reorder": _reorder,
}  # fmt: skip
