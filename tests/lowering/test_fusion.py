"""What fusion decides: values computed again, parts of a concat, sums of products, row values."""

from __future__ import annotations

import numpy as np
import pytest
from test_reductions import run

import graphc as tf


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 130])
def test_a_value_of_one_kernel_is_made_again_in_another(rows, static):
    """The activation's pieces are not kept for the backward pass; a fetched one is."""
    x, w, u = rand(rows, 20), rand(20, 33, seed=1), rand(33, 5, seed=2)

    def build(a, b, c):
        h = tf.matmul(a, b)
        t = tf.tanh(h * 0.5)
        g = h * (t + 1.0)
        loss = tf.reduce_sum(tf.square(tf.matmul(g, c)))
        return [t, loss, *tf.gradients(loss, [a, b, c])]

    got = run(build, x, w, u, static=static)
    h = x.astype(np.float64) @ w
    t = np.tanh(h * 0.5)
    y = h * (t + 1) @ u
    dg = 2 * y @ u.T
    dh = dg * (t + 1 + h * (1 - t * t) * 0.5)
    want = [t, (y * y).sum(), dh @ w.T, x.T @ dh, (h * (t + 1)).T @ (2 * y)]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-4, atol=2e-4 * np.abs(b).max())


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(("widths", "axis"), [
    ((5, 5, 5), 1), ((28, 40), 1), ((1, 16, 17), -1), ((40, 40), 2), ((3, 70), 1), ((4, 4), 0),
])  # fmt: skip
def test_parts_of_a_concat_are_written_in_place(widths, axis, static):
    rank = 3 if axis in (2, -1) else 2
    at = axis % rank
    xs = []
    for i, width in enumerate(widths):
        shape = [6, 9, 4][:rank]
        shape[at] = width
        xs.append(rand(*shape, seed=i))

    def build(*vs):
        made = [v * 2.0 + float(i) for i, v in enumerate(vs)]
        same = tf.tanh(made[-1])
        return [tf.concat([*made[:-1], same], axis), same, same * made[-1]]

    got = run(build, *xs, static=static)
    made = [x * 2 + np.float32(i) for i, x in enumerate(xs)]
    same = np.tanh(made[-1].astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(got[0], np.concatenate([*made[:-1], same], axis), rtol=1e-6)
    np.testing.assert_allclose(got[1], same, rtol=1e-6)
    np.testing.assert_allclose(got[2], same * made[-1], rtol=1e-6, atol=1e-7)


def test_steps_of_an_unrolled_loop_share_kernels_and_read_their_own_index():
    x, w = rand(9, 6, 5), rand(13, 8, seed=3)

    def build(a, b):
        h = tf.zeros([9, 8])
        for t in tf.unstack(a, 6, axis=1):
            h = tf.tanh(tf.matmul(tf.concat([t, h], 1), b))
        return [h, tf.gradients(tf.reduce_sum(h * h), b)[0], a[:, -1], a[2]]

    got = run(build, x, w)
    hs, ins = [np.zeros((9, 8))], []
    for t in range(6):
        ins.append(np.concatenate([x[:, t], hs[-1]], 1))
        hs.append(np.tanh(ins[-1] @ w))
    np.testing.assert_allclose(got[0], hs[-1], rtol=1e-4, atol=1e-5)
    dw, dh = np.zeros_like(w, np.float64), 2 * hs[-1]
    for t in reversed(range(6)):
        d = dh * (1 - hs[t + 1] ** 2)
        dw += ins[t].T @ d
        dh = (d @ w.T)[:, 5:]
    np.testing.assert_allclose(got[1], dw, rtol=1e-3, atol=1e-4)
    assert np.array_equal(got[2], x[:, -1])
    assert np.array_equal(got[3], x[2])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_sums_of_products_and_of_column_sums(count):
    xs = [rand(11, 6, seed=i) for i in range(count)]
    ys = [rand(11, 21, seed=9 + i) for i in range(count)]

    def build(*vs):
        a, b = vs[:count], vs[count:]
        products = [tf.matmul(p, q, transpose_a=True) for p, q in zip(a, b, strict=True)]
        sums = [tf.reduce_sum(q, 0) for q in b]
        return [tf.add_n(products) * 0.5, tf.add_n(sums), products[0]]

    got = run(build, *xs, *ys)
    np.testing.assert_allclose(
        got[0], 0.5 * sum(x.T @ y for x, y in zip(xs, ys, strict=True)), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(got[1], sum(y.sum(0) for y in ys), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[2], xs[0].T @ ys[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("shape", [(1, 7), (130, 64), (5, 300)])
def test_layer_norm_is_one_kernel_with_its_gradient(shape, static):
    x, g, b = rand(*shape), rand(shape[1], seed=1), rand(shape[1], seed=2)

    def build(a, gain, bias):
        mean, var = tf.nn.moments(a, axes=[-1], keep_dims=True)
        y = (a - mean) * tf.rsqrt(var + 1e-5) * gain + bias
        return [y, *tf.gradients(tf.reduce_sum(y * y * y), [a, gain, bias])]

    got = run(build, x, g, b, static=static)
    m = x.astype(np.float64).mean(1, keepdims=True)
    r = 1 / np.sqrt(x.astype(np.float64).var(1, keepdims=True) + 1e-5)
    n = (x - m) * r
    y = n * g + b
    d = 3 * y * y
    dn = d * g
    dx = r * (dn - dn.mean(1, keepdims=True) - n * (dn * n).mean(1, keepdims=True))
    for a, want in zip(got, [y, dx, (d * n).sum(0), d.sum(0)], strict=True):
        np.testing.assert_allclose(a, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())


def test_a_concat_that_is_read_where_it_is_made():
    x = rand(3, 4, 1)

    def build(a):
        c = tf.concat([a, a * 2.0], 2)
        return [tf.nn.relu(tf.pad(-c, [[1, 0], [0, 1], [0, 0]])), c]

    got = run(build, x)
    c = np.concatenate([x, x * 2], 2)
    assert np.array_equal(got[1], c)
    assert np.array_equal(got[0], np.maximum(np.pad(-c, [(1, 0), (0, 1), (0, 0)]), 0))
