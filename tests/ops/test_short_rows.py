"""Reductions along short last axes, of which a vector of rows is reduced at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

REDUCE: dict[str, Any] = {
    "argmax": np.argmax, "argmin": np.argmin, "reduce_max": np.max, "reduce_min": np.min,
}  # fmt: skip


def reduced(name: str, x: Any, threads: int = 1) -> Any:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as s:
        p = tf.placeholder(x.dtype, [None, x.shape[1]])
        return s.run(getattr(tf, name)(p, 1), {p: x})


@pytest.mark.parametrize("name", REDUCE)
@pytest.mark.parametrize("length", [1, 2, 3, 7, 10, 15, 16, 17])
def test_rows_around_vectors_and_blocks(name: str, length: int) -> None:
    rng = np.random.default_rng(length)
    for rows in (0, 1, 255, 256, 257, 263, 511, 513, 1000):
        x = rng.integers(-4, 4, (rows, length)).astype(np.float32)
        x[::5, length // 2] = np.nan
        x[1::7, -1] = np.inf
        x[2::7, 0] = -np.inf
        np.testing.assert_array_equal(reduced(name, x), REDUCE[name](x, 1))


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "int64", "uint8"])
def test_other_numbers(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 9, (700, 10)).astype(dtype)
    for name, meaning in REDUCE.items():
        for threads in (1, 2):
            np.testing.assert_array_equal(reduced(name, x, threads), meaning(x, 1))


def test_of_truths_and_of_what_is_computed() -> None:
    x = np.random.default_rng(1).standard_normal((600, 5)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.float32, [None, 5])
        found = s.run(
            [tf.reduce_any(p > 1, 1), tf.reduce_all(p < 1, 1), tf.argmax(-p * 2, 1),
             tf.reduce_mean(tf.cast(tf.equal(tf.argmax(p, 1), 2), tf.float32))], {p: x},
        )  # fmt: skip
    np.testing.assert_array_equal(found[0], (x > 1).any(1))
    np.testing.assert_array_equal(found[1], (x < 1).all(1))
    np.testing.assert_array_equal(found[2], np.argmin(x, 1))
    np.testing.assert_allclose(found[3], np.mean(np.argmax(x, 1) == 2), rtol=1e-6)
