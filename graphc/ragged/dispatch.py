"""What functions of ``tf`` do with ragged tensors, by the function they are for tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ops import arrays, fills, math, reduce, scatter, shapes, state, strings
from graphc.ragged import ops
from graphc.ragged.elementwise import map_flat_values

__all__ = ["TABLE"]


def _flat(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: map_flat_values(f, *args, **kwargs)


_TABLE: dict[Any, Callable[..., Any]] = {
    arrays.concat: ops.concat, arrays.stack: ops.stack, arrays.gather: ops.gather,
    arrays.gather_nd: ops.gather_nd, scatter.batch_gather: ops.batch_gather,
    shapes.expand_dims: ops.expand_dims, shapes.squeeze: ops.squeeze, arrays.tile: ops.tile,
    shapes.size: ops.size, shapes.rank: ops.rank, math.where: ops.where,
    reduce.reduce_sum: ops.reduce_sum, reduce.reduce_prod: ops.reduce_prod,
    reduce.reduce_max: ops.reduce_max, reduce.reduce_min: ops.reduce_min,
    reduce.reduce_mean: ops.reduce_mean, reduce.reduce_any: ops.reduce_any,
    reduce.reduce_all: ops.reduce_all,
    **{f: ops.segments(f) for f in (
        arrays.unsorted_segment_sum, arrays.unsorted_segment_prod, arrays.unsorted_segment_max,
        arrays.unsorted_segment_min, arrays.unsorted_segment_mean, arrays.unsorted_segment_sqrt_n,
    )},
    **{f: _flat(f) for f in (
        math.cast, fills.zeros_like, fills.ones_like, math.clip_by_value, fills.one_hot,
        state.identity, math.truediv, math.floordiv, strings.as_string, strings.string_join,
        strings.string_length, strings.substr, strings.string_lower, strings.string_upper,
        strings.string_strip, strings.regex_replace, strings.regex_full_match,
        strings.string_to_number, strings.string_to_hash_bucket,
        strings.string_to_hash_bucket_fast, strings.string_to_hash_bucket_strong,
    )},
}  # fmt: skip

#: Function for tensors → function for ragged ones.
TABLE = {getattr(f, "call", None) or f: g for f, g in _TABLE.items()}
