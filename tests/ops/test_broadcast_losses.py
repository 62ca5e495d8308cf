"""Labels and logits of other shapes; groups of `maxout`: values of TensorFlow 1.15."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.errors import InvalidArgumentError


def _counted(shape: list[int], step: float) -> Any:
    return (np.arange(np.prod(shape)).reshape(shape) * step).astype(np.float32)


@pytest.mark.parametrize(
    ("labels", "logits", "loss"),
    [
        ([2, 8], [2, 1], [5.8224363, 19.130863]),
        ([2, 1], [2, 8], [0.0, 1.8441005]),
        ([1, 3], [2, 3], [0.27851707, 0.27851704]),
        ([3], [2, 3], [0.27851707, 0.27851704]),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_cross_entropy(labels: Any, logits: Any, loss: Any, known: bool) -> None:
    fed = [_counted(labels, 0.1), _counted(logits, 0.3)]
    z, x = (tf.placeholder(tf.float32, v.shape if known else None) for v in fed)
    y = tf.nn.softmax_cross_entropy_with_logits_v2(labels=z, logits=x)
    with tf.Session() as s:
        got = s.run(y, {z: fed[0], x: fed[1]})
    np.testing.assert_allclose(got, loss, rtol=2e-6)


@pytest.mark.parametrize(("labels", "logits"), [([2, 3], [1, 3]), ([2, 3], [3])])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_no_loss_for_some_labels(labels: Any, logits: Any, known: bool) -> None:
    fed = [_counted(labels, 0.1), _counted(logits, 0.3)]
    z, x = (tf.placeholder(tf.float32, v.shape if known else None) for v in fed)
    with (
        tf.Session() as s,
        pytest.raises((ValueError, InvalidArgumentError), match=r"labels of shape \[2,3\]"),
    ):
        s.run(tf.nn.softmax_cross_entropy_with_logits(labels=z, logits=x), {z: fed[0], x: fed[1]})


@pytest.mark.parametrize(
    ("axis", "units", "want"),
    [
        (0, 2, [2, 5, 6, 4, 6, 3, 6, 2]),
        (-3, 1, [5, 6, 6, 6]),
        (2, 1, [3, 6, 4, 6, 5, 6]),
    ],
)
def test_maxout(axis: int, units: int, want: list[int]) -> None:
    x = np.arange(24.0).reshape(6, 1, 4) % 7
    with tf.Session() as s:
        got = s.run(tf.contrib.layers.maxout(tf.constant(x), units, axis))
    np.testing.assert_array_equal(got.reshape(-1), want)
