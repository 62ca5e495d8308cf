"""Other element types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops import intervals, sharing
from graphc.ops.record import Attrs, Types, apply, as_value, elementwise, no_grad, shape_error
from graphc.ops.selecting import maximum, minimum

__all__ = [
    "bitcast",
    "cast",
    "saturate_cast",
    "to_bfloat16",
    "to_double",
    "to_float",
    "to_int32",
    "to_int64",
]


# ------------------------------------------------------------------------- conversion


def _saturated(x: Any, t: Any) -> Any:
    """Floats as integers: toward zero, NaN to 0, out of range to the nearest end (rule C3)."""
    info = np.iinfo(t)
    whole = np.trunc(np.asarray(x, np.float64))
    inside = (whole >= float(info.min)) & (whole < float(info.max) + 1)
    out = np.where(inside, whole, 0).astype(t)
    out = np.where(whole >= float(info.max) + 1, t.type(info.max), out)
    return np.where(whole < float(info.min), t.type(info.min), out)


def _cast(x: Any, *, dtype: DType) -> Any:
    if dtype.kind == "b":
        return x != 0
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    if x.dtype.kind == "f" and dtype.kind in "iu":
        return _saturated(x, dtype.np)
    return np.asarray(x).astype(dtype.np)


def _cast_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dtype = inputs[0], attrs["dtype"]
    if "s" in (x.dtype.kind, dtype.kind):
        raise shape_error(f"Cast {x.dtype.name} to {dtype.name} is not supported")
    return [(dtype, x.static_shape)]


def _cast_grad(y: Value, dy: Value, x: Value, dtype: DType) -> Value | None:
    return cast(dy, x.dtype) if x.dtype.kind in "fc" and dtype.kind in "fc" else None


def _cast_call(x: Any, dtype: Any, name: str | None = None) -> Value:
    to = as_dtype(dtype).base_dtype
    if isinstance(x, Value):
        return x if x.dtype is to else build(cast, (x,), {"dtype": to}, name).outputs[0]
    if hasattr(x, "dense_shape") and isinstance(x.values, Value):  # sparse: its values
        values = _cast_call(x.values, to, name)
        made: Any = type(x)(indices=x.indices, values=values, dense_shape=x.dense_shape)
        return made  # type: ignore[no-any-return]
    with current().scope(name, "Cast") as scope:
        v = as_value(x, name="x")
        return v if v.dtype is to else build(cast, (v,), {"dtype": to}, scope or name).outputs[0]


cast = elementwise(
    "cast", "Cast", "x converted to `dtype`; a tensor that has it already is returned as it is.",
    numpy=_cast, types="fiubc", infer=_cast_infer, grad=_cast_grad, call=_cast_call,
    scalar=lambda k, x, dtype: k.cast(x, dtype),
    dims=lambda a, dtype: a,
    interval=intervals.first,
)  # fmt: skip


def _to(dtype: DType, default: str) -> Callable[..., Value]:
    def to(x: Any, name: str | None = default) -> Value:
        return _cast_call(x, dtype, name)

    to.__doc__ = f"`x` cast to {dtype.name}."
    to.__name__ = to.__qualname__ = f"to_{'float' if dtype.code == 'f32' else dtype.name}"
    return to


to_float = _to(dtypes.float32, "ToFloat")
to_double = _to(dtypes.float64, "ToDouble")
to_int32 = _to(dtypes.int32, "ToInt32")
to_int64 = _to(dtypes.int64, "ToInt64")
to_bfloat16 = _to(dtypes.bfloat16, "ToBFloat16")


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Value:
    """`value` cast to `dtype`, values outside its range becoming the nearest end."""
    to = as_dtype(dtype).base_dtype
    with current().scope(name, "saturate_cast") as scope:
        value = as_value(value, name="value")
        if value.dtype.min < to.min:
            value = maximum(value, as_value(value.dtype.as_numpy_dtype(to.min), value.dtype, "min"))
        if value.dtype.max > to.max:
            value = minimum(value, as_value(value.dtype.as_numpy_dtype(to.max), value.dtype, "max"))
        return _cast_call(value, to, scope or name)


def _bitcast_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dtype = inputs[0], attrs["type"]
    odd = dtypes.bfloat16 in (x.dtype, dtype) or "b" in (x.dtype.kind, dtype.kind)
    if x.dtype.size != dtype.size or odd:
        raise shape_error(
            f"Cannot bitcast from {x.dtype.name} to {dtype.name}: graphc takes types of one size, "
            "without bool and bfloat16"
        )
    return [(dtype, x.static_shape)]


def _bitcast(x: Any, *, type: DType) -> Any:
    return np.ascontiguousarray(x).view(type.np).reshape(np.shape(x))


def _bitcast_call(input: Any, type: Any, name: str | None = None) -> Value:
    to = as_dtype(type).base_dtype
    given = as_value(input, name="input")
    if given.dtype.size != to.size and not {"b", "s"} & {given.dtype.kind, to.kind}:
        from graphc.ops.bits import as_other_size

        return as_other_size(given, to, name)
    return apply(bitcast, (input,), {"type": to}, name).outputs[0]


bitcast = elementwise(
    "bitcast", "Bitcast", "The same bits as another type of the same size.",
    numpy=_bitcast, types="fiu", args=("input",), infer=_bitcast_infer, grad=no_grad,
    call=_bitcast_call,
    scalar=lambda k, x, type: k.bitcast(x, type), facts={"shares": sharing.always},
)  # fmt: skip
