"""Reductions over axes, and index reductions.

A reduction has two attributes. `axis` is the sorted tuple of its axes, or None for all of
them; while the rank is not known it stays as the user wrote it. `keepdims` keeps them with
size 1. An axis that is itself a tensor is a trailing operand named by `dynamic`.
"""

from __future__ import annotations

import functools
import math as _math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import math, sharing
from graphc.ops.cumulative import cumprod, one_axis, width_of_sums
from graphc.ops.record import (
    OPS,
    Attrs,
    Op,
    Types,
    as_value,
    axes_of,
    check_kind,
    no_grad,
    op,
    quiet,
    shape_error,
    static_ints,
)  # fmt: skip

__all__ = [
    "argmax", "argmin", "axes", "chosen", "count", "count_nonzero", "reduce_all", "reduce_any",
    "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min",
    "reduce_prod", "reduce_std", "reduce_sum", "reduce_variance",
]  # fmt: skip

# ------------------------------------------------------------------------- the family


def axes(inputs: Sequence[Value], attrs: Attrs) -> tuple[int, ...] | None:
    """The axes that a reduction runs over, normalised; None while they are not known.

    `inputs` are those of the node: the tensor, and the axes where they are a tensor.
    """
    rank = inputs[0].rank
    over = static(inputs, attrs, "axis")
    unknown = None in over if isinstance(over, tuple) else over is None and "axis" not in attrs
    if rank is None or unknown:
        return None
    return axes_of(over, rank)


def _reduced(inputs: Sequence[Value], attrs: Attrs) -> Shape | None:
    x, keep = inputs[0], attrs.get("keepdims", False)
    if x.static_shape is None:
        return () if not keep and "axis" in attrs and attrs["axis"] is None else None
    over = axes(inputs, attrs)
    if over is None:
        return tuple(D.fresh() for _ in x.static_shape) if keep else None
    if keep:
        return tuple([1 if i in over else d for i, d in enumerate(x.static_shape)])
    return tuple([d for i, d in enumerate(x.static_shape) if i not in over])


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, _reduced(inputs, attrs))]


def chosen(name: str, value: Any, old_name: str, old: Any) -> Any:
    """The value of an argument that has a deprecated second name.

    Raises
    ------
    ValueError
        When both are given.
    """
    if old is None:
        return value
    if value is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{name}'")
    return old


def _build(record: Op, x: Any, axis: Any, keepdims: Any, name: str | None) -> Value:
    """A reduction node; `axis` as the user gives it."""
    if axis is None:  # TF1 makes the list of all axes beside the op
        if isinstance(x, Value) and x.rank is not None:
            current().reserve("Const")
        else:
            current().reserve("Rank", "range/start", "range/delta", "range")
    elif not isinstance(axis, Value):
        current().reserve(f"{(name or record.tf).rstrip('/')}/reduction_indices")
    if not isinstance(x, Value):
        with current().scope(name, record.tf) as scope:
            x = as_value(x, name=record.args[0])
            return _node(record, x, axis, keepdims, scope or name)
    return _node(record, x, axis, keepdims, name)


def _axis(axis: Any) -> Any:
    try:
        return static_ints(axis)
    except TypeError:
        shown = getattr(getattr(as_value(axis), "dtype", None), "name", type(axis).__name__)
        raise TypeError(
            f"Value passed to parameter 'reduction_indices' has DataType {shown} not in list of "
            "allowed values: int32, int64"
        ) from None


def _node(record: Op, x: Value, axis: Any, keepdims: Any, name: str | None) -> Value:
    check_kind(record, record.args[0], x.dtype, record.types)
    given = axis = None if axis is None else _axis(axis)
    keep = bool(keepdims)
    if isinstance(axis, Value):
        attrs = {"keepdims": keep, "dynamic": ("axis",)}
        return build(record, (x, axis), attrs, name).outputs[0]
    if x.rank is not None:
        axis = axes_of(axis, x.rank)
    elif axis is not None:
        axis = axis if isinstance(axis, tuple) else (axis,)
    made = build(record, (x,), {"axis": axis, "keepdims": keep}, name)
    if given is not None and given != axis and made.graph is not None:
        made.graph.given_axes[made] = given
    return made.outputs[0]


def _function(record: Op, make: Callable[..., Value] | None = None) -> Callable[..., Value]:
    """What users call: `make`, or the node alone, behind the old names of arguments."""
    make = make or functools.partial(_build, record)

    def call(
        input_tensor: Any,
        axis: Any = None,
        keepdims: Any = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: Any = None,
    ) -> Value:
        axis = chosen("axis", axis, "reduction_indices", reduction_indices)
        keepdims = chosen("keepdims", keepdims, "keep_dims", keep_dims)
        return make(input_tensor, axis, keepdims, name)

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = record.doc
    return call


def _axis_arg(f: Callable[..., Any]) -> Callable[..., Any]:
    """A numpy reduction that takes an axis as one number, too (from a tensor), and one twice."""

    def g(x: Any, *, axis: Any, keepdims: bool) -> Any:
        return f(x, axis=axes_of(axis, np.ndim(x)), keepdims=keepdims)

    return quiet(g)


def reduction(
    name: str,
    tf: str,
    doc: str,
    *,
    numpy: Callable[..., Any],
    combine: str | None = None,
    expand: Callable[..., Any] | None = None,
    grad: Callable[..., Any],
    types: str = "fiu",
    sample: tuple[Any, ...] = (-2.0, 2.0),
    dims: Callable[..., Any] | None = None,
    shares: bool = True,
) -> Op:
    """An op that combines the elements along axes.

    Parameters
    ----------
    combine : str, optional
        The combining step; reductions made of simpler ones have `expand` instead.
    shares : bool
        Whether the result lies in the operand's memory where nothing is combined.
    """
    record = op(
        name, tf, "reduction" if combine else "composite", doc=doc, numpy=_axis_arg(numpy),
        combine=combine, expand=expand, grad=grad, types=types, sample=sample, dims=dims,
        infer=_infer, args=("input",), facts={"shares": sharing.elements} if shares else {},
    )  # fmt: skip
    record.call = _function(record)
    return record


class _Over:
    """A reduction seen from its gradient: its operands and attributes."""

    def __init__(self, name: str, x: Value, axis: tuple[Value, ...], attrs: Attrs) -> None:
        self.record = OPS[name]
        self.x = x
        self.inputs = (x, *axis)
        self.attrs = attrs

    def axes(self) -> tuple[int, ...] | None:
        return axes(self.inputs, self.attrs)

    def again(self, record: Op, x: Value) -> Value:
        """Another reduction over these axes, which it keeps."""
        return build(record, (x, *self.inputs[1:]), {**self.attrs, "keepdims": True}).outputs[0]

    def kept(self, y: Value) -> Value:
        """`y` (of the shape of the result) with the reduced axes back, of size 1."""
        if self.attrs["keepdims"]:
            return y
        over = self.axes()
        if over is None:  # only the shape of this reduction is used
            return ops.shapes.reshape_like(y, self.again(self.record, self.x))
        for a in over:
            y = ops.shapes.expand_dims(y, a)
        return y

    def spread(self, y: Value) -> Value:
        """`y` (of the shape of the result) repeated to the shape of the operand."""
        return ops.broadcasting.broadcast_like(self.kept(y), self.x)

    def size(self) -> Value | float:
        """The number of elements that go into one result, in the type of the operand."""
        over, shape = self.axes(), self.x.static_shape
        if over is not None and shape is not None:
            sizes = [shape[a] for a in over]
            if D.is_known(sizes):
                return float(_math.prod(sizes))  # type: ignore[arg-type]
        return math.cast(self.count(), self.x.dtype)  # type: ignore[no-any-return]

    def count(self) -> Value:
        """The number of elements that go into one result, int64."""
        attrs = {k: v for k, v in self.attrs.items() if k != "keepdims"}
        return build(count, self.inputs, attrs).outputs[0]


def _gradient(name: str, rule: Callable[[_Over, Value, Value], Value]) -> Callable[..., Any]:
    """A record's `grad` out of ``(reduction, y, dy) -> dx``; a tensor of axes has none."""

    def grad(y: Value, dy: Value, x: Value, *axis: Value, **attrs: Any) -> Any:
        dx = rule(_Over(name, x, axis, attrs), y, dy)
        return (dx, None) if axis else dx

    return grad


# ------------------------------------------------------------------------- reductions


def _sum(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.sum(x, axis=axis, keepdims=keepdims, dtype=width_of_sums(x)).astype(x.dtype)


def _folded_sizes(f: Callable[[Sequence[Dim]], Dim]) -> Callable[..., Any]:
    """The reduction of a vector of sizes to one; None where it is not known."""

    def dims(x: Any, *axis: Any, **attrs: Any) -> Any:
        if not isinstance(x, tuple):
            return x
        if None in x or "axis" not in attrs or attrs["axis"] == ():
            return None
        return (f(x),) if attrs["keepdims"] else f(x)

    return dims


reduce_sum = reduction(
    "reduce_sum", "Sum", "The sum of the elements along axes; integers wrap, of none it is 0.",
    numpy=_sum, combine="sum",
    types="fiuc", grad=_gradient("reduce_sum", lambda r, y, dy: r.spread(dy)),
    dims=_folded_sizes(sum),
)  # fmt: skip


def _count_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    axes(inputs, attrs)
    return [(dtypes.int64, ())]


def _count(x: Any, *, axis: Any) -> Any:
    return np.int64(_math.prod(np.shape(x)[a] for a in axes_of(axis, np.ndim(x))))


def _count_dims(*inputs: Value, **attrs: Any) -> Dim | None:
    over, shape = axes(inputs, attrs), inputs[0].static_shape
    return None if over is None or shape is None else D.product(shape[a] for a in over)


def _count_expand(x: Value, axis: Any) -> Value:
    n = _count_dims(x, axis=axis)
    if n is None:
        raise shape_error(f"the rank of {x.name!r} is not known")
    return ops.shapes.sizes(n, dtypes.int64)


count = op(
    "count", "Size", "view",
    doc="How many elements `x` has along axes, as int64; only the shape of x is used.",
    infer=_count_infer, numpy=_count, grad=no_grad, args=("x",), types="fiubsc", dims=_count_dims,
    expand=_count_expand, facts={"shape_only": True, "shape_operands": (0,)},
)  # fmt: skip


def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    total = np.sum(x, axis=axis, keepdims=keepdims, dtype=width_of_sums(x))
    n = _count(x, axis=axis)
    if x.dtype.kind in "fc":
        return np.asarray(np.divide(total, total.dtype.type(n))).astype(x.dtype)
    n = np.asarray(max(int(n), 1)).astype(x.dtype)
    q = np.floor_divide(total, n)
    return (q + ((total < 0) & (q * n != total))).astype(x.dtype)  # toward zero, as TF


def _mean_expand(x: Value, *axis: Value, **attrs: Any) -> Value:
    r = _Over("reduce_mean", x, axis, attrs)
    total = build(reduce_sum, r.inputs, attrs).outputs[0]
    if x.dtype.is_floating:
        return total / r.size()
    n = math.maximum(r.count(), np.int64(1))
    return math.truncatediv(total, math.cast(n, x.dtype))  # type: ignore[no-any-return]


reduce_mean = reduction(
    "reduce_mean", "Mean", "The mean of the elements along axes; of none it is NaN.",
    numpy=_mean, expand=_mean_expand,
    types="fiuc", grad=_gradient("reduce_mean", lambda r, y, dy: r.spread(dy / r.size())),
)  # fmt: skip


def _extreme(f: Any, end: str) -> Callable[..., Any]:
    def g(x: Any, axis: Any, keepdims: bool) -> Any:
        if x.dtype.kind == "f":
            lowest = np.inf if end == "max" else -np.inf  # the identity
        else:
            lowest = getattr(np.iinfo(x.dtype), end)
        return f(x, axis=axis, keepdims=keepdims, initial=x.dtype.type(lowest))

    return g


def _extreme_grad(r: _Over, y: Value, dy: Value) -> Value:
    # elements that share the extreme share its gradient; where it is NaN so is the gradient
    hit = math.cast(math.equal(r.x, r.spread(y)), r.x.dtype)
    share = r.kept(dy) / r.again(reduce_sum, hit)
    return hit * ops.broadcasting.broadcast_like(share, r.x)  # type: ignore[no-any-return]


reduce_max = reduction(
    "reduce_max", "Max", "The largest element along axes; NaN wins, of none the lowest number.",
    numpy=_extreme(np.max, "min"), combine="max", grad=_gradient("reduce_max", _extreme_grad),
)  # fmt: skip

reduce_min = reduction(
    "reduce_min", "Min", "The smallest element along axes; NaN wins, of none the highest number.",
    numpy=_extreme(np.min, "max"), combine="min", grad=_gradient("reduce_min", _extreme_grad),
)  # fmt: skip


def _prod_grad(r: _Over, y: Value, dy: Value) -> Value:
    """Axis by axis, each element's factor the product of the others: right where some are 0."""
    x, over = r.x, r.axes()
    if over is None and r.attrs.get("axis", ()) is None:
        flat = ops.shapes.reshape(x, (-1,))
        whole = _Over("reduce_prod", flat, (), {"axis": (0,), "keepdims": False})
        return ops.shapes.reshape_like(_prod_grad(whole, y, dy), x)
    g = r.kept(dy)
    if over is None:
        return ops.broadcasting.broadcast_like(g * r.again(r.record, x), x) / x
    partial = [x]  # products over the first axes, which keep their size 1
    for a in over[:-1]:
        partial.append(_node(r.record, partial[-1], (a,), True, None))
    for a, p in zip(reversed(over), reversed(partial), strict=False):
        before = cumprod(p, a, exclusive=True)
        after = cumprod(p, a, exclusive=True, reverse=True)
        g = g * (before * after)
    return g


def _prod(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.prod(x, axis=axis, keepdims=keepdims, dtype=width_of_sums(x)).astype(x.dtype)


reduce_prod = reduction(
    "reduce_prod", "Prod", "The product of the elements along axes; of none it is 1.",
    numpy=_prod, combine="prod", types="fiuc", sample=(0.5, 2.0),
    grad=_gradient("reduce_prod", _prod_grad),
    dims=_folded_sizes(D.product),
)  # fmt: skip

reduce_any = reduction(
    "reduce_any", "Any", "Whether some element along axes is true; of none it is False.",
    numpy=np.any, combine="any", grad=no_grad, types="b",
)  # fmt: skip

reduce_all = reduction(
    "reduce_all", "All", "Whether all elements along axes are true; of none it is True.",
    numpy=np.all, combine="all", grad=no_grad, types="b",
)  # fmt: skip


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    top = np.max(x, axis=axis, keepdims=True, initial=x.dtype.type(-np.inf))
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else y.reshape(np.sum(x, axis=axis).shape)


def _logsumexp_expand(x: Value, *axis: Value, **attrs: Any) -> Value:
    r = _Over("reduce_logsumexp", x, axis, attrs)
    top = r.again(reduce_max, x)
    top = math.select(math.is_finite(top), top, 0.0)
    y: Value = math.log(r.again(reduce_sum, math.exp(x - top))) + top
    if attrs["keepdims"]:
        return y
    over = r.axes()
    if over is None:
        like = build(reduce_sum, r.inputs, attrs).outputs[0]  # for its shape only
        return ops.shapes.reshape_like(y, like)
    return ops.shapes.squeeze(y, over) if over else y


def _logsumexp_gradient(r: _Over, y: Value, dy: Value) -> Value:
    """dy * softmax(x): the exponent of ``x - y`` would lose the digits that `y` has not."""
    top = r.again(reduce_max, r.x)
    top = ops.state.stop_gradient(math.select(math.is_finite(top), top, 0.0))
    e = math.exp(r.x - top)
    return e * (r.kept(dy) / r.again(reduce_sum, e))  # type: ignore[no-any-return]


def _logsumexp_made(input_tensor: Any, axis: Any, keepdims: Any, name: str | None) -> Value:
    with current().scope(name, "ReduceLogSumExp"):  # TF1 builds it of ops, the last one an Add
        x = as_value(input_tensor, name="input_tensor")
        made = 12 if keepdims else 14
        if axis is None and x.rank is None:
            made += 6  # the list of all axes, for the largest and the sum
        with current().counts_as(made):
            return _build(reduce_logsumexp, x, axis, keepdims, "Add")


reduce_logsumexp = reduction(
    "reduce_logsumexp", "ReduceLogSumExp", "log(sum(exp(x))) along axes, without overflow.",
    numpy=_logsumexp, expand=_logsumexp_expand, types="f", shares=False,
    grad=_gradient("reduce_logsumexp", _logsumexp_gradient),
)  # fmt: skip
reduce_logsumexp.call = _function(reduce_logsumexp, _logsumexp_made)


def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: Any = False, name: str | None = None
) -> Value:
    """The square root of the sum of squares along axes."""
    with current().scope(name, "EuclideanNorm"):
        x = as_value(input_tensor, name="input_tensor")
        with current().counts_as(1 + (not isinstance(axis, Value))):
            return math.sqrt(reduce_sum(math.square(x), axis, keepdims))  # type: ignore[no-any-return]


def reduce_variance(
    input_tensor: Any, axis: Any = None, keepdims: Any = False, name: str | None = None
) -> Value:
    """The variance of the elements along axes (the mean square of their distance to the mean)."""
    with current().scope(name, "reduce_variance"):
        x = as_value(input_tensor, name="input_tensor")
        away = x - reduce_mean(x, axis, keepdims=True)
        return reduce_mean(math.square(away), axis, keepdims)  # type: ignore[no-any-return]


def reduce_std(
    input_tensor: Any, axis: Any = None, keepdims: Any = False, name: str | None = None
) -> Value:
    """The standard deviation of the elements along axes."""
    with current().scope(name, "reduce_std"):
        return math.sqrt(reduce_variance(input_tensor, axis, keepdims))  # type: ignore[no-any-return]


def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: Any = None,
    dtype: Any = dtypes.int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: Any = None,
    input: Any = None,
) -> Value:
    """How many elements along axes are not zero (not empty, for strings)."""
    keepdims = chosen("keepdims", keepdims, "keep_dims", keep_dims)
    axis = chosen("axis", axis, "reduction_indices", reduction_indices)
    x = chosen("input", input, "input_tensor", input_tensor)
    with current().scope(name, "count_nonzero"):
        x = as_value(x, name="input_tensor")
        zero = b"" if x.dtype.kind == "s" else x.dtype.as_numpy_dtype(0)
        nonzero = math.not_equal(x, as_value(zero, x.dtype, "zeros"))
        n = reduce_sum(math.cast(nonzero, dtypes.int64), axis, keepdims)
        return math.cast(n, dtype)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------- index reductions


def _arg_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dtype = inputs[0], attrs["dtype"]
    if x.static_shape is None:
        return [(dtype, None)]
    axis = static(inputs, attrs, "axis")
    if axis is None:
        return [(dtype, tuple(D.fresh() for _ in x.static_shape[1:]))]
    at = one_axis(axis, len(x.static_shape), "Dimension")
    size = x.static_shape[at]
    others = x.static_shape[:at] + x.static_shape[at + 1 :]
    if D.facts() is not None and D.same(size, 0) and not any(D.same(d, 0) for d in others):
        raise shape_error(f"Reduction axis {at} is empty")
    return [(dtype, others)]


def _arg(f: Callable[..., Any]) -> Callable[..., Any]:
    def g(x: Any, *, axis: int, dtype: Any) -> Any:
        others = [n for i, n in enumerate(x.shape) if i != axis % x.ndim]
        if 0 in others:
            return np.zeros(others, dtype.np)
        if x.shape[axis] == 0:
            shown = ",".join(map(str, x.shape))
            raise InvalidArgumentError(
                None, None, f"Reduction axis {axis % x.ndim} is empty in shape [{shown}]"
            )
        return np.asarray(f(x, axis=axis)).astype(dtype.np)

    return g


def _arg_call(record: Op) -> Callable[..., Value]:
    def call(
        input: Any,
        axis: Any = None,
        name: str | None = None,
        dimension: Any = None,
        output_type: Any = dtypes.int64,
    ) -> Value:
        axis = chosen("axis", axis, "dimension", dimension)
        axis = 0 if axis is None else static_ints(axis)
        dtype = as_dtype(output_type)
        if dtype not in (dtypes.int32, dtypes.int64):
            raise TypeError(
                f"Value passed to parameter 'output_type' has DataType {dtype.name} not in list "
                "of allowed values: int32, int64"
            )
        with current().scope(name, record.tf) as scope:
            x = as_value(input, name="input")
            check_kind(record, "input", x.dtype, record.types)
            if isinstance(axis, Value):
                attrs: dict[str, Any] = {"dtype": dtype, "dynamic": ("axis",)}
                return build(record, (x, axis), attrs, scope or name).outputs[0]
            current().reserve("dimension")
            axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
            at = axis if not x.rank else one_axis(axis, x.rank, "Dimension")
            return build(record, (x,), {"axis": at, "dtype": dtype}, scope or name).outputs[0]

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = record.doc
    return call


def _index_reduction(name: str, tf: str, doc: str, f: Callable[..., Any]) -> Op:
    record = op(
        name, tf, "reduction", doc=doc, numpy=_arg(f), combine=name, grad=no_grad, args=("input",),
        infer=_arg_infer, types="fiu", fails=True, out="dtype",
        facts={"check": {"operand": 0, "must": "have elements along the axis"}},
    )  # fmt: skip
    record.call = _arg_call(record)
    return record


argmax = _index_reduction(
    "argmax", "ArgMax", "Where the largest element along an axis is: the first, NaN winning.",
    np.argmax,
)  # fmt: skip

argmin = _index_reduction(
    "argmin", "ArgMin", "Where the smallest element along an axis is: the first, NaN winning.",
    np.argmin,
)  # fmt: skip


def arg_max(
    input: Any, dimension: Any, output_type: Any = "int64", name: str | None = None
) -> Value:
    """The older spelling of `argmax`."""
    return argmax(input, axis=dimension, output_type=output_type, name=name)  # type: ignore[no-any-return]


def arg_min(
    input: Any, dimension: Any, output_type: Any = "int64", name: str | None = None
) -> Value:
    """The older spelling of `argmin`."""
    return argmin(input, axis=dimension, output_type=output_type, name=name)  # type: ignore[no-any-return]
