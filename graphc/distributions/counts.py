"""Distributions of counts, and of constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.distributions.base import (
    NOT_REPARAMETERIZED,
    Distribution,
    _broadcast,
    logits_and_probs,
)
from graphc.distributions.seeds import new_seed
from graphc.face.current import name_scope
from graphc.face.shape import as_shape
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import fills, math, nn, random, reduce, rejection, shapes, special
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "Binomial", "Deterministic", "Geometric", "NegativeBinomial", "Poisson", "VectorDeterministic",
]  # fmt: skip


class _Counts(Distribution):
    """Numbers 0, 1, …; the batch is that of all parameters."""

    _own: tuple[Any, ...]

    def _batch_shape(self) -> Any:
        shape = as_shape(self._own[0].shape)
        for v in self._own[1:]:
            shape = _broadcast(shape, as_shape(v.shape))
        return shape

    def _batch_shape_tensor(self) -> Any:
        return shapes.shape(self._wide(fills.zeros_like(self._own[0])))

    def _wide(self, x: Any) -> Any:
        for v in self._own:
            x = x + fills.zeros_like(v)
        return x

    def _value(self, value: Any, name: str = "value") -> Value:
        """Counts may be given as whole numbers of any type."""
        out: Value = math.cast(convert_to_tensor(value, name=name), self.dtype)
        return out


class Poisson(_Counts):
    """How often something happens that happens `rate` times on average.

    Parameters
    ----------
    rate, log_rate : tensor
        One of them.
    """

    def __init__(
        self, rate: Any = None, log_rate: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Poisson",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if (rate is None) == (log_rate is None):
            raise ValueError(
                "Must specify exactly one of `rate` and `log_rate`."
                if rate is not None else "Must specify at least one of `rate` and `log_rate`."
            )  # fmt: skip
        with name_scope(name) as scope:
            if log_rate is None:
                self._rate = convert_to_tensor(rate, name="rate")
                self._log_rate: Any = math.log(self._rate)
            else:
                self._log_rate = convert_to_tensor(log_rate, name="log_rate")
                self._rate = math.exp(self._log_rate)
            self._own = (self._rate,)
            super().__init__(
                self._rate.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._rate], scope,
            )  # fmt: skip

    @property
    def rate(self) -> Any:
        return self._rate

    @property
    def log_rate(self) -> Any:
        return self._log_rate

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return rejection.random_poisson(self._rate, [n], dtype=self.dtype, seed=seed)

    def _log_prob(self, x: Any) -> Any:
        return x * self._log_rate - math.lgamma(1.0 + x) - self._rate

    def _cdf(self, x: Any) -> Any:
        return special.igammac(1.0 + x, self._rate)

    def _mean(self) -> Any:
        return self._rate

    _variance = _mean

    def _mode(self) -> Any:
        return math.floor(self._rate)


class _OfProbs(_Counts):
    _total: Any = None

    def _begin(
        self, total: Any, logits: Any, probs: Any, kind: Any, parameters: dict[str, Any], name: str
    ) -> None:
        with name_scope(name) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, False, name)
            own: list[Any] = [self._probs]
            if total is not None:
                self._total = math.cast(convert_to_tensor(total, self._probs.dtype, "total_count")
                                        if not isinstance(total, Value) else total,
                                        self._probs.dtype)  # fmt: skip
                own.append(self._total)
            self._own = tuple(own)
            Distribution.__init__(
                self, self._probs.dtype, kind, parameters["validate_args"],
                parameters["allow_nan_stats"], parameters, own, scope,
            )  # fmt: skip

    @property
    def logits(self) -> Any:
        return self._logits

    @property
    def probs(self) -> Any:
        return self._probs


class Binomial(_OfProbs):
    """How many of `total_count` trials succeed."""

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Binomial",
    ) -> None:  # fmt: skip
        given = dict(locals())
        self._begin(total_count, logits, probs, NOT_REPARAMETERIZED, given, name)

    @property
    def total_count(self) -> Any:
        return self._total

    def _log_prob(self, x: Any) -> Any:
        n, p = self._total, self._probs
        ways = math.lgamma(1.0 + n - x) + math.lgamma(1.0 + x) - math.lgamma(1.0 + n)
        return x * math.log(p) + (n - x) * math.log1p(-p) - ways

    def _cdf(self, x: Any) -> Any:
        n = self._wide(self._total) + fills.zeros_like(x)
        x = x + fills.zeros_like(n)
        inside = x < n
        a = math.select(inside, n - x, fills.ones_like(n))
        p = self._probs + fills.zeros_like(n)
        return math.select(inside, special.betainc(a, 1.0 + x, 1.0 - p), fills.ones_like(n))

    def _mean(self) -> Any:
        return self._total * self._probs

    def _variance(self) -> Any:
        return self._mean() * (1.0 - self._probs)

    def _mode(self) -> Any:
        return math.floor((1.0 + self._total) * self._probs)


class Geometric(_OfProbs):
    """How many trials fail before one succeeds."""

    def __init__(
        self, logits: Any = None, probs: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Geometric",
    ) -> None:  # fmt: skip
        self._begin(None, logits, probs, NOT_REPARAMETERIZED, dict(locals()), name)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        tiny = float(np.finfo(self.dtype.np).tiny)
        u = random.random_uniform(self._draw_shape(n), tiny, 1.0, dtype=self.dtype, seed=seed)
        return math.floor(math.log(u) / math.log1p(-self._probs))

    def _log_prob(self, x: Any) -> Any:
        x = self._wide(math.floor(x))
        p = self._probs + fills.zeros_like(x)
        safe = math.select(math.equal(x, 0.0), fills.zeros_like(p), p)
        return x * math.log1p(-safe) + math.log(p)

    def _cdf(self, x: Any) -> Any:
        x = self._wide(math.floor(x))
        below = -math.expm1((1.0 + x) * math.log1p(-self._probs))
        return math.select(x < 0.0, fills.zeros_like(x), below)

    def _entropy(self) -> Any:
        return nn.softplus(self._logits) / self._probs - self._logits

    def _mean(self) -> Any:
        return math.exp(-self._logits)

    def _variance(self) -> Any:
        return self._mean() / self._probs

    def _mode(self) -> Any:
        return fills.zeros_like(self._probs)


class NegativeBinomial(_OfProbs):
    """How many trials succeed before `total_count` have failed."""

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "NegativeBinomial",
    ) -> None:  # fmt: skip
        given = dict(locals())
        self._begin(total_count, logits, probs, NOT_REPARAMETERIZED, given, name)

    @property
    def total_count(self) -> Any:
        return self._total

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        rate = rejection.random_gamma(
            shape=[n], alpha=self._total, beta=math.exp(-self._logits), dtype=self.dtype, seed=seed
        )
        return rejection.random_poisson(
            rate, [], dtype=self.dtype, seed=new_seed(seed, "negative_binom")
        )

    def _log_prob(self, x: Any) -> Any:
        n, z = self._total, self._logits
        top = n * math.log_sigmoid(-z) + x * math.log_sigmoid(z)
        return top - (-math.lgamma(n + x) + math.lgamma(1.0 + x) + math.lgamma(n))

    def _cdf(self, x: Any) -> Any:
        x = self._wide(x)
        n, z = (v + fills.zeros_like(x) for v in (self._total, self._logits))
        return special.betainc(n, 1.0 + x, math.sigmoid(-z))

    def _mean(self) -> Any:
        return self._total * math.exp(self._logits)

    def _variance(self) -> Any:
        return self._mean() / math.sigmoid(-self._logits)

    def _mode(self) -> Any:
        more = math.maximum(self._total - 1.0, 0.0)
        return math.floor(more * math.exp(self._logits))


# ------------------------------------------------------------------------- constants


class Deterministic(Distribution):
    """Always `loc`.

    Parameters
    ----------
    atol, rtol : tensor, optional
        How far from `loc` counts as equal.
    """

    _event = 0

    def __init__(
        self, loc: Any, atol: Any = None, rtol: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Deterministic",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        parameters.pop("__class__", None)
        with name_scope(name) as scope:
            self._loc: Any = convert_to_tensor(loc, name="loc")
            dtype = self._loc.dtype
            self._atol = convert_to_tensor(0 if atol is None else atol, dtype, name="atol")
            self._rtol = convert_to_tensor(0 if rtol is None else rtol, dtype, name="rtol")
            if self._event and self._loc.rank == 0:
                raise ValueError("Parameter loc must have rank at least 1.")
            super().__init__(
                dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._loc, self._atol, self._rtol], scope,
            )  # fmt: skip

    @property
    def loc(self) -> Any:
        return self._loc

    @property
    def atol(self) -> Any:
        return self._atol

    @property
    def rtol(self) -> Any:
        return self._rtol

    def _slack(self) -> Any:
        return self._atol + self._rtol * math.abs(self._loc)

    def _batch_shape(self) -> Any:
        s = as_shape(self._loc.shape)
        return s[: s.ndims - self._event] if self._event and s.ndims is not None else s

    def _batch_shape_tensor(self) -> Any:
        s = shapes.shape(self._loc)
        return s[:-1] if self._event else s

    def _event_shape(self) -> Any:
        return self._loc.shape[-1:] if self._event else []

    def _event_shape_tensor(self) -> Any:
        return shapes.shape(self._loc)[-1:] if self._event else convert_to_tensor([], dtypes.int32)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return self._loc + fills.zeros(self._draw_shape(n), self.dtype)

    def _prob(self, x: Any) -> Any:
        return math.cast(math.abs(x - self._loc) <= self._slack(), self.dtype)

    def _log_prob(self, x: Any) -> Any:
        return math.log(self._prob(x))

    def _cdf(self, x: Any) -> Any:
        return math.cast(x >= self._loc - self._slack(), self.dtype)

    def _entropy(self) -> Any:
        zeros = fills.zeros_like(self._loc)
        return reduce.reduce_sum(zeros, -1) if self._event else zeros

    def _mean(self) -> Any:
        return self._loc

    _mode = _mean

    def _variance(self) -> Any:
        return fills.zeros_like(self._loc)


class VectorDeterministic(Deterministic):
    """Always the vector `loc`."""

    _event = 1

    def __init__(
        self, loc: Any, atol: Any = None, rtol: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "VectorDeterministic",
    ) -> None:  # fmt: skip
        super().__init__(loc, atol, rtol, validate_args, allow_nan_stats, name)

    def _prob(self, x: Any) -> Any:
        near = math.abs(x - self._loc) <= self._slack()
        return math.cast(reduce.reduce_all(near, -1), self.dtype)

    def _cdf(self, x: Any) -> Any:
        return self._missing("cdf")
