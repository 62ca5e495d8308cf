"""tf.app: `run` calls a program's ``main`` with the command line that is left after flags."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from graphc import flags

__all__ = ["flags", "run"]


def run(
    main: Callable[[list[str]], Any] | None = None, argv: Sequence[str] | None = None
) -> NoReturn:
    """Read the flags, call ``main(argv)`` and end the process with its result.

    Parameters
    ----------
    main : callable, optional
        By default ``main`` of the script.
    argv : sequence of str, optional
        By default ``sys.argv``. Flags that nobody defined are left to `main`.
    """
    given = list(sys.argv if argv is None else argv)
    if main is None:
        main = sys.modules["__main__"].main
    asked = {"-h", "--help", "-help", "--helpfull", "--helpshort"} & set(given[1:])
    if asked and not any(a.lstrip("-") in flags.FLAGS for a in asked):
        text = sys.modules["__main__"].__doc__ or f"\nUSAGE: {given[0]} [flags]\n"
        print(f"{text}\nflags:\n\n{flags.FLAGS.get_help()}")
        sys.exit(1)
    try:
        rest = flags.FLAGS(given, known_only=True)
    except flags.Error as e:
        print(f"FATAL Flags parsing error: {e}", file=sys.stderr)
        print("Pass --helpshort or --helpfull to see help on flags.", file=sys.stderr)
        sys.exit(1)
    sys.exit(main(rest))
