"""Choices, element by element or row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import intervals
from graphc.ops.record import (
    Attrs,
    Op,
    Types,
    apply,
    as_operand,
    as_value,
    broadcast,
    elementwise,
    merge,
    op,
    shape_error,
)

__all__ = ["clip_by_value", "maximum", "minimum", "select", "where"]


# ------------------------------------------------------------------------- choice


def _select_operands(record: Op, values: Sequence[Any]) -> list[Value]:
    """The condition is bool; the first of the other two fixes the type of both."""
    c, x, y = values
    cond = as_operand("Select", "condition", c, dtypes.bool_)
    if isinstance(y, Value) and not isinstance(x, Value):
        return [cond, as_operand("Select", "t", x, y.dtype, "e"), y]
    a = as_value(x, name="t")
    return [cond, a, as_operand("Select", "e", y, a.dtype, "t")]


def _select_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    c, x, y = inputs
    if c.dtype.kind != "b":
        raise shape_error(f"the condition has type {c.dtype.name}, not bool")
    shape = broadcast(c.static_shape, broadcast(x.static_shape, y.static_shape))
    return [(x.dtype, shape)]


def _select_call(condition: Any, x: Any, y: Any, name: str | None = None) -> Value:
    return apply(select, (condition, x, y), None, name, _select_operands).outputs[0]


select: Op = elementwise(
    "select", "Select", "x where the condition holds, else y; all three broadcast.",
    numpy=lambda c, x, y: np.where(c, x, y), types="fiubsc", args=("condition", "t", "e"),
    infer=_select_infer, call=_select_call,
    grad=lambda z, dz, c, x, y: (None, select(c, dz, 0.0), select(c, 0.0, dz)),
    scalar=lambda k, c, x, y: k.select(c, x, y),
    interval=lambda c, x, y: intervals.hull(x, y),
)  # fmt: skip


def _rows_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    c, x, y = inputs
    shape = merge(x.static_shape, y.static_shape)
    if shape is not None and c.static_shape is not None and len(c.static_shape):
        if len(c.static_shape) == len(shape):
            shape = merge(c.static_shape, shape)
        elif len(c.static_shape) != 1:
            rank = len(c.static_shape)
            raise shape_error(f"Shape must be rank 0, 1 or {len(shape)} but is rank {rank}")
        elif not shape or D.same(c.static_shape[0], shape[0]) is False:
            facts = D.facts()
            show = str if facts is None else facts.value
            raise shape_error(
                "Number of batches of 'then' must match size of 'cond', "
                f"but saw: {show(shape[0] if shape else 1)} vs. {show(c.static_shape[0])}"
            )
    return [(x.dtype, shape)]


def _rows(c: Any, x: Any, y: Any) -> Any:
    if np.ndim(c) == 1 and np.ndim(x) > 1:
        c = np.reshape(c, c.shape + (1,) * (x.ndim - 1))
    return np.where(c, x, y)


def _rows_expand(c: Value, x: Value, y: Value) -> Value:
    if c.rank == 1 and x.rank is not None:
        for _ in range(x.rank - 1):
            c = ops.shapes.expand_dims(c, -1)
    return _select_call(c, x, y)


def _rows_grad(z: Value, dz: Value, c: Value, x: Value, y: Value) -> Any:
    zero = ops.fills.zeros_like(dz)
    return None, where(c, dz, zero), where(c, zero, dz)


select_rows = op(
    "select_rows", "Select", "composite",
    doc="x or y, by a condition of their shape, a scalar, or one for each row (TF1's tf.where).",
    args=("condition", "t", "e"), types="fiubsc", numpy=_rows, infer=_rows_infer,
    expand=_rows_expand, grad=_rows_grad,
)  # fmt: skip


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Value:
    """Elements of `x` where `condition` holds, else of `y`; without them, where it holds.

    Parameters
    ----------
    condition : bool tensor
        Of the shape of `x`, a scalar, or a vector that chooses rows.
    x, y : tensors of one shape, optional
        Without them the result has one row of indices for each true element.

    Raises
    ------
    ValueError
        When only one of `x` and `y` is given, or shapes do not fit.
    """
    if x is None and y is None:
        return ops.arrays.where_indices(condition, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    with current().scope(name, "Select") as scope:
        c, a, b = _select_operands(select, (condition, x, y))
        # TF1's select does not broadcast: where a run may find sizes that differ, it must look
        _rows_infer((c, a, b), {})
        shape = a.static_shape
        alike = shape is not None and D.is_known(shape) and shape == b.static_shape
        plain = alike and (c.rank == 0 or c.static_shape == shape)
        return build(select if plain else select_rows, (c, a, b), None, scope or name).outputs[0]


def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Value:
    """`t` with values below the minimum or above the maximum replaced by them.

    Raises
    ------
    ValueError
        When the limits broadcast to a larger shape than that of `t`.
    """
    from graphc.ops.indexed import IndexedSlices

    if isinstance(t, IndexedSlices):
        values = clip_by_value(t.values, clip_value_min, clip_value_max, name)
        return IndexedSlices(values, t.indices, t.dense_shape)  # type: ignore[return-value]
    with current().scope(name, "clip_by_value") as scope:
        v = as_value(t, name="t")
        low = minimum(v, clip_value_max)
        merge(v.static_shape, low.static_shape)
        high: Value = maximum(low, clip_value_min, name=scope or name)
        merge(v.static_shape, high.static_shape)
        return high


maximum = elementwise(
    "maximum", "Maximum", "The larger of x and y; NaN where either is NaN.",
    numpy=np.maximum, types="fiu", args=("x", "y"),
    grad=lambda y, dy, a, b: _to_winner(a >= b, dy),
    scalar=lambda k, x, y: k.maximum(x, y),
    dims=D.maximum,
    interval=intervals.maximum,
)  # fmt: skip

minimum = elementwise(
    "minimum", "Minimum", "The smaller of x and y; NaN where either is NaN.",
    numpy=np.minimum, types="fiu", args=("x", "y"),
    grad=lambda y, dy, a, b: _to_winner(a <= b, dy),
    scalar=lambda k, x, y: k.minimum(x, y),
    dims=D.minimum,
    interval=intervals.minimum,
)  # fmt: skip


def _to_winner(first: Any, dy: Any) -> Any:
    return select(first, dy, 0.0), select(first, 0.0, dy)
