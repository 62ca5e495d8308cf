"""The three products convolutions are made of.

`conv` (an image and a filter), `conv_input` (a filter and a result, back to the image) and
`conv_filter` (an image and a result, back to the filter), on ``[batch, *space, channels]`` with
padding in numbers. Each is linear in both operands, and the gradients of each are the other two:
derivatives of any order stay among them.

``conv[n, o, f] = sum over k, c of x[n, o * stride + k * dilation - before, c] * w[k, c, f]``
for points o of the result and k of the filter, where x is zero outside. With fewer channels in
the filter than in the image, the channels of image and result are split in as many groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.conv_blocks import (
    lower_conv,
    lower_conv_filter,
    lower_conv_input,
)
from graphc.ops.conv_windows import (
    Array,
    group_count,
    wide_type,
    window_places,
    windows,
)
from graphc.ops.record import Attrs, Types, op

__all__ = [
    "conv_filter_numpy",
    "conv_filter_op",
    "conv_input_numpy",
    "conv_input_op",
    "conv_numpy",
    "conv_op",
]


#
# Attributes: `strides`, `dilations` and `pads` (before, after) for each axis of space.


def _conv_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, w = inputs
    s, f = x.static_shape, w.static_shape
    assert s is not None
    assert f is not None
    out = [
        window_places(n, k, st, di, p)
        for n, k, st, di, p in zip(
            s[1:-1], f[:-2], attrs["strides"], attrs["dilations"], attrs["pads"], strict=True
        )
    ]
    return [(x.dtype, (s[0], *out, f[-1]))]


def _split(a: Array, groups: int) -> list[Array]:
    return [a] if groups == 1 else np.split(a, groups, axis=-1)


def _out_sizes(x: Array, kernel: Sequence[int], a: Attrs) -> list[int]:
    each = zip(x.shape[1:-1], kernel, a["strides"], a["dilations"], a["pads"], strict=True)
    return [int(window_places(*e)) for e in each]  # type: ignore[arg-type]


def conv_numpy(x: Array, w: Array, **a: Any) -> Array:
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


def conv_input_numpy(w: Array, dy: Array, *, sizes: Sequence[int], groups: int, **a: Any) -> Array:
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


def conv_filter_numpy(x: Array, dy: Array, *, sizes: Sequence[int], groups: int, **a: Any) -> Array:
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
    groups = group_count(s[-1], f[-2])
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


conv_op = op(
    "conv", "Conv", "convolution", doc="Windows of an image times a filter.",
    args=("x", "w"), types="f", infer=_conv_infer, numpy=conv_numpy, grad=_conv_grad,
    lower=lower_conv,
)  # fmt: skip
conv_input_op = op(
    "conv_input", "ConvInput", "convolution", doc="The image's share of a convolution's gradient.",
    args=("w", "dy"), types="f", infer=_conv_input_infer, numpy=conv_input_numpy,
    grad=_conv_input_grad, lower=lower_conv_input,
)  # fmt: skip
conv_filter_op = op(
    "conv_filter", "ConvFilter", "structured",
    doc="The filter's share of a convolution's gradient.",
    args=("x", "dy"), types="f", infer=_conv_filter_infer, numpy=conv_filter_numpy,
    grad=_conv_filter_grad, lower=lower_conv_filter,
)  # fmt: skip
