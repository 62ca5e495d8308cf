"""Partial runs: a run whose feeds arrive, and whose fetches leave, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.errors import InvalidArgumentError, OpError, UnimplementedError
from graphc.face.elements import Operation, Tensor
from graphc.ir.node import Node, Value

__all__ = ["PartialRun", "no_handle"]


def no_handle() -> OpError:
    """The error of a handle that stands for no partial run."""
    return _error("Must run 'setup' before performing partial runs!")


def _error(text: str) -> OpError:
    return InvalidArgumentError(None, None, text)


def _before(ends: Iterable[Node], known: set[Node]) -> set[Node]:
    """`ends` and all that they need, without what is known."""
    out: set[Node] = set()
    stack = list(ends)
    while stack:
        n = stack.pop()
        if n not in out and n not in known:
            out.add(n)
            stack.extend(v.node for v in n.inputs)
            stack.extend(n.control)
    return out


def _has_effect(n: Node) -> bool:
    facts = n.op.facts
    return bool(facts.get("update") or facts.get("effect") or n.attrs.get("updates"))


class PartialRun:
    """What was fed and computed of a run so far: no operation runs twice.

    Parameters
    ----------
    session : Session
    elements : sequence of Tensor or Operation
        What the run is about. Operations run as soon as what they need has been fed.
    feeds : sequence of Tensor
        What may be fed.
    """

    def __init__(
        self, session: Any, elements: Sequence[Tensor | Operation], feeds: Sequence[Tensor]
    ) -> None:
        self.session = session
        self.graph = session.graph
        self.asked = {e for e in elements if isinstance(e, Tensor)}
        self.left = set(self.asked)
        self.waiting: set[Node] = {e for e in elements if isinstance(e, Operation)}
        self.feeds = set(feeds)
        self.to_feed = set(feeds)
        #: What was fed, and what was computed and is read later.
        self.values: dict[Value, Any] = {}
        self.done: set[Node] = set()

    @property
    def over(self) -> bool:
        """Whether everything was fetched."""
        return not self.left

    def run(self, elements: Sequence[Tensor | Operation], fed: dict[Any, Any]) -> list[Any]:
        """The values of `elements`, after some more was fed.

        Raises
        ------
        RuntimeError
            When an operation is fetched.
        InvalidArgumentError
            For what was not set up, was fed or fetched before, or needs what was not fed yet.
        UnimplementedError
            When a control dependency with an effect ran in an earlier step.
        """
        fetches = [e for e in elements if isinstance(e, Tensor)]
        if len(fetches) < len(elements):
            raise RuntimeError("partial_run() requires empty target_list.")
        self._check(fetches, fed)
        to_feed = self.to_feed.difference(fed)
        values = dict(self.values)
        values.update(fed)
        known = self.done | {v.node for v in values}
        waiting = {t.node for t in to_feed}
        for f in fetches:
            missing = _before([f.node], known) & waiting
            if missing:
                name = min(v.name for v in to_feed if v.node in missing)
                raise _error(
                    f"Fetch {name} can't be computed from the feeds that have been fed so far."
                )
        now = [n for n in self.waiting if not _before([n], known) & waiting]
        nodes = _before([*[f.node for f in fetches], *now], known)
        self._refuse_again(nodes)
        kept = self._crossing(nodes, set(self.left).difference(fetches), now, known)
        try:
            got = self.session.run([*fetches, *kept, *now], values)
        except OpError:
            self.left.clear()
            raise
        self.to_feed = to_feed
        self.values = values
        self.values.update(zip([*fetches, *kept], got, strict=False))
        self.done |= {n for n in nodes if self._is_kept(n)}
        self.left.difference_update(fetches)
        self.waiting.difference_update(now)
        out: list[Any] = got[: len(fetches)]
        return out

    def _refuse_again(self, nodes: set[Node]) -> None:
        """A value that is there already is fed; an operation that only comes before runs again."""
        for n in nodes:
            for c in n.control:
                if c in self.done and any(_has_effect(m) for m in _before([c], set())):
                    raise UnimplementedError(
                        None, None, f"partial_run: '{n.name}' comes after '{c.name}', which ran in "
                        "an earlier step and would run again: fetch both in one step.",
                    )  # fmt: skip

    def _check(self, fetches: Sequence[Any], fed: dict[Any, Any]) -> None:
        for t in fed:
            if t not in self.feeds:
                raise _error(f"The feed {t.name} was not specified in partial_run_setup.")
            if t not in self.to_feed:
                raise _error(f"The feed {t.name} has already been fed.")
        for f in fetches:
            if f not in self.asked:
                raise _error(f"The fetch {f.name} was not specified in partial_run_setup.")
            if f not in self.left:
                raise _error(f"The fetch {f.name} has already been fetched.")

    def _is_kept(self, n: Node) -> bool:
        """Whether the values of `n` can be had and given again; a variable's are its own."""
        return n.op.name != "variable" and all(
            self.graph.is_feedable(v) and self.graph.is_fetchable(v) for v in n.outputs
        )

    def _crossing(
        self, nodes: set[Node], left: Iterable[Tensor], now: Sequence[Node], known: set[Node]
    ) -> list[Any]:
        """What this step computes and later ones read."""
        ends = [*[t.node for t in left], *self.waiting.difference(now)]
        later = _before(ends, known | nodes)
        found: dict[Any, None] = {}
        for n in [*later, *ends]:
            reads = n.outputs if n in nodes else n.inputs
            for v in [*reads, *[v for c in n.control for v in c.outputs[:1]]]:
                if v.node in nodes and self._is_kept(v.node):
                    found[v] = None
        return list(found)
