"""Files that are there whole or not at all: replaced in one step, and on disk before that."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from typing import IO

__all__ = ["exclusive", "link", "remove_stale", "replace", "replacing", "sync_folder"]

#: What names of unfinished files end in.
TEMPORARY = ".graphc-tmp"


@contextlib.contextmanager
def exclusive(folder: str) -> Iterator[None]:
    """No other process of ours writes into `folder` meanwhile; what dead ones left is removed.

    The lock is on the folder itself, so nothing is left behind. Where the system has no such locks
    (Windows) there is none.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover
        yield
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        for path in glob.glob(os.path.join(glob.escape(folder), "*" + TEMPORARY)):
            with contextlib.suppress(OSError):
                os.remove(path)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when the block ends without an error."""
    temporary = f"{path}.{os.getpid()}{TEMPORARY}"
    try:
        with open(temporary, "wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
    sync_folder(os.path.dirname(path) or ".")


def replace(path: str, data: bytes) -> None:
    """Write a file whole, in place of the one there is."""
    with replacing(path) as f:
        f.write(data)


def link(old: str, new: str) -> bool:
    """Give `old` the name `new` too, in place of what has it; False where links do not exist."""
    temporary = f"{new}.{os.getpid()}{TEMPORARY}"
    try:
        os.link(old, temporary)
        os.replace(temporary, new)
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        return False
    sync_folder(os.path.dirname(new) or ".")
    return True


def remove_stale(prefix: str, keep: str) -> None:
    """Remove data files of `prefix` other than `keep`."""
    for path in glob.glob(glob.escape(prefix) + ".data-*-of-*"):
        if path != keep:
            with contextlib.suppress(OSError):
                os.remove(path)


def sync_folder(folder: str) -> None:
    """Wait until the names in `folder` are on disk."""
    if os.name == "nt":  # pragma: no cover
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)
