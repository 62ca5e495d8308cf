"""Which variable a node reads or changes."""

from __future__ import annotations

from collections.abc import Container

from graphc.ir.node import Node, Value
from graphc.ir.region import Context

__all__ = ["begins", "changes", "is_snapshot", "variable_node", "variable_of"]


def begins(v: Value, home: Context | None, made: Container[Value]) -> bool:
    """Whether the fed `v` is a variable as it is at the start, which updates may change.

    So are those that the region `home` is given, and those of strings that an earlier part read.
    """
    return v.node.op.name == "variable" and (
        home is not None or (v in made and v.dtype.hosted)
    )  # fmt: skip


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
