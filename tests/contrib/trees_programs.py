"""Programs of boosted trees, recorded with TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support import error, rounded

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def data(np: Any, n: int = 60) -> Any:
    rng = np.random.RandomState(5)
    x = {
        "a": rng.rand(n).astype(np.float32), "b": rng.randn(n).astype(np.float32),
        "k": rng.randint(0, 3, n), "w": (rng.rand(n) + 0.5).astype(np.float32),
    }  # fmt: skip
    score = x["a"] * 2 + x["b"] * (x["k"] == 1) + 0.2 * x["k"]
    return x, score.astype(np.float32)


def columns(tf: Any) -> Any:
    fc = tf.feature_column
    return [
        fc.bucketized_column(fc.numeric_column("a"), [0.25, 0.5, 0.75]),
        fc.bucketized_column(fc.numeric_column("b"), [-0.5, 0.5]),
        fc.indicator_column(fc.categorical_column_with_identity("k", 3)),
    ]


def trained(tf: Any, kind: str, x: Any, y: Any, cols: Any, folder: str, **more: Any) -> Any:
    """Steps, the stored message, metrics, and some predictions."""
    options = {"n_batches_per_layer": 1, "n_trees": 2, "max_depth": 2, **more}
    config = tf.estimator.RunConfig(tf_random_seed=1, save_summary_steps=None)
    e = getattr(tf.estimator, "BoostedTrees" + kind)(
        cols, model_dir=folder, config=config, **options
    )

    def all_of(times: Any) -> Any:
        return lambda: tf.data.Dataset.from_tensors((x, y)).repeat(times)

    e.train(all_of(None), max_steps=40)
    out = [int(e.get_variable_value("global_step")), sorted(e.get_variable_names())]
    out.append(int(e.get_variable_value("boosted_trees:0_stamp")))
    out.append(len(e.get_variable_value("boosted_trees:0_serialized")))
    out.append(rounded(dict(e.evaluate(all_of(1), steps=1))))
    out.append(rounded([dict(p) for p in e.predict(all_of(1))][:6]))
    out.append(rounded(list(e.experimental_feature_importances().items())))
    return e, out


@program
def classes(tf: Any, np: Any, folder: str) -> Any:
    """Two classes: an importance for each column, whose split is clear."""
    x, s = data(np)
    return trained(tf, "Classifier", x, (s > 1).astype(np.int32), columns(tf), folder)[1]


@program
def centred(tf: Any, np: Any, folder: str) -> Any:
    """With a bias, weights and names of classes."""
    x, s = data(np)
    y = np.array(["no", "yes"])[(s > 0.8).astype(int)]
    return trained(
        tf, "Classifier", x, y, columns(tf), folder, center_bias=True, weight_column="w",
        label_vocabulary=["no", "yes"], l2_regularization=0.02, l1_regularization=0.005,
    )[1]  # fmt: skip


@program
def explained(tf: Any, np: Any, folder: str) -> Any:
    """What each column adds to predictions."""
    x, s = data(np)
    y = (s > 0.6).astype(np.int32)
    e, out = trained(tf, "Classifier", x, y, columns(tf), folder, center_bias=True)
    few = {k: v[:3] for k, v in x.items()}
    rows = e.experimental_predict_with_explanations(
        lambda: tf.data.Dataset.from_tensors((few, y[:3]))
    )
    return [out[:3], [rounded([r["bias"], sorted(r["dfc"].items())]) for r in rows]]


@program
def numbers(tf: Any, np: Any, folder: str) -> Any:
    """A number from numbers, whose buckets are found in several batches."""
    x, s = data(np, 400)
    cols = [tf.feature_column.numeric_column(k) for k in ("a", "b")]
    e, out = trained(
        tf, "Regressor", x, s, cols, folder, center_bias=True, n_batches_per_layer=2, max_depth=3
    )
    limits = [n for n in e.get_variable_names() if "bucket_boundaries" in n]
    return [*out, [rounded(e.get_variable_value(n)[[0, 1, 50, -1]]) for n in sorted(limits)]]


@program
def pruned(tf: Any, np: Any, folder: str) -> Any:
    """Splits that gain too little, not made or taken back."""
    x, s = data(np)
    y, out = (s > 1).astype(np.int32), []
    for i, more in enumerate((
        {"pruning_mode": "pre", "tree_complexity": 0.06, "min_node_weight": 0.02},
        {"pruning_mode": "post", "tree_complexity": 0.03, "max_depth": 3, "learning_rate": 0.5},
    )):  # fmt: skip
        made = trained(tf, "Classifier", x, y, columns(tf), f"{folder}/{i}", **more)[1]
        out.append([*made[:3], *made[4:6]])  # TensorFlow keeps beside pruned trees what they were
    return out


@program
def given_head(tf: Any, np: Any, folder: str) -> Any:
    x, s = data(np)
    config = tf.estimator.RunConfig(tf_random_seed=1, save_summary_steps=None)
    e = tf.estimator.BoostedTreesEstimator(
        columns(tf), 1, tf.estimator.BinaryClassHead(), folder, n_trees=1, max_depth=1,
        config=config,
    )  # fmt: skip
    y = (s > 1).astype(np.int32)
    e.train(lambda: tf.data.Dataset.from_tensors((x, y)).repeat())
    loss = e.evaluate(lambda: tf.data.Dataset.from_tensors((x, y)))["loss"]
    return [int(e.get_variable_value("global_step")), rounded(float(loss))]


@program
def refused(tf: Any, np: Any, folder: str) -> Any:
    c = columns(tf)
    fc, kind = tf.feature_column, tf.estimator.BoostedTreesClassifier
    x, s = data(np)
    x["v"] = np.stack([x["a"], x["b"]], 1)

    def train(e: Any) -> Any:
        return e.train(lambda: tf.data.Dataset.from_tensors((x, (s > 1).astype(np.int32))))

    made = [
        error(f)
        for f in (
            lambda: train(kind(c, 1, pruning_mode="foo")),
            lambda: train(kind(c, 1, pruning_mode="pre")),
            lambda: train(kind(c, 1, tree_complexity=0.1)),
            lambda: kind(c, 1, n_classes=3),
            lambda: kind(c, 1, n_classes=1),
            lambda: tf.estimator.BoostedTreesRegressor(c, 1, label_dimension=2),
            lambda: train(kind(c, 2, train_in_memory=True, n_trees=1)),
            lambda: kind(c, 1).experimental_predict_with_explanations(None).__next__(),
        )
    ]
    categorical = fc.categorical_column_with_identity("k", 3)
    wide = fc.bucketized_column(fc.numeric_column("v", shape=(2,)), [0.5])
    return [
        made,
        [
            error(lambda cols=cols: train(kind(cols, 1)))[0]
            for cols in ([categorical], [wide], [fc.embedding_column(categorical, 2)], [])
        ],
    ]
