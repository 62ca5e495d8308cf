"""A convolution with what follows it becomes kernels: the rest runs on finished sums."""

from __future__ import annotations

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr
from graphc.ir.graph import Graph
from graphc.ir.kernel import Buffer
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops import conv_blocks, conv_products, conv_taps, winograd
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
    spread = conv_taps.spread_of(node)
    if spread is not None:
        _lower_spread(body, node, spread, name, number, out)
        return out
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
        panels = fast is None and conv_blocks.is_packed(g)
        if panels:
            plain, source = source, ("temp", len(out.temps))
            out.temps.append((w.dtype, D.product(g.kernel) * g.channels * g.columns))
            made = conv_blocks.packed(f"{label}_panels", g, w.dtype)
            out.parts.append(Part(made, [plain, source]))
        out.parts.append(_part(body, node, g, label, number, x, source, fast, panels))
    return out


def _lower_spread(
    body: Graph, node: Node, s: conv_taps.Spread, name: str, number: dict[Value, int], out: Lowered
) -> None:
    """The two kernels of a convolution to few channels."""
    image, filter = (0, 1) if s.turned else (1, 0)
    x, w = node.inputs[image], node.inputs[filter]
    assert w.static_shape is not None
    assert x.static_shape is not None
    sums = conv_blocks.sum_type(x)
    count = s.kernel[0] * s.terms * s.pitch
    out.temps.append((sums, count))
    made = conv_taps.filter_kernel(f"{name}_taps", s, w.static_shape, w.dtype, sums)
    out.parts.append(Part(made, [("in", number[w]), ("temp", 0)]))
    k = KernelBuilder(name)
    buffers = [k.input("x", x.dtype, x.static_shape), k.input("w", sums, (count,))]
    bind = [("in", number[x]), ("temp", 0)]
    outs = _outputs(k, body)
    bind += [("out", i) for i in range(len(outs))]
    epilogue = None
    if body.outputs != (node.outputs[0],):
        rest = _RowEpilogue(k, body, node, number)
        rest.columns = s.columns
        epilogue = rest.build()
        bind += [("in", i) for i in rest.extra]
    kernel, scratch = conv_taps.results_kernel(k, s, buffers[0], buffers[1], outs, epilogue)
    out.parts.append(Part(kernel, bind + [("scratch", 0)] * scratch))


def _outputs(k: KernelBuilder, body: Graph) -> list[Buffer]:
    """What a kernel writes: the results of the body."""
    outs = []
    for i, v in enumerate(body.outputs):
        assert v.static_shape is not None
        outs.append(k.output(f"y{i}", v.dtype, v.static_shape))
    return outs


def _part(
    body: Graph, node: Node, g: conv_blocks.Grid, label: str, number: dict[Value, int], x: Value,
    source: tuple[str, int], fast: int | None, panels: bool,
) -> Part:  # fmt: skip
    k = KernelBuilder(label)
    assert x.static_shape is not None
    buffers = [
        k.input("x", x.dtype, x.static_shape),
        k.input("w", dtypes.float32, (winograd.PLACES, winograd.pitch(g.channels, g.columns)))
        if fast else k.input("w", x.dtype, (*g.kernel, g.channels, g.columns * g.groups)),
    ]  # fmt: skip
    bind = [("in", number[x]), source]
    outs = _outputs(k, body)
    bind += [("out", i) for i in range(len(outs))]
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
        kernel, scratch = conv_blocks.conv_kernel(
            k, g, buffers[0], buffers[1], outs, epilogue, panels
        )
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


class _RowEpilogue(EpilogueBuilder):
    """Every value at image, depth, height and an element of a row: width and channels are one axis.

    Attributes
    ----------
    columns : int
        Channels of the results.
    """

    names = ("n", "d", "h", "e")
    columns: int

    def _axes(self, v: Value) -> tuple[tuple[Dim, ...], tuple[Dim, ...], str]:
        """Sizes of an operand before its row, those of its row, and which axes the row has."""
        full = self.node.outputs[0].static_shape or ()
        shape = v.static_shape or ()
        shape = (*[1] * (len(full) - len(shape)), *shape)
        head, (wide, channels) = shape[:-2], shape[-2:]
        if (wide != 1 or full[-2] == 1) and (channels != 1 or self.columns == 1):
            return head, (wide * channels,), "wc"
        axes = "".join(a for a, d in zip("wc", (wide, channels), strict=True) if d != 1)
        return head, tuple(d for d in (wide, channels) if d != 1), axes

    def shape(self, v: Value) -> tuple[Dim, ...]:
        head, row, _ = self._axes(v)
        return (*(d for d in head if d != 1), *row) or (1,)

    def index(self, v: Value, at: tuple[Expr, ...]) -> tuple[Dim, ...]:
        head, _, axes = self._axes(v)
        e, c = at[3], self.columns
        row: dict[str, tuple[Dim, ...]] = {
            "wc": (e,), "w": (e // c,), "c": (e % c,), "": (),
        }  # fmt: skip
        places = (at[0], *at[4 - len(head) : 3]) if head else ()
        return (*(p for p, d in zip(places, head, strict=True) if d != 1), *row[axes]) or (0,)


def live(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The sizes of a shape that an index runs along."""
    return tuple(d for d in shape if d != 1) or (1,)
