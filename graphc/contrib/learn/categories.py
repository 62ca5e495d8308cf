"""Rows of categories as rows of ids: `CategoricalProcessor`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from graphc.contrib.learn.feeding import setup_processor_data_feeder
from graphc.contrib.learn.preprocessing import CategoricalVocabulary

__all__ = ["CategoricalProcessor"]


class CategoricalProcessor:
    """Categories as ids, by a vocabulary of each column.

    Parameters
    ----------
    min_frequency : int
        Categories that come less often are not known.
    share : bool
        Whether all columns have one vocabulary.
    vocabularies : list of CategoricalVocabulary, optional
    """

    def __init__(
        self, min_frequency: int = 0, share: bool = False, vocabularies: Any = None
    ) -> None:
        self.min_frequency = min_frequency
        self.share = share
        self.vocabularies_ = vocabularies

    def freeze(self, freeze: bool = True) -> None:
        """From now on, take in no new category."""
        for vocabulary in self.vocabularies_:
            vocabulary.freeze(freeze)

    def fit(self, x: Any, unused_y: Any = None) -> CategoricalProcessor:
        """Learn the categories of each column."""
        for row in setup_processor_data_feeder(x):
            if self.vocabularies_ is None:
                one = CategoricalVocabulary()
                self.vocabularies_ = [one if self.share else CategoricalVocabulary() for _ in row]
            for vocabulary, value in zip(self.vocabularies_, row, strict=False):
                if not _missing(value):
                    vocabulary.add(value)
        if self.min_frequency > 0:
            for vocabulary in self.vocabularies_:
                vocabulary.trim(self.min_frequency)
        self.freeze()
        return self

    def fit_transform(self, x: Any, unused_y: Any = None) -> Iterator[Any]:
        """`fit`, then `transform`."""
        self.fit(x)
        return self.transform(x)

    def transform(self, x: Any) -> Iterator[Any]:
        """The ids of each row; 0 for what is not known or no number."""
        self.freeze()
        rows: Iterable[Any] = setup_processor_data_feeder(x)
        for row in rows:
            pairs = zip(self.vocabularies_, row, strict=False)
            ids = [0 if _missing(value) else v.get(value) for v, value in pairs]
            yield np.array(ids, np.int64)


def _missing(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))
