"""What shape rules, meanings and gradients of ops on arrays share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.record import (
    OPS,
    InferError,
)  # fmt: skip
from graphc.ops.shapes import (
    shape,
)  # fmt: skip

__all__ = ["apply", "backward_op", "bad_value", "infer_error", "nones", "shape_operand"]


def bad_value(message: str) -> Exception:
    """What the meaning of an op raises for values it cannot take."""
    return InvalidArgumentError(None, None, message)


def infer_error(message: str, more: str = "") -> InferError:
    """The error of a shape rule; `more` follows the list of input shapes."""
    return InferError(message, more) if more else InferError(message)


def nones(values: Sequence[Any]) -> tuple[None, ...]:
    return (None,) * len(values)


def apply(
    record: Any, inputs: Sequence[Value], attrs: Any = None, name: str | None = None
) -> Value:
    return build(record, inputs, attrs or {}, name).outputs[0]


def backward_op(name: str, dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Any:
    """The gradients where another record computes that of `x`."""
    return (apply(OPS[name], [dy, x, *rest], attrs), *nones(rest))


def shape_operand(x: Value, attrs: dict[str, Any], tail: list[Value], name: str) -> None:
    """The shape of `x` as attribute `name`, or as one more dynamic operand."""
    if D.is_known(x.static_shape):
        attrs[name] = x.static_shape
    else:
        tail.append(shape(x))
        attrs["dynamic"] = (*attrs.get("dynamic", ()), name)
