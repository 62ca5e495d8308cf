"""Graphs to networkx and back: nothing is lost, and what comes back computes the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import graphc as tf
from graphc import shim
from graphc.face.dump import compile_run
from graphc.ir.text import print_graph
from graphc.passes.pipeline import optimize_ir, pipeline

PROGRAMS = Path(__file__).parent.parent / "programs" / "src"

#: Programs with loops, conds, arrays, datasets, queues, Python functions, strings, variables in
#: collections of all kinds: the others are tried too, in the slow suite.
QUICK = (
    "bidirectional cond dataset dataset_reinitialised learning_rate_decay linear_algebra py_func"
    " queues scan_map_fold slim_net sparse strings summaries tensor_array while_loop"
).split()
SLOW = sorted({p.stem for p in PROGRAMS.glob("*.py")}.difference(QUICK))


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["program"])
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def same(a: Any, b: Any) -> bool:
    """Whether two attributes are equal, arrays to the bit."""
    if isinstance(a, nx.MultiDiGraph):
        return not differences(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return list(a.flat) == list(b.flat) if a.dtype == object else a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return a is b or bool(a == b)


def differences(a: nx.MultiDiGraph, b: nx.MultiDiGraph) -> list[Any]:
    """What is not the same in two networkx graphs: nodes in order, edges, all attributes."""
    out: list[Any] = [] if list(a) == list(b) else ["other nodes, or in another order"]
    out += [(k, a.nodes[k], b.nodes.get(k)) for k in a if not same(a.nodes[k], b.nodes.get(k))]
    if list(a.edges(keys=True, data=True)) != list(b.edges(keys=True, data=True)):
        out.append("edges")
    return out + [(k, a.graph[k]) for k in a.graph if not same(a.graph[k], b.graph.get(k))]


def check_program(name: str) -> None:
    path = PROGRAMS / f"{name}.py"
    shim.install()
    try:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})
    finally:
        shim.remove()
    graph = tf.get_default_graph()
    network = tf.to_networkx(graph)
    made = tf.from_networkx(network)
    assert made is not graph
    assert [n.name for n in made.get_operations()] == [n.name for n in graph.get_operations()]
    assert all(v.node.graph is made for n in made.get_operations() for v in n.inputs)
    assert not differences(network, tf.to_networkx(made))


@pytest.mark.parametrize("name", QUICK)
def test_programs(name: str) -> None:
    check_program(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_other_programs(name: str) -> None:
    check_program(name)


# ------------------------------------------------------------------------- the same numbers


def recurrent_step() -> None:
    """A training step with a loop, its gradient, a cond, dropout and Adam."""
    tf.set_random_seed(4)
    x = tf.placeholder(tf.float32, [None, 5, 3], name="x")
    cell = tf.nn.rnn_cell.BasicLSTMCell(4)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    out = tf.layers.dense(tf.nn.dropout(outputs[:, -1], 0.7), 2, name="out")
    loss = tf.reduce_mean(tf.square(out - 1.0))
    loss = tf.cond(loss > 0.3, lambda: loss * 2.0, lambda: loss, name="choice")
    tf.identity(loss, name="loss")
    tf.train.AdamOptimizer(0.05).minimize(loss, name="train")
    with tf.control_dependencies([tf.assign_add(tf.get_variable("n", []), 1.0)]):
        tf.no_op(name="count")
    tf.global_variables_initializer()


def trained(graph: tf.Graph) -> list[float]:
    fed = np.random.RandomState(0).randn(6, 5, 3).astype(np.float32)
    with tf.Session(graph=graph) as sess:
        sess.run("init")
        return [sess.run(["train", "count", "loss:0"], {"x:0": fed})[2] for _ in range(4)]


def test_trains_to_the_same_bits() -> None:
    with tf.Graph().as_default() as graph:
        recurrent_step()
    made = tf.from_networkx(tf.to_networkx(graph))
    losses = trained(graph)
    assert losses == trained(made)
    assert losses[-1] < losses[0]
    with made.as_default():
        assert [v.name for v in tf.trainable_variables()] == [
            "rnn/basic_lstm_cell/kernel:0", "rnn/basic_lstm_cell/bias:0", "out/kernel:0",
            "out/bias:0", "n:0",
        ]  # fmt: skip
        assert tf.trainable_variables()[0] is tf.global_variables()[0]
        # names, seeds and gradients go on as they would have
        again = tf.random_uniform([2])
        slope = tf.gradients(made.get_tensor_by_name("loss:0"), tf.trainable_variables()[:-1])
    with graph.as_default():
        first = tf.random_uniform([2])
        slope_first = tf.gradients(
            graph.get_tensor_by_name("loss:0"), tf.trainable_variables()[:-1]
        )
    assert again.name == first.name == "random_uniform:0"
    assert [g.name for g in slope] == [g.name for g in slope_first]
    fed = {"x:0": np.ones([1, 5, 3], np.float32)}
    values = []
    for g, fetches in ((made, [again, *slope]), (graph, [first, *slope_first])):
        with tf.Session(graph=g) as sess:
            sess.run("init")
            values.append(sess.run(fetches, fed))
    assert same(*values)


def test_pure_graphs_of_every_pass() -> None:
    with tf.Graph().as_default() as graph:
        recurrent_step()
    (part,) = compile_run(["train", "loss:0"], graph=graph)
    records = part.compilation.trace.records
    assert len(records) > 10
    for g in [part.compilation.frozen.graph, *(r.graph for r in records)]:
        network = tf.to_networkx(g)
        made = tf.from_networkx(network)
        assert print_graph(made, full=True) == print_graph(g, full=True)
        assert not differences(network, tf.to_networkx(made))
        assert nx.is_directed_acyclic_graph(network)
    # the passes make the same of what comes back, with what is known of sizes
    frozen = tf.from_networkx(tf.to_networkx(part.compilation.frozen.graph))
    optimized = optimize_ir(frozen, pipeline(), check=True)
    assert print_graph(optimized, full=True) == print_graph(records[-1].graph, full=True)
    assert any("fused" in n["op"] for _, n in network.nodes(data=True))


def test_what_is_seen() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        a, b = tf.split(x, 2, axis=1, name="halves")
        with tf.control_dependencies([tf.no_op(name="first")]):
            tf.concat([b, a, b], 1, name="y")
        tf.add_to_collection("mine", a)
        tf.add_to_collection("mine", 7)
    h = tf.to_networkx(graph)
    assert h.graph["kind"] == "recorded"
    assert h.nodes["x"]["types"] == [(tf.float32, (None, 4))]
    assert h.nodes["y"]["op"] == "concat"
    assert h.nodes["y"]["type"] == "ConcatV2"
    assert Path(h.nodes["y"]["source"][0][0]).name == Path(__file__).name
    edges = [(u, d.get("output"), d.get("input"), d["control"])
             for u, _, d in h.in_edges("y", data=True)]  # fmt: skip
    assert sorted(edges, key=str) == [
        ("first", None, None, True), ("halves", 0, 1, False), ("halves", 1, 0, False),
        ("halves", 1, 2, False),
    ]  # fmt: skip
    assert h.graph["collections"] == {"mine": [("halves", 0), 7]}
    made = tf.from_networkx(h)
    assert made.get_collection("mine") == [made.get_tensor_by_name("halves:0"), 7]
    assert [m.name for m in made.get_operation_by_name("y").control_inputs] == ["first"]


def test_edited() -> None:
    """A node is taken out, one is put in between, an attribute changes; the original stays."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None], name="x")
        tf.multiply(tf.tanh(x, name="t"), 3.0, name="y")
    h = tf.to_networkx(graph)
    h.add_node("r", op="relu")
    h.add_edge("x", "r", input=0)
    h.remove_edge("x", "t")
    h.add_edge("r", "t", input=0)
    h.nodes["y/y"]["attrs"]["value"] = np.float32(5.0)
    h = nx.relabel_nodes(h, {"t": "swapped"})
    h.nodes["swapped"].update(op="negative", name="swapped")
    made = tf.from_networkx(h)
    for g, expected in ((made, [0, -10]), (graph, np.tanh([-1, 2]) * 3)):
        with tf.Session(graph=g) as sess:
            np.testing.assert_allclose(sess.run("y:0", {"x:0": [-1.0, 2.0]}), expected, rtol=1e-6)


def network(**nodes: Any) -> nx.MultiDiGraph:
    h = nx.MultiDiGraph()
    h.add_node("x", op="placeholder", attrs={"dtype": tf.float32, "shape": (2, 3)})
    for name, facts in nodes.items():
        h.add_node(name, **facts)
    return h


def edges(h: nx.MultiDiGraph, *found: tuple[str, str, dict[str, Any]]) -> nx.MultiDiGraph:
    for u, v, facts in found:
        h.add_edge(u, v, **facts)
    return h


ADD = {"op": "add"}
REFUSED: dict[str, tuple[Callable[[], nx.MultiDiGraph], str]] = {
    "op": (lambda: network(y={"op": "nothing"}), "node 'y': there is no op 'nothing'"),
    "no op": (lambda: network(y={}), "node 'y': there is no op None"),
    "kind": (lambda: nx.MultiDiGraph(kind="other"), "'recorded' or 'pure', not 'other'"),
    "too few": (lambda: edges(network(y=ADD), ("x", "y", {"input": 0})), "add takes x, y, got"),
    "hole": (
        lambda: edges(network(y=ADD), ("x", "y", {"input": 0}), ("x", "y", {"input": 2})),
        "node 'y' has no operand 1, but later ones",
    ),
    "twice": (
        lambda: edges(network(y=ADD), ("x", "y", {"input": 0}), ("x", "y", {"input": 0})),
        "node 'y' has two operands 0",
    ),
    "no place": (lambda: edges(network(y=ADD), ("x", "y", {})), "from 'x' to 'y' needs `input`"),
    "output": (
        lambda: edges(network(y={"op": "tanh"}), ("x", "y", {"input": 0, "output": 1})),
        "node 'x' has 1 outputs, none 1",
    ),
    "cycle": (
        lambda: edges(network(y={"op": "tanh"}, z={"op": "tanh"}), ("y", "z", {"input": 0}),
                      ("z", "y", {"input": 0})), "has a cycle: 'y' -> 'z'|has a cycle: 'z' -> 'y'",
    ),
    "attribute": (lambda: network(y={"op": "placeholder"}), r"node 'y' .placeholder.: attribute"),
    "types": (
        lambda: edges(network(y={"op": "tanh", "types": [(tf.float64, None)]}),
                      ("x", "y", {"input": 0})),
        r"node 'y' is said to be f64\[\?rank\], but its op infers f32\[2,3\]",
    ),
    "shape": (
        lambda: edges(network(y={"op": "tanh", "types": [(tf.float32, (2, 4))]}),
                      ("x", "y", {"input": 0})), r"f32\[2,4\], but its op infers f32\[2,3\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    make, text = REFUSED[what]
    with pytest.raises(ValueError, match=text):
        tf.from_networkx(make())


def test_other_things() -> None:
    with pytest.raises(TypeError, match=r"must be a networkx.MultiDiGraph, not DiGraph"):
        tf.from_networkx(nx.DiGraph())
    with pytest.raises(TypeError, match="a recorded or a pure graph, not str"):
        tf.to_networkx("graph")


def test_nodes_in_any_order() -> None:
    h = nx.MultiDiGraph()
    h.add_node("y", op="add")
    h.add_node(
        "x",
        op="placeholder",
        attrs={"dtype": tf.float32, "shape": None},
        types=[(tf.float32, (3,))],
    )
    edges(h, ("x", "y", {"input": 1}), ("x", "y", {"input": 0}))
    made = tf.from_networkx(h)
    assert [n.name for n in made.get_operations()] == ["x", "y"]
    assert made.get_tensor_by_name("y:0").shape.as_list() == [3]


def test_large_graphs() -> None:
    """Nothing recurses or is quadratic: a chain of 5000 nodes."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [], name="x")
        for _ in range(5000):
            x = tf.negative(x)
    made = tf.from_networkx(tf.to_networkx(graph))
    assert len(made.get_operations()) == 5001


def test_ops_whose_modules_were_not_imported_yet() -> None:
    program = (
        "import graphc as tf\n"
        "x = tf.placeholder(tf.float32, [2, 2])\n"
        "y = tf.tanh(x, name='y')\n"
        "g = tf.to_networkx(x.graph)\n"
        "(key,) = [k for k, d in g.nodes(data=True) if d['op'] == 'tanh']\n"
        "g.nodes[key].update(op='matrix_inverse', attrs={'adjoint': False})\n"
        "print(tf.from_networkx(g).get_tensor_by_name('y:0').op.op.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "matrix_inverse\n", "")
