"""Who may be inside of LLVM: a fork waits until nobody is."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from graphc.ir.interrupts import Undisturbed
from graphc.runtime.llvm.shared import being_made, counts, lock
from graphc.runtime.llvm.workers import turns

__all__ = ["Gate", "gate"]


# ----------------------------------------------------------------- locks and fork


class Gate:
    """Lets LLVM calls of many threads in, or one fork.

    The forking thread waits until no other thread is inside, and holds llvmlite's own lock, so
    that the child's copies of all locks are free (rule R6).
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.condition = threading.Condition(threading.Lock())
        self.inside: dict[int, int] = {}
        self.forking = 0
        self._foreign: Any = None

    @contextlib.contextmanager
    def enter(self, *, counted: bool = True) -> Iterator[None]:
        with Undisturbed():  # an interrupt inside of a call would leave llvmlite's lock taken
            with self._entered(counted):
                yield

    @contextlib.contextmanager
    def _entered(self, counted: bool) -> Iterator[None]:
        me = threading.get_ident()
        with self.condition:
            while self.forking not in (0, me) and me not in self.inside:
                self.condition.wait()
            self.inside[me] = self.inside.get(me, 0) + 1
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            with self.condition:
                self.inside[me] -= 1
                if not self.inside[me]:
                    del self.inside[me]
                    counts.llvm_seconds += spent if counted else 0.0
                self.condition.notify_all()

    def before_fork(self) -> None:
        me = threading.get_ident()
        with self.condition:
            while self.forking:
                self.condition.wait()
            self.forking = me  # nobody enters from here on
            while any(t != me for t in self.inside):
                self.condition.wait()
        ffi = sys.modules.get("llvmlite.binding.ffi")
        self._foreign = getattr(getattr(ffi, "lib", None), "_lock", None)
        if self._foreign is not None:
            self._foreign.__enter__()
        lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        lock.release()
        if self._foreign is not None:
            self._foreign.__exit__(None, None, None)
            self._foreign = None
        if child:
            depth = self.inside.get(threading.get_ident(), 0)
            self._reset()
            if depth:
                self.inside[threading.get_ident()] = depth
            being_made.clear()  # their threads do not exist here
            turns.forked()
            return
        with self.condition:
            self.forking = 0
            self.condition.notify_all()


gate = Gate()
