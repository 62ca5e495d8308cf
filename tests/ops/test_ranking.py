"""The largest elements of rows: a few sought block by block, many by rows put in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.reference import evaluate

TYPES = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16",
         "uint32", "uint64"]  # fmt: skip

#: Shape of the elements, and how many are taken of a row.
MANY = [((3, 200), 100), ((1, 3000), 3000), ((2, 3, 65), 17), ((0, 100), 50), ((2, 100), 17)]
FEW = [((3, 200), 5), ((2, 20000), 16), ((2, 2, 65), 3), ((0, 100), 4), ((5, 64), 7), ((3, 1), 1)]


def elements(shape: Any, dtype: str) -> Any:
    """Elements all over the type's range, and many equal ones; what is not finite among them."""
    rng = np.random.default_rng(len(shape))
    t = np.dtype(dtype)
    if t.kind == "f":
        x = rng.choice([0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan], shape).astype(dtype)
        return np.where(rng.random(shape) < 0.5, rng.normal(0, 100, shape).astype(dtype), x)
    info = np.iinfo(dtype)
    wide = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return np.where(rng.random(shape) < 0.5, wide, rng.integers(0, 4, shape).astype(dtype))


@pytest.mark.parametrize("dtype", TYPES)
def test_the_first_of_equals_comes_first(dtype: str) -> None:
    every = dtype in ("float32", "int64")
    for shape, k in MANY + FEW if every else (MANY[0], FEW[0]):
        x = elements(shape, dtype)
        with tf.Graph().as_default(), tf.Session() as s:
            p = tf.placeholder(dtype, [None] * x.ndim)
            top = tf.nn.top_k(p, k)
            for got, want in zip(s.run(top, {p: x}), evaluate(list(top), {p: x}), strict=True):
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("sizes", [[None, None], [3, 300]])
def test_lowest_elements_are_found_where_they_are(dtype: str, sizes: Any) -> None:
    x = np.full((3, 300), -np.inf if dtype == "float32" else -128).astype(dtype)
    x[1, 130], x[2, 299] = 5, 7
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(dtype, sizes)
        values, places = s.run(tf.nn.top_k(p, 4), {p: x})
    assert places.tolist() == [[0, 1, 2, 3], [130, 0, 1, 2], [299, 0, 1, 2]]
    np.testing.assert_array_equal(values, np.take_along_axis(x, places, 1))


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_whole_rows_in_order(dtype: str) -> None:
    x = elements((5, 300), dtype)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(dtype, [None, None])
        got = s.run([tf.sort(p), tf.argsort(p, direction="DESCENDING")], {p: np.nan_to_num(x)})
    np.testing.assert_array_equal(got[0], np.sort(np.nan_to_num(x)))
    key = -np.nan_to_num(x).astype(np.float64) if dtype != "int64" else ~x
    np.testing.assert_array_equal(got[1], np.argsort(key, kind="stable"))


def test_the_time_of_a_long_row_is_not_its_square() -> None:
    """A pass for each of 200,000 results would take minutes."""
    x = np.random.default_rng(1).normal(size=200_000).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder("float32", [None])
        np.testing.assert_array_equal(s.run(tf.sort(p), {p: x}), np.sort(x))
