"""Runs a program of `layer_programs.py` and says what a user can see of it.

The same code runs under TensorFlow 1.15 (`record.py`) and under graphc (`test_recorded_layers.py`).
A program is a function of `tf` and `np` that returns a dictionary:

fetch   tensors, variables or None
feed    what is fed in each run
step    an operation run `times` times; the fetches are run before and after each
said    strings
load    False: variables keep their initial values; else they get values of a fixed pattern
"""

import numpy as np
from recorded import plain


def pattern(shape, k):
    """Values in [-0.5, 0.5] that differ from place to place; for the k-th variable."""
    n = int(np.prod(shape, dtype=int))
    return (np.sin(1.7 * np.arange(1, n + 1) + k) * 0.5).reshape(shape)


def data(*shape):
    """Input data of a fixed pattern."""
    n = int(np.prod(shape, dtype=int))
    return np.cos(0.9 * np.arange(n) + 0.3).reshape(shape).astype(np.float32)


def static(t):
    shape = t.get_shape()
    return None if shape.ndims is None else [d.value for d in shape]


def name(x):
    return getattr(x, "name", str(x))


COLLECTIONS = (
    "variables", "trainable_variables", "local_variables", "model_variables", "metric_variables",
    "losses", "regularization_losses", "update_ops", "weights", "biases",
    "moving_average_variables",
)  # fmt: skip


def observe(tf, program):
    """All that is recorded of a program."""
    tf.reset_default_graph()
    got = program(tf, np)
    fetch = list(got.get("fetch", ()))
    facts = [None if t is None else [name(t), t.dtype.base_dtype.name, static(t)] for t in fetch]
    collections = {}
    for key in COLLECTIONS:
        found = [name(v) for v in tf.get_collection(key)]
        if found:
            collections[key] = found
    out = {"fetch": facts, "collections": collections, "said": list(got.get("said", ()))}
    live = [t for t in fetch if t is not None]
    rounds = []
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        if tf.get_collection("table_initializer"):
            session.run(tf.tables_initializer())
        if got.get("load", True):
            for k, v in enumerate(tf.trainable_variables()):
                v.load(pattern(v.get_shape().as_list(), k).astype(v.dtype.as_numpy_dtype), session)
        feeds = got.get("feed", {})
        feeds = feeds if isinstance(feeds, list) else [feeds]
        rounds.append(session.run(live, feeds[0]))
        for i in range(got.get("times", 0)):
            session.run(got["step"], feeds[i % len(feeds)])
            rounds.append(session.run(live, feeds[-1 if len(feeds) > 1 else 0]))
    out["values"] = plain(rounds)
    return out
