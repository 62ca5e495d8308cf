"""Loops in loops in loops: what their gradients take, and that they are TensorFlow's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

ANY = [tf.TensorShape([]), tf.TensorShape([None])]


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def once(n: int, x: Any, f: Callable[[Any], Any]) -> Any:
    """`f` in the innermost of `n` loops."""
    if n == 0:
        return f(x)
    loop = tf.while_loop(
        lambda i, a: i < 1, lambda i, a: (i + 1, tf.sin(once(n - 1, a, f)) * 1.1), [0, x]
    )
    return loop[1]


def triples(n: int, a: Any, b: Any, c: Any) -> Any:
    """Variables that depend on each other: which ones count is seen by going round and round."""
    if n == 0:
        return tf.tanh(a) + b, b * c, c * 0.5
    loop = tf.while_loop(
        lambda i, *v: i < 1 + (n < 3),
        lambda i, a, b, c: (i + 1, *triples(n - 1, a + b, b + c, c)),
        [0, a, b, c],
    )
    return loop[1:]


def longer(n: int, x: Any) -> Any:
    """Each iteration gives another shape."""
    if n == 0:
        return tf.tanh(x) * 1.5
    loop = tf.while_loop(
        lambda i, a: i < (2 if n < 3 else 1),
        lambda i, a: (i + 1, tf.concat([tf.sin(longer(n - 1, a)), a[:1]], 0)),
        [0, x],
        shape_invariants=ANY,
    )
    return loop[1]


def single(n: int, size: int | None = 2) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [size])
    return once(n, x, lambda a: tf.tanh(a) * 1.5), x


def several(n: int) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [2])
    return triples(n, x, x * 0.2, x * 0.3)[0], x


def growing(n: int) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [2])
    return longer(n, x), x


MODELS = {
    "single": single,
    "unknown": lambda n: single(n, None),
    "several": several,
    "growing": growing,
}


def effort(model: Callable[[int], tuple[Any, Any]], n: int) -> tuple[int, int]:
    """How many nodes and calls of functions a gradient takes."""
    with tf.Graph().as_default() as graph:
        y, x = model(n)
        before, calls = len(graph.get_operations()), 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event == "call"

        profile = sys.getprofile()
        sys.setprofile(count)
        try:
            tf.gradients(y, x)
        finally:
            sys.setprofile(profile)
        return len(graph.get_operations()) - before, calls


@pytest.mark.parametrize("name", MODELS)
def test_effort_is_a_polynomial_of_the_depth(name: str) -> None:
    effort(MODELS[name], 2)  # what is imported at first
    few, many = effort(MODELS[name], 6), effort(MODELS[name], 12)
    assert many[0] < 8 * few[0]
    assert many[1] < 12 * few[1]  # 2**6 times as many where each level asks twice


#: TensorFlow 1.15's.
VALUES = {
    ("single", 5): [0.753816, 0.194688],
    ("single", 8): [0.470972, 0.092315],
    ("unknown", 5): [0.753816, 0.194688],
    ("several", 3): [0.433652, 0.283498],
    ("several", 5): [0.335156, 0.285455],
    ("growing", 3): [3.470631, 0.021396],
    ("growing", 5): [4.474928, 0.013463],
}


@pytest.mark.parametrize(("name", "n"), VALUES)
def test_values(name: str, n: int) -> None:
    y, x = MODELS[name](n)
    (g,) = tf.gradients(y, x)
    with tf.Session() as s:
        np.testing.assert_allclose(s.run(g, {x: [0.4, 0.7]}), VALUES[name, n], 1e-4)


def test_twenty_deep() -> None:
    y, x = single(20)
    (g,) = tf.gradients(y, x)
    with tf.Session() as s:
        np.testing.assert_allclose(s.run(g, {x: [0.4, 0.7]}), [0.04341, 0.006294], 1e-3)


#: TensorFlow 1.15's, by the number of loops in between and whether the first iteration is even.
UNEVEN = {
    (0, True): [2.57854, 0.26462],
    (0, False): [2.57854, 0.26462],
    (1, True): [0.73344, 0.23449],
    (1, False): [1.09662, 0.26510],
    (2, True): [0.04586, 0.06750],
    (2, False): [0.33076, 0.08385],
}


@pytest.mark.parametrize(("between", "first"), UNEVEN)
def test_shapes_that_vary_in_one_iteration_of_the_loop_around(between: int, first: bool) -> None:
    """Five iterations of one shape, where the other time there are two of two shapes."""
    x = tf.placeholder(tf.float32, [2])

    def outer(i: Any, a: Any) -> Any:
        same = tf.equal(i, 0 if first else 1)

        def run(b: Any) -> Any:
            def inner(j: Any, b: Any) -> Any:
                more = tf.cond(same, lambda: b[:0], lambda: b[:1])
                return j + 1, tf.concat([tf.sin(b) * 1.1, more], 0)

            count = tf.where(same, 5, 2)
            return tf.while_loop(lambda j, _: j < count, inner, [0, b], shape_invariants=ANY)[1]

        def middle(k: Any, b: Any) -> Any:
            return k + 1, run(b) * tf.cos(b[0])

        if not between:
            return i + 1, run(a)
        out = tf.while_loop(lambda k, _: k < between, middle, [0, a], shape_invariants=ANY)
        return i + 1, out[1]

    y = tf.while_loop(lambda i, _: i < 2, outer, [0, x], shape_invariants=ANY)[1]
    (g,) = tf.gradients(y, x)
    with tf.Session() as s:
        got = s.run(g, {x: [0.4, 0.7]})
    np.testing.assert_allclose(got, UNEVEN[between, first], 1e-3)
