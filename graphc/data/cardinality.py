"""How many elements datasets have, where that follows from how they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.data import kinds
from graphc.data.dataset import Dataset
from graphc.data.function import Context
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = ["INFINITE", "UNKNOWN", "cardinality"]

INFINITE = -1
UNKNOWN = -2

#: For a kind of dataset: its number from itself, a context, and the numbers of its inputs.
_RULES: dict[type[Dataset], Callable[[Any, Context, Sequence[int]], int]] = {}


def _numbers(d: Dataset, context: Context) -> list[int]:
    return [context.number(t) for t in d._tensors if t.dtype.kind in "iub"]


def _repeated(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    count, n = _numbers(d, context)[0], inputs[0]
    if count < 0:
        return INFINITE if n else 0
    return 0 if not count else n if n < 0 else n * count


def _taken(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    count, n = _numbers(d, context)[0], inputs[0]
    if n == UNKNOWN or count < 0:
        return n
    return count if n == INFINITE else min(n, count)


def _skipped(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    count, n = _numbers(d, context)[0], inputs[0]
    if n < 0:
        return n
    return 0 if count < 0 else max(0, n - count)


def _batched(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    n, size, drop = inputs[0], *_numbers(d, context)[:2]
    return n if n < 0 else n // size if drop else -(-n // size)


def _sharded(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    shards, index = _numbers(d, context)
    n = inputs[0]
    return n if n < 0 else n // shards + (index < n % shards)


def _zipped(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    if UNKNOWN in inputs:
        return UNKNOWN
    return min((n for n in inputs if n != INFINITE), default=INFINITE)


def _joined(d: Dataset, context: Context, inputs: Sequence[int]) -> int:
    if INFINITE in inputs:
        return INFINITE
    return UNKNOWN if UNKNOWN in inputs else sum(inputs)


for _kind in (kinds.SameDataset, kinds.CacheDataset, kinds.ShuffleDataset, kinds.MapDataset):
    _RULES[_kind] = lambda d, context, inputs: inputs[0]
_RULES.update(
    {
        kinds.TensorDataset: lambda d, context, inputs: 1,
        kinds.TensorSliceDataset: lambda d, context, inputs: len(context.value(d._tensors[0])),
        kinds.RangeDataset: lambda d, context, inputs: len(range(*_numbers(d, context))),
        kinds.RepeatDataset: _repeated,
        kinds.TakeDataset: _taken,
        kinds.SkipDataset: _skipped,
        kinds.ShardDataset: _sharded,
        kinds.BatchDataset: _batched,
        kinds.PaddedBatchDataset: _batched,
        kinds.ZipDataset: _zipped,
        kinds.ConcatenateDataset: _joined,
    }
)


def _count(d: Dataset, context: Context) -> int:
    rule = _RULES.get(type(d))
    return UNKNOWN if rule is None else rule(d, context, [_count(x, context) for x in d._inputs])


def _counted(host: Any, *arrays: Any, dataset: Dataset) -> Any:
    return np.int64(_count(dataset, Context(dict(zip(host.node.inputs, arrays, strict=True)))))


def _number(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.int64, ())]


cardinality_op = op(
    "dataset_cardinality", "ExperimentalDatasetCardinality", "host", args=("*tensors",),
    doc="How many elements a dataset has.", infer=_number, host=_counted, types="fiubs",
    grad=no_grad,
)  # fmt: skip


def cardinality(dataset: Dataset) -> Value:
    """How many elements a dataset has: an int64 scalar, -1 for ever, -2 where it is not known."""
    attrs = {"dataset": dataset}
    return build(cardinality_op, dataset._all_tensors(), attrs).outputs[0]
