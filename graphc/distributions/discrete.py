"""Distributions of whole numbers."""

from __future__ import annotations

from typing import Any

from graphc.distributions.base import (
    NOT_REPARAMETERIZED,
    Distribution,
    logits_and_probs,
)
from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import fills, math, nn, random, reduce, shapes, spaced, transposing
from graphc.ops.convert import convert_to_tensor
from graphc.ops.gradient_counts import also

__all__ = ["Bernoulli", "Categorical"]


class _OfLogits(Distribution):
    _logits: Value
    _probs: Value
    _classes = 0

    @property
    def logits(self) -> Value:
        """The logits, given or computed."""
        return self._logits

    @property
    def probs(self) -> Value:
        """The probabilities, given or computed."""
        return self._probs

    def _batch_shape(self) -> Any:
        shape = self._logits.shape  # type: ignore[attr-defined]
        return shape[:-1] if self._classes else shape

    def _batch_shape_tensor(self) -> Any:
        sizes = shapes.shape(self._logits)
        return sizes[:-1] if self._classes else sizes


class Bernoulli(_OfLogits):
    """1 with a probability, else 0.

    Parameters
    ----------
    logits, probs : tensor
        One of the two.
    dtype : DType
        Of samples.
    """

    _shaped: tuple[str, ...] = ("logits",)

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = dtypes.int32,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Bernoulli",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, False, name)
            super().__init__(
                as_dtype(dtype), NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._logits, self._probs], scope,
            )  # fmt: skip

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        p = self._probs
        u = random.random_uniform(self._draw_shape(n), dtype=p.dtype, seed=seed)
        return math.cast(math.less(u, p), self.dtype)

    def _log_prob(self, x: Any) -> Any:
        event = math.cast(x, self._logits.dtype)
        z = self._logits
        if z.static_shape == event.static_shape and z.shape.is_fully_defined():  # type: ignore[attr-defined]
            return -nn.sigmoid_cross_entropy_with_logits(labels=event, logits=z)
        wide = z * fills.ones_like(event)
        return -nn.sigmoid_cross_entropy_with_logits(labels=event * fills.ones_like(z), logits=wide)

    def _entropy(self) -> Any:
        z = self._logits
        return -z * (math.sigmoid(z) - 1.0) + nn.softplus(-z)

    def _mean(self) -> Any:
        from graphc.ops.state import identity  # here only

        return identity(self._probs)

    def _variance(self) -> Any:
        return self._probs * (1.0 - self._probs)

    def _mode(self) -> Any:
        return math.cast(self._probs > 0.5, self.dtype)


class Categorical(_OfLogits):
    """A class number, by logits or probabilities along the last axis.

    Parameters
    ----------
    logits, probs : tensor
        One of the two, ``[..., classes]``.
    dtype : DType
        Of samples.
    """

    _classes = 1

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = dtypes.int32,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Categorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, True, name)
            current().reserve("batch_rank", "logits_shape", "event_size", "batch_shape")
            if not self._logits.shape[:-1].is_fully_defined():  # type: ignore[attr-defined]
                current().reserve(*[f"batch_shape/strided_slice/stack_{i}" for i in range(3)])
            super().__init__(
                as_dtype(dtype), NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [self._logits, self._probs], scope,
            )  # fmt: skip

    def _draw_count(self) -> int | None:
        return 4

    @property
    def event_size(self) -> Any:
        """The number of classes."""
        n = self._logits.shape[-1].value  # type: ignore[attr-defined]
        return convert_to_tensor(n) if n is not None else shapes.shape(self._logits)[-1]

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        z = self._logits
        classes = z.shape[-1].value  # type: ignore[attr-defined]
        flat = z if z.rank == 2 else shapes.reshape(z, [-1, classes or shapes.shape(z)[-1]])
        kind = dtypes.int64 if self.dtype.size > 4 else dtypes.int32
        drawn = random.multinomial(flat, n, seed=seed, output_dtype=kind)
        drawn = shapes.reshape(transposing.transpose(drawn), self._draw_shape(n))
        return math.cast(drawn, self.dtype)

    def _log_prob(self, k: Any) -> Any:
        z = self._logits
        kind = k.dtype if k.dtype in (dtypes.int32, dtypes.int64) else dtypes.int32
        k = math.cast(k, kind)
        ranked = z.rank is not None and k.rank is not None
        if not ranked or z.shape[:-1].as_list() != k.shape.as_list():  # type: ignore[attr-defined]
            wide = fills.ones_like(k, z.dtype)
            with current().counts_as(4):  # in TF1 the new axis is a slice
                wide = shapes.expand_dims(wide, -1)
            z = z * wide
            with current().counts_as(8):
                k = k * fills.ones_like(reduce.reduce_sum(z, -1), kind)
        elif not z.shape[:-1].is_fully_defined():  # type: ignore[attr-defined]
            with current().counts_as(19):  # TF1 multiplies with ones: nothing else is known to fit
                y = -nn.sparse_softmax_cross_entropy_with_logits(labels=k, logits=z)
            also(y, (9, 2))
            return y
        return -nn.sparse_softmax_cross_entropy_with_logits(labels=k, logits=z)

    def _cdf(self, k: Any) -> Any:
        p = self._probs
        at = spaced.range(self.event_size, dtype=dtypes.int32)
        # TF1 leaves the class itself out
        below = math.less(at, shapes.expand_dims(math.cast(k, dtypes.int32), -1))
        return reduce.reduce_sum(p * math.cast(below, p.dtype), -1)

    def _entropy(self) -> Any:
        return -reduce.reduce_sum(nn.log_softmax(self._logits) * self._probs, -1)

    def _mode(self) -> Any:
        return math.cast(reduce.argmax(self._logits, -1), self.dtype)
