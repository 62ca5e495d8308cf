"""Small matrices, a vector of them at a time: elimination written out, with no loop inside.

Each value is one element of as many matrices of a batch as a vector has lanes. Rows change places
by selects, so that each matrix has the pivots it would have alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.kernel import Buffer, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site

__all__ = ["lower_cholesky", "lower_determinant", "lower_inverse", "lower_slogdet", "lower_solve",
           "small"]  # fmt: skip

#: The largest matrix that is written out, and the most elements that are computed with: LLVM takes
#: a quarter of a second for so many.
SIDE, ELEMENTS = 8, 64
#: Matrices of a parallel unit.
TOGETHER = 64

Rows = list[list[Any]]


def small(n: Node) -> bool:
    """Whether the matrices are known to be small, and right sides few."""
    shape = n.inputs[0].static_shape
    if shape is None or len(shape) < 2:
        return False
    side = shape[-1]
    if type(side) is not int or not 0 < side <= SIDE or shape[-2] != side:
        return False
    columns: Any = side if n.op.name == "matrix_inverse" else 0
    if len(n.inputs) == 2:
        right = n.inputs[1].static_shape
        if right is None or len(right) != len(shape) or right[-2] != side:
            return False
        columns = right[-1]
        if type(columns) is not int or columns < 1:
            return False
    elements: int = side * (side + columns)
    return elements <= (2 if n.op.name == "cholesky" else 1) * ELEMENTS


class _Batch:
    """The loop over a batch of matrices, and arithmetic in it."""

    def __init__(self, n: Node, s: Site) -> None:
        self.n, self.s = n, s
        shape = known_shape(n.inputs[0])
        side = shape[-1]
        assert type(side) is int
        self.many, self.side = D.product(shape[:-2]), side
        self.k = KernelBuilder(n.op.name)
        self.t = n.inputs[0].dtype
        self.zero, self.one = lit(0, self.t), lit(1, self.t)
        self.checks: list[str] = []
        inverse = n.op.name == "matrix_inverse"
        self.words = f"Input {'' if inverse else 'matrix '}is not invertible."

    def f(self, op: str, *operands: Operand) -> Any:
        return self.k.let(op, *operands, dtype=self.t)

    def test(self, op: str, *operands: Operand) -> Any:
        return self.k.let(op, *operands, dtype=dtypes.bool_)

    def check(self, right: Any, words: str, b: Any) -> None:
        self.checks = [words]
        self.k.check(right, 1, b)

    def run(self, inside: Callable[[Any, list[Buffer], list[Buffer]], None]) -> None:
        k, n = self.k, self.n
        outer = len(known_shape(n.inputs[0])) - 2
        given, made = (
            [
                add(f"{word}{i}", v.dtype, (self.many, *known_shape(v)[outer:]))
                for i, v in enumerate(values)
            ]
            for add, word, values in ((k.input, "x", n.inputs), (k.output, "y", n.outputs))
        )  # fmt: skip
        with k.loop("parallel vector", "b", self.many, block=TOGETHER) as b:
            inside(b, given, made)
        binds = [self.s.input(i) for i in range(len(given))]
        binds += [self.s.output(i) for i in range(len(made))]
        self.s.step(k.build(), binds, self.checks)

    def rows(self, buffer: Buffer, b: Any, columns: int, turned: bool = False) -> Rows:
        def place(i: int, j: int) -> tuple[Any, ...]:
            return (b, j, i) if turned else (b, i, j)

        return [
            [self.k.load(buffer, place(i, j)) for j in range(columns)] for i in range(self.side)
        ]

    def eliminate(self, rows: Rows) -> tuple[list[Any], Any]:
        """Rows of a triangular matrix in the place of `rows`; its diagonal, and the sign it has.

        The row with the largest element of a column comes first, of equal ones the first.
        """
        n = self.side
        sign: Any = self.one
        minus = lit(-1, self.t)
        for c in range(n):
            for r in range(c + 1, n):
                top, other = rows[c], rows[r]
                swap = self.test("greater", self.f("abs", other[c]), self.f("abs", top[c]))
                for j in range(c, len(top)):
                    a, b = top[j], other[j]
                    top[j], other[j] = self.k.select(swap, b, a), self.k.select(swap, a, b)
                sign = self.f("multiply", sign, self.k.select(swap, minus, self.one))
            own = rows[c][c]
            nothing = self.test("equal", own, self.zero)
            for r in range(c + 1, n):
                share = self.f("realdiv", rows[r][c], own)
                share = self.k.select(nothing, self.zero, share)
                for j in range(c + 1, len(rows[r])):
                    rows[r][j] = self.f(
                        "subtract", rows[r][j], self.f("multiply", share, rows[c][j])
                    )
        return [rows[i][i] for i in range(n)], sign

    def solve(self, rows: Rows, b: Any, columns: int) -> Rows:
        """What the matrix on the left takes to what is right of it."""
        n = self.side
        pivots, _ = self.eliminate(rows)
        right = self.test("equal", pivots[0], pivots[0])  # as TensorFlow, which lets later NaN pass
        for p in pivots:
            right = self.test("logical_and", right, self.test("not_equal", p, self.zero))
        self.check(right, self.words, b)
        for i in reversed(range(n)):
            for j in range(n, n + columns):
                x = rows[i][j]
                for m in range(i + 1, n):
                    x = self.f("subtract", x, self.f("multiply", rows[i][m], rows[m][j]))
                rows[i][j] = self.f("realdiv", x, pivots[i])
        return [row[n:] for row in rows]

    def put(self, buffer: Buffer, b: Any, rows: Rows) -> None:
        for i, row in enumerate(rows):
            for j, x in enumerate(row):
                self.k.store(buffer, (b, i, j), x)


def lower_cholesky(n: Node, s: Site) -> None:
    """Columns of the factor one after the other; only the lower triangle is read."""
    w = _Batch(n, s)

    def inside(b: Any, given: list[Buffer], made: list[Buffer]) -> None:
        low: Rows = [[w.zero] * w.side for _ in range(w.side)]
        right: Any = lit(True, dtypes.bool_)
        for j in range(w.side):
            for i in range(j, w.side):
                x = w.k.load(given[0], (b, i, j))
                for m in range(j):
                    x = w.f("subtract", x, w.f("multiply", low[i][m], low[j][m]))
                if i == j:
                    bad = w.test("less_equal", x, w.zero)  # NaN goes on, as in TensorFlow
                    right = w.test("logical_and", right, w.test("logical_not", bad))
                low[i][j] = w.f("sqrt", x) if i == j else w.f("realdiv", x, low[j][j])
        w.check(
            right, "Cholesky decomposition was not successful. The input might not be valid.", b
        )
        w.put(made[0], b, low)

    w.run(inside)


def lower_solve(n: Node, s: Site) -> None:
    w = _Batch(n, s)
    columns = known_shape(n.inputs[1])[-1]
    assert type(columns) is int

    def inside(b: Any, given: list[Buffer], made: list[Buffer]) -> None:
        rows = w.rows(given[0], b, w.side, n.attrs["adjoint"])
        sides = w.rows(given[1], b, columns)
        whole = [row + side for row, side in zip(rows, sides, strict=True)]
        w.put(made[0], b, w.solve(whole, b, columns))

    w.run(inside)


def lower_inverse(n: Node, s: Site) -> None:
    w = _Batch(n, s)

    def inside(b: Any, given: list[Buffer], made: list[Buffer]) -> None:
        rows = w.rows(given[0], b, w.side, n.attrs["adjoint"])
        for i, row in enumerate(rows):
            row += [w.one if i == j else w.zero for j in range(w.side)]
        w.put(made[0], b, w.solve(rows, b, w.side))

    w.run(inside)


def lower_determinant(n: Node, s: Site) -> None:
    w = _Batch(n, s)

    def inside(b: Any, given: list[Buffer], made: list[Buffer]) -> None:
        pivots, total = w.eliminate(w.rows(given[0], b, w.side))
        endless: Any = w.zero  # NaN where a pivot is infinite
        for p in pivots:
            total = w.f("multiply", total, p)
            endless = w.f("add", endless, w.f("multiply", p, w.zero))
        number = w.test("equal", total, total)  # TensorFlow 1.15 makes 0 of NaN
        w.k.store(made[0], (b,), w.k.select(number, w.f("add", total, endless), w.zero))

    w.run(inside)


def lower_slogdet(n: Node, s: Site) -> None:
    w = _Batch(n, s)

    def inside(b: Any, given: list[Buffer], made: list[Buffer]) -> None:
        pivots, sign = w.eliminate(w.rows(given[0], b, w.side))
        total: Any = w.zero
        minus = lit(-1, w.t)
        for p in pivots:
            each = w.k.select(w.test("less", p, w.zero), minus, w.one)
            each = w.k.select(w.test("equal", p, w.zero), w.zero, each)
            sign = w.f("multiply", sign, each)
            total = w.f("add", total, w.f("log", w.f("abs", p)))
        # without end, or no numbers: what TensorFlow 1.15 makes of the logarithm
        usual = w.test("equal", w.f("subtract", total, total), w.zero)
        odd = w.k.select(w.test("greater", total, w.zero), total, lit(-float("inf"), w.t))
        w.k.store(made[0], (b,), w.k.select(usual, sign, w.zero))
        w.k.store(made[1], (b,), w.k.select(usual, total, odd))

    w.run(inside)
