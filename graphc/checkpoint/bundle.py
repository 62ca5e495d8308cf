"""Tensor bundles: TensorFlow's V2 checkpoints, ``.index`` and ``.data-00000-of-00001`` files."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from graphc.checkpoint import files, wire
from graphc.checkpoint.crc import crc32c, unmask
from graphc.checkpoint.slices import Slice, slice_key
from graphc.checkpoint.stored import Entry, Stored, sizes_of, slice_of
from graphc.checkpoint.table import read_table, write_table
from graphc.errors import DataLossError, InvalidArgumentError, NotFoundError, UnimplementedError
from graphc.ir.bfloat16 import bits_of, from_bits
from graphc.ir.dtypes import DType, as_dtype, bfloat16

__all__ = ["BundleReader", "Entry", "Item", "data_name", "write_bundle"]

Array = np.ndarray[Any, Any]
#: What a reader may ask of a file's version: ours reads all there are.
_VERSION = 1
_RANKS = 254


def _decode(raw: bytes) -> Entry:
    """An entry from its message; ValueError when it is none."""
    number, entry = 0, Entry(as_dtype("float32"))
    for no, value in wire.fields(raw):
        if isinstance(value, int):
            if no == 1:
                number = value
            elif no == 3:
                entry.shard = value
            elif no == 4:
                entry.offset = value
            elif no == 5:
                entry.size = value
            elif no == 6:
                entry.crc = value
        elif no == 2:
            entry.shape += tuple(sizes_of(value))  # a message in two halves is one
        elif no == 7:
            entry.slices.append(slice_of(value))
    try:
        entry.dtype = as_dtype(number)
    except TypeError:
        raise UnimplementedError(None, None, f"element type number {number}") from None
    if len(entry.shape) > _RANKS:
        raise ValueError(f"a shape of rank {len(entry.shape)}")
    return entry


# --------------------------------------------------------------------- bytes of tensors


def encode_tensor(a: Array, dtype: DType) -> tuple[bytes | memoryview, int]:
    """The bytes of a tensor in a data file, and their CRC."""
    if dtype.kind == "s":
        return _encode_strings(a)
    if dtype is bfloat16 and a.dtype != np.uint16:
        a = bits_of(a)
    raw = np.ascontiguousarray(a).reshape(-1).view(np.uint8).data
    return raw, crc32c(raw)


def _encode_strings(a: Array) -> tuple[bytes, int]:
    items = [x.encode() if isinstance(x, str) else bytes(x) for x in a.reshape(-1).tolist()]
    crc = 0
    for s in items:  # the checksum is over lengths as numbers, not as they are written
        crc = crc32c(struct.pack("<I" if len(s) <= 0xFFFFFFFF else "<Q", len(s)), crc)
    stored = struct.pack("<I", _mask(crc))
    crc = crc32c(stored, crc)
    head = b"".join([wire.varint(len(s)) for s in items]) + stored
    body = b"".join(items)
    return head + body, crc32c(body, crc)


def _mask(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _decode_strings(raw: bytes, count: int) -> tuple[list[bytes], int]:
    """Strings and their CRC; ValueError when the data is no such thing."""
    lengths, at, crc = [], 0, 0
    for _ in range(count):
        n, at = wire.read_varint(raw, at)
        lengths.append(n)
        crc = crc32c(struct.pack("<I" if n <= 0xFFFFFFFF else "<Q", n), crc)
    stored = raw[at : at + 4]
    if len(stored) < 4 or unmask(struct.unpack("<I", stored)[0]) != crc:
        raise ValueError("the lengths of its strings are damaged")
    crc = crc32c(stored, crc)
    at += 4
    if at + sum(lengths) != len(raw):
        raise ValueError("the lengths of its strings do not add up")
    crc = crc32c(raw[at:], crc)
    out = []
    for n in lengths:
        out.append(raw[at : at + n])
        at += n
    return out, crc


# --------------------------------------------------------------------- writing


class Item(NamedTuple):
    """A tensor to write, or with `full` and `part` a slice of the tensor `name`."""

    name: str
    value: Array
    dtype: DType
    full: tuple[int, ...] | None = None
    part: Slice | None = None


def data_name(prefix: str, shard: int, shards: int) -> str:
    """The file of one shard."""
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def write_bundle(prefix: str, items: Iterable[Item]) -> None:
    """Write a checkpoint: afterwards there is the new one, after a crash that or the one before.

    The index names the data file, and replacing the index is the one step that makes the new
    checkpoint valid. Where a checkpoint of the same name exists, the new data is first put beside
    the old as shard ``-of-00002``, and has its usual name once the old is no longer needed.

    Raises
    ------
    InvalidArgumentError
        When two items have one name.
    OpError
        When the files cannot be written; an older checkpoint of that name is then still there.
    """
    with files.exclusive(os.path.dirname(prefix) or "."):
        shards = 2 if os.path.exists(data_name(prefix, 0, 1)) else 1
        with files.replacing(data_name(prefix, 0, shards)) as f:
            entries = dict(_write_data(f, items))
        files.replace(prefix + ".index", _index(entries, shards))
        if shards == 2 and files.link(data_name(prefix, 0, 2), data_name(prefix, 0, 1)):
            files.replace(prefix + ".index", _index(entries, 1))
            shards = 1
        files.remove_stale(prefix, keep=data_name(prefix, 0, shards))


def _write_data(f: IO[bytes], items: Iterable[Item]) -> Iterator[tuple[bytes, Entry]]:
    """Write the tensors in the order of their keys; pairs of key and entry."""
    parts: dict[str, Entry] = {}
    keyed: dict[bytes, Item] = {}
    for item in items:
        key = item.name.encode()
        if item.part is not None and item.full is not None:
            whole = parts.setdefault(item.name, Entry(item.dtype, item.full))
            whole.slices.append(item.part)
            key = slice_key(item.name, item.part)
        if key in keyed:
            raise InvalidArgumentError(None, None, f"Adding duplicate key: {item.name}")
        keyed[key] = item
    for name, whole in parts.items():
        if name.encode() in keyed:
            raise InvalidArgumentError(None, None, f"Adding duplicate key: {name}")
        yield name.encode(), whole
    offset = 0
    for key in sorted(keyed):
        item = keyed[key]
        raw, crc = encode_tensor(item.value, item.dtype)
        f.write(raw)
        yield key, Entry(item.dtype, item.value.shape, 0, offset, len(raw), _mask(crc))
        offset += len(raw)


def _index(entries: Mapping[bytes, Entry], shards: int) -> bytes:
    header = wire.field(1, shards) + wire.field(3, wire.field(1, _VERSION))
    items = [(key, entries[key].encode()) for key in sorted(entries)]
    return write_table([(b"", header), *items])


# --------------------------------------------------------------------- reading


class BundleReader(Stored):
    """A checkpoint on disk: its index is read and checked at once, tensors when they are asked for.

    Parameters
    ----------
    prefix : str
        The path without ``.index``.

    Raises
    ------
    NotFoundError
        When there is no checkpoint of that name.
    DataLossError
        When the index is damaged.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        path = prefix + ".index"
        try:
            with open(path, "rb") as f:
                data = f.read()
        except FileNotFoundError:
            message = (
                "Unsuccessful TensorSliceReader constructor: Failed to find any matching files "
                f"for {prefix}"
            )
            raise NotFoundError(None, None, message) from None
        try:
            table = read_table(data)
            if b"" not in table:
                raise ValueError("it has no header")
            self._header(table.pop(b""))
            for key, raw in table.items():
                self._entry(key, raw)
        except ValueError as e:
            raise DataLossError(None, None, f"{path} is damaged: {e}") from None

    def _header(self, raw: bytes) -> None:
        shards, big, least = 0, 0, 0
        for no, value in wire.fields(raw):
            if no == 1 and isinstance(value, int):
                shards = value
            elif no == 2 and isinstance(value, int):
                big = value
            elif no == 3 and isinstance(value, bytes):
                least = int(dict(wire.fields(value)).get(2, 0))
        if shards <= 0:
            raise ValueError(f"a bundle of {shards} shards")
        if least > _VERSION:
            message = f"{self.prefix} needs a reader of version {least}; this one has {_VERSION}"
            raise UnimplementedError(None, None, message)
        self.shards = shards
        self._order: Literal["<", ">"] = ">" if big else "<"

    def _entry(self, key: bytes, raw: bytes) -> None:
        entry = _decode(raw)
        if entry.shard >= self.shards:
            raise ValueError(f"{key!r} is in shard {entry.shard} of {self.shards}")
        if key.startswith(b"\0"):
            self.parts[key] = entry
        else:
            self.entries[key.decode()] = entry

    def read(self, name: str, key: bytes, entry: Entry) -> Array:
        path = data_name(self.prefix, entry.shard, self.shards)
        count = 1
        for d in entry.shape:
            count *= d
        size = count * entry.dtype.size
        if entry.dtype.kind != "s" and size != entry.size:
            raise self._damaged(
                path, name, f"{entry.size} bytes for {entry.dtype.name} of {entry.shape}"
            )
        raw = self._bytes(path, name, entry)
        stored = unmask(entry.crc)
        if entry.dtype.kind == "s":
            try:
                if count > len(raw):
                    raise ValueError("more strings than bytes")
                strings, crc = _decode_strings(bytes(raw), count)
            except ValueError as e:
                raise self._damaged(path, name, str(e)) from None
            made = np.empty(count, object)
            made[:] = strings
            out: Array = made.reshape(entry.shape)
        else:
            crc = crc32c(raw)
            out = self._array(raw, entry)
        if crc != stored:
            what = f"Checksum does not match: stored {stored} vs. calculated {crc}"
            raise self._damaged(path, name, what)
        return out

    def _bytes(self, path: str, name: str, entry: Entry) -> Array:
        try:
            with open(path, "rb") as f:
                length = os.fstat(f.fileno()).st_size
                if entry.offset + entry.size > length:
                    what = (
                        f"it should end at byte {entry.offset + entry.size} of a file of {length}"
                    )
                    raise self._damaged(path, name, what)
                f.seek(entry.offset)
                return np.fromfile(f, np.uint8, entry.size)
        except FileNotFoundError:
            raise DataLossError(
                None, None, f"{path} is missing, which {self.prefix}.index names for {name}"
            ) from None

    def _array(self, raw: Array, entry: Entry) -> Array:
        stored = np.dtype(np.uint16) if entry.dtype is bfloat16 else entry.dtype.np
        a: Array = raw.view(stored.newbyteorder(self._order)).astype(stored, copy=False)
        if entry.dtype is bfloat16:
            a = from_bits(a)
        return a.reshape(entry.shape)

    def _damaged(self, path: str, name: str, what: str) -> DataLossError:  # type: ignore[valid-type]
        return DataLossError(None, None, f"{path}: tensor {name} is damaged: {what}")
