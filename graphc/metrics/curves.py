"""Metrics over thresholds: precision and recall at each, areas under curves."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from graphc.face.asserts import assert_greater_equal, assert_less_equal
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.metrics.support import (
    Both,
    as_float,
    broadcast_weights,
    finished,
    metric_scope,
    metric_variable,
    squeezed_with_weights,
)
from graphc.ops import fills, math, reduce, shapes, spaced, state
from graphc.ops.arrays import gather
from graphc.ops.convert import constant
from graphc.ops.counting import made

__all__ = [
    "auc", "false_negatives_at_thresholds", "false_positives_at_thresholds",
    "precision_at_thresholds", "recall_at_thresholds", "sensitivity_at_specificity",
    "specificity_at_sensitivity", "true_negatives_at_thresholds", "true_positives_at_thresholds",
]  # fmt: skip

Counts = dict[str, Any]
#: Kept from 0 by TF1 in denominators.
_TINY = 1e-7

#: Name, whether the label is true, whether the prediction is.
_KINDS = {
    "tp": ("true_positives", True, True), "fn": ("false_negatives", True, False),
    "tn": ("true_negatives", False, False), "fp": ("false_positives", False, True),
}  # fmt: skip


def counts_at(
    labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any,
    kinds: Sequence[str] = tuple(_KINDS),
) -> tuple[Counts, Counts]:  # fmt: skip
    """Variables of counts at each threshold, and their updates."""
    given: Any = as_float(predictions)
    words = "predictions must be in [0, 1]"
    inside = [
        assert_greater_equal(given, 0.0, message=words),
        assert_less_equal(given, 1.0, message=words),
    ]  # fmt: skip
    with get_default_graph().control_dependencies(inside):
        t, p, w = squeezed_with_weights(
            math.cast(labels, dtypes.bool_), state.identity(given, name="checked"), weights
        )
    p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
    made(15)  # TF1 repeats labels and predictions for each threshold
    n = len(thresholds)
    positive = math.greater(
        shapes.reshape(p, [1, -1]), constant(list(thresholds), dtypes.float32, [n, 1])
    )
    true = shapes.reshape(t, [1, -1])
    each = None if w is None else shapes.reshape(broadcast_weights(as_float(w), p), [1, -1])
    values, updates = {}, {}
    for key, (name, label, prediction) in _KINDS.items():
        if key not in kinds:
            continue
        count = metric_variable([n], name=name)
        hit = as_float(
            math.logical_and(
                true if label else math.logical_not(true),
                positive if prediction else math.logical_not(positive),
            )
        )
        if each is not None:
            hit = hit * each
        values[key] = count
        updates[key] = state.assign_add(count, reduce.reduce_sum(hit, 1))
    return values, updates


def _spread(n: int) -> list[float]:
    """`n` thresholds from just below 0 to just above 1."""
    inner = [(i + 1) * 1.0 / (n - 1) for i in range(n - 2)]
    return [0.0 - _TINY, *inner, 1.0 + _TINY]


def _from_counts(
    f: Callable[..., Value], values: Counts, updates: Counts, metrics: Any, more: Any
) -> Both:
    return finished(f("value", **values), f("update_op", **updates), metrics, more)


def auc(
    labels: Any, predictions: Any, weights: Any = None, num_thresholds: int = 200,
    metrics_collections: Any = None, updates_collections: Any = None, curve: str = "ROC",
    name: str | None = None, summation_method: str = "trapezoidal", thresholds: Any = None,
) -> Both:  # fmt: skip
    """The area under the ROC or precision-recall curve, from counts at thresholds.

    Parameters
    ----------
    labels : tensor
        Cast to bool.
    predictions : tensor
        In [0, 1].
    num_thresholds : int
    curve : {"ROC", "PR"}
    summation_method : {"trapezoidal", "careful_interpolation", "minoring", "majoring"}
    thresholds : list of float, optional
        In place of evenly spaced ones.

    Raises
    ------
    ValueError
        For another curve or method.
    """
    with metric_scope(name, "auc", labels, predictions, weights):
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
        if summation_method not in (
            "trapezoidal", "careful_interpolation", "minoring", "majoring"
        ):  # fmt: skip
            raise ValueError(f"Invalid summation_method: {summation_method}")
        if thresholds is None:
            at = _spread(num_thresholds)
        else:
            at = [0.0 - _TINY, *sorted(thresholds), 1.0 + _TINY]
        values, updates = counts_at(labels, predictions, at, weights)
        if curve == "PR" and summation_method == "trapezoidal":
            warnings.warn(
                "Trapezoidal rule is known to produce incorrect PR-AUCs; please switch to "
                '"careful_interpolation" instead.',
                stacklevel=2,
            )

        def area(name: str, tp: Any, fn: Any, tn: Any, fp: Any) -> Value:
            plain = curve == "ROC" and summation_method == "trapezoidal"
            with current().counts_as(32 if plain else None):
                return _area(curve, summation_method, len(at), name, tp, fn, tn, fp)

        return _from_counts(area, values, updates, metrics_collections, updates_collections)


def _area(
    curve: str, method: str, n: int, name: str, tp: Any, fn: Any, tn: Any, fp: Any
) -> Value:  # fmt: skip
    if curve == "PR" and method == "careful_interpolation":
        return _careful(n, tp, fp, fn)
    tiny = 1.0e-6
    recall = math.div(tp + tiny, tp + fn + tiny)
    if curve == "ROC":
        x, y = math.div(fp, fp + tn + tiny), recall
    else:
        x, y = recall, math.div(tp + tiny, tp + fp + tiny)
    left, right = y[: n - 1], y[1:]
    heights = {
        "minoring": math.minimum, "majoring": math.maximum
    }.get(method, lambda a, b: (a + b) / 2.0)(left, right)  # fmt: skip
    out: Value = reduce.reduce_sum(math.multiply(x[: n - 1] - x[1:], heights), name=name)
    return out


def _careful(n: int, tp: Any, fp: Any, fn: Any) -> Value:
    """Davis and Goadrich, The relationship between precision-recall and ROC curves, ICML 2006."""
    steps = tp[: n - 1] - tp[1:]
    p = tp + fp
    first, rest = p[: n - 1], p[1:]
    slope = math.div_no_nan(steps, math.maximum(first - rest, 0.0), name="prec_slope")
    start = tp[1:] - math.multiply(slope, rest)
    both = math.logical_and(first > 0.0, rest > 0.0)
    share = math.select(
        both, math.div_no_nan(first, math.maximum(rest, 0.0)), fills.ones_like(rest)
    )
    parts = math.div_no_nan(
        slope * (steps + start * math.log(share)), math.maximum(tp[1:] + fn[1:], 0.0),
        name="pr_auc_increment",
    )  # fmt: skip
    out: Value = reduce.reduce_sum(parts, name="interpolate_pr_auc")
    return out


def sensitivity_at_specificity(
    labels: Any, predictions: Any, specificity: float, weights: Any = None,
    num_thresholds: int = 200, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Both:  # fmt: skip
    """The sensitivity at the threshold whose specificity is nearest the given one."""
    if not 0 <= specificity <= 1:
        raise ValueError("`specificity` must be in the range [0, 1].")
    with metric_scope(name, "sensitivity_at_specificity", labels, predictions, weights):
        values, updates = counts_at(labels, predictions, _spread(num_thresholds), weights)
        made(26)  # rows are sliced, not gathered

        def at(name: str, tp: Any, fn: Any, tn: Any, fp: Any) -> Value:
            away = math.abs(math.div(tn, tn + fp + _TINY) - specificity)
            i = math.cast(reduce.argmin(away, 0), dtypes.int32)
            hits = gather(tp, i)
            return math.div(hits, hits + gather(fn, i) + _TINY, name)

        return _from_counts(at, values, updates, metrics_collections, updates_collections)


def specificity_at_sensitivity(
    labels: Any, predictions: Any, sensitivity: float, weights: Any = None,
    num_thresholds: int = 200, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Both:  # fmt: skip
    """The specificity at the last threshold whose sensitivity is nearest the given one."""
    if not 0 <= sensitivity <= 1:
        raise ValueError("`sensitivity` must be in the range [0, 1].")
    with metric_scope(name, "specificity_at_sensitivity", labels, predictions, weights):
        values, updates = counts_at(labels, predictions, _spread(num_thresholds), weights)
        made(26)  # rows are sliced, not gathered

        def at(name: str, tp: Any, fn: Any, tn: Any, fp: Any) -> Value:
            away = math.abs(math.div(tp, tp + fn + _TINY) - sensitivity)
            nearest = math.equal(away, reduce.reduce_min(away))
            order = math.cast(nearest, dtypes.int64) * spaced.range(num_thresholds, dtype="int64")
            i = math.cast(reduce.argmax(order, 0), dtypes.int32)
            rejected = gather(tn, i)
            return math.div(rejected, rejected + gather(fp, i) + _TINY, name)

        return _from_counts(at, values, updates, metrics_collections, updates_collections)


def precision_at_thresholds(
    labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """`precision` of ``predictions > threshold`` for each threshold."""
    with metric_scope(name, "precision_at_thresholds", predictions, labels, weights):
        values, updates = counts_at(labels, predictions, thresholds, weights, ("tp", "fp"))

        def at(name: str, tp: Any, fp: Any) -> Value:
            return math.div(tp, _TINY + tp + fp, name="precision_" + name)

        return _from_counts(at, values, updates, metrics_collections, updates_collections)


def recall_at_thresholds(
    labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """`recall` of ``predictions > threshold`` for each threshold."""
    with metric_scope(name, "recall_at_thresholds", predictions, labels, weights):
        values, updates = counts_at(labels, predictions, thresholds, weights, ("tp", "fn"))

        def at(name: str, tp: Any, fn: Any) -> Value:
            return math.div(tp, _TINY + tp + fn, name="recall_" + name)

        return _from_counts(at, values, updates, metrics_collections, updates_collections)


def _at_thresholds(kind: str) -> Callable[..., Both]:
    what = _KINDS[kind][0]

    def f(
        labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any = None,
        metrics_collections: Any = None, updates_collections: Any = None,
        name: str | None = None,
    ) -> Both:  # fmt: skip
        with metric_scope(name, what, predictions, labels, weights):
            values, updates = counts_at(labels, predictions, thresholds, weights, (kind,))
            value = state.identity(values[kind])
            return finished(value, updates[kind], metrics_collections, updates_collections)

    f.__name__ = f.__qualname__ = what + "_at_thresholds"
    f.__doc__ = f"`{what}` of ``predictions > threshold`` for each threshold."
    return f


true_positives_at_thresholds = _at_thresholds("tp")
false_negatives_at_thresholds = _at_thresholds("fn")
true_negatives_at_thresholds = _at_thresholds("tn")
false_positives_at_thresholds = _at_thresholds("fp")
