"""Convolutions: register blocks that read the image where it lies, no matrix of patches at all.

Templates of kernels (`graphc.ops.conv_blocks` builds them):

``conv`` is a row of results of one image, or of several images at once, times a filter stored
``[depth, height, width, channels, results]``. The image's elements under a row of the filter are
consecutive in memory, so the sum over them is a matrix product whose left rows start at places of
the image: they are broadcast from there. A register block has either the same place of several
images (the range of the filter that lies inside the image is then exact, and no padding is ever
multiplied) or several places of a row (which is copied with zeros around it first, where the
padding asks for it).

``conv_filter`` adds up, for a block of the filter's rows and results, products over places of the
image and of the gradient.

As for matrix products, no more than `KC` terms are added in a chain, and the order of a sum
depends on sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.ir.chains import KC
from graphc.ir.kernel import Template
from graphc.runtime.llvm import pairs
from graphc.runtime.llvm.conv_forms import blocks_of, filter_blocks, filter_height
from graphc.runtime.llvm.conv_tiles import Tiles, places_inside, taps_inside
from graphc.runtime.llvm.indexing import Ramp
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

#: Columns of a panel of a filter (`graphc.ops.conv_blocks`), some vectors of any CPU.
PANEL = 16


class _Conv(Tiles):
    """One row of results, of one or several images.

    Buffers: image, filter, results, then what the epilogue reads; with ``along="w"`` and padding
    also a scratch row. Sizes: the unit, images, then three each (depth, height, width): of the
    image, of all results, of the results made here, the padding before, and the first of the
    results made here, which are those at ``first + i * step``; channels and columns of a group.

    Attributes
    ----------
    kernel, strides, dilations, step : of three ints
    channels, columns, groups : int
        In one group: for channels and columns numbers with which the code is the same
        (`conv_forms.conv_like`).
    rows : int
        Of a register block.
    halves : bool
        Whether there are blocks of at most half the rows.
    along : "n" or "w"
        Whether the rows of a block are images or places of a row.
    runs : bool
        Whether a row is cut where its places see other taps, so that none needs zeros.
    large : bool
        Whether a filter is read by blocks of columns, each for all places of a unit: it has no
        room in the second cache.
    packed : bool
        Whether the filter is in panels of `PANEL` columns, ``[panels, taps and channels, PANEL]``.
    part : int
        Places of a unit where images are one row that several units share, else 0.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        super().__init__(w, s)
        a, size = self.a, self.size
        self.unit, self.images = size[0], size[1]
        self.image, self.all, self.made, self.pad = (size[2 + 3 * i : 5 + 3 * i] for i in range(4))
        self.first = size[14:17]
        self.c, self.f, self.groups = size[17], size[18], a["groups"]
        self.ragged = a["columns"] % self.lanes != 0
        self.taps: tuple[int, int, int] = a["kernel"]
        self.mr: int = a["rows"]
        self.along: str = a["along"]
        self.outputs: int = a["outputs"]
        self.copies = bool(a["copy"])
        self.out = list(zip(self.pointers[2:], self.buffers[2:], strict=True))[: self.outputs]

    # ------------------------------------------------------------- the walk

    def run(self) -> None:
        fn = self.fn
        part: int = self.a["part"]
        unit, self.low, self.high = self.unit, fn.index(0), self.made[2]
        if part:
            parts = fn.udiv_index(self.made[2] + (part - 1), fn.index(part))
            unit = fn.udiv_index(self.unit, parts)
            self.low = (self.unit - unit * parts) * part
            self.high = fn.minimum(self.low + part, self.made[2])
        per = self.made[0] * self.made[1]
        block = fn.udiv_index(unit, per)
        rest = unit - block * per
        qd = fn.udiv_index(rest, self.made[1])
        qh = rest - qd * self.made[1]
        self.q = [qd, qh]
        steps = zip(self.q, self.a["step"][:2], self.first[:2], strict=True)
        self.at = [q * s + f for q, s, f in steps]
        self.spans = [self.span(i, q) for i, q in enumerate(self.q)]
        blocks = blocks_of(self.a["columns"], self.mr, self.form)
        self.pitch = blocks[0] * self.lanes  # elements of a row of sums
        self.stack = fn.stack(self.acc, self.mr * self.pitch)
        with fn.loop(0, self.groups) as g:
            self.group = g.i
            if self.copies:
                self.copy_rows(block)
            count, many = self.counted(self.f, blocks)
            if self.a["large"]:
                with fn.loop(0, count) as j:
                    for place in self.places(block):
                        self.column(blocks, j.i, many, *place)
            else:
                for place in self.places(block):
                    with fn.loop(0, count) as j:
                        self.column(blocks, j.i, many, *place)

    def places(self, block: V) -> Iterator[tuple[V, V, V, tuple[V, V]]]:
        """In loops over them the unit's blocks of rows: the first image and how many, the first
        place, and which taps it sees.
        """
        fn = self.fn
        if self.along == "n":
            first = block * self.mr
            rows = fn.minimum(self.images - first, self.mr)
            with fn.loop(0, self.made[2]) as q:
                yield first, rows, q.i, self.span(2, q.i)
            return
        for begin, end in self.runs():
            with fn.loop(begin, end, self.mr) as q:
                rows = fn.minimum(end - q.i, self.mr)
                yield block, rows, q.i, self.seen(q.i, rows)

    def runs(self) -> Iterator[tuple[V, V]]:
        """The unit's places, or in a loop over their parts where places see the same taps."""
        fn, size, end = self.fn, self.image[2], self.high
        if not self.a["runs"]:
            yield self.low, end
            return
        edges: list[V] = []
        for t in range(self.taps[2]):
            offset = self.pad[2] - t * self.a["dilations"][2]
            edges += places_inside(fn, offset, size, end, self.a["strides"][2])
        with fn.loop(0, len(edges) + 1, carry=[self.low]) as part:
            begin, stop = part.carry[0], end
            for e in edges:
                stop = fn.select(e > begin, fn.minimum(e, stop), stop)
            yield begin, stop
            part.next([stop])

    def span(self, axis: int, q: V) -> tuple[V, V]:
        """The taps of an axis that lie inside the image for place `q`."""
        return taps_inside(self.fn, q, self.pad[axis], self.image[axis], self.taps[axis],
                     self.a["strides"][axis], self.a["dilations"][axis])  # fmt: skip

    def seen(self, q: V, rows: V) -> tuple[V, V]:
        """The taps that some place of a block needs: all, unless the filter is wider than it."""
        if self.a["runs"]:
            return self.span(2, q)
        if self.taps[2] <= self.mr or not self.copies:
            return self.fn.index(0), self.fn.index(self.taps[2])
        return self.span(2, q + (rows - 1))[0], self.span(2, q)[1]

    def column(
        self, blocks: Sequence[int], j: V, many: V, n: V, rows: V, q: V, span: tuple[V, V]
    ) -> None:
        """Block `j` of the columns of a block of rows; `many` are of the wider size."""
        fn, lanes, wide = self.fn, self.lanes, blocks[0]
        if blocks[-1] == wide:
            self.tiles(wide, n, rows, q, j * (wide * lanes), span)
            self.finish(fn.index(wide), n, rows, q, j * (wide * lanes))
            return
        thin = wide - 1
        some = j < many
        col = fn.select(some, j * (wide * lanes), (j - many) * (thin * lanes) + many * wide * lanes)
        with fn.if_(some):
            self.tiles(wide, n, rows, q, col, span)
        with fn.if_(~some):
            self.tiles(thin, n, rows, q, col, span)
        nv = fn.select(some, fn.index(wide), fn.index(thin))
        self.finish(nv, n, rows, q, col)

    def tiles(self, nv: int, n: V, rows: V, q: V, col: V, span: tuple[V, V]) -> None:
        """The sums of a block: of all its rows, or of half of them where no more exist."""
        fn = self.fn
        if not all(self.taps):  # nothing of the image is seen
            zero = fn.const(0, self.acc, self.lanes)
            with fn.loop(0, self.mr * self.pitch, self.lanes) as e:
                fn.store(self.stack, e.i, zero)
            return
        half = (self.mr + 1) // 2
        if half == self.mr or not self.a["halves"]:
            self.tile(self.mr, nv, n, rows, q, col, span)
            return
        some = rows <= half
        for mr, when in ((half, some), (self.mr, ~some)):
            with fn.if_(when):
                self.tile(mr, nv, n, rows, q, col, span)

    # ------------------------------------------------------------- where the image is

    def base(self, n: V, q: V) -> tuple[Any, Any, Any, list[V | int]]:
        """Address of the block's first row at tap 0 (which may lie outside), elements from one
        row of the block to the next, and from one tap to the next by depth, height and width.
        """
        image = self.image
        if self.copies:
            wide = self.wide()
            at = (q - self.low) * (self.a["strides"][2] * self.c)
            steps: list[V | int] = [wide * (self.taps[1] * self.c), wide * self.c,
                                    self.c * self.a["dilations"][2]]  # fmt: skip
            return self.scratch, at, self.a["strides"][2] * self.c, steps
        pitch = self.c * self.groups
        places = [
            x * s - p for x, s, p in zip([*self.q, q], self.a["strides"], self.pad, strict=True)
        ]
        at = ((n * image[0] + places[0]) * image[1] + places[1]) * image[2] + places[2]
        at = at * pitch + self.group * self.c
        d = self.a["dilations"]
        row = image[2] * pitch
        steps = [image[1] * row * d[0], row * d[1], pitch * d[2]]
        by: Any = image[0] * image[1] * row
        if self.along == "w":
            by = self.a["strides"][2] * pitch
        return self.pointers[0], at, by, steps

    def wide(self) -> V:
        """Places of a copied row."""
        reach: int = (self.taps[2] - 1) * self.a["dilations"][2] + 1
        stride: int = self.a["strides"][2]
        return (self.high - self.low - 1) * stride + reach

    def copy_rows(self, n: V) -> None:
        """The rows of the image that this row of results needs, with zeros around them."""
        fn, c = self.fn, self.c
        image, wide = self.image, self.wide()
        self.scratch = self.pointers[2 + self.outputs]
        t = self.dtype
        pad = self.pad[2] - self.low * self.a["strides"][2]
        before = fn.maximum(fn.minimum(pad, wide), 0)
        start = fn.maximum(-pad, 0)
        inside = fn.maximum(fn.minimum(image[2] - start, wide - before), 0)
        pitch = c * self.groups
        with fn.loop(*self.spans[0]) as td, fn.loop(*self.spans[1]) as th:
            d, h = (
                q * self.a["strides"][i] + x.i * self.a["dilations"][i] - self.pad[i]
                for i, (q, x) in enumerate(zip(self.q, (td, th), strict=True))
            )
            row = ((n * image[0] + d) * image[1] + h) * image[2] + start
            source = fn.element_ptr(self.pointers[0], row * pitch + self.group * c, t)
            to = fn.element_ptr(self.scratch, (td.i * self.taps[1] + th.i) * wide * c, t)
            self.fill(to, fn.index(0), before * c, None, fn.index(0))
            if self.groups == 1:
                self.fill(to, before * c, inside * c, source, fn.index(0))
            else:
                with fn.loop(0, inside) as i:
                    self.fill(to, (before + i.i) * c, fn.index(c), source, i.i * pitch)
            done = before + inside
            self.fill(to, done * c, (wide - done) * c, None, fn.index(0))

    def fill(self, to: Any, at: V, count: V, source: Any, start: V) -> None:
        """`count` elements: of the source from `start`, or zeros."""
        fn, lanes, t = self.fn, self.lanes, self.dtype
        with fn.loop(0, count, lanes) as e:
            mask = self.mask(count - e.i)
            x = (
                fn.cast(fn.const(0, self.acc, lanes), t) if source is None
                else fn.load(source, start + e.i, t, lanes, mask)
            )  # fmt: skip
            fn.store(to, at + e.i, x, mask)

    # ------------------------------------------------------------- a register block

    def tile(self, mr: int, nv: int, n: V, rows: V, q: V, col: V, span: tuple[V, V]) -> None:
        """The sums of `mr` rows and `nv` vectors, on the stack."""
        b = _Block(self, mr, nv, n, rows, q, col, span)
        length = self.taps[2] * self.a["channels"]
        if self.taps[0] * self.taps[1] * length <= KC:
            b.one_chain()
        elif length <= KC:
            length = self.c * self.taps[2]
            b.chains_of_rows(self.fn.maximum(self.fn.udiv_index(self.fn.index(KC), length), 1))
        else:
            b.chains_of_parts()

    def joins(self) -> bool:
        """Whether a row of the filter lies over consecutive elements."""
        return bool((self.copies or self.groups == 1) and self.a["dilations"][2] == 1)

    # ------------------------------------------------------------- results

    def finish(self, nv: V, n: V, rows: V, q: V, col: V) -> None:
        """Results of a block, vector by vector."""
        fn, lanes = self.fn, self.lanes
        all_, step, first = self.all, self.a["step"][2], self.first[2]
        with fn.loop(0, rows) as r:
            image, place = (n + r.i, q) if self.along == "n" else (n, q + r.i)
            at = [image, *self.at, place * step + first]
            row = ((image * all_[0] + at[1]) * all_[1] + at[2]) * all_[2] + at[3]
            with fn.loop(0, nv) as v:
                x = fn.load(self.stack, r.i * self.pitch + v.i * lanes, self.acc, lanes)
                here = col + v.i * lanes
                to = self.group * self.f + here
                left = self.f - here
                if not self.ragged:
                    self.put(x, at, row, to, None)
                else:
                    with fn.if_(left >= lanes):
                        self.put(x, at, row, to, None)
                    with fn.if_((left > 0) & (left < lanes)):
                        self.put(x, at, row, to, self.mask(left))

    def put(self, x: V, at: list[V], row: V, col: V, mask: V | None) -> None:
        fn = self.fn
        values = [x]
        e = self.s.epilogue
        if e is not None:
            given = fn.cast(x, e.params[0].dtype)
            values = self.walk.epilogue(e, [given], [*at, Ramp(col, 1)], self.lanes, mask)
        to = row * (self.f * self.groups) + col
        for (p, b), v in zip(self.out, values, strict=True):
            x = fn.cast(v, b.dtype)
            if b.name in self.walk.watch:
                fn.look(x, mask, b.name in self.walk.watch.small)
            fn.store(p, to, x, mask)


class _Block:
    """The sums of one register block: rows of the image times vectors of the filter."""

    def __init__(
        self, conv: _Conv, mr: int, nv: int, n: V, rows: V, q: V, col: V, span: tuple[V, V]
    ) -> None:
        fn = conv.fn
        self.conv, self.fn, self.mr, self.nv = conv, fn, mr, nv
        self.span = span
        self.base, at, by, self.steps = conv.base(n, q)
        # rows beyond the last read the last again; nobody stores their sums
        self.places = [fn.minimum(fn.index(r), rows - 1) * by + at for r in range(mr)]
        left = conv.f - col - (nv - 1) * conv.lanes
        self.mask = conv.mask(left) if conv.ragged else None
        first = [col + v * conv.lanes for v in range(nv)]
        if conv.a["packed"]:
            taps = conv.taps[0] * conv.taps[1] * conv.taps[2]
            self.row_size = fn.index(PANEL)
            many = conv.c * (taps * PANEL)  # elements of a panel
            first = [fn.udiv_index(x, self.row_size) * many + (x & (PANEL - 1)) for x in first]
        else:
            self.row_size = conv.f * conv.groups
            first = [conv.group * conv.f + x for x in first]
        self.panels = [fn.element_ptr(conv.pointers[1], x, conv.dtype) for x in first]
        self.cells = [r * conv.pitch + v * conv.lanes for r in range(mr) for v in range(nv)]

    def zeros(self) -> list[V]:
        return self.conv.zeros(self.mr * self.nv)

    def put(self, sums: Sequence[V]) -> None:
        for i, x in zip(self.cells, sums, strict=True):
            self.fn.store(self.conv.stack, i, x)

    def products(self, image: list[Any], b: list[Any], count: V, sums: list[V]) -> list[V]:
        """Sums with `count` more terms: elements of the image, rows of the filter."""
        fn, c, nv = self.fn, self.conv, self.nv

        def add(e: V, sums: list[V], whole: bool) -> list[V]:
            row = e * self.row_size
            masks = [*[None] * (nv - 1), self.mask]
            more = self.row_size if whole else None
            bs = [c.factors(p, row, c.lanes, m, more) for p, m in zip(b, masks, strict=True)]
            new = []
            for r in range(self.mr):
                if c.pairs and whole:
                    x = pairs.along(fn, image[r], e)
                else:
                    x = c.factors(image[r], e, 1, None, None)
                for v in range(nv):
                    new.append(c.term(fn.splat(x, c.lanes), bs[v], sums[r * nv + v]))
            return new

        return c.terms(0, count, sums, add)

    def start(self, td: V, th: V, tw: V) -> tuple[list[Any], list[Any]]:
        """Where the image under a tap begins in each row, and the tap in vectors of the filter."""
        fn, c = self.fn, self.conv
        offset = td * self.steps[0] + th * self.steps[1] + tw * self.steps[2]
        tap = (td * c.taps[1] + th) * c.taps[2] + tw
        image = [fn.element_ptr(self.base, p + offset, c.dtype) for p in self.places]
        here = tap * (c.c * self.row_size)
        return image, [fn.element_ptr(p, here, c.dtype) for p in self.panels]

    @contextmanager
    def pieces(self, td: V, th: V) -> Iterator[tuple[list[Any], list[Any], V]]:
        """What lies together of a row of the filter: all of it, or the channels of a tap."""
        fn, c = self.fn, self.conv
        low, high = self.span
        joined = c.joins()
        with fn.loop(0, 1) if joined else fn.loop(low, high) as t:
            image, b = self.start(td, th, low if joined else t.i)
            yield image, b, (high - low) * c.c if joined else fn.index(c.c)

    def row(self, td: V, th: V, sums: list[V]) -> list[V]:
        """`sums` with the products of a row of the filter."""
        fn, c = self.fn, self.conv
        low, high = self.span
        if c.joins():
            image, b = self.start(td, th, low)
            return self.products(image, b, (high - low) * c.c, sums)
        with fn.loop(low, high, carry=sums) as t:
            image, b = self.start(td, th, t.i)
            t.next(self.products(image, b, fn.index(c.c), t.carry))
        return t.results

    def one_chain(self) -> None:
        """Few terms: one chain for all of them."""
        fn, spans = self.fn, self.conv.spans
        with fn.loop(*spans[0], carry=self.zeros()) as td:
            with fn.loop(*spans[1], carry=td.carry) as th:
                th.next(self.row(td.i, th.i, th.carry))
            td.next(th.results)
        self.put(td.results)

    def chains_of_rows(self, some: V) -> None:
        """A chain for `some` rows of the filter at a time."""
        fn, spans = self.fn, self.conv.spans
        self.put(self.zeros())
        low, high = spans[1]
        with fn.loop(*spans[0]) as td, fn.loop(low, high, some) as tb:
            stop = fn.minimum(tb.i + some, high)
            with fn.loop(tb.i, stop, carry=self.zeros()) as th:
                th.next(self.row(td.i, th.i, th.carry))
            self.conv.add_to(self.cells, th.results)

    def chains_of_parts(self) -> None:
        """Long rows of the filter: several chains for each, as even as can be."""
        fn, c = self.fn, self.conv
        run = c.c * c.taps[2] if c.joins() else c.c
        parts = fn.udiv_index(run + (KC - 1), fn.index(KC))
        part = fn.udiv_index(run + (parts - 1), parts)
        if c.pairs:
            part = (part + 1) & -2
        self.put(self.zeros())
        with fn.loop(*c.spans[0]) as td, fn.loop(*c.spans[1]) as th:
            with self.pieces(td.i, th.i) as (image, b, count), fn.loop(0, count, part) as e:
                here = [fn.element_ptr(p, e.i, c.dtype) for p in image]
                rest = [fn.element_ptr(p, e.i * self.row_size, c.dtype) for p in b]
                sums = self.products(here, rest, fn.minimum(count - e.i, part), self.zeros())
                c.add_to(self.cells, sums)


class _Filter(Tiles):
    """Products over all places of some planes, for a block of the filter's rows and columns.

    Buffers: image, gradient, sums (of accumulator type). Sizes: the unit, images, pieces a unit
    (of planes of all images), then three each: of the image, of the gradient, and the padding
    before; channels and columns of a group, and rows of a piece. Units run over blocks of pieces,
    then over taps of the filter; each writes sums of its own. Piece after piece, as each block of
    registers goes through all that is summed: it should be in the second cache then.

    Attributes
    ----------
    kernel, strides, dilations : of three ints
    channels, columns, groups : int
        In one group: for channels and columns numbers with which the code is the same
        (`conv_forms.filter_like`).
    joint : bool
        Whether a unit has all taps of a row of the filter (few channels), or one.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        super().__init__(w, s)
        a, size = self.a, self.size
        self.unit, self.images, self.share = size[:3]
        self.image, self.grad, self.pad = (size[3 + 3 * i : 6 + 3 * i] for i in range(3))
        self.c, self.f, self.groups = size[12], size[13], a["groups"]
        self.channels, self.columns = a["channels"], a["columns"]
        self.taps: tuple[int, int, int] = a["kernel"]

    def run(self) -> None:
        fn, c, f = self.fn, self.c, self.f
        kd, kh, kw = self.taps
        joint = bool(self.a["joint"])
        per = kd * kh * (1 if joint else kw)
        part = fn.udiv_index(self.unit, fn.index(per))
        tap = self.unit - part * per
        self.row_size = f * self.groups
        taps = kw if joint else 1
        size = c * taps
        at = part * (c * (kd * kh * kw)) + tap * size
        self.sums = fn.element_ptr(self.pointers[2], at * self.row_size, self.acc)
        first = part * self.share
        high = self.size[14]
        pieces = fn.udiv_index(self.grad[1] + (high - 1), high)
        last = fn.minimum(first + self.share, self.images * self.grad[0] * pieces)
        row = tap if joint else fn.udiv_index(tap, fn.index(kw))
        td = fn.udiv_index(row, fn.index(kh))
        self.at = [td, row - td * kh]
        self.blocks = filter_blocks(self.columns, self.form)
        rows = self.channels, self.channels * taps
        most = max(filter_height(nv, n, self.form) * nv for nv in self.blocks for n in rows)
        self.stack = fn.stack(self.acc, most * self.lanes)
        self.clear(size * self.row_size)
        inside = self.span(0, td)
        with fn.loop(first, last) as piece, fn.loop(0, self.groups) as g:
            plane = fn.udiv_index(piece.i, pieces)
            self.n, self.group = fn.udiv_index(plane, self.grad[0]), g.i
            self.depth = plane - self.n * self.grad[0]
            top = (piece.i - plane * pieces) * high
            low, end = self.span(1, self.at[1])
            low = fn.minimum(fn.maximum(low, top), top + high)
            self.lines = low, fn.minimum(fn.maximum(end, top), top + high)
            with fn.if_((self.depth >= inside[0]) & (self.depth < inside[1])):
                if joint:
                    self.joint()
                else:
                    tw = tap - row * kw
                    self.cover(tw, self.span(2, tw), 1, fn.index(0))

    def joint(self) -> None:
        """All taps of a row of the filter at once, where all are inside; one by one elsewhere."""
        fn = self.fn
        low, _ = self.span(2, fn.index(0))
        _, high = self.span(2, fn.index(self.taps[2] - 1))
        high = fn.maximum(low, high)
        self.cover(fn.index(0), (low, high), self.taps[2], fn.index(0))
        with fn.loop(0, self.taps[2]) as t, fn.loop(0, 2) as side:
            begin, end = self.span(2, t.i)
            left = side.i.eq(0)
            begin = fn.select(left, begin, fn.maximum(begin, high))
            end = fn.select(left, fn.minimum(end, low), end)
            with fn.if_(begin < end):
                self.cover(t.i, (begin, end), 1, t.i * self.c)

    def cover(self, tap: V, span: tuple[V, V], taps: int, first: V) -> None:
        """Add the products of some taps of the filter from one on to sums from row `first` on."""
        fn = self.fn
        spans = [(self.depth, self.depth + 1), self.lines, span]
        offset = [
            x * d - p
            for x, d, p in zip([*self.at, tap], self.a["dilations"], self.pad, strict=True)
        ]
        rows, size = taps * self.channels, self.c * taps
        for nv, before in self.column_blocks():
            mr = filter_height(nv, rows, self.form)
            with fn.loop(0, size, mr) as i:
                exact = rows % mr == 0
                self.tile(mr, nv, i.i, size, exact, first, before * self.lanes, spans, offset)

    def column_blocks(self) -> Iterator[tuple[int, V]]:
        """Loops over the blocks of columns, the wider ones first: vectors, and those before."""
        fn, wide, thin = self.fn, max(self.blocks), min(self.blocks)
        count, many = self.counted(self.f, self.blocks)
        with fn.loop(0, many) as j:
            yield wide, j.i * wide
        if wide != thin:
            with fn.loop(0, count - many) as j:
                yield thin, j.i * thin + many * wide

    def clear(self, count: V) -> None:
        fn, lanes = self.fn, self.lanes
        zero = fn.const(0, self.acc, lanes)
        with fn.loop(0, count, lanes) as e:
            fn.store(self.sums, e.i, zero, self.mask(count - e.i))

    def span(self, axis: int, t: V) -> tuple[V, V]:
        """Places of the gradient whose tap `t` lies inside the image."""
        offset = self.pad[axis] - t * self.a["dilations"][axis]
        image, made = self.image[axis], self.grad[axis]
        return places_inside(self.fn, offset, image, made, self.a["strides"][axis])

    def tile(
        self, mr: int, nv: int, row: V, size: V, exact: bool, first: V, col: V,
        spans: list[tuple[V, V]], offset: list[V],
    ) -> None:  # fmt: skip
        fn, lanes, image, grad = self.fn, self.lanes, self.image, self.grad
        pitch, columns = self.c * self.groups, self.f * self.groups
        s = self.a["strides"]
        left = self.f - col - (nv - 1) * lanes
        ragged = self.columns % lanes != 0
        mask = self.mask(left) if ragged else None
        rows = [fn.minimum(fn.index(r), size - row - 1) for r in range(mr)]
        if exact:
            rows = [fn.index(r) for r in range(mr)]
        stack = self.stack
        for i in range(mr * nv):
            fn.store(stack, i * lanes, fn.const(0, self.acc, lanes))

        def line(d: V, h: V, low: V, high: V, sums: list[V]) -> list[V]:
            at = (self.n * image[0] + d * s[0] + offset[0]) * image[1] + h * s[1] + offset[1]
            at = (at * image[2] + offset[2]) * pitch + self.group * self.c + row
            x = [fn.element_ptr(self.pointers[0], at + r, self.dtype) for r in rows]
            to = ((self.n * grad[0] + d) * grad[1] + h) * grad[2]
            g = fn.element_ptr(
                self.pointers[1], to * columns + self.group * self.f + col, self.dtype
            )

            def add(q: V, sums: list[V], whole: bool) -> list[V]:
                p, e, by = q * columns, q * (s[2] * pitch), pitch * s[2]
                masks = [*[None] * (nv - 1), mask]
                bs = [
                    self.factors(g, p + v * lanes, lanes, m, columns if whole else None)
                    for v, m in enumerate(masks)
                ]
                new = []
                for r in range(mr):
                    one = self.factors(x[r], e, 1, None, by if whole else None)
                    for v in range(nv):
                        new.append(self.term(fn.splat(one, lanes), bs[v], sums[r * nv + v]))
                return new

            return self.terms(low, high, sums, add)

        # lines of one chain, or pieces of a long line
        low, high = spans[2]
        width = fn.maximum(high - low, 1)
        some = fn.maximum(fn.udiv_index(fn.index(KC), width), 1)
        with fn.loop(*spans[0]) as d, fn.loop(*spans[1], some) as hb:
            stop = fn.minimum(hb.i + some, spans[1][1])
            with fn.loop(low, high, KC) as wb:
                end = fn.minimum(wb.i + KC, high)
                with fn.loop(hb.i, stop, carry=self.zeros(mr * nv)) as h:
                    h.next(line(d.i, h.i, wb.i, end, h.carry))
                self.add_to([i * lanes for i in range(mr * nv)], h.results)
        count = fn.minimum(size - row, mr)
        with fn.loop(0, count) as r, fn.loop(0, nv) as v:
            x = fn.load(stack, (r.i * nv + v.i) * lanes, self.acc, lanes)
            at = (first + row + r.i) * columns + self.group * self.f + col + v.i * lanes
            here = self.mask(self.f - col - v.i * lanes) if ragged else None
            old = fn.load(self.sums, at, self.acc, lanes, here)
            fn.store(self.sums, at, old + x, here)


def _conv(w: Walk, s: Template) -> None:
    _Conv(w, s).run()


def _filter(w: Walk, s: Template) -> None:
    _Filter(w, s).run()


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {
    "conv": _conv, "conv_filter": _filter,
}  # fmt: skip
