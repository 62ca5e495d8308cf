"""The gradient of a relu under a maximum over windows is taken where there are fewer elements."""

from __future__ import annotations

from graphc.ir import journal
from graphc.ir.build import build
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.activations import relu_grad

__all__ = ["pools"]


def pools(g: Graph) -> Graph:
    """``relu_grad(max_pool_grad(x, y, d), x)`` is ``max_pool_grad(x, y, relu_grad(d, y))``.

    Where y is the maxima of x, the element that gets a window's gradient is the element of y, so
    both ask the same question, and all other elements are 0 either way: the bits are the same.
    """
    log = journal.current()

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if n.op.name != "relu_grad":
            return None
        back, features = inputs[0].node, inputs[1]
        if back.op.name not in ("max_pool_grad", "max_pool3d_grad"):
            return None
        x, y, d = back.inputs
        pool = y.node
        if x is not features or pool.op.name != back.op.name.removesuffix("_grad"):
            return None
        if pool.inputs[0] is not x or pool.attrs != back.attrs or y.dtype is not d.dtype:
            return None
        made = build(back.op, (x, y, relu_grad(d, y)), back.attrs).outputs[0]
        if log is not None:
            log.applied("relu_grad(max_pool_grad(x, y, d), x)", n.outputs[0], made, [inputs[0]])
        return made

    if not any(n.op.name == "relu_grad" for n in g.nodes()):
        return g
    return g.rebuild(step)
