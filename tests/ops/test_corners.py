"""Corners that programs against TensorFlow 1.15 found: what it gives, or that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc as tf

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default():
        yield


def run(fetches: Any, feed: dict[Any, Any] | None = None) -> Any:
    with tf.Session() as sess:
        return sess.run(fetches, feed)


# ------------------------------------------------------------------------- where


@pytest.mark.parametrize(
    ("c", "x", "y"),
    [([[1], [0]], [[1], [2]], [[5]]), ([[1]], [[1], [2]], [[5], [6]]), ([[1]], [[1]], [[5], [6]])],
)
@pytest.mark.parametrize("shape", [[None, 1], None])
def test_where_does_not_broadcast_in_a_run(shape: Any, c: Any, x: Any, y: Any) -> None:
    condition = tf.placeholder(tf.bool, shape)
    a, b = tf.placeholder(tf.float32, shape), tf.placeholder(tf.float32, shape)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be equal"):
        run(tf.where(condition, a, b), {condition: c, a: x, b: y})


def test_where_of_rows_names_sizes() -> None:
    condition = tf.placeholder(tf.bool, [None])
    a = tf.placeholder(tf.float32, [None, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="but saw: 2 vs"):
        run(tf.where(condition, a, a), {condition: [True], a: np.ones((2, 2))})


# ------------------------------------------------------------------------- segments

SEGMENTS = [tf.segment_sum, tf.segment_mean, tf.segment_max, tf.segment_min, tf.segment_prod]


@pytest.mark.parametrize("f", SEGMENTS)
def test_segments_of_no_rows(f: Callable[..., Any]) -> None:
    x, i = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.int32, [None])
    assert run(f(x, i), {x: np.zeros((0, 3)), i: []}).shape == (0, 3)


@pytest.mark.parametrize("f", SEGMENTS)
@pytest.mark.parametrize("ids", [[0, 2, 1], [-1, 0, 1]])
def test_segments_refuse_ids_that_are_not_sorted(f: Callable[..., Any], ids: list[int]) -> None:
    i = tf.placeholder(tf.int64, [None])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not increasing"):
        run(f([1.0, 2.0, 3.0], i), {i: ids})


@pytest.mark.parametrize(
    ("f", "want"), list(zip(SEGMENTS, [3.0, 1.5, 2.0, 1.0, 2.0], strict=True))
)  # fmt: skip
def test_segments_that_are_left_out(f: Callable[..., Any], want: float) -> None:
    empty = 1.0 if f is tf.segment_prod else 0.0
    assert run(f([1.0, 2.0, 3.0], [1, 1, 3])).tolist() == [empty, want, empty, 3.0]


# ------------------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    ("x", "want"),
    [
        ([1e4, 1e4], [0.5, 0.5]),
        ([1e38, 3e38, 3e38, 1.0], [0.0, 0.5, 0.5, 0.0]),
        ([2000.0, 2001.0], [0.26894143, 0.7310586]),
        ([1.0, 2.0, 3.0], [0.09003057, 0.24472848, 0.66524094]),
    ],
)
def test_gradient_of_logsumexp_is_softmax(x: Sequence[float], want: Sequence[float]) -> None:
    v = tf.placeholder(tf.float32, [None])
    got = run(tf.gradients(tf.reduce_logsumexp(v), v)[0], {v: x})
    np.testing.assert_allclose(got, want, rtol=5e-7)


def test_second_derivative_of_logsumexp() -> None:
    v = tf.placeholder(tf.float32, [None])
    g = tf.gradients(tf.reduce_logsumexp(v), v)[0]
    got = run(tf.gradients(g * g, v)[0], {v: [1.0, 2.0, 3.0]})
    np.testing.assert_allclose(got, [-0.07571795, -0.13010478, 0.20582277], rtol=2e-6)


@pytest.mark.parametrize("alpha", [0.2, -0.5, 3.0])
def test_second_derivative_of_leaky_relu_is_zeros(alpha: float) -> None:
    x = tf.constant([1.0, -2.0, 0.0])
    g = tf.gradients(tf.nn.leaky_relu(x, alpha), x)[0]
    both = run([g, *tf.gradients(g, x), *tf.gradients(g * x, x)])
    np.testing.assert_allclose(both, [[1.0, alpha, alpha], [0.0] * 3, [1.0, alpha, alpha]])


# ------------------------------------------------------------------------- images of no rows

WEIGHTS = np.ones((2, 2, 2, 3), np.float32)


EMPTY = [(2, 0, 6, 2), (2, 5, 0, 2), (0, 0, 0, 2), (0, 5, 6, 2), (2, 5, 6, 2)]


@pytest.mark.parametrize(
    "sizes", [EMPTY[:3], pytest.param([*EMPTY, EMPTY[0]], marks=pytest.mark.slow)], ids=len
)
@pytest.mark.parametrize(
    "f",
    [
        lambda x, s: tf.nn.conv2d(x, WEIGHTS, s, "SAME"),
        lambda x, s: tf.nn.depthwise_conv2d(x, WEIGHTS, s, "SAME"),
        lambda x, s: tf.nn.max_pool(x, [1, 2, 2, 1], s, "SAME"),
        lambda x, s: tf.nn.avg_pool(x, [1, 2, 2, 1], s, "SAME"),
        lambda x, s: tf.nn.max_pool_with_argmax(x, [1, 2, 2, 1], s, "SAME")[0],
    ],
    ids=["conv", "depthwise", "max", "avg", "argmax"],
)
def test_empty_images(f: Callable[..., Any], sizes: list[tuple[int, ...]]) -> None:
    x = tf.placeholder(tf.float32, [None, None, None, None])
    y = f(x, [1, 2, 2, 1])
    g = tf.gradients(y, x)[0]
    with tf.Session() as sess:
        for shape in sizes:
            a, b = sess.run([y, g], {x: np.ones(shape)})
            n, h, w, _ = shape
            assert a.shape[:3] == (n, -(-h // 2), -(-w // 2))
            assert b.shape == shape


def test_names_of_sizes_that_only_inner_loops_know() -> None:
    """The fifth loop's variable would be called as the size of the last axis is."""
    x = tf.placeholder(tf.float32, [None, None, None, None])
    y = tf.space_to_depth(x[:, : tf.shape(x)[1] // 2 * 2, : tf.shape(x)[2] // 2 * 2], 2)
    with tf.Session() as sess:
        assert sess.run(y, {x: np.ones((0, 5, 6, 2))}).shape == (0, 2, 3, 8)
        a = np.arange(120.0).reshape(2, 5, 6, 2)
        want = a[:, :4].reshape(2, 2, 2, 3, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 3, 8)
        assert (sess.run(y, {x: a}) == want).all()


def test_response_normalization_of_unknown_channels() -> None:
    x = tf.placeholder(tf.float32, [None, None, None, None])
    y = tf.nn.lrn(x, 1)
    g = tf.gradients(y, x)[0]
    a, b = run([y, g], {x: [[[[1.0, 2.0, 3.0]]]]})
    np.testing.assert_allclose(a, [[[[0.4082483, 0.5163978, 0.8017837]]]], rtol=1e-6)
    np.testing.assert_allclose(b, [[[[0.3057804, -0.06127743, -0.00782911]]]], rtol=1e-5)


def test_images_without_channels_are_refused() -> None:
    x = tf.placeholder(tf.float32, [None, None, None, None])
    y = tf.nn.conv2d(x, WEIGHTS, [1, 1, 1, 1], "SAME")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not a multiple of input depth"):
        run(y, {x: np.ones((2, 4, 4, 0))})


# ------------------------------------------------------------------------- shapes of nothing


@pytest.mark.parametrize("shape", [[None, None, None], None])
@pytest.mark.parametrize(
    ("given", "wanted", "made"),
    [
        ((0, 3, 4), ["b", -1], (0, 12)), ((0, 0, 4), ["b", -1], (0, 4)),
        ((0, 3, 4), [-1, "b"], (12, 0)), ((0, 3, 4), [0, 3, -1], (0, 3, 4)),
        ((0, 3, 4), [0, 5, -1], (0, 5, 2)), ((0, 3, 4), [0, 0, -1], (0, 0, 12)),
        ((0, 3, 4), [-1, 12], (0, 12)),
    ],
)  # fmt: skip
def test_the_size_that_remains_beside_one_of_zero(
    given: Any, wanted: Any, made: Any, shape: Any
) -> None:
    if shape and given[1] != 3:
        return
    x = tf.placeholder(tf.float32, shape)
    y = tf.reshape(x, [tf.shape(x)[0] if d == "b" else d for d in wanted])
    fixed = tf.reshape(tf.zeros(given), [given[0] if d == "b" else d for d in wanted])
    a, b, c = run([y, tf.gradients(y, x)[0], fixed], {x: np.zeros(given)})
    assert (a.shape, b.shape, c.shape) == (made, given, made)


def test_nothing_remains_of_something() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="requested shape has 0"):
        run(tf.reshape(x, [0, -1]), {x: np.zeros((2, 3))})


def test_flat_batches_of_no_rows() -> None:
    x = tf.placeholder(tf.float32, [None, 3, 4])
    y = tf.layers.dense(tf.layers.flatten(x), 2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(y, {x: np.zeros((0, 3, 4))}).shape == (0, 2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: tf.split(x, 1, 0), lambda x: tf.split(x, [1], 0), lambda x: tf.unstack(x, 1),
        lambda x: tf.dynamic_partition(x, [0], 1),
    ],
)  # fmt: skip
def test_gradients_of_a_single_part(f: Callable[..., Any]) -> None:
    x = tf.constant([[1.0, 2.0]])
    (part,) = f(x)
    assert run(tf.gradients(part * part, x)[0]).tolist() == [[2.0, 4.0]]


# ------------------------------------------------------------------------- static shapes, types


def test_static_shapes_that_operands_give_each_other() -> None:
    def unknown(*shape: int | None, dtype: Any = tf.float32) -> Any:
        return tf.placeholder(dtype, shape)

    lengths = np.array([1, 2], np.int32)
    condition = unknown(3, None, dtype=tf.bool)
    weights = np.ones((1, 1, 2, 3), np.float32)
    four = unknown(None, None, None, None)
    made = [
        (tf.reverse_sequence(unknown(None, None), lengths, 1, batch_axis=0), [2, None]),
        (tf.where(condition, unknown(None, 4), unknown(None, None)), [3, 4]),
        (tf.nn.depthwise_conv2d(four, weights, [1, 1, 1, 1], "SAME"), [None, None, None, 6]),
        (tf.broadcast_to(unknown(5), tf.shape(unknown(None, None))), [None, 5]),
    ]
    for y, want in made:
        assert y.shape.as_list() == want


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8"])
def test_mean_of_integers_in_segments(dtype: str) -> None:
    low = 7 if dtype == "uint8" else -7
    got = run(tf.segment_mean(np.array([1, 2, 4, low, 2], dtype), [0, 0, 0, 1, 1]))
    assert got.dtype == dtype
    assert got.tolist() == [2, 4 if low > 0 else -2]


def test_truncatediv_rounds_integers_only() -> None:
    x = tf.placeholder(tf.float32, [None])
    assert run(tf.truncatediv(x, 2.0), {x: [1.0, -7.0]}).tolist() == [0.5, -3.5]


@pytest.mark.parametrize(
    ("axis", "want"), [(-1, [[1, 2, 3], [0, 1, 2]]), (0, [[2, 1, 0], [3, 1, 2]]),
                       (1, [[1, 2, 3], [0, 1, 2]]), (-2, [[2, 1, 0], [3, 1, 2]])],
)  # fmt: skip
def test_sort_of_unknown_rank(axis: int, want: Any) -> None:
    x = tf.placeholder(tf.float32, None)
    y = tf.sort(x, axis=axis)
    assert y.shape.ndims is None
    assert run(y, {x: [[3, 1, 2], [2, 1, 0]]}).tolist() == want


@pytest.mark.parametrize("axis", [2, -3])
def test_sort_of_unknown_rank_along_no_axis(axis: int) -> None:
    x = tf.placeholder(tf.float32, None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="2 is out of range"):
        run(tf.sort(x, axis=axis), {x: np.ones((2, 3))})


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 1)])
def test_batched_index_vectors_without_numbers(shape: tuple[int, ...]) -> None:
    """Each is the whole of its row; the result had the axes of the batch twice."""
    x = tf.placeholder(tf.float32, shape)
    i = tf.placeholder(tf.int32, [*shape[:-1], 0])
    picked = tf.gather_nd(x, i, batch_dims=len(shape) - 1)
    assert picked.shape.as_list() == list(shape)
    numbers = np.random.RandomState(0).rand(*shape).astype(np.float32)
    found = run(picked, {x: numbers, i: np.zeros((*shape[:-1], 0))})
    np.testing.assert_array_equal(found, numbers)
