"""Ops that make tensors of one value or two: fill, zeros, ones, one_hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.known import LIMIT, static
from graphc.ir.node import Value
from graphc.ops.convert import make_constant
from graphc.ops.counting import made
from graphc.ops.operands import (
    fail,
    known_shape,
    less,
    make,
    need_scalar,
    need_vector,
    show,
    static_operand,
)
from graphc.ops.record import Attrs, Types, as_value, no_grad, op, shape_error
from graphc.ops.shapes import shape, vector_operand, whole

__all__ = ["fill", "one_hot", "ones", "ones_like", "zeros", "zeros_like"]


def _fill_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    if inputs[0].static_shape not in ((), None):
        raise shape_error(f"Shape must be rank 0 but is rank {inputs[0].rank}")
    return [(inputs[0].dtype, known_shape(inputs, attrs, "dims"))]


def _fill_dims(value: Any, *rest: Any, **attrs: Any) -> Any:
    n = attrs.get("dims", rest[-1] if rest else None)
    if n == ():
        return value
    return (value,) * n[0] if n and type(n[0]) is int and 0 <= n[0] <= LIMIT else None


fill_op = op(
    "fill", "Fill", "view", doc="A tensor of one value.", args=("value",), types="fiubsc",
    infer=_fill_infer,
    element=lambda k, index, value, *dims, **a: k.read(value, ()),
    dims=_fill_dims,
    numpy=lambda value, *, dims: np.full(dims, value, value.dtype),
    grad=lambda y, dy, value, *rest, **a: (_sum_all(dy), *(None for _ in rest)),
)  # fmt: skip


def _sum_all(x: Value) -> Value:
    from graphc.ops import reduce

    return reduce.reduce_sum(x)  # type: ignore[no-any-return]


def fill(dims: Any, value: Any, name: str | None = None) -> Value:
    """A tensor of shape `dims`, every element `value`."""
    return make(fill_op, [("value", value)], {"dims": ("dims", dims)}, name).outputs[0]


fill_op.call = fill


def _whole_sizes(sizes: Any) -> Any:
    """Sizes as integers where some are floats, such as ``n / 2``, or bools: TF1 takes them here.

    Of a list for fewer than 1000 elements it takes the whole part of a size.
    """
    listed = isinstance(sizes, list | tuple | np.ndarray)
    if not listed:
        sizes = vector_operand(sizes)
    if hasattr(sizes, "as_list"):
        return sizes
    numbers = [getattr(d, "value", d) for d in sizes]
    if not all(isinstance(d, int | float | np.number | np.bool_) for d in numbers):
        return sizes
    if all(isinstance(d, int | np.integer) and not isinstance(d, bool) for d in numbers):
        return sizes
    small = listed and min(numbers) >= 0 and np.prod(numbers) < 1000
    for d in numbers:
        if not (small or (d >= 0 and d == np.floor(d))):
            raise TypeError(f"Expected int32, got {d} of type '{type(d).__name__}' instead.")
    return [int(d) for d in numbers]


def _asked(sizes: Any) -> int:
    """How many operations TF1 makes to find out whether a list with tensors is a small shape.

    It multiplies them all and compares: numbers become constants beside the first tensor.
    """
    if not isinstance(sizes, list | tuple) or not any(isinstance(d, Value) for d in sizes):
        return 0
    count, product = 2, isinstance(sizes[0], Value)
    for d in sizes[1:]:
        one = isinstance(d, Value)
        count += 1 if product and one else 2 if product or one else 0
        product = product or one
    return count


def _filled(value: int, shape: Any, dtype: Any, name: str | None, default: str) -> Value:
    dtype = as_dtype(dtype).base_dtype
    if dtype.kind == "s" and value:
        raise TypeError("ones of strings")
    element: Any = b"" if dtype.kind == "s" else np.array(value, dtype.np)
    builder = current()
    with builder.scope(name, default) as scope:
        if not isinstance(shape, Value):
            made(_asked(shape))
            s = static_operand(_whole_sizes(shape), "shape", "packed")
            if not isinstance(s, Value):
                need_vector(s)
                for d in s:
                    if type(d) is int and d < 0:
                        raise ValueError(
                            f"Error converting shape to a TensorShape: Dimension {d} must be >= 0."
                        )
                n = D.product(s)
                listed = isinstance(shape, list | tuple | np.ndarray) or hasattr(shape, "as_list")
                if type(n) is int and n < 1000 and listed:
                    a = np.full(s, element, dtype.np)
                    return make_constant(a, dtype, scope or name or default)
                builder.reserve("shape_as_tensor")
            shape = s
        else:
            shape = vector_operand(shape)
            s = static_operand(shape, "dims")
        v = make_constant(np.array(element, dtype.np), dtype, "Const")
        if isinstance(s, Value):
            return build(fill_op, (v, s), {"dynamic": ("dims",)}, scope or name).outputs[0]
        return build(fill_op, (v,), {"dims": s}, scope or name).outputs[0]


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Value:
    """A tensor of zeros (False, empty strings)."""
    return _filled(0, shape, dtype, name, "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Value:
    """A tensor of ones (True)."""
    return _filled(1, shape, dtype, name, "ones")


zeros_like_op = op(
    "zeros_like", "ZerosLike", "view", doc="Zeros in the shape and type of x.", args=("x",),
    types="fiubsc",
    infer=lambda inputs, attrs: [(inputs[0].dtype,
    inputs[0].static_shape)],
    numpy=np.zeros_like,
    expand=lambda x: fill_static(whole(x), 0, x.dtype),
    grad=no_grad,
    dims=lambda x: (0,) * x.static_shape[0] if x.static_shape else 0,
    facts={"shape_operands": (0,), "shape_only": True},
    interval=lambda *xs: (0.0, 0.0),
)  # fmt: skip


def fill_static(shape: Shape, value: Any, dtype: DType) -> Value:
    """`fill` with sizes that are already an attribute's (graph rewriting)."""
    v = make_constant(np.array(value, dtype.np), dtype, None)
    return v if shape == () else build(fill_op, (v,), {"dims": tuple(shape)}).outputs[0]


def zeros_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Value:
    """Zeros in the shape of `tensor`, of its type or of `dtype`."""
    with current().scope(name, "zeros_like") as scope:
        x = as_value(tensor, None, "tensor")
        want = x.dtype if dtype is None else as_dtype(dtype).base_dtype
        if D.is_known(x.static_shape):
            return zeros(x.static_shape, want, scope or name)
        if want is not x.dtype:
            return zeros(shape(x), want, scope or name)
        return build(zeros_like_op, (x,), {}, scope or name).outputs[0]


def ones_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Value:
    """Ones in the shape of `tensor`, of its type or of `dtype`."""
    with current().scope(name, "ones_like") as scope:
        x = as_value(tensor, None, "tensor")
        want = x.dtype if dtype is None else as_dtype(dtype).base_dtype
        y = ones(shape(x), want, scope or name)
        if D.facts() is None and x.static_shape is not None:
            y.static_shape = x.static_shape
        return y


# ------------------------------------------------------------------------- one hot


def _one_hot_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    depth = static(inputs, attrs, "depth")
    need_scalar(depth)
    if depth is not None and less(depth, 0):
        raise fail(
            f"Dimension size, given by scalar input 1, must be non-negative but is {show(depth)}",
            f"depth must be non-negative, got: {show(depth)}",
            f", [] and with computed input tensors: input[1] = <{show(depth)}>",
        )
    if s is None:
        return [(inputs[1].dtype, None)]
    axis = attrs.get("axis", -1)
    if not -1 <= axis <= len(s):
        raise shape_error(
            f"Expected axis to be -1 or between [0, {len(s) + 1}). But received: {axis}"
        )
    at = len(s) if axis == -1 else axis
    return [(inputs[1].dtype, (*s[:at], D.fresh() if depth is None else depth, *s[at:]))]


def _one_hot_element(
    k: Any, index: Shape, x: Value, on: Value, off: Value, *, depth: Dim, axis: int
) -> Any:
    at = len(index) - 1 if axis == -1 else axis
    i = k.cast(k.read(x, index[:at] + index[at + 1 :]), dtypes.int64)
    hit = k.let("equal", i, k.index(index[at]), dtype=dtypes.bool_)
    return k.select(hit, k.read(on, ()), k.read(off, ()))


def _one_hot_numpy(x: Any, on: Any, off: Any, *, depth: int, axis: int) -> np.ndarray[Any, Any]:
    hit = np.expand_dims(x, axis).astype(np.int64) == np.arange(depth).reshape(
        (-1, *(1,) * (0 if axis == -1 else x.ndim - axis))
    )
    return np.asarray(np.where(hit, on, off), on.dtype)


def _one_hot_grad(
    y: Value, dy: Value, x: Value, on: Value, off: Value, *rest: Value, **a: Any
) -> Any:
    return (None, None, None, *(None for _ in rest))


one_hot_op = op(
    "one_hot", "OneHot", "view", doc="One value at the index, another elsewhere.",
    args=("indices", "on_value", "off_value"), types="iu", infer=_one_hot_infer,
    element=_one_hot_element, numpy=_one_hot_numpy, grad=_one_hot_grad,
)  # fmt: skip


def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int | None = None,
    dtype: Any = None, name: str | None = None,
) -> Value:  # fmt: skip
    """A new axis of `depth` elements, `on_value` at the index and `off_value` elsewhere.

    An index outside [0, depth) gives `off_value` everywhere.
    """
    with current().scope(name, "one_hot") as scope:
        want = None if dtype is None else as_dtype(dtype).base_dtype
        found = []
        for label, v in (("on_value", on_value), ("off_value", off_value)):
            if v is None:
                continue
            t = as_value(v).dtype
            if want is not None and t is not want:
                raise TypeError(f"dtype {t} of {label} does not match dtype parameter {want}")
            found.append(t)
        if len(found) == 2 and found[0] is not found[1]:
            raise TypeError(
                f"dtype {found[0]} of on_value does not match dtype {found[1]} of off_value"
            )
        want = want or (found[0] if found else dtypes.float32)
        x = as_value(indices, None, "indices")
        if x.dtype not in (dtypes.uint8, dtypes.int32, dtypes.int64):
            raise TypeError(
                f"Value passed to parameter 'indices' has DataType {x.dtype.name} not in list of "
                "allowed values: uint8, int32, int64"
            )
        on = as_value(1 if on_value is None else on_value, want, "on_value")
        off = as_value(0 if off_value is None else off_value, want, "off_value")
        values = [("indices", x), ("on_value", on), ("off_value", off)]
        attrs = {"axis": -1 if axis is None else int(axis)}
        return make(one_hot_op, values, {"depth": ("depth", depth)}, scope or name, attrs).outputs[
            0
        ]


one_hot_op.call = one_hot
