"""Lookup tables (``tf.contrib.lookup``, ``tf.lookup``): dictionaries that a session keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnimplementedError,
)
from graphc.face.control import group
from graphc.face.current import add_to_collection, get_collection, name_scope
from graphc.face.elements import Operation
from graphc.face.graph_keys import GraphKeys
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops import math, shapes, spaced, state, strings
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "FastHashSpec", "HashTable", "HasherSpec", "IdTableWithHashBuckets",
    "InitializableLookupTableBase", "KeyValueTensorInitializer", "LookupInterface",
    "MutableDenseHashTable", "MutableHashTable", "StaticHashTable",
    "StaticVocabularyTable",
    "StrongHashSpec", "TableInitializerBase", "TextFileIdTableInitializer", "TextFileIndex",
    "TextFileInitializer", "TextFileStringTableInitializer", "index_table_from_file",
    "index_table_from_tensor", "index_to_string", "index_to_string_table_from_file",
    "index_to_string_table_from_tensor", "initialize_all_tables", "string_to_index",
    "string_to_index_table_from_file", "string_to_index_table_from_tensor", "tables_initializer",
]  # fmt: skip

# ------------------------------------------------------------------------- what the host does


class _Table:
    """A table in a session."""

    def __init__(self) -> None:
        self.items: dict[Any, Any] | None = None


def _of(context: Any, table: str) -> _Table:
    found: _Table = context.resource(f"table/{table}", _Table)
    return found


def _held(context: Any, table: str) -> dict[Any, Any]:
    items = _of(context, table).items
    if items is None:
        raise FailedPreconditionError(None, None, "Table not initialized.")
    return items


def _fill(context: Any, keys: Any, values: Any, *, table: str) -> tuple[()]:
    made: dict[Any, Any] = {}
    _put(made, keys.tolist(), values.tolist())
    _of(context, table).items = made
    return ()


def _put(items: dict[Any, Any], keys: Sequence[Any], values: Sequence[Any]) -> None:
    for k, v in zip(keys, values, strict=True):
        if items.setdefault(k, v) != v:
            show = [x.decode(errors="replace") if isinstance(x, bytes) else x
                    for x in (k, items[k], v)]  # fmt: skip
            raise FailedPreconditionError(
                None, None,
                f"HashTable has different value for same key. Key {show[0]} has {show[1]} and "
                f"trying to add value {show[2]}",
            )  # fmt: skip


def _find(
    context: Any, keys: Any, default: Any, *, table: str, shape: Any, dtype: DType, started: bool
) -> Any:
    items = _of(context, table).items or {} if started else _held(context, table)
    other = default[()] if default.ndim == 0 else default
    flat = keys.reshape(-1)
    out = np.empty((len(flat), *shape), dtype.np)
    for i, k in enumerate(flat.tolist()):
        out[i] = items.get(k, other)
    return out.reshape((*keys.shape, *shape))


def _insert(context: Any, keys: Any, values: Any, *, table: str) -> tuple[()]:
    items = _of(context, table).items
    if items is None:
        items = _of(context, table).items = {}
    flat = values.reshape(keys.size, *values.shape[keys.ndim :])
    for k, v in zip(keys.reshape(-1).tolist(), flat, strict=True):
        items[k] = v.copy() if isinstance(v, np.ndarray) and v.ndim else v
    return ()


def _usable(keys: Any, empty: Any, deleted: Any, *, buckets: int | None) -> Any:
    """The keys of a dense table, which marks its free and its emptied buckets with two others."""
    free, gone = empty[()], deleted[()]
    if free == gone:
        raise InvalidArgumentError(None, None, "Empty and deleted keys cannot be equal")
    if buckets is not None and (buckets < 4 or buckets & (buckets - 1)):
        raise InvalidArgumentError(
            None, None, f"Number of buckets must be at least 4 and a power of 2, got: {buckets}"
        )
    for name, key in (("empty_key", free), ("deleted_key", gone)):
        if np.any(keys == key):
            text = f"Using the {name} as a table key is not allowed"
            raise InvalidArgumentError(None, None, text)
    return keys


def _remove(context: Any, keys: Any, *, table: str) -> tuple[()]:
    items = _of(context, table).items or {}
    for k in keys.reshape(-1).tolist():
        items.pop(k, None)
    return ()


def _count(context: Any, *, table: str, started: bool) -> Any:
    if started:
        return np.int64(len(_of(context, table).items or {}))
    return np.int64(len(_held(context, table)))


def _export(
    context: Any, *, table: str, types: Any, shape: Any, started: bool = True
) -> Any:  # fmt: skip
    items = (_of(context, table).items or {}) if started else _held(context, table)
    keys = np.empty(len(items), types[0].np)
    values = np.empty((len(items), *shape), types[1].np)
    for i, (k, v) in enumerate(items.items()):
        keys[i], values[i] = k, v
    return keys, values


def _found(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(attrs["dtype"], None if s is None else (*s, *attrs["shape"]))]


def _exported(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = D.fresh()
    a, b = attrs["types"]
    return [(a, (n,)), (b, (n, *attrs["shape"]))]


_ANY: dict[str, Any] = {"types": "fiubs", "stateful": True, "grad": no_grad}
_EFFECT: dict[str, Any] = {**_ANY, "facts": {"effect": True}, "infer": lambda inputs, attrs: []}

table_op = op(
    "hash_table", "HashTableV2", "state", doc="A table of the session.", types="fiubs",
    infer=lambda inputs, attrs: [], stateful=True,
    facts={"effect_only": True, "type": lambda inputs, attrs: attrs["tf"]},
)  # fmt: skip
fill_op = op("table_init", "InitializeTableV2", "host", doc="Fills a table.", host=_fill,
             args=("keys", "values"), **_EFFECT)  # fmt: skip
find_op = op(
    "table_find", "LookupTableFindV2", "host", doc="Values of keys.", host=_find, infer=_found,
    args=("keys", "default"), **_ANY,
)  # fmt: skip
insert_op = op("table_insert", "LookupTableInsertV2", "host", doc="Adds to a table.",
               host=_insert, args=("keys", "values"), **_EFFECT)  # fmt: skip
usable_op = op(
    "table_usable_keys", "TableUsableKeys", "host", doc="Keys that a dense table may have.",
    numpy=_usable, types="fiubs", args=("keys", "empty", "deleted"), grad=no_grad,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)],
)  # fmt: skip
remove_op = op("table_remove", "LookupTableRemoveV2", "host", doc="Takes from a table.",
               host=_remove, args=("keys",), **_EFFECT)  # fmt: skip
count_op = op(
    "table_size", "LookupTableSizeV2", "host", doc="How many keys a table has.", host=_count,
    infer=lambda inputs, attrs: [(dtypes.int64, ())], **_ANY,
)  # fmt: skip
export_op = op(
    "table_export", "LookupTableExportV2", "host", doc="All keys and values.", host=_export,
    infer=_exported, **_ANY,
)  # fmt: skip

# ------------------------------------------------------------------------- files


class TextFileIndex:
    """Which part of a line is a key or a value: a column from 0, or one of these."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


def _column(lines: Sequence[bytes], index: int, delimiter: bytes, dtype: DType) -> list[Any]:
    if index == TextFileIndex.LINE_NUMBER:
        return list(range(len(lines)))
    out = []
    for i, line in enumerate(lines):
        parts = [line] if index == TextFileIndex.WHOLE_LINE else line.split(delimiter)
        at = 0 if index == TextFileIndex.WHOLE_LINE else index
        if at >= len(parts):
            raise InvalidArgumentError(
                None, None,
                f"Invalid number of columns in line {i} ({line.decode(errors='replace')}) : "
                f"expected {at + 1} got {len(parts)}",
            )  # fmt: skip
        out.append(parts[at])
    if dtype.kind == "s":
        return out
    return [int(x) if dtype.kind == "i" else float(x) for x in out]


def _fill_from_file(
    context: Any, filename: Any, *, table: str, key: tuple[int, DType], value: tuple[int, DType],
    size: int | None, delimiter: bytes,
) -> tuple[()]:  # fmt: skip
    path = filename[()].decode()
    try:
        with open(path, "rb") as f:
            lines = f.read().splitlines()
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from None
    if size is not None:
        if len(lines) < size:
            raise InvalidArgumentError(
                None, None, f"Invalid vocab_size in {path}: expected {size} but got {len(lines)}"
            )
        lines = lines[:size]
    made: dict[Any, Any] = {}
    columns = [_column(lines, i, delimiter, t) for i, t in (key, value)]
    _put(made, *columns)
    _of(context, table).items = made
    return ()


file_op = op(
    "table_init_file", "InitializeTableFromTextFileV2", "host", args=("filename",),
    doc="Fills a table from a file of lines.", host=_fill_from_file, **_EFFECT,
)  # fmt: skip

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
        self._node = build(table_op, (), {"tf": tf}, name)
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


# ------------------------------------------------------------------------- functions


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
