"""Recorded control flow: the ops of constructs, and how a construct is recorded.

Functions here record into the current builder, which must be a face graph: it knows contexts
(`graphc.ir.region`). Names and their order are TF1's: those of the ops that graphc does without
(Switch, Enter, NextIteration) are taken all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Shape
from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop
from graphc.ops import arrays, control, fills, math, shapes
from graphc.ops.convert import make_constant
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.ops.state import identity

__all__ = [
    "branch", "close", "conditional", "conditional_op", "cut_as", "is_sizes", "loop", "loop_op",
    "saved", "saved_in", "stacked", "trips",
]  # fmt: skip


def _stated(inputs: Sequence[Value], attrs: Attrs) -> Types:
    types: Types = attrs["types"]
    return types


#: Attributes: ``loop``, a `Loop`; ``types``, of the outputs: the loop variables at the end, then
#: the variables in ``updates`` that its inside may change. Inputs: initial values, captures.
loop_op = op(
    "loop", "While", "control", doc="A recorded loop.", args=("*values",), types="fiubsc",
    infer=_stated, facts={"contexts": ("loop",), "no_gradient_error": True},
)  # fmt: skip

#: Attributes: ``then`` and ``orelse``, each a `Branch`; the rest as for loops. Inputs: the
#: predicate, captures.
conditional_op = op(
    "conditional", "If", "control", doc="A recorded cond.", args=("pred", "*values"),
    types="fiubsc", infer=_stated,
    facts={"contexts": ("then", "orelse"), "no_gradient_error": True},
)  # fmt: skip


def _typed(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(attrs["dtype"], attrs["shape"])]


loop_value_op = op(
    "loop_value", "Merge", "control", doc="A loop variable as an iteration sees it.",
    types="fiubsc",
    infer=_typed,
)  # fmt: skip


def _shaped(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, attrs["shape"])]


exit_op = op(
    "exit", "Exit", "state", doc="A loop variable at the end of the loop.", args=("x",),
    types="fiubsc", infer=_shaped, numpy=lambda x, *, shape: x, grad=lambda y, dy, x, shape: dy,
    facts={"alias": True},
)  # fmt: skip

merge_op = op(
    "merge", "Merge", "state", doc="A result of a cond.", args=("x",), types="fiubsc",
    infer=_shaped, numpy=lambda x, *, shape: x, grad=lambda y, dy, x, shape: dy,
    facts={"alias": True},
)  # fmt: skip


def _saved(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape = attrs["shape"]
    rank = D.fresh() if shape is None else len(shape) - 1
    return [(attrs["dtype"], shape), (dtypes.int32, (D.fresh(), rank))]


# The operand of these two is the loop: they only say that it comes before.
saved_op = op(
    "saved", "StackPopV2", "control", args=("loop",), types="fiubsc",
    infer=_saved,
    doc="All values that `value` had inside of a loop, and their shapes: one row each.",
)  # fmt: skip


def _row_known(sizes: Value, index: Value) -> Any:
    s = sizes.static_shape
    if s is None or D.facts() is None or len(s) != 2 or s[0] != 0:
        return None
    rank = s[1]
    if type(rank) is not int:  # of a value whose rank is known in a run only: one plan for each
        facts, size = D.facts(), rank
        assert facts is not None
        rank = facts.value(size)
        facts.equal(size, rank)
    return (-1,) * rank  # or of a loop or a branch that did not run


def _row(sizes: Any, index: Any) -> Any:
    given = sizes.ndim == 2 and index < len(sizes)
    return sizes[index] if given else np.full(sizes.shape[-1:], -1, np.int32)


def _row_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(dtypes.int32, (s[-1] if s else D.fresh(),))]


def _row_expand(sizes: Value, index: Value) -> Value:
    k = _row_known(sizes, index)
    if k is not None:
        return make_constant(np.array(k, np.int32), dtypes.int32, None)
    count = shapes.shape(sizes)[0]
    row = control.array_get(sizes, math.minimum(index, count - 1))
    return math.where(math.less(index, count), row, fills.zeros_like(row) - 1)


#: Of values of one shape in all iterations nothing was written down: then the sizes are -1. So are
#: those behind the last row, where a loop around wrote some down in another of its iterations.
saved_shape_op = op(
    "saved_shape", "StackPopV2", "composite", args=("sizes", "index"), types="iu",
    doc="The shape that a saved value had in one iteration.", fails=True,
    infer=_row_infer, numpy=_row, expand=_row_expand, dims=_row_known, grad=no_grad,
    facts={"shape_only": True},
)  # fmt: skip

trips_op = op(
    "trips", "While", "control", args=("loop",), types="fiubsc",
    doc="The number of iterations of a loop.",
    infer=lambda inputs, attrs: [(dtypes.int32, ())],
)  # fmt: skip


def updated(node: Node) -> tuple[Value, ...]:
    """The variables that the inside of a construct may change; its last outputs are theirs."""
    out: tuple[Value, ...] = node.attrs["updates"]
    return out


# ------------------------------------------------------------------------- conds


def branch(
    context: Branch, f: Callable[[], Any], values: Callable[[Any], Sequence[Value]]
) -> None:  # fmt: skip
    """Record one branch: `f` records it, `values` makes results of what it gives.

    `f` is called from here, so that a cond in a cond takes few frames of Python's stack.
    """
    graph: Any = current()
    with graph.inside(context):
        context.results = tuple([graph.real(v, "Switch") for v in values(f())])


def merged(a: Shape | None, b: Shape | None) -> Shape | None:
    """What is known of a shape that is one of two."""
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple([x if x == y else D.fresh() for x, y in zip(a, b, strict=True)])


def conditional(then: Branch, orelse: Branch, name: str) -> list[Value]:
    """The construct over two recorded branches; `name` is a name that was taken for it."""
    graph: Any = current()
    pairs = zip(then.results, orelse.results, strict=True)
    types = [(a.dtype, merged(a.static_shape, b.static_shape)) for a, b in pairs]
    pred = then.pred
    node = close(graph, [then, orelse], [pred], types, name, conditional_op)
    outputs = node.outputs[: len(types)]
    return [build(merge_op, (v,), {"shape": v.static_shape}, "Merge").outputs[0] for v in outputs]


def close(
    graph: Any, contexts: Sequence[Context], first: Sequence[Value], types: list[Any], name: str,
    record: Any,
) -> Node:  # fmt: skip
    """Record the construct whose insides are `contexts`."""
    captures: dict[Value, None] = {}
    updates: dict[Value, None] = {}
    for c in contexts:
        captures.update(c.captures)
        updates.update(c.updates)
    attrs: dict[str, Any] = dict(zip(record.facts["contexts"], contexts, strict=True))
    attrs["updates"] = tuple(updates)
    attrs["draws"] = any(c.draws for c in contexts)
    attrs["host_effects"] = any(c.host_effects for c in contexts)
    attrs["types"] = [*types, *[(v.dtype, v.static_shape) for v in updates]]
    after = [n for c in contexts for n in c.after]
    with graph.control_dependencies(after):
        node: Node = graph.construct(record, [*first, *captures], attrs, name)
    for c in contexts:
        c.node = node
    return node


# ------------------------------------------------------------------------- loops


def unknown(shape: Shape | None) -> Shape | None:
    """`shape` with each unknown size a new one: it may be another in each iteration."""
    return None if shape is None else tuple([d if type(d) is int else D.fresh() for d in shape])


def loop(
    context: Loop,
    values: Sequence[Value],
    test: Callable[[list[Value]], Value],
    body: Callable[[list[Value]], Sequence[Value]],
    shapes: Sequence[Shape | None] | None = None,
    check: Callable[[int, Value, Value], None] | None = None,
) -> list[Value]:
    """Record a loop in the current name scope.

    Parameters
    ----------
    values : sequence of Value
        Initial values.
    test, body : callable
        Get the loop variables; give whether to go on, and the next ones.
    shapes : sequence, optional
        Static shapes of the loop variables; those of `values` where not given.
    check : callable, optional
        ``(i, variable, next)``, called for each pair: refuses what does not fit.
    """
    graph: Any = current()
    label = "Switch" if isinstance(graph.context, Branch) else "Enter"
    values = [graph.real(v, label) for v in values]
    known = [v.static_shape for v in values] if shapes is None else shapes
    graph.reserve(*["Enter"] * len(values))
    with graph.inside(context):
        params = []
        for v, s in zip(values, known, strict=True):
            attrs = {"dtype": v.dtype, "shape": unknown(s)}
            params.append(build(loop_value_op, (), attrs, "Merge").outputs[0])
        context.params = tuple(params)
        context.test = graph.real(test(params), "LoopCond/Enter")
        name = graph.taken("LoopCond")
        graph.reserve(*["Switch"] * len(values))
        inner = [identity(v, "Identity") for v in params]
        results = [graph.real(v, "Enter") for v in body(inner)]
        graph.reserve(*["NextIteration"] * len(values))
        if check is not None:
            for i, (p, r) in enumerate(zip(params, results, strict=True)):
                check(i, p, r)
        context.results = tuple(results)
    types = [(v.dtype, unknown(p.static_shape)) for v, p in zip(values, params, strict=True)]
    node = close(graph, [context], values, types, name, loop_op)
    outputs = node.outputs[: len(values)]
    return [build(exit_op, (v,), {"shape": v.static_shape}, "Exit").outputs[0] for v in outputs]


def saved(context: Loop, v: Value, capacities: Sequence[Value]) -> Value:
    """All values that `v` had inside of a closed loop, recorded where the loop is.

    `capacities` are the most iterations that it makes in one iteration of each loop around it,
    innermost first, and at all: each is recorded outside of the loop that it is about.
    """
    made = context.saved.get(v)
    if made is None:
        assert context.node is not None
        shape = v.static_shape
        attrs = {
            "value": v,
            "loop": context,
            "capacities": tuple(capacities),
            "dtype": v.dtype,
            "shape": None if shape is None else (D.fresh(), *(unknown(shape) or ())),
        }
        graph: Any = current()
        with graph.inside(context.outer):
            inputs = context.node.outputs[:1]
            made = context.saved[v] = build(saved_op, inputs, attrs, "Saved").outputs[0]
    return made


def saved_in(stack: Value, v: Value, index: Value) -> Value:
    """What `v` was in one iteration, of the `saved` values that it had."""
    return cut_as(control.array_get(stack, index), v, stack, index)


def cut_as(whole: Value, v: Value, stack: Value, index: Value) -> Value:
    """`whole`, an element of `stack` or its gradient, in the shape that `v` had in an iteration.

    Arrays of other shapes are as large in the stack as the largest: what was added is cut off.
    """
    if not _is_cut(v):
        return whole
    known = v.static_shape
    row = build(saved_shape_op, (stack.node.outputs[1], index), {}).outputs[0]
    if known is not None:
        row.static_shape = (len(known),)
    made = arrays.slice(whole, row * 0, row)
    made.static_shape = unknown(known)
    return made


def stacked(v: Value) -> tuple[Value, int]:
    """What stacks in stacks are of, and of how many loops inside of each other `v` is one."""
    count = 0
    while v.node.op is saved_op and v.index == 0:
        v = v.node.attrs["value"]
        count += 1
    return v, count


def is_sizes(v: Value) -> bool:
    """Whether `v` has the shapes that a saved value had."""
    return v.node.op is saved_op and v.index == 1


def _is_cut(v: Value) -> bool:
    """Whether an element may be larger than `v` was, in a way that its readers see.

    Of stacks only what is in them counts: nobody reads beyond the end of one, and what stands there
    for sizes is -1. So reading through n loops takes about n**2 nodes, and not 2**n.
    """
    inner, _ = stacked(v)
    known = inner.static_shape
    return not is_sizes(inner) and (known is None or any(type(d) is not int for d in known))


def trips(context: Loop) -> Value:
    """The number of iterations of a closed loop, recorded where the loop is."""
    if context.trips is None:
        assert context.node is not None
        graph: Any = current()
        with graph.inside(context.outer):
            made = build(trips_op, context.node.outputs[:1], {"loop": context}, "Trips")
            context.trips = made.outputs[0]
    return context.trips
