"""Rows that ops of the host copy: in native code, by threads, into memory that runs use again.

Rows are copied as integers of their elements' size, so that one kernel serves all types. Who calls
has looked at the numbers of the rows: nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Shape
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Op, Types

__all__ = ["picked_rows", "placed_rows"]

Array = np.ndarray[Any, Any]

#: Bytes from which on rows are copied here: numpy takes as long for fewer as a native call.
MANY = 1 << 17
#: Bytes of a row that numpy picks as fast.
SHORT = 16


def _shape(v: Value) -> Shape:
    assert v.static_shape is not None
    return v.static_shape


def _lower(n: Node, s: Site) -> None:
    """The rows of each operand, read or written at its numbers."""
    placed = n.op is place_rows_op
    count = len(n.inputs) // 2
    for i in range(count):
        ids, data = n.inputs[i], n.inputs[count + i]
        (rows,), shape = _shape(ids), _shape(data)
        inner: Dim = shape[1]
        k = KernelBuilder(n.op.name)
        at = k.input("ids", ids.dtype, (rows,))
        x = k.input("data", data.dtype, shape)
        y = k.output("y", data.dtype, _shape(n.outputs[0]))
        with k.loop("parallel", "i", rows) as row:
            place: Any = k.cast(k.load(at, (row,)), dtypes.int64)
            with k.loop("vector", "j", inner) as j:
                source, to = (row, place.index) if placed else (place.index, row)
                k.store(y, (to, j), k.load(x, (source, j)))
        s.step(k.build(), [s.input(i), s.input(count + i), s.output()])


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    count = len(inputs) // 2
    rows: Dim = 0
    for ids in inputs[:count]:
        rows = rows + D.product(_shape(ids))
    return [(inputs[count].dtype, (rows, _shape(inputs[count])[1]))]


def _copies(name: str, tf: str, doc: str) -> Op:
    return Op(
        name=name, tf=tf, family="structured", doc=doc, args=("*operands",), types="iu",
        infer=_infer, lower=_lower,
    )  # fmt: skip


pick_rows_op = _copies("pick_rows", "PickRows", "The rows of a matrix that have these numbers.")
place_rows_op = _copies(
    "place_rows", "PlaceRows", "A matrix of the rows of others, each of which has a place."
)


def _as_numbers(rows: Array) -> Array:
    return np.ascontiguousarray(rows).reshape(len(rows), -1).view(f"i{rows.itemsize}")


def _fit(rows: Sequence[Array], count: int) -> bool:
    x = rows[0]
    bytes_of_row = x[:1].nbytes
    plain = x.dtype.kind in "fiub" and x.itemsize in (1, 2, 4, 8)
    return plain and bytes_of_row > 0 and bytes_of_row * count >= MANY


def picked_rows(context: Any, rows: Array, ids: Array) -> Array:
    """``rows[ids]``."""
    if context is None or rows[:1].nbytes < SHORT or not _fit([rows], ids.size):
        return rows.take(ids, 0)
    (made,) = context.native(pick_rows_op, (ids, _as_numbers(rows)))
    out: Array = made.view(rows.dtype).reshape(ids.size, *rows.shape[1:])
    return out


def placed_rows(context: Any, ids: Sequence[Array], rows: Sequence[Array]) -> Array | None:
    """A tensor whose row ``ids[i][j]`` is ``rows[i][j]``, where each place is named once.

    None for few rows, or where numpy does it as well.
    """
    count = sum(i.size for i in ids)
    parts = [(i, x) for i, x in zip(ids, rows, strict=True) if i.size]
    if context is None or not parts or not _fit([x for _, x in parts], count):
        return None
    operands = [*(i.reshape(-1) for i, _ in parts), *(_as_numbers(x) for _, x in parts)]
    (made,) = context.native(place_rows_op, operands)
    out: Array = made.view(rows[0].dtype).reshape(count, *rows[0].shape[1:])
    return out
