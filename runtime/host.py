"""What the host applies between two native parts of a run: one op, on numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from graphc.errors import (
    InvalidArgumentError,
    OpError,
    OutOfRangeError,
    ResourceExhaustedError,
    UnimplementedError,
    UnknownError,
)
from graphc.ir.node import Node, Value
from graphc.ops.record import Op, meaning, strings, typed
from graphc.passes.run_errors import run_error
from graphc.runtime import deadline, trace

__all__ = ["Context", "apply", "operand"]

Array = np.ndarray[Any, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """What a host op may use besides its operands: the first argument of `Op.host`.

    Attributes
    ----------
    node : Node
        The recorded operation: name, types, attributes.
    state : State
        Of the session.
    executor : Executor
        `executor.closed` is set when the session is closed: whoever waits looks at it, by
        `deadline.check`.
    """

    node: Node
    state: Any
    executor: Any

    def resource(self, name: str, make: Callable[[], T]) -> T:
        """The session's object of this name, made by the first who asks.

        It lives as long as the session; one with a method ``close`` is closed with it.

        Raises
        ------
        CancelledError
            When the session was closed since the run began: nobody would close what is made now.
        """
        with self.state.lock:
            deadline.check()
            found: T = self.state.resources.get(name)
            if found is None:
                found = self.state.resources[name] = make()
            return found

    def run(
        self, fetches: Sequence[Value | Node], feeds: Mapping[Value, Any] | None = None
    ) -> list[Any]:
        """Another run in the same session: the values of those of `fetches` that are values."""
        feeds = feeds or {}
        out: list[Any] = self.executor.prepare(tuple(fetches), tuple(feeds))(*feeds.values())
        return out

    def native(self, record: Op, arrays: Sequence[Any], **attrs: Any) -> list[Array]:
        """What a structured op makes of arrays, in native code beside the session's graph."""
        return self.executor.beside(record, arrays, attrs)  # type: ignore[no-any-return]


def operand(x: Any) -> Array:
    """A value as a host op gets it; numpy would cut zeros off the end of bytes."""
    return strings(x) if isinstance(x, bytes) else np.asarray(x)


def apply(n: Node, arrays: Sequence[Any], state: Any, executor: Any) -> list[Array]:
    """The outputs of a recorded node for these operands.

    Raises
    ------
    OpError
        With the node's name and the user's line, for any exception but those that end a program.
    """
    with deadline.until(executor.closed), trace.span("host", n.op.name, n):
        deadline.check()
        return _apply(n, arrays, state, executor)


def _apply(n: Node, arrays: Sequence[Any], state: Any, executor: Any) -> list[Array]:
    try:
        types = [v.type for v in n.outputs]
        if n.op.host is None:
            return meaning(n.op, arrays, n.attrs, types)
        made = n.op.host(Context(n, state, executor), *arrays, **n.attrs)
        return _shaped(n, typed(made, types))
    except Exception as e:
        raise as_op_error(n, e) from e


def _shaped(n: Node, arrays: list[Array]) -> list[Array]:
    """Refuse results that are not of the shape recorded for them."""
    for v, a in zip(n.outputs, arrays, strict=True):
        s = v.static_shape
        if s is None:
            continue
        if a.ndim != len(s) or any(
            type(d) is int and d != k for d, k in zip(s, a.shape, strict=True)
        ):
            known = ",".join(str(d) if type(d) is int else "?" for d in s)
            raise InvalidArgumentError(
                None, n, f"{v.name} has the shape [{known}], but was given {list(a.shape)}"
            )
    return arrays


#: TF1's status for an exception of Python, the first that fits.
_STATUS: tuple[tuple[tuple[type[Exception], ...], type[OpError]], ...] = (
    ((StopIteration,), OutOfRangeError),
    ((MemoryError,), ResourceExhaustedError),
    ((NotImplementedError,), UnimplementedError),
    ((ValueError, TypeError, IndexError, OverflowError), InvalidArgumentError),
)


def as_op_error(n: Node, e: Exception) -> OpError:
    """The error of TF1 that an exception inside a host op becomes."""
    if isinstance(e, OpError):
        if e.op is not None:
            return e  # says already where
        return type(e)(None, n, run_error(n, e.message))
    builtin = n.op.host is None or n.op.family != "host"
    text = f"{e}" if builtin and str(e) else f"{type(e).__name__}: {e}"
    for kinds, error in _STATUS:
        if isinstance(e, kinds):
            return error(None, n, run_error(n, text))
    return UnknownError(None, n, run_error(n, text))
