"""``tf.raw_ops``: operations under the names of their types, called by keywords alone.

One is here where a public function makes just that operation: with the function's own keywords, or
with those of `_KEYWORDS`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

__all__: list[str] = []

#: Type = public function, then the keywords that the function calls otherwise (``theirs=own``).
_ROWS = """
All = reduce_all input=input_tensor keep_dims=keepdims
Any = reduce_any input=input_tensor keep_dims=keepdims
ArgMax = argmax
ArgMin = argmin
BatchMatMul = matmul x=a y=b adj_x=adjoint_a adj_y=adjoint_b
BatchMatMulV2 = matmul x=a y=b adj_x=adjoint_a adj_y=adjoint_b
Bitcast = bitcast
BroadcastTo = broadcast_to
Cast = cast DstT=dtype
ConcatV2 = concat
Cumprod = cumprod
Cumsum = cumsum
ExpandDims = expand_dims
Fill = fill
GatherNd = gather_nd
GatherV2 = gather
Identity = identity
InTopKV2 = nn.in_top_k
L2Loss = nn.l2_loss
Max = reduce_max input=input_tensor keep_dims=keepdims
Mean = reduce_mean input=input_tensor keep_dims=keepdims
Min = reduce_min input=input_tensor keep_dims=keepdims
OneHot = one_hot
Pack = stack
Pad = pad input=tensor
Placeholder = placeholder
Prod = reduce_prod input=input_tensor keep_dims=keepdims
Range = range
Rank = rank
Reshape = reshape
ReverseV2 = reverse
ScatterNd = scatter_nd
SegmentSum = segment_sum
Shape = shape
Size = size
Slice = slice input=input_
Split = split num_split=num_or_size_splits
SplitV = split size_splits=num_or_size_splits num_split=num
Squeeze = squeeze
StopGradient = stop_gradient
StridedSlice = strided_slice input=input_
Sum = reduce_sum input=input_tensor keep_dims=keepdims
Tile = tile
TopKV2 = nn.top_k
Transpose = transpose x=a
Unpack = unstack
UnsortedSegmentSum = unsorted_segment_sum
Where = where
ZerosLike = zeros_like x=tensor
"""


@functools.cache
def _table() -> dict[str, tuple[Callable[..., Any], dict[str, str]]]:
    """Type → function, and its name of each keyword that it calls otherwise."""
    tf: Any = importlib.import_module("graphc")
    from graphc.graphdef.forms import load_records
    from graphc.ir.registry import OPS
    from graphc.train import training_ops

    load_records()
    made: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {}
    for record in OPS.values():
        call = getattr(record, "call", None)
        if call is None or not record.tf or record.family not in ("elementwise", "contraction"):
            continue
        names = set(inspect.signature(call).parameters)
        if names.issuperset(record.args):
            made.setdefault(record.tf, (call, {}))
    for line in _ROWS.strip().splitlines():
        kind, _, path, *renamed = line.split()
        function = functools.reduce(getattr, path.split("."), tf)
        made[kind] = (function, dict(r.split("=") for r in renamed))
    made.update({kind: (function, {}) for kind, function in training_ops.by_type().items()})
    return made


def __dir__() -> list[str]:
    return sorted(_table())


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in _table():
        raise AttributeError(f"graphc has no tf.raw_ops.{name}")
    function, renamed = _table()[name]

    def raw(*args: Any, **kwargs: Any) -> Any:
        if args:
            raise TypeError(f"{name} only takes keyword args (possible keys: {_keys(name)})")
        given = {renamed.get(k, k): v for k, v in kwargs.items()}
        given.pop("T", None)
        return function(**given)

    raw.__name__ = raw.__qualname__ = name
    raw.__doc__ = f"The operation {name}, by keywords: {_keys(name)}."
    globals()[name] = raw
    return raw


def _keys(name: str) -> list[str]:
    function, renamed = _table()[name]
    theirs = {own: key for key, own in renamed.items()}
    return [theirs.get(k, k) for k in inspect.signature(function).parameters]
