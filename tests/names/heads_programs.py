"""Heads of estimators, estimators with a head of the user's, and what is added to estimators."""

import numpy as np
from families import error, started

X = {"x": np.array([[1.0], [2.0], [3.0], [4.0]], "f"), "w": np.array([[1.0], [2], [1], [0.5]], "f")}
MANY = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0], [1, 1, 0]])
ONE = np.array([[-1.0], [0.5], [2.0], [0.1]], "f")
THREE = np.array([[-1.0, 0, 1], [0.5, 0.2, 0.1], [2.0, 1, 0], [0.1, 0.3, 0.2]], "f")


def _rows(tf):
    e = tf.estimator
    two, numbers = np.array([[0], [1], [1], [0]]), np.array([[0.0], [1], [3], [0]], "f")

    def own(labels, logits):
        return tf.abs(tf.cast(labels, tf.float32) - logits)

    return {
        "binary": (e.BinaryClassHead(thresholds=[0.5, 0.7]), ONE, two),
        "named": (
            e.BinaryClassHead("w", name="n", label_vocabulary=["a", "b"]), ONE,
            np.array([["a"], ["b"], ["b"], ["a"]]),
        ),
        "classes": (e.MultiClassHead(3, loss_reduction="sum"), THREE, np.array([0, 1, 2, 0])),
        "vocabulary": (
            e.MultiClassHead(3, "w", ["a", "b", "c"]), THREE, np.array([["a"], ["b"], ["c"], ["a"]])
        ),
        "labels": (e.MultiLabelHead(3, thresholds=[0.3]), THREE, MANY),
        "labels_of_classes": (
            e.MultiLabelHead(3, "w", classes_for_class_based_metrics=[0, 2]), THREE, MANY
        ),
        "numbers": (e.RegressionHead(weight_column="w"), ONE, numbers),
        "link": (e.RegressionHead(3, name="r", inverse_link_fn=tf.exp), THREE, MANY.astype("f")),
        "own_loss": (e.RegressionHead(loss_fn=own), ONE, numbers),
        "poisson": (e.PoissonRegressionHead(), ONE, numbers),
        "poisson_short": (e.PoissonRegressionHead(compute_full_loss=False), ONE, numbers),
        "logistic": (e.LogisticRegressionHead(), ONE, np.array([[0.0], [1], [1], [0.5]], "f")),
        "several": (
            e.MultiHead([e.RegressionHead(name="a"), e.BinaryClassHead(name="b")], [0.5, 2.0]),
            {"a": ONE, "b": ONE}, {"a": numbers, "b": two},
        ),
        "split": (
            e.MultiHead([e.RegressionHead(1, name="a"), e.RegressionHead(2, name="b")]), THREE,
            {"a": numbers, "b": MANY[:, :2].astype("f")},
        ),
    }  # fmt: skip


def _tensors(tf, x):
    return {k: tf.constant(v) for k, v in x.items()} if isinstance(x, dict) else tf.constant(x)


def heads(tf, say, folder):
    for name, (head, logits, labels) in _rows(tf).items():
        say([name, head.name, head.logits_dimension, head.loss_reduction])
        v = tf.Variable(1.0)
        z, y, x = _tensors(tf, logits), _tensors(tf, labels), _tensors(tf, X)
        z = {k: t * v for k, t in z.items()} if isinstance(z, dict) else z * v
        spec = head.create_estimator_spec(x, "infer", z)
        found = {str(k): p for k, p in spec.predictions.items()}
        served = {k: type(o).__name__ for k, o in spec.export_outputs.items()}
        tested = head.create_estimator_spec(
            x, "eval", z, y, regularization_losses=[tf.constant(2.0)]
        )
        step = head.create_estimator_spec(
            x, "train", z, y, train_op_fn=tf.train.GradientDescentOptimizer(0.1).minimize
        )
        session = started(tf, tf.tables_initializer())
        say([served, session.run(found), session.run(tested.loss)])
        session.run([pair[1] for pair in tested.eval_metric_ops.values()])
        say(session.run({k: pair[0] for k, pair in tested.eval_metric_ops.items()}))
        session.run(step.train_op)
        say(session.run(v))
        say(sorted(head.metrics()))
    precise = tf.contrib.estimator.binary_classification_head()
    found = precise.create_estimator_spec(
        _tensors(tf, X), "eval", tf.constant(ONE), tf.constant([[0], [1], [1], [0]])
    )
    pair = found.eval_metric_ops["auc_precision_recall"]
    session = started(tf)
    session.run(pair[1])
    say(session.run(pair[0]))


def sparse_labels(tf, say, folder):
    head = tf.estimator.MultiLabelHead(3, label_vocabulary=["a", "b", "c"])
    labels = tf.SparseTensor([[0, 0], [1, 0], [1, 1]], ["c", "a", "b"], [4, 2])
    loss = head.loss(labels, tf.constant(THREE), {}, "eval")
    say(started(tf, tf.tables_initializer()).run(loss))


def refusals(tf, say, folder):
    e = tf.estimator
    z, spec = tf.zeros, e.BinaryClassHead().create_estimator_spec
    op = lambda loss: tf.no_op()  # noqa: E731
    say([
        error(e.BinaryClassHead, loss_reduction="x"), error(e.BinaryClassHead, thresholds=[2.0]),
        error(e.MultiClassHead, 2), error(e.MultiLabelHead, 1), error(e.MultiHead, []),
        error(e.MultiHead, [e.RegressionHead()]), error(e.RegressionHead, 0),
        error(e.MultiHead, [e.RegressionHead(name="a")], [1.0, 2.0]),
        error(e.RegressionHead, loss_fn=lambda a: a),
        error(e.MultiLabelHead, 3, classes_for_class_based_metrics=[5]),
        error(spec, {}, "train", z([2, 1]), None, train_op_fn=op),
        error(spec, {}, "train", z([2, 1]), z([2, 1])),
        error(spec, {}, "train", z([2, 2]), z([2, 1]), train_op_fn=op),
        error(spec, {}, "train", z([2, 1]), z([2, 3]), train_op_fn=op),
        error(e.MultiClassHead(3).loss, z([2, 1]), z([2, 3]), {}, "eval"),
    ])  # fmt: skip
    late = e.BinaryClassHead().loss(tf.constant([[0], [2]]), z([2, 1]), {}, "eval")
    say(error(started(tf).run, late))


def _inputs(tf, epochs=None):
    return tf.estimator.inputs.numpy_input_fn(
        {"x": X["x"]}, np.array([[0], [1], [1], [0]]), 4, num_epochs=epochs, shuffle=False
    )


def _columns(tf):
    return [tf.feature_column.numeric_column("x")]


def _trained(tf, say, estimator, steps=5):
    estimator.train(_inputs(tf), steps=steps)
    say(estimator.evaluate(_inputs(tf, 1)))
    say(sorted(estimator.get_variable_names()))


def wide_and_deep(tf, say, folder):
    config = tf.estimator.RunConfig(folder, tf_random_seed=1)
    made = tf.estimator.DNNLinearCombinedEstimator(
        tf.estimator.BinaryClassHead(), None, _columns(tf), "Ftrl", _columns(tf), "Adagrad", [3],
        config=config,
    )  # fmt: skip
    made.train(_inputs(tf), steps=2)
    say([sorted(made.evaluate(_inputs(tf, 1))), sorted(made.get_variable_names())])
    say(sorted(next(iter(made.predict(_inputs(tf, 1))))))


def deep(tf, say, folder):
    c = tf.contrib.estimator
    config = tf.estimator.RunConfig(folder, tf_random_seed=1)
    head = c.binary_classification_head()
    made = tf.estimator.DNNEstimator(head, [3], _columns(tf), config=config)
    made.train(_inputs(tf), steps=2)
    say([sorted(made.evaluate(_inputs(tf, 1))), sorted(made.get_variable_names())])


def wide(tf, say, folder):
    c = tf.contrib.estimator
    head = c.regression_head()
    config = tf.estimator.RunConfig(folder)
    _trained(tf, say, tf.estimator.LinearEstimator(head, _columns(tf), config=config))


def baseline(tf, say, folder):
    c = tf.contrib.estimator
    head = c.poisson_regression_head()
    _trained(tf, say, tf.estimator.BaselineEstimator(head, folder))


def additions(tf, say, folder):
    e = tf.estimator

    def more(labels, predictions, features):
        return {"mine": tf.metrics.mean(features["x"]), "auc": tf.metrics.mean(labels)}

    made = e.add_metrics(e.LinearClassifier(_columns(tf), folder), more)
    made.train(_inputs(tf), steps=2)
    say(made.evaluate(_inputs(tf, 1)))
    made = tf.contrib.estimator.forward_features(made, "x")
    say(sorted(next(iter(made.predict(_inputs(tf, 1))))))
    say(error(e.add_metrics, made, lambda other: {}))
    spec = e.classifier_parse_example_spec(_columns(tf), "y", weight_column="w")
    other = e.regressor_parse_example_spec(_columns(tf), "y", label_dimension=2)
    for s in (spec, other):
        say([[k, list(v.shape), v.dtype.name, v.default_value] for k, v in sorted(s.items())])
    say(error(e.classifier_parse_example_spec, _columns(tf), "x"))


def saved(tf, say, folder):
    e = tf.estimator
    made = e.LinearRegressor(_columns(tf), folder)
    made.train(_inputs(tf), steps=2)

    class Receiver:
        def __init__(self, labels):
            x = tf.placeholder(tf.float32, [None, 1], name="x")
            self.features, self.receiver_tensors = {"x": x}, {"x": x}
            if labels:
                self.labels = tf.placeholder(tf.float32, [None, 1], name="y")
                self.receiver_tensors["label"] = self.labels
                self.receiver_tensors_alternatives = None

    def serving():
        x = tf.placeholder(tf.float32, [None, 1])
        return e.export.ServingInputReceiver({"x": x}, {"x": x})

    where = made.experimental_export_all_saved_models(
        folder + "/out",
        {"train": lambda: Receiver(True), "eval": lambda: Receiver(True), "infer": serving},
    )
    where = where.decode() if isinstance(where, bytes) else where
    for tag in ("train", "eval", "serve"):
        with tf.Graph().as_default(), tf.Session() as session:
            meta = tf.saved_model.load(session, [tag], where)
            for key, s in sorted(meta.signature_def.items()):
                if tag != "serve":
                    say([tag, key, s.method_name, sorted(s.inputs), sorted(s.outputs)])
            key = tag if tag != "serve" else "predict"
            s = meta.signature_def[key if key in meta.signature_def else "serving_default"]
            feed = {s.inputs["x"].name: X["x"][:2]}
            say(session.run(s.outputs["predictions"].name, feed))
    say(error(made.experimental_export_all_saved_models, folder, {"x": serving}))
