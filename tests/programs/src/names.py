"""Names and scopes of everything, collections, getting things by name."""

import tensorflow as tf

g = tf.Graph()
with g.as_default():
    a = tf.placeholder(tf.float32, [None, 2], name="a")
    with tf.name_scope("outer"):
        v = tf.Variable([[1.0], [2.0]], name="v")
        with tf.variable_scope("vs"):
            w = tf.get_variable("w", [2, 1], initializer=tf.ones_initializer())
            y = tf.matmul(a, v + w, name="y")
    with tf.variable_scope("vs", reuse=True):
        again = tf.get_variable("w", [2, 1])
    with tf.variable_scope("unet", reuse=tf.AUTO_REUSE) as scope:
        k = tf.get_variable("k", [3])
    with tf.variable_scope(scope):
        k2 = tf.get_variable("k", [3])
    train = tf.train.AdamOptimizer().minimize(tf.reduce_sum(y), var_list=[v])
    tf.add_to_collection("mine", y)
    RESULT = {
        "ops": [op.name for op in g.get_operations() if op.type == "MatMul"],
        "variables": [x.name for x in tf.global_variables()],
        "same": [again is w, k is k2],
        "mine": [t.name for t in tf.get_collection("mine")],
    }
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        fetched = g.get_tensor_by_name("outer/vs/y:0")
        RESULT["y"] = sess.run("outer/vs/y:0", {"a:0": [[1.0, 2.0]]})
        RESULT["found"] = fetched is y
