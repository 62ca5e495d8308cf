"""``python -m graphc rules``: the tables of rules."""

from __future__ import annotations

import argparse
import ast
import inspect
from typing import Any

from graphc.cli import Misuse
from graphc.commands.script import shown

__all__ = ["arguments", "execute", "tables"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``rules``."""
    parser.add_argument("--needs", default=None, metavar="LICENCE", help="only those that need it")
    parser.add_argument("pattern", nargs="?", default=None, help="a part of a rule's text")


def tables() -> dict[str, list[Any]]:
    """The rules of each pass."""
    import graphc.passes.pipeline  # noqa: F401 - its passes fill the tables
    from graphc.passes.rewrite import RULES, VIEWS
    from graphc.passes.stabilize import STABLE

    views = set(VIEWS)  # which simplify applies, too
    own = [r for r in RULES if r not in views]
    return {"simplify": own, "simplify and layout": VIEWS, "stabilize": STABLE}


def execute(args: argparse.Namespace) -> int:
    """The rules that fit, one a line."""
    from graphc.passes.rewrite import DEFAULT, LICENCES

    if args.needs is not None and args.needs not in LICENCES:
        raise Misuse(f"there is no licence {args.needs!r}; there are: {', '.join(LICENCES)}")
    lines, count = [], 0
    for name, table in tables().items():
        rows = []
        for r in table:
            text = f"{r.name}  ->  {right(r)}"
            if args.pattern is not None and args.pattern not in text:
                continue
            if args.needs is not None and args.needs not in r.needs.split():
                continue
            kinds = "" if set("fiu") <= set(r.kinds) else f"  kinds: {r.kinds}"
            off = set(r.needs.split()) - DEFAULT
            needs = f"  needs: {r.needs}{' (off by default)' if off else ''}" if r.needs else ""
            rows.append(f"  {text}{kinds}{needs}")
        count += len(rows)
        lines += [f"{name}: {len(rows)} rules", *rows, ""] if rows else []
    if not count:
        raise Misuse(f"no rule has {args.pattern!r} in it", 1)
    if args.pattern is None:
        lines += ["licences (python -m graphc opt --passes simplify:NAME):"]
        lines += [f"  {k}{' (on)' if k in DEFAULT else ''}: {text}" for k, text in LICENCES.items()]
    shown("\n".join(lines).rstrip())
    return 0


def right(r: Any) -> str:
    """What the rule makes, as text."""
    from graphc.ir.node import Value
    from graphc.passes.pattern import pattern_text
    from graphc.see.portable import NotPortable, syntax

    if isinstance(r.right, Value):
        return pattern_text(r.right)
    try:
        tree = syntax(r.right)
    except NotPortable:
        return "(computed)"
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Lambda):
        return ast.unparse(tree.value.body)
    doc = inspect.getdoc(r.right)
    return f"{r.right.__name__}: {doc.splitlines()[0]}" if doc else r.right.__name__
