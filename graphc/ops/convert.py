"""Anything a user hands over, as a value of the current graph: TF1's conversion rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops import record
from graphc.ops.record import Attrs, Types, op

__all__ = ["as_array", "constant", "convert_to_tensor", "register_conversion"]


def _constant_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    value = attrs["value"]
    return [(attrs.get("dtype") or as_dtype(value.dtype), value.shape)]


constant_op = op(
    "constant", "Const", "state", doc="A tensor whose value is known.", infer=_constant_infer,
    numpy=lambda *, value, dtype=None: value, types="fiubsc",
)  # fmt: skip

#: (type, function) pairs tried in order for objects that are not numbers or arrays.
_conversions: list[tuple[type, Callable[[Any, DType | None, str | None], Value]]] = []
#: What makes a list of it (and of numbers) a stack of tensors.
_tensor_like: tuple[type, ...] = (Value,)


def register_conversion(
    kind: type, f: Callable[[Any, DType | None, str | None], Value], packs: bool = True
) -> None:
    """Let `kind` stand for a tensor: `f(object, dtype, name)` gives the value.

    A list of such objects is a stack of tensors, unless `packs` is False.
    """
    global _tensor_like
    _conversions.append((kind, f))
    if packs:
        _tensor_like = (*_tensor_like, kind)


def packs(x: Any) -> bool:
    """Whether a list of objects like `x` is a stack of tensors."""
    return isinstance(x, _tensor_like)


def as_array(value: Any, dtype: DType | None = None) -> tuple[np.ndarray[Any, Any], DType]:
    """The array TF1 makes of a Python or numpy value, and its element type.

    Python floats are float32 and ints int32 (int64 where they do not fit); numpy keeps its
    type; a value that the type asked for cannot hold raises TypeError.
    """
    if isinstance(value, np.ndarray | np.generic):
        a = np.asarray(value)
        want = dtype or as_dtype(a.dtype)
        if want.kind == "s":
            return _strings(a), want
        if a.dtype.kind not in "fiubc" or (dtype is None and want.kind == "s"):
            raise TypeError(f"Cannot convert value of type {a.dtype} to {want.name}.")
        return _round(np.ascontiguousarray(a, want.np).reshape(a.shape), want), want
    if value is None:
        raise ValueError("None values not supported.")
    if dtype is None:
        return _guessed(value)
    _check_leaves(_leaves(value), dtype)
    if dtype.kind == "s":
        return _strings(np.array(value, dtype=object)), dtype
    try:
        a = np.array(value, dtype=dtype.np)
    except OverflowError:
        raise ValueError(f"Tensor-typed value {value!r:.60} does not fit {dtype.name}.") from None
    except (ValueError, TypeError) as e:
        raise _not_dense(value, e) from None
    a = _round(a, dtype)
    a.flags.writeable = False  # nobody else has it: no copy for the constant
    return a, dtype


def _guessed(value: Any) -> tuple[np.ndarray[Any, Any], DType]:
    """The array of Python values, and its type by TF1's rule: numpy's, but no wider than needed."""
    kind = type(value)
    if kind is float:
        a = np.array(value, np.float32)
        a.flags.writeable = False
        return a, dtypes.float32
    try:
        a = np.array(value)
    except NotImplementedError:
        raise TypeError("List of Tensors when single Tensor expected") from None
    except ValueError as e:
        raise _not_dense(value, e) from None
    code = a.dtype.kind
    if code == "f":
        if a.dtype == np.float64:
            a = a.astype(np.float32)
    elif code == "i":
        if a.dtype == np.int64 and (not a.size or (a.min() >= -(2**31) and a.max() < 2**31)):
            a = a.astype(np.int32)
    elif code in "US":
        if not all(isinstance(v, str | bytes) for v in _leaves(value)):
            raise _cannot(value)
        return _strings(np.array(value, dtype=object)), dtypes.string
    elif code == "O":
        a = _objects(value)
    elif code not in "buc":
        raise _cannot(value)
    a.flags.writeable = False
    return a, as_dtype(a.dtype)


def _objects(value: Any) -> np.ndarray[Any, Any]:
    """Objects that are integers by ``__index__`` (a known `Dimension`)."""
    flat = _leaves(value)
    if isinstance(value, list | tuple) and all(hasattr(v, "__index__") for v in flat):
        try:
            return np.array(value, np.int32)
        except (TypeError, ValueError, OverflowError):
            pass
    raise _cannot(value)


def _cannot(value: Any) -> TypeError:
    return TypeError(
        f"Failed to convert object of type {type(value)} to Tensor. Contents: {value!r:.200}. "
        "Consider casting elements to a supported type."
    )


def _not_dense(value: Any, e: Exception) -> Exception:
    if not isinstance(value, list | tuple):
        return ValueError(f"Argument must be a dense tensor: {value!r:.80} - {e}")
    want: list[int] = []
    v: Any = value
    while isinstance(v, list | tuple):
        want.append(len(v))
        v = v[0] if v else None
    return ValueError(
        f"Argument must be a dense tensor: {value!r:.200} - got shape {[len(value)]}, "
        f"but wanted {want}."
    )


def _round(a: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    if dtype is dtypes.bfloat16:
        return record.round_bf16(a)
    return a


def _strings(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = np.empty(a.shape, dtype=object)
    for i, s in np.ndenumerate(a):
        out[i] = s.encode() if isinstance(s, str) else bytes(s)
    return out


def _leaves(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value]
    out: list[Any] = []
    stack: list[Any] = [value]
    while stack:
        v = stack.pop()
        if isinstance(v, list | tuple):
            stack.extend(reversed(v))
        elif isinstance(v, np.ndarray):
            out.append(v.reshape(-1)[0] if v.size else v.dtype.type(0))
        else:
            out.append(v)
    return out


_OK: dict[str, tuple[type, ...]] = {
    "f": (float, int, np.floating, np.integer),
    "i": (int, np.integer),
    "u": (int, np.integer),
    "b": (bool, np.bool_),
    "s": (str, bytes),
    "c": (complex, float, int, np.number),
}


def _check_leaves(flat: list[Any], dtype: DType) -> None:
    ok = _OK[dtype.kind]
    for v in flat:
        if not isinstance(v, ok):
            if v is not None and (
                hasattr(v, "__array__") or (hasattr(v, "__index__") and dtype.kind in "iu")
            ):
                continue
            raise TypeError(
                f"Expected {dtype.name}, got {v!r:.60} of type '{type(v).__name__}' instead."
            )


def constant(
    value: Any,
    dtype: Any = None,
    shape: Any = None,
    name: str | None = "Const",
    verify_shape: bool = False,
) -> Value:
    """A constant tensor.

    Parameters
    ----------
    value : number, nested list or array
    dtype : DType, optional
        Element type; by default float32 for Python floats, int32 for ints, numpy's own otherwise.
    shape : sequence of int, optional
        A scalar (or the last element of a shorter list) fills it.

    Raises
    ------
    ValueError
        When more values are given than the shape holds.
    TypeError
        When `value` has elements that `dtype` does not take.
    """
    if isinstance(value, Value):
        raise TypeError("List of Tensors when single Tensor expected")
    a, t = as_array(value, None if dtype is None else as_dtype(dtype).base_dtype)
    if shape is not None:
        want = tuple(int(d) for d in (shape if hasattr(shape, "__iter__") else (shape,)))
        n = int(np.prod(want, dtype=np.int64)) if want else 1
        if verify_shape and a.shape != want:
            raise TypeError(f"Expected Tensor's shape: {want}, got {a.shape}.")
        if a.size > n and a.size != 1:
            raise ValueError(
                f"Too many elements provided. Needed at most {n}, but received {a.size}"
            )
        if a.size == n:
            a = a.reshape(want)
        elif n == 0:
            a = np.empty(want, a.dtype)
        elif a.size == 0:
            raise ValueError(f"Cannot fill shape {want} from an empty value.")
        else:
            flat = np.concatenate([a.reshape(-1), np.full(n - a.size, a.reshape(-1)[-1], a.dtype)])
            a = flat.reshape(want)
    return make_constant(a, t, name)


def make_constant(
    a: np.ndarray[Any, Any], dtype: DType | None = None, name: str | None = "Const"
) -> Value:
    """A constant node holding a private read-only copy of `a`."""
    if a.flags.writeable or a.base is not None:
        a = np.array(a, order="C")
        a.flags.writeable = False
    attrs: dict[str, Any] = {"value": a}
    if dtype is not None and dtype.np is dtypes.float32.np and dtype is not dtypes.float32:
        attrs["dtype"] = dtype
    return build(constant_op, (), attrs, name).outputs[0]


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None
) -> Value:
    """`value` as a tensor of the default graph.

    Raises
    ------
    ValueError
        When `value` is a tensor of another element type than `dtype`, or None.
    TypeError
        When no tensor can be made of it.
    """
    want = None if dtype is None else as_dtype(dtype).base_dtype
    if want is None and preferred_dtype is not None and not isinstance(value, Value):
        try:
            return convert(value, as_dtype(preferred_dtype).base_dtype, name)
        except (TypeError, ValueError):
            pass
    return convert(value, want, name)


#: What no conversion function is asked about.
_PLAIN = frozenset({bool, int, float, np.ndarray})


def convert(
    value: Any, dtype: DType | None = None, name: str | None = None, arg: Any = None
) -> Value:
    """The rule behind every op argument."""
    if isinstance(value, Value):
        if dtype is not None and value.dtype is not dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype "
                f"{value.dtype.name}: {value!r}"
            )
        return value
    if type(value) not in _PLAIN:
        for kind, f in _conversions:
            if isinstance(value, kind):
                return f(value, dtype, name)
        if isinstance(value, list | tuple) and any(
            isinstance(v, _tensor_like) for v in _leaves(value)
        ):
            from graphc.ops.arrays import stack  # a cycle in meaning: a list of tensors is a stack

            stacked: Value = stack_nested(value, dtype, stack, name)
            return stacked
    try:
        a, t = as_array(value, dtype)
    except (TypeError, ValueError) as e:
        if arg is not None and arg[2] and dtype is not None and isinstance(e, TypeError):
            raise TypeError(str(e)) from None
        raise
    return make_constant(a, t, name or "Const")


def stack_nested(
    value: Any, dtype: DType | None, stack: Callable[..., Value], name: str | None = None
) -> Any:
    """A nested list some of whose leaves are tensors, packed along new leading axes.

    Names are TF1's: the pack has `name` (``packed``) and its constants are ``name/index``.
    A list without tensors comes back as it is.
    """
    tensors = _tensor_like
    if dtype is None:
        dtype = next(convert(v).dtype for v in _leaves(value) if isinstance(v, tensors))
    pack = False
    with current().scope(name or "packed", "packed") as scope:
        items: list[Any] = []
        for i, v in enumerate(value):
            if isinstance(v, list | tuple):
                v = stack_nested(v, dtype, stack, str(i))
            pack = pack or isinstance(v, tensors)
            items.append(v)
        if not pack:
            return items
        made = [
            convert(v, dtype, None if isinstance(v, tensors) else str(i))
            for i, v in enumerate(items)
        ]
        return stack(made, name=scope or name)


record._convert.append(convert)
