"""Programs of tf.estimator.experimental, recorded with TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support import error, rounded

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def model(tf: Any, np: Any, folder: str) -> tuple[Any, Any]:
    """A linear model, and what gives its data."""
    rng = np.random.RandomState(0)
    x = rng.randn(16, 2).astype(np.float32)
    y = (x @ np.array([[1.0], [-2.0]]) + 0.5).astype(np.float32)
    config = tf.estimator.RunConfig(
        tf_random_seed=1, save_summary_steps=None, save_checkpoints_steps=5,
        save_checkpoints_secs=None,
    )  # fmt: skip
    e = tf.estimator.LinearRegressor(
        [tf.feature_column.numeric_column("x", shape=(2,))], folder, config=config,
        optimizer=tf.train.GradientDescentOptimizer(0.01),
    )  # fmt: skip
    return e, lambda n=1: tf.data.Dataset.from_tensors(({"x": x}, y)).repeat(n)


@program
def early(tf: Any, np: Any, folder: str) -> Any:
    """Steps at which hooks end training, by evaluations whose metrics are written down here."""
    more, out = tf.estimator.experimental, []
    e, feed = model(tf, np, folder + "/a")
    writer = tf.summary.FileWriter(e.eval_dir())
    for step, loss in ((10, 5.0), (20, 3.0), (30, 3.5), (40, 3.2)):
        value = tf.Summary.Value(tag="loss", simple_value=loss)
        writer.add_summary(tf.Summary(value=[value]), step)
    writer.close()
    made = [
        more.stop_if_higher_hook(e, "loss", 3.9, run_every_secs=None, run_every_steps=2),
        more.stop_if_higher_hook(e, "loss", 3.9, None, 15, None, 2),
        more.stop_if_lower_hook(e, "loss", 3.1, run_every_secs=None, run_every_steps=1),
        more.stop_if_lower_hook(e, "loss", 3.1, min_steps=25, run_every_secs=None,
                                run_every_steps=1),
        more.stop_if_no_decrease_hook(e, "loss", 20, run_every_secs=None, run_every_steps=3),
        more.stop_if_no_decrease_hook(e, "loss", 21, run_every_secs=None, run_every_steps=3),
        more.stop_if_no_increase_hook(e, "loss", 30, run_every_secs=None, run_every_steps=1),
        more.make_early_stopping_hook(e, lambda: True, run_every_secs=None, run_every_steps=4),
        more.make_stop_at_checkpoint_step_hook(e, 6),
    ]  # fmt: skip
    for i, hook in enumerate(made):
        fresh, _ = model(tf, np, f"{folder}/{i}")
        fresh.train(lambda: feed(8), hooks=[hook])
        names = [n for n in fresh.get_variable_names() if "stop" in n]
        out.append([int(fresh.get_variable_value("global_step")), names])
    for wrong in (
        lambda: more.make_early_stopping_hook(e, lambda: True, 1, 2),
        lambda: more.make_early_stopping_hook(3, lambda: True),
        lambda: more.make_early_stopping_hook(e, 3),
        lambda: more.InMemoryEvaluatorHook(e, feed, every_n_iter=0),
    ):
        out.append(error(wrong)[0])
    return out


@program
def meanwhile(tf: Any, np: Any, folder: str) -> Any:
    """Evaluations while a model is trained."""
    e, feed = model(tf, np, folder)
    seen: list[Any] = []

    class Seen(tf.train.SessionRunHook):
        def end(self, session: Any) -> None:
            weights = [v for v in tf.global_variables() if "/weights" in v.name]
            seen.append(rounded(session.run([tf.train.get_global_step(), weights])))

    hook = tf.estimator.experimental.InMemoryEvaluatorHook(
        e, feed, steps=1, hooks=[Seen()], name="now", every_n_iter=3
    )
    e.train(lambda: feed(7), hooks=[hook])
    return [seen, len(tf.gfile.Glob(e.eval_dir("now") + "/*"))]


@program
def logits(tf: Any, np: Any, folder: str) -> Any:
    """Functions of logits of linear models and perceptrons."""
    more, out = tf.estimator.experimental, []
    column = tf.feature_column.numeric_column("x", shape=(2,))
    features = {"x": tf.constant([[1.0, 2.0], [3.0, -1.0]])}
    tf.set_random_seed(2)
    linear = more.linear_logit_fn_builder(2, [column])
    deep = more.dnn_logit_fn_builder(1, [3], [column], tf.nn.relu, None, None, False)
    found = [
        more.call_logit_fn(linear, features, "train", None, None),
        more.call_logit_fn(deep, features, "eval", None, None),
    ]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        out.append(sorted([v.name, v.shape.as_list()] for v in tf.global_variables()))
        out.append([list(a.shape) for a in s.run(found)])
    out.append(error(lambda: more.call_logit_fn(lambda features: 3, features, "", 0, 0))[0])
    return out
