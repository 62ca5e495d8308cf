"""What the programs of names share: numbers of a fixed pattern, and how results are written."""

import importlib
import pathlib
import random

import numpy as np
from recorded import plain

HERE = pathlib.Path(__file__).resolve().parent


def families():
    """Name of each family of programs, and its module."""
    found = sorted(p.stem for p in HERE.glob("*_programs.py"))
    return {name[: -len("_programs")]: importlib.import_module(name) for name in found}


def programs(module):
    """The public functions that a module of programs defines."""
    return {
        name: f
        for name, f in vars(module).items()
        if callable(f) and not name.startswith("_") and f.__module__ == module.__name__
    }


def pattern(*shape, k=0.0, scale=0.5):
    """Numbers that look irregular and are the same everywhere."""
    n = int(np.prod(shape, dtype=int))
    return (np.sin(1.7 * np.arange(1, n + 1) + k) * scale).reshape(shape)


def error(f, *args, **kwargs):
    """The type of the error that a call raises."""
    try:
        f(*args, **kwargs)
    except Exception as e:
        return type(e).__name__
    return "no error"


def inside(tf, path):
    """A module of TensorFlow's insides."""
    return importlib.import_module(tf.__name__.split(".")[0] + "." + path)


def variables(tf):
    """Names and shapes of the global variables."""
    return [[v.name, v.shape.as_list()] for v in tf.global_variables()]


def started(tf, *ops):
    """A session in which all variables have values."""
    session = tf.Session()
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer(), *ops])
    return session


def fill(tf, session, k=0.0):
    """Give each trainable variable numbers of the pattern."""
    for i, v in enumerate(tf.trainable_variables()):
        v.load(pattern(*v.shape.as_list(), k=k + i), session)


def observe(tf, f, folder):
    """What a program says, as lists of text and numbers."""
    tf.keras.backend.clear_session()
    tf.reset_default_graph()
    np.random.seed(0)
    random.seed(0)
    tf.set_random_seed(0)
    out = []
    f(tf, out.append, str(folder))
    return [plain(x) for x in out]
