"""What runs on the finished sums of a product: pointwise code at each of its places."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Expr, Shape
from graphc.ir.graph import Graph
from graphc.ir.kernel import Buffer, Epilogue, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value

__all__ = ["EpilogueBuilder", "batch_of"]


def batch_of(shape: Shape, full: Shape, last: int = 2) -> bool | None:
    """Whether an operand runs along the batch of a matrix product whose result is `full`.

    None where it runs along a part of it, as a mask ``[b, 1, n, n]`` of products ``[b, h, n, n]``:
    the loops have one axis for the batch. The batch is all axes but the `last`.
    """
    head, batch = D.product(shape[:-last]), D.product(full[:-last])
    if head == 1 or D.repeats(head, batch):
        return False
    return True if D.same(head, batch) else None


class EpilogueBuilder:
    """Builds the epilogue of a body: every value at a place of the product's result.

    Parameters
    ----------
    k : KernelBuilder
    body : Graph
    node : Node
        The product; everything else of the body is pointwise on its result.
    number : dict of Value to int
        The place of each of the body's inputs.

    Attributes
    ----------
    names : sequence of str
        Of the coordinates of a place; a subclass says what they are.
    extra : list of int
        The inputs that the epilogue reads, in the order of their buffers.
    """

    names: Sequence[str]

    def __init__(self, k: KernelBuilder, body: Graph, node: Node, number: dict[Value, int]) -> None:
        self.k = k
        self.body = body
        self.node = node
        self.number = number
        self.extra: list[int] = []
        self.buffers: dict[int, Buffer] = {}
        self.memo: dict[Value, Operand] = {}

    def shape(self, v: Value) -> tuple[Dim, ...]:
        """The sizes of the buffer of an input."""
        raise NotImplementedError

    def index(self, v: Value, at: tuple[Expr, ...]) -> tuple[Dim, ...]:
        """Where in its buffer an input is read for a place."""
        raise NotImplementedError

    def build(self) -> Epilogue:
        # buffers must be declared before the template that uses them
        for n in self.body.nodes():
            for v in n.inputs:
                if v in self.number and n is not self.node and self.number[v] not in self.buffers:
                    name = f"e{len(self.extra)}"
                    self.buffers[self.number[v]] = self.k.input(name, v.dtype, self.shape(v))
                    self.extra.append(self.number[v])
        acc = self.node.outputs[0]
        with self.k.epilogue(self.names, [acc.dtype]) as e:
            self.at = e.vars
            self.memo[acc] = e.params[0]
            for n in self.body.nodes():
                if n is not self.node and n.op.name != "input":
                    self.value(n.outputs[0])
            e.yields(*[self.value(v) for v in self.body.outputs])
        assert e.result is not None
        return e.result

    def value(self, v: Value) -> Operand:
        x = self.memo.get(v)
        if x is not None:
            return x
        n = v.node
        if v in self.number:
            x = self.k.load(self.buffers[self.number[v]], self.index(v, self.at))
        elif n.op.name == "constant":
            x = lit(n.attrs["value"].reshape(-1)[0], v.dtype)
        elif n.op.name == "cast":
            with self.k.of(n):
                x = self.k.cast(self.value(n.inputs[0]), v.dtype)
        else:
            attrs = {k: a for k, a in n.attrs.items() if k != "dtype"}
            with self.k.of(n):
                args = [self.value(i) for i in n.inputs]
                x = self.k.let(n.op.in_kernels, *args, dtype=v.dtype, **attrs)
        self.memo[v] = x
        return x
