"""Small things of ``tensorflow.python.keras.utils`` that libraries import."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from graphc.face.elements import Tensor
from graphc.face.shape import TensorShape
from graphc.face.variables import Variable
from graphc.keras.utils import get_custom_objects as get_custom_objects

__all__ = [
    "deserialize_keras_object", "has_arg", "is_symbolic_tensor", "is_tensor_or_variable",
    "make_batches", "object_list_uid", "register_symbolic_tensor_type", "serialize_keras_object",
    "shape_type_conversion", "slice_arrays", "to_list", "to_snake_case",
]  # fmt: skip


def is_tensor_or_variable(x: Any) -> bool:
    """Whether `x` is a tensor or a variable."""
    from graphc.sparse.tensor import SparseTensor

    return isinstance(x, (Tensor, Variable, SparseTensor))


_symbolic: list[type] = []


def register_symbolic_tensor_type(cls: type) -> None:
    """Let `is_symbolic_tensor` know objects of a class of a user's."""
    _symbolic.append(cls)


def is_symbolic_tensor(x: Any) -> bool:
    """Whether `x` is a tensor, a variable, or of a class that was registered."""
    return is_tensor_or_variable(x) or isinstance(x, tuple(_symbolic))


def shape_type_conversion(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` of a layer: it is given shapes as tuples and its result is a `TensorShape`."""

    def plain(s: Any) -> Any:
        if isinstance(s, TensorShape):
            return None if s.ndims is None else tuple(s.as_list())
        if isinstance(s, list) and any(isinstance(x, TensorShape | tuple | list) for x in s):
            return [plain(x) for x in s]
        return s

    def shaped(s: Any) -> Any:
        if isinstance(s, list | tuple) and any(
            isinstance(x, TensorShape | tuple | list) for x in s
        ):
            return [shaped(x) for x in s]
        return TensorShape(s)

    @functools.wraps(fn)
    def wrapped(instance: Any, input_shape: Any) -> Any:
        return shaped(fn(instance, plain(input_shape)))

    return wrapped


def to_snake_case(name: str) -> str:
    """``FooBar`` as ``foo_bar``."""
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
    return "private" + words if words[0] == "_" else words


def to_list(x: Any) -> list[Any]:
    """`x` in a list, if it is none."""
    return x if isinstance(x, list) else [x]


def object_list_uid(object_list: Any) -> str:
    """Who the objects are, as text."""
    return ", ".join(str(abs(id(x))) for x in to_list(object_list))


def has_arg(fn: Callable[..., Any], name: str, accept_all: bool = False) -> bool:
    """Whether `fn` takes an argument by this name."""
    spec = inspect.getfullargspec(fn)
    return (accept_all and spec.varkw is not None) or name in (*spec.args, *spec.kwonlyargs)


def make_batches(size: int, batch_size: int) -> list[tuple[int, int]]:
    """Where batches begin and end."""
    return [(i, min(size, i + batch_size)) for i in range(0, size, batch_size)]


def slice_arrays(arrays: Any, start: Any = None, stop: Any = None) -> Any:
    """Rows of each array: those from `start` to `stop`, or those that a list names."""
    if arrays is None:
        return [None]
    rows = slice(start, stop)
    if hasattr(start, "__len__"):
        rows = start.tolist() if hasattr(start, "shape") else start
    if isinstance(arrays, list):
        return [None if x is None else x[rows] for x in arrays]
    return arrays[rows] if hasattr(arrays, "__getitem__") else [None]


def serialize_keras_object(instance: Any) -> Any:
    """An object as its name or as ``{"class_name": …, "config": …}``.

    Raises
    ------
    ValueError
        When it has neither.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": type(instance).__name__, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return instance.__name__
    raise ValueError(f"Cannot serialize {instance}")


def deserialize_keras_object(
    identifier: Any, module_objects: Any = None, custom_objects: Any = None,
    printable_module_name: str = "object",
) -> Any:  # fmt: skip
    """What `serialize_keras_object` gave, as an object again.

    Raises
    ------
    ValueError
        For a name that nobody knows, or a dict of another form.
    """
    if identifier is None:
        return None
    known = {**(module_objects or {}), **get_custom_objects(), **(custom_objects or {})}
    if isinstance(identifier, dict):
        if not {"class_name", "config"} <= set(identifier):
            raise ValueError(f"Improper config format: {identifier}")
        kind = known.get(identifier["class_name"])
        if kind is None:
            raise ValueError(f"Unknown {printable_module_name}: {identifier['class_name']}")
        config = identifier["config"]
        if not hasattr(kind, "from_config"):
            return kind(**config)
        if has_arg(kind.from_config, "custom_objects"):
            return kind.from_config(config, custom_objects=dict(custom_objects or {}))
        return kind.from_config(config)
    if isinstance(identifier, str):
        found = known.get(identifier)
        if found is None:
            raise ValueError(f"Unknown {printable_module_name}: {identifier}")
        return found() if inspect.isclass(found) else found
    if inspect.isfunction(identifier):
        return identifier
    raise ValueError(f"Could not interpret serialized {printable_module_name}: {identifier}")
