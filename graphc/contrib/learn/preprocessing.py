"""Texts as ids of words: `VocabularyProcessor`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

__all__ = ["ByteProcessor", "CategoricalVocabulary", "VocabularyProcessor", "tokenizer"]

TOKENIZER_RE = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z][a-z]+(?=[A-Z])|[\'\w\-]+", re.UNICODE)


def tokenizer(iterator: Iterable[str]) -> Iterator[list[str]]:
    """The words of each text."""
    for text in iterator:
        yield TOKENIZER_RE.findall(text)


class CategoricalVocabulary:
    """Ids of categories, from 1 on; 0 stands for all that is not known.

    Parameters
    ----------
    unknown_token : str
    support_reverse : bool
        Whether ids can be turned back.
    """

    def __init__(self, unknown_token: str = "<UNK>", support_reverse: bool = True) -> None:
        self._unknown_token = unknown_token
        self._mapping: dict[Any, int] = {unknown_token: 0}
        self._support_reverse = support_reverse
        self._reverse_mapping: list[Any] = [unknown_token]
        self._freq: dict[Any, float] = {}
        self._freeze = False

    def __len__(self) -> int:
        return len(self._mapping)

    def freeze(self, freeze: bool = True) -> None:
        """From now on, take in no new category."""
        self._freeze = freeze

    def get(self, category: Any) -> int:
        """The id of a category, a new one where it is not known; 0 if frozen."""
        if category not in self._mapping:
            if self._freeze:
                return 0
            self._mapping[category] = len(self._mapping)
            if self._support_reverse:
                self._reverse_mapping.append(category)
        return self._mapping[category]

    def add(self, category: Any, count: int = 1) -> None:
        """Count a category."""
        category_id = self.get(category)
        if category_id > 0:
            self._freq[category] = self._freq.get(category, 0) + count

    def trim(self, min_frequency: float, max_frequency: float = -1) -> None:
        """Forget categories that are rarer, or more frequent; ids go by frequency then.

        Parameters
        ----------
        max_frequency : number
            Negative for none.
        """
        ranked = sorted(
            sorted(self._freq.items(), key=lambda x: (isinstance(x[0], str), x[0])),
            key=lambda x: x[1], reverse=True,
        )  # fmt: skip
        self._mapping = {self._unknown_token: 0}
        if self._support_reverse:
            self._reverse_mapping = [self._unknown_token]
        kept = 1
        for category, count in ranked:
            if max_frequency > 0 and count >= max_frequency:
                continue
            if count <= min_frequency:
                break
            self._mapping[category] = kept
            kept += 1
            if self._support_reverse:
                self._reverse_mapping.append(category)
        self._freq = dict(ranked[: kept - 1])

    def reverse(self, class_id: int) -> Any:
        """The category of an id.

        Raises
        ------
        ValueError
            Where the vocabulary was made without reverse.
        """
        if not self._support_reverse:
            raise ValueError("This vocabulary wasn't initialized with support_reverse to support "
                             "reverse() function.")  # fmt: skip
        return self._reverse_mapping[class_id]


class VocabularyProcessor:
    """Turns texts into vectors of word ids of one length, zeros behind.

    Parameters
    ----------
    max_document_length : int
    min_frequency : int
        Rarer words are left out.
    vocabulary : CategoricalVocabulary, optional
    tokenizer_fn : callable, optional
        From texts to lists of words.
    """

    def __init__(
        self, max_document_length: int, min_frequency: int = 0,
        vocabulary: CategoricalVocabulary | None = None,
        tokenizer_fn: Callable[[Iterable[str]], Iterable[Any]] | None = None,
    ) -> None:  # fmt: skip
        self.max_document_length = max_document_length
        self.min_frequency = min_frequency
        self.vocabulary_ = vocabulary if vocabulary is not None else CategoricalVocabulary()
        self._tokenizer = tokenizer_fn or tokenizer

    def fit(self, raw_documents: Iterable[str], unused_y: Any = None) -> VocabularyProcessor:
        """Learn the words of texts."""
        for tokens in self._tokenizer(raw_documents):
            for token in tokens:
                self.vocabulary_.add(token)
        if self.min_frequency > 0:
            self.vocabulary_.trim(self.min_frequency)
        self.vocabulary_.freeze()
        return self

    def fit_transform(self, raw_documents: Any, unused_y: Any = None) -> Iterator[Any]:
        """`fit` and `transform`."""
        texts = list(raw_documents)
        self.fit(texts)
        return self.transform(texts)

    def transform(self, raw_documents: Iterable[str]) -> Iterator[Any]:
        """Vectors of int64 ids, one for each text."""
        for tokens in self._tokenizer(raw_documents):
            ids = np.zeros(self.max_document_length, np.int64)
            for i, token in enumerate(tokens):
                if i >= self.max_document_length:
                    break
                ids[i] = self.vocabulary_.get(token)
            yield ids

    def reverse(self, documents: Iterable[Any]) -> Iterator[str]:
        """Texts of words, a space between them."""
        for ids in documents:
            yield " ".join(str(self.vocabulary_.reverse(i)) for i in ids)

    def save(self, filename: Any) -> None:
        """Write to a file: as JSON, which only graphc reads (TensorFlow pickles the object)."""
        v = self.vocabulary_
        data = {
            "format": "graphc.VocabularyProcessor", "max_document_length": self.max_document_length,
            "min_frequency": self.min_frequency, "unknown": v._unknown_token,
            "words": sorted(v._mapping, key=v._mapping.__getitem__), "counts": v._freq,
            "frozen": v._freeze, "reverse": v._support_reverse,
        }  # fmt: skip
        with open(filename, "w", encoding="utf-8") as f:
            json.dump(data, f)

    @classmethod
    def restore(cls, filename: Any) -> VocabularyProcessor:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            For any other file: a pickle of TensorFlow would need TensorFlow to be read.
        """
        try:
            with open(filename, encoding="utf-8") as f:
                data = json.load(f)
            if data.get("format") != "graphc.VocabularyProcessor":
                raise ValueError
        except (ValueError, AttributeError, UnicodeDecodeError):
            raise ValueError(
                f"{filename} was not written by graphc's VocabularyProcessor.save; fit the "
                "processor again"
            ) from None
        v = CategoricalVocabulary(data["unknown"], data["reverse"])
        v._mapping = {w: i for i, w in enumerate(data["words"])}
        v._reverse_mapping = list(data["words"])
        v._freq, v._freeze = data["counts"], data["frozen"]
        return cls(data["max_document_length"], data["min_frequency"], v)


class ByteProcessor:
    """Turns texts into vectors of their bytes, zeros behind.

    Parameters
    ----------
    max_document_length : int
    """

    def __init__(self, max_document_length: int) -> None:
        self.max_document_length = max_document_length

    def fit(self, x: Any) -> ByteProcessor:
        """Nothing to learn."""
        return self

    def fit_transform(self, x: Any) -> Any:
        """`transform`."""
        return self.transform(x)

    def transform(self, x: Iterable[Any]) -> Any:
        """A matrix of bytes, a row for each text."""
        texts = [t.encode() if isinstance(t, str) else bytes(t) for t in x]
        out = np.zeros((len(texts), self.max_document_length), np.uint8)
        for row, t in zip(out, texts, strict=True):
            n = min(len(t), self.max_document_length)
            row[:n] = np.frombuffer(t[:n], np.uint8)
        return out

    @staticmethod
    def reverse(x: Iterable[Any]) -> Iterator[str]:
        """Texts of bytes."""
        for row in x:
            yield bytes(row).rstrip(b"\x00").decode()
