"""Ctrl-C while a pipeline makes an element: nothing of the pipeline is lost."""

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from patience import LONG, interrupted, waiting

import graphc as tf
from graphc.ir.interrupts import Undisturbed, heed


def _interrupting(at: int, times: int = 1) -> Any:
    """A function of elements in which, at one of them, Ctrl-C is pressed."""

    def f(x: Any) -> Any:
        if x == at:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.001)
        return x

    return f


PIPELINES = {
    "map": lambda d: d,
    "shuffle": lambda d: d.shuffle(3, seed=1),
    "prefetch": lambda d: d.prefetch(2),
    "batch": lambda d: d.batch(2).apply(tf.data.experimental.unbatch()),
    "interleave": lambda d: d.interleave(lambda x: tf.data.Dataset.from_tensors(x), 2),
    "cache": lambda d: d.cache(),
    "window": lambda d: d.window(2).flat_map(lambda w: w.batch(2)).apply(
        tf.data.experimental.unbatch()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_goes_on_behind_an_interrupt(name: str) -> None:
    """It was at its end: "End of sequence", with most of its elements not seen."""
    with tf.Graph().as_default(), tf.Session() as sess:
        numbers = tf.data.Dataset.range(12).map(
            lambda x: tf.py_func(_interrupting(5), [x], tf.int64)
        )
        get = PIPELINES[name](numbers).make_one_shot_iterator().get_next()
        seen, pressed = [], 0
        while True:
            try:
                seen.append(int(np.ravel(sess.run(get))[0]))
            except KeyboardInterrupt:
                pressed += 1
            except tf.errors.OutOfRangeError:
                break
        assert pressed == 1
        assert len(seen) == 11  # the element of the run that was interrupted is gone, as in TF 1
        assert len(set(seen)) == 11
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_source_that_waits_is_interrupted_by_the_second() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        numbers = tf.data.Dataset.range(3).map(
            lambda x: tf.py_func(_interrupting(0, times=100000), [x], tf.int64)
        )
        get = numbers.make_one_shot_iterator().get_next()
        with pytest.raises(KeyboardInterrupt):
            sess.run(get)
        assert sess.run(get) in (1, 2)


def test_a_queue_that_is_waited_at_is_interrupted_and_stays_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupt while a lock is taken or let go left it taken, or was another error."""
    with tf.Graph().as_default(), tf.Session() as sess:
        queue = tf.FIFOQueue(2, [tf.float32], [[]])
        get, put, size = queue.dequeue(), queue.enqueue(1.0), queue.size()
        for _ in range(3):
            with waiting(monkeypatch) as there, interrupted(there.is_set):
                sess.run(get)  # for ever
        found: list[Any] = []
        other = threading.Thread(target=lambda: found.append(sess.run([put, size])))
        other.start()
        other.join(LONG)
        assert found
        assert sess.run(get) == 1.0


def test_who_handles_an_interrupt_hears_of_it_once() -> None:
    heard = []
    usual = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with Undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            assert heard == []
            heed()
            assert heard == [signal.SIGINT]
            heed()
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, usual)


def test_interrupts_wait_for_the_end_of_a_block() -> None:
    done = []

    def nested() -> None:
        with Undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)
            with Undisturbed():
                os.kill(os.getpid(), signal.SIGINT)
                done.append(2)
            done.append(3)

    def heeding() -> None:
        with Undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            heed()
            done.append(4)

    for f in (nested, heeding):
        with pytest.raises(KeyboardInterrupt):
            f()
        assert done == [1, 2, 3]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
