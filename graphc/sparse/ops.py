"""Operations on sparse tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import arrays, cumulative, fills, math, reduce, shapes, spaced, state, transposing
from graphc.ops.complex import conj
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many
from graphc.ops.indexed import IndexedSlices
from graphc.ops.record import as_operand
from graphc.sparse import records
from graphc.sparse.tensor import SparseTensor, SparseTensorValue, sparse_of

__all__ = [
    "edit_distance", "elements_of", "eye", "from_dense", "sparse_add", "sparse_concat",
    "sparse_expand_dims", "sparse_fill_empty_rows", "sparse_mask", "sparse_maximum",
    "sparse_merge", "sparse_minimum", "sparse_reduce_max", "sparse_reduce_max_sparse",
    "sparse_reduce_sum", "sparse_reduce_sum_sparse", "sparse_reorder", "sparse_reset_shape",
    "sparse_reshape", "sparse_retain", "sparse_slice", "sparse_softmax", "sparse_split",
    "sparse_tensor_dense_matmul", "sparse_tensor_to_dense", "sparse_to_dense",
    "sparse_to_indicator", "sparse_transpose",
]  # fmt: skip

_INT64 = dtypes.int64


def _sparse(x: Any) -> SparseTensor:
    if isinstance(x, SparseTensorValue):
        return SparseTensor.from_value(x)
    if not isinstance(x, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return x


def _rank(x: SparseTensor) -> int:
    n = x.get_shape().ndims
    if n is None:
        raise ValueError("the rank of the sparse tensor must be known")
    return int(n)


def _columns(x: SparseTensor) -> list[Value]:
    return [x.indices[:, i] for i in range(_rank(x))]


def _linear(columns: Sequence[Value], sizes: Sequence[Value]) -> Value:
    """One number for index vectors of these columns."""
    out = fills.zeros_like(columns[0]) if columns else None
    for c, n in zip(columns, sizes, strict=True):
        out = c if out is None else out * n + c
    assert out is not None
    return out


def elements_of(y: Value, like: SparseTensor) -> Value:
    """The elements of a dense tensor, broadcast to the shape of `like`, at its index vectors."""
    if y.rank == 0:
        return y
    if y.rank is None:
        raise ValueError("the dense operand must have a known rank")
    at = like.indices[:, -y.rank :]
    sizes = shapes.shape(y, out_type=_INT64)
    return arrays.gather_nd(y, math.select(
        math.logical_and(math.equal(sizes, 1), fills.ones_like(at, dtype=dtypes.bool_)),
        fills.zeros_like(at), at,
    ))  # fmt: skip


# ------------------------------------------------------------------------- dense and back


def sparse_to_dense(
    sparse_indices: Any, output_shape: Any, sparse_values: Any, default_value: Any = 0,
    validate_indices: bool = True, name: str | None = None,
) -> Value:  # fmt: skip
    """A tensor with `sparse_values` at `sparse_indices` and `default_value` elsewhere.

    Parameters
    ----------
    sparse_indices : scalar, vector, or matrix of index vectors
    validate_indices : bool
        Whether indices must be in row-major order and not repeated.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run, for indices outside or out of order.
    """
    with name_scope(name, "SparseToDense") as scope:
        at = convert_to_tensor(sparse_indices, name="sparse_indices")
        size = convert_to_tensor(output_shape, dtype=None if isinstance(output_shape, Value)
                                 else at.dtype, name="output_shape")  # fmt: skip
        values = convert_to_tensor(sparse_values, name="sparse_values")
        default = convert_to_tensor(default_value, dtype=values.dtype, name="default_value")
        inputs = (at, size, values, default)
        attrs = {"validate": bool(validate_indices)}
        return build(records.to_dense_op, inputs, attrs, scope).outputs[0]


def sparse_tensor_to_dense(
    sp_input: Any, default_value: Any = None, validate_indices: bool = True,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The dense tensor; `default_value` (0, or an empty string) where no element is given."""
    x = _sparse(sp_input)
    if default_value is None:
        default_value = b"" if x.dtype.kind == "s" else np.zeros((), x.dtype.np)
    return sparse_to_dense(
        x.indices, x.dense_shape, x.values, default_value, validate_indices, name
    )


def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """The elements of `tensor` that are not zero."""
    with name_scope(name, "dense_to_sparse"):
        x = convert_to_tensor(tensor)
        zero: Any = b"" if x.dtype.kind == "s" else np.zeros((), x.dtype.np)
        at = arrays.where_indices(math.not_equal(x, zero))
        return sparse_of(at, arrays.gather_nd(x, at), shapes.shape(x, out_type=_INT64))


def eye(
    num_rows: Any, num_columns: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> SparseTensor:
    """Ones on the diagonal."""
    with name_scope(name, "eye"):
        m = convert_to_tensor(num_rows, dtype=_INT64)
        n = m if num_columns is None else convert_to_tensor(num_columns, dtype=_INT64)
        i = spaced.range(math.minimum(m, n), dtype=_INT64)
        ones = fills.ones_like(i, dtype=as_dtype(dtype))
        return sparse_of(arrays.stack([i, i], 1), ones, arrays.stack([m, n]))


def sparse_to_indicator(sp_input: Any, vocab_size: Any, name: str | None = None) -> Value:
    """True at the columns that are values of each row."""
    x = _sparse(sp_input)
    with name_scope(name, "SparseToIndicator") as scope:
        ones = fills.ones_like(x.values, dtype=dtypes.bool_)
        merged = sparse_merge(x, sparse_of(x.indices, ones, x.dense_shape), vocab_size)
        return sparse_tensor_to_dense(merged, False, False, name=scope)


@as_many(lambda ids, *more, **named: 19 if isinstance(ids, SparseTensor) else None)
def sparse_merge(
    sp_ids: Any, sp_values: Any, vocab_size: Any, name: str | None = None,
    already_sorted: bool = False,
) -> SparseTensor:  # fmt: skip
    """The values of `sp_values` in the columns that `sp_ids` names; the last index is replaced."""
    several = isinstance(sp_ids, list | tuple) and not isinstance(sp_ids, SparseTensorValue)
    ids = [_sparse(i) for i in (sp_ids if several else [sp_ids])]
    sizes = list(vocab_size) if isinstance(vocab_size, list | tuple) else [vocab_size]
    if len(ids) != len(sizes):
        raise ValueError("sp_ids and vocab_size have to have equal lengths.")
    values = _sparse(sp_values)
    with name_scope(name, "SparseMerge"):
        columns = [math.cast(i.values, _INT64)[:, None] for i in ids]
        at = arrays.concat([ids[0].indices[:, :-1], *columns], 1)
        width = [math.cast(convert_to_tensor(n), _INT64) for n in sizes]
        size = arrays.concat([ids[0].dense_shape[:-1], arrays.stack(width)], 0)
        made = sparse_of(at, values.values, size)
        return made if already_sorted else sparse_reorder(made)


# ------------------------------------------------------------------------- products and sums


@as_many(lambda a, b, *more, **named: 1 + (not isinstance(b, Value)))
def sparse_tensor_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Value:
    """The product of a sparse matrix and a dense one, either of them turned over."""
    a = _sparse(sp_a)
    with name_scope(name, "SparseTensorDenseMatMul"):
        y = as_operand("SparseTensorDenseMatMul", "b", b, a.dtype, "a_values")
        if y.rank not in (2, None):
            raise ValueError(f"Shape must be rank 2 but is rank {y.rank} for '{y.name}'")
        if adjoint_b:
            y = transposing.matrix_transpose(y, conjugate=y.dtype.kind == "c")
        values = conj(a.values) if adjoint_a else a.values
        row, column = (a.indices[:, i] for i in ((1, 0) if adjoint_a else (0, 1)))
        # along an inner axis, since the gradient of `b` is a whole tensor, not IndexedSlices
        rows = arrays.gather(y[None], column, axis=1)[0] * values[:, None]
        made = arrays.unsorted_segment_sum(rows, row, a.dense_shape[1 if adjoint_a else 0])
        if made.static_shape is None:
            made.static_shape = (D.fresh(), D.fresh())
        return made


def _axes(x: SparseTensor, axis: Any) -> list[int]:
    rank = _rank(x)
    if axis is None:
        return list(range(rank))
    given = np.asarray(axis).reshape(-1).tolist()
    for a in given:
        if not -rank <= a < rank:
            raise ValueError(f"Invalid reduction dimension {a} for input with {rank} dimensions.")
    return sorted({int(a) % rank for a in given})


def _kept(x: SparseTensor, axis: Any) -> tuple[list[int], Value, Value, Value]:
    """Axes that stay, the segment of each element, how many there are, and their sizes."""
    kept: list[int] = []  # of all axes none, whatever the rank
    if axis is not None:
        gone = _axes(x, axis)
        kept = [i for i in range(_rank(x)) if i not in gone]
    sizes = [x.dense_shape[i] for i in kept]
    columns = [x.indices[:, i] for i in kept]
    ids = _linear(columns, sizes) if kept else fills.zeros_like(x.indices[:, 0])
    size = arrays.stack(sizes) if kept else convert_to_tensor(np.zeros(0, np.int64))
    return kept, ids, reduce.reduce_prod(size), size


def _rows(x: SparseTensor) -> tuple[Value, Value]:
    """The row of each element, rows being along the last axis, and how many there are."""
    if x.get_shape().ndims is not None:
        return _kept(x, -1)[1:3]
    size = x.dense_shape[:-1]
    steps = cumulative.cumprod(size, exclusive=True, reverse=True)
    return reduce.reduce_sum(x.indices[:, :-1] * steps, 1), reduce.reduce_prod(size)


def _reduced(x: SparseTensor, axis: Any, keepdims: bool, f: Any) -> Value:
    kept, ids, n, size = _kept(x, axis)
    flat = f(x.values, ids, n)
    if keepdims:
        one = convert_to_tensor(np.int64(1))
        size = arrays.stack([x.dense_shape[i] if i in kept else one for i in range(_rank(x))])
    return shapes.reshape(flat, size)


def _largest(values: Value, ids: Value, n: Value) -> Value:
    """The greatest element; 0 where there is none."""
    top = arrays.unsorted_segment_max(values, ids, n)
    count = arrays.unsorted_segment_sum(fills.ones_like(values, dtype=dtypes.int32), ids, n)
    return math.select(count > 0, top, fills.zeros_like(top))  # type: ignore[no-any-return]


def _one(new: Any, old: Any, name: str) -> Any:
    if new is not None and old is not None:
        raise ValueError(f"Cannot specify both '{name}' and its old name")
    return old if new is None else new


@as_many(2)
def sparse_reduce_sum(
    sp_input: Any, axis: Any = None, keepdims: bool | None = None, reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> Value:  # fmt: skip
    """Sums over axes (all by default), as a dense tensor."""
    x = _sparse(sp_input)
    keep = bool(_one(keepdims, keep_dims, "keepdims"))
    with name_scope(None, "SparseReduceSum"):
        axis = _one(axis, reduction_axes, "axis")
        return _reduced(x, axis, keep, arrays.unsorted_segment_sum)


def sparse_reduce_max(
    sp_input: Any, axis: Any = None, keepdims: bool | None = None, reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> Value:  # fmt: skip
    """The greatest of the given elements over axes (all by default), as a dense tensor."""
    x = _sparse(sp_input)
    keep = bool(_one(keepdims, keep_dims, "keepdims"))
    with name_scope(None, "SparseReduceMax"):
        return _reduced(x, _one(axis, reduction_axes, "axis"), keep, _largest)


def _reduced_sparse(x: SparseTensor, axis: Any, keepdims: bool, f: Any) -> SparseTensor:
    kept, _, _, size = _kept(x, axis)
    if keepdims:
        kept = list(range(_rank(x)))
        gone = set(_axes(x, axis))
        columns = [fills.zeros_like(c) if i in gone else c for i, c in enumerate(_columns(x))]
        one = convert_to_tensor(np.int64(1))
        size = arrays.stack([one if i in gone else x.dense_shape[i] for i in kept])
        at = arrays.stack(columns, 1)
    else:
        at = arrays.stack([x.indices[:, i] for i in kept], 1) if kept else x.indices[:, :0]
    made = build(records.union_op, (at, at[:0], size)).outputs
    n = shapes.shape(made[0], out_type=_INT64)[0]
    return sparse_of(made[0], f(x.values, made[1], n), size)


def sparse_reduce_sum_sparse(
    sp_input: Any, axis: Any = None, keepdims: bool | None = None, reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> SparseTensor:  # fmt: skip
    """Sums over axes, as a sparse tensor."""
    axis, keep = _one(axis, reduction_axes, "axis"), bool(_one(keepdims, keep_dims, "keepdims"))
    return _reduced_sparse(_sparse(sp_input), axis, keep, arrays.unsorted_segment_sum)


def sparse_reduce_max_sparse(
    sp_input: Any, axis: Any = None, keepdims: bool | None = None, reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> SparseTensor:  # fmt: skip
    """The greatest elements over axes, as a sparse tensor."""
    axis, keep = _one(axis, reduction_axes, "axis"), bool(_one(keepdims, keep_dims, "keepdims"))
    return _reduced_sparse(_sparse(sp_input), axis, keep, arrays.unsorted_segment_max)


@as_many(1)
def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """Softmax over the given elements of each row; all others stay zero."""
    x = _sparse(sp_input)
    with name_scope(name, "SparseSoftmax"):
        ids, n = _rows(x)
        top = state.stop_gradient(arrays.unsorted_segment_max(x.values, ids, n))
        e = math.exp(x.values - arrays.gather(top, ids))
        total = arrays.unsorted_segment_sum(e, ids, n)
        return sparse_of(x.indices, e / arrays.gather(total, ids), x.dense_shape)


# ------------------------------------------------------------------------- order and shape


@as_many(2)
def sparse_reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The same elements in row-major order."""
    x = _sparse(sp_input)
    with name_scope(name, "SparseReorder"):
        order = build(records.order_op, (x.indices,)).outputs[0]
        at, values = arrays.gather(x.indices, order), arrays.gather(x.values, order)
        return sparse_of(at, values, state.identity(x.dense_shape))


@as_many(lambda x, shape, *more, **named: 2 if isinstance(shape, Value) else 5)
def sparse_reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """The same elements in another shape, of which one size may be -1."""
    x = _sparse(sp_input)
    with name_scope(name, "SparseReshape"):
        new = math.cast(convert_to_tensor(shape), _INT64)
        at, size = build(records.reshape_op, (x.indices, x.dense_shape, new)).outputs
        return sparse_of(at, state.identity(x.values), size)


@as_many(lambda x, perm=None, *more, **named: 17 if perm is None else 11)
def sparse_transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Axes in another order; reversed by default."""
    x = _sparse(sp_input)
    with name_scope(name, "SparseTranspose"):
        order = list(range(_rank(x)))[::-1] if perm is None else np.asarray(perm).tolist()
        at = arrays.gather(x.indices, order, axis=1)
        return sparse_reorder(sparse_of(at, x.values, arrays.gather(x.dense_shape, order)))


def sparse_expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    """A new axis of size 1 before `axis` (the last by default)."""
    x = _sparse(sp_input)
    rank = _rank(x)
    at = -1 if axis is None else int(axis)
    if not -rank - 1 <= at <= rank:
        raise ValueError(f"axis must be in [{-rank - 1}, {rank}], not {at}")
    at += rank + 1 if at < 0 else 0
    with name_scope(name, "expand_dims"):
        columns = _columns(x)
        columns.insert(at, fills.zeros_like(x.indices[:, 0]))
        size = arrays.concat([x.dense_shape[:at], np.ones(1, np.int64), x.dense_shape[at:]], 0)
        return sparse_of(arrays.stack(columns, 1), x.values, size)


def sparse_reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same elements in a tensor of `new_shape`, or of the least shape that holds them."""
    x = _sparse(sp_input)
    if new_shape is None:
        low = fills.zeros_like(x.dense_shape)
        size = math.maximum(low, reduce.reduce_max(x.indices, axis=0) + 1)
    else:
        size = math.cast(convert_to_tensor(new_shape), _INT64)
        old = known(x.dense_shape)
        new = known(size)
        if isinstance(old, tuple) and isinstance(new, tuple):
            if len(old) != len(new):
                raise ValueError(f"Dimensions {len(new)} and {len(old)} are not compatible")
            if any(type(a) is int and type(b) is int and b < a
                   for a, b in zip(old, new, strict=True)):  # fmt: skip
                raise ValueError("new_shape must not be smaller than the tensor's shape")
    return sparse_of(state.identity(x.indices), state.identity(x.values), size)


@as_many(3)
def sparse_slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """The part from `start` of at most `size`."""
    x = _sparse(sp_input)
    with name_scope(name, "SparseSlice"):
        first = convert_to_tensor(start, dtype=None if isinstance(start, Value) else _INT64)
        count = convert_to_tensor(size, dtype=None if isinstance(size, Value) else _INT64)
        first, count = math.cast(first, _INT64), math.cast(count, _INT64)
        picked = build(records.places_op, (x.indices, first, count)).outputs[0]
        left = math.maximum(x.dense_shape - first, fills.zeros_like(first))
        at = arrays.gather(x.indices, picked) - first
        return sparse_of(at, arrays.gather(x.values, picked), math.minimum(count, left))


@as_many(2)
def sparse_split(
    keyword_required: Any = None, sp_input: Any = None, num_split: Any = None, axis: Any = None,
    name: str | None = None, split_dim: Any = None,
) -> list[SparseTensor]:  # fmt: skip
    """`num_split` parts along an axis; the first ones are longer where it does not divide."""
    if keyword_required is not None:
        raise ValueError("Keyword arguments are required for this function.")
    if sp_input is None or num_split is None:
        raise ValueError("sp_input and num_split are required")
    at = _one(axis, split_dim, "axis")
    x = _sparse(sp_input)
    with name_scope(name, "SparseSplit"):
        rank = _rank(x)
        at = int(at) % rank
        total = x.dense_shape[at]
        each, more = total // num_split, total % num_split
        out = []
        for k in range(int(num_split)):
            first = each * k + math.minimum(more, np.int64(k))
            count = each + math.cast(np.int64(k) < more, _INT64)
            zeros = [convert_to_tensor(np.int64(0))] * rank
            sizes = [x.dense_shape[i] for i in range(rank)]
            zeros[at], sizes[at] = first, count
            out.append(sparse_slice(x, arrays.stack(zeros), arrays.stack(sizes)))
        return out


@as_many(lambda *a, **k: 2)
def sparse_concat(
    axis: Any, sp_inputs: Any, name: str | None = None, expand_nonconcat_dim: bool = False,
    concat_dim: Any = None, expand_nonconcat_dims: Any = None,
) -> SparseTensor:  # fmt: skip
    """Tensors one after the other along an axis.

    Parameters
    ----------
    expand_nonconcat_dim : bool
        Whether the other sizes may differ; the greatest is taken then.
    """
    at = axis if concat_dim is None else concat_dim
    xs = [_sparse(x) for x in sp_inputs]
    if len(xs) == 1:
        return xs[0]
    with name_scope(name, "SparseConcat"):
        rank = _rank(xs[0])
        at = int(at) % rank
        unit = np.zeros(rank, np.int64)
        unit[at] = 1
        offset: Any = convert_to_tensor(np.int64(0))
        ids = []
        for x in xs:
            ids.append(x.indices + offset * unit)
            offset = offset + x.dense_shape[at]
        widest = xs[0].dense_shape
        if expand_nonconcat_dim or expand_nonconcat_dims:
            for x in xs[1:]:
                widest = math.maximum(widest, x.dense_shape)
        size = widest * (1 - unit) + offset * unit
        values = arrays.concat([x.values for x in xs], 0)
        return sparse_reorder(sparse_of(arrays.concat(ids, 0), values, size))


# ------------------------------------------------------------------------- elements


def sparse_retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """The elements at which `to_retain` is True."""
    x = _sparse(sp_input)
    keep = convert_to_tensor(to_retain)
    at = shapes.reshape(arrays.where_indices(keep), [-1])
    return sparse_of(
        arrays.gather(x.indices, at), arrays.gather(x.values, at), state.identity(x.dense_shape)
    )


def _joined(a: SparseTensor, b: SparseTensor, name: str, f: Any) -> SparseTensor:
    """The union of two tensors' index vectors, and what `f` makes of the elements there."""
    with name_scope(None, name):
        ids, where = build(records.union_op, (a.indices, b.indices, a.dense_shape)).outputs
        n = shapes.shape(ids, out_type=_INT64)[0]
        return sparse_of(ids, f(where, n), a.dense_shape)


def _add_count(a: Any, b: Any, *more: Any, **named: Any) -> int | None:
    if not all(isinstance(x, SparseTensor | Value) for x in (a, b)):
        return None
    return 3 if isinstance(a, SparseTensor) and isinstance(b, SparseTensor) else 1


@as_many(_add_count)
def sparse_add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """The sum of two tensors of which one at least is sparse; sparse if both are.

    Parameters
    ----------
    threshold : number, optional
        Sums that are not greater (absolutely) are left out.
    """
    limit = _one(threshold, thresh, "threshold")
    kinds = [isinstance(x, SparseTensor | SparseTensorValue) for x in (a, b)]
    if not any(kinds):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if all(kinds):
        x, y = _sparse(a), _sparse(b)
        both = arrays.concat([x.values, y.values], 0)
        made = _joined(
            x, y, "SparseAdd", lambda where, n: arrays.unsorted_segment_sum(both, where, n)
        )
        if limit is None:
            return made
        return sparse_retain(made, math.abs(made.values) > limit)
    x, dense = (_sparse(a), b) if kinds[0] else (_sparse(b), a)
    with name_scope(None, "SparseTensorDenseAdd"):
        z = convert_to_tensor(dense, dtype=x.dtype, name="b")
        return z + arrays.scatter_nd(x.indices, x.values, shapes.shape(z, out_type=_INT64))


def _extreme(name: str, f: Any) -> Any:
    def function(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
        x, y = _sparse(sp_a), _sparse(sp_b)
        k = shapes.shape(x.values, out_type=_INT64)[0]

        def combined(where: Value, n: Value) -> Value:
            left = arrays.unsorted_segment_sum(x.values, where[:k], n)
            right = arrays.unsorted_segment_sum(y.values, where[k:], n)
            return f(left, right)  # type: ignore[no-any-return]

        return _joined(x, y, tf, combined)

    tf = f"SparseSparse{name.capitalize()}"
    function.__name__ = function.__qualname__ = f"sparse_{name}"
    function.__doc__ = f"The {name} of two sparse tensors; what is not given counts as zero."
    return function


sparse_maximum = _extreme("maximum", math.maximum)
sparse_minimum = _extreme("minimum", math.minimum)


@as_many(2)
def sparse_fill_empty_rows(
    sp_input: Any, default_value: Any, name: str | None = None
) -> tuple[SparseTensor, Value]:
    """The tensor with `default_value` in the first column of rows without elements, and which
    rows these are.
    """
    x = _sparse(sp_input)
    with name_scope(name, "SparseFillEmptyRows"):
        default = convert_to_tensor(default_value, dtype=x.dtype)
        made = build(records.empty_rows_op, (x.indices, x.dense_shape)).outputs
        whole = arrays.concat([x.values, shapes.reshape(default, [1])], 0)
        return sparse_of(made[0], arrays.gather(whole, made[1]), x.dense_shape), made[2]


def sparse_mask(a: Any, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """The rows of `IndexedSlices` whose indices are not among `mask_indices`."""
    from graphc.ops.ordering import setdiff1d

    with name_scope(name, "sparse_mask") as scope:
        out, at = setdiff1d(a.indices, mask_indices)
        return IndexedSlices(arrays.gather(a.values, at, name=scope), out, a.dense_shape)


def edit_distance(
    hypothesis: Any, truth: Any, normalize: bool = True, name: str | None = "edit_distance"
) -> Value:
    """Levenshtein distances of the sequences along the last axis.

    Parameters
    ----------
    hypothesis, truth : SparseTensor
        Of one rank; the last index counts the elements of a sequence.
    normalize : bool
        Whether to divide by the length of the truth.

    Raises
    ------
    TypeError
        When one is not sparse.
    """
    for what, x in (("Hypothesis", hypothesis), ("Truth", truth)):
        if not isinstance(x, SparseTensor | SparseTensorValue):
            raise TypeError(f"{what} must be a SparseTensor.")
    a, b = _sparse(hypothesis), _sparse(truth)
    inputs = (a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape)
    attrs: dict[str, Any] = {"normalize": bool(normalize)}
    return build(records.edit_distance_op, inputs, attrs, name).outputs[0]
