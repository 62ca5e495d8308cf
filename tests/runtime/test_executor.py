"""What a run means: variables, order, feeds, parts, random draws, new sizes, threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.counting import counters
from graphc.runtime.llvm import jit

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def started() -> Any:
    sess = tf.Session()
    if tf.global_variables():
        sess.run(tf.global_variables_initializer())
    return sess


def equal(got: Any, want: Any) -> None:
    np.testing.assert_array_equal(got, np.asarray(want))


# ------------------------------------------------------------------------- updates


def test_updates_apply_in_creation_order() -> None:
    v = tf.Variable(0.0)
    first, second = v.assign(1.0), v.assign_add(5.0)
    s = started()
    assert s.run([first, second]) == [6.0, 6.0]  # each is the variable, at the end of the run
    assert s.run(v) == 6.0
    assert s.run([second, first]) == [6.0, 6.0]
    assert s.run([first + 0.0, second + 0.0]) == [1.0, 6.0]
    assert s.run([second + 0.0, first + 0.0]) == [6.0, 1.0]  # the order of fetches says nothing
    assert s.run(v) == 6.0


def test_a_read_after_an_update_sees_it() -> None:
    v = tf.Variable(0.0)
    before = v + 0.0
    up = tf.assign_add(v, 1.0)
    with tf.control_dependencies([up]):
        seen = [v.read_value(), tf.identity(v), v + 10.0]
    s = started()
    assert s.run([*seen, before]) == [1.0, 1.0, 11.0, 0.0]
    assert s.run(seen) == [2.0, 2.0, 12.0]
    assert s.run(up + v) == 6.0  # by data as well


def test_chain_of_updates() -> None:
    v = tf.Variable(1.0)
    a = v.assign(v * 2.0)
    with tf.control_dependencies([a]):
        b = v.assign(v.read_value() * 3.0)
    with tf.control_dependencies([b]):
        c = v.assign_add(1.0)
    s = started()
    assert s.run(c) == 7.0
    assert s.run([a, b, c]) == [43.0, 43.0, 43.0]  # as TensorFlow's
    assert s.run(v.initializer) is None
    assert s.run([a + 0.0, b + 0.0, c + 0.0]) == [2.0, 6.0, 7.0]
    assert s.run(v) == 7.0


@pytest.mark.parametrize("n", [1, 3, 40_000])
def test_swap(n: int) -> None:
    a, b = tf.Variable(np.arange(n) + 0.5), tf.Variable(np.arange(n) + 100.0)
    x, y = a.read_value(), b.read_value()
    with tf.control_dependencies([x, y]):
        swap = tf.group(a.assign(y), b.assign(x))
    s = started()
    p, q = s.run([a, b])
    for _ in range(3):
        s.run(swap)
        equal(s.run(b), p)
        equal(s.run(a), q)
        p, q = q, p


def test_rotation_with_arithmetic() -> None:
    """Each new value reads another old one: none may be written too early."""
    vs = [tf.Variable(np.full(100, float(i))) for i in range(5)]
    reads = [v.read_value() for v in vs]
    with tf.control_dependencies(reads):
        step = tf.group(*[v.assign(reads[(i + 1) % 5] * 2.0) for i, v in enumerate(vs)])
    s = started()
    want = [float(i) for i in range(5)]
    for _ in range(4):
        s.run(step)
        want = [2 * want[(i + 1) % 5] for i in range(5)]
        assert [v[7] for v in s.run(vs)] == want


def test_variable_fetched_with_its_update() -> None:
    v = tf.Variable([1.0, 2.0])
    up = v.assign_add([1.0, 1.0])
    s = started()
    for k in range(3):
        old, new, again = s.run([v, up, v])
        equal(new, [2 + k, 3 + k])
        assert old is again or (old == again).all()


def test_update_that_reads_itself_elsewhere() -> None:
    """The new value needs old elements other than the one it replaces: not in place."""
    v = tf.Variable(np.arange(50_000, dtype=np.float32))
    turn = v.assign(v[::-1] + 0.0)
    add = v.assign(v + tf.reduce_sum(v) * 0.0 + tf.concat([v[1:], v[:1]], 0))
    s = started()
    s.run(turn)
    equal(s.run(v), np.arange(50_000)[::-1])
    old = s.run(v)
    s.run(add)
    equal(s.run(v), old + np.roll(old, -1))


def test_matmul_into_its_own_operand() -> None:
    rng = np.random.default_rng(0)
    w = tf.Variable(rng.integers(-3, 4, (40, 40)).astype(np.float32))
    x = tf.placeholder(tf.float32, [None, 40])
    up = w.assign(tf.matmul(x, w))
    up2 = w.assign_sub(tf.matmul(w, w, transpose_a=True))
    s = started()
    a, old = np.eye(40)[::-1].astype(np.float32), s.run(w)
    s.run(up, {x: a})
    equal(s.run(w), a @ old)
    old = s.run(w)
    s.run(up2)
    equal(s.run(w), old - old.T @ old)


def test_a_failed_run_changes_nothing() -> None:
    z = tf.placeholder(tf.int32, [])
    v, w = tf.Variable(np.zeros(100)), tf.Variable(0)
    draw = tf.random_uniform([3], seed=1)
    up = tf.group(v.assign_add(np.ones(100)), w.assign(12 // z))
    s, other = started(), started()
    s.run([draw, up], {z: 1})
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError) as e:
            s.run([draw, up], {z: 0})
        assert e.value.op.name == "floordiv"
        assert "test_executor.py" in str(e.value)
    equal(s.run(v), np.ones(100))
    assert s.run(w) == 12
    other.run(draw)
    equal(s.run(draw), other.run(draw))


def test_uninitialised_variables_are_named() -> None:
    a, b = tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b")
    up = b.assign_add(1.0)
    s = tf.Session()
    s.run(a.initializer)
    assert s.run(a) == 1.0
    for what in (b, up, a + b):
        with pytest.raises(tf.errors.FailedPreconditionError) as e:
            s.run(what)
        assert "uninitialized value b" in str(e.value)
        assert "test_executor.py" in str(e.value)
        assert e.value.op is not None
    equal(s.run(tf.report_uninitialized_variables()), [b"b"])
    s.run(b.initializer)
    assert s.run(up) == 3.0


def test_variables_that_change_shape() -> None:
    v = tf.Variable([1.0], validate_shape=False)
    z = tf.placeholder(tf.int32, [])
    grow = tf.assign(v, tf.concat([v, [2.0]], 0), validate_shape=False)
    fail = tf.assign(v, tf.cast(tf.stack([4 // z] * 9), tf.float32), validate_shape=False)
    s = started()
    for k in range(1, 4):
        equal(s.run(grow), [1.0] + [2.0] * k)
    with pytest.raises(tf.errors.InvalidArgumentError):
        s.run(fail, {z: 0})
    equal(s.run(v), [1, 2, 2, 2])
    s.run(fail, {z: 2})
    equal(s.run(v), [2.0] * 9)


def test_variable_made_from_a_fed_value() -> None:
    x = tf.placeholder(tf.float32)
    v = tf.Variable(x, validate_shape=False)
    total = tf.reduce_sum(v, -1)
    s = tf.Session()
    for shape in [(2, 3), (4,), (2, 3), (1, 1, 1)]:
        s.run(v.initializer, {x: np.ones(shape)})
        equal(s.run(total), np.ones(shape).sum(-1))


# ------------------------------------------------------------------------- feeds and fetches


def test_fetched_arrays_are_copies() -> None:
    v = tf.Variable(np.arange(40_000.0))
    up = v.assign_add(np.ones(40_000))
    s = started()
    a = s.run(v)
    a[:] = -1
    b, kept = s.run(v), np.arange(40_000.0)
    equal(b, kept)
    c = s.run(up)
    c[:] = 7
    equal(s.run(v), kept + 1)
    equal(b, kept)


def test_held_results_are_not_written_again() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x * 2.0
    s = started()
    a = [np.full(50_000, i, np.float32) for i in range(6)]
    views = [s.run(y, {x: v})[10:20] for v in a]
    memory = [memoryview(s.run(y, {x: v})) for v in a]
    whole = [s.run(y, {x: v}) for v in a]
    for i in range(6):
        assert views[i][0] == memory[i][0] == whole[i][0] == 2 * i


def test_a_result_can_be_fed_to_the_run_that_made_it() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x[::-1] + 1.0
    s = started()
    r = want = np.arange(50_000, dtype=np.float32)
    for _ in range(5):
        r, want = s.run(y, {x: r}), want[::-1] + 1
    equal(r, want)


def test_fetching_what_is_fed() -> None:
    x = tf.placeholder(tf.float32, [None])
    s = started()
    a = np.arange(3, dtype=np.float32)
    for got in s.run([x, x, tf.identity(x)], {x: a}):
        equal(got, a)
        assert not np.shares_memory(got, a)


def test_anything_can_be_fed() -> None:
    x = tf.placeholder(tf.float32, [None])
    m, c, v = x * 2.0, tf.constant(3.0), tf.Variable(1.0)
    y = m + c + v
    s = started()
    equal(s.run(y, {x: [1]}), [6])
    equal(s.run(y, {m: [5]}), [9])
    equal(s.run(y, {x: [1], c: 10.0}), [13])
    equal(s.run(y, {x: [1], v: 7.0}), [12])
    equal(s.run([y, m], {m: [9, 8]})[0], [13, 12])
    up = v.assign_sub(v * 2.0)
    s.run(up, {up.op.inputs[1]: 0.25})
    assert s.run(v) == 0.75


def test_a_view_of_a_fetched_variable_as_feed() -> None:
    v = tf.Variable(np.arange(40_000, dtype=np.float32))
    x = tf.placeholder(tf.float32, [None])
    up = v.assign(x * 1.0)
    s = started()
    a = s.run(v)
    equal(s.run(up, {x: a[::-1]}), np.arange(40_000)[::-1])
    equal(s.run(v), np.arange(40_000)[::-1])
    equal(a, np.arange(40_000))


def test_bfloat16() -> None:
    x, one = tf.placeholder(tf.bfloat16, [None]), tf.placeholder(tf.bfloat16, [])
    v = tf.Variable(tf.constant([1.5, 2.5], tf.bfloat16))
    s = started()
    for _ in range(2):
        equal(s.run(x + x, {x: [1, 2, 3.296875]}), [2, 4, 6.59375])
        equal(s.run(v + v), [3, 5])
        assert s.run(one * 2, {one: 3.0}) == 6.0


def test_strings_are_bytes() -> None:
    x = tf.placeholder(tf.string, [None])
    s = started()
    equal(s.run(x, {x: ["a", b"bc"]}), np.array([b"a", b"bc"], object))
    assert s.run(tf.constant("abc")) == b"abc"
    assert s.run([tf.identity(x), tf.constant(2.0)], {x: ["é"]})[0][0] == "é".encode()


# ------------------------------------------------------------------------- random draws


def test_counters_belong_to_the_session() -> None:
    tf.set_random_seed(5)
    a, b = tf.random_uniform([3]), tf.random_normal([2])
    one, two, three = tf.Session(), tf.Session(), tf.Session()
    alone = [one.run(a) for _ in range(3)]
    together = [two.run([a, b])[0] for _ in range(3)]
    mixed = []
    for _ in range(3):
        mixed.append(three.run(a))
        three.run(b)
    equal(alone, together)
    equal(alone, mixed)
    assert len({float(v[0]) for v in alone}) == 3


def test_draws_in_runs_of_several_parts() -> None:
    r = tf.random_uniform([40], seed=1)
    kept = tf.boolean_mask(r, r > 0.3)
    distinct = tf.unique(tf.floor(r * 1000.0))[0]
    s = started()
    seen = set()
    for _ in range(3):
        k, all_ = s.run([kept, r])
        equal(k, all_[all_ > 0.3])
        seen.add(float(all_[0]))
    for _ in range(3):
        seen.add(float(s.run(distinct)[0]))
    assert len(seen) == 6


# ------------------------------------------------------------------------- parts


def test_an_update_before_a_cut_is_committed_once() -> None:
    v, count = tf.Variable(np.zeros(4)), tf.Variable(0)
    up = v.assign_add([1.0, 0.0, 1.0, 0.0])
    where = tf.where(up > 0.0)
    x = tf.placeholder(tf.float32, [None])
    c = count.assign_add(1)
    with tf.control_dependencies([c]):
        big = tf.where(x > 1.0)
    with tf.control_dependencies([big]):
        after = count.read_value()
    s = started()
    equal(s.run(where), [[0], [2]])
    equal(s.run(v), [1, 0, 1, 0])
    equal(s.run([where, v])[0], [[0], [2]])
    equal(s.run(v), [2, 0, 2, 0])
    for k in range(1, 4):
        assert s.run([big, after], {x: [3.0] * k})[1] == k
    assert s.run(count) == 3
    s.run(big.op, {x: [1.0]})
    assert s.run(count) == 4


def test_updates_from_values_of_a_later_part() -> None:
    v = tf.Variable([1.0, 2.0, 3.0])
    x = tf.placeholder(tf.float32, [None])
    up = v.assign_add(tf.ones([3]) * tf.reduce_sum(tf.boolean_mask(x, x > 0.0)))
    s = started()
    equal(s.run(up, {x: [1, -1, 2]}), [4, 5, 6])
    equal(s.run(up, {x: [-1]}), [4, 5, 6])
    equal(s.run(v), [4, 5, 6])


def test_training_through_parts() -> None:
    x, n = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [])
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    h = tf.matmul(x, w)
    picked = tf.gather_nd(h, tf.where(h[:, 0] > 0.0))
    loss = (
        tf.reduce_sum(h[n:]) + tf.reduce_sum(picked * picked)
        + 2.0 * tf.reduce_sum(tf.reshape(h[:n], [n * 2])) + tf.reduce_mean(tf.tile(h, [n, 1]))
    )  # fmt: skip
    grads = tf.gradients(loss, [w, x])
    step = tf.train.GradientDescentOptimizer(0.25).minimize(loss)
    s = started()
    a = np.array([[1, 2], [-3, 1], [2, -1], [0.5, 0.5]], np.float32)
    for k in (2, 1, 3):
        m = s.run(w)
        y = a @ m
        dy = np.ones_like(y) + (np.arange(4) < k)[:, None] + 2 * y * (y[:, :1] > 0) + 1 / 8
        got = s.run(grads, {x: a, n: k})
        np.testing.assert_allclose(got[0], a.T @ dy, rtol=1e-5)
        np.testing.assert_allclose(got[1], dy @ m.T, rtol=1e-5)
        s.run(step, {x: a, n: k})
        np.testing.assert_allclose(s.run(w), m - 0.25 * (a.T @ dy), rtol=1e-5)


def test_many_cuts_need_no_stack() -> None:
    x = tf.placeholder(tf.int32, [None])
    y = x
    for _ in range(60):
        y = tf.unique(y)[0]
    s = started()
    equal(s.run(y, {x: [3, 3, 1]}), [3, 1])


@pytest.mark.parametrize("declared", [None, [None], [2]])
def test_shapes_from_fed_values(declared: Any) -> None:
    x, shape = tf.placeholder(tf.float32), tf.placeholder(tf.int32, declared)
    y = tf.reshape(x * 2.0, shape)
    z = tf.reshape(x, tf.concat([shape, [1]], 0))
    s = started()
    a = np.arange(12.0)
    for want in [(2, 6), (3, 4), (12, 1)] + [(2, 2, 3)] * (declared != [2]):
        got = s.run([y, z], {x: a, shape: want})
        assert got[0].shape == want
        assert got[1].shape == (*want, 1)
        equal(got[0].ravel(), a * 2)


def test_sizes_from_fed_numbers() -> None:
    n, m = tf.placeholder(tf.int32, []), tf.placeholder(tf.int64, [])
    x = tf.placeholder(tf.float32, [None])
    outs = [
        tf.range(n) * 2, tf.fill([n], 2.0), tf.zeros([n, 2]), x[n:], x[:n], x[n], tf.tile(x, [n]),
        tf.one_hot([0, 1], n), tf.random_uniform([n], seed=1), tf.range(m),
        tf.linspace(0.0, 1.0, n), tf.cast(n, tf.float32) * 0.5, tf.expand_dims(x, n * 0),
    ]  # fmt: skip
    s = started()
    a = np.arange(9.0)
    for k in (3, 1, 2, 8, 5):
        got = s.run(outs, {n: k, m: k, x: a})
        equal(got[0], np.arange(k) * 2)
        equal(got[1], np.full(k, 2.0))
        assert got[2].shape == (k, 2)
        equal(got[3], a[k:])
        equal(got[4], a[:k])
        assert got[5] == a[k]
        equal(got[6], np.tile(a, k))
        assert got[7].shape == (2, k)
        assert got[8].shape == (k,)
        equal(got[9], np.arange(k))
        assert got[11] == k / 2


def test_a_new_number_that_is_no_size_costs_nothing() -> None:
    n = tf.placeholder(tf.int32, [])
    y = (n + 1) * 2
    s = started()
    s.run(y, {n: 3})
    before = (counters.plans, counters.bindings)
    assert [s.run(y, {n: k}) for k in range(20)] == [2 * k + 2 for k in range(20)]
    assert (counters.plans, counters.bindings) == before


# ------------------------------------------------------------------------- sizes


def compiled() -> tuple[int, Any]:
    return counters.plans, jit.stats()


def test_a_new_batch_size_compiles_nothing() -> None:
    x = tf.placeholder(tf.float32, [None, 8])
    w = tf.Variable(tf.ones([8, 4]))
    loss = tf.reduce_mean(tf.square(tf.nn.softmax(tf.matmul(x, w))))
    step = tf.train.AdamOptimizer().minimize(loss)
    s = started()
    s.run([step, loss], {x: np.ones((2, 8))})
    before = compiled()
    for n in (3, 5, 33, 100, 7, 1000):
        assert s.run([step, loss], {x: np.ones((n, 8))})[1] == 0.0625
    assert compiled() == before
    assert s.run(loss, {x: np.ones((1, 8))}) == 0.0625
    assert np.isnan(s.run(loss, {x: np.ones((0, 8))}))


def test_placeholder_without_a_shape() -> None:
    x = tf.placeholder(tf.float32)
    y = tf.reduce_sum(x * 2.0, -1) + 1.0
    s = started()
    for shape in [(2,), (2, 3), (1, 2, 3), (0, 2), (2, 0), (2, 3), (4,)]:
        equal(s.run(y, {x: np.ones(shape)}), np.ones(shape).sum(-1) * 2 + 1)


def test_equal_sizes_may_differ_later() -> None:
    x, y = (tf.placeholder(tf.float32, [None]) for _ in range(2))
    z = x + y
    s = started()
    for a, b in [(2, 2), (3, 1), (1, 3), (4, 4), (0, 1), (1, 0), (1, 1), (5, 5), (2, 1)]:
        equal(s.run(z, {x: np.ones(a), y: np.ones(b)}), np.ones(a) + np.ones(b))
    with pytest.raises(tf.errors.InvalidArgumentError) as e:
        s.run(z, {x: np.ones(2), y: np.ones(3)})
    assert "Incompatible shapes: [2] vs. [3]" in str(e.value)
    equal(s.run(z, {x: np.ones(3), y: np.ones(3)}), [2, 2, 2])


def test_guards_on_derived_sizes() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x[::2]
    z = tf.concat([y, y], 0)[: tf.shape(x)[0]] + x  # fits for even sizes, and for size 1
    s = started()
    for n in (4, 2, 8, 6, 4):
        a = np.arange(n, dtype=np.float32)
        equal(s.run(z, {x: a}), np.concatenate([a[::2]] * 2)[:n] + a)
    quotient = 10 // (tf.shape(x)[0] - 5)
    assert s.run(quotient, {x: np.ones(7)}) == 5
    with pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
        s.run(quotient, {x: np.ones(5)})
    assert s.run(quotient, {x: np.ones(7)}) == 5


def test_levels_agree() -> None:
    rng = np.random.default_rng(0)
    x = tf.placeholder(tf.float32, [None, 6])
    w = tf.constant(rng.standard_normal((6, 5)).astype(np.float32))
    h = tf.nn.relu(tf.matmul(x, w) + 0.5)
    outs = [h, tf.nn.softmax(h), tf.reduce_max(h, 0), tf.transpose(h)[1:, ::-1], h * 2.0 - h * 2.0]
    a = rng.standard_normal((37, 6))
    got = []
    for level in (0, 1, 2):
        with tf.Session(config=tf.ConfigProto(graphc_level=level)) as s:
            got.append(s.run(outs, {x: a}))
    for k in (1, 2):
        for p, q in zip(got[0], got[k], strict=True):
            np.testing.assert_allclose(p, q, 2e-6, 2e-6)


# ------------------------------------------------------------------------- threads


def test_threads_share_a_session() -> None:
    v = tf.Variable(0.0)
    up = v.assign_add(1.0)
    x = tf.placeholder(tf.float32, [None])
    total = tf.reduce_sum(x) * 2.0
    s = started()
    wrong: list[Any] = []

    def work(k: int) -> None:
        try:
            for i in range(200):
                s.run(up)
                n = (k * 7 + i) % 50 + 1
                got = s.run(total, {x: np.ones(n)})
                if got != 2 * n:
                    wrong.append((n, got))
        except Exception as e:
            wrong.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert s.run(v) == 1600


def test_sessions_in_threads_compile_at_once() -> None:
    wrong: list[Any] = []

    def work(k: int) -> None:
        try:
            with tf.Graph().as_default(), tf.Session() as s:
                x = tf.placeholder(tf.float32, [None])
                y = tf.tanh(x * float(k + 1)) + float(k)
                np.testing.assert_allclose(
                    s.run(y, {x: np.ones(5)}), np.tanh(np.ones(5) * (k + 1)) + k, 1e-6
                )
        except BaseException as e:
            wrong.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


_FORKS = """
import os, sys, time
import numpy as np
import graphc as tf

x = tf.placeholder(tf.float32, [None])
y = tf.tanh(x) * 2 + 1
sess = tf.Session()  # a thread begins to make the runtime
time.sleep(float(sys.argv[1]))
child = os.fork()
right = sess.run(y, {x: np.zeros(4)})[0] == 1
if child == 0:
    os._exit(0 if right else 3)
assert right and os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("after", ["0", "0.05"])
def test_a_fork_while_the_runtime_is_made(after, tmp_path):
    env = {**os.environ, "GRAPHC_CACHE_DIR": str(tmp_path)}
    # from Python 3.12 on a fork beside threads is warned of: here it is meant
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORKS, after]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
