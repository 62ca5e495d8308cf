"""Feeding tensors in the middle, fetching structures, several graphs and sessions."""

import collections

import tensorflow as tf

x = tf.placeholder_with_default([1.0, 2.0], [2], name="x")
middle = x * 3.0
out = middle + 1.0
Pair = collections.namedtuple("Pair", "a b")
RESULT = {}
with tf.Session() as one, tf.Session() as two:
    RESULT["default"] = one.run(out)
    RESULT["middle"] = one.run(out, {middle: [5.0, 6.0]})
    got = two.run({"p": Pair(x, [middle, (out,)]), "op": tf.no_op()}, {x: [0.0, 1.0]})
    RESULT["pair"] = [got["p"].a, got["p"].b[0], got["p"].b[1][0]]
    RESULT["none"] = got["op"] is None
    handle = two.make_callable(out, [x])
    RESULT["called"] = handle([2.0, 2.0])
other = tf.Graph()
with other.as_default():
    c = tf.constant(3)
try:
    tf.Session().run(c)
except ValueError as e:
    RESULT["error"] = type(e).__name__
