"""Convolutions over long rows, which several units share: places around those where parts meet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops.conv_blocks import PART
from graphc.runtime.reference import evaluate

#: Channels, results, taps, step, dilation, padding.
SHAPES = {
    "same": (5, 9, 3, 1, 1, "SAME"), "valid": (5, 17, 2, 1, 1, "VALID"),
    "steps": (4, 9, 5, 3, 1, "SAME"), "runs": (6, 7, 3, 1, 70, "SAME"),
    "apart": (5, 9, 3, 1, 2, "SAME"), "long": (3, 9, PART + 22, 1, 1, "SAME"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_values(shape: Any) -> None:
    """Whole numbers, so that every order of a sum gives the same."""
    c, f, taps, step, rate, padding = shape
    rng = np.random.default_rng(0)
    w = rng.integers(-2, 3, (taps, c, f)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, None, c])
        y = tf.nn.convolution(x, tf.constant(w), padding, strides=[step], dilation_rate=[rate])
        fetches = [tf.nn.relu(y), tf.gradients(tf.square(y), x)[0]]
        for size in (PART - 1, PART, PART + 1, 2 * PART + 3, 4 * PART + 5):
            feeds = {x: rng.integers(-3, 4, (2, size, c)).astype(np.float32)}
            for a, b in zip(sess.run(fetches, feeds), evaluate(fetches, feeds), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [PART, PART + 1, 3 * PART + 2])
def test_rows_of_known_length(size: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, (1, size, 6)).astype(np.float32)
    w = tf.constant(rng.integers(-2, 3, (3, 6, 20)).astype(np.float32))
    with tf.Session() as sess:
        image = tf.constant(x)
        y = tf.nn.conv1d(image, w, 1, "SAME")
        fetches = [y, tf.gradients(tf.square(y), image)[0]]
        for a, b in zip(sess.run(fetches), evaluate(fetches, {}), strict=True):
            np.testing.assert_array_equal(a, b)
