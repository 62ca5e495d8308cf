"""Servers of this process: which sessions share what. Values are TensorFlow 1.15's."""

import threading
from typing import Any

import numpy as np
import pytest
from patience import LONG

import graphc as tf


def counter(start: float) -> tuple[Any, Any, Any]:
    with tf.Graph().as_default() as g:
        v = tf.Variable(start, name="v")
        return g, v, v.assign_add(1.0)


def test_sessions_of_a_server_share_variables() -> None:
    server = tf.train.Server.create_local_server()
    assert server.target.startswith("grpc://localhost:")
    g, v, up = counter(1.0)
    with g.as_default():
        missing = tf.report_uninitialized_variables()
    with tf.Session(server.target, graph=g) as s:
        assert s.run(missing).tolist() == [b"v"]
        s.run(v.initializer)
        s.run(up.op)
    with tf.Session(server.target, graph=g) as s:
        assert s.run(missing).tolist() == []
        assert s.run(v) == 2.0
    other, w, _ = counter(5.0)
    with tf.Session(server.target, graph=other) as s:
        assert s.run(w) == 2.0
    tf.Session.reset(server.target)
    with tf.Session(server.target, graph=other) as s:
        with pytest.raises(tf.errors.FailedPreconditionError):
            s.run(w)
    with tf.Session(graph=g) as s:  # a session of its own
        with pytest.raises(tf.errors.FailedPreconditionError):
            s.run(v)


def test_servers_of_a_cluster_share_variables() -> None:
    cluster = tf.train.ClusterSpec({"ps": ["127.0.0.1:41"], "worker": ["127.0.0.1:42"]})
    ps = tf.train.Server(cluster, job_name="ps", task_index=0)
    worker = tf.train.Server(cluster, job_name="worker", task_index=0)
    assert [ps.target, worker.target] == ["grpc://127.0.0.1:41", "grpc://127.0.0.1:42"]
    g, v, up = counter(1.0)
    with tf.Session(worker.target, graph=g) as a, tf.Session("grpc://127.0.0.1:41", graph=g) as b:
        a.run(v.initializer)
        b.run(up.op)
        assert a.run(v) == 2.0


def test_two_servers_share_nothing() -> None:
    g, v, _ = counter(1.0)
    first, second = [tf.train.Server.create_local_server() for _ in range(2)]
    assert first.target != second.target
    with tf.Session(first.target, graph=g) as s:
        s.run(v.initializer)
    with tf.Session(second.target, graph=g) as s:
        with pytest.raises(tf.errors.FailedPreconditionError):
            s.run(v)


def test_each_session_draws_from_the_beginning() -> None:
    server = tf.train.Server.create_local_server()
    with tf.Graph().as_default() as g:
        r = tf.random_uniform([], seed=3)
    drawn = []
    for _ in range(2):
        with tf.Session(server.target, graph=g) as s:
            drawn.append([s.run(r), s.run(r)])
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]


def close_beside_a_run(session: Any, fetch: Any) -> None:
    """Close a session while another thread begins a run that waits for ever: it must end."""
    ended: list[str] = []

    def wait() -> None:
        try:
            session.run(fetch)
        except (tf.errors.OpError, RuntimeError) as e:
            ended.append(type(e).__name__)

    thread = threading.Thread(target=wait)
    thread.start()
    session.close()
    thread.join(LONG)
    assert not thread.is_alive()
    assert len(ended) == 1


def test_who_waits_gives_up_when_the_last_session_is_closed() -> None:
    server = tf.train.Server.create_local_server()
    with tf.Graph().as_default() as g:
        queue = tf.FIFOQueue(2, [tf.float32], shapes=[()])
        take, put = queue.dequeue(), queue.enqueue([4.0])
    session = tf.Session(server.target, graph=g)
    close_beside_a_run(session, take)
    with tf.Session(server.target, graph=g) as s:
        s.run(put)
        assert s.run(take) == 4.0


def test_who_waits_gives_up_when_their_own_session_is_closed() -> None:
    server = tf.train.Server.create_local_server()
    with tf.Graph().as_default() as g:
        queue = tf.FIFOQueue(2, [tf.float32], shapes=[()])
        take, put = queue.dequeue(), queue.enqueue([4.0])
        v = tf.Variable(1.0)
    other = tf.Session(server.target, graph=g)
    other.run(v.initializer)
    session = tf.Session(server.target, graph=g)
    close_beside_a_run(session, take)
    other.run(put)  # what is shared stays
    assert other.run([take, v]) == [4.0, 1.0]


@pytest.mark.parametrize("served", [False, True])
def test_a_run_that_finds_its_session_closed_waits_for_nobody(served: bool) -> None:
    """Closed between the beginning of a run and its first look at a queue."""
    target = tf.train.Server.create_local_server().target if served else ""
    began, closed = threading.Event(), threading.Event()

    def pause() -> np.ndarray:
        began.set()
        assert closed.wait(60)
        return np.float32(1.0)

    with tf.Graph().as_default() as g:
        queue = tf.FIFOQueue(2, [tf.float32], shapes=[()])
        with tf.control_dependencies([tf.py_func(pause, [], tf.float32)]):
            take = queue.dequeue()
    session = tf.Session(target, graph=g)
    ended: list[type] = []

    def wait() -> None:
        try:
            session.run(take)
        except tf.errors.OpError as e:
            ended.append(type(e))

    thread = threading.Thread(target=wait)
    thread.start()
    assert began.wait(60)
    session.close()
    closed.set()
    thread.join(60)
    assert ended == [tf.errors.CancelledError]


def test_other_targets_are_refused() -> None:
    with pytest.raises(tf.errors.UnimplementedError, match="is a remote engine"):
        tf.Session("grpc://elsewhere:2222", graph=tf.Graph())


def test_a_chief_and_a_worker() -> None:
    """Both train one model, as in programs of one process each."""
    cluster = tf.train.ClusterSpec(
        {"ps": ["127.0.0.1:51"], "worker": ["127.0.0.1:52", "127.0.0.1:53"]}
    )
    seen: list[int] = []

    def work(task: int) -> None:
        server = tf.train.Server(cluster, job_name="worker", task_index=task)
        with tf.Graph().as_default():
            with tf.device(tf.train.replica_device_setter(cluster=cluster)):
                step = tf.train.get_or_create_global_step()
                v = tf.get_variable("v", [], initializer=tf.constant_initializer(4.0))
                train = tf.train.GradientDescentOptimizer(0.1).minimize(v * v, global_step=step)
            hooks = [tf.train.StopAtStepHook(last_step=20)]
            with tf.train.MonitoredTrainingSession(
                master=server.target, is_chief=task == 0, hooks=hooks
            ) as s:
                while not s.should_stop():
                    seen.append(int(s.run([train, step])[1]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not any(t.is_alive() for t in threads)
    assert max(seen) >= 20
    assert len(set(seen)) > 10
