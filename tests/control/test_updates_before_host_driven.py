"""Updates that a construct of the host waits for are made once, before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf


def doubled(x: Any) -> Any:
    return tf.py_func(lambda a: np.float32(a * 2), [x], tf.float32, stateful=False)


def in_either_branch(v: Any, n: Any, w: Any) -> Any:
    s = tf.assign_add(v, [1.0, 2.0])
    k = tf.identity(tf.assign_add(n, 1))

    def use() -> Any:
        with tf.control_dependencies([s]):
            host = tf.assign(w, doubled(tf.constant([5.0, 5.0])))
            return tf.group(host, tf.assign(v, [9.0, 9.0]))

    def other() -> Any:
        with tf.control_dependencies([s]):
            return tf.no_op()

    return tf.cond(k >= 2, use, other)


def of_a_group(v: Any, n: Any, w: Any) -> Any:
    s = tf.identity(tf.assign_add(v, [1.0, 2.0]))
    k = tf.identity(tf.assign_add(n, 1))

    def use() -> Any:
        return tf.group(tf.assign(w, doubled(tf.zeros([2]))), tf.assign(v, tf.zeros([2])))

    return tf.cond(k >= 2, use, lambda: tf.group(s, k))


def in_a_loop(v: Any, n: Any, w: Any) -> Any:
    s = tf.assign_add(v, [1.0, 2.0])

    def body(i: Any, a: Any) -> Any:
        with tf.control_dependencies([s]):
            u = tf.assign_add(w, doubled(tf.constant([1.0, 1.0])))
        return i + 1, tf.identity(u)

    return tf.while_loop(lambda i, a: i < 3, body, [0, tf.zeros([2])])[1]


@pytest.mark.parametrize(
    ("build", "want"),
    [  # values of TF 1.15: v, n, w after each of three runs
        (in_either_branch, [([1, 2], 1, [0, 0]), ([9, 9], 2, [10, 10]), ([9, 9], 3, [10, 10])]),
        (of_a_group, [([1, 2], 1, [0, 0]), ([0, 0], 2, [0, 0]), ([0, 0], 3, [0, 0])]),
        (in_a_loop, [([1, 2], 0, [6, 6]), ([2, 4], 0, [12, 12]), ([3, 6], 0, [18, 18])]),
    ],
)
def test_updates_outside(build: Callable[..., Any], want: list[Any]) -> None:
    v = tf.Variable([0.0, 0.0], use_resource=True)
    n = tf.Variable(0, use_resource=True)
    w = tf.Variable([0.0, 0.0], use_resource=True)
    run = build(v, n, w)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for values in want:
            sess.run(run)
            got = sess.run([v, n, w])
            assert (got[0].tolist(), got[1], got[2].tolist()) == values


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("inner", ["cond", "loop"])
def test_updates_in_a_region_before_a_construct_in_it(inner: str, resource: bool) -> None:
    """What the construct does not change is not what the variable was when the region began."""
    v = tf.Variable([1.0, 2.0], use_resource=resource)
    again = tf.placeholder(tf.bool, [])

    def change(seen: Any) -> Any:
        with tf.control_dependencies([tf.assign(v, doubled(seen))]):
            return v + 0.0

    def outer() -> Any:
        with tf.control_dependencies([tf.assign_add(v, [1.0, 1.0])]):
            seen = v + 0.0
        if inner == "cond":
            return tf.cond(again, lambda: change(seen), lambda: seen + 0.0)
        n = tf.cast(again, tf.int32)
        return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, change(a)), (0, seen))[1]

    y = tf.cond(tf.constant([1])[0] > 0, outer, lambda: v + 0.0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for fed, want in ((False, [2, 3]), (True, [6, 8]), (False, [7, 9])):  # TF 1.15
            assert sess.run(y, {again: fed}).tolist() == want
            assert sess.run(v).tolist() == want


def test_a_construct_in_a_region_waits_for_what_is_outside_of_it() -> None:
    """A region leaves to the run the loop that a construct in it waits for."""
    x, p, q = tf.placeholder(tf.float32, [2]), tf.placeholder(tf.bool, []), tf.placeholder(tf.bool)
    before = tf.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, a + 1.0), [0, x])[1]

    def outer() -> Any:
        with tf.control_dependencies([before]):
            return tf.cond(q, lambda: doubled(x), lambda: x - before)

    y = tf.cond(p, outer, lambda: before * 3.0)
    with tf.Session() as sess:
        for taken, want in (((1, 1), [2, 4]), ((1, 0), [-2, -2]), ((0, 1), [9, 12])):  # TF 1.15
            feeds = {x: [1.0, 2.0], p: taken[0], q: taken[1]}
            assert sess.run(y, feeds).tolist() == want


@pytest.mark.parametrize("branch", [False, True])
def test_gradients_of_arrays_that_no_iteration_made(branch: bool) -> None:
    """Elements of arrays of a loop that makes no iteration have no size; nobody reads them."""
    x, k = tf.placeholder(tf.float64, [3]), tf.placeholder(tf.int32, [])

    def body(i: Any, a: Any) -> Any:
        def element(e: Any) -> Any:
            def inner(j: Any, b: Any) -> Any:
                with tf.control_dependencies([x]):
                    n = tf.size(tf.unique(tf.cast(x * 2.0, tf.int32))[0])
                    z = x * tf.cast(n, tf.float64)
                return j + 1, tf.sin(e) - z * 0.1

            return tf.while_loop(lambda j, b: j < k, inner, [0, x * 1.0])[1]

        def mapped() -> Any:
            return tf.reduce_sum(tf.map_fn(element, tf.stack([a, a])), 0)

        return i + 1, tf.cond(x[0] > -1.0, mapped, lambda: a) if branch else mapped()

    y = tf.while_loop(lambda i, a: i < k, body, [0, x * 1.0])[1]
    gradient = tf.gradients(tf.tanh(y), x)[0]
    want = [  # TF 1.15
        [0.990066290847, 0.961042982966, 0.915136962],
        [1.733447664, 1.553214957, 1.306326188],
        [2.971122627, 2.062674360, 1.239790747],
    ]  # fmt: skip
    with tf.Session() as sess:
        for n in (0, 1, 2):
            got = sess.run([y, gradient], {x: [0.1, 0.2, 0.3], k: n})[1]
            np.testing.assert_allclose(got, want[n], rtol=1e-7)
