"""Convolutions with small filters and many channels take fewer products."""

from __future__ import annotations

from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ops import conv_blocks, conv_products
from graphc.ops import winograd as fast
from graphc.passes.rewrite import licensed

__all__ = ["winograd"]


def winograd(g: Graph, options: str = "", counts: dict[str, int] | None = None) -> Graph:
    """Mark the convolutions by 3×3 and 5×5 filters for which Winograd's products are quicker.

    Rounding changes: errors are some times those of plain sums (`tests/ops/test_winograd.py`
    has the bound). Without the licence ``FEWER_PRODUCTS`` nothing is done.
    """
    if "FEWER_PRODUCTS" not in licensed(options):
        return g

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if n.op is conv_products.conv_filter_op:
            pays = fast.gradient_side(n) is not None
        else:
            grids = conv_blocks.grids(n)
            pays = bool(grids) and all(fast.side(x, n.outputs[0].dtype) for x in grids or ())
        if not pays:
            return None
        if counts is not None:
            counts[n.op.name] = counts.get(n.op.name, 0) + 1
        return copy(n, inputs, {**n.attrs, "winograd": True}).outputs[0]

    return g.rebuild(
        step,
        ops={
            conv_products.conv_op.name,
            conv_products.conv_input_op.name,
            conv_products.conv_filter_op.name,
        },
    )
