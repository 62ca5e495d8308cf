"""Room on Python's stack for what goes into constructs inside of each other.

Passes, plans and emitters call themselves for the inside of a loop or a cond. Python refuses more
than 1,000 calls inside of each other, which some 60 constructs reach; so for a graph with more of
them the limit is raised, by as much as they need, while it is worked on. A graph with few leaves
the limit alone, and so does what users call themselves.
"""

from __future__ import annotations

import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["room_for"]

#: So many constructs inside of each other need no more room than there is.
FEW = 20

#: Calls inside of each other that one construct takes, at most.
CALLS = 25


def room_for(graph: Any) -> AbstractContextManager[None]:
    """A block in which functions may call themselves for each level of a recorded graph."""
    levels: int = getattr(graph, "deepest", 0)
    return nullcontext() if levels <= FEW else _Room(levels)


class _Room:
    """The limit is of the whole process: the last block that is left puts it back."""

    _lock = threading.Lock()
    _blocks = 0
    _usual = 0  # the limit outside of all blocks
    _raised = 0  # what they made of it

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def __enter__(self) -> None:
        room = _Room
        with room._lock:
            now = sys.getrecursionlimit()
            if not room._blocks or now != room._raised:  # or the user set another meanwhile
                room._usual = now
            room._blocks += 1
            room._raised = max(now, room._usual + self.levels * CALLS)
            sys.setrecursionlimit(room._raised)

    def __exit__(self, *error: object) -> None:
        room = _Room
        with room._lock:
            room._blocks -= 1
            if not room._blocks and sys.getrecursionlimit() == room._raised:
                sys.setrecursionlimit(room._usual)
