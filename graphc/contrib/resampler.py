"""tf.contrib.resampler: values of an image between its pixels."""

from __future__ import annotations

from typing import Any

import graphc as tf
from graphc.face.graph import get_default_graph

__all__ = ["resampler"]


def resampler(data: Any, warp: Any, name: str = "resampler") -> Any:
    """Values at points of images, linear between pixels; outside of an image are zeros.

    Parameters
    ----------
    data : tensor
        ``[batch, height, width, channels]``.
    warp : tensor
        Points as x and y in pixels: ``[batch, …, 2]``.

    Returns
    -------
    tensor
        ``[batch, …, channels]``.

    Raises
    ------
    ValueError
        For other shapes.
    """
    with tf.name_scope(name, "resampler", [data, warp]) as scope:
        data, warp = (tf.convert_to_tensor(t) for t in (data, warp))
        _check(data, warp)
        with get_default_graph().counts_as(1, gradient=[(1, 2)]):
            return _sampled(data, warp, scope)


def _check(data: Any, warp: Any) -> None:
    if data.shape.ndims not in (None, 4):
        raise ValueError(f"Shape must be rank 4 but is rank {data.shape.ndims}: data {data.shape}")
    if warp.shape.ndims is not None:
        if warp.shape.ndims < 2:
            raise ValueError(f"Shape must be at least rank 2: warp has the shape {warp.shape}")
        if warp.shape[-1].value not in (None, 2):
            raise ValueError(f"warp holds x and y: its last size is {warp.shape[-1]}, not 2")
        if not data.shape[:1].is_compatible_with(warp.shape[:1]):
            raise ValueError(
                f"Dimensions must be equal, but are {data.shape[0]} images and {warp.shape[0]} "
                "lists of points"
            )


def _sampled(data: Any, warp: Any, scope: str) -> Any:
    sizes = tf.shape(data)
    batch, height, width = sizes[0], sizes[1], sizes[2]
    points = tf.shape(warp)
    flat = tf.reshape(warp, [batch, -1, 2])
    x, y = flat[..., 0], flat[..., 1]
    left, top = tf.floor(x), tf.floor(y)
    image = tf.tile(tf.range(batch)[:, None], [1, tf.shape(x)[1]])
    inside = tf.logical_and(
        tf.logical_and(x > -1.0, y > -1.0),
        tf.logical_and(x < tf.cast(width, x.dtype), y < tf.cast(height, y.dtype)),
    )
    parts = []
    for right in (0, 1):
        for below in (0, 1):
            column = tf.cast(left, tf.int32) + right
            row = tf.cast(top, tf.int32) + below
            there = tf.logical_and(
                tf.logical_and(column >= 0, column < width),
                tf.logical_and(row >= 0, row < height),
            )
            there = tf.logical_and(there, inside)
            place = tf.stack(
                [image, tf.clip_by_value(row, 0, height - 1),
                 tf.clip_by_value(column, 0, width - 1)], 2,
            )  # fmt: skip
            dx, dy = x - left, y - top
            share = (dx if right else 1.0 - dx) * (dy if below else 1.0 - dy)
            share = tf.where(there, share, tf.zeros_like(share))
            parts.append(share[..., None] * tf.gather_nd(data, place))
    made = (parts[0] + parts[1]) + (parts[2] + parts[3])
    shape = tf.concat([points[:-1], sizes[3:]], 0)
    out: Any = tf.reshape(made, shape, name="Resampler")
    if warp.shape.ndims is not None:
        out.set_shape(warp.shape[:-1].concatenate(data.shape[3:]))
    return out
