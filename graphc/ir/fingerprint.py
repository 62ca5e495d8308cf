"""What a user's function does, as text: equal code and equal values that it reads, equal text.

Native code of a user's op is kept under it, in memory and on disk, and an op that is made again
under its name is the same op exactly when the fingerprints agree.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import sys
import types
from typing import Any

import numpy as np

__all__ = ["fingerprint"]

_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis), range, np.dtype)

#: Told apart by identity: kept, so that no other object gets their place in memory.
_kept: dict[int, Any] = {}
#: Makes what is told apart by identity differ in each process: it is then never found on disk.
_PROCESS = os.urandom(8).hex()


def fingerprint(*things: Any) -> str:
    """A digest of functions with all that they read: constants, closures, globals, helpers.

    What cannot be looked into (an open file, a C extension's object) counts as itself, in this
    process alone. Functions of the standard library, of installed packages and of graphc count by
    their names.
    """
    found = _Reader()
    for x in things:
        found.read(x)
    return hashlib.sha256("\n".join(found.parts).encode()).hexdigest()


class _Reader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.seen: dict[int, int] = {}
        self.held: list[Any] = []

    def read(self, first: Any) -> None:
        """Write down a thing and, breadth first, what it is made of."""
        queue = [first]
        for x in queue:  # grows meanwhile
            if isinstance(x, _PLAIN) or x is Ellipsis:
                self.parts.append(f"{type(x).__name__} {x!r}")
                continue
            number = self.seen.get(id(x))
            if number is not None:
                self.parts.append(f"again {number}")
                continue
            self.seen[id(x)] = len(self.seen)
            self.held.append(x)
            queue += self.parts_of(x)

    def parts_of(self, x: Any) -> list[Any]:
        """What has to be read besides what is written down here."""
        if isinstance(x, types.CodeType):
            self.parts.append(
                f"code {x.co_code.hex()} {x.co_names} {x.co_varnames} {x.co_freevars}"
            )
            return list(x.co_consts)
        if isinstance(x, np.ndarray):
            return self.array(x)
        if isinstance(x, np.generic):
            return self.array(np.asarray(x))
        if isinstance(x, tuple | list):
            self.parts.append(f"{type(x).__name__} {len(x)}")
            return list(x)
        if isinstance(x, dict | types.MappingProxyType):
            self.parts.append(f"dict {len(x)}")
            return [e for pair in x.items() for e in pair]
        if isinstance(x, set | frozenset):
            each = sorted(fingerprint(e) for e in x)
            self.parts.append(f"set {each}")
            return []
        if isinstance(x, types.ModuleType):
            self.parts.append(f"module {x.__name__}")
            return []
        if _known_by_name(x):
            self.parts.append(f"{x.__module__}.{x.__qualname__}")
            return []
        if isinstance(x, types.FunctionType):
            return self.function(x)
        return self.object(x)

    def array(self, x: np.ndarray[Any, Any]) -> list[Any]:
        self.parts.append(f"array {x.dtype.str} {x.shape}")
        return x.tolist() if x.dtype.hasobject else [x.tobytes()]

    def function(self, x: types.FunctionType) -> list[Any]:
        self.parts.append("function")
        out: list[Any] = [x.__code__, x.__defaults__, x.__kwdefaults__]
        for c in x.__closure__ or ():
            out.append(c.cell_contents if _filled(c) else "empty")
        names = sorted(_names(x.__code__))
        for n in names:
            if n in x.__globals__:
                value = x.__globals__[n]
                out += [n, value, *_read_of_module(value, names)]
        return out

    def object(self, x: Any) -> list[Any]:
        """Methods, partial functions, classes and instances of a user's."""
        kind = type(x)
        if isinstance(x, types.MethodType):
            self.parts.append("method")
            return [x.__func__, x.__self__]
        if isinstance(x, functools.partial):
            self.parts.append("partial")
            return [x.func, x.args, x.keywords]
        if isinstance(x, staticmethod | classmethod):
            self.parts.append(kind.__name__)
            return [x.__func__]
        if isinstance(x, property):
            self.parts.append("property")
            return [x.fget, x.fset]
        if isinstance(x, type):
            self.parts.append(f"class {x.__qualname__}")
            mine = {k: v for k, v in vars(x).items() if k not in _OF_CLASSES}
            return [x.__bases__, *[e for k in sorted(mine) for e in (k, mine[k])]]
        if not _foreign(kind.__module__) and _plain_object(x):
            self.parts.append("instance")
            values = {k: getattr(x, k) for k in _slots(kind) if hasattr(x, k)}
            values.update(getattr(x, "__dict__", {}))
            return [kind, values]
        _kept[id(x)] = x
        self.parts.append(f"{kind.__module__}.{kind.__qualname__} {_PROCESS} {id(x)}")
        return []


_OF_CLASSES = frozenset(
    "__module__ __dict__ __weakref__ __doc__ __slots__ "
    "__firstlineno__ __static_attributes__".split()
)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asked for its error
    except ValueError:
        return False
    return True


def _names(code: types.CodeType) -> set[str]:
    """The names that code reads, that of inner functions too."""
    out = set(code.co_names)
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            out |= _names(c)
    return out


def _read_of_module(x: Any, names: list[str]) -> list[Any]:
    """What code that has these names may read of a module of the user's own."""
    out: list[Any] = []
    stack, seen = [x], set()
    while stack:
        m = stack.pop()
        if not isinstance(m, types.ModuleType) or id(m) in seen or _foreign(m.__name__):
            continue
        seen.add(id(m))
        found = [(n, vars(m)[n]) for n in names if n in vars(m)]
        out += [e for pair in found for e in pair]
        stack += [v for _, v in found]
    return out


def _plain_object(x: Any) -> bool:
    """Whether an instance is its class and its attributes."""
    return vars(object)["__reduce_ex__"] == getattr(type(x), "__reduce_ex__", None) and not any(
        issubclass(type(x), k) for k in (int, float, str, bytes, tuple, list, dict, set)
    )


def _slots(kind: type) -> list[str]:
    found: list[str] = []
    for k in kind.__mro__:
        s = vars(k).get("__slots__", ())
        found += [s] if isinstance(s, str) else list(s)
    return [n for n in found if n not in ("__dict__", "__weakref__")]


def _known_by_name(x: Any) -> bool:
    """Whether it is a function or a class of somebody else's, and found by its name."""
    name, module = getattr(x, "__qualname__", None), getattr(x, "__module__", None)
    if not isinstance(name, str) or not isinstance(module, str) or not _foreign(module):
        return False
    found: Any = sys.modules.get(module)
    for word in name.split("."):
        found = getattr(found, word, None)
    return found is x


@functools.cache
def _foreign(module: str) -> bool:
    """Whether a module is nobody's own: of Python, of graphc, or installed."""
    top = module.partition(".")[0]
    if module == "__main__":
        return False
    if top in sys.stdlib_module_names or top in ("graphc", "numpy"):
        return True
    found = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    if file is None:
        return False
    try:
        file = os.path.abspath(inspect.getfile(found))  # type: ignore[arg-type]
    except TypeError:
        return False
    return any(part in ("site-packages", "dist-packages") for part in file.split(os.sep))
