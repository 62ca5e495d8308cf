"""What a composite value is made of: specs of sparse and ragged tensors, slices and arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from graphc.data.structure import SparseSpec, TensorSpec
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype

__all__ = [
    "IndexedSlicesSpec", "RaggedTensorSpec", "RaggedTensorStructure", "SparseTensorSpec",
    "SparseTensorStructure", "TensorArraySpec", "TensorArrayStructure", "TensorStructure",
    "TypeSpec",
]  # fmt: skip


class TypeSpec(ABC):
    """What is known of a value before it is there."""

    @property
    @abstractmethod
    def value_type(self) -> Any:
        """The class of the values."""

    @abstractmethod
    def _parts(self) -> tuple[Any, ...]:
        """What it says, in the order of its arguments."""

    @classmethod
    def from_value(cls, value: Any) -> Any:
        """The spec of a value."""
        raise TypeError(f"{cls.__name__} has no spec for {value}")

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a value, or what has another spec, can be of this one."""
        other = spec_or_value
        if not isinstance(other, TypeSpec):
            if not isinstance(other, self.value_type):
                return False
            other = self.from_value(other)
        return type(self) is type(other) and all(
            a.is_compatible_with(b) if isinstance(a, TensorShape) else a == b
            for a, b in zip(self._parts(), other._parts(), strict=True)
        )

    def most_specific_compatible_type(self, other: Any) -> Any:
        """The spec of what is like this or like `other`.

        Raises
        ------
        ValueError
            When they differ in more than sizes.
        """
        if type(self) is not type(other):
            raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")
        merged = []
        for a, b in zip(self._parts(), other._parts(), strict=True):
            if isinstance(a, TensorShape):
                merged.append(a.most_specific_compatible_shape(b))
            elif a == b:
                merged.append(a)
            else:
                raise ValueError(f"Types are not compatible: {a!r} vs {b!r}")
        return type(self)._made(*merged)

    @classmethod
    def _made(cls, *parts: Any) -> Any:
        return cls(*parts)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._parts()))})"


TypeSpec.register(TensorSpec)


class SparseTensorSpec(SparseSpec, TypeSpec):
    """The spec of a `SparseTensor`.

    Parameters
    ----------
    shape : TensorShape, optional
    dtype : DType
    """

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(dtype, shape)

    __eq__, __hash__, __repr__ = TypeSpec.__eq__, TypeSpec.__hash__, TypeSpec.__repr__

    @property
    def value_type(self) -> Any:
        from graphc.sparse.tensor import SparseTensor

        return SparseTensor

    def _parts(self) -> tuple[Any, ...]:
        return self.shape, self.dtype

    @classmethod
    def from_value(cls, value: Any) -> SparseTensorSpec:
        """The spec of a sparse tensor."""
        return cls(value.get_shape(), value.dtype)


class RaggedTensorSpec(TypeSpec):
    """The spec of a `RaggedTensor`.

    Parameters
    ----------
    shape : TensorShape, optional
    dtype : DType
    ragged_rank : int, optional
        How many axes are ragged; all but the first by default.
    row_splits_dtype : DType
    """

    def __init__(
        self, shape: Any = None, dtype: Any = dtypes.float32, ragged_rank: int | None = None,
        row_splits_dtype: Any = dtypes.int64,
    ) -> None:  # fmt: skip
        self._shape, self._dtype = as_shape(shape), as_dtype(dtype)
        self._splits = as_dtype(row_splits_dtype)
        rank = self._shape.ndims
        if ragged_rank is None:
            if rank is None:
                raise ValueError("Must specify ragged_rank or a shape with a known rank.")
            ragged_rank = rank - 1
        if rank is not None and ragged_rank >= rank:
            raise ValueError("ragged_rank must be less than rank.")
        self._ragged_rank = ragged_rank

    @property
    def value_type(self) -> Any:
        from graphc.ragged.tensor import RaggedTensor

        return RaggedTensor

    def _parts(self) -> tuple[Any, ...]:
        return self._shape, self._dtype, self._ragged_rank, self._splits

    @classmethod
    def from_value(cls, value: Any) -> RaggedTensorSpec:
        """The spec of a ragged tensor."""
        return cls(value.shape, value.dtype, value.ragged_rank, value.row_splits.dtype)


class IndexedSlicesSpec(TypeSpec):
    """The spec of `IndexedSlices`.

    Parameters
    ----------
    shape : TensorShape, optional
        Of the whole.
    dtype, indices_dtype : DType
    dense_shape_dtype : DType, optional
        Of its shape, where that is given as a tensor.
    indices_shape : TensorShape, optional
        A vector of unknown size by default.
    """

    def __init__(
        self, shape: Any = None, dtype: Any = dtypes.float32, indices_dtype: Any = dtypes.int64,
        dense_shape_dtype: Any = None, indices_shape: Any = None,
    ) -> None:  # fmt: skip
        self._shape, self._dtype = as_shape(shape), as_dtype(dtype)
        self._indices_dtype = as_dtype(indices_dtype)
        self._dense = None if dense_shape_dtype is None else as_dtype(dense_shape_dtype)
        self._indices_shape = as_shape([None] if indices_shape is None else indices_shape)

    @property
    def value_type(self) -> Any:
        from graphc.ops.indexed import IndexedSlices

        return IndexedSlices

    def _parts(self) -> tuple[Any, ...]:
        return self._shape, self._dtype, self._indices_dtype, self._dense, self._indices_shape

    @classmethod
    def from_value(cls, value: Any) -> IndexedSlicesSpec:
        """The spec of slices."""
        dense = value.dense_shape
        shape = as_shape([None]).concatenate(value.values.shape[1:])
        return cls(
            shape, value.dtype, value.indices.dtype, None if dense is None else dense.dtype,
            value.indices.shape,
        )  # fmt: skip


class TensorArraySpec(TypeSpec):
    """The spec of a `TensorArray`.

    Parameters
    ----------
    element_shape : TensorShape, optional
    dtype : DType
    dynamic_size, infer_shape : bool
    """

    def __init__(
        self, element_shape: Any = None, dtype: Any = dtypes.float32, dynamic_size: bool = False,
        infer_shape: bool = True,
    ) -> None:  # fmt: skip
        self._shape, self._dtype = as_shape(element_shape), as_dtype(dtype)
        self._dynamic, self._infer = dynamic_size, infer_shape

    @property
    def value_type(self) -> Any:
        from graphc.face.tensor_array import TensorArray

        return TensorArray

    def _parts(self) -> tuple[Any, ...]:
        return self._shape, self._dtype, self._dynamic, self._infer

    @classmethod
    def from_value(cls, value: Any) -> TensorArraySpec:
        """The spec of an array."""
        infer = value._shared.infer
        return cls(value.element_shape, value.dtype, value.dynamic_size, infer)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether an array, or what has another spec, can be of this one."""
        return super().is_compatible_with(other)


def TensorStructure(dtype: Any, shape: Any) -> TensorSpec:
    """A `TensorSpec`, its arguments the other way round."""
    return TensorSpec(shape, dtype)


def SparseTensorStructure(dtype: Any, shape: Any) -> SparseTensorSpec:
    """A `SparseTensorSpec`, its arguments the other way round."""
    return SparseTensorSpec(shape, dtype)


def RaggedTensorStructure(dtype: Any, shape: Any, ragged_rank: int) -> RaggedTensorSpec:
    """A `RaggedTensorSpec`, its arguments in another order."""
    return RaggedTensorSpec(shape, dtype, ragged_rank)


def TensorArrayStructure(
    dtype: Any, element_shape: Any, dynamic_size: bool, infer_shape: bool
) -> TensorArraySpec:
    """A `TensorArraySpec`, its arguments in another order."""
    return TensorArraySpec(element_shape, dtype, dynamic_size, infer_shape)
