"""Running a user's script and watching what it compiles: for every command that takes a script."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from graphc.cli import Misuse, say

__all__ = [
    "Seen", "arguments", "check_run", "observed", "pick", "shown", "writable_file",
    "writable_folder",
]  # fmt: skip


class Seen(NamedTuple):
    """Something that a script compiled.

    Attributes
    ----------
    run : object
        The prepared run (`graphc.runtime.executor`).
    compilation : object
    elements : list
        What was fetched.
    number : int
        The how manieth compilation it is, from 0.
    """

    run: Any
    compilation: Any
    elements: list[Any]
    number: int

    @property
    def size(self) -> int:
        """How many operations it has, those inside of loops and conditions too.

        Not kernels: an initialiser has one for each variable, as a training step has.
        """
        from graphc.ops.control import nested

        g = self.compilation.frozen.graph
        return sum(len(inside.nodes()) for inside in (g, *nested(g)))


class _Behind(argparse.Action):
    """What stands behind the script is the script's, but for options of ours directly behind it.

    The first of another kind ends these, and one that is there already.
    """

    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        given, n = list(values), 0
        options = parser._option_string_actions
        while n < len(given):
            name, equals, _ = given[n].partition("=")
            option = options.get(name)
            if option is None or getattr(namespace, option.dest, None) != option.default:
                break
            n += 1 if equals or option.nargs == 0 else 2
            if n > len(given):
                parser.error(f"argument {name}: expected one argument")
        if n:
            parser.parse_args([*given[:n], namespace.script], namespace)
        namespace.args = given[n:]


def arguments(parser: argparse.ArgumentParser, what: str = "the Python file to run") -> None:
    """``--run``, the script and its own arguments, which are last."""
    parser.add_argument(
        "--run", type=int, default=None, metavar="N",
        help="only the N-th compilation (from 0; -1 is that of the most operations)",
    )  # fmt: skip
    parser.add_argument("script", help=what)
    parser.add_argument(
        "args", nargs=argparse.REMAINDER, action=_Behind,
        help="arguments of the script; -- before them where one is called as an option above",
    ).required = False  # fmt: skip
    parser.set_defaults(scripted=True)


# ------------------------------------------------------------------- before it runs


def check_run(script: str, number: int | None = None) -> None:
    """Refuse what ``--run`` never takes, and a script that is not there.

    Raises
    ------
    Misuse
    """
    if number is not None and number < -1:
        raise Misuse(f"--run takes a number from 0, or -1 for the largest, not {number}")
    if not Path(script).is_file():
        raise Misuse(f"there is no file {script!r}")


def writable_file(file: Path | None) -> None:
    """Refuse a file that could not be written later.

    Raises
    ------
    Misuse
    """
    if file is None:
        return
    parent = file.resolve().parent
    why = ""
    if file.is_dir():
        why = "it is a folder"
    elif not parent.is_dir():
        why = f"there is no folder {str(parent)!r}"
    elif not os.access(file if file.exists() else parent, os.W_OK):
        why = "permission denied"
    if why:
        raise Misuse(f"cannot write to {str(file)!r}: {why}")


def writable_folder(folder: Path | None) -> None:
    """Make a folder, or refuse one that cannot be written to.

    Raises
    ------
    Misuse
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError("permission denied")
    except OSError as e:
        raise Misuse(f"cannot write to {str(folder)!r}: {e.strerror or e}") from None


# ------------------------------------------------------------------- running it


def observed(
    script: str, given: list[str], failures: list[BaseException] | None = None
) -> tuple[int, list[Seen]]:
    """Run the script: its exit status, and everything it compiled, in order.

    An error in the script is printed, from the script on, and added to `failures`.

    Raises
    ------
    Misuse
        When there is no such file.
    """
    from graphc import shim
    from graphc.runtime import listeners

    check_run(script)
    if "tensorflow" not in sys.modules:
        shim.install()
    seen: list[Seen] = []

    def observer(run: Any, c: Any) -> None:
        seen.append(Seen(run, c, [*run.fetches, *run.targets], len(seen)))

    listeners.observers.append(observer)
    argv, path = sys.argv, list(sys.path)
    sys.argv = [script, *given]
    sys.path[0:0] = [str(Path(script).resolve().parent)]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as e:
        if e.code is None or isinstance(e.code, int):
            return e.code or 0, seen
        print(e.code, file=sys.stderr)
        return 1, seen
    except KeyboardInterrupt:
        say("interrupted; what was compiled so far follows")
        return 130, seen
    except BaseException as e:
        _explain(e, script)
        if failures is not None:
            failures.append(e)
        return 1, seen
    finally:
        sys.argv, sys.path = argv, path
        listeners.observers.remove(observer)
    return 0, seen


def pick(seen: list[Seen], number: int | None) -> list[Seen]:
    """The compilation that ``--run`` asks for; all of them without it.

    Raises
    ------
    Misuse
        When there is none, or none of this number.
    """
    if not seen:
        raise Misuse("the script compiled nothing", 1)
    if number is None:
        return seen
    if number == -1:
        return [max(seen, key=lambda s: s.size)]
    if number >= len(seen):
        raise Misuse(f"there is no compilation {number}: they are 0 to {len(seen) - 1}")
    return [seen[number]]


def _explain(e: BaseException, script: str) -> None:
    """The traceback of an error in the script, from the script on."""
    tb = e.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename != script:
        tb = tb.tb_next
    sys.stdout.flush()
    traceback.print_exception(type(e), e, tb)


def shown(text: str) -> None:
    """Print, whatever the terminal's encoding can show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
