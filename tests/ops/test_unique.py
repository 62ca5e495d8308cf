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


def of_floats(x: Any) -> tuple[list[Any], list[int], list[int]]:
    """0.0 and -0.0 are equal, NaN is equal to nothing."""
    held: list[Any] = []
    which = []
    for v in x.tolist():
        found = next((i for i, h in enumerate(held) if h == v), len(held))
        held += [v] if found == len(held) else []
        which.append(found)
    return held, which, [which.count(i) for i in range(len(held))]


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 127, 128, 129, 1000])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint64", "int8"])
def test_many(n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    if np.dtype(dtype).kind == "f":
        x = rng.choice(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1, 2.5, -3], dtype), n)
    else:
        info = np.iinfo(dtype)
        pool = rng.integers(info.min, info.max, 2 * n, dtype, endpoint=True)
        pool[:2] = info.min, info.max
        x = pool[rng.integers(0, 2 * n, n)]
    for index in ("int32", "int64"):
        with tf.Graph().as_default(), tf.Session() as s:
            p = tf.placeholder(dtype, [None])
            y, where, many = s.run(tf.unique_with_counts(p, out_idx=index), {p: x})
        held, which, counts = of_floats(x)
        np.testing.assert_array_equal(y, np.array(held, dtype))
        assert np.array_equal(np.signbit(y), np.signbit(np.array(held, dtype)))
        assert (where.tolist(), many.tolist()) == (which, counts)
        assert where.dtype == many.dtype == index


def test_texts() -> None:
    texts = [b"b", b"a", b"", b"b", b"\0", b"", b"b\0"] * 20
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.string, [None])
        got = s.run(tf.unique_with_counts(p), {p: np.array(texts, object)})
    assert [v.tolist() for v in got] == list(map(list, by_hand(np.array(texts, object))))


def test_numbers_that_hash_alike() -> None:
    x = np.concatenate([np.arange(5000) << s for s in (0, 16, 32, 48)])
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.int64, [None])
        y, where = s.run(tf.unique(p), {p: x})
    np.testing.assert_array_equal(y[where], x)
    assert len(y) == len(np.unique(x))
