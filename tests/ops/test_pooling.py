"""Pooling and ops on patches: what TensorFlow 1.15 computes, ties, NaN, derivatives, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conv_oracle import FACTS, agree
from test_conv import POOLS, check_derivatives
from thinned import thinned

import graphc as tf
from graphc import errors
from graphc.runtime.reference import evaluate

VALUES = sorted(n for n in FACTS if any(p in n for p in POOLS))


@pytest.mark.parametrize("name", thinned(VALUES, lambda name: VALUES.index(name) % 2 == 1))
def test_values_are_tensorflows(name: str) -> None:
    agree(name)


SIZES = [((1, 4, 4, 1), 2, 2), ((2, 7, 6, 3), 3, 2), ((3, 5, 5, 17), [2, 3], [1, 2]),
         ((2, 9, 4, 33), [5, 4], 3), ((1, 3, 2, 5), 4, 1), ((0, 4, 4, 2), 2, 2),
         ((1, 9, 10, 17), 3, 1), ((1, 12, 7, 3), 5, 1), ((2, 9, 10, 5), 7, 1),
         ((1, 18, 9, 18), [9, 6], [2, 1]),
         ((2, 6, 8, 3), [3, 2], [3, 2]), ((2, 9, 9, 64), 3, 2),
         ((2, 8, 9, 6), 2, 3), ((1, 6, 5, 4), [3, 1], [1, 2]), ((1, 20, 19, 3), [15, 18], 2),
]  # fmt: skip


#: Half of the sizes in float32, and some others in each other type; the rest is slow.
FIRST = {"float32": 1, "float64": 2, "float16": 0}
TYPED = thinned(
    [(t, *size) for t in ("float32", "float64", "float16") for size in SIZES],
    lambda t, *size: SIZES.index(size) % (2 if t == "float32" else 6) == FIRST[t],
)


@pytest.mark.parametrize(("dtype", "shape", "k", "s"), TYPED)
@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
def test_native_is_numpy(shape: Any, k: Any, s: Any, kind: str, dtype: str) -> None:
    x = np.random.default_rng(4).integers(-4, 5, shape).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as session:
        for padding in ("SAME", "VALID"):
            if padding == "VALID" and max(np.atleast_1d(k)) > min(shape[1:3]):
                continue
            p = tf.placeholder(dtype, [None, *shape[1:]])
            y = getattr(tf.nn, kind)(p, k, s, padding)
            g = tf.gradients(y * y, p)[0]
            wanted = [y, g, tf.gradients(g * g, p)[0]]
            for got, want in zip(
                session.run(wanted, {p: x}), evaluate(wanted, {p: x}), strict=True
            ):
                if kind == "max_pool":
                    np.testing.assert_array_equal(got, want)
                else:
                    eps = np.finfo(dtype).eps
                    np.testing.assert_allclose(got, want, rtol=32 * eps, atol=64 * eps)


SOLIDS = [((1, 5, 4, 2, 1), [2, 3, 1], [3, 3, 1]), ((1, 3, 3, 4, 4), [3, 3, 3], [3, 2, 3]),
          ((2, 5, 6, 5, 17), [3, 2, 5], [2, 3, 2]), ((2, 4, 4, 4, 3), 4, 3),
          ((1, 6, 5, 7, 2), [5, 5, 3], [2, 3, 2])]  # fmt: skip


@pytest.mark.parametrize(
    ("padding", "shape", "k", "s"),
    thinned(
        [(p, *solid) for p in ("SAME", "VALID") for solid in SOLIDS],
        lambda p, *solid: SOLIDS.index(solid) % 2 == (p == "VALID"),
    ),
)
def test_gradients_of_maxima_over_three_axes(shape: Any, k: Any, s: Any, padding: str) -> None:
    """All equal maxima of a window get its gradient, elements of no window none."""
    x = np.random.default_rng(6).integers(-2, 3, shape).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        p = tf.placeholder(tf.float32, [None, *shape[1:]])
        y = tf.nn.max_pool3d(p, k, s, padding)
        wanted = [y, tf.gradients(y * y, p)[0]]
        for got, want in zip(session.run(wanted, {p: x}), evaluate(wanted, {p: x}), strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("shape", "k", "s", "padding"),
    [
        ((2, 9, 10, 5), 3, 2, "SAME"), ((1, 7, 8, 17), [2, 3], [3, 2], "VALID"),
        ((1, 20, 21, 3), [5, 7], [4, 2], "SAME"), ((1, 3, 2, 4), 4, 2, "SAME"),
        ((1, 9, 9, 2), 9, 9, "VALID"), ((1, 5, 6, 7, 3), 3, 2, "VALID"),
        ((1, 4, 5, 6, 2), [2, 3, 1], [1, 2, 2], "SAME"), ((1, 5, 4, 6, 1), 3, 1, "SAME"),
    ],
)  # fmt: skip
def test_means_by_phases(shape: Any, k: Any, s: Any, padding: str) -> None:
    """Windows that overlap, leave gaps, reach outside; whole rows, and images of few channels."""
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    pool = tf.nn.avg_pool if len(shape) == 4 else tf.nn.avg_pool3d
    with tf.Graph().as_default(), tf.Session() as session:
        p = tf.placeholder(tf.float32, shape)
        y = pool(p, k, s, padding)
        wanted = [y, tf.gradients(y * y, p)[0]]
        for got, want in zip(session.run(wanted, {p: x}), evaluate(wanted, {p: x}), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint16"])
def test_maxima_of_integers(dtype: str) -> None:
    x = np.random.default_rng(5).integers(0, 100, (2, 5, 6, 3)).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(dtype, x.shape)
        y = tf.nn.max_pool(p, 3, 2, "SAME")
        np.testing.assert_array_equal(s.run(y, {p: x}), evaluate([y], {p: x})[0])


@pytest.mark.parametrize(("k", "s"), [(2, 2), (2, 1), (5, 5), (5, 2), (3, 4)])
def test_the_first_of_equals_gets_the_gradient(k: int, s: int) -> None:
    x = np.zeros((1, 5, 5, 2), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        p = tf.placeholder(tf.float32, x.shape)
        y = tf.nn.max_pool(p, k, s, "VALID")
        got = session.run(tf.gradients(y, p)[0], {p: x})
    n = (5 - k) // s + 1
    want = np.zeros_like(x)
    want[:, : n * s : s, : n * s : s] = 1
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 1), (5, 1), (5, 2), (3, 2)])
def test_nan_is_the_largest(k: int, s: int) -> None:
    x = np.ones((1, 6, 6, 3), np.float32)
    x[0, 2, 3, 1] = np.nan
    with tf.Graph().as_default(), tf.Session() as session:
        p = tf.placeholder(tf.float32, x.shape)
        y = tf.nn.max_pool(p, k, s, "SAME")
        wanted = [y, tf.gradients(y, p, tf.ones_like(y))[0]]
        for got, want in zip(session.run(wanted, {p: x}), evaluate(wanted, {p: x}), strict=True):
            np.testing.assert_array_equal(got, want)
        assert np.isnan(session.run(y, {p: x})).any()


def test_lowest_values_win_against_padding() -> None:
    x = np.full((1, 3, 3, 1), -np.inf, np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.float32, x.shape)
        y, at = tf.nn.max_pool_with_argmax(p, 3, 1, "SAME")
        g = tf.gradients(y, p)[0]
        got = s.run([at, g], {p: x})
        assert got[0].reshape(-1).tolist() == [0, 0, 1, 0, 0, 1, 3, 3, 4]
        np.testing.assert_array_equal(got[1], evaluate([g], {p: x})[0])
        assert got[1].sum() == 9


def test_derivatives() -> None:
    check_derivatives(lambda a: tf.nn.avg_pool(a, 3, 2, "SAME"), (1, 4, 5, 2))
    check_derivatives(lambda a: tf.nn.max_pool(a, [3, 2], 1, "SAME"), (1, 3, 4, 2))
    check_derivatives(lambda a: tf.nn.max_pool(a, 2, 2, "VALID"), (1, 4, 5, 2))
    check_derivatives(lambda a: tf.nn.max_pool3d(a, 2, 1, "SAME"), (1, 3, 2, 2, 2))
    check_derivatives(lambda a: tf.nn.lrn(a, 1, 1.0, 0.5, 0.75), (1, 2, 2, 4))
    check_derivatives(
        lambda a: tf.extract_image_patches(a, [1, 2, 2, 1], [1, 2, 1, 1], [1, 1, 1, 1], "SAME"),
        (1, 3, 4, 2),
    )


def test_channels_first_is_the_transpose() -> None:
    x = np.random.default_rng(6).standard_normal((2, 5, 6, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.float32, [None, 5, 6, 3])
        t = tf.transpose(p, [0, 3, 1, 2])
        for f in (tf.nn.max_pool, tf.nn.avg_pool):
            last = f(p, [3, 2], 2, "SAME")
            first = f(t, [3, 2], 2, "SAME", data_format="NCHW")
            a = [last, *tf.gradients(last**2, p)]
            b = [tf.transpose(first, [0, 2, 3, 1]), *tf.gradients(first**2, p)]
            for u, v in zip(*s.run([a, b], {p: x}), strict=True):
                np.testing.assert_array_equal(u, v)
            for u, v in zip(s.run(a, {p: x}), evaluate(b, {p: x}), strict=True):
                np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda p: tf.nn.max_pool(p, [1, 5, 5, 1], 2, "VALID"),
         r"Negative dimension size caused by subtracting 5 from 3 for 'MaxPool'"),
        (lambda p: tf.nn.max_pool(p, [1, 2, 2], 1, "VALID"),
         "ksize should be of length 1, 2 or 4 but was 3"),
        (lambda p: tf.nn.max_pool(p, 0, 1, "VALID"), "ksize cannot be zero"),
        (lambda p: tf.nn.max_pool(p, 2, 0, "VALID"), "Stride must be > 0, but got 0"),
        (lambda p: tf.nn.avg_pool(p, 2, 1, "FULL"),
         "Attr 'padding' of 'AvgPool' Op passed string 'FULL' not in: \"SAME\", \"VALID\"."),
        (lambda p: tf.nn.avg_pool(p[0], 2, 1, "SAME"), "Shape must be rank 4 but is rank 3"),
        (lambda p: tf.space_to_depth(p, 2), "evenly divisible by 2 but is 3"),
        (lambda p: tf.space_to_depth(p, 1), "Attr 'block_size' of 'SpaceToDepth' Op passed 1"),
    ],
)  # fmt: skip
def test_errors_when_recorded(build: Any, message: str) -> None:
    with tf.Graph().as_default():
        p = tf.placeholder(tf.float32, [2, 3, 3, 4])
        with pytest.raises(ValueError, match=message):
            build(p)


def test_pooling_over_batch_or_channels_fails_in_a_run() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.float32, [2, 4, 4, 4])
        y = tf.nn.max_pool(p, [1, 1, 1, 2], [1, 1, 1, 2], "VALID")
        with pytest.raises(errors.InvalidArgumentError, match="not yet supported"):
            s.run(y, {p: np.ones((2, 4, 4, 4))})


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 2, 9)], ids=str)
def test_means_of_windows_some_of_whose_rows_exist(kernel: Any, steps: int) -> None:
    """Of few and many channels, in volumes with and without whole windows."""
    rng = np.random.default_rng(0)
    for shape in ((2, 4, 6, 11, 3), (1, 2, 3, 5, 17)):
        with tf.Graph().as_default(), tf.Session() as sess:
            x = tf.placeholder(tf.float32, shape)
            y = tf.nn.avg_pool3d(x, [1, *kernel, 1], [1] + [steps] * 3 + [1], "SAME")
            fetches = [y, tf.gradients(tf.square(y), x)[0]]
            feeds = {x: rng.normal(size=shape).astype(np.float32)}
            for a, b in zip(sess.run(fetches, feeds), evaluate(fetches, feeds), strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)
