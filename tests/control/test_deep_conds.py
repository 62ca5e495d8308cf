"""Conds in conds, as many as TensorFlow 1.15 records: running, gradients, export."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir.nesting import room_for


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """The limit of Python's stack is what it was when everything is done."""
    before = sys.getrecursionlimit()
    with tf.Graph().as_default():
        yield
    assert sys.getrecursionlimit() == before


def conds(n: int) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [2], name="x")

    def make(n: int) -> Any:
        if n == 0:
            return x * 1.5
        return tf.cond(x[0] > -1e9 * n, lambda: make(n - 1) + 1.0, lambda: x)

    return make(n), x


def in_thread(f: Any) -> Any:
    """What `f` gives on a stack of its own: how deep pytest is in its own does not count."""
    out: list[Any] = []

    def run() -> None:
        try:
            out.append(f())
        except BaseException as e:
            out.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(out[0], BaseException):
        raise out[0]
    return out[0]


def test_recorded_and_run_as_deep_as_tensorflow_does() -> None:
    graph = tf.get_default_graph()

    def run() -> Any:
        with graph.as_default(), tf.Session() as s:
            y, x = conds(160)
            return s.run(y, {x: [1, 2]})

    np.testing.assert_array_equal(in_thread(run), [161.5, 163.0])


@pytest.mark.parametrize("n", [40, pytest.param(160, marks=pytest.mark.slow)])
def test_gradient(n: int) -> None:
    graph = tf.get_default_graph()

    def run() -> Any:
        with graph.as_default(), tf.Session() as s:
            y, x = conds(n)
            return s.run(tf.gradients(y, x)[0], {x: [1, 2]})

    np.testing.assert_array_equal(in_thread(run), [1.5, 1.5])


@pytest.mark.parametrize("n", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_exported_and_read_again_with_the_gradient(n: int) -> None:
    y, x = conds(n)
    (g,) = tf.gradients(y, x)
    written = tf.get_default_graph().as_graph_def()
    with tf.Graph().as_default(), tf.Session() as s:
        read = tf.import_graph_def(written, return_elements=[y.name, g.name], name="")
        got = s.run(read, {x.name: [1, 2]})
    np.testing.assert_array_equal(got, [[n + 1.5, n + 3.0], [1.5, 1.5]])


def test_a_cond_in_itself_without_end_is_a_recursion_error() -> None:
    x = tf.placeholder(tf.float32, [])

    def forever() -> Any:
        return tf.cond(x > 0.0, forever, lambda: x)

    with pytest.raises(RecursionError):
        forever()
    with tf.Session() as s:
        assert s.run(x + 1.0, {x: 1.0}) == 2.0


class Deep:
    """What `room_for` asks of a graph."""

    deepest = 100


def test_room_of_several_threads_goes_with_the_last() -> None:
    before = sys.getrecursionlimit()
    first, second = room_for(Deep), room_for(Deep)
    with first:
        raised = sys.getrecursionlimit()
        assert raised > before + 1000
        second.__enter__()
        assert sys.getrecursionlimit() == raised
    assert sys.getrecursionlimit() == raised
    second.__exit__(None, None, None)
    assert sys.getrecursionlimit() == before


def test_a_limit_that_the_user_sets_inside_stays() -> None:
    before = sys.getrecursionlimit()
    try:
        with room_for(Deep):
            sys.setrecursionlimit(before + 77)
        assert sys.getrecursionlimit() == before + 77
    finally:
        sys.setrecursionlimit(before)


def test_few_levels_leave_the_limit_alone() -> None:
    before = sys.getrecursionlimit()
    with room_for(tf.get_default_graph()):
        assert sys.getrecursionlimit() == before
