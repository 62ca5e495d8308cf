"""The fused node that a group becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.pure import fused_op, input_op, pick_op
from graphc.passes.groups import (
    PRODUCTS,
    is_contraction,
    is_scalar_constant,
    same_shape,
)

__all__ = ["make_fused"]


def make_fused(members: Sequence[Node], outs: Sequence[Value], new: dict[Value, Value]) -> Node:
    """The fused node that computes `outs` from `members`; `new` maps values to rebuilt ones."""
    inner: dict[Value, Value] = {}
    outer: list[Value] = []
    params: list[Value] = []
    sources: dict[Any, None] = {}
    offsets: dict[str, int] = {}
    products = [n for n in members if n.op.family in PRODUCTS and is_contraction(n)]
    factors = {v for n in products for v in n.inputs}
    said: tuple[Any, ...] = ()
    inside: list[Node] = []
    for n in members:
        ins: list[Value] = []
        for v in n.inputs:
            made = inner.get(v)
            if made is None:
                if is_scalar_constant(v) and v not in factors:
                    made = v
                    inside.append(v.node)
                else:
                    attrs = {"index": len(params), "dtype": v.dtype, "shape": v.static_shape}
                    of = [(v.dtype, v.static_shape)]
                    made = Node(input_op, (), attrs, of, v.node.name).outputs[0]
                    inside.append(made.node)
                    params.append(made)
                    outer.append(new.get(v, v))
                inner[v] = made
            ins.append(made)
        record = n.op
        given: Any = n.attrs
        picked = picks(n)
        if picked is not None:
            name = f"o{len(offsets)}"
            offsets[name] = picked[1]
            record = pick_op
            shape = n.outputs[0].static_shape
            given = {"axis": picked[0], "at": D.Expr.symbol(name), "shape": shape}
        types = [(o.dtype, o.static_shape) for o in n.outputs]
        copy = Node(record, ins, given, types, n.name, (), n.source)
        inside.append(copy)
        for o, made in zip(n.outputs, copy.outputs, strict=True):
            inner[o] = made
        if n.source is not said:
            said = n.source
            sources.update(dict.fromkeys(said))
    body = Graph(tuple(inner[v] for v in outs), (), tuple(params), "body").of_nodes(inside)
    last = members[-1]
    log = journal.current()
    if log is not None:
        log.moved({v: inner[v] for n in members for v in n.outputs})
    made_of: dict[str, Any] = {"body": body}
    if offsets:
        made_of["offsets"] = offsets
    types = [(v.dtype, v.static_shape) for v in outs]
    return Node(fused_op, outer, made_of, types, last.name, (), tuple(sources))


def picks(n: Node) -> tuple[int, int] | None:
    """The axis and the index, where `n` takes all elements at one index of an axis."""
    if n.op.name != "strided_slice" or len(n.inputs) != 1 or n.attrs.get("dynamic"):
        return None
    shape, out = n.inputs[0].static_shape, n.outputs[0].static_shape
    mask, begin = n.attrs.get("shrink_axis_mask", 0), n.attrs.get("begin")
    if shape is None or out is None or begin is None or not mask or mask & (mask - 1):
        return None
    if n.attrs.get("ellipsis_mask") or n.attrs.get("new_axis_mask"):
        return None
    axis = mask.bit_length() - 1
    size = shape[axis] if axis < len(shape) else None
    at = begin[axis] if axis < len(begin) else None
    if type(size) is not int or type(at) is not int or not -size <= at < size:
        return None
    steps = n.attrs.get("strides") or ()
    if any(t != 1 for i, t in enumerate(steps) if i != axis):
        return None
    if not same_shape(out, (*shape[:axis], *shape[axis + 1 :])):
        return None
    return axis, at % size
