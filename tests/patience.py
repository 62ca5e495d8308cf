"""Tests wait for what happens, not for a time: a machine may be slow, or do other things too."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from graphc.data.store import Meeting

__all__ = ["LONG", "after", "interrupted", "until", "waiting"]

#: Seconds that nothing takes which works: who waits so long has failed.
LONG = 300.0


def until(ready: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + LONG
    while not ready():
        assert time.monotonic() < end, "what the test waits for does not happen"
        time.sleep(0.002)


def after(ready: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """A thread, started, that acts once something is so."""

    def wait() -> None:
        until(ready)
        act()

    made = threading.Thread(target=wait, daemon=True)
    made.start()
    return made


@contextmanager
def interrupted(ready: Callable[[], object] = lambda: True, pause: float = 0.0) -> Iterator[None]:
    """What is inside must end by Ctrl-C, which comes `pause` seconds after something is so.

    The signal comes inside, however late: outside it would end the whole test run.
    """
    over, sent = threading.Event(), threading.Event()

    def send() -> None:
        while not over.is_set() and not ready():
            time.sleep(0.002)
        if not over.wait(pause):
            sent.set()
            os.kill(os.getpid(), signal.SIGINT)

    was = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    sender = threading.Thread(target=send)
    try:
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join()
            if sent.is_set():
                time.sleep(0.0)  # where Python looks at its signals
    except KeyboardInterrupt:
        pass
    else:
        pytest.fail("Ctrl-C was not seen" if sent.is_set() else "ended before Ctrl-C")
    finally:
        signal.signal(signal.SIGINT, was)


@contextmanager
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Inside, an event that is set when a thread waits at a queue of a session."""
    there, real = threading.Event(), Meeting._wait

    def wait(self: Meeting, ready: Callable[[], bool]) -> None:
        if not ready():  # its lock is held, and let go of by who waits only
            there.set()
        real(self, ready)

    with monkeypatch.context() as m:
        m.setattr(Meeting, "_wait", wait)
        yield there
