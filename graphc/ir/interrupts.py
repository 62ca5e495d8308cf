"""Interrupts (Ctrl-C) that wait for the end of what must not be cut off.

Python raises `KeyboardInterrupt` between any two instructions of the main thread. In the middle of
a pipeline it would end generators, and the session would find the end of the sequence where there
is more; in a method that takes a lock (a `Condition`, llvmlite's lock) it leaves the lock taken for
ever. TensorFlow lets a run finish before Python hears of a signal.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Undisturbed", "heed"]

#: The block that the main thread is in.
_inside: Undisturbed | None = None


def heed() -> None:
    """Raise an interrupt that waits: for those who wait inside of such a block."""
    if _inside is not None and threading.current_thread() is threading.main_thread():
        _inside.heed()


class Undisturbed:
    """A block that interrupts do not cut off: what arrives inside is raised behind it.

    Parameters
    ----------
    at_most : int
        How many interrupts wait; a further one is raised at once, for blocks that may never end.
    """

    __slots__ = ("around", "at_most", "usual", "waiting")

    def __init__(self, at_most: int = 1_000_000) -> None:
        self.at_most = at_most
        self.waiting: list[FrameType | None] = []
        self.usual: Any = None
        self.around: Undisturbed | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python handles signals in the main thread
        usual = signal.getsignal(signal.SIGINT)
        if callable(usual):
            global _inside
            self.usual = usual
            signal.signal(signal.SIGINT, self._later)
            self.around, _inside = _inside, self

    def _later(self, number: int, frame: FrameType | None) -> None:
        self.waiting.append(frame)
        if len(self.waiting) > self.at_most:
            self.usual(number, frame)

    def heed(self) -> None:
        """Raise what waits."""
        if self.waiting:
            frame = self.waiting[0]
            self.waiting.clear()
            self.usual(signal.SIGINT, frame)

    def __exit__(self, *error: object) -> None:
        if self.usual is not None:
            global _inside
            _inside = self.around
            signal.signal(signal.SIGINT, self.usual)
            if error[0] is not KeyboardInterrupt:
                self.heed()
