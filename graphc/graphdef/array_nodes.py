"""Arrays as TensorFlow writes them: a resource, and ``flow`` values that order what uses it.

Here an array is a tensor (`graphc.ops.tensor_arrays`). One that is made by ``array_new`` and only
written, read and passed on is a ``TensorArrayV3``; what else reads it gets all its elements
(``TensorArrayGatherV3``). Any other, a gradient of one for instance, is a tensor there too.

What a gradient reads of a loop's iterations is a *stack* (``saved``), which is an array there too.
A stack of stacks is an array of handles: inner stacks of several lengths are none the worse for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.graphdef.attributes import encode
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType, float32, int32, resource
from graphc.ir.node import Node, Value
from graphc.ir.region import context_of

__all__ = ["ArrayNodes"]

Written = tuple[list[str], dict[str, Any]]

#: Ops that give the array that is their first operand, after they changed it.
_CHANGES = frozenset({"array_set", "array_unstack", "array_scatter", "array_grow"})
#: Ops that give what they get.
_PASSES = frozenset({"identity", "exit", "merge"})
#: Ops that work on the rows of an array as on those of a matrix (`graphc.ops.packed_arrays`).
_ROWS = frozenset({"array_widen", "array_sum"})


class ArrayNodes:
    """Which values of an export are arrays, and how what uses them is written.

    Parameters
    ----------
    flow : FlowNodes
    nodes : sequence of Node
    """

    #: Ops that read an array by its handle and flow.
    USERS = _CHANGES | _PASSES | {
        "array_stack", "array_stack_strings", "array_get", "loop", "conditional", "saved_shape",
    }  # fmt: skip

    def __init__(self, flow: Any, nodes: Sequence[Node]) -> None:
        self.flow = flow
        self.e = flow.e
        self.wholes: dict[Value, str] = {}
        #: Value → the ``saved`` node of which it is the stack.
        self.origin: dict[Value, Node] = {}
        self.root = _components(nodes)
        for n in nodes:
            self.stacked(n)

    def stacked(self, n: Node) -> None:
        """Note whether `n` gives a stack."""
        name = n.op.name
        if name == "saved":
            self.origin.update(dict.fromkeys(n.outputs, n))
        elif name == "array_get" and n.inputs[0] in self.origin:
            inner = self.origin[n.inputs[0]].attrs["value"]
            if inner in self.origin:
                self.origin[n.outputs[0]] = self.origin[inner]
        elif name == "slice" and n.inputs[0] in self.origin:
            if n.inputs[-1].node.op.name == "saved_shape":  # cut to what it was: as it is there
                self.origin[n.outputs[0]] = self.origin[n.inputs[0]]

    # ---- values

    def is_array(self, v: Value) -> bool:
        """Whether a value is a ``flow`` there."""
        return v in self.root

    def dtype(self, v: Value) -> DType:
        """The element type of what stands for a value."""
        return float32 if v in self.root else v.dtype

    def text(self, v: Value) -> str | None:
        """The name of an array's flow, where it is not that of the value."""
        if v.node.op.name == "array_new" and v in self.root:
            return f"{v.node.name}:1"
        return None

    def handle_of(self, v: Value) -> str | None:
        """The handle of a stack, in the context of `v`."""
        origin = self.origin.get(v)
        if origin is None:
            return None
        if origin is v.node:
            return str(self.flow.frame(origin.attrs["loop"]).stacks[origin.attrs["value"]][0])
        return v.node.name

    def done(self, v: Value) -> str:
        """The node after which all of a stack is written, in the context of `v`."""
        origin = self.origin[v]
        if origin is not v.node:
            return v.node.name
        return str(self.flow.frame(origin.attrs["loop"]).stacks[origin.attrs["value"]][1])

    def whole(self, v: Value) -> str | None:
        """All elements of an array or a stack as one tensor; None for what is a tensor."""
        if v in self.wholes:
            return self.wholes[v]
        origin = self.origin.get(v)
        if v in self.root:
            handle, flow = self.handle(v.node, v, v.node.name), self.flow.text(v)
            if v.node.op.facts.get("contexts") or v.node.op.name == "loop_value":
                flow = self.flow.carry(flow, float32, context_of(v.node), None,
                                       context_of(v.node), v.node.name, v)  # fmt: skip
            dtype, shape = v.dtype, v.static_shape
        elif origin is not None and (origin is not v.node or v.index):
            if v.index:
                return None  # sizes: only `saved_shape` reads them
            handle, flow = v.node.name, self.no_flow(v.node, v.node.name)
            dtype, shape = origin.attrs["value"].dtype, v.static_shape
        else:
            return None
        element = None if shape is None else shape[1:]
        base = f"{v.node.name}/whole"
        inputs, op = self.together(v.node, base, handle, flow, dtype, element)
        made = self.flow.aux(base, op["op"], inputs)
        op.pop("op")
        for key, value in op.items():
            self.e.graph.node[-1].attr[key].CopyFrom(value)
        self.wholes[v] = made
        return str(made)

    def together(
        self, n: Node, base: str, handle: str, flow: str, dtype: DType, element: Shape | None
    ) -> Written:
        """All elements as one tensor; there need be none, whatever is known of their shape."""
        f, after = self.flow, self.flow.pivot(n)
        if element is not None and all(type(d) is int for d in element):
            inputs = [handle, self.numbers(n, base, handle, flow), flow]
            return inputs, {"op": "TensorArrayGatherV3", "dtype": encode(dtype),
                            "element_shape": encode(element, shape=True)}  # fmt: skip
        size = f.aux(f"{base}/TensorArraySizeV3", "TensorArraySizeV3", [handle, flow])
        zero = f.const(f"{base}/zero", 0, int32, after)
        some = f.aux(f"{base}/Greater", "Greater", [size, zero], T=int32)
        texts = []
        for text, t in ((handle, resource), (flow, float32), (size, int32)):
            texts.append(f.aux(f"{base}/Switch", "Switch", [text, some], T=t) + ":1")
        numbers = self.range(n, base, texts.pop())
        ends = [texts[0], numbers, texts[1]]
        gathered = f.aux(f"{base}/TensorArrayGatherV3", "TensorArrayGatherV3", ends, dtype=dtype)
        self.e.graph.node[-1].attr["element_shape"].CopyFrom(encode(element, shape=True))
        sizes = [0, *[d if type(d) is int else 0 for d in element or ()]]
        empty = f.const(f"{base}/empty", np.zeros(sizes), dtype, after)
        none = f.aux(f"{base}/Switch", "Switch", [empty, some], T=dtype)
        return [none, gathered], {"op": "Merge", "T": encode(dtype), "N": encode(2)}

    def no_flow(self, n: Node, base: str) -> str:
        """The flow of an array of which all is written."""
        return str(self.flow.const(f"{base}/flow", 0.0, float32, self.flow.pivot(n)))

    def handle(self, n: Node, v: Value, by: str) -> str:
        """The handle of the array `v` as `n` reads it."""
        made = self.root[v]
        return str(self.flow.carry(made.name, resource, context_of(made), n, context_of(n), by))

    def numbers(self, n: Node, base: str, handle: str, flow: str) -> str:
        """The numbers of all elements."""
        f = self.flow
        size = f.aux(f"{base}/TensorArraySizeV3", "TensorArraySizeV3", [handle, flow])
        return str(self.range(n, base, size))

    def range(self, n: Node, base: str, limit: str) -> str:
        f, after = self.flow, self.flow.pivot(n)
        start = f.const(f"{base}/range/start", 0, int32, after)
        delta = f.const(f"{base}/range/delta", 1, int32, after)
        return str(f.aux(f"{base}/range", "Range", [start, limit, delta], Tidx=int32))

    # ---- nodes

    def write(self, n: Node) -> Written | None:
        """How a node is written that is about arrays; None for any other."""
        name = n.op.name
        first = n.inputs[0] if n.inputs else None
        if name == "array_new":
            return self.new(n) if n.outputs[0] in self.root else self.zeros(n)
        if name == "slice" and n.outputs[0] in self.origin:
            assert first is not None
            carried = self.carried(n, first)
            return [carried], {"op": "Identity", "T": encode(resource)}
        if name == "saved_shape":
            return self.shape(n)
        if name == "array_get":
            return self.get(n)
        if first is None or not name.startswith(("array_", "identity", "strided_slice")):
            return None
        if name == "strided_slice":
            return self.counted(n)
        if name == "identity":
            if first not in self.root:
                return None
            return [self.flow.read(first, n)], {"op": "Identity", "T": encode(float32)}
        if name in ("array_stack", "array_stack_strings"):
            return self.stack(n)
        if n.outputs[0] in self.root and name in _CHANGES:
            return self.change(n)
        maker = getattr(self, "plain_" + name.removeprefix("array_"), None)
        found: Written | None = maker(n) if maker else None
        return found

    def new(self, n: Node) -> Written:
        dynamic = dict(zip(n.attrs.get("dynamic", ()), n.inputs, strict=False))
        size, dtype = self.e.operand(n, "size", dynamic)
        if dtype is not int32:
            size = self.flow.aux(f"{n.name}/Cast", "Cast", [size], SrcT=dtype, DstT=int32)
        return [size], {
            "op": "TensorArrayV3", "dtype": encode(n.attrs["dtype"]),
            "element_shape": encode(n.attrs["element"], shape=True),
            "dynamic_size": encode(bool(n.attrs["grows"])), "clear_after_read": encode(False),
            "identical_element_shapes": encode(True), "tensor_array_name": encode(""),
        }  # fmt: skip

    def index(self, n: Node, v: Value) -> str:
        """A number of an element."""
        at = self.flow.read(v, n)
        if v.dtype is not int32:
            at = self.flow.aux(f"{n.name}/Cast", "Cast", [at], SrcT=v.dtype, DstT=int32)
        return str(at)

    def change(self, n: Node) -> Written:
        array, name = n.inputs[0], n.op.name
        flow = self.flow.read(array, n)
        if name == "array_grow":  # writing does it there
            return [flow], {"op": "Identity", "T": encode(float32)}
        handle = self.handle(n, array, n.name)
        value = self.flow.read(n.inputs[-1], n)
        attrs = {"T": encode(n.inputs[-1].dtype)}
        if name == "array_set":
            at = self.index(n, n.inputs[1])
            return [handle, at, value, flow], {"op": "TensorArrayWriteV3", **attrs}
        if name == "array_scatter":
            at = self.index(n, n.inputs[1])
        else:
            base = n.name.rpartition("/TensorArrayScatter/")[0] or n.name
            f, after = self.flow, self.flow.pivot(n)
            sizes = n.inputs[-1].static_shape
            if sizes is not None and all(type(d) is int for d in sizes):
                shape = f.const(f"{base}/Shape", sizes, int32, after)
            else:
                t = n.inputs[-1].dtype
                shape = f.aux(f"{base}/Shape", "Shape", [value], T=t, out_type=int32)
            ends = [f.const(f"{base}/strided_slice/stack{k}", [v], int32, after)
                    for k, v in (("", 0), ("_1", 1), ("_2", 1))]  # fmt: skip
            count = f.aux(f"{base}/strided_slice", "StridedSlice", [shape, *ends], T=int32,
                          Index=int32, begin_mask=0, end_mask=0, ellipsis_mask=0,
                          new_axis_mask=0, shrink_axis_mask=1)  # fmt: skip
            at = self.range(n, base, count)
        return [handle, at, value, flow], {"op": "TensorArrayScatterV3", **attrs}

    def get(self, n: Node) -> Written:
        array, index = n.inputs
        at = self.index(n, index)
        if array in self.root:
            handle, flow = self.handle(n, array, n.name), self.flow.read(array, n)
            return [handle, at, flow], {"op": "TensorArrayReadV3", "dtype": encode(array.dtype)}
        if array in self.origin:
            inputs, dtype = self.element(n, array, at)
            return inputs, {"op": "TensorArrayReadV3", "dtype": encode(dtype)}
        zero = self.flow.const(f"{n.name}/axis", 0, int32, self.flow.pivot(n))
        return [self.flow.read(array, n), at, zero], {
            "op": "GatherV2", "Tparams": encode(array.dtype), "Tindices": encode(int32),
            "Taxis": encode(int32), "batch_dims": encode(0),
        }  # fmt: skip

    def element(self, n: Node, stack: Value, at: str) -> tuple[list[str], DType]:
        """What reads one element of a stack."""
        origin = self.origin[stack]
        home = context_of(stack.node)
        carried = self.carried(n, stack)
        if origin is stack.node:
            done = self.flow.frame(origin.attrs["loop"]).stacks[origin.attrs["value"]][1]
            flow = self.flow.carry(done, float32, home, n, context_of(n), n.name)
        else:
            flow = self.no_flow(n, n.name)
        value = origin.attrs["value"]
        return [carried, at, flow], resource if value in self.origin else value.dtype

    def carried(self, n: Node, stack: Value) -> str:
        """The handle of a stack as `n` reads it."""
        handle = self.handle_of(stack)
        assert handle is not None
        home = context_of(stack.node)
        return str(self.flow.carry(handle, resource, home, n, context_of(n), n.name))

    def shape(self, n: Node) -> Written | None:
        """The shape that a value had in an iteration: that of the element."""
        stack, index = n.inputs
        if stack not in self.origin:
            return None
        inputs, dtype = self.element(n, stack, self.index(n, index))
        read = self.flow.aux(f"{n.name}/TensorArrayReadV3", "TensorArrayReadV3", inputs,
                             dtype=dtype)  # fmt: skip
        if dtype is resource:  # of a stack: only what is cut to it would read this
            flow = self.no_flow(n, read)
            inner = self.origin[self.origin[stack].attrs["value"]].attrs["value"]
            dtype = inner.dtype
            all_ = [read, self.numbers(n, read, read, flow), flow]
            read = self.flow.aux(f"{read}/TensorArrayGatherV3", "TensorArrayGatherV3", all_,
                                 dtype=dtype)  # fmt: skip
            self.e.graph.node[-1].attr["element_shape"].CopyFrom(encode(None, shape=True))
        return [read], {"op": "Shape", "T": encode(dtype), "out_type": encode(int32)}

    def gathered(
        self, n: Node, handle: str, flow: str, dtype: DType, element: Shape | None
    ) -> Written:
        """All elements of a stack."""
        if n.attrs["value"] in self.origin:  # only its elements are read
            return [handle], {"op": "Identity", "T": encode(resource)}
        return self.together(n, n.name, handle, flow, dtype, element)

    def stack(self, n: Node) -> Written:
        """``TensorArray.stack``, ``gather`` and ``concat``."""
        v, at = n.inputs[0], None
        joined = False
        if v not in self.root and v.node.op.name == "gather" and v.node.inputs[0] in self.root:
            if v.node.attrs.get("axis", 0) == 0 and not v.node.attrs.get("batch_dims"):
                v, at = v.node.inputs[0], v.node.inputs[1]
        elif v not in self.root and v.node.op.name == "reshape" and v.node.inputs[0] in self.root:
            v, joined = v.node.inputs[0], True
        if v not in self.root:
            dtype = n.inputs[0].dtype
            return [self.flow.read(n.inputs[0], n)], {"op": "Identity", "T": encode(dtype)}
        handle = self.handle(n, v, n.name)
        flow = self.flow.carry(self.flow.text(v), float32, context_of(v.node), n, context_of(n),
                               n.name, v)  # fmt: skip
        shape = n.attrs["shape"]
        element = None if shape is None else tuple(shape[1:])
        attrs = {"dtype": encode(v.dtype), "element_shape": encode(element, shape=True)}
        if joined:
            attrs["element_shape_except0"] = attrs.pop("element_shape")
            return [handle, flow], {"op": "TensorArrayConcatV3", **attrs}
        if at is None:
            base = n.name.rpartition("/")[0] or n.name
            numbers = self.numbers(n, base, handle, flow)
        else:
            numbers = self.index(n, at)
        return [handle, numbers, flow], {"op": "TensorArrayGatherV3", **attrs}

    def counted(self, n: Node) -> Written | None:
        """The number of elements of an array, where it is asked for as the first size."""
        v = n.inputs[0]
        first = n.attrs.get("begin") == (0,) and n.attrs.get("shrink_axis_mask") == 1
        if v.node.op.name != "shape" or v.node.inputs[0] not in self.root or not first:
            return None
        if n.attrs.get("begin_mask") or n.attrs.get("new_axis_mask") or len(n.inputs) > 1:
            return None
        array = v.node.inputs[0]
        flow = self.flow.carry(self.flow.text(array), float32, context_of(array.node), n,
                               context_of(n), n.name, array)  # fmt: skip
        return [self.handle(n, array, n.name), flow], {"op": "TensorArraySizeV3"}

    # ---- tensors that are changed like arrays

    def zeros(self, n: Node) -> Written | None:
        """An array that is used as a tensor."""
        element = n.attrs["element"]
        sizes = [0] if element is None else [d if type(d) is int else 0 for d in element]
        dynamic = dict(zip(n.attrs.get("dynamic", ()), n.inputs, strict=False))
        size, dtype = self.e.operand(n, "size", dynamic)
        f, after = self.flow, self.flow.pivot(n)
        if dtype is not int32:
            size = f.aux(f"{n.name}/Cast", "Cast", [size], SrcT=dtype, DstT=int32)
        if n.attrs["dtype"].kind == "s":
            return None
        vector = f.aux(f"{n.name}/Pack", "Pack", [size], T=int32, N=1, axis=0)
        if sizes:
            rest = f.const(f"{n.name}/element", sizes, int32, after)
            axis = f.const(f"{n.name}/concat/axis", 0, int32, after)
            vector = f.aux(f"{n.name}/concat", "ConcatV2", [vector, rest, axis], T=int32, N=2,
                           Tidx=int32)  # fmt: skip
        value = f.const(f"{n.name}/value", 0, n.attrs["dtype"], after)
        return [vector, value], {"op": "Fill", "T": encode(n.attrs["dtype"]),
                                 "index_type": encode(int32)}  # fmt: skip

    def row(self, n: Node, op: str) -> Written:
        """One row of a tensor replaced, or added to."""
        buffer, index, value = n.inputs
        f, after = self.flow, self.flow.pivot(n)
        shape = f.const(f"{n.name}/shape", [1, 1], int32, after)
        at = f.aux(f"{n.name}/Reshape", "Reshape", [self.index(n, index), shape], T=int32,
                   Tshape=int32)  # fmt: skip
        axis = f.const(f"{n.name}/axis", 0, int32, after)
        row = f.aux(f"{n.name}/ExpandDims", "ExpandDims", [f.read(value, n), axis], T=value.dtype,
                    Tdim=int32)  # fmt: skip
        attrs = {"op": op, "T": encode(value.dtype), "Tindices": encode(int32)}
        return [f.read(buffer, n), at, row], attrs

    def plain_set(self, n: Node) -> Written:
        return self.row(n, "TensorScatterUpdate")

    def plain_add(self, n: Node) -> Written:
        return self.row(n, "TensorScatterAdd")

    def plain_scatter(self, n: Node) -> Written:
        flow, indices, value = n.inputs
        f = self.flow
        axis = f.const(f"{n.name}/axis", -1, int32, f.pivot(n))
        at = f.aux(f"{n.name}/ExpandDims", "ExpandDims", [self.index(n, indices), axis], T=int32,
                   Tdim=int32)  # fmt: skip
        attrs = {"op": "TensorScatterUpdate", "T": encode(value.dtype), "Tindices": encode(int32)}
        return [f.read(flow, n), at, f.read(value, n)], attrs

    def plain_unstack(self, n: Node) -> Written:
        """Some rows, and behind them what was there before."""
        flow, value = n.inputs
        f, after, t = self.flow, self.flow.pivot(n), n.inputs[1].dtype
        rows = f.read(value, n)
        shape = f.aux(f"{n.name}/Shape", "Shape", [rows], T=t, out_type=int32)
        zero, one = (f.const(f"{n.name}/{k}", [i], int32, after)
                     for k, i in (("zero", 0), ("one", 1)))  # fmt: skip
        masks = dict.fromkeys(("begin_mask", "ellipsis_mask", "new_axis_mask",
                               "shrink_axis_mask"), 0)  # fmt: skip
        count = f.aux(f"{n.name}/strided_slice", "StridedSlice", [shape, zero, one, one], T=int32,
                      Index=int32, end_mask=0, **masks)  # fmt: skip
        rest = f.aux(f"{n.name}/strided_slice", "StridedSlice", [f.read(flow, n), count, one, one],
                     T=t, Index=int32, end_mask=1, **masks)  # fmt: skip
        axis = f.const(f"{n.name}/axis", 0, int32, after)
        attrs = {"T": encode(t), "N": encode(2), "Tidx": encode(int32)}
        return [rows, rest, axis], {"op": "ConcatV2", **attrs}

    def plain_head(self, n: Node) -> Written | None:
        x, like = n.inputs
        if like.rank is None:
            return None
        f = self.flow
        begin = f.const(f"{n.name}/begin", np.zeros(like.rank), int32, f.pivot(n))
        shape = f.aux(f"{n.name}/Shape", "Shape", [f.read(like, n)], T=like.dtype, out_type=int32)
        attrs = {"op": "Slice", "T": encode(x.dtype), "Index": encode(int32)}
        return [f.read(x, n), begin, shape], attrs

    def plain_sum(self, n: Node) -> Written:
        attrs = {"op": "Add", "T": encode(n.inputs[0].dtype)}
        return [self.flow.read(v, n) for v in n.inputs], attrs

    def plain_widen(self, n: Node) -> Written:
        """Rows with zeros behind them, as long as those of another tensor at least."""
        x, like = n.inputs
        f, after, t = self.flow, self.flow.pivot(n), n.inputs[0].dtype
        begin, end, step = (f.const(f"{n.name}/{k}", [i], int32, after)
                            for k, i in (("begin", 1), ("end", 2), ("step", 1)))  # fmt: skip
        masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask"), 0)
        lengths = []
        for v in (like, x):
            shape = f.aux(f"{n.name}/Shape", "Shape", [f.read(v, n)], T=v.dtype, out_type=int32)
            ends = [shape, begin, end, step]
            lengths.append(f.aux(f"{n.name}/strided_slice", "StridedSlice", ends, T=int32,
                                 Index=int32, shrink_axis_mask=1, **masks))  # fmt: skip
        more = f.aux(f"{n.name}/Sub", "Sub", lengths, T=int32)
        zero = f.const(f"{n.name}/zero", 0, int32, after)
        more = f.aux(f"{n.name}/Maximum", "Maximum", [more, zero], T=int32)
        pairs = f.aux(f"{n.name}/Pack", "Pack", [zero, zero, zero, more], T=int32, N=4, axis=0)
        square = f.const(f"{n.name}/square", [2, 2], int32, after)
        paddings = f.aux(f"{n.name}/Reshape", "Reshape", [pairs, square], T=int32, Tshape=int32)
        attrs = {"op": "Pad", "T": encode(t), "Tpaddings": encode(int32)}
        return [f.read(x, n), paddings], attrs


def _components(nodes: Sequence[Node]) -> dict[Value, Node]:
    """Value → the ``array_new`` of the one array that it is."""
    parent: dict[Value, Value] = {}

    def find(v: Value) -> Value:
        parent.setdefault(v, v)
        while parent[v] is not v:
            parent[v] = v = parent[parent[v]]
        return v

    def link(a: Value, b: Value) -> None:
        parent[find(a)] = find(b)

    new = [n for n in nodes if n.op.name == "array_new"]
    bad: list[Value] = []
    for n in nodes if new else ():
        pairs, others = _same(n)
        for a, b in pairs:
            link(a, b)
        bad += others
    refused = {find(v) for v in bad}
    roots: dict[Value, list[Node]] = {}
    for n in new:
        roots.setdefault(find(n.outputs[0]), []).append(n)
    one = {k: v[0] for k, v in roots.items() if len(v) == 1 and k not in refused}
    return {v: one[find(v)] for v in list(parent) if find(v) in one}


def _same(n: Node) -> tuple[list[tuple[Value, Value]], list[Value]]:
    """Values that are one array if any of them is, and those that can be none."""
    name = n.op.name
    if name in _CHANGES or name in _PASSES:
        return [(n.outputs[0], n.inputs[0])], [*n.inputs[1:]]
    pairs: list[tuple[Value, Value]] = []
    if name == "loop":
        loop = n.attrs["loop"]
        for i, p in enumerate(loop.params):
            pairs += [(p, n.inputs[i]), (p, loop.results[i]), (p, n.outputs[i])]
    elif name == "conditional":
        for b in (n.attrs["then"], n.attrs["orelse"]):
            pairs += zip(n.outputs, b.results, strict=False)
    elif name not in ("array_new", "loop_value"):
        return [], [*n.outputs, *(n.inputs if name in _ROWS else ())]
    return pairs, []
