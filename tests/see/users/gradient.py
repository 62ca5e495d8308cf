"""Gradients of one's own, in one file: for a function, and for a type of operation."""

import numpy as np

import graphc as tf


@tf.custom_gradient
def sharp(x):
    """The sign of x, whose gradient is that of x clipped to [-1, 1]."""

    def gradient(dy):
        return dy * tf.cast(tf.abs(x) <= 1.0, x.dtype)

    return tf.sign(x), gradient


@tf.RegisterGradient("Reversed")
def reversed_gradient(op, dy):
    return -dy


if __name__ == "__main__":
    x = tf.placeholder(tf.float32, [None], name="x")
    y = sharp(x * 1.0)
    slope = tf.gradients(y, x)[0]
    with tf.get_default_graph().gradient_override_map({"Identity": "Reversed"}):
        z = tf.identity(3.0 * x, name="z")
    back = tf.gradients(z, x)[0]
    with tf.Session() as sess:
        got, dx, turned = sess.run([y, slope, back], {x: [-2.0, -0.5, 0.5, 2.0]})
    np.testing.assert_array_equal(got, [-1, -1, 1, 1])
    np.testing.assert_array_equal(dx, [0, 1, 1, 0])
    np.testing.assert_array_equal(turned, [-3] * 4)
    print(tf.dump([y, slope], stage="pure"))
