"""Exponentials, logarithms and powers (see `vmath`)."""

from __future__ import annotations

from functools import partial

import numpy as np

from graphc.ir import dtypes
from graphc.runtime.llvm.values import V, number_of
from graphc.runtime.llvm.vmath_base import F32, F64, INF, NAN, Arithmetic, Poly, lift

__all__ = ["LN2", "Exponential"]

_FROM_1_TO_2 = 8  # getmant: the interval; NaN for x below zero
# fixupimm, four bits for each class of x, from the lowest: quiet NaN, signalling NaN, zero, one,
# -inf, +inf, negative, positive. 0: keep y; 2: x as a quiet NaN; 3: NaN; 4: -inf; 5: +inf; 8: +0.
_FIX_LOG = 0x03538422 & 0xFFFFFFFF
LOG2E = 1.4426950408889634
LN2 = 0.6931471805599453

# (exp r - 1 - r)/r**2 on |r| <= 0.348, times r**2/exp r: 2^-28.1 and 2^-57.8.
EXP: Poly = {
    "f32": (0.49999994, 0.16666512, 0.041668043, 0.00836973, 0.0013846048),
    "f64": (0.5000000000000011, 0.16666666666666397, 0.04166666666652503, 0.008333333333502847,
            0.0013888888945199497, 0.00019841269492846443, 2.480149128599802e-05,
            2.755759465855538e-06, 2.763095190921572e-07, 2.499869142538242e-08),
}  # fmt: skip
# f32: (log(1+f) - f + f*f/2)/f**3 on sqrt(1/2) <= 1+f <= sqrt(2), relative to the log: 2^-27.3.
# f64: (log((1+s)/(1-s))/s - 2)/s**2 as a polynomial in s*s, |s| <= 0.1716: 2^-59.5.
LOG: Poly = {
    "f32": (0.3333333, -0.25000823, 0.20001261, -0.16623329, 0.14200912, -0.13159572, 0.12767644,
            -0.07644134),
    "f64": (0.6666666666666734, 0.39999999999416275, 0.28571428742170013, 0.22222198585480388,
            0.18183564091389162, 0.15314048073362363, 0.1479604694770929),
}  # fmt: skip
# The same functions where AVX-512 looks up one of 16 numbers by four bits. (exp r - 1 - r)/r**2 on
# |r| <= ln2/32, times r**2/exp r: 2^-27.7; and 2**(j/16).
EXP_16 = (0.5000098, 0.16666862)
POWERS_16 = tuple(2.0 ** (j / 16) for j in range(16))
# What rounding those to float32 loses, relative to what is left.
LOST_16 = tuple(p / float(np.float32(p)) - 1.0 for p in POWERS_16)
# (2**-r - 1)/r on |r| <= 1/64, times r: 2^-24.1; and 2**(j/32).
EXP2_32 = (-0.69315734, 0.24022885)
POWERS_32 = tuple(2.0 ** (j / 32) for j in range(32))
# (log(1+r) - r)/r**2 on -1/32 <= r <= 1/16, times r**2/log(1+r): 2^-27.2. A significand from
# 1 + j/16 to 1 + (j+1)/16 times a number near the reciprocal of what is between, less 1, is r. Of
# those numbers these are the ones whose logarithm (from 1.5 on: that of twice the number) is minus
# a multiple of 2^-16 to 2^-32.9.
LOG_16 = (-0.49999997, 0.33334178, -0.25012314, 0.19021256)
NEAR_RECIPROCAL = (
    1.0, 0.91786164, 0.8701152, 0.8242486, 0.78807724, 0.7556463, 0.7168849, 0.6858854, 0.6510293,
    0.62136817, 0.61248195, 0.58456814, 0.5587188, 0.5384308, 0.5284196, 0.5,
)  # fmt: skip
LOG_OF_IT = tuple(n / 2.0**16 for n in (
    0, 5617, 9118, 12667, 15608, 18362, 21813, 24710, -17298, -14242, -13298, -10241, -7277, -4853,
    -3623, 0,
))  # fmt: skip
# What from 1.5 on is added to the exponent: the number counts as half of twice its power.
FROM_HALF = (0.0,) * 8 + (1.0,) * 8
# log2(1+f)/f on the interval of LOG, relative: 2^-38.4; for pow of float32, in float64.
POW_LOG2 = (1.4426950408865729, -0.721347520324211, 0.48089834879520776, -0.3606737939464494,
            0.2885387978851851, -0.24044638008565136, 0.2061069537890247, -0.1804381265281727,
            0.16022197167565982, -0.14248511970240443, 0.13020474451122147, -0.13464032498434794,
            0.13285035697816228, -0.0700976636921341)  # fmt: skip
# (2**r - 1)/r on |r| <= 0.5, times r/2**r: 2^-32; for pow of float32, in float64.
POW_EXP2 = (0.6931471838368081, 0.24022650922135655, 0.05550400331512125, 0.009618056630262353,
            0.001334196930105862, 0.0001546148340353154, 1.3359538888339185e-05)  # fmt: skip
# (atanh(s)/s - 1 - s*s/3)/s**4 in s*s, |s| <= 0.1716, absolute: 2^-66.3; for pow of float64.
POW_TAIL = (0.2000000000000113, 0.14285714285048418, 0.11111111260219919, 0.09090892159654705,
            0.0769337982498893, 0.06628380587331077, 0.06598438176490955)  # fmt: skip


class Exponential(Arithmetic):
    """Arithmetic with exponentials, logarithms and powers."""

    # ------------------------------------------------------------- exponential

    def _scaled(self, x: V, n: V, t: V, scale: float = 1.0) -> V:
        """x * 2**n * scale, rounded once, where `t` has the bits of n + 2 bias."""
        f = self._format(x)
        if self._whole(x):
            return self._wide("scalef", x if scale == 1.0 else x * scale, n)
        half = self.shr(t, 1)  # 2**n in two factors: n may be below and above the exponents
        a = self.bitcast(self.shl(half, f.mant), x.dtype)
        b = self.bitcast(self.shl(t - half, f.mant), x.dtype)
        return x * a * (b if scale == 1.0 else b * scale)

    def _exp_terms(self, x: V, n: V, low: V | None = None) -> tuple[V, V]:
        """exp(x + low - n ln2) - 1 as a large and a small term."""
        f = self._format(x)
        high = self._mad(n, -f.ln2[0], x)  # exact
        if low is not None:
            high, low = self._fast_sum(high, low)
        low = n * -f.ln2[1] if low is None else self._mad(n, -f.ln2[1], low)
        r = high + low
        return high, self._mad(r * r, self._poly(r, EXP), low)

    def _exp(self, x: V, low: V | None = None, scale: float = 1.0) -> V:
        """exp(x + low) * scale, for x in the range of `Format.exp` or NaN."""
        f = self._format(x)
        n, t = self._nearest(x, LOG2E, 2 * f.bias)
        high, tail = self._exp_terms(x, n, low)
        return self._scaled((high + tail) + 1.0, n, t, scale)

    def _expm1(self, x: V, scale: float = 1.0, exact: bool = False) -> V:
        """(exp(x) - 1)*scale for x >= -Format.expm1; scale 1/2 lets the exponent be maximal.

        Within 1.2 ulp, and if `exact` within 1.1 and never seen to decrease.
        """
        f = self._format(x)
        n, t = self._nearest(x, LOG2E, f.bias - (scale == 0.5))
        high, tail = self._exp_terms(x, n)
        s = self.bitcast(self.shl(t, f.mant), x.dtype)
        if exact:
            y, e = self._fast_sum(s - scale, s * high)
            return y + self._mad(s, tail, e)
        return self._mad(s, tail, self._mad(s, high, s - scale))

    @lift()
    def exp(self, x: V) -> V:
        if self._has_tables(x):
            return self._in_registers(self._exp_16, x)
        low, high = self._format(x).exp
        return self._exp(self._within(x, low, high))

    def _sixteenths(self, x: V) -> tuple[V, V]:
        """The sixteenth nearest to x*log2(e), in float32; how many that are, in the low bits."""
        t = self._mad(x, LOG2E, F32.round / 16)
        return t - F32.round / 16, self._bits(t)

    def _exp_16(self, x: V) -> V:
        """exp with n in sixteenths: 2**n from a table and what rounding took from it."""
        f = F32
        x = self._within(x, f.exp[0], f.exp[1])
        n, j = self._sixteenths(x)
        r = self._mad(n, -f.ln2[1], self._mad(n, -f.ln2[0], x))
        p, lost = self._looked_up(POWERS_16, j), self._looked_up(LOST_16, j)
        more = self._mad(r, self._mad(r, self._mad(r, EXP_16[1], EXP_16[0]), 1.0), lost)
        return self._wide("scalef", self._mad(p, more, p), n)

    @lift()
    def expm1(self, x: V) -> V:
        f = self._format(x)
        y = self._expm1(self._within(x, -f.expm1, f.exp[1]), 0.5, exact=True)
        return self.select(self.abs(x) < f.tiny, x, y + y)

    @lift()
    def tanh(self, x: V) -> V:
        a = self.abs(x)
        e = self._expm1(self._at_most(a + a, self._format(x).tanh))
        d = e + 2.0
        big = e > 2.0
        q = self.select(big, self.like(2.0, x), e) / d
        lost = e - (d - 2.0)
        near = self._mad(q * lost, self._mad(q, 0.5, -0.5), q)  # 1/d is (1-q)/2
        return self.copysign(self.select(big, 1.0 - q, near), x)

    @lift()
    def sigmoid(self, x: V) -> V:
        """2**n/(2**n + exp(-r)) for x = n ln2 + r; subnormal results too."""
        if self._has_tables(x):
            x, factor = self._factored(x)
            return self._in_registers(partial(self._sigmoid_16, factor=factor), x)
        f = self._format(x)
        x = self._within(x, f.exp[0], f.exp[1] - 1.0)
        n, t = self._nearest(x, LOG2E, 2 * f.bias)
        r = self._mad(n, f.ln2[1], self._mad(n, f.ln2[0], -x))
        p = self._scaled(self.like(1.0, x), n, t)
        return p / (p + (self._mad(r * r, self._poly(r, EXP), r) + 1.0))

    def _sigmoid_16(self, x: V, factor: float | None) -> V:
        """The sigmoid with n in sixteenths: 2**n from a table, and less is left for exp.

        A factor of `x` goes into the reduction, which rounds it and the product to a float32:
        the error that has is at most twice that of rounding the product. So n is in parts of 32
        there, and what is done by sums, as units that multiply have more to do.
        """
        f = F32
        if factor:
            c = factor * LOG2E
            y = self._within(x * c, f.exp[0] * LOG2E, (f.exp[1] - 1.0) * LOG2E)
            t = y + F32.round / 32
            n = t - F32.round / 32
            p = self._wide("scalef", self._looked_up(POWERS_32, self._bits(t)), n)
            return p / (p + self._poly(y - n, (1.0, *EXP2_32)))
        x = self._within(x, f.exp[0], f.exp[1] - 1.0)
        n, j = self._sixteenths(x)
        r = self._mad(n, -f.ln2[1], self._mad(n, -f.ln2[0], x))
        p = self._wide("scalef", self._looked_up(POWERS_16, j), n)
        return p / (p + self._poly(r, (1.0, -1.0, EXP_16[0], -EXP_16[1])))

    def _factored(self, x: V) -> tuple[V, float | None]:
        """`x` as another value and a number, if it is their product."""
        if getattr(x.ll, "opname", "") == "fmul":
            for y, c in (x.ll.operands, x.ll.operands[::-1]):
                number = number_of(c)
                if number is not None and 2.0**-16 < abs(number) < 2.0**16:
                    return V(self, y, x.dtype, x.lanes), number
        return x, None

    @lift()
    def softplus(self, x: V) -> V:
        """log(1 + exp(x)) as max(x, 0) + log1p(exp(-abs(x)))."""
        e = self._exp(self._at_least(-self.abs(x), self._format(x).exp[0]))
        big = e > 0.41421356
        f = self.select(big, self._mad(e, 0.5, -0.5), e)
        y = self.select(big, self.like(LN2, x), self.like(0.0, x)) + (f + self._log_tail(f))
        return self.relu(x) + y

    def log_sigmoid(self, x: V) -> V:
        return -self.softplus(-x)

    @lift()
    def elu(self, x: V) -> V:
        """x for x > 0, else exp(x) - 1."""
        f = self._format(x)
        y = self._expm1(self._within(x, -f.expm1, 0.0), exact=True)
        return self.select(self.abs(x) < f.tiny, x, self.select(x > 0.0, x, y))

    @lift()
    def selu(self, x: V) -> V:
        scale, alpha = 1.0507009873554804934193349852946, 1.7580993408473768599402175208123
        f = self._format(x)
        y = self._expm1(self._within(x, -f.expm1, 0.0), exact=True)
        y = self.select(self.abs(x) < f.tiny, x, y)
        bits = 12 if x.dtype.code == "f32" else 26  # alpha in two terms
        a = round(alpha * 2.0**bits) / 2.0**bits
        return self.select(x > 0.0, x * scale, self._mad(y, a, y * (alpha - a)))

    # ------------------------------------------------------------- logarithm

    def _log_tail(self, f: V) -> V:
        """log(1+f) - f for 1+f between sqrt(1/2) and sqrt(2)."""
        if f.dtype.code == "f32":
            return (f * f) * self._mad(f, self._poly(f, LOG), -0.5)
        s = f / (f + 2.0)
        z = s * s
        h = (f * 0.5) * f
        return self._mad(s, self._mad(z, self._poly(z, LOG), h), -h)

    def _log_sum(self, k: V, f: V, tail: V) -> V:
        """k ln2 + f + tail; the first product and the error of the first sum are exact."""
        high, low = self._format(f).ln2
        s = self._mad(k, high, f)
        return s + ((self._mad(k, high, -s) + f) + self._mad(k, low, tail))

    def _exponent(self, x: V) -> tuple[V, V]:
        """For positive normal x = m 2**k, sqrt(1/2) <= m < sqrt(2): the bits of k + bias, and m."""
        f = self._format(x)
        u = self._bits(x) + ((f.bias << f.mant) - f.sqrt_half)
        m = (u & ((1 << f.mant) - 1)) + f.sqrt_half
        return self.shr(u, f.mant), self.bitcast(m, x.dtype)

    def _sqrt_2(self, x: V) -> float:
        """Above this a significand from 1 to 2 counts as half of itself, as in `_exponent`."""
        f = self._format(x)
        t = np.uint32 if f.mant == 23 else np.uint64
        return float(np.array(f.sqrt_half + (1 << f.mant) - 1, t).view(x.dtype.np))

    def _float(self, k: V, x: V) -> V:
        """A small unsigned integer plus Format.round, as a float."""
        f = self._format(x)
        magic = {23: 0x4B400000, 52: 0x4338000000000000}[f.mant]
        return self.bitcast(k + magic, x.dtype)

    @lift()
    def log(self, x: V) -> V:
        if self._has_tables(x):
            return self._in_registers(self._log_16, x)
        f = self._format(x)
        if self._whole(x):
            n, m = self._wide("getexp", x), self._wide("getmant", x, _FROM_1_TO_2)
            big = m > self._sqrt_2(x)
            n, m = self.select(big, n + 1.0, n), self.select(big, m * 0.5, m)
            r = m - 1.0
            y = self._log_sum(n, r, self._log_tail(r))
            return self._wide("fixupimm", y, x, self.like(_FIX_LOG, self._bits(x)), 0)
        small = x < 2.0 ** (1 - f.bias)
        k, m = self._exponent(self.select(small, x * 2.0**f.mant, x))
        base = f.round + f.bias
        n = self._float(k, x) - self.select(small, self.like(base + f.mant, x), self.like(base, x))
        r = m - 1.0
        return self._log_fix(x, 0.0, self._log_sum(n, r, self._log_tail(r)))

    def _log_16(self, x: V) -> V:
        """The logarithm of a number near m's reciprocal from a table; log(1+r) is left.

        The exponent of 0 is -inf, that of infinity is infinite too, the significand of a number
        below 0 is NaN: nothing needs to be mended.
        """
        n, m = self._wide("getexp", x), self._wide("getmant", x, _FROM_1_TO_2)
        j = self.shr(self._bits(m), F32.mant - 4)
        n = n + self._looked_up(FROM_HALF, j)
        s = self._mad(n, F32.ln2[0], self._looked_up(LOG_OF_IT, j))  # exact
        r = self._mad(m, self._looked_up(NEAR_RECIPROCAL, j), -1.0)
        a, b, c, d = LOG_16
        z = r * r
        tail = self._mad(z, self._mad(r, d, c), self._mad(r, b, a))
        return s + self._mad(n, F32.ln2[1], self._mad(z, tail, r))

    def _log_fix(self, x: V, zero: float, y: V) -> V:
        """The logarithm's values at infinity, NaN, at its pole `zero` and below."""
        y = self.select(x < INF, y, x)
        pole = self.select(x.eq(zero), self.like(-INF, x), self.like(NAN, x))
        return self.select(x > zero, y, pole)

    @lift()
    def log1p(self, x: V) -> V:
        f = self._format(x)
        u = x + 1.0
        k, m = self._exponent(u)
        c = x - (u - 1.0)  # what the sum lost
        last = self.like(2 * f.bias - 1, k)
        s = self.shl(self.like(2 * f.bias, k) - self.select(k < last, k, last), f.mant)
        r, low = self._fast_sum(m - 1.0, self.bitcast(s, x.dtype) * c)
        n = self._float(k, x) - (f.round + f.bias)
        y = self._log_sum(n, r, self._log_tail(r) + low)
        return self.copysign(self._log_fix(x, -1.0, y), x)

    # ------------------------------------------------------------- powers

    def sqrt(self, x: V) -> V:
        if x.dtype.code in ("f16", "bf16"):
            return self.cast(self.sqrt(self.cast(x, dtypes.float32)), x.dtype)
        return self.call("llvm.sqrt", x)

    def rsqrt(self, x: V) -> V:
        if x.dtype.code in ("f16", "bf16"):
            return self.cast(self.rsqrt(self.cast(x, dtypes.float32)), x.dtype)
        return 1.0 / self.sqrt(x)

    def reciprocal(self, x: V) -> V:
        return 1.0 / x

    def square(self, x: V) -> V:
        return x * x

    @lift(wide=True)
    def _pow32(self, x: V, y: V) -> V:
        """x**y for positive x and y from float32, in float64 of 2^-32 relative error."""
        k, m = self._exponent(x)
        f = m - 1.0
        n = self._float(k, x) - (F64.round + F64.bias)
        t = y * self._mad(f, self._poly(f, POW_LOG2), n)
        t = self._within(t, -200.0, 200.0)
        n, u = self._nearest(t, 1.0, F64.bias)
        r = t - n
        s = self.bitcast(self.shl(u, F64.mant), x.dtype)
        return self._mad(s * r, self._poly(r, POW_EXP2), s)

    def _pow64(self, x: V, y: V) -> V:
        """x**y for positive x: the logarithm in two terms of 2^-66 relative error."""
        small = x < 2.0**-1022
        k, m = self._exponent(self.select(small, x * 2.0**52, x))
        base = F64.round + F64.bias
        n = self._float(k, x) - self.select(small, self.like(base + 52, x), self.like(base, x))
        # s = f/(2+f) as two terms; log m = 2s + 2s (z/3 + z*z*tail), z = s*s
        f = m - 1.0
        d, de = self._two_sum(f, self.like(2.0, f))
        s = f / d
        se = (self._residual(s, d, f) - s * de) / d
        z, ze = self._product(s, s)
        ze = ze + (s + s) * se
        p, pe = self._product(z, self.like(1 / 3, z))
        pe = pe + self._mad(ze, 1 / 3, z * 1.850371707708594e-17)
        q, qe = self._fast_sum(p, (z * z) * self._poly(z, POW_TAIL))
        qe = qe + pe
        t, te = self._product(s, q)
        te = te + self._mad(s, qe, se * q)
        # everything twice, and n ln2
        a, ae = self._fast_sum(s + s, t + t)
        b, be = self._fast_sum(n * F64.ln2[0], a)
        low = be + (ae + ((se + te) * 2.0 + n * F64.ln2[1]))
        b, low = self._fast_sum(b, low)
        p, pe = self._product(y, b)
        pe = pe + y * low
        inside = self.abs(p) < 1000.0
        pe = self.select(inside, pe, self.like(0.0, pe))
        return self._exp(self._within(p, -746.0, 710.0), pe)

    def pow(self, x: V, y: V) -> V:
        """x**y with the special cases of C99 Annex F; integers by repeated squaring, wrapping."""
        if not isinstance(y, V):
            y = self.like(y, x)
        x, y = self._pair(x, y)
        if x.dtype.kind != "f":
            return self._ipow(x, y)
        if x.dtype.code in ("f16", "bf16"):
            to = dtypes.float32
            return self.cast(self.pow(self.cast(x, to), self.cast(y, to)), x.dtype)
        a, b = self.abs(x), self.abs(y)
        one, zero, inf = (self.like(c, x) for c in (1.0, 0.0, INF))
        r = self._pow32(a, y) if x.dtype.code == "f32" else self._pow64(a, y)
        extreme = a.eq(0.0) | a.eq(INF) | b.eq(INF)
        r = self.select(extreme, self.select((a > 1.0) ^ (y < 0.0), inf, zero), r)
        r = self.select(a.eq(1.0), one, r)
        whole = self.trunc(y).eq(y)
        h = y * 0.5
        odd = whole & self.trunc(h).ne(h)
        r = self.copysign(r, self.select(odd, x, one))
        r = self.select((x < 0.0) & ~whole & (a < INF), self.like(NAN, x), r)
        r = self.select(x.ne(x) | y.ne(y), x + y, r)
        return self.select(y.eq(0.0) | x.eq(1.0), one, r)

    def _ipow(self, x: V, y: V) -> V:
        """Integer power modulo 2**width; a negative exponent gives 0, or ±1 for a base ±1."""
        one = self.like(1, x)
        r, base, e = one, x, y
        for bit in range(x.dtype.size * 8 - (x.dtype.kind == "i")):
            r = self.select((e & 1).ne(0), r * base, r)
            base, e = base * base, self.shr(e, 1)
            del bit
        if x.dtype.kind == "u":
            return r
        unit = self.select(x.eq(1), one, self.like(0, x))
        sign = self.select((y & 1).ne(0), self.like(-1, x), one)
        return self.select(y < 0, self.select(x.eq(-1), sign, unit), r)
