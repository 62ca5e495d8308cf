"""Functions of ``tf.contrib.distributions``: triangles, percentiles, moving statistics."""

from __future__ import annotations

import math as _math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.distributions.continuous import Normal
from graphc.face.current import name_scope
from graphc.face.scopes import variable_scope
from graphc.ir import dtypes
from graphc.ops import (
    arrays,
    diagonal,
    fills,
    linalg,
    math,
    ordering,
    reduce,
    shapes,
    spectral,
    transposing,
)
from graphc.ops.complex import conj, real
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "assign_log_moving_mean_exp", "assign_moving_mean_variance", "auto_correlation",
    "fill_triangular", "fill_triangular_inverse", "matrix_diag_transform", "moving_mean_variance",
    "normal_conjugates_known_scale_posterior",
    "normal_conjugates_known_scale_predictive", "percentile", "reduce_weighted_logsumexp",
    "softplus_inverse", "tridiag",
]  # fmt: skip


# ------------------------------------------------------------------------- triangles


def fill_triangular(x: Any, upper: bool = False, name: str | None = None) -> Any:
    """Triangular matrices of the vectors in the last axis, whose size is n (n + 1) / 2.

    Raises
    ------
    ValueError
        For another size.
    """
    with name_scope(name, "fill_triangular"):
        x = convert_to_tensor(x, name="x")
        m = x.shape[-1].value
        if m is None:
            raise ValueError("the size of the last axis must be known")
        n = int(_math.sqrt(0.25 + 2.0 * m) - 0.5)
        if n * (n + 1) // 2 != m:
            raise ValueError(
                f"Input right-most shape ({m}) does not correspond to a triangular matrix."
            )
        lead = x.shape[:-1]
        batch = lead.as_list() if lead.is_fully_defined() else [-1]
        if upper:
            parts = [x, arrays.reverse(x[..., n:], [-1])]
        else:
            parts = [x[..., n:], arrays.reverse(x, [-1])]
        joined = arrays.concat(parts, -1)
        if lead.is_fully_defined():
            square = shapes.reshape(joined, [*batch, n, n])
        else:
            square = shapes.reshape(joined, arrays.concat([shapes.shape(x)[:-1], [n, n]], 0))
        return linalg.matrix_band_part(square, *((0, -1) if upper else (-1, 0)))


def fill_triangular_inverse(x: Any, upper: bool = False, name: str | None = None) -> Any:
    """The vectors of which `fill_triangular` made the matrices."""
    with name_scope(name, "fill_triangular_inverse"):
        x = convert_to_tensor(x, name="x")
        n = x.shape[-1].value
        if n is None:
            raise ValueError("the number of columns must be known")
        m = n * (n + 1) // 2
        at = np.arange(m)
        cells = np.concatenate([at, at[n:][::-1]] if upper else [at[n:], at[::-1]])
        kept = np.triu(np.ones((n, n), bool)) if upper else np.tril(np.ones((n, n), bool))
        where = np.full(m, -1)
        for place, source in enumerate(cells):
            if kept.reshape(-1)[place]:
                where[source] = place
        sizes = arrays.concat([shapes.shape(x)[:-2], [n * n]], 0)
        lead = x.shape[:-2]
        flat = shapes.reshape(x, [*lead.as_list(), n * n] if lead.is_fully_defined() else sizes)
        return arrays.gather(flat, where.astype(np.int32), axis=-1)


def matrix_diag_transform(
    matrix: Any, transform: Callable[[Any], Any] | None = None, name: str | None = None
) -> Any:
    """The matrices with `transform` of their diagonals."""
    with name_scope(name, "matrix_diag_transform"):
        m = convert_to_tensor(matrix, name="matrix")
        if transform is None:
            return m
        return diagonal.matrix_set_diag(m, transform(diagonal.matrix_diag_part(m)))


def tridiag(below: Any = None, diag: Any = None, above: Any = None, name: str | None = None) -> Any:
    """Matrices of three diagonals; what is None is 0."""

    def shifted(x: Any, before: int) -> Any:
        rank = x.shape.ndims
        x = arrays.pad(x, [[0, 0]] * (rank - 1) + [[before, 1 - before]])
        wide = diagonal.matrix_diag(x)
        pad = [[0, 0]] * (rank - 1)
        if before:  # below: row i, column i - 1
            return arrays.pad(wide, [*pad, [0, 0], [0, 1]])[..., 1:]
        return arrays.pad(wide, [*pad, [0, 0], [1, 0]])[..., :-1]

    with name_scope(name, "tridiag"):
        if below is None and diag is None and above is None:
            raise ValueError("Must specify at least one of below, diag, above.")
        parts = []
        if below is not None:
            parts.append(shifted(convert_to_tensor(below), 1))
        if diag is not None:
            parts.append(diagonal.matrix_diag(convert_to_tensor(diag)))
        if above is not None:
            parts.append(shifted(convert_to_tensor(above), 0))
        out = parts[0]
        for p in parts[1:]:
            out = out + p
        return out


# ------------------------------------------------------------------------- numbers


def softplus_inverse(x: Any, name: str | None = None) -> Any:
    """y with ``softplus(y) = x``."""
    with name_scope(name, "softplus_inverse"):
        x = convert_to_tensor(x, name="x")
        threshold = _math.log(float(np.finfo(x.dtype.np).eps)) + 2.0
        small, large = math.less(x, np.exp(threshold)), math.greater(x, -threshold)
        safe = math.select(math.logical_or(small, large), fills.ones_like(x), x)
        middle = safe + math.log(-math.expm1(-safe))
        return math.select(small, math.log(x), math.select(large, x, middle))


def reduce_weighted_logsumexp(
    logx: Any, w: Any = None, axis: Any = None, keep_dims: bool = False, return_sign: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """``log(abs(sum(w * exp(logx))))``, and the sign of the sum where wanted."""
    with name_scope(name, "reduce_weighted_logsumexp"):
        logx = convert_to_tensor(logx, name="logx")
        if w is None:
            out = reduce.reduce_logsumexp(logx, axis=axis, keepdims=keep_dims)
            return (out, fills.ones_like(out)) if return_sign else out
        w = convert_to_tensor(w, logx.dtype, name="w")
        top = logx + math.log(math.abs(w))
        most = reduce.reduce_max(top, axis, keepdims=True)
        from graphc.ops.state import stop_gradient  # here only

        most = stop_gradient(math.select(math.is_inf(most), fills.zeros_like(most), most))
        total = reduce.reduce_sum(math.sign(w) * math.exp(top - most), axis, keepdims=keep_dims)
        sign = math.sign(total)
        if not keep_dims:
            most = shapes.squeeze(most, axis)
        out = most + math.log(sign * total)
        return (out, sign) if return_sign else out


def percentile(
    x: Any, q: Any, axis: Any = None, interpolation: str | None = None, keep_dims: bool = False,
    validate_args: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """The element of which `q` percent are at most.

    Parameters
    ----------
    interpolation : {"nearest", "lower", "higher"}
        Which element, where `q` falls between two; the nearest by default.
    """
    how = interpolation or "nearest"
    if how not in ("nearest", "lower", "higher"):
        raise ValueError(
            "Argument 'interpolation' must be in {'lower', 'higher', 'nearest'}. "
            f"Found {interpolation}"
        )
    with name_scope(name, "percentile"):
        x = convert_to_tensor(x, name="x")
        q = math.cast(convert_to_tensor(q, dtypes.float64), dtypes.float64)
        rank = x.shape.ndims
        if rank is None:
            raise ValueError("percentile needs the rank of x")
        axes = sorted({a % rank for a in ([*range(rank)] if axis is None else np.atleast_1d(axis))})
        kept = [a for a in range(rank) if a not in axes]
        turned = transposing.transpose(x, kept + axes) if kept + axes != list(range(rank)) else x
        lead = [x.shape[a].value for a in kept]
        known = all(n is not None for n in lead)
        sizes: Any = (
            [*lead, -1] if known
            else arrays.concat([shapes.shape(turned)[: len(kept)], [-1]], 0)
        )  # fmt: skip
        flat = shapes.reshape(turned, sizes)
        ordered = ordering.sort(flat, axis=-1, direction="DESCENDING")
        n = shapes.shape(flat)[-1]
        place = math.cast(n - 1, dtypes.float64) * (1.0 - q / 100.0)
        rounded = {"nearest": math.round, "lower": math.ceil, "higher": math.floor}[how](place)
        at = math.clip_by_value(math.cast(rounded, dtypes.int32), 0, n - 1)
        out = arrays.gather(ordered, at, axis=-1)
        for a in axes if keep_dims else ():
            out = shapes.expand_dims(out, a)
        return out


def auto_correlation(
    x: Any, axis: int = -1, max_lags: int | None = None, center: bool = True,
    normalize: bool = True, name: str = "auto_correlation",
) -> Any:  # fmt: skip
    """The correlation of `x` with itself, for each lag along `axis`."""
    with name_scope(name):
        x = convert_to_tensor(x, name="x")
        rank = x.shape.ndims
        if rank is None:
            raise ValueError("auto_correlation needs the rank of x")
        axis = axis % rank
        perm = [a for a in range(rank) if a != axis] + [axis]
        y: Any = transposing.transpose(x, perm) if axis != rank - 1 else x
        if center:
            y = y - reduce.reduce_mean(y, -1, keepdims=True)
        n = y.shape[-1].value
        if n is None:
            raise ValueError("the number of steps must be known")
        lags = n - 1 if max_lags is None else min(int(max_lags), n - 1)
        length = 1 << (2 * n - 1).bit_length()
        padded = arrays.pad(y, [[0, 0]] * (rank - 1) + [[0, length - n]])
        wide = padded if y.dtype.is_complex else math.cast(
            padded, dtypes.complex128 if y.dtype is dtypes.float64 else dtypes.complex64
        )  # fmt: skip
        turned = spectral.fft(wide)
        found = spectral.ifft(turned * conj(turned))[..., : lags + 1]
        out = found if y.dtype.is_complex else math.cast(real(found), y.dtype)
        counted = np.arange(n, n - lags - 1, -1.0)
        out = out / math.cast(convert_to_tensor(counted), y.dtype)
        if normalize:
            out = out / out[..., :1]
        return transposing.transpose(out, np.argsort(perm).tolist()) if axis != rank - 1 else out


# ------------------------------------------------------------------------- moving statistics


def assign_moving_mean_variance(
    mean_var: Any, variance_var: Any, value: Any, decay: Any, name: str | None = None
) -> tuple[Any, Any]:
    """Move a mean and a variance towards `value`; their new values."""
    from graphc.ops import state  # the face's rules of assignment

    with name_scope(name, "assign_moving_mean_variance"):
        v = convert_to_tensor(value)
        keep = 1.0 - decay
        away = v - convert_to_tensor(mean_var)
        variance = state.assign_sub(
            variance_var, keep * (convert_to_tensor(variance_var) - decay * math.square(away))
        )
        mean = state.assign_add(mean_var, keep * away)
        return mean, variance


def assign_log_moving_mean_exp(
    log_mean_exp_var: Any, log_value: Any, decay: Any, name: str | None = None
) -> Any:
    """Move the logarithm of a mean of exponentials."""
    from graphc.ops import state

    with name_scope(name, "assign_log_moving_mean_exp"):
        decay = convert_to_tensor(decay)
        old = convert_to_tensor(log_mean_exp_var)
        both = arrays.stack(
            [math.log(decay) + old, math.log(1.0 - decay) + convert_to_tensor(log_value)]
        )
        return state.assign(log_mean_exp_var, reduce.reduce_logsumexp(both, axis=0))


def moving_mean_variance(
    value: Any, decay: Any, collections: Any = None, name: str | None = None
) -> tuple[Any, Any]:
    """A moving mean and a moving variance of `value`, in variables of their own."""
    from graphc.face.graph_keys import GraphKeys
    from graphc.face.initializers import Zeros
    from graphc.face.scopes import get_variable

    v = convert_to_tensor(value)
    if collections is None:
        collections = [GraphKeys.GLOBAL_VARIABLES]
    with variable_scope(name, "moving_mean_variance", [v, decay]):
        made = [
            get_variable(
                word, v.shape, v.dtype.base_dtype, Zeros(), trainable=False,  # type: ignore[attr-defined]
                collections=collections,
            )
            for word in ("mean", "variance")
        ]  # fmt: skip
        return assign_moving_mean_variance(made[0], made[1], v, decay)


# ------------------------------------------------------------------------- conjugates


def _normal(prior: Any) -> None:
    if not isinstance(prior, Normal):
        raise TypeError("Expected prior to be an instance of type Normal")


def _posterior(prior: Any, scale: Any, s: Any, n: Any) -> tuple[Any, Any]:
    n = math.cast(n, prior.loc.dtype)
    before, here = math.reciprocal(math.square(prior.scale)), math.reciprocal(math.square(scale))
    variance = 1.0 / (before + n * here)
    return (prior.loc * before + convert_to_tensor(s) * here) * variance, variance


def normal_conjugates_known_scale_posterior(prior: Any, scale: Any, s: Any, n: Any) -> Normal:
    """What is known of a mean with a normal `prior` after `n` draws with the sum `s`."""
    _normal(prior)
    mean, variance = _posterior(prior, scale, s, n)
    return Normal(loc=mean, scale=math.sqrt(variance))


def normal_conjugates_known_scale_predictive(prior: Any, scale: Any, s: Any, n: Any) -> Normal:
    """The distribution of the next draw after `n` with the sum `s`."""
    _normal(prior)
    mean, variance = _posterior(prior, scale, s, n)
    return Normal(loc=mean, scale=math.sqrt(variance + math.square(scale)))
