"""tf.flags: the flags of ``absl-py`` where it is installed, as in TensorFlow, else graphc's own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["FLAGS", "HelpRequested"]


class HelpRequested(Exception):
    """The command line asks for the list of flags."""


class _Absl:
    """absl's flags, which read ``sys.argv`` when the first is asked for."""

    def __init__(self, wrapped: Any) -> None:
        self.__dict__["_wrapped"] = wrapped

    def __getattr__(self, name: str) -> Any:
        if not self._wrapped.is_parsed() and name in self._wrapped:
            self._wrapped(sys.argv)
        return getattr(self._wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._wrapped, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._wrapped, name)

    def __dir__(self) -> list[str]:
        return dir(self._wrapped)

    def __getitem__(self, name: str) -> Any:
        return self._wrapped[name]

    def __setitem__(self, name: str, flag: Any) -> None:
        self._wrapped[name] = flag

    def __contains__(self, name: str) -> bool:
        return name in self._wrapped

    def __iter__(self) -> Iterator[str]:
        return iter(self._wrapped)

    def __len__(self) -> int:
        return len(self._wrapped)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._wrapped(*args, **kwargs)


def _source() -> tuple[Any, Any]:
    """The module of flags and the object FLAGS."""
    if importlib.util.find_spec("absl") is not None:
        module = importlib.import_module("absl.flags")
        return module, _Absl(module.FLAGS)
    own = importlib.import_module("graphc.face.flags")
    return own, own.FLAGS


_module, FLAGS = _source()


def __getattr__(name: str) -> Any:
    if name.startswith("__") or not hasattr(_module, name):
        from graphc.face.lazy import namespace

        return namespace("flags", __name__)[0](name)
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_module)})
