"""Input pipelines, functions and readers in graphs that TensorFlow 1.15 wrote."""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.proto import message

HERE = pathlib.Path(__file__).parent / "pipelines"
WANT: dict[str, Any] = json.loads((HERE / "values.json").read_text())
PYTHON = ("python", "generator")


def read(name: str) -> Any:
    data = gzip.decompress((HERE / f"{name}.meta.gz").read_bytes())
    return message("MetaGraphDef").FromString(data)


def plain(x: Any) -> Any:
    return x.decode() if isinstance(x, bytes) else np.asarray(x).tolist()


def elements(s: Any, graph: Any) -> list[Any]:
    names = [o.name for o in graph.get_operations()]
    s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    if "init" in names:
        s.run("init")
    coordinator = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(s, coordinator)
    fetches = [f"{n}:0" for n in names if n.startswith("out")]
    out = []
    try:
        while len(out) < 20:
            out.append([plain(x) for x in s.run(fetches)])
    except tf.errors.OutOfRangeError:
        pass
    coordinator.request_stop()
    coordinator.join(threads)
    return out


@pytest.mark.parametrize("name", [n for n in WANT if n not in PYTHON])
def test_elements(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, recwarn: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    with tf.Graph().as_default() as g, tf.Session() as s:
        tf.train.import_meta_graph(read(name))
        assert elements(s, g) == WANT[name]


@pytest.mark.parametrize("name", PYTHON)
def test_python_functions_are_not_in_files(name: str) -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        tf.train.import_meta_graph(read(name))
        with pytest.raises(tf.errors.UnimplementedError, match="no other process can call it"):
            s.run("init")
        assert s.run("out0:0", {"IteratorGetNext:0": 5}) == 5


@pytest.mark.parametrize("name", ["branches", "loops", "second_output", "one_shot"])
def test_elements_of_a_graph_without_definitions(name: str) -> None:
    with tf.Graph().as_default() as g, tf.Session() as s:
        tf.import_graph_def(read(name).graph_def, name="")
        assert elements(s, g) == WANT[name]


def test_functions_that_are_not_there_or_call_themselves() -> None:
    graph = read("branches").graph_def
    (f,) = (f for f in graph.library.function if "map" in f.signature.name)
    node = next(n for n in f.node_def if n.op == "StatelessIf")
    node.attr["then_branch"].func.name = f.signature.name
    with tf.Graph().as_default(), pytest.raises(ValueError, match="calls itself"):
        tf.import_graph_def(graph, name="")
    node.attr["then_branch"].func.name = "nowhere"
    with tf.Graph().as_default(), pytest.raises(ValueError, match="no function 'nowhere'"):
        tf.import_graph_def(graph, name="")


def test_calls_conditions_and_loops_of_functions_with_gradients() -> None:
    """As TensorFlow 2 writes them: the nodes are in the main graph."""
    graph = read("loops").graph_def
    (f,) = (f for f in graph.library.function if "map" in f.signature.name)
    del graph.node[:]
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 9  # int64
    call = graph.node.add(name="call", op="StatefulPartitionedCall", input=["x"])
    call.attr["f"].func.name = f.signature.name
    with tf.Graph().as_default(), tf.Session() as s:
        (y,) = tf.import_graph_def(graph, name="", return_elements=["call:0"])
        assert y.op.name == "call"
        assert s.run(y, {"x:0": 5}) == 20
