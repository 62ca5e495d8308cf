"""Windows over an image: places, padding in numbers, and numpy views of what each window sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Shape
from graphc.ir.node import Value
from graphc.ops.operands import fail, less, show
from graphc.ops.record import Attrs

__all__ = [
    "Array",
    "channel",
    "geometry",
    "group_count",
    "known_shape",
    "spatial",
    "wide_type",
    "window_places",
    "windows",
]


Array = np.ndarray[Any, Any]
Pads = tuple[tuple[Dim, Dim], ...]


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


def group_count(image: Dim, filtered: Dim) -> int:
    """Groups of channels: a number in every plan, for the plan holds for these channels alone."""
    if image == filtered:
        return 1
    f = D.facts()
    if type(image) is int and type(filtered) is int:
        return image // filtered if filtered else 1
    assert f is not None
    n = f.value(image) // max(f.value(filtered), 1)
    return n if f.equal(image, filtered * n) else 1


def known_shape(v: Value) -> Shape:
    assert v.static_shape is not None
    return v.static_shape


def window_places(size: Dim, k: Dim, stride: int, dilation: int, pad: tuple[Dim, Dim]) -> Dim:
    """Places of a window, none where it does not fit."""
    room = size + pad[0] + pad[1] - (k - 1) * dilation - 1 + stride
    if type(room) is int:
        return max(room, 0) // stride
    return room // stride if not less(room, 0) else 0
