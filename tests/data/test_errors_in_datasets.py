"""A run that fails at one element of a dataset: the next run goes on, as in TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc as tf

Made = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda d: d, [1.0, "error", 0.5, "error", 0.25]),
        (lambda d: d.batch(2), ["error", "error", [0.25]]),
        (lambda d: d.padded_batch(2, []), ["error", "error", [0.25]]),
        (lambda d: d.apply(tf.data.experimental.ignore_errors()).batch(2), [[1.0, 0.5], [0.25]]),
    ],
)
def test_the_next_run_goes_on(make: Made, expected: list[Any]) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        d = tf.data.Dataset.from_tensor_slices([1.0, 0.0, 2.0, 0.0, 4.0])
        d = d.map(lambda x: tf.check_numerics(1.0 / x, "bad"))
        assert elements(sess, make(d)) == expected


def elements(sess: tf.Session, dataset: Any) -> list[Any]:
    element = dataset.make_one_shot_iterator().get_next()
    got: list[Any] = []
    while True:
        try:
            got.append(sess.run(element).tolist())
        except tf.errors.OutOfRangeError:
            return got
        except tf.errors.InvalidArgumentError:
            got.append("error")


@pytest.mark.parametrize(
    ("given", "shape"), [([1, "a", 3], []), ([[1, 2], [3], [4, 5]], [2])], ids=["type", "shape"]
)
def test_a_generator_goes_on_behind_what_does_not_fit(given: list[Any], shape: list[int]) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        d = tf.data.Dataset.from_generator(lambda: iter(given), tf.int64, shape)
        assert elements(sess, d) == [given[0], "error", given[2]]


def test_a_row_longer_than_its_padded_shape() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        d = tf.data.Dataset.range(1, 5).map(lambda x: tf.fill([x], x)).padded_batch(4, [2])
        with pytest.raises(tf.errors.DataLossError, match="smaller size"):
            elements(sess, d)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, [0, 10, 1, 2, 3, 11, 12, 4]),
        ([0.3, 0.7], [0, 10, 1, 11, 2, 12, 13, 3]),
        ([0.2, 0.3, 0.5], [0, 20, 1, 10, 2, 21, 22, 11]),
    ],
)
def test_samples_come_from_the_datasets_that_tensorflow_draws(
    weights: list[float] | None, expected: list[int]
) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(3)
        parts = [tf.data.Dataset.range(10 * i, 10 * i + 9) for i in range(len(weights or "ab"))]
        d = tf.data.experimental.sample_from_datasets(parts, weights, seed=7)
        assert elements(sess, d.take(8)) == expected


def test_as_many_weights_as_datasets() -> None:
    with tf.Graph().as_default():
        parts = [tf.data.Dataset.range(3)] * 2
        with pytest.raises(ValueError, match="each of the 2 datasets"):
            tf.data.experimental.sample_from_datasets(parts, [0.5, 0.25, 0.25])
