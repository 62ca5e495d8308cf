"""One problem, every optimizer that programs use."""

import numpy as np
import tensorflow as tf

start = np.array([1.5, -1.0], np.float32)
RESULT = {}
for name, make in [
    ("sgd", lambda: tf.train.GradientDescentOptimizer(0.02)),
    ("momentum", lambda: tf.train.MomentumOptimizer(0.01, 0.8)),
    ("adagrad", lambda: tf.train.AdagradOptimizer(0.2)),
    ("adadelta", lambda: tf.train.AdadeltaOptimizer(1.0)),
    ("rmsprop", lambda: tf.train.RMSPropOptimizer(0.05, 0.9)),
    ("adam", lambda: tf.train.AdamOptimizer(0.1)),
    ("ftrl", lambda: tf.train.FtrlOptimizer(0.1)),
]:
    graph = tf.Graph()
    with graph.as_default():
        v = tf.Variable(start)
        loss = (1 - v[0]) ** 2 + 5 * (v[1] - v[0] ** 2) ** 2
        train = make().minimize(loss)
        with tf.Session(graph=graph) as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(12):
                sess.run(train)
            RESULT[name] = [sess.run(loss), sess.run(v)]
