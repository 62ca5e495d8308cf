"""Metrics of ``tf.contrib.metrics``: curves, exact areas, the best k, batches kept."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, NamedTuple

from graphc.face.control import group
from graphc.ir import dtypes
from graphc.losses.weighting import broadcast_weights
from graphc.metrics.averages import mean
from graphc.metrics.curves import _spread, counts_at
from graphc.metrics.ranking import average_precision_of_classes, precision_at_top_k, recall_at_top_k
from graphc.metrics.support import Both, as_float, finished, metric_scope, metric_variable
from graphc.ops import arrays, cumulative, fills, gathers, math, nn, reduce, shapes, spaced, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.lookup import in_top_k
from graphc.ops.ordering import argsort

__all__ = [
    "auc_with_confidence_intervals", "precision_recall_at_equal_thresholds",
    "recall_at_precision", "sparse_recall_at_top_k", "streaming_concat",
    "streaming_curve_points", "streaming_dynamic_auc", "streaming_recall_at_k",
    "streaming_sparse_average_precision_at_top_k", "streaming_sparse_precision_at_top_k",
]  # fmt: skip

#: Keeps curves where there is nothing to divide by.
_SMALL = 1e-6
_TINY = 1e-7


# ------------------------------------------------------------------------- the best k


def streaming_recall_at_k(
    predictions: Any, labels: Any, k: int, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """How often the label is among the `k` classes with the largest predictions."""
    hits = as_float(in_top_k(predictions, labels, k))
    return mean(hits, weights, metrics_collections, updates_collections, name or f"recall_at_{k}")


def sparse_recall_at_top_k(
    labels: Any, top_k_predictions: Any, class_id: int | None = None, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of labels among the classes `top_k_predictions`."""
    return recall_at_top_k(
        labels, top_k_predictions, None, class_id, weights, metrics_collections,
        updates_collections, name,
    )  # fmt: skip


def streaming_sparse_precision_at_top_k(
    top_k_predictions: Any, labels: Any, class_id: int | None = None, weights: Any = None,
    metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The share of the classes `top_k_predictions` that are labels."""
    return precision_at_top_k(
        labels, top_k_predictions, None, class_id, weights, metrics_collections,
        updates_collections, name,
    )  # fmt: skip


def streaming_sparse_average_precision_at_top_k(
    top_k_predictions: Any, labels: Any, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """The mean over rows of the precision at the rank of each label found."""
    return average_precision_of_classes(
        labels, top_k_predictions, weights, metrics_collections, updates_collections, name
    )


# ------------------------------------------------------------------------- thresholds


class PrecisionRecallData(NamedTuple):
    """Counts and rates, each a vector with an entry for each threshold."""

    tp: Any
    fp: Any
    tn: Any
    fn: Any
    precision: Any
    recall: Any
    thresholds: Any


def precision_recall_at_equal_thresholds(
    labels: Any, predictions: Any, weights: Any = None, num_thresholds: int | None = None,
    use_locking: bool | None = None, name: str | None = None,
) -> tuple[PrecisionRecallData, Any]:  # fmt: skip
    """Counts, precision and recall at thresholds from 0 to 1 that are equally far apart.

    Parameters
    ----------
    labels : tensor of bool
    predictions : tensor of floats in [0, 1]
    num_thresholds : int, optional
        201 by default.
    """
    n = 201 if num_thresholds is None else num_thresholds
    with metric_scope(name, "precision_recall_at_equal_thresholds", labels, predictions, weights):
        p = shapes.reshape(convert_to_tensor(predictions), [-1])
        true = shapes.reshape(math.cast(labels, dtypes.bool_), [-1])
        if not p.dtype.is_floating:
            raise TypeError(f"predictions must be floats, not {p.dtype.name}")
        w = fills.ones_like(p) if weights is None else math.cast(weights, p.dtype)
        each = math.cast(shapes.reshape(broadcast_weights(w, p), [-1]), dtypes.float64)
        bucket = math.cast(math.floor(p * (n - 1.0)), dtypes.int32)
        rows = shapes.expand_dims(spaced.range(n), 1)
        hot = math.cast(math.equal(shapes.expand_dims(bucket, 0), rows), dtypes.float64)
        kinds, changes = [], []
        for kind, where in (("tp", true), ("fp", math.logical_not(true))):
            v = metric_variable([n], dtypes.float64, name=f"variables/{kind}_buckets")
            mine = each * math.cast(where, dtypes.float64)
            changes.append(v.assign_add(reduce.reduce_sum(hot * shapes.expand_dims(mine, 0), 1)))
            kinds.append(v)
        tp, fp = (cumulative.cumsum(v, reverse=True) for v in kinds)
        fn, tn = tp[0] - tp, fp[0] - fp
        small = 1e-10 if p.dtype is dtypes.float64 else _TINY
        rates = [tp / math.maximum(tp + fp, small), tp / math.maximum(tp + fn, small)]
        points = spaced.linspace(0.0, 1.0, n)
        found = [math.cast(x, p.dtype) for x in (tp, fp, tn, fn, *rates, points)]
        return PrecisionRecallData(*found), group(*changes)


def streaming_curve_points(
    labels: Any = None, predictions: Any = None, weights: Any = None, num_thresholds: int = 200,
    metrics_collections: Any = None, updates_collections: Any = None, curve: str = "ROC",
    name: str | None = None,
) -> Both:  # fmt: skip
    """Points of the curve of true over false positives, or of precision over recall.

    Returns
    -------
    points, update : tensor, operation
        A row of two numbers for each threshold.
    """
    if curve not in ("ROC", "PR"):
        raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
    with metric_scope(name, "curve_points", labels, predictions, weights):
        counts, changes = counts_at(labels, predictions, _spread(num_thresholds), weights)
        tp, fn, tn, fp = (convert_to_tensor(counts[k]) for k in ("tp", "fn", "tn", "fp"))
        hits = tp + _SMALL
        found = hits / (tp + fn + _SMALL)
        if curve == "ROC":
            points = fp / (fp + tn + _SMALL), found
        else:
            points = found, hits / (tp + fp + _SMALL)
        return finished(
            arrays.stack(points, 1), group(*changes.values()), metrics_collections,
            updates_collections,
        )  # fmt: skip


def recall_at_precision(
    labels: Any, predictions: Any, precision: float, weights: Any = None,
    num_thresholds: int = 200, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None, strict_mode: bool = False,
) -> Both:  # fmt: skip
    """The recall at the threshold whose precision is nearest the given one.

    Parameters
    ----------
    strict_mode : bool
        Consider only thresholds whose precision is not below; without any it is 0.
    """
    if not 0 <= precision <= 1:
        raise ValueError("`precision` must be in the range [0, 1].")
    with metric_scope(name, "recall_at_precision", labels, predictions, weights):
        counts, changes = counts_at(labels, predictions, _spread(num_thresholds), weights)

        def at(found: Any, label: str) -> Any:
            tp, fn, fp = (convert_to_tensor(found[k]) for k in ("tp", "fn", "fp"))
            away = tp / (tp + fp + _TINY) - precision
            near = math.abs(away)
            low = math.less(away, 0.0)
            if strict_mode:
                near = math.where(low, 2.0 + fills.zeros_like(away), near)
            i = math.cast(reduce.argmin(near, 0), dtypes.int32)
            hits = gathers.gather(tp, i)
            value = hits / (hits + gathers.gather(fn, i) + _TINY)
            if strict_mode:
                value = math.where(reduce.reduce_all(low), 0.0 * value, value)
            return state.identity(value, name=label)

        return finished(
            at(counts, "value"), at(changes, "update_op"), metrics_collections, updates_collections
        )


# ------------------------------------------------------------------------- all of what was seen


def streaming_concat(
    values: Any, axis: int = 0, max_size: int | None = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Both:  # fmt: skip
    """All batches one after another, along `axis`.

    Parameters
    ----------
    max_size : int, optional
        How much is kept; what comes later is left out.

    Returns
    -------
    value, update : tensor
        The update gives the size along the axis.
    """
    with metric_scope(name, "streaming_concat", values):
        given = convert_to_tensor(values)
        sizes = given.static_shape
        if sizes is None:
            raise ValueError("`values` must have known statically known rank")
        if not -len(sizes) <= axis < len(sizes):
            raise ValueError(f"axis = {axis} not in [-{len(sizes)}, {len(sizes)})")
        axis %= len(sizes)
        rest = [d for i, d in enumerate(sizes) if i != axis]
        if any(type(d) is not int for d in rest):
            raise ValueError("all dimensions of `values` other than the one along `axis` must be "
                             "known")  # fmt: skip
        shape = [0 if i == axis else d for i, d in enumerate(sizes)]
        kept = metric_variable(shape, given.dtype, validate_shape=False, name="array")
        free = [None if i == axis else d for i, d in enumerate(sizes)]
        value: Any = state.identity(kept.read_value())
        value.set_shape(free)
        both: Any = arrays.concat([value, given], axis)
        if max_size is not None:
            both = arrays.slice(
                both, [0] * len(sizes),
                arrays.stack([
                    math.minimum(shapes.shape(both)[i], max_size) if i == axis else n
                    for i, n in enumerate(arrays.unstack(shapes.shape(both)))
                ]),
            )  # fmt: skip
        change = state.assign(kept, both, validate_shape=False)
        count = shapes.shape(change)[axis]
        return finished(value, count, metrics_collections, updates_collections)


def _seen(labels: Any, predictions: Any, weights: Any) -> tuple[list[Any], Any]:
    """Labels, predictions and weights of all batches, and what adds one."""
    p = shapes.reshape(math.cast(predictions, dtypes.float64), [-1])
    t = shapes.reshape(math.cast(labels, dtypes.int64), [-1])
    w = fills.ones_like(p) if weights is None else math.cast(weights, dtypes.float64)
    rows = (("preds", p), ("labels", t), ("weights", shapes.reshape(w, [-1])))
    pairs = [streaming_concat(x, name=f"concat_{key}") for key, x in rows]
    values = [math.cast(v, dtypes.float64) for v, _ in pairs]
    return values, group(*[u for _, u in pairs])


def streaming_dynamic_auc(
    labels: Any, predictions: Any, curve: str = "ROC", metrics_collections: Any = (),
    updates_collections: Any = (), name: str | None = None, weights: Any = None,
) -> Both:  # fmt: skip
    """The exact area under a curve, with all predictions as thresholds: they are all kept.

    Parameters
    ----------
    labels : tensor of 0 and 1
    curve : {"ROC", "PR"}
    """
    if curve not in ("ROC", "PR"):
        raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
    with metric_scope(name, "dynamic_auc", labels, predictions, weights):
        (p, t, w), change = _seen(labels, predictions, weights)
        order = argsort(p, direction="DESCENDING", stable=True)
        p, t, w = (gathers.gather(x, order) for x in (p, t, w))
        hits, misses = cumulative.cumsum(t * w), cumulative.cumsum((1.0 - t) * w)
        last = arrays.concat([math.not_equal(p[1:], p[:-1]), [True]], 0)
        some = math.greater(shapes.size(p), 0)
        tp, fp = (
            arrays.boolean_mask(x, math.logical_and(last[: shapes.size(p)], some))
            for x in (hits, misses)
        )
        zero = fills.zeros([1], dtypes.float64)
        if curve == "ROC":
            x, y = (arrays.concat([zero, math.div_no_nan(c, c[-1:])], 0) for c in (fp, tp))
        else:
            x = arrays.concat([zero, math.div_no_nan(tp, tp[-1:])], 0)
            rate = math.div_no_nan(tp, tp + fp)
            y = arrays.concat([rate[:1], rate], 0)
        area = reduce.reduce_sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2.0)
        return finished(area, change, metrics_collections, updates_collections)


class AucData(NamedTuple):
    """An area and the interval that it is in."""

    auc: Any
    lower: Any
    upper: Any


def auc_with_confidence_intervals(
    labels: Any, predictions: Any, weights: Any = None, alpha: float = 0.95,
    logit_transformation: bool = True, metrics_collections: Any = (),
    updates_collections: Any = (), name: str | None = None,
) -> tuple[AucData, Any]:  # fmt: skip
    """The exact area under the curve of true over false positives, and where it is likely to be.

    Parameters
    ----------
    alpha : float
        How likely.
    logit_transformation : bool
        Whether the interval is made for the logit of the area (DeLong, DeLong & Clarke-Pearson
        1988 give its variance).
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be between 0 and 1; currently {alpha:.2f}")
    with metric_scope(name, "auc_with_confidence_intervals", labels, predictions, weights):
        (p, t, w), change = _seen(labels, predictions, weights)
        above = math.cast(math.greater(p[:, None], p[None, :]), dtypes.float64)
        same = math.cast(math.equal(p[:, None], p[None, :]), dtypes.float64)
        won = above + same / 2.0
        good, bad = t * w, (1.0 - t) * w
        many, few = reduce.reduce_sum(good), reduce.reduce_sum(bad)
        of_good = reduce.reduce_sum(won * bad[None, :], 1) / few
        of_bad = reduce.reduce_sum(won * good[:, None], 0) / many
        area = reduce.reduce_sum(good * of_good) / many
        spread = (
            _variance(of_good, good, many, area) / many + _variance(of_bad, bad, few, area) / few
        )
        z = NormalDist().inv_cdf((1.0 + alpha) / 2.0) if alpha < 1 else float("inf")
        half = z * math.sqrt(spread)
        if logit_transformation:
            logit = math.log(area / (1.0 - area))
            half = half / (area * (1.0 - area))
            ends = nn.sigmoid(logit - half), nn.sigmoid(logit + half)
        else:
            ends = area - half, area + half
        found = [math.cast(x, dtypes.float32) for x in (area, *ends)]
        value, update = finished(AucData(*found), change, metrics_collections, updates_collections)
        return value, update


def _variance(x: Any, w: Any, total: Any, mean_value: Any) -> Any:
    return reduce.reduce_sum(w * math.square(x - mean_value)) / (total - 1.0)
