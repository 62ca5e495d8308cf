"""Encoder and decoder with sigmoids, RMSProp."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(6)
data = rng.rand(50, 12).astype(np.float32)


def layer(x, n_in, n_out, seed):
    w = tf.Variable(0.4 * np.random.RandomState(seed).randn(n_in, n_out).astype(np.float32))
    return tf.nn.sigmoid(tf.matmul(x, w) + tf.Variable(tf.zeros([n_out])))


X = tf.placeholder("float", [None, 12])
code = layer(layer(X, 12, 8, 1), 8, 3, 2)
y_pred = layer(layer(code, 3, 8, 3), 8, 12, 4)
cost = tf.reduce_mean(tf.pow(X - y_pred, 2))
optimizer = tf.train.RMSPropOptimizer(0.02).minimize(cost)
costs = []
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for i in range(25):
        _, c = sess.run([optimizer, cost], feed_dict={X: data[: 30 + i % 3]})
        costs.append(c)
    RESULT = {"costs": costs, "code": sess.run(code, {X: data[:4]})}
