"""``python -m graphc opt``: passes applied to graphs in IR text, as MLIR's tool does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from graphc.cli import Misuse, say
from graphc.commands.script import shown, writable_file

__all__ = ["arguments", "execute", "read_graphs"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``opt``."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--passes", default=None, metavar="LIST",
        help="passes with commas, each with licences behind it where it takes them: "
        "fold,simplify:REASSOC+NO_NAN (default: none, the text is read and printed)",
    )  # fmt: skip
    which.add_argument(
        "--level", type=int, choices=(0, 1, 2), default=None, help="the passes of a level"
    )
    parser.add_argument(
        "--verify", action="store_true", help="infer every type again, before and after each pass"
    )
    parser.add_argument("--print-after-all", action="store_true", help="print after each pass")
    parser.add_argument(
        "--full", action="store_true", help="write out large constants too (the text parses back)"
    )
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="write here instead of printing"
    )
    parser.add_argument("file", help="IR text, - for the standard input")


def execute(args: argparse.Namespace) -> int:
    """Parse, apply, print."""
    from graphc.errors import VerifyError
    from graphc.ir.text import print_graph
    from graphc.passes.pipeline import Trace, optimize_ir, pipeline
    from graphc.passes.verify import verify

    writable_file(args.out)
    try:
        none = args.level is None and not args.passes
        names = [] if none else pipeline(args.passes, args.level or 0)
    except ValueError as e:
        raise Misuse(str(e)) from None
    made: list[str] = []
    for g in read_graphs(args.file):
        trace = Trace()
        try:
            if args.verify:
                verify(g, "reading")
            done = optimize_ir(g, names, trace, args.verify)
        except VerifyError as e:
            say(e)
            return 1
        except Exception as e:  # a fault of the pass: named, without an inside view
            say(f"pass {_next(trace, names)!r} failed on graph {g.name!r}: {e or type(e).__name__}")
            return 1
        if args.print_after_all:
            for i, r in enumerate(trace.records):
                notes = ", ".join(f"{k}: {n}" for k, n in r.notes.items())
                head = f"# ---- {i}: {r.name} ({r.nodes} nodes)" + (f"\n# {notes}" if notes else "")
                made.append(f"{head}\n{print_graph(r.graph, full=args.full)}\n")
        else:
            made.append(print_graph(done, full=args.full))
    text = "\n".join(made)
    if args.out is None:
        shown(text)
        return 0
    try:
        args.out.write_text(text + "\n", encoding="utf-8")
    except OSError as e:
        raise Misuse(f"cannot write {str(args.out)!r}: {e.strerror or e}") from None
    return 0


def _next(trace: Any, names: list[str]) -> str:
    return names[len(trace.records)] if len(trace.records) < len(names) else "?"


def read_graphs(file: str) -> list[Any]:
    """The graphs of a ``.gc`` text, or of the standard input for ``-``.

    Raises
    ------
    Misuse
        Text that cannot be read, or does not parse: with line, column and a caret.
    """
    import graphc.ops  # noqa: F401 - the records
    from graphc.errors import ParseError
    from graphc.ir.text import parse_graphs

    name = "<stdin>" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as e:
        raise Misuse(f"cannot read {file!r}: {e.strerror or e}") from None
    except UnicodeDecodeError:
        raise Misuse(f"{name} is not text in UTF-8") from None
    try:
        graphs = parse_graphs(text)
    except ParseError as e:
        raise Misuse(f"{name}: {e}", 1) from None
    if not graphs:
        raise Misuse(f"{name} has no graph", 1)
    return graphs
