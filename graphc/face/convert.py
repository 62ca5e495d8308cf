"""Public conversions: `convert_to_tensor`, `IndexedSlicesValue`, and what stands for a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphc.face.elements import Operation, Tensor
from graphc.face.fetches import register_session_run_conversion_functions
from graphc.face.shape import Dimension, TensorShape
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import convert
from graphc.ops.indexed import IndexedSlices

__all__ = [
    "IndexedSlicesValue", "convert_n_to_tensor", "convert_to_tensor",
    "convert_to_tensor_or_indexed_slices", "is_tensor", "register_tensor_conversion_function",
]  # fmt: skip


class IndexedSlicesValue(NamedTuple):
    """The value of `IndexedSlices`, as a run returns it."""

    values: Any
    indices: Any
    dense_shape: Any = None


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    dtype_hint: Any = None,
) -> Value:
    """`value` as a tensor of the default graph.

    Parameters
    ----------
    value : tensor, variable, number, list, array
    dtype : DType, optional
        Element type the tensor must have.
    preferred_dtype, dtype_hint : DType, optional
        Element type it should have where `value` allows.

    Raises
    ------
    TypeError, ValueError
        When no such tensor can be made of `value`.
    """
    hint = preferred_dtype if dtype_hint is None else dtype_hint
    return convert.convert_to_tensor(value, dtype, name, hint)


def convert_n_to_tensor(values: Any, dtype: Any = None, name: str | None = None) -> list[Value]:
    """Each of `values` as a tensor."""
    return [
        convert_to_tensor(v, dtype, None if name is None else f"{name}_{i}")
        for i, v in enumerate(values)
    ]


def convert_to_tensor_or_indexed_slices(
    value: Any, dtype: Any = None, name: str | None = None
) -> Any:
    """`value` as a tensor; `IndexedSlices` stay as they are."""
    if isinstance(value, IndexedSlices):
        return value
    return convert_to_tensor(value, dtype, name)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or a variable, or is made of tensors."""
    return isinstance(x, Value | Variable | IndexedSlices) or callable(
        getattr(x, "_as_graph_element", None)
    )


def register_tensor_conversion_function(
    base_type: Any, conversion_func: Callable[..., Any], priority: int = 100
) -> None:
    """Let objects of `base_type` stand for tensors.

    Parameters
    ----------
    base_type : type or tuple of types
    conversion_func : callable
        ``(value, dtype=None, name=None, as_ref=False) -> tensor``.
    """
    types = base_type if isinstance(base_type, tuple) else (base_type,)
    if not all(isinstance(t, type) for t in types):
        raise TypeError("base_type must be a type or a tuple of types.")
    if not callable(conversion_func):
        raise TypeError("conversion_func must be callable.")

    def convert_(value: Any, dtype: DType | None, name: str | None) -> Value:
        made = conversion_func(value, dtype=dtype, name=name, as_ref=False)
        if made is NotImplemented:
            raise TypeError(f"Cannot convert {value!r:.80} to a Tensor")
        if not isinstance(made, Value):
            raise RuntimeError(f"conversion_func of {type(value)} returned {made!r:.80}")
        if dtype is not None and made.dtype is not dtype:
            raise RuntimeError(
                f"Conversion function {conversion_func!r} for type {type(value)} returned "
                f"incompatible dtype: requested = {dtype.name}, actual = {made.dtype.name}"
            )
        return made

    for t in types:
        convert.register_conversion(t, convert_)


# --------------------------------------------------------------------- what stands for a tensor


def _shape_tensor(s: TensorShape, dtype: DType | None, name: str | None) -> Value:
    if not s.is_fully_defined():
        raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {s}")
    sizes = [int(d) for d in s]
    if dtype is None:
        dtype = dtypes.int64 if any(d >= 2**31 for d in sizes) else dtypes.int32
    elif dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(f"Cannot convert a TensorShape to dtype: {dtype.name}")
    return convert.constant(sizes, dtype, name=name or "shape_as_tensor")


def _dimension_tensor(d: Dimension, dtype: DType | None, name: str | None) -> Value:
    if d.value is None:
        raise ValueError(f"Cannot convert an unknown Dimension to a Tensor: {d}")
    if dtype not in (None, dtypes.int32, dtypes.int64):
        raise TypeError(f"Cannot convert a TensorShape to dtype: {dtype}")
    return convert.constant(d.value, dtype or dtypes.int32, name=name or "shape_as_tensor")


def _operation_tensor(op: Operation, dtype: DType | None, name: str | None) -> Value:
    raise TypeError(
        f"Can't convert Operation '{op.name}' to Tensor (target dtype="
        f"{None if dtype is None else dtype.name}, name={name!r}, as_ref=False)"
    )


convert.register_conversion(TensorShape, _shape_tensor, packs=False)
convert.register_conversion(Dimension, _dimension_tensor, packs=False)
convert.register_conversion(Operation, _operation_tensor, packs=False)


def _slices_parts(x: IndexedSlices) -> list[Tensor]:
    return [p for p in (x.values, x.indices, x.dense_shape) if p is not None]


register_session_run_conversion_functions(
    IndexedSlices,
    lambda x: (_slices_parts(x), lambda values: IndexedSlicesValue(*values)),
    lambda x, value: zip(_slices_parts(x), value, strict=False),
    _slices_parts,
)
