"""``tf.train.Example`` read in one pass over its bytes, as nearly all of them are written.

Whatever is laid out otherwise (lists that are not packed, unknown fields, keys twice) or does not
fit what is asked for is left to `graphc.data.examples`, which knows all of the format and its
errors: functions here answer None then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.checkpoint.wire import signed, varint

__all__ = ["Column", "columns", "features"]

Array = np.ndarray[Any, Any]
#: Where the `Feature` of each key is: begin and end.
Places = dict[bytes, tuple[int, int]]


class Column(NamedTuple):
    """What is read of each example.

    Attributes
    ----------
    size : int
        How many values a row has; -1 where each example may have another number.
    default : array, optional
        Values of an example without the key.
    """

    key: bytes
    kind: str
    size: int
    default: Array | None


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """A varint, and the position behind it."""
    n = raw[at]
    at += 1
    if n < 0x80:
        return n, at
    n &= 0x7F
    shift = 7
    while True:
        b = raw[at]
        at += 1
        n |= (b & 0x7F) << shift
        if b < 0x80:
            return n, at
        shift += 7
        if shift > 63:
            raise IndexError


def _sized(raw: bytes, at: int, tag: int) -> tuple[int, int]:
    """Begin and end of a field of bytes that is at `at`; IndexError where another one is."""
    if raw[at] != tag:
        raise IndexError
    n = raw[at + 1]
    if n < 0x80:
        return at + 2, at + 2 + n
    n, at = _number(raw, at + 1)
    return at, at + n


def features(raw: bytes) -> Places | None:
    """The places of the features of an ``Example``."""
    out: Places = {}
    end = len(raw)
    if not end:
        return out
    try:
        at, stop = _sized(raw, 0, 0x0A)
        if stop != end:
            return None
        while at < end:
            at, stop = _sized(raw, at, 0x0A)
            begin, last = _sized(raw, at, 0x0A)
            key = raw[begin:last]
            at, last = _sized(raw, last, 0x12)
            if last != stop or stop > end or key in out:
                return None
            out[key] = at, stop
            at = stop
    except IndexError:
        return None
    return out


def _content(raw: bytes, place: tuple[int, int], tag: int) -> tuple[int, int] | None:
    """Begin and end of the list in a ``Feature`` of this kind."""
    at, end = place
    if at == end or raw[at] != tag:
        return None
    size, at = _number(raw, at + 1)
    return (at, end) if at + size == end else None


def _packed(raw: bytes, place: tuple[int, int], tag: int) -> tuple[int, int] | None:
    """Begin and end of the numbers in a ``Feature``."""
    found = _content(raw, place, tag)
    if found is None or found[0] == found[1]:
        return found
    at, end = found
    if raw[at] != 0x0A:
        return None
    size, at = _number(raw, at + 1)
    return (at, end) if at + size == end else None


def _integers(pieces: Sequence[bytes]) -> tuple[Array, list[int]] | None:
    """Varints one behind the other, and how many are in each piece."""
    if len(pieces) == 1 and len(pieces[0]) < 64:
        return _few_integers(pieces[0])
    data = np.frombuffer(b"".join(pieces), np.uint8)
    sizes = np.cumsum([len(p) for p in pieces])
    ends = data < 0x80
    last = np.flatnonzero(ends)
    counts = np.diff(np.searchsorted(last, sizes), prepend=0).tolist()
    if len(last) == len(data):
        return data.astype(np.int64), counts
    if any([p and p[-1] >= 0x80 for p in pieces]):
        return None
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > 10:
        return None
    place = np.arange(len(data)) - np.repeat(first, lengths)
    part = (data & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(part, first).view(np.int64), counts


def _few_integers(piece: bytes) -> tuple[Array, list[int]]:
    out, at = [], 0
    while at < len(piece):
        n = piece[at]
        at += 1
        if n >= 0x80:
            n, at = _number(piece, at - 1)
            n = signed(n & (1 << 64) - 1)
        out.append(n)
    return np.array(out, np.int64), [len(out)]


def _strings(raw: bytes, place: tuple[int, int]) -> list[bytes] | None:
    found = _content(raw, place, 0x0A)
    if found is None:
        return None
    at, end = found
    out = []
    while at < end:
        if raw[at] != 0x0A:
            return None
        size, at = _number(raw, at + 1)
        out.append(raw[at : at + size])
        at += size
    return out if at == end else None


def _floats(raw: bytes, place: tuple[int, int]) -> bytes | None:
    found = _packed(raw, place, 0x12)
    return None if found is None or (found[1] - found[0]) % 4 else raw[found[0] : found[1]]


def _numbers(raw: bytes, place: tuple[int, int]) -> bytes | None:
    at, end = place
    if end - at == 5 and raw[at : end - 1] == b"\x1a\x03\x0a\x01":
        return raw[end - 1 : end]
    found = _packed(raw, place, 0x1A)
    return None if found is None else raw[found[0] : found[1]]


def _rows(items: Sequence[tuple[bytes, Places]], c: Column) -> tuple[Array, list[int]] | None:
    """The values of all examples, and how many each has."""
    key, kind, size, default = c
    read: Any = _READ[kind]
    instead: Any = None if default is None else _written(default, kind)
    out: list[Any] = []
    for raw, places in items:
        place = places.get(key)
        made = instead if place is None or place[0] == place[1] else read(raw, place)
        if made is None:
            return None
        out.append(made)
    found: tuple[Array, list[int]] | None = _READY[kind](out)
    if found is None or (size >= 0 and found[1] != [size] * len(out)):
        return None
    return found


def _written(values: Array, kind: str) -> Any:
    """Values as they are read from an example that has them."""
    if kind == "float32":
        return values.astype("<f4").tobytes()
    flat: list[Any] = values.reshape(-1).tolist()
    return flat if kind == "string" else b"".join([varint(n) for n in flat])


def _joined_floats(pieces: Sequence[bytes]) -> tuple[Array, list[int]]:
    values = np.frombuffer(bytearray().join(pieces), "<f4").astype(np.float32, copy=False)
    return values, [len(p) // 4 for p in pieces]


def _joined_strings(pieces: Sequence[list[bytes]]) -> tuple[Array, list[int]]:
    counts = [len(p) for p in pieces]
    out = np.empty(sum(counts), object)
    out[:] = [x for p in pieces for x in p]
    return out, counts


#: What is kept of a ``Feature``, and what makes an array of that of all examples.
_READ = {"float32": _floats, "int64": _numbers, "string": _strings}
_READY: dict[str, Any] = {
    "float32": _joined_floats, "int64": _integers, "string": _joined_strings
}  # fmt: skip


def columns(
    raws: Sequence[bytes], wanted: Sequence[Column]
) -> list[tuple[Array, list[int]]] | None:
    """For each column the values of all examples in a row, and how many each example has."""
    items = []
    for raw in raws:
        places = features(raw)
        if places is None:
            return None
        items.append((raw, places))
    out = []
    try:
        for c in wanted:
            rows = _rows(items, c)
            if rows is None:
                return None
            out.append(rows)
    except IndexError:
        return None
    return out
