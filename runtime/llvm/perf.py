"""Names for compiled kernels in sampling profilers: a map file, where ``GRAPHC_PERF`` asks for it.

``GRAPHC_PERF=1`` has each process write ``/tmp/perf-<pid>.map``, where perf and its kin look for
the names of code that no file holds::

    GRAPHC_PERF=1 perf record -g python train.py
    perf report

Another value is the folder to write to instead. Lines are ``address size name`` in hexadecimal,
appended in whole by one write each; a file that is another user's, a link, or no plain file is left
alone. What goes wrong is said once, and the program goes on.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import weakref
from typing import Any

__all__ = ["note", "wanted"]


class _Map:
    """What was written by this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lines: list[str] = []
        self.known: weakref.WeakSet[Any] = weakref.WeakSet()
        self.failed = False
        self.watching = False


_map = _Map()


def wanted() -> bool:
    """Whether the map file is asked for."""
    return os.environ.get("GRAPHC_PERF", "0") not in ("", "0") and not _map.failed


def path() -> str:
    """The map file of this process."""
    asked = os.environ.get("GRAPHC_PERF", "1")
    return os.path.join("/tmp" if asked == "1" else asked, f"perf-{os.getpid()}.map")


def note(code: Any, name: str) -> None:
    """Write where the functions of `code` (a `native_code.Compiled`) are, under a name; once each.

    Nothing is raised.
    """
    with _map.lock:
        if code in _map.known or _map.failed:
            return
        _map.known.add(code)
        safe = re.sub(r"[^\w.,:+()/-]", "_", name)
        made = [
            f"{address:x} {size:x} graphc:{safe}" + (f":{f}" if f != "kernel" else "") + "\n"
            for f, address, size in code.extents()
        ]
        _map.lines += made
        if not _map.watching and hasattr(os, "register_at_fork"):
            _map.watching = True
            os.register_at_fork(after_in_child=_forked)
        _write(made)


def _forked() -> None:
    """A child has the same code, and a file of its own."""
    _map.lock = threading.Lock()
    if wanted():
        _write(_map.lines)


def _write(lines: list[str]) -> None:
    where = path()
    try:
        _append(where, "".join(lines).encode())
    except OSError as e:
        _map.failed = True
        print(
            f"graphc: GRAPHC_PERF: profilers will not know the names of kernels: cannot write "
            f"{where!r}: {e.strerror or e}",
            file=sys.stderr,
        )


def _append(where: str, data: bytes) -> None:
    """Add `data` to a file of ours.

    Raises
    ------
    OSError
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    fd = os.open(where, flags, 0o600)
    try:
        s = os.fstat(fd)
        if not stat.S_ISREG(s.st_mode) or s.st_nlink != 1:
            raise OSError(0, "it is there and no plain file")
        if hasattr(os, "geteuid") and s.st_uid != os.geteuid():
            raise OSError(0, "it is another user's")
        if os.write(fd, data) != len(data):
            raise OSError(0, "the disk is full")
    finally:
        os.close(fd)
