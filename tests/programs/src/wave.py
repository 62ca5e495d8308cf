"""A partial differential equation: state in variables, stepped by a group."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(40)
start = np.zeros((12, 12), dtype=np.float32)
start[rng.randint(0, 12, 5), rng.randint(0, 12, 5)] = rng.uniform(size=5)
k = np.array([[0.5, 1.0, 0.5], [1.0, -6.0, 1.0], [0.5, 1.0, 0.5]])


def laplace(x):
    kernel = tf.constant(k.reshape(3, 3, 1, 1), dtype=tf.float32)
    y = tf.nn.depthwise_conv2d(
        tf.expand_dims(tf.expand_dims(x, 0), -1), kernel, [1, 1, 1, 1], "SAME"
    )
    return y[0, :, :, 0]


eps = tf.placeholder(tf.float32, shape=())
damping = tf.placeholder(tf.float32, shape=())
U = tf.Variable(start)
Ut = tf.Variable(np.zeros_like(start))
U_ = U + eps * Ut
Ut_ = Ut + eps * (laplace(U) - damping * Ut)
with tf.control_dependencies([U_, Ut_]):
    step = tf.group(U.assign(U_), Ut.assign(Ut_))
sess = tf.InteractiveSession()
tf.global_variables_initializer().run()
for i in range(20):
    step.run({eps: 0.03, damping: 0.04})
RESULT = {"U": U.eval(), "energy": tf.reduce_sum(tf.square(Ut)).eval()}
sess.close()
