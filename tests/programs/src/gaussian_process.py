"""Cholesky factors and solves, and the gradient through them."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(34)
xs = np.sort(rng.rand(8, 1), 0)
ys = np.sin(6 * xs)
x, y = tf.constant(xs), tf.constant(ys)
log_length = tf.Variable(np.float64(-1.0))
noise = 0.05
d = x - tf.transpose(x)
K = tf.exp(-0.5 * tf.square(d / tf.exp(log_length))) + noise * tf.eye(8, dtype=tf.float64)
L = tf.cholesky(K)
alpha = tf.cholesky_solve(L, y)
log_det = 2.0 * tf.reduce_sum(tf.log(tf.diag_part(L)))
nll = 0.5 * (tf.reduce_sum(y * alpha) + log_det)
train = tf.train.AdamOptimizer(0.1).minimize(nll)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"nll": [sess.run([nll, train])[0] for _ in range(10)]}
    RESULT["length"] = sess.run(tf.exp(log_length))
