"""A process that forks while its threads run sessions: the child can run them too."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from patience import LONG

import graphc as tf
from graphc.runtime import state


def _ends_well(pid: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_children_of_a_fork_beside_runs() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 8])
        w = tf.get_variable("w", initializer=np.zeros((8, 4), np.float32))
        y = tf.matmul(x, w)
        more = w.assign_add(tf.ones([8, 4]))
        with tf.Session() as sess:
            sess.run(w.initializer)
            stopped = threading.Event()

            def work() -> None:
                rows = 0
                while not stopped.is_set():
                    rows = rows % 50 + 1
                    sess.run([y, more], {x: np.ones((rows, 8))})

            threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
            for t in threads:
                t.start()
            try:
                for i in range(3):
                    time.sleep(0.02)
                    pid = os.fork()
                    if not pid:
                        _child(sess, x, y, w, 60 + i)
                    assert _ends_well(pid, LONG)
            finally:
                stopped.set()
                for t in threads:
                    t.join()


def _child(sess: Any, x: Any, y: Any, w: Any, rows: int) -> None:
    """One sum of whole steps, in a session whose lock another thread may have held."""
    try:
        a, b = sess.run([y, w], {x: np.ones((rows, 8))})
        whole = np.ptp(b) == 0.0 and np.all(a == 8 * b[0, 0])
        os._exit(0 if whole else 3)
    finally:
        os._exit(4)


def test_a_fork_waits_no_longer_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that does not end must not keep a process from forking."""
    monkeypatch.setattr(state, "PATIENCE", 0.05)
    busy, over = threading.Event(), threading.Event()
    mine = state.State()

    def hog() -> None:
        with mine.lock:
            busy.set()
            over.wait()

    t = threading.Thread(target=hog)
    t.start()
    busy.wait()
    state.hold()  # comes back
    state.let_go()
    over.set()
    t.join()
    with mine.lock:
        pass
