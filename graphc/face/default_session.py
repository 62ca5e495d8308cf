"""The stack of default sessions, one a thread."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["get_default_session"]


class Sessions(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []


sessions = Sessions()


def get_default_session() -> Any:
    """The innermost default session of this thread, or None."""
    stack = sessions.stack
    return stack[-1] if stack else None
