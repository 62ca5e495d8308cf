"""Classes of lookup tables, and of what fills them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.contrib.table_ops import (
    TextFileIndex,
    count_op,
    export_op,
    file_op,
    fill_op,
    find_op,
    insert_op,
    remove_op,
    table_op,
    usable_op,
)
from graphc.errors import UnimplementedError
from graphc.face.current import add_to_collection, name_scope
from graphc.face.elements import Operation
from graphc.face.graph_keys import GraphKeys
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops import math, state, strings
from graphc.ops.convert import convert_to_tensor
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "FastHashSpec", "HashTable", "HasherSpec", "IdTableWithHashBuckets",
    "InitializableLookupTableBase", "KeyValueTensorInitializer", "LookupInterface",
    "MutableDenseHashTable", "MutableHashTable", "StaticHashTable", "StaticVocabularyTable",
    "StrongHashSpec", "TableInitializerBase", "TextFileIdTableInitializer", "TextFileInitializer",
    "TextFileStringTableInitializer",
]  # fmt: skip

# ------------------------------------------------------------------------- initializers


class _Typed:
    """What has keys of one type and values of another."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = as_dtype(key_dtype)
        self._value_dtype = as_dtype(value_dtype)

    @property
    def key_dtype(self) -> DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> DType:
        return self._value_dtype


class TableInitializerBase(_Typed):
    """What fills a table."""

    def initialize(self, table: Any) -> Operation:
        """The operation that fills `table`."""
        raise NotImplementedError


class KeyValueTensorInitializer(TableInitializerBase):
    """Keys and values as tensors.

    Parameters
    ----------
    keys, values : vectors of one length
    key_dtype, value_dtype : DType, optional
    """

    def __init__(
        self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        with name_scope(name, "key_value_init", [keys, values]):
            self._keys = convert_to_tensor(keys, dtype=key_dtype, name="keys")
            self._values = convert_to_tensor(values, dtype=value_dtype, name="values")
        super().__init__(self._keys.dtype, self._values.dtype)

    def initialize(self, table: Any) -> Operation:
        with name_scope(None, table.name):
            attrs = {"table": table._key}
            done = build(fill_op, (self._keys, self._values), attrs, "table_init")
        add_to_collection(GraphKeys.TABLE_INITIALIZERS, done)
        return done  # type: ignore[return-value]


class TextFileInitializer(TableInitializerBase):
    """Keys and values from the lines of a file.

    Parameters
    ----------
    filename : str or tensor
    key_dtype, value_dtype : DType
    key_index, value_index : int
        A column from 0, `TextFileIndex.WHOLE_LINE` or `TextFileIndex.LINE_NUMBER`.
    vocab_size : int, optional
        How many lines to read; all by default.
    delimiter : str
        Between columns.
    """

    def __init__(
        self, filename: Any, key_dtype: Any, key_index: int, value_dtype: Any, value_index: int,
        vocab_size: int | None = None, delimiter: str = "\t", name: str | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(filename, Value) and not filename:
            raise ValueError("Filename required")
        super().__init__(key_dtype, value_dtype)
        for what, index, dtype in (("key", key_index, self._key_dtype),
                                   ("value", value_index, self._value_dtype)):  # fmt: skip
            if index < -2:
                raise ValueError(f"Invalid {what} index {index}.")
            if index == TextFileIndex.LINE_NUMBER and dtype is not dtypes.int64:
                raise ValueError(f"Signature mismatch. {what.title()}s must be dtype int64.")
            if index == TextFileIndex.WHOLE_LINE and dtype.kind not in "is":
                raise ValueError(f"Signature mismatch. {what.title()}s must be integer or string.")
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"Invalid vocab_size {vocab_size}.")
        self._filename = convert_to_tensor(filename, dtype=dtypes.string, name="asset_filepath")
        self._attrs: dict[str, Any] = {
            "key": (int(key_index), self._key_dtype), "size": vocab_size,
            "value": (int(value_index), self._value_dtype), "delimiter": delimiter.encode(),
        }  # fmt: skip
        add_to_collection(GraphKeys.ASSET_FILEPATHS, self._filename)

    def initialize(self, table: Any) -> Operation:
        with name_scope(None, table.name):
            attrs = {**self._attrs, "table": table._key}
            done = build(file_op, (self._filename,), attrs, "text_file_init")
        add_to_collection(GraphKeys.TABLE_INITIALIZERS, done)
        return done  # type: ignore[return-value]


class TextFileIdTableInitializer(TextFileInitializer):
    """From the lines of a file to their numbers."""

    def __init__(
        self, filename: Any, key_column_index: int = TextFileIndex.WHOLE_LINE,
        value_column_index: int = TextFileIndex.LINE_NUMBER, vocab_size: int | None = None,
        delimiter: str = "\t", name: str = "text_file_id_table_init",
        key_dtype: Any = dtypes.string,
    ) -> None:  # fmt: skip
        super().__init__(filename, key_dtype, key_column_index, dtypes.int64, value_column_index,
                         vocab_size, delimiter, name)  # fmt: skip


class TextFileStringTableInitializer(TextFileInitializer):
    """From the numbers of the lines of a file to the lines."""

    def __init__(
        self, filename: Any, key_column_index: int = TextFileIndex.LINE_NUMBER,
        value_column_index: int = TextFileIndex.WHOLE_LINE, vocab_size: int | None = None,
        delimiter: str = "\t", name: str = "text_file_string_table_init",
    ) -> None:  # fmt: skip
        super().__init__(filename, dtypes.int64, key_column_index, dtypes.string,
                         value_column_index, vocab_size, delimiter, name)  # fmt: skip


# ------------------------------------------------------------------------- tables


class LookupInterface(_Typed):
    """A table: keys of one type to values of another."""

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def resource_handle(self) -> Any:
        """What stands for the table in the graph."""
        raise NotImplementedError

    def size(self, name: str | None = None) -> Value:
        raise NotImplementedError

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        raise NotImplementedError

    def _keys(self, keys: Any) -> Value:
        dtype = None if isinstance(keys, Value) else self._key_dtype
        v = convert_to_tensor(keys, dtype=dtype, name="keys")
        if v.dtype is not self._key_dtype:
            raise TypeError(
                f"Signature mismatch. Keys must be dtype {self._key_dtype!r}, got {v.dtype!r}."
            )
        return v


class _Held(LookupInterface):
    """A table that is a resource of the session."""

    def __init__(self, key_dtype: Any, value_dtype: Any, default: Any, name: str, tf: str) -> None:
        super().__init__(key_dtype, value_dtype)
        self._node = build(
            table_op, (), {"tf": tf, "types": (self._key_dtype, self._value_dtype)}, name
        )
        self._key = self._node.name
        self._default_value = convert_to_tensor(default, dtype=self._value_dtype)
        self._shape = tuple(self._default_value.static_shape or ())
        self._started = tf != "HashTableV2"

    @property
    def name(self) -> str:
        return self._node.name.rsplit("/", 1)[-1]

    @property
    def resource_handle(self) -> Any:
        return self._node

    @property
    def default_value(self) -> Value:
        return self._default_value

    def size(self, name: str | None = None) -> Value:
        """How many keys it has."""
        with name_scope(name, f"{self.name}_Size"):
            attrs = {"table": self._key, "started": self._started}
            return build(count_op, (), attrs, "LookupTableSizeV2").outputs[0]

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The values of `keys`, a tensor or a `SparseTensor`; the default for keys it has not."""
        if isinstance(keys, SparseTensor):
            return sparse_of(keys.indices, self.lookup(keys.values, name), keys.dense_shape)
        with name_scope(name, f"{self.name}_Lookup"):
            k = self._keys(keys)
            attrs = {"table": self._key, "shape": self._shape, "dtype": self._value_dtype,
                     "started": self._started}  # fmt: skip
            return build(find_op, (k, self._default_value), attrs, "LookupTableFindV2").outputs[0]

    def export(self, name: str | None = None) -> tuple[Value, Value]:
        """All keys and values."""
        with name_scope(name, f"{self.name}_lookup_table_export_values"):
            types = (self._key_dtype, self._value_dtype)
            attrs = {"table": self._key, "types": types, "shape": self._shape,
                     "started": self._started}  # fmt: skip
            keys, values = build(export_op, (), attrs, "LookupTableExportV2").outputs
            return keys, values


class HashTable(_Held):
    """A table that its initializer fills once; `tables_initializer` runs it.

    Parameters
    ----------
    initializer : TableInitializerBase
    default_value : scalar
        The value of keys that are not there.
    shared_name : str, optional
        Accepted.
    """

    def __init__(
        self, initializer: Any, default_value: Any, shared_name: str | None = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(initializer.key_dtype, initializer.value_dtype, default_value,
                         name or "hash_table", "HashTableV2")  # fmt: skip
        self._initializer = initializer
        self._init_op = initializer.initialize(self)

    @property
    def initializer(self) -> Any:
        return self._init_op

    @property
    def init(self) -> Any:
        return self._init_op


class StaticHashTable(HashTable):
    """`HashTable` under its newer name."""

    def __init__(self, initializer: Any, default_value: Any, name: str | None = None) -> None:
        super().__init__(initializer, default_value, None, name)


class MutableHashTable(_Held):
    """A table that operations change.

    Parameters
    ----------
    key_dtype, value_dtype : DType
    default_value : tensor
        The value of keys that are not there; its shape is that of all values.
    """

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, name: str = "MutableHashTable",
        checkpoint: bool = True, shared_name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value, name, "MutableHashTableV2")

    def insert(self, keys: Any, values: Any, name: str | None = None) -> Operation:
        """An operation that sets the values of `keys`."""
        with name_scope(name, f"{self.name}_lookup_table_insert"):
            k = self._keys(keys)
            dtype = None if isinstance(values, Value) else self._value_dtype
            v = convert_to_tensor(values, dtype=dtype, name="values")
            if v.dtype is not self._value_dtype:
                raise TypeError(
                    f"Signature mismatch. Values must be dtype {self._value_dtype!r}, got "
                    f"{v.dtype!r}."
                )
            attrs = {"table": self._key}
            return build(insert_op, (k, v), attrs, "LookupTableInsertV2")  # type: ignore[return-value]

    def remove(self, keys: Any, name: str | None = None) -> Operation:
        """An operation that removes `keys`."""
        with name_scope(name, f"{self.name}_lookup_table_remove"):
            attrs = {"table": self._key}
            return build(remove_op, (self._keys(keys),), attrs, "LookupTableRemoveV2")  # type: ignore[return-value]


class MutableDenseHashTable(MutableHashTable):
    """`MutableHashTable` under the name of TensorFlow's faster one, which needs two unused keys.

    Parameters
    ----------
    empty_key, deleted_key
        Keys that are never used: single ones that differ. Inserting them, looking them up or
        removing them is an `InvalidArgumentError` of the run.
    initial_num_buckets : int, optional
        A power of two, 4 at least; it changes nothing else.
    """

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, empty_key: Any,
        deleted_key: Any, initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable", checkpoint: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value, name, checkpoint)
        self._unused = [
            convert_to_tensor(k, dtype=self._key_dtype) for k in (empty_key, deleted_key)
        ]
        first, second = self._unused
        if first.static_shape != second.static_shape:
            raise ValueError("Empty and deleted keys must have same shape, got shapes: "
                             f"{first.static_shape} and {second.static_shape}")  # fmt: skip
        if first.static_shape:
            raise UnimplementedError(
                None, None,
                f"keys of a table are single ones here, but empty_key has shape "
                f"{list(first.static_shape)}",
            )  # fmt: skip
        self._buckets = initial_num_buckets

    def _keys(self, keys: Any) -> Value:
        v = super()._keys(keys)
        attrs = {"buckets": self._buckets}
        return build(usable_op, (v, *self._unused), attrs, "usable").outputs[0]

    def insert_or_assign(self, keys: Any, values: Any, name: str | None = None) -> Operation:
        """`insert`."""
        return self.insert(keys, values, name)

    def erase(self, keys: Any, name: str | None = None) -> Operation:
        """`remove`."""
        return self.remove(keys, name)


class InitializableLookupTableBase(HashTable):
    """`HashTable` with its arguments in the order of TensorFlow's base class."""

    def __init__(self, default_value: Any, initializer: Any) -> None:
        super().__init__(initializer, default_value)


# ------------------------------------------------------------------------- out of vocabulary


class HasherSpec(NamedTuple):
    """Which hash finds the bucket of a key that is not in the table."""

    hasher: str
    key: Any


FastHashSpec = HasherSpec("fasthash", None)


def StrongHashSpec(key: Sequence[int]) -> HasherSpec:
    """SipHash with a key of two numbers."""
    if not isinstance(key, list | tuple) or len(key) != 2:
        raise ValueError(f"key must have size 2, got {key}.")
    return HasherSpec("stronghash", key)


class IdTableWithHashBuckets(LookupInterface):
    """A table, and buckets for the keys it has not.

    Parameters
    ----------
    table : LookupInterface or None
        From keys to int64 numbers from 0 on.
    num_oov_buckets : int
        How many buckets follow.
    """

    def __init__(
        self, table: Any, num_oov_buckets: int, hasher_spec: HasherSpec = FastHashSpec,
        name: str | None = None, key_dtype: Any = None,
    ) -> None:  # fmt: skip
        if table is None and num_oov_buckets <= 0:
            raise ValueError("oov_buckets must be > 0 if no table is supplied.")
        if not isinstance(hasher_spec, HasherSpec):
            raise TypeError(f"hasher_spec must be of type HasherSpec, got {hasher_spec!r}")
        if hasher_spec.hasher not in ("fasthash", "legacy", "stronghash"):
            raise ValueError(f"Unknown hasher {hasher_spec.hasher!r}")
        dtype = key_dtype or (dtypes.string if table is None else table.key_dtype)
        super().__init__(dtype, dtypes.int64)
        self._table = table
        self._buckets = int(num_oov_buckets)
        self._hasher = hasher_spec
        default = "hash_bucket" if table is None else table.name
        self._name = (name or default).rsplit("/", 1)[-1]

    @property
    def name(self) -> str:
        return self._name

    @property
    def initializer(self) -> Any:
        return state.no_op() if self._table is None else self._table.initializer

    init = initializer

    @property
    def resource_handle(self) -> Any:
        return None if self._table is None else self._table.resource_handle

    def size(self, name: str | None = None) -> Value:
        """The keys of the table and the buckets."""
        with name_scope(name, f"{self.name}_Size"):
            n = convert_to_tensor(np.int64(self._buckets))
            return n if self._table is None else self._table.size() + n

    def _bucket(self, keys: Value) -> Value:
        text = keys if keys.dtype.kind == "s" else strings.as_string(keys)
        if self._hasher.hasher == "stronghash":
            return strings.string_to_hash_bucket_strong(text, self._buckets, self._hasher.key)
        if self._hasher.hasher == "legacy":
            return strings.string_to_hash_bucket(text, self._buckets)
        return strings.string_to_hash_bucket_fast(text, self._buckets)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The number of each key, or that of its bucket."""
        if isinstance(keys, SparseTensor):
            return sparse_of(keys.indices, self.lookup(keys.values, name), keys.dense_shape)
        with name_scope(name, f"{self.name}_Lookup"):
            k = self._keys(keys)
            if self._table is None:
                return self._bucket(k)
            ids = self._table.lookup(k)
            if not self._buckets:
                return ids
            bucket = self._bucket(k) + self._table.size()
            return math.select(math.not_equal(ids, self._table.default_value), ids, bucket)


class StaticVocabularyTable(IdTableWithHashBuckets):
    """A vocabulary and buckets for words it has not.

    Parameters
    ----------
    initializer : TableInitializerBase or None
        From words to int64 numbers from 0 on.
    num_oov_buckets : int
        At least 1.
    """

    def __init__(
        self, initializer: Any, num_oov_buckets: int, lookup_key_dtype: Any = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        if num_oov_buckets <= 0:
            raise ValueError("oov_buckets must be > 0.")
        table = None if initializer is None else HashTable(initializer, -1)
        if table is not None and table.value_dtype is not dtypes.int64:
            raise TypeError("Invalid value dtype: the values must be int64.")
        super().__init__(table, num_oov_buckets, FastHashSpec, name, lookup_key_dtype)
