"""Vectors that run on from one short row to the next: same numbers, nothing read outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from guarded_plans import guarded

import graphc as tf
from graphc.face.dump import compile_run
from graphc.ir.kernel_text import print_kernel
from graphc.passes.lowered import FOLDED, FOLDS
from graphc.runtime.llvm.cpu import LEVELS, host

REACHED = LEVELS[: LEVELS.index(host().level) + 1] if host().level else ("",)
QUICK = [(3, False), (4, True), (13, True)]
SLOW = [
    (n, high) for n in (2, 3, 4, 5, 8, 13, 16, 31, FOLDED, FOLDED + 1) for high in (False, True)
]


def results(x: Any, row: Any, each: Any) -> list[Any]:
    """Numbers of all rows, of each row, and of what is read in another order."""
    both = [x + row, x * each, (x - row) * each + row]
    views = [x[:, ::-1] * row, x[1:-2] * 2, x[::2] - row, x[::-1] + each]
    return [*both, *views, x[:, 1:] - x[:, :-1]]


def check(n: int, high: bool, types: Any) -> None:
    """Whole numbers, so that each result is exact, on arrays beside pages that fault."""
    rng = np.random.default_rng(n)
    for dtype in types:
        with tf.Graph().as_default(), tf.Session() as sess:
            feed = [tf.placeholder(dtype, s) for s in ((None, n), (n,), (None, 1))]
            fetches = results(*feed)
            for rows in (-(-FOLDS // n), 700 // n + 3, 9001 // n):
                shapes = (rows, n), (n,), (rows, 1)
                arrays = [guarded(rng.integers(0, 50, s).astype(dtype), high) for s in shapes]
                got = sess.run(fetches, dict(zip(feed, arrays, strict=True)))
                for i, (a, b) in enumerate(zip(got, results(*arrays), strict=True)):
                    np.testing.assert_array_equal(a, b, f"[{i}] {dtype.__name__} {rows}")


@pytest.mark.parametrize(("n", "high"), QUICK)
def test_numbers(n: int, high: bool) -> None:
    check(n, high, [np.float32])


@pytest.mark.slow
@pytest.mark.parametrize("level", REACHED)
@pytest.mark.parametrize(("n", "high"), SLOW)
def test_levels(n: int, high: bool, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CPU", level)
    check(n, high, (np.float32, np.float64, np.int64, np.uint8, np.float16))


@pytest.mark.parametrize("threads", [1, 2])
def test_pictures(threads: int) -> None:
    """Several axes around the short one, channels first and last, masks and threads."""
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, (3, 17, 19, 3)).astype(np.float32)
    scale, mean = (rng.integers(1, 9, s).astype(np.float32) for s in ((3, 1, 1, 3), (3,)))
    on, first = rng.random((3, 17, 19, 1)) < 0.5, np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    with tf.Graph().as_default():
        a, s, m, c, f = (tf.placeholder(v.dtype, v.shape) for v in (x, scale, mean, on, first))
        fetches = [
            a * s - m, tf.where(tf.tile(c, [1, 1, 1, 3]), a, a - m),
            tf.transpose(f, [0, 2, 3, 1]) - m, tf.pad(a - m, [[0, 0], [2, 1], [1, 3], [0, 0]]),
            tf.reverse(a, [2, 3]) * m, tf.image.flip_left_right(a) + s, a[:, 3:12, ::2, :] - m,
            tf.logical_and(a > m, c),
        ]  # fmt: skip
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            feed = {a: x, s: scale, m: mean, c: on, f: first}
            got = sess.run(fetches, feed)
    padded = np.pad(x - mean, [(0, 0), (2, 1), (1, 3), (0, 0)])
    want = [
        x * scale - mean, np.where(on, x, x - mean), x - mean, padded,
        x[:, :, ::-1, ::-1] * mean, x[:, :, ::-1] + scale, x[:, 3:12, ::2] - mean, (x > mean) & on,
    ]  # fmt: skip
    for i, (p, q) in enumerate(zip(got, want, strict=True)):
        np.testing.assert_array_equal(p, q, str(i))


def kernel(shape: tuple[int | None, ...], *others: tuple[int | None, ...], dtype: Any) -> str:
    with tf.Graph().as_default(), tf.Session() as sess:
        y, feed = tf.placeholder(dtype, shape), {}
        feed[y] = np.ones([400 if d is None else d for d in shape])
        for s in others:
            x = tf.placeholder(dtype, s)
            feed[x] = np.ones([400 if d is None else d for d in s])
            y = y * x
        (part,) = compile_run(y, feed, sess)
        (step,) = part.compilation.plan.steps
        return str(print_kernel(step.code.kernel))


def test_loops() -> None:
    """Rows of up to `FOLDED` numbers are one loop; with one number a row, of very few columns."""
    assert "%3)]" in kernel((None, 3), (3,), dtype=np.float32)
    assert f"%{FOLDED})]" in kernel((None, FOLDED), (FOLDED,), dtype=np.float32)
    assert "//" not in kernel((None, FOLDED + 1), (FOLDED + 1,), dtype=np.float32)
    assert "//4)" in kernel((None, 4), (None, 1), dtype=np.float32)
    assert "//5" not in kernel((None, 5), (None, 1), dtype=np.float32)
    assert "//3" not in kernel((None, 3), (None, 1), dtype=np.float16)
    assert "%3" not in kernel((5, 3), (3,), dtype=np.float32)


def test_rows_from_anywhere() -> None:
    """Rows that data picks are loads row by row."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x, i = tf.placeholder(tf.float32, [90, 3]), tf.placeholder(tf.int32, [400])
        feed = {x: np.ones([90, 3]), i: np.arange(400) % 90}
        (part,) = compile_run(tf.gather(x, i) * 2.0, feed, sess)
        (step,) = part.compilation.plan.steps
        assert "//3)" not in str(print_kernel(step.code.kernel))


def sums(x: Any, row: Any, each: Any, axes: list[int]) -> list[Any]:
    """Reductions over short rows and the axes around them, of views and of what is broadcast."""
    less, every = x - row, {"axis": axes, "keepdims": True}
    steps = tf.abs(x[:, 1:] - x[:, :-1])
    return [
        tf.reduce_sum(less * less), tf.reduce_sum(less * each, axes), tf.reduce_max(x * each, axes),
        tf.reduce_sum(steps, axes), tf.reduce_sum(x[:, ::-1] * row), tf.reduce_min(x[1:] + row),
        less - tf.reduce_sum(less, **every), tf.reduce_max(less, **every) - less,
    ]  # fmt: skip


def sums_of(x: Any, row: Any, each: Any, axes: list[int]) -> list[Any]:
    """The same with numpy."""
    less, over = x - row, tuple(axes)
    steps = np.abs(x[:, 1:] - x[:, :-1])
    return [
        (less * less).sum(), (less * each).sum(over), (x * each).max(over), steps.sum(over),
        (x[:, ::-1] * row).sum(), (x[1:] + row).min(),
        less - less.sum(over, keepdims=True), less.max(over, keepdims=True) - less,
    ]  # fmt: skip


def check_sums(n: int, shape: tuple[int, ...], known: bool, threads: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.integers(-5, 6, (*shape, n)).astype(np.float32)
    row = rng.integers(-5, 6, n).astype(np.float32)
    each = rng.integers(0, 3, (*shape, 1)).astype(np.float32)
    axes = list(range(1, x.ndim))
    with tf.Graph().as_default():
        sizes = [list(a.shape) if known else [None] * len(shape) + [a.shape[-1]] for a in (x, each)]
        a, b = (tf.placeholder(tf.float32, s) for s in sizes)
        r = tf.placeholder(tf.float32, [n])
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            got = sess.run(sums(a, r, b, axes), {a: x, b: each, r: row})
    for i, (p, q) in enumerate(zip(got, sums_of(x, row, each, axes), strict=True)):
        # sums of whole numbers; those above 2^24 are rounded once
        np.testing.assert_allclose(p, q, 1.2e-7, 0.0, err_msg=f"[{i}] {n} {shape}")


@pytest.mark.parametrize(("n", "shape", "known"), [(3, (3, 7, 70), True), (4, (900,), False)])
def test_sums(n: int, shape: tuple[int, ...], known: bool) -> None:
    check_sums(n, shape, known, 2)


@pytest.mark.slow
@pytest.mark.parametrize("level", REACHED)
@pytest.mark.parametrize("shape", [(4, 100), (3, 7, 70), (1000,), (40000,)])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, FOLDED, FOLDED + 1])
def test_more_sums(
    n: int, shape: tuple[int, ...], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_CPU", level)
    for known in (True, False):
        check_sums(n, shape, known, 1 + known)
