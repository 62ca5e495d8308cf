"""Elements by index: gathers, scatters and sums of segments."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import lowering
from graphc.ops.array_rules import apply, bad_value, infer_error, nones
from graphc.ops.counting import as_many
from graphc.ops.fills import ones_like, zeros_like
from graphc.ops.indexed import IndexedSlices
from graphc.ops.joining import concat, stack
from graphc.ops.operands import axis_of, known_shape, less, make, show, text  # fmt: skip
from graphc.ops.record import (
    Attrs,
    Types,
    as_value,
    check_kind,
    elementwise,
    no_grad,
    op,
    shape_error,
)  # fmt: skip
from graphc.ops.reduce import reduce_prod
from graphc.ops.shapes import _number, depth_of, expand_dims, reshape, shape
from graphc.ops.shapes import size as size_of
from graphc.ops.spaced import range as range_
from graphc.ops.strided import getitem
from graphc.ops.transposing import transpose

__all__ = [
    "gather", "gather_nd", "gather_op", "scatter_nd", "segment_max", "segment_mean",
    "segment_min", "segment_prod", "segment_sum", "unsorted_segment_max", "unsorted_segment_mean",
    "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n",
    "unsorted_segment_sum", "unsorted_segment_sum_op",
]  # fmt: skip


# ------------------------------------------------------------------------- gather


def _check_indices(i: Value, param: str = "indices") -> None:
    if i.dtype.kind not in "iu":
        raise TypeError(
            f"Value passed to parameter '{param}' has DataType {i.dtype.name} not in list of "
            "allowed values: int32, int64"
        )


def _gather_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, i = inputs[:2]
    _check_indices(i)
    axis = static(inputs, attrs, "axis")
    s, t = x.static_shape, i.static_shape
    if s is not None and len(s) == 0:
        raise infer_error("Shape must be at least rank 1 but is rank 0", ", []")
    if s is None or t is None:
        return [(x.dtype, None)]
    if axis is None:
        n = len(s) + len(t) - 1 - attrs.get("batch_dims", 0)
        return [(x.dtype, tuple(D.fresh() for _ in range(n)))]
    axis = _number(axis)
    at = axis_of(axis, len(s))
    if at is None:
        raise infer_error(
            f"Shape must be at least rank {axis + 1 if axis >= 0 else -axis} but is rank {len(s)}",
            f", [] and with computed input tensors: input[2] = <{axis}>",
        )
    b = attrs.get("batch_dims", 0)
    if b and (b > len(t) or b > at):
        raise infer_error(f"batch_dims ({b}) must be less than or equal to axis ({at})")
    for d, e in zip(s[:b], t[:b], strict=True):
        if D.same(d, e) is False:
            raise infer_error(f"Dimensions must be equal, but are {show(d)} and {show(e)}")
    batch = tuple(e if type(e) is int else d for d, e in zip(s[:b], t[:b], strict=True))
    return [(x.dtype, (*batch, *s[b:at], *t[b:], *s[at + 1 :]))]


def _flat_index(index: Shape, s: Shape) -> Dim:
    out: Dim = 0
    for i, d in zip(index, s, strict=True):
        out = out * d + i
    return out


def _checked(k: Any, i: Any, n: Dim, message: str, position: Dim) -> tuple[Dim, Any]:
    """An index read from data as an index expression, and whether it lies in [0, n)."""
    at = k.as_index(k.cast(i, dtypes.int64))
    ok = k.both(k.compare("less_equal", 0, at), k.compare("less", at, n))
    k.check(ok, message, position)
    return at, ok


def _gather_element(
    k: Any, index: Shape, x: Value, i: Value, *, axis: int, batch_dims: int = 0
) -> Any:
    s, t = k.shape(x), k.shape(i)
    at = axis % len(s)
    n = len(t) - batch_dims
    inner = (*index[:batch_dims], *index[at : at + n])
    where, ok = _checked(
        k,
        k.read(i, inner),
        s[at],
        f"an index is not in [0, {s[at]})",
        _flat_index(inner, t),
    )
    return k.read(x, (*index[:at], where, *index[at + n :]), ok, 0)


def _gather_numpy(x: Any, i: Any, *, axis: int, batch_dims: int = 0) -> Any:
    n = x.shape[axis]
    wrong = (i < 0) | (i >= n)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        label = "indices" + (f"[{','.join(map(str, at))}]" if at else "")
        raise bad_value(f"{label} = {int(i[at])} is not in [0, {n})")
    if not batch_dims:
        return np.take(x, i.astype(np.int64), axis)
    axis = axis % x.ndim - batch_dims
    outer = i.shape[:batch_dims]
    rows = x.reshape(-1, *x.shape[batch_dims:])
    ids = i.reshape(len(rows), *i.shape[batch_dims:]).astype(np.int64)
    made = [np.take(r, j, axis) for r, j in zip(rows, ids, strict=True)]
    inner = (*x.shape[batch_dims:][:axis], *ids.shape[1:], *x.shape[batch_dims:][axis + 1 :])
    return np.array(made, x.dtype).reshape(*outer, *inner)


def _gather_dims(x: Any, i: Any, *rest: Any, **attrs: Any) -> Any:
    if not isinstance(x, tuple) or i is None:
        return None
    if isinstance(i, tuple):
        return tuple(x[e] if type(e) is int and 0 <= e < len(x) else None for e in i)
    return x[i] if type(i) is int and 0 <= i < len(x) else None


def _batched_gather_grad(dy: Value, x: Value, i: Value, axis: int, batch: int) -> Any:
    """Rows of all batches are summed at once: batch `b` owns the segments from ``b * n`` on."""
    s, t = x.static_shape, i.static_shape
    if s is None or t is None:
        return _unranked_batched_grad(dy, x, i, axis, batch), None
    at, n = axis % len(s), len(t)
    k = n - batch
    inner = [
        *range(batch),
        *range(at, at + k),
        *range(batch, at),
        *range(at + k, len(s) + k - 1),
    ]
    rows = transpose(dy, inner)
    sized = getitem(shape(x, out_type=i.dtype), at)
    ids = i
    step = sized
    for b in reversed(range(batch)):
        count = getitem(shape(x, out_type=i.dtype), b)
        place = reshape(range_(count), [*(1,) * b, -1, *(1,) * (n - b - 1)])
        ids = ids + place * step
        step = step * count
    summed = unsorted_segment_sum(rows, ids, step)
    order = [*range(batch), at, *range(batch, at), *range(at + 1, len(s))]
    full = gather(shape(x), order)
    back = [order.index(a) for a in range(len(s))]
    return transpose(reshape(summed, full), back), None


def _unranked_batched_grad(dy: Value, x: Value, i: Value, axis: int, batch: int) -> Value:
    """The same where ranks are not known: the batch, and what is beside the axis, are one each."""
    sizes = shape(x, out_type=i.dtype)
    many = reduce_prod(sizes[:batch])
    n, outer, inner = sizes[axis], reduce_prod(sizes[batch:axis]), reduce_prod(sizes[axis:][1:])
    ids = reshape(i, stack([many, -1]))
    picked = shape(ids, out_type=i.dtype)[1]
    rows = transpose(reshape(dy, stack([many, outer, picked, inner])), [0, 2, 1, 3])
    ids = ids + reshape(range_(many), [-1, 1]) * n
    summed = unsorted_segment_sum(rows, ids, many * n)
    back = transpose(reshape(summed, stack([many, n, outer, inner])), [0, 2, 1, 3])
    return reshape(back, sizes)


def _unranked_gather_grad(dy: Value, x: Value, flat: Value, axis: int) -> Value:
    """The gradient along an inner axis: what is before and behind it is one axis each."""
    sizes = shape(x)
    before = reduce_prod(getitem(sizes, builtins.slice(axis)))
    inner = 1 if axis == -1 else reduce_prod(getitem(sizes, builtins.slice(axis + 1, None)))
    rows = reshape(dy, stack([before, size_of(flat), inner]))
    summed = unsorted_segment_sum(transpose(rows, [1, 0, 2]), flat, getitem(sizes, axis))
    return reshape(transpose(summed, [1, 0, 2]), sizes)


def _gather_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **attrs: Any) -> Any:
    axis = attrs.get("axis")
    if axis is None:
        raise LookupError("the gradient of gather needs an axis that is known when it is built")
    s, t = x.static_shape, i.static_shape
    if attrs.get("batch_dims"):
        return _batched_gather_grad(dy, x, i, axis, attrs["batch_dims"])
    flat = reshape(i, [-1])
    at = axis if s is None else axis % len(s)
    if at == 0:
        if s is not None and D.is_known(s[1:]):
            values = reshape(dy, [-1, *s[1:]])
        else:
            values = reshape(
                dy,
                concat([reshape(size_of(i), [1]), getitem(shape(x), builtins.slice(1, None))], 0),
            )
        return (IndexedSlices(values, flat, shape(x)), None)
    if s is None or t is None:
        return _unranked_gather_grad(dy, x, flat, axis), None
    k = len(t)
    n = len(s) - 1 + k
    middle = range(n)[at : at + k]
    others = [a for a in range(n) if a not in middle]
    rows = transpose(dy, [*middle, *others])
    sized = getitem(shape(x), at)
    if k != 1:
        outer = getitem(shape(rows), builtins.slice(k, None))
        rows = reshape(rows, concat([[-1], outer], 0))
    summed = unsorted_segment_sum(rows, flat, sized)
    # axis 0 of the sum is the gathered axis: back to its place
    return transpose(summed, [*range(1, at + 1), 0, *range(at + 1, len(s))]), None


gather_op = op(
    "gather", "GatherV2", "view", doc="Slices of an axis, by index.", args=("params", "indices"),
    types="fiubsc", infer=_gather_infer, element=_gather_element, numpy=_gather_numpy,
    dims=_gather_dims,
    grad=lambda y, dy, x, i, *rest, **a: (*_gather_grad(y, dy, x, i, *rest, **a), *nones(rest)),
    fails=True,
)  # fmt: skip


def gather(
    params: Any, indices: Any, validate_indices: Any = None, name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Value:  # fmt: skip
    """The slices of `params` along `axis` that `indices` names.

    Raises
    ------
    InvalidArgumentError
        At run time, for an index outside [0, size).
    """
    if hasattr(params, "sparse_read") and not batch_dims and axis is None:
        return params.sparse_read(indices, name=name)  # type: ignore[no-any-return]
    values = [("params", params), ("indices", indices)]
    at = batch_dims if axis is None else axis
    attrs = {"batch_dims": operator.index(batch_dims)} if batch_dims else None
    return make(gather_op, values, {"axis": ("axis", at)}, name, attrs).outputs[0]


gather_op.call = gather


def _gather_nd_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, i = inputs
    _check_indices(i)
    s, t = x.static_shape, i.static_shape
    if t == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    m = None if t is None else depth_of(t)
    if s is None or t is None or m is None:
        return [(x.dtype, None)]
    if m > len(s):
        raise shape_error(
            f"indices.shape[-1] must be <= params.rank, but saw indices shape: {text(t)} and "
            f"params shape: {text(s)}"
        )
    return [(x.dtype, (*t[:-1], *s[m:]))]


def _gather_nd_element(k: Any, index: Shape, x: Value, i: Value) -> Any:
    s, t = k.shape(x), k.shape(i)
    outer = index[: len(t) - 1]
    m = depth_of(t)
    assert m is not None
    where: list[Dim] = []
    ok = None
    for j in range(m):
        at, good = _checked(
            k,
            k.read(i, (*outer, j)),
            s[j],
            "an index does not index into params",
            _flat_index(outer, t[:-1]),
        )
        where.append(at)
        ok = k.both(ok, good)
    return k.read(x, (*where, *index[len(t) - 1 :]), ok, 0)


def _check_nd(i: Any, s: Sequence[int], what: str) -> None:
    m = i.shape[-1]
    wrong = ((i < 0) | (i >= np.array(s[:m], np.int64))).any(-1)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        flat = int(np.ravel_multi_index(at, wrong.shape)) if at else 0
        label = f"indices[{flat if what == 'shape' else ','.join(map(str, at))}]"
        values = ", ".join(map(str, i[at].tolist()))
        sized = ",".join(map(str, s))
        where = "shape" if what == "shape" else "param shape"
        raise bad_value(f"{label} = [{values}] does not index into {where} [{sized}]")


def _gather_nd_numpy(x: Any, i: Any) -> Any:
    _check_nd(i, x.shape, "params")
    return x[tuple(np.moveaxis(i.astype(np.int64), -1, 0))]


gather_nd_op = op(
    "gather_nd", "GatherNd", "view", doc="Slices of the leading axes, by index vector.",
    args=("params", "indices"), types="fiubsc", infer=_gather_nd_infer, element=_gather_nd_element,
    numpy=_gather_nd_numpy, fails=True,
    grad=lambda y, dy, x, i: (scatter_nd(i, dy, _shape_like(x, i)), None),
)  # fmt: skip


def _shape_like(x: Value, i: Value) -> Any:
    return x.static_shape if D.is_known(x.static_shape) else shape(x, out_type=i.dtype)


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Value:
    """The slices of `params` that the last axis of `indices` names.

    Raises
    ------
    InvalidArgumentError
        At run time, for an index outside `params`.
    """
    if batch_dims:
        return _batched_gather_nd(as_value(params), as_value(indices), batch_dims, name)
    return make(gather_nd_op, [("params", params), ("indices", indices)], None, name).outputs[0]


def _batched_gather_nd(x: Value, i: Value, batch: int, name: str | None) -> Value:
    """The batch's own indices put before those of each index vector."""
    if i.rank is None or x.rank is None or not 0 < batch < i.rank or batch >= x.rank:
        raise ValueError(
            f"batch_dims = {batch} must be less than the ranks of params ({x.rank}) and indices "
            f"({i.rank})"
        )
    one = getitem(i, (..., builtins.slice(0, 1)))
    if i.static_shape is not None and i.static_shape[-1] == 0:  # of index vectors without numbers
        one = reduce_prod(i, [-1], keepdims=True)
    sizes = shape(i, out_type=i.dtype)
    columns = []
    for axis in range(batch):
        form = [1] * i.rank
        form[axis] = -1
        row = range_(getitem(sizes, axis), dtype=i.dtype)
        columns.append(reshape(row, form) + zeros_like(one))
    return gather_nd(x, concat([*columns, i], -1), name)


gather_nd_op.call = gather_nd


# ------------------------------------------------------------------------- scatter and segments


def _scatter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    i, u = inputs[:2]
    _check_indices(i)
    s = known_shape(inputs, attrs, "shape")
    t, v = i.static_shape, u.static_shape
    m = depth_of(t) if t else None
    if s is not None and t is not None and v is not None and m is not None:
        want = (*t[:-1], *s[m:])
        if (
            m > len(s)
            or len(want) != len(v)
            or any(D.same(a, b) is False for a, b in zip(want, v, strict=True))
        ):
            raise shape_error(
                f"Must have updates.shape = indices.shape[:-1] + shape[{m}:], got "
                f"updates.shape: {text(v)}, indices.shape: {text(t)}, shape: {text(s)}"
            )
    return [(u.dtype, s)]


def _scatter_numpy(i: Any, u: Any, *, shape: Any) -> Any:
    _check_nd(i, shape, "shape")
    if i.shape[-1] == 0 and u.size:
        raise bad_value("Indices and updates specified for empty output shape")
    out = np.zeros(shape, u.dtype)
    np.add.at(out, tuple(np.moveaxis(i.astype(np.int64), -1, 0)), u)
    return out


scatter_nd_op = op(
    "scatter_nd", "ScatterNd", "structured",
    doc="Updates added up at index vectors, zeros elsewhere.",
    args=("indices", "updates"), types="iu", infer=_scatter_infer, numpy=_scatter_numpy, fails=True,
    lower=lowering.scatter,
    grad=lambda y, dy, i, u, *rest, **a: (None, gather_nd(dy, i), *nones(rest)),
)  # fmt: skip


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Value:
    """A tensor of `shape`: the sum of `updates` at the places `indices` names, else zeros."""
    values = [("indices", indices), ("updates", updates)]
    return make(scatter_nd_op, values, {"shape": ("shape", shape)}, name).outputs[0]


scatter_nd_op.call = scatter_nd


def _segment_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, i = inputs[:2]
    _check_indices(i, "segment_ids")
    n = static(inputs, attrs, "num_segments")
    s, t = x.static_shape, i.static_shape
    if n is not None and less(n, 0):
        raise shape_error(f"num_segments must be non-negative, got {show(n)}")
    if s is None or t is None:
        return [(x.dtype, None)]
    if len(t) > len(s) or any(D.same(a, b) is False for a, b in zip(s, t, strict=False)):
        raise shape_error(
            f"data.shape = {text(s)} does not start with segment_ids.shape = {text(t)}"
        )
    return [(x.dtype, (D.fresh() if n is None else n, *s[len(t) :]))]


def _segment_numpy(combine: Any, start: Callable[[Any], Any]) -> Callable[..., Any]:
    def meaning(x: Any, i: Any, *, num_segments: int, sorted: bool = False) -> Any:
        ids = i.reshape(-1).astype(np.int64)
        wrong = np.nonzero(ids >= num_segments)[0]
        if wrong.size:
            at = np.unravel_index(wrong[0], i.shape)
            label = ",".join(map(str, at))
            raise bad_value(
                f"segment_ids[{label}] = {ids[wrong[0]]} is out of range [0, {num_segments})"
            )
        rows = x.reshape(ids.size, *x.shape[i.ndim :])
        out = np.full((num_segments, *rows.shape[1:]), start(x.dtype), x.dtype)
        keep = ids >= 0
        with np.errstate(all="ignore"):
            combine.at(out, ids[keep], rows[keep])
        if sorted:
            out[~np.isin(np.arange(num_segments), ids)] = combine.identity or 0
        return out

    return meaning


def _segment_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **a: Any) -> Any:
    rows = gather(dy, i) if a.get("sorted") else _gather_kept(dy, i)
    return (rows, None, *nones(rest))


def _rows_like(mask: Value, like: Value) -> Value:
    """A mask over the leading axes, spread over the trailing axes of `like`."""
    from graphc.ops import math

    if mask.static_shape is None or like.static_shape is None:
        sizes = shape(mask)
        inner = getitem(shape(like), slice(getitem(shape(sizes), 0), None))
        mask = reshape(mask, concat([sizes, ones_like(inner)], 0))
    else:
        for _ in range(len(like.static_shape) - len(mask.static_shape)):
            mask = expand_dims(mask, -1)
    return math.logical_and(mask, ones_like(like, dtype=dtypes.bool_))  # type: ignore[no-any-return]


def _gather_kept(dy: Value, i: Value) -> Value:
    """Rows of `dy`; zeros where the segment id is negative (such rows were dropped)."""
    from graphc.ops import math

    rows = gather(dy, math.maximum(i, zeros_like(i)))
    return math.where(
        _rows_like(math.greater_equal(i, zeros_like(i)), rows), rows, zeros_like(rows)
    )


def _extreme_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **a: Any) -> Any:
    """The gradient goes to the extreme elements of each segment, in equal shares."""
    from graphc.ops import math

    hit = math.equal(x, _gather_kept(y, i))
    hit = math.logical_and(hit, _rows_like(math.greater_equal(i, zeros_like(i)), x))
    many = apply(unsorted_segment_sum_op, [math.cast(hit, x.dtype), i, *rest], a)
    share = _gather_kept(dy / many, i)
    return (math.where(hit, share, zeros_like(share)), None, *nones(rest))


def _prod_grad(y: Value, dy: Value, x: Value, i: Value, *rest: Value, **a: Any) -> Any:
    """The product of the other rows of the segment, right where one row is zero."""
    from graphc.ops import math

    def total(record: Any, v: Value) -> Value:
        return apply(record, [v, i, *rest], a)

    zero = math.equal(x, zeros_like(x))
    other = math.where(zero, ones_like(x), x)
    zeros = total(unsorted_segment_sum_op, math.cast(zero, x.dtype))
    product = total(unsorted_segment_prod_op, other)
    none = zeros_like(product)
    # with no zero every row has the rest of the product; with one, only that row has it
    full = math.where(math.equal(zeros, none), product, none)
    single = math.where(math.equal(zeros, ones_like(zeros)), product, none)
    rows = math.where(zero, _gather_kept(single * dy, i), _gather_kept(full * dy, i) / other)
    return (rows, None, *nones(rest))


def _lowest(t: Any) -> Any:
    return np.finfo(t).min if t.kind == "f" else np.iinfo(t).min


def _highest(t: Any) -> Any:
    return np.finfo(t).max if t.kind == "f" else np.iinfo(t).max


def _segment_op(kind: str, combine: Any, start: Callable[[Any], Any], grad: Any) -> Any:
    """With the attribute `sorted` ids ascend from 0 or more, and a max or min of no rows is 0."""
    return op(
        f"unsorted_segment_{kind}", f"UnsortedSegment{kind.capitalize()}", "structured",
        doc=f"The {kind} of the rows of each segment; rows of negative segments are left out.",
        args=("data", "segment_ids"), types="fiu", infer=_segment_infer, grad=grad,
        numpy=_segment_numpy(combine, start), fails=True, facts={"combine": kind},
        lower=lowering.segment,
    )  # fmt: skip


unsorted_segment_sum_op = _segment_op("sum", np.add, lambda t: 0, _segment_grad)
unsorted_segment_max_op = _segment_op("max", np.maximum, _lowest, _extreme_grad)
unsorted_segment_min_op = _segment_op("min", np.minimum, _highest, _extreme_grad)
unsorted_segment_prod_op = _segment_op("prod", np.multiply, lambda t: 1, _prod_grad)

_SEGMENTS = {
    "sum": unsorted_segment_sum_op, "max": unsorted_segment_max_op,
    "min": unsorted_segment_min_op, "prod": unsorted_segment_prod_op,
}  # fmt: skip


def _unsorted(record: Any) -> Callable[..., Value]:
    def call(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Value:
        values = [("data", data), ("segment_ids", segment_ids)]
        return make(record, values, {"num_segments": ("num_segments", num_segments)}, name).outputs[
            0
        ]

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = record.doc
    record.call = call
    return call


unsorted_segment_sum = _unsorted(unsorted_segment_sum_op)
unsorted_segment_max = _unsorted(unsorted_segment_max_op)
unsorted_segment_min = _unsorted(unsorted_segment_min_op)
unsorted_segment_prod = _unsorted(unsorted_segment_prod_op)


def _counts(data: Value, ids: Value, total: Callable[[Value], Value]) -> Value:
    """How many rows each segment has, at least 1, to divide what `total` makes of `data`."""
    from graphc.ops import math

    if data.rank is None or ids.rank is None:
        many = total(ones_like(data))
    else:  # one number for each row
        many = total(ones_like(ids, dtype=data.dtype))
        for _ in range(data.rank - ids.rank):
            many = expand_dims(many, -1)
    return math.maximum(many, ones_like(many))  # type: ignore[no-any-return]


def _mean_count(data: Any, ids: Any, n: Any, *named: Any, **more: Any) -> int:
    """How many operations TensorFlow makes in `unsorted_segment_mean`."""
    given = sum(not isinstance(x, Value) for x in (data, ids))
    if not isinstance(n, Value):
        return 12 + given
    ranks = [v.rank if isinstance(v, Value) else np.ndim(v) for v in (data, ids)]
    return given + (10 if None in ranks or ranks[0] == ranks[1] else 11)


@as_many(_mean_count)
def unsorted_segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Value:
    """The mean of the rows of each segment; 0 for an empty one."""
    with current().scope(name, "UnsortedSegmentMean"):
        x, i = as_value(data, None, "data"), as_value(segment_ids, None, "segment_ids")
        many = _counts(x, i, lambda v: unsorted_segment_sum(v, i, num_segments))
        return unsorted_segment_sum(x, i, num_segments) / many


@as_many(lambda *args, **named: 1 + _mean_count(*args, **named))
def unsorted_segment_sqrt_n(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Value:
    """The sum of the rows of each segment divided by the square root of their number."""
    from graphc.ops import math

    with current().scope(name, "UnsortedSegmentSqrtN"):
        x, i = as_value(data, None, "data"), as_value(segment_ids, None, "segment_ids")
        many = _counts(x, i, lambda v: unsorted_segment_sum(v, i, num_segments))
        total: Value = unsorted_segment_sum(x, i, num_segments) / math.sqrt(many)
        return total


def _not_less(ids: Any, step: Any) -> Any:
    if np.any(step < 0):
        raise bad_value(UNSORTED)
    return np.broadcast_arrays(ids, step)[0]


UNSORTED = "segment ids are not increasing, or begin with a negative one"

sorted_ids = elementwise(
    "sorted_ids", "SortedSegmentIds", "Segment ids, which differ by `step` from those before.",
    numpy=_not_less, args=("segment_ids", "step"), types="i", grad=no_grad, fails=True,
    scalar=lambda k, ids, step: ids,
    facts={"check": {"operand": 1, "must": "nonnegative", "types": "i", "message": UNSORTED}},
)  # fmt: skip


def sorted_segments(kind: str, x: Value, ids: Value, num_segments: Any = None) -> Value:
    """The sum, mean, … of the rows of each segment, where ids ascend; 0 of no rows.

    Parameters
    ----------
    kind : {"sum", "mean", "sqrt_n", "max", "min", "prod"}
    num_segments : optional
        As many as the last id says by default.

    Raises
    ------
    InvalidArgumentError
        In a run, for ids that do not ascend from 0 or more.
    """
    from graphc.ops import math, padding, reduce

    i = sorted_ids(ids, ids - padding.pad(ids, [[1, 0]])[:-1])
    n = num_segments
    if n is None:
        n = math.maximum(reduce.reduce_max(i) + 1, 0)  # of no ids: no segments

    def of_segments(kind: str, rows: Value) -> Value:
        values = [("data", rows), ("segment_ids", i)]
        size = {"num_segments": ("num_segments", n)}
        return make(_SEGMENTS[kind], values, size, None, {"sorted": True}).outputs[0]

    if kind not in ("mean", "sqrt_n"):
        return of_segments(kind, x)
    real = x if x.dtype.kind != "c" else math.cast(x, x.dtype.real_dtype)
    many = math.cast(_counts(real, i, lambda v: of_segments("sum", v)), x.dtype)
    divide = math.truediv if x.dtype.kind in "fc" else math.truncatediv
    made: Value = divide(of_segments("sum", x), many if kind == "mean" else math.sqrt(many))
    return made


def _sorted(kind: str) -> Callable[..., Value]:
    @as_many(
        lambda data, ids, *more, **named: 1 + sum(not isinstance(x, Value) for x in (data, ids))
    )
    def call(data: Any, segment_ids: Any, name: str | None = None) -> Value:
        with current().scope(name, f"Segment{kind.capitalize()}"):
            x, i = as_value(data, None, "data"), as_value(segment_ids, None, "segment_ids")
            ordered = kind in ("max", "min")  # complex numbers are not
            check_kind(_SEGMENTS["sum"], "data", x.dtype, "fiu" if ordered else "fiuc")
            return sorted_segments(kind, x, i)

    call.__name__ = call.__qualname__ = f"segment_{kind}"
    call.__doc__ = (
        f"The {kind} of the rows of each segment; ids are sorted, and an empty segment gives 0."
    )
    return call


segment_sum, segment_mean, segment_max = _sorted("sum"), _sorted("mean"), _sorted("max")
segment_min, segment_prod = _sorted("min"), _sorted("prod")
