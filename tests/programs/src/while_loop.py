"""Loops with gradients: powers, Collatz, a sum over rows of unknown number."""

import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [])
n = tf.placeholder(tf.int32, [])
i, power = tf.while_loop(lambda i, p: i < n, lambda i, p: [i + 1, p * x], [0, 1.0])
grad = tf.gradients(power, x)[0]
steps, last = tf.while_loop(
    lambda k, v: tf.not_equal(v, 1),
    lambda k, v: (k + 1, tf.where(tf.equal(v % 2, 0), v // 2, 3 * v + 1)),
    (tf.constant(0), n),
)
rows = tf.placeholder(tf.float32, [None, 2])
_, total = tf.while_loop(
    lambda j, t: tf.less(j, tf.shape(rows)[0]),
    lambda j, t: (j + 1, t + rows[j] * tf.to_float(j)),
    (0, tf.zeros([2])),
    shape_invariants=(tf.TensorShape([]), tf.TensorShape([2])),
)
back = tf.gradients(total, rows)[0]
with tf.Session() as sess:
    RESULT = {"power": sess.run([i, power, grad], {x: 1.5, n: 6})}
    RESULT["collatz"] = [sess.run(steps, {n: k}) for k in (1, 6, 27)]
    data = np.arange(8).reshape(4, 2)
    RESULT["total"], RESULT["back"] = sess.run([total, back], {rows: data})
