"""Public names that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from graphc.face.names import EXPORTS, NAMES, PACKAGES

__all__ = ["install", "namespace"]

_MISSING: Any = object()
#: Parts of graphc that are attributes of the package though TF1 has nothing of the name.
_PARTS = ("face", "ir", "ops", "passes", "runtime", "cli")


def _namespaces() -> dict[str, None]:
    """Every namespace of the table and what contains it, in order."""
    out: dict[str, None] = {}
    for path in [*EXPORTS, *[p.rpartition(".")[0] for p in NAMES], "compat.v1"]:
        parts = path.split(".") if path else []
        for i in range(len(parts)):
            out[".".join(parts[: i + 1])] = None
    return out


_SPACES = _namespaces()


def _load(module: str) -> Any:
    """A module, or None where graphc has none of that name (yet)."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is not None and module.startswith(e.name):
            return None
        raise


def _plain(value: Any) -> Any:
    """An op record as the function that users call."""
    call = getattr(value, "call", None)
    return call if call is not None and type(value).__name__ == "Op" else value


def _lookup(space: str, name: str) -> Any:
    path = f"{space}.{name}" if space else name
    target = NAMES.get(path)
    if target is not None:
        module, _, attribute = target.partition(":")
        found = _load(module)
        if found is None:
            return _MISSING
        return _plain(getattr(found, attribute, _MISSING)) if attribute else found
    if path in _SPACES:
        return sys.modules[f"graphc.{path}"]
    if name in _public(space):
        for module in EXPORTS.get(space, ()):
            found = _load(module)
            if found is not None and name in getattr(found, "__all__", ()):
                return _plain(found.__dict__.get(name, _MISSING))
    return _MISSING


def _public(space: str) -> list[str]:
    from graphc.face.tf1 import tf1_names  # read only when a name is looked up

    return tf1_names(space)


def _refusal(space: str, name: str) -> str:
    import difflib  # only for messages

    prefix = f"tf.{space}." if space else "tf."
    if name in _public(space):
        return f"graphc has no {prefix}{name} yet"
    text = f"{prefix}{name} is not a name of TensorFlow 1"
    for other in EXPORTS:
        if other != space and name in _public(other):
            return f"{text}; did you mean tf.{other}{'.' if other else ''}{name}?"
    known = dict.fromkeys([*_public(space), *_listed(space)])
    near = difflib.get_close_matches(name, known, 1, 0.6)
    return f"{text}; did you mean {prefix}{near[0]}?" if near else text


def _listed(space: str) -> Iterable[str]:
    prefix = f"{space}." if space else ""
    for path in [*NAMES, *_SPACES]:
        if path.startswith(prefix) and "." not in path[len(prefix) :]:
            yield path[len(prefix) :]


def namespace(space: str, module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for the module that is the namespace `space`."""

    def getattr_(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = _lookup(space, name)
        if value is _MISSING and not space and name in _PARTS:
            value = _load(f"graphc.{name}") or _MISSING
        if value is _MISSING:
            raise AttributeError(_refusal(space, name))
        setattr(sys.modules[module], name, value)
        return value

    def dir_() -> list[str]:
        found = [n for n in _public(space) if _lookup(space, n) is not _MISSING]
        return sorted({*vars(sys.modules[module]), *_listed(space), *found})

    return getattr_, dir_


class _Namespace(types.ModuleType):
    """A namespace of TF1 that is no package of graphc."""


def install(root: types.ModuleType) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the namespaces, importable as modules, and give the hooks of `root` itself."""
    for space in PACKAGES:
        importlib.import_module(f"graphc.{space}")
    for space in _SPACES:
        if space in PACKAGES:
            continue
        module: types.ModuleType = root
        if space != "compat.v1":
            name = f"graphc.{space}"
            module = _Namespace(name)
            module.__path__ = []
            hooks = namespace(space, name)
            module.__getattr__, module.__dir__ = hooks  # type: ignore[method-assign]
        sys.modules[f"graphc.{space}"] = module
        outer, _, last = space.rpartition(".")
        if outer:
            setattr(sys.modules[f"graphc.{outer}"], last, module)
    return namespace("", root.__name__)
