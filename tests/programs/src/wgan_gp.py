"""Wasserstein loss with a gradient penalty: a gradient inside a loss."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(10)
w1, w2 = (0.5 * rng.randn(*s).astype(np.float32) for s in ((2, 6), (6, 1)))
W1, W2 = tf.Variable(w1), tf.Variable(w2)


def critic(x):
    return tf.matmul(tf.nn.elu(tf.matmul(x, W1)), W2)


real = tf.placeholder(tf.float32, [None, 2])
fake = tf.placeholder(tf.float32, [None, 2])
alpha = tf.placeholder(tf.float32, [None, 1])
between = real + alpha * (fake - real)
grad = tf.gradients(critic(between), [between])[0]
slopes = tf.sqrt(tf.reduce_sum(tf.square(grad), reduction_indices=[1]))
penalty = tf.reduce_mean((slopes - 1.0) ** 2)
loss = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(real)) + 10 * penalty
train = tf.train.AdamOptimizer(1e-2, beta1=0.5, beta2=0.9).minimize(loss)
RESULT = {"loss": [], "penalty": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(12):
        feed = {real: rng.randn(8, 2) + 1, fake: rng.randn(8, 2), alpha: rng.rand(8, 1)}
        _, a, b = sess.run([train, loss, penalty], feed)
        RESULT["loss"].append(a)
        RESULT["penalty"].append(b)
