"""The smallest network that is not linear, with Nesterov's momentum."""

import numpy as np
import tensorflow as tf

x_data = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y_data = np.array([[0], [1], [1], [0]])
x = tf.placeholder(tf.float32, shape=[4, 2])
y = tf.placeholder(tf.float32, shape=[4, 1])
theta1 = tf.Variable([[0.5, -0.4, 0.3], [-0.2, 0.8, 0.6]], dtype=tf.float32)
theta2 = tf.Variable([[0.7], [-0.9], [0.2]])
bias1 = tf.Variable(tf.zeros([3]), name="Bias1")
bias2 = tf.Variable(tf.zeros([1]), name="Bias2")
a2 = tf.sigmoid(tf.matmul(x, theta1) + bias1)
hypothesis = tf.sigmoid(tf.matmul(a2, theta2) + bias2)
cost = tf.reduce_mean((y * tf.log(hypothesis) + (1 - y) * tf.log(1.0 - hypothesis)) * -1)
step = tf.train.MomentumOptimizer(0.5, 0.9, use_nesterov=True).minimize(cost)
sess = tf.Session()
sess.run(tf.global_variables_initializer())
for i in range(60):
    sess.run(step, feed_dict={x: x_data, y: y_data})
RESULT = {"cost": sess.run(cost, {x: x_data, y: y_data}), "theta2": sess.run(theta2)}
RESULT["slots"] = sorted(v.name for v in tf.global_variables())
sess.close()
