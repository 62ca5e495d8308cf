"""tf.distribute with one replica."""

from families import error, pattern, started


def _strategies(tf):
    d = tf.distribute
    return [d.MirroredStrategy(["/cpu:0"]), d.OneDeviceStrategy("/cpu:0")]


def where(tf, say, folder):
    d = tf.distribute
    say([d.has_strategy(), d.in_cross_replica_context(), d.get_replica_context() is None])
    say(d.get_strategy().num_replicas_in_sync)
    for s in _strategies(tf):
        with s.scope():
            say([d.has_strategy(), d.get_strategy() is s, d.in_cross_replica_context()])
            say(d.get_replica_context() is None)
            inside = s.experimental_run_v2(
                lambda d=d, s=s: [
                    d.get_strategy() is s, d.in_cross_replica_context(),
                    d.get_replica_context().num_replicas_in_sync,
                    d.get_replica_context().merge_call(
                        lambda t, x: [t is s, x, d.in_cross_replica_context()], args=(3,)
                    ),
                ]
            )  # fmt: skip
            say(inside)
        say(d.has_strategy())
    say([d.ReduceOp.SUM.value, d.ReduceOp.MEAN.value, d.get_loss_reduction().value])
    c = d.InputContext(2, 1, 4)
    say([c.num_input_pipelines, c.input_pipeline_id, c.get_per_replica_batch_size(8)])
    say(error(c.get_per_replica_batch_size, 9))
    say(error(d.MirroredStrategy, ["/cpu:0", "/cpu:0"]))


def step(tf, say, folder):
    """Variables, a step, and reductions of what it gives."""
    for k, s in enumerate(_strategies(tf)):
        with s.scope(), tf.variable_scope(f"part{k}"):
            w = tf.get_variable("w", initializer=[1.0, 2.0])
            v = tf.Variable([0.5], name="v")
            x = tf.constant(pattern(3, 2), tf.float32)

            def run(x=x, w=w, v=v):
                loss = tf.reduce_sum(tf.square(x * w)) + tf.reduce_sum(v * v)
                with tf.control_dependencies(
                    [tf.train.GradientDescentOptimizer(0.1).minimize(loss)]
                ):
                    return tf.identity(loss), x * 1.0

            loss, y = s.experimental_run_v2(run)
            say([u.name for u in tf.trainable_variables()])
            total = s.reduce(tf.distribute.ReduceOp.SUM, loss, axis=None)
            mean = s.reduce(tf.distribute.ReduceOp.MEAN, y, axis=0)
            say([t.shape.as_list() for t in s.experimental_local_results(y)])
        session = started(tf)
        say(session.run([total, mean]))
        say(session.run([w, v]))


def inputs(tf, say, folder):
    s = _strategies(tf)[0]
    with s.scope():
        a = s.make_dataset_iterator(tf.data.Dataset.range(6).batch(2))
        b = s.make_input_fn_iterator(
            lambda c: tf.data.Dataset.range(c.num_replicas_in_sync + 3).batch(3)
        )
        begin = [a.initialize(), b.initialize()]
        n = s.experimental_run(lambda x: x + 1, a)
        m = s.experimental_run(lambda x: x * 2, b)
        got = s.experimental_local_results(n)
    with tf.Session() as session:
        session.run(begin)
        say(session.run([got, s.experimental_local_results(m)]))
        say(session.run(got))
