"""Runs that must end: ``RunOptions(timeout_in_ms=…)``, and those of a session that is closed.

A thread with a deadline looks at it where it waits (queues) and between the parts of a run; native
code is stopped from outside, before it commits anything. What has begun to change variables ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.errors import CancelledError, DeadlineExceededError

__all__ = ["Deadline", "check", "current", "left", "until", "within"]

#: Seconds between two attempts to stop native code: one that comes too early is lost.
AGAIN = 0.005


class Deadline:
    """When a run must have ended, and the program that is under way."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self.program: Any = None
        self.done = threading.Event()

    def watch(self) -> None:
        """Wait until the run has ended, or stop it."""
        self.done.wait(max(0.0, self.at - time.monotonic()))
        while not self.done.is_set():
            program = self.program
            if program is not None:
                program.stop()
            self.done.wait(AGAIN)


class _Current(threading.local):
    deadline: Deadline | None = None
    closed: threading.Event | None = None


_now = _Current()


def current() -> Deadline | None:
    """The deadline of this thread, if it has one."""
    return _now.deadline


def left(most: float) -> float:
    """Seconds to wait: at most `most`, and not beyond the deadline."""
    d = _now.deadline
    return most if d is None else max(0.0, min(most, d.at - time.monotonic()))


def check() -> None:
    """Look whether the deadline has passed, or the session of what runs here is closed.

    Raises
    ------
    DeadlineExceededError, CancelledError
    """
    closed = _now.closed
    if closed is not None and closed.is_set():
        raise CancelledError(None, None, "Session was closed while an operation waited.")
    d = _now.deadline
    if d is not None and time.monotonic() >= d.at:
        raise DeadlineExceededError(None, None, "Timed out waiting for notification")


class until:
    """A context: what this thread runs inside gives up once `closed` is set."""

    __slots__ = ("_before", "_closed")

    def __init__(self, closed: threading.Event) -> None:
        self._closed = closed

    def __enter__(self) -> None:
        self._before = _now.closed
        _now.closed = self._closed

    def __exit__(self, *_: object) -> None:
        _now.closed = self._before


@contextmanager
def within(state: Any, seconds: float) -> Iterator[None]:
    """Runs of this thread inside, on that session's state, must end in time."""
    before = _now.deadline
    d = Deadline(seconds)
    if before is not None:
        d.at = min(d.at, before.at)
    _now.deadline = d
    watcher = threading.Thread(target=d.watch, name="graphc-deadline", daemon=True)
    watcher.start()
    state.slowly(1)
    try:
        yield
    finally:
        state.slowly(-1)
        _now.deadline = before
        d.done.set()
        watcher.join()
