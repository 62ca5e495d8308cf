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
from functools import cache, lru_cache
from typing import Any

import numpy as np
from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.entry import NOT_FINITE
from graphc.runtime.llvm.numbers import Numbers, known
from graphc.runtime.llvm.watch import NOTHING, least

__all__ = ["Carry", "Fn", "V"]

i1, i8, i32, i64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
ptr = ir.PointerType()

SCALAR: dict[str, ir.Type] = {
    "f32": ir.FloatType(), "f64": ir.DoubleType(), "f16": ir.HalfType(), "bf16": ir.IntType(16),
    "i8": i8, "i16": ir.IntType(16), "i32": i32, "i64": i64,
    "u8": i8, "u16": ir.IntType(16), "u32": i32, "u64": i64, "bool": i1,
}  # fmt: skip


#: The bits of infinity, by the size of the type.


@cache
def _vector(t: ir.Type, lanes: int, name: str) -> ir.Type:
    return ir.VectorType(t, lanes)


def llvm_type(dtype: DType, lanes: int = 1) -> ir.Type:
    """The register type of `lanes` elements (bool is i1, bfloat16 is computed in float32)."""
    t = SCALAR["f32" if dtype.code == "bf16" else dtype.code]
    return _vector(t, lanes, str(t)) if lanes > 1 else t


def memory_type(dtype: DType, lanes: int = 1) -> ir.Type:
    """The type of `lanes` elements in memory (bool is a byte, rule C14)."""
    t = i8 if dtype.kind == "b" else SCALAR[dtype.code]
    return _vector(t, lanes, str(t)) if lanes > 1 else t


class _Mask(ir.Constant):  # type: ignore[misc]
    """The lanes of a shuffle: llvmlite looks at the elements, and writes them anew at each use."""

    def __init__(self, lanes: tuple[int, ...]) -> None:
        super().__init__(_vector(i32, len(lanes), "i32"), list(lanes))
        self.text = "zeroinitializer" if not any(lanes) else super()._get_reference()

    def _get_reference(self) -> str:
        return self.text


_mask = lru_cache(maxsize=1024)(_Mask)


class _Vector(ir.Constant):  # type: ignore[misc]
    """A constant vector; llvmlite's own is put together anew from its elements at each use."""

    def __init__(self, element: ir.Type, items: Sequence[str]) -> None:
        self.type = _vector(element, len(items), str(element))
        self.constant = f"<{', '.join([f'{element} {item}' for item in items])}>"

    def _get_reference(self) -> str:
        return str(self.constant)


class _Zero(_Vector):
    """A vector of zeros, in one word instead of one for each element."""

    def __init__(self, t: ir.Type) -> None:
        self.type = t
        self.constant = "zeroinitializer"


@cache
def zero(t: ir.Type) -> ir.Constant:
    """Zeros of a type."""
    return _Zero(t) if isinstance(t, ir.VectorType) else ir.Constant(t, None)


@lru_cache(maxsize=1024)
def _splat(c: ir.Constant, lanes: int) -> ir.Constant:
    """A vector of one constant."""
    text = c.get_reference()
    if text in ("0", "0x0", "false"):  # and not -0.0
        return zero(_vector(c.type, lanes, str(c.type)))
    made = _Vector(c.type, [text] * lanes)
    made.number = number_of(c)
    return made


def number_of(ll: Any) -> float | None:
    """The number that a constant, or each element of it, is; None for what is not constant."""
    number: float | None = getattr(ll, "number", None)
    return number


class V:
    """A value in a function: `fn`, its LLVM value `ll`, its element type and lane count."""

    __slots__ = ("dtype", "fn", "lanes", "ll")

    def __init__(self, fn: Fn, ll: Any, dtype: DType, lanes: int = 1) -> None:
        self.fn = fn
        self.ll = ll
        self.dtype = dtype
        self.lanes = lanes

    def __add__(self, o: Any) -> V:
        return self.fn.add(self, o)

    def __radd__(self, o: Any) -> V:
        return self.fn.add(self.fn.like(o, self), self)

    def __sub__(self, o: Any) -> V:
        return self.fn.sub(self, o)

    def __rsub__(self, o: Any) -> V:
        return self.fn.sub(self.fn.like(o, self), self)

    def __mul__(self, o: Any) -> V:
        return self.fn.mul(self, o)

    def __rmul__(self, o: Any) -> V:
        return self.fn.mul(self.fn.like(o, self), self)

    def __truediv__(self, o: Any) -> V:
        return self.fn.fdiv(self, o)

    def __rtruediv__(self, o: Any) -> V:
        return self.fn.fdiv(self.fn.like(o, self), self)

    def __neg__(self) -> V:
        return self.fn.neg(self)

    def __and__(self, o: Any) -> V:
        return self.fn.bitand(self, o)

    def __or__(self, o: Any) -> V:
        return self.fn.bitor(self, o)

    def __xor__(self, o: Any) -> V:
        return self.fn.bitxor(self, o)

    def __invert__(self) -> V:
        return self.fn.bitnot(self)

    def __lt__(self, o: Any) -> V:
        return self.fn.cmp("<", self, o)

    def __le__(self, o: Any) -> V:
        return self.fn.cmp("<=", self, o)

    def __gt__(self, o: Any) -> V:
        return self.fn.cmp(">", self, o)

    def __ge__(self, o: Any) -> V:
        return self.fn.cmp(">=", self, o)

    def eq(self, o: Any) -> V:
        return self.fn.cmp("==", self, o)

    def ne(self, o: Any) -> V:
        return self.fn.cmp("!=", self, o)


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


class Fn:
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
            c = _splat(c, lanes)
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
            return V(self, _splat(x.ll, lanes), x.dtype, lanes)
        one = self.b.insert_element(zero(t), x.ll, ir.Constant(i32, 0))
        mask = _mask((0,) * lanes)
        return V(self, self.b.shuffle_vector(one, zero(t), mask), x.dtype, lanes)

    def lane_ids(self, lanes: int, dtype: DType = dtypes.int64) -> V:
        """The vector (0, 1, 2, …)."""
        t = llvm_type(dtype)
        if lanes == 1:
            return self.const(0, dtype)
        items = [ir.Constant(t, k).get_reference() for k in range(lanes)]
        return V(self, _Vector(t, items), dtype, lanes)

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
        mask = _mask(tuple(lanes))
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

    def extern(
        self, name: str, ret: ir.Type, args: Sequence[Any], *, attributes: Sequence[str] = ()
    ) -> Any:
        """Call a C function; its name must be in `kernel_options.EXTERNS` (rule R2)."""
        f = self.module.globals.get(name)
        if f is None:
            f = ir.Function(self.module, ir.FunctionType(ret, [a.type for a in args]), name)
            for a in attributes:
                f.attributes.add(a)
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


def _mangle(t: ir.Type) -> str:
    if isinstance(t, ir.VectorType):
        return f"v{t.count}{_mangle(t.element)}"
    if isinstance(t, ir.PointerType):
        return "p0"
    if isinstance(t, ir.IntType):
        return f"i{t.width}"
    return {"float": "f32", "double": "f64", "half": "f16"}[str(t)]
