"""The queues of a session: Python containers that threads wait at."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from graphc.data.shuffle import Draws
from graphc.errors import CancelledError, OutOfRangeError
from graphc.ir.interrupts import Undisturbed, heed
from graphc.runtime import deadline

__all__ = ["Fifo", "Meeting", "Prioritised", "Shuffled", "Store"]

Element = tuple[Any, ...]


class Meeting:
    """What threads of a session wait at, each until its own session is closed.

    Attributes
    ----------
    changed : Condition
        Held by whoever reads or changes it.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()

    def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            deadline.check()
            heed()
            main = threading.current_thread() is threading.main_thread()
            self.changed.wait(deadline.left(0.1 if main else 1.0))  # bounded, to see Ctrl-C

    def wake(self) -> None:
        """A session is closed: whoever waits for it gives up."""
        with Undisturbed(), self.changed:
            self.changed.notify_all()


class Store(Meeting):
    """Elements on their way from threads that put them in to threads that take them out.

    Parameters
    ----------
    label : str
        How messages call it: ``FIFOQueue '_0_name'``.
    capacity : int
        How many elements it holds; negative for any number.
    """

    def __init__(self, label: str, capacity: int) -> None:
        super().__init__()
        self.label = label
        self.capacity = capacity
        self.closed = False
        self.cancelled = False  # those who wait to put something in give up
        self.taking = False

    # ---- what kinds of queue differ in

    def __len__(self) -> int:
        raise NotImplementedError

    def _put(self, element: Element) -> None:
        raise NotImplementedError

    def _take(self) -> Element | None:
        """The next element; None where there is none to be had yet."""
        raise NotImplementedError

    # ---- for all

    def put(self, elements: Sequence[Element]) -> None:
        """Put elements in, one after the other, waiting for room.

        Raises
        ------
        CancelledError
            When the queue is closed.
        """
        with Undisturbed(), self.changed:
            if self.closed:
                raise CancelledError(None, None, f"{self.label} is closed.")
            for e in elements:
                if 0 <= self.capacity <= len(self):
                    self._wait(lambda: self.cancelled or len(self) < self.capacity)
                if self.cancelled:
                    raise CancelledError(None, None, "Enqueue operation was cancelled")
                self._put(e)
                self.changed.notify_all()

    def take(self, n: int, fewer: bool = False) -> list[Element]:
        """Take `n` elements out, waiting for them; those of one call are taken in one go.

        Parameters
        ----------
        fewer : bool
            Whether a closed queue may give what it has, if that is something.

        Raises
        ------
        OutOfRangeError
            When the queue is closed and has too few.
        """
        with Undisturbed(), self.changed:
            self._wait(lambda: not self.taking)
            self.taking = True
            got: list[Element] = []
            try:
                while len(got) < n:
                    e = self._take()
                    if e is not None:
                        got.append(e)
                        self.changed.notify_all()
                    elif self.closed:
                        if fewer and got:
                            break
                        raise OutOfRangeError(
                            None, None, f"{self.label} is closed and has insufficient elements "
                            f"(requested {n}, current size {len(self) + len(got)})",
                        )  # fmt: skip
                    else:
                        self._wait(lambda: self._ready() or self.closed)
                return got
            except BaseException:
                self._restore(got)
                raise
            finally:
                self.taking = False
                self.changed.notify_all()

    def _ready(self) -> bool:
        return len(self) > 0

    def _restore(self, elements: Sequence[Element]) -> None:
        for e in elements:
            self._put(e)

    def finish(self, cancel: bool) -> None:
        """Close: nothing more goes in; what waits to go in gives up with `cancel`.

        Raises
        ------
        CancelledError
            Without `cancel`, when the queue is closed.
        """
        with Undisturbed(), self.changed:
            if self.closed and not cancel:
                raise CancelledError(None, None, f"{self.label} is already closed.")
            self.closed = True
            self.cancelled = self.cancelled or cancel
            self.changed.notify_all()


class Fifo(Store):
    """First in, first out."""

    def __init__(self, label: str, capacity: int) -> None:
        super().__init__(label, capacity)
        self.items: deque[Element] = deque()

    def __len__(self) -> int:
        return len(self.items)

    def _put(self, element: Element) -> None:
        self.items.append(element)

    def _take(self) -> Element | None:
        return self.items.popleft() if self.items else None

    def _restore(self, elements: Sequence[Element]) -> None:
        self.items.extendleft(reversed(elements))


class Shuffled(Store):
    """A random element each time; at least `keep` stay until the queue is closed."""

    def __init__(self, label: str, capacity: int, keep: int, seeds: tuple[int, int]) -> None:
        super().__init__(label, capacity)
        self.items: list[Element] = []
        self.keep = keep
        self.draws = Draws(*seeds)

    def __len__(self) -> int:
        return len(self.items)

    def _put(self, element: Element) -> None:
        self.items.append(element)

    def _ready(self) -> bool:
        return len(self.items) > (0 if self.closed else self.keep)

    def _take(self) -> Element | None:
        if not self._ready():
            return None
        i = self.draws() % len(self.items)
        last = self.items.pop()
        if i == len(self.items):
            return last
        taken, self.items[i] = self.items[i], last
        return taken


class Prioritised(Store):
    """The element with the smallest first component.

    A heap; which of several smallest ones comes first is as in TensorFlow, which has C++'s.
    """

    def __init__(self, label: str, capacity: int) -> None:
        super().__init__(label, capacity)
        self.items: list[tuple[int, Element]] = []

    def __len__(self) -> int:
        return len(self.items)

    def _put(self, element: Element) -> None:
        item = int(element[0]), element
        self.items.append(item)
        self._rise(len(self.items) - 1, item)

    def _rise(self, hole: int, item: tuple[int, Element]) -> None:
        """Put an item in its place above a hole."""
        items = self.items
        while hole and items[(hole - 1) // 2][0] > item[0]:
            items[hole] = items[(hole - 1) // 2]
            hole = (hole - 1) // 2
        items[hole] = item

    def _take(self) -> Element | None:
        items = self.items
        if not items:
            return None
        taken, last = items[0], items.pop()
        if items:
            hole = 0
            while (child := 2 * hole + 1) < len(items):  # the hole sinks to the bottom
                if child + 1 < len(items) and items[child + 1][0] <= items[child][0]:
                    child += 1
                items[hole] = items[child]
                hole = child
            self._rise(hole, last)
        return taken[1]
