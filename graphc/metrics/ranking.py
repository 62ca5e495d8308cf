"""Metrics of the k best classes: precision, recall and average precision.

Labels are class numbers in the last axis; a number twice counts once, and one outside
``[0, num_classes)`` is a label that cannot be found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.current import name_scope
from graphc.face.shape import TensorShape
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.metrics.support import (
    Both,
    as_float,
    broadcast_weights,
    finished,
    metric_variable,
    squeezed_with_weights,
)
from graphc.ops import math, reduce, shapes, spaced, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many
from graphc.ops.lookup import top_k
from graphc.sparse.ops import sparse_to_dense
from graphc.sparse.tensor import SparseTensor, SparseTensorValue

__all__ = [
    "average_precision_at_k", "precision_at_k", "precision_at_top_k", "recall_at_k",
    "recall_at_top_k", "sparse_average_precision_at_k", "sparse_precision_at_k",
]  # fmt: skip


def _named(kind: str, k: int | None, class_id: int | None = None) -> str:
    name = f"{kind}_at_{k}" if k is not None else f"{kind}_at_k"
    return name if class_id is None else f"{name}_class{class_id}"


#: Fills rows of sparse labels: no label at all, where any other number that is no class is missed.
_NONE = -(2**63)


def _labels(labels: Any, best: Value, sets: bool = True) -> Value:
    """The labels as numbers, ``[..., n]`` beside the classes `best`, ``[..., k]``.

    Raises
    ------
    ValueError
        Where the rows of one are not those of the other, or (where `sets` are compared) there
        are none.
    """
    given, rank = labels, best.rank
    if isinstance(labels, SparseTensor | SparseTensorValue):
        numbers = math.cast(convert_to_tensor(labels.values), dtypes.int64)
        given = sparse_to_dense(labels.indices, labels.dense_shape, numbers, _NONE)
    t = math.cast(convert_to_tensor(given), dtypes.int64)
    if rank is None or t.rank is None:
        return t  # type: ignore[no-any-return]
    if rank == 0 or t.rank not in (rank - 1, rank):
        raise ValueError(
            f"Unexpected labels shape {TensorShape(t.static_shape)} for predictions shape "
            f"{TensorShape(best.static_shape)}: they have a row for each row of "
            "predictions, or one label"
        )
    if rank == 1 and sets:
        raise ValueError(
            "Shape must be at least rank 2 but is rank 1: predictions have rows of classes"
        )
    if t.rank == rank - 1:
        t = shapes.expand_dims(t, -1)
    return t  # type: ignore[no-any-return]


def _first(labels: Value) -> Value:
    """Where a label, but no filling, stands for the first time in its row."""
    n = labels.static_shape
    same = math.equal(shapes.expand_dims(labels, -1), shapes.expand_dims(labels, -2))
    size = shapes.shape(labels)[-1] if n is None or type(n[-1]) is not int else n[-1]
    at = spaced.range(size)
    earlier = math.less(shapes.expand_dims(at, 0), shapes.expand_dims(at, 1))
    again = reduce.reduce_any(math.logical_and(same, earlier), -1)
    return math.logical_not(math.logical_or(again, math.equal(labels, _NONE)))  # type: ignore[no-any-return]


def _found(labels: Value, best: Value) -> Value:
    """For each label whether it is among the best classes."""
    same = math.equal(shapes.expand_dims(labels, -1), shapes.expand_dims(best, -2))
    found: Value = reduce.reduce_any(same, -1)
    return found


def _of_class(class_id: int | None, x: Value, where: Value) -> Value:
    if class_id is None:
        return where
    return math.logical_and(where, math.equal(x, class_id))  # type: ignore[no-any-return]


def _per_row(where: Value, weights: Any) -> Value:
    n = reduce.reduce_sum(as_float(where), -1)
    if weights is None:
        return n  # type: ignore[no-any-return]
    w = as_float(convert_to_tensor(weights))
    rows = n.rank
    if w.rank and rows is not None and w.rank == rows + 1:
        w = shapes.squeeze(w, [-1])
    return math.multiply(n, w)  # type: ignore[no-any-return]


def _streamed(rows: Value, name: str) -> tuple[Any, Value]:
    """A variable of the sum of `rows`, and its update."""
    v = metric_variable([], dtypes.float64, name=name)
    return v, state.assign_add(v, math.cast(reduce.reduce_sum(rows), dtypes.float64))


def _hits(labels: Value, best: Value, class_id: int | None) -> Value:
    return _of_class(class_id, labels, math.logical_and(_first(labels), _found(labels, best)))


def _share(hits: Both, others: Both, name: str, collections: Any, updates: Any) -> Both:
    """The share of `hits` in both."""
    value, update = (
        math.div(h, h + o, name=n) for h, o, n in zip(hits, others, (name, "update"), strict=True)
    )
    return finished(value, update, collections, updates)


def recall_at_top_k(
    labels: Any, predictions_idx: Any, k: int | None = None, class_id: int | None = None,
    weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Both:  # fmt: skip
    """The share of labels among the classes `predictions_idx`."""
    default = _named("recall", k, class_id)
    with name_scope(name, default) as scope:
        best = math.cast(convert_to_tensor(predictions_idx), dtypes.int64)
        t = _labels(labels, best)
        there = _of_class(class_id, t, _first(t))
        hit = _hits(t, best, class_id)
        missed = math.logical_and(there, math.logical_not(hit))
        hits = _streamed(_per_row(hit, weights), _named("true_positive", k, class_id))
        others = _streamed(_per_row(missed, weights), _named("false_negative", k, class_id))
        return _share(hits, others, scope, metrics_collections, updates_collections)


def _plain(n: int) -> Callable[..., int | None]:
    """Operations of TF1 without weights, of all classes."""

    def count(labels: Any, predictions: Any, *more: Any, **named: Any) -> int | None:
        others = [*more[1:], *[v for k, v in named.items() if k not in ("k", "name")]]
        given = labels.dtype if isinstance(labels, Value) else None
        return n if all(v is None for v in others) and given is dtypes.int64 else None

    return count


@as_many(_plain(33))
def recall_at_k(
    labels: Any, predictions: Any, k: int, class_id: int | None = None, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of labels among the `k` classes with the largest predictions.

    Parameters
    ----------
    labels : tensor
        Class numbers, ``[..., n]``.
    predictions : tensor
        ``[..., classes]``.
    class_id : int, optional
        Count this class only.
    """
    with name_scope(name, _named("recall", k, class_id)) as scope:
        _, best = top_k(predictions, k)
        return recall_at_top_k(
            labels, best, k, class_id, weights, metrics_collections, updates_collections,
            scope,
        )  # fmt: skip


@as_many(_plain(30))
def precision_at_top_k(
    labels: Any, predictions_idx: Any, k: int | None = None, class_id: int | None = None,
    weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Both:  # fmt: skip
    """The share of the classes `predictions_idx` that are labels."""
    default = _named("precision", k, class_id)
    with name_scope(name, default) as scope:
        best = math.cast(convert_to_tensor(predictions_idx), dtypes.int64)
        t = _labels(labels, best)
        right = _found(best, t)
        right, wrong = (
            _of_class(class_id, best, right),
            _of_class(class_id, best, math.logical_not(right)),
        )
        hits = _streamed(_per_row(right, weights), _named("true_positive", k, class_id))
        others = _streamed(_per_row(wrong, weights), _named("false_positive", k, class_id))
        return _share(hits, others, scope, metrics_collections, updates_collections)


@as_many(_plain(33))
def precision_at_k(
    labels: Any, predictions: Any, k: int, class_id: int | None = None, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of the `k` classes with the largest predictions that are labels."""
    with name_scope(name, _named("precision", k, class_id)) as scope:
        _, best = top_k(predictions, k)
        return precision_at_top_k(
            labels, best, k, class_id, weights, metrics_collections, updates_collections,
            scope,
        )  # fmt: skip


sparse_precision_at_k = precision_at_k


@as_many(_plain(93))
def average_precision_at_k(
    labels: Any, predictions: Any, k: int, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean over rows of the precision at the rank of each label found, up to `k`."""
    if k < 1:
        raise ValueError(f"Invalid k={k}.")
    with name_scope(name, _named("average_precision", k)) as scope:
        _, best = top_k(predictions, k)
        classes = math.cast(shapes.shape(convert_to_tensor(predictions))[-1], dtypes.int64)
        return _average_precision(
            labels, best, k, classes, weights, metrics_collections, updates_collections, scope
        )


def average_precision_of_classes(
    labels: Any, best: Any, weights: Any, metrics_collections: Any, updates_collections: Any,
    name: str | None,
) -> Both:  # fmt: skip
    """The average precision of given classes, the best first."""
    best = convert_to_tensor(best)
    k: Any = (best.static_shape or (None,))[-1]
    if best.rank == 0:
        raise ValueError("The rank of predictions_idx must be at least 1.")
    if type(k) is not int:
        raise ValueError("the last axis of the given classes must have a known size")
    with name_scope(name, "average_precision_at_top_k") as scope:
        return _average_precision(
            labels, best, k, None, weights, metrics_collections, updates_collections, scope
        )


def _average_precision(
    labels: Any, best: Any, k: int, classes: Any, weights: Any, metrics_collections: Any,
    updates_collections: Any, scope: str,
) -> Both:  # fmt: skip
    best = math.cast(best, dtypes.int64)
    t = _labels(labels, best, sets=False)
    right = math.cast(_found(best, t), dtypes.float64)
    ranks = math.cast(spaced.range(1, k + 1), dtypes.float64)
    before = math.cast(
        math.less_equal(
            shapes.expand_dims(spaced.range(k), 1), shapes.expand_dims(spaced.range(k), 0)
        ),
        dtypes.float64,
    )
    hits = reduce.reduce_sum(shapes.expand_dims(right, -1) * before, -2)
    total = reduce.reduce_sum(hits / ranks * right, -1)
    known = math.greater_equal(t, 0)
    if classes is not None:
        known = math.logical_and(known, math.less(t, classes))
    count = reduce.reduce_sum(math.cast(known, dtypes.float64), -1)
    each = total / math.minimum(count, float(k))
    w: Any = None
    if weights is not None:
        _, _, w = squeezed_with_weights(None, as_float(each), weights)
        w = math.cast(broadcast_weights(as_float(w), as_float(each)), dtypes.float64)
        each, weight = each * w, reduce.reduce_sum(w)
    else:
        weight = math.cast(shapes.size(each), dtypes.float64)
    most = metric_variable([], dtypes.float64, name="max_1")
    top = metric_variable([], dtypes.float64, name="total")
    more_most = state.assign_add(most, weight)
    more_top = state.assign_add(top, reduce.reduce_sum(each))
    return finished(
        math.div_no_nan(top, most, name="mean"),
        math.div_no_nan(more_top, more_most, name=scope), metrics_collections,
        updates_collections,
    )  # fmt: skip


sparse_average_precision_at_k = average_precision_at_k
