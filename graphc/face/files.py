"""Files and folders as ``tf.gfile`` and ``tf.io.gfile`` have them, with TensorFlow's errors."""

from __future__ import annotations

import glob as _glob
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc import errors

__all__ = [
    "Copy", "DeleteRecursively", "Exists", "FastGFile", "FileStatistics", "GFile", "Glob",
    "IsDirectory", "ListDirectory", "MakeDirs", "MkDir", "Open", "Remove", "Rename", "Stat", "Walk",
    "copy", "exists", "glob", "isdir", "listdir", "makedirs", "mkdir", "read_file_to_string",
    "remove", "rename", "rmtree", "stat", "walk", "write_string_to_file",
]  # fmt: skip


def _path(path: Any) -> str:
    if isinstance(path, bytes):
        return path.decode()
    found = os.fspath(path)
    return found if isinstance(found, str) else found.decode()


_MODES = ("r", "w", "a", "r+", "w+", "a+")


class GFile:
    """A file, opened when it is first used.

    Parameters
    ----------
    name : path
    mode : str
        ``r``, ``w``, ``a``, with ``+`` for both ways and ``b`` for bytes in place of text.
    """

    def __init__(self, name: Any, mode: str = "r") -> None:
        plain = mode.replace("b", "")
        if plain not in _MODES:
            raise errors.InvalidArgumentError(
                None, None, "mode is not 'r' or 'w' or 'a' or 'r+' or 'w+' or 'a+'"
            )
        self._name, self._mode, self._binary = name, mode, "b" in mode
        self._file: Any = None
        self._reads = plain == "r" or "+" in plain
        self._writes = plain != "r"

    @property
    def name(self) -> Any:
        """The path as it was given."""
        return self._name

    @property
    def mode(self) -> str:
        """The mode as it was given."""
        return self._mode

    def _opened(self) -> Any:
        if self._file is None:
            with errors.system_errors(_path(self._name)):
                self._file = open(_path(self._name), self._mode.replace("b", "") + "b")
        return self._file

    def _read_from(self) -> Any:
        if not self._reads:
            raise errors.PermissionDeniedError(None, None, "File isn't open for reading")
        return self._opened()

    def _out(self, data: bytes) -> Any:
        return data if self._binary else data.decode("utf-8")

    def read(self, n: int = -1) -> Any:
        """The next `n` bytes, or all that is left."""
        with errors.system_errors(_path(self._name)):
            return self._out(self._read_from().read(n))

    def readline(self) -> Any:
        """The next line with its end; empty at the end of the file."""
        return self._out(self._read_from().readline())

    def readlines(self) -> list[Any]:
        """The lines that are left."""
        return list(self)

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        """Go to a place in the file."""
        where = offset if offset is not None else position
        if where is None:
            raise TypeError("seek(): offset argument required")
        if whence not in (0, 1, 2):
            raise errors.InvalidArgumentError(
                None, None, f"Invalid whence argument: {whence}. Valid values are 0, 1, or 2."
            )
        self._read_from().seek(where, whence)

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place in the file."""
        return int(self._opened().tell())

    def size(self) -> int:
        """The number of bytes in the file."""
        return stat(self._name).length

    def write(self, file_content: str | bytes) -> None:
        """Append text or bytes at the place."""
        if not self._writes:
            raise errors.PermissionDeniedError(None, None, "File isn't open for writing")
        data = file_content if isinstance(file_content, bytes) else file_content.encode("utf-8")
        with errors.system_errors(_path(self._name)):
            self._opened().write(data)

    def flush(self) -> None:
        """Hand what was written to the system."""
        if self._file is not None:
            with errors.system_errors(_path(self._name)):
                self._file.flush()

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._file is not None:
            with errors.system_errors(_path(self._name)):
                self._file.close()
            self._file = None

    def next(self) -> Any:
        """The next line."""
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    __next__ = next

    def __iter__(self) -> Iterator[Any]:
        return self

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._file.close()


FastGFile = Open = GFile


class FileStatistics:
    """Size, time of the last change, and whether it is a folder."""

    def __init__(self, length: int, mtime_nsec: int, is_directory: bool) -> None:
        self.length, self.mtime_nsec, self.is_directory = length, mtime_nsec, is_directory


# --------------------------------------------------------------------- tf.io.gfile


def exists(path: Any) -> bool:
    """Whether there is such a file or folder."""
    return os.path.exists(_path(path))


def isdir(path: Any) -> bool:
    """Whether there is such a folder."""
    return os.path.isdir(_path(path))


def glob(pattern: Any) -> list[str]:
    """Paths that match a pattern, or any of several."""
    if isinstance(pattern, (str, bytes, os.PathLike)):
        pattern = [pattern]
    return [p for one in pattern for p in sorted(_glob.glob(_path(one)))]


def listdir(path: Any) -> list[str]:
    """Names of what is in a folder."""
    if not isdir(path):
        raise errors.NotFoundError(None, None, f"Could not find directory {_path(path)}")
    with errors.system_errors(_path(path)):
        return os.listdir(_path(path))


def mkdir(path: Any) -> None:
    """Make a folder in a folder that exists."""
    with errors.system_errors(_path(path)):
        os.mkdir(_path(path))


def makedirs(path: Any) -> None:
    """Make a folder and all it is in; one that exists is left alone."""
    with errors.system_errors(_path(path)):
        os.makedirs(_path(path), exist_ok=True)


def remove(path: Any) -> None:
    """Delete a file."""
    with errors.system_errors(_path(path)):
        os.remove(_path(path))


def rmtree(path: Any) -> None:
    """Delete a folder and everything in it."""
    if not exists(path):
        raise errors.NotFoundError(None, None, f"{_path(path)} not found")
    with errors.system_errors(_path(path)):
        shutil.rmtree(_path(path))


def _free(path: Any, overwrite: bool) -> None:
    if not overwrite and os.path.isfile(_path(path)):
        raise errors.AlreadyExistsError(None, None, "file already exists")


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copy a file; where `dst` exists only with `overwrite`."""
    if not exists(src):
        raise errors.NotFoundError(None, None, f"{_path(src)}; No such file or directory")
    _free(dst, overwrite)
    with errors.system_errors(_path(src)):
        shutil.copyfile(_path(src), _path(dst))


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Move a file; where `dst` exists only with `overwrite`."""
    _free(dst, overwrite)
    with errors.system_errors(_path(src)):
        os.replace(_path(src), _path(dst))


def stat(path: Any) -> FileStatistics:
    """Size and time of a file."""
    with errors.system_errors(_path(path)):
        s = os.stat(_path(path))
    return FileStatistics(s.st_size, s.st_mtime_ns, os.path.isdir(_path(path)))


def walk(
    top: Any, topdown: bool = True, onerror: Callable[[Any], Any] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, its folders, its files) of a folder and of all below it."""
    return os.walk(_path(top), topdown, onerror)


# ----------------------------------------------------------- tf.gfile: the older names


def Copy(oldpath: Any, newpath: Any, overwrite: bool = False) -> None:
    """Copy a file; where `newpath` exists only with `overwrite`."""
    copy(oldpath, newpath, overwrite)


def DeleteRecursively(dirname: Any) -> None:
    """Delete a folder and everything in it."""
    rmtree(dirname)


def Exists(filename: Any) -> bool:
    """Whether there is such a file or folder."""
    return exists(filename)


def Glob(filename: Any) -> list[str]:
    """Paths that match a pattern, or any of several."""
    return glob(filename)


def IsDirectory(dirname: Any) -> bool:
    """Whether there is such a folder."""
    return isdir(dirname)


def ListDirectory(dirname: Any) -> list[str]:
    """Names of what is in a folder."""
    return listdir(dirname)


def MakeDirs(dirname: Any) -> None:
    """Make a folder and all it is in; one that exists is left alone."""
    makedirs(dirname)


def MkDir(dirname: Any) -> None:
    """Make a folder in a folder that exists."""
    mkdir(dirname)


def Remove(filename: Any) -> None:
    """Delete a file."""
    remove(filename)


def Rename(oldname: Any, newname: Any, overwrite: bool = False) -> None:
    """Move a file; where `newname` exists only with `overwrite`."""
    rename(oldname, newname, overwrite)


def Stat(filename: Any) -> FileStatistics:
    """Size and time of a file."""
    return stat(filename)


def Walk(top: Any, in_order: bool = True) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """(folder, its folders, its files) of a folder and of all below it."""
    return walk(top, in_order)


def read_file_to_string(filename: Any, binary_mode: bool = False) -> Any:
    """What is in a file."""
    with GFile(filename, "rb" if binary_mode else "r") as f:
        return f.read()


def write_string_to_file(filename: Any, file_content: str | bytes) -> None:
    """Make a file of a text."""
    with GFile(filename, "w") as f:
        f.write(file_content)
