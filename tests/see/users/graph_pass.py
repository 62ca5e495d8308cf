"""A pass, in one file in the pipeline of a session: every matrix product counts half."""

import numpy as np

import graphc as tf
from graphc.extend import copy, graph_pass, passes


@graph_pass
def halve_products(graph):
    """Every matrix product counts half."""

    def step(node, inputs):
        if node.op.name != "matmul":
            return None  # stays as it is
        return copy(node, inputs).outputs[0] * 0.5

    return graph.rebuild(step)


if __name__ == "__main__":
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 2], initializer=tf.ones_initializer())
    y = tf.nn.relu(tf.matmul(x, w), name="y")
    fed = {x: np.ones([4, 3], np.float32)}
    config = tf.ConfigProto(graphc_passes=passes(before={"layout": "halve_products"}))
    for settings, expected in ((None, 3.0), (config, 1.5)):
        with tf.Session(config=settings) as sess:
            sess.run(tf.global_variables_initializer())
            assert (sess.run(y, fed) == expected).all()
            text = tf.dump(y, fed, sess, stage="all")
            assert ("# ---- halve_products" in text) == (settings is config)
    print(text)
