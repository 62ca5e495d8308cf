"""How many operations TensorFlow 1.15 makes for the gradient of a loop.

The gradient itself is recorded otherwise (`graphc.passes.flow_gradient`). What is drawn afterwards
without a seed of its own depends on TensorFlow's number, and that on what is read where: so this
goes through the loop as TensorFlow would, with tokens for its tensors, and counts.

A loop that goes back counts its iterations, and has for each variable of the first an enter, merge,
switch, next iteration and exit. What it reads of the first loop comes from a stack, which is filled
there; what that loop has from outside is brought in; constants are made again. Of what was brought
into the first loop the gradients are summed up, by a variable each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop, context_of
from graphc.ops import gradient_counts as counts
from graphc.ops.gradient_counts import DENSE, gate, known
from graphc.ops.gradient_steps import STEPS, Rows

__all__ = ["loop_operations"]


def loop_operations(
    n: Node, given: Sequence[bool], wanted: set[Value], stop: set[Value], gated: bool
) -> int | None:
    """The number of operations of the gradient of an outermost loop; None where it is not known.

    Parameters
    ----------
    given : sequence of bool
        Of which of its results there are gradients.
    wanted : set of Value
        Inputs that the gradient goes on to.
    stop : set of Value
        Taken as constants.
    gated : bool
        Whether the gradients of an op are held back for each other.
    """
    if n.attrs["loop"].outer is not None:
        return None
    count = _Count(stop, gated)
    try:
        count.loop(n, None, [_Token(None) if g else None for g in given], wanted)
    except Unknown:
        return None
    return count.made


class Unknown(Exception):
    """Something in a loop that has no rule."""


class _Frame:
    """The inside of a loop, of one that goes back, or of a branch."""

    def __init__(
        self, outer: _Frame | None, state: _State | None = None, branch: Branch | None = None
    ) -> None:
        self.outer, self.state, self.branch = outer, state, branch
        self.known: dict[_Token, _Token] = {}  # what stands here for what is outside


class _State:
    """A loop and the one that goes back through it."""

    def __init__(self, first: _Frame, outer: _State | None) -> None:
        self.first, self.outer = first, outer
        around: _Frame | None = None if outer is None else outer.back
        self.back: _Frame = _Frame(around, self)
        self.history: dict[_Token, _Token] = {}
        self.synchronized = self.pushed = False


class _Token:
    """A tensor of TensorFlow's."""

    __slots__ = ("entered", "fixed", "home", "value")

    def __init__(
        self, home: _Frame | None, value: Value | None = None, entered: _Token | None = None,
        fixed: bool = False,
    ) -> None:  # fmt: skip
        self.home = home
        #: The recorded value that it is, if it is one; what it was outside; a constant.
        self.value, self.entered, self.fixed = value, entered, fixed


def _loop_of(frame: _Frame | None) -> _Frame | None:
    """The loop in whose iterations something is."""
    while frame is not None and frame.branch is not None:
        frame = frame.outer
    return frame


def _branch_of(frame: _Frame | None) -> _Frame | None:
    """The innermost branch around something."""
    while frame is not None and frame.branch is None:
        frame = frame.outer
    return frame


def _carries(v: Value) -> bool:
    """Whether gradients go through a tensor: those of arrays are numbers that only order."""
    return v.dtype.kind in "fc" or _array_of(v) is not None


def _alias(v: Value) -> Value:
    """What is the same tensor in TensorFlow."""
    while v.node.op.name in ("exit", "merge", "array_grow", "lengthened"):
        v = v.node.inputs[0]
    return v


def _array_of(v: Value) -> Value | None:
    """What made the array that `v` is, if it is one."""
    seen = set()
    while v not in seen:
        seen.add(v)
        n = v.node
        if n.op.name == "array_new":
            return v
        if n.op.name in ("array_set", "array_add", "array_unstack", "array_scatter", "array_grow",
                         "array_sum", "exit", "identity"):  # fmt: skip
            v = n.inputs[0]
        elif n.op.name == "loop" and v.index < len(n.attrs["loop"].params):
            v = n.inputs[v.index]
        elif n.op.name == "loop_value":
            loop = context_of(n)
            if not isinstance(loop, Loop) or loop.node is None:
                return None
            v = loop.node.inputs[loop.params.index(v)]
        else:
            return None
    return None


class _Count:
    def __init__(self, stop: set[Value], gated: bool) -> None:
        self.stop, self.gated = stop, gated
        self.made = 0
        self.frames: dict[Context, _Frame] = {}
        self.tokens: dict[tuple[str, Value, _Frame | None], _Token] = {}
        self.grads: dict[_Token, list[Any]] = {}
        # asked of a loop inside of others once for each set of its inputs, not once for each way
        self.depends: dict[tuple[Loop, frozenset[int]], set[Value]] = {}
        self.sources: dict[tuple[Node, int, frozenset[int]], list[Value]] = {}

    # ---- where tensors are

    def frame(self, context: Context | None) -> _Frame | None:
        if context is None:
            return None
        made = self.frames.get(context)
        if made is None:
            branch = context if isinstance(context, Branch) else None
            made = self.frames[context] = _Frame(self.frame(context.outer), branch=branch)
        return made

    def token(self, v: Value, frame: _Frame | None, kind: str = "value") -> _Token:
        """What stands for a recorded value, or the handle of an array, in a frame."""
        v = _alias(v)
        home = self.frame(context_of(v.node))
        found = self.tokens.get((kind, v, frame))
        if found is None:
            if frame is home:
                fixed = v.node.op.name == "constant"
                found = _Token(home, v if kind == "value" else None, fixed=fixed)
            else:
                assert frame is not None
                outside = self.token(v, frame.outer, kind)
                found = _Token(frame, v if kind == "value" else None, outside)
            self.tokens[kind, v, frame] = found
        return found

    def admit(self, frame: _Frame | None, t: _Token, asked: _Frame | None = None) -> _Token:
        """What stands for a tensor in a frame; TF1 may make something for that."""
        if frame is None or t.home is frame:
            return t
        found = frame.known.get(t)
        if found is not None:
            return found
        state = (asked or frame).state
        if state is not None and t.home is not None and _loop_of(t.home) is state.first:
            found = self.read_back(state, t)
        else:
            outside = self.admit(frame.outer, t, asked or frame)
            self.made += 1
            found = _Token(frame, t.value, outside)
        frame.known[t] = found
        return found

    def read_back(self, state: _State, t: _Token) -> _Token:
        """A tensor of the first loop in the one that goes back."""
        found = state.history.get(t)
        if found is not None:
            return found
        now, at = t, state
        while found is None:
            outside = self.constant_outside(now)
            if outside is not None:
                now = outside
                if at.outer is None:
                    found = self.admit(state.back, now)
                else:
                    at = at.outer
            elif now.fixed:
                self.made += 1
                found = _Token(state.back)
            else:
                found = self.pop(at, self.push(at, now), now)
                if at is not state:
                    found = self.admit(state.back, found)
        state.history[t] = found
        return found

    def constant_outside(self, t: _Token) -> _Token | None:
        """What a tensor is outside of its loop, if it is the same in all iterations."""
        while True:
            switched = t.home is not None and t.home.branch is not None
            if t.entered is not None and switched:
                t = t.entered
            elif t.entered is None and t.value is not None and t.value.node.op.name == "identity":
                t = self.token(t.value.node.inputs[0], t.home)
            else:
                return t.entered

    def push(self, state: _State, t: _Token, dead: bool = False) -> _Token:
        """A stack to which the first loop adds a tensor; `dead`: where its branch is not taken."""
        self.made += 2
        stack = _Token(None)
        self.admit(state.first, stack)
        if t.home is not None and t.home is not state.first:  # in a branch
            self.admit(t.home.outer if dead else t.home, stack)
            self.made += not state.pushed
            state.pushed = True
        self.made += 1
        return stack

    def pop(self, state: _State, stack: _Token, t: _Token) -> _Token:
        self.admit(state.back, stack)
        branch = _branch_of(t.home)
        if branch is not None:  # only where that is taken
            self.predicate(branch, state)
            self.made += 1
        self.made += 1
        self.synchronize(state)
        return _Token(state.back)

    def predicate(self, branch: _Frame, state: _State) -> None:
        """Which branch was taken, in the loop that goes back."""
        assert branch.branch is not None
        pred = self.token(branch.branch.pred, branch.outer, "pred")
        if pred not in state.history:
            kept = _Token(branch.outer)
            state.history[pred] = self.pop(state, self.push(state, kept), kept)

    def synchronize(self, state: _State) -> None:
        self.made += not state.synchronized
        state.synchronized = True

    # ---- what the gradient goes through

    def reached(self, loop: Loop, inputs: set[Value]) -> set[Value]:
        """The values inside of a loop that depend on some of its inputs."""
        node = loop.node
        assert node is not None
        count = len(loop.params)
        key = loop, frozenset([i for i, v in enumerate(node.inputs) if v in inputs])
        found = self.depends.get(key)
        if found is not None:
            return found
        out = {v for v in node.inputs[count:] if v in inputs and _carries(v)}
        out |= {p for p, v in zip(loop.params, node.inputs, strict=False)
                if v in inputs and _carries(p)}  # fmt: skip
        before = -1
        while len(out) != before:
            before = len(out)
            for n in self.inside(loop):
                out |= self.passed(n, out)
            out |= {p for p, r in zip(loop.params, loop.results, strict=True)
                    if r in out and _carries(p)}  # fmt: skip
        self.depends[key] = out
        return out

    def passed(self, n: Node, known: set[Value]) -> set[Value]:
        """Those results of a node that depend on `known`."""
        if not any(v in known for v in n.inputs):
            return set()
        if n.op.name == "loop":
            loop: Loop = n.attrs["loop"]
            deep = self.reached(loop, {v for v in n.inputs if v in known})
            return {v for v, p in zip(n.outputs, loop.params, strict=False) if p in deep}
        if n.op.name == "conditional":
            out = set(known)
            for c in (n.attrs["then"], n.attrs["orelse"]):
                for m in self.inside(c):
                    out |= self.passed(m, out)
            pairs = zip(n.attrs["then"].results, n.attrs["orelse"].results, strict=True)
            return out | {v for v, r in zip(n.outputs, pairs, strict=False) if out.intersection(r)}
        return {v for v in n.outputs if _carries(v)}

    def inside(self, loop: Context) -> list[Node]:
        graph: Any = loop.node.graph  # type: ignore[union-attr]
        found = self.nodes_of.get(loop)
        if found is None:
            for n, c in graph.contexts.items():
                self.nodes_of.setdefault(c, []).append(n)
            found = self.nodes_of.setdefault(loop, [])
        return found

    @property
    def nodes_of(self) -> dict[Context, list[Node]]:
        held: dict[Context, list[Node]] = self.__dict__.setdefault("_nodes_of", {})
        return held

    def needed(
        self, loop: Loop, results: Iterable[int], reached: set[Value]
    ) -> tuple[set[int], set[Value]]:
        """The variables that some at the end depend on, and the values in between."""
        order: set[int] = set()
        values: set[Value] = set()
        todo: list[Value] = []

        def variable(j: int) -> None:
            if j not in order and loop.params[j] in reached:
                order.add(j)
                todo.append(loop.results[j])

        for j in results:
            variable(j)
        while todo:
            v = todo.pop()
            if v in values or v not in reached or v in self.stop:
                continue
            values.add(v)
            n = v.node
            if v in loop.params:
                variable(loop.params.index(v))
            elif _loop_of(self.frame(context_of(n))) is not self.frame(loop):
                continue
            elif n.op.name == "loop":
                todo += self.behind(n, v.index, reached)
            elif n.op.name == "conditional":
                todo += [n.attrs[c].results[v.index] for c in ("then", "orelse")]
            else:
                todo += n.inputs
        return order, values

    def behind(self, n: Node, j: int, reached: set[Value]) -> list[Value]:
        """The inputs of a loop that one of its results depends on."""
        loop: Loop = n.attrs["loop"]
        key = n, j, frozenset([i for i, v in enumerate(n.inputs) if v in reached])
        found = self.sources.get(key)
        if found is None:
            deep = self.reached(loop, {v for v in n.inputs if v in reached})
            order, values = self.needed(loop, [j], deep)
            count = len(loop.params)
            found = self.sources[key] = [
                v for i, v in enumerate(n.inputs) if (i in order if i < count else v in values)
            ]
        return found

    # ---- a loop

    def loop(
        self, n: Node, outer: _State | None, outs: Sequence[Any], wanted: set[Value]
    ) -> dict[int, Any]:
        """Count the gradient of a loop; the gradients of its inputs, by number."""
        loop: Loop = n.attrs["loop"]
        count = len(loop.params)
        first = self.frame(loop)
        if first is None or _branch_of(first) is not None:
            raise Unknown
        state = _State(first, outer)
        self.made += 18  # counters
        if outer is not None:  # how often it ran is kept too
            around = _Token(self.frame(loop.outer))
            self.pop(outer, self.push(outer, around), around)
            self.synchronize(outer)
        reached = self.reached(loop, wanted)
        order, values = self.needed(loop, [j for j in range(count) if outs[j] is not None], reached)
        for j, p in enumerate(loop.params):
            if _carries(p):
                self.variable(n, j, outs[j] is not None, j in order, state)
        for node in sorted(self.inside(loop), key=lambda m: -m.id):
            if node.op.name != "loop_value" and any(v in values for v in node.outputs):
                self.node(node, state, values)
        out: dict[int, Any] = {}
        for j in sorted(order):
            out[j] = _Token(None if outer is None else outer.back)
            if self.total(self.token(loop.params[j], first)) is not None:
                self.made += 1
            else:
                self.made += 2 if self.sizes(loop.params[j]) is not None else 5
        for i, v in enumerate(n.inputs[count:], count):
            g = self.total(self.token(v, first)) if v in values else None
            if g is not None:
                out[i] = self.sum_up(g, v, outer, first.outer)
        return out

    def variable(self, n: Node, j: int, given: bool, between: bool, state: _State) -> None:
        """What there is for each variable at the beginning of the way back."""
        loop: Loop = n.attrs["loop"]
        p = loop.params[j]
        if not given:
            zeros = self.zeros_at_end(p, state)
            self.made += zeros
        self.made += 1
        if between:
            self.made += 3 + (gate(2) if self.gated else 0)
            token = self.token(loop.results[j], state.first)
            self.grads.setdefault(token, []).append(_Token(state.back))

    def sizes(self, v: Value) -> Any:
        return () if _array_of(v) is not None else known(v)

    def zeros_at_end(self, p: Value, state: _State) -> int:
        sizes = self.sizes(p)
        if sizes is not None:
            return counts.zeros(sizes)
        if state.outer is None:
            return 1
        self.made += 1
        around = _Token(state.first.outer)
        self.pop(state.outer, self.push(state.outer, around), around)
        return 2

    def sum_up(self, g: Any, v: Value, outer: _State | None, around: _Frame | None) -> Any:
        """The gradient of what is the same in all iterations."""
        back = None if outer is None else outer.back
        if isinstance(g, Rows):
            self.made += 20 + (3 if g.known else 12)
            return Rows(False)
        if self.sizes(v) is not None:
            self.made += 7
        elif outer is None:
            self.made += 9
        else:
            self.made += 1
            shape = _Token(around)
            self.pop(outer, self.push(outer, shape), shape)
            self.made += 8
        return _Token(back)

    # ---- a node

    def total(self, t: _Token) -> Any:
        """The sum of the gradients of a tensor."""
        gs = self.grads.pop(t, None)
        if not gs:
            return None
        rows = sum(isinstance(g, Rows) for g in gs)
        self.made += counts.aggregation(len(gs) - rows, rows)
        if len(gs) == rows:
            return Rows(all(g.known for g in gs))
        return next(g for g in gs if not isinstance(g, Rows))

    def node(self, n: Node, state: _State, values: set[Value]) -> None:
        """Count the gradient of one node of a loop's inside."""
        frame = self.frame(context_of(n))
        outs = [self.total(self.token(v, frame)) for v in n.outputs]
        if n.op.name == "conditional":
            self.conditional(n, outs, state, values)
            return
        if n.op.name == "loop":
            count = len(n.attrs["loop"].params)
            reached = {v for v in n.inputs if v in values}
            made: Iterable[tuple[int, Any]] = self.loop(n, state, outs[:count], reached).items()
        else:
            if all(g is None for g in outs):
                return
            made = enumerate(self.of_node(n, outs, state))
        for i, g in made:
            if g is not None and n.inputs[i] in values:
                self.grads.setdefault(self.token(n.inputs[i], frame), []).append(g)

    def conditional(self, n: Node, outs: Sequence[Any], state: _State, values: set[Value]) -> None:
        """Count the gradient of a cond: both branches are gone back where they were taken."""
        branches: tuple[Branch, Branch] = (n.attrs["then"], n.attrs["orelse"])
        frame = self.frame(context_of(n))
        for j, g in enumerate(outs[: len(branches[0].results)]):
            if g is None:
                continue
            if isinstance(g, Rows):
                raise Unknown
            self.predicate(self.inner(branches[0]), state)
            self.made += 1 + (gate(2) if self.gated else 0)
            for c in branches:
                token = self.token(c.results[j], self.inner(c))
                self.grads.setdefault(token, []).append(_Token(state.back))
        for c in branches:
            inner = self.inner(c)
            for m in sorted(self.inside(c), key=lambda m: -m.id):
                if any(v in values for v in m.outputs):
                    self.node(m, state, values)
            for v in c.captures:
                g = self.total(self.token(v, inner)) if v in values else None
                if g is not None:
                    self.elsewhere(v, inner, state)
                    self.grads.setdefault(self.token(v, frame), []).append(g)

    def inner(self, branch: Branch) -> _Frame:
        made = self.frame(branch)
        assert made is not None
        return made

    def elsewhere(self, v: Value, inner: _Frame, state: _State) -> None:
        """Zeros for where a branch was not taken, and the choice between them and its gradient."""
        if self.sizes(v) is not None:
            self.predicate(inner, state)
            self.made += 3
            return
        self.made += 2
        shape = _Token(inner)
        self.pop(state, self.push(state, shape, dead=True), shape)
        self.made += 3

    def of_node(self, n: Node, outs: list[Any], state: _State) -> Sequence[Any]:
        graph: Any = n.graph
        if n.op.name in ("array_grow", "exit", "merge", "lengthened"):
            return [outs[0], *[None] * (len(n.inputs) - 1)]
        rule = STEPS.get(n.op.name)
        if rule is None or n in graph.blocks or n.attrs.get("_gradient") or graph.gradient_type(n):
            raise Unknown
        steps = _NodeSteps(self, n, state)
        if not n.op.facts.get("alias"):
            for i, g in enumerate(outs):
                if isinstance(g, Rows):
                    self.made += DENSE
                    outs[i] = _Token(state.back)
                elif g is None and _carries(n.outputs[i]):
                    outs[i] = steps.zeros(n.outputs[i])
        ins = rule(steps, outs)
        if ins is None:
            raise Unknown
        if self.gated:
            self.made += gate(sum(g is not None for g in ins))
        return ins


class _NodeSteps:
    """What the rule of one node makes operations with (`graphc.ops.gradient_steps.Steps`)."""

    def __init__(self, count: _Count, node: Node, state: _State) -> None:
        self.count, self.node, self.state = count, node, state
        self.frame = count.frame(context_of(node))

    def x(self, i: int) -> _Token:
        if i >= len(self.node.inputs):  # of TensorFlow's form of the op alone
            raise Unknown
        return self.count.token(self.node.inputs[i], self.frame)

    def y(self, i: int = 0) -> _Token:
        if i < 0:
            return _Token(self.frame)
        return self.count.token(self.node.outputs[i], self.frame)

    def handle(self, i: int) -> _Token:
        array = _array_of(self.node.inputs[i])
        if array is None:
            raise Unknown
        return self.count.token(array, self.frame, "handle")

    def op(self, *inputs: Any) -> _Token:
        for t in inputs:
            if isinstance(t, _Token):
                self.count.admit(self.state.back, t)
        self.count.made += 1
        return _Token(self.state.back)

    def const(self, count: int = 1) -> _Token:
        self.count.made += count
        return _Token(self.state.back)

    def again(self) -> _Token:
        return self.const()

    def shape(self, value: _Token, optimize: bool = True, kind: str = "Shape") -> _Token:
        v = value.value
        if optimize and v is not None and self.count.sizes(v) is not None:
            return self.const()
        return self._beside(value)

    def _beside(self, value: _Token) -> _Token:
        """An operation that is made where its operand is, so that less is kept."""
        if value.home is self.state.back:
            return self.op(value)
        self.count.made += 1
        return _Token(value.home)

    def rank(self, value: _Token) -> _Token:
        if value.value is not None and value.value.rank is not None:
            return self.const()
        return self._beside(value)

    def zeros_like(self, value: _Token) -> _Token:
        sizes = None if value.value is None else self.count.sizes(value.value)
        return self.op(value) if sizes is None else self.const(counts.zeros(sizes))

    def zeros(self, v: Value) -> _Token:
        """Zeros for a result that has no gradient."""
        count, state = self.count, self.state
        if count.sizes(v) is not None:
            return self.const()
        count.made += 1
        shape = _Token(self.frame)
        count.pop(state, count.push(state, shape), shape)
        return self.const(2)

    def first(self, *key: Any) -> bool:
        seen: set[Any] = self.node.graph.seen_shapes
        new = key not in seen
        seen.add(key)
        return new
