"""Fourier transforms by Stockham's passes, on vectors.

The template ``fourier`` transforms one row, a block of rows or a block of columns. What is given
comes into two planes, real and imaginary parts apart; each pass goes from one pair of planes to the
other, so that results are in order at the end. A pass of radix r takes r numbers that lie n / r
apart, transforms them in registers and turns them by powers of a root of one, which a table holds.
With numbers of several rows or columns side by side all vectors are whole; in a single row the
first pass has radix 16 and turns squares of its results, so that all later ones have such vectors.
A transform back is one with real and imaginary parts exchanged before and after. Half of the
numbers do for real ones: even places are real parts, odd ones imaginary parts, and the spectra of
both are taken apart at the end, or put together at the beginning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.ir import dtypes
from graphc.ir.kernel import Template
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.squares import transposed
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["TEMPLATES"]

#: Numbers side by side, in whatever vectors the processor has.
SIDE = 16

Pair = tuple[V, V]


class _Fourier:
    """One unit.

    Buffers: given and made numbers, pairs of parts; the passes (radix, its repeats, the place in
    the table); the table; roots by which halves are put together; planes of a worker. Sizes: the
    unit; numbers in a transform, given, made; columns; rows; passes; elements of a plane.

    Attributes
    ----------
    mode : "row", "rows" or "columns"
    numbers : "complex", "real" (to half a spectrum) or "half" (from one)
    back : bool
    radices : tuple of int
        That occur in passes.
    """

    def __init__(self, w: Walk, s: Template) -> None:
        a = dict(s.attrs)
        self.walk, self.fn = w, w.k
        sizes = [w.uniform(d) for d in s.sizes]
        self.unit, self.n, self.given, self.made, self.columns, self.rows = sizes[:6]
        self.passes, self.plane = sizes[6:]
        pointers = [w.pointers[b] for b in s.buffers]
        self.x, self.y, self.steps, self.table, self.roots, self.work = pointers
        self.result = s.buffers[1]
        self.dtype = w.buffers[s.buffers[0]].dtype
        self.lanes = min(SIDE, host().vector_bytes // self.dtype.size)
        self.mode: str = a["mode"]
        self.kind: str = a["numbers"]
        self.back: bool = a["back"]
        self.radices: tuple[int, ...] = a["radices"]
        self.side = 1 if self.mode == "row" else SIDE

    # ------------------------------------------------------------- planes

    def get(self, planes: V, at: V) -> Pair:
        fn = self.fn
        re = fn.load(self.work, planes + at, self.dtype, self.lanes)
        return re, fn.load(self.work, planes + self.plane + at, self.dtype, self.lanes)

    def put(self, planes: V, at: V, x: Pair) -> None:
        self.fn.store(self.work, planes + at, x[0])
        self.fn.store(self.work, planes + self.plane + at, x[1])

    def turned(self, x: Pair, yes: bool = True) -> Pair:
        """Parts exchanged, for a transform back."""
        return (x[1], x[0]) if yes and self.back else x

    def root(self, table: Any, at: V) -> Pair:
        """A pair of a table, the same in all lanes."""
        fn = self.fn
        re, im = (fn.load(table, at * 2 + i, self.dtype) for i in (0, 1))
        return fn.splat(re, self.lanes), fn.splat(im, self.lanes)

    def first(self, count: V, lanes: int) -> V:
        """The mask of the first `count` lanes, which may be none or more than all."""
        fn = self.fn
        some = fn.maximum(fn.minimum(count, fn.index(lanes)), fn.index(0))
        return fn.lane_ids(lanes, dtypes.int32) < fn.splat(fn.cast(some, dtypes.int32), lanes)

    # ------------------------------------------------------------- one unit

    def run(self) -> None:
        fn = self.fn
        a, b = fn.index(SIDE), self.plane * 2 + SIDE
        self.load(a)
        if self.kind == "half":
            self.join(a, b)
            a, b = b, a
        if self.mode == "row":
            self.begin(a, b)
            a, b = b, a
        with fn.loop(0, self.passes, carry=[a, b, fn.index(SIDE)]) as p:
            source, to, s = p.carry
            radix, repeats, at = (fn.read_i64(self.steps, p.i * 3 + i) for i in range(3))
            for r in self.radices:
                with fn.if_(radix.eq(r)):
                    with fn.if_(repeats > 1):
                        self.one_pass(r, source, to, s, repeats, at)
                    with fn.if_(repeats.eq(1)):
                        self.one_pass(r, source, to, s, repeats, None)
            p.next([to, source, s * radix])
        a, b = p.results[:2]
        if self.kind == "real":
            self.split(a, b)
            a, b = b, a
        self.store(a)

    def one_pass(self, r: int, source: V, to: V, s: V, repeats: V, at: V | None) -> None:
        fn = self.fn
        with fn.loop(0, repeats) as p:
            turns = []
            if at is not None:
                turns = [self.root(self.table, at + p.i * (r - 1) + k) for k in range(r - 1)]
            with fn.loop(0, s, self.lanes) as q:
                given = [self.get(source, q.i + s * (p.i + repeats * j)) for j in range(r)]
                made = transform(fn, given)
                if turns:
                    rest = [times(x, t) for x, t in zip(made[1:], turns, strict=True)]
                    made = [made[0], *rest]
                for k, x in enumerate(made):
                    self.put(to, q.i + s * (p.i * r + k), x)

    def begin(self, source: V, to: V) -> None:
        """Sixteen numbers far apart, several such sets side by side; the results lie together."""
        fn, n = self.fn, self.lanes
        repeats = fn.shr(self.n, 4)
        row = (repeats + (SIDE - 1)) & -SIDE
        with fn.loop(0, repeats, n) as p:
            made = transform(fn, [self.get(source, p.i + repeats * j) for j in range(SIDE)])
            for k in range(1, SIDE):
                at = p.i + row * (2 * (k - 1))
                t = [fn.load(self.table, at + row * i, self.dtype, n) for i in (0, 1)]
                made[k] = times(made[k], (t[0], t[1]))
            for first in range(0, SIDE, n):
                squares = [transposed(fn, [x[i] for x in made[first : first + n]]) for i in (0, 1)]
                for c, (re, im) in enumerate(zip(*squares, strict=True)):
                    self.put(to, (p.i + c) * SIDE + first, (re, im))

    # ------------------------------------------------------------- halves of real numbers

    @contextmanager
    def places(self, count: V) -> Iterator[tuple[V, V | None]]:
        """Numbers from 0 on, in steps of what is side by side; in a row many in a vector."""
        fn = self.fn
        if self.mode == "row":
            with fn.loop(0, count, self.lanes) as k:
                yield k.i, None
        else:
            with fn.loop(0, count) as k, fn.loop(0, SIDE, self.lanes) as q:
                yield k.i, q.i

    def both(self, planes: V, k: V, q: V | None, last: V) -> tuple[Pair, Pair]:
        """The numbers at k and at last - k."""
        fn = self.fn
        if q is not None:
            return self.get(planes, k * SIDE + q), self.get(planes, (last - k) * SIDE + q)
        other = self.get(planes, last - k - (self.lanes - 1))
        back = range(self.lanes)[::-1]
        return self.get(planes, k), (
            fn.shuffle(other[0], None, back), fn.shuffle(other[1], None, back),
        )  # fmt: skip

    def roots_at(self, k: V, q: V | None) -> Pair:
        if q is not None:
            return self.root(self.roots, k)
        fn, n = self.fn, self.lanes
        x = fn.load(self.roots, k * 2, self.dtype, n), fn.load(self.roots, k * 2 + n, self.dtype, n)
        return apart(fn, *x)

    def split(self, source: V, to: V) -> None:
        """X[k] = E + w^k O of Z = E + iO, where E and O are spectra of real numbers."""
        fn = self.fn
        with fn.loop(0, self.side) as s:  # what follows the last is the first
            for plane in (source, source + self.plane):
                first = fn.load(self.work, plane + s.i, self.dtype)
                fn.store(self.work, plane + self.n * self.side + s.i, first)
        with self.places(self.n + 1) as (k, q):
            (a, b), (c, d) = self.both(source, k, q, self.n)
            even = (a + c) * 0.5, (b - d) * 0.5
            odd = (b + d) * 0.5, (c - a) * 0.5
            x = times(odd, self.roots_at(k, q))
            at = k if q is None else k * SIDE + q
            self.put(to, at, (even[0] + x[0], even[1] + x[1]))

    def join(self, source: V, to: V) -> None:
        """Z[k] = E + iO from X[k] = E + w^k O, twice as large; parts exchanged for the way back."""
        fn = self.fn
        none = fn.const(0, self.dtype)
        with fn.loop(0, self.side) as s:  # numbers without a partner are real
            fn.store(self.work, source + self.plane + s.i, none)
            fn.store(self.work, source + self.plane + self.n * self.side + s.i, none)
        with self.places(self.n) as (k, q):
            (a, b), (c, d) = self.both(source, k, q, self.n)
            even = a + c, b - d
            w = self.roots_at(k, q)
            odd = times((a - c, b + d), (w[0], -w[1]))
            at = k if q is None else k * SIDE + q
            self.put(to, at, (even[1] + odd[0], even[0] - odd[1]))

    # ------------------------------------------------------------- in and out

    def load(self, planes: V) -> None:
        plain = self.kind != "half"
        if self.mode == "row":
            self.load_row(planes, plain)
        elif self.mode == "rows":
            self.load_rows(planes, plain)
        else:
            self.load_columns(planes, plain)

    def parts(self, at: V, count: V) -> Pair:
        """`lanes` numbers of which `count` are there."""
        fn, n = self.fn, self.lanes
        masks = [self.first(count * 2 - i, n) for i in (0, n)]
        x = [
            fn.load(self.x, at * 2 + i, self.dtype, n, m)
            for i, m in zip((0, n), masks, strict=True)
        ]
        return apart(fn, x[0], x[1])

    def put_parts(self, at: V, count: V, x: Pair) -> None:
        fn, n = self.fn, self.lanes
        for i, v in zip((0, n), together(fn, *x), strict=True):
            mask = self.first(count * 2 - i, n)
            self.note(v, mask)
            fn.store(self.y, at * 2 + i, v, mask)

    def note(self, x: V, mask: V | None) -> None:
        if self.result in self.walk.watch:
            self.fn.look(x, mask, self.result in self.walk.watch.small)

    def scaled(self, x: Pair) -> Pair:
        """What comes out of a transform back, divided by its length."""
        fn = self.fn
        if not self.back:
            return x
        n = self.n * 2 if self.kind == "half" else self.n
        share = fn.fdiv(fn.const(1, self.dtype), fn.cast(n, self.dtype))
        return x[1] * share, x[0] * share

    def load_row(self, planes: V, plain: bool) -> None:
        fn, n = self.fn, self.lanes
        start = self.unit * self.given
        with fn.loop(0, self.given, n) as i:
            x = self.parts(start + i.i, self.given - i.i)
            self.put(planes, i.i, self.turned(x, plain))

    def store_row(self, planes: V) -> None:
        fn, n = self.fn, self.lanes
        start = self.unit * self.made
        with fn.loop(0, self.made, n) as i:
            self.put_parts(start + i.i, self.made - i.i, self.scaled(self.get(planes, i.i)))

    def load_columns(self, planes: V, plain: bool) -> None:
        fn, n = self.fn, self.lanes
        outer, start, count = self.block(self.columns)
        with fn.loop(0, self.given) as i, fn.loop(0, SIDE, n) as q:
            at = (outer * self.given + i.i) * self.columns + start + q.i
            x = self.parts(at, count - q.i)
            self.put(planes, i.i * SIDE + q.i, self.turned(x, plain))

    def store_columns(self, planes: V) -> None:
        fn, n = self.fn, self.lanes
        outer, start, count = self.block(self.columns)
        with fn.loop(0, self.made) as i, fn.loop(0, SIDE, n) as q:
            at = (outer * self.made + i.i) * self.columns + start + q.i
            self.put_parts(at, count - q.i, self.scaled(self.get(planes, i.i * SIDE + q.i)))

    def block(self, along: V) -> tuple[V, V, V]:
        """Which outer place, from which of `along` on, and how many of it the unit has."""
        fn = self.fn
        blocks = fn.udiv_index(along + (SIDE - 1), fn.index(SIDE))
        outer = fn.udiv_index(self.unit, blocks)
        start = (self.unit - outer * blocks) * SIDE
        return outer, start, fn.minimum(along - start, fn.index(SIDE))

    def load_rows(self, planes: V, plain: bool) -> None:
        """Squares of parts are turned: rows come to lie side by side."""
        fn, n = self.fn, self.lanes
        _, start, count = self.block(self.rows)
        wide = self.given * 2
        with fn.loop(0, SIDE, n) as q, fn.loop(0, wide, n) as i:
            mask = self.first(wide - i.i, n)
            rows = []
            for r in range(n):
                row = start + fn.minimum(q.i + r, count - 1)
                rows.append(fn.load(self.x, row * wide + i.i, self.dtype, n, mask))
            made = transposed(fn, rows)
            for c in range(0, n, 2):
                x = self.turned((made[c], made[c + 1]), plain)
                self.put(planes, (fn.shr(i.i, 1) + c // 2) * SIDE + q.i, x)

    def store_rows(self, planes: V) -> None:
        fn, n = self.fn, self.lanes
        _, start, count = self.block(self.rows)
        wide = self.made * 2
        with fn.loop(0, SIDE, n) as q, fn.loop(0, wide, n) as i:
            mask = self.first(wide - i.i, n)
            given: list[V] = []
            for c in range(0, n, 2):
                given += self.scaled(self.get(planes, (fn.shr(i.i, 1) + c // 2) * SIDE + q.i))
            for r, x in enumerate(transposed(fn, given)):
                with fn.if_(q.i + r < count):
                    self.note(x, mask)
                    fn.store(self.y, (start + q.i + r) * wide + i.i, x, mask)

    def store(self, planes: V) -> None:
        {"row": self.store_row, "rows": self.store_rows, "columns": self.store_columns}[self.mode](
            planes
        )


# ------------------------------------------------------------------------- numbers in registers


def apart(fn: Any, x: V, y: V) -> Pair:
    """Parts of numbers that lie in turns."""
    n = x.lanes
    return fn.shuffle(x, y, range(0, 2 * n, 2)), fn.shuffle(x, y, range(1, 2 * n, 2))


def together(fn: Any, re: V, im: V) -> Pair:
    """Numbers whose parts lie in turns."""
    n = re.lanes
    lanes = [i // 2 + n * (i % 2) for i in range(2 * n)]
    return fn.shuffle(re, im, lanes[:n]), fn.shuffle(re, im, lanes[n:])


def times(x: Pair, w: Pair) -> Pair:
    """The product of complex numbers."""
    return x[0] * w[0] - x[1] * w[1], x[0] * w[1] + x[1] * w[0]


def by_root(x: Pair, k: int, n: int) -> Pair:
    """``x`` times the k-th power of exp(-2 pi i / n)."""
    k %= n
    if k == 0:
        return x
    if 4 * k == n:
        return x[1], -x[0]
    if 2 * k == n:
        return -x[0], -x[1]
    if 4 * k == 3 * n:
        return -x[1], x[0]
    angle = 2 * math.pi * k / n
    c, s = math.cos(angle), math.sin(angle)
    if 8 * k == n:
        return (x[0] + x[1]) * c, (x[1] - x[0]) * c
    if 8 * k == 3 * n:
        return (x[1] - x[0]) * s, -(x[0] + x[1]) * s
    return x[0] * c + x[1] * s, x[1] * c - x[0] * s


def transform(fn: Any, x: Sequence[Pair]) -> list[Pair]:
    """The transform of a few numbers in registers."""
    n = len(x)
    if n == 1:
        return list(x)
    if n == 2:
        (a, b), (c, d) = x
        return [(a + c, b + d), (a - c, b - d)]
    if n % 2:
        return _odd(x)
    r = 4 if n % 4 == 0 else 2
    if n == 4:
        p, q = transform(fn, [x[0], x[2]]), transform(fn, [x[1], x[3]])
        q[1] = by_root(q[1], 1, 4)
        ends = [transform(fn, [a, b]) for a, b in zip(p, q, strict=True)]
        return [ends[0][0], ends[1][0], ends[0][1], ends[1][1]]
    m = n // r
    inner = [transform(fn, x[j::r]) for j in range(r)]
    made: list[Any] = [None] * n
    for k in range(m):
        made[k::m] = transform(fn, [by_root(inner[j][k], j * k, n) for j in range(r)])
    return made


def _odd(x: Sequence[Pair]) -> list[Pair]:
    """An odd number of them: sums and differences of those that lie opposite."""
    n = len(x)
    half = range(1, (n + 1) // 2)
    (a, b) = x[0]
    sums = [(x[j][0] + x[n - j][0], x[j][1] + x[n - j][1]) for j in half]
    less = [(x[j][0] - x[n - j][0], x[j][1] - x[n - j][1]) for j in half]
    total = (a, b)
    for s in sums:
        total = total[0] + s[0], total[1] + s[1]
    made: list[Any] = [total] + [None] * (n - 1)
    for k in half:
        re, im = a, b
        u = v = None
        for j, (s, d) in enumerate(zip(sums, less, strict=True), 1):
            angle = 2 * math.pi * (j * k % n) / n
            c, t = math.cos(angle), math.sin(angle)
            re, im = re + s[0] * c, im + s[1] * c
            u = d[1] * t if u is None else u + d[1] * t
            v = d[0] * t if v is None else v + d[0] * t
        assert u is not None
        assert v is not None
        made[k], made[n - k] = (re + u, im - v), (re - u, im + v)
    return made


def _fourier(w: Walk, s: Template) -> None:
    _Fourier(w, s).run()


TEMPLATES: dict[str, Callable[[Walk, Template], Any]] = {"fourier": _fourier}
