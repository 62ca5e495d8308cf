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
        op, attrs = n.op, n.attrs
        if op.stateful or op.family == "random":
            return None
        key: Any
        if not attrs:
            key = (op.name, inputs)
        elif op.name == "constant":
            value = attrs["value"]
            if value.size > 4096:
                return None
            key = (op.name, n.outputs[0].dtype.code, attribute_key(value), len(attrs))
        else:
            key = (op.name, inputs, tuple([(k, attribute_key(attrs[k])) for k in sorted(attrs)]))
        made = n.outputs
        if inputs is not n.inputs and inputs != n.inputs:
            known = seen.get(key)
            if known is not None:
                return known
            types = [(v.dtype, v.static_shape) for v in n.outputs]
            made = Node(n.op, inputs, attrs, types, n.name, (), n.source).outputs
            seen[key] = made
            return made
        known = seen.setdefault(key, made)
        return None if known is made else known

    return g.rebuild(step)
