"""Branches: values, gradients, assignments in one branch only, case."""

import tensorflow as tf

x = tf.placeholder(tf.float32, [])
v = tf.Variable(1.0)
y = tf.cond(x > 0, lambda: x * 2.0, lambda: x - 1.0)
g = tf.gradients(y, x)[0]
changed = tf.cond(x > 1.0, lambda: tf.assign_add(v, x), lambda: tf.identity(v))
which = tf.case(
    [(x < -1, lambda: tf.constant(-1.0)), (x > 1, lambda: tf.constant(1.0))],
    default=lambda: tf.constant(0.0),
)
RESULT = {"rows": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for value in (-2.0, 0.5, 3.0):
        RESULT["rows"].append(sess.run([y, g, which], {x: value}))
        RESULT["rows"].append([sess.run(changed, {x: value}), sess.run(v), 0.0])
