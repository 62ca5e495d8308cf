"""Convolutions in groups of few channels: vectors of channels hold several groups at a time.

A group of 4 channels fills a quarter of a vector, and a convolution of each group alone would leave
the others idle. So results are summed as those of depthwise convolutions: vectors are of the
channels of several groups, and for each channel of a group its number is put in all of its group's
lanes, which takes one instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_blocks import PARTS, TEMPLATE, sum_parts, sum_type, three_dims
from graphc.ops.conv_products import (
    conv_filter_numpy,
    conv_filter_op,
    conv_input_numpy,
    conv_input_op,
    conv_numpy,
    conv_op,
)
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.record import op

__all__ = ["filter_op", "image_op", "is_small", "is_small_filter", "result_op"]

#: Channels of a group, which divide those of a vector or are some vectors.
CHANNELS = (2, 4, 8)
#: Products of a result, at most: they are summed one after another.
TERMS = 256
#: Channels of a group up to which the sums of all of a filter's are in registers.
SUMS = 8


def is_small(sizes: Sequence[Dim], filter: Sequence[Dim]) -> bool:
    """Whether groups of an image, channels last, and of its result have as many channels, few."""
    channels, made = filter[-2:]
    terms = D.product(filter[:-1])
    if type(channels) is not int or type(made) is not int or type(terms) is not int:
        return False
    several = channels in CHANNELS and made > channels and sizes[-1] == made
    return several and 0 < terms <= TERMS


def is_small_filter(sizes: Sequence[Dim], filter: Sequence[Dim]) -> bool:
    """The same for the gradient by the filter."""
    return is_small(sizes, filter) and D.maximum(filter[-2], SUMS) == SUMS


def _laid(n: Node, s: Site, backwards: bool) -> Any:
    """The filter of the gradient by the image: channels and results exchanged, and the taps."""
    w = n.inputs[0]
    shape = known_shape(w)
    taps, (each, made) = D.product(shape[:-2]), shape[-2:]
    k = KernelBuilder("grouped_filter")
    a = k.input("w", w.dtype, (taps, each, made))
    b = k.output("laid", w.dtype, (taps, each, made))
    with (
        k.loop("parallel", "t", taps) as t,
        k.loop("for", "e", each) as e,
        k.loop("vector", "j", made) as j,
    ):
        tap = taps - 1 - t if backwards else t
        k.store(b, (t, e, j), k.load(a, (tap, j % each, j // each * each + e)))
    out = s.temp(w.dtype, D.product(shape))
    s.step(k.build(), [s.input(0), out])
    return out


def _lower(n: Node, s: Site, what: str) -> None:
    a = n.attrs
    which = {"conv": (0, 1, None), "input": (None, 0, 1), "filter": (0, None, 1)}[what]
    xs, ws, gs = (known_shape(n.outputs[0] if i is None else n.inputs[i]) for i in which)
    each, made = ws[-2:]
    kernel, dilations = three_dims(ws[:-2], 1), three_dims(a["dilations"], 1)
    pads = three_dims([p[0] for p in a["pads"]], 0)
    operands: list[Any] = [s.input(0), s.input(1)]
    if what == "input" and all(e == 1 for e in a["strides"]):  # a convolution of the gradient
        xs, gs, what = gs, xs, "conv"
        pads = tuple((k - 1) * d - p for k, d, p in zip(kernel, dilations, pads, strict=True))
        operands = [s.input(1), _laid(n, s, True)]
    elif what == "input":
        operands = [_laid(n, s, False), s.input(1)]
    t, wide = n.outputs[0].dtype, sum_type(n.outputs[0])
    k = KernelBuilder(n.op.name)
    filter = (*kernel, each, made)
    first = k.input("a", t, filter if what == "input" else xs)
    second = k.input("b", t, filter if what == "conv" else gs)
    rows = D.product((xs[0], *three_dims((xs if what == "input" else gs)[1:-1], 1)[:2]))
    share: Dim = 1
    count = D.product(ws)
    if what == "filter":
        share = D.maximum(D.ceildiv(rows, PARTS), 1)
        rows = D.ceildiv(rows, share)
        out = k.output("sums", wide, (rows, count))
    else:
        out = k.output("y", t, known_shape(n.outputs[0]))
    sizes = (xs[0], share, *three_dims(xs[1:-1], 1), *three_dims(gs[1:-1], 1), *pads)
    with k.loop("parallel", "u", rows) as u:
        k.template(
            "depthwise", [first, second, out], (u, *sizes),
            what=what, kernel=kernel,
            strides=three_dims(a["strides"], 1), dilations=dilations, channels=made, each=1,
            group=each, period=0, version=TEMPLATE,
        )  # fmt: skip
    if what != "filter":
        s.step(k.build(), [*operands, s.output()])
        return
    sums = s.temp(wide, rows * count)
    s.step(k.build(), [*operands, sums])
    sum_parts(s, sums, wide, t, rows, count)


result_op = op(
    "conv_groups", "ConvGroups", "structured",
    doc="Windows of an image times a filter, in groups of few channels.",
    args=("x", "w"), types="f", infer=conv_op.infer, numpy=conv_numpy,
    lower=lambda n, s: _lower(n, s, "conv"), facts={"no_gradient_error": True},
)  # fmt: skip
image_op = op(
    "conv_groups_input", "ConvGroupsInput", "structured",
    doc="The image's share of the gradient of such a convolution, without steps or dilations.",
    args=("w", "dy"), types="f", infer=conv_input_op.infer, numpy=conv_input_numpy,
    lower=lambda n, s: _lower(n, s, "input"), facts={"no_gradient_error": True},
)  # fmt: skip
filter_op = op(
    "conv_groups_filter", "ConvGroupsFilter", "structured",
    doc="The filter's share of the gradient of such a convolution.",
    args=("x", "dy"), types="f", infer=conv_filter_op.infer, numpy=conv_filter_numpy,
    lower=lambda n, s: _lower(n, s, "filter"), facts={"no_gradient_error": True},
)  # fmt: skip
