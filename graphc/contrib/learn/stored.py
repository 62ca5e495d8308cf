"""``tf.contrib.learn.datasets``: tables of numbers from files, the irises, the digits."""

from __future__ import annotations

import collections
import csv
import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face.files import GFile
from graphc.face.mnist import Datasets, read_data_sets

__all__ = [
    "DATASETS", "Dataset", "load_csv_with_header", "load_csv_without_header", "load_dataset",
    "load_dbpedia", "load_iris", "load_mnist", "maybe_download", "maybe_download_dbpedia",
    "shrink_csv",
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


def shrink_csv(filename: str, ratio: int) -> None:
    """Write one line of `ratio` of a table beside it: ``a.csv`` becomes ``a_small.csv``."""
    with GFile(filename) as f, GFile(_small(filename), "w") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerows(row for i, row in enumerate(csv.reader(f)) if i % ratio == 0)


def _small(filename: str) -> str:
    return filename.replace(".csv", "_small.csv")


def maybe_download_dbpedia(data_dir: str) -> None:
    """Look whether a folder has ``dbpedia_csv/train.csv`` and ``test.csv``.

    Raises
    ------
    FileNotFoundError
        When it has not: graphc downloads nothing.
    """
    for name in ("train.csv", "test.csv"):
        maybe_download(name, os.path.join(data_dir, "dbpedia_csv"), "DBpedia's archive, unpacked,")


#: Rows of the form that the files have, for trying a program out.
_FAKE = Datasets(
    Dataset(
        np.array([["graphc", "graphc is a compiler."], ["Elm", "The elm is a tree."],
                  ["Rhine", "The Rhine is a river."]]), np.array([1, 2, 3], np.int32),
    ),
    None,
    Dataset(np.array([["Oak", "The oak is a tree."]]), np.array([2], np.int32)),
)  # fmt: skip


def load_dbpedia(size: str = "small", test_with_fake_data: bool = False) -> Datasets:
    """Titles and abstracts of articles in 14 classes, from the folder ``dbpedia_data``.

    The folder is in that which the environment's ``TF_EXP_BASE_DIR`` names, or the current one.

    Parameters
    ----------
    size : str
        ``"small"`` is one article of a thousand.
    test_with_fake_data : bool
        Whether to give four rows of the same form that are in graphc itself.

    Raises
    ------
    FileNotFoundError
        When the files are not there.
    """
    if test_with_fake_data:
        return _FAKE
    folder = os.path.join(os.environ.get("TF_EXP_BASE_DIR", ""), "dbpedia_data")
    maybe_download_dbpedia(folder)
    found = []
    for name in ("train.csv", "test.csv"):
        path = os.path.join(folder, "dbpedia_csv", name)
        if size == "small":
            shrink_csv(path, 1000)
            path = _small(path)
        found.append(load_csv_without_header(path, np.int32, np.str_, target_column=0))
    return Datasets(found[0], None, found[1])


DATASETS: dict[str, Callable[..., Any]] = {
    "iris": load_iris, "mnist": load_mnist, "dbpedia": load_dbpedia,
}  # fmt: skip


def load_dataset(name: str, size: str = "small", test_with_fake_data: bool = False) -> Any:
    """A data set by its name: ``"iris"``, ``"mnist"`` or ``"dbpedia"``.

    Parameters
    ----------
    size, test_with_fake_data
        As for `load_dbpedia`.

    Raises
    ------
    ValueError
        When there is none of that name, or TensorFlow carries it and graphc does not.
    """
    if name == "dbpedia":
        return load_dbpedia(size, test_with_fake_data)
    if name in DATASETS:
        return DATASETS[name]()
    if name == "boston":
        raise ValueError(
            f"graphc has no data set {name!r}: it carries no data and downloads nothing"
        )
    raise ValueError(f"Name of dataset is not found: {name}")
