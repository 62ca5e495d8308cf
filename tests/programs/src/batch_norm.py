"""Batch normalisation: training by a placeholder, moving averages through UPDATE_OPS."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(13)
data = (3 * rng.randn(24, 5) + 1).astype(np.float32)
target = rng.randn(24, 1).astype(np.float32)
x = tf.placeholder(tf.float32, [None, 5])
y = tf.placeholder(tf.float32, [None, 1])
is_training = tf.placeholder(tf.bool, name="is_training")
w = tf.constant_initializer(0.1)
h = tf.layers.dense(x, 4, kernel_initializer=w, use_bias=False)
h = tf.layers.batch_normalization(h, training=is_training, momentum=0.8)
h = tf.nn.tanh(h)
out = tf.layers.dense(h, 1, kernel_initializer=w)
loss = tf.losses.mean_squared_error(y, out)
update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
with tf.control_dependencies(update_ops):
    train = tf.train.AdamOptimizer(0.05).minimize(loss)
RESULT = {"names": [v.name for v in tf.global_variables()][:6], "updates": len(update_ops)}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT["loss"] = [
        sess.run([train, loss], {x: data, y: target, is_training: True})[1] for _ in range(6)
    ]
    RESULT["test"] = sess.run(loss, {x: data, y: target, is_training: False})
    RESULT["moving"] = sess.run(tf.global_variables()[3:5])
