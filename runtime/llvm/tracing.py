"""Runs that write down when each step began and ended: a walker of its own, made when first asked.

The walker of ordinary runs knows nothing of this one. Workers of the pool look at one word a job
(`P.TRACE`) to see whether the times of their share are wanted.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from graphc.runtime.llvm import entry

__all__ = ["Log", "T", "give_back", "log_for", "run"]

#: Events that a log keeps; what comes later is in its totals only.
EVENTS = 1 << 16


class T(IntEnum):
    """Words at the head of a log, and the sizes of its rows."""

    CAPACITY = 0
    COUNT = 1
    LOST = 2
    TOTALS = 3  # address of the totals: for each step its calls and its nanoseconds
    EVENTS = 4  # address of the events: step, participant, begin, end, units
    SIZE = 8
    TOTAL = 2
    EVENT = 5


class Log:
    """What a traced program wrote down.

    Attributes
    ----------
    totals : ndarray of int64, [steps, 2]
        Calls and nanoseconds of each step.
    """

    def __init__(self, steps: int, events: int = EVENTS) -> None:
        self.head = np.zeros(T.SIZE, np.int64)
        self.totals = np.zeros((steps, int(T.TOTAL)), np.int64)
        self._events = np.empty((events, int(T.EVENT)), np.int64)
        self.head[T.CAPACITY] = events
        self.head[T.TOTALS] = self.totals.ctypes.data
        self.head[T.EVENTS] = self._events.ctypes.data

    @property
    def events(self) -> np.ndarray[Any, Any]:
        """Rows of step, participant (0 is the caller), begin, end (ns, monotonic) and units."""
        return self._events[: self.head[T.COUNT]]

    @property
    def lost(self) -> int:
        """Events for which there was no room."""
        return int(self.head[T.LOST])

    def clear(self) -> None:
        """Forget what was written."""
        self.head[T.COUNT] = self.head[T.LOST] = 0
        self.totals[:] = 0


#: One log of each size that nobody reads any more: new ones would be mapped anew for each run.
_given_back: dict[tuple[int, int], Log] = {}


def log_for(steps: int, events: int = EVENTS) -> Log:
    """An empty log."""
    log = _given_back.pop((steps, events), None)
    if log is None:
        return Log(steps, events)
    log.clear()
    return log


def give_back(log: Log) -> None:
    """Let another traced run have a log that nobody reads any more."""
    if len(_given_back) >= _KEPT:
        _given_back.clear()
    _given_back[len(log.totals), int(log.head[T.CAPACITY])] = log


#: Sizes of which a log is kept.
_KEPT = 8


class _Native:
    """The compiled half, as that of `entry`."""

    def __init__(self) -> None:
        self.nat = nat = entry.native()

        def emit(module: Any) -> None:
            from graphc.runtime.llvm import runner

            runner.emit_traced(module, nat.layout)

        self.code = code = entry.compile_native(f"traced {nat.layout!r}", emit)
        self.walk = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(code.address("graphc_walk"))
        self.method = None if nat.method is None else nat.method_of(code)


_native: _Native | None = None
_lock = threading.Lock()


def run(program: entry.Program, log: Log, arrays: Sequence[Any]) -> int:
    """``program.run(*arrays)``, each step of which is written into `log`.

    The caller keeps others from running `program` at the same time.
    """
    global _native
    with _lock:
        native = _native = _native or _Native()
    block = program._block
    block[entry.H.TRACE] = log.head.ctypes.data
    try:
        if native.method is not None:
            return native.nat.bound(block, program.keep, native.method)(*arrays)
        portable = entry._Portable(program)
        return portable.bind(arrays) or portable.walk(native.walk)
    finally:
        block[entry.H.TRACE] = 0
