"""Sorting, searching, counting: what needs an order or a histogram of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import arrays, check, fills, lookup, math, reduce, shapes, spaced, transposing
from graphc.ops.counting import as_many, made, sized
from graphc.ops.gathers import sorted_segments
from graphc.ops.joining import concat_op
from graphc.ops.ranking import lower_search
from graphc.ops.record import (
    Attrs,
    Types,
    as_operand,
    as_value,
    no_grad,
    op,
    same_types,
    shape_error,
)  # fmt: skip

__all__ = [
    "argsort", "bincount", "broadcast_dynamic_shape", "guarantee_const", "histogram_fixed_width",
    "histogram_fixed_width_bins", "parallel_stack", "searchsorted", "setdiff1d", "sort",
    "sparse_matmul", "sparse_segment_mean", "sparse_segment_sqrt_n", "sparse_segment_sum",
    "unravel_index",
]  # fmt: skip

# ------------------------------------------------------------------------- sorting


def _last(x: Value, axis: int) -> Any:
    """The permutation that exchanges `axis` and the last axis; None where there is none to do."""
    rank = x.rank
    if rank is None:
        if axis == -1:
            return None
        n = shapes.rank(x)
        at, each = axis if axis >= 0 else math.select(n < -axis, n, n + axis), spaced.range(n)
        rest = math.select(math.equal(each, n - 1), at, each)
        return math.select(math.equal(each, at), n - 1, rest)
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for rank {rank}")
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis % rank]
    return None if order[-1] == rank - 1 else order


def _turned(x: Value) -> Value:
    """What is largest where `x` is smallest; of that again, `x`."""
    if x.dtype.kind == "f":
        return math.negative(x)  # type: ignore[no-any-return]
    return math.invert(x, name="Neg")  # type: ignore[no-any-return]  # no overflow at the lowest


def _sorted(values: Any, axis: Any, direction: str, which: int, name: str) -> Value:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"Direction should be one of ASCENDING, DESCENDING, not {direction}")
    if not isinstance(axis, int | np.integer):
        raise ValueError("axis must be a constant scalar")
    turned = direction == "ASCENDING"
    with current().scope(name, "sort"):
        x = as_value(values, None, "values")
        if x.rank == 0:
            raise ValueError("a scalar cannot be sorted")
        count = 8 + turned * (2 - which)
        if x.rank is None:
            count += 17 * (axis != -1)
        else:
            count += 3 * (axis not in (-1, x.rank - 1))
        with current().counts_as(count):
            order = _last(x, int(axis))
            rows = _turned(x) if turned else x
            rows = rows if order is None else transposing.transpose(rows, order)
            out: Value = lookup.top_k(rows, shapes.shape(rows)[-1])[which]
            out = out if order is None else transposing.transpose(out, order)
            return _turned(out) if turned and not which else out


def sort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None
) -> Value:
    """`values` in order along an axis.

    Parameters
    ----------
    direction : {"ASCENDING", "DESCENDING"}
    """
    return _sorted(values, axis, direction, 0, name or "sort")


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The int32 indices that put `values` in order along an axis; equal elements keep theirs."""
    return _sorted(values, axis, direction, 1, name or "argsort")


# ------------------------------------------------------------------------- sets of numbers


class ListDiff(NamedTuple):
    """What `setdiff1d` gives."""

    out: Value
    idx: Value


def _difference(x: Any, y: Any, *, index_dtype: Any) -> Any:
    at = np.nonzero(~np.isin(x, y))[0]
    return x[at], at.astype(index_dtype.np)


def _difference_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    for v in inputs:
        if v.rank not in (1, None):
            raise shape_error(f"Shape must be rank 1 but is rank {v.rank}")
    n = D.fresh()
    return [(inputs[0].dtype, (n,)), (attrs["index_dtype"], (n,))]


difference_op = op(
    "setdiff1d", "ListDiff", "host", args=("x", "y"), types="fiubs", numpy=_difference,
    doc="Elements of x that y does not have, and where they are.", infer=_difference_infer,
    grad=no_grad,
)  # fmt: skip


def setdiff1d(x: Any, y: Any, index_dtype: Any = dtypes.int32, name: str | None = None) -> ListDiff:
    """The elements of `x` that `y` does not have, in order, and their indices."""
    a = as_value(x, None, "x")
    b = as_value(y, a.dtype if not isinstance(y, Value) else None, "y")
    attrs = {"index_dtype": as_dtype(index_dtype)}
    return ListDiff(*build(difference_op, (a, b), attrs, name).outputs)


# ------------------------------------------------------------------------- counting


def _bin_count(arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None,
               *more: Any, **named: Any) -> int | None:  # fmt: skip
    if not isinstance(arr, Value):
        return None
    ends = 2 * (minlength is not None) + 2 * (maxlength is not None)
    return (13 if weights is None else 12) + ends


@as_many(_bin_count)
def bincount(
    arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None,
    dtype: Any = dtypes.int32,
) -> Value:  # fmt: skip
    """How often each number from 0 on occurs in `arr`, or the sum of its `weights`.

    Parameters
    ----------
    minlength, maxlength : int, optional
        The least and the greatest length of the result.
    dtype : DType
        Of the result without `weights`.
    """
    with current().scope(None, "bincount"):
        flat = shapes.reshape(as_value(arr, dtypes.int32, "arr"), [-1])
        right = check.Assert(reduce.reduce_all(flat >= 0), ["Input arr must be non-negative!"])
        graph: Any = current()
        with graph.control_dependencies([right]):
            size = math.maximum(reduce.reduce_max(flat) + 1, 0)  # of no numbers: none
        if minlength is not None:
            size = math.maximum(size, as_value(minlength, dtypes.int32, "minlength"))
        if maxlength is not None:
            size = math.minimum(size, as_value(maxlength, dtypes.int32, "maxlength"))
            flat = math.select(flat < size, flat, -1)
        if weights is None:
            each = fills.ones_like(flat, dtype=as_dtype(dtype))
        else:
            each = shapes.reshape(as_value(weights, None, "weights"), [-1])
        return arrays.unsorted_segment_sum(each, flat, size)


def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The bin, from 0 to ``nbins - 1``, of each value in a histogram of bins of equal width.

    Parameters
    ----------
    value_range : tensor of two
        Values outside belong to the first and last bin.
    """
    with current().scope(name, "histogram_fixed_width_bins"):
        x = as_value(values, None, "values")
        low_high = as_value(value_range, x.dtype, "value_range")
        flat = shapes.reshape(x, [-1])
        scaled = math.truediv(flat - low_high[0], low_high[1] - low_high[0])
        n = as_value(nbins, dtypes.int32, "nbins")
        at = math.cast(math.floor(math.cast(n, scaled.dtype) * scaled), dtypes.int32)
        inside = math.minimum(math.maximum(at, 0), n - 1)
        return shapes.reshape(math.cast(inside, as_dtype(dtype)), shapes.shape(x))


@as_many(3)
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Value:  # fmt: skip
    """How many values lie in each of `nbins` bins of equal width.

    Parameters
    ----------
    value_range : tensor of two
        Values outside are counted in the first and last bin.
    """
    with current().scope(name, "histogram_fixed_width"):
        at = shapes.reshape(histogram_fixed_width_bins(values, value_range, nbins), [-1])
        ones = fills.ones_like(at, dtype=as_dtype(dtype))
        return arrays.unsorted_segment_sum(ones, at, nbins)


def _search(rows: Any, values: Any, *, side: Any, out_type: Any) -> Any:
    flat = rows.reshape(-1, rows.shape[-1])
    wanted = values.reshape(len(flat), -1)
    found = [np.searchsorted(a, v, side=side) for a, v in zip(flat, wanted, strict=True)]
    return np.array(found, out_type.np).reshape(values.shape)


def _search_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, t = (v.static_shape for v in inputs)
    if s is not None and t is not None:
        if not s or not t or D.same(D.product(s[:-1]), D.product(t[:-1])) is False:
            raise shape_error("Leading dim_size of both tensors must match.")
    return [(attrs["out_type"], t)]


searchsorted_op = op(
    "searchsorted", "LowerBound", "structured", args=("sorted_inputs", "values"), types="fiu",
    doc="Where values belong in sorted rows.", numpy=_search, grad=no_grad, infer=_search_infer,
    lower=lower_search, fails=True,
    facts={"type": lambda inputs, attrs: (
        "LowerBound" if attrs["side"] == "left" else "UpperBound")},
)  # fmt: skip


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = dtypes.int32,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The index at which each value would be put into its sorted row.

    Parameters
    ----------
    side : {"left", "right"}
        Before or after elements equal to it.
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    rows = as_value(sorted_sequence, None, "sorted_sequence")
    kind = "LowerBound" if side == "left" else "UpperBound"
    wanted = as_operand(kind, "values", values, rows.dtype, "sorted_inputs")
    attrs = {"side": side, "out_type": as_dtype(out_type)}
    made(18)  # shapes, and reshapes to rows and back
    return build(searchsorted_op, (rows, wanted), attrs, name).outputs[0]


# ------------------------------------------------------------------------- segments of rows


def _picked(data: Any, indices: Any, segment_ids: Any) -> tuple[Value, Value]:
    at, ids = as_value(indices, None, "indices"), as_value(segment_ids, None, "segment_ids")
    for v in (at, ids):
        if v.rank not in (1, None):
            raise ValueError(f"Shape must be rank 1 but is rank {v.rank}: {v.name}")
    return arrays.gather(data, at), ids


def _sparse_segment(kind: str, doc: str) -> Any:
    @as_many(
        lambda *args, num_segments=None, **named: (
            1
            + sum(not isinstance(x, Value) for x in (*args[:3], *named.values()))
            + (num_segments is not None and not isinstance(num_segments, Value))
        )
    )
    def function(
        data: Any, indices: Any, segment_ids: Any, name: str | None = None,
        num_segments: Any = None,
    ) -> Value:  # fmt: skip
        tag = "".join(w.capitalize() for w in kind.split("_"))
        with current().scope(name, f"SparseSegment{tag}"):
            rows, ids = _picked(data, indices, segment_ids)
            return sorted_segments(kind, rows, ids, num_segments)

    function.__name__ = function.__qualname__ = f"sparse_segment_{kind}"
    function.__doc__ = f"{doc} over the rows ``data[indices]`` of each segment."
    return function


sparse_segment_sum = _sparse_segment("sum", "Sums")
sparse_segment_mean = _sparse_segment("mean", "Means")
sparse_segment_sqrt_n = _sparse_segment("sqrt_n", "Sums divided by the root of the number of rows")


# ------------------------------------------------------------------------- shapes and indices


def _unravel(indices: Any, dims: Any) -> Any:
    if dims.ndim != 1:
        raise InvalidArgumentError(None, None, f"Shape must be rank 1 but is rank {dims.ndim}")
    n = int(np.prod(dims, dtype=np.int64))
    if indices.size and (indices.min() < 0 or indices.max() >= n):
        raise InvalidArgumentError(None, None, "index is out of bound as with dims")
    return np.array(np.unravel_index(indices, tuple(dims)), indices.dtype)


def _unravel_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    i, dims = inputs
    if dims.rank not in (1, None):
        raise shape_error(f"Shape must be rank 1 but is rank {dims.rank}")
    n = None if dims.static_shape is None else dims.static_shape[0]
    if i.static_shape is None or n is None:
        return [(i.dtype, None)]
    return [(i.dtype, (n, *i.static_shape))]


unravel_op = op(
    "unravel_index", "UnravelIndex", "host", args=("indices", "dims"), types="i", numpy=_unravel,
    doc="Index vectors of flat indices.", infer=_unravel_infer, grad=no_grad,
)  # fmt: skip


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Value:
    """For flat indices into a tensor of sizes `dims` the indices along each axis."""
    i = as_value(indices, None, "indices")
    return build(unravel_op, (i, as_value(dims, i.dtype, "dims")), None, name).outputs[0]


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Value:
    """The shape of two tensors broadcast against each other, from their shape vectors."""
    x = as_value(shape_x, None, "shape_x")
    y = as_value(shape_y, x.dtype if not isinstance(shape_y, Value) else None, "shape_y")
    if x.static_shape is None or y.static_shape is None:
        raise ValueError("broadcast_dynamic_shape needs shape vectors of known rank")
    m, n = x.static_shape[0], y.static_shape[0]
    if type(m) is not int or type(n) is not int:
        raise ValueError("broadcast_dynamic_shape needs shape vectors of known length")
    with current().counts_as(1):
        if m < n:
            x, y, m, n = y, x, n, m
        if m > n:
            y = arrays.concat([fills.ones([m - n], dtype=y.dtype), y], 0)
        one = math.logical_or(math.equal(x, 1), math.equal(y, 1))
        fits = reduce.reduce_all(math.logical_or(one, math.equal(x, y)))
        graph: Any = current()
        with graph.control_dependencies([check.Assert(fits, ["Incompatible shapes:", x, y])]):
            return math.select(math.equal(x, 1), y, x, name="BroadcastArgs")  # type: ignore[no-any-return]


def sparse_matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False,
    a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None,
) -> Value:  # fmt: skip
    """A matrix product; that operands hold many zeros changes nothing."""
    from graphc.ops import linalg

    return linalg.matmul(a, b, transpose_a, transpose_b, name=name)


def guarantee_const(input: Any, name: str | None = None) -> Value:
    """`input`."""
    from graphc.ops import state

    return state.identity(input, name=name or "GuaranteeConst")


def parallel_stack(values: Any, name: str = "parallel_stack") -> Value:
    """`values` stacked along a new first axis."""
    with current().scope(name, "parallel_stack"):
        given = same_types("ParallelConcat", values, "values")
        if not all(sized(v) for v in given):
            raise ValueError("shape attr must be fully defined.")
        with current().counts_as(2 * len(given) + 1):
            if len(given) == 1:  # a copy in TensorFlow, as a stack of one is not
                row = shapes.expand_dims(given[0], 0)
                return build(concat_op, [row], {"axis": 0}, "ParallelConcat").outputs[0]
            return arrays.stack(given, 0, "ParallelConcat")
