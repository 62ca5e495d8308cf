"""The decompiler: the printed source records the same graph."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import shim
from graphc.face.graph import Graph
from graphc.see.tf_likeness import record
from graphc.see.tf_source import tf_source

SRC = Path(__file__).resolve().parent.parent / "programs" / "src"


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def rebuilt(text: str) -> Any:
    """The graph that a program records."""
    graph = Graph()
    with graph.as_default():
        exec(compile(text, "printed", "exec"), {})
    return graph


def nodes_of(graph: Any) -> dict[str, Any]:
    """What is compared of each node."""

    def plain(a: Any) -> Any:
        if isinstance(a, np.ndarray):
            return a.dtype, a.shape, a.tolist() if a.dtype == object else a.tobytes()
        if isinstance(a, (tuple, list)):
            return [plain(x) for x in a]
        return a if isinstance(a, (bool, int, float, str, bytes)) else str(type(a))

    return {
        n.name: (
            n.op.name, [v.name for v in n.inputs], sorted(m.name for m in n.control),
            [(v.dtype.name, str(v.shape)) for v in n.outputs],
            {k: plain(a) for k, a in n.attrs.items() if k[:1] != "_"},
        )
        for n in graph.get_operations()
    }  # fmt: skip


def left_out(text: str) -> dict[str, str]:
    lines = text.partition("# Left out:\n")[2].splitlines()
    return {s[4:].split(" ", 1)[0]: s.rpartition(": ")[2] for s in lines}


def check(graph: Any) -> dict[str, str]:
    """Rebuild a graph; the nodes that are left out."""
    text = tf_source(graph)
    left = left_out(text)
    want = nodes_of(graph)
    got = nodes_of(rebuilt(text))
    assert set(got) == set(want) - set(left)
    for name, node in got.items():
        assert node == want[name], name
    return left


# ------------------------------------------------------------------- programs

#: Programs whose graphs have nodes that no source gives, and the reasons there.
LEFT: dict[str, set[str]] = {
    # objects: accumulators, datasets, queues, functions, variables that a check is about
    **{
        name: {"no statement records it"}
        for name in ("accumulators", "dataset", "dataset_reinitialised", "monitored", "queues")
    },
    "py_func": {"a Python function"},
}  # fmt: skip
QUICK = ["assertions", "cond", "py_func", "regularisation", "while_loop", "xor_momentum"]


def program(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The largest graph that a program of `tests/programs` makes."""
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(sys, "argv", ["program"])
    path = SRC / f"{name}.py"
    scope: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    shim.install()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(path.read_text(), str(path), "exec"), scope)
    finally:
        shim.remove()
    graphs = [tf.get_default_graph(), *(v for v in scope.values() if isinstance(v, Graph))]
    return max(graphs, key=lambda g: len(g.get_operations()))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(p.stem, marks=[] if p.stem in QUICK else [pytest.mark.slow])
        for p in sorted(SRC.glob("*.py"))
    ],
)
def test_programs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tf.logging.get_verbosity()
    graph = program(name, tmp_path, monkeypatch)
    tf.logging.set_verbosity(before)
    left = check(graph)
    reasons = {why for why in left.values() if not why.startswith("needs ")}
    assert reasons == LEFT.get(name, set())
    if not left and not graph.contexts:  # the same in TensorFlow's own form
        again = rebuilt(tf_source(graph))
        a, b = graph.as_graph_def(), again.as_graph_def()
        assert {n.name: n.op for n in a.node} == {n.name: n.op for n in b.node}


# ------------------------------------------------------------------- what it looks like


def test_source() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.variable_scope("dense"):
        w = tf.get_variable("w", initializer=np.ones([3, 2], np.float32))
        with tf.control_dependencies([w.initializer]):
            y = tf.nn.relu(tf.matmul(x, w), name="y")
    tf.add_to_collection("mine", y)
    assert tf_source() == (
        "import graphc as tf\n\n"
        'x = tf.placeholder(tf.float32, [None, 3], name="x")\n'
        'with tf.name_scope("dense/w/"):\n'
        "    dense_w_initial_value = "
        'tf.constant(1.0, tf.float32, shape=[3, 2], name="initial_value")\n'
        'with tf.name_scope("dense/"):\n'
        '    dense_w = tf.Variable(dense_w_initial_value, name="w")\n'
        'with tf.name_scope("dense/"), tf.control_dependencies([dense_w.initializer]):\n'
        '    dense_MatMul = tf.matmul(x, dense_w, name="MatMul")\n'
        '    dense_y = tf.nn.relu(dense_MatMul, name="y")\n'
        'tf.add_to_collection("mine", dense_y)\n'
    )


def test_a_cond_that_computes_nothing() -> None:
    """As the gradient of `tf.layers.dropout` with a fed flag has one."""
    x, flag = tf.placeholder(tf.float32, [None, 3], name="x"), tf.placeholder(tf.bool, [], "flag")
    y = tf.nn.relu(x, name="y")
    tf.cond(flag, lambda: x, lambda: y)
    rate = tf.layers.dropout(tf.layers.dense(y, 2), training=flag)
    with tf.control_dependencies([y]):
        tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(rate))
    assert not check(tf.get_default_graph())
    assert "cond_Merge = tf.cond(flag, cond_then, cond_orelse" in tf_source()


def test_only_what_is_needed() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    w = tf.get_variable("w", initializer=1.0)
    tf.add(x, 3.0, name="other")
    y = tf.multiply(x, w, name="y")
    text = tf.dump(y, {x: [1.0]}, stage="graph", format="python")
    assert "other" not in text
    graph = rebuilt(text)
    with tf.Session(graph=graph) as session:
        session.run(graph.get_operation_by_name("w/Assign"))
        assert session.run("y:0", {"x:0": [2.0, 3.0]}).tolist() == [2.0, 3.0]


def test_the_rebuilt_graph_trains_the_same() -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    w = tf.get_variable("w", [4, 2], initializer=tf.random_uniform_initializer(seed=3))
    b = tf.Variable(tf.zeros([2]), name="b", trainable=False)
    loss = tf.reduce_mean(tf.nn.dropout(tf.nn.softmax(tf.matmul(x, w) + b), 0.5, seed=4) ** 2)
    tf.train.AdamOptimizer(0.1).minimize(loss, name="train")
    old = tf.get_default_graph()
    new = rebuilt(tf_source(old))
    assert [v.name for v in new.get_collection("trainable_variables")] == ["w:0"]
    seen = []
    for graph in (old, new):
        with tf.Session(graph=graph) as session:
            names = [v.initializer for v in graph.get_collection("variables")]
            session.run(names)
            feeds = {"x:0": np.arange(12, dtype=np.float32).reshape(3, 4) * 0.1}
            steps = [session.run([loss.name, "train"], feeds)[0] for _ in range(4)]
            seen.append([*steps, session.run("w/read:0").tolist()])
    assert seen[0] == seen[1]


def test_loops_and_conds() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")

    def step(i: Any, a: Any) -> Any:
        inner = tf.while_loop(lambda j, b: j < 2, lambda j, b: (j + 1, b + 1.0), [0, a])[1]
        return i + 1, tf.cond(i > 1, lambda: inner * x, lambda: a - 1.0)

    y = tf.while_loop(lambda i, a: i < 4, step, [tf.constant(0), x], name="outer")[1]
    tf.map_fn(lambda r: r * 2.0, y)
    tf.identity(y, name="y")
    assert check(tf.get_default_graph()) == {}
    new = rebuilt(tf_source())
    value = np.float32([[1, 2], [3, 4]])
    with tf.Session() as a, tf.Session(graph=new) as b:
        want, got = a.run("y:0", {"x:0": value}), b.run("y:0", {"x:0": value})
    assert want.tolist() == got.tolist()


def test_a_recurrent_net() -> None:
    x = tf.placeholder(tf.float32, [None, 5, 3], name="x")
    cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.LSTMCell(4) for _ in range(2)])
    tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    assert check(tf.get_default_graph()) == {}


def test_names_and_constants_of_any_kind() -> None:
    x = tf.placeholder(tf.float32, name="lambda")
    with tf.name_scope("if"):
        tf.add(x, np.arange(200, dtype=np.float32), name="np")
        tf.multiply(x, np.float32([np.nan, np.inf, -0.0]), name="tf")
        tf.constant([b"a\xff", b'"quoted"'], name="record")
        tf.constant(np.zeros([0, 3], np.float64))
        tf.constant([True, False])
        tf.placeholder_with_default(np.int64([1, 2]), [None], name="default")
    text = tf_source()
    assert check(tf.get_default_graph()) == {}
    assert "_TABLE_0 = np.frombuffer(" in text


def test_shapes_that_were_set() -> None:
    x = tf.placeholder(tf.float32, [None, None], name="x")
    y = tf.identity(x * 2.0, name="y")
    y.set_shape([None, 3])
    assert "y.set_shape([None, 3])" in tf_source()
    assert check(tf.get_default_graph()) == {}


def test_an_imported_graph() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", initializer=np.ones([3, 2], np.float32))
    tf.nn.conv2d(tf.reshape(tf.matmul(x, w), [-1, 2, 1, 1]), np.ones([1, 1, 1, 2], np.float32),
                 [1, 1, 1, 1], "SAME", name="y")  # fmt: skip
    made = tf.get_default_graph().as_graph_def()
    graph = Graph()
    with graph.as_default():
        tf.import_graph_def(made, name="")
    assert check(graph) == {}


def test_record() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    y = record("relu", [x], {}, "a/b/y")
    assert y.name == "a/b/y:0"
    with pytest.raises(KeyError):
        record("nope", [x])


def test_ops_whose_modules_were_not_imported_yet() -> None:
    program = (
        "import graphc as tf\n"
        "from graphc.see.tf_source import record\n"
        "x = tf.placeholder(tf.float32, [2, 2])\n"
        "print(record('matrix_inverse', [x], {'adjoint': False}, 'inv').shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, 2)\n", "")


def test_gradients_of_loops_are_calls_of_gradients() -> None:
    """Of any order, of optimizers, and with what reads inside of their results."""
    with tf.Graph().as_default() as g:
        v = tf.get_variable("v", initializer=1.5)
        x = tf.placeholder(tf.float32, [None], name="x")
        loss = tf.reduce_sum(tf.scan(lambda a, e: a * v + e, x, initializer=0.0) ** 2)
        with tf.name_scope("slopes"):
            first = tf.gradients(loss, [v, x], stop_gradients=[x])
        second = tf.gradients(first[1] * 2.0, x, grad_ys=[tf.ones_like(x)])
        tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        tf.identity(second[0], "out")
        with tf.Session(graph=g) as s:
            s.run(tf.global_variables_initializer())
            want = s.run(["out:0", first[0].name], {"x:0": [1.0, 2.0]})
    assert not check(g)
    text = tf_source(g)
    assert text.count("tf.gradients(") == 3
    with rebuilt(text).as_default() as again, tf.Session(graph=again) as s:
        s.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(
            s.run(["out:0", first[0].name], {"x:0": [1.0, 2.0]})[0], want[0]
        )
