"""Updates in messages wait for what reads their variables: there a variable is memory.

TensorFlow 1.15 trains these graphs to the values that they have here; without the waiting, steps of
Ftrl and of recurrent nets there gave others.
"""

import pytest

import graphc as tf

pytest.importorskip("tensorboard")


def written(build):
    with tf.Graph().as_default() as g:
        build()
        nodes = {n.name: n for n in g.as_graph_def().node}
        recorded = {n.name: [c.name for c in n.control_inputs] for n in g.get_operations()}
        with tf.Graph().as_default() as again:
            tf.import_graph_def(g.as_graph_def(), name="")
            back = {n.name: [c.name for c in n.control_inputs] for n in again.get_operations()}
    assert back == recorded  # what is written for TensorFlow is not recorded
    return {k: [i[1:] for i in n.input if i.startswith("^")] for k, n in nodes.items()}


def test_parts_of_one_update_read_before_any_writes():
    def build():
        w = tf.get_variable("w", [3])
        tf.train.FtrlOptimizer(0.1).minimize(tf.reduce_sum(w * w))

    waits = written(build)
    assert waits["Ftrl/update_w/Assign"] == ["Ftrl/update_w/Sqrt_1"]  # of the old sum of squares
    assert set(waits["Ftrl/update_w/ApplyFtrl"]) >= {"gradients/mul_grad/mul", "Ftrl/update_w/mul"}
    assert waits["w/Assign"] == []


def test_what_shares_the_memory_of_a_variable_is_it():
    def build():
        w = tf.get_variable("w", [3, 2])
        y = tf.matmul(tf.ones([1, 2]), tf.transpose(w), name="y")
        a = tf.assign_add(tf.get_variable("s", []), tf.reduce_sum(y), name="a")
        tf.group(tf.assign(w, w * 2.0, name="twice"), a)

    assert set(written(build)["twice"]) >= {"y"}


def test_a_loop_has_read_when_all_its_variables_have_left():
    def build():
        w = tf.get_variable("w", [2, 2])
        x = tf.placeholder(tf.float32, [None, 2])
        p = tf.placeholder(tf.bool, [])
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.matmul(y, w)), [0, x])
        y = tf.cond(p, lambda: tf.matmul(y, w), lambda: y)
        tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y))

    waits = set(written(build)["GradientDescent/update_w/ApplyGradientDescent"])
    assert {"while/Exit", "while/Exit_1", "cond/Merge"} <= waits
    assert not any(k.startswith(("while/MatMul", "cond/MatMul")) for k in waits)
