"""Lookup tables (``tf.contrib.lookup``, ``tf.lookup``): dictionaries that a session keeps."""

from __future__ import annotations

from typing import Any

from graphc.contrib.table_ops import TextFileIndex
from graphc.contrib.tables import (
    FastHashSpec,
    HasherSpec,
    HashTable,
    IdTableWithHashBuckets,
    KeyValueTensorInitializer,
    TextFileIdTableInitializer,
    TextFileStringTableInitializer,
)
from graphc.face.control import group
from graphc.face.current import get_collection
from graphc.face.elements import Operation
from graphc.face.graph_keys import GraphKeys
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import math, shapes, spaced, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made

__all__ = [
    "index_table_from_file", "index_table_from_tensor", "index_to_string",
    "index_to_string_table_from_file", "index_to_string_table_from_tensor", "initialize_all_tables",
    "string_to_index", "string_to_index_table_from_file", "string_to_index_table_from_tensor",
    "tables_initializer",
]  # fmt: skip


def _with_buckets(table: Any, buckets: int, spec: HasherSpec, dtype: Any) -> Any:
    return IdTableWithHashBuckets(table, buckets, spec, None, dtype) if buckets else table


def index_table_from_tensor(
    mapping: Any, num_oov_buckets: int = 0, default_value: Any = -1,
    hasher_spec: HasherSpec = FastHashSpec, dtype: Any = dtypes.string, name: str | None = None,
) -> Any:  # fmt: skip
    """A table from the elements of a vector to their places.

    Parameters
    ----------
    num_oov_buckets : int
        How many buckets for other keys; without them they have `default_value`.
    """
    if mapping is None:
        raise ValueError("mapping must be specified.")
    if num_oov_buckets < 0:
        raise ValueError("num_oov_buckets must be greater or equal than 0.")
    kind = as_dtype(dtype)
    keys = convert_to_tensor(mapping, dtype=None if isinstance(mapping, Value) else kind)
    if kind.is_integer != keys.dtype.is_integer:
        raise ValueError(f"Expected {kind!r}, got {keys.dtype!r}.")
    keys = math.cast(keys, dtypes.int64) if keys.dtype.is_integer else keys
    made(1)  # the size is cast
    n = shapes.size(keys, out_type=dtypes.int64)
    values = spaced.range(n, dtype=dtypes.int64)
    table = HashTable(KeyValueTensorInitializer(keys, values), default_value, None, name)
    return _with_buckets(table, num_oov_buckets, hasher_spec, table.key_dtype)


def index_table_from_file(
    vocabulary_file: Any = None, num_oov_buckets: int = 0, vocab_size: int | None = None,
    default_value: Any = -1, hasher_spec: HasherSpec = FastHashSpec,
    key_dtype: Any = dtypes.string, name: str | None = None,
    key_column_index: int = TextFileIndex.WHOLE_LINE,
    value_column_index: int = TextFileIndex.LINE_NUMBER, delimiter: str = "\t",
) -> Any:  # fmt: skip
    """A table from the lines of a file to their numbers."""
    if vocabulary_file is None or (isinstance(vocabulary_file, str) and not vocabulary_file):
        raise ValueError("vocabulary_file must be specified and must not be empty.")
    if num_oov_buckets < 0:
        raise ValueError(f"num_oov_buckets must be >= 0, got {num_oov_buckets}.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"vocab_size must be > 0, got {vocab_size}.")
    init = TextFileIdTableInitializer(
        vocabulary_file,
        key_column_index,
        value_column_index,
        vocab_size,
        delimiter,
        key_dtype=dtypes.int64 if as_dtype(key_dtype).is_integer else key_dtype,
    )
    table = HashTable(init, default_value, None, name)
    return _with_buckets(table, num_oov_buckets, hasher_spec, table.key_dtype)


def string_to_index_table_from_tensor(
    mapping: Any, num_oov_buckets: int = 0, default_value: Any = -1,
    hasher_spec: HasherSpec = FastHashSpec, name: str | None = None,
) -> Any:  # fmt: skip
    """`index_table_from_tensor` for strings."""
    return index_table_from_tensor(
        mapping, num_oov_buckets, default_value, hasher_spec, dtypes.string, name
    )


def string_to_index_table_from_file(
    vocabulary_file: Any = None, num_oov_buckets: int = 0, vocab_size: int | None = None,
    default_value: Any = -1, hasher_spec: HasherSpec = FastHashSpec, name: str | None = None,
) -> Any:  # fmt: skip
    """`index_table_from_file` for strings."""
    return index_table_from_file(
        vocabulary_file, num_oov_buckets, vocab_size, default_value, hasher_spec, dtypes.string,
        name,
    )  # fmt: skip


def index_to_string_table_from_tensor(
    mapping: Any, default_value: Any = "UNK", name: str | None = None
) -> HashTable:
    """A table from places to the strings of a vector."""
    if mapping is None:
        raise ValueError("mapping must be specified.")
    values = convert_to_tensor(mapping, dtype=None if isinstance(mapping, Value) else dtypes.string)
    made(1)  # the size is cast
    keys = spaced.range(shapes.size(values, out_type=dtypes.int64), dtype=dtypes.int64)
    return HashTable(KeyValueTensorInitializer(keys, values), default_value, None, name)


def index_to_string_table_from_file(
    vocabulary_file: Any, vocab_size: int | None = None, default_value: Any = "UNK",
    name: str | None = None, key_column_index: int = TextFileIndex.LINE_NUMBER,
    value_column_index: int = TextFileIndex.WHOLE_LINE, delimiter: str = "\t",
) -> HashTable:  # fmt: skip
    """A table from the numbers of the lines of a file to the lines."""
    if vocabulary_file is None or (isinstance(vocabulary_file, str) and not vocabulary_file):
        raise ValueError("vocabulary_file must be specified.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"vocab_size must be > 0, got {vocab_size}.")
    init = TextFileStringTableInitializer(
        vocabulary_file, key_column_index, value_column_index, vocab_size, delimiter
    )
    return HashTable(init, default_value, None, name)


def string_to_index(
    tensor: Any, mapping: Any, default_value: Any = -1, name: str | None = None
) -> Any:
    """The places of strings in a vector of strings."""
    return index_table_from_tensor(mapping, default_value=default_value).lookup(tensor, name)


def index_to_string(
    tensor: Any, mapping: Any, default_value: Any = "UNK", name: str | None = None
) -> Any:
    """The strings at places of a vector of strings."""
    return index_to_string_table_from_tensor(mapping, default_value).lookup(tensor, name)


def tables_initializer(name: str = "init_all_tables") -> Operation:
    """An operation that fills all tables of the graph."""
    found = get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(*found, name=name) if found else state.no_op(name=name)  # type: ignore[return-value]


def initialize_all_tables(name: str = "init_all_tables") -> Operation:
    """The older spelling of `tables_initializer`."""
    return tables_initializer(name)
