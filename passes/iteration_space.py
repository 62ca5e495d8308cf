"""The loops of a fused body: which axis of which value runs along which."""

from __future__ import annotations

from graphc.errors import CompileError
from graphc.ir import dims as D
from graphc.ir.dims import Dim, Shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.passes.groups import (  # fmt: skip
    is_reduction,
    is_view,
    largest_part,
    reduction_axes,
    same_shape,
)
from graphc.passes.lowered import (
    Axes,
    Lowered,
)

__all__ = ["Space"]


class Space:
    """A body, its iteration space, and where values lie in it."""

    def __init__(self, body: Graph, name: str) -> None:
        self.body = body
        self.name = name
        self.nodes = [n for n in body.nodes() if n.op.name not in ("input", "constant")]
        self.params = {v: i for i, v in enumerate(body.inputs)}
        self.number = {n: i for i, n in enumerate(self.nodes)}
        self.result = Lowered()
        self.reductions = [n for n in self.nodes if is_reduction(n)]
        self.joint: Value | None = None  # a concat or stack among the results
        self.depths: dict[Node, int] | None = None
        #: Full-size results by the stage in whose loop they are written.
        self.early: dict[int, list[tuple[int, Value, Axes]]] = {}
        self.analyse()

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
        """Whether `v` is a concat or stack nothing here reads, beside results like its parts."""
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
