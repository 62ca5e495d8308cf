"""Stateless random numbers come from native code, and are those of their meaning in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import stateless

SHAPES: list[list[int]] = [[0], [], [1], [5], [3, 1001]]
SEEDS = [[1, 2], [-5, 2**40 + 3]]


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.float64, tf.int32, tf.int64])
@pytest.mark.parametrize("kind", ["uniform", "normal", "truncated_normal"])
def test_numbers_are_those_of_the_meaning(kind: str, dtype: Any) -> None:
    f: Any = getattr(tf.random, f"stateless_{kind}")
    if dtype.is_integer and kind != "uniform":
        with pytest.raises(TypeError, match="must be a float type"):
            f([2], [1, 2], dtype=dtype)
        return
    seed = tf.placeholder(tf.int64, [2])
    more = {"minval": -7, "maxval": 1000} if dtype.is_integer else {}
    with tf.Session() as s:
        for given in SEEDS:
            made = s.run([f(n, seed, dtype=dtype, **more) for n in SHAPES], {seed: given})
            for n, got in zip(SHAPES, made, strict=True):
                sizes, at = np.array(n, np.int32), np.array(given)
                if dtype.is_integer:
                    want = stateless._draw_int(sizes, at, -7, 1000, dtype=dtype)
                else:
                    want = stateless._draw(sizes, at, kind=kind, dtype=dtype)
                assert (got.shape, got.dtype) == (want.shape, want.dtype)
                if kind == "uniform":
                    np.testing.assert_array_equal(got, want)
                else:
                    near = 1e-3 if dtype is tf.float16 else 4e-7
                    np.testing.assert_allclose(got, want, rtol=near, atol=near / 100)


def test_integers_between_equal_ends() -> None:
    with tf.Session() as s, pytest.raises(tf.errors.InvalidArgumentError, match="minval < maxval"):
        s.run(tf.random.stateless_uniform([3], [1, 2], 5, 5, tf.int32))


@pytest.mark.parametrize("shape", [[None], None])
def test_seeds_of_unknown_size(shape: Any) -> None:
    """What seeds there are is known when they are fed."""
    seed = tf.placeholder(tf.int64, shape)
    drawn = tf.random.stateless_uniform([3], seed)
    with tf.Session() as sess:
        same = sess.run(tf.random.stateless_uniform([3], np.array([1, 2], np.int64)))
        np.testing.assert_array_equal(sess.run(drawn, {seed: [1, 2]}), same)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"seed must have shape \[2\]"):
            sess.run(drawn, {seed: [1, 2, 3]})
