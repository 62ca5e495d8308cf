"""What the first part of a run computes and the rest needs too, so that nothing is computed twice.

A training step that is cut, for a `Print` of the loss, say, would make its forward pass in the
first part for what is printed and again in the rest for the gradients. So the first part gives,
besides what the host is given, the values at the edge: what nodes of the rest alone read.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.ir.node import Node, Value
from graphc.passes.reach import Reach, is_construct
from graphc.passes.references import is_snapshot

__all__ = ["kept"]

#: Families one member of which makes it worth while.
_HEAVY = frozenset({"contraction", "convolution"})
#: Families whose values are kept; views and what has a state are made again of what they read.
_KEPT = frozenset({"composite", "contraction", "convolution", "elementwise", "reduction",
                   "structured"})  # fmt: skip


def kept(first: Reach, rest: Reach, wanted: Iterable[Value], loops: bool) -> dict[Value, Node]:
    """Values for the first part to give to the rest, each with the node that makes it.

    Parameters
    ----------
    first, rest : Reach
        What either part would run.
    wanted : iterable of Value
        What the rest gives.
    loops : bool
        Whether loops and conds count. A part that runs before a loop to count its iterations cannot
        give what the loop saves.
    """
    both = set(first.nodes) & set(rest.nodes)
    if not loops:
        both = {n for n in both if not is_construct(n)}
    if not any(_heavy(n) for n in both):
        return {}
    asked = [n for n in rest.nodes if n.op.name == "saved" and n.attrs["loop"].node in both]
    both.update(asked)
    inner = [n for nodes in rest.inner.values() for n in nodes]
    stack = [v for n in [*rest.nodes, *inner] if n not in both for v in n.inputs]
    stack += wanted
    out: dict[Value, Node] = {}
    seen: set[Value] = set()
    while stack:
        v = stack.pop()
        if v in seen or v in rest.fed or v.node not in both:
            continue
        seen.add(v)
        if _keepable(v):
            out.update((w, v.node) for w in v.node.outputs if v.node.op.name == "saved" or w is v)
        else:
            stack += v.node.inputs
    return out


def _heavy(n: Node) -> bool:
    return (
        n.op.family in _HEAVY
        or is_construct(n)
        or n.op.name.startswith(("conv", "depthwise"))
        or n.op.name == "saved"
    )


def _keepable(v: Value) -> bool:
    n = v.node
    if v.dtype.kind != "f" or "update" in n.op.facts or is_snapshot(n):
        return False
    if n.op.family == "elementwise" and v.static_shape == ():
        return False  # sooner made than moved
    return n.op.family in _KEPT or n.op.name in ("exit", "merge", "saved")
