"""A matrix product with what follows it becomes one kernel: the rest runs on finished sums."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import CompileError
from graphc.ir import dims as D
from graphc.ir.dims import Dim, Expr
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Epilogue, Kernel
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.passes.epilogue import EpilogueBuilder, batch_of
from graphc.passes.groups import is_contraction

__all__ = ["Contraction", "contraction_of", "lower_contraction"]


@dataclass(frozen=True)
class Contraction:
    """A matrix product with its epilogue.

    Attributes
    ----------
    a, b : int
        Numbers of the body inputs that are multiplied.
    m, n, k, batch : Dim
        Sizes; `batch` is 1 for a plain product.
    a_shared, b_shared : bool
        Whether that operand has no batch dimension.
    extra : tuple of int
        Numbers of the body inputs the epilogue reads, in order of its buffers.
    kernel : Kernel
        Prints the product; its template carries the epilogue.
    panels : bool
        The right operand is kept in panels (`graphc.runtime.kept`).
    chain : Dim
        Of a sum of products the terms of each; 0 for one product. The first of `extra` then says
        how many products it has.
    """

    a: int
    b: int
    dtype: DType
    ta: bool
    tb: bool
    m: Dim
    n: Dim
    k: Dim
    batch: Dim
    a_shared: bool
    b_shared: bool
    extra: tuple[int, ...]
    outputs: tuple[DType, ...]
    kernel: Kernel
    epilogue: Epilogue | None
    panels: bool = False
    chain: Dim = 0


def contraction_of(body: Graph) -> Node | None:
    """The matrix product of a body, if it has one."""
    return next((n for n in body.nodes() if is_contraction(n)), None)


def lower_contraction(body: Graph, name: str) -> Contraction:
    """The product and epilogue of a body with one contraction, the rest pointwise on its result."""
    node = contraction_of(body)
    assert node is not None
    a, b = node.inputs[:2]
    sa, sb, sy = a.static_shape, b.static_shape, node.outputs[0].static_shape
    assert sa is not None
    assert sb is not None
    assert sy is not None
    summed = node.op.name == "matmul_sum"
    ta, tb = summed or bool(node.attrs.get("transpose_a")), bool(node.attrs.get("transpose_b"))
    params = {v: i for i, v in enumerate(body.inputs)}
    batch = D.product(sy[:-2])
    m, n = sy[-2], sy[-1]
    k = sa[-2] if ta else sa[-1]
    chain = k if summed else 0
    k = k * sa[0] if summed else k
    a_shared, b_shared = len(sa) == 2 and len(sy) > 2, len(sb) == 2 and len(sy) > 2
    one = b_shared and not a_shared and not ta and _runs_along_rows(body, node)
    if one:  # the rows of all matrices are those of one, by the same right operand
        batch, m, b_shared = 1, batch * m, False
    builder = KernelBuilder(name)
    bufs = [
        builder.input("a", a.dtype, (m, k) if one else tuple(d for d in sa if d != 1) or (1,)),
        builder.input("b", b.dtype, tuple(d for d in sb if d != 1) or (1,)),
    ]
    outs = [
        builder.output(f"y{i}", v.dtype, _collapsed(batch, m, n))
        for i, v in enumerate(body.outputs)
    ]
    lower = _Epilogue(builder, body, node, params, (batch, m, n), one)
    if summed:
        lower.counted(node.inputs[2])
    trivial = body.outputs == (node.outputs[0],)
    epilogue = None if trivial else lower.build()
    builder.template(
        "gemm", [*bufs, *outs], (batch, m, n, k), epilogue, transpose_a=ta, transpose_b=tb
    )
    return Contraction(
        params[a], params[b], a.dtype, ta, tb, m, n, k, batch,
        a_shared, b_shared, tuple(lower.extra), tuple(v.dtype for v in body.outputs),
        builder.build(), epilogue, chain=chain,
    )  # fmt: skip


def _collapsed(batch: Dim, m: Dim, n: Dim) -> tuple[Dim, ...]:
    return (m, n) if batch == 1 else (batch, m, n)


def _runs_along_rows(body: Graph, node: Node) -> bool:
    """Whether no operand of an epilogue runs along the product's batch alone, or its rows."""
    full = node.outputs[0].static_shape
    assert full is not None
    operands = {v for n in body.nodes() if n is not node for v in n.inputs} & set(body.inputs)
    return all(
        v.static_shape is not None and batch_of(v.static_shape, full, 1) is not None
        for v in operands
    )


class _Epilogue(EpilogueBuilder):
    """Every value at (batch, row, column) of the product, whose rows are of `one` matrix or not."""

    def __init__(
        self, k: KernelBuilder, body: Graph, node: Node, number: dict[Value, int],
        space: tuple[Dim, Dim, Dim], one: bool,
    ) -> None:  # fmt: skip
        super().__init__(k, body, node, number)
        self.space = space
        self.one = one
        self.names = ("row", "col") if space[0] == 1 else ("batch", "row", "col")

    def counted(self, v: Value) -> None:
        """Before all that the epilogue reads: how many products a sum has."""
        self.k.input("e0", v.dtype, ())
        self.extra.append(self.number[v])

    def uses(self, v: Value) -> tuple[bool, bool, bool]:
        """Which of batch, row and column an operand runs along."""
        s, full = v.static_shape, self.node.outputs[0].static_shape
        assert s is not None
        assert full is not None
        rank = len(s)
        col = rank >= 1 and not D.repeats(s[-1], full[-1])
        if self.one:
            return False, bool(batch_of(s, full, 1)), col
        row = rank >= 2 and not D.repeats(s[-2], full[-2])
        batch = batch_of(s, full)
        if batch is None:  # the fuser leaves these to a kernel of their own
            raise CompileError(f"operand {v!r} of an epilogue is broadcast over part of the batch")
        return batch, row, col

    def shape(self, v: Value) -> tuple[Dim, ...]:
        return tuple(d for d, u in zip(self.space, self.uses(v), strict=True) if u)

    def index(self, v: Value, at: tuple[Expr, ...]) -> tuple[Dim, ...]:
        place: tuple[Dim, ...] = at if len(at) == 3 else (0, *at)
        return tuple(d for d, u in zip(place, self.uses(v), strict=True) if u)
