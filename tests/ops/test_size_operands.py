"""Operands of sizes with too many axes or too few: refused while recording, or in the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

#: A function of data and sizes, what is fed, and words of the message.
CASES: list[tuple[Callable[[Any, Any], Any], Any, Any, str]] = [
    (tf.reshape, np.ones(6), [[2], [3]], "must be rank 1 but is rank 2"),
    (tf.reshape, np.ones(6), 6, "must be rank 1 but is rank 0"),
    (tf.tile, np.ones(6), [[2]], "must be rank 1 but is rank 2"),
    (tf.tile, 3.0, 3, "must be rank 1 but is rank 0"),
    (tf.broadcast_to, np.ones(2), [[2, 2]], "must be rank 1 but is rank 2"),
    (tf.transpose, np.ones((2, 3)), [[1, 0]], "must be rank 1 but is rank 2"),
    (lambda x, n: tf.slice(x, n, n), np.ones(6), [[2]], "must be rank 1 but is rank 2"),
    (lambda x, n: tf.fill(n, x), 1.0, [[2]], "must be rank 1 but is rank 2"),
    (lambda x, n: tf.random_uniform(n) + x, 1.0, 3, "must be rank 1 but is rank 0"),
    (lambda x, n: tf.one_hot(tf.cast(x, tf.int32), n), [1.0], [3], "must be rank 0 but is rank 1"),
    (lambda x, n: tf.nn.top_k(x, n)[0], [1.0, 2.0], [1], "must be rank 0 but is rank 1"),
    (tf.expand_dims, [1.0, 2.0], [0, 1], "must be a tensor with a single value"),
    (tf.argmax, [[1.0, 2.0]], [0, 1], "must be rank 0 but is rank 1"),
    (tf.cumsum, [[1.0, 2.0]], [0, 1], "must be rank 0 but is rank 1"),
    (lambda x, n: tf.concat([x, x], n), [[1.0, 2.0]], [0, 1], "must be rank 0 but is rank 1"),
    (lambda x, n: tf.gather(x, [0], axis=n), [[1.0]], [0, 1], "must be rank 0 but is rank 1"),
    (tf.cumsum, [[1.0, 2.0]], [[0]], "must be at most rank 1 but is rank 2"),
    (lambda x, n: tf.roll(x, n, 0), [1.0, 2.0], [[1]], "must be at most rank 1 but is rank 2"),
    (lambda x, n: tf.range(n) + tf.cast(x, tf.int32), 1.0, [3], "must be rank 0 but is rank 1"),
    (tf.pad, np.ones((3, 2)), [[1, 1]], "must be rank 1 but is rank 2"),
    (lambda x, n: tf.unravel_index(n, tf.cast(x, tf.int32)), [[2.0]], [1], "must be rank 1 but is"),
    (lambda x, n: tf.scatter_nd(n, x, [4]), [1.0], [[1, 2]], "Must have updates.shape"),
]


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_rank(case: int, known: bool) -> None:
    f, data, sizes, words = CASES[case]
    fed = [np.asarray(data, np.float32), np.asarray(sizes, np.int32)]
    x, n = (tf.placeholder(v.dtype, v.shape if known else None) for v in fed)
    with tf.Session() as s, pytest.raises((ValueError, tf.errors.InvalidArgumentError)) as error:
        s.run(f(x, n), {x: fed[0], n: fed[1]})
    first = str(error.value).splitlines()[0]
    assert words in first
    assert not first.startswith("(")


#: What only constants tell.
CONSTANTS: list[tuple[Callable[[Any, Any], Any], Any, Any, str]] = [
    (tf.reduce_sum, [[1.0, 2.0]], [[0, 1]], "must be at most rank 1 but is rank 2"),
    (lambda x, n: tf.strided_slice(x, [0, 0], n), [[1.0, 2.0]], [[1, 1]], "must be rank 1 but is"),
]


@pytest.mark.parametrize("case", range(len(CASES) + len(CONSTANTS)))
def test_rank_of_a_constant(case: int) -> None:
    f, data, sizes, words = [*CASES, *CONSTANTS][case]
    x = tf.placeholder(tf.float32, np.shape(data))
    with pytest.raises(ValueError, match=words):
        f(x, np.asarray(sizes, np.int32))
    with pytest.raises(ValueError, match=words):
        f(x, sizes)


@pytest.mark.parametrize(
    "build",
    [
        lambda: tf.reshape(tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [2, 1])),
        lambda: tf.tile(tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [])),
        lambda: tf.dynamic_stitch(
            [tf.placeholder(tf.int32, [5])], [tf.placeholder(tf.float32, [1])]
        ),
        lambda: tf.sparse_segment_sum(
            tf.placeholder(tf.float32, [3, 2]), tf.placeholder(tf.int32, [1, 2]), [0, 0]
        ),
        lambda: tf.sparse_tensor_dense_matmul(
            tf.SparseTensor([[0, 0]], [1.0], [2, 2]), tf.placeholder(tf.float32, [None] * 3)
        ),
        lambda: tf.batch_to_space_nd(tf.placeholder(tf.float32, []), [2], [[0, 1]]),
        lambda: tf.nn.ctc_greedy_decoder(tf.placeholder(tf.float32, []), [1]),
    ],
)
def test_while_recording(build: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"rank|start with"):
        build()


def test_zeros_of_a_shape_of_unknown_rank() -> None:
    n = tf.placeholder(tf.int32)
    with tf.Session() as s:
        assert s.run(tf.zeros(n), {n: [[1, 2]]}).shape == (1, 2)
        assert s.run(tf.ones(n), {n: 3}).shape == (3,)


@pytest.mark.parametrize(
    ("sizes", "updates"),
    [
        ((3,), (2,)),
        ((3, 3, 3), (2,)),
        ((3, 3), (2, 3)),
        ((3,), (2, 3)),
        ((3, 3), (3,)),
        ((3, 3), (2, 4, 4)),
        ((3, 3), ()),
    ],
)
@pytest.mark.parametrize("shape", [None, [None, None]], ids=["any", "matrix"])
def test_updates_that_do_not_fit_index_vectors_of_unknown_length(
    sizes: tuple[int, ...], updates: tuple[int, ...], shape: Any
) -> None:
    at, x = tf.placeholder(tf.int32, shape), tf.placeholder(tf.float32)
    y = tf.scatter_nd(at, x, sizes)
    with tf.Session() as s:
        feed = {at: [[1, 2], [0, 1]], x: np.ones(updates)}
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"updates\.shape"):
            s.run(y, feed)


def test_index_vectors_of_any_length() -> None:
    at, x = tf.placeholder(tf.int32, [None, None]), tf.placeholder(tf.float32)
    y = tf.scatter_nd(at, x, [2, 3])
    back = tf.gather_nd(y, at)
    with tf.Session() as s:
        for vectors in ([[1, 2], [0, 0]], [[1], [0]]):
            rows = np.arange(1.0, 7)[: 2 if len(vectors[0]) == 2 else 6].reshape(2, -1).squeeze()
            want = np.zeros((2, 3))
            want[tuple(np.transpose(vectors))] = rows
            got, again = s.run([y, back], {at: vectors, x: rows})
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(again, rows)


def test_depthwise_convolution_without_filters() -> None:
    x, w = tf.placeholder(tf.float32, [2, 6, 3, 3]), tf.placeholder(tf.float32, [3, 2, 3, None])
    y = tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "VALID")
    with tf.Session() as s:
        got = s.run([y, *tf.gradients(y, [x, w])], {x: np.ones(x.shape), w: np.ones((3, 2, 3, 0))})
    assert [v.shape for v in got] == [(2, 4, 2, 0), (2, 6, 3, 3), (3, 2, 3, 0)]
    assert not got[1].any()
