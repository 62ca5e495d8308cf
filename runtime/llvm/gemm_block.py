"""The register block of a matrix product, and what its products fetch and pack meanwhile."""

from __future__ import annotations

from typing import Any

from graphc.ir import dtypes
from graphc.ir.chains import KC
from graphc.runtime.llvm.gemm import BLOCK
from graphc.runtime.llvm.gemm_base import Base, Batch, Copy, Rows, Turn, Work
from graphc.runtime.llvm.values import V

__all__ = ["Blocks"]

LINES = (
    12  # of a batch's next operands that 16 terms of a tile ask for: 1536 of a head in 128 times
)
AHEAD = 8  # rows of B asked for before they are packed: at 200 cycles each, memory's latency


class Blocks(Base):
    """Sums of rows of A times vectors of B over a block of k."""

    def _switch(self, rows: V, cols: V, work: Work) -> None:
        """A register block that covers the tile: 8 rows of 1 to 3 vectors, or 4 of 3.

        Four short loops instead of one for each number of rows and vectors: a rest of 1 to 3
        rows takes the time of 4, once in a column of tiles, and 4 rows of one vector would
        take as long as 8, whose sums just fill the pipeline.
        """
        fn, g = self.fn, self.g
        full, vectors = self.mr, self.nr // self.lanes
        masked = self.kernel == "direct" and (g.n is None or g.n % self.lanes != 0)
        masked = masked and g.target.masks
        nv = self._div(cols + (self.lanes - 1), self.lanes)
        if masked:
            work = work._replace(left=cols - (nv - 1) * self.lanes)
        half = fn.const(False, dtypes.bool_)
        if self._half(full):
            half = (rows <= full // 2) & nv.eq(vectors)
            with fn.if_(half):
                self._block(full // 2, vectors, work)
        for v in range(vectors, 0, -1):
            if self._col_case(v) and not (v == vectors and self._only_half(full)):
                with fn.if_(nv.eq(v) & ~half):
                    self._block(full, v, work)

    def _half(self, full: int) -> bool:
        """Whether a rest of at most half the rows can come."""
        return self.g.m is None or 0 < self.g.m % full <= full // 2

    def _only_half(self, full: int) -> bool:
        return self.g.m is not None and self.g.m <= full // 2

    def _col_case(self, v: int) -> bool:
        n, nr = self.g.n, self.nr
        if n is None:
            return True
        rest = -(-(n % nr) // self.lanes)
        return v == rest or (n >= nr and v == nr // self.lanes)

    def _block(self, rows: int, nv: int, work: Work) -> None:
        """A register block: beside an epilogue a function of its own.

        Constants of the epilogue that LLVM keeps in registers from before the outermost loop are
        not kept across a call. Else sums of the block would have to make room for them: a gelu
        took up to half of the time of its product (k of 256).
        """
        work = work._replace(rows=work.rows[:rows])
        if self.epilogue is None and not self.plain:
            self._micro(rows, nv, work)
        else:
            self._apart(f"{rows}x{nv}", lambda given: self._micro(rows, nv, given), work)

    def _micro(self, rows: int, nv: int, work: Work) -> None:
        """rows x nv vectors of sums over the terms."""
        fn, g, lanes = self.fn, self.g, self.lanes
        direct = self.kernel == "direct"
        mask = None if work.left is None else self._mask(work.left, lanes)
        zeros = [fn.const(0, g.acc, lanes)] * (rows * nv)
        more = self._div(fn.index(work.step), 2) if direct and self.pair == 2 else None

        def products(start: V | int, stop: V, sums: list[V]) -> list[V]:
            with fn.loop(start, stop, carry=sums) as p:
                at_b, at_a = p.i * work.step, p.i * work.along
                bs = []
                for v in range(nv):
                    m = mask if v == nv - 1 else None
                    if direct:
                        x = self._across(work.panel, at_b + v * lanes, lanes, m, more)
                    else:
                        x = fn.load(work.panel, at_b + v * lanes, g.kind, lanes, m)
                    bs.append(x)
                out = []
                for r in range(rows):
                    x = fn.load(work.rows[r], at_a, work.kind, align=g.dtype.size)
                    x = fn.splat(fn.cast(x, g.kind), lanes)
                    for v in range(nv):
                        out.append(self._mul_add(x, bs[v], p.carry[r * nv + v]))
                p.next(out)
            return p.results

        if rows == self.mr and nv * lanes == self.nr and any(work.after):
            with fn.loop(0, work.terms, self._chunk, carry=zeros) as c:
                self._fetch(c.i, work)
                stop = self._min(c.i + self._chunk, work.terms)
                c.next(products(c.i, stop, c.carry))
            results = c.results
        else:
            results = products(0, work.terms, zeros)
        to = work.to

        def put(old: Any = None) -> None:
            for r in range(rows):
                row = to.step * r
                for v in range(nv):
                    x = results[r * nv + v]
                    if old is not None:
                        x = fn.load(old, r * self.nr + v * lanes, g.acc, lanes) + x
                    fn.store(to.place, row + v * lanes, x)

        if to.more is None:
            put()
            return
        with fn.if_(to.more):
            put(to.old)
        with fn.if_(~to.more):
            put()

    def _fetch(self, p: V, work: Work) -> None:
        """What the tiles that follow need, a chunk's share, in slots that the products leave.

        They leave half of them. The processor's own prefetching ends where a page or a tile does.
        """
        after, number = work.after, self._div(p, self._chunk)
        if after.a is not None:
            self._fetch_a(p + after.a if not self.g.ta else p * work.along + after.a, work)
        if after.lines is not None:
            base = self._byte(after.lines.start, number * after.lines.step)
            for e in range(-(-self.nr // self._chunk)):
                self._line(self._byte(base, after.lines.gap * e), near=False)
        if after.some is not None:
            self._fetch_ends(number, after.ends, after.some)
        if after.copy is not None:
            self._pack_row(after.copy.row + number, after.copy)
        if after.batch is not None:
            self._fetch_batch(after.batch, number)
        if after.turn is not None:
            self._pack_turned(after.turn.row + number * self.mr, after.turn)

    def _fetch_a(self, at: V, work: Work) -> None:
        """A line of each row of A's next tile, or those of its packed columns."""
        fn = self.fn
        for r in range(self.mr):
            if self.g.ta:
                start = fn.element_ptr(work.rows[0], at, work.kind)
                self._line(self._byte(start, fn.index(64 * r)), near=False)
            else:
                self._line(fn.element_ptr(work.rows[r], at, work.kind), near=False)

    def _fetch_batch(self, batch: Batch, number: V) -> None:
        """Some lines of A, or behind them of B."""
        fn = self.fn
        line = (batch.chunk + number) * LINES
        near = fn.wrap(self._byte(batch.a, line * 64), dtypes.int64)
        far = fn.wrap(self._byte(batch.b, (line - batch.lines) * 64), dtypes.int64)
        first = fn.select(line < batch.lines, near, far)
        for e in range(LINES):
            self._line(self._byte(first.ll, fn.index(64 * e)), near=False)

    def _fetch_ends(self, number: V, ends: tuple[Rows, ...], some: V) -> None:
        """A row or more of what a tile's end reads and writes: all in the chunks there are."""
        fn = self.fn
        k = BLOCK if self.most is None or self.most > KC else max(1, self.most)
        per = min(self.mr, -(-self.mr * self._chunk // k))
        first = number * per
        with fn.if_(first < some):
            for e in ends:
                for r in range(per):
                    base = self._byte(e.start, (first + r) * e.step)
                    for at in (0, *range(60, e.bytes, 64)):  # a user's array begins anywhere
                        self._line(self._byte(base, fn.index(at)), e.write)

    def _pack_row(self, row: V, copy: Copy) -> None:
        """A term's row of B's next panel, which was asked for `AHEAD` rows before."""
        fn, g, nr = self.fn, self.g, self.nr
        with fn.if_(row < copy.stop):
            source = fn.element_ptr(copy.source, self._elements(row) * copy.step, g.dtype)
            later = fn.element_ptr(source, copy.step * (AHEAD * self.pair), g.dtype)
            for at in range(60, nr * g.dtype.size, 64):  # of a line and what follows, what follows
                self._line(self._byte(later, fn.index(at)))
            for v in range(0, nr, self.lanes):
                x = self._across(source, fn.index(v), self.lanes, more=copy.step)
                fn.store(copy.to, row * nr + v, x)

    def _pack_turned(self, row: V, turn: Turn) -> None:
        """Lines of some rows of a stored A, which were asked for three chunks before."""
        fn, g, mr, line = self.fn, self.g, self.mr, self._chunk
        with fn.if_(row < turn.stop):
            for r in range(mr):
                source = fn.element_ptr(turn.source, (row + r) * turn.step, g.dtype)
                ahead = fn.element_ptr(source, turn.step * (3 * mr) + (line - 1), g.dtype)
                self._line(ahead, near=False)
                for t in range(line // mr):
                    to = fn.element_ptr(turn.to, turn.gap * t + (row + r) * mr, g.acc)
                    fn.store(to, 0, fn.load(source, t * mr, g.dtype, mr))
