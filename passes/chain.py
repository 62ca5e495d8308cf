"""Products of three matrices are taken in the order with fewer multiplications."""

from __future__ import annotations

from graphc.ir import journal
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.linalg import matmul
from graphc.passes.rewrite import licensed

__all__ = ["chain"]


def chain(g: Graph, options: str = "", notes: dict[str, int] | None = None) -> Graph:
    """Where REASSOC is granted, ``(a @ b) @ c`` is ``a @ (b @ c)`` if that costs less, and back."""
    if "REASSOC" not in licensed(options):
        return g
    users, log = g.users(), journal.current()

    def inner(v: Value) -> bool:
        """Whether `v` is a product that nothing else reads."""
        return plain(v.node) and len(users[v]) == 1 and v not in g.roots

    def sizes(*matrices: Value) -> list[int]:
        """Rows of the first, then columns of each."""
        shapes = [v.static_shape or (0, 0) for v in matrices]
        return [g.facts.value(d) for d in (shapes[0][0], *(s[1] for s in shapes))]

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if not plain(n):
            return None
        (p, q), made = inputs, None
        if inner(n.inputs[0]) and plain(p.node):
            a, b = p.node.inputs
            m, j, k, r = sizes(a, b, q)
            if j * k * r + m * j * r < m * j * k + m * k * r:
                made = matmul(a, matmul(b, q))
        elif inner(n.inputs[1]) and plain(q.node):
            b, c = q.node.inputs
            m, j, k, r = sizes(p, b, c)
            if m * j * k + m * k * r < j * k * r + m * j * r:
                made = matmul(matmul(p, b), c)
        if made is not None and notes is not None:
            notes["reordered"] = notes.get("reordered", 0) + 1
        if made is not None and log is not None:
            log.applied(
                "the cheaper order", n.outputs[0], made, [v for v in inputs if plain(v.node)]
            )
        return made

    return g.rebuild(step)


def plain(n: Node) -> bool:
    """Whether `n` is a product of two matrices as they are."""
    return (
        n.op.name == "matmul" and n.outputs[0].rank == 2
        and not n.attrs["transpose_a"] and not n.attrs["transpose_b"]
    )  # fmt: skip
