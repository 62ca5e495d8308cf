"""Convolutions whose filters are large beside their images are matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ops import conv_patches
from graphc.passes import pipeline
from graphc.runtime.reference import evaluate

#: Space, taps, steps, dilations, padding.
SHAPES = [
    ((7, 5), (3, 3), 1, 1, "SAME"), ((8, 9), (3, 2), 2, 1, "SAME"),
    ((9, 9), (2, 3), (1, 3), 1, "VALID"), ((9, 8), (3, 3), 1, 2, "SAME"),
    ((1, 6), (1, 5), 1, 1, "SAME"), ((6, 6), (2, 2), 3, 1, "SAME"), ((0, 4), (3, 3), 1, 1, "SAME"),
]  # fmt: skip


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the operations of convolutions in compiled graphs, where small ones are large."""
    found: set[str] = set()
    optimize = pipeline.optimize_ir

    def spy(*args: Any, **kwargs: Any) -> Any:
        made = optimize(*args, **kwargs)
        found.update(n.op.name for n in made.nodes() if n.op.name.startswith("conv"))
        return made

    monkeypatch.setattr(pipeline, "optimize_ir", spy)
    for name, number in (("FAR", 1), ("LARGE", 1), ("CHANNELS", 4), ("SHORT", 1000)):
        monkeypatch.setattr(conv_patches, name, number)
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values(shape: Any, seen: set[str]) -> None:
    """Whole numbers, so that every order of a sum gives the same."""
    space, taps, steps, dilations, padding = shape
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (2, *space, 20)).astype(np.float32)
    w = rng.integers(-2, 3, (*taps, 20, 150)).astype(np.float32)
    for known in (True, False):
        with tf.Graph().as_default(), tf.Session() as sess:
            p = tf.placeholder(tf.float32, x.shape if known else [None, None, None, 20])
            v = tf.constant(w)
            y = tf.nn.conv2d(p, v, steps, padding, dilations=dilations)
            fetches = [tf.nn.relu(y), *tf.gradients(tf.square(y) * 0.5, [p, v])]
            feeds = {p: x}
            for a, b in zip(sess.run(fetches, feeds), evaluate(fetches, feeds), strict=True):
                np.testing.assert_array_equal(a, b)
    if 0 not in space:
        assert seen - {"conv_input"} == {"conv_patches", *["conv_meeting"][: steps == 1]}


def test_volumes(seen: set[str]) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, (1, 3, 4, 5, 8)).astype(np.float32)
    w = tf.constant(rng.integers(-2, 3, (3, 2, 3, 8, 70)).astype(np.float32))
    with tf.Session() as sess:
        v = tf.placeholder(tf.float32, x.shape)
        y = tf.nn.conv3d(v, w, [1] * 5, "SAME")
        fetches = [y, *tf.gradients(tf.square(y) * 0.5, [v, w])]
        for a, b in zip(sess.run(fetches, {v: x}), evaluate(fetches, {v: x}), strict=True):
            np.testing.assert_array_equal(a, b)
    assert seen == {"conv_patches", "conv_meeting"}


def test_which_are_products() -> None:
    attrs = {"strides": (1, 1), "dilations": (1, 1), "pads": ((1, 1), (1, 1))}
    steps = {**attrs, "strides": (2, 2)}
    last, early = ((1, 13, 13, 512), (3, 3, 512, 1024)), ((8, 56, 56, 64), (3, 3, 64, 64))
    groups, points = ((1, 7, 7, 512), (3, 3, 64, 512)), ((1, 7, 7, 2048), (1, 1, 2048, 2048))
    f32 = dtypes.float32
    with D.assuming(D.Facts()):
        assert conv_patches.is_filter_far(*last, attrs)
        assert conv_patches.is_image_short(*last, attrs, f32)
        assert conv_patches.is_filter_large(*last, attrs)
        assert not conv_patches.is_image_short(*last, attrs, dtypes.float16)  # would be rounded
        assert not conv_patches.is_image_short(*last, steps, f32)
        for shapes in (early, groups, points):
            assert not conv_patches.is_filter_far(*shapes, attrs)
            assert not conv_patches.is_image_short(*shapes, attrs, f32)
            assert not conv_patches.is_filter_large(*shapes, attrs)
