"""Soft attention over steps, with a mask."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(43)
states = tf.placeholder(tf.float32, [None, None, 4])
query = tf.placeholder(tf.float32, [None, 3])
lengths = tf.placeholder(tf.int32, [None])
w = tf.Variable(rng.randn(3, 4).astype("f"))
scores = tf.squeeze(tf.matmul(states, tf.expand_dims(tf.matmul(query, w), 2)), 2)
mask = tf.sequence_mask(lengths, tf.shape(states)[1])
scores = tf.where(mask, scores, tf.fill(tf.shape(scores), -1e9))
weights = tf.nn.softmax(scores)
context = tf.reduce_sum(states * tf.expand_dims(weights, -1), 1)
g = tf.gradients(tf.reduce_sum(tf.square(context)), [w, states])
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {states: rng.randn(3, 5, 4), query: rng.randn(3, 3), lengths: [5, 2, 1]}
    a, b, (c, d) = sess.run([weights, context, g], feed)
RESULT = {"weights": a, "context": b, "w": c, "states": d}
