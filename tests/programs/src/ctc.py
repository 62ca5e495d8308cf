"""Connectionist temporal classification: loss, gradient, greedy decoding."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(45)
logits = tf.placeholder(tf.float32, [None, None, 5])
labels = tf.sparse_placeholder(tf.int32)
lengths = tf.placeholder(tf.int32, [None])
loss = tf.nn.ctc_loss(labels, logits, lengths)
cost = tf.reduce_mean(loss)
g = tf.gradients(cost, logits)[0]
decoded, log_prob = tf.nn.ctc_greedy_decoder(logits, lengths)
distance = tf.reduce_mean(tf.edit_distance(tf.cast(decoded[0], tf.int32), labels))
target = tf.SparseTensorValue(
    np.array([[0, 0], [0, 1], [1, 0]], np.int64),
    np.array([1, 2, 3], np.int32),
    np.array([2, 2], np.int64),
)
with tf.Session() as sess:
    feed = {logits: rng.randn(6, 2, 5), labels: target, lengths: [6, 4]}
    a, b, c, d, e = sess.run([loss, g, decoded[0].values, log_prob, distance], feed)
RESULT = {"loss": a, "g": b, "decoded": c, "log_prob": d, "distance": e}
