"""Loops in sessions: random numbers, interruption, trip counts, threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flow_programs
import numpy as np
import pytest
from patience import interrupted

import graphc as tf
from graphc.runtime import counting, listeners, regions


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


#: what TensorFlow 1.15 draws in six runs of the op
DRAWN = [0.38831127, 0.31686926, 0.42907262, 0.05274153, 0.707471, 0.49199605]


def test_each_iteration_draws_anew() -> None:
    n = tf.placeholder(tf.int32, [])

    def body(i: Any, s: Any) -> Any:
        return i + 1, tf.concat([s[1:], tf.random_uniform([1], seed=5)], 0)

    _, s = tf.while_loop(lambda i, s: i < n, body, [0, tf.zeros([6])])
    with tf.Session() as sess:
        got = [sess.run(s, {n: k})[6 - k :] for k in (3, 2, 0, 1)]
    np.testing.assert_allclose(np.concatenate(got), DRAWN, rtol=1e-6)


def test_a_side_that_does_not_run_draws_nothing() -> None:
    tf.zeros([3]), tf.zeros([3])
    p = tf.placeholder(tf.bool, [])
    x = tf.cond(p, lambda: tf.random_uniform([1], seed=5)[0], lambda: tf.constant(-1.0))
    with tf.Session() as sess:
        got = [sess.run(x, {p: k}) for k in (True, False, False, True, True)]
    np.testing.assert_allclose([v for v in got if v >= 0], DRAWN[:3], rtol=1e-6)
    assert [v < 0 for v in got] == [False, True, True, False, False]


def test_a_failed_run_draws_nothing() -> None:
    n, d = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])

    def body(i: Any, s: Any) -> Any:
        return i + 1 // (d - i), tf.random_uniform([4], seed=5)

    _, s = tf.while_loop(lambda i, s: i < n, body, [0, tf.zeros([4])])
    with tf.Session() as one:
        first = one.run(s, {n: 1, d: 1})
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(s, {n: 9, d: 0})
        np.testing.assert_array_equal(sess.run(s, {n: 1, d: 1}), first)


def test_new_trip_counts_compile_nothing() -> None:
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None])
    _, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 0.5 + x), [0, x])
    with tf.Session() as sess:
        sess.run(y, {n: 3, x: [1.0, 2.0]})
        plans = counting.counters.plans
        for k, size in ((0, 2), (7, 2), (1000, 5), (3, 9), (12, 2)):
            want = np.arange(1, size + 1, dtype=np.float32)
            given = want.copy()
            for _ in range(k):
                want = want * np.float32(0.5) + given
            np.testing.assert_array_equal(sess.run(y, {n: k, x: given}), want)
        assert counting.counters.plans == plans


@pytest.mark.parametrize("size", [(), (3000,)], ids=["one kernel", "steps"])
def test_an_endless_loop_is_interrupted_and_the_session_goes_on(size: tuple[int, ...]) -> None:
    go = tf.placeholder(tf.bool, [])
    v = tf.Variable(tf.zeros(size))
    _, y = tf.while_loop(
        lambda i, y: tf.logical_or(go, i < 3), lambda i, y: (i + 1, y + 1.0), [0, v.read_value()]
    )
    train = v.assign(y)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert np.all(sess.run(train, {go: False}) == 3)
        with interrupted(pause=0.2):
            sess.run(train, {go: True})
        assert np.all(sess.run(v) == 3)
        assert np.all(sess.run(train, {go: False}) == 6)


def test_the_same_bits_for_any_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    w = tf.constant(rng.standard_normal((64, 64)).astype("f") / 8)
    x = tf.placeholder(tf.float32, [None, 64])
    _, y = tf.while_loop(
        lambda i, y: i < 20, lambda i, y: (i + 1, tf.nn.softmax(tf.matmul(y, w))), [0, x]
    )
    given = rng.standard_normal((1000, 64)).astype("f")
    got = []
    for threads in (1, 2):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as sess:
            got += [sess.run(y, {x: given}) for _ in range(3)]
    for other in got[1:]:
        np.testing.assert_array_equal(got[0], other)


def test_ten_thousand_iterations_leave_no_memory() -> None:
    import resource

    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [5000])
    _, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.sin(y)), [0, x])
    with tf.Session() as sess:
        sess.run(y, {n: 10, x: np.ones(5000)})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sess.run(y, {n: 10_000, x: np.ones(5000)})
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 4096  # kilobytes; one byte for each of the values would be 50 MB


def outcome(name: str, **config: Any) -> Any:
    with tf.Graph().as_default():
        fetches, feeds = flow_programs.PROGRAMS[name](tf, np)
        with tf.Session(config=tf.ConfigProto(**config)) as s:
            s.run(tf.global_variables_initializer())
            return s.run(fetches, feeds)


def same(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        same(list(a.values()), list(b.values()))
    elif isinstance(a, (list, tuple)):
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", flow_programs.PROGRAMS)
def test_one_kernel_and_steps_and_threads_give_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = outcome(name, intra_op_parallelism_threads=1)
    same(outcome(name, intra_op_parallelism_threads=2), first)
    monkeypatch.setattr(regions, "lower_loop", lambda *args: None)
    same(outcome(name), first)


@pytest.mark.parametrize("rounds", [0, 1, 6])
def test_weights_that_stay_are_packed_once(rounds: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((64, 64)).astype("f") / 8
    w = tf.Variable(weights)
    x, n = tf.placeholder(tf.float32, [None, 64]), tf.placeholder(tf.int32, [])

    def inner(j: Any, y: Any) -> Any:
        return j + 1, tf.tanh(tf.matmul(y, w, transpose_b=True))

    def outer(i: Any, y: Any, v: Any) -> Any:
        _, y = tf.while_loop(lambda j, y: j < 2, inner, [0, y])
        # v changes in each round: its panels cannot be kept
        return i + 1, tf.matmul(y, v, transpose_b=True), v * 0.5

    _, y, _ = tf.while_loop(lambda i, y, v: i < n, outer, [0, x, tf.constant(weights)])
    compiled: list[Any] = []
    listeners.observers.append(lambda run, c: compiled.append(c))
    try:
        with tf.Session() as sess:
            sess.run(w.initializer)
            compiled.clear()
            for size in (200, 70):
                given = rng.standard_normal((size, 64)).astype("f")
                want, v = given.astype("d"), weights.astype("d")
                for _ in range(rounds):
                    for _ in range(2):
                        want = np.tanh(want @ weights.T.astype("d"))
                    want, v = want @ v.T, v * 0.5
                got = sess.run(y, {x: given, n: rounds})
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    finally:
        listeners.observers.pop()
    assert sorted(compiled[0].variants.values()) == ["local", "packed"]


@pytest.mark.parametrize("shape", [(), (3,)], ids=["one kernel", "steps"])
def test_a_write_outside_of_an_array_has_the_words_of_tensorflow(shape: tuple[int, ...]) -> None:
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None, *shape])
    ta = tf.TensorArray(tf.float32, size=4)
    _, end = tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t.write(i, x[i])), [0, ta])
    out = end.stack()
    given = np.ones((9, *shape))
    words = "Tried to write to index 4 but array is not resizeable and size is: 4"
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(out, {n: 4, x: given}), given[:4])
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            sess.run(out, {n: 6, x: given})


def test_what_iterations_leave_for_the_gradient_is_written_once() -> None:
    x = tf.placeholder(tf.float64, [8])
    _, y = tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, tf.sin(y) * x), [0, x])
    (g,) = tf.gradients(y, x)
    given, eps = np.linspace(0.2, 1.5, 8), 1e-6
    compiled: list[Any] = []
    listeners.observers.append(lambda run, c: compiled.append(c))
    try:
        with tf.Session() as sess:
            got = sess.run(g, {x: given})
            up, down = (sess.run(y, {x: given + d}) for d in (eps, -eps))
    finally:
        listeners.observers.pop()
    np.testing.assert_allclose(got, (up - down) / (2 * eps), rtol=1e-6)
    steps = compiled[0].plan.steps
    assert [s for s in steps if s.code.name.endswith("_array")]
    moved = [s.writes[0].count for s in steps if s.code.name == "copy" or "fill" in s.code.name]
    assert all(n in (1, 8) for n in moved)
