"""Nested lists of different lengths: constants, and what a run returns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype

__all__ = ["RaggedTensorValue", "constant_value", "cut_up"]


class RaggedTensorValue:
    """The value of a `RaggedTensor`, as a run returns it and as it may be fed.

    Parameters
    ----------
    values : array or RaggedTensorValue
        All rows, one after the other.
    row_splits : array of ints
        Where each row begins, and the end of the last.
    """

    def __init__(self, values: Any, row_splits: Any) -> None:
        if not isinstance(row_splits, np.ndarray) or row_splits.dtype not in (np.int32, np.int64):
            raise TypeError("row_splits must be a 1D int32 or int64 numpy array")
        if not isinstance(values, np.ndarray | np.generic | RaggedTensorValue):
            raise TypeError(f"values must be of type {(np.ndarray, RaggedTensorValue)}")
        self._values, self._row_splits = values, row_splits

    @property
    def values(self) -> Any:
        return self._values

    @property
    def row_splits(self) -> Any:
        return self._row_splits

    @property
    def flat_values(self) -> Any:
        v = self._values
        return v.flat_values if isinstance(v, RaggedTensorValue) else v

    @property
    def nested_row_splits(self) -> tuple[Any, ...]:
        v = self._values
        inner = v.nested_row_splits if isinstance(v, RaggedTensorValue) else ()
        return (self._row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        return len(self.nested_row_splits)

    @property
    def dtype(self) -> Any:
        return self.flat_values.dtype

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (len(self._row_splits) - 1, None, *self._values.shape[1:])

    def to_list(self) -> list[Any]:
        """Nested lists."""
        v = self._values
        rows = v.to_list() if isinstance(v, RaggedTensorValue) else v.tolist()
        ends = self._row_splits.tolist()
        return [rows[a:b] for a, b in itertools.pairwise(ends)]

    def __str__(self) -> str:
        return f"<tf.RaggedTensorValue {self.to_list()}>"

    def __repr__(self) -> str:
        return f"tf.RaggedTensorValue(values={self._values!r}, row_splits={self._row_splits!r})"


def _depth(x: Any) -> int | None:
    """How many lists are around the numbers; None where no list has any."""
    if not isinstance(x, list | tuple | np.ndarray):
        return 0
    found = {d for d in map(_depth, x) if d is not None}
    if len(found) > 1:
        raise ValueError("all scalar values must have the same nesting depth")
    return found.pop() + 1 if found else None


def _lists(x: Any) -> int:
    """The most lists within each other."""
    if not isinstance(x, list | tuple | np.ndarray):
        return 0
    return 1 + max(map(_lists, x), default=0)


def _inner(rows: Sequence[Any]) -> tuple[int, ...]:
    """The shape that all of `rows` have, as far as they have one."""
    first = rows[0] if len(rows) else None
    if not isinstance(first, list | tuple | np.ndarray):
        return ()
    sizes = {len(r) for r in rows}
    if len(sizes) > 1:
        raise ValueError(f"inner rows have different lengths: {sorted(sizes)}")
    return (len(first), *_inner([e for r in rows for e in r]))


def cut_up(
    pylist: Any, dtype: Any, ragged_rank: int | None, inner_shape: Any, splits_dtype: Any
) -> tuple[Any, list[Any]]:
    """The flat values of nested lists, and the splits of each level.

    Raises
    ------
    ValueError
        For lists that do not fit the ranks asked for, or numbers at different depths.
    """
    kind = None if dtype is None else as_dtype(dtype)
    depth, lists = _depth(pylist), _lists(pylist)
    if not lists and ragged_rank:
        raise ValueError(f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank}")
    if depth is not None and lists > depth:
        raise ValueError("Invalid pylist: empty list nesting is greater than scalar value nesting")
    if ragged_rank is None:
        inner = len(inner_shape) if inner_shape is not None else 0
        ragged_rank = max(0, (lists if depth is None else depth) - 1 - inner)
    elif ragged_rank < 0:
        raise ValueError(f"ragged_rank must be nonnegative: {ragged_rank}")
    elif depth is not None and ragged_rank >= max(depth, 1):
        raise ValueError(f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank}")
    rows, splits = pylist, []
    for _ in range(ragged_rank):
        sizes = [len(r) for r in rows]
        splits.append(np.array([0, *np.cumsum(sizes)], as_dtype(splits_dtype).np))
        rows = [e for r in rows for e in r]
    shape = tuple(inner_shape) if inner_shape is not None else _inner(rows) if lists else ()
    if kind is not None and kind.name == "string":
        flat = np.array(rows, object)
    else:
        flat = np.array(rows, None if kind is None else kind.np)
    if not flat.size and kind is None:
        flat = flat.astype(np.float32)
    elif kind is None and flat.dtype == np.float64:
        flat = flat.astype(np.float32)
    elif kind is None and flat.dtype == np.int64 and (abs(flat) < 2**31).all():
        flat = flat.astype(np.int32)
    if lists:
        flat = flat.reshape(-1, *shape) if flat.size else flat.reshape(len(rows), *shape)
    return flat, splits


def constant_value(
    pylist: Any, dtype: Any = None, ragged_rank: int | None = None, inner_shape: Any = None,
    row_splits_dtype: Any = "int64",
) -> Any:  # fmt: skip
    """The value that nested lists are: a `RaggedTensorValue`, or an array of regular ones."""
    kind = None if dtype is None or isinstance(dtype, str) else getattr(dtype, "__name__", dtype)
    flat, splits = cut_up(pylist, kind or dtype, ragged_rank, inner_shape, row_splits_dtype)
    for s in reversed(splits):
        flat = RaggedTensorValue(flat, s)
    return flat
