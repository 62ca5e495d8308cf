"""Concatenation, stacking, and splitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import intervals, sharing
from graphc.ops.array_rules import apply, bad_value, infer_error, nones
from graphc.ops.convert import convert, make_constant
from graphc.ops.fills import zeros_like
from graphc.ops.operands import (  # fmt: skip
    axis_of,
    fail,
    less,
    make,
    need_scalar,
    show,
    static_operand,
    text,
)
from graphc.ops.record import (
    Attrs,
    InferError,
    Types,
    as_value,
    merge,
    op,
    same_types,
    shape_error,
)  # fmt: skip
from graphc.ops.shapes import _number, whole
from graphc.ops.slices import slice_static
from graphc.ops.strided import strided_slice_op

__all__ = ["concat", "split", "stack", "unstack"]


# ------------------------------------------------------------------------- joining


def _values(record: Any, values: Sequence[Any]) -> list[Value]:
    """A list operand: tensors of one type, numbers take it."""
    least = 2 if record.name == "concat" else 1
    if len(values) < least:
        raise ValueError(
            f"List argument 'values' to '{record.tf}' Op with length {len(values)} shorter than "
            f"minimum length {least}."
        )
    return same_types(record.tf, values, "values")


def _list_inputs(inputs: Sequence[Value], attrs: Attrs) -> Sequence[Value]:
    n = len(attrs.get("dynamic", ()))
    return inputs[: len(inputs) - n]


def _concat_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    xs = _list_inputs(inputs, attrs)
    axis = static(inputs, attrs, "axis")
    need_scalar(axis)
    dtype = xs[0].dtype
    shapes = [x.static_shape for x in xs if x.static_shape is not None]
    if not shapes:
        return [(dtype, None)]
    rank = len(shapes[0])
    for s in shapes:
        if len(s) == 0:
            raise infer_error("Can't concatenate scalars (use tf.stack instead)", _axis_text(None))
        if len(s) != rank:
            raise infer_error(f"Shape must be rank {rank} but is rank {len(s)}", _axis_text(None))
    if axis is None:
        return [(dtype, tuple(D.fresh() for _ in shapes[0]))]
    axis = _number(axis)
    at = axis_of(axis, rank)
    if at is None:
        raise fail(
            f"Shape must be at least rank {axis + 1 if axis >= 0 else -axis} but is rank {rank}",
            f"ConcatOp : Expected concatenating dimensions in the range [{-rank}, {rank}), but "
            f"got {axis}",
            _axis_text(axis, len(xs)),
        )
    return [(dtype, _joined(shapes, at, axis, len(shapes) == len(xs), len(xs)))]


def _axis_text(axis: int | None, n: int = 0) -> str:
    if D.facts() is not None:
        return ""
    return ", []" + (
        "" if axis is None else f" and with computed input tensors: input[{n}] = <{axis}>"
    )


def _joined(shapes: Sequence[Shape], at: int, axis: int, all_known: bool, n: int) -> Shape:
    out = list(shapes[0])
    for j, s in enumerate(shapes[1:], 1):
        for i, d in enumerate(s):
            if i == at:
                continue
            if D.same(out[i], d) is False:
                lo, hi = (0, at) if i < at else (at + 1, len(s))
                a, b = shapes[0][lo:hi], s[lo:hi]
                raise fail(
                    f"Dimension {i - lo} in both shapes must be equal, but are {show(out[i])} "
                    f"and {show(d)}. Shapes are {text(a)} and {text(b)}.",
                    f"ConcatOp : Dimensions of inputs should match: shape[0] = {text(shapes[0])} "
                    f"vs. shape[{j}] = {text(s)}",
                    _axis_text(axis, n),
                )
            if type(out[i]) is not int:
                out[i] = d
    total: Dim = 0
    for s in shapes:
        total = total + s[at]
    out[at] = total if all_known else D.fresh()
    return tuple(out)


def _concat_element(k: Any, index: Shape, *xs: Value, axis: int) -> Any:
    at = axis % len(index)
    starts: list[Dim] = []
    offset: Dim = 0
    for x in xs:
        starts.append(offset)
        offset = offset + k.shape(x)[at]
    out = None
    for x, start in zip(reversed(xs), reversed(starts), strict=True):
        i = index[at] - start
        ok = k.both(k.compare("less_equal", 0, i), k.compare("less", i, k.shape(x)[at]))
        v = k.read(x, (*index[:at], i, *index[at + 1 :]), ok, 0)
        out = v if out is None else k.select(ok, v, out)
    return out


def _concat_dims(*xs: Any, **attrs: Any) -> Any:
    if "axis" not in attrs:
        xs = xs[:-1]
    if any(not isinstance(x, tuple) for x in xs):
        return None
    return tuple(e for x in xs for e in x)


def _concat_grad(y: Value, dy: Value, *inputs: Value, **attrs: Any) -> Any:
    xs = _list_inputs(inputs, attrs)
    rest = inputs[len(xs) :]
    axis = attrs.get("axis")
    shapes = [x.static_shape for x in xs]
    if axis is not None and all(D.is_known(s) for s in shapes):
        return (*_cut(dy, shapes, axis), *nones(rest))  # type: ignore[arg-type]
    parts = [apply(concat_part_op, [dy, *xs, *rest], {**attrs, "index": i}) for i in range(len(xs))]
    return (*parts, *nones(rest))


def _cut(dy: Value, shapes: Sequence[Shape], axis: int) -> list[Value]:
    """The pieces of `dy` that a concatenation put together."""
    out = []
    start: Dim = 0
    for s in shapes:
        begin: list[Dim] = [0] * len(s)
        begin[axis % len(s)] = start
        out.append(slice_static(dy, begin, s))
        start = start + s[axis % len(s)]
    return out


concat_op = op(
    "concat", "ConcatV2", "view", doc="Tensors joined along an axis.", args=("*values",),
    types="fiubsc",
    infer=_concat_infer, element=_concat_element, dims=_concat_dims,
    grad=_concat_grad,
    numpy=lambda *xs, axis: np.concatenate(xs, axis),
    interval=intervals.hull,
)  # fmt: skip


def _concat_part_grad(y: Value, dy: Value, g: Value, *inputs: Value, **attrs: Any) -> Any:
    xs = _list_inputs(inputs, attrs)
    parts = [dy if i == attrs["index"] else zeros_like(x) for i, x in enumerate(xs)]
    rest = list(inputs[len(xs) :])
    out = {k: v for k, v in attrs.items() if k != "index"}
    joined = parts[0] if len(parts) == 1 else apply(concat_op, parts + rest, out)
    return (joined, *nones(inputs))


def _concat_part_numpy(dy: Any, *xs: Any, axis: int, index: int) -> Any:
    at = axis % dy.ndim
    start = sum(x.shape[at] for x in xs[:index])
    return dy.take(np.arange(start, start + xs[index].shape[at]), at)


concat_part_op = op(
    "concat_part", "Slice", "view", doc="The part of a concatenation that came from one operand.",
    args=("dy", "*values"), types="fiubc",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1 + attrs["index"]].static_shape)],
    numpy=_concat_part_numpy, grad=_concat_part_grad,
    expand=lambda dy, *xs, axis, index: _cut(dy, [whole(x) for x in xs], axis)[index],
    facts={"shape_operands": "rest"},
)  # fmt: skip


def concat(values: Any, axis: Any, name: str | None = "concat") -> Value:
    """Tensors joined along `axis`.

    Raises
    ------
    ValueError
        When sizes other than that of `axis` differ.
    """
    if not isinstance(values, list | tuple):
        values = [values]
    if len(values) == 1:
        with current().scope(name, "concat"):
            v = as_value(axis, None if tensor_inside(axis) else dtypes.int32, "concat_dim")
            if v.static_shape not in ((), None):
                shown = str(tuple(show(d) for d in v.static_shape or ())).replace("'?'", "?")
                raise ValueError(f"Shape {shown} must have rank 0")
            from graphc.ops import state

            return state.identity(values[0], name=name)
    builder = current()
    with builder.scope(name, "concat") as scope:
        xs = _values(concat_op, values)
        a = static_operand(axis, "axis")
        if isinstance(a, Value):
            return apply(concat_op, [*xs, a], {"dynamic": ("axis",)}, scope or name)
        if not isinstance(axis, Value):
            builder.reserve("axis")
        return apply(concat_op, xs, {"axis": a}, scope or name)


concat_op.call = concat


def _stack_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape_ = inputs[0].static_shape
    for v in inputs[1:]:
        try:
            shape_ = merge(shape_, v.static_shape)
        except InferError as e:
            a, b = inputs[0].static_shape or (), v.static_shape or ()
            i = next(j for j, w in enumerate(inputs) if w is v)
            more = (
                f". Shapes are {text(a)} and {text(b)}."
                if str(e.args[0]).startswith("Dimension")
                else ""
            )
            raise fail(
                f"{e.args[0]}{more}\n\tFrom merging shape {i - 1} with other shapes.",
                f"Shapes of all inputs must match: values[0].shape = {text(a)} != "
                f"values[{i}].shape = {text(b)}",
            ) from None
    if shape_ is None:
        return [(inputs[0].dtype, None)]
    axis = attrs["axis"]
    at = axis_of(axis, len(shape_) + 1)
    if at is None:
        raise shape_error(f"axis = {axis} not in [{-len(shape_) - 1}, {len(shape_) + 1})")
    return [(inputs[0].dtype, (*shape_[:at], len(inputs), *shape_[at:]))]


def _stack_element(k: Any, index: Shape, *xs: Value, axis: int) -> Any:
    at = axis % len(index)
    inner = index[:at] + index[at + 1 :]
    j: Any = index[at]
    if type(j) is int:
        return k.read(xs[j], inner)
    if len(xs) == 1:
        return k.read(xs[0], inner)
    out = None
    for j in reversed(range(len(xs))):
        ok = k.compare("equal", index[at], j)
        v = k.read(xs[j], inner, ok, 0)
        out = v if out is None else k.select(ok, v, out)
    return out


def _stack_grad(y: Value, dy: Value, *xs: Value, axis: int) -> Any:
    return tuple(unstack(dy, len(xs), axis))


stack_op = op(
    "stack", "Pack", "view", doc="Tensors stacked along a new axis.", args=("*values",),
    types="fiubsc",
    infer=_stack_infer, element=_stack_element,
    grad=_stack_grad,
    numpy=lambda *xs, axis: np.stack(xs, axis),
    dims=lambda *xs, axis: None if any(isinstance(x, tuple) for x in xs) else tuple(xs),
    interval=intervals.hull, facts={"shares": sharing.alone},
)  # fmt: skip


def stack(values: Any, axis: int = 0, name: str | None = "stack") -> Value:
    """Tensors of one shape stacked along a new axis.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    builder = current()
    if isinstance(values, Value):
        values = unstack(values)
    if not any(isinstance(v, Value) for v in values):
        if axis == 0 and not any(tensor_inside(v) for v in values):
            return convert(values, None, name)
        if not any(tensor_inside(v) for v in values):
            return make_constant(
                np.stack([np.asarray(convert(v).node.attrs["value"]) for v in values], axis),
                None,
                name,
            )
    if not values:
        return convert(values, None, name)
    with builder.scope(name, "stack") as scope:
        dtype = next((v.dtype for v in values if isinstance(v, Value)), None)
        label = "{}" if axis == 0 else "values_{}"
        xs = [
            as_value(v, None if isinstance(v, Value) else dtype, label.format(i))
            for i, v in enumerate(values)
        ]
        _values(stack_op, xs)
        s = xs[0].static_shape
        if s is not None and axis_of(axis, len(s) + 1) is None:
            raise ValueError(f"axis = {axis} not in [{-len(s) - 1}, {len(s) + 1})")
        return apply(stack_op, xs, {"axis": int(axis)}, scope or name)


def tensor_inside(v: Any) -> bool:
    from graphc.ops.operands import has_tensor

    return has_tensor([v])


stack_op.call = stack


def _unstack_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    n, axis = attrs["num"], attrs["axis"]
    s = x.static_shape
    if s is None:
        return [(x.dtype, None)] * n
    at = axis_of(axis, len(s))
    if at is None:
        raise shape_error(f"axis = {axis} not in [{-len(s)}, {len(s)})")
    if D.same(s[at], n) is False:
        raise fail(
            f"Dimension must be {n} but is {show(s[at])}",
            f"Input shape axis {at} must equal {n}, got shape {text(s)}",
        )
    return [(x.dtype, s[:at] + s[at + 1 :])] * n


def _unstack_expand(x: Value, *, num: int, axis: int) -> tuple[Value, ...]:
    s = whole(x)
    at = axis % len(s)
    if at == 0 and x.node.op.name == "gather_nd":
        rows, places = x.node.inputs
        if places.node.op.name == "stack" and places.node.attrs["axis"] == 0 and places.rank != 1:
            each = places.node.inputs  # what is picked at each of the places that were stacked
            return tuple(apply(x.node.op, (rows, i), x.node.attrs) for i in each)
    out = []
    for i in range(num):
        spec = {
            "begin": (*(0,) * at, i), "end": (*(0,) * at, i + 1), "strides": (1,) * (at + 1),
            "begin_mask": (1 << at) - 1, "end_mask": (1 << at) - 1, "shrink_axis_mask": 1 << at,
        }  # fmt: skip
        out.append(apply(strided_slice_op, (x,), spec))
    return tuple(out)


def filled_in(dys: Any, ys: Any) -> list[Value]:
    """The gradients of all parts, zeros where there is none; of a single part it has no list."""
    if isinstance(ys, Value):
        return [dys]
    return [zeros_like(y) if dy is None else dy for y, dy in zip(ys, dys, strict=True)]


unstack_op = op(
    "unstack", "Unpack", "view", doc="The slices along an axis.", args=("value",), types="fiubsc",
    infer=_unstack_infer, expand=_unstack_expand,
    numpy=lambda x, *, num, axis: tuple(np.array(p, order="C") for p in np.moveaxis(x, axis, 0)),
    dims=lambda x, *, num, axis: x, facts={"dims_of_each": True, "shares": sharing.rows},
    grad=lambda ys, dys, x, *, num, axis: (stack(filled_in(dys, ys), axis),),
)  # fmt: skip


def unstack(
    value: Any, num: int | None = None, axis: int = 0, name: str | None = "unstack"
) -> list[Value]:
    """The slices of `value` along `axis`, without that axis.

    Raises
    ------
    ValueError
        When their number is neither given nor known.
    """
    with current().scope(name, "unstack") as scope:
        x = as_value(value, None, "value")
        if num is None:
            s = x.static_shape
            if s is not None:
                at = axis_of(axis, len(s))
                if at is None:
                    raise ValueError(f"axis = {axis} not in [{-len(s)}, {len(s)})")
                n: Any = s[at]
                num = n if type(n) is int else None
            if num is None:
                raise ValueError(f"Cannot infer num from shape {shown(s)}")
        return list(
            build(unstack_op, (x,), {"num": int(num), "axis": int(axis)}, scope or name).outputs
        )


def shown(s: Shape | None) -> str:
    if s is None:
        return "<unknown>"
    parts = ", ".join(str(d) if type(d) is int else "?" for d in s)
    return f"({parts},)" if len(s) == 1 else f"({parts})"


unstack_op.call = unstack


# ------------------------------------------------------------------------- split


def _split_axis(inputs: Sequence[Value], attrs: Attrs, s: Shape) -> int | None:
    axis = static(inputs, attrs, "axis")
    if axis is None:
        return None
    axis = _number(axis)
    at = axis_of(axis, len(s))
    if at is None:
        raise infer_error(
            f"Dimension size, given by scalar input {axis} must be in range [{-len(s)}, {len(s)})",
        )
    return at


def _split_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n = inputs[0], attrs["num"]
    s = x.static_shape
    if s is None:
        return [(x.dtype, None)] * n
    at = _split_axis(inputs, attrs, s)
    if at is None:
        return [(x.dtype, tuple(D.fresh() for _ in s))] * n
    if D.same(s[at] % n, 0) is False:
        raise fail(
            f"Dimension size must be evenly divisible by {n} but is {show(s[at])}\n\t"
            "Number of ways to split should evenly divide the split dimension",
            "Number of ways to split should evenly divide the split dimension, but got "
            f"split_dim {at} (size = {show(s[at])}) and num_split {n}",
        )
    return [(x.dtype, (*s[:at], s[at] // n, *s[at + 1 :]))] * n


def _pieces(x: Value, at: int, parts: Sequence[Dim]) -> tuple[Value, ...]:
    s = whole(x)
    out = []
    start: Dim = 0
    for p in parts:
        begin: list[Dim] = [0] * len(s)
        begin[at] = start
        out.append(slice_static(x, begin, (*s[:at], p, *s[at + 1 :])))
        start = start + p
    return tuple(out)


def _split_expand(x: Value, *, num: int, axis: int) -> tuple[Value, ...]:
    at = axis % len(whole(x))
    return _pieces(x, at, [whole(x)[at] // num] * num)


def _split_grad(ys: Any, dys: Any, x: Value, *rest: Value, **attrs: Any) -> Any:
    parts = filled_in(dys, ys)
    axis = attrs["axis"] if "axis" in attrs else rest[attrs["dynamic"].index("axis")]
    joined = parts[0] if len(parts) == 1 else concat(parts, axis)
    return (joined, *nones(rest))


split_op = op(
    "split", "Split", "view", doc="Equal parts along an axis.", args=("value",), types="fiubsc",
    infer=_split_infer, expand=_split_expand, grad=_split_grad,
    numpy=lambda x, *, num, axis: tuple(np.ascontiguousarray(p) for p in np.split(x, num, axis)),
    dims=lambda x, *rest, num, **a: None if not isinstance(x, tuple) or len(x) % num else tuple(
        x[i * (len(x) // num) : (i + 1) * (len(x) // num)] for i in range(num)
    ),
    facts={"dims_of_each": True, "shares": sharing.rows},
)  # fmt: skip


def _split_v_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n = inputs[0], attrs["num"]
    s = x.static_shape
    want = static(inputs, attrs, "sizes")
    if s is None:
        return [(x.dtype, None)] * n
    at = _split_axis(inputs, attrs, s)
    if at is None:
        return [(x.dtype, tuple(D.fresh() for _ in s))] * n
    parts = _split_sizes(s[at], (None,) * n if want is None else want, attrs, len(s), at)
    return [(x.dtype, (*s[:at], p, *s[at + 1 :])) for p in parts]


def _split_sizes(d: Dim, want: Sequence[Dim | None], attrs: Attrs, rank: int, at: int) -> list[Dim]:
    """The sizes of the parts; one may be -1."""
    hole = [i for i, p in enumerate(want) if p is not None and D.same(p, -1)]
    if len(hole) > 1:
        raise shape_error("There can only be one -1 in the input.")
    if any(p is None for p in want):
        return [D.fresh() if p is None or i in hole else p for i, p in enumerate(want)]
    rest: Dim = 0
    for i, p in enumerate(want):
        if i not in hole:
            assert p is not None
            rest = rest + p
    if hole:
        if less(d - rest, 0):
            raise shape_error(
                f"can't split axis of size {show(d)} into pieces of size {text(want)}"
            )
        return [d - rest if i in hole else p for i, p in enumerate(want)]  # type: ignore[misc]
    if D.same(rest, d) is False:
        shown = " ".join(str(show(p)) for p in want if p is not None)
        raise fail(
            f"can't split axis of size {show(d)} into pieces of size {text(want)}",
            "Determined shape must either match input shape along split_dim exactly if fully "
            "specified, or be less than the size of the input along split_dim if not fully "
            f"specified.  Got: {show(rest)}",
            f", [{len(want)}], [] and with computed input tensors: input[1] = <{shown}>, "
            f"input[2] = <{attrs.get('axis', at)}>",
        )
    return list(want)  # type: ignore[arg-type]


def _split_v_expand(x: Value, *, sizes: Any, axis: int, num: int) -> tuple[Value, ...]:
    s = whole(x)
    at = axis % len(s)
    return _pieces(x, at, _split_sizes(s[at], sizes, {}, len(s), at))


def _split_v_numpy(x: Any, *, sizes: Any, axis: int, num: int) -> tuple[Any, ...]:
    parts = list(sizes)
    if -1 in parts:
        parts[parts.index(-1)] = x.shape[axis] - sum(p for p in parts if p != -1)
    if sum(parts) != x.shape[axis]:
        raise bad_value(
            f"can't split axis of size {x.shape[axis]} into pieces of size {text(parts)}"
        )
    return tuple(np.ascontiguousarray(p) for p in np.split(x, np.cumsum(parts)[:-1], axis))


split_v_op = op(
    "split_v", "SplitV", "view", doc="Parts of given sizes along an axis.", args=("value",),
    types="fiubsc",
    infer=_split_v_infer, expand=_split_v_expand, grad=_split_grad,
    numpy=_split_v_numpy, facts={"shares": sharing.rows},
)  # fmt: skip


def split(
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: int | None = None,
    name: str | None = "split",
) -> list[Value]:
    """`value` in that many equal parts, or in parts of those sizes, along `axis`.

    Raises
    ------
    ValueError
        When the sizes do not add up.
    """
    builder = current()
    n = static_operand(num_or_size_splits, "num_or_size_splits", "Const")
    if not isinstance(num_or_size_splits, Value) and not isinstance(n, Value):
        builder.reserve("Const")
    if not isinstance(n, tuple | Value) and not isinstance(num_or_size_splits, Value):
        if n < 1:
            raise ValueError(f"Attr 'num_split' of 'Split' Op passed {n} less than minimum 1.")
        sizes_ = {"axis": ("split_dim", axis)}
        return list(make(split_op, [("value", value)], sizes_, name, {"num": n}, "split").outputs)
    if not isinstance(n, tuple | Value) or (isinstance(n, Value) and n.static_shape == ()):
        raise ValueError(
            "Rank-0 tensors are not supported as the num_or_size_splits argument to split. "
            f"Argument provided: {num_or_size_splits}"
        )
    if num is None:
        s = n.static_shape if isinstance(n, Value) else (len(n),)
        num = s[0] if s and type(s[0]) is int else None
        if num is None:
            raise ValueError(f"Cannot infer num from shape {num_or_size_splits}")
    sizes_ = {"sizes": ("", num_or_size_splits), "axis": ("split_dim", axis)}
    with builder.scope(name, "split") as scope:
        x = as_value(value, None, "value")
        attrs: dict[str, Any] = {"num": num}
        tail: list[Value] = []
        dynamic: list[str] = []
        a = static_operand(axis, "split_dim")
        for key, v in (("sizes", n), ("axis", a)):
            if isinstance(v, Value):
                tail.append(v)
                dynamic.append(key)
            else:
                attrs[key] = v
        if not isinstance(axis, Value):
            builder.reserve("split_dim")
        if dynamic:
            attrs["dynamic"] = tuple(dynamic)
        return list(build(split_v_op, [x, *tail], attrs, scope or name).outputs)


split_op.call = split_v_op.call = split
