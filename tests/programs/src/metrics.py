"""Streaming metrics over several batches and their local variables."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(33)
label = tf.placeholder(tf.int64, [None])
guess = tf.placeholder(tf.int64, [None])
acc, acc_op = tf.metrics.accuracy(label, guess)
pre, pre_op = tf.metrics.precision(label, guess)
rec, rec_op = tf.metrics.recall(label, guess)
mean, mean_op = tf.metrics.mean(tf.to_float(guess) * 2.0)
matrix = tf.confusion_matrix(label, guess, 2)
RESULT = {"updates": []}
with tf.Session() as sess:
    sess.run(tf.local_variables_initializer())
    for n in (5, 8, 3):
        feed = {label: rng.randint(0, 2, n), guess: rng.randint(0, 2, n)}
        RESULT["updates"].append(sess.run([acc_op, pre_op, rec_op, mean_op], feed))
        RESULT["matrix"] = sess.run(matrix, feed)
    RESULT["final"] = sess.run([acc, pre, rec, mean])
    precision, recall = RESULT["final"][1:3]
    RESULT["f1"] = 2 * precision * recall / (precision + recall)
RESULT["names"] = [v.name for v in tf.local_variables()]
