"""Python inside a graph, with a gradient of our own."""

import numpy as np
import tensorflow as tf


def clip_np(a):
    return np.minimum(a, 2.0).astype(np.float32)


x = tf.placeholder(tf.float32, [None])
y = tf.py_func(clip_np, [x], tf.float32)
y.set_shape(x.get_shape())
z = tf.stop_gradient(y) * x
g = tf.gradients(tf.reduce_sum(z), x)[0]
words = tf.py_func(lambda a: np.array(["n%d" % v for v in a], dtype=object), [x], tf.string)
with tf.Session() as sess:
    a, b, c = sess.run([z, g, words], {x: [1.0, 2.0, 3.0]})
RESULT = {"z": a, "g": b, "words": [w.decode() for w in c], "shape": y.shape.as_list()}
