"""Constant subgraphs are computed once, here, by their numpy meaning and with its checks."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import is_known
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.convert import constant_op, make_constant
from graphc.ops.record import meaning

__all__ = ["LIMIT", "fold"]

#: Most elements of a folded result: larger ones are cheaper to compute than to keep.
LIMIT = 1 << 14


def fold(g: Graph) -> Graph:
    """Nodes all of whose inputs are constants become constants.

    A node that can fail is folded only when it does not: the error stays for the run, which
    knows the user's line (an optimiser must not erase it).
    """

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        for v in inputs:
            if v.node.op is not constant_op:
                return None
        r = n.op
        if not inputs or r.numpy is None or r.stateful or r.family in ("random", "state", "fused"):
            return None
        if any(not is_known(v.static_shape) or _size(v) > LIMIT for v in n.outputs):
            return None
        try:
            made = meaning(
                n.op, [v.node.attrs["value"] for v in inputs], n.attrs, [v.type for v in n.outputs]
            )
        except Exception:
            return None
        return [make_constant(a, v.dtype, n.name) for a, v in zip(made, n.outputs, strict=True)]

    return g.rebuild(step)


def _size(v: Value) -> int:
    n = 1
    for d in v.static_shape or ():
        n *= int(str(d))
    return n
