"""Matrix products that share their right operand pack it once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.runtime.steps import Buf, StepSpec

__all__ = ["share_panels"]


def share_panels(steps: Sequence[StepSpec]) -> None:
    """Name for each product the step whose panels it reads, where several have the same ones.

    They are the steps of a recurrent net, most of all. Between them is no place where the run may
    branch, so that the first one runs whenever another does, and nothing that writes the operand.
    Their sizes are the same, hence their kernel too, whatever that is.
    """
    first: dict[Any, StepSpec] = {}
    by_buffer: dict[Buf, list[Any]] = {}
    for s in steps:
        if not s.calls:
            first.clear()
            by_buffer.clear()
            continue
        key = _key(s)
        if key is not None:
            leader = first.setdefault(key, s)
            if leader is s:
                by_buffer.setdefault(s.binds[1], []).append(key)
            else:
                leader.panels = s.panels = leader
                leader.sharers += 1
        for b in s.writes:
            for k in by_buffer.pop(b, ()):
                first.pop(k, None)


def _key(s: StepSpec) -> Any:
    con = s.code.contraction
    if con is None or con.batch != 1 or con.chain != 0 or s.ahead is not None:
        return None
    return s.binds[1], con.dtype, con.ta, con.tb, con.m, con.n, con.k
