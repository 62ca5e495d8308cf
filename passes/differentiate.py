"""Reverse-mode differentiation: graph in, graph out, in the user's own operators.

The gradient nodes are recorded like the user's own, so differentiating again works.
Work is linear in the nodes between `xs` and `ys`; nothing recurses.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from graphc.ir import build
from graphc.ir.dtypes import int64
from graphc.ir.graph import paused_gc
from graphc.ir.node import Node, Value
from graphc.ir.region import Context, context_of
from graphc.ops import arrays, broadcasting, fills, math, reduce, shapes
from graphc.ops import gradient_counts as counts
from graphc.ops.control import ElementGradient
from graphc.ops.indexed import IndexedSlices, to_dense
from graphc.passes.flow_gradient import construct_gradient
from graphc.passes.reach import Reach
from graphc.passes.returned import fitted

__all__ = ["OVERRIDES", "differentiate"]

Gradient = Any  # Value | IndexedSlices | None

#: Gradient functions by name, ``f(op, *output_gradients)``: `RegisterGradient` and overrides.
OVERRIDES: dict[str, Callable[..., Any]] = {}


def _sum_to(g: Value, x: Value) -> Value:
    """`g` summed over the axes along which `x` was broadcast, so that it has `x`'s shape."""
    gs, xs = g.static_shape, x.static_shape
    if gs is None or xs is None:
        return broadcasting.sum_to_like(g, x)
    if gs == xs:
        return shapes.reshaped_as(g, x)
    pad = len(gs) - len(xs)
    axes = list(range(pad))
    for i, d in enumerate(xs):
        e = gs[pad + i]
        if d == e:
            continue
        if d == 1 and type(e) is int:
            axes.append(pad + i)
        else:
            return broadcasting.sum_to_like(g, x)
    return shapes.reshaped_as(reduce.reduce_sum(g, axis=axes, keepdims=pad == 0), x)


def differentiate(
    ys: Sequence[Value],
    xs: Sequence[Value],
    grad_ys: Sequence[Gradient] | None = None,
    stop_gradients: Iterable[Value] = (),
    gated: bool = False,
    together: bool = False,
) -> list[Gradient]:
    """The gradient of the sum of `ys` with respect to each of `xs`.

    Parameters
    ----------
    grad_ys : sequence, optional
        Gradients of `ys`; ones where None.
    stop_gradients : iterable of Value
        Taken as constants.
    gated : bool
        Whether TF1 would hold the gradients of an op back for each other: its count of
        operations is another then.
    together : bool
        Whether the gradient of an op is on the device of the op.

    Returns
    -------
    list
        For each x its gradient: a value, an `IndexedSlices`, or None where `ys` do not
        depend on it.

    Raises
    ------
    LookupError
        Where an op in between has no gradient function.
    """
    with paused_gc():
        given = grad_ys or [None] * len(ys)
        out = Reverse(ys, xs, given, set(stop_gradients), gated=gated, together=together).run()
        return [g.dense() if isinstance(g, ElementGradient) else g for g in out]


class Reverse:
    def __init__(
        self,
        ys: Sequence[Value],
        xs: Sequence[Value],
        grad_ys: Sequence[Gradient],
        stop: set[Value],
        inside: Context | None = None,
        gated: bool = False,
        together: bool = False,
    ) -> None:
        self.gated, self.together = gated, together
        self.made = 0  # operations as TF1 counts them
        self.ys, self.xs, self.stop = ys, xs, stop
        self.inside = inside  # a context: what is outside of it is reached, not gone through
        self.nested = any(getattr(y.node.graph, "contexts", None) for y in ys)
        #: For loops the gradients of stacks of what they saved, for conds those of values inside.
        self.sides: dict[Node, list[tuple[Value, Gradient]]] = {}
        self.roots: list[Node] = []
        self.grads: dict[Value, list[Gradient]] = {}
        #: Where they come from: what TF1 has one operation for gives one gradient.
        self.origins: dict[Value, set[Any]] = {}
        for i, (y, g) in enumerate(zip(ys, grad_ys, strict=True)):
            if g is None:
                with (
                    self.beside(y.node),
                    counted(3),
                    build.current().scope(None, "grad_ys_" + str(i)),
                ):
                    g = fills.ones_like(y)
            self.add(y, g, ("y", i))
            self.roots += [self.at(y.node)] if y not in stop else []

    def beside(self, n: Node) -> Any:
        """Where what is recorded is on the device of `n`, if that is asked for."""
        if not self.together:
            return nullcontext()
        graph: Any = build.current()
        return graph.colocate_with(n, ignore_existing=True)

    def at(self, n: Node) -> Node:
        """`n`, or the construct in which it is."""
        return (Reach.level(n, self.inside) or n) if self.nested else n

    def between(self) -> tuple[set[Node], set[Node]]:
        """Nodes on a path from an x to a y; and the same with those of the xs themselves."""
        seen: set[Node] = set()
        stack = list(self.roots)
        while stack:
            n = stack.pop()
            if n not in seen and self.reached(n):
                seen.add(n)
                stack.extend([self.at(v.node) for v in n.inputs if v not in self.stop])
        xs = set(self.xs)
        active: set[Node] = set()
        for n in sorted(seen, key=lambda n: n.id):
            for v in n.inputs:  # as in TF1 through numbers that are differentiated
                carries = v.dtype.kind in "fc" or n.op.name == "saved"
                if carries and (v in xs or (self.at(v.node) in active and v not in self.stop)):
                    active.add(n)
                    break
        reached = active | {x.node for x in xs if x.node in seen}
        nodes: set[Node] = set()
        stack = [n for n in self.roots if n in reached]
        while stack:
            n = stack.pop()
            if n not in nodes:
                nodes.add(n)
                if n in active:
                    inputs = [self.at(v.node) for v in n.inputs if v not in self.stop]
                    stack.extend([m for m in inputs if m in reached])
        return active & nodes, nodes

    def reached(self, n: Node) -> bool:
        """Whether to go through `n`."""
        if self.inside is None:
            return True
        c = context_of(n)
        return c is not None and c.within(self.inside)

    def gradients(self, n: Node, outs: list[Gradient], nodes: set[Node]) -> Sequence[Gradient]:
        """Gradients of the inputs of a node, where those of its outputs count."""
        sides = self.sides.get(n, ())
        if not sides and all(g is None for g in outs):
            return ()
        with build.current().scope(None, n.name + "_grad"):
            if "contexts" not in n.op.facts:
                return self.of_node(n, outs, nodes)
            xs = set(self.xs)
            inner = {v for v in n.inputs if self.at(v.node) in nodes and v not in self.stop}
            wanted = inner | {v for v in n.inputs if v in xs}
            return construct_gradient(n, outs, wanted, self.stop, sides, self)

    def of_node(self, n: Node, outs: list[Gradient], nodes: set[Node]) -> list[Gradient]:
        """Gradients of the inputs of an op; counted as TF1 counts them."""
        graph: Any = build.current()
        if n.graph is not graph:
            return node_gradient(n, outs)
        before = graph.version
        made = node_gradient(n, outs)
        count = None
        if own_gradient(n) is None:
            count = counts.operations(n, outs, nodes, self.stop, self.gated)
        if count is not None and not n.op.facts.get("alias"):
            count += counts.DENSE * sum(isinstance(g, IndexedSlices) for g in outs)
        if count is None:
            parts = sum(g is not None for g in made)
            count = graph.version - before + (counts.gate(parts) if self.gated else 0)
        graph.recount(before + count)
        self.made += count
        return made

    def run(self) -> list[Gradient]:
        """Go from `ys` to `xs`, a node when all its users are done: TF1's order, so its names."""
        xs, stop = set(self.xs), self.stop
        active, nodes = self.between()
        users: dict[Node, int] = {}
        for n in active:
            for v in n.inputs:
                m = self.at(v.node)
                if m in nodes and v not in stop:
                    users[m] = users.get(m, 0) + 1
        first = dict.fromkeys(self.roots)
        ready = deque(n for n in first if n in nodes and not users.get(n))
        while ready:
            n = ready.popleft()
            with self.beside(n):
                outs = [None if v in stop else self.total(v) for v in n.outputs]
                if n not in active:
                    continue
                if n.op.name == "saved":
                    if outs[0] is not None:
                        side = (n.outputs[0], outs[0])
                        self.sides.setdefault(n.attrs["loop"].node, []).append(side)
                    ins: Sequence[Gradient] = ()
                else:
                    ins = self.gradients(n, outs, nodes)
            for v, g in itertools.zip_longest(n.inputs, ins):
                m = self.at(v.node)
                inner = m in nodes and v not in stop
                if g is not None and (inner or v in xs) and v.dtype.kind in "fc":
                    _shaped_like(g, v)
                    self.add(v, g, counts.origin(n, len(self.grads.get(v, ()))))
                if inner:
                    users[m] -= 1
                    if not users[m]:
                        ready.append(m)
        return [self.total(x) for x in self.xs]

    def add(self, v: Value, g: Gradient, origin: Any) -> None:
        """One more gradient of `v`; of a value in a branch it counts where that runs."""
        at = self.at(v.node)
        if at is not v.node:
            self.sides.setdefault(at, []).append((v, g))
        self.grads.setdefault(v, []).append(g)
        self.origins.setdefault(v, set()).add(origin)

    def total(self, v: Value) -> Gradient:
        gs = self.grads.get(v)
        if not gs:
            return None
        if len(gs) == 1 == len(self.origins[v]) and not isinstance(gs[0], IndexedSlices):
            return gs[0]  # nearly always
        rows = sum(isinstance(g, IndexedSlices) for g in gs)
        origins = self.origins[v]
        whole = len(origins) - rows - (counts.origin(v.node, None) in origins)
        count = counts.aggregation(whole, rows)
        if len(gs) > 1 or count:
            with counted(count):
                gs[:] = [self.sum_of(gs)] if len(gs) > 1 else gs
            self.made += count
            self.origins[v] = {"sum"}
        return gs[0]

    def sum_of(self, gs: list[Gradient]) -> Gradient:
        if any(isinstance(g, ElementGradient) for g in gs):
            return summed(gs)
        if all(isinstance(g, IndexedSlices) for g in gs):
            return concatenated(gs)
        return math.add_n([dense(g) for g in gs])

    def parts(self, v: Value) -> list[Gradient]:
        """What the gradient of `v` is the sum of."""
        return self.grads.get(v, [])


def _shaped_like(g: Gradient, v: Value) -> None:
    """Let a recorded gradient know of its shape what is known of the value's, as TF1 does."""
    s = v.static_shape
    if s is None or not isinstance(g, Value) or not hasattr(g, "set_shape"):
        return
    t = g.static_shape
    if t is None or (t != s and len(t) == len(s) and any(
        type(b) is int and type(a) is not int for a, b in zip(t, s, strict=True)
    )):  # fmt: skip
        with contextlib.suppress(ValueError):  # where it has another shape, who adds it up says so
            g.set_shape([d if type(d) is int else None for d in s])


def summed(gs: Sequence[Gradient]) -> Value:
    """The sum of gradients of an array, some of them of single elements."""
    whole = [dense(g) for g in gs if not isinstance(g, ElementGradient)]
    single = [g for g in gs if isinstance(g, ElementGradient)]
    total = math.add_n(whole) if whole else fills.zeros_like(single[0].array)
    for g in single:
        total = g.added_to(total)
    return total


def concatenated(slices: Sequence[Any]) -> IndexedSlices:
    """Several sparse gradients of one tensor as one; int32 indices meet int64 ones as int64."""
    indices = [s.indices for s in slices]
    if len({i.dtype for i in indices}) > 1:
        indices = [i if i.dtype is int64 else math.cast(i, int64) for i in indices]
    return IndexedSlices(
        arrays.concat([s.values for s in slices], 0),
        arrays.concat(indices, 0),
        slices[0].dense_shape,
    )


def counted(count: int) -> Any:
    """Where a recorded graph is built: what is recorded inside counts as `count` operations."""
    return build.current().counts_as(count)


def own_gradient(n: Node) -> Any:
    """The gradient function, or its name, that the user gave a node."""
    custom = n.attrs.get("_gradient")
    if custom is None and n.graph is not None:
        custom = n.graph.gradient_type(n)
    return custom


def node_gradient(n: Node, outs: Sequence[Gradient]) -> list[Gradient]:
    """Gradients of the inputs of `n`, given those of its outputs (None where there is none)."""
    custom = own_gradient(n)
    if custom is not None:
        f = OVERRIDES.get(custom) if isinstance(custom, str) else custom
        if f is None:
            raise LookupError(f"No gradient defined for operation '{n.name}' (op type: {custom})")
        given = [
            dense(g) if g is not None else fills.zeros_like(v)
            for g, v in zip(outs, n.outputs, strict=True)
        ]
        with nullcontext() if n.graph is None else n.graph.from_line(()):
            made = f(n, *given)
        return fitted(made, n)
    if n.op.grad is None:
        if n.op.facts.get("no_gradient_error"):
            raise LookupError(f"No gradient defined for operation '{n.name}' (op type: {n.op.tf})")
        return [None] * len(n.inputs)
    dys: list[Gradient] = []
    for g, v in zip(outs, n.outputs, strict=True):
        if g is None and v.dtype.kind in "fc" and not n.op.facts.get("partial_gradients"):
            g = fills.zeros_like(v)
        dys.append(g if n.op.facts.get("alias") else dense(g))  # identity passes rows on as rows
    attrs = {k: a for k, a in n.attrs.items() if k != "_gradient"}
    turned = _holomorphic(n)
    if turned:
        dys = [conjugate(g) for g in dys]
    if len(n.outputs) == 1:
        made = n.op.grad(n.outputs[0], dys[0], *n.inputs, **attrs)
    else:
        made = n.op.grad(n.outputs, tuple(dys), *n.inputs, **attrs)
    ins = padded(made, n)
    if turned:
        ins = [conjugate(g) for g in ins]
    if n.op.family == "elementwise" and len(n.inputs) > 1:
        ins = [g if x.dtype.kind in "fc" else None for g, x in zip(ins, n.inputs, strict=True)]
        return _unbroadcast(ins, n.inputs)
    return ins


def _unbroadcast(gs: Sequence[Gradient], xs: Sequence[Value]) -> list[Gradient]:
    """Each gradient in the shape of its operand.

    Where one operand was broadcast, all gradients are reshaped, as in TensorFlow: programs walk
    from a gradient to what was summed (K-FAC of stable-baselines). It costs nothing in a run.
    """
    pairs = [(g, x) for g, x in zip(gs, xs, strict=True) if g is not None]
    if all(g.static_shape == x.static_shape is not None for g, x in pairs):
        return list(gs)
    return [None if g is None else _sum_to(g, x) for g, x in zip(gs, xs, strict=True)]


def _holomorphic(n: Node) -> bool:
    """Whether the record's gradient is the derivative of a function of complex numbers.

    What goes back is then its conjugate times the gradient, ``conj(f'(x) conj(dy))``.
    """
    return (
        "c" in [v.dtype.kind for v in n.outputs]
        and n.op.family in ("elementwise", "reduction", "contraction", "composite", "structured")
        and not n.op.facts.get("own_conjugate")
    )


def conjugate(g: Gradient) -> Gradient:
    """The conjugate of a complex gradient; others as they are."""
    if g is None or g.dtype.kind != "c":
        return g
    from graphc.ops.complex import conj  # few programs have complex numbers

    if isinstance(g, ElementGradient):
        return ElementGradient(g.array, g.index, conj(g.value))
    if isinstance(g, IndexedSlices):
        return IndexedSlices(conj(g.values), g.indices, g.dense_shape)
    return conj(g)


def dense(g: Gradient) -> Gradient:
    """A sparse gradient as a whole tensor; others as they are."""
    if isinstance(g, ElementGradient):
        return g.dense()
    return to_dense(g) if isinstance(g, IndexedSlices) else g


def padded(made: Any, n: Node) -> list[Gradient]:
    out = list(made) if isinstance(made, (list, tuple)) else [made]
    return out + [None] * (len(n.inputs) - len(out))
