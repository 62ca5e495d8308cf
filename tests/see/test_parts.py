"""Runs in parts that are shown but not run: what the host makes has the sizes that it will have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

Program = Callable[[Any], Any]

#: Programs with something for the host in the middle → how many parts there are.
PROGRAMS: dict[str, tuple[Program, int]] = {
    "beside its operand": (lambda x: tf.Print(tf.tanh(x), [x]) + x, 2),
    "reduced": (lambda x: tf.Print(tf.reduce_sum(x, 0), [x]) + tf.constant([1.0, 2, 3, 4]), 2),
    "turned": (lambda x: tf.matmul(tf.Print(tf.transpose(x), [x]), x), 2),
    "unknown rank": (lambda x: tf.matmul(tf.Print(tf.reshape(x, tf.shape(x)[::-1]), [x]), x), 2),
    "twice": (lambda x: tf.Print(tf.Print(tf.exp(x), [x]) + 1.0, [x]) + x, 3),
    "numbers": (lambda x: tf.gather(x, tf.Print(tf.argmax(x, 0), [x])), 2),
    "known when it was recorded": (
        lambda x: tf.dynamic_stitch([[0, 2], [1]], [tf.Print(x, [x])[:2, 0], x[:1, 1]]) + 1.0,
        2,
    ),
    "a mask": (lambda x: tf.boolean_mask(x, tf.Print(x[:, 0] > 0, [x])), 3),
    "gradients": (lambda x: tf.gradients(tf.Print(tf.tanh(x), [x]) * x, x)[0], 2),
}


@pytest.mark.parametrize("fed", [6, 2, None])
@pytest.mark.parametrize("name", PROGRAMS)
def test_sizes(name: str, fed: int | None) -> None:
    make, parts = PROGRAMS[name]
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        y = make(x)
        text = tf.dump(y, None if fed is None else {x: np.ones((fed, 4), np.float32)}, stage="plan")
        assert text.count("# ==== part ") == parts, text


def test_what_cannot_be_guessed() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        y = tf.reshape(x, tf.Print(tf.stack([tf.size(x) // 2, 2]), [x]))
        with pytest.raises(tf.errors.InvalidArgumentError, match="guessed for what the host comp"):
            tf.dump(y, {x: np.ones((6, 4), np.float32)})
        with pytest.raises(tf.errors.InvalidArgumentError, match="guessed for x:0; pass a feed_d"):
            tf.dump(y)
        wrong = tf.reshape(x, [7, -1])
        with pytest.raises(tf.errors.InvalidArgumentError) as e:
            tf.dump(wrong, {x: np.ones((6, 4), np.float32)})
        assert "guessed" not in str(e.value)
