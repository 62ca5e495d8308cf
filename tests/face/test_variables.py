import numpy as np
import pytest

import graphc as tf


def test_layout() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    ops = [(o.name, o.type) for o in tf.get_default_graph().get_operations()]
    assert ops == [
        ("v/initial_value", "Const"),
        ("v", "VariableV2"),
        ("v/Assign", "Assign"),
        ("v/read", "Identity"),
    ]
    assert v.dtype.name == "float32_ref"
    assert v.dtype.base_dtype is tf.float32
    assert v.dtype == tf.float32._as_ref
    assert v.shape.as_list() == [2]
    assert v.op.type == "VariableV2"
    assert v.value() is v._AsTensor()
    assert v.initial_value.name == "v/initial_value:0"
    assert v.initializer.name == "v/Assign"
    assert v.trainable
    assert {v: 1}[v] == 1
    assert (v == 3) is False


@pytest.mark.parametrize(
    "value",
    [1.5, [1, 2], np.zeros((2, 2)), True, lambda: 2.0, lambda: tf.zeros([3]), np.float64(2)],
)
def test_initial_values(value: object) -> None:
    v = tf.Variable(value)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run(v)
    want = value() if callable(value) else value
    if not isinstance(want, tf.Tensor):
        np.testing.assert_array_equal(got, want)
    assert v.dtype.base_dtype.as_numpy_dtype == got.dtype


def test_reading_and_updating() -> None:
    v = tf.Variable([1.0, 2.0])
    add, sub, put = v.assign_add([1.0, 1.0]), v.assign_sub([0.5, 0.5]), tf.assign(v, [7.0, 8.0])
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(add).tolist() == [2.0, 3.0]
        assert sess.run(sub).tolist() == [1.5, 2.5]
        assert sess.run([put, v.value()])[0].tolist() == [7.0, 8.0]
        assert v.eval().tolist() == [7.0, 8.0]
        v.load([3.0, 4.0], sess)
        assert (v * 2.0).eval().tolist() == [6.0, 8.0]
        assert (2.0 * v).eval().tolist() == [6.0, 8.0]
        assert v[1].eval() == 4.0
        assert (-v).eval().tolist() == [-3.0, -4.0]
        with tf.control_dependencies([add]):
            late = v.read_value()
        assert late.eval().tolist() == [4.0, 5.0]
    with pytest.raises(ValueError, match="default session"):
        v.load([1.0, 2.0])


def test_collections() -> None:
    a = tf.Variable(1.0, name="a")
    b = tf.Variable(1.0, name="b", trainable=False)
    c = tf.Variable(1.0, name="c", collections=[tf.GraphKeys.LOCAL_VARIABLES], trainable=False)
    assert tf.global_variables() == [a, b]
    assert tf.trainable_variables() == [a]
    assert tf.local_variables() == [c]
    assert tf.all_variables() == [a, b]
    with pytest.raises(ValueError, match="must be a list, tuple, or set"):
        tf.Variable(1.0, collections="x")
    with pytest.raises(ValueError, match="must be a callable"):
        tf.Variable(1.0, constraint=3)


def test_unknown_shapes() -> None:
    p = tf.placeholder_with_default([1.0, 2.0], [None])
    v = tf.Variable(p, validate_shape=False)
    assert v.shape.ndims is None
    with pytest.raises(ValueError, match="must have a shape specified"):
        tf.Variable(p)


def test_wrong_targets_of_assign() -> None:
    v = tf.Variable(1.0)
    with pytest.raises(AttributeError, match="no attribute"):
        tf.assign(v + 1.0, 2.0)
    with pytest.raises(AttributeError):
        tf.assign(1.0, 2.0)


def test_initial_value_from_another_variable() -> None:
    with tf.name_scope("s"):
        a = tf.Variable([1.0, 2.0], name="w")
        tf.Variable(a * 2.0, name="u")
    names = [o.name for o in tf.get_default_graph().get_operations()]
    assert names[-5:] == ["s/u/cond/Merge", "s/w/read_s/u", "s/mul_s/u", "s/u/Assign", "s/u/read"]


def test_variables_in_other_graphs() -> None:
    with tf.Graph().as_default() as g:
        v = tf.Variable(1.0)
    assert v.graph is g
    with pytest.raises(ValueError, match="must be from the same graph"):
        tf.constant(1.0) + v.value()


def test_initializer_ops() -> None:
    a = tf.Variable(1.0, name="a")
    i = tf.global_variables_initializer()
    assert (i.name, [o.name for o in i.control_inputs]) == ("init", ["a/Assign"])
    assert tf.variables_initializer([]).name == "init_1"
    assert tf.assert_variables_initialized([]) is None
    check = tf.assert_variables_initialized()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError):
            sess.run(check)
        assert not sess.run(tf.is_variable_initialized(a))
        sess.run(a.initializer)
        sess.run(check)
        assert sess.run(tf.is_variable_initialized(a))


def test_report_uninitialized() -> None:
    a = tf.Variable(1.0, name="a")
    report = tf.report_uninitialized_variables()
    with tf.Session() as sess:
        assert list(sess.run(report)) == [b"a"]
        sess.run(a.initializer)
        assert list(sess.run(report)) == []


def test_initialized_value_runs() -> None:
    a = tf.Variable([1.0, 2.0], name="a")
    b = tf.Variable(a.initialized_value() * 2.0)
    c = tf.Variable(b + a)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert [v.tolist() for v in sess.run([b, c])] == [[2.0, 4.0], [3.0, 6.0]]
        a.load([5.0, 5.0], sess)
        sess.run(b.initializer)
        assert sess.run(b).tolist() == [10.0, 10.0]


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("read", ["read_value", "value"])
def test_reads_of_resource_variables_are_copies(read: str, resource: bool) -> None:
    """Of other variables an update changes what was read, as in TF1."""
    v = tf.get_variable(f"{read}_{resource}", initializer=np.float32(3.0), use_resource=resource)
    before = getattr(v, read)()
    with tf.control_dependencies([before]):
        added = v.assign_add(1.0)
    with tf.control_dependencies([added]):
        seen = [before * 1.0, v * 1.0, getattr(v, read)() * 1.0, tf.identity(before)]
    with tf.control_dependencies(seen):
        back = v.assign(before)
    with tf.control_dependencies([back]):
        last = v.read_value()
    gradient = tf.gradients(before * before, v)[0]
    with tf.Session() as sess:
        sess.run(v.initializer)
        old = 3.0 if resource else 4.0
        assert sess.run([*seen, last]) == [old, 4.0, 4.0, old, old]
        assert sess.run([gradient, v]) == [2.0 * old, old]
