"""Pooling: maxima and means over windows, and other ops on patches of images.

As in `graphc.ops.conv`, the ops that users name carry TF1's attributes and expand to records on
``[batch, *space, channels]`` with padding in numbers. Padding takes no part: a maximum or mean is
that of the elements of the window that exist. Of equal maxima the first in row-major order gets
the gradient, over volumes (as in TF) each of them; NaN counts as the largest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.kernel import Buffer, KernelBuilder, Operand, lit
from graphc.ir.node import Node, Value
from graphc.ops import math, shapes
from graphc.ops.conv import (
    FORMATS,
    _agree,
    _each,
    _last,
    _places,
    _shape,
    _unflat,
    back,
    channel,
    channels_last,
    check_attrs,
    check_steps,
    geometry,
    in_layout,
    known_sizes,
    layed,
    moved,
    need_rank,
    sequence,
    spatial,
    text,
    unlayed,
    wide_type,
    windows,
)  # fmt: skip
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, InferError, Op, Types, as_value, check_kind, op, shape_error
from graphc.ops.reduce import chosen
from graphc.ops.shapes import make, show

__all__ = [
    "avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d", "avg_pool_v2", "depth_to_space",
    "extract_image_patches", "local_response_normalization", "lrn", "max_pool", "max_pool1d",
    "max_pool2d", "max_pool3d", "max_pool_v2", "max_pool_with_argmax", "pool", "space_to_depth",
]  # fmt: skip

Array = np.ndarray[Any, Any]

# ------------------------------------------------------------------------- meaning in numpy
#
# Attributes of the records below: `kernel`, `strides` and `pads` (before, after) for each axis of
# space.


def _fill(x: Array) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _sizes(x: Sequence[int], a: Attrs) -> list[int]:
    each = zip(x[1:-1], a["kernel"], a["strides"], a["pads"], strict=True)
    return [int(_places(n, k, s, 1, p)) for n, k, s, p in each]  # type: ignore[arg-type]


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


def _max(x: Array, **a: Any) -> Array:
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


def _max_grad(x: Array, dy: Array, *, every: bool = False, **a: Any) -> Array:
    taps = int(np.prod(a["kernel"]))
    hit = _all(x, a) if every else _first(x, a) == np.arange(taps)[:, None]
    g = wide_type(dy)[..., None, :]
    return _spread(np.where(hit, g, g.dtype.type(0)), x.shape[1:-1], a).astype(x.dtype)


def _max_grad_grad(x: Array, g: Array, *, every: bool = False, **a: Any) -> Array:
    seen = _patches(g, a, 0)
    if every:
        chosen = np.where(_all(x, a), seen, g.dtype.type(0))
        return np.asarray(chosen.sum(axis=-2, dtype=g.dtype))
    return np.asarray(np.take_along_axis(seen, _first(x, a), -2)[..., 0, :])


def _max_place(x: Array, *, whole: bool, dtype: DType, **a: Any) -> Array:
    """The number of the element that is the maximum, in its image or (`whole`) in the batch."""
    number = np.arange(int(np.prod(x.shape[1:])), dtype=np.int64).reshape(1, *x.shape[1:])
    number = np.broadcast_to(number, x.shape)
    if whole:
        step = int(np.prod(x.shape[1:]))
        number = number + np.arange(x.shape[0]).reshape(-1, *[1] * (x.ndim - 1)) * step
    return _max_grad_grad(x, number, **a).astype(dtype.np)


def _avg(x: Array, **a: Any) -> Array:
    seen = _patches(wide_type(x), a, 0)
    count = _inside(x, a).sum(axis=-2)
    with np.errstate(all="ignore"):
        return np.asarray(seen.sum(axis=-2) / count.astype(seen.dtype), x.dtype)


def _avg_grad(dy: Array, *, sizes: Sequence[int], **a: Any) -> Array:
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
        """Whether every window lies inside and has few taps."""
        return self.whole and int(np.prod(self.kernel)) <= TAPS

    def taps(self, at: Sequence[Dim]) -> list[tuple[Dim, ...]]:
        """The elements of the window at `at`, where it lies inside."""
        first = [o * s for o, s in zip(at, self.strides, strict=True)]
        return [
            tuple(f + t for f, t in zip(first, tap, strict=True))
            for tap in itertools.product(*(range(k) for k in self.kernel))
        ]

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
            steps = _unflat(r.var, extent)
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


def _lower_max(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = _shape(x), _shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k = w.k
    a, b = k.input("x", x.dtype, xs), k.output("y", x.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:2])) as u, ExitStack() as nest:
        image, row = u // ys[1], u % ys[1]
        at = [row, *(nest.enter_context(k.loop("for", "o", e)) for e in ys[2:-1])]
        with k.loop("vector", "c", xs[-1]) as c:
            if w.few:
                top = w.largest([k.load(a, (image, *p, c)) for p in w.taps(at)])
            else:
                with w.each(at) as (r, p):
                    r.yields(max=k.load(a, (image, *p, c)))
                top = r.results[0]
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
    with w.each(at) as (r, p):
        r.yields(max=w.k.load(a, (image, *p, c)))
    return lambda p, t: w.hit(w.k.load(a, (image, *p, c)), r.results[0])


def _lower_max_grad(n: Node, s: Site) -> None:
    x, dy = n.inputs
    xs, ys = _shape(x), _shape(dy)
    w = _Windows(n, xs, ys)
    k = w.k
    a, g = k.input("x", x.dtype, xs), k.input("g", x.dtype, ys)
    b = k.output("dx", x.dtype, xs)
    zero = lit(0, x.dtype)
    tiled = all(o * st == m for o, st, m in zip(w.out, w.strides, w.size, strict=True))
    if w.few and tiled and w.strides == w.kernel:
        with k.loop("parallel", "u", D.product(ys[:2])) as u, ExitStack() as nest:
            image, row = u // ys[1], u % ys[1]
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
            k.store(b, (image, *_unflat(z, xs[1:-1]), c), zero)
        with k.loop("for", "o", D.product(ys[1:-1])) as o:
            at = _unflat(o, ys[1:-1])
            with k.loop("vector", "c", xs[-1]) as c:
                v = k.load(g, (image, *at, c))
                if w.few:
                    places = w.taps(at)
                    firsts = w.firsts([k.load(a, (image, *p, c)) for p in places])
                    for q, first in zip(places, firsts, strict=True):
                        k.store(b, (image, *q, c), v, "add", first)
                else:
                    test = _test(w, a, image, at, c)
                    start, extent = w.span(at)
                    with k.loop("for", "t", D.product(extent)) as t:
                        q = tuple(f + e for f, e in zip(start, _unflat(t, extent), strict=True))
                        k.store(b, (image, *q, c), v, "add", test(q, t))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_max_grad_grad(n: Node, s: Site) -> None:
    x = n.inputs[0]
    xs, ys = _shape(x), _shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k = w.k
    a, h = k.input("x", x.dtype, xs), k.input("g", x.dtype, xs)
    b = k.output("y", x.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = _unflat(u, ys[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            test = _test(w, a, image, at, c)
            with w.each(at) as (r, p):
                r.yields(sum=k.load(h, (image, *p, c), test(p, r.var)))
            k.store(b, (image, *at, c), r.results[0])
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_max_place(n: Node, s: Site) -> None:
    (x,) = n.inputs
    out = n.outputs[0]
    xs, ys = _shape(x), _shape(out)
    w = _Windows(n, xs, ys)
    k = w.k
    a, b = k.input("x", x.dtype, xs), k.output("y", out.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = _unflat(u, ys[:-1])
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


def _lower_avg(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = _shape(x), _shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k, t = w.k, _wide(x.dtype)
    a, b = k.input("x", x.dtype, xs), k.output("y", x.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        image, *at = _unflat(u, ys[:-1])
        count = w.count(at, t)
        with k.loop("vector", "c", xs[-1]) as c:
            with w.each(at) as (r, p):
                r.yields(sum=k.cast(k.load(a, (image, *p, c)), t))
            mean = k.let("realdiv", r.results[0], count, dtype=t)
            k.store(b, (image, *at, c), k.cast(mean, x.dtype))
    s.step(k.build(), [s.input(0), s.output()])


def _lower_avg_grad(n: Node, s: Site) -> None:
    (dy,) = n.inputs
    ys, xs = _shape(dy), _shape(n.outputs[0])
    w = _Windows(n, xs, ys)
    k, t = w.k, _wide(dy.dtype)
    g, b = k.input("g", dy.dtype, ys), k.output("dx", dy.dtype, xs)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        image, *at = _unflat(u, xs[:-1])
        # the windows that an element is in
        low: list[Dim] = []
        extent: list[Dim] = []
        for i, st, p, kn, o in zip(at, w.strides, w.pads, w.kernel, w.out, strict=True):
            first = D.maximum((i + p[0] - kn + st) // st, 0)
            last = D.minimum((i + p[0]) // st, o - 1)
            low.append(first)
            extent.append(D.maximum(last - first + 1, 0))
        with k.loop("vector", "c", xs[-1]) as c:
            with k.reduce("for", "t", D.product(extent)) as r:
                o_at = [f + e for f, e in zip(low, _unflat(r.var, extent), strict=True)]
                v = k.cast(k.load(g, (image, *o_at, c)), t)
                r.yields(sum=k.let("realdiv", v, w.count(o_at, t), dtype=t))
            k.store(b, (image, *at, c), k.cast(r.results[0], dy.dtype))
    s.step(k.build(), [s.input(0), s.output()])


# ------------------------------------------------------------------------- the records


def _pooled(inputs: Sequence[Value], a: Attrs) -> Types:
    s = _shape(inputs[0])
    out = [
        _places(n, k, st, 1, p)
        for n, k, st, p in zip(s[1:-1], a["kernel"], a["strides"], a["pads"], strict=True)
    ]
    return [(a.get("dtype", inputs[0].dtype), (s[0], *out, s[-1]))]


def _like_first(inputs: Sequence[Value], a: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[0].static_shape)]


def _avg_grad_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    s = _shape(inputs[0])
    return [(inputs[0].dtype, (s[0], *a["sizes"], s[-1]))]


_NONE = {"no_gradient_error": True}

pool_max_op = op(
    "pool_max", "PoolMax", "structured", doc="The largest element of each window.", args=("x",),
    types="fiu", infer=_pooled, numpy=_max, lower=_lower_max,
    grad=lambda y, dy, x, **a: build(pool_max_grad_op, (x, dy), {**a, "every": False}).outputs[0],
)  # fmt: skip
pool_max_grad_op: Op = op(
    "pool_max_grad", "PoolMaxGrad", "structured",
    doc="What each window gives, at its first largest element.", args=("x", "dy"), types="fiu",
    infer=_like_first, numpy=_max_grad, lower=_lower_max_grad,
    grad=lambda y, g, x, dy, **a: (None, build(pool_max_grad_grad_op, (x, g), a).outputs[0]),
)  # fmt: skip
pool_max_grad_grad_op: Op = op(
    "pool_max_grad_grad", "PoolMaxGradGrad", "structured",
    doc="Elements of g where each window of x has its first largest.", args=("x", "g"),
    types="fiu", infer=_pooled, numpy=_max_grad_grad, lower=_lower_max_grad_grad,
    grad=lambda y, h, x, g, **a: (None, build(pool_max_grad_op, (x, h), a).outputs[0]),
)  # fmt: skip
pool_max_place_op = op(
    "pool_max_place", "PoolMaxPlace", "structured",
    doc="The number of each window's first largest element.", args=("x",), types="fiu",
    infer=_pooled, numpy=_max_place, lower=_lower_max_place, grad=lambda y, dy, x, **a: None,
)  # fmt: skip
pool_avg_op = op(
    "pool_avg", "PoolAvg", "structured", doc="The mean of each window.", args=("x",), types="f",
    infer=_pooled, numpy=_avg, lower=_lower_avg,
    grad=lambda y, dy, x, **a: build(
        pool_avg_grad_op, (dy,), {**a, "sizes": _shape(x)[1:-1]}
    ).outputs[0],
)  # fmt: skip
pool_avg_grad_op: Op = op(
    "pool_avg_grad", "PoolAvgGrad", "structured", doc="Each window's share, at all its elements.",
    args=("dy",), types="f", infer=_avg_grad_infer, numpy=_avg_grad, lower=_lower_avg_grad,
    grad=lambda y, g, dy, *, sizes, **a: build(pool_avg_op, (g,), a).outputs[0],
)  # fmt: skip


# ------------------------------------------------------------------------- TF1's ops


def _inner(a: Attrs, sizes: Sequence[Dim]) -> dict[str, Any]:
    """Attributes of the records above: what TF1's mean for these sizes in space."""
    kernel, strides = (_last(a, n)[1:-1] for n in ("ksize", "strides"))
    full = {**a, "dilations": (1,) * len(a["strides"])}
    _, pads = geometry(sizes, kernel, full)
    return {"kernel": kernel, "strides": strides, "pads": pads}


def _windows_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    x = inputs[0]
    rank = len(a["strides"])
    need_rank(x, rank)
    check_steps({"strides": a["strides"]} | {"data_format": a["data_format"]})
    s = x.static_shape
    out: list[Any] = [None if s is None else s[i] for i in range(rank)]
    axes = spatial(rank, a["data_format"])
    full = {**a, "dilations": (1,) * rank}
    found, _ = geometry([out[i] for i in axes], [a["ksize"][i] for i in axes], full)
    for i, n in zip(axes, found, strict=True):
        out[i] = n
    for i in (0, channel(rank, a["data_format"])):
        if a["ksize"][i] != 1 or a["strides"][i] != 1:
            if D.facts() is not None:
                raise InferError("Pooling is not yet supported on the batch or depth dimension.")
            if out[i] is not None:  # TF records it, and no kernel of it runs
                k, st = a["ksize"][i], a["strides"][i]
                out[i] = D.ceildiv(out[i] if a["padding"] == "SAME" else out[i] - k + 1, st)
    return [(x.dtype, tuple(D.fresh() if n is None else n for n in out))]


def _around(record: Op, *xs: Value, **a: Any) -> Value:
    """A record of channels last on operands in the layout of the attributes."""
    layout = a["data_format"]
    inner = [channels_last(x, layout) for x in xs]
    attrs = _inner(a, _shape(inner[0])[1:-1])
    if record in (pool_max_grad_op, pool_max_grad_grad_op):
        attrs["every"] = len(a["strides"]) == 5
    return in_layout(build(record, inner, attrs).outputs[0], layout)


def _meant(f: Any) -> Any:
    """The meaning of a record of channels last, on arrays in the layout of the attributes."""

    def g(*xs: Array, **a: Any) -> Array:
        layout = a["data_format"]
        inner = [moved(x, layout) for x in xs]
        attrs = _inner(a, inner[0].shape[1:-1])
        if f in (_max_grad, _max_grad_grad):
            attrs["every"] = len(a["strides"]) == 5
        return back(f(*inner, **attrs), layout)

    return g


def _record_max(name: str, tf: str, types: str) -> tuple[Op, Op, Op]:
    """A maximum over windows, its gradient, and the gradient of that."""

    def grad(y: Value, dy: Value, x: Value, **a: Any) -> Value:
        return build(back_op, (x, y, dy), a).outputs[0]

    def back_grad(z: Value, g: Value, x: Value, y: Value, dy: Value, **a: Any) -> Any:
        more = build(again_op, (x, y, g), a).outputs[0]
        return shapes.zeros_like(x), shapes.zeros_like(y), more

    def again_grad(z: Value, h: Value, x: Value, y: Value, g: Value, **a: Any) -> Any:
        more = build(back_op, (x, y, h), a).outputs[0]
        return shapes.zeros_like(x), shapes.zeros_like(y), more

    three = ("orig_input", "orig_output", "grad")
    forward = op(
        name, tf, "composite", doc="The largest element of each window.", args=("input",),
        types=types, infer=_windows_infer, numpy=_meant(_max), grad=grad,
        expand=lambda x, **a: _around(pool_max_op, x, **a),
    )  # fmt: skip
    back_op = op(
        name + "_grad", tf + "Grad", "composite",
        doc="The gradient of a maximum over windows.", args=three, types=types,
        infer=_like_first, grad=back_grad,
        numpy=lambda x, y, dy, **a: _meant(_max_grad)(x, dy, **a),
        expand=lambda x, y, dy, **a: _around(pool_max_grad_op, x, dy, **a),
    )  # fmt: skip
    again_op = op(
        name + "_grad_grad", tf + "GradGrad", "composite",
        doc="The gradient of the gradient of a maximum over windows.", args=three, types=types,
        infer=lambda inputs, a: [(inputs[1].dtype, inputs[1].static_shape)], grad=again_grad,
        numpy=lambda x, y, g, **a: _meant(_max_grad_grad)(x, g, **a),
        expand=lambda x, y, g, **a: _around(pool_max_grad_grad_op, x, g, **a),
    )  # fmt: skip
    return forward, back_op, again_op


def _record_avg(name: str, tf: str) -> tuple[Op, Op]:
    """A mean over windows, and its gradient."""

    def grad(y: Value, dy: Value, x: Value, **a: Any) -> Value:
        sizes = {"orig_input_shape": ("orig_input_shape", shapes.shape(x))}
        return make(back_op, [("grad", dy)], sizes, None, a).outputs[0]

    def back_infer(inputs: Sequence[Value], a: Attrs) -> Types:
        rank = len(a["strides"])
        need_rank(inputs[0], rank)
        s = known_sizes(inputs, a, "orig_input_shape", rank)
        if D.facts() is not None:
            layout = a["data_format"]
            t = unlayed(s, layout)
            attrs = {**a, "dilations": (1,) * rank}
            out, _ = geometry(t[1:-1], _last(a, "ksize")[1:-1], attrs)
            _agree(tf + "Grad", (t[0], *out, t[-1]), unlayed(_shape(inputs[0]), layout))
        return [(inputs[0].dtype, s)]

    def meaning(dy: Array, *, orig_input_shape: Sequence[int], **a: Any) -> Array:
        layout = a["data_format"]
        sizes = unlayed(orig_input_shape, layout)[1:-1]
        return back(_avg_grad(moved(dy, layout), sizes=sizes, **_inner(a, sizes)), layout)

    def expand(dy: Value, *, orig_input_shape: Shape, **a: Any) -> Value:
        layout = a["data_format"]
        sizes = unlayed(orig_input_shape, layout)[1:-1]
        attrs = {**_inner(a, sizes), "sizes": sizes}
        dx = build(pool_avg_grad_op, (channels_last(dy, layout),), attrs).outputs[0]
        return in_layout(dx, layout)

    def back_grad(z: Value, g: Value, dy: Value, *rest: Value, **a: Any) -> Any:
        attrs = {k: v for k, v in a.items() if k not in ("orig_input_shape", "dynamic")}
        return (build(forward, (g,), attrs).outputs[0], *(None for _ in rest))

    forward = op(
        name, tf, "composite", doc="The mean of each window.", args=("value",), types="f",
        infer=_windows_infer, numpy=_meant(_avg), grad=grad,
        expand=lambda x, **a: _around(pool_avg_op, x, **a),
    )  # fmt: skip
    back_op = op(
        name + "_grad", tf + "Grad", "composite", doc="The gradient of a mean over windows.",
        args=("grad",), types="f", infer=back_infer, numpy=meaning, expand=expand, grad=back_grad,
    )  # fmt: skip
    return forward, back_op


max_pool_op, max_pool_grad_op, max_pool_grad_grad_op = _record_max("max_pool", "MaxPool", "fiu")
max_pool3d_op, _, _ = _record_max("max_pool3d", "MaxPool3D", "f")
avg_pool_op, avg_pool_grad_op = _record_avg("avg_pool", "AvgPool")
avg_pool3d_op, _ = _record_avg("avg_pool3d", "AvgPool3D")


def _argmax_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    (t, shape) = _windows_infer(inputs, {**a, "data_format": "NHWC"})[0]
    return [(t, shape), (a["Targmax"], shape)]


def _argmax_inner(a: Attrs, sizes: Sequence[Dim]) -> tuple[dict[str, Any], dict[str, Any]]:
    inner = _inner({**a, "data_format": "NHWC"}, sizes)
    return inner, {**inner, "whole": a["include_batch_in_index"], "dtype": a["Targmax"]}


def _argmax_numpy(x: Array, **a: Any) -> Any:
    inner, place = _argmax_inner(a, x.shape[1:-1])
    return _max(x, **inner), _max_place(x, **place)


def _argmax_expand(x: Value, **a: Any) -> Any:
    inner, place = _argmax_inner(a, _shape(x)[1:-1])
    return (
        build(pool_max_op, (x,), inner).outputs[0],
        build(pool_max_place_op, (x,), place).outputs[0],
    )


def _argmax_grad(y: Any, dy: Any, x: Value, **a: Any) -> Any:
    if dy[0] is None:
        return None
    attrs = {k: a[k] for k in ("ksize", "strides", "padding")} | {"data_format": "NHWC"}
    return build(max_pool_grad_op, (x, y[0], dy[0]), attrs).outputs[0]


max_pool_with_argmax_op = op(
    "max_pool_with_argmax", "MaxPoolWithArgmax", "composite",
    doc="The largest element of each window, and its number.", args=("input",), types="fiu",
    infer=_argmax_infer, numpy=_argmax_numpy, expand=_argmax_expand, grad=_argmax_grad,
    facts={"partial_gradients": True},
)  # fmt: skip


def _attrs(
    record: Op, rank: int, ksize: Any, strides: Any, padding: Any, layout: str
) -> dict[str, Any]:
    at = channel(rank, layout)
    attrs: dict[str, Any] = {
        "ksize": sequence(ksize, rank - 2, at, "ksize"),
        "strides": sequence(strides, rank - 2, at, "strides"),
        "padding": text(padding, "padding"),
        "data_format": text(layout, "data_format"),
    }  # fmt: skip
    formats = (*FORMATS[rank], "NCHW_VECT_C") if record is max_pool_op else FORMATS[rank]
    check_attrs(record.tf, attrs, formats, ("SAME", "VALID"))
    if any(k <= 0 for k in attrs["ksize"]):
        raise ValueError("ksize cannot be zero.")
    return attrs


def _apply(record: Op, label: str, value: Any, attrs: Attrs, name: str | None) -> Value:
    x = as_value(value, None, label)
    check_kind(record, record.args[0], x.dtype, record.types)
    return build(record, (x,), attrs, name).outputs[0]


def max_pool(
    value: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    name: str | None = None, input: Any = None,
) -> Value:  # fmt: skip
    """The largest element of each window of images.

    Parameters
    ----------
    value : tensor
        ``[batch, height, width, channels]``, or channels second with data_format NCHW.
    ksize, strides : int or list of 1, 2 or 4 ints
    padding : "SAME" or "VALID"

    Raises
    ------
    ValueError
        When the rank is not 4, or the window is larger than a VALID image.
    """
    value = chosen("input", input, "value", value)
    with current().scope(name, "MaxPool") as scope:
        layout = "NHWC" if data_format is None else data_format
        attrs = _attrs(max_pool_op, 4, ksize, strides, padding, layout)
        return _apply(max_pool_op, "value", value, attrs, scope or name)


def avg_pool(
    value: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    name: str | None = None, input: Any = None,
) -> Value:  # fmt: skip
    """The mean of each window of images; padding does not count."""
    value = chosen("input", input, "value", value)
    with current().scope(name, "AvgPool") as scope:
        layout = "NHWC" if data_format is None else data_format
        attrs = _attrs(avg_pool_op, 4, ksize, strides, padding, layout)
        return _apply(avg_pool_op, "value", value, attrs, scope or name)


def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    name: str | None = None,
) -> Value:  # fmt: skip
    """`max_pool`."""
    with current().scope(name, "MaxPool2d") as scope:
        return max_pool(input, ksize, strides, padding, data_format, scope or name)


def avg_pool2d(
    value: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    name: str | None = None, input: Any = None,
) -> Value:  # fmt: skip
    """`avg_pool`."""
    input = chosen("input", input, "value", value)
    with current().scope(name, "AvgPool2D") as scope:
        return avg_pool(input, ksize, strides, padding, data_format, scope or name)


def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC",
    name: str | None = None,
) -> Value:  # fmt: skip
    """The largest element of each window of volumes ``[batch, depth, height, width, channels]``."""
    with current().scope(name, "MaxPool3D") as scope:
        layout = "NDHWC" if data_format is None else data_format
        attrs = _attrs(max_pool3d_op, 5, ksize, strides, padding, layout)
        return _apply(max_pool3d_op, "input", input, attrs, scope or name)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC",
    name: str | None = None,
) -> Value:  # fmt: skip
    """The mean of each window of volumes; padding does not count."""
    with current().scope(name, "AvgPool3D") as scope:
        layout = "NDHWC" if data_format is None else data_format
        attrs = _attrs(avg_pool3d_op, 5, ksize, strides, padding, layout)
        return _apply(avg_pool3d_op, "value", input, attrs, scope or name)


def _pool1d(
    two: Any, label: str, input: Any, ksize: Any, strides: Any, padding: Any, data_format: Any,
    name: str | None,
) -> Value:  # fmt: skip
    with current().scope(name, label) as scope:
        layout = "NWC" if data_format is None else data_format
        if layout not in ("NWC", "NCW"):
            raise ValueError(f"data_format must be NWC or NCW, not {layout!r}")
        at, last = (1, 2) if layout == "NWC" else (2, 1)
        k, s = sequence(ksize, 1, last, "ksize"), sequence(strides, 1, last, "strides")
        x = shapes.expand_dims(as_value(input, None, "input"), at)
        y = two(
            x, (*k[:at], 1, *k[at:]), (*s[:at], 1, *s[at:]), padding,
            "NHWC" if layout == "NWC" else "NCHW", scope or name,
        )  # fmt: skip
        return shapes.squeeze(y, [at])


def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC",
    name: str | None = None,
) -> Value:  # fmt: skip
    """The largest element of each window of ``[batch, width, channels]``."""
    return _pool1d(max_pool, "MaxPool1d", input, ksize, strides, padding, data_format, name)


def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC",
    name: str | None = None,
) -> Value:  # fmt: skip
    """The mean of each window of ``[batch, width, channels]``."""
    return _pool1d(avg_pool, "AvgPool1D", input, ksize, strides, padding, data_format, name)


def max_pool_v2(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """`max_pool1d`, `max_pool` or `max_pool3d`, by the rank of `input`."""
    return _by_rank((max_pool1d, max_pool, max_pool3d), "max_pool", input, ksize, strides, padding,
                    data_format, name)  # fmt: skip


def avg_pool_v2(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """`avg_pool1d`, `avg_pool` or `avg_pool3d`, by the rank of `input`."""
    return _by_rank((avg_pool1d, avg_pool, avg_pool3d), "avg_pool", input, ksize, strides, padding,
                    data_format, name)  # fmt: skip


def _by_rank(
    made: Sequence[Any], label: str, input: Any, ksize: Any, strides: Any, padding: Any,
    data_format: str | None, name: str | None,
) -> Value:  # fmt: skip
    x = as_value(input, None, "input")
    if x.rank is None:
        raise ValueError("Rank of input must be known.")
    n = x.rank - 2
    if not 1 <= n <= 3:
        raise ValueError(f"Input tensor must be of rank 3, 4 or 5 but was {x.rank}.")
    layout = data_format or ("NWC", "NHWC", "NDHWC")[n - 1]
    y: Value = made[n - 1](x, ksize, strides, padding, layout, name)
    return y


def pool(
    input: Any, window_shape: Any, pooling_type: Any, padding: Any, dilation_rate: Any = None,
    strides: Any = None, name: str | None = None, data_format: str | None = None,
    dilations: Any = None,
) -> Value:  # fmt: skip
    """A maximum ("MAX") or mean ("AVG") over windows of one, two or three axes.

    Raises
    ------
    ValueError
        For another type, a rank outside 3 to 5, or dilations above 1 together with strides.
    """
    rate = chosen("dilations", dilations, "dilation_rate", dilation_rate)
    with current().scope(name, f"{str(pooling_type).lower()}_pool") as scope:
        x = as_value(input, None, "input")
        n = len(window_shape)
        if n < 1 or n > 3:
            raise ValueError("`input` must have rank at least 3 and at most 5")
        need = x.rank
        if need is not None and need != n + 2:
            raise ValueError("`window_shape` does not fit the rank of `input`")
        steps, rates = _each(strides, n, "strides"), _each(rate, n, "dilation_rate")
        if max(steps) > 1 and max(rates) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        if any(s > w for s, w in zip(steps, window_shape, strict=True)):
            raise ValueError("`strides` > window_shape not supported due to inconsistency between "
                             "CPU and GPU implementations")  # fmt: skip
        kinds = {"MAX": (max_pool1d, max_pool, max_pool3d),
                 "AVG": (avg_pool1d, avg_pool, avg_pool3d)}  # fmt: skip
        if pooling_type not in kinds:
            raise ValueError(f"invalid pooling_type: {pooling_type}")
        first = data_format is not None and data_format.startswith("NC")
        layout = ((("NWC", "NHWC", "NDHWC"), ("NCW", "NCHW", "NCDHW"))[first])[n - 1]
        pooled = kinds[pooling_type][n - 1]
        if max(rates) > 1:
            if padding == "SAME":
                raise ValueError(
                    "pooling with SAME padding is not implemented for dilation_rate > 1"
                )
            from graphc.ops.blocks import with_space_to_batch  # few programs dilate windows

            def each(part: Value, _: int, way: str) -> Value:
                return pooled(part, list(window_shape), [1] * n, way, layout)

            return with_space_to_batch(  # type: ignore[no-any-return]
                x, rates, padding, each, window_shape, data_format=data_format
            )
        y: Value = pooled(x, list(window_shape), list(steps), padding, layout, scope or name)
        return y


def max_pool_with_argmax(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    Targmax: Any = None, name: str | None = None, output_dtype: Any = None,
    include_batch_in_index: bool = False,
) -> tuple[Value, Value]:  # fmt: skip
    """The largest element of each window, and its number ``(y * width + x) * channels + c``.

    Parameters
    ----------
    include_batch_in_index : bool
        Count through the whole batch, not each image.

    Raises
    ------
    ValueError
        For a data_format other than NHWC, or as `max_pool`.
    """
    if data_format != "NHWC":
        raise ValueError("Data formats other than 'NHWC' are not yet supported")
    target = as_dtype(chosen("output_dtype", output_dtype, "Targmax", Targmax) or dtypes.int64)
    attrs = _attrs(max_pool_op, 4, ksize, strides, padding, "NHWC")
    attrs.pop("data_format")
    attrs |= {"Targmax": target, "include_batch_in_index": bool(include_batch_in_index)}
    x = as_value(input, None, "input")
    y, at = build(max_pool_with_argmax_op, (x,), attrs, name).outputs
    return y, at


max_pool_op.call = max_pool
avg_pool_op.call = avg_pool
max_pool3d_op.call = max_pool3d
avg_pool3d_op.call = avg_pool3d
max_pool_with_argmax_op.call = max_pool_with_argmax


# ------------------------------------------------------------------------- response normalisation


def _band(x: Value, radius: int) -> Value:
    """Sums of the channels around each, within `radius`."""
    s = _shape(x)
    wide = ops.arrays.pad(x, [[0, 0]] * (len(s) - 1) + [[radius, radius]])
    total: Any = None
    for i in range(2 * radius + 1):
        part = wide[..., i : i + s[-1]]
        total = part if total is None else total + part
    y: Value = total
    return y


def _band_numpy(x: Array, radius: int) -> Array:
    wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(radius, radius)])
    seen = np.lib.stride_tricks.sliding_window_view(wide, 2 * radius + 1, axis=-1)
    return np.asarray(seen.sum(-1), x.dtype)


def _lrn_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    need_rank(inputs[0], 4)
    return [(inputs[0].dtype, inputs[0].static_shape)]


def _lrn_numpy(x: Array, *, depth_radius: int, bias: float, alpha: float, beta: float) -> Array:
    wide = wide_type(x)
    with np.errstate(all="ignore"):
        norm = bias + alpha * _band_numpy(np.square(wide), depth_radius)
        return np.asarray(wide * norm ** (-beta), x.dtype)


def _lrn_expand(x: Value, depth_radius: int, bias: float, alpha: float, beta: float) -> Value:
    norm = _band(math.square(x), depth_radius) * alpha + bias
    y: Value = x * math.pow(norm, -beta)
    return y


def _lrn_grad(
    y: Value, dy: Value, x: Value, depth_radius: int, bias: float, alpha: float, beta: float
) -> Value:
    norm = _band(math.square(x), depth_radius) * alpha + bias
    inner = _band(dy * x * math.pow(norm, -beta - 1.0), depth_radius)
    dx: Value = dy * math.pow(norm, -beta) - (2.0 * alpha * beta) * x * inner
    return dx


lrn_op = op(
    "lrn", "LRN", "composite", doc="Each channel divided by a power of the sum of squares around.",
    args=("input",), types="f", infer=_lrn_infer, numpy=_lrn_numpy, expand=_lrn_expand,
    grad=_lrn_grad,
)  # fmt: skip


def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5,
    name: str | None = None,
) -> Value:  # fmt: skip
    """``x / (bias + alpha * s) ** beta``, s the sum of squares of the channels within a radius."""
    x = as_value(input, None, "input")
    check_kind(lrn_op, "input", x.dtype, "f")
    attrs = {
        "depth_radius": 5 if depth_radius is None else int(depth_radius),
        "bias": 1.0 if bias is None else float(bias),
        "alpha": 1.0 if alpha is None else float(alpha),
        "beta": 0.5 if beta is None else float(beta),
    }  # fmt: skip
    return build(lrn_op, (x,), attrs, name).outputs[0]


lrn = local_response_normalization
lrn_op.call = local_response_normalization


# ------------------------------------------------------------------------- blocks and depth


def _blocked(shape: Shape, block: int, deep: bool) -> Shape:
    n, h, w, c = shape
    if deep:
        return (n, h // block, w // block, c * block * block)
    return (n, h * block, w * block, c // (block * block))


def _even(d: Dim, by: int) -> None:
    if D.same(d % by, 0) is False:
        raise shape_error(f"Dimension size must be evenly divisible by {by} but is {show(d)}")


def _depth_infer(deep: bool) -> Any:
    def infer(inputs: Sequence[Value], a: Attrs) -> Types:
        x, block = inputs[0], a["block_size"]
        need_rank(x, 4)
        if x.static_shape is None:
            return [(x.dtype, tuple(D.fresh() for _ in range(4)))]
        s = unlayed(x.static_shape, a["data_format"])
        for d, by in ((s[1], block), (s[2], block)) if deep else ((s[3], block * block),):
            _even(d, by)
        return [(x.dtype, layed(_blocked(s, block, deep), a["data_format"]))]

    return infer


def _space_to_depth(x: Array, *, block_size: int, data_format: str) -> Array:
    x, b = moved(x, data_format), block_size
    n, h, w, c = x.shape
    y = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
    return back(y.reshape(_blocked(x.shape, b, True)), data_format)


def _depth_to_space(x: Array, *, block_size: int, data_format: str) -> Array:
    x, b = moved(x, data_format), block_size
    n, h, w, c = x.shape
    y = x.reshape(n, h, w, b, b, c // (b * b)).transpose(0, 1, 3, 2, 4, 5)
    return back(y.reshape(_blocked(x.shape, b, False)), data_format)


def _space_expand(x: Value, block_size: int, data_format: str) -> Value:
    x, b = channels_last(x, data_format), block_size
    n, h, w, c = _shape(x)
    y = shapes.reshape_static(x, (n, h // b, b, w // b, b, c))
    y = shapes.transpose(y, (0, 1, 3, 2, 4, 5))
    return in_layout(shapes.reshape_static(y, _blocked((n, h, w, c), b, True)), data_format)


def _depth_expand(x: Value, block_size: int, data_format: str) -> Value:
    x, b = channels_last(x, data_format), block_size
    n, h, w, c = _shape(x)
    y = shapes.reshape_static(x, (n, h, w, b, b, c // (b * b)))
    y = shapes.transpose(y, (0, 1, 3, 2, 4, 5))
    return in_layout(shapes.reshape_static(y, _blocked((n, h, w, c), b, False)), data_format)


space_to_depth_op = op(
    "space_to_depth", "SpaceToDepth", "composite", doc="Blocks of space become channels.",
    args=("input",), types="fiub", infer=_depth_infer(True), numpy=_space_to_depth,
    expand=_space_expand,
    grad=lambda y, dy, x, **a: build(depth_to_space_op, (dy,), a).outputs[0],
)  # fmt: skip
depth_to_space_op: Op = op(
    "depth_to_space", "DepthToSpace", "composite", doc="Channels become blocks of space.",
    args=("input",), types="fiub", infer=_depth_infer(False), numpy=_depth_to_space,
    expand=_depth_expand,
    grad=lambda y, dy, x, **a: build(space_to_depth_op, (dy,), a).outputs[0],
)  # fmt: skip


def _moved_blocks(record: Op, input: Any, block_size: int, layout: str, name: Any) -> Value:
    x = as_value(input, None, "input")
    if int(block_size) < 2:
        raise ValueError(
            f"Attr 'block_size' of '{record.tf}' Op passed {block_size} less than minimum 2."
        )
    attrs = {"block_size": int(block_size), "data_format": layout}
    check_attrs(record.tf, {**attrs, "padding": "SAME"}, ("NHWC", "NCHW"), ("SAME",))
    return build(record, (x,), attrs, name).outputs[0]


def space_to_depth(
    input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC"
) -> Value:
    """Blocks of `block_size` by `block_size` become channels, row by row."""
    return _moved_blocks(space_to_depth_op, input, block_size, data_format, name)


def depth_to_space(
    input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC"
) -> Value:
    """Channels become blocks of `block_size` by `block_size`: undoes `space_to_depth`."""
    return _moved_blocks(depth_to_space_op, input, block_size, data_format, name)


space_to_depth_op.call = space_to_depth
depth_to_space_op.call = depth_to_space


# ------------------------------------------------------------------------- patches


def _patch_geometry(x: Sequence[Dim | None], a: Attrs) -> tuple[Shape, Any]:
    full = {
        "strides": a["strides"], "dilations": a["rates"], "padding": a["padding"],
        "data_format": "NHWC",
    }  # fmt: skip
    return geometry(x, a["ksizes"][1:3], full)


def _patch_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    x = inputs[0]
    need_rank(x, 4)
    s = x.static_shape
    out, _ = _patch_geometry([None] * 2 if s is None else s[1:3], a)
    kh, kw = a["ksizes"][1:3]
    n, c = (D.fresh(), D.fresh()) if s is None else (s[0], s[3])
    return [(x.dtype, (n, *out, c * (kh * kw)))]


def _patch_numpy(x: Array, **a: Any) -> Array:
    out, pads = _patch_geometry(x.shape[1:3], a)
    sizes = [int(o) for o in out]  # type: ignore[arg-type]
    seen = windows(x, a["ksizes"][1:3], a["strides"][1:3], a["rates"][1:3], pads, sizes)
    return seen.reshape(x.shape[0], *sizes, -1)


def _patch_element(k: Any, index: Shape, x: Value, **a: Any) -> Any:
    s = k.shape(x)
    _, pads = _patch_geometry(s[1:3], a)
    tap, c = index[3] // s[3], index[3] % s[3]
    taps = (tap // a["ksizes"][2], tap % a["ksizes"][2])
    places = []
    ok = None
    for i in (0, 1):
        p = index[1 + i] * a["strides"][1 + i] + taps[i] * a["rates"][1 + i] - pads[i][0]
        places.append(p)
        ok = k.both(ok, k.compare("less_equal", 0, p))
        ok = k.both(ok, k.compare("less", p, s[1 + i]))
    return k.read(x, (index[0], *places, c), ok, 0)


def _patch_grad(y: Value, dy: Value, x: Value, **a: Any) -> Value:
    """The transpose: a convolution's gradient with filters of one tap each."""
    s = x.static_shape
    kh, kw = a["ksizes"][1:3]
    if s is None or type(s[3]) is not int:
        raise LookupError("the gradient of extract_image_patches needs the number of channels")
    c = s[3]
    one = np.eye(kh * kw * c, dtype=x.dtype.np).reshape(kh, kw, c, kh * kw * c)
    return make(
        ops.conv.conv2d_input_op, [("filter", one), ("out_backprop", dy)],
        {"input_sizes": ("input_sizes", shapes.shape(x))}, None,
        {"strides": a["strides"], "dilations": a["rates"], "padding": a["padding"],
         "explicit_paddings": (), "data_format": "NHWC"},
    ).outputs[0]  # fmt: skip


extract_image_patches_op = op(
    "extract_image_patches", "ExtractImagePatches", "view", doc="Windows of images as channels.",
    args=("images",), types="fiu", infer=_patch_infer, numpy=_patch_numpy, element=_patch_element,
    grad=_patch_grad,
)  # fmt: skip


def extract_image_patches(
    images: Any, ksizes: Any = None, strides: Any = None, rates: Any = None, padding: Any = None,
    name: str | None = None, sizes: Any = None,
) -> Value:  # fmt: skip
    """The elements of each window, row by row, along the last axis."""
    ksizes = chosen("sizes", sizes, "ksizes", ksizes)
    x = as_value(images, None, "images")
    attrs: dict[str, Any] = {
        n: tuple(int(e) for e in v)
        for n, v in (("ksizes", ksizes), ("strides", strides), ("rates", rates))
    }
    attrs["padding"] = text(padding, "padding")
    check_attrs(
        "ExtractImagePatches", {**attrs, "data_format": "NHWC"}, ("NHWC",), ("SAME", "VALID")
    )
    return build(extract_image_patches_op, (x,), attrs, name).outputs[0]


extract_image_patches_op.call = extract_image_patches
