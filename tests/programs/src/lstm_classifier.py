"""Sequences of different length through dynamic_rnn, classified by the last state."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(6)
tf.get_variable_scope().set_initializer(tf.random_uniform_initializer(-0.5, 0.5, seed=3))
rng = np.random.RandomState(14)
data = rng.randn(10, 7, 3).astype(np.float32)
lengths = rng.randint(2, 8, 10)
labels = (data[:, 0, 0] > 0).astype(np.int64)
x = tf.placeholder(tf.float32, [None, 7, 3])
n = tf.placeholder(tf.int32, [None])
y = tf.placeholder(tf.int64, [None])
cell = tf.contrib.rnn.LSTMCell(6, use_peepholes=True, state_is_tuple=True)
outputs, state = tf.nn.dynamic_rnn(cell, x, sequence_length=n, dtype=tf.float32)
logits = tf.layers.dense(state[1], 2)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.AdamOptimizer(0.03).minimize(loss)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {x: data, n: lengths, y: labels}
    RESULT = {"loss": [sess.run([loss, train], feed)[0] for _ in range(10)]}
    RESULT["outputs"] = sess.run(outputs, feed)[0]
    RESULT["accuracy"] = sess.run(accuracy, feed)
RESULT["names"] = [v.name for v in tf.trainable_variables()]
