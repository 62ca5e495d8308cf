"""What an op does besides its result is done once in a run in parts, and not at all when fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf


def same(n: Any) -> Any:
    return tf.py_func(lambda x: x, [n], tf.int32)


def negative(n: Any) -> Any:
    return tf.py_func(lambda x: -x, [n], tf.int32)


READERS: dict[str, Callable[[Any], Any]] = {
    "py_func": same,
    "print": lambda n: tf.Print(n, [n]) + 0,
    "cond": lambda n: tf.cond(tf.equal(n % 2, 0), lambda: same(n), lambda: n),
    "both": lambda n: tf.cond(tf.equal(n % 2, 0), lambda: same(n), lambda: negative(n)),
}


@pytest.mark.parametrize("name", READERS)
def test_an_element_is_taken_once(name: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        queue = tf.FIFOQueue(9, [tf.int32])
        sess.run(queue.enqueue_many([list(range(6))]))
        y, size = READERS[name](queue.dequeue()), queue.size()
        for i in range(3):
            assert abs(sess.run(y)) == i
            assert sess.run(size) == 5 - i


@pytest.mark.parametrize("name", READERS)
def test_a_fed_result_takes_no_element(name: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        queue = tf.FIFOQueue(9, [tf.int32])
        sess.run(queue.enqueue_many([list(range(6))]))
        n = queue.dequeue()
        y, size = READERS[name](n), queue.size()
        for fed in (8, 10):
            assert sess.run(y, {n: fed}) == fed
        assert sess.run(size) == 6
        assert sess.run(y) == 0


def test_a_fed_random_number_draws_none() -> None:
    def first(feeding: bool) -> Any:
        with tf.Graph().as_default(), tf.Session() as sess:
            r = tf.random_uniform([2], seed=3)
            y = tf.py_func(lambda x: x + 1, [r], tf.float32)
            if feeding:
                sess.run(y, {r: [0.5, 0.25]})
            return sess.run(y)

    np.testing.assert_array_equal(first(True), first(False))
