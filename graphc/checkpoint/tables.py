"""Checkpoints of the first format (V1): one sorted table, or several, of slices of tensors.

They have no ``.index``: the path is the file itself, or with ``-?????-of-?????`` behind it.
"""

from __future__ import annotations

import glob
import math
import os
from typing import Any

import numpy as np

from graphc.checkpoint import wire
from graphc.checkpoint.bundle import BundleReader
from graphc.checkpoint.slices import Slice, slice_key
from graphc.checkpoint.stored import Entry, Stored, sizes_of, slice_of
from graphc.checkpoint.table import read_table
from graphc.errors import DataLossError, NotFoundError, UnimplementedError
from graphc.ir.bfloat16 import from_bits
from graphc.ir.dtypes import DType, as_dtype

__all__ = ["TableReader", "open_checkpoint", "table_files"]

Array = np.ndarray[Any, Any]

#: Where a message of a tensor has its elements, by the kind of their type and its bits.
_FIELDS = {"f32": 5, "f64": 6, "i64": 10, "bool": 11, "f16": 13, "bf16": 13, "u32": 16, "u64": 17}
_SMALL, _TEXTS = 7, 8


def table_files(prefix: str) -> list[str]:
    """The files of a checkpoint of the first format, in their order."""
    if os.path.exists(prefix):
        return [prefix]
    return sorted(glob.glob(glob.escape(prefix) + "-?????-of-?????"))


def open_checkpoint(prefix: str) -> Stored:
    """What reads the checkpoint of that path, in whichever format it is.

    Raises
    ------
    NotFoundError
        When there is none of that name.
    DataLossError
        When its index is damaged.
    """
    if not os.path.exists(prefix + ".index") and table_files(prefix):
        return TableReader(prefix)
    return BundleReader(prefix)


class TableReader(Stored):
    """A checkpoint of the first format. Blocks have checksums, and all are read at once.

    Parameters
    ----------
    prefix : str

    Raises
    ------
    NotFoundError
        When there is no such checkpoint.
    DataLossError
        When a file is no table, or damaged.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self._values: dict[bytes, bytes] = {}
        self._slices: dict[str, list[Slice]] = {}
        paths = table_files(prefix)
        if not paths:
            raise NotFoundError(None, None, f"Failed to find any matching files for {prefix}")
        for path in paths:
            try:
                with open(path, "rb") as f:
                    table = read_table(f.read())
                self._index(dict(wire.fields(table.pop(b"", b""))).get(1))
                self._values |= table
            except (OSError, ValueError, KeyError) as e:
                why = e.strerror if isinstance(e, OSError) else e
                raise DataLossError(
                    None, None,
                    f"Unable to open table file {path}: Data loss: {why}: perhaps your file is in "
                    "a different file format and you need to use a different restore operator?",
                ) from None  # fmt: skip
        for name, entry in self.entries.items():
            for s in self._slices[name]:
                key = slice_key(name, s)
                shape = entry.shape
                if not _is_whole(s):
                    entry.slices.append(s)
                    try:
                        shape = tuple([n for _, n in s.resolve(entry.shape)])
                    except ValueError as e:
                        raise DataLossError(None, None, f"{prefix}: {name} has {e}") from None
                self.parts[key] = Entry(entry.dtype, shape)

    def _index(self, raw: int | bytes | None) -> None:
        """Learn what a file says that it holds."""
        if not isinstance(raw, bytes):
            raise ValueError("it has no list of its tensors")
        for no, tensor in wire.fields(raw):
            if no != 1 or not isinstance(tensor, bytes):
                continue
            name, number, slices = "", 0, []
            shape: tuple[int, ...] = ()
            for part, value in wire.fields(tensor):
                if part == 3 and isinstance(value, int):
                    number = value
                elif isinstance(value, bytes):
                    if part == 1:
                        name = value.decode()
                    elif part == 2:
                        shape = tuple(sizes_of(value))
                    elif part == 4:
                        slices.append(slice_of(value))
            known = self.entries.setdefault(name, Entry(_type(number), shape))
            if known.shape != shape or known.dtype is not _type(number):
                raise ValueError(f"files differ in the shape or the type of {name}")
            self._slices.setdefault(name, []).extend(slices)

    def read(self, name: str, key: bytes, entry: Entry) -> Array:
        if key == name.encode():
            key = slice_key(name, Slice(((0, -1),) * len(entry.shape)))
        try:
            # key 2 is the slice, 3 in it the tensor; its name and place are in the key
            saved = dict(wire.fields(self._values[key]))[2]
            proto = dict(wire.fields(_bytes(saved)))[3]
            return _elements(_bytes(proto), entry)
        except KeyError:
            raise DataLossError(None, None, f"{self.prefix}: {name} is not in the file") from None
        except ValueError as e:
            raise DataLossError(
                None, None, f"{self.prefix}: tensor {name} is damaged: {e}"
            ) from None


def _is_whole(s: Slice) -> bool:
    return all(length < 0 for _, length in s.extents)


def _bytes(x: int | bytes) -> bytes:
    if isinstance(x, int):
        raise ValueError("a number where a message should be")
    return x


def _type(number: int) -> DType:
    try:
        return as_dtype(number)
    except TypeError:
        raise UnimplementedError(None, None, f"element type number {number}") from None


def _elements(raw: bytes, entry: Entry) -> Array:
    """The elements of a tensor from its message; ValueError when they are not as many."""
    dtype, count = entry.dtype, math.prod(entry.shape)
    if dtype.kind == "s":
        texts = [v for no, v in wire.fields(raw) if no == _TEXTS]
        if len(texts) != count:
            raise ValueError(f"{len(texts)} strings for the shape {list(entry.shape)}")
        out: Array = np.empty(count, object)
        out[:] = texts
        return out.reshape(entry.shape)
    wanted = _FIELDS.get(dtype.code, _SMALL)
    packed = b"".join([_bytes(v) for no, v in wire.fields(raw) if no == wanted])
    if dtype.code in ("f32", "f64"):
        if len(packed) != count * dtype.size:
            raise ValueError(f"{len(packed)} bytes for {dtype.name} of {list(entry.shape)}")
        return np.frombuffer(packed, dtype.np.newbyteorder("<")).astype(dtype.np).reshape(
            entry.shape
        )  # fmt: skip
    numbers = _varints(packed)
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers for {dtype.name} of {list(entry.shape)}")
    if dtype.code in ("f16", "bf16"):
        bits = numbers.astype(np.uint16)
        return (bits.view(np.float16) if dtype.code == "f16" else from_bits(bits)).reshape(
            entry.shape
        )  # fmt: skip
    return numbers.astype(dtype.np).reshape(entry.shape)


def _varints(raw: bytes) -> Array:
    """Numbers in groups of seven bits; ValueError where one is cut short or too long."""
    data = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        raise ValueError("the data ends inside a number")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    if len(lengths) and lengths.max() > 10:
        raise ValueError("a number of more than 64 bits")
    out = np.zeros(len(ends), np.uint64)
    for i in range(int(lengths.max()) if len(lengths) else 0):
        has = lengths > i
        out[has] |= (data[starts[has] + i].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * i)
    return out.view(np.int64)
