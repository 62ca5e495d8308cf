"""What elementary functions are made of: exact sums and products, roundings, plain functions.

A function's arguments decide how it is computed: see `vmath`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, cast

import numpy as np
from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V, i32

__all__ = ["F32", "F64", "INF", "NAN", "Arithmetic", "Poly", "lift"]

P = ParamSpec("P")
Method = Callable[Concatenate[Any, V, P], V]


def lift(wide: bool = False) -> Callable[[Method[P]], Method[P]]:
    """Compute half types in float32; float32 in float64 if `wide` or there is no FMA."""

    def decorate(f: Method[P]) -> Method[P]:
        @wraps(f)
        def method(self: Arithmetic, x: V, *more: P.args, **named: P.kwargs) -> V:
            code = x.dtype.code
            if code == "f64" or (code == "f32" and self.has_fma and not wide):
                return f(self, x, *more, **named)
            to = dtypes.float64 if code == "f32" else dtypes.float32
            args: list[Any] = [self.cast(self.like(a, x), to) for a in more]
            return self.cast(method(self, self.cast(x, to), *args, **named), x.dtype)

        return cast("Method[P]", method)

    return decorate


class Format(NamedTuple):
    """The numbers that differ between float32 and float64."""

    mant: int  # explicit bits of the significand
    bias: int  # of the exponent
    round: float  # adding it rounds to an integer that is then in the low bits
    sqrt_half: int  # the bits of sqrt(0.5)
    ln2: tuple[float, float]  # 16 or 42 bits (times any exponent is exact), and the rest
    exp: tuple[float, float]  # below and above, exp is 0 and inf
    expm1: float  # below minus this expm1 is -1
    tanh: float  # from twice this on tanh is 1
    tiny: float  # x + x*x/2 rounds to x below
    unsigned: DType
    signed: DType


F32 = Format(23, 127, 1.5 * 2.0**23, 0x3F3504F3, (0.693145751953125, 1.428606765330187e-06),
             (-104.0, 88.8), 18.0, 18.4, 2.0**-25, dtypes.uint32, dtypes.int32)  # fmt: skip
F64 = Format(52, 1023, 1.5 * 2.0**52, 0x3FE6A09E667F3BCD,
             (0.6931471805598903, 5.497923018708371e-14), (-745.2, 709.8), 38.0, 40.0, 2.0**-54,
             dtypes.uint64, dtypes.int64)  # fmt: skip

INF, NAN = float("inf"), float("nan")
_WIDE = {"f32": "ps", "f64": "pd"}
_CURRENT_ROUNDING = 4

Poly = dict[str, Sequence[float]]


class Arithmetic(Fn):
    """A function under construction, with what elementary functions are made of.

    Parameters
    ----------
    module, name, params, ret, linkage
        As for `Fn`.
    has_fma : bool
        Whether the target has fused multiply-add. Without it the bounds still hold; the bits
        may differ.
    has_avx512 : bool
        Whether to take numbers apart, put them together and look them up with AVX-512's
        instructions for that.
    """

    def __init__(
        self,
        module: ir.Module,
        name: str,
        params: Sequence[ir.Type],
        ret: ir.Type = i32,
        *,
        linkage: str = "",
        has_fma: bool = True,
        has_avx512: bool = False,
    ) -> None:
        super().__init__(module, name, params, ret, linkage=linkage)
        self.has_fma = has_fma
        self.has_avx512 = has_avx512
        self._constants: dict[Any, V] = {}

    def const(self, value: Any, dtype: DType, lanes: int = 1) -> V:
        """A constant; equal ones are one object, so that their text is made once."""
        key = (repr(value), dtype.code, lanes)
        v = self._constants.get(key)
        if v is None:
            v = self._constants[key] = super().const(value, dtype, lanes)
        return v

    # ------------------------------------------------------------- conversion

    def _convert(self, x: V, s: DType, d: DType) -> Any:
        if s.kind == "f" and d.kind in "iu" and x.lanes > 1 and self.has_fma:
            return self._to_integers(x, d).ll
        return super()._convert(x, s, d)

    def _to_integers(self, x: V, d: DType) -> V:
        """Vectors of floats as integers, as ``llvm.fptosi.sat``, which x86 does lane by lane.

        A whole number below 2^22 (2^51) added to 1.5 * 2^23 (2^52) is in the low bits of the sum.
        """
        small = d.size <= 2 and x.dtype.size == 4
        t, bits = (dtypes.float32, dtypes.int32) if small else (dtypes.float64, dtypes.int64)
        magic = 1.5 * 2.0 ** (23 if small else 52)
        x = self.cast(x, t)
        most = d.max if d.size < 8 else d.max + 1 - 2 ** (11 - (d.kind == "i"))
        y = self.select(x.eq(x), x, self.like(0.0, x))
        y = self.select(y < float(d.min), self.like(float(d.min), y), y)
        y = self.trunc(self.select(y > float(most), self.like(float(most), y), y))
        if d.size < 8:
            return self.cast(self.bitcast(y + magic, bits), d)
        high = self.floor(y * 2.0**-32)
        low = self.bitcast(y - high * 2.0**32 + magic, bits) & 0xFFFFFFFF
        made = self.cast(self.shl(self.bitcast(high + magic, bits), 32) | low, d)
        return self.select(x >= float(d.max + 1), self.like(d.max, made), made)

    # ------------------------------------------------------------- building blocks

    def _format(self, x: V) -> Format:
        if x.dtype.code not in ("f32", "f64"):
            raise TypeError(f"not a float: {x.dtype.name}")
        return F32 if x.dtype.code == "f32" else F64

    def _mad(self, x: V, y: V | float, z: V | float) -> V:
        """x*y + z, in one rounding where the machine can."""
        y, z = self.like(y, x), self.like(z, x)
        return self.fma(x, y, z) if self.has_fma else x * y + z

    def _poly(self, x: V, c: Poly | Sequence[float]) -> V:
        """c[0] + c[1] x + …; a long one in pairs or as halves in x*x, for a shorter chain."""
        if isinstance(c, dict):
            c = c[x.dtype.code]
        if len(c) in (5, 8) and x.dtype.code == "f32":
            z = x * x
            pairs = [self._mad(x, b, a) for a, b in zip(c[0::2], c[1::2], strict=False)]
            if len(c) == 5:
                return self._mad(z, self._mad(z, c[4], pairs[1]), pairs[0])
            low, high = self._mad(z, pairs[1], pairs[0]), self._mad(z, pairs[3], pairs[2])
            return self._mad(z * z, high, low)
        if len(c) > 6:
            z = x * x
            return self._mad(x, self._poly(z, c[1::2]), self._poly(z, c[0::2]))
        r: V | float = c[-1]
        for a in reversed(c[:-1]):
            r = self._mad(x, r, a)
        return self.like(r, x)

    def _product(self, x: V, y: V) -> tuple[V, V]:
        """x*y as two terms, exactly (float64; without FMA the error is below 2^-106)."""
        p = x * y
        if self.has_fma:
            return p, self.fma(x, y, -p)
        (a, b), (c, d) = self._halves(x), self._halves(y)
        return p, b * d - (((p - a * c) - b * c) - a * d)

    def _halves(self, x: V) -> tuple[V, V]:
        high = self.bitcast(self.bitcast(x, dtypes.uint64) & ~0x7FFFFFF % 2**64, dtypes.float64)
        return high, x - high

    def _residual(self, x: V, y: V, z: V) -> V:
        """z - x*y where x*y is close to z: one rounding."""
        if self.has_fma:
            return self.fma(-x, y, z)
        p, e = self._product(x, y)
        return (z - p) - e

    def _two_sum(self, x: V, y: V) -> tuple[V, V]:
        """x + y as two terms, exactly."""
        s = x + y
        t = s - x
        return s, (x - (s - t)) + (y - t)

    def _fast_sum(self, x: V, y: V) -> tuple[V, V]:
        """x + y as two terms, exactly, where x is 0 or abs(x) >= abs(y)."""
        s = x + y
        return s, y - (s - x)

    def _at_least(self, x: V, low: float) -> V:
        """max(x, low) that keeps NaN, in one instruction."""
        c = self.like(low, x)
        return self.select(c > x, c, x)

    def _at_most(self, x: V, high: float) -> V:
        c = self.like(high, x)
        return self.select(c < x, c, x)

    def _within(self, x: V, low: float, high: float) -> V:
        return self._at_most(self._at_least(x, low), high)

    def _bits(self, x: V) -> V:
        return self.bitcast(x, self._format(x).unsigned)

    def _nearest(self, x: V, factor: float, bias: int) -> tuple[V, V]:
        """The integer n nearest to x*factor; and the bits of n + bias, in the low bits."""
        f = self._format(x)
        t = self._mad(x, factor, f.round + bias)
        return t - (f.round + bias), self._bits(t)

    def any(self, c: V) -> V:
        """Whether any lane of a bool vector holds."""
        if c.lanes == 1:
            return c
        word = self.b.bitcast(c.ll, ir.IntType(c.lanes))
        zero = ir.Constant(word.type, 0)
        return self.wrap(self.b.icmp_unsigned("!=", word, zero), dtypes.bool_)

    def copysign(self, x: V, y: V) -> V:
        """abs(x) with the sign of `y`."""
        return self.call("llvm.copysign", x, y)

    # ------------------------------------------------------------- AVX-512

    def _whole(self, x: V) -> bool:
        """Whether `x` fills registers of AVX-512, so that `_wide` applies."""
        return self.has_avx512 and x.dtype.code in _WIDE and x.lanes * x.dtype.size % 64 == 0

    def _wide(self, name: str, *args: V | int) -> V:
        """An instruction of AVX-512 on whole registers; an int is an immediate operand.

        The operands of the intrinsics are: those of the instruction, what lanes that are off keep
        (for `fixupimm` the first operand is that), the lanes that are on, the rounding.
        """
        vectors = [a for a in args if isinstance(a, V)]
        x = vectors[0]
        n = 64 // x.dtype.size
        if x.lanes > n:
            halves = (range(x.lanes // 2), range(x.lanes // 2, x.lanes))
            low, high = (
                self._wide(
                    name, *[self.shuffle(a, None, h) if isinstance(a, V) else a for a in args]
                )
                for h in halves
            )
            return self.shuffle(low, high, range(x.lanes))
        lls = [a.ll if isinstance(a, V) else ir.Constant(i32, a) for a in args]
        if name != "fixupimm":
            lls.append(ir.Constant(x.ll.type, None))
        lls += [ir.Constant(ir.IntType(n), -1), ir.Constant(i32, _CURRENT_ROUNDING)]
        full = f"llvm.x86.avx512.mask.{name}.{_WIDE[x.dtype.code]}.512"
        return V(self, self.call_intrinsic(full, [], x.ll.type, lls), x.dtype, x.lanes)

    def _has_tables(self, x: V) -> bool:
        """Whether functions of `x` are done with `_looked_up`."""
        return self.has_avx512 and x.dtype is dtypes.float32

    def _in_registers(self, f: Callable[[V], V], x: V) -> V:
        """f(x) in whole registers: the bits of a result do not depend on how many there are."""
        if self._whole(x):
            return f(x)
        if x.lanes == 1:
            return self.extract(f(self.splat(x, 16)), 0)
        y = f(self.shuffle(x, None, [i % x.lanes for i in range(16)]))
        return self.shuffle(y, None, range(x.lanes))

    def _looked_up(self, table: Sequence[float], index: V) -> V:
        """table[index % len(table)] in float32, of 16 or 32 numbers, for whole registers."""
        n = 16
        if index.lanes > n:
            halves = (range(index.lanes // 2), range(index.lanes // 2, index.lanes))
            low, high = (self._looked_up(table, self.shuffle(index, None, h)) for h in halves)
            return self.shuffle(low, high, range(index.lanes))
        t = ir.VectorType(ir.FloatType(), n)
        parts = [
            ir.Constant(t, [float(np.float32(v)) for v in table[k : k + n]])
            for k in range(0, len(table), n)
        ]
        name = "permvar.sf" if len(parts) == 1 else "vpermi2var.ps"
        args = [parts[0], index.ll, *parts[1:]]
        ll = self.call_intrinsic(f"llvm.x86.avx512.{name}.512", [], t, args)
        return V(self, ll, dtypes.float32, n)

    # ------------------------------------------------------------- piecewise

    def abs(self, x: V) -> V:
        """Absolute value; of the least integer, itself."""
        if x.dtype.kind == "f":
            return self.call("llvm.fabs", x)
        return x if x.dtype.kind == "u" else self.select(x < 0, -x, x)

    def sign(self, x: V) -> V:
        """-1, 0 or 1; NaN stays."""
        zero, one = self.like(0, x), self.like(1, x)
        if x.dtype.kind == "f":
            zero = self.select(x.eq(0), zero, x)
        below = zero if x.dtype.kind == "u" else self.select(x < 0, self.like(-1, x), zero)
        return self.select(x > 0, one, below)

    def floor(self, x: V) -> V:
        return self._rounding("llvm.floor", x)

    def ceil(self, x: V) -> V:
        return self._rounding("llvm.ceil", x)

    def trunc(self, x: V) -> V:
        return self._rounding("llvm.trunc", x)

    def rint(self, x: V) -> V:
        """The nearest integer, ties to even: tf.round and tf.rint."""
        return self._rounding("llvm.rint", x)

    def _rounding(self, name: str, x: V) -> V:
        if x.dtype.kind != "f":
            return x
        if x.dtype.code in ("f16", "bf16"):
            return self.cast(self._rounding(name, self.cast(x, dtypes.float32)), x.dtype)
        return self.call(name, x)

    @lift(wide=True)
    def fmod(self, x: V, y: V) -> V:
        """x - n y, exactly, with the sign of x and n the quotient rounded to zero."""
        a, b = self.abs(x), self.abs(y)
        far = (a >= b * 2.0**50) & (a < INF) & (b > 0.0)

        def long_division() -> list[V]:
            with self.loop(0, 46, carry=[a]) as p:
                (r,) = p.carry
                t = b
                for _ in range(3):
                    t = self.select(r * 2.0**-600 > t, t * 2.0**600, t)
                q = self._bits(r / t * 2.0**-48) & 0x7FF0000000000000
                scaled = t * self.bitcast(q, x.dtype)
                p.next([self._fmod_step(r, self.select(r >= t * 2.0**50, scaled, t))])
            return [self.select(far, p.results[0], a)]

        (r,) = self.choose(self.any(far), long_division, lambda: [a])
        r = self.select(r < b, r, self._fmod_step(r, b))
        bad = ~((a < INF) & (b > 0.0))  # NaN too
        return self.select(bad, self.like(NAN, x), self.copysign(r, x))

    def _fmod_step(self, r: V, t: V) -> V:
        """r modulo t, exactly, for a quotient below 2**50."""
        v = self._residual(self.call("llvm.trunc", r / t), t, r)
        return self.select(v < 0.0, v + t, v)

    def floormod(self, x: V, y: V) -> V:
        """The remainder with the sign of y; a zero keeps the sign of x."""
        if x.dtype.kind != "f":
            return self.imod(x, y, floor=True)
        m = self.fmod(x, y)
        return self.select(m.ne(0.0) & ((m < 0.0) ^ (y < 0.0)), m + y, m)

    def floordiv(self, x: V, y: V) -> V:
        """floor(x/y), in one rounded division as TensorFlow; integers exactly."""
        return self.floor(x / y) if x.dtype.kind == "f" else self.idiv(x, y, floor=True)

    def isnan(self, x: V) -> V:
        return x.ne(x)

    def isinf(self, x: V) -> V:
        return self.abs(x).eq(INF)

    def isfinite(self, x: V) -> V:
        return self.abs(x) < INF

    def relu(self, x: V) -> V:
        """max(x, 0); NaN stays."""
        return self.select(x < 0, self.like(0, x), x)

    def relu6(self, x: V) -> V:
        return self.select(x > 6, self.like(6, x), self.relu(x))

    def softsign(self, x: V) -> V:
        return x / (self.abs(x) + 1.0)

    def logical_and(self, x: V, y: V) -> V:
        return x & y

    def logical_or(self, x: V, y: V) -> V:
        return x | y

    def logical_xor(self, x: V, y: V) -> V:
        return x ^ y

    def logical_not(self, x: V) -> V:
        return ~x
