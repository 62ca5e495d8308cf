"""Scan, map_fn, foldl and foldr, with gradients."""

import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [None])
w = tf.Variable(0.5)
decayed = tf.scan(lambda a, v: a * w + v, x, initializer=0.0)
squares = tf.map_fn(lambda v: v * v + w, x)
pair = tf.map_fn(lambda t: (t[0] + t[1], t[0] * t[1]), (x, x + 1), dtype=(tf.float32, tf.float32))
left = tf.foldl(lambda a, v: a - v, x)
right = tf.foldr(lambda a, v: a - v, x)
loss = tf.reduce_sum(decayed) + tf.reduce_sum(tf.square(squares))
g = tf.gradients(loss, [w, x])
data = [1.0, 2.0, -1.0, 0.5]
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {x: data}
    RESULT = {"decayed": sess.run(decayed, feed), "squares": sess.run(squares, feed)}
    RESULT["pair"] = sess.run(pair, feed)
    RESULT["folds"] = sess.run([left, right], feed)
    RESULT["gradients"] = sess.run(g, feed)
    RESULT["longer"] = sess.run(decayed, {x: np.arange(7)})
