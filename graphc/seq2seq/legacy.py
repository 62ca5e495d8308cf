"""``tf.contrib.legacy_seq2seq``: encoders and decoders unrolled over lists of steps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from graphc.face import nest
from graphc.face.current import name_scope
from graphc.face.scopes import get_variable, get_variable_scope, variable_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.nn.cells import RNNCell
from graphc.nn.contrib_cells import EmbeddingWrapper, Linear, OutputProjectionWrapper
from graphc.nn.unrolled import static_rnn
from graphc.ops import arrays, conv, convert, fills, lookup, math, nn, reduce, shapes, state

__all__ = [
    "attention_decoder", "basic_rnn_seq2seq", "embedding_attention_decoder",
    "embedding_attention_seq2seq", "embedding_rnn_decoder", "embedding_rnn_seq2seq",
    "embedding_tied_rnn_seq2seq", "model_with_buckets", "one2many_rnn_seq2seq", "rnn_decoder",
    "sequence_loss", "sequence_loss_by_example", "tied_rnn_seq2seq",
]  # fmt: skip


def _previous_embedded(
    embedding: Any, output_projection: Any, update: bool
) -> Callable[[Any, Any], Any]:
    """A loop function: the likeliest symbol of the last output, embedded."""

    def following(previous: Any, _: Any) -> Any:
        if output_projection is not None:
            previous = nn.xw_plus_b(previous, output_projection[0], output_projection[1])
        embedded = lookup.embedding_lookup(embedding, reduce.argmax(previous, 1))
        return embedded if update else state.stop_gradient(embedded)

    return following


def rnn_decoder(
    decoder_inputs: Any, initial_state: Any, cell: Any, loop_function: Any = None, scope: Any = None
) -> tuple[list[Any], Any]:
    """A cell unrolled over `decoder_inputs`.

    Parameters
    ----------
    decoder_inputs : list of tensors
        ``[batch, input_size]`` each.
    initial_state
        Of the cell.
    cell : RNNCell
    loop_function : callable, optional
        ``(previous_output, i) -> input`` for all steps but the first.
    scope : str or VariableScope, optional
        ``"rnn_decoder"`` by default.

    Returns
    -------
    outputs : list of tensors
    state
    """
    with variable_scope(scope or "rnn_decoder"):
        at: Any = initial_state
        outputs: list[Any] = []
        for i, x in enumerate(decoder_inputs):
            if loop_function is not None and outputs:
                with variable_scope("loop_function", reuse=True):
                    x = loop_function(outputs[-1], i)
            if i > 0:
                get_variable_scope().reuse_variables()
            output, at = cell(x, at)
            outputs.append(output)
    return outputs, at


def basic_rnn_seq2seq(
    encoder_inputs: Any, decoder_inputs: Any, cell: Any, dtype: Any = dtypes.float32,
    scope: Any = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """A net reads `encoder_inputs`; another of the same kind goes on from its state."""
    with variable_scope(scope or "basic_rnn_seq2seq"):
        _, encoded = static_rnn(copy.deepcopy(cell), encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, encoded, cell)


def tied_rnn_seq2seq(
    encoder_inputs: Any, decoder_inputs: Any, cell: Any, loop_function: Any = None,
    dtype: Any = dtypes.float32, scope: Any = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """A net reads `encoder_inputs` and goes on with `decoder_inputs`, with the same variables."""
    with variable_scope("combined_tied_rnn_seq2seq"):
        scope = scope or "tied_rnn_seq2seq"
        _, encoded = static_rnn(cell, encoder_inputs, dtype=dtype, scope=scope)
        get_variable_scope().reuse_variables()
        return rnn_decoder(decoder_inputs, encoded, cell, loop_function, scope)


def _check_projection(projection: Any, num_symbols: int, dtype: Any, weights: bool = True) -> None:
    if projection is None:
        return
    if weights:
        w: Any = convert.convert_to_tensor(projection[0], dtype=dtype)
        w.get_shape().assert_is_compatible_with([None, num_symbols])
    b: Any = convert.convert_to_tensor(projection[1], dtype=dtype)
    b.get_shape().assert_is_compatible_with([num_symbols])


def embedding_rnn_decoder(
    decoder_inputs: Any, initial_state: Any, cell: Any, num_symbols: int, embedding_size: int,
    output_projection: Any = None, feed_previous: bool = False,
    update_embedding_for_previous: bool = True, scope: Any = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`rnn_decoder` over embedded symbols.

    Parameters
    ----------
    decoder_inputs : list of integer vectors
    initial_state, cell, scope
        As for `rnn_decoder`.
    num_symbols, embedding_size : int
        The size of the table.
    output_projection : pair, optional
        Weights and biases that make symbols of an output.
    feed_previous : bool
        Whether each step but the first reads the symbol of the last output.
    update_embedding_for_previous : bool
        Whether the table is trained through those symbols.
    """
    with variable_scope(scope or "embedding_rnn_decoder") as opened:
        _check_projection(output_projection, num_symbols, opened.dtype)
        table = get_variable("embedding", [num_symbols, embedding_size])
        following = None
        if feed_previous:
            following = _previous_embedded(table, output_projection, update_embedding_for_previous)
        embedded = (lookup.embedding_lookup(table, i) for i in decoder_inputs)
        return rnn_decoder(embedded, initial_state, cell, following)


def _decoded(
    feed_previous: Any, count: int, like: Any, decode: Callable[..., tuple[list[Any], Any]]
) -> tuple[list[Any], Any]:
    """Decode in one of two ways; a tensor `feed_previous` chooses it in the run."""
    if isinstance(feed_previous, bool):
        return decode(feed_previous)
    from graphc import cond  # only for a flag that is fed

    def branch(fed: bool) -> list[Any]:
        with variable_scope(get_variable_scope(), reuse=None if fed else True):
            outputs, at = decode(fed, update_embedding_for_previous=False)
        return outputs + nest.flatten(at)

    both: Any = cond(feed_previous, lambda: branch(True), lambda: branch(False))
    return list(both[:count]), nest.pack_sequence_as(like, list(both[count:]))


def embedding_rnn_seq2seq(
    encoder_inputs: Any, decoder_inputs: Any, cell: Any, num_encoder_symbols: int,
    num_decoder_symbols: int, embedding_size: int, output_projection: Any = None,
    feed_previous: Any = False, dtype: Any = None, scope: Any = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`basic_rnn_seq2seq` of symbols; `feed_previous` may be a boolean tensor."""
    with variable_scope(scope or "embedding_rnn_seq2seq") as opened:
        if dtype is not None:
            opened.set_dtype(dtype)
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        _, encoded = static_rnn(encoder, encoder_inputs, dtype=opened.dtype)
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)

        def decode(fed: bool, **options: Any) -> tuple[list[Any], Any]:
            return embedding_rnn_decoder(
                decoder_inputs, encoded, cell, num_decoder_symbols, embedding_size,
                output_projection=output_projection, feed_previous=fed, **options,
            )  # fmt: skip

        return _decoded(feed_previous, len(decoder_inputs), encoded, decode)


def embedding_tied_rnn_seq2seq(
    encoder_inputs: Any, decoder_inputs: Any, cell: Any, num_symbols: int, embedding_size: int,
    num_decoder_symbols: int | None = None, output_projection: Any = None,
    feed_previous: Any = False, dtype: Any = None, scope: Any = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`tied_rnn_seq2seq` of symbols, with one table for both sides."""
    with variable_scope(scope or "embedding_tied_rnn_seq2seq", dtype=dtype) as opened:
        dtype = opened.dtype
        _check_projection(output_projection, num_symbols, dtype)
        table = get_variable("embedding", [num_symbols, embedding_size], dtype=dtype)
        read = [lookup.embedding_lookup(table, x) for x in encoder_inputs]
        written = [lookup.embedding_lookup(table, x) for x in decoder_inputs]
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols or num_symbols)

        def decode(fed: bool, update_embedding_for_previous: bool = True) -> tuple[list[Any], Any]:
            update = update_embedding_for_previous
            following = _previous_embedded(table, output_projection, update) if fed else None
            return tied_rnn_seq2seq(read, written, cell, following, dtype)

        return _decoded(feed_previous, len(decoder_inputs), cell.state_size, decode)


# --------------------------------------------------------------------- attention


class _Attention:
    """Heads that look at encoded steps, by a small net of query and step."""

    def __init__(self, states: Any, heads: int, dtype: Any) -> None:
        self._dtype = dtype
        self._length = states.get_shape()[1].value or shapes.shape(states)[1]
        self.size = states.get_shape()[2].value
        self._hidden = shapes.reshape(states, [-1, self._length, 1, self.size])
        self._features, self._v = [], []
        for a in range(heads):
            k = get_variable(f"AttnW_{a}", [1, 1, self.size, self.size], dtype=dtype)
            self._features.append(conv.conv2d(self._hidden, k, [1, 1, 1, 1], "SAME"))
            self._v.append(get_variable(f"AttnV_{a}", [self.size], dtype=dtype))

    def __call__(self, query: Any) -> list[Any]:
        if nest.is_sequence(query):
            query = arrays.concat(nest.flatten(query), 1)
        seen = []
        for a, (features, v) in enumerate(zip(self._features, self._v, strict=True)):
            with variable_scope(f"Attention_{a}"):
                y = shapes.reshape(Linear(query, self.size, True)(query), [-1, 1, 1, self.size])
                y = math.cast(y, self._dtype)
                s = reduce.reduce_sum(v * math.tanh(features + y), [2, 3])
                weights = shapes.reshape(nn.softmax(s), [-1, self._length, 1, 1])
                d = reduce.reduce_sum(weights * self._hidden, [1, 2])
                seen.append(shapes.reshape(d, [-1, self.size]))
        return seen


def attention_decoder(
    decoder_inputs: Any, initial_state: Any, attention_states: Any, cell: Any,
    output_size: int | None = None, num_heads: int = 1, loop_function: Any = None,
    dtype: Any = None, scope: Any = None, initial_state_attention: bool = False,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`rnn_decoder` that attends to encoded steps.

    Parameters
    ----------
    decoder_inputs, initial_state, cell, loop_function
        As for `rnn_decoder`.
    attention_states : tensor
        ``[batch, steps, size]``.
    output_size : int, optional
        The cell's by default.
    num_heads : int
    dtype : DType, optional
    scope : str or VariableScope, optional
        ``"attention_decoder"`` by default.
    initial_state_attention : bool
        Whether the first step sees what the initial state attends to, or zeros.
    """
    if not decoder_inputs:
        raise ValueError("Must provide at least 1 input to attention decoder.")
    if num_heads < 1:
        raise ValueError("With less than 1 heads, use a non-attention decoder.")
    if attention_states.get_shape()[2].value is None:
        raise ValueError(
            f"Shape[2] of attention_states must be known: {attention_states.get_shape()}"
        )
    output_size = cell.output_size if output_size is None else output_size
    with variable_scope(scope or "attention_decoder", dtype=dtype) as opened:
        dtype = opened.dtype
        attend = _Attention(attention_states, num_heads, dtype)
        rows = shapes.shape(decoder_inputs[0])[0]
        seen: list[Any] = [
            fills.zeros(arrays.stack([rows, attend.size]), dtype) for _ in range(num_heads)
        ]
        for s in seen:
            s.set_shape([None, attend.size])
        if initial_state_attention:
            seen = attend(initial_state)
        at: Any = initial_state
        outputs: list[Any] = []
        for i, x in enumerate(decoder_inputs):
            if i > 0:
                get_variable_scope().reuse_variables()
            if loop_function is not None and outputs:
                with variable_scope("loop_function", reuse=True):
                    x = loop_function(outputs[-1], i)
            columns = x.get_shape().with_rank(2)[1].value
            if columns is None:
                raise ValueError(f"Could not infer input size from input: {x.name}")
            both = [math.cast(e, dtype) for e in [x, *seen]]
            output, at = cell(Linear(both, columns, True)(both), at)
            again = True if i == 0 and initial_state_attention else None
            with variable_scope(get_variable_scope(), reuse=again):
                seen = attend(at)
            with variable_scope("AttnOutputProjection"):
                both = [math.cast(output, dtype), *seen]
                outputs.append(Linear(both, output_size, True)(both))
    return outputs, at


def embedding_attention_decoder(
    decoder_inputs: Any, initial_state: Any, attention_states: Any, cell: Any, num_symbols: int,
    embedding_size: int, num_heads: int = 1, output_size: int | None = None,
    output_projection: Any = None, feed_previous: bool = False,
    update_embedding_for_previous: bool = True, dtype: Any = None, scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`attention_decoder` over embedded symbols (see `embedding_rnn_decoder`)."""
    output_size = cell.output_size if output_size is None else output_size
    _check_projection(output_projection, num_symbols, dtype, weights=False)
    with variable_scope(scope or "embedding_attention_decoder", dtype=dtype):
        table = get_variable("embedding", [num_symbols, embedding_size])
        following = None
        if feed_previous:
            following = _previous_embedded(table, output_projection, update_embedding_for_previous)
        return attention_decoder(
            [lookup.embedding_lookup(table, i) for i in decoder_inputs], initial_state,
            attention_states, cell, output_size=output_size, num_heads=num_heads,
            loop_function=following, initial_state_attention=initial_state_attention,
        )  # fmt: skip


def embedding_attention_seq2seq(
    encoder_inputs: Any, decoder_inputs: Any, cell: Any, num_encoder_symbols: int,
    num_decoder_symbols: int, embedding_size: int, num_heads: int = 1,
    output_projection: Any = None, feed_previous: Any = False, dtype: Any = None,
    scope: Any = None, initial_state_attention: bool = False,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`embedding_rnn_seq2seq` whose decoder attends to the encoder's outputs."""
    with variable_scope(scope or "embedding_attention_seq2seq", dtype=dtype) as opened:
        encoder = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        encoded, last = static_rnn(encoder, encoder_inputs, dtype=opened.dtype)
        top = [shapes.reshape(e, [-1, 1, cell.output_size]) for e in encoded]
        attention_states = arrays.concat(top, 1)
        output_size = None
        if output_projection is None:
            cell = OutputProjectionWrapper(cell, num_decoder_symbols)
            output_size = num_decoder_symbols

        def decode(fed: bool, **options: Any) -> tuple[list[Any], Any]:
            return embedding_attention_decoder(
                decoder_inputs, last, attention_states, cell, num_decoder_symbols, embedding_size,
                num_heads=num_heads, output_size=output_size, output_projection=output_projection,
                feed_previous=fed, initial_state_attention=initial_state_attention, **options,
            )  # fmt: skip

        return _decoded(feed_previous, len(decoder_inputs), last, decode)


def one2many_rnn_seq2seq(
    encoder_inputs: Any, decoder_inputs_dict: Mapping[Any, Any], enc_cell: Any,
    dec_cells_dict: Mapping[Any, Any], num_encoder_symbols: int,
    num_decoder_symbols_dict: Mapping[Any, int], embedding_size: int, feed_previous: Any = False,
    dtype: Any = None, scope: Any = None,
) -> tuple[dict[Any, Any], dict[Any, Any]]:  # fmt: skip
    """One encoder and several decoders by name."""
    if not isinstance(enc_cell, RNNCell):
        raise TypeError(f"enc_cell is not an RNNCell: {type(enc_cell)}")
    if set(dec_cells_dict) != set(decoder_inputs_dict):
        raise ValueError("keys of dec_cells_dict != keys of decodre_inputs_dict")
    for c in dec_cells_dict.values():
        if not isinstance(c, RNNCell):
            raise TypeError(f"dec_cell is not an RNNCell: {type(c)}")
    outputs, states = {}, {}
    with variable_scope(scope or "one2many_rnn_seq2seq", dtype=dtype) as opened:
        encoder = EmbeddingWrapper(enc_cell, num_encoder_symbols, embedding_size)
        _, encoded = static_rnn(encoder, encoder_inputs, dtype=opened.dtype)
        for name, inputs in decoder_inputs_dict.items():
            symbols = num_decoder_symbols_dict[name]
            with variable_scope(f"one2many_decoder_{name}"):
                cell = OutputProjectionWrapper(dec_cells_dict[name], symbols)

                def decode(
                    fed: bool, inputs: Any = inputs, cell: Any = cell, symbols: int = symbols
                ) -> tuple[list[Any], Any]:
                    return embedding_rnn_decoder(
                        inputs, encoded, cell, symbols, embedding_size, feed_previous=fed
                    )

                if isinstance(feed_previous, bool):
                    outputs[name], states[name] = decode(feed_previous)
                else:
                    outputs[name], states[name] = _decoded(
                        feed_previous, len(inputs), encoded, decode
                    )
    return outputs, states


# --------------------------------------------------------------------- losses


def sequence_loss_by_example(
    logits: Any, targets: Any, weights: Any, average_across_timesteps: bool = True,
    softmax_loss_function: Any = None, name: str | None = None,
) -> Value:  # fmt: skip
    """The weighted cross-entropy of each row over lists of steps.

    Parameters
    ----------
    logits : list of tensors
        ``[batch, symbols]`` each.
    targets, weights : list of vectors
    average_across_timesteps : bool
        Whether it is divided by the sum of the weights.
    softmax_loss_function : callable, optional
        ``(labels=, logits=) -> loss``.
    name : str, optional

    Raises
    ------
    ValueError
        When the lists have different lengths.
    """
    if len(targets) != len(logits) or len(weights) != len(logits):
        raise ValueError(
            "Lengths of logits, weights, and targets must be the same "
            f"{len(logits)}, {len(weights)}, {len(targets)}."
        )
    with name_scope(name, "sequence_loss_by_example", [*logits, *targets, *weights]):
        parts = []
        for logit, target, weight in zip(logits, targets, weights, strict=True):
            if softmax_loss_function is None:
                cross = nn.sparse_softmax_cross_entropy_with_logits(
                    labels=shapes.reshape(target, [-1]), logits=logit
                )
            else:
                cross = softmax_loss_function(labels=target, logits=logit)
            parts.append(cross * weight)
        total: Value = math.add_n(parts)
        if average_across_timesteps:
            total = total / (math.add_n(weights) + 1e-12)
    return total


def sequence_loss(
    logits: Any, targets: Any, weights: Any, average_across_timesteps: bool = True,
    average_across_batch: bool = True, softmax_loss_function: Any = None, name: str | None = None,
) -> Value:  # fmt: skip
    """The sum, or the mean over the batch, of `sequence_loss_by_example`."""
    with name_scope(name, "sequence_loss", [*logits, *targets, *weights]):
        cost: Value = reduce.reduce_sum(
            sequence_loss_by_example(
                logits, targets, weights, average_across_timesteps=average_across_timesteps,
                softmax_loss_function=softmax_loss_function,
            )
        )  # fmt: skip
        if average_across_batch:
            rows = shapes.shape(targets[0])[0]
            cost = cost / math.cast(rows, cost.dtype)
        return cost


def model_with_buckets(
    encoder_inputs: Any, decoder_inputs: Any, targets: Any, weights: Any, buckets: Any,
    seq2seq: Callable[[Any, Any], Any], softmax_loss_function: Any = None,
    per_example_loss: bool = False, name: str | None = None,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """A model and its loss for each of several pairs of lengths, with the same variables.

    Parameters
    ----------
    encoder_inputs, decoder_inputs, targets, weights : list of tensors
    buckets : list of pairs
        Lengths of input and output, increasing.
    seq2seq : callable
        ``(encoder_inputs, decoder_inputs) -> (outputs, states)``.
    softmax_loss_function : callable, optional
    per_example_loss : bool
        Whether losses are vectors.
    name : str, optional

    Returns
    -------
    outputs, losses : list
        For each bucket.
    """
    read, wrote = buckets[-1]
    for what, given, least in (
        ("encoder_inputs", encoder_inputs, read), ("targets", targets, wrote),
        ("weights", weights, wrote),
    ):  # fmt: skip
        if len(given) < least:
            raise ValueError(
                f"Length of {what} ({len(given)}) must be at least that of last bucket ({least})."
            )
    everything = [*encoder_inputs, *decoder_inputs, *targets, *weights]
    loss_of = sequence_loss_by_example if per_example_loss else sequence_loss
    outputs, losses = [], []
    with name_scope(name, "model_with_buckets", everything):
        for j, (read, wrote) in enumerate(buckets):
            with variable_scope(get_variable_scope(), reuse=True if j > 0 else None):
                made, _ = seq2seq(encoder_inputs[:read], decoder_inputs[:wrote])
                outputs.append(made)
                losses.append(
                    loss_of(
                        made, targets[:wrote], weights[:wrote],
                        softmax_loss_function=softmax_loss_function,
                    )
                )  # fmt: skip
    return outputs, losses
