"""Arithmetic on the values of a function under construction, and calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.numbers import Numbers, known
from graphc.runtime.llvm.values import (
    ConstantVector,
    V,
    i32,
    llvm_type,
    mask_of,
    splat_of,
    zero,
)

__all__ = ["Arithmetic"]


class Arithmetic:
    """What `Fn` computes with: constants, conversions, operators, intrinsics, C functions."""

    module: ir.Module
    b: ir.IRBuilder
    numbers: Numbers

    # ------------------------------------------------------------- constants and conversion

    def const(self, value: Any, dtype: DType, lanes: int = 1) -> V:
        """A constant of `dtype`; floats keep their exact value, infinities and NaN included."""
        t = llvm_type(dtype)
        if dtype.kind == "f":
            number = float(np.float32(value)) if dtype.code in ("f32", "bf16") else float(value)
            c = ir.Constant(t, number)
            c.number = number
        elif dtype.kind == "b":
            c = ir.Constant(t, int(bool(value)))
        else:
            c = ir.Constant(t, int(value))
        if lanes > 1:
            c = splat_of(c, lanes)
        return V(self, c, dtype, lanes)

    def index(self, value: int | V) -> V:
        """An i64 scalar from a Python int (or itself)."""
        return value if isinstance(value, V) else self.const(value, dtypes.int64)

    def like(self, value: Any, other: V) -> V:
        """`value` with the type and lanes of `other` (a V is splatted when it must be)."""
        if isinstance(value, V):
            return self.splat(value, other.lanes)
        return self.const(value, other.dtype, other.lanes)

    def wrap(self, ll: Any, dtype: DType, lanes: int = 1) -> V:
        return V(self, ll, dtype, lanes)

    def splat(self, x: V, lanes: int) -> V:
        """A vector all of whose elements are the scalar `x`."""
        if x.lanes == lanes:
            return x
        if x.lanes != 1:
            raise ValueError(f"cannot splat {x.lanes} lanes to {lanes}")
        t = llvm_type(x.dtype, lanes)
        if isinstance(x.ll, ir.Constant):
            return V(self, splat_of(x.ll, lanes), x.dtype, lanes)
        one = self.b.insert_element(zero(t), x.ll, ir.Constant(i32, 0))
        mask = mask_of((0,) * lanes)
        return V(self, self.b.shuffle_vector(one, zero(t), mask), x.dtype, lanes)

    def lane_ids(self, lanes: int, dtype: DType = dtypes.int64) -> V:
        """The vector (0, 1, 2, …)."""
        t = llvm_type(dtype)
        if lanes == 1:
            return self.const(0, dtype)
        items = [ir.Constant(t, k).get_reference() for k in range(lanes)]
        return V(self, ConstantVector(t, items), dtype, lanes)

    def extract(self, x: V, lane: int | V) -> V:
        if x.lanes == 1:
            return x
        at = ir.Constant(i32, lane) if isinstance(lane, int) else self.b.trunc(lane.ll, i32)
        return V(self, self.b.extract_element(x.ll, at), x.dtype)

    def insert(self, x: V, e: V, lane: int | V) -> V:
        if x.lanes == 1:
            return e
        at = ir.Constant(i32, lane) if isinstance(lane, int) else self.b.trunc(lane.ll, i32)
        return V(self, self.b.insert_element(x.ll, e.ll, at), x.dtype, x.lanes)

    def shuffle(self, x: V, y: V | None, lanes: Sequence[int]) -> V:
        """Lanes of `x` followed by `y`, by number."""
        if y is None:
            y = V(self, zero(llvm_type(x.dtype, x.lanes)), x.dtype, x.lanes)
        mask = mask_of(tuple(lanes))
        return V(self, self.b.shuffle_vector(x.ll, y.ll, mask), x.dtype, len(lanes))

    def bitcast(self, x: V, dtype: DType) -> V:
        """The same bits as another type of the same size."""
        return V(self, self.b.bitcast(x.ll, llvm_type(dtype, x.lanes)), dtype, x.lanes)

    def cast(self, x: V, dtype: DType) -> V:
        """Convert elements (rules C3 and C16)."""
        s, d = x.dtype, dtype
        if s is d:
            return x
        if d.kind == "b":
            return self.cmp("!=", x, self.like(0, x))
        if "bf16" in (s.code, d.code):  # computed in float32
            if s.code == "bf16":
                return self.cast(V(self, x.ll, dtypes.float32, x.lanes), d)
            return V(self, self._round_bf16(self.cast(x, dtypes.float32)).ll, d, x.lanes)
        if s.code == "f16" and d.kind != "f":
            x, s = self.cast(x, dtypes.float32), dtypes.float32
        return V(self, self._convert(x, s, d), d, x.lanes)

    def _convert(self, x: V, s: DType, d: DType) -> Any:
        """The instruction that converts `s` to `d`, neither bfloat16, `d` not bool."""
        b, t = self.b, llvm_type(d, x.lanes)
        if d.kind == "f":
            if s.kind == "f":
                return b.fpext(x.ll, t) if d.size > s.size else b.fptrunc(x.ll, t)
            return b.uitofp(x.ll, t) if s.kind in "ub" else b.sitofp(x.ll, t)
        if s.kind == "f":
            name = "llvm.fptoui.sat" if d.kind == "u" else "llvm.fptosi.sat"
            return self.call_intrinsic(name, [t, x.ll.type], t, [x.ll])
        if s.kind == "b" or d.size > s.size:
            return b.zext(x.ll, t) if s.kind in "ub" else b.sext(x.ll, t)
        return b.trunc(x.ll, t) if d.size < s.size else x.ll

    def _round_bf16(self, x: V) -> V:
        """Float32 rounded to the nearest bfloat16, ties to even; NaN stays NaN."""
        u = self.bitcast(x, dtypes.uint32)
        odd = self.shr(u, 16) & 1
        r = (u + (odd + 0x7FFF)) & 0xFFFF0000
        quiet = (u & 0xFFFF0000) | 0x00400000
        return self.bitcast(self.select(self.cmp("!=", x, x), quiet, r), dtypes.float32)

    # ------------------------------------------------------------- arithmetic

    def _pair(self, x: V, y: Any) -> tuple[V, V]:
        if not isinstance(y, V):
            return x, self.const(y, x.dtype, x.lanes)
        if x.lanes < y.lanes:
            return self.splat(x, y.lanes), y
        return x, self.splat(y, x.lanes)

    def _arith(self, fop: str, iop: str, x: V, y: Any) -> V:
        x, y = self._pair(x, y)
        if self.numbers.holds(x):
            return self.numbers.arithmetic(iop, x, y)
        r = V(
            self, getattr(self.b, fop if x.dtype.kind == "f" else iop)(x.ll, y.ll), x.dtype, x.lanes
        )
        return (
            V(self, self._round_bf16(V(self, r.ll, dtypes.float32, r.lanes)).ll, x.dtype, x.lanes)
            if x.dtype.code == "bf16"
            else r
        )

    def add(self, x: V, y: Any) -> V:
        return self._arith("fadd", "add", x, y)

    def sub(self, x: V, y: Any) -> V:
        return self._arith("fsub", "sub", x, y)

    def mul(self, x: V, y: Any) -> V:
        return self._arith("fmul", "mul", x, y)

    def fdiv(self, x: V, y: Any) -> V:
        """Float division; integers have `idiv` (rule C1)."""
        x, y = self._pair(x, y)
        if x.dtype.kind != "f":
            raise TypeError("fdiv takes floats")
        return self._arith("fdiv", "fdiv", x, y)

    def neg(self, x: V) -> V:
        if x.dtype.kind == "f":
            return V(self, self.b.fneg(x.ll), x.dtype, x.lanes)
        return self.sub(self.like(0, x), x)

    def fma(self, x: V, y: V, z: V) -> V:
        """x*y + z with one rounding; for formulas that say fma, never as an optimisation."""
        n = max(x.lanes, y.lanes, z.lanes)
        x, y, z = self.splat(x, n), self.splat(y, n), self.splat(z, n)
        return self.call("llvm.fma", x, y, z)

    def idiv(self, x: V, y: V, *, floor: bool) -> V:
        """Integer quotient (rule C1): MIN / -1 wraps, x / 0 is 0 (the caller raises the status)."""
        return self._divide(x, y, floor)[0]

    def imod(self, x: V, y: V, *, floor: bool) -> V:
        """Integer remainder with the sign of the divisor (floor) or of the dividend."""
        return self._divide(x, y, floor)[1]

    def _divide(self, x: V, y: V, floor: bool) -> tuple[V, V]:
        x, y = self._pair(x, y)
        t = x.dtype
        zero, one = self.like(0, x), self.like(1, x)
        bad = y.eq(zero)
        if t.kind == "u":
            d = self.select(bad, one, y)
            q = V(self, self.b.udiv(x.ll, d.ll), t, x.lanes)
            r = V(self, self.b.urem(x.ll, d.ll), t, x.lanes)
            return self.select(bad, zero, q), self.select(bad, zero, r)
        minus = y.eq(-1)
        d = self.select(bad | minus, one, y)
        q = V(self, self.b.sdiv(x.ll, d.ll), t, x.lanes)
        r = V(self, self.b.srem(x.ll, d.ll), t, x.lanes)
        q, r = self.select(minus, self.neg(x), q), self.select(minus, zero, r)
        if floor:
            wrong = r.ne(zero) & ((r ^ y) < zero)
            q, r = self.select(wrong, q - 1, q), self.select(wrong, r + y, r)
        return self.select(bad, zero, q), self.select(bad, zero, r)

    def udiv_index(self, x: V, y: V) -> V:
        """Quotient of checked sizes: `x` >= 0, `y` > 0, both i64."""
        x, y = self._pair(x, y)
        a, b = known(x), known(y)
        if b == 1 or (a is not None and b):
            return x if a is None or b == 1 else self.index(a // b)
        return V(
            self, self.b.udiv(x.ll, self.select(y.eq(0), self.like(1, y), y).ll), x.dtype, x.lanes
        )

    def _logic(self, op: str, x: V, y: Any) -> V:
        x, y = self._pair(x, y)
        if self.numbers.holds(x):
            return self.numbers.arithmetic(op, x, y)
        return V(self, getattr(self.b, op)(x.ll, y.ll), x.dtype, x.lanes)

    def bitand(self, x: V, y: Any) -> V:
        return self._logic("and_", x, y)

    def bitor(self, x: V, y: Any) -> V:
        return self._logic("or_", x, y)

    def bitxor(self, x: V, y: Any) -> V:
        return self._logic("xor", x, y)

    def bitnot(self, x: V) -> V:
        if self.numbers.holds(x):
            return self.numbers.arithmetic("xor", x, self.like(x.dtype is dtypes.bool_ or -1, x))
        return V(self, self.b.not_(x.ll), x.dtype, x.lanes)

    def shl(self, x: V, y: Any) -> V:
        """Left shift (rule C2): an amount outside [0, width) gives 0."""
        return self._shift("shl", x, y)

    def shr(self, x: V, y: Any) -> V:
        """Right shift, arithmetic if signed; an amount outside [0, width) gives the sign fill."""
        return self._shift("lshr" if x.dtype.kind == "u" else "ashr", x, y)

    def _shift(self, op: str, x: V, y: Any) -> V:
        width = x.dtype.size * 8
        f = getattr(self.b, op)
        if isinstance(y, int) and 0 <= y < width:
            if op == "ashr" and self.numbers.holds(x):
                return self.numbers.arithmetic(op, x, self.like(y, x))
            return V(self, f(x.ll, self.like(y, x).ll), x.dtype, x.lanes)
        x, y = self._pair(x, y)
        ok = V(self, self.b.icmp_unsigned("<", y.ll, self.like(width, y).ll), dtypes.bool_, x.lanes)
        safe = self.select(ok, y, self.like(width - 1 if op == "ashr" else 0, y))
        r = V(self, f(x.ll, safe.ll), x.dtype, x.lanes)
        return r if op == "ashr" else self.select(ok, r, self.like(0, x))

    def cmp(self, op: str, x: V, y: Any) -> V:
        """Comparison; ordered for floats, except `!=` which is true for NaN (rule C9)."""
        x, y = self._pair(x, y)
        if self.numbers.holds(x):
            return self.numbers.compare(op, x, y)
        if x.dtype.kind == "f":
            f = self.b.fcmp_unordered if op == "!=" else self.b.fcmp_ordered
        else:
            f = self.b.icmp_unsigned if x.dtype.kind in "ub" else self.b.icmp_signed
        return V(self, f(op, x.ll, y.ll), dtypes.bool_, x.lanes)

    def select(self, c: V, x: V, y: V) -> V:
        n = max(c.lanes, x.lanes, y.lanes)
        x, y = self.splat(x, n), self.splat(y, n)
        if self.numbers.holds(x):
            return self.numbers.select(c, x, y)
        if c.lanes != n and c.lanes != 1:
            c = self.splat(c, n)
        return V(self, self.b.select(c.ll, x.ll, y.ll), x.dtype, n)

    def maximum(self, x: V, y: Any) -> V:
        """The larger; NaN wherever either is NaN, as numpy (rule C9)."""
        return self._extreme(">", x, y)

    def minimum(self, x: V, y: Any) -> V:
        """The smaller; NaN wherever either is NaN, as numpy (rule C9)."""
        return self._extreme("<", x, y)

    def _extreme(self, op: str, x: V, y: Any) -> V:
        # x where x beats y or x is NaN, else y: the same answer for scalar and vector. The first
        # choice is one instruction of x86 (which LLVM sees while the second is not of x itself),
        # and what the second needs of x does not wait for y.
        x, y = self._pair(x, y)
        best = self.select(self.cmp(op, x, y), x, y)
        if x.dtype.kind != "f":
            return best
        nan = V(self, self.b.fcmp_unordered("uno", x.ll, x.ll), dtypes.bool_, x.lanes)
        return self.select(nan, x + x, best)

    # ------------------------------------------------------------- calls

    def call(self, name: str, *args: V) -> V:
        """An LLVM intrinsic overloaded on the type of its first argument (`llvm.sqrt`)."""
        t = args[0].ll.type
        r = self.call_intrinsic(name, [t], t, [a.ll for a in args])
        return V(self, r, args[0].dtype, args[0].lanes)

    def call_intrinsic(
        self, name: str, overload: Sequence[ir.Type], ret: ir.Type, args: Sequence[Any]
    ) -> Any:
        full = name + "".join("." + _mangle(t) for t in overload)
        f = self.module.globals.get(full)
        if f is None:
            f = ir.Function(self.module, ir.FunctionType(ret, [a.type for a in args]), full)
        return self.b.call(f, list(args))

    def extern(self, name: str, ret: ir.Type, args: Sequence[Any]) -> Any:
        """Call a C function; its name must be in `kernel_options.EXTERNS` (rule R2)."""
        f = self.module.globals.get(name)
        if f is None:
            f = ir.Function(self.module, ir.FunctionType(ret, [a.type for a in args]), name)
        return self.b.call(f, list(args))

    def call_fn(self, func: ir.Function, args: Sequence[Any]) -> Any:
        return self.b.call(func, [a.ll if isinstance(a, V) else a for a in args])

    def libm(self, name: str, x: V, *more: V) -> V:
        """A scalar C math function, lane by lane (for functions with no vector form)."""
        t = llvm_type(x.dtype)
        out = V(self, zero(llvm_type(x.dtype, x.lanes)), x.dtype, x.lanes)
        for k in range(x.lanes):
            r = self.extern(name, t, [self.extract(a, k).ll for a in (x, *more)])
            if x.lanes == 1:
                return V(self, r, x.dtype)
            out = self.insert(out, V(self, r, x.dtype), k)
        return out


def _mangle(t: ir.Type) -> str:
    if isinstance(t, ir.VectorType):
        return f"v{t.count}{_mangle(t.element)}"
    if isinstance(t, ir.PointerType):
        return "p0"
    if isinstance(t, ir.IntType):
        return f"i{t.width}"
    return {"float": "f32", "double": "f64", "half": "f16"}[str(t)]
