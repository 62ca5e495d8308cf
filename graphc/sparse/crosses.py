"""Crosses of features: every combination of a value of each, as strings or as hashes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.convert import convert_to_tensor
from graphc.ops.hashing import farm64
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = ["cross", "cross_hashed", "sparse_feature_cross"]

_MASK, _MOST = (1 << 64) - 1, (1 << 63) - 1
_KEY = 0xDECAFCAFFE


def _combined(a: int, b: int) -> int:
    """One hash of two, as the older way of crossing has it; the shift to the right is signed."""
    signed = a - (1 << 64) if a >> 63 else a
    return a ^ ((b + 0x9E3779B97F4A7800 + (a << 10) + (signed >> 4)) & _MASK)


def _concatenated(a: int, b: int) -> int:
    """One fingerprint of two."""
    factor = 0xC6A4A7935BD1E995
    k = b * factor & _MASK
    k = (k ^ k >> 47) * factor & _MASK
    r = ((a ^ factor) ^ k) * factor & _MASK
    r = (r ^ r >> 47) * factor & _MASK
    return r ^ r >> 47


def _rows(inputs: Sequence[Any], sparse: Sequence[bool]) -> list[list[list[Any]]]:
    """Of each feature, of each example, its values."""
    out: list[list[list[Any]]] = []
    parts = iter(inputs)
    for position, is_sparse in enumerate(sparse):
        if is_sparse:
            at, values, shape = next(parts), next(parts), next(parts)
            rows: list[list[Any]] = [[] for _ in range(int(shape[0]))]
            for i, v in zip(at[:, 0].tolist(), values.tolist(), strict=True):
                rows[i].append(v)
        else:
            rows = np.asarray(next(parts)).tolist()
        if out and len(rows) != len(out[0]):
            raise InvalidArgumentError(
                None, None,
                f"Expected batch size {len(out[0])} got {len(rows)} at position {position}",
            )  # fmt: skip
        out.append(rows)
    return out


def _text(v: Any) -> bytes:
    return v if isinstance(v, bytes) else str(v).encode()


def _number(v: Any) -> int:
    return int(v) & _MASK if isinstance(v, int) else farm64(_text(v))


def _crosses(
    lists: Sequence[Sequence[Any]], hashed: bool, buckets: int, key: int | None
) -> Iterator[Any]:
    if not hashed:
        yield from (b"_X_".join(map(_text, combination)) for combination in
                    itertools.product(*lists))  # fmt: skip
        return
    join, first = (_combined, _KEY) if key is None else (_concatenated, key)
    for combination in itertools.product(*[[_number(v) for v in values] for values in lists]):
        h = first
        for v in combination:
            h = join(h, v)
        yield h % (buckets or _MOST)


def _crossed(
    *inputs: Any, sparse: tuple[bool, ...], hashed: bool, buckets: int, key: int | None
) -> Any:
    rows = [
        list(_crosses(lists, hashed, buckets, key))
        for lists in zip(*_rows(inputs, sparse), strict=True)
    ]
    at = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    values = np.array([v for row in rows for v in row], np.int64 if hashed else object)
    shape = (len(rows), max(map(len, rows), default=0))
    return np.array(at, np.int64).reshape(-1, 2), values, np.array(shape, np.int64)


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = D.fresh()
    kind = dtypes.int64 if attrs["hashed"] else dtypes.string
    return [(dtypes.int64, (n, 2)), (kind, (n,)), (dtypes.int64, (2,))]


cross_op = op(
    "sparse_cross", "SparseCross", "host", doc="Combinations of values of several features.",
    args=("*inputs",), infer=_infer, numpy=_crossed, grad=no_grad, types="iubs",
)  # fmt: skip


def _made(inputs: Any, hashed: bool, buckets: int, key: int | None, name: str | None) -> Any:
    if not isinstance(inputs, list):
        raise TypeError("Inputs must be a list")
    parts: list[Any] = []
    sparse = []
    for x in inputs:
        t: Any = x if isinstance(x, SparseTensor) else convert_to_tensor(x)
        sparse.append(isinstance(t, SparseTensor))
        if not (t.dtype.is_integer or t.dtype is dtypes.string):
            raise TypeError(f"features to cross are integers or strings, not {t.dtype!r}")
        v = t.values if sparse[-1] else t
        v = math.cast(v, dtypes.int64) if v.dtype.is_integer else v
        parts += [t.indices, v, t.dense_shape] if sparse[-1] else [v]
    attrs = {"sparse": tuple(sparse), "hashed": hashed, "buckets": int(buckets), "key": key}
    return sparse_of(*build(cross_op, parts, attrs, name).outputs)


def cross(inputs: Any, name: str | None = None) -> SparseTensor:
    """For each row every combination of one value of each input, joined by ``_X_``.

    Parameters
    ----------
    inputs : list of tensors and SparseTensors
        Matrices of integers or strings with as many rows.
    """
    made: SparseTensor = _made(inputs, False, 0, _KEY, name)
    return made


def cross_hashed(
    inputs: Any, num_buckets: int = 0, hash_key: int | None = None, name: str | None = None
) -> SparseTensor:
    """As `cross`, each combination as a hash, smaller than `num_buckets` if that is not 0."""
    key = _KEY if hash_key is None else hash_key
    made: SparseTensor = _made(inputs, True, num_buckets, key, name)
    return made


def sparse_feature_cross(
    inputs: Any, hashed_output: bool = False, num_buckets: int = 0, name: str | None = None,
    hash_key: int | None = None,
) -> SparseTensor:  # fmt: skip
    """`cross` or `cross_hashed`; without `hash_key` the hashes are those of older versions."""
    made: SparseTensor = _made(inputs, hashed_output, num_buckets, hash_key, name)
    return made
