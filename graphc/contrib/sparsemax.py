"""Sparsemax: the point of the simplex nearest to the logits, and its loss."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.ops import cumulative, fills, math, reduce, shapes, spaced
from graphc.ops.convert import convert_to_tensor
from graphc.ops.lookup import top_k

__all__ = ["sparsemax", "sparsemax_loss"]


def sparsemax(logits: Any, name: str | None = None) -> Any:
    """Probabilities of which many are zero: what is nearest to each row of `logits`.

    Rows with NaN or infinity are NaN, but for -inf, which gives 0.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Session() as sess:
    ...     sess.run(tf.contrib.sparsemax.sparsemax([[1.0, 0.5, -1.0]]))
    array([[0.75, 0.25, 0.  ]], dtype=float32)
    """
    with name_scope(name, "sparsemax", [logits]):
        z = convert_to_tensor(logits, name="logits")
        count = shapes.shape(z)[1]
        ordered, _ = top_k(z, count)
        sums = cumulative.cumsum(ordered, axis=1)
        rank = math.cast(spaced.range(1, count + 1), z.dtype)
        size = _sum(math.cast(math.greater(1 + rank * ordered, sums), z.dtype))
        last = math.logical_and(math.equal(rank, size), math.greater(size, 0.0))
        total = _sum(math.where(last, sums, fills.zeros_like(sums), name="Last"))
        p = math.maximum(z - (total - 1.0) / size, 0.0)
        bad = math.logical_or(math.equal(size, 0.0), math.is_nan(sums[:, -1:]))
        all_bad = math.logical_or(bad, fills.zeros_like(p, "bool"))
        nothing = fills.fill(shapes.shape(p), math.cast(float("nan"), p.dtype))
        return math.where(all_bad, nothing, p, name="Select")


def sparsemax_loss(logits: Any, sparsemax: Any, labels: Any, name: str | None = None) -> Any:
    """The loss of each row whose gradient is ``sparsemax - labels``.

    Parameters
    ----------
    logits, sparsemax : tensor
        Of the same shape ``[batch, classes]``; `sparsemax` is that of the logits.
    labels : tensor
        Probabilities, of their shape.
    """
    with name_scope(name, "sparsemax_loss", [logits, sparsemax, labels]):
        z = convert_to_tensor(logits, name="logits")
        p = convert_to_tensor(sparsemax, name="sparsemax")
        q = convert_to_tensor(labels, name="labels")
        live = math.logical_or(math.greater(p, 0.0), math.is_nan(p))
        ours = math.where(live, p * (z - 0.5 * p), fills.zeros_like(p))
        absent = math.logical_and(math.equal(q, 0.0), math.is_inf(z))
        theirs = math.where(absent, fills.zeros_like(q), q * (0.5 * q - z))
        return reduce.reduce_sum(ours + theirs, 1)


def _sum(x: Any) -> Any:
    return reduce.reduce_sum(x, 1, keepdims=True)
