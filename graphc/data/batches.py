"""Datasets that make one element of several, or several of one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.data.arguments import batch_numbers, batch_tensors, int64_tensor, static_rows
from graphc.data.dataset import Dataset
from graphc.data.function import BoundDataset, Context, Element
from graphc.data.sources import Leaf, ListDataset, TensorSliceDataset, row_spec
from graphc.data.streams import Failed, Stream, flat, gather, held, regroup, released
from graphc.data.structure import (
    DatasetSpec,
    SparseSpec,
    TensorSpec,
    flatten,
    map_leaves,
    pack,
    stack,
    stack_sparse,
)
from graphc.errors import DataLossError, InvalidArgumentError
from graphc.face.shape import TensorShape, as_shape
from graphc.ir.build import current
from graphc.ir.dtypes import DType, string
from graphc.ir.node import Value
from graphc.ops.arrays import stack as stack_sizes
from graphc.ops.convert import constant_op, convert_to_tensor

__all__ = ["BatchDataset", "PaddedBatchDataset", "UnbatchDataset", "WindowDataset", "ZipDataset"]


class UnbatchDataset(Dataset):
    def __init__(self, source: Dataset) -> None:
        current().reserve("MapDataset", "UnbatchDataset")
        super().__init__(map_leaves(row_spec, source._structure), (source,))

    def _open(self, context: Context) -> Stream:
        stream = self._inputs[0]._open(context)

        def rows(e: Element) -> Iterator[Element]:
            sizes = {np.shape(c)[0] for c in e}
            if len(sizes) > 1:
                raise InvalidArgumentError(
                    None, None, "Input element must have the same batch size in each component."
                )
            return (tuple([c[i] for c in e]) for i in range(sizes.pop()))

        return Stream(flat(iter(stream), rows))


class ZipDataset(Dataset):
    _type = "ZipDataset"

    def __init__(self, datasets: Any) -> None:
        flat = flatten(datasets)
        for d in flat:
            if not isinstance(d, Dataset):
                lists = (
                    " Nested structures do not support Python lists; please use a tuple instead."
                )
                hint = lists if isinstance(d, list) else ""
                raise TypeError(
                    "The argument to `Dataset.zip()` must be a nested structure of `Dataset` "
                    f"objects.{hint}"
                )
        super().__init__(map_leaves(lambda d: d._structure, datasets), flat)

    def _open(self, context: Context) -> Stream:
        streams = [d._open(context) for d in self._inputs]
        if all(isinstance(d, TensorSliceDataset) for d in self._inputs):
            columns = [c for s in streams for c in s.columns or ()]
            return Stream(chunks=iter([range(min(map(len, columns)))]), columns=tuple(columns))
        return Stream(map(lambda es: tuple(itertools.chain(*es)), zip(*streams, strict=False)))


class BatchDataset(Dataset):
    _type = "BatchDatasetV2"

    def __init__(self, source: Dataset, batch_size: Any, drop_remainder: Any) -> None:
        tensors = batch_tensors(batch_size, drop_remainder)
        rows = static_rows(*tensors)
        structure = map_leaves(lambda s: batched(s, rows), source._structure)
        super().__init__(structure, (source,), tensors)

    def _open(self, context: Context) -> Stream:
        size, drop = batch_numbers(context, *self._tensors)
        stream = self._inputs[0]._open(context)
        groups = regroup(stream.chunks, size, drop)
        columns = stream.columns
        if columns is not None:
            return Stream(map(lambda g: tuple([gather(c, g) for c in columns]), groups))
        return Stream(map(self._stacked, groups))

    def _stacked(self, elements: Sequence[Element]) -> Element:
        parts: list[Any] = []
        specs_ = self._inputs[0]._specs
        for s, values in zip(specs_, zip(*elements, strict=True), strict=True):
            if isinstance(s, DatasetSpec):
                parts.append(_windows_of(s, values))
                continue
            if isinstance(s, SparseSpec):
                parts.append(stack_sparse(values))
                continue
            try:
                parts.append(stack(values, s.dtype))
            except ValueError as e:
                first, other = (_brackets(x) for x in e.args)
                raise InvalidArgumentError(
                    None, None, "Cannot add tensor to the batch: number of elements does not "
                    f"match. Shapes are: [tensor]: {other}, [batch]: {first}",
                ) from None  # fmt: skip
        return tuple(parts)


def _windows_of(s: DatasetSpec, values: Sequence[BoundDataset]) -> BoundDataset:
    kept = [(v,) for v in values]
    return BoundDataset(ListDataset(s, kept), Context())


def _brackets(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def batched(s: Any, rows: int | None) -> Any:
    """The spec of stacked components."""
    if isinstance(s, DatasetSpec):
        return DatasetSpec(s)
    full = None if s.shape.ndims is None else [rows, *s.shape.as_list()]
    return SparseSpec(s.dtype, full) if isinstance(s, SparseSpec) else TensorSpec(full, s.dtype)


class PaddedBatchDataset(Dataset):
    _type = "PaddedBatchDatasetV2"

    def __init__(
        self, source: Dataset, batch_size: Any, padded_shapes: Any, padding_values: Any,
        drop_remainder: Any,
    ) -> None:  # fmt: skip
        if any(isinstance(s, SparseSpec) for s in source._specs):
            raise TypeError("Batching of padded sparse tensors is not currently supported")
        size = int64_tensor(batch_size, "batch_size")
        types = map_leaves(lambda s: s.dtype, source._structure)
        given = _padded_shapes(source._structure, padded_shapes)
        shapes = [_static(p) for p in given]
        for s, p in zip(source._specs, shapes, strict=True):
            _check_padding(s.shape, p)
        current().reserve(*["Const"] * len(shapes))
        values = padding_values
        if values is None:
            values = map_leaves(lambda t: b"" if t is string else np.zeros((), t.np), types)
        pads = [
            _padding(v, t) for v, t in zip(flatten(map_leaves(lambda t, v: Leaf(v), types, values)),
                                           flatten(types), strict=True)
        ]  # fmt: skip
        drop = convert_to_tensor(drop_remainder, "bool", "drop_remainder")
        rows = static_rows(size, drop)
        self._shapes = [None if p.ndims is None else p.as_list() for p in shapes]
        late = [(i, p) for i, p in enumerate(given) if isinstance(p, Value)]
        self._late = [i for i, _ in late]
        self._pads = slice(2, 2 + len(pads))
        structure = pack(
            source._structure,
            [
                TensorSpec([rows, *p.as_list()], s.dtype)
                for s, p in zip(source._specs, shapes, strict=True)
            ],
        )
        super().__init__(structure, (source,), [size, drop, *pads, *[p for _, p in late]])

    def _open(self, context: Context) -> Stream:
        size, drop = batch_numbers(context, *self._tensors[:2])
        pads = [np.asarray(context.value(t))[()] for t in self._tensors[self._pads]]
        shapes = list(self._shapes)
        for i, t in zip(self._late, self._tensors[self._pads.stop :], strict=True):
            shapes[i] = _padded_shape(np.asarray(context.value(t))).as_list()
        stream = self._inputs[0]._open(context)
        groups = regroup(zip(stream), size, drop, at_once=True)
        return Stream(map(lambda g: self._padded(g, pads, shapes), groups))

    def _padded(
        self, elements: Sequence[Element], pads: Sequence[Any], shapes: Sequence[Any]
    ) -> Element:
        parts: list[Any] = []
        specs_ = self._inputs[0]._specs
        columns = zip(specs_, shapes, pads, zip(*elements, strict=True), strict=True)
        for s, want, pad, values in columns:
            sizes = [np.shape(v) for v in values]
            rank = len(want or ())
            if any(len(x) != rank for x in sizes):
                raise InvalidArgumentError(
                    None, None, "All elements in a batch must have the same rank as the padded "
                    f"shape for component {len(parts)}: expected rank {rank} but got element with "
                    f"rank {next(len(x) for x in sizes if len(x) != rank)}",
                )  # fmt: skip
            full = []
            for i, w in enumerate(want or ()):
                most = max(x[i] for x in sizes)
                if w is not None and most > w:
                    raise DataLossError(
                        None, None, "Attempted to pad to a smaller size than the input element."
                    )
                full.append(most if w is None else w)
            out = np.full((len(values), *full), pad, s.dtype.np)
            for row, v, x in zip(range(len(values)), values, sizes, strict=True):
                place: Any = (row, *[slice(n) for n in x])
                out[place] = v
            parts.append(out)
        return tuple(parts)


def _padded_shapes(structure: Any, shapes: Any) -> list[Any]:
    """The shapes to pad to, flat; a shape may be a list, a vector, or have -1 for None.

    One that only the run decides stays a vector.
    """
    types = map_leaves(lambda s: s, structure)

    def walk(like: Any, s: Any) -> list[Any]:
        if isinstance(like, (TensorSpec, DatasetSpec)):
            return [_padded_shape(s)]
        if isinstance(like, Mapping):
            if not isinstance(s, Mapping) or sorted(s) != sorted(like):
                raise TypeError(f"padded_shapes {shapes!r:.200} do not have the structure {types}")
            return [x for k in sorted(like) for x in walk(like[k], s[k])]
        if not isinstance(s, (tuple, list)) or len(s) != len(like):
            raise ValueError(f"padded_shapes {shapes!r:.200} do not have the structure {types}")
        return [x for a, b in zip(like, s, strict=True) for x in walk(a, b)]

    return walk(structure, shapes)


def _padded_shape(s: Any) -> Any:
    if isinstance(s, Value) and s.node.op is constant_op:
        s = s.node.attrs["value"]
    if isinstance(s, (TensorShape, Value)):
        return s
    if any(isinstance(d, Value) for d in s):
        return stack_sizes([int64_tensor(-1 if d is None else d, "padded_shape") for d in s])
    return as_shape(
        [None if d is None or getattr(d, "value", d) in (None, -1) else int(d) for d in s]
    )


def _static(s: Any) -> TensorShape:
    """What is known of a shape before the run."""
    if isinstance(s, TensorShape):
        return s
    if not s.dtype.is_integer:
        raise TypeError(f"Padded shape {s} must be a vector of int64, not of {s.dtype.name}")
    known = as_shape(s.static_shape)
    if known.ndims is not None and known.ndims != 1:
        raise ValueError(f"Padded shape {s} must be a 1-D tensor of tf.int64 values, but its "
                         f"shape was {known}.")  # fmt: skip
    count = None if known.ndims is None else known.as_list()[0]
    return TensorShape(None if count is None else [None] * count)


def _check_padding(shape: TensorShape, padded: TensorShape) -> None:
    if shape.ndims is None:
        return
    if padded.ndims is None or len(padded) != len(shape):
        raise ValueError(
            f"The padded shape {padded} is not compatible with the corresponding input component "
            f"shape {shape}."
        )
    for a, b in zip(shape.as_list(), padded.as_list(), strict=True):
        if a is not None and b is not None and a > b:
            raise ValueError(
                f"The padded shape {padded} is not compatible with the corresponding input "
                f"component shape {shape}."
            )


def _padding(leaf: Leaf, dtype: DType) -> Value:
    t = convert_to_tensor(leaf.value, None if isinstance(leaf.value, Value) else dtype,
                          "padding_value")  # fmt: skip
    if t.dtype is not dtype:
        raise TypeError(f"Padding value tensor ({t}) does not match output type: {dtype!r}")
    return t


class WindowDataset(Dataset):
    _type = "WindowDataset"

    def __init__(self, source: Dataset, size: Any, shift: Any, stride: Any, drop: Any) -> None:
        named = (("size", size), ("shift", size if shift is None else shift), ("stride", stride))
        tensors = [int64_tensor(x, name) for name, x in named]
        tensors.append(convert_to_tensor(drop, "bool", "drop_remainder"))
        structure = map_leaves(lambda s: DatasetSpec(s), source._structure)
        super().__init__(structure, (source,), tensors)

    def _open(self, context: Context) -> Stream:
        size, shift, stride = (context.number(t) for t in self._tensors[:3])
        drop = bool(context.value(self._tensors[3]))
        for name, n in (("size", size), ("shift", shift), ("stride", stride)):
            if n < 1:
                raise InvalidArgumentError(None, None, f"Window {name} must be greater than zero.")
        elements = held(iter(self._inputs[0]._open(context)))
        return Stream(released(self._windows(elements, size, shift, stride, drop)))

    def _windows(
        self, elements: Iterator[Element], size: int, shift: int, stride: int, drop: bool
    ) -> Iterator[Element]:
        span = (size - 1) * stride + 1
        kept: list[Any] = []  # elements, and errors in their places
        skip = 0
        ended = False
        while True:
            while not ended and len(kept) < span:
                e = next(elements, None)
                if e is None:
                    ended = True
                elif skip:
                    skip -= 1
                else:
                    kept.append(e)
            if not kept or (drop and len(kept) < span):
                return
            made = kept[:span:stride]
            failed = [e for e in made if type(e) is Failed]
            yield failed[0] if failed else self._window(made)  # type: ignore[misc]
            skip = max(0, shift - len(kept))
            del kept[:shift]

    def _window(self, elements: Sequence[Element]) -> Element:
        """A dataset for each component."""
        out = []
        for i, s in enumerate(self._inputs[0]._specs):
            made = ListDataset(s, [(e[i],) for e in elements])
            out.append(BoundDataset(made, Context()))
        return tuple(out)
