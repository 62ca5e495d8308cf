"""Threads that wait at queues, and threads that share a session."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from patience import LONG, interrupted, waiting

import graphc as tf


def test_closing_the_session_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with tf.Graph().as_default():
        take = tf.FIFOQueue(1, tf.float32, [[]]).dequeue()
        sess = tf.Session()
        raised: list[BaseException] = []

        def wait() -> None:
            try:
                sess.run(take)
            except Exception as e:
                raised.append(e)

        t = threading.Thread(target=wait, daemon=True)
        with waiting(monkeypatch) as there:
            t.start()
            assert there.wait(LONG)
        sess.close()
        t.join(LONG)
    assert not t.is_alive()
    assert isinstance(raised[0], tf.errors.CancelledError)


def test_closing_with_cancel_ends_those_who_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        q = tf.FIFOQueue(1, tf.float32, [[]])
        put, take, close = q.enqueue(1.0), q.dequeue(), q.close(cancel_pending_enqueues=True)
        sess.run(put)
        raised: list[BaseException] = []

        def wait() -> None:
            try:
                sess.run(put)
            except Exception as e:
                raised.append(e)

        t = threading.Thread(target=wait, daemon=True)
        with waiting(monkeypatch) as there:
            t.start()
            assert there.wait(LONG)
        sess.run(close)
        t.join(LONG)
        assert sess.run(take) == 1.0
    assert isinstance(raised[0], tf.errors.CancelledError)


def test_interrupt_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        q = tf.FIFOQueue(1, tf.float32, [[]])
        take, put = q.dequeue(), q.enqueue(3.0)
        with waiting(monkeypatch) as there, interrupted(there.is_set):
            sess.run(take)
        sess.run(put)  # the queue still works
        assert sess.run(take) == 3.0


def test_many_threads_update_one_variable() -> None:
    """Each update is whole: none is lost, and a step sees a state that was there."""
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.Variable(np.zeros(1000, np.float32))
        x = tf.placeholder(tf.float32, [None])
        add = tf.assign_add(v, tf.fill([1000], tf.reduce_sum(x)))
        spread = tf.reduce_max(v) - tf.reduce_min(v)
        sess.run(tf.global_variables_initializer())
        torn: list[float] = []

        def work(n: int) -> None:
            for i in range(50):
                sess.run(add, {x: np.ones(n + i % 3, np.float32)})
                torn.append(float(sess.run(spread)))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        total = sum(50 * n + sum(i % 3 for i in range(50)) for n in range(4))
        assert sess.run(v)[0] == total
    assert max(torn) == 0.0


def test_threads_share_an_iterator() -> None:
    """Every element is handed out once."""
    with tf.Graph().as_default(), tf.Session() as sess:
        it = tf.data.Dataset.range(200).map(lambda v: v * 2).make_one_shot_iterator()
        x = it.get_next() + 1
        got: list[int] = []

        def work() -> None:
            while True:
                try:
                    got.append(int(sess.run(x)))
                except tf.errors.OutOfRangeError:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert sorted(got) == list(range(1, 400, 2))


def test_looper_thread() -> None:
    coord = tf.train.Coordinator()
    seen: list[int] = []
    tf.train.LooperThread.loop(coord, None, target=lambda: seen.append(len(seen)))
    while len(seen) < 5:
        time.sleep(0.001)
    coord.request_stop()
    coord.join()
    assert coord.joined


def test_join_reports_threads_that_do_not_end() -> None:
    coord = tf.train.Coordinator()
    hold = threading.Event()
    t = threading.Thread(target=hold.wait, name="stuck", daemon=True)
    t.start()
    coord.request_stop()
    with pytest.raises(RuntimeError, match="still running: stuck"):
        coord.join([t], stop_grace_period_secs=0.1)
    coord.join([t], stop_grace_period_secs=0.1, ignore_live_threads=True)
    hold.set()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("queue", [tf.FIFOQueue, tf.PaddingFIFOQueue])
def test_a_queue_is_closed_once(queue: type[tf.FIFOQueue], first: bool) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        q = queue(2, tf.int32, [[]])
        sess.run(q.close(cancel_pending_enqueues=first))
        with pytest.raises(tf.errors.CancelledError, match="already closed"):
            sess.run(q.close())
        sess.run(q.close(cancel_pending_enqueues=True))
        assert sess.run(q.is_closed())
