"""The command line: ``python -m graphc run script.py``, ``python -m graphc dump script.py``."""

from __future__ import annotations

import argparse
import importlib
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["main"]

_EXAMPLES = """examples:
  python -m graphc dump samples/xor.py
  python -m graphc dump samples/train_digits.py -- --epochs 1
  python -m graphc dump --run -1 --stage fuse,kernels samples/xor.py
  python -m graphc dump --stage everything --out dumps samples/xor.py
  python -m graphc run a_program_that_imports_tensorflow.py --its options
  python -m graphc bench --workloads mlp_train --backends graphc,jax

stages: graph (as recorded), pure, one for each pass (sizes, fold, cse, ..., fuse; fold.2 after
its second time), kernels, plan, llvm, optimized (LLVM IR after its optimiser), asm.
Without `dump`: GRAPHC_DUMP=folder python script.py writes all but LLVM's stages there.
"""


def bench(argv: Sequence[str]) -> int:
    """Run the suite of ``benchmarks/``, which comes with the sources of graphc."""
    folder = Path(__file__).resolve().parent.parent / "benchmarks"
    if not (folder / "suite.py").is_file():
        print(
            "graphc bench: the benchmarks come with graphc's sources, not with the installed "
            "package; run it in a checkout.",
            file=sys.stderr,
        )
        return 2
    sys.path.insert(0, str(folder))
    try:
        return int(importlib.import_module("suite").main(argv))
    finally:
        sys.path.remove(str(folder))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ["run"]:
        from graphc.face.run import run  # its arguments are the program's, not argparse's

        return run(given[1:])
    if given[:1] == ["bench"]:
        return bench(given[1:])
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "graphc", description="A compiler for static computation graphs.", epilog=_EXAMPLES,
        formatter_class=style,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("run", help="run a program that imports tensorflow, on graphc")
    commands.add_parser("bench", help="measure graphc beside its peers (bench --help)")
    d = commands.add_parser(
        "dump", help="run a script and show every stage of what it compiled", epilog=_EXAMPLES,
        description="Run a script and show every stage of what it compiled.", formatter_class=style,
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
        metavar="FOLDER",
        help="write one file a stage into a folder for each compilation",
    )
    d.add_argument("script", help="the Python file to run")
    d.add_argument("args", nargs=argparse.REMAINDER, help="arguments of the script")
    args = parser.parse_args(given)
    try:
        return _dump(args)
    except BrokenPipeError:  # the reader of the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _say(message: str) -> int:
    print(f"graphc: {message}", file=sys.stderr)
    return 2


def _dump(args: argparse.Namespace) -> int:
    if not Path(args.script).is_file():
        return _say(f"there is no file {args.script!r}")
    if args.run is not None and args.run < -1:
        return _say(f"--run takes a number from 0, or -1 for the largest, not {args.run}")
    if args.out is not None:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
            if not os.access(args.out, os.W_OK | os.X_OK):
                raise PermissionError(f"no permission to write to {str(args.out)!r}")
        except OSError as e:
            return _say(f"cannot write to {str(args.out)!r}: {e}")
    seen: list[tuple[Any, list[Any]]] = []
    status = _run(args.script, [a for i, a in enumerate(args.args) if a != "--" or i], seen)
    if not seen:
        if not status:
            print("graphc: the script compiled nothing", file=sys.stderr)
        return status or 1
    numbered = list(enumerate(seen))
    if args.run is not None:
        if args.run >= len(seen):
            return _say(f"there is no compilation {args.run}: they are 0 to {len(seen) - 1}")
        largest = max(numbered, key=lambda p: len(p[1][0].plan.steps))
        numbered = [largest if args.run == -1 else numbered[args.run]]
    return _show(numbered, args.stage, args.out) or status


def _run(script: str, arguments: list[str], seen: list[tuple[Any, list[Any]]]) -> int:
    """Run the script, collecting what it compiles; its exit status."""
    from graphc import shim
    from graphc.runtime import executor

    if "tensorflow" not in sys.modules:
        shim.install()

    def observer(run: Any, c: Any) -> None:
        seen.append((c, [*run.fetches, *run.targets]))

    executor.observers.append(observer)
    argv, path = sys.argv, list(sys.path)
    sys.argv = [script, *arguments]
    sys.path[0:0] = [str(Path(script).resolve().parent)]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as e:
        if e.code is None or isinstance(e.code, int):
            return e.code or 0
        print(e.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("graphc: interrupted; what was compiled so far follows", file=sys.stderr)
        return 130
    except BaseException as e:
        _explain(e, script)
        return 1
    finally:
        sys.argv, sys.path = argv, path
        executor.observers.remove(observer)
    return 0


def _explain(e: BaseException, script: str) -> None:
    """The traceback of an error in the script, from the script on."""
    tb = e.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename != script:
        tb = tb.tb_next
    sys.stdout.flush()
    traceback.print_exception(type(e), e, tb)


def _show(numbered: list[tuple[int, tuple[Any, list[Any]]]], stage: str, out: Path | None) -> int:
    from graphc.face import dump

    every = [(i, c, dump.stages(c, elements)) for i, (c, elements) in numbered]
    known = list(dict.fromkeys(name for _, _, made in every for name, _ in made))
    try:
        wanted = dump.chosen(stage, known)
    except ValueError as e:
        return _say(str(e))
    for i, c, made in every:
        title = dump.title(i, c)
        try:
            if out is not None:
                dump.write(out / title, made, wanted)
                continue
        except OSError as e:
            return _say(f"cannot write to {str(out)!r}: {e}")
        for name, make in made:
            if name in wanted:
                _print(f"# ==== {title}: {name}\n{make()}\n")
    return 0


def _print(text: str) -> None:
    """Print, whatever the terminal's encoding can show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
