"""Distributions of real numbers, each a row of formulas; and those of parameters made positive."""

from __future__ import annotations

import inspect
import math as _math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.distributions import elementary
from graphc.distributions.base import FULLY_REPARAMETERIZED, Elementwise
from graphc.distributions.bijector import Chain
from graphc.distributions.continuous import (
    Beta,
    Exponential,
    Gamma,
    Laplace,
    Normal,
    StudentT,
    Uniform,
    erfinv,
)
from graphc.distributions.transformed import TransformedDistribution
from graphc.face.current import name_scope
from graphc.ir.node import Value
from graphc.ops import fills, math, nn, random, rejection, special
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "BetaWithSoftplusConcentration", "Cauchy", "Chi2", "Chi2WithAbsDf",
    "ExponentialWithSoftplusRate", "GammaWithSoftplusConcentrationRate", "Gumbel", "HalfNormal",
    "InverseGamma", "InverseGammaWithSoftplusConcentrationRate", "Kumaraswamy",
    "LaplaceWithSoftplusScale", "Logistic", "NormalWithSoftplusScale", "SinhArcsinh",
    "StudentTWithAbsDfSoftplusScale",
]  # fmt: skip

Rule = Callable[..., Any]


def _uniform(d: Any, n: Any, seed: int | None, least: float | None = None) -> Any:
    """Uniform numbers of the shape of `n` samples, by default none of them 0."""
    low = float(np.finfo(d.dtype.np).tiny) if least is None else least
    return random.random_uniform(d._draw_shape(n), low, 1.0, dtype=d.dtype, seed=seed)


def _logistic(d: Any, n: Any, seed: int | None = None) -> Any:
    return _logit(_uniform(d, n, seed)) * d.scale + d.loc


def _z(d: Any, x: Any) -> Any:
    return (x - d.loc) / d.scale


def _logit(p: Any) -> Any:
    return math.log(p) - math.log1p(-p)


# ------------------------------------------------------------------------- rows


def _parameter(i: int) -> property:
    def get(self: Any) -> Any:
        return self._own[i]

    return property(get)


def _row(name: str, doc: str, parameters: str, **rules: Rule) -> Any:
    """A class of distributions: rules by the name of the method; `d` has the parameters."""
    words = parameters.split()

    def __init__(
        self: Any,
        *args: Any,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        **more: Any,
    ) -> None:
        bound = signature.bind(self, *args, validate_args=validate_args,
                               allow_nan_stats=allow_nan_stats, **more)  # fmt: skip
        bound.apply_defaults()
        given = dict(bound.arguments)
        del given["self"]
        with name_scope(given["name"]) as scope:
            self._with(scope, given, FULLY_REPARAMETERIZED, **{word: given[word] for word in words})

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [inspect.Parameter("self", kind)]
        + [inspect.Parameter(word, kind) for word in words]
        + [
            inspect.Parameter(word, kind, default=value)
            for word, value in (("validate_args", False), ("allow_nan_stats", True), ("name", name))
        ]
    )
    made: Any = __init__
    made.__signature__ = signature
    body: dict[str, Any] = {
        "__doc__": doc, "__module__": __name__, "__init__": __init__, "_shaped": tuple(words),
    }  # fmt: skip
    for i, word in enumerate(words):
        body[word] = _parameter(i)
    for word, rule in rules.items():
        body[f"_{word}"] = rule
    return type(name, (Elementwise,), body)


Cauchy: Any = _row(
    "Cauchy", "The Cauchy distribution: it has no mean.", "loc scale",
    sample_n=lambda d, n, seed=None: d._quantile(_uniform(d, n, seed, 0.0)),
    log_prob=lambda d, x: -math.log1p(math.square(_z(d, x))) - (
        _math.log(_math.pi) + math.log(d.scale)),
    cdf=lambda d, x: math.atan(_z(d, x)) / _math.pi + 0.5,
    log_cdf=lambda d, x: math.log1p(2.0 / _math.pi * math.atan(_z(d, x))) - _math.log(2.0),
    quantile=lambda d, p: d.loc + d.scale * math.tan(_math.pi * (p - 0.5)),
    entropy=lambda d: d._spread(_math.log(4.0 * _math.pi) + math.log(d.scale)),
    mode=lambda d: d._spread(d.loc),
    mean=lambda d: d._spread(d.loc) * np.nan,
    stddev=lambda d: d._spread(d.loc) * np.nan,
)  # fmt: skip

Logistic: Any = _row(
    "Logistic", "The logistic distribution.", "loc scale",
    sample_n=_logistic,
    log_prob=lambda d, x: -_z(d, x) - 2.0 * nn.softplus(-_z(d, x)) - math.log(d.scale),
    cdf=lambda d, x: math.sigmoid(_z(d, x)),
    log_cdf=lambda d, x: -nn.softplus(-_z(d, x)),
    survival=lambda d, x: math.sigmoid(-_z(d, x)),
    entropy=lambda d: 2.0 + math.log(d._spread(d.scale)),
    mean=lambda d: d._spread(d.loc),
    mode=lambda d: d._spread(d.loc),
    stddev=lambda d: d._spread(d.scale) * (_math.pi / _math.sqrt(3.0)),
)  # fmt: skip

Gumbel: Any = _row(
    "Gumbel", "Gumbel's distribution, of the largest of many.", "loc scale",
    sample_n=lambda d, n, seed=None: -math.log(-math.log(_uniform(d, n, seed))) * d.scale + d.loc,
    log_prob=lambda d, x: -_z(d, x) - math.exp(-_z(d, x)) - math.log(d.scale),
    cdf=lambda d, x: math.exp(-math.exp(-_z(d, x))),
    log_cdf=lambda d, x: -math.exp(-_z(d, x)),
    entropy=lambda d: 1.0 + math.log(d._spread(d.scale)) + np.euler_gamma,
    mean=lambda d: d.loc + d.scale * np.euler_gamma,
    mode=lambda d: d._spread(d.loc),
    stddev=lambda d: d._spread(d.scale) * (_math.pi / _math.sqrt(6.0)),
)  # fmt: skip

HalfNormal: Any = _row(
    "HalfNormal", "The absolute value of a normal number with mean 0.", "scale",
    sample_n=lambda d, n, seed=None: math.abs(
        random.random_normal(d._draw_shape(n), dtype=d.dtype, seed=seed) * d.scale),
    prob=lambda d, x: _math.sqrt(2.0 / _math.pi) / d.scale * math.exp(
        -0.5 * math.square(x / d.scale)) * math.cast(x >= 0.0, d.dtype),
    cdf=lambda d, x: math.erf(nn.relu(x) / d.scale / _math.sqrt(2.0)),
    quantile=lambda d, p: _math.sqrt(2.0) * d.scale * erfinv(p),
    entropy=lambda d: 0.5 * math.log(_math.pi * math.square(d.scale) / 2.0) + 0.5,
    mean=lambda d: d.scale * _math.sqrt(2.0 / _math.pi),
    mode=lambda d: fills.zeros_like(d.scale),
    variance=lambda d: math.square(d.scale) * (1.0 - 2.0 / _math.pi),
)  # fmt: skip

InverseGamma: Any = _row(
    "InverseGamma", "One divided by a number of the gamma distribution.", "concentration rate",
    sample_n=lambda d, n, seed=None: 1.0 / rejection.random_gamma(
        shape=[n], alpha=d.concentration, beta=d.rate, dtype=d.dtype, seed=seed),
    log_prob=lambda d, x: -(1.0 + d.concentration) * math.log(x) - d.rate / x - (
        math.lgamma(d.concentration) - d.concentration * math.log(d.rate)),
    cdf=lambda d, x: special.igammac(d._spread(d.concentration), d.rate / x),
    entropy=lambda d: d.concentration + math.log(d.rate) + math.lgamma(d.concentration) - (
        1.0 + d.concentration) * math.digamma(d.concentration),
    mean=lambda d: math.select(d.concentration > 1.0, d.rate / (d.concentration - 1.0), np.nan),
    mode=lambda d: d.rate / (1.0 + d.concentration),
    variance=lambda d: math.select(
        d.concentration > 2.0,
        math.square(d.rate) / math.square(d.concentration - 1.0) / (d.concentration - 2.0), np.nan),
)  # fmt: skip


class Chi2(Gamma):
    """The sum of `df` squares of standard normal numbers."""

    _shaped: tuple[str, ...] = ("df",)

    def __init__(
        self, df: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Chi2",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            (self._df,) = self._with(scope, parameters, FULLY_REPARAMETERIZED, df=df)
            self._concentration = 0.5 * self._df
            self._rate = 0.5 * fills.ones_like(self._df)

    @property
    def df(self) -> Value:
        return self._df


# ------------------------------------------------------------------------- parameters made positive


def _softened(base: type, name: str, doc: str, **how: Rule) -> Any:
    """`base` with functions of some of its parameters."""
    words = inspect.signature(base.__init__).parameters  # type: ignore[misc]
    own = [p.replace(default=name if p.name == "name" else p.default) for p in words.values()]
    if base is Beta:
        own = [p.replace(default=p.empty) if "conc" in p.name else p for p in own]
    signature = inspect.Signature(own)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        del given["self"]
        kept = dict(given)
        with name_scope(given["name"]) as scope:
            for word, f in how.items():
                given[word] = f(convert_to_tensor(given[word]))
            base.__init__(self, **{**given, "name": scope})  # type: ignore[misc]
        self._parameters = kept

    made: Any = __init__
    made.__signature__ = signature
    body = {"__doc__": doc, "__module__": __name__, "__init__": __init__}
    return type(name, (base,), body)


_soft: Rule = nn.softplus
BetaWithSoftplusConcentration: Any = _softened(
    Beta, "BetaWithSoftplusConcentration", "`Beta` of softplus of its parameters.",
    concentration1=_soft, concentration0=_soft,
)  # fmt: skip
GammaWithSoftplusConcentrationRate: Any = _softened(
    Gamma, "GammaWithSoftplusConcentrationRate", "`Gamma` of softplus of its parameters.",
    concentration=_soft, rate=_soft,
)  # fmt: skip
InverseGammaWithSoftplusConcentrationRate: Any = _softened(
    InverseGamma, "InverseGammaWithSoftplusConcentrationRate",
    "`InverseGamma` of softplus of its parameters.", concentration=_soft, rate=_soft,
)  # fmt: skip
ExponentialWithSoftplusRate: Any = _softened(
    Exponential, "ExponentialWithSoftplusRate", "`Exponential` of softplus of its rate.",
    rate=_soft,
)  # fmt: skip
NormalWithSoftplusScale: Any = _softened(
    Normal, "NormalWithSoftplusScale", "`Normal` of softplus of its scale.", scale=_soft
)
LaplaceWithSoftplusScale: Any = _softened(
    Laplace, "LaplaceWithSoftplusScale", "`Laplace` of softplus of its scale.", scale=_soft
)
StudentTWithAbsDfSoftplusScale: Any = _softened(
    StudentT, "StudentTWithAbsDfSoftplusScale",
    "`StudentT` of the whole part of |df| and softplus of the scale.",
    df=lambda x: math.floor(math.abs(x)), scale=_soft,
)  # fmt: skip
Chi2WithAbsDf: Any = _softened(
    Chi2, "Chi2WithAbsDf", "`Chi2` of the whole part of |df|.",
    df=lambda x: math.floor(math.abs(x)),
)  # fmt: skip


# ------------------------------------------------------------------------- by bijectors


class Kumaraswamy(TransformedDistribution):
    """Kumaraswamy's distribution on (0, 1): like `Beta`, with a simple distribution function."""

    def __init__(
        self, concentration1: Any = None, concentration0: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Kumaraswamy",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            a = convert_to_tensor(concentration1, name="concentration1")
            b = convert_to_tensor(concentration0, a.dtype, name="concentration0")
        zeros = fills.zeros_like(a + b)
        super().__init__(
            Uniform(zeros, fills.ones_like(zeros)),
            elementary.Kumaraswamy(a, b, validate_args), name=scope,
        )  # fmt: skip
        self._parameters = {k: v for k, v in parameters.items() if k != "self"}

    @property
    def concentration1(self) -> Any:
        return self._bijector.concentration1  # type: ignore[attr-defined]

    @property
    def concentration0(self) -> Any:
        return self._bijector.concentration0  # type: ignore[attr-defined]

    def _moment(self, n: float) -> Any:
        total = 1.0 + n / self.concentration1 + self.concentration0
        log = math.lgamma(1.0 + n / self.concentration1) + math.lgamma(self.concentration0)
        return math.exp(math.log(self.concentration0) + log - math.lgamma(total))

    def _mean(self) -> Any:
        return self._moment(1)

    def _variance(self) -> Any:
        return self._moment(2) - math.square(self._moment(1))

    def _entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        harmonic = math.digamma(b + 1.0) + np.euler_gamma
        # TF1's number: in the literature a and b are exchanged and the logarithms negative
        return (1.0 - 1.0 / a) + (1.0 - 1.0 / b) * harmonic + math.log(a) + math.log(b)

    def _mode(self) -> Any:
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1.0) / (a * b - 1.0)) ** (1.0 / a)
        return math.select(math.logical_and(a > 1.0, b > 1.0), mode, np.nan)


class SinhArcsinh(TransformedDistribution):
    """``loc + scale * sinh((arcsinh(z) + skewness) * tailweight)``, scaled, of a normal z.

    Parameters
    ----------
    distribution : Distribution, optional
        Of z, in place of the standard normal one.
    """

    def __init__(
        self, loc: Any, scale: Any, skewness: Any = None, tailweight: Any = None,
        distribution: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "SinhArcsinh",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._loc = convert_to_tensor(loc, name="loc")
            dtype = self._loc.dtype
            self._scale = convert_to_tensor(scale, dtype, name="scale")
            tail = convert_to_tensor(1.0 if tailweight is None else tailweight, dtype)
            skew = convert_to_tensor(0.0 if skewness is None else skewness, dtype)
            self._skewness, self._tailweight = skew, tail
            together: Any = self._loc + self._scale + skew + tail
            flow = elementary.SinhArcsinh(skew, tail)
            plain = elementary.SinhArcsinh(convert_to_tensor(0.0, dtype), tail)
            width = 2.0 / plain.forward(convert_to_tensor(2.0, dtype))
            if distribution is None:
                distribution = Normal(convert_to_tensor(0.0, dtype), convert_to_tensor(1.0, dtype))
            affine = elementary.AffineScalar(self._loc, self._scale * width)
            bijector = Chain([affine, flow])
        super().__init__(
            distribution, bijector, together.shape.as_list(), validate_args=validate_args,
            name=scope,
        )  # fmt: skip
        self._parameters = {k: v for k, v in parameters.items() if k != "self"}

    @property
    def loc(self) -> Any:
        return self._loc

    @property
    def scale(self) -> Any:
        return self._scale

    @property
    def skewness(self) -> Any:
        return self._skewness

    @property
    def tailweight(self) -> Any:
        return self._tailweight
