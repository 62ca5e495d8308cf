"""Why a kernel runs on one thread, and what alters it."""

from typing import Any

import numpy as np
import pytest

import graphc as tf


def said(size: int, threads: int, build: Any) -> list[Any]:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        y = build(x)
        return tf.explain(y, y, {x: np.ones((size, 64), np.float32)}, session).because("thread")


def product(x: Any) -> Any:
    return tf.nn.relu(tf.matmul(x, tf.ones([64, 64])))


def wave(x: Any) -> Any:
    return tf.sin(x) * 2.0


@pytest.mark.parametrize("build", [product, wave])
def test_a_session_of_one_thread(build: Any) -> None:
    (reason,) = said(50_000, 1, build)
    assert "the session has one thread" in reason.text
    assert "intra_op_parallelism_threads=2" in reason.remedy
    assert not said(50_000, 2, build)


@pytest.mark.parametrize("build", [product, wave])
def test_too_little_work(build: Any) -> None:
    (reason,) = said(3, 2, build)
    assert "runs on one thread" in reason.text
    assert "session" not in reason.text
    assert reason.remedy
    assert not said(50_000, 2, build)


def test_what_is_said_is_what_is_bound() -> None:
    """From the number of units on that is named, the step may be shared."""
    from graphc.runtime import sharing

    rng = np.random.default_rng(0)
    for _ in range(200):
        units, grain = int(rng.integers(0, 50)), int(rng.integers(0, 20))
        word = sharing.alone(units, grain, 2)
        shared = grain > 0 and units >= 2 * grain  # as the walker has it
        assert shared == (not word)
