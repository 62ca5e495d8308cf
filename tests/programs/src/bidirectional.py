"""A bidirectional net with dropout around its cells switched off."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(9)
tf.get_variable_scope().set_initializer(tf.random_uniform_initializer(-0.5, 0.5, seed=3))
data = np.random.RandomState(16).randn(4, 6, 3).astype(np.float32)
x = tf.placeholder(tf.float32, [None, None, 3])
lengths = tf.constant([6, 3, 1, 5])


def make():
    cell = tf.nn.rnn_cell.BasicRNNCell(4)
    return tf.nn.rnn_cell.DropoutWrapper(cell, output_keep_prob=1.0)


(fw, bw), last = tf.nn.bidirectional_dynamic_rnn(
    make(), make(), x, sequence_length=lengths, dtype=tf.float32
)
both = tf.concat([fw, bw], 2)
g = tf.gradients(tf.reduce_sum(both), x)[0]
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    a, b = sess.run([both, g], {x: data})
RESULT = {"both": a, "grad": b, "names": [v.name for v in tf.trainable_variables()]}
