"""Convolutions to few channels: rows of the products of all taps, and sums over those that meet.

`graphc.ops.conv_taps` says when and why. A unit is a block of rows of results of one image (and one
depth). For each row of results it multiplies the rows of the image that are seen for the first time
by all taps (a matrix product whose register blocks are full), keeps as many rows of products as
meet in a result, and goes over their places from left to right: the sum over these rows at a place,
a vector of ``width of the filter * columns`` numbers, is added to what earlier places left, and
what no later place reaches is done. The order of a sum depends on the filter alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from graphc.ir.chains import KC
from graphc.ir.kernel import Template
from graphc.ops.conv_taps import ROWS
from graphc.runtime.llvm.conv_forms import even_blocks
from graphc.runtime.llvm.conv_tiles import Tiles
from graphc.runtime.llvm.indexing import Index, Ramp
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]


class _Taps(Tiles):
    """A block of rows of results.

    Buffers: image, filter ``[depth, terms, pitch]``, results, what the epilogue reads, and two
    scratch buffers: rows of products (the last one of zeros), and a row of sums. Sizes: the unit,
    images, then three each (depth, height, width): of the image, of the results, the padding
    before; rows and places of results in a unit, places of a row of products, terms.

    Attributes
    ----------
    kernel, strides : of three ints
    columns, pitch : int
        Channels of the results; numbers of a place for the taps of one depth.
    long : bool
        Whether a sum is in parts of `KC` terms, as it has more.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        super().__init__(w, s)
        a, size = self.a, self.size
        self.unit = size[0]
        self.image, self.made, self.pad = (size[2 + 3 * i : 5 + 3 * i] for i in range(3))
        self.high, self.wide, self.places, self.terms_of = size[11:15]
        self.kernel: tuple[int, int, int] = a["kernel"]
        self.strides: tuple[int, int, int] = a["strides"]
        self.columns: int = a["columns"]
        self.pitch: int = a["pitch"]
        self.long = bool(a["long"])
        outputs: int = a["outputs"]
        self.out = list(zip(self.pointers[2:], self.buffers[2:], strict=True))[:outputs]
        self.products, self.row = self.pointers[2 + outputs : 4 + outputs]
        self.deep, self.across = (
            -(-k // st) for k, st in zip(self.kernel[:2], self.strides[:2], strict=True)
        )
        self.slot = self.places * self.pitch  # numbers of a row of products
        reach = max(self.kernel[2], self.strides[2]) * self.columns
        self.vectors = -(-reach // self.lanes)
        # numbers of the row of sums before the first result
        self.before = -(-self.kernel[2] * self.columns // self.lanes) * self.lanes

    def run(self) -> None:
        fn = self.fn
        rows, beside = (
            fn.udiv_index(n + (b - 1), b)
            for n, b in zip(self.made[1:], (self.high, self.wide), strict=True)
        )
        rest, col = self.divided(self.unit, beside)
        rest, row = self.divided(rest, rows)
        self.n, self.d = self.divided(rest, self.made[0])
        self.w0 = col * self.wide
        self.width = fn.minimum(self.made[2] - self.w0, self.wide)
        self.left, end = self.reached(2, self.w0, self.w0 + self.width - 1)
        self.count = fn.maximum(end - self.left, 0)
        self.planes = self.reached(0, self.d, self.d)
        zero = self.zeros(1)[0]
        self.nothing = self.slot * (self.deep * self.across)
        with fn.loop(0, self.count * self.pitch, self.lanes) as e:
            fn.store(self.products, self.nothing + e.i, zero)
        h0 = row * self.high
        h1 = fn.minimum(h0 + self.high, self.made[1])
        first = self.reached(1, h0, h0)[0]
        with fn.loop(h0, h1, carry=[first]) as h:
            low, high = self.reached(1, h.i, h.i)
            with fn.loop(h.carry[0], high) as y, fn.loop(*self.planes) as z:
                self.multiply(z.i, y.i)
            h.next([fn.maximum(h.carry[0], high)])
            self.add_up(h.i, low, high)
            self.finish(h.i)

    def divided(self, a: V, b: V) -> tuple[V, V]:
        """Quotient and rest."""
        q: V = self.fn.udiv_index(a, b)
        return q, a - q * b

    def reached(self, axis: int, first: V, last: V) -> tuple[V, V]:
        """The places of an axis of the image that reach results `first` to `last`."""
        fn, k, s = self.fn, self.kernel[axis], self.strides[axis]
        pad, by = self.pad[axis], fn.index(s)
        low = fn.udiv_index(fn.maximum(first + pad + (s - k), 0), by)
        high = fn.udiv_index(fn.maximum(last + pad + s, 0), by)
        return low, fn.minimum(high, self.image[axis])

    def kept(self, z: V, y: V) -> V:
        """Where the products of row `y` of plane `z` of the image are kept."""
        fn = self.fn
        deep = self.divided(z, fn.index(self.deep))[1]
        high = self.divided(y, fn.index(self.across))[1]
        at: V = (deep * self.across + high) * self.slot
        return at

    # ------------------------------------------------------------- products

    def multiply(self, z: V, y: V) -> None:
        """The products of a row of the image with the taps of a depth."""
        fn, lanes, terms = self.fn, self.lanes, self.terms_of
        tap = self.d + self.pad[0] - z * self.strides[0]
        panel = fn.element_ptr(self.pointers[1], tap * terms * self.pitch, self.acc)
        row = ((self.n * self.image[0] + z) * self.image[1] + y) * self.image[2] + self.left
        image = fn.element_ptr(self.pointers[0], row * terms, self.dtype)
        to = fn.element_ptr(self.products, self.kept(z, y), self.acc)
        most = 3 if self.registers == 32 else 2
        blocks = even_blocks(self.pitch // lanes, most)
        for nv, before in self.block_loops(blocks):
            col = before * lanes
            mr = max(1, min(ROWS, (self.registers - 1) // nv - 1))
            b = fn.element_ptr(panel, col, self.acc)
            with fn.loop(0, self.count, mr) as i:
                last = self.count - i.i - 1
                x = [
                    fn.element_ptr(image, (i.i + fn.minimum(fn.index(r), last)) * terms, self.dtype)
                    for r in range(mr)
                ]
                o = fn.element_ptr(to, i.i * self.pitch + col, self.acc)
                if not self.long:
                    self.block(x, b, o, fn.index(0), terms, mr, nv, False)
                    continue
                self.block(x, b, o, fn.index(0), fn.index(KC), mr, nv, False)
                with fn.loop(KC, terms, KC) as k:
                    self.block(x, b, o, k.i, fn.minimum(k.i + KC, terms), mr, nv, True)

    def block(
        self, x: list[Any], b: Any, o: Any, first: V, last: V, mr: int, nv: int, more: bool
    ) -> None:
        """A register block of products, stored or added to those that are there."""
        fn, lanes = self.fn, self.lanes
        with fn.loop(first, last, carry=self.zeros(mr * nv)) as k:
            bs = [fn.load(b, k.i * self.pitch + v * lanes, self.acc, lanes) for v in range(nv)]
            new = []
            for r in range(mr):
                one = fn.splat(self.load(x[r], k.i), lanes)
                new += [self.mul_add(one, bs[v], k.carry[r * nv + v]) for v in range(nv)]
            k.next(new)
        for i, s in enumerate(k.results):
            r, v = divmod(i, nv)
            at = r * self.pitch + v * lanes
            fn.store(o, at, fn.load(o, at, self.acc, lanes) + s if more else s)

    # ------------------------------------------------------------- sums

    def add_up(self, h: V, low: V, high: V) -> None:
        """The sums of a row of results, from left to right."""
        fn, lanes, nv = self.fn, self.lanes, self.vectors
        with fn.loop(0, self.before + self.width * self.columns, lanes) as e:
            fn.store(self.row, e.i, self.zeros(1)[0])
        met = []
        for i in range(self.deep):
            z = self.planes[0] + i
            for j in range(self.across):
                y = low + j
                tap = h + self.pad[1] - y * self.strides[1]
                at = self.kept(z, y) + tap * (self.kernel[2] * self.columns)
                there = (z < self.planes[1]) & (y < high)
                met.append(fn.element_ptr(
                    self.products, fn.select(there, at, self.nothing), self.acc
                ))  # fmt: skip
        reach = self.kernel[2] * self.columns
        step = self.strides[2] * self.columns
        start = self.left * self.strides[2] - self.pad[2] - self.w0
        to = fn.element_ptr(self.row, start * self.columns + self.before, self.acc)
        with fn.loop(0, self.count, carry=self.zeros(nv)) as place:
            sums: list[V] = []
            for v, left in enumerate(self.shifted(place.carry, step)):
                mine = reach - v * lanes  # lanes of this vector that are the place's
                if mine <= 0:
                    sums.append(left)
                    continue
                x = fn.load(met[0], place.i * self.pitch + v * lanes, self.acc, lanes)
                for m in met[1:]:
                    x = x + fn.load(m, place.i * self.pitch + v * lanes, self.acc, lanes)
                if mine < lanes:
                    x = fn.select(self.mask(fn.index(mine)), x, self.zeros(1)[0])
                sums.append(left + x)
            for v, x in enumerate(sums):
                fn.store(to, place.i * step + v * lanes, x)
            place.next(sums)

    def shifted(self, x: list[V], by: int) -> list[V]:
        """A row of vectors `by` lanes to the left, zeros behind."""
        lanes, zero = self.lanes, self.zeros(1)[0]
        whole, rest = divmod(by, lanes)
        wide = [*x[whole:], *[zero] * (whole + 1)][: len(x) + 1]
        wide += [zero] * (len(x) + 1 - len(wide))
        if not rest:
            return wide[: len(x)]
        order = range(rest, rest + lanes)
        return [self.fn.shuffle(p, q, order) for p, q in pairwise(wide)]

    def finish(self, h: V) -> None:
        """Results of a row, vector by vector."""
        fn, lanes, c = self.fn, self.lanes, self.columns
        row = (self.n * self.made[0] + self.d) * self.made[1] + h
        first, count = self.w0 * c, self.width * c
        at = row * self.made[2] * c + first

        def put(e: V, mask: V | None) -> None:
            x = fn.load(self.row, self.before + e, self.acc, lanes, mask)
            values = [x]
            if self.s.epilogue is not None:
                given = fn.cast(x, self.s.epilogue.params[0].dtype)
                place: list[Index] = [self.n, self.d, h, Ramp(first + e, 1)]
                values = self.walk.epilogue(self.s.epilogue, [given], place, lanes, mask)
            for (p, b), v in zip(self.out, values, strict=True):
                y = fn.cast(v, b.dtype)
                if b.name in self.walk.watch:
                    fn.look(y, mask, b.name in self.walk.watch.small)
                fn.store(p, at + e, y, mask)

        whole = count & -lanes
        with fn.loop(0, whole, lanes) as e:
            put(e.i, None)
        with fn.if_(whole < count):
            put(whole, self.mask(count - whole))


def _taps(w: Walk, s: Template) -> None:
    _Taps(w, s).run()


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {"conv_taps": _taps}
