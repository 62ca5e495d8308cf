"""Nodes that compute the same value become one node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value

__all__ = ["attribute_key", "cse"]


def attribute_key(a: Any) -> Any:
    """A hashable form of an attribute; equal exactly when the attributes are."""
    if isinstance(a, np.ndarray):
        return (a.dtype.str, a.shape, a.tobytes())
    if isinstance(a, dict):
        return tuple(sorted((k, attribute_key(v)) for k, v in a.items()))
    if isinstance(a, (list, tuple)):
        return tuple([attribute_key(x) for x in a])
    if type(a) is float:
        return a.hex()
    return a


def cse(g: Graph) -> Graph:
    """Nodes that compute the same value become one node; random draws stay apart."""
    seen: dict[Any, Sequence[Value]] = {}

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if (
            n.op.stateful
            or n.op.family == "random"
            or (n.op.name == "constant" and n.attrs["value"].size > 4096)
        ):
            return None
        attrs = n.attrs
        key = (
            n.op.name, inputs,
            tuple([(k, attribute_key(attrs[k])) for k in sorted(attrs)]) if attrs else (),
            n.outputs[0].dtype.code if n.op.name == "constant" else None,
        )  # fmt: skip
        known = seen.get(key)
        if known is not None:
            return known
        if inputs == n.inputs:
            seen[key] = n.outputs
            return None
        from_copy = Node(n.op, inputs, attrs, [v.type for v in n.outputs], n.name, (), n.source)
        seen[key] = from_copy.outputs
        return from_copy.outputs

    return g.rebuild(step)
