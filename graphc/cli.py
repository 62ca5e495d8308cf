"""The command line: ``python -m graphc dump script.py``."""

from __future__ import annotations

import argparse
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["main"]

_EXAMPLES = """examples:
  python -m graphc dump samples/train_digits.py -- --epochs 1
  python -m graphc dump --stage fuse,kernels samples/xor.py
  python -m graphc dump --stage asm --out dumps samples/xor.py
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        "graphc", description="A compiler for static computation graphs.", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    d = commands.add_parser(
        "dump", help="run a script and show every stage of what it compiled", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    d.add_argument(
        "--stage",
        default="all",
        help="stages with commas, or 'everything' (default: all but LLVM's)",
    )
    d.add_argument(
        "--run",
        type=int,
        default=None,
        metavar="N",
        help="only the N-th compilation (from 0; -1 is the largest)",
    )
    d.add_argument(
        "--out",
        type=Path,
        default=None,
        help="write one file a stage into a folder for each compilation",
    )
    d.add_argument("script")
    d.add_argument("args", nargs=argparse.REMAINDER, help="arguments of the script")
    args = parser.parse_args(argv)
    return _dump(args)


def _dump(args: argparse.Namespace) -> int:
    from graphc.face import dump
    from graphc.runtime import executor

    if not Path(args.script).is_file():
        print(f"graphc: there is no file {args.script!r}", file=sys.stderr)
        return 2
    seen: list[tuple[Any, list[Any]]] = []
    executor.observers.append(lambda run, c: seen.append((c, [*run.fetches, *run.targets])))
    sys.argv = [args.script, *(a for i, a in enumerate(args.args) if a != "--" or i)]
    sys.path.insert(0, str(Path(args.script).resolve().parent))
    status = 0
    try:
        runpy.run_path(args.script, run_name="__main__")
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    if not seen:
        print("graphc: the script compiled nothing", file=sys.stderr)
        return status or 1
    if args.run is not None:
        order = sorted(range(len(seen)), key=lambda i: len(seen[i][0].plan.steps))
        try:
            seen = [seen[order[-1] if args.run == -1 else args.run]]
        except IndexError:
            print(f"graphc: there are {len(seen)} compilations, from 0", file=sys.stderr)
            return 2
    for i, (c, elements) in enumerate(seen):
        parts = dump.stages(c, elements)
        known = [name for name, _ in parts]
        if args.stage == "everything":
            wanted = known
        elif args.stage == "all":
            wanted = [s for s in known if s not in ("llvm", "optimized", "asm")]
        else:
            wanted = [s.strip() for s in args.stage.split(",")]
        missing = [s for s in wanted if s not in known]
        if missing:
            print(
                f"graphc: no stage {missing[0]!r}; there are: {', '.join(known)}", file=sys.stderr
            )
            return 2
        _write(i, c, parts, wanted, args.out)
    return status


def _write(
    i: int, c: Any, parts: list[tuple[str, Any]], wanted: list[str], out: Path | None
) -> None:
    title = f"{i:03d}_{c.plan.graph.name}_{len(c.plan.steps)}_kernels"
    for number, (name, make) in enumerate(parts):
        if name not in wanted:
            continue
        text = make()
        if out is None:
            print(f"# ==== {title}: {name}\n{text}\n")
            continue
        folder = out / re.sub(r"[^\w.-]", "_", title)
        folder.mkdir(parents=True, exist_ok=True)
        ending = {"llvm": "ll", "optimized": "ll", "asm": "s"}.get(name, "gc")
        (folder / f"{number:02d}_{name}.{ending}").write_text(text + "\n")
