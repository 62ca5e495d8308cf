"""What an update of a variable waits for in TensorFlow, where values are read in place.

Here a run reads variables as they were at its start (`graphc.passes.functionalize`). There a
``VariableV2`` is memory: what reads it may run after an update of the same step has changed it.
TensorFlow's optimizers are one operation for each variable; graphc writes them as several. So each
update waits for what reads the variable in the same group of operations, before any update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.ir.node import Node, Value

__all__ = ["readers"]


#: Ops whose result may be the memory of their operand, there.
_SHARES = frozenset({
    "identity", "reshape", "transpose", "expand_dims", "squeeze", "stop_gradient", "slice",
    "prevent_gradient", "reshape_like", "strided_slice", "split", "split_v", "unstack", "bitcast",
    "cast", "fit_rank", "ensure_shape", "identity_n",
})  # fmt: skip


def readers(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """Update → nodes that must have read its variable before.

    Parameters
    ----------
    nodes : sequence of Node
        In the order in which they were recorded.
    """
    updates: dict[Value, list[Node]] = {}
    for n in nodes:
        if n.op.facts.get("update"):
            updates.setdefault(_variable(n.inputs[0]), []).append(n)
    if not updates:
        return {}
    reads = _reads(nodes, updates)
    out: dict[Node, list[Node]] = {}
    for group in _groups(nodes):
        members = _before(group)
        for variable, changing in updates.items():
            found = [n for n in reads.get(variable, ()) if n in members]
            for u in changing if found else ():
                if u in members:
                    mine = {v.node for v in u.inputs}
                    before = out.setdefault(u, [])
                    before += [n for n in found if n not in mine and n not in before]
    return out


def _reads(nodes: Sequence[Node], updates: Mapping[Value, list[Node]]) -> dict[Value, list[Node]]:
    """Variable → what computes with it and comes after no update."""
    late = _after(nodes, [u for us in updates.values() for u in us])
    out: dict[Value, list[Node]] = {}
    memory = {v: v for v in updates}  # what is the variable's, not a copy
    for n in nodes:
        if n in late:
            continue
        for v in n.inputs:
            of = memory.get(v)
            if of is None:
                continue
            if n.op.name in _SHARES:
                memory.update(dict.fromkeys(n.outputs, of))
            if n.op.name != "identity":
                out.setdefault(of, []).append(n)
    return out


def _variable(v: Value) -> Value:
    while v.node.op.name != "variable":
        v = v.node.inputs[0]
    return v


def _after(nodes: Iterable[Node], updates: Iterable[Node]) -> set[Node]:
    """The updates, and all that depends on them."""
    out = set(updates)
    for n in nodes:
        if any(v.node in out for v in n.inputs) or any(c in out for c in n.control):
            out.add(n)
    return out


def _groups(nodes: Sequence[Node]) -> list[Node]:
    """Operations that stand for several, the outermost of them."""
    found = [n for n in nodes if n.op.name == "no_op" and len(n.control) > 0]
    inner = {c for n in found for c in n.control if c.op.name == "no_op"}
    return [n for n in found if n not in inner]


def _before(group: Node) -> set[Node]:
    """All that a group needs."""
    out: set[Node] = set()
    stack = [group]
    while stack:
        n = stack.pop()
        if n not in out:
            out.add(n)
            stack += [v.node for v in n.inputs]
            stack += n.control
    return out
