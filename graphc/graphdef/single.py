"""Nodes of TensorFlow's that are one recorded node: by the row of their type, or by a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.checkpoint.ops import restore_v2, save_v2
from graphc.graphdef.attributes import decode
from graphc.graphdef.forms import DEFAULTS, Form
from graphc.graphdef.tensors import array_of, shape_of
from graphc.ir.build import build
from graphc.ir.node import Node, Value
from graphc.ir.registry import OPS
from graphc.ops.arrays import concat, strided_slice
from graphc.ops.convert import constant_op
from graphc.ops.record import ints
from graphc.ops.state import assign

__all__ = ["SPECIAL", "by_form"]


def by_form(n: Any, form: Form, values: list[Value], name: str) -> Node:
    """A node by its row of the table."""
    operands, rest = _split(n, form, values)
    attrs: dict[str, Any] = {}
    dynamic: list[str] = []
    more: list[Value] = []
    for key, v in rest.items():
        known = v.node.attrs.get("value") if v.node.op is constant_op else None
        if known is None:
            dynamic.append(key)
            more.append(v)
        else:
            attrs[key] = ints(np.asarray(known)) if v.dtype.kind in "iu" else known.item()
    if dynamic:
        attrs["dynamic"] = tuple(dynamic)
    for a in form.attributes:
        if a.source == "-1":
            attrs["axis"] = -1
        elif not a.source.startswith(("<", "#")):
            attrs[a.source] = _attribute(n, a.name)
    record = OPS[form.op]
    _adapt(n, record.name, attrs)
    plain = [o for o in (record.args or form.plain) if o in form.plain]
    inputs = [v for o in plain for v in operands[o]]
    return build(record, [*inputs, *more], attrs, name)


def _split(
    n: Any, form: Form, values: list[Value]
) -> tuple[dict[str, list[Value]], dict[str, Value]]:
    """Operands by name, and those that are attributes here."""
    fixed = [o for o in form.operands if not o.startswith("*")]
    spread = len(values) - len(fixed)
    if spread < 0 or (spread and len(fixed) == len(form.operands)):
        raise ValueError(f"Node '{n.name}' of type {n.op} has {len(values)} inputs")
    operands: dict[str, list[Value]] = {}
    rest: dict[str, Value] = {}
    at = 0
    for o in form.operands:
        if o.startswith("*"):
            operands[o] = values[at : at + spread]
            at += spread
        elif o.startswith("@"):
            rest[o[1:]] = values[at]
            at += 1
        else:
            operands[o] = [values[at]]
            at += 1
    if form.op == "fused_batch_norm" and _attribute(n, "is_training"):
        operands["*population"] = []
    return operands, rest


def _attribute(n: Any, name: str) -> Any:
    if name in n.attr:
        return decode(n.attr[name])
    for key in (f"{n.op}.{name}", name):
        if key in DEFAULTS:
            return DEFAULTS[key]
    raise ValueError(f"Node '{n.name}' of type {n.op} lacks the attribute {name!r}")


#: Ops whose attributes are numbers of other types, or have names of their own.
def _adapt(n: Any, op: str, attrs: dict[str, Any]) -> None:
    if op == "variable":
        attrs["var"] = ""
    elif op == "squeeze":
        attrs["axis"] = attrs["axis"] or ()
    elif op == "assign":
        if attrs.pop("validate_shape"):
            attrs.pop("shape", None)
        else:
            attrs["validate_shape"] = False
    elif op == "string_join":
        attrs["separator"] = attrs["separator"].encode()
    elif op == "unique_with_counts":
        attrs["counts"] = True
    for key in ("strides", "ksize", "dilations", "explicit_paddings", "ksizes", "rates"):
        if key in attrs and attrs[key] is not None:
            attrs[key] = tuple([int(i) for i in attrs[key]])


def _constant(n: Any, values: list[Value], name: str) -> Node:
    array, dtype = array_of(n.attr["value"].tensor)
    array.flags.writeable = False
    attrs: dict[str, Any] = {"value": array}
    if dtype.name == "bfloat16":
        attrs["dtype"] = dtype
    return build(constant_op, (), attrs, name)


def _variable(n: Any, values: list[Value], name: str) -> Node:
    dtype = decode(n.attr["dtype"])
    attrs = {"var": name[:-1], "dtype": dtype, "shape": shape_of(n.attr["shape"].shape)}
    return build(OPS["variable"], (), attrs, name)


def _placeholder(n: Any, values: list[Value], name: str) -> Node:
    shape = shape_of(n.attr["shape"].shape) if "shape" in n.attr else None
    return build(OPS["placeholder"], (), {"dtype": decode(n.attr["dtype"]), "shape": shape}, name)


def _strided_slice(n: Any, values: list[Value], name: str) -> Node:
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    masked: Any = {m: _attribute(n, m) for m in masks}
    x, begin, end, strides = values
    return strided_slice(x, begin, end, strides, name=name, **masked).node


def _concat(n: Any, values: list[Value], name: str) -> Node:
    axis, *rest = values if n.op == "Concat" else [values[-1], *values[:-1]]
    return concat(rest, axis, name=name).node


def _assign(n: Any, values: list[Value], name: str) -> Node:
    validate = bool(_attribute(n, "validate_shape"))
    ref, value = values
    return assign(ref, value, validate_shape=validate, name=name).node


def _restore(n: Any, values: list[Value], name: str) -> Node:
    prefix, names, slices = values
    return restore_v2(prefix, names, slices, decode(n.attr["dtypes"]), name=name)[0].node


def _save(n: Any, values: list[Value], name: str) -> Node:
    prefix, names, slices, *tensors = values
    node: Node = save_v2(prefix, names, slices, tensors, name=name)
    return node


#: Type → what makes its node, where a row does not say it.
SPECIAL: dict[str, Callable[[Any, list[Value], str], Node]] = {
    "Const": _constant, "VariableV2": _variable, "Variable": _variable,
    "Placeholder": _placeholder, "StridedSlice": _strided_slice, "Concat": _concat,
    "Assign": _assign, "RestoreV2": _restore, "SaveV2": _save,
}  # fmt: skip
