"""Packing the operands of a matrix product into panels and tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.runtime.llvm.gemm import KC
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
        self.kp = self._up(self.k, self.lanes)
        begin, end = (fn.wrap(x, dtypes.int64) for x in fn.args[1:3])
        with fn.loop(begin, end) as unit:
            at = fn.udiv_index(unit.i, panels)
            j = (unit.i - at * panels) * nr
            b = fn.element_ptr(self.b, at * self.b_step, g.dtype)
            dest = fn.element_ptr(self.packed, unit.i * (self.kp * nr), g.acc)
            self._pack(b, dest, j, self._min(j + nr, self.n), fn.index(0), self.k)

    def _pack(self, b: Any, dest: Any, j0: V, j1: V, p0: V, kk: V) -> None:
        """Columns j0 to j1 of op(B), rows p0 to p0 + kk, as panels [columns][kp][nr].

        One panel, unless B is stored transposed.
        """
        fn, nr, lanes = self.fn, self.nr, self.lanes
        if self.g.tb:
            with fn.loop(j0, j1, nr) as j:
                to = fn.element_ptr(dest, (j.i - j0) * self.kp, self.g.acc)
                self._pack_transposed(b, to, j.i, self._min(j1 - j.i, nr), p0, kk)
            return
        # Row by row, as B lies in memory: the prefetcher follows, and pages are read once.
        cols = j1 - j0

        def copy(masks: Sequence[V | None]) -> None:
            with fn.loop(0, kk) as p:
                at = (p0 + p.i) * self.n + j0
                later = at + self.n * AHEAD  # in the last cache
                for v, mask in zip(range(0, nr, lanes), masks, strict=True):
                    self._line(fn.element_ptr(b, later + v, self.g.dtype))
                    fn.store(dest, p.i * nr + v, self._load(b, at + v, lanes, mask))

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
        start = fn.element_ptr(b, j * self.k + p0, g.dtype)
        operands = start, dest, cols, kk, self.k
        if self.plain:
            self._turned(operands)
        else:
            self._apart("turn", self._turned, operands, plain=True)

    def _turned(self, operands: tuple[Any, Any, V, V, V]) -> None:
        fn, g, lanes = self.fn, self.g, self.lanes
        b, dest, cols, kk, k = operands
        whole = kk & -lanes

        def square(rows: list[Any], p: V, v: V, mask: V | None) -> None:
            square = transposed(fn, [self._load(row, p, lanes, mask) for row in rows])
            to = fn.element_ptr(dest, p * self.nr + v, g.acc)
            for q, x in enumerate(square):
                fn.store(to, q * self.nr, x)

        with fn.loop(0, cols, lanes) as v:
            rows = self._addresses(b, v.i * k, k, lanes, cols - v.i)
            exact = g.k is not None and g.k <= KC and g.k % lanes == 0
            if g.target.masks and not exact:  # one copy of the code for both: masks are free
                with fn.loop(0, kk, lanes) as p:
                    square(rows, p.i, v.i, self._mask(kk - p.i, lanes))
            else:
                with fn.loop(0, whole, lanes) as p:
                    square(rows, p.i, v.i, None)
                if not exact:
                    with fn.if_(whole < kk):
                        square(rows, whole, v.i, self._mask(kk - whole, lanes))

    def _pack_a(self, a: Any, dest: Any, i0: V, i1: V, p0: V, kk: V) -> None:
        """Rows i0 to i1 of op(A): tiles [k][mr] from a transposed A, else rows of kp."""
        fn, g, lanes, mr = self.fn, self.g, self.lanes, self.mr
        if not g.ta:
            with fn.loop(i0, i1) as i:
                to = fn.element_ptr(dest, (i.i - i0) * self.kp, g.acc)
                at = i.i * self.k + p0
                whole = kk & -lanes
                with fn.loop(0, whole, lanes) as p:
                    fn.store(to, p.i, self._load(a, at + p.i, lanes))
                with fn.if_(whole < kk):
                    x = self._load(a, at + whole, lanes, self._mask(kk - whole, lanes))
                    fn.store(to, whole, x)
            return
        # Whole vectors (cache lines) of columns at a time, tiles side by side: four where there are
        # four, since each row may be in another page (a product of 1024 by 256 by 1024: 7 %).
        wide = max(lanes, mr)
        lines = 4 * wide
        whole = i0 + ((i1 - i0) & -lines)
        with fn.loop(i0, whole, lines) as i:
            to = fn.element_ptr(dest, (i.i - i0) * self.kp, g.acc)
            with fn.loop(0, kk) as p:
                for w in range(0, lines, wide):
                    x = self._load(a, (p0 + p.i) * self.m + i.i + w, wide)
                    for t in range(0, wide, mr):
                        part = fn.shuffle(x, None, range(t, t + mr)) if wide > mr else x
                        fn.store(to, p.i * mr + self.kp * (w + t), part)
        with fn.loop(whole, i1, wide) as i:
            to = fn.element_ptr(dest, (i.i - i0) * self.kp, g.acc)

            def copy(mask: V | None, i: V = i.i, to: Any = to) -> None:
                with fn.loop(0, kk) as p:
                    x = self._load(a, (p0 + p.i) * self.m + i, wide, mask)
                    for t in range(0, wide, mr):
                        part = fn.shuffle(x, None, range(t, t + mr)) if wide > mr else x
                        fn.store(to, p.i * mr + self.kp * t, part)

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
