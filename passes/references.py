"""Which variable a node reads or changes."""

from __future__ import annotations

from graphc.ir.node import Node, Value

__all__ = ["changes", "is_snapshot", "variable_node", "variable_of"]


def changes(n: Node) -> tuple[Value, ...]:
    """The outputs of a construct that are what it makes of variables."""
    return n.outputs[len(n.outputs) - len(n.attrs["updates"]) :]


def is_snapshot(n: Node) -> bool:
    """Whether `n` is the read that every variable has from its creation (``v/read``).

    TF1's shares the variable's memory: who uses it after an update sees the update. So does what
    `identity` makes of it, unless the variable is a resource, whose reads are copies.
    """
    if n.op.name != "identity" or n.control:
        return False
    source = n.inputs[0].node
    if source.op.name == "variable":
        return True
    while source.op.name == "identity" and not source.control:
        source = source.inputs[0].node
    return source.op.name == "variable" and "resource" not in source.attrs


def variable_of(v: Value) -> str:
    """The variable that a reference (of it, or of what an update returned) means."""
    return str(variable_node(v).attrs["var"])


def variable_node(v: Value) -> Node:
    n = v.node
    while n.op.name != "variable":
        n = n.inputs[0].node
    return n
