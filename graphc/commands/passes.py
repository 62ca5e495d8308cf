"""``python -m graphc passes``: the table of passes and the order of levels."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

from graphc.cli import Misuse
from graphc.commands.script import shown

__all__ = ["arguments", "execute", "page"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``passes``."""
    parser.add_argument("name", nargs="?", default=None, help="a pass")


def execute(args: argparse.Namespace) -> int:
    """A table of all, or the page of one."""
    from graphc.passes.pipeline import LEVELS, PASSES

    if args.name is not None:
        if args.name not in PASSES:
            raise Misuse(f"there is no pass {args.name!r}; there are: {', '.join(PASSES)}")
        shown(page(args.name))
        return 0
    lines = [f"{name:10}  {_doc(name)[0]}" for name in PASSES]
    lines += [""] + [f"level {k}: {text}" for k, text in LEVELS.items()]
    shown("\n".join([*lines, "", "`python -m graphc passes NAME` says more of one"]))
    return 0


def _doc(name: str) -> list[str]:
    from graphc.passes.pipeline import PASSES

    f = PASSES[name]
    text = inspect.getdoc(f) or inspect.getdoc(inspect.getmodule(f)) or "(says nothing of itself)"
    return text.splitlines()


def page(name: str) -> str:
    """Everything of one pass, with an example."""
    from graphc.passes.pipeline import LEVELS, PASSES, REQUIRED, RULED

    f = PASSES[name]
    module = inspect.getdoc(inspect.getmodule(f)) or ""
    lines = [name, "", *(f"  {line}".rstrip() for line in module.splitlines()), ""]
    lines += [f"  {line}".rstrip() for line in _doc(name)] + [""]
    at = [str(k) for k, text in LEVELS.items() if name in text.split(",")]
    lines.append(f"  levels     {', '.join(at) or 'none: name it in a pipeline'}")
    if name in REQUIRED:
        lines.append("  required   no pipeline leaves it out")
    if name in RULED:
        lines.append("  options    licences: " + f"{name}:REASSOC+NO_NAN")
    return "\n".join([*lines, "", *_example(name)]).rstrip()


def _example(name: str) -> list[str]:
    """The first case of the pass's tests, where the sources are, with what it becomes."""
    command = f"  python -m graphc opt --passes {name} graph.gc"
    cases = Path(__file__).resolve().parents[2] / "tests" / "passes" / name / f"{name}.gc"
    if not cases.is_file():
        return ["  example", command]
    before, _, after = cases.read_text(encoding="utf-8").split("// -----")[0].partition("// expect")
    text = [line for line in before.splitlines() if not line.startswith("//")]
    about = next((s[3:] for s in before.splitlines() if s.startswith("// ")), "")
    lines = [f"  example: {about}", *text, "becomes", *after.strip().splitlines()]
    return ["\n    ".join(lines), "", command]
