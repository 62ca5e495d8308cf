"""Ops on diagonals of matrices and tensors."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dims import Dim, Shape
from graphc.ir.node import Value
from graphc.ops.convert import convert
from graphc.ops.fills import ones, zeros, zeros_like
from graphc.ops.joining import concat
from graphc.ops.operands import less, make, show
from graphc.ops.record import Attrs, Types, op, shape_error

__all__ = ["diag", "diag_part", "eye", "matrix_diag", "matrix_diag_part", "matrix_set_diag"]


def _matrix_diag_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    return [(inputs[0].dtype, None if s is None else (*s, s[-1]))]


def _matrix_diag_numpy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    n = x.shape[-1]
    out = np.zeros((*x.shape, n), x.dtype)
    i = np.arange(n)
    out[..., i, i] = x
    return out


matrix_diag_op = op(
    "matrix_diag", "MatrixDiag", "view", doc="Matrices with x on their diagonal.",
    args=("diagonal",),
    types="fiubc", infer=_matrix_diag_infer,
    numpy=_matrix_diag_numpy,
    element=lambda k, index, x: k.read(x, index[:-1], k.compare("equal", index[-1], index[-2]), 0),
    grad=lambda y, dy, x: (matrix_diag_part(dy),),
)  # fmt: skip


def matrix_diag(
    diagonal: Any,
    name: str | None = "diag",
    k: Any = 0,
    num_rows: int = -1,
    num_cols: int = -1,
    padding_value: Any = 0,
) -> Value:
    """Square matrices with `diagonal` on their diagonal and zeros elsewhere.

    TF 1.15 takes `k`, `num_rows`, `num_cols` and `padding_value` and does nothing with them.
    """
    return make(matrix_diag_op, [("diagonal", diagonal)], None, name, None, "diag").outputs[0]


def _small(a: Dim, b: Dim) -> Dim:
    """The smaller size; while recording an unknown one stays unknown."""
    lt = less(a, b)
    if lt is None:
        return a if a == b else D.fresh()
    return a if lt else b


def _matrix_diag_part_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    return [(inputs[0].dtype, None if s is None else (*s[:-2], _small(s[-2], s[-1])))]


matrix_diag_part_op = op(
    "matrix_diag_part", "MatrixDiagPart", "view", doc="The diagonals of matrices.", args=("input",),
    types="fiubc", infer=_matrix_diag_part_infer,
    numpy=lambda x: np.ascontiguousarray(np.diagonal(x, axis1=-2, axis2=-1)),
    element=lambda k, index, x: k.read(x, (*index, index[-1])),
    grad=lambda y, dy, x: (matrix_set_diag(zeros_like(x), dy),),
)  # fmt: skip


def matrix_diag_part(
    input: Any, name: str | None = "diag_part", k: Any = 0, padding_value: Any = 0
) -> Value:
    """The diagonals of the last two axes; TF 1.15 takes `k` and does nothing with it."""
    return make(matrix_diag_part_op, [("input", input)], None, name, None, "diag_part").outputs[0]


def _set_diag_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, d = (v.static_shape for v in inputs)
    if s is not None and len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    if s is not None and d is not None:
        if len(d) != len(s) - 1:
            raise shape_error(f"Shape must be rank {len(s) - 1} but is rank {len(d)}")
        for a, b in zip((*s[:-2], _small(s[-2], s[-1])), d, strict=True):
            if D.same(a, b) is False:
                raise shape_error(f"Dimensions must be equal, but are {show(a)} and {show(b)}")
    return [(inputs[0].dtype, s)]


def _set_diag_numpy(x: np.ndarray[Any, Any], d: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = np.array(x)
    i = np.arange(d.shape[-1])
    out[..., i, i] = d
    return out


def _set_diag_element(k: Any, index: Shape, x: Value, d: Value) -> Any:
    on = k.compare("equal", index[-1], index[-2])
    # outside the diagonal nothing of `d` is read
    return k.select(on, k.read(d, index[:-1], on, 0), k.read(x, index))


matrix_set_diag_op = op(
    "matrix_set_diag", "MatrixSetDiag", "view", doc="Matrices with another diagonal.",
    args=("input", "diagonal"), types="fiubc", infer=_set_diag_infer, numpy=_set_diag_numpy,
    element=_set_diag_element,
    grad=lambda y, dy, x, d: (matrix_set_diag(dy, zeros_like(d)), matrix_diag_part(dy)),
)  # fmt: skip


def matrix_set_diag(input: Any, diagonal: Any, name: str | None = "set_diag", k: Any = 0) -> Value:
    """`input` with the diagonals of its last two axes replaced; `k` has no effect in TF 1.15."""
    values = [("input", input), ("diagonal", diagonal)]
    return make(matrix_set_diag_op, values, None, name, None, "set_diag").outputs[0]


def _diag_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    return [(inputs[0].dtype, None if s is None else s * 2)]


def _diag_numpy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.reshape(np.diag(x.reshape(-1)), x.shape + x.shape)


def _diag_element(k: Any, index: Shape, x: Value) -> Any:
    n = len(index) // 2
    on = None
    for a, b in zip(index[:n], index[n:], strict=True):
        on = k.both(on, k.compare("equal", a, b))
    return k.read(x, index[:n], on, 0)


diag_op = op(
    "diag", "Diag", "view", doc="A tensor of twice the rank with x on its diagonal.",
    args=("diagonal",),
    types="fic", numpy=_diag_numpy,
    element=_diag_element,
    infer=_diag_infer,
    grad=lambda y, dy, x: (diag_part(dy),),
)  # fmt: skip


def diag(diagonal: Any, name: str | None = None) -> Value:
    """A tensor of twice the rank with `diagonal` on its diagonal."""
    return make(diag_op, [("diagonal", diagonal)], None, name).outputs[0]


def _diag_part_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is None:
        return [(inputs[0].dtype, None)]
    if len(s) % 2 or not s:
        raise shape_error(f"Input must have even and non-zero rank, input rank is {len(s)}")
    n = len(s) // 2
    for a, b in zip(s[:n], s[n:], strict=True):
        if D.same(a, b) is False:
            raise shape_error(f"Dimensions must be equal, but are {show(a)} and {show(b)}")
    return [(inputs[0].dtype, s[:n])]


def _diag_part_numpy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    s = x.shape[: x.ndim // 2]
    n = int(np.prod(s))
    return np.reshape(np.diagonal(x.reshape(n, n)), s)


diag_part_op = op(
    "diag_part", "DiagPart", "view", doc="The diagonal of a tensor of even rank.", args=("input",),
    types="fic", infer=_diag_part_infer, numpy=_diag_part_numpy,
    element=lambda k, index, x: k.read(x, (*index, *index)), grad=lambda y, dy, x: (diag(dy),),
)  # fmt: skip


def diag_part(input: Any, name: str | None = None) -> Value:
    """The diagonal of a tensor whose two halves of axes have equal sizes."""
    return make(diag_part_op, [("input", input)], None, name).outputs[0]


matrix_diag_op.call, matrix_diag_part_op.call = matrix_diag, matrix_diag_part
matrix_set_diag_op.call, diag_op.call, diag_part_op.call = matrix_set_diag, diag, diag_part


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Identity matrices."""
    from graphc.ops import math

    with current().scope(name, "eye"):
        square = num_columns is None
        batch = [] if batch_shape is None else batch_shape
        columns = num_rows if num_columns is None else num_columns
        n: Any
        if isinstance(num_rows, Value) or isinstance(columns, Value):
            n = math.minimum(num_rows, columns)
        else:
            num_rows, columns = operator.index(num_rows), operator.index(columns)
            square = num_rows == columns
            n = min(num_rows, columns)
        if isinstance(batch, Value) or isinstance(n, Value):
            b = convert(
                np.array(batch, np.int32) if not isinstance(batch, Value) else batch, None, "shape"
            )
            ones_shape: Any = concat([b, [n]], 0)
            whole: Any = None if square else concat([b, [num_rows, columns]], 0)
        else:
            outer = batch.as_list() if hasattr(batch, "as_list") else list(batch)
            ones_shape, whole = [*outer, n], [*outer, num_rows, columns]
        diagonal = ones(ones_shape, dtype)
        if diagonal.static_shape is None and not isinstance(batch, Value):
            diagonal.static_shape = tuple(D.fresh() for _ in range(len(batch) + 1))
        if square:
            return matrix_diag(diagonal)
        return matrix_set_diag(zeros(whole, dtype), diagonal)
