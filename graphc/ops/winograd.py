"""Which convolutions take fewer products (Winograd), and the kernels that do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Kernel, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.lowering import Site

if TYPE_CHECKING:
    from graphc.ops.conv_blocks import Grid

__all__ = [
    "PLACES", "filter_kernel", "gradient_side", "lower_gradient", "pitch", "results_kernel",
    "side",
]  # fmt: skip

#: Raise it when what the templates emit changes: compiled kernels are cached by their text.
TEMPLATE = 2

#: Products of a tile for each channel and column.
PLACES = 36
#: Results of a tile along an axis, by the side of the filter.
SIDES = {3: 4, 5: 2}
#: Channels and columns for which it pays: the transforms cost as much as some products each.
FEWEST, MOST = 16, 256
#: Tiles from which on it pays to transform the filter; fewer where the second cache keeps it.
TILES, FEW_TILES = 64, 16
#: The same for the gradient of a filter, whose sums are kept once for each part of the batch.
MANY_TILES = 256
#: Parts of a batch that are summed apart, at most, and elements of all sums.
PARTS, SUMS = 8, 1 << 20
#: Channels of a register block of a filter's gradient.
CHANNELS = 4
#: Bytes of a block's tiles and products: half of a second cache of 1 MB.
BLOCK = 1 << 19
#: What a unit costs besides, in register blocks: the filter comes from the second cache again.
UNIT = 0.25
#: Tiles of a register block: with four vectors of columns they fill 32 registers.
ROWS = 6
#: Results that may be computed, those thrown away at the edges included, of 100 needed.
WASTE = 135


#: Types of images and filters. What is at the points is float32 in any case.
FLOATS = ("f32", "f16", "bf16")


def side(g: Grid, dtype: DType) -> int | None:
    """Results of a tile along an axis; None where plain products are quicker or it cannot be."""
    made = SIDES.get(g.kernel[2])
    plain = (
        dtype.code in FLOATS and g.groups == 1 and g.kernel[0] == 1 and made is not None
        and g.kernel[1] == g.kernel[2] and {*g.strides, *g.dilations, *g.step} == {1}
        and g.all == g.made and not any(g.first)
    )  # fmt: skip
    if not plain or made is None:
        return None
    small = 4 * PLACES * g.channels * g.columns <= BLOCK
    fewest = FEW_TILES if small else TILES
    return made if _pays(made, g.images, g.made[1:], g.channels, g.columns, fewest) else None


def _pays(
    made: int, images: Dim, sizes: Sequence[Dim], channels: int, columns: int, fewest: int
) -> bool:
    """Whether there is enough to do, and little of it in vain (a plan depends on the answers)."""
    f = D.facts()
    if f is None or not (FEWEST <= channels <= MOST and FEWEST <= columns <= MOST):
        return False
    tiles = D.product(D.ceildiv(n, made) for n in sizes)
    if f.less(images * tiles, fewest):
        return False
    return not f.less(D.product(sizes) * WASTE // 100, tiles * (made * made))


def _block(channels: int, columns: int) -> int:
    """Tiles whose transforms and products stay in the cache, in whole register blocks."""
    one = 4 * PLACES * (channels + columns)
    return max(1, min(8 * ROWS, BLOCK // one) // ROWS) * ROWS


def _even(block: int, tiles: Dim) -> int:
    """A block as above; where the number of tiles is known, one that threads finish soonest.

    Thought of are two and four threads. 49 tiles in blocks of 18 would be 36 of one thread.
    """
    if type(tiles) is not int:
        return block

    def rounds(b: int) -> float:
        """Register blocks that the busiest of two threads computes, and that of four."""
        whole, rest = divmod(tiles, b)
        last = -(-rest // ROWS) + UNIT if rest else 0
        return sum(
            -(-whole // threads) * (b // ROWS + UNIT) + (0 if whole % threads else last)
            for threads in (2, 4)
        )

    return min(range(min(block, -(-tiles // ROWS) * ROWS), 0, -ROWS), key=rounds)


def pitch(rows: int, columns: int) -> int:
    """Elements from one point's rows to the next one's: an odd number of cache lines.

    A tile writes one line at each of 36 points: an even number would put them in few sets of
    the first cache, and in places that differ by multiples of a page.
    """
    return ((rows * columns + 15) // 16 | 1) * 16


def filter_kernel(name: str, g: Grid, dtype: DType) -> Kernel:
    """The kernel that transforms a filter ``[height, width, channels, columns]``."""
    k = KernelBuilder(name)
    w = k.input("w", dtype, (*g.kernel, g.channels, g.columns))
    u = k.output("u", dtypes.float32, (PLACES, pitch(g.channels, g.columns)))
    with k.loop("parallel", "c", g.channels) as c:
        k.template(
            "winograd_filter", [w, u], (c,), side=g.kernel[2], channels=g.channels,
            columns=g.columns, version=TEMPLATE,
        )  # fmt: skip
    return k.build()


def results_kernel(
    k: KernelBuilder, g: Grid, made: int, x: Buffer, u: Buffer, outs: Sequence[Buffer],
    epilogue: Any = None,
) -> tuple[Kernel, int]:  # fmt: skip
    """The kernel of all results, and how many scratch buffers come last in its parameters."""
    tiles = g.images * D.product(D.ceildiv(n, made) for n in g.made[1:])
    block = _even(_block(g.channels, g.columns), tiles)
    buffers = [
        x, u, *outs, k.scratch("tiles", dtypes.float32, (PLACES, pitch(block, g.channels))),
        k.scratch("sums", dtypes.float32, (PLACES, pitch(block, g.columns))),
    ]  # fmt: skip
    with k.loop("parallel", "b", D.ceildiv(tiles, block)) as b:
        k.template(
            "winograd", buffers,
            (b, g.images, *g.image, *g.all, *g.made, *g.pads, *g.first, g.channels, g.columns),
            epilogue, kernel=g.kernel, strides=g.strides, dilations=g.dilations, step=g.step,
            channels=g.channels, columns=g.columns, groups=1, rows=ROWS, along="n",
            outputs=len(outs), copy=False, runs=False, side=made, block=block, version=TEMPLATE,
        )  # fmt: skip
    return k.build(), 2


def gradient_side(n: Node) -> int | None:
    """Elements of the gradient in a tile, for a filter's gradient that pays (None: plain sums)."""
    a = n.attrs
    x, dy, w = (v.static_shape or () for v in (*n.inputs, *n.outputs))
    made = SIDES.get(w[0]) if len(w) == 4 and type(w[0]) is int else None
    if (
        made is None or w[0] != w[1] or a["groups"] != 1 or n.inputs[0].dtype.code not in FLOATS
        or {*a["strides"], *a["dilations"]} != {1}
        or type(w[2]) is not int or type(w[3]) is not int or w[2] % CHANNELS
    ):  # fmt: skip
        return None
    return made if _pays(made, x[0], dy[1:3], w[2], w[3], MANY_TILES) else None


def lower_gradient(n: Node, s: Site) -> bool:
    """Lower a filter's gradient; False where plain sums are quicker."""
    made = gradient_side(n)
    if made is None:
        return False
    xs, gs, ws = (v.static_shape or () for v in (*n.inputs, *n.outputs))
    c, f, t = int(str(ws[2])), int(str(ws[3])), n.inputs[0].dtype
    count, wide = PLACES * c * f, dtypes.float32
    share = D.maximum(D.ceildiv(xs[0], max(1, min(PARTS, SUMS // count))), 1)
    parts = D.ceildiv(xs[0], share)
    k = KernelBuilder("winograd_sums")
    block = _block(c, f)
    buffers = [
        k.input("x", t, xs), k.input("g", t, gs), k.output("sums", wide, (parts, PLACES, c, f)),
        k.scratch("tiles", wide, (PLACES, pitch(block, c))),
        k.scratch("grads", wide, (PLACES, pitch(block, f))),
    ]  # fmt: skip
    pads = [p[0] for p in n.attrs["pads"]]
    with k.loop("parallel", "p", parts) as p:
        k.template(
            "winograd_sums", buffers,
            (p, xs[0], share, 1, *xs[1:3], 1, *gs[1:3], 0, *pads), side=made, channels=c,
            columns=f, rows=CHANNELS, block=block, version=TEMPLATE,
        )  # fmt: skip
    sums = s.temp(wide, parts * count)
    scratch = [s.scratch(scratch_stride(b), wide) for b in buffers[3:]]
    s.step(k.build(), [s.input(0), s.input(1), sums, *scratch])
    k = KernelBuilder("winograd_last")
    bs, bw = k.input("sums", wide, (parts, PLACES, c, f)), k.output("w", t, ws)
    with k.loop("parallel", "c", c) as u:
        k.template(
            "winograd_last", [bs, bw], (u, parts), side=ws[0], channels=c, columns=f,
            version=TEMPLATE,
        )  # fmt: skip
    s.step(k.build(), [sums, s.output()])
    return True
