"""The emission of matrix product kernels: what `gemm.Gemm` plans, in the emitter's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.emit import Fn, V, i32, i64, ptr
from graphc.runtime.llvm.gemm import BLOCK, KC, LONG, WORDS, Epilogue, Gemm
from graphc.runtime.llvm.squares import transposed
from graphc.runtime.llvm.watch import NOTHING, Watch

__all__ = ["emit"]

LINES = (
    12  # of a batch's next operands that 16 terms of a tile ask for: 1536 of a head in 128 times
)
PANEL_AHEAD = 4096  # bytes of a panel asked for before they are read
AHEAD = 8  # rows of B asked for before they are packed: at 200 cycles each, memory's latency


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


class _Sums(NamedTuple):
    """Where the sums of a register block go.

    Rows are `step` elements apart; with `more`, those in `old`, a tile, are added first.
    """

    place: Any
    step: V
    old: Any
    more: V | None


class _Lines(NamedTuple):
    """Lines to ask for: for each chunk of k some, `gap` bytes apart, `step` bytes on."""

    start: Any
    step: V
    gap: V


class _Copy(NamedTuple):
    """Rows to pack into the next panel: for each chunk of k one, from `row` on, below `stop`."""

    source: Any
    step: V
    to: Any
    row: V
    stop: V


class _Batch(NamedTuple):
    """The operands of a batch's next product, A's of `lines`, and which chunk of this one it is."""

    a: Any
    b: Any
    lines: V
    chunk: V


class _Turn(NamedTuple):
    """Columns of a stored A to pack as rows of the next tiles: a cache line of each of its rows.

    For each chunk of k as many rows of the stored A as a tile has, from `row` on, below `stop`.
    """

    source: Any
    step: V
    to: Any
    gap: V
    row: V
    stop: V


class _Rows(NamedTuple):
    """Rows of a tile in memory: the first, from one to the next, the bytes of one."""

    start: Any
    step: V
    bytes: int
    write: bool


class _Next(NamedTuple):
    """What the end of a tile and the tiles that follow will read: products have time to fetch it.

    A's next tile is `a` elements on. Of B's next panel each chunk of k asks for some lines, or
    packs a row. A chunk is the terms whose elements of a row of A are a cache line. `ends` is what
    a tile's end reads and writes, of which the first `some` rows are to be asked for.
    """

    a: V | None = None
    lines: _Lines | None = None
    copy: _Copy | None = None
    turn: _Turn | None = None
    batch: _Batch | None = None
    ends: tuple[_Rows, ...] = ()
    some: V | None = None


class _Work(NamedTuple):
    """The operands of a register block.

    Addresses of A's rows, whose elements of type `kind` are `along` apart; a panel of B whose rows
    are `step` apart; the number of terms; columns in the last vector where not all are.
    """

    rows: list[Any]
    along: V | int
    kind: DType
    panel: Any
    step: V | int
    terms: V
    left: V | None
    to: _Sums
    after: _Next


class _End(NamedTuple):
    """What is read after a tile's last products.

    The argument table, the sums, the results; columns of these, their row where this product's
    begin, the number of the product in a batch; the tile's place and extents.
    """

    table: Any
    sums: Any
    out: list[Any]
    n: V
    first: V
    batch: V | None
    row: V
    col: V
    rows: V
    cols: V


class _Kernel:
    """The emission of one kernel.

    Attributes
    ----------
    plain : bool
        Whether what is around the products and the epilogue is `Fn.plain`: it took most of the
        time of compiling, and takes next to none where products are many.
    """

    make: Callable[..., Fn] = Fn

    def __init__(self, g: Gemm, fn: Fn, kernel: str, epilogue: Epilogue | None) -> None:
        self.g = g
        self.fn = fn
        self.kernel = kernel
        self.epilogue = epilogue
        self.lanes = g.lanes
        self.mr, self.nr = g._tile(kernel)
        self.table = fn.args[0]
        self.worker = fn.wrap(fn.args[3], dtypes.int64)
        word = {w: g.word(w) for w in WORDS}
        self.a = fn.read_ptr(self.table, word["a"])
        self.b = fn.read_ptr(self.table, word["b"])
        self.packed = fn.read_ptr(self.table, word["packed"])
        self.scratch = fn.read_ptr(self.table, word["scratch"])
        self.m = self._size(g.m, word["m"])
        self.n = self._size(g.n, word["n"])
        self.k = self._size(g.k, word["k"])
        self.a_step = fn.read_i64(self.table, word["a_step"])
        self.b_step = fn.read_i64(self.table, word["b_step"])
        self.batch = fn.read_i64(self.table, word["batch"])
        self.mb = fn.read_i64(self.table, word["mb"])
        self.nb = fn.read_i64(self.table, word["nb"])
        self.group = fn.read_i64(self.table, word["group"])
        private = fn.read_i64(self.table, word["private"])
        self.private = self._byte(self.scratch, self.worker * private)
        self.out = [fn.read_ptr(self.table, 1 + len(WORDS) + i) for i in range(len(g.stored))]
        self.index: V | None = None  # the batch, inside a unit
        self.asks: Any = epilogue if hasattr(epilogue, "place") else None
        self.plain = g.loose and kernel in ("direct", "local", "packed") and fn.watched is None
        if self.plain:
            fn.plain()

    def _size(self, known: int | None, word: int) -> V:
        if known is not None and not self.g.loose:
            return self.fn.index(known)
        return self.fn.read_i64(self.table, word)

    def _byte(self, base: Any, offset: V) -> Any:
        return self.fn.element_ptr(base, offset, dtypes.uint8)

    def _min(self, x: V, y: V | int) -> V:
        return self.fn.minimum(x, y)

    def _div(self, x: V, y: int) -> V:
        """x // y for x >= 0 and a power of two."""
        return self.fn.shr(x, y.bit_length() - 1)

    def _up(self, x: V, to: int) -> V:
        return (x + (to - 1)) & -to

    def _mask(self, left: V, lanes: int) -> V:
        """Lanes below `left`."""
        fn = self.fn
        ids = fn.lane_ids(lanes, dtypes.int32)
        top = fn.cast(self._min(left, lanes), dtypes.int32)
        return ids < fn.splat(top, lanes)

    def _load(self, base: Any, at: V | int, lanes: int = 1, mask: V | None = None) -> V:
        """Elements of an operand in the accumulator's type."""
        x = self.fn.load(base, at, self.g.dtype, lanes, mask)
        return self.fn.cast(x, self.g.acc)

    def _mul_add(self, x: V, y: V, z: V) -> V:
        if self.g.acc.kind == "f" and self.g.target.has_fma:
            return self.fn.fma(x, y, z)
        return z + x * y

    # ------------------------------------------------------------- the walk over units

    def main(self) -> None:
        fn, g = self.fn, self.g
        self.stack = fn.stack(g.acc, self.mr * self.nr)
        many = g.k is None or g.k > KC
        self.blocked = many and self.kernel in ("direct", "local", "packed")
        self.deep = self.blocked and (g.k is None or g._k_slabs(g.k)[0] > 1)
        self.slabs, self.depth, self.kc = fn.index(1), self.k, self.k
        if self.blocked:
            long = self.k > LONG
            blocks = fn.select(
                long, self._div(self.k + (KC - 1), KC), self._div(self.k + (BLOCK - 1), BLOCK)
            )
            blocks = fn.select(self.k > KC, blocks, fn.index(1))
            terms = self._up(fn.udiv_index(self.k + (blocks - 1), blocks), 16)
            self.kc = fn.select(self.k > KC, terms, fn.maximum(self.k, 1))
        if self.deep:
            most = fn.select(long, fn.index(g.slab(KC)), fn.index(g.slab(BLOCK)))
            self.slabs = fn.udiv_index(blocks + (most - 1), most)
            each = fn.udiv_index(blocks + (self.slabs - 1), self.slabs)
            self.depth = self._min(self.kc * each, self.k)
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
            kk = self._min(self.depth, self.k - p0)
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
                        after = after._replace(batch=_Batch(*self.following, tile))
                    to = _Sums(part, fn.index(nr), part, None)
                    at = self._rows(a, a_pack, i0, i, rows, p0)
                    work = _Work(*at, panel, step, kk, None, to, after)
                    self._tile_of(slab.i, i, j, rows, cols, work)

    @property
    def _chunk(self) -> int:
        return 64 // self.g.acc.size

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

    def _turn(self, a: Any, a_pack: Any, i0: V, i: V, later: V, p0: V, kk: V) -> _Turn:
        """What the tile from row `i` packs of the lines behind its own."""
        fn, g, mr, line = self.fn, self.g, self.mr, self._chunk
        first = i0 + ((i - i0) & -line) + line
        source = fn.element_ptr(a, p0 * self.m + first, g.dtype)
        to = fn.element_ptr(a_pack, (first - i0) * self.kp, g.acc)
        part = self._div((i - i0) & (line - 1), mr)
        stop = fn.select(first < later, kk, fn.index(0))
        return _Turn(source, self.m, to, self.kp * mr, part * (self._div(kk, line) * mr), stop)

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
            to = fn.element_ptr(a_pack, (low - i0) * self.kp, g.acc)
            self._pack_a(a, to, low, high, p0, kk)

    def _next(
        self, b: Any, b_pack: Any, panel: Any, i0: V, i1: V, i: V, j0: V, j: V, j1: V, p0: V, kk: V
    ) -> _Next:  # fmt: skip
        fn, g, mr, nr, size = self.fn, self.g, self.mr, self.nr, self.g.acc.size
        packs_a = g._packs_a(self.kernel)
        to_a = None
        if packs_a or not g.ta:
            ahead = fn.select(i + mr < i1, fn.index(mr), i0 - i)
            to_a = ahead * (self.kp if packs_a else self.k)
        chunk = self._chunk
        chunks, tile = self._div(kk, chunk), self._div(i - i0, mr)
        if self._copies:
            column = j + nr
            source = fn.element_ptr(b, p0 * self.n + column, g.dtype)
            stop = fn.select(column + nr <= j1, kk, fn.index(0))
            copy = _Copy(source, self.n, self._buffer(b_pack, j0, column), tile * chunks, stop)
            return _Next(to_a, copy=copy)
        part = tile & (chunk - 1)
        if self.kernel == "packed":
            kp = self._up(self.k, self.lanes)
            start = self._byte(panel, (kp + part * chunks) * (nr * size))
            return _Next(to_a, _Lines(start, fn.index(nr * size), fn.index(64)))
        if self.kernel == "direct" or g.dtype is not g.acc:
            return _Next(to_a)
        # Rows of the stored B, a few for each tile, the same again after `chunk` tiles.
        column = j + self.group
        at = (column + part * -(-nr // chunk)) * self.k + p0
        start = fn.wrap(fn.element_ptr(b, at, g.dtype), dtypes.int64)
        more = column < j1
        start = fn.select(more, start, fn.wrap(panel, dtypes.int64))
        gap = fn.select(more, self.k * size, fn.index(0))
        return _Next(to_a, _Lines(start.ll, fn.select(more, fn.index(64), fn.index(0)), gap))

    def _buffer(self, b_pack: Any, j0: V, j: V) -> Any:
        """Where the panel from column `j` is packed while tiles of the one before it are made."""
        fn, nr = self.fn, self.nr
        odd = fn.udiv_index(j - j0, fn.index(nr)) & 1
        return fn.element_ptr(b_pack, odd * (self.kp * nr), self.g.acc)

    def _tile_of(self, slab: V, i: V, j: V, rows: V, cols: V, work: _Work) -> None:
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
            self._switch(rows, cols, work._replace(to=_Sums(out, out_step, None, None)))
        else:
            wait = fn.wrap(self.stack, dtypes.int64)
            if self.deep:
                wait = fn.select(self.slabs > 1, fn.wrap(part, dtypes.int64), wait)
            with fn.loop(0, fn.maximum(kk, 1), self.kc) as block:
                q = block.i
                last = (kk - q <= self.kc) & done
                to = _Sums(
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

    def _from(self, work: _Work, q: V) -> _Work:
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
        kind = self.g.dtype if self.kernel == "direct" else self.g.acc
        return work._replace(
            rows=[fn.element_ptr(x, q * work.along, work.kind) for x in work.rows],
            panel=fn.element_ptr(work.panel, q * work.step, kind),
            terms=self._min(self.kc, work.terms - q),
            after=after,
        )

    def _line(self, p: Any, write: bool = False, near: bool = True) -> None:
        where = (int(write), 3 if near else 2, 1)  # to write, to L1 or L2, data
        hint = [ir.Constant(i32, c) for c in where]
        self.fn.call_intrinsic_void("llvm.prefetch", [ptr], [p, *hint])

    def _at_the_end(self, after: _Next, done: V, i: V, j: V) -> _Next:
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
            _Rows(fn.element_ptr(p, at, t), self.n * t.size, self.nr * t.size, write)
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
            have = self._min(kk, self._div(rows, self.mr) * self._div(kk, self._chunk))
            have = fn.select((first > j0) & (first + nr <= j1), have, fn.index(0))
            to = fn.element_ptr(self._buffer(dest, j0, first), have * nr, self.g.acc)
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
            return fn.element_ptr(b, p0 * self.n + j, g.dtype), self.n
        if self._copies:
            return self._buffer(b_pack, j0, j), nr
        if self.kernel == "local":
            return fn.element_ptr(b_pack, (j - first) * self.kp, g.acc), nr
        kp = self._up(self.k, self.lanes)
        at = kp * j + p0 * nr
        if self.index is not None:
            n = fn.udiv_index(self.n + (nr - 1), fn.index(nr)) * nr
            at = at + fn.select(self.b_step.eq(0), fn.index(0), self.index * (kp * n))
        return fn.element_ptr(self.packed, at, g.acc), nr

    def _rows(
        self, a: Any, a_pack: Any, i0: V, i: V, rows: V, p0: V
    ) -> tuple[list[Any], V | int, DType]:
        """Addresses of the tile's rows of A, the distance along k, and the element type."""
        fn, g, mr = self.fn, self.g, self.mr
        if not g._packs_a(self.kernel):
            if g.ta:
                return self._addresses(a, p0 * self.m + i, 1, mr, rows), self.m, g.dtype
            return self._addresses(a, i * self.k + p0, self.k, mr, rows), 1, g.dtype
        tile = fn.element_ptr(a_pack, (i - i0) * self.kp, g.acc)
        if g.ta:
            return [fn.element_ptr(tile, r, g.acc) for r in range(mr)], mr, g.acc
        return [fn.element_ptr(tile, self.kp * r, g.acc) for r in range(mr)], 1, g.acc

    def _addresses(self, base: Any, start: V, step: V | int, count: int, rows: V) -> list[Any]:
        """Addresses of `count` rows of an operand, `step` elements apart.

        Those beyond `rows` are the last one again; nobody stores their sums.
        """
        fn, kind = self.fn, self.g.dtype
        at = [fn.element_ptr(base, start, kind)]
        for r in range(1, count):
            more = fn.select(rows > r, fn.index(step), fn.index(0))
            at.append(fn.element_ptr(at[-1], more, kind))
        return at

    # ------------------------------------------------------------- the register block

    def _switch(self, rows: V, cols: V, work: _Work) -> None:
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

    def _block(self, rows: int, nv: int, work: _Work) -> None:
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

    def _apart(
        self, name: str, build: Callable[[Any], None], values: Any, plain: bool = False
    ) -> None:
        """``build(values)`` as a function of its own, called here (`plain`: `Fn.plain`)."""
        outer, leaves = self.fn, list(_leaves(values))
        types = [x.ll.type if isinstance(x, V) else ptr for x in leaves]
        full = f"{outer.func.name}_{name}"
        fn = self.make(outer.module, full, types, ir.VoidType(), linkage="internal")
        fn.func.attributes.add("noinline")
        if plain:
            fn.plain()
        self.fn = fn
        build(_among(values, iter(fn.args), fn))
        fn.ret()
        self.fn = outer
        outer.call_fn(fn.func, leaves)

    def _micro(self, rows: int, nv: int, work: _Work) -> None:
        """rows x nv vectors of sums over the terms."""
        fn, g, lanes = self.fn, self.g, self.lanes
        kind = g.dtype if self.kernel == "direct" else g.acc
        mask = None if work.left is None else self._mask(work.left, lanes)
        zeros = [fn.const(0, g.acc, lanes)] * (rows * nv)

        def products(start: V | int, stop: V, sums: list[V]) -> list[V]:
            with fn.loop(start, stop, carry=sums) as p:
                at_b, at_a = p.i * work.step, p.i * work.along
                bs = []
                for v in range(nv):
                    m = mask if v == nv - 1 else None
                    x = fn.load(work.panel, at_b + v * lanes, kind, lanes, m)
                    bs.append(fn.cast(x, g.acc))
                out = []
                for r in range(rows):
                    x = fn.load(work.rows[r], at_a, work.kind)
                    x = fn.splat(fn.cast(x, g.acc), lanes)
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

    def _fetch(self, p: V, work: _Work) -> None:
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

    def _fetch_a(self, at: V, work: _Work) -> None:
        """A line of each row of A's next tile, or those of its packed columns."""
        fn = self.fn
        for r in range(self.mr):
            if self.g.ta:
                start = fn.element_ptr(work.rows[0], at, work.kind)
                self._line(self._byte(start, fn.index(64 * r)), near=False)
            else:
                self._line(fn.element_ptr(work.rows[r], at, work.kind), near=False)

    def _fetch_batch(self, batch: _Batch, number: V) -> None:
        """Some lines of A, or behind them of B."""
        fn = self.fn
        line = (batch.chunk + number) * LINES
        near = fn.wrap(self._byte(batch.a, line * 64), dtypes.int64)
        far = fn.wrap(self._byte(batch.b, (line - batch.lines) * 64), dtypes.int64)
        first = fn.select(line < batch.lines, near, far)
        for e in range(LINES):
            self._line(self._byte(first.ll, fn.index(64 * e)), near=False)

    def _fetch_ends(self, number: V, ends: tuple[_Rows, ...], some: V) -> None:
        """A row or more of what a tile's end reads and writes: all in the chunks there are."""
        fn, g = self.fn, self.g
        k = BLOCK if g.k is None or g.k > KC else max(1, g.k)
        per = min(self.mr, -(-self.mr * self._chunk // k))
        first = number * per
        with fn.if_(first < some):
            for e in ends:
                for r in range(per):
                    base = self._byte(e.start, (first + r) * e.step)
                    for at in (0, *range(60, e.bytes, 64)):  # a user's array begins anywhere
                        self._line(self._byte(base, fn.index(at)), e.write)

    def _pack_row(self, row: V, copy: _Copy) -> None:
        """One row of B's next panel, which was asked for `AHEAD` rows before."""
        fn, g, nr = self.fn, self.g, self.nr
        with fn.if_(row < copy.stop):
            source = fn.element_ptr(copy.source, row * copy.step, g.dtype)
            later = fn.element_ptr(source, copy.step * AHEAD, g.dtype)
            for at in range(60, nr * g.dtype.size, 64):  # of a line and what follows, what follows
                self._line(self._byte(later, fn.index(at)))
            for v in range(0, nr, self.lanes):
                fn.store(copy.to, row * nr + v, self._load(source, v, self.lanes))

    def _pack_turned(self, row: V, turn: _Turn) -> None:
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

    # ------------------------------------------------------------- the end of a tile

    def _finish(self, i: V, j: V, rows: V, cols: V) -> None:
        self._end(self._tile_end(i, j, rows, cols))

    def _column(self, i: V) -> _End:
        """The end of a tile of one column."""
        none = self.fn.index(0)
        return self._tile_end(i, none, none, none)

    def _tile_end(self, i: V, j: V, rows: V, cols: V) -> _End:
        return _End(
            self.table, self.stack, self.out, self.n, self.out_row, self.index, i, j, rows, cols
        )

    def _end(self, tile: _End) -> None:
        """The epilogue over the tile on the stack: whole vectors, then the rest under a mask.

        One copy of the epilogue each, in a loop: a tile's 24 copies would cost more to
        compile than they save, and a tile is finished once for its k terms.
        """
        fn, g, lanes = self.fn, self.g, self.lanes
        nv = self._div(tile.cols, lanes)
        with fn.loop(0, tile.rows) as r:
            if g.n is None or g.n >= lanes:
                with fn.loop(0, nv) as v:
                    x = fn.load(tile.sums, r.i * self.nr + v.i * lanes, g.acc, lanes)
                    self._emit_out(x, tile, r.i, v.i * lanes, None)
            if g.n is None or g.n % lanes != 0:
                left = tile.cols - nv * lanes
                with fn.if_(left > 0):
                    x = fn.load(tile.sums, r.i * self.nr + nv * lanes, g.acc, lanes)
                    self._emit_out(x, tile, r.i, nv * lanes, self._mask(left, lanes))

    def _emit_out(self, acc: V, tile: _End, r: V, c: V, mask: V | None) -> None:
        fn, g = self.fn, self.g
        values: Sequence[V] | None = [acc]
        row, col = tile.row + r, tile.col + c
        at = (tile.first + row) * tile.n + col  # here: the operands' places are the same sum
        if self.asks is not None:
            self.asks.place = at
        if self.epilogue is not None:
            values = self.epilogue(fn, acc, row, col, tile.batch, mask)
        for p, t, v in zip(tile.out, g.stored, values or (), strict=False):
            x = fn.cast(v, t)
            fn.look(x, mask, bool(fn.sought.small))
            fn.store(p, at, x, mask)

    # ------------------------------------------------------------- packing

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
            ys = [self._load(y, p, lanes, mask) for y in right]
            out = []
            for r, x in enumerate(left):
                xs = self._load(x, p, lanes, mask)
                for c, y in enumerate(ys):
                    out.append(self._mul_add(xs, y, sums[r * len(ys) + c]))
            return out

        whole = self.k & -lanes
        with fn.loop(0, whole, KC * lanes, carry=zeros) as block:
            stop = self._min(block.i + KC * lanes, whole)
            with fn.loop(block.i, stop, lanes, carry=zeros) as p:
                p.next(step(p.i, p.carry, None))
            block.next([s + t for s, t in zip(block.carry, p.results, strict=True)])
        sums = block.results
        if g.k is None or g.k % lanes:
            sums = fn.choose(
                whole < self.k,
                lambda: step(whole, block.results, self._mask(self.k - whole, lanes)),
                lambda: block.results,
            )
        return [_sum_lanes(fn, s) for s in sums]


def _leaves(x: Any) -> Iterator[Any]:
    """The values of a run inside of nested tuples and lists."""
    if isinstance(x, (V, ir.Value)):
        if not isinstance(getattr(x, "ll", x), ir.Constant):
            yield x
    elif isinstance(x, (tuple, list)):
        for y in x:
            yield from _leaves(y)


def _among(x: Any, given: Iterator[Any], fn: Fn) -> Any:
    """`x` in `fn`, with its values replaced by those given, in order; constants stay."""
    if isinstance(x, V):
        return fn.wrap(x.ll if isinstance(x.ll, ir.Constant) else next(given), x.dtype)
    if isinstance(x, ir.Value):
        return next(given)
    if isinstance(x, list):
        return [_among(y, given, fn) for y in x]
    if isinstance(x, tuple):
        inside = [_among(y, given, fn) for y in x]
        return type(x)(*inside) if hasattr(x, "_fields") else tuple(inside)
    return x


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
