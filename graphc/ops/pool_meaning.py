"""What pooling means, in numpy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ops.conv_windows import wide_type, window_places, windows
from graphc.ops.record import Attrs

__all__ = [
    "take_avg", "take_avg_grad", "take_max", "take_max_grad", "take_max_grad_grad",
    "take_max_place",
]  # fmt: skip

Array = np.ndarray[Any, Any]

# Attributes of the records below: `kernel`, `strides` and `pads` (before, after) for each axis of
# space.


def _fill(x: Array) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _sizes(x: Sequence[int], a: Attrs) -> list[int]:
    each = zip(x[1:-1], a["kernel"], a["strides"], a["pads"], strict=True)
    return [int(window_places(n, k, s, 1, p)) for n, k, s, p in each]  # type: ignore[arg-type]


def _patches(x: Array, a: Attrs, fill: Any) -> Array:
    """Windows as ``[n, *out, taps, c]``."""
    out = _sizes(x.shape, a)
    n = len(out)
    seen = windows(x, a["kernel"], a["strides"], (1,) * n, a["pads"], out, fill)
    taps = int(np.prod(a["kernel"]))
    return seen.reshape(x.shape[0], *out, taps, x.shape[-1])


def _inside(x: Array, a: Attrs) -> Array:
    """Which taps exist, as ``[1, *out, taps, 1]``."""
    one = np.ones((1, *x.shape[1:-1], 1), bool)
    return _patches(one, a, False)


def take_max(x: Array, **a: Any) -> Array:
    seen = _patches(x, a, _fill(x))
    return np.asarray(np.max(seen, axis=-2, initial=_fill(x)), x.dtype)


def _all(x: Array, a: Attrs) -> Array:
    """Which taps are the maximum, ``[n, *out, taps, c]``: padding never is."""
    seen = _patches(x, a, _fill(x))
    here = np.broadcast_to(_inside(x, a), seen.shape)
    top = np.max(np.where(here, seen, _fill(x)), axis=-2, keepdims=True, initial=_fill(x))
    return np.asarray(here & ((seen == top) | (seen != seen)))


def _first(x: Array, a: Attrs) -> Array:
    """The tap of the first maximum, ``[n, *out, 1, c]``."""
    return np.asarray(np.argmax(_all(x, a), axis=-2, keepdims=True))


def _within(ends: Any) -> tuple[slice, ...]:
    """The part of a padded image that is the image."""
    return (slice(None), *(slice(p[0], p[0] + m) for m, p in ends))


def _spread(taps: Array, size: Sequence[int], a: Attrs) -> Array:
    """Sums of ``[n, *out, taps, c]`` at the elements that the taps are of."""
    n = len(size)
    out = taps.shape[1 : 1 + n]
    wide = [
        max(m + p[0] + p[1], (o - 1) * s + k if o else 0)
        for m, p, o, s, k in zip(size, a["pads"], out, a["strides"], a["kernel"], strict=True)
    ]
    dx = np.zeros((taps.shape[0], *wide, taps.shape[-1]), taps.dtype)
    for i, at in enumerate(itertools.product(*(range(k) for k in a["kernel"]))):
        steps = zip(at, a["strides"], out, strict=True)
        place = (slice(None), *(slice(t, t + s * o, s) for t, s, o in steps))
        dx[place] += taps[..., i, :]
    ends = zip(size, a["pads"], strict=True)
    return np.asarray(dx[_within(ends)])


def take_max_grad(x: Array, dy: Array, *, every: bool = False, **a: Any) -> Array:
    taps = int(np.prod(a["kernel"]))
    hit = _all(x, a) if every else _first(x, a) == np.arange(taps)[:, None]
    g = wide_type(dy)[..., None, :]
    return _spread(np.where(hit, g, g.dtype.type(0)), x.shape[1:-1], a).astype(x.dtype)


def take_max_grad_grad(x: Array, g: Array, *, every: bool = False, **a: Any) -> Array:
    seen = _patches(g, a, 0)
    if every:
        chosen = np.where(_all(x, a), seen, g.dtype.type(0))
        return np.asarray(chosen.sum(axis=-2, dtype=g.dtype))
    return np.asarray(np.take_along_axis(seen, _first(x, a), -2)[..., 0, :])


def take_max_place(x: Array, *, whole: bool, dtype: DType, **a: Any) -> Array:
    """The number of the element that is the maximum, in its image or (`whole`) in the batch."""
    number = np.arange(int(np.prod(x.shape[1:])), dtype=np.int64).reshape(1, *x.shape[1:])
    number = np.broadcast_to(number, x.shape)
    if whole:
        step = int(np.prod(x.shape[1:]))
        number = number + np.arange(x.shape[0]).reshape(-1, *[1] * (x.ndim - 1)) * step
    return take_max_grad_grad(x, number, **a).astype(dtype.np)


def take_avg(x: Array, **a: Any) -> Array:
    seen = _patches(wide_type(x), a, 0)
    count = _inside(x, a).sum(axis=-2)
    with np.errstate(all="ignore"):
        return np.asarray(seen.sum(axis=-2) / count.astype(seen.dtype), x.dtype)


def take_avg_grad(dy: Array, *, sizes: Sequence[int], **a: Any) -> Array:
    here = _inside(np.empty((1, *sizes, 1)), a)
    g = wide_type(dy)
    count = here.sum(axis=-2).astype(g.dtype)
    with np.errstate(all="ignore"):
        each = np.where(here, (g / count)[..., None, :], g.dtype.type(0))
    return _spread(each, sizes, a).astype(dy.dtype)
