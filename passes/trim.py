"""Loops and conds without what nobody uses: loop variables, results, captured values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.ir import permit
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value, reachable
from graphc.ir.registry import REGIONS
from graphc.ops.pure import input_op

__all__ = ["region_with", "trim"]


def region_with(region: Graph, inputs: Sequence[Value], outputs: Sequence[Value]) -> Graph:
    """`region` with only these of its inputs, numbered anew, and these outputs."""
    facts, new = region.facts, {}
    for i, v in enumerate(inputs):
        n = v.node
        attrs = {**n.attrs, "index": i}
        made = Node(input_op, (), attrs, [v.type], n.name, (), n.source).outputs[0]
        new[v] = made
        if v in facts.inner:
            facts.inner[made] = facts.inner[v]
        if v in facts.known:
            facts.known[made] = facts.known[v]
    g = replace(region, outputs=tuple(outputs))
    g = g.rebuild(lambda n, _: new.get(n.outputs[0]), ops={"input"})
    return replace(g, inputs=tuple(new.values()))


def trim(g: Graph) -> Graph:
    """Loop variables and results that nobody reads are gone, with all that made only them.

    A loop variable that stays as it is becomes a captured value, and a cond whose predicate is
    known the branch that runs.
    """
    if not any(n.op.name in REGIONS for n in g.nodes()):
        return g
    read = set(g.roots)
    for n in g.nodes():
        read.update(n.inputs)

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        used = [v in read for v in n.outputs]
        made = _loop(n, inputs, used) if n.op.name == "while" else _cond(n, inputs, used)
        return made if made is not None and permit.allowed(n) else None

    return g.rebuild(step, ops=set(REGIONS))


def _needed(region: Graph, roots: Sequence[Value]) -> set[Value]:
    """The inputs of a region that some of its values need."""
    nodes = set(reachable([v.node for v in roots]))
    return {v for v in region.inputs if v.node in nodes}


def _loop(n: Node, inputs: tuple[Value, ...], used: list[bool]) -> Sequence[Value] | None:
    cond, body = n.attrs["cond"], n.attrs["body"]
    count = len(n.outputs)
    still = {i for i in range(count) if body.outputs[i] is body.inputs[i]}
    tested = _needed(cond, cond.outputs)
    live = {i for i in range(count) if used[i] or cond.inputs[i] in tested} - still
    wanted: set[Value] = set()
    while True:
        wanted = _needed(body, [body.outputs[i] for i in sorted(live)])
        more = {i for i in range(count) if body.inputs[i] in wanted} - still - live
        if not more:
            break
        live |= more
    rest = [
        i
        for i in range(len(inputs))
        if (i >= count or i in still) and (body.inputs[i] in wanted or cond.inputs[i] in tested)
    ]
    if not live:
        return None  # a loop that changes nothing ends at once or never: that stays so
    if len(live) == count and len(rest) == len(inputs) - count:
        return None
    carried = sorted(live)
    kept = [*carried, *rest]
    attrs = {
        **n.attrs,
        "cond": region_with(cond, [cond.inputs[i] for i in kept], cond.outputs),
        "body": region_with(
            body, [body.inputs[i] for i in kept], [body.outputs[i] for i in carried]
        ),
    }
    types = [n.outputs[i].type for i in carried]
    made = Node(n.op, [inputs[i] for i in kept], attrs, types, n.name, (), n.source)
    place = {i: v for i, v in zip(carried, made.outputs, strict=True)}
    # what stays as it is has its first value; nobody reads the others
    return [place.get(i, inputs[i]) for i in range(count)]


def _inlined(region: Graph, inputs: Sequence[Value]) -> list[Value]:
    """The results of a region that runs in any case, as values outside."""
    new: dict[Value, Value] = dict(zip(region.inputs, inputs, strict=True))
    for n in region.nodes():
        if n.inputs:
            made = copy(n, [new.get(v, v) for v in n.inputs])
            new.update(zip(n.outputs, made.outputs, strict=True))
    return [new.get(v, v) for v in region.outputs]


def _cond(n: Node, inputs: tuple[Value, ...], used: list[bool]) -> Sequence[Value] | None:
    if inputs[0].node.op.name == "constant":
        taken = "then" if inputs[0].node.attrs["value"] else "orelse"
        return _inlined(n.attrs[taken], inputs[1:])
    then, orelse = n.attrs["then"], n.attrs["orelse"]
    outputs = [i for i, u in enumerate(used) if u]
    wanted = []
    for r in (then, orelse):
        needed = _needed(r, [r.outputs[i] for i in outputs])
        wanted.append([v in needed for v in r.inputs])
    kept = [i for i, (a, b) in enumerate(zip(*wanted, strict=True)) if a or b]
    if not outputs or (len(outputs) == len(used) and len(kept) == len(then.inputs)):
        return None
    attrs = dict(n.attrs)
    for key, r in (("then", then), ("orelse", orelse)):
        attrs[key] = region_with(r, [r.inputs[i] for i in kept], [r.outputs[i] for i in outputs])
    types = [n.outputs[i].type for i in outputs]
    operands = [inputs[0], *[inputs[1 + i] for i in kept]]
    made = Node(n.op, operands, attrs, types, n.name, (), n.source)
    place = {i: v for i, v in zip(outputs, made.outputs, strict=True)}
    return [place.get(i, made.outputs[0]) for i in range(len(used))]
