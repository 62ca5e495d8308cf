"""A plan: the kernels of a run in order, their buffers, and what binding them to sizes needs.

Made once for a pattern of sizes (`make_plan`); bound to each new set of sizes in microseconds
to a millisecond without LLVM (`bind`). Buffers share one arena by lifetime; an update writes
its variable in place where nothing that reads the old value, and nothing that can fail, comes
later. Control flow is `graphc.runtime.regions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.dims import Dim, Facts, Symbol
from graphc.ir.dtypes import DType, int64
from graphc.ir.graph import Graph
from graphc.ir.kernel import Kernel, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ir.pictures import Pictured
from graphc.ops.random import reserved
from graphc.passes.contract import Contraction, contraction_of, lower_contraction
from graphc.passes.convolve import convolution_of, lower_convolution
from graphc.passes.groups import is_alias
from graphc.passes.lower import lower_body
from graphc.passes.lowered import Lowered
from graphc.passes.reorder import lower_reorder, reorder_of
from graphc.passes.share import body_key
from graphc.runtime.bounds import Bounds, Guard, look_step
from graphc.runtime.kept import keep
from graphc.runtime.panels import share_panels
from graphc.runtime.regions import Regions, Scope, begins_as
from graphc.runtime.steps import (
    Buf,
    Code,
    StepSpec,
    base,
    copy_step,
    count,
    label_step,
    lifetimes,
    same_type,
)
from graphc.runtime.swap import LARGE, NEW, flip_step

__all__ = ["Plan", "make_plan"]


@dataclass
class Plan(Pictured):
    """Kernels and buffers of a run.

    Attributes
    ----------
    graph : Graph
        The fused graph.
    steps : list of StepSpec
    outputs : list of Buf
        Where each fetched value is written; the session supplies fresh arrays.
    out_types : list of (dtype, shape)
    """

    graph: Graph
    steps: list[StepSpec]
    outputs: list[Buf]
    out_types: list[tuple[DType, tuple[Dim, ...]]]
    reads: list[str]
    updates: list[tuple[str, DType, tuple[Dim, ...]]]
    facts: Facts
    #: The labels at the start and the end of each loop, outer loops first.
    loops: list[tuple[StepSpec, StepSpec]]
    #: Bytes that the arena may take; 0 is no limit.
    limit: int = 0
    #: Whether every step that computes floats may fail, so that variables change after all of them.
    revocable: bool = False
    #: What must hold for it, where some steps cannot fail and change variables in place.
    guard: Guard | None = None


#: Why a new value of a variable is not written in place: in words, and what would alter it.
LATE: dict[str, tuple[str, str]] = {
    "elsewhere": (
        "no kernel of this run makes it alone (it is fed, fetched, a constant, another variable's"
        " value, or the new value of two variables)",
        "compute it in this run, for {name} only",
    ),
    "several": ("more than one step makes it", ""),
    "checks": (
        "a check in its kernel can fail, and a run that fails leaves variables as they were",
        "compute what can fail in another run",
    ),
    "revocable": (
        "with check_numerics any kernel can fail, and a run that fails leaves variables as they"
        " were",
        "run without check_numerics",
    ),
    "read": (
        "other kernels read what its kernel makes, and nothing may come after the first change of"
        " a variable",
        "let nothing read the new value of {name} in this run, nor what its kernel makes besides",
    ),
    "places": (
        "its kernel reads the old value at other places than the one it writes",
        "let the new value of {name} depend on its old one element by element",
    ),
    "circle": (
        "other variables' new values are made of the old value of this one, and its of theirs",
        "update {name} in a run of its own",
    ),
}


class _Planner(Regions):
    def __init__(
        self, g: Graph, revocable: bool = False,
        beside: bool = False, guarded: bool = False, kept: bool = False,
    ) -> None:  # fmt: skip
        self.g = g
        self.kept = kept and not g.updates
        self.guarded = guarded  # what cannot fail is written in place
        self.guard: Guard | None = None
        self.beside = beside  # new values of large variables are made in arrays of their own
        self.revocable = revocable  # every step may fail: what is committed is copied at the end
        self.journal = journal.current()
        self.scope = Scope(g)
        self.steps: list[StepSpec] = []
        self.loops: list[tuple[StepSpec, StepSpec]] = []
        self.named = 0
        self.lowered: dict[Any, Lowered | Contraction] = {}
        self.arena: list[Buf] = []

    def run(self) -> Plan:
        g = self.g
        with D.assuming(g.facts):
            self.scope.arrange({})
            self.place_roots()
            self.scope.want()
            for n in self.scope.order:
                self.node(n)
            outputs = self.finish_outputs()
            self.finish_updates()
            self.order()
            if self.kept:
                self.steps = keep(self.steps)
            lifetimes(self.steps, self.loops)
            self.ahead()
            share_panels(self.steps)
        reads = [n.attrs["var"] for n in g.nodes() if n.op.name == "read"]
        return Plan(
            g, self.steps, outputs, [(v.dtype, v.static_shape or ()) for v in g.outputs], reads,
            [(name, v.dtype, v.static_shape or ()) for name, v in g.updates], g.facts,
            self.loops, revocable=self.revocable, guard=self.guard,
        )  # fmt: skip

    # ------------------------------------------------------------- where values live

    def place_roots(self) -> None:
        """Results that a kernel can write straight to where they are wanted."""
        wanted = self.scope.wanted
        self.taken: set[int] = set()
        roots: dict[Value, Value] = {}
        for v in self.g.roots:
            roots[v] = base(v)
        self.out_bufs = []
        self.var_reads = {
            n.attrs["var"]: n.outputs[0] for n in self.g.nodes() if n.op.name == "read"
        }
        self.commits: dict[Value, str] = {}
        for name, v in self.g.updates:
            b = roots[v]
            if b.node.op.name in ("fused", "random") or b.node.op.lower is not None:
                if b not in self.commits and same_type(b, v):
                    self.commits[b] = name
        for i, v in enumerate(self.g.outputs):
            buf = Buf("out", v.dtype, count(v), i)
            self.out_bufs.append(buf)
            b = roots[v]
            if (
                b.node.op.name not in ("input", "read", "constant")
                and b not in wanted
                and b not in self.commits
            ):
                wanted[b] = buf
                self.taken.add(i)

    def of(self, v: Value) -> Buf:
        v = base(v)
        buf = self.scope.buf.get(v)
        if buf is not None:
            return buf
        n = v.node
        if n.op.name == "input":
            buf = Buf("feed", v.dtype, count(v), n.attrs["index"], n.name)
        elif n.op.name == "read":
            buf = Buf("var", v.dtype, count(v), 0, n.attrs["var"])
        elif n.op.name == "constant":
            buf = Buf("const", v.dtype, count(v), 0, n.name, n.attrs["value"])
        else:
            buf = self.scope.wanted.get(v)
            if buf is None:
                made = n.attrs["body"].outputs[v.index].node if n.op.name == "fused" else n
                buf = self.temp(v.dtype, count(v), made.name)
        self.scope.buf[v] = buf
        return buf

    def temp(self, dtype: DType, n: Dim, name: str) -> Buf:
        buf = Buf("arena", dtype, n, len(self.arena), name)
        self.arena.append(buf)
        return buf

    def fresh_name(self, word: str) -> str:
        self.named += 1
        return f"{word}{self.named - 1}"

    # ------------------------------------------------------------- steps

    def node(self, n: Node) -> None:
        name = n.op.name
        if name in ("input", "read", "constant") or is_alias(n):
            return
        if name == "fused":
            self.fused(n)
        elif name == "while":
            self.loop(n)
        elif name == "cond":
            self.cond(n)
        elif n.op.lower is not None:
            self.structured(n)
        else:
            raise NotImplementedError(f"op {name} has no native form yet ({n.name})")

    def label(self, n: Node) -> str:
        body = n.attrs["body"].nodes()
        words = [
            m.op.name for m in body if m.op.name not in ("input", "constant", "cast", "identity")
        ]
        keep = list(dict.fromkeys(words))[:4]
        return "_".join(keep) or "copy"

    def fused(self, n: Node) -> None:
        body: Graph = n.attrs["body"]
        key = body_key(body)
        lowered = self.lowered.get(key)
        if lowered is None:
            name = f"k{len(self.lowered)}_{self.label(n)}"
            if convolution_of(body) is not None:
                lowered = lower_convolution(body, name)
            elif contraction_of(body) is not None:
                lowered = lower_contraction(body, name)
            elif reorder_of(body) is not None:
                lowered = lower_reorder(body, name)
            else:
                lowered = lower_body(body, name)
            self.lowered[key] = lowered
        outs = [self.of(v) for v in n.outputs]
        ins = [self.of(v) for v in n.inputs]
        binds: list[Buf] = []
        if isinstance(lowered, Contraction):
            c = lowered
            binds = [ins[c.a], ins[c.b], *outs, *[ins[i] for i in c.extra]]
            code = Code(c.kernel.name, c.kernel, c)
            self.steps.append(
                StepSpec(code, binds, n, [], outs, [ins[c.a], ins[c.b], *[ins[i] for i in c.extra]])
            )
            return
        temps = [self.temp(t, size, n.name) for t, size in lowered.temps]
        for t in temps:
            t.inner = True
        for part in lowered.parts:
            binds = []
            writes: list[Buf] = []
            reads: list[Buf] = []
            for p, (kind, i) in zip(part.kernel.params, part.bind, strict=True):
                buf = (
                    {"in": ins, "out": outs, "temp": temps}[kind][i]
                    if kind != "scratch"
                    else Buf("scratch", p.dtype, 0, 0, p.name, scratch_stride(p))
                )
                binds.append(buf)
                (reads if p.direction == "in" else writes).append(buf)
            self.steps.append(
                StepSpec(
                    Code(part.kernel.name, part.kernel),
                    binds,
                    n,
                    lowered.checks,
                    writes,
                    reads,
                    sizes=part.kernel.sizes,
                    attrs={**dict(n.attrs.get("offsets", ())), **part.numbers},
                    in_place=lowered.in_place,
                )
            )

    def structured(self, n: Node) -> None:
        """An op that builds its own kernels."""
        assert n.op.lower is not None
        before = len(self.steps)
        for v, out in begins_as(n):
            self.begin(n, v, out)
        if n.op.name == "array_set" and len(self.steps) == before and self.slot(n):
            return
        n.op.lower(n, Structured(self, n))
        if n.op.family == "random" and self.scope.graph is not self.g:
            self.steps.append(draw_step(n))

    def finish_outputs(self) -> list[Buf]:
        """Copies for results that live somewhere else (a variable, a feed, twice fetched).

        Those alone may move behind the commits: a copy in a branch has its place there.
        """
        made = len(self.steps)
        for i, v in enumerate(self.g.outputs):
            if i in self.taken:
                continue
            src = self.of(v)
            self.copy(src, self.out_bufs[i], v.node)
        self.last_copies = set(map(id, self.steps[made:]))
        return self.out_bufs

    def copy(self, src: Buf, dst: Buf, node: Node, commit: bool = False) -> None:
        self.steps.append(copy_step(src, dst, node, commit))

    def finish_updates(self) -> None:
        """Every update reaches its variable: in place, or in a second array, or by a copy."""
        self.late: list[tuple[Buf, Buf, Node]] = []  # copies at the very end
        self.flips: list[StepSpec] = []
        self.moves: dict[Buf, Buf] = {}  # from temporary memory to second arrays
        self.bounds = Bounds(self.steps, self.of, self.commits) if self.guarded else None
        in_place = self.choose_in_place()
        for name, v in self.g.updates:
            b = base(v)
            target = Buf("var", v.dtype, count(v), 1, name)  # 1: its storage after the run
            if b in in_place and self.commits[b] == name:
                self.redirect(b, target)
            else:
                self.update_late(v, target)
        if self.bounds is not None:
            self.finish_guard(self.bounds)
        for src, target, node in self.late:
            self.copy(src, target, node, commit=True)
        for s in self.steps if self.moves else ():
            for buf in {b for b in s.binds if b in self.moves}:
                s.replace(buf, self.moves[buf])
        self.steps += self.flips

    def finish_guard(self, bounds: Bounds) -> None:
        """What must hold for what is written in place, and steps that look at what is fed."""
        guard, feeds = bounds.guard(self.steps)
        if guard.leaves:
            self.guard = guard
            node = next(s.node for s in self.steps if s.commit)
            looks = [look_step(b, self.temp(b.dtype, 1, b.name), node) for b in feeds]
            guard.reads.update(s.binds[1] for s in looks)
            self.steps = [*looks, *self.steps]

    def choose_in_place(self) -> set[Value]:
        """The new values of variables that their kernels may write to the variables."""
        in_place = set(self.commits)
        self.written: dict[Buf, list[int]] = {}
        for i, s in enumerate(self.steps):
            for buf in s.writes:
                self.written.setdefault(buf, []).append(i)
        self.changed: dict[Value, list[StepSpec]] = {}
        self.news = Counter(base(v) for _, v in self.g.updates)  # of how many variables
        self.obstacle: dict[Value, str] = {}
        for v in self.commits:
            word = self.commit_obstacle(v)
            if word:
                in_place.discard(v)
                self.obstacle[v] = word
        self.obstacle.update((v, "circle") for v in self.break_cycles(in_place))
        return in_place

    def update_late(self, v: Value, target: Buf) -> None:
        """A new value of a variable that its kernel may not write there."""
        b, name = base(v), target.name
        src = self.of(v)
        src = self.moves.get(src, src)
        if self.beside and self.make_beside(src, target, b):
            return
        changes = any(src.name == u for u, _ in self.g.updates)
        if src.kind == "var" and not src.index and changes and src.name != name:
            t = self.temp(v.dtype, count(v), name)
            self.copy(src, t, v.node)
            src = t
        if not (src.kind == "var" and src.name == name):
            self.late.append((src, target, v.node))
            word = self.obstacle[b] if self.commits.get(b) == name else "elsewhere"
            self.say_late(word, name, b)

    def make_beside(self, src: Buf, target: Buf, v: Value) -> bool:
        """Let what makes `src` write a large variable's second array, if nothing else does."""
        n = src.count
        if src.kind != "arena" or not isinstance(n, int) or n * src.dtype.size < LARGE:
            return False
        if src.dtype is not target.dtype or n != target.count:
            return False
        self.moves[src] = new = Buf("var", src.dtype, n, NEW, target.name)
        self.flips.append(flip_step(new, v.node))
        return True

    def break_cycles(self, in_place: set[Value]) -> list[Value]:
        """Take away from `in_place` what closes a circle, and return it.

        Each step there reads a variable's old value, which the next one writes; a copy at the end
        of the run writes it instead.
        """
        made = {id(b): step for step in self.steps for b in step.writes}
        maker = {v: made[id(self.scope.buf[v])] for v in self.commits if v in in_place}
        readers: dict[str, list[Value]] = {}  # of each variable, among those that write in place
        reads: dict[Value, set[str]] = {}
        for v, step in maker.items():
            reads[v] = {b.name for b in step.reads if b.kind == "var"}
            for name in sorted(reads[v]):
                readers.setdefault(name, []).append(v)
        waits = {
            v: sum(maker[o] is not step for o in readers.get(self.commits[v], ()))
            for v, step in maker.items()
        }
        writers = {self.commits[v]: v for v in maker}
        ready = [v for v, n in waits.items() if not n]
        left = dict.fromkeys(maker)
        taken: list[Value] = []
        while left:
            v = ready.pop() if ready else next(reversed(left))
            if v not in left:
                continue
            del left[v]
            if waits[v]:
                in_place.discard(v)
                taken.append(v)
            for name in sorted(reads[v]):
                w = writers.get(name)
                if w is not None and maker[w] is not maker[v]:
                    waits[w] -= 1
                    if not waits[w]:
                        ready.append(w)
        return taken

    def redirect(self, v: Value, target: Buf) -> None:
        """Let the kernels that make `v` write the variable itself."""
        old = self.scope.buf[v]
        if v in self.changed:  # the variable is there: what changes parts of it needs no copy
            copy = self.changed[v][0]
            self.steps = [s for s in self.steps if s is not copy]
        for s in self.steps:
            if old in s.writes:
                s.commit = True
            s.replace(old, target)
        self.scope.buf[v] = target

    def commit_obstacle(self, v: Value) -> str:
        """What keeps the step that makes `v` from writing its variable, as the run ends.

        A word of `LATE`; "" where it may.
        """
        buf = self.scope.buf.get(v)
        name = self.commits[v]
        if buf is None or buf.kind != "arena":
            return "elsewhere"
        if self.news[v] > 1:
            return "elsewhere"
        makers = self.written[buf]
        parts = self.changes_parts([self.steps[i] for i in makers], v)
        if len(makers) != 1 and not parts:
            return "several"
        at = makers[-1]
        step = self.steps[at]
        if step.checks:
            return "checks"
        if self.revocable and not (self.bounds is not None and self.bounds.holds(step)):
            return "revocable"
        # run later it would read what takes the memory of its operands over, or write over it
        if any(self.written.get(b, [0])[-1] > at for b in step.reads):
            return "several"
        if not parts and any(len(self.written[b]) > 1 for b in step.writes):
            return "several"
        if parts:
            self.changed[v] = parts
        # nothing but results may follow: what reads this step's outputs must itself be final
        outs = set(map(id, step.writes))
        for s in self.steps:
            if (
                s is not step
                and s not in parts
                and any(id(b) in outs for b in s.reads)
                and id(s) not in self.last_copies
            ):
                return "read"
        # inside the step the old value is read only at the place that is written
        return "" if self.reads_in_place(step, name, v) else "places"

    def changes_parts(self, makers: list[StepSpec], v: Value) -> list[StepSpec]:
        """`makers`, if they are a copy of the old value of the variable, then changes of the copy.

        Each of these is one step that changes parts of it and cannot fail (`replaces`); operands of
        all are made elsewhere, so that the steps may run at the end, on the variable itself.
        """
        read = self.var_reads.get(self.commits[v])
        old = None if read is None else self.scope.buf.get(read)
        buf = self.scope.buf[v]
        if len(makers) < 2 or makers[0].binds != [old, buf] or makers[0].code.name != "copy":
            return []
        nodes: list[Node] = []
        at = v
        while at is not read and "replaces" in at.node.op.facts:
            nodes.insert(0, at.node)
            at = base(at.node.inputs[at.node.op.facts["replaces"]])
        if at is not read or [s.node for s in makers] != [nodes[0], *nodes]:
            return []  # steps of a loop, for one
        for s in makers[1:]:
            operands = [b for b in s.reads if b is not buf]
            if s.checks or s.writes != [buf]:
                return []
            if any(b.kind == "var" for b in operands) and (len(makers) > 2 or old in operands):
                return []
            if any(len(self.written.get(b, ())) > 1 for b in operands):
                return []
        return makers

    def say_late(self, word: str, name: str, v: Value) -> None:
        """Write down why an update is not written in place, for whoever asks."""
        if self.journal is not None:
            text, remedy = LATE[word]
            self.journal.because(
                "buffer", (v.node,),
                f"the new value of the variable {name!r} is made in memory of its own and copied as"
                f" the run ends: {text}",
                remedy.format(name=repr(name)),
            )  # fmt: skip

    def reads_in_place(self, step: StepSpec, name: str, v: Value) -> bool:
        read = self.var_reads.get(name)
        if read is None:
            return True
        old = self.scope.buf.get(read)
        if old is None or old not in step.reads:
            return True
        if read.static_shape != v.static_shape:
            return False
        return self.reads_where_written(step, old, self.of(v))

    def reads_where_written(self, step: StepSpec, old: Buf, new: Buf) -> bool:
        c = step.code.contraction
        if c is not None:
            return old is not step.binds[0] and old is not step.binds[1]
        ins = [i for i, x in enumerate(step.node.inputs) if self.of(x) is old]
        outs = [j for j, x in enumerate(step.node.outputs) if self.of(x) is new]
        return all((i, j) in step.in_place for i in ins for j in outs)

    # ------------------------------------------------------------- order and lifetimes

    def order(self) -> None:
        """Steps that cannot be undone come last; copies of committed values after them."""
        commits = [s for s in self.steps if s.commit]
        if not commits:
            return
        written = {id(b) for s in commits for b in s.writes}
        names = {b.name for s in commits for b in s.writes if b.kind == "var"}
        after = [
            s for s in self.steps
            if id(s) in self.last_copies and any(id(b) in written for b in s.reads)
        ]  # fmt: skip
        late = set(map(id, after))
        first = [s for s in self.steps if not s.commit and id(s) not in late]
        self.steps = first + self.commit_order(commits, names) + after

    @staticmethod
    def commit_order(commits: list[StepSpec], names: set[str]) -> list[StepSpec]:
        """Commits in an order in which none overtakes another that reads the old value."""
        out: list[StepSpec] = []
        left = list(commits)
        while left:
            for s in left:
                mine = {b.name for b in s.writes if b.kind == "var"}
                if not any(
                    o is not s
                    and any(b.kind == "var" and not b.index and b.name in mine for b in o.reads)
                    for o in left
                ):
                    break
            else:
                s = left[0]
            left.remove(s)
            out.append(s)
        return out

    def ahead(self) -> None:
        """Products in loops whose right operand stays the same have it packed before the loop."""
        at = {id(s): i for i, s in enumerate(self.steps)}
        for again, done in self.loops:  # outer loops first
            inside = self.steps[at[id(again)] : at[id(done)]]
            written = {b for s in inside for b in s.writes}
            for s in inside:
                con = s.code.contraction
                if con is not None and s.ahead is None and con.batch == 1:
                    if s.binds[1] not in written:
                        s.ahead = again, done


class Structured:
    """What an op's own lowering builds with: buffers of its operands and results, and steps."""

    def __init__(self, planner: _Planner, node: Node) -> None:
        self.planner = planner
        self.node = node

    def input(self, i: int) -> Buf:
        return self.planner.of(self.node.inputs[i])

    def output(self, i: int = 0) -> Buf:
        return self.planner.of(self.node.outputs[i])

    def temp(self, dtype: DType, n: Dim) -> Buf:
        made = self.planner.temp(dtype, n, self.node.name)
        made.inner = True
        return made

    def step(
        self,
        kernel: Kernel,
        binds: Sequence[Buf],
        checks: Sequence[str] = (),
        native: Any = None,
        **attrs: Any,
    ) -> None:
        """Run `kernel` on buffers, in the order of its parameters."""
        reads: list[Buf] = []
        writes: list[Buf] = []
        for p, b in zip(kernel.params, binds, strict=True):
            (reads if p.direction == "in" else writes).append(b)
            if p.direction == "inout":
                reads.append(b)
        self.planner.steps.append(
            StepSpec(Code(kernel.name, kernel, None, native), list(binds), self.node,
                     [(0, m) for m in checks], writes, reads, sizes=kernel.sizes, attrs=attrs)
        )  # fmt: skip

    def hold(self, buffer: Buf) -> None:
        """The buffer is in use from here on: a loop behind may write it in parts."""
        self.planner.steps.append(label_step(self.node))
        self.planner.steps[-1].binds = [buffer]

    def scratch(self, stride: Dim, dtype: DType) -> Buf:
        return Buf("scratch", dtype, 0, 0, "scratch", stride)

    def counters(self, stream: int) -> Buf:
        return Buf("counters", int64, 1, stream)


def draw_step(n: Node) -> StepSpec:
    """What a random op in a loop leaves to its next turn: the number of blocks drawn before."""
    b = KernelBuilder("draw")
    size = D.Expr.symbol("n")
    state = b.inout("state", int64, (3,))
    b.store(state, (0,), b.let("add", b.load(state, (0,)), b.index(size)))
    buf = Buf("counters", int64, 1, n.attrs["stream"])
    drawn = {"n": reserved(n)}
    return StepSpec(
        Code("draw", b.build()), [buf], n, [], [buf], [buf], sizes=(Symbol("n"),), attrs=drawn
    )


def make_plan(
    g: Graph, revocable: bool = False, beside: bool = False, guarded: bool = False,
    kept: bool = False,
) -> Plan:  # fmt: skip
    """The plan of a fused graph.

    With `revocable` no variable changes before all is computed; with `beside` new values of large
    variables are not copied then, but made where the variable will be (`graphc.runtime.swap`). With
    `guarded` those that cannot fail are written in place (`graphc.runtime.bounds`). With `kept`
    what is made of variables alone is kept between runs (`graphc.runtime.kept`).
    """
    return _Planner(g, revocable, beside, guarded, kept).run()
