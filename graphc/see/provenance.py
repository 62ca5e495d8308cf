"""Where the values of a compilation come from, and what became of them.

`Provenance` follows a journal (`graphc.ir.journal`) both ways: from anything in any stage back to
the recorded operations and the user's lines, and from a recorded operation on to the kernels.

>>> import graphc as tf
>>> from graphc.face.dump import compile_run
>>> from graphc.ir import journal
>>> with tf.Graph().as_default(), journal.recording() as log:
...     x = tf.placeholder(tf.float32, [None], name="x")
...     y = tf.exp(x * 2.0, name="y")
...     c = compile_run(y)[0].compilation
>>> p = Provenance(log, [c])
>>> [n.name for n in p.recorded(c.plan.steps[0].node)]
['mul', 'y']
>>> [c.plan.steps[i].code.name for c, i in p.kernels(y)]
['k0_multiply_exp']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.ir.graph import Graph
from graphc.ir.journal import Change, Journal
from graphc.ir.node import Node, Source, Value
from graphc.ir.registry import REGIONS

__all__ = ["Provenance", "forward", "forward_operation", "inner_graphs"]


def forward(journal: Journal, value: Value | Node) -> list[Value]:
    """All that `value` became in later stages, in order (see `Provenance`)."""
    return Provenance(journal).became(value)


class Provenance:
    """The links between the stages of compilations; made once, then asked often.

    Parameters
    ----------
    journal : Journal
        That was recording while they were made.
    compilations : sequence of Compilation, optional
        For questions about kernels and about what is inside of fused nodes and regions.
    """

    def __init__(self, journal: Journal, compilations: Sequence[Any] = ()) -> None:
        self.journal = journal
        self.compilations = tuple(compilations)
        self._made_of: dict[Node, dict[Node, None]] = {}
        self._became: dict[Node, dict[Value, None]] = {}
        self._changes: dict[Value, list[Change]] = {}
        for c in journal.changes:
            self._link(c)
        for new, old in [*journal.copies.items(), *journal.origin.items()]:
            if new in self._made_of and new not in journal.copies:
                continue  # what a pass says of it is nearer than where it was built
            self._made_of.setdefault(new, {})[old] = None
            for v in new.outputs:
                self._became.setdefault(old, {})[v] = None
        #: The node in whose body or region a node is.
        self.holder: dict[Node, Node] = {}
        #: The steps of plans that compute a fused or structured node.
        self.steps: dict[Node, list[tuple[Any, int]]] = {}
        for c in self.compilations:
            for g in (c.frozen.graph, *[r.graph for r in c.trace.records], c.plan.graph):
                self._hold(g)
            for i, s in enumerate(c.plan.steps):
                if s.calls:
                    self.steps.setdefault(s.node, []).append((c, i))
        self._recorded: dict[Node, tuple[Node, ...]] = {}

    def _link(self, c: Change) -> None:
        self._changes.setdefault(c.new, []).append(c)
        for old in (c.old, *c.within):
            if old.node is not c.new.node:
                self._made_of.setdefault(c.new.node, {})[old.node] = None
            self._became.setdefault(old.node, {})[c.new] = None

    def _hold(self, g: Graph) -> None:
        stack = [g]
        while stack:
            for n in stack.pop().nodes():
                for inner in inner_graphs(n):
                    known = False
                    for m in inner.nodes():
                        known = known or self.holder.get(m) is n
                        if m.op.name not in ("input", "constant"):
                            self.holder[m] = n
                    if not known:
                        stack.append(inner)

    # ---------------------------------------------------------------- back

    def back(self, node: Value | Node) -> list[Change]:
        """The changes that led to the value (or the outputs of the node), last first."""
        found: list[Change] = []
        seen: set[Value] = set()
        stack = list(_values(node))[::-1]
        while stack:
            v = stack.pop()
            if v in seen:
                continue
            seen.add(v)
            for c in reversed(self._changes.get(v, ())):
                found.append(c)
                stack.append(c.old)
        return found

    def recorded(self, node: Value | Node) -> list[Node]:
        """The recorded operations that it comes from: of a fused node, those of all its body."""
        n = node.node if isinstance(node, Value) else node
        known = self._recorded.get(n)
        if known is None:
            found: dict[Node, None] = {}
            seen: set[Node] = set()
            stack = [n]
            while stack:
                m = stack.pop()
                if m in seen:
                    continue
                seen.add(m)
                if m.graph is not None:
                    found[m] = None
                    continue
                inner = [x for g in inner_graphs(m) for x in g.nodes()]
                inner = [x for x in inner if x.op.name not in ("input", "constant")]
                stack += inner
                if not inner or m.op.name in REGIONS:
                    stack += self._made_of.get(m, ())
                # what a fused node is made of says more than what it took the place of
            known = self._recorded[n] = tuple(sorted(found, key=lambda m: m.id))
        return list(known)

    def lines(self, node: Value | Node) -> list[Source]:
        """The user's lines that it comes from, as the recorded operations have them."""
        n = node.node if isinstance(node, Value) else node
        found = dict.fromkeys(s for m in self.recorded(n) for s in m.source[:1])
        return list(found) or list(n.source)

    # ---------------------------------------------------------------- forward

    def became(self, node: Value | Node) -> list[Value]:
        """All values of later stages that it became, or that were built in its place."""
        return self._follow(node, lambda n: self._became.get(n, ()))

    def ends(self, node: Value | Node) -> list[Value]:
        """What it became in the end: those of `became` that became nothing else."""
        made = self.became(node)
        return [v for v in made if not self._became.get(v.node)] or made[-1:]

    def _follow(self, node: Value | Node, next_: Callable[[Node], Iterable[Value]]) -> list[Value]:
        found: dict[Value, None] = {}
        seen: set[Node] = set()
        stack = [node.node if isinstance(node, Value) else node]
        while stack:
            n = stack.pop()
            if n in seen:
                continue
            seen.add(n)
            for v in next_(n):
                found[v] = None
                stack.append(v.node)
        return sorted(found, key=lambda v: (v.node.id, v.index))

    def within(self, node: Node) -> list[Node]:
        """The nodes it is inside of, nearest first: a fused node, a ``while``, a ``cond``."""
        out: list[Node] = []
        n = self.holder.get(node)
        while n is not None and n not in out:
            out.append(n)
            n = self.holder.get(n)
        return out

    def kernels(self, node: Value | Node) -> list[tuple[Any, int]]:
        """The steps of plans, as (compilation, number), that compute it or what it became."""
        n = node.node if isinstance(node, Value) else node
        found: dict[tuple[int, int], tuple[Any, int]] = {}
        for m in dict.fromkeys([n, *[v.node for v in self.became(n)]]):
            for holder in (m, *self.within(m)):
                steps = self.steps.get(holder)
                if steps:
                    for c, i in steps:
                        found[id(c), i] = c, i
                    break
        return sorted(found.values(), key=lambda p: (self.compilations.index(p[0]), p[1]))


def inner_graphs(n: Node) -> list[Graph]:
    """The body of a fused node, the regions of a construct."""
    names = ("body",) if n.op.name == "fused" else REGIONS.get(n.op.name, ())
    return [n.attrs[k] for k in names]


def _values(x: Value | Node) -> Sequence[Value]:
    return (x,) if isinstance(x, Value) else x.outputs


_GRADIENT = re.compile(r"_grad(_\d+)?$")


def forward_operation(n: Node) -> Node | None:
    """The operation of which `n`, a recorded gradient operation, is a part of the gradient.

    They are recorded below ``<name of the operation>_grad``, in a scope of their own.
    """
    if n.graph is None:
        return None
    parts = n.name.split("/")
    for j in reversed(range(len(parts) - 1)):
        if not _GRADIENT.search(parts[j]):
            continue
        for i in range(j + 1):
            name = _GRADIENT.sub("", "/".join(parts[i : j + 1]))
            try:
                found = n.graph.get_operation_by_name(name)
            except (KeyError, ValueError):
                continue
            if isinstance(found, Node) and found.id < n.id:
                return found
    return None
