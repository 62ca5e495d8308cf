"""Graphs as messages and back: TensorFlow's own (``record_graphs.py``), ours, and bad ones."""

import random
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")
DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def frozen(name):
    made = tf.GraphDef.FromString((DATA / f"{name}.pb").read_bytes())
    with np.load(DATA / f"{name}.npz") as f:
        arrays = dict(f)
    feeds = {k[3:]: a for k, a in arrays.items() if k.startswith("in/")}
    return made, feeds, {k[4:]: a for k, a in arrays.items() if k.startswith("out/")}


@pytest.mark.parametrize("name", ["conv_net", "mixed"])
def test_frozen_graphs_of_tensorflow(name):
    made, feeds, outputs = frozen(name)
    assert tf.import_graph_def(made, name="net") is None
    with tf.Session() as sess:
        got = sess.run(["net/" + k for k in outputs], {"net/" + k: a for k, a in feeds.items()})
    for a, b in zip(got, outputs.values(), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.allclose(a, b, rtol=1e-5, atol=1e-6) if a.dtype.kind == "f" else (a == b).all()


@pytest.mark.parametrize("name", ["conv_net", "mixed"])
def test_names_of_imported_nodes_are_kept(graph, name):
    made, _, _ = frozen(name)
    tf.import_graph_def(made, name="")
    assert {n.name for n in made.node} <= {o.name for o in graph.get_operations()}
    for n in made.node:
        assert graph.get_operation_by_name(n.name).type == n.op or n.op in (
            "AddV2",
            "BatchMatMulV2",
        )


# --------------------------------------------------------------------- ours


def network(x):
    w = tf.get_variable("w", [3, 3, 1, 4])
    h = tf.nn.max_pool(
        tf.nn.relu(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"
    )
    flat = tf.reshape(h, [-1, 4 * 4 * 4])
    logits = flat @ tf.get_variable("v", [64, 5]) + tf.get_variable("b", [5])
    y = tf.nn.softmax(logits, name="y")
    n = tf.shape(x)[0]
    return logits, [
        y, tf.argmax(y, 1), y[0:2, 1:3], y[:, -1], tf.concat([y, y], 1), *tf.split(y, 5, 1),
        tf.gather(y, [0, 1]), tf.reduce_mean(y), tf.reduce_sum(y, [0], keepdims=True),
        tf.one_hot(tf.argmax(y, 1), 5), tf.pad(y, [[1, 1], [0, 0]]), tf.tile(y, [2, 1]),
        tf.transpose(y), tf.fill([n, 2], 3.0), tf.range(n), tf.nn.top_k(y, 3).values,
        tf.reshape(y, tf.stack([n * 5])), tf.cast(y > 0.2, tf.int32), tf.cumsum(y, 1),
        tf.expand_dims(tf.squeeze(tf.expand_dims(y, -1), [2]), 0), tf.stack([y, y]),
        tf.where(y > 0.2, y, tf.zeros_like(y)), tf.unstack(y, axis=1)[0],
        tf.reverse(y, [0]), tf.strided_slice(y, [0, 0], tf.stack([n, 2]), [1, 1]),
        tf.nn.log_softmax(logits), tf.nn.leaky_relu(logits), tf.add_n([y, y, y]),
        tf.matmul(tf.stack([y, y]), tf.stack([y, y]), transpose_b=True),
    ]  # fmt: skip


def without_ours(made):
    """The message as a writer other than graphc would have made it."""
    out = type(made)()
    out.CopyFrom(made)
    for n in out.node:
        for key in list(n.attr):
            if key.startswith("_"):
                del n.attr[key]
    return out


@pytest.mark.parametrize("change", [lambda g: g, without_ours], ids=["exact", "foreign"])
def test_there_and_back(graph, change):
    x = tf.placeholder(tf.float32, [None, 8, 8, 1], name="x")
    _, outputs = network(x)
    values = np.random.default_rng(0).random((3, 8, 8, 1), "f")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        expected = sess.run(outputs, {x: values})
        variables = {v.name: sess.run(v) for v in tf.global_variables()}
    made = graph.as_graph_def()
    keep = [t.op.name for t in outputs] + [v.initializer.name for v in tf.global_variables()]
    made = change(tf.graph_util.extract_sub_graph(made, keep))
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.import_graph_def(made, name="")
        for name, a in variables.items():
            assign = g.get_operation_by_name(name[:-2] + "/Assign")
            sess.run(assign, {assign.inputs[1]: a})
        got = sess.run([t.name for t in outputs], {"x:0": values})
        for t, a, b in zip(outputs, got, expected, strict=True):
            assert a.tolist() == b.tolist(), t.name
            assert g.get_tensor_by_name(t.name).dtype is t.dtype


def test_ours_is_the_same_after_a_round_trip(graph):
    logits, _ = network(tf.placeholder(tf.float32, [None, 8, 8, 1], name="x"))
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=[0, 1])
    )
    tf.train.AdamOptimizer().minimize(loss + tf.nn.l2_loss(tf.nn.dropout(logits, 0.5)))
    tf.train.Saver()
    tf.summary.merge([tf.summary.scalar("loss", loss), tf.summary.histogram("h", logits)])
    made = graph.as_graph_def(add_shapes=True)
    with tf.Graph().as_default() as g:
        tf.import_graph_def(made, name="")
        again = g.as_graph_def(add_shapes=True)
    old = {n.name: n for n in made.node}
    for n in again.node:
        assert n == old[n.name]
    assert len(again.node) == len(made.node)


def test_what_a_node_says(graph):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.control_dependencies([tf.no_op("first")]):
        y = tf.reduce_sum(x, 1, keepdims=True, name="y")
    d = y.op.node_def
    assert (d.name, d.op, list(d.input)) == ("y", "Sum", ["x", "y/reduction_indices", "^first"])
    assert (d.attr["T"].type, d.attr["Tidx"].type, d.attr["keep_dims"].b) == (1, 3, True)
    made = graph.as_graph_def(add_shapes=True)
    (shape,) = next(n for n in made.node if n.name == "x").attr["_output_shapes"].list.shape
    assert [s.size for s in shape.dim] == [-1, 3]
    assert made.versions.producer == 134
    version = graph.version
    tf.constant(1.0, name="late")
    assert [n.name for n in graph.as_graph_def(from_version=version).node] == ["late"]


# --------------------------------------------------------------------- arguments


def small():
    with tf.Graph().as_default() as g:
        a = tf.placeholder(tf.float32, [2], name="a")
        b = tf.placeholder(tf.float32, [2], name="b")
        tf.add(tf.multiply(a, b, name="m"), 1.0, name="s")
        return g.as_graph_def()


def test_input_map_and_return_elements(graph):
    x = tf.constant([2.0, 3.0])
    s, op = tf.import_graph_def(small(), {"a": x, "b:0": x}, ["s:0", "m"], name="in")
    assert (s.name, op.name) == ("in/s:0", "in/m")
    assert tf.Session().run(s).tolist() == [5, 10]
    (again,) = tf.import_graph_def(small(), {b"a:0": x}, [b"s"])
    assert again.name == "import/s"
    (third,) = tf.import_graph_def(small(), None, ["s"])
    assert third.name == "import_1/s"


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"graph_def": 3}, TypeError, "graph_def must be a GraphDef proto"),
        ({"input_map": 3}, TypeError, "input_map must be a dictionary mapping strings to Tensor"),
        ({"input_map": {"nope:0": 1.0}}, ValueError, r"not found in graph_def: \[nope:0\]"),
        ({"return_elements": "s"}, TypeError, "return_elements must be a list of strings"),
        ({"return_elements": ["nope"]}, ValueError, "return_element 'nope' not found in graph_def"),
        ({"return_elements": ["s:3"]}, ValueError, "return_element 's:3' not found in graph_def"),
        ({"name": "", "taken": "m"}, ValueError, "Node name 'm' already exists in the Graph"),
    ],
)
def test_bad_arguments_leave_the_graph_as_it_was(graph, kwargs, error, text):
    taken = kwargs.pop("taken", None) if isinstance(kwargs, dict) else None
    if taken or kwargs.get("name") == "":
        tf.no_op(name="m")
    before = [o.name for o in graph.get_operations()]
    with pytest.raises(error, match=text):
        tf.import_graph_def(**{"graph_def": small(), **kwargs})
    assert [o.name for o in graph.get_operations()] == before


def edited(edit):
    made = small()
    edit(made, {n.name: n for n in made.node})
    return made


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda g, n: n["m"].input.__setitem__(0, "gone"), "Unknown input node 'gone'"),
        (lambda g, n: n["m"].input.__setitem__(0, "a:7"), "invalid output 7 of source node a"),
        (lambda g, n: n["m"].input.__setitem__(0, "s"), "is in a cycle of the graph"),
        (lambda g, n: g.node.add().CopyFrom(n["a"]), "Node 'a' is not unique"),
        (lambda g, n: setattr(n["a"], "name", "bad name"), "Unknown input node|valid"),
        (lambda g, n: setattr(n["m"].attr["_graphc"], "s", b"{}"), "graphc did not write"),
        (lambda g, n: setattr(n["m"].attr["_graphc"], "s", b"[["), "graphc did not write"),
        (lambda g, n: (
            setattr(n["b"].attr["shape"].shape.dim[0], "size", 3), n["b"].attr.pop("_graphc")
         ), "Dimensions must be equal, but are 2 and 3"),
        (lambda g, n: n["m"].input.append("b") or n["m"].attr.pop("_graphc"), "has 3 inputs"),
    ],
)  # fmt: skip
def test_bad_graphs(graph, edit, text):
    made = edited(edit)
    with pytest.raises(ValueError, match=text):
        tf.import_graph_def(made, name="")
    assert graph.get_operations() == []


def test_all_types_that_are_lacking_are_listed(graph):
    made = small()
    for i in range(5):
        made.node.add(name=f"odd{i}", op="Oddity", input=["a"])
    made.node.add(name="worse", op="Worse")
    with pytest.raises(ValueError, match="cannot import nodes of these types") as e:
        tf.import_graph_def(made)
    assert "  Oddity: odd0, odd1, odd2 and 2 more\n  Worse: worse\n" in str(e.value)
    assert "extract_sub_graph" in str(e.value)
    assert graph.get_operations() == []


def test_damaged_messages_are_refused(graph):
    """Bytes with bits flipped are no message, or a graph, or a refusal: never another error."""
    raw = bytearray((DATA / "mixed.pb").read_bytes())
    rng = random.Random(5)
    outcomes = set()
    from google.protobuf.message import DecodeError

    for _ in range(300):
        i, bit = rng.randrange(len(raw)), 1 << rng.randrange(8)
        raw[i] ^= bit
        try:
            tf.import_graph_def(tf.GraphDef.FromString(bytes(raw)), name="n")
            outcomes.add("graph")
        except (ValueError, TypeError, DecodeError) as e:
            outcomes.add(type(e).__name__)
        raw[i] ^= bit
    assert {"graph", "ValueError"} <= outcomes


def test_writing_and_reading_files(graph, tmp_path):
    tf.constant([1.0, 2.0], name="c")
    text = tf.train.write_graph(graph, str(tmp_path / "new"), "g.pbtxt")
    assert text == str(tmp_path / "new" / "g.pbtxt")
    assert 'name: "c"' in Path(text).read_text()
    binary = tf.io.write_graph(graph.as_graph_def(), str(tmp_path), "g.pb", as_text=False)
    assert tf.GraphDef.FromString(Path(binary).read_bytes()) == graph.as_graph_def()


# --------------------------------------------------------------------- graphs for inference


def test_variables_become_constants(graph, tmp_path):
    x = tf.placeholder(tf.float32, [None, 8, 8, 1], name="x")
    logits, _ = network(x)
    tf.train.AdamOptimizer().minimize(tf.reduce_mean(logits))
    values = np.ones((2, 8, 8, 1), "f")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        expected = sess.run("y:0", {x: values})
        made = tf.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), ["y"])
        with pytest.raises(ValueError, match="nope is not in graph"):
            tf.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), ["nope"])
        kept = tf.graph_util.convert_variables_to_constants(
            sess, graph.as_graph_def(), ["y"], variable_names_blacklist=["b"]
        )
    assert {n.op for n in made.node if n.name in ("w", "v", "b")} == {"Const"}
    assert {n.name for n in kept.node if n.op == "VariableV2"} == {"b"}
    assert not [n for n in made.node if "Adam" in n.name or n.op == "VariableV2"]
    small_ = tf.graph_util.remove_training_nodes(made)
    assert not [n for n in small_.node if n.op == "Identity"]
    for m in (made, small_):
        with tf.Graph().as_default(), tf.Session() as sess:
            (y,) = tf.import_graph_def(m, return_elements=["y:0"], name="")
            assert sess.run(y, {"x:0": values}).tolist() == expected.tolist()


def test_sub_graphs(graph):
    a = tf.constant(1.0, name="a")
    with tf.control_dependencies([tf.no_op(name="before")]):
        tf.negative(a, name="n")
    tf.constant(2.0, name="other")
    made = tf.graph_util.extract_sub_graph(graph.as_graph_def(), ["n"])
    assert [n.name for n in made.node] == ["a", "before", "n"]
    with pytest.raises(TypeError, match="dest_nodes must be a list"):
        tf.graph_util.extract_sub_graph(made, "n")
    with pytest.raises(ValueError, match="gone is not in graph"):
        tf.graph_util.extract_sub_graph(made, ["gone"])


def test_what_tensorflow_makes_of_several(graph):
    """Ops of ours that are several nodes there: read back as those, they give the same."""
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    h = tf.reshape(tf.log_sigmoid(x), [-1, 2, 2])
    y = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=h, labels=h), 1)
    (g,) = tf.gradients(tf.reduce_mean(y), x)
    out = [y, tf.identity(g, name="g")]
    made = tf.graph_util.extract_sub_graph(graph.as_graph_def(), [t.op.name for t in out])
    assert not [n.op for n in made.node if n.op.startswith("Graphc")]
    values = np.random.default_rng(1).normal(size=(3, 4)).astype("f")
    with tf.Session() as sess:
        expected = sess.run(out, {x: values})
    for m in (made, without_ours(made)):
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.import_graph_def(m, name="")
            got = sess.run([t.name for t in out], {"x:0": values})
            for a, b in zip(got, expected, strict=True):
                assert np.allclose(a, b, rtol=1e-6)


def test_more_ops_there_and_back(graph):
    x = tf.placeholder(tf.float32, [2, 2], name="x")
    v = tf.get_variable("v", [3, 2], initializer=tf.zeros_initializer())
    out = [
        tf.matrix_inverse(x), tf.matrix_solve(x, x), tf.matrix_determinant(x),
        tf.cholesky(tf.matmul(x, x, transpose_b=True)), tf.string_join(["a", "b"], "-"),
        *tf.dynamic_partition(x, [0, 1], 2), tf.scatter_add(v, [0, 1], x),
        tf.scatter_update(v, [2], [[1.0, 1.0]]),
    ]  # fmt: skip
    feeds = {"x:0": [[2.0, 1.0], [1.0, 3.0]]}
    with tf.Session() as sess:
        sess.run(v.initializer)
        expected = [sess.run(t, feeds) for t in out]
    made = without_ours(graph.as_graph_def())
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(made, name="")
        sess.run("v/Assign")
        for t, a in zip(out, expected, strict=True):
            assert np.asarray(sess.run(t.name, feeds)).tolist() == np.asarray(a).tolist(), t.name
