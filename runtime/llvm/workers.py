"""Threads that compile kernels, and their turns of the interpreter."""

from __future__ import annotations

import contextlib
import heapq
import sys
import threading
from collections.abc import Callable, Iterator

from graphc.errors import CompileError
from graphc.ir.interrupts import Undisturbed
from graphc.runtime.llvm.shared import lock

__all__ = ["Stopped", "Turns", "Workers", "stopped", "turns"]


class Stopped(CompileError):
    """Compilation ended by something that is not a fault of the kernel."""


def stopped(e: BaseException) -> CompileError:
    error = Stopped(f"compilation stopped by {type(e).__name__}: {e}")
    error.__cause__ = e
    return error


class Turns:
    """Short turns of the GIL while kernels are made.

    A compiling thread needs the GIL for an instant between any two calls of LLVM. The thread that
    emits kernels would keep it for 5 ms each time, and the other core would mostly wait.
    """

    SECONDS = 2e-4

    def __init__(self) -> None:
        self.users = 0
        self.before = 0.0

    @contextlib.contextmanager
    def quick(self) -> Iterator[None]:
        with lock:
            if not self.users:
                self.before = sys.getswitchinterval()
                sys.setswitchinterval(min(self.before, self.SECONDS))
            self.users += 1
        try:
            yield
        finally:
            with lock:
                self.users = max(0, self.users - 1)  # 0 before in a child forked inside
                if not self.users:
                    sys.setswitchinterval(self.before)

    def forked(self) -> None:
        """In a child the other threads that make kernels do not exist."""
        if self.users:
            self.users = 0
            sys.setswitchinterval(self.before)


turns = Turns()


class Workers:
    """Runs `work(text)` for the texts submitted, in this thread and some helpers.

    The longest text comes first: what is left for the end is short, and all end together.
    """

    def __init__(self, work: Callable[[str], bytes], threads: int) -> None:
        self.work = work
        self.results: dict[str, bytes] = {}
        self.errors: dict[str, BaseException] = {}
        self._ready = threading.Condition()
        self._queue: list[tuple[int, str, str]] = []  # a heap, by length
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._spare = threads - 1

    def submit(self, key: str, text: str) -> None:
        with Undisturbed(), self._ready:
            heapq.heappush(self._queue, (-len(text), key, text))
            self._ready.notify()
        if self._spare > 0:
            self._spare -= 1
            helper = threading.Thread(target=self._run, name="graphc-compile")
            try:
                helper.start()
            except RuntimeError:  # no more threads: this one does all
                self._spare = 0
            else:
                self._threads.append(helper)

    def cancel(self) -> None:
        with Undisturbed(), self._ready:
            self._queue.clear()

    def finish(self) -> None:
        """Do what is left and wait for the helpers."""
        with Undisturbed(), self._ready:
            self._closed = True
            self._ready.notify_all()
        try:
            self._run()
        finally:
            self.cancel()
            for t in self._threads:
                t.join()

    def _run(self) -> None:
        while True:
            with Undisturbed(), self._ready:
                while not self._queue and not self._closed:
                    self._ready.wait()
                if not self._queue:
                    return
                _, key, text = heapq.heappop(self._queue)
            try:
                self.results[key] = self.work(text)
            except CompileError as e:
                self.errors[key] = e
            except Exception as e:
                self.errors[key] = stopped(e)
