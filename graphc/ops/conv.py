"""Convolutions: TF1's ops on images and volumes, and the three products they are made of.

The ops that users name (`conv2d`, `conv3d`, their gradients and the depthwise ones) carry TF1's
attributes and expand to three records on ``[batch, *space, channels]`` with padding in numbers:
`conv` (an image and a filter), `conv_input` (a filter and a result, back to the image) and
`conv_filter` (an image and a result, back to the filter). Each is linear in both operands, and
the gradients of each are the other two: derivatives of any order stay among them.

``conv[n, o, f] = sum over k, c of x[n, o * stride + k * dilation - before, c] * w[k, c, f]``
for points o of the result and k of the filter, where x is zero outside. With fewer channels in
the filter than in the image, the channels of image and result are split in as many groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.kernel import Buffer, Kernel, KernelBuilder, Operand, lit
from graphc.ir.known import static
from graphc.ir.node import Node, Value
from graphc.ops import shapes, winograd
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, InferError, Op, Types, as_value, check_kind, op, shape_error
from graphc.ops.reduce import chosen
from graphc.ops.shapes import fail, less, make, show

__all__ = [
    "atrous_conv2d", "atrous_conv2d_transpose", "conv1d", "conv1d_transpose", "conv2d",
    "conv2d_backprop_filter", "conv2d_backprop_input", "conv2d_transpose", "conv3d",
    "conv3d_backprop_filter", "conv3d_backprop_filter_v2", "conv3d_transpose",
    "conv_transpose", "convolution", "depthwise_conv2d", "depthwise_conv2d_backprop_filter",
    "depthwise_conv2d_backprop_input", "depthwise_conv2d_native",
    "depthwise_conv2d_native_backprop_filter", "depthwise_conv2d_native_backprop_input",
    "separable_conv2d",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Pads = tuple[tuple[Dim, Dim], ...]

# ------------------------------------------------------------------------- windows


def window(
    size: Dim | None, k: Dim | None, stride: int, dilation: int, padding: str,
    explicit: tuple[int, int] = (0, 0),
) -> tuple[Dim, tuple[Dim, Dim]]:  # fmt: skip
    """Places of a window along an axis, and the zeros before and after it.

    Raises
    ------
    InferError
        Where the window does not fit.
    """
    if size is None or stride <= 0 or (k is None and padding != "SAME"):
        return D.fresh(), (0, 0)
    reach = 1 if k is None else (k - 1) * dilation + 1
    if padding == "SAME":
        out = D.ceildiv(size, stride)
        total = D.maximum((out - 1) * stride + reach - size, 0)
        return out, (total // 2, total - total // 2)
    before, after = explicit if padding == "EXPLICIT" else (0, 0)
    wide = size + before + after
    planned = D.facts() is not None
    if less(wide + (stride if planned else 0), reach):
        raise fail(
            f"Negative dimension size caused by subtracting {show(reach)} from {show(wide)}",
            f"Computed output size would be negative: "
            f"{show((wide - reach + stride) // stride)} [input_size: {show(size)}, "
            f"effective_filter_size: {show(reach)}, stride: {stride}]",
        )
    return (wide - reach + stride) // stride, (before, after)


def spatial(rank: int, data_format: str) -> tuple[int, ...]:
    """The axes of space."""
    return tuple(range(2, rank)) if data_format.startswith("NC") else tuple(range(1, rank - 1))


def channel(rank: int, data_format: str) -> int:
    """The axis of the channels."""
    return 1 if data_format.startswith("NC") else rank - 1


def geometry(
    sizes: Sequence[Dim | None], kernel: Sequence[Dim | None], attrs: Attrs
) -> tuple[Shape, Pads]:
    """Sizes of the result and padding, for sizes of the image and the filter in space.

    Strides, dilations and explicit padding in `attrs` are of all axes, as TF1 has them.
    """
    axes = spatial(len(attrs["strides"]), attrs["data_format"])
    given = attrs.get("explicit_paddings") or (0,) * (2 * len(attrs["strides"]))
    out, pads = [], []
    for size, k, a in zip(sizes, kernel, axes, strict=True):
        o, p = window(
            size, k, attrs["strides"][a], attrs["dilations"][a], attrs["padding"],
            (given[2 * a], given[2 * a + 1]),
        )  # fmt: skip
        out.append(o)
        pads.append(p)
    return tuple(out), tuple(pads)


def windows(
    x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
    pads: Sequence[tuple[int, int]], out: Sequence[int], fill: Any = 0,
) -> Array:  # fmt: skip
    """The windows over ``x[n, *space, c]`` as ``[n, *out, *kernel, c]``: a view of a copy."""
    wide = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    # what the last windows reach may lie behind the padding only where a size is 0
    short = [
        max(0, (o - 1) * s + (k - 1) * d + 1 - n)
        for o, s, k, d, n in zip(out, strides, kernel, dilations, wide.shape[1:-1], strict=True)
    ]
    if any(short):
        wide = np.pad(wide, [(0, 0), *((0, s) for s in short), (0, 0)], constant_values=fill)
    inside = wide.strides[1:-1]
    steps = [s * b for s, b in zip(strides, inside, strict=True)]
    taps = [d * b for d, b in zip(dilations, inside, strict=True)]
    shape = (x.shape[0], *out, *kernel, x.shape[-1])
    return np.lib.stride_tricks.as_strided(
        wide, shape, (wide.strides[0], *steps, *taps, wide.strides[-1])
    )


def wide_type(x: Array) -> Array:
    """Half precision is summed in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


# ------------------------------------------------------------------------- the three products
#
# Attributes: `strides`, `dilations` and `pads` (before, after) for each axis of space.


def _places(size: Dim, k: Dim, stride: int, dilation: int, pad: tuple[Dim, Dim]) -> Dim:
    """Places of a window, none where it does not fit."""
    room = size + pad[0] + pad[1] - (k - 1) * dilation - 1 + stride
    if type(room) is int:
        return max(room, 0) // stride
    return room // stride if not less(room, 0) else 0


def _conv_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, w = inputs
    s, f = x.static_shape, w.static_shape
    assert s is not None
    assert f is not None
    out = [
        _places(n, k, st, di, p)
        for n, k, st, di, p in zip(
            s[1:-1], f[:-2], attrs["strides"], attrs["dilations"], attrs["pads"], strict=True
        )
    ]
    return [(x.dtype, (s[0], *out, f[-1]))]


def _split(a: Array, groups: int) -> list[Array]:
    return [a] if groups == 1 else np.split(a, groups, axis=-1)


def _out_sizes(x: Array, kernel: Sequence[int], a: Attrs) -> list[int]:
    each = zip(x.shape[1:-1], kernel, a["strides"], a["dilations"], a["pads"], strict=True)
    return [int(_places(*e)) for e in each]  # type: ignore[arg-type]


def _conv(x: Array, w: Array, **a: Any) -> Array:
    n = w.ndim - 2
    kernel = w.shape[:n]
    out = _out_sizes(x, kernel, a)
    groups = x.shape[-1] // w.shape[-2] if w.shape[-2] else 1
    made = []
    for xs, ws in zip(_split(wide_type(x), groups), _split(wide_type(w), groups), strict=True):
        seen = windows(xs, kernel, a["strides"], a["dilations"], a["pads"], out)
        over = list(range(1 + n, 2 + 2 * n)), list(range(n + 1))
        with np.errstate(all="ignore"):
            made.append(np.tensordot(seen, ws, over))
    return np.concatenate(made, axis=-1).astype(x.dtype)


def _conv_input(w: Array, dy: Array, *, sizes: Sequence[int], groups: int, **a: Any) -> Array:
    n = w.ndim - 2
    made = []
    for ws, gs in zip(_split(wide_type(w), groups), _split(wide_type(dy), groups), strict=True):
        ends = [s + p[0] + p[1] for s, p in zip(sizes, a["pads"], strict=True)]
        reach = [
            max(0, (o - 1) * s + (k - 1) * d + 1)
            for o, s, k, d in zip(
                dy.shape[1:-1], a["strides"], w.shape[:n], a["dilations"], strict=True
            )
        ]
        wide = [max(e, r) for e, r in zip(ends, reach, strict=True)]
        dx = np.zeros((dy.shape[0], *wide, w.shape[-2]), ws.dtype)
        for tap in itertools.product(*(range(k) for k in w.shape[:n])):
            steps = zip(tap, a["dilations"], a["strides"], dy.shape[1:-1], strict=True)
            at = tuple(slice(t * d, t * d + s * o, s) for t, d, s, o in steps)
            with np.errstate(all="ignore"):
                part = np.tensordot(gs, ws[tap], ([-1], [-1]))
            every: tuple[slice, ...] = (slice(None), *at)
            dx[every] += part
        pads = zip(sizes, a["pads"], strict=True)
        inner: tuple[slice, ...] = (slice(None), *(slice(p[0], p[0] + s) for s, p in pads))
        made.append(dx[inner])
    return np.concatenate(made, axis=-1).astype(dy.dtype)


def _conv_filter(x: Array, dy: Array, *, sizes: Sequence[int], groups: int, **a: Any) -> Array:
    n = x.ndim - 2
    made = []
    for xs, gs in zip(_split(wide_type(x), groups), _split(wide_type(dy), groups), strict=True):
        seen = windows(xs, sizes, a["strides"], a["dilations"], a["pads"], dy.shape[1:-1])
        over = list(range(1 + n))
        with np.errstate(all="ignore"):
            made.append(np.tensordot(seen, gs, (over, over)))
    return np.concatenate(made, axis=-1).astype(x.dtype)


def _conv_grad(y: Value, dy: Value, x: Value, w: Value, **a: Any) -> Any:
    s, f = x.static_shape, w.static_shape
    assert s is not None
    assert f is not None
    groups = _groups(s[-1], f[-2])
    return (
        build(conv_input_op, (w, dy), {**a, "sizes": s[1:-1], "groups": groups}).outputs[0],
        build(conv_filter_op, (x, dy), {**a, "sizes": f[:-2], "groups": groups}).outputs[0],
    )


def _conv_input_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    w, dy = inputs
    f, g = w.static_shape, dy.static_shape
    assert f is not None
    assert g is not None
    return [(dy.dtype, (g[0], *attrs["sizes"], f[-2] * attrs["groups"]))]


def _conv_filter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dy = inputs
    s, g = x.static_shape, dy.static_shape
    assert s is not None
    assert g is not None
    return [(x.dtype, (*attrs["sizes"], s[-1] // attrs["groups"], g[-1]))]


def _plain(a: Attrs) -> dict[str, Any]:
    return {k: a[k] for k in ("strides", "dilations", "pads")}


def _conv_input_grad(y: Value, g: Value, w: Value, dy: Value, **a: Any) -> Any:
    f = w.static_shape
    assert f is not None
    return (
        build(conv_filter_op, (g, dy), {**a, "sizes": f[:-2]}).outputs[0],
        build(conv_op, (g, w), _plain(a)).outputs[0],
    )


def _conv_filter_grad(y: Value, g: Value, x: Value, dy: Value, **a: Any) -> Any:
    s = x.static_shape
    assert s is not None
    return (
        build(conv_input_op, (g, dy), {**a, "sizes": s[1:-1]}).outputs[0],
        build(conv_op, (x, g), _plain(a)).outputs[0],
    )


def _groups(image: Dim, filtered: Dim) -> int:
    """Groups of channels: a number in every plan, for the plan holds for these channels alone."""
    if image == filtered:
        return 1
    f = D.facts()
    if type(image) is int and type(filtered) is int:
        return image // filtered if filtered else 1
    assert f is not None
    n = f.value(image) // max(f.value(filtered), 1)
    return n if f.equal(image, filtered * n) else 1


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


def _three(x: Sequence[Any], fill: Any) -> tuple[Any, ...]:
    return (*[fill] * (3 - len(x)), *x)


def _numbers(*dims: Dim) -> bool:
    return all(type(d) is int for d in dims)


def grids(n: Node) -> list[Grid] | None:
    """The convolutions that a `conv` or `conv_input` is; None where too little is known."""
    a, y = n.attrs, _shape(n.outputs[0])
    if n.op is conv_op:
        x, w = _shape(n.inputs[0]), _shape(n.inputs[1])
        if not _numbers(*w, x[-1]) or D.product(w) == 0:
            return None
        groups = _groups(x[-1], w[-2])
        return [Grid(
            tuple((0, 1, k) for k in _three(w[:-2], 1)), _three(a["strides"], 1),
            _three(a["dilations"], 1), _three([p[0] for p in a["pads"]], 0), (0, 0, 0), (1, 1, 1),
            _three(x[1:-1], 1), _three(y[1:-1], 1), _three(y[1:-1], 1), y[0], w[-2],
            w[-1] // groups, groups,
        )]  # fmt: skip
    w, g = _shape(n.inputs[0]), _shape(n.inputs[1])
    if not _numbers(*w, g[-1]) or D.product(w) == 0:
        return None
    each = []
    for k, s, d, p, size in zip(
        _three(w[:-2], 1), _three(a["strides"], 1), _three(a["dilations"], 1),
        _three([p[0] for p in a["pads"]], 0), _three(y[1:-1], 1), strict=True,
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
            taps, (1, 1, 1), dil, pads, first, _three(a["strides"], 1), _three(g[1:-1], 1),
            _three(y[1:-1], 1), sizes, y[0], g[-1] // groups, w[-2], groups,
        ))  # fmt: skip
    return made


def block_rows(width: Dim) -> int:
    """Rows of a register block along a row of results: few idle ones, and many."""
    if type(width) is not int:
        return 8
    return min(range(1, 15), key=lambda m: (-(-width // m) * (m + 2), -m))


#: Images from which on a register block is one place of several of them.
TOGETHER = 8


def conv_kernel(
    k: KernelBuilder, g: Grid, x: Buffer, w: Buffer, outs: Sequence[Buffer], epilogue: Any = None
) -> tuple[Kernel, int]:
    """The kernel of a grid, and how many scratch buffers come last in its parameters."""
    f = D.facts()
    known = g.images if type(g.images) is int else None if f is None else f.value(g.images)
    narrow = type(g.made[2]) is int and g.made[2] < 32 and g.kernel[2] > 1
    together = narrow and known is not None and known >= TOGETHER
    rows = TOGETHER if together else block_rows(g.made[2])
    padded = not (_numbers(*g.made, *g.image) and _inside_image(g))
    copy = padded and not together
    buffers = [x, w, *outs]
    if copy:
        reach = (g.kernel[2] - 1) * g.dilations[2] + 1
        wide = D.maximum((g.made[2] - 1) * g.strides[2] + reach, 0)
        size = max(1, g.kernel[0] * g.kernel[1] * g.channels)
        buffers.append(k.scratch("rows", x.dtype, (wide * size,)))
    blocks = D.ceildiv(g.images, rows) if together else g.images
    with k.loop("parallel", "u", blocks * g.made[0] * g.made[1]) as u:
        k.template(
            "conv", buffers, (u, g.images, *g.image, *g.all, *g.made, *g.pads), epilogue,
            kernel=g.kernel, strides=g.strides, dilations=g.dilations, first=g.first,
            step=g.step, channels=g.channels, columns=g.columns, groups=g.groups, rows=rows,
            along="n" if together else "w", outputs=len(outs), copy=copy, version=TEMPLATE,
        )  # fmt: skip
    return k.build(), int(copy)


#: Raise it when what the templates emit changes: compiled kernels are cached by their text.
TEMPLATE = 4


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
    wide = _three(w[:-2], 1)
    a = k.input("w", dtype, (*wide, w[-2], w[-1]))
    b = k.output("turned", dtype, (*g.kernel, c, f * groups))
    with k.loop("parallel", "u", D.product(g.kernel) * c) as u:
        *at, row = _unflat(u, (*g.kernel, c))
        taps = [first + t * step for t, (first, step, _) in zip(at, g.taps, strict=True)]
        with k.loop("vector", "j", f * groups) as j:
            group, col = (0, j) if groups == 1 else (j // f, j % f)
            k.store(b, (*at, row, j), k.load(a, (*taps, col, group * c + row)))
    return k.build()


#: Elements of partial sums of a filter's gradient that are kept at most.
PARTIAL = 1 << 20
#: Results of a channel up to which a depthwise gradient has a kernel of its own.
MULTIPLE = 4
#: Channels up to which the taps of a row of a filter share register blocks.
JOINT = 6
#: Parts of a batch that are summed apart, at most.
PARTS = 8


def _lower_filter_blocks(n: Node, s: Site) -> bool:
    """Lower a filter's gradient to register blocks; False where too little is known."""
    x, dy = n.inputs
    xs, gs, ws = _shape(x), _shape(dy), _shape(n.outputs[0])
    if not _numbers(*ws, xs[-1], gs[-1]) or D.product(ws) == 0:
        return False
    a, t, wide = n.attrs, x.dtype, _acc(x)
    groups = a["groups"]
    count = int(D.product(ws))  # type: ignore[arg-type]
    most = max(1, min(PARTS, PARTIAL // count))
    share = D.maximum(D.ceildiv(xs[0], most), 1)
    parts = D.ceildiv(xs[0], share)
    kernel = _three(ws[:-2], 1)
    k = KernelBuilder("conv_filter_part")
    bx, bg = k.input("x", t, xs), k.input("g", t, gs)
    bs = k.output("sums", wide, (parts, count))
    pads = _three([p[0] for p in a["pads"]], 0)
    joint = groups == 1 and a["dilations"][-1] == 1 and kernel[2] > 1 and ws[-2] <= JOINT  # type: ignore[operator]
    units = parts * D.product(kernel[:2] if joint else kernel)
    with k.loop("parallel", "u", units) as u:
        k.template(
            "conv_filter", [bx, bg, bs],
            (u, xs[0], share, *_three(xs[1:-1], 1), *_three(gs[1:-1], 1), *pads),
            kernel=kernel, strides=_three(a["strides"], 1), dilations=_three(a["dilations"], 1),
            channels=ws[-2], columns=gs[-1] // groups, groups=groups, joint=joint,
            version=TEMPLATE,
        )  # fmt: skip
    sums = s.temp(wide, parts * count)
    s.step(k.build(), [s.input(0), s.input(1), sums])
    _sum_parts(s, sums, wide, t, parts, count)
    return True


# ------------------------------------------------------------------------- plain loops


class _Loops:
    """What the plain loops of the three products share: conditions and sums over windows."""

    def __init__(self, n: Node) -> None:
        self.k = KernelBuilder(n.op.name)
        self.attrs = n.attrs

    def less(self, a: Dim, b: Dim) -> Operand:
        return self.k.let("less", self.at(a), self.at(b), dtype=dtypes.bool_)

    def at(self, d: Dim) -> Operand:
        return lit(d, dtypes.int64) if type(d) is int else self.k.index(d)

    def inside(self, places: Sequence[Dim], sizes: Sequence[Dim]) -> Operand:
        """Whether every place is in [0, size)."""
        ok: Operand | None = None
        for p, n in zip(places, sizes, strict=True):
            for c in (self.less(-1, p), self.less(p, n)):
                ok = c if ok is None else self.k.let("logical_and", ok, c, dtype=dtypes.bool_)
        assert ok is not None
        return ok

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


def _unflat(flat: Dim, sizes: Sequence[Dim]) -> list[Dim]:
    """Coordinates of a row-major number."""
    out: list[Dim] = []
    for n in reversed(sizes[1:]):
        out.insert(0, flat % n)
        flat = flat // n
    return [flat, *out]


def _shape(v: Value) -> Shape:
    assert v.static_shape is not None
    return v.static_shape


def _acc(v: Value) -> dtypes.DType:
    return dtypes.float32 if v.dtype.code in ("f16", "bf16") else v.dtype


def _lower_conv(n: Node, s: Site) -> None:
    x, w = n.inputs
    xs, ws, ys = _shape(x), _shape(w), _shape(n.outputs[0])
    groups = _groups(xs[-1], ws[-2])
    per = ys[-1] // groups
    t = _Loops(n)
    k = t.k
    bx, bw = k.input("x", x.dtype, xs), k.input("w", x.dtype, ws)
    by = k.output("y", x.dtype, ys)
    wide = _acc(x)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        at = _unflat(u, ys[:-1])
        with k.loop("vector", "f", ys[-1]) as f:
            first = 0 if groups == 1 else f // per * ws[-2]
            with k.reduce("for", "q", D.product(ws[:-1])) as r:
                *taps, c = _unflat(r.var, ws[:-1])
                places = t.seen(at[1:], taps)
                ok = t.inside(places, xs[1:-1])
                v = k.cast(k.load(bx, (at[0], *places, first + c), ok), wide)
                m = k.cast(k.load(bw, (*taps, c, f)), wide)
                r.yields(sum=k.let("multiply", v, m))
            k.store(by, (*at, f), k.cast(r.results[0], x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_conv_input(n: Node, s: Site) -> None:
    w, dy = n.inputs
    ws, gs, xs = _shape(w), _shape(dy), _shape(n.outputs[0])
    groups = n.attrs["groups"]
    per = gs[-1] // groups
    t = _Loops(n)
    k = t.k
    bw, bg = k.input("w", w.dtype, ws), k.input("g", w.dtype, gs)
    bx = k.output("x", w.dtype, xs)
    wide = _acc(w)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        at = _unflat(u, xs[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            first, inner = (0, c) if groups == 1 else (c // ws[-2] * per, c % ws[-2])
            with k.reduce("for", "q", D.product((*ws[:-2], per))) as r:
                *taps, f = _unflat(r.var, (*ws[:-2], per))
                places, ok = t.reached(at[1:], taps, gs[1:-1])
                v = k.cast(k.load(bg, (at[0], *places, first + f), ok), wide)
                m = k.cast(k.load(bw, (*taps, inner, first + f)), wide)
                r.yields(sum=k.let("multiply", v, m))
            k.store(bx, (*at, c), k.cast(r.results[0], w.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_conv_filter(n: Node, s: Site) -> None:
    if n.attrs.get("winograd") and winograd.lower_gradient(n, s):
        return
    if _lower_filter_blocks(n, s):
        return
    x, dy = n.inputs
    xs, gs, ws = _shape(x), _shape(dy), _shape(n.outputs[0])
    groups = n.attrs["groups"]
    per = gs[-1] // groups
    t = _Loops(n)
    k = t.k
    bx, bg = k.input("x", x.dtype, xs), k.input("g", x.dtype, gs)
    bw = k.output("w", x.dtype, ws)
    wide = _acc(x)
    with k.loop("parallel", "u", D.product(ws[:-1])) as u:
        *taps, c = _unflat(u, ws[:-1])
        with k.loop("vector", "f", ws[-1]) as f:
            first = 0 if groups == 1 else f // per * ws[-2]
            with k.reduce("for", "q", D.product(gs[:-1])) as r:
                at = _unflat(r.var, gs[:-1])
                places = t.seen(at[1:], taps)
                ok = t.inside(places, xs[1:-1])
                v = k.cast(k.load(bx, (at[0], *places, first + c), ok), wide)
                m = k.cast(k.load(bg, (*at, f)), wide)
                r.yields(sum=k.let("multiply", v, m))
            k.store(bw, (*taps, c, f), k.cast(r.results[0], x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


conv_op = op(
    "conv", "Conv", "convolution", doc="Windows of an image times a filter.",
    args=("x", "w"), types="f", infer=_conv_infer, numpy=_conv, grad=_conv_grad,
    lower=_lower_conv,
)  # fmt: skip
conv_input_op = op(
    "conv_input", "ConvInput", "convolution", doc="The image's share of a convolution's gradient.",
    args=("w", "dy"), types="f", infer=_conv_input_infer, numpy=_conv_input,
    grad=_conv_input_grad, lower=_lower_conv_input,
)  # fmt: skip
conv_filter_op = op(
    "conv_filter", "ConvFilter", "structured",
    doc="The filter's share of a convolution's gradient.",
    args=("x", "dy"), types="f", infer=_conv_filter_infer, numpy=_conv_filter,
    grad=_conv_filter_grad, lower=_lower_conv_filter,
)  # fmt: skip


# ------------------------------------------------------------------------- TF1's ops
#
# Attributes: `strides`, `dilations` of all axes, `padding`, `explicit_paddings`, `data_format`.

PADDINGS = ("SAME", "VALID", "EXPLICIT")


def check_attrs(tf: str, attrs: Attrs, formats: Sequence[str], paddings: Sequence[str]) -> None:
    """Refuse attributes outside TF1's lists.

    Raises
    ------
    ValueError
    """
    for name, allowed in (("padding", paddings), ("data_format", formats)):
        if attrs[name] not in allowed:
            listed = ", ".join(f'"{a}"' for a in allowed)
            raise ValueError(
                f"Attr '{name}' of '{tf}' Op passed string '{attrs[name]}' not in: {listed}."
            )
    least = 5 if "NDHWC" in formats else 0
    for name in ("strides", "dilations", "ksize"):
        if len(attrs.get(name, (0,) * least)) < least:
            raise ValueError(
                f"Attr '{name}' of '{tf}' Op passed list of length {len(attrs[name])} less than "
                f"minimum {least}."
            )


def need_rank(v: Value, rank: int) -> None:
    """Refuse a tensor of another rank.

    Raises
    ------
    InferError
    """
    if v.rank not in (rank, None):
        raise shape_error(f"Shape must be rank {rank} but is rank {v.rank}")


def check_steps(attrs: Attrs) -> None:
    """Refuse strides and dilations below 1.

    Raises
    ------
    InferError
    """
    for s in attrs["strides"]:
        if s <= 0:
            raise shape_error(f"Stride must be > 0, but got {s}")
    for d in attrs.get("dilations", ()):
        if d < 1:
            raise shape_error(f"Dilation rate must be >= 1, but got {d}")
    for p in attrs.get("explicit_paddings", ()):
        if p < 0:
            raise shape_error("All elements of explicit_paddings must be nonnegative")
    given = attrs.get("explicit_paddings", ())
    still = [0, channel(len(attrs["strides"]), attrs["data_format"])]
    if given and any(given[2 * a] or given[2 * a + 1] for a in still):
        raise shape_error(
            "Nonzero explicit padding in the batch or depth dimensions is not supported"
        )


def _image_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, w = inputs
    rank = len(attrs["strides"])
    need_rank(x, rank)
    need_rank(w, rank)
    check_steps(attrs)
    _supported(attrs)
    s, f = x.static_shape, w.static_shape
    layout = attrs["data_format"]
    n, c = (None, None) if s is None else (s[0], s[channel(rank, layout)])
    if c is not None and f is not None:
        _fitting(c, f[-2])
    axes = spatial(rank, layout)
    sizes = [None if s is None else s[a] for a in axes]
    kernel = [None] * len(axes) if f is None else list(f[:-2])
    out, _ = geometry(sizes, kernel, attrs)
    last = D.fresh() if f is None else f[-1]
    return [(x.dtype, layed((D.fresh() if n is None else n, *out, last), layout))]


def _fitting(c: Dim, k: Dim) -> None:
    f = D.facts()
    have, want = (c, k) if f is None else (f.value(c), f.value(k))
    if type(have) is int and type(want) is int and (want == 0 or have % want):
        if have != want:
            raise shape_error(
                f"Depth of input ({have}) is not a multiple of input depth of filter ({want})"
            )


def _supported(attrs: Attrs) -> None:
    """What TF1 records but no kernel of it runs."""
    if D.facts() is None:
        return
    still = (0, channel(len(attrs["strides"]), attrs["data_format"]))
    for name, what in (("strides", "strides"), ("dilations", "dilation rates")):
        if any(attrs[name][a] != 1 for a in still):
            raise InferError(
                f"Current implementation does not yet support {what} in the batch and depth "
                "dimensions."
            )


def layed(shape: Sequence[Any], layout: str) -> tuple[Any, ...]:
    """A shape with channels last, in the layout."""
    if layout.startswith("NC"):
        return (shape[0], shape[-1], *shape[1:-1])
    return tuple(shape)


def unlayed(shape: Sequence[Any], layout: str) -> tuple[Any, ...]:
    """A shape in the layout, with channels last."""
    if layout.startswith("NC"):
        return (shape[0], *shape[2:], shape[1])
    return tuple(shape)


def channels_last(x: Value, layout: str) -> Value:
    """`x` with its channels last."""
    if not layout.startswith("NC"):
        return x
    rank = len(_shape(x))
    return shapes.transpose(x, (0, *range(2, rank), 1))


def in_layout(x: Value, layout: str) -> Value:
    """`x`, whose channels are last, in the layout."""
    if not layout.startswith("NC"):
        return x
    rank = len(_shape(x))
    return shapes.transpose(x, (0, rank - 1, *range(1, rank - 1)))


def moved(x: Array, layout: str) -> Array:
    """An array with its channels last."""
    return np.moveaxis(x, 1, -1) if layout.startswith("NC") else x


def back(x: Array, layout: str) -> Array:
    """An array whose channels are last, in the layout."""
    return np.moveaxis(x, -1, 1) if layout.startswith("NC") else x


def _inner(sizes: Sequence[Dim], kernel: Sequence[Dim], attrs: Attrs) -> dict[str, Any]:
    """Attributes of the three products: what TF1's mean for these sizes."""
    axes = spatial(len(attrs["strides"]), attrs["data_format"])
    _, pads = geometry(sizes, kernel, attrs)
    return {
        "strides": tuple(attrs["strides"][a] for a in axes),
        "dilations": tuple(attrs["dilations"][a] for a in axes),
        "pads": pads,
    }


def _sides(attrs: Attrs, x: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes in space of a shape in the layout."""
    return tuple(x[a] for a in spatial(len(attrs["strides"]), attrs["data_format"]))


def _image_numpy(x: Array, w: Array, **a: Any) -> Array:
    inner = _inner(_sides(a, x.shape), w.shape[:-2], a)
    y = _conv(moved(x, a["data_format"]), w, **inner)
    return back(y, a["data_format"])


def _image_expand(x: Value, w: Value, **a: Any) -> Value:
    x = channels_last(x, a["data_format"])
    s, f = _shape(x), _shape(w)
    inner = _inner(s[1:-1], f[:-2], a)
    return in_layout(build(conv_op, (x, w), inner).outputs[0], a["data_format"])


def _image_grad(y: Value, dy: Value, x: Value, w: Value, **a: Any) -> Any:
    rank = len(a["strides"])
    to_input, to_filter = BACK[rank]
    xs, ws = shapes.shape_n([x, w])
    return (
        make(to_input, [("filter", w), ("out_backprop", dy)], {"input_sizes": ("input_sizes", xs)},
             None, a).outputs[0],
        make(to_filter, [("input", x), ("out_backprop", dy)],
             {"filter_sizes": ("filter_sizes", ws)}, None, a).outputs[0],
    )  # fmt: skip


def known_sizes(inputs: Sequence[Value], attrs: Attrs, name: str, rank: int) -> Shape:
    """The shape that an operand of sizes says.

    Raises
    ------
    InferError
        When it is of another rank.
    """
    k = static(inputs, attrs, name)
    if k is None:
        return tuple(D.fresh() for _ in range(rank))
    if not isinstance(k, tuple) or len(k) != rank:
        n = len(k) if isinstance(k, tuple) else 0
        raise shape_error(f"Shape must be rank {rank} but is rank {n}")
    return tuple(D.fresh() if d is None else d for d in k)


def _agree(op_name: str, want: Sequence[Dim], have: Sequence[Dim]) -> None:
    """A plan's sizes must be those that the convolution would give."""
    f = D.facts()
    if f is None:
        return
    for axis, (a, b) in enumerate(zip(want, have, strict=True)):
        if not f.equal(a, b):
            raise InferError(
                f"{op_name}: Size of out_backprop doesn't match computed: actual = {f.value(b)}, "
                f"computed = {f.value(a)} along axis {axis}"
            )


def _back_input_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    w, dy = inputs[:2]
    rank = len(attrs["strides"])
    s = known_sizes(inputs, attrs, "input_sizes", rank)
    need_rank(w, rank)
    need_rank(dy, rank)
    check_steps(attrs)
    _supported(attrs)
    if D.facts() is not None:
        layout = attrs["data_format"]
        g, f, t = unlayed(_shape(dy), layout), _shape(w), unlayed(s, layout)
        out, _ = geometry(t[1:-1], f[:-2], attrs)
        _fitting(t[-1], f[-2])
        _agree("Conv2DSlowBackpropInput", (t[0], *out, f[-1]), g)
    return [(dy.dtype, s)]


def _back_filter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dy = inputs[:2]
    rank = len(attrs["strides"])
    f = known_sizes(inputs, attrs, "filter_sizes", rank)
    need_rank(x, rank)
    need_rank(dy, rank)
    check_steps(attrs)
    _supported(attrs)
    if D.facts() is not None:
        layout = attrs["data_format"]
        g, s = unlayed(_shape(dy), layout), unlayed(_shape(x), layout)
        out, _ = geometry(s[1:-1], f[:-2], attrs)
        _fitting(s[-1], f[-2])
        _agree("Conv2DSlowBackpropFilter", (s[0], *out, f[-1]), g)
    return [(x.dtype, f)]


def _back_input_numpy(w: Array, dy: Array, *, input_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    s = unlayed(input_sizes, layout)
    inner = _inner(s[1:-1], w.shape[:-2], a)
    groups = s[-1] // w.shape[-2] if w.shape[-2] else 1
    dx = _conv_input(w, moved(dy, layout), sizes=s[1:-1], groups=groups, **inner)
    return back(dx, layout)


def _back_filter_numpy(x: Array, dy: Array, *, filter_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    inner = _inner(_sides(a, x.shape), filter_sizes[:-2], a)
    x = moved(x, layout)
    groups = x.shape[-1] // filter_sizes[-2] if filter_sizes[-2] else 1
    return _conv_filter(x, moved(dy, layout), sizes=filter_sizes[:-2], groups=groups, **inner)


def _back_input_expand(w: Value, dy: Value, *, input_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    s, f = unlayed(input_sizes, layout), _shape(w)
    attrs = {**_inner(s[1:-1], f[:-2], a), "sizes": s[1:-1], "groups": _groups(s[-1], f[-2])}
    return in_layout(build(conv_input_op, (w, channels_last(dy, layout)), attrs).outputs[0], layout)


def _back_filter_expand(x: Value, dy: Value, *, filter_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    x, dy = channels_last(x, layout), channels_last(dy, layout)
    s, f = _shape(x), filter_sizes
    attrs = {**_inner(s[1:-1], f[:-2], a), "sizes": f[:-2], "groups": _groups(s[-1], f[-2])}
    return build(conv_filter_op, (x, dy), attrs).outputs[0]


def _back_input_grad(y: Value, g: Value, w: Value, dy: Value, *rest: Value, **a: Any) -> Any:
    """As TF: by the filter the same as a filter's gradient, by `dy` the convolution."""
    rank = len(a["strides"])
    attrs = {k: v for k, v in a.items() if k not in ("input_sizes", "dynamic")}
    dw = make(BACK[rank][1], [("input", g), ("out_backprop", dy)],
              {"filter_sizes": ("filter_sizes", shapes.shape(w))}, None, attrs)  # fmt: skip
    return (dw.outputs[0], build(IMAGE[rank], (g, w), attrs).outputs[0], *(None for _ in rest))


def _back_filter_grad(y: Value, g: Value, x: Value, dy: Value, *rest: Value, **a: Any) -> Any:
    rank = len(a["strides"])
    attrs = {k: v for k, v in a.items() if k not in ("filter_sizes", "dynamic")}
    dx = make(BACK[rank][0], [("filter", g), ("out_backprop", dy)],
              {"input_sizes": ("input_sizes", shapes.shape(x))}, None, attrs)  # fmt: skip
    return (dx.outputs[0], build(IMAGE[rank], (x, g), attrs).outputs[0], *(None for _ in rest))


def _record_image(name: str, tf: str, space: str) -> tuple[Op, Op, Op]:
    """The records of a convolution over `space` and of its gradients."""
    v2 = "V2" if tf == "Conv3D" else ""
    return (
        op(name, tf, "composite", doc=f"A convolution over {space}.", args=("input", "filter"),
           types="f", infer=_image_infer, numpy=_image_numpy, expand=_image_expand,
           grad=_image_grad),
        op(name + "_backprop_input", tf + "BackpropInput" + v2, "composite",
           doc=f"The gradient of a convolution over {space} by its input.",
           args=("filter", "out_backprop"), types="f", infer=_back_input_infer,
           numpy=_back_input_numpy, expand=_back_input_expand, grad=_back_input_grad),
        op(name + "_backprop_filter", tf + "BackpropFilter" + v2, "composite",
           doc=f"The gradient of a convolution over {space} by its filter.",
           args=("input", "out_backprop"), types="f", infer=_back_filter_infer,
           numpy=_back_filter_numpy, expand=_back_filter_expand, grad=_back_filter_grad),
    )  # fmt: skip


conv2d_op, conv2d_input_op, conv2d_filter_op = _record_image("conv2d", "Conv2D", "images")
conv3d_op, conv3d_input_op, conv3d_filter_op = _record_image("conv3d", "Conv3D", "volumes")

IMAGE = {4: conv2d_op, 5: conv3d_op}
BACK = {4: (conv2d_input_op, conv2d_filter_op), 5: (conv3d_input_op, conv3d_filter_op)}
FORMATS = {4: ("NHWC", "NCHW"), 5: ("NDHWC", "NCDHW")}


# ------------------------------------------------------------------------- arguments


def sequence(value: Any, n: int, at: int, name: str) -> tuple[int, ...]:
    """One number for each axis out of one, `n` or all of them.

    Raises
    ------
    ValueError
        For another count.
    """
    if value is None:
        value = [1]
    elif not hasattr(value, "__len__"):
        value = [value]
    value = [int(v) for v in value]
    if len(value) == n + 2:
        return tuple(value)
    if len(value) == 1:
        value = value * n
    elif len(value) != n:
        raise ValueError(f"{name} should be of length 1, {n} or {n + 2} but was {len(value)}")
    return (1, *value, 1) if at == n + 1 else (1, 1, *value)


def _padding(padding: Any) -> tuple[str, tuple[int, ...]]:
    if isinstance(padding, list | tuple):
        if len(padding) != 4:
            raise ValueError(
                f"When padding is a list, it must be of size 4. Got padding of size: {len(padding)}"
            )
        flat: list[int] = []
        for i, p in enumerate(padding):
            if not isinstance(p, list | tuple) or len(p) != 2:
                size = f" has size {len(p)}" if isinstance(p, list | tuple) else ""
                raise ValueError(
                    "When padding is a list, each element of padding must be a list/tuple of size "
                    f"2. Element with index {i} of padding{size}"
                )
            flat += [int(e) for e in p]
        return "EXPLICIT", tuple(flat)
    text(padding, "padding")
    if padding == "EXPLICIT":
        raise ValueError(
            '"EXPLICIT" is not a valid value for the padding parameter. To use explicit padding, '
            "the padding parameter must be a list."
        )
    return padding, ()


def text(value: Any, name: str) -> str:
    """Refuse anything but a string.

    Raises
    ------
    TypeError
    """
    if not isinstance(value, str):
        raise TypeError(f"Expected string for argument '{name}' not {value!r}.")
    return value


def _attrs(
    record: Op, rank: int, strides: Any, padding: Any, data_format: Any, dilations: Any
) -> dict[str, Any]:
    layout = FORMATS[rank][0] if data_format is None else text(data_format, "data_format")
    way, explicit = _padding(padding)
    if rank == 4:
        at = 1 if layout.startswith("NC") else 3
        strides = sequence(strides, 2, at, "strides")
        dilations = sequence(dilations, 2, at, "dilations")
    else:
        strides = tuple(int(s) for s in strides)
        dilations = (1,) * rank if dilations is None else tuple(int(d) for d in dilations)
    attrs = {
        "strides": strides, "dilations": dilations, "padding": way,
        "explicit_paddings": explicit, "data_format": layout,
    }  # fmt: skip
    paddings = PADDINGS if rank == 4 else PADDINGS[:2]
    check_attrs(record.tf, attrs, FORMATS[rank], paddings)
    return attrs


def _apply(
    record: Op, names: Sequence[str], values: Sequence[Any], attrs: Attrs, name: str | None
) -> Value:
    """The record on tensors of one type."""
    with current().scope(name, record.tf) as scope:
        xs: list[Value] = []
        for label, v in zip(names, values, strict=True):
            x = as_value(v, xs[0].dtype if xs and not isinstance(v, Value) else None, label)
            if xs and x.dtype is not xs[0].dtype:
                raise TypeError(
                    f"Input '{label}' of '{record.tf}' Op has type {x.dtype.name} that does not "
                    f"match type {xs[0].dtype.name} of argument '{names[0]}'."
                )
            check_kind(record, label, x.dtype, record.types)
            xs.append(x)
        return build(record, xs, attrs, scope or name).outputs[0]


def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None,
    use_cudnn_on_gpu: bool = True, data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1),
    name: str | None = None, filters: Any = None,
) -> Value:  # fmt: skip
    """A convolution of images with a filter (a cross-correlation, as in all of deep learning).

    Parameters
    ----------
    input : tensor
        ``[batch, height, width, channels]``, or channels second with data_format NCHW.
    filter : tensor
        ``[height, width, channels, results]``.
    strides, dilations : int or list of 1, 2 or 4 ints
    padding : "SAME", "VALID" or list
        A list has pairs (before, after) for each of the four axes.

    Raises
    ------
    ValueError
        When ranks or channels do not fit, or the filter is larger than a VALID image.
    """
    filter = chosen("filters", filters, "filter", filter)
    attrs = _attrs(conv2d_op, 4, strides, padding, data_format, dilations)
    return _apply(conv2d_op, ("input", "filter"), (input, filter), attrs, name)


def conv2d_backprop_input(
    input_sizes: Any, filter: Any = None, out_backprop: Any = None, strides: Any = None,
    padding: Any = None, use_cudnn_on_gpu: bool = True, data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Value:  # fmt: skip
    """The gradient of `conv2d` by its input, whose shape is `input_sizes`."""
    filter = chosen("filters", filters, "filter", filter)
    attrs = _attrs(conv2d_input_op, 4, strides, padding, data_format, dilations)
    return make(
        conv2d_input_op, [("filter", filter), ("out_backprop", out_backprop)],
        {"input_sizes": ("input_sizes", input_sizes)}, name, attrs,
    ).outputs[0]  # fmt: skip


def conv2d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any,
    use_cudnn_on_gpu: bool = True, data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Value:  # fmt: skip
    """The gradient of `conv2d` by its filter, whose shape is `filter_sizes`."""
    attrs = _attrs(conv2d_filter_op, 4, strides, padding, data_format, dilations)
    return make(
        conv2d_filter_op, [("input", input), ("out_backprop", out_backprop)],
        {"filter_sizes": ("filter_sizes", filter_sizes)}, name, attrs,
    ).outputs[0]  # fmt: skip


def conv3d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None,
    data_format: str = "NDHWC", dilations: Any = (1, 1, 1, 1, 1), name: str | None = None,
    filters: Any = None,
) -> Value:  # fmt: skip
    """`conv2d` over ``[batch, depth, height, width, channels]``; strides and dilations of 5."""
    filter = chosen("filters", filters, "filter", filter)
    attrs = _attrs(conv3d_op, 5, strides, padding, data_format, dilations)
    return _apply(conv3d_op, ("input", "filter"), (input, filter), attrs, name)


def conv3d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any,
    data_format: str = "NDHWC", dilations: Any = (1, 1, 1, 1, 1), name: str | None = None,
) -> Value:  # fmt: skip
    """The gradient of `conv3d` by its filter, whose shape is `filter_sizes`."""
    attrs = _attrs(conv3d_filter_op, 5, strides, padding, data_format, dilations)
    return make(
        conv3d_filter_op, [("input", input), ("out_backprop", out_backprop)],
        {"filter_sizes": ("filter_sizes", filter_sizes)}, name, attrs,
    ).outputs[0]  # fmt: skip


conv3d_backprop_filter_v2 = conv3d_backprop_filter


# ------------------------------------------------------------------------- transposed


def conv2d_transpose(
    value: Any = None, filter: Any = None, output_shape: Any = None, strides: Any = None,
    padding: str = "SAME", data_format: str = "NHWC", name: str | None = None,
    input: Any = None, filters: Any = None, dilations: Any = None,
) -> Value:  # fmt: skip
    """The transpose of `conv2d`: what its gradient by the input computes.

    Parameters
    ----------
    filter : tensor
        ``[height, width, results, channels]``.
    output_shape : sequence of int or tensor
        Of all axes; which size it is, the strides leave open.
    """
    value = chosen("input", input, "value", value)
    filter = chosen("filter", filter, "filters", filters)
    with current().scope(name, "conv2d_transpose") as scope:
        layout = "NHWC" if data_format is None else data_format
        if layout not in ("NCHW", "NHWC"):
            raise ValueError("data_format has to be either NCHW or NHWC.")
        return conv2d_backprop_input(
            output_shape, filter, value, strides, padding, True, layout,
            (1, 1, 1, 1) if dilations is None else dilations, scope or name,
        )  # fmt: skip


def conv3d_transpose(
    value: Any, filter: Any = None, output_shape: Any = None, strides: Any = None,
    padding: str = "SAME", data_format: str = "NDHWC", name: str | None = None,
    input: Any = None, filters: Any = None, dilations: Any = None,
) -> Value:  # fmt: skip
    """The transpose of `conv3d`; `filter` is ``[depth, height, width, results, channels]``."""
    filter = chosen("filter", filter, "filters", filters)
    value = chosen("input", input, "value", value)
    with current().scope(name, "conv3d_transpose") as scope:
        steps = sequence(strides, 3, 4, "strides")
        attrs = _attrs(conv3d_input_op, 5, steps, padding, data_format, dilations)
        return make(
            conv3d_input_op, [("filter", filter), ("out_backprop", value)],
            {"input_sizes": ("input_sizes", output_shape)}, scope or name, attrs,
        ).outputs[0]  # fmt: skip


def conv1d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: str = "SAME",
    data_format: str = "NWC", dilations: Any = None, name: str | None = None,
) -> Value:  # fmt: skip
    """The transpose of `conv1d`; `filters` is ``[width, results, channels]``."""
    with current().scope(name, "conv1d_transpose") as scope:
        layout = "NWC" if data_format is None else data_format
        if layout not in ("NCW", "NWC"):
            raise ValueError(f"data_format must be NWC or NCW, not {data_format!r}")
        flat, at = ("NHWC", 1) if layout == "NWC" else ("NCHW", 2)
        last = 2 if layout == "NWC" else 1
        strides = (1, *sequence(strides, 1, last, "stride"))
        dilations = (1, *sequence(dilations, 1, last, "dilations"))
        if at == 2:  # NCW: batch, channels, height, width
            strides = (strides[1], strides[2], 1, strides[3])
            dilations = (dilations[1], dilations[2], 1, dilations[3])
        else:
            strides = (strides[1], 1, *strides[2:])
            dilations = (dilations[1], 1, *dilations[2:])
        sizes = as_value(output_shape) if isinstance(output_shape, Value) else list(output_shape)
        if isinstance(sizes, Value):
            one = shapes.ones([1], sizes.dtype)
            sizes = ops.arrays.concat([sizes[:at], one, sizes[at:]], 0)
        else:
            sizes.insert(at, 1)
        x = shapes.expand_dims(input, at)
        y = conv2d_backprop_input(
            sizes, shapes.expand_dims(filters, 0), x, strides, padding, True, flat, dilations,
            scope or name,
        )  # fmt: skip
        return shapes.squeeze(y, [at])


def conv_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: str = "SAME",
    data_format: str | None = None, dilations: Any = None, name: str | None = None,
) -> Value:  # fmt: skip
    """The transpose of a convolution over one, two or three axes, told from `output_shape`."""
    with current().scope(name, "conv_transpose") as scope:
        sizes = output_shape
        rank = (sizes.static_shape or (0,))[0] if isinstance(sizes, Value) else len(sizes)
        if type(rank) is not int or not 3 <= rank <= 5:
            raise ValueError(f"output_shape must be of length 3, 4 or 5 but was {rank}.")
        made: Any = (conv1d_transpose, conv2d_transpose, conv3d_transpose)[rank - 3]
        layout = data_format or ("NWC", "NHWC", "NDHWC")[rank - 3]
        y: Value = made(
            input, filters, output_shape, strides, padding, data_format=layout,
            dilations=dilations, name=scope or name,
        )  # fmt: skip
        return y


# ------------------------------------------------------------------------- other ways to call it


def conv1d(
    value: Any = None, filters: Any = None, stride: Any = None, padding: Any = None,
    use_cudnn_on_gpu: Any = None, data_format: str | None = None, name: str | None = None,
    input: Any = None, dilations: Any = None,
) -> Value:  # fmt: skip
    """A convolution of ``[batch, width, channels]`` (data_format NWC, or NCW) with
    ``[width, channels, results]``.
    """
    value = chosen("input", input, "value", value)
    with current().scope(name, "conv1d") as scope:
        if data_format in (None, "NHWC", "NWC"):
            layout, at, last = "NHWC", 1, 2
        elif data_format in ("NCHW", "NCW"):
            layout, at, last = "NCHW", 2, 1
        else:
            raise ValueError('data_format must be "NWC" or "NCW".')
        steps = sequence(stride, 1, last, "stride")
        rates = sequence(dilations, 1, last, "dilations")
        x = shapes.expand_dims(value, at)
        y = conv2d(
            x, shapes.expand_dims(filters, 0), (*steps[:at], 1, *steps[at:]), padding, True,
            layout, (*rates[:at], 1, *rates[at:]), scope or name,
        )  # fmt: skip
        return shapes.squeeze(y, [at])


def atrous_conv2d(
    value: Any, filters: Any, rate: int, padding: str, name: str | None = None
) -> Value:
    """`conv2d` with a dilation of `rate`."""
    return convolution(value, filters, padding, None, [rate, rate], name)


def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None
) -> Value:
    """The transpose of `atrous_conv2d`."""
    with current().scope(name, "atrous_conv2d_transpose") as scope:
        x = as_value(value, None, "value")
        if rate < 1:
            raise ValueError(f"rate {rate} cannot be less than one")
        return conv2d_backprop_input(
            output_shape, filters, x, 1, padding, True, "NHWC", rate, scope or name
        )


def convolution(
    input: Any, filter: Any = None, padding: Any = None, strides: Any = None,
    dilation_rate: Any = None, name: str | None = None, data_format: str | None = None,
    filters: Any = None, dilations: Any = None,
) -> Value:  # fmt: skip
    """A convolution over one, two or three axes, by the rank of `input`.

    Raises
    ------
    ValueError
        For another rank, or strides together with dilations above 1.
    """
    filter = chosen("filters", filters, "filter", filter)
    rate = chosen("dilations", dilations, "dilation_rate", dilation_rate)
    with current().scope(name, "convolution") as scope:
        x = as_value(input, None, "input")
        w = as_value(filter, None, "filter")
        rank = x.rank if x.rank is not None else w.rank
        if rank is None:
            raise ValueError("rank of input or filter must be known")
        n = rank - 2
        if n not in (1, 2, 3):
            raise ValueError("num_spatial_dims must be 1, 2, or 3")
        if data_format is not None and (data_format.startswith("NC")) == (
            data_format.endswith("C") and not data_format.startswith("NC")
        ):
            raise ValueError(f"data_format {data_format!r} does not fit")
        steps = _each(strides, n, "strides")
        rates = _each(rate, n, "dilation_rate")
        if max(steps) > 1 and max(rates) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        first = data_format is not None and data_format.startswith("NC")
        label = scope or name
        if n == 1:
            return conv1d(x, w, steps[0], padding, None, "NCW" if first else "NWC", label, None,
                          rates[0])  # fmt: skip
        full = [(1, 1, *s) if first else (1, *s, 1) for s in (steps, rates)]
        if n == 2:
            return conv2d(x, w, full[0], padding, True, "NCHW" if first else "NHWC", full[1], label)
        return conv3d(x, w, full[0], padding, "NCDHW" if first else "NDHWC", full[1], label)


def _each(value: Any, n: int, name: str) -> tuple[int, ...]:
    if value is None:
        return (1,) * n
    out = tuple(int(v) for v in (value if hasattr(value, "__len__") else [value] * n))
    if len(out) != n:
        raise ValueError(f"{name} should have {n} elements but has {len(out)}")
    if any(v < 1 for v in out):
        raise ValueError(f"all values of {name} must be positive")
    return out


# ------------------------------------------------------------------------- depthwise
#
# ``y[n, o, c * m + j] = sum over k of x[n, o * stride + k * dilation - before, c] * w[k, c, j]``


def _depth_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, w = inputs
    need_rank(x, 4)
    need_rank(w, 4)
    check_steps(attrs)
    _supported(attrs)
    s, f = x.static_shape, w.static_shape
    layout = attrs["data_format"]
    c = None if s is None else s[channel(4, layout)]
    if c is not None and f is not None and D.same(c, f[2]) is False:
        raise shape_error(f"Dimensions must be equal, but are {show(c)} and {show(f[2])}")
    sizes = [None] * 2 if s is None else [s[a] for a in spatial(4, layout)]
    out, _ = geometry(sizes, [None] * 2 if f is None else list(f[:2]), attrs)
    depth = c if c is not None else None if f is None else f[2]
    last = D.fresh() if f is None or depth is None else depth * f[3]
    return [(x.dtype, layed((D.fresh() if s is None else s[0], *out, last), layout))]


def _depth_windows(x: Array, k: Sequence[int], a: Attrs, out: Sequence[int]) -> Array:
    inner = _inner(x.shape[1:3], k, {**a, "data_format": "NHWC", "strides": _last(a, "strides"),
                                     "dilations": _last(a, "dilations")})  # fmt: skip
    return windows(x, k, inner["strides"], inner["dilations"], inner["pads"], out)


def _last(a: Attrs, name: str) -> tuple[int, ...]:
    return unlayed(a[name], a["data_format"])


def _depth_numpy(x: Array, w: Array, **a: Any) -> Array:
    layout = a["data_format"]
    out, _ = geometry(_sides(a, x.shape), w.shape[:2], a)
    x = wide_type(moved(x, layout))
    seen = _depth_windows(x, w.shape[:2], a, [int(o) for o in out])  # type: ignore[arg-type]
    y = np.einsum("nabhwc,hwcm->nabcm", seen, wide_type(w))
    return back(y.reshape(*y.shape[:3], y.shape[3] * y.shape[4]), layout).astype(w.dtype)


def _depth_input_numpy(w: Array, dy: Array, *, input_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    n, *sizes, c = unlayed(input_sizes, layout)
    g = moved(dy, layout).reshape(n, *moved(dy, layout).shape[1:3], c, w.shape[3])
    inner = _inner(sizes, w.shape[:2], a)
    made = np.zeros((n, *sizes, c), wide_type(w).dtype)
    for j in range(c):  # a convolution of one channel for each
        made[..., j : j + 1] = _conv_input(
            wide_type(w)[:, :, j : j + 1], wide_type(g)[..., j, :], sizes=sizes, groups=1, **inner
        )
    return back(made, layout).astype(dy.dtype)


def _depth_filter_numpy(x: Array, dy: Array, *, filter_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    x, g = wide_type(moved(x, layout)), wide_type(moved(dy, layout))
    seen = _depth_windows(x, filter_sizes[:2], a, g.shape[1:3])
    g = g.reshape(*g.shape[:3], *filter_sizes[2:])
    return np.asarray(np.einsum("nabhwc,nabcm->hwcm", seen, g), dy.dtype)


def _depth_expand(x: Value, w: Value, **a: Any) -> Value:
    x = channels_last(x, a["data_format"])
    inner = _inner(_shape(x)[1:-1], _shape(w)[:2], a)
    return in_layout(build(depth_op, (x, w), inner).outputs[0], a["data_format"])


def _depth_input_expand(w: Value, dy: Value, *, input_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    s = unlayed(input_sizes, layout)
    attrs = {**_inner(s[1:-1], _shape(w)[:2], a), "sizes": s[1:-1]}
    dy = channels_last(dy, layout)
    return in_layout(build(depth_input_op, (w, dy), attrs).outputs[0], layout)


def _depth_filter_expand(x: Value, dy: Value, *, filter_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    x, dy = channels_last(x, layout), channels_last(dy, layout)
    attrs = {**_inner(_shape(x)[1:-1], filter_sizes[:2], a), "sizes": filter_sizes}
    return build(depth_filter_op, (x, dy), attrs).outputs[0]


def _depth_grad(y: Value, dy: Value, x: Value, w: Value, **a: Any) -> Any:
    return (
        make(depthwise_input_op, [("filter", w), ("out_backprop", dy)],
             {"input_sizes": ("input_sizes", shapes.shape(x))}, None, a).outputs[0],
        make(depthwise_filter_op, [("input", x), ("out_backprop", dy)],
             {"filter_sizes": ("filter_sizes", shapes.shape(w))}, None, a).outputs[0],
    )  # fmt: skip


def _depth_input_grad(y: Value, g: Value, w: Value, dy: Value, *rest: Value, **a: Any) -> Any:
    attrs = {k: v for k, v in a.items() if k not in ("input_sizes", "dynamic")}
    dw = make(depthwise_filter_op, [("input", g), ("out_backprop", dy)],
              {"filter_sizes": ("filter_sizes", shapes.shape(w))}, None, attrs)  # fmt: skip
    return (dw.outputs[0], build(depthwise_op, (g, w), attrs).outputs[0], *(None for _ in rest))


def _depth_filter_grad(y: Value, g: Value, x: Value, dy: Value, *rest: Value, **a: Any) -> Any:
    attrs = {k: v for k, v in a.items() if k not in ("filter_sizes", "dynamic")}
    dx = make(depthwise_input_op, [("filter", g), ("out_backprop", dy)],
              {"input_sizes": ("input_sizes", shapes.shape(x))}, None, attrs)  # fmt: skip
    return (dx.outputs[0], build(depthwise_op, (x, g), attrs).outputs[0], *(None for _ in rest))


def _depth_input_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    w, dy = inputs[:2]
    need_rank(w, 4)
    need_rank(dy, 4)
    check_steps(attrs)
    s = known_sizes(inputs, attrs, "input_sizes", 4)
    if D.facts() is not None:
        t, f = unlayed(s, attrs["data_format"]), _shape(w)
        out, _ = geometry(t[1:-1], f[:2], attrs)
        g = unlayed(_shape(dy), attrs["data_format"])
        _agree("DepthwiseConv2DBackpropInput", (t[0], *out, t[-1] * f[3], f[2]), (*g, t[-1]))
    return [(dy.dtype, s)]


def _depth_filter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dy = inputs[:2]
    need_rank(x, 4)
    need_rank(dy, 4)
    check_steps(attrs)
    f = known_sizes(inputs, attrs, "filter_sizes", 4)
    if D.facts() is not None:
        s, g = unlayed(_shape(x), attrs["data_format"]), unlayed(_shape(dy), attrs["data_format"])
        out, _ = geometry(s[1:-1], f[:2], attrs)
        _agree("DepthwiseConv2DBackpropFilter", (s[0], *out, s[-1] * f[3], f[2]), (*g, s[-1]))
    return [(x.dtype, f)]


depthwise_op = op(
    "depthwise_conv2d_native", "DepthwiseConv2dNative", "composite",
    doc="A convolution of each channel with filters of its own.", args=("input", "filter"),
    types="f", infer=_depth_infer, numpy=_depth_numpy, expand=_depth_expand, grad=_depth_grad,
)  # fmt: skip
depthwise_input_op = op(
    "depthwise_conv2d_native_backprop_input", "DepthwiseConv2dNativeBackpropInput", "composite",
    doc="The gradient of a depthwise convolution by its input.", args=("filter", "out_backprop"),
    types="f", infer=_depth_input_infer, numpy=_depth_input_numpy, expand=_depth_input_expand,
    grad=_depth_input_grad,
)  # fmt: skip
depthwise_filter_op = op(
    "depthwise_conv2d_native_backprop_filter", "DepthwiseConv2dNativeBackpropFilter", "composite",
    doc="The gradient of a depthwise convolution by its filter.", args=("input", "out_backprop"),
    types="f", infer=_depth_filter_infer, numpy=_depth_filter_numpy, expand=_depth_filter_expand,
    grad=_depth_filter_grad,
)  # fmt: skip


# the products that these expand to, channels last


def _plain_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, f = _shape(inputs[0]), _shape(inputs[1])
    out = [
        _places(n, k, st, di, p)
        for n, k, st, di, p in zip(
            s[1:-1], f[:-2], attrs["strides"], attrs["dilations"], attrs["pads"], strict=True
        )
    ]
    return [(inputs[0].dtype, (s[0], *out, s[-1] * f[-1]))]


def _tf_attrs(a: Attrs) -> dict[str, Any]:
    """TF1's attributes that say the same as those of a product."""
    flat = [0, 0] + [e for p in a["pads"] for e in p] + [0, 0]
    return {
        "strides": (1, *a["strides"], 1), "dilations": (1, *a["dilations"], 1),
        "padding": "EXPLICIT", "explicit_paddings": tuple(flat), "data_format": "NHWC",
    }  # fmt: skip


def _depth_blocks(n: Node, s: Site, what: str) -> bool:
    """Lower a depthwise product to vectors of channels; False where too little is known."""
    a = n.attrs
    shape = {"conv": (0, 1, None), "input": (None, 0, 1), "filter": (0, None, 1)}[what]
    xs, ws, gs = (_shape(n.outputs[0] if i is None else n.inputs[i]) for i in shape)
    if not _numbers(*ws) or D.product(ws) == 0:
        return False
    if what == "input" and (ws[-1] > MULTIPLE or any(d != 1 for d in a["dilations"])):  # type: ignore[operator]
        return False
    t, wide = n.outputs[0].dtype, _acc(n.outputs[0])
    pads = _three([p[0] for p in a["pads"]], 0)
    kernel = _three(ws[:-2], 1)
    attrs: dict[str, Any] = {
        "what": what, "kernel": kernel, "strides": _three(a["strides"], 1),
        "dilations": _three(a["dilations"], 1), "channels": ws[-2], "each": ws[-1],
        "version": TEMPLATE,
    }  # fmt: skip
    k = KernelBuilder(n.op.name)
    first = k.input("a", t, _shape(n.inputs[0]))
    second = k.input("b", t, _shape(n.inputs[1]))
    share: Dim = 1
    if what == "filter":
        share = D.maximum(D.ceildiv(xs[0], PARTS), 1)
        parts = D.ceildiv(xs[0], share)
        count = D.product(ws)
        out = k.output("sums", wide, (parts, count))
        units = parts * D.product(kernel)
    else:
        rows = gs if what == "conv" else xs
        out = k.output("y", t, _shape(n.outputs[0]))
        units = D.product((rows[0], *_three(rows[1:-1], 1)[:2]))
    sizes = (xs[0], share, *_three(xs[1:-1], 1), *_three(gs[1:-1], 1), *pads)
    with k.loop("parallel", "u", units) as u:
        k.template("depthwise", [first, second, out], (u, *sizes), **attrs)
    if what != "filter":
        s.step(k.build(), [s.input(0), s.input(1), s.output()])
        return True
    sums = s.temp(wide, parts * count)
    s.step(k.build(), [s.input(0), s.input(1), sums])
    _sum_parts(s, sums, wide, t, parts, count)
    return True


def _sum_parts(
    s: Site, sums: Any, wide: dtypes.DType, t: dtypes.DType, parts: Dim, count: Dim
) -> None:
    """Add up the parts that units have summed."""
    k = KernelBuilder("conv_filter_sum")
    bs = k.input("sums", wide, (parts, count))
    by = k.output("w", t, (count,))
    with k.loop("parallel vector", "i", count) as i:
        with k.reduce("for", "p", parts) as r:
            r.yields(sum=k.load(bs, (r.var, i)))
        k.store(by, (i,), k.cast(r.results[0], t))
    s.step(k.build(), [sums, s.output()])


def _lower_depth(n: Node, s: Site) -> None:
    if _depth_blocks(n, s, "conv"):
        return
    x, w = n.inputs
    xs, ws, ys = _shape(x), _shape(w), _shape(n.outputs[0])
    t = _Loops(n)
    k, m = t.k, ws[-1]
    bx, bw = k.input("x", x.dtype, xs), k.input("w", x.dtype, ws)
    by = k.output("y", x.dtype, ys)
    wide = _acc(x)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        at = _unflat(u, ys[:-1])
        with k.loop("vector", "f", ys[-1]) as f:
            c, j = (f, 0) if m == 1 else (f // m, f % m)
            with k.reduce("for", "q", D.product(ws[:-2])) as r:
                taps = _unflat(r.var, ws[:-2])
                places = t.seen(at[1:], taps)
                ok = t.inside(places, xs[1:-1])
                v = k.cast(k.load(bx, (at[0], *places, c), ok), wide)
                r.yields(sum=k.let("multiply", v, k.cast(k.load(bw, (*taps, c, j)), wide)))
            k.store(by, (*at, f), k.cast(r.results[0], x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_depth_input(n: Node, s: Site) -> None:
    if _depth_blocks(n, s, "input"):
        return
    w, dy = n.inputs
    ws, gs, xs = _shape(w), _shape(dy), _shape(n.outputs[0])
    t = _Loops(n)
    k, m = t.k, ws[-1]
    bw, bg = k.input("w", w.dtype, ws), k.input("g", w.dtype, gs)
    bx = k.output("x", w.dtype, xs)
    wide = _acc(w)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        at = _unflat(u, xs[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            with k.reduce("for", "q", D.product((*ws[:-2], m))) as r:
                *taps, j = _unflat(r.var, (*ws[:-2], m))
                places, ok = t.reached(at[1:], taps, gs[1:-1])
                v = k.cast(k.load(bg, (at[0], *places, c * m + j), ok), wide)
                r.yields(sum=k.let("multiply", v, k.cast(k.load(bw, (*taps, c, j)), wide)))
            k.store(bx, (*at, c), k.cast(r.results[0], w.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_depth_filter(n: Node, s: Site) -> None:
    if _depth_blocks(n, s, "filter"):
        return
    x, dy = n.inputs
    xs, gs, ws = _shape(x), _shape(dy), _shape(n.outputs[0])
    t = _Loops(n)
    k, m = t.k, ws[-1]
    bx, bg = k.input("x", x.dtype, xs), k.input("g", x.dtype, gs)
    bw = k.output("w", x.dtype, (*ws[:-2], ws[-2] * m))
    wide = _acc(x)
    with k.loop("parallel", "u", D.product(ws[:-2])) as u:
        taps = _unflat(u, ws[:-2])
        with k.loop("vector", "f", ws[-2] * m) as f:
            c = f if m == 1 else f // m
            with k.reduce("for", "q", D.product(gs[:-1])) as r:
                at = _unflat(r.var, gs[:-1])
                places = t.seen(at[1:], taps)
                ok = t.inside(places, xs[1:-1])
                v = k.cast(k.load(bx, (at[0], *places, c), ok), wide)
                r.yields(sum=k.let("multiply", v, k.cast(k.load(bg, (*at, f)), wide)))
            k.store(bw, (*taps, f), k.cast(r.results[0], x.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


depth_op = op(
    "depthwise", "Depthwise", "structured", doc="Windows of each channel times its filters.",
    args=("x", "w"), types="f", infer=_plain_infer,
    numpy=lambda x, w, **a: _depth_numpy(x, w, **_tf_attrs(a)), lower=_lower_depth,
    facts={"no_gradient_error": True},
)  # fmt: skip
depth_input_op = op(
    "depthwise_input", "DepthwiseInput", "structured",
    doc="The image's share of a depthwise convolution's gradient.", args=("w", "dy"), types="f",
    infer=lambda inputs, a: [
        (inputs[1].dtype, (_shape(inputs[1])[0], *a["sizes"], _shape(inputs[0])[2]))
    ],
    numpy=lambda w, dy, *, sizes, **a: _depth_input_numpy(
        w, dy, input_sizes=(dy.shape[0], *sizes, w.shape[2]), **_tf_attrs(a)
    ),
    lower=_lower_depth_input, facts={"no_gradient_error": True},
)  # fmt: skip
depth_filter_op = op(
    "depthwise_filter", "DepthwiseFilter", "structured",
    doc="The filter's share of a depthwise convolution's gradient.", args=("x", "dy"), types="f",
    infer=lambda inputs, a: [(inputs[0].dtype, a["sizes"])],
    numpy=lambda x, dy, *, sizes, **a: _depth_filter_numpy(
        x, dy, filter_sizes=sizes, **_tf_attrs(a)
    ),
    lower=_lower_depth_filter, facts={"no_gradient_error": True},
)  # fmt: skip


def _depth_attrs(strides: Any, padding: Any, data_format: Any, dilations: Any) -> dict[str, Any]:
    attrs = {
        "strides": tuple(int(s) for s in strides), "dilations": tuple(int(d) for d in dilations),
        "padding": text(padding, "padding"), "explicit_paddings": (),
        "data_format": "NHWC" if data_format is None else data_format,
    }  # fmt: skip
    check_attrs("DepthwiseConv2dNative", attrs, FORMATS[4], PADDINGS[:2])
    if len(attrs["strides"]) != 4:
        raise ValueError(
            "DepthwiseConv2D requires the stride attribute to contain 4 values, but got: "
            f"{len(attrs['strides'])}"
        )
    return attrs


def depthwise_conv2d_native(
    input: Any, filter: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Value:  # fmt: skip
    """A convolution of each channel with filters of its own.

    Parameters
    ----------
    filter : tensor
        ``[height, width, channels, m]``: result ``c * m + j`` is channel c with filter j.
    """
    attrs = _depth_attrs(strides, padding, data_format, dilations)
    return _apply(depthwise_op, ("input", "filter"), (input, filter), attrs, name)


def depthwise_conv2d_native_backprop_input(
    input_sizes: Any, filter: Any, out_backprop: Any, strides: Any, padding: Any,
    data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Value:  # fmt: skip
    """The gradient of `depthwise_conv2d_native` by its input, whose shape is `input_sizes`."""
    attrs = _depth_attrs(strides, padding, data_format, dilations)
    return make(
        depthwise_input_op, [("filter", filter), ("out_backprop", out_backprop)],
        {"input_sizes": ("input_sizes", input_sizes)}, name, attrs,
    ).outputs[0]  # fmt: skip


def depthwise_conv2d_native_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any,
    data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Value:  # fmt: skip
    """The gradient of `depthwise_conv2d_native` by its filter, whose shape is `filter_sizes`."""
    attrs = _depth_attrs(strides, padding, data_format, dilations)
    return make(
        depthwise_filter_op, [("input", input), ("out_backprop", out_backprop)],
        {"filter_sizes": ("filter_sizes", filter_sizes)}, name, attrs,
    ).outputs[0]  # fmt: skip


depthwise_conv2d_backprop_input = depthwise_conv2d_native_backprop_input
depthwise_conv2d_backprop_filter = depthwise_conv2d_native_backprop_filter


def depthwise_conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, rate: Any = None,
    name: str | None = None, data_format: str | None = None, dilations: Any = None,
    filters: Any = None,
) -> Value:  # fmt: skip
    """`depthwise_conv2d_native` with dilation rates for height and width."""
    filter = chosen("filters", filters, "filter", filter)
    rate = chosen("dilations", dilations, "rate", rate)
    with current().scope(name, "depthwise") as scope:
        x = as_value(input, None, "tensor_in")
        w = as_value(filter, x.dtype if not isinstance(filter, Value) else None, "filter_in")
        first = data_format is not None and data_format.startswith("NC")
        rates = _each(rate, 2, "dilation_rate")
        full = (1, 1, *rates) if first else (1, *rates, 1)
        if max(rates) > 1 and any(s != 1 for s in strides):
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        return depthwise_conv2d_native(
            x, w, strides, padding, data_format or "NHWC", full, scope or name
        )


def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any, padding: Any,
    rate: Any = None, name: str | None = None, data_format: str | None = None,
    dilations: Any = None,
) -> Value:  # fmt: skip
    """A depthwise convolution and then one of 1 x 1 that mixes the channels."""
    rate = chosen("dilations", dilations, "rate", rate)
    with current().scope(name, "separable_conv2d") as scope:
        x = as_value(input, None, "tensor_in")
        deep = as_value(depthwise_filter, None, "depthwise_filter")
        point = as_value(pointwise_filter, None, "pointwise_filter")
        s = point.static_shape
        if s is not None:
            if len(s) != 4:
                raise ValueError(f"Shape {s} must have rank 4")
            for d in s[:2]:
                if type(d) is int and d != 1:
                    raise ValueError(f"Dimension {d} and 1 are not compatible")
        middle = depthwise_conv2d(x, deep, strides, padding, rate, "depthwise", data_format)
        return conv2d(
            middle, point, [1, 1, 1, 1], "VALID", True, data_format or "NHWC", (1, 1, 1, 1),
            scope or name,
        )  # fmt: skip


conv2d_op.call = conv2d
conv2d_input_op.call = conv2d_backprop_input
conv2d_filter_op.call = conv2d_backprop_filter
conv3d_op.call = conv3d
conv3d_filter_op.call = conv3d_backprop_filter
depthwise_op.call = depthwise_conv2d_native
depthwise_input_op.call = depthwise_conv2d_native_backprop_input
depthwise_filter_op.call = depthwise_conv2d_native_backprop_filter
