"""Reading, running and blessing the cases of ``.gc`` files (see tests/conftest.py)."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from ir_run import compare

from graphc.errors import ParseError
from graphc.ir.text import parse_graph, parse_graphs, print_graph
from graphc.passes.pipeline import optimize_ir, pipeline

_SPLIT = re.compile(r"^// -----.*\n", re.MULTILINE)
_DIRECTIVE = re.compile(r"^// (passes|error|run):\s*(.*)$")


@dataclass
class Case:
    """One case: its directives, the graph's text, and the dump that is expected."""

    head: list[str]
    directives: dict[str, str]
    text: str
    expect: str | None
    title: str


def read_cases(text: str) -> list[Case]:
    return [read_case(part) for part in _SPLIT.split(text)]


def read_case(part: str) -> Case:
    body, mark, expect = part.partition("// expect\n")
    lines = body.splitlines()
    head = []
    while lines and (lines[0].startswith("//") or not lines[0].strip()):
        head.append(lines.pop(0))
    directives = {m[1]: m[2] for s in head if (m := _DIRECTIVE.match(s))}
    remarks = [s[2:].strip() for s in head if s.startswith("//") and not _DIRECTIVE.match(s)]
    text = "\n".join(lines).strip("\n")
    title = next((s for s in remarks if s), "")
    return Case(head, directives, text, expect.strip("\n") if mark else None, title)


def dump(case: Case) -> str:
    names = pipeline(case.directives["passes"])
    out = []
    for g in parse_graphs(case.text):
        made = optimize_ir(g, names, check=True)
        out.append(print_graph(made))
    return "\n".join(out)


def run_case(case: Case) -> None:
    if "error" in case.directives:
        check_error(case)
        return
    if "passes" in case.directives:
        got = dump(case)
        want = case.expect or ""
        if got != want:
            diff = difflib.unified_diff(
                want.splitlines(), got.splitlines(), "expected", "got", lineterm=""
            )
            raise AssertionError("\n".join([*diff, "", "(pytest --bless writes it)"]))
        for g in parse_graphs(got):
            assert print_graph(g) in got, "the dump does not parse back to itself"
    if "run" in case.directives:
        for g in parse_graphs(case.text):
            compare(g, seed=len(case.text))


def check_error(case: Case) -> None:
    where, _, message = case.directives["error"].partition(" ")
    line, column = map(int, where.split(":"))
    with pytest.raises(ParseError) as e:
        parse_graph(case.text)
    assert (e.value.line, e.value.column) == (line, column), str(e.value)
    assert message in str(e.value)


def bless_case(path: Path, number: int) -> None:
    """Write what the case gives now into its file."""
    parts = _SPLIT.split(path.read_text())
    case = read_case(parts[number])
    if "passes" in case.directives:
        head = "\n".join([*case.head, case.text])
        parts[number] = f"{head}\n// expect\n{dump(case)}\n"
        path.write_text("// -----\n".join(parts))
    run_case(read_case(parts[number]))
