"""Results whose size depends on data, partition and stitch, masks of lengths."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.known import known, known_operand
from graphc.ir.node import Value
from graphc.ops import unique_loops
from graphc.ops.array_rules import apply, bad_value, nones
from graphc.ops.convert import convert, make_constant
from graphc.ops.gathers import gather
from graphc.ops.joining import concat, filled_in, shown
from graphc.ops.operands import make, text
from graphc.ops.record import (
    Attrs,
    Types,
    as_operand,
    as_value,
    ints,
    merge,
    no_grad,
    op,
    same_types,
    shape_error,
)  # fmt: skip
from graphc.ops.row_copies import picked_rows, placed_rows
from graphc.ops.shapes import expand_dims, reshape, shape, squeeze
from graphc.ops.shapes import size as size_of
from graphc.ops.spaced import range as range_
from graphc.ops.strided import getitem

__all__ = [
    "boolean_mask", "broadcast_gradient_args", "dynamic_partition", "dynamic_stitch",
    "invert_permutation", "meshgrid", "sequence_mask", "unique", "unique_with_counts",
    "where_indices",
]  # fmt: skip


# ------------------------------------------------------------------------ sizes that depend on data


def _where_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(dtypes.int64, (D.fresh(), D.fresh() if s is None else len(s)))]


def _where_numpy(x: Any) -> Any:
    if not x.ndim:
        raise bad_value("WhereOp : Unhandled input dimensions: 0")
    flat = np.flatnonzero(x)  # as one axis: numpy looks for several axes element by element
    if x.ndim == 1:
        return flat.astype(np.int64, copy=False)[:, None]
    return np.stack(np.unravel_index(flat, x.shape), axis=1).astype(np.int64, copy=False)


where_op = op(
    "where_indices", "Where", "structured", doc="The indices of the elements that are true.",
    args=("condition",), types="fiubc", infer=_where_infer, grad=no_grad,
    numpy=_where_numpy, facts={"data_shape": True},
)  # fmt: skip


def where_indices(condition: Any, name: str | None = None) -> Value:
    """The indices of the true elements of `condition`, one row each, in row-major order."""
    return make(where_op, [("condition", condition)], None, name).outputs[0]


where_op.call = where_indices


def boolean_mask(
    tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: Any = None
) -> Value:
    """The slices of `tensor` for which `mask` is true, along the axes of `mask`.

    Raises
    ------
    ValueError
        When `mask` is a scalar, has an unknown rank, or does not fit `tensor`.
    """
    from graphc.ops import reduce

    with current().scope(name, "boolean_mask"):
        x = as_value(tensor, None, "tensor")
        m = as_value(mask, None, "mask")
        t = m.static_shape
        if t is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None. "
                " E.g. shape=[None] is ok, but shape=None is not."
            )
        if not t:
            raise ValueError("mask cannot be scalar.")
        at = (
            0
            if axis is None
            else operator.index(ints(axis.node.attrs["value"]) if isinstance(axis, Value) else axis)
        )
        n = len(t)
        s = x.static_shape
        if s is not None:
            part = s[at : at + n]
            if len(part) != n or any(D.same(a, b) is False for a, b in zip(part, t, strict=True)):
                raise ValueError(f"Shapes {shown(part)} and {shown(t)} are incompatible")
        leading = reduce.reduce_prod(getitem(shape(x), builtins.slice(at, at + n)), [0])
        sized = concat(
            [
                getitem(shape(x), builtins.slice(None, at)),
                [leading],
                getitem(shape(x), builtins.slice(at + n, None)),
            ],
            0,
        )
        rows = reshape(x, sized)
        if s is not None and D.facts() is None:
            first = D.product(s[at : at + n])
            rows.static_shape = (
                *s[:at],
                first if D.is_known(s[at : at + n]) else D.fresh(),
                *s[at + n :],
            )
        flat = reshape(m, [-1])
        return gather(rows, squeeze(where_indices(flat), axis=[1]), axis=at)


def _unique_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    if x.static_shape is not None and len(x.static_shape) != 1:
        raise shape_error(f"Shape must be rank 1 but is rank {len(x.static_shape)}")
    n = D.fresh()
    out: list[Any] = [(x.dtype, (n,)), (attrs["out_idx"], x.static_shape or (D.fresh(),))]
    return [*out, (attrs["out_idx"], (n,))] if attrs.get("counts") else out


def _unique_numpy(x: Any, *, out_idx: Any, counts: bool = False) -> Any:
    if x.dtype.kind == "O":
        places: dict[bytes, int] = {}
        which = [places.setdefault(v, len(places)) for v in x.tolist()]
        y = np.empty(len(places), object)
        y[:] = list(places)
        index = np.array(which, out_idx.np)
        return (y, index, np.bincount(index).astype(out_idx.np)) if counts else (y, index)
    first, inverse, many = _by_table(x) or _by_sorting(x)
    order = np.argsort(first)  # in order of first appearance
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    out = (x[first[order]], place[inverse].reshape(x.shape).astype(out_idx.np))
    return (*out, many[order].astype(out_idx.np)) if counts else out


def _by_sorting(x: Any) -> tuple[Any, Any, Any]:
    """Where different elements are first, which of them each element is, and their counts."""
    return np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )[1:]


#: Entries of a table of integers for each of them: up to there it takes less time than sorting.
SPARSE = 4


def _by_table(x: Any) -> tuple[Any, Any, Any] | None:
    """As `_by_sorting`, for integers of a small range; None for others."""
    if x.dtype.kind not in "iub" or not x.size:
        return None
    low, high = x.min(), x.max()
    if int(high) - int(low) >= SPARSE * x.size:
        return None
    key = (x - low).astype(np.int64) if x.dtype.kind == "u" else x.astype(np.int64) - int(low)
    table = np.full(int(high) - int(low) + 1, -1)
    table[key[::-1]] = np.arange(x.size)[::-1]  # of several, the last one written stays
    held = np.flatnonzero(table >= 0)
    first = table[held]
    table[held] = np.arange(held.size)
    return first, table[key], np.bincount(key)[held]


#: Fewer elements are sorted in less time than a call of native code takes.
_FEW = 64


def _unique_native(context: Any, x: Any, *, out_idx: Any, counts: bool = False) -> Any:
    """As `_unique_numpy`, in native code where there are many numbers."""
    if x.dtype.kind == "O" or not _FEW <= x.size < 1 << 30:
        return _unique_numpy(x, out_idx=out_idx, counts=counts)
    bits = (2 * x.size - 1).bit_length()
    shift, room = np.uint64(64 - bits), np.empty(1 << bits, np.int32)
    found = context.native(unique_loops.places_op, (_keys(x), shift, room))
    which, first, many = found[0], found[1], found[2]
    n = int(found[3])
    out = x[first[:n]], which.astype(out_idx.np)
    return (*out, many[:n].astype(out_idx.np)) if counts else out


def _keys(x: Any) -> Any:
    """Integers that are equal where the numbers are: 0.0 and -0.0 are, NaN is not even itself."""
    if x.dtype.kind != "f":
        return x.view(np.int64) if x.dtype == np.uint64 else x.astype(np.int64)
    wide = x.astype(np.float64) + 0.0
    keys = wide.view(np.int64)
    nan = np.flatnonzero(np.isnan(wide))
    keys[nan] = np.float64(np.inf).view(np.int64) + 1 + np.arange(nan.size)
    return keys


unique_op = op(
    "unique", "Unique", "structured", doc="The different elements, in order of appearance.",
    args=("x",), host=_unique_native,
    types="fiubsc", infer=_unique_infer, numpy=_unique_numpy,
    facts={"data_shape": True, "host": True, "no_gradient_error": True},
)  # fmt: skip

unique_counts_op = op(
    "unique_with_counts", "UniqueWithCounts", "structured",
    doc="The different elements and their counts.",
    args=("x",), types="fiubsc", infer=_unique_infer, numpy=_unique_numpy, host=_unique_native,
    facts={"data_shape": True, "host": True, "no_gradient_error": True},
)  # fmt: skip


def _tuple_type(name: str, fields: str) -> Any:
    from collections import namedtuple

    return namedtuple(name, fields)


_Unique = _tuple_type("Unique", "y idx")
_UniqueWithCounts = _tuple_type("UniqueWithCounts", "y idx count")


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """The different elements of a vector as they appear, and where each element is among them."""
    return _Unique(*make(unique_op, [("x", x)], None, name, {"out_idx": as_dtype(out_idx)}).outputs)


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """As `unique`, and how often each element occurs."""
    attrs = {"out_idx": as_dtype(out_idx), "counts": True}
    return _UniqueWithCounts(*make(unique_counts_op, [("x", x)], None, name, attrs).outputs)


unique_op.call, unique_counts_op.call = unique, unique_with_counts


# ------------------------------------------------------------------------- partition and stitch


def _partition_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, p = inputs
    s, t = x.static_shape, p.static_shape
    if s is None or t is None:
        return [(x.dtype, None)] * attrs["num_partitions"]
    if len(t) > len(s) or any(D.same(a, b) is False for a, b in zip(s, t, strict=False)):
        raise shape_error(
            f"data.shape = {text(s)} does not start with partitions.shape = {text(t)}"
        )
    return [(x.dtype, (D.fresh(), *s[len(t) :])) for _ in range(attrs["num_partitions"])]


def _partition(context: Any, x: Any, p: Any, *, num_partitions: int) -> Any:
    ids = p.reshape(-1)
    wrong = np.nonzero((ids < 0) | (ids >= num_partitions))[0]
    if wrong.size:
        raise bad_value(f"partitions[{wrong[0]}] = {ids[wrong[0]]} is not in [0, {num_partitions})")
    rows = x.reshape(ids.size, *x.shape[p.ndim :])
    each = (np.flatnonzero(ids == i) for i in range(num_partitions))
    return tuple(picked_rows(context, rows, at) for at in each)


def _partition_numpy(x: Any, p: Any, *, num_partitions: int) -> Any:
    return _partition(None, x, p, num_partitions=num_partitions)


def _partition_grad(ys: Any, dys: Any, x: Value, p: Value, *, num_partitions: int) -> Any:
    places = reshape(range_(size_of(p)), shape(p))
    parts = dynamic_partition(places, p, num_partitions)
    return reshape(dynamic_stitch(parts, filled_in(dys, ys)), shape(x)), None


dynamic_partition_op = op(
    "dynamic_partition", "DynamicPartition", "structured", doc="Rows sorted into parts by number.",
    args=("data", "partitions"), types="fiubsc", infer=_partition_infer, numpy=_partition_numpy,
    host=_partition, grad=_partition_grad, fails=True, facts={"data_shape": True},
)  # fmt: skip


def dynamic_partition(
    data: Any, partitions: Any, num_partitions: int, name: str | None = None
) -> list[Value]:
    """The rows of `data` in `num_partitions` tensors, as `partitions` says."""
    with current().scope(name, "DynamicPartition") as scope:
        x = as_value(data, None, "data")
        parts = as_operand("DynamicPartition", "partitions", partitions, dtypes.int32)
        attrs = {"num_partitions": int(num_partitions)}
        return list(build(dynamic_partition_op, (x, parts), attrs, scope or name).outputs)


dynamic_partition_op.call = dynamic_partition


def _stitch_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = len(inputs) // 2
    tail: Shape | None = None
    for i, x in zip(inputs[:n], inputs[n:], strict=True):
        s, t = x.static_shape, i.static_shape
        if s is None or t is None:
            continue
        if len(t) > len(s) or any(D.same(a, b) is False for a, b in zip(s, t, strict=False)):
            raise shape_error(
                f"data.shape = {text(s)} does not start with indices.shape = {text(t)}"
            )
        tail = merge(tail, s[len(t) :])
    places = _stitch_places([known(v) for v in inputs[:n]])
    rows = D.fresh() if places is None else max(places, default=-1) + 1
    return [(inputs[n].dtype, None if tail is None else (rows, *tail))]


def _stitch_places(indices: Sequence[Any]) -> list[int] | None:
    """All indices in order, where they are known numbers."""
    out: list[int] = []
    for k in indices:
        for i in k if isinstance(k, tuple) else (k,):
            if type(i) is not int or i < 0:
                return None
            out.append(i)
    return out


def _stitch_dims(*given: Any) -> Any:
    n = len(given) // 2
    places = _stitch_places(given[:n])
    if places is None or None in given[n:]:
        return None
    items = [x for k in given[n:] for x in (k if isinstance(k, tuple) else (k,))]
    if len(items) != len(places):
        return None
    out: list[Any] = [0] * (max(places, default=-1) + 1)
    for i, x in zip(places, items, strict=True):
        out[i] = x
    return tuple(out)


def _stitch_numpy(*inputs: Any) -> Any:
    return _stitch(None, *inputs)


def _stitch(context: Any, *inputs: Any) -> Any:
    n = len(inputs) // 2
    size = max((int(i.max()) + 1 for i in inputs[:n] if i.size), default=0)
    tail = inputs[n].shape[inputs[0].ndim :]
    for i in inputs[:n]:
        if i.size and i.min() < 0:
            raise bad_value(f"indices[0] = {i.min()} is out of range")
    places = np.concatenate([i.reshape(-1) for i in inputs[:n]])
    rows = [x.reshape(i.size, *tail) for i, x in zip(inputs[:n], inputs[n:], strict=True)]
    if places.size == size:  # mostly each place once: then rows are read, not written, anywhere
        named = np.zeros(size, np.bool_)
        named[places] = True
        if named.all():
            made = placed_rows(context, inputs[:n], rows)
            if made is not None:
                return made
            source = np.empty(size, np.int64)
            source[places] = np.arange(size)
            return np.concatenate(rows).take(source, axis=0)
    out = np.zeros((size, *tail), inputs[n].dtype)
    for i, x in zip(inputs[:n], rows, strict=True):
        out[i.reshape(-1)] = x
    return out


def _stitch_grad(y: Value, dy: Value, *inputs: Value) -> Any:
    n = len(inputs) // 2
    return (*nones(inputs[:n]), *(gather(dy, i) for i in inputs[:n]))


dynamic_stitch_op = op(
    "dynamic_stitch", "DynamicStitch", "structured",
    doc="Rows of several tensors put at given places.",
    args=("*indices",), types="iu", infer=_stitch_infer, numpy=_stitch_numpy, host=_stitch,
    grad=_stitch_grad,
    fails=True, facts={"data_shape": True}, dims=_stitch_dims,
)  # fmt: skip


def dynamic_stitch(indices: Sequence[Any], data: Sequence[Any], name: str | None = None) -> Value:
    """One tensor whose row ``indices[i][j]`` is ``data[i][j]``; later ones win."""
    if len(indices) != len(data):
        raise ValueError(
            f"List argument 'data' to 'DynamicStitch' Op with length {len(data)} must match "
            f"length {len(indices)} of argument 'indices'."
        )
    with current().scope(name, "DynamicStitch") as scope:
        ids = [
            as_operand("DynamicStitch", f"indices_{i}", v, dtypes.int32)
            for i, v in enumerate(indices)
        ]
        xs = same_types("DynamicStitch", data, "data")
        return apply(dynamic_stitch_op, [*ids, *xs], None, scope or name)


dynamic_stitch_op.call = dynamic_stitch


def _invert_numpy(x: Any) -> Any:
    out = np.empty_like(x)
    inside = (x >= 0) & (x < x.size)
    if inside.all():
        out[x] = np.arange(x.size).astype(x.dtype)
        again = out[x] != np.arange(x.size)  # of equal ones the last stays
        if not again.any():
            return out
    seen: set[int] = set()
    for e in x.tolist():  # the first that is wrong
        if not 0 <= e < x.size:
            raise bad_value(f"{e} is not between 0 and {x.size}")
        if e in seen:
            raise bad_value(f"{e} is duplicated in the input.")
        seen.add(e)
    return out


def _invert_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) != 1:
        raise shape_error(f"Shape must be rank 1 but is rank {len(s)}")
    return [(inputs[0].dtype, s or (D.fresh(),))]


invert_permutation_op = op(
    "invert_permutation", "InvertPermutation", "structured", doc="The inverse of a permutation.",
    args=("x",), types="iu", infer=_invert_infer, numpy=_invert_numpy, grad=no_grad, fails=True,
    dims=lambda x: None if not isinstance(x, tuple) or not all(type(e) is int for e in x)
    else tuple(x.index(i) if i in x else None for i in range(len(x))),
)  # fmt: skip


def invert_permutation(x: Any, name: str | None = None) -> Value:
    """The permutation that undoes `x`."""
    return make(invert_permutation_op, [("x", x)], None, name).outputs[0]


invert_permutation_op.call = invert_permutation


def _spread(s0: Any, s1: Any) -> Any:
    """For both shapes the axes along which they are spread; None where that is not known."""
    if not isinstance(s0, tuple) or not isinstance(s1, tuple) or None in (*s0, *s1):
        return None
    rank = max(len(s0), len(s1))
    a, b = ((1,) * (rank - len(s)) + s for s in (s0, s1))
    apart = [i for i in range(rank) if not D.same(a[i], b[i])]
    return tuple(i for i in apart if D.same(a[i], 1)), tuple(i for i in apart if D.same(b[i], 1))


def _spread_dims(*shapes: Any, dtype: DType, **attrs: Any) -> Any:
    return _spread(*shapes) if attrs.get("dynamic") else _spread(**attrs)


def _spread_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    t = attrs["dtype"]
    axes = _spread(*[known_operand(inputs, attrs, name) for name in ("s0", "s1")])
    if axes is None or D.facts() is None:
        return [(t, (D.fresh(),)), (t, (D.fresh(),))]
    return [(t, (len(a),)) for a in axes]


def _spread_expand(*, s0: Any, s1: Any, dtype: DType) -> tuple[Value, ...]:
    made = [np.array(axes, dtype.np) for axes in _spread(s0, s1)]
    return tuple(make_constant(a, dtype, None) for a in made)


broadcast_gradient_args_op = op(
    "broadcast_gradient_args", "BroadcastGradientArgs", "composite", types="i",
    doc="Axes to sum over for the gradients of two tensors that were broadcast.",
    infer=_spread_infer, dims=_spread_dims, expand=_spread_expand, grad=no_grad,
    numpy=lambda *, s0, s1, dtype: tuple(np.array(a, dtype.np) for a in _spread(s0, s1)),
    facts={"dims_of_each": True},
)  # fmt: skip


def broadcast_gradient_args(s0: Value, s1: Value, name: str | None = None) -> tuple[Value, ...]:
    """For two shapes the axes along which each is spread to the other."""
    attrs = {"dynamic": ("s0", "s1"), "dtype": s0.dtype}
    return build(broadcast_gradient_args_op, (s0, s1), attrs, name).outputs


# ------------------------------------------------------------------------- made of the ops above


def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool_, name: str | None = None
) -> Value:
    """True for the first ``lengths[i]`` elements of row ``i`` of `maxlen`."""
    from graphc.ops import math, reduce

    with current().scope(name, "SequenceMask"):
        n = as_value(lengths, None)
        if maxlen is None:
            most = reduce.reduce_max(n)
            most = math.maximum(convert(0, most.dtype), most)
            row = range_(convert(0, most.dtype), most, convert(1, most.dtype))
        else:
            m = as_value(maxlen, None)
            if m.static_shape not in ((), None):
                raise ValueError("maxlen must be scalar for sequence_mask")
            row = range_(convert(0, m.dtype), m, convert(1, m.dtype))
        column = math.cast(expand_dims(n, -1), row.dtype)
        current().reserve("Cast")
        out: Value = math.less(row, column)
        want = as_dtype(dtype)
        return out if want is dtypes.bool_ else math.cast(out, want)


def meshgrid(*args: Any, **kwargs: Any) -> list[Value]:
    """Coordinate tensors of a grid.

    Parameters
    ----------
    indexing : {"xy", "ij"}
    """
    indexing = kwargs.pop("indexing", "xy")
    name = kwargs.pop("name", "meshgrid")
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    with current().scope(name, "meshgrid"):
        n = len(args)
        s0 = (1,) * n
        out = [reshape(as_value(x), (*s0[:i], -1, *s0[i + 1 :])) for i, x in enumerate(args)]
        counts = [size_of(as_value(x)) for x in args]
        dtype = as_value(args[0]).dtype if args else dtypes.float32
        if indexing == "xy" and n > 1:
            out[0] = reshape(out[0], (1, -1, *(1,) * (n - 2)))
            out[1] = reshape(out[1], (-1, 1, *(1,) * (n - 2)))
            counts[0], counts[1] = counts[1], counts[0]
        from graphc.ops import fills

        # TF1 asks whether there are few enough to be a constant
        current().reserve("ones/mul", "ones/Less/y", "ones/Less")
        ones_ = fills.fill(counts, convert(1, dtype))
        return [x * ones_ for x in out]
