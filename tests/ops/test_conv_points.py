"""Convolutions under filters of one place are matrix products, whatever comes behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import conv_points

#: Sizes of images, channels last, and channels of the result.
SHAPES = [
    ((3, 5, 7, 16), 24), ((1, 1, 1, 32), 16), ((2, 4, 1, 20), 33), ((2, 1, 6, 17), 16),
    ((0, 3, 3, 16), 16), ((2, 3, 4, 256), 512),
]  # fmt: skip


def surroundings(y: Any, gate: Any, bias: Any) -> list[Any]:
    """What may come behind a product in its kernel: by channel, by image, and by element."""
    return [y, tf.nn.relu(y + bias), y * gate + 1.0, tf.exp(y) * y]


def wanted(y: np.ndarray, gate: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    return [y, np.maximum(y + bias, 0), y * gate + 1, np.exp(y) * y]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_values(known: bool, padding: str) -> None:
    rng = np.random.default_rng(3)
    for shape, made in SHAPES:
        x = (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
        w = rng.normal(size=(1, 1, shape[-1], made)).astype(np.float32)
        dy = rng.normal(size=(*shape[:-1], made)).astype(np.float32)
        gate = rng.normal(size=(shape[0], 1, 1, made)).astype(np.float32)
        bias = rng.normal(size=made).astype(np.float32)
        with tf.Graph().as_default(), tf.Session() as sess:
            p, q, g = (
                tf.placeholder(tf.float32, v.shape if known else [None, *v.shape[1:]])
                for v in (x, dy, gate)
            )
            v = tf.constant(w)
            y = tf.nn.conv2d(p, v, [1, 1, 1, 1], padding)
            back = tf.gradients(y, [p, v], q)
            feed = {p: x, q: dy, g: gate}
            got = sess.run([*surroundings(y, g, bias), *back], feed)
        exact = np.einsum("nhwc,cf->nhwf", x.astype(float), w[0, 0].astype(float))
        dx = np.einsum("nhwf,cf->nhwc", dy.astype(float), w[0, 0].astype(float))
        dw = np.einsum("nhwc,nhwf->cf", x.astype(float), dy.astype(float))[None, None]
        for a, b in zip(got, [*wanted(exact, gate, bias), dx, dw], strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * (1 + np.abs(b).max(initial=0)))


@pytest.mark.parametrize(
    ("steps", "unknown"), [((2, 2), 3), ((1, 3), 1), ((4, 1), 0)], ids=["both", "width", "height"]
)
def test_strides_pick_places(steps: tuple[int, int], unknown: int) -> None:
    """With so many of the first sizes unknown."""
    rng = np.random.default_rng(5)
    a, b = steps
    for (n, *space, c), made in (SHAPES[0], SHAPES[2], SHAPES[4]):
        x = (rng.normal(size=(n, *space, c)) / np.sqrt(c)).astype(np.float32)
        w = rng.normal(size=(1, 1, c, made)).astype(np.float32)
        seen = x[:, ::a, ::b].astype(float)
        dy = rng.normal(size=(*seen.shape[:-1], made)).astype(np.float32)
        with tf.Graph().as_default(), tf.Session() as sess:
            p, q = (
                tf.placeholder(tf.float32, [None] * unknown + list(v.shape[unknown:]))
                for v in (x, dy)
            )
            v = tf.constant(w)
            y = tf.nn.conv2d(p, v, [1, a, b, 1], "SAME")
            turned = tf.transpose(p, [0, 3, 1, 2])
            first = tf.nn.conv2d(turned, v, [1, 1, a, b], "VALID", data_format="NCHW")
            got = sess.run(
                [tf.nn.relu(y), tf.transpose(first, [0, 2, 3, 1]), *tf.gradients(y, [p, v], q)],
                {p: x, q: dy},
            )
        exact = seen @ w[0, 0].astype(float)
        dx = np.zeros(x.shape)
        dx[:, ::a, ::b] = dy.astype(float) @ w[0, 0].T
        dw = np.einsum("nhwc,nhwf->cf", seen, dy.astype(float))[None, None]
        for got_one, one in zip(got, [np.maximum(exact, 0), exact, dx, dw], strict=True):
            assert got_one.shape == one.shape
            bound = 2e-5 * (1 + np.abs(one).max(initial=0))
            np.testing.assert_allclose(got_one, one, rtol=2e-5, atol=bound)


def test_other_layouts_and_ranks() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 3, 4, 5, 16)).astype(np.float32)
    w = rng.normal(size=(16, 18)).astype(np.float32)
    want = x @ w
    with tf.Graph().as_default(), tf.Session() as sess:
        volumes = tf.nn.conv3d(x, w[None, None, None], [1] * 5, "SAME")
        rows = tf.nn.conv1d(x.reshape(6, 20, 16), w[None], 1, "VALID")
        first = tf.nn.conv2d(
            x.reshape(6, 4, 5, 16).transpose(0, 3, 1, 2), w[None, None], [1, 1, 1, 1], "SAME",
            data_format="NCHW",
        )  # fmt: skip
        got = sess.run([volumes, rows, tf.transpose(first, [0, 2, 3, 1])])
    for v, shape in zip(got, ((2, 3, 4, 5, 18), (6, 20, 18), (6, 4, 5, 18)), strict=True):
        np.testing.assert_allclose(v, want.reshape(shape), rtol=2e-5, atol=2e-5)


def test_which_are_products() -> None:
    """Filters of one place that meets every place of an image, with enough channels."""
    args = [(1, 16, 16, 1, False), (2, 16, 16, 1, False), (1, 16, 16, 3, False),
            (1, 8, 16, 1, False), (1, 16, 8, 1, False), (1, 16, 16, 1, True)]  # fmt: skip
    shapes = [((2, 8, 8, c), (k, k, c, m), s, pad) for s, c, m, k, pad in args]
    found = [
        conv_points.is_points(
            image, filter, {"strides": (s, s), "pads": ((pad, pad),) * 2, "groups": 1}
        )
        for image, filter, s, pad in shapes
    ]
    assert found == [True, True, False, False, False, False]
    assert not conv_points.is_points(
        (2, 8, 8, 32), (1, 1, 16, 16), {"strides": (1, 1), "pads": ((0, 0),) * 2}
    )  # two groups


def test_which_gradients_are_products() -> None:
    """By filters that are large, and of one row alone."""
    assert conv_points.is_long((8, 7, 7, 512), (1, 1, 512, 512))
    assert not conv_points.is_long((8, 28, 28, 64), (1, 1, 64, 64))
    assert conv_points.is_long((1, 1, 4096, 64), (1, 1, 64, 64))
    assert conv_points.is_long((1, 4096, 64), (1, 64, 64))
    assert not conv_points.is_long((2, 4096, 64), (1, 64, 64))
