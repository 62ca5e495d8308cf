"""Pictures whose rank or channels only a run knows, as `py_func` and `decode_image` give them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

PICTURE = np.random.RandomState(1).rand(2, 3, 4).astype(np.float32)
COLOURS = PICTURE[..., :3]

#: The function, a picture, the static shape of the result in TensorFlow 1.15 for an unknown rank.
CASES: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "up_down": (tf.image.flip_up_down, PICTURE, [None] * 3),
    "left_right": (tf.image.flip_left_right, PICTURE, [None] * 3),
    "random": (lambda x: tf.image.random_flip_up_down(x, seed=1), PICTURE, [None] * 3),
    "transpose": (tf.image.transpose_image, PICTURE, [None] * 3),
    "rot90": (tf.image.rot90, PICTURE, [None] * 3),
    "crop": (lambda x: tf.image.crop_to_bounding_box(x, 0, 1, 1, 1), PICTURE, [1, 1, None]),
    "pad": (lambda x: tf.image.pad_to_bounding_box(x, 1, 1, 5, 6), PICTURE, [5, 6, None]),
    "fit": (lambda x: tf.image.resize_image_with_crop_or_pad(x, 2, 2), PICTURE, [2, 2, None]),
    "gray": (tf.image.rgb_to_grayscale, COLOURS, None),
    "rgb": (tf.image.grayscale_to_rgb, PICTURE[..., :1], None),
    "hsv": (tf.image.rgb_to_hsv, COLOURS, None),
    "back": (tf.image.hsv_to_rgb, COLOURS, None),
    "saturation": (lambda x: tf.image.adjust_saturation(x, 0.4), COLOURS, None),
    "hue": (lambda x: tf.image.adjust_hue(x, 0.4), COLOURS, None),
    "sobel": (tf.image.sobel_edges, PICTURE[None], [None] * 4 + [2]),
    "glimpse": (
        lambda x: tf.image.extract_glimpse(x, [2, 2], [[0.0, 0.0]]), PICTURE[None], [1, 2, 2, None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_known_shapes(name: str) -> None:
    f, picture, static = CASES[name]
    found = []
    for shape in (picture.shape, None):
        with tf.Graph().as_default(), tf.Session() as sess:
            x = tf.placeholder(tf.float32, shape)
            y = f(x)
            if shape is None:
                assert y.shape.ndims is None if static is None else y.shape.as_list() == static
            found.append(sess.run(y, {x: picture}))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [None, [None] * 3])
@pytest.mark.parametrize("name", ["gray", "rgb", "hsv", "back", "saturation", "hue"])
def test_other_numbers_of_channels_are_refused(name: str, shape: Any) -> None:
    """Three of four channels were taken, and one for all three."""
    x = tf.placeholder(tf.float32, shape)
    y = CASES[name][0](x)
    with tf.Session() as sess:
        for channels in {1, 2, 4} - {CASES[name][1].shape[-1]}:
            with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError)):
                sess.run(y, {x: np.zeros((2, 2, channels))})


def test_a_batch_is_no_picture() -> None:
    x = tf.placeholder(tf.float32)
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
        sess.run(tf.image.flip_up_down(x), {x: PICTURE[None]})
