"""`unique`: integers of a small range by a table, all others by sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf


def by_hand(x: Any) -> tuple[list[Any], list[int], list[int]]:
    places: dict[Any, int] = {}
    which = [places.setdefault(v, len(places)) for v in x.tolist()]
    return list(places), which, [which.count(i) for i in range(len(places))]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "int32", "int64", "uint64", "float32"])
@pytest.mark.parametrize("end", ["least", "middle", "most", "wide"])
def test_elements_places_and_counts(dtype: str, end: str) -> None:
    rng = np.random.default_rng(2)
    steps = rng.integers(0, 90, 100)
    if dtype in ("bool", "float32"):
        x = (steps % 7).astype(dtype)
    else:
        info = np.iinfo(dtype)
        first = {"least": info.min, "middle": 5, "most": info.max - 89, "wide": 0}[end]
        x = np.array([int(first) + int(s) for s in steps], dtype)
        if end == "wide":
            x[::9], x[::10] = info.min, info.max
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(dtype, [None])
        got = s.run(tf.unique_with_counts(p), {p: x})
    assert [v.tolist() for v in got] == list(map(list, by_hand(x)))


def test_nothing_has_nothing_unique() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder("int32", [None])
        assert [v.tolist() for v in s.run(tf.unique_with_counts(p), {p: []})] == [[], [], []]
