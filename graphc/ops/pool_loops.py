"""Pooling: its meaning in numpy, and its loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_blocks import all_inside, unflat
from graphc.ops.conv_windows import known_shape, wide_type, window_places, windows
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs

__all__ = [
    "lower_avg",
    "lower_avg_grad",
    "lower_max",
    "lower_max_grad",
    "lower_max_grad_grad",
    "lower_max_place",
    "take_avg",
    "take_avg_grad",
    "take_max",
    "take_max_grad",
    "take_max_grad_grad",
    "take_max_place",
]

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------------- meaning in numpy
#
# Attributes of the records below: `kernel`, `strides` and `pads` (before, after) for each axis of
# space.


def _fill(x: Array) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _sizes(x: Sequence[int], a: Attrs) -> list[int]:
    each = zip(x[1:-1], a["kernel"], a["strides"], a["pads"], strict=True)
    return [int(window_places(n, k, s, 1, p)) for n, k, s, p in each]  # type: ignore[arg-type]


def _patches(x: Array, a: Attrs, fill: Any) -> Array:
    """Windows as ``[n, *out, taps, c]``."""
    out = _sizes(x.shape, a)
    n = len(out)
    seen = windows(x, a["kernel"], a["strides"], (1,) * n, a["pads"], out, fill)
    taps = int(np.prod(a["kernel"]))
    return seen.reshape(x.shape[0], *out, taps, x.shape[-1])


def _inside(x: Array, a: Attrs) -> Array:
    """Which taps exist, as ``[1, *out, taps, 1]``."""
    one = np.ones((1, *x.shape[1:-1], 1), bool)
    return _patches(one, a, False)


def take_max(x: Array, **a: Any) -> Array:
    seen = _patches(x, a, _fill(x))
    return np.asarray(np.max(seen, axis=-2, initial=_fill(x)), x.dtype)


def _all(x: Array, a: Attrs) -> Array:
    """Which taps are the maximum, ``[n, *out, taps, c]``: padding never is."""
    seen = _patches(x, a, _fill(x))
    here = np.broadcast_to(_inside(x, a), seen.shape)
    top = np.max(np.where(here, seen, _fill(x)), axis=-2, keepdims=True, initial=_fill(x))
    return np.asarray(here & ((seen == top) | (seen != seen)))


def _first(x: Array, a: Attrs) -> Array:
    """The tap of the first maximum, ``[n, *out, 1, c]``."""
    return np.asarray(np.argmax(_all(x, a), axis=-2, keepdims=True))


def _within(ends: Any) -> tuple[slice, ...]:
    """The part of a padded image that is the image."""
    return (slice(None), *(slice(p[0], p[0] + m) for m, p in ends))


def _spread(taps: Array, size: Sequence[int], a: Attrs) -> Array:
    """Sums of ``[n, *out, taps, c]`` at the elements that the taps are of."""
    n = len(size)
    out = taps.shape[1 : 1 + n]
    wide = [
        max(m + p[0] + p[1], (o - 1) * s + k if o else 0)
        for m, p, o, s, k in zip(size, a["pads"], out, a["strides"], a["kernel"], strict=True)
    ]
    dx = np.zeros((taps.shape[0], *wide, taps.shape[-1]), taps.dtype)
    for i, at in enumerate(itertools.product(*(range(k) for k in a["kernel"]))):
        steps = zip(at, a["strides"], out, strict=True)
        place = (slice(None), *(slice(t, t + s * o, s) for t, s, o in steps))
        dx[place] += taps[..., i, :]
    ends = zip(size, a["pads"], strict=True)
    return np.asarray(dx[_within(ends)])


def take_max_grad(x: Array, dy: Array, *, every: bool = False, **a: Any) -> Array:
    taps = int(np.prod(a["kernel"]))
    hit = _all(x, a) if every else _first(x, a) == np.arange(taps)[:, None]
    g = wide_type(dy)[..., None, :]
    return _spread(np.where(hit, g, g.dtype.type(0)), x.shape[1:-1], a).astype(x.dtype)


def take_max_grad_grad(x: Array, g: Array, *, every: bool = False, **a: Any) -> Array:
    seen = _patches(g, a, 0)
    if every:
        chosen = np.where(_all(x, a), seen, g.dtype.type(0))
        return np.asarray(chosen.sum(axis=-2, dtype=g.dtype))
    return np.asarray(np.take_along_axis(seen, _first(x, a), -2)[..., 0, :])


def take_max_place(x: Array, *, whole: bool, dtype: DType, **a: Any) -> Array:
    """The number of the element that is the maximum, in its image or (`whole`) in the batch."""
    number = np.arange(int(np.prod(x.shape[1:])), dtype=np.int64).reshape(1, *x.shape[1:])
    number = np.broadcast_to(number, x.shape)
    if whole:
        step = int(np.prod(x.shape[1:]))
        number = number + np.arange(x.shape[0]).reshape(-1, *[1] * (x.ndim - 1)) * step
    return take_max_grad_grad(x, number, **a).astype(dtype.np)


def take_avg(x: Array, **a: Any) -> Array:
    seen = _patches(wide_type(x), a, 0)
    count = _inside(x, a).sum(axis=-2)
    with np.errstate(all="ignore"):
        return np.asarray(seen.sum(axis=-2) / count.astype(seen.dtype), x.dtype)


def take_avg_grad(dy: Array, *, sizes: Sequence[int], **a: Any) -> Array:
    here = _inside(np.empty((1, *sizes, 1)), a)
    g = wide_type(dy)
    count = here.sum(axis=-2).astype(g.dtype)
    with np.errstate(all="ignore"):
        each = np.where(here, (g / count)[..., None, :], g.dtype.type(0))
    return _spread(each, sizes, a).astype(dy.dtype)


# ------------------------------------------------------------------------- loops

#: Most taps of a window that are written out one by one.
TAPS = 16


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
        """Whether windows have few taps, and each element of the image is in one of them."""
        each = zip(self.out, self.strides, self.size, strict=True)
        side_by_side = self.strides == self.kernel and all(o * s == m for o, s, m in each)
        return self.few and self.whole and side_by_side

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

    def load(self, b: Buffer, image: Dim, place: Sequence[Dim], size: Shape, c: Dim) -> Operand:
        """An element, or 0 where there is none."""
        return self.k.load(b, (image, *place, c), all_inside(self.k, place, size))

    def total(self, xs: Sequence[Operand], t: DType) -> Operand:
        """The sum of some elements."""
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
    def each(self, at: Sequence[Dim], kind: str = "for") -> Iterator[tuple[Any, list[Dim]]]:
        """A reduction over the elements of a window that exist: its scope and their places."""
        first, extent = self.span(at)
        with self.k.reduce(kind, "t", D.product(extent)) as r:
            steps = unflat(r.var, extent)
            yield r, [f + t for f, t in zip(first, steps, strict=True)]

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
    with k.loop("parallel", "u", D.product(ys[:2])) as u, ExitStack() as nest:
        image, row = unflat(u, ys[:2])
        at = [row, *(nest.enter_context(k.loop("for", "o", e)) for e in ys[2:-1])]
        with k.loop("vector", "c", xs[-1]) as c:
            if w.few:
                top = w.largest([k.load(a, (image, *p, c)) for p in w.taps(at)])
            else:
                top = w.over(*w.span(at), "max", lambda p: k.load(a, (image, *p, c)))
            k.store(b, (image, *at, c), top)
    s.step(k.build(), [s.input(0), s.output()])


def _argmax(w: _Windows, a: Buffer, image: Dim, at: Sequence[Dim], c: Dim) -> Operand:
    """The first maximum of a window, counted among the elements that exist."""
    with w.each(at) as (r, p):
        r.yields(argmax=w.k.load(a, (image, *p, c)))
    found: Operand = r.results[0]
    return found


def _test(w: _Windows, a: Buffer, image: Dim, at: Sequence[Dim], c: Dim) -> Any:
    """Says of an element of a window, by its place and number, whether it gets the gradient."""
    if not w.every:
        found = _argmax(w, a, image, at, c)
        return lambda p, t: w.k.let("equal", found, w.k.index(t), dtype=dtypes.bool_)
    top = w.over(*w.span(at), "max", lambda p: w.k.load(a, (image, *p, c)))
    return lambda p, t: w.hit(w.k.load(a, (image, *p, c)), top)


def lower_max_grad(n: Node, s: Site) -> None:
    x, dy = n.inputs
    xs, ys = known_shape(x), known_shape(dy)
    w = _Windows(n, xs, ys)
    k = w.k
    a, g = k.input("x", x.dtype, xs), k.input("g", x.dtype, ys)
    b = k.output("dx", x.dtype, xs)
    zero = lit(0, x.dtype)
    few = w.few and (w.whole or not w.every)
    if w.tiles:
        with k.loop("parallel", "u", D.product(ys[:2])) as u, ExitStack() as nest:
            image, row = unflat(u, ys[:2])
            at = [row, *(nest.enter_context(k.loop("for", "o", e)) for e in ys[2:-1])]
            with k.loop("vector", "c", xs[-1]) as c:
                places = w.taps(at)
                firsts = w.firsts([k.load(a, (image, *p, c)) for p in places])
                v = k.load(g, (image, *at, c))
                for p, first in zip(places, firsts, strict=True):
                    k.store(b, (image, *p, c), k.select(first, v, zero))
        s.step(k.build(), [s.input(0), s.input(1), s.output()])
        return
    with k.loop("parallel", "image", xs[0]) as image:
        with k.loop("for", "z", D.product(xs[1:-1])) as z, k.loop("vector", "c", xs[-1]) as c:
            k.store(b, (image, *unflat(z, xs[1:-1]), c), zero)
        with k.loop("for", "o", D.product(ys[1:-1])) as o:
            at = unflat(o, ys[1:-1])
            with k.loop("vector", "c", xs[-1]) as c:
                v = k.load(g, (image, *at, c))
                if few:
                    places = w.taps(at)
                    firsts = w.firsts([k.load(a, (image, *p, c)) for p in places])
                    for q, first in zip(places, firsts, strict=True):
                        k.store(b, (image, *q, c), v, "add", first)
                else:
                    test = _test(w, a, image, at, c)
                    start, extent = w.span(at)
                    with k.loop("for", "t", D.product(extent)) as t:
                        q = tuple(f + e for f, e in zip(start, unflat(t, extent), strict=True))
                        k.store(b, (image, *q, c), v, "add", test(q, t))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def lower_max_grad_grad(n: Node, s: Site) -> None:
    x = n.inputs[0]
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k = w.k
    a, h = k.input("x", x.dtype, xs), k.input("g", x.dtype, xs)
    b = k.output("y", x.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = unflat(u, ys[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            test = _test(w, a, image, at, c)
            with w.each(at) as (r, p):
                r.yields(sum=k.load(h, (image, *p, c), test(p, r.var)))
            k.store(b, (image, *at, c), r.results[0])
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def lower_max_place(n: Node, s: Site) -> None:
    (x,) = n.inputs
    out = n.outputs[0]
    xs, ys = known_shape(x), known_shape(out)
    w = _Windows(n, xs, ys)
    k = w.k
    a, b = k.input("x", x.dtype, xs), k.output("y", out.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = unflat(u, ys[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            found = _argmax(w, a, image, at, c)
            with w.each(at) as (r, p):
                here = k.let("equal", found, k.index(r.var), dtype=dtypes.bool_)
                flat: Dim = image if n.attrs["whole"] else 0
                for place, e in zip(p, xs[1:-1], strict=True):
                    flat = flat * e + place
                flat = flat * xs[-1] + c
                r.yields(sum=k.select(here, k.index(flat), lit(0, dtypes.int64)))
            k.store(b, (image, *at, c), k.cast(r.results[0], out.dtype))
    s.step(k.build(), [s.input(0), s.output()])


def _wide(t: DType) -> DType:
    return dtypes.float32 if t.code in ("f16", "bf16") else t


def lower_avg(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k, t = w.k, _wide(x.dtype)
    a, b = k.input("x", x.dtype, xs), k.output("y", x.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = unflat(u, ys[:-1])
        count = w.count(at, t)
        with k.loop("vector", "c", xs[-1]) as c:
            total = _sum(w, a, image, at, c, t)
            k.store(b, (image, *at, c), k.cast(k.let("realdiv", total, count, dtype=t), x.dtype))
    s.step(k.build(), [s.input(0), s.output()])


def _sum(w: _Windows, a: Buffer, image: Dim, at: Sequence[Dim], c: Dim, t: DType) -> Operand:
    """The sum of a window."""
    k = w.k
    if not w.few:
        return w.over(*w.span(at), "sum", lambda p: k.cast(k.load(a, (image, *p, c)), t))
    if w.whole:
        return w.total([k.load(a, (image, *p, c)) for p in w.taps(at)], t)
    return w.total([w.load(a, image, p, w.size, c) for p in w.places(at)], t)


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
    g = k.input("g", dy.dtype if w.whole else t, ys)
    b = k.output("dx", dy.dtype, xs)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        image, *at = unflat(u, xs[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            if w.few and all(st == 1 for st in w.strides):
                taps = itertools.product(*(range(e) for e in w.kernel))
                places = [
                    [i + p[0] - e for i, p, e in zip(at, w.pads, tap, strict=True)] for tap in taps
                ]
                total = w.total([w.load(g, image, p, w.out, c) for p in places], t)
            else:
                total = w.over(*_windows_of(w, at), "sum",
                               lambda p: k.cast(k.load(g, (image, *p, c)), t))  # fmt: skip
            if w.whole:
                count = lit(int(np.prod(w.kernel)), t)
                total = k.let("realdiv", total, count, dtype=t)
            k.store(b, (image, *at, c), k.cast(total, dy.dtype))
    s.step(k.build(), [s.input(0) if w.whole else shares, s.output()])


def _spread_shares(n: Node, s: Site, w: _Windows) -> None:
    """The gradient where windows lie side by side: each element's share of its window's."""
    (dy,) = n.inputs
    ys, xs = known_shape(dy), known_shape(n.outputs[0])
    k, t = w.k, _wide(dy.dtype)
    g, b = k.input("g", dy.dtype, ys), k.output("dx", dy.dtype, xs)
    count = lit(int(np.prod(w.kernel)), t)
    with k.loop("parallel", "u", D.product(ys[:2])) as u, ExitStack() as nest:
        image, row = unflat(u, ys[:2])
        at = [row, *(nest.enter_context(k.loop("for", "o", e)) for e in ys[2:-1])]
        with k.loop("vector", "c", xs[-1]) as c:
            v = k.cast(k.load(g, (image, *at, c)), t)
            share = k.cast(k.let("realdiv", v, count, dtype=t), dy.dtype)
            for p in w.taps(at):
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
