"""`IndexedSlices`: rows of a tensor, the form a gather's gradient has."""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops.convert import register_conversion

__all__ = ["IndexedSlices"]


class IndexedSlices:
    """The rows `values` at `indices` of a tensor that is zero elsewhere; repeated rows add up.

    Attributes
    ----------
    values : Tensor
    indices : Tensor
        One index for each row of `values`.
    dense_shape : Tensor or None
        The shape of the whole tensor.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self) -> Any:
        return self._values

    @property
    def indices(self) -> Any:
        return self._indices

    @property
    def dense_shape(self) -> Any:
        return self._dense_shape

    @property
    def dtype(self) -> DType:
        return self._values.dtype  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        return self._values.name  # type: ignore[no-any-return]

    @property
    def op(self) -> Any:
        return self._values.op

    @property
    def device(self) -> str:
        return self._values.device  # type: ignore[no-any-return]

    def consumers(self) -> list[Any]:
        """The operations that read the values."""
        found: list[Any] = self._values.consumers()
        return found

    @property
    def graph(self) -> Any:
        return self._values.graph

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)

    def __str__(self) -> str:
        shape = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"


def to_dense(x: IndexedSlices, dtype: DType | None = None, name: str | None = None) -> Value:
    """The whole tensor.

    Raises
    ------
    ValueError
        When its shape is not known, or `dtype` is another type.
    """
    from graphc.ops import arrays

    if dtype is not None and dtype is not x.dtype:
        raise ValueError(
            f"Tensor conversion requested dtype {dtype.name} for IndexedSlices with dtype "
            f"{x.dtype.name}"
        )
    if x.dense_shape is None:
        raise ValueError(
            "Tensor conversion requested for IndexedSlices without dense_shape: " + str(x)
        )
    rows = arrays.getitem(x.dense_shape, 0)
    return arrays.unsorted_segment_sum(x.values, x.indices, rows, name=name)


register_conversion(IndexedSlices, to_dense)
