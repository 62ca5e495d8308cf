"""Loops and conds as TensorFlow 1 writes them: frames, switches and merges.

A recorded node inside of a construct reads values of outer contexts directly
(`graphc.ir.region`). In a message such a value enters each loop (``Enter``) and each branch
(``Switch``) on its way, and a node that nothing in its frame feeds waits for the frame's pivot.
`FlowNodes` gives inputs these names and writes the nodes that only TensorFlow needs; they have
the names that TensorFlow gives them, which the recorded graph keeps free.

What a gradient reads of the iterations of a loop (``saved``) is written into a ``TensorArrayV3``
by the number of the iteration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphc.graphdef.array_nodes import ArrayNodes
from graphc.graphdef.attributes import encode
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType, bool_, float32, int32, resource
from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop, context_of

__all__ = ["FlowNodes", "has_flow"]

Written = tuple[list[str], dict[str, Any]]


def has_flow(nodes: Iterable[Node]) -> bool:
    """Whether some nodes are in constructs, are constructs, or use arrays."""
    return any(
        n.op.facts.get("contexts") or n.op.name.startswith("array_") or context_of(n) is not None
        for n in nodes
    )


#: What is made for each loop variable, beside its ``Merge``.
_VARIABLE = ("Enter", "Switch", "NextIteration")


class Variable:
    """The names of the nodes of one loop variable, and what it is."""

    def __init__(self, enter: str, merge: str, switch: str, following: str) -> None:
        self.enter, self.merge, self.switch, self.next = enter, merge, switch, following


class Frame:
    """What is written of a loop beside the nodes inside of it.

    Attributes
    ----------
    variables : list of Variable
        Those of the recorded loop; what is added comes later.
    tests : set of Node
        What its condition needs: these run once more than the others.
    """

    def __init__(self, loop: Loop, construct: Node, name: str) -> None:
        self.loop, self.construct, self.name = loop, construct, name
        self.scope = construct.name.rpartition("/")[0]
        self.variables: list[Variable] = []
        self.tests = _needed_in(loop.test, loop)
        self.pivot: str | None = None
        self.count: Variable | None = None
        self.counted: str | None = None
        self.stacks: dict[Value, tuple[str, str]] = {}


class FlowNodes:
    """Names and nodes of the control flow of one export.

    Parameters
    ----------
    export
        Writes single nodes (`graphc.graphdef.export`).
    nodes : sequence of Node
        All that will be written.
    """

    def __init__(self, export: Any, nodes: Sequence[Node]) -> None:
        self.e = export
        self.frames: dict[Loop, Frame] = {}
        self.branches: dict[Branch, tuple[str, str]] = {}
        self.carried: dict[tuple[str, Context, bool], str] = {}
        self.results: dict[Value, str] = {}
        self.saved: dict[Loop, list[Node]] = {}
        self.trips: set[Loop] = set()
        self.pivots: dict[Loop, str] = {}
        self.names: set[str] = set()
        #: Nodes by which values enter loops that are the same in all iterations.
        self.constant: set[str] = set()
        for n in nodes:
            if n.op.name in ("exit", "merge"):
                self.results.setdefault(n.inputs[0], n.name)
            elif n.op.name == "saved":
                self.saved.setdefault(n.attrs["loop"], []).append(n)
            elif n.op.name == "identity":
                self.passed(n)
            elif n.op.name == "trips":
                self.trips.add(n.attrs["loop"])
        self.arrays = ArrayNodes(self, nodes)

    def passed(self, n: Node) -> None:
        """Note what passes on the first variable of a loop in the body: other nodes wait for it."""
        loop = context_of(n)
        if isinstance(loop, Loop) and n.inputs[0] is loop.params[0] and not n.control:
            self.pivots.setdefault(loop, n.name)

    # ---- names of values

    def text(self, v: Value) -> str:
        """The name of a value in the context where it is made."""
        n = v.node
        if n.op.facts.get("contexts"):
            return self.result(v)
        return self.arrays.text(v) or (n.name if v.index == 0 else f"{n.name}:{v.index}")

    def result(self, v: Value) -> str:
        """A result of a construct, outside of it."""
        found = self.results.get(v)
        if found is None:
            n = v.node
            if n.op.name == "loop":
                frame = self.frame(n.attrs["loop"])
                found = self.exit(frame, frame.variables[v.index], v.dtype)
            else:
                found = self.merge(n, v.index)
            self.results[v] = found
        return found

    def read(self, v: Value, n: Node, by: str | None = None, ref: bool = False) -> str:
        """The name of `v` as `n` reads it.

        Parameters
        ----------
        by : str, optional
            The name of the node whose input it will be, after which what brings it here is named.
        ref : bool
            Whether the variable itself is meant, not what it holds.
        """
        text = self.arrays.whole(v) if n.op.name not in self.arrays.USERS else None
        dtype = float32 if text is None and self.arrays.is_array(v) else v.dtype
        return self.carry(text or self.text(v), dtype, context_of(v.node), n, context_of(n),
                          by or n.name, v, ref)  # fmt: skip

    def carry(
        self, text: str, dtype: DType, home: Context | None, n: Node | None,
        context: Context | None, by: str, v: Value | None = None, ref: bool = False,
    ) -> str:  # fmt: skip
        """The name in `context` of what is called `text` in the context `home`."""
        start = home
        if home is not None and (context is None or not context.within(home)):
            start = _twin(home, context)
        elif isinstance(home, Loop):
            text = self.local(text, dtype, home, n, v)
        path = []
        c = context
        while c is not None and c is not start:
            path.append(c)
            c = c.outer
        for c in reversed(path):
            text = self.enter(text, dtype, c, by, ref)
        return text

    def local(self, text: str, dtype: DType, home: Loop, n: Node | None, v: Value | None) -> str:
        """A value of a loop's inside, as the condition or as the body sees it."""
        if v is None:
            return text
        frame = self.frame(home)
        if n is not None and n in frame.tests:
            return text
        if v in home.params:
            return frame.variables[home.params.index(v)].switch + ":1"
        if v.node not in frame.tests:
            return text
        key = (text, home, False)
        if key not in self.carried:
            test = frame.construct.name
            name = self.aux(f"{v.node.name}/Switch", "Switch", [text, test], T=dtype)
            self.carried[key] = name + ":1"
        return self.carried[key]

    def enter(self, text: str, dtype: DType, into: Context, by: str, ref: bool) -> str:
        """The name of an outer value inside of a construct, which it enters."""
        key = (text, into, ref)
        if key not in self.carried:
            mark = "Ref" if ref else ""
            if isinstance(into, Loop):
                frame = self.frame(into)
                made = self.aux(
                    f"{by}/{mark}Enter", mark + "Enter", [text], T=dtype, frame_name=frame.name,
                    is_constant=True, parallel_iterations=into.parallel,
                )  # fmt: skip
                self.wait(made, frame.construct)
                self.carried[key] = made
                self.constant.add(made)
            else:
                assert isinstance(into, Branch)
                pred, _ = self.branch(into)
                made = self.aux(f"{by}/Switch", mark + "Switch", [text, pred], T=dtype)
                self.carried[key] = made + (":1" if into.taken else "")
        return self.carried[key]

    def aux(self, name: str, op: str, inputs: Sequence[str], **attrs: Any) -> str:
        """A node that only TensorFlow needs; its inputs are what they will be."""
        full = self.e.free(name)
        self.names.add(full)
        made = self.e.graph.node.add(name=full, op=op, input=inputs)
        for key, value in attrs.items():
            made.attr[key].CopyFrom(encode(value))
        made.attr["_graphc_operand"].b = True
        return str(full)

    def const(self, name: str, value: Any, dtype: DType, after: str | None) -> str:
        """A constant that only TensorFlow needs, in the frame of the node `after`."""
        made = self.aux(name, "Const", [], dtype=dtype)
        held = self.e.graph.node[-1]
        held.attr["value"].CopyFrom(self.e.constant(np.array(value, dtype.np), dtype)["value"])
        if after:
            held.input.append("^" + after)
        return made

    def wait(self, name: str, construct: Node) -> None:
        """The node written last waits for what the construct waits for."""
        made = self.e.graph.node[-1]
        assert made.name == name
        made.input.extend(self.before(construct))

    # ---- order

    def before(self, n: Node) -> list[str]:
        """The control inputs of a node that it was recorded with."""
        here = context_of(n)
        out: dict[str, None] = {}
        for c in n.control:
            out.update(("^" + found, None) for found in self.arrival(c, here))
        return list(out)

    def arrival(self, c: Node, here: Context | None) -> list[str]:
        """The nodes in the frame of `here` that run when `c` has; none for one of a frame around.

        What enters the frame waits for those, as the construct does. A loop is over when all of
        its variables have left it.
        """
        if c.op.facts.get("contexts"):
            return self.over(c)
        home = context_of(c)
        if here is not None and here.within(home):
            between = [k for k in here.chain() if k is not home and k.within(home)]
            return [] if any(isinstance(k, Loop) for k in between) else [c.name]
        loops = [k for k in self.inner(c, here) if isinstance(k, Loop)]
        return self.over(loops[-1].node) if loops and loops[-1].node is not None else [c.name]

    def inner(self, c: Node, here: Context | None) -> list[Context]:
        """The contexts in which `c` is and `here` is not, innermost first."""
        home = context_of(c)
        chain = list(home.chain()) if home is not None else []
        return [k for k in chain if here is None or not here.within(k)]

    def ended(self, c: Node, here: Context | None) -> list[str]:
        """What runs after `c` has, or after it is clear that it will not."""
        around = self.inner(c, here)
        if around and around[-1].node is not None:
            return self.over(around[-1].node)
        return self.arrival(c, here)

    def over(self, construct: Node) -> list[str]:
        """The nodes by which the variables of a loop leave it, or the results of a cond its."""
        count = len(construct.outputs) - len(construct.attrs["updates"])
        return [self.result(v) for v in construct.outputs[:count]]

    def route(self, n: Node, made: Any, beside: Sequence[Any], routed: bool) -> None:
        """Give what was written of a recorded node the inputs that its frame has.

        Parameters
        ----------
        made : NodeDef
        beside : sequence of NodeDef
            What `n` needs beside it: nodes in the same frame.
        routed : bool
            Whether the inputs are those already.
        """
        update = bool(n.op.facts.get("update"))
        inside = context_of(n)
        for one in (*beside, made):
            free = inside is not None
            for i, text in enumerate(one.input):
                v = self.recorded(text, n)
                if not routed and v is not None:
                    is_ref = update and v is n.inputs[0] and one is made and _is_variable(v)
                    one.input[i] = self.read(v, n, one.name, is_ref)
                free = free and one.input[i] in self.constant
            if one is made and n.op.name != "loop":
                one.input.extend(self.before(n))
                free = free and not any(i.startswith("^") for i in one.input)
            if n.op.name == "loop" and one.input[0] in self.constant:
                one.input.append("^" + self.frame(n.attrs["loop"]).variables[0].merge)
            elif free and n.op.name not in ("loop", "loop_value"):
                after = self.pivot(n)
                if after is not None:
                    one.input.append("^" + after)

    def recorded(self, text: str, n: Node) -> Value | None:
        """The recorded value that an input is the name of."""
        name, _, index = text.partition(":")
        graph: Any = n.graph
        found = None if name in self.names else graph._nodes_by_name.get(name)
        at = int(index or 0)
        return found.outputs[at] if found is not None and at < len(found.outputs) else None

    def pivot(self, n: Node) -> str | None:
        """What a node waits for of which no input is of its iteration, or of its branch."""
        c = context_of(n)
        if isinstance(c, Branch):
            return self.branch(c)[1]
        if isinstance(c, Loop) and c.node is not None:
            frame = self.frame(c)
            return frame.variables[0].merge if n in frame.tests else self.body_pivot(frame)
        return None

    def body_pivot(self, frame: Frame) -> str:
        if frame.pivot is None and frame.loop in self.pivots:
            frame.pivot = self.pivots[frame.loop]
        elif frame.pivot is None:
            first = frame.variables[0]
            frame.pivot = self.aux(f"{frame.scope}/Identity", "Identity", [first.switch + ":1"],
                                   T=self.arrays.dtype(frame.loop.params[0]))  # fmt: skip
        return frame.pivot

    # ---- loops

    def frame(self, loop: Loop) -> Frame:
        """What is written of a loop; its variables are begun when it is asked for first."""
        if loop in self.frames:
            return self.frames[loop]
        construct = loop.node
        assert construct is not None
        scope = construct.name.rpartition("/")[0]
        frame = Frame(loop, construct, self.free_frame(f"{scope}/while_context"))
        self.frames[loop] = frame
        first = []
        for v, p in zip(construct.inputs, loop.params, strict=False):
            whole = None if self.arrays.is_array(p) else self.arrays.whole(v)
            first.append(self.carry(
                whole or self.text(v), self.arrays.dtype(p), context_of(v.node), construct,
                context_of(construct), frame.scope, v,
            ))  # fmt: skip
        for p in loop.params:
            enter, switch, following = (self.e.free(f"{frame.scope}/{k}") for k in _VARIABLE)
            frame.variables.append(Variable(enter, p.node.name, switch, following))
        for held, text, p in zip(frame.variables, first, loop.params, strict=True):
            dtype = self.arrays.dtype(p)
            self.given(held.enter, "Enter", [text, *self.before(construct)], T=dtype,
                       frame_name=frame.name, is_constant=False,
                       parallel_iterations=loop.parallel)  # fmt: skip
            self.given(held.switch, "Switch", [held.merge, construct.name], T=dtype)
        return frame

    def free_frame(self, base: str) -> str:
        taken = {f.name for f in self.frames.values()}
        name, i = base, 0
        while name in taken:
            i += 1
            name = f"{base}_{i}"
        return name

    def given(self, name: str, op: str, inputs: Sequence[str], **attrs: Any) -> None:
        """A node under a name that is taken for it."""
        self.e.taken.discard(name)
        self.aux(name, op, inputs, **attrs)

    def added(self, frame: Frame, first: str, dtype: DType) -> Variable:
        """One more loop variable, whose next value is written later (`onward`)."""
        e = self.e.free
        names = [e(f"{frame.scope}/{k}") for k in ("Enter", "Merge", "Switch", "NextIteration")]
        enter, merge, switch, following = names
        made = Variable(enter, merge, switch, following)
        start = [first, *self.before(frame.construct)]
        self.given(enter, "Enter", start, T=dtype, frame_name=frame.name, is_constant=False,
                   parallel_iterations=frame.loop.parallel)  # fmt: skip
        self.given(merge, "Merge", [enter, following], T=dtype, N=2)
        self.given(switch, "Switch", [merge, frame.construct.name], T=dtype)
        return made

    def onward(self, variable: Variable, value: str, dtype: DType) -> None:
        self.given(variable.next, "NextIteration", [value], T=dtype)

    def exit(self, frame: Frame, variable: Variable, dtype: DType) -> str:
        return self.aux(f"{frame.scope}/Exit", "Exit", [variable.switch], T=dtype)

    def loop_value(self, n: Node) -> Written | None:
        """The ``Merge`` of a loop variable."""
        loop = context_of(n)
        if not isinstance(loop, Loop) or loop.node is None:
            return None
        variable = self.frame(loop).variables[loop.params.index(n.outputs[0])]
        attrs = {"op": "Merge", "T": encode(self.arrays.dtype(n.outputs[0])), "N": encode(2)}
        return [variable.enter, variable.next], attrs

    def loop(self, n: Node) -> Written:
        """The ``LoopCond``; and what ends each iteration."""
        loop: Loop = n.attrs["loop"]
        frame = self.frame(loop)
        for variable, p, r in zip(frame.variables, loop.params, loop.results, strict=True):
            dtype = self.arrays.dtype(p)
            whole = None if self.arrays.is_array(p) else self.arrays.whole(r)
            text = self.carry(whole or self.text(r), dtype, context_of(r.node), None, loop,
                              frame.scope, r)  # fmt: skip
            if text in self.constant:  # which alone would begin iteration after iteration
                after = "^" + self.body_pivot(frame)
                text = self.aux(f"{frame.scope}/Identity", "Identity", [text, after], T=dtype)
            self.onward(variable, text, dtype)
        kept = self.saved.get(loop, ())
        if loop in self.trips or kept:
            self.counter(frame)
        for s in kept:
            self.stack(frame, s.attrs["value"])
        assert loop.test is not None
        c = context_of(loop.test.node)
        test = self.carry(self.text(loop.test), bool_, c, loop.test.node if c is loop else None,
                          loop, n.name, None)  # fmt: skip
        return [test], {"op": "LoopCond"}

    def counter(self, frame: Frame) -> None:
        """A variable that counts iterations."""
        outer = self.around(frame)
        zero = self.const(f"{frame.scope}/iterations", 0, int32, outer)
        frame.count = count = self.added(frame, zero, int32)
        at = count.switch + ":1"
        one = self.const(f"{frame.scope}/iterations/one", 1, int32, self.body_pivot(frame))
        following = self.aux(f"{frame.scope}/iterations/add", "Add", [at, one], T=int32)
        self.onward(count, following, int32)

    def around(self, frame: Frame) -> str | None:
        """What a node in the context of a loop waits for that has no inputs there."""
        return self.pivot(frame.construct)

    def stack(self, frame: Frame, v: Value) -> None:
        """An array for all values that `v` has inside of a loop."""
        base = f"{frame.scope}/saved"
        outer = self.around(frame)
        held = self.arrays.handle_of(v)
        dtype, shape = (resource, None) if held else (v.dtype, v.static_shape)
        size = self.const(f"{base}/size", 0, int32, outer)
        array = self.aux(
            base, "TensorArrayV3", [size], dtype=dtype, dynamic_size=True, clear_after_read=False,
            identical_element_shapes=False, tensor_array_name="",
        )  # fmt: skip
        made = self.e.graph.node[-1]
        made.attr["element_shape"].CopyFrom(encode(shape, shape=True))
        flow = self.added(frame, array + ":1", float32)
        assert frame.count is not None
        home = context_of(v.node)
        handle = self.carry(array, resource, frame.loop.outer, None, frame.loop, base)
        text = held or self.arrays.whole(v) or self.text(v)
        if home is frame.loop:
            text = self.local(text, dtype, frame.loop, None, v)
        k = home
        while k is not frame.loop:  # where its branch does not run, something else stands for it
            assert isinstance(k, Branch)
            other = self.nothing(f"{base}/nothing", dtype, shape, k)
            pred, _ = self.branch(k)
            passed = self.aux(f"{base}/Switch", "Switch", [other, pred], T=dtype)
            pair = [passed, text] if k.taken else [text, passed + ":1"]
            text = self.aux(f"{base}/Merge", "Merge", pair, T=dtype, N=2)
            k = k.outer
        inputs = [handle, frame.count.switch + ":1", text, flow.switch + ":1"]
        after = self.aux(f"{base}/write", "TensorArrayWriteV3", inputs, T=dtype)
        if held and home is frame.loop:
            self.e.graph.node[-1].input.append("^" + self.arrays.done(v))
        self.onward(flow, after, float32)
        done = self.exit(frame, flow, float32)
        frame.stacks[v] = (array, done)

    def nothing(self, name: str, dtype: DType, shape: Shape | None, k: Branch) -> str:
        """What stands for a value of a branch that does not run, in the context around."""
        assert k.node is not None
        after = self.pivot(k.node)
        if dtype is not resource:
            sizes = [d if type(d) is int else 0 for d in shape or ()]
            empty = b"" if dtype.kind == "s" else 0
            return self.const(name, np.full(sizes, empty, dtype.np), dtype, after)
        size = self.const(f"{name}/size", 0, int32, after)
        return self.aux(name, "TensorArrayV3", [size], dtype=float32)

    # ---- conds

    def branch(self, b: Branch) -> tuple[str, str]:
        """Of a branch the predicate in its cond's context, and what runs when the branch does."""
        if b not in self.branches:
            n = b.node
            assert n is not None
            scope = n.name.rpartition("/")[0]
            pred = self.read(n.inputs[0], n)
            after = self.before(n)
            name = self.aux(f"{scope}/pred_id", "Identity", [pred, *after], T=bool_)
            for other, key in ((n.attrs["then"], ":1"), (n.attrs["orelse"], "")):
                word = "switch_t" if other.taken else "switch_f"
                side = self.aux(f"{scope}/{word}", "Identity", [n.name + key], T=bool_)
                self.branches[other] = (name, side)
        return self.branches[b]

    def conditional(self, n: Node) -> Written:
        """The ``Switch`` of the predicate by itself, on which the branches hang."""
        self.branch(n.attrs["then"])
        pred = self.read(n.inputs[0], n)
        return [pred, pred], {"op": "Switch", "T": encode(bool_)}

    def arms(self, n: Node, index: int, by: str) -> list[str]:
        """A result of a cond in its branches, that of false first."""
        out = []
        for b in (n.attrs["orelse"], n.attrs["then"]):
            v = b.results[index]
            whole = None if self.arrays.is_array(n.outputs[index]) else self.arrays.whole(v)
            out.append(self.carry(whole or self.text(v), self.arrays.dtype(n.outputs[index]),
                                  context_of(v.node), None, b, by, v))  # fmt: skip
        return out

    def merge(self, n: Node, index: int) -> str:
        """A ``Merge`` for a result of a cond that no recorded node stands for."""
        scope = n.name.rpartition("/")[0]
        dtype = self.arrays.dtype(n.outputs[index])
        return self.aux(f"{scope}/Merge", "Merge", self.arms(n, index, scope), T=dtype, N=2)

    # ---- nodes of their own

    def write(self, n: Node) -> Written | None:
        """How a node is written that is part of control flow; None for any other."""
        maker = getattr(self, "_" + n.op.name, None)
        found: Written | None = maker(n) if maker else self.arrays.write(n)
        return found

    def _loop(self, n: Node) -> Written:
        return self.loop(n)

    def _loop_value(self, n: Node) -> Written | None:
        return self.loop_value(n)

    def _conditional(self, n: Node) -> Written:
        return self.conditional(n)

    def _exit(self, n: Node) -> Written:
        construct = n.inputs[0].node
        dtype = self.arrays.dtype(n.outputs[0])
        frame = self.frame(construct.attrs["loop"])
        switch = frame.variables[n.inputs[0].index].switch
        return [switch], {"op": "Exit", "T": encode(dtype)}

    def _merge(self, n: Node) -> Written:
        construct = n.inputs[0].node
        dtype = self.arrays.dtype(n.outputs[0])
        scope = construct.name.rpartition("/")[0]
        arms = self.arms(construct, n.inputs[0].index, scope)
        return arms, {"op": "Merge", "T": encode(dtype), "N": encode(2)}

    def _trips(self, n: Node) -> Written:
        frame = self.frame(n.attrs["loop"])
        assert frame.count is not None
        return [frame.count.switch], {"op": "Exit", "T": encode(int32)}

    def _saved(self, n: Node) -> Written:
        v = n.attrs["value"]
        array, flow = self.frame(n.attrs["loop"]).stacks[v]
        return self.arrays.gathered(n, array, flow, v.dtype, v.static_shape)


def _needed_in(test: Value | None, loop: Loop) -> set[Node]:
    """What in a loop its condition needs, the insides of constructs with them."""
    out: set[Node] = set()
    stack = [] if test is None else [test.node]
    while stack:
        n = stack.pop()
        c = context_of(n)
        if n in out or c is None or not c.within(loop):
            continue
        out.add(n)
        stack += [v.node for v in n.inputs]
        stack += n.control
        for key in n.op.facts.get("contexts", ()):
            inner: Any = n.attrs[key]
            values = [*inner.results, *inner.captures]
            values += [inner.test] if getattr(inner, "test", None) is not None else []
            stack += [v.node for v in values]
        stack += [k.node for k in c.chain() if k.node is not None and k.within(loop)]
    return out


def _twin(home: Context, context: Context | None) -> Context | None:
    """Where a value of a branch is read from: a branch of another cond that runs when that does.

    Elsewhere it is read where both are, and is dead where the branch does not run, as there.
    """
    chain = list(context.chain()) if context is not None else []
    if isinstance(home, Branch):
        for c in chain:
            if isinstance(c, Branch) and c.pred is home.pred and c.taken == home.taken:
                return c
    return next((c for c in home.chain() if c in chain), None)


def _is_variable(v: Value) -> bool:
    """Whether a value is a variable itself, not what it holds."""
    return v.node.op.name == "variable" or bool(v.node.op.facts.get("update"))
