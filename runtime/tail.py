"""Host ops at the end of a run: applied to its results, so that it need not be cut for them.

A run that trains and writes summaries is one native part: what the summaries show leaves it as
results, and the host makes strings of them afterwards. Ops with the fact ``late`` may be treated so
where nothing native and no order depends on them. Should one fail, variables are put back.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from graphc.ir.node import Node, Value
from graphc.passes.reach import needed
from graphc.passes.references import variable_of
from graphc.runtime import host

__all__ = ["Tail", "late_nodes"]


def late_nodes(
    nodes: Sequence[Node], fetches: Sequence[Value], given: Container[Value]
) -> list[Node]:
    """Those of the nodes of a run that can be applied when all else is done, in order."""
    if not any(["late" in n.op.facts for n in nodes]):
        return []
    early: set[Node] = set()  # what something that is not late depends on
    late: set[Node] = set()
    strings: set[Node] = set()  # constants that only late nodes may read
    for n in reversed(nodes):
        if n not in early and n.op.facts.get("late") and not n.control:
            late.add(n)
            continue
        if n not in early and _is_text(n):
            strings.add(n)
            continue
        early.update(v.node for v in n.inputs if v not in given)
        early.update(n.control)
    fetched = {v.node for v in fetches}
    read = {v.node for n in late for v in n.inputs}
    late.update(n for n in strings if n in read and n not in fetched)
    return [n for n in nodes if n in late]


def _is_text(n: Node) -> bool:
    return n.op.name == "constant" and n.outputs[0].dtype.kind == "s"


class Tail:
    """A run and what the host applies to its results.

    Attributes
    ----------
    main : run
        All but the late nodes.
    """

    def __init__(
        self, make: Any, fetches: Sequence[Value], targets: Sequence[Node],
        feeds: Sequence[Value], late: Sequence[Node],
    ) -> None:  # fmt: skip
        last = frozenset(late)
        self.late = [n for n in late if n.op.family == "host"]
        self.texts = [n for n in late if n.op.family != "host"]
        wanted: dict[tuple[Value, Node | None], int] = {}
        for v in fetches:
            if v.node not in last or v in feeds:
                wanted.setdefault((v, None), len(wanted))
        given = frozenset(feeds)
        for n in self.late:
            for v in n.inputs:
                if v in given:
                    wanted.setdefault((v, None), len(wanted))
                elif v.node not in last:
                    wanted.setdefault((v, n), len(wanted))
        rest = tuple([t for t in targets if t not in last])
        values = tuple([v for v, _ in wanted])
        self.main = make(values, rest, tuple(feeds), tuple([r for _, r in wanted]))
        self.state, self.executor = self.main.state, self.main.executor
        self.changes = sorted({
            variable_of(n.inputs[0])
            for n in needed(values, rest, given)
            if n.op.facts.get("update")
        })  # fmt: skip
        self.first = len(wanted)
        place: dict[Value, int] = {}
        for n in (*self.texts, *self.late):
            for v in n.outputs:
                place[v] = len(wanted) + len(place)
        self.operands = [
            (n, [wanted[v, None] if v in given else place[v] if v in place else wanted[v, n]
                 for v in n.inputs])
            for n in self.late
        ]  # fmt: skip
        self.results = [wanted[v, None] if (v, None) in wanted else place[v] for v in fetches]

    def __call__(self, *values: Any) -> list[Any]:
        before = self.saved() if self.changes else None
        known = list(self.main(*values))
        try:
            known += [n.attrs["value"] for n in self.texts]
            for n, places in self.operands:
                arrays = [host.operand(known[i]) for i in places]
                known += host.apply(n, arrays, self.state, self.executor)
        except BaseException:
            if before is not None:
                self.restore(before)
            raise
        return [known[i][()] if i >= self.first else known[i] for i in self.results]

    def saved(self) -> tuple[dict[str, Any], dict[Node, int]]:
        """The variables that the run changes, and the counters of random ops."""
        with self.state.lock:
            cells = self.state.cells
            found = {name: cells[name] for name in self.changes if name in cells}
            kept = {n: (c, c.ready, c.array.copy() if c.ready else None) for n, c in found.items()}
            return kept, dict(self.state.skips)

    def restore(self, before: tuple[dict[str, Any], dict[Node, int]]) -> None:
        """The session as it was."""
        state = self.state
        with state.lock:
            cells, skips = before
            for name in self.changes:
                if name not in cells:
                    state.cells.pop(name, None)
                    continue
                cell, ready, array = cells[name]
                if array is not None:
                    np.copyto(cell.array, array)
                state.learn(cell, None)
                cell.ready = ready
                state.cells[name] = cell
            state.skips.clear()
            state.skips.update(skips)
            state.wrote()
            state.epoch += 1
