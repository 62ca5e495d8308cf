"""Moments and batch normalisation."""

from __future__ import annotations

import math as _math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.record import Attrs, Types, as_value, merge, op, quiet, shape_error, static_ints
from graphc.ops.reduce import chosen, count_nonzero, reduce_mean, reduce_sum

__all__ = [
    "batch_norm_with_global_normalization", "batch_normalization", "fused_batch_norm", "moments",
    "normalize_moments", "sufficient_statistics", "weighted_moments", "zero_fraction",
]  # fmt: skip


def sufficient_statistics(
    x: Any,
    axes: Any,
    shift: Any = None,
    keep_dims: Any = None,
    name: str | None = None,
    keepdims: Any = None,
) -> tuple[Value, Value, Value, Value | None]:
    """Count, sum, sum of squares (all after subtracting `shift`), and the shift."""
    keep = bool(chosen("keepdims", keepdims, "keep_dims", keep_dims))
    with current().scope(name, "sufficient_statistics"):
        v = as_value(x, name="x")
        axes = static_ints(list(set(axes)) if isinstance(axes, (list, tuple)) else axes)
        n: Any = build(ops.reduce.count, (v,), {"axis": axes}).outputs[0]
        if v.static_shape is not None and D.is_known([v.static_shape[a] for a in axes]):
            sizes = [v.static_shape[a] for a in axes]
            n = as_value(_math.prod(sizes), v.dtype, "Const")
        else:
            n = math.cast(n, v.dtype)
        s = None
        if shift is None:
            m, q = v, math.square(v)
        else:
            s = as_value(shift, v.dtype, "shift")
            m, q = v - s, math.squared_difference(v, s)
        m_ss = reduce_sum(m, axes, keepdims=keep, name="mean_ss")
        v_ss = reduce_sum(q, axes, keepdims=keep, name="var_ss")
    return n, m_ss, v_ss, s


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Value, Value]:
    """Mean and variance out of what `sufficient_statistics` gives."""
    with current().scope(name, "normalize"):
        divisor = math.reciprocal(counts, name="divisor")
        if shift is not None:
            shifted = math.multiply(mean_ss, divisor, name="shifted_mean")
            mean = math.add(shifted, shift, name="mean")
        else:
            shifted = mean = math.multiply(mean_ss, divisor, name="mean")
        square = math.square(shifted)
        variance = math.subtract(math.multiply(variance_ss, divisor), square, name="variance")
    return mean, variance


def _fitted(moment: Value, axes: Any, keep: bool, x: Value) -> Value:
    """A moment in the type of `x`, with the axes of length 1 or without."""
    moment = moment if keep else ops.shapes.squeeze(moment, axes)
    return math.cast(moment, x.dtype)  # type: ignore[no-any-return]


def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: Any = None,
    keepdims: Any = None,
) -> tuple[Value, Value]:
    """Mean and variance of `x` over axes; `shift` is not used."""
    keep = bool(chosen("keepdims", keepdims, "keep_dims", keep_dims))
    with current().scope(name, "moments"):
        v = as_value(x, name="x")
        y = math.cast(v, dtypes.float32) if v.dtype is dtypes.float16 else v
        mean = reduce_mean(y, axes, keepdims=True, name="mean")
        away = math.squared_difference(y, ops.state.stop_gradient(mean))
        variance = reduce_mean(away, axes, keepdims=True, name="variance")
        return _fitted(mean, axes, keep, v), _fitted(variance, axes, keep, v)


def weighted_moments(
    x: Any,
    axes: Any,
    frequency_weights: Any,
    name: str | None = None,
    keep_dims: Any = None,
    keepdims: Any = None,
) -> tuple[Value, Value]:
    """Mean and variance of `x` over axes, elements counted by their weights."""
    keep = bool(chosen("keepdims", keepdims, "keep_dims", keep_dims))
    with current().scope(name, "weighted_moments"):
        given = as_value(x, name="x")
        w = as_value(frequency_weights, name="frequency_weights")
        v = math.cast(given, dtypes.float32) if given.dtype is dtypes.float16 else given
        w = math.cast(w, v.dtype)
        total = reduce_sum(w * v, axes, name="weighted_input_sum", keepdims=True)
        weights = w + ops.fills.zeros_like(v)
        count = reduce_sum(weights, axes, name="sum_of_weights", keepdims=True)
        divisor = math.reciprocal(count, name="inv_weight_sum")
        mean = math.multiply(total, divisor)
        away = w * math.squared_difference(v, mean)
        spread = reduce_sum(away, axes, name="weighted_distsq", keepdims=True)
        variance = math.multiply(spread, divisor)
        return _fitted(mean, axes, keep, given), _fitted(variance, axes, keep, given)


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: Any,
    name: str | None = None,
) -> Value:
    """scale * (x - mean) / sqrt(variance + epsilon) + offset."""
    with current().scope(name, "batchnorm"):
        v = as_value(x)
        inv = math.rsqrt(variance + variance_epsilon)
        if scale is not None:
            inv *= scale
        shift = -mean * inv if offset is None else offset - mean * inv
        y: Value = v * math.cast(inv, v.dtype) + math.cast(shift, v.dtype)
        return y


def batch_norm_with_global_normalization(
    t: Any = None,
    m: Any = None,
    v: Any = None,
    beta: Any = None,
    gamma: Any = None,
    variance_epsilon: Any = None,
    scale_after_normalization: Any = None,
    name: str | None = None,
    input: Any = None,
    mean: Any = None,
    variance: Any = None,
) -> Value:
    """`batch_normalization` under its oldest name."""
    t = chosen("input", input, "t", t)
    m = chosen("mean", mean, "m", m)
    v = chosen("variance", variance, "v", v)
    scale = gamma if scale_after_normalization else None
    return batch_normalization(t, m, v, beta, scale, variance_epsilon, name)


def _norm_axes(layout: str) -> tuple[int, ...]:
    return (0, 2, 3) if layout == "NCHW" else (0, 1, 2)


def _norm_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, scale = inputs[0], inputs[1]
    if x.rank not in (4, None):
        raise shape_error(f"Shape must be rank 4 but is rank {x.rank}")
    shape = scale.static_shape
    for v in inputs[1:]:
        if v.rank not in (1, None):
            raise shape_error(f"Shape must be rank 1 but is rank {v.rank}")
        shape = merge(shape, v.static_shape)
    if x.static_shape is not None:
        at = 1 if attrs["data_format"] == "NCHW" else 3
        shape = merge(shape, (x.static_shape[at],))
    return [(x.dtype, x.static_shape), (scale.dtype, shape), (scale.dtype, shape)]


def _norm(
    x: Any, scale: Any, offset: Any, *population: Any, epsilon: float, data_format: str,
    is_training: bool,
) -> Any:  # fmt: skip
    over = _norm_axes(data_format)
    wide = x.astype(scale.dtype)
    fold = [-1, 1, 1] if data_format == "NCHW" else [-1]
    if is_training:
        mean = np.mean(wide, axis=over)
        variance = np.mean(np.square(wide - mean.reshape(fold)), axis=over)
        n = x.size // max(mean.size, 1)
        given = variance * variance.dtype.type(n / max(n - 1, 1))
    else:
        mean, variance = population
        given = variance
    inv = scale / np.sqrt(variance + scale.dtype.type(epsilon))
    y = (wide - mean.reshape(fold)) * inv.reshape(fold) + offset.reshape(fold)
    return y.astype(x.dtype), mean, given


def _folded(v: Value, layout: str) -> Value:
    """A vector of channels as an operand beside a 4-D tensor."""
    if layout == "NHWC":
        return v
    return ops.shapes.expand_dims(ops.shapes.expand_dims(v, -1), -1)


def _norm_expand(
    x: Value, scale: Value, offset: Value, *population: Value, epsilon: float, data_format: str,
    is_training: bool,
) -> Any:  # fmt: skip
    over = _norm_axes(data_format)
    wide = math.cast(x, scale.dtype)
    if is_training:
        mean = reduce_mean(wide, over)
        variance = reduce_mean(math.squared_difference(wide, _folded(mean, data_format)), over)
        n = math.cast(build(ops.reduce.count, (x,), {"axis": over}).outputs[0], scale.dtype)
        given = variance * (n / math.maximum(n - 1.0, 1.0))
    else:
        mean, variance = population
        given = variance
    inv = _folded(math.rsqrt(variance + epsilon) * scale, data_format)
    y = (wide - _folded(mean, data_format)) * inv + _folded(offset, data_format)
    return math.cast(y, x.dtype), mean, given


def _norm_grad(
    y: Any, dy: Any, x: Value, scale: Value, offset: Value, *population: Value, epsilon: float,
    data_format: str, is_training: bool,
) -> Any:  # fmt: skip
    """Through the first output only, as TF (`_BatchNormGrad` in nn_grad.py)."""
    none = (None,) * len(population)
    if dy[0] is None:
        return (None, None, None, *none)
    over = _norm_axes(data_format)
    g, wide = math.cast(dy[0], scale.dtype), math.cast(x, scale.dtype)
    if is_training:
        mean = reduce_mean(wide, over)
        away = wide - _folded(mean, data_format)
        variance = reduce_mean(math.square(away), over)
    else:
        mean, variance = population
        away = wide - _folded(mean, data_format)
    inv = math.rsqrt(variance + epsilon)
    dscale = inv * reduce_sum(g * away, over)
    doffset = reduce_sum(g, over)
    if is_training:
        slope = _folded(reduce_mean(g * away, over) * (inv * inv), data_format)
        g = g - _folded(reduce_mean(g, over), data_format) - slope * away
    dx = g * _folded(scale * inv, data_format)
    return (math.cast(dx, x.dtype), dscale, doffset, *none)


fused_batch_norm_op = op(
    "fused_batch_norm", "FusedBatchNormV3", "composite",
    doc="Batch normalisation of a 4-D tensor, with its batch mean and (unbiased) variance.",
    args=("x", "scale", "offset", "*population"), types="f", numpy=quiet(_norm),
    infer=_norm_infer, expand=_norm_expand, grad=_norm_grad, facts={"partial_gradients": True},
)  # fmt: skip


def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
) -> tuple[Value, Value, Value]:
    """The normalised `x`, and the mean and variance of the batch (or those given).

    Raises
    ------
    ValueError
        When `mean` or `variance` is given for training, or missing for inference.
    """
    v = as_value(x, name="input")
    s = as_value(scale, name="scale")
    o = as_value(offset, name="offset")
    if is_training and (mean is not None or variance is not None):
        raise ValueError("Both 'mean' and 'variance' must be None if is_training is True.")
    if not is_training and (mean is None or variance is None):
        raise ValueError("'mean' and 'variance' must be given if is_training is False.")
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"data_format must be NHWC or NCHW, not {data_format!r}")
    given = () if is_training else (as_value(mean, s.dtype), as_value(variance, s.dtype))
    if is_training:
        current().reserve("Const", "Const")
    attrs = {
        "epsilon": max(float(epsilon), 1.001e-5), "data_format": data_format,
        "is_training": bool(is_training),
    }  # fmt: skip
    y, m, d = build(fused_batch_norm_op, (v, s, o, *given), attrs, name).outputs
    return y, m, d


fused_batch_norm_op.call = fused_batch_norm


def zero_fraction(value: Any, name: str | None = None) -> Value:
    """The share of zeros in `value`, a float32; NaN where it is empty."""
    with current().scope(name, "zero_fraction"):
        v = as_value(value, name="value")
        with current().counts_as(26):  # TF1 counts in a cond, by int32 where that is enough
            n = ops.shapes.size(v, out_type=dtypes.int64)
            zeros = math.cast(n - count_nonzero(v), dtypes.float32)
            return ops.state.identity(zeros / math.cast(n, dtypes.float32), name="fraction")
