"""Programs of tf.layers; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def trained(tf, x, y, values, extra=(), **more):
    """Three steps of gradient descent on the mean square of y, with the update ops."""
    loss = tf.reduce_mean(tf.square(y))
    regular = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    if regular:
        loss = loss + tf.add_n(regular)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feed = {x: values}
    feed.update(more.pop("also", {}))
    fetch = [y, loss, *tf.global_variables(), *extra]
    return dict({"fetch": fetch, "feed": feed, "step": step, "times": 2}, **more)


@program
def dense_net(tf, np):
    x = tf.placeholder(tf.float32, [None, 4])
    h = tf.layers.dense(x, 5, activation=tf.nn.relu, kernel_regularizer=tf.nn.l2_loss)
    h = tf.layers.dense(h, 3, tf.tanh, name="mid", bias_initializer=tf.ones_initializer())
    y = tf.layers.dense(h, 2, use_bias=False, activation="sigmoid")
    return trained(tf, x, y, data(3, 4), [h])


@program
def dense_rank_3(tf, np):
    x = tf.placeholder(tf.float32, [None, 3, 4])
    y = tf.layers.dense(x, 2, activity_regularizer=lambda v: 0.1 * tf.reduce_sum(v * v))
    return trained(tf, x, y, data(2, 3, 4))


@program
def dense_scopes(tf, np):
    x = tf.placeholder(tf.float32, [None, 2])
    a = tf.layers.dense(x, 3, name="l")
    b = tf.layers.dense(x, 3, name="l", reuse=True)
    c = tf.layers.dense(x, 3)
    with tf.variable_scope("s"):
        d = tf.layers.dense(x, 3)
        e = tf.layers.dense(x, 3)
    with tf.variable_scope("s", reuse=True):
        f = tf.layers.dense(x, 3)
    with tf.name_scope("n"):
        g = tf.layers.dense(x, 3)
    with tf.variable_scope("auto", reuse=tf.AUTO_REUSE):
        h = tf.layers.dense(x, 3, name="k")
        i = tf.layers.dense(x, 3, name="k")
    return {"fetch": [a, b, c, d, e, f, g, h, i], "feed": {x: data(2, 2)}}


@program
def dense_class(tf, np):
    x = tf.placeholder(tf.float32, [None, 4])
    layer = tf.layers.Dense(3, name="q")
    y, z = layer(x), layer.apply(x + 1.0)
    said = [
        layer.name, str(layer.built), layer.scope_name, str(layer.count_params()),
        *[v.name for v in layer.variables], *[v.name for v in layer.trainable_weights],
    ]  # fmt: skip
    return {"fetch": [y, z, layer.kernel, layer.bias], "feed": {x: data(2, 4)}, "said": said}


@program
def layer_names(tf, np):
    x = tf.placeholder(tf.float32, [None, 4])
    said = [tf.layers.Dense(2).name, tf.layers.Dense(2).name, tf.layers.Dense(2, name="a").name]
    first, second = tf.layers.Dense(2), tf.layers.Dense(2, _reuse=True)
    y, z = first(x), second(x)
    return {"fetch": [y, z], "feed": {x: data(2, 4)}, "said": [*said, first.name, second.name]}


@program
def own_layer(tf, np):
    class Scaled(tf.layers.Layer):
        def __init__(self, **kwargs):
            super(Scaled, self).__init__(**kwargs)  # noqa: UP008
            self.inner = tf.layers.Dense(3)

        def build(self, shape):
            self.w = self.add_weight("w", [3, 2], regularizer=tf.nn.l2_loss)
            self.s = self.add_variable(
                "s", [2], initializer=tf.constant_initializer(2.0), trainable=False
            )
            super(Scaled, self).build(shape)  # noqa: UP008

        def call(self, x):
            return tf.matmul(self.inner(x), self.w) * self.s

    x = tf.placeholder(tf.float32, [None, 4])
    layer = Scaled()
    y = layer(x)
    said = [layer.name, *[v.name for v in layer.weights]]
    return trained(tf, x, y, data(2, 4), said=said)


@program
def conv_net(tf, np):
    x = tf.placeholder(tf.float32, [None, 8, 8, 2])
    h = tf.layers.conv2d(x, 3, 3, padding="same", activation=tf.nn.relu)
    h = tf.layers.max_pooling2d(h, 2, 2)
    h = tf.layers.conv2d(h, 4, [2, 3], strides=(2, 1), name="second", use_bias=False)
    h = tf.layers.average_pooling2d(h, (2, 1), (1, 1))
    f = tf.layers.flatten(h)
    y = tf.layers.dense(f, 2)
    return trained(tf, x, y, data(2, 8, 8, 2), [h, f])


@program
def conv_forms(tf, np):
    x = tf.placeholder(tf.float32, [None, 6, 3])
    z = tf.placeholder(tf.float32, [None, 7, 7, 2])
    v = tf.placeholder(tf.float32, [None, 4, 4, 4, 2])
    fetch = [
        tf.layers.conv1d(x, 2, 3, padding="same"),
        tf.layers.conv1d(x, 2, 3, padding="causal", dilation_rate=2),
        tf.layers.max_pooling1d(x, 2, 2), tf.layers.average_pooling1d(x, 3, 1, padding="same"),
        tf.layers.conv2d(z, 3, 3, dilation_rate=2),
        tf.layers.conv3d(v, 2, 2, strides=2), tf.layers.max_pooling3d(v, 2, 2),
        tf.layers.average_pooling3d(v, 2, 2, padding="same"),
        tf.layers.separable_conv2d(z, 3, 3, depth_multiplier=2, strides=2, activation=tf.nn.relu),
        tf.layers.separable_conv1d(x, 4, 3),
        tf.layers.flatten(z), tf.layers.flatten(z, data_format="channels_first"),
    ]  # fmt: skip
    feed = {x: data(2, 6, 3), z: data(2, 7, 7, 2), v: data(1, 4, 4, 4, 2)}
    return {"fetch": fetch, "feed": feed}


@program
def conv_transposed(tf, np):
    x = tf.placeholder(tf.float32, [None, 3, 3, 2])
    y = tf.layers.conv2d_transpose(x, 3, 3, strides=2, padding="same", activation=tf.nn.tanh)
    z = tf.layers.conv2d_transpose(y, 2, [2, 3], strides=(1, 2))
    v = tf.layers.conv3d_transpose(tf.expand_dims(x, 1), 2, 2, strides=2)
    return trained(tf, x, z, data(2, 3, 3, 2), [y, v])


@program
def norm_training(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    h = tf.layers.dense(x, 4)
    y = tf.layers.batch_normalization(h, training=True, momentum=0.9)
    y = tf.layers.batch_normalization(y, training=True, center=False, scale=False, name="plain")
    z = tf.layers.batch_normalization(y)
    return trained(tf, x, tf.nn.tanh(z) + y, data(5, 3))


@program
def norm_flag(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    t = tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(tf.layers.dense(x, 2), training=t)
    loss = tf.reduce_mean(tf.square(y - 1.0))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feeds = [{x: data(4, 3), t: True}, {x: data(4, 3), t: True}, {x: data(3, 3), t: False}]
    return {"fetch": [y, loss, *tf.global_variables()], "feed": feeds, "step": step, "times": 3}


@program
def norm_images(tf, np):
    x = tf.placeholder(tf.float32, [None, 4, 4, 2])
    y = tf.layers.batch_normalization(x, training=True)
    y = tf.layers.batch_normalization(tf.nn.relu(y), epsilon=1e-5, name="after")
    return trained(tf, x, y, data(3, 4, 4, 2))


@program
def norm_images_flag(tf, np):
    x = tf.placeholder(tf.float32, [None, 4, 4, 2])
    t = tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(tf.layers.conv2d(x, 3, 3), training=t, momentum=0.5)
    loss = tf.reduce_mean(tf.square(y - 1.0))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feeds = [{x: data(3, 4, 4, 2), t: True}, {x: data(2, 4, 4, 2), t: True}]
    feeds.append({x: data(3, 4, 4, 2), t: False})
    return {"fetch": [y, loss, *tf.global_variables()], "feed": feeds, "step": step, "times": 3}


@program
def norm_axes(tf, np):
    x = tf.placeholder(tf.float32, [None, 3, 4])
    a = tf.layers.batch_normalization(x, axis=1, training=True)
    b = tf.layers.batch_normalization(x, axis=[1, 2], training=True)
    c = tf.layers.batch_normalization(x, axis=1)
    return trained(tf, x, a + b + c, data(3, 3, 4))


@program
def norm_renorm(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.layers.batch_normalization(
        x, training=True, renorm=True, renorm_clipping={"rmax": 1.5, "rmin": 0.5, "dmax": 0.3},
        renorm_momentum=0.8,
    )  # fmt: skip
    return trained(tf, x, y + 1.0, data(5, 3))


@program
def dropouts(tf, np):
    tf.set_random_seed(3)
    x = tf.placeholder(tf.float32, [None, 8])
    a = tf.layers.dropout(x)
    b = tf.layers.dropout(x, 0.4, training=True)
    c = tf.layers.dropout(x, 0.4, noise_shape=[None, 1], seed=5, training=True)
    d = tf.layers.Dropout(rate=0.25, seed=1, name="d")(x, training=True)
    return {"fetch": [a, b, c, d], "feed": {x: data(3, 8)}, "times": 1, "step": tf.no_op()}


@program
def initial_values(tf, np):
    tf.set_random_seed(7)
    x = tf.placeholder(tf.float32, [None, 5, 5, 2])
    h = tf.layers.conv2d(x, 3, 2, kernel_initializer=tf.truncated_normal_initializer(stddev=0.1))
    h = tf.layers.flatten(h)
    with tf.variable_scope("v", initializer=tf.random_uniform_initializer(-0.2, 0.2)):
        h = tf.layers.dense(h, 2)
    y = tf.layers.dense(h, 2, kernel_initializer="he_normal", bias_initializer="ones")
    return {"fetch": [y, *tf.global_variables()], "feed": {x: data(1, 5, 5, 2)}, "load": False}


@program
def constraints(tf, np):
    x = tf.placeholder(tf.float32, [None, 2])
    y = tf.layers.dense(x, 2, kernel_constraint=lambda w: tf.clip_by_value(w, -0.3, 0.3))
    return trained(tf, x, y, data(2, 2))


@program
def initializers(tf, np):
    I = tf.initializers  # noqa: E741
    made = {
        "a": I.orthogonal(seed=3), "b": I.orthogonal(2.0, seed=4), "c": I.identity(2.0),
        "d": I.glorot_normal(seed=5), "e": I.lecun_normal(seed=6), "f": I.lecun_uniform(seed=7),
        "g": I.he_normal(seed=8), "h": I.variance_scaling(2.0, "fan_out", "uniform", seed=9),
        "i": I.variance_scaling(mode="fan_avg", distribution="untruncated_normal", seed=1),
        "j": I.uniform_unit_scaling(1.5, seed=2), "k": tf.keras.initializers.RandomNormal(seed=3),
        "l": tf.keras.initializers.RandomUniform(seed=3), "m": tf.keras.initializers.he_uniform(5),
        "n": tf.keras.initializers.TruncatedNormal(seed=2), "o": tf.keras.initializers.Ones(),
        "p": tf.contrib.layers.xavier_initializer(False, seed=3),
        "q": tf.contrib.layers.variance_scaling_initializer(1.5, "FAN_AVG", True, seed=3),
    }  # fmt: skip
    shapes = {"a": [4, 3], "b": [2, 3, 4], "c": [3, 3], "q": [2, 2, 3, 4]}
    for name, initializer in sorted(made.items()):
        tf.get_variable(name, shapes.get(name, [3, 4]), initializer=initializer)
    return {"fetch": list(tf.global_variables()), "load": False}


@program
def dropout_flag(tf, np):
    x = tf.placeholder(tf.float32, [None, 8])
    t = tf.placeholder(tf.bool)
    y = tf.layers.dropout(x, 0.5, training=t, seed=3)
    z = tf.contrib.layers.dropout(tf.ones_like(x), 0.25, is_training=t, seed=4)
    g = tf.gradients(tf.reduce_sum(y * x), x)[0]
    feeds = [{x: data(3, 8), t: True}, {x: data(3, 8), t: False}, {x: data(2, 8), t: True}]
    v = tf.Variable(0.0, trainable=False)
    step = tf.assign(v, tf.reduce_sum(y))
    return {"fetch": [y, z, g, v], "feed": feeds, "step": step, "times": 3}
