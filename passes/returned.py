"""What gradient functions of users return: it must fit the inputs that it is the gradient of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dims import Shape
from graphc.ir.node import Node, Value
from graphc.ops.record import as_value

__all__ = ["fitted"]


def fitted(made: Any, n: Node, wide: bool = False) -> list[Any]:
    """The gradients of the inputs of `n`, one each; a single None is none at all.

    With `wide`, a gradient may have the shape of the result: its sum over broadcast axes follows.

    Raises
    ------
    ValueError
        When there are too few or too many, or one has another shape than its input.
    TypeError
        When one has another element type than its input.
    """
    out = (
        list(made)
        if isinstance(made, list | tuple) and not hasattr(made, "dense_shape")
        else [made]
    )
    count = len(n.inputs)
    if made is None:
        return [None] * count
    if len(out) < count or any(g is not None for g in out[count:]):
        raise ValueError(
            f"Num gradients {len(out)} generated for op {n.name!r} ({n.op.tf}) do not match num "
            f"inputs {count}{_line(n)}"
        )
    return [_one(n, i, x, g, wide) for i, (x, g) in enumerate(zip(n.inputs, out, strict=False))]


def _one(n: Node, i: int, x: Value, g: Any, wide: bool) -> Any:
    if g is None:
        return None
    if not hasattr(g, "dtype") or not (isinstance(g, Value) or hasattr(g, "dense_shape")):
        g = g if hasattr(g, "array") else as_value(g, x.dtype)
    dtype = getattr(g, "dtype", x.dtype)
    if x.dtype.kind in "fc" and dtype is not x.dtype:
        raise TypeError(
            f"The gradient for input {i} of operation {n.name!r} ({n.op.tf}) is {dtype.name}, but "
            f"the input {_name(x)!r} is {x.dtype.name}{_line(n)}"
        )
    if not isinstance(g, Value):
        return g
    shapes = [x.static_shape, *([v.static_shape for v in n.outputs] if wide else [])]
    if not any(_compatible(s, g.static_shape) for s in shapes):
        raise ValueError(
            "Incompatible shapes between op input and calculated input gradient.  Forward "
            f"operation: {n.name}.  Input index: {i}. Original input shape: "
            f"{_shown(x.static_shape)}.  Calculated input gradient shape: "
            f"{_shown(g.static_shape)}{_line(n)}"
        )
    if g.static_shape is None and not wide and hasattr(g, "set_shape"):
        g.set_shape(x.shape)  # type: ignore[attr-defined]
    return g


def _compatible(a: Shape | None, b: Shape | None) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and not any(
        type(p) is int and type(q) is int and p != q for p, q in zip(a, b, strict=True)
    )


def _shown(shape: Sequence[Any] | None) -> str:
    if shape is None:
        return "<unknown>"
    known = [str(d) if type(d) is int else "?" for d in shape]
    return f"({', '.join(known)}{',' * (len(known) == 1)})"


def _name(x: Value) -> str:
    return f"{x.node.name}:{x.index}"


def _line(n: Node) -> str:
    return f"\n  defined at {n.source[0]}" if n.source else ""
