"""What checkpoints of any format hold: tensors by name, some of them in slices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.checkpoint import wire
from graphc.checkpoint.slices import Slice, slice_key
from graphc.errors import DataLossError, InvalidArgumentError, NotFoundError
from graphc.ir.dtypes import DType

__all__ = ["Entry", "Stored", "sizes_of", "slice_of"]

Array = np.ndarray[Any, Any]


@dataclass
class Entry:
    """What the index says of one tensor.

    Attributes
    ----------
    dtype : DType
    shape : tuple of int
    shard, offset, size, crc : int
        Where its bytes are, and their checksum.
    slices : list of Slice
        Not empty where the tensor is stored in parts, each with an entry of its own.
    """

    dtype: DType
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: list[Slice] = field(default_factory=list)

    def encode(self) -> bytes:
        """The message of the index."""
        dims = b"".join([wire.field(2, wire.number(1, d)) for d in self.shape])
        out = wire.field(1, self.dtype.enum) + wire.field(2, dims) + wire.number(3, self.shard)
        out += wire.number(4, self.offset) + wire.number(5, self.size) + wire.fixed32(6, self.crc)
        for s in self.slices:
            extents = [
                wire.field(1, wire.number(1, start) + (wire.field(2, n) if n >= 0 else b""))
                for start, n in s.extents
            ]
            out += wire.field(7, b"".join(extents))
        return out


def sizes_of(raw: bytes) -> Iterator[int]:
    """The sizes in a message of a shape; ValueError when it is none."""
    for no, value in wire.fields(raw):
        if no == 2 and isinstance(value, bytes):
            size = dict(wire.fields(value)).get(1, 0)
            if not isinstance(size, int) or wire.signed(size) < 0:
                raise ValueError("a negative size")
            yield size


def slice_of(raw: bytes) -> Slice:
    """The slice in a message; ValueError when it is none."""
    return Slice(tuple(_extents(raw)))


def _extents(raw: bytes) -> Iterator[tuple[int, int]]:
    for no, value in wire.fields(raw):
        if no == 1 and isinstance(value, bytes):
            found = dict(wire.fields(value))
            start, length = found.get(1, 0), found.get(2, -1)
            if not isinstance(start, int) or not isinstance(length, int):
                raise ValueError("a bad extent")
            yield wire.signed(start), wire.signed(length)


class Stored:
    """A checkpoint to read. Its index is read and checked at once, tensors when they are asked for.

    Attributes
    ----------
    prefix : str
        Its path.
    entries : dict
        What is known of each tensor, by name.
    parts : dict
        The same of each slice, by its key.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.entries: dict[str, Entry] = {}
        self.parts: dict[bytes, Entry] = {}

    def read(self, name: str, key: bytes, entry: Entry) -> Array:
        """The value that is stored under a key; DataLossError when its bytes are damaged."""
        raise NotImplementedError

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that it does not hold."""
        return [n for n in dict.fromkeys(names) if n not in self.entries]

    def entry(self, name: str) -> Entry:
        """What is known of a tensor; NotFoundError when there is none of that name."""
        found = self.entries.get(name)
        if found is None:
            raise NotFoundError(None, None, f"Key {name} not found in checkpoint")
        return found

    def tensor(self, name: str) -> Array:
        """The value of a tensor, put together where it is stored in slices.

        Raises
        ------
        NotFoundError
            When there is none of that name.
        DataLossError
            When its bytes are damaged.
        """
        entry = self.entry(name)
        if not entry.slices:
            return self.read(name, name.encode(), entry)
        places = [self._extents(name, entry, s) for s in entry.slices]
        if sum(math.prod([n for _, n in p]) for p in places) < math.prod(entry.shape):
            raise InvalidArgumentError(
                None, None,
                f"Does not have sufficient slices for partitioned tensor {name} to restore in "
                f"slice_spec: {':'.join('-' * len(entry.shape))}",
            )  # fmt: skip
        if any(_overlap(p, q) for p, q in itertools.combinations(places, 2)):
            raise DataLossError(None, None, f"{self.prefix}: slices of {name} overlap")
        out = np.empty(entry.shape, entry.dtype.np)
        for p, s in zip(places, entry.slices, strict=True):
            out[tuple([slice(at, at + n) for at, n in p])] = self._part(name, entry, s)
        return out

    def part(self, name: str, wanted: Slice) -> Array:
        """A slice of a tensor, from those it is stored in."""
        entry = self.entry(name)
        extents = wanted.resolve(entry.shape)
        for s in entry.slices:
            if self._extents(name, entry, s) == extents:
                return self._part(name, entry, s)
        return np.ascontiguousarray(self.tensor(name)[wanted.where(entry.shape)])

    def _extents(self, name: str, entry: Entry, s: Slice) -> tuple[tuple[int, int], ...]:
        try:
            return s.resolve(entry.shape)
        except ValueError as e:
            raise DataLossError(None, None, f"{self.prefix}: {name} has {e}") from None

    def _part(self, name: str, entry: Entry, s: Slice) -> Array:
        key = slice_key(name, s)
        found = self.parts.get(key)
        if found is None:
            raise DataLossError(None, None, f"{self.prefix}: {name} lacks slice {s.extents}")
        if found.shape != tuple([n for _, n in self._extents(name, entry, s)]):
            raise DataLossError(None, None, f"{self.prefix}: {name} has a slice of another shape")
        if found.dtype is not entry.dtype:
            raise DataLossError(None, None, f"{self.prefix}: {name} has a slice of another type")
        return self.read(name, key, found)

    def verify(self, names: Sequence[str] | None = None) -> None:
        """Read everything (or `names`) and check it; DataLossError where something is damaged."""
        for name in self.entries if names is None else names:
            self.tensor(name)


def _overlap(p: Sequence[tuple[int, int]], q: Sequence[tuple[int, int]]) -> bool:
    """Whether two slices of one tensor have an element in common."""
    return all(
        a < b + m and b < a + n and n > 0 and m > 0 for (a, n), (b, m) in zip(p, q, strict=True)
    )
