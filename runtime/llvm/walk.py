"""Kernels to LLVM: loops become vector loops, sums get their fixed order, indices become ramps.

`emit_kernel` walks the statements of a kernel once. Loops that are `vector` run their body
twice over: full vectors, then a masked remainder, both from the same statements (rule C13).
An index in a vector loop is mostly a ramp, a scalar with a constant step from lane to lane,
so that loads and stores are those of whole vectors; where it is not, they gather and scatter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from llvmlite import ir

from graphc.ir import dtypes, journal
from graphc.ir.dims import Dim, Expr, Symbol, is_multiple, product
from graphc.ir.dtypes import DType
from graphc.ir.kernel import (
    BLOCK,
    Alloc,
    Buffer,
    Check,
    Epilogue,
    Kernel,
    Let,
    Literal,
    Load,
    Loop,
    Operand,
    Reduce,
    Repeat,
    Scan,
    Stmt,
    Store,
    Template,
    scratch_stride,
)  # fmt: skip
from graphc.runtime.llvm.ahead import AHEAD, STREAMS, ask, prefetch
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.indexing import Index, Indexing, Ramp
from graphc.runtime.llvm.periods import Row, everywhere, read_again, repeating
from graphc.runtime.llvm.pipeline import (
    MANY,
    Staged,
    rows_in_stages,
    stages,
    vector_at,
    width,
)
from graphc.runtime.llvm.reducers import (
    LARGEST,
    Reducer,
)
from graphc.runtime.llvm.reductions import reduce, repeat, scan
from graphc.runtime.llvm.stages import Stages
from graphc.runtime.llvm.statements import (
    has_vectors,
    names_of,
    reads_of,
    results_of,
    streams,
    sums_of,
)
from graphc.runtime.llvm.values import V, memory_type, ptr, zero
from graphc.runtime.llvm.watch import NOTHING, Watch

__all__ = ["ScalarTable", "TemplateTable", "Walk", "emit_kernel"]

i32, i64 = ir.IntType(32), ir.IntType(64)
int64, int32, bool_ = dtypes.int64, dtypes.int32, dtypes.bool_

ScalarTable = Mapping[str, Callable[..., V]]
TemplateTable = Mapping[str, Callable[["Walk", Template], None]]

STREAM_ALIGN = 64  # bytes: a store past the cache writes whole cache lines


#: Why a loop does not work on whole vectors: in words (of what, how many, at least), and what
#: would alter it. ``<x0>`` is a buffer of the kernel.
SLOW: dict[str, tuple[str, str]] = {
    "one": ("it computes one element: there is no loop", "compute many elements in one op"),
    "for": (
        "its loop of {1} runs one element after another: what it does is no work of equal and"
        " independent elements",
        "",
    ),
    "short": (
        "its loop has {1} elements, and a vector {2}: the other lanes are switched off",
        "let the last axis have a multiple of 16 elements, or be of unknown size and long",
    ),
    "reduce": (
        "it reduces {1} elements one after another: they do not lie side by side, and neither do"
        " the results",
        "reduce over the last axis",
    ),
    "scan": (
        "it goes through {1} elements one after another: each needs the one before",
        "accumulate along another axis than the last, so that lanes run along the last",
    ),
    "repeat": (
        "its rounds come one after another: each needs what the one before computed",
        "write the loop as ops on whole arrays (tf.scan and tf.map_fn are loops as well)",
    ),
    "steps": (
        "the elements of <{0}> that one vector needs lie {2} apart: each is loaded or stored by"
        " itself",
        "let the axis that the result's last axis runs along be the last one of the operand too"
        " (transpose once, before), or take no steps in slices",
    ),
    "gather": (
        "where the elements of <{0}> are that one vector needs is computed lane by lane (an index"
        " from data, or from a division): each is loaded by itself",
        "index or reshape along the first axes, so that whole rows are taken",
    ),
    "scatter": (
        "where the elements of <{0}> go is computed lane by lane: each is stored by itself",
        "index along the first axes, so that whole rows are written",
    ),
    "each": (
        "the elements of <{0}> may go to one and the same place: they are stored one by one, in"
        " order",
        "let indices be along the first axes, so that whole rows are written",
    ),
}


def emit_kernel(
    module: ir.Module,
    kernel: Kernel,
    name: str,
    scalar: ScalarTable,
    templates: TemplateTable | None = None,
    *,
    function: Callable[..., Fn] = Fn,
    watch: Watch = NOTHING,
) -> ir.Function:
    """Add ``i32 name(ptr args, i64 begin, i64 end, i64 worker)`` to `module`.

    Parameters
    ----------
    scalar : mapping
        For each op name of the kernel's lets, ``f(k, *args, **attrs)`` on `V`.
    templates : mapping
        For each template kind, ``f(walk, statement)``.
    function : callable
        Makes the `Fn`; `vmath.Math` where ops call vector maths.
    watch : Watch
        Buffers whose numbers it looks at.
    """
    k = function(module, name, [ptr, i64, i64, i64])
    args, begin, end, worker = k.args
    if watch:
        k.watched, k.sought = {}, watch
    w = Walk(k, kernel, scalar, templates or {}, args, V(k, worker, int64))
    w.watch = watch
    w.run(V(k, begin, int64), V(k, end, int64))
    k.done()
    return k.func


class Walk(Indexing):
    """The emission of one kernel into one function.

    A template that needs a function of its own makes another `Walk` there, with that
    function's `Fn` and the same `args` table and worker; it sees buffers and sizes, not values.

    Attributes
    ----------
    k : Fn
        The function under construction.
    lanes : int
        Lanes of the vector loop around the current place; 1 outside.
    mask : V or None
        The lanes that are on, where not all are.
    """

    def __init__(
        self,
        k: Fn,
        kernel: Kernel,
        scalar: ScalarTable,
        templates: TemplateTable,
        args: Any,
        worker: V,
    ) -> None:
        self.k = k
        self.kernel = kernel
        self.scalar = scalar
        self.templates = templates
        self.args = args
        self.worker = worker
        self.lanes = 1
        self.mask: V | None = None
        self.values: dict[str, V] = {}
        self.symbols: dict[Symbol, Index] = {}
        self.buffers: dict[str, Buffer] = {}
        self.pointers: dict[str, Any] = {}
        self.watch = NOTHING  # buffers whose numbers are looked at
        self.repeated: dict[tuple[str, Dim], Row] = {}
        self.noted = self.small = False
        self.trail = k.trail
        self.journal = journal.current()
        self.streaming: Store | None = None  # the store that bypasses the cache here
        #: Many sums, as of a bias in an unrolled net: their code is longer than it is used.
        self.crowded = sums_of(kernel.body) >= CROWD
        self.plain = False  # rows that seldom come: no stages
        self.through: Staged | None = None  # stages that go on from row to row
        first_size = 1 + len(kernel.params)
        for slot, size in enumerate(kernel.sizes, first_size):
            self.symbols[size] = k.read_i64(args, slot)
        for slot, p in enumerate(kernel.params, 1):
            base = k.read_ptr(args, slot)
            if p.direction == "scratch":
                step = self.uniform(scratch_stride(p)) * worker
                base = k.element_ptr(base, step, dtypes.uint8)
            self.buffers[p.name], self.pointers[p.name] = p, base

    # ------------------------------------------------------------- structure

    def run(self, begin: V, end: V) -> None:
        """The units from `begin` to `end`."""
        k, loop, b = self.k, self.kernel.parallel, self.kernel.body
        if loop is None:
            if not any(isinstance(s, Loop | Reduce | Scan | Repeat | Template) for s in b):
                self.say("one", b[0])
            with k.if_((begin <= 0) & (end > 0)):
                self.body(self.kernel.body)
            return
        with k.if_(begin < end):
            everywhere(self, loop.body)
            self.body(self.kernel.body[:-1])
            before, inside = self.split(loop.body, loop.var)
            if loop.kind == "parallel":
                self.body(before)
                self.rows(loop.var, inside, begin, end)
                self.fence()
            else:
                block = loop.block or BLOCK
                stop = end * block
                n = self.uniform(loop.extent)
                stop = k.select(stop < n, stop, n)
                with k.if_(begin * block < stop), repeating(self, loop, inside):
                    self.body(before)
                    self.vectors(loop, inside, begin * block, stop)
                    self.fence()

    def say(self, word: str, s: Stmt, what: str = "", *, least: int = 0) -> None:
        """Write down, for whoever asks, why vectors are not what they could be here."""
        if self.journal is None:
            return
        text, remedy = SLOW[word]
        extent = getattr(s, "extent", "")
        self.journal.because("vector", (), text.format(what, extent, least), remedy)

    def fence(self) -> None:
        """Stores past the cache are seen by other threads before the call returns."""
        if streams(self.kernel.body):
            self.k.b.fence("seq_cst")

    def body(self, body: Sequence[Stmt]) -> None:
        for s in body:
            if self.trail is None:
                _EMIT[type(s)](self, s)
                continue
            with self.trail.at(self.k, s):
                _EMIT[type(s)](self, s)

    def split(self, body: Sequence[Stmt], *loops: str) -> tuple[list[Stmt], list[Stmt]]:
        """The statements of loops over some names that do not depend on these, and the others.

        Inputs keep their value during a kernel, so that their loads may move up to the place
        where the loop is known to run at all; LLVM cannot know this.
        """
        local = set(loops)
        before: list[Stmt] = []
        inside: list[Stmt] = []
        for s in body:
            if isinstance(s, Let | Load) and local.isdisjoint(names_of(s)):
                if isinstance(s, Let) or self.buffers[s.buf].direction == "in":
                    before.append(s)
                    continue
            inside.append(s)
            local |= results_of(s)
        return before, inside

    def loop(self, s: Loop) -> None:
        if isinstance(s.extent, int) and s.extent <= 0:
            return
        k = self.k
        before, inside = self.split(s.body, s.var)
        n = self.uniform(s.extent)
        with self.guard(s.extent, n, before):
            self.body(before)
            if s.kind == "vector":
                with repeating(self, s, inside):
                    self.vectors(s, inside, k.index(0), n)
                return
            if self.lanes == 1 and not has_vectors(inside):
                self.say("for", s)
            self.rows(s.var, inside, k.index(0), n)

    def rows(self, var: str, inside: Sequence[Stmt], begin: V, end: V) -> None:
        """The iterations of an outer loop from `begin` to `end`."""
        done = rows_in_stages(self, var, inside, begin, end)
        self.plain = done is not begin
        with self.k.loop(done, end) as p:
            self.symbols[Symbol(var)] = p.i
            self.body(inside)
        self.plain = False

    @contextmanager
    def guard(self, extent: Dim, n: V, before: Sequence[Stmt]) -> Iterator[None]:
        """Built inside runs where the loop has an iteration (needed where loads moved up)."""
        if isinstance(extent, int) or not any(isinstance(s, Load) for s in before):
            yield
            return
        with self.k.if_(n > 0):
            yield

    def vectors(self, s: Loop, inside: Sequence[Stmt], start: V, stop: V) -> None:
        """The iterations from `start` to `stop` in vectors: full ones, then masked ones."""
        k = self.k
        lanes, unroll = width(self, s, inside)
        count = s.extent if isinstance(s.extent, int) and s.kind == "vector" else None
        while unroll > 1 and count is not None and lanes * unroll > count:
            unroll //= 2
        wide = lanes * unroll
        stream = self.find_stream(s.var, inside, lanes)
        if isinstance(s.extent, int) and s.extent < LEAST_STREAMED:
            stream = None
        if stream is not None:
            count = None
            first = start + self.peeled(stream, s.var, start)
            first = k.select(first < stop, first, stop)
            with k.loop(start, first, lanes) as p:
                ask(self, s.var, inside, p.i, lanes, s.extent)
                with self.lane_context(s.var, p.i, lanes, self.first(first - p.i, lanes)):
                    self.body(inside)
            start = first
        full = start + ((stop - start) & -wide)
        if isinstance(s.extent, int) and s.extent < lanes:
            self.say("short", s, least=lanes)
        if count is None or count >= wide:
            self.streaming = stream
            trips = s.extent // wide if isinstance(s.extent, int) else None
            parts = self.in_stages(s.var, inside, wide, trips)
            self.whole_vectors(s.var, inside, start, full, wide, parts)
            self.streaming = None
        block = wide if s.kind == "vector" else s.block or BLOCK
        if stream is None and block % wide == 0 and is_multiple(s.extent, wide):
            return
        with k.loop(full, stop, lanes) as p:
            ask(self, s.var, inside, p.i, lanes, s.extent)
            with self.lane_context(s.var, p.i, lanes, self.first(stop - p.i, lanes)):
                self.body(inside)

    def in_stages(
        self, var: str, inside: Sequence[Stmt], wide: int, trips: int | None,
        values: Sequence[Operand] = (),
    ) -> Stages | None:  # fmt: skip
        """The stages of a long body that runs in vectors, `trips` times; None for others."""
        if self.plain or (trips is not None and trips < MANY):
            return None
        return stages(self, partial(vector_at, self, var, wide=wide), inside, values, trips)

    def whole_vectors(
        self, var: str, inside: Sequence[Stmt], start: V, stop: V, wide: int,
        parts: Stages | None, state: Sequence[V] = (),
        end: Callable[[Sequence[V]], list[V]] = list, values: Sequence[Operand] = (),
    ) -> list[V]:  # fmt: skip
        """A loop over full vectors; `end` makes the next `state` from it and `values`.

        A body with stages (`in_stages`) runs in these, each iteration one of every stage.
        """
        k, at = self.k, partial(vector_at, self, var, wide=wide)
        if parts is not None:
            staged = Staged(self, parts, at, var, inside, start, stop, wide, values)
            return staged.run(start, stop, state, end)
        with k.loop(start, stop, wide, carry=state) as p:
            if max(reads_of(inside).values(), default=0) >= STREAMS:
                prefetch(self, var, inside, p.i, wide, AHEAD // 2)
            ask(self, var, inside, p.i, wide)
            with at(p.i):
                self.body(inside)
                p.next(end(p.carry))
        return p.results

    def find_stream(self, var: str, inside: Sequence[Stmt], lanes: int) -> Store | None:
        """The store of a loop that bypasses the cache: of consecutive elements, the first one.

        Beside loads of a scratch row all rows must be whole lines: else the row's vectors begin
        elsewhere, and what was stored just before, still behind slow stores, would be waited for
        (measured: a third slower).
        """
        scratch = any(
            isinstance(s, Load) and self.buffers[s.buf].direction == "scratch" for s in inside
        )
        for s in inside:
            if not isinstance(s, Store) or not s.stream or s.mode != "set" or s.where is not None:
                continue
            size = self.buffers[s.buf].dtype.size
            rest = self.flat(s.buf, s.index) - Expr.symbol(var)
            names = [x.name for x in rest.symbols()] if isinstance(rest, Expr) else []
            whole = lanes * size % STREAM_ALIGN == 0
            if scratch:
                steps = [c for _, c in rest.terms] if isinstance(rest, Expr) else [rest]
                whole &= all(c * size % STREAM_ALIGN == 0 for c in steps)
            if whole and var not in names and not any(n[0] == "%" for n in names):
                return s
        return None

    def peeled(self, s: Store, var: str, start: V) -> V:
        """How many iterations from `start` on come before the address of `s` is aligned.

        The word that holds the buffer's address is looked at as a number. Such a loop has no
        order, so that where its vectors begin does not change results.
        """
        k, size = self.k, self.buffers[s.buf].dtype.size
        slot = 1 + [p.name for p in self.kernel.params].index(s.buf)
        at = start + self.uniform(self.flat(s.buf, s.index) - Expr.symbol(var))
        over = (k.read_i64(self.args, slot) + at * size) & (STREAM_ALIGN - 1)
        return k.shr((STREAM_ALIGN - over) & (STREAM_ALIGN - 1), size.bit_length() - 1)

    @contextmanager
    def lane_context(self, var: str, base: V, lanes: int, mask: V | None) -> Iterator[None]:
        """Statements built inside run in `lanes` lanes, where `var` counts up from `base`."""
        was = self.lanes, self.mask
        self.lanes, self.mask = lanes, mask
        self.symbols[Symbol(var)] = Ramp(base, 1)
        yield
        self.lanes, self.mask = was

    def first(self, count: V, lanes: int) -> V:
        """The mask of the first `count` lanes (count >= 1)."""
        k = self.k
        some = k.cast(k.select(count < lanes, count, k.index(lanes)), int32)
        return k.lane_ids(lanes, int32) < k.splat(some, lanes)

    # ------------------------------------------------------------- values

    def operand(self, o: Operand) -> V:
        """The value of an operand: a scalar where it is the same in all lanes."""
        return self.k.const(o.value, o.dtype) if isinstance(o, Literal) else self.values[o.name]

    def wide(self, x: V) -> V:
        """`x` in each lane of this place."""
        return self.k.splat(x, self.lanes)

    def let(self, s: Let) -> None:
        k = self.k
        args = [self.operand(a) for a in s.args]
        if any(a.lanes > 1 for a in args):
            args = [self.wide(a) for a in args]
        if s.op == "index":
            x = self.dim(s.expr)
            out = self.vector(x) if isinstance(x, Ramp) else k.index(x)
        elif s.op == "cast":
            out = k.cast(args[0], s.dtype)
        elif s.op == "select":
            out = k.select(*args)
        elif s.op == "const":
            out = args[0]
        else:
            out = self.scalar[s.op](k, *args, **dict(s.attrs))
        if out.dtype is not s.dtype:
            raise TypeError(f"{s.op} made {out.dtype.code}, the kernel says {s.dtype.code}")
        self.values[s.name] = out

    def check(self, s: Check) -> None:
        k = self.k
        bad = self.wide(~self.operand(s.value))
        if self.mask is not None:
            bad = bad & self.mask
        with k.if_(self.any(bad)):
            at = self.vector(self.dim(s.position))
            at = k.select(bad, at, k.like(LARGEST, at))
            low = Reducer(k, "min", int64)
            k.store(self.args, 0, low.across((at,))[0])
            k.ret(s.code)

    def any(self, x: V) -> V:
        """Whether a lane of `x` is true."""
        if x.lanes == 1:
            return x
        ll = self.k.call_intrinsic("llvm.vector.reduce.or", [x.ll.type], ir.IntType(1), [x.ll])
        return V(self.k, ll, bool_)

    def alloc(self, s: Alloc) -> None:
        count = product(s.buffer.shape)
        self.buffers[s.buffer.name] = s.buffer
        self.pointers[s.buffer.name] = self.k.stack(s.buffer.dtype, max(int(str(count)), 1))

    def template(self, s: Template) -> None:
        self.templates[s.kind](self, s)

    def epilogue(
        self,
        e: Epilogue,
        params: Sequence[V],
        vars: Sequence[Index],
        lanes: int = 1,
        mask: V | None = None,
    ) -> list[V]:
        """The values of an epilogue for elements `params` that stand at `vars`.

        Of `vars`, one may be a `Ramp` (or an i64 vector) over the `lanes`; stores and loads
        in the body leave out the lanes that are off in `mask`.
        """
        was = self.lanes, self.mask
        self.lanes, self.mask = lanes, mask
        self.symbols.update((Symbol(n), i) for n, i in zip(e.vars, vars, strict=True))
        self.values.update((p.name, v) for p, v in zip(e.params, params, strict=True))
        self.body(e.body)
        out = [self.wide(self.operand(o)) for o in e.values]
        self.lanes, self.mask = was
        return out

    # ------------------------------------------------------------- memory

    def load(self, s: Load) -> None:
        k = self.k
        again = read_again(self, s)
        if again is not None:
            self.values[s.name] = again
            return
        base, at = self.pointers[s.buf], self.offset(s.buf, s.index)
        where = None if s.where is None else self.operand(s.where)
        other = k.const(s.other, s.dtype)
        if not isinstance(at, Ramp) and (isinstance(at, int) or at.lanes == 1):
            self.values[s.name] = self.load_one(base, k.index(at), where, other)
            return
        mask = self.where_mask(where)
        if isinstance(at, Ramp) and at.stride == 1:
            x = k.load(base, k.index(at.base), s.dtype, self.lanes, mask)
        elif isinstance(at, Ramp) and at.stride == -1:
            first = k.index(at.base) - (self.lanes - 1)
            x = self.reverse(k.load(base, first, s.dtype, self.lanes, self.reverse(mask)))
        elif where is None or s.dtype.size >= 4:
            self.say_index(s, at)
            x = k.gather(base, self.vector(at), s.dtype, mask)
        else:
            self.say_index(s, at)
            x = self.gather_small(base, self.vector(at), s.dtype, mask)
        self.values[s.name] = x if where is None else k.select(where, x, other)

    def say_index(self, s: Load | Store, at: Index) -> None:
        """Elements that lie apart: at even steps, or at places that data or a division decides."""
        if isinstance(at, Ramp) and isinstance(at.stride, int):
            self.say("steps", s, s.buf, least=at.stride)
        else:
            self.say("gather" if isinstance(s, Load) else "scatter", s, s.buf)

    def load_one(self, base: Any, at: V, where: V | None, other: V) -> V:
        """The same element in all lanes, read where a lane wants it."""
        k, dtype = self.k, other.dtype
        if where is None:
            return k.load(base, at, dtype)
        wanted = self.any(where if where.lanes == 1 else self.where_mask(where) or where)
        x = k.choose(wanted, lambda: [k.load(base, at, dtype)], lambda: [other])[0]
        return k.select(where, self.wide(x), self.wide(other)) if where.lanes > 1 else x

    def gather_small(self, base: Any, at: V, dtype: DType, mask: V | None) -> V:
        """`Fn.gather` of narrow elements where perhaps no lane may be read."""
        k, n = self.k, at.lanes
        mask = mask or k.const(True, bool_, n)
        ps, t = self.addresses(base, at, dtype), memory_type(dtype, n)
        args = [ps, ir.Constant(i32, dtype.size), mask.ll, zero(t)]
        ll = k.call_intrinsic("llvm.masked.gather", [t, ps.type], t, args)
        return k._from_memory(ll, dtype, n)

    def addresses(self, base: Any, at: V, dtype: DType) -> Any:
        ps = self.k.b.gep(base, [at.ll], source_etype=memory_type(dtype))
        ps.type = ir.VectorType(ptr, at.lanes)
        return ps

    def where_mask(self, where: V | None) -> V | None:
        """The lanes that are on and where `where` holds; None means all."""
        if where is None:
            return self.mask
        where = self.wide(where)
        return where if self.mask is None else where & self.mask

    def reverse(self, x: Any) -> Any:
        return None if x is None else self.k.shuffle(x, None, range(x.lanes)[::-1])

    def store(self, s: Store) -> None:
        k = self.k
        base, at = self.pointers[s.buf], self.offset(s.buf, s.index)
        x = self.operand(s.value)
        where = None if s.where is None else self.operand(s.where)
        self.noted, self.small = s.buf in self.watch, s.buf in self.watch.small
        ramp = at if isinstance(at, Ramp) else None
        if s is self.streaming and self.mask is None and ramp is not None:
            self.put_stream(base, k.index(ramp.base), self.wide(x))
        elif self.lanes == 1:
            with self.only_where(where):
                self.put_one(base, k.index(self.scalar_of(at)), x, s.mode)
        elif ramp is not None and isinstance(ramp.stride, int):
            if ramp.stride not in (1, -1):
                self.say_index(s, ramp)
            self.put_ramp(base, ramp, self.wide(x), self.where_mask(where), s.mode)
        else:
            self.say("each", s, s.buf)
            self.put_each(base, self.vector(at), self.wide(x), self.where_mask(where), s.mode)

    @contextmanager
    def only_where(self, where: V | None) -> Iterator[None]:
        if where is None:
            yield
        else:
            with self.k.if_(where):
                yield

    def put_one(self, base: Any, at: V, x: V, mode: str) -> None:
        k = self.k
        x = x if mode == "set" else k.load(base, at, x.dtype) + x
        self.note(x)
        k.store(base, at, x)

    def note(self, x: V, mask: V | None = None) -> None:
        """Look at what is stored, where the buffer is one of `watch`."""
        if self.noted:
            self.k.look(x, mask, self.small)

    def put_ramp(self, base: Any, at: Ramp, x: V, mask: V | None, mode: str) -> None:
        """Store to evenly spaced elements, all different."""
        k = self.k
        if at.stride in (1, -1):
            first = k.index(at.base)
            if at.stride == -1:
                first, x, mask = first - (self.lanes - 1), self.reverse(x), self.reverse(mask)
            if mode == "add":
                x = k.load(base, first, x.dtype, self.lanes, mask) + x
            self.note(x, mask)
            k.store(base, first, x, mask)
            return
        where = self.vector(at)
        if mode == "add":
            x = self.gather_small(base, where, x.dtype, mask) + x
        self.note(x, mask)
        ps, t = self.addresses(base, where, x.dtype), memory_type(x.dtype, x.lanes)
        mask = mask or k.const(True, bool_, x.lanes)
        args = [k._to_memory(x), ps, ir.Constant(i32, x.dtype.size), mask.ll]
        k.call_intrinsic_void("llvm.masked.scatter", [t, ps.type], args)

    def put_stream(self, base: Any, at: V, x: V) -> None:
        """Store a vector past the cache; `vectors` has found a start that is aligned."""
        k = self.k
        self.note(x)
        p = k.b.gep(base, [at.ll], source_etype=memory_type(x.dtype), name="al64")
        store = k.b.store(k._to_memory(x), p, align=STREAM_ALIGN)
        store.set_metadata("nontemporal", k.module.add_metadata([ir.Constant(i32, 1)]))

    def put_each(self, base: Any, at: V, x: V, mask: V | None, mode: str) -> None:
        """Store lane by lane in order: elements may repeat."""
        k = self.k
        with k.loop(0, self.lanes) as p:
            lane = k.cast(p.i, int32) & (self.lanes - 1)  # for the eyes of the checker (C12)
            on = None if mask is None else k.extract(mask, lane)
            with self.only_where(on):
                self.put_one(base, k.extract(at, lane), k.extract(x, lane), mode)


LEAST_STREAMED = 48  # elements of a row from which on some of its lines are whole
CROWD = 8  # reductions in a kernel from which on their loops are not unrolled


_EMIT: dict[type, Callable[[Walk, Any], None]] = {
    Let: Walk.let, Load: Walk.load, Store: Walk.store, Check: Walk.check, Alloc: Walk.alloc,
    Loop: Walk.loop, Reduce: reduce, Scan: scan, Repeat: repeat,
    Template: Walk.template,
}  # fmt: skip
