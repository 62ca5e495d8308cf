"""Distributions of real numbers."""

from __future__ import annotations

import functools
import math as _math
from typing import Any

import numpy as np

from graphc.distributions.base import FULLY_REPARAMETERIZED, Elementwise
from graphc.distributions.seeds import new_seed
from graphc.face.current import name_scope
from graphc.ir.node import Value
from graphc.ops import fills, math, random, rejection, special

__all__ = ["Beta", "Exponential", "Gamma", "Laplace", "Normal", "StudentT", "Uniform"]

_HALF_LOG_2PI = 0.5 * _math.log(2.0 * _math.pi)


def ndtr(x: Any) -> Any:
    """The standard normal distribution function."""
    root = 0.5 * _math.sqrt(2.0)
    w = x * root
    z = math.abs(w)
    far = math.select(w > 0.0, 2.0 - math.erfc(z), math.erfc(z))
    return 0.5 * math.select(z < root, 1.0 + math.erf(w), far)


def log_ndtr(x: Any) -> Any:
    """The logarithm of `ndtr`, by its asymptotic series far below 0."""
    low, high = (-20.0, 8.0) if x.dtype.size == 8 else (-10.0, 5.0)
    inside = math.log(ndtr(math.maximum(x, low)))
    t = math.minimum(x, low)
    u = 1.0 / math.square(t)
    series = 1.0 - u * (1.0 - 3.0 * u * (1.0 - 5.0 * u))
    below = -0.5 * math.square(t) - math.log(-t) - _HALF_LOG_2PI + math.log(series)
    return math.select(x > high, -ndtr(-x), math.select(x > low, inside, below))


#: Numerators and denominators of Wichura's algorithm AS 241 (1988), highest power first: near
#: 1/2, further away, and in the tails.
_WICHURA = (
    (
        (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
         13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
        (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
         5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
    ),
    (
        (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
         1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
         4.6303378461565452959, 1.42343711074968357734),
        (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
         0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
         2.05319162663775882187, 1.0),
    ),
    (
        (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
         0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
         5.4637849111641143699, 6.6579046435011037772),
        (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
         7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
         0.59983220655588793769, 1.0),
    ),
)  # fmt: skip


def _wichura(away: Any, tail: Any) -> Any:
    """Where the normal distribution function is ``0.5 + away``; `tail` is the smaller side."""

    def quotient(at: int, r: Any) -> Any:
        top, bottom = (
            functools.reduce(lambda a, c: a * r + c, row, fills.zeros_like(r))
            for row in _WICHURA[at]
        )
        return top / bottom

    middle = math.abs(away) <= 0.425
    near = away * quotient(0, 0.180625 - math.square(math.select(middle, away, 0.0)))
    r = math.sqrt(-math.log(math.select(middle, 0.25, tail)))
    far = math.select(r <= 5.0, quotient(1, r - 1.6), quotient(2, r - 5.0))
    far = math.select(math.is_inf(r), r, far)
    return math.select(middle, near, math.sign(away) * far)


def ndtri(p: Any) -> Any:
    """Where the standard normal distribution function is `p`."""
    return _wichura(p - 0.5, math.minimum(p, 1.0 - p))


def erfinv(x: Any) -> Any:
    """Where the error function is `x`."""
    return _wichura(0.5 * x, 0.5 * (1.0 - math.abs(x))) / _math.sqrt(2.0)


class _LocationScale(Elementwise):
    """Distributions of ``loc + scale * z``, where `z` has a fixed one."""

    _loc: Value
    _scale: Value

    @property
    def loc(self) -> Value:
        return self._loc

    @property
    def scale(self) -> Value:
        return self._scale

    def _z(self, x: Any) -> Any:
        return (x - self._loc) / self._scale


class Normal(_LocationScale):
    """The normal distribution.

    Parameters
    ----------
    loc : tensor
        The mean.
    scale : tensor
        The standard deviation.
    validate_args, allow_nan_stats : bool
        Accepted.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     d = tf.distributions.Normal(0.0, 2.0)
    ...     print(round(float(sess.run(d.prob(0.0))), 4))
    0.1995
    """

    _shaped: tuple[str, ...] = ("loc", "scale")

    def __init__(
        self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Normal",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._loc, self._scale = self._with(
                scope, parameters, FULLY_REPARAMETERIZED, loc=loc, scale=scale
            )

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = random.random_normal(self._draw_shape(n), dtype=self.dtype, seed=seed)
        return drawn * self._scale + self._loc

    def _log_prob(self, x: Any) -> Any:
        return -0.5 * math.square(self._z(x)) - (_HALF_LOG_2PI + math.log(self._scale))

    def _cdf(self, x: Any) -> Any:
        return ndtr(self._z(x))

    def _log_cdf(self, x: Any) -> Any:
        return log_ndtr(self._z(x))

    def _survival(self, x: Any) -> Any:
        return ndtr(-self._z(x))

    def _quantile(self, p: Any) -> Any:
        return ndtri(p) * self._scale + self._loc

    def _entropy(self) -> Any:
        return 0.5 + _HALF_LOG_2PI + math.log(self._scale * fills.ones_like(self._loc))

    def _mean(self) -> Any:
        return self._loc * fills.ones_like(self._scale)

    _mode = _mean

    def _stddev(self) -> Any:
        return self._scale * fills.ones_like(self._loc)


class Uniform(Elementwise):
    """The uniform distribution on [`low`, `high`)."""

    _shaped: tuple[str, ...] = ("low", "high")

    def __init__(
        self, low: Any = 0.0, high: Any = 1.0, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Uniform",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._low, self._high = self._with(
                scope, parameters, FULLY_REPARAMETERIZED, low=low, high=high
            )

    @property
    def low(self) -> Value:
        return self._low

    @property
    def high(self) -> Value:
        return self._high

    def range(self, name: str = "range") -> Value:
        """high - low."""
        with self._scope(name):
            return self._high - self._low

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = random.random_uniform(self._draw_shape(n), dtype=self.dtype, seed=seed)
        return self._low + self.range() * drawn

    def _prob(self, x: Any) -> Any:
        wide = self._spread(x)
        outside = math.logical_or(wide < self._low, wide >= self._high)
        inside = math.select(outside, fills.zeros_like(wide), fills.ones_like(wide) / self.range())
        return math.select(math.is_nan(wide), wide, inside)

    def _cdf(self, x: Any) -> Any:
        wide = self._spread(x)
        part = (wide - self._low) / self.range()
        high = math.select(wide >= self._high, fills.ones_like(wide), part)
        return math.select(wide < self._low, fills.zeros_like(wide), high)

    def _quantile(self, p: Any) -> Any:
        return (1.0 - p) * self._low + p * self._high

    def _entropy(self) -> Any:
        return math.log(self.range())

    def _mean(self) -> Any:
        return (self._low + self._high) / 2.0

    def _stddev(self) -> Any:
        return self.range() / _math.sqrt(12.0)


class Gamma(Elementwise):
    """The gamma distribution with density ``x**(concentration - 1) exp(-rate x)``, normalised."""

    _shaped: tuple[str, ...] = ("concentration", "rate")

    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Gamma",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._concentration, self._rate = self._with(
                scope, parameters, FULLY_REPARAMETERIZED, concentration=concentration, rate=rate
            )

    @property
    def concentration(self) -> Value:
        return self._concentration

    @property
    def rate(self) -> Value:
        return self._rate

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return rejection.random_gamma(
            shape=[n], alpha=self._concentration, beta=self._rate, dtype=self.dtype, seed=seed
        )

    def _log_prob(self, x: Any) -> Any:
        top = (self._concentration - 1.0) * math.log(x) - self._rate * x
        return top - math.lgamma(self._concentration) + self._concentration * math.log(self._rate)

    def _cdf(self, x: Any) -> Any:
        return special.igamma(self._spread(self._concentration), self._rate * x)

    def _entropy(self) -> Any:
        c = self._concentration
        return c - math.log(self._rate) + math.lgamma(c) + (1.0 - c) * math.digamma(c)

    def _mean(self) -> Any:
        return self._concentration / self._rate

    def _variance(self) -> Any:
        return self._concentration / math.square(self._rate)

    def _stddev(self) -> Any:
        return math.sqrt(self._concentration) / self._rate

    def _mode(self) -> Any:
        mode = (self._concentration - 1.0) / self._rate
        return math.select(self._concentration > 1.0, mode, np.nan)


class Exponential(Gamma):
    """The exponential distribution with mean ``1 / rate``."""

    _shaped: tuple[str, ...] = ("rate",)

    def __init__(
        self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Exponential",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            (self._rate,) = self._with(scope, parameters, FULLY_REPARAMETERIZED, rate=rate)
            self._concentration = fills.ones_like(self._rate)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        tiny = float(np.finfo(self.dtype.np).tiny)
        drawn = random.random_uniform(self._draw_shape(n), tiny, 1.0, dtype=self.dtype, seed=seed)
        return -math.log(drawn) / self._rate

    def _cdf(self, x: Any) -> Any:
        return -math.expm1(-self._rate * x)

    def _quantile(self, p: Any) -> Any:
        return -math.log1p(-p) / self._rate


class Laplace(_LocationScale):
    """The Laplace distribution: density ``exp(-|x - loc| / scale) / (2 scale)``."""

    _shaped: tuple[str, ...] = ("loc", "scale")

    def __init__(
        self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Laplace",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._loc, self._scale = self._with(
                scope, parameters, FULLY_REPARAMETERIZED, loc=loc, scale=scale
            )

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        low = float(np.nextafter(np.array(-1.0, self.dtype.np), np.array(0.0, self.dtype.np)))
        u = random.random_uniform(self._draw_shape(n), low, 1.0, dtype=self.dtype, seed=seed)
        return self._loc - self._scale * math.sign(u) * math.log1p(-math.abs(u))

    def _log_prob(self, x: Any) -> Any:
        return -math.abs(self._z(x)) - (_math.log(2.0) + math.log(self._scale))

    def _cdf(self, x: Any) -> Any:
        z = self._z(x)
        return 0.5 + 0.5 * math.sign(z) * (1.0 - math.exp(-math.abs(z)))

    def _entropy(self) -> Any:
        return _math.log(2.0) + 1.0 + math.log(self._spread(self._scale))

    def _mean(self) -> Any:
        return self._spread(self._loc)

    _mode = _mean

    def _stddev(self) -> Any:
        return _math.sqrt(2.0) * self._spread(self._scale)


class Beta(Elementwise):
    """The beta distribution on (0, 1)."""

    _shaped: tuple[str, ...] = ("concentration1", "concentration0")

    def __init__(
        self, concentration1: Any = None, concentration0: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Beta",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._concentration1, self._concentration0 = self._with(
                scope, parameters, FULLY_REPARAMETERIZED, concentration1=concentration1,
                concentration0=concentration0,
            )  # fmt: skip
            self._total = self._concentration1 + self._concentration0

    @property
    def concentration1(self) -> Value:
        return self._concentration1

    @property
    def concentration0(self) -> Value:
        return self._concentration0

    @property
    def total_concentration(self) -> Value:
        return self._total

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        gamma = rejection.random_gamma
        ones = fills.ones_like(self._total)
        first = gamma([n], self._concentration1 * ones, dtype=self.dtype, seed=seed)
        other = new_seed(seed, "beta")
        second = gamma([n], self._concentration0 * ones, dtype=self.dtype, seed=other)
        return first / (first + second)

    def log_normalization(self) -> Any:
        """The logarithm of the beta function of the concentrations."""
        return (
            math.lgamma(self._concentration1) + math.lgamma(self._concentration0)
            - math.lgamma(self._total)
        )  # fmt: skip

    def _log_prob(self, x: Any) -> Any:
        first = (self._concentration1 - 1.0) * math.log(x)
        return first + (self._concentration0 - 1.0) * math.log1p(-x) - self.log_normalization()

    def _cdf(self, x: Any) -> Any:
        return special.betainc(self._concentration1, self._concentration0, x)

    def _entropy(self) -> Any:
        a, b = self._concentration1, self._concentration0
        out = self.log_normalization() - (a - 1.0) * math.digamma(a)
        return out - (b - 1.0) * math.digamma(b) + (self._total - 2.0) * math.digamma(self._total)

    def _mean(self) -> Any:
        return self._concentration1 / self._total

    def _variance(self) -> Any:
        mean = self._mean()
        return mean * (1.0 - mean) / (1.0 + self._total)

    def _mode(self) -> Any:
        mode = (self._concentration1 - 1.0) / (self._total - 2.0)
        both = math.logical_and(self._concentration1 > 1.0, self._concentration0 > 1.0)
        return math.select(both, mode, np.nan)


class StudentT(_LocationScale):
    """Student's t distribution with `df` degrees of freedom, moved and scaled."""

    _shaped: tuple[str, ...] = ("df", "loc", "scale")

    def __init__(
        self, df: Any, loc: Any, scale: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "StudentT",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._df, self._loc, self._scale = self._with(
                scope, parameters, FULLY_REPARAMETERIZED, df=df, loc=loc, scale=scale
            )

    @property
    def df(self) -> Value:
        return self._df

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        normal = random.random_normal(self._draw_shape(n), dtype=self.dtype, seed=seed)
        df = self._spread(self._df)
        other = new_seed(seed, "student_t")
        chi = rejection.random_gamma([n], 0.5 * df, beta=0.5, dtype=self.dtype, seed=other)
        return normal * math.rsqrt(chi / df) * self._scale + self._loc

    def _log_norm(self) -> Any:
        half = 0.5 * self._df
        out = math.log(math.abs(self._scale)) + 0.5 * math.log(self._df) + 0.5 * _math.log(_math.pi)
        return out + math.lgamma(half) - math.lgamma(half + 0.5)

    def _log_prob(self, x: Any) -> Any:
        y = self._z(x)
        return -0.5 * (self._df + 1.0) * math.log1p(math.square(y) / self._df) - self._log_norm()

    def _entropy(self) -> Any:
        half, one = 0.5 * self._df, 0.5 * (self._df + 1.0)
        beta = math.lgamma(half) + _math.lgamma(0.5) - math.lgamma(one)
        spread = math.log(math.abs(self._spread(self._scale))) + 0.5 * math.log(self._df)
        return spread + beta + one * (math.digamma(one) - math.digamma(half))

    def _mean(self) -> Any:
        return math.select(self._df > 1.0, self._spread(self._loc), np.nan)

    def _mode(self) -> Any:
        return self._loc

    def _variance(self) -> Any:
        df = self._spread(self._df)
        finite = math.square(self._scale) * df / (df - 2.0)
        wide = math.select(df > 2.0, finite, np.inf)
        return math.select(df > 1.0, wide, np.nan)
