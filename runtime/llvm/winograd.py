"""Convolutions by fewer products: Winograd's minimal filtering with six points.

A 3×3 filter makes 4×4 results, a 5×5 filter 2×2 results, from a tile of 6×6 elements of the image
by 36 products instead of 144 or 100 (Toom and Cook; Winograd 1980; Lavin and Gray 2015). The points
are 0, 1, -1, 2, -2 and infinity. Tile and filter are transformed, the products of one of the 36
places over all tiles and channels are a matrix product, and its sums are transformed back.

A unit does all three for a block of tiles that stays in the second cache. What it costs in
accuracy is measured in `tests/ops/test_winograd.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.kernel import Template
from graphc.runtime.llvm.conv import _blocks, _Conv, _Tiles
from graphc.runtime.llvm.emit import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

#: Elements of a tile along an axis: as many as there are points.
SIDE = 6
PLACES = SIDE * SIDE


#: x*k + z, in one rounding where the machine can.
Mad = Callable[[V, float, V], V]


def image_transform(d: Sequence[V], mad: Mad) -> list[V]:
    """Six elements of the image at the points."""
    a, b = mad(d[2], -4.0, d[4]), mad(d[1], -4.0, d[3])
    c, e = d[4] - d[2], d[3] - d[1]
    return [
        mad(d[0] - d[2], 4.0, c), a + b, a - b, mad(e, 2.0, c), mad(e, -2.0, c),
        mad(e, -4.0, d[5] - d[3]),
    ]  # fmt: skip


def filter_transform(g: Sequence[V], mad: Mad) -> list[V]:
    """The three or five elements of a filter at the points, with the factors of the products."""
    even, odd = g[0] + g[2], g[1]
    far, farther = mad(g[2], 4.0, g[0]), g[1] * 2.0
    if len(g) == 5:
        even, odd = even + g[4], odd + g[3]
        far, farther = mad(g[4], 16.0, far), mad(g[3], 8.0, farther)
    one, two = -1 / 6, 1 / 24
    return [
        g[0] * 0.25, (even + odd) * one, (even - odd) * one, (far + farther) * two,
        (far - farther) * two, g[-1],
    ]  # fmt: skip


def result_transform(m: Sequence[V], count: int, mad: Mad) -> list[V]:
    """Two or four results from the products at the points."""
    even, odd = m[1] + m[2], m[1] - m[2]
    far, farther = m[3] + m[4], m[3] - m[4]
    first = m[0] + even + far
    if count == 2:
        return [first, mad(farther, 2.0, odd) + m[5]]
    return [first, mad(farther, 2.0, odd), mad(far, 4.0, even), mad(farther, 8.0, odd) + m[5]]


class _Filter(_Tiles):
    """One channel of a filter ``[side, side, channels, columns]`` at the points.

    Buffers: the filter, and ``[36, channels, columns]``. Size: the unit, which is the channel.
    """

    def run(self) -> None:
        fn, lanes = self.fn, self.lanes
        side, c, f = self.a["side"], self.a["channels"], self.a["columns"]
        channel = self.size[0]
        self.stack = fn.stack(self.acc, SIDE * side * lanes)
        with fn.loop(0, f, lanes) as e:
            mask = self.mask(f - e.i) if f % lanes else None
            with fn.loop(0, side) as j:
                taps = [
                    self.load(self.pointers[0], ((j.i + i * side) * c + channel) * f + e.i, lanes,
                              mask)
                    for i in range(side)
                ]  # fmt: skip
                for r, x in enumerate(filter_transform(taps, self.mad)):
                    fn.store(self.stack, (j.i + r * side) * lanes, x)
            with fn.loop(0, SIDE) as i:
                row = [
                    fn.load(self.stack, (i.i * side + r) * lanes, self.acc, lanes)
                    for r in range(side)
                ]
                for r, x in enumerate(filter_transform(row, self.mad)):
                    at = ((i.i * SIDE + r) * c + channel) * f + e.i
                    fn.store(self.pointers[1], at, x, mask)


class _Winograd(_Conv):
    """A block of tiles of results.

    Buffers: image, transformed filter, results, what the epilogue reads, and two scratch buffers:
    tiles at the points ``[36, block, channels]``, and their products ``[36, block, columns]``.
    Sizes: as for ``conv``, the unit being a block of tiles.

    Attributes
    ----------
    side : int
        Results of a tile along an axis.
    block : int
        Tiles of a unit.
    """

    def run(self) -> None:
        fn, a = self.fn, self.a
        self.side, self.block = a["side"], a["block"]
        self.tiles_at = self.pointers[2 + self.outputs]
        self.sums = self.pointers[3 + self.outputs]
        self.stack = fn.stack(self.acc, PLACES * self.lanes)
        high, wide = (
            fn.udiv_index(n + (self.side - 1), fn.index(self.side)) for n in self.made[1:]
        )
        first = self.unit * self.block
        count = fn.minimum(self.images * high * wide - first, self.block)

        def place(t: V) -> tuple[V, V, V]:
            """Image, row and column of a tile's first result."""
            n = fn.udiv_index(first + t, high * wide)
            rest = first + t - n * (high * wide)
            y = fn.udiv_index(rest, wide)
            return n, y * self.side, (rest - y * wide) * self.side

        with fn.loop(0, count) as t:
            self.gather(t.i, *place(t.i))
        self.multiply(count)
        with fn.loop(0, count) as t:
            self.scatter(t.i, *place(t.i))

    # ------------------------------------------------------------- tiles of the image

    def gather(self, t: V, n: V, y: V, x: V) -> None:
        """A tile at the points, vectors of channels."""
        fn, lanes, c = self.fn, self.lanes, self.c
        top, left = y - self.pad[1], x - self.pad[2]
        height, width = self.image[1:]
        inside = (top >= 0) & (left >= 0) & (top + SIDE <= height) & (left + SIDE <= width)
        with fn.loop(0, c, lanes) as e:
            mask = self.mask(c - e.i) if c % lanes else None
            base = ((n * height + top) * width + left) * c + e.i
            with fn.if_(inside), fn.loop(0, SIDE) as j:
                self.column(base + j.i * c, j.i, [mask] * SIDE)
            with fn.if_(~inside), fn.loop(0, SIDE) as j:
                there = (left + j.i >= 0) & (left + j.i < width)
                masks = []
                for r in range(SIDE):
                    m = fn.splat(there & (top + r >= 0) & (top + r < height), lanes)
                    masks.append(m if mask is None else m & mask)
                self.column(base + j.i * c, j.i, masks)
            with fn.loop(0, SIDE) as i:
                for r, v in enumerate(image_transform(self.row_of(i.i), self.mad)):
                    at = ((i.i * SIDE + r) * self.block + t) * c + e.i
                    fn.store(self.tiles_at, at, v, mask)

    def column(self, at: V, j: V, masks: Sequence[V | None]) -> None:
        """Column `j` of a tile, whose first element is at `at`, to the stack, transformed."""
        fn, lanes, step = self.fn, self.lanes, self.image[2] * self.c
        column = [self.load(self.pointers[0], at + step * i, lanes, m) for i, m in enumerate(masks)]
        for i, v in enumerate(image_transform(column, self.mad)):
            fn.store(self.stack, (j + i * SIDE) * lanes, v)

    def row_of(self, i: V) -> list[V]:
        """Row `i` of what is on the stack."""
        fn, lanes = self.fn, self.lanes
        return [fn.load(self.stack, (i * SIDE + j) * lanes, self.acc, lanes) for j in range(SIDE)]

    # ------------------------------------------------------------- products

    def multiply(self, count: V) -> None:
        """The 36 matrix products of the block's tiles with the filter."""
        fn, lanes, c, f = self.fn, self.lanes, self.c, self.f
        blocks = _blocks(-(-f // lanes), self.widest(self.mr))
        with fn.loop(0, PLACES) as p:
            a = fn.element_ptr(self.tiles_at, p.i * (self.block * c), self.acc)
            b = fn.element_ptr(self.pointers[1], p.i * (c * f), self.dtype)
            o = fn.element_ptr(self.sums, p.i * (self.block * f), self.acc)
            with fn.loop(0, count, self.mr) as i:
                at = 0
                while at < len(blocks):
                    same = sum(1 for n in blocks if n == blocks[at])
                    start = sum(blocks[:at]) * lanes
                    with fn.loop(0, same) as j:
                        self.products(a, b, o, i.i, j.i * (blocks[at] * lanes) + start, blocks[at])
                    at += same

    def products(self, a: Any, b: Any, o: Any, row: V, col: V, nv: int) -> None:
        """A register block: tiles from `row` on times columns from `col` on."""
        fn, lanes, c, f, mr = self.fn, self.lanes, self.c, self.f, self.mr
        left = f - col - (nv - 1) * lanes
        last = self.mask(left) if f % lanes else None
        masks = [None] * (nv - 1) + [last]
        panel = fn.element_ptr(b, col, self.dtype)
        rows = [fn.element_ptr(a, (row + r) * c, self.acc) for r in range(mr)]
        with fn.loop(0, c, carry=self.zeros(mr * nv)) as e:
            bs = [self.load(panel, e.i * f + v * lanes, lanes, m) for v, m in enumerate(masks)]
            new = []
            for r in range(mr):
                x = fn.splat(fn.load(rows[r], e.i, self.acc), lanes)
                new += [self.mul_add(x, bs[v], e.carry[r * nv + v]) for v in range(nv)]
            e.next(new)
        for i, x in enumerate(e.results):
            r, v = divmod(i, nv)
            fn.store(o, (row + r) * f + col + v * lanes, x, masks[v])

    # ------------------------------------------------------------- results

    def scatter(self, t: V, n: V, y: V, x: V) -> None:
        """The results of a tile, vectors of columns."""
        fn, lanes, f, side = self.fn, self.lanes, self.f, self.side
        with fn.loop(0, f, lanes) as e:
            mask = self.mask(f - e.i) if f % lanes else None
            with fn.loop(0, SIDE) as j:
                column = [
                    fn.load(self.sums, ((j.i + i * SIDE) * self.block + t) * f + e.i, self.acc,
                            lanes, mask)
                    for i in range(SIDE)
                ]  # fmt: skip
                for r, v in enumerate(result_transform(column, side, self.mad)):
                    fn.store(self.stack, (j.i + r * SIDE) * lanes, v)
            with fn.loop(0, side) as i:
                for r, v in enumerate(result_transform(self.row_of(i.i), side, self.mad)):
                    fn.store(self.stack, (i.i * SIDE + r) * lanes, v)
            rows, columns = (
                fn.minimum(m - q, side) for m, q in zip(self.made[1:], (y, x), strict=True)
            )
            with fn.loop(0, rows) as i, fn.loop(0, columns) as j:
                z = fn.load(self.stack, (i.i * SIDE + j.i) * lanes, self.acc, lanes)
                at = [n, fn.index(0), y + i.i, x + j.i]
                row = (n * self.all[1] + at[2]) * self.all[2] + at[3]
                with fn.if_(e.i + lanes <= f):
                    self.put(z, at, row, e.i, None)
                if mask is not None:
                    with fn.if_(e.i + lanes > f):
                        self.put(z, at, row, e.i, mask)


def _emit(made: type[_Tiles]) -> Callable[[Walk, Template], None]:
    def emit(w: Walk, s: Template) -> None:
        made(w, s).run()  # type: ignore[attr-defined]

    return emit


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {
    "winograd": _emit(_Winograd), "winograd_filter": _emit(_Filter),
}  # fmt: skip
