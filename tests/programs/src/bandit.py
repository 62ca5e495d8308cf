"""A contextual bandit with a policy table and slices."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(44)
state_in = tf.placeholder(shape=[1], dtype=tf.int32)
onehot = tf.contrib.layers.one_hot_encoding(state_in, 3) if hasattr(tf, "contrib") else None
weights = tf.Variable(tf.ones([3, 4]))
output = tf.reshape(tf.nn.sigmoid(tf.matmul(onehot, weights)), [-1])
chosen = tf.argmax(output, 0)
reward = tf.placeholder(shape=[1], dtype=tf.float32)
action = tf.placeholder(shape=[1], dtype=tf.int32)
responsible = tf.slice(output, action, [1])
loss = -(tf.log(responsible) * reward)
update = tf.train.GradientDescentOptimizer(learning_rate=0.1).minimize(loss)
total = np.zeros((3, 4))
RESULT = {"chosen": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(60):
        s = rng.randint(3)
        a = rng.randint(4) if rng.rand() < 0.3 else sess.run(chosen, {state_in: [s]})
        r = 1.0 if a == (s + 1) % 4 else -1.0
        _, ww = sess.run([update, weights], {reward: [r], action: [a], state_in: [s]})
        total[s, a] += r
        RESULT["chosen"].append(int(a))
    RESULT["weights"] = sess.run(weights)
