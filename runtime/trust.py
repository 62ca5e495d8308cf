"""When a plan that changes variables in place, without being able to fail, may run.

`graphc.runtime.bounds` shows that such a plan makes finite numbers of small ones. What it needs of
its variables is known (`Cell.least`) of those that such plans have written; others are looked at
once. A run stops, before it changes anything, at numbers that are too large for the proof; then it
is done again the slow way (`Compilation.safe`), which finds out whether they are infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.dims import Dim
from graphc.runtime.llvm.entry import SLOW
from graphc.runtime.llvm.watch import SMALL

if TYPE_CHECKING:
    from graphc.runtime.bounds import Guard
    from graphc.runtime.state import Cell, State

__all__ = ["FALSE_ALARMS", "TERMS", "Trusting", "few_terms", "trusted"]

#: Terms of a sum in a proof, at most.
TERMS = 1 << 20
#: How often a plan may stop at numbers that were none too large, until it is left alone.
FALSE_ALARMS = 3


def few_terms(guard: Guard, size: Callable[[Dim], int]) -> bool:
    """Whether sums have as few terms as the proof takes them to have."""
    return all(size(a) <= TERMS * max(1, size(b)) for a, b in guard.terms)


def trusted(state: State, guard: Guard, scan: bool) -> bool:
    """Whether variables are what the guard needs; with `scan` unknown ones are looked at."""
    if state.large[0]:  # a run made numbers too large for the next
        state.large[0] = 0
        for c in state.cells.values():
            state.learn(c, None)
    for name, least in guard.needs.items():
        cell = state.cells.get(name)
        if cell is None or not cell.ready:
            return False
        if cell.least is None or cell.least < least:
            if not scan:
                return False
            state.learn(cell, smallest(cell))
            if cell.least is None or cell.least < least:
                return False
    return True


def smallest(cell: Cell) -> float | None:
    """The least number of a variable; None where it has large ones, or NaN."""
    a = cell.array
    if cell.dtype.code not in ("f16", "f32", "f64"):
        return None
    if not a.size:
        return 0.0
    low, high = float(a.min()), float(a.max())
    return low if max(-low, high) < 2.0**SMALL and np.isfinite(low + high) else None


class Trusting:
    """The call of a program in a session that checks numbers: keeps what is known of variables.

    Parameters
    ----------
    guard : Guard or None
        What must hold, or the program is not called; None for one that may always run.
    writes : iterable of (Cell, float or None)
        What is known afterwards of the variables that it changes.
    """

    __slots__ = ("guard", "program", "seen", "state", "writes")

    def __init__(
        self, state: State, guard: Guard | None, writes: Iterable[tuple[Cell, float | None]],
        program: Callable[..., int],
    ) -> None:  # fmt: skip
        self.state = state
        self.guard = guard
        self.writes = list(writes)
        self.program = program
        self.seen = -1  # the last news: nothing has to be looked at again until there are others

    def __call__(self, *args: Any) -> int:
        state = self.state
        if self.seen != state.news or state.large[0]:
            if self.guard is not None and not trusted(state, self.guard, False):
                return SLOW
            for cell, least in self.writes:  # before it runs: then it is true whatever happens
                if cell.least is not None and (least is None or cell.least > least):
                    state.learn(cell, least)
            self.seen = state.news
        return self.program(*args)
