"""``tools.freeze_graph``: graphs and checkpoints in files become graphs of constants."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.graphdef.freezing import freeze_graph, freeze_graph_with_def_protos


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A graph with three variables as text and bytes, its saver, and a checkpoint ``m``."""
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.get_variable("w", initializer=tf.fill([3, 2], 2.0))
        y = tf.add(tf.matmul(x, w), tf.get_variable("c", initializer=tf.ones([2])), name="y")
        tf.identity(y * 2 + tf.get_variable("u", initializer=tf.zeros([1])), name="z")
        saver = tf.train.Saver()
        sess.run(tf.global_variables_initializer())
        saver.save(sess, str(tmp_path / "m"))
        tf.train.write_graph(graph, str(tmp_path), "g.pbtxt")
        tf.train.write_graph(graph, str(tmp_path), "g.pb", as_text=False)
        (tmp_path / "s.pb").write_bytes(saver.as_saver_def().SerializeToString())
        tf.saved_model.simple_save(sess, str(tmp_path / "model"), {"x": x}, {"y": y})
    return tmp_path


def kinds(graph_def: Any) -> dict[str, str]:
    return {n.name: n.op for n in graph_def.node}


@pytest.mark.parametrize(
    ("source", "more"),
    [({"input_graph": "g.pbtxt", "input_binary": False}, {}),
     ({"input_graph": "g.pb"}, {"clear_devices": True, "initializer_nodes": "u/Assign"}),
     ({"input_graph": "g.pb", "input_saver": "s.pb"}, {}),
     ({"input_meta_graph": "m.meta"}, {"variable_names_whitelist": "w, c, u"}),
     ({"input_saved_model_dir": "model", "input_checkpoint": ""}, {})],
)  # fmt: skip
def test_frozen_graphs_compute_the_same(
    folder: pathlib.Path, source: dict[str, Any], more: dict[str, Any]
) -> None:
    paths = {k: str(folder / v) if isinstance(v, str) and v else v for k, v in source.items()}
    arguments: dict[str, Any] = {
        "input_graph": "", "input_saver": "", "input_binary": True, "clear_devices": False,
        "input_checkpoint": str(folder / "m"), "output_node_names": "y, z", "restore_op_name": "",
        "filename_tensor_name": "", "output_graph": str(folder / "out.pb"),
        "initializer_nodes": "", **paths, **more,
    }  # fmt: skip
    made = freeze_graph(**arguments)
    assert {kinds(made)[name] for name in "wcu"} == {"Const"}
    read = tf.GraphDef()
    read.ParseFromString((folder / "out.pb").read_bytes())
    assert kinds(read) == kinds(made)
    with tf.Graph().as_default(), tf.Session() as sess:
        y, z = tf.import_graph_def(read, return_elements=["y:0", "z:0"], name="")
        got = sess.run([y, z], {"x:0": np.ones((1, 3), np.float32)})
    assert [v.tolist() for v in got] == [[[7, 7]], [[14, 14]]]


def test_a_part_of_the_graph_and_of_the_variables(folder: pathlib.Path) -> None:
    graph_def = tf.GraphDef()
    graph_def.ParseFromString((folder / "g.pb").read_bytes())
    made = freeze_graph_with_def_protos(
        graph_def, None, str(folder / "m"), "y", "", "", None, True, "",
        variable_names_blacklist="c",
    )  # fmt: skip
    assert kinds(made)["c"] == "VariableV2"
    assert kinds(made)["w"] == "Const"
    assert "z" not in kinds(made)


@pytest.mark.parametrize(
    ("checkpoint", "names", "text"),
    [("nothing", "y", "doesn't exist"), ("m", "", "supply the name of a node")],
)
def test_what_it_refuses(folder: pathlib.Path, checkpoint: str, names: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        freeze_graph_with_def_protos(
            tf.GraphDef(), None, str(folder / checkpoint), names, "", "", None, True, ""
        )
