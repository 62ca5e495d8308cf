"""Losses over sampled classes: noise-contrastive estimation and sampled softmax."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, fills, linalg, math, nn, reduce, shapes, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many
from graphc.ops.lookup import embedding_lookup
from graphc.ops.sampling import log_uniform_candidate_sampler

__all__ = ["nce_loss", "sampled_softmax_loss"]

_LEAST = -3.4028234663852886e38


def _logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int, sampled_values: Any, subtract_log_q: bool, remove_accidental_hits: bool,
    partition_strategy: str, name: str, seed: int | None,
) -> tuple[Value, Value]:  # fmt: skip
    """Logits of true and sampled classes, and their labels."""
    with name_scope(name, "compute_sampled_logits"):
        x = convert_to_tensor(inputs)
        true = math.cast(labels, dtypes.int64)
        flat = shapes.reshape(true, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(
                true, num_true, num_sampled, True, num_classes, seed=seed
            )
        sampled, true_count, sampled_count = [state.stop_gradient(v) for v in sampled_values]
        sampled = math.cast(sampled, dtypes.int64)
        ids = arrays.concat([flat, sampled], 0)
        rows = math.cast(embedding_lookup(weights, ids, partition_strategy), x.dtype)
        b = math.cast(embedding_lookup(biases, ids, partition_strategy), x.dtype)
        known = flat.static_shape
        count: Any = shapes.shape(flat)[0]
        if known is not None and type(known[0]) is int:
            count = known[0]
        width = x.shape[-1].value  # type: ignore[attr-defined]
        true_rows = shapes.reshape(rows[:count], [-1, num_true, width or shapes.shape(x)[1]])
        drawn = linalg.matmul(x, rows[count:], transpose_b=True) + b[count:]
        dots = reduce.reduce_sum(math.multiply(shapes.expand_dims(x, 1), true_rows), 2)
        hits = dots + shapes.reshape(b[:count], [-1, num_true])
        if remove_accidental_hits:
            same = math.equal(shapes.expand_dims(true, 2), shapes.reshape(sampled, [1, 1, -1]))
            chance = math.cast(reduce.reduce_any(same, 1), x.dtype)
            drawn = drawn + chance * _LEAST
        if subtract_log_q:
            hits = hits - math.log(math.cast(true_count, x.dtype))
            drawn = drawn - math.log(math.cast(sampled_count, x.dtype))
        out = arrays.concat([hits, drawn], 1, name="out_logits")
        wanted = arrays.concat(
            [fills.ones_like(hits) / num_true, fills.zeros_like(drawn)], 1, name="out_labels"
        )
        return out, wanted


def _counting(plain: int, hits: bool) -> Any:
    """Operations of TF1: without accidental hits, and whether those are removed by default."""

    def count(
        weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: Any, num_classes: Any,
        num_true: Any = 1, sampled_values: Any = None, remove_accidental_hits: bool = hits,
        *more: Any, **named: Any,
    ) -> int | None:  # fmt: skip
        if not (isinstance(labels, Value) and isinstance(inputs, Value)):
            return None
        several = isinstance(weights, list | tuple) and len(weights) > 1
        if several or "Partitioned" in type(weights).__name__:
            return None
        made = plain + (labels.dtype is not dtypes.int64) - (sampled_values is not None)
        return made + 21 * bool(remove_accidental_hits)

    return count


@as_many(_counting(109, False))
def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int = 1, sampled_values: Any = None, remove_accidental_hits: bool = False,
    partition_strategy: str = "mod", name: str = "nce_loss",
) -> Value:  # fmt: skip
    """Noise-contrastive estimation: for each row, true classes against drawn ones.

    Parameters
    ----------
    weights : tensor or list of tensors
        ``[num_classes, n]``.
    biases : tensor
        ``[num_classes]``.
    labels : tensor
        ``[batch, num_true]`` classes.
    inputs : tensor
        ``[batch, n]``.
    num_sampled : int
        How many classes are drawn for the batch.
    sampled_values : tuple, optional
        What a sampler gave; by default `log_uniform_candidate_sampler`.
    remove_accidental_hits : bool
        Whether drawn classes do not count where they are true.

    Returns
    -------
    tensor
        ``[batch]``.
    """
    logits, wanted = _logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, True,
        remove_accidental_hits, partition_strategy, name, None,
    )  # fmt: skip
    each = nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits, name="sampled_losses")
    out: Value = reduce.reduce_sum(each, 1)
    return out


@as_many(_counting(119, True))
def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int = 1, sampled_values: Any = None, remove_accidental_hits: bool = True,
    partition_strategy: str = "mod", name: str = "sampled_softmax_loss", seed: int | None = None,
) -> Value:  # fmt: skip
    """The cross entropy of a softmax over true and drawn classes (arXiv:1412.2007).

    The arguments are those of `nce_loss`; the result is ``[batch]``.
    """
    logits, wanted = _logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, True,
        remove_accidental_hits, partition_strategy, name, seed,
    )  # fmt: skip
    wanted = state.stop_gradient(wanted, name="labels_stop_gradient")
    return nn.softmax_cross_entropy_with_logits_v2(labels=wanted, logits=logits)
