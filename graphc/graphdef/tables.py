"""Lookup tables of TensorFlow's graphs: a node that reads one names it by a handle.

Here a table is named by an attribute. The handle becomes a string constant with what is known of
the table, as JSON; nothing reads it in a run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from graphc.graphdef.attributes import decode
from graphc.graphdef.tensors import shape_of
from graphc.ir.build import build
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Value

__all__ = ["TABLES", "table_of"]

Made = Sequence[Value] | Node
Maker = Callable[[Any, list[Value], str], Made]


def _table(n: Any, values: list[Value], name: str) -> Made:
    """The handle of a table; one with a shared name is the same under each name of its node."""
    shape = shape_of(n.attr["value_shape"].shape) if "value_shape" in n.attr else ()
    shared = n.attr["shared_name"].s.decode() if "shared_name" in n.attr else ""
    about = {
        "table": shared or name[:-1], "started": not n.op.startswith("HashTable"),
        "types": [decode(n.attr[k]).name for k in ("key_dtype", "value_dtype")],
        "shape": [d if type(d) is int else None for d in shape or ()],
    }  # fmt: skip
    return [_ops().table_handle(about, name)]


def table_of(handle: Value) -> str:
    """The name of the table that a handle stands for."""
    return str(_about(handle)["table"])


def _about(handle: Value) -> dict[str, Any]:
    """What is known of a table."""
    while handle.node.op.name == "identity":
        handle = handle.node.inputs[0]
    if handle.node.op.name != "constant":
        raise ValueError(f"the table {handle.name} is no handle of a node of the graph")
    found: dict[str, Any] = json.loads(handle.node.attrs["value"][()])
    return {**found, "types": tuple([as_dtype(t) for t in found["types"]]),
            "shape": tuple(found["shape"])}  # fmt: skip


def _ops() -> Any:
    from graphc.contrib import table_ops  # with all that makes tables: for graphs with tables only

    return table_ops


def _find(n: Any, values: list[Value], name: str) -> Made:
    handle, keys, default = values
    about = _about(handle)
    attrs = {k: about[k] for k in ("table", "shape", "started")}
    attrs["dtype"] = about["types"][1]
    return build(_ops().find_op, (keys, default), attrs, name).outputs


def _fill(n: Any, values: list[Value], name: str) -> Made:
    handle, keys, items = values
    about = _about(handle)
    record = _ops().insert_op if about["started"] else _ops().fill_op
    return build(record, (keys, items), {"table": about["table"]}, name)


def _fill_from_file(n: Any, values: list[Value], name: str) -> Made:
    handle, file = values
    about = _about(handle)
    size = decode(n.attr["vocab_size"]) if "vocab_size" in n.attr else -1
    key, value = ((decode(n.attr[k]), t) for k, t in zip(("key_index", "value_index"),
                                                         about["types"], strict=True))  # fmt: skip
    delimiter = n.attr["delimiter"].s if "delimiter" in n.attr else b"\t"
    attrs = {
        "table": about["table"], "key": key, "value": value, "delimiter": delimiter,
        "size": None if size < 0 else int(size),
    }  # fmt: skip
    return build(_ops().file_op, (file,), attrs, name)


def _insert(n: Any, values: list[Value], name: str) -> Made:
    handle, *rest = values
    record = _ops().insert_op if len(rest) == 2 else _ops().remove_op
    return build(record, rest, {"table": _about(handle)["table"]}, name)


def _size(n: Any, values: list[Value], name: str) -> Made:
    about = _about(values[0])
    return build(_ops().count_op, (), {k: about[k] for k in ("table", "started")}, name).outputs


def _export(n: Any, values: list[Value], name: str) -> Made:
    return build(_ops().export_op, (), _about(values[0]), name).outputs


#: What makes nodes of these types, with and without ``V2``.
TABLES: dict[str, Maker] = {
    kind + version: maker
    for version in ("", "V2")
    for kind, maker in {
        "HashTable": _table, "MutableHashTable": _table, "MutableHashTableOfTensors": _table,
        "LookupTableFind": _find, "LookupTableImport": _fill, "InitializeTable": _fill,
        "InitializeTableFromTextFile": _fill_from_file, "LookupTableInsert": _insert,
        "LookupTableRemove": _insert, "LookupTableSize": _size, "LookupTableExport": _export,
    }.items()
}  # fmt: skip
