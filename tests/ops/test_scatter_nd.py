"""`scatter_nd`: sums at index vectors, native whatever is known of the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.reference import evaluate

#: Shape of the result, axes of an index vector, shape of the vectors.
CASES = [((50, 16), 1, (200,)), ((5, 6, 7), 2, (3, 40)), ((9, 4), 2, (77,)), ((5,), 1, (0,)),
         ((3, 4, 5), 3, ())]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("known", ["all", "ranks", "not the shape"])
def test_sums_are_numpys(case: Any, known: str) -> None:
    shape, depth, many = case
    rng = np.random.default_rng(depth)
    indices = np.stack([rng.integers(0, n, many) for n in shape[:depth]], -1).astype(np.int32)
    for dtype in ("float32", "int64"):
        updates = rng.integers(-9, 9, (*many, *shape[depth:])).astype(dtype)
        want = np.zeros(shape, dtype)
        np.add.at(want, tuple(np.moveaxis(indices, -1, 0)), updates)
        sizes = [a.shape if known == "all" else [None] * a.ndim for a in (indices, updates)]
        with tf.Graph().as_default(), tf.Session() as s:
            i, u = tf.placeholder("int32", sizes[0]), tf.placeholder(dtype, sizes[1])
            feed: dict[Any, Any] = {i: indices, u: updates}
            to: Any = list(shape)
            if known == "not the shape":
                to = tf.placeholder("int32", [len(shape)])
                feed[to] = shape
            np.testing.assert_array_equal(s.run(tf.scatter_nd(i, u, to), feed), want)


@pytest.mark.parametrize("known", [True, False])
def test_a_vector_of_no_axes_names_nothing(known: bool) -> None:
    i = tf.placeholder("int32", [2, 0] if known else [None, None])
    u = tf.placeholder("float32", [None, 4, 3])
    y, feed = tf.scatter_nd(i, u, [4, 3]), {i: np.zeros((2, 0)), u: np.ones((2, 4, 3))}
    with tf.Session() as s, pytest.raises(tf.errors.InvalidArgumentError, match="empty output"):
        s.run(y, feed)
    with pytest.raises(tf.errors.InvalidArgumentError, match="empty output"):
        evaluate([y], feed)


def test_an_index_beyond_the_shape_is_named() -> None:
    i, u = tf.placeholder("int32", [None, 2]), tf.placeholder("float32", [None])
    y = tf.scatter_nd(i, u, [3, 4])
    text = r"indices\[1\] = \[2, 4\] does not index into shape \[3,4\]"
    with tf.Session() as s, pytest.raises(tf.errors.InvalidArgumentError, match=text):
        s.run(y, {i: [[0, 1], [2, 4]], u: [1, 2]})
