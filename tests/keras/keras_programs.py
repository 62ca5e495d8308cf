"""Programs of tf.keras: `record.py` writes down what TensorFlow 1.15 says, the test compares."""

import numpy as np
from recorded import plain

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def pattern(shape, k):
    n = int(np.prod(shape, dtype=int))
    return (np.sin(1.7 * np.arange(1, n + 1) + k) * 0.5).reshape(shape)


def load(m):
    """Weights of a fixed pattern; variances are positive."""
    made = []
    for i, (w, v) in enumerate(zip(m.get_weights(), m.weights)):  # noqa: B905
        p = pattern(w.shape, i)
        made.append(p**2 + 0.5 if "variance" in v.name else p)
    m.set_weights(made)


def arrays():
    rng = np.random.RandomState(0)
    x = rng.rand(20, 3).astype("f")
    return rng, x, (rng.rand(20) * 3).astype(int)


def numbers(h):
    return {k: [float(v) for v in vs] for k, vs in sorted(h.history.items())}


def observe(tf, f, folder):
    """What a program says: rows of text and of numbers."""
    tf.keras.backend.clear_session()
    out = []
    f(tf, tf.keras, out.append, folder)
    return [plain(x) for x in out]


@program
def sequential_by_all_optimizers(tf, K, say, folder):
    _, x, y = arrays()
    m = K.Sequential(
        [
            K.layers.Dense(4, activation="relu", input_shape=(3,), use_bias=False),
            K.layers.BatchNormalization(),
            K.layers.Dense(3, activation="softmax"),
        ]
    )
    o = K.optimizers
    for opt in (
        "sgd",
        "adam",
        "rmsprop",
        "adagrad",
        "adadelta",
        "adamax",
        "nadam",
        o.Adagrad(0.1),
        o.SGD(0.1, momentum=0.9, nesterov=True, decay=0.1),
        o.SGD(0.1, clipvalue=0.01),
        o.Adam(0.01, amsgrad=True, clipnorm=0.1),
        o.RMSprop(0.01, momentum=0.5, centered=True),
        tf.train.AdamOptimizer(0.01),
    ):
        load(m)
        m.compile(opt, "sparse_categorical_crossentropy", metrics=["accuracy"])
        h = m.fit(
            x, y, epochs=2, batch_size=8, verbose=0, shuffle=False, validation_data=(x[:4], y[:4])
        )
        say(numbers(h))
    say(m.predict(x[:2]))
    say([v.name for v in m.weights])
    say(m.metrics_names)
    say(m.evaluate(x, y, verbose=0))
    say([len(m.trainable_weights), m.count_params(), m.input_shape, m.output_shape])
    m.summary(print_fn=say)


@program
def functional_of_several_inputs(tf, K, say, folder):
    _, x, _ = arrays()
    i, j = K.Input((3,)), K.Input((2,))
    d = K.layers.Dense(4, activation="tanh")
    u = d(i)
    w = K.layers.Dense(1, name="o1")(K.layers.concatenate([u, j]))
    z = K.layers.Dense(2, name="o2", kernel_regularizer=K.regularizers.l2(0.1))(
        K.layers.add([u, d(i)])
    )
    m = K.Model([i, j], [w, z])
    load(m)
    m.compile("sgd", ["mse", "mae"], loss_weights=[1.0, 0.5], metrics={"o1": ["mae"]})
    h = m.fit([x, x[:, :2]], [x[:, :1], x[:, 1:]], epochs=2, batch_size=5, verbose=0, shuffle=False)
    say(numbers(h))
    say([m.metrics_names, [layer.name for layer in m.layers], [v.name for v in m.weights]])
    say(m.predict([x[:2], x[:2, :2]]))
    again = K.models.model_from_json(m.to_json())
    again.set_weights(m.get_weights())
    say(again.predict([x[:2], x[:2, :2]]))
    q = m([tf.constant(x[:2]), tf.constant(x[:2, :2])])
    say(K.backend.get_session().run(q))
    half = K.Model(i, tf.square(u) * 2.0 + 1.0)
    say(half.predict(x[:2]))


@program
def recurrent(tf, K, say, folder):
    rng, _, _ = arrays()
    s = rng.rand(4, 5, 3).astype("f")
    L = K.layers
    for make in (
        lambda: L.LSTM(4),
        lambda: L.GRU(4, return_sequences=True),
        lambda: L.SimpleRNN(4, go_backwards=True),
        lambda: L.GRU(3, reset_after=True),
        lambda: L.Bidirectional(L.LSTM(2, return_sequences=True)),
        lambda: L.TimeDistributed(L.Dense(2)),
        lambda: L.LSTM(2, return_state=True),
        lambda: L.Conv1D(2, 2, padding="same"),
        lambda: L.RNN([L.LSTMCell(2), L.GRUCell(3)]),
    ):
        i = K.Input((5, 3))
        m = K.Model(i, make()(i))
        load(m)
        say([m.layers[-1].name, [v.name for v in m.weights], m.output_shape, m.count_params()])
        say(m.predict(s))
    e = K.Sequential(
        [
            L.Embedding(10, 3, mask_zero=True, input_length=4),
            L.LSTM(2, return_sequences=True),
            L.LSTM(3),
            L.Dense(1, activation="sigmoid"),
        ]
    )
    load(e)
    e.compile("adam", "binary_crossentropy", metrics=["acc"])
    ids = np.array([[1, 2, 0, 0], [3, 4, 5, 0], [9, 8, 7, 6]])
    say(e.predict(ids))
    say(numbers(e.fit(ids, np.array([0, 1, 1]), epochs=3, verbose=0, shuffle=False)))


@program
def layers_of_images(tf, K, say, folder):
    rng, _, _ = arrays()
    im = rng.rand(2, 8, 8, 3).astype("f")
    L = K.layers
    for make in (
        lambda: L.Conv2D(4, 3, activation="relu"),
        lambda: L.DepthwiseConv2D(3),
        lambda: L.SeparableConv2D(4, 3),
        lambda: L.Conv2DTranspose(2, 3, strides=2),
        lambda: L.ZeroPadding2D(((1, 0), (2, 1))),
        lambda: L.ZeroPadding2D(2),
        lambda: L.ZeroPadding2D((1, 2)),
        lambda: L.Cropping2D(((1, 2), (0, 3))),
        lambda: L.UpSampling2D(2, interpolation="bilinear"),
        lambda: L.UpSampling2D((1, 3)),
        lambda: L.MaxPooling2D(),
        lambda: L.AveragePooling2D(3, 2, "same"),
        lambda: L.GlobalAveragePooling2D(),
        lambda: L.GlobalMaxPooling2D(),
        lambda: L.Flatten(),
        lambda: L.Reshape((4, 48)),
        lambda: L.Permute((3, 1, 2)),
        lambda: L.PReLU(shared_axes=[1, 2]),
        lambda: L.LeakyReLU(),
        lambda: L.ReLU(0.5, 0.1, 0.2),
        lambda: L.ELU(0.5),
        lambda: L.ThresholdedReLU(0.4),
        lambda: L.LayerNormalization(),
        lambda: L.BatchNormalization(),
        lambda: L.Lambda(lambda t: t * 2.0),
        lambda: L.Activation("hard_sigmoid"),
        lambda: L.Softmax(),
        lambda: L.SpatialDropout2D(0.3),
        lambda: L.GaussianNoise(0.1),
    ):
        i = K.Input((8, 8, 3))
        m = K.Model(i, make()(i))
        load(m)
        r = m.predict(im)
        say([m.layers[-1].name, [v.name for v in m.weights], m.output_shape, r.shape])
        say([r.sum(), (r * np.cos(np.arange(r.size)).reshape(r.shape)).sum()])
    for make in (
        lambda: L.ZeroPadding1D(2),
        lambda: L.ZeroPadding1D((1, 3)),
        lambda: L.Cropping1D(1),
        lambda: L.UpSampling1D(2),
        lambda: L.MaxPooling1D(),
        lambda: L.GlobalMaxPooling1D(),
    ):
        i = K.Input((8, 3))
        say(K.Model(i, make()(i)).predict(im[:, 0])[0])
    i = K.Input((4, 4, 4, 3))
    for make in (
        lambda: L.ZeroPadding3D(1),
        lambda: L.Cropping3D(1),
        lambda: L.MaxPooling3D(),
        lambda: L.UpSampling3D(2),
    ):
        r = K.Model(i, make()(i)).predict(im.reshape(2, 4, 4, 4, 3))
        say([r.shape, (r * np.cos(np.arange(r.size)).reshape(r.shape)).sum()])


@program
def subclasses_callbacks_and_metrics(tf, K, say, folder):
    _, x, _ = arrays()

    class My(K.layers.Layer):
        def __init__(self, n, **k):
            super().__init__(**k)
            self.n = n

        def build(self, s):
            self.w = self.add_weight(name="w", shape=(int(s[-1]), self.n), initializer="ones")
            super().build(s)

        def call(self, t):
            return K.backend.dot(t, self.w)

    m = K.Sequential([My(2, input_shape=(3,)), K.layers.Dropout(0.5)])
    say(m.predict(x[:2]))
    say([v.name for v in m.weights])
    cb = K.callbacks.EarlyStopping(monitor="loss", patience=0)
    s = K.Sequential([K.layers.Dense(1, input_shape=(3,))])
    load(s)
    s.compile(K.optimizers.SGD(5.0), "mse")
    say(s.fit(x, x[:, :1], epochs=10, verbose=0, callbacks=[cb], shuffle=False).epoch)
    load(s)
    s.compile(K.optimizers.SGD(0.1), "mse")
    rate = K.callbacks.LearningRateScheduler(lambda e: 0.1 / (e + 1))
    h = s.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[rate], shuffle=False)
    say(numbers(h))
    flat = K.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=10.0)
    say(numbers(s.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[flat], shuffle=False)))
    rows = ((x[i : i + 5], x[i : i + 5, :1]) for i in [0, 5, 10] * 5)
    load(s)
    say(numbers(s.fit_generator(rows, steps_per_epoch=3, epochs=2, verbose=0)))
    s.save_weights(folder + "/w")
    kept = s.get_weights()
    s.set_weights([q * 0 for q in kept])
    s.load_weights(folder + "/w")
    say([bool((p == q).all()) for p, q in zip(kept, s.get_weights())])  # noqa: B905
    load(s)
    M = K.metrics
    s.compile("sgd", "mse", metrics=[M.RootMeanSquaredError(), M.MeanAbsoluteError(name="m")])
    say(s.evaluate(x, x[:, :1], verbose=0, batch_size=8))
    say(s.train_on_batch(x, x[:, :1], sample_weight=np.arange(20)))
    rows = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(5).repeat()
    load(s)
    s.compile("sgd", "mse")
    say(numbers(s.fit(rows, epochs=2, steps_per_epoch=4, verbose=0)))
    b = K.Sequential([K.layers.Dense(1, activation="sigmoid", input_shape=(3,))])
    load(b)
    y = (x[:, 0] > 0.5).astype(int)
    b.compile(
        "sgd",
        "binary_crossentropy",
        metrics=["accuracy", M.AUC(name="auc"), M.Precision(name="p"), M.Recall(name="r"), "mse"],
    )
    say(b.metrics_names)
    say(b.evaluate(x, y, verbose=0, batch_size=7))
    say(numbers(b.fit(x, y, epochs=2, verbose=0, shuffle=False, class_weight={0: 1.0, 1: 3.0})))
    c = K.Sequential([K.layers.Dense(3, activation="softmax", input_shape=(3,))])
    load(c)
    t = K.utils.to_categorical((x[:, 0] * 3).astype(int), 3)
    for loss in (
        "categorical_crossentropy",
        "mae",
        "mape",
        "msle",
        "hinge",
        "squared_hinge",
        "kullback_leibler_divergence",
        "poisson",
        "cosine_proximity",
        "logcosh",
        "categorical_hinge",
        K.losses.Huber(0.3),
        K.losses.CategoricalCrossentropy(label_smoothing=0.1),
    ):
        c.compile("sgd", loss, metrics=["accuracy"])
        say(c.evaluate(x, t, verbose=0))


@program
def backend_functions(tf, K, say, folder):
    B = K.backend
    _, x, _ = arrays()
    v = B.variable(x[:4])
    p = B.placeholder((None, 3))
    f = B.function([p], [B.sum(p, axis=1), B.mean(p) * v[0, 0]], updates=[(v, v * 2.0)])
    say(f([x[:2]]))
    say(B.get_value(v))
    B.set_value(v, x[4:8])
    say(B.eval(B.dot(v, B.transpose(v))))
    a, b = B.constant(x[:4].reshape(2, 2, 3)), B.constant(x[4:8].reshape(2, 2, 3))
    say(B.eval(B.batch_dot(a, b, axes=2)))
    say(B.eval(B.batch_dot(a, B.permute_dimensions(b, (0, 2, 1)))))
    for y in (
        B.relu(v - 0.5, alpha=0.1, max_value=0.3),
        B.hard_sigmoid(v),
        B.l2_normalize(v, 1),
        B.std(v, axis=0),
        B.var(v),
        B.clip(v, 0.2, 0.6),
        B.batch_flatten(a),
        B.repeat_elements(v, 2, 1),
        B.one_hot(B.constant([0, 2], "int32"), 3),
        B.concatenate([v, v], 0),
        B.softmax(v),
        B.elu(v - 0.5, 0.5),
        B.any(v > 0.9, 1),
        B.temporal_padding(a, (1, 0)),
        B.arange(3),
        B.repeat(v, 2),
        B.cumsum(v, 1),
        B.switch(v > 0.5, v, -v),
        B.in_train_phase(v, v * 2.0),
        B.reverse(v, 0),
        B.binary_crossentropy(v, B.clip(v + 0.1, 0.0, 0.9)),
        B.categorical_crossentropy(v, v),
    ):
        say(B.eval(y))
    say([B.int_shape(v), B.ndim(a), B.dtype(v), B.floatx(), B.image_data_format()])
    g = B.gradients(B.sum(B.square(v)), [v])[0]
    say(B.eval(g))
    say(K.preprocessing.sequence.pad_sequences([[1, 2, 3], [4]], maxlen=2))
    say(K.preprocessing.sequence.pad_sequences([[1, 2, 3], [4]], padding="post", value=9))


def local(name, shape, make):
    """A layer inside a model: names and shapes of weights, output, and the loss of two steps."""

    def f(tf, K, say, folder):
        m = K.Sequential([make(K.layers, shape)])
        load(m)
        x = pattern((2, *shape), 3)
        y = m.predict(x)
        say([[w.name, w.shape.as_list()] for w in m.weights])
        say([list(y.shape), y.ravel()[:60]])
        m.compile("sgd", "mse")
        say([float(m.train_on_batch(x, y * 0.5)) for _ in range(2)])

    PROGRAMS["local_" + name] = f


local("2d", (5, 6, 2), lambda L, s: L.LocallyConnected2D(
    3, (2, 3), strides=(2, 1), activation="tanh", input_shape=s))  # fmt: skip
local("2d_bare", (4, 4, 1), lambda L, s: L.LocallyConnected2D(
    2, 3, use_bias=False, input_shape=s))  # fmt: skip
local("1d", (7, 3), lambda L, s: L.LocallyConnected1D(
    4, 3, strides=2, kernel_regularizer="l2", input_shape=s))  # fmt: skip
local("conv_lstm", (3, 4, 5, 2), lambda L, s: L.ConvLSTM2D(
    3, (2, 2), padding="same", return_sequences=True, input_shape=s))  # fmt: skip
local("conv_lstm_last", (4, 5, 5, 1), lambda L, s: L.ConvLSTM2D(
    2, 3, strides=2, go_backwards=True, unit_forget_bias=False, input_shape=s))  # fmt: skip
local("conv_lstm_sparse", (3, 6, 6, 1), lambda L, s: L.ConvLSTM2D(
    2, 2, dilation_rate=2, activation="relu", use_bias=False, input_shape=s))  # fmt: skip
