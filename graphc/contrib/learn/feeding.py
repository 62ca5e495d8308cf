"""Arrays as the input of an estimator: batches that are fed, in the order TensorFlow takes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import graphc

__all__ = [
    "DataFeeder", "StreamingDataFeeder", "check_array", "extract_dask_data", "extract_dask_labels",
    "extract_pandas_data", "extract_pandas_labels", "extract_pandas_matrix",
    "setup_predict_data_feeder", "setup_processor_data_feeder", "setup_train_data_feeder",
]  # fmt: skip

tf: Any = graphc


# ------------------------------------------------------------------------- data frames

#: Types of columns of pandas that can be fed.
_NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
            "float32", "float64", "bool")  # fmt: skip


def _frame(data: Any, package: str, names: tuple[str, ...]) -> bool:
    return type(data).__module__.partition(".")[0] == package and type(data).__name__ in names


def _refuse_columns(data: Any, what: str) -> None:
    wrong = [f"'{c}' type='{t.name}'" for c, t in data.dtypes.items() if t.name not in _NUMBERS]
    if wrong:
        raise ValueError(f"Data types for extracting pandas {what} must be int, float, or bool. "
                         "Found: " + ", ".join(wrong))  # fmt: skip


def extract_pandas_data(data: Any) -> Any:
    """The numbers of a data frame of pandas; anything else as it is.

    Raises
    ------
    ValueError
        For columns that are no numbers.
    """
    if not _frame(data, "pandas", ("DataFrame",)):
        return data
    _refuse_columns(data, "data")
    return data.values.astype("float")


def extract_pandas_matrix(data: Any) -> Any:
    """The values of a data frame of pandas; anything else as it is."""
    return data.values if _frame(data, "pandas", ("DataFrame",)) else data


def extract_pandas_labels(labels: Any) -> Any:
    """The labels of a data frame of one column, or of a series; anything else as it is.

    Raises
    ------
    ValueError
        For more columns, or for one that is no number.
    """
    if _frame(labels, "pandas", ("DataFrame",)):
        if len(labels.columns) > 1:
            raise ValueError("Only one column for labels is allowed.")
        _refuse_columns(labels, "labels")
        return labels.values
    return labels


def extract_dask_data(data: Any) -> Any:
    """The values of a frame or series of dask; anything else as it is."""
    return data.compute().values if _frame(data, "dask", ("DataFrame", "Series")) else data


def extract_dask_labels(labels: Any) -> Any:
    """The labels of a series of dask or of a frame of one column; anything else as it is.

    Raises
    ------
    ValueError
        For more columns.
    """
    if not _frame(labels, "dask", ("DataFrame", "Series")):
        return labels
    if _frame(labels, "dask", ("DataFrame",)) and len(labels.columns) > 1:
        raise ValueError("Only one column for labels is allowed.")
    return labels.compute().values


def check_array(array: Any, dtype: Any) -> Any:
    """Arrays and lists as an array of `dtype`."""
    return np.asarray(array, dtype) if isinstance(array, (np.ndarray, list)) else array


def setup_processor_data_feeder(x: Any) -> Any:
    """Documents to go through: the values of a data frame, anything else as it is."""
    return extract_pandas_matrix(x)


# ------------------------------------------------------------------------- feeders


def _each(f: Callable[..., Any], *args: Any) -> Any:
    """`f` of the things, or of those under each key where they are dicts."""
    if isinstance(args[0], dict):
        return {k: f(*[a[k] for a in args]) for k in args[0]}
    return None if args[0] is None else f(*args)


class DataFeeder:
    """Batches of arrays in memory.

    Parameters
    ----------
    x, y : array or dict of arrays
    n_classes : int, optional
        With more than one, labels are fed as rows with a one each.
    batch_size : int, optional
        All examples by default.
    shuffle : bool
        Whether each epoch has an order of its own.
    random_state : RandomState, optional
    epochs : int, optional
        How often to go through the data; for ever by default.
    """

    def __init__(
        self, x: Any, y: Any, n_classes: Any, batch_size: int | None = None, shuffle: bool = True,
        random_state: Any = None, epochs: int | None = None,
    ) -> None:  # fmt: skip
        self._x = _each(lambda v: check_array(v, v.dtype), x)
        self._y = None if y is None else _each(np.asarray, y)
        self.n_classes = n_classes
        self.max_epochs = epochs
        self._shuffle = shuffle
        self.random_state = np.random.RandomState(42) if random_state is None else random_state
        self._size = len(next(iter(self._x.values())) if isinstance(x, dict) else self._x)
        self._batch_size = self._size if batch_size is None else int(batch_size)
        if self._batch_size <= 0:
            raise ValueError(f"Invalid batch_size {batch_size}.")
        self.offset = self.epoch = 0
        self._new_order()
        self._epoch_placeholder: Any = None
        self._into: Any = (None, None)

    x = property(lambda self: self._x)
    y = property(lambda self: self._y)
    shuffle = property(lambda self: self._shuffle)
    batch_size = property(lambda self: self._batch_size)
    input_dtype = property(lambda self: _each(lambda v: v.dtype, self._x))
    output_dtype = property(lambda self: np.dtype("f4") if self._y is None
                            else _each(lambda v: self._label_type(v.dtype), self._y))  # fmt: skip

    def _label_type(self, dtype: Any) -> Any:
        return np.dtype("f4") if self.n_classes is not None else dtype

    def _new_order(self) -> None:
        n = self._size
        self.indices = self.random_state.permutation(n) if self._shuffle else np.arange(n)

    # ---- placeholders

    def make_epoch_variable(self) -> Any:
        """A placeholder that is fed the number of the epoch."""
        self._epoch_placeholder = tf.placeholder(tf.int32, [1], name="epoch")
        return self._epoch_placeholder

    def input_builder(self) -> Any:
        """The input function: placeholders for a batch and its labels."""
        self._into = self._placeholders(self._x, "input"), self._placeholders(self._y, "output")
        return self._into

    def set_placeholders(self, input_placeholder: Any, output_placeholder: Any) -> None:
        """Feed these."""
        self._into = input_placeholder, output_placeholder

    def get_feed_params(self) -> dict[str, Any]:
        """Where in the data the next batch begins."""
        return {"epoch": self.epoch, "offset": self.offset, "batch_size": self._batch_size}

    def _placeholders(self, data: Any, name: str) -> Any:
        if isinstance(data, dict):
            return {k: self._placeholder(v, name, f"{name}_{k}") for k, v in data.items()}
        return None if data is None else self._placeholder(data, name, name)

    def _placeholder(self, data: Any, kind: str, name: str) -> Any:
        if kind == "input":
            shape, dtype = list(data.shape[1:]) or [1], data.dtype
        else:
            shape, dtype = self._label_shape(data), self._label_type(data.dtype)
        return tf.placeholder(tf.as_dtype(dtype), [None, *shape], name=name)

    def _label_shape(self, data: Any) -> list[int]:
        shape = list(data.shape[1:])
        shape = shape[1:] if shape[:1] == [1] else shape
        many = self.n_classes is not None and self.n_classes > 1
        return [*shape, self.n_classes] if many else shape

    # ---- batches

    def get_feed_dict_fn(self) -> Callable[[], dict[str, Any]]:
        """A function that gives what to feed; it raises StopIteration at the end."""
        return self._feed

    def _feed(self) -> dict[str, Any]:
        if self.max_epochs is not None and self.epoch + 1 > self.max_epochs:
            raise StopIteration
        fed: dict[str, Any] = {}
        if self._epoch_placeholder is not None:
            fed[self._epoch_placeholder.name] = [self.epoch]
        rows = self.indices[self.offset : self.offset + self._batch_size]
        self._add(fed, self._into[0], self._x, lambda v: _column(_rows(v, rows)))
        self.offset += self._batch_size
        if self.offset >= self._size:
            self._new_order()
            self.offset = 0
            self.epoch += 1
        if self._into[1] is not None:
            self._add(fed, self._into[1], self._y, lambda v: self._labels(_rows(v, rows), v))
        return fed

    @staticmethod
    def _add(fed: dict[str, Any], into: Any, data: Any, f: Callable[[Any], Any]) -> None:
        if isinstance(into, dict):
            fed.update({into[k].name: f(data[k]) for k in into})
        else:
            fed[into.name] = f(data)

    def _labels(self, batch: Any, data: Any) -> Any:
        shape, dtype = self._label_shape(data), self._label_type(data.dtype)
        if self.n_classes is not None and self.n_classes > 1:
            ids = np.asarray(batch).astype(int).reshape([len(batch), *shape[:-1]])
            return np.eye(self.n_classes, dtype=dtype)[ids]
        return np.asarray(batch).reshape([len(batch), *shape]).astype(dtype)


def _rows(data: Any, rows: Any) -> Any:
    return data.iloc[rows] if hasattr(data, "iloc") else data[rows]


def _column(batch: Any) -> Any:
    return np.asarray(batch).reshape(-1, 1) if np.ndim(batch) == 1 else batch


class StreamingDataFeeder(DataFeeder):
    """Batches of examples that iterators give, one after the other."""

    def __init__(self, x: Any, y: Any, n_classes: Any, batch_size: int) -> None:
        first, x = _peeked(x)
        first_label, y = (None, None) if y is None else _peeked(y)
        row = _each(lambda v: np.asarray(v)[None], first)
        label = None if first_label is None else _each(lambda v: np.asarray(v)[None], first_label)
        super().__init__(row, label, n_classes, batch_size or 1, shuffle=False)
        self._streams = x, y

    def get_feed_params(self) -> dict[str, Any]:
        """How many examples a batch has."""
        return {"batch_size": self._batch_size}

    def _feed(self) -> dict[str, Any]:
        x, y = self._streams
        rows = list(itertools.islice(x, self._batch_size))
        if not rows:
            raise StopIteration
        fed: dict[str, Any] = {}
        self._add(fed, self._into[0], _stacked(rows), _column)
        if y is not None:
            labels = _stacked(list(itertools.islice(y, len(rows))))
            self._add(fed, self._into[1], labels, lambda v: self._labels(v, v))
        return fed


def _peeked(stream: Iterator[Any]) -> tuple[Any, Iterator[Any]]:
    first = next(stream)
    return first, itertools.chain([first], stream)


def _stacked(rows: list[Any]) -> Any:
    if isinstance(rows[0], dict):
        return {k: np.stack([r[k] for r in rows]) for k in rows[0]}
    return np.stack([np.asarray(r) for r in rows])


def setup_train_data_feeder(
    x: Any, y: Any, n_classes: Any, batch_size: int | None = None, shuffle: bool = True,
    epochs: int | None = None,
) -> DataFeeder:  # fmt: skip
    """What feeds these: arrays, dicts of them, data frames, or iterators of examples.

    Raises
    ------
    ValueError
        When only one of `x` and `y` is an iterator.
    """
    x = extract_pandas_data(extract_dask_data(x))
    y = None if y is None else extract_pandas_labels(extract_dask_labels(y))
    if hasattr(x, "__next__"):
        if y is not None and not hasattr(y, "__next__"):
            raise ValueError("Both x and y should be iterators for streaming learning to work.")
        return StreamingDataFeeder(x, y, n_classes, batch_size or 1)
    return DataFeeder(x, y, n_classes, batch_size, shuffle=shuffle, epochs=epochs)


def setup_predict_data_feeder(x: Any, batch_size: int | None = None) -> Any:
    """Batches of an array, the last one smaller; or of what an iterator gives.

    Raises
    ------
    ValueError
        When `batch_size` is not positive.
    """
    x = extract_pandas_data(extract_dask_data(x))
    if batch_size is not None and batch_size <= 0:
        raise ValueError(f"Invalid batch_size {batch_size}.")
    if hasattr(x, "__next__"):
        return _batches(x, batch_size)
    x = x.reshape(-1, 1) if x.ndim == 1 else x
    n = len(x) if batch_size is None else batch_size
    return [x[i : i + n] for i in range(0, len(x), n)]


def _batches(x: Iterator[Any], n: int | None) -> Iterator[Any]:
    while rows := list(itertools.islice(x, n)):
        yield _stacked(rows)
