"""A convolution with what follows it becomes kernels: the rest runs on finished sums."""

from __future__ import annotations

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr
from graphc.ir.graph import Graph
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops import conv_blocks, conv_products, winograd
from graphc.passes.epilogue import EpilogueBuilder
from graphc.passes.groups import is_convolution
from graphc.passes.lowered import Lowered, Part

__all__ = ["convolution_of", "lower_convolution"]


def convolution_of(body: Graph) -> Node | None:
    """The convolution of a body, if it has one."""
    return next((n for n in body.nodes() if is_convolution(n)), None)


def lower_convolution(body: Graph, name: str) -> Lowered:
    """The kernels of a body with one convolution; the rest is pointwise on its result."""
    node = convolution_of(body)
    assert node is not None
    grids = conv_blocks.grids(node)
    assert grids is not None
    image, filter = (0, 1) if node.op is conv_products.conv_op else (1, 0)
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
                turned = conv_blocks.turned(f"{label}_filter", g, w.static_shape, w.dtype)
                out.parts.append(Part(turned, [("in", number[w]), source]))
        fast = winograd.side(g, w.dtype) if node.attrs.get("winograd") else None
        if fast is not None:
            plain, source = source, ("temp", len(out.temps))
            out.temps.append(
                (dtypes.float32, winograd.PLACES * winograd.pitch(g.channels, g.columns))
            )
            made = winograd.filter_kernel(f"{label}_points", g, w.dtype)
            out.parts.append(Part(made, [plain, source]))
        out.parts.append(_part(body, node, g, label, number, x, source, fast))
    return out


def _part(
    body: Graph, node: Node, g: conv_blocks.Grid, label: str, number: dict[Value, int], x: Value,
    source: tuple[str, int], fast: int | None,
) -> Part:  # fmt: skip
    k = KernelBuilder(label)
    assert x.static_shape is not None
    buffers = [
        k.input("x", x.dtype, x.static_shape),
        k.input("w", dtypes.float32, (winograd.PLACES, winograd.pitch(g.channels, g.columns)))
        if fast else k.input("w", x.dtype, (*g.kernel, g.channels, g.columns * g.groups)),
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
        kernel, scratch = conv_blocks.conv_kernel(k, g, buffers[0], buffers[1], outs, epilogue)
    return Part(kernel, bind + [("scratch", 0)] * scratch)


class _Epilogue(EpilogueBuilder):
    """Every value at image, depth, height, width and column of the convolution's result."""

    names = ("n", "d", "h", "w", "col")

    def shape(self, v: Value) -> tuple[Dim, ...]:
        return live(v.static_shape or ())

    def index(self, v: Value, at: tuple[Expr, ...]) -> tuple[Dim, ...]:
        rank, shape = len(self.node.outputs[0].static_shape or ()), v.static_shape or ()
        place = (at[0], *at[6 - rank : 4], at[4])[rank - len(shape) :]
        return tuple(p for p, d in zip(place, shape, strict=True) if d != 1) or (0,)


def live(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The sizes of a shape that an index runs along."""
    return tuple(d for d in shape if d != 1) or (1,)
