"""Limits of memory, and the error for what goes beyond."""

from __future__ import annotations

from graphc.errors import ResourceExhaustedError

__all__ = ["LARGEST", "OutOfMemoryError"]


#: Bytes beyond which no buffer is asked for (rule C15).
LARGEST = 1 << 47


class OutOfMemoryError(ResourceExhaustedError, MemoryError):  # type: ignore[misc, valid-type]
    """A run needs more memory than there is."""
