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


KEYS = [3, 1, 2, 1, 0, -5, 3, 7]


@pytest.mark.parametrize(
    ("size", "want"),
    [(2, [[1, 1], [3, 3], [-5], [0], [2], [7]]), (3, [[-5], [0], [1, 1], [2], [3, 3], [7]])],
)
@pytest.mark.parametrize("computed", [False, True])
def test_windows_that_are_left_come_in_the_order_of_their_keys(size, want, computed):
    how = (
        {"window_size_func": lambda key: tf.constant(size, tf.int64)}
        if computed else {"window_size": size}
    )  # fmt: skip
    with tf.Graph().as_default():
        numbers = tf.data.Dataset.from_tensor_slices(np.array(KEYS, np.int64))
        windows = tf.data.experimental.group_by_window(
            lambda x: x, lambda key, window: window.batch(9), **how
        )
        assert batches(numbers.apply(windows)) == (want, None)


def test_a_window_has_one_size():
    for how in ({}, {"window_size": 2, "window_size_func": lambda key: 2}):
        with pytest.raises(ValueError, match="Must pass either window_size or window_size_func"):
            tf.data.experimental.group_by_window(lambda x: x, lambda key, window: window, **how)


def test_groups_are_reduced_in_the_order_of_their_keys():
    with tf.Graph().as_default():
        numbers = tf.data.Dataset.from_tensor_slices(np.array(KEYS, np.int64))
        reducer = tf.data.experimental.Reducer(
            lambda key: np.int64(0), lambda state, x: state * 10 + x, lambda state: state
        )
        groups = tf.data.experimental.group_by_reducer(lambda x: x, reducer)
        assert batches(numbers.apply(groups)) == ([-5, 0, 11, 2, 33, 7], None)


#: Lengths, options, and the batches of buckets below 3, below 5 and beyond.
BUCKETS = [
    ([1, 3, 2, 4, 4, 2], {}, [[[1, 0], [2, 2]], [[3, 3, 3, 0], [4] * 4], [[2, 2]], [[4] * 4]]),
    ([2, 2, 3, 3], {"pad_to_bucket_boundary": True},
     [[[2, 2], [2, 2]], [[3, 3, 3, 0], [3, 3, 3, 0]]]),
    ([2, 1, 4, 4], {"pad_to_bucket_boundary": True, "padding_values": -1},
     [[[2, 2], [1, -1]], [[4] * 4, [4] * 4]]),
    ([2, 2, 3, 3, 6, 6], {"no_padding": True}, [[[2] * 2] * 2, [[3] * 3] * 2, [[6] * 6] * 2]),
    ([1, 3, 2, 4, 4, 2], {"drop_remainder": True}, [[[1, 0], [2, 2]], [[3, 3, 3, 0], [4] * 4]]),
]  # fmt: skip


@pytest.mark.parametrize(("lengths", "options", "want"), BUCKETS)
def test_buckets(lengths, options, want):
    with tf.Graph().as_default():
        rows = tf.data.Dataset.from_tensor_slices(lengths).map(lambda n: tf.fill([n], n))
        buckets = tf.data.experimental.bucket_by_sequence_length(
            tf.size, [3, 5], [2, 2, 2], **options
        )
        assert batches(rows.apply(buckets)) == (want, None)


def test_rows_of_several_lengths_need_padding():
    with tf.Graph().as_default():
        rows = tf.data.Dataset.from_tensor_slices([1, 2]).map(lambda n: tf.fill([n], n))
        buckets = tf.data.experimental.bucket_by_sequence_length(
            tf.size, [3], [2, 2], no_padding=True
        )
        made, error = batches(rows.apply(buckets))
        assert made == []
        assert error  # InvalidArgumentError


@pytest.mark.parametrize(
    ("target", "want"), [([0.5, 0.5], [0, 0, 1, 1, 0, 1]), ([0.0, 1.0], [1, 1, 1])]
)
def test_shares_that_are_there_already_and_classes_that_nobody_wants(target, want):
    """All elements, and those of one class: the other way to draw was waited for, for ever."""
    with tf.Graph().as_default():
        classes = tf.data.Dataset.from_tensor_slices([0, 0, 1, 1, 0, 1])
        resampled = tf.data.experimental.rejection_resample(
            lambda x: x, np.float32(target), np.float32([0.5, 0.5]), seed=1
        )
        made, error = batches(classes.apply(resampled).map(lambda label, x: label))
        assert (made, error) == (want, None)
