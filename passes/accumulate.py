"""Sums of products that a loop or an unrolled net adds up are one product of all factors.

The gradient of a matrix that each step of a net multiplies by is such a sum. In a loop it is as
large as the matrix, and is read and written in each iteration, for no more terms than a batch has
rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.ir import dtypes, journal, permit
from graphc.ir.build import build
from graphc.ir.chains import KC
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.control import array_set, blank
from graphc.ops.convert import make_constant
from graphc.ops.joining import stack
from graphc.ops.linalg import matmul_sum_op
from graphc.ops.pure import input_op
from graphc.passes.groups import same_shape
from graphc.passes.trim import region_with
from graphc.passes.trip_count import counter, trip_count

__all__ = ["accumulate"]

#: Rows and columns from which on all kernels of a product add an element's terms in one order.
LEAST = 16
#: Products whose factors are worth a copy, where they are not made in a loop.
MANY = 4
#: Bytes that the factors of all iterations may take.
MOST = 1 << 28


def accumulate(g: Graph) -> Graph:
    """``s += transpose(a) @ b`` in a loop is the product of all `a` and all `b` behind the loop.

    So are those that one addition after another makes one sum of. The terms of an element are the
    same, added in the same order.
    """
    present = {n.op.name for n in g.nodes()}
    if "while" in present:
        g = g.rebuild(lambda n, inputs: _loop(g, n, inputs), ops={"while"})
    sums = _chains(g) if "matmul" in present else {}
    if not sums:
        return g
    log = journal.current()
    wanted = {p for products in sums.values() for p in products}
    factors: dict[Node, tuple[Value, ...]] = {}

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if n in wanted:
            factors[n] = inputs
        if n not in sums:
            return None
        products = sums[n]
        a, b = (stack([factors[p][i] for p in products]) for i in (0, 1))
        count = make_constant(np.array(len(products), np.int32), dtypes.int32)
        out = build(matmul_sum_op, (a, b, count), {}).outputs[0]
        if log is not None:
            log.applied("sum of products", n.outputs[0], out, [inputs[0]])
        return out

    return g.rebuild(step, ops={"add", "matmul"})


def _chains(g: Graph) -> dict[Node, list[Node]]:
    """Sums of products alone that nothing else reads, by their last additions."""
    users, roots = g.users(), set(g.roots)

    def alone(v: Value) -> bool:
        return len(users.get(v, ())) == 1 and v not in roots

    def product(v: Value) -> bool:
        return _summed(v.node) and alone(v)

    found: dict[Node, list[Node]] = {}
    for n in g.nodes():  # sums of more terms come later, in the place of those they begin with
        if n.op.name != "add":
            continue
        x, p = n.inputs if product(n.inputs[1]) else n.inputs[::-1]
        before = found.get(x.node) if alone(x) else None
        if before is None and product(x) and x is not p:
            before = [x.node]
        if before is None or not product(p) or not _alike(before[0], p.node):
            continue
        found.pop(x.node, None)
        found[n] = [*before, p.node]
    return {
        n: products for n, products in found.items()
        if len(products) >= MANY and _pays(g, products[0], len(products)) and permit.allowed(n)
    }  # fmt: skip


def _alike(n: Node, m: Node) -> bool:
    """Whether two products have factors of the same types."""
    return all(
        v.dtype is w.dtype and same_shape(v.static_shape, w.static_shape)
        for v, w in zip(n.inputs, m.inputs, strict=True)
    )


def _loop(g: Graph, n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    body, cond, count = n.attrs["body"], n.attrs["cond"], len(n.outputs)
    params, results, first = body.inputs[:count], body.outputs, inputs[:count]
    found = _sums(n, inputs)
    at = counter(params, results, first) if found else None
    if at is None:
        return None
    trips = trip_count(params, results, cond.inputs[:count], cond.outputs[0], first, g.facts)
    if trips is None:
        return None
    rows = trips[0]
    found = {i: p for i, p in found.items() if _pays(g, p, rows) and permit.allowed(p)}
    if not found:
        return None
    kept = [i for i in range(count) if i not in found]
    given, made, more = [], [], []  # arrays before the loop, in its body, and with their elements
    for p in found.values():
        for v in p.inputs:
            assert v.static_shape is not None
            shape = (rows, *v.static_shape)
            given.append(blank(shape, v.dtype))
            attrs = {"index": -1, "dtype": v.dtype, "shape": shape}
            made.append(Node(input_op, (), attrs, [(v.dtype, shape)], p.name).outputs[0])
            more.append(array_set(made[-1], params[at], v))
    attrs = {
        **n.attrs,
        "body": region_with(
            body, [*[params[i] for i in kept], *made, *body.inputs[count:]],
            [*[results[i] for i in kept], *more],
        ),
        "cond": region_with(
            cond, [*[cond.inputs[i] for i in kept], *map(_same, made), *cond.inputs[count:]],
            cond.outputs,
        ),
    }  # fmt: skip
    types = [*[n.outputs[i].type for i in kept], *[v.type for v in more]]
    operands = [*[first[i] for i in kept], *given, *inputs[count:]]
    loop = Node(n.op, operands, attrs, types, n.name, (), n.source)
    out = dict(zip(kept, loop.outputs, strict=False))
    arrays = iter(loop.outputs[len(kept) :])
    log = journal.current()
    for i in found:
        operands = [next(arrays), next(arrays), out[at]]
        out[i] = build(matmul_sum_op, operands, {}).outputs[0]
        if log is not None:
            log.applied("sum of products", n.outputs[i], out[i], [first[i]])
    return [out[i] for i in range(count)]


def _sums(n: Node, inputs: tuple[Value, ...]) -> dict[int, Node]:
    """The loop variables that products are added to and nothing else reads; the products."""
    body, cond = n.attrs["body"], n.attrs["cond"]
    users, tested = body.users(), cond.users()
    results = list(body.outputs)
    found = {}
    for i, (v, out) in enumerate(zip(body.inputs, results, strict=False)):
        total = out.node
        if total.op.name != "add" or v not in total.inputs or not _zero(inputs[i]):
            continue
        p = total.inputs[1 - total.inputs.index(v)]
        alone = len(users.get(v, ())) == 1 == len(users.get(p, ())) and p not in results
        ends = not users.get(out) and results.count(out) == 1 and v not in results
        if alone and ends and cond.inputs[i] not in cond.roots and _summed(p.node):
            if not tested.get(cond.inputs[i]):
                found[i] = p.node
    return found


def _zero(v: Value) -> bool:
    """Whether a value is zeros, to which a sum adds up to itself."""
    while v.node.op.name in ("broadcast_to", "fill"):
        v = v.node.inputs[0]
    if v.node.op.name != "constant":
        return False
    a = np.asarray(v.node.attrs["value"])
    return not np.any(a) and not np.any(np.signbit(a))


def _summed(n: Node) -> bool:
    """Whether `n` is ``transpose(a) @ b`` of matrices, with a chain of additions an element."""
    shape = n.outputs[0].static_shape
    return (
        n.op.name == "matmul" and n.outputs[0].dtype.code in ("f32", "f64")
        and n.attrs["transpose_a"] and not n.attrs["transpose_b"] and shape is not None
        and len(shape) == 2 and all(type(d) is int and d >= LEAST for d in shape)
        and all(v.static_shape is not None for v in n.inputs)
    )  # fmt: skip


def _pays(g: Graph, n: Node, times: Dim) -> bool:
    """Whether the sum is larger than what an iteration multiplies, and all that is not too much."""
    rows, cols = (g.facts.value(d) for d in n.outputs[0].static_shape or ())
    terms = g.facts.value((n.inputs[0].static_shape or (0,))[0])
    factors = terms * (rows + cols)
    most = g.facts.value(times) * factors * n.outputs[0].dtype.size
    return terms <= KC and factors <= 2 * rows * cols and most <= MOST


def _same(v: Value) -> Value:
    return Node(input_op, (), v.node.attrs, [v.type], v.node.name).outputs[0]
