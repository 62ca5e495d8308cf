"""``python -m graphc dump``: every stage of what a script compiled."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from graphc.cli import Misuse
from graphc.commands import script
from graphc.commands.script import Seen, shown

__all__ = ["arguments", "execute"]

_STAGES = """stages: graph (as recorded), pure, one for each pass (sizes, fold, cse, ..., fuse;
fold.2 after its second time), kernels, plan, llvm, optimized (LLVM IR after its optimiser), asm.
Without `dump`: GRAPHC_DUMP=folder python script.py writes all but LLVM's stages there.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``dump``."""
    parser.epilog = f"{parser.epilog}\n\n{_STAGES}"
    parser.add_argument(
        "--stage", default="all",
        help="stages with commas, or 'everything' (default: all but LLVM's)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FOLDER",
        help="write one file a stage into a folder for each compilation",
    )  # fmt: skip
    script.arguments(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the script, then show what it compiled."""
    if args.run is not None and args.run < -1:
        raise Misuse(f"--run takes a number from 0, or -1 for the largest, not {args.run}")
    if not Path(args.script).is_file():
        raise Misuse(f"there is no file {args.script!r}")
    if args.out is not None:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
            if not os.access(args.out, os.W_OK | os.X_OK):
                raise PermissionError(f"no permission to write to {str(args.out)!r}")
        except OSError as e:
            raise Misuse(f"cannot write to {str(args.out)!r}: {e}") from None
    status, seen = script.observed(args.script, args.args)
    if status and not seen:
        return status
    _show(script.pick(seen, args.run), args.stage, args.out)
    return status


def _show(seen: list[Seen], stage: str, out: Path | None) -> None:
    from graphc.face import dump

    every = [(s.number, s.compilation, dump.stages(s.compilation, s.elements)) for s in seen]
    known = list(dict.fromkeys(name for _, _, made in every for name, _ in made))
    try:
        wanted = dump.chosen(stage, known)
    except ValueError as e:
        raise Misuse(str(e)) from None
    for i, c, made in every:
        title = dump.title(i, c)
        try:
            if out is not None:
                dump.write(out / title, made, wanted)
                continue
        except OSError as e:
            raise Misuse(f"cannot write to {str(out)!r}: {e}") from None
        for name, make in made:
            if name in wanted:
                shown(f"# ==== {title}: {name}\n{make()}\n")
