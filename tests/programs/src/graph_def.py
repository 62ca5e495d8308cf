"""A trained graph frozen, written as a GraphDef, read into another graph."""

import numpy as np
import tensorflow as tf

with tf.Graph().as_default():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2), name="w")
    b = tf.Variable([0.5, -0.5], name="b")
    y = tf.nn.softmax(tf.nn.bias_add(tf.matmul(x, w), b), name="y")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(
            sess, tf.get_default_graph().as_graph_def(), ["y"]
        )
        before = sess.run(y, {x: [[1.0, 0.1, -0.2]]})
text = frozen.SerializeToString()
with tf.Graph().as_default() as graph:
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(text)
    tf.import_graph_def(graph_def, name="prefix")
    with tf.Session(graph=graph) as sess:
        after = sess.run("prefix/y:0", {"prefix/x:0": [[1.0, 0.1, -0.2]]})
RESULT = {
    "before": before,
    "same": bool(np.allclose(before, after)),
    "ops": sorted(n.op for n in graph_def.node),
}
