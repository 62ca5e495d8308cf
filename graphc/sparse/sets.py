"""``tf.sets``: sets along the last axis of dense tensors."""

from __future__ import annotations

from typing import Any

from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import arrays, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.sparse import records
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "difference", "intersection", "set_difference", "set_intersection", "set_size", "set_union",
    "size", "union",
]  # fmt: skip


def _dense(x: Any) -> Value:
    if isinstance(x, SparseTensor):
        raise NotImplementedError("graphc's tf.sets take dense tensors, not SparseTensors")
    return convert_to_tensor(x)


def _made(a: Any, b: Any, kind: str) -> SparseTensor:
    x = _dense(a)
    y = _dense(b)
    return sparse_of(*build(records.set_op, (x, y), {"kind": kind}).outputs)


def intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The elements that both rows have."""
    return _made(a, b, "intersection")


def union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The elements that either row has."""
    return _made(a, b, "union")


def difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """The elements that only the rows of `a` have (of `b` with `aminusb` False)."""
    return _made(a, b, "a-b" if aminusb else "b-a")


def size(a: Any, validate_indices: bool = True) -> Value:
    """How many elements each set of a sparse tensor has."""
    if not isinstance(a, SparseTensor):
        raise TypeError(f"Expected `SparseTensor`, got {a}.")
    n = a.get_shape().ndims
    if n is None:
        raise ValueError("the rank of the sets must be known")
    rows: Any = shapes.zeros_like(a.indices[:, 0])
    total: Any = 1
    for i in range(n - 1):
        rows = rows * a.dense_shape[i] + a.indices[:, i]
        total = total * a.dense_shape[i]
    ones = shapes.ones_like(a.indices[:, 0], dtype=dtypes.int32)
    flat = arrays.unsorted_segment_sum(ones, rows, total)
    return shapes.reshape(flat, a.dense_shape[:-1])


set_difference, set_intersection, set_union, set_size = difference, intersection, union, size
