"""Names that Python 3.7, NumPy 1.18 and Pillow 7 had, which programs of TensorFlow 1 use."""

from __future__ import annotations

import collections
import collections.abc
import functools
import importlib.abc
import importlib.machinery
import inspect
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["restore_old_names"]

#: NumPy's name → the builtin or the name of NumPy that it was.
_NUMPY = {
    "bool": bool, "complex": complex, "float": float, "int": int, "long": int, "object": object,
    "str": str, "unicode": str, "float_": "float64", "complex_": "complex128", "string_": "bytes_",
    "unicode_": "str_", "Inf": "inf", "Infinity": "inf", "infty": "inf", "NaN": "nan",
    "NAN": "nan", "PINF": "inf", "product": "prod", "cumproduct": "cumprod", "sometrue": "any",
    "alltrue": "all", "row_stack": "vstack", "trapz": "trapezoid", "in1d": "isin",
    "round_": "round", "mat": "asmatrix",
}  # fmt: skip


_ArgSpec = collections.namedtuple("_ArgSpec", "args varargs keywords defaults")


def _getargspec(func: Any) -> _ArgSpec:
    """The positional arguments of a function, as ``inspect.getargspec`` gave them.

    Annotations are no error: functions of graphc have them where those of TensorFlow had none.
    """
    spec = inspect.getfullargspec(func)
    return _ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def _array_of_old(array: Any) -> Any:
    """``np.array`` whose ``copy=False`` copies where it must, as before NumPy 2."""

    @functools.wraps(array)
    def old(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("copy") is False:
            kwargs["copy"] = None
        return array(*args, **kwargs)

    return old


def _old_filters(image: Any) -> None:
    for old, new in (("ANTIALIAS", "LANCZOS"), ("LINEAR", "BILINEAR"), ("CUBIC", "BICUBIC")):
        if not hasattr(image, old) and hasattr(image, new):
            setattr(image, old, getattr(image, new))


def _getsize(font: Any, text: Any, *args: Any, **kwargs: Any) -> tuple[int, int]:
    """Width and height of a text, from the top of the line."""
    left, _, right, bottom = font.getbbox(text, *args, **kwargs)
    return int(right - left), int(bottom)


def _textsize(draw: Any, text: Any, font: Any = None, *args: Any, **kwargs: Any) -> tuple[int, int]:
    """Width and height of a text of one line or more, as it would be drawn."""
    left, _, right, bottom = draw.textbbox((0, 0), text, font, None, *args, **kwargs)
    return int(right - left), int(bottom)


def _old_sizes(module: Any) -> None:
    for kind, had, old, function in (
        ("ImageFont", "getbbox", "getsize", _getsize),
        ("FreeTypeFont", "getbbox", "getsize", _getsize),
        ("TransposedFont", "getbbox", "getsize", _getsize),
        ("ImageDraw", "textbbox", "textsize", _textsize),
    ):
        there = getattr(module, kind, None)
        if hasattr(there, had) and not hasattr(there, old):
            setattr(there, old, function)


#: Module of Pillow → what gives it its old names.
_PILLOW: dict[str, Callable[[Any], None]] = {
    "PIL.Image": _old_filters, "PIL.ImageDraw": _old_sizes, "PIL.ImageFont": _old_sizes,
}  # fmt: skip


class _WhenImported(importlib.abc.MetaPathFinder):
    """Gives modules of Pillow their old names when the program imports them, if it does."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The module's own spec, after whose execution the names are there."""
        if fullname not in _PILLOW:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _PILLOW[fullname](module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _restore_pillow() -> None:
    for name, change in _PILLOW.items():
        if name in sys.modules:
            change(sys.modules[name])
    if not any(isinstance(finder, _WhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())


def restore_old_names() -> None:
    """Give NumPy, Pillow, collections, inspect and time the names back that they have lost since.

    Nothing that exists is changed, except that ``np.array(x, copy=False)`` copies again where it
    must. Used by ``python -m graphc run`` only.
    """
    import numpy as np

    have: dict[str, Any] = vars(np)
    for old, new in _NUMPY.items():
        if old not in have and (not isinstance(new, str) or new in have):
            have[old] = have[new] if isinstance(new, str) else new
    have.setdefault("NINF", -np.inf)
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        have["array"] = _array_of_old(np.array)
    have.setdefault("asscalar", lambda a: a.item())
    have.setdefault("asfarray", lambda a, dtype=np.float64: np.asarray(a, dtype))
    for name in collections.abc.__all__:
        vars(collections).setdefault(name, getattr(collections.abc, name))
    vars(time).setdefault("clock", time.perf_counter)
    vars(inspect).setdefault("getargspec", _getargspec)
    _restore_pillow()
