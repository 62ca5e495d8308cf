"""Softmax regression with accuracy, in batches of different sizes."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(1)
centres = rng.randn(4, 6)
labels = rng.randint(0, 4, 200)
data = (centres[labels] + 0.7 * rng.randn(200, 6)).astype(np.float32)
onehot = np.eye(4, dtype=np.float32)[labels]
x = tf.placeholder(tf.float32, [None, 6])
y = tf.placeholder(tf.float32, [None, 4])
W = tf.Variable(tf.zeros([6, 4]))
b = tf.Variable(tf.zeros([4]))
pred = tf.nn.softmax(tf.matmul(x, W) + b)
cost = tf.reduce_mean(-tf.reduce_sum(y * tf.log(pred), reduction_indices=1))
train = tf.train.GradientDescentOptimizer(0.3).minimize(cost)
correct = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
RESULT = {"cost": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(5):
        total = 0.0
        for i in range(0, 150, 40):
            _, c = sess.run([train, cost], feed_dict={x: data[i : i + 40], y: onehot[i : i + 40]})
            total += c
        RESULT["cost"].append(total)
    RESULT["accuracy"] = accuracy.eval({x: data[150:], y: onehot[150:]})
    RESULT["W"] = sess.run(W)
