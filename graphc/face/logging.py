"""``tf.logging``: messages on the logger ``"tensorflow"``."""

from __future__ import annotations

import logging as _logging
import sys
from typing import Any

__all__ = [
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "WARN",
    "TaskLevelStatusMessage",
    "debug",
    "error",
    "fatal",
    "flush",
    "get_verbosity",
    "info",
    "log",
    "log_every_n",
    "log_first_n",
    "log_if",
    "set_verbosity",
    "vlog",
    "warn",
    "warning",
]  # fmt: skip

DEBUG = _logging.DEBUG
INFO = _logging.INFO
WARN = _logging.WARN
ERROR = _logging.ERROR
FATAL = _logging.FATAL

_LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARN": WARN, "ERROR": ERROR, "FATAL": FATAL}
_counts: dict[str, int] = {}


class _Stderr(_logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what is ``sys.stderr`` at the time."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_logging.Formatter("%(levelname)s:%(name)s:%(message)s"))

    def emit(self, record: _logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _make() -> _logging.Logger:
    logger = _logging.getLogger("tensorflow")
    if logger.level == _logging.NOTSET:
        logger.setLevel(WARN)
    if not logger.handlers and not _logging.getLogger().handlers:
        logger.addHandler(_Stderr())
        logger.propagate = False
    return logger


_logger = _make()


def get_verbosity() -> int:
    """The level below which messages are dropped."""
    return _logger.getEffectiveLevel()


def set_verbosity(v: int | str) -> None:
    """Drop messages below level `v`."""
    _logger.setLevel(_LEVELS.get(v, v) if isinstance(v, str) else v)


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at `level`."""
    _logger.log(level, msg, *args, **kwargs)


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at level DEBUG."""
    _logger.debug(msg, *args, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at level INFO."""
    _logger.info(msg, *args, **kwargs)


def warning(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at level WARN."""
    _logger.warning(msg, *args, **kwargs)


warn = warning


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at level ERROR."""
    _logger.error(msg, *args, **kwargs)


def fatal(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at level FATAL (the program goes on)."""
    _logger.critical(msg, *args, **kwargs)


def vlog(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message at a C++ verbosity `level`: 0 is INFO, higher ones are DEBUG."""
    _logger.log(INFO if level <= 0 else DEBUG, msg, *args, **kwargs)


def _count(msg: Any) -> int:
    _counts[str(msg)] = n = _counts.get(str(msg), 0) + 1
    return n - 1


def log_every_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Write the first and then every `n`-th of these messages."""
    log_if(level, msg, _count(msg) % n == 0, *args)


def log_first_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Write the first `n` of these messages."""
    log_if(level, msg, _count(msg) < n, *args)


def log_if(level: int, msg: Any, condition: Any, *args: Any) -> None:
    """Write a message when `condition` holds."""
    if condition:
        _logger.log(level, msg, *args)


def flush() -> None:
    """Write what is buffered."""
    for h in _logger.handlers:
        h.flush()


def TaskLevelStatusMessage(msg: Any) -> None:
    """Write a message at level ERROR."""
    _logger.error(msg)
