"""What a session chooses for all its runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Options", "available_threads"]


@dataclass(frozen=True)
class Options:
    """How a session compiles and runs.

    Attributes
    ----------
    level : int
        0, 1 or 2.
    passes : str or None
        The pipeline as text, instead of the level's.
    off : tuple of str
        Passes to leave out.
    threads : int
        Threads of a run; 0 is one for each core.
    check : bool
        Verify after each pass.
    numerics : bool
        Stop a run that makes an infinity or a NaN, before it commits anything.
    memory_limit : int
        Bytes that the temporaries of a native part of a run may take; 0 is no limit.
    """

    level: int = 2
    passes: str | None = None
    off: tuple[str, ...] = ()
    threads: int = 0
    check: bool = False
    numerics: bool = False
    memory_limit: int = 0


def available_threads() -> int:
    from graphc.runtime.llvm.cpu import host

    return host().cores
