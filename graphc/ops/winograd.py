"""Which convolutions take fewer products (Winograd), and the kernels that do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Kernel, KernelBuilder
from graphc.ops.conv import TEMPLATE, Grid

__all__ = ["PLACES", "filter_kernel", "results_kernel", "side", "tiles"]

#: Products of a tile for each channel and column.
PLACES = 36
#: Results of a tile along an axis, by the side of the filter.
SIDES = {3: 4, 5: 2}
#: Channels and columns for which it pays: the transforms cost as much as some products each.
FEWEST, MOST = 16, 256
#: Tiles from which on it pays to transform the filter.
TILES = 64
#: Bytes of a block's tiles and products: half of a second cache of 1 MB.
BLOCK = 1 << 19
#: Tiles of a register block: with four vectors of columns they fill 32 registers.
ROWS = 6
#: Results that may be computed, those thrown away at the edges included, of 100 needed.
WASTE = 135


def side(g: Grid, dtype: DType) -> int | None:
    """Results of a tile along an axis; None where plain products are quicker or it cannot be."""
    made = SIDES.get(g.kernel[2])
    plain = (
        dtype is dtypes.float32 and g.groups == 1 and g.kernel[0] == 1 and made is not None
        and g.kernel[1] == g.kernel[2] and {*g.strides, *g.dilations, *g.step} == {1}
        and g.all == g.made and not any(g.first)
    )  # fmt: skip
    if not plain or made is None:
        return None
    if not (FEWEST <= g.channels <= MOST and FEWEST <= g.columns <= MOST):
        return None
    f = D.facts()
    if f is None:
        return None
    across = D.ceildiv(g.made[1], made) * D.ceildiv(g.made[2], made)
    needed = g.made[1] * g.made[2] * WASTE // 100
    if f.less(g.images * across, TILES) or f.less(needed, across * (made * made)):
        return None
    return made


def tiles(g: Grid, made: int) -> Dim:
    """Tiles of all images."""
    return g.images * D.ceildiv(g.made[1], made) * D.ceildiv(g.made[2], made)


def filter_kernel(name: str, g: Grid, dtype: DType) -> Kernel:
    """The kernel that transforms a filter ``[height, width, channels, columns]``."""
    k = KernelBuilder(name)
    w = k.input("w", dtype, (*g.kernel, g.channels, g.columns))
    u = k.output("u", dtype, (PLACES, g.channels, g.columns))
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
    one = 4 * PLACES * (g.channels + g.columns)
    block = max(1, min(8 * ROWS, BLOCK // one) // ROWS) * ROWS
    buffers = [
        x, u, *outs, k.scratch("tiles", x.dtype, (PLACES, block, g.channels)),
        k.scratch("sums", x.dtype, (PLACES, block, g.columns)),
    ]  # fmt: skip
    with k.loop("parallel", "b", D.ceildiv(tiles(g, made), block)) as b:
        k.template(
            "winograd", buffers, (b, g.images, *g.image, *g.all, *g.made, *g.pads), epilogue,
            kernel=g.kernel, strides=g.strides, dilations=g.dilations, first=g.first, step=g.step,
            channels=g.channels, columns=g.columns, groups=1, rows=ROWS, along="n",
            outputs=len(outs), copy=False, side=made, block=block, version=TEMPLATE,
        )  # fmt: skip
    return k.build(), 2
