"""What a face graph knows of control flow: which context records, and what may be read there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop

__all__ = ["Contexts"]


class Contexts:
    """The part of `Graph` that is about contexts.

    Attributes
    ----------
    context : Context or None
        What nodes recorded now belong to.
    contexts : dict
        The context of each node that has one.
    """

    context: Context | None
    contexts: dict[Node, Context]
    deepest: int  # the most constructs inside of each other
    _control: tuple[Node, ...]

    def _begin_contexts(self) -> None:
        self.context = None
        self.contexts = {}
        self.deepest = 0

    def in_loop(self, n: Node) -> bool:
        """Whether `n` is inside of a loop: no run can give or take its values."""
        c = self.contexts.get(n)
        return c is not None and any(isinstance(k, Loop) for k in c.chain())

    @contextmanager
    def inside(self: Any, context: Context | None) -> Iterator[None]:
        """Nodes made in the block belong to `context`; no control dependency reaches into it."""
        before = self.context, self._control
        self.context, self._control = context, ()
        if context is not None and context.depth > self.deepest:
            self.deepest = context.depth
        try:
            yield
        finally:
            self.context, self._control = before

    def taken(self: Any, base: str) -> str:
        """A name taken for a node that is recorded later (`construct`)."""
        name: str = self.unique_name(base)
        self._last_id += 1
        return name

    def construct(
        self: Any, op: Any, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str
    ) -> Node:
        """Record a node under a name that was taken for it."""
        self._last_id -= 1  # it was counted when its name was
        scope, self._scope = self._scope, ""
        try:
            node: Node = self.add(op, inputs, attrs, name + "/")
        finally:
            self._scope = scope
        return node

    def real(self, v: Value, label: str | None) -> Value:
        """What stands for `v` in the current context.

        Parameters
        ----------
        label : str or None
            The op that TF1 makes in the current scope where `v` is of an outer context.

        Raises
        ------
        ValueError
            When `v` is inside of a loop that the current context is not in.
        """
        context = self.context
        if context is None and not self.contexts:
            return v
        out, levels = self._real(v, context)
        if levels and label:
            self.reserve(*[label] * levels)  # type: ignore[attr-defined]
        return out

    def _real(self, v: Value, context: Context | None) -> tuple[Value, int]:
        """`v` as `context` sees it, and in how many contexts it was not captured before."""
        home = self.contexts.get(v.node)
        if home is context:
            return v, 0
        if home is not None and (context is None or not context.within(home)):
            loop = _innermost(home, context)
            if loop is not None:
                v = self._mirrored(v, loop, context)
                home = self.contexts.get(v.node)
        levels = 0
        for c in context.chain() if context is not None else ():
            if home is not None and home.within(c):
                break
            levels += c.capture(v)
        return v, levels

    def _mirrored(self, v: Value, loop: Loop, context: Context | None) -> Value:
        """What stands for a value inside `loop` in a loop that goes back through it."""
        chain = context.chain() if context is not None else ()
        back = next((c for c in chain if isinstance(c, Loop) and c.mirror is loop), None)
        if back is None:
            raise Unreachable(v)
        found = back.reads.get(v)
        if found is None:
            from graphc.passes.flow_gradient import read_back

            with self.inside(back):
                found = back.reads[v] = read_back(back, v)
        return found

    def _admitted(self: Any, inputs: Sequence[Value]) -> tuple[Sequence[Value], list[str]]:
        """Operands as the current context sees them, and the labels of what TF1 makes for them."""
        context = self.context
        contexts = self.contexts
        labels: list[str] = []
        out: list[Value] | None = None
        for i, v in enumerate(inputs):
            if contexts.get(v.node) is context:
                continue
            r, levels = self._real(v, context)
            if levels:
                labels += ["Switch" if isinstance(context, Branch) else "Enter"] * levels
            if r is not v:
                out = list(inputs) if out is None else out
                out[i] = r
        return (inputs if out is None else tuple(out)), labels

    def labelled(self: Any, node: Node) -> None:
        """TF1 makes one more op to bring something into the context for `node`."""
        label = "Switch" if isinstance(self.context, Branch) else "Enter"
        scope, self._scope = self._scope, node.name + "/"
        self.reserve(label)
        self._scope = scope

    def _placed(self: Any, node: Node, context: Context, labels: Sequence[str]) -> None:
        """`node` was recorded in `context`; TF1 makes the ops `labels` for what it reads."""
        self.contexts[node] = context
        context.note(node)
        if labels:
            scope, self._scope = self._scope, node.name + "/"
            self.reserve(*labels)
            self._scope = scope


class Unreachable(Exception):
    """A value inside of a loop is read outside."""

    def __init__(self, value: Value) -> None:
        super().__init__(str(value))
        self.value = value


def _innermost(home: Context, context: Context | None) -> Loop | None:
    """The innermost loop around `home` that `context` is not in."""
    for c in home.chain():
        if context is not None and context.within(c):
            return None
        if isinstance(c, Loop):
            return c
    return None
