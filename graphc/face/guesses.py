"""Shapes of what the host makes in the middle of a run that is compiled but not run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphc.ir.dims import Shape
from graphc.ir.node import Node, Value
from graphc.ops.pure import input_op

__all__ = ["made_shapes", "result_shapes"]


def result_shapes(run: Any, c: Any) -> dict[Value, Shape]:
    """The sizes that the results of a compiled run have for the arrays it was compiled with."""
    facts = c.plan.facts
    return {
        v: tuple([facts.value(d) for d in dims])
        for v, (_, dims) in zip(run.fetches, c.plan.out_types, strict=False)
    }


def made_shapes(hosts: Iterable[Node], known: Mapping[Value, Shape]) -> dict[Value, Shape]:
    """What ops of the host infer for results, where the shapes in `known` are those of operands."""
    shapes: dict[Value, Any] = {}
    for n in hosts:
        operands = [_of(v, shapes.get(v, known.get(v, v.static_shape))) for v in n.inputs]
        try:
            inferred = n.op.infer(operands, n.attrs)
        except Exception:  # nosec - the recorded shape it is, then
            continue
        shapes.update((v, _recorded(v, s)) for v, (_, s) in zip(n.outputs, inferred, strict=True))
    return {v: s for v, s in shapes.items() if s is not None}


def _recorded(v: Value, inferred: Shape | None) -> Shape | None:
    """The sizes of `v` that recording knew, which saw constants, and those inferred else."""
    if v.static_shape is None or inferred is None:
        return inferred
    both = zip(v.static_shape, inferred, strict=True)
    return tuple([d if type(d) is int else i for d, i in both])


def _of(v: Value, shape: Shape | None) -> Value:
    attrs = {"index": 0, "dtype": v.dtype, "shape": shape}
    return Node(input_op, (), attrs, [(v.dtype, shape)], v.node.name).outputs[0]
