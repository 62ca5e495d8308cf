"""Stacks and concats of few and many tensors, in memory or computed on the way."""

from __future__ import annotations

import numpy as np
import pytest
from thinned import thinned

import graphc as tf

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
