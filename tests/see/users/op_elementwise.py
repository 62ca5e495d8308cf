"""An op on each element, in one file: meaning, gradient, native code."""

import numpy as np

import graphc as tf

softspike = tf.extend.elementwise(
    "softspike",
    doc="x * exp(-x * x) of each element.",
    numpy=lambda x: x * np.exp(-x * x),
    scalar=lambda k, x: x * k.exp(-(x * x)),
    grad=lambda y, dy, x: dy * (tf.exp(-x * x) - 2.0 * x * y),
)

if __name__ == "__main__":
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 2], initializer=tf.ones_initializer())
    y = softspike(tf.matmul(x, w), name="y")
    slope = tf.gradients(y, x)[0]
    curve = tf.gradients(slope, x)[0]  # gradients are graphs: they have gradients
    fed = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got, rise, bend = sess.run([y, slope, curve], {x: fed})
    s = fed.sum(axis=1, keepdims=True).astype(np.float64)
    np.testing.assert_allclose(got, np.repeat(s * np.exp(-s * s), 2, axis=1), rtol=1e-5)
    exact = 2 * np.exp(-s * s) * (1 - 2 * s * s)
    np.testing.assert_allclose(rise, np.repeat(exact, 3, axis=1), rtol=1e-4, atol=1e-6)
    exact = 2 * 3 * np.exp(-s * s) * (4 * s**3 - 6 * s)
    np.testing.assert_allclose(bend, np.repeat(exact, 3, axis=1), rtol=1e-4, atol=1e-5)
    print(y.op.name, y.op.type)
    print(tf.dump(y, {x: fed}, stage="kernels"))
