"""Slices of tensors: how a specification writes them, and the keys they have in an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Slice", "parse_spec", "slice_key", "spec_text"]

#: For each number of bytes the bits that say so, in the first two of them.
_HEADERS = (
    (0, 0), (0x80, 0), (0xC0, 0), (0xE0, 0), (0xF0, 0), (0xF8, 0), (0xFC, 0), (0xFE, 0),
    (0xFF, 0), (0xFF, 0x80), (0xFF, 0xC0),
)  # fmt: skip


class Slice(NamedTuple):
    """Start and length along each axis; a length of -1 is all of the axis."""

    extents: tuple[tuple[int, int], ...]

    def resolve(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The extents in a tensor of that shape, all lengths known.

        Raises
        ------
        ValueError
            When they do not fit it.
        """
        if len(self.extents) != len(shape):
            raise ValueError(f"a slice of rank {len(self.extents)} of a shape {list(shape)}")
        out = []
        for (start, length), size in zip(self.extents, shape, strict=True):
            if length < 0:
                start, length = 0, size
            if start < 0 or start + length > size:
                raise ValueError(f"slice [{start}, {start + length}) of an axis of {size}")
            out.append((start, length))
        return tuple(out)

    def where(self, shape: Sequence[int]) -> tuple[slice, ...]:
        """The same as an index of numpy."""
        return tuple([slice(s, s + n) for s, n in self.resolve(shape)])


def parse_spec(spec: str) -> tuple[tuple[int, ...], Slice]:
    """Full shape and slice of a text like ``"5 4 0,3:-"``.

    Raises
    ------
    ValueError
        When it is no such text.
    """
    *sizes, last = spec.split(" ")
    try:
        shape = tuple([int(s) for s in sizes])
        parts = last.split(":") if last else []
        extents = []
        for part in parts:
            if part == "-":
                extents.append((0, -1))
                continue
            start, length = part.split(",")
            extents.append((int(start), int(length)))
    except ValueError:
        raise ValueError(f"{spec!r} is no shape and slice") from None
    if len(extents) != len(shape):
        raise ValueError(f"{spec!r} has {len(shape)} sizes and {len(extents)} extents")
    return shape, Slice(tuple(extents))


def spec_text(shape: Sequence[int], offset: Sequence[int], lengths: Sequence[int]) -> str:
    """The text of a part of a variable."""
    sizes = "".join([f"{n} " for n in shape])
    return sizes + ":".join([f"{s},{n}" for s, n in zip(offset, lengths, strict=True)])


def slice_key(name: str, part: Slice) -> bytes:
    """The key of a slice of the tensor `name`: sorts by name, rank, then extents."""
    text = name.encode().replace(b"\xff", b"\xff\0").replace(b"\0", b"\0\xff")
    out = bytearray(b"\0" + text + b"\0\1" + _number(len(part.extents)))
    for start, length in part.extents:
        out += _signed(start) + _signed(length)
    return bytes(out)


def _number(n: int) -> bytes:
    raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([len(raw)]) + raw


def _signed(n: int) -> bytes:
    magnitude = ~n if n < 0 else n
    length = 1
    while magnitude >> (7 * length - 1):
        length += 1
    raw = bytearray(n.to_bytes(10, "big", signed=True)[10 - length :])
    for i, bits in enumerate(_HEADERS[length][: len(raw)]):
        raw[i] ^= bits
    return bytes(raw)
