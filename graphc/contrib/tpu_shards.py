"""How many parts a program on a TPU has, as ``tensorflow.python.tpu.tpu_function`` tells it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TpuContext", "get_tpu_context", "tpu_shard_context"]


class TpuContext(threading.local):
    """The number of parts; None outside of a program for a TPU, so here always but where set."""

    def __init__(self) -> None:
        self._number_of_shards: int | None = None

    @property
    def number_of_shards(self) -> int | None:
        return self._number_of_shards

    def set_number_of_shards(self, number_of_shards: int | None) -> None:
        """Say how many there are."""
        self._number_of_shards = number_of_shards


_current = TpuContext()


def get_tpu_context() -> TpuContext:
    """The context of this thread."""
    return _current


@contextmanager
def tpu_shard_context(number_of_shards: int | None) -> Iterator[None]:
    """Inside, the context says `number_of_shards`.

    Raises
    ------
    NotImplementedError
        Inside of another.
    """
    if _current.number_of_shards is not None:
        raise NotImplementedError("tpu_shard_context cannot be nested.")
    _current.set_number_of_shards(number_of_shards)
    try:
        yield
    finally:
        _current.set_number_of_shards(None)
