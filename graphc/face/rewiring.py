"""Operations of a recorded graph that are made to read other tensors, or to wait for others.

A node never changes once a session has run it (TensorFlow says the same). Before that its inputs
may be exchanged: then it, and all that depends on it, get numbers behind those of what they read,
for ascending numbers are an order in which everything can be computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.ir.build import InferError
from graphc.ir.node import next_id
from graphc.ir.region import Context

__all__ = ["check_inputs", "holds_contexts", "set_control", "set_inputs"]


def holds_contexts(op: Any) -> bool:
    """Whether an operation is a loop or a cond."""
    return any(isinstance(a, Context) for a in op.attrs.values())


def _after(op: Any) -> list[Any]:
    """All operations that depend on one, it included, in their order."""
    graph = op.graph
    found, waiting = {op}, [op]
    later: dict[Any, list[Any]] = {}
    for other in graph.get_operations():
        for before in other.control:
            later.setdefault(before, []).append(other)
        for t in other.inputs:
            later.setdefault(t.node, []).append(other)
    while waiting:
        for reader in later.get(waiting.pop(), ()):
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return sorted(found, key=lambda o: o.id)


def _place(op: Any, read: Iterable[Any]) -> None:
    """Give an operation a number behind those of what it reads, and so for what reads it."""
    read = list(read)
    if all(before.id < op.id for before in read):
        return
    behind = _after(op)
    if any(before in set(behind) for before in read):
        raise ValueError(f"{op.name} would depend on itself: it cannot read {read[-1].name}")
    if any(o in op.graph.contexts for o in behind):
        raise NotImplementedError(
            f"{op.name} cannot read what was made after it: a loop or a cond depends on it. Make "
            "the loop or cond after what it depends on, or copy with graph_replace."
        )
    for o in behind:
        o.id = next_id()


def check_inputs(op: Any, inputs: Sequence[Any]) -> None:
    """Whether an operation may read these tensors.

    Raises
    ------
    ValueError
        For another graph, another type, or a shape that does not fit.
    NotImplementedError
        For a loop, a cond, and what is inside of one.
    """
    if op in op.graph.contexts or holds_contexts(op):
        raise NotImplementedError(
            f"{op.name} is a loop or a cond or inside of one: it stays as it is"
        )
    for old, new in zip(op.inputs, inputs, strict=True):
        if new.graph is not op.graph:
            raise ValueError(f"{new.name} is of another graph than {op.name}")
        if new.dtype is not old.dtype:
            raise ValueError(
                f"{op.name} reads {old.name} of type {old.dtype.name}: it cannot read {new.name} "
                f"of type {new.dtype.name}. tf.cast makes one of the right type."
            )
    try:
        op.op.infer(tuple(inputs), op.attrs)
    except InferError as e:
        raise ValueError(f"{op.name} cannot read these tensors: {e}") from None


def set_inputs(op: Any, inputs: Sequence[Any]) -> None:
    """Let an operation read these tensors (`check_inputs`).

    Raises
    ------
    ValueError
        When it would depend on itself.
    """
    _place(op, [t.node for t in inputs])
    op.inputs = tuple(inputs)
    op.graph._users = (-1, {})


def set_control(op: Any, before: Sequence[Any]) -> None:
    """Let an operation wait for these, and no others.

    Raises
    ------
    ValueError
        For another graph, or where it would wait for itself.
    """
    for c in before:
        if c.graph is not op.graph:
            raise ValueError(f"{c.name} is of another graph than {op.name}")
    _place(op, before)
    op.control = tuple(before)
    op.graph._users = (-1, {})
