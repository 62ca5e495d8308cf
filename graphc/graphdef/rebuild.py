"""Constructs of graphc's from TensorFlow's nodes of control flow.

A region (the graph itself, the inside of a loop, a branch) is recorded node by node; a frame is
one loop, and the arms of each cond one cond, whose ``Merge`` nodes are its results. A value that
TensorFlow's gradient pushes on a stack and pops in the loop that goes back is read directly: that
loop is made the mirror of the first (`graphc.ir.region.Loop`), as in graphc's own gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.graphdef.arrays import Arrays
from graphc.graphdef.frames import (
    Arm,
    Frame,
    Place,
    Places,
    Unstructured,
    data_inputs,
    kind,
    source,
)  # fmt: skip
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dims import Shape
from graphc.ir.node import Value
from graphc.ir.region import Branch, Context, Loop
from graphc.ops import flow, math, state
from graphc.ops.convert import make_constant

__all__ = ["Flow", "Unshaped"]


class Unshaped(Exception):
    """A loop variable has another shape after an iteration: the graph is to be made again."""


class _Cond:
    """Merges that are the results of one cond, and the nodes of its arms."""

    def __init__(self, pred: str) -> None:
        self.pred = pred
        self.merges: list[Any] = []
        self.bits = 0
        self.nodes: tuple[list[Any], list[Any]] = ([], [])


Item = Any  # a node, a Frame or a _Cond


class Flow:
    """Records a graph with TensorFlow's control flow.

    Parameters
    ----------
    importer
        Records single nodes, and knows what value an input is.
    order : sequence
        Nodes after what they need, edges to the next iteration left out.
    shapes : dict
        (frame, number of the variable) → its shape, where that of its first value is too narrow.
    """

    def __init__(
        self, importer: Any, order: Sequence[Any], shapes: dict[tuple[str, int], Shape | None]
    ) -> None:
        self.importer, self.order, self.shapes = importer, order, shapes
        self.graph: Any = importer.graph
        self.nodes: dict[str, Any] = importer.nodes
        self.values: dict[str, Value] = importer.values
        self.places = Places(self.nodes, order, importer.is_mapped)
        self.loops: dict[Frame, Loop] = {}
        self.read = {i for n in order for i in n.input}
        self.exits: dict[str, list[Any]] = {}
        for n in order:
            if kind(n) == "Exit":
                self.exits.setdefault(self.leaves(n), []).append(n)
        self.pushes: dict[str, Any] = {}
        for n in order:
            if n.op == "StackPushV2":
                self.pushes[self.handle(n.input[0]).name] = n
        self.arrays = Arrays(self)

    def run(self) -> None:
        """Record everything."""
        self.region(None, self.order)

    # ---- regions

    def region(self, place: Place | None, nodes: Sequence[Any]) -> None:
        """Record the nodes of `place` and of the places in it."""
        for item in self.items(place, nodes):
            if isinstance(item, Frame):
                inside = [n for n in nodes if self.within(n, item)]
                self.arrays.prepare(place, inside)
                self.loop(item, inside)
            elif isinstance(item, _Cond):
                self.arrays.prepare(place, [*item.nodes[0], *item.nodes[1]])
                self.cond(item, place)
            else:
                self.arrays.prepare(place, [item])
                self.node(item)

    def within(self, n: Any, place: Place) -> bool:
        at = self.places.of[n.name]
        return at is not None and at.within(place)

    def items(self, place: Place | None, nodes: Sequence[Any]) -> list[Item]:
        """What is to be recorded of a region, in order: nodes, loops and conds."""
        depth = len(place.path()) if place is not None else 0
        children: dict[str, Place | None] = {}
        for n in nodes:
            at = self.places.of[n.name]
            path = at.path() if at is not None else []
            children[n.name] = path[depth] if len(path) > depth else None
        for together in (True, False):
            owner = self.owners(nodes, children, together)
            made = _sorted(nodes, owner, self.needs)
            if made is not None:
                return made
        raise Unstructured("branches that need each other")

    def needs(self, n: Any) -> list[str]:
        return [s for s in map(source, n.input) if not self.is_back(n, s)]

    def is_back(self, n: Any, name: str) -> bool:
        return kind(n) == "Merge" and kind(self.nodes[name]) == "NextIteration"

    def owners(
        self, nodes: Sequence[Any], children: dict[str, Place | None], together: bool
    ) -> dict[str, Item]:
        """The loop or cond of each node that is in one."""
        owner: dict[str, Item] = {}
        conds = self.conds(nodes, children, together)
        inside = {n.name: n for n in nodes}
        for cond in conds:
            stack = [m.name for m in cond.merges]
            owner.update(dict.fromkeys(stack, cond))
            while stack:
                for name in map(source, self.nodes[stack.pop()].input):  # round loops as well
                    arm = children.get(name)
                    if name in inside and name not in owner and isinstance(arm, Arm):
                        if arm.pred == cond.pred:
                            owner[name] = cond
                            stack.append(name)
        left: dict[str, _Cond] = {}
        for n in nodes:
            child = children[n.name]
            if isinstance(child, Frame):
                owner[n.name] = child
            elif isinstance(child, Arm):
                if n.name not in owner:  # no result of a cond needs it
                    owner[n.name] = left.setdefault(child.pred, _Cond(child.pred))
                owner[n.name].nodes[child.side].append(n)
        return owner

    def conds(
        self, nodes: Sequence[Any], children: dict[str, Place | None], together: bool
    ) -> list[_Cond]:
        """The conds of a region; `together`: merges that do not need each other are one."""
        out: list[_Cond] = []
        latest: dict[str, _Cond] = {}
        masks: dict[str, int] = {}
        bit = 1
        for n in nodes:
            mask = 0
            for name in self.needs(n):
                mask |= masks.get(name, 0)
            if kind(n) == "Merge" and children[n.name] is None and not self.places.is_variable(n):
                arm = self.places.output(data_inputs(n)[0])
                assert isinstance(arm, Arm)
                cond = latest.get(arm.pred)
                if cond is None or not together or mask & cond.bits:
                    cond = latest[arm.pred] = _Cond(arm.pred)
                    out.append(cond)
                cond.merges.append(n)
                cond.bits |= bit
                mask |= bit
                bit <<= 1
            masks[n.name] = mask
        return out

    # ---- nodes

    def node(self, n: Any) -> None:
        """Record one node; those that only pass values on are the values themselves."""
        what = kind(n)
        if self.arrays.takes(n):
            return
        if what in ("Enter", "Switch", "NextIteration", "LoopCond"):
            v = self.importer.find(n.input[0])
            if v is not None:
                self.values.update({f"{n.name}:0": v, f"{n.name}:1": v})
        elif what == "Merge" or what == "Exit":
            pass  # made with its loop
        elif n.op == "StackPopV2":
            v = self.importer.find(self.pushed(n).input[1])
            if v is not None:
                self.values[f"{n.name}:0"] = v
        elif n.op in ("StackV2", "StackPushV2", "StackCloseV2"):
            if n.op == "StackPushV2":
                v = self.importer.find(n.input[1])
                if v is not None:
                    self.values[f"{n.name}:0"] = v
        else:
            self.importer.record(n)

    def pushed(self, pop: Any) -> Any:
        """The node that pushes what `pop` takes from a stack."""
        found = self.pushes.get(self.handle(pop.input[0]).name)
        if found is None:
            raise Unstructured(f"nothing is pushed on the stack of '{pop.name}'")
        return found

    def chain(self, text: str) -> Iterator[Any]:
        """The nodes that pass on what an input is, back to the one that makes it."""
        while not self.importer.is_mapped(text):
            n = self.nodes[source(text)]
            yield n
            if n.op == "StackPopV2":
                text = self.pushed(n).input[1]
            elif n.op == "Identity" or kind(n) in ("Enter", "Switch", "Merge", "Exit"):
                text = n.input[0]
            else:
                return
        raise Unstructured(f"'{text}' is an input from outside")

    def handle(self, text: str) -> Any:
        """The node that makes a stack or an array, of an input that stands for it."""
        *_, last = self.chain(text)
        return last

    def leaves(self, exit: Any) -> str:
        """The loop variable that an ``Exit`` is about."""
        n = self.nodes[source(exit.input[0])]
        while n.op == "Identity":
            n = self.nodes[source(n.input[0])]
        if kind(n) != "Switch":
            raise Unstructured(f"'{exit.name}' is of no loop variable")
        return source(n.input[0])

    def frame_of(self, n: Any) -> Frame | None:
        """The innermost loop in which a node is."""
        return _frame(self.places.of[n.name])

    def value(self, text: str) -> Value:
        """The value of an input."""
        v: Value | None = self.importer.find(text)
        if v is None:
            raise Unstructured(f"'{text}' is no value")
        return v

    # ---- conds

    def cond(self, cond: _Cond, place: Place | None) -> None:
        if self.initialized(cond):
            return
        pred = self.value(cond.pred)
        before = dict(self.arrays.state)
        wanted = [(m, self.reads_index(m)) for m in cond.merges]
        contexts: list[Branch] = []
        written = self.arrays.written([*cond.nodes[0], *cond.nodes[1]])
        for side in (1, 0):
            context = Branch(self.graph.context, pred, bool(side))
            contexts.append(context)
            with self.inside(context):
                self.region(self.places.arm(place, cond.pred, side), cond.nodes[side])
                results = []
                for m, index in wanted:
                    at, text = self.arriving(m, side)
                    v = self.importer.find(text)
                    if v is None:  # an array
                        continue
                    results.append(self.graph.real(v, None))
                    if index:
                        results.append(make_constant(np.array(at, np.int32), dtypes.int32, "Const"))
                results += [self.graph.real(self.arrays.state[k], None) for k in written]
            self.arrays.leave(before)
            context.results = tuple(results)
        self.closed(cond, contexts, wanted, written)

    def initialized(self, cond: _Cond) -> bool:
        """The value of a variable, or its initial value where there is none yet, is one op here."""
        asks = self.nodes[source(cond.pred)]
        if asks.op not in ("IsVariableInitialized", "VarIsInitializedOp"):
            return False
        made = {m.name: self.initial(m, asks) for m in cond.merges}
        if not made or None in made.values():
            return False
        self.values.update({f"{name}:0": v for name, v in made.items() if v is not None})
        return True

    def initial(self, m: Any, asks: Any) -> Value | None:
        """What stands for a merge of a variable with its initial value, if it is that."""
        ours, other = (list(self.passed(self.arriving(m, side)[1])) for side in (1, 0))
        if len(other) < 2:
            return None
        text = ours[-1]
        there: Value | None = self.importer.find(text)
        if there is not None and there.node.op is state.initialized_value_op:
            return there  # of the same variable, made before
        if self.handle(text) is not self.handle(asks.input[0]):
            return None
        name = self.importer.prefix + m.name + "/"
        ref = state.reference(self.value(asks.input[0]), asks.op)
        node = build(state.initialized_value_op, (ref, self.value(other[-1])), {}, name)
        self.importer.made[m.name] = node
        return node.outputs[0]

    def passed(self, text: str) -> Iterator[str]:
        """An input, and what it is before branches are entered."""
        yield text
        while not self.importer.is_mapped(text):
            n = self.nodes[source(text)]
            if n.op not in ("Identity", "ReadVariableOp") and kind(n) != "Switch":
                return
            text = n.input[0]
            yield text

    def arriving(self, merge: Any, side: int) -> tuple[int, str]:
        """The input of `merge` from the branch of `side`, and its number."""
        for i, text in enumerate(data_inputs(merge)):
            arm = self.places.output(text)
            if isinstance(arm, Arm) and arm.side == side:
                return i, text
        raise Unstructured(f"'{merge.name}' has no input from one branch")

    def reads_index(self, merge: Any) -> bool:
        return f"{merge.name}:1" in self.read

    def closed(
        self, cond: _Cond, contexts: Sequence[Branch], wanted: Sequence[tuple[Any, bool]],
        written: Sequence[Any],
    ) -> None:  # fmt: skip
        """Record the cond itself, and give its results their names."""
        then, orelse = contexts
        pairs = list(zip(then.results, orelse.results, strict=True))
        for a, b in pairs:
            if a.dtype is not b.dtype:
                raise Unstructured(f"branches that give {a.dtype.name} and {b.dtype.name}")
        types = [(a.dtype, flow.merged(a.static_shape, b.static_shape)) for a, b in pairs]
        base = cond.merges[0].name if cond.merges else source(cond.pred)
        self.graph._last_id += 1
        node = flow.close(
            self.graph, [then, orelse], [then.pred], types, self.name(base + "/cond"),
            flow.conditional_op,
        )  # fmt: skip
        made = list(node.outputs[: len(types)])
        for m, index in wanted:
            if self.importer.find(data_inputs(m)[0]) is None:
                continue
            v = self.out(flow.merge_op, made.pop(0), m.name)
            self.values[f"{m.name}:0"] = v
            if index:
                self.values[f"{m.name}:1"] = made.pop(0)
        for key, v in zip(written, made, strict=True):
            self.arrays.state[key] = self.out(flow.merge_op, v, self.name(base + "/array"), False)

    def out(self, record: Any, v: Value, name: str, theirs: bool = True) -> Value:
        """A result of a construct, outside of it; `theirs`: under a name of TensorFlow's."""
        full = self.importer.prefix + name if theirs else name
        made = build(record, (v,), {"shape": v.static_shape}, full + "/")
        if theirs:
            self.importer.made[name] = made
        return made.outputs[0]

    def name(self, base: str) -> str:
        """A name that no node has or will have."""
        full, i = base, 0
        while full in self.nodes or self.importer.prefix + full in self.graph._nodes_by_name:
            i += 1
            full = f"{base}_{i}"
        return str(self.importer.prefix + full)

    def inside(self, context: Context) -> Any:
        return self.importer.within(context)

    # ---- loops

    def loop(self, frame: Frame, nodes: Sequence[Any]) -> None:
        tests = [n for n in nodes if kind(n) == "LoopCond" and self.places.of[n.name] is frame]
        if len(tests) != 1:
            raise Unstructured(f"the loop '{frame.name}' has {len(tests)} conditions")
        variables = [_Variable(self, m) for m in frame.merges]
        variables = [v for v in variables if self.importer.find(v.enter.input[0]) is not None]
        first = [self.value(v.enter.input[0]) for v in variables]
        written = self.arrays.written(nodes)
        first += [self.arrays.state[k] for k in written]
        first = [self.graph.real(v, None) for v in first]
        context = self.loops[frame] = Loop(self.graph.context)
        outer = dict(self.arrays.state)
        names = [v.merge.name for v in variables]
        with self.inside(context):
            context.params = tuple([self.param(frame, names, i, v) for i, v in enumerate(first)])
            for v, p in zip(variables, context.params, strict=False):
                self.values[f"{v.merge.name}:0"] = p
                self.importer.made[v.merge.name] = p.node
            count = len(variables)
            self.arrays.state.update(zip(written, context.params[count:], strict=True))
            self.mirrored(frame, context, nodes, tests[0])
            self.region(frame, nodes)
            context.test = self.value(tests[0].input[0])
            results = [self.value(v.next.input[0]) for v in variables]
            results += [self.arrays.state[k] for k in written]
            results = [self.graph.real(v, None) for v in results]
        for i, (p, r) in enumerate(zip(context.params, results, strict=True)):
            self.fits(frame, i, p, r)
        context.results = tuple(results)
        self.arrays.leave(outer)
        types = [(v.dtype, flow.unknown(v.static_shape)) for v in context.params]
        name = self.name(frame.name + "/loop")
        self.graph._last_id += 1
        node = flow.close(self.graph, [context], first, types, name, flow.loop_op)
        for v, out in zip(variables, node.outputs, strict=False):
            for e in v.exits:
                self.values[f"{e.name}:0"] = self.out(flow.exit_op, out, e.name)
        for key, out in zip(written, node.outputs[count:], strict=False):
            exit = self.out(flow.exit_op, out, self.name(frame.name + "/array"), False)
            self.arrays.state[key] = exit

    def param(self, frame: Frame, names: Sequence[str], i: int, first: Value) -> Value:
        """A loop variable as an iteration sees it."""
        shape = self.shapes.get((frame.name, i), first.static_shape)
        attrs = {"dtype": first.dtype, "shape": flow.unknown(shape)}
        name = (
            self.importer.prefix + names[i] if i < len(names) else self.name(frame.name + "/array")
        )
        return build(flow.loop_value_op, (), attrs, name + "/").outputs[0]

    def fits(self, frame: Frame, i: int, p: Value, r: Value) -> None:
        """Ask for a wider shape where an iteration changes that of a variable."""
        s, t = p.static_shape, r.static_shape
        if r.dtype is not p.dtype:
            raise Unstructured(f"a variable of '{frame.name}' changes its type")
        if s is None or (
            t is not None
            and len(s) == len(t)
            and all(type(a) is not int or a == b for a, b in zip(s, t, strict=True))
        ):
            return
        self.shapes[frame.name, i] = flow.merged(s, t)
        raise Unshaped

    def mirrored(self, frame: Frame, context: Loop, nodes: Sequence[Any], test: Any) -> None:
        """Tell a loop that goes back through another which, and how its iterations count."""
        for n in nodes:
            if n.op != "StackPopV2" or self.frame_of(n) is not frame:
                continue
            there = self.frame_of(self.pushed(n))
            mirror = self.loops.get(there) if there is not None else None
            if mirror is None:
                raise Unstructured(f"'{n.name}' takes from a stack that no loop fills")
            compared = self.nodes[source(test.input[0])]
            count = self.importer.find(compared.input[0])
            if compared.op != "GreaterEqual" or count is None:
                raise Unstructured(f"'{frame.name}' does not count down")
            one = make_constant(np.array(1, np.int32), dtypes.int32, "Const")
            context.mirror, context.index = mirror, math.subtract(count, one)
            return


class _Variable:
    """The nodes of one loop variable."""

    def __init__(self, f: Flow, merge: Any) -> None:
        self.merge = merge
        ends = {kind(f.nodes[source(i)]): f.nodes[source(i)] for i in data_inputs(merge)}
        try:
            self.enter, self.next = ends["Enter"], ends["NextIteration"]
        except KeyError:
            raise Unstructured(f"'{merge.name}' is no loop variable") from None
        self.exits = f.exits.get(merge.name, [])


def _frame(place: Place | None) -> Frame | None:
    """The innermost frame around a place."""
    path = place.path() if place is not None else []
    return next((p for p in reversed(path) if isinstance(p, Frame)), None)


def _sorted(nodes: Sequence[Any], owner: dict[str, Item], needs: Any) -> list[Item] | None:
    """Items after those that they need, as early as the order has them; None in a cycle."""
    members: dict[int, list[Any]] = {}
    items: dict[int, Item] = {}
    item_of: dict[str, int] = {}
    for n in nodes:
        item = owner.get(n.name, n)
        item_of[n.name] = id(item)
        items[id(item)] = item
        members.setdefault(id(item), []).append(n)
    out: list[Item] = []
    state: dict[int, int] = {}
    for first in members:
        stack = [first]
        while stack:
            at = stack[-1]
            if state.get(at) is None:
                state[at] = 1
                wanted = [item_of[s] for n in members[at] for s in needs(n) if s in item_of]
                wanted = [w for w in dict.fromkeys(wanted) if w != at and state.get(w) != 2]
                if any(state.get(w) == 1 for w in wanted):
                    return None
                stack += reversed(wanted)
            else:
                stack.pop()
                if state[at] == 1:
                    state[at] = 2
                    out.append(items[at])
    return out
