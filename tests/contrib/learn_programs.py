"""Programs of tf.contrib.learn, recorded with TensorFlow 1.15."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from support import error, rounded

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def config(tf: Any, **more: Any) -> Any:
    return tf.contrib.learn.RunConfig(tf_random_seed=1, save_summary_steps=None, **more)


def data(np: Any, classes: int = 2) -> Any:
    rng = np.random.RandomState(0)
    x = rng.randn(24, 3).astype(np.float32)
    y = (np.abs(x.sum(1)) * 1.3).astype(np.int32) % classes
    return x, y


def variables(e: Any) -> Any:
    """Names, shapes and sums of absolute values."""
    return {
        n: [list(e.get_variable_value(n).shape), rounded(abs(e.get_variable_value(n)).sum())]
        for n in e.get_variable_names()
    }


def fitted(tf: Any, np: Any, e: Any, x: Any, y: Any, steps: int = 6) -> Any:
    """Variables before and after training, metrics, predictions."""

    def feed() -> Any:
        return {"": tf.constant(x)}, tf.constant(y)

    e.fit(input_fn=feed, steps=1)
    out = [variables(e)]
    e.fit(input_fn=feed, steps=steps)
    out.append(variables(e))
    out.append(rounded(e.evaluate(input_fn=feed, steps=1)))
    return out


@program
def custom(tf: Any, np: Any, folder: str) -> Any:
    """A model function that gives a triple, with arrays as data."""
    learn = tf.contrib.learn
    x, y = data(np)
    y = y.astype(np.float32)
    seen = []

    def model_fn(features: Any, labels: Any, mode: Any, params: Any) -> Any:
        seen.append([mode, None if labels is None else str(labels.dtype.name)])
        w = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer())
        p = tf.squeeze(tf.sigmoid(tf.matmul(features, w)), 1)
        if mode == learn.ModeKeys.INFER:
            return {"p": p, "twice": 2.0 * p}, None, None
        loss = tf.losses.log_loss(labels, p)
        train = tf.contrib.layers.optimize_loss(
            loss, tf.train.get_global_step(), params["rate"], "SGD"
        )
        return {"p": p, "twice": 2.0 * p}, loss, train

    e = learn.Estimator(model_fn, folder, config(tf), {"rate": 0.5})
    out: list[Any] = [error(lambda: e.evaluate(x, y))[0], error(lambda: e.predict(x))[0]]
    e.fit(x, y, batch_size=8, steps=5)
    out.append(rounded(e.get_variable_value("w")))
    learn.SKCompat(e).fit(x, y, batch_size=10, max_steps=9)
    out.append(rounded(e.get_variable_value("w")))
    out.append(rounded(e.evaluate(x, y, batch_size=7)))
    spec = learn.MetricSpec(tf.metrics.mean_absolute_error, prediction_key="p")
    both = {"mae": spec}
    out.append(rounded(learn.SKCompat(e).score(x, y, batch_size=24, steps=1, metrics=both)))
    both = {("m", "p"): lambda p, y: tf.metrics.mean(p)}
    out.append(rounded(learn.SKCompat(e).score(x, y, batch_size=24, steps=1, metrics=both)))
    out.append(rounded([r["p"] for r in e.predict(x[:5], batch_size=2)]))
    out.append(rounded(learn.SKCompat(e).predict(x[:5], batch_size=2)))
    out.append(rounded(learn.SKCompat(e).predict(x[:3], outputs=["p"])))
    once = list(e.predict(input_fn=lambda: tf.constant(x[:2])))
    out.append(rounded(once))
    e.partial_fit(x, y)
    out.append(int(e.get_variable_value("global_step")))
    out.append([r for r in seen if r[0] == "infer"][:1])
    out.append(sorted(e.get_variable_names()))
    out.append(str(spec).partition("metric_fn=")[2])
    for wrong in (
        lambda: e.fit(x, y, steps=1, max_steps=2),
        lambda: e.fit(),
        lambda: e.fit(x, y, input_fn=lambda: None),
        lambda: e.evaluate(x, y, metrics=[1]),
        lambda: list(e.predict(x, outputs=["q"])),
        lambda: learn.Estimator(lambda features, labels: None, params={}),
        lambda: learn.Estimator(model_fn, "a", config(tf, model_dir="b")),
        lambda: e.fit(x[:, :2], y, steps=1),
        lambda: learn.ModelFnOps("train", loss=1.0),
        lambda: learn.ModelFnOps("eval"),
        lambda: learn.ModelFnOps("infer"),
        lambda: learn.ModelFnOps("run"),
        lambda: learn.MetricSpec(tf.metrics.mean, weight_key="w").create_metric_ops({}, {}, {}),
    ):
        out.append(error(wrong)[0])
    return out


def columns(tf: Any) -> Any:
    return [tf.contrib.layers.real_valued_column("", dimension=3)]


@program
def deep(tf: Any, np: Any, folder: str) -> Any:
    learn, out = tf.contrib.learn, {}
    x, y = data(np)
    e = learn.DNNClassifier([5, 4], columns(tf), folder + "/2", config=config(tf))
    out["two"] = fitted(tf, np, e, x, y)
    out["classes"] = rounded(list(e.predict(x[:4])))
    out["p"] = rounded(list(e.predict_proba(x[:4])))
    out["all"] = rounded(e.predict(x[:4], as_iterable=False, outputs=["logits"])["logits"])
    three = data(np, 3)[1]
    e = learn.DNNClassifier(
        [4],
        columns(tf),
        folder + "/3",
        n_classes=3,
        config=config(tf),
        activation_fn="tanh",
        optimizer=tf.train.GradientDescentOptimizer(0.1),
        gradient_clip_norm=0.5,
    )
    out["three"] = fitted(tf, np, e, x, three)
    e = learn.DNNRegressor(
        [4], columns(tf), folder + "/b", config=config(tf), enable_centered_bias=True
    )
    e.fit(input_fn=lambda: ({"": tf.constant(x)}, tf.constant(x[:, 0])), steps=1)
    out["bias"] = sorted(e.get_variable_names())
    e = learn.DNNRegressor([4], columns(tf), folder + "/r", config=config(tf), optimizer="Adam")
    out["numbers"] = fitted(tf, np, e, x, x[:, :1] * 2.0)
    out["scores"] = rounded(list(e.predict(x[:4])))
    out["more"] = rounded(
        e.evaluate(
            input_fn=lambda: ({"": tf.constant(x)}, tf.constant(x[:, :1])),
            steps=1,
            metrics={"m": lambda p, y: tf.metrics.mean(p)},
        )
    )
    out["error"] = error(lambda: e.evaluate(x, x[:, 0], steps=1))[0]
    words = np.array(["a", "b", "c"])[three]
    e = learn.DNNClassifier(
        [4], columns(tf), folder + "/w", n_classes=3, config=config(tf), label_keys=["a", "b", "c"]
    )
    out["words"] = fitted(tf, np, e, x, words, 2)[2]
    return out


@program
def wide(tf: Any, np: Any, folder: str) -> Any:
    learn, layers, out = tf.contrib.learn, tf.contrib.layers, {}
    x, y = data(np)
    e = learn.LinearClassifier(columns(tf), folder + "/2", config=config(tf))
    out["two"] = fitted(tf, np, e, x, y)
    e = learn.LinearRegressor(
        columns(tf),
        folder + "/r",
        config=config(tf),
        optimizer=tf.train.AdagradOptimizer(0.1),
        gradient_clip_norm=1.0,
        label_dimension=2,
    )
    out["numbers"] = fitted(tf, np, e, x, x[:, :2] * 2.0)
    out["scores"] = rounded(e.predict_scores(x[:3], as_iterable=False))

    def feed() -> Any:
        features = {"a": tf.constant(x[:, 0]), "k": tf.constant(["u", "v", "w"] * 8),
                    "by": tf.constant(abs(x[:, 1]))}  # fmt: skip
        return features, tf.constant(y[:, None])

    keys = layers.sparse_column_with_keys("k", ["u", "v", "w"])
    e = learn.LinearClassifier(
        [layers.real_valued_column("a"), keys],
        folder + "/s",
        config=config(tf),
        weight_column_name="by",
    )
    e.fit(input_fn=feed, steps=5)
    out["weighed"] = [variables(e), rounded(e.evaluate(input_fn=feed, steps=1))]
    e = learn.DNNLinearCombinedClassifier(
        folder + "/c",
        linear_feature_columns=[keys],
        dnn_feature_columns=[layers.real_valued_column("a"), layers.real_valued_column("by")],
        dnn_hidden_units=[3],
        config=config(tf),
        fix_global_step_increment_bug=True,
    )
    e.fit(input_fn=feed, steps=4)
    out["both"] = [variables(e), rounded(e.evaluate(input_fn=feed, steps=1))]
    fc = tf.feature_column
    e = learn.DNNLinearCombinedRegressor(
        folder + "/f",
        linear_feature_columns=[fc.numeric_column("a")],
        dnn_feature_columns=[fc.numeric_column("by")],
        dnn_hidden_units=[3],
        config=config(tf),
        fix_global_step_increment_bug=True,
    )
    e.fit(input_fn=feed, steps=4)
    out["core columns"] = [variables(e), rounded(e.evaluate(input_fn=feed, steps=1))]
    return out


@program
def heads(tf: Any, np: Any, folder: str) -> Any:
    """Predictions, metrics and losses of each head on given logits."""
    learn, out = tf.contrib.learn, {}
    x, y = data(np)
    labels = {
        "svm": (learn.binary_svm_head(thresholds=[0.3]), 1, y),
        "labels": (learn.multi_label_head(3, metric_class_ids=[1]), 3, (x > 0).astype(np.int64)),
        "poisson": (learn.poisson_regression_head(head_name="h"), 1, np.abs(x[:, 1])),
        "classes": (learn.multi_class_head(3, metric_class_ids=[2]), 3, data(np, 3)[1]),
        "two": (
            learn.multi_class_head(2, thresholds=[0.2, 0.7], weight_column_name="w"),
            1,
            y[:, None],
        ),
    }
    for name, (head, n, wanted) in labels.items():
        tf.reset_default_graph()
        tf.train.create_global_step()
        made = head.create_model_fn_ops(
            {"w": tf.constant(np.abs(x[:, 2]))},
            learn.ModeKeys.EVAL,
            tf.constant(wanted),
            logits=tf.constant(x[:, :n]),
        )
        with tf.Session() as s:
            s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
            s.run([v[1] for v in made.eval_metric_ops.values()])
            metrics = {k: v[0] for k, v in made.eval_metric_ops.items()}
            found = s.run([metrics, made.loss, {k: v[:3] for k, v in made.predictions.items()}])
            out[name] = [rounded(found), sorted(map(str, made.output_alternatives))]
            out[name].append([v.name for v in tf.local_variables()][:2])
    tf.reset_default_graph()
    tf.train.create_global_step()
    several = learn.multi_head(
        [learn.regression_head("r", head_name="r"), learn.multi_class_head(3, "c", head_name="c")],
        [1.0, 0.5],
    )
    made = several.create_model_fn_ops(
        {"a": tf.constant(x)},
        learn.ModeKeys.TRAIN,
        {"r": tf.constant(x[:, 0]), "c": tf.constant(data(np, 3)[1])},
        learn.no_op_train_fn,
        logits=tf.constant(np.concatenate([x, x[:, :1]], 1)),
    )
    with tf.Session() as s:
        out["several"] = [rounded(s.run(made.loss)), sorted(made.eval_metric_ops)]
    for wrong in (
        lambda: learn.multi_class_head(1),
        lambda: learn.multi_class_head(2, label_keys=["a", "b"]),
        lambda: learn.multi_class_head(3, metric_class_ids=[3]),
        lambda: learn.multi_head([learn.regression_head()]),
        lambda: learn.multi_class_head(3, loss_fn=lambda a, b: a),
    ):
        out.setdefault("errors", []).append(error(wrong)[0])
    return out


@program
def monitors(tf: Any, np: Any, folder: str) -> Any:
    learn = tf.contrib.learn
    x = data(np)[0]
    e = learn.LinearRegressor(columns(tf), folder, config=config(tf, save_checkpoints_steps=3))

    class Told(learn.monitors.EveryN):
        def __init__(self) -> None:
            super().__init__(every_n_steps=3, first_n_steps=1)
            self.said: list[Any] = []

        def every_n_step_begin(self, step: int) -> Any:
            self.said.append(["begin", step])
            return ["linear/bias_weight/part_0:0"]

        def every_n_step_end(self, step: int, outputs: Any) -> Any:
            self.said.append(["end", step, sorted(outputs)])

        def every_n_post_step(self, step: int, session: Any) -> None:
            self.said.append(["post", step])

    told = Told()
    kept = learn.monitors.CaptureVariable("global_step:0", every_n=2)
    valid = learn.monitors.ValidationMonitor(
        x,
        x[:, 0],
        batch_size=24,
        eval_steps=1,
        every_n_steps=1,
        check_interval_secs=None,
        early_stopping_rounds=5,
    )
    e.fit(x, x[:, 0] * 3.0, steps=8, batch_size=24, monitors=[told, kept, valid])
    out = [
        rounded(told.said),
        rounded(sorted(kept.values)),
        rounded(valid.best_step),
        valid.early_stopped,
    ]
    out.append(sorted(valid.best_metrics))
    e.fit(x, x[:, 0], steps=50, batch_size=24, monitors=[learn.monitors.StopAtStep(num_steps=4)])
    out.append(int(e.get_variable_value("global_step")))
    out.append(error(lambda: learn.monitors.StopAtStep())[0])
    out.append(error(lambda: learn.monitors.ValidationMonitor())[0])
    return out


@program
def experiments(tf: Any, np: Any, folder: str) -> Any:
    learn = tf.contrib.learn
    runner = learn.learn_runner
    x, y = data(np)

    def feed() -> Any:
        return {"": tf.constant(x)}, tf.constant(y)

    def serve() -> Any:
        spec = {"": tf.FixedLenFeature([3], tf.float32)}
        return learn.build_parsing_serving_input_fn(spec)()._replace()

    def build(run_config: Any, hparams: Any) -> Any:
        e = learn.LinearClassifier(columns(tf), config=run_config)
        return learn.Experiment(
            e,
            feed,
            feed,
            train_steps=6,
            eval_steps=2,
            eval_delay_secs=0,
            export_strategies=[learn.make_export_strategy(serve, exports_to_keep=1)],
        )

    found, exports = runner.run(build, run_config=config(tf, model_dir=folder + "/a"))
    out: list[Any] = [rounded(found), len(exports)]
    with tf.Graph().as_default(), tf.Session() as s:
        meta = tf.saved_model.loader.load(s, ["serve"], exports[0].decode())
        out.append(sorted(meta.signature_def))
        signature = meta.signature_def["serving_default"]
        out.append([signature.method_name, sorted(signature.inputs), sorted(signature.outputs)])
        example = tf.train.Example()
        example.features.feature[""].float_list.value.extend([1.0, -1.0, 0.5])
        fed = {signature.inputs["inputs"].name: [example.SerializeToString()]}
        got = s.run([signature.outputs[k].name for k in sorted(signature.outputs)], fed)
        out.append(rounded([g.tolist() if g.dtype != object else
                            [[v.decode() for v in r] for r in g] for g in got]))  # fmt: skip
    made = build(config(tf, model_dir=folder + "/b"), None)
    out.append(rounded(made.test()))
    made.extend_train_hooks([tf.train.StopAtStepHook(last_step=4)])
    made.train()
    out.append(rounded(made.evaluate()))
    with_listener = learn.Experiment(
        learn.LinearClassifier(
            columns(tf), config=config(tf, model_dir=folder + "/c", save_checkpoints_steps=2)
        ),
        feed,
        feed,
        train_steps=4,
        eval_steps=1,
        checkpoint_and_export=True,
    )
    out.append(rounded(with_listener.train_and_evaluate()))
    again = learn.Experiment(
        learn.LinearClassifier(columns(tf), config=config(tf, model_dir=folder + "/d")),
        feed,
        feed,
        train_steps=20,
        eval_steps=1,
        train_steps_per_iteration=3,
    )
    seen: list[Any] = []

    def go_on(result: Any) -> bool:
        seen.append(None if result is None else int(result["global_step"]))
        return len(seen) < 3

    again.continuous_train_and_eval(go_on)
    out.append(seen)
    out.append(sorted(os.listdir(folder + "/a/export")))
    for wrong in (
        lambda: learn.Experiment(1, feed, feed),
        lambda: learn.Experiment(with_listener.estimator, feed, feed, saving_listeners=[1]),
        lambda: runner.run(build),
        lambda: runner.run(1, "a"),
        lambda: runner.run(build, run_config=config(tf)),
        lambda: runner.run(lambda output_dir: 1, "a"),
        lambda: runner.run(lambda run_config, hparams: build(config(tf, model_dir="x"), None),
                           run_config=config(tf, model_dir=folder + "/e")),
    ):  # fmt: skip
        out.append(error(wrong)[0])
    return out
