"""Convolutions by fewer products: Winograd's minimal filtering with six points.

A 3×3 filter makes 4×4 results, a 5×5 filter 2×2 results, from a tile of 6×6 elements of the image
by 36 products instead of 144 or 100 (Toom and Cook; Winograd 1980; Lavin and Gray 2015). The points
are 0, 1, -1, 2, -2 and infinity. Tile and filter are transformed, the products of one of the 36
places over all tiles and channels are a matrix product, and its sums are transformed back.

A unit does all three for a block of tiles that stays in the second cache. What it costs in
accuracy is measured in `tests/ops/test_winograd.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.ir.kernel import Template
from graphc.ops.winograd import pitch
from graphc.runtime.llvm.conv import _Conv
from graphc.runtime.llvm.conv_forms import even_blocks
from graphc.runtime.llvm.conv_tiles import Tiles
from graphc.runtime.llvm.values import V
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
    """The elements of a filter, two to five, at the points, with the factors of the products."""
    even, odd, far, farther = g[0], g[1], g[0], g[1] * 2.0
    for i in range(2, len(g), 2):
        even, far = even + g[i], mad(g[i], 2.0**i, far)
    for i in range(3, len(g), 2):
        odd, farther = odd + g[i], mad(g[i], 2.0**i, farther)
    one, two = -1 / 6, 1 / 24
    return [
        g[0] * 0.25, (even + odd) * one, (even - odd) * one, (far + farther) * two,
        (far - farther) * two, g[-1],
    ]  # fmt: skip


def result_transform(m: Sequence[V], count: int, mad: Mad) -> list[V]:
    """Two to five results from the products at the points."""
    even, odd = m[1] + m[2], m[1] - m[2]
    far, farther = m[3] + m[4], m[3] - m[4]
    out = [m[0] + even + far]
    out += [mad(farther if i % 2 else far, 2.0**i, odd if i % 2 else even) for i in range(1, count)]
    out[-1] = out[-1] + m[5]
    return out


class _Filter(Tiles):
    """One channel of a filter ``[side, side, channels, columns]`` at the points.

    Buffers: the filter, and ``[channels, columns]`` at the 36 points, `pitch` apart. Size: the
    unit, which is the channel.
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
                    at = (i.i * SIDE + r) * pitch(c, f) + channel * f + e.i
                    fn.store(self.pointers[1], at, x, mask)


class _Reader(Tiles):
    """Reads tiles and transforms them, vectors of channels at a time.

    Attributes
    ----------
    block : int
        Tiles of a unit.
    side : int
        Results of a tile along an axis.
    """

    block: int
    side: int

    def across(self, sizes: Sequence[V]) -> tuple[V, V]:
        """Tiles of an image below and beside each other."""
        high, wide = (
            self.fn.udiv_index(n + (self.side - 1), self.fn.index(self.side)) for n in sizes
        )
        return high, wide

    def place(self, t: V, across: tuple[V, V]) -> tuple[V, V, V]:
        """Image, row and column of the first result of tile `t` of all images."""
        fn, (high, wide) = self.fn, across
        n = fn.udiv_index(t, high * wide)
        rest = t - n * (high * wide)
        y = fn.udiv_index(rest, wide)
        return n, y * self.side, (rest - y * wide) * self.side

    def gather(
        self, source: Any, sizes: Sequence[V], channels: int, to: Any, t: V, corner: Sequence[V],
        size: int, transform: Callable[[list[V]], list[V]],
    ) -> None:  # fmt: skip
        """A tile of `size` by `size` elements, transformed both ways: 36 rows of channels.

        `sizes` are height and width of the image; `corner` is the image and where the tile
        begins, which may lie outside.
        """
        fn, lanes, c = self.fn, self.lanes, channels
        (height, width), (n, top, left) = sizes, corner
        inside = (top >= 0) & (left >= 0) & (top + size <= height) & (left + size <= width)

        def column(at: V, j: V, masks: Sequence[V | None]) -> None:
            rows = [self.load(source, at + width * c * i, lanes, m) for i, m in enumerate(masks)]
            for i, v in enumerate(transform(rows)):
                fn.store(self.stack, (j + i * size) * lanes, v)

        with fn.loop(0, c, lanes) as e:
            mask = self.mask(c - e.i) if c % lanes else None
            base = ((n * height + top) * width + left) * c + e.i
            with fn.if_(inside), fn.loop(0, size) as j:
                column(base + j.i * c, j.i, [mask] * size)
            with fn.if_(~inside), fn.loop(0, size) as j:
                there = (left + j.i >= 0) & (left + j.i < width)
                masks = []
                for r in range(size):
                    m = fn.splat(there & (top + r >= 0) & (top + r < height), lanes)
                    masks.append(m if mask is None else m & mask)
                column(base + j.i * c, j.i, masks)
            with fn.loop(0, SIDE) as i:
                for r, v in enumerate(transform(self.row_of(i.i, size))):
                    at = (i.i * SIDE + r) * pitch(self.block, c) + t * c + e.i
                    fn.store(to, at, v, mask)

    def row_of(self, i: V, size: int = SIDE) -> list[V]:
        """Row `i` of what is on the stack."""
        fn, lanes = self.fn, self.lanes
        return [fn.load(self.stack, (i * size + j) * lanes, self.acc, lanes) for j in range(size)]

    def column_blocks(self, rows: int, f: int) -> Iterator[tuple[int, V]]:
        """Blocks of columns: how many vectors, and the first column."""
        for nv, before in self.block_loops(even_blocks(-(-f // self.lanes), self.widest(rows))):
            yield nv, before * self.lanes

    def column_masks(self, nv: int, col: V, f: int) -> list[V | None]:
        """Which lanes of each vector of a block of columns exist."""
        last = self.mask(f - col - (nv - 1) * self.lanes) if f % self.lanes else None
        return [None] * (nv - 1) + [last]


class _Winograd(_Reader, _Conv):
    """A block of tiles of results.

    Buffers: image, transformed filter, results, what the epilogue reads, and two scratch buffers:
    tiles at the 36 points, ``[block, channels]`` each and `pitch` apart, and their products.
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
        self.side, self.block, c, f = a["side"], a["block"], a["channels"], a["columns"]
        tiles, self.sums = self.pointers[2 + self.outputs : 4 + self.outputs]
        self.stack = fn.stack(self.acc, PLACES * self.lanes)
        first = self.unit * self.block
        across = self.across(self.made[1:])
        count = fn.minimum(self.images * across[0] * across[1] - first, self.block)
        with fn.loop(0, count) as t:
            n, y, x = self.place(first + t.i, across)
            corner = [n, y - self.pad[1], x - self.pad[2]]
            self.gather(self.pointers[0], self.image[1:], c, tiles, t.i, corner, SIDE,
                        lambda v: image_transform(v, self.mad))  # fmt: skip
        with fn.loop(0, PLACES) as p:
            a = fn.element_ptr(tiles, p.i * pitch(self.block, c), self.acc)
            b = fn.element_ptr(self.pointers[1], p.i * pitch(c, f), self.acc)
            o = fn.element_ptr(self.sums, p.i * pitch(self.block, f), self.acc)
            with fn.loop(0, count, self.mr) as i:
                for nv, col in self.column_blocks(self.mr, f):
                    self.products(a, b, o, i.i, col, nv)
        with fn.loop(0, count) as t:
            self.scatter(t.i, *self.place(first + t.i, across))

    def products(self, a: Any, b: Any, o: Any, row: V, col: V, nv: int) -> None:
        """A register block: tiles from `row` on times columns from `col` on."""
        fn, lanes, mr = self.fn, self.lanes, self.mr
        c, f = self.a["channels"], self.a["columns"]
        masks = self.column_masks(nv, col, f)
        panel = fn.element_ptr(b, col, self.acc)
        rows = [fn.element_ptr(a, (row + r) * c, self.acc) for r in range(mr)]
        with fn.loop(0, c, carry=self.zeros(mr * nv)) as e:
            bs = [
                fn.load(panel, e.i * f + v * lanes, self.acc, lanes, m) for v, m in enumerate(masks)
            ]
            new = []
            for r in range(mr):
                x = fn.splat(fn.load(rows[r], e.i, self.acc), lanes)
                new += [self.mul_add(x, bs[v], e.carry[r * nv + v]) for v in range(nv)]
            e.next(new)
        for i, x in enumerate(e.results):
            r, v = divmod(i, nv)
            fn.store(o, (row + r) * f + col + v * lanes, x, masks[v])

    def scatter(self, t: V, n: V, y: V, x: V) -> None:
        """The results of a tile, vectors of columns."""
        fn, lanes, f, side = self.fn, self.lanes, self.a["columns"], self.side
        with fn.loop(0, f, lanes) as e:
            mask = self.mask(f - e.i) if f % lanes else None
            with fn.loop(0, SIDE) as j:
                column = [
                    fn.load(self.sums, (j.i + i * SIDE) * pitch(self.block, f) + t * f + e.i,
                            self.acc, lanes, mask)
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


class _Sums(_Reader):
    """The filter's gradient at the points, summed over some images.

    A row of the gradient is the filter here, and the filter's taps are the results. Buffers:
    image, gradient, sums ``[parts, 36, channels, columns]``, and two scratch buffers: tiles of
    the image and of the gradient at the points. Sizes: the unit (a part), images, images a unit,
    then three each: of the image, of the gradient, and the padding before.

    Attributes
    ----------
    side : int
        Elements of the gradient in a tile along an axis.
    block : int
        Tiles that are multiplied at a time.
    """

    def run(self) -> None:
        fn, a, size = self.fn, self.a, self.size
        unit, images, share = size[:3]
        image, grad, pad = (size[3 + 3 * i : 6 + 3 * i] for i in range(3))
        self.side, self.block = a["side"], a["block"]
        c, f = a["channels"], a["columns"]
        tiles, grads = self.pointers[3:5]
        self.stack = fn.stack(self.acc, PLACES * self.lanes)
        sums = fn.element_ptr(self.pointers[2], unit * (PLACES * c * f), self.acc)
        with fn.loop(0, PLACES * c * f, self.lanes) as e:
            fn.store(sums, e.i, self.zeros(1)[0], self.mask(PLACES * c * f - e.i))
        across = self.across(grad[1:])
        per = across[0] * across[1]
        first, last = unit * share * per, fn.minimum((unit + 1) * share, images) * per
        with fn.loop(first, last, self.block) as b:
            count = fn.minimum(last - b.i, self.block)
            with fn.loop(0, count) as t:
                n, y, x = self.place(b.i + t.i, across)
                corner = [n, y - pad[1], x - pad[2]]
                self.gather(self.pointers[0], image[1:], c, tiles, t.i, corner, SIDE,
                            lambda v: image_transform(v, self.mad))  # fmt: skip
                self.gather(self.pointers[1], grad[1:], f, grads, t.i, [n, y, x], self.side,
                            lambda v: filter_transform(v, self.mad))  # fmt: skip
            with fn.loop(0, PLACES) as p:
                v = fn.element_ptr(tiles, p.i * pitch(self.block, c), self.acc)
                g = fn.element_ptr(grads, p.i * pitch(self.block, f), self.acc)
                o = fn.element_ptr(sums, p.i * (c * f), self.acc)
                with fn.loop(0, c, a["rows"]) as i:
                    for nv, col in self.column_blocks(a["rows"], f):
                        self.add_products(v, g, o, i.i, col, nv, count)

    def add_products(self, a: Any, b: Any, o: Any, row: V, col: V, nv: int, count: V) -> None:
        """A register block: channels from `row` on times columns from `col` on, over tiles."""
        fn, lanes, mr = self.fn, self.lanes, self.a["rows"]
        c, f = self.a["channels"], self.a["columns"]
        masks = self.column_masks(nv, col, f)
        left, panel = fn.element_ptr(a, row, self.acc), fn.element_ptr(b, col, self.acc)
        with fn.loop(0, count, carry=self.zeros(mr * nv)) as t:
            bs = [
                fn.load(panel, t.i * f + v * lanes, self.acc, lanes, m)
                for v, m in enumerate(masks)
            ]  # fmt: skip
            new = []
            for r in range(mr):
                x = fn.splat(fn.load(left, t.i * c + r, self.acc), lanes)
                new += [self.mul_add(x, bs[v], t.carry[r * nv + v]) for v in range(nv)]
            t.next(new)
        for i, x in enumerate(t.results):
            r, v = divmod(i, nv)
            at = (row + r) * f + col + v * lanes
            fn.store(o, at, fn.load(o, at, self.acc, lanes, masks[v]) + x, masks[v])


class _Last(_Reader):
    """One channel of the filter's gradient from the sums of all parts.

    Buffers: sums ``[parts, 36, channels, columns]`` and the gradient ``[side, side, channels,
    columns]``. Sizes: the unit, which is the channel, and the parts.
    """

    def run(self) -> None:
        fn, lanes = self.fn, self.lanes
        side, c, f = self.a["side"], self.a["channels"], self.a["columns"]
        channel, parts = self.size
        self.stack = fn.stack(self.acc, PLACES * lanes)
        with fn.loop(0, f, lanes) as e:
            mask = self.mask(f - e.i) if f % lanes else None
            with fn.loop(0, SIDE) as j:
                with fn.loop(0, parts, carry=self.zeros(SIDE)) as p:
                    ats = [
                        (((p.i * SIDE + r) * SIDE + j.i) * c + channel) * f + e.i
                        for r in range(SIDE)
                    ]
                    p.next([
                        x + fn.load(self.pointers[0], at, self.acc, lanes, mask)
                        for x, at in zip(p.carry, ats, strict=True)
                    ])  # fmt: skip
                for r, x in enumerate(result_transform(p.results, side, self.mad)):
                    fn.store(self.stack, (j.i + r * SIDE) * lanes, x)
            with fn.loop(0, side) as i:
                for r, x in enumerate(result_transform(self.row_of(i.i), side, self.mad)):
                    at = ((i.i * side + r) * c + channel) * f + e.i
                    out = self.buffers[1]
                    x = fn.cast(x, out.dtype)
                    if out.name in self.walk.watch:
                        fn.look(x, mask, out.name in self.walk.watch.small)
                    fn.store(self.pointers[1], at, x, mask)


def _emit(made: type[Tiles]) -> Callable[[Walk, Template], None]:
    def emit(w: Walk, s: Template) -> None:
        made(w, s).run()  # type: ignore[attr-defined]

    return emit


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {
    "winograd": _emit(_Winograd), "winograd_filter": _emit(_Filter),
    "winograd_sums": _emit(_Sums), "winograd_last": _emit(_Last),
}  # fmt: skip
