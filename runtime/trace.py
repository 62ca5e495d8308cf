"""What happened in a run, and when: written down while somebody traces this thread.

Whoever wants to know runs inside `tracing(state)`. Runs of this thread on that session's state then
leave the quick path and write into a `Tracer`; all others go on as ever. When nobody traces, the
quick path has no look at any of this: it compares one number, which a trace changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.ir.node import Node
from graphc.runtime.llvm.tracing import EVENTS, Log, log_for

if TYPE_CHECKING:
    from graphc.runtime.compilation import Bound, Compilation
    from graphc.runtime.state import State

__all__ = ["Native", "Span", "Tracer", "current", "span", "tracing"]


class Span(NamedTuple):
    """Something that Python did.

    Attributes
    ----------
    kind : str
        ``"native"`` (a call of native code, with its steps in the log), ``"host"`` (an op applied
        in Python), ``"pause"`` (between two parts of a run, host ops and a first part inside),
        ``"compile"`` or ``"bind"``.
    begin, end : int
        Nanoseconds of the monotonic clock.
    thread : int
        Identity of the thread.
    node : Node or None
        The op of the host.
    """

    kind: str
    name: str
    begin: int
    end: int
    thread: int
    node: Node | None = None


@dataclass(eq=False)
class Native:
    """A program that ran, with all that its runs wrote down."""

    compilation: Compilation
    bound: Bound
    log: Log
    runs: int = 0


@dataclass(eq=False)
class Tracer:
    """What was written down."""

    spans: list[Span] = field(default_factory=list)
    natives: dict[Any, Native] = field(default_factory=dict)

    def native(self, c: Compilation, b: Bound) -> Native:
        """Where a program writes; one place for all its runs."""
        found = self.natives.get(b)
        if found is None:
            room = EVENTS if len(self.natives) < 16 else EVENTS >> 5
            found = self.natives[b] = Native(c, b, log_for(len(b.steps), room))
        return found

    def span(self, kind: str, name: str, node: Node | None = None) -> AbstractContextManager[None]:
        """What goes on inside is a span."""
        return _Spanning(self.spans, kind, name, node)


class _Spanning(AbstractContextManager[None]):
    """A span that goes on."""

    __slots__ = ("begin", "kind", "name", "node", "spans")

    def __init__(self, spans: list[Span], kind: str, name: str, node: Node | None) -> None:
        self.spans, self.kind, self.name, self.node = spans, kind, name, node

    def __enter__(self) -> None:
        self.begin = time.monotonic_ns()

    def __exit__(self, *raised: object) -> None:
        end = time.monotonic_ns()
        me = threading.get_ident()
        self.spans.append(Span(self.kind, self.name, self.begin, end, me, self.node))


class _Current(threading.local):
    tracer: Tracer | None = None


_now = _Current()


def current() -> Tracer | None:
    """Where this thread's runs are written down; None when nobody wants to know."""
    return _now.tracer


def span(kind: str, name: str, node: Node | None = None) -> AbstractContextManager[None]:
    """`Tracer.span`, if somebody traces this thread."""
    tracer = _now.tracer
    return nullcontext() if tracer is None else tracer.span(kind, name, node)


@contextmanager
def tracing(state: State, tracer: Tracer | None = None) -> Iterator[Tracer]:
    """Runs of this thread inside, on that session's state, are written down."""
    before = _now.tracer
    _now.tracer = tracer = tracer or Tracer()
    state.slowly(1)
    try:
        yield tracer
    finally:
        state.slowly(-1)
        _now.tracer = before
