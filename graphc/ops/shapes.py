"""Ops on shapes: other ones for the same elements, and what they are.

Operands that TF1 takes as tensors but that are nearly always known (shape, perm, begin, axis…)
are attributes with plain integers. Where the user gives a tensor whose value is not known, the
attribute is absent, ``dynamic`` names it, and the tensor is one more input at the end:
`infer` reads both through `graphc.ir.known`.
"""

from __future__ import annotations

import math as _math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import intervals
from graphc.ops.convert import make_constant
from graphc.ops.counting import made
from graphc.ops.operands import (
    axis_of,
    fail,
    less,
    make,
    need_vector,
    show,
    text,
)
from graphc.ops.record import Attrs, Types, as_value, ints, no_grad, op, shape_error

__all__ = [
    "expand_dims", "rank", "reshape", "reshape_like", "shape", "shape_n", "size", "sizes",
    "squeeze",
]  # fmt: skip


def vector_operand(x: Any) -> Any:
    """A shape given as one number means a shape of one size."""
    if isinstance(x, Value):
        return x if x.static_shape else reshape(x, [-1])
    if isinstance(x, list | tuple | np.ndarray) or hasattr(x, "as_list"):
        return x
    return [x]


# ------------------------------------------------------------------------- same bytes, other shape


def _reshape_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    want = static(inputs, attrs, "shape")
    if want is None:
        return [(x.dtype, None)]
    need_vector(want)
    return [(x.dtype, _reshaped(x.static_shape, want))]


def _reshaped(given: Shape | None, want: Sequence[Dim | None]) -> Shape:
    planned = D.facts() is not None
    holes = [i for i, d in enumerate(want) if d is None or d == -1 or _is_minus_one(d)]
    rest: Dim = D.product(d for i, d in enumerate(want) if i not in holes and d is not None)
    for i, d in enumerate(want):
        if i not in holes and d is not None and less(d, 0):
            raise fail(
                f"Invalid value in tensor used for shape: {show(d)}",
                f"Size {i} must be non-negative, not {show(d)}",
            )
    if planned and len(holes) > 1:
        raise shape_error(f"Only one input size may be -1, not both {holes[0]} and {holes[1]}")
    out = [D.fresh() if i in holes else d for i, d in enumerate(want)]
    if given is None:
        return tuple(out)  # type: ignore[arg-type]
    total = D.product(given)
    if not holes:
        if D.same(total, rest) is False:
            raise fail(
                f"Cannot reshape a tensor with {total} elements to shape {text(want)} ({rest} "
                "elements)",
                f"Input to reshape is a tensor with {show(total)} values, but the requested "
                f"shape has {show(rest)}",
                _wanted_text(want, ()),
            )
    elif len(holes) == 1:
        zero = D.same(rest, 0)
        if zero:
            if planned:
                out[holes[0]] = _remaining(given, [d for d in want if d is not None])
            return tuple(out)  # type: ignore[arg-type]
        d = total // rest
        if D.same(d * rest, total) is False:
            raise fail(
                f"Dimension size must be evenly divisible by {rest} but is {total}",
                f"Input to reshape is a tensor with {show(total)} values, but the requested "
                f"shape requires a multiple of {show(rest)}",
                _wanted_text(want, holes),
            )
        out[holes[0]] = d
    return tuple(out)  # type: ignore[arg-type]


def _remaining(given: Shape, want: Sequence[Dim]) -> Dim:
    """The size that is -1 beside one of 0: TF1 then leaves all sizes of 0 out on both sides."""
    there, asked = (
        D.product([d for d in sizes if not D.same(d, 0)])
        for sizes in (given, [d for d in want if not D.same(d, -1)])
    )
    if all(D.same(d, 0) is False for d in given):
        raise shape_error(
            f"Input to reshape is a tensor with {show(there)} values, but the requested shape has 0"
        )
    return there // asked


def _reshape_numpy(x: Any, *, shape: Any) -> Any:
    if -1 in shape and 0 in shape:
        rest = _math.prod(d for d in shape if d > 0)
        found = _math.prod(d for d in x.shape if d) // rest
        return x.reshape([found if d == -1 else d for d in shape])
    return x.reshape(shape)


def _wanted_text(want: Sequence[Dim | None], holes: Sequence[int]) -> str:
    """What TF1 adds to messages of reshape: it sees the shape as a tensor."""
    shown = text([None if i in holes else d for i, d in enumerate(want)])
    return f", [{len(want)}] and with input tensors computed as partial shapes: input[1] = {shown}"


def _is_minus_one(d: Dim) -> bool:
    """Whether a size that was fed is -1 in this run."""
    f = D.facts()
    if f is None or type(d) is int:
        return False
    return f.value(d) < 0 and f.equal(d, -1)


def _reshape_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    want = attrs.get("shape", rest[-1] if rest else None)
    if x is None or want is None:
        return None
    if want == ():
        return x[0] if isinstance(x, tuple) and len(x) == 1 else x
    if len(want) == 1:
        return x if isinstance(x, tuple) else (x,)
    return None


reshape_op = op(
    "reshape", "Reshape", "view", doc="The same elements in another shape.",
    args=("tensor",), types="fiubsc", infer=_reshape_infer, dims=_reshape_dims,
    numpy=_reshape_numpy,
    grad=lambda y, dy, x, *rest, **attrs: (reshape_like(dy, x), *(None for _ in rest)),
    facts={"reshape": True},
    interval=intervals.first,
)  # fmt: skip


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Value:
    """The elements of `tensor` in row-major order, in another shape.

    Parameters
    ----------
    tensor : tensor
    shape : sequence of int or tensor
        One size may be -1: it is what remains.

    Raises
    ------
    ValueError
        When the numbers of elements differ.
    """

    def check(attrs: dict[str, Any]) -> None:
        for d in attrs.get("shape", ()) if isinstance(attrs.get("shape"), tuple) else ():
            if type(d) is int and d < -1:
                raise ValueError(f"Invalid value in tensor used for shape: {d}")

    return make(
        reshape_op, [("tensor", tensor)], {"shape": ("shape", shape)}, name, check=check
    ).outputs[0]


reshape_op.call = reshape


def like_shape(inputs: Sequence[Value], attrs: Attrs) -> Types:
    """The type of an op that takes the shape of its second operand."""
    return [(inputs[0].dtype, inputs[1].static_shape)]


def whole(v: Value) -> Shape:
    if v.static_shape is None:
        raise shape_error(f"the rank of {v.name!r} is not known")
    return v.static_shape


reshape_like_op = op(
    "reshape_like", "Reshape", "view", doc="The elements of x in the shape of `like`.",
    args=("x", "like"), types="fiubsc", infer=like_shape,
    numpy=lambda x, like: x.reshape(like.shape),
    grad=lambda y, dy, x, like: (reshape_like(dy, x), None),
    expand=lambda x, like: reshape_static(x, whole(like)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def reshape_like(x: Value, like: Value, name: str | None = None) -> Value:
    """`x` in the shape of `like`; only its shape is used."""
    if x.static_shape is not None and x.static_shape == like.static_shape:
        return x
    return reshaped_as(x, like, name)


def reshaped_as(x: Value, like: Value, name: str | None = None) -> Value:
    """`reshape_like` that is a node even where the sizes are the same."""
    if D.is_known(like.static_shape):
        return reshape_static(x, whole(like), name)
    return build(reshape_like_op, (x, like), {}, name).outputs[0]


def reshape_static(x: Value, shape: Sequence[Dim], name: str | None = None) -> Value:
    """`reshape` to sizes that are already an attribute's (graph rewriting)."""
    return build(reshape_op, (x,), {"shape": tuple(shape)}, name).outputs[0]


def _expand_dims_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    axis = static(inputs, attrs, "axis")
    if isinstance(axis, tuple):
        if len(axis) != 1:
            raise shape_error("'dim' must be a tensor with a single value")
        axis = axis[0]
    if s is None:
        return [(x.dtype, None)]
    if axis is None:
        return [(x.dtype, tuple(D.fresh() for _ in (*s, 1)))]
    axis = _number(axis)
    if not -len(s) - 1 <= axis <= len(s):
        raise fail(
            f"dim {axis} not in the interval [{-len(s) - 1}, {len(s)}].",
            f"Tried to expand dim index {axis} for tensor with {len(s)} dimensions.",
            f", [] and with computed input tensors: input[1] = <{axis}>",
        )
    at = axis % (len(s) + 1)
    return [(x.dtype, (*s[:at], 1, *s[at:]))]


def _number(d: Dim) -> int:
    """An axis as a number: where it was fed, the plan is made for this very value."""
    if type(d) is int:
        return d
    if isinstance(d, tuple):
        raise shape_error("Shape must be rank 0 but is rank 1")
    f = D.facts()
    assert f is not None
    n = f.value(d)
    f.equal(d, n)
    return n


#: The same for passes.
axis_number = _number


def depth_of(vectors: Shape) -> int | None:
    """How many axes index vectors of this shape name; None while recording where not known.

    A plan is for one such number: how slices lie in memory depends on it.
    """
    d = vectors[-1]
    return None if type(d) is not int and D.facts() is None else _number(d)


def _expand_dims_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    axis = attrs.get("axis", rest[-1] if rest else None)
    return None if x is None or isinstance(x, tuple) or axis is None else (x,)


expand_dims_op = op(
    "expand_dims", "ExpandDims", "view", doc="One more axis, of size 1.", args=("input",),
    types="fiubsc", infer=_expand_dims_infer, dims=_expand_dims_dims,
    numpy=lambda x, *, axis: np.expand_dims(x, axis if isinstance(axis, int) else axis[0]),
    grad=lambda y, dy, x, *rest, **attrs: (reshape_like(dy, x), *(None for _ in rest)),
    facts={"reshape": True},
    interval=intervals.first,
)  # fmt: skip


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Value:
    """`input` with one more axis of size 1 at `axis` (negative: counted from the end).

    Raises
    ------
    ValueError
        When `axis` is outside [-rank - 1, rank], or neither `axis` nor `dim` is given.
    """
    if axis is None:
        axis = dim
    elif dim is not None:
        raise ValueError("Cannot specify both 'axis' and 'dim'")
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return make(expand_dims_op, [("input", input)], {"axis": ("dim", axis)}, name).outputs[0]


expand_dims_op.call = expand_dims


def _squeeze_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    axes = attrs.get("axis") or ()
    if s is None:
        return [(x.dtype, None)]
    if not axes:
        one = [D.same(d, 1) for d in s]
        if None in one:
            return [(x.dtype, None)]
        return [(x.dtype, tuple(d for d, o in zip(s, one, strict=True) if not o))]
    drop = set()
    for i, a in enumerate(axes):
        at = axis_of(a, len(s))
        if at is None:
            raise shape_error(f"squeeze_dims[{i}] not in [{-len(s)},{len(s)}).")
        if D.same(s[at], 1) is False:
            raise shape_error(
                f"Can not squeeze dim[{at}], expected a dimension of 1, got {show(s[at])}"
            )
        drop.add(at)
    return [(x.dtype, tuple(d for i, d in enumerate(s) if i not in drop))]


squeeze_op = op(
    "squeeze", "Squeeze", "view", doc="Axes of size 1 removed.", args=("input",), types="fiubsc",
    infer=_squeeze_infer,
    dims=lambda x, axis=(): x[0] if isinstance(x, tuple) and len(x) == 1 else x,
    numpy=lambda x, *, axis=(): np.squeeze(x, tuple(axis) if axis else None),
    grad=lambda y, dy, x, axis=(): (reshape_like(dy, x),),
    facts={"reshape": True},
    interval=intervals.first,
)  # fmt: skip


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Value:
    """`input` without its axes of size 1, or without those in `axis`.

    Raises
    ------
    ValueError
        When one of `axis` is not of size 1.
    """
    if axis is None:
        axis = squeeze_dims
    elif squeeze_dims is not None:
        raise ValueError("Cannot specify both 'axis' and 'squeeze_dims'")
    if axis is None:
        axis = ()
    elif not isinstance(axis, list | tuple | np.ndarray):
        axis = (axis,)
    return make(squeeze_op, [("input", input)], None, name, {"axis": ints(axis)}).outputs[0]


squeeze_op.call = squeeze


# ------------------------------------------------------------------------- sizes as tensors


def _sizes_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    v = attrs["value"]
    return [(attrs["dtype"], (len(v),) if isinstance(v, tuple) else ())]


def _sizes_element(k: Any, index: Shape, *, value: Any, dtype: DType) -> Any:
    if not isinstance(value, tuple):
        return k.cast(k.index(value), dtype)
    return k.cast(choose(k, index[0], value), dtype)


def choose(k: Any, at: Dim, values: Sequence[Dim]) -> Any:
    """``values[at]`` as an i64 value, for an index expression `at`."""
    if type(at) is int:
        return k.index(values[at])
    x = k.index(values[-1]) if values else k.index(0)
    for i in reversed(range(len(values) - 1)):
        x = k.select(k.compare("equal", at, i), k.index(values[i]), x)
    return x


sizes_op = op(
    "sizes", "Const", "view", doc="A tensor of sizes that are known when the plan is made.",
    infer=_sizes_infer, types="iu", element=_sizes_element,
    dims=lambda *, value, dtype: value,
    numpy=lambda *, value, dtype: np.array(value, dtype.np),
    facts={"shape_only": True},
)  # fmt: skip


def sizes(value: Any, dtype: Any = None, name: str | None = None) -> Value:
    """Sizes (a `Dim` or a tuple of them) as a tensor of int32 or int64."""
    value = tuple(value) if isinstance(value, list | tuple) else value
    return build(
        sizes_op, (), {"value": value, "dtype": as_dtype(dtype or dtypes.int32)}, name
    ).outputs[0]


def _out_type(inputs: Sequence[Value], attrs: Attrs) -> Types:
    dtype = attrs.get("out_type", dtypes.int32)
    return [(dtype, ())]


def _shape_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(attrs["out_type"], (D.fresh() if s is None else len(s),))]


shape_op = op(
    "shape", "Shape", "view", doc="The sizes of a tensor, as a vector.", args=("input",),
    types="fiubsc",
    infer=_shape_infer, grad=no_grad,
    dims=lambda x, **a: None if x.static_shape is None else tuple(x.static_shape),
    numpy=lambda x, *, out_type: np.array(x.shape, out_type.np),
    expand=lambda x, out_type: sizes(whole(x), out_type),
    facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip

size_op = op(
    "size", "Size", "view", doc="The number of elements.", args=("input",), types="fiubsc",
    infer=_out_type, grad=no_grad,
    dims=lambda x, **a: None if x.static_shape is None else D.product(x.static_shape),
    numpy=lambda x, *, out_type: np.array(x.size, out_type.np),
    expand=lambda x, out_type: sizes(D.product(whole(x)), out_type),
    facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip

rank_op = op(
    "rank", "Rank", "view", doc="The number of axes, int32.", args=("input",), types="fiubsc",
    infer=_out_type, grad=no_grad,
    dims=lambda x, **a: None if x.static_shape is None else len(x.static_shape),
    numpy=lambda x: np.array(np.ndim(x), np.int32),
    expand=lambda x: sizes(len(whole(x))),
    facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip

shape_n_op = op(
    "shape_n", "ShapeN", "view", doc="The shapes of several tensors.", args=("*input",),
    types="fiubsc",
    infer=lambda inputs, attrs: [t for v in inputs for t in _shape_infer([v],
    attrs)],
    grad=lambda y, dy, *inputs, **attrs: (None,) * len(inputs),
    dims=lambda *xs,
    **a: tuple(None if x.static_shape is None else tuple(x.static_shape) for x in xs),
    numpy=lambda *xs, out_type: tuple(np.array(x.shape, out_type.np) for x in xs),
    expand=lambda *xs, out_type: tuple(sizes(whole(x), out_type) for x in xs),
    facts={"shape_only": True, "dims_of_each": True},
)  # fmt: skip


def shape(
    input: Any, name: str | None = None, out_type: Any = dtypes.int32, optimize: bool = True
) -> Value:
    """The shape of `input` as a vector of `out_type`; a constant where it is known."""
    out_type = as_dtype(out_type)
    with current().scope(name, "Shape") as scope:
        if _is_sparse(input):
            return _sparse_shape(input, out_type)
        x = as_value(input, None, "input")
        if D.is_known(x.static_shape) and D.facts() is None:
            return make_constant(
                np.array(x.static_shape, out_type.np), None, scope or name or "Shape"
            )
        _stacked_again(input)
        return build(shape_op, (x,), {"out_type": out_type}, scope or name).outputs[0]


def _stacked_again(x: Any) -> None:
    """TF1 makes a tensor of a list to see its shape, and another one for the operation."""
    made(isinstance(x, list | tuple))


def _is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse tensor, or the value of one."""
    return not isinstance(x, Value) and hasattr(x, "dense_shape") and hasattr(x, "indices")


def _sparse_shape(x: Any, out_type: DType) -> Value:
    from graphc.ops.math import cast

    return cast(x.dense_shape, out_type)  # type: ignore[no-any-return]


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Value:
    """The number of elements of `input`; a constant where it is known."""
    out_type = as_dtype(out_type)
    with current().scope(name, "Size") as scope:
        if _is_sparse(input):
            from graphc.ops.reduce import reduce_prod

            return reduce_prod(_sparse_shape(input, out_type), 0, name=scope)  # type: ignore[no-any-return]
        x = as_value(input, None, "input")
        if D.is_known(x.static_shape) and D.facts() is None:
            n = D.product(x.static_shape or ())
            return make_constant(np.array(n, out_type.np), None, scope or name or "Size")
        _stacked_again(input)
        return build(size_op, (x,), {"out_type": out_type}, scope or name).outputs[0]


def rank(input: Any, name: str | None = None) -> Value:
    """The number of axes of `input`; a constant where it is known."""
    with current().scope(name, "Rank") as scope:
        if _is_sparse(input):
            return size(input.dense_shape, name=scope)
        x = as_value(input, None, "input")
        if x.static_shape is not None and D.facts() is None:
            return make_constant(
                np.array(len(x.static_shape), np.int32), None, scope or name or "Rank"
            )
        _stacked_again(input)
        return build(rank_op, (x,), {}, scope or name).outputs[0]


def shape_n(
    input: Sequence[Any], out_type: Any = dtypes.int32, name: str | None = None
) -> list[Value]:
    """The shapes of several tensors."""
    with current().scope(name, "ShapeN") as scope:
        xs = [as_value(v, None, f"input_{i}") for i, v in enumerate(input)]
        return list(build(shape_n_op, xs, {"out_type": as_dtype(out_type)}, scope or name).outputs)


shape_op.call, size_op.call, rank_op.call, shape_n_op.call = shape, size, rank, shape_n
