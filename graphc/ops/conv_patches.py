"""Convolutions whose filters are large beside their images, as matrix products.

Many channels meet where few places are left: in the last layers of networks, of one image at a
time. Tap by tap the filter is read once for each few places, and by the image a copy of it that is
turned round. So what each place sees is written out (`patches`), or each place's share of all that
it saw is computed, and what meets is added up (`meeting`): the product reads the filter as it is.
What is written out is no larger than the filter (shares: than two of them); convolutions of other
sizes write out nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from math import prod
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value
from graphc.ops import conv_points, shapes
from graphc.ops.conv_blocks import Loops, unflat
from graphc.ops.conv_products import conv_input_numpy
from graphc.ops.conv_windows import Array, known_shape, window_places, windows
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Types, op

__all__ = [
    "filter_product",
    "image_product",
    "is_filter_far",
    "is_filter_large",
    "is_image_short",
    "meeting_op",
    "patches_op",
    "result_product",
]  # fmt: skip

#: Fewest channels, of image and result, and most taps: each has code of its own.
CHANNELS, TAPS = 64, 32
#: Places of results for each of their channels up to which a gradient by the image is a product.
SHORT = 2
#: Elements of a filter from which on results are a product: it has no room in a third cache.
FAR = 1 << 22
#: Elements of a filter from which on its own gradient is one.
LARGE = 1 << 21


def _sizes(space: Sequence[Dim], kernel: Sequence[int], a: Attrs) -> list[Dim]:
    """Sizes in space of the results."""
    each = zip(space, kernel, a["strides"], a["dilations"], a["pads"], strict=True)
    return [window_places(*e) for e in each]


def _few(image: Shape, filter: Shape, attrs: Attrs, most: int) -> bool:
    """Whether results have so many places at most (a plan depends on it), of many channels."""
    f = D.facts()
    sizes = [d for d in filter if type(d) is int]
    if f is None or len(sizes) < len(filter) or image[-1] != sizes[-2]:
        return False
    kernel = sizes[:-2]
    if min(sizes[-2:]) < CHANNELS or not 1 < prod(kernel) <= TAPS:
        return False
    places = D.product([image[0], *_sizes(image[1:-1], kernel, attrs)])
    return f.less(places, most + 1)


def is_filter_far(image: Shape, filter: Shape, attrs: Attrs) -> bool:
    """Whether a convolution is quicker as a product."""
    size, made = D.product(filter), filter[-1]
    if type(size) is not int or type(made) is not int or size < FAR:
        return False
    return _few(image, filter, attrs, made)


def is_image_short(image: Shape, filter: Shape, attrs: Attrs, dtype: DType) -> bool:
    """Whether its gradient by the image is: not of halves, as shares would be rounded."""
    made = filter[-1]
    if type(made) is not int or dtype.size == 2 or any(s != 1 for s in attrs["strides"]):
        return False
    return _few(image, filter, attrs, SHORT * made)


def is_filter_large(image: Shape, filter: Shape, attrs: Attrs) -> bool:
    """Whether its gradient by the filter is."""
    size, made = D.product(filter), filter[-1]
    if type(size) is not int or type(made) is not int or size < LARGE:
        return False
    return _few(image, filter, attrs, made)


def _patches(x: Value, filter: Shape, attrs: Attrs) -> Value:
    steps = {k: attrs[k] for k in ("strides", "dilations", "pads")}
    return build(patches_op, (x,), {**steps, "kernel": tuple(filter[:-2])}).outputs[0]


def _matrix(w: Value) -> Value:
    shape = known_shape(w)
    return shapes.reshape_static(w, (D.product(shape[:-1]), shape[-1]))


def result_product(x: Value, w: Value, attrs: Attrs) -> Value:
    """The convolution."""
    return conv_points.product(_patches(x, known_shape(w), attrs), _matrix(w))


def image_product(w: Value, dy: Value, attrs: Attrs) -> Value:
    """Its gradient by the image."""
    shares = conv_points.product(dy, _matrix(w), transpose_b=True)
    keep = {k: attrs[k] for k in ("strides", "dilations", "pads", "sizes")}
    kernel = tuple(known_shape(w)[:-2])
    return build(meeting_op, (shares,), {**keep, "kernel": kernel}).outputs[0]


def filter_product(x: Value, dy: Value, filter: Shape, attrs: Attrs) -> Value:
    """Its gradient by the filter."""
    seen = _patches(x, filter, attrs)
    places = D.product(known_shape(dy)[:-1])
    a, b = (shapes.reshape_static(v, (places, known_shape(v)[-1])) for v in (seen, dy))
    return shapes.reshape_static(conv_points.product(a, b, transpose_a=True), filter)


# ------------------------------------------------------------------------- what places see


def _patches_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    (x,) = inputs
    n, *space, c = known_shape(x)
    return [(x.dtype, (n, *_sizes(space, a["kernel"], a), c * prod(a["kernel"])))]


def _patches_numpy(x: Array, *, kernel: Sequence[int], **a: Any) -> Array:
    out: Any = _sizes(x.shape[1:-1], kernel, a)
    seen = windows(x, kernel, a["strides"], a["dilations"], a["pads"], out)
    return seen.reshape(x.shape[0], *out, -1)


def _lower_patches(n: Node, s: Site) -> None:
    (x,) = n.inputs
    xs, ys = known_shape(x), known_shape(n.outputs[0])
    t = Loops(n)
    k, kernel, c = t.k, n.attrs["kernel"], xs[-1]
    a, b = k.input("x", x.dtype, xs), k.output("patches", x.dtype, ys)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u, ExitStack() as nest:
        at = unflat(u, ys[:-1])
        taps = [nest.enter_context(k.loop("for", "t", e)) for e in kernel]
        tap: Dim = 0
        for i, e in zip(taps, kernel, strict=True):
            tap = tap * e + i
        places = t.seen(at[1:], taps)
        ok = t.inside(places, xs[1:-1])
        with k.loop("vector", "c", c) as i:
            k.store(b, (*at, tap * c + i), k.load(a, (at[0], *places, i), ok))
    s.step(k.build(), [s.input(0), s.output()])


patches_op = op(
    "conv_patches", "ConvPatches", "structured",
    doc="What each place of a convolution sees: channels of one tap after another.", args=("x",),
    types="f", infer=_patches_infer, numpy=_patches_numpy, lower=_lower_patches,
    facts={"no_gradient_error": True},
)  # fmt: skip


# ------------------------------------------------------------------------- what meets


def _meeting_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    (g,) = inputs
    n, *_, c = known_shape(g)
    assert type(c) is int
    return [(g.dtype, (n, *a["sizes"], c // prod(a["kernel"])))]


def _meeting_numpy(g: Array, *, kernel: Sequence[int], sizes: Sequence[int], **a: Any) -> Array:
    count = g.shape[-1]
    each = np.eye(count, dtype=g.dtype).reshape(*kernel, -1, count)
    return conv_input_numpy(each, g, sizes=sizes, groups=1, **a)


def _lower_meeting(n: Node, s: Site) -> None:
    (g,) = n.inputs
    gs, xs = known_shape(g), known_shape(n.outputs[0])
    t = Loops(n)
    k, kernel, c = t.k, n.attrs["kernel"], xs[-1]
    a, b = k.input("shares", g.dtype, gs), k.output("x", g.dtype, xs)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        at = unflat(u, xs[:-1])
        met = [
            t.reached(at[1:], taps, gs[1:-1])
            for taps in itertools.product(*(range(e) for e in kernel))
        ]
        with k.loop("vector", "c", c) as i:
            total: Any = None
            for tap, (places, ok) in enumerate(met):
                v = k.load(a, (at[0], *places, tap * c + i), ok)
                total = v if total is None else k.let("add", total, v)
            k.store(b, (*at, i), total)
    s.step(k.build(), [s.input(0), s.output()])


meeting_op = op(
    "conv_meeting", "ConvMeeting", "structured",
    doc="The sums of what meets in each place of an image: shares of one tap after another.",
    args=("shares",), types="f", infer=_meeting_infer, numpy=_meeting_numpy, lower=_lower_meeting,
    facts={"no_gradient_error": True},
)  # fmt: skip
