"""What a run in parts computes once: values of before a pause that are needed after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import listeners

Through = Callable[[Any], Any]


def shown(v: Any) -> Any:
    return tf.Print(v, [tf.reduce_mean(v)], "mean", first_n=0)


def by_python(v: Any) -> Any:
    made = tf.py_func(lambda a: a * 1, [v], v.dtype)
    made.set_shape(v.shape)
    return v + tf.stop_gradient(made - v)


def asserted(v: Any) -> Any:
    words = tf.py_func(lambda a: a.sum() < 1e9, [v], tf.bool)
    with tf.control_dependencies([tf.Assert(words, [v])]):
        return tf.identity(v)


def plain(v: Any) -> Any:
    return v + tf.stop_gradient(v - v)


def dense(x: Any, through: Through) -> Any:
    h = through(tf.nn.dropout(tf.nn.relu(tf.matmul(x, weights("a", 6, 8))), 0.5, seed=3))
    return tf.tanh(tf.matmul(h, weights("b", 8, 3)))


def last(x: Any, through: Through) -> Any:
    return through(dense(x, tf.identity))


def convolved(x: Any, through: Through) -> Any:
    h = tf.reshape(tf.matmul(x, weights("a", 6, 32)), [-1, 4, 4, 2])
    h = through(tf.nn.relu(tf.nn.conv2d(h, weights("c", 3, 3, 2, 4), [1, 1, 1, 1], "SAME")))
    return tf.matmul(tf.reshape(tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), [-1, 16]),
                     weights("b", 16, 3))  # fmt: skip


def recurrent(x: Any, through: Through) -> Any:
    w = weights("w", 6, 6)
    h = tf.while_loop(lambda i, h: i < 4, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w)) + x),
                      [0, x])[1]  # fmt: skip
    return tf.matmul(through(h), weights("b", 6, 3))


def weights(name: str, *shape: int) -> Any:
    start = np.random.default_rng(len(name) + shape[0]).normal(size=shape) * 0.4
    return tf.get_variable(name, initializer=start.astype(np.float32))


@pytest.fixture
def compiled() -> Iterator[list[Any]]:
    found: list[Any] = []

    def see(run: Any, c: Any) -> None:
        found.append(c)

    listeners.observers.append(see)
    yield found
    listeners.observers.remove(see)


def trained(net: Any, through: Through, compiled: list[Any]) -> tuple[Any, int, int]:
    """Losses and weights of some steps, the products, and the loops in the plans of a step."""
    with tf.Graph().as_default(), tf.Session() as s:
        x, y = tf.placeholder(tf.float32, [None, 6]), tf.placeholder(tf.float32, [None, 3])
        loss = tf.reduce_mean(tf.square(net(x, through) - y))
        step = tf.train.AdamOptimizer(0.01).minimize(loss)
        s.run(tf.global_variables_initializer())
        compiled.clear()
        rng, out = np.random.default_rng(1), []
        for rows in (5, 5, 7):
            feeds = {x: rng.normal(size=(rows, 6)), y: rng.normal(size=(rows, 3))}
            out.append(s.run([loss, step], feeds)[0])
        plans = list(compiled)
        out += s.run(tf.trainable_variables())
    products = sum(s.code.contraction is not None for c in plans for s in c.plan.steps)
    loops = sum(n.op.name == "while" for c in plans for n in c.plan.graph.nodes())
    return out, products, loops


@pytest.mark.parametrize("net", [dense, last, convolved, recurrent])
@pytest.mark.parametrize("through", [shown, by_python, asserted])
def test_nothing_is_computed_twice(net: Any, through: Through, compiled: list[Any]) -> None:
    want, products, loops = trained(net, plain, compiled)
    got, more, again = trained(net, through, compiled)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert (more, again) == (products, loops)


def kernels(through: Through) -> int:
    """The products that ran in one step, as a traced run counts them."""
    with tf.Graph().as_default(), tf.Session() as s:
        x = tf.placeholder(tf.float32, [None, 6])
        loss = tf.reduce_sum(tf.square(last(x, through)))
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        s.run(tf.global_variables_initializer())
        options, data = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), tf.RunMetadata()
        s.run(step, {x: np.ones((5, 6))}, options, data)
        labels = [n.timeline_label for d in data.step_stats.dev_stats for n in d.node_stats]
    return sum(re.search(r"kernel=\S*matmul", text) is not None for text in labels)


def test_a_traced_run_shows_it() -> None:
    pytest.importorskip("tensorboard")
    assert kernels(shown) == kernels(plain) == 5


def test_what_is_updated_before_the_pause_is_seen_after_it() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        v = tf.get_variable("v", initializer=np.eye(2, dtype=np.float32))
        x = tf.constant([[1.0, 2.0]])
        before = tf.matmul(x, v)
        with tf.control_dependencies([before]):
            grown = tf.assign_add(v, [[1.0, 0.0], [0.0, 1.0]])
        after = tf.matmul(x, grown)
        total = shown(tf.reduce_sum(before) + tf.reduce_sum(after))
        with tf.control_dependencies([total]):
            out = total + tf.reduce_sum(tf.matmul(before + after, v))
        s.run(tf.global_variables_initializer())
        assert s.run(out) == 9.0 + 18.0
        assert s.run(v).tolist() == [[2.0, 0.0], [0.0, 2.0]]
