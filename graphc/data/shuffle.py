"""The order in which TensorFlow's shuffle buffer hands out elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.data.streams import Failed
from graphc.data.streams import held as with_errors
from graphc.ops import philox

__all__ = ["Draws", "shuffle"]


class Draws:
    """The 32-bit numbers of a Philox generator, one after the other."""

    __slots__ = ("block", "first", "left", "second")

    def __init__(self, seed: int, seed2: int) -> None:
        self.first, self.second = seed, seed2
        self.block = 0
        #: Numbers at hand, the next one last; always the same list.
        self.left: list[int] = []

    def __call__(self) -> int:
        if not self.left:
            self.fill(64)
        return self.left.pop()

    def fill(self, blocks: int) -> None:
        """Make the numbers of at least so many blocks, more each time: behind those at hand."""
        blocks = max(blocks, min(self.block, 2048))
        index = np.arange(blocks, dtype=np.uint64)
        lanes = philox.blocks(self.first, self.second, self.block, index)
        self.left[:0] = lanes.reshape(-1).tolist()[::-1]
        self.block += blocks

    def some(self, n: int) -> list[int]:
        """The next `n` numbers."""
        left = self.left
        if len(left) < n:
            self.fill(n // 4 + 1)
        taken = left[len(left) - n :]
        del left[len(left) - n :]
        taken.reverse()
        return taken


def shuffle(
    epochs: Iterator[Iterator[Sequence[Any]]], size: int, draws: Draws, block: int
) -> Iterator[Sequence[Any]]:
    """Chunks of the items of `epochs`, shuffled through a buffer of `size` items.

    The buffer is a ring. Its part that belongs to one epoch is a slice; an item is drawn from the
    first slice and its place taken by that slice's first item, so that an epoch ends before the
    next one begins although the buffer holds items of both.

    Parameters
    ----------
    epochs : iterator of iterators of chunks
    block : int
        Items of a chunk that is handed out: with 1 no item is fetched before it is wanted, with
        more they are row numbers and come as arrays.
    """
    ring: list[Any] = []
    slices = [[0, 0]]  # begin and end of each epoch in the buffer, counted from the very first item
    items = _items(epochs, slices)
    out: list[Any] = []
    left = draws.left
    held = 0
    while True:
        while held < size:
            x = next(items, _END)
            if x is _END:
                break
            if type(x) is Failed:
                yield x  # type: ignore[misc]
                continue
            place = slices[-1][1]
            if place < size:
                ring.append(x)
            else:
                ring[place % size] = x
            slices[-1][1] = place + 1
            held += 1
        if not held:
            break
        first = slices[0]
        while first[0] == first[1]:
            del slices[0]
            first = slices[0]
        begin, end = first
        if held >= size:  # one out, one in
            number = left.pop() if left else draws()
            i = (begin + number % (end - begin)) % size
            out.append(ring[i])
            ring[i] = ring[begin % size]
            first[0] = begin + 1
            held -= 1
        else:  # the source has ended: nothing changes but the slice
            for number in draws.some(min(end - begin, block)):
                i = (begin + number % (end - begin)) % size
                out.append(ring[i])
                ring[i] = ring[begin % size]
                begin += 1
            held -= begin - first[0]
            first[0] = begin
        if len(out) >= block:
            yield _chunk(out, block)
            out = []
    if out:
        yield _chunk(out, block)


def _chunk(items: list[Any], block: int) -> Any:
    return np.array(items, np.int64) if block > 1 else items


_END: Any = object()


def _items(epochs: Iterator[Iterator[Sequence[Any]]], slices: list[list[int]]) -> Iterator[Any]:
    """All items; where an epoch begins, so does a slice. Ends when an epoch has none."""
    for n, chunks in enumerate(epochs):
        if n:
            slices.append([slices[-1][1], slices[-1][1]])
        empty = True
        for chunk in with_errors(iter(chunks)):
            if type(chunk) is Failed:
                empty = False
                yield chunk
                continue
            empty = empty and not len(chunk)
            yield from chunk.tolist() if isinstance(chunk, np.ndarray) else chunk
        if empty:
            return
