"""Exceptions: TensorFlow 1's error classes, and those of the compiler.

A message has at most twelve lines: what is wrong, both sides by name, the user's line.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

#: Numbers of status codes, by name.
CODES = {
    "OK": 0, "CANCELLED": 1, "UNKNOWN": 2, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9, "ABORTED": 10, "OUT_OF_RANGE": 11, "UNIMPLEMENTED": 12,
    "INTERNAL": 13, "UNAVAILABLE": 14, "DATA_LOSS": 15, "UNAUTHENTICATED": 16,
}  # fmt: skip
globals().update(CODES)

__all__ = [
    *CODES,
    "error_code_from_exception_type", "exception_type_from_error_code",
    "raise_exception_on_not_ok_status",
    "AbortedError", "AlreadyExistsError", "CancelledError", "CompileError", "DataLossError",
    "DeadlineExceededError", "FailedPreconditionError", "InternalError", "InvalidArgumentError",
    "NotFoundError", "OpError", "OutOfRangeError", "ParseError", "PermissionDeniedError",
    "ResourceExhaustedError", "UnauthenticatedError", "UnavailableError", "UnimplementedError",
    "UnknownError", "VerifyError",
]  # fmt: skip


class OpError(Exception):
    """A run failed in an op.

    Attributes
    ----------
    op : Operation or None
        The op that failed, where known.
    node_def : object or None
    message : str
    error_code : int
        The number of the status code.
    """

    code = 2

    def __init__(self, node_def: Any, op: Any, message: str, error_code: int | None = None) -> None:
        super().__init__(message)
        self._node_def = node_def
        self._op = op
        self._message = message
        self._error_code = self.code if error_code is None else error_code

    @property
    def message(self) -> str:
        return self._message

    @property
    def op(self) -> Any:
        return self._op

    @property
    def node_def(self) -> Any:
        return self._node_def

    @property
    def error_code(self) -> int:
        return self._error_code

    def __str__(self) -> str:
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._message)


def _rebuild(cls: type[OpError], message: str) -> OpError:
    return cls(None, None, message)


def _status(name: str, number: int, doc: str) -> type[OpError]:
    return type(name, (OpError,), {"code": number, "__doc__": doc, "__module__": __name__})


CancelledError = _status("CancelledError", 1, "An operation was cancelled.")
UnknownError = _status("UnknownError", 2, "Unknown error.")
InvalidArgumentError = _status("InvalidArgumentError", 3, "An operation got an invalid argument.")
DeadlineExceededError = _status("DeadlineExceededError", 4, "A deadline passed.")
NotFoundError = _status("NotFoundError", 5, "A requested entity was not found.")
AlreadyExistsError = _status("AlreadyExistsError", 6, "An entity already exists.")
PermissionDeniedError = _status("PermissionDeniedError", 7, "The caller may not do this.")
ResourceExhaustedError = _status("ResourceExhaustedError", 8, "Memory or another resource ran out.")
FailedPreconditionError = _status(
    "FailedPreconditionError", 9, "The system is not in the state the operation needs."
)
AbortedError = _status("AbortedError", 10, "An operation was aborted.")
OutOfRangeError = _status("OutOfRangeError", 11, "An iteration went past its valid range.")
UnimplementedError = _status("UnimplementedError", 12, "An operation is not implemented.")
InternalError = _status("InternalError", 13, "An invariant of the system broke.")
UnavailableError = _status("UnavailableError", 14, "The runtime is unavailable.")
DataLossError = _status("DataLossError", 15, "Data is lost or damaged.")
UnauthenticatedError = _status("UnauthenticatedError", 16, "The caller is not authenticated.")


#: Numbers of the system's errors by the status TensorFlow gives them; all others are unknown.
_OF_SYSTEM: dict[type[OpError], str] = {
    InvalidArgumentError: "EINVAL ENAMETOOLONG E2BIG EDESTADDRREQ EDOM EFAULT EILSEQ ESPIPE ENOTTY",
    DeadlineExceededError: "ETIMEDOUT",
    NotFoundError: "ENOENT ENODEV ENXIO ESRCH",
    AlreadyExistsError: "EEXIST EALREADY",
    PermissionDeniedError: "EPERM EACCES EROFS",
    FailedPreconditionError: "ENOTEMPTY EISDIR ENOTDIR EBADF EBUSY ECHILD EPIPE ETXTBSY",
    ResourceExhaustedError: "ENOSPC EDQUOT EMFILE EMLINK ENFILE ENOBUFS ENOMEM",
    OutOfRangeError: "EFBIG EOVERFLOW ERANGE",
    UnimplementedError: "ENOSYS ENOTSUP EXDEV",
    UnavailableError: "EAGAIN ECONNREFUSED ECONNABORTED ECONNRESET EINTR ENOLCK",
    AbortedError: "EDEADLK ESTALE",
}


@contextlib.contextmanager
def system_errors(path: str) -> Iterator[None]:
    """Errors of the system in what is done with the file `path` become TensorFlow's."""
    try:
        yield
    except OSError as e:
        name = errno.errorcode.get(e.errno or 0, "")
        kinds = (c for c, names in _OF_SYSTEM.items() if name in names.split())
        text = f"{path}; {os.strerror(e.errno) if e.errno else e}"
        raise next(kinds, UnknownError)(None, None, text) from None


def exception_type_from_error_code(error_code: int) -> type[OpError]:
    """The class of a status code's number."""
    return next(c for c in OpError.__subclasses__() if c.code == error_code)


def error_code_from_exception_type(cls: type[OpError]) -> int:
    """The number of the status code of a class."""
    return cls.code


@contextlib.contextmanager
def raise_exception_on_not_ok_status() -> Iterator[Any]:
    """Accepted: errors of graphc are raised where they happen."""
    yield None


class CompileError(RuntimeError):
    """The compiler failed: a fault of graphc, not of the program it compiled."""


class VerifyError(CompileError):
    """A pass left a graph whose recorded types are not those its ops infer."""


class ParseError(ValueError):
    """IR text that does not parse: `line`, `column` (from 1), `message`; printed with a caret."""

    def __init__(self, message: str, text: str, line: int, column: int) -> None:
        self.message, self.line, self.column = message, line, column
        lines = text.splitlines()
        source = lines[line - 1].replace("\t", " ") if 0 < line <= len(lines) else ""
        if len(source) > 160:  # a long line is shown around the place
            start = max(0, column - 80)
            source, column = source[start : start + 160], column - start
        caret = " " * (column - 1) + "^"
        super().__init__(
            f"line {self.line}, column {self.column}: {message}\n  {source}\n  {caret}"
        )
