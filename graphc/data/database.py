"""Rows of a database as elements: ``tf.data.experimental.SqlDataset``."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.function import Context
from graphc.data.streams import Element, Stream
from graphc.data.structure import TensorSpec
from graphc.errors import InvalidArgumentError, UnknownError
from graphc.ir.dtypes import DType, as_dtype, float64, string
from graphc.ops.convert import convert_to_tensor

__all__ = ["SqlDataset"]

_TYPES = "string int8 int16 int32 int64 uint8 uint16 bool float64"
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def _refuse(text: str) -> Exception:
    return InvalidArgumentError(None, None, text)


def _text(value: Any) -> bytes:
    """As SQLite writes a value."""
    if value is None:
        return b""
    if isinstance(value, float):
        word = repr(value)
        if "e" in word and "." not in word:
            word = word.replace("e", ".0e")
        return word.encode()
    return value if isinstance(value, bytes) else str(value).encode()


def _number(value: Any) -> int | float:
    """As SQLite reads a value as a number: of a text its beginning, of nothing 0."""
    if isinstance(value, int | float):
        return value
    found = _NUMBER.match(_text(value).decode(errors="replace"))
    if found is None:
        return 0
    word = found[0]
    return int(word) if re.fullmatch(r"\s*[-+]?\d+", word) else float(word)


def _as(dtype: DType, value: Any) -> Any:
    """A value of a column as a number or text of the type asked for."""
    if dtype is string:
        return _text(value)
    number = _number(value)
    if dtype is float64:
        return np.float64(number)
    whole = int(max(-(2**63), min(number, 2**63 - 1)))
    if dtype == "bool":
        return np.bool_(whole != 0)
    if dtype == "int64":
        return np.int64(whole)
    bits = 8 * dtype.size
    return np.array(whole & (2**bits - 1), f"u{dtype.size}").astype(dtype.np)[()]


class SqlDataset(Dataset):
    """The rows that a query finds, as tuples of scalars.

    Parameters
    ----------
    driver_name : str
        ``"sqlite"``.
    data_source_name : str
        The file.
    query : str
    output_types : tuple of DType
        Of the columns: strings, whole numbers, bool, float64. What is missing is 0 or empty.

    Examples
    --------
    >>> import contextlib, os, sqlite3, tempfile
    >>> import graphc as tf
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.db")
    >>> with contextlib.closing(sqlite3.connect(path)) as db, db:
    ...     _ = db.execute("create table t (n integer, name text)")
    ...     _ = db.execute("insert into t values (1, 'one'), (2, 'two')")
    >>> rows = tf.data.experimental.SqlDataset(
    ...     "sqlite", path, "select * from t order by n desc", (tf.int32, tf.string))
    >>> with tf.Session() as session:
    ...     number, name = session.run(rows.make_one_shot_iterator().get_next())
    >>> print(number, name)
    2 b'two'
    """

    _type: ClassVar[str] = "SqlDataset"

    def __init__(
        self, driver_name: Any, data_source_name: Any, query: Any, output_types: Any
    ) -> None:
        words = (("driver_name", driver_name), ("data_source_name", data_source_name),
                 ("query", query))  # fmt: skip
        tensors = [convert_to_tensor(x, string, name) for name, x in words]
        types = [as_dtype(t) for t in output_types]
        super().__init__(tuple([TensorSpec([], t) for t in types]), (), tensors)

    def _open(self, context: Context) -> Stream:
        driver, source, query = (
            bytes(np.asarray(context.value(t))[()]).decode() for t in self._tensors
        )
        if driver != "sqlite":
            raise _refuse(
                f"The database type, {driver}, is not supported by SqlDataset. The set of "
                "supported databases is: {'sqlite'}."
            )
        for s in self._specs:
            if s.dtype.name not in _TYPES.split():
                raise _refuse(
                    f"Each element of `output_types` must be one of: {_TYPES}; not {s.dtype.name}"
                )
        return Stream(self._rows(source, query))

    def _rows(self, source: str, query: str) -> Iterator[Element]:
        types = [s.dtype for s in self._specs]
        try:
            db = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
        except sqlite3.OperationalError as e:
            raise _refuse(f"Sqlite::Open({source}) failed: {e}") from None
        with closing(db):
            try:
                cursor = db.execute(query)
            except sqlite3.Error as e:
                raise UnknownError(None, None, f"Prepare() failed: {e}: {query}") from None
            columns = len(cursor.description or ())
            if columns != len(types):
                raise _refuse(
                    f"The number of columns in query ({columns}) must match the number of elements "
                    f"in output_types ({len(types)})."
                )
            for row in cursor:
                yield tuple([_as(t, v) for t, v in zip(types, row, strict=True)])
