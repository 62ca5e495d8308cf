"""Dumps as data and as pictures of graphviz."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.see.forms import dot, graph_data, stage_graphs


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def small() -> Any:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.Variable(tf.ones([3, 2]), name="w")
    with tf.control_dependencies([w.initializer]):
        return tf.nn.relu(tf.matmul(x, w), name="y")


def test_json_of_every_stage() -> None:
    data = json.loads(tf.dump(small(), format="json"))
    (part,) = data["parts"]
    stages = part["stages"]
    assert list(stages)[:3] == ["graph", "pure", "sizes"]
    assert list(stages)[-2:] == ["kernels", "plan"]
    recorded = stages["graph"]
    by_name = {n["name"]: n for n in recorded["nodes"]}
    assert by_name["x"]["outputs"] == [{"dtype": "float32", "shape": ["?", 3]}]
    y = by_name["y"]
    assert [recorded["nodes"][i]["name"] for i in y["control"]] == ["w/Assign"]
    assert recorded["outputs"] == [f"{y['id']}:0"]
    assert y["source"][0]["file"].endswith("test_forms.py")
    fused = next(n for n in stages["fuse"]["nodes"] if n["op"] == "fused")
    body = fused["regions"]["body"]
    assert [n["op"] for n in body["nodes"]][-2:] == ["matmul", "relu"]
    assert body["nodes"][-2]["attributes"] == {"transpose_a": False, "transpose_b": False}
    assert "matmul" in stages["kernels"] or "kernel" in stages["kernels"]


def test_every_reference_is_defined() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * x), [0, x])[1]
    data = json.loads(tf.dump(y, format="json", stage="pure,fuse"))

    def check(g: dict[str, Any]) -> int:
        known = {f"{n['id']}:{i}" for n in g["nodes"] for i in range(len(n["outputs"]))}
        used = {r for n in g["nodes"] for r in n["inputs"]} | set(g["outputs"]) | set(g["inputs"])
        assert used <= known
        inner = [r for n in g["nodes"] for r in n.get("regions", {}).values()]
        return 1 + sum(map(check, inner))

    assert check(data["parts"][0]["stages"]["pure"]) == 3
    assert check(data["parts"][0]["stages"]["fuse"]) > 3


def test_values_that_json_has_not() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    y = x + np.array([np.nan, np.inf], np.float32) + np.arange(1000.0, dtype=np.float32)[998:]
    text = tf.dump([y, x * np.zeros([100, 2], np.float32)], format="json", stage="pure")
    data = json.loads(text, parse_constant=lambda s: pytest.fail(s))
    values = [n["attributes"]["value"] for n in data["parts"][0]["stages"]["pure"]["nodes"]
              if n["op"] == "constant"]  # fmt: skip
    assert ["nan", "inf"] in values
    assert "...200 elements" in values


def statements(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Nodes with labels, and edges, of one digraph; a small reader of DOT."""
    quoted = r'"(?:[^"\\]|\\.)*"'
    nodes, edges = {}, []
    for line in text.splitlines():
        m = re.fullmatch(r"\s*(\w+) -> (\w+)(?: \[.*\])?", line)
        if m:
            edges.append((m[1], m[2]))
            continue
        m = re.fullmatch(rf"\s*(\w+) \[label=({quoted})(?:, \w+=(?:{quoted}|\w+))*\]", line)
        if m:
            nodes[m[1]] = m[2]
        else:
            known = r"\s*(digraph|subgraph|label=|rankdir|node \[|edge \[|\}).*"
            assert re.fullmatch(known, line), line
    return nodes, edges


def test_dot() -> None:
    text = tf.dump(small(), format="dot", stage="graph,fuse")
    assert text.count("digraph ") == 2
    nodes, edges = statements(text.split("digraph ")[1].partition("\n")[2])
    assert '"y\\nrelu"' in nodes.values()
    assert {a for a, _ in edges} | {b for _, b in edges} <= set(nodes)
    assert "style=dashed" in text
    assert text.count("subgraph cluster_") >= 1
    assert text.count("{") == text.count("}")


def test_names_of_any_kind_in_dot() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    (part,) = tf_parts(x * 2.0)
    (_, g), *_ = stage_graphs(part.compilation)
    for n in g.nodes():
        n.name = 'a"b\\c\n<é>\x07'
    nodes, edges = statements(dot({'t"itle\\': g}).partition("\n")[2])
    assert len(edges) == 3
    label = next(v for v in nodes.values() if "multiply" in v)
    assert label == '"a\\"b\\\\c\\n<é>\\\\x07\\nmultiply"'
    assert json.loads(json.dumps(graph_data(g)))["nodes"][0]["name"] == 'a"b\\c\n<é>\x07'


def tf_parts(fetches: Any) -> Any:
    from graphc.face import dump

    return dump.compile_run(fetches)


def test_stages_without_a_picture() -> None:
    with pytest.raises(ValueError, match="stage 'asm' has no form 'dot', only graphs have"):
        tf.dump(small(), format="dot", stage="asm")
