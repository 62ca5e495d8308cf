"""Squares of elements in vectors, turned."""

from __future__ import annotations

from typing import Any

from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V

__all__ = ["transposed"]


def transposed(fn: Fn, rows: list[V]) -> list[V]:
    """The transposed square: columns of `rows`.

    Two-operand interleaves inside 16 bytes first (one fast instruction each), then of
    16-byte quarters; the tags follow which element is where.
    """
    n = len(rows)
    inside = 16 // rows[0].dtype.size
    tagged = [(x, [(r, c) for c in range(n)]) for r, x in enumerate(rows)]
    distance = 1
    while distance < n:
        out: list[Any] = [None] * n
        for r in range(n):
            if r & distance:
                continue
            (x, xt), (y, yt) = tagged[r], tagged[r + distance]
            lo, hi = _interleave(n, inside, distance)
            both = xt + yt
            for k, lanes in ((r, lo), (r + distance, hi)):
                out[k] = (fn.shuffle(x, y, lanes), [both[q] for q in lanes])
        tagged = out
        distance *= 2
    done: list[Any] = [None] * n
    for x, tags in tagged:
        done[tags[0][1]] = x
    return done


def _interleave(n: int, inside: int, distance: int) -> tuple[list[int], list[int]]:
    """Lanes of the two results of one exchange between x (0 to n-1) and y (n to 2n-1)."""
    if distance < inside:  # chunks of `distance` elements inside each 16 bytes
        lo: list[int] = []
        hi: list[int] = []
        half = inside // 2
        for base in range(0, n, inside):
            for part, out in ((0, lo), (half, hi)):
                for c in range(part, part + half, distance):
                    out += [base + c + e for e in range(distance)]
                    out += [n + base + c + e for e in range(distance)]
        return lo, hi
    # 16-byte quarters: even ones to the first result, odd ones to the second
    lo, hi = [], []
    quarters = n // inside
    for source in (0, n):
        for q in range(quarters):
            (hi if q & 1 else lo).extend(source + q * inside + e for e in range(inside))
    return lo, hi
