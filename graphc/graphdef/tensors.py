"""Tensors and shapes as messages: ``TensorProto``, ``TensorShapeProto``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.bfloat16 import bits_of, from_bits
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType, as_dtype, bfloat16
from graphc.ops.convert import as_array
from graphc.proto import message

__all__ = ["array_of", "make_ndarray", "make_tensor_proto", "shape_of", "shape_proto"]

Array = np.ndarray[Any, Any]

#: Element type → the field that lists values one by one.
_FIELDS = {
    "float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val",
    "uint32": "uint32_val", "uint64": "uint64_val", "float16": "half_val", "bfloat16": "half_val",
    "string": "string_val", "int32": "int_val", "int16": "int_val", "int8": "int_val",
    "uint8": "int_val", "uint16": "int_val",
}  # fmt: skip


def shape_proto(shape: Shape | None) -> Any:
    """A static shape as a message; -1 for an unknown size."""
    out = message("TensorShapeProto")()
    if shape is None:
        out.unknown_rank = True
        return out
    for d in shape:
        out.dim.add(size=d if type(d) is int else -1)
    return out


def shape_of(proto: Any) -> Shape | None:
    """The static shape of a message: new symbols for unknown sizes."""
    if proto.unknown_rank:
        return None
    return tuple([d.size if d.size >= 0 else D.fresh() for d in proto.dim])


def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Sequence[int] | None = None,
    verify_shape: bool = False, allow_broadcast: bool = False,
) -> Any:  # fmt: skip
    """A ``TensorProto`` of numbers, lists or arrays.

    Parameters
    ----------
    shape : list of int, optional
        By default that of `values`. A single value fills it where `allow_broadcast` says so.

    Raises
    ------
    TypeError, ValueError
        When `values` do not fit `dtype` or `shape`.
    """
    if isinstance(values, message("TensorProto")):
        return values
    want = None if dtype is None else as_dtype(dtype).base_dtype
    a, kind = as_array(values, want)
    if shape is not None:
        a = _fitted(a, tuple(int(d) for d in shape), verify_shape, allow_broadcast)
    return from_array(a, kind)


def _fitted(a: Array, shape: tuple[int, ...], verify: bool, broadcast: bool) -> Array:
    if a.shape == shape:
        return a
    if verify:
        raise TypeError(f"Expected Tensor's shape: {shape}, got {a.shape}.")
    size = int(np.prod(shape))
    if a.size == size:
        return a.reshape(shape)
    if a.size == 1 and broadcast:
        return np.broadcast_to(a.reshape(()), shape)
    raise ValueError(f"Too {'few' if a.size < size else 'many'} elements provided. Needed {size}, "
                     f"but received {a.size}")  # fmt: skip


def from_array(a: Array, dtype: DType) -> Any:
    """A ``TensorProto`` of an array: strings and single numbers listed, others as bytes."""
    out = message("TensorProto")(
        dtype=dtype.enum,
        tensor_shape=shape_proto(a.shape),
    )
    if dtype.kind == "s":
        items = [x.encode() if isinstance(x, str) else bytes(x) for x in a.reshape(-1).tolist()]
        out.string_val.extend(items)
        return out
    if dtype is bfloat16:
        a = bits_of(a)
    if a.size != 1 or dtype.is_complex:
        out.tensor_content = np.ascontiguousarray(a).tobytes()
        return out
    if dtype.name == "float16":
        a = np.ascontiguousarray(a).view(np.uint16)
    getattr(out, _FIELDS[dtype.name]).extend(a.reshape(-1).tolist())
    return out


def array_of(proto: Any) -> tuple[Array, DType]:
    """The array of a ``TensorProto``, and its element type.

    Raises
    ------
    TypeError, ValueError
        When graphc has no such type, or the message says less or more than its shape needs.
    """
    dtype = as_dtype(int(proto.dtype))
    shape = tuple([int(d.size) for d in proto.tensor_shape.dim])
    count = int(np.prod(shape, dtype=object))
    stored = np.dtype(np.uint16) if dtype is bfloat16 else dtype.np
    if proto.tensor_content:
        if len(proto.tensor_content) != count * dtype.size:
            raise ValueError(
                f"a tensor of {len(proto.tensor_content)} bytes with shape {list(shape)} of "
                f"{dtype.name}"
            )
        a = np.frombuffer(proto.tensor_content, stored.newbyteorder("<")).astype(stored, copy=False)
    elif dtype.is_complex:  # each number is two: what it has of 1 and of i
        kind = "scomplex_val" if dtype.size == 8 else "dcomplex_val"
        halves = np.array(getattr(proto, kind), np.float32 if dtype.size == 8 else np.float64)
        a = _listed(halves.view(dtype.np).tolist(), count, dtype, stored)
    else:
        a = _listed(getattr(proto, _FIELDS[dtype.name]), count, dtype, stored)
    if dtype is bfloat16:
        a = from_bits(a)
    return a.reshape(shape), dtype


def _listed(values: Any, count: int, dtype: DType, stored: np.dtype[Any]) -> Array:
    """Listed values; the last one stands for all that follow."""
    if len(values) > max(count, 1):
        raise ValueError(f"{len(values)} values for {count} elements")
    if count > 1 << 28 and len(values) <= 1:  # as a message it is a few bytes
        raise ValueError(f"{count} elements of one value")
    out = np.zeros(count, object if dtype.kind == "s" else stored)
    if dtype.kind == "s":
        out[:] = b""
    if len(values) and count:
        if dtype.name == "float16":
            given = np.array(list(values), np.uint16).view(np.float16)
        else:
            given = np.array(list(values), object if dtype.kind == "s" else stored)
        out[: len(given)] = given
        out[len(given) :] = given[-1]
    return out


def make_ndarray(tensor: Any) -> Array:
    """The array of a ``TensorProto``."""
    out: Array = array_of(tensor)[0].copy()
    return out
