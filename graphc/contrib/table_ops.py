"""What the host does with lookup tables: dictionaries that a session keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from graphc.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops.convert import make_constant
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = [
    "TextFileIndex", "count_op", "export_op", "file_op", "fill_op", "find_op", "insert_op",
    "remove_op", "table_handle", "table_op", "usable_op",
]  # fmt: skip

# ------------------------------------------------------------------------- what the host does


#: Entries of an array of places for each key of whole numbers: beyond, a dictionary is asked.
_SPARSE = 16


class _Table:
    """A table in a session.

    Attributes
    ----------
    items : dict or None
        What it holds; None before it is initialised.
    version : int
        How often `items` was changed.
    """

    def __init__(self) -> None:
        self.items: dict[Any, Any] | None = None
        self.version = 0
        self._places: tuple[int, Any] | None = None

    def places(self, dtype: Any) -> tuple[int, Any, Any] | None:
        """For searches of many whole numbers, if these are close to each other.

        The least key, for each number from it on its place among the values (-1: none), and the
        values.
        """
        held, version = self._places, self.version
        if held is None or held[0] != version:
            items = dict(self.items or {})
            held = self._places = version, _places(items, dtype)
        return held[1]


def _places(items: dict[Any, Any], dtype: Any) -> tuple[int, Any, Any] | None:
    low, high = min(items, default=0), max(items, default=0)
    if high - low >= _SPARSE * len(items):
        return None
    where = np.full(high - low + 1, -1)
    where[np.fromiter(items, np.int64, len(items)) - low] = np.arange(len(items))
    return low, where, np.array(list(items.values()), dtype)


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
    _set(_of(context, table), made)
    return ()


def _set(table: _Table, items: dict[Any, Any]) -> None:
    table.items = items
    table.version += 1


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
    close = None
    if not shape and keys.dtype.kind == "i" and dtype.kind in "fiub" and keys.size >= _MANY:
        close = _of(context, table).places(dtype.np)
    if close is not None:
        return _looked_up(keys, other, *close)
    flat = keys.reshape(-1).tolist()
    out = np.empty((len(flat), *shape), dtype.np)
    if shape:
        for i, k in enumerate(flat):
            out[i] = items.get(k, other)
    else:
        out[:] = list(map(items.get, flat, repeat(other, len(flat))))
    return out.reshape((*keys.shape, *shape))


#: From so many keys on they are looked up all at once.
_MANY = 64


def _looked_up(keys: Any, other: Any, low: int, where: Any, values: Any) -> Any:
    """The values of whole numbers; `other` for those that are not there."""
    wide = keys.astype(np.int64)
    inside = (wide >= low) & (wide < low + len(where))
    place = where[np.where(inside, wide - low, 0)]
    return np.where(inside & (place >= 0), values[place], np.asarray(other, values.dtype))


def _insert(context: Any, keys: Any, values: Any, *, table: str) -> tuple[()]:
    found = _of(context, table)
    items = found.items
    if items is None:
        items = found.items = {}
    flat = values.reshape(keys.size, *values.shape[keys.ndim :])
    for k, v in zip(keys.reshape(-1).tolist(), flat, strict=True):
        items[k] = v.copy() if isinstance(v, np.ndarray) and v.ndim else v
    found.version += 1
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
    found = _of(context, table)
    items = found.items or {}
    for k in keys.reshape(-1).tolist():
        items.pop(k, None)
    found.version += 1
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


def table_handle(about: Mapping[str, Any], name: str) -> Value:
    """A tensor that names a table where TensorFlow has a handle: what is known of it, as JSON."""
    text = np.array(json.dumps(about, sort_keys=True).encode(), object)
    return make_constant(text, dtypes.string, name)


def _handle(node: Any) -> Value:
    """The output of a table's operation, which is made when a program asks for it."""
    found = node.graph._nodes_by_name.get(f"{node.name}/handle")
    if found is not None:
        return found.outputs[0]  # type: ignore[no-any-return]
    about = {"table": node.name, "started": node.attrs["tf"] != "HashTableV2", "shape": [],
             "types": [t.name for t in node.attrs["types"]]}  # fmt: skip
    with node.graph.counts_as(0), node.graph.control_dependencies(None):
        return table_handle(about, f"{node.name}/handle/")


table_op = op(
    "hash_table", "HashTableV2", "state", doc="A table of the session.", types="fiubs",
    infer=lambda inputs, attrs: [], stateful=True,
    facts={"effect_only": True, "type": lambda inputs, attrs: attrs["tf"], "handle": _handle},
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
    _set(_of(context, table), made)
    return ()


file_op = op(
    "table_init_file", "InitializeTableFromTextFileV2", "host", args=("filename",),
    doc="Fills a table from a file of lines.", host=_fill_from_file, **_EFFECT,
)  # fmt: skip
