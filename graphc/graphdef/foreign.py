"""Nodes of imported graphs that graphc has no op for: there by name, refused when they are run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import UnimplementedError
from graphc.graphdef.attributes import decode
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype, resource, variant
from graphc.ir.node import Node, Value
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = ["GIVEN", "Lacking", "build_foreign", "outputs_of"]

#: Types that call a Python function, which no graph file holds.
_PYTHON = frozenset({"EagerPyFunc", "GeneratorDataset", "PyFunc", "PyFuncStateless"})


#: What nodes are for want of that nobody needs: the caller has given their resource.
GIVEN = "tensors of resources"


class Lacking(Exception):
    """A node needs another one that graphc has no op for; the text is the type of that."""


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(t, None) for t in attrs["types"]]


def _refuse(context: Any, *arrays: Any, **attrs: Any) -> Any:
    kind, lacks = attrs["type"], attrs.get("lacks") or attrs["type"]
    what = f"no op {lacks} for imported graphs"
    if lacks in _PYTHON:
        what = (
            f"not the Python function of {lacks}: graph files hold its number only, and no other "
            "process can call it, TensorFlow's neither"
        )
    if kind != lacks:
        what += f", which {kind} needs"
    message = (
        f"graphc has {what}: feed its result, or build this part in Python and restore its "
        "variables with tf.train.Saver"
    )
    raise UnimplementedError(None, None, message)


foreign_op = op(
    "foreign", "Foreign", "host", doc="An op that graphc lacks, of an imported graph.",
    args=("*inputs",), infer=_infer, host=_refuse, grad=no_grad, types="fiubs", stateful=True,
    facts={"type": lambda inputs, attrs: attrs["type"]},
)  # fmt: skip


def build_foreign(
    kind: str, values: Sequence[Value], types: Sequence[DType], name: str, lacks: str
) -> Node:
    """A node of the type `kind`, with outputs of `types`, for want of `lacks`."""
    attrs = {"type": kind, "types": tuple(types), "lacks": lacks}
    return build(foreign_op, values, attrs, name)


def outputs_of(n: Any, definition: Any, readers: Sequence[Any]) -> list[DType]:
    """Element types of its outputs: as its ``OpDef`` says, else as many as are read."""
    if "_graphc_types" in n.attr:
        return [_known(t) for t in n.attr["_graphc_types"].list.type]
    if definition is not None:
        out: list[DType] = []
        for arg in definition.output_arg:
            out += _types(n, arg)
        return out
    count = 0
    for m in readers:
        for i in m.input:
            name, _, index = i.partition(":")
            if name == n.name:
                count = max(count, int(index or 0) + 1)
    return [_guess(n)] * count


def _types(n: Any, arg: Any) -> list[DType]:
    if arg.type_list_attr:
        return [_known(t) for t in n.attr[arg.type_list_attr].list.type]
    kind = _known(arg.type or n.attr[arg.type_attr].type)
    count = int(n.attr[arg.number_attr].i) if arg.number_attr else 1
    return [kind] * count


def _known(number: int) -> DType:
    try:
        return as_dtype(int(number) % 100)
    except TypeError:  # resources, variants: nothing can read them here
        return as_dtype("string")


def _guess(n: Any) -> DType:
    for key in ("dtype", "T", "DstT", "out_type"):
        if key in n.attr and n.attr[key].type in (resource.enum, variant.enum):
            return _known(n.attr[key].type)
        found = decode(n.attr[key]) if key in n.attr else None
        if isinstance(found, DType):
            return found
    return as_dtype("float32")
