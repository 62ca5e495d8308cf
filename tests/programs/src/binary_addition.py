"""Hand-written back-propagation beside tf.gradients."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(42)
a_0 = tf.placeholder(tf.float32, [None, 5])
y = tf.placeholder(tf.float32, [None, 2])
w_1 = tf.Variable(0.4 * rng.randn(5, 4).astype("f"))
b_1 = tf.Variable(0.1 * rng.randn(1, 4).astype("f"))
w_2 = tf.Variable(0.4 * rng.randn(4, 2).astype("f"))
b_2 = tf.Variable(0.1 * rng.randn(1, 2).astype("f"))


def sigma(x):
    return tf.div(tf.constant(1.0), tf.add(tf.constant(1.0), tf.exp(tf.negative(x))))


def sigmaprime(x):
    return tf.multiply(sigma(x), tf.subtract(tf.constant(1.0), sigma(x)))


z_1 = tf.add(tf.matmul(a_0, w_1), b_1)
a_1 = sigma(z_1)
z_2 = tf.add(tf.matmul(a_1, w_2), b_2)
a_2 = sigma(z_2)
diff = tf.subtract(a_2, y)
d_z_2 = tf.multiply(diff, sigmaprime(z_2))
d_w_2 = tf.matmul(tf.transpose(a_1), d_z_2)
d_a_1 = tf.matmul(d_z_2, tf.transpose(w_2))
d_z_1 = tf.multiply(d_a_1, sigmaprime(z_1))
d_w_1 = tf.matmul(tf.transpose(a_0), d_z_1)
auto = tf.gradients(0.5 * tf.reduce_sum(tf.square(diff)), [w_1, w_2, b_1])
eta = tf.constant(0.5)
after = [
    (w_1, tf.subtract(w_1, tf.multiply(eta, d_w_1))),
    (b_1, tf.subtract(b_1, tf.multiply(eta, tf.reduce_mean(d_z_1, axis=[0])))),
    (w_2, tf.subtract(w_2, tf.multiply(eta, d_w_2))),
    (b_2, tf.subtract(b_2, tf.multiply(eta, tf.reduce_mean(d_z_2, axis=[0])))),
]
with tf.control_dependencies([value for _, value in after]):
    step = [tf.assign(v, value) for v, value in after]
x, t = rng.rand(10, 5), np.eye(2)[rng.randint(0, 2, 10)]
sess = tf.InteractiveSession()
sess.run(tf.global_variables_initializer())
ours, theirs = sess.run([[d_w_1, d_w_2], auto], {a_0: x, y: t})
RESULT = {"close": bool(np.allclose(ours[0], theirs[0], atol=1e-6))}
for i in range(10):
    sess.run(step, feed_dict={a_0: x, y: t})
RESULT["w_1"], RESULT["w_2"] = sess.run([w_1, w_2])
sess.close()
