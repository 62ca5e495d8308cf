"""The loss of decoded sequences."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.ops import math, nn, reduce, shapes

__all__ = ["sequence_loss"]


def sequence_loss(
    logits: Any, targets: Any, weights: Any, average_across_timesteps: bool = True,
    average_across_batch: bool = True, sum_over_timesteps: bool = False,
    sum_over_batch: bool = False, softmax_loss_function: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Weighted cross-entropy of sequences of logits.

    Parameters
    ----------
    logits : tensor
        ``[batch, time, symbols]``.
    targets : integer tensor
        ``[batch, time]``.
    weights : tensor
        ``[batch, time]``: zeros where sequences are over.
    average_across_timesteps, average_across_batch : bool
        What is divided by the weights; with both the result is a scalar.
    sum_over_timesteps, sum_over_batch : bool
        What is summed and divided by the count of elements with weight.
    softmax_loss_function : callable, optional
        ``(labels=, logits=) -> loss`` in place of the sparse cross-entropy.
    name : str, optional

    Raises
    ------
    ValueError
        For other ranks, or when one axis is to be summed and averaged.
    """
    for what, x, axes in (
        ("Logits", logits, "batch_size x sequence_length x logits"),
        ("Targets", targets, "batch_size x sequence_length"),
        ("Weights", weights, "batch_size x sequence_length"),
    ):
        if len(x.get_shape()) != axes.count("x ") + 1:
            raise ValueError(f"{what} must be a [{axes}] tensor")
    for what, averaged, summed in (
        ("timesteps", average_across_timesteps, sum_over_timesteps),
        ("batch", average_across_batch, sum_over_batch),
    ):
        if averaged and summed:
            raise ValueError(
                f"average_across_{what} and sum_over_{what} cannot be set to True at same time."
            )
    with name_scope(name, "sequence_loss", [logits, targets, weights]):
        symbols = shapes.shape(logits)[2]
        flat_logits = shapes.reshape(logits, [-1, symbols])
        labels = shapes.reshape(targets, [-1])
        if softmax_loss_function is None:
            cross: Any = nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels, logits=flat_logits
            )
        else:
            cross = softmax_loss_function(labels=labels, logits=flat_logits)
        cross = cross * shapes.reshape(weights, [-1])
        if average_across_timesteps and average_across_batch:
            return math.div_no_nan(reduce.reduce_sum(cross), reduce.reduce_sum(weights))
        if sum_over_timesteps and sum_over_batch:
            counted = math.cast(reduce.count_nonzero(weights), cross.dtype)
            return math.div_no_nan(reduce.reduce_sum(cross), counted)
        cross = shapes.reshape(cross, shapes.shape(logits)[0:2])
        if average_across_timesteps or average_across_batch:
            axis = [0] if average_across_batch else [1]
            total = reduce.reduce_sum(weights, axis=axis)
            cross = math.div_no_nan(reduce.reduce_sum(cross, axis=axis), total)
        elif sum_over_timesteps or sum_over_batch:
            axis = [0] if sum_over_batch else [1]
            counted = math.cast(reduce.count_nonzero(weights, axis=axis), cross.dtype)
            cross = math.div_no_nan(reduce.reduce_sum(cross, axis=axis), counted)
    return cross
