"""What the host does for sparse tensors: orders, unions and slices of index lists.

These ops give indices only. Values follow by gathering, so gradients come by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import arrays, reduce
from graphc.ops.record import Attrs, Op, Types, no_grad, op

__all__ = [
    "edit_distance_op", "empty_rows_op", "order_op", "places_op", "reshape_op", "set_op",
    "set_size_op",
    "to_dense_op", "union_op",
]  # fmt: skip


def _width(v: Value, at: int = -1) -> Any:
    s = v.static_shape
    return D.fresh() if s is None else s[at]


def _ids(v: Value, n: Any = None) -> tuple[Any, Any]:
    return dtypes.int64, (D.fresh() if n is None else n, _width(v))


def _vector(n: Any = None, dtype: Any = dtypes.int64) -> tuple[Any, Any]:
    return dtype, (D.fresh() if n is None else n,)


def _rows(v: Value) -> Any:
    return None if v.static_shape is None else v.static_shape[0]


def _op(name: str, tf: str, doc: str, numpy: Any, infer: Any, types: str = "fiubs") -> Op:
    return op(name, tf, "host", doc=doc, numpy=numpy, infer=infer, grad=no_grad, types=types,
              args=("*inputs",))  # fmt: skip


# ------------------------------------------------------------------------- dense


def _dense(
    indices: Any, shape: Any, values: Any, default: Any, *, validate: bool, count: int | None = None
) -> Any:
    at = indices.reshape(-1, 1) if indices.ndim < 2 else indices
    size = tuple(int(d) for d in shape.reshape(-1))
    if at.shape[1] != len(size):
        raise InvalidArgumentError(
            None, None,
            f"output_shape has incorrect number of elements: {len(size)} should be: {at.shape[1]}",
        )  # fmt: skip
    _check(at, size, validate)
    zero = values.dtype.kind != "O" and not np.any(default)
    out = np.zeros(size, values.dtype) if zero else np.full(size, default, values.dtype)
    if size and out.size and len(at):  # of one index numpy makes less than of several
        out.reshape(-1)[np.ravel_multi_index(tuple(at.T), size)] = values
    else:
        out[tuple(at.T)] = values
    return out


def _shown(row: Any) -> str:
    return "[" + ",".join(str(int(i)) for i in row) + "]"


def _check(at: Any, size: Sequence[int], validate: bool) -> None:
    if any(len(at) and (c.min() < 0 or c.max() >= n) for c, n in zip(at.T, size, strict=True)):
        outside = ((at < 0) | (at >= np.array(size, np.int64).reshape(1, -1))).any(axis=1)
        k = int(np.argmax(outside))
        raise InvalidArgumentError(
            None,
            None,
            f"indices[{k}] = {_shown(at[k])} is out of bounds: need 0 <= index < {_shown(size)}",
        )
    if not validate or len(at) < 2:
        return
    flat = np.ravel_multi_index(tuple(at.T), tuple(size)) if at.shape[1] else np.zeros(len(at))
    step = np.diff(flat)
    if (step > 0).all():
        return
    k = int(np.argmax(step <= 0)) + 1
    if step[k - 1] == 0:
        raise InvalidArgumentError(None, None, f"indices[{k}] = {_shown(at[k])} is repeated")
    raise InvalidArgumentError(
        None, None,
        f"indices[{k}] = {_shown(at[k])} is out of order. Many sparse ops require sorted indices.\n"
        "    Use `tf.sparse.reorder` to create a correctly ordered copy.",
    )  # fmt: skip


def _dense_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    _, shape, values, _ = inputs
    k = known(shape)
    if isinstance(k, tuple):
        size: Any = tuple(D.fresh() if d is None else d for d in k)
    else:
        n = _rows(shape)
        size = tuple(D.fresh() for _ in range(n)) if type(n) is int else None
    return [(values.dtype, size)]


def _dense_grad(y: Value, dy: Value, indices: Value, shape: Value, values: Value, default: Value,
                *, validate: bool) -> Any:  # fmt: skip
    at = arrays.getitem(indices, (..., None)) if indices.rank == 1 else indices
    dv = arrays.gather_nd(dy, at)
    rest = reduce.reduce_sum(dy) - reduce.reduce_sum(dv)
    return None, None, dv if values.rank == 1 else reduce.reduce_sum(dv), rest


to_dense_op = op(
    "sparse_to_dense", "SparseToDense", "host", types="fiubs", infer=_dense_infer, numpy=_dense,
    doc="A tensor with values at index vectors and a default elsewhere.", grad=_dense_grad,
    args=("sparse_indices", "output_shape", "sparse_values", "default_value"),
)  # fmt: skip

# ------------------------------------------------------------------------- orders and unions


def _order(indices: Any) -> Any:
    flat = _flat(indices)
    if flat is not None:
        return np.argsort(flat, kind="stable")
    return np.lexsort(indices.T[::-1]) if indices.shape[1] else np.arange(len(indices))


order_op = _op(
    "sparse_order", "SparseReorder", "The order of index vectors, row by row.", _order,
    lambda inputs, attrs: [_vector(_rows(inputs[0]))],
)  # fmt: skip


def _union(a: Any, b: Any, shape: Any) -> Any:
    """The union of two lists of index vectors, and which of it each vector is."""
    if a.shape[1] != b.shape[1]:
        raise InvalidArgumentError(
            None, None,
            f"Operands' shapes do not match: got ranks {a.shape[1]} and {b.shape[1]}",
        )  # fmt: skip
    whole = np.concatenate([a, b])
    flat = _flat(whole)
    if flat is None:
        out, inverse = np.unique(whole, axis=0, return_inverse=True)
        return out, inverse.reshape(-1).astype(np.int64)
    order = np.argsort(flat, kind="stable")  # a merge, where both are in order
    ranked = flat[order]
    fresh = np.ones(len(flat), bool)
    fresh[1:] = ranked[1:] != ranked[:-1]
    place = np.empty(len(flat), np.int64)
    place[order] = np.cumsum(fresh) - 1
    return whole[order[fresh]], place


def _flat(rows: Any) -> Any:
    """Rows of indices as single numbers in the same order; None where there are no such."""
    if not rows.size or rows.min() < 0:
        return None
    size = [int(n) + 1 for n in rows.max(axis=0)]
    if math.prod(size) >= 1 << 62:
        return None
    flat = rows[:, 0]
    for column, n in zip(rows.T[1:], size[1:], strict=True):
        flat = flat * n + column
    return flat


union_op = _op(
    "sparse_union", "SparseAdd", "Index vectors that are in either of two lists.", _union,
    lambda inputs, attrs: [_ids(inputs[0]), _vector()],
)  # fmt: skip


def _places(indices: Any, start: Any, size: Any) -> Any:
    """Which index vectors lie in a box."""
    return np.nonzero(((indices >= start) & (indices < start + size)).all(axis=1))[0]


places_op = _op(
    "sparse_places", "SparseSlice", "Which index vectors lie in a box.", _places,
    lambda inputs, attrs: [_vector()],
)  # fmt: skip


def _reshape(indices: Any, shape: Any, new: Any) -> Any:
    total = int(np.prod(shape, dtype=np.int64))
    new = new.astype(np.int64).copy()
    if (new == -1).sum() > 1:
        raise InvalidArgumentError(None, None, "only one output dimension may be -1")
    if (new == -1).any():
        rest = int(np.prod(new[new != -1], dtype=np.int64))
        new[new == -1] = total // rest if rest else 0
    if int(np.prod(new, dtype=np.int64)) != total:
        raise InvalidArgumentError(
            None, None,
            f"Input to reshape is a tensor with {total} dense values, but the requested shape has "
            f"{int(np.prod(new, dtype=np.int64))}. input_shape={shape.tolist()} "
            f"output_shape={new.tolist()}",
        )  # fmt: skip
    flat = (
        np.ravel_multi_index(tuple(indices.T), tuple(shape)) if len(indices) else np.zeros(0, int)
    )
    return np.stack(np.unravel_index(flat, tuple(new)), 1).astype(np.int64), new


reshape_op = _op(
    "sparse_reshape", "SparseReshape", "Index vectors of a tensor of another shape.", _reshape,
    lambda inputs, attrs: [
        (dtypes.int64, (_width(inputs[0], 0), _width(inputs[2]))), _vector(_rows(inputs[2]))],
)  # fmt: skip


def _empty_rows(indices: Any, shape: Any) -> Any:
    """Index vectors with one more for each empty row, where each comes from, and the empty rows."""
    n = int(shape[0])
    empty = np.ones(n, bool)
    if len(indices) and (indices[:, 0].min() < 0 or indices[:, 0].max() >= n):
        raise InvalidArgumentError(None, None, f"indices(:, 0) is invalid: not in [0, {n})")
    empty[indices[:, 0]] = False
    rows = np.nonzero(empty)[0]
    more = np.zeros((len(rows), indices.shape[1]), np.int64)
    more[:, 0] = rows
    whole = np.concatenate([indices, more])
    order = np.argsort(whole[:, 0], kind="stable")
    source = np.minimum(order, len(indices))  # the value after the last is the default
    back = np.empty(len(whole), np.int64)
    back[order] = np.arange(len(whole))
    return whole[order], source, empty, back[: len(indices)]


empty_rows_op = _op(
    "sparse_fill_empty_rows", "SparseFillEmptyRows", "Index vectors with one in each row.",
    _empty_rows,
    lambda inputs, attrs: [
        _ids(inputs[0]), _vector(),
        _vector(next(iter(known(inputs[1]) or (None,))), dtypes.bool_), _vector(_rows(inputs[0])),
    ],
)  # fmt: skip

# ------------------------------------------------------------------------- sequences and sets


def _rowed(indices: Any, size: Any) -> tuple[Any, Any, Any]:
    """Which sequence each element is of, its place there, and how long each sequence is.

    Elements of a sequence are those with its index, in the order they are given.
    """
    row = np.zeros(len(indices), np.int64)
    for column, n in zip(indices.T[:-1], size, strict=False):
        row = row * n + column
    counts = np.bincount(row, minlength=int(np.prod(size)))
    order = np.argsort(row, kind="stable")
    place = np.empty(len(row), np.int64)
    place[order] = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, place, counts


def _distances(a: Any, na: Any, b: Any, nb: Any) -> Any:
    """Insertions, deletions and substitutions that make rows of b of rows of a (Levenshtein).

    A row of the table is made at once: what comes from the left in it is a least number so far.
    """
    steps = np.arange(b.shape[1] + 1)
    row = np.broadcast_to(steps, (len(a), len(steps))).copy()
    for i in range(a.shape[1]):
        new = row + 1
        np.minimum(new[:, 1:], row[:, :-1] + (a[:, i, None] != b), out=new[:, 1:])
        new = np.minimum.accumulate(new - steps, axis=1) + steps
        row = np.where((i < na)[:, None], new, row)
    return row[np.arange(len(a)), nb]


def _edit_distance(hi: Any, hv: Any, hs: Any, ti: Any, tv: Any, ts: Any, *, normalize: bool) -> Any:
    size = np.maximum(hs, ts)[:-1]
    for at in (hi, ti):
        _check(at[:, :-1], size, False)
    code = np.unique(np.concatenate([hv, tv]), return_inverse=True)[1].reshape(-1)
    padded = []
    for indices, own in ((hi, code[: len(hv)]), (ti, code[len(hv) :])):
        row, place, n = _rowed(indices, size)
        table = np.full((len(n), n.max(initial=0)), -1)
        table[row, place] = own
        padded += [table, n]
    d = _distances(*padded).astype(np.float64)
    if normalize:
        lengths = padded[3]
        d = np.where(lengths > 0, d / np.maximum(lengths, 1), np.where(d > 0, np.inf, 0))
    return d.astype(np.float32).reshape(tuple(size))


edit_distance_op = _op(
    "edit_distance", "EditDistance", "Levenshtein distances of sequences.", _edit_distance,
    lambda inputs, attrs: [(dtypes.float32, attrs.get("shape"))],
)  # fmt: skip


Sets = tuple[list[int], Any, Any]


def _set_groups(indices: Any, values: Any, shape: Any) -> Sets:
    """The sets of a sparse tensor: the sizes before the last axis, and of each value the set."""
    size = [int(d) for d in shape]
    _check(indices, size, True)
    return size[:-1], _rowed(indices, size[:-1])[0], values


def _dense_groups(x: Any) -> Sets:
    size = list(x.shape[:-1])
    return size, np.repeat(np.arange(math.prod(size)), x.shape[-1]), x.reshape(-1)


_KINDS: dict[str, Any] = {
    "a-b": np.setdiff1d, "b-a": lambda a, b: np.setdiff1d(b, a), "intersection": np.intersect1d,
    "union": np.union1d,
}  # fmt: skip


def _sets(*inputs: Any, kind: str, sparse: tuple[bool, bool]) -> Any:
    left = list(inputs)
    operands: list[Sets] = []
    for is_sparse in sparse:
        if is_sparse:
            operands.append(_set_groups(*left[:3]))
            del left[:3]
        else:
            operands.append(_dense_groups(left.pop(0)))
    (size, rows, a), (other, columns, b) = operands
    if size != other:
        raise InvalidArgumentError(None, None, f"Mismatched shapes {size} vs {other}")
    each, code = np.unique(np.concatenate([a, b]), return_inverse=True)
    n = max(len(each), 1)  # a set and a value are one number
    first = rows * n + code.reshape(-1)[: len(a)]
    second = columns * n + code.reshape(-1)[len(a) :]
    found = np.asarray(_KINDS.get(kind, np.union1d)(first, second), np.int64)
    of, values = found // n, each[found % n]
    counts = np.bincount(of, minlength=1)
    place = np.arange(len(of)) - (np.cumsum(counts) - counts)[of]
    at = np.unravel_index(of, tuple(size)) if size and len(of) else [of] * len(size)
    ids = np.stack([*at, place], 1).astype(np.int64)
    return ids, values, np.array([*size, counts.max(initial=0)], np.int64)


def _sets_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    first = attrs["sparse"][0]
    x = inputs[1 if first else 0]
    rank = _width(inputs[0]) if first else x.rank
    return [
        (dtypes.int64, (D.fresh(), D.fresh() if rank is None else rank)), _vector(None, x.dtype),
        _vector(rank),
    ]  # fmt: skip


set_op = _op(
    "set_operation", "DenseToDenseSetOperation",
    "Sets along the last axis, of dense tensors or of sparse ones in their three parts.", _sets,
    _sets_infer,
)  # fmt: skip


def _set_sizes(indices: Any, values: Any, shape: Any) -> Any:
    size, row, values = _set_groups(indices, values, shape)
    each, code = np.unique(values, return_inverse=True)
    found = np.unique(row * max(len(each), 1) + code.reshape(-1)) // max(len(each), 1)
    counts = np.bincount(found, minlength=math.prod(size))
    return counts.astype(np.int32).reshape(size)


def _set_sizes_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    rank = _width(inputs[0])
    s = known(inputs[2])
    if type(rank) is not int:
        return [(dtypes.int32, None)]
    sizes = s if isinstance(s, tuple) else (None,) * rank
    return [(dtypes.int32, tuple([D.fresh() if d is None else d for d in sizes[:-1]]))]


set_size_op = _op(
    "set_size", "SetSize", "How many different elements each set has.", _set_sizes,
    _set_sizes_infer,
)  # fmt: skip
