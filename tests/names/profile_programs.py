"""tf.profiler: parameters and float operations of graphs, by scopes, types and edges."""

import os

from families import error


def _net(tf):
    x = tf.placeholder(tf.float32, [8, 14, 14, 3], name="x")
    y = tf.layers.conv2d(x, 4, 3, strides=2, activation=tf.nn.relu, name="first")
    y = tf.layers.separable_conv2d(y, 6, 3, padding="same", name="second")
    y = tf.layers.average_pooling2d(tf.layers.max_pooling2d(y, 2, 1), 2, 2)
    y = tf.layers.dense(tf.layers.flatten(y), 5, name="third")
    with tf.variable_scope("end"):
        v = tf.get_variable("scale", [5], use_resource=True)
        tf.get_variable("fixed", [7], trainable=False)
        return tf.reduce_mean(tf.nn.softmax(y) * v, name="mean")


def _text(tf, folder, builder, **more):
    path = os.path.join(folder, "report.txt")
    tf.profiler.profile(options=builder.with_file_output(path).build(), **more)
    with open(path) as f:
        return f.read().splitlines()


def _chain(root):
    """The types of operations: each is the child of the one before."""
    while root.children:
        root = root.children[0]
        yield root


def parameters(tf, say, folder):
    _net(tf)
    b = tf.profiler.ProfileOptionBuilder
    start = b.trainable_variables_parameter()
    say(start)
    for cmd in ("scope", "op"):
        say(_text(tf, folder, b(start), cmd=cmd))
    say(_text(tf, folder, b(start).with_max_depth(2).order_by("params")))
    say(_text(tf, folder, b(start).with_min_parameters(30)))
    say(_text(tf, folder, b(start).with_accounted_types(["VariableV2", "VarHandleOp"])))
    names = b(start).with_node_names(
        start_name_regexes=["second.*", "end"], hide_name_regexes=[".*bias"],
        trim_name_regexes=["end.*"],
    )  # fmt: skip
    say(_text(tf, folder, names.order_by("params")))
    say(_text(tf, folder, names.account_displayed_op_only(False)))
    root = tf.profiler.profile(options=b(start).with_empty_output().build())
    say([root.name, root.total_parameters, root.total_definition_count, len(root.children)])
    say([[c.name, c.total_parameters] for c in root.children])
    op = tf.profiler.profile(cmd="op", options=b(start).with_empty_output().build())
    say([op.name, op.total_parameters, op.children[0].name, op.children[0].parameters])


def operations(tf, say, folder):
    _net(tf)
    b = tf.profiler.ProfileOptionBuilder
    start = b.float_operation()
    say(start)
    say(_text(tf, folder, b(start).order_by("name").select(["float_ops", "occurrence"])))
    say(_text(tf, folder, b(start).order_by("name"), cmd="graph"))
    say(_text(tf, folder, b(start).with_min_float_operations(1000), cmd="op"))
    say(_text(tf, folder, b(start).with_max_depth(3).select(["float_ops", "op_types"])))
    root = tf.profiler.profile(cmd="op", options=b(start).with_empty_output().build())
    say([root.total_float_ops, [[c.name, c.float_ops] for c in _chain(root)][:8]])
    say(b.time_and_memory(5, 7))
    say(b().with_min_memory(1, 2, 3, 4).with_min_execution_time(5, 6, 7).with_step(3).build())
    say(b().with_min_occurrence(2).with_timeline_output("t").build())


def each_type(tf, say, folder):
    b = tf.profiler.ProfileOptionBuilder
    x = tf.placeholder(tf.float32, [4, 6], name="x")
    for f in (tf.reciprocal, tf.square, tf.rsqrt, tf.log, tf.negative, tf.nn.l2_loss,
              tf.nn.softmax, tf.sin):  # fmt: skip
        f(x)
    for f in (tf.add, tf.subtract, tf.multiply, tf.realdiv, tf.maximum, tf.minimum, tf.pow,
              tf.greater_equal, tf.greater, tf.less_equal, tf.less, tf.equal, tf.not_equal,
              tf.squared_difference, tf.floordiv):  # fmt: skip
        f(x, x[:1])
    tf.reduce_mean(x, 0)
    tf.reduce_sum(x, 1)
    tf.argmax(x, 1)
    tf.argmin(x, 0)
    tf.add_n([x, x, x])
    x + x
    tf.matmul(x, x, transpose_a=True)
    tf.matmul(x, x, transpose_b=True)
    tf.matmul(tf.ones([2, 3, 4]), tf.ones([2, 4, 5]))
    v = tf.get_variable("v", [4, 6], initializer=tf.zeros_initializer())
    tf.assign_add(v, x)
    tf.assign_sub(v, x)
    image = tf.placeholder(tf.float32, [2, 7, 8, 3], name="image")
    tf.nn.conv2d(image, tf.ones([2, 3, 3, 5]), [1, 2, 1, 1], "SAME")
    tf.nn.depthwise_conv2d(image, tf.ones([2, 3, 3, 2]), [1, 1, 1, 1], "VALID")
    tf.nn.conv3d(image[None], tf.ones([1, 2, 2, 3, 4]), [1, 1, 1, 1, 1], "VALID")
    tf.nn.dilation2d(image, tf.ones([2, 3, 3]), [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
    tf.nn.max_pool(image, [1, 2, 3, 1], [1, 1, 1, 1], "VALID")
    tf.nn.avg_pool(image, [1, 2, 3, 1], [1, 2, 2, 1], "SAME")
    tf.nn.bias_add(image, tf.ones([3]))
    unknown = tf.placeholder(tf.float32, [None, 6], name="unknown")
    tf.matmul(unknown, x, transpose_b=True)
    root = tf.profiler.profile(options=b(b.float_operation()).with_empty_output().build())
    say(sorted([c.name, c.float_ops] for c in _chain(root) if c.float_ops))


def training(tf, say, folder):
    """What optimizers do to variables counts nothing."""
    b = tf.profiler.ProfileOptionBuilder
    x = tf.placeholder(tf.float32, [8, 12, 12, 3], name="x")
    y = tf.nn.relu(tf.nn.conv2d(x, tf.get_variable("w", [3, 3, 3, 4]), [1, 2, 2, 1], "SAME"))
    y = tf.nn.max_pool(y, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    y = tf.matmul(tf.reshape(y, [8, 36]), tf.get_variable("m", [36, 5]))
    loss = tf.nn.l2_loss(y)
    for o in (tf.train.GradientDescentOptimizer(0.1), tf.train.MomentumOptimizer(0.1, 0.9)):
        o.minimize(loss)
    root = tf.profiler.profile(options=b(b.float_operation()).with_empty_output().build())
    say(root.total_float_ops)


def errors(tf, say, folder):
    p = tf.profiler
    _net(tf)
    say(error(p.profile, cmd="other"))
    say(error(p.write_op_log, tf.get_default_graph(), os.path.join(folder, "absent")))
    p.write_op_log(tf.get_default_graph(), folder)
    log = p.OpLogProto()
    with open(os.path.join(folder, "tfprof_log"), "rb") as f:
        log.ParseFromString(f.read())
    say(sorted([e.name, e.float_ops] for e in log.log_entries if e.float_ops > 100))
    log = p.OpLogProto()
    log.log_entries.add(name="first/Relu", float_ops=77, types=["mine"])
    b = p.ProfileOptionBuilder
    mine = b(b.float_operation()).with_accounted_types(["mine"])
    say(_text(tf, folder, mine, op_log=log))
    profiler = p.Profiler(tf.get_default_graph())
    say(profiler.profile_name_scope(mine.with_empty_output().build()).total_float_ops)
    say(len(profiler.serialize_to_string()) > 100)
