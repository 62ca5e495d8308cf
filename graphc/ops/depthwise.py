"""Depthwise convolutions: TF1's records, the products they expand to, their loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops import shapes
from graphc.ops.conv import (
    apply_record,
    conv2d,
    per_axis,
    text,
)
from graphc.ops.conv_blocks import (
    MULTIPLE,
    PARTS,
    TEMPLATE,
    Loops,
    all_numbers,
    sum_parts,
    sum_type,
    three_dims,
    unflat,
)
from graphc.ops.conv_images import (
    FORMATS,
    PADDINGS,
    back,
    channels_last,
    check_agree,
    check_attrs,
    check_steps,
    check_supported,
    in_layout,
    known_sizes,
    last_attr,
    layed,
    moved,
    need_rank,
    product_attrs,
    space_sizes,
    unlayed,
)
from graphc.ops.conv_products import (
    conv_input_numpy,
)
from graphc.ops.conv_windows import (
    Array,
    channel,
    geometry,
    known_shape,
    spatial,
    wide_type,
    window_places,
    windows,
)
from graphc.ops.lowering import Site
from graphc.ops.operands import make, show
from graphc.ops.record import Attrs, Types, as_value, op, shape_error
from graphc.ops.reduce import chosen

__all__ = [
    "depthwise_conv2d",
    "depthwise_conv2d_backprop_filter",
    "depthwise_conv2d_backprop_input",
    "depthwise_conv2d_native",
    "depthwise_conv2d_native_backprop_filter",
    "depthwise_conv2d_native_backprop_input",
    "separable_conv2d",
]


#
# ``y[n, o, c * m + j] = sum over k of x[n, o * stride + k * dilation - before, c] * w[k, c, j]``


def _depth_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, w = inputs
    need_rank(x, 4)
    need_rank(w, 4)
    check_steps(attrs)
    check_supported(attrs)
    s, f = x.static_shape, w.static_shape
    layout = attrs["data_format"]
    c = None if s is None else s[channel(4, layout)]
    if c is not None and f is not None and D.same(c, f[2]) is False:
        raise shape_error(f"Dimensions must be equal, but are {show(c)} and {show(f[2])}")
    sizes = [None] * 2 if s is None else [s[a] for a in spatial(4, layout)]
    out, _ = geometry(sizes, [None] * 2 if f is None else list(f[:2]), attrs)
    depth = f[2] if f is not None and (c is None or type(f[2]) is int) else c
    last = D.fresh() if f is None or depth is None else depth * f[3]
    return [(x.dtype, layed((D.fresh() if s is None else s[0], *out, last), layout))]


def _depth_windows(x: Array, k: Sequence[int], a: Attrs, out: Sequence[int]) -> Array:
    last = {name: last_attr(a, name) for name in ("strides", "dilations")}
    inner = product_attrs(x.shape[1:3], k, {**a, "data_format": "NHWC", **last})
    return windows(x, k, inner["strides"], inner["dilations"], inner["pads"], out)


def _depth_numpy(x: Array, w: Array, **a: Any) -> Array:
    layout = a["data_format"]
    out, _ = geometry(space_sizes(a, x.shape), w.shape[:2], a)
    x = wide_type(moved(x, layout))
    seen = _depth_windows(x, w.shape[:2], a, [int(o) for o in out])  # type: ignore[arg-type]
    y = np.einsum("nabhwc,hwcm->nabcm", seen, wide_type(w))
    return back(y.reshape(*y.shape[:3], y.shape[3] * y.shape[4]), layout).astype(w.dtype)


def _depth_input_numpy(w: Array, dy: Array, *, input_sizes: Sequence[int], **a: Any) -> Array:
    layout = a["data_format"]
    n, *sizes, c = unlayed(input_sizes, layout)
    g = moved(dy, layout).reshape(n, *moved(dy, layout).shape[1:3], c, w.shape[3])
    inner = product_attrs(sizes, w.shape[:2], a)
    made = np.zeros((n, *sizes, c), wide_type(w).dtype)
    for j in range(c):  # a convolution of one channel for each
        made[..., j : j + 1] = conv_input_numpy(
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
    inner = product_attrs(known_shape(x)[1:-1], known_shape(w)[:2], a)
    return in_layout(build(depth_op, (x, w), inner).outputs[0], a["data_format"])


def _depth_input_expand(w: Value, dy: Value, *, input_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    s = unlayed(input_sizes, layout)
    attrs = {**product_attrs(s[1:-1], known_shape(w)[:2], a), "sizes": s[1:-1]}
    dy = channels_last(dy, layout)
    return in_layout(build(depth_input_op, (w, dy), attrs).outputs[0], layout)


def _depth_filter_expand(x: Value, dy: Value, *, filter_sizes: Shape, **a: Any) -> Value:
    layout = a["data_format"]
    x, dy = channels_last(x, layout), channels_last(dy, layout)
    attrs = {**product_attrs(known_shape(x)[1:-1], filter_sizes[:2], a), "sizes": filter_sizes}
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
        t, f = unlayed(s, attrs["data_format"]), known_shape(w)
        out, _ = geometry(t[1:-1], f[:2], attrs)
        g = unlayed(known_shape(dy), attrs["data_format"])
        check_agree("DepthwiseConv2DBackpropInput", (t[0], *out, t[-1] * f[3], f[2]), (*g, t[-1]))
    return [(dy.dtype, s)]


def _depth_filter_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, dy = inputs[:2]
    need_rank(x, 4)
    need_rank(dy, 4)
    check_steps(attrs)
    f = known_sizes(inputs, attrs, "filter_sizes", 4)
    if D.facts() is not None:
        s, g = (
            unlayed(known_shape(x), attrs["data_format"]),
            unlayed(known_shape(dy), attrs["data_format"]),
        )
        out, _ = geometry(s[1:-1], f[:2], attrs)
        check_agree("DepthwiseConv2DBackpropFilter", (s[0], *out, s[-1] * f[3], f[2]), (*g, s[-1]))
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
    s, f = known_shape(inputs[0]), known_shape(inputs[1])
    out = [
        window_places(n, k, st, di, p)
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


#: Elements of the widest vector of floats.
LANES = 16


def _period(a: Attrs, w: Sequence[Any]) -> int:
    """Elements after which vectors of a row's elements are of the same channels again.

    0 where vectors are of channels: there are enough results of a place, or steps. A channel that
    has several results is in as many lanes, so these are a power of two.
    """
    each, results = w[-1], w[-2] * w[-1]
    period = math.lcm(results, LANES)
    fits = results < LANES and period <= 3 * LANES and each & (each - 1) == 0
    return period if fits and a["strides"][-1] == 1 else 0


def _laid(n: Node, s: Site, w: Shape, columns: Dim, backwards: bool) -> Any:
    """The filter with `columns` elements a tap, its channels again and again; taps backwards."""
    dtype, taps = n.outputs[0].dtype, D.product(w[:-2])
    k = KernelBuilder("depthwise_filter")
    a = k.input("w", dtype, (taps, D.product(w[-2:])))
    b = k.output("laid", dtype, (taps, columns))
    with k.loop("parallel", "t", taps) as t, k.loop("vector", "j", columns) as j:
        k.store(b, (t, j), k.load(a, (taps - 1 - t if backwards else t, j % D.product(w[-2:]))))
    out = s.temp(dtype, taps * columns)
    s.step(k.build(), [s.input(0 if backwards else 1), out])
    return out


def _depth_blocks(n: Node, s: Site, what: str) -> bool:
    """Lower a depthwise product to vectors; False where too little is known.

    The gradient by the image is a convolution with the filter backwards where steps are 1.
    """
    a = n.attrs
    shape = {"conv": (0, 1, None), "input": (None, 0, 1), "filter": (0, None, 1)}[what]
    xs, ws, gs = (known_shape(n.outputs[0] if i is None else n.inputs[i]) for i in shape)
    if not all_numbers(*ws) or D.product(ws) == 0:
        return False
    channels: Any = ws[-2]
    each: Any = ws[-1]
    kernel, dilations = three_dims(ws[:-2], 1), three_dims(a["dilations"], 1)
    pads = three_dims([p[0] for p in a["pads"]], 0)
    period = _period(a, ws)
    backwards = what == "input" and each == 1 and all(e == 1 for e in a["strides"])
    if backwards:
        xs, gs = gs, xs
        pads = tuple((k - 1) * d - p for k, d, p in zip(kernel, dilations, pads, strict=True))
    elif what == "input":
        if each > MULTIPLE or any(d != 1 for d in dilations):
            return False
        period = 0
    made = "conv" if backwards else what
    t, wide = n.outputs[0].dtype, sum_type(n.outputs[0])
    columns = period or channels * each
    operands: list[Any] = [s.input(0), s.input(1)]
    if made == "conv" and (period or backwards):
        operands = [s.input(int(backwards)), _laid(n, s, ws, columns, backwards)]
    k = KernelBuilder(n.op.name)
    first = k.input("a", t, xs if made != "input" else ws)
    second = k.input("b", t, gs if made != "conv" else (*kernel, columns))
    of = xs if made == "input" else gs
    rows = D.product((xs[0], *three_dims(of[1:-1], 1)[:2]))
    share: Dim = 1
    if what == "filter":
        share = D.maximum(D.ceildiv(rows, PARTS), 1)
        rows = D.ceildiv(rows, share)
        count = D.product(ws)
        times = period // (channels * each) if period else 1
        out = k.output("sums", wide, (rows, count * times))
    else:
        out = k.output("y", t, known_shape(n.outputs[0]))
    sizes = (xs[0], share, *three_dims(xs[1:-1], 1), *three_dims(gs[1:-1], 1), *pads)
    with k.loop("parallel", "u", rows) as u:
        k.template(
            "depthwise", [first, second, out], (u, *sizes), what=made, kernel=kernel,
            strides=three_dims(a["strides"], 1), dilations=dilations, channels=channels,
            each=each, group=1, period=period, version=TEMPLATE,
        )  # fmt: skip
    if what != "filter":
        s.step(k.build(), [*operands, s.output()])
        return True
    sums = s.temp(wide, rows * count * times)
    s.step(k.build(), [*operands, sums])
    sum_parts(s, sums, wide, t, rows, count, (channels * each, times))
    return True


def _channel(f: Dim, m: Dim) -> tuple[Dim, Dim]:
    """The channel of result f and which of its `m` filters; where there are none nothing is f."""
    return (f, 0) if m in (0, 1) else (f // m, f % m)


def _lower_depth(n: Node, s: Site) -> None:
    if _depth_blocks(n, s, "conv"):
        return
    x, w = n.inputs
    xs, ws, ys = known_shape(x), known_shape(w), known_shape(n.outputs[0])
    t = Loops(n)
    k, m = t.k, ws[-1]
    bx, bw = k.input("x", x.dtype, xs), k.input("w", x.dtype, ws)
    by = k.output("y", x.dtype, ys)
    wide = sum_type(x)
    with k.loop("parallel", "u", D.product(ys[:-1])) as u:
        at = unflat(u, ys[:-1])
        with k.loop("vector", "f", ys[-1]) as f:
            c, j = _channel(f, m)
            with k.reduce("for", "q", D.product(ws[:-2])) as r:
                taps = unflat(r.var, ws[:-2])
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
    ws, gs, xs = known_shape(w), known_shape(dy), known_shape(n.outputs[0])
    t = Loops(n)
    k, m = t.k, ws[-1]
    bw, bg = k.input("w", w.dtype, ws), k.input("g", w.dtype, gs)
    bx = k.output("x", w.dtype, xs)
    wide = sum_type(w)
    with k.loop("parallel", "u", D.product(xs[:-1])) as u:
        at = unflat(u, xs[:-1])
        with k.loop("vector", "c", xs[-1]) as c:
            with k.reduce("for", "q", D.product((*ws[:-2], m))) as r:
                *taps, j = unflat(r.var, (*ws[:-2], m))
                places, ok = t.reached(at[1:], taps, gs[1:-1])
                v = k.cast(k.load(bg, (at[0], *places, c * m + j), ok), wide)
                r.yields(sum=k.let("multiply", v, k.cast(k.load(bw, (*taps, c, j)), wide)))
            k.store(bx, (*at, c), k.cast(r.results[0], w.dtype))
    s.step(k.build(), [s.input(0), s.input(1), s.output()])


def _lower_depth_filter(n: Node, s: Site) -> None:
    if _depth_blocks(n, s, "filter"):
        return
    x, dy = n.inputs
    xs, gs, ws = known_shape(x), known_shape(dy), known_shape(n.outputs[0])
    t = Loops(n)
    k, m = t.k, ws[-1]
    bx, bg = k.input("x", x.dtype, xs), k.input("g", x.dtype, gs)
    bw = k.output("w", x.dtype, (*ws[:-2], ws[-2] * m))
    wide = sum_type(x)
    with k.loop("parallel", "u", D.product(ws[:-2])) as u:
        taps = unflat(u, ws[:-2])
        with k.loop("vector", "f", ws[-2] * m) as f:
            c, _ = _channel(f, m)
            with k.reduce("for", "q", D.product(gs[:-1])) as r:
                at = unflat(r.var, gs[:-1])
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
        (inputs[1].dtype, (known_shape(inputs[1])[0], *a["sizes"], known_shape(inputs[0])[2]))
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
    return apply_record(depthwise_op, ("input", "filter"), (input, filter), attrs, name)


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
        rates = per_axis(rate, 2, "dilation_rate")
        current().reserve("Shape", "dilation_rate")
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


depthwise_op.call = depthwise_conv2d_native
depthwise_input_op.call = depthwise_conv2d_native_backprop_input
depthwise_filter_op.call = depthwise_conv2d_native_backprop_filter
