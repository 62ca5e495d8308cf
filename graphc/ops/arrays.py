"""Ops that pick, join and rearrange elements, from the modules that have them."""

from __future__ import annotations

from graphc.ops.gathers import (
    gather,
    gather_nd,
    gather_op,
    scatter_nd,
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
    unsorted_segment_sum_op,
)
from graphc.ops.joining import concat, split, stack, unstack
from graphc.ops.padding import pad
from graphc.ops.partition import (
    boolean_mask,
    broadcast_gradient_args,
    dynamic_partition,
    dynamic_stitch,
    invert_permutation,
    meshgrid,
    sequence_mask,
    unique,
    unique_with_counts,
    where_indices,
)
from graphc.ops.slices import slice, slice_static
from graphc.ops.strided import getitem, strided_slice
from graphc.ops.tiling import reverse, reverse_sequence, roll, tile

__all__ = [
    "boolean_mask",
    "broadcast_gradient_args",
    "concat",
    "dynamic_partition",
    "dynamic_stitch",
    "gather",
    "gather_nd",
    "gather_op",
    "getitem",
    "invert_permutation",
    "meshgrid",
    "pad",
    "reverse",
    "reverse_sequence",
    "roll",
    "scatter_nd",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "sequence_mask",
    "slice",
    "slice_static",
    "split",
    "stack",
    "strided_slice",
    "tile",
    "unique",
    "unique_with_counts",
    "unsorted_segment_max",
    "unsorted_segment_mean",
    "unsorted_segment_min",
    "unsorted_segment_prod",
    "unsorted_segment_sqrt_n",
    "unsorted_segment_sum",
    "unsorted_segment_sum_op",
    "unstack",
    "where_indices",
]
