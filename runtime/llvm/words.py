"""What the code of a run is written in: tables of words, variables, loops with exits, atomics."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V, i32, i64, ptr

__all__ = [
    "LINUX", "MOST", "MXCSR", "POSIX", "VOID", "Code", "cost_of", "emit_clock", "get_mxcsr",
    "internal", "put_f64", "read_clock", "set_mxcsr",
]  # fmt: skip

MXCSR = 0x1F80
POSIX = os.name == "posix"  # elsewhere: no threads, and a clock that stands still
LINUX = sys.platform.startswith("linux")
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_ARM = platform.machine().lower() in ("arm64", "aarch64")
MOST = 2**63 - 1
VOID = ir.VoidType()


class _Var:
    """A local variable (a stack slot that LLVM turns into registers)."""

    def __init__(self, code: Code, value: V | int) -> None:
        self.code = code
        first = code.index(value)
        self.dtype = first.dtype
        with code.b.goto_entry_block():
            self.slot = code.b.alloca(first.ll.type)
        self.set(first)

    def get(self) -> V:
        ll = self.code.b.load(self.slot, typ=self.slot.allocated_type)
        return V(self.code, ll, self.dtype)

    def set(self, value: V | int) -> None:
        self.code.b.store(self.code.index(value).ll, self.slot)


class _FnPointer(ir.PointerType):  # type: ignore[misc]
    """A plain pointer that llvmlite lets us call."""

    pointee: ir.FunctionType


class Code(Fn):
    """`Fn` with what runtime code needs: tables of words, variables, loops with exits, atomics."""

    def __init__(
        self, module: ir.Module, name: str, params: Sequence[ir.Type], ret: ir.Type,
        plain: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(module, name, params, ret)
        self.func.attributes.add("uwtable")  # CPython ends a daemon thread by unwinding it
        if plain:
            self.plain()
        self._exits: list[Any] = []

    def arg(self, k: int) -> V:
        return V(self, self.args[k], dtypes.int64)

    def at(self, base: Any, k: int | V) -> Any:
        return self.b.gep(base, [self.index(k).ll], source_etype=i64)

    def bytes_at(self, base: Any, k: int) -> Any:
        return self.b.gep(base, [ir.Constant(i64, k)], source_etype=ir.IntType(8))

    def put(self, base: Any, k: int | V, value: V | int) -> None:
        self.b.store(self.index(value).ll, self.at(base, k), align=8)

    def put_ptr(self, base: Any, k: int | V, value: Any) -> None:
        self.b.store(value, self.at(base, k), align=8)

    def read_f64(self, base: Any, k: int) -> V:
        return V(self, self.b.load(self.at(base, k), align=8, typ=ir.DoubleType()), dtypes.float64)

    def rmw(self, op: str, base: Any, k: int, value: V | int) -> V:
        r = self.b.atomic_rmw(op, self.at(base, k), self.index(value).ll, "seq_cst")
        return V(self, r, dtypes.int64)

    def watch(self, base: Any, k: int) -> V:
        """A sequentially consistent load."""
        r = self.b.load_atomic(self.at(base, k), "seq_cst", 8, typ=i64)
        return V(self, r, dtypes.int64)

    def swap_if(self, base: Any, k: int, old: V | int, new: V | int) -> V:
        pair = self.b.cmpxchg(
            self.at(base, k), self.index(old).ll, self.index(new).ll, "seq_cst", "seq_cst"
        )
        return V(self, self.b.extract_value(pair, 1), dtypes.bool_)

    def var(self, value: V | int) -> _Var:
        return _Var(self, value)

    def is_null(self, p: Any) -> V:
        return V(self, self.b.icmp_unsigned("==", p, ir.Constant(ptr, None)), dtypes.bool_)

    def differ(self, p: Any, q: Any) -> V:
        return V(self, self.b.icmp_unsigned("!=", p, q), dtypes.bool_)

    def call_ptr(self, p: Any, ret: ir.Type, args: Sequence[Any]) -> Any:
        lls = [a.ll if isinstance(a, V) else a for a in args]
        p.type = _FnPointer()
        p.type.pointee = ir.FunctionType(ret, [a.type for a in lls])
        return self.b.call(p, lls)

    @contextmanager
    def forever(self) -> Iterator[None]:
        """A loop that ends by `leave` (or by returning)."""
        body = self.func.append_basic_block("repeat")
        done = self.func.append_basic_block("left")
        self._exits.append((done, body))
        self.b.branch(body)
        self.b.position_at_end(body)
        yield
        if not self.b.block.is_terminated:
            self.b.branch(body)
        self._exits.pop()
        self.b.position_at_end(done)

    def leave(self, cond: V) -> None:
        """Leave the innermost `forever` when `cond` holds."""
        self._branch(cond, self._exits[-1][0])

    def again(self, cond: V) -> None:
        """Go to the start of the innermost `forever` when `cond` holds."""
        self._branch(cond, self._exits[-1][1])

    def _branch(self, cond: V, target: Any) -> None:
        on = self.func.append_basic_block("on")
        self.b.cbranch(cond.ll, target, on)
        self.b.position_at_end(on)

    def pause(self) -> None:
        """Tell the core that this is a spin loop."""
        if _X86:
            self.extern("llvm.x86.sse2.pause", ir.VoidType(), [])
        elif _ARM:
            self.extern("llvm.aarch64.hint", ir.VoidType(), [ir.Constant(i32, 1)])

    def cold(self, cond: V) -> V:
        """`cond`, which is expected to be false."""
        f, t = ir.Constant(ir.IntType(1), 0), ir.IntType(1)
        r = self.call_intrinsic("llvm.expect", [t], t, [cond.ll, f])
        return V(self, r, dtypes.bool_)


def internal(c: Code, *, inline: bool = False) -> Code:
    c.func.linkage = "internal"
    if inline:
        c.func.attributes.add("alwaysinline")
    return c


def emit_clock(m: ir.Module) -> Any:
    """`i64 now()`: nanoseconds of a clock that never goes back."""
    c = internal(Code(m, "now", [], i64))
    r = c.index(0)
    if POSIX:
        t = c.stack(dtypes.int64, 2)
        c.extern("clock_gettime", i32, [ir.Constant(i32, int(time.CLOCK_MONOTONIC)), t])
        r = c.read_i64(t, 0) * 10**9 + c.read_i64(t, 1)
    c.ret(r)
    return c.func


def read_clock(c: Code, now: Any) -> V:
    return V(c, c.call_fn(now, []), dtypes.int64)


def cost_of(c: Code, ns: V, units: V) -> V:
    return c.cast(ns, dtypes.float64) / c.cast(units, dtypes.float64)


def put_f64(c: Code, base: Any, k: int, value: V) -> None:
    c.b.store(value.ll, c.at(base, k), align=8)


def set_mxcsr(c: Code, value: V | int) -> None:
    if _X86:
        slot = c.stack(dtypes.int32, 1)
        v = c.const(value, dtypes.int32) if isinstance(value, int) else value
        c.b.store(v.ll, slot, align=4)
        c.extern("llvm.x86.sse.ldmxcsr", VOID, [slot])


def get_mxcsr(c: Code) -> V:
    if not _X86:
        return c.const(MXCSR, dtypes.int32)
    slot = c.stack(dtypes.int32, 1)
    c.extern("llvm.x86.sse.stmxcsr", VOID, [slot])
    return V(c, c.b.load(slot, align=4, typ=i32), dtypes.int32)
