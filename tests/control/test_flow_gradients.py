"""Gradients of loops and conds: against differences, of second order, against unrolled graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def powers(x: Any) -> Any:
    return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.sin(a) * x), [0, x])[1]


def until_large(x: Any) -> Any:
    def small(a: Any) -> Any:
        return tf.reduce_max(tf.abs(a)) < 9.0

    return tf.while_loop(small, lambda a: a * a + 0.5 * x, [x + 1.5])


def nested(x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        inner = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, tf.tanh(b) * a + x), [0, a])
        return i + 1, inner[1]

    return tf.while_loop(lambda i, a: i < 4, body, [0, x])[1]


def cond_in_loop(x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        return i + 1, tf.cond(i % 2 > 0, lambda: tf.exp(a * 0.3), lambda: a * x + tf.sin(x))

    return tf.while_loop(lambda i, a: i < 4, body, [0, x])[1]


def loop_in_cond(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > -99.0, lambda: powers(x), lambda: x)


def mapped(x: Any) -> Any:
    return tf.map_fn(lambda e: tf.sin(e) * e + tf.reduce_sum(x * x), x)


def scanned(x: Any) -> Any:
    return tf.scan(lambda a, e: tf.tanh(a * e) + e, x, initializer=tf.constant(0.3, tf.float64))


def folded(x: Any) -> Any:
    return tf.foldr(lambda a, e: a * e + tf.cos(e), x)


def through_an_array(x: Any) -> Any:
    ta = tf.TensorArray(tf.float64, size=4).write(0, x)
    step = lambda i, t: (i + 1, t.write(i, tf.sin(t.read(i - 1)) * x))  # noqa: E731
    return tf.while_loop(lambda i, t: i < 4, step, [1, ta])[1].stack()


def growing(x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        new = tf.tanh(tf.reduce_sum(a * a, keepdims=True) * 0.1 + x[:1] * tf.cast(i, tf.float64))
        return i + 1, tf.concat([tf.sin(a), new], 0)

    a = tf.while_loop(
        lambda i, a: i < 4, body, [0, x], [tf.TensorShape([]), tf.TensorShape([None])]
    )
    return a[1][:3] * a[1][-3:]


def growing_at_times(x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        longer = lambda: tf.concat([a * a, tf.sin(a[:2]) * x[:2]], 0)  # noqa: E731
        return i + 1, tf.cond(i % 2 > 0, longer, lambda: tf.tanh(a) + tf.reduce_sum(x))

    a = tf.while_loop(
        lambda i, a: i < 5, body, [0, x], [tf.TensorShape([]), tf.TensorShape([None])]
    )
    return a[1][-3:]


def what_came_before(x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        seen = tf.exp(-x[: i + 1] * a[: i + 1])
        return i + 1, a + tf.reduce_sum(seen * seen) * x

    return tf.while_loop(lambda i, a: i < 3, body, [0, x])[1]


def growing_inside(x: Any) -> Any:
    def outer(i: Any, a: Any) -> Any:
        inner = lambda j, b: (j + 1, tf.concat([b[:1] * a[j], tf.sin(b) * x[0]], 0))  # noqa: E731
        shapes = [tf.TensorShape([]), tf.TensorShape([None])]
        b = tf.while_loop(lambda j, b: j < i, inner, [0, x], shapes)[1]
        return i + 1, tf.tanh(b[:3]) + x * tf.reduce_sum(b * b)

    return tf.while_loop(lambda i, a: i < 3, outer, [0, x])[1]


def root_of_what_is_positive(x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        big = tf.cond(a[0] > 0.5, lambda: tf.sqrt(a[0] - 0.5), lambda: a[0] * a[1])
        return i + 1, tf.sin(a) * x + big

    return tf.while_loop(lambda i, a: i < 4, body, [0, x])[1]


def through_a_tree(x: Any) -> Any:
    children = tf.constant([[0, 0], [0, 0], [1, 0], [2, 1]])
    nodes = tf.TensorArray(tf.float64, 0, dynamic_size=True, clear_after_read=False)

    def body(i: Any, nodes: Any) -> Any:
        a, b = (tf.gather_nd(children, [i, k]) for k in (0, 1))
        both = lambda: tf.tanh(nodes.read(a) * x + nodes.read(b))  # noqa: E731
        return i + 1, nodes.write(i, tf.cond(i < 2, lambda: tf.sin(x), both))

    return tf.while_loop(lambda i, _: i < 4, body, [0, nodes])[1].read(3)


def growing_in_a_branch(x: Any) -> Any:
    taken, grown = tf.reduce_sum(x) < 0.0, lambda: growing(x)
    return tf.cond(taken, grown, lambda: tf.cond(taken, grown, lambda: x * x * x))


def beside_a_call_of_python(x: Any) -> Any:
    """Loops of both branches, in a run of several parts: one gathers what the host is to do."""
    there = tf.py_func(np.cos, [x[0]], tf.float64)
    n = tf.cast(x[1] * 3.0, tf.int32)  # twice
    square = lambda i, a: (i + 1, tf.square(a) * x)  # noqa: E731
    loops = [looped(lambda i, a: (i + 1, -x), n, x), looped(square, 3, x)]
    return tf.cond(x[2] > 0.0, *loops) + tf.stop_gradient(there - there)


def looped(body: Any, n: Any, x: Any) -> Callable[[], Any]:
    return lambda: tf.while_loop(lambda i, a: i < n, body, [0, x])[1]


FUNCTIONS = [
    powers, until_large, nested, cond_in_loop, loop_in_cond, mapped, scanned, folded,
    through_an_array, growing, growing_at_times, what_came_before, growing_inside,
    root_of_what_is_positive, through_a_tree, growing_in_a_branch, beside_a_call_of_python,
]  # fmt: skip


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    out = np.zeros_like(x)
    for i in range(x.size):
        e = np.zeros_like(x)
        e[i] = 1e-5
        out[i] = (f(x + e) - f(x - e)) / 2e-5
    return out


@pytest.mark.parametrize(
    "f", thinned(FUNCTIONS, lambda f: f is not growing_inside), ids=lambda f: f.__name__
)
def test_first_and_second_derivative(f: Callable[[Any], Any]) -> None:
    x = tf.placeholder(tf.float64, [3])
    y = tf.reduce_sum(f(x) * tf.constant([1.0, 2.0, -1.0], tf.float64))
    weights = tf.constant([0.5, -1.0, 2.0], tf.float64)
    (g,) = tf.gradients(y, x)
    (h,) = tf.gradients(tf.reduce_sum(g * weights), x)
    at = np.array([0.3, 0.7, -0.4])
    with tf.Session() as s:
        first, second = s.run([g, h], {x: at})
        np.testing.assert_allclose(
            first, differences(lambda v: s.run(y, {x: v}), at), rtol=1e-6, atol=1e-8
        )
        directed = lambda v: s.run(g, {x: v}) @ np.array([0.5, -1.0, 2.0])  # noqa: E731
        np.testing.assert_allclose(second, differences(directed, at), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("trips", [0, 1, 2, 5])
def test_a_loop_is_its_unrolled_graph(trips: int) -> None:
    x, w = tf.placeholder(tf.float64, [None, 3]), tf.placeholder(tf.float64, [3, 3])

    def step(i: Any, a: Any, b: Any) -> Any:
        return tf.tanh(tf.matmul(a, w)) + b, tf.where(a > 0.0, a, b) * tf.cast(i + 1, tf.float64)

    looped = tf.while_loop(
        lambda i, a, b: i < trips, lambda i, a, b: (i + 1, *step(i, a, b)), [0, x, x * 0.5]
    )[1:]
    a, b = x, x * 0.5
    for i in range(trips):
        a, b = step(tf.constant(i), a, b)
    rng = np.random.default_rng(trips)
    feeds = {x: rng.normal(size=(4, 3)), w: rng.normal(size=(3, 3))}
    results = []
    for y in (list(looped), [a, b]):
        grads = tf.gradients([tf.reduce_sum(y[0] * y[0]), y[1]], [x, w])
        results.append([*y, grads[0], *([grads[1]] if trips else [])])
    with tf.Session() as s:
        for got, want in zip(*s.run(results, feeds), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_result_and_gradient_of_one_loop_run_it_once() -> None:
    calls = []

    def body(i: Any, a: Any) -> Any:
        y = tf.py_func(lambda v: calls.append(0) or v * 1.0, [a], tf.float64)
        y.set_shape([])
        with tf.control_dependencies([y]):
            return i + 1, a * a

    x = tf.constant(1.5, tf.float64)
    _, y = tf.while_loop(lambda i, a: i < 3, body, [0, x])
    (g,) = tf.gradients(y, x)
    with tf.Session() as s:
        value, grad = s.run([y, g])
    np.testing.assert_allclose([value, grad], [1.5**8, 8 * 1.5**7])
    assert len(calls) == 3


def test_what_has_no_gradient() -> None:
    x, z = tf.constant(2.0), tf.constant(1.0)
    i, y = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2.0), [0, x])
    assert tf.gradients(y, z) == [None]
    assert tf.gradients(i, x) == [None]
    n = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2.0), [0, x], back_prop=False)
    assert tf.gradients(n[1], x) == [None]
    c = tf.cond(x > 1.0, lambda: z * 1.0, lambda: z)
    assert tf.gradients(c, x) == [None]


def test_new_trip_counts_make_no_new_plan() -> None:
    from graphc.runtime.counting import counters

    n, x = tf.placeholder(tf.int32, []), tf.constant([1.0, 2.0])
    _, y = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.sin(a) + a), [0, x])
    (g,) = tf.gradients(y, x)
    with tf.Session() as s:
        s.run([y, g], {n: 5})
        before = counters.plans
        for k in (7, 3, 11):
            s.run([y, g], {n: k})
        assert counters.plans == before


def test_what_no_result_depends_on_has_no_gradient():
    """As in TensorFlow also behind loops in loops, arms nobody takes up, and stopped gradients."""
    x, dead, stopped, never, other = [tf.placeholder(tf.float32, []) for _ in range(5)]

    def inner(j, a):
        return j + 1, a * x + tf.stop_gradient(stopped)

    def body(i, a, b):
        made = tf.while_loop(lambda j, a: j < 2, inner, [0, a])[1]
        _ = tf.sin(dead) * made
        once = tf.while_loop(lambda j, a: j < 2, lambda j, a: (j + 1, a * never), [0, made],
                             back_prop=False)[1]  # fmt: skip
        return i + 1, made + once, b * dead

    end = tf.while_loop(lambda i, a, b: i < 3, body, [0, other, 1.0])[1]
    found = tf.gradients(end, [x, dead, stopped, never, other])
    assert [g is None for g in found] == [False, True, True, True, False]


def test_second_gradient_of_a_loop_in_a_branch_that_is_not_taken():
    """Parts of a run fetch values of branches, which is not for users to be refused."""
    x, flag = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.bool, [])

    def inside():
        t = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        step = lambda i, a, t: (i + 1, a * x, t.write(i, tf.reduce_sum(a)))  # noqa: E731
        end = tf.while_loop(lambda i, a, t: i < 2, step, [0, x, t])
        return end[1] * end[2].read(1)

    y = tf.cond(flag, inside, lambda: x * x * x)
    (g,) = tf.gradients(y, x)
    (second,) = tf.gradients(tf.reduce_sum(g), x)
    with tf.Session() as sess:
        assert sess.run(second, {x: [1.0, 2.0, 3.0], flag: False}).tolist() == [6, 12, 18]
        assert sess.run(g, {x: [1.0, 2.0, 3.0], flag: False}).tolist() == [3, 12, 27]


def test_gradients_of_branches_that_differ_in_shape() -> None:
    w = tf.Variable([1.0, 2.0, 3.0])
    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, lambda: w * w, lambda: w[1:2] * 5.0)
    dy = tf.gradients(y, w)[0]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for taken, want in ((True, [2.0, 4.0, 6.0]), (False, [0.0, 5.0, 0.0]), (True, [2, 4, 6])):
            np.testing.assert_array_equal(sess.run(dy, {p: taken}), want)
