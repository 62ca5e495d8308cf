"""A pure graph: what a run computes, with nothing left of the session that asked for it.

A pass is a function from `Graph` to `Graph`, normally one call of `rebuild`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

from graphc.ir import build, dims, journal, permit
from graphc.ir.dims import Facts, Shape
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value, reachable
from graphc.ir.pictures import Pictured

__all__ = ["Graph", "Rewrite", "copy", "paused_gc"]

#: What a rewrite answers for a node: nothing (keep it), one value, or a value per output.
Rewrite = Callable[[Node, tuple[Value, ...]], "Value | Sequence[Value] | None"]


@dataclass(frozen=True)
class Graph(Pictured):
    """A pure graph.

    Attributes
    ----------
    outputs : tuple of Value
        What the run returns, in order.
    updates : tuple of (str, Value)
        New values of variables, committed together at the end of the run.
    inputs : tuple of Value
        Outputs of ``input`` nodes: what is fed, in order.
    name : str
    facts : Facts
        The sizes this graph was made for and the questions it depends on.
    """

    outputs: tuple[Value, ...]
    updates: tuple[tuple[str, Value], ...] = ()
    inputs: tuple[Value, ...] = ()
    name: str = "main"
    facts: Facts = field(default_factory=Facts, compare=False)

    @property
    def roots(self) -> tuple[Value, ...]:
        return self.outputs + tuple(v for _, v in self.updates)

    def nodes(self) -> list[Node]:
        """The nodes that the roots need, inputs before users (found once: graphs never change)."""
        return self._nodes

    @cached_property
    def _nodes(self) -> list[Node]:
        return reachable([v.node for v in self.roots])

    def of_nodes(self, nodes: Iterable[Node]) -> Graph:
        """This graph, whose nodes are known to be these, all needed, each once."""
        self.__dict__["_nodes"] = sorted(nodes, key=attrgetter("id"))
        return self

    def users(self) -> dict[Value, list[Node]]:
        """For each value the nodes that read it (once for each time they do)."""
        out: dict[Value, list[Node]] = {}
        for n in self.nodes():
            for v in n.inputs:
                out.setdefault(v, []).append(n)
        return out

    def with_roots(self, f: Callable[[Value], Value]) -> Graph:
        """The same graph with each root replaced by `f(root)`."""
        return replace(
            self,
            outputs=tuple(f(v) for v in self.outputs),
            updates=tuple((name, f(v)) for name, v in self.updates),
        )

    def rebuild(
        self, f: Rewrite, nodes: Iterable[Node] | None = None, ops: Container[str] | None = None,
        asks: bool = True,
    ) -> Graph:  # fmt: skip
        """Hand every node to `f`, inputs already rebuilt; unchanged nodes are kept as they are.

        `f(node, inputs)` builds with the op functions; what it makes inherits the node's name
        and source. It returns None to keep the node (with its new inputs). With `ops`, only
        nodes of these ops are handed over. Without `asks`, what replaces a node is no
        rewrite of its own (`graphc.ir.permit`).
        """
        new: dict[Value, Value] = {}
        get = new.get
        rewriter = build.Rewriter()
        f = permit.asking(f) if asks else f
        with build.use(rewriter), dims.assuming(self.facts), paused_gc():
            for n in self.nodes() if nodes is None else nodes:
                inputs = old = n.inputs
                if new:
                    inputs = tuple(map(get, old, old))
                r = None
                if ops is None or n.op.name in ops:
                    rewriter.like = n
                    r = f(n, inputs)
                if r is None:
                    if inputs is old or inputs == old:
                        continue
                    made: Sequence[Value] = copy(n, inputs).outputs
                elif isinstance(r, Value):
                    made = (r,)
                else:
                    made = r
                for a, b in zip(n.outputs, made, strict=True):
                    if a is not b:
                        new[a] = b
        if not new:
            return self
        log = journal.current()
        if log is not None:
            log.moved(new)
        return self.with_roots(lambda v: get(v, v))


@contextmanager
def paused_gc() -> Iterator[None]:
    """No garbage collection inside: large graphs make many objects and little garbage.

    What was made is old at once. Enabling the collector alone would have it go through all new
    objects first, a tenth of the time that a large graph takes.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()  # the permanent generation becomes part of the oldest
            gc.enable()


_MANY = 50_000  # new objects


def copy(n: Node, inputs: Sequence[Value], attrs: dict[str, Any] | None = None) -> Node:
    """`n` on other inputs, types inferred anew (kept, where those of the inputs are the same)."""
    types: list[tuple[DType, Shape | None]] | None = None
    if attrs is None and "dynamic" not in n.attrs:
        for a, b in zip(n.inputs, inputs, strict=True):
            if a is not b and (a.dtype is not b.dtype or a.static_shape != b.static_shape):
                break
        else:
            if len(n.outputs) == 1:
                v = n.outputs[0]
                types = [(v.dtype, v.static_shape)]
            else:
                types = [(v.dtype, v.static_shape) for v in n.outputs]
    given = n.attrs if attrs is None else attrs
    inferred = n.op.infer(inputs, given) if types is None else types
    made = Node(n.op, inputs, given, inferred, n.name, (), n.source)
    log = journal.current()
    if log is not None:
        log.copies[made] = n
    return made
