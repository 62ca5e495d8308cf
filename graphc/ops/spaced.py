"""Ops that make evenly spaced numbers."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.known import LIMIT, static
from graphc.ir.node import Value
from graphc.ops.convert import as_array, convert
from graphc.ops.operands import fail, less, make, need_scalar, show
from graphc.ops.record import Attrs, Types, as_value, check_kind, no_grad, op, shape_error

__all__ = ["lin_space", "linspace", "range"]


def _length(start: Any, limit: Any, delta: Any) -> Dim:
    """The number of elements of an integer range."""
    if D.same(delta, 0):
        raise fail("Requires delta != 0", "Requires delta != 0", _range_text(start, limit, delta))
    up = less(0, delta)
    if up is None:
        return D.fresh()
    a, b, step = (start, limit, delta) if up else (limit, start, -delta)
    if less(b, a):
        raise _backwards(start, limit, delta, up)
    return (b - a) if step == 1 else D.ceildiv(b - a, step)


def _backwards(start: Any, limit: Any, delta: Any, up: bool) -> Exception:
    message = (
        f"Requires start {'<=' if up else '>='} limit when delta {'>' if up else '<'} 0: "
        f"{show(start)}/{show(limit)}"
    )
    return fail(message, message, _range_text(start, limit, delta))


def _range_text(start: Any, limit: Any, delta: Any) -> str:
    """What TF1 adds to messages of range, whose operands it sees as tensors."""
    shown = ", ".join(f"input[{i}] = <{show(v)}>" for i, v in enumerate((start, limit, delta)))
    return f" with input shapes: [], [], [] and with computed input tensors: {shown}"


def _range_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    ks = [static(inputs, attrs, n) for n in ("start", "limit", "delta")]
    dtype: DType = attrs["dtype"]
    for k in ks:
        if isinstance(k, tuple):
            raise shape_error("Shape must be rank 0 but is rank 1")
    if any(k is None for k in ks):
        return [(dtype, (D.fresh(),))]
    if dtype.kind == "f":
        a, b, c = ks
        if c == 0:
            raise fail("Requires delta != 0", "Requires delta != 0", _range_text(a, b, c))
        if (b - a) * c < 0:
            raise _backwards(a, b, c, c > 0)
        n = int(np.ceil(abs((b - a) / c)))
        return [(dtype, (n,))]
    return [(dtype, (_length(*ks),))]


def _range_element(
    k: Any, index: Shape, *, start: Any, limit: Any, delta: Any, dtype: DType
) -> Any:
    if dtype.kind != "f":
        return k.cast(k.index(index[0] * delta + start), dtype)
    i = k.cast(k.index(index[0]), dtype)
    step = k.let("multiply", i, k.const(delta, dtype), dtype=dtype)
    return k.let("add", k.const(start, dtype), step, dtype=dtype)


def _range_numpy(*, start: Any, limit: Any, delta: Any, dtype: DType) -> np.ndarray[Any, Any]:
    if dtype.kind != "f":
        return np.arange(start, limit, delta).astype(dtype.np)
    n = int(np.ceil(abs((limit - start) / delta)))
    t = dtype.np.type
    return np.asarray(t(start) + np.arange(n).astype(dtype.np) * t(delta), dtype.np)


def _range_dims(
    *args: Any,
    start: Any = None,
    limit: Any = None,
    delta: Any = None,
    dtype: Any = None,
    dynamic: Any = (),
) -> Any:
    got = {"start": start, "limit": limit, "delta": delta}
    got.update(zip(dynamic, args, strict=True))
    a, b, c = got["start"], got["limit"], got["delta"]
    if dtype.kind == "f" or any(x is None for x in (a, b, c)):
        return None
    n = _length(a, b, c)
    return tuple(a + i * c for i in builtins.range(n)) if type(n) is int and n <= LIMIT else None


range_op = op(
    "range", "Range", "view", doc="Evenly spaced numbers, without the end.", types="fiu",
    infer=_range_infer, element=_range_element, numpy=_range_numpy, dims=_range_dims, grad=no_grad,
)  # fmt: skip


def _range_operand(x: Any, want: DType | None, key: str) -> tuple[Any, DType]:
    """An operand of range as a number where it is known, and its element type."""
    if isinstance(x, D.Expr):
        return x, dtypes.int32
    if isinstance(x, Value):
        if x.node.op.name == "constant" and x.static_shape == ():
            return x.node.attrs["value"].item(), x.dtype
        if x.rank:
            raise shape_error(f"Shape must be rank 0 but is rank {x.rank}")
        return (x if want is None or x.dtype is want else as_value(x, want, key)), x.dtype
    if isinstance(x, np.ndarray | np.generic | float | int):
        a, t = as_array(x, want)
        need_scalar(a)
        return a.item(), t
    return _range_operand(as_value(x, want, key), want, key)


_ORDER = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64)


def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = "range"
) -> Value:
    """Numbers from `start` up to, not including, `limit` in steps of `delta`.

    Raises
    ------
    ValueError
        When `delta` is 0 or leads away from `limit`.
    """
    if limit is None:
        start, limit = 0, start
    want = None if dtype is None else as_dtype(dtype)
    builder = current()
    with builder.scope(name, "Range") as scope:
        types: list[DType] = []
        parts: dict[str, Any] = {}
        for key, x in {"start": start, "limit": limit, "delta": delta}.items():
            parts[key], t = _range_operand(x, want, key)
            types.append(t)
            if not isinstance(x, Value):
                builder.reserve(key)
        if want is None:
            for t in types:
                if t not in _ORDER:
                    raise ValueError(f"range does not take {t.name}")
            want = max(types, key=_ORDER.index)
        attrs: dict[str, Any] = {"dtype": want}
        dynamic = tuple(k for k, v in parts.items() if isinstance(v, Value))
        if dynamic and want.kind == "f":
            return _float_range(parts, want, scope or name)
        tail = [_cast(parts[k], want) for k in dynamic]
        kind = float if want.kind == "f" else int
        attrs.update(
            {
                k: v if isinstance(v, D.Expr) else kind(v)
                for k, v in parts.items()
                if k not in dynamic
            }
        )
        if dynamic:
            attrs["dynamic"] = dynamic
        return build(range_op, tail, attrs, scope or name).outputs[0]


def _cast(x: Value, dtype: DType) -> Value:
    from graphc.ops import math

    return x if x.dtype is dtype else math.cast(x, dtype)


def _float_range(parts: Mapping[str, Any], dtype: DType, name: str | None) -> Value:
    """A range of floats given as tensors: its length is an integer tensor of its own."""
    from graphc.ops import math

    start, limit, delta = (
        _cast(v, dtype) if isinstance(v, Value) else convert(v, dtype, k) for k, v in parts.items()
    )
    n = _cast(math.ceil(math.abs((limit - start) / delta)), dtypes.int32)
    steps = _cast(range(n), dtype) * delta
    return math.add(start, steps, name=name)  # type: ignore[no-any-return]


range_op.call = range


def _linspace_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    for param, v in zip(linspace_op.args, inputs, strict=False):
        check_kind(linspace_op, param, v.dtype, linspace_op.types)
        if v.static_shape not in ((), None):
            raise shape_error(f"Shape must be rank 0 but is rank {v.rank}")
    n = static(inputs, attrs, "num")
    if n is None:
        return [(inputs[0].dtype, (D.fresh(),))]
    if less(n, 1):
        raise fail(f"Requires num > 0: {show(n)}", f"Requires num > 0: {show(n)}")
    return [(inputs[0].dtype, (n,))]


def _linspace_element(k: Any, index: Shape, start: Value, stop: Value, *, num: Dim) -> Any:
    a, b = k.read(start, ()), k.read(stop, ())
    if num == 1:
        return a
    t = start.dtype
    last = k.cast(k.index(D.maximum(num - 1, 1)), t)
    step = k.let("realdiv", k.let("subtract", b, a, dtype=t), last, dtype=t)
    i = k.cast(k.index(index[0]), t)
    return k.let("add", a, k.let("multiply", step, i, dtype=t), dtype=t)


def _linspace_numpy(start: Any, stop: Any, *, num: int) -> np.ndarray[Any, Any]:
    t = start.dtype.type
    step = t((stop - start) / t(max(num - 1, 1)))
    return np.asarray(start + step * np.arange(num).astype(start.dtype), start.dtype)


linspace_op = op(
    "linspace", "LinSpace", "view", doc="Evenly spaced floats, both ends included.",
    args=("start", "stop"), types="f", infer=_linspace_infer, element=_linspace_element,
    numpy=_linspace_numpy, grad=no_grad,
)  # fmt: skip


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Value:
    """`num` floats from `start` to `stop`.

    Raises
    ------
    ValueError
        When `num` is not positive.
    """
    values = [("start", start), ("stop", stop)]
    return make(linspace_op, values, {"num": ("num", num)}, name).outputs[0]


lin_space = linspace
linspace_op.call = linspace
