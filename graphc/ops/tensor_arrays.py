"""The ops behind `TensorArray`: an array is a tensor, here is what makes and grows one.

Of an array whose elements have no known shape yet only the number of elements is there: it is a
tensor of shape ``[size, 0]``, and takes the shape of the first element that is written
(`fitted`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import arrays, control, fills, operands, shapes
from graphc.ops.record import Attrs, InferError, Types, no_grad, op, shape_error

__all__ = [
    "array_grow", "array_new", "array_scatter", "array_stack", "array_sum", "array_unstack",
    "fitted", "is_unset", "lengthened",
]  # fmt: skip


def is_unset(shape: Shape | None) -> bool:
    """Whether an array of this shape may be one whose elements' shape is not known yet."""
    return shape is not None and any([type(d) is int and d == 0 for d in shape[1:]])


def fitted(buffer: Value, element: Shape) -> Value:
    """`buffer`, or an empty array of elements of the shape `element` where it has none yet."""
    s = buffer.static_shape
    if s is None or not is_unset(s) or element == s[1:]:
        return buffer
    return fills.fill_static((s[0], *element), 0, buffer.dtype)


# ------------------------------------------------------------------------- making


def _element(attrs: Attrs) -> Shape:
    """The shape of an element, with zeros for sizes that are not known yet."""
    element: Shape | None = attrs["element"]
    return (0,) if element is None else tuple([d if type(d) is int else 0 for d in element])


def _new_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    size = static(inputs, attrs, "size")
    if D.facts() is not None:
        return [(attrs["dtype"], (size, *_element(attrs)))]
    if attrs["element"] is None:
        return [(attrs["dtype"], None)]
    first = D.fresh() if size is None or attrs["grows"] else size
    return [(attrs["dtype"], (first, *attrs["element"]))]


def _new(*, size: int, dtype: DType, element: Any, grows: bool) -> Any:
    shape: Any = (size, *_element({"element": element}))
    return np.full(shape, b"", object) if dtype.kind == "s" else np.zeros(shape, dtype.np)


def _new_expand(*, size: Any, dtype: DType, element: Any, grows: bool) -> Value:
    shape = (size, *_element({"element": element}))
    return fills.fill_static(shape, 0, dtype)


array_new_op = op(
    "array_new", "TensorArrayV3", "composite", doc="An array of zeros.", args=(), types="fiubs",
    infer=_new_infer, numpy=_new, expand=_new_expand, grad=lambda y, dy, *rest, **a: (None,),
)  # fmt: skip


def array_new(
    size: Any, dtype: DType, element: Shape | None, grows: bool, name: str | None
) -> Value:
    """A new array; `grows` says that it may get more elements."""
    attrs = {"dtype": dtype, "element": element, "grows": grows}
    return operands.make(array_new_op, [], {"size": ("size", size)}, name, attrs).outputs[0]


# ------------------------------------------------------------------------- whole arrays


def _rows(flow: Value, value: Value, grows: bool) -> Any:
    """How many elements an array has after the rows of `value` were put at its start."""
    s, t = flow.static_shape, value.static_shape
    if t == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    if s is None or t is None:
        return D.fresh()
    n, m = s[0], t[0]
    if D.same(n, m):
        return m
    if D.facts() is None:
        return D.fresh()
    if operands.less(n, m):
        if grows:
            return m
        last, size = operands.show(m - 1), operands.show(n)
        raise InferError(f"Max scatter index must be < array size ({last} vs. {size})")
    return n


def _unstack_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    flow, value = inputs
    t = value.static_shape
    rows = _rows(flow, value, attrs["grows"])
    return [(value.dtype, None if t is None else (rows, *t[1:]))]


def _unstack(flow: Any, value: Any, *, grows: bool) -> Any:
    n, m = len(flow), len(value)
    if m > n and not grows:
        raise InvalidArgumentError(
            None, None, f"Max scatter index must be < array size ({m - 1} vs. {n})"
        )
    if m >= n:
        return value
    rest = flow[m:]
    if rest.shape[1:] != value.shape[1:]:
        rest = np.zeros((n - m, *value.shape[1:]), value.dtype)
    return np.concatenate([value, rest])


def _unstack_expand(flow: Value, value: Value, *, grows: bool) -> Value:
    s, t = flow.static_shape, value.static_shape
    assert s is not None
    assert t is not None
    if _rows(flow, value, grows) is t[0] or D.same(s[0], t[0]):
        return value
    rest = (s[0] - t[0], *t[1:])
    behind = arrays.slice_static(fitted(flow, t[1:]), (t[0], *[0] * len(t[1:])), rest)
    return arrays.concat([value, behind], 0)


def _unstack_grad(
    y: Value, dy: Value, flow: Value, value: Value, grows: bool
) -> tuple[Value | None, Value]:
    new = flow.node.op.name == "array_new"
    before = None if new else array_unstack(dy, fills.zeros_like(value), False, None)
    return before, array_head(dy, value)


array_unstack_op = op(
    "array_unstack", "TensorArrayScatterV3", "composite", args=("flow", "value"), types="fiubs",
    doc="An array whose first elements are the rows of a tensor.", infer=_unstack_infer,
    numpy=_unstack, expand=_unstack_expand, fails=True,
    grad=_unstack_grad,
)  # fmt: skip


def array_unstack(flow: Value, value: Value, grows: bool, name: str | None) -> Value:
    """The array `flow` with the rows of `value` as its first elements."""
    return build(array_unstack_op, (flow, value), {"grows": grows}, name).outputs[0]


def _scatter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    flow, _, value = inputs
    s, t = flow.static_shape, value.static_shape
    if t == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    rows = D.fresh() if s is None else s[0]
    return [(value.dtype, None if t is None else (rows, *t[1:]))]


def _scatter(flow: Any, indices: Any, value: Any) -> Any:
    n = len(flow)
    if len(indices) and not 0 <= indices.min() <= indices.max() < n:
        bad = indices.max() if indices.min() >= 0 else indices.min()
        raise InvalidArgumentError(
            None, None, f"Max scatter index must be < array size ({bad} vs. {n})"
        )
    out = np.array(flow)
    if flow.shape[1:] != value.shape[1:]:
        out = np.zeros((n, *value.shape[1:]), value.dtype)
    out[indices] = value
    return out


def _summed(value: Value, indices: Value, rows: Dim) -> Value:
    attrs = {"num_segments": rows}
    return build(arrays.unsorted_segment_sum_op, (value, indices), attrs).outputs[0]


def _written(hits: Value) -> Value:
    """Which elements some indices name, of how often they name each."""
    from graphc.ops import math

    return math.greater(hits, fills.zeros_like(hits))  # type: ignore[no-any-return]


def _scatter_expand(flow: Value, indices: Value, value: Value) -> Value:
    from graphc.ops import math

    s, t = flow.static_shape, value.static_shape
    assert s is not None
    assert t is not None
    hits = _summed(fills.ones_like(indices), indices, s[0])
    rows = _summed(value, indices, s[0])
    return math.where(_written(hits), rows, fitted(flow, t[1:]))


def _scatter_grad(y: Value, dy: Value, flow: Value, indices: Value, value: Value) -> Any:
    from graphc.ops import math

    count = arrays.getitem(shapes.shape(dy), 0)
    hits = arrays.unsorted_segment_sum(fills.ones_like(indices), indices, count)
    rest = math.where(_written(hits), fills.zeros_like(dy), dy)
    return (rest, None, arrays.gather(dy, indices, axis=0))


array_scatter_op = op(
    "array_scatter", "TensorArrayScatterV3", "composite", args=("flow", "indices", "value"),
    types="fiubs", doc="An array with the rows of a tensor as its elements at some indices.",
    infer=_scatter_infer, numpy=_scatter, expand=_scatter_expand, fails=True, grad=_scatter_grad,
)  # fmt: skip


def array_scatter(flow: Value, indices: Value, value: Value, name: str | None) -> Value:
    """The array `flow` with the rows of `value` as its elements at `indices`."""
    return build(array_scatter_op, (flow, indices, value), {}, name).outputs[0]


def _head_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[1].static_shape)]


def _head_expand(x: Value, like: Value) -> Value:
    s, t = x.static_shape, like.static_shape
    assert s is not None
    assert t is not None
    if all(D.same(a, b) for a, b in zip(s, t, strict=True)):
        return x
    if any(not D.same(d, e) and operands.less(d, 1) for d, e in zip(s, t, strict=True)):
        return fills.fill_static(t, 0, x.dtype)  # of an array that no iteration wrote
    return arrays.slice_static(x, (0,) * len(t), t)


def _head(x: Any, like: Any) -> Any:
    if not x.size:
        return np.zeros(like.shape, x.dtype)
    return x[tuple([slice(n) for n in like.shape])]


array_head_op = op(
    "array_head", "TensorArrayGatherV3", "composite", args=("x", "like"), types="fiu",
    doc="The first rows of a tensor, as many as another has.", infer=_head_infer,
    numpy=_head, expand=_head_expand,
    grad=lambda y, dy, x, like: (array_unstack(fills.zeros_like(x), dy, False, None), None),
)  # fmt: skip


def array_head(x: Value, like: Value) -> Value:
    """As many of the first rows of `x` as `like` has."""
    return build(array_head_op, (x, like), {}).outputs[0]


def _stack_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, attrs["shape"])]


def _stack_fit(x: Value, *, shape: Shape | None) -> Value:
    """An array that was never written has the elements' shape that was recorded."""
    element = None if shape is None else shape[1:]
    return fitted(x, element) if element is not None and D.is_known(element) else x


array_stack_op = op(
    "array_stack", "TensorArrayGatherV3", "state", args=("flow",), types="fiub",
    doc="All elements of an array.", infer=_stack_infer, numpy=lambda x, *, shape: x,
    grad=lambda y, dy, x, shape: dy, facts={"alias": True, "fit_alias": _stack_fit},
)  # fmt: skip


def _stack_strings(x: Any, *, shape: Shape | None) -> Any:
    """The same for strings, which the host has: see `_stack_fit`."""
    element = None if shape is None else shape[1:]
    if (
        element is None
        or not D.is_known(element)
        or not is_unset(x.shape)
        or x.shape[1:] == element
    ):
        return x
    return np.full((len(x), *element), b"", object)


array_stack_strings_op = op(
    "array_stack_strings", "TensorArrayGatherV3", "host", args=("flow",), types="s",
    doc="All elements of an array of strings.", infer=_stack_infer,
    host=lambda context, x, *, shape: _stack_strings(x, shape=shape), grad=no_grad,
)  # fmt: skip


def array_stack(flow: Value, shape: Shape | None, name: str | None) -> Value:
    """The elements of an array as one tensor, with what is known of its shape."""
    record = array_stack_strings_op if flow.dtype.kind == "s" else array_stack_op
    return build(record, (flow,), {"shape": shape}, name).outputs[0]


def _sum_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, t = (v.static_shape for v in inputs)
    return [(inputs[0].dtype, t if s is None or is_unset(s) else s)]


def _sum(x: Any, y: Any) -> Any:
    return y if x.shape != y.shape and is_unset(x.shape) else x + y


def _sum_expand(x: Value, y: Value) -> Value:
    return y if is_unset(x.static_shape) and x.static_shape != y.static_shape else x + y


array_sum_op = op(
    "array_sum", "TensorArrayScatterV3", "composite", args=("x", "y"), types="fiu",
    doc="The sum of two arrays; of one whose elements have no shape yet the other.",
    infer=_sum_infer, numpy=_sum, expand=_sum_expand, fails=True,
    grad=lambda y, dy, a, b: (array_head(dy, a), dy),
)  # fmt: skip


def array_sum(x: Value, y: Value) -> Value:
    """The sum of the elements of two arrays."""
    return build(array_sum_op, (x, y), {}).outputs[0]


# ------------------------------------------------------------------------- growing


def _grow_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(inputs[0].dtype, None if s is None else (D.fresh(), *s[1:]))]


def _grown(context: Any, buffer: Any, index: Any) -> Any:
    i = int(index)
    if i < 0:
        raise InvalidArgumentError(None, None, control.no_room(i, len(buffer)))
    if i < len(buffer):
        return buffer
    rest = np.zeros((i + 1 - len(buffer), *buffer.shape[1:]), buffer.dtype)
    if buffer.dtype == object:
        rest.fill(b"")
    return np.concatenate([buffer, rest])


array_grow_op = op(
    "array_grow", "TensorArrayWriteV3", "host", args=("buffer", "index"), types="fiubs",
    doc="An array with more elements where it has none at an index.", infer=_grow_infer,
    host=_grown, grad=lambda y, dy, buffer, index: (array_head(dy, buffer), None),
)  # fmt: skip


def array_grow(buffer: Value, index: Value) -> Value:
    """`buffer`, with zeros added where it is too short to have an element `index`."""
    return build(array_grow_op, (buffer, index), {}).outputs[0]


def lengthened(x: Value, rows: Dim) -> Value:
    """An array with zeros behind it, so that it has that many elements."""
    s = x.static_shape
    assert s is not None
    if D.same(s[0], rows):
        return x
    if is_unset(s) or (type(s[0]) is int and s[0] == 0):
        return fills.fill_static((rows, *s[1:]), 0, x.dtype)
    return arrays.concat([x, fills.fill_static((rows - s[0], *s[1:]), 0, x.dtype)], 0)
