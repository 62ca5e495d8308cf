"""Datasets that apply a function to each element."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from graphc.data.arguments import int64_tensor
from graphc.data.dataset import Dataset
from graphc.data.function import Context, Function
from graphc.data.streams import Stream, flat, interleave
from graphc.errors import InvalidArgumentError
from graphc.ir.build import current
from graphc.ir.dtypes import int32
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor

__all__ = ["FlatMapDataset", "InterleaveDataset", "MapDataset"]


class MapDataset(Dataset):
    def __init__(
        self, source: Dataset, f: Callable[..., Any], parallel: Any = None,
        what: str = "Dataset.map()",
    ) -> None:  # fmt: skip
        self._functions = (Function(f, source._structure, what),)
        tensors = []
        if parallel is not None:
            tensors = [convert_to_tensor(parallel, int32, "num_parallel_calls")]
        current().reserve("MapDataset" if parallel is None else "ParallelMapDataset")
        super().__init__(self._functions[0].structure, (source,), tensors)

    def _open(self, context: Context) -> Stream:
        stream = self._inputs[0]._open(context)
        f = self._functions[0]
        if stream.columns and f.selection is not None:
            return Stream(
                chunks=stream.chunks, columns=tuple([stream.columns[i] for i in f.selection])
            )
        call = f.bind(context)
        return Stream(map(tuple, map(call, stream)))


class FlatMapDataset(Dataset):
    _type = "FlatMapDataset"

    def __init__(self, source: Dataset, f: Callable[..., Any]) -> None:
        self._functions = (Function(f, source._structure, "Dataset.flat_map()", datasets=True),)
        super().__init__(self._functions[0].structure.element, (source,))

    def _open(self, context: Context) -> Stream:
        stream = self._inputs[0]._open(context)
        call = self._functions[0].bind(context)
        return Stream(flat(iter(stream), lambda e: call(e)[0].open()))


class InterleaveDataset(Dataset):
    def __init__(
        self, source: Dataset, f: Callable[..., Any], cycle: Any, block: Any, parallel: Any = None
    ) -> None:
        self._functions = (Function(f, source._structure, "Dataset.interleave()", datasets=True),)
        if not isinstance(cycle, Value) and cycle == -1:
            cycle = max(1, min(10, os.cpu_count() or 1))
        tensors = [int64_tensor(cycle, "cycle_length"), int64_tensor(block, "block_length")]
        if parallel is not None:
            tensors.append(int64_tensor(parallel, "num_parallel_calls"))
        current().reserve(
            "InterleaveDataset" if parallel is None else "ParallelInterleaveDatasetV2"
        )
        super().__init__(self._functions[0].structure.element, (source,), tensors)

    def _open(self, context: Context) -> Stream:
        cycle, block = (context.number(t) for t in self._tensors[:2])
        if cycle < 1 or block < 1:
            what = "cycle_length" if cycle < 1 else "block_length"
            raise InvalidArgumentError(None, None, f"{what} must be greater than zero.")
        call = self._functions[0].bind(context)
        source = map(lambda e: call(e)[0].open, iter(self._inputs[0]._open(context)))
        return Stream(interleave(source, cycle, block))
