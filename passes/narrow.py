"""Products of which only a part is read compute that part."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import journal
from graphc.ir.build import build
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.arrays import slice_static
from graphc.ops.record import OPS

__all__ = ["narrow"]

#: Multiply-adds saved for each element of an operand that has to be copied, at least.
PAYS = 8
#: Rows and columns from which on every element's terms are added in the same order, however many
#: there are: smaller products have kernels of their own (`runtime/llvm/gemm.py`).
ROWS, COLUMNS = 16, 2

#: First and last element of an axis that is read; None: all of it.
Span = tuple[int, int] | None


def narrow(g: Graph) -> Graph:
    """``slice(matmul(x, y))`` is the product of slices, where nothing else of it is read.

    So are the gradients of cells that multiply ``concat(x, h)``: that of `x` is seldom wanted.
    The terms of an element are the same, added in the same order.
    """
    present = {n.op.name for n in g.nodes()}
    if not present.issuperset(("slice", "matmul")):
        return g
    users = g.users()
    roots = set(g.roots)
    spans: dict[Node, tuple[Span, Span]] = {}
    for n in g.nodes():
        if n.op.name == "matmul" and n.outputs[0] not in roots:
            found = _spans(g, n, users.get(n.outputs[0], ()))
            if found != (None, None):
                spans[n] = found
    if not spans:
        return g
    made: dict[Node, Value] = {}
    log = journal.current()

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        old = n.inputs[0].node if n.inputs else n
        if old not in spans or n.op.name != "slice":
            return None
        small = made.get(old)
        if small is None:
            small = made[old] = _part(inputs[0].node, *spans[old])
        begin = list(n.attrs["begin"])
        for axis, span in zip((-2, -1), spans[old], strict=True):
            begin[axis] -= span[0] if span else 0
        out = slice_static(small, begin, n.outputs[0].static_shape or ())
        if log is not None:
            log.applied("slice(matmul(x, y))", n.outputs[0], out, [inputs[0]])
        return out

    return g.rebuild(step, ops={"slice"})


def _spans(g: Graph, n: Node, users: Sequence[Node]) -> tuple[Span, Span]:
    """Which rows and columns of a product its readers need, where fewer of them pay."""
    whole = n.outputs[0].static_shape
    assert whole is not None
    if not users or any(u.op.name != "slice" or len(u.inputs) != 1 for u in users):
        return None, None
    if any(
        (b, s) != (0, d)
        for u in users
        for b, s, d in zip(
            u.attrs["begin"], u.outputs[0].static_shape or (), whole[:-2], strict=False
        )
    ):
        return None, None
    rows, cols = (_span(users, whole, axis) for axis in (-2, -1))
    a, b = n.inputs
    height, width = g.facts.value(whole[-2]), g.facts.value(whole[-1])
    if rows and not (
        _pays(rows, height, width) and rows[1] - rows[0] >= ROWS and width >= COLUMNS
        and a.rank == 2
    ):  # fmt: skip
        rows = None
    if cols and not (_pays(cols, width, height) and cols[1] - cols[0] >= COLUMNS and b.rank == 2):
        cols = None
    return rows, cols


def _span(users: Sequence[Node], whole: Sequence[Dim], axis: int) -> Span:
    """What of an axis is read, when its size is known and some of it is not."""
    least, most = whole[axis], 0
    if type(least) is not int:
        return None
    for u in users:
        begin, shape = u.attrs["begin"][axis], u.outputs[0].static_shape
        size = shape[axis] if shape is not None else None
        if type(begin) is not int or type(size) is not int:
            return None
        least, most = min(least, begin), max(most, begin + size)
    return None if (least, most) == (0, whole[axis]) else (least, most)


def _pays(span: tuple[int, int], size: int, across: int) -> bool:
    """Whether the products saved are worth a copy of the operand's part."""
    left = span[1] - span[0]
    return across * (size - left) >= PAYS * left


def _part(n: Node, rows: Span, cols: Span) -> Value:
    """These rows and columns of a product."""
    a, b = n.inputs
    ta, tb = bool(n.attrs["transpose_a"]), bool(n.attrs["transpose_b"])
    a = _cut(a, -1 if ta else -2, rows)
    b = _cut(b, -2 if tb else -1, cols)
    return build(OPS["matmul"], (a, b), n.attrs).outputs[0]


def _cut(v: Value, axis: int, span: Span) -> Value:
    if span is None:
        return v
    shape = list(v.static_shape or ())
    begin: list[Dim] = [0] * len(shape)
    begin[axis], shape[axis] = span[0], span[1] - span[0]
    return slice_static(v, begin, shape)
