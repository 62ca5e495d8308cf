"""A character model: one-hot letters, BasicLSTMCell, state fed back between runs."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(5)
tf.get_variable_scope().set_initializer(tf.random_uniform_initializer(-0.5, 0.5, seed=3))
text = "hello world, hello there " * 8
chars = sorted(set(text))
ids = np.array([chars.index(c) for c in text])
vocab, hidden, batch, steps = len(chars), 12, 4, 6
inputs = tf.placeholder(tf.int32, [None, None])
targets = tf.placeholder(tf.int32, [None, None])
cell = tf.nn.rnn_cell.BasicLSTMCell(hidden)
state = cell.zero_state(tf.shape(inputs)[0], tf.float32)
outputs, last = tf.nn.dynamic_rnn(cell, tf.one_hot(inputs, vocab), initial_state=state)
W = tf.get_variable("W", [hidden, vocab])
logits = tf.reshape(tf.matmul(tf.reshape(outputs, [-1, hidden]), W), [batch, -1, vocab])
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=targets))
train = tf.train.AdamOptimizer(0.05).minimize(loss)
RESULT = {"names": [v.name for v in tf.trainable_variables()], "loss": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    now = None
    for i in range(8):
        at = ids[i * 24 : i * 24 + 25]
        feed = {inputs: at[:-1].reshape(batch, steps), targets: at[1:].reshape(batch, steps)}
        if now is not None:
            feed[state] = now
        _, value, now = sess.run([train, loss, last], feed)
        RESULT["loss"].append(value)
    RESULT["state"] = now.h
