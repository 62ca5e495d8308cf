"""A mixture of normals as output of a network."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(46)
xs = rng.uniform(-1, 1, (20, 1)).astype("f")
ys = (np.sin(3 * xs) + 0.1 * rng.randn(20, 1)).astype("f")
x = tf.placeholder(tf.float32, [None, 1])
y = tf.placeholder(tf.float32, [None, 1])
K = 3
Wh = tf.Variable(rng.randn(1, 6).astype("f"))
bh = tf.Variable(tf.zeros([1, 6]))
Wo = tf.Variable(0.3 * rng.randn(6, 3 * K).astype("f"))
out = tf.matmul(tf.nn.tanh(tf.matmul(x, Wh) + bh), Wo)
out_pi, out_sigma, out_mu = tf.split(out, 3, 1)
out_pi = tf.exp(out_pi - tf.reduce_max(out_pi, 1, keep_dims=True))
out_pi = tf.multiply(tf.reciprocal(tf.reduce_sum(out_pi, 1, keep_dims=True)), out_pi)
out_sigma = tf.exp(out_sigma)
z = tf.multiply(tf.subtract(y, out_mu), tf.reciprocal(out_sigma))
normal = tf.multiply(tf.exp(-tf.square(z) / 2), tf.reciprocal(out_sigma)) / np.sqrt(2 * np.pi)
loss = tf.reduce_mean(-tf.log(tf.reduce_sum(tf.multiply(normal, out_pi), 1, keep_dims=True)))
train = tf.train.AdamOptimizer(0.02).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"loss": [sess.run([loss, train], {x: xs, y: ys})[0] for _ in range(20)]}
    RESULT["pi"] = sess.run(out_pi, {x: xs[:3]})
