"""``.meta`` files: TensorFlow's, ours, collections, savers."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc import proto
from graphc.train import saver as module

pytest.importorskip("tensorboard")
DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


@pytest.mark.parametrize("scope", [None, "old"])
def test_a_training_graph_of_tensorflow(graph, scope):
    """It can be asked for predictions, and trained."""
    saver = tf.train.import_meta_graph(str(DATA / "trained.meta"), import_scope=scope)
    prefix = f"{scope}/" if scope else ""
    with np.load(DATA / "trained.npz") as f:
        x, expected = f["x"], f["out"]
    names = [v.op.name for v in tf.trainable_variables()]
    assert names == [prefix + n for n in ("hidden/kernel", "hidden/bias", "out/kernel", "out/bias")]
    step = tf.train.get_global_step()
    assert step in tf.global_variables()
    assert tf.get_collection("numbers") == [3]
    (out,) = tf.get_collection("predict")
    with tf.Session() as sess:
        saver.restore(sess, str(DATA / "trained"))
        got, at = sess.run([out, step], {prefix + "x:0": x})
        assert np.allclose(got, expected, rtol=1e-5)
        assert at == 3
        assert sess.run(prefix + "hidden/kernel/Adam:0").shape == (3, 2)
        before = np.mean((got - 1) ** 2)
        for _ in range(20):
            sess.run(prefix + "Adam", {prefix + "x:0": x})
        got, at = sess.run([out, step], {prefix + "x:0": x})
        assert np.mean((got - 1) ** 2) < before
        assert at == 23
    assert saver.as_saver_def().max_to_keep == 7


def model():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 2])
    loss = tf.reduce_mean(tf.square(tf.tanh(x @ w) - 0.5), name="loss")
    step = tf.train.get_or_create_global_step()
    train = tf.train.AdamOptimizer(0.1).minimize(loss, global_step=step)
    tf.add_to_collection("mine", train)
    tf.add_to_collection("loss", loss)
    tf.add_to_collection("notes", "text")
    tf.add_to_collection("notes", 2.5)
    tf.summary.scalar("loss_curve", loss)
    return train


def test_training_goes_on_from_files_alone(tmp_path):
    train = model()
    saver = tf.train.Saver()
    x = np.random.default_rng(0).random((8, 4, 3), "f")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(8):
            if i == 3:
                path = saver.save(sess, str(tmp_path / "m"), global_step=3)
            sess.run(train, {"x:0": x[i]})
        whole = sess.run(tf.global_variables())
        names = [v.name for v in tf.global_variables()]
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoint", "m-3.data-00000-of-00001", "m-3.index", "m-3.meta"
    ]  # fmt: skip
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.train.import_meta_graph(path + ".meta").restore(sess, path)
        assert [v.name for v in tf.global_variables()] == names
        assert tf.trainable_variables() == [v for v in tf.global_variables() if v.name == "w:0"]
        (train,) = tf.get_collection("mine")
        for i in range(3, 8):
            sess.run(train, {"x:0": x[i]})
        for a, b in zip(sess.run(tf.global_variables()), whole, strict=True):
            assert a.tobytes() == b.tobytes()
        assert sess.run(tf.train.get_global_step()) == 8
        summary = tf.Summary.FromString(sess.run(tf.summary.merge_all(), {"x:0": x[0]}))
        assert summary.value[0].tag == "loss_curve"
        sess.run(tf.global_variables_initializer())
        assert g.get_collection("loss") == [g.get_tensor_by_name("loss:0")]


@pytest.mark.parametrize("as_text", [False, True])
def test_export_and_import(graph, tmp_path, as_text):
    model()
    path = str(tmp_path / "new" / "g.meta")
    made = tf.train.export_meta_graph(
        path, as_text=as_text, collection_list=["loss", "notes", "variables"]
    )
    assert sorted(made.collection_def) == ["loss", "notes", "variables"]
    assert made.meta_info_def.tensorflow_version == "1.15.0"
    with tf.Graph().as_default():
        saver = tf.train.import_meta_graph(path, import_scope="a")
        assert isinstance(saver, tf.train.Saver)
        assert tf.get_collection("loss")[0].name == "a/loss:0"
        assert tf.global_variables()[0].name == "a/w:0"
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
    with tf.Graph().as_default():
        x = tf.ones([1, 3])
        _ = tf.train.import_meta_graph(made, input_map={"x:0": x})
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            sess.run("loss:0")


def test_what_is_no_data_is_there_by_name():
    """Python functions are not read back: the rest of the graph is."""
    x = tf.placeholder(tf.float32, [], name="x")
    v = tf.get_variable("v", initializer=2.0)
    y = tf.py_func(lambda a: a * 2, [x * v], tf.float32, name="y")
    z = tf.add(y, 1.0, name="z")
    made = tf.train.export_meta_graph()
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.train.import_meta_graph(made)
        sess.run(tf.global_variables_initializer())
        assert sess.run("v:0") == 2
        for t in (y, z):
            assert g.get_tensor_by_name(t.name).dtype is t.dtype
            with pytest.raises(tf.errors.UnimplementedError, match="build this part in Python"):
                sess.run(t.name, {"x:0": 1.0})


def test_refusals(tmp_path):
    with pytest.raises(OSError, match="does not exist"):
        tf.train.import_meta_graph(str(tmp_path / "none.meta"))
    (tmp_path / "bad.meta").write_bytes(b"\xff junk")
    with pytest.raises(OSError, match="Cannot parse file"):
        tf.train.import_meta_graph(str(tmp_path / "bad.meta"))
    assert tf.train.import_meta_graph(tf.MetaGraphDef()) is None


def test_without_the_extra(tmp_path, monkeypatch, caplog):
    """Checkpoints need numpy only; the graph is left out, and a note says so once."""
    proto.message.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.graph_pb2", None)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.meta_graph_pb2", None)
    monkeypatch.setattr(module, "_noted", set())
    v = tf.Variable([1.0, 2.0])
    saver = tf.train.Saver()
    try:
        with tf.Session() as sess:
            sess.run(v.initializer)
            for _ in range(2):
                path = saver.save(sess, str(tmp_path / "m"))
            saver.restore(sess, path)
        assert not os.path.exists(path + ".meta")
        with pytest.raises(
            ImportError, match=r"needs the tensorboard package.*graphc\[tensorboard\]"
        ):
            proto.message("GraphDef")
        assert [n.name for n in v.graph.as_graph_def().node][:2] == [
            "Variable/initial_value",
            "Variable",
        ]
    finally:
        proto.message.cache_clear()


def test_a_variable_in_a_collection_of_ones_own(graph, tmp_path):
    """TensorFlow writes its name, and reads the tensor."""
    v = tf.get_variable("v", [2])
    tf.add_to_collection("mine", v)
    made = tf.train.export_meta_graph(str(tmp_path / "g.meta"))
    assert list(made.collection_def["mine"].node_list.value) == ["v:0"]
    with tf.Graph().as_default():
        tf.train.import_meta_graph(str(tmp_path / "g.meta"))
        (found,) = tf.get_collection("mine")
        assert found.name == "v:0"
        assert found.op is tf.global_variables()[0].op
