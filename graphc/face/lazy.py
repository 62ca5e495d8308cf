"""Public names and namespaces that are imported when they are first asked for.

A namespace of TF1 (``tf.contrib.layers``) is a module. Where graphc has a package or module of that
path (``graphc/contrib/layers/__init__.py``), that is it: its own names come first, and what it does
not define is looked up in the tables of `graphc.face.names`. Otherwise an empty module stands for
it. Either way ``import graphc.contrib.layers`` works, and nothing is imported before it is used.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.face.composite import dispatched
from graphc.face.names import BORROWED, EXPORTS, NAMES, PRIVATE
from graphc.face.v2_names import DIFFERENT

__all__ = ["aliases", "alternatives", "install", "lookup", "namespace", "spaces"]

_MISSING: Any = object()
#: Parts of graphc that are attributes of the package though TF1 has nothing of the name.
_PARTS = ("face", "ir", "ops", "passes", "runtime", "cli", "shim")
_ROOT = "graphc"
#: First part of a module's full name → what stands in its place. `graphc.shim` adds TensorFlow.
aliases: dict[str, str] = {f"{_ROOT}.compat.v1": _ROOT}


@functools.cache
def spaces() -> frozenset[str]:
    """Every namespace of the tables, and what contains it."""
    from graphc.face.tf1 import TF1
    from graphc.face.tf1_more import MORE

    out: set[str] = set()
    inner = (p.rpartition(".")[0] for p in NAMES)
    for path in [*EXPORTS, *BORROWED, *TF1, *MORE, *PRIVATE, *inner, "compat.v1"]:
        while path and path not in out:
            out.add(path)
            path = path.rpartition(".")[0]
    return frozenset(out)


def _private(space: str) -> tuple[str, ...]:
    """Whose names a module inside TensorFlow has that no table knows; nothing for no module."""
    parts = space.split(".")
    if parts[0] == "contrib" and parts[2:3] == ["python"] and len(parts) < 6:
        return f"contrib.{parts[1]}", ""
    return ("",) if space.rpartition(".")[0] in PRIVATE else ()


def _load(module: str) -> Any:
    """A module, or None where graphc has none of that name (yet)."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is not None and (module + ".").startswith(e.name + "."):
            return None
        raise


def _plain(value: Any) -> Any:
    """An op record as the function that users call."""
    call = getattr(value, "call", None)
    if call is None or type(value).__name__ != "Op":
        return dispatched(value)
    call.__doc__ = call.__doc__ or value.doc
    return dispatched(call)


def lookup(space: str, name: str, default: Any = None) -> Any:
    """What the tables say is `name` in the namespace `space`, or `default`."""
    found = _lookup(space, name)
    return default if found is _MISSING else found


def _lookup(space: str, name: str) -> Any:
    path = f"{space}.{name}" if space else name
    if path in DIFFERENT:
        return _MISSING
    target = NAMES.get(path)
    if target is not None:
        module, _, attribute = target.partition(":")
        found = _load(module)
        if found is None:
            return _MISSING
        return _plain(getattr(found, attribute, _MISSING)) if attribute else found
    if path in spaces():
        return importlib.import_module(f"{_ROOT}.{path}")
    if name in _public(space):
        for module in EXPORTS.get(space, ()):
            found = _load(module)
            if found is not None and name in found.__dict__.get("__all__", ()):
                return _plain(found.__dict__.get(name, _MISSING))
    public = _public(space)
    others = () if public and name not in public else BORROWED.get(space) or _private(space)
    for other in others:
        module_ = sys.modules[_ROOT] if not other else importlib.import_module(f"{_ROOT}.{other}")
        value = module_.__dict__.get(name, _MISSING)
        if value is _MISSING or name.startswith("_"):
            value = _lookup(other, name)
        if value is not _MISSING:
            return value
    in_package = space.startswith("contrib.") and space.count(".") == 3  # its modules are its own
    return _sibling(name) if _private(space) and not in_package else _MISSING


def _sibling(name: str) -> Any:
    """Modules inside TensorFlow import each other: ``rnn.array_ops`` is a module."""
    for package in sorted(PRIVATE):
        if f"{package}.{name}" in spaces():
            return importlib.import_module(f"{_ROOT}.{package}.{name}")
    return _MISSING


def _public(space: str) -> Sequence[str]:
    from graphc.face.tf1 import tf1_names  # read only when a name is looked up

    return tf1_names(space)


def _refusal(space: str, name: str) -> str:
    prefix = f"tf.{space}." if space else "tf."
    if name.startswith("_"):  # of tools that look at modules: many, and no word of a user's
        return f"{prefix}{name} is not a name of TensorFlow 1"
    if name in _public(space):
        text = f"graphc has no {prefix}{name} yet"
        near = alternatives(space, name)
        if near:
            text += "; of what it has, these are nearest: " + ", ".join(near)
        return text + " (tf.py_func runs any Python function in a graph)"
    text = f"{prefix}{name} is not a name of TensorFlow 1"
    for other in EXPORTS:
        if other != space and name in _public(other):
            return f"{text}; did you mean tf.{other}{'.' if other else ''}{name}?"
    import difflib  # only for messages

    known = dict.fromkeys([*_public(space), *_listed(space)])
    close = difflib.get_close_matches(name, known, 1, 0.6)
    return f"{text}; did you mean {prefix}{close[0]}?" if close else text


def alternatives(space: str, name: str) -> list[str]:
    """Up to three names like `name` that graphc does have, best first."""
    import difflib

    near = difflib.get_close_matches(name, [n for n in _public(space) if n != name], 6, 0.75)
    prefix = f"tf.{space}." if space else "tf."
    return [prefix + n for n in near if _lookup(space, n) is not _MISSING][:3]


def _listed(space: str) -> Iterable[str]:
    prefix = f"{space}." if space else ""
    for path in [*NAMES, *spaces()]:
        if path.startswith(prefix) and "." not in path[len(prefix) :]:
            yield path[len(prefix) :]


def _starred(space: str) -> list[str]:
    """The public names of TF1 in a namespace, and the namespaces in it, as far as they are here."""
    prefix = f"{space}." if space else ""
    inner = [p[len(prefix) :] for p in spaces() if p.startswith(prefix)]
    names = {*_public(space), *[n for n in inner if "." not in n and n != "python"]}
    if not _public(space):  # a module inside TensorFlow: what it is said to share
        names.update(n for o in BORROWED.get(space) or _private(space) for n in _public(o))
        names.update(p[len(prefix) :] for p in NAMES if p.startswith(prefix))
    names = {n for n in names if "." not in n}
    found = [n for n in names if n[:1] != "_" and _lookup(space, n) is not _MISSING]
    constants = () if space else ("COMPILER_VERSION", "GIT_VERSION", "VERSION", "newaxis")
    return sorted([*found, *constants])


def namespace(space: str, module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for the module that is the namespace `space`."""

    def getattr_(name: str) -> Any:
        if name == "__all__":  # for ``from tensorflow import *``
            return _starred(space)
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = _lookup(space, name)
        if value is _MISSING and not space and name in _PARTS:
            value = _load(f"{_ROOT}.{name}") or _MISSING
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


class _Hooked(importlib.machinery.SourceFileLoader):
    """Loads a module of graphc that is a namespace of TF1: what it lacks is in the tables."""

    def exec_module(self, module: types.ModuleType) -> None:
        super().exec_module(module)
        if "__getattr__" not in vars(module):
            space = module.__name__.partition(".")[2]
            hooks = namespace(space, module.__name__)
            module.__getattr__, module.__dir__ = hooks  # type: ignore[method-assign]


class _Empty:
    """Makes the module of a namespace that graphc has no file for."""

    @staticmethod
    def create_module(spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Namespace(spec.name)

    @staticmethod
    def exec_module(module: types.ModuleType) -> None:
        hooks = namespace(module.__name__.partition(".")[2], module.__name__)
        module.__getattr__, module.__dir__ = hooks  # type: ignore[method-assign]


class _Alias:
    """Gives an imported module a second name."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.own: Any = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(self.target)
        self.own = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self.own


class _Finder:
    """Finds namespaces of TF1 below graphc, and what `aliases` says."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        for alias, real in aliases.items():
            if name == alias or name.startswith(alias + "."):
                return _aliased(name, real + name[len(alias) :])
        root, _, space = name.partition(".")
        if root != _ROOT or space.partition(".")[0] in _PARTS:
            return None
        module = NAMES.get(space, ":")
        if ":" not in module and module != f"{_ROOT}.{space}":  # a module of another name
            return _aliased(name, module)
        if space not in spaces() and not _private(space):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:  # no such file, or a folder without modules
            places = list(spec.submodule_search_locations or ()) if spec else []
            loader: Any = _Empty
            spec = importlib.machinery.ModuleSpec(name, loader, is_package=True)
            spec.submodule_search_locations = places
        elif type(spec.loader) is importlib.machinery.SourceFileLoader and spec.origin:
            spec.loader = _Hooked(name, spec.origin)
            if spec.submodule_search_locations is None:  # TF1's packages that are one module here
                spec.submodule_search_locations = []
        return spec


def _aliased(name: str, real: str) -> importlib.machinery.ModuleSpec:
    try:
        module = importlib.import_module(real)
    except ModuleNotFoundError as e:
        if e.name is None or not (real + ".").startswith(e.name + "."):
            raise
        text = f"graphc has no module {name!r}"
        raise ModuleNotFoundError(text, name=name) from None
    loader: Any = _Alias(real)
    return importlib.machinery.ModuleSpec(name, loader, is_package=hasattr(module, "__path__"))


def install(root: types.ModuleType) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the namespaces importable; the hooks of `root` itself."""
    finder: Any = _Finder
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)
    return namespace("", root.__name__)
