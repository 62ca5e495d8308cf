"""``tf.contrib.learn.datasets``: tables of numbers from files, the irises, the digits."""

from __future__ import annotations

import collections
import csv
import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.face.files import GFile
from graphc.face.mnist import read_data_sets

__all__ = [
    "DATASETS", "Dataset", "load_csv_with_header", "load_csv_without_header", "load_dataset",
    "load_iris", "load_mnist", "maybe_download",
]  # fmt: skip

Dataset = collections.namedtuple("Dataset", ["data", "target"])


def load_csv_with_header(
    filename: str, target_dtype: Any, features_dtype: Any, target_column: int = -1
) -> Dataset:
    """A table whose first line begins with its numbers of rows and of columns.

    Parameters
    ----------
    target_column : int
        The column that is the target; the others are the data, in their order.
    """
    with GFile(filename) as f:
        rows = csv.reader(f)
        header = next(rows)
        count, width = int(header[0]), int(header[1])
        data = np.zeros((count, width), features_dtype)
        target = np.zeros((count,), target_dtype)
        for i, row in enumerate(rows):
            target[i] = np.asarray(row.pop(target_column), dtype=target_dtype)
            data[i] = np.asarray(row, dtype=features_dtype)
    return Dataset(data, target)


def load_csv_without_header(
    filename: str, target_dtype: Any, features_dtype: Any, target_column: int = -1
) -> Dataset:
    """A table of numbers; see `load_csv_with_header`."""
    data: list[Any] = []
    target: list[Any] = []
    with GFile(filename) as f:
        for row in csv.reader(f):
            target.append(row.pop(target_column))
            data.append(np.asarray(row, dtype=features_dtype))
    return Dataset(np.array(data), np.array(target, dtype=target_dtype))


def maybe_download(filename: str, work_directory: str, source_url: str) -> str:
    """The path of a file that is in a folder already: graphc downloads nothing."""
    path = os.path.join(work_directory, filename)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"there is no {path!r}, and graphc downloads nothing: put {source_url} there"
        )
    return path


#: Where the numbers that TensorFlow carries differ from scikit-learn's: row, column, number.
_OTHER = ((34, 3, 0.1), (37, 1, 3.1), (37, 2, 1.5))


def load_iris(data_path: str | None = None) -> Dataset:
    """The irises: 150 rows of four numbers, three kinds.

    Parameters
    ----------
    data_path : str, optional
        A file for `load_csv_with_header`; without it scikit-learn must be installed.
    """
    if data_path is not None:
        return load_csv_with_header(data_path, np.int64, np.float64)
    try:
        stored = importlib.import_module("sklearn.datasets").load_iris
    except ImportError:
        raise ImportError(
            "tf.contrib.learn.datasets.load_iris takes the irises of scikit-learn, which is not "
            "installed: pip install scikit-learn, or give data_path"
        ) from None
    made = stored()
    data = np.array(made.data, np.float64)
    for row, column, number in _OTHER:
        data[row, column] = number
    return Dataset(data, np.array(made.target, np.int64))


def load_mnist(train_dir: str = "MNIST-data") -> Any:
    """The handwritten digits, from the files of a folder."""
    return read_data_sets(train_dir)


DATASETS: dict[str, Callable[..., Any]] = {"iris": load_iris, "mnist": load_mnist}


def load_dataset(name: str, size: str = "small", test_with_fake_data: bool = False) -> Any:
    """A data set by its name: ``"iris"`` or ``"mnist"``.

    Raises
    ------
    ValueError
        When there is none of that name, or TensorFlow would have to download it.
    """
    if name in DATASETS:
        return DATASETS[name]()
    more: Sequence[str] = ("boston", "dbpedia")
    if name in more:
        raise ValueError(f"graphc has no data set {name!r}: it downloads nothing")
    raise ValueError(f"Name of dataset is not found: {name}")
