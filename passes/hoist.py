"""What is the same in all iterations is computed once, before the loop."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ir.registry import REGIONS
from graphc.ops.pure import input_op
from graphc.passes.trim import region_with

__all__ = ["hoist"]

#: Ops that cost less where they are than as a tensor in memory.
CHEAP = frozenset({"fill", "broadcast_to", "reshape", "expand_dims", "squeeze", "zeros_like",
                   "ones_like", "constant", "sizes", "identity", "input"})  # fmt: skip

#: Families whose members are functions of their operands.
MOVED = frozenset({"elementwise", "reduction", "contraction", "composite", "view", "structured"})


def hoist(g: Graph) -> Graph:
    """Nodes of a loop that need none of its variables are outside of it.

    One that can fail stays: a loop may make no iteration at all.
    """

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        return _loop(n, inputs)

    return g.rebuild(step, ops={"while"}) if _loops(g) else g


def _loops(g: Graph) -> bool:
    return any(n.op.name == "while" for n in g.nodes())


def _loop(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    count = len(n.outputs)
    regions = {k: n.attrs[k] for k in REGIONS["while"]}
    moved: list[Value] = []  # outside
    inside: dict[str, list[Value]] = {k: [] for k in regions}
    for key, region in regions.items():
        for inner, outer in _invariants(region, inputs, count):
            moved.append(outer)
            for k in regions:
                inside[k].append(inner if k == key else _input(inner))
    if not moved:
        return None
    attrs = dict(n.attrs)
    for key, region in regions.items():
        attrs[key] = _reading(region, inside[key])
    types = [v.type for v in n.outputs]
    return Node(n.op, [*inputs, *moved], attrs, types, n.name, (), n.source).outputs


def _invariants(region: Graph, inputs: tuple[Value, ...], count: int) -> list[tuple[Value, Value]]:
    """Values of a region that others in it read and that need no loop variable; as outside."""
    outer: dict[Value, Value] = dict(zip(region.inputs[count:], inputs[count:], strict=True))
    found: dict[Value, Value] = {}
    nodes = region.nodes()
    for n in nodes:
        if n.op.name in ("constant", "sizes"):
            outer.update((v, v) for v in n.outputs)
        elif _moves(n) and all(v in outer for v in n.inputs):
            made = copy(n, [outer[v] for v in n.inputs])
            for v, w in zip(n.outputs, made.outputs, strict=True):
                outer[v] = found[v] = w
    if not found:
        return []
    read = set(region.outputs)
    for n in nodes:
        if not all(v in found for v in n.outputs):
            read.update(n.inputs)
    return [(v, w) for v, w in found.items() if v in read and v.node.op.name not in CHEAP]


def _moves(n: Node) -> bool:
    r = n.op
    return r.family in MOVED and not r.fails and not r.stateful and bool(n.inputs)


def _input(like: Value) -> Value:
    attrs = {"index": -1, "dtype": like.dtype, "shape": like.static_shape}
    return Node(input_op, (), attrs, [like.type], like.node.name).outputs[0]


def _reading(region: Graph, values: Sequence[Value]) -> Graph:
    """The region with more inputs, in the place of some of its values."""
    new = {v: (v if v.node.op is input_op else _input(v)) for v in values}

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if n.outputs and n.outputs[0] in new and n.op is not input_op:
            return [new.get(v, v) for v in n.outputs]
        return None

    g = region.rebuild(step)
    return region_with(g, [*region.inputs, *[new[v] for v in values]], g.outputs)
