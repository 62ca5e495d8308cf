"""``tf.keras.preprocessing.sequence``."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from graphc.keras.utils import Sequence

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


def pad_sequences(
    sequences: Any, maxlen: int | None = None, dtype: Any = "int32", padding: str = "pre",
    truncating: str = "pre", value: Any = 0.0,
) -> Any:  # fmt: skip
    """Sequences cut, or filled with `value`, to one length.

    Parameters
    ----------
    padding, truncating : {"pre", "post"}
        At which end.
    """
    rows = [np.asarray(s) for s in sequences]
    length = maxlen or max((len(r) for r in rows), default=0)
    rest = next((r.shape[1:] for r in rows if len(r)), ())
    out = np.full((len(rows), length, *rest), value, dtype)
    for i, r in enumerate(rows):
        if not len(r):
            continue
        if truncating not in ("pre", "post") or padding not in ("pre", "post"):
            raise ValueError(f"padding and truncating are 'pre' or 'post', not {padding!r}, "
                             f"{truncating!r}")  # fmt: skip
        kept = r[-length:] if truncating == "pre" else r[:length]
        if padding == "post":
            out[i, : len(kept)] = kept
        else:
            out[i, length - len(kept) :] = kept
    return out


def make_sampling_table(size: int, sampling_factor: float = 1e-05) -> Any:
    """How likely to keep each word for `skipgrams`, by its rank if words follow Zipf's law."""
    rank = np.arange(size)
    rank[0] = 1
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse))


def skipgrams(
    sequence: Any, vocabulary_size: int, window_size: int = 4, negative_samples: float = 1.0,
    shuffle: bool = True, categorical: bool = False, sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Pairs of words near each other, and pairs by chance, with labels that tell them apart.

    Draws are those of Python's `random`.

    Parameters
    ----------
    negative_samples : float
        How many pairs by chance for each real one.
    categorical : bool
        Labels are ``[0, 1]`` and ``[1, 0]`` instead of 1 and 0.
    sampling_table : array, optional
        How likely each word is kept.
    """
    pairs: list[Any] = []
    for i, word in enumerate(sequence):
        if not word:
            continue
        if sampling_table is not None and sampling_table[word] < random.random():
            continue
        begin, end = max(0, i - window_size), min(len(sequence), i + window_size + 1)
        pairs += [[word, sequence[j]] for j in range(begin, end) if j != i and sequence[j]]
    labels: list[Any] = [[0, 1] if categorical else 1 for _ in pairs]
    if negative_samples > 0:
        many = int(len(labels) * negative_samples)
        words = [p[0] for p in pairs]
        random.shuffle(words)
        pairs += [
            [words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(many)
        ]
        labels += [[1, 0] if categorical else 0 for _ in range(many)]
    if shuffle:
        seed = random.randint(0, 10_000_000) if seed is None else seed
        for x in (pairs, labels):
            random.seed(seed)
            random.shuffle(x)
    return pairs, labels


class TimeseriesGenerator(Sequence):
    """Batches of pieces of a series, each with the target behind it.

    Parameters
    ----------
    data, targets : sequence
        Of equal length.
    length : int
        Of the pieces, in steps of `data`.
    sampling_rate, stride : int
        Every how many steps a piece has one, and a piece begins.
    start_index, end_index : int
        What of `data` is used.
    shuffle, reverse : bool
        Whether pieces are drawn by chance; whether each runs backwards.
    """

    def __init__(
        self, data: Any, targets: Any, length: int, sampling_rate: int = 1, stride: int = 1,
        start_index: int = 0, end_index: int | None = None, shuffle: bool = False,
        reverse: bool = False, batch_size: int = 128,
    ) -> None:  # fmt: skip
        if len(data) != len(targets):
            raise ValueError(
                "Data and targets have to be of same length. "
                f"Data length is {len(data)} while target length is {len(targets)}"
            )
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride, self.batch_size = sampling_rate, stride, batch_size
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse = shuffle, reverse
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is "
                "disallowed, as no part of the sequence would be left to be used as current step."
            )

    def __len__(self) -> int:
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        step = self.batch_size * self.stride
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + step * index
            rows = np.arange(first, min(first + step, self.end_index + 1), self.stride)
        pieces = np.array([self.data[r - self.length : r : self.sampling_rate] for r in rows])
        targets = np.array([self.targets[r] for r in rows])
        return (pieces[:, ::-1, ...] if self.reverse else pieces), targets
