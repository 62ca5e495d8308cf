"""Several heads on one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.estimator.heads import (
    Head,
    StreamingMetric,
)
from graphc.estimator.inputs import PredictOutput
from graphc.estimator.spec import ModeKeys
from graphc.metrics.averages import mean
from graphc.ops import arrays, math
from graphc.ops.convert import convert_to_tensor

__all__ = ["MultiHead"]


class MultiHead(Head):
    """Several heads, each with its logits and labels; the losses are added.

    Parameters
    ----------
    heads : list of Head
        With names: those of their logits and labels.
    head_weights : list of float, optional
        What each loss is multiplied by.
    """

    def __init__(self, heads: Sequence[Head], head_weights: Sequence[float] | None = None) -> None:
        if not heads:
            raise ValueError(f"Must specify heads. Given: {heads}")
        if head_weights and len(head_weights) != len(heads):
            raise ValueError(
                "heads and head_weights must have the same size. Given len(heads): "
                f"{len(heads)}. Given len(head_weights): {len(head_weights)}."
            )
        for h in heads:
            if h.name is None:
                raise ValueError(f"All given heads must have name specified. Given: {h}")
        self._heads = list(heads)
        self._weights = tuple(head_weights or (1.0,) * len(heads))
        reductions = {h.loss_reduction for h in heads}
        if len(reductions) > 1:
            raise ValueError(
                "The loss_reduction must be the same for different heads. Given: "
                f"{[h.loss_reduction for h in heads]}"
            )

    @property
    def name(self) -> str:
        return "_".join(str(h.name) for h in self._heads)

    @property
    def logits_dimension(self) -> int:
        return sum(h.logits_dimension for h in self._heads)

    @property
    def loss_reduction(self) -> str:
        return self._heads[0].loss_reduction

    def _parts(self, logits: Any) -> Mapping[Any, Any]:
        """The logits of each head."""
        if isinstance(logits, Mapping):
            missing = [h.name for h in self._heads if h.name not in logits]
            if missing:
                raise ValueError(f"logits has missing values for head(s): {missing}.")
            return logits
        sizes = [h.logits_dimension for h in self._heads]
        given = convert_to_tensor(logits)
        parts = arrays.split(given, sizes, -1)
        return {h.name: p for h, p in zip(self._heads, parts, strict=True)}

    def _loss_of(self, head: Head, labels: Any, logits: Any, features: Any, mode: Any) -> Any:
        return head.loss(labels[head.name], self._parts(logits)[head.name], features, mode)

    def loss(
        self, labels: Any, logits: Any, features: Any = None, mode: Any = None,
        regularization_losses: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(labels, Mapping):
            raise ValueError(f"labels must be a dict of a tensor for each head. Given: {labels}")
        each = [
            w * self._loss_of(h, labels, logits, features, mode)
            for h, w in zip(self._heads, self._weights, strict=True)
        ]
        return math.add_n([*each, *(regularization_losses or ())])

    def predictions(self, logits: Any, keys: Any = None) -> dict[Any, Any]:
        parts = self._parts(logits)
        found = {
            (h.name, k): v for h in self._heads for k, v in h.predictions(parts[h.name]).items()
        }
        return found if keys is None else {k: found[k] for k in keys}

    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if regularization_losses is not None:
            made[f"regularization_loss/{self.name}"] = StreamingMetric(
                "regularization_loss", lambda: mean(math.add_n(list(regularization_losses)))
            )
        for h in self._heads:
            made[f"loss/{h.name}"] = StreamingMetric("loss", mean)
        return made

    def update_metrics(  # type: ignore[override]
        self, eval_metrics: dict[str, Any], features: Any, logits: Any, labels: Any,
        regularization_losses: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        parts = self._parts(logits)
        if regularization_losses is not None:
            eval_metrics[f"regularization_loss/{self.name}"].update_state()
        for h in self._heads:
            eval_metrics[f"loss/{h.name}"].update_state(
                self._loss_of(h, labels, logits, features, ModeKeys.EVAL)
            )
            own = h.update_metrics(h.metrics(), features, parts[h.name], labels[h.name])
            eval_metrics.update(own)
        return eval_metrics

    def _outputs(self, predictions: dict[Any, Any]) -> dict[str, Any]:
        served: dict[str, Any] = {}
        for h in self._heads:
            own = {k: v for (head, k), v in predictions.items() if head == h.name}
            made = h._outputs(own)
            default = made.pop("serving_default")
            served.setdefault("serving_default", default)
            served[str(h.name)] = default
            served.update((f"{h.name}/{k}", v) for k, v in made.items())
        flat = {f"{head}/{k}": v for (head, k), v in predictions.items()}
        return {**served, "predict": PredictOutput(flat)}
