"""Gradients of loops and conds, recorded as loops and conds.

The gradient of a loop is a loop that goes through its iterations from the last to the first. Its
variables are the gradients of the loop's float variables, and sums of what the iterations add to
the gradients of captured values. What it reads of an iteration of the first loop is saved there:
``saved`` is the stack of all values that something inside had. Such a loop is like any other, so
it has a gradient itself; a gradient that arrives at a stack goes back into the iterations.

The gradient of a cond is a cond. Its branches read what they need of the branches of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop, context_of
from graphc.ops import arrays, control, fills, flow, math, reduce, shapes, state
from graphc.ops.convert import make_constant
from graphc.ops.indexed import IndexedSlices
from graphc.ops.scatter import add_rows
from graphc.passes.flow_reach import active_variables, reaches
from graphc.passes.loop_counts import loop_operations

__all__ = ["construct_gradient", "read_back"]

#: What TF1 makes for the gradient of a value that a branch reads: zeros where the other runs.
SWITCH = 6

#: Nodes that are computed again rather than kept, at most.
AGAIN = 20


# ------------------------------------------------------------------------- reading back


def read_back(back: Loop, v: Value) -> Value:
    """What stands in `back`, a loop that goes back through another, for a value inside of that."""
    loop = back.mirror
    assert loop is not None
    graph: Any = current()
    n = v.node
    if n.op.name == "constant":
        return make_constant(n.attrs["value"], v.dtype, n.name.rsplit("/", 1)[-1])
    if n.op is state.identity_op and not n.control:
        made: Value = graph.real(n.inputs[0], None)
        return made
    counted = _counter(loop, v)
    if counted is not None:
        return _counted(back, *counted)
    if _sizes_only(v) or _invariant(v, loop):
        again: Value = graph.add(n.op, n.inputs, n.attrs, n.op.tf).outputs[v.index]
        return again
    assert back.index is not None
    return flow.saved_in(flow.saved(loop, v, capacities(loop)), v, back.index)


def _counter(loop: Loop, v: Value) -> tuple[Value, Value] | None:
    """The first value and the step, where `v` is a loop variable that only counts."""
    if v not in loop.params or v.dtype.code != "i32" or loop.node is None:
        return None
    j = loop.params.index(v)
    n = loop.results[j].node
    if n.op.name != "add":
        return None
    a, b = n.inputs
    for x, step in ((a, b), (b, a)):
        while x.node.op is state.identity_op and not x.node.control:
            x = x.node.inputs[0]
        if x is v and step.node.op.name == "constant":
            return loop.node.inputs[j], step
    return None


def _counted(back: Loop, first: Value, step: Value) -> Value:
    at = back.index
    assert at is not None
    k = int(step.node.attrs["value"])
    if k != 1:
        at = at * _int(k)
    if first.node.op.name == "constant" and int(first.node.attrs["value"]) == 0:
        return at
    return at + first


def _int(k: int) -> Value:
    return make_constant(np.array(k, np.int32), dtypes.int32, "Const")


def _sizes_only(v: Value) -> bool:
    """Whether `v` is arithmetic on sizes: cheap, and known when a plan is made."""
    n = v.node
    if n.op.dims is None or v.dtype.kind not in "iu" or v.rank is None or v.rank > 1:
        return False
    return bool(n.inputs) and not n.op.stateful


def _invariant(v: Value, loop: Loop) -> bool:
    """Whether `v` is the same in all iterations, and not much to compute."""
    stack, seen = [v.node], set()
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        c = context_of(n)
        if c is None or not c.within(loop):
            continue
        r = n.op
        if len(seen) > AGAIN or c is not loop or r.stateful or n.control:
            return False
        if r.family in ("random", "control", "host", "contraction") or "update" in r.facts:
            return False
        if not n.inputs and r.name != "constant":
            return False
        stack += [x.node for x in n.inputs]
    return True


def capacities(loop: Loop) -> tuple[Value, ...]:
    """How often a loop runs, the most of one iteration of the loop around it, and so on.

    The last is recorded outside of all loops: a run may have to know it before the rest is planned.
    """
    if loop.capacities:
        return loop.capacities
    count = flow.trips(loop)
    out = [count]
    around: Context | None = loop.outer
    graph: Any = current()
    while around is not None:
        if isinstance(around, Loop) and around.node is not None:
            with graph.inside(around.outer):
                each = flow.saved(around, count, capacities(around))
                count = math.maximum(reduce.reduce_max(each), _int(0))
            out.append(count)
        elif isinstance(around, Loop):
            return tuple(out)  # still being recorded: asked for again when it is closed
        around = around.outer
    loop.capacities = tuple(out)
    return loop.capacities


# ------------------------------------------------------------------------- which gradients


def construct_gradient(
    n: Node,
    outs: Sequence[Any],
    wanted: set[Value],
    stop: set[Value],
    sides: Sequence[tuple[Value, Any]],
    outer: Any,
) -> list[Any]:
    """Gradients of the inputs of a construct.

    Parameters
    ----------
    outs : sequence
        Gradients of its outputs, None where there is none.
    wanted : set of Value
        Inputs whose gradients count.
    stop : set of Value
        Taken as constants.
    sides : sequence of (value, gradient)
        Of a loop the stacks of its ``saved`` nodes, of a cond values in its branches.
    outer : Reverse
        What asks for them.
    """
    if n.op.name == "loop":
        graph: Any = current()
        before, seen = graph.version, set(graph.seen_shapes)
        made = _loop(n, outs, wanted, stop, sides)
        if graph.context is None and not sides:
            given = [g is not None for g in outs]
            graph.seen_shapes = seen
            count = loop_operations(n, given, wanted, stop, outer.gated)
            if count is not None:
                graph.recount(before + count)
                outer.made += count
        return made
    return _cond(n, outs, wanted, stop, sides, outer)


# ------------------------------------------------------------------------- loops


def _loop(
    n: Node, outs: Sequence[Any], wanted: set[Value], stop: set[Value],
    sides: Sequence[tuple[Value, Any]],
) -> list[Any]:  # fmt: skip
    from graphc.passes.differentiate import Reverse, dense

    loop: Loop = n.attrs["loop"]
    none: list[Any] = [None] * len(n.inputs)
    if not loop.back_prop:
        return none
    count = len(loop.params)
    inner = [s.node.attrs["value"] for s, _ in sides]
    given = [j for j in range(count) if outs[j] is not None]
    active, reached = active_variables(n, given, inner, stop)
    order = sorted(active)
    every = [c for c in dict.fromkeys(n.inputs[count:]) if c in wanted and c in reached]
    rows = _gathered(every, reached, loop)
    shared = [c for c in every if c not in rows]
    if not order and not every:
        return none
    graph: Any = current()
    first = [
        dense(outs[j]) if outs[j] is not None else fills.zeros_like(n.outputs[j]) for j in order
    ]
    sums = [fills.zeros_like(c) for c in shared]
    stacks = [dense(g) for _, g in sides]
    shapes_of = [loop.params[j].static_shape for j in order]
    back = Loop(graph.context, mirror=loop)
    total = flow.trips(loop)
    kept: dict[Value, list[Any]] = {}

    def test(values: list[Value]) -> Value:
        return values[0] < total

    def body(values: list[Value]) -> list[Value]:
        at, grads = values[0], values[1 : 1 + len(order)]
        so_far = values[1 + len(order) :]
        back.index = math.subtract(math.subtract(total, _int(1)), at)
        ys = [*[loop.results[j] for j in order], *inner]
        gys = [
            *grads,
            *[_of_iteration(s, n, back.index) for s, (n, _) in zip(stacks, sides, strict=True)],
        ]
        xs = [*[loop.params[j] for j in order], *every]
        reverse = Reverse(ys, xs, gys, stop, loop)
        reverse.run()
        out = [math.add(at, _int(1))]
        for j, g in zip(order, grads, strict=True):
            made = dense(reverse.total(loop.params[j]))
            out.append(fills.zeros_like(g) if made is None else made)
        for c, s in zip(shared, so_far, strict=True):
            out.append(_added(s, reverse.parts(c)))
        kept.update((c, [g for g in reverse.parts(c) if g is not None]) for c in rows)
        return out

    with graph.scope(None, "while_grad"):
        ends = flow.loop(
            back, [_int(0), *first, *sums], test, body,
            [(), *shapes_of, *[v.static_shape for v in sums]],
        )  # fmt: skip
    grads = none
    for j, g in zip(order, ends[1:], strict=False):
        grads[j] = g
    place = {c: count + i for i, c in enumerate(n.inputs[count:])}
    for c, g in zip(shared, ends[1 + len(order) :], strict=True):
        grads[place[c]] = g
    for c, parts in kept.items():
        grads[place[c]] = _all_rows(back, c, parts, total, capacities(loop))
    return grads


def _gathered(captures: Sequence[Value], reached: set[Value], loop: Loop) -> set[Value]:
    """Captures of an outermost loop of which its body does nothing but gather rows.

    Their gradients are rows, those of all iterations, as in TF1.
    """
    if loop.outer is not None:
        return set()
    users: dict[Value, list[Node]] = {}
    for n in {v.node for v in reached}:
        c = context_of(n)
        if c is not None and c.within(loop):
            for v in n.inputs:
                users.setdefault(v, []).append(n)
    return {
        c for c in captures
        if c in users and all(_gathers(n, c) and context_of(n) is loop for n in users[c])
    }  # fmt: skip


def _gathers(n: Node, x: Value) -> bool:
    return (
        n.op.name == "gather" and n.inputs[0] is x and not n.attrs.get("batch_dims")
        and n.attrs.get("axis", 0) == 0 and n.inputs[1].rank is not None and bool(x.rank)
    )  # fmt: skip


def _all_rows(
    back: Loop, c: Value, parts: Sequence[Any], total: Value, most: Sequence[Value]
) -> Any:
    """The rows of all iterations; there may be room for more in the stacks."""
    from graphc.passes.differentiate import concatenated

    made = []
    for g in parts:
        saved = [flow.saved(back, v, most) for v in (g.values, g.indices)]
        stacks = [arrays.getitem(v, slice(None, total)) for v in saved]
        row = shapes.shape(c)[1:]
        sizes = arrays.concat([make_constant(np.array([-1], np.int32), dtypes.int32, None), row], 0)
        values = shapes.reshape(stacks[0], sizes)
        made.append(IndexedSlices(values, shapes.reshape(stacks[1], [-1]), shapes.shape(c)))
    return concatenated(made) if len(made) > 1 else made[0]


def _of_iteration(grads: Value, stack: Value, index: Value) -> Value:
    """The gradient of what was saved in one iteration, of those of the stack."""
    return flow.cut_as(control.array_get(grads, index), stack.node.attrs["value"], stack, index)


def _added(total: Value, parts: Sequence[Any]) -> Value:
    """`total` with the gradients of one iteration."""
    from graphc.passes.differentiate import dense

    for g in parts:
        if isinstance(g, control.ElementGradient):
            total = g.added_to(total)
        elif isinstance(g, IndexedSlices):
            total = add_rows(total, g.indices, g.values)
        else:
            total = math.add(total, dense(g))
    return total


# ------------------------------------------------------------------------- conds


def _cond(
    n: Node, outs: Sequence[Any], wanted: set[Value], stop: set[Value],
    sides: Sequence[tuple[Value, Any]], outer: Any,
) -> list[Any]:  # fmt: skip
    from graphc.passes.differentiate import Reverse, dense

    contexts: tuple[Branch, Branch] = (n.attrs["then"], n.attrs["orelse"])
    graph: Any = current()
    reached = []
    inner = [(v, dense(g)) for v, g in sides]
    for c in contexts:
        roots = [r for r, g in zip(c.results, outs, strict=False) if g is not None]
        roots += [v for v, _ in inner if _is_in(v, c)]
        reached.append(reaches(roots, c, stop))
    shared = [
        v
        for v in dict.fromkeys(n.inputs)
        if v in wanted and v.dtype.kind in "fc" and any(v in r for r in reached)
    ]
    grads: list[Any] = [None] * len(n.inputs)
    if not shared:
        return grads
    given = [None if g is None else dense(g) for g in outs]
    before = graph.version
    switched: dict[Value, int] = dict.fromkeys(shared, 0)  # in how many branches each is read
    made_inside = 0

    def branch(c: Branch) -> list[Value]:
        pairs = [(r, g) for r, g in zip(c.results, given, strict=False) if g is not None]
        pairs += [(v, g) for v, g in inner if _is_in(v, c)]
        ys, gys = [r for r, _ in pairs], [g for _, g in pairs]
        nonlocal made_inside
        reverse = Reverse(ys, shared, gys, stop, c, outer.gated)
        reverse.run()
        out = []
        for v in shared:
            made = dense(reverse.total(v))
            switched[v] += made is not None
            out.append(fills.zeros_like(v) if made is None else made)
        made_inside += reverse.made
        return out

    with graph.scope(None, "cond_grad"):
        name = graph.taken("Switch")
        pred = graph.real(contexts[0].pred, None)
        graph.reserve("switch_t", "switch_f", "pred_id")
        made = []
        for c in contexts:
            context = Branch(graph.context, pred, c.taken)
            flow.branch(context, _bound(branch, c), list)
            made.append(context)
        results = flow.conditional(made[0], made[1], name)
    for v, g in zip(shared, results, strict=True):
        grads[n.inputs.index(v)] = g
        if switched[v] > 1:  # TF1 adds the gradients of the branches outside
            outer.origins.setdefault(v, set()).add((n, "the other branch"))
    if graph.context is None:
        count = made_inside + SWITCH * sum(switched.values())
        graph.recount(before + count)
        outer.made += count
    return grads


def _is_in(v: Value, context: Context) -> bool:
    c = context_of(v.node)
    return c is not None and c.within(context)


def _bound(f: Any, c: Branch) -> Any:
    return lambda: f(c)
