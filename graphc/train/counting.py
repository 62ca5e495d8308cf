"""How many operations TensorFlow 1 makes for the updates of its optimizers: seeds depend on it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from graphc.face.graph import get_default_graph
from graphc.face.resource_variable import is_resource_variable

__all__ = ["one_op"]

Method = Callable[..., Any]


def one_op(
    *hypers: str, besides: int = 0, more: int = 0, resource: int = 0
) -> Callable[[Method], Method]:
    """Decorator of a method ``(self, grad, var)`` that TF1 has one operation for.

    Parameters
    ----------
    *hypers : str
        Attributes that are hyper-parameters: each is cast where the variable is of another type,
        and read where it is a resource variable.
    besides : int
        Operations that are always made besides.
    more, resource : int
        And where the variable is not float32; where it is a resource variable.
    """

    def decorator(f: Method) -> Method:
        @functools.wraps(f)
        def counted(self: Any, grad: Any, var: Any) -> Any:
            dtype = var.dtype.base_dtype
            given = [getattr(self, h, None) for h in hypers]
            casts = sum(x is not None and x.dtype.base_dtype is not dtype for x in given)
            casts += sum(is_resource_variable(x) for x in given)  # each is read
            casts += more if dtype.name != "float32" else 0
            casts += resource if is_resource_variable(var) else 0
            with get_default_graph().counts_as(1 + besides + casts):
                return f(self, grad, var)

        return counted

    return decorator
