"""Conway's game by a convolution."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(39)
board = tf.placeholder(tf.int32, [None, None])
kernel = tf.constant([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=tf.float32)
cells = tf.cast(board, tf.float32)[tf.newaxis, :, :, tf.newaxis]
around = tf.nn.conv2d(cells, kernel[:, :, None, None], strides=[1, 1, 1, 1], padding="SAME")
n = tf.cast(tf.squeeze(around, [0, 3]), tf.int32)
survive = tf.logical_and(tf.equal(board, 1), tf.equal(n, 2))
alive = tf.logical_or(survive, tf.equal(n, 3))
after = tf.where(alive, tf.ones_like(board), tf.zeros_like(board))
state = rng.randint(0, 2, (7, 9))
counts = []
with tf.Session() as sess:
    for _ in range(6):
        state = sess.run(after, {board: state})
        counts.append(int(state.sum()))
RESULT = {"state": state, "counts": counts}
