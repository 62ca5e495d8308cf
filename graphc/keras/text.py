"""``tf.keras.preprocessing.text``: words of texts, and numbers for them."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

__all__ = [
    "Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json",
]  # fmt: skip

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(
    text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Parameters
    ----------
    filters : str
        Characters that separate words as `split` does.
    """
    if lower:
        text = text.lower()
    text = text.translate({ord(c): split for c in filters})
    return [w for w in text.split(split) if w]


def hashing_trick(
    text: str, n: int, hash_function: Any = None, filters: str = FILTERS, lower: bool = True,
    split: str = " ",
) -> list[int]:  # fmt: skip
    """A number from 1 to n - 1 for each word, by a hash of it.

    Parameters
    ----------
    hash_function : callable or "md5", optional
        Python's `hash` by default, which differs from one process to the next.
    """
    number: Callable[[str], int] = hash_function or hash
    if hash_function == "md5":
        number = _md5
    words = text_to_word_sequence(text, filters, lower, split)
    return [number(w) % (n - 1) + 1 for w in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(
    text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[int]:
    """`hashing_trick` with Python's `hash`."""
    return hashing_trick(text, n, hash, filters, lower, split)


class Tokenizer:
    """Numbers for words, the most frequent first, from 1 on.

    Parameters
    ----------
    num_words : int, optional
        Only numbers below it are given.
    filters : str
        Characters that separate words.
    lower : bool
    split : str
    char_level : bool
        Whether each character is a word.
    oov_token : str, optional
        What stands for words that have no number; it gets number 1.
    """

    def __init__(
        self, num_words: int | None = None, filters: str = FILTERS, lower: bool = True,
        split: str = " ", char_level: bool = False, oov_token: str | None = None,
        document_count: int = 0, **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs.pop("nb_words", None)
        if kwargs:
            raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.document_count = char_level, oov_token, document_count
        self.word_counts: Any = OrderedDict()
        self.word_docs: Any = defaultdict(int)
        self.index_docs: Any = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> Any:
        if self.char_level or isinstance(text, list):
            if not self.lower:
                return text
            return [w.lower() for w in text] if isinstance(text, list) else text.lower()
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of texts (strings, or lists of words) and number them."""
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for w in words:
                self.word_counts[w] = self.word_counts.get(w, 0) + 1
            for w in set(words):
                self.word_docs[w] += 1
        ranked = sorted(self.word_counts, key=lambda w: -self.word_counts[w])
        names = ([] if self.oov_token is None else [self.oov_token]) + ranked
        self.word_index = {w: i for i, w in enumerate(names, 1)}
        self.index_word = {i: w for w, i in self.word_index.items()}
        for w, n in self.word_docs.items():
            self.index_docs[self.word_index[w]] = n

    def fit_on_sequences(self, sequences: Any) -> None:
        """Count in how many sequences each number is, for "tfidf"."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for i in set(sequence):
                self.index_docs[i] += 1

    def _given(self, i: int | None) -> int | None:
        """A word's number, that of `oov_token` where it has none, or None."""
        if i is not None and not (self.num_words and i >= self.num_words):
            return i
        return None if self.oov_token is None else self.word_index.get(self.oov_token)

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """The numbers of each text's words."""
        for text in texts:
            found = (self._given(self.word_index.get(w)) for w in self._words(text))
            yield [i for i in found if i is not None]

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of each text's words."""
        return list(self.texts_to_sequences_generator(texts))

    def sequences_to_texts_generator(self, sequences: Iterable[Any]) -> Iterator[str]:
        """Each sequence's words, with spaces between."""
        for sequence in sequences:
            found = (self._given(i if i in self.index_word else None) for i in sequence)
            yield " ".join([self.index_word[i] for i in found if i is not None])

    def sequences_to_texts(self, sequences: Iterable[Any]) -> list[str]:
        """Each sequence's words, with spaces between."""
        return list(self.sequences_to_texts_generator(sequences))

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> Any:
        """A row for each text: see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Any, mode: str = "binary") -> Any:
        """A row for each sequence with something for each number in it.

        Parameters
        ----------
        mode : {"binary", "count", "freq", "tfidf"}
        """
        many = self.num_words or (len(self.word_index) + 1 if self.word_index else 0)
        if not many:
            raise ValueError("Specify a dimension (`num_words` argument), or fit on some text "
                             "data first.")  # fmt: skip
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Fit the Tokenizer on some data before using tfidf mode.")
        rules: dict[str, Callable[[int, int, int], float]] = {
            "binary": lambda j, c, n: 1.0,
            "count": lambda j, c, n: c,
            "freq": lambda j, c, n: c / n,
            "tfidf": lambda j, c, n: (1 + math.log(c)) * math.log(
                1 + self.document_count / (1 + self.index_docs.get(j, 0))
            ),
        }  # fmt: skip
        if mode not in rules:
            raise ValueError("Unknown vectorization mode:", mode)
        out = np.zeros((len(sequences), many))
        for row, sequence in zip(out, sequences, strict=True):
            for j, c in Counter(i for i in sequence if i < many).items():
                row[j] = rules[mode](j, c, len(sequence))
        return out

    def get_config(self) -> dict[str, Any]:
        """Its arguments and what it has counted, as texts."""
        counted = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        plain = ("num_words", "filters", "lower", "split", "char_level", "oov_token",
                 "document_count")  # fmt: skip
        return {
            **{k: getattr(self, k) for k in plain},
            **{k: json.dumps(getattr(self, k)) for k in counted},
        }

    def to_json(self, **kwargs: Any) -> str:
        """Class and configuration as a text; `kwargs` are those of `json.dumps`."""
        made = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(made, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `Tokenizer.to_json` wrote."""
    config = json.loads(json_string)["config"]
    counted = {
        k: json.loads(config.pop(k))
        for k in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
    }
    made = Tokenizer(**config)
    made.word_counts = OrderedDict(counted["word_counts"])
    made.word_docs.update(counted["word_docs"])
    made.index_docs.update({int(k): v for k, v in counted["index_docs"].items()})
    made.word_index = counted["word_index"]
    made.index_word = {int(k): v for k, v in counted["index_word"].items()}
    return made
