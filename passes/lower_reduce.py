"""Reductions of a fused body: along rows, split over units, along columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import Buffer, Operand, lit
from graphc.ir.kernel_builder import ReduceScope
from graphc.ir.node import Node, Value
from graphc.passes.groups import is_reduction, reduction_axes  # fmt: skip
from graphc.passes.lower_values import Values
from graphc.passes.lowered import (
    ANY_ORDER,
    BEYOND,
    CHUNK,
    COLUMNS,
    ROWS,
    SHORT,
    SHORT_ROWS,
    SPLIT,
    STREAM,
    TREES,
)

__all__ = ["Reductions"]


class Reductions(Values):
    """What reduces, and what follows from it for the order of loops."""

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

    def row_vector(self) -> int | None:
        """The reduced axis along which lanes run: the last of the space, else none."""
        kept = [i for i in range(len(self.groups)) if self.live[i] and not self.space_reduced[i]]
        if self.inner and (not kept or self.inner[-1] > kept[-1]) and not self.short_rows(kept):
            return self.inner[-1]
        return None

    def short_rows(self, kept: Sequence[int]) -> bool:
        """Whether lanes are rows: many of them, so short that a vector would hardly be one.

        Only of what comes out the same in any order: sums have theirs.
        """
        if self.views or len(kept) != 1 or len(self.inner) != 1 or self.inner[0] < kept[0]:
            return False
        n = self.extent[self.inner[0]]
        return (
            type(n) is int
            and n <= SHORT
            and all((r.op.combine or "") in ANY_ORDER for r in self.reductions)
            and not self.stages()[1]
            and not any(set(self.inner).intersection(self.space_axes(a)) for a in self.out_axes)
            and self.value_of(kept) >= SHORT_ROWS
        )

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
        short = self.run_on(kinds, axes)
        kind = "vector" if (axis if short is None else short) == self.row_vector() else "for"
        start, count = part or (0, self.extent[axis])
        if short is not None:
            size, rest = self.extent[short], []
            count = count * size
        with self.k.reduce(kind, "ijklmnop"[axis % 8], count) as r:
            self.at[axis] = start + r.var
            if short is not None:
                self.at[axis], self.at[short] = start + r.var // size, r.var % size
            self.memo.append({})
            if rest:
                inner = self.reduce(kinds, operands, rest, stage)
            else:
                inner = self.reduced_values(operands, stage)
            r.yields(*zip(kinds, inner, strict=True))
            self.memo.pop()
        return list(r.results)

    def run_on(self, kinds: Sequence[str], axes: Sequence[int]) -> int | None:
        """The short last axis that vectors along the one before run on through; None for none."""
        if len(axes) != 2 or axes[-1] != self.row_vector() or not self.folds(axes):
            return None
        return None if any(k.startswith("arg") for k in kinds) else axes[-1]

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
        extreme = kind in BEYOND and t.kind == "f"

        def step(a: Operand, b: Operand) -> Operand:
            if extreme:
                return k.select(k.let(BEYOND[kind], a, b, dtype=dtypes.bool_), a, b)
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
