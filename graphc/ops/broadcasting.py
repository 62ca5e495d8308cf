"""Ops that repeat elements along axes, and the sums that undo it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Dim, Shape
from graphc.ir.node import Value
from graphc.ops import intervals, sharing
from graphc.ops.operands import fail, known_shape, make, show, text
from graphc.ops.record import Attrs, Types, op, shape_error
from graphc.ops.shapes import like_shape, reshape_static, whole

__all__ = ["broadcast_like", "broadcast_to", "sum_to_like"]


def _check_broadcast(given: Shape | None, want: Shape | None) -> None:
    if given is None or want is None:
        return
    if len(given) > len(want):
        raise shape_error(f"Incompatible shapes: {text(given)} vs. {text(want)}")
    for a, b in zip(given, want[len(want) - len(given) :], strict=True):
        if D.same(a, b) is False and D.same(a, 1) is False:
            raise fail(
                f"Dimensions must be equal, but are {show(a)} and {show(b)}",
                f"Incompatible shapes: {text(given)} vs. {text(want)}",
            )


def _broadcast_to_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    want = known_shape(inputs, attrs, "shape")
    _check_broadcast(inputs[0].static_shape, want)
    return [(inputs[0].dtype, _at_least(inputs[0].static_shape, want))]


def _at_least(given: Shape | None, want: Shape | None) -> Shape | None:
    """`want` with what is known because axes of other sizes than 1 keep theirs."""
    if given is None or want is None or len(given) > len(want):
        return want
    first = len(want) - len(given)
    return *want[:first], *(
        a if type(a) is int and a > 1 else b for a, b in zip(given, want[first:], strict=True)
    )


def spread(k: Any, index: Shape, x: Value) -> tuple[Dim, ...]:
    """Where an element of a broadcast result comes from in `x`."""
    s = k.shape(x)
    pad = len(index) - len(s)
    return tuple(
        0 if d == 1 or D.repeats(d, k.out_shape[pad + i]) else index[pad + i]
        for i, d in enumerate(s)
    )


broadcast_to_op = op(
    "broadcast_to", "BroadcastTo", "view", doc="Repeated along new and size-1 axes.",
    args=("input",),
    types="fiubc", infer=_broadcast_to_infer,
    element=lambda k, index, x, **a: k.read(x, spread(k, index, x)),
    numpy=lambda x, *, shape: np.broadcast_to(x, shape),
    grad=lambda y, dy, x, *rest, **a: (sum_to_like(dy, x), *(None for _ in rest)),
    interval=intervals.first, facts={"shares": sharing.unchanged},
)  # fmt: skip


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Value:
    """`input` broadcast to `shape`, as numpy."""
    return make(broadcast_to_op, [("input", input)], {"shape": ("shape", shape)}, name).outputs[0]


broadcast_to_op.call = broadcast_to


def _broadcast_like_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    _check_broadcast(inputs[0].static_shape, inputs[1].static_shape)
    return [(inputs[0].dtype, inputs[1].static_shape)]


broadcast_like_op = op(
    "broadcast_like", "BroadcastTo", "view", doc="x broadcast to the shape of `like`.", args=("x",
    "like"),
    types="fiubc", infer=_broadcast_like_infer,
    numpy=lambda x, like: np.broadcast_to(x, like.shape),
    grad=lambda y, dy, x, like: (sum_to_like(dy, x), None),
    expand=lambda x, like: _broadcast_static(x, whole(like)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def _broadcast_static(x: Value, shape: Shape) -> Value:
    if x.static_shape == shape:
        return x
    return build(broadcast_to_op, (x,), {"shape": shape}).outputs[0]


def broadcast_like(x: Value, like: Value, name: str | None = None) -> Value:
    """`x` broadcast to the shape of `like`; only its shape is used."""
    if D.is_known(like.static_shape):
        if x.static_shape == like.static_shape:
            return x
        return build(broadcast_to_op, (x,), {"shape": like.static_shape}, name).outputs[0]
    return build(broadcast_like_op, (x, like), {}, name).outputs[0]


broadcast_like_op.call = broadcast_like


def _sum_like(x: Value, like: Value) -> Value:
    from graphc.ops import reduce

    s, t = whole(x), whole(like)
    pad = len(s) - len(t)
    axes = [i for i in range(len(s)) if i < pad or (D.same(t[i - pad], 1) and not D.same(s[i], 1))]
    y = reduce.reduce_sum(x, axes, keepdims=pad == 0) if axes else x
    return y if y.static_shape == t else reshape_static(y, t)


def _sum_to_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    """Sizes that do not fit are those of a branch that does not run with them."""
    _check_broadcast(inputs[1].static_shape, inputs[0].static_shape)
    return like_shape(inputs, attrs)


def _sum_to_numpy(x: np.ndarray[Any, Any], like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    pad = x.ndim - like.ndim
    axes = tuple(i for i in range(x.ndim) if i < pad or like.shape[i - pad] == 1 != x.shape[i])
    out: np.ndarray[Any, Any] = np.sum(x, axis=axes, dtype=x.dtype)
    return np.reshape(out, like.shape)


sum_to_like_op = op(
    "sum_to_like", "Sum", "composite",
    doc="Summed over the axes along which `like` would be broadcast.",
    args=("x", "like"), types="fiuc", infer=_sum_to_infer, numpy=_sum_to_numpy, expand=_sum_like,
    grad=lambda y, dy, x, like: (broadcast_like(dy, x), None),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def sum_to_like(x: Value, like: Value, name: str | None = None) -> Value:
    """The gradient of broadcasting: `x` summed to the shape of `like` (only that is used)."""
    if x.static_shape is not None and x.static_shape == like.static_shape:
        return x
    if D.is_known(x.static_shape) and D.is_known(like.static_shape):
        return _sum_like(x, like)
    return build(sum_to_like_op, (x, like), {}, name).outputs[0]


sum_to_like_op.call = sum_to_like
