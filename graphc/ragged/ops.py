"""Operations on ragged tensors: sums over axes, joining, picking, masks, ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, ordering, reduce, shapes, spaced, state
from graphc.ops.convert import convert_to_tensor
from graphc.ragged.elementwise import map_flat_values, matched
from graphc.ragged.slicing import take_rows
from graphc.ragged.tensor import (
    RaggedTensor,
    coordinates,
    count,
    is_ragged,
    ragged_of,
    ranges,
    rows_of,
    splits_of,
)  # fmt: skip

__all__ = [
    "boolean_mask", "range", "row_splits_to_segment_ids", "segment_ids_to_row_splits", "stack",
    "stack_dynamic_partitions",
]  # fmt: skip


def _rank(x: Any) -> int:
    n = x.get_shape().ndims
    if n is None:
        raise ValueError("the rank of a ragged tensor must be known here")
    return int(n)


def _axis(axis: Any, rank: int) -> int:
    at = int(axis)
    if not -rank <= at < rank:
        raise ValueError(f"axis={at} out of bounds: expected {-rank}<=axis<{rank}")
    return at % rank


def _any(x: Any, like: Any = None) -> Any:
    return x if is_ragged(x) else convert_to_tensor(x, dtype=None if like is None else like.dtype)


def as_ragged(x: Any, ragged_rank: int, kind: Any = dtypes.int64) -> Any:
    """A tensor as a ragged one, and a ragged one with at least that many levels."""
    if ragged_rank <= 0:
        return x
    if not is_ragged(x):
        return RaggedTensor.from_tensor(x, ragged_rank=ragged_rank, row_splits_dtype=kind)
    if x.ragged_rank >= ragged_rank:
        return x
    return ragged_of(as_ragged(x.values, ragged_rank - 1, kind), x.row_splits)


# ------------------------------------------------------------------------- sums


def _segment(f: Callable[..., Any], x: Any, ids: Any, many: Any) -> Any:
    """`f`, a sum by segments, of the rows of `x`; of ragged rows place by place."""
    if not is_ragged(x):
        return f(x, ids, many)
    kind = x.row_splits.dtype
    ids = math.cast(ids, kind)
    longest = arrays.unsorted_segment_max(x.row_lengths(), ids, many)
    splits = splits_of(math.maximum(longest, fills.zeros_like(longest)))
    rows = x.value_rowids()
    column = spaced.range(count(x.values, kind), dtype=kind) - arrays.gather(x.row_starts(), rows)
    at = arrays.gather(splits, arrays.gather(ids, rows)) + column
    return ragged_of(_segment(f, x.values, at, splits[-1]), splits)


def segments(f: Callable[..., Any]) -> Callable[..., Any]:
    """``tf.unsorted_segment_…`` of ragged data."""

    def call(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
        with name_scope(name, "RaggedSegment"):
            n = num_segments
            if not isinstance(n, int):
                n = math.cast(convert_to_tensor(n), dtypes.int64)
            return _segment(f, data, convert_to_tensor(segment_ids), n)

    return call


def _reduced(whole: Any, f: Callable[..., Any], x: Any, axis: Any) -> Any:
    if axis is None:
        return whole(x.flat_values if is_ragged(x) else x)
    if isinstance(axis, list | tuple | np.ndarray):
        for a in sorted({_axis(a, _rank(x)) for a in axis}, reverse=True):
            x = _reduced(whole, f, x, a) if is_ragged(x) else whole(x, axis=a)
        return x
    at = _axis(axis, _rank(x))
    if at == 0:
        zeros = fills.zeros_like(x.row_starts())
        return _segment(f, x, zeros, 1).values
    if at == 1:
        with current().counts_as(None if is_ragged(x.values) else 74):
            return _segment(f, x.values, x.value_rowids(), x.nrows())
    inner = x.values
    made = _reduced(whole, f, inner, at - 1) if is_ragged(inner) else whole(inner, axis=at - 1)
    return ragged_of(made, x.row_splits)


def reduction(whole: Any, f: Callable[..., Any]) -> Callable[..., Any]:
    """``tf.reduce_…`` of ragged tensors: `whole` for tensors, `f` by segments."""

    def call(
        input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None,
        reduction_indices: Any = None, keep_dims: Any = None,
    ) -> Any:  # fmt: skip
        if keepdims or keep_dims:
            raise ValueError("keepdims=True is not supported for RaggedTensors.")
        with name_scope(name, "RaggedReduce"):
            return _reduced(whole, f, input_tensor, reduction_indices if axis is None else axis)

    return call


reduce_sum = reduction(reduce.reduce_sum, arrays.unsorted_segment_sum)
reduce_prod = reduction(reduce.reduce_prod, arrays.unsorted_segment_prod)
reduce_max = reduction(reduce.reduce_max, arrays.unsorted_segment_max)
reduce_min = reduction(reduce.reduce_min, arrays.unsorted_segment_min)


def reduce_mean(input_tensor: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The mean along an axis; of an empty row it is NaN."""
    ones = map_flat_values(fills.ones_like, input_tensor)
    total = reduce_sum(input_tensor, axis, *args, **kwargs)
    return total / reduce_sum(ones, axis, *args, **kwargs)


def reduce_any(input_tensor: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Whether any element of a row is true."""
    hits = map_flat_values(lambda x: math.cast(x, dtypes.int32), input_tensor)
    return _positive(reduce_sum(hits, axis, *args, **kwargs))


def reduce_all(input_tensor: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Whether all elements of a row are true."""
    wrong = map_flat_values(math.logical_not, input_tensor)
    return map_flat_values(math.logical_not, reduce_any(wrong, axis, *args, **kwargs))


def _positive(x: Any) -> Any:
    return map_flat_values(lambda v: math.greater(v, fills.zeros_like(v)), x)


# ------------------------------------------------------------------------- joining


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Any:
    """A new axis of size 1."""
    if not is_ragged(input):
        return shapes.expand_dims(input, axis)
    axis = dim if axis is None else axis
    at = _axis(axis, _rank(input) + 1)
    with name_scope(name, "RaggedExpandDims"):
        kind = input.row_splits.dtype
        if at == 0:
            ends = arrays.stack([fills.zeros_like(input.nrows()), input.nrows()])
            return ragged_of(input, ends)
        if at == 1:
            return ragged_of(input, spaced.range(input.nrows() + 1, dtype=kind))
        return ragged_of(expand_dims(input.values, at - 1), input.row_splits)


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Any:
    """Without axes of size 1, which must be named."""
    axis = squeeze_dims if axis is None else axis
    if axis is None:
        raise ValueError("Ragged.squeeze must have an axis argument.")
    axes = axis if isinstance(axis, list | tuple) else [axis]
    with name_scope(name, "RaggedSqueeze"):
        for at in sorted({_axis(a, _rank(input)) for a in axes}, reverse=True):
            input = _squeezed(input, at)
        return input


def _squeezed(x: Any, at: int) -> Any:
    if not is_ragged(x):
        return shapes.squeeze(x, [at])
    if at < 2:
        from graphc.face.asserts import assert_equal
        from graphc.face.current import control_dependencies

        sizes = x.nrows() if at == 0 else x.row_lengths()
        text = f"axis {at} of a ragged tensor is not of size 1"
        with control_dependencies([assert_equal(sizes, fills.ones_like(sizes), message=text)]):
            return map_flat_values(state.identity, x.values)
    return ragged_of(_squeezed(x.values, at - 1), x.row_splits)


def _joined(parts: Sequence[Any], at: int) -> Any:
    ragged = [p for p in parts if is_ragged(p)]
    if not ragged:
        return arrays.concat(list(parts), at)
    kind = ragged[0].row_splits.dtype
    deep = max(max(p.ragged_rank for p in ragged), min(at, _rank(ragged[0]) - 1) if at < 2 else 1)
    parts = [as_ragged(p, deep, kind) for p in parts]
    if at == 0:
        values = _joined([p.values for p in parts], 0)
        splits, end = [parts[0].row_splits], parts[0].row_splits[-1]
        for p in parts[1:]:
            splits.append(p.row_splits[1:] + end)
            end = splits[-1][-1] if p is not parts[-1] else end
        return ragged_of(values, arrays.concat(splits, 0))
    if at == 1:  # all rows, sorted, and each one's pieces together
        many = parts[0].nrows()
        rows = _joined(parts, 0)
        every = spaced.range(many, dtype=kind)
        order = arrays.stack([every + i * many for i in np.arange(len(parts)).tolist()], 1)
        sorted_ = take_rows(rows, shapes.reshape(order, [-1]))
        return ragged_of(sorted_.values, sorted_.row_splits[:: len(parts)])
    return ragged_of(_joined([p.values for p in parts], at - 1), parts[0].row_splits)


def concat(values: Any, axis: Any, name: str = "concat") -> Any:
    """Ragged tensors (and tensors) behind each other."""
    like = next(v for v in values if is_ragged(v))
    parts = [_any(v, like) for v in values]
    ranks = {_rank(p) for p in parts}
    if len(ranks) > 1:
        raise ValueError(f"all inputs have the same rank; got {sorted(ranks)}")
    with name_scope(name, "RaggedConcat"):
        return _joined(parts, _axis(axis, ranks.pop()))


def stack(values: Any, axis: Any = 0, name: str | None = None) -> Any:
    """Ragged tensors (and tensors) along a new axis."""
    if not isinstance(values, list | tuple):
        values = [values]
    if not values:
        raise ValueError("rt_inputs may not be empty.")
    parts = [_any(v, next((x for x in values if is_ragged(x)), None)) for v in values]
    if not any(map(is_ragged, parts)):
        return arrays.stack(parts, axis)
    at = _axis(axis, _rank(parts[0]) + 1)
    with name_scope(name, "RaggedStack"):
        deep = max(p.ragged_rank for p in parts if is_ragged(p))
        parts = [expand_dims(as_ragged(p, deep), at) for p in parts]
        return parts[0] if len(parts) == 1 else _joined(parts, at)


def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """Copies along each axis; how many is known before the run."""
    many = np.asarray(multiples).tolist() if not isinstance(multiples, Value) else None
    if many is None and multiples.node.op.name == "constant":
        many = multiples.node.attrs["value"].tolist()
    if many is None:
        raise ValueError("tile of a ragged tensor needs multiples that are known before the run")
    with name_scope(name, "RaggedTile"):
        for axis, n in enumerate(many):
            if n == 0:
                raise ValueError("tile of a ragged tensor with a multiple of 0")
            if n > 1:
                input = concat([input] * n, axis)
        return input


# ------------------------------------------------------------------------- picking


def gather(
    params: Any, indices: Any, validate_indices: Any = None, name: str | None = None,
    axis: Any = None, batch_dims: int = 0,
) -> Any:  # fmt: skip
    """Rows of `params` at `indices`; either may be ragged."""
    if batch_dims == 1 and axis in (None, 1):
        return batch_gather(params, indices, name)
    if batch_dims:
        raise ValueError("gather of ragged tensors takes batch_dims 0 or 1")
    if axis not in (None, 0):
        raise ValueError("axis != 0 is not supported for ragged gather yet.")
    with name_scope(name, "RaggedGather"):
        x, at = _any(params), _any(indices)
        if is_ragged(at):
            return ragged_of(gather(x, at.values), at.row_splits)
        if not is_ragged(x):
            return arrays.gather(x, at)
        at = math.cast(at, x.row_splits.dtype)
        if _rank(at) == 0:
            return x[at]
        if _rank(at) > 1:
            return gather(x, as_ragged(at, _rank(at) - 1, x.row_splits.dtype))
        return take_rows(x, at)


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Any:
    """Of each row of `params` the elements that the same row of `indices` names."""
    with name_scope(name, "RaggedBatchGather"):
        at = as_ragged(_any(indices), 1)
        x = as_ragged(_any(params), 1, at.row_splits.dtype)
        if is_ragged(at.values):
            return ragged_of(batch_gather(x.values, at.values), at.row_splits)
        flat = math.cast(at.values, x.row_splits.dtype)
        flat = flat + arrays.gather(x.row_starts(), at.value_rowids())
        return ragged_of(gather(x.values, flat), at.row_splits)


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Any:
    """What is at each index vector of `params`."""
    if batch_dims:
        raise ValueError("gather_nd of ragged tensors takes batch_dims 0")
    with name_scope(name, "RaggedGatherNd"):
        at = _any(indices)
        if is_ragged(at):
            return ragged_of(gather_nd(params, at.values), at.row_splits)
        depth = at.get_shape()[-1].value
        if depth is None:
            raise ValueError("indices.shape[-1] must be statically known.")
        if not is_ragged(params):
            return arrays.gather_nd(params, at)
        at = math.cast(at, params.row_splits.dtype)
        if depth == 0:
            raise ValueError("gather_nd of a ragged tensor needs indices")
        if depth == 1:
            return gather(params, at[..., 0])
        flat = arrays.gather(params.row_starts(), at[..., 0]) + at[..., 1]
        rest = arrays.concat([shapes.expand_dims(flat, -1), at[..., 2:]], -1)
        return gather_nd(params.values, rest)


def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """The elements for which `mask` is true; rows stay."""
    with name_scope(name, "RaggedMask"):
        x, m = _any(data), _any(mask)
        if m.dtype is not dtypes.bool_:
            raise TypeError("mask must be a bool tensor")
        if is_ragged(m) or _rank(m) > 1:
            deep = m.ragged_rank if is_ragged(m) else _rank(m) - 1
            m, x = as_ragged(m, deep), as_ragged(x, deep)
            if _rank(m) > 2:
                return ragged_of(boolean_mask(x.values, m.values), m.row_splits)
            kept = arrays.unsorted_segment_sum(
                math.cast(m.values, m.row_splits.dtype), m.value_rowids(), m.nrows()
            )
            return ragged_of(boolean_mask(x.values, m.values), splits_of(kept))
        if is_ragged(x):
            at = shapes.reshape(arrays.where_indices(m), [-1])
            return take_rows(x, math.cast(at, x.row_splits.dtype))
        return arrays.boolean_mask(x, m)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """Elements of `x` or `y`; with neither the places of what is true, a row each."""
    if (x is None) != (y is None):
        raise ValueError("x and y must be either both None or both non-None")
    with name_scope(name, "RaggedWhere"):
        if x is None:
            at = arrays.stack(coordinates(condition), 1)
            return math.cast(arrays.boolean_mask(at, condition.flat_values), dtypes.int64)
        rows, (c, a, b) = matched([_any(condition), _any(x), _any(y)])
        return rows.with_flat_values(math.where(c, a, b))


# ------------------------------------------------------------------------- ranges


def range(
    starts: Any, limits: Any = None, deltas: Any = 1, dtype: Any = None, name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> RaggedTensor:  # fmt: skip
    """A row of numbers for each start, limit and step."""
    if limits is None:
        starts, limits = 0, starts
    kind = dtypes.as_dtype(row_splits_dtype)
    with name_scope(name, "RaggedRange"):
        given: list[Any] = [convert_to_tensor(v, dtype=None if dtype is None else dtype)
                            for v in (starts, limits, deltas)]  # fmt: skip
        wide = max((t.dtype for t in given), key=lambda t: (t.kind == "f", t.size))
        given = [math.cast(t, wide) for t in given]
        vectors = [t for t in given if t.rank == 1]
        like = fills.zeros_like(vectors[0]) if vectors else fills.zeros([1], wide)
        begin, end, step = (t + like for t in given)
        span = math.cast(end - begin, dtypes.float64) / math.cast(step, dtypes.float64)
        many = math.cast(math.ceil(span), kind)
        many = math.maximum(many, fills.zeros_like(many))
        index, splits = ranges(fills.zeros_like(many), many)
        row = rows_of(splits, splits[-1])
        values = arrays.gather(begin, row) + math.cast(index, wide) * arrays.gather(step, row)
        return ragged_of(values, splits)


def row_splits_to_segment_ids(splits: Any, name: str | None = None, out_type: Any = None) -> Any:
    """The row of each value."""
    with name_scope(name, "RaggedSplitsToSegmentIds"):
        s = convert_to_tensor(np.array(splits, np.int64) if isinstance(splits, list) else splits)
        ids = rows_of(s, s[-1])
        return ids if out_type is None else math.cast(ids, dtypes.as_dtype(out_type))


def segment_ids_to_row_splits(
    segment_ids: Any, num_segments: Any = None, out_type: Any = None, name: str | None = None
) -> Any:
    """Where the rows of values begin whose rows are known."""
    with name_scope(name, "SegmentIdsToRaggedSplits"):
        given = np.array(segment_ids, np.int64) if isinstance(segment_ids, list) else segment_ids
        ids = convert_to_tensor(given)
        made = RaggedTensor.from_value_rowids(ids, ids, num_segments, validate=False)
        kind = dtypes.int64 if out_type is None else dtypes.as_dtype(out_type)
        return math.cast(made.row_splits, kind)


def stack_dynamic_partitions(
    data: Any, partitions: Any, num_partitions: Any, name: str | None = None
) -> RaggedTensor:
    """Row i has the elements of `data` whose partition is i."""
    with name_scope(name, "SegmentStack"):
        x, to = _any(data), convert_to_tensor(partitions, name="partitions")
        if to.rank is None:
            raise ValueError("partitions must have known rank.")
        if to.rank == 0:
            x, to = (expand_dims(v, 0) for v in (x, to))
        while _rank(to) > 1:
            flat = as_ragged(x, 1)
            x = flat.values
            to = shapes.reshape(to, arrays.concat([[-1], shapes.shape(to)[2:]], 0))
        order = ordering.argsort(to, stable=True)
        rows = math.cast(arrays.gather(to, order), dtypes.int64)
        many = num_partitions
        if not isinstance(many, int):
            many = math.cast(convert_to_tensor(many), dtypes.int64)
        moved = take_rows(x, math.cast(order, dtypes.int64))
        return RaggedTensor.from_value_rowids(moved, rows, many, validate=False)


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Any:
    """How many elements there are."""
    return shapes.size(input.flat_values, name=name, out_type=out_type)


def rank(input: Any, name: str | None = None) -> Any:
    """The number of axes."""
    with name_scope(name, "RaggedRank"):
        return shapes.rank(input.flat_values) + input.ragged_rank
