"""Slices at places known or computed, and their gradient."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import sharing
from graphc.ops.array_rules import apply, infer_error, nones, shape_operand
from graphc.ops.operands import known_shape, less, make, need_vector, show  # fmt: skip
from graphc.ops.record import (
    Attrs,
    Types,
    op,
    shape_error,
)  # fmt: skip

__all__ = ["place_static", "slice", "slice_static"]


# ------------------------------------------------------------------------- slice


def _slice_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    begin, want = static(inputs, attrs, "begin"), static(inputs, attrs, "size")
    for given in (begin, want):
        if given is not None:
            need_vector(given)
    n = len(begin) if isinstance(begin, tuple) else len(want) if isinstance(want, tuple) else None
    s = x.static_shape
    if s is not None and n is not None and len(s) != n:
        raise infer_error(f"Shape must be rank {n} but is rank {len(s)}", f", [{n}], [{n}]")
    if s is None and n is None:
        return [(x.dtype, None)]
    rank = len(s) if s is not None else n or 0
    unknown = (None,) * rank
    begin = unknown if begin is None else begin
    want = unknown if want is None else want
    given = unknown if s is None else s
    return [
        (
            x.dtype,
            tuple(_slice_dim(i, *t) for i, t in enumerate(zip(given, begin, want, strict=True))),
        )
    ]


def _slice_dim(i: int, d: Dim | None, b: Dim | None, n: Dim | None) -> Dim:
    """The size of one axis of a slice, checked as far as it is known."""
    rest = n is not None and D.same(n, -1)
    if b is not None and d is not None and (less(b, 0) or less(d, b)):
        raise shape_error(f"Expected begin[{i}] in [0, {show(d)}], but got {show(b)}")
    if rest:
        return D.fresh() if d is None or b is None else d - b
    if n is None:
        return D.fresh()
    if b is not None and d is not None and (less(n, 0) or less(d - b, n)):
        raise shape_error(f"Expected size[{i}] in [0, {show(d - b)}], but got {show(n)}")
    return n


def _slice_element(k: Any, index: Shape, x: Value, *, begin: Any, size: Any) -> Any:
    return k.read(x, tuple(i + b for i, b in zip(index, begin, strict=True)))


def _slice_numpy(x: Any, *, begin: Any, size: Any) -> Any:
    return x[
        tuple(
            builtins.slice(b, None if n == -1 else b + n) for b, n in zip(begin, size, strict=True)
        )
    ]


def _slice_dims(x: Any, *rest: Any, **attrs: Any) -> Any:
    given = dict(zip(attrs.get("dynamic", ()), rest, strict=True))
    b, n = attrs.get("begin", given.get("begin")), attrs.get("size", given.get("size"))
    if x is None or not b or not n or not all(type(e) is int for e in (b[0], n[0])):
        return None
    return x[b[0] :] if n[0] == -1 else x[b[0] : b[0] + n[0]]


def _same_begin(attrs: Attrs, rest: Sequence[Value]) -> tuple[dict[str, Any], list[Value]]:
    """Attributes and operands of an op that begins where one with `attrs` and `rest` does."""
    if "begin" in attrs:
        return {"begin": attrs["begin"]}, []
    return {"dynamic": ("begin",)}, [rest[attrs["dynamic"].index("begin")]]


def _slice_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out, tail = _same_begin(attrs, rest)
    shape_operand(x, out, tail, "shape")
    return (apply(place_op, [dy, *tail], out), *nones(rest))


slice_op = op(
    "slice", "Slice", "view", doc="A box of a tensor.", args=("input",), types="fiubsc",
    infer=_slice_infer,
    element=_slice_element, numpy=_slice_numpy, dims=_slice_dims,
    grad=_slice_grad, facts={"shares": sharing.slices},
)  # fmt: skip


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Value:
    """The box of `input_` that begins at `begin` and has `size` elements on each axis.

    A size of -1 means all that remain.
    """
    sizes_ = {"begin": ("begin", begin), "size": ("size", size)}
    return make(slice_op, [("input", input_)], sizes_, name).outputs[0]


slice_op.call = slice


def slice_static(x: Value, begin: Sequence[Dim], size: Sequence[Dim]) -> Value:
    """`slice` with sizes that are already an attribute's (graph rewriting)."""
    if all(b == 0 for b in begin) and tuple(size) == x.static_shape:
        return x
    return apply(slice_op, (x,), {"begin": tuple(begin), "size": tuple(size)})


# ------------------------------------------------------------------------- place: their gradient


def _place_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    if "begin" not in attrs:
        static(inputs, attrs, "begin")
    return [(inputs[0].dtype, known_shape(inputs, attrs, "shape"))]


def _place_element(k: Any, index: Shape, x: Value, *, begin: Any, shape: Any) -> Any:
    ok, where = None, []
    for i, b, n, d in zip(index, begin, k.shape(x), shape, strict=True):
        t = i - b
        where.append(t)
        if b == 0 and n == d:
            continue
        ok = k.both(ok, k.compare("less_equal", 0, t)) if b != 0 else ok
        ok = k.both(ok, k.compare("less", t, n))
    return k.read(x, tuple(where), ok, 0)


def _place_numpy(x: Any, *, begin: Any, shape: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    out[tuple(builtins.slice(b, b + n) for b, n in zip(begin, x.shape, strict=True))] = x
    return out


def _place_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    out, tail = _same_begin(attrs, rest)
    shape_operand(x, out, tail, "size")
    return (apply(slice_op, [dy, *tail], out), *nones(rest))


place_op = op(
    "place", "Pad", "view", doc="A box inside zeros: the gradient of slice.", args=("x",),
    types="fiubc",
    infer=_place_infer, element=_place_element, numpy=_place_numpy,
    grad=_place_grad,
)  # fmt: skip


def place_static(x: Value, begin: Sequence[Dim], shape: Sequence[Dim]) -> Value:
    """`x` at `begin` inside zeros of `shape` (graph rewriting)."""
    return apply(place_op, (x,), {"begin": tuple(begin), "shape": tuple(shape)})
