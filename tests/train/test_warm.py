"""Variables that begin with values of a checkpoint."""

import pytest

import graphc as tf


@pytest.fixture
def path(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess:
        for name, value in (("a/w", [1.0, 2.0]), ("a/b", [3.0]), ("step", [7.0])):
            tf.Variable(value, name=name)
        sess.run(tf.global_variables_initializer())
        return tf.train.Saver().save(sess, str(tmp_path / "m"), write_meta_graph=False)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def model():
    with tf.variable_scope("net"):
        w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
        b = tf.get_variable("b", [1], initializer=tf.zeros_initializer())
    return w, b


def values(*variables):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return [v.tolist() for v in sess.run(variables)]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ({"a/": "net/"}, [[1, 2], [3]]),
        ({"a/w": "net/w"}, [[1, 2], [0]]),
        ({"step": "net/b", "a/w": "net/w"}, [[1, 2], [7]]),
    ],
)
def test_by_name_and_by_scope(path, tmp_path, assignment, expected):
    w, b = model()
    tf.train.init_from_checkpoint(path if len(assignment) > 1 else str(tmp_path), assignment)
    assert values(w, b) == expected


def test_by_variable(path):
    w, b = model()
    tf.train.init_from_checkpoint(path, {"a/w": w})
    assert w.initializer.name == "Assign"
    assert w.initial_value.name == "checkpoint_initializer:0"
    assert values(w, b) == [[1, 2], [0]]


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ({"nope": "net/w"}, "Tensor nope is not found in"),
        (
            {"a/b": "net/w"},
            r"Shape of variable net/w:0 \(\(2,\)\) doesn't match with shape of tensor a/b",
        ),
        ({"a": "nowhere"}, "should map to scope only"),
        ({"a/": "nowhere/"}, "no variables in it"),
        ({"step/": "net/"}, "is not found in"),
    ],
)
def test_refusals(path, assignment, text):
    model()
    with pytest.raises(ValueError, match=text):
        tf.train.init_from_checkpoint(path, assignment)


def test_warm_start(path):
    with tf.variable_scope("a"):
        w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
    u = tf.get_variable("u", [1], initializer=tf.zeros_initializer())
    tf.train.warm_start(path, ".*", var_name_to_prev_var_name={"u": "step"})
    assert values(w, u) == [[1, 2], [7]]


def test_contrib_framework(path):
    framework = tf.contrib.framework
    assert framework.list_variables(path) == [("a/b", [1]), ("a/w", [2]), ("step", [1])]
    assert framework.load_variable(path, "a/w").tolist() == [1, 2]
