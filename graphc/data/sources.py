"""Datasets that begin a pipeline."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.data.arguments import components, int64_tensor
from graphc.data.dataset import Dataset
from graphc.data.function import BoundDataset, Context, Element
from graphc.data.streams import Steps, Stream
from graphc.data.structure import (
    SparseSpec,
    TensorSpec,
    component,
    contents,
    flatten,
    grouped,
    map_leaves,
    parts,
    specs,
)
from graphc.errors import InvalidArgumentError
from graphc.face.shape import as_shape
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype, int64, string
from graphc.ops.convert import convert_to_tensor
from graphc.sparse.tensor import SparseTensor, SparseTensorValue

__all__ = [
    "ArgumentDataset",
    "FilesDataset",
    "GeneratorDataset",
    "Leaf",
    "ListDataset",
    "RangeDataset",
    "SparseSliceDataset",
    "TensorDataset",
    "TensorSliceDataset",
]

#: `Dataset.range` up to this size is an array in memory.
IN_MEMORY = 1 << 24


class TensorDataset(Dataset):
    _type = "TensorDataset"

    def __init__(self, tensors: Any) -> None:
        structure, flat = components(tensors)
        super().__init__(structure, (), flat)

    def _open(self, context: Context) -> Stream:
        values = [context.value(t) for t in self._tensors]
        return Stream([tuple(grouped(self._specs, values, SparseTensorValue))])


class TensorSliceDataset(Dataset):
    _type = "TensorSliceDataset"

    def __init__(self, tensors: Any) -> None:
        structure, flat = components(tensors)
        if any(isinstance(s, SparseSpec) for s in flatten(structure)):
            raise TypeError("from_tensor_slices takes no SparseTensor: use from_tensors")
        rows: Any = None
        for t in flat:
            shape = contents(t._shape_tuple())  # type: ignore[attr-defined]
            if shape.ndims == 0:
                raise ValueError(f"Value {t!s} has insufficient rank for batching.")
            n = shape[0] if shape.ndims is not None else None
            if rows is not None and n is not None:
                rows.assert_is_compatible_with(n)
            if n is not None and n.value is not None:
                rows = n
        super().__init__(map_leaves(row_spec, structure), (), flat)

    def _open(self, context: Context) -> Stream:
        columns = tuple([context.value(t) for t in self._tensors])
        sizes = {len(c) if np.ndim(c) else -1 for c in columns}
        if len(sizes) != 1 or -1 in sizes:
            shapes = [list(np.shape(c)) for c in columns]
            raise InvalidArgumentError(
                None, None, f"from_tensor_slices needs tensors with equally many rows, got {shapes}"
            )
        return Stream(chunks=iter([range(sizes.pop())]), columns=columns)


class SparseSliceDataset(Dataset):
    """The rows of a sparse tensor."""

    _type = "SparseTensorSliceDataset"

    def __init__(self, sparse: Any) -> None:
        if not isinstance(sparse, SparseTensor):
            raise TypeError(f"`sparse_tensor` must be a `tf.SparseTensor` object. Was {sparse}.")
        shape = sparse.get_shape()
        row = None if shape.ndims is None else shape.as_list()[1:]
        super().__init__(SparseSpec(sparse.dtype, row), (), parts(sparse))

    def _open(self, context: Context) -> Stream:
        indices, values, shape = (np.asarray(context.value(t)) for t in self._tensors)
        if (np.diff(indices[:, 0]) < 0).any():
            raise InvalidArgumentError(None, None, "the rows of the sparse tensor are not in order")
        ends = np.searchsorted(indices[:, 0], np.arange(int(shape[0]) + 1))
        return Stream(
            (SparseTensorValue(indices[a:b, 1:], values[a:b], shape[1:]),)
            for a, b in itertools.pairwise(ends)
        )


def row_spec(s: TensorSpec) -> TensorSpec:
    shape = s.shape
    return TensorSpec(None if shape.ndims is None else shape.as_list()[1:], s.dtype)


class RangeDataset(Dataset):
    _type = "RangeDataset"

    def __init__(self, *args: Any) -> None:
        if not 1 <= len(args) <= 3:
            raise ValueError(f"Invalid arguments to RangeDataset: {args}")
        start, stop, step = (
            (0, args[0], 1) if len(args) == 1 else (*args, 1) if len(args) == 2 else args
        )
        named = (("start", start), ("stop", stop), ("step", step))
        super().__init__(TensorSpec([], int64), (), [int64_tensor(x, n) for n, x in named])

    def _open(self, context: Context) -> Stream:
        numbers = [context.number(t) for t in self._tensors]
        if numbers[2] == 0:
            raise InvalidArgumentError(None, None, "step must be a non-zero integer.")
        all_ = range(*numbers)
        if len(all_) <= IN_MEMORY:
            return Stream(chunks=iter([range(len(all_))]), columns=(np.array(all_, np.int64),))
        return Stream(zip(map(np.int64, all_)))


class GeneratorDataset(Dataset):
    def __init__(self, generator: Any, types: Any, shapes: Any, args: Any) -> None:
        if not callable(generator):
            raise TypeError("`generator` must be callable.")
        types = map_leaves(as_dtype, types)
        tensors = [convert_to_tensor(a, name="args") for a in args or ()]
        with current().scope(None, "normalize_element"):
            current().reserve("component_0")
        current().reserve("TensorDataset", "FlatMapDataset")
        super().__init__(specs(types, shapes), (), tensors)
        self._generator = generator

    def _open(self, context: Context) -> Stream:
        values = [context.value(t) for t in self._tensors]
        return Stream(self._elements(values))

    def _elements(self, values: Sequence[Any]) -> Iterator[Element]:
        given: Iterator[Any] | None = None

        def step() -> Element:
            nonlocal given
            if given is None:
                given = self._begun(values)
            return self._element(next(given))

        return Steps(step)

    def _begun(self, values: Sequence[Any]) -> Iterator[Any]:
        made = self._generator(*values)
        if not hasattr(made, "__iter__"):
            raise InvalidArgumentError(
                None, None, "TypeError: `generator` must return an object that supports the "
                "`iter()` protocol.",
            )  # fmt: skip
        return iter(made)

    def _element(self, given: Any) -> Element:
        like = self._structure
        leaves = [given]
        if isinstance(like, (tuple, Mapping)):
            wrong = isinstance(like, Mapping) != isinstance(given, Mapping)
            try:
                leaves = flatten(map_leaves(lambda s, x: Leaf(x), like, _as_tuple(given, like)))
            except TypeError:
                wrong = True
            if wrong:
                types = map_leaves(lambda s: s.dtype, like)
                raise InvalidArgumentError(
                    None, None, "TypeError: `generator` yielded an element that did not match the "
                    f"expected structure. The expected structure was {types}, but the yielded "
                    f"element was {given}.",
                )  # fmt: skip
            leaves = [x.value for x in leaves]
        out = []
        for s, x in zip(self._specs, leaves, strict=True):
            try:
                a = component(x, s.dtype)
            except (TypeError, ValueError):
                raise InvalidArgumentError(
                    None, None, "TypeError: `generator` yielded an element that could not be "
                    f"converted to the expected type. The expected type was {s.dtype.name}, but "
                    f"the yielded element was {x}.",
                ) from None  # fmt: skip
            if not s.shape.is_compatible_with(as_shape(a.shape)):
                raise InvalidArgumentError(
                    None, None, f"ValueError: `generator` yielded an element of shape {a.shape} "
                    f"where an element of shape {s.shape} was expected.",
                )  # fmt: skip
            out.append(a)
        return tuple(out)


class Leaf:
    """Keeps a tuple or dict that stands at a leaf from being taken apart."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _as_tuple(given: Any, like: Any) -> Any:
    """Lists in place of tuples, as generators may yield them."""
    if isinstance(like, tuple) and isinstance(given, (list, tuple)) and len(given) == len(like):
        return tuple(_as_tuple(g, k) for g, k in zip(given, like, strict=True))
    if isinstance(like, Mapping) and isinstance(given, Mapping) and sorted(like) == sorted(given):
        return {k: _as_tuple(given[k], like[k]) for k in like}
    return given


class FilesDataset(Dataset):
    """Names of files that match patterns, in order; the patterns may be a tensor."""

    def __init__(self, patterns: Any) -> None:
        tensor = convert_to_tensor(patterns, string, "file_pattern")
        current().reserve("MatchingFiles", "TensorSliceDataset")
        super().__init__(TensorSpec([], string), (), [tensor])

    def _open(self, context: Context) -> Stream:
        names = self.names(context)
        return Stream(chunks=iter([range(len(names))]), columns=(names,))

    def names(self, context: Context) -> Any:
        import glob

        patterns = [p.decode() for p in np.ravel(np.asarray(context.value(self._tensors[0])))]
        found = sorted({os.fsencode(f) for p in patterns for f in glob.glob(p)})
        if not found:
            raise InvalidArgumentError(None, None, f"No files matched pattern: {patterns}")
        out = np.empty(len(found), object)
        out[:] = found
        return out


class FileCount:
    """The number of elements of a `FilesDataset`, known when it is opened."""

    def __init__(self, files: Any) -> None:
        self.files = files

    def number(self, context: Context) -> int:
        return max(1, len(self.files.names(context)))


class ArgumentDataset(Dataset):
    """A dataset that is the argument of a function: what it is, the context says."""

    def __init__(self, element: Any) -> None:
        super().__init__(element)

    def _open(self, context: Context) -> Stream:
        bound: BoundDataset = context.datasets[self]
        return bound.open()  # type: ignore[no-any-return]


class ListDataset(Dataset):
    """Elements that are there already (a window)."""

    def __init__(self, structure: Any, elements: Sequence[Element]) -> None:
        self._structure = structure
        self._specs = flatten(structure)
        self._tensors = ()
        self._elements = elements

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements)
