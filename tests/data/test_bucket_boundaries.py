"""Batches padded to sizes that the run decides; values recorded from TensorFlow 1.15."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

SMALL = [[[1, 0], [1, 1]], [[1, 0], [1, 1]]]


def batches(dataset):
    n = dataset.make_one_shot_iterator().get_next()
    out = []
    with tf.Session() as s:
        try:
            while True:
                out.append(s.run(n).tolist())
        except tf.errors.OutOfRangeError:
            return out, None
        except tf.errors.InvalidArgumentError as e:
            return out, e.message.splitlines()[0]


@pytest.mark.parametrize(
    ("boundaries", "want", "last"),
    [
        (
            [3, 6],
            [SMALL[0], [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], SMALL[1],
             [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]],
            None,
        ),
        ([3, 5], [SMALL[0], [[1, 1, 1, 0], [1, 1, 1, 1]], SMALL[1], [[1, 1, 1, 0]]], "[2]"),
        ([3], [SMALL[0]], "[1]"),
    ],
)  # fmt: skip
def test_padded_to_the_boundary(boundaries, want, last):
    with tf.Graph().as_default():
        lengths = [1, 2, 3, 1, 4, 2, 3, 5]
        d = tf.data.Dataset.from_generator(lambda: ([1] * n for n in lengths), tf.int64, [None])
        bucket = tf.data.experimental.bucket_by_sequence_length(
            tf.size, boundaries, [2] * (len(boundaries) + 1), pad_to_bucket_boundary=True
        )
        got, error = batches(d.apply(bucket))
    assert got == want
    if last is None:
        assert error is None
    else:
        assert "elements must have length < max(bucket_boundaries).] [Condition" in error
        assert error.endswith(f"= ] {last}")


@pytest.mark.parametrize("form", ["vector", "scalar"])
def test_a_shape_that_is_fed(form):
    with tf.Graph().as_default():
        size = tf.placeholder(tf.int64, [])
        d = tf.data.Dataset.from_tensor_slices(np.array([1, 2, 3], np.int64)).map(
            lambda n: tf.fill([n], n)
        )
        shape = tf.stack([size]) if form == "vector" else [size]
        it = d.padded_batch(2, shape).make_initializable_iterator()
        n = it.get_next()
        with tf.Session() as s:
            for width, want in ((4, [[1, 0, 0, 0], [2, 2, 0, 0]]), (-1, [[1, 0], [2, 2]])):
                s.run(it.initializer, {size: width})
                assert s.run(n).tolist() == want
            s.run(it.initializer, {size: 1})
            with pytest.raises(tf.errors.DataLossError, match="pad to a smaller size"):
                s.run(n)
