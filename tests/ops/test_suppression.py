"""Boxes chosen in native code are those of the plain loops, equal and odd scores included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import suppression


def made(n: int, odd: str) -> tuple[Any, Any]:
    rng = np.random.default_rng(n)
    middle, size = rng.random((n, 2)) * 50, rng.random((n, 2)) * 20
    boxes = np.concatenate([middle - size, middle + size], 1).astype(np.float32)
    scores = rng.random(n).astype(np.float32)
    if odd == "equal":
        scores = np.round(scores * 4) / 4
    if odd == "turned":
        boxes = boxes[:, [2, 1, 0, 3]]
    if odd == "flat":
        boxes[rng.random(n) < 0.2, 2:] = boxes[rng.random(n) < 0.2, :2].sum()
        boxes[::5, 2] = boxes[::5, 0]
    if odd == "nan":
        scores[rng.random(n) < 0.2] = np.nan
        boxes[rng.random(n) < 0.2, 1] = np.nan
        boxes[rng.random(n) < 0.1, 0] = np.inf
    return boxes, scores


SIZES = (0, 1, 2, 3, 15, 16, 17, 33, 100)


@pytest.mark.parametrize("odd", ["", "equal", "turned", "flat", "nan"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_best_boxes(odd: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        b, s = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32, [None])
        limit, least = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [])
        y = tf.image.non_max_suppression_with_scores(b, s, limit, 0.4, least)
        for n in SIZES:
            boxes, scores = made(n, odd)
            for most, low in ((0, 0.0), (1, -np.inf), (5, 0.2), (17, -np.inf), (500, 0.5)):
                got = sess.run(y, {b: boxes, s: scores, limit: most, least: low})
                want = suppression._suppress(
                    boxes, scores, most, np.float32(0.4), np.float32(low), matrix=False, pad=False,
                    sigma=0.0,
                )  # fmt: skip
                for a, e in zip(got, want[:2], strict=True):
                    assert np.array_equal(a, e)
                    assert a.dtype == e.dtype


def test_overlaps() -> None:
    rng = np.random.default_rng(1)
    with tf.Graph().as_default(), tf.Session() as sess:
        m, s = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [None])
        y = tf.image.non_max_suppression_overlaps(m, s, 9, 0.7)
        for n in (1, 4, 17, 40):
            like = rng.random((n, n)).astype(np.float32)
            np.fill_diagonal(like, 1)
            scores = rng.random(n).astype(np.float32)
            want = suppression._suppress(
                like, scores, 9, np.float32(0.7), np.float32(-np.inf), matrix=True, pad=False,
                sigma=0.0,
            )[0]  # fmt: skip
            assert np.array_equal(sess.run(y, {m: like, s: scores}), want)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_best_of_classes(own: bool, threads: int) -> None:
    rng = np.random.default_rng(2)
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        b, s = (tf.placeholder(tf.float32, [None] * r) for r in (4, 3))
        y = tf.image.combined_non_max_suppression(b, s, 7, 12, 0.4, 0.1)
        for batch, n, classes in ((1, 1, 1), (2, 17, 3), (3, 40, 5), (1, 100, 2)):
            kinds = classes if own else 1
            boxes = np.stack([made(n, "")[0] / 50 + rng.random() for _ in range(batch * kinds)])
            boxes = boxes.reshape(batch, kinds, n, 4).swapaxes(1, 2)
            scores = np.round(rng.random((batch, n, classes)) * 16).astype(np.float32) / 16
            got = sess.run(tuple(y), {b: boxes, s: scores})
            want = suppression._suppress_classes(
                boxes, scores, 7, 12, np.float32(0.4), np.float32(0.1), pad=False, clip=True
            )
            for a, e in zip(got, want, strict=True):
                assert np.array_equal(a, e)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("bad", "low", "want"),
    [  # TF 1.15
        ([0, 0, np.inf, 1], -np.inf, [0, 1, 2, 4, 1, 1, 1, 1, 1]),
        ([0, 0, np.inf, 1], 0.0, [0, 1, 2, 4]),
        ([0, 0, 1, np.nan], 0.0, [0, 1, 1, 1, 1, 1, 1, 1, 1]),
        ([np.nan, 0, 1, 1], 0.0, [0, 2, 4]),
    ],
)
def test_boxes_without_end(bad: list[float], low: float, want: list[int]) -> None:
    """A box whose area is no number is chosen once, or last, and not in the place of others."""
    boxes = [[0, 0, 1, 1], bad, [2, 2, 3, 3], [0, 0.05, 1, 1], [5, 5, 6, 6]]
    with tf.Graph().as_default(), tf.Session() as sess:
        y = tf.image.non_max_suppression(boxes, [0.9, 0.8, 0.7, 0.6, 0.3], 9, 0.5, low)
        assert sess.run(y).tolist() == want


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_crops_of_pictures_of_unknown_rank(method: str) -> None:
    pictures = np.arange(24.0).reshape(1, 4, 3, 2)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32)
        boxes, which = [[0.1, 0.2, 0.9, 1.2], [0.0, 0.0, 1.0, 1.0]], [0, 0]
        y = tf.image.crop_and_resize(x, boxes, which, [2, 3], method, -1.0)
        assert y.shape.as_list()[1:] == [2, 3, None]
        want = tf.image.crop_and_resize(pictures, boxes, which, [2, 3], method, -1.0)
        got, same = sess.run([y, want], {x: pictures})
        assert np.array_equal(got, same)
