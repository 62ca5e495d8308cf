"""One compilation as data: stages, kernels, steps, memory, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Symbol
from graphc.ir.graph import Graph
from graphc.ir.journal import Change, Journal
from graphc.ir.kernel_text import print_kernel
from graphc.ir.node import Node, Value, reachable
from graphc.runtime.llvm import codegen
from graphc.see.explanation import Explainer
from graphc.see.profile import StepProfile
from graphc.see.provenance import Provenance, inner_graphs
from graphc.see.report.measured import arena, work
from graphc.see.report.table import Lines, Table

__all__ = ["Limits", "compilation"]


class Limits:
    """What a page holds at most, and what was left out of it.

    Attributes
    ----------
    nodes : int
        Rows of a stage.
    kernels : int
        Kernels with their loops, LLVM IR and assembly.
    left_out : list of str
        Sentences for the reader.
    """

    def __init__(self, nodes: int = 50_000, kernels: int = 150) -> None:
        self.nodes = nodes
        self.kernels = kernels
        self.left_out: list[str] = []

    def rows(self, rows: Sequence[int], what: str) -> list[int]:
        """At most so many rows."""
        if len(rows) > self.nodes:
            self.left_out.append(
                f"{what}: {len(rows) - self.nodes:,} of {len(rows):,} rows are left out"
            )
        return list(rows[: self.nodes])


def compilation(
    c: Any, elements: Sequence[Value | Node], journal: Journal, lines: Lines, limits: Limits,
    native: bool = True, profile: Sequence[StepProfile] = (), threads: int = 1,
    explainer: Explainer | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Everything about a compilation, or about what there is of one that failed.

    Parameters
    ----------
    c : Compilation or None
    elements : sequence of Value or Node
        What was fetched.
    journal : Journal
        That was recording.
    native : bool
        LLVM IR and assembly too.
    profile : sequence of StepProfile
        Of this part of the run.
    threads : int
        Of the session.
    explainer : Explainer, optional
        Who knows why.
    """
    frozen = getattr(c, "frozen", None)
    facts = None if frozen is None else frozen.graph.facts
    table = Table(lines, None if facts is None else facts.env)
    out: dict[str, Any] = {
        "sizes": {},
        "guards": [],
        "kernels": [],
        "steps": [],
        "reasons": [],
        "fates": {},
    }
    known = None if c is None else Provenance(journal, [c] if c.plan is not None else [])
    out["stages"] = _stages(c, _recorded(c, elements, known), journal, table, limits)
    if facts is not None:
        out["sizes"] = {str(s): int(n) for s, n in facts.env.items()}
        out["guards"] = [
            f"{'' if yes else 'not '}{a} {op} {b}" for (op, a, b), yes in facts.guards.items()
        ]
    if c is not None and c.plan is not None:
        out["steps"], out["kernels"] = _steps(c, table, limits, native, known)
        work(c, out["steps"], profile)
        out["memory"] = arena(c, threads, table.of, lines)
    if explainer is not None and out["steps"]:
        out["reasons"] = _reasons(c, out, explainer, table, limits)
        out["fates"] = _fates(explainer, table, limits)
    if known is not None:
        out["came"] = _came(known, table)
    out["nodes"] = table.columns
    return out


# ------------------------------------------------------------------------------ stages


def _recorded(c: Any, elements: Sequence[Value | Node], known: Provenance | None) -> list[Node]:
    """The recorded operations of a run, those inside of loops and conds too, in their order."""
    found = set(reachable([e if isinstance(e, Node) else e.node for e in elements]))
    stack = [] if c is None else [c.frozen.graph]
    while stack:
        for n in stack.pop().nodes():
            stack += inner_graphs(n)
            if known is not None:
                found.update(known.recorded(n))
    return sorted(found, key=lambda n: n.id)


def _stages(
    c: Any, nodes: Sequence[Node], journal: Journal, table: Table, limits: Limits
) -> list[dict[str, Any]]:
    before = limits.rows(table.recorded(nodes), "recorded")
    out = [_stage("recorded", before, len(nodes), table)]
    out[0]["rows"] = before
    if c is None:
        return out
    changes: dict[str, list[Change]] = {}
    for x in journal.changes:
        changes.setdefault(x.stage, []).append(x)
    made_at = {**journal.copies, **journal.origin}
    for name, record, g in _graphs(c):
        listing = table.listing(g)
        rows = limits.rows(listing, name)
        stage = _stage(name, rows, len(g.nodes()), table)
        stage["rows"] = table.difference(
            before, rows, changes.get("" if name == "pure" else name, ()), made_at
        )
        if record is not None:
            stage["ms"] = round(record.seconds * 1e3, 4)
            stage["rules"] = dict(record.notes)
        out.append(stage)
        before = _after(before, stage["rows"])
    return out


def _graphs(c: Any) -> Iterable[tuple[str, Any, Graph]]:
    yield "pure", None, c.frozen.graph
    count: dict[str, int] = {}
    for r in c.trace.records:
        k = count[r.name] = count.get(r.name, 0) + 1
        yield r.name if k == 1 else f"{r.name}.{k}", r, r.graph


def _stage(name: str, rows: Sequence[int], count: int, table: Table) -> dict[str, Any]:
    depth, size = table.columns["depth"], table.columns["bytes"]
    made = sum(size[i] for i in rows if not depth[i] and table.columns["op"][i] not in _GIVEN)
    return {"name": name, "count": count, "bytes": made, "ms": None, "rules": {}}


#: Ops whose values are there already.
_GIVEN = frozenset({"input", "read", "constant", "placeholder", "variable"})


def _after(before: Sequence[int], rows: Sequence[Any]) -> list[int]:
    """The rows after a difference."""
    out: list[int] = []
    at = 0
    for r in rows:
        if isinstance(r, int):
            out += before[at : at + r]
            at += r
            continue
        at += r[0] >= 0
        if r[1] >= 0:
            out.append(r[1])
    return out


def _came(known: Provenance, table: Table) -> dict[int, list[int]]:
    """For each row that no user recorded the recorded rows that it comes from."""
    out: dict[int, list[int]] = {}
    for n, i in list(table.of.items()):
        if isinstance(n, Node) and n.graph is None:
            found = [table.of[m] for m in known.recorded(n) if m in table.of]
            if found:
                out[i] = found
    return out


def _reasons(
    c: Any, made: dict[str, Any], known: Explainer, table: Table, limits: Limits
) -> list[dict[str, Any]]:
    """What was decided about the nodes of each kernel call, each reason once."""
    numbers: dict[Any, int] = {}
    out: list[dict[str, Any]] = []
    part, steps, kernels = known.compilations.index(c), made["steps"], made["kernels"]
    called = [i for i, s in enumerate(steps) if s["kernel"] >= 0]
    called.sort(key=lambda i: -(steps[i]["ns"] or steps[i]["bytes"] or 0))
    for i in called[: 2 * limits.kernels]:
        nodes = known.links.recorded(c.plan.steps[i].node)
        mine = steps[i]["reasons"] = []
        first = kernels[steps[i]["kernel"]]["first"]  # equal kernels are looked at once
        for r in [*known.vectors(part, first), *known.reasons(nodes)]:
            key = r.kind, r.text, r.remedy
            if key not in numbers:
                numbers[key] = len(out)
                about = [table.of[n] for n in r.nodes if n in table.of]
                out.append({"kind": r.kind, "nodes": about, "text": r.text, "remedy": r.remedy})
            if numbers[key] not in mine:
                mine.append(numbers[key])
    return out


def _fates(known: Explainer, table: Table, limits: Limits) -> dict[int, str]:
    """What became of recorded operations that no kernel computes."""
    rows = [(n, i) for n, i in table.of.items() if isinstance(n, Node) and n.graph is not None]
    return {i: known.fate(n) for n, i in rows[: limits.nodes // 10] if not known.links.kernels(n)}


# ------------------------------------------------------------------------------ kernels


def _steps(
    c: Any, table: Table, limits: Limits, native: bool, known: Provenance | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    places = {s: i for i, s in enumerate(c.plan.steps)}
    kernels: dict[Any, int] = {}
    made: list[dict[str, Any]] = []
    steps = []
    for i, s in enumerate(c.plan.steps):
        node = table.of.get(s.node, -1)
        step: dict[str, Any] = {"node": node, "kernel": -1, "name": s.code.name, "commit": s.commit}
        steps.append(step)
        if not s.calls:
            step["to"] = -1 if s.target is None else places[s.target]
            step["args"] = [_argument("", b, c) for b in s.binds]
            continue
        step["args"] = [
            _argument(p.name, b, c, p.direction)
            for p, b in zip(s.code.kernel.params, s.binds, strict=False)
        ]
        key = _same(c, i, s)
        if key not in kernels:
            kernels[key] = len(made)
            made.append({"name": s.code.name, "first": i, "calls": 0})
        step["kernel"] = kernels[key]
        made[kernels[key]]["calls"] += 1
    if len(made) > limits.kernels:
        limits.left_out.append(
            f"kernels: the text of {len(made) - limits.kernels:,} of {len(made):,} is left out; "
            "python -m graphc dump --stage kernels,llvm,asm shows it"
        )
    for k in made[: limits.kernels]:
        s = c.plan.steps[k["first"]]
        at: dict[int, int] = {}
        k["loops"] = print_kernel(s.code.kernel, at).rstrip()
        k["lines"] = _lines(s, at, k["loops"], table, known)
        k["native"] = _native(c, k["first"], at) if native else []
    return steps, made


def _lines(
    s: Any, places: Mapping[int, int], loops: str, table: Table, known: Provenance | None
) -> list[int]:
    """For each line of a kernel's loops the user's line that it computes; -1: not known."""
    out = [-1] * (loops.count("\n") + 1)
    origins = s.code.kernel.origins or dict.fromkeys(places, s.node)  # one op's own loops
    for statement, node in origins.items():
        if statement in places:
            out[places[statement] - 1] = _line(node, table, known)
    if s.code.contraction is not None and len(out) > 1:
        product = [n for n in s.node.attrs["body"].nodes() if n.op.family == "contraction"]
        if product:
            out[1] = _line(product[0], table, known)
    return out


def _line(n: Node, table: Table, known: Provenance | None) -> int:
    """The user's line of a node: of a gradient that of what it is the gradient of; -1: none."""
    recorded = [m for m in known.recorded(n) if m in table.of] if known is not None else []
    same = next((m for m in recorded if m.source[:1] == n.source[:1]), None)
    if same is not None:
        lines: list[int] = table.columns["lines"][table.of[same]]
    else:
        lines = table.lines.add(n.source[:1])
    return lines[0] if lines else -1


def _native(c: Any, i: int, places: Mapping[int, int]) -> list[dict[str, Any]]:
    """LLVM IR before and after its optimiser and assembly of a step, for each of its functions.

    With ``at``, the line of the loops for each line of these texts, 0 where there is none.
    """
    from graphc.runtime.llvm.trail import places as located

    out = []
    code = c.plan.steps[i].code
    for variant, (owner, _) in c.owners.get(i, {}).items():
        name = "" if variant == "kernel" else variant
        texts = {"llvm": owner.llvm_ir, "optimized": owner.optimized_ir, "asm": owner.assembly}
        emit = codegen.emitter(code, variant)
        rest = 0 if code.contraction is None else 2  # a product is one statement
        at = {} if emit is None else located(owner, emit, places, texts, rest)
        out.append({"name": name, **texts, "at": at})
    return out


def _same(c: Any, i: int, s: Any) -> Any:
    """What is one kernel: equal machine code under one name."""
    owners = c.owners.get(i)
    if not owners:
        return s.code.name, id(s.code.kernel)
    return s.code.name, *(address for _, address in owners.values())


def _argument(word: str, b: Any, c: Any, direction: str = "in") -> dict[str, Any]:
    size = value(b.count, c.plan.facts.env) * b.dtype.size if b.kind != "scratch" else 0
    name = b.name if b.kind in ("feed", "var", "arena", "const", "kept") else ""
    return {
        "as": word, "kind": b.kind, "index": b.index, "name": name, "bytes": size,
        "type": b.dtype.code, "direction": direction,
    }  # fmt: skip


def value(d: Dim, env: Mapping[Symbol, int]) -> int:
    """A size in numbers; 0 where it is not known before the run."""
    try:
        return D.evaluate(d, env)
    except KeyError:
        return 0
