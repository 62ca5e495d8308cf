"""What the runtime did since the process started."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counters", "counters"]


@dataclass
class Counters:
    """What the runtime did since the process started: read them to see that nothing recompiles.

    Attributes
    ----------
    plans : int
        Graphs optimised and lowered.
    plans_loaded : int
        Plans found on disk, with nothing left to do but to bind them to sizes.
    bindings : int
        Plans bound to new sizes (memory plans; no LLVM).
    assigned : int
        Runs that gave variables constants, for which no code was made.
    runs : int
        Runs that took the slow gate (the quick path is not counted, it costs nothing).
    """

    plans: int = 0
    plans_loaded: int = 0
    bindings: int = 0
    assigned: int = 0
    runs: int = 0


counters = Counters()
