"""Which line of the user's recorded a node."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable
from types import CodeType
from typing import Any

from graphc.ir.node import Source

__all__ = ["source_text", "user_source"]

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_INSIDE = tuple(
    prefix + os.sep
    for part in ("graphc", "passes", "runtime")
    for prefix in {os.path.join(_ROOT, part), os.path.realpath(os.path.join(_ROOT, part))}
)
#: For a file name, whether it is the user's.
_outside: dict[str, bool] = {}
#: The source of a code position; the code object is kept so that its id stays its own.
_sources: dict[tuple[int, int], tuple[CodeType, tuple[Source, ...]]] = {}
_getframe = sys._getframe


def _classify(filename: str) -> bool:
    helper = filename.endswith((f"{os.sep}contextlib.py", f"{os.sep}functools.py"))
    mine = helper or filename.startswith(_INSIDE)
    _outside[filename] = not mine
    return not mine


def user_source(depth: int = 2) -> tuple[Source, ...]:
    """The innermost position on the stack that is outside graphc, as a tuple of at most one."""
    frame: Any = _getframe(depth)
    known = _outside.get
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        outside = known(name)
        if outside is None:
            outside = _classify(name)
        if outside:
            key = (id(code), frame.f_lasti)
            found = _sources.get(key)
            if found is None:
                if len(_sources) > 100_000:
                    _sources.clear()
                function = getattr(code, "co_qualname", code.co_name)
                found = _sources[key] = (code, (Source(name, frame.f_lineno, function),))
            return found[1]
        frame = frame.f_back
    return ()


def source_text(source: Iterable[Source]) -> str:
    """The user's lines as a traceback shows them, each on a line of its own, or ''."""
    out = []
    for s in source:
        line = linecache.getline(s.file, s.line).strip()
        out.append(f'\n  File "{s.file}", line {s.line}, in {s.function}')
        if line:
            out.append(f"\n    {line}")
    return "".join(out)
