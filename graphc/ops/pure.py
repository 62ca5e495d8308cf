"""The ops that only pure graphs have: what a run is given, what it reads, what was fused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dims import Dim, Shape
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Types, op

__all__ = ["fused_op", "input_op", "pick_op", "read_op"]


def _typed(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(attrs["dtype"], attrs["shape"])]


input_op = op(
    "input", "Placeholder", "state", doc="A tensor given to the run.", infer=_typed, types="fiubs"
)
read_op = op(
    "read", "ReadVariableOp", "state", doc="A variable's value as the run starts.", infer=_typed,
    types="fiubs",
)  # fmt: skip


def _fused_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(v.dtype, v.static_shape) for v in attrs["body"].outputs]


fused_op = op(
    "fused", "Fused", "fused", doc="Several ops in one kernel; the body is a graph of its own.",
    infer=_fused_infer, types="fiub",
)  # fmt: skip


def _pick_element(k: Any, index: Shape, x: Value, *, axis: int, at: Dim, shape: Shape) -> Any:
    return k.read(x, (*index[:axis], at, *index[axis:]))


#: One index of an axis. The index is a run-time size of the kernel (the fused node's `offsets` say
#: which), so that the steps of an unrolled loop, which differ in nothing else, share their code.
pick_op = op(
    "pick", "Pick", "fused", doc="The elements at one index of an axis.", types="fiub",
    infer=lambda inputs, attrs: [(inputs[0].dtype, attrs["shape"])], element=_pick_element,
)  # fmt: skip
