"""tf.contrib.slim.model_analyzer: how large a model is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["analyze_ops", "analyze_vars", "tensor_description"]


def tensor_description(var: Any) -> str:
    """Type and shape of a tensor or variable, as ``(float32_ref 3x4) [12, bytes: 48]``."""
    dtype = var.dtype
    text = f"({dtype.name} "
    sizes = var.get_shape()
    if sizes.ndims is not None:
        text += "x".join([str(d) if d.value is not None else "?" for d in sizes])
    text += ")"
    if sizes.is_fully_defined():
        n = math.prod(sizes.as_list())
        text += f" [{n}, bytes: {n * dtype.base_dtype.size}]"
    return text


def analyze_ops(graph: Any, print_info: bool = False) -> int:
    """How many elements all tensors of a graph have, as far as their shapes are known."""
    if print_info:
        print("---------\nOperations: name -> (type shapes) [size]\n---------")
    total = 0
    for op in graph.get_operations():
        known = [t.get_shape() for t in op.outputs]
        size = sum(math.prod(s.as_list()) for s in known if s.is_fully_defined())
        total += size
        if print_info:
            shapes = ", ".join([tensor_description(t) for t in op.outputs])
            print(op.name, "->", f"[{shapes}]", f"[{size}]")
    return total


def analyze_vars(variables: Sequence[Any], print_info: bool = False) -> tuple[int, int]:
    """How many numbers variables hold, and how many bytes."""
    if print_info:
        print("---------\nVariables: name (type shape) [size]\n---------")
    numbers = size = 0
    for v in variables:
        n = math.prod(v.get_shape().as_list())
        numbers += n
        size += n * v.dtype.base_dtype.size
        if print_info:
            print(v.name, tensor_description(v))
    if print_info:
        print("Total size of variables:", numbers)
        print("Total bytes of variables:", size)
    return numbers, size
