"""An iteration of a dataset: elements, or rows of arrays, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.data.function import Element

__all__ = [
    "BLOCK", "Chunk", "Element", "Failed", "Steps", "Stream", "flat", "gather", "held",
    "interleave", "regroup", "released",
]  # fmt: skip

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
        columns, chunks = self.columns, self._chunks or iter(())
        if columns is None:
            return flat(chunks, iter)
        return (tuple([c[i] for c in columns]) for chunk in chunks for i in chunk)


class Steps:
    """An iterator that goes on behind an error: `step` gives the next item, its state is outside.

    Elements that fail (a function that raises) are errors of one `next`, as in TensorFlow; a
    generator would be at its end after one.
    """

    def __init__(self, step: Callable[[], Any]) -> None:
        self._step = step
        self._ended = False

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        try:
            return self._step()
        except StopIteration:
            self._ended = True
            raise


def flat(source: Iterator[Any], make: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    """The items of what `make` gives for each item, one after the other."""
    inner: Iterator[Any] | None = None

    def step() -> Any:
        nonlocal inner
        while True:
            if inner is None:
                inner = iter(make(next(source)))
            for x in inner:
                return x
            inner = None

    return Steps(step)


class Failed:
    """An error on its way through a generator, which it would end."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def held(source: Iterator[Any]) -> Iterator[Any]:
    """The items, and errors as items."""
    while True:
        try:
            x = next(source)
        except StopIteration:
            return
        except Exception as e:
            x = Failed(e)
        yield x


def released(source: Iterator[Any]) -> Iterator[Any]:
    """The items; those that are errors are raised."""

    def step() -> Any:
        x = next(source)
        if type(x) is Failed:
            raise x.error
        return x

    return Steps(step)


def interleave(
    sources: Iterator[Callable[[], Iterable[Element]]], cycle: int, block: int
) -> Iterator[Element]:
    """`block` elements of each of `cycle` sources by turns; one that ends is replaced."""
    slots: list[Iterator[Element] | None] = [None] * cycle
    ended = False
    place = taken = 0

    def step() -> Element:
        nonlocal ended, place, taken
        while not (ended and all(s is None for s in slots)):
            it = slots[place]
            if it is None and not ended:
                make = next(sources, None)
                ended = make is None
                it = slots[place] = iter(make()) if make is not None else None
                taken = 0
            if it is not None and taken < block:
                for e in it:
                    taken += 1
                    return e
                slots[place] = None
            place, taken = (place + 1) % cycle, 0
        raise StopIteration

    return Steps(step)


def regroup(
    chunks: Iterator[Chunk], size: int, drop: bool, at_once: bool = False
) -> Iterator[Chunk]:
    """Chunks of `size`, the last one perhaps smaller; one with a failing element is an error.

    With `at_once` that is raised when it is met, and the next chunk begins behind it.
    """
    rest: Chunk = ()

    def step() -> Chunk:
        nonlocal rest
        parts: list[Chunk] = []
        have = 0
        error: Exception | None = None
        while have < size:
            chunk, rest = rest, ()
            try:
                chunk = chunk if len(chunk) else next(chunks)
            except StopIteration:
                break
            except Exception as e:
                if at_once:
                    raise
                error, have = error or e, have + 1
                continue
            if len(chunk) > size - have:
                chunk, rest = chunk[: size - have], chunk[size - have :]
            if len(chunk):
                parts.append(chunk)
                have += len(chunk)
        if error is not None:
            raise error
        if not have or (drop and have < size):
            raise StopIteration
        return _join(parts)  # type: ignore[no-any-return]

    return Steps(step)


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
