"""One network twice, a contrastive loss."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(37)


def net(x):
    with tf.variable_scope("fc", reuse=tf.AUTO_REUSE):
        w = tf.get_variable("W", dtype=tf.float32, initializer=W0)
        b = tf.get_variable(
            "b", dtype=tf.float32, shape=[3], initializer=tf.constant_initializer(0.01)
        )
        return tf.nn.relu6(tf.nn.xw_plus_b(x, w, b))


W0 = 0.5 * rng.randn(4, 3).astype(np.float32)
x1 = tf.placeholder(tf.float32, [None, 4])
x2 = tf.placeholder(tf.float32, [None, 4])
same = tf.placeholder(tf.float32, [None])
with tf.variable_scope("siamese") as scope:
    o1 = net(x1)
    scope.reuse_variables()
    o2 = net(x2)
eucd2 = tf.reduce_sum(tf.pow(tf.subtract(o1, o2), 2), 1)
eucd = tf.sqrt(eucd2 + 1e-6, name="eucd")
pos = tf.multiply(same, eucd2)
neg = tf.multiply(1.0 - same, tf.pow(tf.maximum(2.0 - eucd, 0), 2))
loss = tf.reduce_mean(pos + neg)
train = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
a, b, s = rng.randn(16, 4), rng.randn(16, 4), rng.randint(0, 2, 16)
sess = tf.InteractiveSession()
tf.global_variables_initializer().run()
RESULT = {"loss": [sess.run([train, loss], {x1: a, x2: b, same: s})[1] for _ in range(10)]}
RESULT["o1"] = o1.eval({x1: a})
RESULT["names"] = [v.name for v in tf.trainable_variables()]
sess.close()
