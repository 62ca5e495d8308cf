"""`arg_scope`: defaults for arguments of functions, by blocks of code."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["add_arg_scope", "arg_scope", "arg_scoped_arguments", "current_arg_scope",
           "has_arg_scope"]  # fmt: skip

Scope = dict[str, dict[str, Any]]


class _Stack(threading.local):
    def __init__(self) -> None:
        self.items: list[Scope] = [{}]


_stack = _Stack()
#: Functions that take part, with the names of the arguments they have.
_known: dict[str, tuple[str, ...]] = {}


def current_arg_scope() -> Scope:
    """The defaults that hold here."""
    return _stack.items[-1]


def arg_scope_func_key(op: Any) -> str:
    """The key of a function in a scope."""
    return getattr(op, "_key_op", str(op))


def has_arg_scope(func: Any) -> bool:
    """Whether a function takes defaults from `arg_scope`."""
    return arg_scope_func_key(func) in _known


def arg_scoped_arguments(func: Any) -> tuple[str, ...]:
    """The keyword arguments that a function may get from `arg_scope`."""
    if not has_arg_scope(func):
        raise ValueError(f"{func.__module__}::{func.__name__} is not decorated with @add_arg_scope")
    return _known[arg_scope_func_key(func)]


@contextmanager
def arg_scope(list_ops_or_scope: Any, **kwargs: Any) -> Iterator[Scope]:
    """Give functions default arguments inside the block.

    Parameters
    ----------
    list_ops_or_scope : list of functions, or a scope
        Functions made with `add_arg_scope`; or what another ``with arg_scope(…) as scope`` gave.
    kwargs
        The defaults.

    Raises
    ------
    TypeError, ValueError
        For anything else, or a function that takes no part.

    Examples
    --------
    >>> import graphc as tf
    >>> slim = tf.contrib.slim
    >>> with tf.Graph().as_default(), slim.arg_scope([slim.fully_connected], activation_fn=None):
    ...     print(slim.fully_connected(tf.zeros([2, 3]), 4).op.type)
    BiasAdd
    """
    if isinstance(list_ops_or_scope, dict):
        if kwargs:
            raise ValueError(
                "When attempting to re-use a scope by suppling a dictionary, kwargs must be empty."
            )
        scope = dict(list_ops_or_scope)
    else:
        if not isinstance(list_ops_or_scope, list | tuple | set):
            raise TypeError(
                "list_ops_or_scope must either be a list/tuple or reused scope (i.e. dict)"
            )
        scope = dict(current_arg_scope())
        for f in list_ops_or_scope:
            if not has_arg_scope(f):
                module = getattr(f, "__module__", None)
                name = getattr(f, "__name__", f)
                raise ValueError(f"('{module}', '{name}') is not decorated with @add_arg_scope")
            scope[arg_scope_func_key(f)] = {**scope.get(arg_scope_func_key(f), {}), **kwargs}
    _stack.items.append(scope)
    try:
        yield scope
    finally:
        _stack.items.pop()


def add_arg_scope(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function take defaults from `arg_scope`."""

    @functools.wraps(func)
    def with_defaults(*args: Any, **kwargs: Any) -> Any:
        given = current_arg_scope().get(key)
        return func(*args, **(kwargs if given is None else {**given, **kwargs}))

    key = str(func)
    with_defaults._key_op = key  # type: ignore[attr-defined]
    code = func.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    defaults = len(func.__defaults__ or ()) + code.co_kwonlyargcount
    _known[key] = names[len(names) - defaults :] if defaults else ()
    return with_defaults
