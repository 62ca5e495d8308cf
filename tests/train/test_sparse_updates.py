"""Optimizers touch the rows that a sparse gradient names, and only these."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face.dump import compile_run
from graphc.ops import rows

MAKERS: dict[str, tuple[Callable[[], Any], int]] = {
    "momentum": (lambda: tf.train.MomentumOptimizer(0.1, 0.9), 2),
    "adagrad": (lambda: tf.train.AdagradOptimizer(0.1), 2),
    "adagrad_da": (lambda: tf.train.AdagradDAOptimizer(0.1, tf.Variable(0)), 3),
    "adadelta": (lambda: tf.train.AdadeltaOptimizer(0.1), 3),
    "rmsprop": (lambda: tf.train.RMSPropOptimizer(0.1), 3),
    "centered": (lambda: tf.train.RMSPropOptimizer(0.1, centered=True), 4),
    "ftrl": (lambda: tf.train.FtrlOptimizer(0.1), 3),
    "proximal": (lambda: tf.train.ProximalGradientDescentOptimizer(0.1, 0.1, 0.1), 1),
    "proximal_adagrad": (lambda: tf.train.ProximalAdagradOptimizer(0.1), 2),
    "lazy_adam": (lambda: tf.contrib.opt.LazyAdamOptimizer(0.1), 3),
    "adamax": (lambda: tf.contrib.opt.AdaMaxOptimizer(0.1), 3),
    "keras_sgd": (lambda: tf.keras.optimizers.SGD(0.1), 1),
    "keras_momentum": (lambda: tf.keras.optimizers.SGD(0.1, momentum=0.9), 2),
    "keras_adagrad": (lambda: tf.keras.optimizers.Adagrad(0.1), 2),
    "keras_ftrl": (lambda: tf.keras.optimizers.Ftrl(0.1), 3),
}
START = np.arange(12, dtype=np.float32).reshape(6, 2) / 10


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


class Table:
    def __init__(self, make: Callable[[], Any]) -> None:
        self.var = tf.get_variable("v", initializer=START)
        self.ids = tf.placeholder(tf.int32, [None])
        self.rows = tf.nn.embedding_lookup(self.var, self.ids)
        (grad,) = tf.gradients(tf.reduce_sum(tf.square(self.rows - 1.0)), [self.var])
        self.grad = grad
        self.optimizer = make()
        self.step = self.optimizer.apply_gradients([(grad, self.var)])

    def state(self, sess: Any) -> list[Any]:
        return [sess.run(v) for v in tf.global_variables() if v.shape.ndims]


@pytest.mark.parametrize("name", MAKERS)
def test_only_rows_are_written(name: str) -> None:
    make, many = MAKERS[name]
    t = Table(make)
    parts = compile_run(t.step, {t.ids: np.array([2, 0, 2])})
    steps = [s for p in parts for s in p.compilation.plan.steps]
    assert [s.code.name for s in steps].count("change_rows") == many
    wide = START.shape[0]  # nothing else is as long as the table, but where rows were first met
    for s in steps:
        if s.code.name not in ("change_rows", "sum_equal_rows"):
            assert all(b.count != wide * 2 for b in s.writes), s.code.name
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = t.state(sess)
        sess.run(t.step, {t.ids: [2, 0, 2]})
        after = t.state(sess)
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(new[[1, 3, 4, 5]], old[[1, 3, 4, 5]])
        assert (after[0][[0, 2]] != START[[0, 2]]).all()
        sess.run(t.step, {t.ids: np.zeros(0, np.int32)})
        for old, new in zip(after, t.state(sess), strict=True):
            np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("name", [*MAKERS, "adam"])
def test_an_index_outside_changes_nothing(name: str) -> None:
    make = (lambda: tf.train.AdamOptimizer(0.1)) if name == "adam" else MAKERS[name][0]
    var = tf.get_variable("v", initializer=START)
    ids = tf.placeholder(tf.int32, [None])
    values = tf.ones([tf.size(ids), 2])
    step = make().apply_gradients([(tf.IndexedSlices(values, ids, tf.shape(var)), var)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step, {ids: [1, 1]})
        before = [sess.run(v) for v in tf.global_variables()]
        for bad in ([6], [0, -1], [1, 2, 2**31 - 1, 1]):
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=r"is (not in|out of range) \[0, 6\)"
            ):
                sess.run(step, {ids: bad})
        for old, v in zip(before, tf.global_variables(), strict=True):
            np.testing.assert_array_equal(sess.run(v), old)


@pytest.mark.parametrize("name", ["momentum", "lazy_adam", "keras_momentum"])
def test_reads_before_and_after(name: str) -> None:
    """The rows read for the gradient are the old ones; what waits for the update sees the new."""
    t = Table(MAKERS[name][0])
    with tf.control_dependencies([t.step]):
        later = tf.gather(t.var.read_value(), t.ids)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(2):
            whole = sess.run(t.var)
            old, new, _ = sess.run([t.rows, later, t.step], {t.ids: [3, 3, 1]})
            np.testing.assert_array_equal(old, whole[[3, 3, 1]])
            np.testing.assert_array_equal(new, sess.run(t.var)[[3, 3, 1]])
            assert (old != new).all()


def test_one_optimizer_twice_in_a_run() -> None:
    """The second of two ordered steps begins with what the first left."""
    var = tf.get_variable("v", initializer=START)
    grad = tf.IndexedSlices(tf.ones([3, 2]), tf.constant([1, 4, 1]), tf.shape(var))
    opt = tf.train.MomentumOptimizer(0.5, 0.9)
    first = opt.apply_gradients([(grad, var)])
    with tf.control_dependencies([first]):
        second = opt.apply_gradients([(grad, var)])
    want, speed = START.copy(), np.zeros_like(START)
    for _ in range(2):
        for row, g in ((1, 2.0), (4, 1.0)):
            speed[row] = speed[row] * np.float32(0.9) + np.float32(g)
            want[row] -= np.float32(0.5) * speed[row]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(second)
        np.testing.assert_allclose(sess.run(var), want, rtol=1e-6)


def test_steps_in_a_loop() -> None:
    var = tf.get_variable("v", initializer=START)
    opt = tf.train.AdagradOptimizer(0.5)
    grad = tf.IndexedSlices(tf.ones([3, 2]), tf.constant([1, 4, 1]), tf.shape(var))
    opt._create_slots([var])

    def body(i: Any) -> Any:
        with tf.control_dependencies([opt.apply_gradients([(grad, var)])]):
            return i + 1

    done = tf.while_loop(lambda i: i < 3, body, [0])
    want, total = START.astype(np.float64), np.full(START.shape, 0.1)
    for _ in range(3):
        for row, g in ((1, 2.0), (4, 1.0)):
            total[row] += g * g
            want[row] -= 0.5 * g / np.sqrt(total[row])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(done)
        np.testing.assert_allclose(sess.run(var), want, rtol=1e-6)


def test_many_threads() -> None:
    """No step of any thread is lost: each adds its gradients to the rows."""
    t = Table(lambda: tf.train.AdagradOptimizer(0.0))  # the table stays, and so the gradient
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def work(row: int) -> None:
            for _ in range(200):
                sess.run(t.step, {t.ids: [row, 5, row]})

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        got = sess.run(t.optimizer.get_slot(t.var, "accumulator"))
        g = 2.0 * (START - 1.0)
        want = np.full(START.shape, 0.1)
        want[:4] += 200 * (2 * g[:4]) ** 2
        want[5] += 800 * g[5] ** 2
        np.testing.assert_allclose(got, want, rtol=1e-4)


def test_adam_makes_no_whole_gradient() -> None:
    """The moments of all rows fade, in one pass: nothing but the variables is as large."""
    t = Table(lambda: tf.train.AdamOptimizer(0.1))
    parts = compile_run(t.step, {t.ids: np.array([2, 0, 2])})
    steps = [s for p in parts for s in p.compilation.plan.steps]
    whole = [s for s in steps for b in s.writes if b.count == START.size]
    assert len({id(s) for s in whole}) == 1
    assert whole[0].commit
    assert len(whole) == 3


IDS = [[], [0], [3, 3], [1, 2, 1, 0, 2, 2], list(range(40)) * 2, [7] * 33]


@pytest.mark.parametrize("ids", IDS, ids=str)
@pytest.mark.parametrize("inner", [(), (1,), (3,), (2, 17)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_equal_rows_are_summed(ids: list[int], inner: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(-3, 4, (len(ids), *inner)).astype(dtype)
    x = tf.placeholder(dtype, [None, *inner])
    at = tf.placeholder(tf.int64, [None])
    made = rows.sum_equal_rows(x, at, 40)
    want = np.zeros((40, *inner), dtype)
    np.add.at(want, np.array(ids, int), values)
    with tf.Session() as sess:
        for _ in range(2):  # the second finds in memory what the first left there
            got = sess.run(made, {x: values, at: np.array(ids, np.int64)})
            np.testing.assert_array_equal(got, want[np.array(ids, int)])


def test_clipped_gradients_stay_sparse() -> None:
    """Norms are of the rows as they are given, as in TensorFlow 1.15."""
    v = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2))
    cubes = tf.nn.embedding_lookup(v, tf.constant([0, 2, 0])) ** 3
    (g,) = tf.gradients(tf.reduce_sum(cubes), [v])
    (clipped,), norm = tf.clip_by_global_norm([g], 1.0)
    made = [clipped, tf.clip_by_norm(g, 1.0), tf.clip_by_value(g, -5.0, 50.0)]
    for opt in (tf.keras.optimizers.SGD(1.0, clipnorm=1.0),
                tf.keras.optimizers.SGD(1.0, clipvalue=50.0)):  # fmt: skip
        made += opt.get_gradients(tf.reduce_sum(cubes), [v])
    assert all(isinstance(x, tf.IndexedSlices) for x in made)
    unit = [[0.0, 0.03365268], [0.53844285, 0.841317], [0.0, 0.03365268]]
    cut = [[0.0, 3.0], [48.0, 50.0], [0.0, 3.0]]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(norm) == pytest.approx(89.14595)
        for x, want in zip(made, [unit, unit, cut, unit, cut], strict=True):
            np.testing.assert_allclose(sess.run(x.values), want, rtol=1e-6)


def test_keras_refuses_constraints_of_sparse_variables() -> None:
    w = tf.Variable(START, constraint=tf.keras.constraints.NonNeg())
    (g,) = tf.gradients(tf.reduce_sum(tf.nn.embedding_lookup(w, [0, 1])), [w])
    with pytest.raises(RuntimeError, match="constraint function on a sparse variable"):
        tf.keras.optimizers.SGD(1.0).apply_gradients([(g, w)])
