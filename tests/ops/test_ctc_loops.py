"""CTC's sums in native code are those of the plain formulas, and so are greedy paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import ctc

SHAPES = [(1, 1, 2), (2, 3, 4), (7, 2, 3), (9, 5, 8), (20, 4, 17), (33, 2, 40)]


def made(shape: tuple[int, int, int], scale: float) -> tuple[Any, Any, Any, Any]:
    steps, batch, classes = shape
    rng = np.random.default_rng(steps)
    x = (rng.normal(size=shape) * scale).astype(np.float32)
    lengths = rng.integers(0, steps + 1, batch).astype(np.int32)
    labels = [rng.integers(0, classes - 1, rng.integers(1, 6)) for _ in range(batch)]
    ids = [(b, i) for b, row in enumerate(labels) for i in range(len(row))]
    values = np.concatenate([*labels, []]).astype(np.int32)
    return x, np.array(ids, np.int64).reshape(-1, 2), values, lengths


@pytest.mark.parametrize("scale", [0.1, 3.0, 400.0, np.nan])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_loss(scale: float, threads: int) -> None:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        x, n = tf.placeholder(tf.float32, [None] * 3), tf.placeholder(tf.int32, [None])
        ids, values = tf.placeholder(tf.int64, [None, 2]), tf.placeholder(tf.int32, [None])
        labels = tf.SparseTensor(ids, values, [9, 9])
        found = []
        for merge in (True, False):
            loss = tf.nn.ctc_loss(labels, x, n, ctc_merge_repeated=merge,
                                  ignore_longer_outputs_than_inputs=True)  # fmt: skip
            found += [loss, tf.gradients(loss, x)[0]]
        for shape in SHAPES:
            given = made(shape, scale)
            got = sess.run(found, dict(zip((x, ids, values, n), given, strict=True)))
            want = [
                a for merge in (True, False)
                for a in ctc._loss(*given, collapse=False, merge=merge, ignore=True, strict=False,
                                   blank=-1)
            ]  # fmt: skip
            for a, e in zip(got, want, strict=True):
                np.testing.assert_allclose(a, e, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("merge", [True, False])
def test_greedy(merge: bool) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x, n = tf.placeholder(tf.float32, [None] * 3), tf.placeholder(tf.int32, [None])
        (path,), score = tf.nn.ctc_greedy_decoder(x, n, merge)
        for shape in SHAPES:
            logits, _, _, lengths = made(shape, 1.0)
            got, points = sess.run([path, score], {x: logits, n: lengths})
            rows = []
            for b, length in enumerate(lengths):
                best = logits[:length, b].argmax(-1).tolist()
                same = [merge and i > 0 and c == best[i - 1] for i, c in enumerate(best)]
                blank = shape[2] - 1
                rows.append([c for c, s in zip(best, same, strict=True) if c != blank and not s])
                total = -logits[:length, b].max(-1).sum(dtype=np.float64)
                np.testing.assert_allclose(points[b, 0], total, rtol=1e-5, atol=1e-6)
            ids = [[b, i] for b, row in enumerate(rows) for i in range(len(row))]
            assert got.indices.tolist() == ids
            assert got.values.tolist() == [c for row in rows for c in row]
            assert got.dense_shape.tolist() == [shape[1], max(map(len, rows))]


@pytest.mark.parametrize("decode", [tf.nn.ctc_greedy_decoder, tf.nn.ctc_beam_search_decoder])
def test_decoders_refuse_lengths_beyond_the_steps(decode: Any) -> None:
    """With TF 1.15's kind of error; the loss has another."""
    with tf.Graph().as_default(), tf.Session() as sess:
        path = decode(tf.zeros([3, 1, 4]), tf.constant([4]))[0][0]
        with pytest.raises(tf.errors.FailedPreconditionError, match=r"sequence_length\(0\) <= 3"):
            sess.run(path)
