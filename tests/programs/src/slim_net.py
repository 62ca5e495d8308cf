"""Tf.contrib.slim with an argument scope and reuse."""

import numpy as np
import tensorflow as tf
import tensorflow.contrib.slim as slim

rng = np.random.RandomState(27)
x = tf.placeholder(tf.float32, [None, 8, 8, 2])


def net(inputs, reuse=None):
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_initializer=tf.constant_initializer(0.05),
        weights_regularizer=slim.l2_regularizer(0.01),
    ):
        h = slim.conv2d(inputs, 4, [3, 3], scope="c1", reuse=reuse)
        h = slim.max_pool2d(h, [2, 2], scope="p1")
        h = slim.flatten(h)
        return slim.fully_connected(h, 3, activation_fn=None, scope="out", reuse=reuse)


logits = net(x)
again = net(x * 2, reuse=True)
loss = tf.losses.softmax_cross_entropy(tf.one_hot([0, 1], 3), logits)
total = tf.losses.get_total_loss()
train = tf.train.AdamOptimizer(0.01).minimize(total)
data = rng.rand(2, 8, 8, 2)
RESULT = {"names": [v.name for v in slim.get_model_variables()]}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT["total"] = [sess.run([total, train], {x: data})[0] for _ in range(5)]
    RESULT["again"] = sess.run(again, {x: data})
