"""Winograd's products: where they are used, and how far they are from the exact sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.passes.pipeline import LEVELS
from graphc.runtime.llvm import winograd as native

#: Errors in units of 2**-24 times the largest sum of absolute products in the image, which bounds
#: what a tile sees (plain sums: below 4).
BOUND = {3: 48.0, 5: 32.0}

#: images, height, width, channels, columns, filter, padding
SHAPES = [
    (4, 14, 14, 32, 64, 5, "SAME"), (5, 17, 14, 20, 37, 3, "SAME"), (5, 16, 18, 33, 48, 5, "VALID"),
    (17, 8, 8, 64, 64, 3, "SAME"), (4, 32, 32, 16, 16, 3, "SAME"), (65, 4, 4, 17, 16, 3, "SAME"),
    (9, 11, 12, 16, 31, 3, [[0, 0], [2, 1], [0, 2], [0, 0]]), (3, 13, 11, 130, 18, 5, "SAME"),
]  # fmt: skip


def sums(x: Any, w: Any, pads: Any) -> Any:
    """The convolution, in float64."""
    x = np.pad(x.astype(np.float64), [(0, 0), *pads, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], (1, 2))
    return np.einsum("nhwcij,ijcf->nhwf", windows, w.astype(np.float64), optimize=True)


def padding(p: Any, side: int) -> Any:
    if isinstance(p, list):
        return p[1:3]
    return [(side // 2, side // 2)] * 2 if p == "SAME" else [(0, 0)] * 2


def units(error: Any, size: Any) -> float:
    return float((error / size.max((1, 2), keepdims=True)).max() * 2.0**24)


def step_names(session: tf.Session, fetch: Any, feed: Any) -> str:
    return str(tf.dump(fetch, feed, session, stage="kernels"))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_results_are_near_the_exact_ones(shape: Any) -> None:
    n, h, w, c, f, side, pad = shape
    rng = np.random.default_rng(1)
    image = rng.standard_normal((n, h, w, c)).astype(np.float32)
    kernel = rng.standard_normal((side, side, c, f)).astype(np.float32)
    bias = rng.standard_normal(f).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, h, w, c])
        y = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], pad) + bias)
        assert "template winograd(" in step_names(sess, y, {x: image})
        got = sess.run(y, {x: image})
        pads = padding(pad, side)
        size = sums(np.abs(image), np.abs(kernel), pads) + np.abs(bias)
        error = np.abs(got - np.maximum(sums(image, kernel, pads) + bias, 0))
        assert units(error, size) <= BOUND[side]
        # the gradient by the image is the same with the filter turned
        back = rng.standard_normal(got.shape).astype(np.float32)
        g = tf.nn.conv2d_backprop_input(image.shape, kernel, back, [1, 1, 1, 1], pad)
        other = [(side - 1 - a, side - 1 - b) for a, b in pads]
        turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
        error = np.abs(sess.run(g) - sums(back, turned, other))
        assert units(error, sums(np.abs(back), np.abs(turned), other)) <= BOUND[side]


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
@pytest.mark.parametrize("side", [3, 5])
def test_storage_in_16_bits(side: int, dtype: Any) -> None:
    """Everything but what is read and written is float32: results are those, rounded once."""
    rng = np.random.default_rng(side)
    n, h, w, c, f = 65, 8, 9, 16, 33
    stored = [rng.standard_normal(s) for s in ((n, h, w, c), (side, side, c, f), (n, h, w, f))]
    with tf.Graph().as_default(), tf.Session() as sess:
        feeds = [tf.placeholder(dtype, a.shape) for a in stored]
        feed = dict(zip(feeds, stored, strict=True))
        found = []
        for t in (dtype, tf.float32):
            image, kernel, back = (tf.cast(v, t) for v in feeds)
            for y in (
                tf.nn.conv2d(image, kernel, [1, 1, 1, 1], "SAME"),
                tf.nn.conv2d_backprop_input((n, h, w, c), kernel, back, [1, 1, 1, 1], "SAME"),
                tf.nn.conv2d_backprop_filter(image, (side, side, c, f), back, [1, 1, 1, 1], "SAME"),
            ):
                assert "template winograd" in step_names(sess, y, feed)
                found.append(sess.run(tf.cast(tf.cast(y, dtype), tf.float32), feed))
    for got, want in zip(found[:3], found[3:], strict=True):
        assert np.abs(want).max() > 1
        np.testing.assert_array_equal(got, want)


def test_exact_for_small_whole_numbers() -> None:
    """Filters of multiples of 576 and small images: every step is exact, and so is the result."""
    rng = np.random.default_rng(2)
    image = rng.integers(-3, 4, (8, 12, 12, 16)).astype(np.float32)
    for side in (3, 5):
        kernel = (576 * rng.integers(-2, 3, (side, side, 16, 24))).astype(np.float32)
        with tf.Graph().as_default(), tf.Session() as sess:
            got = sess.run(tf.nn.conv2d(tf.constant(image) + 0.0, kernel, [1, 1, 1, 1], "SAME"))
        want = sums(image, kernel, padding("SAME", side))
        np.testing.assert_allclose(got, want, rtol=0, atol=side * 576 * 2e-4)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 14, 14, 15, 64, 3), {}),  # few channels: the transforms cost more than they save
        ((4, 14, 14, 32, 64, 3), {"strides": [1, 2, 2, 1]}),
        ((4, 14, 14, 32, 64, 3), {"dilations": [1, 2, 2, 1]}),
        ((1, 12, 12, 32, 64, 3), {}),  # too few tiles to pay for the filter's,
        ((1, 14, 14, 64, 64, 3), {}),  # which here is more than the cache keeps
        ((64, 5, 5, 32, 64, 3), {}),  # most of a second tile would be thrown away
        ((4, 14, 14, 32, 64, 1), {}),
    ],
)
def test_plain_sums_elsewhere(shape: Any, options: Any) -> None:
    n, h, w, c, f, side = shape
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [n, h, w, c])
        kernel = np.ones((side, side, c, f), np.float32)
        y = tf.nn.conv2d(x, kernel, **{"strides": [1, 1, 1, 1], "padding": "SAME", **options})
        assert "winograd" not in step_names(sess, y, {x: np.zeros((n, h, w, c))})


@pytest.mark.parametrize(
    "options",
    [
        {"graphc_passes_off": ["winograd"]},
        {"graphc_passes": LEVELS[2].replace("winograd", "winograd:-FEWER_PRODUCTS")},
    ],
)
def test_the_pass_can_be_left_out_or_lose_its_licence(options: Any) -> None:
    config = tf.ConfigProto(**options)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        x = tf.placeholder(tf.float32, [4, 14, 14, 32])
        y = tf.nn.conv2d(x, np.ones((3, 3, 32, 64), np.float32), [1, 1, 1, 1], "SAME")
        assert "winograd" not in step_names(sess, y, {x: np.zeros((4, 14, 14, 32))})


def test_the_choice_depends_on_the_size_of_the_batch_not_on_history() -> None:
    rng = np.random.default_rng(3)
    image = rng.standard_normal((16, 14, 14, 16)).astype(np.float32)
    kernel = rng.standard_normal((3, 3, 16, 16)).astype(np.float32)

    def results(*sizes: int) -> list[Any]:
        with tf.Graph().as_default(), tf.Session() as sess:
            x = tf.placeholder(tf.float32, [None, 14, 14, 16])
            y = tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME")
            return [sess.run(y, {x: image[:n]}) for n in sizes]

    small, large = results(2, 16)
    again, before = results(16, 2)
    np.testing.assert_array_equal(small, before)
    np.testing.assert_array_equal(large, again)


def test_threads_do_not_change_results() -> None:
    image = np.random.default_rng(4).standard_normal((8, 14, 14, 32)).astype(np.float32)
    kernel = np.random.default_rng(5).standard_normal((5, 5, 32, 48)).astype(np.float32)
    found = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            x = tf.placeholder(tf.float32, [None, 14, 14, 32])
            found.append(sess.run(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), {x: image}))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("side", [3, 5])
def test_transforms_are_minimal_filtering(side: int) -> None:
    """In exact arithmetic the three transforms make a row of results."""
    rng = np.random.default_rng(side)
    count = native.SIDE - side + 1
    d, g = rng.integers(-9, 9, native.SIDE).astype(float), rng.integers(-9, 9, side).astype(float)

    def mad(x: Any, k: float, z: Any) -> Any:
        return x * k + z

    products = np.multiply(native.image_transform(d, mad), native.filter_transform(g, mad))
    got = native.result_transform(products, count, mad)
    np.testing.assert_allclose(got, np.correlate(d, g), rtol=1e-12)


@pytest.mark.parametrize(
    "shape",
    [
        (24, 14, 14, 32, 48, 5, "SAME"), (65, 8, 8, 16, 33, 3, "SAME"),
        (33, 13, 16, 20, 16, 3, "VALID"), (130, 7, 6, 16, 17, 5, "VALID"),
        (16, 15, 15, 64, 64, 3, "SAME"),
    ],
    ids=str,
)  # fmt: skip
def test_gradients_of_filters_are_near_the_exact_ones(shape: Any) -> None:
    n, h, w, c, f, side, pad = shape
    rng = np.random.default_rng(6)
    image = rng.standard_normal((n, h, w, c)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, h, w, c])
        y = tf.nn.conv2d(x, np.zeros((side, side, c, f), np.float32), [1, 1, 1, 1], pad)
        back = rng.standard_normal((n, *y.shape.as_list()[1:])).astype(np.float32)
        g = tf.nn.conv2d_backprop_filter(x, (side, side, c, f), back, [1, 1, 1, 1], pad)
        assert "template winograd_sums(" in step_names(sess, g, {x: image})
        got = sess.run(g, {x: image})
        # as many images as one part has not, and another number of parts
        some = 2 * n // 3
        part = tf.nn.conv2d_backprop_filter(x, got.shape, back[:some], [1, 1, 1, 1], pad)
        half = sess.run(part, {x: image[:some]})

    def exact(x: Any, d: Any) -> Any:
        x = np.pad(x.astype(np.float64), [(0, 0), *padding(pad, side), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, d.shape[1:3], (1, 2))
        return np.einsum("nijchw,nhwf->ijcf", windows, d.astype(np.float64), optimize=True)

    for found, k in ((got, n), (half, some)):
        size = exact(np.abs(image[:k]), np.abs(back[:k]))
        error = np.abs(found - exact(image[:k], back[:k]))
        assert (error / size).max() * 2.0**24 <= BOUND[side]
