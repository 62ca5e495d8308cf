"""Connectionist temporal classification as tf.nn has it."""

from __future__ import annotations

from typing import Any

from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import arrays, ctc, math, shapes, spaced, transposing
from graphc.ops.convert import convert_to_tensor
from graphc.sparse.tensor import SparseTensor

__all__ = [
    "ctc_beam_search_decoder", "ctc_beam_search_decoder_v2", "ctc_greedy_decoder", "ctc_loss",
    "ctc_loss_v2",
]  # fmt: skip


def _inputs(logits: Any, time_major: bool) -> Value:
    x = convert_to_tensor(logits)
    return x if time_major else transposing.transpose(x, [1, 0, 2])


def _built(
    x: Value, indices: Any, values: Any, lengths: Any, name: str | None = None, **attrs: Any
) -> Value:
    given = {
        "blank": -1,
        "collapse": False,
        "merge": True,
        "ignore": False,
        "strict": True,
        **attrs,
    }
    operands = [
        x, math.cast(indices, dtypes.int64), math.cast(values, dtypes.int32),
        math.cast(lengths, dtypes.int32),
    ]  # fmt: skip
    return build(ctc.loss_op, operands, given, name).outputs[0]


def ctc_loss(
    labels: Any, inputs: Any = None, sequence_length: Any = None,
    preprocess_collapse_repeated: bool = False, ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False, time_major: bool = True, logits: Any = None,
) -> Value:  # fmt: skip
    """Minus the logarithm of the probability of label sequences, for each row of the batch.

    Parameters
    ----------
    labels : SparseTensor
        ``[batch, …]`` class numbers. A row may end in blanks, which are left out.
    inputs : tensor
        Logits ``[time, batch, classes]``; the last class is the blank.
    sequence_length : tensor
        ``[batch]``: the used steps of each row.
    preprocess_collapse_repeated : bool
        Whether equal labels in a row become one first.
    ctc_merge_repeated : bool
        Whether a class over several steps is one label.
    ignore_longer_outputs_than_inputs : bool
        Whether rows with more labels than steps have loss 0; they are an error else.
    time_major : bool
        False for logits ``[batch, time, classes]``.

    Raises
    ------
    TypeError
        For labels that are no `SparseTensor`.
    InvalidArgumentError
        In a run, for a row without labels, an unknown class, or too few steps.
    """
    if not isinstance(labels, SparseTensor):
        raise TypeError("Expected labels (first argument) to be a SparseTensor")
    x = _inputs(logits if inputs is None else inputs, time_major)
    return _built(
        x, labels.indices, labels.values, sequence_length, "CTCLoss",
        collapse=bool(preprocess_collapse_repeated), merge=bool(ctc_merge_repeated),
        ignore=bool(ignore_longer_outputs_than_inputs),
    )  # fmt: skip


def ctc_loss_v2(
    labels: Any, logits: Any, label_length: Any, logit_length: Any,
    logits_time_major: bool = True, unique: Any = None, blank_index: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """`ctc_loss` with labels ``[batch, n]`` of given lengths, or sparse ones.

    Parameters
    ----------
    blank_index : int, optional
        0 by default for dense labels; sparse ones need it.
    unique
        Accepted: it only helps TPUs.

    Notes
    -----
    Behind the last step of a row the gradient is 0; TensorFlow 1.15 has the probabilities there.
    """
    x = _inputs(logits, logits_time_major)
    if isinstance(labels, SparseTensor):
        if blank_index is None:
            raise ValueError("blank_index must be given when using SparseTensor labels.")
        return _built(
            x, labels.indices, labels.values, logit_length, name, blank=int(blank_index)
        )  # fmt: skip
    dense = convert_to_tensor(labels)
    n = shapes.shape(dense)[1]
    used = math.less(
        shapes.expand_dims(spaced.range(n), 0),
        shapes.expand_dims(math.cast(label_length, dtypes.int32), 1),
    )
    indices = arrays.where_indices(used)
    values = arrays.gather_nd(dense, indices)
    return _built(x, indices, values, logit_length, name, blank=int(blank_index or 0), strict=False)


def _sequences(parts: Any) -> list[Any]:
    return [SparseTensor(*parts[i : i + 3]) for i in range(0, len(parts), 3)]


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True
) -> tuple[list[Any], Value]:
    """The most probable class of each step, without blanks.

    Returns
    -------
    decoded : list of one SparseTensor
    neg_sum_logits : tensor
        ``[batch, 1]``: minus the sum of the largest logits.
    """
    operands = [convert_to_tensor(inputs), math.cast(sequence_length, dtypes.int32)]
    node = build(ctc.greedy_op, operands, {"merge": bool(merge_repeated)}, "CTCGreedyDecoder")
    return _sequences(node.outputs[:-1]), node.outputs[-1]


def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1,
    merge_repeated: bool = True,
) -> tuple[list[Any], Value]:  # fmt: skip
    """The most probable label sequences, found by beam search.

    Parameters
    ----------
    beam_width : int
        How many sequences are followed.
    top_paths : int
        How many are returned.
    merge_repeated : bool
        Whether equal labels in a row become one in the result.

    Returns
    -------
    decoded : list of SparseTensor
    log_probability : tensor
        ``[batch, top_paths]``.
    """
    operands = [convert_to_tensor(inputs), math.cast(sequence_length, dtypes.int32)]
    attrs = {"width": int(beam_width), "top": int(top_paths), "merge": bool(merge_repeated)}
    node = build(ctc.beam_op, operands, attrs, "CTCBeamSearchDecoder")
    return _sequences(node.outputs[:-1]), node.outputs[-1]


def ctc_beam_search_decoder_v2(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Value]:
    """`ctc_beam_search_decoder` that merges nothing."""
    return ctc_beam_search_decoder(inputs, sequence_length, beam_width, top_paths, False)
