"""Two hidden layers with dropout from the graph's seed, Adam."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(42)
rng = np.random.RandomState(2)
data = rng.randn(64, 10).astype(np.float32)
target = (data[:, :1] * data[:, 1:2] > 0).astype(np.float32)
x = tf.placeholder(tf.float32, [None, 10], name="x")
y = tf.placeholder(tf.float32, [None, 1], name="y")
keep_prob = tf.placeholder(tf.float32)
weights = {
    "h1": tf.Variable(tf.random_normal([10, 16], stddev=0.3)),
    "h2": tf.Variable(tf.random_normal([16, 16], stddev=0.3)),
    "out": tf.Variable(tf.truncated_normal([16, 1], stddev=0.3)),
}
biases = {k: tf.Variable(tf.zeros([n])) for k, n in [("h1", 16), ("h2", 16), ("out", 1)]}
h = tf.nn.relu(tf.add(tf.matmul(x, weights["h1"]), biases["h1"]))
h = tf.nn.dropout(h, keep_prob)
h = tf.nn.relu(tf.add(tf.matmul(h, weights["h2"]), biases["h2"]))
h = tf.nn.dropout(h, keep_prob)
logits = tf.matmul(h, weights["out"]) + biases["out"]
loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=y))
train_op = tf.train.AdamOptimizer(learning_rate=0.01).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    first = sess.run(weights["h1"])
    losses = []
    for step in range(30):
        _, value = sess.run([train_op, loss], {x: data, y: target, keep_prob: 0.8})
        losses.append(value)
    RESULT = {"first": first[0], "losses": losses}
    RESULT["final"] = loss.eval({x: data, y: target, keep_prob: 1.0})
