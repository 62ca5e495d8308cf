"""Ops that reorder axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import intervals, sharing
from graphc.ops.counting import made
from graphc.ops.operands import fail, make, need_vector
from graphc.ops.record import Attrs, Types, as_value, op, shape_error
from graphc.ops.shapes import _number, rank
from graphc.ops.spaced import range as range_of

__all__ = ["matrix_transpose", "transpose"]


def _perm_of(inputs: Sequence[Value], attrs: Attrs) -> tuple[int, ...] | None:
    """The permutation, or None where it is not known."""
    s = inputs[0].static_shape
    if "perm" in attrs and attrs["perm"] is None:
        return None if s is None else tuple(reversed(range(len(s))))
    k = static(inputs, attrs, "perm")
    if k is None or (isinstance(k, tuple) and None in k):
        return None if not isinstance(k, tuple) else tuple([-1] * len(k))
    need_vector(k)
    return tuple(_number(a) for a in k)


def _transpose_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    perm = _perm_of(inputs, attrs)
    if perm is None:
        return [(x.dtype, None if s is None else tuple(D.fresh() for _ in s))]
    if s is None:
        return [(x.dtype, tuple(D.fresh() for _ in perm))]
    if len(perm) != len(s):
        raise fail(
            f"Dimension must be {len(s)} but is {len(perm)}",
            f"transpose expects a vector of size {len(s)}. But input(1) is a vector of size "
            f"{len(perm)}",
            f", [{len(perm)}]",
        )
    if perm and all(p == -1 for p in perm) and "perm" not in attrs and D.facts() is None:
        return [(x.dtype, tuple(D.fresh() for _ in perm))]
    seen = set()
    for p in perm:
        if not -len(s) <= p < len(s):
            raise fail(
                f"perm dim {p} is out of range of input rank {len(s)}",
                f"{p} is out of range [0 .. {len(s)})",
                f", [{len(perm)}] and with computed input tensors: input[1] = "
                f"<{' '.join(map(str, perm))}>",
            )
        seen.add(p % len(s))
    if len(seen) != len(s):
        missing = next(i for i in range(len(s)) if i not in seen)
        raise shape_error(f"{missing} is missing from {{{','.join(map(str, perm))}}}.")
    return [(x.dtype, tuple(s[p] for p in perm))]


def _transpose_element(k: Any, index: Shape, x: Value, *, perm: Any) -> Any:
    where: list[Dim] = [0] * len(index)
    rank = len(index)
    for i, p in enumerate(tuple(reversed(range(rank))) if perm is None else perm):
        where[p % rank] = index[i]
    return k.read(x, tuple(where))


def _transpose_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    if rest:
        from graphc.ops.partition import invert_permutation  # which needs this module

        return transpose(dy, invert_permutation(rest[-1])), None
    perm = attrs["perm"]
    if perm is None:
        return (build(transpose_op, (dy,), {"perm": None}).outputs[0],)
    n = len(perm)
    return (transpose(dy, [int(i) for i in np.argsort([p % n for p in perm])]),)


transpose_op = op(
    "transpose", "Transpose", "view", doc="Axes in another order.", args=("a",), types="fiubsc",
    infer=_transpose_infer, element=_transpose_element, grad=_transpose_grad,
    numpy=lambda x, *, perm: np.transpose(x, perm),
    dims=lambda x, *rest, **attrs: x,
    interval=intervals.first, facts={"shares": sharing.in_order},
)  # fmt: skip


def transpose(a: Any, perm: Any = None, name: str | None = None, conjugate: bool = False) -> Value:
    """`a` with axis ``i`` of the result being axis ``perm[i]``; by default all reversed.

    Parameters
    ----------
    conjugate : bool
        Whether complex numbers are conjugated.
    """
    if conjugate:
        a = _conjugated(a)
    if perm is None:
        a = as_value(a, None, "a") if not isinstance(a, Value) else a
        if a.static_shape is None:
            made(7)  # the reversed numbers of the axes
            return make(transpose_op, [("a", a)], None, name, {"perm": None}, "transpose").outputs[
                0
            ]
        perm = list(reversed(range(len(a.static_shape))))
    return make(
        transpose_op, [("x", a)], {"perm": ("perm", perm)}, name, None, "transpose"
    ).outputs[0]


transpose_op.call = transpose


def _conjugated(a: Any) -> Any:
    """The conjugate of what is complex; TF1 makes one operation of this and the transpose."""
    a = as_value(a, None, "a")
    if a.dtype.kind != "c":
        return a
    from graphc.ops.complex import conj  # few programs have complex numbers

    with current().counts_as(0):
        return conj(a)


def matrix_transpose(
    a: Any, name: str | None = "matrix_transpose", conjugate: bool = False
) -> Value:
    """`a` with its last two axes exchanged, and conjugated where that is asked for."""
    with current().scope(name, "matrix_transpose"):
        a = as_value(a, None, "a")
        if a.static_shape is None:
            from graphc.ops.joining import concat  # which needs this module

            n = rank(a)
            perm = concat([range_of(n - 2), [n - 1, n - 2]], 0)
            return transpose(a, perm, conjugate=conjugate)
        r = len(a.static_shape)
        if r < 2:
            raise ValueError(
                f"Argument 'a' should be a (batch) matrix, with rank >= 2.  Found: {a.static_shape}"
            )
        return transpose(a, [*range(r - 2), r - 1, r - 2], conjugate=conjugate)
