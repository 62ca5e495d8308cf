"""Heads of regressions."""

from __future__ import annotations

from typing import Any

from graphc.estimator.heads import (
    PlainHead,
    Streamed,
    chosen_keys,
)
from graphc.estimator.inputs import PredictOutput, RegressionOutput
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.metrics.averages import mean
from graphc.ops import math, nn

__all__ = ["LogisticRegressionHead", "PoissonRegressionHead", "RegressionHead"]


class RegressionHead(PlainHead):
    """Numbers; the loss is the squared difference.

    Parameters
    ----------
    label_dimension : int
        How many for an example.
    weight_column, loss_reduction, name : optional
        As for `BinaryClassHead`.
    loss_fn : callable, optional
        ``loss_fn(labels, logits)``.
    inverse_link_fn : callable, optional
        What makes predictions of logits.
    """

    def __init__(
        self, label_dimension: int = 1, weight_column: Any = None,
        loss_reduction: str = "sum_over_batch_size", loss_fn: Any = None,
        inverse_link_fn: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if label_dimension < 1:
            raise ValueError(f"Invalid label_dimension {label_dimension}.")
        super().__init__(label_dimension, weight_column, loss_reduction, loss_fn, name)
        self._link = inverse_link_fn

    def _wanted(self, labels: Any, logits: Value) -> Value:
        made: Value = math.cast(self._given(labels, logits, self._units), dtypes.float32)
        return made

    def _losses(self, labels: Value, logits: Value) -> Value:
        made: Value = math.squared_difference(labels, logits)
        return made

    def predictions(self, logits: Any, keys: Any = None) -> dict[str, Any]:
        z = self._checked(logits)
        if self._link is None:
            return chosen_keys({"predictions": z}, keys)
        return chosen_keys({"predictions": self._link(z), "logits": z}, keys)

    def _streams(self) -> dict[str, Streamed]:
        return {
            "prediction/mean": lambda y, p, w: mean(p["predictions"], w),
            "label/mean": lambda y, p, w: mean(y, w),
        }

    def _outputs(self, predictions: dict[str, Any]) -> dict[str, Any]:
        served = RegressionOutput(predictions["predictions"])
        return {"serving_default": served, "regression": served,
                "predict": PredictOutput(predictions)}  # fmt: skip


class PoissonRegressionHead(RegressionHead):
    """Counts: the exponential of the logits is the rate.

    Parameters
    ----------
    compute_full_loss : bool
        Whether the loss has the term that only labels change (Stirling's).
    """

    def __init__(
        self, label_dimension: int = 1, weight_column: Any = None,
        loss_reduction: str = "sum_over_batch_size", compute_full_loss: bool = True,
        name: str | None = None,
    ) -> None:  # fmt: skip
        def loss(labels: Any, logits: Any) -> Any:
            return nn.log_poisson_loss(labels, logits, compute_full_loss)

        super().__init__(label_dimension, weight_column, loss_reduction, loss, math.exp, name)


class LogisticRegressionHead(RegressionHead):
    """Probabilities: labels are numbers from 0 to 1, the loss is the cross entropy."""

    def __init__(
        self, weight_column: Any = None, loss_reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:  # fmt: skip
        def loss(labels: Any, logits: Any) -> Any:
            return nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)

        super().__init__(1, weight_column, loss_reduction, loss, nn.sigmoid, name)
