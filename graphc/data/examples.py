"""``tf.train.Example`` as arrays: the wire format, read without protocol buffers."""

from __future__ import annotations

import functools
import operator
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.checkpoint import wire
from graphc.data import scan
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType

__all__ = [
    "Dense", "Spec", "example_features", "parse_batch", "parse_quickly", "sequence_features",
]  # fmt: skip

Array = np.ndarray[Any, Any]

#: Field of a ``Feature`` → the element type that it holds.
_KINDS = {1: "string", 2: "float32", 3: "int64"}
_CALLED = {"float32": "float"}


class Dense(NamedTuple):
    """A feature with a shape; `variable`: its first size is as long as its values are."""

    key: str
    dtype: DType
    shape: tuple[int, ...]
    variable: bool = False


class Spec(NamedTuple):
    """What to read: features with a shape, and those without as pairs (key, type)."""

    dense: tuple[Dense, ...]
    sparse: tuple[tuple[str, DType], ...]


def _refuse(text: str) -> InvalidArgumentError:  # type: ignore[valid-type]
    return InvalidArgumentError(None, None, text)


# --------------------------------------------------------------------- the wire format


def _message(raw: bytes | int) -> bytes:
    if not isinstance(raw, bytes):
        raise ValueError("a number in place of a message")
    return raw


def _entries(raw: bytes, field: int = 1) -> Iterator[tuple[str, bytes]]:
    """Pairs of a map."""
    for no, value in wire.fields(raw):
        if no == field:
            entry = dict(wire.fields(_message(value)))
            key = entry.get(1, b"")
            yield _message(key).decode("utf-8", "surrogateescape"), _message(entry.get(2, b""))


def _values(raw: bytes) -> tuple[str | None, Array]:
    """Element type and values of a ``Feature``; no type where it is empty."""
    kind, held = None, b""
    for no, value in wire.fields(raw):
        if no in _KINDS:
            kind, held = _KINDS[no], _message(value)
    if kind is None:
        return None, np.zeros(0)
    parts = [v for no, v in wire.fields(held) if no == 1]
    if kind == "string":
        out = np.empty(len(parts), object)
        out[:] = [_message(p) for p in parts]
        return kind, out
    decode = _floats if kind == "float32" else _ints
    arrays = [decode(p) for p in parts]
    if len(arrays) == 1:
        return kind, arrays[0]
    empty = np.zeros(0, np.float32 if kind == "float32" else np.int64)
    return kind, np.concatenate([empty, *arrays])


def _floats(part: bytes | int) -> Array:
    if isinstance(part, int):
        return np.frombuffer(struct.pack("<I", part), "<f4")
    if len(part) % 4:
        raise ValueError("a list of floats is cut short")
    return np.frombuffer(part, "<f4")


def _ints(part: bytes | int) -> Array:
    if isinstance(part, int):
        return np.array([wire.signed(part)], np.int64)
    raw = np.frombuffer(part, np.uint8)
    if not (raw & 0x80).any():  # small numbers take a byte each
        return raw.astype(np.int64)
    out, at = [], 0
    while at < len(part):
        n, at = wire.read_varint(part, at)
        out.append(wire.signed(n))
    return np.array(out, np.int64)


def example_features(raw: bytes) -> dict[str, bytes]:
    """Feature by name of an ``Example``; ValueError when it is none."""
    out: dict[str, bytes] = {}
    for no, value in wire.fields(raw):
        if no == 1:
            out.update(_entries(_message(value)))
    return out


def sequence_features(raw: bytes) -> tuple[dict[str, bytes], dict[str, list[bytes]]]:
    """Context and feature lists of a ``SequenceExample``; ValueError when it is none."""
    context: dict[str, bytes] = {}
    lists: dict[str, list[bytes]] = {}
    for no, value in wire.fields(raw):
        if no == 1:
            context.update(_entries(_message(value)))
        elif no == 2:
            for key, held in _entries(_message(value)):
                lists[key] = [_message(v) for n, v in wire.fields(held) if n == 1]
    return context, lists


# --------------------------------------------------------------------- batches


def _read(features: Mapping[str, bytes], key: str, dtype: DType, where: str) -> Array | None:
    """The values of a feature, or None where there are none."""
    raw = features.get(key)
    kind, values = (None, None) if raw is None else _values(raw)
    if kind is None:
        return None
    if kind != dtype.name:
        raise _refuse(
            f"{where.format(key=key)}.  Data types don't match. Data type: "
            f"{_CALLED.get(kind, kind)} but expected type: {_CALLED.get(dtype.name, dtype.name)}"
        )
    return values


def parse_batch(
    items: Sequence[Mapping[str, bytes]], spec: Spec, defaults: Sequence[Array],
    names: Sequence[str] = (), single: bool = False,
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:  # fmt: skip
    """Indices, values and shapes of features without a shape, and arrays of those with one.

    Parameters
    ----------
    items : list of dict
        Feature by name, one for each example.
    defaults : list of array
        For each dense feature; empty where there is none.
    single : bool
        One example, whose arrays have no axis for the batch.

    Raises
    ------
    InvalidArgumentError
        When a feature is missing, or of another type or size.
    """
    texts = _Texts(names, single)
    dense = [
        _dense(items, d, default, texts) for d, default in zip(spec.dense, defaults, strict=True)
    ]
    sparse = [_sparse(items, key, dtype, texts) for key, dtype in spec.sparse]
    if single:
        dense = [a[0] for a in dense]
        sparse = [(i[:, 1:], v, s[1:]) for i, v, s in sparse]
    indices, values, shapes = ([s[k] for s in sparse] for k in range(3))
    return indices, values, shapes, dense


class _Texts:
    """What messages say of an example."""

    def __init__(self, names: Sequence[str], single: bool) -> None:
        self.names, self.single = names, single

    def missing(self, i: int) -> str:
        return "" if self.single else f"Name: {self.name(i)}, "

    def name(self, i: int) -> str:
        return self.names[i] if i < len(self.names) else "<unknown>"

    def where(self, i: int) -> str:
        return "Key: {key}" if self.single else f"Name: {self.name(i)}, Key: {{key}}, Index: {i}"


def _dense(items: Sequence[Mapping[str, bytes]], d: Dense, default: Array, texts: _Texts) -> Array:
    rows: list[Array] = []
    size = int(np.prod(d.shape, dtype=np.int64))
    for i, features in enumerate(items):
        values = _read(features, d.key, d.dtype, texts.where(i))
        if d.variable:
            a = np.zeros(0, d.dtype.np) if values is None else values
            if size == 0 or a.size % size:
                raise _refuse(_sizes(texts, i, d, a))
            rows.append(a.reshape(-1, *d.shape))
            continue
        if values is None:
            if not default.size and size:
                called = _CALLED.get(d.dtype.name, d.dtype.name)
                raise _refuse(
                    f"{texts.missing(i)}Feature: {d.key} (data type: {called}) is required but "
                    "could not be found."
                )
            values = default
        if values.size != size:
            raise _refuse(_sizes(texts, i, d, values))
        rows.append(values.reshape(d.shape))
    if not d.variable:
        flat = [np.zeros(0, d.dtype.np), *[row.reshape(-1) for row in rows]]
        return np.concatenate(flat, dtype=d.dtype.np).reshape(len(rows), *d.shape)
    longest = max([len(r) for r in rows], default=0)
    padded = _blank((len(rows), longest), d, default)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _blank(lead: tuple[int, int], d: Dense, default: Array) -> Array:
    """An array of what stands for values that are not there."""
    padded = np.empty((*lead, *d.shape), d.dtype.np)
    padded[...] = default.reshape(-1)[0] if default.size else (b"" if d.dtype.kind == "s" else 0)
    return padded


def _sizes(texts: _Texts, i: int, d: Dense, values: Array) -> str:
    if texts.single:
        return f"Key: {d.key}.  Can't parse serialized Example."
    called = _CALLED.get(d.dtype.name, d.dtype.name)
    return (
        f"Name: {texts.name(i)}, Key: {d.key}, Index: {i}.  Number of {called} values != "
        f"expected.  Values size: {values.size} but output shape: [{','.join(map(str, d.shape))}]"
    )


def _sparse(
    items: Sequence[Mapping[str, bytes]], key: str, dtype: DType, texts: _Texts
) -> tuple[Array, Array, Array]:
    rows = [_read(f, key, dtype, texts.where(i)) for i, f in enumerate(items)]
    full = [np.zeros(0, dtype.np) if r is None else r for r in rows]
    return _parts_of(np.concatenate([np.zeros(0, dtype.np), *full]), [len(r) for r in full])


def _parts_of(values: Array, lengths: Sequence[int]) -> tuple[Array, Array, Array]:
    """Indices, values and shape of a sparse matrix whose rows have so many values."""
    counts = np.array(lengths, np.int64)
    indices = np.empty((len(values), 2), np.int64)
    if len(counts) == 1:
        indices[:, 0], indices[:, 1] = 0, np.arange(len(values))
        return indices, values, np.array([1, len(values)], np.int64)
    indices[:, 0] = np.repeat(np.arange(len(counts)), counts)
    indices[:, 1] = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return indices, values, np.array([len(counts), counts.max(initial=0)], np.int64)


# --------------------------------------------------------------------- in one pass


def parse_quickly(
    raws: Sequence[bytes], spec: Spec, defaults: Sequence[Array], single: bool = False
) -> tuple[list[Array], ...] | None:
    """What `parse_batch` gives, where the examples are written as usual and fit; else None."""
    wanted = _wanted(spec).columns(defaults)
    found = scan.columns(raws, wanted)
    if found is None:
        return None
    dense = []
    for d, default, (values, counts) in zip(spec.dense, defaults, found, strict=False):
        made = _placed(d, default, values, counts) if d.variable else values
        if made is None:
            return None
        dense.append(made if d.variable else made.reshape(len(raws), *d.shape))
    sparse = [_parts_of(*f) for f in found[len(spec.dense) :]]
    if single:
        dense = [a[0:1].reshape(a.shape[1:]) for a in dense]
        sparse = [(i[:, 1:], v, s[1:]) for i, v, s in sparse]
    return (*([s[k] for s in sparse] for k in range(3)), dense)


class _Wanted:
    """Columns to read for a specification."""

    def __init__(self, spec: Spec) -> None:
        self.dense = [
            (_key(d.key), d.dtype.name, -1 if d.variable else int(np.prod(d.shape, dtype=np.int64)),
             np.zeros(0, d.dtype.np))
            for d in spec.dense
        ]  # fmt: skip
        self.sparse = [
            scan.Column(_key(key), dtype.name, -1, np.zeros(0, dtype.np))
            for key, dtype in spec.sparse
        ]
        self.last: tuple[Sequence[Array], list[scan.Column]] = ((), [*self.sparse])

    def columns(self, defaults: Sequence[Array]) -> list[scan.Column]:
        """With the default values; those of the last call are mostly the same arrays."""
        given, made = self.last
        if len(given) != len(defaults) or any(map(operator.is_not, given, defaults)):
            made = [
                scan.Column(key, kind, size,
                            empty if size < 0 else default if default.size == size else None)
                for (key, kind, size, empty), default in zip(self.dense, defaults, strict=True)
            ]  # fmt: skip
            made += self.sparse
            self.last = defaults, made
        return made


_wanted = functools.lru_cache(256)(_Wanted)


def _key(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _placed(d: Dense, default: Array, values: Array, counts: Sequence[int]) -> Array | None:
    """Rows of unequal lengths, padded; None where one has no whole number of entries."""
    size = int(np.prod(d.shape, dtype=np.int64))
    if size == 0 or any(n % size for n in counts):
        return None
    longest = max(counts, default=0) // size
    if all(n == longest * size for n in counts):
        return values.reshape(len(counts), longest, *d.shape)
    padded = _blank((len(counts), longest), d, default)
    at = 0
    for row, n in zip(padded, counts, strict=True):
        row[: n // size] = values[at : at + n].reshape(-1, *d.shape)
        at += n
    return padded
