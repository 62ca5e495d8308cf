"""A decoder of transposed convolutions trained on pictures."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(4)
rng = np.random.RandomState(36)
pictures = rng.rand(6, 8, 8, 2).astype(np.float32)
z = tf.placeholder(tf.float32, [None, 5])
x = tf.placeholder(tf.float32, [None, 8, 8, 2])
h = tf.layers.dense(z, 2 * 2 * 6, activation=tf.nn.relu)
h = tf.reshape(h, [-1, 2, 2, 6])
h = tf.layers.conv2d_transpose(h, 4, 3, strides=2, padding="same", activation=tf.nn.relu)
k = tf.Variable(0.2 * rng.randn(3, 3, 2, 4).astype("f"))
h = tf.nn.conv2d_transpose(h, k, [tf.shape(z)[0], 8, 8, 2], [1, 2, 2, 1])
out = tf.nn.sigmoid(h)
loss = tf.reduce_mean(tf.square(out - x))
train = tf.train.AdamOptimizer(0.02).minimize(loss)
noise = rng.randn(6, 5)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"loss": [sess.run([loss, train], {z: noise, x: pictures})[0] for _ in range(8)]}
    RESULT["out"] = sess.run(out, {z: noise[:1]})[0, 0]
RESULT["names"] = [v.name for v in tf.trainable_variables()]
