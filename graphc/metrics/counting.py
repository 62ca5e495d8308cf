"""Metrics that count: conditions, precision and recall, confusion matrices."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.losses.weighting import squeezed
from graphc.metrics.support import (
    Both,
    as_float,
    counted,
    finished,
    metric_scope,
    metric_variable,
    ratio,
    squeezed_with_weights,
)
from graphc.ops import arrays, diagonal, fills, math, reduce, shapes, state
from graphc.ops.check import Assert
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many

__all__ = [
    "confusion_matrix", "false_negatives", "false_positives", "mean_iou",
    "mean_per_class_accuracy", "precision", "recall", "true_negatives", "true_positives",
]  # fmt: skip


def _condition(
    kind: str, label: bool, prediction: bool, labels: Any, predictions: Any, weights: Any,
    metrics: Any, updates: Any, name: str | None,
) -> Both:  # fmt: skip
    """How often a label and a prediction are as said."""
    with metric_scope(name, kind, predictions, labels, weights):
        t, p, w = squeezed_with_weights(
            math.cast(labels, dtypes.bool_), math.cast(predictions, dtypes.bool_), weights
        )
        p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        hit = math.logical_and(math.equal(t, label), math.equal(p, prediction))
        return counted(hit, w, metrics, updates)


def true_positives(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How many predictions are true where the label is."""
    return _condition(
        "true_positives", True, True, labels, predictions, weights, metrics_collections,
        updates_collections, name,
    )  # fmt: skip


def true_negatives(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How many predictions are false where the label is."""
    return _condition(
        "true_negatives", False, False, labels, predictions, weights, metrics_collections,
        updates_collections, name,
    )  # fmt: skip


def false_positives(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How many predictions are true where the label is false."""
    return _condition(
        "false_positives", False, True, labels, predictions, weights, metrics_collections,
        updates_collections, name,
    )  # fmt: skip


def false_negatives(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How many predictions are false where the label is true."""
    return _condition(
        "false_negatives", True, False, labels, predictions, weights, metrics_collections,
        updates_collections, name,
    )  # fmt: skip


def _share(hits: Any, others: Any, name: str) -> Value:
    return math.select(  # type: ignore[no-any-return]
        math.greater(hits + others, 0.0), math.div(hits, hits + others), 0.0, name=name
    )


def precision(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of true predictions that are right."""
    with metric_scope(name, "precision", predictions, labels, weights):
        t, p, w = squeezed_with_weights(
            math.cast(labels, dtypes.bool_), math.cast(predictions, dtypes.bool_), weights
        )
        hits, more_hits = true_positives(t, p, w)
        others, more_others = false_positives(t, p, w)
        return finished(
            _share(hits, others, "value"), _share(more_hits, more_others, "update_op"),
            metrics_collections, updates_collections,
        )  # fmt: skip


def recall(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of true labels that were predicted."""
    with metric_scope(name, "recall", predictions, labels, weights):
        t, p, w = squeezed_with_weights(
            math.cast(labels, dtypes.bool_), math.cast(predictions, dtypes.bool_), weights
        )
        hits, more_hits = true_positives(t, p, w)
        others, more_others = false_negatives(t, p, w)
        return finished(
            _share(hits, others, "value"), _share(more_hits, more_others, "update_op"),
            metrics_collections, updates_collections,
        )  # fmt: skip


# ------------------------------------------------------------------------- confusion matrices


def _matrix_count(
    labels: Any, predictions: Any, num_classes: Any = None, dtype: Any = dtypes.int32,
    name: str | None = None, weights: Any = None,
) -> int | None:  # fmt: skip
    """Operations of TF1, most of which see that classes are in the matrix."""
    if not (isinstance(labels, Value) and isinstance(predictions, Value)):
        return None
    count = 59 if num_classes is None else 102
    count += sum(v.dtype is not dtypes.int64 for v in (labels, predictions))
    if labels.rank != predictions.rank:
        count += 1
    if weights is None:
        return count + 1
    given = getattr(weights, "dtype", None)
    return count - 2 + (given is not dtypes.as_dtype(dtype)) - (given is None)


@as_many(_matrix_count)
def confusion_matrix(
    labels: Any, predictions: Any, num_classes: Any = None, dtype: Any = dtypes.int32,
    name: str | None = None, weights: Any = None,
) -> Value:  # fmt: skip
    """How often each class (row) was taken for each class (column).

    Parameters
    ----------
    labels, predictions : tensor
        Class numbers.
    num_classes : int, optional
        One more than the largest number by default.
    weights : tensor, optional
        What each counts, in place of 1.

    Raises
    ------
    InvalidArgumentError
        In a run, for a class outside the matrix.
    """
    with name_scope(name, "confusion_matrix"):
        t, p = squeezed(convert_to_tensor(labels), convert_to_tensor(predictions))
        t, p = math.cast(t, dtypes.int64), math.cast(p, dtypes.int64)
        if num_classes is None:
            n = math.maximum(reduce.reduce_max(p), reduce.reduce_max(t)) + 1
        else:
            n = math.cast(convert_to_tensor(num_classes), dtypes.int64)
        p.shape.assert_is_compatible_with(t.shape)
        values = fills.ones_like(p, dtype) if weights is None else math.cast(weights, dtype)
        size = [num_classes, num_classes] if isinstance(num_classes, int) else arrays.stack([n, n])
        places = arrays.stack([t, p], axis=1)
        if isinstance(size, list):
            size = convert_to_tensor(size, dtypes.int64)
        return arrays.scatter_nd(places, values, size)


def _flat(x: Any) -> Any:
    return x if x.rank == 1 else shapes.reshape(x, [-1])


def mean_iou(
    labels: Any, predictions: Any, num_classes: int, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean over classes of intersection over union; the update is the confusion matrix."""
    with metric_scope(name, "mean_iou", predictions, labels, weights):
        p, t = convert_to_tensor(predictions), convert_to_tensor(labels)
        p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        total = metric_variable(
            [num_classes, num_classes], dtypes.float64, name="total_confusion_matrix"
        )
        p, t = math.cast(p, dtypes.int64), math.cast(t, dtypes.int64)
        w = None if weights is None else _flat(convert_to_tensor(weights))
        now = confusion_matrix(_flat(t), _flat(p), num_classes, dtypes.float64, weights=w)
        update = state.assign_add(total, now)
        rows, columns = as_float(reduce.reduce_sum(total, 0)), as_float(reduce.reduce_sum(total, 1))
        hits = as_float(diagonal.diag_part(total))
        union = rows + columns - hits
        valid = reduce.reduce_sum(as_float(math.not_equal(union, 0.0)))
        union = math.select(math.greater(union, 0.0), union, fills.ones_like(union))
        each = math.div(hits, union)
        value = math.select(
            math.greater(valid, 0.0), reduce.reduce_sum(each, name="mean_iou") / valid, 0.0
        )
        return finished(value, update, metrics_collections, updates_collections)


@as_many(
    lambda labels, predictions, num_classes, weights=None, *more, **named: (
        28 if weights is None else None
    )
)
def mean_per_class_accuracy(
    labels: Any, predictions: Any, num_classes: int, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean over classes of the accuracy in each."""
    with metric_scope(name, "mean_accuracy", predictions, labels, weights):
        t, p = squeezed(labels, math.cast(predictions, dtypes.int64))
        p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        total = metric_variable([num_classes], name="total")
        count = metric_variable([num_classes], name="count")
        t = math.cast(_flat(t), dtypes.int64)
        known = reduce.reduce_all(math.logical_and(t >= 0, t < num_classes))
        inside = Assert(known, [f"labels must be in [0, {num_classes}):", t])
        with get_default_graph().control_dependencies([inside]):
            t, p = state.identity(t, name="checked"), _flat(p)
        correct = as_float(math.equal(p, t))
        one = fills.ones_like(correct)
        if weights is not None:
            w = as_float(_flat(convert_to_tensor(weights)))
            correct, one = correct * w, one * w
        spread = fills.one_hot(t, num_classes, dtype=dtypes.float32)

        def by_class(x: Value) -> Value:
            return reduce.reduce_sum(spread * shapes.expand_dims(x, 1), 0)  # type: ignore[no-any-return]

        more = state.assign_add(total, by_class(one))
        hits = state.assign_add(count, by_class(correct))
        value = reduce.reduce_mean(ratio(count, total, "per_class"), name="mean_accuracy")
        return finished(
            value, ratio(hits, more, "update_op"), metrics_collections, updates_collections
        )
