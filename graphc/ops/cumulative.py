"""Sums and products that run along an axis: cumsum and cumprod."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.build import build, current
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import lowering
from graphc.ops.record import (
    OPS,
    Attrs,
    Op,
    Types,
    as_value,
    check_kind,
    op,
    quiet,
    shape_error,
    static_ints,
)  # fmt: skip

__all__ = ["cumprod", "cumsum", "one_axis", "width_of_sums"]


def width_of_sums(x: Any) -> Any:
    """The type that elements are added up in: half precision in single."""
    return np.float32 if x.dtype == np.float16 else x.dtype


def one_axis(axis: Any, rank: int, what: str) -> int:
    axis = _number(axis)
    if not -rank <= axis < rank:
        raise shape_error(
            f"{what} ({axis}) must be in the range [{-rank}, {rank}), where {rank} is the number "
            "of dimensions in the input."
        )
    return int(axis) % rank


def _number(axis: Any) -> int:
    """An axis given as a number, or as a vector of one."""
    if not isinstance(axis, tuple):
        return axis  # type: ignore[no-any-return]
    if any(isinstance(a, tuple) for a in axis):
        raise shape_error("Shape must be at most rank 1 but is rank 2")
    if len(axis) != 1:
        raise shape_error("Shape must be rank 0 but is rank 1")
    return axis[0]  # type: ignore[no-any-return]


def _scan_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    axis = static(inputs, attrs, "axis")
    if x.rank is not None and axis is not None:
        one_axis(axis, x.rank, "Expected scan axis")
    return [(x.dtype, x.static_shape)]


def _scan(f: Any, first: int) -> Callable[..., Any]:
    def g(x: Any, *, axis: int, exclusive: bool, reverse: bool) -> Any:
        x = np.moveaxis(x, axis, 0)
        x = x[::-1] if reverse else x
        y = f(x, axis=0, dtype=width_of_sums(x)).astype(x.dtype)
        if exclusive:
            y = np.concatenate([np.full_like(x[:1], first), y[:-1]])
        return np.ascontiguousarray(np.moveaxis(y[::-1] if reverse else y, 0, axis))

    return quiet(g)


def _scan_call(record: Op) -> Callable[..., Value]:
    def call(
        x: Any,
        axis: Any = 0,
        exclusive: bool = False,
        reverse: bool = False,
        name: str | None = None,
    ) -> Value:
        given, axis = axis, static_ints(axis)
        attrs: dict[str, Any] = {"exclusive": bool(exclusive), "reverse": bool(reverse)}
        with current().scope(name, record.tf) as scope:
            x = as_value(x, name="x")
            if not isinstance(given, Value):
                current().reserve("axis")
            check_kind(record, "x", x.dtype, record.types)
            if isinstance(axis, Value):
                attrs["dynamic"] = ("axis",)
                return build(record, (x, axis), attrs, scope or name).outputs[0]
            known = x.rank is not None
            attrs["axis"] = (
                one_axis(axis, x.rank or 0, "Expected scan axis") if known else _number(axis)
            )
            return build(record, (x,), attrs, scope or name).outputs[0]

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = record.doc
    return call


def _cumsum_again(x: Value, axis: tuple[Value, ...], attrs: Attrs) -> Value:
    return build(OPS["cumsum"], (x, *axis), attrs).outputs[0]


def _cumsum_grad(y: Value, dy: Value, x: Value, *axis: Value, **attrs: Any) -> Any:
    back = {**attrs, "reverse": not attrs["reverse"]}
    dx = _cumsum_again(dy, axis, back)
    return (dx, None) if axis else dx


def _cumprod_grad(y: Value, dy: Value, x: Value, *axis: Value, **attrs: Any) -> Any:
    back = {**attrs, "reverse": not attrs["reverse"]}
    dx = _cumsum_again(y * dy, axis, back) / x  # NaN where x is 0, as TF1
    return (dx, None) if axis else dx


def _scan_record(name: str, tf: str, doc: str, f: Any, first: int, **facts: Any) -> Op:
    record = op(
        name, tf, "structured", doc=doc, numpy=_scan(f, first), infer=_scan_infer, args=("x",),
        types="fiuc", lower=lowering.scan, **facts,
    )  # fmt: skip
    record.call = _scan_call(record)
    return record


cumsum = _scan_record(
    "cumsum", "Cumsum", "Sums of the elements up to each place along an axis.",
    np.cumsum, 0, combine="sum", grad=_cumsum_grad,
)  # fmt: skip

cumprod = _scan_record(
    "cumprod", "Cumprod", "Products of the elements up to each place along an axis.",
    np.cumprod, 1, combine="prod", grad=_cumprod_grad, sample=(0.5, 2.0),
    facts={"own_conjugate": True},  # TF1 takes no conjugates here
)  # fmt: skip
