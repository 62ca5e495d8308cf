"""A convolution with what follows it becomes kernels: the rest runs on finished sums."""

from __future__ import annotations

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Expr
from graphc.ir.graph import Graph
from graphc.ir.kernel import Buffer, Epilogue, KernelBuilder, Operand, lit
from graphc.ir.node import Node, Value
from graphc.ops import conv, winograd
from graphc.passes.fuse import is_convolution
from graphc.passes.lower import Lowered, Part

__all__ = ["convolution_of", "lower_convolution"]


def convolution_of(body: Graph) -> Node | None:
    """The convolution of a body, if it has one."""
    return next((n for n in body.nodes() if is_convolution(n)), None)


def lower_convolution(body: Graph, name: str) -> Lowered:
    """The kernels of a body with one convolution; the rest is pointwise on its result."""
    node = convolution_of(body)
    assert node is not None
    grids = conv.grids(node)
    assert grids is not None
    image, filter = (0, 1) if node.op is conv.conv_op else (1, 0)
    number = {v: i for i, v in enumerate(body.inputs)}
    x, w = node.inputs[image], node.inputs[filter]
    assert w.static_shape is not None
    out = Lowered()
    for i, g in enumerate(grids):
        label = name if len(grids) == 1 else f"{name}_{i}"
        source = ("in", number[w])
        if not g.straight:
            count = D.product(g.kernel) * g.channels * g.columns * g.groups
            source = ("temp", len(out.temps))
            out.temps.append((w.dtype, D.maximum(count, 1)))
            if count:
                turned = conv.turned(f"{label}_filter", g, w.static_shape, w.dtype)
                out.parts.append(Part(turned, [("in", number[w]), source]))
        fast = winograd.side(g, w.dtype) if node.attrs.get("winograd") else None
        if fast is not None:
            plain, source = source, ("temp", len(out.temps))
            out.temps.append((w.dtype, winograd.PLACES * g.channels * g.columns))
            made = winograd.filter_kernel(f"{label}_points", g, w.dtype)
            out.parts.append(Part(made, [plain, source]))
        out.parts.append(_part(body, node, g, label, number, x, source, fast))
    return out


def _part(
    body: Graph, node: Node, g: conv.Grid, label: str, number: dict[Value, int], x: Value,
    source: tuple[str, int], fast: int | None,
) -> Part:  # fmt: skip
    k = KernelBuilder(label)
    assert x.static_shape is not None
    buffers = [
        k.input("x", x.dtype, x.static_shape),
        k.input("w", x.dtype, (winograd.PLACES, g.channels, g.columns)) if fast
        else k.input("w", x.dtype, (*g.kernel, g.channels, g.columns * g.groups)),
    ]  # fmt: skip
    bind = [("in", number[x]), source]
    outs = []
    for i, v in enumerate(body.outputs):
        assert v.static_shape is not None
        outs.append(k.output(f"y{i}", v.dtype, v.static_shape))
        bind.append(("out", i))
    epilogue = None
    if body.outputs != (node.outputs[0],):
        made = _Epilogue(k, body, node, number)
        epilogue = made.build()
        bind += [("in", i) for i in made.extra]
    if fast:
        kernel, scratch = winograd.results_kernel(
            k, g, fast, buffers[0], buffers[1], outs, epilogue
        )
    else:
        kernel, scratch = conv.conv_kernel(k, g, buffers[0], buffers[1], outs, epilogue)
    return Part(kernel, bind + [("scratch", 0)] * scratch)


class _Epilogue:
    """Builds the epilogue: every value at a place of the convolution's result."""

    def __init__(self, k: KernelBuilder, body: Graph, node: Node, number: dict[Value, int]) -> None:
        self.k = k
        self.body = body
        self.node = node
        self.number = number
        self.extra: list[int] = []
        self.buffers: dict[Value, Buffer] = {}
        self.memo: dict[Value, Operand] = {}

    def build(self) -> Epilogue:
        for n in self.body.nodes():
            for v in n.inputs:
                if v in self.number and n is not self.node and v not in self.buffers:
                    s = v.static_shape
                    assert s is not None
                    self.buffers[v] = self.k.input(f"e{len(self.extra)}", v.dtype, live(s))
                    self.extra.append(self.number[v])
        acc = self.node.outputs[0]
        with self.k.epilogue(["n", "d", "h", "w", "col"], [acc.dtype]) as e:
            self.at = self.places(e.vars, len(acc.static_shape or ()))
            self.memo[acc] = e.params[0]
            for n in self.body.nodes():
                if n is not self.node and n.op.name != "input":
                    self.value(n.outputs[0])
            e.yields(*[self.value(v) for v in self.body.outputs])
        assert e.result is not None
        return e.result

    @staticmethod
    def places(vars: tuple[Expr, ...], rank: int) -> tuple[Dim, ...]:
        """The index of an element of the result."""
        return (vars[0], *vars[6 - rank : 4], vars[4])

    def value(self, v: Value) -> Operand:
        x = self.memo.get(v)
        if x is not None:
            return x
        n = v.node
        if v in self.number:
            s = v.static_shape
            assert s is not None
            at = self.at[len(self.at) - len(s) :]
            index = tuple(p for p, d in zip(at, s, strict=True) if d != 1)
            x = self.k.load(self.buffers[v], index or (0,))
        elif n.op.name == "constant":
            x = lit(n.attrs["value"].reshape(-1)[0], v.dtype)
        elif n.op.name == "cast":
            x = self.k.cast(self.value(n.inputs[0]), v.dtype)
        else:
            attrs = {k: a for k, a in n.attrs.items() if k != "dtype"}
            x = self.k.let(n.op.name, *[self.value(i) for i in n.inputs], dtype=v.dtype, **attrs)
        self.memo[v] = x
        return x


def live(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The sizes of a shape that an index runs along."""
    return tuple(d for d in shape if d != 1) or (1,)
