"""Readers of files in TensorFlow's graphs: there a tensor, here an attribute of what reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.graphdef.attributes import decode
from graphc.graphdef.queues import _of
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Node, Value
from graphc.ops.record import no_grad, op

__all__ = ["READERS"]

Made = Sequence[Value] | Node
Maker = Callable[[Any, list[Value], str], Made]

reader_op = op(
    "reader_handle", "TextLineReaderV2", "host", doc="Stands for a reader of an imported graph.",
    infer=lambda inputs, attrs: [(dtypes.string, ())], types="fiubs", stateful=True, grad=no_grad,
    host=lambda context, reader, type: type.encode(),
    facts={"type": lambda inputs, attrs: attrs["type"]},
)  # fmt: skip


def _reader(n: Any, values: list[Value], name: str) -> Made:
    from graphc.data import readers  # with what reads files: for graphs with readers only

    form = {k: decode(n.attr[k]) for k in n.attr}
    kind = n.op.removesuffix("V2")
    options: dict[str, Any] = {}
    if kind == "TextLineReader":
        options = {"skip_header_lines": form.get("skip_header_lines", 0)}
    elif kind == "FixedLengthRecordReader":
        sizes = ("record_bytes", "header_bytes", "footer_bytes", "hop_bytes", "encoding")
        options = {k: form[k] for k in sizes if k in form}
    elif kind == "TFRecordReader":
        options = {"options": form.get("compression_type") or None}
    made = getattr(readers, kind)(name=name, **options)
    return build(reader_op, (), {"reader": made, "type": n.op}, name).outputs


def _from(handle: Value) -> Any:
    while handle.node.op.name == "identity":
        handle = handle.node.inputs[0]
    if handle.node.op is not reader_op:
        raise ValueError(f"{handle.name} is no reader of the graph")
    return handle.node.attrs["reader"]


def _asked(method: str) -> Maker:
    """A node that reads, or asks for, or changes the place of a reader."""

    def make(n: Any, values: list[Value], name: str) -> Made:
        handle, *rest = values
        args = [_of(rest[0]), *rest[1:]] if rest else []
        made = getattr(_from(handle), method)(*args, name=name)
        return list(made) if isinstance(made, tuple) else made if isinstance(made, Node) else [made]

    return make


def _counted(n: Any, values: list[Value], name: str) -> Made:
    from graphc.train.input import count_up_to

    return [count_up_to(values[0], int(n.attr["limit"].i), name=name)]


#: What makes nodes of these types, with and without ``V2``.
READERS: dict[str, Maker] = {
    "CountUpTo": _counted,
    **{
        kind + version: maker
        for version in ("", "V2")
        for kind, maker in {
            "TextLineReader": _reader, "WholeFileReader": _reader, "TFRecordReader": _reader,
            "FixedLengthRecordReader": _reader, "IdentityReader": _reader,
            "ReaderRead": _asked("read"), "ReaderReadUpTo": _asked("read_up_to"),
            "ReaderNumRecordsProduced": _asked("num_records_produced"),
            "ReaderNumWorkUnitsCompleted": _asked("num_work_units_completed"),
            "ReaderReset": _asked("reset"),
        }.items()
    },
}  # fmt: skip
