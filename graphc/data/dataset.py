"""`Dataset`: what the elements of an input pipeline are, and how one follows from another.

A dataset is a plain Python object that knows its inputs, the tensors it was made with and the
functions it applies. Nothing happens until it is opened in a `Context`: then it is a `Stream`.

Each transformation is one class with one `_open`. Streams hand over chunks of elements. Where the
elements are rows of arrays that are in memory (`from_tensor_slices`, and what only picks or
reorders them), a chunk is a range or an array of row numbers; ``batch`` then gathers whole rows of
each column at once, and no Python runs for a single element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from graphc.data.function import Context, Function
from graphc.data.options import (
    DistributeOptions,
    OptimizationOptions,
    StatsOptions,
    ThreadingOptions,
)
from graphc.data.streams import Stream
from graphc.data.structure import (
    DatasetSpec,
    flatten,
    map_leaves,
)
from graphc.face.graph import get_default_graph
from graphc.ir.build import current
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops.convert import constant_op

__all__ = ["Dataset", "Options"]


class Options:
    """What ``with_options`` takes: attributes are kept; they change nothing that a run computes."""

    experimental_deterministic: Any
    experimental_distribute: Any
    experimental_optimization: Any
    experimental_slack: Any
    experimental_stateful_whitelist: Any
    experimental_stats: Any
    experimental_threading: Any

    def __init__(self) -> None:
        self.__dict__["_set"] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._set.get(name)
        if found is None and name in _OPTION_GROUPS:
            found = self._set[name] = _OPTION_GROUPS[name]()
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        kind = _OPTION_GROUPS.get(name, object)
        if not isinstance(value, kind):
            raise TypeError(
                f'Property "{name}" must be of type {kind}, got: {value!r} (type: {type(value)})'
            )
        self._set[name] = value

    def merge(self, options: Options) -> Options:
        """These options, with those that `options` sets in their place."""
        made = Options()
        made._set.update(self._set)
        made._set.update(options._set)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and bool(self._set == other._set)

    def __hash__(self) -> int:
        return id(self)


def make(kind: str, *arguments: Any, **named: Any) -> Dataset:
    """A dataset of a kind whose class is in a module that needs this one."""
    from graphc.data import kinds

    made: Dataset = getattr(kinds, kind)(*arguments, **named)
    return made


_OPTION_GROUPS = {
    "experimental_distribute": DistributeOptions,
    "experimental_optimization": OptimizationOptions,
    "experimental_stats": StatsOptions,
    "experimental_threading": ThreadingOptions,
}


class Dataset:
    """A sequence of elements, each a nested structure of tuples and dicts of tensors.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     d = tf.data.Dataset.range(5).map(lambda x: x * x).batch(2)
    ...     x = d.make_one_shot_iterator().get_next()
    ...     print(sess.run(x), sess.run(x))
    [0 1] [4 9]
    """

    #: TF1's op type, which names of operations that follow and seeds depend on.
    _type: ClassVar[str] = ""
    _shown: ClassVar[str] = "DatasetV1Adapter"

    _inputs: tuple[Dataset, ...] = ()
    _functions: tuple[Function, ...] = ()
    _options: Options | None = None

    def __init__(
        self, structure: Any, inputs: Sequence[Dataset] = (), tensors: Sequence[Value] = ()
    ) -> None:
        self._structure = structure
        self._specs: list[Any] = flatten(structure)
        self._inputs = tuple(inputs)
        self._tensors = tuple(tensors)
        self._graph = get_default_graph()
        if self._type:
            current().reserve(self._type)

    def _open(self, context: Context) -> Stream:
        """Begin an iteration."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is iterated")

    def _reads_variables(self) -> bool:
        """Whether a function reads a tensor that is made of a variable.

        TensorFlow then rewrites nothing of the pipeline.
        """
        stack: list[Dataset] = [self]
        captured: list[Value] = []
        while stack:
            d = stack.pop()
            stack.extend(d._inputs)
            captured += [v for f in d._functions for v in f.captured]
        seen: set[Any] = set()
        nodes = [v.node for v in captured]
        while nodes:
            n = nodes.pop()
            if n in seen:
                continue
            seen.add(n)
            if n.op.name == "variable":
                return True
            nodes += [v.node for v in n.inputs]
        return False

    def _all_tensors(self) -> list[Value]:
        """The tensors that must be known when an iterator is made, constants left out."""
        out: dict[Value, None] = {}
        stack, seen = [self], set()
        while stack:
            d = stack.pop()
            if id(d) in seen:
                continue
            seen.add(id(d))
            stack.extend(d._inputs)
            for t in (*d._tensors, *[v for f in d._functions for v in f.captured]):
                if t.node.op is not constant_op:
                    out[t] = None
        return list(out)

    # ---------------------------------------------------------------- what elements are

    @property
    def element_spec(self) -> Any:
        """The structure of an element, with a `TensorSpec` for each leaf."""
        return self._structure

    @property
    def output_types(self) -> Any:
        """The element type of each component."""
        return map_leaves(lambda s: _nested(s, "output_types"), self._structure)

    @property
    def output_shapes(self) -> Any:
        """The static shape of each component."""
        return map_leaves(lambda s: _nested(s, "output_shapes"), self._structure)

    @property
    def output_classes(self) -> Any:
        """The class of each component."""
        from graphc.data.iterator import class_of

        return map_leaves(class_of, self._structure)

    def __repr__(self) -> str:
        shapes = map_leaves(lambda s: str(s.shape), self._structure)
        types = map_leaves(lambda s: s.dtype, self._structure)
        return f"<{self._shown} shapes: {_plain(shapes)}, types: {_plain(types)}>"

    def __iter__(self) -> Any:
        raise RuntimeError(
            "__iter__() is only supported inside of tf.function or when eager execution is enabled."
        )

    # ---------------------------------------------------------------- sources

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """One element: `tensors`."""
        return make("TensorDataset", tensors)

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """An element for each row of `tensors`, which have equally many.

        Raises
        ------
        ValueError
            When a tensor is a scalar, or they have different numbers of rows.
        """
        return make("TensorSliceDataset", tensors)

    @staticmethod
    def from_sparse_tensor_slices(sparse_tensor: Any) -> Dataset:
        """An element for each row of a `SparseTensor` in row-major order: a `SparseTensor`."""
        return make("SparseSliceDataset", sparse_tensor)

    @staticmethod
    def from_generator(
        generator: Callable[..., Any], output_types: Any, output_shapes: Any = None,
        args: Any = None,
    ) -> Dataset:  # fmt: skip
        """The elements that ``generator(*args)`` yields, called anew for each iteration.

        Parameters
        ----------
        generator : callable
            Gives an iterable; gets the values of `args`.
        output_types, output_shapes : nested structure
        args : sequence of tensors, optional
        """
        return make("GeneratorDataset", generator, output_types, output_shapes, args)

    @staticmethod
    def range(*args: Any) -> Dataset:
        """The int64 numbers ``range(*args)``."""
        return make("RangeDataset", *args)

    @staticmethod
    def zip(datasets: Any) -> Dataset:
        """Elements with the structure of `datasets`, one of each; ends with the shortest."""
        return make("ZipDataset", datasets)

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: Any = None) -> Dataset:
        """Names of the files that match one or more patterns, shuffled unless `shuffle` is False.

        Raises (in a run)
        -----------------
        InvalidArgumentError
            When nothing matches.
        """
        from graphc.data.sources import FileCount

        with current().counts_as(15 + (not isinstance(file_pattern, Value))):
            files = make("FilesDataset", file_pattern)
        if not (shuffle is None or shuffle):
            return files
        with current().counts_as(17):
            return files.shuffle(FileCount(files), seed)

    # ---------------------------------------------------------------- transformations

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """``transformation_func(self)``."""
        made = transformation_func(self)
        if not isinstance(made, Dataset):
            raise TypeError("`transformation_func` must return a Dataset.")
        return made

    def batch(self, batch_size: Any, drop_remainder: Any = False) -> Dataset:
        """Consecutive elements stacked, `batch_size` at a time.

        Parameters
        ----------
        drop_remainder : bool
            Leave out a last batch that is not full; the batch size is then static.
        """
        return make("BatchDataset", self, batch_size, drop_remainder)

    def padded_batch(
        self, batch_size: Any, padded_shapes: Any, padding_values: Any = None,
        drop_remainder: Any = False,
    ) -> Dataset:  # fmt: skip
        """Batches of elements of different sizes, each padded at its end.

        Parameters
        ----------
        padded_shapes : nested structure of shapes
            Where a size is None (or -1), that of the largest element of the batch.
        padding_values : nested structure of scalars, optional
            0 or the empty string by default.
        """
        return make(
            "PaddedBatchDataset", self, batch_size, padded_shapes, padding_values, drop_remainder
        )

    def cache(self, filename: Any = "") -> Dataset:
        """The elements, computed in the first iteration and remembered for the next ones.

        Parameters
        ----------
        filename : str
            Where to keep them; in memory by default.
        """
        return make("CacheDataset", self, filename)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """These elements, then those of `dataset`.

        Raises
        ------
        TypeError
            When types or structures differ.
        """
        return make("ConcatenateDataset", self, dataset)

    def enumerate(self, start: Any = 0) -> Dataset:
        """Pairs (int64 number from `start` on, element)."""
        return Dataset.zip((Dataset.range(start, np.iinfo(np.int64).max), self))

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which `predicate` is true."""
        return make("FilterDataset", self, predicate)

    filter_with_legacy_function = filter

    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None) -> Dataset:
        """``map_func(*element)`` of each element.

        Parameters
        ----------
        map_func : callable
            Called once, with symbolic tensors; what it records is compiled.
        num_parallel_calls : int, optional
            Accepted: elements are computed when they are wanted, in order.
        """
        return make("MapDataset", self, map_func, num_parallel_calls)

    map_with_legacy_function = map

    def flat_map(self, map_func: Callable[..., Any]) -> Dataset:
        """The elements of the datasets ``map_func(*element)``, one after the other."""
        return make("FlatMapDataset", self, map_func)

    def interleave(
        self, map_func: Callable[..., Any], cycle_length: Any = -1, block_length: Any = 1,
        num_parallel_calls: Any = None,
    ) -> Dataset:  # fmt: skip
        """The elements of the datasets ``map_func(*element)``, taken by turns.

        Parameters
        ----------
        cycle_length : int
            How many datasets are open at a time.
        block_length : int
            How many elements are taken of each in its turn.
        num_parallel_calls : int, optional
            Accepted.
        """
        return make(
            "InterleaveDataset", self, map_func, cycle_length, block_length, num_parallel_calls
        )

    def prefetch(self, buffer_size: Any) -> Dataset:
        """The same elements. Accepted: elements are computed when they are wanted."""
        size = -1 if buffer_size is None else buffer_size
        return make("SameDataset", self, "PrefetchDataset", buffer_size=size)

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any]) -> Any:
        """The state that is left of ``state = reduce_func(state, element)`` for all elements."""
        from graphc.data.iterator import reduce

        return reduce(self, initial_state, reduce_func)

    def repeat(self, count: Any = None) -> Dataset:
        """The elements `count` times over; for ever with None or -1."""
        return make("RepeatDataset", self, count)

    def shard(self, num_shards: Any, index: Any) -> Dataset:
        """Every `num_shards`-th element, from `index` on."""
        return make("ShardDataset", self, num_shards, index)

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = None
    ) -> Dataset:
        """The elements in random order: each drawn from the next `buffer_size` ones.

        With seeds the order is TensorFlow's.

        Parameters
        ----------
        seed : int, optional
        reshuffle_each_iteration : bool, optional
            Whether every epoch has an order of its own (True).
        """
        return make("ShuffleDataset", self, buffer_size, seed, reshuffle_each_iteration)

    def skip(self, count: Any) -> Dataset:
        """The elements after the first `count`; none with -1."""
        return make("SkipDataset", self, count)

    def take(self, count: Any) -> Dataset:
        """The first `count` elements; all with -1."""
        return make("TakeDataset", self, count)

    def unbatch(self) -> Dataset:
        """The rows of each element as elements."""
        return make("UnbatchDataset", self)

    def window(
        self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: Any = False
    ) -> Dataset:
        """Datasets of `size` elements each.

        Parameters
        ----------
        shift : int, optional
            How far the next one begins behind this one; `size` by default.
        stride : int
            Which of the elements it has: every `stride`-th.
        """
        return make("WindowDataset", self, size, shift, stride, drop_remainder)

    def with_options(self, options: Options) -> Dataset:
        """The same elements, with options."""
        made = make("SameDataset", self, "")
        made._options = self.options().merge(options)
        return made

    def options(self) -> Options:
        """The options of this dataset and its inputs."""
        found = self._options or Options()
        for d in self._inputs:
            found = d.options().merge(found)
        return found

    # ---------------------------------------------------------------- iterators

    def make_one_shot_iterator(self) -> Any:
        """An iterator over the elements, once; it needs no initialisation.

        Raises
        ------
        ValueError
            When the dataset depends on a placeholder or a variable.
        """
        from graphc.data.iterator import one_shot

        return one_shot(self)

    def make_initializable_iterator(self, shared_name: str | None = None) -> Any:
        """An iterator that begins when its ``initializer`` is run."""
        from graphc.data.iterator import initializable

        return initializable(self, shared_name)


def _nested(s: Any, what: str) -> Any:
    if isinstance(s, DatasetSpec):
        return make(
            "ArgumentDataset", s.element
        )  # TF1 shows the nested dataset's own types the same way
    return s.dtype if what == "output_types" else s.shape


def _plain(x: Any) -> str:
    return (repr(x) if isinstance(x, DType) else str(x)).replace("'", "")
