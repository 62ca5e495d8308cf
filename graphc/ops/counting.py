"""How many operations TensorFlow 1 makes in a function that is built otherwise here.

A random op without a seed of its own takes the number of operations made before it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ir.region import Loop

__all__ = ["as_many", "in_loop", "made", "sized"]

F = TypeVar("F", bound=Callable[..., Any])


def as_many(count: int | Callable[..., int | None]) -> Callable[[F], F]:
    """Decorator of a function that TF1 makes `count` operations in.

    Parameters
    ----------
    count : int or callable
        The number, or what gives it for the arguments of a call: None where it is what is recorded.
        It gets them by place, those behind one that is left out by name.
    """

    def decorator(f: F) -> F:
        names = inspect.getfullargspec(f).args

        def number(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
            if isinstance(count, int):
                return count
            given, named = list(args), dict(kwargs)
            for name in names[len(args) :]:  # by place, as far as they follow one another
                if name not in named:
                    break
                given.append(named.pop(name))
            return count(*given, **named)

        @functools.wraps(f)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with current().counts_as(number(args, kwargs)):
                return f(*args, **kwargs)

        return counted  # type: ignore[return-value]

    return decorator


def made(count: int) -> None:
    """TF1 has made so many operations here; there is nothing like them."""
    with current().counts_as(count):
        pass


def in_loop() -> bool:
    """Whether what is recorded now is in a loop: TF1 brings what it reads there by an operation."""
    context = getattr(current(), "context", None)
    return context is not None and any(isinstance(c, Loop) for c in context.chain())


def sized(x: Any) -> bool:
    """Whether all sizes of a tensor are known."""
    s = x.static_shape if isinstance(x, Value) else ()
    return s is not None and all(type(d) is int for d in s)
