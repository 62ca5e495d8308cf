"""Sets of sparse tensors: values of TensorFlow 1.15."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf


def sparse(indices: Any, values: Any, shape: Any) -> Any:
    at = np.array(indices, np.int64).reshape(-1, len(shape))
    return tf.SparseTensor(at, values, np.array(shape, np.int64))


A = ([[0, 0], [0, 1], [1, 0], [3, 2], [3, 5]], [1, 2, 3, 3, 4], [4, 6])
B = ([[0, 0], [1, 0], [1, 1], [2, 0], [3, 0]], [2, 5, 3, 9, 4], [4, 3])
DENSE = [[1, 2], [3, 3], [9, 9], [4, 5]]
#: Each row's sets of A and B, A and DENSE, DENSE and B.
RESULTS: dict[str, list[dict[int, list[int]]]] = {
    "intersection": [
        {0: [2], 1: [3], 3: [4]}, {0: [1, 2], 1: [3], 3: [4]}, {0: [2], 1: [3], 2: [9], 3: [4]},
    ],
    "union": [
        {0: [1, 2], 1: [3, 5], 2: [9], 3: [3, 4]}, {0: [1, 2], 1: [3], 2: [9], 3: [3, 4, 5]},
        {0: [1, 2], 1: [3, 5], 2: [9], 3: [4, 5]},
    ],
    "difference": [{0: [1], 3: [3]}, {3: [3]}, {0: [1], 3: [5]}],
    "b-a": [{1: [5], 2: [9]}, {2: [9], 3: [5]}, {1: [5]}],
}  # fmt: skip


@pytest.mark.parametrize("kind", RESULTS)
@pytest.mark.parametrize("pair", range(3))
def test_sets(kind: str, pair: int) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.constant(DENSE) if pair == 2 else sparse(*A)
        b = tf.constant(DENSE) if pair == 1 else sparse(*B)
        if kind == "b-a":
            made = tf.sets.set_difference(a, b, aminusb=False)
        else:
            made = getattr(tf.sets, kind)(a, b)
        assert made.get_shape().ndims == 2
        got = sess.run(made)
        want = RESULTS[kind][pair]
        rows = [[r, i] for r, row in want.items() for i in range(len(row))]
        assert got.indices.tolist() == rows
        assert got.values.tolist() == [v for row in want.values() for v in row]
        assert got.dense_shape.tolist() == [4, max(map(len, want.values()))]


def test_sizes_strings_and_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        assert sess.run(tf.sets.set_size(sparse(*A))).tolist() == [2, 1, 0, 2]
        twice = sparse([[0, 0], [0, 1], [0, 2]], [1, 1, 2], [2, 3])
        assert sess.run(tf.sets.set_size(twice)).tolist() == [2, 0]
        one, more = (
            sparse([[0, 0]], ["x"], [2, 2]), sparse([[0, 0], [1, 0]], ["x", "b"], [2, 2])
        )  # fmt: skip
        got = sess.run(tf.sets.set_union(one, more))
        assert got.values.tolist() == [b"x", b"b"]
        empty = sparse([], np.zeros(0, np.int32), [2, 2, 4])
        got = sess.run(tf.sets.set_union(empty, sparse([[0, 1, 2]], [7], [2, 2, 4])))
        assert [x.tolist() for x in got] == [[[0, 1, 0]], [7], [2, 2, 1]]


OK = ([[0, 0]], [1], [2, 2])


@pytest.mark.parametrize(
    ("a", "b", "error", "text"),
    [
        (([[1, 0], [0, 0]], [1, 2], [2, 2]), OK, tf.errors.InvalidArgumentError,
         r"indices\[1\] = \[0,0\] is out of order"),
        (([[0, 5]], [1], [2, 2]), OK, tf.errors.InvalidArgumentError, "is out of bounds"),
        (([[0, 0]], [1], [3, 2]), OK, tf.errors.InvalidArgumentError,
         r"Mismatched shapes \[3\] vs \[2\]"),
        (([[0, 0, 0]], [1], [2, 2, 2]), OK, ValueError, "Dimension must be 3 but is 2"),
        (([[0, 0]], [1.5], [2, 2]), OK, TypeError, "'a' invalid dtype"),
        (([[0, 0]], np.array([1]), [2, 2]), OK, TypeError, "Types don't match"),
    ],
)  # fmt: skip
def test_refused(a: Any, b: Any, error: type[Exception], text: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        with pytest.raises(error, match=text):
            sess.run(tf.sets.set_union(sparse(*a), sparse(*b)))
