"""What the host does for sparse tensors: orders, unions and slices of index lists.

These ops give indices only. Values follow by gathering, so gradients come by themselves.
"""

from __future__ import annotations

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
    out = np.full(size, default, values.dtype)
    out[tuple(at.T)] = values
    return out


def _shown(row: Any) -> str:
    return "[" + ",".join(str(int(i)) for i in row) + "]"


def _check(at: Any, size: Sequence[int], validate: bool) -> None:
    outside = ((at < 0) | (at >= np.array(size, np.int64).reshape(1, -1))).any(axis=1)
    if outside.any():
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
    out, inverse = np.unique(np.concatenate([a, b]), axis=0, return_inverse=True)
    return out, inverse.reshape(-1).astype(np.int64)


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


def _groups(indices: Any, values: Any) -> dict[tuple[int, ...], list[Any]]:
    out: dict[tuple[int, ...], list[Any]] = {}
    for row, v in zip(indices[:, :-1].tolist(), values.tolist(), strict=True):
        out.setdefault(tuple(row), []).append(v)
    return out


def _distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Insertions, deletions and substitutions that make b of a (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def _edit_distance(hi: Any, hv: Any, hs: Any, ti: Any, tv: Any, ts: Any, *, normalize: bool) -> Any:
    size = np.maximum(hs, ts)[:-1]
    hyp, truth = _groups(hi, hv), _groups(ti, tv)
    out = np.zeros(tuple(size), np.float32)
    for key in {**hyp, **truth}:
        a, b = hyp.get(key, []), truth.get(key, [])
        d: float = _distance(a, b)
        if normalize:
            d = d / len(b) if b else (np.inf if a else 0.0)
        out[key] = d
    return out


edit_distance_op = _op(
    "edit_distance", "EditDistance", "Levenshtein distances of sequences.", _edit_distance,
    lambda inputs, attrs: [(dtypes.float32, attrs.get("shape"))],
)  # fmt: skip


def _set_rows(a: Any, b: Any, kind: str) -> Any:
    if kind == "a-b":
        return np.setdiff1d(a, b)
    if kind == "b-a":
        return np.setdiff1d(b, a)
    return np.intersect1d(a, b) if kind == "intersection" else np.union1d(a, b)


Groups = tuple[list[int], dict[tuple[int, ...], Any]]


def _set_groups(indices: Any, values: Any, shape: Any) -> Groups:
    """The sets of a sparse tensor: the sizes before the last axis, and what each group has."""
    size = [int(d) for d in shape]
    _check(indices, size, True)
    found: dict[tuple[int, ...], list[Any]] = {}
    for at, v in zip(indices[:, :-1].tolist(), values, strict=True):
        found.setdefault(tuple(at), []).append(v)
    return size[:-1], {k: np.array(v, values.dtype) for k, v in found.items()}


def _sets(*inputs: Any, kind: str, sparse: tuple[bool, bool]) -> Any:
    left = list(inputs)
    operands: list[Groups] = []
    for is_sparse in sparse:
        if is_sparse:
            operands.append(_set_groups(*left[:3]))
            del left[:3]
        else:
            x = left.pop(0)
            operands.append((list(x.shape[:-1]), {at: x[at] for at in np.ndindex(x.shape[:-1])}))
    (size, a), (other, b) = operands
    if size != other:
        raise InvalidArgumentError(None, None, f"Mismatched shapes {size} vs {other}")
    dtype = inputs[1 if sparse[0] else 0].dtype
    none = np.zeros(0, dtype)
    ids: list[list[int]] = []
    values: list[Any] = []
    longest = 0
    for at in sorted({*a, *b}):
        made = _set_rows(a.get(at, none), b.get(at, none), kind)
        longest = max(longest, len(made))
        ids += [[*at, i] for i in range(len(made))]
        values += made.tolist()
    out = np.array(ids, np.int64).reshape(-1, len(size) + 1)
    return out, np.array(values, dtype), np.array([*size, longest], np.int64)


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
    size, groups = _set_groups(indices, values, shape)
    out = np.zeros(size, np.int32)
    for at, v in groups.items():
        out[at] = len(np.unique(v))
    return out


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
