"""Windows of pooling over an image: their places, their elements, and the loops over both."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_blocks import all_inside, unflat

__all__ = ["PHASES", "Phase", "Windows", "windows_of"]

#: Most taps of a window that are written out one by one.
TAPS = 16
#: Most phases of elements under windows with strides that have code of their own.
PHASES = 8


class Phase(NamedTuple):
    """Elements of an axis that are equally far from the first one of a window.

    `many` of them begin at `first`, a stride apart; element i is in `windows` windows, the last of
    which is number ``skipped + i``, as far as these exist.
    """

    first: Dim
    many: Dim
    windows: int
    skipped: Dim


class Windows:
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

    def turned(self) -> Windows:
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

    def phases(self, axis: int) -> list[Phase]:
        """The elements of an axis by their distance from the first one of a window."""
        n, s, p = self.kernel[axis], self.strides[axis], self.pads[axis][0]
        made = []
        for r in range(s):
            skipped = D.ceildiv(p - r, s)  # windows that lie before the image
            first = skipped * s + r - p
            many = D.maximum(D.ceildiv(self.size[axis] - first, s), 0)
            made.append(Phase(first, many, -(-(n - r) // s) if r < n else 0, skipped))
        return made

    def phase(self, axes: Sequence[Phase]) -> Windows:
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

    def tap(self, at: Sequence[Dim], place: Sequence[Dim]) -> Operand:
        """Which element of the window at `at` an element is."""
        flat: Dim = 0
        for i, first, n in zip(place, self.places(at)[0], self.kernel, strict=True):
            flat = flat * n + (i - first)
        if type(flat) is int:
            return lit(flat, dtypes.int32)
        return self.k.cast(self.k.index(flat), dtypes.int32)

    def first_place(
        self, a: Buffer, image: Dim, at: Sequence[Dim], c: Dim,
        number: Callable[[Sequence[Dim]], Operand] | None = None,
    ) -> Operand:  # fmt: skip
        """Where the first maximum of a window is, as the `number` of a place of the image."""
        k, t, loops, number = self.k, a.dtype, self.loops, number or self.number
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
            found: list[Sequence[Operand]] = [(k.load(a, (image, *p, c)), number(p)) for p in taps]
            while len(found) > 1:  # neighbours first: no long chain, and the order is kept
                pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
                found = [better(*p) if len(p) == 2 else p[0] for p in pairs]
            return better(best, found[0])

        lowest = lit(-np.inf if t.kind == "f" else t.min, t)
        return level([], [lowest, number(first)])[1]

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
        low, extent = windows_of(self, at)

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


def windows_of(w: Windows, at: Sequence[Dim]) -> tuple[list[Dim], list[Dim]]:
    """The windows that an element is in: the first of each axis, and how many."""
    low: list[Dim] = []
    extent: list[Dim] = []
    for i, st, p, kn, o in zip(at, w.strides, w.pads, w.kernel, w.out, strict=True):
        first = D.maximum((i + p[0] - kn + st) // st, 0)
        last = D.minimum((i + p[0]) // st, o - 1)
        low.append(first)
        extent.append(D.maximum(last - first + 1, 0))
    return low, extent
