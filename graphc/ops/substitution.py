"""Loops of triangular systems: one unknown after the other, for many right sides at once."""

from __future__ import annotations

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
COLUMNS = 64


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

    with k.loop("parallel", "u", many * blocks) as u, k.loop("for", "i", size) as i:
        matrix, start, row = u // blocks, u % blocks * COLUMNS, line(i)
        own = k.load(a, (matrix, row, row))
        k.check(k.let("not_equal", own, lit(0, t), dtype=dtypes.bool_), 1, u)
        with k.loop("vector", "c", D.minimum(columns - start, COLUMNS)) as e:
            c = start + e
            with k.reduce("for", "j", i) as r:
                known = line(r.var)
                factor = k.load(a, (matrix, known, row) if adjoint else (matrix, row, known))
                r.yields(sum=k.let("multiply", factor, k.load(x, (matrix, known, c))))
            rest = k.let("subtract", k.load(b, (matrix, row, c)), r.results[0])
            k.store(x, (matrix, row, c), k.let("realdiv", rest, own))
    s.step(k.build(), [s.input(0), s.input(1), s.output()], ["Input matrix is not invertible."])
