"""Rows that a sparse gradient names: summed where it names one twice, and updated alone.

A variable's optimizer touches only these rows. How many different ones there are is known only in
the run; so each row keeps its place, and all that are the same row hold the same sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, fills, lowering, math, scatter, shapes, spaced
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.ops.operands import make
from graphc.ops.record import Attrs, Types, op

__all__ = ["count_rows", "old_rows", "replace_rows", "sum_equal_rows", "summed", "whole_rows"]


def _summed(values: Any, ids: Any, *, rows: int) -> Any:
    wrong = (ids < 0) | (ids >= rows)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgumentError(
            None, None, f"indices[{at}] = {int(ids[at])} is not in [0, {rows})"
        )
    _, first, back = np.unique(ids, return_index=True, return_inverse=True)
    total = np.zeros((first.size, *values.shape[1:]), values.dtype)
    with np.errstate(all="ignore"):
        np.add.at(total, back.reshape(-1), values)
    return total[back.reshape(-1)]


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [inputs[0].type]


sum_equal_op = op(
    "sum_equal_rows", "SumEqualRows", "structured",
    doc="For each row the sum of all rows with its index.", args=("values", "ids"), types="f",
    infer=_infer, numpy=_summed, lower=lowering.sum_equal_rows, fails=True,
    facts={"no_gradient_error": True},
)  # fmt: skip


def sum_equal_rows(values: Any, ids: Any, rows: Any) -> Value:
    """Rows `values`, each with those added that have the same index; indices are in [0, rows).

    Parameters
    ----------
    values : tensor
    ids : tensor of ints
        A vector: the index of each row.
    rows : int or tensor
        Of the tensor that is indexed.
    """
    given = [("values", values), ("ids", ids)]
    made: Value = make(sum_equal_op, given, {"rows": ("rows", rows)}).outputs[0]
    return made


def _spread_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    values, at = inputs
    s, t = values.static_shape, at.static_shape
    return [(values.dtype, None if s is None or t is None else (*t, *s[1:]))]


def _spread(values: Any, at: Any) -> Any:
    inside = (at >= 0) & (at < len(values))
    out = np.zeros((*at.shape, *values.shape[1:]), values.dtype)
    out[inside] = values[at[inside]]
    return out


def _spread_element(k: Any, index: Sequence[Any], values: Value, at: Value) -> Any:
    row = k.as_index(k.cast(k.read(at, index[:1]), dtypes.int64))
    inside = k.both(k.compare("less_equal", 0, row), k.compare("less", row, k.shape(values)[0]))
    return k.read(values, (row, *index[1:]), inside, 0)


def _spread_grad(y: Value, dy: Value, values: Value, at: Value) -> tuple[Value, None]:
    """Each row gets what came of its copies (numbers below zero are nobody's)."""
    count = shapes.shape(values)[0]
    inside = math.less(math.cast(at, dtypes.int64), math.cast(count, dtypes.int64))
    rows = math.where(inside, at, fills.zeros_like(at) - 1)
    return arrays.unsorted_segment_sum(dy, rows, count), None


spread_op = op(
    "spread_rows", "SpreadRows", "view", doc="Rows by number; zeros where there is none.",
    args=("values", "at"), types="fiu", infer=_spread_infer, numpy=_spread,
    element=_spread_element, grad=_spread_grad,
)  # fmt: skip


def whole_rows(values: Value, ids: Value, like: Any) -> Value:
    """The whole gradient of the variable `like` whose rows at `ids` are `values`, else zero.

    Equal indices have equal rows. It is read where it is used, and so not made in memory.
    """
    many = shapes.size(ids)
    at = arrays.unsorted_segment_max(spaced.range(many), ids, count_rows(like))
    made: Value = make(spread_op, [("values", values), ("at", at)]).outputs[0]
    return made


def summed(grad: IndexedSlices, var: Any) -> IndexedSlices:
    """A gradient of `var` whose equal indices have equal rows: what they are together."""
    total = sum_equal_rows(grad.values, grad.indices, count_rows(var))
    return IndexedSlices(total, grad.indices, grad.dense_shape)


def count_rows(var: Any) -> Any:
    """The number of rows of a variable: a number where it is known."""
    shape = var.get_shape()
    known = shape.ndims is not None and shape[0].value is not None
    return shape[0].value if known else shapes.shape(var)[0]


def old_rows(var: Any, ids: Value) -> Value:
    """The rows of a variable at `ids`, as they are before an update."""
    return arrays.gather(convert_to_tensor(var), ids)


def replace_rows(var: Any, ids: Value, new: Value, name: str | None = None) -> Value:
    """An update that gives rows of a variable new values."""
    return scatter.scatter_update(var, ids, new, name=name)
