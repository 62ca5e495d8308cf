"""Axes that a filter covers whole count as channels, on the way back to the image.

A filter as wide as the image (texts: ``[words, embedding, 1]`` under ``[n, embedding, 1, f]``) has
one place along that axis, but each point of the image would look for it under all of the filter's.
As channels they are one place; where such axes come last in memory, the filter is merely seen
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.node import Value
from graphc.ops import shapes
from graphc.ops.conv_windows import known_shape
from graphc.ops.record import Attrs

__all__ = ["covered", "folded_attrs", "folded_filter"]


def covered(space: Sequence[Dim], kernel: Sequence[Dim], attrs: Attrs) -> int:
    """How many of the last axes of space the filter covers, all of them in one place."""
    n = 0
    axes = zip(space, kernel, attrs["dilations"], attrs["pads"], strict=True)
    for size, k, dilation, pad in reversed(list(axes)):
        fits = type(size) is int and size == k and size > 1
        if attrs["groups"] != 1 or not fits or dilation != 1 or tuple(pad) != (0, 0):
            break
        n += 1
    return n


def folded_filter(w: Value, n: int) -> Value:
    """A filter whose `n` last axes of space are channels of the image."""
    if not n:
        return w
    *kernel, channels, made = known_shape(w)
    space, gone = kernel[: len(kernel) - n], kernel[len(kernel) - n :]
    return shapes.reshape_static(w, (*space, *(1,) * n, prod(gone) * channels, made))


def folded_attrs(attrs: dict[str, Any], n: int) -> dict[str, Any]:
    """The attributes of a product with such a filter."""
    ones = {"strides": 1, "dilations": 1, "pads": (0, 0), "sizes": 1}
    return {
        k: (*v[: len(v) - n], *(ones[k],) * n) if n and k in ones else v for k, v in attrs.items()
    }
