"""The elementary functions, as explicit arithmetic on scalars and vectors.

`Math` is the object an op record's `scalar=lambda k, x: …` receives as `k`. Each function is
branch-free (a huge argument of sin, cos, tan takes a scalar detour), has the same bits for
every lane count, flushes no subnormal, and stays within `ULP` of the exact value.

How it is computed follows from the type alone: float16 and bfloat16 in float32; float32 in
float32 where that is fastest, else in float64 (functions marked `_lift(wide=True)`, and all
of them on a machine without FMA); float64 in float64, with two-term arithmetic where one
term is not enough. With AVX-512 the float32 logarithm and sigmoid look up numbers in registers:
other formulas of the same bounds, so that last bits differ between kinds of CPU. All polynomials
are minimax fits (Remez with mpmath at 220 bits, leading coefficients rounded first and the rest
refitted), those for the tables interpolate; the comment at each gives interval and error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, cast

import numpy as np
from llvmlite import ir

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.emit import Fn, V, i32, i64, number_of

__all__ = ["ULP", "Math"]

# The largest error in units in the last place (float32, float64) over all finite arguments,
# subnormal results included. For lgamma, digamma and trigamma the unit is that of the largest
# of 1, the result and, where x < 0, the result at 1 - x.
ULP: dict[str, tuple[float, float]] = {
    "sqrt": (0.5, 0.5), "rsqrt": (1.5, 1.5), "exp": (1, 1), "log": (1.1, 1), "log1p": (1.5, 1.5),
    "expm1": (1.5, 1.5), "tanh": (2.5, 2.5), "sigmoid": (3, 3), "softplus": (3, 3),
    "log_sigmoid": (3, 3), "elu": (2, 2), "selu": (2, 2), "softsign": (1.5, 1.5),
    "sin": (1, 1), "cos": (1, 1), "tan": (1, 1), "asin": (1.5, 1), "acos": (1.5, 1.5),
    "atan": (1.5, 1), "atan2": (1, 1.5), "sinh": (2.5, 2), "cosh": (2, 2), "asinh": (1, 3),
    "acosh": (1, 3), "atanh": (1, 3), "erf": (2, 1.5), "erfc": (1, 4), "pow": (1, 1.5),
    "lgamma": (1, 4), "digamma": (1, 8), "trigamma": (1, 6),
}  # fmt: skip

P = ParamSpec("P")
Method = Callable[Concatenate["Math", V, P], V]


def _lift(wide: bool = False) -> Callable[[Method[P]], Method[P]]:
    """Compute half types in float32; float32 in float64 if `wide` or there is no FMA."""

    def decorate(f: Method[P]) -> Method[P]:
        @wraps(f)
        def method(self: Math, x: V, *more: P.args, **named: P.kwargs) -> V:
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
_FROM_1_TO_2 = 8  # getmant: the interval; NaN for x below zero
# fixupimm, four bits for each class of x, from the lowest: quiet NaN, signalling NaN, zero, one,
# -inf, +inf, negative, positive. 0: keep y; 2: x as a quiet NaN; 3: NaN; 4: -inf; 5: +inf; 8: +0.
_FIX_LOG = 0x03538422 & 0xFFFFFFFF
LOG2E = 1.4426950408889634
LN2 = 0.6931471805599453
PI = 3.141592653589793
PI_4 = {"f32": (0.7853981852531433, -2.1855694143368964e-08),
        "f64": (0.7853981633974483, 3.061616997868383e-17)}  # fmt: skip

Poly = dict[str, Sequence[float]]

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
# erf(x)/x - 1 in x*x on |x| <= 1, relative to erf(x)/x: 2^-29.4 and 2^-56.4.
ERF: Poly = {
    "f32": (0.12837917, -0.37612626, 0.11283579, -0.026853347, 0.005187162, -0.0007997852,
            7.806892e-05),
    "f64": (0.12837916709551256, -0.37612638903183404, 0.11283791670939883, -0.02686617064244796,
            0.0052239776007647525, -0.0008548325675246165, 0.00012055286033738966,
            -1.4924568277458764e-05, 1.6445364506259169e-06, -1.6192854934234374e-07,
            1.3653083966240945e-08, -7.671998304890946e-10),
}  # fmt: skip
# erfc(2.5 + t) on -1.5 <= t <= 1.38, absolute: 2^-24.9; for erf of float32.
ERFC_LARGE = (0.00040693177, -0.0021780808, 0.0054466464, -0.008353229, 0.008615356, -0.006103269,
              0.002818091, -0.00057034474, -0.00028642497, 0.0002788883, -6.192337e-05,
              -2.1038728e-05, 9.13036e-06)  # fmt: skip
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
# (sinh x/x - 1)/x**2 in x*x on |x| <= 1, relative to sinh: 2^-31.6 and 2^-61.8.
SINH: Poly = {
    "f32": (0.16666667, 0.0083333105, 0.00019842891, 2.7822666e-06),
    "f64": (0.16666666666666669, 0.008333333333332912, 0.00019841269841593405,
            2.755731910676228e-06, 2.5052130996931154e-08, 1.6056659392952287e-10,
            7.776590386891104e-13),
}  # fmt: skip
# (1 + 2x) exp(x*x) erfc(x) in (x-4)/(x+4) on 0.84 <= x <= 28, relative: 2^-54.2.
ERFCX = (1.2329951186255526, -0.13962111684056247, 0.015379652102621695, 0.06809705425468375,
         -0.10103906603644838, 0.09373283499877082, -0.06633036580809941, 0.03716751552817623,
         -0.01619773411752167, 0.005031970093202358, -0.0007577727921833789,
         -0.00019925756670602433, 0.00015061917561162897, -2.4395013378274247e-05,
         -1.1214311823954783e-05, 5.696767040867721e-06, 2.797254237853664e-07,
         -8.004940267469368e-07, 8.799230239562792e-08, 8.252440286344558e-08,
         -2.167701698029508e-08)  # fmt: skip
# lgamma(2 + z)/z on |z| <= 0.5, relative: 2^-55.
LGAMMA = (0.42278433509846713, 0.3224670334241133, -0.06735230105319577, 0.020580808427765978,
          -0.007385551028924828, 0.002890510331840964, -0.0011927539013406514,
          0.000509669495125985, -0.00022315497209364745, 9.94579440624979e-05,
          -4.4923773273978226e-05, 2.0503544602357053e-05, -9.456073005683449e-06,
          4.393519007738424e-06, -1.9748397012827494e-06, 8.999047112955611e-07,
          -5.806002324568486e-07, 2.9770372254417857e-07)  # fmt: skip
# The rest of Stirling's series, times x, in x**-2 for x >= 7, absolute: 2^-65.5.
STIRLING = (0.08333333333333331, -0.0027777777777372617, 0.0007936507704811593,
            -0.0005952324005364808, 0.0008410355392979489, -0.0018688995510692781,
            0.004659184725554359)  # fmt: skip
# (log x - 1/(2x) - digamma x) x**2 in x**-2 for x >= 6, over x**2: 2^-59.5.
DIGAMMA = (0.08333333333332588, -0.0083333333263325, 0.003968251739461673, -0.004166328129615953,
           0.0075479057110674685, -0.019799157040807997, 0.05000185611120869)  # fmt: skip
# (trigamma x - 1/x - 1/(2x**2)) x**3 in x**-2 for x >= 6, over x**2: 2^-59.2.
TRIGAMMA = (0.166666666666661, -0.03333333332654864, 0.02380952102845615, -0.03333277888859763,
            0.07569577068603145, -0.24901726925241738, 1.0024593895022904,
            -3.1678006057656454)  # fmt: skip
# (sin(pi f)/(pi f) - 1)/f**2 in f*f on |f| <= 0.5, relative: 2^-60.8.
SINPI = (-1.6449340668482262, 0.8117424252833281, -0.19075182412111336, 0.026147847799290518,
         -0.0023460808404309726, 0.0001484275750595, -6.971431202796095e-06,
         2.443500806333461e-07)  # fmt: skip
# P = x(x+1)…(x+5) over x, its derivative, and the numerator of the sum of 1/(x+j)**2 over P**2.
RISING = (120.0, 274.0, 225.0, 85.0, 15.0, 1.0)
RISING_1 = (120.0, 548.0, 675.0, 340.0, 75.0, 6.0)
RISING_2 = (14400.0, 65760.0, 150152.0, 205800.0, 180455.0, 104370.0, 40208.0, 10200.0, 1635.0,
            150.0, 6.0)  # fmt: skip

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


class Math(Fn):
    """A function under construction that knows the elementary functions.

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
        """table[index % 16] in float32, for whole registers."""
        n = 16
        if index.lanes > n:
            halves = (range(index.lanes // 2), range(index.lanes // 2, index.lanes))
            low, high = (self._looked_up(table, self.shuffle(index, None, h)) for h in halves)
            return self.shuffle(low, high, range(index.lanes))
        t = ir.VectorType(ir.FloatType(), n)
        values = ir.Constant(t, [float(np.float32(v)) for v in table])
        ll = self.call_intrinsic("llvm.x86.avx512.permvar.sf.512", [], t, [values, index.ll])
        return V(self, ll, dtypes.float32, n)

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

    @_lift()
    def exp(self, x: V) -> V:
        if self._has_tables(x):
            return self._in_registers(self._exp_16, x)
        low, high = self._format(x).exp
        return self._exp(self._at_most(self._at_least(x, low), high))

    def _exp_16(self, x: V) -> V:
        """exp with n in sixteenths: 2**n from a table and what rounding took from it."""
        f = F32
        x = self._at_most(self._at_least(x, f.exp[0]), f.exp[1])
        t = self._mad(x, LOG2E, f.round / 16)
        n, j = t - f.round / 16, self._bits(t)
        r = self._mad(n, -f.ln2[1], self._mad(n, -f.ln2[0], x))
        p, lost = self._looked_up(POWERS_16, j), self._looked_up(LOST_16, j)
        more = self._mad(r, self._mad(r, self._mad(r, EXP_16[1], EXP_16[0]), 1.0), lost)
        return self._wide("scalef", self._mad(p, more, p), n)

    @_lift()
    def expm1(self, x: V) -> V:
        f = self._format(x)
        y = self._expm1(self._at_most(self._at_least(x, -f.expm1), f.exp[1]), 0.5, exact=True)
        return self.select(self.abs(x) < f.tiny, x, y + y)

    @_lift()
    def tanh(self, x: V) -> V:
        a = self.abs(x)
        e = self._expm1(self._at_most(a + a, self._format(x).tanh))
        d = e + 2.0
        big = e > 2.0
        q = self.select(big, self.like(2.0, x), e) / d
        lost = e - (d - 2.0)
        near = self._mad(q * lost, self._mad(q, 0.5, -0.5), q)  # 1/d is (1-q)/2
        return self.copysign(self.select(big, 1.0 - q, near), x)

    @_lift()
    def sigmoid(self, x: V) -> V:
        """2**n/(2**n + exp(-r)) for x = n ln2 + r; subnormal results too."""
        if self._has_tables(x):
            x, factor = self._factored(x)
            return self._in_registers(partial(self._sigmoid_16, factor=factor), x)
        f = self._format(x)
        x = self._at_most(self._at_least(x, f.exp[0]), f.exp[1] - 1.0)
        n, t = self._nearest(x, LOG2E, 2 * f.bias)
        r = self._mad(n, f.ln2[1], self._mad(n, f.ln2[0], -x))
        p = self._scaled(self.like(1.0, x), n, t)
        return p / (p + (self._mad(r * r, self._poly(r, EXP), r) + 1.0))

    def _sigmoid_16(self, x: V, factor: float | None) -> V:
        """The sigmoid with n in sixteenths: 2**n from a table, and less is left for exp.

        A factor of `x` goes into the reduction, which rounds it to a float32: the error that
        has is at most that of rounding the product.
        """
        f, c = F32, factor or 1.0
        low, high = sorted((f.exp[0] / c, (f.exp[1] - 1.0) / c))
        x = self._at_most(self._at_least(x, low), high)
        t = self._mad(x, c * LOG2E, f.round / 16)
        n = t - f.round / 16
        if factor:  # what is left is of 2 to the power
            r, unit = self._mad(x, c * LOG2E, -n), LN2
        else:
            r, unit = self._mad(n, -f.ln2[1], self._mad(n, -f.ln2[0], x)), 1.0
        p = self._wide("scalef", self._looked_up(POWERS_16, self._bits(t)), n)
        e = (1.0, -unit, EXP_16[0] * unit**2, -EXP_16[1] * unit**3)
        return p / (p + self._poly(r, e))

    def _factored(self, x: V) -> tuple[V, float | None]:
        """`x` as another value and a number, if it is their product."""
        if getattr(x.ll, "opname", "") == "fmul":
            for y, c in (x.ll.operands, x.ll.operands[::-1]):
                number = number_of(c)
                if number is not None and 2.0**-16 < abs(number) < 2.0**16:
                    return V(self, y, x.dtype, x.lanes), number
        return x, None

    @_lift()
    def softplus(self, x: V) -> V:
        """log(1 + exp(x)) as max(x, 0) + log1p(exp(-abs(x)))."""
        e = self._exp(self._at_least(-self.abs(x), self._format(x).exp[0]))
        big = e > 0.41421356
        f = self.select(big, self._mad(e, 0.5, -0.5), e)
        y = self.select(big, self.like(LN2, x), self.like(0.0, x)) + (f + self._log_tail(f))
        return self.relu(x) + y

    @_lift()
    def elu(self, x: V) -> V:
        """x for x > 0, else exp(x) - 1."""
        f = self._format(x)
        y = self._expm1(self._at_most(self._at_least(x, -f.expm1), 0.0), exact=True)
        return self.select(self.abs(x) < f.tiny, x, self.select(x > 0.0, x, y))

    @_lift()
    def selu(self, x: V) -> V:
        scale, alpha = 1.0507009873554804934193349852946, 1.7580993408473768599402175208123
        f = self._format(x)
        y = self._expm1(self._at_most(self._at_least(x, -f.expm1), 0.0), exact=True)
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

    @_lift()
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
        n = self.select(m >= 1.5, n + 1.0, n)
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

    @_lift()
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

    @_lift(wide=True)
    def _pow32(self, x: V, y: V) -> V:
        """x**y for positive x and y from float32, in float64 of 2^-32 relative error."""
        k, m = self._exponent(x)
        f = m - 1.0
        n = self._float(k, x) - (F64.round + F64.bias)
        t = y * self._mad(f, self._poly(f, POW_LOG2), n)
        t = self._at_most(self._at_least(t, -200.0), 200.0)
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
        return self._exp(self._at_most(self._at_least(p, -746.0), 710.0), pe)

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

    # ------------------------------------------------------------- trigonometry

    @_lift()
    def sin(self, x: V) -> V:
        return self.select(x.eq(0.0), x, self._sin_cos(x, 0))

    @_lift()
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

    @_lift()
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

    @_lift()
    def asin(self, x: V) -> V:
        big, s, t, tt = self._asin_terms(x)
        high, low = PI_4[x.dtype.code]
        d, e = self._fast_sum(self.like(high, x), s * -2.0)
        far = high + (d + (e - (tt - 2.0 * low)))
        return self.copysign(self.select(big, far, s + t), x)

    @_lift()
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

    @_lift()
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

    @_lift(wide=True)
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

    # ------------------------------------------------------------- hyperbolic functions

    def _half_exp(self, a: V) -> V:
        """exp(a)/2, which overflows later than exp(a)."""
        return self._exp(self._at_most(a, self._format(a).exp[1] + 1.0), scale=0.5)

    @_lift()
    def sinh(self, x: V) -> V:
        a = self.abs(x)
        z = x * x
        near = self._mad(a, z * self._poly(self._at_most(z, 1.0), SINH), a)
        h = self._half_exp(a)
        return self.copysign(self.select(a < 1.0, near, h - 0.25 / h), x)

    @_lift()
    def cosh(self, x: V) -> V:
        h = self._half_exp(self.abs(x))
        return h + 0.25 / h

    @_lift(wide=True)
    def asinh(self, x: V) -> V:
        a = self.abs(x)
        big = a > 2.0**500
        z = a * a
        arg = a + z / (self.call("llvm.sqrt", z + 1.0) + 1.0)
        return self.copysign(self._log1p_large(self.select(big, a, arg), big), x)

    @_lift(wide=True)
    def acosh(self, x: V) -> V:
        big = x > 2.0**500
        t = x - 1.0
        arg = t + self.call("llvm.sqrt", t * (t + 2.0))
        y = self._log1p_large(self.select(big, x, arg), big)
        return self.select(x < 1.0, self.like(NAN, x), y)

    def _log1p_large(self, x: V, big: V) -> V:
        return self.log1p(x) + self.select(big, self.like(LN2, x), self.like(0.0, x))

    @_lift(wide=True)
    def atanh(self, x: V) -> V:
        a = self.abs(x)
        return self.copysign(self.log1p((a + a) / (1.0 - a)) * 0.5, x)

    # ------------------------------------------------------------- error function

    @_lift()
    def erf(self, x: V) -> V:
        a = self.abs(x)
        z = x * x
        near = self._mad(x, self._poly(z, ERF), x)
        if x.dtype.code == "f32":
            far = 1.0 - self._poly(self._at_most(a, 3.88) - 2.5, ERFC_LARGE)
        else:
            far = 1.0 - self._erfc_far(self._at_most(a, 6.0))
        return self.select(a < 1.0, near, self.copysign(far, x))

    def _erfc_far(self, x: V) -> V:
        """erfc for 0.84 <= x <= 27.3."""
        z, e = self._product(x, x)
        y = (x - 4.0) / (x + 4.0)
        return self._exp(-z, -e) * self._poly(y, ERFCX) / self._mad(x, 2.0, 1.0)

    @_lift(wide=True)
    def erfc(self, x: V) -> V:
        a = self.abs(x)
        z = x * x
        near = 1.0 - self._mad(x, self._poly(z, ERF), x)
        far = self._erfc_far(self._at_most(a, 27.29))
        return self.select(a < 0.84, near, self.select(x < 0.0, 2.0 - far, far))

    # ------------------------------------------------------------- gamma function

    def _fraction(self, x: V) -> V:
        return x - self.call("llvm.rint", x)

    def _sinpi(self, f: V) -> V:
        """sin(pi f)/pi for abs(f) <= 1/2."""
        z = f * f
        return self._mad(f * z, self._poly(z, SINPI), f)

    @_lift(wide=True)
    def lgamma(self, x: V) -> V:
        """log(abs(gamma(x))); +inf at its poles."""
        reflect = x < 0.0
        y = self.select(reflect, 1.0 - x, x)
        pole = self.any(reflect)

        def mirrored() -> list[V]:
            f = self.abs(self._fraction(x))
            w = self.select(f > 0.0, -self.log(self._sinpi(f)) - p, self.like(INF, x))
            return [self.select(x.eq(-INF), -x, self.select(reflect, w, p))]

        p = self._lgamma_positive(y)
        return self.choose(pole, mirrored, lambda: [p])[0]

    def _lgamma_positive(self, x: V) -> V:
        # Below 7, shifted to lgamma(2+z), abs(z) <= 1/2, by a product; above, Stirling.
        one = self.like(1.0, x)
        z = x - self._at_most(self.call("llvm.floor", x + 0.5), 7.0)
        p = self.select(x < 1.5, x, one) * self.select(x < 0.5, x + 1.0, one)
        for i in range(1, 6):
            p = p * self.select(x >= i + 1.5, x - float(i), one)
        small = x < 7.0
        lg = self.log(self.select(small, p, x))
        near = self._mad(z, self._poly(z, LGAMMA), self.select(x < 1.5, -lg, lg))
        r = 1.0 / x
        far = self._mad(r, self._poly(r * r, STIRLING), 0.4189385332046727)
        return self.select(small, near, self._mad(x - 0.5, lg - 1.0, far))

    @_lift(wide=True)
    def digamma(self, x: V) -> V:
        """The derivative of lgamma; +inf at its poles, as TensorFlow."""
        reflect = x <= 0.0
        y = self.select(reflect, 1.0 - x, x)
        w, c = self._shift_six(y)
        u = 1.0 / (w * w)
        p = (self.log(w) - 0.5 / w) - u * self._poly(u, DIGAMMA)
        shift = self._poly(c, RISING_1) / (c * self._poly(c, RISING))
        p = p - self.select(y < 6.0, shift, self.like(0.0, x))

        def mirrored() -> list[V]:
            f = self._fraction(x)
            cot = self._sinpi(0.5 - self.abs(f)) / self._sinpi(f)
            v = self.select(self.abs(f) > 0.0, p - cot * PI, self.like(INF, x))
            return [self.select(reflect, v, p)]

        return self.choose(self.any(reflect), mirrored, lambda: [p])[0]

    def _shift_six(self, y: V) -> tuple[V, V]:
        """y + 6 where y is below 6; and min(y, 6)."""
        return self.select(y < 6.0, y + 6.0, y), self._at_most(y, 6.0)

    @_lift(wide=True)
    def trigamma(self, x: V) -> V:
        """The derivative of digamma; +inf at its poles."""
        reflect = x <= 0.0
        y = self.select(reflect, 1.0 - x, x)
        w, c = self._shift_six(y)
        r = 1.0 / w
        u = r * r
        p = self._mad(u * r, self._poly(u, TRIGAMMA), self._mad(u, 0.5, r))
        d = c * self._poly(c, RISING)
        p = p + self.select(y < 6.0, self._poly(c, RISING_2) / (d * d), self.like(0.0, x))

        def mirrored() -> list[V]:
            f = self._fraction(x)
            s = self._sinpi(f)
            v = self.select(self.abs(f) > 0.0, 1.0 / (s * s) - p, self.like(INF, x))
            return [self.select(reflect, v, p)]

        return self.choose(self.any(reflect), mirrored, lambda: [p])[0]

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

    @_lift(wide=True)
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

    def log_sigmoid(self, x: V) -> V:
        return -self.softplus(-x)

    def logical_and(self, x: V, y: V) -> V:
        return x & y

    def logical_or(self, x: V, y: V) -> V:
        return x | y

    def logical_xor(self, x: V, y: V) -> V:
        return x ^ y

    def logical_not(self, x: V) -> V:
        return ~x


def _reduction(module: ir.Module, has_fma: bool) -> ir.Function:
    """An internal function: x - q pi/2 as two float64, and q, for finite abs(x) >= 2^20."""
    name = "graphc_reduce"
    found = module.globals.get(name)
    if found is not None:
        return found
    f64 = ir.DoubleType()
    big, mid = ir.IntType(256), ir.IntType(192)
    k = Math(module, name, [f64], ir.LiteralStructType([f64, f64, i64]), linkage="internal",
             has_fma=has_fma)  # fmt: skip
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
