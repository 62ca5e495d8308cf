from typing import Any

import numpy as np
import pytest

import graphc as tf


def test_reuse() -> None:
    with tf.variable_scope("s"):
        w = tf.get_variable("w", [2])
    with tf.variable_scope("s", reuse=True):
        assert tf.get_variable("w") is w
        with tf.variable_scope("inner"):
            assert tf.get_variable_scope().reuse is True
    with tf.variable_scope("s") as scope:
        assert scope.reuse is False
        scope.reuse_variables()
        assert tf.get_variable("w", [2]) is w
    with tf.variable_scope("s", reuse=tf.AUTO_REUSE):
        assert tf.get_variable("w", [2]) is w
        assert tf.get_variable("new", [2]).name == "s/new:0"


def test_defaults_of_a_scope() -> None:
    def keep(t: Any) -> Any:
        return tf.reduce_sum(t)

    with tf.variable_scope(
        "s", initializer=tf.ones_initializer(), regularizer=keep, dtype=tf.float64
    ) as s:
        a = tf.get_variable("a", [2])
        b = tf.get_variable("b", [2], regularizer=tf.no_regularizer, dtype=tf.float32)
        with tf.variable_scope("t", initializer=tf.zeros_initializer()):
            c = tf.get_variable("c", [2])
    assert [v.dtype.base_dtype for v in (a, b, c)] == [tf.float64, tf.float32, tf.float64]
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert [t.name for t in losses] == ["s/a/Regularizer/Sum:0", "s/t/c/Regularizer/Sum:0"]
    assert s.trainable_variables() == [a, b, c]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert [v.tolist() for v in sess.run([a, c])] == [[1, 1], [0, 0]]


def test_initializers_of_get_variable() -> None:
    a = tf.get_variable("a", initializer=np.float32([1, 2]))
    b = tf.get_variable("b", [2], initializer=tf.zeros_initializer)
    c = tf.get_variable(
        "c", [2, 2], initializer=lambda shape, dtype, partition_info: tf.ones(shape, dtype)
    )
    d = tf.get_variable("d", initializer=lambda: tf.constant(3.0))
    e = tf.get_variable("e", [3], tf.int32)
    f = tf.get_variable("f", [2], tf.bool)
    assert d.name == "d:0"
    assert a.op.inputs == ()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run([a, b, c, d, e, f])
    for v, want in zip(got, [[1, 2], [0, 0], [[1, 1], [1, 1]], 3, [0, 0, 0], [0, 0]], strict=True):
        np.testing.assert_array_equal(v, want)
    with pytest.raises(ValueError, match="explicit dtype"):
        tf.get_variable("g", initializer=np.float32([1]), dtype=tf.float64)


def test_custom_getter() -> None:
    seen = []

    def outer(getter: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        seen.append(("outer", name))
        return getter(name + "_o", *args, **kwargs)

    def inner(getter: Any, name: str, **kwargs: Any) -> Any:
        seen.append(("inner", name))
        return getter(name + "_i", **kwargs)

    with tf.variable_scope("s", custom_getter=outer), tf.variable_scope("t", custom_getter=inner):
        assert tf.get_variable("w", [2]).name == "s/t/w_i_o:0"
    assert seen == [("inner", "s/t/w"), ("outer", "s/t/w_i")]


def test_local_variables() -> None:
    v = tf.get_local_variable("v", [2], collections=["mine"])
    assert tf.local_variables() == [v] == tf.get_collection("mine")
    assert tf.trainable_variables() == tf.global_variables() == []


def test_templates_share() -> None:
    def dense(x: Any, units: int) -> Any:
        return tf.matmul(x, tf.get_variable("w", [2, units]))

    layer = tf.make_template("layer", dense, units=3)
    x = tf.placeholder(tf.float32, [None, 2])
    layer(x)
    layer(x)
    other = tf.make_template("layer", dense, units=3)
    other(x)
    assert [v.name for v in tf.global_variables()] == ["layer/w:0", "layer_1/w:0"]
    assert layer.trainable_variables == tf.global_variables()[:1]


def test_scope_objects_enter_twice() -> None:
    context = tf.variable_scope("s")
    names = []
    for _ in range(2):
        with context:
            names.append(tf.constant(1.0).name)
    assert names == ["s/Const:0", "s_1/Const:0"]


def test_errors_leave_scopes() -> None:
    with pytest.raises(TypeError):
        with tf.variable_scope(3):
            pass
    with pytest.raises(ZeroDivisionError):
        with tf.variable_scope("s"), tf.name_scope("n"):
            _ = 1 // 0
    with pytest.raises(ValueError, match="reuse=True cannot be used"):
        with tf.variable_scope(None, "d", reuse=True):
            pass
    assert tf.get_variable_scope().name == ""
    assert tf.get_default_graph().get_name_scope() == ""
    assert tf.get_default_graph() is not None


def test_existing_variable_error_names_the_line() -> None:
    tf.get_variable("w", [2])
    with pytest.raises(ValueError, match="already exists") as e:
        tf.get_variable("w", [2])
    assert __file__ in str(e.value)
    assert 'tf.get_variable("w", [2])' in str(e.value)


@pytest.mark.parametrize(
    ("make", "largest", "stddev"),
    [
        (lambda: tf.glorot_uniform_initializer(seed=1), np.sqrt(6 / 500), np.sqrt(2 / 500)),
        (lambda: tf.glorot_normal_initializer(seed=1), 0.2, np.sqrt(2 / 500)),
        (lambda: tf.keras.initializers.he_normal(seed=1), 0.3, np.sqrt(2 / 200)),
        (lambda: tf.truncated_normal_initializer(stddev=0.1, seed=1), 0.2, 0.088),
        (lambda: tf.random_normal_initializer(stddev=0.1, seed=1), 0.6, 0.1),
        (lambda: tf.random_uniform_initializer(-1, 1, seed=1), 1.0, np.sqrt(1 / 3)),
        (lambda: tf.contrib.layers.xavier_initializer(seed=1), np.sqrt(6 / 500), np.sqrt(2 / 500)),
        (lambda: tf.uniform_unit_scaling_initializer(seed=1), np.sqrt(3 / 200), np.sqrt(1 / 200)),
        (lambda: tf.constant_initializer(2.5), 2.5, 0.0),
    ],
)
def test_initializer_values(make: Any, largest: float, stddev: float) -> None:
    v = tf.get_variable("v", [200, 300], initializer=make())
    with tf.Session() as sess:
        sess.run(v.initializer)
        a = sess.run(v)
    assert a.shape == (200, 300)
    assert np.abs(a).max() <= largest
    assert a.std() == pytest.approx(stddev, rel=0.02)


def test_identity_initializer() -> None:
    v = tf.get_variable("v", [2, 3], initializer=tf.initializers.identity(gain=2.0))
    with tf.Session() as sess:
        sess.run(v.initializer)
        np.testing.assert_array_equal(sess.run(v), 2 * np.eye(2, 3))


def test_initializers_check_their_arguments() -> None:
    with pytest.raises(ValueError, match="positive"):
        tf.variance_scaling_initializer(scale=0)
    with pytest.raises(ValueError, match="floating point"):
        tf.random_normal_initializer(dtype=tf.int32)
    with pytest.raises(TypeError, match="Invalid type for initial value"):
        tf.constant_initializer(object())
    with pytest.raises(ValueError, match="2D matrices"):
        tf.initializers.identity()([3])
    config = tf.glorot_normal_initializer(seed=3).get_config()
    assert tf.glorot_normal_initializer.from_config(config).seed == 3
