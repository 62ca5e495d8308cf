"""The command line, ``python -m graphc``: the table of commands.

A command is a row of `COMMANDS` and a module (mostly in `graphc.commands`) with two functions:
``arguments(parser)`` enters its options in an argparse parser, ``execute(args)`` does the work
and returns the exit status. It raises `Misuse` for what the user got wrong. A module with
``main(argv)`` instead reads its arguments itself.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

__all__ = ["COMMANDS", "Command", "Misuse", "main", "say"]


class Command(NamedTuple):
    """A command of the command line.

    Attributes
    ----------
    module : str
        Imported when the command is used.
    summary : str
        What it does, in a few words.
    examples : tuple of str
        What may stand behind ``python -m graphc``; at least one.
    """

    module: str
    summary: str
    examples: tuple[str, ...]


#: Every command by its name: one row each.
COMMANDS: dict[str, Command] = {
    "run": Command(
        "graphc.commands.run", "run a program that imports tensorflow, on graphc",
        ("run a_program_that_imports_tensorflow.py --its options",),
    ),
    "dump": Command(
        "graphc.commands.dump", "show every stage of what a script or a graph becomes",
        (
            "dump samples/xor.py",
            "dump samples/train_digits.py -- --epochs 1",
            "dump --run -1 --stage fuse,kernels samples/xor.py",
         "dump --run -1 --stage asm --kernel k1 samples/xor.py",
            "dump --stage everything --out dumps samples/xor.py",
            "dump --format python --stage fuse --run -1 samples/xor.py",
            "dump --format dot graph.gc",
            "dump --fetch loss --stage plan model.meta",
        ),
    ),
    "explain": Command(
        "graphc.commands.explain", "say what became of a line of a script, and why",
        (
            "explain samples/xor.py --line 34",
            "explain --profile --line 34 samples/xor.py",
            "explain --tensor hidden0/MatMul samples/xor.py",
            "explain samples/xor.py",
        ),
    ),
    "opt": Command(
        "graphc.commands.opt", "apply passes to graphs in IR text",
        (
            'opt --passes "fold,cse,simplify:REASSOC" graph.gc',
            "opt --level 2 --print-after-all - < graph.gc",
        ),
    ),
    "ops": Command(
        "graphc.commands.ops", "list the ops, or say everything of one",
        ("ops", "ops softmax", "ops --family reduction"),
    ),
    "rules": Command(
        "graphc.commands.rules", "list the rewrite rules, or those that say a word",
        ("rules", "rules tanh", "rules --needs REASSOC"),
    ),
    "passes": Command(
        "graphc.commands.passes", "list the passes, or say everything of one",
        ("passes", "passes simplify"),
    ),
    "bisect": Command(
        "graphc.commands.bisect", "find the pass, rule or kernel at fault for wrong results",
        ("bisect samples/xor.py", "bisect --out fault.py samples/xor.py"),
    ),
    "step": Command(
        "graphc.commands.step", "step through a script's runs, node by node",
        ("step samples/xor.py", "step samples/train_digits.py -- --epochs 1"),
    ),
    "report": Command(
        "graphc.commands.report", "write a page from the Python line to the assembly",
        (
            "report samples/mnist_cnn.py -- --steps 20",
            "report --run 3 --out step.html samples/rnn_digits.py -- --steps 20",
        ),
    ),
    "bench": Command(
        "graphc.commands.bench", "measure graphc beside its peers",
        ("bench --workloads mlp_train --backends graphc,jax",),
    ),
}  # fmt: skip


class Misuse(Exception):
    """The user asked for what there is not: one line on the error stream, status 2 (or another)."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def say(message: object) -> None:
    """A message of graphc's own on the error stream."""
    print(f"graphc: {message}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Errors are one line; examples keep their lines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        text = " ".join(message.split())
        self.exit(2, f"{self.prog}: {text} (--help says more)\n")


def _examples(commands: Sequence[Command]) -> str:
    return "\n".join(
        ["examples:", *(f"  python -m graphc {e}" for c in commands for e in c.examples)]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    parser = _Parser(
        "graphc", description="A compiler for static computation graphs.",
        epilog=_examples(list(COMMANDS.values())),
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    chosen: Any = None
    sub: _Parser | None = None
    for name, c in COMMANDS.items():
        if given[:1] != [name]:
            commands.add_parser(name, help=c.summary)
            continue
        chosen = importlib.import_module(c.module)
        if hasattr(chosen, "main"):
            return int(chosen.main(given[1:]))
        text = c.summary[0].upper() + c.summary[1:] + "."
        sub = commands.add_parser(name, help=c.summary, description=text, epilog=_examples([c]))
        chosen.arguments(sub)
    behind: list[str] = []
    if sub is not None and sub.get_default("scripted") and "--" in given[2:]:
        cut = given.index("--", 2)  # argparse would take it for its own end of options
        given, behind = given[:cut], given[cut + 1 :]
    args = parser.parse_args(given)
    if behind:
        args.args += ["--", *behind] if args.args else behind
    try:
        status = int(chosen.execute(args))
        sys.stdout.flush()
    except Misuse as e:
        say(e)
        return e.status
    except BrokenPipeError:  # the reader of the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return status
