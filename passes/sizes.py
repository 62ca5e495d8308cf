"""Sizes that are known before the run become constants or expressions of the plan's symbols.

Reshapes that change no size go here too: gradients are full of them, and no rule need see them.
"""

from __future__ import annotations

import numpy as np

from graphc.ir.build import build
from graphc.ir.dims import Expr
from graphc.ir.graph import Graph
from graphc.ir.known import known
from graphc.ir.node import Node, Value
from graphc.ir.registry import OPS
from graphc.ops.convert import make_constant
from graphc.ops.shapes import sizes_op

__all__ = ["sizes"]

_RESHAPES = frozenset({"reshape", "reshape_like"})


def sizes(g: Graph) -> Graph:
    """``shape``, ``size``, ``rank`` and integer arithmetic on them are folded away."""

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        v = n.outputs[0]
        if n.op.name in _RESHAPES and inputs[0].static_shape == v.static_shape is not None:
            return inputs[0]
        if v.dtype.kind not in "iu" or len(n.outputs) != 1:
            return None
        k = known(v)
        items = k if isinstance(k, tuple) else (k,)
        if any(d is None for d in items):
            return None
        if not any(isinstance(d, Expr) for d in items):
            a = np.array(k, v.dtype.np).reshape(tuple(int(str(d)) for d in v.static_shape or ()))
            return make_constant(a, v.dtype, n.name)
        return build(sizes_op, (), {"value": k, "dtype": v.dtype}, n.name).outputs[0]

    named = {name for name, r in OPS.items() if r.dims is not None}
    return g.rebuild(step, ops=_RESHAPES | named - {"constant", "sizes", "input"})
