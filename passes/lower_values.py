"""Elements of a fused body: how each value is computed, read, kept and stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from graphc.errors import CompileError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.passes.groups import FEW, is_reduction, is_view, joins_rows, same_shape
from graphc.passes.iteration_space import Space
from graphc.passes.lowered import (
    FOLDED,
    FOLDED_EACH,
    FOLDS,
    LEAPS,
    STREAM,
    STREAM_BYTES,
    Axes,
    Part,
)
from graphc.passes.scalar import Scalar, check_operands, symbols_of

__all__ = ["Values"]


class Values(Space):
    """A kernel under construction; `at` is the index of each axis of the iteration space."""

    inner: list[int]

    @cached_property
    def reserved(self) -> set[Symbol]:
        """The sizes of the body: what kernels cannot name otherwise."""
        return symbols_of(self.body)

    def start(self, name: str) -> None:
        self.k = KernelBuilder(name, reserved=self.reserved)
        self.bind: list[tuple[str, int]] = []
        self.numbers: dict[str, Dim] = {}  # of sizes that are this kernel's alone
        self.buffers: dict[tuple[str, int, tuple[int, ...]], Buffer] = {}
        self.at: dict[int, Dim] = {}
        self.memo: list[dict[Any, Operand]] = [{}]
        self.mask: Operand | None = None  # where what is being computed is read at all
        self.kept_rows: dict[Value, Buffer] = {}  # scratch rows of costly values
        self.storing: set[Value] = set()  # rows being written in this pass
        self.stored: set[Value] = set()  # rows that earlier passes have written
        #: Two neighbouring axes that one loop runs through, the second one short.
        self.folded: tuple[int, int] | None = None

    def finish(self) -> None:
        self.result.parts.append(Part(self.k.build(), self.bind, self.numbers))

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
        extent = self.extent[axis]
        short = self.folded[1] if self.folded is not None and axis == self.folded[0] else None
        if short is not None:
            extent = extent * self.extent[short]
        with self.k.loop(kind, "ijklmnop"[axis % 8], extent) as var:
            self.at[axis] = var
            if short is not None:
                self.at[axis], self.at[short] = var // self.extent[short], var % self.extent[short]
            self.memo.append({})
            self.nest(loops[1:], body)
            self.memo.pop()

    def pointwise(self, axes: list[int]) -> None:
        if self.joint is not None:
            self.rows(self.joint) if joins_rows(self.joint.node) else self.parts(self.joint)
            return
        if self.folds(axes):
            self.folded = axes[-2], axes[-1]
            axes = axes[:-1]
        self.nest(self.kinds(axes), self.store_outputs)

    def folds(self, axes: Sequence[int]) -> bool:
        """Whether rows are so short that vectors run on from one row to the next.

        What is the same in all rows is read repeated then, what is one element a row by all lanes
        of the row (`graphc.runtime.llvm.periods`); the second is as quick only in very short rows.
        """
        if len(axes) < 2:
            return False
        row, column = axes[-2:]
        n = self.extent[column]
        if any(v.op.name in LEAPS for v in self.nodes):
            return False
        if type(n) is not int or n > FOLDED or self.value_of((row, column)) < FOLDS:
            return False
        each = [
            v for v, a in self.accesses if column not in (at := self.space_axes(a)) and row in at
        ]
        if self.views or each:
            return n <= FOLDED_EACH and all(v.dtype.code not in ("f16", "bf16") for v in each)
        return True

    def store_outputs(self) -> None:
        self.sweep([v for v in self.body.outputs])
        for i, (v, axes) in enumerate(zip(self.body.outputs, self.out_axes, strict=True)):
            self.store_output(i, v, axes)

    def parts(self, joined: Value) -> None:
        """A concat or stack: what its operands are made of goes straight to its place there.

        Operands of the largest shape share a loop, with all other results; each of the others
        has its own, and each of many that are in memory. The first axis, which is the same for
        all, is parallel.
        """
        n = joined.node
        rank = len(self.full)
        shape = joined.static_shape
        assert shape is not None
        axis = n.attrs["axis"] % len(shape)
        stacked = n.op.name == "stack"
        number = self.body.outputs.index(joined)
        main: list[tuple[Value, Dim]] = []
        others: list[tuple[Value, Dim]] = []
        offset: Dim = 0
        for v in n.inputs:
            s = v.static_shape
            assert s is not None
            apart = not same_shape(s, self.full) or (len(n.inputs) > FEW and v in self.params)
            (others if apart else main).append((v, offset))
            offset = offset + (1 if stacked else s[axis])
        out = self.k.output(self.label(joined, "out"), joined.dtype, shape)
        self.bind.append(("out", number))

        def put(v: Value, start: Dim, x: Operand) -> None:
            at = [self.at[i] for i in range(rank)]
            at[axis : axis + (not stacked)] = [start if stacked else at[axis] + start]
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
            if main or len(self.body.outputs) > 1:
                loops(self.full, 1, together)
            for v, start in others:
                s = v.static_shape
                assert s is not None

                def alone(v: Value = v, start: Dim = start) -> None:
                    put(v, start, self.read(v, tuple(self.at[a] for a in range(rank)), None, 0))

                loops(s, 1, alone)
            self.memo.pop()

    def rows(self, joined: Value) -> None:
        """A concat or stack of rows: operands are copied one after another, all by one code."""
        total = D.product(joined.static_shape or ())
        start: Dim = 0
        size, first, count = (D.Expr.symbol(x) for x in ("total", "first", "count"))
        for j, v in enumerate(joined.node.inputs):
            if j:
                self.finish()
                self.start(self.name)
            n = D.product(v.static_shape or ())
            self.numbers = {"total": total, "first": start, "count": n}
            x = self.k.input("x", v.dtype, (count,)) if v in self.params else None
            out = self.k.output("y", joined.dtype, (size,))
            with self.k.loop("parallel vector", "i", count) as i:
                at = self.value(v, ()) if x is None else self.k.load(x, (i,))
                self.k.store(out, (i + first,), at)
            self.bind = [] if x is None else [("in", self.params[v])]
            self.bind.append(("out", 0))
            start = start + n

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

    def store_output(self, i: int, v: Value, axes: Axes) -> None:
        x = self.value(v, axes)
        buf, index = self.buffer("out", i, v, axes)
        f, n = D.facts(), D.product(v.static_shape or ())
        large = (f.value(n) if f is not None else 0) * v.dtype.size >= STREAM_BYTES
        reader, self.k.node = self.k.node, v.node
        self.k.store(buf, index, self.operand(x, v.dtype), stream=large)
        self.k.node = reader

    def depth(self, v: Value) -> int:
        """The last stage of reductions that `v` is made from (0: none)."""
        if self.depths is None:
            d: dict[Node, int] = {}
            for n in self.nodes:
                d[n] = max((d.get(x.node, 0) for x in n.inputs), default=0) + is_reduction(n)
            self.depths = d
        return self.depths.get(v.node, 0)

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
