"""Approximate quantiles of streams of numbers: which buckets boosted trees sort a feature into.

A summary has rows ``(value, weight, least rank, greatest rank)`` in the order of values; what was
left out lies between the ranks of its neighbours. Summaries are merged and thinned out such that
no rank is wrong by more than a given share of all weights (Greenwald and Khanna; Zhang and Wang,
"A fast algorithm for approximate quantiles in high speed data streams", 2007).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["boundaries", "summary_of"]

Rows = npt.NDArray[np.float32]

#: For how many numbers streams over all batches are made.
_MOST = 1 << 40


def _of_numbers(values: Any) -> Rows:
    """The exact summary of numbers that weigh one each."""
    found, counts = np.unique(np.asarray(values, np.float32), return_counts=True)
    up = np.cumsum(counts)
    return np.stack([found, counts, up - counts, up], 1).astype(np.float32)


def _merged(a: Rows, b: Rows) -> Rows:
    """The summary of what two summaries are of."""
    if not len(a) or not len(b):
        return a if len(a) else b
    return _collapsed(np.concatenate([_among(a, b), _among(b, a)]))


def _among(a: Rows, b: Rows) -> Rows:
    """The rows of `a`, with ranks among the numbers of both."""
    after = np.searchsorted(b[:, 0], a[:, 0], "left")
    at = np.minimum(after, len(b) - 1)
    equal = b[at, 0] == a[:, 0]
    low = np.where(after > 0, b[after - 1, 2] + b[after - 1, 1], np.float32(0))
    low = np.where(equal, b[at, 2], low)
    high = np.where(after < len(b), b[at, 3] - b[at, 1], b[-1, 3])
    high = np.where(equal, b[at, 3], high)
    made: Rows = a.copy()
    made[:, 2] += low
    made[:, 3] += high
    return made


def _collapsed(rows: Rows) -> Rows:
    """Rows in order; two of one value become one."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    same = np.flatnonzero(rows[1:, 0] == rows[:-1, 0])
    rows[same, 1] += rows[same + 1, 1]
    made: Rows = np.delete(rows, same + 1, 0)
    return made


def _thinned(rows: Rows, size: int, error: float = 0.0) -> Rows:
    """Fewer rows: about `size`, ranks wrong by up to `error` of all weights more."""
    size = max(size, 2)
    count = len(rows)
    if count <= size:
        return rows
    gap = float(rows[-1, 3]) * max(1.0 / size, error)
    least, most = (rows[:, 2] + rows[:, 1]).tolist(), (rows[:, 3] - rows[:, 1]).tolist()
    kept, at, credit = [0], 0, 0
    while at + 1 < count:
        to = at + 1
        while to < count and credit < count and most[to] - least[at] <= gap:
            credit += size
            to += 1
        at = at + 1 if to == at + 1 else to - 1
        kept.append(at)
        credit -= count
    if kept[-1] != count - 1:
        kept.append(count - 1)
    return rows[kept]


def _error(rows: Rows) -> float:
    """By what share of all weights a rank may be wrong."""
    if len(rows) < 2:
        return 0.0
    own = rows[:, 3] - rows[:, 2] - rows[:, 1]
    between = (rows[1:, 3] - rows[1:, 1]) - (rows[:-1, 2] + rows[:-1, 1])
    return float(max(own[1:].max(), between.max())) / float(rows[-1, 3])


class _Stream:
    """Summaries of blocks of a stream, merged in pairs like the digits of a counter."""

    def __init__(self, error: float, most: int) -> None:
        error = float(np.float32(error))  # as TensorFlow's: a hair decides whether a row is kept
        levels, block = 1, 2
        while (1 << levels) * block < most:
            block = math.ceil(levels / error) + 1
            levels += 1
        self._error, self.block = error, block
        self.buffer = min(2 * block, most)
        self._levels: list[Rows | None] = []

    def add(self, rows: Rows) -> None:
        rows = _thinned(rows, self.block, self._error)
        level = 0
        while level < len(self._levels) and self._levels[level] is not None:
            other = self._levels[level]
            assert other is not None
            rows = _thinned(_merged(rows, other), self.block, self._error)
            self._levels[level] = None
            level += 1
        if level == len(self._levels):
            self._levels.append(None)
        self._levels[level] = rows

    def summary(self) -> Rows:
        made = np.zeros((0, 4), np.float32)
        for rows in self._levels:
            if rows is not None:
                made = _merged(made, rows)
        return made


def summary_of(values: Any, error: float) -> Rows:
    """A summary of the numbers of a batch."""
    values = np.asarray(values, np.float32).reshape(-1)
    stream = _Stream(error, len(values) + 1)
    for i in range(0, len(values), stream.buffer):
        stream.add(_of_numbers(values[i : i + stream.buffer]))
    return stream.summary()


def boundaries(summaries: list[Rows], error: float, count: int) -> npt.NDArray[np.float32]:
    """About `count` numbers that divide all that `summaries` are of into equal shares."""
    stream = _Stream(error, _MOST)
    for rows in summaries:
        stream.add(rows)
    made = stream.summary()
    return _thinned(made, count, _error(made) + 1.0 / count)[:, 0]
