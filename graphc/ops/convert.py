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
    numpy=lambda *, value, dtype=None: value, types="fiubs",
)  # fmt: skip

#: (type, function) pairs tried in order for objects that are not numbers or arrays.
_conversions: list[tuple[type, Callable[[Any, DType | None, str | None], Value]]] = []


def register_conversion(kind: type, f: Callable[[Any, DType | None, str | None], Value]) -> None:
    """Let `kind` stand for a tensor: `f(object, dtype, name)` gives the value."""
    _conversions.append((kind, f))


def as_array(value: Any, dtype: DType | None = None, shape: Sequence[int] | None = None) -> tuple[np.ndarray[Any, Any], DType]:
    """The array TF1 makes of a Python or numpy value, and its element type.

    Python floats are float32 and ints int32 (int64 where they do not fit); numpy keeps its
    type; a value that the type asked for cannot hold raises TypeError.
    """
    if isinstance(value, np.ndarray | np.generic):
        a = np.asarray(value)
        want = dtype or as_dtype(a.dtype)
        if want.kind == "s":
            return _strings(a), want
        if a.dtype.kind not in "fiub" or (dtype is None and want.kind == "s"):
            raise TypeError(f"Cannot convert value of type {a.dtype} to {want.name}.")
        return _round(np.ascontiguousarray(a, want.np).reshape(a.shape), want), want
    flat = _leaves(value)
    if dtype is None:
        dtype = _guess(flat)
    else:
        _check_leaves(flat, dtype)
    if dtype.kind == "s":
        return _strings(np.array(value, dtype=object)), dtype
    try:
        a = np.array(value, dtype=dtype.np)
    except OverflowError:
        if dtype is dtypes.int32:
            try:
                return as_array(value, dtypes.int64) if _guessed(flat) else _overflow(value, dtype)
            except OverflowError:
                pass
        return _overflow(value, dtype)
    except (ValueError, TypeError) as e:
        raise ValueError(f"Argument must be a dense tensor: {value!r:.80} - {e}") from None
    return _round(a, dtype), dtype


def _overflow(value: Any, dtype: DType) -> Any:
    raise ValueError(f"Tensor-typed value {value!r:.60} does not fit {dtype.name}.")


def _guessed(flat: list[Any]) -> bool:
    return all(isinstance(v, int) for v in flat)


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


def _guess(flat: list[Any]) -> DType:
    if not flat:
        return dtypes.float32
    v = flat[0]
    if isinstance(v, np.generic):
        return as_dtype(v.dtype)
    if isinstance(v, bool):
        dtype = dtypes.bool_
    elif isinstance(v, int):
        if any(isinstance(e, float) for e in flat):
            dtype = dtypes.float32
        else:
            big = any(isinstance(e, int) and not -(2**31) <= e < 2**31 for e in flat)
            dtype = dtypes.int64 if big else dtypes.int32
    elif isinstance(v, float):
        dtype = dtypes.float32
    elif isinstance(v, str | bytes):
        dtype = dtypes.string
    elif v is None:
        raise ValueError("None values not supported.")
    elif hasattr(v, "__array__"):
        return as_dtype(np.asarray(v).dtype)
    else:
        raise TypeError(f"Failed to convert object of type {type(v)} to Tensor. Contents: {v!r:.60}. "
                        "Consider casting elements to a supported type.")  # fmt: skip
    _check_leaves(flat, dtype)
    return dtype


_OK: dict[str, tuple[type, ...]] = {
    "f": (float, int, np.floating, np.integer),
    "i": (int, np.integer),
    "u": (int, np.integer),
    "b": (bool, np.bool_),
    "s": (str, bytes),
}


def _check_leaves(flat: list[Any], dtype: DType) -> None:
    ok = _OK[dtype.kind]
    for v in flat:
        if v is None:
            raise ValueError("None values not supported.")
        if not isinstance(v, ok) or (isinstance(v, bool) and dtype.kind != "b"):
            if hasattr(v, "__array__") or hasattr(v, "__index__") and dtype.kind in "iu" and not isinstance(v, bool):
                continue
            raise TypeError(f"Expected {dtype.name}, got {v!r:.60} of type '{type(v).__name__}' instead.")


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const", verify_shape: bool = False) -> Value:
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
    a, t = as_array(value, None if dtype is None else as_dtype(dtype))
    if shape is not None:
        want = tuple(int(d) for d in (shape if hasattr(shape, "__iter__") else (shape,)))
        n = int(np.prod(want, dtype=np.int64)) if want else 1
        if verify_shape and a.shape != want:
            raise TypeError(f"Expected Tensor's shape: {want}, got {a.shape}.")
        if a.size > n:
            raise ValueError(f"Too many elements provided. Needed at most {n}, but received {a.size}")
        if a.size == n:
            a = a.reshape(want)
        elif a.size == 0:
            raise ValueError(f"Cannot fill shape {want} from an empty value.")
        else:
            flat = np.concatenate([a.reshape(-1), np.full(n - a.size, a.reshape(-1)[-1], a.dtype)])
            a = flat.reshape(want)
    return make_constant(a, t, name)


def make_constant(a: np.ndarray[Any, Any], dtype: DType | None = None, name: str | None = "Const") -> Value:
    """A constant node holding a private read-only copy of `a`."""
    if a.flags.writeable or a.base is not None:
        a = np.array(a, order="C")
        a.flags.writeable = False
    attrs: dict[str, Any] = {"value": a}
    if dtype is not None and dtype.np is dtypes.float32.np and dtype is not dtypes.float32:
        attrs["dtype"] = dtype
    return build(constant_op, (), attrs, name).outputs[0]


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None) -> Value:
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


def convert(value: Any, dtype: DType | None = None, name: str | None = None, arg: Any = None) -> Value:
    """The rule behind every op argument; `arg` is (op, its name, first argument's name) for messages."""
    if isinstance(value, Value):
        if dtype is not None and value.dtype is not dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype "
                f"{value.dtype.name}: {str(value)!r}"
            )
        return value
    for kind, f in _conversions:
        if isinstance(value, kind):
            return f(value, dtype, name)
    if isinstance(value, list | tuple) and any(isinstance(v, _tensor_types()) for v in _leaves(value)):
        from graphc.ops.shapes import stack  # a cycle in meaning: a list of tensors is a stack

        return stack_nested(value, dtype, stack, name)
    try:
        a, t = as_array(value, dtype)
    except (TypeError, ValueError) as e:
        if arg is not None and arg[2] and dtype is not None and isinstance(e, TypeError):
            raise TypeError(str(e)) from None
        raise
    return make_constant(a, t, name or "Const")


def _tensor_types() -> tuple[type, ...]:
    return (Value, *(k for k, _ in _conversions))


def stack_nested(value: Any, dtype: DType | None, stack: Callable[..., Value], name: str | None = None) -> Any:
    """A nested list some of whose leaves are tensors, packed along new leading axes.

    Names are TF1's: the pack has `name` (``packed``) and its constants are ``name/index``.
    A list without tensors comes back as it is.
    """
    tensors = _tensor_types()
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
        made = [convert(v, dtype, None if isinstance(v, tensors) else str(i)) for i, v in enumerate(items)]
        return stack(made, name=scope or name)


record._convert.append(convert)
