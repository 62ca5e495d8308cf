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


def listed(tf, **more):
    column = tf.feature_column.categorical_column_with_vocabulary_list("a", ["u", "v"], **more)
    words = tf.placeholder(tf.string, [None], name="words")
    return tf.feature_column.input_layer({"a": words}, [tf.feature_column.indicator_column(column)])


def padded(tf):
    n = tf.placeholder(tf.int32, [], name="n")
    return tf.pad(tf.ones([2, 2]), [[0, n], [n, 0]])


#: What TensorFlow has no single node for → types that it is made of; TensorFlow's values are ours.
MADE_OF = [
    (listed, {"Equal", "ArgMax", "SelectV2"}),
    (lambda tf: listed(tf, num_oov_buckets=3), {"StringToHashBucketFast", "SelectV2"}),
    (padded, {"Reshape", "Pad"}),
    (
        lambda tf: tf.image.non_max_suppression(tf.ones([3, 4]), tf.ones([3]), 2),
        {"NonMaxSuppressionV5"},
    ),
    (lambda tf: (tf.Variable(0), tf.report_uninitialized_variables()), {"IsVariableInitialized"}),
    (lambda tf: tf.reduce_logsumexp(tf.placeholder(tf.float32, [2, 3]), 1), {"Exp", "Log"}),
    (lambda tf: tf.nn.softmax(tf.placeholder(tf.float32, [2, 3]), 0), {"Softmax", "Transpose"}),
    (lambda tf: tf.transpose(tf.placeholder(tf.float32)), {"Rank", "Transpose"}),
]


@pytest.mark.parametrize(("build", "types"), MADE_OF)
def test_ops_that_are_several_nodes(build, types):
    with tf.Graph().as_default() as g:
        build(tf)
        made = g.as_graph_def()
        names = [n.name for n in g.get_operations()]
    assert types <= {n.op for n in made.node}
    assert not [n.op for n in made.node if n.op.startswith(("Graphc", "Report", "Lookup"))]
    with tf.Graph().as_default() as again:
        tf.import_graph_def(made, name="")
        assert [n.name for n in again.get_operations()] == names


def test_the_node_of_an_operation_is_that_of_its_graph():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [])
        tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), [0, x])
        made = {n.name: n for n in g.as_graph_def().node}
        for n in g.get_operations():
            assert n.node_def == made[n.name]
        g.get_operation_by_name("while/Exit").node_def.name = "changed"
        assert g.get_operation_by_name("while/Exit").node_def == made["while/Exit"]
        after = tf.identity(x, name="after")
        assert after.op.node_def.name == "after"


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
