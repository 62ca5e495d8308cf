"""The parked workers of the process: one pool, shared by all sessions.

Workers are daemon threads that live inside one native loop with the GIL released. After work they
spin for a few tens of microseconds (when there is a core for each), then park on a condition
variable. How tasks are given out is native code, in `graphc.runtime.llvm.entry`; this module
makes the pool, grows it, drops it in a forked child and ends it when the interpreter ends.

A run takes the pool for one step at a time and never waits for it: when another run has it, the
step runs alone on the calling thread.

Functions
---------
available()
    Cores that this process may use.
ensure(threads)
    Workers for runs of `threads` threads; gives the number of threads that can be had.
size()
    Workers that exist.
shutdown()
    End all workers (a later run makes new ones).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
import time
from collections.abc import Callable
from enum import IntEnum

from graphc.runtime import aligned

__all__ = ["MAX_THREADS", "P", "available", "ensure", "install", "shutdown", "size"]

MAX_THREADS = 256
SPIN_NS = 50_000  # how long an idle worker looks before it parks
AWAKE_NS = 6_000  # a step below this runs alone, even when workers are looking
PARKED_NS = 30_000  # the same when they must be woken first


class P(IntEnum):
    """Words of the pool; what is written often has a cache line (and its neighbour) alone."""

    OWNER = 0  # 1 while a run has the pool
    EPOCH = 16  # grows with every job
    GATE = 32  # epoch << 33 | open << 32 | entered << 16 | active
    NEXT = 48  # first unit that nobody has taken
    FN = 64  # the job
    ARGS = 65
    NWORDS = 66
    UNITS = 67
    SCRATCH = 68
    STRIDE = 69
    TAKE = 70  # workers that may enter
    STOP = 71  # address of the word that stops the run
    STEP = 72  # the step, whose cost is learned
    GRAIN = 73
    NEVER = 74  # a word that is always 0
    CPU = 75  # core the owner is on
    TRACE = 76  # whether the times of the job are wanted
    CHUNK = 80  # units of the next task
    CANCEL = 96
    SLEEPERS = 112
    QUIT = 113
    SPIN = 114
    WORKERS = 115
    AWAKE = 116
    PARKED = 117
    MUTEX = 128
    COND = 144
    SIZE = 160


def available() -> int:
    """The number of cores that this process may use: its affinity, and its container's quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as f:
            quota, period = f.read().split()
        if quota != "max":
            cores = min(cores, -(-int(quota) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        pass
    return max(1, cores)


class _Native:
    """What native code gives to this module."""

    loop: int = 0  # address of `void loop(ptr pool)`
    wake: int = 0  # address of `void quit(ptr pool)`
    publish: Callable[[int, int], None] | None = None  # (pool address or 0, threads to be had)


class _Pool:
    """Native workers around one block of words."""

    def __init__(self) -> None:
        self.block = aligned.words(P.SIZE)
        self.address = self.block.ctypes.data
        self.threads: list[threading.Thread] = []
        libc = ctypes.CDLL(None)
        for name, at in (("pthread_mutex_init", P.MUTEX), ("pthread_cond_init", P.COND)):
            if getattr(libc, name)(ctypes.c_void_p(self.address + 8 * at), None):
                raise OSError(f"{name} failed")
        self.block[P.AWAKE] = AWAKE_NS
        self.block[P.PARKED] = PARKED_NS

    def grow(self, workers: int) -> None:
        """Start threads until there are `workers`."""
        loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_Native.loop)
        self.block[P.SPIN] = SPIN_NS if workers < available() else 0
        while len(self.threads) < workers:
            name = f"graphc-{len(self.threads) + 1}"
            t = threading.Thread(target=loop, args=(self.address,), name=name, daemon=True)
            t.start()
            self.threads.append(t)
        self.block[P.WORKERS] = len(self.threads)

    def end(self, patience: float) -> None:
        """Send the workers home and wait for them, `patience` seconds at most."""
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_Native.wake)(self.address)
        until = time.monotonic() + patience
        for t in self.threads:
            t.join(max(0.0, until - time.monotonic()))


_lock = threading.RLock()
_pool: _Pool | None = None


def install(loop: int, wake: int, publish: Callable[[int, int], None]) -> None:
    """Give this module its native half (called once by `graphc.runtime.llvm.entry`)."""
    _Native.loop, _Native.wake, _Native.publish = loop, wake, publish
    atexit.register(shutdown, 0.5)


def ensure(threads: int) -> int:
    """Have workers for runs of `threads` threads.

    Returns
    -------
    int
        Threads that a run can use now, the calling one included; 1 where the platform has no
        POSIX threads or no thread can be started.
    """
    global _pool
    if _Native.publish is None:
        return 1
    with _lock:
        threads = max(1, min(threads, MAX_THREADS))
        if threads == 1:
            return 1
        try:
            if _pool is None:
                _pool = _Pool()
                # never freed, not even as Python ends: a run that a daemon thread has begun
                # looks at the block as long as it lasts
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(_pool.block))
            _pool.grow(threads - 1)
            can = MAX_THREADS
        except (OSError, AttributeError, TypeError, RuntimeError):
            can = 1 + (len(_pool.threads) if _pool else 0)
        if _pool is not None:
            _pool.block[P.WORKERS] = len(_pool.threads)
        _Native.publish(_pool.address if _pool else 0, can)
        return min(threads, can)


def size() -> int:
    """The number of workers."""
    return len(_pool.threads) if _pool else 0


def shutdown(patience: float = 5.0) -> None:
    """End the workers; one that is inside a kernel ends after it."""
    global _pool
    with _lock:
        gone, _pool = _pool, None
        if gone is not None and _Native.publish is not None:
            _Native.publish(0, MAX_THREADS)
    if gone is not None:
        gone.end(patience)


def _forked() -> None:
    """In the child there are no workers, and their locks may be held for ever."""
    global _pool
    _pool = None
    if _Native.publish is not None:
        _Native.publish(0, MAX_THREADS)
    _lock.release()


# with the module, not with the first use of it: another thread may fork meanwhile
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forked)
