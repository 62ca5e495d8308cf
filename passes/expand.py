"""Composite ops become the simpler ops they are made of, so that these fuse."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value

__all__ = ["expand"]


def expand(g: Graph) -> Graph:
    """Every node whose record has `expand` is replaced by what it expands to."""

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | Sequence[Value] | None:
        if n.op.expand is None:
            return None
        made = n.op.expand(*inputs, **n.attrs)
        return made if isinstance(made, Value) else tuple(made)

    # what an op expands to may hold composites again
    while True:
        nodes = g.nodes()
        if not any(n.op.expand is not None for n in nodes):
            return g
        g = g.rebuild(step, nodes)
