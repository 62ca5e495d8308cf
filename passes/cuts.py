"""Where a run is cut: ops that the host applies, and values that decide sizes.

Functionalization goes on past the first such op and gathers: every op of the host whose operands
native code or other gathered ops can supply is applied in the same pause between two native parts.
Ops with an effect are applied in the order of their creation.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from graphc.ir import journal
from graphc.ir.node import Node, Value
from graphc.ir.region import Context

__all__ = [
    "HOST", "Batch", "Cut", "Inner", "has_effect", "host_word", "is_effect", "on_host", "operands",
    "say_host",
]  # fmt: skip

#: What a part of a run must compute: a value, as a node sees it.
Seen = tuple[Value, Node]


class Inner(NamedTuple):
    """What is wanted of the inside of a construct that the host drives.

    Attributes
    ----------
    operands : tuple of Value
        What the host is given: predicate or initial values, then the captured values needed.
    outputs : tuple of Value
        Recorded values that are fed to the rest besides the construct's outputs.
    values : dict
        For each of its contexts the values in it that these are made of.
    targets : dict
        For each of its contexts the nodes in it that must run for their effect.
    """

    operands: tuple[Value, ...]
    outputs: tuple[Value, ...]
    values: Mapping[Context, tuple[Value, ...]]
    targets: Mapping[Context, tuple[Node, ...]]


class Cut(Exception):
    """A run cannot be one native part: something must be known before the rest can be planned.

    Attributes
    ----------
    hosts : tuple of Node
        Recorded nodes for the host to apply, in this order; their outputs are fed to the rest.
    reads : tuple of (Value, Node)
        What native code computes for them.
    needs : tuple of (Value, Node)
        Recorded values that are fed to the rest as they are, since their elements decide sizes.
    alone : bool
        Whether nothing else may be done in the same pause.
    source : dict
        For values that are other names of what a host op makes: the value it makes.
    inner : dict
        For each construct among the hosts what is wanted of its inside.
    """

    def __init__(
        self,
        hosts: tuple[Node, ...] = (),
        reads: tuple[Seen, ...] = (),
        needs: tuple[Seen, ...] = (),
        alone: bool = False,
        source: dict[Value, Value] | None = None,
        inner: dict[Node, Inner] | None = None,
    ) -> None:
        super().__init__(f"needs {(*hosts, *needs)}")
        self.hosts = hosts
        self.reads = reads
        first: dict[Value, Node] = {}
        for v, n in needs:  # several may need the same
            first.setdefault(v, n)
        self.needs = tuple(first.items())
        self.alone = alone
        self.source = source or {}
        self.inner = inner or {}

    def made_by(self, host: Node) -> tuple[Value, ...]:
        """What is known once `host` was applied."""
        more = self.inner.get(host)
        return host.outputs if more is None else (*host.outputs, *more.outputs)


_NATIVE = frozenset({"state", "reduction", "contraction", "random", "fused", "control"})


#: Why an op runs in Python, by `host_word`: in words, and the smallest change that alters it.
HOST: dict[str, tuple[str, str]] = {
    "host": (
        "{n} ({op}) is done by Python or numpy, between two native parts of the run",
        "do it outside of the run, or with ops that have a native form",
    ),
    "string": (
        "{n} ({op}) works on strings, which only Python does",
        "turn the strings into numbers before the run",
    ),
    "data": (
        "the shape of what {n} ({op}) gives depends on data, so the run stops there to see it",
        "keep the shape and mask instead: multiply by the mask, or tf.where with three arguments",
    ),
}


def host_word(n: Node) -> str:
    """Why the op has no native form, a word of `HOST`: "" where it has one."""
    r = n.op
    facts = r.facts
    if facts and (
        "update" in facts
        or "lazy" in facts
        or facts.get("contexts")
        or facts.get("alias")
        or facts.get("aliases")
    ):
        return ""
    for v in n.inputs:
        if v.dtype.hosted:
            return "string"
    for v in n.outputs:
        if v.dtype.hosted:
            return "string"
    if r.family == "host":
        return "host"
    native = (
        r.scalar or r.element or r.expand or r.lower or r.family in _NATIVE or facts.get("reshape")
    )
    return "" if native else "data"


def on_host(n: Node) -> bool:
    """Whether the op has no native form: host ops, strings, sizes that depend on data."""
    return bool(host_word(n))


def say_host(n: Node) -> None:
    """Write down why Python does an op, for whoever asks."""
    log = journal.current()
    if log is not None:
        text, remedy = HOST[host_word(n)]
        log.because("host", (n,), text.format(n=repr(n.name), op=n.op.name), remedy)


def operands(n: Node) -> tuple[Value, ...]:
    """The operands that a run computes for `n`; the message of an assertion waits for a failure."""
    lazy: int | None = n.op.facts.get("lazy")
    return n.inputs if lazy is None else n.inputs[:lazy]


def has_effect(n: Node) -> bool:
    """Whether the host op does something that others can see, so that its order matters."""
    return bool(n.op.facts.get("effect")) or bool(n.attrs.get("host_effects"))


def is_effect(n: Node) -> bool:
    """Whether the node counts in a run although nobody uses its result."""
    facts = n.op.facts
    if facts.get("contexts"):  # a construct, for what is inside
        return bool(n.attrs["updates"]) or n.attrs["draws"] or n.attrs["host_effects"]
    if n.op.family == "random":
        return True
    return bool(facts.get("update") or facts.get("effect") or facts.get("assertion"))


class Batch:
    """What is gathered for one pause, and which nodes wait for it.

    Parameters
    ----------
    fed : container of Value
        Values known already.
    level : callable
        For a node that one of the run's, or the construct of the run in which it is.
    """

    def __init__(self, fed: Container[Value], level: Callable[[Node], Node]) -> None:
        self.fed, self.level = fed, level
        self.hosts: dict[Node, None] = {}
        self.reads: dict[Seen, None] = {}
        self.needs: dict[Seen, None] = {}
        self.source: dict[Value, Value] = {}
        self.inner: dict[Node, Inner] = {}
        self.waiting: set[Node] = set()
        self.effects_wait = False

    def __bool__(self) -> bool:
        return bool(self.waiting)

    def add(self, cut: Cut, n: Node) -> None:
        """Gather what `n` asked for.

        Raises
        ------
        Cut
            Where it must be done alone and nothing else has been gathered.
        """
        if cut.alone and not self:
            raise cut
        self.waiting.add(n)
        self.effects_wait |= has_effect(n) and n not in cut.hosts
        if cut.alone:
            return
        self.inner.update(cut.inner)
        for h in cut.hosts:
            self.hosts[h] = None
            if h.op.name != "variable":  # read by each as it sees it
                self.source.update((v, v) for v in cut.made_by(h))
        self.reads.update((r, None) for r in cut.reads if r[0] not in self.source)
        # what itself waits for this pause is asked for again after it
        ready = [r for r in cut.needs if r[0] not in self.source]
        self.needs.update((r, None) for r in ready if self.level(r[0].node) not in self.waiting)

    def delays(self, n: Node) -> bool:
        """Whether `n` comes after this pause, or is done in it."""
        if self._waits(n):
            self.waiting.add(n)
            self.effects_wait |= has_effect(n)
            return True
        if n.inputs and self._renames(n):
            self.source.update(zip(n.outputs, [self.source[v] for v in n.inputs], strict=False))
            self.waiting.add(n)  # for those that only come after it
            return True
        return False

    def _renames(self, n: Node) -> bool:
        """Whether the outputs of `n` are what this pause makes, under other names."""
        alias = n.op.facts.get("alias") or n.op.facts.get("aliases")
        return bool(alias) and not n.control and all(v in self.source for v in n.inputs)

    def _waits(self, n: Node) -> bool:
        host = on_host(n)
        alias = self._renames(n)
        for v in operands(n):
            if v in self.fed:
                continue
            if v in self.source:
                if not (host or alias):
                    return True
            elif self.level(v.node) in self.waiting:
                return True
        for c in n.control:
            if self.level(c) in self.waiting and not (host and c in self.hosts):
                return True
        return self.effects_wait and has_effect(n)

    def cut(self) -> Cut:
        """All that was gathered."""
        return Cut(
            tuple(self.hosts), tuple(self.reads), tuple(self.needs), source=self.source,
            inner=self.inner,
        )  # fmt: skip
