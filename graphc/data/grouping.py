"""Elements gathered by a key, or by how long they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.function import BoundDataset, Context, Function
from graphc.data.streams import Element, Stream
from graphc.data.structure import TensorSpec, map_leaves
from graphc.errors import InvalidArgumentError
from graphc.face.shape import TensorShape, as_shape
from graphc.ir.build import current
from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.convert import convert_to_tensor

__all__ = ["Reducer", "bucket_by_sequence_length", "group_by_reducer", "group_by_window"]

Apply = Callable[[Dataset], Dataset]


class _GroupByWindow(Dataset):
    def __init__(
        self, source: Dataset, key: Callable[..., Any], reduce: Callable[..., Any],
        size: Callable[..., Any],
    ) -> None:  # fmt: skip
        from graphc.data.structure import DatasetSpec

        what = "tf.data.experimental.group_by_window()"
        k = Function(key, source._structure, what)
        one = TensorSpec([], int64)
        sizes = Function(lambda x: convert_to_tensor(size(x), int64), one, what)
        window = DatasetSpec(source._structure)
        r = Function(reduce, (one, window), what, datasets=True)
        if not isinstance(k.structure, TensorSpec) or k.structure.dtype is not int64:
            raise ValueError("`key_func` must return a single tf.int64 scalar tensor.")
        self._functions = (k, sizes, r)
        current().reserve("GroupByWindowDataset")
        super().__init__(r.structure.element, (source,))

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements(context))

    def _elements(self, context: Context) -> Iterator[Element]:
        from graphc.data.sources import ListDataset

        key = self._functions[0].scalar(context, "`key_func`")
        size = self._functions[1].scalar(context, "`window_size_func`")
        reduce = self._functions[2].bind(context)
        source = self._inputs[0]
        groups: dict[int, list[Element]] = {}
        sizes: dict[int, int] = {}

        def reduced(k: int, elements: list[Element]) -> Any:
            window = BoundDataset(ListDataset(source._structure, elements), context)
            return reduce((np.int64(k), window))[0].open()

        for e in source._open(context):
            k = int(key(e))
            group = groups.setdefault(k, [])
            group.append(e)
            if k not in sizes:
                sizes[k] = int(size((np.int64(k),)))
                if sizes[k] < 1:
                    raise InvalidArgumentError(
                        None, None, "Window size must be greater than zero, but got "
                        f"{sizes[k]}.",
                    )  # fmt: skip
            if len(group) >= sizes[k]:
                del groups[k]
                yield from reduced(k, group)
        for k in sorted(groups):  # what is left, as TF1's map has it
            yield from reduced(k, groups[k])


def group_by_window(
    key_func: Callable[..., Any], reduce_func: Callable[..., Any], window_size: Any = None,
    window_size_func: Callable[..., Any] | None = None,
) -> Apply:  # fmt: skip
    """Elements of equal key together: ``reduce_func(key, dataset of a window)``.

    Parameters
    ----------
    key_func : callable
        Gives an int64 scalar.
    window_size : int, or window_size_func : callable of the key
        How many elements a window has.
    """
    if (window_size is not None) == (window_size_func is not None):
        raise ValueError("Must pass either window_size or window_size_func.")
    size = window_size_func or (lambda key: window_size)
    return lambda d: _GroupByWindow(d, key_func, reduce_func, size)


def bucket_by_sequence_length(
    element_length_func: Callable[..., Any], bucket_boundaries: Sequence[int],
    bucket_batch_sizes: Sequence[int], padded_shapes: Any = None, padding_values: Any = None,
    pad_to_bucket_boundary: bool = False, no_padding: bool = False, drop_remainder: bool = False,
) -> Apply:  # fmt: skip
    """Padded batches of elements of similar length.

    Parameters
    ----------
    element_length_func : callable
        Gives an int32 scalar.
    bucket_boundaries : list of int
        Lengths at which a new bucket begins.
    bucket_batch_sizes : list of int
        One more than boundaries.
    pad_to_bucket_boundary : bool
        Pad to the longest length of the bucket, not to that of the longest in the batch;
        lengths of the last bucket, which has no end, are an error.
    """
    if len(bucket_batch_sizes) != len(bucket_boundaries) + 1:
        raise ValueError("len(bucket_batch_sizes) must equal len(bucket_boundaries) + 1")
    sizes = np.array(bucket_batch_sizes, np.int64)

    def bucket(*args: Any) -> Value:
        length = convert_to_tensor(element_length_func(*args))
        over = math.greater_equal(length, np.array(bucket_boundaries, length.dtype.np))
        from graphc.ops.reduce import reduce_sum

        made: Value = math.cast(reduce_sum(math.cast(over, int32)), int64)
        return made

    def window(key: Value) -> Value:
        from graphc.ops.arrays import gather

        return gather(convert_to_tensor(sizes), key)

    def ends(shape: TensorShape, key: Value) -> list[Any]:
        """A shape to pad to, whose unknown sizes are the longest length of the bucket."""
        from graphc.face.asserts import assert_less
        from graphc.face.current import control_dependencies
        from graphc.ops.arrays import gather

        inside = assert_less(
            key, np.int64(len(bucket_boundaries)),
            message="When pad_to_bucket_boundary=True, elements must have length < "
            "max(bucket_boundaries).",
        )  # fmt: skip
        with control_dependencies([inside]):
            end = gather(convert_to_tensor(np.array(bucket_boundaries, np.int64) - 1), key)
        return [end if n is None else n for n in shape.as_list()]

    def batch(key: Value, grouped: Dataset) -> Dataset:
        size = window(key)
        if no_padding:
            return grouped.batch(size, drop_remainder=drop_remainder)
        none = map_leaves(lambda s: s.shape, grouped._structure)
        given = padded_shapes if padded_shapes is not None else none
        if pad_to_bucket_boundary:
            given = map_leaves(lambda s, p: ends(as_shape(p), key), grouped._structure, given)
        return grouped.padded_batch(size, given, padding_values, drop_remainder=drop_remainder)

    return group_by_window(bucket, batch, window_size_func=window)


class Reducer:
    """How to reduce elements: `init_func(key)`, `reduce_func(state, element)`, `finalize_func`."""

    def __init__(
        self, init_func: Callable[..., Any], reduce_func: Callable[..., Any],
        finalize_func: Callable[..., Any],
    ) -> None:  # fmt: skip
        self.init_func = init_func
        self.reduce_func = reduce_func
        self.finalize_func = finalize_func


class _GroupByReducer(Dataset):
    def __init__(self, source: Dataset, key: Callable[..., Any], reducer: Reducer) -> None:
        what = "tf.data.experimental.group_by_reducer()"
        one = TensorSpec([], int64)
        k = Function(key, source._structure, what)
        init = Function(reducer.init_func, one, what)
        step = Function(reducer.reduce_func, (init.structure, source._structure), what)
        final = Function(reducer.finalize_func, init.structure, what)
        self._functions = (k, init, step, final)
        current().reserve("GroupByReducerDataset")
        super().__init__(final.structure, (source,))

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements(context))

    def _elements(self, context: Context) -> Iterator[Element]:
        key = self._functions[0].scalar(context, "`key_func`")
        init, step, final = (f.bind(context) for f in self._functions[1:])
        states: dict[int, tuple[Any, ...]] = {}
        for e in self._inputs[0]._open(context):
            k = int(key(e))
            state = states.get(k)
            if state is None:
                state = tuple(init((np.int64(k),)))
            states[k] = tuple(step((*state, *e)))
        for k in sorted(states):
            yield tuple(final(states[k]))


def group_by_reducer(key_func: Callable[..., Any], reducer: Reducer) -> Apply:
    """One element for each key: what `reducer` makes of the elements that have it."""
    return lambda d: _GroupByReducer(d, key_func, reducer)
