"""The verifier: infer every type again and compare."""

from __future__ import annotations

from graphc.errors import VerifyError
from graphc.ir import dims
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, type_text
from graphc.ops.control import regions_of

__all__ = ["verify"]


def verify(g: Graph, after: str = "") -> Graph:
    """`g`, when every node's recorded types are those that its op infers.

    Raises
    ------
    VerifyError
        Naming the pass, the node, its user line, both types.
    """
    with dims.assuming(g.facts):
        seen: set[Value] = set(g.inputs)
        for n in g.nodes():
            for region in regions_of(n).values():
                _closed(region, n, after)
                verify(region, after)
            for v in n.inputs:
                if v not in seen:
                    raise VerifyError(_message(after, n, f"reads {v.name} before it is made"))
            try:
                types = list(n.op.infer(n.inputs, n.attrs))
            except (TypeError, ValueError) as e:
                raise VerifyError(_message(after, n, str(e))) from e
            for v, (dtype, shape) in zip(n.outputs, types, strict=True):
                if v.dtype is not dtype or v.static_shape != shape:
                    have, want = type_text(v.type), type_text((dtype, shape))
                    raise VerifyError(_message(after, n, f"is {have}, its op infers {want}"))
            seen.update(n.outputs)
    return g


def _closed(region: Graph, n: Node, after: str) -> None:
    """A region reads its inputs and nothing else from outside, and changes no variable."""
    given = set(region.inputs)
    for m in region.nodes():
        if m.op.name == "input" and m.outputs[0] not in given:
            raise VerifyError(_message(after, n, f"reads {m.outputs[0].name} of another graph"))
        if m.op.name == "read":
            raise VerifyError(_message(after, n, f"reads the variable {m.attrs['var']} itself"))
    if region.updates:
        raise VerifyError(_message(after, n, "has a region with updates"))


def _message(after: str, n: object, text: str) -> str:
    where = "".join(f"\n  from {s}" for s in getattr(n, "source", ())[:3])
    return f"after pass {after!r}: {n!r} {text}{where}"
