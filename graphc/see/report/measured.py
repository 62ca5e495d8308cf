"""What was measured or is known in numbers about the steps of a compilation: times and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.see.memory import memory_of
from graphc.see.profile import StepProfile, work_of
from graphc.see.report.table import Lines

__all__ = ["arena", "work"]


def work(c: Any, steps: Sequence[dict[str, Any]], profile: Sequence[StepProfile]) -> None:
    """Enter times, bytes and flops into the steps of one part: measured, or as they are known."""
    for s, spec in zip(steps, c.plan.steps, strict=True):
        s["ns"] = None
        if s["kernel"] >= 0:
            try:
                s["bytes"], s["flops"] = work_of(spec, "", c.plan.facts.env)
            except (KeyError, NotImplementedError):
                s["bytes"], s["flops"] = None, None
    measured = [p for p in profile if 0 <= p.step < len(steps)]
    for p in measured:
        if steps[p.step]["name"] != p.kernel:
            return  # another plan than this one: no times are better than wrong ones
    for p in measured:
        s = steps[p.step]
        if s["ns"] is None:
            s.update(ns=0, bytes=0, flops=0, count=0, phases=[])
        s["ns"] += round(p.nanoseconds)
        s["bytes"] += p.bytes
        s["flops"] += p.flops
        s["count"] = max(s["count"], p.calls)
        s["phases"].append([p.phase, round(p.nanoseconds)])


def arena(c: Any, threads: int, rows: Mapping[Any, int], lines: Lines) -> dict[str, Any]:
    """Every buffer of a run's arena: where it is, from which step to which, and whose it is."""
    m = memory_of(c, threads=threads)
    return {
        "total": m.arena, **m.outside,
        "buffers": [
            {"kind": b.kind, "name": b.name, "offset": b.offset, "bytes": b.bytes,
             "first": b.first, "last": b.last, "node": rows.get(b.node, -1),
             "lines": [] if b.node is None else lines.add(b.node.source)}
            for b in m.buffers
        ],
    }  # fmt: skip
