"""Moves of elements go where they cost nothing: away from between ops that could be one kernel.

* A broadcast (or fill) is dropped where its user broadcasts anyway, and sinks below an op all of
  whose operands are broadcast: the op then works on fewer elements.
* A transpose sinks through elementwise ops where it meets another transpose or a matrix product,
  or where all operands are transposed alike.
* A slice or a concat goes to the other side of a reshape where a transpose is there: attention's
  heads (`graphc.passes.heads`).
* A reshape costs nothing itself but keeps its neighbours from fusing: it sinks to the end of a
  run of elementwise ops, or rises to where their operands come from.

Whatever meets is merged by the rules of `graphc.passes.views`. Everything here is exact: only
places change, never values or the order of sums.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.build import build
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ops.record import OPS, InferError
from graphc.passes.heads import joined_before_reshape, sliced_after_reshape
from graphc.passes.rewrite import VIEWS, Rewriting, licensed
from graphc.passes.views import reshaped, transposed, true_perm

__all__ = ["layout"]

#: Most nodes that one reshape may rise over.
HOIST = 64
_SOURCES = frozenset({"input", "read", "constant", "sizes"})
_RESHAPES = frozenset({"reshape", "expand_dims", "squeeze"})
_BROADCASTS = frozenset({"broadcast_to", "fill"})
_ANY, _SWAP = 1, 2


def layout(g: Graph, options: str = "", notes: dict[str, int] | None = None) -> Graph:
    """Transposes, reshapes and broadcasts moved where they are cheapest, and merged."""
    return _Layout(g, options, notes).run()


class _Layout:
    def __init__(self, g: Graph, options: str, notes: dict[str, int] | None) -> None:
        self.g = g
        self.nodes = g.nodes()
        self.notes = notes
        self.rules = Rewriting(VIEWS, licensed(options), notes)
        self.fetched = {v.node for v in g.roots}
        present = {n.op.name for n in self.nodes}
        self.transposes = "transpose" in present
        self.reshapes = not present.isdisjoint(_RESHAPES)
        self.broadcasts = not present.isdisjoint(_BROADCASTS)

    def run(self) -> Graph:
        self.sinks: dict[Node, int] = {}
        self.ends: set[Node] = set()
        self.rises: dict[Node, int] = {}
        if self.transposes or self.reshapes:
            self.look_ahead()
        return self.g.rebuild(self.step, self.nodes)

    def note(self, what: str) -> None:
        if self.notes is not None:
            self.notes[what] = self.notes.get(what, 0) + 1

    # ---------------------------------------------------------------- what lies ahead

    def look_ahead(self) -> None:
        """Which elementwise nodes a transpose or a reshape may sink through."""
        users: dict[Node, list[Node]] = {}
        for n in self.nodes:
            for v in n.inputs:
                users.setdefault(v.node, []).append(n)
        self.users = users
        for n in reversed(self.nodes):
            if n.op.family == "elementwise" and not n.op.expand:
                us = users.get(n, ())
                shape = n.outputs[0].static_shape
                if self.transposes and n not in self.fetched:
                    flag = _ANY | _SWAP
                    for u in us:
                        flag &= self.sinks_into(u, shape)
                    self.sinks[n] = flag
                if self.reshapes and all(self.ends_in(u, shape) for u in us):
                    self.ends.add(n)
        if self.reshapes:
            for n in self.nodes:
                self.look_back(n)

    def sinks_into(self, u: Node, shape: object) -> int:
        if u.op.name == "transpose":
            return _ANY | _SWAP
        if u.op.name == "matmul":
            return _SWAP
        if u.op.family == "elementwise" and u.outputs[0].static_shape == shape:
            return self.sinks.get(u, 0)
        return 0

    def ends_in(self, u: Node, shape: object) -> bool:
        """Whether a reshape in front of `u` keeps nothing from fusing."""
        if u.op.family == "elementwise":
            return u in self.ends and u.outputs[0].static_shape == shape
        if u.op.name in _RESHAPES or u.op.family in ("contraction", "fused"):
            return True
        return not (u.op.family == "reduction" or u.op.element is not None or u.op.expand)

    def look_back(self, n: Node) -> None:
        """Count the nodes of a run of elementwise ops that works on sources only."""
        if n.op.family != "elementwise" or n in self.fetched or len(self.users.get(n, ())) != 1:
            return
        shape = n.outputs[0].static_shape
        total = 1
        for v in n.inputs:
            if is_single(v) or (v.node.op.name in _SOURCES and v.static_shape == shape):
                continue
            below = self.rises.get(v.node)
            if below is None or v.static_shape != shape:
                return
            total += below
        if total <= HOIST:
            self.rises[n] = total

    # ---------------------------------------------------------------- moves

    def step(self, n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if not inputs or len(n.outputs) != 1:
            return None
        if n.op.family == "elementwise":
            made = self.elementwise(n, inputs)
            if made is not None:
                self.rules.left = self.rules.LIMIT
                return self.rules.normal(made)
            return None
        v = self.rules.step(n, inputs)
        if n.op.name in ("transpose", "concat"):
            return self.meet(n, inputs, v)
        if n.op.name in _RESHAPES and n.inputs[0].node in self.rises:
            return self.rise(n, n.outputs[0] if v is None else v)
        return v

    def meet(self, n: Node, inputs: Sequence[Value], v: Value | None) -> Value | None:
        """A slice or a concat beyond a reshape goes to the transposes it would be a kernel with."""
        if self.transposes and self.reshapes:
            now = applied(n, inputs) if v is None else v
            move = joined_before_reshape if n.op.name == "concat" else sliced_after_reshape
            made = None if now is None else move(now)
            if made is not None:
                self.note(f"{n.op.name} behind a reshape")
                return made
        return v

    def elementwise(self, n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if n.op.expand is not None:
            return None
        names = {v.node.op.name for v in inputs}
        if self.broadcasts and not names.isdisjoint(_BROADCASTS):
            made = self.drop_broadcasts(n, inputs)
            if made is not None:
                return made
        if self.transposes and "transpose" in names:
            made = self.sink_transpose(n, inputs)
            if made is not None:
                return made
        if "reshape" in names and n in self.ends:
            return self.sink_reshape(n, inputs)
        return None

    def drop_broadcasts(self, n: Node, inputs: Sequence[Value]) -> Value | None:
        """The op on what its operands were broadcast from."""
        small = [v.node.inputs[0] if v.node.op.name in _BROADCASTS else v for v in inputs]
        out = n.outputs[0]
        made = applied(n, small)
        if made is None or made.static_shape is None or made.dtype is not out.dtype:
            return None
        if made.static_shape == out.static_shape:
            self.note("broadcast dropped")
            return made
        if n.op.fails:  # a result without elements computes nothing, so it cannot fail
            return None
        self.note("broadcast sunk")
        if made.static_shape == ():
            return _node("fill", made, dims=out.static_shape)
        return _node("broadcast_to", made, shape=out.static_shape)

    def sink_transpose(self, n: Node, inputs: Sequence[Value]) -> Value | None:
        shape = n.outputs[0].static_shape
        assert shape is not None
        perm: tuple[int, ...] | None = None
        count = 0
        below: list[Value] = []
        for v in inputs:
            if v.node.op.name == "transpose" and v.static_shape == shape:
                q = true_perm(v.node.attrs["perm"], len(shape))
                if perm is not None and perm != q:
                    return None
                perm = q
                count += v not in inputs[: len(below)]
                below.append(v.node.inputs[0])
            elif is_single(v):
                below.append(v)
            else:
                return None
        if perm is None:
            return None
        rank = len(perm)
        swap = perm == (*range(rank - 2), rank - 1, rank - 2)
        flag = self.sinks.get(n, 0)
        if count < 2 and not flag & _ANY and not (swap and flag & _SWAP):
            return None
        made = applied(n, below)
        if made is None or len(made.static_shape or ()) != rank:
            return None
        self.note("transpose sunk")
        return transposed(made, perm)

    def sink_reshape(self, n: Node, inputs: Sequence[Value]) -> Value | None:
        shape = n.outputs[0].static_shape
        under = [
            v.node.inputs[0]
            for v in inputs
            if v.node.op.name == "reshape" and v.static_shape == shape
        ]
        under = [v for v in under if v.node.op.name not in _SOURCES]
        if not under:
            return None
        inner = under[0].static_shape
        assert inner is not None
        below: list[Value] = []
        for v in inputs:
            if v.node.op.name == "reshape" and v.node.inputs[0].static_shape == inner:
                below.append(v.node.inputs[0])
            elif is_single(v):
                below.append(v)
            elif v.static_shape == shape and (
                v.node.op.name in _SOURCES or v.node.op.name == "reshape"
            ):
                below.append(reshaped(v, under[0]))
            else:
                return None
        made = applied(n, [self.rules.normal(v) for v in below])
        if made is None or made.static_shape != inner:
            return None
        self.note("reshape sunk")
        return reshaped(made, n.outputs[0])

    def rise(self, n: Node, v: Value) -> Value | None:
        """A reshape of a run of elementwise ops on sources becomes a reshape of the sources."""
        if v.node.op.name != "reshape" or n in self.fetched:
            return v
        if not any(u.op.family in ("reduction", "elementwise") for u in self.users.get(n, ())):
            return v
        top = v.node.inputs[0]
        run = elementwise_run(top)
        new: dict[Value, Value] = {}
        for u in run or ():
            inputs = [new[w] if w in new else self.risen(w, top, v) for w in u.node.inputs]
            made = applied(u.node, inputs)
            if made is None or made.static_shape != v.static_shape:
                return v
            new[u] = made
        if top not in new:
            return v
        self.note("reshape raised")
        return new[top]

    def risen(self, w: Value, top: Value, v: Value) -> Value:
        """An operand from outside the run, in the new shape."""
        same = w.static_shape == top.static_shape and not is_single(w)
        return self.rules.normal(reshaped(w, v)) if same else w


def elementwise_run(top: Value) -> list[Value] | None:
    """The elementwise values of one shape that `top` is made of, inputs first; None: too many."""
    seen: dict[Value, None] = {}
    stack = [top]
    while stack:
        u = stack.pop()
        inside = u.node.op.family == "elementwise" and u.static_shape == top.static_shape
        if inside and u not in seen:
            seen[u] = None
            stack.extend(u.node.inputs)
            if len(seen) > HOIST:
                return None
    return sorted(seen, key=lambda u: u.node.id)


def is_single(v: Value) -> bool:
    """One element, whatever the rank: it broadcasts to any shape of that rank or more."""
    return (
        v.static_shape is not None
        and all(d == 1 for d in v.static_shape if type(d) is int)
        and all(type(d) is int for d in v.static_shape)
    )


def applied(n: Node, inputs: Sequence[Value]) -> Value | None:
    """The op of `n` on other inputs; None where it does not take them."""
    try:
        return copy(n, inputs).outputs[0]
    except InferError:
        return None


def _node(name: str, x: Value, **attrs: object) -> Value:
    return build(OPS[name], (x,), attrs).outputs[0]
