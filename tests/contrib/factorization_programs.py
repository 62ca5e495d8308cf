"""Programs of tf.contrib.factorization, recorded with TensorFlow 1.15."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from support import error, rounded

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def package(tf: Any) -> Any:
    root = "graphc" if tf.__name__ == "graphc" else "tensorflow"
    return importlib.import_module(root + ".contrib.factorization")


def points(np: Any) -> Any:
    rng = np.random.RandomState(0)
    return (rng.randn(40, 3) + 4 * rng.randint(0, 3, (40, 1))).astype(np.float32)


def clusters(tf: Any, np: Any, steps: int, **settings: Any) -> Any:
    """Centres as chosen and after steps, what is nearest to six points, the variables' names."""
    tf.reset_default_graph()
    x = points(np)
    p = tf.placeholder(tf.float32, [None, 3])
    made = package(tf).KMeans(p, **settings).training_graph()
    everything, index, near, ready, init, train = made
    names = [v.name for v in tf.global_variables()]
    centres = tf.global_variables()[0]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer(), {p: x})
        runs = 0
        while not s.run(ready):
            s.run(init, {p: x})
            runs += 1
        out = [names, runs, rounded(s.run(centres))]
        for _ in range(steps):
            s.run(train, {p: x})
        out.append(rounded(s.run(centres)))
        out.append(rounded(s.run([everything[0], index[0], near[0]], {p: x[:6]})))
    return out


SETTINGS: dict[str, dict[str, Any]] = {
    "random": {"num_clusters": 3},
    "cosine": {"num_clusters": 3, "distance_metric": "cosine", "random_seed": 3},
    "plus": {"num_clusters": 4, "initial_clusters": "kmeans_plus_plus", "random_seed": 3},
    "plus_cosine": {
        "num_clusters": 4, "initial_clusters": "kmeans_plus_plus", "random_seed": 5,
        "kmeans_plus_plus_num_retries": -1, "distance_metric": "cosine",
    },
    "chain": {
        "num_clusters": 5, "initial_clusters": "kmc2", "kmc2_chain_length": 7, "random_seed": 2,
    },
    "batch": {"num_clusters": 3, "use_mini_batch": True},
    "period": {"num_clusters": 3, "use_mini_batch": True, "mini_batch_steps_per_iteration": 2},
}  # fmt: skip


@program
def kmeans(tf: Any, np: Any, folder: str) -> Any:
    """Each way to choose centres; no steps where TensorFlow reads what it writes in the step."""
    out = {
        k: clusters(tf, np, 0 if v.get("use_mini_batch") else 4, **v) for k, v in SETTINGS.items()
    }
    x = points(np)
    out["given"] = clusters(tf, np, 2, num_clusters=9, initial_clusters=x[:2])
    out["function"] = clusters(tf, np, 1, num_clusters=2, initial_clusters=lambda i, k: i[0][:k])
    return out


@program
def estimator(tf: Any, np: Any, folder: str) -> Any:
    x = points(np)

    def data() -> Any:
        return tf.train.limit_epochs(tf.constant(x), 1)

    config = tf.estimator.RunConfig(tf_random_seed=1, save_summary_steps=None)
    k = package(tf).KMeansClustering(
        3, folder, initial_clusters=x[:3], use_mini_batch=False, config=config
    )
    k.train(data)
    out = [rounded(k.cluster_centers()), rounded(k.score(data))]
    k.train(lambda: tf.constant(x), steps=20)
    out += [rounded(k.cluster_centers()), sorted(k.get_variable_names())]
    out.append(rounded(list(k.predict_cluster_index(data))))
    out.append(rounded(list(k.transform(data))[:3]))
    settled = package(tf).KMeansClustering(
        2, folder + "/s", initial_clusters=x[:2], use_mini_batch=False, relative_tolerance=0.01,
        config=config,
    )  # fmt: skip
    settled.train(lambda: {"b": tf.constant(x[:, 1:]), "a": tf.constant(x[:, :1])}, max_steps=50)
    out.append(int(settled.get_variable_value("global_step")))
    out.append(rounded(settled.cluster_centers()))
    return out


def blobs(np: Any) -> Any:
    rng = np.random.RandomState(0)
    parts = [
        rng.randn(20, 2) * 0.5 + [2, 2], rng.randn(15, 2) * [1, 0.3] + [-2, 1],
        rng.randn(10, 2) + np.array([0, -3]),
    ]  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


@program
def mixtures(tf: Any, np: Any, folder: str) -> Any:
    """Steps of EM with each set of parameters, covariances full and diagonal."""
    x, out = blobs(np), []
    for kind, params in (("full", "wmc"), ("full", "w"), ("diag", "mc")):
        with tf.Graph().as_default(), tf.Session() as s:
            loss, scores, which, step, init, ready = tf.contrib.factorization.gmm(
                tf.constant(x), x[[0, 25, 40]], 3, 1, kind, params
            )
            s.run(tf.global_variables_initializer())
            out.append([bool(s.run(ready)), s.run(init), bool(s.run(ready))])
            for _ in range(3):
                s.run(step)
                out.append(rounded(s.run(loss)))
            out.append(rounded([s.run(scores), s.run(which)[0]]))
            out.append([[v.name, rounded(s.run(v))] for v in tf.global_variables()])
    return out


@program
def mixture_estimator(tf: Any, np: Any, folder: str) -> Any:
    x = blobs(np)
    config = tf.contrib.learn.RunConfig(tf_random_seed=2, save_summary_steps=None)

    def feed() -> Any:
        return tf.constant(x), None

    gmm = tf.contrib.factorization.GMM(3, folder, initial_clusters=x[[0, 25, 40]], config=config)
    gmm.fit(input_fn=feed, steps=4)
    gmm.fit(input_fn=feed, steps=1)
    out = [sorted(gmm.get_variable_names())]
    out.append(rounded([gmm.clusters(), gmm.covariances(), gmm.weights()]))
    out.append(rounded(float(gmm.score(input_fn=feed, steps=1))))
    out.append([int(a) for a in gmm.predict_assignments(input_fn=feed)])
    out.append(rounded(gmm.evaluate(input_fn=feed, steps=1)))
    made = tf.contrib.factorization.GMM(3, covariance_type="z", config=config)
    out.append(error(lambda: made.fit(input_fn=feed, steps=1)))
    return out
