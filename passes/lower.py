"""A fused node becomes loops: one kernel, or two where a whole reduction is split.

Every value of the body is computed at the point of the iteration space where it is needed:
the iteration space is the group's full shape, and each value knows which of its axes runs
along which axis of that space. Reductions are stages; a value that two stages need and that
is costly is kept in a scratch row. Axes that no access tells apart are merged into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphc.errors import CompileError, InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Shape, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Buffer, Kernel, KernelBuilder, Literal, Operand, ReduceScope, lit
from graphc.ir.kernel import Value as KValue
from graphc.ir.node import Node, Value
from graphc.passes.fuse import (
    is_contraction,
    is_reduction,
    is_view,
    largest_part,
    reduction_axes,
    same_shape,
)  # fmt: skip

__all__ = ["Lowered", "Part", "Scalar", "check_operands", "lower_body"]

#: Elements of a unit of a whole reduction that is split over units.
CHUNK = 16384
#: A reduction to few rows is split when it has at least this many elements.
SPLIT = 65536
#: Rows of a unit of a column reduction that streams rows: 8 sums of trees of 8 rows, so that
#: with the compensated sum of the units' partial rows no sum of n exceeds (4 + 2 log2 n) eps.
ROWS = 64
#: Columns of a unit of a column reduction: a partial row that stays in the first-level cache.
COLUMNS = 4096
#: From this many rows on a column reduction streams rows; below, columns are the units.
STREAM = 512
#: A result this large leaves the cache before anyone reads it: it is stored past the cache.
STREAM_BYTES = 1 << 24
#: Ops worth keeping in a scratch row rather than computing twice.
COSTLY = frozenset(
    "exp expm1 log log1p tanh sigmoid softplus erf erfc sin cos tan pow rsqrt sqrt divide"
    " truediv lgamma elu selu atan asin acos sinh cosh".split()
)

#: Reductions that may be taken in any order, and the op that combines two.
TREES = {
    "sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum",
    "any": "logical_or", "all": "logical_and",
}  # fmt: skip

_BEYOND = {"max": "greater", "min": "less"}

Axes = tuple["int | None", ...]


@dataclass
class Part:
    """One kernel of a lowered body, with what each buffer is bound to.

    ``bind`` lists, for each parameter of the kernel, ``("in", i)``, ``("out", i)``,
    ``("temp", i)`` or ``("scratch", 0)``.
    """

    kernel: Kernel
    bind: list[tuple[str, int]]


@dataclass
class Lowered:
    """Kernels of a body in order, the buffers between them, and what their checks mean.

    Attributes
    ----------
    temps : list of (dtype, element count)
    checks : list of (body node number, message)
        Code ``i + 1`` of a kernel is entry ``i``.
    in_place : set of (input number, output number)
        Pairs that may share memory: each element is read only where, and before, it is written.
    """

    parts: list[Part] = field(default_factory=list)
    temps: list[tuple[DType, Dim]] = field(default_factory=list)
    checks: list[tuple[int, str]] = field(default_factory=list)
    in_place: set[tuple[int, int]] = field(default_factory=set)


def lower_body(body: Graph, name: str) -> Lowered:
    """The kernels that compute ``body.outputs`` from ``body.inputs``."""
    return _Lower(body, name).run()


class _Lower:
    """Lowers one body. `at` is the current index of each axis of the iteration space."""

    def __init__(self, body: Graph, name: str) -> None:
        self.body = body
        self.name = name
        self.nodes = [n for n in body.nodes() if n.op.name not in ("input", "constant")]
        self.params = {v: i for i, v in enumerate(body.inputs)}
        self.number = {n: i for i, n in enumerate(self.nodes)}
        self.result = Lowered()
        self.reductions = [n for n in self.nodes if is_reduction(n)]
        self.joint: Value | None = None  # a concat among the results
        self.depths: dict[Node, int] | None = None
        #: Full-size results by the stage in whose loop they are written.
        self.early: dict[int, list[tuple[int, Value, Axes]]] = {}
        self.analyse()

    # ---------------------------------------------------------------- iteration space

    def analyse(self) -> None:
        outs = self.body.outputs
        if self.reductions:
            full = self.reductions[0].inputs[0].static_shape
            self.reduced: tuple[int, ...] = reduction_axes(self.reductions[0])
        else:
            self.joint = next((v for v in outs if self.is_joint(v)), None)
            full = outs[0].static_shape if self.joint is None else largest_part(self.joint.node)
            self.reduced = ()
        assert full is not None
        self.full: Shape = full
        self.kept = tuple(a for a in range(len(full)) if a not in self.reduced)
        self.accesses: dict[tuple[Value, Axes], None] = {}
        self.out_axes = [
            tuple(range(len(full))) if v is self.joint else self.axes_of_output(v) for v in outs
        ]
        self.views = any(is_view(n) for n in self.nodes)
        seen: set[tuple[Value, Axes]] = set()
        stack = list(zip(outs, self.out_axes, strict=True))
        while stack:
            v, axes = stack.pop()
            if (v, axes) in seen:
                continue
            seen.add((v, axes))
            if v in self.params:
                self.accesses[v, axes] = None
                continue
            n = v.node
            if n.op.name == "constant" or is_view(n):
                continue
            stack += [(x, self.operand_axes(n, x, axes)) for x in n.inputs]
        self.merge_axes()

    def is_joint(self, v: Value) -> bool:
        """Whether `v` is a concat that nothing here reads, beside results of its parts' shape."""
        part = largest_part(v.node)
        return (
            part is not None
            and not any(v in n.inputs for n in self.nodes)
            and all(o is v or same_shape(o.static_shape, part) for o in self.body.outputs)
        )

    def axes_of_output(self, v: Value) -> Axes:
        s = v.static_shape
        assert s is not None
        if len(s) == len(self.full) and (not self.reduced or not self.is_row(v)):
            return tuple(range(len(s)))
        if len(s) == len(self.full):
            return tuple(None if a in self.reduced else a for a in range(len(s)))
        if len(s) == len(self.kept):
            return self.kept
        raise CompileError(f"{v!r} has no place in the iteration space {self.full}")

    def is_row(self, v: Value) -> bool:
        """Whether `v`, of full rank, holds one number a row (its reduced axes are 1)."""
        s = v.static_shape
        assert s is not None
        return all(s[a] == 1 for a in self.reduced) and any(self.full[a] != 1 for a in self.reduced)

    def operand_axes(self, n: Node, x: Value, axes: Axes) -> Axes:
        """Where the axes of operand `x` run, when the result of `n` runs along `axes`."""
        s = x.static_shape
        assert s is not None
        if is_reduction(n):
            return tuple(range(len(self.full)))
        pad = len(axes) - len(s)
        if pad < 0:
            raise CompileError(f"{n!r}: operand {x!r} has more axes than the result")
        out = n.outputs[0].static_shape
        assert out is not None
        return tuple(
            None if axes[pad + i] is None or D.repeats(d, out[pad + i]) else axes[pad + i]
            for i, d in enumerate(s)
        )

    def merge_axes(self) -> None:
        """Join neighbouring axes that every access passes through together."""
        rank = len(self.full)
        self.groups: list[list[int]] = [[a] for a in range(rank)]
        if self.views:
            pass
        else:
            joined = [False] * rank  # axis a+1 continues axis a
            for a in range(rank - 1):
                if (a in self.reduced) != (a + 1 in self.reduced):
                    continue
                joined[a] = all(self.joins(axes, a) for _, axes in self.accesses) and all(
                    self.joins(axes, a) for axes in self.out_axes
                )
            self.groups = []
            for a in range(rank):
                if a and joined[a - 1]:
                    self.groups[-1].append(a)
                else:
                    self.groups.append([a])
        self.extent: list[Dim] = [D.product(self.full[a] for a in g) for g in self.groups]
        self.of = {a: i for i, g in enumerate(self.groups) for a in g}
        self.space_reduced = [g[0] in self.reduced for g in self.groups]
        # axes of one element need no loop
        self.live = [e != 1 for e in self.extent]

    @staticmethod
    def joins(axes: Axes, a: int) -> bool:
        has, nxt = a in axes, a + 1 in axes
        if not has and not nxt:
            return True
        return has and nxt and axes.index(a + 1) == axes.index(a) + 1

    def space_axes(self, axes: Axes) -> tuple[int, ...]:
        """`axes` of the full shape as merged axes, those of size one left out."""
        out: list[int] = []
        for a in axes:
            if a is not None:
                g = self.of[a]
                if (not out or out[-1] != g) and self.live[g]:
                    out.append(g)
        return tuple(out)

    # ---------------------------------------------------------------- kernels

    def run(self) -> Lowered:
        if any(is_contraction(n) for n in self.nodes):
            raise CompileError("contractions are lowered by passes.contract")
        if self.splits():
            self.split()
        else:
            self.whole()
            self.find_in_place()
        return self.result

    def find_in_place(self) -> None:
        """Inputs read at exactly the places where an output is written."""
        rows_only = self.reductions and not any(
            set(self.inner).intersection(self.space_axes(a)) for a in self.out_axes
        )
        if self.joint is not None or (self.reductions and (self.views or not rows_only)):
            return
        elsewhere = self.read_elsewhere()
        for v, i in self.params.items():
            if v in elsewhere:
                continue
            read = {axes for p, axes in self.accesses if p is v}
            users = self.outputs_of(v) if self.views or self.reductions else []
            for j, axes in enumerate(self.out_axes):
                if read != {axes} or v.dtype is not self.body.outputs[j].dtype:
                    continue
                # results are stored one after the other: no later one may still have to read it
                known = not self.reductions and any(k <= j for k in users)
                if known or not any(k > j for k in users):
                    self.result.in_place.add((i, j))

    def outputs_of(self, v: Value) -> list[int]:
        """The results that are made of `v`."""
        made = {v}
        for n in self.nodes:
            if not made.isdisjoint(n.inputs):
                made.update(n.outputs)
        return [j for j, o in enumerate(self.body.outputs) if o in made]

    def read_elsewhere(self) -> set[Value]:
        """Values that are read through index maps, at other places than the one at hand."""
        stack = [v for n in self.nodes if is_view(n) for v in n.inputs]
        out: set[Value] = set()
        while stack:
            v = stack.pop()
            if v not in out:
                out.add(v)
                stack += v.node.inputs
        return out

    def splits(self) -> bool:
        """Whether all that happens is one stage of reductions over everything."""
        f = D.facts()
        kept = [i for i, r in enumerate(self.space_reduced) if not r and self.live[i]]
        if self.views or kept or not self.reductions or f is None or True not in self.live:
            return False
        if self.stages()[1] or any(n.op.combine in ("argmax", "argmin") for n in self.reductions):
            return False
        if any(self.depth(v) for v, a in zip(self.body.outputs, self.out_axes, strict=True)
               if self.space_axes(a)):  # fmt: skip
            return False
        return f.value(D.product(self.extent)) >= SPLIT

    def stages(self) -> tuple[dict[Node, int], bool]:
        """For each reduction the stage in which it is known; and whether there is more than one."""
        depth: dict[Node, int] = {}
        for n in self.nodes:
            d = max((depth.get(x.node, 0) for x in n.inputs), default=0)
            depth[n] = d + 1 if is_reduction(n) else d
        stages = {n: depth[n] for n in self.reductions}
        return stages, len(set(stages.values())) > 1

    def start(self, name: str) -> None:
        self.k = KernelBuilder(name, reserved=symbols_of(self.body))
        self.bind: list[tuple[str, int]] = []
        self.buffers: dict[tuple[str, int, tuple[int, ...]], Buffer] = {}
        self.at: dict[int, Dim] = {}
        self.memo: list[dict[Any, Operand]] = [{}]
        self.mask: Operand | None = None  # where what is being computed is read at all
        self.kept_rows: dict[Value, Buffer] = {}  # scratch rows of costly values
        self.storing: set[Value] = set()  # rows being written in this pass
        self.stored: set[Value] = set()  # rows that earlier passes have written

    def finish(self) -> None:
        self.result.parts.append(Part(self.k.build(), self.bind))

    def buffer(self, kind: str, i: int, v: Value, axes: Axes) -> tuple[Buffer, tuple[Dim, ...]]:
        """The buffer of a parameter as this access sees it, and the index of the current point."""
        sp = self.space_axes(axes)
        key = (kind, i, sp)
        b = self.buffers.get(key)
        if b is None:
            shape = tuple(self.extent[a] for a in sp)
            direction = "in" if kind == "in" else "out"
            b = self.k.param(self.label(v, kind), v.dtype, shape, direction)
            self.buffers[key] = b
            self.bind.append((kind, i))
        return b, tuple(self.at[a] for a in sp)

    def label(self, v: Value, kind: str) -> str:
        prefix = "y" if kind == "out" else "t" if kind == "temp" else "x"
        return f"{prefix}{len(self.bind)}"

    # -- without splitting

    def whole(self) -> None:
        self.start(self.name)
        live = [i for i in range(len(self.groups)) if self.live[i]]
        for i in range(len(self.groups)):
            if not self.live[i]:
                self.at[i] = 0
        kept = [i for i in live if not self.space_reduced[i]]
        self.inner = [i for i in live if self.space_reduced[i]]
        if not self.reductions:
            self.pointwise(kept)
        elif not kept:
            self.row_body()
        elif self.inner and self.inner[-1] > kept[-1]:
            self.nest(
                [("parallel" if j == 0 else "for", i) for j, i in enumerate(kept)], self.row_body
            )
        elif self.streams(kept):
            self.stream_rows(kept[0])
            return
        elif len(kept) == 1:
            # a strip of columns wide enough for whole cache lines and narrow enough for threads
            block = COLUMNS if self.value_of(self.inner) < 16 else 256
            with self.k.loop("parallel vector", "j", self.extent[kept[0]], block=block) as var:
                self.at[kept[0]] = var
                self.memo.append({})
                self.row_body()
                self.memo.pop()
        else:
            self.nest(self.kinds(kept), self.row_body)
        self.finish()

    def value_of(self, axes: Sequence[int]) -> int:
        """How many elements there are along `axes` in the run at hand: for choices of speed."""
        f, n = D.facts(), D.product(self.extent[i] for i in axes)
        return f.value(n) if f is not None else n if type(n) is int else STREAM

    @staticmethod
    def kinds(axes: Sequence[int]) -> list[tuple[str, int]]:
        if len(axes) == 1:
            return [("parallel vector", axes[0])]
        return [
            ("parallel" if j == 0 else "vector" if j == len(axes) - 1 else "for", i)
            for j, i in enumerate(axes)
        ]

    def nest(self, loops: Sequence[tuple[str, int]], body: Any) -> None:
        if not loops:
            body()
            return
        kind, axis = loops[0]
        with self.k.loop(kind, "ijklmnop"[axis % 8], self.extent[axis]) as var:
            self.at[axis] = var
            self.memo.append({})
            self.nest(loops[1:], body)
            self.memo.pop()

    def pointwise(self, axes: list[int]) -> None:
        if self.joint is not None:
            self.parts(self.joint)
            return
        self.nest(self.kinds(axes), self.store_outputs)

    def store_outputs(self) -> None:
        self.sweep([v for v in self.body.outputs])
        for i, (v, axes) in enumerate(zip(self.body.outputs, self.out_axes, strict=True)):
            self.store_output(i, v, axes)

    def parts(self, joined: Value) -> None:
        """A concat: what its operands are made of goes straight to their places in the result.

        Operands of the largest shape share a loop, with all other results; each of the others
        has its own. The first axis, which is the same for all, is parallel.
        """
        n = joined.node
        rank = len(self.full)
        axis = n.attrs["axis"] % rank
        shape = joined.static_shape
        assert shape is not None
        number = self.body.outputs.index(joined)
        main: list[tuple[Value, Dim]] = []
        others: list[tuple[Value, Dim]] = []
        offset: Dim = 0
        for v in n.inputs:
            s = v.static_shape
            assert s is not None
            (main if same_shape(s, self.full) else others).append((v, offset))
            offset = offset + s[axis]
        out = self.k.output(self.label(joined, "out"), joined.dtype, shape)
        self.bind.append(("out", number))

        def put(v: Value, start: Dim, x: Operand) -> None:
            at = [self.at[i] + start if i == axis else self.at[i] for i in range(rank)]
            self.k.store(out, at, x)

        def together() -> None:
            for i, (v, axes) in enumerate(zip(self.body.outputs, self.out_axes, strict=True)):
                if v is not joined:
                    self.store_output(i, v, axes)
            for v, start in main:
                put(v, start, self.value(v, tuple(range(rank))))

        def loops(sizes: Sequence[Dim], i: int, body: Any) -> None:
            if i == rank:
                body()
                return
            kind = "vector" if i == rank - 1 else "for"
            with self.k.loop(kind, "ijklmnop"[i % 8], sizes[i]) as j:
                self.at[i] = j
                self.memo.append({})
                loops(sizes, i + 1, body)
                self.memo.pop()

        with self.k.loop("parallel", "i", self.full[0]) as i:
            self.at[0] = i
            self.memo.append({})
            loops(self.full, 1, together)
            for v, start in others:
                s = v.static_shape
                assert s is not None

                def alone(v: Value = v, start: Dim = start) -> None:
                    put(v, start, self.read(v, tuple(self.at[a] for a in range(rank)), None, 0))

                loops(s, 1, alone)
            self.memo.pop()

    def sweep(self, roots: Sequence[Value]) -> None:
        """Compute, in order, what `roots` need at the current point (so that no chain recurses)."""
        if self.views:
            return
        want: dict[Value, Axes] = {}
        for v in roots:
            j = self.body.outputs.index(v) if v in self.body.outputs else -1
            want[v] = self.out_axes[j] if j >= 0 else tuple(range(len(self.full)))
        order: list[tuple[Value, Axes]] = []
        seen: set[tuple[Value, Axes]] = set()
        stack = list(want.items())
        while stack:
            v, axes = stack.pop()
            if (v, axes) in seen or v in self.params or self.found(v, axes) is not None:
                continue
            seen.add((v, axes))
            order.append((v, axes))
            if not is_reduction(v.node) and v not in self.stored:
                stack += [(x, self.operand_axes(v.node, x, axes)) for x in v.node.inputs]
        for v, axes in sorted(order, key=lambda p: p[0].node.id):
            self.value(v, axes)

    # -- rows

    def row_body(self) -> None:
        """All stages of one row (or of one column, or of everything), then the results."""
        stages, _ = self.stages()
        numbers = sorted(set(stages.values()))
        phases = [[n.inputs[0] for n in self.reductions if stages[n] == s] for s in numbers]
        last: list[tuple[int, Value, Axes]] = []
        self.place_outputs()
        for s, phase in zip(numbers, phases, strict=True):
            phase += [v for _, v, _ in self.early.get(s, ())]
        last = self.early.get(numbers[-1] + 1, [])
        self.choose_kept([*phases, [v for _, v, _ in last]])
        for stage in numbers:
            nodes = [n for n in self.reductions if stages[n] == stage]
            for i, part in enumerate(self.apart(nodes, bool(self.early.get(stage)))):
                self.stage(part, stage if i == 0 else -1)
            self.stored |= self.storing
        self.store_rows()
        if last:
            self.final_loop(last)

    def apart(self, nodes: list[Node], together: bool) -> list[list[Node]]:
        """Reductions of one stage that read different memory run one after the other.

        One loop over many arrays would need a register for each and read all of them at once.
        """
        if together or len(nodes) < 2:
            return [nodes]
        parts: list[tuple[set[Value], list[Node]]] = []
        for n in nodes:
            reads: set[Value] = set()
            for v in self.needed([n.inputs[0]]) or [n.inputs[0]]:
                reads |= {x for x in (*v.node.inputs, v) if self.is_full(x)}
            reads = {v for v in reads if v in self.params or is_reduction(v.node)} or reads
            same = [p for p in parts if not p[0].isdisjoint(reads)]
            parts = [p for p in parts if p[0].isdisjoint(reads)]
            for p in same:
                reads |= p[0]
            parts.append((reads, [m for p in same for m in p[1]] + [n]))
        return [sorted(p[1], key=self.number.__getitem__) for p in parts]

    def is_full(self, v: Value) -> bool:
        s = v.static_shape
        return s is not None and same_shape(s, self.full)

    def place_outputs(self) -> None:
        """Full-size results are written in the first loop over the row in which they are known."""
        self.early.clear()
        inner = set(self.inner)
        for i, (v, axes) in enumerate(zip(self.body.outputs, self.out_axes, strict=True)):
            if inner.intersection(self.space_axes(axes)):
                self.early.setdefault(self.depth(v) + 1, []).append((i, v, axes))

    def store_rows(self) -> None:
        """The results of one number a row."""
        inner = set(self.inner)
        for i, (v, axes) in enumerate(zip(self.body.outputs, self.out_axes, strict=True)):
            if not inner.intersection(self.space_axes(axes)):
                self.store_output(i, v, axes)

    def store_output(self, i: int, v: Value, axes: Axes) -> None:
        x = self.value(v, axes)
        buf, index = self.buffer("out", i, v, axes)
        f, n = D.facts(), D.product(v.static_shape or ())
        large = (f.value(n) if f is not None else 0) * v.dtype.size >= STREAM_BYTES
        reader, self.k.node = self.k.node, v.node
        self.k.store(buf, index, self.operand(x, v.dtype), stream=large)
        self.k.node = reader

    def choose_kept(self, phases: list[list[Value]]) -> None:
        """Costly values that two passes over the row need: computed once, kept in a scratch row."""
        self.stored.clear()
        self.storing.clear()
        if self.row_vector() is None or len(self.inner) != 1:
            return
        needs = [self.needed(p) for p in phases]
        for v in dict.fromkeys(v for need in needs for v in need):
            uses = [need for need in needs if v in need]
            if len(uses) < 2 or v.node.op.name not in COSTLY or v in self.kept_rows:
                continue
            if all(
                any(u in self.kept_rows and v in self.needed([u]) for u in need) for need in uses
            ):
                continue
            b = self.k.scratch(f"s{len(self.bind)}", v.dtype, (self.extent[self.inner[0]],))
            self.bind.append(("scratch", 0))
            self.kept_rows[v] = b

    def needed(self, roots: Sequence[Value]) -> dict[Value, None]:
        """Full-size values that `roots` are made of, users before operands, stages apart."""
        out: dict[Value, None] = {}
        stack = list(roots)
        while stack:
            v = stack.pop()
            if v in out or v in self.params or v.node.op.name == "constant" or is_reduction(v.node):
                continue
            s = v.static_shape
            if s is None or len(s) != len(self.full) or self.is_row(v):
                continue
            out[v] = None
            stack += v.node.inputs
        return dict(sorted(out.items(), key=lambda t: -t[0].node.id))

    def final_loop(self, full: list[tuple[int, Value, Axes]]) -> None:
        def body() -> None:
            self.sweep([v for _, v, _ in full])
            for i, v, axes in full:
                self.store_output(i, v, axes)

        vector = self.row_vector()
        self.nest([("vector" if i == vector else "for", i) for i in self.inner], body)

    def row_vector(self) -> int | None:
        """The reduced axis along which lanes run: the last of the space, else none."""
        kept = [i for i in range(len(self.groups)) if self.live[i] and not self.space_reduced[i]]
        if self.inner and (not kept or self.inner[-1] > kept[-1]):
            return self.inner[-1]
        return None

    def stage(self, nodes: list[Node], number: int) -> None:
        """Loop over the row once for the reductions `nodes`, which need earlier stages only."""
        operands = [n.inputs[0] for n in nodes]
        kinds = [n.op.combine or "" for n in nodes]
        with self.k.of(nodes[0]):
            results = self.reduce(kinds, operands, self.inner, number)
        for n, r in zip(nodes, results, strict=True):
            out = n.outputs[0]
            if r.dtype is not out.dtype:
                r = self.k.cast(r, out.dtype)
            self.memo[-1][out, "row"] = r

    def reduce(
        self,
        kinds: list[str],
        operands: list[Value],
        axes: list[int],
        stage: int,
        part: tuple[Dim, Dim] | None = None,
    ) -> list[Operand]:
        """Reduce along `axes`, of the first one only `part`: where it starts and how long it is."""
        for n in self.reductions:
            if (n.op.combine or "").startswith("arg"):
                self.not_empty(n)
        if not axes:  # every reduced axis has one element
            return [
                self.reduced_one(k, self.value(v, tuple(range(len(self.full)))))
                for k, v in zip(kinds, operands, strict=True)
            ]
        axis, rest = axes[0], axes[1:]
        kind = "vector" if axis == self.row_vector() else "for"
        start, count = part or (0, self.extent[axis])
        with self.k.reduce(kind, "ijklmnop"[axis % 8], count) as r:
            self.at[axis] = start + r.var
            self.memo.append({})
            if rest:
                inner = self.reduce(kinds, operands, rest, stage)
            else:
                inner = self.reduced_values(operands, stage)
            r.yields(*zip(kinds, inner, strict=True))
            self.memo.pop()
        return list(r.results)

    @staticmethod
    def not_empty(n: Node) -> None:
        """An index of the largest of no elements does not exist."""
        f = D.facts()
        shape = n.inputs[0].static_shape or ()
        if any(f is not None and f.equal(shape[a], 0) for a in reduction_axes(n)):
            sizes = ",".join(str(f.value(d) if f else d) for d in shape)
            raise InvalidArgumentError(
                None, n, f"Reduction axis {n.attrs.get('axis')} is empty in shape [{sizes}]"
            )

    def reduced_values(self, operands: list[Value], stage: int) -> list[Operand]:
        """The operands of a stage at this point of the row; writes the results known by now."""
        axes = tuple(range(len(self.full)))
        early = self.early.get(stage, [])
        self.sweep([*operands, *[v for _, v, _ in early]])
        out: list[Operand] = []
        for v in operands:
            x = self.operand(self.value(v, axes), v.dtype)
            wide = dtypes.float32 if v.dtype.code in ("f16", "bf16") else v.dtype
            out.append(self.k.cast(x, wide))
        for i, v, at in early:
            self.store_output(i, v, at)
        return out

    def reduced_one(self, kind: str, x: Operand) -> Operand:
        return lit(0, dtypes.int64) if kind.startswith("arg") else x

    # -- a whole reduction in two kernels

    def split(self) -> None:
        self.inner = [i for i in range(len(self.groups)) if self.live[i]]
        axis, rest = self.inner[0], self.inner[1:]
        n, each = self.extent[axis], D.product(self.extent[i] for i in rest)
        # whole rows of a broadcast shape: about CHUNK elements, 16 rows where their size is unknown
        chunk = max(1, CHUNK // each) if type(each) is int and each else 16 if rest else CHUNK
        chunks = D.ceildiv(n, chunk)
        self.start(self.name + "_part")
        for i in range(len(self.groups)):
            self.at[i] = 0
        kinds = [m.op.combine or "" for m in self.reductions]
        operands = [m.inputs[0] for m in self.reductions]
        partial: list[Operand] = []
        self.place_outputs()
        with self.k.loop("parallel", "c", chunks) as c:
            self.memo.append({})
            part = c * chunk, D.minimum(n - c * chunk, chunk)
            with self.k.of(self.reductions[0]):
                reduced = self.reduce(kinds, operands, self.inner, 1, part)
            for x in reduced:
                t = len(self.result.temps)
                self.result.temps.append((x.dtype, chunks))
                buf = self.k.output(f"p{t}", x.dtype, (chunks,))
                self.bind.append(("temp", t))
                self.k.store(buf, (c,), x)
                partial.append(x)
            self.memo.pop()
        self.finish()
        self.start(self.name)
        for i in range(len(self.groups)):
            self.at[i] = 0
        bufs = []
        for t, x in enumerate(partial):
            bufs.append(self.k.input(f"p{t}", x.dtype, (chunks,)))
            self.bind.append(("temp", t))
        with self.k.reduce("vector", "c", chunks) as r:
            r.yields(*zip(kinds, [self.k.load(b, (r.var,)) for b in bufs], strict=True))
        self.take(r)
        self.store_rows()
        self.finish()

    def take(self, r: ReduceScope) -> None:
        for m, x in zip(self.reductions, r.results, strict=True):
            out = m.outputs[0]
            self.memo[-1][out, "row"] = self.k.cast(x, out.dtype)

    # -- columns

    def streams(self, kept: Sequence[int]) -> bool:
        """Whether this is one stage of column sums over many rows: [rows, columns] -> [columns]."""
        if self.views or len(kept) != 1 or len(self.inner) != 1 or self.inner[0] > kept[0]:
            return False
        if any((n.op.combine or "") not in TREES for n in self.reductions):
            return False
        if len(self.reductions) > 4:  # 8 rows of each are code, and as many streams of memory
            return False
        full = [
            v for v, a in zip(self.body.outputs, self.out_axes, strict=True)
            if self.inner[0] in self.space_axes(a)
        ]  # fmt: skip
        return (
            not self.stages()[1]
            and not any(self.depth(v) for v in full)
            and self.value_of(self.inner) >= STREAM
        )

    def stream_rows(self, column: int) -> None:
        """Units of `ROWS` rows add 8 rows at a time into a partial row; a kernel sums these.

        Memory is read in order, by all threads; the order of a sum depends on sizes alone.
        """
        row = self.inner[0]
        n, m = self.extent[row], self.extent[column]
        parts, strips = D.ceildiv(n, ROWS), D.ceildiv(m, COLUMNS)
        kinds = [r.op.combine or "" for r in self.reductions]
        operands = [r.inputs[0] for r in self.reductions]
        bufs: list[Buffer] = []
        self.place_outputs()
        self.k.name += "_part"
        with self.k.loop("parallel", "u", parts * strips) as w:
            u, first = (w, 0) if strips == 1 else (w // strips, w % strips * COLUMNS)
            width = m if strips == 1 else D.minimum(m - first, COLUMNS)
            count = self.k.index(D.minimum(n - ROWS * u, ROWS)).index
            top = ROWS * u

            def strip(body: Any) -> None:
                with self.k.loop("vector", "j", width) as j:
                    self.at[column] = first + j
                    self.memo.append({})
                    body()
                    self.memo.pop()

            def rest() -> None:
                """The rows that make the others a multiple of 8, or none."""
                with self.k.reduce("for", "i", count % 8) as r:
                    self.at[row] = top + r.var
                    self.memo.append({})
                    r.yields(*zip(kinds, self.reduced_values(operands, 1), strict=True))
                    self.memo.pop()
                for t, x in enumerate(r.results):
                    if len(bufs) == t:
                        self.result.temps.append((x.dtype, parts * m))
                        bufs.append(self.k.output(f"p{t}", x.dtype, (parts, m)))
                        self.bind.append(("temp", t))
                    self.k.store(bufs[t], (u, self.at[column]), x)

            def eight() -> None:
                rows: list[list[Operand]] = []
                for i in range(8):
                    self.at[row] = top + count % 8 + 8 * g + i
                    self.memo.append({})
                    rows.append(self.reduced_values(operands, 1))
                    self.memo.pop()
                for t, kind in enumerate(kinds):
                    at = (u, self.at[column])
                    values = [r[t] for r in rows]
                    self.k.store(bufs[t], at, self.tree(kind, values, self.k.load(bufs[t], at)))

            strip(rest)
            with self.k.loop("for", "g", count // 8) as g:
                strip(eight)
        self.finish()
        self.start(self.name)
        for i in range(len(self.groups)):
            self.at[i] = 0
        ins = []
        for t, b in enumerate(bufs):
            ins.append(self.k.input(f"p{t}", b.dtype, (parts, m)))
            self.bind.append(("temp", t))
        with self.k.loop("parallel vector", "j", m, block=256) as j:
            self.at[column] = j
            self.memo.append({})
            with self.k.reduce("for", "u", parts) as r:
                r.yields(*zip(kinds, [self.k.load(b, (r.var, j)) for b in ins], strict=True))
            self.take(r)
            self.store_rows()
            self.memo.pop()
        self.finish()

    def tree(self, kind: str, values: Sequence[Operand], last: Operand) -> Operand:
        """Values combined two by two, then with the `last`.

        Of floats, whether all are numbers is found for all of them together: to see to that at each
        step takes three instructions instead of one.
        """
        k, t = self.k, last.dtype
        every = [*values, last]
        extreme = kind in _BEYOND and t.kind == "f"

        def step(a: Operand, b: Operand) -> Operand:
            if extreme:
                return k.select(k.let(_BEYOND[kind], a, b, dtype=dtypes.bool_), a, b)
            return k.let(TREES[kind], a, b, dtype=t)

        def numbers(v: Operand) -> Operand:
            return k.let("equal", v, v, dtype=dtypes.bool_)

        level = list(values)
        while len(level) > 1:
            level = [step(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
        made = step(last, level[0])
        if not extreme:
            return made
        fine = numbers(every[0])
        for v in every[1:]:
            fine = k.let("logical_and", fine, numbers(v), dtype=dtypes.bool_)
        return k.select(fine, made, lit(float("nan"), t))

    def depth(self, v: Value) -> int:
        """The last stage of reductions that `v` is made from (0: none)."""
        if self.depths is None:
            d: dict[Node, int] = {}
            for n in self.nodes:
                d[n] = max((d.get(x.node, 0) for x in n.inputs), default=0) + is_reduction(n)
            self.depths = d
        return self.depths.get(v.node, 0)

    # ---------------------------------------------------------------- values

    def found(self, v: Value, key: Any) -> Operand | None:
        for m in reversed(self.memo):
            x: Operand | None = m.get((v, key))
            if x is not None:
                return x
        return None

    def operand(self, x: Operand, dtype: DType) -> Operand:
        return x

    def value(self, v: Value, axes: Axes) -> Operand:
        """`v` at the current point of the iteration space."""
        n = v.node
        if v in self.params:
            x = self.found(v, self.space_axes(axes))
            if x is None:
                buf, index = self.buffer("in", self.params[v], v, axes)
                x = self.k.load(buf, index)
                self.keep(v, self.space_axes(axes), x)
            return x
        if n.op.name == "constant":
            return lit(n.attrs["value"].reshape(-1)[0], v.dtype)
        if is_reduction(n):
            x = self.found(v, "row")
            if x is None:
                raise CompileError(f"{v!r} is read before its row is reduced")
            return x
        x = self.found(v, axes)
        if x is None and v in self.stored:
            x = self.k.load(self.kept_rows[v], (self.at[self.inner[0]],))
            self.keep(v, axes, x)
        if x is None:
            reader, self.k.node = self.k.node, n
            if is_view(n):
                index = tuple(0 if a is None else self.at[self.of[a]] for a in axes)
                x = self.element(n, v, index)
            else:
                args = [self.value(i, self.operand_axes(n, i, axes)) for i in n.inputs]
                x = self.apply(n, v, args)
            self.keep(v, axes, x)
            if v in self.kept_rows and v not in self.stored:
                self.k.store(self.kept_rows[v], (self.at[self.inner[0]],), x)
                self.storing.add(v)
            self.k.node = reader
        return x

    def keep(self, v: Value, key: Any, x: Operand) -> None:
        self.memo[-1][v, key] = x

    def apply(self, n: Node, v: Value, args: list[Operand]) -> Operand:
        if n.op.name == "cast":
            return self.k.cast(args[0], v.dtype)
        if n.op.fails:
            check_operands(self, n, args)
        attrs = {k: a for k, a in n.attrs.items() if k not in ("dtype",)}
        return self.k.let(n.op.in_kernels, *args, dtype=v.dtype, **attrs)

    def check(self, n: Node, ok: Operand, message: str, position: Dim) -> None:
        if self.mask is not None:  # what is not read cannot fail
            idle = self.k.let("logical_not", self.mask, dtype=dtypes.bool_)
            ok = self.k.let("logical_or", idle, ok, dtype=dtypes.bool_)
        self.result.checks.append((self.number[n], message))
        self.k.check(ok, len(self.result.checks), position)

    # -- index maps

    def element(self, n: Node, v: Value, index: tuple[Dim, ...]) -> Operand:
        assert n.op.element is not None
        made: Operand = n.op.element(Scalar(self, n), index, *n.inputs, **n.attrs)
        return made

    def read(self, v: Value, index: tuple[Dim, ...], where: Operand | None, other: Any) -> Operand:
        """`v` at any index, where it and what it is part of are read."""
        n = v.node
        if self.mask is not None and where is not self.mask:
            where = (
                self.mask
                if where is None
                else self.k.let("logical_and", self.mask, where, dtype=dtypes.bool_)
            )
        key = ("at", index, where)
        x = self.found(v, key)
        if x is not None:
            return x
        shape = v.static_shape
        assert shape is not None
        if v in self.params:
            live = [i for i, d in enumerate(shape) if d != 1]
            full = ("in", self.params[v], tuple(-1 - i for i in live))
            buf = self.buffers.get(full)
            if buf is None:
                buf = self.k.param(
                    self.label(v, "in"), v.dtype, tuple(shape[i] for i in live), "in"
                )
                self.buffers[full] = buf
                self.bind.append(("in", self.params[v]))
            x = self.k.load(buf, tuple(index[i] for i in live), where, other)
        elif n.op.name == "constant":
            x = lit(n.attrs["value"].reshape(-1)[0], v.dtype)
            if where is not None:
                x = self.k.select(where, x, lit(other, v.dtype))
        else:
            outside, self.mask = self.mask, where
            x = self.element(n, v, index) if is_view(n) else self.computed(n, v, index)
            self.mask = outside
            if where is not None:
                x = self.k.select(where, x, lit(other, v.dtype))
        self.keep(v, key, x)
        return x

    def computed(self, n: Node, v: Value, index: tuple[Dim, ...]) -> Operand:
        """A pointwise op's element at any index."""
        args = []
        full = v.static_shape
        assert full is not None
        for o in n.inputs:
            s = o.static_shape
            assert s is not None
            pad = len(index) - len(s)
            at = tuple(
                0 if d == 1 or D.repeats(d, full[pad + i]) else index[pad + i]
                for i, d in enumerate(s)
            )
            args.append(self.read(o, at, self.mask, 0))
        return self.apply(n, v, args)


class Lowering(Protocol):
    """What lowers a node: the kernel under construction, and how operands are read."""

    k: KernelBuilder

    def read(self, v: Value, index: tuple[Dim, ...], where: Operand | None, other: Any) -> Operand:
        """An element of a value; `other` where `where` is false."""

    def check(self, n: Node, ok: Operand, message: str, position: Dim) -> None:
        """Fail the run where `ok` is false."""


_MUST = {"nonzero": "not_equal", "nonnegative": "greater_equal", "finite": "equal"}


def symbols_of(body: Graph) -> set[Symbol]:
    """The sizes that a body's shapes and attributes name."""
    found: set[Symbol] = set()
    stack: list[Any] = []
    for n in body.nodes():
        stack += (v.static_shape for v in n.outputs)
        stack += n.attrs.values()
    while stack:
        x = stack.pop()
        if type(x) is tuple:
            stack += x
        elif isinstance(x, Expr):
            found |= x.symbols()
    return found


def check_operands(lower: Lowering, n: Node, args: Sequence[Operand]) -> None:
    """The check an op's record asks for: an operand, and what it must be."""
    rule = n.op.facts.get("check")
    if not rule or "message" not in rule:
        return
    x = args[rule["operand"]]
    if x.dtype.kind not in rule["types"]:
        return
    if rule["must"] == "finite":
        x = lower.k.let("subtract", x, x, dtype=x.dtype)  # NaN for what is not finite
    must = _MUST[rule["must"]]
    if isinstance(x, Literal):
        holds = {"not_equal": x.value != 0, "equal": x.value == 0}.get(must, x.value >= 0)
        if holds:
            return
    ok = lower.k.let(must, x, lit(0, x.dtype), dtype=dtypes.bool_)
    lower.check(n, ok, rule["message"], 0)


class Scalar:
    """What an op's `element` and check rules build with."""

    def __init__(self, lower: Lowering, node: Node) -> None:
        self.lower = lower
        self.node = node

    def shape(self, v: Value) -> Shape:
        """The shape of an operand."""
        assert v.static_shape is not None
        return v.static_shape

    @property
    def out_shape(self) -> Shape:
        s = self.node.outputs[0].static_shape
        assert s is not None
        return s

    def read(
        self, v: Value, index: Sequence[Dim], where: Operand | None = None, other: Any = 0
    ) -> Operand:
        """An operand's element; where `where` is false nothing is read, `other` is the answer."""
        return self.lower.read(v, tuple(index), where, other)

    def let(self, op: str, *args: Operand, dtype: DType | None = None, **attrs: Any) -> KValue:
        """A scalar op by its record's name."""
        return self.lower.k.let(op, *args, dtype=dtype, **attrs)

    def const(self, value: Any, dtype: DType) -> Literal:
        return lit(value, dtype)

    def cast(self, x: Operand, dtype: DType) -> Operand:
        return self.lower.k.cast(x, dtype)

    def select(self, c: Operand, x: Operand, y: Operand) -> KValue:
        return self.lower.k.select(c, x, y)

    def index(self, d: Dim) -> Operand:
        """An index expression as an i64 value."""
        return lit(d, dtypes.int64) if type(d) is int else self.lower.k.index(d)

    def as_index(self, x: Operand) -> Dim:
        """An integer value as an index expression."""
        if isinstance(x, Literal):
            return int(x.value)
        wide = self.cast(x, dtypes.int64)
        assert isinstance(wide, KValue)
        return wide.index

    def compare(self, op: str, a: Dim, b: Dim) -> Operand:
        """``less``, ``less_equal``, ``equal``… of two index expressions."""
        if type(a) is int and type(b) is int:
            answer = {"less": a < b, "less_equal": a <= b, "equal": a == b, "greater_equal": a >= b,
                      "greater": a > b, "not_equal": a != b}[op]  # fmt: skip
            return lit(answer, dtypes.bool_)
        return self.let(op, self.index(a), self.index(b), dtype=dtypes.bool_)

    def both(self, a: Operand | None, b: Operand) -> Operand:
        """The logical and of two conditions (None is true)."""
        if a is None or (isinstance(a, Literal) and a.value):
            return b
        if isinstance(b, Literal) and b.value:
            return a
        return self.let("logical_and", a, b, dtype=dtypes.bool_)

    def check(self, ok: Operand, message: str, position: Dim = 0) -> None:
        """Fail the run with `message` where `ok` is false (rule C11)."""
        self.lower.check(self.node, ok, message, position)


__all__ += ["Buffer", "Expr"]
