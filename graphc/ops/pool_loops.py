"""The loops of pooling."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Shape
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Operand, Value, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_blocks import unflat
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.pool_windows import PHASES, Windows, windows_of

__all__ = [
    "lower_avg",
    "lower_avg_grad",
    "lower_max",
    "lower_max_grad",
    "lower_max_grad_grad",
    "lower_max_place",
]


def lower_max(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = Windows(n, xs, ys)
    k = w.k
    a, b = k.input("x", x.dtype, xs), k.output("y", x.dtype, ys)
    with w.rows(ys) as (image, at), k.loop("vector", "c", xs[-1]) as c:
        k.store(b, (image, *at, c), w.maximum(a, image, at, c))
    s.step(k.build(), [s.input(0), s.output()])


def _windows_maxima(n: Node, s: Site) -> Any:
    """Of each window the place of the first maximum; the maximum where all of them count."""
    x, dy = n.inputs
    xs, ys = known_shape(x), known_shape(dy)
    w = Windows(n, xs, ys)
    k = w.k
    t = x.dtype if w.every else dtypes.int32
    a, b = k.input("x", x.dtype, xs), k.output("maxima", t, ys)
    with w.rows(ys) as (image, at), k.loop("vector", "c", xs[-1]) as c:
        find = w.maximum if w.every else w.first_place
        k.store(b, (image, *at, c), find(a, image, at, c))
    out = s.temp(t, D.product(ys))
    s.step(k.build(), [s.input(0), out])
    return out


def lower_max_grad(n: Node, s: Site) -> None:
    x, dy = n.inputs
    xs, ys = known_shape(x), known_shape(dy)
    w = Windows(n, xs, ys)
    k = w.k
    if w.few and w.tiles:
        a, g = k.input("x", x.dtype, xs), k.input("g", x.dtype, ys)
        b = k.output("dx", x.dtype, xs)
        with w.rows(ys) as (image, at), k.loop("vector", "c", xs[-1]) as c:
            places = w.taps(at)
            firsts = w.firsts([k.load(a, (image, *p, c)) for p in places])
            v = k.load(g, (image, *at, c))
            for p, first in zip(places, firsts, strict=True):
                k.store(b, (image, *p, c), k.select(first, v, lit(0, x.dtype)))
        s.step(k.build(), [s.input(0), s.input(1), s.output()])
        return
    if not w.every and int(np.prod(w.strides)) <= PHASES:
        _by_phases(n, s, w)
        return
    maxima = _windows_maxima(n, s)
    a, g = k.input("x", x.dtype, xs), k.input("g", x.dtype, ys)
    m = k.input("maxima", x.dtype if w.every else dtypes.int32, ys)
    b = k.output("dx", x.dtype, xs)
    with w.rows(xs) as (image, at), k.loop("vector", "c", xs[-1]) as c:
        own = k.load(a, (image, *at, c)) if w.every else w.number(at)

        def share(p: Sequence[Dim], there: Operand) -> Operand:
            top = k.load(m, (image, *p, c), there, 0 if w.every else -1)
            if w.every:
                hit = k.let("logical_and", there, w.hit(own, top), dtype=dtypes.bool_)
            else:
                hit = k.let("equal", top, own, dtype=dtypes.bool_)
            return k.load(g, (image, *p, c), hit)

        k.store(b, (image, *at, c), w.over_windows(at, share, x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), maxima, s.output()])


def _by_phases(n: Node, s: Site, w: Windows) -> None:
    """The gradient of maxima, whose taps stand beside each other with room for windows around.

    An element that lies so far from the first one of a window is that one's same tap always. Around
    the windows that exist stand some whose maximum is no tap: nothing is asked of any of them.
    """
    x, dy = n.inputs
    xs, ys = known_shape(x), known_shape(dy)
    each = [w.phases(axis) for axis in range(len(w.strides))]
    low = [-(-n // st) - 1 for n, st in zip(w.kernel, w.strides, strict=True)]
    reach = [
        D.maximum((m - 1 + p[0]) // st + 1, o)
        for m, p, st, o in zip(w.size, w.pads, w.strides, w.out, strict=True)
    ]
    taps, t, wide = _first_taps(n, s, low, reach)
    k = w.k
    g, m = k.input("g", dy.dtype, ys), k.input("taps", t, (xs[0], *wide, xs[-1]))
    b = k.output("dx", x.dtype, xs)
    most = [functools.reduce(D.maximum, [p.many for p in some]) for some in each[:-1]]
    with k.loop("parallel", "u", D.product([xs[0], *most])) as u:
        image, *head = unflat(u, [xs[0], *most])
        for numbers in itertools.product(*(range(st) for st in w.strides)):
            some = [phases[r] for phases, r in zip(each, numbers, strict=True)]
            there = D.product(
                D.minimum(D.maximum(p.many - o, 0), 1) for p, o in zip(some, head, strict=False)
            )
            with (
                k.loop("for", "p", there),
                k.loop("for", "o", some[-1].many) as o,
                k.loop("vector", "c", xs[-1]) as c,
            ):
                at, shares = [*head, o], []
                for back in itertools.product(*(range(p.windows) for p in some)):
                    window = [p.skipped + i - d for p, i, d in zip(some, at, back, strict=True)]
                    tap = 0
                    for r, d, st, size in zip(numbers, back, w.strides, w.kernel, strict=True):
                        tap = tap * size + r + d * st
                    theirs = k.load(
                        m, (image, *(i + e for i, e in zip(window, low, strict=True)), c)
                    )
                    hit = k.let("equal", theirs, lit(tap, t), dtype=dtypes.bool_)
                    shares.append(k.load(g, (image, *window, c), hit))
                place = [p.first + i * st for p, i, st in zip(some, at, w.strides, strict=True)]
                k.store(b, (image, *place, c), w.total(shares, x.dtype))
    s.step(k.build(), [s.input(1), taps, s.output()])


def _first_taps(
    n: Node, s: Site, low: Sequence[int], reach: Sequence[Dim]
) -> tuple[Any, DType, list[Dim]]:
    """Of each window which element is its first maximum.

    Of an axis with `low` windows before those that exist, and up to window `reach` behind them:
    these have a number that no tap has.
    """
    x, dy = n.inputs
    xs, ys = known_shape(x), known_shape(dy)
    w = Windows(n, xs, ys)
    k, rank = w.k, len(w.out)
    t = dtypes.uint8 if int(np.prod(w.kernel)) < 256 else dtypes.int32
    none = lit(255 if t is dtypes.uint8 else -1, t)
    wide: list[Dim] = [e + r for e, r in zip(low, reach, strict=True)]
    a, b = k.input("x", x.dtype, xs), k.output("taps", t, (xs[0], *wide, xs[-1]))

    def empty(image: Dim, at: list[Dim]) -> None:
        if len(at) < rank:
            with k.loop("for", "e", wide[len(at)]) as e:
                empty(image, [*at, e])
            return
        with k.loop("vector", "c", xs[-1]) as c:
            k.store(b, (image, *at, c), none)

    def filled(image: Dim, at: list[Dim]) -> None:
        axis = len(at)
        if axis < rank:
            end = low[axis] + w.out[axis]
            parts = ((0, low[axis], empty), (low[axis], w.out[axis], filled))
            for first, many, made in (*parts, (end, wide[axis] - end, empty)):
                if many != 0:
                    with k.loop("for", "o", many) as o:
                        made(image, [*at, first + o])
            return
        window = [i - e for i, e in zip(at, low, strict=True)]
        with k.loop("vector", "c", xs[-1]) as c:
            tap = w.first_place(a, image, window, c, lambda place: w.tap(window, place))
            k.store(b, (image, *at, c), k.cast(tap, t))

    with k.loop("parallel", "u", D.product([xs[0], wide[0]])) as u:
        image, row = unflat(u, [xs[0], wide[0]])
        behind = D.minimum(D.maximum(row - low[0] + 1, 0), 1)
        inside = behind * D.minimum(D.maximum(low[0] + w.out[0] - row, 0), 1)
        with k.loop("for", "i", inside):
            filled(image, [row])
        with k.loop("for", "i", 1 - inside):
            empty(image, [row])
    out = s.temp(t, D.product([xs[0], *wide, xs[-1]]))
    s.step(k.build(), [s.input(0), out])
    return out, t, wide


def _as_index(k: KernelBuilder, x: Operand) -> Expr:
    wide = k.cast(x, dtypes.int64)
    assert isinstance(wide, Value)
    return wide.index


def lower_max_grad_grad(n: Node, s: Site) -> None:
    x = n.inputs[0]
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = Windows(n, xs, ys)
    k = w.k
    images = xs if w.every else (xs[0], D.product(xs[1:-1]), xs[-1])
    a, h = k.input("x", x.dtype, xs), k.input("g", x.dtype, images)
    b = k.output("y", x.dtype, ys)
    with w.rows(ys) as (image, at), k.loop("vector", "c", xs[-1]) as c:
        if w.every:
            top = w.maximum(a, image, at, c)

            def chosen(p: Sequence[Dim]) -> Operand:
                return k.load(h, (image, *p, c), w.hit(k.load(a, (image, *p, c)), top))

            y = w.over(*w.span(at), "sum", chosen)
        else:
            y = k.load(h, (image, _as_index(k, w.first_place(a, image, at, c)), c))
        k.store(b, (image, *at, c), y)
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def lower_max_place(n: Node, s: Site) -> None:
    (x,) = n.inputs
    out = n.outputs[0]
    xs, ys = known_shape(x), known_shape(out)
    w = Windows(n, xs, ys)
    k = w.k
    a, b = k.input("x", x.dtype, xs), k.output("y", out.dtype, ys)
    start = D.product(xs[1:-1]) if n.attrs["whole"] else 0
    with w.rows(ys) as (image, at), k.loop("vector", "c", xs[-1]) as c:
        place = _as_index(k, w.first_place(a, image, at, c)) + image * start
        flat = place * xs[-1] + c
        k.store(b, (image, *at, c), k.cast(k.index(flat), out.dtype))
    s.step(k.build(), [s.input(0), s.output()])


def _wide(t: DType) -> DType:
    return dtypes.float32 if t.code in ("f16", "bf16") else t


def lower_avg(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = Windows(n, xs, ys)
    k, t = w.k, _wide(x.dtype)
    a, b = k.input("x", x.dtype, _in_rows(xs)), k.output("y", x.dtype, _in_rows(ys))

    def mean(total: Operand, at: Sequence[Dim] | None) -> Operand:
        count = lit(int(np.prod(w.kernel)), t) if at is None else w.count(at, t)
        return k.cast(k.let("realdiv", total, count, dtype=t), x.dtype)

    _sums(w, a, b, ys, t, mean)
    s.step(k.build(), [s.input(0), s.output()])


def _in_rows(shape: Shape) -> Shape:
    """A shape whose last place and channels are one axis."""
    return (*shape[:-2], shape[-2] * shape[-1])


#: Elements of a row of a window that are written out where some of its rows do not exist, at most.
ROW = 8
#: What is stored for the sum of a window, and its place where it may not be whole.
Finish = Callable[[Operand, Sequence[Dim] | None], Operand]


def _sums(w: Windows, a: Buffer, b: Buffer, shape: Shape, t: DType, value: Finish) -> None:
    """Store at each place of results of a shape what `value` makes of the sum of its window."""
    with w.k.loop("parallel", "u", D.product(shape[:-2])) as u:
        image, *head = unflat(u, shape[:-2])
        _Row(w, a, b, image, head, shape[-1], t, value).store()


class _Row:
    """A row of results that are sums of windows, at the first place and steps of `every` axis.

    Where whole windows exist (`value` is given no place there) they are written out, and with
    steps of 1 vectors run along rows: images of a few channels fill them.
    """

    def __init__(
        self, w: Windows, a: Buffer, b: Buffer, image: Dim, head: Sequence[Dim], channels: Dim,
        t: DType, value: Finish, every: Sequence[tuple[Dim, int]] = (),
    ) -> None:  # fmt: skip
        self.w, self.k, self.a, self.b = w, w.k, a, b
        self.image, self.head, self.channels = image, head, channels
        self.t, self.value, self.every = t, value, every
        self.stride, self.pad, self.reach = w.strides[-1], w.pads[-1][0], w.kernel[-1]
        size, self.wide = w.size[-1], w.out[-1]
        begin = D.ceildiv(self.pad, self.stride)
        self.begin = D.minimum(D.maximum(begin, 0), self.wide)
        last = (size + self.pad - self.reach) // self.stride
        self.end = D.maximum(D.minimum(last + 1, self.wide), self.begin)

    def store(self) -> None:
        """All results of the row."""
        begin, end, inside = self.begin, self.end, self.w.within(self.head)
        short = self.reach <= ROW
        outside = 0 if short else (end - begin) * (1 - inside)
        for low, many in ((0, begin), (begin, outside), (end, self.wide - end)):
            if many != 0:
                with self.k.loop("for", "o", many) as o:
                    self.part([*self.head, low + o])
        if inside == 1:
            self.middle(self.whole, None)
            return
        with self.k.loop("for", "i", inside):
            self.middle(self.whole, None)
        if short:
            with self.k.loop("for", "i", 1 - inside):
                self.middle(self.cut, [*self.head, begin])

    def made(self, at: Sequence[Dim], c: Dim) -> tuple[Dim, ...]:
        """Where the result of a place is stored."""
        if self.every:
            at = [f + o * step for o, (f, step) in zip(at, self.every, strict=True)]
        return (self.image, *at[:-1], at[-1] * self.channels + c)

    def middle(self, total: Callable[[Dim], Operand], of: Sequence[Dim] | None) -> None:
        """The places of windows that exist along the row."""
        k, c = self.k, self.channels
        many, first = self.end - self.begin, self.begin
        if self.stride == 1 and not self.every:
            with k.loop("vector", "e", many * c) as e:
                sums = self.value(total((first - self.pad) * c + e), of)
                k.store(self.b, (self.image, *self.head, first * c + e), sums)
            return
        with k.loop("for", "o", many) as o, k.loop("vector", "c", c) as e:
            sums = self.value(total(((first + o) * self.stride - self.pad) * c + e), of)
            k.store(self.b, self.made([*self.head, first + o], e), sums)

    def whole(self, start: Dim) -> Operand:
        """The sum of a window that exists, whose rows begin at `start`."""
        k, w, loops = self.k, self.w, self.w.loops
        each = zip(self.head, w.strides[:-1], w.pads[:-1], strict=True)
        first = [o * s - p[0] for o, s, p in each]
        last = [start + i * self.channels for i in range(self.reach)]
        rest = list(itertools.product(*(range(n) for n in w.kernel[loops:-1])))

        def written_out(places: list[Dim]) -> Operand:
            if loops == len(w.kernel):  # rows are long themselves
                at = (self.image, *places[:-1], start + places[-1] * self.channels)
                return k.cast(k.load(self.a, at), self.t)
            rows = [[f + i for f, i in zip(first[loops:], tap, strict=True)] for tap in rest]
            found = [k.load(self.a, (self.image, *places, *row, e)) for row in rows for e in last]
            return w.total(found, self.t)

        return w.over([*first, 0][:loops], w.kernel[:loops], "sum", written_out)

    def cut(self, start: Dim) -> Operand:
        """The same of a window some of whose rows do not exist."""
        first, extent = self.w.span([*self.head, self.begin])

        def written_out(places: list[Dim]) -> Operand:
            row = [start + i * self.channels for i in range(self.reach)]
            return self.w.total(
                [self.k.load(self.a, (self.image, *places, e)) for e in row], self.t
            )

        return self.w.over(first[:-1], extent[:-1], "sum", written_out)

    def part(self, at: Sequence[Dim]) -> None:
        """A place whose window may reach outside."""
        k, channels = self.k, self.channels
        with k.loop("vector", "c", channels) as c:
            total = self.w.over(*self.w.span(at), "sum", lambda p: k.cast(
                k.load(self.a, (self.image, *p[:-1], p[-1] * channels + c)), self.t))  # fmt: skip
            k.store(self.b, self.made(at, c), self.value(total, at))


def _shares(n: Node, s: Site, t: DType) -> Any:
    """The gradient of each mean divided by how many elements it is of."""
    (dy,) = n.inputs
    ys = known_shape(dy)
    w = Windows(n, known_shape(n.outputs[0]), ys)
    k = w.k
    g, b = k.input("g", dy.dtype, ys), k.output("shares", t, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = unflat(u, ys[:-1])
        count = w.count(at, t)
        with k.loop("vector", "c", ys[-1]) as c:
            v = k.cast(k.load(g, (image, *at, c)), t)
            k.store(b, (image, *at, c), k.let("realdiv", v, count, dtype=t))
    out = s.temp(t, D.product(ys))
    s.step(k.build(), [s.input(0), out])
    return out


def lower_avg_grad(n: Node, s: Site) -> None:
    (dy,) = n.inputs
    ys, xs = known_shape(dy), known_shape(n.outputs[0])
    w = Windows(n, xs, ys)
    k, t = w.k, _wide(dy.dtype)
    if w.tiles:
        _spread_shares(n, s, w)
        return
    shares = None if w.whole else _shares(n, s, t)
    given = dy.dtype if w.whole else t

    def finished(total: Operand, at: Sequence[Dim] | None = None) -> Operand:
        if w.whole:
            total = k.let("realdiv", total, lit(int(np.prod(w.kernel)), t), dtype=t)
        return k.cast(total, dy.dtype)

    if all(st == 1 for st in w.strides):  # windows again, over the gradient
        g = k.input("g", given, _in_rows(ys))
        b = k.output("dx", dy.dtype, _in_rows(xs))
        _sums(w.turned(), g, b, xs, t, finished)
    elif int(np.prod(w.strides)) <= PHASES:
        g = k.input("g", given, _in_rows(ys))
        b = k.output("dx", dy.dtype, _in_rows(xs))
        each = [w.phases(axis) for axis in range(len(w.strides))]
        most = [functools.reduce(D.maximum, [x.many for x in some]) for some in each[:-1]]
        with k.loop("parallel", "u", D.product([xs[0], *most])) as u:
            image, *head = unflat(u, [xs[0], *most])
            for some in itertools.product(*each):
                there = D.product(
                    D.minimum(D.maximum(x.many - o, 0), 1) for x, o in zip(some, head, strict=False)
                )
                with k.loop("for", "p", there):
                    every = [(x.first, st) for x, st in zip(some, w.strides, strict=True)]
                    _Row(w.phase(some), g, b, image, head, xs[-1], t, finished, every).store()
    else:
        g, b = k.input("g", given, ys), k.output("dx", dy.dtype, xs)
        with k.loop("parallel", "u", D.product(xs[:-1])) as u:
            image, *at = unflat(u, xs[:-1])
            with k.loop("vector", "c", xs[-1]) as c:
                total = w.over(*windows_of(w, at), "sum",
                               lambda p: k.cast(k.load(g, (image, *p, c)), t))  # fmt: skip
                k.store(b, (image, *at, c), finished(total))
    s.step(k.build(), [s.input(0) if w.whole else shares, s.output()])


def _spread_shares(n: Node, s: Site, w: Windows) -> None:
    """The gradient where windows lie side by side: each element's share of its window's."""
    (dy,) = n.inputs
    ys, xs = known_shape(dy), known_shape(n.outputs[0])
    k, t = w.k, _wide(dy.dtype)
    g, b = k.input("g", dy.dtype, ys), k.output("dx", dy.dtype, xs)
    count = lit(int(np.prod(w.kernel)), t)
    with w.rows(ys) as (image, at), ExitStack() as nest:
        places: list[Sequence[Dim]] = [*w.taps(at)] if w.few else []
        if not w.few:
            each = zip(at, w.strides, w.kernel, strict=True)
            places = [[o * st + nest.enter_context(k.loop("for", "t", n)) for o, st, n in each]]
        with k.loop("vector", "c", xs[-1]) as c:
            v = k.cast(k.load(g, (image, *at, c)), t)
            share = k.cast(k.let("realdiv", v, count, dtype=t), dy.dtype)
            for p in places:
                k.store(b, (image, *p, c), share)
    s.step(k.build(), [s.input(0), s.output()])
