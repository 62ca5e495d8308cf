"""Stacks and concats of few and many tensors, in memory or computed on the way."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf
from graphc.passes import groups, lower_values

#: The module: the package has the pass under that name.
FUSE = importlib.import_module("graphc.passes.fuse")

SHAPES = [(2, (3, 5)), (5, (3, 17)), (7, (4, 3, 9)), (6, (1, 40)), (5, (0, 4)), (9, (6,)), (12, ())]


#: Parts that lie in memory, and computed ones; of the first, which are loads only, two are quick.
CASES = thinned(
    [(*row, computed) for computed in (False, True) for row in SHAPES],
    lambda count, shape, computed: computed or count == 5,
)


@pytest.mark.parametrize(("count", "shape", "computed"), CASES)
def test_stack_and_concat(count: int, shape: tuple[int, ...], computed: bool) -> None:
    rng = np.random.default_rng(count)
    xs = [np.asarray(rng.standard_normal(shape), np.float32) for _ in range(count)]
    ps = [tf.placeholder(tf.float32, [None] * len(shape)) for _ in xs]
    feed = dict(zip(ps, xs, strict=True))
    ways = [np.tanh if computed and i % 2 else np.asarray for i in range(count)]
    qs = [tf.tanh(p) if f is np.tanh else p for p, f in zip(ps, ways, strict=True)]
    ys = [f(x) for x, f in zip(xs, ways, strict=True)]
    slopes = [2 * y * (1 - y * y) if f is np.tanh else 2 * y for y, f in zip(ys, ways, strict=True)]
    with tf.Session() as sess:
        for axis in range(-1, len(shape) + 1):
            made = [(tf.stack(qs, axis), np.stack(ys, axis))]
            if axis < len(shape) and shape:
                made.append((tf.concat(qs, axis), np.concatenate(ys, axis)))
            for got, want in made:
                found, beside, total, *grads = sess.run(
                    [got, qs[1] * 3, tf.reduce_sum(got * 2, 0),
                     *tf.gradients(tf.reduce_sum(got * got), ps)], feed
                )  # fmt: skip
                np.testing.assert_allclose(found, want, rtol=1e-6)
                np.testing.assert_allclose(beside, ys[1] * 3, rtol=1e-6)
                np.testing.assert_allclose(total, (want * 2).sum(0), rtol=1e-4, atol=1e-5)
                for g, slope in zip(grads, slopes, strict=True):
                    np.testing.assert_allclose(g, slope, rtol=1e-4, atol=1e-6)
                np.testing.assert_allclose(sess.run(got, feed), want, rtol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "join"),
    [
        ([()] * 70, tf.stack),
        ([(3,)] * 70, tf.stack),
        ([(n,) for n in range(70)], lambda xs: tf.concat(xs, 0)),
        ([(3, 2)] * 70, lambda xs: tf.concat(xs, -2)),
    ],
)
def test_many_are_copied_by_one_code(shapes: list[tuple[int, ...]], join: Any) -> None:
    """Kernels of many operands are equal but for one of constants of one element."""
    rng = np.random.default_rng(len(shapes[0]))
    xs = [rng.integers(0, 99, s).astype(np.int32) for s in shapes]
    ps = [tf.placeholder(tf.int32, x.shape if i % 2 else [None] * x.ndim) for i, x in enumerate(xs)]
    feed = dict(zip(ps, xs, strict=True))
    got = join([*ps, tf.constant(np.ones(shapes[1], np.int32))])
    want = np.concatenate([x.reshape(-1) for x in [*xs, np.ones(shapes[1], np.int32)]])
    with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=2)) as sess:
        np.testing.assert_array_equal(sess.run(got, feed).reshape(-1), want)
        kernels = tf.dump([got], session=sess, stage="kernels", feed_dict=feed)
    codes = {k.partition("(")[2] for k in kernels.split("kernel ")[1:]}
    assert len(codes) <= 2, codes


def test_gradients_become_one_vector() -> None:
    """Unlike shapes, a large one shared by threads, and the way back."""
    shapes = [(300, 700), (700,), (3, 5, 7), (1,), (64, 64), (64,), (0, 4)]
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    ws = [tf.Variable(v) for v in values]
    loss = tf.add_n([tf.reduce_sum(tf.square(w)) for w in ws])
    flat = tf.concat([tf.reshape(g, [-1]) for g in tf.gradients(loss, ws)], 0)
    step = tf.placeholder(tf.float32, [None])
    pieces = tf.split(step * 2.0, [v.size for v in values])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        want = np.concatenate([2 * v.reshape(-1) for v in values])
        np.testing.assert_array_equal(sess.run(flat), want)
        for got, v in zip(sess.run(pieces, {step: want}), values, strict=True):
            np.testing.assert_array_equal(got, 4 * v.reshape(-1))


def test_many_parts_take_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all kernels of a concat share is found once, and whether it is one that copies, too."""
    calls: list[str] = []

    def count(module: Any, name: str) -> None:
        f = getattr(module, name)

        def counted(x: Any) -> Any:
            if name == "symbols_of" or len(x.inputs) > 2:
                calls.append(name)
            return f(x)

        monkeypatch.setattr(module, name, counted)

    count(lower_values, "symbols_of")
    count(groups, "joins_rows")
    count(FUSE, "joins_rows")
    x = tf.placeholder(tf.float32, [3])
    got = tf.stack([tf.exp(x * float(i)) for i in range(80)])
    with tf.Session() as sess:
        sess.run(got, {x: np.ones(3, np.float32)})
    assert 0 < calls.count("symbols_of") < 20
    assert 0 < calls.count("joins_rows") < 20
