"""Imported graphs whose variables and tables the caller gives, as modules of networks do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def _without_state(meta: Any, *names: str) -> Any:
    """A copy where nodes are placeholders of resources."""
    made = type(meta).FromString(meta.SerializeToString())
    for node in made.graph_def.node:
        if node.name in names:
            node.op = "Placeholder"
            for key in [k for k in node.attr if k != "shape"]:
                del node.attr[key]
            node.attr["dtype"].type = 20
    made.ClearField("collection_def")
    return made


def test_a_variable_is_read_by_two_copies_of_a_graph() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    w = tf.get_variable("w", [2], initializer=tf.ones_initializer(), use_resource=True)
    tf.multiply(x, w, name="y")
    meta = tf.train.export_meta_graph()
    tf.reset_default_graph()
    tf.train.import_meta_graph(meta, import_scope="state")
    handle = tf.get_default_graph().get_tensor_by_name("state/w:0")
    bare = _without_state(meta, "w")
    outs = []
    for k in (1.0, 2.0):
        feeds = {"w:0": handle, "x:0": tf.constant([k, k])}
        tf.train.import_meta_graph(bare, input_map=feeds, import_scope="apply")
        end = "" if k == 1 else "_1"
        assert tf.get_default_graph().get_operation_by_name(f"apply{end}/w").type == "Placeholder"
        outs.append(tf.get_default_graph().get_tensor_by_name(f"apply{end}/y:0"))
    (variable,) = tf.global_variables()
    assert tf.gradients(outs, variable)[0] is not None
    train = tf.train.GradientDescentOptimizer(1.0).minimize(outs[0] + outs[1])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert [a.tolist() for a in session.run(outs)] == [[1.0, 1.0], [2.0, 2.0]]
        session.run(train)
        assert session.run(outs[1]).tolist() == [-4.0, -4.0]


def test_a_table_is_read_by_another_copy_of_a_graph() -> None:
    words = tf.placeholder(tf.string, [None], name="words")
    table = tf.contrib.lookup.index_table_from_tensor(["a", "b"], default_value=9)
    tf.identity(table.lookup(words), name="ids")
    meta = tf.train.export_meta_graph()
    (name,) = [n.name for n in meta.graph_def.node if n.op == "HashTableV2"]
    tf.reset_default_graph()
    tf.train.import_meta_graph(meta, import_scope="state")
    graph = tf.get_default_graph()
    before = graph.version
    handle = graph.get_tensor_by_name(f"state/{name}:0")
    assert handle is graph.get_tensor_by_name(f"state/{name}:0")
    assert graph.version == before  # seeds of what comes after are the same
    feeds = {f"{name}:0": handle, "words:0": tf.constant(["b", "c", "a"])}
    tf.train.import_meta_graph(_without_state(meta, name), input_map=feeds, import_scope="apply")
    with tf.Session() as session:
        session.run(tf.tables_initializer())
        assert session.run("apply/ids:0").tolist() == [1, 9, 0]


def test_names_come_after_the_current_scope() -> None:
    tf.get_variable("w", [2], initializer=tf.zeros_initializer())
    tf.add_to_collection("losses", tf.constant(1.0, name="c"))
    meta = tf.train.export_meta_graph()

    def names() -> tuple[list[str], list[str]]:
        losses = tf.get_collection("losses")
        return [v.name for v in tf.global_variables()], [c.name for c in losses]

    tf.reset_default_graph()
    with tf.name_scope("x/y/"):
        tf.train.import_meta_graph(meta)
    assert names() == (["x/y/w:0"], ["x/y/c:0"])
    tf.reset_default_graph()
    with tf.name_scope("p"):
        tf.train.import_meta_graph(meta, import_scope="s/t")
    assert names() == (["p/s/t/w:0"], ["p/s/t/c:0"])
    tf.reset_default_graph()
    with tf.name_scope("s"):
        tf.constant(1)
    for _ in range(2):
        tf.train.import_meta_graph(meta, import_scope="s")
    assert names() == (["s_1/w:0", "s_2/w:0"], ["s_1/c:0", "s_2/c:0"])


def test_a_saver_of_an_imported_scope_finds_its_variables(tmp_path: Any) -> None:
    w = tf.get_variable("w", initializer=np.float32([1, 2]))
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = saver.save(session, str(tmp_path / "m"))
    assert w.name == "w:0"
    tf.reset_default_graph()
    with tf.name_scope("o"):
        again = tf.train.import_meta_graph(path + ".meta", import_scope="s")
    with tf.Session() as session:
        again.restore(session, path)
        assert session.run("o/s/w:0").tolist() == [1.0, 2.0]


def test_colocation_is_said_anew() -> None:
    a, b = tf.constant(1.0, name="a").op, tf.constant(2.0, name="b").op
    with tf.colocate_with(a):
        c = tf.constant(3.0, name="c").op
    assert c.get_attr("_class") == [b"loc:@a"]
    with pytest.raises(ValueError, match="no attr named '_class'"):
        b.get_attr("_class")
    value = tf.AttrValue()
    value.list.s.append(b"loc:@b")
    c._set_attr("_class", value)
    assert c.colocation_groups() == [b"loc:@b"]
    with pytest.raises(ValueError, match="cannot be changed"):
        c._set_attr("dtype", value)
