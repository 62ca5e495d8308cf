"""Morphology, and what is left of ``tf.nn`` and ``tf.contrib.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.current import name_scope
from graphc.image.common import of_rank, sizes
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import (
    arrays,
    cumulative,
    fills,
    linalg,
    math,
    nn,
    ordering,
    random,
    reduce,
    shapes,
    spaced,
    state,
    transposing,
)
from graphc.ops.convert import convert_to_tensor
from graphc.ops.lookup import embedding_lookup, top_k

__all__ = [
    "alpha_dropout",
    "collapse_repeated",
    "compute_average_loss",
    "ctc_unique_labels",
    "deprecated_flipped_sigmoid_cross_entropy_with_logits",
    "deprecated_flipped_softmax_cross_entropy_with_logits",
    "deprecated_flipped_sparse_softmax_cross_entropy_with_logits",
    "dilation2d",
    "erosion2d",
    "nth_element",
    "rank_sampled_softmax_loss",
    "sampled_sparse_softmax_loss",
    "scale_regularization_loss",
    "scaled_softplus",
]  # fmt: skip


# ------------------------------------------------------------------------- morphology


def dilation2d(
    input: Any, filter: Any = None, strides: Any = None, rates: Any = None, padding: Any = None,
    name: str | None = None, filters: Any = None, dilations: Any = None,
) -> Any:  # fmt: skip
    """Grey dilation: the largest of ``input + filter`` under the filter, for each channel.

    Parameters
    ----------
    input : tensor
        ``[batch, height, width, channels]``.
    filter : tensor
        ``[height, width, channels]``.
    strides, rates : list of 4 int
        The first and the last are 1.
    padding : {"SAME", "VALID"}
        Outside counts as the least number.
    """
    from graphc.ops.reduce import chosen

    filter = chosen("filters", filters, "filter", filter)
    rates = chosen("dilations", dilations, "rates", rates)
    with name_scope(name, "Dilation2D") as scope:
        x = convert_to_tensor(input)
        w = convert_to_tensor(filter, x.dtype)
        with current().counts_as(1, [(2, 2)]):
            y = _dilated(of_rank(x, 4), of_rank(w, 3), list(strides), list(rates), padding)
            return state.identity(y, name=scope)


def _dilated(x: Any, w: Any, strides: list[int], rates: list[int], padding: Any) -> Any:
    kh, kw, _ = sizes(w)
    sh, sw, rh, rw = strides[1], strides[2], rates[1], rates[2]
    high, wide = sizes(x)[1:3]
    spans = (kh - 1) * rh + 1, (kw - 1) * rw + 1
    inside: Any = None
    if str(padding) == "SAME":
        outs = -(-high // sh), -(-wide // sw)
        pads = []
        for n, out, stride, span in zip((high, wide), outs, (sh, sw), spans, strict=True):
            need = (out - 1) * stride + span - n
            need = math.maximum(need, 0) if isinstance(need, Value) else max(need, 0)
            pads.append([need // 2, need - need // 2])
        pads = [[0, 0], *pads, [0, 0]]
        if x.dtype.is_integer:  # the least integer and some of the filter is no longer the least
            inside = arrays.pad(fills.ones_like(x, dtypes.bool_), pads, constant_values=False)
        x = arrays.pad(x, pads, constant_values=x.dtype.min)
    elif str(padding) == "VALID":
        outs = (high - spans[0]) // sh + 1, (wide - spans[1]) // sw + 1
    else:
        raise ValueError(f"padding must be SAME or VALID, not {padding}")
    if isinstance(kh, Value) or isinstance(kw, Value):
        if inside is not None:
            raise ValueError("dilation2d of integers needs a filter of known sizes")
        return _dilated_by(x, w, (kh, kw), outs, (sh, sw), (rh, rw))
    best: Any = None
    for i in range(kh):
        for j in range(kw):
            top, left = i * rh, j * rw
            rows = slice(top, top + (outs[0] - 1) * sh + 1, sh)
            columns = slice(left, left + (outs[1] - 1) * sw + 1, sw)
            here = x[:, rows, columns] + w[i, j]
            if inside is not None:
                here = math.select(inside[:, rows, columns], here, x.dtype.min)
            best = here if best is None else math.maximum(best, here)
    return best


def _dilated_by(
    x: Any, w: Any, taps: Any, outs: Any, strides: Sequence[int], rates: Sequence[int]
) -> Any:
    """The same with a filter whose sizes only a run knows: all its places as one axis."""
    for axis, (n, out, stride, rate) in enumerate(zip(taps, outs, strides, rates, strict=True)):
        places = spaced.range(out)[:, None] * stride + spaced.range(n)[None, :] * rate
        x = arrays.gather(x, places, axis=1 + 2 * axis)
    here = transposing.transpose(x + w[:, None], [0, 1, 3, 2, 4, 5])
    batch, down, along, *_, channels = sizes(here)
    here = shapes.reshape(here, [batch, down, along, taps[0] * taps[1], channels])
    first = reduce.argmax(here, 3, output_type=dtypes.int32)[:, :, :, None]
    chosen = math.equal(first, spaced.range(taps[0] * taps[1])[:, None])
    return reduce.reduce_sum(math.select(chosen, here, 0.0), 3)


def erosion2d(
    value: Any, kernel: Any, strides: Any, rates: Any, padding: Any, name: str | None = None
) -> Any:
    """Grey erosion: the least of ``value - kernel``, the kernel turned over."""
    with name_scope(name, "erosion2d"):
        x = convert_to_tensor(value)
        turned = arrays.reverse(of_rank(convert_to_tensor(kernel, x.dtype), 3), [0, 1])
        return -dilation2d(-x, turned, strides, rates, padding)


# ------------------------------------------------------------------------- labels


def collapse_repeated(labels: Any, seq_length: Any, name: str | None = None) -> tuple[Any, Any]:
    """Rows of labels without repetitions of neighbours, filled with 0, and their new lengths."""
    with name_scope(name, "collapse_repeated_labels"):
        x = convert_to_tensor(labels, name="labels")
        lengths = convert_to_tensor(seq_length, name="seq_length")
        changed = math.not_equal(x[:, 1:], x[:, :-1])
        first = fills.ones_like(x[:, :1], dtypes.bool_)
        width = shapes.shape(x)[1]
        inside = arrays.sequence_mask(lengths, width)
        keep = math.logical_and(arrays.concat([first, changed], 1), inside)
        counts = reduce.reduce_sum(math.cast(keep, lengths.dtype), 1)
        most = reduce.reduce_max(counts)
        place = cumulative.cumsum(math.cast(keep, dtypes.int32), 1) - 1
        rows = spaced.range(shapes.shape(x)[0])[:, None] + fills.zeros_like(place)
        at = arrays.where_indices(keep)
        where = arrays.stack([arrays.gather_nd(rows, at), arrays.gather_nd(place, at)], 1)
        size = arrays.stack([shapes.shape(x)[0], math.cast(most, dtypes.int32)])
        return arrays.scatter_nd(where, arrays.gather_nd(x, at), size), counts


def ctc_unique_labels(labels: Any, name: str | None = None) -> tuple[Any, Any]:
    """Of each row of labels the different ones, filled with 0, and for each label its place."""
    with name_scope(name, "ctc_unique_labels"):
        x = convert_to_tensor(labels, name="labels")
        n = shapes.shape(x)[1]
        same = math.equal(x[:, :, None], x[:, None, :])
        first = math.cast(reduce.argmax(math.cast(same, dtypes.int32), 2), dtypes.int32)
        new = math.equal(first, spaced.range(n)[None, :])
        place = cumulative.cumsum(math.cast(new, dtypes.int32), 1) - 1
        idx = arrays.gather_nd(
            place, arrays.stack([spaced.range(shapes.shape(x)[0])[:, None] + 0 * first, first], 2)
        )
        at = arrays.where_indices(new)
        rows = math.cast(at[:, 0], dtypes.int32)
        where = arrays.stack([rows, arrays.gather_nd(place, at)], 1)
        kept = math.cast(arrays.gather_nd(x, at), dtypes.int64)
        return arrays.scatter_nd(where, kept, shapes.shape(x)), idx


# ------------------------------------------------------------------------- losses


def compute_average_loss(
    per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None
) -> Any:
    """The sum of the losses divided by the size of the batch."""
    x = convert_to_tensor(per_example_loss)
    if sample_weight is not None:
        w = math.cast(convert_to_tensor(sample_weight), x.dtype)
        while w.rank < x.rank:
            w = shapes.expand_dims(w, -1)
        x = x * w
    n = shapes.shape(x)[0] if global_batch_size is None else convert_to_tensor(global_batch_size)
    return reduce.reduce_sum(x) / math.cast(n, x.dtype)


def scale_regularization_loss(regularization_loss: Any) -> Any:
    """The sum of the losses: there is one replica."""
    return reduce.reduce_sum(convert_to_tensor(regularization_loss))


def deprecated_flipped_softmax_cross_entropy_with_logits(
    logits: Any, labels: Any, dim: int = -1, name: str | None = None
) -> Any:
    """`tf.nn.softmax_cross_entropy_with_logits` with its arguments in their old order."""
    return nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits, dim=dim, name=name)


def deprecated_flipped_sparse_softmax_cross_entropy_with_logits(
    logits: Any, labels: Any, name: str | None = None
) -> Any:
    """The same of `tf.nn.sparse_softmax_cross_entropy_with_logits`."""
    return nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name=name)


def deprecated_flipped_sigmoid_cross_entropy_with_logits(
    logits: Any, targets: Any, name: str | None = None
) -> Any:
    """The same of `tf.nn.sigmoid_cross_entropy_with_logits`."""
    return nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name=name)


# ------------------------------------------------------------------------- activations


_ALPHA = -1.7580993408473766


def alpha_dropout(
    x: Any, keep_prob: Any, noise_shape: Any = None, seed: int | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Dropout for `selu`: mean and variance stay."""
    with name_scope(name, "alpha_dropout"):
        x = convert_to_tensor(x, name="x")
        if isinstance(keep_prob, (int, float)):
            if not 0 < keep_prob <= 1:
                raise ValueError(
                    f"keep_prob must be a scalar tensor or a float in the range (0, 1], got "
                    f"{keep_prob}"
                )
            if keep_prob == 1:
                return x
            keep_prob = float(keep_prob)
        keep: Any = convert_to_tensor(keep_prob, x.dtype)
        shape = shapes.shape(x) if noise_shape is None else noise_shape
        kept = math.cast(
            math.floor(keep + random.random_uniform(shape, dtype=x.dtype, seed=seed)), x.dtype
        )
        a = (keep + _ALPHA**2 * keep * (1.0 - keep)) ** -0.5
        b = -a * _ALPHA * (1.0 - keep)
        return a * (x * kept + _ALPHA * (1.0 - kept)) + b


def scaled_softplus(x: Any, alpha: Any, clip: Any = None, name: str | None = None) -> Any:
    """``alpha * log(1 + exp(x / alpha))``, not above `clip`."""
    with name_scope(name, "scaled_softplus"):
        x = convert_to_tensor(x, name="x")
        alpha = convert_to_tensor(alpha, x.dtype, name="alpha")
        y = alpha * nn.softplus(x / alpha)
        return y if clip is None else math.minimum(y, convert_to_tensor(clip, x.dtype))


def nth_element(input: Any, n: Any, reverse: bool = False, name: str | None = None) -> Any:
    """The `n`-th smallest element (largest with `reverse`) of the last axis, from 0."""
    with name_scope(name, "NthElement"):
        x = convert_to_tensor(input)
        rows = ordering.sort(x, axis=-1, direction="DESCENDING" if reverse else "ASCENDING")
        return arrays.gather(rows, convert_to_tensor(n, dtypes.int32), axis=-1)


# ------------------------------------------------------------------------- sampled losses


def _rows(weights: Any, ids: Any, strategy: str) -> Any:
    return embedding_lookup(
        list(weights) if isinstance(weights, (list, tuple)) else weights, ids, strategy
    )


def sampled_sparse_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    sampled_values: Any = None, remove_accidental_hits: bool = True,
    partition_strategy: str = "mod", name: str = "sampled_sparse_softmax_loss",
) -> Any:  # fmt: skip
    """`tf.nn.sampled_softmax_loss` with one label for each example."""
    from graphc.nn.sampled import sampled_softmax_loss

    with name_scope(name):
        given = convert_to_tensor(labels)
        if given.rank == 1:
            given = shapes.expand_dims(given, -1)
        return sampled_softmax_loss(
            weights, biases, given, inputs, num_sampled, num_classes, 1, sampled_values,
            remove_accidental_hits, partition_strategy,
        )  # fmt: skip


def rank_sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_resampled: int,
    num_classes: int, num_true: int, sampled_values: Any, resampling_temperature: Any,
    remove_accidental_hits: bool, partition_strategy: str, name: str | None = None,
) -> Any:  # fmt: skip
    """`tf.nn.sampled_softmax_loss` over those of the sampled classes that the model finds likely.

    Parameters
    ----------
    num_sampled, num_resampled : int
        How many classes are drawn, and how many of them are used.
    resampling_temperature : float
        The higher, the more an example counts.
    """
    from graphc.nn.sampled import sampled_softmax_loss
    from graphc.ops.sampling import uniform_candidate_sampler
    from graphc.ops.state import stop_gradient

    if num_sampled > num_classes:
        raise ValueError(f"num_sampled ({num_sampled}) cannot be greater than num_classes "
                         f"({num_classes})")  # fmt: skip
    if num_resampled > num_sampled:
        raise ValueError(f"num_resampled ({num_resampled}) cannot be greater than num_sampled "
                         f"({num_sampled})")  # fmt: skip
    with name_scope(name, "rank_sampled_softmax_loss"):
        given = math.cast(convert_to_tensor(labels), dtypes.int64)
        if sampled_values is None:
            sampled_values = uniform_candidate_sampler(
                given, num_true, num_sampled, True, num_classes
            )
        ids, true_count, sampled_count = (stop_gradient(v) for v in sampled_values)
        heat = convert_to_tensor(resampling_temperature, convert_to_tensor(inputs).dtype)
        rows = _rows(weights, ids, partition_strategy)
        each: Any = linalg.matmul(rows, convert_to_tensor(inputs) / heat, transpose_b=True)
        low = shapes.reshape(_rows(biases, ids, partition_strategy), [-1])
        best = top_k(reduce.reduce_logsumexp(each, axis=1) + low / heat, num_resampled)[1]
        picked = arrays.gather(ids, best), true_count, arrays.gather(sampled_count, best)
        return sampled_softmax_loss(
            weights, biases, given, inputs, num_resampled, num_classes, num_true, picked,
            remove_accidental_hits, partition_strategy,
        )  # fmt: skip
