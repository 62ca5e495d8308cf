"""``python -m graphc run``: a program that imports TensorFlow, on graphc."""

from __future__ import annotations

import importlib.machinery
import io
import json
import linecache
import os
import re
import runpy
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graphc import shim
from graphc.face.period import restore_old_names

__all__ = ["USAGE", "cells", "run"]

USAGE = """usage: python -m graphc run [--digits] (script.py | book.ipynb | -m module | -c code) ...

Run a program as python itself would, with graphc for every import of tensorflow and of its parts.

  script.py        sys.argv, sys.path, __main__, tracebacks and the exit status are python's
  book.ipynb       its code cells one after the other, without magics; figures are not shown
  -m module        a module or package, found as python finds it
  -c code          code given here
  --digits         where MNIST's files are missing, the digits of scikit-learn stand in for them

Names that NumPy, collections and time had in the days of TensorFlow 1 (np.float, time.clock) are
there again. MPLBACKEND=Agg keeps a script's plt.show() from waiting for somebody to look.
"""

#: Cell magics whose cell is Python all the same.
_PYTHON_CELLS = ("time", "timeit", "capture", "prun", "python3", "python")


def run(argv: Sequence[str]) -> int:
    """Run what `argv` says; its exit status, where it does not end by raising SystemExit."""
    args = list(argv)
    while args and args[0] == "--digits":
        os.environ["GRAPHC_MNIST"] = "digits"
        args.pop(0)
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if args else sys.stderr)
        return 0 if args else 2
    if args[0] in ("-m", "-c") and len(args) == 1:
        return _say(f"{args[0]} needs a {'module' if args[0] == '-m' else 'program'} behind it")
    if args[0].startswith("-") and args[0] not in ("-m", "-c"):
        return _say(f"there is no option {args[0]!r} (python -m graphc run --help)")
    shim.install()
    restore_old_names()
    if args[0] == "-m":
        sys.argv = args[1:]
        return _guarded(lambda: runpy.run_module(args[1], run_name="__main__", alter_sys=True))
    if args[0] == "-c":
        sys.argv = ["-c", *args[2:]]
        _set_path("")
        main = _main_module("__main__", None)
        return _guarded(lambda: exec(compile(args[1], "<string>", "exec"), main.__dict__))
    return _file(args)


def _file(args: list[str]) -> int:
    path = Path(args[0])
    if path.is_dir():
        path /= "__main__.py"
    try:
        source = path.read_bytes()
    except OSError as e:
        return _say(f"cannot open {args[0]!r}: {e.strerror or e}")
    sys.argv = args
    _set_path(str(path.resolve().parent) if path.name != "__main__.py" else args[0])
    main = _main_module(str(path), str(path))
    if path.suffix == ".ipynb":
        os.environ.setdefault("MPLBACKEND", "Agg")
        return _guarded(lambda: _notebook(source.decode("utf-8"), str(path), main.__dict__))
    return _guarded(lambda: exec(compile(source, str(path), "exec"), main.__dict__))


def _say(message: str) -> int:
    print(f"graphc: {message}", file=sys.stderr)
    return 2


def _set_path(first: str) -> None:
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = first


def _main_module(name: str, file: str | None) -> types.ModuleType:
    """A fresh ``__main__``."""
    main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    if file is not None:
        main.__file__ = file
        main.__loader__ = importlib.machinery.SourceFileLoader("__main__", file)
    main.__spec__ = None
    sys.modules["__main__"] = main
    return main


def _guarded(program: Callable[[], Any]) -> int:
    """Call the program; an error is shown from the program's first line on, as python does."""
    try:
        program()
    except SystemExit:
        raise
    except BaseException as e:
        tb = e.__traceback__
        while tb is not None and tb.tb_frame.f_globals.get("__name__") in (__name__, "runpy"):
            tb = tb.tb_next
        sys.stdout.flush()
        if sys.excepthook is sys.__excepthook__:  # it does not show the lines of notebooks
            traceback.print_exception(type(e), e, tb)
        else:
            sys.excepthook(type(e), e.with_traceback(tb), tb)
        if isinstance(e, SyntaxError) and "print" in (e.msg or ""):
            print("graphc: this is a Python 2 program; 2to3 translates it", file=sys.stderr)
        return 130 if isinstance(e, KeyboardInterrupt) else 1
    return 0


# --------------------------------------------------------------------------- notebooks


def cells(text: str) -> list[str]:
    """The Python of the code cells of a notebook, magics left out, one string for each cell.

    Lines keep their numbers. Reads notebook formats 3 and 4.
    """
    book = json.loads(text)
    found = book.get("cells")
    if found is None:
        found = [c for sheet in book.get("worksheets", []) for c in sheet.get("cells", [])]
    out = []
    for cell in found:
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        out.append(_without_magics("".join(source)))
    return out


def _without_magics(source: str) -> str:
    head = re.match(r"\s*%%(\w+)", source)
    if head and head[1] not in _PYTHON_CELLS:
        return ""
    lines, quoted = source.split("\n"), _inside_strings(source)
    for i, line in enumerate(lines):
        if i + 1 in quoted:
            continue
        indent = line[: len(line) - len(line.lstrip())]
        if re.match(r"\s*(%|!|\?)|.*\w\?{1,2}\s*$", line) and not line.lstrip().startswith("#"):
            if not _continues(lines, i):
                lines[i] = indent + "pass"
        elif re.match(r"\s*[\w, ]+=\s*[!%]\w", line):
            lines[i] = line[: line.index("=")] + "= None"
    return "\n".join(lines)


def _continues(lines: list[str], i: int) -> bool:
    """Whether line `i` goes on with an expression (``a = b \\`` or an open bracket before it)."""
    before = "\n".join(lines[:i])
    if before.rstrip(" \t").endswith("\\"):
        return True
    opened = sum(before.count(c) for c in "([{") - sum(before.count(c) for c in ")]}")
    return opened > 0 and lines[i].lstrip().startswith("%")


def _inside_strings(source: str) -> set[int]:
    """Numbers of lines that begin inside a string of several lines."""
    import tokenize

    out: set[int] = set()
    try:
        for t in tokenize.generate_tokens(io.StringIO(source).readline):
            if t.type == tokenize.STRING and t.end[0] > t.start[0]:
                out.update(range(t.start[0] + 1, t.end[0] + 1))
    except (tokenize.TokenError, SyntaxError):
        pass
    return out


class _Shell:
    """Stands for IPython's shell: whatever a program asks it for does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def _notebook(text: str, path: str, scope: dict[str, Any]) -> None:
    try:
        found = cells(text)
    except (ValueError, AttributeError) as e:
        raise SystemExit(f"graphc: {path!r} is not a notebook: {e}") from None
    scope.update(get_ipython=_Shell, display=print)
    for i, source in enumerate(found, 1):
        name = f"{path}, cell {i}"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        exec(compile(source, name, "exec"), scope)
