"""A continuous policy: a normal distribution, its log-probability and entropy."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(20)
s = tf.placeholder(tf.float32, [1, 2], "state")
a = tf.placeholder(tf.float32, None, "act")
td = tf.placeholder(tf.float32, None, "td_error")
init = tf.constant_initializer(0.2)
h = tf.layers.dense(s, 4, tf.nn.relu, kernel_initializer=init, name="l1")
mu = tf.layers.dense(h, 1, tf.nn.tanh, kernel_initializer=init, name="mu")
sigma = tf.layers.dense(h, 1, tf.nn.softplus, kernel_initializer=init, name="sigma")
mu, sigma = tf.squeeze(mu * 2), tf.squeeze(sigma + 0.1)
dist = tf.distributions.Normal(mu, sigma)
exp_v = dist.log_prob(a) * td + 0.01 * dist.entropy()
global_step = tf.Variable(0, trainable=False)
train = tf.train.AdamOptimizer(0.01).minimize(-exp_v, global_step)
RESULT = {"exp_v": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(10):
        feed = {s: rng.randn(1, 2), a: rng.randn(), td: rng.randn()}
        _, value = sess.run([train, exp_v], feed)
        RESULT["exp_v"].append(value)
    RESULT["step"] = sess.run(global_step)
    RESULT["mu"] = sess.run([mu, sigma], {s: [[0.1, 0.2]]})
