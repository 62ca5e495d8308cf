"""Why something was compiled: found at compile time, and kept for whoever asks later.

An executor keeps the last few causes (`causes` of `graphc.runtime.executor.Executor`), so that the
question can be put to a session that has run for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.dims import Dim, Symbol
from graphc.ir.node import Node, Value, next_id, shape_text

__all__ = ["KEPT", "Cause", "find"]

#: Causes that an executor keeps.
KEPT = 32

Shapes = Sequence[tuple[Dim, ...]]


@dataclass(frozen=True, eq=False)
class Cause:
    """Why a plan was made.

    Attributes
    ----------
    kind : str
        ``"first"`` run of a session, other ``"fetches"``, a graph that grows (``"recorded"``),
        other ``"feeds"``, another ``"pattern"``
        of sizes, a ``"guard"`` with another answer, a ``"variable"`` of another shape, or a
        ``"part"`` of a run that is not one piece.
    elements : tuple of (Value or Node)
        What is fetched.
    text, remedy : str
        The cause, and the smallest change that would spare this compilation.
    newest : int
        Nodes recorded later have higher numbers.
    """

    kind: str
    elements: tuple[Value | Node, ...]
    text: str
    remedy: str = ""
    newest: int = field(default_factory=next_id)

    def __str__(self) -> str:
        names = ", ".join(e.name for e in self.elements[:3])
        more = f" and {len(self.elements) - 3} more" if len(self.elements) > 3 else ""
        out = f"compiled [{names}{more}]: {self.text}"
        return f"{out}\n  to change it: {self.remedy}" if self.remedy else out


def find(run: Any, shapes: Shapes, env: Mapping[Symbol, int], found: Sequence[Any],
         full: Callable[[Any], Mapping[Symbol, int]]) -> Cause:  # fmt: skip
    """The cause of compiling `run` for feeds of these shapes.

    Parameters
    ----------
    shapes, env
        As `pattern` gives them.
    found : sequence of Compilation
        Plans of the same pattern, none of which holds.
    full : callable
        The values of all symbols of a compilation in this run.
    """
    elements = (*run.fetches, *run.targets)
    if found:
        kind, text, remedy = _broken(run, found[-1], full(found[-1]))
    elif other := [c for plans in run.plans.values() for c in plans]:
        kind, text, remedy = _pattern(run, shapes, env, other[-1])
    else:
        kind, text, remedy = _new(run)
    cause = Cause(kind, elements, text, remedy)
    log = journal.current()
    if log is not None:
        nodes = [e if isinstance(e, Node) else e.node for e in elements]
        log.because("compile", nodes, text, remedy)
    return cause


# ------------------------------------------------------------------------- a plan does not hold


def _broken(run: Any, c: Any, env: Mapping[Symbol, int]) -> tuple[str, str, str]:
    """A plan of the same pattern, of which a guard or a variable's shape does not hold."""
    for (op, a, b), answer in c.core.facts.guards.items():
        x, y = D.evaluate(a, env), D.evaluate(b, env)
        if (x == y if op == "==" else x < y) == answer:
            continue
        names = _names(run, c)
        words = {"==": "equal", "<": "below"}[op]
        was = "" if answer else "not "
        sides = "; ".join(
            f"{d} is {v}{where}"
            for d, v, where in ((a, x, _where(a, names)), (b, y, _where(b, names)))
            if type(d) is not int
        )
        text = f"the plan before is for {a} {was}{words} {b}, and now {sides}"
        return "guard", text, "declare these sizes, or feed sizes that compare as before"
    for name, shape in c.variables.items():
        cell = run.state.cells.get(name)
        if cell is not None and cell.shape != shape:
            text = f"the variable {name!r} had the shape {list(shape)}, now {list(cell.shape)}"
            return "variable", text, f"let {name!r} keep its shape"
    return "guard", "the plan before does not hold", ""


def _names(run: Any, c: Any) -> dict[Symbol, str]:
    """Where each symbol of a plan comes from."""
    out: dict[Symbol, str] = {}
    for v, pure in zip(run.feeds, c.frozen.graph.inputs, strict=False):
        for axis, d in enumerate(pure.static_shape or ()):
            for s in _symbols(d):
                out.setdefault(s, f"axis {axis} of {v.node.name!r}")
        fed = c.core.facts.fed.get(pure)
        items = fed if isinstance(fed, tuple) else () if fed is None else (fed,)
        for s in items:
            out.setdefault(Symbol(str(s)), f"fed as {v.node.name!r}")
    return out


def _where(d: Dim, names: Mapping[Symbol, str]) -> str:
    found = dict.fromkeys(names[s] for s in _symbols(d) if s in names)
    return f" ({', '.join(found)})" if found else ""


def _symbols(d: Dim) -> list[Symbol]:
    return [] if isinstance(d, int) else sorted(d.symbols(), key=str)


# ------------------------------------------------------------------------- another pattern


def _pattern(
    run: Any, shapes: Shapes, env: Mapping[Symbol, int], c: Any
) -> tuple[str, str, str]:  # fmt: skip
    """The first difference between the sizes of two patterns."""
    old = [v.static_shape or () for v in c.frozen.graph.inputs]
    for v, a, b in zip(run.feeds, old, shapes, strict=False):
        name = v.node.name
        if len(a) != len(b):
            text = f"{name!r} had {len(a)} axes ([{shape_text(a)}]), now {len(b)}"
            return "pattern", text, f"feed {name!r} with one rank, or declare its shape"
        for axis, (x, y) in enumerate(zip(a, b, strict=True)):
            if (type(x) is int) != (type(y) is int) or (type(x) is int and x != y):
                was, now = _size(x, c.core.facts.env), _size(y, env)
                text = (
                    f"axis {axis} of {name!r} was {was}, now {now}: sizes of 0 and 1 are constants"
                    " of a plan (they broadcast, and loops of them vanish)"
                )
                return "pattern", text, f"feed no size of 0 or 1 at axis {axis} of {name!r}"
    places: dict[Dim, str] = {}
    new: dict[Dim, str] = {}
    for v, a, b in zip(run.feeds, old, shapes, strict=False):
        for axis, (x, y) in enumerate(zip(a, b, strict=True)):
            here = f"axis {axis} of {v.node.name!r}"
            p, q = places.setdefault(x, here), new.setdefault(y, here)
            if p != q and type(x) is not int:
                one, was, now = (p, "equal", "are not") if p != here else (q, "not equal", "are")
                text = f"{one} and {here} were {was}, and now {now}: equal sizes are one symbol"
                return "pattern", text, "declare one of the two sizes"
    return "pattern", "the sizes fed have another pattern", ""


def _size(d: Dim, env: Mapping[Symbol, int]) -> str:
    return str(d) if type(d) is int else str(D.evaluate(d, env))


# ------------------------------------------------------------------------- other fetches


def _new(run: Any) -> tuple[str, str, str]:
    """A run that was never compiled."""
    if run.pure or run.made or run.home is not None or run.done:
        return "part", "it is a part of a run that Python takes part in", ""
    others = [k for k in run.executor.prepared if k[0] and k != (run.fetches, run.feeds)]
    mine = {*run.fetches, *run.targets}
    same = [k for k in others if set(k[0]) == mine and set(k[1]) != set(run.feeds)]
    if same:
        was, now = ({v.name for v in x} for x in (same[-1][1], run.feeds))
        text = f"these were fetched with {_list(was)} fed, now with {_list(now)}"
        return "feeds", text, "feed the same tensors in each run"
    if not run.executor.causes:
        return "first", "it is the first run of this session", ""
    for e in fetched(run):
        old = _twin(e, run.executor.causes)
        if old is not None:
            text = (
                f"{e.name!r} was recorded after the run before, at the line of {old.name!r}"
                f" ({e.source[0]}): the graph grows with each run"
            )
            return "recorded", text, "record the graph once, before the loop, and feed what varies"
    text = "this list of fetches is new to the session, and each is a program of its own"
    return "fetches", text, "fetch the same list in each run (keep what you do not need)"


def _twin(n: Node, causes: Sequence[Cause]) -> Node | None:
    """What an earlier run fetched of the line where `n` was recorded since."""
    if not n.source or n.id < causes[-1].newest:
        return None
    for c in reversed(causes):
        for e in c.elements:
            m = e if isinstance(e, Node) else e.node
            if m is not n and m.op is n.op and m.source == n.source:
                return m
    return None


def fetched(run: Any) -> list[Node]:
    """The nodes of what a run fetches."""
    return [*[v.node for v in run.fetches], *run.targets]


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
