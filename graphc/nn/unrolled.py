"""Recurrent nets unrolled over a list of inputs."""

from __future__ import annotations

import functools
from typing import Any

from graphc.face import nest
from graphc.face.graph import get_default_graph
from graphc.face.scopes import variable_scope
from graphc.ir import dtypes
from graphc.nn.cells import check_cell
from graphc.nn.recurrent import (
    initial_state_of,
    reverse_sequences,
    state_dtype,
    step_with_lengths,
    zero_outputs,
)
from graphc.ops import arrays, convert, math, shapes, state

__all__ = ["static_bidirectional_rnn", "static_rnn", "static_state_saving_rnn"]


def _check_inputs(inputs: Any) -> None:
    if not nest.is_sequence(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")


def _batch_size(inputs: Any) -> Any:
    first = inputs
    while nest.is_sequence(first):
        first = first[0]
    if first.get_shape().ndims == 1:  # indices for an EmbeddingWrapper
        fixed = first.get_shape()[0]
    else:
        fixed = first.get_shape().with_rank_at_least(2)[0]
        for x in nest.flatten(inputs):
            static = x.get_shape().with_rank_at_least(2)
            fixed = fixed.merge_with(static[0])
            for i, size in enumerate(static[1:]):
                if size.value is None:
                    raise ValueError(
                        f"Input size (dimension {i} of inputs) must be accessible via shape "
                        "inference, but saw value None."
                    )
    return fixed.value or shapes.shape(first)[0]


def static_rnn(
    cell: Any,
    inputs: Any,
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """A recurrent net unrolled: one step for each of `inputs`.

    Parameters
    ----------
    cell : RNNCell
    inputs : list of tensors
        ``[batch, input_size]`` each, or nests of them.
    initial_state : optional
        Zeros of `dtype` by default.
    dtype : DType, optional
        Of state and outputs; needed without `initial_state`.
    sequence_length : integer vector, optional
        For each row the number of its steps: afterwards outputs are zeros and the state stays.
    scope : str or VariableScope, optional
        ``"rnn"`` by default.

    Returns
    -------
    outputs : list of tensors
    state
        After the last step.

    Raises
    ------
    TypeError
        When `cell` is none, or `inputs` no sequence.
    ValueError
        Without inputs, without a type, or when an input size is not known.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     steps = tf.unstack(tf.ones([2, 3, 4]), axis=1)
    ...     cell = tf.nn.rnn_cell.BasicLSTMCell(5)
    ...     outputs, state = tf.nn.static_rnn(cell, steps, dtype=tf.float32)
    ...     print(len(outputs), outputs[-1].shape, cell.variables[0].name)
    3 (2, 5) rnn/basic_lstm_cell/kernel:0
    """
    check_cell("cell", cell)
    _check_inputs(inputs)
    outputs = []
    with variable_scope(scope or "rnn") as opened:
        batch = _batch_size(inputs)
        at = initial_state_of(
            cell, initial_state, batch, dtype,
            "If no initial_state is provided, dtype must be specified",
        )  # fmt: skip
        if sequence_length is not None:
            lengths = convert.convert_to_tensor(sequence_length, name="sequence_length")
            if lengths.rank not in (None, 1):
                raise ValueError("sequence_length must be a vector of length batch_size")
            zero = zero_outputs(cell, batch, state_dtype(dtype, at))
            lengths = math.cast(lengths, dtypes.int32)
        for time, x in enumerate(inputs):
            if time > 0:
                opened.reuse_variables()
            if sequence_length is None:
                output, at = cell(x, at)
            else:
                output, at = step_with_lengths(
                    time, lengths, zero, at, functools.partial(cell, x, at)
                )
            outputs.append(output)
    return outputs, at


def static_state_saving_rnn(
    cell: Any,
    inputs: Any,
    state_saver: Any,
    state_name: Any,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """`static_rnn` whose state comes from and goes to `state_saver`.

    Parameters
    ----------
    state_saver : object
        With methods ``state(name)`` and ``save_state(name, value)``, which returns an operation.
    state_name : str or nest of str
        Of the structure of the cell's state.
    """
    nested = nest.is_sequence(cell.state_size)
    if nested != nest.is_sequence(state_name):
        raise ValueError(
            f"state_name should be the same type as cell.state_size.  state_name: {state_name}, "
            f"cell.state_size: {cell.state_size}"
        )
    names, sizes = nest.flatten(state_name), nest.flatten(cell.state_size)
    if len(names) != len(sizes):
        raise ValueError(f"#elems(state_name) != #elems(state_size): {len(names)} vs. {len(sizes)}")
    before = nest.pack_sequence_as(cell.state_size, [state_saver.state(n) for n in names])
    outputs, after = static_rnn(
        cell, inputs, initial_state=before, sequence_length=sequence_length, scope=scope
    )
    saved = [state_saver.save_state(n, s) for n, s in zip(names, nest.flatten(after), strict=True)]
    with get_default_graph().control_dependencies(saved):
        outputs[-1] = nest.map_structure(state.identity, outputs[-1])
        after = nest.map_structure(state.identity, after)
    return outputs, after


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any, Any]:
    """Two unrolled nets, one of which reads backwards; their outputs are side by side.

    Parameters
    ----------
    cell_fw, cell_bw : RNNCell
    inputs : list of tensors
    initial_state_fw, initial_state_bw : optional
    dtype, sequence_length
        As for `static_rnn`.
    scope : str or VariableScope, optional
        ``"bidirectional_rnn"`` by default.

    Returns
    -------
    outputs : list of tensors
    output_state_fw, output_state_bw
    """
    check_cell("cell_fw", cell_fw)
    check_cell("cell_bw", cell_bw)
    _check_inputs(inputs)
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forward:
            out_fw, state_fw = static_rnn(
                cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=forward
            )
        with variable_scope("bw") as backward:
            turned = reverse_sequences(inputs, sequence_length)
            out_bw, state_bw = static_rnn(
                cell_bw, turned, initial_state_bw, dtype, sequence_length, scope=backward
            )
    out_bw = reverse_sequences(out_bw, sequence_length)
    pairs = zip(nest.flatten(out_fw), nest.flatten(out_bw), strict=True)
    joined = [arrays.concat([f, b], 1) for f, b in pairs]
    return nest.pack_sequence_as(out_fw, joined), state_fw, state_bw
