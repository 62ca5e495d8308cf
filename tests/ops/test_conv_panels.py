"""Convolutions that read large filters from panels of columns, block by block of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import conv_blocks
from graphc.runtime.reference import evaluate

#: Image, taps, columns, steps, dilation, padding: images or places of a row are a block's rows.
SHAPES = [
    ((2, 4, 9, 5), (3, 3), 16, 1, 1, "SAME"), ((9, 5, 6, 5), (3, 3), 80, 1, 1, "SAME"),
    ((1, 6, 33, 7), (2, 3), 112, 2, 1, "VALID"), ((2, 9, 35, 6), (3, 3), 48, 1, 5, "SAME"),
    ((1, 3, 15, 260), (1, 3), 160, 1, 1, "SAME"), ((1, 1, 300, 9), (1, 5), 32, 1, 1, "SAME"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small filters are large."""
    for name, number in (("LONG", 16), ("LARGE", 1), ("OFTEN", 1)):
        monkeypatch.setattr(conv_blocks, name, number)


def check(shape: Any, dtype: Any) -> None:
    """Whole numbers, so that every order of a sum gives the same."""
    image, taps, columns, steps, dilation, padding = shape
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, image).astype(np.float32)
    w = rng.integers(-1, 2, (*taps, image[-1], columns)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        p = tf.placeholder(tf.float32, [None, *image[1:]])
        v, u = tf.cast(p, dtype), tf.cast(tf.constant(w), dtype)
        y = tf.nn.conv2d(v, u, steps, padding, dilations=dilation)
        dx = tf.gradients(y, v, tf.ones_like(y))[0]
        fetches = [tf.cast(t, tf.float32) for t in (tf.nn.relu(y), dx)]
        for a, b in zip(sess.run(fetches, {p: x}), evaluate(fetches, {p: x}), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numbers(shape: Any) -> None:
    check(shape, tf.float32)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["", "avx2", "sse2"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.bfloat16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_types_and_levels(
    shape: Any, dtype: Any, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_CPU", level)
    check(shape, dtype)
