"""tf.contrib.losses.metric_learning: losses that draw embeddings of one label together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphc as tf

__all__ = [
    "contrastive_loss", "lifted_struct_loss", "npairs_loss", "npairs_loss_multilabel",
    "triplet_semihard_loss",
]  # fmt: skip


def _distances(x: Any, squared: bool = False) -> Any:
    """Distances of all pairs of rows; those of a row to itself are zero."""
    own = tf.reduce_sum(tf.square(x), axis=[1], keepdims=True)
    columns = tf.reduce_sum(tf.square(tf.transpose(x)), axis=[0], keepdims=True)
    d2 = tf.maximum(own + columns - 2.0 * tf.matmul(x, tf.transpose(x)), 0.0)
    near = tf.less_equal(d2, 0.0)  # the root has no derivative there
    d = d2 if squared else tf.sqrt(d2 + tf.cast(near, tf.float32) * 1e-16)
    d = d * tf.cast(tf.logical_not(near), tf.float32)
    others = tf.ones_like(d) - tf.diag(tf.ones([tf.shape(x)[0]]))
    return d * others


def _same(labels: Any) -> Any:
    """Which pairs have the same label."""
    column = tf.reshape(labels, [tf.shape(labels)[0], 1])
    return tf.equal(column, tf.transpose(column))


def _largest(x: Any, mask: Any) -> Any:
    """The largest element of each row where the mask is one."""
    least = tf.reduce_min(x, 1, keepdims=True)
    return tf.reduce_max((x - least) * mask, 1, keepdims=True) + least


def _smallest(x: Any, mask: Any) -> Any:
    """The smallest element of each row where the mask is one."""
    most = tf.reduce_max(x, 1, keepdims=True)
    return tf.reduce_min((x - most) * mask, 1, keepdims=True) + most


def contrastive_loss(
    labels: Any, embeddings_anchor: Any, embeddings_positive: Any, margin: float = 1.0
) -> Any:
    """Squared distances of pairs with label one, and how far those with zero are inside a margin.

    Parameters
    ----------
    labels : tensor
        Zeros and ones.
    embeddings_anchor, embeddings_positive : tensor
        ``[batch, n]``.
    margin : float
    """
    gap = tf.square(embeddings_anchor - embeddings_positive)
    d = tf.sqrt(tf.reduce_sum(gap, 1))
    y = tf.cast(labels, tf.float32)
    apart = (1.0 - y) * tf.square(tf.maximum(margin - d, 0.0))
    return tf.reduce_mean(y * tf.square(d) + apart, name="contrastive_loss")


def triplet_semihard_loss(labels: Any, embeddings: Any, margin: float = 1.0) -> Any:
    """The triplet loss with negatives just farther off than the positive.

    Of each pair with one label the negative is the nearest that is farther off than the pair is,
    or the farthest of all where there is none (Schroff and others 2015).

    Parameters
    ----------
    labels : tensor
        Integers, ``[batch]``.
    embeddings : tensor
        ``[batch, n]``, of length one each.
    margin : float
    """
    d = _distances(embeddings, squared=True)
    same = _same(labels)
    other = tf.logical_not(same)
    n = tf.size(labels)
    tiled = tf.tile(d, [n, 1])
    pair = tf.reshape(tf.transpose(d), [-1, 1])
    mask = tf.logical_and(tf.tile(other, [n, 1]), tf.greater(tiled, pair))
    number = tf.cast(mask, tf.float32)
    some = tf.greater(tf.reduce_sum(number, 1, keepdims=True), 0.0)
    some = tf.transpose(tf.reshape(some, [n, n]))
    outside = tf.transpose(tf.reshape(_smallest(tiled, number), [n, n]))
    inside = tf.tile(_largest(d, tf.cast(other, tf.float32)), [1, n])
    losses = margin + d - tf.where(some, outside, inside)
    positive = tf.cast(same, tf.float32) - tf.diag(tf.ones([n]))
    total = tf.reduce_sum(tf.maximum(losses * positive, 0.0))
    return tf.truediv(total, tf.reduce_sum(positive), name="triplet_semihard_loss")


def _l2(labels: Any, anchor: Any, positive: Any, weight: float) -> Any:
    """The mean of the squared lengths of embeddings, times a weight."""
    lengths = [tf.reduce_mean(tf.reduce_sum(tf.square(e), 1)) for e in (anchor, positive)]
    return 0.25 * weight * (lengths[0] + lengths[1])


def _cross(targets: Any, anchor: Any, positive: Any) -> Any:
    """The mean cross entropy of similarities against targets, rows of which add up to one."""
    similar = tf.matmul(anchor, positive, transpose_a=False, transpose_b=True)
    return tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits_v2(logits=similar, labels=targets)
    )


def npairs_loss(
    labels: Any, embeddings_anchor: Any, embeddings_positive: Any, reg_lambda: float = 0.002,
    print_losses: bool = False,
) -> Any:  # fmt: skip
    """Cross entropy of similarities of anchors with all positives (Sohn 2016).

    Parameters
    ----------
    labels : tensor
        Integers, ``[batch]``.
    embeddings_anchor, embeddings_positive : tensor
        ``[batch, n]``.
    reg_lambda : float
        The weight of the squared lengths.
    print_losses : bool
        Whether each run prints both parts.
    """
    penalty = _l2(labels, embeddings_anchor, embeddings_positive, reg_lambda)
    targets = tf.cast(_same(labels), tf.float32)
    targets /= tf.reduce_sum(targets, 1, keepdims=True)
    loss = _cross(targets, embeddings_anchor, embeddings_positive)
    return _told(penalty, loss, print_losses)


def _told(penalty: Any, loss: Any, print_losses: bool) -> Any:
    if print_losses:
        loss = tf.Print(loss, ["cross entropy:", loss, "l2loss:", penalty])
    return penalty + loss


def npairs_loss_multilabel(
    sparse_labels: Sequence[Any], embeddings_anchor: Any, embeddings_positive: Any,
    reg_lambda: float = 0.002, print_losses: bool = False,
) -> Any:  # fmt: skip
    """The same where each example has several labels: targets are how many two have in common.

    Parameters
    ----------
    sparse_labels : list of SparseTensor
        One for each example, ``[1, labels]``.
    """
    if False in [isinstance(s, tf.SparseTensor) for s in sparse_labels]:
        raise TypeError("sparse_labels must be a list of SparseTensors, but got %s" % (  # noqa: UP031
            str(sparse_labels)))  # fmt: skip
    penalty = _l2(sparse_labels, embeddings_anchor, embeddings_positive, reg_lambda)
    rows = [tf.cast(tf.sparse_tensor_to_dense(s), tf.float32) for s in sparse_labels]
    rows = [tf.reshape(r, [1, -1]) for r in rows]
    whole = tf.concat(rows, 0)
    common = tf.matmul(whole, whole, transpose_b=True)
    targets = common / tf.reduce_sum(common, 1, keepdims=True)
    loss = _cross(targets, embeddings_anchor, embeddings_positive)
    return _told(penalty, loss, print_losses)


def lifted_struct_loss(labels: Any, embeddings: Any, margin: float = 1.0) -> Any:
    """Every positive pair against all negatives of both its ends (Song and others 2016).

    Parameters
    ----------
    labels : tensor
        Integers, ``[batch]``.
    embeddings : tensor
        ``[batch, n]``.
    margin : float
    """
    d = _distances(embeddings)
    same = _same(labels)
    other = tf.cast(tf.logical_not(same), tf.float32)
    n = tf.size(labels)
    gap = margin - d
    row_max = _largest(gap, other)
    top = tf.maximum(row_max, tf.transpose(row_max))
    tiled = tf.tile(gap, [n, 1])
    tops = tf.reshape(tf.transpose(top), [-1, 1])
    masks = tf.tile(other, [n, 1])
    sums = tf.reduce_sum(tf.exp(tiled - tops) * masks, 1, keepdims=True)
    sums = tf.reshape(sums, [n, n])
    pair = top + tf.log(sums + tf.transpose(sums)) + d
    positive = tf.cast(same, tf.float32) - tf.diag(tf.ones([n]))
    half = tf.reduce_sum(positive) / 2.0
    total = tf.reduce_sum(tf.square(tf.maximum(pair * positive, 0.0)))
    return tf.truediv(0.25 * total, half, name="liftedstruct_loss")
