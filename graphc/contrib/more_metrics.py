"""Metrics of ``tf.contrib.metrics``: rates of errors, covariance, correlation, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.losses.weighting import broadcast_weights, squeezed_with_weights
from graphc.metrics import counting
from graphc.metrics.counting import confusion_matrix
from graphc.metrics.curves import counts_at
from graphc.metrics.support import Both, as_float, finished, metric_scope, metric_variable
from graphc.ops import diagonal, fills, math, reduce, shapes, state
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "cohen_kappa", "streaming_covariance", "streaming_false_negative_rate",
    "streaming_false_negative_rate_at_thresholds", "streaming_false_positive_rate",
    "streaming_false_positive_rate_at_thresholds", "streaming_pearson_correlation",
]  # fmt: skip


# ------------------------------------------------------------------------- rates


def _rate(
    what: str, predictions: Any, labels: Any, weights: Any, metrics: Any, updates: Any, name: Any
) -> Both:
    """Errors of one kind over all examples where they can be made."""
    errors, right = {
        "false_positive_rate": (counting.false_positives, counting.true_negatives),
        "false_negative_rate": (counting.false_negatives, counting.true_positives),
    }[what]
    with metric_scope(name, what, predictions, labels, weights):
        wrong, more_wrong = errors(labels, predictions, weights)
        fine, more_fine = right(labels, predictions, weights)

        def share(a: Any, b: Any, label: str) -> Any:
            return math.select(a + b > 0.0, math.div_no_nan(a, a + b), 0.0, name=label)

        return finished(
            share(wrong, fine, "value"), share(more_wrong, more_fine, "update_op"), metrics, updates
        )


def streaming_false_positive_rate(
    predictions: Any, labels: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """Of the examples whose label is false the share whose prediction is true."""
    return _rate("false_positive_rate", predictions, labels, weights, metrics_collections,
                 updates_collections, name)  # fmt: skip


def streaming_false_negative_rate(
    predictions: Any, labels: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """Of the examples whose label is true the share whose prediction is false."""
    return _rate("false_negative_rate", predictions, labels, weights, metrics_collections,
                 updates_collections, name)  # fmt: skip


def _rate_at(
    kinds: tuple[str, str], word: str, predictions: Any, labels: Any,
    thresholds: Sequence[float], weights: Any, metrics: Any, updates: Any, name: Any,
) -> Both:  # fmt: skip
    with metric_scope(name, f"{word}_at_thresholds", predictions, labels, weights):
        values, changes = counts_at(labels, predictions, thresholds, weights, kinds)

        def share(found: Any, label: str) -> Any:
            wrong, fine = (convert_to_tensor(found[k]) for k in kinds)
            return math.div(wrong, wrong + fine + 1e-7, name=label)

        short = kinds[0] + "r"
        return finished(
            share(values, f"{short}_value"), share(changes, f"{short}_update_op"), metrics, updates
        )


def streaming_false_positive_rate_at_thresholds(
    predictions: Any, labels: Any, thresholds: Sequence[float], weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """`streaming_false_positive_rate` of predictions above each threshold."""
    return _rate_at(
        ("fp", "tn"), "false_positive_rate", predictions, labels, thresholds, weights,
        metrics_collections, updates_collections, name,
    )  # fmt: skip


def streaming_false_negative_rate_at_thresholds(
    predictions: Any, labels: Any, thresholds: Sequence[float], weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """`streaming_false_negative_rate` of predictions above each threshold."""
    return _rate_at(
        ("fn", "tp"), "false_negative_rate", predictions, labels, thresholds, weights,
        metrics_collections, updates_collections, name,
    )  # fmt: skip


# ------------------------------------------------------------------------- moments


def streaming_covariance(
    predictions: Any, labels: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The sample covariance of predictions and labels, in one pass (Chan, Golub, LeVeque 1979)."""
    with metric_scope(name, "covariance", predictions, labels, weights):
        t, p, w = squeezed_with_weights(labels, as_float(predictions), weights)
        t = as_float(t)
        names = ("count", "mean_prediction", "mean_label", "comoment")
        count, mean_p, mean_t, comoment = (metric_variable([], name=n) for n in names)
        if w is None:
            here: Any = math.cast(shapes.size(t), dtypes.float32)
            each: Any = fills.ones_like(t)
        else:
            each = broadcast_weights(as_float(w), t)
            here = reduce.reduce_sum(each)
        batch_p, batch_t = (math.div_no_nan(reduce.reduce_sum(v * each), here) for v in (p, t))
        before = convert_to_tensor(count)
        total: Any = state.assign_add(count, here)
        old_p, old_t = convert_to_tensor(mean_p), convert_to_tensor(mean_t)
        inside = reduce.reduce_sum((p - batch_p) * (t - batch_t) * each)
        between = (old_p - batch_p) * (old_t - batch_t) * (before * here / total)
        moved: list[Any] = [
            state.assign_add(m, math.div_no_nan((b - old) * here, total))
            for m, b, old in ((mean_p, batch_p, old_p), (mean_t, batch_t, old_t))
        ]
        made: Any = state.assign_add(comoment, inside + between)

        def value(moment: Any, n: Any, label: str) -> Any:
            return math.select(n <= 1.0, float("nan"), moment / (n - 1.0), name=label)

        from graphc.face.current import control_dependencies

        with control_dependencies([m.op for m in moved]):
            update = value(made, total, "update_op")
        return finished(
            value(convert_to_tensor(comoment), convert_to_tensor(count), "covariance"), update,
            metrics_collections, updates_collections,
        )  # fmt: skip


def streaming_pearson_correlation(
    predictions: Any, labels: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The correlation of predictions and labels."""
    with metric_scope(name, "pearson_r", predictions, labels, weights):
        t, p, w = squeezed_with_weights(labels, as_float(predictions), weights)
        t = as_float(t)
        if w is not None:
            w = broadcast_weights(as_float(w), t)
        pairs = [
            streaming_covariance(a, b, w, name=n)
            for a, b, n in (
                (p, t, "covariance"), (p, p, "variance_predictions"), (t, t, "variance_labels")
            )
        ]  # fmt: skip
        value, update = (
            math.truediv(c[i], math.multiply(math.sqrt(x[i]), math.sqrt(y[i])), name=label)
            for i, label in ((0, "pearson_r"), (1, "update_op"))
            for c, x, y in [pairs]
        )
        return finished(value, update, metrics_collections, updates_collections)


# ------------------------------------------------------------------------- agreement


def cohen_kappa(
    labels: Any, predictions_idx: Any, num_classes: int, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How much more often labels and predicted classes agree than by chance.

    Raises
    ------
    ValueError
        For fewer than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be >= 2. Found: {num_classes}")
    with metric_scope(name, "cohen_kappa", predictions_idx, labels, weights):
        p, t = convert_to_tensor(predictions_idx), convert_to_tensor(labels)
        if t.rank == 2:
            t = shapes.squeeze(t, [-1])
        names = ("po", "pe_row", "pe_col")
        counts = [
            metric_variable(
                [num_classes], dtypes.int64 if weights is None else dtypes.float32, name=n
            )
            for n in names
        ]
        kind = counts[0].dtype.base_dtype
        table: Any = confusion_matrix(t, p, num_classes, dtype=kind, weights=weights)
        parts = (
            diagonal.matrix_diag_part(table),
            reduce.reduce_sum(table, 0), reduce.reduce_sum(table, 1),
        )  # fmt: skip
        changes: list[Any] = [state.assign_add(c, x) for c, x in zip(counts, parts, strict=True)]

        def value(found_counts: list[Any], label: str) -> Any:
            agree, rows, columns = (
                math.cast(convert_to_tensor(v), dtypes.float64) for v in found_counts
            )
            found, total = reduce.reduce_sum(agree), reduce.reduce_sum(rows)
            chance = math.div_no_nan(reduce.reduce_sum(rows * columns), total)
            return math.div_no_nan(found - chance, total - chance, name=label)

        return finished(
            value(counts, "value"), value(changes, "update_op"), metrics_collections,
            updates_collections,
        )  # fmt: skip
