"""Pictures turned, cut, resized and recoloured."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(38)
pictures = tf.placeholder(tf.float32, [None, 6, 8, 3])
data = rng.rand(2, 6, 8, 3).astype(np.float32)
one = pictures[0]
outs = {
    "bilinear": tf.image.resize_images(pictures, [9, 5]),
    "nearest": tf.image.resize_images(pictures, [3, 4], tf.image.ResizeMethod.NEAREST_NEIGHBOR),
    "aligned": tf.image.resize_bilinear(pictures, [4, 4], align_corners=True),
    "crop": tf.image.crop_to_bounding_box(pictures, 1, 2, 3, 4),
    "pad": tf.image.pad_to_bounding_box(one, 1, 1, 9, 10),
    "fit": tf.image.resize_image_with_crop_or_pad(one, 4, 10),
    "central": tf.image.central_crop(one, 0.5),
    "flip": tf.image.flip_left_right(one),
    "turned": tf.image.rot90(one),
    "gray": tf.image.rgb_to_grayscale(one),
    "hsv": tf.image.rgb_to_hsv(one),
    "standard": tf.image.per_image_standardization(one),
    "contrast": tf.image.adjust_contrast(one, 1.5),
    "bright": tf.image.adjust_brightness(one, 0.2),
    "saturated": tf.image.adjust_saturation(one, 0.7),
    "hue": tf.image.adjust_hue(one, 0.1),
}
g = tf.gradients(tf.reduce_sum(tf.square(outs["bilinear"])), pictures)[0]
with tf.Session() as sess:
    RESULT = sess.run(outs, {pictures: data})
    RESULT["g"] = sess.run(g, {pictures: data})
