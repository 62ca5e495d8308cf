"""Kernels that differ in nothing but their numbers become one: the numbers are its operands.

A literal in a kernel costs nothing, so that a few kernels may well differ in one. A program
that repeats a step with a number of its own each time (a schedule written out, a sum of many
terms) would compile as many kernels as it has steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import journal
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.pure import fused_op, input_op
from graphc.passes.cse import attribute_key
from graphc.passes.fuse import is_contraction

__all__ = ["MANY", "body_key", "share"]

#: So many kernels may differ in their numbers only.
MANY = 8


def body_key(body: Graph) -> Any:
    """Equal for bodies that compute the same in the same way."""
    return _keys(body)[0]


def _keys(body: Graph) -> tuple[Any, Any, list[Node]]:
    """The key of a body, its key but for its numbers, and these (found once)."""
    known = body.__dict__.get("_keys")
    if known is None:
        known = body.__dict__["_keys"] = _find_keys(body)
    return known


def _find_keys(body: Graph) -> tuple[Any, Any, list[Node]]:
    number: dict[Value, int] = {v: -1 - i for i, v in enumerate(body.inputs)}
    parts: list[Any] = [tuple([(v.dtype.code, v.static_shape) for v in body.inputs])]
    values: list[Any] = []
    numbers: list[Node] = []
    for n in _in_order_of_use(body):
        attrs = tuple(sorted([(k, attribute_key(a)) for k, a in n.attrs.items()]))
        if n.op.name == "constant" and n.attrs["value"].size == 1:
            numbers.append(n)
            values.append(attrs)
            attrs = ()
        parts.append(
            (n.op.name, tuple([number[v] for v in n.inputs]), attrs,
             tuple([(v.dtype.code, v.static_shape) for v in n.outputs]))
        )  # fmt: skip
        for v in n.outputs:
            number[v] = len(number)
    parts.append(tuple([number[v] for v in body.outputs]))
    form = tuple(parts)
    return (form, tuple(values)), form, numbers


def _in_order_of_use(body: Graph) -> list[Node]:
    """The nodes that compute; constants, which may be older than the body, before their user."""
    nodes = [n for n in body.nodes() if n.op.name not in ("input", "constant")]
    used = (m.node for n in nodes for m in (*n.inputs, *n.outputs))
    out = dict.fromkeys(m for m in used if m.op.name != "input")
    out.update(dict.fromkeys(v.node for v in body.outputs if v.node.op.name != "input"))
    return list(out)


def share(g: Graph) -> Graph:
    """Numbers in which more than `MANY` fused bodies differ become operands of one body."""
    families: dict[Any, list[tuple[Node, list[Node]]]] = {}
    for n in g.nodes():
        if n.op is not fused_op:
            continue
        _, form, numbers = _keys(n.attrs["body"])
        if numbers and not any(is_contraction(m) for m in n.attrs["body"].nodes()):
            families.setdefault(form, []).append((n, numbers))
    outside: dict[Node, list[Node]] = {}
    for members in families.values():
        columns = list(zip(*[numbers for _, numbers in members], strict=True))
        differ = [i for i, column in enumerate(columns) if len({*map(_number, column)}) > 1]
        if len({tuple(_number(ns[i]) for i in differ) for _, ns in members}) > MANY:
            for n, numbers in members:
                outside[n] = [numbers[i] for i in differ]
    if not outside:
        return g

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        numbers = outside.get(n)
        if numbers is None:
            return None
        given = (*inputs, *[m.outputs[0] for m in numbers])
        attrs = {**n.attrs, "body": _opened(n.attrs["body"], numbers)}
        types = [v.type for v in n.outputs]
        return Node(fused_op, given, attrs, types, n.name, (), n.source).outputs

    return g.rebuild(step, ops={fused_op.name})


def _number(n: Node) -> Any:
    return attribute_key(n.attrs["value"])


def _opened(body: Graph, numbers: Sequence[Node]) -> Graph:
    """`body` with `numbers` as its last inputs."""
    new: dict[Value, Value] = {}
    params = list(body.inputs)
    nodes: list[Node] = []
    for m in numbers:
        v = m.outputs[0]
        attrs = {"index": len(params), "dtype": v.dtype, "shape": v.static_shape}
        made = Node(input_op, (), attrs, [v.type], m.name)
        nodes.append(made)
        params.append(made.outputs[0])
        new[v] = made.outputs[0]
    for n in body.nodes():
        if n.outputs[0] in new:
            continue
        inputs = tuple([new.get(v, v) for v in n.inputs])
        made = n
        if inputs != n.inputs:
            types = [v.type for v in n.outputs]
            made = Node(n.op, inputs, n.attrs, types, n.name, (), n.source)
            new.update(zip(n.outputs, made.outputs, strict=True))
        nodes.append(made)
    log = journal.current()
    if log is not None:
        log.moved(new)
    outputs = tuple(new.get(v, v) for v in body.outputs)
    return Graph(outputs, (), tuple(params), body.name)
