"""Kullback-Leibler divergences, by pairs of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.distributions.base import Distribution
from graphc.distributions.classes import OneHotCategorical
from graphc.distributions.continuous import Beta, Gamma, Normal, Uniform
from graphc.distributions.counts import Deterministic, Poisson
from graphc.distributions.discrete import Bernoulli, Categorical
from graphc.distributions.formulas import Gumbel, HalfNormal
from graphc.distributions.normals import MultivariateNormalLinearOperator
from graphc.distributions.transformed import Independent
from graphc.distributions.vectors import Dirichlet, _lbeta
from graphc.face.current import name_scope
from graphc.ir.node import Value
from graphc.ops import math, nn, reduce, shapes
from graphc.ops.convert import constant

__all__ = ["RegisterKL", "kl_divergence"]

_known: dict[tuple[type, type], Callable[..., Any]] = {}


class RegisterKL:
    """A decorator: the function gives the divergence of a pair of classes.

    Raises
    ------
    TypeError
        For something that cannot be called.
    ValueError
        When the pair has one already.
    """

    def __init__(self, dist_cls_a: type, dist_cls_b: type) -> None:
        self._key = dist_cls_a, dist_cls_b

    def __call__(self, kl_fn: Callable[..., Any]) -> Callable[..., Any]:
        """Register `kl_fn`."""
        if not callable(kl_fn):
            raise TypeError(f"kl_fn must be callable, received: {kl_fn}")
        if self._key in _known:
            a, b = self._key
            raise ValueError(
                f"KL({a.__name__} || {b.__name__}) has already been registered to: "
                f"{_known[self._key]}"
            )
        _known[self._key] = kl_fn
        return kl_fn


def kl_divergence(
    distribution_a: Any, distribution_b: Any, allow_nan_stats: bool = True, name: str | None = None
) -> Value:
    """How far `distribution_b` is from `distribution_a`, in nats.

    Raises
    ------
    NotImplementedError
        For a pair of classes that has none.
    """
    a, b = type(distribution_a), type(distribution_b)
    found = [
        (a.__mro__.index(x) + b.__mro__.index(y), f)
        for (x, y), f in _known.items()
        if x in a.__mro__ and y in b.__mro__
    ]
    if not found:
        raise NotImplementedError(
            "No KL(distribution_a || distribution_b) registered for distribution_a type "
            f"{a.__name__} and distribution_b type {b.__name__}"
        )
    with name_scope("KullbackLeibler"):
        f = min(found, key=lambda pair: pair[0])[1]
        return f(distribution_a, distribution_b, name=name)  # type: ignore[no-any-return]


@RegisterKL(Normal, Normal)
def _normal(a: Normal, b: Normal, name: str | None = None) -> Any:
    dtype = a.loc.dtype
    one, two, half = (constant(x, dtype) for x in (1.0, 2.0, 0.5))
    mine, other = math.square(a.scale), math.square(b.scale)
    ratio = mine / other
    away = math.squared_difference(a.loc, b.loc) / (two * other)
    return away + half * (ratio - one - math.log(ratio))


@RegisterKL(Bernoulli, Bernoulli)
def _bernoulli(a: Bernoulli, b: Bernoulli, name: str | None = None) -> Any:
    first = nn.softplus(-b.logits) - nn.softplus(-a.logits)
    second = nn.softplus(b.logits) - nn.softplus(a.logits)
    return math.sigmoid(a.logits) * first + math.sigmoid(-a.logits) * second


@RegisterKL(Categorical, Categorical)
def _categorical(a: Categorical, b: Categorical, name: str | None = None) -> Any:
    away = nn.log_softmax(a.logits) - nn.log_softmax(b.logits)
    return reduce.reduce_sum(nn.softmax(a.logits) * away, -1)


@RegisterKL(Gamma, Gamma)
def _gamma(a: Gamma, b: Gamma, name: str | None = None) -> Any:
    c, d = a.concentration, b.concentration
    out = (c - d) * math.digamma(c) + math.lgamma(d) - math.lgamma(c)
    out = out + d * math.log(a.rate) - d * math.log(b.rate)
    return out + c * (b.rate / a.rate - 1.0)


@RegisterKL(Beta, Beta)
def _beta(a: Beta, b: Beta, name: str | None = None) -> Any:
    out = b.log_normalization() - a.log_normalization()
    for x, y in (
        (a.concentration1, b.concentration1), (a.concentration0, b.concentration0)
    ):  # fmt: skip
        out = out - math.digamma(x) * (y - x)
    both = b.total_concentration - a.total_concentration
    return out + math.digamma(a.total_concentration) * both


@RegisterKL(Dirichlet, Dirichlet)
def _dirichlet(a: Dirichlet, b: Dirichlet, name: str | None = None) -> Any:
    total = shapes.expand_dims(math.digamma(a.total_concentration), -1)
    away = (a.concentration - b.concentration) * (math.digamma(a.concentration) - total)
    return reduce.reduce_sum(away, -1) - _lbeta(a.concentration) + _lbeta(b.concentration)


@RegisterKL(Uniform, Uniform)
def _uniform(a: Uniform, b: Uniform, name: str | None = None) -> Any:
    inside = math.logical_and(b.low <= a.low, a.high <= b.high)
    return math.select(inside, math.log(b.high - b.low) - math.log(a.high - a.low), float("inf"))


@RegisterKL(MultivariateNormalLinearOperator, MultivariateNormalLinearOperator)
def _vectors(a: Any, b: Any, name: str | None = None) -> Any:
    """Of normal vectors, by the operators that scale them."""
    away = b.mean() - a.mean()
    inner = b.scale.solve(a.scale.to_dense())
    k = float(a.event_shape[-1])
    out = reduce.reduce_sum(math.square(inner), [-2, -1])
    out = out + reduce.reduce_sum(math.square(b.scale.solvevec(away)), -1) - k
    return 0.5 * out + b.scale.log_abs_determinant() - a.scale.log_abs_determinant()


@RegisterKL(OneHotCategorical, OneHotCategorical)
def _one_hot(a: Any, b: Any, name: str | None = None) -> Any:
    away = nn.log_softmax(a.logits) - nn.log_softmax(b.logits)
    return reduce.reduce_sum(nn.softmax(a.logits) * away, -1)


@RegisterKL(HalfNormal, HalfNormal)
def _half_normal(a: Any, b: Any, name: str | None = None) -> Any:
    ratio = math.square(a.scale) / math.square(b.scale)
    return math.log(b.scale) - math.log(a.scale) + 0.5 * (ratio - 1.0)


@RegisterKL(Gumbel, Gumbel)
def _gumbel(a: Any, b: Any, name: str | None = None) -> Any:
    ratio = a.scale / b.scale
    away = (a.loc - b.loc) / b.scale
    grown = math.exp(-away + math.lgamma(ratio + 1.0))
    return math.log(b.scale) - math.log(a.scale) + np.euler_gamma * (ratio - 1.0) + grown - 1.0 + (
        away
    )  # fmt: skip


@RegisterKL(Poisson, Poisson)
def _poisson(a: Any, b: Any, name: str | None = None) -> Any:
    return a.rate * (math.log(a.rate) - math.log(b.rate)) - a.rate + b.rate


@RegisterKL(Deterministic, Distribution)
def _constant(a: Any, b: Any, name: str | None = None) -> Any:
    return -b.log_prob(a.loc)


@RegisterKL(Independent, Independent)
def _independent(a: Any, b: Any, name: str | None = None) -> Any:
    p, q = a.distribution, b.distribution
    if a.event_shape.as_list() != b.event_shape.as_list() or (
        p.event_shape.as_list() != q.event_shape.as_list()
    ):
        raise NotImplementedError("KL between Independents with different event shapes not "
                                  "supported.")  # fmt: skip
    axes = [-1 - i for i in range(a.event_shape.ndims - p.event_shape.ndims)]
    return reduce.reduce_sum(kl_divergence(p, q), axis=axes)
