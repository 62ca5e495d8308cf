"""Losses of predictions, with weights; each is added to ``GraphKeys.LOSSES``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.current import add_to_collection, get_collection, name_scope
from graphc.face.graph_keys import GraphKeys
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.losses.weighting import (
    CHECKED,
    as_float,
    assert_broadcastable,
    broadcast_weights,
    check_count,
    squeezed,
)
from graphc.ops import fills, math, nn, reduce, shapes, spaced, state
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.counting import made as count_made
from graphc.ops.gradient_counts import also
from graphc.ops.reduce import chosen

__all__ = [
    "Reduction", "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance",
    "get_losses", "get_regularization_loss", "get_regularization_losses", "get_total_loss",
    "hinge_loss", "huber_loss", "log_loss", "mean_pairwise_squared_error", "mean_squared_error",
    "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip


class Reduction:
    """How losses become one: a sum, or a sum divided by something; or not at all."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """All of them."""
        return (
            cls.NONE, cls.SUM, cls.MEAN, cls.SUM_OVER_BATCH_SIZE, cls.SUM_OVER_NONZERO_WEIGHTS,
            cls.SUM_BY_NONZERO_WEIGHTS,
        )  # fmt: skip

    @classmethod
    def validate(cls, key: Any) -> None:
        """Raise ValueError for anything else."""
        if key not in cls.all():
            raise ValueError(f"Invalid ReductionKey {key}.")


_LOSSES = GraphKeys.LOSSES
_BY_NONZERO = Reduction.SUM_BY_NONZERO_WEIGHTS


# ------------------------------------------------------------------------- collections


def add_loss(loss: Any, loss_collection: Any = _LOSSES) -> None:
    """Add a loss to a collection (none when that is None)."""
    if loss_collection:
        add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: Any = _LOSSES) -> list[Any]:
    """The losses of a collection."""
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """The losses of regularizers."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(
    scope: str | None = None, name: str = "total_regularization_loss"
) -> Value:
    """The sum of the losses of regularizers."""
    losses = get_regularization_losses(scope)
    return math.add_n(losses, name=name) if losses else constant(0.0)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Value:
    """The sum of all losses, by default those of regularizers too."""
    losses = get_losses(scope)
    if add_regularization_losses:
        losses = losses + get_regularization_losses(scope)
    return math.add_n(losses, name=name)


# ------------------------------------------------------------------------- weights


def _inner(x: Value) -> Any:
    """All axes but the first."""
    if x.rank is None:
        return spaced.range(1, shapes.rank(x))
    return list(range(1, x.rank or 1))


def _present(losses: Value, weights: Any, per_batch: bool = False) -> Value:
    """How many losses have a weight other than 0."""
    if isinstance(weights, float | int) and not isinstance(weights, bool) and weights != 0.0:
        return _counted(losses, per_batch)
    with name_scope(None, "num_present") as scope:
        w = as_float(weights)
        nonzero = math.select(math.equal(w, 0.0), fills.zeros_like(w), fills.ones_like(w))
        nonzero = broadcast_weights(nonzero, losses)
        axes = _inner(nonzero) if per_batch else None
        count: Value = reduce.reduce_sum(nonzero, axes, keepdims=per_batch, name=scope)
        return count


def _counted(losses: Value, per_batch: bool = False) -> Value:
    if per_batch:
        ones = fills.ones_like(losses)
        each: Value = reduce.reduce_sum(ones, _inner(losses), keepdims=True)
        return each
    with name_scope(None, "num_elements") as scope:
        return math.cast(shapes.size(losses, name=scope), losses.dtype)  # type: ignore[no-any-return]


#: What TF1 makes to count losses whose weight is a number, besides the two ops that are here.
_COUNTED = (
    "num_present/Equal/y", "num_present/Equal", "num_present/zeros_like",
    "num_present/ones_like/Shape", "num_present/ones_like/Const", "num_present/ones_like",
    "num_present/Select", *CHECKED, "num_present/broadcast_weights/ones_like/Shape",
    "num_present/broadcast_weights/ones_like/Const", "num_present/broadcast_weights/ones_like",
    "num_present/broadcast_weights",
)  # fmt: skip


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = _LOSSES,
    reduction: str = _BY_NONZERO,
) -> Value:
    """Losses times weights, as one number by `reduction`; it is added to `loss_collection`.

    Parameters
    ----------
    losses : tensor
    weights : float or tensor
        A scalar, or of the rank of `losses` with sizes that are 1 or those of `losses`.

    Raises
    ------
    ValueError
        For another reduction, or weights of another shape.
    """
    return _weighted(losses, weights, scope, loss_collection, reduction)


def _weighted(
    losses: Any, weights: Any, scope: str | None, loss_collection: Any, reduction: str,
    made: bool = False,
) -> Value:  # fmt: skip
    """`compute_weighted_loss`; `made`: TF1 has made a constant of a number before."""
    Reduction.validate(reduction)
    with name_scope(scope, "weighted_loss", [x for x in (losses, weights) if _tensor(x)]):
        given = convert_to_tensor(losses)
        kind = given.dtype
        each = as_float(given)
        with current().counts_as(0 if made else None):
            w = as_float(weights)
        assert_broadcastable(w, given)
        current().reserve(*(CHECKED if made or _tensor(weights) else ("weights", *CHECKED)))
        count_made(check_count(w, given))
        total = weighted = math.multiply(each, w)
        if reduction != Reduction.NONE:
            total = reduce.reduce_sum(weighted)
            count = None
            if reduction == Reduction.MEAN:
                count = reduce.reduce_sum(fills.ones_like(each) * w)
            elif reduction == _BY_NONZERO:
                count = _present(each, weights)
                current().reserve(*(() if _tensor(weights) else _COUNTED))
            elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
                count = _counted(each)
            if count is not None:
                current().reserve("Const", "Sum")
                also(total, (4, 1))  # TF1 sums once more
                total = math.div_no_nan(total, count, name="value")
        loss: Value = math.cast(total, kind)
        add_loss(loss, loss_collection)
        return loss


def _tensor(x: Any) -> bool:
    return isinstance(x, Value)


def _none(function: str, **given: Any) -> None:
    for key, value in given.items():
        if value is None:
            raise ValueError(f"{key} must not be None.")


def _pair(first: Any, second: Any) -> tuple[Value, Value]:
    """Two float32 tensors of one shape.

    Raises
    ------
    ValueError
        Where their shapes differ.
    """
    a, b = as_float(first), as_float(second)
    a.shape.assert_is_compatible_with(b.shape)  # type: ignore[attr-defined]
    return a, b


def _simple(
    default: str, f: Callable[[Value, Value], Value], labels: Any, predictions: Any, weights: Any,
    scope: str | None, loss_collection: Any, reduction: str,
) -> Value:  # fmt: skip
    """A loss that is a function of float32 predictions and labels of one shape."""
    _none(default, labels=labels, predictions=predictions)
    used = [x for x in (predictions, labels, weights) if _tensor(x)]
    with name_scope(scope, default, used) as inner:
        p, t = as_float(predictions), as_float(labels)
        p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        return compute_weighted_loss(f(p, t), weights, inner, loss_collection, reduction)


# ------------------------------------------------------------------------- losses


def absolute_difference(
    labels: Any, predictions: Any, weights: Any = 1.0, scope: str | None = None,
    loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """``|predictions - labels|``."""
    return _simple(
        "absolute_difference", lambda p, t: math.abs(math.subtract(p, t)), labels, predictions,
        weights, scope, loss_collection, reduction,
    )  # fmt: skip


def mean_squared_error(
    labels: Any, predictions: Any, weights: Any = 1.0, scope: str | None = None,
    loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """``(predictions - labels) ** 2``.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     print(sess.run(tf.losses.mean_squared_error([1.0, 2.0], [1.0, 4.0])))
    2.0
    """
    return _simple(
        "mean_squared_error", math.squared_difference, labels, predictions, weights, scope,
        loss_collection, reduction,
    )  # fmt: skip


def huber_loss(
    labels: Any, predictions: Any, weights: Any = 1.0, delta: float = 1.0,
    scope: str | None = None, loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """Half the square of an error up to `delta`, linear beyond."""

    def f(p: Value, t: Value) -> Value:
        error = math.abs(math.subtract(p, t))
        inside = math.minimum(error, delta)
        beyond = math.subtract(error, inside)
        return math.add(0.5 * math.multiply(inside, inside), math.multiply(delta, beyond))  # type: ignore[no-any-return]

    return _simple("huber_loss", f, labels, predictions, weights, scope, loss_collection, reduction)


def log_loss(
    labels: Any, predictions: Any, weights: Any = 1.0, epsilon: float = 1e-7,
    scope: str | None = None, loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """The cross entropy of probabilities with labels in [0, 1]."""

    def f(p: Value, t: Value) -> Value:
        out: Value = -math.multiply(t, math.log(p + epsilon)) - math.multiply(
            1 - t, math.log(1 - p + epsilon)
        )
        return out

    return _simple("log_loss", f, labels, predictions, weights, scope, loss_collection, reduction)


def cosine_distance(
    labels: Any, predictions: Any, axis: Any = None, weights: Any = 1.0,
    scope: str | None = None, loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
    dim: Any = None,
) -> Value:  # fmt: skip
    """One less the dot product of unit vectors along `axis`."""
    axis = chosen("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("You must specify 'axis'.")
    return _simple(
        "cosine_distance_loss",
        lambda p, t: 1 - reduce.reduce_sum(math.multiply(p, t), [axis], keepdims=True),
        labels, predictions, weights, scope, loss_collection, reduction,
    )  # fmt: skip


def hinge_loss(
    labels: Any, logits: Any, weights: Any = 1.0, scope: str | None = None,
    loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """``max(0, 1 - logits)`` where the label is 1, ``max(0, 1 + logits)`` where it is 0."""
    _none("hinge_loss", labels=labels, logits=logits)

    def f(z: Value, t: Value) -> Value:
        one = fills.ones_like(t)
        sign = math.subtract(2 * t, one)
        return nn.relu(math.subtract(one, math.multiply(sign, z)))  # type: ignore[no-any-return]

    return _simple("hinge_loss", f, labels, logits, weights, scope, loss_collection, reduction)


def mean_pairwise_squared_error(
    labels: Any, predictions: Any, weights: Any = 1.0, scope: str | None = None,
    loss_collection: Any = _LOSSES,
) -> Value:  # fmt: skip
    """The mean square of differences between the errors of all pairs of elements of a sample."""
    _none("mean_pairwise_squared_error", labels=labels, predictions=predictions)
    used = [x for x in (predictions, labels, weights) if _tensor(x)]
    with name_scope(scope, "mean_pairwise_squared_error", used):
        w = as_float(weights)
        t = as_float(labels)
        assert_broadcastable(w, t)
        p = as_float(predictions)
        p.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        away = math.subtract(p, t)
        axes = _inner(away)
        squares = reduce.reduce_sum(math.square(away), axes, keepdims=True)
        count = _present(away, w if _tensor(weights) else weights, per_batch=True)
        count_made(23)
        first = 2.0 * math.div_no_nan(squares, math.maximum(count - 1, 0.0), name="value")
        total = reduce.reduce_sum(away, axes, keepdims=True)
        pairs = math.maximum(math.multiply(count, count - 1), 0.0)
        second = 2.0 * math.div_no_nan(math.square(total), pairs, name="value")
        loss = reduce.reduce_sum(math.multiply(first - second, w))
        some = reduce.reduce_sum(count) > 0
        mean: Value = math.select(some, loss, fills.zeros_like(loss), name="value")
        add_loss(mean, loss_collection)
        return mean


def sigmoid_cross_entropy(
    multi_class_labels: Any, logits: Any, weights: Any = 1.0, label_smoothing: float = 0,
    scope: str | None = None, loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """The cross entropy of ``sigmoid(logits)``, with labels drawn towards 1/2 by smoothing."""
    _none("", multi_class_labels=multi_class_labels, logits=logits)
    used = [x for x in (logits, multi_class_labels, weights) if _tensor(x)]
    with name_scope(scope, "sigmoid_cross_entropy_loss", used) as inner:
        z = convert_to_tensor(logits)
        t = math.cast(multi_class_labels, z.dtype)
        z.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        if label_smoothing > 0:
            t = t * (1 - label_smoothing) + 0.5 * label_smoothing
        each = nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z, name="xentropy")
        return compute_weighted_loss(each, weights, inner, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any, logits: Any, weights: Any = 1.0, label_smoothing: float = 0,
    scope: str | None = None, loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """The cross entropy of ``softmax(logits)``, with labels drawn towards uniform by smoothing."""
    _none("", onehot_labels=onehot_labels, logits=logits)
    used = [x for x in (logits, onehot_labels, weights) if _tensor(x)]
    with name_scope(scope, "softmax_cross_entropy_loss", used) as inner:
        z = convert_to_tensor(logits)
        t = math.cast(onehot_labels, z.dtype)
        z.shape.assert_is_compatible_with(t.shape)  # type: ignore[attr-defined]
        if label_smoothing > 0:
            classes = math.cast(shapes.shape(t)[-1], z.dtype)
            t = t * (1.0 - label_smoothing) + label_smoothing / classes
        t = state.stop_gradient(t, name="labels_stop_gradient")
        each = nn.softmax_cross_entropy_with_logits_v2(labels=t, logits=z, name="xentropy")
        return compute_weighted_loss(each, weights, inner, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any, logits: Any, weights: Any = 1.0, scope: str | None = None,
    loss_collection: Any = _LOSSES, reduction: str = _BY_NONZERO,
) -> Value:  # fmt: skip
    """The cross entropy of ``softmax(logits)`` with labels that are class numbers."""
    _none("", labels=labels, logits=logits)
    used = [x for x in (logits, labels, weights) if _tensor(x)]
    with name_scope(scope, "sparse_softmax_cross_entropy_loss", used) as inner:
        t, z = squeezed(labels, logits, 1)
        w = weights if isinstance(weights, float | int) else convert_to_tensor(weights)
        if not isinstance(w, Value):
            current().reserve("Const")
        if isinstance(w, Value) and w.rank is not None and t.rank == w.rank - 1:
            w = shapes.squeeze(w, [-1])
        each = nn.sparse_softmax_cross_entropy_with_logits(labels=t, logits=z, name="xentropy")
        return _weighted(each, w, inner, loss_collection, reduction, not isinstance(w, Value))
