"""The emission of matrix product kernels: what `gemm.Gemm` plans, in the emitter's words.

Here is the walk over units, panels, tiles and blocks of k; `gemm_block` has the register block,
`gemm_pack` the packing, `gemm_end` what becomes of the sums,
`gemm_thin` the products without tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.chains import KC
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.gemm import BLOCK, LONG, Epilogue, Gemm
from graphc.runtime.llvm.gemm_base import Batch, Copy, Lines, Next, Rows, Sums, Turn, Work
from graphc.runtime.llvm.gemm_block import Blocks
from graphc.runtime.llvm.gemm_pack import Packing
from graphc.runtime.llvm.gemm_thin import Thin
from graphc.runtime.llvm.values import V, i64, ptr
from graphc.runtime.llvm.watch import NOTHING, Watch

__all__ = ["emit"]


def emit(
    g: Gemm, module: ir.Module, name: str, kernel: str, epilogue: Epilogue | None,
    function: Callable[..., Fn] | None, watch: Watch = NOTHING,
) -> ir.Function:  # fmt: skip
    """Add a kernel of `g` to the module under `name`."""
    fn = (function or Fn)(module, name, [ptr, i64, i64, i64])
    if watch:
        fn.watched, fn.sought = {}, watch
    body = _Kernel(g, fn, kernel, epilogue)
    body.make = function or Fn
    if kernel == "pack_b":
        body.pack_b()
    else:
        body.main()
    fn.done()
    return fn.func


class _Kernel(Blocks, Packing, Thin):
    """The emission of one kernel."""

    def main(self) -> None:
        fn, g = self.fn, self.g
        self.stack = fn.stack(g.acc, self.mr * self.nr)
        many = self.most is None or self.most > KC or g.chained
        self.blocked = many and self.kernel in ("direct", "local", "packed")
        self.deep = self.blocked and (g.k is None or g._k_slabs(g.k)[0] > 1)
        if g.chained:  # as many as there are products
            chain = fn.read_i64(self.table, g.word("chain"))
            count = fn.load(fn.read_ptr(self.table, g.extra_word(0)), 0, dtypes.int32)
            self.terms = self._min(fn.maximum(fn.cast(count, dtypes.int64), 0) * chain, self.terms)
        terms = self.terms
        self.slabs, self.depth, self.kc = fn.index(1), terms, terms
        if self.blocked:
            long = terms > LONG
            blocks = fn.select(
                long, self._div(terms + (KC - 1), KC), self._div(terms + (BLOCK - 1), BLOCK)
            )
            blocks = fn.select(terms > KC, blocks, fn.index(1))
            each = self._up(fn.udiv_index(terms + (blocks - 1), blocks), 16)
            self.kc = fn.select(terms > KC, each, fn.maximum(terms, 1))
            if g.chained:
                apart = (chain > 0) & (chain <= KC)
                self.kc = fn.select(apart, chain, self.kc)
                every = fn.udiv_index(terms + (self.kc - 1), self.kc)
                blocks = fn.select(apart, fn.maximum(every, 1), blocks)
        if self.deep:
            most = fn.select(long, fn.index(g.slab(KC)), fn.index(g.slab(BLOCK)))
            if g.chained:
                row = self.nr * g.acc.size
                fit = fn.udiv_index(fn.index(g.target.l2 * 3 // 8), self.kc * row)
                most = fn.select(apart, fn.maximum(fit, 1), most)
            self.slabs = fn.udiv_index(blocks + (most - 1), most)
            each = fn.udiv_index(blocks + (self.slabs - 1), self.slabs)
            self.depth = self._min(self.kc * each, terms)
        self.kp = self._up(self.depth, self.lanes)
        row_units = fn.udiv_index(self.m + (self.mb - 1), self.mb)
        col_units = fn.udiv_index(self.n + (self.nb - 1), self.nb)
        begin, end = (fn.wrap(x, dtypes.int64) for x in fn.args[1:3])
        with fn.loop(begin, end) as unit:
            u = unit.i
            base_a, base_b, out_row = self.a, self.b, fn.index(0)
            if g.batched:
                per = row_units * col_units
                at = fn.udiv_index(u, per)
                u = u - at * per
                base_a = fn.element_ptr(self.a, at * self.a_step, g.dtype)
                base_b = fn.element_ptr(self.b, at * self.b_step, g.dtype)
                out_row = at * self.m
                self.index = at
                more = at + 1 < self.batch
                self.following = (
                    fn.element_ptr(base_a, fn.select(more, self.a_step, fn.index(0)), g.dtype),
                    fn.element_ptr(base_b, fn.select(more, self.b_step, fn.index(0)), g.dtype),
                    self._div(self.m * self.k * g.dtype.size, 64),
                )
            # Units beside each other share columns: the panel of B is still in a cache.
            c = fn.udiv_index(u, row_units)
            i0, j0 = (u - c * row_units) * self.mb, c * self.nb
            i1, j1 = self._min(i0 + self.mb, self.m), self._min(j0 + self.nb, self.n)
            self.out_row = out_row
            {
                "thin": self._thin, "thin_col": self._thin_col, "dot": self._dot,
                "dot_row": self._dot, "dot_col": self._dot_col,
            }.get(self.kernel, self._blocks)(base_a, base_b, i0, i1, j0, j1)  # fmt: skip

    def _blocks(self, a: Any, b: Any, i0: V, i1: V, j0: V, j1: V) -> None:
        """Slabs of k, then panels of columns, then tiles of rows, then blocks of k.

        A tile's sums so stay in the L1 cache from block to block. Where they went to memory between
        two blocks, since blocks were the outermost loop, they cost 6 % of a product.
        """
        fn, g = self.fn, self.g
        mr, nr, size = self.mr, self.nr, g.acc.size
        packs_a = g._packs_a(self.kernel)
        # Private scratch: the packed rows of A, panels of B, the sums between two slabs.
        a_pack = self.private
        used = fn.index(0)
        if packs_a:
            used = self._up(self.mb, max(self.lanes, mr)) * self.kp * size
        b_pack = self._byte(self.private, used)
        if self.kernel == "local":
            used = used + self.kp * self.group * (2 * size if self._copies else size)
        partial = self._byte(self.private, used)
        row_tiles = self._up(i1 - i0, mr)
        with fn.loop(0, self.slabs) as slab:
            p0 = slab.i * self.depth
            kk = self._min(self.depth, self.terms - p0)
            later = self._later(i0, i1, j1 - j0, kk) if self._turns else None
            if packs_a:
                self._pack_first(a, a_pack, i0, i1, p0, kk, later)
            with (
                fn.loop(j0, j1, self.group) as gp,
                self._group(b, b_pack, i1 - i0, j0, gp.i, j1, p0, kk) as j,
            ):
                cols = self._min(j1 - j, nr)
                panel, step = self._panel(b, b_pack, j0, gp.i, j, p0)
                column = fn.element_ptr(partial, (j - j0) * row_tiles, g.acc)
                with fn.loop(i0, i1, mr) as ip:
                    i = ip.i
                    whole = g.m is not None and g.m % mr == 0
                    rows = fn.index(mr) if whole else self._min(i1 - i, mr)
                    part = fn.element_ptr(column, (i - i0) * nr, g.acc)
                    after = self._next(b, b_pack, panel, i0, i1, i, j0, j, j1, p0, kk)
                    if later is not None:
                        here = fn.select(j.eq(j0), later, i0)
                        after = after._replace(turn=self._turn(a, a_pack, i0, i, here, p0, kk))
                    if self._asks:
                        tile = fn.udiv_index(j - j0, fn.index(nr)) * self._div(row_tiles, mr)
                        tile = (tile + self._div(i - i0, mr)) * self._div(kk, self._chunk)
                        after = after._replace(batch=Batch(*self.following, tile))
                    to = Sums(part, fn.index(nr), part, None)
                    at = self._rows(a, a_pack, i0, i, rows, p0)
                    work = Work(*at, panel, step, kk, None, to, after)
                    self._tile_of(slab.i, i, j, rows, cols, work)

    @property
    def _copies(self) -> bool:
        """Whether the tiles of one panel pack the next one."""
        return self.kernel == "local" and not self.g.tb

    @property
    def _asks(self) -> bool:
        """Whether the products of a batch ask for the operands of the next one.

        They come from far, and the products of a head of attention are too short to wait for them.
        """
        return self.g.batched and not self.blocked

    @property
    def _turns(self) -> bool:
        """Whether tiles of the first panel pack the rows of A that the next ones multiply.

        Packed before the products, a stored A of 1024 columns cost a tenth of them: each of its
        rows is in another page, and nothing is computed while memory is waited for.
        """
        g = self.g
        return g._packs_a(self.kernel) and g.ta and g.dtype is g.acc and self._chunk >= self.mr

    def _later(self, i0: V, i1: V, cols: V, kk: V) -> V:
        """Where the rows end that are packed among the products; `i0` where none are."""
        fn, line = self.fn, self._chunk
        even = ((kk | self.kc) & (line - 1)).eq(0) & (cols >= self.nr) & (kk > 0)
        return fn.select(even, i0 + ((i1 - i0) & -line), i0)

    def _turn(self, a: Any, a_pack: Any, i0: V, i: V, later: V, p0: V, kk: V) -> Turn:
        """What the tile from row `i` packs of the lines behind its own."""
        fn, g, mr, line = self.fn, self.g, self.mr, self._chunk
        first = i0 + ((i - i0) & -line) + line
        source = fn.element_ptr(a, p0 * self.m + first, g.dtype)
        to = fn.element_ptr(a_pack, (first - i0) * self.kp, g.kind)
        part = self._div((i - i0) & (line - 1), mr)
        stop = fn.select(first < later, kk, fn.index(0))
        return Turn(source, self.m, to, self.kp * mr, part * (self._div(kk, line) * mr), stop)

    def _pack_first(
        self, a: Any, a_pack: Any, i0: V, i1: V, p0: V, kk: V, later: V | None
    ) -> None:  # fmt: skip
        """Pack what the products do not: a line of rows to begin with, and those at the end."""
        fn, g = self.fn, self.g
        if later is None:
            self._pack_a(a, a_pack, i0, i1, p0, kk)
            return
        some = later > i0
        with fn.loop(0, 2) as part:
            ends = part.i > 0
            low = fn.select(ends, fn.select(some, later, i1), i0)
            high = fn.select(ends | ~some, i1, i0 + self._chunk)
            to = fn.element_ptr(a_pack, (low - i0) * self.kp, g.kind)
            self._pack_a(a, to, low, high, p0, kk)

    def _next(
        self, b: Any, b_pack: Any, panel: Any, i0: V, i1: V, i: V, j0: V, j: V, j1: V, p0: V, kk: V
    ) -> Next:  # fmt: skip
        fn, g, mr, nr, size = self.fn, self.g, self.mr, self.nr, self.g.acc.size
        packs_a = g._packs_a(self.kernel)
        to_a = None
        if packs_a or not g.ta:
            ahead = fn.select(i + mr < i1, fn.index(mr), i0 - i)
            to_a = ahead * self.kp if packs_a else self._div(ahead * self.k, self.pair)
        chunk = self._chunk
        chunks, tile = self._div(kk, chunk), self._div(i - i0, mr)
        if self._copies:
            column = j + nr
            source = fn.element_ptr(b, self._elements(p0) * self.n + column, g.dtype)
            stop = fn.select(column + nr <= j1, self._whole(p0, kk), fn.index(0))
            copy = Copy(source, self.n, self._buffer(b_pack, j0, column), tile * chunks, stop)
            return Next(to_a, copy=copy)
        part = tile & (chunk - 1)
        if self.kernel == "packed":
            kp = self._up(self.terms, self.lanes)
            start = self._byte(panel, (kp + part * chunks) * (nr * size))
            return Next(to_a, Lines(start, fn.index(nr * size), fn.index(64)))
        if self.kernel == "direct" or (g.dtype is not g.acc and self.pair == 1):
            return Next(to_a)
        # Rows of the stored B, a few for each tile, the same again after `chunk` tiles.
        column = j + self.group
        at = (column + part * -(-nr // chunk)) * self.k + self._elements(p0)
        start = fn.wrap(fn.element_ptr(b, at, g.dtype), dtypes.int64)
        more = column < j1
        start = fn.select(more, start, fn.wrap(panel, dtypes.int64))
        gap = fn.select(more, self.k * g.dtype.size, fn.index(0))
        return Next(to_a, Lines(start.ll, fn.select(more, fn.index(64), fn.index(0)), gap))

    def _buffer(self, b_pack: Any, j0: V, j: V) -> Any:
        """Where the panel from column `j` is packed while tiles of the one before it are made."""
        fn, nr = self.fn, self.nr
        odd = fn.udiv_index(j - j0, fn.index(nr)) & 1
        return fn.element_ptr(b_pack, odd * (self.kp * nr), self.g.kind)

    def _tile_of(self, slab: V, i: V, j: V, rows: V, cols: V, work: Work) -> None:
        """One tile's products over a slab, and its end after the last one."""
        fn = self.fn
        part, kk = work.to.place, work.terms
        done = fn.const(True, dtypes.bool_)
        if self.deep:
            done = slab.eq(self.slabs - 1)
        if self.deep:
            with fn.if_(self.slabs > 1), fn.loop(0, self.mr * self.nr * self.g.acc.size, 64) as e:
                self._line(self._byte(part, e.i), write=True)
        work = work._replace(after=self._at_the_end(work.after, done, i, j))
        out, out_step, kept = self._destination(i, j, rows, cols)
        if not self.blocked:
            self._switch(rows, cols, work._replace(to=Sums(out, out_step, None, None)))
        else:
            wait = fn.wrap(self.stack, dtypes.int64)
            if self.deep:
                wait = fn.select(self.slabs > 1, fn.wrap(part, dtypes.int64), wait)
            with fn.loop(0, fn.maximum(kk, 1), self.kc) as block:
                q = block.i
                last = (kk - q <= self.kc) & done
                to = Sums(
                    fn.select(last, fn.wrap(out, dtypes.int64), wait).ll,
                    fn.select(last, out_step, fn.index(self.nr)),
                    wait.ll,
                    (q > 0) | (slab > 0) if self.deep else q > 0,
                )
                then = self._from(work, q)._replace(to=to)
                if then.after.some is not None:
                    some = fn.select(last, then.after.some, fn.index(0))
                    then = then._replace(after=then.after._replace(some=some))
                self._switch(rows, cols, then)
        with fn.if_(kept & done):
            if self.plain and self.epilogue is not None:
                self._apart("end", self._end, self._tile_end(i, j, rows, cols))
            else:
                self._finish(i, j, rows, cols)

    def _from(self, work: Work, q: V) -> Work:
        """The block of terms from `q`."""
        fn = self.fn
        after, chunks = work.after, self._div(q, self._chunk)
        if after.lines is not None:
            start = self._byte(after.lines.start, chunks * after.lines.step)
            after = after._replace(lines=after.lines._replace(start=start))
        if after.copy is not None:
            after = after._replace(copy=after.copy._replace(row=after.copy.row + chunks))
        if after.turn is not None:
            row = after.turn.row + chunks * self.mr
            after = after._replace(turn=after.turn._replace(row=row))
        kind = self.g.dtype if self.kernel == "direct" else self.g.kind
        return work._replace(
            rows=[fn.element_ptr(x, q * work.along, work.kind) for x in work.rows],
            panel=fn.element_ptr(work.panel, q * work.step, kind),
            terms=self._min(self.kc, work.terms - q),
            after=after,
        )

    def _at_the_end(self, after: Next, done: V, i: V, j: V) -> Next:
        """`after` with what the end of the next tile reads and writes, where that is large.

        It comes in pieces too short for the processor to see where they lead: Adam's variables
        and slots cost its product a tenth. A tile ahead, since memory may take as long as a tile.
        As many operands as results are an update in place, which reads what it writes.
        """
        fn, g = self.fn, self.g
        if g.large is False:
            return after
        find = getattr(self.epilogue, "operands", None)
        places = [(p, t, False) for p, t in (find(fn) if find else [])]
        if len(places) < len(self.out):
            places += [(p, t, True) for p, t in zip(self.out, g.stored, strict=True)]
        at = (self.out_row + i + self.mr) * self.n + j
        ends = tuple(
            Rows(fn.element_ptr(p, at, t), self.n * t.size, self.nr * t.size, write)
            for p, t, write in places
        )
        if g.large is None:
            done = done & (self.m * self.n * g.acc.size > g.target.l2 // 4)
        return after._replace(ends=ends, some=fn.select(done, fn.index(self.mr), fn.index(0)))

    def _destination(self, i: V, j: V, rows: V, cols: V) -> tuple[Any, V, V]:
        """Where a tile's finished sums go, the step of rows there, and whether that is the stack.

        There the epilogue finds them; without one those of a whole tile go where they belong.
        """
        fn, g = self.fn, self.g
        stack = fn.wrap(self.stack, dtypes.int64)
        if self.epilogue is not None or fn.watched is not None or g.stored[0] is not g.acc:
            return self.stack, fn.index(self.nr), fn.const(True, dtypes.bool_)
        whole = rows.eq(self.mr) & cols.eq(self.nr)
        out = fn.element_ptr(self.out[0], (self.out_row + i) * self.n + j, g.acc)
        to = fn.select(whole, fn.wrap(out, dtypes.int64), stack)
        return to.ll, fn.select(whole, self.n, fn.index(self.nr)), ~whole

    @contextmanager
    def _group(
        self, b: Any, dest: Any, rows: V, j0: V, first: V, j1: V, p0: V, kk: V
    ) -> Iterator[V]:
        """Pack the panels from column `first`, then walk over them."""
        fn, nr = self.fn, self.nr
        if self._copies:
            # The whole tiles of the panel before this one have packed rows of it.
            have = self._div(rows, self.mr) * self._div(kk, self._chunk)
            have = self._min(self._whole(p0, kk), have)
            have = fn.select((first > j0) & (first + nr <= j1), have, fn.index(0))
            to = fn.element_ptr(self._buffer(dest, j0, first), have * nr, self.g.kind)
            self._pack(b, to, first, self._min(first + nr, j1), p0 + have, kk - have)
            yield first
            return
        end = self._min(first + self.group, j1)
        if self.kernel == "local":
            self._pack(b, dest, first, end, p0, kk)
        with fn.loop(first, end, nr) as jp:
            yield jp.i

    def _panel(
        self, b: Any, b_pack: Any, j0: V, first: V, j: V, p0: V
    ) -> tuple[Any, V | int]:  # fmt: skip
        """Where the panel of B's columns from `j` is, and the distance of its rows."""
        fn, g, nr = self.fn, self.g, self.nr
        if self.kernel == "direct":
            at = self._elements(p0) * self.n + j
            return fn.element_ptr(b, at, g.dtype), self._elements(self.n)
        if self._copies:
            return self._buffer(b_pack, j0, j), nr
        if self.kernel == "local":
            return fn.element_ptr(b_pack, (j - first) * self.kp, g.kind), nr
        kp = self._up(self.terms, self.lanes)
        at = kp * j + p0 * nr
        if self.index is not None:
            n = fn.udiv_index(self.n + (nr - 1), fn.index(nr)) * nr
            at = at + fn.select(self.b_step.eq(0), fn.index(0), self.index * (kp * n))
        return fn.element_ptr(self.packed, at, g.kind), nr

    def _rows(
        self, a: Any, a_pack: Any, i0: V, i: V, rows: V, p0: V
    ) -> tuple[list[Any], V | int, DType]:
        """Addresses of the tile's rows of A, the distance along k, and the element type."""
        fn, g, mr = self.fn, self.g, self.mr
        if not g._packs_a(self.kernel):
            if g.ta:
                return self._addresses(a, p0 * self.m + i, 1, mr, rows), self.m, g.dtype
            kind = g.kind if self.pair == 2 else g.dtype
            return self._addresses(a, i * self.k + self._elements(p0), self.k, mr, rows), 1, kind
        tile = fn.element_ptr(a_pack, (i - i0) * self.kp, g.kind)
        if g.ta:
            return [fn.element_ptr(tile, r, g.kind) for r in range(mr)], mr, g.kind
        return [fn.element_ptr(tile, self.kp * r, g.kind) for r in range(mr)], 1, g.kind
