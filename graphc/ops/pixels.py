"""Response normalisation, blocks of pixels as depth, and patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Dim, Shape
from graphc.ir.kernel import lit, scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops import math, shapes, transposing
from graphc.ops.conv import text
from graphc.ops.conv_blocks import unflat
from graphc.ops.conv_images import (
    back,
    channels_last,
    check_attrs,
    in_layout,
    layed,
    moved,
    need_rank,
    unlayed,
)
from graphc.ops.conv_windows import geometry, known_shape, wide_type, windows
from graphc.ops.lowering import Site
from graphc.ops.operands import make, show
from graphc.ops.record import Attrs, Op, Types, as_value, check_kind, op, shape_error
from graphc.ops.reduce import chosen

__all__ = [
    "depth_to_space",
    "extract_image_patches",
    "local_response_normalization",
    "lrn",
    "space_to_depth",
]

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------------- response normalisation


#: Pixels that are put between zeros before the first of them is read again: what has just been
#: stored is not read quickly at other places.
TOGETHER = 16


def _lower_band(n: Node, s: Site) -> None:
    """Each pixel's channels are put between zeros, so that no window has ends to look at."""
    (x,) = n.inputs
    t, radius = x.dtype, n.attrs["radius"]
    *outer, depth = known_shape(x)
    pixels = D.product(outer)
    k = KernelBuilder(n.op.name)
    a, y = (f(name, t, (pixels, depth)) for f, name in ((k.input, "x"), (k.output, "y")))
    rows = k.scratch("rows", t, (TOGETHER, depth + 2 * radius))
    with k.loop("parallel", "u", D.ceildiv(pixels, TOGETHER)) as u:
        first = u * TOGETHER
        count = D.minimum(pixels - first, TOGETHER)
        with k.loop("for", "q", count) as q:
            for start in (0, radius + depth):
                with k.loop("vector", "z", radius) as z:
                    k.store(rows, (q, start + z), lit(0, t))
            with k.loop("vector", "i", depth) as i:
                k.store(rows, (q, radius + i), k.load(a, (first + q, i)))
        with k.loop("for", "p", count) as p, k.loop("vector", "c", depth) as c:
            total: Any = k.load(rows, (p, c))
            for j in range(1, 2 * radius + 1):
                total = k.let("add", total, k.load(rows, (p, c + j)))
            k.store(y, (first + p, c), total)
    s.step(k.build(), [s.input(0), s.output(), s.scratch(scratch_stride(rows), t)])


def _band_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[0].static_shape)]


band_op = op(
    "sum_of_channels_around", "AddN", "structured", args=("x",), types="f", infer=_band_infer,
    doc="Sums of the channels around each, within a radius.", lower=_lower_band,
    numpy=lambda x, *, radius: _band_numpy(x, radius),
    grad=lambda y, dy, x, *, radius: _band(dy, radius),
)  # fmt: skip


def _band(x: Value, radius: int) -> Value:
    """Sums of the channels around each, within `radius`, of ops that TensorFlow has."""
    wide = ops.arrays.pad(x, [[0, 0]] * 3 + [[radius, radius]])
    total: Any = None
    for i in range(2 * radius + 1):
        part = wide[..., i : (i - 2 * radius) or None]  # from the end: the size may be a symbol
        total = part if total is None else total + part
    y: Value = total
    return y


#: The greatest radius whose windows are added in native code as they are.
NEAR = 32


def _quick_band(x: Value, radius: int) -> Value:
    """As `_band`, where no graph is recorded."""
    if not 0 < radius <= NEAR:
        return _band(x, radius)
    return build(band_op, (x,), {"radius": radius}).outputs[0]


def _power(x: Value, e: float) -> Value:
    """A power; by roots where the exponent is of those in use: they take a fifth of the time."""
    y: Value
    if e == -0.5:
        y = math.rsqrt(x)
    elif e == -0.75:
        root = math.rsqrt(x)
        y = root * math.sqrt(root)
    elif e in (-1.5, -1.75):
        y = _power(x, e + 1.0) / x
    else:
        y = math.pow(x, e)
    return y


def _band_numpy(x: Array, radius: int) -> Array:
    wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(radius, radius)])
    seen = np.lib.stride_tricks.sliding_window_view(wide, 2 * radius + 1, axis=-1)
    return np.asarray(seen.sum(-1), x.dtype)


def _lrn_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    need_rank(inputs[0], 4)
    s = inputs[0].static_shape
    return [(inputs[0].dtype, tuple(D.fresh() for _ in range(4)) if s is None else s)]


def _lrn_numpy(x: Array, *, depth_radius: int, bias: float, alpha: float, beta: float) -> Array:
    wide = wide_type(x)
    with np.errstate(all="ignore"):
        norm = bias + alpha * _band_numpy(np.square(wide), depth_radius)
        return np.asarray(wide * norm ** (-beta), x.dtype)


def _norm(x: Value, band: Any, radius: int, bias: float, alpha: float) -> Value:
    y: Value = band(math.square(x), radius) * alpha + bias
    return y


def _lrn_expand(x: Value, depth_radius: int, bias: float, alpha: float, beta: float) -> Value:
    norm = _norm(x, _quick_band, depth_radius, bias, alpha)
    y: Value = x * _power(norm, -beta)
    return y


def _lrn_grad(y: Value, dy: Value, x: Value, **attrs: Any) -> Value:
    return build(lrn_grad_op, (dy, x), attrs).outputs[0]


def _lrn_back(
    dy: Value, x: Value, depth_radius: int, bias: float, alpha: float, beta: float
) -> Value:
    norm = _norm(x, _quick_band, depth_radius, bias, alpha)
    inner = _quick_band(dy * x * _power(norm, -beta - 1.0), depth_radius)
    dx: Value = dy * _power(norm, -beta) - (2.0 * alpha * beta) * x * inner
    return dx


def _lrn_back_numpy(
    dy: Array, x: Array, *, depth_radius: int, bias: float, alpha: float, beta: float
) -> Array:
    wide, by = wide_type(x), wide_type(dy)
    with np.errstate(all="ignore"):
        norm = bias + alpha * _band_numpy(np.square(wide), depth_radius)
        inner = _band_numpy(by * wide * norm ** (-beta - 1.0), depth_radius)
        return np.asarray(by * norm**-beta - 2.0 * alpha * beta * wide * inner, x.dtype)


def _lrn_back_grad(
    y: Value, w: Value, dy: Value, x: Value, depth_radius: int, bias: float, alpha: float,
    beta: float,
) -> tuple[Value, Value]:  # fmt: skip
    """By `dy` the derivative of `lrn` in the direction `w`; by `x` the second derivative."""

    def band(v: Value) -> Value:
        return _band(v, depth_radius)

    norm, c = _norm(x, _band, depth_radius, bias, alpha), 2.0 * alpha * beta
    once, twice = math.pow(norm, -beta - 1.0), math.pow(norm, -beta - 2.0)
    u = band(w * x)
    by_dy = w * math.pow(norm, -beta) - c * x * once * u
    by_x = -c * (
        x * band(w * dy * once) + w * band(dy * x * once) + u * dy * once
        - (2.0 * alpha * (beta + 1.0)) * x * band(u * dy * x * twice)
    )  # fmt: skip
    return by_dy, by_x


lrn_grad_op = op(
    "lrn_grad", "LRNGrad", "composite", doc="The gradient of lrn.", args=("dy", "input"),
    types="f", infer=lambda inputs, attrs: _lrn_infer(inputs[1:], attrs),
    numpy=_lrn_back_numpy, expand=_lrn_back, grad=_lrn_back_grad,
)  # fmt: skip

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
    n, h, w, c = known_shape(x)
    y = shapes.reshape_static(x, (n, h // b, b, w // b, b, c))
    y = transposing.transpose(y, (0, 1, 3, 2, 4, 5))
    return in_layout(shapes.reshape_static(y, _blocked((n, h, w, c), b, True)), data_format)


def _depth_expand(x: Value, block_size: int, data_format: str) -> Value:
    x, b = channels_last(x, data_format), block_size
    n, h, w, c = known_shape(x)
    y = shapes.reshape_static(x, (n, h, w, b, b, c // (b * b)))
    y = transposing.transpose(y, (0, 1, 3, 2, 4, 5))
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
    *taps, c = unflat(index[3], (*a["ksizes"][1:3], s[3]))
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
    if s is None or type(s[3]) is not int:  # each channel is a picture
        n, h, w, c = (shapes.shape(x)[i] for i in range(4))
        down, along = (shapes.shape(dy)[i] for i in (1, 2))
        taps = shapes.reshape(dy, [n, down, along, kh * kw, c])
        taps = shapes.reshape(
            transposing.transpose(taps, [0, 4, 1, 2, 3]), [n * c, down, along, kh * kw]
        )
        alone = _patch_of(taps, [n * c, h, w, 1], 1, x, a)
        return transposing.transpose(shapes.reshape(alone, [n, c, h, w]), [0, 2, 3, 1])
    return _patch_of(dy, shapes.shape(x), s[3], x, a)


def _patch_of(dy: Value, sizes: Any, c: int, x: Value, a: Any) -> Value:
    """The sum of what windows have of each element, of pictures of `c` channels."""
    kh, kw = a["ksizes"][1:3]
    one = np.eye(kh * kw * c, dtype=x.dtype.np).reshape(kh, kw, c, kh * kw * c)
    return make(
        ops.conv_images.conv2d_input_op, [("filter", one), ("out_backprop", dy)],
        {"input_sizes": ("input_sizes", sizes)}, None,
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
    for n, v in attrs.items():
        if len(v) != 4:
            raise ValueError(f"{n} of extract_image_patches must have 4 numbers, not {v}")
    attrs["padding"] = text(padding, "padding")
    check_attrs(
        "ExtractImagePatches", {**attrs, "data_format": "NHWC"}, ("NHWC",), ("SAME", "VALID")
    )
    return build(extract_image_patches_op, (x,), attrs, name).outputs[0]


extract_image_patches_op.call = extract_image_patches
