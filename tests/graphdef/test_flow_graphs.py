"""Loops, conds and arrays in graphs that graphc wrote: read back, run, trained, differentiated."""

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")

FEEDS = {"x:0": np.random.default_rng(0).standard_normal((2, 3), "f"), "n:0": 4}
NAMES = ("loss:0", "g:0", "gg:0", "rnn_sum:0", "rows:0")


def model():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    w = tf.get_variable("w", initializer=np.arange(9, dtype="f").reshape(3, 3) / 9)
    seen = tf.get_variable("seen", initializer=0, trainable=False)

    def body(i, h, ta):
        h = tf.tanh(tf.matmul(h, w))
        with tf.control_dependencies([tf.assign_add(seen, 1)]):
            h = tf.cond(tf.equal(i % 2, 0), lambda: h * 2, lambda: h + x)
        return i + 1, h, ta.write(i, tf.reduce_sum(h))

    _, h, ta = tf.while_loop(lambda i, *_: i < n, body, [0, x, tf.TensorArray(tf.float32, n)])
    loss = tf.add(tf.reduce_sum(h), tf.reduce_sum(ta.stack()), name="loss")
    g = tf.identity(tf.gradients(loss, w)[0], name="g")
    tf.identity(tf.gradients(tf.reduce_sum(g**2), w)[0], name="gg")
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, name="train", var_list=[w])
    cell = tf.nn.rnn_cell.BasicLSTMCell(2)
    out, _ = tf.nn.dynamic_rnn(cell, tf.expand_dims(x, 2), dtype=tf.float32)
    tf.reduce_sum(out, name="rnn_sum")
    rows = tf.map_fn(lambda v: tf.scan(lambda a, b: a * b, v), x)  # a loop in a loop
    tf.identity(rows, name="rows")


def named(prefix, names):
    return [prefix + n for n in names]


def fed(prefix):
    return {prefix + k: v for k, v in FEEDS.items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A graph in a scope with its checkpoint, and values before and after one step."""
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.set_random_seed(1)
        with tf.variable_scope("old"):
            model()
        saver = tf.train.Saver()
        sess.run(tf.global_variables_initializer())
        path = saver.save(sess, str(tmp_path_factory.mktemp("m") / "m"))
        before = sess.run(named("old/", NAMES), fed("old/"))
        frozen = tf.graph_util.convert_variables_to_constants(
            sess,
            g.as_graph_def(),
            named("old/", ("g", "rnn_sum", "rows", "seen/Assign")),
            variable_names_blacklist=["old/seen"],  # the loop changes it
        )
        saver.restore(sess, path)
        sess.run("old/train", fed("old/"))
        after = sess.run(named("old/", NAMES), fed("old/"))
        scoped = tf.train.export_meta_graph(export_scope="old")
    return path, before, after, frozen, scoped


def test_training_goes_on(written):
    path, before, after, _, _ = written
    with tf.Graph().as_default() as g, tf.Session() as sess:
        saver = tf.train.import_meta_graph(path + ".meta")
        saver.restore(sess, path)
        for a, b in zip(sess.run(named("old/", NAMES), fed("old/")), before, strict=True):
            assert np.array_equal(a, b)
        w = g.get_tensor_by_name("old/w:0")
        again = tf.gradients(g.get_tensor_by_name("old/loss:0"), w)[0]
        twice = tf.gradients(tf.reduce_sum(g.get_tensor_by_name("old/g:0") ** 2), w)[0]
        g1, g2 = sess.run([again, twice], fed("old/"))
        assert np.allclose(g1, before[1], rtol=1e-5)
        assert np.allclose(g2, before[2], rtol=1e-4)
        saver.restore(sess, path)
        sess.run("old/train", fed("old/"))
        for a, b in zip(sess.run(named("old/", NAMES), fed("old/")), after, strict=True):
            assert np.array_equal(a, b)
        assert sess.run("old/seen:0") == 8


@pytest.mark.parametrize("scope", [None, "new"])
def test_under_another_name(written, scope):
    path, before, *_, scoped = written
    prefix = f"{scope}/" if scope else ""
    reader = tf.train.load_checkpoint(path)
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.train.import_meta_graph(scoped, import_scope=scope)
        for v in tf.global_variables():
            name = "old/" + v.op.name.removeprefix(prefix)
            sess.run(v.assign(reader.get_tensor(name)))
        for a, b in zip(sess.run(named(prefix, NAMES), fed(prefix)), before, strict=True):
            assert np.array_equal(a, b)


def test_a_part_of_a_graph_has_the_insides_it_needs(written):
    _, before, _, frozen, _ = written
    with tf.Graph().as_default(), tf.Session() as sess:
        got = tf.import_graph_def(
            frozen, return_elements=named("old/", ("g:0", "rnn_sum:0", "rows:0"))
        )
        sess.run("import/old/seen/Assign")
        values = sess.run(got, {"import/old/x:0": FEEDS["x:0"], "import/old/n:0": 4})
        for a, b in zip(values, [before[1], before[3], before[4]], strict=True):
            assert np.allclose(a, b, rtol=1e-5)


def test_a_construct_that_is_missing_is_named():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [], name="x")
        tf.cond(x > 0, lambda: x + 1, lambda: x)
        made = g.as_graph_def()
    for i, n in enumerate(made.node):
        if n.name == "cond/Switch":
            del made.node[i]
            break
    with tf.Graph().as_default(), pytest.raises(ValueError, match="cond/Switch"):
        tf.import_graph_def(made)
