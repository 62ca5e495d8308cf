"""tf.saved_model: there and back; what TensorFlow 1.15 wrote is read in ``tests/graphdef``."""

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def model(sess):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 2])
    y = tf.tanh(x @ w, name="y")
    sess.run(tf.global_variables_initializer())
    return x, y


X = np.random.default_rng(0).random((4, 3), "f")


@pytest.mark.parametrize("scope", [None, "served"])
def test_simple_save_and_load(tmp_path, scope):
    folder = str(tmp_path / "model")
    with tf.Session() as sess:
        x, y = model(sess)
        tf.saved_model.simple_save(sess, folder, {"x": x}, {"y": y})
        expected = sess.run(y, {x: X})
    assert tf.saved_model.contains_saved_model(folder)
    with tf.Graph().as_default(), tf.Session() as sess:
        tags = [tf.saved_model.tag_constants.SERVING]
        meta = tf.saved_model.loader.load(sess, tags, folder, import_scope=scope)
        signature = meta.signature_def["serving_default"]
        assert signature.method_name == tf.saved_model.signature_constants.PREDICT_METHOD_NAME
        assert tf.saved_model.signature_def_utils.is_valid_signature(signature)
        prefix = f"{scope}/" if scope else ""
        got = sess.run(
            prefix + signature.outputs["y"].name, {prefix + signature.inputs["x"].name: X}
        )
        assert got.tolist() == expected.tolist()
        info = signature.inputs["x"]
        assert ([d.size for d in info.tensor_shape.dim], info.dtype) == ([-1, 3], 1)
        assert (
            tf.saved_model.get_tensor_from_tensor_info(info, import_scope=scope).name
            == prefix + "x:0"
        )


def test_builder_with_an_asset_and_an_operation_to_run(tmp_path):
    (tmp_path / "words.txt").write_text("a\nb\n")
    folder = str(tmp_path / "model")
    with tf.Session() as sess:
        _, _ = model(sess)
        counter = tf.get_variable("counter", initializer=0)
        asset = tf.constant(str(tmp_path / "words.txt"), name="asset")
        sess.run(counter.initializer)
        builder = tf.saved_model.builder.SavedModelBuilder(folder)
        with pytest.raises(AssertionError, match="has not been saved yet"):
            builder.add_meta_graph(["other"])
        builder.add_meta_graph_and_variables(
            sess, ["serve", "mine"], assets_collection=[asset], main_op=counter.assign_add(5).op
        )
        builder.add_meta_graph(["other"])
        with pytest.raises(AssertionError, match="has already been saved"):
            builder.add_meta_graph_and_variables(sess, ["more"])
        assert builder.save(as_text=True).endswith(b"saved_model.pbtxt")
    assert (tmp_path / "model" / "assets" / "words.txt").read_text() == "a\nb\n"
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.saved_model.load(sess, {"mine", "serve"}, folder)
        assert sess.run("counter:0") == 5


def test_refusals(tmp_path):
    folder = tmp_path / "model"
    with tf.Session() as sess:
        with pytest.raises(OSError, match="does not exist"):
            tf.saved_model.load(sess, ["serve"], str(folder))
        x, y = model(sess)
        tf.saved_model.simple_save(sess, str(folder), {"x": x}, {"y": y})
        with pytest.raises(AssertionError, match="already exists"):
            tf.saved_model.simple_save(sess, str(folder), {"x": x}, {"y": y})
        with pytest.raises(RuntimeError, match=r"tags \['gpu'\] could not be found"):
            tf.saved_model.load(sess, ["gpu"], str(folder))
        with pytest.raises(ValueError, match="inputs cannot be None or empty"):
            tf.saved_model.predict_signature_def({}, {"y": y})
        (folder / "saved_model.pb").write_bytes(b"\xff junk")
        with pytest.raises(OSError, match="Cannot parse file"):
            tf.saved_model.load(sess, ["serve"], str(folder))
