"""Tf.contrib.layers: fully_connected, batch_norm, flatten, optimize_loss."""

import numpy as np
import tensorflow as tf
from tensorflow.contrib import layers

rng = np.random.RandomState(28)
data, target = rng.randn(12, 3, 2), rng.randn(12, 1)
x = tf.placeholder(tf.float32, [None, 3, 2])
y = tf.placeholder(tf.float32, [None, 1])
w = tf.constant_initializer(0.1)
h = layers.fully_connected(layers.flatten(x), 5, weights_initializer=w, scope="h1")
h = layers.batch_norm(h, is_training=True, decay=0.9, scope="bn", updates_collections=None)
out = layers.fully_connected(h, 1, activation_fn=None, weights_initializer=w)
loss = tf.reduce_mean(tf.square(out - y))
step = tf.contrib.framework.get_or_create_global_step()
train = layers.optimize_loss(
    loss, step, learning_rate=0.1, optimizer="SGD", clip_gradients=1.0, summaries=[]
)
RESULT = {"names": [v.name for v in tf.global_variables()]}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT["loss"] = [sess.run(train, {x: data, y: target}) for _ in range(5)]
    RESULT["step"] = sess.run(step)
