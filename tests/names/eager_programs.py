"""tf.contrib.eager in graphs, and settings of tf.config."""

from families import error, started


def gradients(tf, say, folder):
    e = tf.contrib.eager
    v = e.Variable([1.0, 2.0], name="v")
    w = tf.get_variable("w", initializer=[3.0, 4.0], use_resource=True)
    say([v.name, v.trainable, [x.name for x in tf.global_variables()]])
    x = tf.constant([0.5, -1.0])
    session = started(tf)

    def f(a, b):
        return tf.reduce_sum(a * a * b)

    say(session.run(e.gradients_function(f)(x, v)))
    say(session.run(e.gradients_function(f, params=["b"])(x, v)))
    say(session.run(e.gradients_function(f, [0])(x, 2.0)))
    say(session.run(list(e.value_and_gradients_function(f)(x, w))))
    pairs = e.implicit_gradients(lambda a: tf.reduce_sum(a * v * w))(x)
    say([u.name for _, u in pairs])
    say(session.run([g for g, _ in pairs]))
    value, pairs = e.implicit_value_and_gradients(lambda: tf.reduce_sum(w * w))()
    say([session.run(value), [u.name for _, u in pairs]])
    say(
        [
            error(e.implicit_gradients(lambda: tf.constant(1.0))),
            error(e.gradients_function(f, ["z"]), x, x),
        ]
    )
    o = tf.train.MomentumOptimizer(0.1, 0.9)
    o.apply_gradients(pairs)
    say([u.name for u in e.get_optimizer_variables(o)])


def others(tf, say, folder):
    e = tf.contrib.eager
    say([e.SYNC, e.ASYNC, e.DEVICE_PLACEMENT_EXPLICIT, e.DEVICE_PLACEMENT_WARN])
    say(e.list_devices()[:1])
    say(error(e.Saver, []))
    say(list(e.seterr()))


def config(tf, say, folder):
    c = tf.config
    say([c.get_soft_device_placement(), c.optimizer.get_jit()])
    say([c.threading.get_inter_op_parallelism_threads(), c.optimizer.get_experimental_options()])
    c.optimizer.set_jit(True)
    say(c.optimizer.get_jit())
    c.optimizer.set_jit(False)
    x = c.experimental
    say([x.get_device_policy(), x.get_synchronous_execution()])
    say(error(x.set_device_policy, "x"))
    cpu = x.list_physical_devices("CPU")
    say([[d.name for d in x.get_visible_devices("CPU")], x.set_visible_devices([], "GPU")])
    say(x.get_virtual_device_configuration(cpu[0]))
