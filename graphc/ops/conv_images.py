"""TF1's records of convolutions of images and volumes: layouts, checks, what they expand to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import conv_groups, conv_patches, conv_points, shapes, transposing
from graphc.ops.conv_folds import covered, folded_attrs, folded_filter
from graphc.ops.conv_products import (
    conv_filter_numpy,
    conv_filter_op,
    conv_input_numpy,
    conv_input_op,
    conv_numpy,
    conv_op,
)
from graphc.ops.conv_windows import (
    Array,
    channel,
    geometry,
    group_count,
    known_shape,
    spatial,
)
from graphc.ops.operands import make
from graphc.ops.record import Attrs, InferError, Op, Types, op, shape_error

__all__ = [
    "FORMATS",
    "PADDINGS",
    "back",
    "channels_last",
    "check_agree",
    "check_attrs",
    "check_steps",
    "check_supported",
    "conv2d_filter_op",
    "conv2d_input_op",
    "conv2d_op",
    "conv3d_filter_op",
    "conv3d_input_op",
    "conv3d_op",
    "in_layout",
    "known_sizes",
    "last_attr",
    "layed",
    "moved",
    "need_rank",
    "product_attrs",
    "space_sizes",
    "unlayed",
]


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
    check_supported(attrs)
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
    if type(have) is int and type(want) is int and (0 in (have, want) or have % want):
        if have != want:
            raise shape_error(
                f"Depth of input ({have}) is not a multiple of input depth of filter ({want})"
            )


def check_supported(attrs: Attrs) -> None:
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
    rank = len(known_shape(x))
    return transposing.transpose(x, (0, *range(2, rank), 1))


def in_layout(x: Value, layout: str) -> Value:
    """`x`, whose channels are last, in the layout."""
    if not layout.startswith("NC"):
        return x
    rank = len(known_shape(x))
    return transposing.transpose(x, (0, rank - 1, *range(1, rank - 1)))


def moved(x: Array, layout: str) -> Array:
    """An array with its channels last."""
    return np.moveaxis(x, 1, -1) if layout.startswith("NC") else x


def back(x: Array, layout: str) -> Array:
    """An array whose channels are last, in the layout."""
    return np.moveaxis(x, -1, 1) if layout.startswith("NC") else x


def last_attr(a: Attrs, name: str) -> tuple[int, ...]:
    return unlayed(a[name], a["data_format"])


def product_attrs(sizes: Sequence[Dim], kernel: Sequence[Dim], attrs: Attrs) -> dict[str, Any]:
    """Attributes of the three products: what TF1's mean for these sizes."""
    axes = spatial(len(attrs["strides"]), attrs["data_format"])
    _, pads = geometry(sizes, kernel, attrs)
    return {
        "strides": tuple(attrs["strides"][a] for a in axes),
        "dilations": tuple(attrs["dilations"][a] for a in axes),
        "pads": pads,
    }


def space_sizes(attrs: Attrs, x: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes in space of a shape in the layout."""
    return tuple(x[a] for a in spatial(len(attrs["strides"]), attrs["data_format"]))


def _image_numpy(x: Array, w: Array, **a: Any) -> Array:
    inner = product_attrs(space_sizes(a, x.shape), w.shape[:-2], a)
    y = conv_numpy(moved(x, a["data_format"]), w, **inner)
    return back(y, a["data_format"])


def _image_expand(x: Value, w: Value, **a: Any) -> Value:
    x = channels_last(x, a["data_format"])
    s, f = known_shape(x), known_shape(w)
    inner = product_attrs(s[1:-1], f[:-2], a)
    if conv_points.is_points(s, f, inner):
        return in_layout(conv_points.result_product(x, w, inner["strides"]), a["data_format"])
    if conv_patches.is_filter_far(s, f, inner):
        return in_layout(conv_patches.result_product(x, w, inner), a["data_format"])
    kind = conv_groups.result_op if conv_groups.is_small(s, f) else conv_op
    return in_layout(build(kind, (x, w), inner).outputs[0], a["data_format"])


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


def check_agree(op_name: str, want: Sequence[Dim], have: Sequence[Dim]) -> None:
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
    check_supported(attrs)
    if D.facts() is not None:
        layout = attrs["data_format"]
        g, f, t = unlayed(known_shape(dy), layout), known_shape(w), unlayed(s, layout)
        out, _ = geometry(t[1:-1], f[:-2], attrs)
        _fitting(t[-1], f[-2])
        check_agree("Conv2DSlowBackpropInput", (t[0], *out, f[-1]), g)
    return [(dy.dtype, s)]


def _back_filter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dy = inputs[:2]
    rank = len(attrs["strides"])
    f = known_sizes(inputs, attrs, "filter_sizes", rank)
    need_rank(x, rank)
    need_rank(dy, rank)
    check_steps(attrs)
    check_supported(attrs)
    if D.facts() is not None:
        layout = attrs["data_format"]
        g, s = unlayed(known_shape(dy), layout), unlayed(known_shape(x), layout)
        out, _ = geometry(s[1:-1], f[:-2], attrs)
        _fitting(s[-1], f[-2])
        check_agree("Conv2DSlowBackpropFilter", (s[0], *out, f[-1]), g)
    return [(x.dtype, f)]


def _back_input_numpy(w: Array, dy: Array, *, input_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    s = unlayed(input_sizes, layout)
    inner = product_attrs(s[1:-1], w.shape[:-2], a)
    groups = s[-1] // w.shape[-2] if w.shape[-2] else 1
    dx = conv_input_numpy(w, moved(dy, layout), sizes=s[1:-1], groups=groups, **inner)
    return back(dx, layout)


def _back_filter_numpy(x: Array, dy: Array, *, filter_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    inner = product_attrs(space_sizes(a, x.shape), filter_sizes[:-2], a)
    x = moved(x, layout)
    groups = x.shape[-1] // filter_sizes[-2] if filter_sizes[-2] else 1
    return conv_filter_numpy(x, moved(dy, layout), sizes=filter_sizes[:-2], groups=groups, **inner)


def _back_input_expand(w: Value, dy: Value, *, input_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    s, f = unlayed(input_sizes, layout), known_shape(w)
    attrs = {
        **product_attrs(s[1:-1], f[:-2], a),
        "sizes": s[1:-1],
        "groups": group_count(s[-1], f[-2]),
    }
    if conv_points.is_points(s, f, attrs):
        dx = conv_points.image_product(w, channels_last(dy, layout), attrs["strides"], s)
        return in_layout(dx, layout)
    if conv_groups.is_small(s, f) and (1,) * len(f[:-2]) in (attrs["strides"], attrs["dilations"]):
        dx = build(conv_groups.image_op, (w, channels_last(dy, layout)), attrs).outputs[0]
        return in_layout(dx, layout)
    if conv_patches.is_image_short(s, f, attrs, dy.dtype):
        return in_layout(conv_patches.image_product(w, channels_last(dy, layout), attrs), layout)
    n = covered(s[1:-1], f[:-2], attrs)
    operands = (folded_filter(w, n), channels_last(dy, layout))
    dx = build(conv_input_op, operands, folded_attrs(attrs, n)).outputs[0]
    return in_layout(shapes.reshape_static(dx, s) if n else dx, layout)


def _back_filter_expand(x: Value, dy: Value, *, filter_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    x, dy = channels_last(x, layout), channels_last(dy, layout)
    s, f = known_shape(x), filter_sizes
    attrs = {
        **product_attrs(s[1:-1], f[:-2], a),
        "sizes": f[:-2],
        "groups": group_count(s[-1], f[-2]),
    }
    if conv_points.is_points(s, f, attrs) and conv_points.is_long(s, f):
        return conv_points.filter_product(x, dy, f, attrs["strides"])
    if conv_patches.is_filter_large(s, f, attrs):
        return conv_patches.filter_product(x, dy, f, attrs)
    kind = conv_groups.filter_op if conv_groups.is_small_filter(s, f) else conv_filter_op
    return build(kind, (x, dy), attrs).outputs[0]


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
