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

from graphc.graphdef import attributes, contexts
from graphc.graphdef.attributes import Plain, encode
from graphc.graphdef.flow_nodes import FlowNodes, has_flow
from graphc.graphdef.forms import Form, form_of
from graphc.graphdef.made_of import EXPANSIONS, Unfit, reference
from graphc.graphdef.tensors import from_array, shape_proto
from graphc.graphdef.update_order import readers
from graphc.ir.dims import is_known
from graphc.ir.dtypes import DType, as_dtype, int32, int64
from graphc.ir.node import Node, Value
from graphc.ir.region import Context, context_of
from graphc.proto import message

__all__ = ["export_graph", "export_nodes", "node_proto"]

#: The version of graphs that TensorFlow 1.15 writes.
PRODUCER = 134


#: Where a graph keeps the nodes that were written of it.
_WRITTEN = "written nodes"


class _Export:
    def __init__(
        self, nodes: Sequence[Node], add_shapes: bool, taken: Iterable[str], prefix: str
    ) -> None:
        self.prefix = prefix
        self.graph = message("GraphDef")()
        self.graph.versions.producer = PRODUCER
        self.add_shapes = add_shapes
        self.taken = set(taken)
        self.numbers: dict[str, str] = {}
        self.flow = FlowNodes(self, nodes) if has_flow(nodes) else None
        self.readers = readers(nodes)

    def node(self, n: Node, kind: str) -> None:
        """Write one node, and the constants that are its operands."""
        form = form_of(n.op.name, kind)
        start = len(self.graph.node)
        written = self.flow.write(n) if self.flow else None
        routed = written is not None
        expansion = EXPANSIONS.get(n.op.name)
        if written is None and (form is not None or expansion is not None):
            try:
                written = expansion(self, n) if expansion else self.as_form(n, form)
            except (Unfit, Plain):
                del self.graph.node[start:]
        if written is None:
            written = self.as_own(n, kind)
        inputs, attrs = written
        made = self.graph.node.add(name=n.name, op=attrs.pop("op"), input=inputs)
        made.device = n.graph.devices.get(n, "") if n.graph is not None else ""
        for key, value in attrs.items():
            made.attr[key].CopyFrom(value)
        if self.flow is None:
            made.input.extend([f"^{c.name}" for c in n.control])
        else:
            beside = [self.graph.node[i] for i in range(start, len(self.graph.node) - 1)]
            if routed:  # all but constants that attributes are
                beside = [m for m in beside if m.op == "Const" and m.name not in self.flow.names]
            self.flow.route(n, made, beside, routed)
        self.ordered(n, made)
        if not self.exactly(n, made):
            made.attr["_graphc_types"].CopyFrom(encode(tuple([v.dtype for v in n.outputs])))
        if self.add_shapes:
            shapes = made.attr["_output_shapes"].list.shape
            shapes.extend([shape_proto(s) for s in self.shapes(n, made.op)])
            made.attr["_output_shapes"].list.SetInParent()

    def shapes(self, n: Node, kind: str) -> list[Any]:
        """The static shapes of the outputs that a node has there."""
        known = [v.static_shape for v in n.outputs]
        flow = self.flow is not None and bool(n.outputs) and self.flow.arrays.is_array(n.outputs[0])
        if flow and kind != "TensorArrayV3":
            known = [()]
        if kind == "Merge":  # its other output says which of its inputs was there
            known = [*known[:1], ()]
        count = _OUTPUTS.get(kind, len(known))
        if kind in ("TensorArrayV3", "LoopCond", "Switch"):
            known = []
        return [*known[:count], *[None] * (count - len(known))]

    def ordered(self, n: Node, made: Any) -> None:
        """Have an update wait for what reads its variable, which is memory there."""
        here = context_of(n)
        for reader in self.readers.get(n, ()):
            names = [reader.name] if self.flow is None else self.flow.ended(reader, here)
            made.input.extend([f"^{name}" for name in names if f"^{name}" not in made.input])

    def exactly(self, n: Node, made: Any) -> bool:
        """Write what graphc needs to make the same node again; whether that is data."""
        context = context_of(n)
        if n.op.name == "constant" and context is None:
            return True
        inputs = [i for i in made.input if not i.startswith("^")]
        # where each input is among those of the message, or its name where it is not one of them
        places = [
            inputs.index(name) if name in inputs else self.refer(v)
            for v, name in zip(n.inputs, map(reference, n.inputs), strict=True)
        ]
        try:
            attrs = {} if n.op.name == "constant" else n.attrs  # its value is in the message
            text = attributes.to_plain(attrs, self.numbers, lambda x: self.other(n, x))
        except Plain:
            return False
        exact = {"op": n.op.name, "type": made.op, "inputs": places, "attrs": json.loads(text)}
        if context is not None:
            exact["in"] = contexts.place(context, self.named)
        if self.flow is not None or n in self.readers:
            controls = [i.removeprefix("^") for i in made.input if i.startswith("^")]
            if controls != [c.name for c in n.control]:
                exact["control"] = [self.named(c) for c in n.control]
        needs = contexts.roots(n)
        if needs:
            exact["roots"] = [self.named(m) for m in needs]
            here = [m.name for m in needs if n.op.name == "saved" and context_of(m) is context]
            made.input.extend([f"^{name}" for name in here if f"^{name}" not in made.input])
            exact.setdefault("control", [self.named(c) for c in n.control])
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
            raise Unfit
        return encode(value)

    def operand(self, n: Node, name: str, dynamic: Mapping[str, Value]) -> tuple[str, DType]:
        """An input for an attribute: the tensor it is, or a constant beside the node."""
        if name in dynamic:
            v = dynamic[name]
            if name == "paddings" and v.rank == 1:  # one before and one behind, for each axis
                pairs = self.beside(n, "pairs", np.array([-1, 2], np.int32), int32)
                flat = [reference(v), pairs]
                return self.aux(n, "Reshape", "Reshape", flat, T=v.dtype, Tshape=int32), v.dtype
            return reference(v), v.dtype
        value = n.attrs.get(name)
        if value is None:
            rank = n.inputs[0].rank if n.inputs else None
            if rank is None or name not in ("axis", "perm"):
                raise Unfit
            value = tuple(range(rank)) if name == "axis" else tuple(reversed(range(rank)))
        dtype = n.attrs["dtype"] if n.op.name == "range" else int32
        if isinstance(value, tuple) and not is_known(_flat(value)):
            raise Unfit
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
            "HashTableV2": 1, "MutableHashTableV2": 1, "TensorArrayV3": 2,
            "TensorArrayConcatV3": 2, "LoopCond": 1, "Switch": 2, "Merge": 2, "Exit": 1,
            "TensorArrayGatherV3": 1}  # fmt: skip
#: What TensorFlow calls the operand, in the name of the constant.
_OPERANDS = {"axis": "reduction_indices"}


def _last_axis(n: Node) -> None:
    """Refuse a node that works along another axis than TensorFlow's."""
    rank = n.inputs[0].rank
    if n.attrs["axis"] != -1 and (rank is None or n.attrs["axis"] != rank - 1):
        raise Unfit


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
        raise Unfit
    out: dict[str, Sequence[Value]] = {}
    for i, name in enumerate(order):
        out[name] = values[i:] if name.startswith("*") else values[i : i + 1]
    return out


def export_nodes(
    nodes: Sequence[Any], add_shapes: bool = False, taken: Iterable[str] = (), prefix: str = ""
) -> Any:
    """A ``GraphDef`` of some nodes of a graph; `prefix` will be taken from all names."""
    out = _Export(nodes, add_shapes, taken or [n.name for n in nodes], prefix)
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
    if has_flow([n, *[v.node for v in n.inputs]]):  # what brings its inputs there is named in turn
        count, made = n.graph.extras.get(_WRITTEN, (0, {}))
        if count != len(n.graph._nodes_by_name):
            made = {m.name: m for m in export_graph(n.graph).node}
            n.graph.extras[_WRITTEN] = len(n.graph._nodes_by_name), made
        out = message("NodeDef")()
        out.CopyFrom(made[n.name])
        return out
    return export_nodes([n], taken=n.graph._nodes_by_name).node[-1]
