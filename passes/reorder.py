"""A transpose that stands alone becomes a kernel that turns squares of elements in registers."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.transposing import transpose_op
from graphc.passes.lowered import Lowered, Part

__all__ = ["lower_reorder", "reorder_of"]

#: Elements from which on squares are turned; below, loops take no longer and have less code.
MANY = 4096
#: Sizes up to which an axis is short: its elements are taken out of vectors.
SHORT = 8
#: Places of both axes in a unit, and of the other axis where one is short.
BLOCK = 64
LONG = 2048


def reorder_of(body: Graph) -> Node | None:
    """The transpose that is all of a body, if another axis than the last one comes last."""
    y = body.outputs[0]
    if len(body.outputs) != 1 or y.node.op is not transpose_op or y.dtype.kind not in "fiub":
        return None
    x, perm = y.node.inputs[0], y.node.attrs["perm"]
    if x.node.op.name != "input" or len(y.node.inputs) != 1 or x.static_shape is None:
        return None
    count = D.product(x.static_shape)
    axes = _merged(x.static_shape, perm)
    if (type(count) is int and count < MANY) or len(axes) < 2 or axes[-1][1] == 1:
        return None
    return y.node


def _merged(shape: Sequence[Dim], perm: Sequence[int] | None) -> list[tuple[Dim, Dim]]:
    """Size and step in the operand of each axis of the result; neighbours in both are one."""
    rank = len(shape)
    order = [p % rank for p in perm] if perm is not None else list(reversed(range(rank)))
    made: list[tuple[Dim, Dim]] = []
    before = -1
    for p in order:
        if shape[p] == 1:
            continue
        step = D.product(shape[p + 1 :])
        if made and all(shape[q] == 1 for q in range(before + 1, p)) and before < p:
            made[-1] = (made[-1][0] * shape[p], step)
        else:
            made.append((shape[p], step))
        before = p
    return made


def lower_reorder(body: Graph, name: str) -> Lowered:
    """The kernel of a body that is a transpose."""
    y = body.outputs[0]
    x = y.node.inputs[0]
    assert x.static_shape is not None
    assert y.static_shape is not None
    axes = _merged(x.static_shape, y.node.attrs["perm"])
    sizes = [n for n, _ in axes]
    steps = [D.product(sizes[i + 1 :]) for i in range(len(sizes))]
    *outer, (j, apart) = axes
    along = next(i for i, (_, step) in enumerate(axes) if step == 1)
    i, pitch = sizes[along], steps[along]
    del outer[along]
    short, block = "", (BLOCK, BLOCK)
    if type(i) is int and i <= SHORT and apart == i:
        short, block = "i", (i, LONG)
    elif type(j) is int and j <= SHORT and pitch == j:
        short, block = "j", (LONG, j)
    k = KernelBuilder(name)
    a = k.input("x", x.dtype, x.static_shape)
    b = k.output("y", y.dtype, y.static_shape)
    del steps[along], steps[-1]
    places = [d for (n, step), made in zip(outer, steps, strict=True) for d in (n, step, made)]
    units = D.product([n for n, _ in outer]) * D.ceildiv(i, block[0]) * D.ceildiv(j, block[1])
    with k.loop("parallel", "u", units) as u:
        k.template("reorder", [a, b], (u, i, j, apart, pitch, *places), block=block, short=short)
    return Lowered([Part(k.build(), [("in", 0), ("out", 0)])])
