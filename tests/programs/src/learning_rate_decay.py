"""A decayed rate, a global step, a non-trainable counter."""

import tensorflow as tf

global_step = tf.Variable(0, trainable=False)
rate = tf.train.exponential_decay(0.1, global_step, 3, 0.7, staircase=True)
smooth = tf.train.polynomial_decay(0.1, global_step, 8, 0.01)
x = tf.Variable(5.0)
y = x * x - 4 * x + 3
train = tf.train.GradientDescentOptimizer(rate).minimize(y, global_step=global_step)
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    rows = []
    for _ in range(10):
        sess.run(train)
        rows.append(sess.run([rate, smooth, x, y]))
    RESULT = {"rows": rows, "step": tf.train.global_step(sess, global_step)}
