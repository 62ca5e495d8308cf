"""All kinds of dataset that `Dataset`'s methods make, in one place."""

from graphc.data.batches import (
    BatchDataset,
    PaddedBatchDataset,
    UnbatchDataset,
    WindowDataset,
    ZipDataset,
)
from graphc.data.mapping import FlatMapDataset, InterleaveDataset, MapDataset
from graphc.data.picking import (
    CacheDataset,
    ConcatenateDataset,
    FilterDataset,
    RepeatDataset,
    SameDataset,
    ShardDataset,
    ShuffleDataset,
    SkipDataset,
    TakeDataset,
)
from graphc.data.sources import (
    ArgumentDataset,
    FileCount,
    FilesDataset,
    GeneratorDataset,
    RangeDataset,
    SparseSliceDataset,
    TensorDataset,
    TensorSliceDataset,
)

__all__ = [
    "ArgumentDataset",
    "BatchDataset",
    "CacheDataset",
    "ConcatenateDataset",
    "FileCount",
    "FilesDataset",
    "FilterDataset",
    "FlatMapDataset",
    "GeneratorDataset",
    "InterleaveDataset",
    "MapDataset",
    "PaddedBatchDataset",
    "RangeDataset",
    "RepeatDataset",
    "SameDataset",
    "ShardDataset",
    "ShuffleDataset",
    "SkipDataset",
    "SparseSliceDataset",
    "TakeDataset",
    "TensorDataset",
    "TensorSliceDataset",
    "UnbatchDataset",
    "WindowDataset",
    "ZipDataset",
]  # fmt: skip
