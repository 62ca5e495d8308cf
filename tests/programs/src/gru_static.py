"""An unrolled GRU on a list of steps, two layers."""

import numpy as np
import tensorflow as tf
from tensorflow.contrib import rnn

tf.set_random_seed(8)
tf.get_variable_scope().set_initializer(tf.random_uniform_initializer(-0.5, 0.5, seed=3))
data = np.random.RandomState(15).randn(5, 4, 3).astype(np.float32)
x = tf.placeholder(tf.float32, [None, 4, 3])
steps = tf.unstack(x, 4, 1)
cell = rnn.MultiRNNCell([rnn.GRUCell(5), rnn.GRUCell(4)])
outputs, states = rnn.static_rnn(cell, steps, dtype=tf.float32)
loss = tf.reduce_sum(tf.square(outputs[-1] - 0.3))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"loss": [sess.run([loss, train], {x: data})[0] for _ in range(8)]}
    RESULT["last"] = sess.run(states[1], {x: data})
RESULT["names"] = [v.name for v in tf.trainable_variables()]
