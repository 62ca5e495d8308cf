"""Compiled views, reductions and products against the reference, over many attributes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf
from graphc.runtime.reference import evaluate

Array = np.ndarray[Any, Any]
Make = Callable[[Any], Any]

TYPES = [
    tf.float32, tf.float64, tf.float16, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.bool,
]  # fmt: skip
#: Shapes of the one operand; every program runs on all of them.
SHAPES: list[tuple[int, ...]] = [(3, 4), (17, 2), (1, 5), (4, 1), (16, 33)]


def fill(shape: Sequence[int], t: Any, seed: int = 0) -> Array:
    a = np.random.default_rng(seed).integers(-50, 50, tuple(shape))
    if t.name == "bool":
        return a > 0
    return (np.abs(a) if t.is_unsigned else a).astype(t.as_numpy_dtype)


def agree(
    programs: Sequence[Make], t: Any, shapes: Sequence[tuple[int, ...]], level: int,
    known: bool = False,
) -> None:  # fmt: skip
    """All programs in one run, on placeholders of unknown (or known) sizes."""
    for shape in shapes:
        with tf.Graph().as_default():
            x = tf.placeholder(t, shape if known else [None] * len(shape))
            outs = [f(x) for f in programs]
            a = fill(shape, t)
            want = evaluate(outs, {x: a}, check=False)
            with tf.Session(config=tf.ConfigProto(graphc_level=level)) as sess:
                got = sess.run(outs, {x: a})
        for f, g, w, o in zip(programs, got, want, outs, strict=True):
            what = f"{programs.index(f)}: {o.op.type} {t.name}{list(shape)}"
            assert np.shape(g) == w.shape, what
            assert np.asarray(g).dtype == w.dtype, what
            np.testing.assert_array_equal(g, w, what)


MOVES: list[Make] = [
    lambda x: tf.transpose(x),
    lambda x: tf.transpose(x, [0, 1]),
    lambda x: tf.reshape(x, [-1]),
    lambda x: tf.reshape(tf.transpose(x), [1, -1, 1]),
    lambda x: tf.expand_dims(x, 0),
    lambda x: tf.expand_dims(x, -1),
    lambda x: tf.expand_dims(x, 1),
    lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]),
    lambda x: x[0],
    lambda x: x[-1],
    lambda x: x[:, 0],
    lambda x: x[..., -1],
    lambda x: x[1:],
    lambda x: x[:-1],
    lambda x: x[::-1],
    lambda x: x[:, ::-1],
    lambda x: x[::2, ::3],
    lambda x: x[-1:0:-2],
    lambda x: x[5:2],
    lambda x: x[-100:100],
    lambda x: x[100:-100:-1],
    lambda x: x[tf.newaxis],
    lambda x: x[:, tf.newaxis, 0:1],
    lambda x: x[0, 0],
    lambda x: tf.slice(x, [0, 0], [-1, 1]),
    lambda x: tf.slice(x, [0, 0], [1, -1]),
    lambda x: tf.slice(x, [0, 0], [0, -1]),
    lambda x: tf.pad(x, [[1, 2], [0, 3]]),
    lambda x: tf.pad(x, [[0, 0], [1, 0]]),
    lambda x: tf.tile(x, [2, 3]),
    lambda x: tf.tile(x, [1, 0]),
    lambda x: tf.reverse(x, [0]),
    lambda x: tf.reverse(x, [0, 1]),
    lambda x: tf.reverse(x, [-1]),
    lambda x: tf.concat([x, x], 0),
    lambda x: tf.concat([x, x[:, :1], x], 1),
    lambda x: tf.concat([x], -1),
    lambda x: tf.concat([x[:0], x, x[:1]], 0),
    lambda x: tf.stack([x, x], 0),
    lambda x: tf.stack([x, x, x], 1),
    lambda x: tf.stack([x, x], -1),
    lambda x: tf.unstack(tf.stack([x, x[::-1]], 1), axis=1)[1],
    lambda x: tf.split(tf.concat([x, x[::-1]], 0), 2)[1],
    lambda x: tf.split(tf.concat([x, x[:, :1]], 1), [1, -1], 1)[1],
    lambda x: tf.gather(x, [0, 0]),
    lambda x: tf.gather(x, [[0], [0]], axis=1),
    lambda x: tf.gather(x, tf.zeros([0], tf.int64)),
    lambda x: tf.gather(x, 0),
    lambda x: tf.gather(x, tf.range(tf.shape(x)[1])[::-1], axis=1),
    lambda x: tf.gather_nd(x, [[0, 0], [0, 0]]),
    lambda x: tf.gather_nd(x, [[0]]),
    lambda x: tf.roll(x, 1, 0),
    lambda x: tf.roll(x, [-1, 7], [0, 1]),
    lambda x: tf.roll(x, tf.shape(x)[0] - 1, 1),
    lambda x: tf.broadcast_to(x[:, :1], tf.shape(x)),
    lambda x: tf.broadcast_to(x, tf.concat([[2], tf.shape(x)], 0)),
    lambda x: tf.zeros_like(x),
    lambda x: tf.ones_like(x),
    lambda x: tf.fill(tf.shape(x)[::-1], x[0, 0]),
    lambda x: tf.shape(x),
    lambda x: tf.size(x),
    lambda x: tf.rank(x),
    lambda x: tf.where(tf.cast(x, tf.bool), x, tf.reverse(x, [0])),
    lambda x: tf.matrix_band_part(x, 1, 0),
    lambda x: tf.matrix_band_part(x, -1, 1),
    lambda x: tf.matrix_diag(x),
    lambda x: tf.matrix_diag_part(x),
    lambda x: tf.diag(x[0]),
    lambda x: tf.identity(x),
    lambda x: tf.reshape(x, tf.reverse(tf.shape(x), [0])),
    lambda x: tf.transpose(tf.stack([x, x]), [2, 0, 1]),
    lambda x: tf.transpose(tf.stack([x, x]), [1, 2, 0])[::-1, 1:],
    lambda x: tf.pad(tf.transpose(x[::-1]), [[1, 0], [0, 1]])[1:, :-1],
    lambda x: tf.reshape(tf.concat([x, x], 0), [2, -1]),
    lambda x: tf.boolean_mask(x, tf.cast(x[:, 0], tf.bool)),
    lambda x: tf.where(tf.cast(x, tf.bool)),
    lambda x: tf.reverse_sequence(x, tf.ones([tf.shape(x)[0]], tf.int32), 1, 0),
]  # fmt: skip

INDICES: list[Make] = [
    lambda x: tf.one_hot(x, 5),
    lambda x: tf.one_hot(x, 5, axis=0),
    lambda x: tf.one_hot(x, 3, on_value=2.5, off_value=-1.0),
    lambda x: tf.one_hot(x, 4, axis=1, dtype=tf.int32),
    lambda x: tf.one_hot(x, 0),
    lambda x: tf.one_hot(x[0, 0], 4),
    lambda x: tf.gather(tf.range(60), tf.abs(x)),
    lambda x: tf.range(tf.shape(x)[0]) * 2,
    lambda x: tf.unsorted_segment_sum(x, tf.zeros([tf.shape(x)[0]], tf.int32), 3),
    lambda x: tf.unsorted_segment_sum(x, x % 4, 4),
    lambda x: tf.scatter_nd([[0], [2]], tf.stack([x[0], x[0]]), [3, tf.shape(x)[1]]),
]


@pytest.mark.parametrize(
    ("t", "level"),
    thinned(
        itertools.product([tf.float32, tf.int8, tf.bool], [0, 2]),
        lambda t, level: level == 2 or t is tf.float32,
    ),
    ids=lambda v: getattr(v, "name", str(v)),
)
def test_moves(t: Any, level: int) -> None:
    agree(MOVES, t, SHAPES[: 2 + 3 * (level == 2)], level)


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("t", TYPES, ids=lambda t: t.name)
def test_moves_of_every_type(t: Any, known: bool) -> None:
    agree(MOVES, t, SHAPES, 2, known)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(MOVES)))
def test_each_move_alone(number: int) -> None:
    agree(MOVES[number : number + 1], tf.float32, SHAPES, 2)


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("t", [tf.int32, tf.int64], ids=lambda t: t.name)
def test_indices(t: Any, level: int) -> None:
    agree(INDICES, t, SHAPES, level)


#: Zero sizes in every place.
EMPTY: list[Make] = [
    lambda x: tf.transpose(x), lambda x: tf.reshape(x, [-1, 2]), lambda x: x[::-1],
    lambda x: x[:, 1:], lambda x: tf.concat([x, x], 0), lambda x: tf.concat([x, x], 1),
    lambda x: tf.stack([x, x]), lambda x: tf.tile(x, [2, 2]), lambda x: tf.pad(x, [[1, 1], [2, 0]]),
    lambda x: tf.reduce_sum(x), lambda x: tf.reduce_sum(x, 0), lambda x: tf.reduce_sum(x, 1),
    lambda x: tf.reduce_prod(x, [0, 1], keepdims=True), lambda x: tf.cumsum(x),
    lambda x: tf.reduce_max(x, 0), lambda x: tf.reduce_min(x, 1),
    lambda x: tf.matmul(x, x, transpose_b=True), lambda x: tf.matmul(x, x, transpose_a=True),
    lambda x: tf.reduce_mean(tf.cast(x, tf.float32), 0), lambda x: tf.shape(x),
    lambda x: tf.where(x > 0), lambda x: tf.unique(tf.reshape(x, [-1]))[0],
]  # fmt: skip


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0), (0, 1), (1, 0)])
@pytest.mark.parametrize("t", [tf.float32, tf.int32], ids=lambda t: t.name)
def test_empty(t: Any, shape: tuple[int, int]) -> None:
    agree(EMPTY, t, [shape], 2)


# ------------------------------------------------------------------------- reductions

REDUCTIONS = ["sum", "prod", "max", "min", "mean"]


def axes_of(rank: int) -> list[Any]:
    sets: list[Any] = [None]
    for k in range(rank + 1):
        sets += [list(c) for c in itertools.combinations(range(rank), k)]
    return [*sets, -1, [-1, 0] if rank > 1 else -1]


@pytest.mark.parametrize(
    ("shape", "t"),
    thinned(
        itertools.product(
            [(17,), (5, 33), (2, 3, 17), (3, 1, 2, 4), (1, 200), (200, 3)],
            [tf.float32, tf.float64, tf.int32, tf.uint8, tf.bool],
        ),
        lambda shape, t: len(shape) < 3 or t in (tf.float32, tf.bool),
    ),
    ids=lambda v: getattr(v, "name", str(v)),
)
def test_reductions(t: Any, shape: tuple[int, ...]) -> None:
    kinds = ["any", "all"] if t is tf.bool else REDUCTIONS
    x_value = fill(shape, t)
    if t.is_floating:
        x_value = np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(t.as_numpy_dtype)
    for keep in (False, True):
        with tf.Graph().as_default():
            x = tf.placeholder(t, [None] * len(shape))
            outs = [
                getattr(tf, f"reduce_{k}")(x, a, keepdims=keep)
                for k in kinds for a in axes_of(len(shape))
            ]  # fmt: skip
            if not t.is_bool:
                outs += [f(x, a) for f in (tf.argmax, tf.argmin) for a in range(len(shape))]
                outs += [f(x, a, exclusive=e, reverse=r) for f in (tf.cumsum, tf.cumprod)
                         for a in range(len(shape)) for e in (0, 1) for r in (0, 1)]  # fmt: skip
            want = evaluate(outs, {x: x_value}, check=False)
            with tf.Session() as sess:
                got = sess.run(outs, {x: x_value})
        n = x_value.size
        for g, w, o in zip(got, want, outs, strict=True):
            what = f"{o.op} {t.name}{shape}"
            assert np.shape(g) == w.shape, what
            if t.is_floating and o.dtype.is_floating:
                eps = np.finfo(t.as_numpy_dtype).eps
                room = 2 * (4 + 2 * np.log2(n)) * eps * np.maximum(np.abs(w), 1)
                if "prod" in o.op.type.lower():
                    room = n * eps * np.abs(w) * 2
                assert np.all(np.abs(np.asarray(g) - w) <= room), what
            else:
                np.testing.assert_array_equal(g, w, what)


@pytest.mark.parametrize("t", [tf.float32, tf.float64], ids=lambda t: t.name)
def test_sums_keep_to_the_bound(t: Any) -> None:
    """RELIABILITY section 4: (4 + 2 log2 n) eps times the sum of absolute terms."""
    eps = np.finfo(t.as_numpy_dtype).eps
    for shape in [(100_003,), (1000, 301), (3, 70_001), (70_001, 3)]:
        a = np.random.default_rng(5).standard_normal(shape).astype(t.as_numpy_dtype)
        with tf.Graph().as_default():
            x = tf.placeholder(t, [None] * len(shape))
            axes = [None, *range(len(shape))]
            outs = [tf.reduce_sum(x, k) for k in axes] + [tf.reduce_sum(x * x, k) for k in axes]
            with tf.Session() as sess:
                got = sess.run(outs, {x: a})
        high = a.astype(np.longdouble)
        for g, (e, k) in zip(got, itertools.product((1, 2), axes), strict=True):
            n = a.size if k is None else shape[k]
            room = (4 + 2 * np.log2(n)) * eps * np.sum(np.abs(high**e), axis=k)
            assert np.all(np.abs(g - np.sum(high**e, axis=k)) <= room), (shape, e, k)


def test_special_values_in_reductions() -> None:
    nan, inf = np.nan, np.inf
    rows = [[1, nan, 2], [inf, -inf, 0], [-0.0, 0.0, -0.0], [inf, 1, inf], [nan, nan, nan]]
    a = np.array(rows * 7, np.float32)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, None])
        kinds = (tf.reduce_sum, tf.reduce_max, tf.reduce_min, tf.reduce_mean, tf.reduce_prod,
                 tf.argmax, tf.argmin)  # fmt: skip
        outs = [f(x, k) for f in kinds for k in (0, 1)]
        want = evaluate(outs, {x: a}, check=False)
        with tf.Session() as sess:
            for g, w, o in zip(sess.run(outs, {x: a}), want, outs, strict=True):
                np.testing.assert_array_equal(g, w, o.op.name)


# ------------------------------------------------------------------------- products

MATRICES = [(1, 1, 1), (1, 17, 5), (16, 1, 16), (7, 33, 1), (15, 16, 17), (64, 64, 64), (5, 0, 4),
            (0, 3, 2), (3, 2, 0), (130, 70, 90)]  # fmt: skip


@pytest.mark.parametrize("t", [tf.float32, tf.float64, tf.int32], ids=lambda t: t.name)
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_matmul(t: Any, flips: tuple[bool, bool]) -> None:
    ta, tb = flips
    with tf.Graph().as_default():
        x, y = tf.placeholder(t, [None, None]), tf.placeholder(t, [None, None])
        z = tf.matmul(x, y, transpose_a=ta, transpose_b=tb)
        with tf.Session() as sess:
            for m, k, n in MATRICES:
                a, b = fill((m, k), t, 1), fill((k, n), t, 2)
                got = sess.run(z, {x: a.T if ta else a, y: b.T if tb else b})
                np.testing.assert_array_equal(got, a @ b, f"{m} {k} {n}")  # small integers: exact


@pytest.mark.parametrize("t", [tf.float32, tf.float64], ids=lambda t: t.name)
def test_batched_matmul(t: Any) -> None:
    with tf.Graph().as_default():
        x, y = tf.placeholder(t, [None, None, None]), tf.placeholder(t, [None, None, None])
        outs = [tf.matmul(x, y, transpose_a=p, transpose_b=q) for p in (0, 1) for q in (0, 1)]
        with tf.Session() as sess:
            for b, n in [(1, 1), (3, 5), (2, 17), (0, 4), (4, 0), (5, 33)]:
                a, c = fill((b, n, n), t, 1), fill((b, n, n), t, 2)
                want = [
                    (a.swapaxes(1, 2) if p else a) @ (c.swapaxes(1, 2) if q else c)
                    for p in (0, 1) for q in (0, 1)
                ]  # fmt: skip
                for g, w in zip(sess.run(outs, {x: a, y: c}), want, strict=True):
                    np.testing.assert_array_equal(g, w)


def test_a_gather_inside_a_joined_tensor_reads_and_checks_only_its_own_part() -> None:
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None])
    at, source = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.int64, [None])
    y = tf.gather(tf.concat([tf.gather(x, at), [9.0]], 0), source)
    with tf.Session() as sess:
        feeds = {x: [1.0, 2.0, 3.0], at: [0, 1], source: [0, 2, 1, 2]}
        np.testing.assert_array_equal(sess.run(y, feeds), [1.0, 9.0, 2.0, 9.0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="not in"):
            sess.run(y, {**feeds, at: [0, 3]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="not in"):
            sess.run(y, {**feeds, source: [3]})


@pytest.mark.parametrize("depth", [1, 2])
def test_gathered_at_once_and_unstacked(depth: int) -> None:
    x = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    first, second = np.array([[0, 1], [2, 3]]), np.array([[1, 0], [2, 2]])
    places = [tf.constant(p[:, :depth]) for p in (first, second)]
    v = tf.placeholder(tf.float32, [3, 4])
    parts = tf.unstack(tf.gather_nd(v, tf.stack(places)))
    scattered = tf.gradients(parts[0] * 2.0 + parts[1], v)[0]
    with tf.Session() as s:
        got = s.run([*parts, scattered], {v: x})
    at = [tuple(p[:, :depth].T) for p in (first, second)]
    want = np.zeros_like(x)
    np.add.at(want, at[0], 2.0)
    np.add.at(want, at[1], 1.0)
    for a, b in zip(got, [x[at[0]], x[at[1]], want], strict=True):
        np.testing.assert_array_equal(a, b)
