"""``tf.contrib.crf``: linear chains of tags, their likelihood and the best of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.scopes import get_variable
from graphc.ir import dtypes
from graphc.nn.cells import RNNCell
from graphc.nn.looped import dynamic_rnn
from graphc.ops import arrays, fills, math, reduce, shapes
from graphc.ops.counting import as_many

__all__ = [
    "CrfDecodeBackwardRnnCell", "CrfDecodeForwardRnnCell", "CrfForwardRnnCell",
    "crf_binary_score", "crf_decode", "crf_log_likelihood", "crf_log_norm",
    "crf_multitag_sequence_score", "crf_sequence_score", "crf_unary_score", "viterbi_decode",
]  # fmt: skip


def _size(x: Any, axis: int) -> Any:
    shape = getattr(x, "static_shape", None)
    return None if shape is None or type(shape[axis]) is not int else shape[axis]


def _long(x: Any) -> bool:
    return getattr(x, "dtype", None) is dtypes.int64


# In TF1 sequences of one step are another branch of a cond, or a function of their own.


def _of_unary(tag_indices: Any, sequence_lengths: Any, inputs: Any) -> int:
    return 54 + _long(tag_indices)


def _of_score(inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any) -> int:
    steps = _size(inputs, 1)
    if steps == 1:
        return 21
    return (133 if steps is None else 99) + _long(tag_indices)


def _of_norm(inputs: Any, sequence_lengths: Any, transition_params: Any) -> int:
    steps, rows = _size(inputs, 1), _size(inputs, 0)
    if steps == 1:
        return 25
    many = 195 + 11 * (rows is None) if steps is None else 163 + 10 * (rows is None)
    return many + _long(sequence_lengths)


def _of_decoding(potentials: Any, transition_params: Any, sequence_length: Any) -> int:
    steps, rows = _size(potentials, 1), _size(potentials, 0)
    if steps == 1:
        return 11
    many = 291 + 22 * (rows is None) if steps is None else 271 + 20 * (rows is None)
    return many + 2 * _long(sequence_length)


@as_many(_of_unary)
def crf_unary_score(tag_indices: Any, sequence_lengths: Any, inputs: Any) -> Any:
    """The sum of the potentials of the tags of each row.

    Parameters
    ----------
    tag_indices : integer tensor
        ``[batch, time]``.
    sequence_lengths : integer vector
    inputs : tensor
        Potentials, ``[batch, time, tags]``.
    """
    chosen: Any = arrays.gather(inputs, tag_indices, axis=2, batch_dims=2)
    if inputs.static_shape is not None and chosen.static_shape is not None:
        # as TensorFlow's, that of the inputs alone
        chosen.static_shape = (inputs.static_shape[0], *chosen.static_shape[1:])
    mask = arrays.sequence_mask(
        sequence_lengths, maxlen=shapes.shape(tag_indices)[1], dtype=inputs.dtype
    )
    return reduce.reduce_sum(chosen * mask, 1)


@as_many(41)
def crf_binary_score(tag_indices: Any, sequence_lengths: Any, transition_params: Any) -> Any:
    """The sum of the potentials of the transitions of each row.

    Parameters
    ----------
    tag_indices : integer tensor
        ``[batch, time]``.
    sequence_lengths : integer vector
    transition_params : tensor
        ``[tags, tags]``.
    """
    tags: Any = tag_indices
    pairs = arrays.stack([tags[:, :-1], tags[:, 1:]], axis=2)
    mask: Any = arrays.sequence_mask(
        sequence_lengths, maxlen=shapes.shape(tags)[1], dtype=transition_params.dtype
    )
    return reduce.reduce_sum(arrays.gather_nd(transition_params, pairs) * mask[:, 1:], 1)


@as_many(_of_score)
def crf_sequence_score(
    inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any
) -> Any:
    """The score of a sequence of tags: its potentials and those of its transitions."""
    unary = crf_unary_score(tag_indices, sequence_lengths, inputs)
    return unary + crf_binary_score(tag_indices, sequence_lengths, transition_params)


def crf_multitag_sequence_score(
    inputs: Any, tag_bitmap: Any, sequence_lengths: Any, transition_params: Any
) -> Any:
    """The score of all sequences whose tags are set in `tag_bitmap`, ``[batch, time, tags]``."""
    barred = fills.fill(shapes.shape(inputs), -np.inf)
    return crf_log_norm(math.where(tag_bitmap, inputs, barred), sequence_lengths, transition_params)


class CrfForwardRnnCell(RNNCell):
    """A step of the sum over all sequences.

    Parameters
    ----------
    transition_params : tensor
        ``[tags, tags]``.
    """

    def __init__(self, transition_params: Any) -> None:
        self._transition_params = shapes.expand_dims(transition_params, 0)
        self._tags = transition_params.get_shape()[0].value

    @property
    def state_size(self) -> Any:
        return self._tags

    @property
    def output_size(self) -> Any:
        return self._tags

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step."""
        scores = shapes.expand_dims(state, 2) + self._transition_params
        new = inputs + reduce.reduce_logsumexp(scores, [1])
        return new, new


class CrfDecodeForwardRnnCell(CrfForwardRnnCell):
    """A step of the search for the best sequence; it says where each tag comes from."""

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step."""
        scores = shapes.expand_dims(state, 2) + self._transition_params
        new = inputs + reduce.reduce_max(scores, [1])
        return reduce.argmax(scores, 1, output_type=dtypes.int32), new


class CrfDecodeBackwardRnnCell(RNNCell):
    """A step back along the best sequence.

    Parameters
    ----------
    num_tags : int
    """

    def __init__(self, num_tags: int) -> None:
        self._tags = num_tags

    @property
    def state_size(self) -> Any:
        return 1

    @property
    def output_size(self) -> Any:
        return 1

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step."""
        new = arrays.gather(inputs, state, axis=1, batch_dims=1)
        return new, new


def _less_one(lengths: Any) -> Any:
    return math.maximum(math.cast(lengths, dtypes.int32) - 1, 0)


@as_many(_of_norm)
def crf_log_norm(inputs: Any, sequence_lengths: Any, transition_params: Any) -> Any:
    """The logarithm of the sum over all sequences of each row."""
    _, last = dynamic_rnn(
        CrfForwardRnnCell(transition_params), inputs[:, 1:], _less_one(sequence_lengths),
        initial_state=inputs[:, 0], dtype=inputs.dtype,
    )  # fmt: skip
    norm = reduce.reduce_logsumexp(last, [1])
    return math.where(math.less_equal(sequence_lengths, 0), fills.zeros_like(norm), norm)


def crf_log_likelihood(
    inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any = None
) -> tuple[Any, Any]:
    """The log-likelihood of sequences of tags.

    Parameters
    ----------
    inputs : tensor
        Potentials, ``[batch, time, tags]``.
    tag_indices : integer tensor
        ``[batch, time]``.
    sequence_lengths : integer vector
    transition_params : tensor, optional
        ``[tags, tags]``; a variable ``transitions`` by default.

    Returns
    -------
    log_likelihood : vector
    transition_params : tensor
    """
    if transition_params is None:
        tags = inputs.get_shape()[2].value
        transition_params = get_variable("transitions", [tags, tags])
    score = crf_sequence_score(inputs, tag_indices, sequence_lengths, transition_params)
    return score - crf_log_norm(inputs, sequence_lengths, transition_params), transition_params


@as_many(_of_decoding)
def crf_decode(potentials: Any, transition_params: Any, sequence_length: Any) -> tuple[Any, Any]:
    """The best sequence of tags of each row, and its score.

    Parameters
    ----------
    potentials : tensor
        ``[batch, time, tags]``.
    transition_params : tensor
        ``[tags, tags]``.
    sequence_length : integer vector

    Returns
    -------
    decode_tags : int32 tensor
        ``[batch, time]``.
    best_score : vector
    """
    steps = _less_one(sequence_length)
    from_where, scores = dynamic_rnn(
        CrfDecodeForwardRnnCell(transition_params), potentials[:, 1:], steps,
        initial_state=potentials[:, 0], dtype=dtypes.int32,
    )  # fmt: skip
    back = arrays.reverse_sequence(from_where, steps, seq_axis=1)
    last = shapes.expand_dims(reduce.argmax(scores, 1, output_type=dtypes.int32), -1)
    tags, _ = dynamic_rnn(
        CrfDecodeBackwardRnnCell(potentials.get_shape()[2].value), back, steps,
        initial_state=last, dtype=dtypes.int32,
    )  # fmt: skip
    tags = arrays.concat([last, shapes.squeeze(tags, [2])], 1)
    lengths = math.cast(sequence_length, dtypes.int32)
    return arrays.reverse_sequence(tags, lengths, seq_axis=1), reduce.reduce_max(scores, 1)


def viterbi_decode(score: Any, transition_params: Any) -> tuple[list[Any], Any]:
    """The best sequence for arrays: its tags and its score.

    Parameters
    ----------
    score : array
        ``[time, tags]``.
    transition_params : array
        ``[tags, tags]``.
    """
    best = np.array(score[0])
    backs = []
    for row in score[1:]:
        options = best[:, None] + transition_params
        backs.append(np.argmax(options, 0))
        best = row + np.max(options, 0)
    tags = [np.argmax(best)]
    for back in reversed(backs):
        tags.append(back[tags[-1]])
    return tags[::-1], np.max(best)
