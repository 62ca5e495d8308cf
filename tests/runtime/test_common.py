"""Kernels that differ in sizes only share code, and compute what code of their own computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir import dims as D
from graphc.ir.kernel import Kernel, Template
from graphc.ir.kernel_builder import KernelBuilder
from graphc.runtime import steps
from graphc.runtime.common import EVEN, LONG, common
from graphc.runtime.llvm import codegen

Program = tuple[Any, list[Any], dict[Any, Any]]
SHAPES = [(64, 80), (5000,), (33, 130), (4, 32, 33)]


def _updates(optimizer: Callable[[], Any]) -> Program:
    variables = [tf.Variable(tf.random_uniform(s, seed=i)) for i, s in enumerate(SHAPES)]
    loss = tf.add_n([tf.reduce_sum(v * v * 0.5 + v) for v in variables])
    return [optimizer().minimize(loss), loss], variables, {}


def _momentum() -> Program:
    return _updates(lambda: tf.train.MomentumOptimizer(0.1, 0.9))


def _adam() -> Program:
    return _updates(lambda: tf.train.AdamOptimizer(0.1))


def _sums() -> Program:
    """Rows of several numbers, known and not, added up."""
    variables = [tf.Variable(np.ones(n, np.float32)) for n in (96, 160, 280, 72)]
    feed = {}
    for i, v in enumerate(variables):
        n = v.shape[0].value
        x = tf.placeholder(tf.float32, [None, 4, n // 4] if i % 2 else [None, n])
        rows = np.random.RandomState(i).randn(7 * i + 5, n).astype(np.float32)
        feed[x] = rows.reshape([-1, *x.shape[1:].as_list()])
    xs = list(feed)
    ys = [tf.reshape(x, [-1, v.shape[0]]) for x, v in zip(xs, variables, strict=True)]
    loss = tf.add_n([tf.reduce_sum(tf.tanh(y + v)) for y, v in zip(ys, variables, strict=True)])
    return [tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss), loss], variables, feed


def _convolutions() -> Program:
    """Convolutions with strides, whose gradients are several each, of many numbers of channels."""
    x = tf.placeholder(tf.float32, [None, 21, 18, 3])
    h, filters = x, []
    for i, (side, n) in enumerate([(3, 20), (4, 16), (3, 32), (3, 48), (3, 96), (3, 40)]):
        w = tf.Variable(tf.random_normal([side, side, h.shape[3].value, n], stddev=0.1, seed=i))
        filters.append(w)
        h = tf.nn.relu(tf.nn.conv2d(h, w, [1, 1 + i % 2, 2 - i % 2, 1], "SAME"))
    loss = tf.reduce_mean(tf.square(h - 1.0))
    feed = np.random.RandomState(0).randn(3, 21, 18, 3).astype(np.float32)
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    return [step, loss], filters, {x: feed}


def _run(program: Callable[[], Program]) -> tuple[list[Any], int]:
    """What three steps and the variables are, and how many kernels that took."""
    keys: set[str] = set()
    made = codegen.kernel_key

    def key(*args: Any, **named: Any) -> str:
        keys.add(found := made(*args, **named))
        return found

    with pytest.MonkeyPatch.context() as m, tf.Graph().as_default(), tf.Session() as s:
        m.setattr(codegen, "kernel_key", key)
        fetches, variables, feed = program()
        s.run(tf.global_variables_initializer())
        values = [s.run(fetches, feed)[1] for _ in range(3)]
        return [*values, *s.run(variables)], len(keys)


@pytest.mark.parametrize("program", [_momentum, _adam, _sums, _convolutions])
def test_same_bits(program: Callable[[], Program], monkeypatch: pytest.MonkeyPatch) -> None:
    got, few = _run(program)
    for module in (codegen, steps):
        monkeypatch.setattr(module, "common", lambda kernel: (kernel, ()))
    want, many = _run(program)
    assert few < many
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(g, w)


def test_convolutions_that_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The phases of a strided gradient do, and gradients by filters of many channels."""
    keys: dict[str, list[str]] = {"conv": [], "conv_filter": []}
    made = codegen.kernel_key

    def key(kernel: Kernel, *args: Any, **named: Any) -> str:
        found = made(kernel, *args, **named)
        assert kernel.parallel is not None
        if isinstance(s := kernel.parallel.body[0], Template):
            keys.setdefault(s.kind, []).append(found)
        return found

    monkeypatch.setattr(codegen, "kernel_key", key)
    with tf.Graph().as_default(), tf.Session() as s:
        image = tf.Variable(tf.random_uniform([1, 32, 32, 64]))
        h = image
        filters = [tf.Variable(tf.random_uniform([4, 4, h, n])) for h, n in _CHANNELS]
        for w in filters:
            h = tf.nn.conv2d(h, w, [1, 2, 2, 1], "SAME")
        s.run(tf.global_variables_initializer())
        s.run([h, *tf.gradients(tf.reduce_sum(h), [image, *filters])])
    n = len(_CHANNELS)
    assert (len(keys["conv"]), len(keys["conv_filter"])) == (n + 4 * n, n)
    assert (len(set(keys["conv"])), len(set(keys["conv_filter"]))) == (n + n, 1)


_CHANNELS = [(64, 256), (256, 128), (128, 256)]


def _shifted(n: int, by: int) -> Kernel:
    b = KernelBuilder("k")
    x, y = b.input("x", tf.float32, (n + by,)), b.output("y", tf.float32, (n,))
    with b.loop("parallel vector", "i", n) as i:
        b.store(y, (i,), b.load(x, (i + by,)))
    return b.build()


@pytest.mark.parametrize(
    ("n", "by", "more", "shared"),
    [
        (LONG, 0, EVEN, True), (LONG + 1, 0, 5, True), (LONG, 0, 1, False),
        (LONG - EVEN, 0, EVEN, False), (LONG, 1, EVEN, False),
    ],
)  # fmt: skip
def test_what_is_shared(n: int, by: int, more: int, shared: bool) -> None:
    """Long loops are; short ones, and those where a place is computed, are not.

    Those that end with a whole vector have no code for a rest.
    """
    kernel = _shifted(n, by)
    same = codegen.kernel_key(kernel) == codegen.kernel_key(_shifted(n + more, by))
    assert same == shared


@pytest.mark.parametrize(("n", "word"), [(LONG, LONG // EVEN), (LONG + 1, LONG + 1)])
def test_the_word_of_a_size(n: int, word: int) -> None:
    made, sizes = common(_shifted(n, 0))
    assert sizes == (word,)
    assert made.parallel is not None
    assert D.evaluate(made.parallel.extent, dict(zip(made.sizes, sizes, strict=True))) == n


def test_unknown_sizes_are_shared_as_well() -> None:
    def rows(extent: D.Dim, n: int) -> Kernel:
        b = KernelBuilder("k")
        x, y = b.input("x", tf.float32, (extent, n)), b.output("y", tf.float32, (n,))
        with b.loop("parallel vector", "i", n) as i:
            with b.reduce("for", "j", extent) as r:
                r.yields(sum=b.load(x, (r.var, i)))
            b.store(y, (i,), r.results[0])
        return b.build()

    s = D.Expr.symbol("s")
    made, sizes = common(rows(4 * s, 10))
    assert sizes == (10, 4 * s)
    assert codegen.kernel_key(rows(4 * s, 10)) == codegen.kernel_key(rows(s + 1, 100))
    assert codegen.kernel_key(rows(4 * s, 10)) != codegen.kernel_key(rows(10, 10))
    assert [x.name for x in made.sizes] == ["s", "#0", "#1"]
