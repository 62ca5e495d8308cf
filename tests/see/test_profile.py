"""Times, bytes and flops of the steps of a run."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from patience import interrupted

import graphc as tf
from graphc.runtime.llvm.tracing import Log
from graphc.see.profile import profile_run, trace_run

X = np.ones((64, 100), np.float32)


def _x():
    return tf.placeholder(tf.float32, [64, 100], name="x")


def _profile(fetches, feed=None, config=None, **options):
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        return profile_run(sess, fetches, feed, runs=2, **options)


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


#: What is computed of x (64 by 100), with flops and bytes counted by hand.
COUNTED = {
    "product": (lambda x: tf.matmul(x, tf.ones([100, 32])), 2 * 64 * 100 * 32,
                4 * (64 * 100 + 100 * 32 + 64 * 32)),
    "dense": (lambda x: tf.nn.relu(tf.matmul(x, tf.ones([100, 32]))),
              2 * 64 * 100 * 32 + 64 * 32, 4 * (64 * 100 + 100 * 32 + 64 * 32)),
    "softmax": (tf.nn.softmax, 5 * 6400, 2 * 4 * 6400),
    "columns": (lambda x: tf.reduce_sum(x, 0), 6400, 4 * 6500),
    "all": (tf.reduce_sum, 6400, 4 * 6401),
    "pointwise": (lambda x: tf.tanh(x) * x + 1.0, 3 * 6400, 2 * 4 * 6400),
    "rows of a table": (lambda x: tf.gather(x, [1, 2, 3]), 0, 2 * 4 * 300 + 12),
    "cumsum": (lambda x: tf.cumsum(x, 1), 6400, 2 * 4 * 6400),
    "convolution": (
        lambda x: tf.nn.conv2d(tf.reshape(x, [4, 16, 20, 5]), tf.ones([3, 3, 5, 8]),
                               [1, 1, 1, 1], "VALID"),
        2 * 4 * 14 * 18 * 8 * 45, 4 * (6400 + 360 + 4 * 14 * 18 * 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_flops_and_bytes_are_those_counted_by_hand(name):
    make, flops, moved = COUNTED[name]
    x = _x()
    steps = [s for s in _profile(make(x), {x: X}) if s.flops or s.bytes > 0]
    assert (sum(s.flops for s in steps), sum(s.bytes for s in steps)) == (flops, moved)
    assert all(s.nanoseconds > 0 and s.calls == 1 for s in steps)


def test_steps_are_those_of_the_plan_with_the_users_lines():
    x = _x()
    w = tf.get_variable("w", [100, 10])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w)))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    steps = _profile([train, loss], {x: X})
    plan = [s for s in steps if s.step >= 0]
    assert [s.step for s in plan] == sorted(s.step for s in plan)
    assert all(s.spec.code.name == s.kernel for s in plan)
    lines = {line.rpartition(":")[0] for s in plan for line in s.lines}
    assert lines == {__file__}
    product = next(s for s in plan if "matmul" in s.kernel)
    assert any(n.op.name == "matmul" for n in product.nodes)


def test_nothing_of_the_session_changes():
    x = _x()
    w = tf.get_variable("w", [100, 10])
    noise = tf.random_normal([3], seed=1)
    train = tf.train.AdamOptimizer().minimize(tf.reduce_sum(tf.matmul(x, w)))
    with tf.Session() as sess, tf.Session() as twin:
        for s in (sess, twin):
            s.run(tf.global_variables_initializer(), {})
        before = sess.run(tf.global_variables())
        profile_run(sess, [train, noise], {x: X})
        for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(sess.run(noise), twin.run(noise))
        profile_run(sess, train, {x: X}, runs=1, warmup=0, restore=False)
        assert not np.array_equal(before[0], sess.run(w))


def test_steps_of_loops_are_counted_each_time():
    v = tf.while_loop(
        lambda i, v: i < 10, lambda i, v: (i + 1, tf.tanh(tf.matmul(v, v))), [0, tf.ones([32, 32])]
    )[1]
    (body,) = [s for s in _profile(v) if "matmul" in s.kernel]
    assert body.calls == 10
    assert body.flops == 10 * (2 * 32**3 + 32**2)


def test_ops_of_the_host_are_steps_too():
    x = _x()
    slow = tf.py_func(lambda a: time.sleep(0.02) or a * 2, [x * 3], tf.float32)
    steps = _profile(tf.reduce_sum(slow), {x: X})
    (host,) = [s for s in steps if s.step < 0]
    assert (host.kernel, host.calls) == ("py_func", 1)
    assert host.nanoseconds > 15e6
    assert {s.part for s in steps if s.step >= 0} == {0, 1}


def test_loops_that_the_host_drives():
    v = tf.while_loop(
        lambda i, v: i < 7, lambda i, v: (i + 1, tf.py_func(lambda a: a + 1, [v], tf.float32)),
        [0, tf.ones([4])], shape_invariants=[tf.TensorShape([]), tf.TensorShape(None)],
    )[1]  # fmt: skip
    steps = _profile(v)
    assert [s.calls for s in steps if s.kernel == "py_func"] == [7]
    assert 8 in [s.calls for s in steps if "less" in s.kernel]


def test_each_thread_that_took_part_is_written_down():
    a = tf.placeholder(tf.float32, [700, 700])
    y = tf.matmul(a, a)
    with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=2)) as sess:
        feed = {a: np.ones((700, 700), np.float32)}
        for _ in range(20):  # the pool may be somebody else's for a moment
            tracer = trace_run(sess, y, feed)
            (native,) = tracer.natives.values()
            events = native.log.events
            if set(events[:, 1]) == {0, 1}:
                break
        assert set(events[:, 1]) == {0, 1}
        assert (events[:, 2] <= events[:, 3]).all()
        (run,) = [s for s in tracer.spans if s.kind == "native"]
        assert run.begin <= events[:, 2].min()
        assert events[:, 3].max() <= run.end
        for row in range(len(native.bound.steps)):  # all units, each once
            units = native.bound.program.units[row]
            assert events[events[:, 0] == row][:, 4].sum() == units


def test_what_is_traced_sums_up_to_the_run():
    x = _x()
    y = tf.nn.softmax(tf.matmul(x, tf.ones([100, 2000])))
    with tf.Session() as sess:
        sess.run(y, {x: X})
        tracer = trace_run(sess, y, {x: X})
        (native,) = tracer.natives.values()
        (span,) = [s for s in tracer.spans if s.kind == "native"]
        assert 0 < native.log.totals[:, 1].sum() <= span.end - span.begin


def test_without_a_trace_runs_take_the_quick_path():
    x = _x()
    y = tf.exp(x)
    with tf.Session() as sess:
        sess.run(y, {x: X})
        state = sess._executor.state
        assert state.quick == state.epoch
        trace_run(sess, y, {x: X})
        assert state.quick == state.epoch
        (run,) = sess._executor.prepared.values()
        calls = []
        run.slow = calls.append  # a plain run must not come here
        sess.run(y, {x: X})
        assert not calls


def test_other_threads_run_untraced():
    x = _x()
    y = tf.exp(x)
    with tf.Session() as sess:
        sess.run(y, {x: X})
        from graphc.runtime import trace

        with trace.tracing(sess._executor.state) as tracer:
            other = threading.Thread(target=sess.run, args=(y, {x: X}))
            other.start()
            other.join()
        assert not tracer.natives


def test_errors_of_traced_runs_are_those_of_runs():
    x = _x()
    i = tf.placeholder(tf.int32, [1])
    y = tf.gather(x, i)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError, match="not in") as plain:
            sess.run(y, {x: X, i: [99]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="not in") as traced:
            trace_run(sess, y, {x: X, i: [99]})
        assert str(plain.value) == str(traced.value)
        np.testing.assert_array_equal(sess.run(y, {x: X, i: [9]}), X[9:10])


def test_values_of_traced_runs_are_those_of_runs():
    x = _x()
    y = tf.reduce_sum(
        tf.nn.softmax(tf.matmul(x, tf.ones([100, 50])) + tf.random_normal([50], seed=3))
    )
    with tf.Session() as a, tf.Session() as b:
        from graphc.runtime import trace

        with trace.tracing(a._executor.state):
            traced = [a.run(y, {x: X}) for _ in range(3)]
        assert traced == [b.run(y, {x: X}) for _ in range(3)]


def test_a_full_log_keeps_the_totals():
    v = tf.while_loop(lambda i, v: i < 50, lambda i, v: (i + 1, tf.matmul(v, v)), [0, tf.eye(9)])
    with tf.Session() as sess:
        sess.run(v)
        from graphc.runtime import trace

        with trace.tracing(sess._executor.state) as tracer:
            made = trace.Tracer.native
            tracer.native = lambda c, b: tracer.natives.setdefault(  # type: ignore[method-assign]
                b, trace.Native(c, b, Log(len(b.steps), 8))
            )
            sess.run(v)
        assert made is trace.Tracer.native
        (native,) = tracer.natives.values()
        assert len(native.log.events) == 8
        assert native.log.lost > 50
        assert native.log.totals[:, 0].max() >= 50


@pytest.mark.parametrize(
    ("options", "error"), [({"runs": 0}, ValueError), ({"warmup": -1}, ValueError)]
)
def test_wrong_numbers_of_runs_are_refused(options, error):
    with tf.Session() as sess, pytest.raises(error, match="runs must be positive"):
        profile_run(sess, tf.constant(1.0), **options)


def test_a_closed_session_or_none_is_refused():
    sess = tf.Session()
    sess.close()
    c = tf.constant(1.0)
    with pytest.raises(RuntimeError, match="closed"):
        profile_run(sess, c)
    with pytest.raises(TypeError, match=r"tf\.Session"):
        profile_run(None, c)


def test_a_traced_run_can_be_interrupted():
    v = tf.get_variable("v", [], initializer=tf.zeros_initializer())
    forever = tf.while_loop(
        lambda i, m: i < 10**9, lambda i, m: (i + 1, tf.matmul(m, m)), [0, tf.eye(40)]
    )
    change = tf.assign(v, tf.reduce_sum(forever[1]))

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with interrupted(pause=0.3):
            trace_run(sess, change)
        assert sess.run(v) == 0.0


def test_traced_runs_take_python_numbers_and_other_types():
    x = tf.placeholder(tf.float32, [])
    with tf.Session() as sess:
        for value in (1.5, np.float64(2.5), np.array(3.5), 4):
            from graphc.runtime import trace

            with trace.tracing(sess._executor.state) as tracer:
                assert sess.run(x * 2.0, {x: value}) == 2 * float(value)
            assert [n.runs for n in tracer.natives.values()] >= [1]
