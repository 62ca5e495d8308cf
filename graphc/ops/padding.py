"""Padding by constants and by mirrors."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import current
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import sharing
from graphc.ops.array_rules import apply, backward_op, infer_error, nones
from graphc.ops.fills import _sum_all
from graphc.ops.joining import stack, tensor_inside, unstack
from graphc.ops.operands import fail, has_tensor, less, make, show, static_operand
from graphc.ops.record import (
    Attrs,
    Types,
    as_value,
    op,
    shape_error,
)  # fmt: skip
from graphc.ops.shapes import reshape, whole
from graphc.ops.slices import place_static, slice_static
from graphc.ops.tiling import reverse_op

__all__ = ["pad"]


def _pairs(p: Any) -> list[tuple[Any, Any]]:
    """Paddings as (before, after) pairs, from pairs or from a flat vector."""
    if p and not isinstance(p[0], tuple):
        return list(zip(p[::2], p[1::2], strict=True))
    return list(p)


def _pad_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    p = static(inputs, attrs, "paddings")
    s = x.static_shape
    if p is None:
        return [(x.dtype, None if s is None else tuple(D.fresh() for _ in s))]
    pairs = _pairs(p)
    if s is None:
        return [(x.dtype, tuple(D.fresh() for _ in pairs))]
    if len(s) != len(pairs):
        raise infer_error(
            f"Shape must be rank {len(pairs)} but is rank {len(s)}", f", [{len(pairs)},2]"
        )
    out: list[Dim] = []
    for d, (a, b) in zip(s, pairs, strict=True):
        if a is None or b is None:
            out.append(D.fresh())
            continue
        if less(a, 0) or less(b, 0):
            raise fail(
                "Paddings must be non-negative",
                f"Paddings must be non-negative: {show(a)} {show(b)}",
            )
        if "mode" in attrs:
            _check_mirror(d, a, b, attrs["mode"])
        out.append(d + a + b)
    return [(x.dtype, tuple(out))]


def _check_mirror(d: Dim, a: Dim, b: Dim, mode: str) -> None:
    if D.facts() is None:
        return
    if mode == "REFLECT":
        if less(a, d) is False or less(b, d) is False:
            raise shape_error(
                f"paddings must be less than the dimension size: {show(a)}, {show(b)} not less "
                f"than {show(d)}"
            )
    elif less(d, a) or less(d, b):
        raise shape_error(
            f"paddings must be no greater than the dimension size: {show(a)}, {show(b)} greater "
            f"than {show(d)}"
        )


def _pad_read(k: Any, index: Shape, x: Value, paddings: Any, other: Any) -> Any:
    ok, where = None, []
    for i, d, (a, b) in zip(index, k.shape(x), _pairs(paddings), strict=True):
        t = i - a
        where.append(t)
        if a != 0:
            ok = k.both(ok, k.compare("less_equal", 0, t))
        if b != 0:
            ok = k.both(ok, k.compare("less", t, d))
    v = k.read(x, tuple(where), ok, 0)
    return v if ok is None or other is None else k.select(ok, v, k.read(other, ()))


def _pad_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    return (_unpad(dy, x, rest, attrs), *nones(rest))


def _unpad(dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Value:
    pairs = _pairs(attrs.get("paddings", ()))
    if "paddings" in attrs and D.is_known(x.static_shape):
        return slice_static(dy, [a for a, _ in pairs], x.static_shape or ())
    return apply(unpad_op, [dy, x, *rest], attrs)


pad_op = op(
    "pad", "Pad", "view", doc="Zeros around a tensor.", args=("tensor",), types="fiubc",
    infer=_pad_infer,
    element=lambda k, index, x, *, paddings: _pad_read(k, index, x, paddings,
    None),
    numpy=lambda x, *, paddings: np.pad(x, _pairs(paddings)) if x.ndim else x, grad=_pad_grad,
    facts={"shares": sharing.unchanged},
)  # fmt: skip

pad_v2_op = op(
    "pad_v2", "PadV2", "view", doc="One value around a tensor.", args=("tensor", "constant_values"),
    types="fiubc", infer=_pad_infer,
    element=lambda k, index, x, v, *, paddings: _pad_read(k, index, x, paddings, v),
    numpy=lambda x, v, *, paddings: np.pad(x, _pairs(paddings), constant_values=v) if x.ndim else x,
    grad=lambda y, dy, x, v, *rest, **attrs: _pad_v2_grad(dy, x, rest, attrs),
    facts={"shares": sharing.unchanged},
)  # fmt: skip


def _pad_v2_grad(dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Any:
    inner = _unpad(dy, x, rest, attrs)
    return (inner, _sum_all(dy) - _sum_all(inner), *nones(rest))


def _unpad_numpy(dy: Any, like: Any, *, paddings: Any) -> Any:
    return dy[
        tuple(
            builtins.slice(a, a + n) for n, (a, _) in zip(like.shape, _pairs(paddings), strict=True)
        )
    ]


unpad_op = op(
    "unpad", "Slice", "view", doc="What a padding surrounds: its gradient.", args=("dy", "like"),
    types="fiubc", numpy=_unpad_numpy,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1].static_shape)],
    expand=lambda dy, like, *, paddings: slice_static(dy, [a for a, _ in _pairs(paddings)],
    whole(like)),
    grad=lambda y, dy, g, like, *rest, **attrs: (apply(pad_op, [dy, *rest], attrs), None,
    *nones(rest)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def _mirror_element(k: Any, index: Shape, x: Value, *, paddings: Any, mode: str) -> Any:
    where: list[Dim] = []
    edge = 0 if mode == "REFLECT" else 1
    for i, d, (a, b) in zip(index, k.shape(x), _pairs(paddings), strict=True):
        t = i - a
        if a != 0:
            t = D.maximum(t, t * -1 - edge)
        if b != 0:
            t = D.minimum(t, 2 * d - 2 + edge - t)
        where.append(t)
    return k.read(x, tuple(where))


def _mirror_numpy(x: Any, *, paddings: Any, mode: str) -> Any:
    if not x.ndim:
        return x
    return np.pad(x, _pairs(paddings), mode="reflect" if mode == "REFLECT" else "symmetric")


mirror_pad_op = op(
    "mirror_pad", "MirrorPad", "view", doc="A tensor mirrored at its borders.", args=("input",),
    types="fiubc",
    infer=_pad_infer, element=_mirror_element,
    numpy=_mirror_numpy,
    grad=lambda y, dy, x, *rest, **attrs: backward_op("mirror_pad_grad", dy, x, rest, attrs),
    facts={"shares": sharing.unchanged},
)  # fmt: skip


def _mirror_grad_expand(dy: Value, like: Value, *, paddings: Any, mode: str) -> Value:
    s = whole(like)
    edge = 1 if mode == "REFLECT" else 0
    g = dy
    for axis, (a, b) in enumerate(_pairs(paddings)):
        if a == 0 and b == 0:
            continue
        now = list(whole(g))
        n = s[axis]
        target = (*now[:axis], n, *now[axis + 1 :])
        begin: list[Dim] = [0] * len(now)

        def at(start: Dim, axis: int = axis, begin: list[Dim] = begin) -> list[Dim]:
            return [*begin[:axis], start, *begin[axis + 1 :]]

        total = slice_static(g, at(a), target)
        for start, count, to in ((0, a, edge), (a + n, b, n - b - edge)):
            part = slice_static(g, at(start), (*now[:axis], count, *now[axis + 1 :]))
            total = total + place_static(
                apply(reverse_op, (part,), {"axis": (axis,)}), at(to), target
            )
        g = total
    return g


def _mirror_grad_numpy(dy: Any, like: Any, *, paddings: Any, mode: str) -> Any:
    out = np.array(dy)
    for axis, (a, b) in enumerate(_pairs(paddings)):
        n = like.shape[axis]
        rows = np.moveaxis(out, axis, 0)
        source = np.pad(np.arange(n), (a, b), mode="reflect" if mode == "REFLECT" else "symmetric")
        total = np.zeros((n, *rows.shape[1:]), dy.dtype)
        np.add.at(total, source, rows)
        out = np.moveaxis(total, 0, axis)
    return np.ascontiguousarray(out)


mirror_pad_grad_op = op(
    "mirror_pad_grad", "MirrorPadGrad", "composite", doc="The gradient of mirror_pad.", args=("dy",
    "like"),
    types="fiu", infer=lambda inputs, attrs: [(inputs[0].dtype,
    inputs[1].static_shape)],
    expand=_mirror_grad_expand, numpy=_mirror_grad_numpy,
    grad=lambda y, dy, g, like, *rest, **attrs: (apply(mirror_pad_op, [dy, *rest], attrs), None,
    *nones(rest)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def _made_of_row(row: Any) -> int:
    """How many operations TF1 makes of one row of paddings, in a list with tensors."""
    if isinstance(row, Value):
        return 0
    return 1 + sum(not isinstance(e, Value) for e in row) if has_tensor(row) else 1


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: Any = 0,
) -> Value:
    """`tensor` with ``paddings[i]`` (before, after) elements added on axis ``i``.

    Parameters
    ----------
    mode : {"CONSTANT", "REFLECT", "SYMMETRIC"}
    constant_values : scalar
        What is added when the mode is CONSTANT.

    Raises
    ------
    ValueError
        For an unknown mode or paddings that do not fit.
    """
    mode = mode.upper()
    values = [("tensor", tensor)]
    record, attrs = pad_op, None
    if mode == "CONSTANT":
        if isinstance(constant_values, Value) or constant_values != 0:
            record = pad_v2_op
    elif mode in ("REFLECT", "SYMMETRIC"):
        record, attrs = mirror_pad_op, {"mode": mode}
    else:
        raise ValueError(f"Unknown padding mode: {mode}")
    with current().scope(name, record.tf) as scope:
        x = as_value(tensor, None, "tensor")
        values = [("tensor", x)]
        count = None
        if not isinstance(paddings, Value) and has_tensor(paddings):
            count = 1 + sum(_made_of_row(row) for row in paddings)
        with current().counts_as(count):
            p = _flat_paddings(paddings)
        if record is pad_v2_op:
            values.append(
                ("constant_values", as_value(constant_values, x.dtype, "constant_values"))
            )
        return make(record, values, {"paddings": ("paddings", p)}, scope or name, attrs).outputs[0]


def _flat_paddings(p: Any) -> Any:
    """Paddings as numbers, or as a flat vector (it can be known) where tensors are among them."""
    s = p
    if isinstance(p, Value):
        s = static_operand(p, "paddings")
        return reshape(s, [-1], name="paddings") if isinstance(s, Value) else p
    if tensor_inside(p):
        flat = [e for row in p for e in (unstack(row) if isinstance(row, Value) else row)]
        return stack(flat, name="paddings")
    return p


pad_op.call = pad_v2_op.call = mirror_pad_op.call = pad
