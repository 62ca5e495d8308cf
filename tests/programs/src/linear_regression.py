"""Y = w x + b by gradient descent, one point at a time as the first tutorials do."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
xs = rng.rand(30)
ys = 3.0 * xs + 2.0 + 0.1 * rng.randn(30)
X = tf.placeholder("float")
Y = tf.placeholder("float")
W = tf.Variable(0.5, name="weight")
b = tf.Variable(-0.2, name="bias")
pred = tf.add(tf.multiply(X, W), b)
cost = tf.reduce_sum(tf.pow(pred - Y, 2)) / (2 * 30)
optimizer = tf.train.GradientDescentOptimizer(0.5).minimize(cost)
init = tf.global_variables_initializer()
costs = []
with tf.Session() as sess:
    sess.run(init)
    for epoch in range(20):
        for x, y in zip(xs, ys):
            sess.run(optimizer, feed_dict={X: x, Y: y})
        costs.append(sess.run(cost, feed_dict={X: xs, Y: ys}))
    RESULT = {"costs": costs, "W": sess.run(W), "b": sess.run(b), "name": W.name}
