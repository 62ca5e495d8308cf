"""Data sets for slim, read by threads: `DatasetDataProvider`, `parallel_read`, `prefetch_queue`."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.data.queues import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from graphc.face import files
from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ops import math
from graphc.summary import ops as summary
from graphc.train.input import string_input_producer
from graphc.train.queue_runner import QueueRunner, add_queue_runner

__all__ = [
    "DataProvider", "Dataset", "DatasetDataProvider", "ParallelReader", "get_data_files",
    "parallel_read", "prefetch_queue", "single_pass_read",
]  # fmt: skip


class Dataset:
    """Where data is and how it is read and decoded; other arguments become attributes.

    Parameters
    ----------
    data_sources : str or list of str
        Files, or patterns.
    reader : class of readers
    decoder : DataDecoder
    num_samples : int
    items_to_descriptions : dict
    """

    def __init__(
        self, data_sources: Any, reader: Any, decoder: Any, num_samples: Any,
        items_to_descriptions: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        given = {
            "data_sources": data_sources, "reader": reader, "decoder": decoder,
            "num_samples": num_samples, "items_to_descriptions": items_to_descriptions, **kwargs,
        }  # fmt: skip
        self.__dict__.update(given)


class DataProvider(abc.ABC):  # noqa: B024  # as TensorFlow has it
    """Tensors by the name of an item.

    Parameters
    ----------
    items_to_tensors : dict
    num_samples : int
        How many examples there are.
    """

    def __init__(self, items_to_tensors: Mapping[str, Any], num_samples: Any) -> None:
        self._items_to_tensors, self._num_samples = items_to_tensors, num_samples

    def get(self, items: Sequence[str]) -> list[Any]:
        """The tensors of `items`.

        Raises
        ------
        ValueError
            When there is no such item.
        """
        for item in items:
            if item not in self._items_to_tensors:
                raise ValueError(
                    f"Item [{item}] is invalid or does not exist. Items: {self.list_items()}"
                )
        return [self._items_to_tensors[item] for item in items]

    def list_items(self) -> list[str]:
        """The items there are."""
        return list(self._items_to_tensors)

    def num_samples(self) -> Any:
        """How many examples there are."""
        return self._num_samples


class DatasetDataProvider(DataProvider):
    """Reads a `Dataset` with threads: each run that asks for items gets the next example.

    Parameters
    ----------
    shuffle : bool
        Whether files and examples come in random order.
    num_epochs : int, optional
        How often; for ever by default.
    record_key : str
        The item with the key of an example.
    """

    def __init__(
        self, dataset: Any, num_readers: int = 1, reader_kwargs: Any = None, shuffle: bool = True,
        num_epochs: int | None = None, common_queue_capacity: int = 256,
        common_queue_min: int = 128, record_key: str = "record_key", seed: int | None = None,
        scope: str | None = None,
    ) -> None:  # fmt: skip
        key, data = parallel_read(
            dataset.data_sources, dataset.reader, num_epochs, num_readers, reader_kwargs, shuffle,
            capacity=common_queue_capacity, min_after_dequeue=common_queue_min, seed=seed,
            scope=scope,
        )  # fmt: skip
        items = list(dataset.decoder.list_items())
        tensors = list(dataset.decoder.decode(data, items))
        if record_key in items:
            raise ValueError(
                "The item name used for `record_key` cannot also be used for a dataset item: "
                f"{record_key}"
            )
        found = {**dict(zip(items, tensors, strict=True)), record_key: key}
        super().__init__(found, dataset.num_samples)


class ParallelReader:
    """Several readers that put what they read into one queue.

    Parameters
    ----------
    reader_class : class of readers
    common_queue : queue
    reader_kwargs : dict, optional
        Arguments of each reader.
    """

    def __init__(
        self, reader_class: Any, common_queue: QueueBase, num_readers: int = 4,
        reader_kwargs: Any = None,
    ) -> None:  # fmt: skip
        if len(common_queue.dtypes) != 2:
            raise TypeError("common_queue.dtypes must be [tf.string, tf.string]")
        self._readers = [reader_class(**(reader_kwargs or {})) for _ in range(num_readers)]
        self._common_queue = common_queue

    @property
    def num_readers(self) -> int:
        return len(self._readers)

    @property
    def common_queue(self) -> QueueBase:
        return self._common_queue

    def _run(self, enqueue_ops: list[Any]) -> None:
        add_queue_runner(QueueRunner(self._common_queue, enqueue_ops))

    def read(self, queue: Any, name: str | None = None) -> Any:
        """The next (key, value) of the common queue; `queue` has names of files."""
        self._run([self._common_queue.enqueue(r.read(queue)) for r in self._readers])
        return self._common_queue.dequeue(name=name)

    def read_up_to(self, queue: Any, num_records: Any, name: str | None = None) -> Any:
        """The next (keys, values), at most `num_records`."""
        self._run(
            [
                self._common_queue.enqueue_many(r.read_up_to(queue, num_records))
                for r in self._readers
            ]
        )
        return self._common_queue.dequeue_up_to(num_records, name=name)

    def num_records_produced(self, name: str | None = None) -> Any:
        """How many records all readers have read."""
        return math.add_n([r.num_records_produced() for r in self._readers], name=name)

    def num_work_units_completed(self, name: str | None = None) -> Any:
        """How many files all readers have read."""
        return math.add_n([r.num_work_units_completed() for r in self._readers], name=name)


def get_data_files(data_sources: Any) -> list[str]:
    """The files of names and patterns.

    Raises
    ------
    ValueError
        When there is none.
    """
    if isinstance(data_sources, list | tuple):
        found: list[str] = []
        for source in data_sources:
            found += get_data_files(source)
    elif any(c in data_sources for c in "*?["):
        found = files.glob(data_sources)
    else:
        found = [data_sources]
    if not found:
        raise ValueError(f"No data files found in {data_sources}")
    return found


def parallel_read(
    data_sources: Any, reader_class: Any, num_epochs: int | None = None, num_readers: int = 4,
    reader_kwargs: Any = None, shuffle: bool = True, dtypes: Any = None, capacity: int = 256,
    min_after_dequeue: int = 128, seed: int | None = None, scope: str | None = None,
) -> Any:  # fmt: skip
    """The next (key, value) of files that several threads read.

    Parameters
    ----------
    capacity, min_after_dequeue : int
        Of the queue that what is read goes into.
    """
    with name_scope(scope, "parallel_read"):
        names = string_input_producer(
            get_data_files(data_sources), num_epochs=num_epochs, shuffle=shuffle, seed=seed,
            name="filenames",
        )  # fmt: skip
        kinds = dtypes or _STRINGS
        queue: Any
        if shuffle:
            queue = RandomShuffleQueue(
                capacity, min_after_dequeue, kinds, seed=seed, name="common_queue"
            )
        else:
            queue = FIFOQueue(capacity, kinds, name="common_queue")
        full = math.cast(queue.size(), "float32") * (1.0 / capacity)
        summary.scalar(f"fraction_of_{capacity}_full", full)
        return ParallelReader(reader_class, queue, num_readers, reader_kwargs).read(names)


_STRINGS = [dtypes.string, dtypes.string]


def single_pass_read(
    data_sources: Any, reader_class: Any, reader_kwargs: Any = None, scope: str | None = None
) -> Any:
    """The next (key, value) of files, in order, once."""
    with name_scope(scope, "single_pass_read"):
        names = string_input_producer(
            get_data_files(data_sources), num_epochs=1, shuffle=False, capacity=1,
            name="filenames",
        )  # fmt: skip
        return reader_class(**(reader_kwargs or {})).read(names)


def prefetch_queue(
    tensors: Any, capacity: int = 8, num_threads: int = 1, dynamic_pad: bool = False,
    shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """A queue that threads fill with `tensors`, a list or dictionary, ahead of who reads it."""
    named = isinstance(tensors, Mapping)
    listed = [tensors[k] for k in sorted(tensors)] if named else list(tensors)
    with name_scope(name, "prefetch_queue"):
        kinds = [t.dtype.base_dtype for t in listed]
        sizes = [t.get_shape() for t in listed]
        made = PaddingFIFOQueue if dynamic_pad else FIFOQueue
        keys = sorted(tensors) if named else None
        queue = made(capacity, kinds, sizes, keys, shared_name, name="fifo_queue")
        put = queue.enqueue(dict(zip(keys, listed, strict=True)) if keys else listed)
        add_queue_runner(QueueRunner(queue, [put] * num_threads))
        full = math.cast(queue.size(), "float32") * (1.0 / capacity)
        summary.scalar(f"fraction_of_{capacity}_full", full)
        return queue
