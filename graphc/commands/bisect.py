"""``python -m graphc bisect``: what the compiler gets wrong in a script."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from graphc.cli import Misuse
from graphc.commands import script
from graphc.commands.script import shown

__all__ = ["arguments", "execute"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``bisect``."""
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE",
        help="where to write the program that shows the fault (default: a new folder)",
    )  # fmt: skip
    parser.add_argument("script", help="the Python file to run")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="arguments of the script")


def execute(args: argparse.Namespace) -> int:
    """Run the script until something differs from numpy; 1 if something does."""
    script.check_run(args.script)
    script.writable_file(args.out)
    from graphc.runtime import executor
    from graphc.see.bisect import Verdict, examine
    from graphc.see.native import Part

    found: list[Verdict] = []

    def checker(run: Any, c: Any, env: Any, arrays: Any) -> Any:
        verdict = examine(Part(run, c, env, arrays), args.out)
        c.checked = checker
        if verdict:
            found.append(verdict)
            raise SystemExit(1)
        return c, env

    before, executor.default_checker = executor.default_checker, checker
    try:
        status, seen = script.observed(args.script, args.args)
    finally:
        executor.default_checker = before
    if found:
        shown(str(found[0]))
        return 1
    if seen:
        shown(str(Verdict()))
    elif not status:
        raise Misuse("the script compiled nothing", 1)
    return status
