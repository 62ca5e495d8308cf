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
        element = make(d).make_one_shot_iterator().get_next()
        got: list[Any] = []
        while True:
            try:
                got.append(sess.run(element).tolist())
            except tf.errors.OutOfRangeError:
                break
            except tf.errors.InvalidArgumentError:
                got.append("error")
    assert got == expected
