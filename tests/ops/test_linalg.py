"""Products of matrices and what is made of them, natively against numpy, with derivatives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf
from graphc.runtime.reference import evaluate


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def run(y: Any, feed: Any) -> Any:
    with tf.Session() as sess:
        got = sess.run(y, feed)
    np.testing.assert_allclose(got, evaluate([y], feed)[0], 1e-9, 1e-9)
    return got


def derivatives(y: Any, feed: dict[Any, Any]) -> None:
    """First and second derivative of sum(y**2), by central differences along one direction."""
    rng = np.random.default_rng(1)
    xs = list(feed)
    along = [rng.normal(size=np.shape(v)) for v in feed.values()]
    loss = tf.reduce_sum(y * y)
    first = tf.add_n(
        [tf.reduce_sum(g * a) for g, a in zip(tf.gradients(loss, xs), along, strict=True)]
    )
    second = tf.add_n(
        [tf.reduce_sum(g * a) for g, a in zip(tf.gradients(first, xs), along, strict=True)]
    )

    def at(s: float) -> dict[Any, Any]:
        return {x: v + s * a for (x, v), a in zip(feed.items(), along, strict=True)}

    s = 1e-4
    ahead, behind = (evaluate([loss, first], at(d)) for d in (s, -s))
    for got, p, q in zip((run(first, feed), run(second, feed)), ahead, behind, strict=True):
        np.testing.assert_allclose(got, (p - q) / (2 * s), 1e-5, 1e-5)


SHAPES = [
    ((2, 3), (3, 4)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 2)), ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3, 4)), ((2, 1, 2, 3), (4, 3, 2)), ((0, 2, 3), (0, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
@pytest.mark.parametrize(
    ("known", "ta", "tb"),
    thinned(itertools.product([False, True], repeat=3), lambda known, ta, tb: known != (ta == tb)),
)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...], ta: bool, tb: bool, known: bool) -> None:
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=a), rng.normal(size=b)
    p = np.ascontiguousarray(np.swapaxes(p, -1, -2)) if ta else p
    q = np.ascontiguousarray(np.swapaxes(q, -1, -2)) if tb else q
    x = tf.placeholder(tf.float64, p.shape if known else [None] * p.ndim)
    y = tf.placeholder(tf.float64, q.shape if known else [None] * q.ndim)
    z = tf.matmul(x, y, transpose_a=ta, adjoint_b=tb)
    want = np.matmul(np.swapaxes(p, -1, -2) if ta else p, np.swapaxes(q, -1, -2) if tb else q)
    np.testing.assert_allclose(run(z, {x: p, y: q}), want, 1e-9, 1e-12)
    derivatives(z, {x: p, y: q})


def test_matmul_int() -> None:
    a = np.array([[2**31 - 1, 2], [3, 4]], np.int32)
    got = run(tf.matmul(a, a), {})
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, np.matmul(a, a))


EQUATIONS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((2, 3), (3, 4))), ("bij,bjk->bik", ((5, 2, 3), (5, 3, 4))),
    ("ijk,kl->ijl", ((2, 3, 4), (4, 5))), ("i,j->ij", ((2,), (3,))),
    ("...ij,jk->...ik", ((2, 3, 4), (4, 5))), ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 5))),
    ("ij->", ((2, 3),)), ("ijk->kji", ((2, 3, 4),)), ("ij,ij->i", ((2, 3), (2, 3))),
    ("ab,ab,ab->a", ((2, 3), (2, 3), (2, 3))), ("ij,jk", ((2, 3), (3, 4))),
    ("abcd,adbe->ce", ((2, 3, 4, 5), (2, 5, 3, 6))), ("i,i->", ((4,), (4,))),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "sizes"), EQUATIONS, ids=lambda v: str(v).replace(" ", ""))
@pytest.mark.parametrize("known", [False, True])
def test_einsum(equation: str, sizes: Any, known: bool) -> None:
    rng = np.random.default_rng(2)
    values = [rng.normal(size=s) for s in sizes]
    xs = [tf.placeholder(tf.float64, s if known else [None] * len(s)) for s in sizes]
    feed = dict(zip(xs, values, strict=True))
    y = tf.einsum(equation, *xs)
    np.testing.assert_allclose(run(y, feed), np.einsum(equation, *values), 1e-9, 1e-12)
    derivatives(y, feed)


def test_einsum_trace_and_refusals() -> None:
    assert run(tf.einsum("ii", np.eye(3)), {}) == 3
    for bad in ("ij,jk->il", "ii->i", "i1->i", "ij,ij"):
        with pytest.raises(ValueError, match=r"."):
            tf.einsum(bad, np.eye(3), *([np.eye(3)] if bad == "ij,jk->il" else []))


@pytest.mark.parametrize(
    "axes",
    [0, 1, 2, [[2, 1], [0, 1]], [[0], [2]], [[1], [-2]], [[-1, 0], [0, 2]], [[], []]],
    ids=str,
)
@pytest.mark.parametrize("known", ["rank", "sizes", "neither"])
def test_tensordot(axes: Any, known: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 3, 2))
    if axes in (1, 2):
        b = rng.normal(size=(4, 5) if axes == 1 else (3, 4, 2))
    shapes = {"rank": [None] * a.ndim, "sizes": a.shape, "neither": None}
    x = tf.placeholder(tf.float64, shapes[known])
    y = tf.placeholder(tf.float64, {**shapes, "rank": [None] * b.ndim, "sizes": b.shape}[known])
    z = tf.tensordot(x, y, axes)
    np.testing.assert_allclose(run(z, {x: a, y: b}), np.tensordot(a, b, axes), 1e-9, 1e-12)
    derivatives(z, {x: a, y: b})


@pytest.mark.parametrize("order", ["euclidean", 1, 2, np.inf, 3, 0.5])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keep", [False, True])
def test_vector_norm(order: Any, axis: Any, keep: bool) -> None:
    v = np.random.default_rng(4).normal(size=(3, 4))
    x = tf.placeholder(tf.float64, [None, 4])
    got = run(tf.norm(x, order, axis, keepdims=keep), {x: v})
    ord_ = 2 if order == "euclidean" else order
    flat = v.reshape(-1) if axis is None else v
    want = np.linalg.norm(flat, ord_, 0 if axis is None else axis)
    want = want.reshape(1, 1) if axis is None and keep else want
    want = np.expand_dims(want, axis) if keep and axis is not None else want
    np.testing.assert_allclose(got, want, 1e-9)


def test_matrix_norm_trace_band_cross() -> None:
    rng = np.random.default_rng(5)
    v, w = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 3))
    x, y = tf.placeholder(tf.float64, [None, None, 3]), tf.placeholder(tf.float64, [None, None, 3])
    feed = {x: v, y: w}
    for order, o in (("fro", "fro"), (1, 1), (np.inf, np.inf)):
        got = run(tf.norm(x, order, [-2, -1]), feed)
        np.testing.assert_allclose(got, np.linalg.norm(v, o, (-2, -1)), 1e-9)
    np.testing.assert_allclose(run(tf.trace(x), feed), np.trace(v, axis1=1, axis2=2), 1e-12)
    i, j = np.indices((4, 3))
    for low, high in ((0, 0), (1, -1), (-1, 0), (2, 1)):
        keep = ((low < 0) | (i - j <= low)) & ((high < 0) | (j - i <= high))
        band = tf.matrix_band_part(x, low, high)
        np.testing.assert_array_equal(run(band, feed), np.where(keep, v, 0))
    derivatives(band, {x: v})
    z = tf.cross(x, y)
    np.testing.assert_allclose(run(z, feed), np.cross(v, w), 1e-12)
    derivatives(z, feed)
    np.testing.assert_allclose(
        run(tf.linalg.matvec(tf.transpose(x, [0, 2, 1]), y[:, :, 0]), feed),
        np.einsum("bij,bi->bj", v, w[:, :, 0]), 1e-9,
    )  # fmt: skip
