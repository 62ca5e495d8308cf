"""Checked runs that change variables in place: where nothing can go wrong, or it is seen before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops.intervals import Unknown
from graphc.ops.record import OPS, Op
from graphc.runtime import trust

LIMIT = 2.0**20
SIZE = 70


def compiled(sess: Any) -> Any:
    """The last plan that a session has made that changes variables."""
    runs = sess._executor.prepared.values()
    return [c for r in runs for cs in r.plans.values() for c in cs if c.plan.updates][-1]


def guard(sess: Any) -> Any:
    return compiled(sess).plan.guard


def variable(value: Any, name: str = "v", dtype: Any = np.float32) -> Any:
    return tf.Variable(np.full(SIZE, value, dtype), name=name)


@pytest.fixture
def sess() -> Any:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        yield sess


# ------------------------------------------------------------------- what is shown

#: New values of a variable `v`, for a fed `x`: whether they are shown to be finite, and least.
FORMULAS: dict[str, tuple[Callable[[Any, Any], Any], float | None]] = {
    "sum": (lambda v, x: v + x, -LIMIT),
    "mean of squares": (lambda v, x: v + (x * x - v) * 0.001, 0.0),
    "mean of squares, other way round": (lambda v, x: 0.1 * (tf.square(x) - v) + v, 0.0),
    "weights": (lambda v, x: 0.9 * v + 0.1 * tf.square(x), 0.0),
    "sum of squares": (lambda v, x: v + tf.square(x), 2.0**-20),
    "root of it": (lambda v, x: tf.sqrt(tf.square(v) + tf.square(x)), 2.0**-20),
    "by a root": (lambda v, x: x / (tf.sqrt(tf.abs(v)) + 1e-8), -LIMIT),
    "greatest": (lambda v, x: tf.maximum(v, tf.abs(x)), 2.0**-20),
    "clipped": (lambda v, x: tf.clip_by_value(v - x, 0.5, 8.0), 0.5),
    "where": (lambda v, x: tf.where(x > 0.0, v, -x * 3.0), -LIMIT),
    "squashed": (lambda v, x: tf.sigmoid(x) - tf.tanh(v), -1.0),
    "fourth power": (lambda v, x: tf.square(tf.square(x)) - v, -LIMIT),
    "eighth power": (lambda v, x: tf.square(tf.square(tf.square(x))) + v, None),
    "root of a difference": (lambda v, x: tf.sqrt(v - x), None),
    "quotient": (lambda v, x: x / v, None),
    "exponential": (lambda v, x: v + tf.exp(x), None),
    "logarithm": (lambda v, x: tf.log(x) + v, None),
    "by nothing": (lambda v, x: x / (tf.sqrt(tf.abs(v)) + 1e-40), None),
    "mean with a weight of one": (lambda v, x: tf.sqrt(v + (tf.square(x) - v) * 1.5), None),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_shown(sess: Any, name: str) -> None:
    f, least = FORMULAS[name]
    x, v = tf.placeholder(tf.float32, [SIZE]), variable(1.0)
    step = tf.assign(v, f(v, x)).op
    sess.run(v.initializer)
    sess.run(step, {x: np.ones(SIZE)})
    found = guard(sess)
    if least is None:
        assert found is None
        return
    assert found is not None
    assert found.leaves["v"] == pytest.approx(least)


EDGES = [LIMIT * (1 - 2**-24), 1e6, 3.0, 1.0, 0.5, 1e-8, 2.0**-20, 1e-38, 1e-45, 0.0]


@pytest.mark.parametrize("name", [n for n, (_, least) in FORMULAS.items() if least is not None])
def test_what_is_shown_is_so(name: str) -> None:
    """The kernels make finite numbers, and none below the least, of whatever is small."""
    f, least = FORMULAS[name]
    rng = np.random.default_rng(len(name))
    edges = np.array(EDGES + [-e for e in EDGES], np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, v = tf.placeholder(tf.float32, [SIZE]), variable(1.0)
        step = tf.assign(v, f(v, x))
        sess.run(v.initializer)
        for _ in range(40):
            old = rng.choice(edges, SIZE)
            if least is not None and least > -1.0:  # what the induction takes for granted
                old = np.maximum(old, np.float32(least))
            v.load(old, sess)
            new = sess.run(step, {x: rng.choice(edges, SIZE)})
            assert np.isfinite(new).all()
            if least is not None and least > -LIMIT:
                assert new.min() >= least


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.01),
    "momentum": lambda: tf.train.MomentumOptimizer(0.01, 0.9),
    "nesterov": lambda: tf.train.MomentumOptimizer(0.01, 0.9, use_nesterov=True),
    "adam": lambda: tf.train.AdamOptimizer(0.01),
    "rmsprop": lambda: tf.train.RMSPropOptimizer(0.01),
    "adagrad": lambda: tf.train.AdagradOptimizer(0.01),
    "ftrl": lambda: tf.train.FtrlOptimizer(0.01),
}


def model(optimizer: Any) -> tuple[Any, Any, Any]:
    x = tf.placeholder(tf.float32, [None, 24])
    w, b = tf.get_variable("w", [24, 9]), tf.get_variable("b", [9])
    loss = tf.reduce_mean(tf.square(tf.tanh(tf.matmul(x, w) + b) - 0.3))
    return x, loss, optimizer.minimize(loss)


def values(sess: Any) -> list[Any]:
    return [a.copy() for a in sess.run(tf.global_variables())]


def same(a: list[Any], b: list[Any]) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_write_in_place(name: str) -> None:
    after = []
    for check in (False, True):
        with tf.Graph().as_default(), tf.Session(check_numerics=check) as sess:
            tf.set_random_seed(1)
            x, loss, train = model(OPTIMIZERS[name]())
            sess.run(tf.global_variables_initializer())
            rng = np.random.default_rng(0)
            for _ in range(5):
                sess.run([train, loss], {x: rng.normal(size=(7, 24))})
            if check:
                c = compiled(sess)
                assert c.safe is None
                assert {"w", "b"} <= set(c.plan.guard.leaves)
                before = values(sess)
                for bad in (np.nan, np.inf):
                    with pytest.raises(tf.errors.InvalidArgumentError, match="value given for"):
                        sess.run([train, loss], {x: np.full((7, 24), bad)})
                    same(before, values(sess))
                sess.run([train, loss], {x: rng.normal(size=(7, 24))})
                assert c.alarms == 0
            else:
                sess.run([train, loss], {x: rng.normal(size=(7, 24))})
            after.append(values(sess))
    same(*after)


# ------------------------------------------------------------------- where it does not hold


def test_large_numbers_are_none_too_large(sess: Any) -> None:
    """What is fed is beyond the proof: the run is done again; after some times, only that way."""
    x, v = tf.placeholder(tf.float32, [SIZE]), variable(0.0)
    step = tf.assign(v, v * 0.5 + x)
    sess.run(v.initializer)
    expected = np.zeros(SIZE, np.float32)
    for k, value in enumerate([1.0, 2e6, 3.0, -4e6, 1e9, 5.0, 1e30, 1.0]):
        expected = expected * np.float32(0.5) + np.float32(value)
        np.testing.assert_array_equal(sess.run(step, {x: np.full(SIZE, value)}), expected, str(k))
    assert compiled(sess).alarms == trust.FALSE_ALARMS
    with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
        sess.run(tf.assign(v, v + x * x), {x: np.full(SIZE, 1e30)})
    np.testing.assert_array_equal(sess.run(v), expected)


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.float64])
@pytest.mark.parametrize("rows", [1, SIZE, 100_000])
def test_what_is_fed_is_looked_at(dtype: Any, rows: int) -> None:
    """A kernel that changes a variable is the first that reads it."""
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(dtype, [rows])
        v = tf.Variable(np.ones(rows, dtype.as_numpy_dtype))
        step = tf.assign(v, x * x).op
        sess.run(v.initializer)
        good = np.ones(rows, dtype.as_numpy_dtype)
        for k in {0, rows // 2, rows - 1}:
            for bad in (dtype.max, -dtype.max, np.nan, np.inf):
                sess.run(step, {x: good * 2})
                feed = good.copy()
                feed[k] = bad
                with pytest.raises(tf.errors.InvalidArgumentError, match=r"NaN|Inf"):
                    sess.run(step, {x: feed})
                np.testing.assert_array_equal(sess.run(v), good * 4)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_what_other_kernels_make_is_looked_at(dtype: Any) -> None:
    """So are results of which a product makes an update, each of them."""
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(dtype, [40, 50])
        v = tf.Variable(np.zeros((50, 30), dtype.as_numpy_dtype))
        h = tf.matmul(x, tf.ones([50, 30], dtype))
        step = tf.assign_sub(v, tf.matmul(x, h, transpose_a=True)).op
        sess.run(v.initializer)
        good = np.ones((40, 50), dtype.as_numpy_dtype)
        sess.run(step, {x: good})
        before = sess.run(v)
        assert before.min() == -2000
        for bad in (dtype.max / 2**8, 2.0**70 if dtype is tf.float32 else 2.0**600):
            feed = good.copy()
            feed[7, 9] = bad
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"NaN|Inf"):
                sess.run(step, {x: feed})
            np.testing.assert_array_equal(sess.run(v), before)
        sess.run(step, {x: good})
        np.testing.assert_array_equal(sess.run(v), before * 2)


def test_variables_that_grow(sess: Any) -> None:
    """Small, then finite but too large for the proof, then infinite."""
    v, w = variable(1.0), variable(1.0, "w")
    step = tf.group(tf.assign(v, v * 64.0), tf.assign(w, w + 1.0))
    sess.run(tf.global_variables_initializer())
    for k in range(21):
        sess.run(step)
        np.testing.assert_array_equal(sess.run(v), np.full(SIZE, 64.0 ** (k + 1)), str(k))
    for _ in range(3):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
            sess.run(step)
        np.testing.assert_array_equal(sess.run(v), np.full(SIZE, 64.0**21))
        np.testing.assert_array_equal(sess.run(w), np.full(SIZE, 22.0))


def test_variables_that_shrink_again(sess: Any) -> None:
    """One byte that a kernel sets makes the next run look; it is no verdict for ever."""
    x, v = tf.placeholder(tf.float32, []), variable(1.0)
    step = tf.assign(v, v * x)
    sess.run(v.initializer)
    expected = np.float32(1.0)
    for factor in (2.0, 2.0**19, 2.0**-19, 2.0**10, 2.0**15, 2.0**-20, 3.0):
        expected *= np.float32(factor)
        assert sess.run(step, {x: factor})[0] == expected


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("how", ["load", "assign", "before"])
def test_what_is_assumed_of_a_variable_is_looked_at(bad: float, how: str) -> None:
    """A mean of squares that is negative, or none at all, makes the run fail and change nothing."""
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x, v, w = tf.placeholder(tf.float32, [SIZE]), variable(1.0), variable(2.0, "w")
        mean = v + (tf.square(x) - v) * 0.001
        step = tf.group(tf.assign(v, mean), tf.assign(w, w - x / (tf.sqrt(mean) + 1e-8)))
        given = tf.placeholder(tf.float32, [SIZE])
        put = tf.assign(v, given).op
        sess.run(tf.global_variables_initializer())
        feed = {x: np.full(SIZE, 0.5, np.float32)}
        if how != "before":
            for _ in range(3):
                sess.run(step, feed)
        value = np.full(SIZE, 1.0, np.float32)
        value[SIZE // 2] = bad
        if how == "assign" and np.isfinite(bad):
            sess.run(put, {given: value})
        else:
            v.load(value, sess)
        before = values(sess)
        for _ in range(2):
            if bad > 1.0 and np.isfinite(bad):
                sess.run(step, feed)  # large, but fine
                assert np.isfinite(values(sess)).all()
                continue
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"NaN|Inf"):
                sess.run(step, feed)
            for a, b in zip(before, values(sess), strict=True):
                np.testing.assert_array_equal(a, b)
        v.load(np.ones(SIZE, np.float32), sess)
        sess.run(step, feed)


def test_two_steps_that_know_different_things_of_one_variable(sess: Any) -> None:
    x, v, w = tf.placeholder(tf.float32, [SIZE]), variable(1.0), variable(2.0, "w")
    mean = v * 0.9 + tf.square(x) * 0.1
    root = tf.group(tf.assign(v, mean), tf.assign(w, w - x / (tf.sqrt(mean) + 0.1)))
    below = tf.assign_sub(v, tf.abs(x) * 2.0).op
    sess.run(tf.global_variables_initializer())
    feed = {x: np.full(SIZE, 0.25, np.float32)}
    for _ in range(3):
        sess.run(root, feed)
        sess.run(below, feed)
        if sess.run(v)[0] < 0:
            break
    else:
        pytest.fail("it should be negative by now")
    before = values(sess)
    big = {x: np.full(SIZE, 0.01, np.float32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN"):
        sess.run(root, big)
    same(before, values(sess))


def test_sums_of_more_terms_than_the_proof_has(monkeypatch: Any) -> None:
    monkeypatch.setattr(trust, "TERMS", 8)
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x, v = tf.placeholder(tf.float32, [None, SIZE]), variable(0.0)
        step = tf.assign(v, v + tf.reduce_sum(x * 2.0, 0))
        sess.run(v.initializer)
        for rows in (5, 9, 8, 40, 3):
            was = sess.run(v)
            got = sess.run(step, {x: np.ones((rows, SIZE))})
            np.testing.assert_array_equal(got, was + 2 * rows)
        c = compiled(sess)
        assert c.safe is not None
        assert c.alarms == 0


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64, tf.int32])
def test_other_types(dtype: Any) -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x, v = tf.placeholder(dtype, [SIZE]), tf.Variable(tf.ones([SIZE], dtype), dtype=dtype)
        step = tf.assign(v, v * 2 + x)
        sess.run(v.initializer)
        expected = np.ones(SIZE)
        for _ in range(4):
            expected = expected * 2 + 3
            got = sess.run(step, {x: np.full(SIZE, 3, dtype.as_numpy_dtype)})
            np.testing.assert_array_equal(got.astype(np.float64), expected)
        if dtype.is_floating:
            big = dtype.max
            with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
                sess.run(tf.assign(v, v * x), {x: np.full(SIZE, big, dtype.as_numpy_dtype)})
            np.testing.assert_array_equal(sess.run(v).astype(np.float64), expected)


def test_nothing_is_fed(sess: Any) -> None:
    x, v = tf.placeholder(tf.float32, [None, SIZE]), variable(1.0)
    step = tf.assign(v, v * 2.0 + tf.reduce_sum(x, 0))
    sess.run(v.initializer)
    for k in range(4):
        assert sess.run(step, {x: np.ones((0, SIZE))})[0] == 2.0 ** (k + 1)
    assert compiled(sess).alarms == 0


INTERVALS = [
    r for r in OPS.values()
    if r.interval and r.family == "elementwise" and r.name not in ("add_n", "cast", "select")
]  # fmt: skip


@pytest.mark.parametrize("record", INTERVALS, ids=lambda r: r.name)
def test_intervals(record: Op) -> None:
    """Where a record says that results lie, its numpy meaning puts them."""
    rng = np.random.default_rng(0)
    said = 0
    for _ in range(200):
        xs = [tuple(sorted(rng.normal(size=2))) for _ in record.args]
        try:
            low, high = record.interval(*xs)
        except Unknown:
            continue
        said += 1
        got = record.numpy(*[rng.uniform(*x, 100) for x in xs])
        assert low - 1e-12 <= got.min() <= got.max() <= high + 1e-12
    assert said > 20
