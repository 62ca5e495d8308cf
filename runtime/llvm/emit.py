"""Typed values and structured control flow over llvmlite: the one emitter of native code.

A `Fn` builds one function. A `V` is a value of it: a scalar, or a vector of `lanes`
elements, of an element type from `graphc.ir.dtypes`. Arithmetic on `V` means the graph's
arithmetic: integers wrap, sums are in the order written, no fast-math flag exists.
Loops are context managers whose state is explicit, so phi nodes appear here only.
The codegen rules C1 to C16 hold here; nothing else writes LLVM instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.arithmetic import Arithmetic
from graphc.runtime.llvm.entry import NOT_FINITE
from graphc.runtime.llvm.numbers import Numbers
from graphc.runtime.llvm.values import (
    V,
    i8,
    i32,
    i64,
    llvm_type,
    memory_type,
    ptr,
    zero,
)
from graphc.runtime.llvm.watch import NOTHING, least

__all__ = ["Carry", "Fn"]


class Carry:
    """The state of a loop: `i` and `carry` inside it, `results` after it."""

    __slots__ = ("_next", "carry", "i", "results")

    def __init__(self, i: V, carry: list[V]) -> None:
        self.i = i
        self.carry = carry
        self.results = carry
        self._next: list[V] | None = None

    def next(self, values: Sequence[V]) -> None:
        """Give the carried values of the next iteration."""
        self._next = list(values)


class _Names:
    """Names of the values of a function: most have none, and take the next number.

    llvmlite looks each of them up among all there are: a tenth of the time of emission.
    """

    __slots__ = ("count", "given")

    def __init__(self, given: Any) -> None:
        self.given = given
        self.count = int(given.register("", deduplicate=True)[1:])  # as ".5"

    def register(self, name: str, deduplicate: bool = False) -> str:
        if name:
            return str(self.given.register(name, deduplicate))
        self.count += 1
        return f".{self.count}"


class Fn(Arithmetic):
    """One LLVM function under construction.

    Parameters
    ----------
    module : ir.Module
        Where the function is added.
    name : str
        Its symbol.
    params : sequence of LLVM types
    ret : LLVM type
        `i32` for kernels (the status), `void` for helpers.
    """

    has_avx512 = False  # whether vectors have 64 bytes and AVX-512's instructions are used

    def __init__(
        self,
        module: ir.Module,
        name: str,
        params: Sequence[ir.Type],
        ret: ir.Type = i32,
        *,
        linkage: str = "",
    ) -> None:
        self.module = module
        self.func = ir.Function(module, ir.FunctionType(ret, list(params)), name)
        self.func.linkage = linkage
        self.func.attributes.add("nounwind")
        self.func.scope = _Names(self.func.scope)
        self.entry = self.func.append_basic_block("entry")
        self.b = ir.IRBuilder(self.entry)
        #: With it, instructions know what they are made for (`trail`): only code that is looked at.
        self.trail: Any = getattr(module, "trail", None)
        if self.trail is not None:
            self.trail.enter(self)
        self.args = list(self.func.args)
        self.numbers = Numbers(self)
        #: Where stored floats are looked at: the largest exponents so far, by type and lanes.
        self.watched: dict[tuple[DType, int, bool], Any] | None = None
        self.sought = NOTHING

    def plain(self) -> None:
        """Have LLVM make the function one instruction by instruction, in a third of the time.

        For what runs seldom beside what it calls.
        """
        for word in ("noinline", "optnone"):
            self.func.attributes.add(word)

    # ------------------------------------------------------------- memory

    def element_ptr(self, base: Any, offset: V | int, dtype: DType) -> Any:
        """The address of element `offset` (in elements) of an array of `dtype` at `base`."""
        return self.b.gep(base, [self.index(offset).ll], source_etype=memory_type(dtype))

    def load(
        self,
        base: Any,
        offset: V | int,
        dtype: DType,
        lanes: int = 1,
        mask: V | None = None,
        align: int | None = None,
    ) -> V:
        """`lanes` consecutive elements; with `mask`, lanes that are off read nothing and give 0."""
        p = self.element_ptr(base, offset, dtype)
        t = memory_type(dtype, lanes)
        align = align or dtype.size
        if mask is not None and lanes > 1:
            args = [p, ir.Constant(i32, align), mask.ll, zero(t)]
            ll = self.call_intrinsic("llvm.masked.load", [t, ptr], t, args)
        else:
            ll = self.b.load(p, align=align, typ=t)
        return self._from_memory(ll, dtype, lanes)

    def gather(self, base: Any, offsets: V, dtype: DType, mask: V | None = None) -> V:
        """Elements at a vector of offsets, lane by lane."""
        n = offsets.lanes
        if n == 1:
            return self.load(base, offsets, dtype)
        if dtype.size >= 4:
            mask = mask or self.const(True, dtypes.bool_, n)
            ps = self.b.gep(base, [offsets.ll], source_etype=memory_type(dtype))
            ps.type = ir.VectorType(ptr, n)
            tv = ir.VectorType(memory_type(dtype), n)
            args = [ps, ir.Constant(i32, dtype.size), mask.ll, zero(tv)]
            ll = self.call_intrinsic("llvm.masked.gather", [tv, ps.type], tv, args)
            return self._from_memory(ll, dtype, n)
        if mask is not None:
            offsets = self.select(mask, offsets, self.like(0, offsets))
        out = V(self, zero(llvm_type(dtype, n)), dtype, n)
        for k in range(n):
            out = self.insert(out, self.load(base, self.extract(offsets, k), dtype), k)
        return out

    def store(
        self, base: Any, offset: V | int, x: V, mask: V | None = None, align: int | None = None
    ) -> None:
        """Write consecutive elements; with `mask` only the lanes that are on."""
        p = self.element_ptr(base, offset, x.dtype)
        ll = self._to_memory(x)
        t = memory_type(x.dtype, x.lanes)
        align = align or x.dtype.size
        if mask is not None and x.lanes > 1:
            self.call_intrinsic_void(
                "llvm.masked.store", [t, p.type], [ll, p, ir.Constant(i32, align), mask.ll]
            )
        else:
            self.b.store(ll, p, align=align)

    def call_intrinsic_void(
        self, name: str, overload: Sequence[ir.Type], args: Sequence[Any]
    ) -> None:
        self.call_intrinsic(name, overload, ir.VoidType(), args)

    def _from_memory(self, ll: Any, dtype: DType, lanes: int) -> V:
        if dtype.kind == "b":
            none = zero(ll.type) if lanes > 1 else ir.Constant(i8, 0)
            return V(self, self.b.icmp_unsigned("!=", ll, none), dtype, lanes)
        if dtype.code == "bf16":
            u = V(self, ll, dtypes.uint16, lanes)
            return V(
                self,
                self.bitcast(self.shl(self.cast(u, dtypes.uint32), 16), dtypes.float32).ll,
                dtype,
                lanes,
            )
        return V(self, ll, dtype, lanes)

    def _to_memory(self, x: V) -> Any:
        if x.dtype.kind == "b":
            return self.b.zext(x.ll, memory_type(x.dtype, x.lanes))
        if x.dtype.code == "bf16":
            u = self.bitcast(V(self, x.ll, dtypes.float32, x.lanes), dtypes.uint32)
            return self.cast(self.shr(u, 16), dtypes.uint16).ll
        return x.ll

    def read_ptr(self, table: Any, slot: int | V) -> Any:
        """The pointer in slot `slot` of a table of pointers."""
        p = self.b.gep(table, [self.index(slot).ll], source_etype=i64)
        return self.b.load(p, align=8, typ=ptr)

    def read_i64(self, table: Any, slot: int | V) -> V:
        """The i64 in slot `slot` of a table of words."""
        p = self.b.gep(table, [self.index(slot).ll], source_etype=i64)
        return V(self, self.b.load(p, align=8, typ=i64), dtypes.int64)

    # ------------------------------------------------------------- control flow

    @contextmanager
    def loop(
        self, start: int | V, stop: int | V, step: int | V = 1, carry: Sequence[V] = ()
    ) -> Iterator[Carry]:
        """``for i in range(start, stop, step)`` with explicit state; no trip comes first (C15)."""
        start, stop, step = self.index(start), self.index(stop), self.index(step)
        before = self.b.block
        head = self.func.append_basic_block("loop")
        body = self.func.append_basic_block("body")
        done = self.func.append_basic_block("done")
        self.b.branch(head)
        self.b.position_at_end(head)
        phi = self.b.phi(i64)
        phi.add_incoming(start.ll, before)
        states = []
        for c in carry:
            s = self.b.phi(c.ll.type)
            s.add_incoming(c.ll, before)
            states.append(s)
        self.b.cbranch(self.b.icmp_signed("<", phi, stop.ll), body, done)
        self.b.position_at_end(body)
        p = Carry(
            V(self, phi, dtypes.int64),
            [V(self, s, c.dtype, c.lanes) for s, c in zip(states, carry, strict=True)],
        )
        yield p
        if states and p._next is None:
            raise ValueError("a loop with carried values must call next()")
        phi.add_incoming(self.b.add(phi, step.ll), self.b.block)
        for s, v in zip(states, p._next or [], strict=True):
            s.add_incoming(v.ll, self.b.block)
        self.b.branch(head)
        self.b.position_at_end(done)

    def align_stack(self) -> None:
        """Keep vectors that find no register at addresses that lie in one line of the cache.

        LLVM leaves the stack at multiples of 16 bytes otherwise, and reading back what was just
        written across two lines waits for both (measured: a loop with 15 of them took twice
        the time).
        """
        set.add(self.func.attributes, '"stackrealign"')  # llvmlite's own list is of keywords

    def aside(self, build: Callable[[], object]) -> list[Any] | None:
        """The instructions that `build` adds, which become no part of the function.

        None when they branch.
        """
        before, blocks = self.b.block, len(self.func.blocks)
        block = ir.Block(self.func, "aside")
        self.b.position_at_end(block)
        build()
        straight = self.b.block is block
        del self.func.blocks[blocks:]
        self.b.position_at_end(before)
        return list(block.instructions) if straight else None

    def repeat(
        self,
        start: Sequence[V],
        limit: int,
        test: Callable[[list[V]], V],
        step: Callable[[list[V]], Sequence[V]],
    ) -> tuple[list[V], V]:
        """While `test(values)` holds, but at most `limit` times: ``values = step(values)``.

        The last values, and what `test` said of them.
        """
        before = self.b.block
        head = self.func.append_basic_block("repeat")
        body = self.func.append_basic_block("again")
        done = self.func.append_basic_block("stop")
        self.b.branch(head)
        self.b.position_at_end(head)
        count = self.b.phi(i64)
        count.add_incoming(ir.Constant(i64, 0), before)
        states = []
        for c in start:
            s = self.b.phi(c.ll.type)
            s.add_incoming(c.ll, before)
            states.append(s)
        values = [V(self, s, c.dtype, c.lanes) for s, c in zip(states, start, strict=True)]
        go = test(values)
        more = self.b.icmp_signed("<", count, ir.Constant(i64, limit))
        self.b.cbranch(self.b.and_(go.ll, more), body, done)
        self.b.position_at_end(body)
        after = step(values)
        count.add_incoming(self.b.add(count, ir.Constant(i64, 1)), self.b.block)
        for s, v in zip(states, after, strict=True):
            s.add_incoming(v.ll, self.b.block)
        self.b.branch(head)
        self.b.position_at_end(done)
        return values, go

    @contextmanager
    def if_(self, cond: V) -> Iterator[None]:
        """Statements that run when the scalar `cond` holds."""
        then = self.func.append_basic_block("then")
        end = self.func.append_basic_block("end")
        self.b.cbranch(cond.ll, then, end)
        self.b.position_at_end(then)
        yield
        if not self.b.block.is_terminated:
            self.b.branch(end)
        self.b.position_at_end(end)

    def choose(
        self, cond: V, then: Callable[[], Sequence[V]], other: Callable[[], Sequence[V]]
    ) -> list[V]:
        """Values of `then()` or `other()`; only the taken side runs."""
        yes = self.func.append_basic_block("yes")
        no = self.func.append_basic_block("no")
        end = self.func.append_basic_block("join")
        self.b.cbranch(cond.ll, yes, no)
        self.b.position_at_end(yes)
        a = list(then())
        a_end = self.b.block
        self.b.branch(end)
        self.b.position_at_end(no)
        c = list(other())
        c_end = self.b.block
        self.b.branch(end)
        self.b.position_at_end(end)
        out = []
        for x, y in zip(a, c, strict=True):
            phi = self.b.phi(x.ll.type)
            phi.add_incoming(x.ll, a_end)
            phi.add_incoming(y.ll, c_end)
            out.append(V(self, phi, x.dtype, x.lanes))
        return out

    @contextmanager
    def hoisted(self) -> Iterator[None]:
        """Build at the end of the entry block (for constants that all loops share)."""
        here = self.b.block
        if self.entry.is_terminated:
            self.b.position_before(self.entry.terminator)
        else:
            self.b.position_at_end(self.entry)
        yield
        self.b.position_at_end(here)

    def stack(self, dtype: DType, count: int) -> Any:
        """A fixed array on the stack, in the entry block, at most 4 kB (rule C10)."""
        if dtype.size * count > 4096:
            raise ValueError("more than 4 kB of stack: take memory from the arena")
        with self.b.goto_entry_block():
            a = self.b.alloca(memory_type(dtype), count)
            a.align = 64
        a.type = ptr  # llvmlite types it as a pointer to one element; vectors go there too
        return a

    # ------------------------------------------------------------- numbers that are none

    def look(self, x: V, mask: V | None = None, small: bool = False) -> None:
        """Remember whether a lane of a stored `x` is too large; `done` says what was seen.

        The bits without the sign are largest where the exponent is all ones: two instructions a
        vector, and a register that the whole kernel keeps.
        """
        if self.watched is None or x.dtype.kind != "f":
            return
        code = "f32" if x.dtype.code == "bf16" else x.dtype.code
        bits = {"f16": dtypes.uint16, "f32": dtypes.uint32, "f64": dtypes.uint64}[code]
        slot = self.watched.get((bits, x.lanes, small))
        if slot is None:
            t = llvm_type(bits, x.lanes)
            with self.b.goto_entry_block():
                slot = self.b.alloca(t)
                self.b.store(self.const(0, bits, x.lanes).ll, slot, align=bits.size)
            self.watched[bits, x.lanes, small] = slot
        old = V(self, self.b.load(slot, align=bits.size, typ=slot.allocated_type), bits, x.lanes)
        new = self.bitcast(x, bits) & (2 ** (8 * bits.size - 1) - 1)
        if mask is not None and mask.lanes == x.lanes:
            new = self.select(mask, new, self.like(0, new))
        most = self.select(self.cmp("<", old, new), new, old)
        self.b.store(most.ll, slot, align=bits.size)

    def done(self) -> None:
        """End a kernel: it returns, or says in a byte, that `look` saw what it should not."""
        for (bits, lanes, small), slot in (self.watched or {}).items():
            ll = self.b.load(slot, align=bits.size, typ=slot.allocated_type)
            most = V(self, ll, bits, lanes)
            bad = self.cmp("<=", self.like(least(8 * bits.size, small), most), most)
            if lanes > 1:
                ll = self.call_intrinsic(
                    "llvm.vector.reduce.or", [bad.ll.type], ir.IntType(1), [bad.ll]
                )
                bad = V(self, ll, dtypes.bool_)
            with self.if_(bad):
                if self.sought.word:
                    flag = self.read_ptr(self.args[0], self.sought.word)
                    self.b.store(ir.Constant(ir.IntType(8), 1), flag, align=1)
                else:
                    self.ret(NOT_FINITE)
        self.ret(0)

    def ret(self, code: int | V = 0) -> None:
        if isinstance(self.func.function_type.return_type, ir.VoidType):
            self.b.ret_void()
        else:
            self.b.ret(ir.Constant(i32, code) if isinstance(code, int) else code.ll)
