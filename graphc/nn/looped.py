"""Recurrent nets as loops over time: any number of steps, decided by the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face import nest
from graphc.face.current import name_scope
from graphc.face.flow import while_loop
from graphc.face.scopes import variable_scope
from graphc.face.shape import TensorShape
from graphc.face.tensor_array import TensorArray
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.nn.cells import check_cell, static_concat_shape, zeros_of
from graphc.nn.recurrent import (
    best_effort_input_batch_size,
    initial_state_of,
    keep_where,
    state_dtype,
    step_with_lengths,
    transpose_batch_time,
    zero_outputs,
)
from graphc.ops import arrays, convert, math, reduce, shapes, state

__all__ = ["bidirectional_dynamic_rnn", "dynamic_rnn", "raw_rnn"]


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """A recurrent net over the time axis of `inputs`.

    Parameters
    ----------
    cell : RNNCell
    inputs : tensor or nest of tensors
        ``[batch, time, …]``, or ``[time, batch, …]`` with `time_major`.
    sequence_length : integer vector, optional
        For each row the number of its steps: afterwards outputs are zeros and the state stays.
    initial_state : optional
        Zeros of `dtype` by default.
    dtype : DType, optional
        Of state and outputs; needed without `initial_state`.
    parallel_iterations, swap_memory
        Accepted: they change nothing on a CPU.
    time_major : bool
        Whether time is the first axis, of inputs and outputs.
    scope : str or VariableScope, optional
        ``"rnn"`` by default.

    Returns
    -------
    outputs
        Those of all steps, of the form of `inputs`.
    state
        After the last step of each row.

    Raises
    ------
    TypeError
        When `cell` is none.
    ValueError
        Without a type, or when an input size is not known.
    """
    check_cell("cell", cell)
    with variable_scope(scope or "rnn"):
        flat = nest.flatten(inputs)
        if not time_major:
            flat = [transpose_batch_time(convert.convert_to_tensor(x)) for x in flat]
        lengths = sequence_length
        if lengths is not None:
            lengths = math.cast(lengths, dtypes.int32)
            if lengths.rank not in (None, 1):
                raise ValueError(
                    "sequence_length must be a vector of length batch_size, but saw shape: "
                    f"{lengths.get_shape()}"
                )
            lengths = state.identity(lengths, name="sequence_length")
        batch = best_effort_input_batch_size(flat)
        before = initial_state_of(
            cell, initial_state, batch, dtype,
            "If there is no initial_state, you must give a dtype.",
        )  # fmt: skip
        if lengths is not None:
            current().reserve(*_CHECK)
            lengths = state.identity(lengths, name="CheckSeqLen")
        outputs, after = _loop(
            cell, nest.pack_sequence_as(inputs, flat), before, batch, lengths, dtype,
            parallel_iterations or 32, swap_memory,
        )  # fmt: skip
        if not time_major:
            outputs = nest.map_structure(transpose_batch_time, outputs)
    return outputs, after


#: What TF1 makes to see that there is a length for each row.
_CHECK = (
    "Shape", "stack", "Equal", "Const", "All", "Assert/Const", "Assert/Const_1",
    "Assert/Assert/data_0", "Assert/Assert/data_2", "Assert/Assert",
)  # fmt: skip
#: What TF1 makes to take an element of a vector.
_FIRST = ("strided_slice/stack", "strided_slice/stack_1", "strided_slice/stack_2", "strided_slice")


def _check_inputs(flat: list[Any]) -> tuple[int | None, int | None]:
    """Steps and rows as far as they are known; sizes of the inputs must be."""
    static = [x.get_shape().with_rank_at_least(3) for x in flat]
    steps, rows = static[0].as_list()[:2]
    for s in static:
        if not s[2:].is_fully_defined():
            raise ValueError(
                "Input size (depth of inputs) must be accessible via shape inference, but saw "
                "value None."
            )
        if s[0].value != steps:
            raise ValueError(
                "Time steps is not the same for all the elements in the input in a batch."
            )
        if s[1].value != rows:
            raise ValueError("Batch_size is not the same for all the elements in the input.")
    return steps, rows


def _loop(
    cell: Any, inputs: Any, before: Any, batch: Any, lengths: Any, dtype: Any,
    parallel_iterations: int, swap_memory: bool,
) -> tuple[Any, Any]:  # fmt: skip
    flat = nest.flatten(inputs)
    sizes = nest.flatten(cell.output_size)
    time_steps = shapes.shape(flat[0])[0]
    steps, rows = _check_inputs(flat)
    if isinstance(batch, Value):
        current().reserve("Shape", *_FIRST)
    kind = state_dtype(dtype, before)
    zero = zero_outputs(cell, batch, kind)
    if lengths is None:
        longest = time_steps
    else:
        current().reserve("Const", "Min")
        longest = reduce.reduce_max(lengths)
    time = convert.constant(0, dtypes.int32, name="time")
    with name_scope("dynamic_rnn") as base:
        pass

    def array(name: str, element: TensorShape, of: Any) -> TensorArray:
        return TensorArray(
            dtype=of, size=time_steps, element_shape=element, tensor_array_name=(base or "") + name
        )

    out_arrays = tuple([
        array(f"output_{i}", TensorShape([rows]).concatenate(_static(s)), kind)
        for i, s in enumerate(sizes)
    ])  # fmt: skip
    in_arrays = [array(f"input_{i}", x.get_shape()[1:], x.dtype) for i, x in enumerate(flat)]
    in_arrays = [a.unstack(x) for a, x in zip(in_arrays, flat, strict=True)]

    def body(time: Any, written: Any, at: Any) -> Any:
        read: list[Any] = [a.read(time) for a in in_arrays]
        for r, x in zip(read, flat, strict=True):
            r.set_shape(x.get_shape()[1:])
        step = nest.pack_sequence_as(inputs, read)
        if lengths is None:
            output, new = cell(step, at)
        else:
            output, new = step_with_lengths(time, lengths, zero, at, lambda: cell(step, at))
        pairs = zip(written, nest.flatten(output), strict=True)
        return time + 1, tuple([a.write(time, y) for a, y in pairs]), new

    bound = math.minimum(time_steps, math.maximum(1, longest))
    _, written, after = while_loop(
        cond=lambda time, *_: time < bound,
        body=body,
        loop_vars=(time, out_arrays, before),
        parallel_iterations=parallel_iterations,
        maximum_iterations=time_steps,
        swap_memory=swap_memory,
    )
    outputs = [a.stack() for a in written]
    for y, size in zip(outputs, sizes, strict=True):
        known = type(steps) is int and type(rows) is int
        current().reserve(*["Const"] * (1 + known))
        y.set_shape(TensorShape([steps, rows]).concatenate(_static(size)))
    return nest.pack_sequence_as(cell.output_size, outputs), after


def _static(size: Any) -> TensorShape:
    return static_concat_shape([], size)


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """Two nets over the same inputs, one of which reads them backwards.

    Parameters
    ----------
    cell_fw, cell_bw : RNNCell
    inputs, sequence_length, dtype, parallel_iterations, swap_memory, time_major
        As for `dynamic_rnn`.
    initial_state_fw, initial_state_bw : optional
    scope : str or VariableScope, optional
        ``"bidirectional_rnn"`` by default.

    Returns
    -------
    outputs : tuple
        ``(forward, backward)``, both in the order of `inputs`.
    states : tuple
        ``(forward, backward)``.
    """
    check_cell("cell_fw", cell_fw)
    check_cell("cell_bw", cell_bw)
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)
    options = {
        "dtype": dtype, "parallel_iterations": parallel_iterations, "swap_memory": swap_memory,
        "time_major": time_major, "sequence_length": sequence_length,
    }  # fmt: skip

    def turned(x: Any) -> Any:
        if sequence_length is None:
            return arrays.reverse(x, axis=[time_axis])
        return arrays.reverse_sequence(
            x, seq_lengths=sequence_length, seq_axis=time_axis, batch_axis=batch_axis
        )

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forward:
            out_fw, state_fw = dynamic_rnn(
                cell_fw, inputs, initial_state=initial_state_fw, scope=forward, **options
            )
        with variable_scope("bw") as backward:
            backwards = nest.map_structure(turned, inputs)
            out_bw, state_bw = dynamic_rnn(
                cell_bw, backwards, initial_state=initial_state_bw, scope=backward, **options
            )
    return (out_fw, nest.map_structure(turned, out_bw)), (state_fw, state_bw)


# --------------------------------------------------------------------- raw_rnn


def raw_rnn(
    cell: Any,
    loop_fn: Callable[..., Any],
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    scope: Any = None,
) -> tuple[Any, Any, Any]:
    """A recurrent net whose inputs, states and end a function decides, step by step.

    Parameters
    ----------
    cell : RNNCell
    loop_fn : callable
        ``(time, cell_output, cell_state, loop_state) -> (elements_finished, next_input,
        next_cell_state, emit_output, next_loop_state)``. At first its last three arguments are
        None, and what it returns as `emit_output` and `loop_state` may be None.
    parallel_iterations, swap_memory
        Accepted: they change nothing on a CPU.
    scope : str or VariableScope, optional
        ``"rnn"`` by default.

    Returns
    -------
    emit_ta : TensorArray or nest of them
    final_state
    final_loop_state
    """
    check_cell("cell", cell)
    if not callable(loop_fn):
        raise TypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        return _raw_loop(cell, loop_fn, parallel_iterations or 32, swap_memory)


def _raw_loop(
    cell: Any, loop_fn: Callable[..., Any], parallel_iterations: int, swap_memory: bool
) -> tuple[Any, Any, Any]:
    time = convert.constant(0, dtypes.int32)
    finished, first, before, emit, first_loop_state = loop_fn(time, None, None, None)
    fixed = TensorShape(None)
    for x in nest.flatten(first):
        fixed = fixed.merge_with(x.get_shape()[:1])
    rows = fixed[0].value
    batch = rows if rows is not None else shapes.shape(nest.flatten(first)[0])[0]
    nest.assert_same_structure(before, cell.state_size)
    before = nest.map_structure(convert.convert_to_tensor, before)
    if emit is None:
        emit = cell.output_size
        kinds = [nest.flatten(before)[0].dtype] * len(nest.flatten(emit))
        sizes = nest.flatten(emit)
    else:
        parts = nest.flatten(emit)
        kinds = [e.dtype for e in parts]
        full = [e.get_shape().is_fully_defined() for e in parts]
        sizes = [e.get_shape() if f else shapes.shape(e) for e, f in zip(parts, full, strict=True)]
    emitted = nest.pack_sequence_as(emit, [
        TensorArray(
            dtype=kind, dynamic_size=True, size=0, name=f"rnn_output_{i}",
            element_shape=TensorShape([rows]).concatenate(_static(size)),
        )
        for i, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
    ])  # fmt: skip
    zero = nest.pack_sequence_as(
        emit, [zeros_of(batch, size, kind) for kind, size in zip(kinds, sizes, strict=True)]
    )
    stand_in = convert.constant(0, dtypes.int32)

    def body(time: Any, done: Any, x: Any, written: Any, at: Any, loop_state: Any) -> Any:
        output, new = cell(x, at)
        nest.assert_same_structure(at, new)
        nest.assert_same_structure(cell.output_size, output)
        following = loop_fn(time + 1, output, new, loop_state)
        next_done, next_x, next_state, emit_output, next_loop_state = following
        nest.assert_same_structure(at, next_state)
        nest.assert_same_structure(x, next_x)
        nest.assert_same_structure(written, emit_output)
        emit_output = nest.map_structure(keep_where(done), zero, emit_output)
        next_state = nest.map_structure(keep_where(done), at, next_state)
        written = nest.map_structure(lambda a, y: a.write(time, y), written, emit_output)
        loop_state = loop_state if next_loop_state is None else next_loop_state
        return time + 1, math.logical_or(done, next_done), next_x, written, next_state, loop_state

    returned = while_loop(
        lambda _, done, *__: math.logical_not(reduce.reduce_all(done)),
        body,
        [
            time, finished, first, emitted, before,
            stand_in if first_loop_state is None else first_loop_state,
        ],
        parallel_iterations=parallel_iterations,
        swap_memory=swap_memory,
    )  # fmt: skip
    emitted, after, loop_state = returned[-3:]
    return emitted, after, None if first_loop_state is None else loop_state
