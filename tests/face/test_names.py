import inspect
import subprocess
import sys

import pytest

import graphc as tf
from graphc.face import lazy
from graphc.face.names import EXPORTS, NAMES


def test_lookups() -> None:
    assert tf.__version__ == tf.VERSION == "1.15.0"
    assert tf.compat.v1 is tf
    assert tf.newaxis is None
    assert tf.add.__name__ == "add"
    assert tf.nn.relu is tf.nn.relu
    assert tf.math.tanh is tf.tanh
    assert tf.mul is tf.multiply
    assert tf.bool.name == "bool"
    assert tf.initializers.zeros is tf.zeros_initializer
    assert tf.python.framework.ops.reset_default_graph is tf.reset_default_graph
    assert tf.errors.OutOfRangeError is not None
    assert tf.train.AdamOptimizer.__name__ == "AdamOptimizer"
    assert tf.as_dtype("float32") is tf.float32


def test_namespaces_are_modules() -> None:
    import graphc.compat.v1 as one
    from graphc.python.framework import ops

    from graphc.contrib import layers

    assert one is tf
    assert layers.xavier_initializer is tf.contrib.layers.xavier_initializer
    assert ops.Graph is tf.Graph


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "plcaeholder",
            "tf.plcaeholder is not a name of TensorFlow 1; did you mean tf.placeholder?",
        ),
        ("relu", "tf.relu is not a name of TensorFlow 1; did you mean tf.nn.relu?"),
        ("nn.sofmax", "tf.nn.sofmax is not a name of TensorFlow 1; did you mean tf.nn.softmax?"),
        (
            "LMDBReader",
            "graphc has no tf.LMDBReader yet (tf.py_func runs any Python function in a graph)",
        ),
        ("qqqqqqqqqq", "tf.qqqqqqqqqq is not a name of TensorFlow 1"),
    ],
)
def test_unknown_names(path: str, text: str) -> None:
    where = tf
    *spaces, name = path.split(".")
    for s in spaces:
        where = getattr(where, s)
    with pytest.raises(AttributeError) as e:
        getattr(where, name)
    assert str(e.value) == text
    assert not hasattr(where, name)


def test_compat_v1_is_another_name_of_everything() -> None:
    import graphc.compat.v1.nn as nn

    assert nn is tf.nn
    assert tf.__spec__ is not None
    assert tf.__spec__.name == "graphc"
    assert nn.__spec__ is not None
    assert nn.__spec__.name == "graphc.nn"


def test_modules_that_are_not_public_have_the_public_names() -> None:
    from graphc.python.ops import array_ops, math_ops, nn_ops
    from graphc.python.training import optimizer

    assert array_ops.reshape is tf.reshape
    assert math_ops.reduce_mean is tf.reduce_mean
    assert nn_ops.relu is tf.nn.relu
    assert optimizer.Optimizer is tf.train.Optimizer
    with pytest.raises(AttributeError, match=r"tf.python.ops.array_ops.qqq is not a name"):
        array_ops.qqq  # noqa: B018


def test_private_modules_that_no_table_knows() -> None:
    """They can be imported; what they lack is said where it is used."""
    from graphc.contrib.rnn.python.ops import core_rnn_cell
    from graphc.python import pywrap_tensorflow
    from graphc.python.ops import control_flow_ops, sparse_ops
    from graphc.python.util import tf_contextlib, tf_inspect
    from graphc.python.util.deprecation import deprecated

    assert core_rnn_cell.GRUCell is tf.contrib.rnn.GRUCell
    assert control_flow_ops.array_ops.reshape is tf.reshape
    assert sparse_ops.math_ops is control_flow_ops.math_ops
    assert tf_inspect.isfunction(tf_contextlib.contextmanager)
    assert deprecated("2017", "use another")(len) is len
    with pytest.raises(AttributeError, match=r"tf\.python\.pywrap_tensorflow\.qqq is not a name"):
        pywrap_tensorflow.qqq  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'qqq'"):
        from graphc.python.ops.array_ops import qqq  # noqa: F401


def test_a_module_that_there_is_not() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"graphc\.contrib\.nowhere"):
        __import__("graphc.contrib.nowhere")


def test_refusals_name_what_is_near() -> None:
    assert lazy.alternatives("", "reduce_meen")[0] == "tf.reduce_mean"
    assert lazy.lookup("", "reduce_mean") is tf.reduce_mean
    assert lazy.lookup("", "reduce_meen", 3) == 3


def test_table_points_at_things() -> None:
    """Every row of the table whose module exists names something in it."""
    import importlib

    for path, target in NAMES.items():
        module, _, attribute = target.partition(":")
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        assert not attribute or hasattr(found, attribute) or path in ("unpack", "pack"), path
    assert EXPORTS[""]


def test_dir_lists_public_names() -> None:
    names = dir(tf)
    assert {"placeholder", "Session", "nn", "train", "float32", "mul"} <= set(names)
    assert "relu" in dir(tf.nn)


def test_import_is_light() -> None:
    code = (
        "import sys, graphc; "
        "assert not {'numpy', 'networkx', 'llvmlite'} & set(sys.modules); "
        "import graphc as tf; tf.placeholder(tf.float32, [None, 3]); "
        "assert not {'networkx', 'llvmlite'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    before = tf.logging.get_verbosity()
    try:
        tf.logging.set_verbosity(tf.logging.INFO)
        tf.logging.info("hello %d", 3)
        tf.logging.debug("not this")
        tf.logging.set_verbosity("ERROR")
        tf.logging.warn("nor this")
        for _ in range(3):
            tf.logging.log_first_n(tf.logging.ERROR, "once", 1)
    finally:
        tf.logging.set_verbosity(before)
    said = [(r.levelname, r.name, r.getMessage()) for r in caplog.records]
    assert said == [("INFO", "tensorflow", "hello 3"), ("ERROR", "tensorflow", "once")]


def test_switches() -> None:
    tf.disable_v2_behavior()
    tf.compat.v1.disable_eager_execution()
    tf.enable_resource_variables()
    tf.disable_resource_variables()
    assert not tf.executing_eagerly()
    assert not tf.test.is_built_with_cuda()
    assert tf.compat.as_bytes("a") == b"a"
    assert tf.compat.as_text(b"a") == "a"
    with pytest.raises(NotImplementedError, match=r"tf\.enable_eager_execution"):
        tf.enable_eager_execution()


@pytest.mark.parametrize("space", ["", "math", "nn", "linalg", "image", "train", "keras.backend"])
def test_functions_have_documentation(space: str) -> None:
    module = tf
    for part in space.split(".") if space else ():
        module = getattr(module, part)
    named = {n: getattr(module, n) for n in dir(module) if n[0] != "_"}
    assert [n for n, f in named.items() if inspect.isfunction(f) and not f.__doc__] == []


def test_the_first_name_that_a_process_asks_a_namespace_for() -> None:
    """A namespace that is a package of its own was asked for all its names, and so on."""
    code = "import graphc as tf; print(tf.nn.static_rnn.__name__, 'relu' in tf.nn.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["static_rnn", "True"], done.stderr[-300:]
