"""Metrics that are means over everything seen."""

from __future__ import annotations

from typing import Any

from graphc.face.graph import get_default_graph
from graphc.ir.node import Value
from graphc.metrics.support import (
    Both,
    as_float,
    broadcast_weights,
    finished,
    metric_scope,
    metric_variable,
    ratio,
    squeezed_with_weights,
    weighted_sum_and_count,
)
from graphc.ops import fills, math, reduce, state
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "accuracy", "mean", "mean_absolute_error", "mean_cosine_distance", "mean_relative_error",
    "mean_squared_error", "mean_tensor", "percentage_below", "root_mean_squared_error",
]  # fmt: skip


def mean(
    values: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean of all values seen: the value so far, and the operation that takes more in.

    Parameters
    ----------
    values : tensor
    weights : tensor, optional
        A scalar, or of the rank of `values`.
    metrics_collections, updates_collections : list, optional
        Where the value and the update are added.
    """
    with metric_scope(name, "mean", values, weights):
        x = as_float(values)
        total, count = metric_variable([], name="total"), metric_variable([], name="count")
        x, number = weighted_sum_and_count(x, weights)
        more = state.assign_add(total, reduce.reduce_sum(x))
        with get_default_graph().control_dependencies([x]):
            counted = state.assign_add(count, number)
        value = ratio(total, count, "value")
        update = ratio(more, counted, "update_op")
        return finished(value, update, metrics_collections, updates_collections)


def accuracy(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How often predictions equal labels.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     value, update = tf.metrics.accuracy([1, 2, 3, 4], [1, 2, 0, 4])
    ...     sess.run(tf.local_variables_initializer())
    ...     print(sess.run(update))
    0.75
    """
    t, p, weights = squeezed_with_weights(labels, predictions, weights)
    p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
    if t.dtype is not p.dtype:
        p = math.cast(p, t.dtype)
    correct = as_float(math.equal(p, t))
    return mean(correct, weights, metrics_collections, updates_collections, name or "accuracy")


def _error(
    f: Any, labels: Any, predictions: Any, weights: Any, metrics: Any, updates: Any, name: str
) -> Both:
    t, p, weights = squeezed_with_weights(labels, predictions, weights)
    p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
    return mean(f(t, p), weights, metrics, updates, name)


def mean_squared_error(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean of ``(labels - predictions) ** 2``."""
    return _error(
        math.squared_difference, labels, predictions, weights, metrics_collections,
        updates_collections, name or "mean_squared_error",
    )  # fmt: skip


def mean_absolute_error(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean of ``|labels - predictions|``."""
    return _error(
        lambda t, p: math.abs(p - t), labels, predictions, weights, metrics_collections,
        updates_collections, name or "mean_absolute_error",
    )  # fmt: skip


def mean_relative_error(
    labels: Any, predictions: Any, normalizer: Any, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean of ``|labels - predictions| / normalizer``, 0 where the normalizer is 0."""
    n = convert_to_tensor(normalizer)

    def relative(t: Value, p: Value) -> Value:
        return math.select(  # type: ignore[no-any-return]
            math.equal(n, 0.0), fills.zeros_like(t), math.div(math.abs(t - p), n)
        )

    return _error(
        relative, labels, predictions, weights, metrics_collections, updates_collections,
        name or "mean_relative_error",
    )  # fmt: skip


def root_mean_squared_error(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The root of the mean of ``(labels - predictions) ** 2``."""
    value, update = mean_squared_error(
        labels, predictions, weights, None, None, name or "root_mean_squared_error"
    )
    return finished(math.sqrt(value), math.sqrt(update), metrics_collections, updates_collections)


def mean_cosine_distance(
    labels: Any, predictions: Any, dim: int, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """One less the mean dot product of unit vectors along `dim`."""
    t, p, weights = squeezed_with_weights(labels, predictions, weights)
    p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
    dot = reduce.reduce_sum(math.multiply(p, t), [dim], keepdims=True)
    value, update = mean(dot, weights, None, None, name or "mean_cosine_distance")
    return finished(
        math.subtract(1.0, value), math.subtract(1.0, update), metrics_collections,
        updates_collections,
    )  # fmt: skip


def percentage_below(
    values: Any, threshold: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of values below a threshold."""
    below = as_float(math.less(values, threshold))
    return mean(
        below, weights, metrics_collections, updates_collections,
        name or "percentage_below_threshold",
    )  # fmt: skip


def mean_tensor(
    values: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean of all tensors seen, element by element."""
    with metric_scope(name, "mean", values, weights):
        given = convert_to_tensor(values)
        shape = given.shape.as_list()  # type: ignore[attr-defined]
        total = metric_variable(shape, name="total_tensor")
        count = metric_variable(shape, name="count_tensor")
        x = as_float(given)
        number = fills.ones_like(x)
        if weights is not None:
            _, x, weights = squeezed_with_weights(None, x, weights)
            w = broadcast_weights(as_float(weights), x)
            x, number = math.multiply(x, w), math.multiply(number, w)
        more = state.assign_add(total, x)
        with get_default_graph().control_dependencies([x]):
            counted = state.assign_add(count, number)
        return finished(
            ratio(total, count, "value"), ratio(more, counted, "update_op"), metrics_collections,
            updates_collections,
        )  # fmt: skip
