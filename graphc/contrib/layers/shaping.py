"""Layers without variables: flattening, dropout, one-hot labels; and repeating layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.layers.common import collected, getter
from graphc.face.current import name_scope
from graphc.face.scopes import variable_scope
from graphc.ir import dtypes
from graphc.layers import core
from graphc.ops import fills, math
from graphc.ops.convert import convert_to_tensor

__all__ = ["dropout", "flatten", "one_hot_encoding", "repeat", "scale_gradient", "stack"]


@add_arg_scope
def flatten(inputs: Any, outputs_collections: Any = None, scope: Any = None) -> Any:
    """``[batch, all other sizes multiplied]``."""
    with name_scope(scope, "Flatten", [inputs]) as sc:
        y = core.flatten(convert_to_tensor(inputs))
        return collected(outputs_collections, sc, y)


@add_arg_scope
def dropout(
    inputs: Any, keep_prob: Any = 0.5, noise_shape: Any = None, is_training: Any = True,
    outputs_collections: Any = None, scope: Any = None, seed: int | None = None,
) -> Any:  # fmt: skip
    """Keeps elements with probability `keep_prob`, scaled up, while training."""
    with variable_scope(scope, "Dropout", [inputs], custom_getter=getter()) as sc:
        x = convert_to_tensor(inputs)
        layer = core.Dropout(1 - keep_prob, noise_shape, seed, name=sc.name, _scope=sc)
        return collected(outputs_collections, sc.name, layer(x, training=is_training))


@add_arg_scope
def one_hot_encoding(
    labels: Any, num_classes: int, on_value: float = 1.0, off_value: float = 0.0,
    outputs_collections: Any = None, scope: Any = None,
) -> Any:  # fmt: skip
    """Class numbers as rows with a single `on_value`."""
    with name_scope(scope, "OneHotEncoding", [labels, num_classes]) as sc:
        t = convert_to_tensor(labels)
        if t.dtype is dtypes.int32:
            t = math.cast(t, dtypes.int64)
        y = fills.one_hot(t, num_classes, on_value=on_value, off_value=off_value)
        return collected(outputs_collections, sc, y)


def _name_of(layer: Any, default: str) -> str:
    if hasattr(layer, "__name__"):
        return str(layer.__name__)
    inner = getattr(layer, "func", None)
    return str(getattr(inner, "__name__", default))


@add_arg_scope
def repeat(inputs: Any, repetitions: int, layer: Any, *args: Any, **kwargs: Any) -> Any:
    """A layer on its own output, again and again, in scopes ``layer_1``, ``layer_2``, …"""
    scope = kwargs.pop("scope", None)
    with variable_scope(scope, "Repeat", [inputs]):
        y: Any = convert_to_tensor(inputs)
        name = _name_of(layer, "repeat") if scope is None else scope
        for i in range(repetitions):
            kwargs["scope"] = f"{name}_{i + 1}"
            y = layer(y, *args, **kwargs)
        return y


@add_arg_scope
def stack(inputs: Any, layer: Any, stack_args: Sequence[Any], **kwargs: Any) -> Any:
    """A layer on its own output, with other arguments each time."""
    scope, reuse = kwargs.pop("scope", None), kwargs.pop("reuse", None)
    if scope is None and reuse:
        raise ValueError("If reuse is True, a scope must be given.")
    with variable_scope(scope, "Stack", [inputs], reuse=reuse):
        y: Any = convert_to_tensor(inputs)
        name = _name_of(layer, "stack") if scope is None else scope
        for i, given in enumerate(stack_args):
            kwargs["scope"] = f"{name}_{i + 1}"
            each = given if isinstance(given, list | tuple) else [given]
            y = layer(y, *each, **kwargs)
        return y


def scale_gradient(inputs: Any, gradient_multiplier: Any) -> Any:
    """`inputs`, whose gradient is multiplied."""
    from graphc.ops.state import stop_gradient  # here only

    x = convert_to_tensor(inputs)
    return gradient_multiplier * x + stop_gradient((1.0 - gradient_multiplier) * x)
