"""Python functions as ops: the host calls them between native parts of a run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError, UnknownError
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Types, as_value, no_grad, op

__all__ = ["numpy_function", "py_func"]

_tokens = itertools.count()

#: How TF1's messages call these types.
_TF_NAMES = {"float64": "double", "float32": "float", "float16": "half"}


def _called(dtype: DType | np.dtype[Any]) -> str:
    return _TF_NAMES.get(dtype.name, dtype.name)


def _declared(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(t, None) for t in attrs["types"]]


def _call(
    context: Any, *arrays: Any, func: Callable[..., Any], types: Sequence[DType], token: str
) -> Any:
    """Call a user's function; what it returns must be what was declared, as in TF1."""
    try:
        got = func(*[a[()] for a in arrays])
    except (IndexError, OverflowError) as e:  # TF1 knows only some exceptions by type
        raise UnknownError(None, None, f"{type(e).__name__}: {e}") from e
    if got is None:
        items: Sequence[Any] = ()
    else:
        items = got if isinstance(got, list | tuple) else (got,)
    if len(items) != len(types):
        raise InvalidArgumentError(
            None, None,
            f"{token} returns {len(items)} values, but expects to see {len(types)} values.",
        )  # fmt: skip
    return tuple(
        [_result(i, x, t, token) for i, (x, t) in enumerate(zip(items, types, strict=True))]
    )


def _result(i: int, x: Any, dtype: DType, token: str) -> Any:
    a = np.asarray(x)
    if dtype.kind == "s" and a.dtype.kind in "USO":
        return x
    if a.dtype != dtype.np:
        found = "string" if a.dtype.kind in "USO" else _called(a.dtype)
        raise InvalidArgumentError(
            None, None,
            f"{i}-th value returned by {token} is {found}, but expects {_called(dtype)}",
        )  # fmt: skip
    return a


_FACTS: dict[str, Any] = {
    "doc": "A Python function of arrays.",
    "args": ("*inp",),
    "types": "fiubsc",
}

py_func_op = op(
    "py_func", "PyFunc", "host", infer=_declared, host=_call, grad=no_grad, stateful=True,
    facts={"effect": True}, **_FACTS,
)  # fmt: skip
py_func_stateless_op = op(
    "py_func_stateless", "PyFuncStateless", "host", infer=_declared, host=_call, grad=no_grad,
    **_FACTS,
)  # fmt: skip


def py_func(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Call a Python function in each run that needs its results.

    It has no gradient; ``Graph.gradient_override_map`` can give it one.

    Parameters
    ----------
    func : callable
        Takes a numpy array (a numpy scalar where the rank is 0, bytes for a string) for each of
        `inp`; returns arrays whose element types are exactly those of `Tout`.
    inp : list of tensors
    Tout : DType or list of DType
        With a list the result is a list of tensors; with an empty one it is an operation.
    stateful : bool
        Whether two calls with the same operands may differ.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run: when `func` raises ValueError or TypeError or returns something else than `Tout`.
        Other exceptions have the type TF1 gives them, `UnknownError` for most.

    Examples
    --------
    >>> import graphc as tf
    >>> import numpy as np
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     y = tf.py_func(np.cumsum, [[1.0, 2.0, 3.0]], tf.float32)
    ...     print(sess.run(y * 2.0))
    [ 2.  6. 12.]
    """
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func: {func}")
    several = isinstance(Tout, list | tuple)
    types = tuple([as_dtype(t).base_dtype for t in (Tout if several else [Tout])])
    values = [as_value(x, None, None, f"input_{i}") for i, x in enumerate(inp)]
    attrs = {"func": func, "types": types, "token": f"pyfunc_{next(_tokens)}"}
    node = build(py_func_op if stateful else py_func_stateless_op, values, attrs, name)
    if not several:
        return node.outputs[0]
    return list(node.outputs) if types else node


def numpy_function(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None
) -> Any:
    """Call a Python function of numpy arrays: `py_func` under TF2's name."""
    return py_func(func, inp, Tout, True, name)
