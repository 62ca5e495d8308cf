"""``v[…].assign(x)`` and ``tf.assign(v[…], x)``: values, names, counts and refusals of TF 1.15."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

Key = Callable[[Any], Any]

#: What is indexed with (a fed 2 is given), of a variable of 4 x 3; None where no tensor is needed.
KEYS: dict[str, Key] = {
    "rows": lambda q: slice(1, 3),
    "row": lambda q: 2,
    "last row": lambda q: -1,
    "element": lambda q: (1, 1),
    "steps back": lambda q: (slice(None, None, -2), slice(1, None)),
    "new axis": lambda q: (slice(None), None, 1),
    "ellipsis": lambda q: (..., 0),
    "nothing": lambda q: slice(2, 2),
    "all": lambda q: slice(None),
    "from": lambda q: slice(q, None),
    "up to": lambda q: slice(None, q),
    "fed row": lambda q: q,
    "fed element": lambda q: (q, q),
    "fed column": lambda q: (slice(None, q), 1),
    "fed and back": lambda q: slice(q, 0, -1),
}


@pytest.fixture(autouse=True)
def _fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


START = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("key", KEYS)
def test_values(key: str, dtype: str) -> None:
    q = tf.placeholder(tf.int32, [])
    want = START.astype(dtype)
    at = KEYS[key](2)
    new = (np.arange(want[at].size).reshape(want[at].shape) * 7 % 2).astype(dtype)
    v = tf.Variable(want)
    by_method = v[KEYS[key](q)].assign(new)
    by_function = tf.assign(v[KEYS[key](q)], new)
    want[at] = new
    with tf.Session() as s:
        for op in (by_method, by_function):
            s.run(v.initializer)
            np.testing.assert_array_equal(s.run(op, {q: 2}), want)
            np.testing.assert_array_equal(s.run(v), want)


def test_a_slice_of_itself_and_the_order_of_updates() -> None:
    v = tf.Variable(START)
    n = tf.Variable(2)
    moved = tf.assign(v[:n], v[n:])
    with tf.control_dependencies([moved]):
        later = v[3].assign(v.read_value()[0] * 2.0)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(s.run(later)[[0, 1, 3]], START[[2, 3, 2]] * [[1], [1], [2]])


def test_names_and_what_is_drawn_afterwards() -> None:
    tf.set_random_seed(3)
    v = tf.Variable(tf.zeros([4, 3]), name="v")
    first = v[1:3].assign(tf.ones([2, 3]))
    second = tf.assign(v[0, 0], 2.0, name="own")
    assert (first.name, second.name) == ("strided_slice/_assign:0", "own:0")
    assert first.op.type == "StridedSliceAssign"
    assert first.shape.as_list() == [4, 3]
    r = tf.random_uniform([])
    with tf.Session() as s:
        np.testing.assert_allclose(s.run(r), DRAWN, rtol=1e-6)


#: What TensorFlow draws: the counts of operations decide.
DRAWN = 0.7661532


@pytest.mark.parametrize(
    ("key", "value", "left", "right"),
    [
        (slice(0, 2), 5.0, "[2,3]", "[]"),
        (slice(0, 2), [[1.0, 2.0, 3.0]], "[2,3]", "[1,3]"),
        (2, [[1.0, 1.0, 1.0]], "[3]", "[1,3]"),
        (slice(1, 2), [1.0, 2.0, 3.0], "[1,3]", "[3]"),
    ],
)
def test_values_of_other_shapes_are_refused(key: Any, value: Any, left: str, right: str) -> None:
    v = tf.Variable(START)
    op = v[key].assign(value)
    with tf.Session() as s:
        s.run(v.initializer)
        with pytest.raises(tf.errors.UnimplementedError) as e:
            s.run(op)
        assert f"sliced l-value shape {left} does not match r-value shape {right}" in str(e.value)
        np.testing.assert_array_equal(s.run(v), START)


def test_refusals_while_recording() -> None:
    v = tf.Variable(START)
    with pytest.raises(TypeError, match="type int32 that does not match type float64"):
        v[1, 1].assign(tf.constant(7))
    with pytest.raises(ValueError, match="Sliced assignment is only supported for variables"):
        tf.zeros([3])[1:].assign([1.0, 1.0])
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'assign'"):
        tf.assign(tf.zeros([3]), [1.0, 1.0, 1.0])
    assert not hasattr(tf.zeros([3]), "assign")
    assert not hasattr(v[1:], "assign_add")
