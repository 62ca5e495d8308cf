"""Comparisons of `tf.test.TestCase`: each holds for the first arguments, not for the second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

CASES: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("assertLen", ([1, 2], 2), ([1, 2], 3)),
    ("assertEmpty", ({},), ([0],)),
    ("assertNotEmpty", ([0],), ((),)),
    ("assertBetween", (2, 1, 2), (3, 1, 2)),
    ("assertContainsSubset", ([1], [1, 2]), ([1, 3], [1, 2])),
    ("assertNoCommonElements", ([1], [2]), ([1, 2], [2])),
    ("assertSameElements", ([1, 2, 2], [2, 1]), ([1, 2], [1])),
    ("assertSequenceAlmostEqual", ([1.0], [1.0 + 1e-9]), ([1.0], [1.1])),
    ("assertSequenceStartsWith", ([1, 2], [1, 2, 3]), ([2], [1, 2, 3])),
    ("assertContainsInOrder", (["a", "c"], "abc"), (["c", "a"], "abc")),
    ("assertContainsSubsequence", ([1, 2, 3], [1, 3]), ([1, 2, 3], [3, 1])),
    ("assertTotallyOrdered", ([1], [2, 2], [3]), ([1], [3], [2])),
    ("assertRegexMatch", ("abc", ["x", "b."]), ("abc", ["x"])),
    ("assertEndsWith", ("abc", "bc"), ("abc", "ab")),
    ("assertNotStartsWith", ("abc", "b"), ("abc", "a")),
    ("assertNotEndsWith", ("abc", "b"), ("abc", "c")),
]


@pytest.mark.parametrize("i", range(len(CASES)))
def test_comparisons(i: int) -> None:
    name, holds, fails = CASES[i]
    compare = getattr(tf.test.TestCase(), name)
    compare(*holds)
    with pytest.raises(AssertionError):
        compare(*fails)


def test_signatures_of_functions_may_be_nested() -> None:
    spec = {"a": tf.TensorSpec([None], tf.float32), "b": [tf.TensorSpec([], tf.int64)]}

    @tf.function(input_signature=[spec, tf.TensorSpec([None], tf.float32)])
    def f(x: Any, y: Any) -> Any:
        assert x["b"][0].dtype is tf.int64
        return x["a"] * tf.cast(x["b"][0], tf.float32) + y

    with tf.Graph().as_default(), tf.Session() as s:
        y = f({"a": np.array([1, 2]), "b": [3]}, [0.5, 0.5])
        np.testing.assert_array_equal(s.run(y), [3.5, 6.5])
