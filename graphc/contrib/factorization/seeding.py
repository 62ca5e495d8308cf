"""Choosing first centres among points: k-means++ and the Markov chain of k-MC2, on numpy arrays.

They draw the numbers that TensorFlow's kernels draw, so the same points are chosen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from graphc.ops.philox import blocks, uniform_f32

__all__ = ["chain", "plus_plus"]

F32 = npt.NDArray[np.float32]


class _Draws:
    """Numbers of one Philox stream, one 32-bit lane after the other."""

    def __init__(self, seed: int) -> None:
        self._seed, self._at = seed, 0

    def word(self) -> int:
        lane = blocks(self._seed, 0, self._at // 4, np.zeros(1, np.int64))[0, self._at % 4]
        self._at += 1
        return int(lane)

    def unit(self) -> float:
        """A float in [0, 1)."""
        at, self._at = self._at, self._at + 1
        return float(uniform_f32(self._seed, 0, at // 4, at % 4 + 1)[-1])

    def below(self, n: int) -> int:
        """An integer in [0, n), each as likely."""
        most = 2**64 - 1
        while True:
            low = self.word()
            drawn = low | self.word() << 32
            if n & (n - 1) == 0:
                return drawn & (n - 1)
            if drawn >= most % n + 1:
                return drawn % n


def plus_plus(points: F32, count: Any, seed: int, retries: int) -> F32:
    """`count` of `points`: each far from those before it, the best of ``1 + retries`` draws.

    Raises
    ------
    ValueError
        When there are fewer points than that.
    """
    k = int(count)
    if k <= 0:
        raise ValueError("Expected num_to_sample > 0.")
    if len(points) < k:
        raise ValueError(f"Expected points.rows >= num_to_sample: {len(points)} vs {k}")
    if retries < 0:
        retries = 2 + int(math.log(k))
    rng = _Draws(seed)
    chosen: list[int] = []
    nearest = np.full(len(points), np.inf, np.float32)
    while len(chosen) < k:
        sums = np.cumsum(nearest, dtype=np.float32)
        best: tuple[Any, int, Any] = (np.inf, 0, nearest)
        for _ in range(1 + retries):
            i = _drawn(rng, sums, chosen) if chosen else rng.below(len(points))
            near = np.minimum(nearest, _distances(points, i))
            total = near.sum()
            if total < best[0]:
                best = (total, i, near)
        chosen.append(best[1])
        nearest = best[2]
    return points[chosen]


def _distances(points: F32, i: int) -> F32:
    made: F32 = np.square(points - points[i]).sum(1)
    return made


def _drawn(rng: _Draws, sums: F32, chosen: list[int]) -> int:
    """A point that is not chosen yet, as likely as its share of the sums."""
    while True:
        i = int(np.searchsorted(sums, np.float32(rng.unit()) * sums[-1], "right"))
        if sums[-1] <= 0 or i >= len(sums):  # all points lie on centres
            i = next(j for j in range(len(sums)) if j not in chosen)
        if i not in chosen:
            return i


def chain(distances: F32, seed: int) -> int:
    """Where a Markov chain over candidates ends that moves to farther ones."""
    rng = _Draws(seed)
    at = 0
    for i in range(1, len(distances)):
        if distances[i] > np.float32(rng.unit()) * distances[at]:
            at = i
    return at
