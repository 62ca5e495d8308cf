"""Interrupts (Ctrl-C) wait while a pipeline makes an element.

A pipeline is Python code on the way to its next element: an interrupt in the middle of it would end
its generators, and the session would find the end of the sequence where there is more. TensorFlow
lets a run finish before Python hears of a signal. Here the first interrupt waits for the element
that is being made; the second, for a source that waits forever, is at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["undisturbed"]


def undisturbed(f: Callable[[], Any]) -> Any:
    """``f()``; an interrupt that arrives in the meantime is raised behind it."""
    if threading.current_thread() is not threading.main_thread():
        return f()  # Python handles signals in the main thread
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual):
        return f()
    waiting: list[Any] = []

    def later(number: int, frame: Any) -> None:
        if waiting:
            usual(number, frame)
        waiting.append(frame)

    signal.signal(signal.SIGINT, later)
    try:
        return f()
    finally:
        signal.signal(signal.SIGINT, usual)
        if waiting:
            usual(signal.SIGINT, waiting[0])
