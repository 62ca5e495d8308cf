"""Rows of a variable changed by index (``tf.scatter_*``), and the same on tensors.

Rows of variables are changed by ``change_rows``, one after the other, which a plan does in place;
on tensors, which have gradients, all is arithmetic on whole tensors. Where several updates name one
row the last one wins, or they are combined; an index outside the tensor fails the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import arrays, fills, lowering, math, operands, reduce, shapes, spaced, state
from graphc.ops.record import (
    Attrs,
    Op,
    Types,
    apply,
    as_operand,
    as_value,
    check_kind,
    op,
    shape_error,
)

__all__ = [
    "batch_gather", "batch_scatter_update", "scatter_add", "scatter_div", "scatter_max",
    "scatter_min", "scatter_mul", "scatter_nd_add", "scatter_nd_sub", "scatter_nd_update",
    "scatter_sub", "scatter_update", "tensor_scatter_add", "tensor_scatter_nd_add",
    "tensor_scatter_nd_sub", "tensor_scatter_nd_update", "tensor_scatter_sub",
    "tensor_scatter_update",
]  # fmt: skip

Combine = Callable[[Value, Value, Value, Any], Value]

# ------------------------------------------------------------------------- rows


def _rows(x: Value) -> Any:
    """How many: a size where a run is compiled, else a number or a tensor."""
    return _product(x, 1)


def _product(x: Value, depth: int) -> Any:
    """The product of the first sizes."""
    s = x.static_shape
    if s is None or (D.facts() is None and not D.is_known(s[:depth])):
        return reduce.reduce_prod(shapes.shape(x, out_type=dtypes.int64)[:depth])
    n: Any = 1
    for d in s[:depth]:
        n = n * d
    return n


def _range(start: Any, limit: Any) -> Value:
    return spaced.range(start, limit, dtype=dtypes.int64)


def _inside(ids: Value, n: Any) -> Value:
    """`ids`, once the run has checked that they are in [0, n)."""
    return arrays.gather(_range(0, n), ids)


def _update(old: Value, ids: Value, new: Value, n: Any) -> Value:
    """The last of the new rows with an index, or the old row."""
    k = _rows(new)
    last = arrays.unsorted_segment_max(_range(0, k), ids, n)
    at = math.select(last >= 0, last, _range(k, k + n))
    return arrays.gather(arrays.concat([new, old], 0), at)


def _signed(sign: int) -> Combine:
    def f(old: Value, ids: Value, new: Value, n: Any) -> Value:
        total = arrays.unsorted_segment_sum(new, ids, n)
        return old + total if sign > 0 else old - total

    return f


def _segments(f: Callable[..., Value], combine: Callable[..., Any]) -> Combine:
    return lambda old, ids, new, n: combine(old, f(new, ids, n))


_COMBINE: dict[str, Combine] = {
    "update": _update,
    "add": _signed(1),
    "sub": _signed(-1),
    "mul": _segments(arrays.unsorted_segment_prod, lambda a, b: a * b),
    "div": _segments(
        arrays.unsorted_segment_prod, lambda a, b: a / b if a.dtype.kind == "f" else a // b
    ),
    "min": _segments(arrays.unsorted_segment_min, math.minimum),
    "max": _segments(arrays.unsorted_segment_max, math.maximum),
}


#: What becomes of an old row and a new one, in numpy.
_ROW: dict[str, Any] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "min": np.minimum,
    "max": np.maximum,
}  # fmt: skip


def _changed(old: Any, ids: Any, new: Any, *, kind: str) -> Any:
    out = np.array(old)
    if kind == "update":
        for i, row in zip(ids, new, strict=True):  # in order: the last of equal indices wins
            out[i] = row
    else:
        with np.errstate(all="ignore"):
            _ROW[kind].at(out, ids, new)
    return out


change_rows_op = op(
    "change_rows", "ChangeRows", "structured",
    doc="Rows changed one after the other; the indices are in range.", args=("old", "ids", "new"),
    types="fiub", infer=lambda inputs, attrs: [inputs[0].type], numpy=_changed,
    lower=lowering.change_rows, facts={"replaces": 0, "no_gradient_error": True},
)  # fmt: skip


def _change(kind: str, old: Value, ids: Value, new: Value, n: Any) -> Value:
    """`old` with rows changed: in place where a plan may, at the cost of these rows only."""
    if old.static_shape is None or (kind == "div" and old.dtype.kind != "f"):
        return _COMBINE[kind](old, ids, new, n)
    return build(change_rows_op, (old, ids, new), {"kind": kind}).outputs[0]


def _added_rows(total: Any, indices: Any, values: Any) -> Any:
    return _changed(total, indices.reshape(-1), values.reshape(-1, *total.shape[1:]), kind="add")


def _add_rows_grad(y: Value, dy: Value, total: Value, indices: Value, values: Value) -> Any:
    return dy, None, shapes.reshape_like(arrays.gather(dy, shapes.reshape(indices, [-1])), values)


#: What gradients of loops add the rows of a gather to.
add_rows_op = op(
    "add_rows", "ScatterAdd", "composite", args=("total", "indices", "values"), types="fc",
    doc="A tensor with rows added to some of its rows.", numpy=_added_rows, grad=_add_rows_grad,
    infer=lambda inputs, attrs: [inputs[0].type], expand=lambda *inputs: _rule("add")(*inputs),
    fails=True,
)  # fmt: skip


def add_rows(total: Value, indices: Value, values: Value) -> Value:
    """`total` with `values` added to its rows `indices`, in place where that may be."""
    return build(add_rows_op, (total, indices, values), {}).outputs[0]


def _rule(kind: str) -> Callable[..., Value]:
    def rule(old: Value, indices: Value, updates: Value) -> Value:
        n = _rows(old)
        ids = _inside(shapes.reshape(math.cast(indices, dtypes.int64), [-1]), n)
        row = shapes.shape(old, out_type=dtypes.int64)[1:]
        flat = arrays.concat([shapes.shape(ids, out_type=dtypes.int64), row], 0)
        if updates.rank == 0:
            new = fills.fill(flat, updates)
        else:
            new = shapes.reshape(updates, flat)
        return _change(kind, old, ids, new, n)

    return rule


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    ref, indices, updates = inputs
    _check(ref, indices, updates)
    s, t, u = ref.static_shape, indices.static_shape, updates.static_shape
    if s is not None and t is not None and u:
        want = (*t, *s[1:])
        if len(u) != len(want) or any(D.same(a, b) is False for a, b in zip(u, want, strict=True)):
            raise shape_error(
                f"Must have updates.shape = indices.shape + params.shape[1:] or updates.shape = "
                f"[], got updates.shape {operands.text(u)}, indices.shape {operands.text(t)}, "
                f"params.shape {operands.text(s)}"
            )
    return [(ref.dtype, s)]


def _check(ref: Value, indices: Value, updates: Value) -> None:
    if indices.dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(
            f"Value passed to parameter 'indices' has DataType {indices.dtype.name} not in list of "
            "allowed values: int32, int64"
        )
    if updates.dtype is not ref.dtype:
        raise TypeError(
            f"Input 'updates' has type {updates.dtype.name} that does not match type "
            f"{ref.dtype.name} of argument 'ref'."
        )


def _operands(record: Op, values: Sequence[Any]) -> list[Value]:
    ref = values[0]
    check_kind(record, "ref", ref.dtype, record.types)
    indices = as_value(values[1], None, "indices")
    return [ref, indices, as_operand(record.tf, "updates", values[2], ref.dtype, "ref")]


def _updating(family: str, kind: str, doc: str, infer: Any, update: Any) -> Callable[..., Value]:
    """The function ``<family>_<kind>`` of an op that changes parts of a variable by `update`."""
    name = f"{family}_{kind}"
    tf = "".join(w.capitalize() for w in name.split("_"))
    record = op(
        name, tf, "state", doc=doc, args=("ref", "indices", "updates"), infer=infer,
        types="fiub" if kind == "update" else "fiu", stateful=True,
        facts={"ref": True, "update": update},
    )  # fmt: skip

    def function(
        ref: Any, indices: Any, updates: Any, use_locking: bool = kind == "update",
        name: str | None = None,
    ) -> Value:  # fmt: skip
        values = (state.reference(ref, tf), indices, updates)
        return apply(record, values, None, name, _operands).outputs[0]

    function.__name__ = function.__qualname__ = name
    return function


def _scatter(kind: str, doc: str) -> Callable[..., Value]:
    """``tf.scatter_<kind>``."""
    function = _updating("scatter", kind, doc, _infer, _rule(kind))
    function.__doc__ = f"""{doc}

    Parameters
    ----------
    ref : variable
    indices : tensor of ints
        Rows of `ref`; one outside fails the run.
    updates : tensor
        Of shape ``indices.shape + ref.shape[1:]``, or a scalar.
    use_locking
        Accepted: a run's updates are never seen half done.

    Returns
    -------
    tensor
        The variable's new value.
    """
    return function


scatter_update = _scatter("update", "Replaces rows of a variable; the last of equal indices wins.")
scatter_add = _scatter("add", "Adds to rows of a variable.")
scatter_sub = _scatter("sub", "Subtracts from rows of a variable.")
scatter_mul = _scatter("mul", "Multiplies rows of a variable.")
scatter_div = _scatter("div", "Divides rows of a variable.")
scatter_min = _scatter("min", "The lesser of rows of a variable and of the updates.")
scatter_max = _scatter("max", "The greater of rows of a variable and of the updates.")

# ------------------------------------------------------------------------- index vectors


def _numbers(x: Value, at: Value, sizes: Value, n: Any, depth: int) -> Value:
    """What `at` indexes, as checked numbers in [0, n): `n` slices if the first axes were one."""
    if not depth:
        return fills.zeros_like(shapes.reshape(at, [-1, 1]))[:1, 0]
    s = x.static_shape
    if depth == 1 or s is None or D.facts() is None:
        numbers = _range(0, n) if depth == 1 else shapes.reshape(_range(0, n), sizes[:depth])
        return shapes.reshape(arrays.gather_nd(numbers, at), [-1])
    total: Any = 0  # axis by axis, so that no number is made that nobody reads
    for axis in range(depth):
        part = arrays.gather_nd(_range(0, s[axis]), at[..., axis : axis + 1])
        total = total * sizes[axis] + part
    return shapes.reshape(total, [-1])


def _of_any_depth(kind: str, old: Value, indices: Value, updates: Value) -> Value:
    """Slices changed by index vectors of a length that only a run knows."""
    at = math.cast(indices, dtypes.int64)
    depth = shapes.shape(at)[-1]
    sizes = shapes.shape(old, out_type=dtypes.int64)
    lead, row = sizes[:depth], sizes[depth:]
    n = reduce.reduce_prod(lead)
    ids = shapes.reshape(arrays.gather_nd(shapes.reshape(_range(0, n), lead), at), [-1])
    flat = shapes.reshape(old, arrays.concat([shapes.reshape(n, [1]), row], 0))
    many = shapes.shape(ids, out_type=dtypes.int64)
    new = shapes.reshape(updates, arrays.concat([many, row], 0))
    return shapes.reshape(_COMBINE[kind](flat, ids, new, n), sizes)


def _nd(kind: str, change: Callable[..., Value]) -> Callable[..., Value]:
    def rule(old: Value, indices: Value, updates: Value) -> Value:
        t = indices.static_shape
        depth = shapes.depth_of(t) if t else None
        if depth is None:
            made = _of_any_depth(kind, old, indices, updates)
            made.static_shape = old.static_shape
            return made
        sizes = shapes.shape(old, out_type=dtypes.int64)
        n = _product(old, depth)
        ids = _numbers(old, math.cast(indices, dtypes.int64), sizes, n, depth)
        row = sizes[depth:]
        new = shapes.reshape(updates, arrays.concat([[-1], row], 0)) if old.rank != depth else (
            shapes.reshape(updates, [-1]))  # fmt: skip
        flat = shapes.reshape(old, arrays.concat([[-1], row], 0))
        return shapes.reshape(change(kind, flat, ids, new, n), sizes)

    return rule


def _nd_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    ref, indices, updates = inputs
    _check(ref, indices, updates)
    s, t, u = ref.static_shape, indices.static_shape, updates.static_shape
    m = shapes.depth_of(t) if t else None
    if s is not None and t and u is not None and m is not None:
        if m > len(s):
            raise shape_error(
                f"Inner dimensions of indices {operands.text(t)} must be at most the rank {len(s)}"
            )
        want = (*t[:-1], *s[m:])
        if len(u) != len(want) or any(D.same(a, b) is False for a, b in zip(u, want, strict=True)):
            raise shape_error(
                f"Must have updates.shape = indices.shape[:-1] + shape[{m}:], got "
                f"updates.shape: {operands.text(u)}, indices.shape: {operands.text(t)}, "
                f"shape: {operands.text(s)}"
            )
    return [(ref.dtype, s)]


def _scatter_nd(kind: str, doc: str) -> Callable[..., Value]:
    function = _updating("scatter_nd", kind, doc, _nd_infer, _nd(kind, _change))
    function.__doc__ = f"{doc} The last axis of `indices` holds index vectors."
    return function


scatter_nd_update = _scatter_nd("update", "Replaces slices of a variable.")
scatter_nd_add = _scatter_nd("add", "Adds to slices of a variable.")
scatter_nd_sub = _scatter_nd("sub", "Subtracts from slices of a variable.")


# ------------------------------------------------------------------------- tensors


#: What TF1 makes for the gradients by the tensor and the updates.
_GRADIENT_COUNTS = {"add": 2, "sub": 3, "update": 4}


def _on_tensor(kind: str, doc: str) -> Callable[..., Value]:
    rule = _nd(kind, lambda kind, *rest: _COMBINE[kind](*rest))
    tf = f"TensorScatter{kind.capitalize()}"

    def function(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Value:
        with current().scope(name, tf):
            x = as_value(tensor, None, "tensor")
            i = as_value(indices, None, "indices")
            u = as_operand(tf, "updates", updates, x.dtype, "tensor")
            _nd_infer((x, i, u), {})
            with current().counts_as(1, [(_GRADIENT_COUNTS[kind], 2)]):
                return rule(x, i, u)

    function.__name__ = function.__qualname__ = f"tensor_scatter_{kind}"
    function.__doc__ = doc
    return function


tensor_scatter_update = _on_tensor("update", "`tensor` with slices replaced.")
tensor_scatter_add = _on_tensor("add", "`tensor` with `updates` added to slices.")
tensor_scatter_sub = _on_tensor("sub", "`tensor` with `updates` subtracted from slices.")
tensor_scatter_nd_update = tensor_scatter_update
tensor_scatter_nd_add = tensor_scatter_add
tensor_scatter_nd_sub = tensor_scatter_sub


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Value:
    """Elements at `indices` along its last axis, which all axes before have in common."""
    i = as_value(indices, None, "indices")
    n = i.rank
    if n is None:
        raise ValueError("batch_gather does not allow indices with unknown rank.")
    if n == 0:
        raise ValueError("batch_dims = -1 must be less than rank(indices) = 0")
    x = as_value(params, None, "params")
    with current().counts_as(n * n + 14 * n + 10):
        return arrays.gather(x, i, axis=n - 1, batch_dims=n - 1, name=name)


def batch_scatter_update(
    ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Value:
    """Replaces elements at `indices` along its last axis, which all axes before have in common."""
    i = as_value(indices, None, "indices")
    s = i.static_shape
    if s is None:
        raise ValueError("batch_scatter_update needs indices of known rank")
    sizes = shapes.shape(i, out_type=i.dtype)
    parts = []
    for axis in range(len(s) - 1):
        row = spaced.range(math.cast(sizes[axis], i.dtype))
        ones = [1] * len(s)
        ones[axis] = -1
        parts.append(shapes.reshape(row, ones) + fills.zeros_like(i))
    return scatter_nd_update(ref, arrays.stack([*parts, i], -1), updates, use_locking, name)
