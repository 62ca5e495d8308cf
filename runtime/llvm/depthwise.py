"""Depthwise convolutions: vectors of channels, or of the elements of a row where channels are few.

The sum over the taps of a result, and the sum over places of a tap, are held in registers: of
several places of a row at a time, or of several taps of a row of the filter.

Of convolutions in groups of few channels a vector holds several groups; each channel of a group
is put in all lanes of its group in turn.

With few channels the elements of a row are taken as they lie in memory: the filter, or its
gradient, has a vector of elements for each tap then, its channels again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from graphc.ir.chains import KC
from graphc.ir.kernel import Template
from graphc.runtime.llvm.conv_forms import even_blocks
from graphc.runtime.llvm.conv_tiles import Tiles, places_inside, taps_inside
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

#: Places of a row whose sums are in registers together.
PLACES = 4
#: Vectors of a row's elements whose sums are in registers together.
VECTORS = 8


class _Depth(Tiles):
    """One row of results, or for `filter` the sums over some rows of the gradient.

    Buffers: two operands and the result. Sizes: the unit, images, rows a unit (`filter` only),
    then three each: of the image, of the results, and the padding before.

    Attributes
    ----------
    what : "conv", "input" or "filter"
    kernel, strides, dilations : of three ints
    channels, each : int
        Channels of the image, and results for each of them.
    group : int
        Channels, and results, of a group: 1 of depthwise convolutions.
    period : int
        Elements that the filter has for a tap where vectors are of a row's elements, else 0.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        super().__init__(w, s)
        a, size = self.a, self.size
        self.unit, self.images, self.share = size[:3]
        self.image, self.grad, self.pad = (size[3 + 3 * i : 6 + 3 * i] for i in range(3))
        self.c, self.m = a["channels"], a["each"]
        self.f = self.c * self.m
        self.group: int = a["group"]
        self.period: int = a["period"]
        self.pitch = self.period or self.f * self.group
        self.phases = self.period // self.lanes
        self.taps: tuple[int, int, int] = a["kernel"]

    def run(self) -> None:
        {"conv": self.conv, "input": self.input, "filter": self.filter}[self.a["what"]]()

    # ------------------------------------------------------------- vectors

    @contextmanager
    def vectors(self, count: int, most: int = 4) -> Iterator[tuple[int, V]]:
        """Blocks of up to `most` vectors of elements: how many, and the first element."""
        nv = max(even_blocks(-(-count // self.lanes), most))
        with self.fn.loop(0, count, nv * self.lanes) as f:
            yield nv, f.i

    def masks(self, nv: int, first: V, count: int | V) -> list[V | None]:
        """Which lanes of each vector from `first` on exist."""
        if not isinstance(count, V) and count % (nv * self.lanes) == 0:
            return [None] * nv
        return [self.mask(count - first - v * self.lanes) for v in range(nv)]

    def spread(self, base: Any, at: V, first: V, mask: V | None) -> list[V]:
        """For each channel of a group, vectors of results' channels: from `first` on, `shared`."""
        fn, lanes, size = self.fn, self.lanes, self.group
        if size == 1:
            return [self.shared(base, at, first, mask)]
        if size >= lanes:  # a vector's results are of one group
            begin = at + fn.minimum(first & -size, self.f - size)
            each = [self.load(base, begin + e) for e in range(size)]
            return [fn.splat(x, lanes) for x in each]
        x = self.load(base, at + first, lanes, mask)
        return [
            fn.shuffle(x, None, [lane // size * size + e for lane in range(lanes)])
            for e in range(size)
        ]

    def shared(self, base: Any, at: V, first: V, mask: V | None) -> V:
        """A vector of channels from result `first` on, each of which has `m` results.

        Result `first` is the first of its channel, or a vector's results are all of one channel.
        """
        fn, lanes, m = self.fn, self.lanes, self.m
        if m == 1:
            return self.load(base, at + first, lanes, mask)
        if lanes % m == 0 or m % lanes == 0:
            read, at = max(1, lanes // m), at + fn.udiv_index(first, fn.index(m))
            if mask is None and read == 1:
                return fn.splat(self.load(base, at), lanes)
            if mask is not None:  # lanes of `read` channels, and the zeros behind the mask
                ons = [e * m if e < read else lanes for e in range(lanes)]
                read, mask = lanes, fn.shuffle(mask, None, ons)
            return fn.shuffle(
                self.load(base, at, read, mask), None, [lane // m for lane in range(lanes)]
            )
        lane = fn.splat(first, lanes) + fn.lane_ids(lanes)
        where = fn.udiv_index(lane, fn.splat(fn.index(self.m), lanes))
        return self.gather(base, fn.splat(at, lanes) + where, mask)

    def strided(self, base: Any, at: V, first: V, mask: V | None) -> V:
        """A vector of every `m`-th element, from element ``first * m`` on."""
        fn, lanes = self.fn, self.lanes
        if self.m == 1:
            return self.load(base, at + first, lanes, mask)
        lane = fn.splat(first, lanes) + fn.lane_ids(lanes)
        return self.gather(base, lane * self.m + fn.splat(at, lanes), mask)

    def gather(self, base: Any, at: V, mask: V | None) -> V:
        return self.fn.cast(self.fn.gather(base, at, self.dtype, mask), self.acc)

    def keep(self, sums: Sequence[V], at: V, masks: Sequence[V | None]) -> None:
        out = self.buffers[2]
        for v, x in enumerate(sums):
            y = self.fn.cast(x, out.dtype)
            if out.name in self.walk.watch:
                self.fn.look(y, masks[v], out.name in self.walk.watch.small)
            self.fn.store(self.pointers[2], at + v * self.lanes, y, masks[v])

    # ------------------------------------------------------------- places and taps

    def rows_of(self, number: V, sizes: Sequence[V]) -> list[V]:
        """Image, depth and height of a row."""
        fn = self.fn
        rest = fn.udiv_index(number, sizes[1])
        h = number - rest * sizes[1]
        n = fn.udiv_index(rest, sizes[0])
        return [n, rest - n * sizes[0], h]

    def inside(self, axis: int, q: V) -> tuple[V, V]:
        """Taps of an axis inside the image for place `q` of the results."""
        return taps_inside(self.fn, q, self.pad[axis], self.image[axis], self.taps[axis],
                           self.a["strides"][axis], self.a["dilations"][axis])  # fmt: skip

    def seeing(self, tap: V) -> tuple[V, V]:
        """Places of a row of the results that see the image under a tap of the filter's row."""
        offset = self.pad[2] - tap * self.a["dilations"][2]
        return places_inside(self.fn, offset, self.image[2], self.grad[2], self.a["strides"][2])

    def within(self) -> tuple[V, V]:
        """Places of a row of the results that see the image under all taps."""
        fn = self.fn
        low, _ = self.seeing(fn.index(0))
        _, high = self.seeing(fn.index(self.taps[2] - 1))
        return low, fn.maximum(low, high)

    def tap(self, t: Sequence[V]) -> V:
        """The number of a tap."""
        return (t[0] * self.taps[1] + t[1]) * self.taps[2] + t[2]

    def seen(self, n: V, q: Sequence[V], t: Sequence[V]) -> V:
        """The place of the image under tap `t` for place `q` of the results."""
        steps = zip(q, self.a["strides"], t, self.a["dilations"], self.pad, strict=True)
        at: list[V] = [x * s + y * d - p for x, s, y, d, p in steps]
        return ((n * self.image[0] + at[0]) * self.image[1] + at[1]) * self.image[2] + at[2]

    # ------------------------------------------------------------- results

    def conv(self) -> None:
        fn = self.fn
        self.row = self.rows_of(self.unit, self.grad)
        self.spans = [self.inside(axis, self.row[1 + axis]) for axis in (0, 1)]
        every = (fn.index(0), fn.index(self.taps[2]))
        low, high = self.within()
        if self.period:
            self.elements(low * self.f, high * self.f)
        else:
            high = low + fn.udiv_index(high - low, fn.index(PLACES)) * PLACES
            with fn.loop(low, high, PLACES) as q:
                self.places(q.i, PLACES, every)
        with fn.loop(0, self.grad[2] - (high - low)) as i:
            at = fn.select(i.i < low, i.i, i.i + (high - low))
            self.places(at, 1, self.inside(2, at))

    def out_row(self) -> V:
        """The first place of the row of results."""
        n, d, h = self.row
        return ((n * self.grad[0] + d) * self.grad[1] + h) * self.grad[2]

    def over_taps(
        self, span: tuple[V, V], count: int, terms: Callable[[list[V]], list[tuple[V, V]]]
    ) -> list[V]:
        """`count` sums over taps: of the products of what `terms` gives for each, over and over."""
        fn, spans = self.fn, self.spans
        with (
            fn.loop(*spans[0], carry=self.zeros(count)) as td,
            fn.loop(*spans[1], carry=td.carry) as th,
            fn.loop(*span, carry=th.carry) as tw,
        ):
            sums = list(tw.carry)
            for i, (x, y) in enumerate(terms([td.i, th.i, tw.i])):
                sums[i % count] = self.mul_add(x, y, sums[i % count])
            tw.next(sums)
            th.next(tw.results)
            td.next(th.results)
        return td.results

    def places(self, at: V, count: int, span: tuple[V, V]) -> None:
        """All results of `count` places from `at` on, which see the same taps."""
        most = 4 if count == 1 or self.registers == 32 else 2
        if self.group > 1:  # what is put in lanes takes registers too
            most //= 2
        with self.vectors(self.f, most) as (nv, first):
            masks = self.masks(nv, first, self.f)

            def terms(t: list[V]) -> list[tuple[V, V]]:
                place = self.seen(self.row[0], [*self.row[1:], at], t)
                tap = self.tap(t) * self.pitch + first
                xs = [
                    self.spread(self.pointers[0], (place + p * self.a["strides"][2]) * self.c,
                                first + v * self.lanes, masks[v])
                    for p in range(count) for v in range(nv)
                ]  # fmt: skip
                by = [
                    [
                        self.load(self.pointers[1], tap + v * self.lanes, self.lanes, mask)
                        for v, mask in enumerate(masks)
                    ]
                    for tap in (tap + e * self.f for e in range(self.group))
                ]
                return [(x[e], by[e][i % nv]) for e in range(self.group) for i, x in enumerate(xs)]

            sums = self.over_taps(span, count * nv, terms)
            for p in range(count):
                to = (self.out_row() + at + p) * self.f + first
                self.keep(sums[p * nv : (p + 1) * nv], to, masks)

    def elements(self, low: V, high: V) -> None:
        """Results from element `low` of the row up to `high`, which see all taps."""
        fn = self.fn
        count = self.phases * max(1, VECTORS // self.phases)
        step = count * self.lanes
        whole = low + fn.udiv_index(high - low, fn.index(step)) * step
        with fn.loop(low, whole, step) as e:
            self.run_of_elements(e.i, [None] * count)
        with fn.loop(whole, high, self.period) as e:
            self.run_of_elements(e.i, self.masks(self.phases, e.i, high))

    def run_of_elements(self, at: V, masks: Sequence[V | None]) -> None:
        fn, lanes = self.fn, self.lanes
        every = (fn.index(0), fn.index(self.taps[2]))
        n, d, h = self.row

        def terms(t: list[V]) -> list[tuple[V, V]]:
            start = self.seen(n, [d, h, fn.index(0)], t) * self.c
            tap = self.tap(t) * self.period
            by = [
                self.load(self.pointers[1], tap + v * lanes, lanes)
                for v in range(min(self.phases, len(masks)))
            ]
            return [
                (self.shared(self.pointers[0], start, at + v * lanes, mask), by[v % self.phases])
                for v, mask in enumerate(masks)
            ]

        sums = self.over_taps(every, len(masks), terms)
        self.keep(sums, self.out_row() * self.f + at, masks)

    # ------------------------------------------------------------- back to the image

    def input(self) -> None:
        """The gradient by the image: every result that an element has a part in.

        Along a row, elements that are equally far from the first one of a window see the same
        taps, a stride apart, of results that lie side by side.
        """
        fn, stride, made = self.fn, self.a["strides"][2], self.grad[2]
        self.row = self.rows_of(self.unit, self.image)
        self.spans = [self.reaching(axis, self.row[1 + axis]) for axis in (0, 1)]

        def steps(x: V) -> V:
            return fn.udiv_index(fn.maximum(x, 0) + (stride - 1), fn.index(stride))

        # results of which every element that begins at one of their first taps sees all it could
        low = fn.maximum(steps(self.pad[2]), steps(fn.index(self.taps[2])) - 1)
        end = fn.minimum(fn.udiv_index(self.image[2] + self.pad[2], fn.index(stride)), made)
        high = low + fn.udiv_index(fn.maximum(end - low, 0), fn.index(PLACES)) * PLACES
        with fn.loop(low, high, PLACES) as i, fn.loop(0, stride) as r:
            self.elements_between(i.i, PLACES, r.i, (fn.index(0), steps(self.taps[2] - r.i)))
        begin = fn.minimum(low * stride - self.pad[2], self.image[2])
        whole = (high - low) * stride
        with fn.loop(0, self.image[2] - whole) as x:
            reach = fn.select(x.i < begin, x.i, x.i + whole) + self.pad[2]
            at = fn.udiv_index(reach, fn.index(stride))
            r = reach - at * stride
            span = fn.maximum(at - made + 1, 0), fn.minimum(steps(self.taps[2] - r), at + 1)
            self.elements_between(at, 1, r, span)

    def reaching(self, axis: int, i: V) -> tuple[V, V]:
        """Results along an axis that element `i` of the image has a part in."""
        fn, s, k = self.fn, self.a["strides"][axis], self.taps[axis]
        reach = i + self.pad[axis]
        low = fn.udiv_index(fn.maximum(reach - (k - 1), 0) + (s - 1), fn.index(s))
        high = fn.udiv_index(fn.maximum(reach + s, 0), fn.index(s))
        return low, fn.minimum(high, self.grad[axis])

    def elements_between(self, at: V, count: int, r: V, span: tuple[V, V]) -> None:
        """`count` elements of the row a stride apart, the first of which begins at tap `r` of
        result `at`; `span` is which of their taps have a result.
        """
        stride = self.a["strides"]
        many = max(self.m, self.group)
        most = 4 if count == 1 or self.registers == 32 else 2
        with self.vectors(self.c, most if self.group == 1 else most // 2) as (nv, first):
            masks = self.masks(nv, first, self.c)

            def place(p: int) -> V:
                n, d, h = self.row
                line = ((n * self.image[0] + d) * self.image[1] + h) * self.image[2]
                found: V = line + (at + p) * stride[2] + r - self.pad[2]
                return found

            def terms(t: list[V]) -> list[tuple[V, V]]:
                """Of a result along depth and height, and a tap of the row."""
                n, *row = self.row
                there = [
                    i + p - o * s for i, p, o, s in zip(row, self.pad, t[:2], stride, strict=False)
                ]
                tap = self.tap([*there, r + t[2] * stride[2]]) * self.pitch
                to = ((n * self.grad[0] + t[0]) * self.grad[1] + t[1]) * self.grad[2] + at - t[2]
                xs = [
                    self.results_of((to + p) * self.f, first + v * self.lanes, masks[v])
                    for p in range(count) for v in range(nv)
                ]  # fmt: skip
                by = [
                    [
                        self.load(self.pointers[0], tap + e * self.f + first + v * self.lanes,
                                  self.lanes, mask)
                        if self.m == 1
                        else self.strided(self.pointers[0], tap + e, first + v * self.lanes, mask)
                        for v, mask in enumerate(masks)
                    ]
                    for e in range(many)
                ]  # fmt: skip
                return [(x[e], by[e][i % nv]) for e in range(many) for i, x in enumerate(xs)]

            if count > 1:  # the next block of elements, as they do not follow one another
                for p in range(count):
                    self.ask_for(place(count + p) * self.c + first, nv)
            sums = self.over_taps(span, count * nv, terms)
            for p in range(count):
                self.keep(sums[p * nv : (p + 1) * nv], place(p) * self.c + first, masks)

    def ask_for(self, at: V, nv: int) -> None:
        """`nv` vectors of the result will be written soon."""
        t, hint = self.buffers[2].dtype, [ir.Constant(ir.IntType(32), c) for c in (1, 3, 1)]
        for v in range(nv):
            p = self.fn.element_ptr(self.pointers[2], at + v * self.lanes, t)
            self.fn.call_intrinsic_void("llvm.prefetch", [p.type], [p, *hint])

    def results_of(self, at: V, first: V, mask: V | None) -> list[V]:
        """Vectors of the results of channels from `first` on: one for each that a channel has."""
        if self.m == 1:
            return self.spread(self.pointers[1], at, first, mask)
        return [self.strided(self.pointers[1], at + j, first, mask) for j in range(self.m)]

    # ------------------------------------------------------------- the filter's gradient

    def filter(self) -> None:
        """The sums over some rows of the gradient, for all taps."""
        fn, lanes = self.fn, self.lanes
        taps = self.taps[0] * self.taps[1] * self.taps[2]
        rows = self.images * self.grad[0] * self.grad[1]
        self.base = self.unit * (taps * self.pitch)
        with fn.loop(0, taps * self.pitch, lanes) as e:
            self.keep(self.zeros(1), self.base + e.i, self.masks(1, e.i, taps * self.pitch))
        begin = self.unit * self.share
        low, high = self.within()
        with fn.loop(begin, fn.minimum(begin + self.share, rows)) as r:
            self.row = self.rows_of(r.i, self.grad)
            with (
                fn.loop(*self.inside(0, self.row[1])) as td,
                fn.loop(*self.inside(1, self.row[2])) as th,
            ):
                self.at = [td.i, th.i]
                if self.period:
                    self.taps_of_row(self.phases, fn.index(0), low, high)
                else:
                    most = 4 if self.group == 1 else 1
                    with self.vectors(self.f, most) as (nv, first):
                        self.taps_of_row(nv, first, low, high)

    def taps_of_row(self, nv: int, first: V, low: V, high: V) -> None:
        """The sums of a row of the filter: its taps together where all see the image."""
        fn = self.fn
        most = max(1, (24 if self.registers == 32 else 10) // (nv * self.group))
        for count, tap in self.block_loops(even_blocks(self.taps[2], most)):
            self.line(tap, count, nv, first, (low, high))
        with fn.loop(0, self.taps[2]) as t:
            begin, end = self.seeing(t.i)
            for span in ((begin, fn.minimum(end, low)), (fn.maximum(begin, high), end)):
                with fn.if_(span[0] < span[1]):
                    self.line(t.i, 1, nv, first, span)

    def line(self, tap: V, taps: int, nv: int, first: V, span: tuple[V, V]) -> None:
        """Add the products over places of the row to the sums of some taps."""
        fn, lanes, c = self.fn, self.lanes, self.c
        n, d, h = self.row
        start = [d, h, fn.index(0)]
        x_row = [self.seen(n, start, [*self.at, tap + t]) * c for t in range(taps)]
        g_row = self.out_row() * self.f
        step = self.period or 1
        low, high = (e * self.f for e in span) if self.period else span
        with fn.loop(low, high, KC * step) as b:
            stop = fn.minimum(b.i + KC * step, high)
            with fn.loop(b.i, stop, step, carry=self.zeros(taps * self.group * nv)) as q:
                if self.period:
                    x_at, g_at, begin, masks = 0, 0, q.i, self.masks(nv, q.i, stop)
                else:
                    x_at, g_at, begin = q.i * (self.a["strides"][2] * c), q.i * self.f, first
                    masks = self.masks(nv, first, self.f)
                gs = [
                    self.load(self.pointers[1], g_row + g_at + begin + v * lanes, lanes, mask)
                    for v, mask in enumerate(masks)
                ]
                sums: list[V] = []
                for t in range(taps):
                    xs = [
                        self.spread(self.pointers[0], x_row[t] + x_at, begin + v * lanes, masks[v])
                        for v in range(nv)
                    ]
                    for e in range(self.group):
                        old = q.carry[len(sums) : len(sums) + nv]
                        sums += [
                            self.mul_add(x[e], g, y) for x, g, y in zip(xs, gs, old, strict=True)
                        ]
                q.next(sums)
            kept = self.masks(nv, first, self.period or self.f)
            for t in range(taps * self.group):
                tap_at, e = divmod(t, self.group)
                to = (
                    self.base + self.tap([*self.at, tap + tap_at]) * self.pitch + e * self.f + first
                )
                new = q.results[t * nv : (t + 1) * nv]
                old = [
                    fn.load(self.pointers[2], to + v * lanes, self.acc, lanes, mask)
                    for v, mask in enumerate(kept)
                ]
                self.keep([x + y for x, y in zip(old, new, strict=True)], to, kept)


def _depth(w: Walk, s: Template) -> None:
    _Depth(w, s).run()


TEMPLATES: dict[str, Callable[[Walk, Template], None]] = {"depthwise": _depth}
