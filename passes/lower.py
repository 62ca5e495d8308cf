"""A fused node becomes loops: one kernel, or two where a whole reduction is split.

Every value of the body is computed at the point of the iteration space where it is needed:
the iteration space is the group's full shape, and each value knows which of its axes runs
along which axis of that space. Reductions are stages; a value that two stages need and that
is costly is kept in a scratch row. Axes that no access tells apart are merged into one.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import CompileError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.passes.groups import is_contraction, is_reduction, is_view, same_shape  # fmt: skip
from graphc.passes.lower_reduce import Reductions
from graphc.passes.lowered import COLUMNS, COSTLY, SHORT_ROWS, Axes, Lowered

__all__ = ["lower_body"]


def lower_body(body: Graph, name: str) -> Lowered:
    """The kernels that compute ``body.outputs`` from ``body.inputs``."""
    return _Lower(body, name).run()


class _Lower(Reductions):
    """Lowers one body."""

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
        elif self.short_rows(kept):
            with self.k.loop("parallel vector", "j", self.extent[kept[0]], block=SHORT_ROWS) as var:
                self.at[kept[0]] = var
                self.memo.append({})
                self.row_body()
                self.memo.pop()
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

        vector, axes = self.row_vector(), self.inner
        if vector is not None and axes[-1] == vector and self.folds(axes):
            self.folded, axes = (axes[-2], vector), axes[:-1]
        kinds = ["for"] * (len(axes) - 1) + ["vector" if vector == self.inner[-1] else "for"]
        self.nest(list(zip(kinds, axes, strict=True)), body)
        self.folded = None

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
