"""Loops of the three products: blocks of registers where sizes are known, plain loops else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Shape
from graphc.ir.kernel import Buffer, Kernel, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops import winograd
from graphc.ops.conv_windows import (
    group_count,
    known_shape,
)
from graphc.ops.lowering import Site

__all__ = [
    "MULTIPLE",
    "PARTS",
    "TEMPLATE",
    "Loops",
    "all_inside",
    "all_numbers",
    "is_packed",
    "lower_conv",
    "lower_conv_filter",
    "lower_conv_input",
    "sum_parts",
    "sum_type",
    "three_dims",
    "unflat",
]


# ------------------------------------------------------------------------- register blocks


@dataclass(frozen=True)
class Grid:
    """Results at ``first + i * step`` that are one convolution with steps and taps all alike.

    Everything but `taps` is for depth, height and width. The gradient by the image of a
    convolution with strides is as many of these as the strides have products.

    Attributes
    ----------
    taps : tuple of (first, step, count)
        Which taps of the filter are used, in the order in which they lie over the image.
    """

    taps: tuple[tuple[int, int, int], ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[Dim, ...]
    first: tuple[int, ...]
    step: tuple[int, ...]
    image: Shape
    all: Shape
    made: Shape
    images: Dim
    channels: Any
    columns: Any
    groups: int

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(n for _, _, n in self.taps)

    @property
    def straight(self) -> bool:
        """Whether the filter is used as it lies in memory."""
        return all(f == 0 and s == 1 for f, s, _ in self.taps)


def three_dims(x: Sequence[Any], fill: Any) -> tuple[Any, ...]:
    return (*[fill] * (3 - len(x)), *x)


def all_numbers(*dims: Dim) -> bool:
    return all(type(d) is int for d in dims)


def grids(n: Node) -> list[Grid] | None:
    """The convolutions that a `conv` or `conv_input` is; None where too little is known."""
    a, y = n.attrs, known_shape(n.outputs[0])
    if n.op.name == "conv":
        x, w = known_shape(n.inputs[0]), known_shape(n.inputs[1])
        if not all_numbers(*w, x[-1]) or D.product(w) * x[-1] == 0:
            return None
        groups = group_count(x[-1], w[-2])
        return [Grid(
            tuple((0, 1, k) for k in three_dims(w[:-2], 1)), three_dims(a["strides"], 1),
            three_dims(a["dilations"], 1), three_dims([p[0] for p in a["pads"]], 0),
            (0, 0, 0), (1, 1, 1), three_dims(x[1:-1], 1),
            three_dims(y[1:-1], 1), three_dims(y[1:-1], 1), y[0], w[-2],
            w[-1] // groups, groups,
        )]  # fmt: skip
    w, g = known_shape(n.inputs[0]), known_shape(n.inputs[1])
    if not all_numbers(*w, g[-1]) or D.product(w) == 0:
        return None
    each = []
    for k, s, d, p, size in zip(
        three_dims(w[:-2], 1), three_dims(a["strides"], 1), three_dims(a["dilations"], 1),
        three_dims([p[0] for p in a["pads"]], 0), three_dims(y[1:-1], 1), strict=True,
    ):  # fmt: skip
        if s == 1:
            each.append([((k - 1, -1, k), d, (k - 1) * d - p, 0, size)])
        elif d == 1 and type(p) is int:
            some = []
            for r in range(s):
                k0 = (r + p) % s
                count = max(0, -(-(k - k0) // s))
                last = k0 + s * (count - 1)
                pad = count - 1 - (r + p - k0) // s
                some.append(((last, -s, count), 1, pad, r, (size - r + s - 1) // s))
            each.append(some)
        else:
            return None
    groups = a["groups"]
    made = []
    for axes in itertools.product(*each):
        taps, dil, pads, first, sizes = zip(*axes, strict=True)
        made.append(Grid(
            taps, (1, 1, 1), dil, pads, first, three_dims(a["strides"], 1), three_dims(g[1:-1], 1),
            three_dims(y[1:-1], 1), sizes, y[0], g[-1] // groups, w[-2], groups,
        ))  # fmt: skip
    return made


def block_rows(width: Dim) -> int:
    """Rows of a register block along a row of results: few idle ones, and many."""
    if type(width) is not int:
        return 8
    return _rows_of([(width, 1)])[0]


def _rows_of(runs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Rows of register blocks, and what they cost, for runs of so many places and taps each."""

    def cost(m: int) -> int:
        return sum(-(-n // m) * (m + 2) * taps for n, taps in runs)

    m = min(range(1, 15), key=lambda m: (cost(m), -m))
    return m, cost(m)


def _runs(g: Grid) -> list[tuple[int, int]] | None:
    """The places of a row of results that see the same taps of a row of the filter, and how many.

    None where sizes are not known, or where it costs less to surround the image by zeros.
    """
    made, image, pad = g.made[2], g.image[2], g.pads[2]
    if not (type(made) is type(image) is type(pad) is int):
        return None
    s, d, k = g.strides[2], g.dilations[2], g.kernel[2]
    # from where on a place sees a tap, and from where on no more
    spans = [
        [min(max(-(-(edge + pad - t * d) // s), 0), made) for edge in (0, image)] for t in range(k)
    ]
    cuts = sorted({0, made, *itertools.chain(*spans)})
    runs = [
        (end - at, sum(low <= at < high for low, high in spans))
        for at, end in itertools.pairwise(cuts)
    ]
    wide = (made - 1) * s + (k - 1) * d + 1
    return runs if _rows_of(runs)[1] < _rows_of([(made, k)])[1] + wide // 4 else None


#: Steps between taps from which on a row may be cut where other taps are seen.
APART = 4
#: Columns of a panel, and columns of a filter from which on it is put in panels.
PANEL, LONG = 16, 256
#: Places of results from which on that pays.
OFTEN = 512
#: Elements of a group's filter that is large beside the second cache.
LARGE = 1 << 17
#: Places of a row that is one unit's, about.
PART = 128
#: Images from which on a register block is one place of several of them.
TOGETHER = 8


def is_packed(g: Grid) -> bool:
    """Whether a grid's filter is put in panels first: it is large, and rows of it are long.

    A block of columns is a part of each row. Where rows are some kilobytes apart, these parts have
    room in few sets of a cache, and no processor fetches them ahead.
    """
    f = D.facts()
    if f is None or g.groups != 1 or type(g.channels) is not int or type(g.columns) is not int:
        return False
    long = g.columns >= LONG and g.columns % PANEL == 0
    return (
        long
        and prod(g.kernel) * g.channels * g.columns >= LARGE
        and f.value(g.images * D.product(g.made)) >= OFTEN
    )


def packed(name: str, g: Grid, dtype: dtypes.DType) -> Kernel:
    """The kernel that puts a filter ``[taps and channels, columns]`` in panels of columns."""
    k = KernelBuilder(name)
    rows, panels = prod(g.kernel) * g.channels, g.columns // PANEL
    a = k.input("w", dtype, (rows, g.columns))
    b = k.output("packed", dtype, (panels, rows, PANEL))
    with k.loop("parallel", "r", rows) as r, k.loop("for", "p", panels) as p:
        with k.loop("vector", "e", PANEL) as e:
            k.store(b, (p, r, e), k.load(a, (r, p * PANEL + e)))
    return k.build()


def conv_kernel(
    k: KernelBuilder,
    g: Grid,
    x: Buffer,
    w: Buffer,
    outs: Sequence[Buffer],
    epilogue: Any = None,
    packed: bool = False,
) -> tuple[Kernel, int]:
    """The kernel of a grid, and how many scratch buffers come last in its parameters."""
    f = D.facts()
    known = g.images if type(g.images) is int else None if f is None else f.value(g.images)
    narrow = type(g.made[2]) is int and g.made[2] < 32 and g.kernel[2] > 1
    together = narrow and known is not None and known >= TOGETHER
    padded = not (all_numbers(*g.made, *g.image) and _inside_image(g))
    runs = _runs(g) if padded and not together and g.dilations[2] >= APART else None
    rows = TOGETHER if together else _rows_of(runs)[0] if runs else block_rows(g.made[2])
    copy = padded and not together and not runs
    buffers = [x, w, *outs]
    reach = (g.kernel[2] - 1) * g.dilations[2] + 1
    part = 0 if together else _part_of(g, rows, reach if copy else 0)
    if copy:
        wide = D.maximum(((part or g.made[2]) - 1) * g.strides[2] + reach, 0)
        size = max(1, g.kernel[0] * g.kernel[1] * g.channels)
        buffers.append(k.scratch("rows", x.dtype, (wide * size,)))
    blocks = D.ceildiv(g.images, rows) if together else g.images
    parts = D.ceildiv(g.made[2], part) if part else 1
    with k.loop("parallel", "u", blocks * g.made[0] * g.made[1] * parts) as u:
        k.template(
            "conv", buffers,
            (u, g.images, *g.image, *g.all, *g.made, *g.pads, *g.first, g.channels, g.columns),
            epilogue, kernel=g.kernel, strides=g.strides, dilations=g.dilations, step=g.step,
            halves=bool(together or runs or _has_half(g.made[2], rows)), runs=bool(runs),
            channels=g.channels, columns=g.columns, groups=g.groups, rows=rows,
            along="n" if together else "w", outputs=len(outs), copy=copy, part=part, packed=packed,
            large=D.product(g.kernel) * g.channels * g.columns >= LARGE, version=TEMPLATE,
        )  # fmt: skip
    return k.build(), int(copy)


def _part_of(g: Grid, rows: int, reach: int) -> int:
    """Places of a unit where an image is one row, which else would be one thread's; 0 for all.

    No less than `reach`: these are copied with each part.
    """
    if g.made[:2] != (1, 1) or (type(g.made[2]) is int and g.made[2] <= PART):
        return 0
    return -(-max(PART, reach) // rows) * rows


def _has_half(width: Dim, rows: int) -> bool:
    """Whether a row of results may end with a block of at most half the rows."""
    return type(width) is not int or 0 < width % rows <= (rows + 1) // 2


#: Raise it when what the templates emit changes: compiled kernels are cached by their text.
TEMPLATE = 13


def _inside_image(g: Grid) -> bool:
    """Whether no window of a row reaches outside the image."""
    each: tuple[Sequence[Any], ...] = (
        g.pads, g.made, g.strides, g.dilations, g.kernel, g.image,
    )  # fmt: skip
    p, o, s, d, k, n = (v[2] for v in each)
    return int(p) <= 0 and (o - 1) * s + (k - 1) * d - p < n


def turned(name: str, g: Grid, w: Shape, dtype: dtypes.DType) -> Kernel:
    """The kernel that puts a filter ``[taps, columns, channels]`` in the order of a grid."""
    k = KernelBuilder(name)
    c, f, groups = g.channels, g.columns, g.groups
    wide = three_dims(w[:-2], 1)
    a = k.input("w", dtype, (*wide, w[-2], w[-1]))
    b = k.output("turned", dtype, (*g.kernel, c, f * groups))
    tap = f * c * groups
    apart = [D.product(wide[i + 1 :]) * tap for i in range(3)]  # from one tap to the next
    made = [D.product(g.kernel[i + 1 :]) * tap for i in range(3)]
    outer: list[Dim] = [groups, c, f]
    start: Dim = 0
    for (first, step, count), here, there in reversed(list(zip(g.taps, apart, made, strict=True))):
        start = start + here * first
        outer = [count, here * step, there, *outer]
    units = D.product(g.kernel) * groups * D.ceildiv(c, SQUARE) * D.ceildiv(f, SQUARE)
    with k.loop("parallel", "u", units) as u:
        k.template(
            "conv_turn", [a, b], (u, c, f, c * groups, f * groups, start, *outer),
            block=(SQUARE, SQUARE), short="",
        )  # fmt: skip
    return k.build()


#: Rows and columns of a filter that a unit turns.
SQUARE = 64
#: Elements of partial sums of a filter's gradient that are kept at most.
PARTIAL = 1 << 20
#: Results of a channel up to which a depthwise gradient has a kernel of its own.
MULTIPLE = 4
#: Elements of image and gradient that are summed at a time: half of a second cache of 1 MB.
PIECE = 1 << 17
#: Channels up to which the taps of a row of a filter share register blocks.
JOINT = 6
#: Parts of a batch, or of its planes, that are summed apart, at most.
PARTS = 8


def _lower_filter_blocks(n: Node, s: Site) -> bool:
    """Lower a filter's gradient to register blocks; False where too little is known."""
    x, dy = n.inputs
    xs, gs, ws = known_shape(x), known_shape(dy), known_shape(n.outputs[0])
    if not all_numbers(*ws, xs[-1], gs[-1]) or D.product(ws) == 0:
        return False
    a, t, wide = n.attrs, x.dtype, sum_type(x)
    groups = a["groups"]
    count = int(D.product(ws))  # type: ignore[arg-type]
    most = max(1, min(PARTS, PARTIAL // count))
    deep, lines, wide_line = three_dims(gs[1:-1], 1)
    high = _piece(lines, wide_line * (a["strides"][-1] * xs[-1] + gs[-1]))
    pieces = xs[0] * deep * D.ceildiv(lines, high)
    share = D.maximum(D.ceildiv(pieces, most), 1)
    parts = D.ceildiv(pieces, share)
    kernel = three_dims(ws[:-2], 1)
    k = KernelBuilder("conv_filter_part")
    bx, bg = k.input("x", t, xs), k.input("g", t, gs)
    bs = k.output("sums", wide, (parts, count))
    pads = three_dims([p[0] for p in a["pads"]], 0)
    joint = groups == 1 and a["dilations"][-1] == 1 and kernel[2] > 1 and ws[-2] <= JOINT  # type: ignore[operator]
    units = parts * D.product(kernel[:2] if joint else kernel)
    with k.loop("parallel", "u", units) as u:
        k.template(
            "conv_filter", [bx, bg, bs],
            (u, xs[0], share, *three_dims(xs[1:-1], 1), *three_dims(gs[1:-1], 1), *pads,
             ws[-2], gs[-1] // groups, high),
            kernel=kernel, strides=three_dims(a["strides"], 1),
            dilations=three_dims(a["dilations"], 1),
            channels=ws[-2], columns=gs[-1] // groups, groups=groups, joint=joint,
            version=TEMPLATE,
        )  # fmt: skip
    sums = s.temp(wide, parts * count)
    s.step(k.build(), [s.input(0), s.input(1), sums])
    sum_parts(s, sums, wide, t, parts, count)
    return True


def _piece(lines: Dim, one: Dim) -> Dim:
    """Rows of a plane that are summed at a time, of `one` element each: all, or few enough."""
    if type(lines) is not int or type(one) is not int:
        return D.maximum(lines, 1)
    high = max(4, PIECE // max(one, 1))
    return max(-(-lines // -(-lines // high)), 1) if lines else 1


# ------------------------------------------------------------------------- plain loops


def index_of(k: KernelBuilder, d: Dim) -> Operand:
    """A size as an operand."""
    return lit(d, dtypes.int64) if type(d) is int else k.index(d)


def all_inside(k: KernelBuilder, places: Sequence[Dim], sizes: Sequence[Dim]) -> Operand:
    """Whether every place is in [0, size)."""
    ok: Operand | None = None
    for p, n in zip(places, sizes, strict=True):
        for low, high in ((-1, p), (p, n)):
            c = k.let("less", index_of(k, low), index_of(k, high), dtype=dtypes.bool_)
            ok = c if ok is None else k.let("logical_and", ok, c, dtype=dtypes.bool_)
    assert ok is not None
    return ok


class Loops:
    """What the plain loops of the three products share: conditions and sums over windows."""

    def __init__(self, n: Node) -> None:
        self.k = KernelBuilder(n.op.name)
        self.attrs = n.attrs

    def at(self, d: Dim) -> Operand:
        return index_of(self.k, d)

    def inside(self, places: Sequence[Dim], sizes: Sequence[Dim]) -> Operand:
        """Whether every place is in [0, size)."""
        return all_inside(self.k, places, sizes)

    def seen(self, at: Sequence[Dim], taps: Sequence[Dim]) -> list[Dim]:
        """The places of the image under `taps` of the filter for places `at` of the results."""
        a = self.attrs
        return [
            o * st + tap * di - p[0]
            for o, st, tap, di, p in zip(
                at, a["strides"], taps, a["dilations"], a["pads"], strict=True
            )
        ]

    def reached(
        self, at: Sequence[Dim], taps: Sequence[Dim], sizes: Sequence[Dim]
    ) -> tuple[list[Dim], Operand]:
        """The places of the results that see places `at` under `taps`, and whether they exist."""
        a = self.attrs
        ok: Operand | None = None
        places: list[Dim] = []
        for i, st, tap, di, p in zip(
            at, a["strides"], taps, a["dilations"], a["pads"], strict=True
        ):  # fmt: skip
            far = i + p[0] - tap * di
            places.append(far // st)
            if st > 1:
                zero = lit(0, dtypes.int64)
                hit = self.k.let("equal", self.at(far % st), zero, dtype=dtypes.bool_)
                ok = hit if ok is None else self.k.let("logical_and", ok, hit)
        there = self.inside(places, sizes)
        return places, there if ok is None else self.k.let("logical_and", ok, there)


def unflat(flat: Dim, sizes: Sequence[Dim]) -> list[Dim]:
    """Coordinates of a row-major number."""
    out: list[Dim] = []
    for n in reversed(sizes[1:]):
        n = 1 if n == 0 else n  # no element has a number
        out.insert(0, flat % n)
        flat = flat // n
    return [flat, *out]


def sum_type(v: Value) -> dtypes.DType:
    return dtypes.float32 if v.dtype.code in ("f16", "bf16") else v.dtype


def lower_conv(n: Node, s: Site) -> None:
    x, w = n.inputs
    xs, ws, ys = known_shape(x), known_shape(w), known_shape(n.outputs[0])
    groups = group_count(xs[-1], ws[-2])
    per = ys[-1] // groups
    t = Loops(n)
    k = t.k
    bx, bw = k.input("x", x.dtype, xs), k.input("w", x.dtype, ws)
    by = k.output("y", x.dtype, ys)
    wide = sum_type(x)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        at = unflat(u, ys[:-1])
        with k.loop("vector", "f", ys[-1]) as f:
            first = 0 if groups == 1 else f // per * ws[-2]
            with k.reduce("for", "q", D.product(ws[:-1])) as r:
                *taps, c = unflat(r.var, ws[:-1])
                places = t.seen(at[1:], taps)
                ok = t.inside(places, xs[1:-1])
                v = k.cast(k.load(bx, (at[0], *places, first + c), ok), wide)
                m = k.cast(k.load(bw, (*taps, c, f)), wide)
                r.yields(sum=k.let("multiply", v, m))
            k.store(by, (*at, f), k.cast(r.results[0], x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def lower_conv_input(n: Node, s: Site) -> None:
    w, dy = n.inputs
    ws, gs, xs = known_shape(w), known_shape(dy), known_shape(n.outputs[0])
    groups = n.attrs["groups"]
    per = gs[-1] // groups
    t = Loops(n)
    k = t.k
    bw, bg = k.input("w", w.dtype, ws), k.input("g", w.dtype, gs)
    bx = k.output("x", w.dtype, xs)
    wide = sum_type(w)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        at = unflat(u, xs[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            first, inner = (0, c) if groups == 1 else (c // ws[-2] * per, c % ws[-2])
            with k.reduce("for", "q", D.product((*ws[:-2], per))) as r:
                *taps, f = unflat(r.var, (*ws[:-2], per))
                places, ok = t.reached(at[1:], taps, gs[1:-1])
                v = k.cast(k.load(bg, (at[0], *places, first + f), ok), wide)
                m = k.cast(k.load(bw, (*taps, inner, first + f)), wide)
                r.yields(sum=k.let("multiply", v, m))
            k.store(bx, (*at, c), k.cast(r.results[0], w.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def lower_conv_filter(n: Node, s: Site) -> None:
    if n.attrs.get("winograd") and winograd.lower_gradient(n, s):
        return
    if _lower_filter_blocks(n, s):
        return
    x, dy = n.inputs
    xs, gs, ws = known_shape(x), known_shape(dy), known_shape(n.outputs[0])
    groups = n.attrs["groups"]
    per = gs[-1] // groups
    t = Loops(n)
    k = t.k
    bx, bg = k.input("x", x.dtype, xs), k.input("g", x.dtype, gs)
    bw = k.output("w", x.dtype, ws)
    wide = sum_type(x)
    with k.loop("parallel", "u", D.product(ws[:-1])) as u:
        *taps, c = unflat(u, ws[:-1])
        with k.loop("vector", "f", ws[-1]) as f:
            first = 0 if groups == 1 else f // per * ws[-2]
            with k.reduce("for", "q", D.product(gs[:-1])) as r:
                at = unflat(r.var, gs[:-1])
                places = t.seen(at[1:], taps)
                ok = t.inside(places, xs[1:-1])
                v = k.cast(k.load(bx, (at[0], *places, first + c), ok), wide)
                m = k.cast(k.load(bg, (*at, f)), wide)
                r.yields(sum=k.let("multiply", v, m))
            k.store(bw, (*taps, c, f), k.cast(r.results[0], x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def sum_parts(
    s: Site, sums: Any, wide: dtypes.DType, t: dtypes.DType, parts: Dim, count: Dim,
    again: tuple[Dim, int] | None = None,
) -> None:  # fmt: skip
    """Add up the parts that units have summed.

    With `again`, (n, times), each n sums stand `times` times one after another in a part.
    """
    k = KernelBuilder("conv_filter_sum")
    run, times = again or (count, 1)
    bs = k.input("sums", wide, (parts, count * times))
    by = k.output("w", t, (count,))
    with k.loop("parallel vector", "i", count) as i:
        with k.reduce("for", "p", parts * times) as r:
            at = i if times == 1 else i // run * (run * times) + r.var % times * run + i % run
            r.yields(sum=k.load(bs, (r.var // times, at)))
        k.store(by, (i,), k.cast(r.results[0], t))
    s.step(k.build(), [sums, s.output()])
