"""Composite ops become the simpler ops they are made of, so that these fuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import CompileError
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ops import broadcasting, shapes
from graphc.passes.cse import attribute_key

__all__ = ["expand"]


def expand(g: Graph) -> Graph:
    """Every node whose record has `expand` is replaced by what it expands to."""
    chains = _Chains()

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | Sequence[Value] | None:
        if n.op.family == "contraction":
            return whole_batches(n, inputs)
        if n.op.expand is None:
            return None
        made = n.op.expand(*inputs, **n.attrs)
        if n.op.facts.get("users"):
            chains.follow(n, inputs, (made,) if isinstance(made, Value) else made)
        return made if isinstance(made, Value) else tuple(made)

    # what an op expands to may hold composites again
    while True:
        nodes = g.nodes()
        if not any(n.op.expand is not None or needs_batches(n) for n in nodes):
            return g
        g = g.rebuild(step, nodes)


class _Chains:
    """Which applications of users' ops are made of which: none may be made of its like."""

    #: An op may be made of itself with other attributes, so often.
    LIMIT = 1000

    def __init__(self) -> None:
        #: From a node to what it comes of: the op's application, and the chain before.
        self.before: dict[Node, tuple[str, Any, Any, int]] = {}

    def follow(self, n: Node, inputs: Sequence[Value], made: Sequence[Value]) -> None:
        """Note that `n`, applied to `inputs`, became `made`.

        Raises
        ------
        CompileError
            When that has no end.
        """
        former = self.before.get(n)
        depth = 1 if former is None else former[3] + 1
        mine = n.op.name, _application(n, inputs), former, depth
        if depth > self.LIMIT:
            raise CompileError(
                f"`expand` of op {n.op.name!r} is {depth} deep: ops are made of ops without end"
            )
        seen = {v.node for v in inputs}
        stack = [v.node for v in made]
        while stack:
            m = stack.pop()
            if m in seen:
                continue
            seen.add(m)
            stack += [v.node for v in m.inputs]
            if m.op.facts.get("users") and m.op.expand is not None:
                self.before[m] = mine
                self.refuse(m, mine)

    def refuse(self, m: Node, mine: Any) -> None:
        key, link, names = _application(m, m.inputs), mine, [m.op.name]
        while link is not None:
            names.append(link[0])
            if link[1] == key:
                words = [repr(name) for name in reversed(names)]
                raise CompileError(
                    f"`expand` of op {words[0]} makes {', which makes '.join(words[1:])} again: "
                    "no end"
                )
            link = link[2]


def _application(n: Node, inputs: Sequence[Value]) -> Any:
    attrs = tuple([(k, attribute_key(a)) for k, a in sorted(n.attrs.items())])
    return n.op, attrs, tuple([v.type for v in inputs])


def needs_batches(n: Node) -> bool:
    """Whether a matrix product broadcasts batch dimensions of an operand."""
    if n.op.name != "matmul" or n.outputs[0].static_shape is None:
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
                v = broadcasting.broadcast_to(v, (*shape[:-2], *s[-2:]))
        made.append(v)
    return copy(n, made).outputs[0]
