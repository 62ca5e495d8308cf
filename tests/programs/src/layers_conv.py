"""Tf.layers: convolutions, pooling, dropout in training and not."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(1)
rng = np.random.RandomState(12)
images = rng.rand(10, 12, 12, 1).astype(np.float32)
labels = rng.randint(0, 4, 10)
x = tf.placeholder(tf.float32, [None, 12, 12, 1])
y = tf.placeholder(tf.int32, [None])
training = tf.placeholder(tf.bool)
h = tf.layers.conv2d(x, 6, 3, padding="same", activation=tf.nn.relu)
h = tf.layers.max_pooling2d(h, 2, 2)
h = tf.layers.conv2d(inputs=h, filters=8, kernel_size=[3, 3], strides=2, name="second")
h = tf.layers.average_pooling2d(h, 2, 1)
flat = tf.layers.flatten(h)
h = tf.layers.dropout(tf.layers.dense(flat, 10, tf.nn.relu), rate=0.4, training=training)
logits = tf.layers.dense(h, 4, name="logits")
loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
RESULT = {"names": [v.name for v in tf.trainable_variables()], "flat": flat.shape.as_list()}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {x: images, y: labels, training: False}
    RESULT["before"] = sess.run(loss, feed)
    for _ in range(6):
        sess.run(train, feed)
    RESULT["after"] = sess.run(loss, feed)
    RESULT["dropped"] = sess.run(loss, {x: images, y: labels, training: True})
