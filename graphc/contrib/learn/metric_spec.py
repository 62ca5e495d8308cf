"""``MetricSpec``: a metric function and what of a model it is given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["MetricSpec"]

#: How metric functions call what they are given.
_WORDS = {
    "labels": ("labels", "label", "targets", "target"),
    "predictions": ("predictions", "prediction", "logits", "logit", "inputs", "values"),
    "weights": ("weights", "weight"),
}


def _called(f: Any) -> str:
    f = f.func if isinstance(f, functools.partial) else f
    return getattr(f, "__name__", str(f))


def _argument(f: Callable[..., Any], what: str, needed: bool) -> str | None:
    found = [n for n in inspect.signature(f).parameters if n in _WORDS[what]]
    if len(found) > 1:
        raise ValueError(f"Ambiguous arguments {found} for `{what}` of metric function "
                         f"{_called(f)}.")  # fmt: skip
    if needed and not found:
        raise ValueError(f"No argument of {_called(f)} in {_WORDS[what]} for `{what}`.")
    return found[0] if found else None


class MetricSpec:
    """A metric of predictions and labels.

    Parameters
    ----------
    metric_fn : callable
        Takes ``labels`` (or ``targets``), ``predictions`` and perhaps ``weights`` by name, or
        predictions at the first place.
    prediction_key, label_key, weight_key : str, optional
        Which prediction, label and feature they are, where there are several.

    Raises
    ------
    ValueError
        When `metric_fn` has no argument for what a key names.
    """

    def __init__(
        self, metric_fn: Any, prediction_key: Any = None, label_key: Any = None,
        weight_key: Any = None,
    ) -> None:  # fmt: skip
        self._given = metric_fn
        self._labels = _argument(metric_fn, "labels", label_key is not None)
        self._predictions = _argument(metric_fn, "predictions", False)
        self._weights = _argument(metric_fn, "weights", weight_key is not None)
        self.prediction_key = prediction_key
        self.label_key = label_key
        self.weight_key = weight_key

    def metric_fn(
        self, _sentinel: Any = None, labels: Any = None, predictions: Any = None,
        weights: Any = None,
    ) -> Any:  # fmt: skip
        """The function with TensorFlow's names of its arguments."""
        if _sentinel is not None:
            raise ValueError("metric_fn should be called with keyword args only")
        named: dict[str, Any] = {}
        if self._labels:
            named[self._labels] = labels
        if weights is not None and self._weights:
            named[self._weights] = weights
        if self._predictions:
            named[self._predictions] = predictions
            return self._given(**named)
        first = next(iter(inspect.signature(self._given).parameters), None)
        if self._labels and first == self._labels:
            return self._given(named.pop(self._labels), predictions, **named)
        return self._given(predictions, **named)

    def create_metric_ops(self, inputs: Any, labels: Any, predictions: Any) -> Any:
        """What the function makes of a model's features, labels and predictions."""
        prediction = _one("prediction", predictions, self.prediction_key)
        label = _one("label", labels, self.label_key)
        weights = inputs[self.weight_key] if self.weight_key else None
        return self.metric_fn(labels=label, predictions=prediction, weights=weights)

    def __str__(self) -> str:
        return (
            f"MetricSpec(metric_fn={_called(self._given)}, prediction_key={self.prediction_key}, "
            f"label_key={self.label_key}, weight_key={self.weight_key})"
        )


def _one(what: str, given: Any, key: Any) -> Any:
    """What a key names in a dict, or the only thing there is."""
    if key:
        if not isinstance(given, dict):
            raise ValueError(
                f"MetricSpec with {what}_key specified requires {what}s dict, got {given}.\n"
                f"You must not provide a {what}_key if you only have a single Tensor as {what}s."
            )
        if key not in given:
            raise KeyError(f"Key '{key}' missing from {given.keys()}.")
        return given[key]
    if not isinstance(given, dict):
        return given
    if len(given) != 1:
        raise ValueError(f"MetricSpec without specified {what}_key requires {what}s tensor or "
                         f"single element dict, got {given}")  # fmt: skip
    return next(iter(given.values()))
