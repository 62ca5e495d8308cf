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


BOXES = np.array([[0, 0, 1, 1], [2, 2, 3, 3], [0, 0, 1, 0.9]], np.float32)
SCORES = np.array([0.9, 0.8, 0.7], np.float32)


def unknown(x: Any) -> Any:
    return tf.placeholder_with_default(np.asarray(x, np.float32), None)


#: Operands that do not fit, whether their shapes are known before the run or not.
MISFITS = [
    (BOXES, [SCORES], 2, "Shape must be rank 1 but is rank 2", "scores must be 1-D[1,3]"),
    (BOXES[0], SCORES, 2, "Shape must be rank 2 but is rank 1", "boxes must be 2-D[4]"),
    (BOXES[:, :3], SCORES, 2, "Dimension must be 4 but is 3", "boxes must have 4 columns"),
    (BOXES, SCORES[:1], 2, "must be equal, but are 3 and 1", "scores has incompatible shape"),
    (BOXES[:1], SCORES, 2, "must be equal, but are 1 and 3", "scores has incompatible shape"),
    (BOXES, SCORES, [2], "must be rank 0 but is rank 1", "must be 0-D, got shape [1]"),
]


@pytest.mark.parametrize(("boxes", "scores", "count", "before", "within"), MISFITS)
def test_operands_that_do_not_fit(
    boxes: Any, scores: Any, count: Any, before: str, within: str
) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        with pytest.raises(ValueError, match=before):
            tf.image.non_max_suppression(boxes, scores, count)
        limit = tf.placeholder_with_default(np.array(count, np.int32), None)
        y = tf.image.non_max_suppression(unknown(boxes), unknown(scores), limit)
        with pytest.raises(tf.errors.InvalidArgumentError) as e:
            sess.run(y)
        assert within in str(e.value)


def test_overlaps_that_do_not_fit() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        wide = np.ones((2, 3), np.float32)
        with pytest.raises(ValueError, match="Dimensions must be equal, but are 2 and 3"):
            tf.image.non_max_suppression_overlaps(wide, SCORES[:2], 2)
        y = tf.image.non_max_suppression_overlaps(unknown(wide), unknown(SCORES[:2]), 2)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"overlaps must be square\[2,3\]"):
            sess.run(y)


@pytest.mark.parametrize(
    ("boxes", "scores", "total", "text"),
    [
        ((1, 2, 1, 4), (1, 3, 1), 2, "scores has incompatible shape"),
        ((1, 2, 1, 4), (2, 2, 1), 2, "boxes and scores must have same batch size"),
        ((1, 2, 2, 4), (1, 2, 3), 2, "third dimension of boxes must be either 1 or num classes"),
        ((1, 2, 1, 3), (1, 2, 1), 2, "boxes must have 4 columns"),
        ((1, 2, 1, 4), (1, 2, 1), 0, "max_total_size must be > 0"),
    ],
)
def test_operands_of_classes_that_do_not_fit(
    boxes: Any, scores: Any, total: int, text: str
) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        b, s = unknown(np.ones(boxes)), unknown(np.ones(scores))
        n = tf.placeholder_with_default(total, [])
        with pytest.raises(tf.errors.InvalidArgumentError, match=text):
            sess.run(tf.image.combined_non_max_suppression(b, s, 2, n))
        for count, pad in ((-1, False), (0, True)):
            with pytest.raises(ValueError, match="max_output_size_per_class must be"):
                tf.image.combined_non_max_suppression(b, s, count, 2, pad_per_class=pad)


def test_a_number_below_zero_means_all() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        image = tf.image
        assert sess.run(image.non_max_suppression(BOXES, SCORES, -1)).tolist() == [0, 1]
        assert sess.run(image.non_max_suppression_overlaps(np.eye(3), SCORES, -5)).tolist() == [
            0, 1, 2,
        ]  # fmt: skip
        padded = image.non_max_suppression_padded(BOXES, SCORES, tf.constant(-1) * 1)
        assert [x.tolist() for x in sess.run(padded)] == [[0, 1], 2]
        flat = image.non_max_suppression(BOXES * 0, SCORES, -1)  # never ends in TensorFlow
        full = image.non_max_suppression_padded(
            BOXES, SCORES, tf.constant(-1) * 1, pad_to_max_output_size=True
        )
        for y in (flat, full):
            with pytest.raises(tf.errors.InvalidArgumentError, match="must be >= 0, got -1"):
                sess.run(y)


@pytest.mark.parametrize("size", [[0, 2], [2, 0], [0, 0]])
@pytest.mark.parametrize("known", [True, False])
def test_crops_without_pixels(size: list[int], known: bool) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        given = size if known else tf.placeholder_with_default(np.array(size, np.int32), [2])
        y = tf.image.crop_and_resize(np.ones((1, 4, 4, 1), np.float32), BOXES[:1], [0], given)
        with pytest.raises(tf.errors.InvalidArgumentError, match="dimensions must be positive"):
            sess.run(y)
