"""Loops of triangular factors: by rows, a panel of columns at a time, a matrix to each unit.

A panel is factored column by column; what is right of it (and below) then loses the product of
the panel with its rows in one pass, several rows at a time with their sums in registers. Each
element meets its terms in one order, whatever the vectors and threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, lit, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site

__all__ = ["Loops", "factor_cholesky", "factor_lu", "invert", "log_determinant", "lower_product",
           "lower_triangular", "solve_lu"]  # fmt: skip

#: Columns of a panel, and rows whose sums are in registers together.
PANEL, ROWS = 16, 8
#: Rows up to which a pivot is looked for one row after the other.
SHORT = 16
#: Elements between rows, so that those of one column do not share a place of the cache.
APART = 16
#: Sums that are kept apart where one vector has all columns.
CHAINS = 4

i32, i64, truth = dtypes.int32, dtypes.int64, dtypes.bool_
Place = Callable[..., tuple[Dim, ...]]


class Loops:
    """Statements on numbers of one type, with the loops that factorisations share."""

    def __init__(self, k: KernelBuilder, t: DType) -> None:
        self.k, self.t = k, t
        self.zero, self.one = lit(0, t), lit(1, t)

    def f(self, op: str, *operands: Any) -> Any:
        return self.k.let(op, *operands, dtype=self.t)

    def test(self, op: str, *operands: Any) -> Any:
        return self.k.let(op, *operands, dtype=truth)

    def less_product(self, x: Any, a: Any, b: Any) -> Any:
        return self.f("subtract", x, self.f("multiply", a, b))

    def copy(
        self, to: Buffer, source: Buffer, rows: Dim, columns: Dim, at: Place, of: Place
    ) -> None:
        with self.k.loop("for", "i", rows) as i, self.k.loop("vector", "j", columns) as j:
            self.k.store(to, at(i, j), self.k.load(source, of(i, j)))

    def swap(self, x: Buffer, columns: Dim, at: Place, p: Dim, q: Dim) -> None:
        """Rows `p` and `q` change places."""
        with self.k.loop("vector", "j", columns) as j:
            a, b = self.k.load(x, at(p, j)), self.k.load(x, at(q, j))
            self.k.store(x, at(p, j), b)
            self.k.store(x, at(q, j), a)

    def total(self, rows: Dim, term: Callable[[Dim], Any], first: Any) -> Any:
        """`first` and the sum of terms, in `CHAINS` sums that do not wait for each other."""
        start: list[Any] = [first, *[self.zero] * (CHAINS - 1)]
        with self.k.scan("i", rows // CHAINS, [("last", self.t)] * CHAINS, start) as s:
            s.step(*[
                self.f("add", s.before[j], term(s.var * CHAINS + j)) for j in range(CHAINS)
            ])  # fmt: skip
        total: Any = s.results[0]
        for more in s.results[1:]:
            total = self.f("add", total, more)
        with self.k.scan("i", rows % CHAINS, [("last", self.t)], [total]) as s:
            s.step(self.f("add", s.before[0], term(rows // CHAINS * CHAINS + s.var)))
        return s.results[0]

    def reflection(self, own: Any, tail: Any) -> tuple[Any, Any, Any, Any]:
        """Householder's reflection of a vector by its first number and the squares of the others.

        What the first becomes, the factor, what the others are divided by, and whether there is
        nothing to reflect.
        """
        size = self.f("sqrt", self.f("add", self.f("multiply", own, own), tail))
        plus = self.test("greater_equal", own, self.zero)
        new = self.k.select(plus, self.f("negative", size), size)
        none = self.test("less_equal", tail, lit(float(np.finfo(self.t.np).tiny), self.t))
        new = self.k.select(none, own, new)
        tau = self.f("realdiv", self.f("subtract", new, own), new)
        return new, self.k.select(none, self.zero, tau), self.f("subtract", own, new), none

    def reduced(
        self, x: Buffer, rows: Dim, terms: Dim, place: Place, factor: Callable[[Dim, Dim], Any],
        row: Callable[[Dim, Dim], Any], columns: Callable[[Dim], Dim],
    ) -> None:  # fmt: skip
        """``x[i, j] -= sum(factor(i, q) * row(q, j))`` over `terms`, `ROWS` rows at a time.

        The number of columns may depend on the last row of a block of rows.
        """

        def block(first: Dim, count: int) -> None:
            k = self.k
            with k.loop("vector", "j", columns(first + count - 1)) as j:
                old = [k.load(x, place(first + r, j)) for r in range(count)]
                with k.scan("q", terms, [("last", self.t)] * count, old) as s:
                    of = row(s.var, j)
                    s.step(*[
                        self.less_product(s.before[r], factor(first + r, s.var), of)
                        for r in range(count)
                    ])  # fmt: skip
                for r in range(count):
                    k.store(x, place(first + r, j), s.results[r])

        with self.k.loop("for", "i", rows // ROWS) as i:
            block(i * ROWS, ROWS)
        with self.k.loop("for", "i", rows % ROWS) as i:
            block(rows // ROWS * ROWS + i, 1)


# ------------------------------------------------------------------------- LU with pivots


def lower_product(
    w: Loops, lu: Buffer, n: Dim, at: Place, swapped: Callable[[Dim, Dim], None]
) -> None:
    """``lu`` becomes its factors: the rows' shares below the diagonal, where the ones are left out.

    The row with the largest element of a column comes first, of equal ones the first; `swapped`
    gets each pair of rows that change places. A column of zeros has shares of zero.
    """
    k = w.k
    search = "for" if type(n) is int and n <= SHORT else "vector"
    with k.loop("for", "p", D.ceildiv(n, PANEL)) as p:
        first = p * PANEL
        width = D.minimum(n - first, PANEL)
        rest = n - first - width
        with k.loop("for", "c", width) as c:
            column = first + c
            with k.reduce(search, "r", n - column) as best:
                best.yields(argmax=w.f("abs", k.load(lu, at(column + best.var, column))))
            other = column + best.results[0].index
            w.swap(lu, n, at, column, other)
            swapped(column, other)
            own = k.load(lu, at(column, column))
            nothing = w.test("equal", own, w.zero)
            with k.loop("for", "i", n - column - 1) as i:
                row = column + 1 + i
                share = w.f("realdiv", k.load(lu, at(row, column)), own)
                share = k.select(nothing, w.zero, share)
                # whole vectors, so that what is read next lies in what was just stored
                with k.loop("vector", "j", width) as j:
                    e, turn, own_turn = first + j, k.index(j), k.index(c)
                    old = k.load(lu, at(row, e))
                    new = w.less_product(old, share, k.load(lu, at(column, e)))
                    kept = k.select(w.test("equal", turn, own_turn), share, old)
                    new = k.select(w.test("greater", turn, own_turn), new, kept)
                    k.store(lu, at(row, e), new)
        right = first + width
        with k.loop("for", "c", width) as c, k.loop("vector", "j", rest) as j:
            old = k.load(lu, at(first + c, right + j))
            with k.scan("q", c, [("last", w.t)], [old]) as s:
                factor = k.load(lu, at(first + c, first + s.var))
                s.step(
                    w.less_product(s.before[0], factor, k.load(lu, at(first + s.var, right + j)))
                )
            k.store(lu, at(first + c, right + j), s.results[0])
        w.reduced(
            lu, rest, width, lambda i, j: at(right + i, right + j),
            lambda i, q: k.load(lu, at(right + i, first + q)),
            lambda q, j: k.load(lu, at(first + q, right + j)), lambda _: rest,
        )  # fmt: skip


def factor_lu(n: Node, s: Site, words: str) -> tuple[Any, Any]:
    """A step that factors the matrices of the first operand: factors, and the order of rows."""
    shape = known_shape(n.inputs[0])
    many, size, t = D.product(shape[:-2]), shape[-1], n.inputs[0].dtype
    k = KernelBuilder("factor_lu")
    w = Loops(k, t)
    x = k.input("x", t, (many, size, size))
    lu = k.inout("lu", t, (many, size, size))
    order = k.inout("order", i32, (many, size))
    with k.loop("parallel", "u", many) as u:

        def swapped(p: Dim, q: Dim) -> None:
            a, b = k.load(order, (u, p)), k.load(order, (u, q))
            k.store(order, (u, p), b)
            k.store(order, (u, q), a)

        def place(i: Dim, j: Dim) -> tuple[Dim, ...]:
            return (u, i, j)

        w.copy(lu, x, size, size, place, place)
        with k.loop("for", "i", size) as i:
            k.store(order, (u, i), k.cast(k.index(i), i32))
        lower_product(w, lu, size, place, swapped)
        with k.loop("for", "i", size) as i:
            pivot, first = k.load(lu, (u, i, i)), k.load(x, (u, 0, 0))
            k.check(w.test("not_equal", pivot, w.zero), 1, u)
            k.check(w.test("equal", first, first), 1, u)  # NaN elsewhere goes on, as in TensorFlow
    made = s.temp(t, many * size * size), s.temp(i32, many * size)
    s.step(k.build(), [s.input(0), *made], [words])
    return made


#: Right sides of a parallel unit.
COLUMNS = 32


def substitute(
    w: Loops, x: Buffer, a: Buffer, n: Dim, columns: Dim, at: Place, of: Place, downwards: bool,
    turned: bool, ones: bool = False, check: Callable[[Any], None] | None = None,
) -> None:  # fmt: skip
    """Each row of `x` loses the rows known so far, by the triangle of `a`, and is divided.

    `ROWS` of them together lose what is known before, then in registers each other. A single
    column is taken along the rows of the matrix.
    """
    k = w.k

    def line(i: Dim) -> Dim:
        return i if downwards else n - 1 - i

    def factor(row: Dim, known: Dim) -> Any:
        return k.load(a, of(known, row) if turned else of(row, known))

    def diagonal(row: Dim) -> Any:
        own = k.load(a, of(row, row))
        if check is not None:
            check(own)
        return own

    def block(first: Dim, count: int) -> None:
        rows = [line(first + r) for r in range(count)]
        own = [None if ones else diagonal(row) for row in rows]
        with k.loop("vector", "c", columns) as c:
            old = [k.load(x, at(row, c)) for row in rows]
            with k.scan("q", first, [("last", w.t)] * count, old) as s:
                known = line(s.var)
                of_known = k.load(x, at(known, c))
                s.step(*[
                    w.less_product(s.before[r], factor(row, known), of_known)
                    for r, row in enumerate(rows)
                ])  # fmt: skip
            made: list[Any] = list(s.results)
            for r, row in enumerate(rows):
                for q in range(r):
                    made[r] = w.less_product(made[r], factor(row, rows[q]), made[q])
                if not ones:
                    made[r] = w.f("realdiv", made[r], own[r])
                k.store(x, at(row, c), made[r])

    if type(columns) is int and columns == 1:
        _one_column(w, x, at, n, line, factor, None if ones else diagonal, turned)
        return
    with k.loop("for", "i", n // ROWS) as i:
        block(i * ROWS, ROWS)
    with k.loop("for", "i", n % ROWS) as i:
        block(n // ROWS * ROWS + i, 1)


def _one_column(
    w: Loops, x: Buffer, at: Place, n: Dim, line: Callable[[Dim], Dim],
    factor: Callable[[Dim, Dim], Any], diagonal: Callable[[Dim], Any] | None, turned: bool,
) -> None:  # fmt: skip
    """One number after the other, with vectors along the rows of the matrix as it lies."""
    k = w.k
    with k.loop("for", "i", n) as i:
        row = line(i)
        left = k.load(x, at(row, 0))
        if not turned:
            with k.reduce("vector", "q", i) as r:
                known = line(r.var)
                r.yields(sum=w.f("multiply", factor(row, known), k.load(x, at(known, 0))))
            left = w.f("subtract", left, r.results[0])
        y = left if diagonal is None else w.f("realdiv", left, diagonal(row))
        k.store(x, at(row, 0), y)
        if turned:
            with k.loop("vector", "q", n - 1 - i) as q:
                later = line(i + 1 + q)
                old = k.load(x, at(later, 0))
                k.store(x, at(later, 0), w.less_product(old, factor(later, row), y))


def lower_triangular(n: Node, s: Site) -> None:
    """Solutions of triangular systems, for blocks of right sides."""
    shape, sides = known_shape(n.inputs[0]), known_shape(n.inputs[1])
    many, size, columns = D.product(shape[:-2]), shape[-1], sides[-1]
    adjoint = n.attrs["adjoint"]
    t = n.inputs[0].dtype
    blocks = D.maximum(D.ceildiv(columns, COLUMNS), 1)
    k = KernelBuilder(n.op.name)
    w = Loops(k, t)
    a = k.input("a", t, (many, size, size))
    b = k.input("b", t, (many, size, columns))
    x = k.output("x", t, (many, size, columns))
    with k.loop("parallel", "u", many * blocks) as u:
        matrix, start = u // blocks, u % blocks * COLUMNS
        count = D.minimum(columns - start, COLUMNS)
        count = 1 if type(columns) is int and columns == 1 else count

        def at(i: Dim, c: Dim) -> tuple[Dim, ...]:
            return (matrix, i, start + c)

        def check(own: Any) -> None:
            first = k.load(a, (matrix, 0, 0))
            k.check(w.test("not_equal", own, w.zero), 1, u)
            k.check(w.test("equal", first, first), 1, u)

        w.copy(x, b, size, count, at, at)
        substitute(
            w, x, a, size, count, at, lambda i, j: (matrix, i, j), n.attrs["lower"] != adjoint,
            adjoint, check=check,
        )  # fmt: skip
    s.step(k.build(), [s.input(0), s.input(1), s.output()], ["Input matrix is not invertible."])


def solve_lu(n: Node, s: Site) -> None:
    """Solutions by factors, for blocks of right sides; of identity matrices for inverses."""
    _solve(n, s, "Input matrix is not invertible.", right=True)


def invert(n: Node, s: Site) -> None:
    """Inverses: solutions for the identity."""
    _solve(n, s, "Input is not invertible.", right=False)


def _solve(n: Node, s: Site, words: str, right: bool) -> None:
    shape = known_shape(n.inputs[0])
    many, size, t = D.product(shape[:-2]), shape[-1], n.inputs[0].dtype
    columns = known_shape(n.inputs[1])[-1] if right else size
    adjoint = n.attrs["adjoint"]
    made = factor_lu(n, s, words)
    blocks = D.maximum(D.ceildiv(columns, COLUMNS), 1)
    k = KernelBuilder("solve_lu")
    w = Loops(k, t)
    lu = k.input("lu", t, (many, size, size))
    order = k.input("order", i32, (many, size))
    b = k.input("b", t, (many, size, columns)) if right else None
    x = k.output("x", t, (many, size, columns))
    work = k.scratch("work", t, (size, COLUMNS))
    with k.loop("parallel", "u", many * blocks) as u:
        matrix, start = u // blocks, u % blocks * COLUMNS
        count = D.minimum(columns - start, COLUMNS)
        count = 1 if type(columns) is int and columns == 1 else count

        def at(i: Dim, c: Dim) -> tuple[Dim, ...]:
            return (i, c)

        def of(i: Dim, j: Dim) -> tuple[Dim, ...]:
            return (matrix, i, j)

        def given(i: Dim, c: Dim) -> Any:
            if b is not None:
                return k.load(b, (matrix, i, start + c))
            same = w.test("equal", k.index(i), k.index(start + c))
            return k.select(same, w.one, w.zero)

        def sides(source: Callable[[Dim], Dim], to: Callable[[Dim], Dim]) -> None:
            with k.loop("for", "i", size) as i:
                p, q = source(i), to(i)
                with k.loop("vector", "c", count) as c:
                    k.store(work, (q, c), given(p, c))

        def moved(i: Dim) -> Dim:
            g: Any = k.cast(k.load(order, (matrix, i)), i64)
            return g.index  # type: ignore[no-any-return]

        if adjoint:
            sides(lambda i: i, lambda i: i)
            substitute(w, work, lu, size, count, at, of, True, True)
            substitute(w, work, lu, size, count, at, of, False, True, True)
        else:
            sides(moved, lambda i: i)
            substitute(w, work, lu, size, count, at, of, True, False, True)
            substitute(w, work, lu, size, count, at, of, False, False)
        with k.loop("for", "i", size) as i:
            row = moved(i) if adjoint else i
            with k.loop("vector", "c", count) as c:
                k.store(x, (matrix, row, start + c), k.load(work, (i, c)))
    binds = [*made, *([s.input(1)] if right else []), s.output()]
    s.step(k.build(), [*binds, s.scratch(scratch_stride(work), t)])


def log_determinant(n: Node, s: Site) -> None:
    """Signs and logarithms of determinants by the factors; with one result the determinant."""
    shape = known_shape(n.inputs[0])
    many, size, t = D.product(shape[:-2]), shape[-1], n.inputs[0].dtype
    k = KernelBuilder(n.op.name)
    w = Loops(k, t)
    x = k.input("x", t, (many, size, size))
    lu = k.scratch("lu", t, (size, size + APART))
    made = [k.output(f"y{i}", t, (many,)) for i in range(len(n.outputs))]
    sign = made[0]
    with k.loop("parallel", "u", many) as u:

        def swapped(p: Dim, q: Dim) -> None:
            old = k.load(sign, (u,))
            same = w.test("equal", k.index(p), k.index(q))
            k.store(sign, (u,), k.select(same, old, w.f("negative", old)))

        def place(i: Dim, j: Dim) -> tuple[Dim, ...]:
            return (i, j)

        w.copy(lu, x, size, size, place, lambda i, j: (u, i, j))
        k.store(sign, (u,), w.one)
        lower_product(w, lu, size, place, swapped)
        kinds: Sequence[tuple[str, DType]] = [("last", t), ("sum", t), ("prod", t), ("min", t)]
        start: list[Any] = [k.load(sign, (u,)), w.zero, w.one, w.one]
        with k.scan("i", size, kinds, start) as total:
            p = k.load(lu, (total.var, total.var))
            each = k.select(w.test("less", p, w.zero), lit(-1, t), w.one)
            each = k.select(w.test("equal", p, w.zero), w.zero, each)
            each = k.select(w.test("equal", p, p), each, p)
            now = w.f("abs", w.f("multiply", total.before[2], p))
            total.step(w.f("multiply", total.before[0], each), w.f("log", w.f("abs", p)), p, now)
        out, logs, product, least = total.results
        # without end, or no numbers: what TensorFlow 1.15 makes of the logarithm
        usual = w.test("equal", w.f("subtract", logs, logs), w.zero)
        endless = w.test("greater", logs, w.zero)
        if len(made) == 1:
            # the product, unless some part of it left the numbers of full precision
            first = w.f("multiply", k.load(sign, (u,)), product)
            kept = w.test("greater_equal", least, lit(float(np.finfo(t.np).tiny), t))
            finite = w.test("less", w.f("abs", product), lit(float("inf"), t))
            kept = w.test("logical_and", kept, finite)
            zero = w.test("equal", out, w.zero)
            far = k.select(zero, w.zero, w.f("multiply", out, w.f("exp", logs)))
            odd = k.select(endless, lit(float("nan"), t), w.zero)
            k.store(sign, (u,), k.select(usual, k.select(kept, first, far), odd))
        else:
            least = k.select(endless, logs, lit(-float("inf"), t))
            k.store(sign, (u,), k.select(usual, out, w.zero))
            k.store(made[1], (u,), k.select(usual, logs, least))
    binds = [s.input(0), *(s.output(i) for i in range(len(made)))]
    rows = s.scratch(scratch_stride(lu), t)
    s.step(k.build(), [binds[0], rows, *binds[1:]])


# ------------------------------------------------------------------------- symmetric factors


def factor_cholesky(n: Node, s: Site) -> None:
    """Lower factors; only the lower triangle of the operand is read.

    The square on the diagonal is factored turned over (`top`), so that its rows are vectors; the
    columns below are kept turned over beside (`panel`) for the product that follows.
    """
    shape = known_shape(n.inputs[0])
    many, size, t = D.product(shape[:-2]), shape[-1], n.inputs[0].dtype
    k = KernelBuilder("factor_cholesky")
    w = Loops(k, t)
    x = k.input("x", t, (many, size, size))
    low = k.output("low", t, (many, size, size))
    panel = k.scratch("panel", t, (PANEL, D.maximum(size, 1)))
    with k.loop("parallel", "u", many) as u:
        top = k.alloc("top", t, (PANEL, PANEL))
        with k.loop("for", "i", size) as i, k.loop("vector", "j", i + 1) as j:
            k.store(low, (u, i, j), k.load(x, (u, i, j)))
        with k.loop("for", "p", D.ceildiv(size, PANEL)) as p:
            first = p * PANEL
            width = D.minimum(size - first, PANEL)
            with k.loop("for", "r", width) as r, k.loop("vector", "c", r + 1) as c:
                k.store(top, (c, r), k.load(low, (u, first + r, first + c)))
            with k.loop("for", "c", width) as c:
                square = k.load(top, (c, c))
                bad = w.test("less_equal", square, w.zero)
                k.check(w.test("logical_not", bad), 1, u)
                own = w.f("sqrt", square)
                k.store(top, (c, c), own)
                k.store(low, (u, first + c, first + c), own)
                with k.loop("for", "e", width - 1 - c) as e:
                    share = w.f("realdiv", k.load(top, (c, c + 1 + e)), own)
                    k.store(top, (c, c + 1 + e), share)
                    k.store(low, (u, first + c + 1 + e, first + c), share)
                with k.loop("for", "r", width - 1 - c) as r:
                    row = c + 1 + r
                    factor = k.load(top, (c, row))
                    with k.loop("vector", "e", width - row) as e:
                        old = k.load(top, (row, row + e))
                        new = w.less_product(old, factor, k.load(top, (c, row + e)))
                        k.store(top, (row, row + e), new)
            below = first + width
            rest = size - below
            with k.loop("for", "c", width) as c:
                own = k.load(top, (c, c))
                with k.loop("for", "i", rest) as i:
                    share = w.f("realdiv", k.load(low, (u, below + i, first + c)), own)
                    k.store(low, (u, below + i, first + c), share)
                    k.store(panel, (c, i), share)
                    with k.loop("vector", "e", width - 1 - c) as e:
                        to = (u, below + i, first + c + 1 + e)
                        new = w.less_product(k.load(low, to), share, k.load(top, (c, c + 1 + e)))
                        k.store(low, to, new)
            w.reduced(
                low, rest, width, lambda i, j: (u, below + i, below + j),
                lambda i, q: k.load(low, (u, below + i, first + q)),
                lambda q, j: k.load(panel, (q, j)), lambda last: last + 1,
            )  # fmt: skip
        with k.loop("for", "i", size) as i, k.loop("vector", "j", size - 1 - i) as j:
            k.store(low, (u, i, i + 1 + j), w.zero)
    words = "Cholesky decomposition was not successful. The input might not be valid."
    s.step(k.build(), [s.input(0), s.output(), s.scratch(scratch_stride(panel), t)], [words])
