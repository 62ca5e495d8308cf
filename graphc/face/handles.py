"""Values that stay in a session between runs: ``tf.get_session_handle`` and its kin."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import state
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = [
    "TensorHandle", "delete_session_tensor", "get_session_handle", "get_session_tensor",
]  # fmt: skip

_PLACE = "/job:localhost/replica:0/task:0/device:CPU:0"


class _Kept(dict[str, Any]):
    """The values that a session keeps, by the texts that stand for them."""


#: Of each text the session's values; it is gone with them.
_sessions: weakref.WeakValueDictionary[str, _Kept] = weakref.WeakValueDictionary()
_numbers = itertools.count()


class TensorHandle:
    """What a run of `get_session_handle` gives: stands for a value that the session keeps.

    The value is let go of when nobody holds the handle, unless `get_raw_handle` was called.
    """

    def __init__(self, text: bytes) -> None:
        self._handle = text.decode()
        self._kept = _sessions[self._handle]
        self._forget = weakref.finalize(self, self._kept.pop, self._handle, None)
        self._forget.atexit = False

    @property
    def handle(self) -> str:
        """The text that stands for the value."""
        return self._handle

    def get_raw_handle(self) -> str:
        """The same; the value then stays until it is deleted, or the session ends."""
        self._forget.detach()
        return self._handle

    def eval(self) -> Any:
        """The value.

        Raises
        ------
        TypeError
            When it was deleted.
        """
        if self._handle not in self._kept:
            raise TypeError(f"Persistent tensor {self._handle} may have already been deleted.")
        return self._kept[self._handle]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """The value, so that a handle can be fed for it."""
        return np.asarray(self.eval(), dtype)

    def delete(self) -> None:
        """Let go of the value.

        Raises
        ------
        TypeError
            When it was deleted before.
        """
        self.eval()
        self._forget()

    def __str__(self) -> str:
        return self._handle


def _kept(host: Any) -> _Kept:
    made: _Kept = host.resource("handles", _Kept)
    return made


def _keep(host: Any, data: Any) -> bytes:
    kept, text = _kept(host), f"GetSessionHandle;{next(_numbers)};{_PLACE}"
    kept[text] = np.array(data)
    _sessions[text] = kept
    return text.encode()


def _found(host: Any, handle: Any) -> tuple[_Kept, str]:
    kept, name = _kept(host), bytes(np.asarray(handle)[()]).decode()
    if name not in kept:
        raise InvalidArgumentError(
            None, None, f"The tensor with handle '{name}' is not in the session store."
        )
    return kept, name


def _get(host: Any, handle: Any, *, dtype: Any) -> Any:
    kept, name = _found(host, handle)
    if kept[name].dtype != dtype.np:
        raise InvalidArgumentError(
            None, None, f"The handle '{name}' is of {kept[name].dtype}, not {dtype.name}"
        )
    return kept[name]


def _delete(host: Any, handle: Any) -> None:
    kept, name = _found(host, handle)
    del kept[name]


def _text(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.string, ())]


def _any(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(attrs["dtype"], None)]


def _nothing(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return []


_HOST: dict[str, Any] = {"types": "fiubsc", "stateful": True, "grad": no_grad}
_EFFECT: dict[str, Any] = {"facts": {"effect": True}, **_HOST}

handle_op = op(
    "get_session_handle", "GetSessionHandle", "host", args=("data",), infer=_text, host=_keep,
    doc="Keeps a value in the session.", facts={"effect": True, "fetched": TensorHandle}, **_HOST,
)  # fmt: skip
tensor_op = op(
    "get_session_tensor", "GetSessionTensor", "host", args=("handle",), infer=_any, host=_get,
    doc="A value that the session keeps.", **_EFFECT,
)  # fmt: skip
delete_op = op(
    "delete_session_tensor", "DeleteSessionTensor", "host", args=("handle",), infer=_nothing,
    doc="Lets go of a value that the session keeps.", host=_delete, **_EFFECT,
)  # fmt: skip


def get_session_handle(data: Any, name: str | None = None) -> Value:
    """A tensor of which a run gives a `TensorHandle` for the value of `data`, which stays.

    Raises
    ------
    TypeError
        For what is no tensor.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Session() as session:
    ...     handle = session.run(tf.get_session_handle(tf.constant([1.0, 2.0])))
    ...     fed, x = tf.get_session_tensor(handle.handle, tf.float32)
    ...     print(session.run(x * 2, {fed: handle.handle}))
    [2. 4.]
    """
    if not isinstance(data, Value):
        raise TypeError("`data` must be of type Tensor.")
    return build(handle_op, [data], {}, name).outputs[0]


def _holder(handle: Any) -> Value:
    if not isinstance(handle, str) or _PLACE not in handle:
        raise ValueError(f"{handle!r} is not the text of a handle")
    return state.placeholder(dtypes.string)


def get_session_tensor(handle: Any, dtype: Any, name: str | None = None) -> tuple[Value, Value]:
    """A placeholder for the text of a handle, and the value that it stands for.

    Parameters
    ----------
    handle : str
        ``handle`` of what a run of `get_session_handle` gave.
    dtype : DType
        Of the value.

    Returns
    -------
    placeholder, tensor

    Raises (in a run)
    -----------------
    InvalidArgumentError
        For the text of no handle of the session, or of one that was deleted.
    """
    holder = _holder(handle)
    return holder, build(tensor_op, [holder], {"dtype": as_dtype(dtype)}, name).outputs[0]


def delete_session_tensor(handle: Any, name: str | None = None) -> tuple[Value, Any]:
    """A placeholder for the text of a handle, and an operation that lets go of its value."""
    holder = _holder(handle)
    return holder, build(delete_op, [holder], {}, name)
