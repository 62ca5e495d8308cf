"""Metrics of ``tf.keras.metrics`` that few programs use."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.control import group
from graphc.keras.metrics import Counts, Mean, Metric, weights_like
from graphc.ops import fills, math, reduce
from graphc.ops.arrays import gather
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "MeanRelativeError", "MeanTensor", "SensitivityAtSpecificity", "SpecificityAtSensitivity",
]  # fmt: skip


class MeanTensor(Metric):
    """The mean of each element; its shape is that of the first values."""

    def __init__(self, name: str = "mean_tensor", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self._sizes: Any = None

    def _built(self, values: Any) -> None:
        shape = values.get_shape()
        if self._sizes is None:
            self._sizes = shape
            self._total = self.add_weight("total", shape.as_list())
            self._count = self.add_weight("count", shape.as_list())
        elif not shape.is_compatible_with(self._sizes):
            raise ValueError(
                "MeanTensor input values must always have the same shape. Expected shape (set "
                f"during the first call): {self._sizes}. Got: {shape}"
            )

    @property
    def total(self) -> Any:
        """The sums of values: a variable, once there were any."""
        return None if self._sizes is None else self._total

    @property
    def count(self) -> Any:
        """The sums of weights: a variable, once there were any values."""
        return None if self._sizes is None else self._count

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:
        v = math.cast(values, self.dtype)
        self._built(v)
        n = fills.ones_like(v)
        if sample_weight is not None:
            n = weights_like(math.cast(sample_weight, self.dtype), v)
        return group(self._total.assign_add(v * n), self._count.assign_add(n))

    def result(self) -> Any:
        if self._sizes is None:
            raise ValueError(
                "MeanTensor does not have any result yet. Please call the MeanTensor instance or "
                "use `.update_state(value)` before retrieving the result."
            )
        return math.div_no_nan(self._total.read_value(), self._count.read_value())


class MeanRelativeError(Mean):
    """The mean of absolute differences, each divided by an element of `normalizer`."""

    def __init__(self, normalizer: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.normalizer = math.cast(normalizer, self.dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        p, t = (math.cast(v, self.dtype) for v in (y_pred, y_true))
        p.get_shape().assert_is_compatible_with(t.get_shape())
        return super().update_state(
            math.div_no_nan(math.abs(t - p), self.normalizer), sample_weight
        )

    def get_config(self) -> dict[str, Any]:
        from graphc.keras import sessions

        return {**super().get_config(), "normalizer": sessions.eval(self.normalizer)}


class _AtOther(Counts):
    """One of two rates where the other is nearest a given one."""

    wanted = ("true_positives", "true_negatives", "false_positives", "false_negatives")
    #: The name of the given rate.
    other = ""

    def __init__(
        self, value: float, num_thresholds: int = 200, name: str | None = None, dtype: Any = None
    ) -> None:
        if num_thresholds <= 0:
            raise ValueError("`num_thresholds` must be > 0.")
        if not 0 <= value <= 1:
            raise ValueError(f"`{self.other}` must be in the range [0, 1].")
        self.value, self.num_thresholds = value, num_thresholds
        limits = [0.5]
        if num_thresholds > 1:
            inner = np.arange(1, num_thresholds - 1) / (num_thresholds - 1)
            limits = [-1e-7, *inner.tolist(), 1.0 + 1e-7]
        super().__init__(limits, name, dtype)

    def _rates(self) -> tuple[Any, Any]:
        """Sensitivity and specificity at each threshold."""
        tp, tn, fp, fn = (self._now(k) for k in self.wanted)
        return math.div_no_nan(tp, tp + fn), math.div_no_nan(tn, tn + fp)

    def _where(self, asked: Any, given: Any) -> Any:
        away = math.abs(given - convert_to_tensor(self.value, given.dtype))
        return gather(asked, reduce.argmin(away, 0))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds, self.other: self.value,
        }  # fmt: skip


class SensitivityAtSpecificity(_AtOther):
    """The share of true ones found, at the threshold whose specificity is nearest the given."""

    other = "specificity"

    def __init__(
        self, specificity: float, num_thresholds: int = 200, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(specificity, num_thresholds, name, dtype)

    def result(self) -> Any:
        return self._where(*self._rates())


class SpecificityAtSensitivity(_AtOther):
    """The share of false ones found, at the threshold whose sensitivity is nearest the given."""

    other = "sensitivity"

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(sensitivity, num_thresholds, name, dtype)

    def result(self) -> Any:
        asked, given = self._rates()[::-1]
        return self._where(asked, given)
