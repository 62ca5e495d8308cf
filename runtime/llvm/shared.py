"""What threads that make kernels share: a lock, counters, and who makes what."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphc.runtime.llvm.native_code import Compiled


__all__ = ["Pending", "Stats", "being_made", "counts", "lock"]


@dataclass
class Stats:
    """Counters since the start of the process (or `clear`).

    Attributes
    ----------
    compiled, loaded_from_disk, memory_hits : int
        Kernels, by where their code came from.
    llvm_seconds : float
        Time inside LLVM, summed over threads; 0.0 means it did nothing at all.
    emit_seconds : float
        Time in the callers' `emit` and in printing and checking IR.
    disk_errors, disk_rejected, evicted : int
        Trouble with the disk cache, none of it visible otherwise; files removed for size.
    live : int
        Kernels in memory now.
    """

    compiled: int = 0
    loaded_from_disk: int = 0
    memory_hits: int = 0
    llvm_seconds: float = 0.0
    emit_seconds: float = 0.0
    disk_errors: int = 0
    disk_rejected: int = 0
    evicted: int = 0
    live: int = 0

    def reset(self) -> None:
        """Start again from zero."""
        vars(self).update(vars(Stats()))


class Pending:
    """A kernel some thread is making."""

    __slots__ = ("done", "error", "owner", "result")

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.done = threading.Event()
        self.result: Compiled | None = None
        self.error: BaseException | None = None


counts = Stats()
lock = threading.RLock()  # of the tables below; never held while compiling or waiting
being_made: dict[bytes, Pending] = {}
