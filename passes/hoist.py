"""What is the same in all iterations is computed once, before the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir import journal, permit
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

#: Why a node is computed in each iteration: in words, and what would alter it.
STAYS: dict[str, tuple[str, str]] = {
    "varies": (
        "it depends on {variables}, which each iteration makes anew",
        "compute what does not depend on {variables} in an operation of its own",
    ),
    "draws": (
        "it draws new random numbers each time, or changes something",
        "do it before the loop, if once is enough",
    ),
    "fails": (
        "it can fail, and a loop may make no iteration at all",
        "compute {name} before the loop",
    ),
    "cheap": ("it costs less where it is than as a tensor in memory", ""),
    "kind": ("only functions of their operands that need no loop of their own move", ""),
    "barred": ("a search for a faulty rewrite did not permit it to move", ""),
}


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
        for inner, outer in _invariants(region, inputs, count, n):
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


def _invariants(
    region: Graph, inputs: tuple[Value, ...], count: int, loop: Node
) -> list[tuple[Value, Value]]:
    """Values of a region that others in it read and that need no loop variable; as outside."""
    outer: dict[Value, Value] = dict(zip(region.inputs[count:], inputs[count:], strict=True))
    found: dict[Value, Value] = {}
    stay: dict[Node, str] = {}
    nodes = region.nodes()
    for n in nodes:
        if n.op.name in ("constant", "sizes"):
            outer.update((v, v) for v in n.outputs)
            continue
        word = stay[n] = _obstacle(n) if all(v in outer for v in n.inputs) else "varies"
        if not word:
            made = copy(n, [outer[v] for v in n.inputs])
            for v, w in zip(n.outputs, made.outputs, strict=True):
                outer[v] = found[v] = w
    read = set(region.outputs)
    for n in nodes:
        if not all(v in found for v in n.outputs):
            read.update(n.inputs)
    stay.update((v.node, "cheap") for v in found if v in read and v.node.op.name in CHEAP)
    _say(stay, region, count, loop)
    return [(v, w) for v, w in found.items() if v in read and not stay[v.node]]


def _obstacle(n: Node) -> str:
    """What keeps a node in its loop whose operands are the same in all iterations.

    A word of `STAYS`; "" where nothing does.
    """
    r = n.op
    if r.stateful:
        return "draws"
    if r.fails:
        return "fails"
    if r.family not in MOVED or not n.inputs:
        return "kind"
    return "" if permit.allowed(n) else "barred"


def _say(stay: Mapping[Node, str], region: Graph, count: int, loop: Node) -> None:
    """Write down why nodes stay in a loop, for whoever asks."""
    log = journal.current()
    if log is None:
        return
    on: dict[Value, dict[str, None]] = {v: {v.node.name: None} for v in region.inputs[:count]}
    for n in region.nodes():
        mine: dict[str, None] = {}
        for v in n.inputs:
            mine.update(on.get(v, {}))
        word = stay.get(n)
        alone = word and word not in ("varies", "cheap")
        if n.op is not input_op:
            on.update((v, {n.name: None} if alone else mine) for v in n.outputs)
        if word and n.op is not input_op:
            text, remedy = STAYS[word]
            name = loop.name
            names = {"name": repr(n.name), "variables": _some(list(mine))}
            log.because(
                "hoist", (n,),
                f"{n.name!r} is computed in each iteration of {name!r}: {text.format(**names)}",
                remedy.format(**names),
            )  # fmt: skip


def _some(names: Sequence[str]) -> str:
    """Some of the names of loop variables."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more


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
