"""Clipping by norm: TF1's formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.current import name_scope
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, nn, reduce, shapes, state
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.counting import made
from graphc.ops.indexed import IndexedSlices

__all__ = ["clip_by_average_norm", "clip_by_global_norm", "clip_by_norm", "global_norm"]


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """`t` scaled so that its L2 norm over `axes` is at most `clip_norm`."""
    with name_scope(name, "clip_by_norm", [t, clip_norm]) as scope:
        values = t.values if isinstance(t, IndexedSlices) else convert_to_tensor(t, name="t")
        sums = reduce.reduce_sum(values * values, axis=axes, keepdims=True)
        positive = math.greater(sums, 0.0)
        # the root of a one where the sum is zero, so that its gradient there is finite
        safe = math.select(positive, sums, fills.ones_like(sums))
        norm = math.select(positive, math.sqrt(safe), sums)
        clipped = math.divide(values * clip_norm, math.maximum(norm, clip_norm))
        out = state.identity(clipped, name=scope)
        return IndexedSlices(out, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else out


def global_norm(t_list: Any, name: str | None = None) -> Value:
    """``sqrt(sum(l2norm(t)**2 for t in t_list))``; None entries are left out.

    Raises
    ------
    TypeError
        When `t_list` is not a list.
    """
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError("t_list should be a sequence")
    t_list = list(t_list)
    with name_scope(name, "global_norm", [t for t in t_list if t is not None]):
        values = [_values(t) for t in t_list if t is not None]
        if not values:
            raise ValueError("global_norm of no tensor")
        half = [nn.l2_loss(v) for v in values]
        twice = reduce.reduce_sum(arrays.stack(half)) * convert_to_tensor(2.0, half[0].dtype)
        made: Value = math.sqrt(twice, name="global_norm")
        return made


def _values(t: Any) -> Value:
    return t.values if isinstance(t, IndexedSlices) else convert_to_tensor(t)


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Value]:
    """All of `t_list` scaled by one factor so that their global norm is at most `clip_norm`.

    Returns
    -------
    list, Tensor
        The clipped tensors (None stays None) and the global norm before. An infinite norm gives
        NaN everywhere, so that it is noticed.
    """
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError("t_list should be a sequence")
    t_list = list(t_list)
    norm = global_norm(t_list, name) if use_norm is None else convert_to_tensor(use_norm)
    with name_scope(name, "clip_by_global_norm", [t for t in t_list if t is not None]):
        one = 1.0 / norm, constant(1.0, norm.dtype) / clip_norm
        scale_for_finite = clip_norm * math.minimum(*one)
        finite = math.is_finite(norm)
        scale = math.select(finite, scale_for_finite, constant(float("nan"), norm.dtype))
        out: list[Any] = []
        for i, t in enumerate(t_list):
            if t is None:
                out.append(None)
                continue
            v = _values(t)
            made = state.identity(v * math.cast(scale, v.dtype), name=f"clip_by_global_norm/_{i}")
            out.append(
                IndexedSlices(made, t.indices, t.dense_shape)
                if isinstance(t, IndexedSlices)
                else made
            )
    return out, norm


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Value:
    """`t` scaled so that its L2 norm divided by its number of elements is at most `clip_norm`."""
    with name_scope(name, "clip_by_average_norm", [t, clip_norm]) as scope:
        t = convert_to_tensor(t, name="t")
        n = math.cast(shapes.size(t), t.dtype)
        inverse = math.rsqrt(reduce.reduce_sum(t * t)) * n
        clip = convert_to_tensor(clip_norm, dtype=t.dtype)
        made(4)
        return state.identity(t * clip * math.minimum(inverse, 1.0 / clip), name=scope)
