"""Rates, constraints, metrics and functions of Keras that few programs use."""

import numpy as np
from families import error, pattern, started


def _value(tf, x):
    with started(tf) as session:
        return session.run(x)


def schedules(tf, say, folder):
    s, e = tf.keras.optimizers.schedules, tf.keras.experimental
    made = [
        s.ExponentialDecay(0.1, 5, 0.5), s.ExponentialDecay(0.1, 5, 0.5, staircase=True),
        s.InverseTimeDecay(0.1, 5, 0.5, name="inv"), s.PolynomialDecay(0.1, 6, power=2.0),
        s.PolynomialDecay(0.1, 6, 0.01, cycle=True),
        s.PiecewiseConstantDecay([2.0, 7.0], [0.1, 0.01, 0.001]),
        e.CosineDecay(0.1, 8, 0.2), e.CosineDecayRestarts(0.1, 3, 2.0, 0.9, 0.1),
        e.LinearCosineDecay(0.1, 8), e.NoisyLinearCosineDecay(0.1, 8),
    ]  # fmt: skip
    for one in made:
        config = one.get_config()
        say([type(one).__name__, config, type(one).from_config(config).get_config() == config])
        again = s.serialize(one)
        say(again)
        if "Cosine" not in type(one).__name__:
            say(s.deserialize(again).get_config() == config)
        if "Noisy" not in type(one).__name__:
            rates = [one(tf.constant(float(n))) for n in (0, 2, 5, 9)]
            if "Piecewise" not in type(one).__name__:
                say([r.name for r in rates[:2]])
            say(_value(tf, rates))
    say([
        error(s.PiecewiseConstantDecay, [1], [1.0]), error(s.LearningRateSchedule().get_config),
        error(s.LearningRateSchedule(), 1), error(s.deserialize, {"class_name": "x", "config": {}}),
        error(s.ExponentialDecay, 0.1),
    ])  # fmt: skip


def schedules_of_optimizers(tf, say, folder):
    optimizers = tf.keras.optimizers
    decay = optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
    for rate in (decay, lambda: 0.25):
        tf.keras.backend.clear_session()
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(1, input_shape=(2,), kernel_initializer="ones")]
        )
        model.compile(optimizers.SGD(rate), "mse")
        x, y = pattern(4, 2), pattern(4, 1, k=2.0)
        say(model.fit(x, y, 2, 3, 0, shuffle=False).history["loss"])
        say(model.get_weights())
    config = optimizers.SGD(decay).get_config()
    say(config)
    say(type(optimizers.SGD.from_config(dict(config)).learning_rate).__name__)
    again = optimizers.deserialize(optimizers.serialize(optimizers.Adam(decay)))
    say(again.get_config()["learning_rate"])


def radial_constraint(tf, say, folder):
    radial = tf.keras.constraints.RadialConstraint()
    say(radial.get_config())
    for n in (2, 3, 4, 7, 8):
        say(_value(tf, radial(tf.constant(pattern(n, n, 2, 2), tf.float32))))
    say(error(radial, tf.zeros([3, 3])))
    say(type(tf.keras.constraints.get("RadialConstraint")).__name__)
    layer = tf.keras.layers.Conv2D(2, 5, kernel_constraint=radial, input_shape=(6, 6, 1))
    model = tf.keras.Sequential([layer, tf.keras.layers.Flatten()])
    model.compile("sgd", "mse")
    layer.set_weights([pattern(5, 5, 1, 2), np.zeros(2)])
    model.fit(pattern(2, 6, 6, 1), np.ones([2, 8]), verbose=0, shuffle=False)
    say(layer.get_weights())


def _fed(tf, say, metric, batches):
    for batch in batches:
        update = metric.update_state(*batch)
        result = metric.result()
        session = tf.keras.backend.get_session()
        session.run(update)
        say(session.run(result))
    say([metric.name, [w.shape.as_list() for w in metric.weights]])
    say(tf.keras.backend.batch_get_value(metric.weights))
    metric.reset_states()
    say(tf.keras.backend.batch_get_value(metric.weights))


def mean_tensor(tf, say, folder):
    m = tf.keras.metrics.MeanTensor()
    say([m.total, m.count, error(m.result)])
    _fed(tf, say, m, [([[1.0, 2], [3, 4]],), ([[3.0, 2], [1, 0]], [[0.5, 2.0], [0, 1]]),
                      ([[3.0, 2], [1, 0]], [1.0, 3.0])])  # fmt: skip
    say([m.total.name, m.count.name, m.get_config()])
    say(error(m.update_state, [1.0, 2.0]))


def mean_relative_error(tf, say, folder):
    m = tf.keras.metrics.MeanRelativeError([1.0, 2.0, 0.0, 4.0])
    t, p = [1.0, 3, 5, 7], [2.0, 2, 2, 2]
    _fed(tf, say, m, [(t, p), (t, p, [1.0, 0, 2, 3])])
    say(m.get_config())
    say(error(m.update_state, t, [1.0]))


def rates_at_rates(tf, say, folder):
    metrics = tf.keras.metrics
    t, p, w = [0, 0, 1, 1, 1], [0.1, 0.7, 0.3, 0.8, 0.9], [1.0, 2, 3, 4, 5]
    for kind in (metrics.SensitivityAtSpecificity, metrics.SpecificityAtSensitivity):
        for value, number in ((0.4, 5), (0.8, 1), (0.6, 20)):
            m = kind(value, number)
            _fed(tf, say, m, [(t, p), (t, p, w)])
            say(m.get_config())
        say([error(kind, 1.2), error(kind, 0.5, 0)])


def normalize_batch(tf, say, folder):
    normalize = tf.keras.backend.normalize_batch_in_training
    for shape, axes in (((4, 3), [0]), ((2, 3, 3, 4), [0, 1, 2]), ((2, 3, 4, 3), [0, 2, 3])):
        n = shape[1] if axes == [0, 2, 3] else shape[-1]
        x = tf.constant(pattern(*shape), tf.float32)
        gamma, beta = (tf.constant(pattern(n, k=k), tf.float32) for k in (1.0, 2.0))
        say(_value(tf, [normalize(x, gamma, beta, axes), normalize(x, None, None, axes, 0.1)]))


def convolutions(tf, say, folder):
    K = tf.keras.backend
    first = {"data_format": "channels_first"}
    cases = [
        (K.conv2d_transpose, (2, 3, 3, 2), (3, 3, 4, 2), ((2, 5, 5, 4),), {}),
        (K.conv2d_transpose, (2, 3, 3, 2), (3, 3, 4, 2), ((None, 6, 6, 4),),
         {"strides": (2, 2), "padding": "same"}),
        (K.conv2d_transpose, (2, 2, 3, 3), (3, 3, 4, 2), ((2, 4, 6, 6),),
         {"strides": (2, 2), "padding": "same", **first}),
        (K.conv2d_transpose, (2, 3, 3, 2), (3, 3, 4, 2), ((2, 7, 7, 4),),
         {"dilation_rate": (2, 2)}),
        (K.conv3d, (1, 3, 3, 3, 2), (2, 2, 2, 2, 3), (), {}),
        (K.conv3d, (1, 2, 3, 3, 3), (2, 2, 2, 2, 3), (),
         {"strides": (2, 1, 1), "padding": "same", **first}),
        (K.conv3d, (1, 3, 3, 3, 2), (2, 2, 2, 2, 3), (), {"dilation_rate": (2, 2, 2)}),
        (K.separable_conv2d, (1, 4, 4, 2), (2, 2, 2, 2), (pattern(1, 1, 4, 3),), {}),
        (K.separable_conv2d, (1, 2, 4, 4), (2, 2, 2, 2), (pattern(1, 1, 4, 3),),
         {"strides": (2, 2), "padding": "same", **first}),
        (K.local_conv1d, (2, 5, 2), (2, 6, 3), ((3,), (2,)), {}),
        (K.local_conv1d, (2, 2, 5), (2, 6, 3), ((3,), (2,)), first),
        (K.local_conv2d, (2, 5, 5, 2), (4, 18, 3), ((3, 3), (2, 2), (2, 2)), {}),
        (K.local_conv2d, (2, 2, 5, 5), (4, 18, 3), ((3, 3), (2, 2), (2, 2)), first),
    ]  # fmt: skip
    for f, shape, kernel, more, options in cases:
        x, k = (tf.constant(pattern(*s), tf.float32) for s in (shape, kernel))
        more = [tf.constant(m, tf.float32) if isinstance(m, np.ndarray) else m for m in more]
        y = f(x, k, *more, **options)
        say(y.shape.as_list())
        say(_value(tf, y))
    x = tf.zeros([1, 2, 2, 2, 1])
    say([
        error(K.conv3d, x, x, data_format="x"), error(K.pool3d, x, (1, 1, 1), pool_mode="x"),
        error(K.resize_volumes, x, 1, 1, 1, "x"),
        error(K.conv2d_transpose, x, x, (1,), data_format="x"),
    ])  # fmt: skip


def volumes(tf, say, folder):
    K = tf.keras.backend
    x = tf.constant(pattern(1, 4, 4, 4, 2), tf.float32)
    for y in (
        K.pool3d(x, (2, 2, 2)),
        K.pool3d(x, (2, 3, 2), (2, 2, 2), "same", pool_mode="avg"),
        K.pool3d(x, (2, 2, 2), data_format="channels_first"),
        K.resize_volumes(x[:, :2, :2, :1], 2, 3, 2, "channels_last"),
        K.resize_volumes(x[:, :1, :2, :2], 2, 1, 2, "channels_first"),
    ):
        say(y.shape.as_list())
        say(_value(tf, y))


def locally_connected(tf, say, folder):
    L = tf.keras.layers
    for kind, shape in ((L.LocallyConnected1D, (2, 5)), (L.LocallyConnected2D, (2, 4, 5))):
        layer = kind(3, 2, data_format="channels_first", input_shape=shape)
        model = tf.keras.Sequential([layer])
        layer.set_weights([pattern(*w.shape.as_list(), k=i) for i, w in enumerate(layer.weights)])
        say(model.predict(pattern(2, *shape)))


def labels_of_sequences(tf, say, folder):
    K = tf.keras.backend
    p = np.exp(pattern(2, 6, 4) * 4)
    p = tf.constant(p / p.sum(-1, keepdims=True), tf.float32)
    labels, steps, sizes = [[0, 1, 2], [2, 1, 0]], [[6], [5]], [[3], [2]]
    cost = K.ctc_batch_cost(tf.constant(labels), p, tf.constant(steps), tf.constant(sizes))
    say(_value(tf, [cost, *tf.gradients(cost, p)]))
    sparse = K.ctc_label_dense_to_sparse(tf.constant(labels), tf.constant([3, 2]))
    say(_value(tf, [sparse.indices, sparse.values, sparse.dense_shape]))
    for options in ({}, {"greedy": False, "beam_width": 5, "top_paths": 3}):
        decoded, logs = K.ctc_decode(p, tf.constant([6, 5]), **options)
        say(_value(tf, [decoded, logs]))
