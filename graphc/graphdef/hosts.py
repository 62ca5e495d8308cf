"""What runs on the host, in TensorFlow's graphs: parsers, lookup tables, files of pictures.

There keys, defaults and tables are operands; here they are attributes. Rows of plain attributes are
in `graphc.graphdef.forms`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.graphdef.attributes import decode, encode
from graphc.graphdef.tensors import shape_of, shape_proto
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Node, Value
from graphc.proto import message

__all__ = ["HOSTS", "HOST_EXPORTS"]

Made = Sequence[Value] | Node
Written = tuple[list[str], dict[str, Any]]

# --------------------------------------------------------------------- reading


def _parsing() -> Any:
    from graphc.data import parsing  # with the messages: for graphs that parse only

    return parsing


def _wanted(n: Any, dense_keys: Sequence[Any], sparse_keys: Sequence[Any]) -> dict[str, Any]:
    shapes = [shape_of(s) or () for s in n.attr["dense_shapes"].list.shape]
    variable = [bool(s) and type(s[0]) is not int for s in shapes]
    return {
        "dense_keys": tuple(map(_text, dense_keys)), "dense_types": decode(n.attr["Tdense"]),
        "dense_shapes": tuple([s[1:] if v else s for s, v in zip(shapes, variable, strict=True)]),
        "variable": tuple(variable), "sparse_keys": tuple(map(_text, sparse_keys)),
        "sparse_types": decode(n.attr["sparse_types"]),
    }  # fmt: skip


def _text(key: Any) -> str:
    if isinstance(key, Value):
        if key.node.op.name != "constant":
            raise ValueError(f"graphc parses features whose names are known; {key.name} is fed")
        key = key.node.attrs["value"][()]
    return key.decode() if isinstance(key, bytes) else str(key)


def _parse(n: Any, values: list[Value], name: str) -> Made:
    sparse, dense = (int(n.attr[k].i) for k in ("Nsparse", "Ndense"))
    keys = values[2 : 2 + sparse + dense]
    attrs = _wanted(n, keys[sparse:], keys[:sparse])
    return build(_parsing().parse_op, [*values[:2], *values[2 + sparse + dense :]], attrs,
                 name).outputs  # fmt: skip


def _parse_single(n: Any, values: list[Value], name: str) -> Made:
    dense, sparse = (list(n.attr[k].list.s) for k in ("dense_keys", "sparse_keys"))
    attrs = _wanted(n, dense, sparse)
    return build(_parsing().parse_single_op, values, attrs, name).outputs


#: Type → what makes its outputs.
HOSTS: dict[str, Callable[[Any, list[Value], str], Made]] = {
    "ParseExample": _parse, "ParseSingleExample": _parse_single,
}  # fmt: skip

# --------------------------------------------------------------------- writing


def _ref(v: Value) -> str:
    return v.node.name if v.index == 0 else f"{v.node.name}:{v.index}"


def _shapes(shapes: Sequence[Any]) -> Any:
    out = message("AttrValue")()
    out.list.SetInParent()
    out.list.shape.extend([shape_proto(s) for s in shapes])
    return out


def _dense(n: Any) -> dict[str, Any]:
    a = n.attrs
    pairs = zip(a["dense_shapes"], a["variable"], strict=True)
    return {
        "Tdense": encode(a["dense_types"]), "sparse_types": encode(a["sparse_types"]),
        "dense_shapes": _shapes([((None, *s) if v else s) for s, v in pairs]),
    }  # fmt: skip


def _write_parse(e: Any, n: Any) -> Written:
    sparse, dense = n.attrs["sparse_keys"], n.attrs["dense_keys"]
    keys = [
        e.beside(n, f"{kind}_keys_{i}", np.array(key.encode(), object), dtypes.string)
        for kind, given in (("sparse", sparse), ("dense", dense))
        for i, key in enumerate(given)
    ]
    serialized, names, *defaults = map(_ref, n.inputs)
    attrs = {"op": "ParseExample", "Nsparse": encode(len(sparse)), "Ndense": encode(len(dense))}
    return [serialized, names, *keys, *defaults], {**attrs, **_dense(n)}


def _write_parse_single(e: Any, n: Any) -> Written:
    sparse, dense = n.attrs["sparse_keys"], n.attrs["dense_keys"]
    attrs = {"op": "ParseSingleExample", "num_sparse": encode(len(sparse)),
             "sparse_keys": encode(sparse), "dense_keys": encode(dense)}  # fmt: skip
    return [_ref(v) for v in n.inputs], {**attrs, **_dense(n)}


def _write_csv(e: Any, n: Any) -> Written:
    a = n.attrs
    defaults = [
        e.beside(n, f"record_defaults_{i}", np.array([] if d is None else [d], t.np), t)
        for i, (t, d) in enumerate(zip(a["types"], a["defaults"], strict=True))
    ]
    attrs = {
        "op": "DecodeCSV", "OUT_TYPE": encode(tuple(a["types"])),
        "field_delim": encode(a["delimiter"]), "use_quote_delim": encode(a["quotes"]),
        "na_value": encode(a["na"]), "select_cols": encode(a["columns"] or ()),
    }  # fmt: skip
    return [_ref(n.inputs[0]), *defaults], attrs


def _write_decode(e: Any, n: Any) -> Written | None:
    a = n.attrs
    if a["frames"] != (a["format"] == "GIF"):
        return None
    attrs: dict[str, Any] = {"op": n.type}
    if a["format"] != "GIF":
        attrs["channels"] = encode(a["channels"])
    if a["format"] == "PNG":
        attrs["dtype"] = encode(a["dtype"])
    return [_ref(n.inputs[0])], attrs


def _write_encode(e: Any, n: Any) -> Written:
    options = dict(n.attrs["options"])
    if n.type == "EncodePng":
        level = options.get("compress_level", -1)
        return [_ref(n.inputs[0])], {"op": n.type, "compression": encode(level),
                                     "T": encode(n.inputs[0].dtype)}  # fmt: skip
    names = {"quality": "quality", "progressive": "progressive", "optimize": "optimize_size"}
    attrs = {there: encode(options[here]) for here, there in names.items() if here in options}
    return [_ref(n.inputs[0])], {"op": n.type, "format": encode(n.attrs["mode"]), **attrs}


def _write_as_string(e: Any, n: Any) -> Written:
    found = re.fullmatch(r"%([-+ 0]?)(\d*)(?:\.(\d+))?([defg])", n.attrs["form"])
    assert found is not None
    fill, width, precision, kind = found.groups()
    attrs = {"precision": int(precision or -1), "scientific": kind == "e", "shortest": kind == "g",
             "width": int(width or -1), "fill": fill, "T": n.inputs[0].dtype}  # fmt: skip
    return [_ref(n.inputs[0])], {"op": n.type, **{k: encode(v) for k, v in attrs.items()}}


# --------------------------------------------------------------------- tables


def _table(n: Any) -> Node | None:
    """The node of the table that a node reads; None for one of an imported graph."""
    found: Node | None = n.graph._nodes_by_name.get(n.attrs["table"])
    return found if found is not None and found.op.name == "hash_table" else None


def _write_table(e: Any, n: Any) -> Written | None:
    if "types" not in n.attrs:
        return None
    key, value = n.attrs["types"]
    attrs = {"key_dtype": key, "value_dtype": value, "container": "", "shared_name": "",
             "use_node_name_sharing": True}  # fmt: skip
    return [], {"op": n.type, **{k: encode(v) for k, v in attrs.items()}}


def _on_table(attributes: Callable[[Any], dict[str, Any]]) -> Callable[[Any, Any], Any]:
    """How a node that does something with a table is written."""

    def write(e: Any, n: Any) -> Written | None:
        table = _table(n)
        if table is None or "types" not in table.attrs:
            return None
        attrs = {k: encode(v) for k, v in attributes(n).items()}
        return [table.name, *map(_ref, n.inputs)], {"op": n.type, **attrs}

    return write


def _types_of(n: Any) -> tuple[Any, Any]:
    table = _table(n)
    assert table is not None
    key, value = table.attrs["types"]
    return key, value


def _named(key: str, value: str) -> Callable[[Any, Any], Any]:
    return _on_table(lambda n: dict(zip((key, value), _types_of(n), strict=True)))


_in_out = _named("Tin", "Tout")


def _write_stitch(e: Any, n: Any) -> Written:
    half = len(n.inputs) // 2
    attrs = {"N": encode(half), "T": encode(n.outputs[0].dtype)}
    return [_ref(v) for v in n.inputs], {"op": "DynamicStitch", **attrs}


#: Op → how it is written; None where it is as graphc's own.
HOST_EXPORTS: dict[str, Callable[[Any, Any], Written | None]] = {
    "parse_example": _write_parse, "parse_single_example": _write_parse_single,
    "decode_csv": _write_csv, "decode_picture": _write_decode, "encode_picture": _write_encode,
    "as_string": _write_as_string, "dynamic_stitch": _write_stitch, "hash_table": _write_table,
    "table_find": _in_out, "table_insert": _in_out, "table_init": _named("Tkey", "Tval"),
    "table_export": _named("Tkeys", "Tvalues"), "table_size": _on_table(lambda n: {}),
    "table_remove": _on_table(lambda n: {"Tin": _types_of(n)[0]}),
    "table_init_file": _on_table(lambda n: {
        "key_index": n.attrs["key"][0], "value_index": n.attrs["value"][0],
        "vocab_size": n.attrs["size"] or -1, "delimiter": n.attrs["delimiter"]}),
}  # fmt: skip
