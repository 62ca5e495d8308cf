"""Sorted tables of byte strings in a file: the format of LevelDB that checkpoint indexes use."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from graphc.checkpoint.crc import crc32c, masked_crc32c, unmask
from graphc.checkpoint.wire import read_varint, varint

__all__ = ["MAGIC", "read_table", "write_table"]

MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_BLOCK = 4096 * 64
_RESTART = 16
_PLAIN, _SNAPPY = 0, 1


class _Block:
    """Entries with the prefix they share with the last one left out, and where to start anew."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.restarts = [0]
        self.count = 0
        self.last = b""

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self.count == _RESTART:
            self.restarts.append(len(self.data))
            self.count = 0
        else:
            limit = min(len(self.last), len(key))
            while shared < limit and self.last[shared] == key[shared]:
                shared += 1
        self.data += varint(shared) + varint(len(key) - shared) + varint(len(value))
        self.data += key[shared:] + value
        self.last = key
        self.count += 1

    def finish(self) -> bytes:
        return bytes(self.data) + struct.pack(
            f"<{len(self.restarts) + 1}I", *self.restarts, len(self.restarts)
        )


def write_table(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The table of `items`, which are in ascending order of their keys."""
    out = bytearray()
    index = _Block()

    def put(block: bytes) -> bytes:
        handle = varint(len(out)) + varint(len(block))
        raw = block + bytes([_PLAIN])
        out.extend(raw + struct.pack("<I", masked_crc32c(raw)))
        return handle

    block = _Block()
    for key, value in items:
        block.add(key, value)
        if len(block.data) >= _BLOCK:
            index.add(block.last, put(block.finish()))
            block = _Block()
    if block.data:
        index.add(block.last, put(block.finish()))
    meta = put(_Block().finish())
    handles = meta + put(index.finish())
    return bytes(out) + handles.ljust(_FOOTER - 8, b"\0") + struct.pack("<Q", MAGIC)


def read_table(data: bytes) -> dict[bytes, bytes]:
    """All entries of a table.

    Raises
    ------
    ValueError
        When `data` is no table, is cut short, or fails a checksum; the message says which.
    """
    if len(data) < _FOOTER:
        raise ValueError(f"file is too short to be an sstable: {len(data)} bytes")
    if struct.unpack("<Q", data[-8:])[0] != MAGIC:
        raise ValueError("not an sstable (bad magic number)")
    footer = data[-_FOOTER:]
    _, at = _handle(footer, 0)
    where, _ = _handle(footer, at)
    out: dict[bytes, bytes] = {}
    for _, handle in _entries(_read_block(data, where)):
        out.update(_entries(_read_block(data, _handle(handle, 0)[0])))
    return out


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _read_block(data: bytes, where: tuple[int, int]) -> bytes:
    offset, size = where
    if offset + size + 5 > len(data) - _FOOTER:
        raise ValueError(f"block of {size} bytes at {offset} is beyond the file's end")
    raw = data[offset : offset + size + 1]
    (stored,) = struct.unpack("<I", data[offset + size + 1 : offset + size + 5])
    if crc32c(raw) != unmask(stored):
        raise ValueError(f"block checksum mismatch at byte {offset}")
    if raw[-1] == _PLAIN:
        return raw[:-1]
    if raw[-1] == _SNAPPY:
        return unsnap(raw[:-1])
    raise ValueError(f"unknown block compression {raw[-1]}")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < 4:
        raise ValueError("bad block contents")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise ValueError("bad block contents")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        rest, at = read_varint(block, at)
        size, at = read_varint(block, at)
        if shared > len(key) or at + rest + size > end:
            raise ValueError("bad entry in block")
        key = key[:shared] + block[at : at + rest]
        at += rest
        yield key, block[at : at + size]
        at += size


def unsnap(data: bytes) -> bytes:
    """Snappy-compressed bytes as they were (older checkpoints compress their index).

    Raises
    ------
    ValueError
        When `data` is damaged.
    """
    size, at = read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            n = tag >> 2
            if n >= 60:
                extra = n - 59
                n = int.from_bytes(data[at : at + extra], "little")
                at += extra
            out += data[at : at + n + 1]
            at += n + 1
            continue
        if kind == 1:
            n, width, high = (tag >> 2 & 7) + 4, 1, tag >> 5 << 8
        else:
            n, width, high = (tag >> 2) + 1, 2 if kind == 2 else 4, 0
        back = high | int.from_bytes(data[at : at + width], "little")
        at += width
        if not 0 < back <= len(out) or len(out) + n > size:
            raise ValueError("bad snappy data")
        for _ in range(n):
            out.append(out[-back])
    if len(out) != size:
        raise ValueError(f"snappy data of {len(out)} bytes where {size} were promised")
    return bytes(out)
