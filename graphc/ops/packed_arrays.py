"""Arrays whose elements differ in shape, as tensors: each element is a row, its shape in front.

A row begins with the element's rank plus one (0: nothing was written) and its sizes; the numbers
follow, then zeros up to the longest row. A gradient has rows of the same lengths, with zeros for
what is in front, so gradients are those of the operators used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import (
    arrays,
    control,
    fills,
    math,
    operands,
    reduce,
    selecting,
    shapes,
    spaced,
    state,
    tensor_arrays,
)
from graphc.ops.check import Assert
from graphc.ops.cumulative import cumsum
from graphc.ops.partition import boolean_mask, sequence_mask
from graphc.ops.record import Attrs, Types, op

__all__ = [
    "as_many",
    "concat",
    "gather",
    "packed",
    "packs",
    "put",
    "read",
    "scatter",
    "split",
    "stack",
    "write",
]

#: The most axes of an element, and what is in front of its numbers.
AXES = 8
FRONT = AXES + 1


def packs(dtype: DType) -> bool:
    """Whether sizes can be told by numbers of this type: up to 2**24 by the shortest."""
    return dtype in (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)


# ------------------------------------------------------------------------- rows


def _matrix(flow: Value) -> Value:
    made = state.identity(flow)
    made.static_shape = (D.fresh(), D.fresh())
    return made


def _open(flow: Value) -> Value:
    """An array as loops take it: with longer elements it is another shape."""
    flow.static_shape = None
    return flow


def _front(shape: Value) -> Value:
    """What is in front of the numbers of an element."""
    rank = shapes.size(shape)
    rest = fills.fill(arrays.stack([AXES - rank]), 0)
    return arrays.concat([arrays.stack([rank + 1]), shape, rest], 0)


def _widened(rows: Value, like: Value) -> Dim:
    """The length of rows that have zeros behind them to be as long as those of another array."""
    s, t = rows.static_shape, like.static_shape
    if D.facts() is None or s is None or t is None:
        return D.fresh()
    return t[1] if not D.same(s[1], t[1]) and operands.less(s[1], t[1]) else s[1]


def _widen_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(inputs[0].dtype, (D.fresh() if s is None else s[0], _widened(*inputs)))]


def _widen(rows: Any, like: Any) -> Any:
    return np.pad(rows, [(0, 0), (0, max(like.shape[1] - rows.shape[1], 0))])


def _widen_expand(rows: Value, like: Value) -> Value:
    s, width = rows.static_shape, _widened(rows, like)
    assert s is not None
    if D.same(s[1], width):
        return rows
    zeros = fills.fill_static((s[0], width - s[1]), 0, rows.dtype)
    return zeros if s[1] == 0 else arrays.concat([rows, zeros], 1)


array_widen_op = op(
    "array_widen", "TensorArrayWriteV3", "composite", args=("rows", "like"), types="fi",
    doc="Rows with zeros behind them, so that they are as long as those of another array.",
    infer=_widen_infer, numpy=_widen, expand=_widen_expand,
    grad=lambda y, dy, rows, like: (arrays.slice(dy, [0, 0], shapes.shape(rows)), None),
)  # fmt: skip


def _wide(rows: Value, like: Value | None = None) -> Value:
    """Rows as long as those of another array at least, or long enough for what is in front."""
    if like is None:
        like = fills.zeros([1, FRONT], rows.dtype)
    return build(array_widen_op, (_matrix(rows), _matrix(like)), {}).outputs[0]


def _rows(front: Value, body: Value, dtype: DType) -> Value:
    return arrays.concat([math.cast(front, dtype), body], 1)


def _fronts(rows: Value) -> Value:
    """What is in front of all elements, as integers."""
    whole = _wide(rows)
    front = arrays.getitem(whole, (slice(None), slice(None, FRONT)))
    return math.cast(front, dtypes.int32)  # type: ignore[no-any-return]


def _checked(v: Value, condition: Value, *words: Any) -> Value:
    """`v`, in a run that fails where the condition is not true."""
    with current().control_dependencies([Assert(condition, words)]):  # type: ignore[attr-defined]
        return state.identity(v)


def _shape(front: Value, words: str, at: Any) -> Value:
    """The shape that the front of a row tells."""
    rank = arrays.getitem(front, 0) - 1
    rank = _checked(rank, math.greater_equal(rank, 0), words, at)
    made = arrays.slice(front, [1], arrays.stack([rank]))
    made.static_shape = (D.fresh(),)
    return made


_ABSENT = (
    "Could not read from this TensorArray index.  Furthermore, the element shape is not fully"
    " defined, and nothing has been written there:"
)


# ------------------------------------------------------------------------- one element


def _element(value: Value, front: bool) -> Value:
    """An element as a row; without its shape, for a sum of gradients."""
    head = _front(shapes.shape(value))
    numbers = shapes.reshape(value, [-1])
    head = math.cast(head if front else head * 0, value.dtype)
    return arrays.getitem(arrays.concat([head, numbers], 0), None)


def _both_wide(flow: Value, rows: Value) -> tuple[Value, Value]:
    """An array and rows for it, of one length."""
    return _wide(flow, rows), _wide(rows, flow)


def write(flow: Value, at: Value, value: Value, adds: bool, name: str) -> Value:
    """The array with `value` as its element `at`, or added to it where that sums gradients."""
    wide, row = _both_wide(flow, _element(value, not adds))
    put = control.array_add if adds else control.array_set
    return _open(put(wide, at, arrays.getitem(row, 0), name))


def read(flow: Value, shaped: Value, at: Value, name: str) -> Value:
    """The element `at`; `shaped` is the array whose elements have the shapes."""
    row = control.array_get(_wide(flow), at)
    front = math.cast(
        arrays.getitem(control.array_get(_wide(shaped), at), slice(None, FRONT)),
        dtypes.int32,
    )
    shape = _shape(front, _ABSENT, at)
    numbers = arrays.slice(row, [FRONT], arrays.stack([reduce.reduce_prod(shape)]))
    return shapes.reshape(numbers, shape, name)


# ------------------------------------------------------------------------- many elements


def gather(flow: Value, at: Value) -> Value:
    """The rows `at`."""
    return arrays.gather(_matrix(flow), at, axis=0)


def stack(rows: Value, shaped: Value, name: str) -> Value:
    """All elements as one tensor, in a run that fails where their shapes differ."""
    fronts = _fronts(shaped)
    first = arrays.getitem(fronts, 0)
    same = reduce.reduce_all(math.equal(fronts, first))
    words = "TensorArray has inconsistent shapes.  By element the rank plus one, and the sizes:"
    shape = _shape(_checked(first, same, words, fronts), _ABSENT, 0)
    rows = _matrix(rows)
    count = arrays.getitem(shapes.shape(rows), 0)
    size = arrays.stack([count, reduce.reduce_prod(shape)])
    numbers = arrays.slice(rows, [0, FRONT], size)
    return shapes.reshape(numbers, arrays.concat([[count], shape], 0), name)


def concat(rows: Value, shaped: Value, name: str) -> Value:
    """All elements one behind the other, along their first axes."""
    fronts = _fronts(shaped)
    first = arrays.getitem(fronts, 0)
    inner = arrays.getitem(fronts, (slice(None), slice(2, None)))
    same = reduce.reduce_all(math.equal(inner, arrays.getitem(first, slice(2, None))))
    words = "TensorArray has inconsistent shapes.  By element the rank plus one, and the sizes:"
    first = _checked(first, same, words, fronts)
    written = reduce.reduce_all(math.greater(arrays.getitem(fronts, (slice(None), 0)), 0))
    first = _checked(first, written, _ABSENT, fronts)
    vectors = math.greater_equal(arrays.getitem(first, 0), 2)
    words = "Concat saw a scalar shape at index 0 but requires at least vectors."
    shape = _shape(_checked(first, vectors, words + "  Did you mean to call pack?"), _ABSENT, 0)
    lengths = arrays.getitem(fronts, (slice(None), 1))
    inner = arrays.getitem(shape, slice(1, None))
    body = arrays.getitem(_wide(rows), (slice(None), slice(FRONT, None)))
    width = arrays.getitem(shapes.shape(body), 1)
    numbers = boolean_mask(body, sequence_mask(lengths * reduce.reduce_prod(inner), width))
    total = arrays.stack([reduce.reduce_sum(lengths)])
    return shapes.reshape(numbers, arrays.concat([total, inner], 0), name)


def packed(value: Value, front: bool) -> Value:
    """The rows of a tensor as those of an array; without shapes, for a sum of gradients."""
    shape = shapes.shape(value)
    count = arrays.getitem(shape, 0)
    head = arrays.getitem(_front(arrays.getitem(shape, slice(1, None))), None)
    size = reduce.reduce_prod(arrays.getitem(shape, slice(1, None)))
    body = shapes.reshape(value, arrays.stack([count, size]))
    return _rows(arrays.tile(head, arrays.stack([count, 1])) * int(front), body, value.dtype)


def put(flow: Value, rows: Value, grows: bool, name: str) -> Value:
    """The array with `rows` as its first elements."""
    wide, rows = _both_wide(flow, rows)
    return _open(tensor_arrays.array_unstack(wide, rows, grows, name))


def scatter(flow: Value, at: Value | None, rows: Value, adds: bool, name: str) -> Value:
    """The array with `rows` as its elements `at`, or added to them; the first where not given."""
    if at is None:
        at = spaced.range(arrays.getitem(shapes.shape(rows), 0))
    wide, rows = _both_wide(flow, rows)
    if not adds:
        return _open(tensor_arrays.array_scatter(wide, at, rows, name))
    more = tensor_arrays.array_scatter(fills.zeros_like(wide), at, rows, name)
    return _open(wide + more)


def as_many(rows: Value, flow: Value) -> Value:
    """`rows`, in a run that fails where these are not as many as the elements of an array."""
    there, asked = (arrays.getitem(shapes.shape(v), 0) for v in (flow, rows))
    words = (
        "TensorArray's size is not equal to the size of lengths, and the TensorArray is not marked"
        " as dynamically resizeable:"
    )
    return _checked(rows, math.equal(there, asked), words, there, asked)


def split(value: Value, lengths: Value, front: bool) -> Value:
    """The pieces of `value` along its first axis as `packed` rows of an array."""
    lengths = math.cast(lengths, dtypes.int32)
    shape = shapes.shape(value)
    there, asked = arrays.getitem(shape, 0), reduce.reduce_sum(lengths)
    words = "Expected sum of lengths to be equal to values.shape[0], but these are"
    lengths = _checked(lengths, math.equal(there, asked), words, asked, there)
    inner = arrays.getitem(shape, slice(1, None))
    each = lengths * reduce.reduce_prod(inner)
    width = reduce.reduce_max(arrays.concat([each, [0]], 0))
    ends = cumsum(each)
    columns = arrays.getitem(spaced.range(width), None)
    inside = math.less(columns, arrays.getitem(each, (slice(None), None)))
    places = arrays.getitem(ends - each, (slice(None), None)) + columns
    numbers = arrays.concat([shapes.reshape(value, [-1]), fills.zeros([1], value.dtype)], 0)
    last = fills.zeros_like(places) + shapes.size(value)
    body = arrays.gather(numbers, selecting.where(inside, places, last), axis=0)
    count = shapes.size(lengths)
    ends = _front(arrays.concat([[0], inner], 0))  # the rank plus one, a length, the other sizes
    ends = arrays.tile(arrays.getitem(ends, None), arrays.stack([count, 1]))
    rank, rest = ends[:, :1], ends[:, 2:]
    heads = arrays.concat([rank, arrays.getitem(lengths, (slice(None), None)), rest], 1)
    return _rows(heads * int(front), body, value.dtype)
