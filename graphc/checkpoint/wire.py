"""The wire format of protocol buffers, as far as small messages in binary files need it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["field", "fields", "fixed32", "number", "read_varint", "signed", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(n: int) -> bytes:
    """A number in groups of seven bits, the lowest first; negative ones as 64 bits."""
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A number and the position after it.

    Raises
    ------
    ValueError
        When the data ends inside, or the number is longer than 64 bits.
    """
    n = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the data ends inside a number")
        b = data[at]
        at += 1
        n |= (b & 0x7F) << shift
        if b < 0x80:
            return n & ((1 << 64) - 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def signed(n: int) -> int:
    """A varint's bits as a signed 64-bit number."""
    return n - (1 << 64) if n >= 1 << 63 else n


def field(number: int, value: int | bytes) -> bytes:
    """One field: an integer as a varint, bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def number(no: int, value: int) -> bytes:
    """An integer field, left out where it is 0, as proto3 does."""
    return field(no, value) if value else b""


def fixed32(no: int, value: int) -> bytes:
    """A field of four bytes, left out where it is 0."""
    return varint(no << 3 | FIXED32) + struct.pack("<I", value) if value else b""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int | bytes]]:
    """Pairs (field number, integer or bytes) of a message, in the order of the file.

    Raises
    ------
    ValueError
        When the data is no message.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            n, at = read_varint(data, at)
            yield key >> 3, n
            continue
        if kind == BYTES:
            size, at = read_varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of wire type {kind}")
        if size > end - at:
            raise ValueError(f"a field of {size} bytes where {end - at} are left")
        raw = bytes(data[at : at + size])
        at += size
        yield key >> 3, raw if kind == BYTES else int.from_bytes(raw, "little")
