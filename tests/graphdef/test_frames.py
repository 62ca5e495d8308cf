"""Loops, conds and arrays that graphc writes are the nodes that TensorFlow 1.15 writes.

``frames.json`` was written by `record_frames.py`, for the programs of `frame_programs`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")

from frame_programs import PROGRAMS

RECORDED = json.loads((Path(__file__).parent / "frames.json").read_text())
#: Types that make loops, conds and arrays.
FLOW = ("Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch", "TensorArray")

#: Nodes that are otherwise here: their inputs beside those of control, or all of them.
OTHERWISE = {
    # waits for what the loop was recorded behind, though its input does already
    ("control_in_loop", "while/Enter"), ("control_in_loop", "while/Exit"),
    # the indices have another name
    ("arrays", "TensorArrayScatter/TensorArrayScatterV3"),
    # an array becomes longer before it is written
    ("arrays", "while/TensorArrayWrite/TensorArrayWriteV3"),
}  # fmt: skip


def written(graph_def):
    out = {}
    for n in graph_def.node:
        data = [i for i in n.input if not i.startswith("^")]
        out[n.name] = [n.op, data + sorted(i for i in n.input if i.startswith("^"))]
    return out


def flow(nodes):
    return {k: v for k, v in nodes.items() if v[0].removeprefix("Ref").startswith(FLOW)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_nodes_are_those_of_tensorflow(name):
    with tf.Graph().as_default() as g:
        PROGRAMS[name](tf)
        made = g.as_graph_def()
    assert not [n.op for n in made.node if n.op.startswith("Graphc")]
    ours, theirs = written(made), flow(RECORDED[name])
    own = {k: v for k, v in flow(ours).items() if not k.endswith(("/whole", "TensorArraySizeV3"))}
    assert set(own) == {k for k in theirs if not k.endswith("TensorArraySizeV3")}
    for k, v in theirs.items():
        if (name, k) in OTHERWISE:
            assert ours[k][0] == v[0], k
        else:
            assert ours[k] == v, k


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_graph_comes_back(name):
    with tf.Graph().as_default() as g:
        PROGRAMS[name](tf)
        made = g.as_graph_def()
    with tf.Graph().as_default() as again:
        tf.import_graph_def(made, name="")
        assert written(again.as_graph_def()) == written(made)
        assert [n.name for n in again.get_operations()] == [n.name for n in g.get_operations()]
        for a, b in zip(g.get_operations(), again.get_operations(), strict=True):
            assert [c.name for c in a.control_inputs] == [c.name for c in b.control_inputs]


def differentiated(nested):
    """A loop with a cond and maybe a loop in it, differentiated twice, and what to feed."""
    n = tf.placeholder(tf.int32, [], name="n")
    x = tf.placeholder(tf.float32, [None if nested else 2, 2], name="x")
    w = tf.constant([[0.5, 0.1], [0.2, 0.3]])

    def body(i, y):
        y = tf.cond(tf.equal(i % 2, 0), lambda: tf.tanh(tf.matmul(y, w)), lambda: y * 0.5)
        if nested:
            y += tf.while_loop(lambda j, _: j < i, lambda j, z: (j + 1, z * y), [0, x])[1]
        return i + 1, y

    _, y = tf.while_loop(lambda i, _: i < n, body, [0, x])
    g = tf.gradients(y, [x, w])
    tf.identity(g[0], name="g")
    tf.identity(tf.gradients(tf.reduce_sum(g[1] ** 2), x)[0], name="gg")
    return ["g:0", "gg:0"], {"x:0": np.array([[0.1, 0.2], [0.3, -0.4]], "f"), "n:0": 4}


def plain(made):
    """A message without what only graphc reads."""
    for n in made.node:
        for key in ("_graphc", "_graphc_operand", "_graphc_types"):
            n.attr.pop(key, None)
    return made


@pytest.mark.parametrize("nested", [False, True])
def test_gradients_of_loops_are_nodes_of_tensorflow(nested):
    with tf.Graph().as_default() as g, tf.Session() as sess:
        names, feeds = differentiated(nested)
        expected = sess.run(names, feeds)
        made = g.as_graph_def()
    assert not [n.op for n in made.node if n.op.startswith("Graphc")]
    with tf.Graph().as_default(), tf.Session() as sess:
        # without what only graphc reads; it has no arrays of handles, which nested loops need
        tf.import_graph_def(made if nested else plain(made), name="")
        for a, b in zip(sess.run(names, feeds), expected, strict=True):
            assert np.allclose(a, b, rtol=1e-5)


X = np.random.default_rng(0).uniform(-1, 1, (4, 3)).astype("f")
FEEDS = {
    "branches": {"x:0": X[0], "p:0": True},
    "nested_branches": {"x:0": X[1], "p:0": False, "q:0": True},
    "loop": {"x:0": X[:, :2], "n:0": 3}, "loop_in_loop": {"x:0": X[0, :2], "n:0": 3},
    "arrays": {"x:0": X[:2], "n:0": 2}, "mapped": {"x:0": X},
}  # fmt: skip


@pytest.mark.parametrize("name", FEEDS)
def test_what_is_written_means_the_same(name):
    """Read by what TensorFlow's nodes mean, results are those of the graph that was written."""
    with tf.Graph().as_default() as g, tf.Session() as sess:
        outs = PROGRAMS[name](tf)
        expected = sess.run(outs, FEEDS[name])
        made = plain(g.as_graph_def())
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(made, name="")
        for a, b in zip(sess.run([o.name for o in outs], FEEDS[name]), expected, strict=True):
            assert np.allclose(a, b, rtol=1e-5)
