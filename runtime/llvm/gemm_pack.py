"""Packing the operands of a matrix product into panels and tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.ir.chains import KC
from graphc.runtime.llvm.gemm_base import Base
from graphc.runtime.llvm.gemm_block import AHEAD
from graphc.runtime.llvm.squares import transposed
from graphc.runtime.llvm.values import V

__all__ = ["Packing"]


class Packing(Base):
    """What is packed before the products."""

    def pack_b(self) -> None:
        """All panels of B, for `packed`: units are (batch, panel)."""
        fn, g, nr = self.fn, self.g, self.nr
        panels = fn.udiv_index(self.n + (nr - 1), fn.index(nr))
        self.kp = self._up(self.terms, self.lanes)
        begin, end = (fn.wrap(x, dtypes.int64) for x in fn.args[1:3])
        with fn.loop(begin, end) as unit:
            at = fn.udiv_index(unit.i, panels)
            j = (unit.i - at * panels) * nr
            b = fn.element_ptr(self.b, at * self.b_step, g.dtype)
            dest = fn.element_ptr(self.packed, unit.i * (self.kp * nr), g.kind)
            self._pack(b, dest, j, self._min(j + nr, self.n), fn.index(0), self.terms)

    def _whole(self, p0: V, kk: V) -> V:
        """How many of the `kk` terms from `p0` have all their factors."""
        return kk if self.pair == 1 else self._min(kk, self._div(self.k, 2) - p0)

    def _each(self, p0: V, kk: V, step: V) -> Iterator[tuple[V, V | None]]:
        """A loop over the `kk` terms from `p0`: each, and how far behind its second factors are.

        The last one has none where the factors are odd.
        """
        fn, whole = self.fn, self._whole(p0, kk)
        with fn.loop(0, whole) as p:
            yield p.i, step
        if self.pair == 2 and (self.g.k is None or self.g.k % (self.lanes * 2)):
            with fn.if_(whole < kk):
                yield whole, None

    def _left(self, p0: V, kk: V) -> V:
        """Elements of the `kk` terms from `p0`."""
        return kk if self.pair == 1 else self._min(kk * 2, self.k - p0 * 2)

    def _pack(self, b: Any, dest: Any, j0: V, j1: V, p0: V, kk: V) -> None:
        """Columns j0 to j1 of op(B), rows p0 to p0 + kk, as panels [columns][kp][nr].

        One panel, unless B is stored transposed.
        """
        fn, nr, lanes = self.fn, self.nr, self.lanes
        if self.g.tb:
            with fn.loop(j0, j1, nr) as j:
                to = fn.element_ptr(dest, (j.i - j0) * self.kp, self.g.kind)
                self._pack_transposed(b, to, j.i, self._min(j1 - j.i, nr), p0, kk)
            return
        # Row by row, as B lies in memory: the prefetcher follows, and pages are read once.
        cols = j1 - j0

        def copy(masks: Sequence[V | None]) -> None:
            for p, more in self._each(p0, kk, self.n):
                at = self._elements(p0 + p) * self.n + j0
                later = at + self.n * (AHEAD * self.pair)  # in the last cache
                for v, mask in zip(range(0, nr, lanes), masks, strict=True):
                    self._line(fn.element_ptr(b, later + v, self.g.dtype))
                    fn.store(dest, p * nr + v, self._across(b, at + v, lanes, mask, more))

        masks = [self._mask(cols - v, lanes) for v in range(0, nr, lanes)]
        plain = [None] * len(masks)
        if self.g.n is not None and self.g.n % nr == 0:
            copy(plain)
        elif (
            self.g.target.masks
        ):  # one copy of the code for whole panels and the last: masks are free
            copy(masks)
        else:
            with fn.if_(cols.eq(nr)):
                copy(plain)
            with fn.if_(cols < nr):
                copy(masks)

    def _pack_transposed(self, b: Any, dest: Any, j: V, cols: V, p0: V, kk: V) -> None:
        """Rows of the stored B become columns of the panel, a square of lanes at a time."""
        fn, g = self.fn, self.g
        start = fn.element_ptr(b, j * self.k + self._elements(p0), g.dtype)
        operands = start, dest, cols, self._left(p0, kk), self.k
        if self.plain:
            self._turned(operands)
        else:
            self._apart("turn", self._turned, operands, plain=True)

    def _turned(self, operands: tuple[Any, Any, V, V, V]) -> None:
        fn, g, lanes = self.fn, self.g, self.lanes
        b, dest, cols, kk, k = operands
        line = lanes * self.pair
        whole = kk & -line

        def square(rows: list[Any], p: V, v: V, left: V | None) -> None:
            mask = None if left is None else self._mask(left, line)
            square = transposed(fn, [self._along(row, p, lanes, mask) for row in rows])
            to = fn.element_ptr(dest, self._div(p, self.pair) * self.nr + v, g.kind)
            for q, x in enumerate(square):
                fn.store(to, q * self.nr, x)

        with fn.loop(0, cols, lanes) as v:
            rows = self._addresses(b, v.i * k, k, lanes, cols - v.i)
            exact = g.k is not None and g.terms(g.k) <= KC and g.k % line == 0
            if g.target.masks and not exact:  # one copy of the code for both: masks are free
                with fn.loop(0, kk, line) as p:
                    square(rows, p.i, v.i, kk - p.i)
            else:
                with fn.loop(0, whole, line) as p:
                    square(rows, p.i, v.i, None)
                if not exact:
                    with fn.if_(whole < kk):
                        square(rows, whole, v.i, kk - whole)

    def _pack_a(self, a: Any, dest: Any, i0: V, i1: V, p0: V, kk: V) -> None:
        """Rows i0 to i1 of op(A): tiles [k][mr] from a transposed A, else rows of kp."""
        fn, g, lanes, mr = self.fn, self.g, self.lanes, self.mr
        if not g.ta:
            count, line = self._left(p0, kk), lanes * self.pair
            with fn.loop(i0, i1) as row:
                to = fn.element_ptr(dest, (row.i - i0) * self.kp, g.kind)
                at = row.i * self.k + self._elements(p0)
                whole = count & -line
                with fn.loop(0, whole, line) as e:
                    fn.store(to, self._div(e.i, self.pair), self._along(a, at + e.i, lanes))
                with fn.if_(whole < count):
                    x = self._along(a, at + whole, lanes, self._mask(count - whole, line))
                    fn.store(to, self._div(whole, self.pair), x)
            return
        # Whole vectors (cache lines) of columns at a time, tiles side by side: four where there are
        # four, since each row may be in another page (a product of 1024 by 256 by 1024: 7 %).
        wide = max(lanes, mr)
        lines = 4 * wide
        most = i0 + ((i1 - i0) & -lines)

        def column(to: Any, p: V, at: V, first: int, mask: V | None, more: V | None) -> None:
            """A vector of a term's columns into the tiles from column `first`."""
            at = self._elements(p0 + p) * self.m + at
            x = self._across(a, at + first, wide, mask, more)
            for t in range(0, wide, mr):
                part = fn.shuffle(x, None, range(t, t + mr)) if wide > mr else x
                fn.store(to, p * mr + self.kp * (first + t), part)

        with fn.loop(i0, most, lines) as i:
            to = fn.element_ptr(dest, (i.i - i0) * self.kp, g.kind)
            for p, more in self._each(p0, kk, self.m):
                for w in range(0, lines, wide):
                    column(to, p, i.i, w, None, more)
        with fn.loop(most, i1, wide) as i:
            to = fn.element_ptr(dest, (i.i - i0) * self.kp, g.kind)

            def copy(mask: V | None, i: V = i.i, to: Any = to) -> None:
                for p, more in self._each(p0, kk, self.m):
                    column(to, p, i, 0, mask, more)

            mask = self._mask(i1 - i.i, wide)
            # units are multiples of mr rows, so their rests come even where m is one of `wide`
            rest = g.m is None or g.m % wide != 0 or mr % wide != 0
            if rest and g.target.masks:
                copy(mask)
            else:
                with fn.if_(i1 - i.i >= wide):
                    copy(None)
                if rest:
                    with fn.if_(i1 - i.i < wide):
                        copy(mask)
