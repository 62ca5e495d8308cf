"""What a session remembers between runs: variables, and the counters of random ops.

A variable has one array, or two: where runs may fail after new values are made (`check_numerics`),
they write these beside the old ones, and as the run ends a word is changed that says which array is
the variable (`graphc.runtime.swap`).
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.node import Node
from graphc.runtime import aligned
from graphc.runtime.feeds import storage, to_storage

__all__ = ["Cell", "State"]


class Cell:
    """A variable's storage in a session.

    Attributes
    ----------
    arrays, addresses : pair
        The variable is that of `side`; the other is the same, or where a run that may fail writes
        the new value.
    side : ndarray of bool, [1]
        Changed by native code as a run ends.
    least : float or None
        Its numbers are not below this, and all are small (`graphc.runtime.bounds`); None: nobody
        knows.
    """

    __slots__ = ("addresses", "arrays", "dtype", "least", "ready", "shape", "side")

    def __init__(self, dtype: DType, shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape
        self.ready = False
        self.least: float | None = None
        self.side = np.zeros(1, np.bool_)
        a = aligned.zeros(shape, storage(dtype))
        self.arrays = (a, a)
        self.addresses = (int(a.ctypes.data),) * 2

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """The variable, as it is now."""
        return self.arrays[self.side.item()]

    def address(self, other: bool) -> int:
        """Where the variable is, or the other array."""
        return self.addresses[self.side.item() ^ other]

    def need_two(self) -> None:
        """Have an array for new values; one that has no value yet has nothing to lose."""
        if self.ready and self.arrays[0] is self.arrays[1]:
            old, new = self.array, aligned.empty(self.shape, storage(self.dtype))
            at = int(old.ctypes.data), int(new.ctypes.data)
            # either order is right at any moment: `side` says which is the variable
            flip = self.side.item()
            self.arrays = (new, old) if flip else (old, new)
            self.addresses = (at[1], at[0]) if flip else at


#: No number of moves is this.
NEVER = -2


class _Draws(threading.local):
    skips: dict[Node, int] | None = None


#: How long a fork waits for runs in other threads, in seconds.
PATIENCE = 2.0

_states: weakref.WeakSet[State] = weakref.WeakSet()
_held: list[State] = []


def hold() -> None:
    """Before a fork: wait until no run is under way, so that a child has whole variables."""
    until = time.monotonic() + PATIENCE
    for state in list(_states):
        if state.lock.acquire(timeout=max(until - time.monotonic(), 0)):
            _held.append(state)


def let_go() -> None:
    """In the parent, after a fork."""
    while _held:
        _held.pop().lock.release()


def _renew() -> None:
    """In the child: the holders of locks may not exist here."""
    _held.clear()
    for state in list(_states):
        state.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class State:
    """What a session remembers between runs: variables and the counters of random ops."""

    def __init__(self) -> None:
        _states.add(self)
        self.cells: dict[str, Cell] = {}
        self.skips: dict[Node, int] = {}
        self.seeds: dict[Node, tuple[int, int]] = {}
        self.lock = threading.RLock()
        #: Set by native code that has made a variable too large for what is known of variables.
        self.large = np.zeros(1, np.uint8)
        #: How often variables may have been written: native code counts its runs that do.
        self.written = aligned.words(1)
        self.wrote()
        #: How often what is known of variables has changed.
        self.news = 0
        self._epoch = 0
        self._slow = 0
        #: How often anything that programs know by its address has moved.
        self.moves = 0
        #: `moves` while runs may take the quick path, else a number that it never is.
        self.quick = 0
        #: What host ops keep between runs, by name.
        self.resources: dict[str, Any] = {}
        self._run = _Draws()

    @property
    def epoch(self) -> int:
        """Changes when storage is made anew or a variable becomes initialised."""
        return self._epoch

    @epoch.setter
    def epoch(self, n: int) -> None:
        self._epoch = n
        self.moved()

    def moved(self) -> None:
        """Variables are, or may be, elsewhere: whoever runs next looks where (`Bound.follow`)."""
        self.moves += 1
        self.quick = NEVER if self._slow else self.moves

    def slowly(self, more: int) -> None:
        """From here on one reason more (or less) keeps runs from the quick path."""
        with self.lock:
            self._slow += more
            self.quick = NEVER if self._slow else self.moves

    def wrote(self) -> None:
        """Variables have been written from outside of a program (under the lock)."""
        self.written[0] += 1

    def learn(self, cell: Cell, least: float | None) -> None:
        """Note what is known of a variable (`Cell.least`)."""
        if cell.least != least:
            cell.least = least
            self.news += 1

    def load(self, name: str, dtype: DType, value: np.ndarray[Any, Any]) -> None:
        """Set a variable from outside a run."""
        with self.lock:
            cell = self.cell(name, dtype, value.shape)
            self.learn(cell, None)
            np.copyto(cell.array, to_storage(value, dtype))
            self.wrote()
            if not cell.ready:
                cell.ready = True
                self.epoch += 1

    def draws(self) -> Mapping[Node, int]:
        """The counters of random ops: in all parts of a run those of its start."""
        return self._run.skips if self._run.skips is not None else self.skips

    @contextmanager
    def one_run(self) -> Iterator[None]:
        """The parts of one run of this thread inside: they draw the same numbers."""
        before = self._run.skips
        with self.lock:
            self._run.skips = dict(self.skips)
        try:
            yield
        finally:
            self._run.skips = before

    @contextmanager
    def live_draws(self, undo: bool) -> Iterator[None]:
        """Runs inside go on with the counters of those before; with `undo` nothing is left of it.

        A loop that the host drives draws new numbers in each iteration.
        """
        before, skips = self._run.skips, None
        with self.lock:
            if undo:
                skips = dict(self.skips)
        self._run.skips = None
        try:
            yield
        finally:
            self._run.skips = before
            if skips is not None:
                with self.lock:
                    self.skips.clear()
                    self.skips.update(skips)

    def close(self) -> None:
        """Give up what host ops keep; what waits at it gives up too.

        The executors that use it have their `closed` set: what they begin later is refused.
        """
        self.wake()
        with self.lock:
            kept = list(self.resources.values())
            self.resources.clear()
        for r in kept:
            close = getattr(r, "close", None)
            if close is not None:
                close()

    def wake(self) -> None:
        """Whoever waits at what host ops keep looks again whether it should."""
        with self.lock:
            kept = list(self.resources.values())
        for r in kept:
            wake = getattr(r, "wake", None)
            if wake is not None:
                wake()

    def cell(self, name: str, dtype: DType, shape: tuple[int, ...]) -> Cell:
        """The variable's storage, made or remade where it does not fit."""
        c = self.cells.get(name)
        if c is None or c.shape != shape or c.dtype is not dtype:
            c = self.cells[name] = Cell(dtype, shape)
            self.epoch += 1
        return c
