"""Convolutions in groups of few channels: what numpy computes, and which ones are such."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops.conv_groups import is_small, is_small_filter
from graphc.passes import pipeline
from graphc.runtime.reference import evaluate

#: Channels of a group, groups, filter, steps, dilations, padding.
SHAPES = [(4, 5, (3, 3), 1, 1, "SAME"), (8, 3, (3, 2), (2, 1), 1, "VALID"),
          (2, 9, (2, 2), 1, 2, "SAME")]  # fmt: skip
MORE = [(c, g, k, s, d, p) for c, g in ((2, 3), (4, 2), (4, 32), (8, 32))
        for k, s, d, p in (((1, 3), 1, 1, "SAME"), ((3, 3), 2, 1, "SAME"),
                           ((5, 5), 1, 1, "VALID"))]  # fmt: skip


def check(shape: Any, dtype: Any) -> None:
    """Whole numbers, so that every order of a sum gives the same."""
    each, groups, kernel, steps, dilations, padding = shape
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (2, 9, 11, each * groups)).astype(dtype)
    w = rng.integers(-2, 3, (*kernel, each, each * groups)).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as sess:
        image, filter = tf.placeholder(dtype, [None] * 3 + [each * groups]), tf.constant(w)
        y = tf.nn.conv2d(image, filter, steps, padding, dilations=dilations)
        dy = rng.integers(-2, 3, sess.run(tf.shape(y), {image: x})).astype(dtype)
        fetches = [y, *tf.gradients(y, [image, filter], tf.constant(dy))]
        got, want = sess.run(fetches, {image: x}), evaluate(fetches, {image: x})
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers(shape: Any) -> None:
    check(shape, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["", "avx2", "sse2"])
@pytest.mark.parametrize("shape", [*SHAPES, *MORE])
def test_more_numbers(shape: Any, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CPU", level)
    for dtype in (np.float32, np.float64, np.float16):
        check(shape, dtype)


def test_which_are_small() -> None:
    assert is_small((2, 9, 9, 128), (3, 3, 4, 128))
    assert is_small_filter((2, 9, 9, 128), (3, 3, 8, 128))
    assert not is_small((2, 9, 9, 128), (3, 3, 16, 128))  # fill vectors
    assert not is_small((2, 9, 9, 8), (3, 3, 8, 8))  # one group
    assert not is_small((2, 9, 9, 128), (3, 3, 4, 256))  # more results than channels
    assert not is_small((2, 9, 9, 128), (9, 9, 4, 128))  # a long sum


def test_a_gradient_with_steps_and_dilations_is_a_convolutions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the image; all others are of groups."""
    seen: set[str] = set()
    optimize = pipeline.optimize_ir

    def spy(*args: Any, **kwargs: Any) -> Any:
        made = optimize(*args, **kwargs)
        seen.update(n.op.name for n in made.nodes() if n.op.name.startswith("conv"))
        return made

    monkeypatch.setattr(pipeline, "optimize_ir", spy)
    check((4, 4, (3, 3), 2, 2, "VALID"), np.float32)
    assert seen == {"conv_groups", "conv_input", "conv_groups_filter"}
    for steps, dilations in ((1, 1), (1, 2), (2, 1)):
        seen.clear()
        check((4, 4, (3, 3), steps, dilations, "SAME"), np.float32)
        assert seen == {"conv_groups", "conv_groups_input", "conv_groups_filter"}


@pytest.mark.parametrize("kind", ["groups of 8", "one", "two results"])
def test_gradients_with_steps_of_rows_of_every_length(kind: str) -> None:
    """Elements before, in and behind blocks of them, under filters shorter and longer than steps.

    Whole numbers, so that every order of a sum gives the same.
    """
    rng = np.random.default_rng(1)
    each, groups, results = {
        "groups of 8": (8, 4, 1), "one": (1, 21, 1), "two results": (1, 9, 2),
    }[kind]  # fmt: skip
    channels = each * groups
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, None, None, channels])
        fetches = []
        for steps, taps, padding in (
            (2, 1, "SAME"),
            (2, 3, "SAME"),
            (3, 2, "VALID"),
            (2, 5, "SAME"),
        ):
            shape = (2, taps, each, channels) if each > 1 else (2, taps, channels, results)
            w = tf.constant(rng.integers(-2, 3, shape).astype(np.float32))
            f = tf.nn.conv2d if each > 1 else tf.nn.depthwise_conv2d
            fetches.append(tf.gradients(tf.square(f(x, w, [1, steps, steps, 1], padding)), x)[0])
        for size in ((2, 3), (5, 12), (4, 23)):
            feeds = {x: rng.integers(-2, 3, (2, *size, channels)).astype(np.float32)}
            for got, want in zip(sess.run(fetches, feeds), evaluate(fetches, feeds), strict=True):
                np.testing.assert_array_equal(got, want)
