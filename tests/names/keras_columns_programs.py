"""Feature columns in models, models as estimators, metrics of models; names of their variables."""

import os

import numpy as np
from families import error, pattern, started, variables


def _columns(tf):
    c = tf.feature_column
    words = c.categorical_column_with_vocabulary_list("b", ["x", "y", "z"])
    ids = c.categorical_column_with_identity("c", 3)
    return [
        c.numeric_column("a", shape=(2,)), c.embedding_column(words, 2), c.indicator_column(ids),
        c.bucketized_column(c.numeric_column("d"), [0.0, 1.0]),
    ]  # fmt: skip


def _features(tf):
    return {
        "a": tf.constant([[1.0, 2], [3, 4]]), "b": tf.constant([["x"], ["q"]]),
        "c": tf.constant([[1], [2]]), "d": tf.constant([[-1.0], [3.0]]),
    }  # fmt: skip


def dense_features(tf, say, folder):
    layer = tf.keras.layers.DenseFeatures(_columns(tf)[::-1])
    made = {}
    y, again = layer(_features(tf), cols_to_output_tensors=made), layer(_features(tf))
    say([y.name, y.shape.as_list(), layer.name, sorted(c.name for c in made)])
    say([[w.name, w.shape.as_list()] for w in layer.trainable_weights])
    say(list(layer.compute_output_shape((None, 3))))
    session = started(tf, tf.tables_initializer())
    layer.set_weights([pattern(3, 2)])
    layer.weights[0].load(pattern(3, 2), session)
    say(session.run(y))
    say(session.run([again, tf.convert_to_tensor(tf.gradients(y, layer.weights)[0])]))
    say(variables(tf))
    fixed = tf.keras.layers.DenseFeatures(_columns(tf), trainable=False, name="fixed")
    fixed(_features(tf))
    say([[w.name for w in fixed.trainable_weights], [w.name for w in fixed.weights]])
    dense, column = tf.keras.layers.DenseFeatures, tf.feature_column
    say([
        error(layer, [1, 2]), error(layer, tf.zeros([2, 2])), error(dense, []),
        error(dense, [column.categorical_column_with_identity("c", 3)]),
        error(dense, [column.numeric_column("a"), column.numeric_column("a")]),
    ])  # fmt: skip


def dense_features_in_models(tf, say, folder):
    columns = [_columns(tf)[0], _columns(tf)[2]]
    x = {"a": pattern(4, 2), "c": np.array([[1], [2], [0], [1]])}
    given = {
        "a": tf.keras.Input((2,), name="a"), "c": tf.keras.Input((1,), name="c", dtype="int32")
    }  # fmt: skip
    y = tf.keras.layers.DenseFeatures(columns)(given)
    y = tf.keras.layers.Dense(1, kernel_initializer="ones")(y)
    model = tf.keras.Model([given["a"], given["c"]], y)
    model.compile("sgd", "mse")
    say(model.fit(x, pattern(4, 1), verbose=0, shuffle=False).history)
    say(model.predict(x))
    say([w.name for w in model.weights])


def sequence_features(tf, say, folder):
    c = tf.feature_column
    numbers = tf.SparseTensor([[0, 0], [1, 0], [1, 1]], [1.0, 2, 3], [2, 2])
    ids = tf.SparseTensor([[0, 0], [1, 0], [1, 1]], tf.constant([1, 2, 0], tf.int64), [2, 2])
    identity = c.sequence_categorical_column_with_identity
    columns = [
        c.sequence_numeric_column("a"), c.embedding_column(identity("b", 3), 2),
        c.indicator_column(identity("c", 3)),
    ]  # fmt: skip
    layer = tf.keras.experimental.SequenceFeatures(columns)
    given = {"a": numbers, "b": ids, "c": ids}
    y, n = layer(given)
    say([y.name, layer.name, [w.name for w in layer.weights]])
    say(list(layer.compute_output_shape((None, None))))
    session = started(tf)
    layer.weights[0].load(pattern(3, 2), session)
    say(session.run([y, n]))
    short = tf.SparseTensor([[0, 0]], tf.constant([1], tf.int64), [2, 2])
    say(error(session.run, layer({**given, "b": short})))
    say([error(layer, [1]), error(type(layer), [c.numeric_column("a")])])


def _model(tf):
    L = tf.keras.layers
    return tf.keras.Sequential(
        [
            L.Dense(2, input_shape=(3,), kernel_initializer="ones", activation="tanh"),
            L.Dropout(0.0),
            L.Dense(1, kernel_initializer="ones"),
        ]
    )


def _files(folder):
    return sorted(f for f in os.listdir(folder) if "tfevents" not in f)


def _data(tf, x, *labels):
    parts = (x, *labels) if labels else x
    return lambda: tf.data.Dataset.from_tensor_slices(parts).batch(4)


def _shown(tf, say, estimator, x, y):
    say(_files(os.path.join(estimator.model_dir, "keras")))
    say(list(estimator.predict(_data(tf, x)))[:2])
    estimator.train(_data(tf, x, y), steps=4)
    say(estimator.get_variable_names())
    say({n: estimator.get_variable_value(n) for n in estimator.get_variable_names()})
    result = estimator.evaluate(_data(tf, x, y))
    say(dict(result))
    say(next(iter(estimator.predict(_data(tf, x)))))
    say(_files(estimator.model_dir))


def model_to_estimator(tf, say, folder):
    x, y = pattern(10, 3).astype("f"), pattern(10, 1, k=1.0).astype("f")
    made = tf.keras.estimator.model_to_estimator
    for name, optimizer, metrics in (
        ("sgd", "sgd", ["mae"]),
        ("adam", tf.keras.optimizers.Adam(0.1), ["mse", "acc"]),
        ("plain", tf.train.GradientDescentOptimizer(0.1), None),
    ):
        tf.keras.backend.clear_session()
        model = _model(tf)
        model.compile(optimizer, "mse", metrics=metrics)
        weights = model.get_weights()
        weights[0] = pattern(3, 2, k=2.0)
        model.set_weights(weights)
        _shown(tf, say, made(model, model_dir=os.path.join(folder, name)), x, y)
    say([
        error(made), error(made, model, "path"), error(made, _model(tf)),
        error(made, model, checkpoint_format="x"),
    ])  # fmt: skip
    other = made(model, model_dir=os.path.join(folder, "other"))
    say(error(other.train, _data(tf, {"other": x}, y), steps=1))
    other.train(_data(tf, {"dense_input": x}, y), steps=1)
    say(dict(other.evaluate(_data(tf, {"dense_input": x}, {"dense_1": y}))))


def several_outputs_to_estimator(tf, say, folder):
    L = tf.keras.layers
    x, y = pattern(8, 3).astype("f"), pattern(8, 1, k=1.0).astype("f")
    i, j = (tf.keras.Input((3,), name=n) for n in ("in1", "in2"))
    a = L.Dense(1, name="o1", kernel_initializer="ones")(i)
    b = L.Dense(1, name="o2", kernel_initializer="ones")(L.add([i, j]))
    model = tf.keras.Model([i, j], [a, b])
    model.compile("sgd", "mse", metrics=["mae"], loss_weights=[0.5, 2.0])
    made = tf.keras.estimator.model_to_estimator(model, model_dir=folder)
    _shown(tf, say, made, {"in1": x, "in2": x * 2}, {"o1": y, "o2": -y})


def names_of_optimizers(tf, say, folder):
    x, y = pattern(4, 3), pattern(4, 1)
    for optimizer in (tf.keras.optimizers.SGD(0.1, momentum=0.9), "adam"):
        model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(3,))])
        model.compile(optimizer, "mse", [tf.keras.metrics.MeanAbsoluteError()])
        model.fit(x, y, verbose=0)
        say([v.name for v in model.optimizer.weights])
    alone = tf.keras.optimizers.Adam(decay=0.1)
    v = tf.Variable(1.0, name="v", use_resource=True)
    with tf.name_scope("a"):
        alone.minimize(lambda: v * v, [v])
    say([w.name for w in alone.weights])
    say([w.name for w in tf.global_variables()])
    other = tf.keras.optimizers.SGD()
    other.iterations = tf.train.get_or_create_global_step()
    say([w.name for w in other.weights])
    say(error(setattr, other, "iterations", v))


def metrics_of_models(tf, say, folder):
    x, y = pattern(4, 2), pattern(4, 1)

    def shown(model):
        history = model.fit(x, y, 2, 2, 0, shuffle=False).history
        say({k: [float(n) for n in v] for k, v in history.items()})
        say([float(n) for n in model.evaluate(x, y, 2, 0)])
        say(model.metrics_names)

    given = tf.keras.Input((2,))
    made = tf.keras.layers.Dense(1, kernel_initializer="ones")(given)
    model = tf.keras.Model(given, made)
    model.add_metric(tf.reduce_sum(made), name="before", aggregation="mean")
    model.compile("sgd", "mse", metrics=["mae"])
    model.add_metric(made * 2.0, name="after", aggregation="mean")
    shown(model)

    class Own(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(1, kernel_initializer="ones")
            self.mean = tf.keras.metrics.Mean(name="own")

        def call(self, inputs):
            y = self.dense(inputs)
            self.add_metric(self.mean(y))
            self.add_metric(y * y, name="squares", aggregation="mean")
            return y

    own = Own()
    own.compile("sgd", "mse")
    shown(own)
    say([
        error(model.add_metric, tf.keras.metrics.Mean()(made)),
        error(model.add_metric, made), error(model.add_metric, made, name="v"),
        error(model.add_metric, made, name="v", aggregation="sum"),
    ])  # fmt: skip
    say([v.name for v in tf.local_variables()])
    say([v.name for v in tf.global_variables() if "training" not in v.name])


def metrics_of_estimators(tf, say, folder):
    def model_fn(features, labels, mode):
        w = tf.get_variable("w", [1], initializer=tf.ones_initializer())
        y = features["x"] * w
        mean = tf.keras.metrics.MeanAbsoluteError()
        mean.update_state(labels, y)
        loss = tf.reduce_mean(tf.square(y - labels))
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, tf.train.get_global_step())
        return tf.estimator.EstimatorSpec(
            mode, {"y": y}, loss, train, eval_metric_ops={"mae": mean}
        )

    made = tf.estimator.Estimator(model_fn, folder)
    x, y = pattern(10).astype("f"), pattern(10, k=1.0).astype("f")
    made.train(_data(tf, {"x": x}, y))
    say(made.get_variable_names())
    say(dict(made.evaluate(_data(tf, {"x": x}, y))))


def cloned_models(tf, say, folder):
    clone = tf.keras.models.clone_model
    model = _model(tf)
    x = tf.constant(pattern(2, 3), tf.float32)
    copy = clone(model, x)
    say([type(copy).__name__, [w.name for w in copy.weights], copy.outputs[0].shape.as_list()])
    copy.set_weights([pattern(*w.shape.as_list()) for w in model.weights])
    say(tf.keras.backend.get_session().run(copy.outputs[0]))
    i, j = tf.keras.Input((3,)), tf.keras.Input((3,))
    shared = tf.keras.layers.Dense(2, name="shared")
    y = tf.keras.layers.add([shared(i), shared(j)])
    both = tf.keras.Model([i, j], y)
    again = clone(both, [tf.keras.Input((3,)), x])
    say([[w.name for w in again.weights], again.outputs[0].shape.as_list()])
    seen = []

    def renamed(layer):
        seen.append(layer.name)
        return type(layer).from_config(layer.get_config())

    say([[w.shape.as_list() for w in clone(both, clone_function=renamed).weights], sorted(seen)])
    say(error(clone, type("Own", (tf.keras.Model,), {})()))


def own_cells(tf, say, folder):
    class Cell(tf.keras.layers.AbstractRNNCell):
        def build(self, shape):
            self.kernel = self.add_weight("kernel", (shape[-1], 2), initializer="ones")
            self.built = True

        def call(self, inputs, states):
            y = tf.tanh(tf.matmul(inputs, self.kernel) + states[0])
            return y, [y]

        @property
        def state_size(self):
            return 2

        @property
        def output_size(self):
            return 2

    y = tf.keras.layers.RNN(Cell())(tf.constant(pattern(2, 3, 4), tf.float32))
    say([y.shape.as_list(), variables(tf)])
    say(started(tf).run(y))
    plain = tf.keras.layers.AbstractRNNCell()
    say([error(plain.call, 1, 2), error(getattr, plain, "state_size")])
    say(Cell().get_initial_state(batch_size=3, dtype=tf.float32).shape.as_list())
