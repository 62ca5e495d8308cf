"""tf.contrib.losses: `tf.losses` with predictions before labels, and weights by sample."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Value
from graphc.losses import functions
from graphc.losses.functions import add_loss, get_losses, get_regularization_losses, get_total_loss
from graphc.ops import shapes
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance", "get_losses",
    "get_regularization_losses", "get_total_loss", "hinge_loss", "log_loss",
    "mean_pairwise_squared_error", "mean_squared_error", "sigmoid_cross_entropy",
    "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip


def _weights(weights: Any, rank: int | None) -> Any:
    """Weights of samples with as many axes as the losses."""
    if isinstance(weights, float | int):
        return weights
    w = convert_to_tensor(weights)
    if rank is not None and w.rank:
        while w.rank is not None and w.rank > rank and rank > 0:
            w = shapes.squeeze(w, [-1])
        while w.rank is not None and w.rank < rank:
            w = shapes.expand_dims(w, -1)
    return w


def _rank(x: Any) -> int | None:
    return convert_to_tensor(x).rank


def compute_weighted_loss(losses: Any, weights: Any = 1.0, scope: str | None = None) -> Value:
    """The sum of losses times weights, divided by the number of weights that are not 0."""
    x = convert_to_tensor(losses)
    return functions.compute_weighted_loss(x, _weights(weights, x.rank), scope)


def absolute_difference(
    predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None
) -> Value:
    """``|predictions - labels|``."""
    w = _weights(weights, _rank(predictions))
    return functions.absolute_difference(labels, predictions, w, scope)


def mean_squared_error(
    predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None
) -> Value:
    """``(predictions - labels) ** 2``."""
    w = _weights(weights, _rank(predictions))
    return functions.mean_squared_error(labels, predictions, w, scope)


def log_loss(
    predictions: Any, labels: Any = None, weights: Any = 1.0, epsilon: float = 1e-7,
    scope: str | None = None,
) -> Value:  # fmt: skip
    """The cross entropy of probabilities with labels in [0, 1]."""
    w = _weights(weights, _rank(predictions))
    return functions.log_loss(labels, predictions, w, epsilon, scope)


def hinge_loss(logits: Any, labels: Any = None, scope: str | None = None) -> Value:
    """``max(0, 1 - logits)`` where the label is 1, ``max(0, 1 + logits)`` where it is 0: each."""
    return functions.hinge_loss(labels, logits, 1.0, scope, None, functions.Reduction.NONE)


def mean_pairwise_squared_error(
    predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None
) -> Value:
    """The mean square of differences between the errors of all pairs of elements of a sample."""
    w = _weights(weights, _rank(predictions))
    return functions.mean_pairwise_squared_error(labels, predictions, w, scope)


def cosine_distance(
    predictions: Any, labels: Any = None, axis: Any = None, weights: Any = 1.0,
    scope: str | None = None, dim: Any = None,
) -> Value:  # fmt: skip
    """One less the dot product of unit vectors along `axis`."""
    w = _weights(weights, _rank(predictions))
    return functions.cosine_distance(labels, predictions, axis, w, scope, dim=dim)


def sigmoid_cross_entropy(
    logits: Any, multi_class_labels: Any, weights: Any = 1.0, label_smoothing: float = 0,
    scope: str | None = None,
) -> Value:  # fmt: skip
    """The cross entropy of ``sigmoid(logits)``."""
    w = _weights(weights, _rank(logits))
    return functions.sigmoid_cross_entropy(multi_class_labels, logits, w, label_smoothing, scope)


def softmax_cross_entropy(
    logits: Any, onehot_labels: Any, weights: Any = 1.0, label_smoothing: float = 0,
    scope: str | None = None,
) -> Value:  # fmt: skip
    """The cross entropy of ``softmax(logits)``."""
    rank = _rank(logits)
    w = _weights(weights, None if rank is None else rank - 1)
    return functions.softmax_cross_entropy(onehot_labels, logits, w, label_smoothing, scope)


def sparse_softmax_cross_entropy(
    logits: Any, labels: Any, weights: Any = 1.0, scope: str | None = None
) -> Value:
    """The cross entropy of ``softmax(logits)`` with labels that are class numbers."""
    flat = convert_to_tensor(labels)
    rank = _rank(logits)
    if rank is not None and flat.rank == rank:
        flat = shapes.squeeze(flat, [-1])
    w = _weights(weights, None if rank is None else rank - 1)
    return functions.sparse_softmax_cross_entropy(flat, logits, w, scope)
