"""Embeddings of sparse ids."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import fills, math, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many
from graphc.ops.gathers import sorted_segments
from graphc.ops.lookup import embedding_lookup
from graphc.sparse.ops import sparse_fill_empty_rows, sparse_retain
from graphc.sparse.tensor import SparseTensor

__all__ = ["embedding_lookup_sparse", "safe_embedding_lookup_sparse"]


def _combined(rows: Value, segments: Value, combiner: str, weights: Any) -> Value:
    how = "sqrt_n" if combiner == "sqrtn" else combiner
    if weights is None:
        return sorted_segments(how, rows, segments)
    w = math.cast(weights, rows.dtype)
    if rows.rank is None:
        raise ValueError("the rank of params must be known")
    wide = shapes.reshape(w, [-1] + [1] * (rows.rank - 1))
    total = sorted_segments("sum", rows * wide, segments)
    if how == "sum":
        return total
    by = sorted_segments("sum", wide if how == "mean" else wide * wide, segments)
    return total / (by if how == "mean" else math.sqrt(by))


_WEIGHTED = {"mean": 26, "sum": 24, "sqrtn": 29}
_NORM = 17


def _count(params: Any, sp_ids: Any, sp_weights: Any = None, partition_strategy: str = "mod",
           name: Any = None, combiner: str | None = None,
           max_norm: Any = None) -> int | None:  # fmt: skip
    if isinstance(params, list | tuple) and len(params) > 1:
        return None
    many = 10 if sp_weights is None else _WEIGHTED.get(combiner or "mean")
    return None if many is None else many + _NORM * (max_norm is not None)


def _safe_count(params: Any, ids: Any, weights: Any = None, combiner: str = "mean",
                default_id: Any = None, name: Any = None, partition_strategy: str = "div",
                max_norm: Any = None) -> int | None:  # fmt: skip
    if isinstance(params, list | tuple) and len(params) > 1:
        return None
    if weights is not None and combiner == "sum":
        return None
    return (
        (56 if weights is None else 104)
        - 12 * (default_id is not None)
        + _NORM * (max_norm is not None)
    )


@as_many(_count)
def embedding_lookup_sparse(
    params: Any, sp_ids: Any, sp_weights: Any, partition_strategy: str = "mod",
    name: str | None = None, combiner: str | None = None, max_norm: Any = None,
) -> Value:  # fmt: skip
    """For each row of `sp_ids` the combined rows of `params` at its ids.

    Parameters
    ----------
    sp_ids : SparseTensor of ints
    sp_weights : SparseTensor, optional
        A weight for each id.
    combiner : {"mean", "sqrtn", "sum"}
        The mean by default; "sqrtn" divides by the root of the sum of the squared weights.

    Raises
    ------
    TypeError, ValueError
    """
    how = "mean" if combiner is None else combiner
    if how not in ("mean", "sqrtn", "sum"):
        raise ValueError("combiner must be one of 'mean', 'sqrtn' or 'sum'")
    if not isinstance(sp_ids, SparseTensor):
        raise TypeError("sp_ids must be SparseTensor")
    if sp_weights is not None:
        if not isinstance(sp_weights, SparseTensor):
            raise TypeError("sp_weights must be either None or SparseTensor")
        if not sp_weights.dtype.is_floating:
            raise ValueError("sp_weights must be of a float type")
    with name_scope(name, "embedding_lookup_sparse"):
        segments = sp_ids.indices[:, 0]
        rows = embedding_lookup(params, sp_ids.values, partition_strategy, max_norm=max_norm)
        return _combined(rows, segments, how, None if sp_weights is None else sp_weights.values)


@as_many(_safe_count)
def safe_embedding_lookup_sparse(
    embedding_weights: Any, sparse_ids: Any, sparse_weights: Any = None, combiner: str = "mean",
    default_id: Any = None, name: str | None = None, partition_strategy: str = "div",
    max_norm: Any = None,
) -> Value:  # fmt: skip
    """As `embedding_lookup_sparse`, without negative ids and (except for sums) weights below zero.

    Parameters
    ----------
    default_id : int, optional
        The id of rows that have none; their result is zero by default.
    """
    if embedding_weights is None or (
        isinstance(embedding_weights, list | tuple) and not embedding_weights
    ):
        raise ValueError("Missing embedding_weights.")
    with name_scope(name, "embedding_lookup"):
        ids, weights = sparse_ids, sparse_weights
        keep = ids.values >= 0
        if weights is not None and combiner != "sum":
            keep = math.logical_and(keep, weights.values > 0)
        ids = sparse_retain(ids, keep)
        if weights is not None:
            weights = sparse_retain(weights, keep)
        ids, empty = sparse_fill_empty_rows(ids, default_id or 0)
        if weights is not None:
            weights, _ = sparse_fill_empty_rows(weights, 1.0)
        out = embedding_lookup_sparse(
            embedding_weights, ids, weights, partition_strategy, None, combiner, max_norm
        )
        if default_id is None:
            mask = convert_to_tensor(empty)
            if out.rank is None:
                raise ValueError("the rank of the embeddings must be known")
            wide = shapes.reshape(mask, [-1] + [1] * (out.rank - 1))
            zeros = fills.zeros_like(out)
            out = math.select(math.logical_and(wide, fills.ones_like(out, dtype=dtypes.bool_)),
                              zeros, out)  # fmt: skip
        return out
