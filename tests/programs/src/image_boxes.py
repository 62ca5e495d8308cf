"""Boxes with scores, glimpses, and random crops that keep an object in view."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(3)
RESULT = {}


def keep(name, *tensors):
    with tf.Session() as sess:
        RESULT[name] = [[t.shape.as_list(), np.asarray(sess.run(t))] for t in tensors]


corners = np.sort(rng.rand(2, 9, 1, 2, 2).astype(np.float32), axis=3) * 1.4 - 0.2
boxes = corners.reshape(2, 9, 1, 4)
scores = np.round(rng.rand(2, 9, 3), 2).astype(np.float32)
for i, more in enumerate(
    [{}, {"soft_nms_sigma": 0.5}, {"soft_nms_sigma": 0.1, "score_threshold": 0.2},
     {"iou_threshold": 0.1}, {"iou_threshold": 0.2, "soft_nms_sigma": 0.3}]
):  # fmt: skip
    for b in range(2):
        found = tf.image.non_max_suppression_with_scores(boxes[b, :, 0], scores[b, :, 0], 5, **more)
        keep(f"scores{i}{b}", *found)
for i, more in enumerate(
    [{}, {"score_threshold": 0.5}, {"pad_per_class": True},
     {"clip_boxes": False, "iou_threshold": 0.05}]
):  # fmt: skip
    keep(f"combined{i}", *tf.image.combined_non_max_suppression(boxes, scores, 2, 4, **more))
    own = np.repeat(boxes, 3, 2) + np.float32([0, 0.05, 0.3])[:, None]
    keep(f"classes{i}", *tf.image.combined_non_max_suppression(own, scores, 2, 20, **more))

pictures = np.arange(60, dtype=np.float32).reshape(2, 5, 6, 1)
for i, (offsets, centered, normalized) in enumerate(
    [([[0, 0], [0.2, -0.4]], True, True), ([[0, 0], [1, 1]], True, False),
     ([[0.4, 0.3], [0.5, 0.6]], False, True), ([[2, 2], [3, 4]], False, False)]
):  # fmt: skip
    keep(f"glimpse{i}", tf.image.extract_glimpse(pictures, [3, 2], offsets, centered, normalized))
damaged = np.where(pictures == 0, np.float32(np.nan), pictures)
keep("glimpse of NaN", tf.image.extract_glimpse(damaged, [3, 2], [[0.0, 0.0], [0.2, 0.2]]))
partly = tf.image.crop_and_resize(
    pictures, [[0.0, 0.0, 1.5, 1.0]], [0], [3, 2], extrapolation_value=np.nan
)
keep("crop with NaN outside", partly)
outer = tf.image.extract_glimpse(pictures, [3, 2], [[0.9, 0.9], [-0.9, -0.9]])
keep("corner", outer[0, :2], outer[1, 1:])
unknown = tf.placeholder(tf.float32, [None, None, 6, 3])
some = tf.image.extract_glimpse(unknown, [3, 2], tf.placeholder(tf.float32))
RESULT["glimpse shape"] = [some.shape.as_list(), tf.gradients(some, unknown) == [None]]

own = tf.constant([[[0.1, 0.2, 0.5, 0.9], [0.3, 0.3, 0.7, 0.6]]])
with tf.Session() as sess:
    for i, (image, more) in enumerate(
        [([40, 50, 3], {}), ([7, 9, 1], {}), ([300, 200, 3], {"area_range": (0.3, 0.8)}),
         ([64, 64, 3], {"min_object_covered": 0.9, "aspect_ratio_range": (0.5, 2.0),
                        "area_range": (0.3, 0.8), "max_attempts": 5}),
         ([3, 3, 3], {"min_object_covered": 1.0, "max_attempts": 2})]
    ):  # fmt: skip
        crop = tf.image.sample_distorted_bounding_box(image, own, seed=i, seed2=i + 5, **more)
        RESULT[f"crop{i}"] = [[v.tolist() for v in sess.run(list(crop))] for _ in range(6)]
none = tf.image.sample_distorted_bounding_box(
    [40, 50, 3], tf.zeros([1, 0, 4]), 9, use_image_if_no_bounding_boxes=True
)
keep("crop of all", *none)
for name, make in {
    "no boxes": lambda: tf.image.sample_distorted_bounding_box([4, 5, 3], tf.zeros([1, 0, 4]), 9),
    "outside": lambda: tf.image.sample_distorted_bounding_box([4, 5, 3], own + 1, 9),
    "total": lambda: tf.image.combined_non_max_suppression(boxes, scores, 2, 0),
    "classes": lambda: tf.image.combined_non_max_suppression(np.repeat(boxes, 2, 2), scores, 2, 4),
    "rank": lambda: tf.image.extract_glimpse(pictures[0], [3, 2], [[0.0, 0.0]]),
    "batch": lambda: tf.image.extract_glimpse(pictures, [3, 2], [[0.0, 0.0]]),
    "window": lambda: tf.image.extract_glimpse(pictures, [3, 2, 1], [[0.0, 0.0]] * 2),
}.items():
    with tf.Session() as sess:
        try:
            sess.run(tf.convert_to_tensor(make()[0]))
        except (ValueError, tf.errors.InvalidArgumentError) as e:
            RESULT[name] = type(e).__name__

# Boxes as alike as the threshold says, equal scores, scores of nought, boxes without area or with NaN.
unit, half, far, none = [0, 0, 1, 1], [0, 0, 1, 0.5], [2, 2, 3, 3], [0, 0, 0, 0]
corner_cases = [
    ([unit, half], [2, 1], 0.5), ([unit, half], [2, 1], 0.51), ([unit, unit], [2, 1], 1.0),
    ([unit, far], [2, 1], 0.0), ([unit, far, half, unit], [0, 0, 0, 0], 0.6),
    ([unit, none, far], [3, 2, 1], 0.5), ([unit, [0, 0, np.nan, 1]], [2, 1], 0.5),
    ([half, far, [5, 5, 6, 6], unit, [7, 7, 8, 8], [5, 0, 6, 1]], [1, 1, 2, 1, 1, 1], 0.4),
]  # fmt: skip
for i, (found, points, threshold) in enumerate(corner_cases):
    found, points = np.array(found, np.float32), np.array(points, np.float32)
    keep(f"chosen{i}", tf.image.non_max_suppression(found, points, 5, threshold))
    keep(
        f"chosen with scores{i}",
        *tf.image.non_max_suppression_with_scores(found, points, 5, threshold, soft_nms_sigma=0.2),
    )
    keep(
        f"chosen together{i}",
        *tf.image.combined_non_max_suppression(
            found[None, :, None], points[None, :, None], 5, 5, threshold
        ),
    )
