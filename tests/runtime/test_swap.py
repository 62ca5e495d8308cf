"""Runs that may fail make large variables beside the old ones: nothing torn, nothing lost."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import bounds, swap
from graphc.runtime.counting import counters

ROWS, COLUMNS = 256, 128  # 128 kB


@pytest.fixture(autouse=True, params=["beside", "in place where that is certain"])
def certain(request: Any, monkeypatch: Any) -> bool:
    """Whether updates that cannot fail are written in place; else all are made beside."""
    if request.param == "beside":
        monkeypatch.setattr(bounds.Bounds, "holds", lambda self, s: False)
    return bool(request.param != "beside")


def large(name: str, value: float = 1.0, shape: tuple[int, ...] = (ROWS, COLUMNS)) -> Any:
    first = value + np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 7e4
    return tf.Variable(first, name=name)


def values(sess: Any) -> dict[str, Any]:
    every = tf.global_variables()
    return {v.name: a.copy() for v, a in zip(every, sess.run(every), strict=True)}


def same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def moved(sess: Any) -> set[str]:
    """The variables that have a second array."""
    cells = sess._executor.state.cells
    return {n for n, c in cells.items() if c.arrays[0] is not c.arrays[1]}


def network(optimizer: Any) -> tuple[Any, Any, Any]:
    """A loss that is no number for x < 0, and steps of training with a small variable too."""
    x = tf.placeholder(tf.float32, [None, ROWS], name="x")
    w, b = large("w", 0.1), tf.Variable(np.zeros(COLUMNS, np.float32), name="b")
    h = tf.matmul(x, w) + b
    loss = tf.reduce_mean(tf.square(h)) + tf.reduce_mean(tf.log(x + 1.0))
    step = tf.train.get_or_create_global_step()
    return x, loss, optimizer.minimize(loss, step)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.01),
    "momentum": lambda: tf.train.MomentumOptimizer(0.01, 0.9),
    "adam": lambda: tf.train.AdamOptimizer(0.01),
    "rmsprop": lambda: tf.train.RMSPropOptimizer(0.01),
}


def batch(k: int) -> Any:
    return np.random.default_rng(k).uniform(0, 1, (8, ROWS)).astype(np.float32)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_with_and_without_checks_is_the_same(name: str, certain: bool) -> None:
    after = []
    for check in (False, True):
        with tf.Graph().as_default(), tf.Session(check_numerics=check) as sess:
            x, loss, train = network(OPTIMIZERS[name]())
            sess.run(tf.global_variables_initializer())
            assert not moved(sess), "what had no value has none to lose"
            for k in range(3):
                sess.run([train, loss], {x: batch(k)})
            bound = counters.bindings
            for k in range(3, 9):
                sess.run([train, loss], {x: batch(k)})
            assert counters.bindings == bound, "both sides of a step are one binding"
            slots = [v.op.name for v in tf.global_variables() if v.shape == (ROWS, COLUMNS)]
            assert moved(sess) == (set(slots) if check and not certain else set())
            after.append(values(sess))
    for key in after[0]:
        np.testing.assert_allclose(after[0][key], after[1][key], 1e-6, err_msg=key)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_failed_run_leaves_every_bit_and_training_goes_on(name: str) -> None:
    after = []
    for failures in (False, True):
        with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
            x, loss, train = network(OPTIMIZERS[name]())
            sess.run(tf.global_variables_initializer())
            for k in range(6):
                if failures:
                    before = values(sess)
                    for bad in (-1.0, -2.0, 1e30):  # in the loss; the same; in a gradient
                        with pytest.raises(tf.errors.InvalidArgumentError, match=r"NaN|Inf"):
                            sess.run([train, loss], {x: batch(k) * 0 + bad})
                        same(before, values(sess))
                sess.run([train, loss], {x: batch(k)})
            after.append(values(sess))
    same(*after)


@pytest.mark.parametrize("position", range(4))
def test_an_update_that_overflows_takes_none_of_the_others_along(position: int) -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [4])
        variables = [large(f"v{i}") for i in range(3)]
        variables.append(tf.Variable(np.ones(9, np.float32)))
        add = tf.group(*[tf.assign(v, v * x[i]) for i, v in enumerate(variables)])
        sess.run(tf.global_variables_initializer())
        good = np.full(4, 1.5, np.float32)
        for _ in range(3):
            sess.run(add, {x: good})
        before = values(sess)
        bad = good.copy()
        bad[position] = 3e38
        with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
            sess.run(add, {x: bad})
        same(before, values(sess))
        sess.run(add, {x: good})
        for v, a in values(sess).items():
            np.testing.assert_array_equal(a, before[v] * np.float32(1.5))


def test_others_that_use_the_variables_in_between(tmp_path: Any) -> None:
    """Readers, other steps on the same and on other variables, load, restore, callables."""
    after = []
    for check in (False, True):
        with tf.Graph().as_default(), tf.Session(check_numerics=check) as sess:
            x = tf.placeholder(tf.float32, [])
            a, b = large("a"), large("b", 2.0)
            step_a, step_b = tf.assign_add(a, b * x), tf.assign_sub(b, a * 0.5)
            both = tf.group(tf.assign(a, a * 0.25 + x), tf.assign(b, b * x))
            row, total = a[3], tf.reduce_sum(a) - tf.reduce_sum(b)
            sess.run(tf.global_variables_initializer())
            read = sess.make_callable([row, total])
            train = sess.make_callable(both, [x])
            saver, seen = tf.train.Saver(), []
            path = saver.save(sess, str(tmp_path / f"model{check}"))
            for k in range(10):
                value = np.float32(k % 3)
                sess.run(step_a.op, {x: value})
                seen.append(read())
                train(value)
                seen.append(sess.run(step_b)[5])
                if k == 4:
                    a.load(np.full((ROWS, COLUMNS), 7, np.float32), sess)
                if k == 6:
                    saver.restore(sess, path)
                if k == 8:
                    sess.run([both, row], {x: 0.5}, tf.RunOptions(trace_level=3), tf.RunMetadata())
                seen.append(read())
            after.append((values(sess), seen))
    same(after[0][0], after[1][0])
    for s, t in zip(after[0][1], after[1][1], strict=True):
        np.testing.assert_array_equal(s[0], t[0])


def test_new_values_that_are_those_of_others() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        a, b, c, d = (large(n, float(i)) for i, n in enumerate("abcd"))
        old = [tf.identity(v) for v in (a, b, c)]
        swapped = [tf.assign(a, old[1]), tf.assign(b, old[0])]  # exchanged, nothing computed
        with tf.control_dependencies(swapped):
            new = old[2] * 2.0
            one = [tf.assign(c, new), tf.assign(d, new)]  # one value, two variables
        sess.run(tf.global_variables_initializer())
        was = values(sess)
        got = sess.run([*one, new])
        now = values(sess)
        np.testing.assert_array_equal(now["a:0"], was["b:0"])
        np.testing.assert_array_equal(now["b:0"], was["a:0"])
        for name in ("c:0", "d:0"):
            np.testing.assert_array_equal(now[name], was["c:0"] * 2)
        for a in got:
            np.testing.assert_array_equal(a, was["c:0"] * 2)


def test_twice_in_a_run_in_a_loop_and_in_a_cond() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        a, b, c = large("a"), large("b"), large("c")
        n = tf.placeholder(tf.int32, [])
        with tf.control_dependencies([tf.assign_add(a, a)]):
            twice = tf.assign_sub(a, tf.ones([ROWS, COLUMNS]))

        def body(i: Any) -> Any:
            with tf.control_dependencies([tf.assign(b, b * 2.0)]):
                return i + 1

        loop = tf.while_loop(lambda i: i < n, body, [0])
        branch = tf.cond(n > 2, lambda: tf.assign_add(c, c), lambda: tf.identity(c))
        rows = tf.scatter_add(b, [1, 5], tf.ones([2, COLUMNS]))
        sess.run(tf.global_variables_initializer())
        was = values(sess)
        for k in (1, 3, 2):
            sess.run([twice, loop, branch], {n: k})
            was["a:0"] = was["a:0"] * 2 - 1
            was["b:0"] = was["b:0"] * np.float32(2**k)
            was["c:0"] = was["c:0"] * np.float32(2 if k > 2 else 1)
            same(was, values(sess))
            sess.run(rows)
            was["b:0"][[1, 5]] += 1
            same(was, values(sess))
        with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
            sess.run([twice, loop, branch], {n: 200})
        same(was, values(sess))


def test_a_shape_that_changes_beside_one_that_does_not() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [None, COLUMNS])
        a, b = large("a"), tf.Variable(np.ones((ROWS, COLUMNS), np.float32), validate_shape=False)
        step = tf.group(tf.assign(a, a * 2.0), tf.assign(b, x + 1.0, validate_shape=False))
        sess.run(tf.global_variables_initializer())
        was = sess.run(a)
        for k, rows in enumerate((ROWS, 2 * ROWS, 2 * ROWS, ROWS, 300)):
            sess.run(step, {x: np.full((rows, COLUMNS), k, np.float32)})
            was = was * 2
            np.testing.assert_array_equal(sess.run(a), was)
            np.testing.assert_array_equal(sess.run(b), np.full((rows, COLUMNS), k + 1))


def test_threads_that_share_a_session() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [])
        a = tf.Variable(np.zeros((ROWS, COLUMNS), np.float32))
        b = tf.Variable(np.zeros((ROWS, COLUMNS), np.float32))
        one = tf.group(tf.assign_add(a, a * 0.0 + tf.log(x)), tf.assign_sub(b, b * 0.0 + tf.log(x)))
        other, total = tf.assign_add(b, b * 0.0 + 1.0).op, tf.reduce_max(tf.abs(a + b))
        sess.run(tf.global_variables_initializer())
        errors: list[Any] = []
        seen: list[float] = []

        def work(me: int) -> None:
            try:
                for k in range(40):
                    if me == 0:
                        sess.run(one, {x: np.e})
                    elif me == 1:
                        sess.run(other)
                    elif me == 2:
                        seen.append(float(sess.run(total)))
                    elif k % 4 == 0:
                        with pytest.raises(tf.errors.InvalidArgumentError):
                            sess.run(one, {x: 0.0})
            except BaseException as e:
                errors.append(e)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors
        np.testing.assert_allclose(sess.run(a), np.full((ROWS, COLUMNS), 40), 1e-5)
        np.testing.assert_allclose(sess.run(b), np.zeros((ROWS, COLUMNS)), atol=1e-3)
        assert all(abs(s - round(s)) < 1e-3 for s in seen), "never half of a step"


def test_ctrl_c_behind_the_native_run(monkeypatch: Any, certain: bool) -> None:
    """All of the step is done, though Python has not noted where variables are."""
    if certain:
        pytest.skip("nothing moves")
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        a, b = large("a"), tf.Variable(np.ones(9, np.float32), name="b")
        step = tf.group(tf.assign(a, a * 2.0), tf.assign(b, b * 2.0))
        total = tf.reduce_sum(a)
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        sess.run(total)
        was = values(sess)

        def interrupted(self: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as m:
            m.setattr(swap.Pointers, "turn", interrupted)
            with pytest.raises(KeyboardInterrupt):
                sess.run(step)
        for factor in (2, 4):
            np.testing.assert_allclose(sess.run(total), (was["a:0"] * factor).sum(), 1e-5)
            same({n: x * np.float32(factor) for n, x in was.items()}, values(sess))
            sess.run(step)


def test_memory_comes_back_with_the_session(certain: bool) -> None:
    with tf.Graph().as_default():
        x, loss, train = network(OPTIMIZERS["adam"]())
        sess = tf.Session(check_numerics=True)
        sess.run(tf.global_variables_initializer())
        for k in range(3):
            sess.run([train, loss], {x: batch(k)})
        cells = sess._executor.state.cells.values()
        arrays = [weakref.ref(a) for c in cells for a in c.arrays if c.shape == (ROWS, COLUMNS)]
        assert len({id(a()) for a in arrays}) == (3 if certain else 6)
        del cells
        sess.close()
        gc.collect()
        assert not any(a() is not None for a in arrays)


def test_small_variables_are_copied() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        a = tf.Variable(np.ones((8, 8), np.float32))
        step = tf.assign(a, a * 2.0)
        sess.run(tf.global_variables_initializer())
        for k in range(3):
            assert sess.run(step)[0, 0] == 2 ** (k + 1)
        assert not moved(sess)
