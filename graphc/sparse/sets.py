"""``tf.sets``: sets along the last axis of tensors, dense or sparse."""

from __future__ import annotations

from typing import Any

from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.sparse import records
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "difference", "intersection", "set_difference", "set_intersection", "set_size", "set_union",
    "size", "union",
]  # fmt: skip

_TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "string")


def _operand(x: Any) -> Any:
    return x if isinstance(x, SparseTensor) else convert_to_tensor(x)


def _made(a: Any, b: Any, kind: str) -> SparseTensor:
    x, y = _operand(a), _operand(b)
    if x.dtype.base_dtype.name not in _TYPES:
        raise TypeError(f"'a' invalid dtype {x.dtype!r}.")
    if x.dtype.base_dtype is not y.dtype.base_dtype:
        raise TypeError(f"Types don't match, {x.dtype!r} vs {y.dtype!r}.")
    ranks = [t.get_shape().ndims for t in (x, y)]
    if None not in ranks and ranks[0] != ranks[1]:
        raise ValueError(f"Dimension must be {ranks[0]} but is {ranks[1]}: sets of two tensors "
                         "have the same axes before the last.")  # fmt: skip
    sparse = isinstance(x, SparseTensor), isinstance(y, SparseTensor)
    parts = [
        part
        for t in (x, y)
        for part in ((t.indices, t.values, t.dense_shape) if isinstance(t, SparseTensor) else (t,))
    ]
    return sparse_of(*build(records.set_op, parts, {"kind": kind, "sparse": sparse}).outputs)


def intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The elements that a row has in both.

    Parameters
    ----------
    a, b : tensor or SparseTensor
        Of integers or strings; the axes before the last are the same.
    validate_indices
        Indices out of order or outside fail the run in any case, as in TensorFlow.
    """
    return _made(a, b, "intersection")


def union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The elements that a row has in either: see `intersection`."""
    return _made(a, b, "union")


def difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """The elements that only the rows of `a` have (of `b` with `aminusb` False)."""
    return _made(a, b, "a-b" if aminusb else "b-a")


def size(a: Any, validate_indices: bool = True) -> Value:
    """How many different elements each set of a sparse tensor has."""
    if not isinstance(a, SparseTensor):
        raise TypeError(f"Expected `SparseTensor`, got {a}.")
    return build(records.set_size_op, (a.indices, a.values, a.dense_shape), {}).outputs[0]


set_difference, set_intersection, set_union, set_size = difference, intersection, union, size
