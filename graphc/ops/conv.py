"""Convolutions as users call them: TF1's functions and the arguments they take.

The ops they name (`conv2d`, `conv3d`, their gradients; `conv_images`, `depthwise`) carry TF1's
attributes and expand to the three products of `conv_products`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import fills, shapes
from graphc.ops.conv_images import (
    FORMATS,
    PADDINGS,
    check_attrs,
    conv2d_filter_op,
    conv2d_input_op,
    conv2d_op,
    conv3d_filter_op,
    conv3d_input_op,
    conv3d_op,
)
from graphc.ops.operands import make
from graphc.ops.record import Attrs, Op, as_value, check_kind
from graphc.ops.reduce import chosen

__all__ = [
    "atrous_conv2d",
    "atrous_conv2d_transpose",
    "conv1d",
    "conv1d_transpose",
    "conv2d",
    "conv2d_backprop_filter",
    "conv2d_backprop_input",
    "conv2d_transpose",
    "conv3d",
    "conv3d_backprop_filter",
    "conv3d_backprop_filter_v2",
    "conv3d_transpose",
    "conv_transpose",
    "convolution",
]


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


def apply_record(
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
    return apply_record(conv2d_op, ("input", "filter"), (input, filter), attrs, name)


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
    return apply_record(conv3d_op, ("input", "filter"), (input, filter), attrs, name)


def conv3d_backprop_input_v2(
    input_sizes: Any, filter: Any, out_backprop: Any, strides: Any, padding: Any,
    data_format: str = "NDHWC", dilations: Any = (1, 1, 1, 1, 1), name: str | None = None,
) -> Value:  # fmt: skip
    """The gradient of `conv3d` by its input, whose shape is `input_sizes`."""
    attrs = _attrs(conv3d_input_op, 5, strides, padding, data_format, dilations)
    return make(
        conv3d_input_op, [("filter", filter), ("out_backprop", out_backprop)],
        {"input_sizes": ("input_sizes", input_sizes)}, name, attrs,
    ).outputs[0]  # fmt: skip


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
            one = fills.ones([1], sizes.dtype)
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


def in_batches(x: Value, padding: str, first: bool = False) -> Any:
    """Around a dilated convolution of images: in TF1 one between two moves of pixels to batches."""
    s = x.static_shape
    space = () if s is None else s[2:4] if first else s[1:3]
    known = s is not None and all(type(d) is int for d in space)
    made = (12 if known else 75) + (padding.upper() == "SAME")
    return current().counts_as(made, [(3, 2), (1, 1)], [(x, (1, 1))])


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
        steps = per_axis(strides, n, "strides")
        rates = per_axis(rate, n, "dilation_rate")
        if max(steps) > 1 and max(rates) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        first = data_format is not None and data_format.startswith("NC")
        label = scope or name
        if n == 1:
            return conv1d(x, w, steps[0], padding, None, "NCW" if first else "NWC", label, None,
                          rates[0])  # fmt: skip
        full = [(1, 1, *s) if first else (1, *s, 1) for s in (steps, rates)]
        if n == 2 and max(rates) > 1:
            with in_batches(x, padding, first):
                return conv2d(
                    x, w, full[0], padding, True, "NCHW" if first else "NHWC", full[1], label
                )
        if n == 2:
            return conv2d(x, w, full[0], padding, True, "NCHW" if first else "NHWC", full[1], label)
        return conv3d(x, w, full[0], padding, "NCDHW" if first else "NDHWC", full[1], label)


def per_axis(value: Any, n: int, name: str) -> tuple[int, ...]:
    if value is None:
        return (1,) * n
    out = tuple(int(v) for v in (value if hasattr(value, "__len__") else [value] * n))
    if len(out) != n:
        raise ValueError(f"{name} should have {n} elements but has {len(out)}")
    if any(v < 1 for v in out):
        raise ValueError(f"all values of {name} must be positive")
    return out


conv2d_op.call = conv2d
conv2d_input_op.call = conv2d_backprop_input
conv2d_filter_op.call = conv2d_backprop_filter
conv3d_op.call = conv3d
conv3d_filter_op.call = conv3d_backprop_filter
