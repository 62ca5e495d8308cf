"""Gradient ascent on an input, scaled by its mean size."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(24)
w = tf.constant(0.4 * rng.randn(3, 3, 1, 5).astype(np.float32))
t_input = tf.placeholder(np.float32, name="input", shape=[None, None, 1])
layer = tf.nn.conv2d(tf.expand_dims(t_input - 0.5, 0), w, [1, 1, 1, 1], "VALID")
t_score = tf.reduce_mean(tf.square(layer[:, :, :, 2]))
t_grad = tf.gradients(t_score, t_input)[0]
img = rng.uniform(size=(9, 11, 1)).astype(np.float32)
RESULT = {"score": []}
with tf.Session() as sess:
    for i in range(6):
        g, score = sess.run([t_grad, t_score], {t_input: img})
        img += g * (0.1 / (np.abs(g).mean() + 1e-7))
        RESULT["score"].append(score)
RESULT["img"] = img[:, :, 0]
