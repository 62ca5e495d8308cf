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
    (([[0, 0], [1, 0], [2, 0], [2, 1], [2, 2]], [1, 1, 1, 3, 1], [3, 3], [5, 5, 4]),
     "label (index >= num_classes - 1) following a null label, batch: 2 num_classes: 4 labels: "
     "1,3,1 labels seen so far: 1"),
    (([[0, 0], [1, 0], [2, 0]], [1, -1, 1], [3, 3], [5, 5, 4]),
     "All labels must be nonnegative integers, batch: 1 labels: -1"),
    (([[0, 0], [1, 0], [2, 0], [2, 1]], [1, 1, 1, 3], [3, 3], [5, 5, 1]),
     "Not enough time for target transition sequence (required: 2, available: 1)"),
    (([[0, 0], [1, 0], [2, 0]], [1, 1, 1], [3, 3], [5, 6, 4]), "sequence_length(1) <= 5"),
    (([[0, 0], [1, 0], [2, 0], [2, 1]], [1, 1, 1, 0], [3, 3], [5, 5, 1]),
     "Not enough time for target transition sequence (required: 2, available: 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "text"), REFUSED, ids=[t[:30] for _, t in REFUSED])
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


#: What TensorFlow 1.15 gives for ``ctc([…])`` below.
FILLED_UP = {
    (0, 3, 3): 2.44487071, (0, 4): 2.44487071, (2, 3, 4): 1.90475678, (0, 0, 3): 4.49330616,
    (3, 3): 1.98934484,
}  # fmt: skip


def ctc(labels: Any, steps: int = 3, classes: int = 4, **more: Any) -> Any:
    at = np.array([[0, i] for i in range(len(labels))])
    x = np.linspace(-1, 1, steps * classes).reshape(steps, 1, classes).astype(np.float32)
    given = tf.SparseTensor(at, np.array(labels, np.int32), [1, len(labels)])
    return tf.nn.ctc_loss(given, tf.constant(x), [steps], **more)


def test_labels_filled_up_with_blanks() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        got = sess.run({k: ctc(k) for k in FILLED_UP})
        for labels, loss in FILLED_UP.items():
            np.testing.assert_allclose(got[labels], [loss], rtol=1e-6)
        # rows are as long as they are given: before repeated labels become one
        long = {"preprocess_collapse_repeated": True, "ignore_longer_outputs_than_inputs": True}
        assert sess.run([ctc([0, 0, 0, 0], **long), ctc([0, 3, 3, 3], **long)]) == [0, 0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="required: 4, available: 3"):
            sess.run(ctc([0, 0, 0, 0], preprocess_collapse_repeated=True))


def test_gradients_of_a_row_of_blanks() -> None:
    want = [
        [0.27488029, 0.32969037, -0.60457069], [0.27488029, 0.32969037, 0.11205466],
    ]  # fmt: skip
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.constant(np.linspace(-1, 1, 12).reshape(2, 2, 3).astype(np.float32))
        labels = tf.SparseTensor([[0, 0], [1, 0]], [2, 1], [2, 1])
        (g,) = tf.gradients(tf.nn.ctc_loss(labels, x, [2, 2]), x)
        np.testing.assert_allclose(sess.run(g)[:, 0], want, rtol=1e-6)


@pytest.mark.parametrize(("labels", "loss"), [([2, 1], 2.69963384), ([2, 3], 2.37131620)])
def test_the_blank_is_a_class_between_others(labels: list[int], loss: float) -> None:
    x = np.linspace(0, 1, 12).reshape(3, 1, 4).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        given = tf.SparseTensor([[0, 0], [0, 1]], labels, [1, 2])
        got = sess.run(tf.nn.ctc_loss_v2(given, x, [1], [3], blank_index=1))
        np.testing.assert_allclose(got, [loss], rtol=1e-6)
