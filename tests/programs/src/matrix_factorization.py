"""Ratings as products of user and item vectors, gathered by id."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(4)
users, items = rng.randint(0, 12, 80), rng.randint(0, 9, 80)
ratings = (users % 3 - items % 2 + 3).astype(np.float32)
u = tf.placeholder(tf.int32, [None])
v = tf.placeholder(tf.int32, [None])
r = tf.placeholder(tf.float32, [None])
with tf.variable_scope("factors"):
    P = tf.get_variable("P", initializer=0.1 * rng.randn(12, 4).astype(np.float32))
    Q = tf.get_variable("Q", initializer=0.1 * rng.randn(9, 4).astype(np.float32))
    bu = tf.get_variable("bu", [12], initializer=tf.zeros_initializer())
p, q = tf.nn.embedding_lookup(P, u), tf.nn.embedding_lookup(Q, v)
guess = tf.reduce_sum(p * q, 1) + tf.gather(bu, u)
loss = tf.nn.l2_loss(guess - r) + 0.05 * (tf.nn.l2_loss(p) + tf.nn.l2_loss(q))
train = tf.train.AdagradOptimizer(0.3).minimize(loss)
RESULT = {"loss": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(15):
        for i in range(0, 80, 20):
            s = slice(i, i + 20)
            sess.run(train, {u: users[s], v: items[s], r: ratings[s]})
        RESULT["loss"].append(sess.run(loss, {u: users, v: items, r: ratings}))
    RESULT["P"] = sess.run(P)
RESULT["names"] = [x.name for x in tf.trainable_variables()]
