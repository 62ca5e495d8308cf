"""Kullback-Leibler divergences, by pairs of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.distributions.continuous import Beta, Gamma, Normal, Uniform
from graphc.distributions.discrete import Bernoulli, Categorical
from graphc.distributions.vectors import Dirichlet, MultivariateNormalDiag, _lbeta
from graphc.face.graph import name_scope
from graphc.ir.node import Value
from graphc.ops import math, nn, reduce, shapes

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
    ratio = math.square(a.scale) / math.square(b.scale)
    away = math.square(a.loc - b.loc) / (2.0 * math.square(b.scale))
    return away + 0.5 * (ratio - 1.0 - math.log(ratio))


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


@RegisterKL(MultivariateNormalDiag, MultivariateNormalDiag)
def _diagonal(a: MultivariateNormalDiag, b: MultivariateNormalDiag, name: str | None = None) -> Any:
    ratio = math.square(a.scale_diag / b.scale_diag)
    away = math.square((a.loc - b.loc) / b.scale_diag)
    return 0.5 * reduce.reduce_sum(ratio - 1.0 - math.log(ratio) + away, -1)
