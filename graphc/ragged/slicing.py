"""``ragged[...]``: rows, parts of rows, new axes."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.ops import fills, math, spaced
from graphc.ragged.tensor import RaggedTensor, is_ragged, ragged_of, ranges

__all__ = ["getitem", "take_rows"]


def take_rows(x: Any, at: Any) -> Any:
    """The rows `at` (a vector) of a ragged tensor."""
    from graphc.ops import arrays

    if not is_ragged(x):
        return arrays.gather(x, at)
    starts = arrays.gather(x.row_starts(), at)
    lengths = arrays.gather(x.row_lengths(), at)
    places, splits = ranges(starts, lengths)
    return ragged_of(take_rows(x.values, places), splits)


def getitem(x: RaggedTensor, key: Any) -> Any:
    """What a key of numbers, slices, `newaxis` and ``...`` means."""
    keys = list(key) if isinstance(key, tuple | list) else [key]
    with name_scope(None, "RaggedGetItem"):
        return _outer(x, _without_ellipsis(x, keys))


def _without_ellipsis(x: RaggedTensor, keys: list[Any]) -> list[Any]:
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if not dots:
        return keys
    rank = x.get_shape().ndims
    if len(dots) > 1:
        raise ValueError("Only one ellipsis is allowed")
    if rank is None:
        raise ValueError("Ellipsis not supported for unknown shape RaggedTensors")
    more = rank - sum(k is not None for k in keys) + 1
    if more < 0:
        raise IndexError("Too many indices for RaggedTensor")
    at = dots[0]
    return [*keys[:at], *[slice(None)] * more, *keys[at + 1 :]]


def _outer(x: Any, keys: list[Any]) -> Any:
    """Keys for the first axis on."""
    if not keys:
        return x
    if not is_ragged(x):
        return x[tuple(keys)]
    k, rest = keys[0], keys[1:]
    if k is None:
        inner = _outer(x, rest)
        from graphc.ragged.ops import expand_dims

        return expand_dims(inner, 0)
    if isinstance(k, slice):
        if k == slice(None):
            rows = x
        else:
            rows = take_rows(x, spaced.range(x.nrows(), dtype=x.row_splits.dtype)[k])
        return _inner(rows, rest)
    splits = x.row_splits
    if isinstance(k, int):
        begin, end = splits[:-1][k], splits[1:][k]
    else:
        k = math.cast(k, splits.dtype)
        k = math.where(math.less(k, fills.zeros_like(k)), k + x.nrows(), k)
        begin, end = splits[k], splits[k + 1]
    values = x.values
    if is_ragged(values):
        return _outer(values[begin:end], rest)
    return _outer(values[begin:end], rest) if rest else values[begin:end]


def _inner(x: Any, keys: list[Any]) -> Any:
    """Keys for the axis of rows on."""
    if not keys:
        return x
    k, rest = keys[0], keys[1:]
    if k is None:
        from graphc.ragged.ops import expand_dims

        return expand_dims(_inner(x, rest), 1)
    if not isinstance(k, slice):
        raise ValueError("Cannot index into an inner ragged dimension.")
    cut = x if k == slice(None) else _cut(x, k)
    if not rest:
        return cut
    values = cut.values
    if is_ragged(values):
        return ragged_of(_inner(values, rest), cut.row_splits)
    return ragged_of(values[tuple([slice(None), *rest])], cut.row_splits)


def _cut(x: Any, key: slice) -> Any:
    """A part of each row."""
    if key.step not in (None, 1):
        raise ValueError(f"slices of rows have a step of 1 only, not {key.step}")
    lengths = x.row_lengths()
    zero = fills.zeros_like(lengths)

    def place(p: Any, default: Any) -> Any:
        if p is None:
            return default
        from_end = p < 0 if isinstance(p, int) else None
        if from_end is None:
            p = math.cast(p, lengths.dtype)
            at = math.where(math.less(zero + p, zero), lengths + p, zero + p)
        else:
            at = lengths + p if from_end else zero + p
        return math.minimum(math.maximum(at, zero), lengths)

    begin, end = place(key.start, zero), place(key.stop, lengths)
    places, splits = ranges(x.row_starts() + begin, math.maximum(end - begin, zero))
    return ragged_of(take_rows(x.values, places), splits)
