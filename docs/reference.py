"""Pages of the reference: one for each op, rule and pass, and the table of TensorFlow's names.

Everything comes from the records, the tables and the tests' cases, and runs while pages are made.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from ops import Shown, covered, public_names, show

from graphc.commands.rules import right, tables
from graphc.ir.graph import Graph
from graphc.ir.text import print_graph
from graphc.ops.record import OPS, Op
from graphc.passes import rewrite
from graphc.passes.pipeline import LEVELS, PASSES, REQUIRED, RULED
from graphc.passes.rewrite import LICENCES, Rule

__all__ = ["write"]

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / d) for d in ("passes", "parity")]
_KINDS = {
    "f": "floats",
    "i": "integers",
    "u": "unsigned",
    "b": "bool",
    "c": "complex",
    "s": "strings",
}


def write(target: Path) -> None:
    """Make all pages below `target`."""
    for folder in ("ops", "rules", "passes"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    write_ops(target / "ops")
    write_rules(target / "rules")
    write_passes(target / "passes")
    (target / "parity.md").write_text(f"# Names\n\n{parity_table()}", encoding="utf-8")


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def table(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> str:
    """A table; cells that are not text of one line are made so."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = (str(c).replace("|", "\\|").replace("\n", " ") for c in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


#: Pages that the tables of their index link to: the navigation holds the indexes only.
_ORPHAN = "---\norphan: true\n---\n\n"


def kinds(letters: str) -> str:
    return ", ".join(_KINDS[k] for k in letters)


# ------------------------------------------------------------------------- ops

_NATIVE = {
    "elementwise": "one element or a vector of them, inside of any kernel (`scalar`)",
    "view": "moves elements: read through by the kernels around it (`element`)",
    "reduction": "a reduction inside of a kernel",
    "composite": "made of simpler ops before kernels are built (`expand`)",
    "structured": "loops of its own (`lower`)",
    "contraction": "the matrix product, with what follows as its epilogue",
    "convolution": "the matrix product over gathered windows",
    "random": "counters of the Philox generator, in kernels",
    "control": "branches of the plan, or one kernel",
    "state": "known to the plan: no code of its own",
    "fused": "made by the pass `fuse`",
    "host": "runs in Python, between native parts of a run",
}


def write_ops(target: Path) -> None:
    shown, names = covered(), public_names()
    for name, r in sorted(OPS.items()):
        (target / f"{name}.md").write_text(op_page(r, shown.get(name), names), encoding="utf-8")
    rows = [(f"[`{n}`]({n}.md)", r.tf, r.family, r.doc) for n, r in sorted(OPS.items())]
    intro = (
        f"All {len(OPS)} records. What users call is made of these; what has its own name under "
        "`tf` says so on its page.\n\n"
    )
    text = f"# Ops\n\n{intro}{table(('op', 'type', 'family', 'what it is'), rows)}"
    (target / "index.md").write_text(text, encoding="utf-8")


def op_page(r: Op, shown: Shown | None, names: dict[int, list[str]]) -> str:
    public = names.get(id(r.call), []) if r.call is not None else []
    facts = [
        ("type of operation", f"`{r.tf}`"),
        ("public", ", ".join(f"`{n}`" for n in public) or "no: other functions record it"),
        ("operands", ", ".join(f"`{a}`" for a in r.args) or "none"),
        ("element types", kinds(r.types)),
        ("native form", _NATIVE[r.family]),
        ("gradient", gradient_text(r)),
        ("can fail in a run", "yes" if r.fails else "no"),
        ("equal applications are merged", "no" if r.stateful else "yes"),
        ("recorded in", f"`{where(r)}`"),
    ]
    parts = [f"{_ORPHAN}# {r.name}\n", r.doc + "\n"]
    if public:
        parts.append(fenced(f"{public[0]}{signature(r.call)}", "python"))
    parts.append(table(("", ""), facts))
    parts.append("## Example\n")
    parts.append(example(r.name, shown) if shown else _NEVER_RUN[r.name] + "\n")
    return "\n".join(parts)


#: Ops of no run.
_NEVER_RUN = {
    "wildcard": "In the left side of every rule: see [rules](../rules/index.md).",
    "foreign": "Stands in an imported graph for an operation that graphc does not have. It keeps "
    "its name, type and attributes, and is exported as it came; running it raises an error.",
    "dataset_handle": "Stands in an imported graph for a dataset of TensorFlow's.",
    "reader_handle": "Stands in an imported graph for a reader of files of TensorFlow's.",
}


def gradient_text(r: Op) -> str:
    if r.grad is not None and r.grad.__name__ == "no_grad":
        return "none: gradients stop here"
    if r.grad is not None:
        return "yes"
    return (
        "raises `LookupError`" if r.facts.get("no_gradient_error") else "none: gradients stop here"
    )


def where(r: Op) -> str:
    """The module that has the record: that of the first function of its own."""
    parts = (r.scalar, r.grad, r.lower, r.expand, r.element, r.host, r.infer, r.call)
    modules = [getattr(f, "__module__", "") for f in parts if f is not None]
    return next((m for m in modules if m != "graphc.ops.record"), "graphc.ops.record")


def signature(f: Any) -> str:
    found = inspect.signature(f)
    plain = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    text = str(found.replace(parameters=plain, return_annotation=found.empty))
    return re.sub(r"<[^>]*>", "...", text)


def example(op: str, shown: Shown) -> str:
    parts = [fenced(shown.code, "python"), "gives\n", fenced(shown.printed)]
    stage = shown.ops[op]
    parts.append(f"The lines that have it {_stage(stage)}:\n")
    found = [s for s in shown.stages[stage].splitlines() if re.search(rf"= {re.escape(op)}\b", s)]
    parts.append(fenced("\n".join(s.strip()[:160] for s in found[:8])))
    kernels = [k for k in shown.stages.get("kernels", "").split("\n\n") if f" {op} " in k]
    if kernels and kernels[0].count("\n") < 40:
        parts += ["A kernel with it:\n", fenced(kernels[0])]
    return "\n".join(parts)


def _stage(stage: str) -> str:
    return {"graph": "as recorded", "pure": "in the pure graph"}.get(stage, f"after pass `{stage}`")


# ------------------------------------------------------------------------- rules


def slugs(rules: Iterable[tuple[str, Rule]]) -> dict[Rule, str]:
    out: dict[Rule, str] = {}
    used: set[str] = set()
    for _, r in rules:
        base = re.sub(r"[^a-z0-9]+", "-", r.name.lower()).strip("-")[:60] or "rule"
        name, k = base, 2
        while name in used:
            name, k = f"{base}-{k}", k + 1
        used.add(name)
        out[r] = name
    return out


def write_rules(target: Path) -> None:
    rules = [(name, r) for name, rules in tables().items() for r in rules]
    pages = slugs(rules)
    for name, r in rules:
        (target / f"{pages[r]}.md").write_text(rule_page(name, r), encoding="utf-8")
    rows = [
        (f"[`{r.name}`]({pages[r]}.md)", f"`{right(r)}`", r.needs or "exact", kinds(r.kinds), name)
        for name, r in rules
    ]
    licences = table(("licence", "what it lets rules assume"), LICENCES.items())
    head = ("what has this form", "becomes", "licence", "for", "pass")
    intro = (
        f"All {len(rules)} rules. A rule without a licence gives the same bits for every operand; "
        f"of the others only `{'`, `'.join(sorted(rewrite.DEFAULT))}` are in force by default. "
        "`python -m graphc rules` lists them in the terminal.\n\n"
    )
    text = f"# Rules\n\n{intro}{licences}\n{table(head, rows)}"
    (target / "index.md").write_text(text, encoding="utf-8")


def in_passes(names: str) -> str:
    return " and ".join(f"[{n}](../passes/{n}.md)" for n in names.split(" and "))


def rule_page(name: str, r: Rule) -> str:
    tests = importlib.import_module("test_rules")
    parts = [f"{_ORPHAN}# {r.name}\n", f"A rule of {in_passes(name)}.\n"]
    facts = [
        ("becomes", f"`{right(r)}`"),
        ("licence", f"{r.needs}: {'; '.join(LICENCES[s] for s in r.needs.split())}" if r.needs
         else "none: the same bits for every operand"),
        ("for", kinds(r.kinds)),
    ]  # fmt: skip
    if r.once:
        facts.append(("only where", f"nothing else reads the `{r.once}` in it"))
    parts += [table(("", ""), facts), "## Example\n"]
    sample = next(iter(tests.attempts(r, moderate=bool(r.needs))), None)
    if sample is None:
        parts += ["It applies inside of larger formulas; a case of the tests of its pass:\n"]
        parts.append(golden(name))
        return "\n".join(parts)
    left, made, s = sample
    before, after = (as_text(v, s) for v in (left, made))
    parts += [fenced(before), "becomes\n", fenced(after), comparison(tests, left, made, s, r)]
    return "\n".join(parts)


def as_text(v: Any, sample: Any) -> str:
    """A sample as a graph; sizes that follow from the number of operands tried are n."""
    text = print_graph(Graph((v,), (), tuple(sample.feeds)))
    return re.sub(r"\[0\]", "[n]", text).replace("main()", "main(n)") if sample.plain else text


def comparison(tests: Any, left: Any, made: Any, s: Any, r: Rule) -> str:
    """Both sides on operands that the tests draw."""
    a, b, _ = tests.both_sides(left, made, s)
    if not r.needs:
        if not tests.same_bits(a, b).all():
            raise RuntimeError(f"the rule {r.name} says that it is exact, and is not")
        odd = (
            ", NaN, infinities and zeros of both signs among them" if left.dtype.kind == "f" else ""
        )
        return f"Both sides are the same bits for {a.size} results of {left.dtype.name}{odd}.\n"
    with np.errstate(all="ignore"):
        wide = np.asarray(a, np.float64), np.asarray(b, np.float64)
        error = np.abs(wide[0] - wide[1]) / np.maximum(np.abs(wide[0]), 1e-30)
    finite = error[np.isfinite(error)]
    most = float(finite.max()) if finite.size else 0.0
    return (
        f"On {a.size} results of {left.dtype.name} from operands between -3 and 3 the two sides "
        f"differ by at most {most:.1e}, relative to the left side.\n"
    )


# ------------------------------------------------------------------------- passes

#: Programs for passes that have no cases of their own, split by empty lines.
_PROGRAMS = (Path(__file__).parent / "passes.txt").read_text(encoding="utf-8").split("\n\n")


def write_passes(target: Path) -> None:
    for name in PASSES:
        (target / f"{name}.md").write_text(pass_page(name), encoding="utf-8")
    rows = [(f"[`{n}`]({n}.md)", first_line(f), "yes" if n in REQUIRED else "")
            for n, f in PASSES.items()]  # fmt: skip
    levels = table(("level", "passes"), ((k, f"`{v}`") for k, v in LEVELS.items()))
    intro = (
        "A pass is a function from graph to graph. A level is an order of passes, and a session "
        "may have its own: `tf.ConfigProto(graphc_passes=...)`.\n\n"
    )
    rest = table(("pass", "what it does", "part of every level"), rows)
    text = f"# Passes\n\n{intro}{levels}\n{rest}"
    (target / "index.md").write_text(text, encoding="utf-8")


def first_line(f: Any) -> str:
    return (inspect.getdoc(f) or "").partition("\n")[0]


def pass_page(name: str) -> str:
    f = PASSES[name]
    module = inspect.getmodule(f)
    about = inspect.cleandoc(getattr(module, "__doc__", "") or "")
    places = [
        (level, ", ".join(str(i + 1) for i, s in enumerate(text.split(",")) if s == name) or "no")
        for level, text in LEVELS.items()
    ]
    more = (inspect.getdoc(f) or "").partition("\n\nParameters")[0]
    parts = [
        f"{_ORPHAN}# {name}\n",
        about + "\n",
        more + "\n",
        table(("level", "runs as pass number"), places),
    ]
    if name in RULED:
        parts.append(
            f"It takes licences: `{name}:REASSOC+NO_NAN` (see [rules](../rules/index.md)).\n"
        )
    parts += ["## Example\n", golden(name)]
    return "\n".join(parts)


def golden(name: str) -> str:
    """A case of the tests of a pass, which must still give what they expect."""
    cases = importlib.import_module("golden")
    path = ROOT / "tests" / "passes" / name / f"{name}.gc"
    if path.exists():
        for case in cases.read_cases(path.read_text(encoding="utf-8")):
            if case.expect:
                cases.run_case(case)
                return "\n".join([
                    f"{case.title}:\n" if case.title else "", fenced(case.text),
                    f"after `{case.directives['passes']}`\n", fenced(case.expect),
                ])  # fmt: skip
    return in_program(name)


def in_program(name: str) -> str:
    """The first program in which a pass does something, before and after."""
    for code in _PROGRAMS:
        stages = list(show(code, run=False).stages.items())
        for (_, before), (stage, after) in itertools.pairwise(stages):
            if stage.partition(".")[0] == name and before != after:
                parts = fenced(code, "python"), fenced(_start(before)), fenced(_start(after))
                return "{}\nbefore `{name}`\n\n{}\nafter it\n\n{}".format(*parts, name=name)
    raise RuntimeError(f"no program in docs/passes.txt shows the pass {name}")


def _start(text: str, most: int = 30) -> str:
    """The first lines of a text, and how many are left out."""
    lines = text.splitlines()
    rest = [f"  ... {len(lines) - most} more lines"] if len(lines) > most else []
    return "\n".join(lines[:most] + rest)


# ------------------------------------------------------------------------- parity


def parity_table() -> str:
    """How much of each namespace of TensorFlow 1.15 is here, and what is absent."""
    parity = importlib.import_module("parity")
    found = parity.survey()
    rows, absent = [], []
    for space, names in sorted(found.items()):
        by = {what: sorted(n for n, (w, _) in names.items() if w == what)
              for what in ("present", "different", "absent")}  # fmt: skip
        rows.append((f"`tf.{space}`" if space else "`tf`", len(names), *map(len, by.values())))
        if by["absent"]:
            title = f"`tf.{space}`" if space else "`tf`"
            absent.append(f"{title}: " + ", ".join(f"`{n}`" for n in by["absent"]) + "\n")
    total = ("all", *(sum(r[i] for r in rows) for i in range(1, 5)))
    head = ("namespace", "names", "the same", "different in something", "absent")
    return f"{table(head, [*rows, total])}\n## Absent\n\n" + "\n".join(absent)
