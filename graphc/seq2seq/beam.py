"""Beam search: the likeliest sequences, several at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from graphc.face import logging, nest
from graphc.face.current import name_scope
from graphc.face.flow import while_loop
from graphc.face.shape import TensorShape
from graphc.face.tensor_array import TensorArray
from graphc.ir import dtypes
from graphc.ir.known import known
from graphc.layers.base import Layer
from graphc.nn.cells import check_cell, is_array_of_tensors, static_concat_shape
from graphc.ops import (
    arrays,
    convert,
    cumulative,
    fills,
    lookup,
    math,
    nn,
    reduce,
    shapes,
    spaced,
    transposing,
)
from graphc.seq2seq.decoder import Decoder, output_sizes
from graphc.seq2seq.wrapper import AttentionWrapperState

__all__ = [
    "BeamSearchDecoder", "BeamSearchDecoderOutput", "BeamSearchDecoderState",
    "FinalBeamSearchDecoderOutput", "gather_tree", "tile_batch",
]  # fmt: skip


class BeamSearchDecoderState(NamedTuple):
    """The state of a `BeamSearchDecoder`."""

    cell_state: Any
    log_probs: Any
    finished: Any
    lengths: Any
    accumulated_attention_probs: Any


class BeamSearchDecoderOutput(NamedTuple):
    """The output of a step of a `BeamSearchDecoder`."""

    scores: Any
    predicted_ids: Any
    parent_ids: Any


class FinalBeamSearchDecoderOutput(NamedTuple):
    """What a `BeamSearchDecoder` gives at the end."""

    predicted_ids: Any
    beam_search_decoder_output: Any


def tile_batch(t: Any, multiplier: int, name: str | None = None) -> Any:
    """Each row of `t`, a tensor or a nest of them, `multiplier` times in a row.

    Raises
    ------
    ValueError
        For tensors of unknown rank, and scalars.
    """

    def tiled(x: Any) -> Any:
        x = convert.convert_to_tensor(x, name="t")
        if x.rank is None or x.rank < 1:
            raise ValueError("t must have statically known rank")
        times = [1, multiplier] + [1] * (x.rank - 1)
        wide = arrays.tile(shapes.expand_dims(x, 1), times)
        sizes = shapes.shape(x)
        out: Any = shapes.reshape(wide, arrays.concat([[sizes[0] * multiplier], sizes[1:]], 0))
        rows = x.get_shape()[0].value
        known_rows = None if rows is None else rows * multiplier
        out.set_shape(TensorShape([known_rows]).concatenate(x.get_shape()[1:]))
        return out

    with name_scope(name, "tile_batch", nest.flatten(t)):
        return nest.map_structure(tiled, t)


def gather_tree(
    step_ids: Any, parent_ids: Any, max_sequence_lengths: Any, end_token: Any,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Whole sequences of beams from their steps and parents.

    Parameters
    ----------
    step_ids, parent_ids : int32 tensor
        ``[time, batch, beam]``: the symbol of each step, and the beam it goes on from.
    max_sequence_lengths : int32 vector
        For each row the number of steps.
    end_token : int32 scalar
        Fills what is past the end.
    name : str, optional

    Returns
    -------
    int32 tensor
        ``[time, batch, beam]``.
    """
    with name_scope(name, "GatherTree", [step_ids, parent_ids]):
        ids: Any = convert.convert_to_tensor(step_ids, dtypes.int32)
        parents: Any = convert.convert_to_tensor(parent_ids, dtypes.int32)
        ends: Any = convert.convert_to_tensor(max_sequence_lengths, dtypes.int32)
        end: Any = convert.convert_to_tensor(end_token, dtypes.int32)
        sizes = shapes.shape(ids)
        steps, beams = sizes[0], sizes[2]
        blank = fills.fill(sizes[1:], end)

        def body(left: Any, written: Any, beam: Any) -> Any:
            t = left - 1
            inside = arrays.tile(shapes.expand_dims(t < ends, 1), [1, beams])
            here = arrays.gather(arrays.gather(ids, t), beam, axis=1, batch_dims=1)
            above = arrays.gather(arrays.gather(parents, t), beam, axis=1, batch_dims=1)
            written = written.write(t, math.where(inside, here, blank))
            up: Any = math.where(inside, above, beam)
            up.set_shape(beam.get_shape())
            return t, written, up

        first: Any = arrays.tile(shapes.expand_dims(spaced.range(beams), 0), [sizes[1], 1])
        first.set_shape(ids.get_shape()[1:])
        found = TensorArray(dtypes.int32, size=steps, element_shape=ids.get_shape()[1:])
        _, found, _ = while_loop(
            lambda left, *_: left > 0, body, (steps, found, first), maximum_iterations=steps
        )
        out: Any = found.stack()
        out.set_shape(ids.get_shape())
        over = cumulative.cumsum(math.cast(math.equal(out, end), dtypes.int32), exclusive=True) > 0
        return math.where(over, fills.fill(sizes, end), out)


def _taken(x: Any, beams: Any) -> Any:
    """The rows `beams` of ``x[batch, beam, …]``, for each batch entry its own."""
    out: Any = arrays.gather(x, beams, axis=1, batch_dims=1)
    out.set_shape(x.get_shape())
    return out


class BeamSearchDecoder(Decoder):
    """A cell that follows the likeliest `beam_width` sequences.

    Parameters
    ----------
    cell : RNNCell
    embedding : callable or tensor
        What makes inputs of symbols.
    start_tokens : int32 vector
    end_token : int32 scalar
    initial_state
        Of the cell, each row `beam_width` times (see `tile_batch`).
    beam_width : int
    output_layer : Layer, optional
        Applied to the cell's outputs.
    length_penalty_weight, coverage_penalty_weight : float
        Zero is none.
    reorder_tensor_arrays : bool
        Whether arrays in the state are put in the order of the final beams.

    Raises
    ------
    ValueError
        When tokens have other ranks.
    """

    def __init__(
        self, cell: Any, embedding: Any, start_tokens: Any, end_token: Any, initial_state: Any,
        beam_width: int, output_layer: Any = None, length_penalty_weight: Any = 0.0,
        coverage_penalty_weight: Any = 0.0, reorder_tensor_arrays: bool = True,
    ) -> None:  # fmt: skip
        check_cell("cell", cell)
        if output_layer is not None and not isinstance(output_layer, Layer):
            raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")
        self._cell = cell
        self._output_layer = output_layer
        self._beam_width = beam_width
        self._length_penalty_weight = length_penalty_weight
        self._coverage_penalty_weight = coverage_penalty_weight
        self._reorder_tensor_arrays = reorder_tensor_arrays
        self._embedding_fn = (
            embedding if callable(embedding)
            else lambda ids: lookup.embedding_lookup(embedding, ids)
        )  # fmt: skip
        tokens: Any = convert.convert_to_tensor(start_tokens, dtypes.int32, name="start_tokens")
        if tokens.rank != 1:
            raise ValueError("start_tokens must be a vector")
        self._end_token: Any = convert.convert_to_tensor(end_token, dtypes.int32, name="end_token")
        if self._end_token.rank != 0:
            raise ValueError("end_token must be a scalar")
        self._batch_size: Any = shapes.size(tokens)
        self._initial_cell_state = nest.map_structure(self._split, initial_state, cell.state_size)
        self._start_tokens = arrays.tile(shapes.expand_dims(tokens, 1), [1, beam_width])
        self._start_inputs = self._embedding_fn(self._start_tokens)
        self._finished = self._only_first(False, True, dtypes.bool_)

    def _only_first(self, on: Any, off: Any, dtype: Any) -> Any:
        """One value for the first beam of each row, another for the rest."""
        rows = fills.zeros([self._batch_size], dtypes.int32)
        return fills.one_hot(rows, depth=self._beam_width, on_value=on, off_value=off, dtype=dtype)

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def tracks_own_finished(self) -> bool:
        return True

    @property
    def output_size(self) -> Any:
        wide = TensorShape([self._beam_width])
        return BeamSearchDecoderOutput(scores=wide, predicted_ids=wide, parent_ids=wide)

    @property
    def output_dtype(self) -> Any:
        dtype = nest.flatten(self._initial_cell_state)[0].dtype
        scores = nest.map_structure(lambda _: dtype, output_sizes(self._cell, self._output_layer))
        return BeamSearchDecoderOutput(scores, dtypes.int32, dtypes.int32)

    def _static_rows(self) -> int | None:
        k = known(self._batch_size)
        return k if type(k) is int else None

    def _split(self, t: Any, s: Any) -> Any:
        """``[batch * beam, …]`` as ``[batch, beam, …]``; scalars and arrays stay."""
        if is_array_of_tensors(t) or t.get_shape().ndims == 0:
            return t
        rest = shapes.shape(t)[1:]
        out: Any = shapes.reshape(t, arrays.concat([[self._batch_size, self._beam_width], rest], 0))
        static = TensorShape([self._static_rows(), self._beam_width]).concatenate(_tail(s))
        if not out.get_shape().is_compatible_with(static):
            raise ValueError(
                "Unexpected behavior when reshaping between beam width and batch size.  The "
                f"reshaped tensor has shape: {out.get_shape()}.  We expected it to have shape "
                f"(batch_size, beam_width, depth) == {static}.  Perhaps you forgot to create a "
                "zero_state with batch_size=encoder_batch_size * beam_width?"
            )
        out.set_shape(static)
        return out

    def _merge(self, t: Any, s: Any) -> Any:
        """``[batch, beam, …]`` as ``[batch * beam, …]``; scalars and arrays stay."""
        if is_array_of_tensors(t) or t.get_shape().ndims < 2:
            return t
        rest = shapes.shape(t)[2:]
        out: Any = shapes.reshape(
            t, arrays.concat([[self._batch_size * self._beam_width], rest], 0)
        )
        rows = self._static_rows()
        both = None if rows is None else rows * self._beam_width
        out.set_shape(TensorShape([both]).concatenate(_tail(s)))
        return out

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs, first state)``."""
        dtype = nest.flatten(self._initial_cell_state)[0].dtype
        attention = self._attention_probs(self._initial_cell_state)
        state = BeamSearchDecoderState(
            cell_state=self._initial_cell_state,
            log_probs=self._only_first(
                convert.constant(0.0, dtype), convert.constant(-np.inf, dtype), dtype
            ),
            finished=self._finished,
            lengths=fills.zeros([self._batch_size, self._beam_width], dtypes.int64),
            accumulated_attention_probs=() if attention is None else attention,
        )
        return self._finished, self._start_inputs, state

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        """``(outputs, next state, next inputs, finished)``."""
        with name_scope(name, "BeamSearchDecoderStep", [time]):
            inputs = nest.map_structure(lambda x: self._merge(x, x.get_shape()[2:]), inputs)
            cell_state = nest.map_structure(self._merge, state.cell_state, self._cell.state_size)
            outputs, cell_state = self._cell(inputs, cell_state)
            outputs = nest.map_structure(lambda y: self._split(y, y.get_shape()[1:]), outputs)
            cell_state = nest.map_structure(self._split, cell_state, self._cell.state_size)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            made, following = self._search(outputs, cell_state, state)
            inputs = self._embedding_fn(made.predicted_ids)
        return made, following, inputs, following.finished

    def _search(self, logits: Any, cell_state: Any, before: BeamSearchDecoderState) -> Any:
        """One step of the search: the best beams among all that go on from the last ones."""
        width = self._beam_width
        done = before.finished
        going = math.logical_not(done)
        symbols = logits.get_shape()[-1].value or shapes.shape(logits)[-1]
        total = shapes.expand_dims(before.log_probs, 2) + self._masked(
            nn.log_softmax(logits), done, symbols
        )
        ending = fills.one_hot(self._end_token, symbols, dtype=dtypes.int64)
        grown = shapes.expand_dims(math.cast(going, dtypes.int64), 2) * (1 - ending)
        lengths = grown + shapes.expand_dims(before.lengths, 2)
        seen = self._attention_probs(cell_state)
        if seen is not None:
            seen = seen * shapes.expand_dims(math.cast(going, seen.dtype), 2)
            seen = before.accumulated_attention_probs + seen
        scores = self._scores(total, lengths, done, seen)
        flat = shapes.reshape(scores, [self._batch_size, width * symbols])
        best: Any
        places: Any
        best, places = lookup.top_k(flat, k=width)
        best.set_shape([self._static_rows(), width])
        places.set_shape([self._static_rows(), width])
        ids = math.mod(places, symbols)
        parents = math.floordiv(places, symbols)
        chosen = arrays.gather(
            shapes.reshape(total, [self._batch_size, width * symbols]), places, axis=1,
            batch_dims=1,
        )  # fmt: skip
        done = _taken(done, parents)
        lengths = _taken(before.lengths, parents) + math.cast(math.logical_not(done), dtypes.int64)
        state = BeamSearchDecoderState(
            cell_state=nest.map_structure(
                lambda x: x if is_array_of_tensors(x) or x.get_shape().ndims < 2
                else _taken(x, parents),
                cell_state,
            ),
            log_probs=chosen,
            lengths=lengths,
            finished=math.logical_or(done, math.equal(ids, self._end_token)),
            accumulated_attention_probs=() if seen is None else _taken(seen, parents),
        )  # fmt: skip
        return BeamSearchDecoderOutput(best, ids, parents), state

    def _masked(self, log_probs: Any, done: Any, symbols: Any) -> Any:
        """Beams that are done go on with the end token only."""
        dtype = log_probs.dtype
        least = convert.constant(dtype.min, dtype)
        row = fills.one_hot(
            self._end_token, symbols, on_value=convert.constant(0.0, dtype), off_value=least,
            dtype=dtype,
        )  # fmt: skip
        wide = arrays.tile(shapes.expand_dims(done, 2), [1, 1, symbols])
        return math.where(wide, row + fills.zeros_like(log_probs), log_probs)

    def _scores(self, log_probs: Any, lengths: Any, done: Any, seen: Any) -> Any:
        weight = self._length_penalty_weight
        if not _is_zero(weight):
            penalty = (5.0 + math.cast(lengths, dtypes.float32)) ** weight / 6.0**weight
            log_probs = log_probs / math.cast(penalty, log_probs.dtype)
        if seen is None:
            return log_probs
        seen = math.where(math.equal(seen, 0.0), fills.ones_like(seen), seen)
        covered = reduce.reduce_sum(math.log(math.minimum(seen, 1.0)), 2)
        covered = covered * math.cast(done, dtypes.float32) * self._coverage_penalty_weight
        return log_probs + shapes.expand_dims(covered, 2)

    def _attention_probs(self, cell_state: Any) -> Any:
        """The mean of all alignments, for the coverage penalty; else None."""
        if _is_zero(self._coverage_penalty_weight):
            return None
        states = [cell_state]
        if isinstance(cell_state, tuple) and not isinstance(cell_state, AttentionWrapperState):
            states = list(cell_state)
        found = [
            _mean(s.alignments if isinstance(s.alignments, tuple) else [s.alignments])
            for s in states
            if isinstance(s, AttentionWrapperState)
        ]
        if not found:
            raise ValueError("coverage_penalty_weight must be 0.0 if no cell is attentional.")
        return _mean(found)

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        """Whole sequences; lengths are in the state."""
        longest = math.cast(reduce.reduce_max(final_state.lengths, axis=1), dtypes.int32)
        ids = gather_tree(outputs.predicted_ids, outputs.parent_ids, longest, self._end_token)
        if self._reorder_tensor_arrays:
            final_state = final_state._replace(
                cell_state=nest.map_structure(
                    lambda t: self._sorted(t, outputs.parent_ids, final_state.lengths),
                    final_state.cell_state,
                )
            )
        return FinalBeamSearchDecoderOutput(ids, outputs), final_state

    def _sorted(self, t: Any, parents: Any, lengths: Any) -> Any:
        """An array of the state in the order of the final beams."""
        if not is_array_of_tensors(t):
            return t
        element = t.element_shape
        if element.ndims is None or element.ndims < 1:
            logging.warning(
                "A TensorArray in the cell state is not put in the order of the beams: its "
                "elements have shape %s", element,
            )  # fmt: skip
            return t
        steps, width = t.stack(), self._beam_width
        sizes = shapes.shape(parents)
        own = arrays.tile(
            shapes.reshape(spaced.range(width), [1, 1, width]), [sizes[0], sizes[1], 1]
        )
        longest = math.cast(reduce.reduce_max(lengths, axis=1), dtypes.int32)
        beams = gather_tree(own, parents, longest, width + 1)
        inside = transposing.transpose(arrays.sequence_mask(lengths, maxlen=sizes[0]), [2, 0, 1])
        beams = math.where(inside, beams, own)
        apart = shapes.reshape(
            steps, arrays.concat([sizes, [shapes.size(steps) // shapes.size(parents)]], 0)
        )
        return shapes.reshape(
            arrays.gather(apart, beams, axis=2, batch_dims=2), shapes.shape(steps)
        )


def _tail(s: Any) -> TensorShape:
    return static_concat_shape([], s)


def _is_zero(weight: Any) -> bool:
    return isinstance(weight, int | float) and weight == 0


def _mean(parts: Any) -> Any:
    if len(parts) == 1:
        return parts[0]
    return reduce.reduce_mean(arrays.stack(list(parts), axis=-1), -1)
