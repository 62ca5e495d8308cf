"""Types of LLVM, constant vectors, and the values that functions compute with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from graphc.ir.dtypes import DType

if TYPE_CHECKING:
    from graphc.runtime.llvm.arithmetic import Arithmetic

__all__ = [
    "ConstantVector", "V", "i8", "i32", "i64", "llvm_type", "mask_of", "memory_type", "number_of",
    "ptr", "splat_of", "zero",
]  # fmt: skip

i1, i8, i32, i64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
ptr = ir.PointerType()

SCALAR: dict[str, ir.Type] = {
    "f32": ir.FloatType(), "f64": ir.DoubleType(), "f16": ir.HalfType(), "bf16": ir.IntType(16),
    "i8": i8, "i16": ir.IntType(16), "i32": i32, "i64": i64,
    "u8": i8, "u16": ir.IntType(16), "u32": i32, "u64": i64, "bool": i1,
}  # fmt: skip


@cache  # by name too: all types of integers have one hash
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


mask_of = lru_cache(maxsize=1024)(_Mask)


class ConstantVector(ir.Constant):  # type: ignore[misc]
    """A constant vector; llvmlite's own is put together anew from its elements at each use."""

    def __init__(self, element: ir.Type, items: Sequence[str]) -> None:
        self.type = _vector(element, len(items), str(element))
        self.constant = f"<{', '.join([f'{element} {item}' for item in items])}>"

    def _get_reference(self) -> str:
        return str(self.constant)


class _Zero(ConstantVector):
    """A vector of zeros, in one word instead of one for each element."""

    def __init__(self, t: ir.Type) -> None:
        self.type = t
        self.constant = "zeroinitializer"


@cache
def zero(t: ir.Type) -> ir.Constant:
    """Zeros of a type."""
    return _Zero(t) if isinstance(t, ir.VectorType) else ir.Constant(t, None)


@lru_cache(maxsize=1024)
def splat_of(c: ir.Constant, lanes: int) -> ir.Constant:
    """A vector of one constant."""
    text = c.get_reference()
    if text in ("0", "0x0", "false"):  # and not -0.0
        return zero(_vector(c.type, lanes, str(c.type)))
    made = ConstantVector(c.type, [text] * lanes)
    made.number = number_of(c)
    return made


def number_of(ll: Any) -> float | None:
    """The number that a constant, or each element of it, is; None for what is not constant."""
    number: float | None = getattr(ll, "number", None)
    return number


class V:
    """A value in a function: `fn`, its LLVM value `ll`, its element type and lane count."""

    __slots__ = ("dtype", "fn", "lanes", "ll")

    def __init__(self, fn: Arithmetic, ll: Any, dtype: DType, lanes: int = 1) -> None:
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
