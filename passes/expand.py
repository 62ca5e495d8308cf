"""Composite ops become the simpler ops they are made of, so that these fuse."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ops import shapes

__all__ = ["expand"]


def expand(g: Graph) -> Graph:
    """Every node whose record has `expand` is replaced by what it expands to."""

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | Sequence[Value] | None:
        if n.op.family == "contraction":
            return whole_batches(n, inputs)
        if n.op.expand is None:
            return None
        made = n.op.expand(*inputs, **n.attrs)
        return made if isinstance(made, Value) else tuple(made)

    # what an op expands to may hold composites again
    while True:
        nodes = g.nodes()
        if not any(n.op.expand is not None or needs_batches(n) for n in nodes):
            return g
        g = g.rebuild(step, nodes)


def needs_batches(n: Node) -> bool:
    """Whether a matrix product broadcasts batch dimensions of an operand."""
    if n.op.family != "contraction" or len(n.inputs) != 2 or n.outputs[0].static_shape is None:
        return False
    batch = n.outputs[0].static_shape[:-2]
    return any(
        (s := v.static_shape) is not None and len(s) > 2 and s[:-2] != batch for v in n.inputs
    )


def whole_batches(n: Node, inputs: tuple[Value, ...]) -> Value | None:
    """Operands of a batched product get all batch dimensions, or none at all (shared)."""
    if not needs_batches(n):
        return None
    shape = n.outputs[0].static_shape
    assert shape is not None
    made = []
    for v in inputs:
        s = v.static_shape
        assert s is not None
        if len(s) > 2 and s[:-2] != shape[:-2]:
            if all(d == 1 for d in s[:-2]):
                v = shapes.reshape_static(v, s[-2:])
            else:
                v = shapes.broadcast_to(v, (*shape[:-2], *s[-2:]))
        made.append(v)
    return copy(n, made).outputs[0]
