"""Programs that ``import tensorflow`` run on graphc, in this process.

``python -m graphc run script.py`` does it for a script; in code, before anything imports
TensorFlow::

    from graphc import shim
    shim.install()

After that every spelling of an import of TensorFlow or of a part of it gives the part of graphc
that stands for it: ``import tensorflow.contrib.layers as layers``, ``from
tensorflow.python.framework import ops``, ``import tensorflow.compat.v1 as tf``. An installed
TensorFlow is not touched, and other processes do not notice.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from graphc.face.lazy import aliases

__all__ = ["install", "remove"]

_NONE = ModuleType("tensorboard.compat.notf")


_PROTO = "tensorboard.compat.proto"
#: Modules of messages that graphc has itself → where they are. Sessions take no others.
_OWN = {
    "protobuf.config_pb2": "graphc",
    "protobuf.rewriter_config_pb2": "graphc.face.config",
    "protobuf.tensorflow_server_pb2": "graphc.proto",
    "example.example_pb2": "graphc.proto",
    "example.feature_pb2": "graphc.proto",
}


class _Messages(ModuleType):
    """A module of messages of graphc's own, and beside them those of ``tensorboard``."""

    def __init__(self, part: str, own: str) -> None:
        super().__init__(f"graphc.messages.{part}")
        self._own = own

    def __getattr__(self, name: str) -> Any:
        last = self.__name__.rpartition(".")[2]
        if not name.startswith("_"):
            for module in (self._own, f"{_PROTO}.{last}"):
                try:
                    return getattr(importlib.import_module(module), name)
                except (ImportError, AttributeError):
                    continue
        raise AttributeError(f"module {last!r} has no attribute {name!r}")


class _Package(ModuleType):
    """A package of such modules; those that graphc lacks are the ones of ``tensorboard``."""

    def __init__(self, part: str) -> None:
        super().__init__(f"graphc.messages.{part}" if part else "graphc.messages")
        self.__path__: list[str] = []


def _modules() -> list[ModuleType]:
    parts = ("", "framework", "protobuf", "util", "example")
    return [*map(_Package, parts), *[_Messages(part, own) for part, own in _OWN.items()]]


_MODULES = {m.__name__: m for m in _modules()}
#: Modules of protocol messages; the package ``tensorboard`` carries those that are not ours.
_ALIASES = {"graphc.core." + n[16:]: n for n in _MODULES if n.count(".") == 2} | {
    n: _PROTO for n in _MODULES if n.count(".") == 2
}


class _SavedModel(ModuleType):
    """The one module of messages that the package ``tensorboard`` does not have."""

    def __getattr__(self, name: str) -> Any:
        if name != "SavedModel":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        from graphc.proto import message

        return message(name)


_SAVED = _SavedModel(f"{_PROTO}.saved_model_pb2")


def install(name: str = "tensorflow") -> None:
    """Let `name` and everything below it be imported from graphc.

    Parameters
    ----------
    name : str
        What programs import.

    Raises
    ------
    RuntimeError
        Another module of that name was imported before.
    """
    if aliases.get(name) == "graphc":
        return
    if name in sys.modules:
        raise RuntimeError(
            f"{name} is imported already ({getattr(sys.modules[name], '__file__', None)}): call "
            "graphc.shim.install() before anything imports it"
        )
    aliases.update(_ALIASES)
    for full, module in _MODULES.items():
        sys.modules.setdefault(full, module)
    aliases[name] = "graphc"
    # TensorBoard reads its files with TensorFlow's insides where there is a TensorFlow; this is
    # how it is told that there is none
    sys.modules.setdefault(_NONE.__name__, _NONE)
    sys.modules.setdefault(_SAVED.__name__, _SAVED)


def remove(name: str = "tensorflow") -> None:
    """Undo `install`: later imports of `name` find what is installed."""
    if aliases.get(name) != "graphc":
        return
    del aliases[name]
    for own in (_NONE, _SAVED):
        if sys.modules.get(own.__name__) is own:
            del sys.modules[own.__name__]
    for module in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
        del sys.modules[module]
