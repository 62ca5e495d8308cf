"""The elementary functions, as explicit arithmetic on scalars and vectors.

`Math` is the object an op record's `scalar=lambda k, x: …` receives as `k`. Each function is
branch-free (a huge argument of sin, cos, tan takes a scalar detour), has the same bits for
every lane count, flushes no subnormal, and stays within `ULP` of the exact value.

How it is computed follows from the type alone: float16 and bfloat16 in float32; float32 in
float32 where that is fastest, else in float64 (functions marked `lift(wide=True)`, and all
of them on a machine without FMA); float64 in float64, with two-term arithmetic where one
term is not enough. With AVX-512 the float32 logarithm and sigmoid look up numbers in registers:
other formulas of the same bounds, so that last bits differ between kinds of CPU. All polynomials
are minimax fits (Remez with mpmath at 220 bits, leading coefficients rounded first and the rest
refitted), those for the tables interpolate; the comment at each gives interval and error.
"""

from __future__ import annotations

from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.vmath_base import INF, NAN, Poly, lift
from graphc.runtime.llvm.vmath_exp import LN2, Exponential
from graphc.runtime.llvm.vmath_trig import Trigonometric

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

PI = 3.141592653589793
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


class Math(Exponential, Trigonometric):
    """A function under construction that knows the elementary functions."""

    # ------------------------------------------------------------- hyperbolic functions

    def _half_exp(self, a: V) -> V:
        """exp(a)/2, which overflows later than exp(a)."""
        return self._exp(self._at_most(a, self._format(a).exp[1] + 1.0), scale=0.5)

    @lift()
    def sinh(self, x: V) -> V:
        a = self.abs(x)
        z = x * x
        near = self._mad(a, z * self._poly(self._at_most(z, 1.0), SINH), a)
        h = self._half_exp(a)
        return self.copysign(self.select(a < 1.0, near, h - 0.25 / h), x)

    @lift()
    def cosh(self, x: V) -> V:
        h = self._half_exp(self.abs(x))
        return h + 0.25 / h

    @lift(wide=True)
    def asinh(self, x: V) -> V:
        a = self.abs(x)
        big = a > 2.0**500
        z = a * a
        arg = a + z / (self.call("llvm.sqrt", z + 1.0) + 1.0)
        return self.copysign(self._log1p_large(self.select(big, a, arg), big), x)

    @lift(wide=True)
    def acosh(self, x: V) -> V:
        big = x > 2.0**500
        t = x - 1.0
        arg = t + self.call("llvm.sqrt", t * (t + 2.0))
        y = self._log1p_large(self.select(big, x, arg), big)
        return self.select(x < 1.0, self.like(NAN, x), y)

    def _log1p_large(self, x: V, big: V) -> V:
        return self.log1p(x) + self.select(big, self.like(LN2, x), self.like(0.0, x))

    @lift(wide=True)
    def atanh(self, x: V) -> V:
        a = self.abs(x)
        return self.copysign(self.log1p((a + a) / (1.0 - a)) * 0.5, x)

    # ------------------------------------------------------------- error function

    @lift()
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

    @lift(wide=True)
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

    @lift(wide=True)
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

    @lift(wide=True)
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

    @lift(wide=True)
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
