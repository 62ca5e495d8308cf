"""Names that Python 3.7 and NumPy 1.18 had, and with them the programs of TensorFlow 1."""

from __future__ import annotations

import collections
import collections.abc
import functools
import inspect
import time
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


def restore_old_names() -> None:
    """Give NumPy, collections, inspect and time the names back that they have lost since.

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
