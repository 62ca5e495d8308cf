"""What an element of a dataset is made of: nested tuples and dicts, and the type of each leaf.

Lists are leaves here (they become tensors), as in TF1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.face.shape import TensorShape, as_shape, from_dims
from graphc.ir import dims as D
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType, as_dtype, int64
from graphc.ir.node import Value
from graphc.ops.convert import as_array
from graphc.sparse.tensor import SparseTensor, SparseTensorValue

__all__ = [
    "DatasetSpec",
    "SparseSpec",
    "TensorSpec",
    "component",
    "contents",
    "flatten",
    "grouped",
    "map_leaves",
    "pack",
    "parts",
    "record_types",
    "same_structure",
    "spec_of",
    "specs",
    "stack",
    "stack_sparse",
    "symbolic",
    "text_of",
]  # fmt: skip


def _branches(x: Any) -> list[Any] | None:
    """What a tuple or dict contains, in order; None for a leaf."""
    if isinstance(x, tuple) and not isinstance(x, TensorSpec):
        return list(x)
    if isinstance(x, Mapping):
        return [x[k] for k in sorted(x)]
    return None


def _like(x: Any, parts: Sequence[Any]) -> Any:
    """A tuple or dict of the kind of `x` with other contents."""
    if isinstance(x, Mapping):
        made = dict(zip(sorted(x), parts, strict=True))
        kind: Any = type(x)
        return kind((k, made[k]) for k in x)
    kind = type(x)
    return kind(*parts) if hasattr(x, "_fields") else kind(parts)


def flatten(x: Any) -> list[Any]:
    """The leaves of a structure, dicts by sorted key."""
    parts = _branches(x)
    return [x] if parts is None else [leaf for p in parts for leaf in flatten(p)]


def pack(like: Any, leaves: Iterable[Any]) -> Any:
    """The structure of `like` with other leaves."""
    return _pack(like, iter(leaves))


def _pack(like: Any, leaves: Any) -> Any:
    parts = _branches(like)
    return next(leaves) if parts is None else _like(like, [_pack(p, leaves) for p in parts])


def map_leaves(f: Callable[..., Any], x: Any, *others: Any) -> Any:
    """The structure of `x` with ``f(leaf, …)`` for the leaves of `x` and what `others` have there.

    Raises
    ------
    TypeError
        Where another structure has something else than a tuple or dict of the same parts.
    """
    parts = _branches(x)
    if parts is None:
        return f(x, *others)
    columns = []
    for other in others:
        found = _branches(other)
        if found is None or len(found) != len(parts) or (
            isinstance(x, Mapping) and sorted(x) != sorted(other)
        ):  # fmt: skip
            raise TypeError(
                f"The two structures don't have the same nested structure: {x!r:.200} and "
                f"{other!r:.200}."
            )
        columns.append(found)
    return _like(x, [map_leaves(f, *p) for p in zip(parts, *columns, strict=True)])


def same_structure(a: Any, b: Any) -> bool:
    """Whether two structures differ in leaves only."""
    try:
        map_leaves(lambda x, y: None, a, b)
        map_leaves(lambda x, y: None, b, a)
    except TypeError:
        return False
    return True


# ------------------------------------------------------------------------- types of leaves


class TensorSpec:
    """The element type and static shape of a tensor.

    Attributes
    ----------
    shape : TensorShape
    dtype : DType
    name : str or None
    """

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self.shape: TensorShape = as_shape(shape)
        self.dtype: DType = as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The spec of a tensor."""
        return cls(tensor.shape, tensor.dtype, name or tensor.op.name)

    @classmethod
    def from_spec(cls, spec: TensorSpec, name: str | None = None) -> TensorSpec:
        """A spec with another name."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    def is_compatible_with(self, spec_or_tensor: Any) -> bool:
        """Whether a tensor or spec can have this type and shape."""
        other = spec_or_tensor
        return bool(self.dtype == other.dtype and self.shape.is_compatible_with(other.shape))

    @property
    def value_type(self) -> type[Any]:
        """What it describes."""
        from graphc.face.elements import Tensor

        return Tensor

    def most_specific_compatible_type(self, other: TensorSpec) -> TensorSpec:
        """The spec of what is like this or like `other`.

        Raises
        ------
        ValueError
            For other element types.
        """
        if self.dtype is not other.dtype:
            raise ValueError(f"Types are not compatible: {self!r} vs {other!r}")
        shape = self.shape.most_specific_compatible_shape(other.shape)
        return TensorSpec(shape, self.dtype, self.name if self.name == other.name else None)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorSpec)
            and self.dtype is other.dtype
            and _shape_key(self.shape) == _shape_key(other.shape)
        )

    def __hash__(self) -> int:
        return hash((self.dtype, _shape_key(self.shape)))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"

    def __reduce__(self) -> Any:
        return type(self), (_shape_key(self.shape), self.dtype, self.name)


def _shape_key(s: TensorShape) -> tuple[int | None, ...] | None:
    return None if s.ndims is None else tuple(s.as_list())


class DatasetSpec:
    """A leaf that is a dataset itself (of ``window``): `element` says what its elements are."""

    __slots__ = ("element",)

    dtype = None

    def __init__(self, element: Any) -> None:
        self.element = element

    @property
    def shape(self) -> TensorShape:
        return as_shape([])

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element!r})"


class SparseSpec:
    """A leaf that is a `SparseTensor`: its value is a `SparseTensorValue`."""

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: Any, shape: Any) -> None:
        self.dtype: DType = as_dtype(dtype)
        self.shape: TensorShape = as_shape(shape)

    def __repr__(self) -> str:
        return f"SparseTensorSpec({self.shape!r}, {self.dtype!r})"


def parts(x: Any) -> list[Any]:
    """The tensors that a symbolic leaf is made of."""
    if isinstance(x, SparseTensor):
        return [x.indices, x.values, x.dense_shape]
    return [x] if isinstance(x, Value) else []


def grouped(flat: Sequence[Any], items: Iterable[Any], make: Callable[..., Any]) -> list[Any]:
    """Items as the leaves that specs say: three are one for a sparse leaf, ``make(a, b, c)``."""
    it = iter(items)
    return [
        make(next(it), next(it), next(it)) if isinstance(s, SparseSpec) else next(it) for s in flat
    ]


def record_types(flat: Sequence[Any]) -> list[tuple[DType, Shape | None]]:
    """Types of the outputs of an op that gives these leaves.

    Raises
    ------
    TypeError
        For a leaf that is a dataset.
    """
    out: list[tuple[DType, Shape | None]] = []
    for s in flat:
        if isinstance(s, DatasetSpec):
            raise TypeError(
                "An element that holds datasets (of `window`) cannot be a tensor: "
                "turn it into one with `flat_map` and `batch`."
            )
        if isinstance(s, SparseSpec):
            n, rank = D.fresh(), D.fresh() if s.shape.ndims is None else s.shape.ndims
            out += [(int64, (n, rank)), (s.dtype, (n,)), (int64, (rank,))]
        else:
            out.append((s.dtype, symbolic(s.shape)))
    return out


def spec_of(tensor: Any) -> Any:
    """The spec of a recorded tensor or sparse tensor."""
    if isinstance(tensor, SparseTensor):
        return SparseSpec(tensor.dtype, tensor.shape)
    return TensorSpec(tensor.shape, tensor.dtype)


def specs(types: Any, shapes: Any = None, classes: Any = None) -> Any:
    """The structure of specs that types and shapes say; without shapes they are unknown."""
    if classes is not None:
        return map_leaves(
            lambda s, c: SparseSpec(s.dtype, s.shape) if c is SparseTensor else s,
            specs(types, shapes), classes,
        )  # fmt: skip
    if shapes is None:
        return map_leaves(lambda t: TensorSpec(None, t), types)
    return map_leaves(lambda t, s: TensorSpec(s, t), types, _as_shapes(types, shapes))


def _as_shapes(types: Any, shapes: Any) -> Any:
    """Shapes in the structure of `types`: a tuple of numbers at a leaf is a shape."""
    parts = _branches(types)
    if parts is None:
        return as_shape(shapes)
    found = _branches(shapes) if not isinstance(shapes, TensorShape) else None
    if found is None or len(found) != len(parts):
        raise TypeError(
            f"The two structures don't have the same nested structure: {types!r:.200} and "
            f"{shapes!r:.200}."
        )
    return _like(types, [_as_shapes(t, s) for t, s in zip(parts, found, strict=True)])


def symbolic(shape: TensorShape) -> Shape | None:
    """A shape as nodes carry it: each unknown size a symbol of its own."""
    if shape.ndims is None:
        return None
    return tuple(D.fresh() if n is None else n for n in shape.as_list())


def contents(shape: Sequence[int | None] | None) -> TensorShape:
    """A `TensorShape` of numbers and None."""
    return from_dims(None) if shape is None else as_shape(list(shape))


# ------------------------------------------------------------------------- values of leaves


def component(x: Any, dtype: DType) -> Any:
    """A Python or numpy value as a component of an element: an array of `dtype`.

    Raises
    ------
    TypeError, ValueError
        When it is no such array.
    """
    if type(x) is np.ndarray and x.dtype == dtype.np and dtype.kind != "s":
        return x
    if isinstance(x, Value):
        raise TypeError("an element holds a symbolic tensor")
    return as_array(x, dtype)[0]


def text_of(x: Any) -> str:
    """A scalar string as Python has it."""
    found: Any = np.asarray(x, object)[()]
    return bytes(found).decode()


def stack_sparse(values: Sequence[SparseTensorValue]) -> SparseTensorValue:
    """Sparse values as one, with one more axis in front."""
    indices = [
        np.concatenate([np.full((len(v.indices), 1), i, np.int64), np.asarray(v.indices)], 1)
        for i, v in enumerate(values)
    ]
    most = np.max([np.asarray(v.dense_shape, np.int64) for v in values], axis=0)
    shape = np.concatenate([[len(values)], most]).astype(np.int64)
    elements = np.concatenate([np.asarray(v.values) for v in values])
    return SparseTensorValue(np.concatenate(indices), elements, shape)


def stack(values: Sequence[Any], dtype: DType | None) -> Any:
    """Values of equal shape as one array with one more axis in front.

    Raises
    ------
    ValueError
        When shapes differ: its arguments are the two shapes.
    """
    if dtype is None:
        return list(values)
    first = np.shape(values[0])
    if dtype.kind == "s":
        out = np.empty((len(values), *first), object)
        for i, v in enumerate(values):
            if np.shape(v) != first:
                raise ValueError(first, np.shape(v))
            out[i] = v[()] if isinstance(v, np.ndarray) and not first else v
        return out
    made = np.empty((len(values), *first), dtype.np)
    for i, v in enumerate(values):
        if np.shape(v) != first:
            raise ValueError(first, np.shape(v))
        made[i] = v
    return made
