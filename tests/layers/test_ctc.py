"""CTC against sums over all paths, and what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops.ctc import beams, forward_backward

RNG = np.random.default_rng(7)


def spoken(path: Any, blank: int, merge: bool = True) -> tuple[int, ...]:
    """The labels of a path."""
    out = [c for i, c in enumerate(path) if not (merge and i and c == path[i - 1])]
    return tuple(c for c in out if c != blank)


def all_paths(x: Any) -> dict[tuple[int, ...], float]:
    """The probability of every label sequence."""
    steps, classes = x.shape
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    total: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(classes), repeat=steps):
        key = spoken(path, classes - 1)
        total[key] = total.get(key, 0.0) + float(np.prod(p[range(steps), path]))
    return total


@pytest.mark.parametrize("labels", [[], [0], [1, 1], [0, 1], [0, 1, 0]])
def test_loss_is_the_sum_over_paths(labels: list[int]) -> None:
    x = RNG.normal(size=(4, 1, 3))
    if len(labels) == 3:
        x = RNG.normal(size=(5, 1, 3))
    loss, gradient = forward_backward(x, [labels], np.array([len(x)]), 2, True)
    want = -np.log(all_paths(x[:, 0])[tuple(labels)])
    np.testing.assert_allclose(loss[0], want, rtol=1e-12)
    for at in np.ndindex(x.shape):
        e = 1e-6
        up, down = x.copy(), x.copy()
        up[at] += e
        down[at] -= e
        f = [forward_backward(z, [labels], np.array([len(x)]), 2, True)[0][0] for z in (up, down)]
        np.testing.assert_allclose(gradient[at], (f[0] - f[1]) / (2 * e), atol=1e-8)


def test_beams_find_the_best_sequences() -> None:
    x = RNG.normal(size=(5, 3)) * 2.0
    logs = x - np.log(np.exp(x).sum(-1, keepdims=True))
    want = sorted(all_paths(x).items(), key=lambda pair: -pair[1])
    got = beams(logs, 1000)
    assert [p for p, _ in got[:8]] == [p for p, _ in want[:8]]
    np.testing.assert_allclose([s for _, s in got[:8]], np.log([p for _, p in want[:8]]), rtol=1e-9)


REFUSED = [
    (([[0, 0]], [1], [3, 3], [5, 5, 4]), "Labels length is zero in batch 1"),
    (([[0, 0], [1, 0], [2, 0]], [1, 1, 3], [3, 3], [5, 5, 4]), "unknown class in batch 2: 3"),
    (([[0, 0], [1, 0], [2, 0]], [1, 1, 1], [3, 3], [5, 6, 4]), "sequence_length(1) <= 5"),
    (([[0, 0], [1, 0], [2, 0], [2, 1]], [1, 1, 1, 0], [3, 3], [5, 5, 1]),
     "Not enough time for target transition sequence (required: 2, available: 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "text"), REFUSED, ids=[t[:20] for _, t in REFUSED])
def test_refused(given: Any, text: str) -> None:
    indices, values, shape, lengths = given
    with tf.Graph().as_default(), tf.Session() as sess:
        labels = tf.SparseTensor(indices, values, shape)
        loss = tf.nn.ctc_loss(labels, np.zeros([5, 3, 4], np.float32), lengths)
        with pytest.raises(tf.errors.InvalidArgumentError) as e:
            sess.run(loss)
        assert text in str(e.value)
        with pytest.raises(TypeError, match="to be a SparseTensor"):
            tf.nn.ctc_loss(np.array([1]), np.zeros([5, 3, 4], np.float32), lengths)
