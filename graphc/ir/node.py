"""The one node type: recorded, rewritten and fused graphs are all made of it.

A `Node` applies an op record to values; a `Value` is one output of a node. Neither ever
changes once made (a recorded `Value` may learn more of its static shape by `set_shape`).
Inputs are made before their users, so ascending `id` is a topological order of any graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType

if TYPE_CHECKING:
    from graphc.ops.record import Op

__all__ = [
    "Node", "Source", "Type", "Value", "behind", "next_id", "reachable", "shape_text", "type_text",
]  # fmt: skip


class Source(NamedTuple):
    """Where in the user's program a node comes from."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Type(NamedTuple):
    """Element type and shape of a value; `shape` is None when the rank is unknown."""

    dtype: DType
    shape: Shape | None


_ids = itertools.count(1)


def next_id() -> int:
    """A number above those of all nodes made so far, and below those of all made later."""
    return next(_ids)


class Value:
    """One output of a node. Arithmetic operators are installed by `graphc.ops.operators`."""

    __slots__ = ("__weakref__", "dtype", "index", "node", "static_shape")

    if TYPE_CHECKING:  # installed by graphc.ops.operators

        def __add__(self, other: Any) -> Value: ...
        def __radd__(self, other: Any) -> Value: ...
        def __sub__(self, other: Any) -> Value: ...
        def __rsub__(self, other: Any) -> Value: ...
        def __mul__(self, other: Any) -> Value: ...
        def __rmul__(self, other: Any) -> Value: ...
        def __truediv__(self, other: Any) -> Value: ...
        def __rtruediv__(self, other: Any) -> Value: ...
        def __floordiv__(self, other: Any) -> Value: ...
        def __rfloordiv__(self, other: Any) -> Value: ...
        def __mod__(self, other: Any) -> Value: ...
        def __rmod__(self, other: Any) -> Value: ...
        def __pow__(self, other: Any) -> Value: ...
        def __rpow__(self, other: Any) -> Value: ...
        def __matmul__(self, other: Any) -> Value: ...
        def __rmatmul__(self, other: Any) -> Value: ...
        def __and__(self, other: Any) -> Value: ...
        def __rand__(self, other: Any) -> Value: ...
        def __or__(self, other: Any) -> Value: ...
        def __ror__(self, other: Any) -> Value: ...
        def __xor__(self, other: Any) -> Value: ...
        def __rxor__(self, other: Any) -> Value: ...
        def __neg__(self) -> Value: ...
        def __abs__(self) -> Value: ...
        def __invert__(self) -> Value: ...
        def __lt__(self, other: Any) -> Value: ...
        def __le__(self, other: Any) -> Value: ...
        def __gt__(self, other: Any) -> Value: ...
        def __ge__(self, other: Any) -> Value: ...
        def __getitem__(self, key: Any) -> Value: ...

    def __init__(self, node: Node, index: int, dtype: DType, shape: Shape | None) -> None:
        self.node = node
        self.index = index
        self.dtype = dtype
        self.static_shape = shape

    @property
    def type(self) -> Type:
        return Type(self.dtype, self.static_shape)

    @property
    def rank(self) -> int | None:
        return None if self.static_shape is None else len(self.static_shape)

    @property
    def name(self) -> str:
        return f"{self.node.name}:{self.index}"

    def __repr__(self) -> str:
        return f"<{self.name} {type_text(self.type)}>"


class Node:
    """An op applied to values.

    Attributes
    ----------
    op : Op
        The op record.
    inputs : tuple of Value
    attrs : mapping
        Never changed after construction.
    name : str
    control : tuple of Node
        Nodes that must have run before this one.
    outputs : tuple of Value
    source : tuple of Source
        The user's lines this node comes from.
    """

    __slots__ = (
        "__weakref__", "attrs", "control", "graph", "id", "inputs", "name", "op", "outputs",
        "source",
    )  # fmt: skip

    value_class: type[Value] = Value

    def __init__(
        self,
        op: Op,
        inputs: Sequence[Value],
        attrs: Mapping[str, Any],
        types: Iterable[tuple[DType, Shape | None]],
        name: str = "",
        control: Sequence[Node] = (),
        source: tuple[Source, ...] = (),
        graph: Any = None,
    ) -> None:
        self.id = next(_ids)
        self.op = op
        self.inputs = tuple(inputs)
        self.attrs = attrs
        self.name = name
        self.control = tuple(control) if control else ()
        self.source = source
        self.graph = graph
        make = self.value_class
        if type(types) is list and len(types) == 1:  # nearly always
            ((dtype, shape),) = types
            self.outputs: tuple[Value, ...] = (make(self, 0, dtype, shape),)
        else:
            self.outputs = tuple([make(self, i, d, s) for i, (d, s) in enumerate(types)])

    def __repr__(self) -> str:
        return f"<{self.name or self.id}: {self.op.name}>"


def reachable(roots: Iterable[Node], stop: Iterable[Node] = ()) -> list[Node]:
    """Every node that `roots` need, data and control, in topological order (no recursion)."""
    seen: set[Node] = set(roots)
    cut = set(stop)
    stack = list(seen - cut)
    pop, push, found = stack.pop, stack.append, seen.add
    while stack:
        n = pop()
        for v in n.inputs:
            m = v.node
            if m not in seen:
                found(m)
                if m not in cut:
                    push(m)
        for m in n.control:
            if m not in seen:
                found(m)
                if m not in cut:
                    push(m)
    return sorted(seen, key=_by_id)


def behind(values: Iterable[Value], given: Container[Value], *, control: bool = True) -> set[Node]:
    """Every node that `values` need besides `given`; with `control` what they wait for, too."""
    seen: set[Node] = set()
    stack = [v.node for v in values if v not in given]
    while stack:
        n = stack.pop()
        if n not in seen:
            seen.add(n)
            stack += [v.node for v in n.inputs if v not in given]
            if control:
                stack += n.control
    return seen


_by_id = attrgetter("id")


def dim_text(d: Dim) -> str:
    return str(d).replace(" ", "")


def shape_text(shape: Shape | None) -> str:
    return "?" if shape is None else ",".join(dim_text(d) for d in shape)


def type_text(t: Type | tuple[DType, Shape | None]) -> str:
    """``f32[b,784]``; a scalar is ``f32[]`` and an unknown rank ``f32[?]``."""
    return f"{t[0].code}[{'?rank' if t[1] is None else shape_text(t[1])}]"
