"""Pictures in notebooks: graphs, kernels and plans as SVG."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest

import graphc as tf
from graphc.face import dump
from graphc.see.notebook import LARGEST, Picture, placed, svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def texts(picture: str | None) -> list[str]:
    """The texts of a picture, which is well-formed."""
    assert picture is not None
    root = ET.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for r in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(r.get(k, "0")) for k in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 1
        assert 0 <= y <= y + h <= height + 1
    return [t.text or "" for t in root.iter(f"{SVG}text")]


def small() -> Any:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 2])
    return tf.nn.softmax(tf.matmul(x, w), name="y")


def test_recorded_and_pure_graphs() -> None:
    y = small()
    found = texts(tf.get_default_graph()._repr_svg_())
    assert {"x", "placeholder", "MatMul", "matmul", "y", "softmax"} <= set(found)
    (part,) = dump.compile_run(y)
    c = part.compilation
    found = texts(c.frozen.graph._repr_svg_())
    assert {"x", "input", "w", "read", "y", "softmax", "result 0"} <= set(found)
    assert "fused" in texts(c.plan.graph._repr_svg_())


def test_kernels_and_plans() -> None:
    y = small()
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(y * y))
    (part,) = dump.compile_run([y, step])
    plan = part.compilation.plan
    found = texts(plan._repr_svg_())
    assert {"x", "w", "w/Momentum", "result 0", "commit"} <= set(found)
    calls = [s for s in plan.steps if s.calls]
    assert all(any(t.startswith(f"{i} k") for t in found) for i in range(len(calls)))
    kernel = calls[1].code.kernel
    shown = texts(kernel._repr_svg_())
    assert shown[0].startswith(f"kernel {kernel.name}(")
    assert any(t.startswith("parallel") for t in shown)


def test_plans_with_loops() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 3])
    y = tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, tf.matmul(a, w)), [0, x])[1]
    (part,) = dump.compile_run(y)
    found = texts(part.compilation.plan._repr_svg_())
    assert any("branch" in t for t in found)


def test_large_graphs_are_drawn_by_scope() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    for i in range(40):
        with tf.name_scope(f"layer{i}"):
            for _ in range(30):
                x = tf.tanh(x * 0.5)
    found = texts(tf.get_default_graph()._repr_svg_())
    assert "layer39" in found
    assert "3601 nodes, drawn by name scope" in found
    assert len(found) < 2 * LARGEST + 2


def test_names_of_any_kind() -> None:
    p = Picture()
    p.box(1, "a<b>&\"c'\x00", hint="\x07<script>")
    p.box(2, "é" * 90 + "\nsecond")
    p.arrow(1, 2, "<f32>")
    from graphc.see.notebook import drawn

    found = texts(drawn(p))
    assert found[0] == "a<b>&\"c'\\x00"
    assert found[1] == "é" * 16 + "…" + "é" * 16
    assert "<script>" not in drawn(p)


def test_layers() -> None:
    p = Picture()
    for k in "abcd":
        p.box(k, k)
    for a, b in ("ab", "bc", "ac", "ad"):
        p.arrow(a, b)
    at = placed(p)
    assert at["a"][1] < at["b"][1] < at["c"][1]
    assert at["d"][1] == at["b"][1]
    assert at["b"][0] + at["b"][2] < at["d"][0] or at["d"][0] + at["d"][2] < at["b"][0]
    p.arrow("c", "a")  # a circle is drawn all the same
    assert len(placed(p)) == 4


def test_what_has_no_picture() -> None:
    with pytest.raises(TypeError, match="there is no picture of int"):
        svg(3)


def test_networkx_is_imported_for_pictures_only() -> None:
    code = "import sys, graphc as tf; tf.constant(1.0); print('networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "False"
