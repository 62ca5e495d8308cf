"""Elements repeated: tiles along the last axis, pictures magnified a whole number of times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf

TILES: list[tuple[tuple[int, ...], list[int]]] = [
    ((5,), [3]), ((1,), [4]), ((3, 4), [2, 3]), ((3, 4), [1, 3]), ((3, 4), [2, 1]),
    ((0, 3), [2, 2]), ((2, 1, 3), [3, 4, 2]), ((3, 2), [0, 2]), ((17,), [33]),
    ((4, 5, 6), [2, 2, 2]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "times", "dynamic"),
    thinned(
        [(*tile, dynamic) for dynamic in (False, True) for tile in TILES],
        lambda shape, times, dynamic: dynamic or len(shape) != 2,
    ),
)
def test_tiles(shape: tuple[int, ...], times: list[int], dynamic: bool) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float32, [None] * len(shape) if dynamic else shape)
        m: Any = tf.placeholder(tf.int32, [len(shape)]) if dynamic else times
        y = tf.tile(a * 2.0, m) + 1.0
        (slope,) = tf.gradients(y * y, a)
        got, g = sess.run([y, slope], {a: x, m: times} if dynamic else {a: x})
    np.testing.assert_array_equal(got, np.tile(x * 2, times) + 1)
    np.testing.assert_allclose(g, 4 * (2 * x + 1) * np.prod(times), rtol=1e-5)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (3, 4), (9, 4), (7, 8), (12, 20)])
@pytest.mark.parametrize("channels", [1, 3, 16])
def test_magnified(size: tuple[int, int], channels: int, half: bool) -> None:
    """Each pixel is that at the place TensorFlow computes in float32, and so is its gradient."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4, channels)).astype(np.float32)
    at = []
    for old, new in zip(x.shape[1:3], size, strict=True):
        scale = np.float32(old) / np.float32(new) if new else np.float32(0)
        place = (np.arange(new, dtype=np.float32) + np.float32(0.5 * half)) * scale
        at.append(np.minimum(np.floor(place).astype(int), old - 1))
    want = x[:, at[0][:, None], at[1][None, :]]
    down = np.random.default_rng(1).normal(size=want.shape).astype(np.float32)
    slope = np.zeros_like(x)
    np.add.at(slope, (slice(None), at[0][:, None], at[1][None, :]), down)
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float32, [None, 3, 4, channels])
        y = tf.image.resize_nearest_neighbor(a, size, half_pixel_centers=half)
        got, g = sess.run([y, tf.gradients(y, a, down)[0]], {a: x})
    np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(g, slope, rtol=1e-5, atol=1e-5)
