"""Recorded graphs as ``GraphDef`` messages.

Each node is written as TensorFlow has it, where TensorFlow has it (`graphc.graphdef.forms`):
operands that are attributes here become ``Const`` nodes beside it. Exactly what it is in graphc is
in its attribute ``_graphc``, which TensorFlow ignores and `import_graph_def` reads.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.graphdef import attributes, contexts, queues
from graphc.graphdef.attributes import Plain, encode
from graphc.graphdef.forms import Form, form_of
from graphc.graphdef.hosts import HOST_EXPORTS
from graphc.graphdef.tensors import from_array, shape_proto
from graphc.ir.dims import is_known
from graphc.ir.dtypes import DType, as_dtype, int32, int64
from graphc.ir.node import Node, Value
from graphc.ir.region import Context, context_of
from graphc.proto import message

__all__ = ["export_graph", "export_nodes", "node_proto"]

#: The version of graphs that TensorFlow 1.15 writes.
PRODUCER = 134


class _Unfit(Exception):
    """A node that TensorFlow has no type for, as it is."""


class _Export:
    def __init__(self, add_shapes: bool, taken: Iterable[str], prefix: str) -> None:
        self.prefix = prefix
        self.graph = message("GraphDef")()
        self.graph.versions.producer = PRODUCER
        self.add_shapes = add_shapes
        self.taken = set(taken)
        self.numbers: dict[str, str] = {}

    def node(self, n: Node, kind: str) -> None:
        """Write one node, and the constants that are its operands."""
        form = form_of(n.op.name, kind)
        start = len(self.graph.node)
        written = None
        expansion = EXPANSIONS.get(n.op.name)
        if form is not None or expansion is not None:
            try:
                written = expansion(self, n) if expansion else self.as_form(n, form)
            except (_Unfit, Plain):
                del self.graph.node[start:]
        if written is None:
            written = self.as_own(n, kind)
        inputs, attrs = written
        made = self.graph.node.add(name=n.name, op=attrs.pop("op"), input=inputs)
        made.input.extend([f"^{c.name}" for c in n.control])
        made.device = n.graph.devices.get(n, "") if n.graph is not None else ""
        for key, value in attrs.items():
            made.attr[key].CopyFrom(value)
        if not self.exactly(n, made, inputs):
            made.attr["_graphc_types"].CopyFrom(encode(tuple([v.dtype for v in n.outputs])))
        if self.add_shapes:
            shapes = made.attr["_output_shapes"].list.shape
            shapes.extend([shape_proto(v.static_shape) for v in n.outputs])
            more = _OUTPUTS.get(made.op, 0) - len(n.outputs)
            shapes.extend([shape_proto(None)] * more)
            made.attr["_output_shapes"].list.SetInParent()

    def exactly(self, n: Node, made: Any, inputs: Sequence[str]) -> bool:
        """Write what graphc needs to make the same node again; whether that is data."""
        if n.op.name == "constant":
            return True
        # where each input is among those of the message, or its name where it is not one of them
        places = [
            inputs.index(name) if name in inputs else self.refer(v)
            for v, name in zip(n.inputs, map(reference, n.inputs), strict=True)
        ]
        try:
            text = attributes.to_plain(n.attrs, self.numbers, lambda x: self.other(n, x))
        except Plain:
            return False
        exact = {"op": n.op.name, "type": made.op, "inputs": places, "attrs": json.loads(text)}
        context = context_of(n)
        if context is not None:
            exact["in"] = contexts.place(context, self.named)
        needs = contexts.roots(n)
        if needs:
            made.input.extend([f"^{m.name}" for m in needs])
            exact["needs"] = len(needs)
        made.attr["_graphc"].s = json.dumps(exact, sort_keys=True).encode()
        return True

    def named(self, n: Node) -> str:
        return n.name.removeprefix(self.prefix)

    def refer(self, v: Value) -> str:
        """How what is written as JSON names a value."""
        return reference(v).removeprefix(self.prefix)

    def other(self, n: Node, x: Any) -> Any:
        """An attribute of `n` that is a part of the graph."""
        if isinstance(x, Value):
            return {"value": self.refer(x)}
        if isinstance(x, Context):
            if x.node is n:
                return {"inside": contexts.inside(x, self.refer, self.named)}
            return {"context": contexts.place(x, self.named)}
        raise Plain(type(x).__name__)

    def as_own(self, n: Node, kind: str) -> tuple[list[str], dict[str, Any]]:
        """A node of a type of graphc's own, or of one that TensorFlow describes otherwise."""
        camel = "".join(w.title() for w in n.op.name.split("_"))
        own = n.op.facts.get("shape_operands") or n.op.family in ("view", "composite", "structured")
        attrs = {"op": "Graphc" + camel if own else kind}
        if n.inputs:
            attrs["T"] = encode(n.inputs[0].dtype)
        elif n.outputs:
            attrs["dtype"] = encode(n.outputs[0].dtype)
        return [reference(v) for v in n.inputs], attrs

    def aux(self, n: Node, name: str, op: str, inputs: Sequence[str], **attrs: Any) -> str:
        """A node of TensorFlow's that `n` needs there; its name."""
        full = self.free(f"{n.name}/{name}")
        made = self.graph.node.add(name=full, op=op, input=inputs)
        for key, value in attrs.items():
            made.attr[key].CopyFrom(encode(value))
        made.attr["_graphc_operand"].b = True
        return full

    def as_form(self, n: Node, form: Form | None) -> tuple[list[str], dict[str, Any]]:
        if n.op.name == "constant":
            return [], self.constant(n.attrs["value"], n.outputs[0].dtype)
        assert form is not None
        dynamic = dict(zip(n.attrs.get("dynamic", ()), _last(n), strict=True))
        operands = _operands(n, form, len(dynamic))
        inputs: list[str] = []
        types: dict[str, Any] = {}
        for o in form.operands:
            if o.startswith("@"):
                name, types[o] = self.operand(n, o[1:], dynamic)
                inputs.append(name)
            else:
                inputs += [reference(v) for v in operands[o]]
        if n.op.name == "fused_batch_norm" and len(operands["*population"]) == 0:
            inputs += [self.beside(n, k, np.zeros(0, "f"), as_dtype("float32"))
                       for k in ("mean", "variance")]  # fmt: skip
        attrs: dict[str, Any] = {"op": form.type}
        for a in form.attributes:
            if a.source == "-1":
                _last_axis(n)
            else:
                attrs[a.name] = self.attribute(n, a.source, operands, types, a.name)
        if form.type == "Assign":
            attrs["use_locking"] = encode(True)
        if form.type.startswith("VariableV2"):
            attrs["container"] = attrs["shared_name"] = encode("")
        return inputs, attrs

    def attribute(
        self, n: Node, source: str, operands: Mapping[str, Sequence[Value]],
        types: Mapping[str, DType], name: str,
    ) -> Any:  # fmt: skip
        if source == "<*":
            rest = next(v for o, v in operands.items() if o.startswith("*"))
            return encode(tuple([v.dtype for v in rest]))
        if source == "#":
            return encode(len(next(v for o, v in operands.items() if o.startswith("*"))))
        if source.startswith("<@"):
            return encode(types[source[1:]])
        if source.startswith("<"):
            found = operands.get(source[1:]) or operands["*" + source[1:]]
            return encode(found[0].dtype)
        value = n.attrs.get(source, _IMPLIED.get(source))
        if name == "shape" and (value is None or isinstance(value, tuple)):
            return encode(value, shape=True)
        if value is None and name == "squeeze_dims":
            value = ()
        if value is None:
            raise _Unfit
        return encode(value)

    def operand(self, n: Node, name: str, dynamic: Mapping[str, Value]) -> tuple[str, DType]:
        """An input for an attribute: the tensor it is, or a constant beside the node."""
        if name in dynamic:
            v = dynamic[name]
            return reference(v), v.dtype
        value = n.attrs.get(name)
        if value is None:
            rank = n.inputs[0].rank if n.inputs else None
            if rank is None or name not in ("axis", "perm"):
                raise _Unfit
            value = tuple(range(rank)) if name == "axis" else tuple(reversed(range(rank)))
        dtype = n.attrs["dtype"] if n.op.name == "range" else int32
        if isinstance(value, tuple) and not is_known(_flat(value)):
            raise _Unfit
        if dtype is int32 and any(abs(int(d)) >> 31 for d in np.ravel(value).tolist()):
            dtype = int64
        return self.beside(n, name, np.array(value, dtype.np), dtype), dtype

    def beside(self, n: Node, name: str, value: Any, dtype: DType) -> str:
        """A constant that is an operand of `n`."""
        full = self.free(f"{n.name}/{_OPERANDS.get(name, name)}")
        made = self.graph.node.add(name=full, op="Const")
        attrs = self.constant(value, dtype)
        attrs.pop("op")
        for key, a in attrs.items():
            made.attr[key].CopyFrom(a)
        made.attr["_graphc_operand"].b = True
        return full

    def free(self, base: str) -> str:
        """A name that no node has."""
        full, i = base, 0
        while full in self.taken:
            i += 1
            full = f"{base}_{i}"
        self.taken.add(full)
        return full

    def constant(self, value: Any, dtype: DType) -> dict[str, Any]:
        held = message("AttrValue")()
        held.tensor.CopyFrom(from_array(np.asarray(value), dtype))
        return {"op": "Const", "dtype": encode(dtype), "value": held}


#: Attributes that a record leaves out where they say nothing.
_IMPLIED = {
    "axis": None, "begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0,
    "shrink_axis_mask": 0, "validate_shape": True, "batch_dims": 0, "explicit_paddings": (),
    "seed": 0, "seed2": 0,
}  # fmt: skip
#: Outputs of types that have more there than here.
_OUTPUTS = {"FusedBatchNorm": 5, "FusedBatchNormV2": 5, "FusedBatchNormV3": 6,
            "HashTableV2": 1, "MutableHashTableV2": 1}  # fmt: skip
#: What TensorFlow calls the operand, in the name of the constant.
_OPERANDS = {"axis": "reduction_indices"}


# --------------------------------------------------------------------- made of several


def _shape_operand(e: _Export, n: Node, like: Value, name: str = "Shape") -> str:
    return e.aux(n, name, "Shape", [reference(like)], T=like.dtype, out_type=int32)


def _reshape_like(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    x, like = n.inputs
    attrs = {"op": "Reshape", "T": encode(x.dtype), "Tshape": encode(int32)}
    return [reference(x), _shape_operand(e, n, like)], attrs


def _broadcast_like(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    x, like = n.inputs
    attrs = {"op": "BroadcastTo", "T": encode(x.dtype), "Tidx": encode(int32)}
    return [reference(x), _shape_operand(e, n, like)], attrs


def _sum_to_like(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    x, like = n.inputs
    to = _shape_operand(e, n, like)
    given = _shape_operand(e, n, x, "Shape_1")
    axes = e.aux(n, "BroadcastGradientArgs", "BroadcastGradientArgs", [given, to], T=int32)
    total = e.aux(n, "Sum", "Sum", [reference(x), axes], T=x.dtype, Tidx=int32, keep_dims=False)
    attrs = {"op": "Reshape", "T": encode(x.dtype), "Tshape": encode(int32)}
    return [total, to], attrs


def _count(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    (x,), out = n.inputs, n.outputs[0].dtype
    axis = n.attrs.get("axis")
    if out not in (int32, int64):
        raise _Unfit
    if axis is None:
        return [reference(x)], {"op": "Size", "T": encode(x.dtype), "out_type": encode(out)}
    axes = e.beside(n, "axis", np.ravel(axis).astype(np.int32), int32)
    zero = e.beside(n, "zero", np.zeros((), np.int32), int32)
    shape = e.aux(n, "Shape", "Shape", [reference(x)], T=x.dtype, out_type=out)
    sizes = e.aux(n, "GatherV2", "GatherV2", [shape, axes, zero], Tparams=out, Tindices=int32,
                  Taxis=int32, batch_dims=0)  # fmt: skip
    attrs = {"op": "Prod", "T": encode(out), "Tidx": encode(int32), "keep_dims": encode(False)}
    return [sizes, zero], attrs


def _log_sigmoid(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    t = n.inputs[0].dtype
    minus = e.aux(n, "Neg", "Neg", [reference(n.inputs[0])], T=t)
    return [e.aux(n, "Softplus", "Softplus", [minus], T=t)], {"op": "Neg", "T": encode(t)}


def _select(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    """TensorFlow has one for operands of one shape, and one that broadcasts."""
    equal = len({v.static_shape for v in n.inputs}) == 1 and n.inputs[0].static_shape is not None
    attrs = {"op": "Select" if equal else "SelectV2", "T": encode(n.inputs[1].dtype)}
    return [reference(v) for v in n.inputs], attrs


def _select_rows(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    """``tf.where`` of sizes that only a run knows."""
    return [reference(v) for v in n.inputs], {"op": "Select", "T": encode(n.inputs[1].dtype)}


def _sorted_ids(e: _Export, n: Node) -> tuple[list[str], dict[str, Any]]:
    """TensorFlow's segment ops look themselves; what is exported of ours does not need it."""
    return [reference(n.inputs[0])], {"op": "Identity", "T": encode(n.inputs[0].dtype)}


#: Ops that TensorFlow makes of several, or has under several types.
EXPANSIONS = {
    "reshape_like": _reshape_like, "broadcast_like": _broadcast_like,
    "sum_to_like": _sum_to_like, "count": _count, "log_sigmoid": _log_sigmoid,
    "select": _select, "select_rows": _select_rows, "sorted_ids": _sorted_ids, **queues.EXPORTS,
    **HOST_EXPORTS,
}  # fmt: skip


def _last_axis(n: Node) -> None:
    """Refuse a node that works along another axis than TensorFlow's."""
    rank = n.inputs[0].rank
    if n.attrs["axis"] != -1 and (rank is None or n.attrs["axis"] != rank - 1):
        raise _Unfit


def _flat(value: Any) -> tuple[Any, ...]:
    out: list[Any] = []
    for x in value:
        out += _flat(x) if isinstance(x, tuple) else [x]
    return tuple(out)


def _last(n: Node) -> Sequence[Value]:
    count = len(n.attrs.get("dynamic", ()))
    return n.inputs[len(n.inputs) - count :]


def _operands(n: Node, form: Form, dynamic: int) -> dict[str, Sequence[Value]]:
    """Name of each operand of a row → its values."""
    values = n.inputs[: len(n.inputs) - dynamic]
    # the record's order is the inputs' order
    order = [a for a in n.op.args if a in form.plain] if n.op.args else list(form.plain)
    if len(order) != len(form.plain):
        raise _Unfit
    out: dict[str, Sequence[Value]] = {}
    for i, name in enumerate(order):
        out[name] = values[i:] if name.startswith("*") else values[i : i + 1]
    return out


def reference(v: Value) -> str:
    """How an input names a value."""
    return v.node.name if v.index == 0 else f"{v.node.name}:{v.index}"


def export_nodes(
    nodes: Sequence[Any], add_shapes: bool = False, taken: Iterable[str] = (), prefix: str = ""
) -> Any:
    """A ``GraphDef`` of some nodes of a graph; `prefix` will be taken from all names."""
    out = _Export(add_shapes, taken or [n.name for n in nodes], prefix)
    for n in nodes:
        out.node(n, n.type)
    return out.graph


def export_graph(graph: Any, from_version: int | None = None, add_shapes: bool = False) -> Any:
    """The ``GraphDef`` of a recorded graph, or of what was recorded after a version."""
    nodes = graph.get_operations()
    taken = [n.name for n in nodes]
    if from_version is not None:
        nodes = nodes[bisect_right(graph._versions, from_version) :]
    return export_nodes(nodes, add_shapes, taken)


def node_proto(n: Any) -> Any:
    """The ``NodeDef`` of one operation."""
    return export_nodes([n], taken=n.graph._nodes_by_name).node[-1]
