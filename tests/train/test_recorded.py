"""Optimizers, rates, clipping and averages against what TensorFlow 1.15 computed."""

import numpy as np
import pytest
from train_oracle import FACTS, check

import graphc as tf

NAMES = [
    n for n in FACTS
    if n.startswith(("train/", "optimizer_", "decay_", "moving_average", "clip_by_"))
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_recorded(name: str) -> None:
    check(name)


def test_noise_of_a_decay_is_tensorflows() -> None:
    """The noise has no seed of its own, so its numbers depend on how many operations are before."""
    for more, rate in (
        ({}, 0.05434936), ({"initial_variance": 0.5}, 0.06774941),
        ({"num_periods": 0.7, "alpha": 0.1, "beta": 0.2, "variance_decay": 0.3}, 0.08424936),
    ):  # fmt: skip
        with tf.Graph().as_default() as graph, tf.Session() as sess:
            tf.set_random_seed(3)
            step = tf.train.get_or_create_global_step()
            before = graph._last_id
            y = tf.train.noisy_linear_cosine_decay(0.1, step, 5, **more)
            assert graph._last_id - before == 38
            sess.run(step.initializer)
            np.testing.assert_allclose(sess.run(y), rate, rtol=1e-5)
