"""Kernels to LLVM: loops become vector loops, sums get their fixed order, indices become ramps.

`emit_kernel` walks the statements of a kernel once. Loops that are `vector` run their body
twice over: full vectors, then a masked remainder, both from the same statements (rule C13).
An index in a vector loop is mostly a ramp, a scalar with a constant step from lane to lane,
so that loads and stores are those of whole vectors; where it is not, they gather and scatter.

The order of a float sum (rule C8) is the same at each vector width, unrolling and number of
threads. Lanes along the summed axis: element j goes to slot j mod 128 (8 vectors of 16) of
its block of 4096; a block's slots are summed by a tree to 16 lanes, the blocks' vectors by a
compensated sum, the 16 lanes by a tree. Lanes along another axis, or none: 16 elements in
order, these groups by a compensated sum. Both stay below (4 + 2 log2 n) eps of the sum of
absolute values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Func, Symbol, minimum, product
from graphc.ir.dtypes import DType
from graphc.ir.kernel import (
    BLOCK, Alloc, Buffer, Check, Epilogue, Kernel, Let, Literal, Load, Loop, Operand, Reduce,
    Scan, Stmt, Store, Template, Value, bodies, indices, operands, scratch_stride,
)  # fmt: skip
from graphc.runtime.llvm.emit import Fn, V, llvm_type, memory_type, ptr
from llvmlite import ir

__all__ = ["Index", "Ramp", "ScalarTable", "TemplateTable", "Walk", "emit_kernel"]

i32, i64 = ir.IntType(32), ir.IntType(64)
int64, int32, bool_ = dtypes.int64, dtypes.int32, dtypes.bool_

ScalarTable = Mapping[str, Callable[..., V]]
TemplateTable = Mapping[str, Callable[["Walk", Template], None]]

SLOTS = 8  # vectors of 16 lanes that a vector reduction keeps apart
SUM_LANES = 16
SUM_BLOCK = 4096  # elements summed in slots before the compensated sum takes them
SUM_RUN = 16  # elements summed in order before the compensated sum takes them
_LARGEST = (1 << 63) - 1


class Ramp:
    """An index that steps evenly from lane to lane: `base + lane * stride`."""

    __slots__ = ("base", "stride")

    def __init__(self, base: int | V, stride: int | V) -> None:
        self.base = base
        self.stride = stride


Index = int | V | Ramp
"""An index expression's value: a number, an i64 scalar or vector, or a ramp over the lanes."""


def emit_kernel(
    module: ir.Module,
    kernel: Kernel,
    name: str,
    scalar: ScalarTable,
    templates: TemplateTable | None = None,
    *,
    function: Callable[..., Fn] = Fn,
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
    """
    k = function(module, name, [ptr, i64, i64, i64])
    args, begin, end, worker = k.args
    w = Walk(k, kernel, scalar, templates or {}, args, V(k, worker, int64))
    w.run(V(k, begin, int64), V(k, end, int64))
    k.ret(0)
    return k.func


class Walk:
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
        k, loop = self.k, self.kernel.parallel
        if loop is None:
            with k.if_((begin <= 0) & (end > 0)):
                self.body(self.kernel.body)
            return
        with k.if_(begin < end):
            self.body(self.kernel.body[:-1])
            before, inside = self.split(loop.body, loop.var)
            if loop.kind == "parallel":
                self.body(before)
                with k.loop(begin, end) as p:
                    self.symbols[Symbol(loop.var)] = p.i
                    self.body(inside)
            else:
                block = loop.block or BLOCK
                stop = end * block
                n = self.uniform(loop.extent)
                stop = k.select(stop < n, stop, n)
                with k.if_(begin * block < stop):
                    self.body(before)
                    self.vectors(loop, inside, begin * block, stop)

    def body(self, body: Sequence[Stmt]) -> None:
        for s in body:
            _EMIT[type(s)](self, s)

    def split(self, body: Sequence[Stmt], var: str) -> tuple[list[Stmt], list[Stmt]]:
        """The statements of a loop over `var` that do not depend on it, and the others.

        Inputs keep their value during a kernel, so that their loads may move up to the place
        where the loop is known to run at all; LLVM cannot know this.
        """
        local = {var}
        before: list[Stmt] = []
        inside: list[Stmt] = []
        for s in body:
            if isinstance(s, Let | Load) and local.isdisjoint(_names(s)):
                if isinstance(s, Let) or self.buffers[s.buf].direction == "in":
                    before.append(s)
                    continue
            inside.append(s)
            local |= _results(s)
        return before, inside

    @contextmanager
    def vector_context(self, var: str, index: Index, lanes: int, mask: V | None) -> Iterator[None]:
        """Statements built inside run in `lanes` lanes."""
        was = self.lanes, self.mask
        self.lanes, self.mask = lanes, mask
        self.symbols[Symbol(var)] = index
        yield
        self.lanes, self.mask = was

    def loop(self, s: Loop) -> None:
        if isinstance(s.extent, int) and s.extent <= 0:
            return
        k = self.k
        before, inside = self.split(s.body, s.var)
        n = self.uniform(s.extent)
        with self.guard(s.extent, n, before):
            self.body(before)
            if s.kind == "vector":
                self.vectors(s, inside, k.index(0), n)
                return
            with k.loop(0, n) as p:
                self.symbols[Symbol(s.var)] = p.i
                self.body(inside)

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
        lanes, unroll = _width(s, inside)
        wide = lanes * unroll
        static = isinstance(s.extent, int) and s.kind == "vector"
        count = s.extent if isinstance(s.extent, int) else 0
        full = start + (stop - start) // wide_(k, wide) if False else self.whole(start, stop, wide)
        if not static or count >= wide:
            with k.loop(start, full, wide) as p:
                with self.vector_context(s.var, Ramp(p.i, 1), wide, None):
                    self.body(inside)
        if not static or count % wide:
            with k.loop(full, stop, lanes) as p:
                with self.vector_context(s.var, Ramp(p.i, 1), lanes, self.first(stop - p.i, lanes)):
                    self.body(inside)

    def whole(self, start: V, stop: V, wide: int) -> V:
        """The end of the whole vectors between `start` and `stop` (`wide` is a power of 2)."""
        return start + ((stop - start) & -wide)

    def first(self, count: V, lanes: int) -> V:
        """The mask of the first `count` lanes (count >= 1)."""
        k = self.k
        some = k.cast(k.select(count < lanes, count, k.index(lanes)), int32)
        return k.lane_ids(lanes, int32) < k.splat(some, lanes)
