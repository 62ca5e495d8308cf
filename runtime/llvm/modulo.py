"""Modulo scheduling: when each instruction of a loop's body is begun, every so many cycles.

Swing modulo scheduling (J. Llosa et al., "Swing Modulo Scheduling: A Lifetime-Sensitive
Approach", PACT 1996) without recurrences: bodies here are acyclic, what goes on from iteration
to iteration is added outside. Nodes are placed one by one, each next to one that is placed
already, as near to it as the units allow, so that values wait for short in registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Work", "least_interval", "longest_chain", "schedule"]


class Work(NamedTuple):
    """What an instruction takes: cycles until its result is there, and cycles of units.

    `multiply`, `add` and `permute` are cycles of one unit of the two that multiply and divide,
    of the two that do the other arithmetic, and of any two of these.
    """

    cycles: int
    multiply: int = 0
    add: int = 0
    permute: int = 0


_EACH = 2  # units of a kind


class _Table:
    """Which cycles of the units are taken, modulo the interval."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.taken = [[0, 0, 0] for _ in range(interval)]

    def excess(self, t: int, work: Work) -> int:
        """By how much the work, begun in cycle `t`, takes more than there is."""
        out = 0
        for i, want in self._cycles(t, work):
            multiply, add, permute = (h + w for h, w in zip(self.taken[i], want, strict=True))
            out += sum(max(0, n - _EACH) for n in (multiply, add, permute))
            out += max(0, multiply + add + permute - 2 * _EACH)
        return out

    def take(self, t: int, work: Work) -> None:
        for i, want in self._cycles(t, work):
            self.taken[i] = [h + w for h, w in zip(self.taken[i], want, strict=True)]

    def _cycles(self, t: int, work: Work) -> list[tuple[int, list[int]]]:
        """Cycles of the interval from `t` on, and what is needed of each kind."""
        wanted = work[1:]
        return [((t + c) % self.interval, [int(c < n) for n in wanted]) for c in range(max(wanted))]


def least_interval(works: Sequence[Work]) -> int:
    """Cycles an iteration takes at least."""
    multiply, add, permute = (sum(w[i] for w in works) for i in (1, 2, 3))
    longest = max(max(w[1:]) for w in works)
    bounds = (longest, -(-multiply // _EACH), -(-add // _EACH),
              -(-(multiply + add + permute) // (2 * _EACH)))  # fmt: skip
    return max(1, *bounds)


def longest_chain(works: Sequence[Work], before: Mapping[int, Sequence[int]]) -> int:
    """Cycles from the first instruction to the last result."""
    return max(t + w.cycles for t, w in zip(_depth(works, before), works, strict=True))


def _depth(works: Sequence[Work], before: Mapping[int, Sequence[int]]) -> list[int]:
    """When the operands of each node are there, were there units for all at once."""
    depth = [0] * len(works)
    for v in range(len(works)):
        depth[v] = max((depth[p] + works[p].cycles for p in before.get(v, ())), default=0)
    return depth


def schedule(
    works: Sequence[Work], before: Mapping[int, Sequence[int]], interval: int
) -> list[int] | None:
    """The cycle each node is begun in, the first in 0; None when they do not fit.

    Parameters
    ----------
    works : list of Work
        Of nodes in an order in which each is after those that it uses.
    before : dict of int to list of int
        The nodes whose results a node uses.
    interval : int
        Cycles from one iteration to the next.
    """
    n = len(works)
    after: list[list[int]] = [[] for _ in range(n)]
    for u in range(n):
        for v in before.get(u, ()):
            after[v].append(u)
    order = _order(works, before, after)
    table = _Table(interval)
    at: dict[int, int] = {}
    for v in order:
        used = [(at[p], works[p].cycles) for p in before.get(v, ()) if p in at]
        users = [at[u] for u in after[v] if u in at]
        earliest = max((t + c for t, c in used), default=None)
        latest = min((t - works[v].cycles for t in users), default=None)
        if earliest is not None and latest is not None and latest < earliest:
            # no room for all cycles of its own and before: between those, it waits or is waited for
            earliest, latest = max(t for t, _ in used), min(users)
            if latest < earliest:
                return None
        if earliest is None and latest is None:
            earliest = 0
        if earliest is not None:
            last = earliest + interval - 1
            tries = range(earliest, (last if latest is None else min(last, latest)) + 1)
        else:
            assert latest is not None
            tries = range(latest, latest - interval, -1)
        least = None
        for t in tries:
            excess = table.excess(t, works[v])
            if least is None or excess < least:
                at[v], least = t, excess
            if not excess:
                break
        table.take(at[v], works[v])
    first = min(at.values())
    return [at[v] - first for v in range(n)]


def _order(
    works: Sequence[Work], before: Mapping[int, Sequence[int]], after: Sequence[Sequence[int]]
) -> list[int]:
    """The order in which nodes are placed: each beside users or used ones of those before."""
    n = len(works)
    depth, height = _depth(works, before), [0] * n
    for v in reversed(range(n)):
        height[v] = max((height[s] + works[v].cycles for s in after[v]), default=0)
    out: list[int] = []
    done: set[int] = set()

    def beside(down: bool) -> set[int]:
        near = (u for v in out for u in (after[v] if down else before.get(v, ())))
        return {u for u in near if u not in done}

    down = False
    while len(out) < n:
        ready = beside(down)
        if not ready:
            down = not down
            ready = beside(down)
        if not ready:  # nothing that hangs together with what is placed
            left = (v for v in range(n) if v not in done)
            ready = {max(left, key=lambda v: (depth[v], height[v], v))}
            down = False
        while ready:
            # of equal ones first what the others wait for: nodes may take no time
            v = max(ready, key=lambda v: (height[v], -v) if down else (depth[v], v))
            out.append(v)
            done.add(v)
            ready.discard(v)
            ready |= {u for u in (after[v] if down else before.get(v, ())) if u not in done}
        down = not down
    return out
