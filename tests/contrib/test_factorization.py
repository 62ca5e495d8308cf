"""k-means in parts against numpy, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

factorization: Any = tf.contrib.factorization


def moved(x: Any, centres: Any, counts: Any, fixed: Any) -> Any:
    """Centres after a batch, each the mean of all its points so far."""
    centres, counts = centres.astype(np.float64).copy(), counts.copy()
    near = np.square(x[:, None] - fixed[None]).sum(2).argmin(1)
    for c in np.unique(near):
        mine = x[near == c]
        centres[c] += (mine.sum(0) - len(mine) * centres[c]) / (counts[c] + len(mine))
        counts[c] += len(mine)
    return centres, counts


@pytest.mark.parametrize("period", [1, 2])
def test_batches(period: int) -> None:
    x = np.random.RandomState(1).randn(60, 2).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        p = tf.placeholder(tf.float32, [None, 2])
        k = factorization.KMeans(
            p, 3, x[:3], use_mini_batch=True, mini_batch_steps_per_iteration=period
        )
        *_, ready, init, train = k.training_graph()
        s.run(tf.global_variables_initializer())
        s.run(init, {p: x})
        assert s.run(ready)
        centres, counts = x[:3], np.full(3, 1 if period == 1 else 0)
        fixed, left = centres, period
        for i in range(6):
            batch = x[10 * i : 10 * i + 10]
            s.run(train, {p: batch})
            compared = centres if period == 1 else fixed  # a run reads at its beginning
            if period > 1 and left <= 0:
                fixed, counts, left = centres, np.zeros(3, int), period - 1
            else:
                left -= 1
            centres, counts = moved(batch, centres, counts, compared)
        name = "clusters:0" if period == 1 else "clusters_updated:0"
        np.testing.assert_allclose(s.run(name), centres, rtol=1e-5)


def test_refusals() -> None:
    for cls in (lambda **k: factorization.KMeans(tf.zeros([2, 2]), 2, **k),
                lambda **k: factorization.KMeansClustering(2, **k)):  # fmt: skip
        with pytest.raises(ValueError, match="Unsupported initialization algorithm 'first'"):
            cls(initial_clusters="first")
        with pytest.raises(ValueError, match="Unsupported distance metric 'taxi'"):
            cls(distance_metric="taxi")
    with tf.Graph().as_default(), tf.Session() as s:
        k = factorization.KMeans(tf.zeros([2, 3]), 4, factorization.KMEANS_PLUS_PLUS_INIT)
        init = k.training_graph()[4]
        s.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"points\.rows >= num_to_sample"):
            s.run(init)
