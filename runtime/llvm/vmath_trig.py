"""Sine, cosine, tangent and their inverses (see `vmath`)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime.llvm.values import V, i64
from graphc.runtime.llvm.vmath_base import INF, Arithmetic, Poly, lift

__all__ = ["Trigonometric"]

PI_4 = {"f32": (0.7853981852531433, -2.1855694143368964e-08),
        "f64": (0.7853981633974483, 3.061616997868383e-17)}  # fmt: skip
# (sin r/r - 1)/r**2 and (cos r - 1)/r**2 in r*r on |r| <= pi/4, relative to sin and cos.
# "narrow" is for float32 arguments in float64: 2^-28, 2^-33.8; f64: 2^-57.9, and for
# (cos r - 1 + r*r/2)/r**4 2^-63.9.
SIN: Poly = {
    "narrow": (-0.16666654513632753, 0.008332154567516336, -0.0001951442583752968),
    "f64": (-0.1666666666666663, 0.00833333333332184, -0.00019841269829358533,
            2.755731353851373e-06, -2.5050734383564032e-08, 1.589543223550206e-10),
}  # fmt: skip
COS: Poly = {
    "narrow": (-0.4999999969128529, 0.04166661998962531, -0.0013886669863830904,
               2.4382447711428574e-05),
    "f64": (0.041666666666666595, -0.0013888888888873299, 2.4801587288955438e-05,
            -2.7557314199215175e-07, 2.087570249612758e-09, -1.1358578435759926e-11),
}  # fmt: skip
# (tan r/r - 1)/r**2 in r*r on |r| <= pi/4, relative to tan: 2^-29.6 and 2^-60.
TAN: Poly = {
    "narrow": (0.3333334973433177, 0.13332663509930737, 0.05405993049165637, 0.021282002481221432,
               0.010836501884389272, 8.845870592522391e-05, 0.004376887681056575),
    "f64": (0.33333333333333376, 0.13333333333326075, 0.05396825397254101, 0.021869488408658194,
            0.008863237777055692, 0.003592102358531354, 0.0014560352493871514,
            0.0005889152163894126, 0.00024357278923513697, 8.401045622027387e-05,
            6.640614949826749e-05, -2.4608354880984803e-05, 4.7784026501953927e-05,
            -2.3853557613399187e-05, 9.70577308062881e-06),
}  # fmt: skip
# (atan t/t - 1)/t**2 in t*t on |t| <= 0.5475, relative to atan: 2^-30.2 and 2^-58.8.
ATAN: Poly = {
    "f32": (-0.33333316, 0.19998877, -0.1426059, 0.108479805, -0.076448895, 0.034147914),
    "f64": (-0.33333333333333165, 0.19999999999955023, -0.14285714281506395, 0.1111111091234744,
            -0.09090903535330885, 0.07692207476913657, -0.06665438064693394, 0.058717945776347084,
            -0.05198484233913578, 0.04477976153758057, -0.03457787640622499, 0.020282671033796894,
            -0.006385086460890126),
}  # fmt: skip
# (asin s/s - 1)/s**2 in s*s on |s| <= 0.5, relative to asin: 2^-31.6 and 2^-59.8.
ASIN: Poly = {
    "f32": (0.1666666, 0.07500522, 0.044513714, 0.03183315, 0.014348163, 0.037636448),
    "f64": (0.1666666666666676, 0.0749999999997081, 0.04464285717464463, 0.030381942704819954,
            0.022372215100543706, 0.017351609562492147, 0.013980854187347376,
            0.011398606776650751, 0.010782115410117414, 0.0036988574534154856,
            0.021726974321797474, -0.021028216843193562, 0.03264774925506684),
}  # fmt: skip
# pi/2 in three parts. With FMA all have 53 bits; without, a product of the first two by a
# quadrant number below 2^20 must be exact: 33 and 31 bits.
PI_2_FMA = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
PI_2_MUL = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
# 2/pi as 64-bit digits after the binary point, behind one digit of zeros.
TWO_OVER_PI = (
    0x0, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484,
    0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B, 0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB, 0xF0CFBC209AF4361D,
    0xA9E391615EE61B08, 0x6599855F14A06840,
)  # fmt: skip


class Trigonometric(Arithmetic):
    """Arithmetic with trigonometry."""

    # ------------------------------------------------------------- trigonometry

    @lift()
    def sin(self, x: V) -> V:
        return self.select(x.eq(0.0), x, self._sin_cos(x, 0))

    @lift()
    def cos(self, x: V) -> V:
        return self._sin_cos(x, 1)

    def _sin_cos(self, x: V, quadrant: int) -> V:
        """sin(x + quadrant pi/2)."""
        if x.dtype.code == "f32":
            w = self.cast(x, dtypes.float64)
            r, _, q = self._reduce_narrow(w)
            z = r * r
            s = self._mad(r, z * self._poly(z, SIN["narrow"]), r)
            c = self._mad(z, self._poly(z, COS["narrow"]), 1.0)
        else:
            r, low, q = self._reduce(x)
            z = r * r
            s = r + self._mad(r * z, self._poly(z, SIN), low)
            c = self._cos_terms(r, low)
        q = q + quadrant if quadrant else q
        y = self.select((q & 1).ne(0), c, s)
        y = self.bitcast(self._bits(y) ^ self.shl(q & 2, 62), y.dtype)
        return self.cast(y, x.dtype)

    def _cos_terms(self, r: V, low: V) -> V:
        """cos(r + low) for abs(r) <= pi/4, of float64."""
        if self.has_fma:
            z = self._mad(r, r, (r + r) * low)
            return self._mad(z, self._mad(z, self._poly(z, COS), -0.5), 1.0)
        z = r * r
        w, e = self._fast_sum(self.like(1.0, r), z * -0.5)
        return w + (e + ((z * z) * self._poly(z, COS) - r * low))

    @lift()
    def tan(self, x: V) -> V:
        if x.dtype.code == "f32":
            r, _, q = self._reduce_narrow(self.cast(x, dtypes.float64))
            z = r * r
            t = self._mad(r, z * self._poly(z, TAN["narrow"]), r)
            t = self.cast(self.select((q & 1).ne(0), -1.0 / t, t), x.dtype)
            return self.select(x.eq(0.0), x, t)
        r, low, q = self._reduce(x)
        z, ze = self._product(r, r)
        v, ve = self._product(r, z)
        p = self._poly(z, TAN)
        low = low * self._mad(z, 1.5, 1.0)  # by the slope, about
        tail = -self._mad(v, p, self._mad(self._mad(r, ze, ve), p, low))
        t = r - tail
        e = (r - t) - tail
        v = -1.0 / t
        turned = self._mad(v, self._mad(v, e, -self._residual(v, t, self.like(-1.0, x))), v)
        return self.select(x.eq(0.0), x, self.select((q & 1).ne(0), turned, t))

    def _reduce_narrow(self, x: V) -> tuple[V, V, V]:
        """x - q pi/2 of a float32 value in float64, to 2^-50; q in the low bits."""
        n, t = self._nearest(x, 0.6366197723675814, 0)
        a, b, c = PI_2_FMA if self.has_fma else PI_2_MUL
        r = self._mad(n, -b, self._mad(n, -a, x))
        if not self.has_fma:
            r = r - n * c
        return self._reduce_huge(x, 2.0**28 if self.has_fma else 2.0**20, r, r, t)

    def _reduce(self, x: V) -> tuple[V, V, V]:
        """x - q pi/2 as two terms, for any finite x; q in the low bits."""
        n, t = self._nearest(x, 0.6366197723675814, 0)
        a, b, c = PI_2_FMA if self.has_fma else PI_2_MUL
        r = self._mad(n, -a, x)  # exact
        p = n * b
        low = n * c
        if self.has_fma:
            low = self._mad(n, c, self.fma(n, self.like(b, n), -p))
        r, e = self._two_sum(r, -p)
        r, low = self._two_sum(r, e - low)
        return self._reduce_huge(x, 2.0**28 if self.has_fma else 2.0**20, r, low, t)

    def _reduce_huge(self, x: V, limit: float, r: V, low: V, q: V) -> tuple[V, V, V]:
        """Replace the lanes whose argument is too large for the short reduction."""
        a = self.abs(x)
        huge = (a > limit) & (a < INF)

        def slow() -> list[V]:
            with self.loop(0, x.lanes, carry=[r, low, q]) as p:
                lane = p.i & (x.lanes - 1)
                one = self.extract(x, lane)
                pair = self.call_fn(_reduction(self.module, self.has_fma), [one])
                new = [self.wrap(self.b.extract_value(pair, i), t) for i, t in enumerate(types)]
                p.next([self.insert(v, e, lane) for v, e in zip(p.carry, new, strict=True)])
            return [self.select(huge, n, v) for n, v in zip(p.results, (r, low, q), strict=True)]

        types = (x.dtype, x.dtype, q.dtype)
        r, low, q = self.choose(self.any(huge), slow, lambda: [r, low, q])
        return r, low, q

    # ------------------------------------------------------------- inverse trigonometry

    def _asin_terms(self, x: V) -> tuple[V, V, V, V]:
        """big, s, t, with asin(abs x) = s + t if not big, else pi/2 - 2(s + t); and 2t for big."""
        a = self.abs(x)
        big = a > 0.5
        z = self.select(big, self._mad(a, -0.5, 0.5), a * a)
        s = self.select(big, self.call("llvm.sqrt", z), a)
        t = s * (z * self._poly(z, ASIN))
        c = self._residual(s, s, z) / (s + s + 1e-30)  # what the root lost
        return big, s, t, (t + c) * 2.0

    @lift()
    def asin(self, x: V) -> V:
        big, s, t, tt = self._asin_terms(x)
        high, low = PI_4[x.dtype.code]
        d, e = self._fast_sum(self.like(high, x), s * -2.0)
        far = high + (d + (e - (tt - 2.0 * low)))
        return self.copysign(self.select(big, far, s + t), x)

    @lift()
    def acos(self, x: V) -> V:
        big, s, t, tt = self._asin_terms(x)
        high, low = PI_4[x.dtype.code]
        ss, zero = s + s, self.like(0.0, x)
        near = 2.0 * high - self.copysign(s, x)
        lost = (2.0 * high - near) - self.copysign(s, x)
        near = near + (lost - (self.copysign(t, x) - 2.0 * low))
        flat = 4.0 * high - ss
        lost = (4.0 * high - flat) - ss
        flat = flat + (lost - (tt - 4.0 * low))
        return self.select(big, self.select(x > zero, ss + tt, flat), near)

    def _atan_tail(self, t: V) -> V:
        z = t * t
        return t * (z * self._poly(z, ATAN))

    def _divide_terms(self, num: V, den: V, lost: V) -> tuple[V, V]:
        """num/(den + lost) as two terms."""
        r = 1.0 / den
        t = num * r
        return t, (self._residual(t, den, num) - t * lost) * r

    @lift()
    def atan(self, x: V) -> V:
        """atan a, pi/4 + atan((a-1)/(a+1)) or pi/2 - atan(1/a), a = abs(x)."""
        a = self._at_most(self.abs(x), 2.0**60)
        one, zero = self.like(1.0, x), self.like(0.0, x)
        mid, high = a > 0.5463, a > 1.8305
        d = a + 1.0
        num = self.select(high, -one, self.select(mid, a - 1.0, a))
        den = self.select(high, a, self.select(mid, d, one))
        lost = self.select(high, zero, self.select(mid, a - (d - 1.0), zero))
        t, low = self._divide_terms(num, den, lost)
        base = []
        for c in PI_4[x.dtype.code]:
            both = self.select(mid, self.like(c, x), zero)
            base.append(self.select(high, self.like(2.0 * c, x), both))
        y = base[0] + (t + (self._atan_tail(t) + (low + base[1])))
        return self.copysign(y, x)

    @lift(wide=True)
    def atan2(self, y: V, x: V) -> V:
        """The angle of (x, y), with the special cases of C99 Annex F."""
        a, b = self.abs(x), self.abs(y)
        swap = b > a
        n, d = self.select(swap, a, b), self.select(swap, b, a)
        one, zero = self.like(1.0, x), self.like(0.0, x)
        huge = d.eq(INF)
        n = self.select(huge, self.select(n.eq(INF), one, zero), n)
        d = self.select(huge | d.eq(0.0), one, d)
        scale = self.select(d > 2.0**1000, self.like(2.0**-60, x), one)
        scale = self.select(d < 2.0**-900, self.like(2.0**120, x), scale)
        n, d = n * scale, d * scale
        mid = n > d * 0.5463
        s = n + d
        lost = self.select(mid, n - (s - d), zero)
        t, low = self._divide_terms(self.select(mid, n - d, n), self.select(mid, s, d), lost)
        # the angle is m pi/4 ± t
        left = self.bitcast(x, dtypes.int64) < 0
        m = self.select(mid, one, zero)
        m = self.select(swap, 2.0 - m, m)
        m = self.select(left, 4.0 - m, m)
        sign = self.select(swap ^ left, -one, one)
        high, rest = PI_4["f64"]
        base, extra = self._product(m, self.like(high, x))
        extra = self._mad(m, rest, extra)
        r = base + (sign * t + (sign * (self._atan_tail(t) + low) + extra))
        return self.select(x.ne(x) | y.ne(y), x + y, self.copysign(r, y))


def _reduction(module: ir.Module, has_fma: bool) -> ir.Function:
    """An internal function: x - q pi/2 as two float64, and q, for finite abs(x) >= 2^20."""
    name = "graphc_reduce"
    found = module.globals.get(name)
    if found is not None:
        return found
    f64 = ir.DoubleType()
    big, mid = ir.IntType(256), ir.IntType(192)
    result = ir.LiteralStructType([f64, f64, i64])
    k = Trigonometric(module, name, [f64], result, linkage="internal", has_fma=has_fma)
    k.func.attributes.add("noinline")
    table = ir.GlobalVariable(module, ir.ArrayType(i64, len(TWO_OVER_PI)), name + "_table")
    table.initializer = ir.Constant(table.value_type, [ir.Constant(i64, d) for d in TWO_OVER_PI])
    table.global_constant, table.linkage = True, "internal"
    b, x = k.b, k.wrap(k.args[0], dtypes.float64)
    u = k.bitcast(k.abs(x), dtypes.uint64)
    # x = m 2**e: only digits of 2/pi from bit e - 2 on matter modulo 4; 192 of them are enough
    m = (u & (2**52 - 1)) | 2**52
    skip = k.shr(u, 52) - (1075 - 62)
    skip = k.select(skip < 64 * 19, skip, k.like(0, skip))
    at = k.shr(skip, 6)
    window = ir.Constant(big, 0)
    for i in range(4):
        d = k.load(table, k.bitcast(at + i, dtypes.int64), dtypes.uint64)
        window = b.or_(window, b.shl(b.zext(d.ll, big), ir.Constant(big, 64 * (3 - i))))
    window = b.shl(window, b.zext((skip & 63).ll, big))
    digits = b.trunc(b.lshr(window, ir.Constant(big, 64)), mid)
    product = b.mul(digits, b.zext(m.ll, mid))  # x 2/pi modulo 4, scaled by 2**190
    q = b.lshr(b.add(product, ir.Constant(mid, 1 << 189)), ir.Constant(mid, 190))
    fraction = b.shl(product, ir.Constant(mid, 2))
    parts = []
    for i in range(4):  # 48 bits each, the first signed
        word = b.shl(fraction, ir.Constant(mid, 48 * i))
        word = (b.lshr if i else b.ashr)(word, ir.Constant(mid, 144))
        v = k.cast(k.wrap(b.trunc(word, i64), dtypes.int64), dtypes.float64)
        parts.append(v * 2.0 ** (-48 * (i + 1)))
    h, low = k._fast_sum(parts[0], parts[1])
    low = low + (parts[2] + parts[3])
    r, e = k._product(h, k.like(PI_2_FMA[0], h))
    r, low = k._fast_sum(r, e + (h * PI_2_FMA[1] + low * PI_2_FMA[0]))
    negative = x < 0.0
    n = k.wrap(b.trunc(q, i64), dtypes.uint64)
    out: Any = ir.Constant(k.func.function_type.return_type, None)
    values = (k.select(negative, -r, r), k.select(negative, -low, low),
              k.select(negative, k.like(0, n) - n, n))  # fmt: skip
    for i, v in enumerate(values):
        out = b.insert_value(out, v.ll, i)
    b.ret(out)
    return k.func
