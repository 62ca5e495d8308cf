"""Distributions of vectors."""

from __future__ import annotations

from typing import Any

from graphc.distributions.base import (
    FULLY_REPARAMETERIZED,
    NOT_REPARAMETERIZED,
    Distribution,
    logits_and_probs,
)
from graphc.distributions.seeds import new_seed
from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import (
    diagonal,
    fills,
    math,
    nn,
    random,
    reduce,
    rejection,
    shapes,
    spaced,
    transposing,
)
from graphc.ops.convert import convert_to_tensor

__all__ = ["Dirichlet", "DirichletMultinomial", "Multinomial"]


def _lbeta(x: Any) -> Any:
    """The logarithm of the beta function of the last axis."""
    return reduce.reduce_sum(math.lgamma(x), -1) - math.lgamma(reduce.reduce_sum(x, -1))


class _Vector(Distribution):
    """The last axis of `_like` is the event."""

    _like: Any

    def _batch_shape(self) -> Any:
        return self._like.shape[:-1]

    def _event_shape(self) -> Any:
        return self._like.shape[-1:]

    def _batch_shape_tensor(self) -> Any:
        return shapes.shape(self._like)[:-1]

    def _event_shape_tensor(self) -> Any:
        return shapes.shape(self._like)[-1:]


class Dirichlet(_Vector):
    """The Dirichlet distribution over vectors that sum to 1."""

    def __init__(
        self, concentration: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Dirichlet",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._concentration = self._like = convert_to_tensor(
                concentration, name="concentration"
            )
            self._total = reduce.reduce_sum(self._concentration, -1)
            super().__init__(
                self._concentration.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats,
                parameters, [self._concentration], scope,
            )  # fmt: skip

    @property
    def concentration(self) -> Value:
        return self._concentration

    @property
    def total_concentration(self) -> Any:
        return self._total

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        g = rejection.random_gamma([n], self._concentration, dtype=self.dtype, seed=seed)
        return g / reduce.reduce_sum(g, -1, keepdims=True)

    def _log_prob(self, x: Any) -> Any:
        top = reduce.reduce_sum((self._concentration - 1.0) * math.log(x), -1)
        return top - _lbeta(self._concentration)

    def _entropy(self) -> Any:
        c, total = self._concentration, self._total
        k = math.cast(shapes.shape(c)[-1], c.dtype)
        rest = reduce.reduce_sum((c - 1.0) * math.digamma(c), -1)
        return _lbeta(c) + (total - k) * math.digamma(total) - rest

    def _mean(self) -> Any:
        return self._concentration / shapes.expand_dims(self._total, -1)

    def _variance(self) -> Any:
        mean, total = self._mean(), shapes.expand_dims(self._total, -1)
        return mean * (1.0 - mean) / (1.0 + total)

    def _covariance(self) -> Any:
        mean = self._mean() / math.sqrt(1.0 + shapes.expand_dims(self._total, -1))
        outer = -shapes.expand_dims(mean, -1) * shapes.expand_dims(mean, -2)
        return diagonal.matrix_set_diag(outer, self._variance())

    def _mode(self) -> Any:
        c = self._concentration
        k = math.cast(shapes.shape(c)[-1], c.dtype)
        mode = (c - 1.0) / shapes.expand_dims(self._total - k, -1)
        fine = reduce.reduce_all(c > 1.0, -1, keepdims=True)
        return math.select(fine, mode, float("nan"))


class Multinomial(_Vector):
    """How often each class comes among `total_count` draws."""

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Multinomial",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, True, name)
            self._total_count = convert_to_tensor(
                total_count, None if isinstance(total_count, Value) else self._probs.dtype,
                name="total_count",
            )  # fmt: skip
            self._mean_val = self._like = shapes.expand_dims(self._total_count, -1) * self._probs
            super().__init__(
                self._probs.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._total_count, self._logits, self._probs], scope,
            )  # fmt: skip

    @property
    def total_count(self) -> Value:
        return self._total_count

    @property
    def logits(self) -> Value:
        return self._logits

    @property
    def probs(self) -> Value:
        return self._probs

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        k = self._like.shape[-1].value
        most = reduce.reduce_max(math.cast(self._total_count, dtypes.int32))
        wide = self._logits + fills.zeros_like(self._like)
        flat = shapes.reshape(wide, [-1, k])
        drawn = random.multinomial(flat, n * most, seed=seed, output_dtype=dtypes.int32)
        each = shapes.reshape(fills.one_hot(drawn, k, dtype=self.dtype), [-1, n, most, k])
        count = math.cast(self._total_count, dtypes.int32) + fills.zeros_like(
            reduce.reduce_sum(wide, -1), dtypes.int32
        )
        used = math.less(spaced.range(most), shapes.reshape(count, [-1, 1, 1]))
        counted = each * math.cast(shapes.expand_dims(used, -1), self.dtype)
        total = transposing.transpose(reduce.reduce_sum(counted, 2), [1, 0, 2])
        return shapes.reshape(total, self._draw_shape(n))

    def _log_prob(self, counts: Any) -> Any:
        c = math.cast(counts, self.dtype)
        ways = math.lgamma(1.0 + self._total_count) - reduce.reduce_sum(math.lgamma(1.0 + c), -1)
        return reduce.reduce_sum(c * nn.log_softmax(self._logits), -1) + ways

    def _mean(self) -> Any:
        from graphc.ops.state import identity  # here only

        return identity(self._mean_val)

    def _variance(self) -> Any:
        return self._mean_val - self._mean_val * self._probs

    def _covariance(self) -> Any:
        p = self._probs + fills.zeros_like(self._mean_val)
        outer = -shapes.expand_dims(self._mean_val, -1) * shapes.expand_dims(p, -2)
        return diagonal.matrix_set_diag(outer, self._variance())


class DirichletMultinomial(_Vector):
    """A `Multinomial` whose probabilities come from a `Dirichlet` distribution."""

    def __init__(
        self, total_count: Any, concentration: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "DirichletMultinomial",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._concentration = convert_to_tensor(concentration, name="concentration")
            self._total_count = convert_to_tensor(
                total_count, None if isinstance(total_count, Value) else self._concentration.dtype
            )
            self._total = reduce.reduce_sum(self._concentration, -1)
            self._like = self._concentration * fills.ones_like(
                shapes.expand_dims(self._total_count, -1)
            )
            super().__init__(
                self._concentration.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats,
                parameters, [self._total_count, self._concentration], scope,
            )  # fmt: skip

    @property
    def total_count(self) -> Value:
        return self._total_count

    @property
    def concentration(self) -> Value:
        return self._concentration

    @property
    def total_concentration(self) -> Any:
        return self._total

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        p = Dirichlet(self._like).sample(n, seed=seed)
        inner = Multinomial(self._total_count, logits=math.log(p))
        return inner.sample(seed=new_seed(seed, "dirichlet_multinomial"))

    def _log_prob(self, counts: Any) -> Any:
        c = math.cast(counts, self.dtype)
        ways = math.lgamma(1.0 + self._total_count) - reduce.reduce_sum(math.lgamma(1.0 + c), -1)
        return _lbeta(self._concentration + c) - _lbeta(self._concentration) + ways

    def _mean(self) -> Any:
        share = self._concentration / shapes.expand_dims(self._total, -1)
        return shapes.expand_dims(self._total_count, -1) * share

    def _variance(self) -> Any:
        n, total = [shapes.expand_dims(v, -1) for v in (self._total_count, self._total)]
        share = self._concentration / total
        return n * share * (1.0 - share) * (n + total) / (1.0 + total)
