"""Loops of orthogonal factors: Householder's reflections, a panel of columns at a time.

The reflections of a panel are applied together, as the product of three matrices (Schreiber and
Van Loan 1989): columns ``v`` below the diagonal, a small triangle ``t``, and the columns again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim
from graphc.ir.kernel import Buffer, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.factor_loops import APART, PANEL, ROWS, Loops
from graphc.ops.lowering import Site

__all__ = ["factor_qr"]


class _Reflections:
    """The loops over one matrix, in the memory of a worker."""

    def __init__(self, w: Loops, rows: Dim, columns: Dim, wide: Dim) -> None:
        self.w, self.k, self.rows, self.columns = w, w.k, rows, columns
        self.count = D.minimum(rows, columns)
        self.panels = D.ceildiv(self.count, PANEL)
        self.a = self.k.scratch("a", w.t, (D.maximum(rows, 1), columns + APART))
        self.v = self.k.scratch("v", w.t, (D.maximum(rows, 1), PANEL))
        self.t = self.k.scratch("t", w.t, (self.panels * PANEL + 1, PANEL))
        self.sums = self.k.scratch("sums", w.t, (PANEL, D.maximum(wide, 1)))
        self.tau = self.k.scratch("tau", w.t, (self.panels * PANEL + 1,))

    @property
    def memory(self) -> list[Buffer]:
        return [self.a, self.v, self.t, self.sums, self.tau]

    def square(self) -> Buffer:
        """Products of the columns of a panel with each other."""
        return self.k.alloc("gram", self.w.t, (PANEL, PANEL))

    def width(self, first: Dim) -> Dim:
        return D.minimum(self.count - first, PANEL)

    def reflect(self, first: Dim, width: Dim) -> None:
        """The reflections of a panel, one column after the other."""
        w, k, a = self.w, self.k, self.a
        with k.loop("for", "c", width) as c:
            at = first + c
            below = self.rows - at - 1
            with k.reduce("vector", "i", below) as r:
                x = k.load(a, (at + 1 + r.var, at))
                r.yields(sum=w.f("multiply", x, x))
            (tail,) = r.results
            own = k.load(a, (at, at))
            new, tau, apart, none = w.reflection(own, tail)
            k.store(self.tau, (at,), tau)
            k.store(a, (at, at), new)
            with k.loop("for", "i", below) as i:
                share = w.f("realdiv", k.load(a, (at + 1 + i, at)), apart)
                k.store(a, (at + 1 + i, at), k.select(none, w.zero, share))
            with k.loop("vector", "e", width - 1 - c) as e:
                self._reflect_column(at, at + 1 + e, below, tau)

    def _reflect_column(self, at: Dim, column: Dim, below: Dim, tau: Any) -> None:
        """What one reflection does to a column beside it."""
        w, k, a = self.w, self.k, self.a

        def product(i: Dim) -> Any:
            row = at + 1 + i
            return w.f("multiply", k.load(a, (row, at)), k.load(a, (row, column)))

        total = w.total(below, product, k.load(a, (at, column)))
        part = w.f("multiply", tau, total)
        k.store(a, (at, column), w.f("subtract", k.load(a, (at, column)), part))
        with k.loop("for", "i", below) as i:
            row = at + 1 + i
            old = k.load(a, (row, column))
            k.store(a, (row, column), w.less_product(old, k.load(a, (row, at)), part))

    def pack(self, first: Dim, width: Dim) -> None:
        """The panel's columns with ones on the diagonal, zeros above and for columns missing."""
        w, k = self.w, self.k
        with k.loop("for", "i", self.rows - first) as i, k.loop("vector", "c", PANEL) as c:
            row, column = k.index(i), k.index(c)
            there = w.test("less", column, k.index(width))
            below = w.test("logical_and", w.test("greater", row, column), there)
            on = w.test("logical_and", w.test("equal", row, column), there)
            x = k.load(self.a, (first + i, first + c), below)
            k.store(self.v, (i, c), k.select(on, w.one, k.select(below, x, w.zero)))

    def triangle(self, gram: Buffer, first: Dim, width: Dim) -> None:
        """The small triangle of a panel, column by column."""
        w, k = self.w, self.k
        self._sums(gram, self.rows - first, PANEL, lambda i, e: k.load(self.v, (i, e)))
        with k.loop("for", "q", width) as q, k.loop("for", "j", q) as j:
            with k.scan("l", q - j, [("last", w.t)], [w.zero]) as s:
                x = k.load(self.t, (first + j, j + s.var))
                s.step(w.less_product(s.before[0], x, k.load(gram, (j + s.var, q))))
            own = w.f("multiply", s.results[0], k.load(self.tau, (first + q,)))
            k.store(self.t, (first + j, q), own)

    def _sums(self, to: Buffer, rows: Dim, columns: Dim, of: Callable[[Dim, Dim], Any]) -> None:
        """The panel's columns times those of another matrix."""
        w, k = self.w, self.k
        start: list[Any] = [w.zero] * ROWS
        for first in range(0, PANEL, ROWS):
            with k.loop("vector", "e", columns) as e:
                with k.scan("i", rows, [("last", w.t)] * ROWS, start) as s:
                    x = of(s.var, e)
                    parts = [k.load(self.v, (s.var, first + r)) for r in range(ROWS)]
                    s.step(*[
                        w.f("add", before, w.f("multiply", v, x))
                        for before, v in zip(s.before, parts, strict=True)
                    ])  # fmt: skip
                for r, total in enumerate(s.results):
                    k.store(to, (first + r, e), total)

    def apply(self, x: Buffer, first: Dim, width: Dim, start: Dim, count: Dim, at: Any,
              back: bool) -> None:  # fmt: skip
        """The reflections of a panel, the first one first (or last), on columns of `x`."""
        w, k = self.w, self.k
        rows = self.rows - first
        self._sums(self.sums, rows, count, lambda i, j: k.load(x, at(first + i, start + j)))
        with k.loop("for", "l", width) as turn, k.loop("vector", "j", count) as j:
            q: Dim = turn if back else width - 1 - turn
            own = w.f("multiply", k.load(self.t, (first + q, q)), k.load(self.sums, (q, j)))
            many = width - 1 - q if back else q
            with k.scan("e", many, [("last", w.t)], [own]) as s:
                other: Dim = q + 1 + s.var if back else s.var
                part = k.load(self.t, (first + q, other) if back else (first + other, q))
                s.step(
                    w.f("add", s.before[0], w.f("multiply", part, k.load(self.sums, (other, j))))
                )
            k.store(self.sums, (q, j), s.results[0])
        w.reduced(
            x, rows, width, lambda i, j: at(first + i, start + j),
            lambda i, q: k.load(self.v, (i, q)), lambda q, j: k.load(self.sums, (q, j)),
            lambda _: count,
        )  # fmt: skip


def factor_qr(n: Node, s: Site) -> None:
    """Q and R; the signs are LAPACK's and Eigen's, so the first reflection makes -|x|."""
    shape = known_shape(n.inputs[0])
    many, rows, columns, t = D.product(shape[:-2]), shape[-2], shape[-1], n.inputs[0].dtype
    wide, high = known_shape(n.outputs[0])[-1], known_shape(n.outputs[1])[-2]
    k = KernelBuilder("factor_qr")
    w = Loops(k, t)
    x = k.input("x", t, (many, rows, columns))
    made = k.output("q", t, (many, rows, wide))
    upper = k.output("r", t, (many, high, columns))
    h = _Reflections(w, rows, columns, D.maximum(columns, wide))

    def inside(i: Dim, j: Dim) -> tuple[Dim, ...]:
        return (i, j)

    with k.loop("parallel", "u", many) as u:
        gram = h.square()

        def of_x(i: Dim, j: Dim) -> tuple[Dim, ...]:
            return (u, i, j)

        w.copy(h.a, x, rows, columns, inside, of_x)
        with k.loop("for", "p", h.panels) as p:
            first = p * PANEL
            width = h.width(first)
            h.reflect(first, width)
            h.pack(first, width)
            with k.loop("for", "q", width) as q:
                k.store(h.t, (first + q, q), k.load(h.tau, (first + q,)))
            h.triangle(gram, first, width)
            right = first + width
            h.apply(h.a, first, width, right, columns - right, inside, False)
        with k.loop("for", "i", high) as i:
            left = D.minimum(i, columns)
            with k.loop("vector", "j", left) as j:
                k.store(upper, (u, i, j), w.zero)
            with k.loop("vector", "j", columns - left) as j:
                k.store(upper, (u, i, left + j), k.load(h.a, (i, left + j)))
        with k.loop("for", "i", rows) as i, k.loop("vector", "j", wide) as j:
            same = w.test("equal", k.index(i), k.index(j))
            k.store(made, (u, i, j), k.select(same, w.one, w.zero))
        with k.loop("for", "p", h.panels) as p:
            first = (h.panels - 1 - p) * PANEL
            width = h.width(first)
            h.pack(first, width)
            h.apply(made, first, width, first, wide - first, of_x, True)
    rows_of = [s.scratch(scratch_stride(b), t) for b in h.memory]
    s.step(k.build(), [s.input(0), s.output(0), s.output(1), *rows_of])
