"""Small things of ``tensorflow.python.util`` that libraries import."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = [
    "deprecated", "deprecated_alias", "deprecated_arg_values", "deprecated_args",
    "deprecated_argument_lookup", "keras_export", "make_decorator", "shape_internal", "tf_export",
    "unwrap",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def _as_it_is(*args: Any, **kwargs: Any) -> Callable[[F], F]:
    """A decorator that changes nothing."""
    return lambda f: f


deprecated = deprecated_args = deprecated_arg_values = tf_export = keras_export = _as_it_is


def deprecated_alias(deprecated_name: str, name: str, func_or_class: Any, **kwargs: Any) -> Any:
    """The thing itself under its older name."""
    return func_or_class


def deprecated_argument_lookup(new_name: str, new_value: Any, old_name: str, old_value: Any) -> Any:
    """The value of an argument with two names."""
    if old_value is not None:
        if new_value is not None:
            raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'")
        return old_value
    return new_value


def shape_internal(
    input: Any, name: str | None = None, optimize: bool = True, out_type: Any = None
) -> Any:
    """``tf.shape``; `optimize` makes no difference."""
    from graphc.ir import dtypes
    from graphc.ops.shapes import shape

    return shape(input, name=name, out_type=out_type or dtypes.int32)


def make_decorator(
    target: Callable[..., Any], decorator_func: Callable[..., Any],
    decorator_name: str | None = None, decorator_doc: str = "", decorator_argspec: Any = None,
) -> Callable[..., Any]:  # fmt: skip
    """`decorator_func` with the name and documentation of `target`."""
    return functools.wraps(target)(decorator_func)


def unwrap(maybe_tf_decorator: Any) -> tuple[list[Any], Any]:
    """No decorators, and the function below all wrappers."""
    found = maybe_tf_decorator
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return [], found
