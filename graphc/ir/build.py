"""Making nodes: into the graph that is being recorded, or into the one being rewritten.

Op functions call `build`; who receives the node is the innermost builder of this thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from graphc.ir import journal
from graphc.ir.node import Node, Source, Value

if TYPE_CHECKING:
    from graphc.ops.record import Op

__all__ = [
    "Builder", "InferError", "Rewriter", "Source", "build", "current", "default", "set_default",
    "use",
]  # fmt: skip


class InferError(ValueError):
    """Types or shapes an op cannot take; the builder adds the op's name and inputs.

    A second argument is what follows the shapes of the inputs there.
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Builder(Protocol):
    """Receives every node that op functions make."""

    def add(
        self, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str | None
    ) -> Node: ...

    def reserve(self, *bases: str) -> None:
        """Take names that TF1 gives to constants graphc keeps as attributes."""

    def counts_as(
        self, count: int | None, gradient: Sequence[tuple[int, int]] | None = None,
        through: Sequence[tuple[Value, tuple[int, int]]] = (),
    ) -> Any:  # fmt: skip
        """A context manager: what is recorded inside counts as so many operations of TF1's."""

    def scope(self, name: str | None, default: str) -> Any:
        """A context manager: the name scope of a function made of several ops."""


class Rewriter:
    """Builds nodes of no recorded graph; they inherit name and source of the node they replace."""

    def __init__(self, like: Node | None = None) -> None:
        self.like = like
        self.journal = journal.current()

    def add(
        self, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str | None
    ) -> Node:
        like = self.like
        made = Node(
            op, inputs, attrs, op.infer(inputs, attrs),
            name or (like.name if like is not None else op.name), (),
            like.source if like is not None else (),
        )  # fmt: skip
        if self.journal is not None and like is not None:
            self.journal.built(made, like)
        return made

    def reserve(self, *bases: str) -> None:
        pass

    def counts_as(
        self, count: int | None, gradient: Sequence[tuple[int, int]] | None = None,
        through: Sequence[tuple[Value, tuple[int, int]]] = (),
    ) -> Any:  # fmt: skip
        return nullcontext()

    @contextmanager
    def scope(self, name: str | None, default: str) -> Iterator[str]:
        yield ""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a graph that is being rewritten has no {name!r}", name=name, obj=self
        )


class _Stack(threading.local):
    def __init__(self) -> None:
        self.items: list[Builder] = []


_stack = _Stack()


def _no_default() -> Builder:
    return Rewriter()


#: What receives nodes when no builder is in use: the face puts its default graph here.
default: Callable[[], Builder] = _no_default


def set_default(f: Callable[[], Builder]) -> None:
    global default
    default = f


def current() -> Builder:
    """The builder that receives nodes now."""
    items = _stack.items
    return items[-1] if items else default()


@contextmanager
def use(builder: Builder) -> Iterator[Builder]:
    """Send nodes to `builder` inside the block."""
    _stack.items.append(builder)
    try:
        yield builder
    finally:
        _stack.items.pop()


def build(
    op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any] | None = None, name: str | None = None
) -> Node:
    """Apply `op` to `inputs`; the types are inferred and checked here."""
    return current().add(op, inputs, attrs or {}, name)
