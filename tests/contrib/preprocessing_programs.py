"""Programs of tf.contrib.learn.preprocessing, recorded with TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support import rounded

PROGRAMS: dict[str, Callable[..., Any]] = {}


def categories(tf: Any, np: Any, folder: str) -> Any:
    """Ids of categories by column, with one vocabulary, and of what is rare or no number."""
    made = tf.contrib.learn.preprocessing.CategoricalProcessor
    rows = [["a", "x", 1.0], ["b", "x", float("nan")], ["a", "y", 2.0], ["a", "b", 1.0]]
    out = []
    for given in ({}, {"share": True}, {"min_frequency": 1}):
        p = made(**given)
        out.append(rounded(list(p.fit_transform(rows))))
        out.append(rounded(list(p.transform([["c", "x", 1.0], ["b", "a", 3.0]]))))
    return out


PROGRAMS["categories"] = categories
