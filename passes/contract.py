"""A matrix product with what follows it becomes one kernel: the rest runs on finished sums."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import CompileError
from graphc.ir import dims as D
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Buffer, Epilogue, Kernel, KernelBuilder, Operand, lit
from graphc.ir.node import Node, Value
from graphc.passes.fuse import is_contraction

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


def contraction_of(body: Graph) -> Node | None:
    """The matrix product of a body, if it has one."""
    return next((n for n in body.nodes() if is_contraction(n)), None)


def lower_contraction(body: Graph, name: str) -> Contraction:
    """The product and epilogue of a body with one contraction, the rest pointwise on its result."""
    node = contraction_of(body)
    assert node is not None
    a, b = node.inputs
    sa, sb, sy = a.static_shape, b.static_shape, node.outputs[0].static_shape
    assert sa is not None
    assert sb is not None
    assert sy is not None
    ta, tb = bool(node.attrs.get("transpose_a")), bool(node.attrs.get("transpose_b"))
    params = {v: i for i, v in enumerate(body.inputs)}
    batch = D.product(sy[:-2])
    m, n = sy[-2], sy[-1]
    k = sa[-2] if ta else sa[-1]
    builder = KernelBuilder(name)
    bufs = [
        builder.input("a", a.dtype, tuple(d for d in sa if d != 1) or (1,)),
        builder.input("b", b.dtype, tuple(d for d in sb if d != 1) or (1,)),
    ]
    outs = [
        builder.output(f"y{i}", v.dtype, _collapsed(batch, m, n))
        for i, v in enumerate(body.outputs)
    ]
    lower = _Epilogue(builder, body, node, params, (batch, m, n))
    trivial = body.outputs == (node.outputs[0],)
    epilogue = None if trivial else lower.build()
    builder.template(
        "gemm", [*bufs, *outs], (batch, m, n, k), epilogue, transpose_a=ta, transpose_b=tb
    )
    return Contraction(
        params[a], params[b], a.dtype, ta, tb, m, n, k, batch,
        len(sa) == 2 and len(sy) > 2, len(sb) == 2 and len(sy) > 2,
        tuple(lower.extra), tuple(v.dtype for v in body.outputs), builder.build(), epilogue,
    )  # fmt: skip


def _collapsed(batch: Dim, m: Dim, n: Dim) -> tuple[Dim, ...]:
    return (m, n) if batch == 1 else (batch, m, n)


class _Epilogue:
    """Builds the epilogue: every value at (batch, row, column) of the product."""

    def __init__(
        self,
        k: KernelBuilder,
        body: Graph,
        node: Node,
        params: dict[Value, int],
        space: tuple[Dim, Dim, Dim],
    ) -> None:
        self.k = k
        self.body = body
        self.node = node
        self.params = params
        self.batch, self.m, self.n = space
        self.extra: list[int] = []
        self.memo: dict[Value, Operand] = {}
        self.bufs: dict[int, Buffer] = {}

    def build(self) -> Epilogue:
        # buffers must be declared before the template that uses them
        for n in self.body.nodes():
            for v in n.inputs:
                if v in self.params and n is not self.node:
                    self.declare(v)
        names = ["row", "col"] if self.batch == 1 else ["batch", "row", "col"]
        acc = self.node.outputs[0]
        with self.k.epilogue(names, [acc.dtype]) as e:
            self.vars: tuple[Dim, ...] = e.vars if self.batch != 1 else (0, *e.vars)
            self.memo[acc] = e.params[0]
            for n in self.body.nodes():
                if n is not self.node and n.op.name != "input":
                    self.value(n.outputs[0])
            e.yields(*[self.value(v) for v in self.body.outputs])
        assert e.result is not None
        return e.result

    def shape_of(self, v: Value) -> tuple[tuple[Dim, ...], tuple[bool, bool, bool]]:
        """The buffer shape of an operand and which of batch, row, column it runs along."""
        s = v.static_shape
        assert s is not None
        rank = len(s)
        full = self.node.outputs[0].static_shape
        assert full is not None
        col = rank >= 1 and not D.repeats(s[-1], full[-1])
        row = rank >= 2 and not D.repeats(s[-2], full[-2])
        head = D.product(s[:-2]) if rank > 2 else 1
        if D.repeats(head, self.batch):
            head = 1
        if head != 1 and not D.same(head, self.batch):
            raise CompileError(f"operand {v!r} of an epilogue is broadcast over part of the batch")
        use = (rank > 2 and head != 1, row, col)
        shape = tuple(d for d, u in zip((self.batch, self.m, self.n), use, strict=True) if u)
        return shape, use

    def declare(self, v: Value) -> None:
        i = self.params[v]
        if i not in self.bufs:
            shape, _ = self.shape_of(v)
            self.bufs[i] = self.k.input(f"e{len(self.extra)}", v.dtype, shape)
            self.extra.append(i)

    def value(self, v: Value) -> Operand:
        x = self.memo.get(v)
        if x is not None:
            return x
        n = v.node
        if v in self.params:
            _, use = self.shape_of(v)
            index = tuple(d for d, u in zip(self.vars, use, strict=True) if u)
            x = self.k.load(self.bufs[self.params[v]], index)
        elif n.op.name == "constant":
            x = lit(n.attrs["value"].reshape(-1)[0], v.dtype)
        elif n.op.name == "cast":
            x = self.k.cast(self.value(n.inputs[0]), v.dtype)
        else:
            attrs = {k: a for k, a in n.attrs.items() if k != "dtype"}
            x = self.k.let(n.op.name, *[self.value(i) for i in n.inputs], dtype=v.dtype, **attrs)
        self.memo[v] = x
        return x
