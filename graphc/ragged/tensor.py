"""`RaggedTensor`: rows of different lengths, as one tensor of values and where rows begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from graphc.face import composite
from graphc.face.asserts import assert_equal, assert_non_negative
from graphc.face.current import control_dependencies, name_scope
from graphc.face.fetches import register_session_run_conversion_functions
from graphc.face.shape import TensorShape
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import arrays, broadcasting, cumulative, fills, math, reduce, shapes, spaced, state
from graphc.ops.convert import constant as plain_constant
from graphc.ops.convert import convert_to_tensor, register_conversion
from graphc.ragged.values import RaggedTensorValue, cut_up

__all__ = ["RaggedTensor", "constant", "is_ragged", "placeholder", "ragged_of"]


def is_ragged(x: Any) -> bool:
    """Whether `x` is a `RaggedTensor`."""
    return isinstance(x, RaggedTensor)


def _values(x: Any, name: str = "values") -> Any:
    return x if is_ragged(x) else convert_to_tensor(x, name=name)


def _ints(x: Any, name: str, like: DType | None = None) -> Any:
    """`x` as int64 (int32 if it is so) tensor."""
    if isinstance(x, list | tuple | int | np.integer):
        return convert_to_tensor(np.array(x, np.int64 if like is None else like.np), name=name)
    t: Any = convert_to_tensor(x, name=name)
    if t.dtype not in (dtypes.int32, dtypes.int64):
        raise ValueError(f"{name} must have dtype int32 or int64")
    return t if like is None or t.dtype is like else math.cast(t, like)


def splits_of(lengths: Any) -> Any:
    """Where rows of these lengths begin, and the end of the last."""
    return arrays.concat([fills.zeros([1], lengths.dtype), cumulative.cumsum(lengths)], 0)


def count(x: Any, dtype: DType) -> Any:
    """How many rows `x` has."""
    return x.nrows(dtype) if is_ragged(x) else math.cast(shapes.shape(x)[0], dtype)


def rows_of(splits: Any, many: Any) -> Any:
    """For each of `many` values its row: how many rows ended at or before it."""
    inner = splits[1:-1]
    ends = arrays.unsorted_segment_sum(fills.ones_like(inner), inner, many + 1)
    return cumulative.cumsum(ends[:-1])


def ranges(starts: Any, lengths: Any) -> tuple[Any, Any]:
    """The numbers from each start on, one range after the other, and the splits of that."""
    splits = splits_of(lengths)
    total = splits[-1]
    every = spaced.range(total, dtype=splits.dtype)
    row = rows_of(splits, total)
    shift = arrays.gather(starts - splits[:-1], row)
    return every + shift, splits


def ragged_of(values: Any, splits: Any) -> RaggedTensor:
    """A ragged tensor of tensors, without naming or checking anything."""
    out = RaggedTensor.__new__(RaggedTensor)
    out._values, out._row_splits = values, splits
    return out


class RaggedTensor:
    """A tensor some of whose axes have rows of different lengths.

    Made by `constant` and the ``from_`` methods; operations on elements, sums over axes, slices,
    `tf.concat`, `tf.gather` and others take it where TensorFlow's do.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     r = tf.ragged.constant([[1, 2], [], [3]])
    ...     print(sess.run(r * 2).to_list(), sess.run(tf.reduce_sum(r, axis=1)))
    [[2, 4], [], [6]] [3 0 3]
    """

    _values: Any
    _row_splits: Any
    __array_priority__ = 100

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ValueError(
            "RaggedTensor constructor is private; please use one of the factory methods instead "
            "(e.g., RaggedTensor.from_row_lengths())"
        )

    def _flow_parts(self) -> tuple[list[Any], Callable[[Sequence[Any]], RaggedTensor]]:
        """What a loop or a cond passes on, and what makes a ragged tensor of it again."""
        if not is_ragged(self._values):
            return [self._values, self._row_splits], lambda p: ragged_of(*p)
        parts, pack = self._values._flow_parts()
        return [*parts, self._row_splits], lambda p: ragged_of(pack(p[:-1]), p[-1])

    # ---------------------------------------------------------------- factories

    @classmethod
    def _checked(
        cls, name: str, values: Any, splits: Any, checks: Callable[[str], list[Any]], validate: bool
    ) -> RaggedTensor:
        if validate:
            text = f"Arguments to {name} do not form a valid RaggedTensor"
            with control_dependencies(checks(text)):
                splits = state.identity(splits)
        return ragged_of(values, splits)

    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row i is ``values[row_splits[i]:row_splits[i + 1]]``."""
        if isinstance(row_splits, list | tuple) and not row_splits:
            raise ValueError("row_splits tensor may not be empty.")
        with name_scope(name, "RaggedFromRowSplits", [values, row_splits]):
            v, s = _values(values), _ints(row_splits, "row_splits")
            if s.rank not in (None, 1):
                raise ValueError(f"Shape must be rank 1 but is rank {s.rank}")
            if is_ragged(v) and v.row_splits.dtype is not s.dtype:
                s = math.cast(s, v.row_splits.dtype)

            def checks(text: str) -> list[Any]:
                zero = fills.zeros_like(s[0])
                return [
                    assert_equal(s[0], zero, message=text),
                    assert_non_negative(s[1:] - s[:-1], message=text),
                    assert_equal(s[-1], count(v, s.dtype), message=text),
                ]

            return cls._checked("from_row_splits", v, s, checks, validate)

    @classmethod
    def from_row_lengths(
        cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Rows of these lengths, one after the other."""
        with name_scope(name, "RaggedFromRowLengths", [values, row_lengths]):
            v, n = _values(values), _ints(row_lengths, "row_lengths")

            def checks(text: str) -> list[Any]:
                return [
                    assert_non_negative(n, message=text),
                    assert_equal(reduce.reduce_sum(n), count(v, n.dtype), message=text),
                ]

            return cls._checked("from_row_lengths", v, splits_of(n), checks, validate)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None,
        validate: bool = True,
    ) -> RaggedTensor:  # fmt: skip
        """Value i is in row ``value_rowids[i]``; the rows are in order."""
        with name_scope(name, "RaggedFromValueRowIds", [values, value_rowids, nrows]):
            v, ids = _values(values), _ints(value_rowids, "value_rowids")
            if nrows is None:
                known = _number(ids)
                if known is not None:
                    many: Any = int(known[-1]) + 1 if known.size else 0
                else:
                    last = arrays.concat([ids[-1:], fills.zeros([1], ids.dtype) - 1], 0)
                    many = reduce.reduce_max(last) + 1
            elif isinstance(nrows, int):
                if nrows < 0:
                    raise ValueError(f"Expected nrows >= 0; got {nrows}")
                many = nrows
            else:
                many = _ints(nrows, "nrows", ids.dtype)
            lengths = arrays.unsorted_segment_sum(fills.ones_like(ids), ids, many)

            def checks(text: str) -> list[Any]:
                return [
                    assert_non_negative(ids, message=text),
                    assert_non_negative(ids[1:] - ids[:-1], message=text),
                    assert_equal(math.cast(shapes.size(ids), ids.dtype), count(v, ids.dtype),
                                 message=text),
                ]  # fmt: skip

            return cls._checked("from_value_rowids", v, splits_of(lengths), checks, validate)

    @classmethod
    def from_row_starts(
        cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row i begins at ``row_starts[i]``, and the last goes to the end."""
        with name_scope(name, "RaggedFromRowStarts", [values, row_starts]):
            v, s = _values(values), _ints(row_starts, "row_starts")
            splits = arrays.concat([s, shapes.reshape(count(v, s.dtype), [1])], 0)
            return cls.from_row_splits(v, splits, validate=validate)

    @classmethod
    def from_row_limits(
        cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row i ends before ``row_limits[i]``, where the next begins."""
        with name_scope(name, "RaggedFromRowLimits", [values, row_limits]):
            s = _ints(row_limits, "row_limits")
            splits = arrays.concat([fills.zeros([1], s.dtype), s], 0)
            return cls.from_row_splits(_values(values), splits, validate=validate)

    @classmethod
    def from_nested_row_splits(
        cls, flat_values: Any, nested_row_splits: Sequence[Any], name: str | None = None,
        validate: bool = True,
    ) -> RaggedTensor:  # fmt: skip
        """`from_row_splits` for each level, outer ones first."""
        with name_scope(name, "RaggedFromNestedRowSplits"):
            made: RaggedTensor = _nested(
                cls.from_row_splits, flat_values, nested_row_splits, validate
            )
            return made

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values: Any, nested_row_lengths: Sequence[Any], name: str | None = None,
        validate: bool = True,
    ) -> RaggedTensor:  # fmt: skip
        """`from_row_lengths` for each level, outer ones first."""
        with name_scope(name, "RaggedFromNestedRowlengths"):
            made: RaggedTensor = _nested(
                cls.from_row_lengths, flat_values, nested_row_lengths, validate
            )
            return made

    @classmethod
    def from_nested_value_rowids(
        cls, flat_values: Any, nested_value_rowids: Sequence[Any], nested_nrows: Any = None,
        name: str | None = None, validate: bool = True,
    ) -> RaggedTensor:  # fmt: skip
        """`from_value_rowids` for each level, outer ones first."""
        many = nested_nrows or [None] * len(nested_value_rowids)
        if len(many) != len(nested_value_rowids):
            raise ValueError("nested_nrows must have the same length as nested_value_rowids")
        out = flat_values
        with name_scope(name, "RaggedFromNestedValueRowIds"):
            for ids, n in zip(reversed(nested_value_rowids), reversed(many), strict=True):
                out = cls.from_value_rowids(out, ids, n, validate=validate)
        return out  # type: ignore[no-any-return]

    @classmethod
    def from_tensor(
        cls, tensor: Any, lengths: Any = None, padding: Any = None, ragged_rank: int = 1,
        name: str | None = None, row_splits_dtype: Any = dtypes.int64,
    ) -> RaggedTensor:  # fmt: skip
        """The rows of a tensor; with `lengths` that much of each, with `padding` without it.

        Parameters
        ----------
        ragged_rank : int
            How many axes after the first are made of rows.
        """
        if lengths is not None and padding is not None:
            raise ValueError("Specify lengths or padding, but not both")
        if not isinstance(ragged_rank, int):
            raise TypeError(f"ragged_rank expected int, got {ragged_rank!r}")
        if ragged_rank <= 0:
            raise ValueError(f"ragged_rank must be greater than 0; got {ragged_rank}")
        kind = dtypes.as_dtype(row_splits_dtype)
        with name_scope(name, "RaggedFromTensor", [tensor, lengths, padding]):
            t: Any = convert_to_tensor(tensor, name="tensor")
            if t.rank is None or t.rank <= ragged_rank:
                raise ValueError(f"Shape must be at least rank {ragged_rank + 1} but is rank "
                                 f"{t.rank}")  # fmt: skip
            if isinstance(lengths, list | tuple) and lengths and not isinstance(lengths[0], int):
                levels: RaggedTensor = _lengths_of_levels(cls, t, lengths)
                return levels
            if ragged_rank == 1 and padding is None and isinstance(lengths, Value):
                with current().counts_as(48):
                    return _cut_rows(t, lengths, kind)
            sizes = shapes.shape(t, out_type=kind)
            if ragged_rank > 1:
                flat = shapes.reshape(t, arrays.concat([[-1], shapes.shape(t)[2:]], 0))
                inner = cls.from_tensor(flat, lengths, padding, ragged_rank - 1,
                                        row_splits_dtype=kind)  # fmt: skip
                every = spaced.range(sizes[0] + 1, dtype=kind) * sizes[1]
                return ragged_of(inner, every)
            columns = spaced.range(sizes[1], dtype=kind)
            if padding is not None:
                pad = convert_to_tensor(padding, dtype=t.dtype, name="padding")
                other = math.not_equal(t, pad)
                if t.rank > 2:
                    other = reduce.reduce_any(other, axis=list(range(2, t.rank)))
                reach = math.cast(other, kind) * (columns + 1)
                none = fills.zeros(arrays.concat([sizes[:1], [1]], 0), kind)
                lengths = reduce.reduce_max(arrays.concat([reach, none], 1), axis=1)
            if lengths is None:
                flat = shapes.reshape(t, arrays.concat([[-1], shapes.shape(t)[2:]], 0))
                return ragged_of(flat, spaced.range(sizes[0] + 1, dtype=kind) * sizes[1])
            return _cut_rows(t, lengths, kind)

    @classmethod
    def from_sparse(
        cls, st_input: Any, name: str | None = None, row_splits_dtype: Any = dtypes.int64
    ) -> RaggedTensor:
        """The values of each row of a sparse matrix, whose rows have no holes."""
        rank = st_input.get_shape().ndims
        if rank is None:
            raise ValueError("rank(st_input) must be 2, and known before the run")
        if rank != 2:
            raise ValueError(f"rank(st_input) must be 2: {rank}")
        kind = dtypes.as_dtype(row_splits_dtype)
        with name_scope(name, "RaggedFromSparse"):
            ids = math.cast(st_input.indices[:, 0], kind)
            made = cls.from_value_rowids(
                st_input.values, ids, math.cast(st_input.dense_shape[0], kind), validate=False
            )
            place = spaced.range(math.cast(shapes.size(ids), kind), dtype=kind)
            expected = place - arrays.gather(made.row_starts(), ids)
            whole = assert_equal(
                math.cast(st_input.indices[:, 1], kind),
                expected,
                message="SparseTensor is not right-ragged",
            )
            with control_dependencies([whole]):
                return ragged_of(state.identity(made.values), made.row_splits)

    # ---------------------------------------------------------------- parts

    @property
    def values(self) -> Any:
        return self._values

    @property
    def flat_values(self) -> Any:
        return self._values.flat_values if is_ragged(self._values) else self._values

    @property
    def row_splits(self) -> Any:
        return self._row_splits

    @property
    def nested_row_splits(self) -> tuple[Any, ...]:
        inner = self._values.nested_row_splits if is_ragged(self._values) else ()
        return (self._row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        return len(self.nested_row_splits)

    @property
    def dtype(self) -> DType:
        return self.flat_values.dtype  # type: ignore[no-any-return]

    @property
    def shape(self) -> TensorShape:
        n = self._row_splits.get_shape()[0].value
        inner = self._values.get_shape()
        if inner.ndims is None:
            return TensorShape(None)
        return TensorShape([None if n is None else n - 1, None, *inner.as_list()[1:]])

    def get_shape(self) -> TensorShape:
        """The shape as far as it is known; None for axes with rows of different lengths."""
        return self.shape

    @property
    def op(self) -> Any:
        return self.flat_values.op

    @property
    def name(self) -> Any:
        return self.flat_values.name

    @property
    def graph(self) -> Any:
        return self.flat_values.graph

    def consumers(self) -> list[Any]:
        """Operations that read its parts."""
        parts = (self.flat_values, *self.nested_row_splits)
        return [op for v in parts for op in v.consumers()]

    def value_rowids(self, name: str | None = None) -> Any:
        """The row of each value."""
        with name_scope(name, "RaggedValueRowIds"):
            return rows_of(self._row_splits, count(self._values, self._row_splits.dtype))

    def nested_value_rowids(self, name: str | None = None) -> tuple[Any, ...]:
        """`value_rowids` of each level."""
        inner = self._values.nested_value_rowids() if is_ragged(self._values) else ()
        return (self.value_rowids(name), *inner)

    def nrows(self, out_type: Any = None, name: str | None = None) -> Any:
        """The number of rows."""
        kind = self._row_splits.dtype if out_type is None else dtypes.as_dtype(out_type)
        with name_scope(name, "RaggedNRows"):
            return shapes.shape(self._row_splits, out_type=kind)[0] - 1

    def row_starts(self, name: str | None = None) -> Any:
        """Where each row begins."""
        with name_scope(name, "RaggedRowStarts"):
            return self._row_splits[:-1]

    def row_limits(self, name: str | None = None) -> Any:
        """Where each row ends."""
        with name_scope(name, "RaggedRowLimits"):
            return self._row_splits[1:]

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        """The lengths of the rows of an axis."""
        if axis == 0:
            return self.nrows()
        if axis > 1:
            if is_ragged(self._values):
                return self.with_values(self._values.row_lengths(axis - 1))
            sizes = shapes.shape(self._values, out_type=self._row_splits.dtype)
            n = fills.fill(sizes[: axis - 1], sizes[axis - 1])
            return self.with_values(n)
        with name_scope(name, "RaggedRowLengths"):
            return self._row_splits[1:] - self._row_splits[:-1]

    def nested_row_lengths(self, name: str | None = None) -> tuple[Any, ...]:
        """`row_lengths` of each level."""
        inner = self._values.nested_row_lengths() if is_ragged(self._values) else ()
        return (self.row_lengths(), *inner)

    def bounding_shape(
        self, axis: Any = None, name: str | None = None, out_type: Any = None
    ) -> Any:
        """The shape of the smallest tensor that holds all rows."""
        kind = self._row_splits.dtype if out_type is None else dtypes.as_dtype(out_type)
        with name_scope(name, "RaggedBoundingBox"):
            longest = [self.nrows()]
            for lengths in self.nested_row_lengths():
                none = fills.zeros([1], lengths.dtype)
                longest.append(reduce.reduce_max(arrays.concat([lengths, none], 0)))
            head = arrays.stack([math.cast(n, kind) for n in longest])
            whole = arrays.concat([head, shapes.shape(self.flat_values, out_type=kind)[1:]], 0)
            return whole if axis is None else arrays.gather(whole, axis)

    # ---------------------------------------------------------------- others like it

    def with_values(self, new_values: Any) -> RaggedTensor:
        """The same rows of other values."""
        v = _values(new_values)
        mine, given = self._values.get_shape()[:1], v.get_shape()[:1]
        if not mine.is_compatible_with(given):
            raise ValueError(f"Shapes {mine} and {given} are not compatible")
        if is_ragged(v) and v.row_splits.dtype is not self._row_splits.dtype:
            v = v.with_row_splits_dtype(self._row_splits.dtype)
        return ragged_of(v, self._row_splits)

    def with_flat_values(self, new_values: Any) -> RaggedTensor:
        """The same rows, at all levels, of other values."""
        inner = self._values
        return self.with_values(
            inner.with_flat_values(new_values) if is_ragged(inner) else new_values
        )

    def with_row_splits_dtype(self, dtype: Any) -> RaggedTensor:
        """The same with splits of another integer type."""
        kind = dtypes.as_dtype(dtype)
        if kind not in (dtypes.int32, dtypes.int64):
            raise ValueError("dtype must be int32 or int64")
        if self._row_splits.dtype is kind:
            return self
        inner = self._values
        return ragged_of(
            inner.with_row_splits_dtype(kind) if is_ragged(inner) else inner,
            math.cast(self._row_splits, kind),
        )

    def to_tensor(self, default_value: Any = None, name: str | None = None) -> Any:
        """A tensor with the rows, each filled up with `default_value` (0 by default)."""
        with name_scope(name, "RaggedToTensor"):
            v = self._values.to_tensor(default_value) if is_ragged(self._values) else self._values
            if default_value is None:
                pad = fills.zeros(shapes.shape(v)[1:], v.dtype)
            else:
                pad = convert_to_tensor(default_value, dtype=v.dtype, name="default_value")
                pad = broadcasting.broadcast_to(pad, shapes.shape(v)[1:])
            rows = arrays.concat([v, shapes.expand_dims(pad, 0)], 0)
            lengths, kind = self.row_lengths(), self._row_splits.dtype
            ends = _number(self._row_splits)
            most: Any = reduce.reduce_max(arrays.concat([lengths, fills.zeros([1], kind)], 0))
            if ends is not None:
                most = int(np.diff(ends).max(initial=0))
            column = shapes.expand_dims(spaced.range(most, dtype=kind), 0)
            at = shapes.expand_dims(self.row_starts(), 1) + column
            inside = math.less(column, shapes.expand_dims(lengths, 1))
            nothing = fills.zeros_like(at) + count(v, kind)
            return arrays.gather(rows, math.where(inside, at, nothing))

    def to_sparse(self, name: str | None = None) -> Any:
        """The values as a `SparseTensor`, each at its row and its place there."""
        from graphc.sparse.tensor import SparseTensor

        with name_scope(name, "RaggedToSparse"):
            x = self
            rank = self.flat_values.rank
            if rank is None:
                raise ValueError("the rank of the values must be known")
            if rank > 1:
                x = _deepest(self, RaggedTensor.from_tensor(
                    self.flat_values, ragged_rank=rank - 1, row_splits_dtype=self.row_splits.dtype
                ))  # fmt: skip
            at = arrays.stack(coordinates(x), 1)
            return SparseTensor(math.cast(at, dtypes.int64), x.flat_values,
                                x.bounding_shape(out_type=dtypes.int64))  # fmt: skip

    def to_list(self) -> NoReturn:
        """Only the value that a run returns has it."""
        raise ValueError(
            "RaggedTensor.to_list() is only supported in eager mode; in graph mode, evaluate the "
            "RaggedTensor first and then use RaggedTensorValue.to_list()."
        )

    def __str__(self) -> str:
        return f"tf.RaggedTensor(values={self._values}, row_splits={self._row_splits})"

    __repr__ = __str__

    def __bool__(self) -> NoReturn:
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __getitem__(self, key: Any) -> Any:
        from graphc.ragged.slicing import getitem

        return getitem(self, key)

    __iter__ = None

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Its value in a run of the default session."""
        from graphc.face.default_session import get_default_session

        run = session or get_default_session()
        if run is None:
            raise ValueError(
                "Cannot evaluate tensor using `eval()`: No default session is registered."
            )
        return run.run(self, feed_dict)

    def _graphc_apply(self, record: Any, values: Sequence[Any], attrs: Any, name: Any) -> Any:
        """An op whose operand this is: what `graphc.ops.record.apply` does with it."""
        from graphc.ragged.elementwise import applied

        return applied(record, values, attrs, name)


def _number(t: Any) -> Any:
    """The value of a constant, or None."""
    return t.node.attrs["value"] if t.node.op.name == "constant" else None


def _nested(make: Callable[..., Any], flat: Any, levels: Sequence[Any], validate: bool) -> Any:
    if not isinstance(levels, list | tuple):
        raise TypeError(f"nested row partitions must be a list of Tensors: {levels}")
    out = flat
    for level in reversed(levels):
        out = make(out, level, validate=validate)
    return out


def _cut_rows(t: Value, lengths: Any, kind: DType) -> RaggedTensor:
    """As much of each row as `lengths` says."""
    size = shapes.shape(t, out_type=kind)[1]
    n = math.minimum(_ints(lengths, "lengths", kind), size)
    n = math.maximum(n, fills.zeros_like(n))
    columns = spaced.range(size, dtype=kind)
    mask = math.less(shapes.expand_dims(columns, 0), shapes.expand_dims(n, 1))
    return ragged_of(arrays.boolean_mask(t, mask), splits_of(n))


def _lengths_of_levels(cls: Any, t: Any, levels: Sequence[Any]) -> Any:
    """A tensor whose axes each have lengths: those of outer rows come first."""
    made = cls.from_tensor(t, lengths=levels[0])
    if len(levels) == 1:
        return made
    return made.with_values(cls.from_tensor(made.values, lengths=list(levels[1:])))


def _deepest(x: Any, values: Any) -> Any:
    """`x` with its flat values replaced, by a ragged tensor if need be."""
    inner = x.values
    return ragged_of(_deepest(inner, values) if is_ragged(inner) else values, x.row_splits)


def coordinates(x: RaggedTensor) -> list[Any]:
    """The place of each flat value along each ragged axis, the first one included."""
    kind = x.row_splits.dtype
    outer = [spaced.range(x.nrows(), dtype=kind)]
    level: Any = x
    while is_ragged(level):
        rows = level.value_rowids()
        every = spaced.range(count(level.values, kind), dtype=kind)
        outer = [arrays.gather(c, rows) for c in outer]
        outer.append(every - arrays.gather(level.row_starts(), rows))
        level = level.values
    return outer


def constant(
    pylist: Any, dtype: Any = None, ragged_rank: int | None = None, inner_shape: Any = None,
    name: str | None = None, row_splits_dtype: Any = dtypes.int64,
) -> Any:  # fmt: skip
    """Nested lists as a ragged tensor (a tensor, where there is one list only).

    Parameters
    ----------
    pylist : nested list
    ragged_rank : int, optional
        How many levels of lists may have different lengths; all but the last by default.
    inner_shape : tuple of int, optional
        The shape of what is below them.
    """
    with name_scope(name, "RaggedConstant"):
        flat, splits = cut_up(pylist, dtype, ragged_rank, inner_shape, row_splits_dtype)
        out: Any = plain_constant(flat, dtype, name="values")
        for s in reversed(splits):
            out = ragged_of(out, plain_constant(s, name="row_splits"))
        return out


def placeholder(
    dtype: Any, ragged_rank: int, value_shape: Any = None, name: str | None = None
) -> Any:
    """A ragged tensor whose value (a `RaggedTensorValue`) each run must feed."""
    if ragged_rank == 0:
        return state.placeholder(dtype, value_shape, name)
    with name_scope(name, "RaggedPlaceholder"):
        inner = None if value_shape is None else [None, *TensorShape(value_shape).as_list()]
        out: Any = state.placeholder(dtype, inner, name="flat_values")
        for i in reversed(range(ragged_rank)):
            splits = state.placeholder(dtypes.int64, [None], name=f"row_splits_{i}")
            out = ragged_of(out, splits)
        return out


# ------------------------------------------------------------------------- in a session


def _fetched(x: RaggedTensor) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    def pack(parts: list[Any]) -> Any:
        out = parts[0]
        for s in reversed(parts[1:]):
            out = RaggedTensorValue(out, s)
        return out

    return [x.flat_values, *x.nested_row_splits], pack


def _feed_keys(x: RaggedTensor) -> list[Any]:
    return [x.flat_values, *x.nested_row_splits]


def _fed(x: RaggedTensor, value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, RaggedTensorValue):
        raise TypeError(f"a RaggedTensor is fed with a tf.ragged.RaggedTensorValue, not {value!r}")
    given = [value.flat_values, *value.nested_row_splits]
    if len(given) != 1 + x.ragged_rank:
        raise ValueError(f"ragged rank {value.ragged_rank} is fed where {x.ragged_rank} is wanted")
    return list(zip(_feed_keys(x), given, strict=True))


register_session_run_conversion_functions(RaggedTensor, _fetched, _fed, _feed_keys)


def _refuse(x: RaggedTensor, dtype: Any, name: Any) -> NoReturn:
    raise TypeError(
        f"Failed to convert object of type {type(x)} to Tensor. Contents: {x}. "
        "Consider its method to_tensor()."
    )


register_conversion(RaggedTensor, _refuse, packs=False)
composite.TYPES.append(RaggedTensor)

# Python's operators, which need the class to be there
from graphc.ragged import elementwise as _operators  # noqa: E402,F401
