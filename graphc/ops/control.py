"""Control flow in pure graphs: ``while`` and ``cond`` with their regions, and arrays.

A region is a pure `Graph` held by an attribute. Its inputs are ``input`` nodes, it reads nothing
from outside but what it is given, and its sizes are those of the run (it shares the outer graph's
`Facts`). Regions nest.

``while``
    Inputs: the n initial values, then m captured values. Attributes ``cond`` and ``body``: both
    take n + m inputs (the values of this iteration, then the captured ones); ``cond`` gives one
    scalar bool, ``body`` the n values of the next iteration, of the same types.
    Outputs: the n values for which ``cond`` is false.
``cond``
    Inputs: a scalar bool, then m captured values. Attributes ``then`` and ``orelse``: both take
    the m captured values and give outputs of the same types.

An array is a tensor whose first axis counts elements. ``array_set`` gives it with one element
replaced, ``array_add`` with something added to one, ``array_get`` gives one. A plan does the first
two in place where nobody reads the old array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Value as KernelValue
from graphc.ir.kernel import lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value, type_text
from graphc.ir.registry import REGIONS
from graphc.ops import arrays, fills
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, InferError, Types, op

__all__ = [
    "ElementGradient", "array_add", "array_get", "array_set", "blank", "cond_op", "nested",
    "regions_of", "while_op", "with_regions",
]  # fmt: skip


def regions_of(n: Node) -> dict[str, Graph]:
    """The regions of a node by attribute; empty for every node that is no control flow."""
    return {k: n.attrs[k] for k in REGIONS.get(n.op.name, ())}


def nested(g: Graph) -> Iterator[Graph]:
    """Every region of a graph, inner ones included."""
    stack = [g]
    while stack:
        for n in stack.pop().nodes():
            if n.op.name in REGIONS:
                found = list(regions_of(n).values())
                yield from found
                stack += found


# ------------------------------------------------------------------------- types


def _equal(a: Value, b: Value) -> bool:
    """Whether two values of a plan have one type."""
    s, t = a.static_shape, b.static_shape
    if a.dtype is not b.dtype or s is None or t is None or len(s) != len(t):
        return a.dtype is b.dtype and s is t
    return all(D.same(x, y) for x, y in zip(s, t, strict=True))


def _agree(what: str, left: Sequence[Value], right: Sequence[Value]) -> None:
    if len(left) != len(right):
        raise InferError(f"{what}: {len(left)} and {len(right)} values")
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        if not _equal(a, b):
            raise InferError(f"{what}: value {i} is {type_text(a.type)} and {type_text(b.type)}")


def _while_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    cond, body = attrs["cond"], attrs["body"]
    _agree("inputs of cond", inputs, cond.inputs)
    _agree("inputs of body", inputs, body.inputs)
    _agree("loop values", body.outputs, inputs[: len(body.outputs)])
    if len(cond.outputs) != 1 or cond.outputs[0].type != (dtypes.bool_, ()):
        raise InferError("the condition of a loop is one scalar bool")
    return [v.type for v in inputs[: len(body.outputs)]]


def _cond_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    then, orelse = attrs["then"], attrs["orelse"]
    if not inputs or inputs[0].type != (dtypes.bool_, ()):
        raise InferError("the predicate of a cond is one scalar bool")
    _agree("inputs of then", inputs[1:], then.inputs)
    _agree("inputs of orelse", inputs[1:], orelse.inputs)
    _agree("results", then.outputs, orelse.outputs)
    return [v.type for v in then.outputs]


# `numpy` of both is given by the interpreter, which runs regions (`runtime/reference.py`).
while_op = op(
    "while", "While", "control", doc="Runs its body as long as its condition is true.",
    args=("*values",), types="fiubsc", infer=_while_infer, fails=True,
)  # fmt: skip

cond_op = op(
    "cond", "If", "control", doc="Runs one of its two branches.", args=("pred", "*values"),
    types="fiubsc", infer=_cond_infer, fails=True,
)  # fmt: skip


# ------------------------------------------------------------------------- arrays


def _array_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    buffer, index, value = inputs
    s, t = buffer.static_shape, value.static_shape
    if index.rank not in (0, None) or index.dtype.kind not in "iu":
        raise InferError(f"the index of an array is a scalar integer, not {type_text(index.type)}")
    if value.dtype is not buffer.dtype:
        raise InferError(f"an array of {buffer.dtype.name} and an element of {value.dtype.name}")
    if (
        s is not None
        and t is not None
        and (
            len(s) != len(t) + 1
            or any(D.same(a, b) is False for a, b in zip(s[1:], t, strict=True))
        )
    ):
        raise InferError(
            f"an array of {type_text(buffer.type)} and an element of {type_text(value.type)}"
        )
    return [buffer.type]


def _get_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s == ():
        raise InferError("an array has at least one axis")
    return [(inputs[0].dtype, None if s is None else s[1:])]


def _at(buffer: Any, index: Any, writes: bool = False) -> int:
    i = int(index)
    if not 0 <= i < len(buffer):
        message = no_room(i, len(buffer)) if writes else outside(i, len(buffer))
        raise InvalidArgumentError(None, None, message)
    return i


def no_room(i: Any, n: Any) -> str:
    """What is said of an index to write to that no element has; of the numbers of a run in text.

    A kernel's message has its position, which is the index here, as ``<position>`` and sizes as
    ``<n>``: they become numbers when it fails (`runtime.executor.with_numbers`).
    """
    return f"Tried to write to index {i} but array is not resizeable and size is: {n}"


def outside(i: int | str, n: int) -> str:
    """What is said of an index that no element has."""
    return f"Tried to read from index {i} but array size is: {n}"


def _fit(inputs: Sequence[Value]) -> tuple[Value, ...]:
    """An array that has no elements' shape yet takes that of the first element."""
    from graphc.ops.tensor_arrays import fitted

    buffer, index, value = inputs
    shape = value.static_shape
    return (buffer if shape is None else fitted(buffer, shape), index, value)


def _set_numpy(buffer: Any, index: Any, value: Any) -> Any:
    out = np.array(buffer)
    shape = np.shape(value)
    if out.shape[1:] != shape and 0 in out.shape[1:]:  # see `_fit`
        out = np.full((len(out), *shape), b"" if out.dtype == object else 0, out.dtype)
    out[_at(buffer, index, True), ...] = value  # so that strings stay what they are
    return out


def _add_numpy(buffer: Any, index: Any, value: Any) -> Any:
    out = np.array(buffer)
    if out.shape[1:] != np.shape(value) and 0 in out.shape[1:]:
        out = np.zeros((len(out), *np.shape(value)), out.dtype)
    out[_at(buffer, index, True)] += value
    return out


def _get_numpy(buffer: Any, index: Any) -> Any:
    return np.array(buffer[_at(buffer, index)])


def _lower_set(n: Node, s: Site) -> None:
    """The element over the array, which the result begins as (`replaces`)."""
    buffer, index = n.inputs[:2]
    shape = buffer.static_shape
    assert shape is not None
    rows: Dim = shape[0]
    inner = D.product(shape[1:])
    t = buffer.dtype
    k = KernelBuilder(n.op.name)
    at = k.input("index", index.dtype, ())
    v = k.input("value", t, (inner,))
    y = k.inout("array", t, (rows, inner))
    g = k.cast(k.load(at, ()), dtypes.int64)
    assert isinstance(g, KernelValue)
    low = k.let("less_equal", lit(0, dtypes.int64), g, dtype=dtypes.bool_)
    high = k.let("less", g, k.index(rows), dtype=dtypes.bool_)
    k.check(k.let("logical_and", low, high, dtype=dtypes.bool_), 1, g.index)
    with k.loop("vector", "c", inner) as c:
        k.store(y, (g.index, c), k.load(v, (c,)))
    s.step(k.build(), [s.input(1), s.input(2), s.output()],
           [no_room("<position>", f"<{rows}>")])  # fmt: skip


array_set_op = op(
    "array_set", "TensorArrayWriteV3", "structured", doc="An array with one element replaced.",
    args=("buffer", "index", "value"), types="fiubsc", infer=_array_infer, numpy=_set_numpy,
    # every element of an array is written at most once: what was there before has no gradient
    grad=lambda y, dy, buffer, index, value: (dy, None, array_get(dy, index)),
    lower=_lower_set, fails=True, facts={"replaces": 0, "fit": _fit},
)  # fmt: skip

array_add_op = op(
    "array_add", "TensorArrayWriteV3", "structured", doc="An array with one element added to.",
    args=("buffer", "index", "value"), types="fiu", infer=_array_infer, numpy=_add_numpy,
    grad=lambda y, dy, buffer, index, value: (dy, None, array_get(dy, index)),
    expand=lambda buffer, index, value: array_set(
        buffer, index, array_get(buffer, index) + value
    ),
    fails=True, facts={"fit": _fit},
)  # fmt: skip

array_get_op = op(
    "array_get", "TensorArrayReadV3", "composite", doc="One element of an array.",
    args=("buffer", "index"), types="fiubsc", infer=_get_infer, numpy=_get_numpy,
    grad=lambda y, dy, buffer, index: (ElementGradient(buffer, index, dy), None),
    expand=lambda buffer, index: arrays.gather(buffer, index, axis=0), fails=True,
)  # fmt: skip


# What a loop keeps of its iterations begins as this: every element that is read was written before,
# so there is nothing to fill. Two of them stay two (`stateful`): each is a place of its own.
blank_op = op(
    "blank", "TensorArrayV3", "state", doc="An array to write before it is read.",
    infer=lambda inputs, attrs: [(attrs["dtype"], attrs["shape"])], types="fiub", stateful=True,
    numpy=lambda *, dtype, shape: np.zeros(shape, dtype.np), lower=lambda n, s: s.hold(s.output()),
)  # fmt: skip


def blank(shape: Sequence[Dim], dtype: DType, name: str | None = None) -> Value:
    """An array to write to; who reads an element must have written it."""
    return build(blank_op, (), {"dtype": dtype, "shape": tuple(shape)}, name).outputs[0]


class ElementGradient:
    """A gradient of an array that is zero but at one index.

    A loop that reads one element in each iteration sums these into one array, in place.
    """

    def __init__(self, array: Value, index: Value, value: Value) -> None:
        self.array, self.index, self.value = array, index, value

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    def dense(self) -> Value:
        """The whole gradient."""
        return self.added_to(fills.zeros_like(self.array))

    def added_to(self, total: Value) -> Value:
        """`total` with this added."""
        return array_add(total, self.index, self.value)


def array_set(buffer: Value, index: Any, value: Value, name: str | None = None) -> Value:
    """`buffer` with `value` as its element `index`."""
    return build(array_set_op, (buffer, index, value), {}, name).outputs[0]


def array_add(buffer: Value, index: Any, value: Value, name: str | None = None) -> Value:
    """`buffer` with `value` added to its element `index`."""
    return build(array_add_op, (buffer, index, value), {}, name).outputs[0]


def array_get(buffer: Value, index: Any, name: str | None = None) -> Value:
    """The element `index` of `buffer`."""
    return build(array_get_op, (buffer, index), {}, name).outputs[0]


# ------------------------------------------------------------------------- rewriting regions


def with_regions(n: Node, inputs: Sequence[Value], f: Callable[[Graph], Graph]) -> Node | None:
    """`n` on `inputs` with `f` applied to each region; None where that changes nothing."""
    old = regions_of(n)
    new = {k: f(r) for k, r in old.items()}
    if tuple(inputs) == n.inputs and all(new[k] is r for k, r in old.items()):
        return None
    attrs: Mapping[str, Any] = {**n.attrs, **new}
    types = [v.type for v in n.outputs]
    return Node(n.op, inputs, attrs, types, n.name, (), n.source)
