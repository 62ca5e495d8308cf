"""Programs of estimators and feature columns, recorded with TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data_programs import error, plain

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def rounded(x: Any) -> Any:
    """Values as plain data, floats with five digits."""
    if isinstance(x, dict):
        return {str(k): rounded(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [rounded(v) for v in x]
    x = plain(x)
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return float(f"{x:.5g}") if isinstance(x, float) else x


def config(tf: Any) -> Any:
    return tf.estimator.RunConfig(
        save_summary_steps=None, log_step_count_steps=None, tf_random_seed=1
    )


@program
def custom(tf: Any, np: Any, folder: str) -> Any:
    """A model function: train, evaluate, predict, go on."""
    keys = tf.estimator.ModeKeys
    x = np.arange(8, dtype=np.float32).reshape(8, 1)
    y = 3.0 * x[:, 0] + 1.0

    def model_fn(features: Any, labels: Any, mode: Any, params: Any) -> Any:
        w = tf.get_variable("w", [1, 1], initializer=tf.zeros_initializer())
        b = tf.get_variable("b", [1], initializer=tf.zeros_initializer())
        out = tf.squeeze(tf.matmul(features["x"], w) + b, 1)
        if mode == keys.PREDICT:
            return tf.estimator.EstimatorSpec(mode, predictions={"y": out, "double": out * 2.0})
        loss = tf.losses.mean_squared_error(labels, out)
        if mode == keys.EVAL:
            error = tf.metrics.mean_absolute_error(labels, out)
            return tf.estimator.EstimatorSpec(mode, loss=loss, eval_metric_ops={"mae": error})
        opt = tf.train.GradientDescentOptimizer(params["rate"])
        train = opt.minimize(loss, global_step=tf.train.get_global_step())
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)

    e = tf.estimator.Estimator(model_fn, folder, config(tf), {"rate": 0.02})
    make = tf.estimator.inputs.numpy_input_fn
    train = make({"x": x}, y, batch_size=4, num_epochs=None, shuffle=False)
    once = make({"x": x}, y, batch_size=3, num_epochs=1, shuffle=False)

    def from_dataset() -> Any:
        return tf.data.Dataset.from_tensor_slices(({"x": x}, y)).batch(4)

    e.train(train, steps=20)
    out = [rounded(e.evaluate(once)), sorted(e.get_variable_names())]
    out.append(rounded(e.get_variable_value("w")))
    out.append(rounded(list(e.predict(make({"x": x}, shuffle=False)))))
    e.train(train, max_steps=20)
    e.train(from_dataset)
    out.append(int(e.get_variable_value("global_step")))
    out.append(rounded(e.evaluate(from_dataset, steps=1)))
    out.append(rounded(list(e.predict(make({"x": x[:2]}, shuffle=False), predict_keys="y"))))
    out.append(e.latest_checkpoint()[len(folder) + 1 :])
    out.append(error(lambda: make({"x": x}, y)())[0])
    out.append(error(lambda: tf.estimator.EstimatorSpec(keys.TRAIN, loss=1.0)))
    out.append(error(lambda: tf.estimator.EstimatorSpec(keys.EVAL)))
    out.append(error(lambda: tf.estimator.EstimatorSpec(keys.PREDICT)))
    out.append(error(lambda: e.train(train, steps=1, max_steps=2)))
    return out


@program
def linear(tf: Any, np: Any, folder: str) -> Any:
    x = np.linspace(-1, 1, 12).astype(np.float32)
    c = np.array(["a", "b", "c"] * 4)
    y = (x > 0).astype(np.int32)
    fc = tf.feature_column
    columns = [
        fc.numeric_column("x"),
        fc.categorical_column_with_vocabulary_list("c", ["a", "b", "c"]),
        fc.bucketized_column(fc.numeric_column("x"), [-0.5, 0.0, 0.5]),
    ]
    e = tf.estimator.LinearClassifier(columns, folder, config=config(tf))
    make = tf.estimator.inputs.numpy_input_fn
    e.train(make({"x": x, "c": c}, y, 6, None, False), steps=10)
    result = e.evaluate(make({"x": x, "c": c}, y, 6, 1, False))
    result = {k: v for k, v in result.items() if not k.startswith("auc")}
    predictions = list(e.predict(make({"x": x[:3], "c": c[:3]}, shuffle=False)))
    wanted = ("logits", "logistic", "probabilities", "class_ids", "classes")
    return [
        rounded(result),
        [rounded({k: p[k] for k in wanted}) for p in predictions],
        [n for n in sorted(e.get_variable_names()) if "Ftrl" not in n],
        rounded(e.get_variable_value("linear/linear_model/x/weights")),
    ]


@program
def regression(tf: Any, np: Any, folder: str) -> Any:
    x = np.linspace(-1, 1, 12).astype(np.float32)
    e = tf.estimator.LinearRegressor(
        [tf.feature_column.numeric_column("x")], folder, config=config(tf),
        optimizer=tf.train.GradientDescentOptimizer(0.01),
    )  # fmt: skip
    make = tf.estimator.inputs.numpy_input_fn
    e.train(make({"x": x}, 2 * x + 1, 6, None, False), steps=30)
    return [
        rounded(e.evaluate(make({"x": x}, 2 * x + 1, 6, 1, False))),
        rounded([p["predictions"] for p in e.predict(make({"x": x[:3]}, shuffle=False))]),
    ]


@program
def perceptron(tf: Any, np: Any, folder: str) -> Any:
    """Names, and that three classes are told apart."""
    x = np.linspace(-1, 1, 30).astype(np.float32)
    y = np.where(x < -0.3, 0, np.where(x < 0.3, 1, 2)).astype(np.int32)
    fc = tf.feature_column
    e = tf.estimator.DNNClassifier(
        [16, 8], [fc.numeric_column("x")], folder, n_classes=3, config=config(tf)
    )
    make = tf.estimator.inputs.numpy_input_fn
    e.train(make({"x": x}, y, 30, None, False), steps=300)
    result = e.evaluate(make({"x": x}, y, 30, 1, False))
    p = next(e.predict(make({"x": x}, shuffle=False)))
    names = [n for n in sorted(e.get_variable_names()) if "Adagrad" not in n]
    return [sorted(result), bool(result["accuracy"] > 0.9), names, plain(p["class_ids"]),
            plain(p["classes"])]  # fmt: skip


@program
def both(tf: Any, np: Any, folder: str) -> Any:
    """A linear model beside a perceptron whose first layer is constant."""
    x = np.linspace(-1, 1, 12).astype(np.float32)
    c = np.array([0, 1, 2] * 4)
    fc = tf.feature_column
    e = tf.estimator.DNNLinearCombinedRegressor(
        folder, [fc.categorical_column_with_identity("c", 3)],
        tf.train.GradientDescentOptimizer(0.05), [fc.numeric_column("x")],
        tf.train.GradientDescentOptimizer(0.0), [2], config=config(tf),
    )  # fmt: skip
    make = tf.estimator.inputs.numpy_input_fn
    e.train(make({"x": x, "c": c}, c * 2.0, 12, None, False), steps=60)
    names = [n for n in sorted(e.get_variable_names()) if "Sgd" not in n]
    step = int(e.get_variable_value("global_step"))
    kinds = error(lambda: tf.estimator.DNNLinearCombinedClassifier())[0]
    w = e.get_variable_value("linear/linear_model/c/weights")
    return [names, step, kinds, bool(w[2] - w[1] > 1.0), bool(w[1] - w[0] > 1.0)]


@program
def columns(tf: Any, np: Any, folder: str) -> Any:
    fc = tf.feature_column
    features = {
        "n": tf.constant([[1.0, 2.0], [3.0, 4.0]]),
        "s": tf.constant([["a", "b"], ["c", ""]]),
        "i": tf.constant([0, 2]),
        "x": tf.constant([0.5, -3.0]),
    }
    word = fc.categorical_column_with_vocabulary_list("s", ["a", "b", "c"])
    extra = fc.categorical_column_with_vocabulary_list("s", ["a"], default_value=0)
    number = fc.categorical_column_with_identity("i", 3)
    ones = tf.ones_initializer()
    cases = {
        "numeric": fc.numeric_column("n", 2, normalizer_fn=lambda v: v * 10.0),
        "bucketized": fc.bucketized_column(fc.numeric_column("x"), [-1.0, 0.0, 0.5]),
        "indicator": fc.indicator_column(word),
        "default": fc.indicator_column(extra),
        "identity": fc.indicator_column(number),
        "embedding": fc.embedding_column(word, 2, initializer=ones),
        "sum": fc.embedding_column(word, 2, "sum", initializer=ones),
    }
    made = {k: fc.input_layer(features, [c]) for k, c in sorted(cases.items())}
    made["all"] = fc.input_layer(
        features, [cases[k] for k in ("numeric", "bucketized", "identity")]
    )
    linear = fc.linear_model(features, [fc.numeric_column("n", 2), word], units=2)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(tf.get_collection(tf.GraphKeys.TABLE_INITIALIZERS))
        out = {k: plain(v) for k, v in s.run(made).items()}
        out["linear"] = plain(s.run(linear))
    out["shapes"] = {k: str(v.shape) for k, v in sorted(made.items())}
    out["variables"] = [v.name for v in tf.global_variables()]
    out["refused"] = [error(lambda: fc.input_layer(features, [word]))[0],
                      error(lambda: fc.numeric_column("x", 0))[0]]  # fmt: skip
    return out


@program
def checkpoints(tf: Any, np: Any, folder: str) -> Any:
    """Names in checkpoints of ready-made estimators, and training that goes on from one."""
    fc, est = tf.feature_column, tf.estimator

    def data() -> Any:
        x = np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)
        features = {"x": x, "c": np.array(["a", "b", "c", "a"])}
        return tf.data.Dataset.from_tensors((features, np.array([0, 1, 0, 1]))).repeat(2)

    def make(kind: str, where: str) -> Any:
        x = fc.numeric_column("x")
        c = fc.categorical_column_with_vocabulary_list("c", ["a", "b", "c"])
        some = {"model_dir": where, "config": config(tf)}
        if kind == "dnn":
            return est.DNNClassifier([3, 2], [x, fc.embedding_column(c, 2)], **some)
        if kind == "adam":
            columns = [x, fc.indicator_column(c)]
            return est.DNNRegressor([3], columns, optimizer="Adam", batch_norm=True, **some)
        if kind == "linear":
            return est.LinearClassifier([x, c], n_classes=3, **some)
        if kind == "baseline":
            return est.BaselineClassifier(n_classes=3, **some)
        if kind == "mean":
            return est.BaselineRegressor(**some)
        return est.DNNLinearCombinedClassifier(
            linear_feature_columns=[c], dnn_feature_columns=[x], dnn_hidden_units=[3], **some
        )

    out = {}
    for kind in ("dnn", "adam", "linear", "both", "baseline", "mean"):
        first = make(kind, f"{folder}/{kind}")
        first.train(data, steps=1)
        shapes = {
            n: list(np.shape(first.get_variable_value(n))) for n in first.get_variable_names()
        }
        with tf.Graph().as_default():
            for i, n in enumerate(sorted(shapes)):
                numbers = np.linspace(0.05 * i, 0.3 + 0.02 * i, int(np.prod(shapes[n])))
                start = numbers.reshape(shapes[n]).astype(np.float32)
                tf.Variable(np.int64(7) if n == "global_step" else start, name=n)
            with tf.Session() as s:
                s.run(tf.global_variables_initializer())
                tf.train.Saver().save(s, f"{folder}/{kind}_next/model.ckpt-7")
        again = make(kind, f"{folder}/{kind}_next")
        again.train(data, steps=2)
        values = {n: again.get_variable_value(n) for n in again.get_variable_names()}
        out[kind] = [shapes, rounded(values), rounded(again.evaluate(data, 1)["loss"])]
    return out


@program
def first_weights(tf: Any, np: Any, folder: str) -> Any:
    """What ready-made estimators start with: seeds come from the operations made before."""
    fc, est = tf.feature_column, tf.estimator
    age = fc.numeric_column("age", normalizer_fn=lambda v: v / 10.0)
    word = fc.categorical_column_with_hash_bucket("word", 20)
    kind = fc.categorical_column_with_vocabulary_list("kind", ["a", "b"])
    steps = fc.bucketized_column(fc.numeric_column("age"), [20.0, 40.0])
    deep = [age, fc.indicator_column(kind), fc.embedding_column(word, 4), steps,
            fc.embedding_column(fc.crossed_column(["word", "kind"], 10), 2)]  # fmt: skip
    wide = [word, kind, fc.crossed_column(["word", kind], 10)]

    def data() -> Any:
        features = {
            "age": np.array([20.0, 30.0], np.float32),
            "word": np.array(["u", "v"]), "kind": np.array(["a", "b"]),
        }  # fmt: skip
        return tf.data.Dataset.from_tensor_slices((features, np.array([0, 1]))).batch(2)

    made = {
        "dnn": est.DNNClassifier([5, 3], deep, config=config(tf), model_dir=folder + "/dnn"),
        "norm": est.DNNRegressor(
            [5, 3], deep, config=config(tf), model_dir=folder + "/norm", dropout=0.5,
            batch_norm=True, optimizer=tf.train.GradientDescentOptimizer(0.0),
        ),
        "both": est.DNNLinearCombinedClassifier(
            folder + "/both", wide, dnn_feature_columns=deep, dnn_hidden_units=[4, 3],
            config=config(tf), dnn_optimizer=tf.train.GradientDescentOptimizer(0.0),
        ),
    }  # fmt: skip
    out = {}
    for name, model in made.items():
        seen: Any = {}

        class Look(tf.train.SessionRunHook):  # type: ignore[misc]
            def after_create_session(self, session: Any, coord: Any) -> None:
                for v in tf.trainable_variables():
                    seen[v.name] = np.sum(np.abs(session.run(v)), dtype=np.float64)  # noqa: B023

        model.train(data, steps=1, hooks=[Look()])
        out[name] = rounded(seen)
    return out
