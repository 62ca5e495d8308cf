"""tf.contrib.metrics: the metrics with predictions before labels, and a few more."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.metrics import averages, counting, curves, ranking
from graphc.metrics.counting import confusion_matrix
from graphc.metrics.curves import _spread, counts_at
from graphc.metrics.support import (
    Both,
    as_float,
    finished,
    metric_scope,
    metric_variable,
    weighted_sum_and_count,
)
from graphc.ops import math, reduce, state
from graphc.ops.arrays import gather

__all__ = [
    "accuracy", "aggregate_metric_map", "aggregate_metrics", "confusion_matrix", "count",
    "f1_score", "precision_at_recall", "streaming_accuracy", "streaming_auc",
    "streaming_false_negatives", "streaming_false_negatives_at_thresholds",
    "streaming_false_positives", "streaming_false_positives_at_thresholds", "streaming_mean",
    "streaming_mean_absolute_error", "streaming_mean_cosine_distance", "streaming_mean_iou",
    "streaming_mean_relative_error", "streaming_mean_squared_error", "streaming_mean_tensor",
    "streaming_percentage_less", "streaming_precision", "streaming_precision_at_thresholds",
    "streaming_recall", "streaming_recall_at_thresholds", "streaming_root_mean_squared_error",
    "streaming_sensitivity_at_specificity", "streaming_sparse_average_precision_at_k",
    "streaming_sparse_precision_at_k", "streaming_sparse_recall_at_k",
    "streaming_specificity_at_sensitivity", "streaming_true_negatives",
    "streaming_true_negatives_at_thresholds", "streaming_true_positives",
    "streaming_true_positives_at_thresholds",
]  # fmt: skip


def _swapped(
    f: Callable[..., Any], name: str = "", drop: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """A metric under its contrib name: predictions come before labels."""
    given = [p for p in inspect.signature(f).parameters.values() if p.name not in drop]
    if given[0].name == "labels":
        given[:2] = [given[1], given[0]]
    signature = inspect.Signature(given)

    @functools.wraps(f)
    def g(*args: Any, **kwargs: Any) -> Any:
        return f(**signature.bind(*args, **kwargs).arguments)

    g.__signature__ = signature  # type: ignore[attr-defined]
    g.__name__ = g.__qualname__ = name or f"streaming_{f.__name__}"
    return g


streaming_true_positives = _swapped(counting.true_positives)
streaming_true_negatives = _swapped(counting.true_negatives)
streaming_false_positives = _swapped(counting.false_positives)
streaming_false_negatives = _swapped(counting.false_negatives)
streaming_mean = _swapped(averages.mean)
streaming_mean_tensor = _swapped(averages.mean_tensor)
streaming_accuracy = _swapped(averages.accuracy)
streaming_precision = _swapped(counting.precision)
streaming_recall = _swapped(counting.recall)
streaming_auc = _swapped(curves.auc, drop=("summation_method", "thresholds"))
streaming_mean_absolute_error = _swapped(averages.mean_absolute_error)
streaming_mean_relative_error = _swapped(averages.mean_relative_error)
streaming_mean_squared_error = _swapped(averages.mean_squared_error)
streaming_root_mean_squared_error = _swapped(averages.root_mean_squared_error)
streaming_mean_cosine_distance = _swapped(averages.mean_cosine_distance)
streaming_percentage_less = _swapped(averages.percentage_below, "streaming_percentage_less")
streaming_mean_iou = _swapped(counting.mean_iou)
streaming_precision_at_thresholds = _swapped(curves.precision_at_thresholds)
streaming_recall_at_thresholds = _swapped(curves.recall_at_thresholds)
streaming_true_positives_at_thresholds = _swapped(curves.true_positives_at_thresholds)
streaming_true_negatives_at_thresholds = _swapped(curves.true_negatives_at_thresholds)
streaming_false_positives_at_thresholds = _swapped(curves.false_positives_at_thresholds)
streaming_false_negatives_at_thresholds = _swapped(curves.false_negatives_at_thresholds)
streaming_sensitivity_at_specificity = _swapped(curves.sensitivity_at_specificity)
streaming_specificity_at_sensitivity = _swapped(curves.specificity_at_sensitivity)
streaming_sparse_precision_at_k = _swapped(
    ranking.precision_at_k, "streaming_sparse_precision_at_k"
)
streaming_sparse_recall_at_k = _swapped(ranking.recall_at_k, "streaming_sparse_recall_at_k")
streaming_sparse_average_precision_at_k = _swapped(
    ranking.average_precision_at_k, "streaming_sparse_average_precision_at_k"
)


def accuracy(predictions: Any, labels: Any, weights: Any = None, name: str | None = None) -> Value:
    """The share of predictions that equal labels, in this batch alone.

    Raises
    ------
    ValueError
        For floats, or two element types.
    """
    if not (labels.dtype.is_integer or labels.dtype.name in ("bool", "string")):
        raise ValueError(f"Labels should have bool, integer, or string dtype, not {labels.dtype}")
    if not labels.dtype.is_compatible_with(predictions.dtype):
        raise ValueError(
            f"Dtypes of predictions and labels should match. Given: predictions "
            f"({predictions.dtype}) and labels ({labels.dtype})"
        )
    with metric_scope(name, "accuracy", predictions, labels):
        right = as_float(math.equal(predictions, labels))
        if weights is not None:
            right = math.multiply(right, weights)
            total = math.multiply(weights, math.cast(right * 0.0 + 1.0, right.dtype))
            return math.div(reduce.reduce_sum(right), reduce.reduce_sum(total))
        out: Value = reduce.reduce_mean(right)
        return out


def count(
    values: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How many values were seen, or the sum of their weights."""
    with metric_scope(name, "count", values, weights):
        total = metric_variable([], name="count")
        _, number = weighted_sum_and_count(as_float(values), weights)
        update = state.assign_add(total, number)
        return finished(state.identity(total), update, metrics_collections, updates_collections)


def f1_score(
    labels: Any, predictions: Any, weights: Any = None, num_thresholds: int = 200,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The best harmonic mean of precision and recall over thresholds."""
    with metric_scope(name, "f1", labels, predictions, weights):
        values, updates = counts_at(
            labels, predictions, _spread(num_thresholds), weights, ("tp", "fp", "fn")
        )
        tiny = 1e-7

        def best(tp: Any, fp: Any, fn: Any) -> Value:
            precision = math.div(tp, tiny + tp + fp)
            recall = math.div(tp, tiny + tp + fn)
            each = 2.0 * precision * recall / (precision + recall + tiny)
            out: Value = reduce.reduce_max(each)
            return out

        return finished(
            best(**values), best(**updates), metrics_collections,
            updates_collections,
        )  # fmt: skip


def precision_at_recall(
    labels: Any, predictions: Any, target_recall: float, weights: Any = None,
    num_thresholds: int = 200, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Both:  # fmt: skip
    """The precision at the last threshold whose recall is at least the given one."""
    if not 0 <= target_recall <= 1:
        raise ValueError("`target_recall` must be in the range [0, 1].")
    with metric_scope(name, "precision_at_recall", predictions, labels, weights):
        values, updates = counts_at(labels, predictions, _spread(num_thresholds), weights)

        def at(name: str, tp: Any, fn: Any, tn: Any, fp: Any) -> Value:
            enough = math.greater_equal(math.div(tp, tp + fn + 1e-7), target_recall)
            last = reduce.reduce_sum(math.cast(enough, dtypes.int32)) - 1
            i = math.floormod(last + num_thresholds, num_thresholds)
            hits = gather(tp, i)
            return math.div(hits + 1e-7, hits + gather(fp, i) + 1e-7, name)

        return finished(
            at("value", **values), at("update_op", **updates), metrics_collections,
            updates_collections,
        )  # fmt: skip


def aggregate_metrics(*value_update_tuples: Both) -> tuple[list[Any], list[Any]]:
    """The values and the updates of several metrics."""
    if not value_update_tuples:
        raise ValueError("Expected at least one value_tensor/update_op pair")
    values, updates = zip(*value_update_tuples, strict=True)
    return list(values), list(updates)


def aggregate_metric_map(
    names_to_tuples: Mapping[str, Both],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values and the updates of several metrics, by name."""
    return (
        {k: v for k, (v, _) in names_to_tuples.items()},
        {k: u for k, (_, u) in names_to_tuples.items()},
    )
