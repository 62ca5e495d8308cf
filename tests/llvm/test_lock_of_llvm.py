"""Ctrl-C inside of a call of LLVM: llvmlite's lock stays free for others."""

import os
import signal
import threading

import numpy as np
import pytest
from llvmlite.binding import ffi

import graphc as tf


@pytest.mark.parametrize("at", [3, 40])
def test_no_lock_stays_taken(tmp_path: object, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """An interrupt in the method that takes the lock left it taken: all later runs waited."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    calls = 0

    def press() -> None:
        nonlocal calls
        calls += threading.current_thread() is threading.main_thread()
        if calls == at:
            os.kill(os.getpid(), signal.SIGINT)

    def nothing() -> None:
        pass

    lock = ffi.lib._lock
    x = tf.placeholder(tf.float32, [None])
    lock.register(press, nothing)
    try:
        with pytest.raises(KeyboardInterrupt), tf.Session() as sess:
            sess.run(tf.tanh(x * 3.14159) - tf.exp(x) * 0.271828, {x: np.ones(7)})
    finally:
        lock.unregister(press, nothing)
    free = []

    def other() -> None:
        free.append(lock._lock.acquire(timeout=5))
        if free[0]:
            lock._lock.release()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert free == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with tf.Session() as sess:
        assert sess.run(tf.tanh(x * 3.14159), {x: np.ones(7)}).shape == (7,)
