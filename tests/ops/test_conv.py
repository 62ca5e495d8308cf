"""Convolutions: what TensorFlow 1.15 computes, derivatives, layouts, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conv_oracle import FACTS, agree
from thinned import thinned

import graphc as tf
from graphc import errors
from graphc.runtime.reference import evaluate

POOLS = ("pool", "argmax", "lrn", "space", "depth_to", "patches")


VALUES = sorted(n for n in FACTS if not any(p in n for p in POOLS))


@pytest.mark.parametrize("name", thinned(VALUES, lambda name: VALUES.index(name) % 2 == 0))
def test_values_are_tensorflows(name: str) -> None:
    agree(name)


# ------------------------------------------------------------------------- derivatives


def numeric(f: Any, xs: list[Any], step: float = 1e-6) -> list[Any]:
    """Derivatives of the number ``f(*xs)`` by central differences."""
    out = []
    for i, x in enumerate(xs):
        d = np.zeros_like(x)
        for at in np.ndindex(*x.shape):
            a = [v.copy() for v in xs]
            b = [v.copy() for v in xs]
            a[i][at] += step
            b[i][at] -= step
            d[at] = (f(*a) - f(*b)) / (2 * step)
        out.append(d)
    return out


def check_derivatives(build: Any, *shapes: tuple[int, ...], pow: int = 3) -> None:
    """First and second derivatives of ``build(*placeholders)`` against differences in float64."""
    rng = np.random.default_rng(len(shapes) + sum(map(sum, shapes)))
    xs = [rng.uniform(-1, 1, s) for s in shapes]
    with tf.Graph().as_default(), tf.Session() as s:
        ps = [tf.placeholder(tf.float64, x.shape) for x in xs]
        y = build(*ps)
        loss = tf.reduce_sum(y**pow)
        first = tf.gradients(loss, ps)
        weights = [tf.constant(rng.uniform(-1, 1, x.shape)) for x in xs]
        total = tf.add_n([tf.reduce_sum(g * w) for g, w in zip(first, weights, strict=True)])
        second = tf.gradients(total, ps)

        def at(t: Any) -> Any:
            return lambda *v: s.run(t, dict(zip(ps, v, strict=True)))

        for want, got in zip(numeric(at(loss), xs), at(first)(*xs), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-6, atol=2e-6)
        for want, got in zip(numeric(at(total), xs), at(second)(*xs), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("x", "w", "how"),
    [
        ((1, 3, 4, 2), (2, 3, 2, 2), {"strides": 1, "padding": "SAME"}),
        ((1, 5, 4, 1), (3, 2, 1, 2), {"strides": 2, "padding": "VALID"}),
        ((1, 4, 4, 2), (2, 2, 2, 1), {"strides": [1, 2, 1, 1], "padding": "SAME"}),
        ((1, 5, 5, 1), (2, 2, 1, 2), {"strides": 1, "padding": "VALID", "dilations": 2}),
        ((1, 2, 3, 4), (2, 2, 2, 2), {"strides": 1, "padding": "SAME"}),
        ((1, 3, 3, 1), (2, 2, 1, 2),
         {"strides": 1, "padding": [[0, 0], [1, 0], [0, 2], [0, 0]]}),
    ],
)  # fmt: skip
def test_derivatives_of_conv2d(x: Any, w: Any, how: dict[str, Any]) -> None:
    check_derivatives(lambda a, b: tf.nn.conv2d(a, b, **how), x, w)


def test_derivatives_of_the_others() -> None:
    check_derivatives(
        lambda a, b: tf.nn.conv2d_transpose(a, b, [1, 5, 4, 2], 2, "VALID"),
        (1, 2, 2, 1), (3, 2, 2, 1),
    )  # fmt: skip
    check_derivatives(
        lambda a, b: tf.nn.conv3d(a, b, [1, 1, 2, 1, 1], "SAME"), (1, 2, 3, 2, 1), (2, 2, 2, 1, 2)
    )
    for strides in ([1, 1, 1, 1], [1, 2, 2, 1]):
        check_derivatives(
            lambda a, b, s=strides: tf.nn.depthwise_conv2d(a, b, s, "SAME"),
            (1, 3, 4, 2), (2, 2, 2, 2),
        )  # fmt: skip
    check_derivatives(lambda a, b: tf.nn.conv1d(a, b, 2, "SAME"), (1, 5, 2), (3, 2, 2))


# ------------------------------------------------------------------------- layouts


def test_channels_first_is_the_transpose() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 5, 6, 3)).astype(np.float32)
    w = rng.standard_normal((3, 2, 3, 4)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p, q = tf.placeholder(tf.float32, [None, 5, 6, 3]), tf.placeholder(tf.float32, w.shape)
        t = tf.transpose(p, [0, 3, 1, 2])
        last = tf.nn.conv2d(p, q, [1, 2, 1, 1], "SAME")
        first = tf.nn.conv2d(t, q, [1, 1, 2, 1], "SAME", data_format="NCHW")
        assert first.shape.as_list() == [None, 4, 3, 6]
        a = [last, *tf.gradients(last**2, [p, q])]
        b = [tf.transpose(first, [0, 2, 3, 1]), *tf.gradients(first**2, [p, q])]
        got = s.run([a, b], {p: x, q: w})
        for u, v in zip(*got, strict=True):
            np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-5)
        for u, v in zip(got[0], evaluate(b, {p: x, q: w}), strict=True):
            np.testing.assert_allclose(u, v, rtol=1e-4, atol=1e-4)


def test_groups_are_convolutions_side_by_side() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 4, 5, 6)).astype(np.float32)
    w = rng.standard_normal((3, 3, 2, 9)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p, q = tf.placeholder(tf.float32, x.shape), tf.placeholder(tf.float32, w.shape)
        whole = tf.nn.conv2d(p, q, 1, "SAME")
        parts = tf.concat(
            [
                tf.nn.conv2d(p[..., 2 * g : 2 * g + 2], q[..., 3 * g : 3 * g + 3], 1, "SAME")
                for g in range(3)
            ],
            -1,
        )
        a = [whole, *tf.gradients(whole**2, [p, q])]
        b = [parts, *tf.gradients(parts**2, [p, q])]
        for u, v in zip(*s.run([a, b], {p: x, q: w}), strict=True):
            np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------- what follows


@pytest.mark.parametrize("batch", [1, 3, 8, 17])
@pytest.mark.parametrize("strides", [1, 2])
def test_what_follows_is_computed_on_finished_sums(batch: int, strides: int) -> None:
    rng = np.random.default_rng(batch)
    x = rng.standard_normal((batch, 6, 7, 5)).astype(np.float32)
    w = rng.standard_normal((3, 3, 5, 19)).astype(np.float32)
    b = rng.standard_normal(19).astype(np.float32)
    side = (6 + strides - 1) // strides, (7 + strides - 1) // strides
    r = rng.standard_normal((batch, *side, 19)).astype(np.float32)
    m = rng.standard_normal((1, *side, 1)).astype(np.float32)
    e = rng.standard_normal((batch, 1, 1, 19)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        feeds = {}
        ps = []
        for a in (x, w, b, r, m, e):
            ps.append(tf.placeholder(tf.float32, [None if d == batch else d for d in a.shape]))
            feeds[ps[-1]] = a
        y = tf.nn.bias_add(tf.nn.conv2d(ps[0], ps[1], strides, "SAME"), ps[2])
        z = tf.nn.relu(y + ps[3]) * ps[4] + tf.sigmoid(ps[5])
        back = tf.gradients(tf.nn.relu(z), ps[:2])
        for got, want in zip(
            s.run([y, z, *back], feeds), evaluate([y, z, *back], feeds), strict=True
        ):
            np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4 * np.abs(want).max())


@pytest.mark.parametrize("strides", thinned([1, 2], lambda strides: strides == 2))
def test_sizes_of_images_may_be_known_at_run_time_only(strides: int) -> None:
    rng = np.random.default_rng(3)
    w = rng.standard_normal((3, 3, 2, 5)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p, q = tf.placeholder(tf.float32, [None, None, None, 2]), tf.placeholder(tf.float32)
        y = tf.nn.conv2d(p, q, strides, "SAME")
        wanted = [y, *tf.gradients(y * y, [p, q])]
        for shape in ((2, 5, 6, 2), (9, 4, 4, 2), (1, 9, 1, 2), (0, 3, 3, 2)):
            x = rng.standard_normal(shape).astype(np.float32)
            for got, want in zip(
                s.run(wanted, {p: x, q: w}), evaluate(wanted, {p: x, q: w}), strict=True
            ):
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------------- errors


def image(*shape: Any, dtype: Any = tf.float32) -> Any:
    return tf.placeholder(dtype, shape)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: tf.nn.conv2d(image(2, 3, 3), image(1, 1, 3, 4), 1, "SAME"),
         r"Shape must be rank 4 but is rank 3 for 'Conv2D' \(op: 'Conv2D'\) with input shapes: "
         r"\[2,3,3\], \[1,1,3,4\]\."),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 4, 4), 1, "SAME"),
         r"Depth of input \(3\) is not a multiple of input depth of filter \(4\)"),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(5, 5, 3, 4), 1, "VALID"),
         "Negative dimension size caused by subtracting 5 from 3"),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 3, 4), 1, "FULL"),
         "Attr 'padding' of 'Conv2D' Op passed string 'FULL' not in: \"SAME\", \"VALID\""),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 3, 4), [1, 1, 1], "SAME"),
         "strides should be of length 1, 2 or 4 but was 3"),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 3, 4), [1, 0, 1, 1], "SAME"),
         "Stride must be > 0, but got 0"),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 3, 4), 1, "SAME", dilations=0),
         "Dilation rate must be >= 1, but got 0"),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 3, 4), 1, [[0, 0], [0, 0]]),
         "When padding is a list, it must be of size 4. Got padding of size: 2"),
        (lambda: tf.nn.conv2d(image(2, 3, 3, 3), image(1, 1, 3, 4), 1,
                              [[0, 0], [-1, 0], [0, 0], [0, 0]]),
         "All elements of explicit_paddings must be nonnegative"),
        (lambda: tf.nn.convolution(image(2, 9, 9, 3), image(3, 3, 3, 4), "VALID", strides=[2, 2],
                                   dilation_rate=[2, 2]),
         "strides > 1 not supported in conjunction with dilation_rate > 1"),
        (lambda: tf.nn.depthwise_conv2d(image(2, 5, 5, 3), image(3, 3, 4, 2), [1, 1, 1, 1],
                                        "SAME"),
         "Dimensions must be equal, but are 3 and 4 for 'depthwise'"),
    ],
)  # fmt: skip
def test_errors_when_recorded(build: Any, message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        build()


def test_types_that_are_refused() -> None:
    with tf.Graph().as_default():
        with pytest.raises(TypeError, match="'input' has DataType int32 not in list of allowed"):
            tf.nn.conv2d(image(1, 3, 3, 1, dtype=tf.int32), np.ones((1, 1, 1, 1), np.int32), 1,
                         "SAME")  # fmt: skip
        with pytest.raises(TypeError, match="does not match type float32 of argument 'input'"):
            tf.nn.conv2d(image(1, 3, 3, 1), image(1, 1, 1, 1, dtype=tf.float64), 1, "SAME")
        with pytest.raises(TypeError, match="Expected string for argument 'padding' not None"):
            tf.nn.conv2d(image(1, 3, 3, 1), image(1, 1, 1, 1), 1)


def test_errors_of_a_run() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        p, q = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
        y = tf.nn.conv2d(p, q, 1, "VALID")
        with pytest.raises(errors.InvalidArgumentError, match="output size would be negative: -1"):
            s.run(y, {p: np.ones((1, 3, 3, 1)), q: np.ones((5, 5, 1, 1))})
        assert s.run(y, {p: np.ones((1, 3, 3, 1)), q: np.ones((4, 4, 1, 1))}).shape == (1, 0, 0, 1)
        with pytest.raises(errors.InvalidArgumentError, match="not a multiple of input depth"):
            s.run(y, {p: np.ones((1, 3, 3, 3)), q: np.ones((1, 1, 2, 1))})
        d = tf.nn.conv2d_transpose(p, q, [1, 4, 4, 1], 2, "SAME")
        with pytest.raises(errors.InvalidArgumentError, match="doesn't match computed"):
            s.run(d, {p: np.ones((1, 3, 2, 1)), q: np.ones((3, 3, 1, 1))})


# ------------------------------------------------------------------- filters as wide as the image


@pytest.mark.parametrize(
    ("image", "filter", "stride"),
    [
        ((2, 5, 4, 1), (2, 4, 1, 3), 1),
        ((2, 5, 4, 2), (2, 4, 2, 3), 2),
        ((2, 3, 4, 2), (3, 4, 2, 3), 1),  # both axes
        ((2, 3, 4, 2), (3, 2, 2, 3), 1),  # not the last one
        ((2, 5, 4, 4), (2, 4, 2, 2), 1),  # groups
    ],
)
def test_filters_as_wide_as_the_image(
    image: tuple[int, ...], filter: tuple[int, ...], stride: int
) -> None:
    def build(x: Any, w: Any) -> Any:
        return tf.nn.conv2d(x, w, [1, stride, stride, 1], "VALID")

    check_derivatives(build, image, filter, pow=2)


def test_volumes_under_filters_as_wide() -> None:
    def build(x: Any, w: Any) -> Any:
        return tf.nn.conv3d(x, w, [1] * 5, "VALID")

    check_derivatives(build, (1, 3, 2, 3, 1), (2, 2, 3, 1, 2), pow=2)
