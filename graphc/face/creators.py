"""``tf.variable_creator_scope``: functions of users that make the variables of a block."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

from graphc.face.graph import Graph, get_default_graph

__all__ = ["Created", "variable_creator_scope"]


class _Creators(threading.local):
    """The functions in force in a thread, each with the graph it was given for."""

    def __init__(self) -> None:
        self.stack: list[tuple[Graph, Callable[..., Any]]] = []


_creators = _Creators()


@contextlib.contextmanager
def variable_creator_scope(variable_creator: Callable[..., Any]) -> Iterator[None]:
    """Let a function make, or look at, every variable that is made in the block.

    Parameters
    ----------
    variable_creator : function
        ``variable_creator(next_creator, **kwargs)`` gives a variable: mostly that which
        ``next_creator(**kwargs)`` makes. The innermost block's function is called first.

    Examples
    --------
    >>> import graphc as tf
    >>> made = []
    >>> def note(next_creator, **kwargs):
    ...     made.append(next_creator(**kwargs))
    ...     return made[-1]
    >>> with tf.variable_creator_scope(note):
    ...     v = tf.get_variable("v", [])
    >>> made[0] is v
    True
    """
    entry = (get_default_graph(), variable_creator)
    _creators.stack.append(entry)
    try:
        yield
    finally:
        _creators.stack.remove(entry)


class Created(type):
    """Makes variables by the functions of `variable_creator_scope` that are in force."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """A variable."""
        make = super().__call__
        if not _creators.stack:
            return make(*args, **kwargs)
        graph = get_default_graph()
        signature = inspect.signature(type.__getattribute__(cls, "__init__"))
        bound = signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        (_, *given) = bound.arguments.items()
        for home, creator in _creators.stack:
            if home is graph:
                make = functools.partial(creator, make)
        return make(**dict(given))
