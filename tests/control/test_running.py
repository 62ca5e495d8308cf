"""Running loops: draws, many iterations, interrupts, errors, and what a failed run leaves."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from patience import interrupted

import graphc as tf
from graphc.passes import control


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.fixture(params=[True, False], ids=["native", "driven"])
def native(request: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(control, "NATIVE", request.param)
    return bool(request.param)


def test_each_iteration_draws_anew(native: bool) -> None:
    draw = tf.random_uniform([2], seed=3)
    ta = tf.TensorArray(tf.float32, size=4)

    def body(i: Any, t: Any) -> Any:
        return i + 1, t.write(i, tf.random_uniform([2], seed=3))

    rows = tf.while_loop(lambda i, t: i < 4, body, [0, ta])[1].stack()
    with tf.Session() as s:
        single = np.concatenate([s.run(draw) for _ in range(8)])
        np.testing.assert_array_equal(s.run(rows).reshape(-1), single[:8])
        np.testing.assert_array_equal(s.run(rows).reshape(-1), single[8:])


def test_a_failed_run_changes_nothing(native: bool) -> None:
    v, x = tf.Variable(1.0), tf.placeholder(tf.float32, [None])

    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign_add(tf.gather(x, i))]):
            return tf.identity(i + 1)

    loop = tf.while_loop(lambda i: i < 4, body, [0])
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match="is not in"):
            s.run(loop, {x: [1.0, 2.0]})
        assert s.run(v) == 1.0
        s.run(loop, {x: [1.0, 2.0, 3.0, 4.0]})
        assert s.run(v) == 11.0


def test_many_iterations_keep_nothing() -> None:
    def body(i: Any, x: Any) -> Any:
        y = tf.py_func(lambda a: a + np.float32(1.0), [x], tf.float32)
        y.set_shape([100])
        return i + 1, y

    n = tf.placeholder(tf.int32, [])
    loop = tf.while_loop(lambda i, x: i < n, body, [0, tf.zeros([100])])
    with tf.Session() as s:
        s.run(loop, {n: 300})
        gc.collect()
        tracemalloc.start()
        out = s.run(loop, {n: 1500})
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert out[1][0] == 1500.0
    assert size < 100_000


def test_an_endless_loop_is_interrupted(native: bool) -> None:
    """Ctrl-C ends it, and the session goes on."""
    x = tf.placeholder(tf.float32, [])
    loop = tf.while_loop(lambda a: a > 0.0, lambda a: a + 1.0, [x])
    with tf.Session() as s:
        assert s.run(loop, {x: -1.0}) == -1.0
        with interrupted(pause=0.2):
            s.run(loop, {x: 1.0})
        assert s.run(loop, {x: -2.0}) == -2.0


def test_shapes_that_change_without_leave(native: bool) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.while_loop(lambda a: tf.size(a) < 9, lambda a: tf.concat([a, a], 0), [x])
    with tf.Session() as s:
        assert s.run(y, {x: [1.0]}).shape == (16,)
        assert s.run(y, {x: [1.0, 2.0, 3.0]}).shape == (12,)


def test_a_value_of_the_branch_not_taken_is_an_error() -> None:
    kept = []

    def then() -> Any:
        kept.append(tf.constant(3.0) * 2.0)
        return kept[0] + 1.0

    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, then, lambda: 1.0)
    with tf.Session() as s:
        assert s.run([y, kept[0]], {p: True}) == [7.0, 6.0]
        with pytest.raises(tf.errors.InvalidArgumentError):
            s.run([y, kept[0]], {p: False})
        assert s.run(y, {p: False}) == 1.0
