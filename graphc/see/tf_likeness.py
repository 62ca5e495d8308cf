"""What a graph needs written down, and whether what was written makes the same nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.face.graph import get_default_graph
from graphc.face.variables import Variable
from graphc.graphdef.forms import load_records
from graphc.ir.dims import Expr, fresh
from graphc.ir.node import Node, Value, reachable
from graphc.ir.region import Context
from graphc.ops.record import OPS

__all__ = [
    "alike", "bare", "equal_attributes", "equal_shapes", "escaping", "needed", "record", "shape_of",
    "variables",
]  # fmt: skip


def record(
    op: str, inputs: Sequence[Any] = (), attrs: Mapping[str, Any] | None = None, name: str = ""
) -> Any:
    """Record a node of an op under exactly this name: its result, or results, or the operation.

    Parameters
    ----------
    op : str
        The name of a record, as `python -m graphc ops` lists them.
    inputs : sequence of tensor
    attrs : mapping, optional
    name : str

    Raises
    ------
    KeyError
        For an op there is not.
    """
    made = {k: _sized(a) for k, a in (attrs or {}).items()}
    if op not in OPS:  # modules of some ops are imported when first used
        load_records()
    node = get_default_graph().add(OPS[op], list(inputs), made, f"{name}/")
    if not node.outputs:
        return node
    return node.outputs[0] if len(node.outputs) == 1 else node.outputs


def _sized(a: Any) -> Any:
    """An attribute with an unknown size for each None inside of it."""
    if isinstance(a, (tuple, list)):
        return type(a)(fresh() if e is None else _sized(e) for e in a)
    return a


def needed(graph: Any, elements: Sequence[Value | Node]) -> list[Node]:
    """The nodes that elements need: initializers of variables, and insides of constructs, too."""
    starts: dict[Value, list[Node]] = {}
    for n in graph.get_operations():
        if n.op.name == "assign" and n.name == f"{n.inputs[0].node.name}/Assign":
            starts[n.inputs[0]] = [n]
        elif n.op.name == "identity" and n.name == f"{n.inputs[0].node.name}/read":
            starts.setdefault(n.inputs[0], []).append(n)
    inside: dict[Context, list[Node]] = {}
    for n, c in graph.contexts.items():
        for outer in c.chain():
            inside.setdefault(outer, []).append(n)
    roots = [e if isinstance(e, Node) else e.node for e in elements]
    while True:
        found = reachable(roots)
        more = list(roots)
        for n in found:
            if n.op.name == "variable":
                more += starts.get(n.outputs[0], [])
            for a in n.attrs.values():
                if isinstance(a, Context):
                    more += inside.get(a, [])
        more = list(dict.fromkeys([*more, *found]))
        if len(more) == len(found):
            return found
        roots = more


def variables(graph: Any) -> dict[Value, list[str]]:
    """The collections of each variable."""
    out: dict[Value, list[str]] = {}
    for key in graph.get_all_collection_keys():
        for x in graph.get_collection(key):
            if isinstance(x, Variable):
                out.setdefault(x._ref(), []).append(key)
    return out


def escaping(graph: Any) -> set[Value]:
    """Values of branches that something outside of them reads."""
    out: set[Value] = set()
    inside = graph.contexts
    for n in graph.get_operations() if inside else ():
        here = inside.get(n)
        for v in n.inputs:
            c = inside.get(v.node)
            if c is not None and (here is None or not here.within(c)):
                out.add(v)
    return out


def alike(a: Node, b: Node | None) -> bool:
    """Whether a node of a new graph is an old one, by name, op, operands and types."""
    return (
        b is not None
        and a.op is b.op
        and [v.name for v in a.inputs] == [v.name for v in b.inputs]
        and {m.name for m in a.control} == {m.name for m in b.control}
        and [v.dtype for v in a.outputs] == [v.dtype for v in b.outputs]
    )


def bare(shape: Any) -> Any:
    return None if shape is None else [d if type(d) is int else None for d in shape]


def shape_of(dims: Any) -> Any:
    from graphc.face.shape import TensorShape

    return TensorShape(dims)


def equal_shapes(a: Value, b: Value) -> bool:
    return bool(bare(a.static_shape) == bare(b.static_shape))


def equal_attributes(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    keys = [{k for k in x if k[:1] != "_"} for x in (a, b)]
    return keys[0] == keys[1] and all(_equal(a[k], b[k]) for k in keys[0])


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()
    if isinstance(a, Expr) and isinstance(b, Expr):
        return True
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, Value) and isinstance(b, Value):
        return a.name == b.name
    return type(a) is type(b) and bool(a == b)
