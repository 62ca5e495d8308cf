"""Programs of tf.contrib.learn's ops, models and data sets, recorded with TensorFlow 1.15."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from typing import Any

from support import error, rounded

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def seen(tf: Any, made: Callable[[], Any]) -> Any:
    """Names and shapes of variables and results, and the results of a model."""
    with tf.Graph().as_default() as g, tf.Session() as s:
        tf.set_random_seed(3)
        flat = tf.contrib.framework.nest.flatten(made())
        s.run(tf.global_variables_initializer())
        kept = [[v.name, v.shape.as_list()] for v in tf.global_variables()]
        kept.append([t.op.name for t in g.get_collection(tf.GraphKeys.SUMMARIES)])
        kept.append([t.op.name for t in g.get_collection(tf.GraphKeys.LOSSES)])
        return [kept, [[t.op.name, t.shape.as_list()] for t in flat], rounded(s.run(flat))]


@program
def models(tf: Any, np: Any, folder: str) -> Any:
    """Linear and logistic regression, with the first values of the scope or of a distribution."""
    learn, out = tf.contrib.learn, []
    x = np.random.RandomState(0).randn(6, 3).astype(np.float32)
    one_hot = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    for made in (
        lambda: learn.models.linear_regression(tf.constant(x), tf.constant(x[:, 0])),
        lambda: learn.models.linear_regression(tf.constant(x), tf.constant(x[:, :2]), 0.1, 0.2),
        lambda: learn.models.linear_regression_zero_init(tf.constant(x), tf.constant(x[:, :1])),
        lambda: learn.models.logistic_regression(tf.constant(x), tf.constant(one_hot)),
        lambda: learn.models.logistic_regression(
            tf.constant(x), tf.constant(one_hot), [1.0, 2.0, 0.5, 1.0], 0.5, 0.1
        ),
        lambda: learn.models.logistic_regression_zero_init(tf.constant(x), tf.constant(one_hot)),
    ):
        out.append(seen(tf, made))
    return out


@program
def pieces(tf: Any, np: Any, folder: str) -> Any:
    """Embeddings of classes, and a decoder behind an encoder."""
    ops, out = tf.contrib.learn.ops, []
    x = np.random.RandomState(1).randn(2, 3, 3).astype(np.float32)

    def words() -> Any:
        return ops.categorical_variable(tf.constant([[0, 1], [2, 1]]), 3, 4, "words")

    def coded() -> Any:
        before, inputs, after = ops.seq2seq_inputs(tf.constant(x), tf.constant(x[:, :2]), 3, 2)
        cell = tf.nn.rnn_cell.BasicRNNCell(3)
        return [after, ops.rnn_seq2seq(before, inputs, cell)]

    for made in (words, coded):
        out.append(seen(tf, made))
    return out


@program
def articles(tf: Any, np: Any, folder: str) -> Any:
    """Articles of the form of DBpedia's, all or one of a thousand."""
    os.makedirs(os.path.join(folder, "dbpedia_data", "dbpedia_csv"))
    for name, count in (("train", 2500), ("test", 1100)):
        path = os.path.join(folder, "dbpedia_data", "dbpedia_csv", name + ".csv")
        with open(path, "w", newline="") as f:
            csv.writer(f).writerows([i % 14 + 1, f"t {i}", f'a "b", {i}'] for i in range(count))
    before, out = os.environ.get("TF_EXP_BASE_DIR"), []
    os.environ["TF_EXP_BASE_DIR"] = folder
    try:
        for size in ("small", "large"):
            found = tf.contrib.learn.datasets.load_dataset("dbpedia", size=size)
            for part in (found.train, found.test):
                out.append([list(part.data.shape), part.data[:3].tolist(), str(part.target.dtype)])
                out.append(part.target[:4].tolist())
            out.append(found.validation is None)
    finally:
        if before is None:
            del os.environ["TF_EXP_BASE_DIR"]
        else:
            os.environ["TF_EXP_BASE_DIR"] = before
    fake = tf.contrib.learn.datasets.load_dataset("dbpedia", test_with_fake_data=True)
    out.append(
        [list(fake.train.data.shape), list(fake.test.data.shape), str(fake.test.target.dtype)]
    )
    return [*out, error(lambda: tf.contrib.learn.datasets.load_dataset("none"))]
