"""``tf.data.experimental``, ``tf.contrib.data``: functions for ``Dataset.apply``, and more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from graphc.data.arguments import components, seed_tensors
from graphc.data.cardinality import INFINITE as INFINITE_CARDINALITY
from graphc.data.cardinality import UNKNOWN as UNKNOWN_CARDINALITY
from graphc.data.cardinality import cardinality
from graphc.data.dataset import Dataset
from graphc.data.files import CsvDataset, TFRecordDataset
from graphc.data.function import Context, Function
from graphc.data.grouping import (
    Reducer,
    bucket_by_sequence_length,
    group_by_reducer,
    group_by_window,
)  # fmt: skip
from graphc.data.streams import Element, Steps, Stream
from graphc.data.structure import TensorSpec, flatten, map_leaves, same_structure
from graphc.data.tables import make_csv_dataset
from graphc.errors import InvalidArgumentError, NotFoundError, OpError
from graphc.ir.build import current
from graphc.ir.dtypes import float32, float64, int32, int64, string
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made as count_made

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Counter", "CsvDataset",
    "RandomDataset", "Reducer", "assert_element_shape", "batch_and_drop_remainder",
    "bucket_by_sequence_length", "bytes_produced_stats", "cardinality", "choose_from_datasets",
    "copy_to_device", "enumerate_dataset", "get_single_element", "get_structure",
    "group_by_reducer", "group_by_window", "ignore_errors", "latency_stats",
    "make_batched_features_dataset", "make_csv_dataset", "map_and_batch",
    "map_and_batch_with_legacy_function", "padded_batch_and_drop_remainder",
    "parallel_interleave", "parse_example_dataset", "prefetch_to_device", "sample_from_datasets",
    "scan", "shuffle_and_repeat", "sliding_window_batch", "sloppy_interleave", "take_while",
    "unbatch", "unique",
]  # fmt: skip

Apply = Callable[[Dataset], Dataset]

AUTOTUNE = -1


# ------------------------------------------------------------------------- others by another name


def batch_and_drop_remainder(batch_size: Any) -> Apply:
    """Batches, without a last one that is not full."""
    return lambda d: d.batch(batch_size, drop_remainder=True)


def padded_batch_and_drop_remainder(
    batch_size: Any, padded_shapes: Any, padding_values: Any = None
) -> Apply:
    """Padded batches, without a last one that is not full."""
    return lambda d: d.padded_batch(batch_size, padded_shapes, padding_values, True)


def enumerate_dataset(start: Any = 0) -> Apply:
    """Pairs (number from `start` on, element)."""
    return lambda d: d.enumerate(start)


def map_and_batch(
    map_func: Callable[..., Any], batch_size: Any, num_parallel_batches: Any = None,
    drop_remainder: Any = False, num_parallel_calls: Any = None,
) -> Apply:  # fmt: skip
    """``map`` and then ``batch``.

    Raises
    ------
    ValueError
        When both numbers of parallel calls are given.
    """
    if num_parallel_batches is not None and num_parallel_calls is not None:
        raise ValueError("`map_and_batch` allows only one of `num_parallel_batches` and "
                         "`num_parallel_calls` to be set, but both were set.")  # fmt: skip
    return lambda d: d.map(map_func, num_parallel_calls).batch(batch_size, drop_remainder)


map_and_batch_with_legacy_function = map_and_batch


def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Apply:
    """``shuffle`` and then ``repeat``."""

    def apply(d: Dataset) -> Dataset:
        made: Any = d.shuffle(buffer_size, seed).repeat(count)
        count_made(-1)  # one dataset in TF1
        made._fused = True  # the user's own doing, whatever TensorFlow rewrites
        return made  # type: ignore[no-any-return]

    return apply


def unbatch() -> Apply:
    """The rows of each element as elements."""
    return lambda d: d.unbatch()


def parallel_interleave(
    map_func: Callable[..., Any], cycle_length: Any, block_length: Any = 1, sloppy: Any = False,
    buffer_output_elements: Any = None, prefetch_input_elements: Any = None,
) -> Apply:  # fmt: skip
    """``interleave``; the arguments for threads are accepted."""

    def apply(d: Dataset) -> Dataset:
        count_made(3)  # the arguments for threads are tensors in TF1
        return d.interleave(map_func, cycle_length, block_length)

    return apply


def sloppy_interleave(
    map_func: Callable[..., Any], cycle_length: Any, block_length: Any = 1
) -> Apply:
    """``interleave``, in its order."""
    return parallel_interleave(map_func, cycle_length, block_length, True)


def sliding_window_batch(
    window_size: Any, stride: Any = None, window_shift: Any = None, window_stride: Any = 1
) -> Apply:
    """Batches that overlap: each begins `window_shift` elements behind the one before."""
    shift = window_shift or stride or 1

    def apply(d: Dataset) -> Dataset:
        windows = d.window(window_size, shift, window_stride, True)
        return windows.flat_map(
            lambda *parts: (
                parts[0] if len(parts) == 1 else Dataset.zip(tuple(parts))
            ).batch(window_size)
        )  # fmt: skip

    return apply


def _same(d: Dataset) -> Dataset:
    return d


def prefetch_to_device(device: Any, buffer_size: Any = None) -> Apply:
    """The same elements: there is one device."""
    return _same


def copy_to_device(target_device: Any, source_device: Any = "/cpu:0") -> Apply:
    """The same elements: there is one device."""
    return _same


def latency_stats(tag: Any) -> Apply:
    """The same elements: graphc records no statistics."""
    return _same


def bytes_produced_stats(tag: Any) -> Apply:
    """The same elements: graphc records no statistics."""
    return _same


def parse_example_dataset(features: Any, num_parallel_calls: Any = 1) -> Apply:
    """Batches of serialised Examples, parsed."""
    import graphc

    return lambda d: d.map(lambda x: graphc.parse_example(x, features), num_parallel_calls)


def make_batched_features_dataset(
    file_pattern: Any, batch_size: Any, features: Any, reader: Any = TFRecordDataset,
    label_key: Any = None, reader_args: Any = None, num_epochs: Any = None, shuffle: bool = True,
    shuffle_buffer_size: Any = 10000, shuffle_seed: Any = None, prefetch_buffer_size: Any = None,
    reader_num_threads: Any = None, parser_num_threads: Any = None, sloppy_ordering: bool = False,
    drop_final_batch: bool = False,
) -> Dataset:  # fmt: skip
    """Batches of the Examples in files, parsed.

    Parameters
    ----------
    label_key : str, optional
        The feature that is the label: elements are then pairs (features, label).
    num_epochs : int, optional
        For ever if not given.
    """
    d = Dataset.list_files(file_pattern, shuffle, shuffle_seed)
    d = d.flat_map(lambda f: reader(f, *(reader_args or ())))
    if shuffle:
        d = d.shuffle(shuffle_buffer_size, shuffle_seed)
    d = d.repeat(num_epochs).batch(batch_size, drop_final_batch or num_epochs is None)
    d = d.apply(parse_example_dataset(features))
    if label_key:
        if label_key not in features:
            raise ValueError(f"The `label_key` provided ({label_key!r}) must be one of the "
                             f"`features` keys: {list(features)}.")  # fmt: skip
        d = d.map(lambda x: ({k: v for k, v in x.items() if k != label_key}, x[label_key]))
    return d


# ------------------------------------------------------------------------- sources


class _Counter(Dataset):
    _type: ClassVar[str] = "RangeDataset"

    def __init__(self, start: Any, step: Any, dtype: Any) -> None:
        numbers = [convert_to_tensor(x, dtype, n) for n, x in (("start", start), ("step", step))]
        super().__init__(TensorSpec([], numbers[0].dtype), (), numbers)

    def _open(self, context: Context) -> Stream:
        start, step = (context.number(t) for t in self._tensors)
        kind = self._specs[0].dtype.np.type
        return Stream(zip(map(kind, itertools.count(start, step))))


def Counter(start: Any = 0, step: Any = 1, dtype: Any = int64) -> Dataset:
    """The numbers from `start` on, for ever."""
    return _Counter(start, step, dtype)


class RandomDataset(Dataset):
    """Random int64 numbers below 2**32, for ever.

    Parameters
    ----------
    seed : int, optional
    """

    _type = "RandomDataset"

    def __init__(self, seed: Any = None) -> None:
        super().__init__(TensorSpec([], int64), (), seed_tensors(seed))

    def _open(self, context: Context) -> Stream:
        return Stream(zip(map(np.int64, random_numbers(self, context, self._tensors))))


def random_numbers(key: Any, context: Context, seeds: Sequence[Value]) -> Iterator[int]:
    """The 32-bit numbers of a dataset with two seeds."""
    from graphc.data.shuffle import Draws
    from graphc.ops import philox

    pair = context.number(seeds[0]), context.number(seeds[1])
    draws = Draws(*(philox.fresh_seeds() if pair == (0, 0) else pair))
    while True:
        yield draws()


# ------------------------------------------------------------------------- functions


class _Scan(Dataset):
    """``state, output = f(state, element)``."""

    def __init__(self, source: Dataset, initial: Any, f: Callable[..., Any], what: str) -> None:
        state, flat = components(initial, "initial_state")
        fn = Function(f, (state, source._structure), what)
        if not isinstance(fn.structure, tuple) or len(fn.structure) != 2:
            raise TypeError("The scan function must return a pair comprising the new state and the "
                            "output value.")  # fmt: skip
        new_state, output = fn.structure
        if not same_structure(new_state, state) or any(
            a.dtype is not b.dtype for a, b in zip(flatten(new_state), flatten(state), strict=True)
        ):
            types = [map_leaves(lambda s: s.dtype, s) for s in (state, new_state)]
            raise TypeError(f"The element types for the new state must match the initial state. "
                            f"Expected {types[0]}; got {types[1]}.")  # fmt: skip
        self._functions = (fn,)
        self._states = len(flat)
        current().reserve("ScanDataset")
        super().__init__(output, (source,), flat)

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements(context))

    def _elements(self, context: Context) -> Iterator[Element]:
        call = self._functions[0].bind(context)
        n = self._states
        state = tuple([context.value(t) for t in self._tensors])
        elements = iter(self._inputs[0]._open(context))

        def step() -> Element:
            nonlocal state
            made = call((*state, *next(elements)))
            state = tuple(made[:n])
            return tuple(made[n:])

        return Steps(step)


def scan(initial_state: Any, scan_func: Callable[..., Any]) -> Apply:
    """Outputs of ``state, output = scan_func(state, element)``, from the first state on."""
    return lambda d: _Scan(d, initial_state, scan_func, "tf.data.experimental.scan()")


class _TakeWhile(Dataset):
    def __init__(self, source: Dataset, predicate: Callable[..., Any]) -> None:
        f = Function(predicate, source._structure, "tf.data.experimental.take_while()")
        s = f.structure
        if not isinstance(s, TensorSpec) or s.dtype != "bool" or s.shape.ndims not in (0, None):
            raise ValueError("`predicate` must return a scalar boolean tensor.")
        self._functions = (f,)
        current().reserve("TakeWhileDataset")
        super().__init__(source._structure, (source,))

    def _open(self, context: Context) -> Stream:
        keep = self._functions[0].scalar(context, "`predicate`")
        return Stream(itertools.takewhile(keep, self._inputs[0]._open(context)))


def take_while(predicate: Callable[..., Any]) -> Apply:
    """The elements before the first for which `predicate` is false."""
    return lambda d: _TakeWhile(d, predicate)


class _Unique(Dataset):
    def __init__(self, source: Dataset) -> None:
        s = source._structure
        if not isinstance(s, TensorSpec) or s.dtype not in (int32, int64, string):
            types = source.output_types
            raise TypeError(
                "`tf.data.experimental.unique()` only supports inputs with a single `tf.int32`, "
                f"`tf.int64`, or `tf.string` component, got {types}."
            )
        current().reserve("UniqueDataset")
        super().__init__(s, (source,))

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements(context))

    def _elements(self, context: Context) -> Iterator[Element]:
        seen = set()
        for e in self._inputs[0]._open(context):
            a = np.asarray(e[0], object if self._specs[0].dtype is string else None)
            key = (a.shape, tuple(a.reshape(-1).tolist()))
            if key not in seen:
                seen.add(key)
                yield e


def unique() -> Apply:
    """The elements, without those that came before."""
    return _Unique


class _IgnoreErrors(Dataset):
    def __init__(self, source: Dataset) -> None:
        current().reserve("IgnoreErrorsDataset")
        super().__init__(source._structure, (source,))

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements(context))

    def _elements(self, context: Context) -> Iterator[Element]:
        source, missing = iter(self._inputs[0]._open(context)), ""
        while True:
            try:
                yield next(source)
            except StopIteration:
                return
            except NotFoundError as e:
                if e.message == missing:  # a file that is looked for again and again
                    return
                missing = e.message
            except OpError:
                continue


def ignore_errors() -> Apply:
    """The elements without those that a ``map`` fails to compute."""
    return _IgnoreErrors


class _AssertShape(Dataset):
    def __init__(self, source: Dataset, shapes: Any) -> None:
        from graphc.data.structure import specs

        expected = specs(source.output_types, shapes)
        made = map_leaves(
            lambda s, e: TensorSpec(s.shape.merge_with(e.shape), s.dtype),
            source._structure, expected,
        )  # fmt: skip
        super().__init__(made, (source,))

    def _open(self, context: Context) -> Stream:
        return Stream(map(self._checked, self._inputs[0]._open(context)))

    def _checked(self, e: Element) -> Element:
        for x, s in zip(e, self._specs, strict=True):
            if not s.shape.is_compatible_with(list(np.shape(x))):
                raise InvalidArgumentError(
                    None, None, f"an element has shape {np.shape(x)}, expected was {s.shape}"
                )
        return e


def assert_element_shape(expected_shapes: Any) -> Apply:
    """The elements, with what `expected_shapes` say of their shapes."""
    return lambda d: _AssertShape(d, expected_shapes)


# ------------------------------------------------------------------------- several datasets


class _Choose(Dataset):
    """Elements of several datasets; `_choices` says from which the next one comes."""

    def __init__(self, datasets: Sequence[Dataset], more: Sequence[Dataset] = (),
                 tensors: Sequence[Value] = ()) -> None:  # fmt: skip
        first = datasets[0]
        for d in datasets[1:]:
            if d.output_types != first.output_types:
                raise TypeError(f"datasets have different types: {first.output_types} and "
                                f"{d.output_types}")  # fmt: skip
        self._count = len(datasets)
        current().reserve("DirectedInterleaveDataset")
        super().__init__(first._structure, (*datasets, *more), tensors)

    def _choices(self, context: Context) -> Iterator[int]:
        raise NotImplementedError

    def _open(self, context: Context) -> Stream:
        return Stream(self._elements(context))

    def _elements(self, context: Context) -> Iterator[Element]:
        sources: list[Iterator[Element] | None] = [
            iter(d._open(context)) for d in self._inputs[: self._count]
        ]
        for i in self._choices(context):
            if not 0 <= i < self._count:
                raise InvalidArgumentError(
                    None, None, f"Selector index out of range: {i} >= {self._count}"
                )
            source = sources[i]
            e = None if source is None else next(source, None)
            if e is not None:
                yield e
                continue
            sources[i] = None
            if not any(sources):
                return


class _Sample(_Choose):
    def __init__(self, datasets: Sequence[Dataset], weights: Any, seed: Any) -> None:
        self._weights = weights
        more: Sequence[Dataset] = ()
        tensors = seed_tensors(seed)
        if isinstance(weights, Dataset):
            more = [weights]
        else:
            n = len(datasets)
            given = np.full(n, 1 / n, np.float32) if weights is None else weights
            w: Any = convert_to_tensor(given)
            if w.dtype not in (float32, float64):
                raise TypeError(f"`weights` must be convertible to a tensor of `tf.float32` or "
                                f"`tf.float64` elements, got {w.dtype!r}.")  # fmt: skip
            if not w.shape.is_compatible_with([n]):
                raise ValueError(f"`weights` must be a vector of a number for each of the {n} "
                                 f"datasets, not of shape {w.shape}")  # fmt: skip
            tensors.append(w)
        super().__init__(datasets, more, tensors)

    def _choices(self, context: Context) -> Iterator[int]:
        from graphc.ops.stateless import classes_op

        numbers = random_numbers(self, context, self._tensors[:2])
        if isinstance(self._weights, Dataset):
            rows: Iterator[Any] = (e[0] for e in self._inputs[-1]._open(context))
        else:
            rows = itertools.repeat(context.value(self._tensors[2]))
        draw: Any = classes_op.numpy
        for w in rows:
            seed = np.array([next(numbers), next(numbers)], np.int64)
            with np.errstate(divide="ignore"):
                logits = np.log(w)
            yield int(draw(logits[np.newaxis], 1, seed, dtype=int64)[0, 0])


def sample_from_datasets(
    datasets: Sequence[Dataset], weights: Any = None, seed: Any = None
) -> Dataset:
    """Elements of several datasets, each time of one drawn with probabilities `weights`."""
    return _Sample(list(datasets), weights, seed)


class _Directed(_Choose):
    def _choices(self, context: Context) -> Iterator[int]:
        for e in self._inputs[-1]._open(context):
            yield int(e[0])


def choose_from_datasets(datasets: Sequence[Dataset], choice_dataset: Dataset) -> Dataset:
    """Elements of several datasets, in the order that the int64 numbers of another one say."""
    s = choice_dataset._structure
    if not isinstance(s, TensorSpec) or s.dtype is not int64 or s.shape.ndims != 0:
        raise TypeError("`choice_dataset` must be a dataset of scalar `tf.int64` tensors.")
    return _Directed(list(datasets), [choice_dataset])


# ------------------------------------------------------------------------- questions


def get_single_element(dataset: Dataset) -> Any:
    """The one element of a dataset, as tensors.

    Raises (in a run)
    -----------------
    InvalidArgumentError
        When there is none, or more than one.
    """
    from graphc.data.iterator import single_element

    if not isinstance(dataset, Dataset):
        raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
    return single_element(dataset)


def get_structure(dataset_or_iterator: Any) -> Any:
    """The structure of elements, with a spec for each leaf."""
    return dataset_or_iterator.element_spec
