"""Files that are there whole or not at all: replaced in one step, and on disk before that."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
from collections.abc import Iterator
from typing import IO

from graphc.errors import system_errors

__all__ = ["exclusive", "link", "remove_stale", "replace", "replacing", "sync_folder"]

#: What names of unfinished files end in: ``path.process-number.graphc-tmp``.
TEMPORARY = ".graphc-tmp"

_numbers = itertools.count()
#: Those that this process is writing.
_writing: set[str] = set()


@contextlib.contextmanager
def _unfinished(path: str) -> Iterator[str]:
    """A name for what will be `path`, which no other thread or process has."""
    made = f"{path}.{os.getpid()}-{next(_numbers)}{TEMPORARY}"
    _writing.add(os.path.basename(made))
    try:
        yield made
    finally:
        _writing.discard(os.path.basename(made))


def _is_left(path: str) -> bool:
    """Whether nobody writes an unfinished file any more: no living process, no thread of ours."""
    name = os.path.basename(path)
    maker = name.removesuffix(TEMPORARY).rpartition(".")[2].partition("-")[0]
    if not maker.isdigit() or int(maker) == os.getpid():
        return name not in _writing
    try:
        os.kill(int(maker), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it lives, and is somebody else's
        pass
    return False


@contextlib.contextmanager
def exclusive(folder: str) -> Iterator[None]:
    """Nobody else of ours writes a checkpoint there meanwhile; what dead processes left is removed.

    The lock is on the folder itself, so nothing is left behind. Where the system has no such locks
    (Windows) there is none.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover
        yield
        return
    with system_errors(folder):
        fd = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        for path in glob.glob(os.path.join(glob.escape(folder), "*" + TEMPORARY)):
            if _is_left(path):
                with contextlib.suppress(OSError):
                    os.remove(path)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when the block ends without an error.

    Raises
    ------
    OpError
        TensorFlow's for what the system says: `ResourceExhaustedError` on a full disk.
    """
    with system_errors(path), _unfinished(path) as temporary:
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
    with _unfinished(new) as temporary:
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
