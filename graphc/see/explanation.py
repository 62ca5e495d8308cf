"""What a journal and its compilations say about operations: the answer of `graphc.explain`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from graphc.ir import journal
from graphc.ir.dims import Expr
from graphc.ir.journal import Journal, Reason
from graphc.ir.node import Node, Source, Value
from graphc.ir.region import context_of
from graphc.passes.groups import is_alias
from graphc.runtime import binding
from graphc.see.provenance import Provenance, forward_operation

__all__ = ["Explainer", "Explanation", "Place", "label"]

#: What the parts of an explanation are called, in order.
TITLES: dict[str, str] = {
    "fuse": "why not in one kernel",
    "epilogue": "why nothing comes behind the product in its kernel",
    "vector": "why not whole vectors",
    "buffer": "why memory is not used again, or not written in place",
    "loop": "why a loop is several kernels, not one",
    "hoist": "why computed in each iteration",
    "thread": "why on one thread",
    "host": "why Python takes part",
    "size": "why sizes are not known before the run",
    "rule": "why rules do not apply",
    "fold": "why not computed before the run",
    "compile": "why it was compiled",
}


@dataclass(frozen=True, eq=False)
class Place:
    """A kernel that computes what was asked about, or a part of it.

    Attributes
    ----------
    kernel : str
    part, step : int
        Which native part of the run, and which step of its plan.
    nodes : tuple of Node
        Those of the operations that were asked about which it computes.
    others : tuple of Node
        The other operations that it computes.
    vectors : tuple of Reason
        What keeps its loops from whole vectors; none where nothing does.
    nanoseconds : float or None
        What all its calls in a run take, where that was measured; so `calls`, `bytes`, `flops`.
    """

    kernel: str
    part: int
    step: int
    nodes: tuple[Node, ...]
    others: tuple[Node, ...]
    vectors: tuple[Reason, ...] = ()
    nanoseconds: float | None = None
    calls: int = 0
    bytes: int = 0
    flops: int = 0

    def __str__(self) -> str:
        part = f"part {self.part + 1}, " if self.part else ""
        lines = [f"kernel {self.kernel} ({part}step {self.step})"]
        mine, others = (_some([*map(label, ns)], 12) for ns in (self.nodes, self.others))
        lines.append(f"  computes {mine}")
        lines.append(f"  together with {others}" if others else "  and nothing else")
        if self.nanoseconds is not None:
            each = self.nanoseconds / max(1, self.calls) / 1000
            calls = f" in {self.calls} calls, {each:.2f} us each" if self.calls > 1 else ""
            rates = ""
            if self.nanoseconds:
                rates = f", {self.bytes / self.nanoseconds:.1f} GB/s"
                rates += f", {self.flops / self.nanoseconds:.1f} GFLOP/s" if self.flops else ""
            lines.append(f"  {self.nanoseconds / 1000:.1f} us{calls}{rates}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the compiler did with some operations, and why; `str` is the text for people.

    Attributes
    ----------
    about : str
        What was asked about.
    nodes : tuple of Node
        The recorded operations.
    places : tuple of Place
        The kernels that compute them.
    fates : tuple of (Node, str)
        What became of those that no kernel computes.
    gradients : tuple of Place
        Kernels that compute gradients of them.
    reasons : tuple of Reason
        Each with its kind (`graphc.ir.journal.KINDS`), text, and the change that would alter it.
    error : str
        Why the run does not compile, where it does not: all else is what was known by then.
    """

    about: str
    nodes: tuple[Node, ...]
    places: tuple[Place, ...] = ()
    fates: tuple[tuple[Node, str], ...] = ()
    gradients: tuple[Place, ...] = ()
    reasons: tuple[Reason, ...] = ()
    error: str = ""

    def because(self, kind: str) -> list[Reason]:
        """The reasons of one kind."""
        return [r for r in self.reasons if r.kind == kind]

    @property
    def kernels(self) -> list[str]:
        """The names of the kernels that compute it."""
        return [p.kernel for p in self.places]

    def __str__(self) -> str:
        lines = [plain(self.about)]
        lines += [f"  {label(n)}" for n in self.nodes[:12]]
        if len(self.nodes) > 12:
            lines.append(f"  and {len(self.nodes) - 12} more operations")
        if self.error:
            lines += ["", "it does not compile:", *_indented(self.error)]
        for p in self.places:
            lines += ["", str(p)]
        if self.gradients:
            names = ", ".join(f"{p.kernel} (step {p.step})" for p in self.gradients)
            lines += ["", f"gradients in {names}"]
        lines += self._fates()
        for kind, title in TITLES.items():
            lines += _listed(title, self.because(kind))
        return "\n".join(lines)

    __repr__ = __str__

    def _fates(self) -> list[str]:
        same: dict[str, list[str]] = {}
        for n, fate in self.fates:
            same.setdefault(fate, []).append(label(n))
        lines = [f"{_some(names)}: {fate}" for fate, names in same.items()]
        return ["", *lines] if lines else []


def _listed(title: str, reasons: Sequence[Reason]) -> list[str]:
    """The reasons of one kind under their title."""
    lines = ["", title] if reasons else []
    for r, names in _alike(reasons):
        lines.append(f"  - {plain(r.text)}")
        if r.remedy:
            lines.append(f"    to change it: {plain(r.remedy)}")
        if names:
            lines.append(f"    the same of {plain(_some(names))}")
    return lines


def _alike(reasons: Sequence[Reason]) -> list[tuple[Reason, list[str]]]:
    """Reasons that differ in the operation only are one, with the names of the others."""
    found: dict[str, tuple[Reason, list[str]]] = {}
    for r in reasons:
        name = r.nodes[0].name if r.nodes else ""
        key = r.text.replace(repr(name), "?") if r.kind in ("fold", "rule") else r.text
        if key in found:
            found[key][1].append(repr(name))
        else:
            found[key] = r, []
    return list(found.values())


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plain(text: object) -> str:
    """Text that keeps to its line whatever names are in it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def _indented(text: str) -> list[str]:
    return [f"  {plain(line)}" for line in text.splitlines()]


def label(n: Node) -> str:
    """An operation as explanations call it: name, op and line."""
    where = f", {_short(n.source[0])}" if n.source else ""
    return plain(f"{n.name!r} ({n.op.name}{where})")


def _short(s: Source) -> str:
    return f"{Path(s.file).name}:{s.line}"


@dataclass(eq=False)
class Explainer:
    """Explains operations from one journal; made once for many questions.

    Parameters
    ----------
    journal : Journal
        That was recording while the compilations were made.
    runs : sequence of (run, Compilation)
        Each compilation with the run it was made for, the parts of one run in order.
    profile : sequence of StepProfile, optional
        Times of a run of the same.
    """

    journal: Journal
    runs: Sequence[tuple[Any, Any]]
    profile: Sequence[Any] = ()
    _vectors: dict[tuple[int, int], tuple[Reason, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.compilations = [c for _, c in self.runs]
        with journal.recording(self.journal):
            for run, c in self.runs:
                binding.layout(run, c)  # writes down where memory is used again
        self.links = Provenance(self.journal, self.compilations)
        self._by_node: dict[Node, list[Reason]] = {}
        for r in self.journal.reasons:
            for n in r.nodes:
                self._by_node.setdefault(n, []).append(r)
        self._sizes: dict[str, list[Reason]] = {}
        for run, c in self.runs:
            for v, pure in zip(run.feeds, c.frozen.graph.inputs, strict=False):
                found = [r for r in self._by_node.get(v.node, ()) if r.kind == "size"]
                found += [r for r in self._by_node.get(pure.node, ()) if r.kind == "size"]
                for s in _symbols([pure]) | _fed(c, pure):
                    self._sizes.setdefault(s, []).extend(found)

    # ---------------------------------------------------------------- an answer

    def about(self, title: str, nodes: Sequence[Node], error: str = "") -> Explanation:
        """Everything about some recorded operations."""
        nodes = tuple(nodes)
        places = self.places(nodes)
        placed = {n for p in places for n in p.nodes}
        fates = [(n, self.fate(n)) for n in nodes if n not in placed]
        vectors = [r for p in places for r in p.vectors]
        return Explanation(
            title, nodes, tuple(places), tuple((n, f) for n, f in fates if f),
            tuple(self.places(self.gradient_nodes(nodes))),
            tuple(_once([*self.reasons(nodes), *vectors])), error,
        )  # fmt: skip

    def places(self, nodes: Sequence[Node]) -> list[Place]:
        """The kernels that compute `nodes`."""
        found: dict[tuple[int, int], list[Node]] = {}
        for n in nodes:
            for c, i in self.links.kernels(n):
                found.setdefault((self.compilations.index(c), i), []).append(n)
        return [self.place(part, i, mine) for (part, i), mine in sorted(found.items())]

    def place(self, part: int, i: int, mine: Sequence[Node]) -> Place:
        """Step `i` of a part, which computes the operations `mine`."""
        s = self.compilations[part].plan.steps[i]
        inside = [] if s.code.name == "copy" else self.links.recorded(s.node)
        others = [n for n in inside if n not in mine]
        times = [p for p in self.profile if p.step == i and (p.spec is s or p.part == part)]
        measured: dict[str, Any] = {}
        if times:
            measured = {
                "nanoseconds": sum(p.nanoseconds for p in times), "calls": times[-1].calls,
                "bytes": sum(p.bytes for p in times), "flops": sum(p.flops for p in times),
            }  # fmt: skip
        vectors = self.vectors(part, i)
        return Place(s.code.name, part, i, tuple(mine), tuple(others), vectors, **measured)

    def gradient_nodes(self, nodes: Sequence[Node]) -> list[Node]:
        """The recorded operations that are parts of gradients of `nodes`."""
        found = [m for n in nodes for m in self.gradients.get(n, ())]
        return [m for m in dict.fromkeys(found) if m not in nodes]

    @cached_property
    def gradients(self) -> dict[Node, list[Node]]:
        """For each recorded operation those that kernels compute of its gradient."""
        steps = [s for c in self.compilations for s in c.plan.steps if s.calls]
        out: dict[Node, list[Node]] = {}
        for n in dict.fromkeys(n for s in steps for n in self.links.recorded(s.node)):
            of = forward_operation(n)
            if of is not None:
                out.setdefault(of, []).append(n)
        return out

    # ---------------------------------------------------------------- no kernel

    def fate(self, n: Node) -> str:
        """What became of an operation that no kernel computes."""
        name = n.op.name
        if name == "placeholder":
            return "is fed: kernels read the array where it is"
        if name == "variable":
            return "is a variable: kernels read and write its memory"
        if name == "no_op":
            return "computes nothing: it lets others run"
        if name == "constant":
            return "is a constant: a part of what reads it"
        if any(r.kind == "host" and r.nodes[0] is n for r in self._by_node.get(n, ())):
            return "is done by Python, between native parts"
        made = self.links.ends(n)
        driven = self.driven(n)
        if driven is not None and not made:
            return f"is inside of {driven.nodes[0].name!r}, which Python drives, run by run"
        if not made:
            return "is not needed for what is fetched"
        v = made[-1]
        mine = {n, *[m.node for m in self.links.became(n)]}
        changes = [c for c in self.links.back(v) if c.old.node in mine]
        change = next((c for c in changes if c.rule), changes[0] if changes else None)
        by = f" ({change.stage}{': ' + change.rule if change.rule else ''})" if change else ""
        if v.node.op.name == "constant":
            return f"was computed before the run{by}: it is a constant now"
        if v.node.op.name == "sizes":
            return "is a size, known from the shapes of what is fed: it takes no kernel"
        if is_alias(v.node):
            return "gives the same memory another shape: it takes no kernel"
        if v.node.op.name in ("input", "read"):
            return f"is {v.node.name!r} itself{by}"
        same = v.node.name == n.name
        what = (
            "is not needed in the end"
            if same
            else f"became {v.node.name!r}{by}, which is not needed"
        )
        return f"{what}: what read it has become something else"

    def driven(self, n: Node) -> Reason | None:
        """Why Python drives the loop or cond that `n` is in, if it does."""
        c = context_of(n)
        for context in c.chain() if c is not None else ():
            for r in self._by_node.get(context.node, ()) if context.node is not None else ():
                if r.kind == "host" and r.nodes[0] is context.node:
                    return r
        return None

    # ---------------------------------------------------------------- reasons

    def reasons(self, nodes: Sequence[Node]) -> list[Reason]:
        """What was written down about operations and about all that they became."""
        found: list[Reason] = []
        for n in nodes:
            made = self.links.became(n)
            mine = dict.fromkeys([n, *[v.node for v in made]])
            constant = {v.node.op.name for v in self.links.ends(n)} == {"constant"}
            for m in mine:
                for r in self._by_node.get(m, ()):
                    if not (constant and r.kind == "fold") and self.holds(r, m):
                        found.append(r)
            for m in list(mine):
                for holder in self.links.within(m):
                    kept = self._by_node.get(holder, ())
                    found += [r for r in kept if r.kind in ("buffer", "thread")]
            driven = self.driven(n)
            found += [] if driven is None else [driven]
            for s in sorted(_symbols([*n.outputs, *made])):
                found += self._sizes.get(s, ())
        return _once(found)

    def holds(self, r: Reason, n: Node) -> bool:
        """Whether a reason still says something when all is done."""
        if r.kind == "fold":
            return r.nodes[0] is n
        if r.kind == "compile":
            return False
        if r.kind not in ("fuse", "epilogue") or len(r.nodes) < 2:
            return True
        first = {(id(c), i) for c, i in self.links.kernels(r.nodes[0])}
        apart = [u for u in r.nodes[1:]
                 if first.isdisjoint((id(c), i) for c, i in self.links.kernels(u))]  # fmt: skip
        return bool(apart) and (n is r.nodes[0] or n in apart)

    def vectors(self, part: int, i: int) -> tuple[Reason, ...]:
        """Why the loops of a kernel do not work on whole vectors: it is written once more."""
        known = self._vectors.get((part, i))
        if known is None:
            c = self.compilations[part]
            s = c.plan.steps[i]
            with journal.recording() as log:
                for owner, _ in c.owners.get(i, {}).values():
                    _ = owner.llvm_ir
            names = _buffer_names(c, s)
            found = [
                Reason(r.kind, (s.node,), _named(r.text, names), r.remedy, "kernels")
                for r in log.reasons
            ]
            known = self._vectors[part, i] = tuple(_once(found))
        return known


def _once(reasons: Iterable[Reason]) -> list[Reason]:
    """Each only once, in the order of `TITLES`."""
    kinds = list(TITLES)
    found: dict[tuple[str, str], Reason] = {}
    for r in reasons:
        found.setdefault((r.kind, r.text), r)
    return sorted(found.values(), key=lambda r: kinds.index(r.kind))


def _symbols(values: Iterable[Value]) -> set[str]:
    return {
        str(s)
        for v in values
        for d in v.static_shape or ()
        if isinstance(d, Expr)
        for s in d.symbols()
    }


def _fed(c: Any, v: Value) -> set[str]:
    """The symbols that the elements of a fed value are."""
    symbols = c.plan.facts.fed.get(v, ())
    return set(map(str, symbols if isinstance(symbols, tuple) else (symbols,)))


def _buffer_names(c: Any, s: Any) -> dict[str, str]:
    """What the parameters of a kernel are bound to."""
    params, binds = s.code.kernel.params, s.binds
    con = s.code.contraction
    if con is not None:
        params = [p for p in params if p.name.startswith("e")]
        binds = binds[2 + len(con.outputs) :]
    outputs = c.frozen.graph.outputs
    return {
        p.name: b.name or (outputs[b.index].node.name if b.kind == "out" else b.kind)
        for p, b in zip(params, binds, strict=False)
    }


def _named(text: str, names: dict[str, str]) -> str:
    """``<x0>`` by the name of what the buffer holds."""
    return re.sub(r"<(\w+)>", lambda m: repr(names[m[1]]) if m[1] in names else m[1], text)
