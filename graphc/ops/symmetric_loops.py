"""Loops of symmetric eigenvalues: to three diagonals by reflections, then QL steps with shifts.

Reflections and rotations of a matrix of vectors go along its rows, whole vectors at a time; the
rotations' numbers are found one after the other (Golub and Van Loan, sections 8.3.1 and 8.3.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import lit, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.factor_loops import APART, Loops
from graphc.ops.lowering import Site

__all__ = ["factor_symmetric"]

i64 = dtypes.int64

#: Most QL steps for an eigenvalue (TensorFlow and LAPACK take 30), and more than any loop makes.
STEPS, ENDLESS = 60, 1 << 62


class _Symmetric:
    """One matrix, in the memory of a worker."""

    def __init__(self, w: Loops, n: Dim, vectors: bool) -> None:
        self.w, self.k, self.n, self.vectors = w, w.k, n, vectors
        size = D.maximum(n, 1)
        self.a = self.k.scratch("a", w.t, (size, size + APART))
        self.d, self.e, self.tau, self.p = (
            self.k.scratch(name, w.t, (size + 1,)) for name in ("d", "e", "tau", "p")
        )
        self.memory = [self.a, self.d, self.e, self.tau, self.p]
        if vectors:
            self.v = self.k.scratch("v", w.t, (size, size + APART))
            self.z = self.k.scratch("z", w.t, (size, size + APART))
            self.memory += [self.v, self.z]

    # ------------------------------------------------------------- three diagonals

    def reduce(self) -> None:
        """Each reflection makes zeros beyond the first neighbour of a row's diagonal."""
        w, k, a = self.w, self.k, self.a
        with k.loop("for", "k", self.n) as at:
            k.store(self.d, (at,), k.load(a, (at, at)))
            first = at + 1
            rest = self.n - first
            with k.loop("for", "some", D.minimum(rest, 1)):
                own = k.load(a, (at, first))
                with k.reduce("vector", "j", rest - 1) as r:
                    x = k.load(a, (at, first + 1 + r.var))
                    r.yields(sum=w.f("multiply", x, x))
                new, tau, apart, none = w.reflection(own, r.results[0])
                k.store(self.tau, (at,), tau)
                k.store(self.e, (at,), new)
                k.store(a, (at, first), w.one)
                with k.loop("vector", "j", rest - 1) as j:
                    share = w.f("realdiv", k.load(a, (at, first + 1 + j)), apart)
                    k.store(a, (at, first + 1 + j), k.select(none, w.zero, share))
                self.update(at, first, rest, tau)

    def update(self, at: Dim, first: Dim, rest: Dim, tau: Any) -> None:
        """``A -= v wᵀ + w vᵀ`` with ``w = p - v (pᵀ v) tau / 2`` and ``p = tau A v``."""
        w, k, a = self.w, self.k, self.a

        def v(i: Dim) -> Any:
            return k.load(a, (at, first + i))

        with k.loop("vector", "j", rest) as j:
            total = w.total(
                rest, lambda i: w.f("multiply", v(i), k.load(a, (first + i, first + j))), w.zero
            )
            k.store(self.p, (j,), w.f("multiply", tau, total))
        with k.reduce("vector", "j", rest) as r:
            r.yields(sum=w.f("multiply", k.load(self.p, (r.var,)), v(r.var)))
        share = w.f("multiply", w.f("multiply", lit(0.5, w.t), tau), r.results[0])
        with k.loop("vector", "j", rest) as j:
            k.store(self.p, (j,), w.less_product(k.load(self.p, (j,)), share, v(j)))
        with k.loop("for", "i", rest) as i:
            mine, other = v(i), k.load(self.p, (i,))
            with k.loop("vector", "j", rest) as j:
                x = w.less_product(k.load(a, (first + i, first + j)), mine, k.load(self.p, (j,)))
                k.store(a, (first + i, first + j), w.less_product(x, other, v(j)))

    def unfold(self) -> None:
        """The product of the reflections, turned over into `z`."""
        w, k, a, n = self.w, self.k, self.a, self.n
        with k.loop("for", "i", n) as i, k.loop("vector", "j", n) as j:
            k.store(self.v, (i, j), k.load(a, (i, j)))
        with k.loop("for", "i", n) as i, k.loop("vector", "j", n) as j:
            same = w.test("equal", k.index(i), k.index(j))
            k.store(a, (i, j), k.select(same, w.one, w.zero))
        with k.loop("for", "t", D.maximum(n - 1, 0)) as t:
            at = n - 2 - t
            first, rest = at + 1, t + 1
            tau = k.load(self.tau, (at,))

            def v(i: Dim, at: Dim = at, first: Dim = first) -> Any:
                return k.load(self.v, (at, first + i))

            with k.loop("vector", "j", rest) as j:

                def term(i: Dim, j: Dim = j, v: Any = v, first: Dim = first) -> Any:
                    return w.f("multiply", v(i), k.load(a, (first + i, first + j)))

                total = w.total(rest, term, w.zero)
                k.store(self.p, (j,), w.f("multiply", tau, total))
            with k.loop("for", "i", rest) as i:
                mine = v(i)
                with k.loop("vector", "j", rest) as j:
                    x = k.load(a, (first + i, first + j))
                    k.store(a, (first + i, first + j),
                            w.less_product(x, mine, k.load(self.p, (j,))))  # fmt: skip
        with k.loop("for", "i", n) as i, k.loop("vector", "j", n) as j:
            k.store(self.z, (i, j), k.load(a, (j, i)))

    # ------------------------------------------------------------- QL steps

    def diagonalize(self, u: Dim) -> None:
        w, k, n = self.w, self.k, self.n
        with k.loop("for", "l", n) as place:
            with k.repeat([lit(True, dtypes.bool_)], STEPS) as turn:
                turn.test(turn.before[0])
                last = self.block_end(place)
                more = w.test("greater", last, k.index(place))
                once: Any = k.cast(more, i64)
                with k.loop("for", "once", once.index):
                    self.step(place, last.index)
                turn.next(more)
            k.check(w.test("logical_not", turn.go), 1, u)

    def block_end(self, place: Dim) -> Any:
        """The first place from `place` on whose number beside the diagonal counts for nothing."""
        w, k, n = self.w, self.k, self.n
        eps = lit(float(np.finfo(w.t.np).eps), w.t)
        with k.repeat([k.index(place)], ENDLESS) as seek:
            (m,) = seek.before
            inside = w.test("less", m, k.index(n - 1))
            beside = w.f("abs", k.load(self.e, (m.index,)))
            size = w.f(
                "add", w.f("abs", k.load(self.d, (m.index,))),
                w.f("abs", k.load(self.d, (m.index + 1,))),
            )  # fmt: skip
            small = w.test("less_equal", beside, w.f("multiply", eps, size))
            seek.test(w.test("logical_and", inside, w.test("logical_not", small)))
            seek.next(k.index(m.index + 1))
        return seek.results[0]

    def length(self, x: Any, y: Any) -> Any:
        w = self.w
        return w.f("sqrt", w.f("add", w.f("multiply", x, x), w.f("multiply", y, y)))

    def step(self, low: Dim, high: Dim) -> None:
        """One implicit QL step from `high` up to `low`, with the shift of Wilkinson."""
        w, k, d, e = self.w, self.k, self.d, self.e
        two = lit(2, w.t)
        beside, own = k.load(e, (low,)), k.load(d, (low,))
        over = w.f("subtract", k.load(d, (low + 1,)), own)
        g = w.f("realdiv", over, w.f("multiply", two, beside))
        r = self.length(g, w.one)
        r = k.select(w.test("less", g, w.zero), w.f("negative", r), r)
        shift = w.f("subtract", k.load(d, (high,)), own)
        g = w.f("add", shift, w.f("realdiv", beside, w.f("add", g, r)))
        carries = [("last", w.t)] * 4
        with k.scan("t", high - low, carries, [g, w.one, w.one, w.zero]) as s:
            g, sine, cosine, p = s.before
            i = high - 1 - s.var
            beside, own, after = k.load(e, (i,)), k.load(d, (i,)), k.load(d, (i + 1,))
            f, b = w.f("multiply", sine, beside), w.f("multiply", cosine, beside)
            r = self.length(f, g)
            k.store(e, (i + 1,), r)
            none = w.test("equal", r, w.zero)
            sine = k.select(none, w.zero, w.f("realdiv", f, r))
            cosine = k.select(none, w.one, w.f("realdiv", g, r))
            g = w.f("subtract", after, p)
            r = w.f("add", w.f("multiply", w.f("subtract", own, g), sine),
                    w.f("multiply", w.f("multiply", two, cosine), b))  # fmt: skip
            p = w.f("multiply", sine, r)
            k.store(d, (i + 1,), w.f("add", g, p))
            g = w.f("subtract", w.f("multiply", cosine, r), b)
            if self.vectors:
                with k.loop("vector", "j", self.n) as j:
                    x, y = k.load(self.z, (i, j)), k.load(self.z, (i + 1, j))
                    up = w.f("add", w.f("multiply", sine, x), w.f("multiply", cosine, y))
                    k.store(self.z, (i + 1, j), up)
                    k.store(self.z, (i, j), w.less_product(w.f("multiply", cosine, x), sine, y))
            s.step(g, sine, cosine, p)
        g, _, _, p = s.results
        k.store(e, (high,), w.zero)
        k.store(d, (low,), w.f("subtract", k.load(d, (low,)), p))
        k.store(e, (low,), g)

    def order(self) -> None:
        """Eigenvalues ascending, with their vectors."""
        w, k, d, n = self.w, self.k, self.d, self.n
        with k.loop("for", "i", n) as i:
            with k.reduce("vector", "r", n - i) as r:
                r.yields(argmin=k.load(d, (i + r.var,)))
            other = i + r.results[0].index
            a, b = k.load(d, (i,)), k.load(d, (other,))
            k.store(d, (i,), b)
            k.store(d, (other,), a)
            if self.vectors:
                w.swap(self.z, n, lambda i, j: (i, j), i, other)


def factor_symmetric(n: Node, s: Site) -> None:
    """Eigenvalues, and -vectors as columns; only the lower triangle of the operand is read."""
    shape = known_shape(n.inputs[0])
    many, size, t = D.product(shape[:-2]), shape[-1], n.inputs[0].dtype
    vectors = n.attrs["vectors"]
    k = KernelBuilder(n.op.name)
    w = Loops(k, t)
    x = k.input("x", t, (many, size, size))
    values = k.output("values", t, (many, size))
    made = [k.output("vectors", t, (many, size, size))] if vectors else []
    m = _Symmetric(w, size, vectors)
    with k.loop("parallel", "u", many) as u:
        with k.scan("i", size, [("max", t)], [w.zero]) as total:
            i = total.var
            with k.reduce("vector", "j", i + 1) as r:
                r.yields(max=w.f("abs", k.load(x, (u, i, r.var))))
            total.step(*r.results)
        (largest,) = total.results
        # what is not finite has no eigenvalues
        k.check(w.test("less", largest, lit(float("inf"), t)), 1, u)
        some = w.test("greater", largest, w.zero)
        largest = k.select(some, largest, w.one)
        with k.loop("for", "i", size) as i, k.loop("vector", "j", size) as j:
            row, column = k.index(i), k.index(j)
            low = w.test("greater_equal", row, column)
            e = k.load(x, (u, i, j), low)
            k.store(m.a, (i, j), w.f("realdiv", e, largest))
        with k.loop("for", "i", size) as i, k.loop("vector", "j", size - 1 - i) as j:
            k.store(m.a, (i, i + 1 + j), k.load(m.a, (i + 1 + j, i)))
        with k.loop("vector", "j", size + 1) as j:
            k.store(m.e, (j,), w.zero)
            k.store(m.d, (j,), w.zero)
        m.reduce()
        if vectors:
            m.unfold()
        m.diagonalize(u)
        m.order()
        with k.loop("vector", "j", size) as j:
            k.store(values, (u, j), w.f("multiply", k.load(m.d, (j,)), largest))
        for y in made:
            with k.loop("for", "i", size) as i, k.loop("vector", "j", size) as j:
                k.store(y, (u, i, j), k.load(m.z, (j, i)))
    words = "Self-adjoint eigen decomposition was not successful. The input might not be valid."
    binds = [s.input(0), s.output(0), *([s.output(1)] if vectors else [])]
    s.step(k.build(), [*binds, *(s.scratch(scratch_stride(b), t) for b in m.memory)], [words])
