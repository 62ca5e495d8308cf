"""Distributions of classes as vectors, and of numbers near 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.distributions import elementary
from graphc.distributions.base import (
    FULLY_REPARAMETERIZED,
    NOT_REPARAMETERIZED,
    Distribution,
    logits_and_probs,
)
from graphc.distributions.formulas import Logistic
from graphc.distributions.transformed import TransformedDistribution
from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ops import diagonal, fills, math, nn, random, reduce, shapes, transposing
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "ExpRelaxedOneHotCategorical", "OneHotCategorical", "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]  # fmt: skip


# ------------------------------------------------------------------------- classes as vectors


class _Classes(Distribution):
    _logits: Any
    _probs: Any

    @property
    def logits(self) -> Any:
        return self._logits

    @property
    def probs(self) -> Any:
        return self._probs

    @property
    def event_size(self) -> Any:
        """The number of classes."""
        n = self._logits.shape[-1].value
        return convert_to_tensor(n) if n is not None else shapes.shape(self._logits)[-1]

    def _batch_shape(self) -> Any:
        return self._logits.shape[:-1]

    def _event_shape(self) -> Any:
        return self._logits.shape[-1:]

    def _batch_shape_tensor(self) -> Any:
        return shapes.shape(self._logits)[:-1]

    def _event_shape_tensor(self) -> Any:
        return shapes.shape(self._logits)[-1:]


class OneHotCategorical(_Classes):
    """A class as a vector with one 1."""

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = dtypes.int32,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "OneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, True, name)
            super().__init__(
                as_dtype(dtype), NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._logits, self._probs], scope,
            )  # fmt: skip

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        z = self._logits
        k = z.shape[-1].value or shapes.shape(z)[-1]
        flat = z if z.rank == 2 else shapes.reshape(z, [-1, k])
        drawn = transposing.transpose(random.multinomial(flat, n, seed=seed))
        return shapes.reshape(fills.one_hot(drawn, k, dtype=self.dtype), self._draw_shape(n))

    def _log_prob(self, x: Any) -> Any:
        z = self._logits
        wide = z + fills.zeros_like(math.cast(x, z.dtype))
        label = math.cast(x, z.dtype) + fills.zeros_like(wide)
        return -nn.softmax_cross_entropy_with_logits_v2(labels=label, logits=wide)

    def _entropy(self) -> Any:
        return -reduce.reduce_sum(nn.log_softmax(self._logits) * self._probs, -1)

    def _mode(self) -> Any:
        k = self._logits.shape[-1].value or shapes.shape(self._logits)[-1]
        return fills.one_hot(reduce.argmax(self._logits, -1), k, dtype=self.dtype)

    def _variance(self) -> Any:
        return self._probs * (1.0 - self._probs)

    def _covariance(self) -> Any:
        p = self._probs
        outer = -p[..., :, None] * p[..., None, :]
        return diagonal.matrix_set_diag(outer, self._variance())


class ExpRelaxedOneHotCategorical(_Classes):
    """The logarithm of a `RelaxedOneHotCategorical`.

    Parameters
    ----------
    temperature : tensor
        A scalar: the smaller, the nearer samples are to vectors with one 1.
    """

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, dtype: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "ExpRelaxedOneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, True, name)
            kind = self._logits.dtype if dtype is None else as_dtype(dtype)
            self._temperature = convert_to_tensor(temperature, kind, name="temperature")
            self._wide = shapes.reshape(self._temperature, [-1, 1])
            super().__init__(
                kind, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._logits, self._probs, self._temperature], scope,
            )  # fmt: skip

    @property
    def temperature(self) -> Any:
        return self._temperature

    def _size(self) -> Any:
        return self._logits.shape[-1].value or shapes.shape(self._logits)[-1]

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        shape = self._draw_shape(n)
        flat = shapes.reshape(self._logits + fills.zeros(shape, self.dtype), [-1, self._size()])
        tiny = float(np.finfo(self.dtype.np).tiny)
        u = random.random_uniform(shapes.shape(flat), tiny, 1.0, dtype=self.dtype, seed=seed)
        noisy = (-math.log(-math.log(u)) + flat) / self._wide
        return shapes.reshape(nn.log_softmax(noisy), shape)

    def _log_prob(self, x: Any) -> Any:
        z = self._logits + fills.zeros_like(x)
        x = x + fills.zeros_like(z)
        size = self._size()
        k = math.cast(convert_to_tensor(size), x.dtype)
        lead = shapes.shape(reduce.reduce_sum(z, -1))
        rows = [shapes.reshape(v, [-1, size]) for v in (z, x)]
        found = reduce.reduce_sum(nn.log_softmax(rows[0] - rows[1] * self._wide), -1)
        out = math.lgamma(k) + (k - 1.0) * math.log(self._temperature) + found
        known = z.shape[:-1]
        return shapes.reshape(out, known.as_list() if known.is_fully_defined() else lead)


class RelaxedOneHotCategorical(TransformedDistribution):
    """A vector near one with a single 1, with gradients (the concrete or Gumbel-softmax one)."""

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, dtype: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "RelaxedOneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        base = ExpRelaxedOneHotCategorical(
            temperature, logits, probs, dtype, validate_args, allow_nan_stats
        )
        super().__init__(base, elementary.Exp(), validate_args=validate_args, name=name)
        self._parameters = {k: v for k, v in parameters.items() if k not in ("self", "__class__")}

    @property
    def temperature(self) -> Any:
        return self._base.temperature  # type: ignore[attr-defined]

    @property
    def logits(self) -> Any:
        return self._base.logits  # type: ignore[attr-defined]

    @property
    def probs(self) -> Any:
        return self._base.probs  # type: ignore[attr-defined]

    @property
    def event_size(self) -> Any:
        """The number of classes."""
        return self._base.event_size  # type: ignore[attr-defined]


class RelaxedBernoulli(TransformedDistribution):
    """A number in (0, 1) near 0 or 1, with gradients."""

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "RelaxedBernoulli",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._temperature = convert_to_tensor(temperature, name="temperature")
            self._logits, self._probs = logits_and_probs(logits, probs, False, name)
        base = Logistic(
            self._logits / self._temperature, 1.0 / self._temperature,
            allow_nan_stats=allow_nan_stats, name=scope + "Logistic",
        )  # fmt: skip
        super().__init__(base, elementary.Sigmoid(), validate_args=validate_args, name=scope)
        self._parameters = {k: v for k, v in parameters.items() if k not in ("self", "__class__")}

    @property
    def temperature(self) -> Any:
        return self._temperature

    @property
    def logits(self) -> Any:
        return self._logits

    @property
    def probs(self) -> Any:
        return self._probs
