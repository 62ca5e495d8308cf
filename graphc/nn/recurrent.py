"""What unrolled and looped recurrent nets have in common: checks, batch sizes, one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face import nest
from graphc.face.shape import TensorShape
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.nn.cells import is_array_of_tensors, zeros_of
from graphc.ops import arrays, convert, math, shapes, transposing

__all__ = [
    "best_effort_input_batch_size", "initial_state_of", "keep_where", "reverse_sequences",
    "state_dtype",
    "step_with_lengths", "transpose_batch_time", "zero_outputs",
]  # fmt: skip


#: What TF1 makes to number the axes behind the first two.
_NUMBERS = ("range/start", "range/delta", "range")


def transpose_batch_time(x: Any) -> Any:
    """`x` with its first two axes exchanged; what has fewer axes stays."""
    static = x.get_shape()
    if static.ndims is not None and static.ndims < 2:
        return x
    if static.ndims is None:
        raise ValueError("transpose_batch_time needs a tensor of known rank.")
    builder = current()
    builder.reserve("Rank", *_NUMBERS, "concat/values_0", "concat/axis", "concat")
    order = (1, 0, *range(2, static.ndims))
    out: Any = build(transposing.transpose_op, (x,), {"perm": order}, "transpose").outputs[0]
    sizes = static.as_list()
    out.set_shape([sizes[1], sizes[0], *sizes[2:]])
    return out


def best_effort_input_batch_size(flat_input: Any) -> Any:
    """The batch size of ``[time, batch, …]`` inputs: a number where one of them says it."""
    for x in flat_input:
        static = x.get_shape()
        if static.ndims is None:
            continue
        if static.ndims < 2:
            raise ValueError(f"Expected input tensor {x.name} to have rank at least 2")
        size = static[1].value
        if size is not None:
            return size
    return shapes.shape(flat_input[0])[1]


def state_dtype(explicit: Any, state: Any) -> Any:
    """The element type of states: `explicit`, or that of all parts of `state`.

    Raises
    ------
    ValueError
        When the parts differ.
    """
    if explicit is not None:
        return as_dtype(explicit)
    if not nest.is_sequence(state):
        return state.dtype
    found = [x.dtype for x in nest.flatten(state)]
    if not found:
        raise ValueError("Unable to infer dtype from empty state.")
    if any(d != found[0] for d in found):
        raise ValueError(
            "State has tensors of different inferred_dtypes. Unable to infer a single "
            "representative dtype."
        )
    return found[0]


def initial_state_of(cell: Any, given: Any, batch_size: Any, dtype: Any, message: str) -> Any:
    """The state to begin with: `given`, or zeros.

    Raises
    ------
    ValueError
        With `message`, when there is neither a state nor a type.
    """
    if given is not None:
        return given
    if not dtype:
        raise ValueError(message)
    if getattr(cell, "get_initial_state", None) is not None:
        return cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
    return cell.zero_state(batch_size, dtype)


def zero_outputs(cell: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros of the structure of the cell's output."""
    return nest.map_structure(lambda size: zeros_of(batch_size, size, dtype), cell.output_size)


def keep_where(over: Any) -> Callable[[Any, Any], Any]:
    """``(old, new)``: old rows where `over`, else new; scalars and TensorArrays are new."""

    def keep(old: Any, new: Any) -> Any:
        if is_array_of_tensors(old) or old.get_shape().ndims == 0:
            return new
        out: Any = math.where(over, old, new)
        out.set_shape(old.get_shape())
        return out

    return keep


def step_with_lengths(
    time: Any, sequence_length: Any, zero_output: Any, state: Any, call: Callable[[], Any]
) -> Any:
    """One step where rows that are over give zeros and keep their state."""
    keep = keep_where(math.greater_equal(time, sequence_length))
    output, new_state = call()
    nest.assert_same_structure(zero_output, output)
    nest.assert_same_structure(state, new_state)
    output = nest.map_structure(keep, zero_output, output)
    return output, nest.map_structure(keep, state, new_state)


def reverse_sequences(inputs: Any, lengths: Any) -> list[Any]:
    """A list of steps backwards, for each row only as far as its length."""
    if lengths is None:
        return list(reversed(inputs))
    columns = zip(*[nest.flatten(x) for x in inputs], strict=True)
    rows: list[list[Any]] = [[] for _ in inputs]
    for steps in columns:
        shape = TensorShape([None] * steps[0].get_shape().ndims)
        for x in steps:
            shape = shape.merge_with(x.get_shape())
        joined = arrays.stack([convert.convert_to_tensor(x) for x in steps])
        turned: Any = arrays.unstack(arrays.reverse_sequence(joined, lengths, 0, 1))
        for row, x in zip(rows, turned, strict=True):
            x.set_shape(shape)
            row.append(x)
    return [nest.pack_sequence_as(x, row) for x, row in zip(inputs, rows, strict=True)]
