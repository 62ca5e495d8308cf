"""Filters' gradients: pieces of the planes of all images are summed in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import conv_blocks
from graphc.runtime.reference import evaluate

#: Volume with channels, taps, results, steps, padding.
SHAPES = [
    ((1, 9, 6, 7, 5), (3, 3, 3), 17, (1, 1, 1), "SAME"),
    ((3, 5, 4, 6, 8), (3, 2, 1), 9, (2, 1, 1), "SAME"),
    ((2, 7, 5, 5, 3), (1, 3, 3), 16, (1, 2, 2), "VALID"),
    ((1, 17, 3, 3, 20), (3, 1, 1), 33, (1, 1, 1), "VALID"),
    ((2, 2, 23, 4, 2), (2, 3, 2), 7, (1, 1, 1), "SAME"),
    ((1, 1, 30, 5, 9), (1, 1, 1), 50, (1, 1, 1), "SAME"),
    ((11, 1, 6, 6, 7), (1, 3, 3), 8, (1, 1, 1), "SAME"),
]  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients(shape: Any, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers, so that every order of a sum gives the same."""
    monkeypatch.setattr(conv_blocks, "PIECE", 100)
    volume, taps, made, steps, padding = shape
    rng = np.random.default_rng(0)
    image = rng.integers(-3, 4, volume).astype(np.float32)
    filter = rng.integers(-2, 3, (*taps, volume[-1], made)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, volume if known else [*[None] * 4, volume[-1]])
        w = tf.constant(filter)
        y = tf.nn.conv3d(x, w, [1, *steps, 1], padding)
        fetches = tf.gradients(tf.square(y) * 0.5, [x, w])
        feeds = {x: image}
        for a, b in zip(sess.run(fetches, feeds), evaluate(fetches, feeds), strict=True):
            np.testing.assert_array_equal(a, b)
