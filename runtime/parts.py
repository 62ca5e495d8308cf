"""A run in parts: native code, a pause in which the host applies ops, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import FailedPreconditionError, UnimplementedError
from graphc.ir.node import Node, Value
from graphc.ir.region import is_inside
from graphc.passes.cuts import Cut, is_effect
from graphc.passes.reach import is_construct, live, needed
from graphc.passes.references import begins, changes, variable_of
from graphc.passes.run_errors import run_error
from graphc.runtime import host
from graphc.runtime.feeds import as_feed, from_storage, given_shape
from graphc.runtime.hostloop import HostDriven
from graphc.runtime.keeping import kept

__all__ = ["Parts"]


class Parts:
    """What a cut makes of a run.

    Attributes
    ----------
    first : run or None
        Computes what the host needs; commits nothing.
    fed : tuple of Value
        What is known after the pause.
    rest : run
        Goes on with it, and may be cut again.
    """

    def __init__(self, run: Any, cut: Cut) -> None:
        self.run = run
        self.cut = cut
        known = {v: i for i, v in enumerate(run.feeds)}
        for v, n in cut.needs:
            if v in known:
                message = f"{v.name!r} decides a shape, but has too many elements for that"
                raise UnimplementedError(None, n, run_error(n, message))
        #: Fed values that are the same for all readers. A variable that a region is fed is what it
        #: held at the start: who comes after an update in the region sees another.
        self.settled = {v for v in known if not begins(v, run.home, run.made)}
        #: Once each, as its first reader sees it.
        self.needs = {v: n for v, n in reversed(cut.needs)}
        self.fed = (*[v for h in cut.hosts for v in cut.made_by(h)], *self.needs)
        self.driven = {n: HostDriven(run, n, inner) for n, inner in cut.inner.items()}
        self._make_first(known)
        self.rest = self._make_rest()
        self._places(known)

    # ------------------------------------------------------------- the two runs

    def _make_first(self, known: dict[Value, int]) -> None:
        run, cut = self.run, self.cut
        hosts = frozenset(cut.hosts)
        readers = [*cut.hosts, *[n for _, n in cut.needs]]
        before = dict.fromkeys(
            c for n in readers for c in n.control if c not in hosts and is_inside(c, run.home)
        )
        targets, done = (*cut.hosts, *before), run.done | hosts
        if not cut.alone:
            self._keep([v for v, _ in cut.reads], targets, known)
        self.wanted = [
            s for s in dict.fromkeys((*cut.reads, *self.needs.items())) if s[0] not in self.settled
        ]
        self.first = None
        if self.wanted or any(c.op.name != "variable" for c in before):
            self.first = self._run(
                tuple([v for v, _ in self.wanted]), targets, run.made,
                done, True, tuple([n for _, n in self.wanted]), run.feeds, (),
            )  # fmt: skip

    def _keep(
        self, read: Sequence[Value], targets: tuple[Node, ...], known: dict[Value, int]
    ) -> None:
        """What the first part gives for the rest besides, and is not computed again then."""
        run = self.run
        done = run.done | frozenset(self.cut.hosts)
        feeds, made = (*run.feeds, *self.fed), run.made | set(self.fed)
        parts = (((*read, *self.needs), targets, run.feeds, run.made),
                 (run.fetches, run.targets, feeds, made))  # fmt: skip
        first, rest = (
            live(fetches, t, {v for v in fed if v not in m}, set(fed), done, run.home)
            for fetches, t, fed, m in parts
        )
        more = {
            v: n
            for v, n in kept(first, rest, run.fetches, bool(self.cut.hosts)).items()
            if v not in known
        }
        self.needs.update({v: n for v, n in more.items() if v not in self.needs})
        self.fed = (*[v for h in self.cut.hosts for v in self.cut.made_by(h)], *self.needs)

    def _make_rest(self) -> Any:
        run = self.run
        made = run.made | set(self.fed)
        done = run.done | set(self.cut.hosts)
        return self._run(
            run.fetches, run.targets, made, done, run.pure, run.readers, (*run.feeds, *self.fed),
            run.finals,
        )  # fmt: skip

    def _run(
        self,
        fetches: tuple[Value, ...],
        targets: tuple[Node, ...],
        made: frozenset[Value],
        done: frozenset[Node],
        pure: bool,
        readers: tuple[Node | None, ...],
        feeds: tuple[Value, ...],
        finals: tuple[str, ...],
    ) -> Any:
        """A run of only those of `feeds` that it reads: other sizes would make it more plans."""
        given = {v for v in feeds if v not in made}
        home = self.run.home
        reach = live(fetches, targets, given, set(feeds), done, home)
        read = {v for n in reach.nodes for v in n.inputs} | reach.read
        read.update(fetches)
        read.update(v for n in done if is_construct(n) for v in changes(n))
        if home is not None:
            read.update(v for v in feeds if v.node.op.name == "variable")
        # nor may a fed value's op be thought to be still to do, for what it does besides
        hides = {
            v for v in given - read if any(map(is_effect, needed((v,), (), given - {v}, (), home)))
        }
        kept = tuple([v for v in feeds if v in read or v in hides])
        return type(self.run)(
            self.run.executor, fetches, targets, kept,
            pure=pure, made=made & set(kept), done=done, readers=readers, checked=True,
            home=home, finals=finals,
        )  # fmt: skip

    # ------------------------------------------------------------- one pause

    def _places(self, known: dict[Value, int]) -> None:
        """Where each operand and each later feed comes from: fed values, or results in order."""
        place = dict(known)
        base = len(known)
        seen = {s: base + i for i, s in enumerate(self.wanted)}
        later = {v: base + len(self.wanted) + i for i, v in enumerate(self.fed)}
        source = self.cut.source
        self.calls = []
        for h in self.cut.hosts:
            args = []
            inner = self.cut.inner.get(h)
            for v in _operands(h) if inner is None else inner.operands:
                made = source.get(v)
                if v in self.settled:
                    args.append(place[v])
                else:
                    args.append(later[made] if made is not None else seen[v, h])
            self.calls.append((h, tuple(args)))
        self.known = [seen[v, n] for v, n in self.needs.items()]
        of_first = {} if self.first is None else {v: place[v] for v in self.first.feeds}
        self.to_first = tuple(of_first.values())
        self.to_rest = tuple([place[v] if v in place else later[v] for v in self.rest.feeds])
        #: Fed values that the host is given too, so that they must be arrays.
        self.operands = {i for _, args in self.calls for i in args if i < base}

    def pause(self, values: Sequence[Any]) -> list[Any]:
        """What `rest` is given: computes, and applies the ops of the host."""
        run, state = self.run, self.run.state
        known: list[Any] = list(values)
        for i in self.operands:
            v = run.feeds[i]
            known[i] = from_storage(as_feed(values[i], v.dtype, given_shape(v), v.name), v.dtype)
        if self.cut.alone:
            found = self._query(self.cut.hosts[0])
            if found is not None:
                known += [None] * len(self.wanted)
                known += found
                return [known[i] for i in self.to_rest]
        if self.first is not None:
            known += self.first(*[values[i] for i in self.to_first])
        for n, args in self.calls:
            if n in self.driven:
                known += self.driven[n]([known[i] for i in args])
            elif n.op.name == "variable":
                known.append(self._stored(n))
            elif n.op.name == "initialized_value":
                known.append(known[args[0]])
            elif n.op.facts.get("query"):
                known += self._query(n) or ()
            else:
                arrays = [host.operand(known[i]) for i in args]
                known += host.apply(n, arrays, state, run.executor)
        known += [known[i] for i in self.known]
        return [known[i] for i in self.to_rest]

    def _stored(self, n: Node) -> Any:
        """The value of a variable of strings."""
        with self.run.state.lock:
            cell = self.run.state.cells.get(n.attrs["var"])
            if cell is None or not cell.ready:
                message = f"Attempting to use uninitialized value {n.name}"
                raise FailedPreconditionError(None, n, run_error(n, message))
            return cell.array.copy()

    def _query(self, n: Node) -> list[Any] | None:
        """What an op asks about the session itself; None: it must be computed."""
        with self.run.state.lock:
            cells = self.run.state.cells
            if n.op.name == "initialized_value":
                cell = cells.get(variable_of(n.inputs[0]))
                if cell is None or not cell.ready:
                    return None
                return [from_storage(cell.array.copy(), cell.dtype)]
            ready = [(c := cells.get(variable_of(v))) is not None and c.ready for v in n.inputs]
        if n.op.name == "is_variable_initialized":
            return [np.bool_(ready[0])]
        names = [s.encode() for s, ok in zip(n.attrs["names"], ready, strict=True) if not ok]
        return [np.array(names, object)]


def _operands(n: Node) -> tuple[Value, ...]:
    """The operands whose values the host needs."""
    if n.op.name == "initialized_value":
        return n.inputs[1:]
    return () if n.op.facts.get("query") else n.inputs
