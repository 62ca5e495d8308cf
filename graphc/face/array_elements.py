"""What `TensorArray` is made with: shapes of elements, refusals, longer arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape
from graphc.ir import dims as D
from graphc.ir.node import Value
from graphc.ir.region import Context
from graphc.ops import arrays, math, reduce, shapes, state, tensor_arrays
from graphc.ops.check import Assert

__all__ = [
    "covers",
    "in_equal_pieces",
    "longer",
    "newest",
    "refused",
    "row_of",
    "rows_of",
    "sizes_of",
]


def row_of(v: Value) -> Any:
    """The shape of a tensor's rows."""
    s = v.static_shape
    return None if s is None else s[1:]


def covers(lengths: Any, v: Value) -> bool:
    """Whether pieces of these lengths are equal and make the whole, as far as that is known."""
    rows = v.static_shape[0] if v.static_shape else None
    return len(set(lengths.tolist())) <= 1 and (type(rows) is not int or sum(lengths) == rows)


def refused(flow: Value, words: str) -> Value:
    """An array that no run can have."""
    graph: Any = get_default_graph()
    with graph.counts_as(0), graph.control_dependencies([Assert(False, [words])]):
        return state.identity(flow)


def sizes_of(shape: TensorShape) -> tuple[Any, ...] | None:
    """The sizes of an element's shape, with a new symbol for each that is not known."""
    dims = shape.dims
    return (
        None if dims is None else tuple([D.fresh() if d.value is None else d.value for d in dims])
    )


def longer(flow: Value, index: Value) -> Value:
    """The array with elements at `index`: writing does that in TF1."""
    with get_default_graph().counts_as(0):
        last = index if index.rank == 0 else reduce.reduce_max(index)
        return tensor_arrays.array_grow(flow, last)


def newest(flows: Sequence[Value], flow: Value | None) -> Value | None:
    """The flow to go on from: the one that is given, else the last that can be read here."""
    if flow is not None and any(flow is f for f in flows):
        return flow
    graph: Any = get_default_graph()
    context: Context | None = graph.context
    for f in reversed(flows):
        home = graph.contexts.get(f.node)
        if home is None or (context is not None and context.within(home)):
            return f
    return None


def in_equal_pieces(v: Value, lengths: Value) -> Value:
    """`v`, in a run that fails where the pieces are of different lengths or do not make `v`."""
    rows = math.cast(arrays.getitem(shapes.shape(v), 0), lengths.dtype)
    even = math.equal(lengths * math.cast(shapes.size(lengths), lengths.dtype), rows)
    words = (
        "TensorArray.split needs pieces of one length that make the whole value (or an array with"
        " infer_shape=False):"
    )
    check = Assert(reduce.reduce_all(even), [words, lengths, rows])
    with get_default_graph().control_dependencies([check]):
        made = state.identity(v)
    made.static_shape = None if v.static_shape is None else (D.fresh(), *v.static_shape[1:])
    return made


def rows_of(values: Sequence[Value]) -> Any:
    """The number of rows of the first of some tensors: a number, or a scalar tensor."""
    first = values[0].static_shape
    if first is not None and first and type(first[0]) is int:
        return first[0]
    return arrays.getitem(shapes.shape(values[0]), 0)
