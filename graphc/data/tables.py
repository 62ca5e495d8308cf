"""Batches of the rows of tables in files: ``make_csv_dataset``."""

from __future__ import annotations

import csv
import glob
import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.files import CsvDataset, open_file

__all__ = ["make_csv_dataset"]


def make_csv_dataset(
    file_pattern: Any, batch_size: Any, column_names: Any = None, column_defaults: Any = None,
    label_name: Any = None, select_columns: Any = None, field_delim: str = ",",
    use_quote_delim: bool = True, na_value: str = "", header: bool = True, num_epochs: Any = None,
    shuffle: bool = True, shuffle_buffer_size: Any = 10000, shuffle_seed: Any = None,
    prefetch_buffer_size: Any = None, num_parallel_reads: Any = None, sloppy: bool = False,
    num_rows_for_inference: int = 100, compression_type: Any = None, ignore_errors: bool = False,
) -> Dataset:  # fmt: skip
    """Batches of the rows of tables: dicts from column name to tensor.

    Parameters
    ----------
    file_pattern : str or list of str
    column_names : list of str, optional
        The first line of the first file if not given.
    column_defaults : list, optional
        Defaults or types of the columns, found from the first rows if not given.
    label_name : str, optional
        A column that is the label: elements are then pairs (features, label).
    """
    files = _matching(file_pattern)
    with open_file(files[0], compression_type or "") as raw:
        reader = csv.reader(io.TextIOWrapper(raw, newline=""), delimiter=field_delim)
        rows = list(itertools.islice(reader, num_rows_for_inference + 1))
    column_names = _column_names(column_names, rows, header)
    picked = list(range(len(column_names)))
    if select_columns is not None:
        picked = [c if isinstance(c, int) else column_names.index(c) for c in select_columns]
        picked.sort()
    if column_defaults is None:
        body = rows[1:] if header else rows
        column_defaults = [_guess([r[c] for r in body], na_value) for c in picked]
    names = [column_names[c] for c in picked]
    if label_name is not None and label_name not in names:
        raise ValueError("`label_name` provided must be one of the columns.")

    def rows_of(f: Any) -> Dataset:
        return CsvDataset(
            f, column_defaults, compression_type, None, header, field_delim, use_quote_delim,
            na_value, picked,
        )  # fmt: skip

    def named(*columns: Any) -> Any:
        features = dict(zip(names, columns, strict=True))
        if label_name is None:
            return features
        label = features.pop(label_name)
        return features, label

    d = Dataset.from_tensor_slices(np.array(files, object))
    if shuffle:
        d = d.shuffle(len(files), shuffle_seed)
    d = d.interleave(rows_of, cycle_length=num_parallel_reads or 1)
    if shuffle:
        d = d.shuffle(shuffle_buffer_size, shuffle_seed)
    if num_epochs != 1:
        d = d.repeat(num_epochs)
    if ignore_errors:
        from graphc.data.experimental import ignore_errors as without_errors

        d = d.apply(without_errors())
    return d.batch(batch_size, drop_remainder=num_epochs is None).map(named)


def _column_names(names: Any, rows: Sequence[Sequence[str]], header: bool) -> Sequence[str]:
    if names is None:
        if not header:
            raise ValueError("Cannot infer column names without header line.")
        names = rows[0]
    if len(names) != len(set(names)):
        raise ValueError("Cannot have duplicate column names.")
    found: Sequence[str] = names
    return found


def _matching(file_pattern: Any) -> list[str]:
    patterns = [file_pattern] if isinstance(file_pattern, str) else list(file_pattern)
    files = [f for p in patterns for f in sorted(glob.glob(p))]
    if not files:
        raise ValueError(f"No files match {file_pattern}.")
    return files


def _guess(texts: Sequence[str], na: str) -> Any:
    """The type of a column of text: the first of int32, int64, float32, float64, string."""
    given = [t for t in texts if t not in ("", na)]

    def all_are(kind: Callable[[str], Any]) -> bool:
        try:
            return all(kind(t) is not None for t in given)
        except (ValueError, OverflowError):
            return False

    if all_are(lambda t: np.int32(int(t))):
        return [np.int32(0)]
    if all_are(lambda t: np.int64(int(t))):
        return [np.int64(0)]
    return [0.0] if all_are(float) else [""]
