"""Batches of elements of different sizes as sparse tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.data.arguments import int64_tensor
from graphc.data.dataset import Dataset
from graphc.data.function import Context
from graphc.data.streams import Element, Steps, Stream
from graphc.data.structure import SparseSpec, TensorSpec
from graphc.errors import DataLossError, InvalidArgumentError
from graphc.face.shape import as_shape
from graphc.ir.build import current
from graphc.sparse.tensor import SparseTensorValue

__all__ = ["dense_to_sparse_batch"]


class _SparseBatches(Dataset):
    def __init__(self, source: Dataset, batch_size: Any, row_shape: Any) -> None:
        s = source._structure
        if not isinstance(s, TensorSpec):
            raise TypeError(
                "DenseToSparseDataset requires an input whose elements have a single component, "
                f"whereas the input has {source.output_types!r}."
            )
        self._row = as_shape(row_shape)
        current().reserve("DenseToSparseBatchDataset")
        spec = SparseSpec(s.dtype, as_shape([None]).concatenate(self._row))
        super().__init__(spec, (source,), [int64_tensor(batch_size, "batch_size")])

    def _open(self, context: Context) -> Stream:
        size = context.number(self._tensors[0])
        elements = iter(self._inputs[0]._open(context))

        def step() -> Element:
            rows = []
            for e in elements:
                rows.append(self._checked(np.asarray(e[0])))
                if len(rows) == size:
                    break
            if not rows:
                raise StopIteration
            return (self._joined(rows),)

        return Stream(Steps(step))

    def _checked(self, row: Any) -> Any:
        known = self._row.as_list()
        if row.ndim != len(known):
            raise InvalidArgumentError(
                None, None, f"Input element had shape ({list(row.shape)}) that is incompatible "
                f"with the row shape ({self._row})."
            )  # fmt: skip
        if any(n is not None and k > n for k, n in zip(row.shape, known, strict=True)):
            raise DataLossError(
                None, None, f"Input element had shape ({list(row.shape)}) that is larger than the "
                f"row shape ({self._row})."
            )  # fmt: skip
        return row

    def _joined(self, rows: list[Any]) -> SparseTensorValue:
        indices = [
            np.column_stack([np.full(r.size, i), *np.unravel_index(np.arange(r.size), r.shape)])
            for i, r in enumerate(rows)
        ]
        most = np.max([r.shape for r in rows], axis=0)
        shape = [int(m) if n is None else n for m, n in zip(most, self._row.as_list(), strict=True)]
        values = np.concatenate([r.reshape(-1) for r in rows])
        at = np.concatenate(indices).astype(np.int64)
        return SparseTensorValue(at, values, np.array([len(rows), *shape], np.int64))


def dense_to_sparse_batch(batch_size: Any, row_shape: Any) -> Callable[[Dataset], Dataset]:
    """Batches of elements of different sizes as `SparseTensor`.

    Parameters
    ----------
    row_shape : TensorShape
        At least as large as each element; an axis of unknown size is as long as the longest.

    Raises (in a run)
    -----------------
    DataLossError
        For an element that is larger.
    """
    return lambda d: _SparseBatches(d, batch_size, row_shape)
