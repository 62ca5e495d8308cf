"""Plans of control flow: loops and conditions as steps with branches between them.

A loop keeps each of its values in one buffer. Its body is planned like any graph, with these
buffers as its inputs, and leaves the next values in them: the step that makes a value writes it
there where nobody reads the old one later, else a copy does at the end of the body. What begins
as another value (a loop's first value, an array with one element replaced) takes over the other's
buffer where that is read for the last time; the order of steps is chosen so that it mostly is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType, bool_
from graphc.ir.graph import Graph
from graphc.ir.journal import Journal
from graphc.ir.node import Node, Value
from graphc.ops.control import no_room
from graphc.passes.groups import is_alias
from graphc.passes.slots import into_slot, reads_element_only, within_kernel
from graphc.passes.small_loop import SmallLoop, lower_loop
from graphc.runtime.steps import (
    Buf,
    Code,
    StepSpec,
    base,
    branch_step,
    copy_step,
    count,
    label_step,
    same_type,
)

__all__ = ["Regions", "Scope"]

_SOURCES = frozenset({"input", "read", "constant"})


#: Why a kernel does not write an element into its array: in words, and what would alter it.
SLOT: dict[str, tuple[str, str]] = {
    "given": (
        "no kernel of the loop makes it (it is carried, captured, or an op with a kernel of its"
        " own)",
        "let elementwise work make the element",
    ),
    "several": ("more than one step makes it", ""),
    "product": (
        "a matrix product, or an op with a kernel of its own, makes it",
        "let elementwise work behind the product, of another shape than it, make the element",
    ),
    "index": ("its place is not known when it is made", "compute the index before the element"),
    "read": (
        "the array is read between, or its kernel reads other elements of the array",
        "read the array before, in another iteration, or only at the place that is written",
    ),
    "form": ("its kernel has no form that writes at a place of an array", ""),
}


def overwrites(n: Node) -> bool:
    """Whether a node can take over the memory of what it reads."""
    return n.op.family == "control" or "replaces" in n.op.facts


def begins_as(n: Node) -> list[tuple[Value, Value]]:
    """Pairs (operand, result) of a node whose result starts out with the operand's contents."""
    if n.op.name == "while":
        return list(zip(n.inputs, n.outputs, strict=False))
    k = n.op.facts.get("replaces")
    return [] if k is None else [(n.inputs[k], n.outputs[0])]


@dataclass(eq=False)
class Scope:
    """One graph while it is planned: the run's, or that of a region.

    Attributes
    ----------
    order : list of Node
    buf : mapping
        Where each value lives, reshapes left out.
    owned : set of Value
        Inputs whose memory may be overwritten after their last use.
    wanted : mapping
        Where a value should be written.
    """

    graph: Graph
    owned: frozenset[Value] = frozenset()
    order: list[Node] = field(default_factory=list)
    buf: dict[Value, Buf] = field(default_factory=dict)
    wanted: dict[Value, Buf] = field(default_factory=dict)
    place: dict[Node, int] = field(default_factory=dict)
    last: dict[Value, int] = field(default_factory=dict)

    def arrange(self, ends: Mapping[Node, Sequence[Value]]) -> None:
        """Choose the order of nodes; `ends` names more values that a node overwrites."""
        nodes = self.graph.nodes()
        if not ends and not any(map(overwrites, nodes)):
            self.order = nodes
            return
        self.order = scheduled(nodes, ends)
        self.place = {n: i for i, n in enumerate(self.order)}
        for i, n in enumerate(self.order):
            if not is_alias(n):
                self.last.update((base(v), i) for v in n.inputs)
        self.last.update((base(v), len(self.order)) for v in self.graph.roots)

    def dies(self, v: Value, n: Node) -> bool:
        """Whether `n` is the last to read `v`, and reads it once, so that its memory is free."""
        v = base(v)
        if self.last.get(v) != self.place[n] or sum(base(x) is v for x in n.inputs) != 1:
            return False
        return v in self.owned or v.node.op.name not in _SOURCES

    def want(self) -> None:
        """What begins as another value and is wanted somewhere: there the other is made, too."""
        for n in reversed(self.order if self.wanted and self.place else ()):
            for v, out in begins_as(n):
                target = self.wanted.get(out)
                if target is not None and v.node.op.name not in _SOURCES and self.dies(v, n):
                    self.wanted.setdefault(base(v), target)


def scheduled(nodes: list[Node], ends: Mapping[Node, Sequence[Value]]) -> list[Node]:
    """Nodes in an order in which who overwrites a value comes after its readers, where it can.

    Without such nodes the order stays as it is.
    """
    over: dict[Node, set[Value]] = {}
    for n in nodes:
        if n not in ends and not overwrites(n):
            continue
        found = {base(v) for v, _ in begins_as(n)}
        if n.op.name == "cond":
            found |= {base(v) for v in n.inputs[1:]}
        found |= set(ends.get(n, ()))
        if found:
            over[n] = found
    if not over:
        return nodes
    known = set(nodes)
    direct: dict[Node, list[Node]] = {}
    readers: dict[Value, list[Node]] = {}
    for n in nodes:
        for v in n.inputs:
            direct.setdefault(v.node, []).append(n)
            if not is_alias(n):
                readers.setdefault(base(v), []).append(n)
    later: dict[Node, set[Node]] = {}  # for each node those that had better come before it
    for n, values in over.items():
        others = {u for v in values for u in readers.get(v, ()) if u is not n}
        if others:
            later[n] = others - _users(n, direct)
    return _sorted(nodes, known, direct, later)


def _users(n: Node, direct: Mapping[Node, Sequence[Node]]) -> set[Node]:
    """Every node that depends on `n`."""
    out: set[Node] = set()
    stack = list(direct.get(n, ()))
    while stack:
        m = stack.pop()
        if m not in out:
            out.add(m)
            stack += direct.get(m, ())
    return out


def _sorted(
    nodes: Sequence[Node], known: set[Node], direct: Mapping[Node, Sequence[Node]],
    later: Mapping[Node, set[Node]],
) -> list[Node]:  # fmt: skip
    """By dependence, then by number; a wish of `later` that cannot be granted is dropped."""
    needs = {n: len({v.node for v in n.inputs} & known) for n in nodes}
    waits = {n: len(later.get(n, ())) for n in nodes}
    blocks: dict[Node, list[Node]] = {}
    for n, first in later.items():
        for m in first:
            blocks.setdefault(m, []).append(n)
    by_id = {n.id: n for n in nodes}
    ready = [n.id for n in nodes if not needs[n] and not waits[n]]
    held = {n.id for n in nodes if not needs[n] and waits[n]}
    heapq.heapify(ready)
    out: list[Node] = []
    while ready or held:
        if not ready:
            forced = min(held)
            held.discard(forced)
            waits[by_id[forced]] = 0
            ready.append(forced)
        n = by_id[heapq.heappop(ready)]
        out.append(n)
        for m in dict.fromkeys(direct.get(n, ())):
            needs[m] -= 1
            if not needs[m]:
                if waits[m]:
                    held.add(m.id)
                else:
                    heapq.heappush(ready, m.id)
        for m in blocks.get(n, ()):
            if waits[m]:
                waits[m] -= 1
                if not waits[m] and m.id in held:
                    held.discard(m.id)
                    heapq.heappush(ready, m.id)
    return out


class Regions:
    """The part of the planner that knows control flow."""

    scope: Scope
    steps: list[StepSpec]
    loops: list[tuple[StepSpec, StepSpec]]
    journal: Journal | None

    # what the planner supplies

    def of(self, v: Value) -> Buf:
        """Where a value lives."""
        raise NotImplementedError

    def temp(self, dtype: DType, n: Dim, name: str) -> Buf:
        """A new piece of the arena."""
        raise NotImplementedError

    def node(self, n: Node) -> None:
        """Make the steps of a node."""
        raise NotImplementedError

    def fresh_name(self, word: str) -> str:
        """A name for a kernel."""
        raise NotImplementedError

    def reads_where_written(self, step: StepSpec, old: Buf, new: Buf) -> bool:
        """Whether `step` reads `old` only at the places, and before, it writes them in `new`."""
        raise NotImplementedError

    # regions

    @contextmanager
    def region(
        self,
        g: Graph,
        inputs: Sequence[Buf],
        owned: Iterable[Value] = (),
        wanted: Mapping[Value, Buf] | None = None,
        ends: Mapping[Node, Sequence[Value]] | None = None,
    ) -> Iterator[Scope]:
        """Plan a region; inside, its values can be asked for."""
        outer = self.scope
        self.scope = scope = Scope(g, frozenset(owned))
        scope.buf.update(zip(g.inputs, inputs, strict=True))
        scope.wanted.update(wanted or {})
        scope.arrange(ends or {})
        scope.want()
        for n in scope.order:
            self.node(n)
        yield scope
        self.scope = outer

    def begin(self, n: Node, v: Value, out: Value) -> Buf:
        """Where `out` lives, filled with `v`: the buffer of `v` itself where it is free now."""
        scope, src = self.scope, self.of(v)
        target = scope.wanted.get(out)
        if target is None and scope.dies(v, n):
            target = src
        if target is None:
            target = self.temp(v.dtype, src.count, n.name)
        if target is not src:
            self.steps.append(copy_step(src, target, n))
            if src.kind != "var" or "replaces" not in n.op.facts:  # else see `commit_obstacle`
                self.say_copy(n, v)
        scope.buf[out] = target
        return target

    def say_copy(self, n: Node, v: Value) -> None:
        """Write down why `n` begins with a copy of `v`, for whoever asks."""
        if self.journal is None:
            return
        v = base(v)
        if v.node.op.name in _SOURCES and v not in self.scope.owned:
            why = "it is fed, a variable or a constant, whose memory a run may not write to"
            remedy = ""
        else:
            why = "its old value is read again later, or wanted as a result"
            remedy = f"let {n.name!r} be the last that reads {v.node.name!r}"
        text = f"{n.name!r} does not change {v.node.name!r} in place, but a copy: {why}"
        self.journal.because("buffer", (n, v.node), text, remedy)

    def say_moves(self, n: Node, moves: Iterable[tuple[Buf, Buf]]) -> None:
        """Write down which results of a region are copied to their places, for whoever asks."""
        if self.journal is None:
            return
        for src, target in moves:
            if src is not target:
                name = src.name or target.name
                text = f"{name!r} is copied to its place at the end of {n.name!r}: the value that"
                text += " is there is still read, or what it becomes is in memory that is not free"
                remedy = "read the old value for the last time where the new one is made"
                self.journal.because("buffer", (n,), text, remedy)

    def loop(self, n: Node) -> None:
        """A ``while``: its condition, a branch out of it, its body, a branch back."""
        cond: Graph = n.attrs["cond"]
        body: Graph = n.attrs["body"]
        size = len(n.outputs)
        captured = [self.of(v) for v in n.inputs[size:]]
        carried = [self.begin(n, v, out) for v, out in begins_as(n)]
        again, done = label_step(n), label_step(n)
        self.steps.append(again)
        self.loops.append((again, done))
        small = lower_loop(n, scheduled(body.nodes(), ends_of(body)), self.fresh_name("loop"))
        if small is not None:
            self.small(n, small, [*carried, *captured])
            self.steps += [branch_step(self.steps[-1].writes[-1], again, n), done]
            return
        with self.region(cond, [*carried, *captured]):
            flag = self.of(cond.outputs[0])
        self.steps.append(branch_step(flag, done, n))
        start = len(self.steps)
        with self.region(body, [*carried, *captured], body.inputs[:size], ends=ends_of(body)):
            self.settle(body, carried, start, {*carried, *captured}, n)
        self.steps += [branch_step(None, again, n), done]

    def small(self, n: Node, made: SmallLoop, given: Sequence[Buf]) -> None:
        """A loop that is one kernel; the last thing it writes is whether it has ended."""
        stop = self.temp(bool_, 1, n.name)
        binds = [stop if kind == "stop" else given[i] for kind, i in made.bind]
        reads = [b for b, p in zip(binds, made.kernel.params, strict=True) if p.direction != "out"]
        writes = [b for b, p in zip(binds, made.kernel.params, strict=True) if p.direction != "in"]
        self.steps.append(
            StepSpec(Code(made.kernel.name, made.kernel), binds, n, list(made.checks), writes,
                     reads, sizes=made.kernel.sizes, varies=True)
        )  # fmt: skip

    def settle(
        self, g: Graph, targets: Sequence[Buf], start: int, given: set[Buf], n: Node
    ) -> None:
        """The results of a region, planned from step `start` on, go to where they are read.

        `given` are buffers that hold something when the region begins.
        """
        made = [self.of(v) for v in g.outputs]
        for i, target in enumerate(targets):
            src = made[i]
            old = any(b is target for j, b in enumerate(made) if j != i)
            if src in given or old or not self.straight(src, target, start):
                continue
            for s in self.steps[start:]:
                s.replace(src, target)
            self.steps[start:] = [s for s in self.steps[start:] if not is_idle(s)]
            made = [target if b is src else b for b in made]
        self.say_moves(n, zip(made, targets, strict=True))
        self.move(list(zip(made, targets, strict=True)), n)

    def straight(self, src: Buf, target: Buf, start: int) -> bool:
        """Whether the steps that write `src` can write `target`, whose old value ends there."""
        if src.kind != "arena":
            return False
        part = self.steps[start:]
        first = next((i for i, s in enumerate(part) if src in s.writes), None)
        if first is None:
            return False
        for i, s in enumerate(part[first:]):
            if target in s.reads and not (
                i == 0 and (s.binds == [target, src] or self.reads_where_written(s, target, src))
            ):
                return False
            if target in s.writes:
                return False
        return True

    def move(self, moves: list[tuple[Buf, Buf]], node: Node) -> None:
        """Copies (from, to) that all read before any of them writes."""
        left = [(a, b) for a, b in moves if a is not b]
        while left:
            free = [m for m in left if not any(a is m[1] for a, _ in left)]
            if not free:
                src = left[0][0]
                spare = self.temp(src.dtype, src.count, node.name)
                self.steps.append(copy_step(src, spare, node))
                left = [(spare if a is src else a, b) for a, b in left]
                continue
            for m in free:
                self.steps.append(copy_step(*m, node))
                left.remove(m)

    def slot(self, n: Node) -> bool:
        """Let the kernel that makes an element write it into its array; whether that could be."""
        array, index, value = (base(v) for v in n.inputs)
        target, at, src = self.of(array), self.of(index), self.of(value)
        makers = [i for i, s in enumerate(self.steps) if src in s.writes]
        word = self.slot_obstacle(makers, n)
        if word:
            self.say_slot(word, n, value)
            return False
        first = makers[0]
        s = self.steps[first]
        rows = (array.static_shape or ())[0]
        name = s.code.kernel.params[next(i for i, b in enumerate(s.binds) if b is src)].name
        keep = not self.scope.dies(value, n) or any(src in t.reads for t in self.steps[first:])
        kernel = into_slot(s.code.kernel, name, index.dtype, rows, keep)
        if kernel is None:
            self.say_slot("form", n, value)
            return False
        s.code = Code(f"{s.code.name}_{'and' if keep else 'into'}_array", kernel)
        s.binds = [*(b for b in s.binds if keep or b is not src), at, target]
        s.writes = [*(b for b in s.writes if keep or b is not src), target]
        s.reads = [*s.reads, at]
        s.sizes = kernel.sizes
        check = within_kernel(index.dtype, rows)
        message = no_room("<position>", f"<{rows}>")
        self.steps.insert(
            first,
            StepSpec(Code("within", check), [at], n, [(0, message)], [], [at], sizes=check.sizes),
        )
        return True

    def slot_obstacle(self, makers: list[int], n: Node) -> str:
        """What keeps the kernel that makes an element from writing its array: a word of `SLOT`."""
        array, index, value = (base(v) for v in n.inputs)
        target, at, src = self.of(array), self.of(index), self.of(value)
        if src.kind != "arena" or value.node.op.name != "fused":
            return "given"
        if len(makers) != 1:
            return "several"
        first = makers[0]
        s = self.steps[first]
        if s.node is not value.node or s.code.contraction is not None or s.code.native is not None:
            return "product"
        if any(at in t.writes for t in self.steps[first:]) or target in s.writes:
            return "index"
        if any(target in t.reads or target in t.writes for t in self.steps[first + 1 :]):
            return "read"
        if target in s.reads and not self.reads_one(s, target, index, value):
            return "read"
        return ""

    def say_slot(self, word: str, n: Node, value: Value) -> None:
        """Write down why an element is copied into its array, for whoever asks."""
        if self.journal is not None:
            why, remedy = SLOT[word]
            name = value.node.name
            text = f"the element {name!r} is made in memory of its own and copied into the array"
            text += f" ({n.name!r}): {why}"
            self.journal.because("buffer", (n, value.node), text, remedy)

    def reads_one(self, s: StepSpec, target: Buf, index: Value, value: Value) -> bool:
        """Whether a fused step reads the array at the place it is to write."""
        body: Graph = s.node.attrs["body"]
        pairs = list(zip(body.inputs, s.node.inputs, strict=True))
        arrays = [a for a, v in pairs if self.of(v) is target]
        at = [a for a, v in pairs if base(v) is index]
        out = body.outputs[s.node.outputs.index(value)]
        return len(at) == 1 and all(reads_element_only(body, a, at[0], out) for a in arrays)

    def cond(self, n: Node) -> None:
        """A ``cond``: a branch around the steps of each side."""
        sides: list[Graph] = [n.attrs["then"], n.attrs["orelse"]]
        flag = self.of(n.inputs[0])
        inputs = [self.of(v) for v in n.inputs[1:]]
        free = [self.scope.dies(v, n) for v in n.inputs[1:]]
        outs = self.results(n, sides, inputs, free)
        other, done = label_step(n), label_step(n)
        self.steps.append(branch_step(flag, other, n))
        for g in sides:
            owned = [v for v, f in zip(g.inputs, free, strict=True) if f]
            wanted: dict[Value, Buf] = {}
            for v, buf in zip(g.outputs, outs, strict=True):
                if base(v).node.op.name not in _SOURCES and buf not in inputs:
                    wanted.setdefault(base(v), buf)
            start = len(self.steps)
            with self.region(g, inputs, owned, wanted):
                self.settle(g, outs, start, {*inputs, *outs}, n)
            if g is sides[0]:
                self.steps += [branch_step(None, done, n), other]
        self.steps.append(done)

    def results(
        self, n: Node, sides: Sequence[Graph], inputs: Sequence[Buf], free: Sequence[bool]
    ) -> list[Buf]:
        """Where the results of a ``cond`` live: over an array that a side changes, or passes on."""
        taken: set[Buf] = set()
        outs: list[Buf] = []
        for k, out in enumerate(n.outputs):
            buf = self.scope.wanted.get(out)
            for g in sides if buf is None else ():
                v = origin(g.outputs[k])
                at = g.inputs.index(v) if v in g.inputs else -1
                if at >= 0 and free[at] and inputs[at] not in taken and same_type(v, out):
                    buf = inputs[at]
                    taken.add(buf)
                    break
            if buf is None:
                src = sides[0].outputs[k]
                buf = self.temp(out.dtype, count(src), n.name)
            self.scope.buf[out] = buf
            outs.append(buf)
        return outs


def ends_of(body: Graph) -> dict[Node, list[Value]]:
    """For the nodes of a loop's body that make its next values, the values that these replace."""
    ends: dict[Node, list[Value]] = {}
    for old, new in zip(body.inputs, body.outputs, strict=False):
        if base(new) is not old:
            ends.setdefault(base(new).node, []).append(old)
    return ends


def origin(v: Value) -> Value:
    """The value whose memory `v` has taken over, if every step on the way does."""
    v = base(v)
    while pairs := [a for a, b in begins_as(v.node) if b is v]:
        v = base(pairs[0])
    return v


def is_idle(s: StepSpec) -> bool:
    """Whether the step copies a buffer to itself."""
    return s.code.name == "copy" and s.binds[0] is s.binds[1]
