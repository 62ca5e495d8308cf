"""Long bodies run in stages: the same numbers for every length, and only where it pays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm import stages

LENGTHS = [1, 15, 16, 17, 31, 32, 33, 80, 111, 112, 113, 160, 255, 1000]


def price(x: Any, y: Any) -> Any:
    d = (tf.log(x / y) + 0.3 * y) / tf.sqrt(y)
    e = d - tf.sqrt(y)
    return x * 0.5 * (1 + tf.tanh(d + 0.04 * d * d * d)) - y * tf.exp(-0.1 * x) * tf.sigmoid(e)


def gates(x: Any, y: Any) -> Any:
    c = tf.sigmoid(x) * y + tf.sigmoid(y) * tf.tanh(x - y)
    return tf.tanh(c) * tf.sigmoid(x * y)


BODIES: dict[str, Callable[[Any, Any], Any]] = {"price": price, "gates": gates}


@pytest.fixture
def cut_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[int]:
    """How many stages each body got that was compiled in the test."""
    from graphc.runtime.llvm import walk

    counts: list[int] = []

    def cut(body: Any, results: Any) -> Any:
        made = stages.cut(body, results)
        counts.append(made.count if made else 1)
        return made

    monkeypatch.setattr(walk, "cut", cut)
    return counts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BODIES)
def test_each_element_is_what_it_is_alone(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    xs, ys = rng.uniform(0.5, 2.0, (2, max(LENGTHS))).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = (tf.placeholder(dtype, [None]) for _ in range(2))
        z = BODIES[name](x, y)
        total = tf.reduce_sum(z)
        # one element at a time runs masked, which has no stages
        alone = np.concatenate(
            [sess.run(z, {x: xs[i : i + 1], y: ys[i : i + 1]}) for i in range(300)]
        )
        for n in LENGTHS:
            got, summed = sess.run([z, total], {x: xs[:n], y: ys[:n]})
            np.testing.assert_array_equal(got[:300], alone[:n])
            np.testing.assert_allclose(summed, np.sum(got.astype(np.float64)), rtol=1e-6)
            np.testing.assert_allclose(sess.run(total, {x: xs[:n], y: ys[:n]}), summed, rtol=1e-6)


def test_only_long_chains_have_stages(cut_counts: list[int]) -> None:
    number = np.random.default_rng().uniform(1, 2)  # a kernel that no cache has
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        values = np.ones(100, np.float32)
        sess.run(tf.exp(x * number), {x: values})
        assert max(cut_counts, default=1) == 1
        sess.run(price(x * number, x + number), {x: values})
        assert max(cut_counts) > 2
