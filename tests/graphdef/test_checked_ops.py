"""Ops that look at their operands in a run are TensorFlow's own in a graph file."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")


def test_types_of_ops_that_check() -> None:
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [None, 2], name="x")
        c = tf.placeholder(tf.bool, [None], name="c")
        i = tf.placeholder(tf.int32, [None], name="i")
        tf.where(c, x, -x, name="rows")
        tf.where(x > 1, x, x * 2, name="each")
        tf.gradients(tf.nn.leaky_relu(x - 2, 0.3), x, name="slope")
        tf.identity(tf.segment_sum(x, i), name="sums")
        made = g.as_graph_def()
    types = {n.name: n.op for n in made.node}
    assert types["rows"] == types["each"] == "Select"
    assert "LeakyReluGrad" in types.values()
    assert not [t for t in types.values() if t.startswith("Graphc")]
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(made, name="")
        feed = {"x:0": [[1, 2], [3, 0.5]], "c:0": [True, False], "i:0": [0, 1]}
        rows, each, sums = sess.run(["rows:0", "each:0", "sums:0"], feed)
        assert rows.tolist() == [[1, 2], [-3, -0.5]]
        assert each.tolist() == [[2, 2], [3, 1]]
        assert np.array_equal(sums, [[1, 2], [3, 0.5]])
        with pytest.raises(tf.errors.InvalidArgumentError, match="not increasing"):
            sess.run("sums:0", {**feed, "i:0": [1, 0]})
