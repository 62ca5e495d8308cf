"""Tensors and sparse tensors as the bytes of ``TensorProto`` messages, and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.face.current import name_scope
from graphc.graphdef.tensors import array_of
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Types, as_value, no_grad, op
from graphc.proto import library, message
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "deserialize_many_sparse", "parse_tensor", "serialize_many_sparse", "serialize_sparse",
    "serialize_tensor",
]  # fmt: skip

Array = np.ndarray[Any, Any]


def serialized(a: Array, dtype: DType) -> Array:
    made = message("TensorProto")(dtype=dtype.enum)
    for n in a.shape:
        made.tensor_shape.dim.add(size=n)
    made.tensor_shape.SetInParent()
    if dtype.kind == "s":
        made.string_val.extend(a.reshape(-1).tolist())
    else:
        made.tensor_content = np.ascontiguousarray(a).tobytes()
    return np.array(made.SerializeToString(), object)


serialize_op = op(
    "serialize_tensor", "SerializeTensor", "host", doc="A tensor as a ``TensorProto``.",
    args=("tensor",), infer=lambda inputs, attrs: [(dtypes.string, ())], numpy=serialized,
    grad=no_grad, types="fiubs",
)  # fmt: skip


def serialize_tensor(tensor: Any, name: str | None = None) -> Value:
    """A tensor as the bytes of a ``TensorProto`` message."""
    message("TensorProto")
    v = as_value(tensor)
    return build(serialize_op, [v], {"dtype": v.dtype}, name).outputs[0]


def _parse_tensor(data: Array, out_type: DType) -> Array:
    try:
        array, dtype = array_of(message("TensorProto").FromString(data[()]))
    except (library("message").DecodeError, ValueError, TypeError):
        raise InvalidArgumentError(None, None, "Could not parse tensor from proto") from None
    if dtype is not out_type:
        called = {"float32": "float", "float64": "double", "float16": "half"}
        raise InvalidArgumentError(
            None, None,
            f"Type mismatch between parsed tensor ({called.get(dtype.name, dtype.name)}) and dtype "
            f"({called.get(out_type.name, out_type.name)})",
        )  # fmt: skip
    return array


parse_tensor_op = op(
    "parse_tensor", "ParseTensor", "host", doc="A ``TensorProto`` as a tensor.",
    args=("serialized",), infer=lambda inputs, attrs: [(attrs["out_type"], None)],
    numpy=_parse_tensor, grad=no_grad, types="s",
)  # fmt: skip


def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Value:
    """The tensor in the bytes of a ``TensorProto`` message."""
    message("TensorProto")
    attrs = {"out_type": as_dtype(out_type).base_dtype}
    return build(parse_tensor_op, [as_value(serialized, dtypes.string)], attrs, name).outputs[0]


# --------------------------------------------------------------------- sparse tensors


def _refuse(message: str) -> Exception:
    return InvalidArgumentError(None, None, message)


def _parts(indices: Array, values: Array, shape: Array, dtype: DType) -> list[bytes]:
    parts = (indices, dtypes.int64), (values, dtype), (shape, dtypes.int64)
    return [bytes(serialized(a, kind)[()]) for a, kind in parts]


def _serialize_sparse(indices: Array, values: Array, shape: Array, dtype: DType) -> Array:
    return np.array(_parts(indices, values, shape, dtype), object)


def _serialize_rows(indices: Array, values: Array, shape: Array, dtype: DType) -> Array:
    if len(shape) < 2:
        raise _refuse(f"Rank of input SparseTensor should be > 1, but saw rank: {len(shape)}")
    out = np.empty((int(shape[0]), 3), object)
    starts = np.searchsorted(indices[:, 0], np.arange(len(out) + 1))
    for row, (i, j) in enumerate(pairwise(starts)):
        out[row] = _parts(indices[i:j, 1:], values[i:j], shape[1:], dtype)
    return out


serialize_sparse_op = op(
    "serialize_sparse", "SerializeSparse", "host",
    doc="Indices, values and shape of a sparse tensor, each as a ``TensorProto``.",
    args=("indices", "values", "shape"), infer=lambda inputs, attrs: [(dtypes.string, (3,))],
    numpy=_serialize_sparse, grad=no_grad, types="fiubs",
)  # fmt: skip
serialize_rows_op = op(
    "serialize_many_sparse", "SerializeManySparse", "host",
    doc="Each row of a sparse tensor as three ``TensorProto``.",
    args=("indices", "values", "shape"),
    infer=lambda inputs, attrs: [(dtypes.string, (D.fresh(), 3))],
    numpy=_serialize_rows, grad=no_grad, types="fiubs",
)  # fmt: skip


def _serialized(record: Any, x: Any, name: str | None, out_type: Any) -> Value:
    if not isinstance(x, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    if as_dtype(out_type) is not dtypes.string:
        raise ValueError(f"graphc serializes to strings, not {as_dtype(out_type).name}")
    message("TensorProto")
    inputs = [x.indices, x.values, x.dense_shape]
    return build(record, inputs, {"dtype": x.values.dtype}, name).outputs[0]


def serialize_sparse(
    sp_input: Any, name: str | None = None, out_type: Any = dtypes.string
) -> Value:
    """A sparse tensor as three strings: its indices, values and shape.

    Raises
    ------
    TypeError
        When `sp_input` is no SparseTensor.
    """
    return _serialized(serialize_sparse_op, sp_input, name, out_type)


def serialize_many_sparse(
    sp_input: Any, name: str | None = None, out_type: Any = dtypes.string
) -> Value:
    """Each row of a sparse tensor of rank 2 or more as three strings, `deserialize_many_sparse`."""
    return _serialized(serialize_rows_op, sp_input, name, out_type)


def _deserialized(row: Sequence[bytes], dtype: DType, where: int) -> list[Array]:
    out = []
    kinds = {"indices": dtypes.int64, "values": dtype, "shape": dtypes.int64}
    for data, (what, kind) in zip(row, kinds.items(), strict=True):
        try:
            array, found = array_of(message("TensorProto").FromString(data))
        except (library("message").DecodeError, ValueError, TypeError):
            raise _refuse("Could not parse serialized proto") from None
        if found is not kind:
            raise _refuse(
                f"Requested SparseTensor of type {dtype.name} but SparseTensor[{where}].{what}."
                f"dtype() == {found.name}"
            )
        out.append(array)
    indices, values, shape = out
    fits = indices.ndim == 2 and values.ndim == shape.ndim == 1
    if not (fits and indices.shape == (len(values), len(shape))):
        raise _refuse(
            f"SparseTensor[{where}]: indices {list(indices.shape)}, values {list(values.shape)} "
            f"and shape {list(shape.shape)} are not those of one sparse tensor"
        )
    return out


def _deserialize_rows(rows: Array, *, dtype: DType) -> tuple[Array, Array, Array]:
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise _refuse(f"Serialized sparse should have shape [rows, 3], not {list(rows.shape)}")
    if not len(rows):
        raise _refuse("Must have at least 1 serialized SparseTensor, but input matrix has 0 rows")
    parts = [_deserialized(row, dtype, i) for i, row in enumerate(rows.tolist())]
    ranks = {len(shape) for _, _, shape in parts}
    if len(ranks) > 1:
        raise _refuse(f"SparseTensors of different ranks: {sorted(ranks)}")
    indices = [np.insert(at, 0, i, 1) for i, (at, _, _) in enumerate(parts)]
    shape = np.max([s for _, _, s in parts], axis=0)
    values = np.concatenate([v for _, v, _ in parts])
    return np.concatenate(indices), values, np.concatenate([[len(rows)], shape]).astype(np.int64)


def _rows_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n, rank = D.fresh(), D.fresh()
    return [(dtypes.int64, (n, rank)), (attrs["dtype"], (n,)), (dtypes.int64, (rank,))]


deserialize_rows_op = op(
    "deserialize_many_sparse", "DeserializeManySparse", "host",
    doc="Serialized sparse tensors as the rows of one.", args=("serialized_sparse",),
    infer=_rows_infer, numpy=_deserialize_rows, grad=no_grad, types="s",
)  # fmt: skip


def deserialize_many_sparse(
    serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    """One sparse tensor whose rows are serialized ones; its shape holds the largest of them.

    Parameters
    ----------
    serialized_sparse : string tensor
        Of shape (rows, 3), by `serialize_many_sparse` or of stacked `serialize_sparse`.
    dtype : DType
        Of the values.
    rank : int, optional
        Of the result, where it is known.

    Raises
    ------
    InvalidArgumentError
        In a run, for strings that are no sparse tensors of `dtype`.
    """
    message("TensorProto")
    with name_scope(name, "DeserializeManySparse"):
        strings = as_value(serialized_sparse, dtypes.string)
        attrs = {"dtype": as_dtype(dtype).base_dtype}
        indices, values, shape = build(deserialize_rows_op, [strings], attrs).outputs
    indices.set_shape([None, rank])  # type: ignore[attr-defined]
    shape.set_shape([rank])  # type: ignore[attr-defined]
    return sparse_of(indices, values, shape)
