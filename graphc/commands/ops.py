"""``python -m graphc ops``: what the records say."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np

from graphc.cli import Misuse
from graphc.commands.script import shown
from graphc.see.public import public_name

__all__ = ["arguments", "execute", "native", "page"]

_KINDS = {"f": "floats", "i": "integers", "u": "unsigned integers", "b": "bool", "s": "strings"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``ops``."""
    parser.add_argument("--family", default=None, help="only ops of a family")
    parser.add_argument(
        "name", nargs="?", default=None, help="an op, by graphc's or TensorFlow's name"
    )


def records() -> dict[str, Any]:
    """Every op record there is."""
    import graphc.ops
    from graphc.ir.registry import OPS

    for m in pkgutil.iter_modules(graphc.ops.__path__):  # some are imported when first used
        importlib.import_module(f"graphc.ops.{m.name}")
    for name in ("data.iterator", "sparse.records", "summary.ops", "checkpoint.ops"):
        importlib.import_module(f"graphc.{name}")
    return dict(sorted(OPS.items()))


def execute(args: argparse.Namespace) -> int:
    """A table of all, or the page of one."""
    ops = records()
    if args.name is not None:
        found = [r for r in ops.values() if args.name in (r.name, r.tf)]
        if not found:
            near = [n for n, r in ops.items() if args.name.lower() in (n + r.tf).lower()]
            also = f"; there are: {', '.join(near[:8])}" if near else " (`graphc ops` lists them)"
            raise Misuse(f"there is no op {args.name!r}{also}")
        shown("\n\n".join(page(r) for r in found))
        return 0
    rows = [r for r in ops.values() if args.family in (None, r.family)]
    if not rows:
        families = ", ".join(sorted({r.family for r in ops.values()}))
        raise Misuse(f"there is no family {args.family!r}; there are: {families}")
    wide = max(len(r.name) for r in rows)
    lines = [
        f"{r.name:{wide}}  {r.family:11}  {'gradient' if r.grad else '-':8}  "
        f"{'native' if native(r) else '-':6}  {r.doc}"
        for r in rows
    ]
    shown("\n".join([*lines, "", f"{len(rows)} ops; `python -m graphc ops NAME` says more of one"]))
    return 0


def native(r: Any) -> bool:
    """Whether the op has native code (of its own, or that of what it is made of)."""
    return bool(
        r.scalar or r.element or r.combine or r.expand or r.lower or r.facts.get("reshape")
        or r.facts.get("alias") or r.family in ("contraction", "control", "fused")
    )  # fmt: skip


def page(r: Any) -> str:
    """Everything of one op."""
    call, public = r.call, public_name(r)
    signature = ""
    if public and call is not None:
        try:
            signature = _signature(call)
        except (TypeError, ValueError):
            signature = "(...)"
    kinds = [_KINDS[k] for k in "fiubs" if k in r.types]
    lines = [f"{r.name}  ({r.tf} in TensorFlow; {r.family})", "", f"  {r.doc}", ""]
    lines += [f"  in Python  {public}{signature}"] if public else []
    lines += [f"  operands   {', '.join(r.args)}"] if r.args else []
    lines.append(f"  types      {', '.join(kinds)}")
    grad = "yes" if r.grad else "no"
    lines.append(f"  gradient   {grad}")
    lines.append(f"  native     {'yes' if native(r) else 'no, it runs on the host'}")
    notes = [text for on, text in (
        (r.fails, "can fail in a run, and is kept for that"),
        (r.stateful, "is never merged or folded: two applications may differ"),
        (r.expand is not None, "is made of simpler ops by the pass expand"),
    ) if on]  # fmt: skip
    lines += [f"  note       {n}" for n in notes]
    example = _example(r, public) or _written(public)
    return "\n".join([*lines, *(["", *example] if example else [])])


def _signature(f: Any) -> str:
    """The parameters without their annotations."""
    s = inspect.signature(f)
    bare = [p.replace(annotation=p.empty) for p in s.parameters.values()]
    return str(s.replace(parameters=bare, return_annotation=s.empty))


def _written(public: str) -> list[str]:
    """The shortest example of the documentation that calls it, where the sources are."""
    file = Path(__file__).resolve().parents[2] / "docs" / "examples.txt"
    if not public or not file.is_file():
        return []
    name = public.rpartition(".")[2]
    blocks = [b for b in file.read_text(encoding="utf-8").split("\n\n") if f".{name}(" in b]
    return ["  example", *indent(min(blocks, key=len), "    ").splitlines()] if blocks else []


def _example(r: Any, public: str) -> list[str]:
    """One application with its value, by the meaning."""
    from graphc.ir import dtypes
    from graphc.ops.record import meaning

    if r.numpy is None or r.family not in ("elementwise", "reduction"):
        return []
    kind = next((k for k in "fibu" if k in r.types), "f")
    t = {"f": dtypes.float32, "i": dtypes.int32, "u": dtypes.uint8, "b": dtypes.bool_}[kind]
    low, high = r.sample
    xs = []
    for i in range(max(1, len(r.args))):
        a = np.linspace(low, high, 3) * (1 if i == 0 else 0.75)
        xs.append((np.array([True, False, True]) if kind == "b" else np.round(a, 3)).astype(t.np))
    attrs: dict[str, Any] = {}
    if r.family == "reduction":
        attrs = {"axis": 0, "dtype": dtypes.int64} if r.name[:3] == "arg" else {
            "axis": (0,), "keepdims": False}  # fmt: skip
    try:
        (y,) = meaning(r, xs, attrs, [(t if r.out == "same" else dtypes.bool_, None)])
    except Exception:  # it takes attributes or operands of its own
        return []
    shown_args = ", ".join(str(x.tolist()) for x in xs)
    return ["  example", f"    {public or r.name}({shown_args})", f"    {np.asarray(y).tolist()}"]
