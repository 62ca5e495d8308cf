"""Kernels that differ in nothing but their numbers become one: the numbers are its operands.

A literal in a kernel costs nothing, so that a few kernels may well differ in one. A program
that repeats a step with a number of its own each time (a schedule written out, a sum of many
terms, the pieces of a `split` that the steps of an unrolled net read) would compile as many
kernels as it has steps. Where a slice begins becomes a size of the kernel (`offsets` of the
fused node), any other number an operand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir import journal
from graphc.ir.dims import Expr
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.pure import fused_op, input_op, pick_op
from graphc.ops.record import Op
from graphc.ops.slices import slice_op
from graphc.ops.strided import entries
from graphc.passes.cse import attribute_key
from graphc.passes.groups import is_contraction

__all__ = ["MANY", "body_key", "share"]

#: So many kernels may differ in their numbers only.
MANY = 8
_SLICES = frozenset({"slice", "strided_slice"})


class _Number(NamedTuple):
    """A number in a body: a constant's, or where a slice begins on an axis."""

    node: Node
    key: Any
    axis: int | None = None


def body_key(body: Graph) -> Any:
    """Equal for bodies that compute the same in the same way."""
    return _keys(body)[0]


def _keys(body: Graph) -> tuple[Any, Any, list[_Number]]:
    """The key of a body, its key but for its numbers, and these (found once)."""
    known = body.__dict__.get("_keys")
    if known is None:
        known = body.__dict__["_keys"] = _find_keys(body)
    return known


def _find_keys(body: Graph) -> tuple[Any, Any, list[_Number]]:
    number: dict[Value, int] = {v: -1 - i for i, v in enumerate(body.inputs)}
    parts: list[Any] = [tuple([(v.dtype.code, v.static_shape) for v in body.inputs])]
    values: list[Any] = []
    numbers: list[_Number] = []
    for n in _in_order_of_use(body):
        attrs: tuple[Any, ...] = ()
        if n.attrs:
            attrs = tuple(sorted([(k, attribute_key(a)) for k, a in n.attrs.items()]))
        if n.op.name == "constant" and n.attrs["value"].size == 1:
            numbers.append(_Number(n, attribute_key(n.attrs["value"])))
            values.append(attrs)
            attrs = ()
        elif n.op.name in _SLICES and (begin := _begin(n)) is not None:
            numbers += [_Number(n, begin[i], i) for i in range(len(begin))]
            values.append(begin)
            attrs = tuple([("shrunk", axis) for axis in _shrunk(n)])
        parts.append(
            (n.op.name, tuple([number[v] for v in n.inputs]), attrs,
             tuple([(v.dtype.code, v.static_shape) for v in n.outputs]))
        )  # fmt: skip
        for v in n.outputs:
            number[v] = len(number)
    parts.append(tuple([number[v] for v in body.outputs]))
    form = tuple(parts)
    return (form, tuple(values)), form, numbers


def _begin(n: Node) -> tuple[int, ...] | None:
    """Where a slice begins on each axis of its operand, if that is known and its steps are 1."""
    if len(n.inputs) != 1:
        return None
    given = n.inputs[0].static_shape or ()
    found = n.attrs.get("begin")
    if n.op.name == "strided_slice":
        spec = [n.attrs.get(k) for k in ("begin", "end", "strides")]
        if not all(type(d) is int for d in given) or not all(map(_numbers, spec)):
            return None
        got = entries(given, n.attrs, *spec)
        if any(e.kind == "new" or e.step != 1 for e in got):
            return None
        found = tuple([e.first for e in got])
    return found if _numbers(found) else None


def _numbers(a: Any) -> bool:
    return type(a) is tuple and all(type(x) is int for x in a)


def _shrunk(n: Node) -> list[int]:
    """The axes of its operand that the result of a strided slice has no more."""
    if n.op.name == "slice":
        return []
    given = n.inputs[0].static_shape or ()
    got = entries(given, n.attrs, *[n.attrs[k] for k in ("begin", "end", "strides")])
    return [e.axis for e in got if e.kind == "pick"]


def _moved(n: Node, inputs: Sequence[Value], begin: Sequence[Any]) -> list[Node]:
    """The slice `n` with another begin: nodes of which the last makes what it makes."""
    out = n.outputs[0]
    box, shrunk = list(out.static_shape or ()), _shrunk(n)
    for axis in shrunk:  # ascending
        box.insert(axis, 1)

    def node(op: Op, x: Sequence[Value], attrs: dict[str, Any]) -> Node:
        return Node(op, x, attrs, [(out.dtype, tuple(box))], n.name, (), n.source)

    made = [node(slice_op, inputs, {"begin": tuple(begin), "size": tuple(box)})]
    for axis in reversed(shrunk):
        del box[axis]
        attrs = {"axis": axis, "at": 0, "shape": tuple(box)}
        made.append(node(pick_op, made[-1].outputs, attrs))
    return made


def _in_order_of_use(body: Graph) -> list[Node]:
    """The nodes that compute; constants, which may be older than the body, before their user."""
    out: dict[Node, None] = {}
    for n in body.nodes():
        if n.op.name in ("input", "constant"):
            continue
        for v in n.inputs:
            if v.node.op.name != "input":
                out[v.node] = None
        out[n] = None
    out.update(dict.fromkeys([v.node for v in body.outputs if v.node.op.name != "input"]))
    return list(out)


def share(g: Graph) -> Graph:
    """Numbers in which more than `MANY` fused bodies differ become operands of one body."""
    families: dict[Any, list[tuple[Node, list[_Number]]]] = {}
    for n in g.nodes():
        if n.op is not fused_op:
            continue
        _, form, numbers = _keys(n.attrs["body"])
        if numbers and not any(is_contraction(m) for m in n.attrs["body"].nodes()):
            families.setdefault(form, []).append((n, numbers))
    outside: dict[Node, list[_Number]] = {}
    for members in families.values():
        if len(members) <= MANY:
            continue
        columns = [[x.key for x in column] for column in zip(*[m[1] for m in members], strict=True)]
        differ = [i for i, column in enumerate(columns) if len(set(column)) > 1]
        if len(set(zip(*[columns[i] for i in differ], strict=True))) > MANY:
            for n, numbers in members:
                outside[n] = [numbers[i] for i in differ]
    if not outside:
        return g

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        numbers = outside.get(n)
        return None if numbers is None else _given(n, inputs, numbers).outputs

    return g.rebuild(step, ops={fused_op.name})


def _given(n: Node, inputs: Sequence[Value], numbers: Sequence[_Number]) -> Node:
    """The fused node `n` with `numbers` from outside of its body."""
    offsets: dict[str, Any] = dict(n.attrs.get("offsets", {}))
    begins: dict[Node, list[Any]] = {}
    constants: list[Node] = []
    for m, first, axis in numbers:
        if axis is None:
            constants.append(m)
            continue
        name = f"o{len(offsets)}"
        offsets[name] = first
        begins.setdefault(m, list(_begin(m) or ()))[axis] = Expr.symbol(name)
    attrs = {**n.attrs, "body": _opened(n.attrs["body"], constants, begins)}
    if offsets:
        attrs["offsets"] = offsets
    given = (*inputs, *[m.outputs[0] for m in constants])
    return Node(fused_op, given, attrs, [v.type for v in n.outputs], n.name, (), n.source)


def _opened(body: Graph, constants: Sequence[Node], begins: Mapping[Node, Sequence[Any]]) -> Graph:
    """`body` with `constants` as its last inputs, and slices that begin elsewhere."""
    new: dict[Value, Value] = {}
    params = list(body.inputs)
    nodes: list[Node] = []
    for m in constants:
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
        again = [n]
        if n in begins:
            again = _moved(n, inputs, begins[n])
        elif inputs != n.inputs:
            types = [v.type for v in n.outputs]
            again = [Node(n.op, inputs, n.attrs, types, n.name, (), n.source)]
        if again[-1] is not n:
            new.update(zip(n.outputs, again[-1].outputs, strict=True))
        nodes += again
    log = journal.current()
    if log is not None:
        log.moved(new)
    outputs = tuple(new.get(v, v) for v in body.outputs)
    return Graph(outputs, (), tuple(params), body.name)
