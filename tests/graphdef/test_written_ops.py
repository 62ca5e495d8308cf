"""Nodes that graphc writes have TensorFlow 1.15's types, numbers of inputs and attributes.

``written.json`` was written by `record_written.py`. With each of these graphs TensorFlow computed
the values that they have here (random gammas and Poisson numbers are others: not its stream).
"""

import json
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")

from written_programs import CALLS, operands

RECORDED = json.loads((Path(__file__).parent / "written.json").read_text())
#: TensorFlow writes what the kernel would do itself by other nodes, or adds some for a warning.
OTHER_NODES = {"AddN", "GatherNd", "ScatterNd", "Any", "Where"}


def written(text):
    with tf.Graph().as_default() as g:
        eval(text, operands(tf))
        return g.as_graph_def()


@pytest.mark.parametrize("text", CALLS)
def test_types_and_attributes(text):
    made = written(text)
    assert not [n.op for n in made.node if n.op.startswith("Graphc")]
    ours = {}
    for n in made.node:
        attrs = {a for a in n.attr if not a.startswith("_")}
        ours.setdefault(n.op, (sum(not i.startswith("^") for i in n.input), attrs))
    for kind, (inputs, attrs) in RECORDED[text].items():
        if kind in OTHER_NODES and kind not in ours:
            continue
        assert kind in ours
        assert ours[kind][0] == inputs, kind
        assert ours[kind][1] <= {a for a in attrs if not a.startswith("_")}, kind


@pytest.mark.parametrize("value", [1 + 2j, [1 + 2j, 3.0]])
def test_complex_constants(value):
    with tf.Graph().as_default() as g:
        tf.constant(value, tf.complex64, name="c")
        made = g.as_graph_def()
    with tf.Graph().as_default(), tf.Session() as sess:
        c = tf.import_graph_def(made, return_elements=["c:0"])[0]
        assert np.array_equal(sess.run(c), np.array(value, np.complex64))
    made.node[0].attr["value"].tensor.ClearField("tensor_content")  # as TensorFlow writes one
    made.node[0].attr["value"].tensor.scomplex_val.extend([1.0, 2.0])
    with tf.Graph().as_default(), tf.Session() as sess:
        c = tf.import_graph_def(made, return_elements=["c:0"])[0]
        assert np.all(sess.run(c) == np.complex64(1 + 2j))
