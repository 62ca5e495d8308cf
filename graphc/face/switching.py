"""``switch`` and ``merge`` of ``control_flow_ops``: branches that are written without a cond.

The outputs of a switch are its data. What depends on one is *dead* in a run where the switch went
the other way, and a merge gives the value that is not. It is recorded as a cond whose branches
repeat what only they need, so that nothing dead runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from graphc.face.current import control_dependencies, name_scope
from graphc.face.flow import cond
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Node, Value
from graphc.ops import state
from graphc.ops.comparing import logical_and, logical_not
from graphc.ops.convert import convert_to_tensor

__all__ = ["merge", "switch"]

#: The predicates of switches, and the side each must have taken for a value to be there.
Needs = frozenset[tuple[Value, bool]]


class Merged(NamedTuple):
    """What `merge` gives."""

    output: Any
    value_index: Any


def switch(data: Any, pred: Any, dtype: Any = None, name: str | None = None) -> tuple[Value, Value]:
    """`data` for what happens when `pred` is false, and for what happens when it is true.

    Parameters
    ----------
    data : tensor
    pred : scalar bool tensor
    dtype : DType, optional
        That of `data`, where it is no tensor yet.
    """
    graph = get_default_graph()
    with name_scope(name, "Switch", [data, pred]) as scope, graph.counts_as(1):
        x = convert_to_tensor(data, dtype, name="data")
        p = convert_to_tensor(pred, dtypes.bool_, name="pred")
        sides = state.identity(x, name=scope), state.identity(x, name="taken")
        for side, v in enumerate(sides):
            _needs(graph)[v.node] = _of(graph, [x.node, p.node]) | {(p, bool(side))}
    return sides


def merge(inputs: Sequence[Any], name: str | None = None) -> Merged:
    """The one of `inputs` that is not dead, and its place among them.

    Raises
    ------
    ValueError
        When one of them is None.
    """
    if any(x is None for x in inputs):
        raise ValueError(f"At least one of the merge inputs is None: {inputs}")
    graph = get_default_graph()
    with name_scope(name, "Merge", inputs) as scope, graph.counts_as(1):
        given = [convert_to_tensor(x) for x in inputs]
        needs = [_of(graph, [x.node]) for x in given]
        common = frozenset.intersection(*needs)
        alive = [_alive(n - common) for n in needs]

        def chosen(i: int) -> tuple[Any, Any]:
            def own() -> tuple[Any, Any]:
                return _repeated(graph, given[i], common), convert_to_tensor(i)

            here = alive[i]
            if here is None or i == len(given) - 1:
                return own()
            return cond(here, own, lambda: chosen(i + 1))  # type: ignore[no-any-return]

        found, place = chosen(0)
        out = Merged(state.identity(found, name=scope), place)
        for v in out:
            _needs(graph)[v.node] = common
    return out


def _needs(graph: Any) -> dict[Node, Needs]:
    """What is known of the nodes of a graph; those that depend on no switch have nothing."""
    found: dict[Node, Needs] = graph.extras.setdefault("switches", {})
    return found


def _operands(n: Node) -> Iterable[Node]:
    return [*[v.node for v in n.inputs], *n.control]


def _of(graph: Any, nodes: Iterable[Node]) -> Needs:
    """What must have happened for all of `nodes` to run."""
    known = _needs(graph)
    if not known:
        return frozenset()
    nodes = list(nodes)
    stack = nodes.copy()
    while stack:
        n = stack[-1]
        if n in known:
            stack.pop()
            continue
        missing = [m for m in _operands(n) if m not in known]
        if missing:
            stack += missing
            continue
        known[n] = frozenset().union(*[known[m] for m in _operands(n)])
        stack.pop()
    return frozenset().union(*[known[n] for n in nodes])


def _alive(needs: Needs) -> Any:
    """Whether all that is needed happened; None for nothing."""
    alive: Any = None
    for pred, side in sorted(needs, key=lambda need: (need[0].name, need[1])):
        here = pred if side else logical_not(pred)
        alive = here if alive is None else logical_and(alive, here)
    return alive


def _repeated(graph: Any, x: Value, common: Needs) -> Value:
    """`x`, and all that depends on a switch before it, recorded again in the branch at hand.

    Constructs stay where they are, and with them what they need.
    """
    known = _needs(graph)
    order: dict[Node, None] = {}
    stack = [x.node]
    while stack:
        n = stack.pop()
        if n in order or known.get(n, common) == common:
            continue
        order[n] = None
        stack += _operands(n)
    made: dict[Node, Node] = {}
    for n in sorted(order, key=lambda n: n.id):
        if graph.contexts.get(n) is not None or "contexts" in n.op.facts:
            continue
        inputs = [made[v.node].outputs[v.index] if v.node in made else v for v in n.inputs]
        after = [made.get(c, c) for c in n.control]
        with control_dependencies(after):
            made[n] = build(n.op, inputs, n.attrs, n.name.rpartition("/")[2])
    return state.identity(made[x.node].outputs[x.index] if x.node in made else x)
