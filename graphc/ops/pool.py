"""Pooling: maxima and means over windows of one to three dimensions.

As in `graphc.ops.conv`, the ops that users name carry TF1's attributes and expand to records on
``[batch, *space, channels]`` with padding in numbers. Padding takes no part: a maximum or mean is
that of the elements of the window that exist. Of equal maxima the first in row-major order gets
the gradient, over volumes (as in TF) each of them; NaN counts as the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import fills, shapes
from graphc.ops.conv import per_axis, sequence, text
from graphc.ops.conv_images import (
    FORMATS,
    back,
    channels_last,
    check_agree,
    check_attrs,
    check_steps,
    in_layout,
    known_sizes,
    last_attr,
    moved,
    need_rank,
    unlayed,
)
from graphc.ops.conv_windows import channel, geometry, known_shape, spatial, window_places
from graphc.ops.operands import make
from graphc.ops.pool_loops import (
    lower_avg,
    lower_avg_grad,
    lower_max,
    lower_max_grad,
    lower_max_grad_grad,
    lower_max_place,
)
from graphc.ops.pool_meaning import (
    take_avg,
    take_avg_grad,
    take_max,
    take_max_grad,
    take_max_grad_grad,
    take_max_place,
)
from graphc.ops.record import Attrs, InferError, Op, Types, as_value, check_kind, op
from graphc.ops.reduce import chosen

__all__ = [
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "avg_pool_v2",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool_v2",
    "max_pool_with_argmax",
    "pool",
]

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------------- the records


def _pooled(inputs: Sequence[Value], a: Attrs) -> Types:
    s = known_shape(inputs[0])
    out = [
        window_places(n, k, st, 1, p)
        for n, k, st, p in zip(s[1:-1], a["kernel"], a["strides"], a["pads"], strict=True)
    ]
    return [(a.get("dtype", inputs[0].dtype), (s[0], *out, s[-1]))]


def _like_first(inputs: Sequence[Value], a: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[0].static_shape)]


def _avg_grad_infer(inputs: Sequence[Value], a: Attrs) -> Types:
    s = known_shape(inputs[0])
    return [(inputs[0].dtype, (s[0], *a["sizes"], s[-1]))]


_NONE = {"no_gradient_error": True}

pool_max_op = op(
    "pool_max", "PoolMax", "structured", doc="The largest element of each window.", args=("x",),
    types="fiu", infer=_pooled, numpy=take_max, lower=lower_max,
    grad=lambda y, dy, x, **a: build(pool_max_grad_op, (x, dy), {**a, "every": False}).outputs[0],
)  # fmt: skip
pool_max_grad_op: Op = op(
    "pool_max_grad", "PoolMaxGrad", "structured",
    doc="What each window gives, at its first largest element.", args=("x", "dy"), types="fiu",
    infer=_like_first, numpy=take_max_grad, lower=lower_max_grad,
    grad=lambda y, g, x, dy, **a: (None, build(pool_max_grad_grad_op, (x, g), a).outputs[0]),
)  # fmt: skip
pool_max_grad_grad_op: Op = op(
    "pool_max_grad_grad", "PoolMaxGradGrad", "structured",
    doc="Elements of g where each window of x has its first largest.", args=("x", "g"),
    types="fiu", infer=_pooled, numpy=take_max_grad_grad, lower=lower_max_grad_grad,
    grad=lambda y, h, x, g, **a: (None, build(pool_max_grad_op, (x, h), a).outputs[0]),
)  # fmt: skip
pool_max_place_op = op(
    "pool_max_place", "PoolMaxPlace", "structured",
    doc="The number of each window's first largest element.", args=("x",), types="fiu",
    infer=_pooled, numpy=take_max_place, lower=lower_max_place, grad=lambda y, dy, x, **a: None,
)  # fmt: skip
pool_avg_op = op(
    "pool_avg", "PoolAvg", "structured", doc="The mean of each window.", args=("x",), types="f",
    infer=_pooled, numpy=take_avg, lower=lower_avg,
    grad=lambda y, dy, x, **a: build(
        pool_avg_grad_op, (dy,), {**a, "sizes": known_shape(x)[1:-1]}
    ).outputs[0],
)  # fmt: skip
pool_avg_grad_op: Op = op(
    "pool_avg_grad", "PoolAvgGrad", "structured", doc="Each window's share, at all its elements.",
    args=("dy",), types="f", infer=_avg_grad_infer, numpy=take_avg_grad, lower=lower_avg_grad,
    grad=lambda y, g, dy, *, sizes, **a: build(pool_avg_op, (g,), a).outputs[0],
)  # fmt: skip


# ------------------------------------------------------------------------- TF1's ops


def _inner(a: Attrs, sizes: Sequence[Dim]) -> dict[str, Any]:
    """Attributes of the records above: what TF1's mean for these sizes in space."""
    kernel, strides = (last_attr(a, n)[1:-1] for n in ("ksize", "strides"))
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
    attrs = _inner(a, known_shape(inner[0])[1:-1])
    if record in (pool_max_grad_op, pool_max_grad_grad_op):
        attrs["every"] = len(a["strides"]) == 5
    return in_layout(build(record, inner, attrs).outputs[0], layout)


def _meant(f: Any) -> Any:
    """The meaning of a record of channels last, on arrays in the layout of the attributes."""

    def g(*xs: Array, **a: Any) -> Array:
        layout = a["data_format"]
        inner = [moved(x, layout) for x in xs]
        attrs = _inner(a, inner[0].shape[1:-1])
        if f in (take_max_grad, take_max_grad_grad):
            attrs["every"] = len(a["strides"]) == 5
        return back(f(*inner, **attrs), layout)

    return g


def _record_max(name: str, tf: str, types: str) -> tuple[Op, Op, Op]:
    """A maximum over windows, its gradient, and the gradient of that."""

    def grad(y: Value, dy: Value, x: Value, **a: Any) -> Value:
        return build(back_op, (x, y, dy), a).outputs[0]

    def back_grad(z: Value, g: Value, x: Value, y: Value, dy: Value, **a: Any) -> Any:
        more = build(again_op, (x, y, g), a).outputs[0]
        return fills.zeros_like(x), fills.zeros_like(y), more

    def again_grad(z: Value, h: Value, x: Value, y: Value, g: Value, **a: Any) -> Any:
        more = build(back_op, (x, y, h), a).outputs[0]
        return fills.zeros_like(x), fills.zeros_like(y), more

    three = ("orig_input", "orig_output", "grad")
    forward = op(
        name, tf, "composite", doc="The largest element of each window.", args=("input",),
        types=types, infer=_windows_infer, numpy=_meant(take_max), grad=grad,
        expand=lambda x, **a: _around(pool_max_op, x, **a),
    )  # fmt: skip
    back_op = op(
        name + "_grad", tf + "Grad", "composite",
        doc="The gradient of a maximum over windows.", args=three, types=types,
        infer=_like_first, grad=back_grad,
        numpy=lambda x, y, dy, **a: _meant(take_max_grad)(x, dy, **a),
        expand=lambda x, y, dy, **a: _around(pool_max_grad_op, x, dy, **a),
    )  # fmt: skip
    again_op = op(
        name + "_grad_grad", tf + "GradGrad", "composite",
        doc="The gradient of the gradient of a maximum over windows.", args=three, types=types,
        infer=lambda inputs, a: [(inputs[1].dtype, inputs[1].static_shape)], grad=again_grad,
        numpy=lambda x, y, g, **a: _meant(take_max_grad_grad)(x, g, **a),
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
            out, _ = geometry(t[1:-1], last_attr(a, "ksize")[1:-1], attrs)
            check_agree(tf + "Grad", (t[0], *out, t[-1]), unlayed(known_shape(inputs[0]), layout))
        return [(inputs[0].dtype, s)]

    def meaning(dy: Array, *, orig_input_shape: Sequence[int], **a: Any) -> Array:
        layout = a["data_format"]
        sizes = unlayed(orig_input_shape, layout)[1:-1]
        return back(take_avg_grad(moved(dy, layout), sizes=sizes, **_inner(a, sizes)), layout)

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
        infer=_windows_infer, numpy=_meant(take_avg), grad=grad,
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
    return take_max(x, **inner), take_max_place(x, **place)


def _argmax_expand(x: Value, **a: Any) -> Any:
    inner, place = _argmax_inner(a, known_shape(x)[1:-1])
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


def _pool(
    record: Op, label: str, value: Any, ksize: Any, strides: Any, padding: Any, data_format: Any,
    name: str | None,
) -> Value:  # fmt: skip
    """The node of one op of the family, in a scope of its name."""
    rank, layout = (5, "NDHWC") if record.tf.endswith("3D") else (4, "NHWC")
    with current().scope(name, record.tf) as scope:
        layout = layout if data_format is None else data_format
        attrs = _attrs(record, rank, ksize, strides, padding, layout)
        x = as_value(value, None, label)
        check_kind(record, record.args[0], x.dtype, record.types)
        return build(record, (x,), attrs, scope or name).outputs[0]


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
    return _pool(max_pool_op, "value", value, ksize, strides, padding, data_format, name)


def avg_pool(
    value: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    name: str | None = None, input: Any = None,
) -> Value:  # fmt: skip
    """The mean of each window of images; padding does not count."""
    value = chosen("input", input, "value", value)
    return _pool(avg_pool_op, "value", value, ksize, strides, padding, data_format, name)


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
    return _pool(max_pool3d_op, "input", input, ksize, strides, padding, data_format, name)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC",
    name: str | None = None,
) -> Value:  # fmt: skip
    """The mean of each window of volumes; padding does not count."""
    return _pool(avg_pool3d_op, "value", input, ksize, strides, padding, data_format, name)


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
        if not isinstance(rate, Value):
            current().reserve("dilation_rate")
        steps, rates = per_axis(strides, n, "strides"), per_axis(rate, n, "dilation_rate")
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
