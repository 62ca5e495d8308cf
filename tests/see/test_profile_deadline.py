"""Runs that must end in time."""

from __future__ import annotations

import time

import pytest

import graphc as tf

SOON = tf.RunOptions(timeout_in_ms=100)
LATE = tf.RunOptions(timeout_in_ms=300_000)


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


def _forever():
    m = tf.while_loop(
        lambda i, m: i < 10**9, lambda i, m: (i + 1, tf.matmul(m, m)), [0, tf.eye(40)]
    )[1]
    return tf.reduce_sum(m)


def _waiting():
    return tf.FIFOQueue(3, [tf.float32]).dequeue()


def _full():
    queue = tf.FIFOQueue(1, [tf.float32])
    first = queue.enqueue(1.0)
    with tf.control_dependencies([first]):
        return queue.enqueue(2.0)


def _python():
    slow = tf.py_func(lambda: time.sleep(0.2) or 1.0, [], tf.float64)
    return tf.py_func(lambda a: a, [slow], tf.float64)


@pytest.mark.parametrize("make", [_forever, _waiting, _full, _python], ids=lambda f: f.__name__)
@pytest.mark.parametrize("whole", ["a run", "a session", "a traced run"])
def test_what_takes_too_long_ends(make, whole):
    fetch = make()
    config = tf.ConfigProto(operation_timeout_in_ms=100 if whole == "a session" else 0)
    v = tf.get_variable("v", [], initializer=tf.zeros_initializer())
    with tf.Session(config=config) as sess:
        sess.run(v.initializer, options=LATE)
        change = tf.assign(v, 1.0)
        options, more = (None, None) if whole == "a session" else (SOON, None)
        if whole == "a traced run":
            options, more = tf.RunOptions(timeout_in_ms=100, trace_level=3), tf.RunMetadata()
        with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out waiting for notif"):
            sess.run([fetch, change], options=options, run_metadata=more)
        assert sess.run(v, options=LATE) == 0.0
        assert sess._executor.state.quick == sess._executor.state.epoch


def test_what_ends_in_time_is_a_run_like_any():
    x = tf.placeholder(tf.float32, [None])
    v = tf.get_variable("v", [], initializer=tf.zeros_initializer())
    y = tf.assign_add(v, tf.reduce_sum(x))
    with tf.Session() as sess:
        sess.run(v.initializer)
        got = [sess.run(y, {x: [1.0, 2.0]}, options=LATE) for _ in range(3)]
        assert [float(g) for g in got] == [3.0, 6.0, 9.0]
        assert sess.run(y, {x: [1.0]}) == 10.0


def test_a_longer_time_of_a_run_counts():
    slow = _python()
    config = tf.ConfigProto(operation_timeout_in_ms=50)
    with tf.Session(config=config) as sess:
        assert sess.run(slow, options=LATE) == 1.0
