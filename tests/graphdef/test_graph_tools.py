"""TensorFlow's tools for graph files: stripping, folding, looking into checkpoints.

Texts of errors and names of nodes are those of TensorFlow 1.15.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")
tools = tf.python.tools
freeze_graph = tools.freeze_graph.freeze_graph
strip_unused = tools.strip_unused_lib.strip_unused
inference = tools.optimize_for_inference_lib
FLOAT = tf.float32.as_datatype_enum
X = np.random.RandomState(0).rand(3, 5).astype("f")


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, str, Any]:
    """Files of a net and of its variables, and what it gives."""
    with tf.Graph().as_default() as graph, tf.Session() as s:
        x = tf.placeholder(tf.float32, [None, 5], name="input")
        with tf.device("/cpu:0"):
            h = tf.layers.dense(x, 4, tf.nn.relu, name="hidden")
        y = tf.nn.softmax(tf.layers.dense(h, 2, name="last"), name="output")
        tf.Variable(3.0, name="other")
        tf.Variable(0.0, name="step")
        s.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(s, str(tmp_path / "model"), global_step=7)
        tf.train.write_graph(graph.as_graph_def(), str(tmp_path), "graph.pb", as_text=False)
        inputs = {"x": tf.saved_model.utils.build_tensor_info(x)}
        made = tf.saved_model.signature_def_utils.build_signature_def(inputs, {}, "")
        builder = tf.saved_model.builder.SavedModelBuilder(str(tmp_path / "saved"))
        builder.add_meta_graph_and_variables(s, ["serve", "cpu"], {"serving_default": made})
        builder.save()
        return tmp_path, prefix, s.run(y, {x: X})


def outputs(graph_def: Any, output: str = "output:0", **feeds: Any) -> Any:
    with tf.Graph().as_default(), tf.Session() as s:
        (y,) = tf.import_graph_def(graph_def, return_elements=[output], name="")
        return s.run(y, {f"{k}:0": v for k, v in feeds.items()})


def frozen(folder: Path, prefix: str, graph: str = "graph.pb", **more: Any) -> Any:
    source = str(folder / graph) if graph else ""
    return freeze_graph(source, "", True, prefix, "output", "save/restore_all", "save/Const:0",
                        "", True, "", **more)  # fmt: skip


def test_files_that_cannot_be_frozen(trained: Any) -> None:
    folder, prefix, _ = trained
    with pytest.raises(OSError, match=r"Input graph file '.*none.pb' does not exist!"):
        frozen(folder, prefix, "none.pb")
    with pytest.raises(OSError, match="Cannot parse graph file"):
        frozen(folder, prefix, "model-7.index")


def test_a_saved_model_without_devices(trained: Any) -> None:
    folder, _, want = trained
    made = frozen(folder, "", "", input_saved_model_dir=str(folder / "saved"),
                  saved_model_tags="serve, cpu")  # fmt: skip
    assert not [n for n in made.node if n.device]
    np.testing.assert_array_equal(outputs(made, input=X), want)


def test_inputs_in_the_middle_become_placeholders(trained: Any) -> None:
    folder, prefix, want = trained
    made = frozen(folder, prefix)
    cut = strip_unused(made, ["hidden/Relu"], ["output"], [FLOAT])
    assert not [n for n in cut.node if n.name.startswith(("hidden/k", "hidden/b", "input"))]
    hidden = outputs(made, "hidden/Relu:0", input=X)
    np.testing.assert_array_equal(outputs(cut, **{"hidden/Relu": hidden}), want)
    with pytest.raises(KeyError, match=r"The following input nodes were not found: \{'x'\}"):
        strip_unused(made, ["x"], ["output"], FLOAT)
    with pytest.raises(ValueError, match="'input:0' appears to refer to a Tensor"):
        strip_unused(made, ["input:0"], ["output"], FLOAT)


@pytest.mark.parametrize("binary", [False, True])
def test_stripped_from_a_file_to_a_file(trained: Any, binary: bool) -> None:
    folder, prefix, want = trained
    (folder / "frozen.pb").write_bytes(frozen(folder, prefix).SerializeToString())
    names = str(folder / "frozen.pb"), True, str(folder / "cut")
    tools.strip_unused_lib.strip_unused_from_files(*names, binary, "input", "output", FLOAT)
    read = folder / "cut"
    kind = tools.strip_unused_lib.strip_unused_from_files
    kind(str(read), binary, str(folder / "again"), True, "input", "output", FLOAT)
    made = tf.GraphDef.FromString((folder / "again").read_bytes())
    np.testing.assert_array_equal(outputs(made, input=X), want)


def test_for_inference(trained: Any) -> None:
    folder, prefix, want = trained
    made = inference.optimize_for_inference(frozen(folder, prefix), ["input"], ["output"], FLOAT)
    assert not [n for n in made.node if n.op == "Identity"]
    np.testing.assert_array_equal(outputs(made, input=X), want)
    made.node[0].name = made.node[1].name
    with pytest.raises(ValueError, match="Duplicate node names"):
        inference.ensure_graph_is_valid(made)
    made.node[0].name = "elsewhere"
    with pytest.raises(ValueError, match="not found"):
        inference.ensure_graph_is_valid(made)


def _node(name: str, op: str, *inputs: str, **attrs: Any) -> Any:
    made = tf.NodeDef(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        made.attr[key].CopyFrom(tf.AttrValue(**value))
    return made


def _normalized(kind: str, channels: int) -> Any:
    r = np.random.RandomState(0)
    t, layout = {"type": FLOAT}, {"s": b"NHWC"}
    ones = {"list": tf.AttrValue.ListValue(i=[1, 1, 1, 1])}
    numbers = {"w": r.rand(2, 2, 3, 2)}
    numbers |= {k: r.rand(channels) + 0.1 for k in ("gamma", "beta", "mean", "var")}
    constants = [
        _node(k, "Const", dtype=t, value={"tensor": tf.make_tensor_proto(v.astype("f"))})
        for k, v in numbers.items()
    ]
    return tf.GraphDef(node=[
        _node("x", "Placeholder", dtype=t), *constants,
        _node("conv", kind, "x", "w", T=t, strides=ones, padding={"s": b"SAME"},
              data_format=layout, dilations=ones),
        _node("bn", "FusedBatchNorm", "conv", "gamma", "beta", "mean", "var", T=t,
              epsilon={"f": 0.01}, data_format=layout, is_training={"b": False}),
        _node("out", "Relu", "bn", T=t),
    ])  # fmt: skip


@pytest.mark.parametrize(("kind", "channels"), [("Conv2D", 2), ("DepthwiseConv2dNative", 6)])
def test_folded_normalisations(kind: str, channels: int) -> None:
    given = _normalized(kind, channels)
    made = inference.fold_batch_norms(given)
    got = {(n.name, n.op, *n.input) for n in made.node}
    assert got == {
        ("x", "Placeholder"), ("w", "Const"), ("conv", kind, "x", "w"), ("conv_bn_offset", "Const"),
        ("bn", "BiasAdd", "conv", "conv_bn_offset"), ("out", "Relu", "bn"),
    }  # fmt: skip
    x = np.random.RandomState(1).rand(2, 4, 4, 3)
    np.testing.assert_allclose(outputs(made, "out:0", x=x), outputs(given, "out:0", x=x), 1e-5)
    given.node.append(_node("seen", "Relu", "conv", T={"type": FLOAT}))
    kept = inference.fold_batch_norms(given)
    assert list(kept.node) == list(given.node)  # somebody else reads the convolution


def test_checkpoints_are_printed(trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, prefix, _ = trained
    show = tools.inspect_checkpoint.print_tensors_in_checkpoint_file
    show(prefix, "", False, all_tensor_names=True, count_exclude_pattern="last|st")
    names = ["hidden/bias", "hidden/kernel", "last/bias", "last/kernel", "other", "step"]
    want = "".join([f"tensor_name:  {n}\n" for n in names]) + "# Total number of params: 25\n"
    assert capsys.readouterr().out == want
    show(prefix, "other", False)
    assert capsys.readouterr().out == "tensor_name:  other\n3.0\n# Total number of params: 36\n"
    show(prefix, "", True)
    assert "tensor_name:  other\n3.0\ntensor_name:  step\n0.0\n" in capsys.readouterr().out
    show(prefix, "", False)
    assert "last/kernel (DT_FLOAT) [4,2]" in capsys.readouterr().out
