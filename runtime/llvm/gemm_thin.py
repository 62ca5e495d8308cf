"""Products of one row or one column, and of operands that both lie along k: nothing is packed."""

from __future__ import annotations

from typing import Any

from graphc.ir.chains import KC
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.gemm_end import Ends
from graphc.runtime.llvm.values import V

__all__ = ["Thin"]

PANEL_AHEAD = 4096  # bytes of a panel asked for before they are read


class Thin(Ends):
    """One row or one column; vectors along k."""

    # ------------------------------------------------------------- one row or one column

    def _thin(self, a: Any, b: Any, i0: V, i1: V, j0: V, j1: V) -> None:
        self._thin_walk(a, b, self.n, j0, j1, column=False)

    def _thin_col(self, a: Any, b: Any, i0: V, i1: V, j0: V, j1: V) -> None:
        self._thin_walk(b, a, self.m, i0, i1, column=True)

    def _thin_walk(self, x: Any, y: Any, n: V, j0: V, j1: V, *, column: bool) -> None:
        """The row x[k] times y[k, n]: 16 vectors of columns, or 4 or 1 with k split.

        Each case has 8 or 16 sums under way. The width of a column's case depends on n only,
        since units are multiples of 16 vectors, and so do its bits.
        """
        fn, lanes = self.fn, self.lanes
        wide = self.g.panel // lanes
        with fn.loop(j0, j1, self.nr) as jp:
            cols = self._min(j1 - jp.i, self.nr)
            full = cols.eq(self.nr)
            done = fn.index(0)
            for nv, split in ((wide, 1), (4, wide // 4), (1, 8)):
                if nv == 1:
                    done = cols & -(4 * lanes)
                    stop = cols
                elif nv == 4:
                    done = fn.select(full, cols, fn.index(0))
                    stop = cols & -(4 * lanes)
                else:
                    stop = fn.select(full, cols, fn.index(0))
                with fn.loop(done, stop, nv * lanes) as c:
                    mask = self._mask(cols - c.i, lanes) if nv == 1 else None
                    base, step = self._piece(y, n, jp.i + c.i)
                    self._thin_block(x, base, step, c.i, nv, split, mask)
            if column:
                with fn.loop(0, cols) as e:
                    one = fn.load(self.stack, e.i, self.g.acc)
                    self._emit_out(one, self._column(jp.i), e.i, fn.index(0), None)
            else:
                self._finish(fn.index(0), jp.i, fn.index(1), cols)

    def _piece(self, y: Any, n: V, j: V) -> tuple[Any, V]:
        """Where column `j` of y begins, and from there the elements to the next row."""
        fn, g = self.fn, self.g
        if not g.panels:
            return fn.element_ptr(y, j, g.dtype), n
        first = j - (j & (g.panel - 1))
        there = fn.element_ptr(y, first * self.k + (j - first), g.dtype)
        return there, self._min(n - first, g.panel)

    def _thin_block(
        self, x: Any, base: Any, n: V, to: V, nv: int, split: int, mask: V | None
    ) -> None:
        """nv vectors of sums into the tile at `to`, a block of k at a time; rows are `n` apart."""
        fn, g, lanes = self.fn, self.g, self.lanes
        asks = g.panels and nv * lanes == g.panel
        zero = fn.const(0, g.acc, lanes)

        def step(p: V, sums: list[V]) -> list[V]:
            xs = fn.splat(self._load(x, p), lanes)
            if asks:
                later = fn.element_ptr(base, p * n, g.dtype)
                for at in range(PANEL_AHEAD, PANEL_AHEAD + g.panel * g.dtype.size, 64):
                    self._line(self._byte(later, fn.index(at)))
            return [
                self._mul_add(xs, self._load(base, p * n + v * lanes, lanes, mask), sums[v])
                for v in range(nv)
            ]

        for v in range(nv):
            fn.store(self.stack, to + v * lanes, zero)
        with fn.loop(0, self.k, KC) as block:
            stop = self._min(block.i + KC, self.k)
            whole = block.i + ((stop - block.i) & -split)
            with fn.loop(block.i, whole, split, carry=[zero] * (nv * split)) as p:
                out = []
                for s in range(split):
                    out += step(p.i + s, p.carry[s * nv : (s + 1) * nv])
                p.next(out)
            sums = p.results
            while len(sums) > nv:
                half = len(sums) // 2
                sums = [u + v for u, v in zip(sums[:half], sums[half:], strict=True)]
            if split > 1:
                with fn.loop(whole, stop, carry=sums) as p:
                    p.next(step(p.i, p.carry))
                sums = p.results
            for v, part in enumerate(sums):
                old = fn.load(self.stack, to + v * lanes, g.acc, lanes)
                fn.store(self.stack, to + v * lanes, old + part)

    # ------------------------------------------------------------- rows times rows

    def _dot(self, a: Any, b: Any, i0: V, i1: V, j0: V, j1: V) -> None:
        """Both operands contiguous along k: vectors along k, no packing at all."""
        fn, lanes = self.fn, self.lanes
        width = min(8 if self.mr == 1 else 4, lanes)
        with fn.loop(j0, j1, self.nr) as jp:
            cols = self._min(j1 - jp.i, self.nr)
            with fn.loop(i0, i1, self.mr) as ip:
                rows = self._min(i1 - ip.i, self.mr)
                left = self._ends(a, ip.i, rows, self.mr)
                with fn.loop(0, cols, width) as c:
                    right = self._ends(b, jp.i + c.i, cols - c.i, width)
                    for at, s in enumerate(self._dot_block(left, right)):
                        row, col = divmod(at, width)
                        fn.store(self.stack, c.i + (row * lanes + col), s)
                self._finish(ip.i, jp.i, rows, cols)

    def _dot_col(self, a: Any, b: Any, i0: V, i1: V, j0: V, j1: V) -> None:
        """B is one column, contiguous."""
        fn = self.fn
        height = min(8, self.lanes)
        with fn.loop(i0, i1, height) as ip:
            rows = self._min(i1 - ip.i, height)
            for at, s in enumerate(self._dot_block(self._ends(a, ip.i, rows, height), [b])):
                fn.store(self.stack, at, s)
            with fn.loop(0, rows) as r:
                one = fn.load(self.stack, r.i, self.g.acc)
                self._emit_out(one, self._column(ip.i), r.i, fn.index(0), None)

    def _ends(self, base: Any, first: V, rows: V, count: int) -> list[Any]:
        return self._addresses(base, first * self.k, self.k, count, rows)

    def _dot_block(self, left: list[Any], right: list[Any]) -> list[V]:
        """Every row of `left` times every row of `right`: vectors along k, then their sum."""
        fn, g, lanes = self.fn, self.g, self.lanes
        zeros = [fn.const(0, g.acc, lanes)] * (len(left) * len(right))

        def step(p: V, sums: list[V], mask: V | None) -> list[V]:
            ys = [self._along(y, p, lanes, mask) for y in right]
            out = []
            for r, x in enumerate(left):
                xs = self._along(x, p, lanes, mask)
                for c, y in enumerate(ys):
                    out.append(self._mul_add(xs, y, sums[r * len(ys) + c]))
            return out

        line = lanes * self.pair
        whole = self.k & -line
        with fn.loop(0, whole, KC * line, carry=zeros) as block:
            stop = self._min(block.i + KC * line, whole)
            with fn.loop(block.i, stop, line, carry=zeros) as p:
                p.next(step(p.i, p.carry, None))
            block.next([s + t for s, t in zip(block.carry, p.results, strict=True)])
        sums = block.results
        if g.k is None or g.k % line:
            sums = fn.choose(
                whole < self.k,
                lambda: step(whole, block.results, self._mask(self.k - whole, line)),
                lambda: block.results,
            )
        return [_sum_lanes(fn, s) for s in sums]


def _sum_lanes(fn: Fn, x: V) -> V:
    """The sum of a vector's elements, halves onto halves."""
    while x.lanes > 1:
        half = x.lanes // 2
        low, high = (
            fn.shuffle(x, None, range(half)),
            fn.shuffle(x, None, range(half, 2 * half)),
        )
        x = low + high if half > 1 else fn.extract(x, 0) + fn.extract(x, 1)
    return x
