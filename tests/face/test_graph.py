import gc
import sys
import threading
import time

import numpy as np
import pytest

import graphc as tf
from graphc.face.source import user_source
from graphc.ops import math


def test_tensor_and_operation_attributes() -> None:
    g = tf.get_default_graph()
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.identity(x, name="y")
    assert (x.name, x.dtype, x.shape.as_list(), x.value_index, x.device) == (
        "x:0", tf.float32, [None, 3], 0, "",
    )  # fmt: skip
    assert y.op.inputs[0] is x
    assert y.op.outputs[0] is y
    assert y.graph is y.op.graph is g
    assert (y.op.name, y.op.type, y.op.device) == ("y", "Identity", "")
    assert x.consumers() == [y.op]
    z = tf.identity(x, name="z")
    assert x.consumers() == [y.op, z.op]
    assert y.op.node_def.input == ["x"]
    assert 'name: "y"\nop: "Identity"\ninput: "x"' in str(y.op)
    assert y.op.get_attr("T") is tf.float32
    assert x.op.get_attr("shape").as_list() == [None, 3]
    with pytest.raises(ValueError, match="has no attr named 'foo'"):
        x.op.get_attr("foo")
    assert x.op.traceback[0][0] == __file__
    assert [n.name for n in g.as_graph_def().node] == ["x", "y", "z"]


def test_set_shape_merges() -> None:
    x = tf.placeholder(tf.float32)
    x.set_shape([None, 3])
    x.set_shape([2, None])
    x.set_shape(None)
    assert x.shape.as_list() == [2, 3]


def test_identity_and_hash() -> None:
    a, b = tf.constant(1.0), tf.constant(1.0)
    assert {a: 1, b: 2}[a] == 1
    assert (a == b) is False
    assert (a == a) is True
    assert a in [b, a]


def test_numpy_on_the_left() -> None:
    x = tf.placeholder(tf.float32, [2])
    for y in (np.ones(2) * x, np.float64(2) * x, np.float32(2) + x):
        assert isinstance(y, tf.Tensor)
        assert y.dtype is tf.float32
    v = tf.Variable([1.0, 2.0])
    assert isinstance(np.ones(2) * v, tf.Tensor)


def test_failed_op_leaves_the_graph_as_it_was() -> None:
    g = tf.get_default_graph()
    x = tf.placeholder(tf.float32, [2, 3])
    before = [op.name for op in g.get_operations()], g.version, dict(g._names)
    for wrong in (np.zeros(4, np.float32), [1.0, 2.0]):
        with pytest.raises(ValueError, match="Dimensions must be equal"):
            x + wrong
        with pytest.raises(ValueError, match="Dimensions must be equal"):
            tf.add(x, wrong)
    with pytest.raises(ValueError, match="must have a shape specified"):
        tf.Variable(tf.placeholder(tf.float32, [None], name="p"), name="v")
    with pytest.raises(ValueError, match="not a valid scope name"):
        tf.get_variable("a b", [2])
    after = [op.name for op in g.get_operations() if op.name != "p"]
    assert after == before[0]
    assert tf.global_variables() == []
    tf.identity(x, name="p2")
    assert tf.add(x, 1.0).name == "Add:0"
    assert tf.get_variable("a", [2]).name == "a:0"


def test_errors_show_the_line() -> None:
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    with pytest.raises(ValueError, match="Dimensions must be equal") as e:
        tf.add(x, tf.zeros([2, 4]))  # the line
    lines = str(e.value).split("\n")
    assert lines[0] == (
        "Dimensions must be equal, but are 3 and 4 for 'Add' (op: 'Add') with input shapes: "
        "[2,3], [2,4]."
    )
    assert lines[1].startswith(f'  File "{__file__}", line ')
    assert lines[2] == "    tf.add(x, tf.zeros([2, 4]))  # the line"


def test_source_is_the_users_line() -> None:
    def make() -> tf.Tensor:
        return tf.tanh(tf.placeholder(tf.float32))

    t = make()
    (s,) = t.op.source
    assert s.file == __file__
    assert s.line == make.__code__.co_firstlineno + 1
    assert s.function.endswith("make")
    assert make().op.source is t.op.source
    assert user_source(1)[0].file == __file__


def test_control_dependencies() -> None:
    a, b = tf.no_op(name="a"), tf.constant(1.0, name="b")
    v = tf.Variable(1.0, name="v")
    with tf.control_dependencies([a]):
        with tf.control_dependencies([b, v]):
            c = tf.constant(1.0)
            with tf.control_dependencies(None):
                d = tf.constant(1.0)
            w = tf.Variable(tf.constant(1.0), name="w")
        e = tf.constant(1.0)
    assert [o.name for o in c.op.control_inputs] == ["a", "b", "v"]
    assert d.op.control_inputs == []
    assert e.op.control_inputs == [a]
    assert w.op.control_inputs == []
    assert w.initializer.control_inputs == []
    assert tf.constant(2.0).op.control_inputs == []


def test_collections() -> None:
    g = tf.get_default_graph()
    a = tf.constant(1.0, name="s/a")
    b = tf.constant(1.0, name="t/b")
    tf.add_to_collection("k", a)
    tf.add_to_collections(["k", "m", "m"], b)
    tf.add_to_collection("k", 3)
    assert tf.get_collection("k") == [a, b, 3]
    assert tf.get_collection("k", scope="s/") == [a]
    assert tf.get_collection("k", scope="[st]/") == [a, b]
    assert tf.get_collection("m") == [b]
    assert tf.get_collection("none") == []
    tf.get_collection("k").append(4)
    assert len(tf.get_collection("k")) == 3
    tf.get_collection_ref("k").append(4)
    assert len(tf.get_collection("k")) == 4
    assert g.get_all_collection_keys() == ["k", "m"]
    g.clear_collection("k")
    assert tf.get_collection("k") == []


def test_default_graphs() -> None:
    outer = tf.get_default_graph()
    g = tf.Graph()
    with g.as_default() as same:
        assert same is g is tf.get_default_graph()
        with tf.Graph().as_default() as h:
            assert tf.constant(1.0).graph is h
        assert tf.get_default_graph() is g
    assert tf.get_default_graph() is outer
    tf.reset_default_graph()
    assert tf.get_default_graph() is not outer
    context = g.as_default()
    context.__enter__()
    other = tf.Graph().as_default()
    other.__enter__()
    with pytest.raises(AssertionError, match="Nesting violated"):
        context.__exit__()
    other.__exit__()
    context.__exit__()


def test_default_graph_is_of_the_thread() -> None:
    seen = []
    with tf.Graph().as_default() as g:
        t = threading.Thread(target=lambda: seen.append(tf.get_default_graph()))
        t.start()
        t.join()
    assert seen[0] is not g


def test_ops_go_to_the_graph_of_their_inputs() -> None:
    with tf.Graph().as_default() as g:
        a = tf.constant(1.0, name="a")
    b = tf.add(a, a)
    assert b.graph is g
    with tf.name_scope("s", values=[a]):
        assert tf.get_default_graph() is g


def test_finalize_and_version() -> None:
    g = tf.get_default_graph()
    assert g.version == 0
    x = tf.constant(1.0)
    assert g.version == 1
    g.reserve("Const", "Const")
    assert g.version == 3
    assert tf.constant(1.0).name == "Const_3:0"
    g.finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        tf.identity(x)
    with pytest.raises(RuntimeError, match="finalized"):
        tf.add_to_collection("k", x)
    assert g.finalized


def test_duplicate_exact_name_is_refused() -> None:
    with tf.name_scope("s") as scope:
        tf.constant(1.0, name=scope)
        with pytest.raises(ValueError, match="Duplicate node name in graph: 's'"):
            tf.constant(1.0, name=scope)
    assert tf.constant(1.0, name="s").name == "s_1:0"


def test_seeds() -> None:
    assert tf.get_seed(None) == (None, None)
    assert tf.get_seed(3) == (87654321, 3)
    tf.set_random_seed(7)
    assert tf.get_default_graph().seed == 7
    assert tf.get_seed(3) == (7, 3)
    tf.constant(1.0)
    assert tf.get_seed(None) == (7, 1)
    tf.set_random_seed(0)
    assert tf.get_seed(0) == (0, 2**31 - 1)


def test_gradient_override_map() -> None:
    g = tf.get_default_graph()
    x = tf.placeholder(tf.float32)
    with g.gradient_override_map({"Tanh": "Mine"}):
        y = tf.tanh(x)
    assert g.gradient_type(y.op) == "Mine"
    assert g.gradient_type(tf.tanh(x).op) is None
    with pytest.raises(TypeError, match="mapping strings to strings"):
        g.gradient_override_map({"Tanh": 3})


def test_contexts_of_places() -> None:
    with tf.device("/gpu:0"), tf.container("c"), tf.device(lambda op: "/cpu:0"):
        with tf.colocate_with(tf.constant(1.0)):
            assert tf.constant(1.0).device == "/device:CPU:0"
    with tf.get_default_graph().device("/gpu:1"):
        pass


def test_group_and_tuple() -> None:
    v = tf.Variable(1.0, name="v")
    g = tf.group(v.initializer, [tf.constant(1.0, name="c")], v)
    assert g.name == "group_deps"
    assert [o.name for o in g.control_inputs] == ["v/Assign", "c", "v"]
    assert tf.group().name == "group_deps_1"
    assert tf.group(name="n").name == "n"
    a, b, none = tf.tuple([v + 1.0, tf.no_op(), None])
    assert a.name == "tuple/control_dependency:0"
    assert b.type == "NoOp"
    assert none is None
    with pytest.raises(ValueError, match="at least one Tensor"):
        tf.tuple([None])


def test_bad_names() -> None:
    for name in ("a b", "a\n", "\0", "é", "_a"):
        with pytest.raises(ValueError, match="not a valid"):
            tf.constant(1.0, name=name)
        with pytest.raises(ValueError, match="not a valid"):
            tf.add(tf.constant(1.0, name="ok"), 1.0, name=name)
    assert len(tf.constant(1.0, name="x" * 10_000).name) == 10_002
    with tf.name_scope("s"):
        assert tf.constant(1.0, name="_a").name == "s/_a:0"


def test_deep_graphs_need_no_stack() -> None:
    limit = sys.getrecursionlimit()
    x = tf.placeholder(tf.float32)
    for _ in range(limit * 3):
        x = tf.tanh(x)
    assert x.op.name == f"Tanh_{limit * 3 - 1}"


@pytest.mark.slow
def test_recording_is_linear() -> None:
    def build(n: int) -> float:
        with tf.Graph().as_default():
            x = y = tf.placeholder(tf.float32, [None, 3])
            start = time.process_time()
            for _ in range(n):
                y = math.add(y, x)
            return (time.process_time() - start) / n

    build(1000)
    gc.collect()
    gc.freeze()  # what other tests left is not looked through again while the graph grows
    try:
        small, large = (min(build(n) for _ in range(3)) for n in (10_000, 100_000))
    finally:
        gc.unfreeze()
    assert large < small * 6


def test_programs_hang_things_on_tensors_and_operations() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    x.scope = "mine"
    x.op.layer = 3
    again = tf.get_default_graph().get_tensor_by_name("x:0")
    assert again.scope == "mine"
    assert again.op.layer == 3
    with pytest.raises(AttributeError):
        x.nothing  # noqa: B018
