"""The loops of pooling."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Shape
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Operand, Value, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_blocks import all_inside, unflat
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site

__all__ = [
    "lower_avg",
    "lower_avg_grad",
    "lower_max",
    "lower_max_grad",
    "lower_max_grad_grad",
    "lower_max_place",
]

#: Most taps of a window that are written out one by one.
TAPS = 16
#: Most phases of elements under windows with strides that have code of their own.
PHASES = 8


class _Phase(NamedTuple):
    """Elements of an axis that are equally far from the first one of a window.

    `many` of them begin at `first`, a stride apart; element i is in `windows` windows, the last of
    which is number ``skipped + i``, as far as these exist.
    """

    first: Dim
    many: Dim
    windows: int
    skipped: Dim


class _Windows:
    """Loops over the windows of one image, and over the elements of one window."""

    def __init__(self, n: Node, shape: Shape, out: Shape) -> None:
        self.k = KernelBuilder(n.op.name)
        a = n.attrs
        self.kernel: tuple[int, ...] = a["kernel"]
        self.strides: tuple[int, ...] = a["strides"]
        self.pads = a["pads"]
        self.size = shape[1:-1]
        self.out = out[1:-1]
        self.every = a.get("every", False)
        self.whole = all(p == (0, 0) for p in self.pads)

    @property
    def few(self) -> bool:
        """Whether windows have few taps, which are written out."""
        return int(np.prod(self.kernel)) <= TAPS

    @property
    def tiles(self) -> bool:
        """Whether each element of the image is in one window."""
        each = zip(self.out, self.strides, self.size, strict=True)
        side_by_side = self.strides == self.kernel and all(o * s == m for o, s, m in each)
        return self.whole and side_by_side

    def turned(self) -> _Windows:
        """For steps of 1 the windows over results that each element of the image is in."""
        made = copy.copy(self)
        made.size, made.out, made.whole = self.out, self.size, False
        made.pads = tuple(
            (n - 1 - p[0], n - 1 - p[1]) for n, p in zip(self.kernel, self.pads, strict=True)
        )
        return made

    def within(self, head: Sequence[Dim]) -> Dim:
        """1 where the rows of a window at `head`, all axes but the last, exist, else 0."""
        inside: Dim = 1
        for o, s, p, n, m in zip(
            head, self.strides, self.pads, self.kernel, self.size, strict=False
        ):  # fmt: skip
            if p != (0, 0):
                first = o * s - p[0]
                there = D.minimum(first + 1, m - n - first + 1)
                inside = inside * D.minimum(D.maximum(there, 0), 1)
        return inside

    def phases(self, axis: int) -> list[_Phase]:
        """The elements of an axis by their distance from the first one of a window."""
        n, s, p = self.kernel[axis], self.strides[axis], self.pads[axis][0]
        made = []
        for r in range(s):
            skipped = D.ceildiv(p - r, s)  # windows that lie before the image
            first = skipped * s + r - p
            many = D.maximum(D.ceildiv(self.size[axis] - first, s), 0)
            made.append(_Phase(first, many, -(-(n - r) // s) if r < n else 0, skipped))
        return made

    def phase(self, axes: Sequence[_Phase]) -> _Windows:
        """For elements of one phase of each axis the windows over results that they are in."""
        made = copy.copy(self)
        made.size, made.out, made.whole = self.out, tuple(x.many for x in axes), False
        made.kernel, made.strides = tuple(x.windows for x in axes), (1,) * len(axes)
        made.pads = tuple((x.windows - 1 - x.skipped, None) for x in axes)
        return made

    def taps(self, at: Sequence[Dim]) -> list[tuple[Dim, ...]]:
        """The elements of the window at `at`, in order.

        Instead of one that does not exist stands the next one that does: again, so that the
        largest element, and the first of equal ones, is the same.
        """
        return [
            tuple(
                f if p == (0, 0) else D.minimum(D.maximum(f, 0), n - 1)
                for f, p, n in zip(place, self.pads, self.size, strict=True)
            )
            for place in self.places(at)
        ]

    def places(self, at: Sequence[Dim]) -> list[tuple[Dim, ...]]:
        """Where the elements of the window at `at` are, or would be."""
        first = [o * s - p[0] for o, s, p in zip(at, self.strides, self.pads, strict=True)]
        return [
            tuple(f + t for f, t in zip(first, tap, strict=True))
            for tap in itertools.product(*(range(k) for k in self.kernel))
        ]

    def number(self, place: Sequence[Dim]) -> Operand:
        """Which element of its image and channel an element is."""
        flat: Dim = 0
        for i, n in zip(place, self.size, strict=True):
            flat = flat * n + i
        return self.k.cast(self.k.index(flat), dtypes.int32)

    def total(self, xs: Sequence[Operand], t: DType) -> Operand:
        """The sum of some elements."""
        if not xs:
            return lit(0, t)
        out = self.k.cast(xs[0], t)
        for x in xs[1:]:
            out = self.k.let("add", out, self.k.cast(x, t), dtype=t)
        return out

    def over(
        self, first: Sequence[Dim], extent: Sequence[Dim], kind: str,
        value: Callable[[list[Dim]], Operand],
    ) -> Operand:  # fmt: skip
        """A reduction over a box of places, axis by axis."""

        def level(places: list[Dim]) -> Operand:
            axis = len(places)
            if axis == len(extent):
                return value(places)
            with self.k.reduce("for", "t", extent[axis]) as r:
                r.yields(**{kind: level([*places, first[axis] + r.var])})
            made: Operand = r.results[0]
            return made

        return level([])

    def span(self, at: Sequence[Dim]) -> tuple[list[Dim], list[Dim]]:
        """First elements and extents of the part of a window that exists."""
        first: list[Dim] = []
        extent: list[Dim] = []
        for o, s, p, k, n in zip(at, self.strides, self.pads, self.kernel, self.size, strict=True):
            f = o * s - p[0]
            if p == (0, 0):
                first.append(f)
                extent.append(k)
                continue
            low = D.maximum(f, 0)
            first.append(low)
            extent.append(D.minimum(f + k, n) - low)
        return first, extent

    @contextmanager
    def rows(self, shape: Shape) -> Iterator[tuple[Dim, list[Dim]]]:
        """Loops over images and places: rows of all images are parallel."""
        with self.k.loop("parallel", "u", D.product(shape[:2])) as u, ExitStack() as nest:
            image, row = unflat(u, shape[:2])
            rest = [nest.enter_context(self.k.loop("for", "o", e)) for e in shape[2:-1]]
            yield image, [row, *rest]

    def count(self, at: Sequence[Dim], t: DType) -> Operand:
        """How many elements of a window exist."""
        _, extent = self.span(at)
        n = D.product(extent)
        return lit(n, t) if type(n) is int else self.k.cast(self.k.index(n), t)

    def hit(self, x: Operand, top: Operand) -> Operand:
        """Whether an element is the maximum (NaN is)."""
        k = self.k
        same = k.let("equal", x, top, dtype=dtypes.bool_)
        if x.dtype.kind != "f":
            return same
        nan = k.let("not_equal", x, x, dtype=dtypes.bool_)
        return k.let("logical_or", same, nan, dtype=dtypes.bool_)

    def largest(self, xs: Sequence[Operand]) -> Operand:
        top = xs[0]
        for x in xs[1:]:
            top = self.k.let("maximum", top, x)
        return top

    def maximum(self, a: Buffer, image: Dim, at: Sequence[Dim], c: Dim) -> Operand:
        """The maximum of a window."""
        if self.few:
            return self.largest([self.k.load(a, (image, *p, c)) for p in self.taps(at)])
        return self.over(*self.span(at), "max", lambda p: self.k.load(a, (image, *p, c)))

    @property
    def loops(self) -> int:
        """How many axes of a window are loops: the others have few taps, which are written out."""
        return next(i for i in range(len(self.kernel) + 1) if np.prod(self.kernel[i:]) <= TAPS)

    def first_place(self, a: Buffer, image: Dim, at: Sequence[Dim], c: Dim) -> Operand:
        """Where the first maximum of a window is, as the number of a place of the image."""
        k, t, loops = self.k, a.dtype, self.loops
        first, extent = self.span(at)
        inner = list(dict.fromkeys(place[loops:] for place in self.taps(at)))

        def better(best: Sequence[Operand], other: Sequence[Operand]) -> Sequence[Operand]:
            (top, place), (x, here) = best, other
            if t.kind == "f":  # the first NaN is more than all others
                less = k.let("less_equal", x, top, dtype=dtypes.bool_)
                more = k.let("logical_not", less, dtype=dtypes.bool_)
                ordered = k.let("equal", top, top, dtype=dtypes.bool_)
                more = k.let("logical_and", more, ordered, dtype=dtypes.bool_)
            else:
                more = k.let("greater", x, top, dtype=dtypes.bool_)
            return k.select(more, x, top), k.select(more, here, place)

        def level(places: list[Dim], best: Sequence[Operand]) -> Sequence[Operand]:
            axis = len(places)
            if axis < loops:
                carries = [("last", t), ("last", dtypes.int32)]
                with k.scan("t", extent[axis], carries, best) as sc:
                    sc.step(*level([*places, first[axis] + sc.var], sc.before))
                return sc.results
            taps = [[*places, *rest] for rest in inner]
            found: list[Sequence[Operand]] = [
                (k.load(a, (image, *p, c)), self.number(p)) for p in taps
            ]
            while len(found) > 1:  # neighbours first: no long chain, and the order is kept
                pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
                found = [better(*p) if len(p) == 2 else p[0] for p in pairs]
            return better(best, found[0])

        lowest = lit(-np.inf if t.kind == "f" else t.min, t)
        return level([], [lowest, self.number(first)])[1]

    def over_windows(
        self, at: Sequence[Dim], value: Callable[[Sequence[Dim], Operand], Operand], t: DType
    ) -> Operand:
        """The sum over the windows that the element at `at` is in, and whether they exist.

        Where the first maximum counts, windows beside it may be among them: the place says so.
        """
        loops = self.loops
        each = zip(at, self.strides, self.pads, self.kernel, strict=True)
        last = [(i + p[0]) // s for i, s, p, _ in each]
        many = [-(-n // s) for n, s in zip(self.kernel, self.strides, strict=True)]
        low, extent = _windows_of(self, at)

        def written_out(places: list[Dim]) -> Operand:
            steps = itertools.product(*(range(n) for n in many[loops:]))
            ends = last[loops:]
            begins: list[Dim] = low[loops:] if self.every else [0] * len(ends)
            sizes = extent[loops:] if self.every else self.out[loops:]
            inner = [[e - j for e, j in zip(ends, step, strict=True)] for step in steps]
            there = [[d - b for d, b in zip(p, begins, strict=True)] for p in inner]
            return self.total(
                [
                    value([*places, *p], all_inside(self.k, q, sizes))
                    for p, q in zip(inner, there, strict=True)
                ],
                t,
            )

        return self.over(low[:loops], extent[:loops], "sum", written_out)

    def firsts(self, xs: Sequence[Operand]) -> list[Operand]:
        """For each of the elements whether it is the first maximum, or one of them."""
        k = self.k
        top = self.largest(xs)
        if self.every:
            return [self.hit(x, top) for x in xs]
        out: list[Operand] = []
        before: Operand | None = None
        for x in xs:
            hit = self.hit(x, top)
            if before is None:
                out.append(hit)
                before = hit
            else:
                fresh = k.let("logical_not", before, dtype=dtypes.bool_)
                out.append(k.let("logical_and", hit, fresh, dtype=dtypes.bool_))
                before = k.let("logical_or", before, hit, dtype=dtypes.bool_)
        return out


def lower_max(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k = w.k
    a, b = k.input("x", x.dtype, xs), k.output("y", x.dtype, ys)
    with w.rows(ys) as (image, at), k.loop("vector", "c", xs[-1]) as c:
        k.store(b, (image, *at, c), w.maximum(a, image, at, c))
    s.step(k.build(), [s.input(0), s.output()])


def _windows_maxima(n: Node, s: Site) -> Any:
    """Of each window the place of the first maximum; the maximum where all of them count."""
    x, dy = n.inputs
    xs, ys = known_shape(x), known_shape(dy)
    w = _Windows(n, xs, ys)
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
    w = _Windows(n, xs, ys)
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


def _as_index(k: KernelBuilder, x: Operand) -> Expr:
    wide = k.cast(x, dtypes.int64)
    assert isinstance(wide, Value)
    return wide.index


def lower_max_grad_grad(n: Node, s: Site) -> None:
    x = n.inputs[0]
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = _Windows(n, xs, ys)
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
    w = _Windows(n, xs, ys)
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
    w = _Windows(n, xs, ys)
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


#: What is stored for the sum of a window, and its place where it may not be whole.
Finish = Callable[[Operand, Sequence[Dim] | None], Operand]


def _sums(w: _Windows, a: Buffer, b: Buffer, shape: Shape, t: DType, value: Finish) -> None:
    """Store at each place of results of a shape what `value` makes of the sum of its window."""
    with w.k.loop("parallel", "u", D.product(shape[:-2])) as u:
        image, *head = unflat(u, shape[:-2])
        _row_of_sums(w, a, b, image, head, shape[-1], t, value)


def _row_of_sums(
    w: _Windows, a: Buffer, b: Buffer, image: Dim, head: Sequence[Dim], channels: Dim, t: DType,
    value: Finish, every: Sequence[tuple[Dim, int]] = (),
) -> None:  # fmt: skip
    """The same for a row of results, at the first place and steps of `every` axis.

    Where whole windows exist (`value` is given no place there) they are written out, and with
    steps of 1 vectors run along rows: images of a few channels fill them.
    """
    k = w.k
    stride, pad, reach = w.strides[-1], w.pads[-1][0], w.kernel[-1]
    size, wide = w.size[-1], w.out[-1]
    begin = D.minimum(D.maximum(D.ceildiv(pad, stride), 0), wide)
    end = D.maximum(D.minimum((size + pad - reach) // stride + 1, wide), begin)
    loops = w.loops

    def made(at: Sequence[Dim], c: Dim) -> tuple[Dim, ...]:
        """Where the result of a place is stored."""
        if every:
            at = [f + o * step for o, (f, step) in zip(at, every, strict=True)]
        return (image, *at[:-1], at[-1] * channels + c)

    def whole(start: Dim) -> Operand:
        """The sum of a window that exists, whose rows begin at `start`."""
        first = [o * s - p[0] for o, s, p in zip(head, w.strides[:-1], w.pads[:-1], strict=True)]
        last = [start + i * channels for i in range(reach)]
        rest = list(itertools.product(*(range(n) for n in w.kernel[loops:-1])))

        def written_out(places: list[Dim]) -> Operand:
            if loops == len(w.kernel):  # rows are long themselves
                at = (image, *places[:-1], start + places[-1] * channels)
                return k.cast(k.load(a, at), t)
            rows = [[f + i for f, i in zip(first[loops:], tap, strict=True)] for tap in rest]
            return w.total([k.load(a, (image, *places, *row, e)) for row in rows for e in last], t)

        return w.over([*first, 0][:loops], w.kernel[:loops], "sum", written_out)

    def part(at: Sequence[Dim]) -> None:
        """A place whose window may reach outside."""
        with k.loop("vector", "c", channels) as c:
            total = w.over(*w.span(at), "sum", lambda p: k.cast(
                k.load(a, (image, *p[:-1], p[-1] * channels + c)), t))  # fmt: skip
            k.store(b, made(at, c), value(total, at))

    inside = w.within(head)
    # where the rows of a window exist, the loops below do what is in the middle
    for low, many in ((0, begin), (begin, (end - begin) * (1 - inside)), (end, wide - end)):
        if many != 0:
            with k.loop("for", "o", many) as o:
                part([*head, low + o])
    with ExitStack() as nest:
        if inside != 1:
            nest.enter_context(k.loop("for", "i", inside))
        if stride == 1 and not every:
            with k.loop("vector", "e", (end - begin) * channels) as e:
                total = whole((begin - pad) * channels + e)
                k.store(b, (image, *head, begin * channels + e), value(total, None))
        else:
            at = begin + nest.enter_context(k.loop("for", "o", end - begin))
            with k.loop("vector", "c", channels) as c:
                total = whole((at * stride - pad) * channels + c)
                k.store(b, made([*head, at], c), value(total, None))


def _shares(n: Node, s: Site, t: DType) -> Any:
    """The gradient of each mean divided by how many elements it is of."""
    (dy,) = n.inputs
    ys = known_shape(dy)
    w = _Windows(n, known_shape(n.outputs[0]), ys)
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
    w = _Windows(n, xs, ys)
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
                    _row_of_sums(w.phase(some), g, b, image, head, xs[-1], t, finished, every)
    else:
        g, b = k.input("g", given, ys), k.output("dx", dy.dtype, xs)
        with k.loop("parallel", "u", D.product(xs[:-1])) as u:
            image, *at = unflat(u, xs[:-1])
            with k.loop("vector", "c", xs[-1]) as c:
                total = w.over(*_windows_of(w, at), "sum",
                               lambda p: k.cast(k.load(g, (image, *p, c)), t))  # fmt: skip
                k.store(b, (image, *at, c), finished(total))
    s.step(k.build(), [s.input(0) if w.whole else shares, s.output()])


def _spread_shares(n: Node, s: Site, w: _Windows) -> None:
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


def _windows_of(w: _Windows, at: Sequence[Dim]) -> tuple[list[Dim], list[Dim]]:
    """The windows that an element is in: the first of each axis, and how many."""
    low: list[Dim] = []
    extent: list[Dim] = []
    for i, st, p, kn, o in zip(at, w.strides, w.pads, w.kernel, w.out, strict=True):
        first = D.maximum((i + p[0] - kn + st) // st, 0)
        last = D.minimum((i + p[0]) // st, o - 1)
        low.append(first)
        extent.append(D.maximum(last - first + 1, 0))
    return low, extent
