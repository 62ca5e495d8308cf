"""TensorFlow's arrays (``TensorArrayV3``) in imported graphs.

There an array is a resource that nodes change, and ``flow`` values only order them. Here it is a
tensor: what an array is at this place of the graph is kept in `Arrays.state`, becomes a variable
of the loops that write it and a result of the conds. Flows are zeros that nobody computes with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.graphdef.attributes import decode
from graphc.graphdef.frames import Frame, Place, Unstructured, kind
from graphc.graphdef.tensors import shape_of
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Shape
from graphc.ir.node import Value
from graphc.ops import arrays, control, fills, math, reduce, shapes, tensor_arrays
from graphc.ops.convert import make_constant

__all__ = ["ARRAYS", "Arrays"]

#: Types of nodes that make or use arrays.
ARRAYS = frozenset({
    "TensorArrayV3", "TensorArrayGradV3", "TensorArrayWriteV3", "TensorArrayReadV3",
    "TensorArrayGatherV3", "TensorArrayScatterV3", "TensorArraySizeV3", "TensorArrayConcatV3",
    "TensorArraySplitV3", "TensorArrayCloseV3",
})  # fmt: skip
_WRITES = frozenset({"TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArraySplitV3"})

#: What an array is known by: the name of its node; of a gradient (array, name of the gradient).
Key = Any


class _Kind(NamedTuple):
    """What all values of an array have in common."""

    element: Shape | None
    grows: bool
    sums: bool  # a gradient: what is written to one place twice is added


class Arrays:
    """The arrays of one graph.

    Attributes
    ----------
    state : dict
        What each array is at this place.
    """

    def __init__(self, flow: Any) -> None:
        self.flow = flow
        self.nodes: dict[str, Any] = flow.nodes
        self.values: dict[str, Value] = flow.values
        self.state: dict[Key, Value] = {}
        self.kinds: dict[Key, _Kind] = {}
        #: Arrays made inside of a loop, as an iteration leaves them.
        self.final: dict[Key, Value] = {}
        #: Gradients to which nothing was added yet.
        self.fresh: set[Key] = set()

    # ---- which array

    def key(self, text: str) -> Key:
        """The array that an input means."""
        n = self.flow.handle(text)
        if n.op == "TensorArrayGradV3":
            return (self.key(n.input[0]), n.attr["source"].s.decode())
        return n.name

    def popped_in(self, text: str) -> Frame | None:
        """The loop that takes an array from a stack: each iteration has its own."""
        found: Frame | None = None
        for n in self.flow.chain(text):
            if n.op == "StackPopV2":
                found = self.flow.frame_of(n)
            elif n.op == "TensorArrayGradV3":
                return found or self.popped_in(n.input[0])
        return found

    def prepare(self, place: Place | None, nodes: Sequence[Any]) -> None:
        """Make the gradients that `nodes` add to, before anything does."""
        for n in nodes:
            if n.op != "TensorArrayGradV3":
                continue
            key = self.key(n.name)
            base = key[0]
            if key in self.state:
                continue
            loop = self.popped_in(n.input[0])
            like = None
            if loop is None:
                like = self.state.get(base)
            elif place is not None and place.within(loop):
                like = self.state.get(base, self.final.get(base))
            if like is not None:
                self.state[key] = fills.zeros_like(like)
                self.kinds[key] = self.kinds[base]._replace(sums=True)
                self.fresh.add(key)

    def written(self, nodes: Sequence[Any]) -> list[Key]:
        """The arrays of outside that `nodes` change."""
        found = {self.key(n.input[0]): None for n in nodes if n.op in _WRITES}
        out = [k for k in found if k in self.state]
        self.fresh.difference_update(out)
        return out

    def leave(self, outer: dict[Key, Value]) -> None:
        """The inside of a construct is recorded: arrays are again what they were before."""
        self.final.update({k: v for k, v in self.state.items() if k not in outer})
        self.state = dict(outer)

    # ---- nodes

    def takes(self, n: Any) -> bool:
        """Record `n` if it is about arrays."""
        if n.op not in ARRAYS:
            return False
        name = self.flow.importer.prefix + n.name + "/"
        made = getattr(self, "_" + n.op.removeprefix("TensorArray").removesuffix("V3").lower())
        v = made(n, name)
        if v is not None:
            self.values[f"{n.name}:0"] = v
            if n.op not in _WRITES:
                self.flow.importer.made[n.name] = v.node
        return True

    def of(self, n: Any) -> tuple[Key, Value, _Kind]:
        key = self.key(n.input[0])
        if key not in self.state:
            raise Unstructured(f"'{n.name}' uses an array that is not made before")
        return key, self.state[key], self.kinds[key]

    def at(self, text: str) -> Value:
        v: Value = self.flow.value(text)
        return v

    def _zero_flow(self, n: Any) -> None:
        self.values[f"{n.name}:1"] = make_constant(np.zeros((), "f"), dtypes.float32, "flow")

    def _(self, n: Any, name: str) -> None:
        """``TensorArrayV3``."""
        element = shape_of(n.attr["element_shape"].shape) if "element_shape" in n.attr else None
        grows = n.attr["dynamic_size"].b
        dtype: Any = decode(n.attr["dtype"])
        self.kinds[n.name] = _Kind(element, grows, False)
        made = tensor_arrays.array_new(self.at(n.input[0]), dtype, element, grows, name)
        self.state[n.name] = made
        self.flow.importer.made[n.name] = made.node
        self._zero_flow(n)

    def _grad(self, n: Any, name: str) -> None:
        self._zero_flow(n)

    def _close(self, n: Any, name: str) -> None:
        pass

    def _size(self, n: Any, name: str) -> Value:
        _, array, _ = self.of(n)
        return arrays.strided_slice(shapes.shape(array), [0], [1], shrink_axis_mask=1, name=name)

    def _write(self, n: Any, name: str) -> Value:
        key, array, of = self.of(n)
        index, value = self.at(n.input[1]), self.at(n.input[2])
        if of.sums:
            self.state[key] = control.array_add(array, index, value, name)
            self.fresh.discard(key)
        else:
            if of.grows:
                array = tensor_arrays.array_grow(array, index)
            self.state[key] = control.array_set(array, index, value, name)
        return self.at(n.input[3])

    def _read(self, n: Any, name: str) -> Value:
        _, array, of = self.of(n)
        v = control.array_get(array, self.at(n.input[1]), name)
        if v.static_shape is None:
            v.static_shape = of.element
        return v

    def _gather(self, n: Any, name: str) -> Value:
        _, array, of = self.of(n)
        if self.is_all(n.input[1], "TensorArraySizeV3"):
            made = array
        else:
            made = arrays.gather(array, self.at(n.input[1]), axis=0)
        shape = made.static_shape
        if shape is None and of.element is not None:
            shape = (D.fresh(), *of.element)
        return tensor_arrays.array_stack(made, shape, name)

    def _scatter(self, n: Any, name: str) -> Value:
        value = self.at(n.input[2])
        whole = self.is_all(n.input[1], "TensorArraySizeV3", "StridedSlice")
        indices = None if whole else self.at(n.input[1])
        self.put(n, indices, value, name)
        return self.at(n.input[3])

    def put(self, n: Any, indices: Value | None, value: Value, name: str) -> None:
        """Rows of a tensor into an array: into its first elements, or those at `indices`."""
        key, array, of = self.of(n)
        total = None
        if of.sums and key not in self.fresh:
            total, array = array, fills.zeros_like(array)
        self.fresh.discard(key)
        if of.grows and not of.sums and indices is not None:
            array = tensor_arrays.array_grow(array, reduce.reduce_max(indices))
        if indices is None:
            made = tensor_arrays.array_unstack(array, value, of.grows, name)
        else:
            made = tensor_arrays.array_scatter(array, indices, value, name)
        self.state[key] = made if total is None else math.add(total, made)

    def is_all(self, text: str, *counts: str) -> bool:
        """Whether an input is 0, 1, 2, … up to what a node of one of some types counts."""
        *_, n = self.flow.chain(text)
        if n.op != "Range":
            return False
        chains = [list(self.flow.chain(i)) for i in n.input[:3]]
        if any(kind(m) == "Merge" for chain in chains for m in chain):
            return False
        start, limit, delta = [chain[-1] for chain in chains]
        if limit.op not in counts or start.op != "Const" or delta.op != "Const":
            return False
        if limit.op == "StridedSlice" and self.flow.handle(limit.input[0]).op != "Shape":
            return False
        numbers = [self.flow.importer.made.get(c.name) for c in (start, delta)]
        return [None if c is None else int(c.attrs["value"]) for c in numbers] == [0, 1]

    def _concat(self, n: Any, name: str) -> Value:
        _, array, _kind = self.of(n)
        sizes = shapes.shape(array)
        inner = arrays.strided_slice(sizes, [2], [0], end_mask=1)
        flat = shapes.reshape(array, arrays.concat([[-1], inner], 0))
        count = arrays.strided_slice(sizes, [0], [1])
        length = arrays.strided_slice(sizes, [1], [2], shrink_axis_mask=1)
        self.values[f"{n.name}:1"] = fills.fill(count, math.cast(length, dtypes.int64))
        shape = flat.static_shape
        return tensor_arrays.array_stack(flat, shape, name)

    def _split(self, n: Any, name: str) -> Value:
        value, lengths = self.at(n.input[1]), self.at(n.input[2])
        count = shapes.size(lengths, out_type=dtypes.int32)
        inner = arrays.strided_slice(shapes.shape(value), [1], [0], end_mask=1)
        head = arrays.stack([count, -1])
        rows = shapes.reshape(value, arrays.concat([head, inner], 0))
        self.put(n, None, rows, name)
        return self.at(n.input[3])
