"""Small things of ``tensorflow.python.util`` that libraries import."""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = [
    "LazyLoader", "deprecated", "deprecated_alias", "deprecated_arg_values", "deprecated_args",
    "deprecated_argument_lookup", "do_not_convert", "getfullargspec", "keras_export",
    "make_decorator", "shape_internal", "tf_export", "unwrap",
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


def getfullargspec(obj: Callable[..., Any]) -> inspect.FullArgSpec:
    """The arguments of a function, or of what it wraps, without annotations."""
    P = inspect.Parameter
    parameters = list(inspect.signature(obj).parameters.values())
    plain = [p for p in parameters if p.kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD)]
    only = [p for p in parameters if p.kind is P.KEYWORD_ONLY]
    names = [p.name for p in plain]
    if inspect.ismethod(obj):
        names.insert(0, next(iter(inspect.signature(obj.__func__).parameters)))
    elif inspect.isclass(obj):
        names.insert(0, "self")
    return inspect.FullArgSpec(
        names,
        next((p.name for p in parameters if p.kind is P.VAR_POSITIONAL), None),
        next((p.name for p in parameters if p.kind is P.VAR_KEYWORD), None),
        tuple(p.default for p in plain if p.default is not P.empty) or None,
        [p.name for p in only],
        {p.name: p.default for p in only if p.default is not P.empty} or None,
        {},
    )


class LazyLoader(types.ModuleType):
    """A module that is imported when something of it is first asked for.

    Parameters
    ----------
    local_name : str
        The name it gets in `parent_module_globals`.
    parent_module_globals : dict
    name : str
        What is imported.
    """

    def __init__(self, local_name: str, parent_module_globals: dict[str, Any], name: str) -> None:
        self._local_name, self._globals = local_name, parent_module_globals
        super().__init__(name)

    def _load(self) -> Any:
        module = importlib.import_module(self.__name__)
        self._globals[self._local_name] = module
        self.__dict__.update(module.__dict__)
        return module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __dir__(self) -> list[str]:
        return dir(self._load())


def do_not_convert(func: Any = None) -> Any:
    """A function as it is; without one, a decorator that says the same."""
    return _as_it_is() if func is None else func


def unwrap(maybe_tf_decorator: Any) -> tuple[list[Any], Any]:
    """No decorators, and the function below all wrappers."""
    found = maybe_tf_decorator
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return [], found
