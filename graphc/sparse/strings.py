"""Strings taken apart: the parts of all of them are a sparse tensor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.sparse.tensor import sparse_of

__all__ = ["split", "string_split"]


def _cut_any(s: bytes, separators: bytes, skip: bool) -> list[bytes]:
    """Cut at every byte that is a separator; into single bytes where there is none."""
    if not separators:
        return [s[i : i + 1] for i in range(len(s))]
    if len(separators) > 1:
        s = s.translate(bytes.maketrans(separators, separators[:1] * len(separators)))
    parts = s.split(separators[:1])
    return list(filter(None, parts)) if skip and b"" in parts else parts


def _cut(s: bytes, separator: bytes, most: int) -> list[bytes]:
    return s.split(separator or None, most)


def _parts(x: Any, separator: Any, *, skip: bool, most: int, whole: bool) -> Any:
    if x.ndim != 1:
        raise ValueError(f"input must be a vector, got shape: {list(x.shape)}")
    mark = separator[()]
    rows = [_cut(s, mark, most) if whole else _cut_any(s, mark, skip) for s in x]
    counts = np.fromiter(map(len, rows), np.int64, len(rows))
    values = np.empty(int(counts.sum()), object)
    values[:] = list(chain.from_iterable(rows))
    row = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = np.array([len(rows), counts.max(initial=0)], np.int64)
    return np.stack([row, place], 1), values, shape


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = D.fresh()
    return [(dtypes.int64, (n, 2)), (dtypes.string, (n,)), (dtypes.int64, (2,))]


split_op = op(
    "string_split", "StringSplit", "host", args=("input", "delimiter"), types="s", numpy=_parts,
    doc="The parts of strings between separators.", infer=_infer, grad=no_grad,
    facts={"type": lambda inputs, attrs: "StringSplitV2" if attrs["whole"] else "StringSplit"},
)  # fmt: skip


def _split(source: Any, mark: Any, name: str | None, result_type: str, **attrs: Any) -> Any:
    if result_type not in ("SparseTensor", "RaggedTensor"):
        raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")
    ragged = result_type == "RaggedTensor"
    if ragged and hasattr(source, "row_splits"):
        inner = _split(source.values, mark, name, result_type, **attrs)
        return source.with_values(inner)
    with name_scope(name, "StringSplit"):
        x: Any = convert_to_tensor(
            source, dtype=None if isinstance(source, Value) else dtypes.string
        )
        if x.rank not in (1, None):
            raise ValueError(f"Shape must be rank 1 but is rank {x.rank}")
        sep = convert_to_tensor(mark, dtype=None if isinstance(mark, Value) else dtypes.string)
        made = sparse_of(*build(split_op, (x, sep), attrs).outputs)
        if not ragged:
            return made
        from graphc.ragged.tensor import RaggedTensor

        n = x.get_shape()[0].value
        many = made.dense_shape[0] if n is None else n
        return RaggedTensor.from_value_rowids(made.values, made.indices[:, 0], many, validate=False)


def string_split(
    source: Any, sep: Any = None, skip_empty: bool = True, delimiter: Any = None,
    result_type: str = "SparseTensor", name: str | None = None,
) -> Any:  # fmt: skip
    """The parts of each string of a vector, as a row of a sparse tensor or of a ragged one.

    Parameters
    ----------
    sep : str, optional
        Every byte of it separates; a space by default. Empty: each byte is a part.
    skip_empty : bool
        Whether parts without a byte are left out.
    """
    mark = delimiter if sep is None else sep
    return _split(source, " " if mark is None else mark, name, result_type, skip=bool(skip_empty),
                  most=-1, whole=False)  # fmt: skip


def split(
    input: Any = None, sep: Any = None, maxsplit: int = -1, result_type: str = "SparseTensor",
    source: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """The parts of each string of a vector between separators, as Python's split.

    Parameters
    ----------
    sep : str, optional
        White space by default.
    maxsplit : int
        How many cuts at most.
    """
    x = source if input is None else input
    return _split(x, "" if sep is None else sep, name, result_type, skip=False, most=int(maxsplit),
                  whole=True)  # fmt: skip
