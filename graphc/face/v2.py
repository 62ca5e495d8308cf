"""Functions of ``tf.compat.v2`` that differ from those of ``tf`` (see `graphc.face.v2_names`)."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from graphc.face import flow, variables
from graphc.face.current import name_scope as _name_scope
from graphc.face.lazy import lookup
from graphc.face.v2_names import CALLS
from graphc.ir import dtypes
from graphc.ops import math

__all__ = ["Variable", "constant", "name_scope", "poisson", "where", "while_loop"]


def _call(path: str) -> Callable[..., Any]:
    """The function of ``tf`` under the signature that `CALLS` says."""
    words = CALLS[path].split()
    source = words.pop(0)[1:] if words[0].startswith("=") else path
    space, _, name = source.rpartition(".")
    parameters, left_out = [], object()
    for word in words:
        key, sign, text = word.partition("=")
        default: Any = inspect.Parameter.empty
        if sign:
            default = getattr(dtypes, text, None) if text[:3] == "int" else ast.literal_eval(text)
        elif key == "unconnected_gradients":
            default = left_out  # that of ``tf``
        parameters.append(
            inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        )
    signature = inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = {k: v for k, v in bound.arguments.items() if v is not left_out}
        f = lookup(space, name)
        if path in ("ones_like", "zeros_like"):
            return f(given.pop("input"), **given)
        if path == "math.bincount":
            with _name_scope(given.pop("name"), "bincount"):
                return f(**given)
        if path.endswith(("argmax", "argmin")) and given["axis"] is None:
            given["axis"] = 0
        return f(**given)

    function.__name__ = function.__qualname__ = path.rpartition(".")[2]
    function.__doc__ = f"``tf.{source}`` with the arguments {CALLS[path]}."
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def __getattr__(name: str) -> Any:
    path = next((p for p in CALLS if p.replace(".", "_") == name), None)
    if path is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = _call(path)
    return found


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Any:
    """A constant; a single number fills `shape`, other values must have it.

    Raises
    ------
    TypeError
        When the values are of another number.
    """
    from graphc.face.shape import TensorShape
    from graphc.ops.convert import constant as filled

    made = filled(value, dtype=dtype, name=name) if shape is None else None
    if made is not None:
        return made
    wanted = TensorShape(shape)
    import numpy as np

    given = np.shape(value)
    if given != () and np.size(value) != wanted.num_elements():
        raise TypeError(
            f"Eager execution of tf.constant with unsupported shape (value has {np.size(value)} "
            f"elements, shape is {wanted} with {wanted.num_elements()} elements)."
        )
    return filled(value, dtype=dtype, shape=shape, name=name)


class name_scope:
    """A block whose operations have `name` before their own.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name
        self._scopes: list[Any] = []

    @property
    def name(self) -> str:
        """What was given."""
        return self._name

    def __enter__(self) -> str:
        scope = _name_scope(self._name)
        self._scopes.append(scope)
        entered: str = scope.__enter__()
        return entered

    def __exit__(self, *error: Any) -> Any:
        return self._scopes.pop().__exit__(*error)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """Elements of `x` where `condition` holds, else of `y`: all three are broadcast.

    Raises
    ------
    ValueError
        When only one of `x` and `y` is given.
    """
    if x is None and y is None:
        return math.where(condition, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    found = lookup("", "where_v2")
    return found(condition, x, y, name=name)


def while_loop(
    cond: Any, body: Any, loop_vars: Any, shape_invariants: Any = None,
    parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    maximum_iterations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """``tf.while_loop`` whose result always has the structure of `loop_vars`."""
    return flow.while_loop(
        cond, body, loop_vars, shape_invariants, parallel_iterations, back_prop, swap_memory, name,
        maximum_iterations, return_same_structure=True,
    )  # fmt: skip


def poisson(
    shape: Any, lam: Any, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Numbers of a Poisson distribution of the shape `shape` followed by that of `lam`."""
    return lookup("", "random_poisson")(lam, shape, dtype, seed, name)


class _Kind(type):
    def __instancecheck__(cls, obj: Any) -> bool:
        return isinstance(obj, variables.Variable)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, variables.Variable)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        names = (
            "initial_value trainable validate_shape caching_device name variable_def dtype "
            "import_scope constraint synchronization aggregation shape"
        ).split()
        given = dict(zip(names, args, strict=False)) | kwargs
        if len(args) > len(names) or not set(given) <= set(names):
            raise TypeError(f"Variable() got arguments it does not have: {[*args, *kwargs]}")
        if given.get("trainable") is None:
            given.pop("trainable", None)
        return variables.Variable(**given, use_resource=True)


class Variable(metaclass=_Kind):
    """A variable: ``tf.Variable`` with ``use_resource=True`` and no collections to choose."""
