"""A denoising autoencoder with one matrix for both ways."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(7)
data = (rng.rand(40, 10) > 0.5).astype(np.float32)
x = tf.placeholder(tf.float32, [None, 10])
mask = tf.placeholder(tf.float32, [None, 10])
W = tf.Variable(0.3 * rng.randn(10, 6).astype(np.float32), name="W")
b = tf.Variable(tf.zeros([6]), name="b")
b_prime = tf.Variable(tf.zeros([10]), name="b_prime")
noisy = mask * x
Y = tf.nn.sigmoid(tf.matmul(noisy, W) + b)
Z = tf.nn.sigmoid(tf.matmul(Y, tf.transpose(W)) + b_prime)
cost = tf.reduce_sum(tf.pow(x - Z, 2))
train_op = tf.train.GradientDescentOptimizer(0.02).minimize(cost)
RESULT = {"cost": []}
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for i in range(12):
        keep = rng.binomial(1, 0.7, data.shape)
        sess.run(train_op, feed_dict={x: data, mask: keep})
        RESULT["cost"].append(sess.run(cost, {x: data, mask: np.ones_like(data)}))
    RESULT["W"] = W.eval()
