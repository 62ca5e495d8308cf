"""Loops of triangular systems: one block of unknowns after the other, for many right sides at once.

The rows of a block share what they read: each element of the unknowns that are known is loaded
once and multiplied by a coefficient of each row. What the block's own unknowns have to do with
each other comes afterwards, written out.
"""

from __future__ import annotations

from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site

__all__ = ["lower_triangular"]

#: Right sides of a parallel unit.
COLUMNS = 32
#: Rows of a block: sums of so many stay in registers, beside what keeps them exact.
ROWS = 8


def lower_triangular(n: Node, s: Site) -> None:
    """Each unknown is what its equation leaves of the right side, by its coefficient."""
    shape, sides = known_shape(n.inputs[0]), known_shape(n.inputs[1])
    many, size, columns = D.product(shape[:-2]), shape[-1], sides[-1]
    adjoint = n.attrs["adjoint"]
    downwards = n.attrs["lower"] != adjoint
    t = n.inputs[0].dtype
    blocks = D.maximum(D.ceildiv(columns, COLUMNS), 1)
    k = KernelBuilder(n.op.name)
    a = k.input("a", t, (many, size, size))
    b = k.input("b", t, (many, size, columns))
    x = k.output("x", t, (many, size, columns))

    def line(i: Dim) -> Dim:
        return i if downwards else size - 1 - i

    def f(op: str, *operands: Any) -> Any:
        return k.let(op, *operands, dtype=t)

    with k.loop("parallel", "u", many * blocks) as u:
        matrix, start = u // blocks, u % blocks * COLUMNS

        def factor(row: Dim, known: Dim) -> Any:
            at = (line(known), line(row)) if adjoint else (line(row), line(known))
            return k.load(a, (matrix, *at))

        def block(first: Dim, rows: int) -> None:
            """Unknowns from `first` on: all but the block's own are known before it."""
            own = [factor(first + q, first + q) for q in range(rows)]
            below = [[factor(first + q, first + p) for p in range(q)] for q in range(rows)]
            for d in own:
                k.check(k.let("not_equal", d, lit(0, t), dtype=dtypes.bool_), 1, u)
            with k.loop("vector", "c", D.minimum(columns - start, COLUMNS)) as e:
                c = start + e
                with k.reduce("for", "j", first) as r:
                    known = k.load(x, (matrix, line(r.var), c))
                    r.yields(*(
                        ("sum", f("multiply", factor(first + q, r.var), known))
                        for q in range(rows)
                    ))  # fmt: skip
                found: list[Any] = []
                for q, done in enumerate(r.results):
                    at = (matrix, line(first + q), c)
                    rest = f("subtract", k.load(b, at), done)
                    for share, other in zip(below[q], found, strict=True):
                        rest = f("subtract", rest, f("multiply", share, other))
                    found.append(f("realdiv", rest, own[q]))
                    k.store(x, at, found[-1])

        if size // ROWS != 0:
            with k.loop("for", "i", size // ROWS) as i:
                block(i * ROWS, ROWS)
        if size % ROWS != 0:
            with k.loop("for", "i", size % ROWS) as i:
                block(size // ROWS * ROWS + i, 1)
    s.step(k.build(), [s.input(0), s.input(1), s.output()], ["Input matrix is not invertible."])
