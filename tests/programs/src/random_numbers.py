"""Seeded draws, the same in each new session and on each run of its own."""

import tensorflow as tf

tf.set_random_seed(1234)
a = tf.random_uniform([3])
b = tf.random_normal([3], seed=1)
c = tf.truncated_normal([3], stddev=2.0)
d = tf.random_uniform([4], 0, 10, dtype=tf.int32)
e = tf.random_shuffle(tf.range(8), seed=5)
f = tf.multinomial(tf.log([[10.0, 10.0, 1.0]]), 6, seed=3)
g = tf.nn.dropout(tf.ones([8]), 0.5, seed=2)
RESULT = {}
for name in ("first", "second"):
    with tf.Session() as sess:
        RESULT[name] = [sess.run(t) for t in (a, b, c, d, e, f, g, a, b)]
