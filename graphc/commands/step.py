"""``python -m graphc step``: a script's runs, node by node."""

from __future__ import annotations

import argparse
import sys

from graphc.commands import script

__all__ = ["arguments", "execute"]

_COMMANDS = """At the prompt: help lists the commands. The first are step, next, until NODE, run,
run -f has_inf_or_nan, print_tensor NAME[SLICE], list_tensors, node_info NODE, print_source, exit.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``step``."""
    parser.epilog = f"{parser.epilog}\n\n{_COMMANDS}"
    parser.add_argument("script", help="the Python file to run")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="arguments of the script")


def execute(args: argparse.Namespace) -> int:
    """Run the script; each run of a session asks what to do."""
    from graphc.see.shell import Shell
    from graphc.see.stepper import attached

    shell = Shell(None if sys.stdin.isatty() else sys.stdin)
    with attached(shell.debugger):
        status, _ = script.observed(args.script, args.args)
    return status
