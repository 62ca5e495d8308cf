"""An iteration of a dataset: elements, or rows of arrays, some at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.data.function import Element

__all__ = ["BLOCK", "Chunk", "Element", "Stream", "gather", "interleave", "regroup"]

Chunk = Sequence[Any]  # of elements, or a range or an array of row numbers

#: Rows that are shuffled at a time where a shuffle hands on row numbers.
BLOCK = 1024


class Stream:
    """An iteration of a dataset that has begun: elements, or rows of arrays.

    Attributes
    ----------
    columns : tuple of array, or None
        Where elements are rows of arrays: the arrays; chunks then hold row numbers.
    """

    __slots__ = ("_chunks", "_elements", "columns")

    def __init__(
        self, elements: Iterable[Element] | None = None, chunks: Iterator[Chunk] | None = None,
        columns: tuple[Any, ...] | None = None,
    ) -> None:  # fmt: skip
        self._elements = None if elements is None else iter(elements)
        self._chunks = chunks
        self.columns = columns

    @property
    def chunks(self) -> Iterator[Chunk]:
        """Some elements (or row numbers) at a time; where each is computed, one."""
        return zip(self._elements) if self._chunks is None else self._chunks  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Element]:
        return self._rows() if self._elements is None else self._elements

    def _rows(self) -> Iterator[Element]:
        columns = self.columns
        for chunk in self._chunks or ():
            if columns is None:
                yield from chunk
                continue
            for i in chunk:
                yield tuple([c[i] for c in columns])


def interleave(
    sources: Iterator[Callable[[], Iterable[Element]]], cycle: int, block: int
) -> Iterator[Element]:
    """`block` elements of each of `cycle` sources by turns; one that ends is replaced."""
    slots: list[Iterator[Element] | None] = [None] * cycle
    ended = False
    place = 0
    while not (ended and all(s is None for s in slots)):
        it = slots[place]
        if it is None and not ended:
            make = next(sources, None)
            ended = make is None
            it = slots[place] = iter(make()) if make is not None else None
        if it is not None:
            taken = 0
            for e in itertools.islice(it, block):
                yield e
                taken += 1
            if taken < block:
                slots[place] = None
        place = (place + 1) % cycle


class _Resumed:
    """An iterator that is begun anew behind an error: who catches that can go on."""

    def __init__(self, make: Callable[[], Iterator[Chunk]]) -> None:
        self._make, self._now = make, make()

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        try:
            return next(self._now)
        except StopIteration:
            raise
        except Exception:
            self._now = self._make()
            raise


def regroup(chunks: Iterator[Chunk], size: int, drop: bool) -> Iterator[Chunk]:
    """Chunks of `size`, the last one perhaps smaller; those with a failing element are left out."""
    return _Resumed(lambda: _regrouped(chunks, size, drop))


def _regrouped(chunks: Iterator[Chunk], size: int, drop: bool) -> Iterator[Chunk]:
    parts: list[Chunk] = []
    have = 0
    for chunk in chunks:
        at = 0
        while len(chunk) - at >= size - have:
            end = at + size - have
            yield _join([*parts, chunk[at:end]])
            parts, have, at = [], 0, end
        if at < len(chunk):
            parts.append(chunk[at:] if at else chunk)
            have += len(chunk) - at
    if parts and not drop:
        yield _join(parts)


def _join(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], (range, np.ndarray)):
        return np.concatenate([np.asarray(p) for p in parts])
    return [x for p in parts for x in p]


def gather(column: Any, rows: Chunk) -> Any:
    """The rows of a column: a copy."""
    if isinstance(rows, range) and rows.step == 1:
        return column[rows.start : rows.stop].copy()
    return column.take(rows, axis=0)
