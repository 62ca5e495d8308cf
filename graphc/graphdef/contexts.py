"""Insides of loops and conds in messages.

A node inside of a construct says which (``in``: the construct's name and the context's key). The
construct holds what its contexts are, as JSON: kinds ``value``, ``context`` and ``inside``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop

__all__ = ["after", "fill", "inside", "place", "renew", "roots", "start"]

Refer = Callable[[Value], str]


def place(context: Context, name: Callable[[Node], str]) -> list[str] | None:
    """Where a context is: the name of its construct and its key there."""
    n = context.node
    if n is None:
        return None  # its recording failed, or is not finished
    key = next(k for k in n.op.facts["contexts"] if n.attrs[k] is context)
    return [name(n), key]


def inside(context: Context, refer: Refer, name: Callable[[Node], str]) -> dict[str, Any]:
    """What a context is, as data."""
    out: dict[str, Any] = {
        "results": [refer(v) for v in context.results],
        "captures": [refer(v) for v in context.captures],
    }
    if isinstance(context, Branch):
        out.update(pred=refer(context.pred), taken=context.taken)
    if isinstance(context, Loop):
        assert context.test is not None
        out.update(
            params=[refer(v) for v in context.params],
            test=refer(context.test),
            back_prop=context.back_prop,
            parallel=context.parallel,
            index=None if context.index is None else refer(context.index),
            mirror=place(context.mirror, name) if context.mirror is not None else None,
        )
    return out


def roots(n: Node) -> list[Node]:
    """Nodes that `n` needs and does not read as inputs: who cuts a part of a graph keeps them."""
    found: dict[Node, None] = {}
    for key in n.op.facts.get("contexts", ()):
        c = n.attrs[key]
        values = [*c.results, *(v for v in (getattr(c, "test", None),) if v is not None)]
        found.update(dict.fromkeys(v.node for v in values))
    if n.op.name == "saved":
        found.update(dict.fromkeys(v.node for v in (n.attrs["value"], *n.attrs["capacities"])))
    return list(found)


# --------------------------------------------------------------------- reading


def start(data: Mapping[str, Any], outer: Context | None, value: Callable[[str], Value]) -> Context:
    """A context of which nothing is recorded yet."""
    if "pred" in data:
        return Branch(outer, value(data["pred"]), bool(data["taken"]))
    made = Loop(outer)
    made.back_prop = bool(data["back_prop"])
    made.parallel = int(data.get("parallel", made.parallel))
    return made


def fill(context: Context, data: Mapping[str, Any], value: Callable[[str], Value]) -> None:
    """Give a context what is known when everything in it is recorded."""
    context.results = _values(data["results"], value)
    context.captures = dict.fromkeys(_values(data["captures"], value))
    if isinstance(context, Loop):
        context.params = _values(data["params"], value)
        context.test = value(data["test"])


def renew(attrs: dict[str, Any]) -> None:
    """Give attributes that an older graphc wrote the form that they have now."""
    if "capacity" in attrs and "loop" in attrs:
        attrs["capacities"] = (attrs.pop("capacity"),)


def after(n: Node) -> None:
    """Tell contexts that their construct was made, or what answers for a loop's iterations."""
    for key in n.op.facts.get("contexts", ()):
        n.attrs[key].node = n
    if n.op.name == "saved":
        n.attrs["loop"].saved[n.attrs["value"]] = n.outputs[0]
    elif n.op.name == "trips":
        n.attrs["loop"].trips = n.outputs[0]


def _values(names: Iterable[str], value: Callable[[str], Value]) -> tuple[Value, ...]:
    return tuple([value(str(x)) for x in names])
