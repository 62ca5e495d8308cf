"""Print, Assert and checks, errors with their types."""

import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [None])
with tf.control_dependencies([tf.assert_positive(x)]):
    y = tf.sqrt(x)
z = tf.Print(y, [y], "y is ")
RESULT = {}
with tf.Session() as sess:
    RESULT["y"] = sess.run(z, {x: [4.0, 9.0]})
    try:
        sess.run(y, {x: [-1.0]})
    except tf.errors.InvalidArgumentError:
        RESULT["negative"] = True
    for name, make in [
        ("shape", lambda: tf.matmul(tf.zeros([2, 3]), tf.zeros([2, 3]))),
        ("type", lambda: tf.constant(1) + tf.constant(1.0)),
        ("reuse", lambda: [tf.get_variable("q", [1]), tf.get_variable("q", [1])]),
        ("bool", lambda: bool(tf.constant(True))),
        ("feed", lambda: sess.run(y, {x: np.zeros((2, 2))})),
        ("uninitialised", lambda: sess.run(tf.Variable(1.0))),
        ("fetch", lambda: sess.run(None)),
    ]:
        try:
            make()
            RESULT[name] = "nothing"
        except Exception as e:
            RESULT[name] = type(e).__name__
