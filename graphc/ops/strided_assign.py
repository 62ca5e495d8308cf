"""Assigning to a slice of a variable: ``v[1:3].assign(x)``, ``tf.assign(v[i], x)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import UnimplementedError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Shape
from graphc.ir.node import Node, Value
from graphc.ops import math, shapes, spaced, state
from graphc.ops.record import Attrs, Types, as_value, check_kind, op
from graphc.ops.scatter import change_rows_op
from graphc.ops.strided import strided_slice_at_op, strided_slice_op

__all__ = ["assign_slice", "is_slice"]

_SLICES = (strided_slice_op, strided_slice_at_op)


def is_slice(x: Any) -> bool:
    """Whether `x` is what indexing by ``[]`` gave."""
    return isinstance(x, Value) and x.node.op in _SLICES


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    ref, value, _ = inputs
    if value.dtype is not ref.dtype:
        raise TypeError(
            f"Input 'value' of 'StridedSliceAssign' Op has type {value.dtype.name} that does not "
            f"match type {ref.dtype.name} of argument 'ref'."
        )
    return [ref.type]


def _changed(old: Value, value: Value, places: Value, *, rows: bool) -> Value:
    """`old` with the rows, or the elements, at `places` replaced."""
    want, given = places.static_shape, value.static_shape
    assert old.static_shape is not None
    if want is not None and rows:
        want = (*want, *old.static_shape[1:])
    if want is not None and 0 in want:
        return old
    if want is None or given is None or len(want) != len(given) or not all(
        D.same(a, b) for a, b in zip(want, given, strict=True)
    ):  # fmt: skip
        raise UnimplementedError(
            None, None, f"sliced l-value shape {_text(want)} does not match r-value shape "
            f"{_text(given)}. Automatic broadcasting not yet implemented.",
        )  # fmt: skip
    at = shapes.reshape(places, [-1])
    inner = list(old.static_shape[1:]) if rows else []
    flat = old if rows else shapes.reshape(old, [-1])
    new = shapes.reshape(value, [-1, *inner])
    made = build(change_rows_op, (flat, at, new), {"kind": "update"}).outputs[0]
    return made if rows else shapes.reshape(made, list(old.static_shape))


def _text(shape: Shape | None) -> str:
    return "<unknown>" if shape is None else f"[{','.join(map(str, shape))}]"


assign_op = op(
    "strided_slice_assign", "StridedSliceAssign", "state", doc="Replaces a slice of a variable.",
    args=("ref", "value", "places"), infer=_infer, types="fiub", stateful=True,
    facts={"ref": True, "update": _changed},
)  # fmt: skip


def _only_rows(n: Node) -> bool:
    """Whether a slice leaves all axes but the first whole, and adds none."""
    masks = (n.attrs.get(k, 0) for k in ("ellipsis_mask", "new_axis_mask"))
    if any(masks):
        return False
    for key, v in zip(n.attrs.get("dynamic", ()), n.inputs[1:], strict=True):
        if key == "strides" or (v.static_shape or (0,)) != (1,):
            return False
    return all(len(n.attrs[k]) == 1 for k in ("begin", "end", "strides") if k in n.attrs)


def assign_slice(sliced: Value, value: Any, name: str | None = None) -> Value:
    """Replace a slice of a variable; the result is the variable's new value.

    Parameters
    ----------
    sliced : tensor
        ``variable[…]``.
    value : tensor
        Of the shape of `sliced`.

    Raises
    ------
    ValueError
        When `sliced` is a slice of something else.
    """
    n = sliced.node
    source = n.inputs[0]
    if source.node.op.name == "identity":
        source = source.node.inputs[0]
    if source.node.op.name != "variable":
        raise ValueError("Sliced assignment is only supported for variables")
    ref = state.reference(source, "StridedSliceAssign")
    check_kind(assign_op, "ref", ref.dtype, assign_op.types)
    rows = _only_rows(n)
    with current().scope(name or f"{n.name}/_assign/", "") as scope:
        new = value if isinstance(value, Value) else as_value(value, ref.dtype, "value")
        with current().counts_as(1):
            places = _places(n, ref, rows)
            made = build(assign_op, (ref, new, places), {"rows": rows}, scope)
    return made.outputs[0]


def _places(n: Node, ref: Value, rows: bool) -> Value:
    """The numbers of the rows, or of the elements, that the slice `n` of `ref` takes."""
    sizes = shapes.shape(ref, out_type=dtypes.int64)
    whole = sizes[0] if rows else math.cast(shapes.size(ref), dtypes.int64)
    numbers = spaced.range(0, whole, dtype=dtypes.int64)
    if not rows:
        numbers = shapes.reshape(numbers, sizes)
    return build(n.op, (numbers, *n.inputs[1:]), n.attrs).outputs[0]
