"""tf.keras's initializers, regularizers and constraints, for layers that are given them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face import initializers
from graphc.ir import dtypes
from graphc.layers.words import initializer_of
from graphc.ops import math, reduce, shapes
from graphc.ops.arrays import gather
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many

__all__ = [
    "L1L2", "MaxNorm", "NonNeg", "RadialConstraint", "RandomNormal", "RandomUniform",
    "TruncatedNormal", "UnitNorm", "get_initializer", "l1", "l1_l2", "l2",
]  # fmt: skip


class RandomNormal(initializers.RandomNormal):
    """Normal; the standard deviation is 0.05 by default."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:  # fmt: skip
        super().__init__(mean, stddev, seed, dtype)


class TruncatedNormal(initializers.TruncatedNormal):
    """Normal within two standard deviations; 0.05 by default."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:  # fmt: skip
        super().__init__(mean, stddev, seed, dtype)


class RandomUniform(initializers.RandomUniform):
    """Uniform in [-0.05, 0.05) by default."""

    def __init__(
        self, minval: Any = -0.05, maxval: Any = 0.05, seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:  # fmt: skip
        super().__init__(minval, maxval, seed, dtype)


def get_initializer(identifier: Any) -> Any:
    """The initializer for a word; a callable stays."""
    return initializer_of(identifier)


class Regularizer:
    """Base of regularizers: a function of weights with `get_config`. It adds no loss itself."""

    def __call__(self, x: Any) -> Any:
        """The loss of weights."""
        return 0.0

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A regularizer from its arguments."""
        return cls(**config)


class L1L2(Regularizer):
    """``l1 * sum(|w|) + l2 * sum(w ** 2)``."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = float(l1), float(l2)

    def get_config(self) -> dict[str, float]:
        """Its arguments."""
        return {"l1": self.l1, "l2": self.l2}

    def __call__(self, x: Any) -> Any:
        """The loss of weights."""
        w = convert_to_tensor(x)
        total: Any = 0.0
        if self.l1:
            total = total + reduce.reduce_sum(self.l1 * math.abs(w))
        if self.l2:
            total = total + reduce.reduce_sum(self.l2 * math.square(w))
        return convert_to_tensor(total)


def l1(l: float = 0.01) -> L1L2:  # noqa: E741
    """``l * sum(|w|)``."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:  # noqa: E741
    """``l * sum(w ** 2)``."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Both."""
    return L1L2(l1=l1, l2=l2)


class Constraint:
    """A projection of weights after each update; subclasses define ``__call__``."""

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {}

    def __call__(self, w: Any) -> Any:
        """The projection."""
        return w


class NonNeg(Constraint):
    """Weights below 0 become 0."""

    def __call__(self, w: Any) -> Any:
        """The projection."""
        x = convert_to_tensor(w)
        return x * math.cast(math.greater_equal(x, 0.0), x.dtype)


class MinMaxNorm(Constraint):
    """Weights are scaled to a length between two along axes, by a share of the way.

    Parameters
    ----------
    min_value, max_value : float
        The least and the greatest length.
    rate : float
        1 goes all the way at once; less, that much of it each time.
    axis : int or list of int
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value, self.max_value = min_value, max_value
        self.rate, self.axis = rate, axis

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {
            "min_value": self.min_value, "max_value": self.max_value, "rate": self.rate,
            "axis": self.axis,
        }  # fmt: skip

    def __call__(self, w: Any) -> Any:
        """The projection."""
        x = convert_to_tensor(w)
        norms = math.sqrt(reduce.reduce_sum(math.square(x), self.axis, keepdims=True))
        within = math.clip_by_value(norms, float(self.min_value), float(self.max_value))
        wanted = self.rate * within + (1 - self.rate) * norms
        return x * (wanted / (1e-7 + norms))


class MaxNorm(Constraint):
    """Weights are scaled down to at most a length along axes."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"max_value": self.max_value, "axis": self.axis}

    def __call__(self, w: Any) -> Any:
        """The projection."""
        x = convert_to_tensor(w)
        norms = math.sqrt(reduce.reduce_sum(math.square(x), self.axis, keepdims=True))
        wanted = math.clip_by_value(norms, 0.0, float(self.max_value))
        return x * (wanted / (1e-7 + norms))


class UnitNorm(Constraint):
    """Weights are scaled to length 1 along axes."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"axis": self.axis}

    def __call__(self, w: Any) -> Any:
        """The projection."""
        x = convert_to_tensor(w)
        return x / (1e-7 + math.sqrt(reduce.reduce_sum(math.square(x), self.axis, keepdims=True)))


class RadialConstraint(Constraint):
    """Square filters have one number in each ring of places around their middle.

    TensorFlow takes these from the diagonal: that of the middle from before the half of it, the
    next ones in order from the half on (behind it, in filters of even size).
    """

    @as_many(150)  # a loop over filters
    def __call__(self, w: Any) -> Any:
        """The projection.

        Raises
        ------
        ValueError
            For weights whose rank is not 4.
        """
        x: Any = convert_to_tensor(w)
        if x.rank != 4:
            raise ValueError(f"The weight tensor must be of rank 4, but is of shape: {x.shape}")
        n = x.shape.as_list()[0]
        half = n // 2
        place = np.arange(n)
        away = np.minimum(place, n - 1 - place)
        ring = (n - 1) // 2 - np.minimum.outer(away, away)  # 0 in the middle
        at = np.where(ring == 0, max(half - 1, 0), half - n % 2 + ring)
        flat = shapes.reshape(x, [n * n, *x.shape.as_list()[2:]])
        return gather(flat, at * (n + 1))
