"""The gate for fed values: anything a TF1 program feeds, to an array that kernels can read.

Values that are already right (exact ndarray, right type, C-contiguous, aligned) pass as they are;
the native entry takes these without coming here. Everything else is converted as TF 1.15 does, by
value and silently: float64 to float32, 1.7 to 1 for integers, any number to bool.

What is refused, and where this differs from TF 1.15 (tested against it):

* A Python int that the type cannot hold exactly is refused, as in TF1 (16777217 for float32 too).
  In a list, TF1 wrapped what did not fit an integer type; here it is refused like a single int.
* None, strings, bytes, dates, complex numbers and structured values are refused for numbers and
  bools. TF1 parsed strings, took None for NaN, and dropped imaginary parts.
* Masked arrays are refused: TF1 used the values under the mask.
* An object array passes when all its elements are numbers.

A refusal is a TypeError; where TF1 raised ValueError (ragged lists, strings) it is both.
"""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from graphc.ir import dtypes
from graphc.ir.bfloat16 import bits_of, from_bits
from graphc.ir.dtypes import DType
from graphc.ir.node import Value

__all__ = [
    "FeedError", "as_feed", "check_shape", "from_storage", "given_shape", "storage", "to_storage",
]  # fmt: skip

Array = npt.NDArray[Any]
Shape: TypeAlias = "Iterable[int | None]"


class FeedError(TypeError, ValueError):
    """A value that cannot be fed, for a reason that TF1 called ValueError."""


def storage(dtype: DType) -> np.dtype[Any]:
    """The numpy type of a tensor's memory: that of its values, and 16 bits for bfloat16."""
    return _UINT16 if dtype.code == "bf16" else dtype.np


def to_storage(a: Array, dtype: DType) -> Array:
    """Values as a tensor's memory holds them."""
    if dtype.code != "bf16":
        return a
    return bits_of(a)


def from_storage(a: Array, dtype: DType) -> Array:
    """Values out of a tensor's memory."""
    if dtype.code != "bf16":
        return a
    return from_bits(a)


def given_shape(v: Value) -> tuple[int | None, ...] | None:
    """The static shape as the user knows it: a size or None."""
    s = v.static_shape
    return None if s is None else tuple(d if type(d) is int else None for d in s)


_UINT16 = np.dtype(np.uint16)
_BOOL = np.dtype(np.bool_)


def as_feed(
    value: Any, dtype: DType, static_shape: Iterable[int | None] | None, name: str
) -> Array:
    """Turn a fed value into an array of `dtype` that native code can read.

    Parameters
    ----------
    value : object
        Array, list, scalar, or anything numpy makes an array of.
    dtype : DType
        The element type of the tensor.
    static_shape : iterable of int or None, or None
        What is known of its shape; None when nothing is.
    name : str
        The tensor, for messages: ``"x:0"``.

    Returns
    -------
    ndarray
        C-contiguous, aligned, native byte order, exactly of type ndarray, with
        ``dtype is storage(dtype)``: `value` itself (or a view of it) where possible. Strings come
        as an object array of bytes.

    Raises
    ------
    TypeError
        The value is of a kind or a size that the tensor cannot hold.
    ValueError
        Its shape is not that of the tensor, or it is a ragged list.
    """
    want = storage(dtype)
    if type(value) is np.ndarray and value.dtype is want and dtype.code not in ("bf16", "str"):
        array = value
    elif dtype.kind == "s":
        array = _strings(value, name)
    elif dtype.kind == "c":
        array = _complex(value, dtype, name)
    else:
        array = _numbers(value, dtype, name)
    check_shape(array.shape, static_shape, name)
    if dtype.kind == "s":
        return array
    if dtype.kind == "b":
        array = _clean_bools(array)
    array = np.asarray(array, dtype=want, order="C")
    if array.dtype is not want:  # an equal type that is another object
        array = array.view(want)
    return array if array.flags.aligned else array.copy(order="C")


def check_shape(shape: tuple[int, ...], static_shape: Shape | None, name: str) -> None:
    """Raise TF1's ValueError when `shape` is not one that `static_shape` allows."""
    if static_shape is None:
        return
    known = tuple(static_shape)
    if len(shape) != len(known) or any(
        k not in (None, n) for n, k in zip(shape, known, strict=True)
    ):
        text = ", ".join("?" if k is None else str(k) for k in known)
        text = f"({text},)" if len(known) == 1 else f"({text})"
        raise ValueError(
            f"Cannot feed value of shape {shape!r} for Tensor {name!r}, which has shape {text!r}"
        )


def _complex(value: Any, dtype: DType, name: str) -> Array:
    try:
        return np.asarray(value, order="C").astype(dtype.np, copy=False)
    except (TypeError, ValueError):
        raise _refuse(value, dtype, name, "") from None


def _numbers(value: Any, dtype: DType, name: str) -> Array:
    if isinstance(value, int):
        return _python_int(value, dtype)
    array = _as_array(value, dtype, name)
    if dtype.code == "u64" and array.dtype.kind == "f" and isinstance(value, list | tuple):
        exact = np.asarray(value, dtype=object)  # numpy makes floats of [0, 2**64 - 1]
        if all(isinstance(x, numbers.Integral) for x in exact.flat):
            array = exact
    if array.dtype.kind not in "fiub":
        array = _unusual(array, value, dtype, name)
    if array.dtype.kind == "b":
        array = _clean_bools(array)
    if dtype.is_integer and not isinstance(value, np.ndarray | np.generic):
        _check_range(array, dtype, name)
    if dtype.code == "bf16":
        return _bfloat16(array)
    with np.errstate(all="ignore"):
        return array.astype(dtype.np, order="C", copy=False)


def _as_array(value: Any, dtype: DType, name: str) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        raise FeedError(
            f"Cannot feed a masked array for Tensor {name!r}: "
            "feed value.filled(...) to say what stands in the masked places."
        )
    try:
        return np.asarray(value)
    except ValueError as e:
        if "inhomogeneous" in str(e) or "sequence" in str(e):
            raise FeedError(
                f"setting an array element with a sequence. (The value fed for Tensor {name!r} "
                "is a list whose rows differ in length.)"
            ) from None
        raise _refuse(value, dtype, name) from e
    except (TypeError, OverflowError) as e:
        raise _refuse(value, dtype, name) from e


def _refuse(value: Any, dtype: DType, name: str, found: str = "") -> FeedError:
    found = found or type(value).__name__
    return FeedError(
        f"Cannot feed a value of type {found} for Tensor {name!r}, which has type {dtype.name}."
    )


def _python_int(value: int, dtype: DType) -> Array:
    """TF1's rule for a single int: it must come out of the type as it went in."""
    same, array = False, np.zeros(())
    with np.errstate(all="ignore"), contextlib.suppress(OverflowError):
        if dtype.code == "bf16":
            return _bfloat16(np.asarray(float(value)))
        if dtype.kind == "f":
            array = np.asarray(float(value)).astype(dtype.np)
            same = array.item() == value
        elif dtype.min <= value <= dtype.max:
            array = np.asarray(value, dtype.np)
            same = True
    if not same:
        kind = bool if dtype.kind == "b" else dtype.as_numpy_dtype
        raise TypeError(
            f"Type of feed value {value} with type {type(value)} is not compatible with Tensor "
            f"type {kind}. Try explicitly setting the type of the feed tensor to a larger type "
            "(e.g. int64)."
        )
    return array


def _unusual(array: Array, value: Any, dtype: DType, name: str) -> Array:
    """Numbers in an array that numpy does not call numeric."""
    if array.dtype.name == "bfloat16":  # of the ml_dtypes package
        return array.astype(np.float32)
    if array.dtype.kind == "O" and all(_is_number(x) for x in array.flat):
        whole = dtype.is_integer and all(isinstance(x, numbers.Integral) for x in array.flat)
        try:
            return array.astype(dtype.np if whole else np.float64)
        except OverflowError:
            raise _too_large(dtype, name) from None
    found = "" if array.ndim == 0 else f"{type(value).__name__} of {_content(array)}"
    raise _refuse(value, dtype, name, found)


def _is_number(x: Any) -> bool:
    return isinstance(x, numbers.Real | np.bool_)


def _content(array: Array) -> str:
    kind = array.dtype.kind
    if kind == "O":
        odd = next((x for x in array.flat if not _is_number(x)), None)
        return f"{type(odd).__name__} objects"
    names = {"U": "strings", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "durations"}
    return names.get(kind, str(array.dtype))


def _check_range(array: Array, dtype: DType, name: str) -> None:
    """Refuse numbers of a list or of a scalar that an integer type cannot hold."""
    if array.dtype == dtype.np or not array.size:
        return
    low, high = dtype.limits
    with np.errstate(all="ignore"):
        if array.dtype.kind == "f":
            whole = np.trunc(array)  # high + 1 is a power of two: exact, unlike high
            fits = bool((whole >= float(low)).all() and (whole < high + 1.0).all())
        else:
            fits = int(array.min()) >= int(low) and int(array.max()) <= int(high)
    if not fits:
        raise _too_large(dtype, name)


def _too_large(dtype: DType, name: str) -> TypeError:
    low, high = dtype.limits
    return TypeError(
        f"A number in the value fed for Tensor {name!r} does not fit its type {dtype.name}, "
        f"which holds {low} to {high}."
    )


def _clean_bools(array: Array) -> Array:
    """Bools whose bytes are 0 and 1."""
    if array.dtype != _BOOL or not array.size:
        return array
    raw = np.asarray(array).view(np.uint8)
    return raw.astype(_BOOL) if int(raw.max()) > 1 else array


def _bfloat16(array: Array) -> Array:
    """The bits of the nearest bfloat16 values, ties to even; NaN stays NaN."""
    with np.errstate(all="ignore"):
        f = array.astype(np.float32)
        u = f.view(np.uint32)
        rounded = u + (((u >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF))
        quiet = u | np.uint32(0x00400000)
        return np.asarray(np.where(np.isnan(f), quiet, rounded) >> np.uint32(16), np.uint16)


def _strings(value: Any, name: str) -> Array:
    """An object array of bytes; str goes in as UTF-8."""
    if isinstance(value, int):
        raise TypeError(
            f"Type of feed value {value} with type {type(value)} is not compatible with Tensor "
            f"type {object}. Try explicitly setting the type of the feed tensor to a larger type "
            "(e.g. int64)."
        )
    if isinstance(value, np.ma.MaskedArray):
        raise _refuse(value, dtypes.string, name)
    source = np.asarray(value, dtype=object)
    items = source.reshape(-1).tolist()
    kinds = set(map(type, items))
    if kinds <= {bytes}:
        return np.array(source, order="C")
    out = np.empty(source.shape, object)
    flat = out.reshape(-1)
    if kinds <= {str}:
        flat[:] = list(map(str.encode, items))
        return out
    for k, x in enumerate(source.flat):
        if isinstance(x, str):
            flat[k] = x.encode()
        elif isinstance(x, bytes):
            flat[k] = x
        else:
            found = "" if source.ndim == 0 else f"{type(value).__name__} of {type(x).__name__}"
            raise _refuse(value, dtypes.string, name, found)
    return out
