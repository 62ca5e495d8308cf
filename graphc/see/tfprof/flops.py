"""How many float operations TensorFlow 1.15 says that an operation does.

Only the types listed here have a number; all others count nothing, as there (`AddV2`, which is what
``x + y`` makes, and products of stacks of matrices among them).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["UnknownShape", "flops_of", "kind_of"]

Shape = tuple[int, ...]


class UnknownShape(ValueError):
    """A size that the number depends on is not known."""


class _Shapes:
    """The shapes of an operation, all of whose sizes must be known."""

    def __init__(self, op: Any) -> None:
        self.op = op

    def _known(self, tensor: Any) -> Shape:
        shape = tensor.shape
        if not shape.is_fully_defined():
            raise UnknownShape(f"{tensor.name} has the shape {shape}")
        return tuple(shape.as_list())

    def operand(self, i: int = 0) -> Shape:
        return self._known(self.op.inputs[i])

    @property
    def result(self) -> Shape:
        return self._known(self.op.outputs[0])

    def attr(self, name: str) -> Sequence[int]:
        if self.op.attrs.get("data_format", "NHWC") != "NHWC":
            raise UnknownShape(f"{self.op.name}: only NHWC is counted")
        value: Sequence[int] = self.op.attrs[name]
        return value


Rule = Callable[[_Shapes], float]


def _operands(times: int, less: int = 0) -> Rule:
    return lambda s: math.prod(s.operand()) * times - less


def _results(times: int = 1) -> Rule:
    return lambda s: math.prod(s.result) * times


def _reduced(finish: int) -> Rule:
    return lambda s: math.prod(s.operand()) + math.prod(s.result) * (finish - 1)


def _matmul(s: _Shapes) -> float:
    inner = s.operand()[0 if s.op.attrs.get("transpose_a") else -1]
    return 2 * math.prod(s.result) * inner


def _windows(s: _Shapes) -> float:
    """Each element of the result is a sum over a filter without its last axis."""
    return 2 * math.prod(s.result) * math.prod(s.operand(1)[:-1])


def _windows_of_channels(s: _Shapes) -> float:
    return 2 * math.prod(s.result) * math.prod(s.operand(1)[:2])


def _pool(s: _Shapes) -> float:
    return math.prod(s.attr("ksize")) * math.prod(s.result)


def _average_gradient(s: _Shapes) -> float:
    return 2 * math.prod(s.attr("ksize")) * math.prod(s.operand(0))


def _maximum_gradient(s: _Shapes) -> float:
    return (math.prod(s.attr("ksize")) + 1) * math.prod(s.operand(1))


def _convolution_gradient(image: Shape, kernel: Shape, strides: Sequence[int]) -> float:
    return 2 * math.prod(image) * math.prod(kernel) / (image[-1] * strides[1] * strides[2])


_RULES: dict[str, Rule] = {
    **dict.fromkeys(["Reciprocal", "Square", "Log", "Neg", "AssignSub", "AssignAdd"], _operands(1)),
    "Rsqrt": _operands(2),
    "L2Loss": _operands(3, 1),
    "Softmax": _operands(5),
    **dict.fromkeys(
        ["Add", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "Pow", "GreaterEqual", "Greater",
         "LessEqual", "Less", "Equal", "NotEqual", "SquaredDifference"],
        _results(),
    ),
    "RsqrtGrad": _results(4),
    "Mean": _reduced(1),
    **dict.fromkeys(["Sum", "ArgMax", "ArgMin", "BiasAddGrad"], _reduced(0)),
    "AddN": lambda s: math.prod(s.operand()) * (len(s.op.inputs) - 1),
    "MatMul": _matmul,
    "BatchMatMul": _matmul,
    "BiasAdd": _operands(1),
    "Conv2D": _windows,
    "Conv3D": _windows,
    "DepthwiseConv2dNative": _windows_of_channels,
    "Dilation2D": _windows_of_channels,
    "AvgPool": _pool,
    "MaxPool": _pool,
    "AvgPoolGrad": _average_gradient,
    "MaxPoolGrad": _maximum_gradient,
    "Conv2DBackpropInput": lambda s: _convolution_gradient(
        s.result, s.operand(0), s.attr("strides")
    ),
    "Conv2DBackpropFilter": lambda s: _convolution_gradient(
        s.operand(0), s.result, s.attr("strides")
    ),
}  # fmt: skip

_PLUS = re.compile(r"(?:.*/)?add(?:_\d+)?")
_RESOURCE = {"VariableV2": "VarHandleOp"}


def kind_of(op: Any) -> str:
    """The type that TensorFlow 1.15 gives the operation: ``x + y`` is an ``AddV2`` there."""
    kind: str = op.type
    if kind == "Add" and _PLUS.fullmatch(op.name):
        return "AddV2"
    if op.name.endswith("RsqrtGrad"):
        return "RsqrtGrad"
    return kind


def flops_of(op: Any) -> int | None:
    """Float operations of one operation, or None where TensorFlow has no number for its type.

    Raises
    ------
    UnknownShape
        When the number depends on a size that is not known.
    """
    rule = _RULES.get(kind_of(op))
    return None if rule is None else int(rule(_Shapes(op)))
