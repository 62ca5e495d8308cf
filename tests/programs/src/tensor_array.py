"""A recurrent net written with a TensorArray and while_loop."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(32)
x = tf.placeholder(tf.float32, [None, 3, 2])
W = tf.Variable(0.5 * rng.randn(2, 4).astype("f"))
U = tf.Variable(0.5 * rng.randn(4, 4).astype("f"))
steps = tf.shape(x)[1]
inputs = tf.TensorArray(tf.float32, size=3).unstack(tf.transpose(x, [1, 0, 2]))
outputs = tf.TensorArray(tf.float32, size=steps)


def body(t, h, ta):
    h = tf.tanh(tf.matmul(inputs.read(t), W) + tf.matmul(h, U))
    return t + 1, h, ta.write(t, h)


start = (tf.constant(0), tf.zeros([tf.shape(x)[0], 4]), outputs)
_, last, ta = tf.while_loop(lambda t, h, ta: t < steps, body, start)
out = tf.transpose(ta.stack(), [1, 0, 2])
loss = tf.reduce_mean(tf.square(out - 0.2))
train = tf.train.GradientDescentOptimizer(0.3).minimize(loss)
data = rng.randn(5, 3, 2)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"loss": [sess.run([loss, train], {x: data})[0] for _ in range(8)]}
    RESULT["last"] = sess.run(last, {x: data})
