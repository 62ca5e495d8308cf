"""Lookups: rows of embeddings, the largest elements, elements along the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc import ops
from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.ranking import lower_top_k
from graphc.ops.record import (
    Attrs,
    Op,
    Types,
    as_value,
    check_kind,
    merge,
    no_grad,
    op,
    quiet,
    shape_error,
    static_ints,
)
from graphc.ops.reduce import reduce_all, reduce_sum

__all__ = ["TopKV2", "embedding_lookup", "in_top_k", "take_last", "top_k"]


def _clip_rows(rows: Value, ids: Value, max_norm: Any) -> Value:
    """Rows whose L2 norm is above `max_norm` scaled down to it."""
    if max_norm is None:
        return rows
    if rows.rank is None or ids.rank is None:
        raise ValueError("max_norm needs params and ids of known rank")
    over = list(range(ids.rank, rows.rank))
    total = reduce_sum(rows * rows, over, keepdims=True)
    norm = math.sqrt(math.select(total > 0.0, total, 1.0))
    norm = math.select(total > 0.0, norm, total)
    return (rows * max_norm) / math.maximum(norm, max_norm)  # type: ignore[no-any-return]


def _of_parts(params: Any, ids: Any, partition_strategy: str = "mod", *more: Any,
              max_norm: Any = None, **named: Any) -> int | None:  # fmt: skip
    n = len(params) if isinstance(params, list | tuple) else 1
    if n < 2 or max_norm is not None or not isinstance(ids, Value) or partition_strategy != "mod":
        return None
    return 18 + 2 * n


@ops.counting.as_many(_of_parts)
def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: Any = None,
) -> Value:
    """Rows of `params`, or of a list of parts of it, at `ids`.

    Parameters
    ----------
    partition_strategy : {"mod", "div"}
        Where row i of a list of n parts is: in part ``i % n``, or contiguous.

    Raises
    ------
    ValueError
        Without params, or for another strategy.
    """
    if params is None:
        raise ValueError("params must be specified")
    params = getattr(params, "_get_variable_list", lambda: params)()  # a partitioned variable
    if isinstance(params, (list, tuple)) and not params:
        raise ValueError("Need at least one param")
    parts = list(params) if isinstance(params, (list, tuple)) else [params]
    with current().scope(name, "embedding_lookup") as scope:
        parts = [as_value(p, name="params") for p in parts]
        at = as_value(ids, name="ids")
        if len(parts) == 1:
            ops.counting.made(max_norm is not None)
            rows = _clip_rows(ops.arrays.gather(parts[0], at, name=scope or name), at, max_norm)
            return ops.state.identity(rows)
        if partition_strategy == "mod":
            sizes = ops.arrays.stack([ops.shapes.shape(p, out_type=at.dtype)[0] for p in parts])
            first = ops.arrays.gather(ops.cumulative.cumsum(sizes, exclusive=True), at % len(parts))
            at = first + at // len(parts)
        elif partition_strategy != "div":
            raise ValueError("Unrecognized partition strategy: " + partition_strategy)
        rows = ops.arrays.gather(ops.arrays.concat(parts, 0), at, name=scope or name)
        return _clip_rows(rows, at, max_norm)


class TopKV2(NamedTuple):
    """What `top_k` gives."""

    values: Value
    indices: Value


def _top_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, k = inputs[0], static(inputs, attrs, "k")
    ops.operands.need_scalar(k)
    if x.rank == 0:
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    if x.static_shape is None:
        return [(x.dtype, None), (dtypes.int32, None)]
    n = x.static_shape[-1]
    if k is None:
        k = D.fresh()
    elif type(k) is int and k < 0:
        raise shape_error(f"Need k >= 0, got {k}")
    elif ops.operands.less(n, k):
        show = ops.operands.show
        raise ops.operands.fail(
            f"input must have last dimension >= k = {k} but is {n}",
            f"input must have at least k columns. Had {show(n)}, needed {show(k)}",
        )
    shape = (*x.static_shape[:-1], k)
    return [(x.dtype, shape), (dtypes.int32, shape)]


def _top_k(x: Any, *, k: int, sorted: bool) -> Any:
    n = x.shape[-1]
    if n < k:
        raise InvalidArgumentError(
            None, None, f"input must have at least k columns. Had {n}, needed {k}"
        )
    key = np.where(np.isnan(x), -np.inf, x) if x.dtype.kind == "f" else x
    # stable from the back, then backwards: the first of equals comes first
    order = n - 1 - np.argsort(key[..., ::-1], axis=-1, kind="stable")[..., ::-1][..., :k]
    return np.take_along_axis(x, order, -1), order.astype(np.int32)


def _top_grad(y: Any, dy: Any, x: Value, *k: Value, **attrs: Any) -> Any:
    dx = None if dy[0] is None else build(scatter_last, (dy[0], y[1], x)).outputs[0]
    return (dx, None) if k else dx


top_k_op = op(
    "top_k", "TopKV2", "structured", args=("input",), types="fiu", fails=True,
    doc="The k largest elements along the last axis, and where they are; NaN counts as -inf.",
    numpy=_top_k, infer=_top_infer, grad=_top_grad, lower=lower_top_k,
    facts={"partial_gradients": True},
)  # fmt: skip


def top_k(input: Any, k: Any = 1, sorted: bool = True, name: str | None = None) -> TopKV2:
    """The `k` largest elements of each row, in descending order, and their places."""
    with current().scope(name, "TopKV2") as scope:
        x = as_value(input, name="input")
        check_kind(top_k_op, "input", x.dtype, top_k_op.types)
        k = static_ints(k)
        if not isinstance(k, Value):
            current().reserve("k")
        attrs: dict[str, Any] = {"sorted": bool(sorted)}
        attrs |= {"dynamic": ("k",)} if isinstance(k, Value) else {"k": k}
        inputs = (x, k) if isinstance(k, Value) else (x,)
        return TopKV2(*build(top_k_op, inputs, attrs, scope or name).outputs)


top_k_op.call = top_k


def _scatter_last(g: Any, indices: Any, like: Any) -> Any:
    out = np.zeros_like(like)
    rows = out.reshape(-1, out.shape[-1])
    at, v = indices.reshape(len(rows), -1), g.reshape(len(rows), -1)
    for i, row in enumerate(rows):
        np.add.at(row, at[i], v[i])
    return rows.reshape(out.shape)


def _hot(indices: Value, n: Dim) -> Value:
    """Where the last axis, of `n` elements, is at the index."""
    return ops.fills.one_hot(indices, n, True, False, dtype=dtypes.bool_)


def _scatter_expand(g: Value, indices: Value, like: Value) -> Value:
    if like.static_shape is None:
        raise shape_error(f"the rank of {like.name!r} is not known")
    hot = _hot(indices, like.static_shape[-1])
    return reduce_sum(math.select(hot, ops.shapes.expand_dims(g, -1), 0.0), -2)  # type: ignore[no-any-return]


scatter_last = op(
    "scatter_last", "ScatterLast", "composite", args=("updates", "indices", "like"), types="f",
    doc="Zeros in the shape of `like`, with updates added along the last axis at the indices.",
    numpy=_scatter_last, expand=_scatter_expand, facts={"shape_operands": (2,)},
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[2].static_shape)],
    grad=lambda y, dy, g, at, like: (
        build(take_last, (dy, at), {"what": "index"}).outputs[0], None, None
    ),
)  # fmt: skip


def _take_last(x: Any, at: Any, *, what: str) -> Any:
    n = x.shape[-1]
    bad = (at < 0) | (at >= n)
    if np.any(bad):
        raise InvalidArgumentError(None, None, _outside(what, n))
    return np.take_along_axis(x, at.astype(np.int64), -1)


def _outside(what: str, n: Any) -> str:
    return f"Received a {what} value which is outside the valid range of [0, {n})"


def _take_element(k: Any, index: Any, x: Value, at: Value, *, what: str) -> Any:
    n = k.shape(x)[-1]
    i = k.cast(k.read(at, index), dtypes.int64)
    low = k.let("greater_equal", i, k.const(0, dtypes.int64), dtype=dtypes.bool_)
    ok = k.both(low, k.let("less", i, k.index(n), dtype=dtypes.bool_))
    k.check(ok, _outside(what, n))
    safe = k.select(ok, i, k.const(0, dtypes.int64))
    return k.read(x, (*index[:-1], k.as_index(safe)), ok)


take_last: Op = op(
    "take_last", "TakeLast", "view", args=("x", "indices"), types="fiub", fails=True,
    doc="Elements of `x` at indices along the last axis, row by row; the indices are checked.",
    numpy=_take_last, element=_take_element,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1].static_shape)],
    grad=lambda y, dy, x, at, what: (build(scatter_last, (dy, at, x)).outputs[0], None),
)  # fmt: skip


def _in_top_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    predictions, targets = inputs[0], inputs[1]
    for v, rank in ((predictions, 2), (targets, 1)):
        if v.rank not in (rank, None):
            raise shape_error(f"Shape must be rank {rank} but is rank {v.rank}")
    rows = (D.fresh(),) if predictions.static_shape is None else predictions.static_shape[:1]
    return [(dtypes.bool_, merge(targets.static_shape, rows))]


def _in_top_k(predictions: Any, targets: Any, *, k: int) -> Any:
    n = predictions.shape[1]
    inside = (targets >= 0) & (targets < n) & np.isfinite(predictions).all(axis=1)
    if n == 0:
        return inside
    at = np.where(inside, targets, 0).astype(np.int64)[:, None]
    above = (predictions > np.take_along_axis(predictions, at, 1)).sum(axis=1)
    return inside & (above < k)


def _in_top_expand(predictions: Value, targets: Value, k: Any) -> Value:
    if predictions.static_shape is None:
        raise shape_error(f"the rank of {predictions.name!r} is not known")
    size = ops.shapes.sizes(predictions.static_shape[-1], targets.dtype)
    inside = math.logical_and(targets >= 0, targets < size)
    at = ops.shapes.expand_dims(math.select(inside, targets, 0), -1)
    own = build(take_last, (predictions, at), {"what": "target"}).outputs[0]
    above = reduce_sum(math.cast(predictions > own, dtypes.int32), 1)
    finite = reduce_all(math.is_finite(predictions), 1)
    enough = above < ops.shapes.sizes(k, dtypes.int32)
    return math.logical_and(math.logical_and(inside, finite), enough)  # type: ignore[no-any-return]


in_top_k_op = op(
    "in_top_k", "InTopKV2", "composite", args=("predictions", "targets"), types="f",
    doc="Whether the target's prediction is among the k highest; rows not all finite give False.",
    numpy=quiet(_in_top_k), infer=_in_top_infer, expand=_in_top_expand, grad=no_grad, out="bool",
)  # fmt: skip


def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Value:
    """Whether each target is in the `k` highest predictions of its row, ties included."""
    with current().scope(name, "in_top_k"):
        p = as_value(predictions, name="predictions")
        t = as_value(targets, name="targets")
        if p.dtype is not dtypes.float32 or t.dtype not in (dtypes.int32, dtypes.int64):
            raise TypeError(
                "in_top_k takes float32 predictions and int32 or int64 targets, got "
                f"{p.dtype.name} and {t.dtype.name}"
            )
        k = static_ints(k)
        if not isinstance(k, Value):
            current().reserve("InTopKV2/k")
        attrs = {"dynamic": ("k",)} if isinstance(k, Value) else {"k": k}
        inputs = (p, t, k) if isinstance(k, Value) else (p, t)
        return build(in_top_k_op, inputs, attrs, name or "InTopKV2").outputs[0]


in_top_k_op.call = in_top_k
