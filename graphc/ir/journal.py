"""What the compiler changed and decided, and why: written down while somebody wants to know.

Normally nobody does: `current()` is None, and a decision costs one look at it. Whoever asks
(reports, `explain`, dumps, the search for a faulty rule) compiles inside `recording()`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graphc.ir.node import Node, Value

__all__ = ["KINDS", "Change", "Journal", "Reason", "current", "recording"]


#: What reasons are about.
KINDS: dict[str, str] = {
    "fuse": "why two nodes are, or are not, in one kernel",
    "epilogue": "why a matrix product has nothing behind it in its kernel",
    "fold": "why a value is not computed before the run",
    "rule": "why a rule does not apply",
    "size": "why a size is not known before the run",
    "loop": "why a loop is several kernels and not one",
    "hoist": "why something in a loop is computed in each iteration",
    "thread": "why a kernel runs on one thread",
    "host": "why Python takes part in the run",
    "vector": "why a loop does not load, compute or store whole vectors",
    "buffer": "why memory is not used again, or not written in place",
    "compile": "why something was compiled",
}


@dataclass(frozen=True, eq=False)
class Change:
    """One value took the place of another.

    Attributes
    ----------
    stage : str
        The pass, as stages of dumps are called: ``"fold.2"`` is its second time.
    old, new : Value
    rule : str
        The name of the rule; "" where the pass itself did it.
    within : tuple of Value
        What the rule matched besides `old`: between it and the operands of `new`.
    """

    stage: str
    old: Value
    new: Value
    rule: str = ""
    within: tuple[Value, ...] = ()


@dataclass(frozen=True, eq=False)
class Reason:
    """Why something was done, or was not.

    Attributes
    ----------
    kind : str
        What was decided; `KINDS` has them.
    nodes : tuple of Node
        What it was decided about.
    text : str
        The reason, as a sentence.
    remedy : str
        The smallest change of the program or the options that would alter it; "" if there is none.
    stage : str
        The pass in which it was decided.
    """

    kind: str
    nodes: tuple[Node, ...]
    text: str
    remedy: str = ""
    stage: str = ""


@dataclass(eq=False)
class Journal:
    """Everything written down in one compilation.

    Attributes
    ----------
    changes : list of Change
        In the order in which they happened.
    reasons : list of Reason
    stage : str
        The pass that runs now: "" before the first, while the run becomes a pure graph.
    origin : dict
        For each node that a pass built the node in whose place it was building.
    copies : dict
        For each node that is another on other operands, that other.
    compilations : list
        What was compiled (`graphc.runtime.compilation.Compilation`), as far as it came: of one that
        failed, what there was until then.
    """

    changes: list[Change] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    stage: str = ""
    origin: dict[Node, Node] = field(default_factory=dict)
    copies: dict[Node, Node] = field(default_factory=dict)
    compilations: list[Any] = field(default_factory=list)
    _times: dict[str, int] = field(default_factory=dict)

    def compiles(self, c: Any) -> None:
        """The compilation `c` begins: its stages are called as in its own dump."""
        self.compilations.append(c)
        self.stage = ""
        self._times.clear()

    def begin(self, name: str) -> None:
        """The pass `name` begins."""
        k = self._times[name] = self._times.get(name, 0) + 1
        self.stage = name if k == 1 else f"{name}.{k}"

    def take(self) -> Journal:
        """What is written here so far, as a journal of its own; this one begins anew."""
        done = Journal(self.changes, self.reasons, self.stage, self.origin, self.copies)
        done.compilations, self.compilations = self.compilations, []
        self.changes, self.reasons, self.stage = [], [], ""
        self.origin, self.copies, self._times = {}, {}, {}
        return done

    def moved(self, new: Mapping[Value, Value]) -> None:
        """The pass put values in the place of others."""
        self.changes += [Change(self.stage, a, b) for a, b in new.items()]

    def applied(self, rule: str, old: Value, new: Value, within: Iterable[Value] = ()) -> None:
        """A rule made `new` of `old`, in which it matched the values `within` too."""
        self.changes.append(Change(self.stage, old, new, rule, tuple(within)))

    def built(self, node: Node, like: Node) -> None:
        """A pass built `node` while it was at `like`."""
        self.origin[node] = like

    def because(self, kind: str, nodes: Iterable[Node], text: str, remedy: str = "") -> None:
        """Something was decided about `nodes`."""
        self.reasons.append(Reason(kind, tuple(nodes), text, remedy, self.stage))


class _Current(threading.local):
    journal: Journal | None = None


_now = _Current()


def current() -> Journal | None:
    """The journal of this thread's compilation; None when nobody asked for one."""
    return _now.journal


@contextmanager
def recording(journal: Journal | None = None) -> Iterator[Journal]:
    """Compilations of this thread inside the block are written down."""
    was = _now.journal
    _now.journal = journal = journal or Journal()
    try:
        yield journal
    finally:
        _now.journal = was
