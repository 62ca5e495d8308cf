"""Gradients by hand: compute, clip by value and by norm, apply."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(25)
x = tf.placeholder(tf.float32, (None, 4))
w = tf.get_variable("w", initializer=3 * rng.randn(4, 2).astype(np.float32))
unused = tf.get_variable("unused", [2], initializer=tf.ones_initializer())
loss = tf.reduce_mean(tf.exp(tf.matmul(x, w) * 0.3))
opt = tf.train.MomentumOptimizer(0.1, 0.9)
pairs = opt.compute_gradients(loss)
capped = [(tf.clip_by_value(g, -0.5, 0.5), v) for g, v in pairs if g is not None]
capped = [(tf.clip_by_norm(g, 0.8), v) for g, v in capped]
train = opt.apply_gradients(capped)
RESULT = {"none": [g is None for g, _ in pairs], "loss": []}
data = rng.randn(20, 4)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(10):
        RESULT["loss"].append(sess.run([loss, train], {x: data})[0])
    RESULT["w"] = sess.run(w)
